/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sign-on shows the person: prompts, and the message that goes with the outcome. */
#include "core/config/messages.h"
#include "core/device/device_help.h"
#include "core/signon/signon_internal.h"
#include "core/signon/texts.h"

#include <stdio.h>
#include <string.h>

/* The way out for a person whose device is not trusted. */
static void put_device_help(dt_signon const *s, dt_buf *b)
{
    size_t before = b->len;

    dt_device_help(s->ruleset.config, &s->outcome.verdict, s->platform_hint, b);
    if (b->len > before)
        dt_buf_puts(b, " ");
}

/* What is said of it; DT_WORDS_NONE for those that say nothing. */
static dt_words words_of(dt_cause c)
{
    switch (c) {
    case DT_CAUSE_RULE_DENY:
    case DT_CAUSE_NO_RULE:
    case DT_CAUSE_ORG_RULE_DENY:
    case DT_CAUSE_BLOCKED_ZONE:
    case DT_CAUSE_BREAK_GLASS_REFUSED:
        return DT_WORDS_RULE_DENY;
    case DT_CAUSE_NETWORK_UNKNOWN:
    case DT_CAUSE_PLATFORM_UNKNOWN:
    case DT_CAUSE_TIME_UNKNOWN:
        return DT_WORDS_NETWORK_UNKNOWN;
    case DT_CAUSE_MFA_RATE_LIMITED:
    case DT_CAUSE_OKTA_UNAVAILABLE:
        return DT_WORDS_OKTA_UNAVAILABLE;
    case DT_CAUSE_OKTA_ANSWER_UNUSABLE:
    case DT_CAUSE_OKTA_UNTRUSTED:
        return DT_WORDS_OKTA_ANSWER_UNUSABLE;
    case DT_CAUSE_BUSY:
    case DT_CAUSE_OVERLOADED:
        return DT_WORDS_BUSY;
    case DT_CAUSE_PRIMARY_LOCKED:
    case DT_CAUSE_MFA_LOCKED:
        return DT_WORDS_MFA_LOCKED;
    case DT_CAUSE_CONFIG:
    case DT_CAUSE_LOCAL_FAULT:
    case DT_CAUSE_LIMITS_UNAVAILABLE:
    case DT_CAUSE_PRIMARY_MISSING:
    case DT_CAUSE_INTERNAL:
    case DT_CAUSE_AUDIT_FAILED:
        return DT_WORDS_CONFIG;
    case DT_CAUSE_OKTA_PASSWORD_EXPIRED:
        return DT_WORDS_PRIMARY_EXPIRED;
    default: /* the others have one of their own, or none */
        return dt_words_find(dt_cause_name(c));
    }
}

/* Refusals before the Okta password was shown are the same in the PAM module, which knows no configuration:
 * they have no name. */
static char const *cause_text(dt_signon const *s, dt_cause c)
{
    if (c == DT_CAUSE_PRIMARY_FAILED || c == DT_CAUSE_PRIMARY_REFUSED ||
        c == DT_CAUSE_PRIMARY_LIMIT)
        return DT_TEXT_REFUSED;
    if (c == DT_CAUSE_MFA_REJECTED && s->outcome.factor == DT_FACTOR_BROWSER)
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_BROWSER_REJECTED);
    return dt_words_text(s->ruleset.config, words_of(c));
}

/* The person has set up nothing at Okta that the rule takes: where that is done. */
static void put_enrolment(dt_signon *s, dt_buf *b)
{
    dt_cause c = s->outcome.cause;

    if (c != DT_CAUSE_PRIMARY_ENROLL &&
        (c != DT_CAUSE_MFA_NO_FACTOR || !s->factors_known || s->enrolled_count > 0))
        return;
    dt_words_put(s->ruleset.config, DT_WORDS_NOTE_ENROLL, s->ruleset.config->okta.org_url, b);
    dt_buf_puts(b, " ");
    s->outcome.links_org = true;
}

void dt_signon_set_message(dt_signon *s)
{
    dt_buf b;

    char const *told = dt_policy_message(s->ruleset.policy, &s->outcome.decision);

    s->outcome.links_org = false;
    dt_buf_init_fixed(&b, s->outcome.message, sizeof(s->outcome.message));
    if (s->outcome.result != DT_ALLOW && dt_signon_primary_hides_reason(s)) {
        dt_buf_puts(&b, DT_TEXT_REFUSED);
        return;
    }
    if (s->outcome.cause == DT_CAUSE_RULE_DENY && *told != '\0')
        dt_buf_puts(&b, told); /* the rule's own words */
    else if (s->outcome.result != DT_ALLOW || s->outcome.cause == DT_CAUSE_BREAK_GLASS)
        dt_buf_put_escaped(&b, dt_bytes_str(cause_text(s, s->outcome.cause)));
    if (s->outcome.cause == DT_CAUSE_CONFIG || s->outcome.cause == DT_CAUSE_INTERNAL ||
        !s->ruleset.config)
        return;
    if (b.len > 0)
        dt_buf_puts(&b, " ");
    put_enrolment(s, &b);
    put_device_help(s, &b);
    while (b.len > 0 && b.p[b.len - 1] == ' ')
        b.p[--b.len] = '\0';
}

static void begin_prompt(dt_signon *s, dt_buf *b, char const *note)
{
    dt_buf n;

    memset(&s->prompt, 0, sizeof(s->prompt));
    dt_buf_init_fixed(b, s->prompt.text, sizeof(s->prompt.text));
    dt_buf_init_fixed(&n, s->prompt.note, sizeof(s->prompt.note));
    dt_buf_put_escaped(&n, dt_bytes_str(note));
    if (n.len > 0)
        dt_buf_puts(&n, " ");
    if (s->attempts == 0 && !s->push_prompted &&
        dt_device_help_goes_with_prompt(s->ruleset.config, &s->outcome.verdict, s->platform_hint))
        put_device_help(s, &n);
    while (n.len > 0 && n.p[n.len - 1] == ' ')
        n.p[--n.len] = '\0';
    s->prompt_state = DT_PROMPT_TO_SHOW;
}

char const *dt_signon_no_push_text(dt_signon const *s)
{
    switch (s->block_cause) {
    case DT_CAUSE_MFA_PUSH_PENDING:
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_PUSH_PENDING);
    case DT_CAUSE_MFA_PUSH_PAUSED:
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_PUSH_PAUSED);
    case DT_CAUSE_MFA_PUSH_SPENT:
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_PUSH_SPENT);
    case DT_CAUSE_MFA_PUSH_LIMIT:
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_PUSH_LIMIT);
    default:
        return "";
    }
}

/* The types of the person's factors, of these, whose answers the prompt takes. */
static void take_answers(dt_signon *s, unsigned types)
{
    s->prompt_takes = 0;
    for (size_t i = 0; !s->answers_locked && i < s->enrolled_count; i++)
        s->prompt_takes |= s->enrolled[i].type & types;
}

/* After what Enter does. */
static void put_or_passcode(dt_signon *s, dt_buf *b)
{
    take_answers(s, dt_signon_ready_types(s));
    if (s->prompt_takes != 0) {
        dt_buf_puts(b, " ");
        dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_OR_PASSCODE, "", b);
    }
    dt_buf_puts(b, ": ");
}

static bool is_in_use(dt_signon const *s, dt_factor_type type)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return f != NULL && f->type == type;
}

/* The code comes first, as the number does. */
static void put_browser(dt_signon const *s, dt_buf *b)
{
    dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_BROWSER_CODE, s->scratch->browser.user_code, b);
    dt_buf_puts(b, " ");
    dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_BROWSER, s->scratch->browser.url, b);
}

char const *dt_signon_prompt_link(dt_signon const *s)
{
    bool sent_elsewhere = s->prompt.until != 0; /* by put_push alone */

    return sent_elsewhere && is_in_use(s, DT_FACTOR_BROWSER) ? s->scratch->browser.link : "";
}

/* The number comes first: what follows it may be off the screen. */
static void put_push(dt_signon *s, dt_buf *b)
{
    char number[16];

    s->prompt.until = s->deadline;
    if (is_in_use(s, DT_FACTOR_BROWSER)) {
        put_browser(s, b);
    } else if (s->push.number != DT_SIGNON_NUMBER_NONE) {
        (void)snprintf(number, sizeof(number), "%d", s->push.number);
        dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_NUMBER, number, b);
        s->number_shown = true;
    } else {
        dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_PUSH, "", b);
    }
    put_or_passcode(s, b);
}

/* What the code is for: somebody may be asked for it who is not signing on. */
static void put_what_for(dt_signon const *s, dt_buf *b)
{
    char name[DT_APPLICATION_MAX + DT_ADDRESS_MAX + sizeof(" ()")];
    dt_buf n;

    dt_buf_init_fixed(&n, name, sizeof(name));
    dt_buf_puts(&n, s->application);
    if (s->client_ip[0] != '\0')
        dt_buf_printf(&n, " (%s)", s->client_ip);
    dt_words_put(s->ruleset.config, DT_WORDS_NOTE_BROWSER, name, b);
}

void dt_signon_push_prompt(dt_signon *s, char const *note)
{
    char text[DT_PROMPT_TEXT_MAX];
    dt_buf b, n;

    dt_buf_init_fixed(&n, text, sizeof(text));
    dt_buf_puts(&n, note);
    if (n.len == 0 && is_in_use(s, DT_FACTOR_BROWSER))
        put_what_for(s, &n);
    begin_prompt(s, &b, text);
    put_push(s, &b);
}

/* "SMS (...1337)": what it is called, and which one. */
static void put_name(dt_enrolled const *f, dt_buf *b)
{
    dt_buf_puts(b, dt_factor_app(f->type));
    if (f->name[0] != '\0') {
        dt_buf_puts(b, " (");
        dt_buf_puts(b, f->name);
        dt_buf_puts(b, ")");
    }
}

void dt_signon_offer_prompt(dt_signon *s, char const *note)
{
    char name[DT_PROMPT_TEXT_MAX];
    dt_buf b, to;

    begin_prompt(s, &b, note);
    if (dt_factor_row(dt_signon_in_use(s)->type)->sends_codes) {
        dt_buf_init_fixed(&to, name, sizeof(name));
        put_name(dt_signon_in_use(s), &to);
        dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_OFFER_CODE, name, &b);
    } else {
        dt_words_put(s->ruleset.config,
                     is_in_use(s, DT_FACTOR_BROWSER) ? DT_WORDS_PROMPT_OFFER_BROWSER
                                                     : DT_WORDS_PROMPT_OFFER,
                     "", &b);
    }
    put_or_passcode(s, &b);
}

#define MENU_LABEL_MAX                                                                             \
    39 /* bytes of one line's text and its NUL, so that all fit into a Reply-Message */
#define MENU_LABEL_SHORT_MAX 23 /* where there are more than MENU_LONG_LINES lines */
#define MENU_LONG_LINES 5

/* "2. Code by SMS (...1337)" */
static void put_choice(dt_signon const *s, size_t at, size_t number, size_t label_max, dt_buf *b)
{
    dt_enrolled const *f = &s->enrolled[at];
    char name[DT_PROMPT_TEXT_MAX], text[DT_PROMPT_TEXT_MAX], label[MENU_LABEL_MAX];
    dt_buf n, t, l;

    dt_buf_init_fixed(&n, name, sizeof(name));
    dt_buf_init_fixed(&t, text, sizeof(text));
    dt_buf_init_fixed(&l, label, label_max);
    if (f->type == DT_FACTOR_PUSH && f->name[0] != '\0')
        dt_buf_puts(&n, f->name);
    else if (dt_factor_row(f->type)->sends_codes)
        put_name(f, &n);
    else
        dt_buf_puts(&n, dt_factor_app(f->type));
    dt_words_put(s->ruleset.config, dt_factor_row(f->type)->label, name, &t);
    dt_buf_put_escaped(&l, dt_bytes_str(text)); /* cuts it */
    dt_buf_printf(b, "%zu. %s\n", number, label);
}

void dt_signon_menu_prompt(dt_signon *s, char const *note)
{
    size_t choices[DT_SIGNON_FACTORS_MAX];
    size_t count = dt_signon_choices(s, choices);
    dt_buf b;

    begin_prompt(s, &b, note);
    for (size_t i = 0; i < count; i++)
        put_choice(s, choices[i], i + 1,
                   count > MENU_LONG_LINES ? MENU_LABEL_SHORT_MAX : MENU_LABEL_MAX, &b);
    dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_MENU, "", &b);
    dt_buf_puts(&b, ": ");
    take_answers(s, dt_signon_ready_types(s));
}

/* "Okta Verify or Google Authenticator": whose answers are taken. */
static void put_apps(dt_signon const *s, unsigned types, dt_buf *b)
{
    unsigned named = 0;

    for (size_t i = 0; i < s->enrolled_count; i++) {
        dt_factor_type type = s->enrolled[i].type;

        if ((type & types & ~named) == 0)
            continue;
        if (named != 0) {
            dt_buf_puts(b, " ");
            dt_words_put(s->ruleset.config, DT_WORDS_PROMPT_APP_OR, "", b);
            dt_buf_puts(b, " ");
        }
        dt_buf_puts(b, dt_factor_app(type));
        named |= type;
    }
}

char const *dt_signon_stray_text(dt_signon const *s)
{
    unsigned types = s->prompt_takes != 0 ? s->prompt_takes : dt_signon_ready_types(s);
    dt_enrolled const *f = dt_signon_enrolled(s, types);

    if (f == NULL)
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_NO_PASSCODE);
    return dt_words_text(s->ruleset.config, s->answers_locked ? DT_WORDS_NOTE_PASSCODE_LIMIT
                                                              : dt_factor_row(f->type)->misread);
}

void dt_signon_answer_prompt(dt_signon *s, unsigned types, char const *note)
{
    char apps[DT_PROMPT_TEXT_MAX];
    dt_enrolled const *f;
    dt_factor const *row;
    dt_buf a, b;

    begin_prompt(s, &b, note);
    if (s->push.state == DT_PUSH_WAITING) {
        put_push(s, &b);
        return;
    }
    take_answers(s, types);
    dt_buf_init_fixed(&a, apps, sizeof(apps));
    f = dt_signon_in_use(s);
    if (f == NULL || (f->type & types) == 0)
        f = dt_signon_enrolled(s, types);
    row = f != NULL ? dt_factor_row(f->type) : &dt_factor_passcode;
    if (row->prompt == DT_WORDS_PROMPT_QUESTION)
        dt_buf_puts(&a, f->name[0] != '\0' ? f->name : dt_factor_app(f->type));
    else if (row->sends_codes)
        put_name(f, &a);
    else
        put_apps(s, types, &a);
    dt_words_put(s->ruleset.config, row->prompt, apps, &b);
    dt_buf_puts(&b, ": ");
}
