/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ruleset/service.h"

#include <string.h>

typedef struct variant {
    char const *name;
    char const *base;
    bool elsewhere; /* the person does not sit at this host */
} variant;

/* What the packages of Debian, Ubuntu and Fedora put into pam.d and what their programs ask for.
 * gdm-launch-environment, lightdm-greeter and sddm-greeter are not here: they open the session of the
 * greeter's own account, and nobody signs on. */
static variant const variants[] = {
    {"sudo-i", "sudo", false},       /* sudo -i: pam_login_service */
    {"su-l", "su", false},           /* su - */
    {"runuser-l", "runuser", false}, /* runuser - */
    {"remote", "login", true},       /* login -h, of util-linux */
    {"gdm-fingerprint", "gdm-password", false},
    {"gdm-smartcard", "gdm-password", false},
    {"gdm-smartcard-sssd-exclusive", "gdm-password", false},
    {"gdm-smartcard-sssd-or-password", "gdm-password", false},
    {"gdm-smartcard-pkcs11-exclusive", "gdm-password", false},
    {"gdm-switchable-auth", "gdm-password", false},
    {"gdm-pin", "gdm-password", false},
    {"gdm-autologin", "gdm-password", false},
    {"lightdm-autologin", "lightdm", false},
    {"sddm-autologin", "sddm", false},
    {"lxdm-autologin", "lxdm", false},
    {"kde-fingerprint", "kde", false},
    {"kde-smartcard", "kde", false},
    {"kde-np", "kde", false},
    {"xdm-np", "xdm", false},
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static variant const *find(char const *service)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        if (strcmp(variants[i].name, service) == 0)
            return &variants[i];
    }
    return NULL;
}

char const *dt_service_base(char const *service)
{
    variant const *v = find(service);

    return v != NULL ? v->base : NULL;
}

char const *dt_service_variant(size_t i, char const **base)
{
    *base = i < VARIANTS ? variants[i].base : NULL;
    return i < VARIANTS ? variants[i].name : NULL;
}

static bool names(dt_string_list const *list, char const *word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], word) == 0)
            return true;
    }
    return false;
}

bool dt_service_is_in(dt_string_list const *list, char const *service)
{
    char const *base = dt_service_base(service);

    return names(list, service) || (base != NULL && names(list, base));
}

bool dt_service_is_local(dt_string_list const *list, char const *service)
{
    variant const *v = find(service);

    return names(list, service) || (v != NULL && !v->elsewhere && names(list, v->base));
}

bool dt_service_lists_overlap(dt_string_list const *a, dt_string_list const *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (dt_service_is_in(b, a->items[i]))
            return true;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (dt_service_is_in(a, b->items[i]))
            return true;
    }
    return false;
}

bool dt_service_becomes(char const *service)
{
    char const *base = dt_service_base(service);

    base = base != NULL ? base : service;
    return strcmp(base, "su") == 0 || strcmp(base, "sudo") == 0;
}
