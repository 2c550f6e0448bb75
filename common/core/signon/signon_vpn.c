/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VPN client says of its device, and which device it means by that. */
#include "core/device/vpn_evidence.h"
#include "core/signon/signon_internal.h"

#include <string.h>

void dt_signon_vpn_device(dt_signon *s, char const *text, dt_platform platform, dt_time now)
{
    dt_evidence ev = {.source = DT_SOURCE_VPN_CLIENT, .observed = now, .platform = platform};

    if (dt_guid_parse(dt_bytes_str(text), &ev.device_id) < 0) {
        dt_signon_detail(s, "the VPN client's device id is not a GUID");
        return;
    }
    ev.finding = DT_FINDING_FOR;
    ev.assurance = DT_ASSERTED;
    dt_signon_add_evidence(s, &ev);
}

/* Which device is meant is looked for only where it could matter, and not when it is named. */
void dt_signon_vpn_claims(dt_signon *s, dt_request const *r)
{
    s->scratch->vpn = *r->vpn;
    if (s->scratch->vpn.platform == DT_PLATFORM_UNKNOWN)
        s->scratch->vpn.platform = r->platform_hint;
    s->vpn_search = dt_signon_trust_rule_names(s, DT_SOURCE_VPN_CLIENT) &&
                    (!r->vpn_device_id || !*r->vpn_device_id);
    if (s->platform_hint == DT_PLATFORM_UNKNOWN)
        s->platform_hint = s->scratch->vpn.platform;
}

/* The device that a VPN client means, by one of the names that it gave. */
bool dt_signon_vpn_begin(dt_signon *s, dt_time now)
{
    char name[DT_VPN_NAME_MAX];
    dt_evidence ev;

    if (!s->vpn_search)
        return false;
    if (dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name)) {
        dt_signon_set_phase(s, DT_PHASE_ALIAS_GET);
        return true;
    }
    s->vpn_search = false;
    if (dt_vpn_uid_evidence(&s->scratch->vpn, now, &ev))
        dt_signon_add_evidence(s, &ev);
    return false;
}

/* The device that the VPN client means, found by one of the names it gave. */
static void alias_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    char name[DT_VPN_NAME_MAX] = "";
    dt_error why = {0};
    dt_evidence ev;

    (void)!dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name);
    s->vpn_at++;
    if (dt_vpn_alias_evidence(&s->scratch->vpn, name, r, now, &ev, &why)) {
        s->vpn_search = false;
        dt_signon_add_evidence(s, &ev);
    } else if (why.text[0]) {
        dt_signon_detail(s, "%s", why.text);
    }
    dt_signon_collect(s);
}

/* --- the phases ---------------------------------------------------------------------------------- */

static int render_alias_get(dt_signon *s, dt_buf *value, dt_time now)
{
    char name[DT_VPN_NAME_MAX];

    (void)value;
    (void)now;
    if (!dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name))
        return DT_E_STATE;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_device_alias_key(name, s->scratch->store.key);
    return DT_OK;
}

static bool searches_vpn_device(dt_signon const *s)
{
    return s->vpn_search;
}

dt_phase_row const dt_row_alias_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_alias_get,
    .store_done = alias_done,
    .has_fields = searches_vpn_device,
};
