/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device certificate about which an OCSP responder is still to be asked: all else about it is judged,
 * and its evidence waits here until there is an answer, kept or fetched, or it is known that there is
 * none. */
#include "core/signon/signon_internal.h"

#include <string.h>

static dt_ocsp_limits limits(dt_signon const *s)
{
    return dt_ocsp_limits_of(s->ruleset.config);
}

void dt_signon_ocsp_wait(dt_signon *s, dt_evidence const *ev)
{
    s->ocsp_from_cache = false;
    s->scratch->ocsp_evidence = *ev;
    memset(&s->ocsp_answer, 0, sizeof(s->ocsp_answer));
    s->ocsp_waits = true;
    s->scratch->ocsp_detail[0] = '\0';
    s->lookup.ageing &= ~DT_QUESTION_BIT(DT_QUESTION_OCSP); /* of another certificate's answer */
}

static void set_detail(dt_signon *s, char const *text)
{
    dt_str_escape(s->scratch->ocsp_detail, sizeof(s->scratch->ocsp_detail), text);
}

/* Nothing usable came: what the certificate is by everything else. */
static void without_answer(dt_signon *s, dt_evidence *ev)
{
    dt_ocsp_question const *q = &s->scratch->ocsp;
    bool passes = q->otherwise == DT_REASON_TRUSTED;

    dt_signon_detail(s, "%s: OCSP: %s%s", dt_source_name(ev->source),
                     s->scratch->ocsp_detail[0] ? s->scratch->ocsp_detail : "no answer",
                     !passes        ? ""
                     : q->unchecked ? "; accepted because of revocation = soft"
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
        if (s->scratch->ocsp.above_unchecked)
            dt_signon_detail(s,
                             "%s: it is unknown whether a CA above it is revoked; accepted because "
                             "of revocation = soft",
                             dt_source_name(ev->source));
        return;
    }
    dt_signon_detail(s, "%s: was revoked by its CA, according to its OCSP responder",
                     dt_source_name(ev->source));
    ev->finding = DT_FINDING_AGAINST;
    ev->assurance = DT_ASSERTED;
    ev->reason = DT_REASON_CERTIFICATE_REVOKED;
    memset(ev->key_id, 0, sizeof(ev->key_id));
}

/* The evidence is complete, and the sign-on goes on. A responder that was not asked, or not for its full time, by
 * something of ours says nothing about itself: no certificate passes by that, whatever `revocation` says. */
static void answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *failed, dt_time now)
{
    dt_evidence ev = s->scratch->ocsp_evidence;
    dt_ocsp_answer const *a = &s->ocsp_answer;

    (void)now;
    s->ocsp_waits = false;
    if (failed != NULL && failed->no_old)
        s->scratch->ocsp.otherwise = DT_REASON_LOOKUP_UNAVAILABLE;
    if (failed != NULL && failed->kept_failure)
        set_detail(s, "the responder was unreachable a short time ago");
    if (e == DT_LOOKUP_FRESH && (a->status == DT_OCSP_GOOD || a->status == DT_OCSP_REVOKED))
        with_answer(s, a, &ev);
    else
        without_answer(s, &ev);
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

/* --- the kept answer -------------------------------------------------------------------------- */

static int key(dt_signon *s)
{
    dt_ocsp_store_key(&s->scratch->ocsp, s->scratch->store.key);
    return DT_OK;
}

static int failure_key(dt_signon *s)
{
    return dt_ocsp_failure_key(&s->scratch->ocsp, s->scratch->store.key);
}

/* One that says nothing is used, too, for the short time that it is kept. */
static dt_freshness unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_ocsp_answer a;

    if (dt_ocsp_unpack(kept, &a) < 0 || !dt_ocsp_is_usable(&a, limits(s), now))
        return DT_TOO_OLD;
    s->ocsp_answer = a;
    s->ocsp_from_cache = true;
    if (a.status == DT_OCSP_UNKNOWN)
        set_detail(s, "the responder does not know the certificate");
    else if (a.status == DT_OCSP_NO_ANSWER)
        set_detail(s, "the responder gave no usable answer a short time ago");
    return DT_FRESH;
}

static bool is_ageing(dt_signon const *s, dt_time now)
{
    return dt_ocsp_is_ageing(&s->ocsp_answer, limits(s), now);
}

/* That there is no answer now takes the place of none that still holds. */
static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    dt_ocsp_status status = s->ocsp_answer.status;

    (void)now;
    if (status != DT_OCSP_GOOD && status != DT_OCSP_REVOKED)
        s->scratch->store.verb = DT_STORE_PUT_IF_ABSENT;
    *expires = s->ocsp_answer.until;
    return dt_ocsp_pack(&s->ocsp_answer, out);
}

/* --- the responder ---------------------------------------------------------------------------- */

static int request(dt_signon *s)
{
    return dt_ocsp_request(s->ruleset.config, &s->scratch->ocsp, &s->scratch->http);
}

/* The sign-on's own time ran out. */
static bool was_cut_short(dt_signon const *s, dt_http_response const *r)
{
    return r->failure == DT_HTTP_TIMEOUT &&
           s->asked_for < s->ruleset.config->device_trust.ocsp_timeout;
}

/* Asking once more is not worth the time after it had all of its own. */
static void responder_unreachable(dt_signon const *s, dt_http_response const *r,
                                  dt_lookup_reply *out)
{
    out->again = r->failure != DT_HTTP_TIMEOUT && r->status == 0;
    out->no_old = was_cut_short(s, r);
    out->keep_failure = !out->no_old;
}

static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_error e = {0};
    dt_ocsp_answer answer;
    dt_ocsp_reply came =
        dt_ocsp_read(s->ruleset.config, s->ruleset.anchors, &s->scratch->ocsp, r, now, &answer, &e);

    out->kind = DT_REPLY_ANSWER;
    if (came != DT_OCSP_REPLY_ANSWER)
        set_detail(s, e.text);
    switch (came) {
    case DT_OCSP_REPLY_ANSWER:
        s->ocsp_answer = answer;
        if (answer.status == DT_OCSP_UNKNOWN)
            set_detail(s, "the responder does not know the certificate");
        break;
    case DT_OCSP_REPLY_UNREACHABLE:
        out->kind = DT_REPLY_FAILED;
        responder_unreachable(s, r, out);
        break;
    case DT_OCSP_REPLY_LOCAL:
        out->kind = DT_REPLY_FAILED;
        out->no_old = true;
        break;
    case DT_OCSP_REPLY_UNUSABLE:
        s->ocsp_answer = (dt_ocsp_answer){.fetched = now};
        dt_ocsp_keep(&s->ocsp_answer, limits(s));
        break;
    }
}

/* --- a machine that only asks ----------------------------------------------------------------- */

dt_ocsp_question const *dt_signon_ocsp_question(dt_signon const *s)
{
    bool asks = s->phase == DT_PHASE_LOOKUP_HTTP && s->lookup.question == DT_QUESTION_OCSP;

    return s->scratch != NULL && s->ocsp_waits && asks ? &s->scratch->ocsp : NULL;
}

dt_ocsp_question const *dt_signon_ocsp_hint(dt_signon const *s)
{
    return s->scratch != NULL && dt_lookup_is_ageing(s, DT_QUESTION_OCSP) && s->scratch->ocsp.open
               ? &s->scratch->ocsp
               : NULL;
}

void dt_signon_begin_ocsp(dt_signon *s, dt_ruleset const *ruleset, dt_ocsp_question const *q,
                          dt_time now)
{
    dt_evidence const none = {.source = DT_SOURCE_CERTIFICATE};

    if (!dt_signon_start_refresh(s, ruleset, ruleset->config->device_trust.ocsp_timeout * 2, now))
        return;
    s->scratch->ocsp = *q;
    dt_signon_ocsp_wait(s, &none);
    dt_lookup_refresh(s, DT_QUESTION_OCSP, now);
}

/* --- the question ----------------------------------------------------------------------------- */

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    (void)step;
    return s->ocsp_waits && s->scratch->ocsp.open;
}

dt_question_row const dt_question_ocsp = {
    .service = "OCSP",
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_OCSP,
    .key = key,
    .unpack = unpack,
    .is_ageing = is_ageing,
    .failure_key = failure_key,
    .failure_kept = DT_OCSP_FAILURE_KEPT,
    .request = request,
    .read = read_reply,
    .pack = pack,
    .answered = answered,
    .has_fields = has_fields,
};
