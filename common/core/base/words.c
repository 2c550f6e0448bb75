/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words for evidence sources, platforms and factors: one list each, used by the configuration,
 * the audit events and the messages alike. */
#include "core/base/words.h"

#include <string.h>

char const *dt_source_name(dt_source s)
{
    switch (s) {
    case DT_SOURCE_CERTIFICATE:
        return "certificate";
    case DT_SOURCE_SSH_KEY:
        return "ssh-key";
    case DT_SOURCE_INTUNE:
        return "intune";
    case DT_SOURCE_VPN_CLIENT:
        return "vpn-client";
    case DT_SOURCE_SSH_CERTIFICATE:
        return "ssh-certificate";
    case DT_SOURCE_SSH_AGENT:
        return "ssh-agent";
    case DT_SOURCE_OKTA_DEVICE:
        return "okta-device";
    case DT_SOURCE_REGISTRY:
        return "registry";
    case DT_SOURCE_MANAGEMENT_HINT:
        return "management-hint";
    case DT_SOURCE_NONE:
        break;
    }
    return NULL;
}

bool dt_platform_is_one(int64_t p)
{
    int64_t known = DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE;
    return p >= 0 && (p & ~known) == 0 && (p & (p - 1)) == 0;
}

char const *dt_platform_name(dt_platform p)
{
    switch (p) {
    case DT_PLATFORM_WINDOWS:
        return "windows";
    case DT_PLATFORM_MACOS:
        return "macos";
    case DT_PLATFORM_LINUX:
        return "linux";
    case DT_PLATFORM_CHROMEOS:
        return "chromeos";
    case DT_PLATFORM_OTHER_DESKTOP:
        return "other-desktop";
    case DT_PLATFORM_IOS:
        return "ios";
    case DT_PLATFORM_ANDROID:
        return "android";
    case DT_PLATFORM_OTHER_MOBILE:
        return "other-mobile";
    case DT_PLATFORM_UNKNOWN:
        break;
    }
    return "unknown";
}

bool dt_platform_is_mobile(dt_platform p)
{
    return ((unsigned)p & DT_PLATFORM_ANY_MOBILE) != 0;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool starts_with_nocase(char const *text, char const *prefix)
{
    while (*prefix != '\0' && fold(*text) == *prefix) {
        text++;
        prefix++;
    }
    return *prefix == '\0';
}

/* How inventories begin the name of an operating system, in lower case. The first that fits counts,
 * so a longer word stands before a shorter one that it begins with. */
static struct {
    char const *prefix;
    dt_platform platform;
} const os_prefixes[] = {
    {"windows phone", DT_PLATFORM_OTHER_MOBILE},
    {"windowsphone", DT_PLATFORM_OTHER_MOBILE},
    {"windows mobile", DT_PLATFORM_OTHER_MOBILE},
    {"windowsmobile", DT_PLATFORM_OTHER_MOBILE},
    {"windows", DT_PLATFORM_WINDOWS},
    {"macos", DT_PLATFORM_MACOS},
    {"mac os", DT_PLATFORM_MACOS},
    {"macmdm", DT_PLATFORM_MACOS},
    {"os x", DT_PLATFORM_MACOS},
    {"linux", DT_PLATFORM_LINUX},
    {"ubuntu", DT_PLATFORM_LINUX},
    {"red hat enterprise linux", DT_PLATFORM_LINUX},
    {"rhel", DT_PLATFORM_LINUX},
    {"chromeos", DT_PLATFORM_CHROMEOS},
    {"chrome os", DT_PLATFORM_CHROMEOS},
    {"freebsd", DT_PLATFORM_OTHER_DESKTOP},
    {"ipados", DT_PLATFORM_IOS},
    {"iphone", DT_PLATFORM_IOS},
    {"ipad", DT_PLATFORM_IOS},
    {"ios", DT_PLATFORM_IOS},
    {"android", DT_PLATFORM_ANDROID},
    {"blackberry", DT_PLATFORM_OTHER_MOBILE},
    {"tizen", DT_PLATFORM_OTHER_MOBILE},
};

dt_platform dt_platform_from_text(char const *os)
{
    if (os == NULL)
        return DT_PLATFORM_UNKNOWN;
    while (*os == ' ')
        os++;
    for (size_t i = 0; i < sizeof(os_prefixes) / sizeof(os_prefixes[0]); i++) {
        if (starts_with_nocase(os, os_prefixes[i].prefix))
            return os_prefixes[i].platform;
    }
    return DT_PLATFORM_UNKNOWN;
}

static struct {
    dt_factor_type factor;
    char const *type, *provider, *app;
} const factors[] = {
#define X(NAME, bit, type, provider, app, row) {DT_FACTOR_##NAME, type, provider, app},
    DT_FACTORS(X)
#undef X
};
#define FACTORS (sizeof(factors) / sizeof(factors[0]))

char const *dt_factor_name(dt_factor_type f)
{
    for (size_t i = 0; i < FACTORS; i++)
        if (factors[i].factor == f)
            return factors[i].type;
    return NULL;
}

char const *dt_factor_provider(dt_factor_type f)
{
    for (size_t i = 0; i < FACTORS; i++)
        if (factors[i].factor == f)
            return factors[i].provider;
    return NULL;
}

char const *dt_factor_app(dt_factor_type f)
{
    for (size_t i = 0; i < FACTORS; i++)
        if (factors[i].factor == f)
            return factors[i].app;
    return NULL;
}

dt_factor_type dt_factor_of(char const *type, char const *provider)
{
    for (size_t i = 0; type != NULL && provider != NULL && i < FACTORS; i++)
        if (strcmp(factors[i].type, type) == 0 && strcmp(factors[i].provider, provider) == 0)
            return factors[i].factor;
    return DT_FACTOR_NONE;
}

/* What stands for more comes first. */
dt_config_word const dt_factor_words[] = {
#define X(word, bits) {word, bits},
    DT_FACTOR_KINDS(X)
#undef X
#define X(NAME, bit, type, provider, app, row) {type "/" provider, DT_FACTOR_##NAME},
        DT_FACTORS(X)
#undef X
            {NULL, 0}};

unsigned dt_factor_word_bits(char const *word)
{
    for (dt_config_word const *w = dt_factor_words; word != NULL && w->word != NULL; w++)
        if (strcmp(w->word, word) == 0)
            return (unsigned)w->value;
    return 0;
}

char const *dt_factor_word_next(unsigned *bits)
{
    for (dt_config_word const *w = dt_factor_words; w->word != NULL; w++) {
        if ((*bits & (unsigned)w->value) != (unsigned)w->value)
            continue;
        *bits &= ~(unsigned)w->value;
        return w->word;
    }
    return NULL;
}

char const *dt_reason_name(dt_reason r)
{
    static char const *const names[DT_REASON_COUNT] = {
        [DT_REASON_NONE] = "NONE",
        [DT_REASON_TRUSTED] = "TRUSTED",
        [DT_REASON_NO_CERTIFICATE] = "NO_CERTIFICATE",
        [DT_REASON_CERTIFICATE_EXPIRED] = "CERTIFICATE_EXPIRED",
        [DT_REASON_CERTIFICATE_NOT_YET_VALID] = "CERTIFICATE_NOT_YET_VALID",
        [DT_REASON_CERTIFICATE_REVOKED] = "CERTIFICATE_REVOKED",
        [DT_REASON_CERTIFICATE_INVALID] = "CERTIFICATE_INVALID",
        [DT_REASON_UNTRUSTED_ISSUER] = "UNTRUSTED_ISSUER",
        [DT_REASON_WRONG_TENANT] = "WRONG_TENANT",
        [DT_REASON_NO_PROOF_OF_POSSESSION] = "NO_PROOF_OF_POSSESSION",
        [DT_REASON_NOT_ENROLLED] = "NOT_ENROLLED",
        [DT_REASON_NOT_COMPLIANT] = "NOT_COMPLIANT",
        [DT_REASON_IN_GRACE_PERIOD] = "IN_GRACE_PERIOD",
        [DT_REASON_NOT_MANAGED] = "NOT_MANAGED",
        [DT_REASON_DEVICE_DEACTIVATED] = "DEVICE_DEACTIVATED",
        [DT_REASON_MANAGEMENT_HINT_MISMATCH] = "MANAGEMENT_HINT_MISMATCH",
        [DT_REASON_PLATFORM_NOT_ENABLED] = "PLATFORM_NOT_ENABLED",
        [DT_REASON_STALE] = "STALE",
        [DT_REASON_LOOKUP_UNAVAILABLE] = "LOOKUP_UNAVAILABLE",
        [DT_REASON_KEY_NOT_HARDWARE] = "KEY_NOT_HARDWARE",
        [DT_REASON_NOT_OWNER] = "NOT_OWNER",
    };

    if ((unsigned)r >= DT_REASON_COUNT || names[r] == NULL)
        return "NONE";
    return names[r];
}
