/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The look-up machine: see lookup.h. It has five phases, which all questions share, and knows questions by
 * their rows alone. */
#include "core/signon/lookup.h"
#include "core/signon/signon_internal.h"

static dt_question_row const *row_of(dt_signon const *s)
{
    return dt_question_row_of(s->lookup.question);
}

/* --- what is known of a question ----------------------------------------------------------------- */

bool dt_lookup_was_asked(dt_signon const *s, dt_question q)
{
    return (s->lookup.asked & DT_QUESTION_BIT(q)) != 0;
}

bool dt_lookup_has_stale(dt_signon const *s, dt_question q)
{
    return (s->lookup.stale & DT_QUESTION_BIT(q)) != 0;
}

void dt_lookup_forget_stale(dt_signon *s, dt_question q)
{
    s->lookup.stale &= (uint16_t)~DT_QUESTION_BIT(q);
}

bool dt_lookup_is_ageing(dt_signon const *s, dt_question q)
{
    return (s->lookup.ageing & DT_QUESTION_BIT(q)) != 0;
}

dt_lookup_kept dt_lookup_take_kept(dt_signon *s)
{
    dt_lookup_kept kept = {.question = DT_QUESTION_NONE};

    if (s->scratch != NULL) {
        kept = s->scratch->kept;
        s->scratch->kept.question = DT_QUESTION_NONE;
    }
    return kept;
}

static void note_age(dt_signon *s, bool ageing)
{
    unsigned bit = DT_QUESTION_BIT(s->lookup.question);

    s->lookup.ageing = (s->lookup.ageing & ~bit) | (ageing ? bit : 0);
}

/* --- its beginning and its end ------------------------------------------------------------------- */

void dt_lookup_end_with(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    dt_question q = s->lookup.question, outer = s->lookup.outer;

    if (e == DT_LOOKUP_STALE)
        note_age(s, true);
    s->lookup.question = outer;
    s->lookup.outer = DT_QUESTION_NONE;
    s->lookup.part = s->lookup.pages = 0;
    if (outer != DT_QUESTION_NONE)
        dt_question_row_of(outer)->resume(s, q, e, why, now);
    else if (s->refresh_only) /* it was for the cache */
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
    else
        dt_question_row_of(q)->answered(s, e, why, now);
}

void dt_lookup_end_without(dt_signon *s, dt_lookup_reply const *why, dt_time now)
{
    bool stale = dt_lookup_has_stale(s, s->lookup.question);

    dt_lookup_end_with(s, stale ? DT_LOOKUP_STALE : DT_LOOKUP_NONE, why, now);
}

static void ask(dt_signon *s, dt_time now)
{
    dt_question_row const *row = row_of(s);

    if (row->may_ask != NULL && !row->may_ask(s)) {
        dt_lookup_end_without(s, NULL, now);
        return;
    }
    s->lookup.part = s->lookup.pages = 0;
    s->scratch->next_url[0] = '\0';
    s->retries = 0; /* also where the request before was another question's */
    dt_signon_set_phase(s, DT_PHASE_LOOKUP_HTTP);
}

void dt_lookup_go(dt_signon *s, dt_lookup_step step, dt_time now)
{
    switch (step) {
    case DT_LOOKUP_GET:
        dt_signon_set_phase(s, DT_PHASE_LOOKUP_GET);
        break;
    case DT_LOOKUP_ASK:
        ask(s, now);
        break;
    case DT_LOOKUP_KEEP:
        dt_signon_set_phase(s, DT_PHASE_LOOKUP_PUT);
        break;
    }
}

static void begin(dt_signon *s, dt_question q, dt_lookup_step step, dt_time now)
{
    s->lookup.question = q;
    s->lookup.asked |= DT_QUESTION_BIT(q);
    if (step == DT_LOOKUP_GET)
        note_age(s, false);
    dt_lookup_want(s, step, now);
}

/* The present question waits for this one. */
static void begin_inner(dt_signon *s, dt_question q, dt_lookup_step step, dt_time now)
{
    if (s->lookup.outer != DT_QUESTION_NONE || (row_of(s)->inner & DT_QUESTION_BIT(q)) == 0) {
        dt_signon_fail(s, DT_CAUSE_INTERNAL, "a question cannot wait for that other one");
        return;
    }
    s->lookup.outer = s->lookup.question;
    begin(s, q, step, now);
}

void dt_lookup_want(dt_signon *s, dt_lookup_step step, dt_time now)
{
    dt_question_row const *row = row_of(s);
    dt_lookup_step with = DT_LOOKUP_GET;
    dt_question first = row->needs != NULL ? row->needs(s, step, &with) : DT_QUESTION_NONE;

    if (first != DT_QUESTION_NONE)
        begin_inner(s, first, with, now);
    else
        dt_lookup_go(s, step, now);
}

void dt_lookup_begin(dt_signon *s, dt_question q, dt_time now)
{
    s->lookup.outer = DT_QUESTION_NONE;
    begin(s, q, DT_LOOKUP_GET, now);
}

void dt_lookup_refresh(dt_signon *s, dt_question q, dt_time now)
{
    s->lookup.outer = DT_QUESTION_NONE;
    begin(s, q, DT_LOOKUP_ASK, now);
}

/* --- the kept answer ------------------------------------------------------------------------------ */

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_question_row const *row = row_of(s);

    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return row->key != NULL ? row->key(s) : DT_E_STATE;
}

static void kept_got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_question_row const *row = row_of(s);
    dt_freshness f = DT_TOO_OLD;

    dt_lookup_forget_stale(s, s->lookup.question);
    if (r->status == DT_STORE_OK)
        f = row->unpack(s, r->value, now);
    s->scratch->kept = (dt_lookup_kept){.question = s->lookup.question, .freshness = f};
    if (f == DT_FRESH) {
        note_age(s, row->is_ageing != NULL && row->is_ageing(s, now));
        dt_lookup_end_with(s, DT_LOOKUP_FRESH, NULL, now);
        return;
    }
    if (f == DT_STALE)
        s->lookup.stale |= DT_QUESTION_BIT(s->lookup.question);
    if (row->failure_key != NULL)
        dt_signon_set_phase(s, DT_PHASE_LOOKUP_FAILURE_GET);
    else
        dt_lookup_want(s, DT_LOOKUP_ASK, now);
}

static int render_failure_get(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_question_row const *row = row_of(s);

    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return row->failure_key != NULL ? row->failure_key(s) : DT_E_STATE;
}

static void failure_got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_lookup_reply const failed = {.kept_failure = true};

    if (r->status == DT_STORE_OK)
        dt_lookup_end_without(s, &failed, now);
    else
        dt_lookup_want(s, DT_LOOKUP_ASK, now);
}

/* --- the service ---------------------------------------------------------------------------------- */

static int render_request(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_question_row const *row = row_of(s);

    (void)value;
    (void)now;
    return row->request != NULL ? row->request(s) : DT_E_STATE;
}

/* Not while a kept answer would do, for this question or the one that waits for it. */
static bool may_ask_again(dt_signon const *s, dt_lookup_reply const *reply, dt_time now)
{
    return reply->again && s->retries < DT_SIGNON_RETRIES_MAX &&
           !dt_lookup_has_stale(s, s->lookup.question) &&
           !dt_lookup_has_stale(s, s->lookup.outer) && now + reply->wait < s->deadline;
}

static void failed(dt_signon *s, dt_lookup_reply const *reply, dt_time now)
{
    dt_question_row const *row = row_of(s);

    if (reply->no_old) {
        dt_lookup_forget_stale(s, s->lookup.question);
        dt_lookup_forget_stale(s, s->lookup.outer);
    }
    if (may_ask_again(s, reply, now)) {
        dt_signon_retry(s, DT_PHASE_LOOKUP_HTTP, reply->wait, now);
        return;
    }
    if (reply->why.text[0] != '\0')
        dt_signon_detail(s, "%s: %s", row->service, reply->why.text);
    if (reply->keep_failure && row->failure_key != NULL)
        dt_signon_set_phase(s, DT_PHASE_LOOKUP_FAILURE_PUT);
    else
        dt_lookup_end_without(s, reply, now);
}

/* Enters the same phase again for the next page. A list with more pages than may be read gives no answer,
 * because nobody knows what is on the pages left out. */
static void page_read(dt_signon *s, dt_lookup_reply *reply, dt_time now)
{
    dt_question_row const *row = row_of(s);

    if (++s->lookup.pages < row->pages &&
        dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), reply->next) == DT_OK)
        return;
    s->scratch->next_url[0] = '\0';
    reply->endless = true;
    if (row->endless != NULL)
        (void)dt_error_set(&reply->why, DT_E_LIMIT, "%s", row->endless);
    failed(s, reply, now);
}

static void part_read(dt_signon *s)
{
    s->lookup.part++;
    s->lookup.pages = 0;
    s->scratch->next_url[0] = '\0';
    s->retries = 0;
}

static void reply_came(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_lookup_reply reply = {.next = ""};

    row_of(s)->read(s, r, now, &reply);
    if (r->failure == DT_HTTP_PAUSED ||
        dt_http_was_long(r)) /* nor would it be asked a moment later */
        reply.again = false;
    switch (reply.kind) {
    case DT_REPLY_ANSWER:
        if (reply.next[0] != '\0')
            page_read(s, &reply, now);
        else if (reply.unkept)
            dt_lookup_end_with(s, DT_LOOKUP_FRESH, NULL, now);
        else
            dt_lookup_want(s, DT_LOOKUP_KEEP, now);
        break;
    case DT_REPLY_PART:
        part_read(s);
        break;
    case DT_REPLY_INNER:
        begin_inner(s, reply.inner, reply.inner_step, now);
        break;
    case DT_REPLY_FAILED:
        failed(s, &reply, now);
        break;
    }
}

/* --- keeping ------------------------------------------------------------------------------------- */

static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_question_row const *row = row_of(s);
    dt_time expires = 0;
    int rc = row->key != NULL ? DT_OK : DT_E_STATE;

    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    if (rc == DT_OK)
        rc = row->key(s);
    if (rc == DT_OK)
        rc = row->pack(s, value, now, &expires);
    return rc < 0 ? rc : dt_signon_store_value(s, value, expires);
}

/* An answer that could not be kept is still an answer. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    dt_lookup_end_with(s, DT_LOOKUP_FRESH, NULL, now);
}

static int render_failure_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_question_row const *row = row_of(s);
    int rc = row->failure_key != NULL ? DT_OK : DT_E_STATE;

    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_buf_puts(value, "failed");
    if (rc == DT_OK)
        rc = row->failure_key(s);
    return rc < 0 ? rc : dt_signon_store_value(s, value, now + row->failure_kept);
}

static void failure_put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    dt_lookup_end_without(s, NULL, now);
}

/* --- saved machines ------------------------------------------------------------------------------- */

/* With an outer question it is asked in the part that this belongs to. */
dt_phase_part dt_signon_part(dt_signon const *s)
{
    dt_lookup const *l = &s->lookup;
    dt_phase_part part = dt_phase_row_of(dt_signon_phase(s))->part;

    if (part != DT_PART_LOOKUP)
        return part;
    return dt_question_row_of(l->outer != DT_QUESTION_NONE ? l->outer : l->question)->part;
}

dt_called dt_signon_called(dt_signon const *s)
{
    return s->phase == DT_PHASE_LOOKUP_HTTP ? row_of(s)->called : dt_phase_row_of(s->phase)->called;
}

bool dt_lookup_is_consistent(dt_signon const *s)
{
    dt_lookup const *l = &s->lookup;
    dt_question_row const *row = row_of(s), *outer = dt_question_row_of(l->outer);

    if (dt_phase_row_of(dt_signon_phase(s))->part != DT_PART_LOOKUP)
        return l->question == DT_QUESTION_NONE && l->outer == DT_QUESTION_NONE;
    if (l->question == DT_QUESTION_NONE || l->pages > row->pages)
        return false;
    return l->outer != DT_QUESTION_NONE ? (outer->inner & DT_QUESTION_BIT(l->question)) != 0
                                        : !row->only_inner;
}

static bool is_valid_for(dt_signon const *s, dt_lookup_step step)
{
    dt_question_row const *row = row_of(s);

    return row->has_fields == NULL || row->has_fields(s, step);
}

static bool may_get(dt_signon const *s)
{
    return is_valid_for(s, DT_LOOKUP_GET);
}

static bool may_ask(dt_signon const *s)
{
    return is_valid_for(s, DT_LOOKUP_ASK);
}

static bool may_keep(dt_signon const *s)
{
    return is_valid_for(s, DT_LOOKUP_KEEP);
}

static bool may_fail(dt_signon const *s)
{
    return row_of(s)->failure_key != NULL && is_valid_for(s, DT_LOOKUP_GET);
}

/* --- the phases ----------------------------------------------------------------------------------- */

dt_phase_row const dt_row_lookup_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_LOOKUP,
    .render = render_get,
    .store_done = kept_got,
    .has_fields = may_get,
};
dt_phase_row const dt_row_lookup_failure_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_LOOKUP,
    .render = render_failure_get,
    .store_done = failure_got,
    .has_fields = may_fail,
};
/* Who it is that is called, the question's row says. Nothing is changed by being asked twice. */
dt_phase_row const dt_row_lookup_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_LOOKUP,
    .retried = true,
    .repeatable = true,
    .render = render_request,
    .http_done = reply_came,
    .has_fields = may_ask,
};
dt_phase_row const dt_row_lookup_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_LOOKUP,
    .render = render_put,
    .store_done = put_done,
    .has_fields = may_keep,
};
dt_phase_row const dt_row_lookup_failure_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_LOOKUP,
    .render = render_failure_put,
    .store_done = failure_put_done,
    .has_fields = may_fail,
};
