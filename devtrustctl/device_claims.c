/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/device_claims.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/ctl.h"

#include "core/device/device_record.h"
#include "core/base/json.h"
#include "edge/managed_file.h"

#include <stdio.h>

#define CLAIMS_FILE_MAX (64 * 1024)

/* --- managed app configuration --------------------------------------------------------------------- */

int dt_managed_file_judge(dt_site const *files, char const *path, char const *user, dt_time now,
                          dt_device_claims *out, dt_reason *reason, dt_error *why, dt_error *e)
{
    dt_managed_hints const *hints = dt_site_managed_hints(files);
    dt_config const *c = dt_site_config(files);
    dt_managed_file *file = NULL;
    dt_managed_result said;
    dt_evidence ev;
    dt_identity who;

    if (hints->count == 0)
        return dt_error_set(
            e, DT_E_INVALID,
            "[device_trust] management_hint_file is not set: no secret key is accepted");
    int rc = dt_site_identity(files, user, &who, e);
    if (rc < 0)
        return rc;
    if (dt_managed_file_new(path, hints, &file) < 0)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_managed_file_read(file, &said);
    dt_managed_file_free(&file);
    dt_managed_evidence(&said, c, who.local, who.login, now, &ev, why);
    *reason = ev.finding == DT_FINDING_FOR ? DT_REASON_TRUSTED : ev.reason;
    out->managed = said.facts;
    if (said.status == DT_MANAGED_READ)
        (void)snprintf(out->text, sizeof(out->text), "for %s%s%s",
                       said.facts.site[0] != '\0' ? said.facts.site : "no org",
                       said.facts.username[0] != '\0' ? " and " : "", said.facts.username);
    return DT_OK;
}

/* --- VPN clients ------------------------------------------------------------------------------------- */

static bool look_for(dt_store *store, dt_vpn_claims const *c, char const *name, dt_time now,
                     dt_evidence *out, dt_error *why)
{
    dt_store_op op = {.table = DT_TABLE_DEVICE, .verb = DT_STORE_GET, .expires = DT_TIME_NEVER};
    dt_store_result r;
    dt_buf scratch;
    dt_error wrong = {0};
    bool over;

    dt_device_alias_key(name, op.key);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_store_do(store, &op, now, &scratch, &r);
    over = dt_vpn_alias_evidence(c, name, &r, now, out, &wrong);
    dt_buf_free(&scratch);
    if (wrong.text[0] != '\0' && why->text[0] == '\0')
        *why = wrong;
    return over;
}

/* As a sign-on goes through the names. False: they name no device. */
static bool find_device(dt_store *store, dt_vpn_claims const *c, dt_time now, dt_evidence *out,
                        dt_error *why)
{
    char name[DT_VPN_NAME_MAX];

    for (size_t i = 0; dt_vpn_claims_name(c, i, name); i++) {
        if (look_for(store, c, name, now, out, why))
            return true;
    }
    return dt_vpn_uid_evidence(c, now, out);
}

static void put_names(dt_buf *b, dt_vpn_claims const *c, char const *between)
{
    char name[DT_VPN_NAME_MAX];

    for (size_t i = 0; dt_vpn_claims_name(c, i, name); i++) {
        dt_buf_puts(b, i > 0 ? between : "");
        if (between[0] == ',')
            dt_json_put_string(b, name);
        else
            dt_buf_puts(b, name);
    }
}

static void describe_claims(dt_device_claims *out)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out->text, sizeof(out->text));
    if (out->vpn.platform != DT_PLATFORM_UNKNOWN)
        dt_buf_printf(&b, "%s ", dt_platform_name(out->vpn.platform));
    put_names(&b, &out->vpn, " ");
}

int dt_vpn_claims_judge(dt_site const *files, dt_store *store, char const *path, dt_time now,
                        dt_device_claims *out, dt_reason *reason, dt_error *why, dt_error *e)
{
    dt_evidence_set set = {0};
    dt_evidence ev;
    dt_verdict v;
    dt_buf text;
    int rc;

    dt_buf_init(&text, CLAIMS_FILE_MAX);
    rc = dt_plain_file_read(path, &text, e);
    if (rc == DT_OK)
        (void)!dt_vpn_attributes_read(dt_buf_bytes(&text), &out->vpn, why);
    dt_buf_free(&text);
    if (rc < 0)
        return rc;
    describe_claims(out);
    if (find_device(store, &out->vpn, now, &ev, why)) {
        out->device_id = ev.device_id;
        rc = dt_evidence_add(&set, &ev);
    } else if (why->text[0] == '\0') {
        (void)dt_error_set(why, DT_E_NOT_FOUND, "it names no device in the registry");
    }
    dt_verdict_judge(&set, dt_site_config(files), now, &v);
    *reason = v.reason;
    return rc;
}

void dt_device_claims_put(dt_buf *b, dt_device_claims const *c)
{
    struct {
        char const *name, *value;
    } const members[] = {
        {"org", c->managed.site},
        {"username", c->managed.username},
        {"platform",
         c->vpn.platform != DT_PLATFORM_UNKNOWN ? dt_platform_name(c->vpn.platform) : ""},
    };
    char name[DT_VPN_NAME_MAX];

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].value[0] == '\0')
            continue;
        dt_buf_printf(b, ",\"%s\":", members[i].name);
        dt_json_put_string(b, members[i].value);
    }
    if (!dt_vpn_claims_name(&c->vpn, 0, name))
        return;
    dt_buf_puts(b, ",\"names\":[");
    put_names(b, &c->vpn, ",");
    dt_buf_putc(b, ']');
}
