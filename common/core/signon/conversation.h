/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MFA conversation of a sign-on behind one face: what a factor does (dt_factor) and how a way to Okta does it
 * there (dt_way). conversation.c chooses a factor and hands it what comes in: begin, what now, answer, cancel.
 * It knows no factor and no way by name.
 *
 * A factor is a line of DT_FACTORS (core/base/words.h) and a row in a file of its own, factor_*.c. A way is a row
 * in way_*.c. None of their functions reads a clock or does I/O: each looks at the fields and then waits for a
 * step (dt_signon_set_phase), has another factor chosen (dt_signon_block) or ends the sign-on
 * (dt_signon_finish), and returns. Phases that any factor may use:
 *
 *   SEND_COUNT, SEND_HTTP     something is counted, and then sent to the person
 *   POLL_WAIT, POLL_HTTP      the person acts elsewhere, and Okta is asked whether
 *   ANSWER_WAIT               the person is to type an answer
 *   TRIED_GET ... ANSWER_HTTP it is looked up, counted and sent: dt_signon_send_answer
 */
#ifndef DT_CORE_CONVERSATION_H
#define DT_CORE_CONVERSATION_H

#include "core/config/messages.h"
#include "core/okta/okta.h"
#include "core/okta/passcode.h"
#include "core/signon/signon.h"

#define DT_SIGNON_FACTORS_MAX                                                                      \
    11 /* of one person that are used; at least the sum of dt_factor.most */

#define DT_BROWSER_FACTOR_ID "browser" /* stands for the id of a factor that Okta has no list of */

/* One of the person's factors that the company and the rule allow. */
typedef struct dt_enrolled {
    dt_factor_type type;
    bool several; /* it stands for several, and nobody can say which was used: dt_way.alike */
    dt_time created;
    char id[DT_OKTA_ID_MAX];
    char name[DT_OKTA_FACTOR_NAME_MAX]; /* of the device, the phone, ...; "" when it has none */
} dt_enrolled;

/* What a kind of factor does. What it does not do is NULL, or zero. `s->in_use` is the one that was begun. */
typedef struct dt_factor {
    unsigned types; /* dt_factor_type bits of those that are asked for in this way */
    size_t most;    /* of them are used */

    /* Can it be begun, here and now? A factor that is blocked is not asked. */
    bool (*is_usable)(dt_signon const *s);
    /* Begins: the first step towards something that is sent, or a prompt. Sets outcome.factor. */
    void (*begin)(dt_signon *s, dt_time now);

    /* Of a factor for which something is sent (dt_signon_send). It is counted under this name, with message_limit
     * or, for a push, push_limit. */
    char const *sends;
    bool sends_codes; /* what is sent is a code, which is the answer */
    DT_MUST_USE int (*request)(dt_signon *s, dt_http_request *out);
    void (*sent)(dt_signon *s, dt_http_response const *r, dt_time now);
    void (*not_sent)(dt_signon *s, dt_cause why); /* a limit does not allow it */

    /* What now? Asks the person anew, with a note on what came before. */
    void (*ask)(dt_signon *s, char const *note, dt_time now);
    /* Of a factor that is polled: looks at Okta, once the wait is over; takes its reply; shows what is new. */
    void (*look)(dt_signon *s);
    void (*polled)(dt_signon *s, dt_http_response const *r, dt_time now);
    void (*show)(dt_signon *s, dt_time now);

    bool (*is_pending)(dt_signon const *s); /* the person may still say yes there */

    /* Of a factor that takes an answer: what was typed, in the form that is sent; DT_TYPED_PASSCODE when it can
     * be one. */
    dt_typed (*read)(dt_bytes typed, char out[DT_ANSWER_MAX]);
    dt_words misread; /* the note on text that it cannot be */
    dt_words wrong;   /* the note on an answer that was not accepted */
    dt_words prompt;  /* what asks for it */
    bool
        by_itself; /* only a prompt of its own asks for it: nothing else that is typed is sent as its answer */
    dt_words label; /* what it is called in the menu */
    /* Enter was pressed, and nothing typed. */
    void (*enter)(dt_signon *s, dt_time now);

    /* Cancel: the next of what is left to do at Okta and in the store when the sign-on ends, of whatever factor
     * let it in. True while it waits for a step. */
    bool (*cancel)(dt_signon *s);
} dt_factor;

#define X(NAME, bit, type, provider, app, row) extern dt_factor const dt_factor_##row;
DT_FACTORS(X)
#undef X

/* A way to Okta: how each part of the conversation is asked for there, and what the reply says. `out` and the
 * results are as in core/okta/okta.h. What a way cannot do is NULL. */
typedef struct dt_way {
    unsigned factors; /* dt_factor_type bits: what it can ask for */
    /* The password, as first factor. */
    DT_MUST_USE int (*password)(dt_signon const *s, dt_http_request *out);
    dt_okta_answer (*read_password)(dt_signon const *s, dt_http_response const *r, dt_time now,
                                    dt_okta_authn *out, dt_error *e);
    DT_MUST_USE int (*end_password)(dt_signon const *s, dt_http_request *out);
    /* A factor: has something sent (with a number to choose), gives an answer, polls, takes back. */
    DT_MUST_USE int (*send)(dt_signon const *s, dt_enrolled const *f, bool number,
                            dt_http_request *out);
    DT_MUST_USE int (*answer)(dt_signon const *s, dt_enrolled const *f, char const *answer,
                              dt_http_request *out);
    DT_MUST_USE int (*poll)(dt_signon const *s, dt_http_request *out);
    DT_MUST_USE int (*cancel)(dt_signon const *s, dt_http_request *out);
    dt_okta_answer (*read)(dt_signon const *s, dt_http_response const *r, dt_okta_verification *out,
                           dt_error *e);
    /* Of a way that keeps something of the replies, or needs the time: these read those to `send`, `poll` and `answer`.
     * NULL: `read` does. */
    dt_okta_answer (*read_sent)(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e);
    dt_okta_answer (*read_poll)(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e);
    dt_okta_answer (*read_answer)(dt_signon *s, dt_http_response const *r, dt_time now,
                                  dt_okta_verification *out, dt_error *e);
    /* The shortest time between two polls that Okta takes, and when it takes none any more. NULL: poll_interval of the
     * configuration alone. */
    dt_time (*poll_interval)(dt_signon const *s);
    bool (*is_over)(dt_signon const *s, dt_time now);
    /* It has what the MFA takes of it. NULL: it always has. `not_ready` says what an administrator can do. */
    bool (*is_ready)(dt_signon const *s);
    char const *not_ready;
    /* There is something to take back at the end, beside what a factor takes back. NULL: nothing. */
    bool (*is_open)(dt_signon const *s);
    /* Okta takes the kind of a factor, not which one it is: of each type one is kept, and one of all of these. */
    unsigned alike;
    /* The reply to a push that is sent says whether there is a number; polls never bring one. */
    bool number_at_once;
    /* Before another factor than the one that was begun is begun or answered: leaves that one (the reply is read by
     * `read`: REQUIRED). NULL: there is nothing to leave. */
    DT_MUST_USE int (*leave)(dt_signon const *s, dt_http_request *out);
    /* Only the sign-on that had a push sent can ask what became of it; who shares it reads its record. */
    bool polls_alone;
    /* The link leads to a transaction of this person's factor. */
    bool (*is_ours)(dt_signon const *s, dt_enrolled const *f, char const *url);
} dt_way;

#define X(NAME, word, takes_password) extern dt_way const dt_way_##word;
DT_OKTA_WAYS(X)
#undef X
/* The way of this sign-on's MFA, and of its password. */
dt_way const *dt_signon_way(dt_signon const *s);
dt_way const *dt_signon_password_way(dt_signon const *s);
/* Read the reply to something that was sent, to a poll, to an answer: as that way does. */
dt_okta_answer dt_signon_read_sent(dt_signon *s, dt_http_response const *r, dt_time now,
                                   dt_okta_verification *out, dt_error *e);
dt_okta_answer dt_signon_read_poll(dt_signon *s, dt_http_response const *r, dt_time now,
                                   dt_okta_verification *out, dt_error *e);
dt_okta_answer dt_signon_read_answer(dt_signon *s, dt_http_response const *r, dt_time now,
                                     dt_okta_verification *out, dt_error *e);

/* --- for the rows; conversation.c ------------------------------------------------------------------ */

/* The row that asks for a factor; NULL for DT_FACTOR_NONE. */
dt_factor const *dt_factor_row(dt_factor_type type);
/* The person's factor that was begun, and its row; NULL when there is none. */
dt_enrolled const *dt_signon_in_use(dt_signon const *s);
/* The first one of these types; NULL when there is none. Borrowed. */
dt_enrolled const *dt_signon_enrolled(dt_signon const *s, unsigned types);
/* The factors of these types can no longer be used in this sign-on, and this is why; another one is tried. */
void dt_signon_block(dt_signon *s, unsigned types, dt_cause why);
/* Has what the factor in use sends counted, and then sent; nothing where push_limit is 0. */
void dt_signon_send(dt_signon *s);
/* The types of the person's factors whose answer may be typed without anything having been sent. */
unsigned dt_signon_ready_types(dt_signon const *s);
/* The factors among which the person may choose here, in the order of the menu: indices of s->enrolled. */
size_t dt_signon_choices(dt_signon const *s, size_t out[DT_SIGNON_FACTORS_MAX]);
/* Before something is sent, where it is not known whether a prompt is seen: Enter has it sent. */
void dt_signon_offer(dt_signon *s, char const *note);
/* Answers can be asked for here: dt_factor.is_usable. */
bool dt_signon_can_ask(dt_signon const *s);
/* Begins a factor for which nothing is sent: dt_factor.begin. */
void dt_signon_begin_asking(dt_signon *s, dt_time now);
/* Asks for an answer of one of these types, and waits for it. */
void dt_signon_ask_answer(dt_signon *s, unsigned types, char const *note);
/* Sends s->answer as that of enrolled[at]: it is looked up whether it was wrong a moment ago, and counted. */
void dt_signon_send_answer(dt_signon *s, size_t at);
/* An answer that was not taken: the person is asked anew, unless all attempts are used up. */
void dt_signon_ask_anew(dt_signon *s, char const *why, dt_time now);

/* Okta waits for another factor than enrolled[at], which has to be left first. */
bool dt_signon_must_leave(dt_signon const *s, size_t at);
/* Reads the reply to that; the phase then asks for what it is there for, unless the sign-on has ended. */
void dt_signon_left(dt_signon *s, dt_http_response const *r, dt_time now);
/* Why a sign-on ends with this result of Okta's; DT_CAUSE_NONE where it does not. */
dt_cause dt_signon_cause_of_result(dt_okta_result r);

/* --- for the rest of the sign-on ------------------------------------------------------------------- */

/* Keeps what the company, the rule and this version allow. */
void dt_signon_keep_factors(dt_signon *s, dt_okta_factors const *list);
/* What the person typed. */
void dt_signon_answered(dt_signon *s, dt_bytes answer, dt_time now);
/* The factor that outcome.factor names, as it answered; NULL when nobody can say that. Borrowed. */
dt_enrolled const *dt_signon_that_answered(dt_signon const *s);
/* The factors that the person is being asked for. */
unsigned dt_signon_factors_asked_for(dt_signon const *s);

#endif
