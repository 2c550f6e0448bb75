/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The evidence stage: from the facts of the request to all that is known of the device. Its collectors, one after
 * another, fetch what there is to be fetched; most are in the file of their subject. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"

#include <string.h>

void dt_signon_evidence_begin(dt_signon *s, dt_request const *r, dt_time now)
{
    if (r->certificate.len > 0)
        dt_signon_certificate(s, DT_SOURCE_CERTIFICATE, r->certificate, r->chain, r->chain_count,
                              r->handshake_finished, now);
    if (r->vpn_device_id && *r->vpn_device_id)
        dt_signon_vpn_device(s, r->vpn_device_id, r->platform_hint, now);
    if (r->ssh_auth_info)
        dt_signon_ssh_take(s, dt_bytes_str(r->ssh_auth_info), now);
    if (r->vpn)
        dt_signon_vpn_claims(s, r);
    dt_signon_collect(s);
}

/* --- collectors of one step ---------------------------------------------------------------------- */

static bool collect_managed_configuration(dt_signon *s, dt_time now)
{
    (void)now;
    if (!s->host_managed || !s->ruleset.managed ||
        !dt_signon_trust_rule_names(s, DT_SOURCE_MANAGEMENT_HINT))
        return false;
    s->host_managed = false;
    dt_signon_set_phase(s, DT_PHASE_MANAGED);
    return true;
}

static void managed_done(dt_signon *s, dt_managed_result const *r, dt_time now)
{
    dt_evidence ev;
    dt_error why = {0};

    dt_managed_evidence(r, s->ruleset.config, s->who.local, s->who.login, now, &ev, &why);
    if (why.text[0])
        dt_signon_detail(s, "management-hint: %s", why.text);
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

/* The list of trusted devices, about the proved one. */
static bool collect_registry(dt_signon *s, dt_time now)
{
    dt_guid const *proved;

    (void)now;
    if (s->registry_asked || !dt_signon_trust_rule_names(s, DT_SOURCE_REGISTRY) ||
        !dt_evidence_proved_device(&s->scratch->evidence, &proved) || proved == NULL)
        return false;
    s->registry_asked = true;
    s->lookup_id = *proved;
    dt_signon_set_phase(s, DT_PHASE_REGISTRY_GET);
    return true;
}

/* What the list of trusted devices says of the proved one. */
static void use_registry(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_trusted_record record = {0};
    dt_evidence ev = {.source = DT_SOURCE_REGISTRY,
                      .finding = DT_FINDING_UNKNOWN,
                      .reason = DT_REASON_LOOKUP_UNAVAILABLE,
                      .device_id = s->lookup_id,
                      .observed = now};

    if (r->status == DT_STORE_NOT_FOUND) {
        ev.finding = DT_FINDING_AGAINST;
        ev.reason = DT_REASON_NOT_ENROLLED;
    } else if (r->status == DT_STORE_OK && dt_trusted_record_unpack(r->value, &record) == DT_OK &&
               dt_guid_equal(&record.device_id, &s->lookup_id)) {
        ev.finding = DT_FINDING_FOR;
        ev.reason = DT_REASON_NONE;
        memcpy(ev.device_name, record.name, sizeof(ev.device_name));
    } else if (r->status == DT_STORE_OK) {
        dt_signon_detail(s, "the list of trusted devices contains an unreadable record");
    }
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

static bool collect_intune(dt_signon *s, dt_time now)
{
    dt_guid const *id;

    if (dt_lookup_was_asked(s, DT_QUESTION_INTUNE))
        return false;
    if (dt_signon_entra_begin(s, now))
        return true;
    id = dt_evidence_device_id(&s->scratch->evidence, s->ruleset.config);
    if (id == NULL || !s->ruleset.config->intune.client_id[0] ||
        !dt_signon_lookup_matters(s, &s->scratch->evidence, DT_SOURCE_INTUNE, id, now))
        return false;
    s->lookup_id = *id;
    dt_lookup_begin(s, DT_QUESTION_INTUNE, now);
    return true;
}

/* --- the stage ----------------------------------------------------------------------------------- */

/* In this order: what a later one does may depend on what an earlier one has found, never the other way. */
static bool (*const collectors[DT_SIGNON_COLLECTORS])(dt_signon *s, dt_time now) = {
    dt_signon_host_begin, collect_managed_configuration,
    dt_signon_ssh_begin,  dt_signon_agent_begin,
    collect_registry,     dt_signon_vpn_begin,
    collect_intune,       dt_signon_device_begin,
};

/* A certificate that waits for its OCSP answer comes first, whichever collector has found it. */
void dt_signon_evidence_stage(dt_signon *s, dt_time now)
{
    if (s->ocsp_waits) {
        dt_lookup_begin(s, DT_QUESTION_OCSP, now);
        return;
    }
    for (; s->collector < DT_SIGNON_COLLECTORS; s->collector++) {
        if (collectors[s->collector](s, now) || s->outcome.cause != DT_CAUSE_NONE)
            return;
    }
    dt_signon_go(s, DT_STAGE_DECISION);
}

/* --- the phases ---------------------------------------------------------------------------------- */

static int render_managed(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)s;
    (void)value;
    (void)now;
    return DT_OK;
}

static int render_registry_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_trusted_store_key(&s->lookup_id, s->scratch->store.key);
    return DT_OK;
}

dt_phase_row const dt_row_managed = {
    .kind = DT_PHASE_IS_MANAGED,
    .part = DT_PART_EVIDENCE,
    .render = render_managed,
    .managed_done = managed_done,
};

dt_phase_row const dt_row_registry_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_registry_get,
    .store_done = use_registry,
};
