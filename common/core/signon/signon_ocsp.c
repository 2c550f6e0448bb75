/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device certificate about which an OCSP responder is still to be asked: all else about it is judged,
 * and its evidence waits here until there is an answer, kept or fetched, or it is known that there is
 * none. */
#include "core/signon/signon_internal.h"

#include <string.h>

static dt_ocsp_limits limits(dt_signon const *s)
{
    return dt_ocsp_limits_of(s->site.config);
}

void dt_signon_ocsp_wait(dt_signon *s, dt_evidence const *ev)
{
    s->ocsp_hint = false; /* the question is another one now */
    s->ocsp_evidence = *ev;
    memset(&s->ocsp_answer, 0, sizeof(s->ocsp_answer));
    s->ocsp_waits = true;
    s->ocsp_why[0] = '\0';
}

static void why(dt_signon *s, char const *text)
{
    dt_str_escape(s->ocsp_why, sizeof(s->ocsp_why), text);
}

/* Nothing usable came: what the certificate is by everything else. */
static void without_answer(dt_signon *s, dt_evidence *ev)
{
    dt_ocsp_question const *q = &s->ocsp;
    bool passes = q->otherwise == DT_REASON_TRUSTED;

    dt_signon_detail(s, "%s: OCSP: %s%s", dt_source_name(ev->source),
                     s->ocsp_why[0] ? s->ocsp_why : "no answer",
                     !passes        ? ""
                     : q->unchecked ? "; let pass by revocation = soft"
                                    : "; judged by the revocation list instead");
    if (!passes) {
        ev->finding = DT_FINDING_UNKNOWN;
        ev->reason = DT_REASON_LOOKUP_UNAVAILABLE;
        memset(ev->key_id, 0, sizeof(ev->key_id));
        return;
    }
    s->outcome.revocation = q->unchecked ? DT_REVOCATION_BY_NONE : DT_REVOCATION_BY_LIST;
}

static void with_answer(dt_signon *s, dt_ocsp_answer const *a, dt_evidence *ev)
{
    s->outcome.revocation =
        s->ocsp_from_cache ? DT_REVOCATION_BY_OCSP_CACHE : DT_REVOCATION_BY_OCSP;
    s->outcome.revocation_at = a->this_update;
    if (a->status == DT_OCSP_GOOD) {
        ev->observed = a->fetched;
        if (s->ocsp.above_unchecked)
            dt_signon_detail(s,
                             "%s: nothing says that a CA above it is not revoked; let pass by "
                             "revocation = soft",
                             dt_source_name(ev->source));
        return;
    }
    dt_signon_detail(s, "%s: was revoked by its CA, says its OCSP responder",
                     dt_source_name(ev->source));
    ev->finding = DT_FINDING_AGAINST;
    ev->assurance = DT_ASSERTED;
    ev->reason = DT_REASON_CERTIFICATE_REVOKED;
    memset(ev->key_id, 0, sizeof(ev->key_id));
}

/* The evidence is complete, and the sign-on goes on. */
static void conclude(dt_signon *s, dt_time now)
{
    dt_evidence ev = s->ocsp_evidence;
    dt_ocsp_answer const *a = &s->ocsp_answer;

    if (s->refresh_only) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    s->ocsp_waits = false;
    if (a->status == DT_OCSP_GOOD || a->status == DT_OCSP_REVOKED)
        with_answer(s, a, &ev);
    else
        without_answer(s, &ev);
    dt_signon_add_evidence(s, &ev);
    if (s->phase != DT_PHASE_DONE)
        dt_signon_evidence_stage(s, now);
}

/* --- from the cache --------------------------------------------------------------------------- */

static bool take_cached(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_ocsp_answer a;

    if (r->status != DT_STORE_OK || dt_ocsp_unpack(r->value, &a) < 0 ||
        !dt_ocsp_is_usable(&a, limits(s), now))
        return false;
    s->ocsp_answer = a;
    s->ocsp_from_cache = true;
    s->ocsp_hint = dt_ocsp_is_ageing(&a, limits(s), now);
    if (a.status == DT_OCSP_UNKNOWN)
        why(s, "the responder does not know the certificate");
    else if (a.status == DT_OCSP_NO_ANSWER)
        why(s, "the responder gave no usable answer a moment ago");
    return true;
}

static void got_cached(dt_signon *s, dt_store_result const *r, dt_time now)
{
    s->ocsp_from_cache = false;
    if (take_cached(s, r, now))
        conclude(s, now);
    else
        dt_signon_set_phase(s, DT_PHASE_OCSP_AWAY_GET);
}

static void got_failure(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status != DT_STORE_OK) {
        dt_signon_set_phase(s, DT_PHASE_OCSP_HTTP);
        return;
    }
    why(s, "the responder was away a moment ago");
    conclude(s, now);
}

/* An answer that could not be kept is still an answer. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    conclude(s, now);
}

/* --- from the responder ----------------------------------------------------------------------- */

/* True when asking once more is worth the time: not after it had all of its own. */
static bool may_retry(dt_signon const *s, dt_http_response const *r, dt_time now)
{
    return s->retries < DT_SIGNON_RETRIES_MAX && now < s->deadline &&
           r->failure != DT_HTTP_TIMEOUT && r->status == 0;
}

/* The sign-on's own time ran out. */
static bool was_cut_short(dt_signon const *s, dt_http_response const *r)
{
    return r->failure == DT_HTTP_TIMEOUT &&
           s->http.timeout < s->site.config->device_trust.ocsp_timeout;
}

/* It was not asked, or not for its full time, by something of ours: that tells nothing about the
 * responder, and no certificate passes by it, whatever `revocation` says. */
static void not_asked(dt_signon *s, dt_time now)
{
    s->ocsp.otherwise = DT_REASON_LOOKUP_UNAVAILABLE;
    conclude(s, now);
}

static void away(dt_signon *s, dt_http_response const *r, dt_time now)
{
    if (may_retry(s, r, now))
        dt_signon_retry(s, DT_PHASE_OCSP_HTTP, now);
    else if (was_cut_short(s, r))
        not_asked(s, now);
    else
        dt_signon_set_phase(s, DT_PHASE_OCSP_AWAY_PUT);
}

static void http_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_error e = {0};
    dt_ocsp_answer answer;

    switch (dt_ocsp_read(s->site.config, s->site.anchors, &s->ocsp, r, now, &answer, &e)) {
    case DT_OCSP_REPLY_ANSWER:
        s->ocsp_answer = answer;
        if (answer.status == DT_OCSP_UNKNOWN)
            why(s, "the responder does not know the certificate");
        dt_signon_set_phase(s, DT_PHASE_OCSP_PUT);
        return;
    case DT_OCSP_REPLY_AWAY:
        why(s, e.text);
        away(s, r, now);
        return;
    case DT_OCSP_REPLY_LOCAL:
        why(s, e.text);
        not_asked(s, now);
        return;
    case DT_OCSP_REPLY_UNUSABLE:
        break;
    }
    why(s, e.text);
    s->ocsp_answer = (dt_ocsp_answer){.fetched = now};
    dt_ocsp_keep(&s->ocsp_answer, limits(s));
    dt_signon_set_phase(s, DT_PHASE_OCSP_PUT);
}

/* --- a machine that only asks ----------------------------------------------------------------- */

dt_ocsp_question const *dt_signon_ocsp_question(dt_signon const *s)
{
    return s->ocsp_waits && s->phase == DT_PHASE_OCSP_HTTP ? &s->ocsp : NULL;
}

dt_ocsp_question const *dt_signon_ocsp_hint(dt_signon const *s)
{
    return s->ocsp_hint && s->ocsp.open ? &s->ocsp : NULL;
}

void dt_signon_begin_ocsp(dt_signon *s, dt_site const *site, dt_ocsp_question const *q, dt_time now)
{
    dt_evidence const none = {.source = DT_SOURCE_CERTIFICATE};

    dt_signon_start_refresh(s, site, site->config->device_trust.ocsp_timeout * 2, now);
    s->ocsp = *q;
    dt_signon_ocsp_wait(s, &none);
    dt_signon_set_phase(s, DT_PHASE_OCSP_HTTP);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    dt_ocsp_store_key(&s->ocsp, s->store.key);
    return DT_OK;
}

static int render_away_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return dt_ocsp_away_key(&s->ocsp, s->store.key);
}

static int render_request(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_ocsp_request(s->site.config, &s->ocsp, &s->http);
}

/* That there is no answer now takes the place of none that still holds. */
static dt_store_verb put_verb(dt_signon const *s)
{
    dt_ocsp_status status = s->ocsp_answer.status;

    return status == DT_OCSP_GOOD || status == DT_OCSP_REVOKED ? DT_STORE_PUT
                                                               : DT_STORE_PUT_IF_ABSENT;
}

static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    int rc = dt_ocsp_pack(&s->ocsp_answer, value);

    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, put_verb(s));
    dt_ocsp_store_key(&s->ocsp, s->store.key);
    return rc < 0 ? rc : dt_signon_store_value(s, value, s->ocsp_answer.until);
}

static int render_away_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_buf_puts(value, "away");
    return dt_ocsp_away_key(&s->ocsp, s->store.key) < 0
               ? DT_E_CRYPTO
               : dt_signon_store_value(s, value, now + DT_OCSP_FAILURE_KEPT);
}

static bool has_question(dt_signon const *s)
{
    return s->ocsp_waits && s->ocsp.open;
}

dt_phase_row const dt_row_ocsp_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_OCSP,
    .render = render_get,
    .store_done = got_cached,
    .has_fields = has_question,
};
dt_phase_row const dt_row_ocsp_away_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_OCSP,
    .render = render_away_get,
    .store_done = got_failure,
    .has_fields = has_question,
};
dt_phase_row const dt_row_ocsp_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_OCSP,
    .called = DT_CALLED_OCSP,
    .retried = true,
    .render = render_request,
    .http_done = http_done,
    .has_fields = has_question,
};
dt_phase_row const dt_row_ocsp_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_OCSP,
    .render = render_put,
    .store_done = put_done,
    .has_fields = has_question,
};
dt_phase_row const dt_row_ocsp_away_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_OCSP,
    .render = render_away_put,
    .store_done = put_done,
    .has_fields = has_question,
};
