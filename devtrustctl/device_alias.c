/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names by which VPN clients call devices: rows of the registry, put there by an administrator or
 * by a sync. */
#include "devtrustctl/device_alias.h"

#include "devtrustctl/options.h"
#include "devtrustctl/site.h"

#include "core/device/hardware_serial.h"
#include "core/device/device_record.h"
#include "core/base/json.h"
#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct aliases {
    dt_store *store;
    dt_time now;
    bool json;
} aliases;

/* --- rows ------------------------------------------------------------------------------------- */

static dt_store_op alias_op(dt_store_verb verb, char const *name)
{
    dt_store_op op = {.table = DT_TABLE_DEVICE, .verb = verb, .expires = DT_TIME_NEVER};

    dt_device_alias_key(name, op.key);
    return op;
}

/* DT_E_NOT_FOUND; DT_E_PARSE for a row that cannot be read, *out is then zero. */
static int alias_get(dt_store *s, char const *name, dt_time now, dt_device_alias *out, dt_error *e)
{
    dt_store_op op = alias_op(DT_STORE_GET, name);
    dt_store_result r;
    dt_buf scratch;
    int rc = DT_E_NOT_FOUND;

    *out = (dt_device_alias){0};
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_store_do(s, &op, now, &scratch, &r);
    if (r.status == DT_STORE_OK)
        rc = dt_device_alias_unpack(r.value, out) == DT_OK ? DT_OK : DT_E_PARSE;
    else if (r.status == DT_STORE_ERROR)
        rc = dt_error_set(e, DT_E_UNAVAILABLE, "the store: %s", r.error);
    dt_buf_free(&scratch);
    return rc;
}

static int alias_put(dt_store *s, char const *name, dt_device_alias const *a, dt_time now,
                     dt_error *e)
{
    char text[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_store_op op = alias_op(DT_STORE_PUT, name);
    dt_store_result r;
    dt_buf b, scratch;
    int rc;

    dt_buf_init_fixed(&b, text, sizeof(text));
    rc = dt_device_alias_pack(a, &b);
    if (rc < 0)
        return dt_error_set(e, rc, "the alias %.200s cannot be written (%s)", name,
                            dt_err_name(rc));
    op.value = dt_buf_bytes(&b);
    if (a->synced > 0)
        op.expires = a->synced + DT_ALIAS_SYNCED_LIFE;
    else
        op.sync = true;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_store_do(s, &op, now, &scratch, &r);
    dt_buf_free(&scratch);
    return r.status == DT_STORE_OK ? DT_OK
                                   : dt_error_set(e, DT_E_UNAVAILABLE, "the store: %s", r.error);
}

/* --- what a sync finds ------------------------------------------------------------------------ */

static int file_name(dt_store *s, char const *kind, char const *text, dt_guid const *device,
                     dt_time synced, dt_error *e)
{
    char name[DT_VPN_NAME_MAX];
    dt_device_alias old, found;
    dt_time now = dt_host_now();
    int rc;

    if (!dt_vpn_name_of(kind, text, name))
        return DT_OK; /* no client could claim it */
    rc = alias_get(s, name, now, &old, e);
    if (rc == DT_E_UNAVAILABLE)
        return rc;
    /* A row that cannot be read may be an administrator's: it stays, and finds nothing. */
    if (rc == DT_E_PARSE ||
        !dt_device_alias_found(rc == DT_OK ? &old : NULL, device, synced, &found))
        return DT_OK;
    return alias_put(s, name, &found, now, e);
}

int dt_device_aliases_file(dt_store *s, dt_intune_device const *d, dt_time synced, dt_error *e)
{
    bool whole =
        strchr(d->device_name, '\\') == NULL && strlen(d->device_name) + 4 < sizeof(d->device_name);
    int rc = file_name(s, "mac:", d->wifi_mac, &d->device_id, synced, e);

    if (rc == DT_OK && whole)
        rc = file_name(s, "name:", d->device_name, &d->device_id, synced, e);
    return rc;
}

/* --- the administrator's ---------------------------------------------------------------------- */

/* Why a VPN client may well give this name, and it is none to find a device by. */
static char const *why_none(char const *kind, char const *text)
{
    char mac[DT_VPN_MAC_TEXT];

    if (strcmp(kind, "mac:") == 0 && dt_mac_of_device(dt_bytes_str(text), mac) == DT_E_INVALID)
        return "it is locally administered (a random address, a guest's, 02:00:00:00:00:00) or the "
               "same on "
               "every computer";
    if (strcmp(kind, "mac:") != 0 && text[0] != '\0' && dt_identifies_nothing(text))
        return "it is a placeholder that many devices have";
    return NULL;
}

/* A name as why_none() knows it: an earlier version may have filed it, and it is to be removed. */
static bool take_none(char const *kind, char const *text, char name[DT_VPN_NAME_MAX])
{
    char mac[DT_VPN_MAC_TEXT];
    bool is_mac = strcmp(kind, "mac:") == 0;
    int n;

    if (is_mac && dt_mac_parse(dt_bytes_str(text), mac) != DT_OK)
        return false;
    n = snprintf(name, DT_VPN_NAME_MAX, "%s%s", kind, is_mac ? mac : text);
    for (char *p = name; *p != '\0'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return n > 0 && n < DT_VPN_NAME_MAX;
}

/* "mac:00-50-56-ab-cd-ef" as it is filed. */
static int take_name(char const *text, bool removes, char name[DT_VPN_NAME_MAX], dt_error *e)
{
    char const *colon = strchr(text, ':'), *why = NULL;
    char kind[8] = "";
    size_t len = colon != NULL ? (size_t)(colon - text) + 1 : 0;

    if (len > 0 && dt_str_copy_bytes(kind, sizeof(kind), dt_bytes_of(text, len)) == DT_OK) {
        if (dt_vpn_name_of(kind, colon + 1, name))
            return DT_OK;
        if (strcmp(kind, "mac:") == 0 || strcmp(kind, "uid:") == 0 || strcmp(kind, "name:") == 0)
            why = why_none(kind, colon + 1);
    }
    if (why != NULL && removes && take_none(kind, colon + 1, name))
        return DT_OK;
    if (why != NULL)
        return dt_error_set(e, DT_E_INVALID, "%.100s does not identify a device: %s", text, why);
    return dt_error_set(
        e, DT_E_INVALID,
        "%.100s is not a name that a VPN client sends: mac:ADDRESS, uid:TEXT, name:HOST", text);
}

static dt_ctl_exit add(aliases *k, char const *text, char const *device)
{
    char name[DT_VPN_NAME_MAX];
    dt_device_alias old, alias = {0};
    dt_error e = {0};
    int rc = take_name(text, false, name, &e);

    if (rc == DT_OK && dt_guid_parse(dt_bytes_str(device), &alias.device) < 0)
        rc = dt_error_set(&e, DT_E_INVALID, "%.100s is not a device id (a GUID)", device);
    if (rc == DT_OK)
        rc = alias_get(k->store, name, k->now, &old, &e);
    if (rc == DT_OK && old.synced == 0 && !dt_guid_equal(&old.device, &alias.device))
        rc = dt_error_set(&e, DT_E_EXISTS, "%s is already a name of %s; remove it first", name,
                          old.device.text);
    else if (rc == DT_E_NOT_FOUND || rc == DT_E_PARSE || rc == DT_OK)
        rc = alias_put(k->store, name, &alias, k->now, &e);
    if (rc < 0)
        return dt_err_fault(&e);
    if (k->json)
        dt_out_object((dt_out_text const[]){
            {"done", "added"}, {"name", name}, {"deviceId", alias.device.text}, {NULL, NULL}});
    else
        dt_out_line("%s  %s", alias.device.text, name);
    return DT_CTL_YES;
}

static dt_ctl_exit report_removed(aliases const *k, char const *name, bool removed)
{
    if (k->json)
        dt_out_object((dt_out_text const[]){
            {"done", removed ? "removed" : "not found"}, {"name", name}, {NULL, NULL}});
    else
        dt_out_line("%s  %s", name, removed ? "removed" : "is not an alias");
    return removed ? DT_CTL_YES : DT_CTL_NO;
}

static dt_ctl_exit remove_one(aliases *k, char const *text)
{
    char name[DT_VPN_NAME_MAX];
    dt_store_result r;
    dt_store_op op;
    dt_buf scratch;
    dt_error e = {0};

    if (take_name(text, true, name, &e) < 0)
        return dt_err_fault(&e);
    op = alias_op(DT_STORE_TAKE, name);
    op.sync = true;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_store_do(k->store, &op, k->now, &scratch, &r);
    dt_buf_free(&scratch);
    if (r.status == DT_STORE_OK || r.status == DT_STORE_NOT_FOUND)
        return report_removed(k, name, r.status == DT_STORE_OK);
    (void)dt_error_set(&e, DT_E_UNAVAILABLE, "the store: %s", r.error);
    return dt_err_fault(&e);
}

static void list_json(char const *name, dt_device_alias const *a, char const *state)
{
    char text[25];
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{\"name\":");
    dt_json_put_string(&b, name);
    dt_buf_printf(&b, ",\"state\":\"%s\",\"deviceId\":", state);
    dt_json_put_string(&b, a->device.text);
    if (a->synced > 0) {
        dt_time_format(text, a->synced);
        dt_buf_printf(&b, ",\"synced\":\"%s\"", text);
    }
    dt_buf_putc(&b, '}');
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static int list_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    aliases const *k = ctx;
    char shown[DT_VPN_NAME_MAX];
    char const *state = "ADDED";
    dt_device_alias a;

    (void)expires;
    if (!dt_device_alias_is_row(key))
        return DT_OK;
    if (dt_device_alias_unpack(value, &a) < 0)
        state = "UNREADABLE";
    else if (!dt_guid_is_set(&a.device))
        state = "AMBIGUOUS";
    else if (a.synced > 0)
        state = "SYNCED";
    (void)dt_str_escape(shown, sizeof(shown), key + sizeof(DT_DEVICE_ALIAS_PREFIX) - 1);
    if (k->json)
        list_json(shown, &a, state);
    else
        dt_out_line("%-36s  %-10s  %s", dt_guid_is_set(&a.device) ? a.device.text : "-", state,
                    shown);
    return DT_OK;
}

static dt_ctl_exit list(aliases *k)
{
    dt_error e = {0};
    int rc = dt_store_each(k->store, DT_TABLE_DEVICE, k->now, list_row, k, &e);

    return rc < 0 ? dt_err_fault(&e) : DT_CTL_YES;
}

/* --- the verbs -------------------------------------------------------------------------------- */

static bool is_verb(char const *const *rest, size_t count, char const *verb)
{
    return count > 0 && strcmp(rest[0], verb) == 0;
}

static int check_arguments(char const *const *rest, size_t count, dt_error *e)
{
    if (is_verb(rest, count, "list"))
        return count == 1 ? DT_OK : dt_error_set(e, DT_E_INVALID, "alias list takes no arguments");
    if (is_verb(rest, count, "add"))
        return count == 3 ? DT_OK
                          : dt_error_set(e, DT_E_INVALID, "alias add takes a name and a device id");
    if (is_verb(rest, count, "remove"))
        return count > 1 ? DT_OK : dt_error_set(e, DT_E_INVALID, "alias remove what?");
    return dt_error_set(e, DT_E_INVALID, "alias add, list or remove?");
}

static dt_ctl_exit perform(aliases *k, char const *const *rest, size_t count)
{
    dt_ctl_exit worst = DT_CTL_YES;

    if (is_verb(rest, count, "list"))
        return list(k);
    if (is_verb(rest, count, "add"))
        return add(k, rest[1], rest[2]);
    for (size_t i = 1; i < count; i++) {
        dt_ctl_exit x = remove_one(k, rest[i]);
        worst = x > worst ? x : worst;
    }
    return worst;
}

static dt_ctl_exit run(dt_ctl_command const *self, int argc, char **argv, char const **rest)
{
    char const *config = NULL;
    aliases k = {.now = dt_host_now()};
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--json", NULL, NULL, &k.json},
                                 {NULL, NULL, NULL, NULL}};
    dt_site *files = NULL;
    dt_error e = {0};
    size_t count = 0;
    dt_ctl_exit x;

    if (dt_options_parse(options, argc, argv, rest, &count, &e) < 0 ||
        check_arguments(rest, count, &e) < 0)
        return dt_err_usage(self, &e);
    if (dt_ctl_store_open(config, &files, &k.store, &e) < 0)
        return dt_err_fault(&e);
    x = perform(&k, rest, count);
    dt_ctl_store_close(&files, &k.store);
    return x;
}

dt_ctl_exit dt_ctl_device_alias(dt_ctl_command const *self, int argc, char **argv)
{
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit x = DT_CTL_FAULT;

    if (rest == NULL)
        dt_err_line("out of memory");
    else
        x = run(self, argc - 1, argv + 1, rest);
    free(rest);
    return x;
}
