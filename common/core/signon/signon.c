/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dt_signon: the public face of the step machine. Begins it, says what it wants now, takes results
 * and hands them to the file of the phase. How it all hangs together: signon_internal.h. */
#include "core/okta/okta_budget.h"
#include "core/policy/place.h"
#include "core/policy/policy_explain.h"
#include "core/policy/policy_record.h"
#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* --- the phases --------------------------------------------------------------------------------- */

static void retry_time(dt_signon *s, dt_time now)
{
    (void)now;
    dt_signon_set_phase(s, s->retry_phase);
    s->retry_phase = DT_PHASE_DONE;
}

dt_phase_row const dt_row_done = {.kind = DT_PHASE_IS_DONE};
dt_phase_row const dt_row_retry_wait = {.kind = DT_PHASE_IS_WAIT, .time_done = retry_time};

dt_phase_row const *dt_phase_row_of(dt_phase p)
{
    static dt_phase_row const *const rows[DT_PHASE_COUNT] = {
#define X(NAME, name) [DT_PHASE_##NAME] = &dt_row_##name,
        DT_PHASES(X)
#undef X
    };

    return (unsigned)p < DT_PHASE_COUNT ? rows[p] : &dt_row_done;
}

dt_question_row const *dt_question_row_of(dt_question q)
{
    static dt_question_row const *const rows[DT_QUESTION_COUNT] = {
#define X(NAME, name) [DT_QUESTION_##NAME] = &dt_question_##name,
        DT_QUESTIONS(X)
#undef X
    };

    static dt_question_row const no_question = {.service = ""};

    return q > DT_QUESTION_NONE && q < DT_QUESTION_COUNT ? rows[q] : &no_question;
}

dt_phase dt_signon_phase(dt_signon const *s)
{
    return s->phase == DT_PHASE_RETRY_WAIT ? s->retry_phase : s->phase;
}

/* --- the stages --------------------------------------------------------------------------------- */

void dt_signon_go(dt_signon *s, dt_stage stage)
{
    s->stage = stage;
    s->entering = true;
}

/* Enters stages until one waits for a step, or the outcome stands. */
static void run_stages(dt_signon *s, dt_time now)
{
    static void (*const enter[DT_STAGE_COUNT])(dt_signon * s, dt_time now) = {
#define X(NAME, name) [DT_STAGE_##NAME] = dt_signon_##name##_stage,
        DT_STAGES(X)
#undef X
    };

    while (s->entering) {
        s->entering = false;
        enter[s->stage](s, now);
    }
}

size_t dt_signon_size(void)
{
    return sizeof(dt_signon);
}

void dt_signon_set_phase(dt_signon *s, dt_phase phase)
{
    if (phase != s->phase && phase != DT_PHASE_RETRY_WAIT && s->phase != DT_PHASE_RETRY_WAIT)
        s->retries = 0;
    s->phase = phase;
    if (phase != DT_PHASE_RETRY_WAIT && dt_phase_row_of(phase)->part != DT_PART_LOOKUP)
        s->lookup.question = s->lookup.outer = DT_QUESTION_NONE;
}

void dt_signon_retry(dt_signon *s, dt_phase phase, dt_time wait, dt_time now)
{
    uint32_t random;

    memcpy(&random, s->random + 4 * (s->retries % 8), sizeof(random));
    if (wait == 0)
        wait = (dt_time)(random % (DT_SIGNON_RETRY_SPREAD + 1));
    s->retries++;
    s->retry_phase = phase;
    s->until = now + dt_okta_spread(wait, random);
    s->phase = DT_PHASE_RETRY_WAIT;
}

void dt_signon_detail(dt_signon *s, char const *fmt, ...)
{
    char raw[DT_MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    dt_str_escape(s->outcome.detail, sizeof(s->outcome.detail), raw);
}

size_t dt_signon_scratch_size(void)
{
    return sizeof(dt_signon_scratch);
}

void dt_signon_attach(dt_signon *s, dt_signon_scratch *scratch)
{
    s->scratch = scratch;
}

void dt_signon_wipe(dt_signon *s)
{
    dt_signon_scratch *scratch = s->scratch;

    explicit_bzero(s, sizeof(*s));
    if (scratch != NULL)
        explicit_bzero(scratch, sizeof(*scratch));
    s->scratch = scratch;
}

void dt_signon_copy(dt_signon *to, dt_signon const *from)
{
    dt_signon_scratch *scratch = to->scratch;

    if (from->scratch == NULL || scratch == NULL) {
        dt_signon_clear(to, &from->ruleset);
        return;
    }
    *to = *from;
    to->scratch = scratch;
    memcpy(scratch, from->scratch, sizeof(*scratch));
}

static void wipe_body(dt_signon *s)
{
    explicit_bzero(s->scratch->http.body, sizeof(s->scratch->http.body));
    s->scratch->http.body_len = 0;
}

static void wipe_secrets(dt_signon *s)
{
    if (s->scratch == NULL)
        return;
    explicit_bzero(&s->scratch->secrets, sizeof(s->scratch->secrets));
    wipe_body(s);
}

static char const no_scratch[] = "the sign-on has no room to work in";

/* Without one nothing can be done but to deny. */
static bool has_scratch(dt_signon *s)
{
    if (s->scratch == NULL && s->phase != DT_PHASE_DONE)
        dt_signon_fail(s, DT_CAUSE_INTERNAL, no_scratch);
    return s->scratch != NULL;
}

void dt_signon_done(dt_signon *s)
{
    wipe_secrets(s);
    s->prompt_state = DT_PROMPT_NONE;
    s->retry_phase = DT_PHASE_DONE;
    s->lookup.question = s->lookup.outer = DT_QUESTION_NONE;
    s->phase = DT_PHASE_DONE;
    s->entering = false;
}

bool dt_signon_may_allow(dt_signon const *s, dt_cause cause)
{
    dt_decision const *d = &s->outcome.decision;

    if (cause == DT_CAUSE_BREAK_GLASS)
        return s->break_glass && s->outcome.primary == DT_PRIMARY_STACK;
    if (d->cause != DT_DECISION_RULE || !dt_cause_allows(cause) || s->outdated != 0 ||
        !dt_signon_primary_is_verified(s))
        return false;
    if (!dt_signon_app_is_assigned(s)) /* only an outage lets in who is not known to be assigned */
        return cause == DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;
    return d->access ==
           (cause == DT_CAUSE_RULE_ALLOW ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA);
}

void dt_signon_fail(dt_signon *s, dt_cause cause, char const *detail)
{
    if (detail)
        dt_signon_detail(s, "%s", detail);
    dt_outcome_set(&s->outcome, DT_DENY, cause);
    dt_signon_set_message(s);
    dt_signon_done(s);
}

void dt_signon_withdraw(dt_signon *s, dt_cause cause, char const *detail)
{
    dt_signon_fail(s, cause, detail);
}

/* Beside those of the same source: Okta's groups are kept for sign-ons whose request names other
 * groups, or none. */
bool dt_signon_add_group(dt_signon *s, char const *name)
{
    size_t before = s->request_groups_len, count = s->group_count - s->request_group_count;
    size_t len;

    if (!name || !dt_ruleset_keeps_group(
                     &s->ruleset, dt_bytes_of(s->scratch->groups + before, s->groups_len - before),
                     count, name))
        return true;
    len = strlen(name) + 1;
    if (s->group_count >= DT_SIGNON_GROUPS_MAX || s->groups_len + len > sizeof(s->scratch->groups))
        return false;
    memcpy(s->scratch->groups + s->groups_len, name, len);
    s->groups_len += len;
    s->group_count++;
    return true;
}

static bool add_request_groups(dt_signon *s, dt_request const *r)
{
    if (r->group_knowledge != DT_GROUPS_KNOWN)
        return false;
    for (size_t i = 0; i < r->group_count; i++) {
        /* No name looks like an id, and a request may not name groups by id. */
        if (r->groups[i] != NULL && dt_group_is_id(r->groups[i]))
            return false;
        if (!dt_signon_add_group(s, r->groups[i]))
            return false;
    }
    return true;
}

/* Groups are known once every source in groups_from has answered. */
static void take_groups(dt_signon *s, dt_request const *r)
{
    unsigned from = dt_ruleset_groups_from(&s->ruleset);
    bool complete = (from & DT_GROUPS_FROM_REQUEST) == 0 || add_request_groups(s, r);

    s->request_groups_len = s->groups_len;
    s->request_group_count = s->group_count;
    s->okta_groups_missing = complete && (from & DT_GROUPS_FROM_OKTA) != 0;
    s->group_knowledge =
        complete && from == DT_GROUPS_FROM_REQUEST ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
}

/* No two people share a push, and a person's names do not make two of it. */
static int make_push_key(dt_signon *s, dt_request const *r)
{
    uint8_t digest[DT_SHA256_LEN], both[2 * DT_SHA256_LEN];
    char who[DT_IDENTITY_KEY_MAX];
    char const *key = r->push_key && *r->push_key ? r->push_key : s->id;
    int rc = dt_crypto_sha256(dt_bytes_str(key), both);

    dt_identity_key(&s->who, who);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_bytes_str(who), both + DT_SHA256_LEN);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_bytes_of(both, sizeof(both)), digest);
    if (rc == DT_OK)
        dt_hex(s->push_key, digest, sizeof(digest));
    return rc;
}

/* Only in its one form, by which places are compared. */
static int copy_place(char dst[DT_USER_MAX], char const *text)
{
    dt_place place;
    int rc = dt_place_read(dt_bytes_str(text != NULL ? text : ""), &place);
    memcpy(dst, place.text, sizeof(place.text));
    return rc;
}

/* An address without its port; what is not one stays as it is, for the audit. */
static int copy_address(char dst[DT_ADDRESS_MAX], char const *text)
{
    dt_ip ip;
    if (text == NULL || dt_ip_parse(text, &ip) < 0)
        return dt_str_copy(dst, DT_ADDRESS_MAX, text);
    dt_ip_text(&ip, dst);
    return DT_OK;
}

/* Copies what names the sign-on. A name that does not fit is an error: a cut one could be
 * somebody else's. */
static int take_names(dt_signon *s, dt_request const *r)
{
    if (!r->application || !*r->application)
        return DT_E_INVALID;
    if (dt_str_copy(s->id, sizeof(s->id), r->id) < 0 ||
        dt_str_copy(s->application, sizeof(s->application), r->application) < 0 ||
        dt_str_copy(s->pam_service, sizeof(s->pam_service), r->service) < 0 ||
        dt_str_copy(s->account, sizeof(s->account), r->account) < 0 ||
        dt_str_copy(s->caller, sizeof(s->caller), r->caller) < 0 ||
        dt_str_copy(s->ruser, sizeof(s->ruser), r->ruser) < 0 ||
        copy_address(s->client_ip, r->client_ip) < 0 || copy_place(s->nas, r->nas) < 0 ||
        copy_place(s->station, r->station) < 0 ||
        dt_str_copy(s->session, sizeof(s->session), r->session) < 0 ||
        dt_str_copy(s->connection, sizeof(s->connection), r->connection) < 0 ||
        dt_str_copy(s->scratch->host, sizeof(s->scratch->host), r->host) < 0 ||
        dt_str_copy(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer), r->passcode) <
            0)
        return DT_E_LIMIT;
    dt_refusal_code_make(s->id, s->outcome.code);
    return DT_OK;
}

static int make_identity(dt_signon *s, dt_request const *r, dt_error *e)
{
    dt_user_name name = {.text = r->user};
    int rc;

    snprintf(s->name, sizeof(s->name), "%s",
             r->typed && *r->typed ? r->typed
             : r->user             ? r->user
                                   : "");
    rc = dt_identity_make(s->ruleset.config, s->ruleset.user_table, &name, &s->who, e);
    dt_identity_short(s->ruleset.config, &s->who, s->short_login);
    if (rc == DT_OK && s->who.kind == DT_IDENTITY_MACHINE &&
        s->outcome.primary == DT_PRIMARY_OKTA_PENDING)
        rc = dt_error_set(e, DT_E_INVALID, "a machine account has no Okta password");
    return rc;
}

void dt_signon_clear(dt_signon *s, dt_ruleset const *ruleset)
{
    dt_signon_scratch *scratch = s->scratch;

    memset(s, 0, sizeof(*s));
    s->scratch = scratch;
    s->ruleset = *ruleset;
    s->push.number = DT_SIGNON_NUMBER_NONE;
    if (scratch == NULL)
        return;
    memset(scratch, 0, offsetof(dt_signon_scratch, http));
    scratch->http.body_len = 0;
}

/* False: denied. */
static bool start(dt_signon *s, dt_ruleset const *ruleset, dt_time now)
{
    dt_signon_clear(s, ruleset);
    s->started = now;
    if (s->scratch == NULL)
        dt_signon_fail(s, DT_CAUSE_INTERNAL, no_scratch);
    return s->scratch != NULL;
}

/* For the audit event alone: what does not fit is left out. */
static void copy_presence(dt_signon *s, dt_request const *r)
{
    if (dt_str_copy(s->tty, sizeof(s->tty), r->tty) < 0)
        (void)!dt_str_copy(s->tty, sizeof(s->tty), "(too long)");
    (void)!dt_str_copy(s->seat, sizeof(s->seat), r->seat);
    (void)!dt_str_copy(s->place, sizeof(s->place), r->place);
}

/* How the person can be talked to, and from where. */
static void copy_conversation(dt_signon *s, dt_request const *r)
{
    char word[DT_CHOICE_MAX];

    s->word_types = dt_choice_read(dt_bytes_str(r->passcode), word, &s->word_which);
    s->local = r->local;
    copy_presence(s, r);
    s->conversation = r->conversation;
    s->prompts_unproven = r->prompts_unproven;
    s->prompts_unseen = r->prompts_unseen;
    s->push_prompt = r->push_prompt;
}

static void copy_request(dt_signon *s, dt_ruleset const *ruleset, dt_request const *r)
{
    copy_conversation(s, r);
    s->address_wanted = r->address_wanted;
    s->utc_offset = r->utc_offset;
    s->utc_offset_known = r->utc_offset_known;
    s->explain = r->explain;
    if (r->explain)
        s->what_if = r->what_if;
    s->known_since = r->explain ? r->known_since : 0;
    s->person.on = r->explain && r->asks_okta;
    s->outcome.report_only = dt_ruleset_is_report_only(ruleset) && !r->explain && !r->only_looks_up;
    s->host_evidence = s->host_managed = r->host_evidence;
    s->agent.wanted = r->agent;
    s->only_continue = r->only_continue;
    s->device_later = r->device_later;
    if (r->address_hint != NULL)
        (void)!dt_str_copy(s->address_hint, sizeof(s->address_hint), r->address_hint);
    if (r->remark != NULL)
        dt_signon_detail(s, "%s", r->remark);
    s->only_looks_up = r->only_looks_up;
    s->outcome.okta_calls = r->okta_calls;
    s->outcome.graph_calls = r->graph_calls;
    s->outcome.ocsp_calls = r->ocsp_calls;
    s->handshake_resumed = r->handshake_resumed;
    if (r->continued)
        s->continued = *r->continued;
    memcpy(s->random, r->random, sizeof(s->random));
}

void dt_signon_begin(dt_signon *s, dt_ruleset const *ruleset, dt_request const *r, dt_time now)
{
    dt_error e = {0};
    int rc;

    if (!start(s, ruleset, now))
        return;
    if (!ruleset->config || take_names(s, r) < 0) {
        dt_signon_fail(s, ruleset->config ? DT_CAUSE_INTERNAL : DT_CAUSE_CONFIG,
                       "the application's name is missing, or a name is too long");
        return;
    }
    s->wait_limit = r->wait_limit < 0                    ? 0
                    : r->wait_limit > DT_SIGNON_WAIT_MAX ? DT_SIGNON_WAIT_MAX
                                                         : r->wait_limit;
    s->deadline = now + s->wait_limit;
    s->platform_hint = r->platform_hint;
    copy_request(s, ruleset, r);
    dt_signon_primary_take(s,
                           r); /* first: it decides how much a refusal may reveal about the name */
    rc = make_identity(s, r, &e);
    if (s->outcome.cause != DT_CAUSE_NONE)
        return;
    if (rc < 0 || make_push_key(s, r) < 0) {
        dt_signon_fail(s, rc == DT_E_INVALID ? DT_CAUSE_USER_NAME_INVALID : DT_CAUSE_INTERNAL,
                       e.text);
        return;
    }
    if (!ruleset->policy) {
        dt_signon_fail(
            s, DT_CAUSE_CONFIG,
            "no policy for this application; add <application>.json to the policy directory");
        return;
    }
    if (!dt_signon_break_glass(s, r->at_terminal, now)) {
        take_groups(s, r);
        dt_signon_evidence_begin(s, r, now);
    }
    run_stages(s, now);
}

bool dt_signon_start_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_time limit, dt_time now)
{
    if (!start(s, ruleset, now))
        return false;
    s->refresh_only = true;
    s->wait_limit = limit;
    s->deadline = now + limit;
    return true;
}

void dt_signon_begin_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_guid const *device_id,
                             dt_time now)
{
    bool graph = ruleset->config->intune.service != DT_INTUNE_BY_COMPLIANCE;

    /* The Compliance Retrieval service may have to be found first. */
    if (!dt_signon_start_refresh(s, ruleset, ruleset->config->intune.timeout * (graph ? 2 : 4),
                                 now))
        return;
    s->lookup_id = *device_id;
    dt_lookup_refresh(s, DT_QUESTION_INTUNE, now);
}

void dt_signon_begin_device_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_signon const *of,
                                    dt_time now)
{
    if (!dt_signon_start_refresh(s, ruleset, ruleset->config->okta.timeout * 2, now))
        return;
    s->okta_device.device_id = of->okta_device.device_id;
    memcpy(s->okta_device.serial, of->okta_device.serial, sizeof(s->okta_device.serial));
    memcpy(s->okta_device.user_id, of->okta_device.user_id, sizeof(s->okta_device.user_id));
    s->who = of->who;
    dt_lookup_refresh(s, DT_QUESTION_OKTA_DEVICE, now);
}

static bool is_wait(dt_phase p)
{
    return dt_phase_row_of(p)->kind == DT_PHASE_IS_WAIT;
}

/* Whoever has left is denied. */
static void finish_abandoned(dt_signon *s, dt_time now)
{
    dt_signon_finish(s, DT_DENY, s->abandon_cause, now);
    run_stages(s, now);
}

static void decide_again(dt_signon *s, dt_time now)
{
    if (s->outdated != 0)
        dt_signon_decide_again(s, now);
    run_stages(s, now);
}

/* A wait whose time has come moves on. */
static void time_passes(dt_signon *s, dt_time now)
{
    if (s->abandoned && !s->finishing) {
        finish_abandoned(s, now);
        return;
    }
    if (now >= s->until)
        dt_phase_row_of(s->phase)->time_done(s, now);
    run_stages(s, now);
}

/* A clock that was set back makes no wait longer than it may be. */
static void put_back_limits(dt_signon *s, dt_time now)
{
    if (s->deadline > now + s->wait_limit)
        s->deadline = now + s->wait_limit;
    if (s->until > s->deadline)
        s->until = s->deadline;
}

/* Where nobody can answer any more, no prompt is waited for. */
static void expect_no_answer(dt_signon *s, dt_time now)
{
    if (s->conversation != DT_CONVERSATION_NONE || s->finishing || s->phase == DT_PHASE_DONE)
        return;
    s->prompt_state = DT_PROMPT_NONE;
    if (!dt_phase_row_of(s->phase)->for_answer || s->abandoned)
        return;
    dt_signon_detail(s, "a passcode is needed, but this login cannot ask for one");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_FACTOR, now);
    run_stages(s, now);
}

/* Past the limit the machine has the steps left that its end takes, and no more. */
static void limit_steps(dt_signon *s, dt_time now)
{
    static char const why[] = "the sign-on took more steps than allowed";

    if (s->phase == DT_PHASE_DONE || s->steps <= DT_SIGNON_STEPS_MAX)
        return;
    if (s->steps > DT_SIGNON_STEPS_MAX + DT_SIGNON_END_STEPS_MAX) {
        dt_signon_fail(s, DT_CAUSE_INTERNAL, why);
    } else if (!s->finishing) {
        dt_signon_detail(s, "%s", why);
        dt_signon_finish(s, DT_DENY, DT_CAUSE_INTERNAL, now);
        run_stages(s, now);
    }
}

void dt_signon_next(dt_signon *s, dt_time now, dt_step *out)
{
    memset(out, 0, sizeof(*out));
    if (!has_scratch(s)) {
        out->outcome = &s->outcome;
        return;
    }
    put_back_limits(s, now);
    decide_again(s, now);
    expect_no_answer(s, now);
    /* An agent may ask the person, who has left: its answer is not waited for. */
    if (s->abandoned && !s->finishing && dt_phase_row_of(s->phase)->kind == DT_PHASE_IS_AGENT)
        finish_abandoned(s, now);
    for (int i = 0; i < DT_PHASE_COUNT && is_wait(s->phase); i++) {
        dt_phase before = s->phase;

        if (s->prompt_state == DT_PROMPT_TO_SHOW && !s->abandoned)
            break;
        time_passes(s, now);
        if (s->phase == before)
            break;
    }
    limit_steps(s, now);
    if (s->prompt_state == DT_PROMPT_TO_SHOW && is_wait(s->phase)) {
        out->kind = DT_STEP_PROMPT;
        s->prompt.link = dt_signon_prompt_link(s);
        out->prompt = &s->prompt;
        out->suspend = s->conversation == DT_CONVERSATION_CHALLENGE;
        return;
    }
    out->prompt_open = s->prompt_state == DT_PROMPT_OPEN;
    if (is_wait(s->phase)) {
        out->kind = DT_STEP_WAIT;
        out->until = s->until;
        out->polls = s->phase == DT_PHASE_POLL_WAIT && s->until < s->deadline;
        out->latest = out->polls ? s->deadline : s->until;
        return;
    }
    if (s->phase != DT_PHASE_DONE && !dt_signon_render(s, now, out))
        dt_signon_fail(s, DT_CAUSE_INTERNAL, NULL);
    if (s->phase == DT_PHASE_DONE) {
        memset(out, 0, sizeof(*out));
        out->outcome = &s->outcome;
    }
}

static void out_of_order(dt_signon *s, char const *what)
{
    if (s->phase == DT_PHASE_DONE)
        return;
    dt_signon_detail(s, "received a %s that was not requested", what);
    dt_signon_fail(s, DT_CAUSE_INTERNAL, NULL);
}

/* The row that takes what is fed; NULL: denied, since it was not asked for. */
static dt_phase_row const *fed_row(dt_signon *s, dt_phase_kind kind, char const *what)
{
    dt_phase_row const *row;

    s->steps++;
    if (!has_scratch(s))
        return NULL;
    row = dt_phase_row_of(s->phase);
    if (row->kind == kind)
        return row;
    out_of_order(s, what);
    return NULL;
}

/* Whoever left while a step was under way leaves now that its result is known. */
static void after_feed(dt_signon *s, dt_time now)
{
    run_stages(s, now);
    if (s->abandoned && !s->finishing && s->phase != DT_PHASE_DONE)
        finish_abandoned(s, now);
}

static void count_call(dt_signon *s, dt_called called)
{
    switch (called) {
    case DT_CALLED_OKTA:
        s->outcome.okta_calls++;
        break;
    case DT_CALLED_OKTA_POLL:
        s->outcome.polls++;
        break;
    case DT_CALLED_GRAPH:
        s->outcome.graph_calls++;
        break;
    case DT_CALLED_OCSP:
        s->outcome.ocsp_calls++;
        break;
    }
}

void dt_signon_http_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_phase_row const *row;

    if (has_scratch(s))
        wipe_body(s);
    row = fed_row(s, DT_PHASE_IS_HTTP, "reply");
    if (row == NULL)
        return;
    count_call(s, dt_signon_called(s));
    row->http_done(s, r, now);
    after_feed(s, now);
}

void dt_signon_store_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_phase_row const *row = fed_row(s, DT_PHASE_IS_STORE, "store answer");

    if (row == NULL)
        return;
    if (r->status == DT_STORE_ERROR)
        dt_signon_detail(s, "store: %s", r->error);
    row->store_done(s, r, now);
    after_feed(s, now);
}

void dt_signon_sign_done(dt_signon *s, dt_sign_result const *r, dt_time now)
{
    dt_phase_row const *row = fed_row(s, DT_PHASE_IS_SIGN, "signature");

    if (row == NULL)
        return;
    row->sign_done(s, r, now);
    after_feed(s, now);
}

void dt_signon_agent_done(dt_signon *s, dt_agent_result const *r, dt_time now)
{
    dt_phase_row const *row = fed_row(s, DT_PHASE_IS_AGENT, "agent's answer");

    if (row == NULL)
        return;
    row->agent_done(s, r, now);
    after_feed(s, now);
}

void dt_signon_managed_done(dt_signon *s, dt_managed_result const *r, dt_time now)
{
    dt_phase_row const *row = fed_row(s, DT_PHASE_IS_MANAGED, "managed app configuration");

    if (row == NULL)
        return;
    row->managed_done(s, r, now);
    after_feed(s, now);
}

void dt_signon_prompt_shown(dt_signon *s, dt_time now)
{
    (void)now;
    if (s->prompt_state == DT_PROMPT_TO_SHOW)
        s->prompt_state = DT_PROMPT_OPEN;
}

void dt_signon_answer(dt_signon *s, dt_bytes answer, dt_time now)
{
    if (!has_scratch(s))
        return;
    decide_again(s, now);
    if (s->phase == DT_PHASE_DONE || s->finishing)
        return; /* it crossed with the outcome */
    s->steps++;
    if (s->prompt_state == DT_PROMPT_NONE) {
        dt_signon_detail(s, "received an answer that was not requested");
        dt_signon_abandon(s, DT_CAUSE_INTERNAL, now); /* which takes back a push */
        return;
    }
    s->prompt_state = DT_PROMPT_NONE;
    s->prompts_unproven = false;
    if (s->conversation == DT_CONVERSATION_CHALLENGE)
        s->deadline = now + s->wait_limit; /* a new round trip has its own patience */
    dt_signon_answered(s, answer, now);
    run_stages(s, now);
}

/* Who left before the first prompt was answered may never have seen one. */
static bool no_source_asked(dt_signon const *s)
{
    return (s->prompts_unproven && dt_phase_row_of(s->phase)->for_answer) ||
           (s->blocked != 0 && s->block_cause == DT_CAUSE_MFA_NO_PROMPT);
}

void dt_signon_abandon(dt_signon *s, dt_cause cause, dt_time now)
{
    if (!has_scratch(s) || s->phase == DT_PHASE_DONE || s->abandoned)
        return;
    if (cause == DT_CAUSE_CLIENT_GONE && no_source_asked(s)) {
        dt_signon_detail(s, "MFA is required, but nobody answered the first prompt, which may not "
                            "have been shown: no push was sent");
        cause = DT_CAUSE_MFA_NO_PROMPT;
    }
    s->abandoned = true;
    s->abandon_cause = dt_cause_allows(cause) ? DT_CAUSE_INTERNAL : cause;
    if (s->finishing && s->final_result == DT_ALLOW) {
        s->final_result = DT_DENY;
        s->final_cause = s->abandon_cause;
    }
    if (is_wait(s->phase) && !s->finishing)
        finish_abandoned(s, now);
}

void dt_signon_note(dt_signon *s, char const *why)
{
    dt_signon_detail(s, "%s", why);
}

void dt_signon_set_conversation(dt_signon *s, dt_conversation c)
{
    s->conversation = c;
}

bool dt_signon_is_done(dt_signon const *s)
{
    return s->phase == DT_PHASE_DONE;
}

dt_outcome const *dt_signon_outcome(dt_signon const *s)
{
    return &s->outcome;
}

dt_identity const *dt_signon_identity(dt_signon const *s)
{
    return &s->who;
}

dt_evidence_set const *dt_signon_evidence(dt_signon const *s)
{
    static dt_evidence_set const none = {.count = 0};

    return s->scratch != NULL ? &s->scratch->evidence : &none;
}

dt_ruleset const *dt_signon_ruleset(dt_signon const *s)
{
    return &s->ruleset;
}

static char const *groups_from(unsigned from)
{
    switch (from) {
    case DT_GROUPS_FROM_REQUEST:
        return "request";
    case DT_GROUPS_FROM_OKTA:
        return "okta";
    default:
        return "request+okta";
    }
}

void dt_signon_audit_context(dt_signon const *s, dt_audit_context *out)
{
    memset(out, 0, sizeof(*out));
    out->id = s->id;
    out->application = s->application;
    out->service = s->pam_service;
    out->user = s->who.kind != DT_IDENTITY_NONE ? s->who.local : s->name;
    out->login = s->who.login;
    out->realm = s->who.realm;
    out->machine = s->who.kind == DT_IDENTITY_MACHINE;
    out->name = s->name;
    out->account = s->account;
    out->caller = s->caller;
    out->ruser = s->ruser;
    out->tty = s->tty;
    out->seat = s->seat;
    out->place = s->place;
    out->client_ip = s->client_ip;
    out->nas = s->nas;
    out->station = s->station;
    out->policy_hash = s->ruleset.policy ? dt_policy_hash(s->ruleset.policy) : "";
    if (s->group_knowledge == DT_GROUPS_KNOWN)
        out->groups_from = groups_from(dt_ruleset_groups_from(&s->ruleset));
    out->generation = s->ruleset.generation;
    out->loaded = s->ruleset.loaded;
    out->started = s->started;
    out->keys = s->scratch != NULL ? s->scratch->keys : NULL;
    out->device_event = true;
}

bool dt_signon_only_looks_up(dt_signon const *s)
{
    return s->only_looks_up;
}

dt_guid const *dt_signon_refresh_hint(dt_signon const *s)
{
    return dt_lookup_is_ageing(s, DT_QUESTION_INTUNE) ? &s->lookup_id : NULL;
}

/* What a text that is not an IP address says. A MAC address is what 802.1X has in its place. */
static dt_address address_kind(dt_signon const *s)
{
    char mac[DT_VPN_MAC_TEXT];

    if (s->client_ip[0] == '\0')
        return s->local            ? DT_ADDRESS_LOCAL
               : s->address_wanted ? DT_ADDRESS_UNKNOWN
                                   : DT_ADDRESS_ABSENT;
    return dt_mac_parse(dt_bytes_str(s->client_ip), mac) == DT_OK ? DT_ADDRESS_ABSENT
                                                                  : DT_ADDRESS_UNKNOWN;
}

bool dt_signon_device_refresh_hint(dt_signon const *s, dt_guid const **device, char const **login)
{
    *device = &s->okta_device.device_id;
    *login = s->who.login;
    return dt_lookup_is_ageing(s, DT_QUESTION_OKTA_DEVICE);
}

/* `groups` has room for DT_SIGNON_GROUPS_MAX. */
static void fill_policy_input(dt_signon const *s, char const **groups, dt_policy_input *out)
{
    char const *at = s->scratch->groups;
    bool own_realm = s->who.realm[0] == '\0';

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < s->group_count; i++) {
        groups[i] = at;
        at += strlen(at) + 1;
    }
    /* A local name of another realm is another person's here. */
    out->user = own_realm || s->who.login[0] == '\0' ? s->who.local : s->who.login;
    out->login = s->who.login;
    out->short_login = s->short_login;
    out->machine = s->who.kind == DT_IDENTITY_MACHINE;
    out->groups = groups;
    out->group_count = s->group_count;
    out->group_knowledge = s->group_knowledge;
    if (dt_ip_parse(s->client_ip, &out->ip) < 0 || !dt_ip_is_of_a_host(&out->ip))
        out->ip.set = false; /* a host name, a MAC address, nothing, 0.0.0.0 */
    out->address = address_kind(s);
    out->trust = s->outcome.verdict.trust;
    out->reason = s->outcome.verdict.reason;
    out->now = s->explain && s->what_if.time > 0 ? s->what_if.time : s->decided;
    out->utc_offset = s->utc_offset;
    out->utc_offset_known = s->utc_offset_known;
    out->platform = s->outcome.verdict.platform ? s->outcome.verdict.platform : s->platform_hint;
    out->unknown_as = s->ruleset.config->policy.unknown_device_as;
}

void dt_signon_policy_input(dt_signon *s, dt_policy_input *out, dt_time now)
{
    memset(out, 0, sizeof(*out));
    s->decided = now;
    if (has_scratch(s))
        fill_policy_input(s, s->scratch->group_list, out);
}

/* The rules were asked: one decided, or none did. */
static bool was_decided(dt_signon const *s)
{
    return s->outcome.decision.cause != DT_DECISION_NO_RULE ||
           s->outcome.cause == DT_CAUSE_NO_RULE || s->outcome.would_cause == DT_CAUSE_NO_RULE;
}

/* Of all evidence that `counts` the sources, and when the oldest of it was learnt. */
static void origin_of(dt_signon const *s, bool (*counts)(dt_signon const *, dt_evidence const *),
                      char text[DT_ORIGIN_MAX], dt_origin *out)
{
    unsigned named = 0;
    dt_buf b;

    dt_buf_init_fixed(&b, text, DT_ORIGIN_MAX);
    *out = (dt_origin){.from = text};
    text[0] = '\0';
    for (size_t i = 0; i < s->scratch->evidence.count && i < DT_EVIDENCE_MAX; i++) {
        dt_evidence const *e = &s->scratch->evidence.items[i];
        if (!counts(s, e))
            continue;
        if (out->learnt == 0 || e->observed < out->learnt)
            out->learnt = e->observed;
        if ((named & (unsigned)e->source) == 0)
            dt_buf_printf(&b, "%s%s", named != 0 ? "+" : "", dt_source_name(e->source));
        named |= (unsigned)e->source;
    }
}

/* A device that is trusted is so by some of it, another in spite of all of it. */
static bool identifies_device(dt_signon const *s, dt_evidence const *e)
{
    return s->outcome.verdict.sources == 0 ||
           ((unsigned)e->source & s->outcome.verdict.sources) != 0;
}

static bool identifies_platform(dt_signon const *s, dt_evidence const *e)
{
    return e->platform != DT_PLATFORM_UNKNOWN && e->platform == s->outcome.verdict.platform;
}

void dt_signon_origins(dt_signon const *s, dt_origins_text *text, dt_policy_origins *out)
{
    unsigned from = dt_ruleset_groups_from(&s->ruleset);

    *out = (dt_policy_origins){.now = s->decided, .address_text = s->client_ip};
    out->address.from = "the request";
    out->time.from = s->explain && s->what_if.time > 0 ? "the question" : "this host's clock";
    if (s->group_knowledge == DT_GROUPS_KNOWN)
        out->groups = (dt_origin){from == DT_GROUPS_FROM_OKTA      ? "okta"
                                  : from == DT_GROUPS_FROM_REQUEST ? "the request"
                                                                   : "the request and okta",
                                  s->groups_learnt};
    origin_of(s, identifies_platform, text->platform, &out->platform);
    if (s->outcome.verdict.platform == DT_PLATFORM_UNKNOWN &&
        s->platform_hint != DT_PLATFORM_UNKNOWN)
        out->platform = (dt_origin){.from = "the request"};
    if (s->explain && s->what_if.device)
        out->device.from = "the question";
    else
        origin_of(s, identifies_device, text->device, &out->device);
}

void dt_signon_explain(dt_signon const *s, dt_buf *out)
{
    char const *groups[DT_SIGNON_GROUPS_MAX];
    dt_policy_origins from;
    dt_origins_text text;
    dt_policy_input in;

    if (s->scratch == NULL || s->refresh_only || s->ruleset.policy == NULL || !was_decided(s))
        return;
    fill_policy_input(s, groups, &in);
    dt_signon_origins(s, &text, &from);
    dt_policy_explain_json(s->ruleset.policy, &in, &from, &s->outcome.decision, out);
}

static dt_groups_lookup groups_lookup(dt_signon const *s)
{
    if (s->group_knowledge == DT_GROUPS_KNOWN)
        return DT_GROUPS_LOOKUP_ANSWERED;
    if (!dt_ruleset_needs_groups(&s->ruleset) ||
        (s->okta_groups_missing && !dt_lookup_was_asked(s, DT_QUESTION_GROUPS)))
        return DT_GROUPS_LOOKUP_NOT_MADE;
    return DT_GROUPS_LOOKUP_FAILED;
}

/* A sign-on that ended while its groups were looked up was not decided: the decision that it has until
 * then stands for that. */
static bool waits_for_groups(dt_signon const *s)
{
    dt_cause cause = s->outcome.report_only ? s->outcome.would_cause : s->outcome.cause;

    return s->outcome.decision.cause == DT_DECISION_UNKNOWN_GROUPS &&
           cause != DT_CAUSE_GROUPS_UNKNOWN && cause != DT_CAUSE_ORG_RULE_DENY;
}

void dt_signon_policy_record(dt_signon const *s, dt_buf *out)
{
    /* Of one source's groups: see dt_ruleset_keeps_group. */
    bool selected = s->request_group_count >= DT_GROUPS_KEPT_FREELY ||
                    s->group_count - s->request_group_count >= DT_GROUPS_KEPT_FREELY;
    char const *groups[DT_SIGNON_GROUPS_MAX];
    dt_policy_input in;

    if (s->scratch == NULL || s->refresh_only || s->ruleset.policy == NULL || s->decided <= 0 ||
        s->decided_apart || !was_decided(s) || waits_for_groups(s))
        return;
    fill_policy_input(s, groups, &in);
    dt_policy_record_put(&(dt_policy_record){.in = &in,
                                             .policy = s->ruleset.policy,
                                             .org = s->ruleset.org,
                                             .decision = &s->outcome.decision,
                                             .groups_lookup = groups_lookup(s),
                                             .unsure = s->unsure_names,
                                             .selected = selected},
                         out);
}
