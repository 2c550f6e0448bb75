/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MFA conversation: chooses a factor by what is enrolled, allowed and possible at this door, begins it, and
 * hands it what comes in. Each factor is a row (conversation.h). */
#include "core/signon/conversation.h"

#include "core/signon/signon_internal.h"

#include <string.h>

static dt_factor const *const rows[] = {
#define X(NAME, bit, type, provider, app, row) &dt_factor_##row,
    DT_FACTORS(X)
#undef X
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

dt_factor const *dt_factor_row(dt_factor_type type)
{
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i]->types & (unsigned)type) != 0)
            return rows[i];
    return NULL;
}

static dt_way const *const ways[DT_OKTA_WAY_COUNT] = {
#define X(NAME, word, takes_password) &dt_way_##word,
    DT_OKTA_WAYS(X)
#undef X
};

dt_way const *dt_signon_way(dt_signon const *s)
{
    dt_config const *c = s->ruleset.config;

    return ways[c != NULL && c->mfa.okta_way < DT_OKTA_WAY_COUNT ? c->mfa.okta_way
                                                                 : DT_OKTA_WAY_FACTORS];
}

dt_way const *dt_signon_password_way(dt_signon const *s)
{
    dt_way const *way = dt_signon_way(s);

    return way->password != NULL ? way : &dt_way_authn;
}

bool dt_signon_must_leave(dt_signon const *s, size_t at)
{
    return s->awaited != 0 && s->awaited != at + 1 && dt_signon_way(s)->leave != NULL;
}

/* A push that was left lets nobody in any more. */
void dt_signon_left(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_signon_way(s)->read(s, r, &v, &err);
    dt_cause why;

    if (a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_REQUIRED) {
        s->awaited = 0;
        if (s->push.state == DT_PUSH_WAITING && !s->push.joined)
            s->push.state = DT_PUSH_OVER;
        return;
    }
    s->answer_unjudged = s->phase == DT_PHASE_ANSWER_HTTP;
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return;
    s->negative = true;
    why = dt_signon_cause_of_result(v.result);
    dt_signon_detail(s, "Okta: previous: %s", err.text[0] ? err.text : "an unexpected answer");
    dt_signon_finish(s, DT_DENY, why != DT_CAUSE_NONE ? why : DT_CAUSE_OKTA_ANSWER_UNUSABLE, now);
}

dt_cause dt_signon_cause_of_result(dt_okta_result r)
{
    switch (r) {
    case DT_OKTA_RESULT_LOCKED:
        return DT_CAUSE_MFA_LOCKED;
    case DT_OKTA_RESULT_PASSWORD_EXPIRED:
        return DT_CAUSE_PRIMARY_EXPIRED;
    case DT_OKTA_RESULT_ENROLL:
        return DT_CAUSE_PRIMARY_ENROLL;
    case DT_OKTA_RESULT_OVER:
        return DT_CAUSE_MFA_TIMEOUT;
    case DT_OKTA_RESULT_REQUIRED:
    case DT_OKTA_RESULT_REFUSED:
        return DT_CAUSE_OKTA_REFUSED;
    case DT_OKTA_RESULT_OTHER_PERSON:
        return DT_CAUSE_MFA_OTHER_PERSON;
    case DT_OKTA_RESULT_TOO_WEAK:
        return DT_CAUSE_MFA_TOO_WEAK;
    case DT_OKTA_RESULT_UNUSABLE:
        return DT_CAUSE_OKTA_ANSWER_UNUSABLE;
    default:
        return DT_CAUSE_NONE;
    }
}

/* Keeps which factor Okta waits for: enrolled[at], where the reply says that it is open. */
static dt_okta_answer keep_awaited(dt_signon *s, size_t at, dt_okta_answer a,
                                   dt_okta_verification const *v)
{
    if (a == DT_OKTA_OK && v->open)
        s->awaited = at + 1;
    return a;
}

dt_okta_answer dt_signon_read_sent(dt_signon *s, dt_http_response const *r, dt_time now,
                                   dt_okta_verification *out, dt_error *e)
{
    dt_way const *way = dt_signon_way(s);

    if (way->read_sent != NULL)
        return way->read_sent(s, r, now, out, e);
    return keep_awaited(s, s->in_use, way->read(s, r, out, e), out);
}

dt_okta_answer dt_signon_read_poll(dt_signon *s, dt_http_response const *r, dt_time now,
                                   dt_okta_verification *out, dt_error *e)
{
    dt_way const *way = dt_signon_way(s);

    if (way->read_poll != NULL)
        return way->read_poll(s, r, now, out, e);
    return keep_awaited(s, s->in_use, way->read(s, r, out, e), out);
}

dt_okta_answer dt_signon_read_answer(dt_signon *s, dt_http_response const *r, dt_time now,
                                     dt_okta_verification *out, dt_error *e)
{
    dt_way const *way = dt_signon_way(s);

    if (way->read_answer != NULL)
        return way->read_answer(s, r, now, out, e);
    return keep_awaited(s, s->answer_at, way->read(s, r, out, e), out);
}

/* --- the person's factors ------------------------------------------------------------------------- */

/* How many of a row are among the first of a list. */
static size_t count_of(dt_signon const *s, dt_factor const *row)
{
    size_t count = 0;

    for (size_t i = 0; i < s->enrolled_count; i++)
        count += (s->enrolled[i].type & row->types) != 0;
    return count;
}

/* One is kept already for which this one could be taken at Okta: it stands for both from here on. */
static bool is_kept_alike(dt_signon *s, dt_factor_type type)
{
    unsigned alike = dt_signon_way(s)->alike;

    for (size_t i = 0; alike != 0 && i < s->enrolled_count; i++) {
        dt_enrolled *f = &s->enrolled[i];

        if (f->type != type && !((f->type & alike) != 0 && (type & alike) != 0))
            continue;
        f->several = true;
        f->name[0] = '\0';
        return true;
    }
    return false;
}

void dt_signon_keep_factors(dt_signon *s, dt_okta_factors const *list)
{
    unsigned allowed = dt_signon_factors_allowed(s);

    s->enrolled_count = s->in_use = s->answer_at = 0;
    for (size_t i = 0; i < list->count && s->enrolled_count < DT_SIGNON_FACTORS_MAX; i++) {
        dt_okta_factor const *one = &list->items[i];
        dt_factor const *row = dt_factor_row(one->type);
        dt_enrolled *f = &s->enrolled[s->enrolled_count];

        if (row == NULL || !(one->type & allowed & DT_FACTOR_LISTED) ||
            is_kept_alike(s, one->type) || count_of(s, row) >= row->most)
            continue;
        f->type = one->type;
        f->created = one->created;
        memcpy(f->id, one->id, sizeof(f->id));
        memcpy(f->name, one->name, sizeof(f->name));
        f->several = false;
        s->enrolled_count++;
    }
    if ((allowed & DT_FACTOR_BROWSER) != 0 && s->enrolled_count < DT_SIGNON_FACTORS_MAX)
        s->enrolled[s->enrolled_count++] =
            (dt_enrolled){.type = DT_FACTOR_BROWSER, .id = DT_BROWSER_FACTOR_ID};
}

dt_enrolled const *dt_signon_in_use(dt_signon const *s)
{
    return s->in_use < s->enrolled_count ? &s->enrolled[s->in_use] : NULL;
}

dt_enrolled const *dt_signon_enrolled(dt_signon const *s, unsigned types)
{
    for (size_t i = 0; i < s->enrolled_count; i++)
        if ((s->enrolled[i].type & types) != 0)
            return &s->enrolled[i];
    return NULL;
}

/* The row of the factor in use; of a machine without one, which no phase of a factor allows, the first. */
static dt_factor const *in_use(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return f != NULL ? dt_factor_row(f->type) : rows[0];
}

unsigned dt_signon_ready_types(dt_signon const *s)
{
    unsigned types = 0;

    for (size_t i = 0; i < s->enrolled_count; i++) {
        dt_factor const *row = dt_factor_row(s->enrolled[i].type);

        if (row->read != NULL && row->sends == NULL && !row->by_itself)
            types |= s->enrolled[i].type;
    }
    return types;
}

/* An answer is that of answer_at; what is approved without one is in use. */
dt_enrolled const *dt_signon_that_answered(dt_signon const *s)
{
    dt_factor const *row = dt_factor_row(s->outcome.factor);
    size_t at = row != NULL && row->read != NULL ? s->answer_at : s->in_use;

    return at < s->enrolled_count && s->enrolled[at].type == s->outcome.factor &&
                   !s->enrolled[at].several
               ? &s->enrolled[at]
               : NULL;
}

unsigned dt_signon_factors_asked_for(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);
    unsigned approved = f != NULL ? f->type & DT_FACTOR_APPROVED : 0;

    return (s->push.state != DT_PUSH_NONE ? approved : 0) | s->prompt_takes;
}

/* --- what a text may be the answer of ------------------------------------------------------------- */

/* By the first of these factors that it can be an answer of: *at, and its text as it is sent. */
static dt_typed read_answer(dt_signon const *s, dt_bytes typed, unsigned types,
                            char out[DT_ANSWER_MAX], size_t *at)
{
    if (dt_passcode_read(typed, out) == DT_TYPED_NOTHING)
        return DT_TYPED_NOTHING;
    for (size_t i = 0; i < s->enrolled_count; i++) {
        dt_factor const *row = dt_factor_row(s->enrolled[i].type);

        if ((s->enrolled[i].type & types) == 0 || row->read == NULL ||
            /* A code answers what sent it, which may have been an earlier sign-on. */
            (row->sends_codes && i != s->in_use && s->conversation != DT_CONVERSATION_NONE))
            continue;
        *at = i;
        if (row->read(typed, out) == DT_TYPED_PASSCODE)
            return DT_TYPED_PASSCODE;
    }
    explicit_bzero(out, DT_ANSWER_MAX);
    return DT_TYPED_OTHER;
}

/* The types whose answer may come along with the request. Where nothing can be asked, that of a code that an earlier
 * sign-on had sent is among them. */
static unsigned types_along(dt_signon const *s)
{
    return dt_signon_ready_types(s) |
           (s->conversation == DT_CONVERSATION_NONE ? (unsigned)DT_FACTOR_CODES : 0);
}

/* What came along with the request, in the form that is sent; false, and nothing is left of it, when it cannot be
 * an answer. */
static bool has_answer_along(dt_signon *s, size_t *at)
{
    char text[DT_ANSWER_MAX] = "";
    bool has = read_answer(s, dt_bytes_str(s->scratch->secrets.answer), types_along(s), text, at) ==
               DT_TYPED_PASSCODE;

    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    if (has)
        memcpy(s->scratch->secrets.answer, text, sizeof(text));
    explicit_bzero(text, sizeof(text));
    return has;
}

/* --- choice --------------------------------------------------------------------------------------- */

static bool is_usable(dt_signon const *s, size_t at)
{
    dt_factor const *row = dt_factor_row(s->enrolled[at].type);

    return (s->enrolled[at].type & s->blocked) == 0 &&
           (row->is_usable == NULL || row->is_usable(s));
}

size_t dt_signon_choices(dt_signon const *s, size_t out[DT_SIGNON_FACTORS_MAX])
{
    size_t count = 0;

    for (unsigned bit = 1; bit != 0 && bit <= (unsigned)DT_FACTOR_ALL; bit <<= 1)
        for (size_t i = 0; i < s->enrolled_count; i++)
            if ((unsigned)s->enrolled[i].type == bit && is_usable(s, i))
                out[count++] = i;
    return count < DT_SIGNON_MENU_MAX ? count : DT_SIGNON_MENU_MAX;
}

/* The prompt of the first one does not lead to this one: nobody would find it without a menu. */
static bool needs_menu(dt_signon const *s, size_t at)
{
    dt_factor const *row = dt_factor_row(s->enrolled[at].type);

    return row->sends != NULL || row->read == NULL || row->by_itself;
}

static bool menu_is_due(dt_signon const *s)
{
    size_t choices[DT_SIGNON_FACTORS_MAX];
    size_t count = dt_signon_choices(s, choices);

    if (!dt_signon_can_ask(s) || s->prompts_unseen || s->chosen != 0)
        return false;
    for (size_t i = 1; i < count; i++)
        if (needs_menu(s, choices[i]))
            return true;
    return false;
}

static void show_menu(dt_signon *s, char const *note)
{
    size_t choices[DT_SIGNON_FACTORS_MAX] = {0};

    (void)dt_signon_choices(s, choices);
    s->in_use = s->answer_at = choices[0];
    s->outcome.factor = s->enrolled[choices[0]].type;
    s->menu = true;
    dt_signon_menu_prompt(s, note);
    s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_PUSH_OFFER);
}

static void begin_at(dt_signon *s, size_t at, dt_time now)
{
    s->menu = false;
    s->in_use = at;
    dt_factor_row(s->enrolled[at].type)->begin(s, now);
}

/* The person's factor that the word means; enrolled_count when there is none that can be used. */
static size_t find_choice(dt_signon const *s, unsigned types, unsigned which)
{
    for (size_t i = 0; i < s->enrolled_count; i++)
        if ((s->enrolled[i].type & types) != 0 && --which == 0)
            return is_usable(s, i) ? i : s->enrolled_count;
    return s->enrolled_count;
}

/* "sms", which came along with the request. True when there is no such factor, and the sign-on has ended. */
static bool chose_none(dt_signon *s, dt_time now)
{
    size_t at;

    if (s->word_types == 0 || s->chosen != 0)
        return false;
    at = find_choice(s, s->word_types, s->word_which);
    if (at < s->enrolled_count) {
        s->chosen = at + 1;
        return false;
    }
    dt_signon_detail(s, "a factor was asked for that is not enrolled, not allowed, or not usable");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_FACTOR, now);
    return true;
}

/* The number of a line of the menu, or a word; enrolled_count when it is neither. */
static size_t read_choice(dt_signon const *s, dt_bytes typed)
{
    size_t choices[DT_SIGNON_FACTORS_MAX];
    size_t count = dt_signon_choices(s, choices);
    char word[DT_CHOICE_MAX];
    unsigned which, types = dt_choice_read(typed, word, &which);
    dt_bytes line = dt_bytes_trim(typed, " \t\r\n");

    if (types != 0)
        return find_choice(s, types, which);
    if (line.len == 0 && count > 0)
        return choices[0];
    if (line.len == 1 && line.p[0] >= '1' && line.p[0] < '1' + (int)count)
        return choices[line.p[0] - '1'];
    return s->enrolled_count;
}

/* --- begin ---------------------------------------------------------------------------------------- */

bool dt_signon_only_reports(dt_signon *s, dt_time now)
{
    if (!s->outcome.report_only)
        return false;
    dt_signon_finish(s, DT_DENY, DT_CAUSE_REPORT_ONLY, now);
    return true;
}

bool dt_signon_only_continues(dt_signon *s, dt_time now)
{
    if (!s->only_continue)
        return false;
    if (!s->outcome.detail[0])
        dt_signon_detail(s,
                         "the session was resumed, but MFA is required that was not given in it");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_MISSING, now);
    return true;
}

/* Where nothing can be shown and nobody is known to be there, the phone must not ring. */
static bool has_no_prompt(dt_signon *s, dt_time now)
{
    if (!s->prompts_unproven || s->conversation != DT_CONVERSATION_NONE)
        return false;
    dt_signon_detail(s, "MFA is required, but no prompt can be shown here: no push was sent");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_PROMPT, now);
    return true;
}

static bool begin_one(dt_signon *s, dt_time now)
{
    for (size_t i = 0; i < ROWS; i++) {
        dt_enrolled const *f = dt_signon_enrolled(s, rows[i]->types & ~s->blocked);

        if (f == NULL || (rows[i]->is_usable != NULL && !rows[i]->is_usable(s)))
            continue;
        s->in_use = (size_t)(f - s->enrolled);
        rows[i]->begin(s, now);
        return true;
    }
    return false;
}

/* The one that the person chose, or the menu in which to choose. False when neither is due. */
static bool begin_chosen(dt_signon *s, dt_time now)
{
    if (s->chosen != 0 && is_usable(s, s->chosen - 1)) {
        begin_at(s, s->chosen - 1, now);
        return true;
    }
    if (s->word_types != 0)
        return false;
    s->chosen = 0; /* it is of no use: another one may be chosen */
    if (!menu_is_due(s))
        return false;
    show_menu(s, s->blocked != 0 ? dt_signon_no_push_text(s) : "");
    return true;
}

/* Without what the way takes, no factor can be asked for, and none is asked for in another way. */
static bool has_no_way(dt_signon *s, dt_time now)
{
    dt_way const *way = dt_signon_way(s);

    if (way->is_ready == NULL || way->is_ready(s))
        return false;
    dt_signon_detail(s, "%s", way->not_ready);
    dt_signon_finish(s, DT_DENY, DT_CAUSE_CONFIG, now);
    return true;
}

/* Entered anew when a factor turns out to be of no use. */
void dt_signon_conversation_stage(dt_signon *s, dt_time now)
{
    size_t at = 0;

    if (dt_signon_person_judge(s, now) || dt_signon_only_reports(s, now) ||
        dt_signon_only_continues(s, now) || has_no_way(s, now) || chose_none(s, now))
        return;
    if (has_answer_along(s, &at) && s->attempts == 0) {
        s->in_use = at;
        dt_signon_send_answer(s, at);
        return;
    }
    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    if (has_no_prompt(s, now) || begin_chosen(s, now) || (s->word_types == 0 && begin_one(s, now)))
        return;
    if (s->blocked != 0 && s->block_cause == DT_CAUSE_OKTA_UNAVAILABLE) {
        dt_signon_okta_unavailable(s, now);
        return;
    }
    if (s->blocked == 0)
        dt_signon_detail(s, "no enrolled factor that the rule allows can be used at this login");
    dt_signon_finish(s, DT_DENY, s->blocked != 0 ? s->block_cause : DT_CAUSE_MFA_NO_FACTOR, now);
}

void dt_signon_block(dt_signon *s, unsigned types, dt_cause why)
{
    s->blocked |= types;
    s->block_cause = why;
    dt_signon_go(s, DT_STAGE_CONVERSATION);
}

/* How many may be sent to one person within push_limit_window, and the key that says so. */
static int send_limit(dt_signon const *s, char const **key)
{
    *key = in_use(s)->sends_codes ? "message_limit" : "push_limit";
    return in_use(s)->sends_codes ? s->ruleset.config->mfa.message_limit
                                  : s->ruleset.config->mfa.push_limit;
}

void dt_signon_send(dt_signon *s)
{
    char const *key;

    if (send_limit(s, &key) == 0) {
        dt_signon_detail(s, "%s is 0", key);
        in_use(s)->not_sent(s, DT_CAUSE_MFA_PUSH_LIMIT);
        return;
    }
    dt_signon_set_phase(s, DT_PHASE_SEND_COUNT);
}

/* Past the deadline the record that keeps other sign-ons from sending a push may have run out (a step of the
 * clock): then nothing is sent. */
static void send_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_factor const *f = in_use(s);
    char const *key;
    int limit = send_limit(s, &key);

    if (r->status == DT_STORE_OK && now < s->deadline) {
        dt_signon_set_phase(s, DT_PHASE_SEND_HTTP);
        return;
    }
    if (r->status == DT_STORE_OK) {
        f->not_sent(s, DT_CAUSE_MFA_TIMEOUT);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s, "%lld %s within push_limit_window, %s is %d", (long long)r->count,
                         f->sends, key, limit);
    f->not_sent(s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_PUSH_LIMIT
                                                : DT_CAUSE_LIMITS_UNAVAILABLE);
}

static void sent(dt_signon *s, dt_http_response const *r, dt_time now)
{
    if (dt_signon_must_leave(s, s->in_use))
        dt_signon_left(s, r, now);
    else
        in_use(s)->sent(s, r, now);
}

/* --- what now? ------------------------------------------------------------------------------------ */

static void poll_time(dt_signon *s, dt_time now)
{
    dt_way const *way = dt_signon_way(s);

    if (now >= s->deadline || (way->is_over != NULL && way->is_over(s, now)))
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
    else
        in_use(s)->look(s);
}

static void polled(dt_signon *s, dt_http_response const *r, dt_time now)
{
    in_use(s)->polled(s, r, now);
}

void dt_signon_offer(dt_signon *s, char const *note)
{
    dt_signon_offer_prompt(s, note);
    s->push_offered = true;
    s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_PUSH_OFFER);
}

bool dt_signon_can_ask(dt_signon const *s)
{
    return s->conversation != DT_CONVERSATION_NONE;
}

void dt_signon_begin_asking(dt_signon *s, dt_time now)
{
    s->outcome.factor = dt_signon_in_use(s)->type;
    in_use(s)->ask(s, s->blocked != 0 ? dt_signon_no_push_text(s) : "", now);
}

void dt_signon_ask_answer(dt_signon *s, unsigned types, char const *note)
{
    dt_enrolled const *f;

    dt_signon_answer_prompt(s, types, note);
    f = dt_signon_in_use(s);
    if (f == NULL || (f->type & types) == 0)
        f = dt_signon_enrolled(s, types);
    s->answer_at = f != NULL ? (size_t)(f - s->enrolled) : s->enrolled_count;
    s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_ANSWER_WAIT);
}

void dt_signon_ask_anew(dt_signon *s, char const *why, dt_time now)
{
    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    s->attempts++;
    if (s->attempts >= s->ruleset.config->mfa.passcode_attempts ||
        s->conversation == DT_CONVERSATION_NONE)
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_FAILED, now);
    else if (s->menu)
        show_menu(s, why);
    else
        in_use(s)->ask(s, why, now);
}

static void answer_time(dt_signon *s, dt_time now)
{
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
}

/* --- answer --------------------------------------------------------------------------------------- */

/* Somebody typed text that is neither Enter nor an answer to this factor: say so, and ask again. It does not
 * count as a guess, and nothing is looked up for it. DT_SIGNON_STRAY_ANSWERS_MAX ends this for a program that
 * answers every prompt with the same words. */
static void answered_astray(dt_signon *s, dt_time now)
{
    dt_factor const *f = in_use(s);

    if (dt_phase_row_of(s->phase)->for_answer) {
        dt_signon_ask_anew(s,
                           s->menu ? dt_words_text(s->ruleset.config, DT_WORDS_NOTE_NOT_A_CHOICE)
                                   : dt_signon_stray_text(s),
                           now);
        return;
    }
    if (s->stray_answers >= DT_SIGNON_STRAY_ANSWERS_MAX)
        return;
    s->stray_answers++;
    s->stray_answer = true;
    if (s->phase == DT_PHASE_POLL_WAIT) /* else when the poll that is under way has ended */
        f->show(s, now);
}

static void pressed_enter(dt_signon *s, dt_time now)
{
    dt_factor const *f = in_use(s);

    if (f->enter != NULL)
        f->enter(s, now);
    else
        dt_signon_ask_anew(s, dt_signon_stray_text(s), now);
}

/* True when what was typed at the menu chooses a factor, which has begun. */
static bool chose(dt_signon *s, dt_bytes answer, dt_time now)
{
    size_t at = s->menu ? read_choice(s, answer) : s->enrolled_count;

    if (at >= s->enrolled_count)
        return false;
    s->chosen = at + 1;
    begin_at(s, at, now);
    return true;
}

void dt_signon_answered(dt_signon *s, dt_bytes answer, dt_time now)
{
    bool waits = dt_phase_row_of(s->phase)->kind == DT_PHASE_IS_WAIT;
    char text[DT_ANSWER_MAX] = "";
    size_t at = 0;
    dt_typed what;

    if (chose(s, answer, now))
        return;
    what = read_answer(s, answer, s->answers_locked ? 0 : s->prompt_takes, text, &at);
    if (what == DT_TYPED_PASSCODE) {
        memcpy(s->scratch->secrets.answer, text, sizeof(text));
        s->answer_at = at;
    }
    explicit_bzero(text, sizeof(text));
    if (what == DT_TYPED_OTHER)
        answered_astray(s, now);
    else if (!waits)
        return; /* a poll is under way; its end looks at the answer */
    else if (what == DT_TYPED_PASSCODE)
        dt_signon_send_answer(s, at);
    else
        pressed_enter(s, now);
}

/* --- cancel --------------------------------------------------------------------------------------- */

bool dt_signon_cancel_factors(dt_signon *s)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i]->cancel != NULL && rows[i]->cancel(s))
            return true;
    return false;
}

/* Nobody goes on with it; what Okta let in has ended by itself. */
bool dt_signon_cancel_way(dt_signon *s)
{
    dt_way const *way = dt_signon_way(s);

    if (way->is_open == NULL || !way->is_open(s) || s->cancel_tried ||
        s->final_cause == DT_CAUSE_MFA_SUCCESS)
        return false;
    s->cancel_tried = true;
    dt_signon_set_phase(s, DT_PHASE_CANCEL_HTTP);
    return true;
}

/* --- the phases ----------------------------------------------------------------------------------- */

static int render_send_count(dt_signon *s, dt_buf *value, dt_time now)
{
    char const *key;

    (void)value;
    dt_signon_store_count(s, DT_TABLE_PUSH_COUNT, send_limit(s, &key),
                          now + s->ruleset.config->mfa.push_limit_window);
    return dt_signon_limit_key(s, in_use(s)->sends);
}

static int render_send(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    if (dt_signon_must_leave(s, s->in_use))
        return dt_signon_way(s)->leave(s, &s->scratch->http);
    return in_use(s)->request(s, &s->scratch->http);
}

static int render_poll(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_signon_way(s)->poll(s, &s->scratch->http);
}

static bool in_use_sends(dt_signon const *s)
{
    return s->user_id[0] && dt_signon_in_use(s) != NULL && in_use(s)->sends != NULL;
}

static bool in_use_is_polled(dt_signon const *s)
{
    return s->user_id[0] && dt_signon_in_use(s) != NULL && in_use(s)->polled != NULL;
}

static bool has_poll_url(dt_signon const *s)
{
    return in_use_is_polled(s) && s->push.poll_url[0] != '\0';
}

dt_phase_row const dt_row_send_count = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_send_count,
    .store_done = send_counted,
    .has_fields = in_use_sends,
};
dt_phase_row const dt_row_send_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .retried = true,
    .render = render_send,
    .http_done = sent,
    .has_fields = in_use_sends,
};
dt_phase_row const dt_row_poll_wait = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .time_done = poll_time,
    .has_fields = in_use_is_polled,
};
dt_phase_row const dt_row_poll_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .called = DT_CALLED_OKTA_POLL,
    .render = render_poll,
    .http_done = polled,
    .has_fields = has_poll_url,
};
dt_phase_row const dt_row_answer_wait = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .for_answer = true,
    .time_done = answer_time,
    .has_fields = dt_signon_has_answer_factor,
};
