/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device as Intune knows it: the kept answer, what Graph says, and what comes of it. The other service
 * that can be asked is signon_compliance.c's. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* --- the answer --------------------------------------------------------------------------------- */

static bool is_somebody_elses(dt_signon const *s)
{
    return s->site.config->device_trust.require_owner && s->intune.enrolled &&
           !dt_intune_is_owner(&s->intune, s->who.login);
}

static void use_intune(dt_signon *s, dt_time now, bool stale)
{
    dt_evidence ev;

    if (dt_signon_entra_resolve(s))
        dt_intune_evidence(&s->intune, s->site.config, now, stale, &ev);
    else
        dt_intune_evidence_unavailable(&s->lookup_id, now, &ev);
    if (ev.finding == DT_FINDING_FOR && is_somebody_elses(s)) {
        ev.finding = DT_FINDING_AGAINST;
        ev.reason = DT_REASON_NOT_OWNER;
        dt_signon_detail(s, "Intune: the device's user is %s",
                         s->intune.user[0] ? s->intune.user : "nobody");
    }
    s->outcome.stale = s->outcome.stale || stale;
    s->refresh_hint =
        stale || (now - s->intune.fetched) * 100 >=
                     s->site.config->device_trust.cache_ttl * DT_SIGNON_REFRESH_AT_PERCENT;
    dt_signon_add_evidence(s, &ev);
    if (s->phase != DT_PHASE_DONE)
        dt_signon_device_begin(s, now);
}

void dt_signon_intune_unavailable(dt_signon *s, dt_error const *e, dt_time now)
{
    dt_evidence ev;

    if (e != NULL)
        dt_signon_detail(s, "Intune: %s", e->text);
    if (s->refresh_only) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    if (s->intune_cached) {
        use_intune(s, now, true);
        return;
    }
    dt_intune_evidence_unavailable(&s->lookup_id, now, &ev);
    dt_signon_add_evidence(s, &ev);
    if (s->phase != DT_PHASE_DONE)
        dt_signon_device_begin(s, now);
}

void dt_signon_lookup_failed(dt_signon *s, dt_intune_answer a, dt_http_response const *r,
                             dt_error const *e, dt_time now)
{
    dt_time wait = 0;

    if (a == DT_INTUNE_LOCAL)
        s->intune_cached = false; /* no old answer counts because of a failure of ours */
    if (a == DT_INTUNE_RATE_LIMITED)
        wait = dt_intune_rate_wait(r);
    else if ((a != DT_INTUNE_UNREACHABLE && a != DT_INTUNE_SERVER_ERROR) ||
             r->failure == DT_HTTP_TIMEOUT) /* it has had its time; the rest is the person's */
        s->retries = DT_SIGNON_RETRIES_MAX;
    if (s->retries < DT_SIGNON_RETRIES_MAX && !s->intune_cached && now + wait < s->deadline) {
        dt_signon_retry(s, s->phase, now + wait);
        return;
    }
    dt_signon_intune_unavailable(s, e, now);
}

/* --- the cache ---------------------------------------------------------------------------------- */

static void got_cached(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;

    if (r->status == DT_STORE_OK && dt_intune_unpack(r->value, &s->intune) == DT_OK &&
        dt_guid_equal(&s->intune.device_id, &s->lookup_id) && dt_signon_entra_fits(s))
        f = dt_intune_freshness(&s->intune, s->site.config, now);
    /* A device that changed hands a moment ago: for this person the answer is a negative one. */
    if (f == DT_FRESH && is_somebody_elses(s) &&
        now - s->intune.fetched >= s->site.config->device_trust.negative_ttl)
        f = DT_STALE;
    if (f == DT_FRESH) {
        use_intune(s, now, false);
        return;
    }
    s->intune_cached = f == DT_STALE;
    if (dt_intune_name_is_set(&s->lookup_name))
        dt_signon_set_phase(s, DT_PHASE_ENTRA_HTTP);
    else
        dt_signon_intune_ask(s);
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

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    dt_intune_store_key(&s->lookup_id, s->scratch->store.key);
    return DT_OK;
}

/* Anybody can name devices that there are not: such answers are kept for a short time only. */
static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_config const *c = s->site.config;
    bool made_up = !s->intune.enrolled && !s->refresh_only && !is_proved(s, &s->lookup_id);
    int rc = dt_intune_pack(&s->intune, value);

    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_intune_store_key(&s->lookup_id, s->scratch->store.key);
    return rc < 0
               ? rc
               : dt_signon_store_value(s, value,
                                       s->intune.fetched + (made_up ? c->device_trust.negative_ttl
                                                                    : c->device_trust.stale_limit));
}

/* An answer that could not be kept is still an answer. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    if (s->refresh_only)
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
    else
        use_intune(s, now, false);
}

/* --- Graph -------------------------------------------------------------------------------------- */

static int render_request(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_intune_get_device(s->site.config, &s->lookup_id, &s->scratch->http);
}

static void http_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_intune_device device;
    dt_error err = {0};
    dt_intune_answer a = dt_intune_read_device(r, &s->lookup_id, now, &device, &err);

    if (a == DT_INTUNE_OK || a == DT_INTUNE_NOT_ENROLLED) {
        s->intune = device;
        s->intune.device_id =
            s->lookup_id; /* the reader has checked that it is the one asked for */
        dt_signon_set_phase(s, DT_PHASE_INTUNE_PUT);
        return;
    }
    dt_signon_lookup_failed(s, a, r, &err, now);
}

/* --- the phases --------------------------------------------------------------------------------- */

dt_phase_row const dt_row_intune_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_get,
    .store_done = got_cached,
};
dt_phase_row const dt_row_intune_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .retried = true,
    .render = render_request,
    .http_done = http_done,
};
dt_phase_row const dt_row_intune_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_put,
    .store_done = put_done,
};
