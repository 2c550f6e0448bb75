/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust.conf of any bytes. What is refused has a message with the file's name that is safe to
 * show; what is accepted obeys the table's bounds and the rules between keys, whose violation would
 * trust somebody by accident. */
#include "core/device/device_help.h"
#include "core/device/evidence_facts.h"
#include "edge/ini.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_error(dt_error const *e)
{
    require(e->code < 0 && strncmp(e->text, "fuzz.conf", 9) == 0);
    for (char const *c = e->text; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_text(dt_config_key const *k, char const *text)
{
    require(text != NULL && (int64_t)strlen(text) >= k->min && (int64_t)strlen(text) <= k->max);
    for (char const *c = text; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
    if (k->type == DT_CONFIG_URL && *text != '\0')
        require(strncmp(text, "https://", 8) == 0 && strpbrk(text, "?#@\\ ") == NULL &&
                text[strlen(text) - 1] != '/' && strstr(text, "..") == NULL);
    if (k->type == DT_CONFIG_PATH && *text != '\0')
        require(*text == '/' && strstr(text, "//") == NULL && strstr(text, "/../") == NULL);
}

static void check_key(dt_config const *c, dt_config_key const *k)
{
    void const *field = (char const *)c + k->offset;
    dt_string_list const *list = field;

    switch (k->type) {
    case DT_CONFIG_STRING:
    case DT_CONFIG_URL:
    case DT_CONFIG_PATH:
        check_text(k, *(char *const *)field);
        return;
    case DT_CONFIG_INT:
        require(*(int const *)field >= k->min && *(int const *)field <= k->max);
        return;
    case DT_CONFIG_DURATION:
        require(*(dt_time const *)field >= k->min && *(dt_time const *)field <= k->max);
        return;
    case DT_CONFIG_BITS:
        require(*(unsigned const *)field != 0);
        return;
    case DT_CONFIG_LIST:
        require(list->count <= DT_CONFIG_LIST_MAX);
        for (size_t i = 0; i < list->count; i++)
            require(*list->items[i] != '\0' && strchr(list->items[i], '/') == NULL);
        return;
    default:
        return;
    }
}

static void check_trust(dt_config const *c)
{
    require(c->device_trust.trusted_when_count >= 1 &&
            c->device_trust.trusted_when_count <= DT_TRUST_ALTERNATIVES_MAX);
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++) {
        unsigned set = c->device_trust.trusted_when[i];
        require(set != 0 && set != DT_SOURCE_INTUNE && (set & ~(unsigned)DT_SOURCES_ALL) == 0);
        if ((set & DT_SOURCE_INTUNE) != 0)
            require(dt_guid_is_set(&c->intune.tenant_id) &&
                    (*c->intune.key_file != '\0' || *c->intune.client_secret_file != '\0'));
        if ((set & DT_SOURCE_CERTIFICATE) != 0)
            require(*c->device_trust.ca_file != '\0' || *c->device_trust.shared_ca_file != '\0');
    }
}

static void check_rules(dt_config const *c)
{
    if (*c->device_trust.shared_ca_file != '\0')
        require(dt_guid_is_set(&c->device_trust.tenant_id));
    require(c->device_trust.stale_limit >= c->device_trust.cache_ttl);
    require(*c->audit.file != '\0' || c->audit.syslog);
    for (size_t i = 0; i < c->daemon.sshd_services.count; i++) {
        for (size_t k = 0; k < c->daemon.local_services.count; k++)
            require(strcmp(c->daemon.sshd_services.items[i], c->daemon.local_services.items[k]) !=
                    0);
    }
}

/* What holds for one application is held to the same rules. */
static void check_applications(dt_config const *c)
{
    require(c->application_count <= DT_CONFIG_APPLICATIONS_MAX);
    for (size_t i = 0; i < c->application_count; i++) {
        char const *name = c->applications[i]->name;
        dt_config own;

        require(*name != '\0' && *name != '.' && strpbrk(name, "/ []\t") == NULL);
        require(dt_config_for(c, name, &own));
        check_trust(&own);
    }
}

/* What people are told fits a Reply-Message and moves no cursor. */
static void check_messages(dt_config const *c)
{
    require(c->message_count <= DT_CONFIG_MESSAGES_MAX);
    for (size_t i = 0; i < c->message_count; i++) {
        for (size_t k = 0; k < DT_CONFIG_MESSAGE_TEXTS; k++)
            require(dt_device_help_fault(c->messages[i]->texts[k],
                                         c->device_trust.enrollment_url) == NULL);
    }
    for (int r = 0; r < DT_REASON_COUNT; r++) {
        dt_verdict v = {.reason = (dt_reason)r};
        char text[DT_DEVICE_HELP_MAX + 2];
        dt_buf b;

        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_device_help(c, &v, DT_PLATFORM_IOS, &b); /* of UNKNOWN, so configured words alone */
        require(dt_buf_error(&b) == DT_OK && b.len <= DT_DEVICE_HELP_MAX);
        for (size_t k = 0; k < b.len; k++)
            require(b.p[k] >= 0x20 && b.p[k] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);
    dt_config *c = NULL;
    dt_error e = {0};

    require(dt_config_new(&c, &e) == DT_OK);
    if (dt_ini_parse(dt_bytes_of(data, size), "fuzz.conf", c, &e) < 0) {
        check_error(&e);
    } else {
        for (size_t i = 0; i < count; i++)
            check_key(c, &keys[i]);
        check_trust(c);
        check_rules(c);
        check_applications(c);
        check_messages(c);
    }
    dt_config_free(&c);
    return 0;
}
