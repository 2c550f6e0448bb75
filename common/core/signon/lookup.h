/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The look-up: a small machine within dt_signon that answers one question at a time. A question is something
 * that a service is asked and whose answer is kept in DT_TABLE_LOOKUP. The machine uses the kept answer where
 * it is fresh. Else it asks the service (page by page, again after a failure that may pass, for as long as the
 * sign-on has time), keeps the answer, and ends with it; without an answer it ends with the kept one where that
 * may be used as stale, or with none.
 *
 * Each question is a row, in the file of its subject; the row says all there is to know of it. A new question
 * is a name in DT_QUESTIONS and a file with a row.
 *
 * A question may need the answer to another one first, which is then asked in between ("inner" and "outer").
 *
 * That no two requests for the same answer are under way at once is not ensured here, where one sign-on knows
 * nothing of another: the driver lets sign-ons share one request (dt_shared_call, driver/run.c), and starts one
 * background refresh of an answer at a time (driver/refresh.c). It learns from dt_lookup_is_ageing, by the hints
 * of signon.h, which answer is to be refreshed before it gets too old. */
#ifndef DT_CORE_LOOKUP_H
#define DT_CORE_LOOKUP_H

#include "core/signon/part.h"
#include "core/signon/signon.h"

/* Every question, in the order of the saved form: add at the end, raise SAVED_VERSION. */
#define DT_QUESTIONS(X)                                                                            \
    X(OCSP, ocsp)               /* is this certificate revoked? (signon_ocsp.c) */                 \
    X(INTUNE, intune)           /* what does Intune know of the device? (signon_intune.c) */       \
    X(DEVICE_NAME, device_name) /* which device has this name at Intune? (signon_entra.c) */       \
    X(SERVICE, service)         /* where is Intune's other service? (signon_compliance.c) */       \
    X(USER, user)               /* who is the person at Okta? (signon_okta.c) */                   \
    X(GROUPS, groups)           /* in which groups? (the same) */                                  \
    X(GROUP_NAME, group_name)   /* has the org one group of this name? (the same) */               \
    X(FACTORS, factors)         /* which factors has the person enrolled? (the same) */            \
    X(OKTA_DEVICE, okta_device) /* is the device one of the person's at Okta? (signon_device.c) */ \
    X(OKTA_APP, okta_app)       /* is the person assigned to the app? (signon_app.c) */

typedef enum dt_question {
    DT_QUESTION_NONE = 0,
#define X(NAME, name) DT_QUESTION_##NAME,
    DT_QUESTIONS(X)
#undef X
        DT_QUESTION_COUNT
} dt_question;

#define DT_QUESTION_BIT(q) (1u << (q))
_Static_assert(DT_QUESTION_COUNT <= 16, "a question has no bit in dt_lookup");
#define DT_LOOKUP_PAGES_MAX 20 /* of one list that are read, whatever the question */
#define DT_LOOKUP_PARTS_MAX 2  /* lists that one answer takes */

/* The fields of dt_signon that are the look-up's. */
typedef struct dt_lookup {
    dt_question question; /* that is being answered; NONE: no look-up is under way */
    dt_question outer;    /* that waits for its answer */
    uint16_t asked;       /* DT_QUESTION_BIT of each that was begun in this sign-on */
    uint16_t stale;       /* of each whose kept answer may be used for want of a better one */
    uint16_t ageing;      /* of each whose kept answer was used near its end, or past it */
    uint8_t part;         /* of an answer that takes several lists, one after another */
    uint8_t pages;        /* of the present list that were read */
} dt_lookup;

/* What came of looking for a kept answer. */
typedef struct dt_lookup_kept {
    dt_question question; /* NONE: none was looked for */
    dt_freshness freshness;
} dt_lookup_kept;

/* What is done with an answer: the kept one is looked for, the service is asked, what it said is kept. */
typedef enum dt_lookup_step {
    DT_LOOKUP_GET = 0,
    DT_LOOKUP_ASK,
    DT_LOOKUP_KEEP,
} dt_lookup_step;

/* With what a look-up ends. */
typedef enum dt_lookup_end {
    DT_LOOKUP_NONE = 0, /* nothing is known, and never taken for a bad answer */
    DT_LOOKUP_STALE,    /* the service gave none; the kept one is usable for want of a better one */
    DT_LOOKUP_FRESH,
} dt_lookup_end;

/* What a reply of the service comes to. The zero value is a failure that is not tried again. */
typedef enum dt_reply_kind {
    DT_REPLY_FAILED = 0,
    DT_REPLY_ANSWER, /* whole unless `next` leads to another page; it is in the machine's fields */
    DT_REPLY_PART,   /* the list is whole, and another list is asked for; see dt_lookup.part */
    DT_REPLY_INNER,  /* cannot be read before another question is answered (again): `inner` */
} dt_reply_kind;

typedef struct dt_lookup_reply {
    dt_reply_kind kind;
    char next[DT_URL_MAX]; /* ANSWER: the next page; "" = none */
    bool unkept;           /* ANSWER: use it, and do not keep it */
    dt_question inner;     /* INNER: it, and with what it begins */
    dt_lookup_step inner_step;
    /* FAILED: */
    bool again;  /* asking again, after `wait`, may help */
    bool no_old; /* no kept answer may stand in: the service was not asked, by a fault of ours */
    bool keep_failure; /* others need not ask the service either, for a while */
    bool kept_failure; /* it was not asked: it had failed a moment ago */
    bool endless;      /* more pages than are read */
    dt_time wait;
    int answer; /* the service's own word for it, for the row's `answered` */
    dt_cause
        refusal; /* of a sign-on that cannot go on, where `answer` does not say it all; else NONE */
    bool cut_short; /* the sign-on's own time ran out */
    dt_error why;   /* for the administrator; "" = set already, or set by the row */
} dt_lookup_reply;

/* A question. What does not apply is NULL or zero. */
typedef struct dt_question_row {
    char const *service; /* begins the message when there is no answer: "Intune" */
    dt_phase_part part;
    dt_called called;
    unsigned inner;  /* DT_QUESTION_BIT of those that may be asked in between */
    bool only_inner; /* it is asked on behalf of another one only */
    /* The question that has to be answered before this step; NONE: no other. *with is the step that it
     * begins with, set to DT_LOOKUP_GET. */
    dt_question (*needs)(dt_signon *s, dt_lookup_step step, dt_lookup_step *with);
    /* The inner question has ended: goes on by dt_lookup_go, or ends by dt_lookup_end. */
    void (*resume)(dt_signon *s, dt_question inner, dt_lookup_end e, dt_lookup_reply const *why,
                   dt_time now);
    /* Where the answer is kept: into s->store.key. */
    int (*key)(dt_signon *s);
    /* Takes a kept answer into the machine's fields; TOO_OLD also for one that must not be used. */
    dt_freshness (*unpack)(dt_signon *s, dt_bytes kept, dt_time now);
    /* The kept answer that was used is near its end. */
    bool (*is_ageing)(dt_signon const *s, dt_time now);
    /* Where it is kept that the service has failed; a service that has is left alone for failure_kept. */
    int (*failure_key)(dt_signon *s);
    dt_time failure_kept;
    /* Called before the first request. False: it is not to be asked now. NULL: it is. */
    bool (*may_ask)(dt_signon *s);
    /* Makes s->http, the first page or s->next_url. */
    int (*request)(dt_signon *s);
    /* Reads a reply. *out is zero. */
    void (*read)(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out);
    int pages;           /* that one list may have; 0: it has one */
    char const *endless; /* the message about one that has more; NULL: the row sets it */
    /* What is kept, and until when. May change s->store.verb, which is PUT. */
    int (*pack)(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires);
    /* It has ended, on nobody's behalf but the sign-on's. `why` is NULL where no request failed. */
    void (*answered)(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now);
    /* A saved machine has the fields that this step is made of. */
    bool (*has_fields)(dt_signon const *s, dt_lookup_step step);
} dt_question_row;

#define X(NAME, name) extern dt_question_row const dt_question_##name;
DT_QUESTIONS(X)
#undef X
/* The row of a question; one without anything for a number that is not a question. In signon.c, beside the rows of
 * the phases. */
dt_question_row const *dt_question_row_of(dt_question q);

/* Begins a look-up, with the kept answer. */
void dt_lookup_begin(dt_signon *s, dt_question q, dt_time now);
/* The same, without asking for the kept answer. */
void dt_lookup_refresh(dt_signon *s, dt_question q, dt_time now);
/* For `resume`: the question goes on with this step, and has what it needs. */
void dt_lookup_go(dt_signon *s, dt_lookup_step step, dt_time now);
/* For `resume`: the same, unless it needs the answer to another question first. */
void dt_lookup_want(dt_signon *s, dt_lookup_step step, dt_time now);
/* For `resume`: it ends so. */
void dt_lookup_end_with(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now);
/* For `resume`: it ends with the stale answer, where there is one. */
void dt_lookup_end_without(dt_signon *s, dt_lookup_reply const *why, dt_time now);

/* It was begun in this sign-on. */
bool dt_lookup_was_asked(dt_signon const *s, dt_question q);
bool dt_lookup_has_stale(dt_signon const *s, dt_question q);
void dt_lookup_forget_stale(dt_signon *s, dt_question q);
/* The answer that was used is near its end: the driver may refresh it after the sign-on. */
bool dt_lookup_is_ageing(dt_signon const *s, dt_question q);
/* What came of looking for a kept answer, if the result of a store operation was just fed that had it; once. For
 * whoever counts. */
dt_lookup_kept dt_lookup_take_kept(dt_signon *s);
/* The part that the machine is in, by its phase and its question. */
dt_phase_part dt_signon_part(dt_signon const *s);
/* Question and outer question fit each other, the phase, and the fields. */
bool dt_lookup_is_consistent(dt_signon const *s);

#endif
