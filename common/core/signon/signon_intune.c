/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as Intune knows it: the kept answer, what Graph or the Compliance Retrieval service says, and what
 * comes of it. Which device it is may have to be found first, by a name that it has (signon_entra.c), and where
 * the service is (signon_compliance.c). */
#include "core/signon/signon_internal.h"

#include <string.h>

static bool by_compliance(dt_signon const *s)
{
    return s->ruleset.config->intune.service == DT_INTUNE_BY_COMPLIANCE;
}

static bool by_name(dt_signon const *s)
{
    return dt_intune_name_is_set(&s->lookup_name);
}

/* --- the answer --------------------------------------------------------------------------------- */

static bool belongs_to_other(dt_signon const *s)
{
    return s->ruleset.config->device_trust.require_owner && s->intune.enrolled &&
           !dt_intune_is_owner(&s->intune, s->who.login);
}

static void use_intune(dt_signon *s, dt_time now, bool stale)
{
    dt_evidence ev;

    if (dt_signon_entra_resolve(s))
        dt_intune_evidence(&s->intune, s->ruleset.config, now, stale, &ev);
    else
        dt_intune_evidence_unavailable(&s->lookup_id, now, &ev);
    if (ev.finding == DT_FINDING_FOR && belongs_to_other(s)) {
        ev.finding = DT_FINDING_AGAINST;
        ev.reason = DT_REASON_NOT_OWNER;
        dt_signon_detail(s, "Intune: the device's user is %s",
                         s->intune.user[0] ? s->intune.user : "nobody");
    }
    s->outcome.stale = s->outcome.stale || stale;
    dt_signon_add_evidence(s, &ev);
}

/* No answer is UNKNOWN and never NOT_TRUSTED. */
static void answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *failed, dt_time now)
{
    dt_evidence ev;

    (void)failed;
    if (e == DT_LOOKUP_NONE) {
        dt_intune_evidence_unavailable(&s->lookup_id, now, &ev);
        dt_signon_add_evidence(s, &ev);
    } else if (!dt_guid_is_set(&s->lookup_id)) { /* no device has the name, or several do */
        dt_signon_entra_refuse(s, now);
        dt_signon_evidence_ends(s);
        return;
    } else {
        use_intune(s, now, e == DT_LOOKUP_STALE);
    }
    dt_signon_collect(s);
}

/* --- the kept answer ---------------------------------------------------------------------------- */

static int key(dt_signon *s)
{
    dt_intune_store_key(&s->lookup_id, s->scratch->store.key);
    return DT_OK;
}

static dt_freshness unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;

    if (dt_intune_unpack(kept, &s->intune) == DT_OK &&
        dt_guid_equal(&s->intune.device_id, &s->lookup_id) && dt_signon_entra_fits(s))
        f = dt_intune_freshness(&s->intune, s->ruleset.config, now);
    /* A device that changed hands a moment ago: for this person the answer is a negative one. */
    if (f == DT_FRESH && belongs_to_other(s) &&
        now - s->intune.fetched >= s->ruleset.config->device_trust.negative_ttl)
        f = DT_STALE;
    return dt_signon_freshness(s, f, s->intune.fetched);
}

static bool is_ageing(dt_signon const *s, dt_time now)
{
    return (now - s->intune.fetched) * 100 >=
           s->ruleset.config->device_trust.cache_ttl * DT_SIGNON_REFRESH_AT_PERCENT;
}

static bool is_proved(dt_signon const *s, dt_guid const *device)
{
    for (size_t i = 0; i < s->scratch->evidence.count; i++) {
        dt_evidence const *e = &s->scratch->evidence.items[i];

        if (e->assurance == DT_PROVED && dt_guid_equal(&e->device_id, device))
            return true;
    }
    return false;
}

/* Anybody can name devices that there are not: such answers are kept for a short time only. */
static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    dt_config const *c = s->ruleset.config;
    bool made_up = !s->intune.enrolled && !s->refresh_only && !is_proved(s, &s->lookup_id);

    (void)now;
    *expires =
        s->intune.fetched + (made_up ? c->device_trust.negative_ttl : c->device_trust.stale_limit);
    return dt_intune_pack(&s->intune, out);
}

/* --- what it needs ------------------------------------------------------------------------------ */

/* A device that goes by a name is always asked for by the name, so that it has it still. */
static dt_question needs(dt_signon *s, dt_lookup_step step, dt_lookup_step *with)
{
    if (by_name(s) && step == DT_LOOKUP_GET && !dt_guid_is_set(&s->lookup_id))
        return DT_QUESTION_DEVICE_NAME;
    if (by_name(s) && step == DT_LOOKUP_ASK) {
        *with = DT_LOOKUP_ASK;
        return DT_QUESTION_DEVICE_NAME;
    }
    return step == DT_LOOKUP_ASK && by_compliance(s) ? DT_QUESTION_SERVICE : DT_QUESTION_NONE;
}

/* Of the one device with the name Graph returned everything; the index keeps its id alone. */
static void name_known(dt_signon *s, dt_time now)
{
    if (s->lookup_found == 1)
        dt_lookup_go(s, DT_LOOKUP_KEEP, now);
    else if (dt_guid_is_set(&s->lookup_id))
        dt_lookup_go(s, DT_LOOKUP_GET, now);
    else
        dt_lookup_end_with(s, DT_LOOKUP_FRESH, NULL, now);
}

static void resume(dt_signon *s, dt_question inner, dt_lookup_end e, dt_lookup_reply const *failed,
                   dt_time now)
{
    if (e == DT_LOOKUP_NONE)
        dt_lookup_end_without(s, failed, now);
    else if (inner == DT_QUESTION_DEVICE_NAME)
        name_known(s, now);
    else if (e == DT_LOOKUP_FRESH && dt_signon_compliance_is_doubted(s))
        dt_lookup_end_without(s, NULL, now); /* it has been asked there, in vain */
    else
        dt_lookup_go(s, DT_LOOKUP_ASK, now);
}

/* --- the service -------------------------------------------------------------------------------- */

static int request(dt_signon *s)
{
    return by_compliance(s)
               ? dt_compliance_get_device(s->ruleset.config, &s->scratch->service, &s->lookup_id,
                                          &s->scratch->http)
               : dt_intune_get_device(s->ruleset.config, &s->lookup_id, &s->scratch->http);
}

static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_intune_device device;
    dt_error e = {0};
    dt_intune_answer a = by_compliance(s)
                             ? dt_compliance_read_device(r, &s->lookup_id, now, &device, &e)
                             : dt_intune_read_device(r, &s->lookup_id, now, &device, &e);

    if (a == DT_INTUNE_OK || a == DT_INTUNE_NOT_ENROLLED) {
        s->intune = device;
        s->intune.device_id = s->lookup_id; /* the readers have checked that it is about that one */
        out->kind = DT_REPLY_ANSWER;
    } else if (!by_compliance(s) || !dt_signon_compliance_doubt(s, a, r, &e, now, out)) {
        dt_signon_intune_failed(a, r, &e, out);
    }
}

/* --- the question ------------------------------------------------------------------------------- */

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    if (!dt_guid_is_set(&s->lookup_id))
        return false;
    return step != DT_LOOKUP_ASK || !by_compliance(s) || dt_signon_compliance_has_address(s);
}

dt_question_row const dt_question_intune = {
    .service = "Intune",
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .inner = DT_QUESTION_BIT(DT_QUESTION_DEVICE_NAME) | DT_QUESTION_BIT(DT_QUESTION_SERVICE),
    .needs = needs,
    .resume = resume,
    .key = key,
    .unpack = unpack,
    .is_ageing = is_ageing,
    .request = request,
    .read = read_reply,
    .pack = pack,
    .answered = answered,
    .has_fields = has_fields,
};
