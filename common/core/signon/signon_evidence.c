/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all files that collect evidence use: adding a piece, whether more is worth asking for, going on. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"

#include <string.h>

void dt_signon_add_evidence(dt_signon *s, dt_evidence const *e)
{
    if (dt_evidence_add(&s->scratch->evidence, e) < 0)
        dt_signon_fail(s, DT_CAUSE_INTERNAL, "too much evidence for one sign-on");
}

void dt_signon_note_key(dt_signon *s, dt_source source, char const *name)
{
    dt_key_presented one = {.source = source};

    dt_str_escape(one.name, sizeof(one.name), name);
    for (size_t i = 0; i < DT_KEYS_PRESENTED_MAX && one.name[0] != '\0'; i++) {
        dt_key_presented *k = &s->scratch->keys[i];

        if (k->name[0] == '\0')
            *k = one;
        if (k->source == source && strcmp(k->name, one.name) == 0)
            return;
    }
}

dt_freshness dt_signon_freshness(dt_signon const *s, dt_freshness f, dt_time fetched)
{
    return f == DT_FRESH && fetched < s->known_since ? DT_STALE : f;
}

void dt_signon_collect(dt_signon *s)
{
    if (s->outcome.cause == DT_CAUSE_NONE)
        dt_signon_go(s, DT_STAGE_EVIDENCE);
}

void dt_signon_evidence_ends(dt_signon *s)
{
    s->collector = DT_SIGNON_COLLECTORS;
    dt_signon_collect(s);
}

bool dt_signon_trust_rule_names(dt_signon const *s, unsigned source)
{
    dt_config const *c = s->ruleset.config;

    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++) {
        if (c->device_trust.trusted_when[i] & source)
            return true;
    }
    return false;
}

/* The verdict, had these look-ups given a good answer about the device. */
static bool would_trust(dt_signon const *s, dt_evidence_set const *set, unsigned sources,
                        dt_guid const *id, dt_time now, dt_verdict *out)
{
    static dt_source const asked[] = {DT_SOURCE_INTUNE, DT_SOURCE_OKTA_DEVICE};
    dt_evidence_set with = *set;
    dt_evidence ev = {.finding = DT_FINDING_FOR, .device_id = *id, .observed = now};

    for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
        if (s->ruleset.config->device_trust.platforms & bit) {
            ev.platform = (dt_platform)bit;
            break;
        }
    }
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        ev.source = asked[i];
        if ((sources & asked[i]) != 0 && dt_evidence_add(&with, &ev) < 0)
            return false;
    }
    dt_verdict_judge(&with, s->ruleset.config, now, out);
    return out->trust == DT_TRUST_TRUSTED;
}

/* If not, nobody asks: neither junk certificates nor strangers' claims cost a call. */
bool dt_signon_lookup_matters(dt_signon const *s, dt_evidence_set const *set, unsigned source,
                              dt_guid const *id, dt_time now)
{
    dt_verdict v;

    return (would_trust(s, set, source, id, now, &v) && (v.sources & source) != 0) ||
           (would_trust(s, set, DT_SOURCES_ASKED, id, now, &v) && (v.sources & source) != 0);
}

void dt_signon_intune_failed(dt_intune_answer a, dt_http_response const *r, dt_error const *e,
                             dt_lookup_reply *out)
{
    out->kind = DT_REPLY_FAILED;
    out->no_old = a == DT_INTUNE_LOCAL;
    out->why = *e;
    if (a == DT_INTUNE_RATE_LIMITED) {
        out->again = true;
        out->wait = dt_intune_rate_wait(r);
    } else {
        /* After a time-out it has had its time; the rest is the person's. */
        out->again = (a == DT_INTUNE_UNREACHABLE || a == DT_INTUNE_SERVER_ERROR) &&
                     r->failure != DT_HTTP_TIMEOUT;
    }
}
