/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scripted world for dt_signon: a fake clock, a store in memory, a list of expected requests with
 * their replies. What was not expected fails the test. */
#ifndef TESTS_SIGNON_WORLD_H
#define TESTS_SIGNON_WORLD_H

#include "core/signon/signon.h"

#define WORLD_ROWS_MAX 32
#define WORLD_REPLIES_MAX 128
#define WORLD_TIMEOUT (-1)
#define WORLD_FAILS (-2)
#define WORLD_START 1700000000000 /* 2023-11-14T22:13:20Z */

typedef struct world_row {
    dt_store_table table;
    char key[DT_STORE_KEY_MAX];
    char value[4096];
    size_t len;
    int64_t count;
    dt_time expires;
} world_row;

typedef struct world_reply {
    dt_http_method method;
    char const *url_part; /* must be in the URL */
    int status; /* 0: refused; WORLD_TIMEOUT: no answer for as long as allowed; WORLD_FAILS: `failure` */
    char const *body;
    dt_time rate_reset; /* with 429 */
    size_t body_len;    /* 0: up to the NUL */
    char const *next_link;
    dt_http_failure failure;
    dt_time took; /* 0: nobody looked */
} world_reply;

typedef struct world world;
struct world {
    dt_config *config;
    dt_trust_store *anchors;
    dt_policy *policy;
    dt_ruleset ruleset;
    dt_signon *machine;
    dt_time now;
    world_row rows[WORLD_ROWS_MAX];
    bool store_broken;
    bool strangers_refused; /* there is no room for counters of whom nobody knows */
    bool limits_broken;     /* the tables of limits, which the driver keeps in memory at need */
    world_reply replies[WORLD_REPLIES_MAX];
    size_t reply_count, reply_at;
    /* Answers what is not expected, for worlds in which many sign-ons follow each other; else NULL. */
    world_reply const *(*org)(world *w, dt_http_request const *q);
    /* Answers for an SSH agent: 0 with its reply, or a DT_E_*; NULL: none came along. */
    int (*agent)(world *w, dt_agent_request const *q, dt_buf *reply);
    void *agent_ctx;
    bool save_each_step; /* save and load the machine before every step */
    char last_body[DT_HTTP_BODY_MAX];
    dt_step step;       /* the last one that needs somebody: PROMPT, WAIT or DONE */
    uint8_t leaf[4096]; /* DER of a device certificate of a CA in `anchors` */
    size_t leaf_len;
    dt_sign_result sign;       /* what the host's key answers */
    dt_managed_result managed; /* what the managed app configuration says */
    void *leaf_key;            /* EVP_PKEY */
    void *ca_key, *ca;         /* EVP_PKEY and X509 of the CA */
    bool host_signs;           /* with leaf_key, instead of answering `sign` */
};

extern char const WORLD_DEVICE[]; /* the Intune device id in `leaf` */
extern char const WORLD_SERIAL[]; /* the serial number in its subject, as PF3ABC12 is compared */

/* Setups of a test or a group of tests: the worlds that are opened from then on save and load the machine
 * before each step, or do not, as at the start of a program. */
int world_run_saving(void **state);
int world_run_plain(void **state);
bool world_is_saving(void);
/* One test, and all tests of an array, in both ways. */
#define WORLD_TWICE(test)                                                                          \
    cmocka_unit_test(test),                                                                        \
    {                                                                                              \
#test " (saved)", test, world_run_saving, world_run_plain, NULL                            \
    }
#define world_run_tests_twice(name, tests)                                                         \
    (cmocka_run_group_tests_name(name, tests, NULL, NULL) +                                        \
     cmocka_run_group_tests_name(name ", saved and loaded at each step", tests, world_run_saving,  \
                                 world_run_plain))

/* A zeroed machine with its scratch, for free(). */
dt_signon *world_machine_new(void);
/* Fills both with what no machine has, as storage is that was used for something else. */
void world_machine_spoil(dt_signon *m);
/* Whether the text is anywhere in them. */
bool world_machine_holds(dt_signon const *m, char const *text);
/* A world with a policy text; `extra` are "section key value" triples ended by NULL. */
void world_open(world *w, char const *policy, char const *const *extra);
void world_close(world *w);
/* Settings that several files open a world with: a certificate of this host's own, and okta_unavailable = allow. */
extern char const *const WORLD_HOST_KEY[], *const WORLD_OKTA_UNAVAILABLE_ALLOW[];
/* Opens a world, begins the request and goes on to a prompt that is shown: for a passcode, where the person has TOTP
 * alone; or for the answer to a push, to which Okta replies `push`. */
void world_open_at_passcode(world *w, char const *policy, char const *const *extra,
                            dt_request const *r);
void world_open_at_push(world *w, char const *policy, char const *const *extra, char const *push,
                        dt_request const *r);
/* A request by user "ann" at application "vpn" with nothing known of the device. */
dt_request world_request(void);
/* The same with the world's device certificate, whose key the handshake has proved. */
dt_request with_certificate(world const *w);
void world_begin(world *w, dt_request const *r);
void world_expect(world *w, dt_http_method method, char const *url_part, int status,
                  char const *body);
/* The same of a request that ends without a status. */
void world_expect_failure(world *w, dt_http_method method, char const *url_part,
                          dt_http_failure failure);
/* What Okta is asked before MFA, and before and for a push. */
void expect_user_and_factors(world *w, char const *factors);
void expect_push(world *w, char const *reply);
void world_save_and_load(world *w);
/* Performs the step that dt_signon_next gave last. */
void world_step(world *w);
/* Performs steps up to an HTTPS request, which it leaves under way. */
void world_run_to_http(world *w, dt_http_method method, char const *url_part);
/* Answers the request that is under way; with status 0 it was given up. */
void world_feed(world *w, int status, char const *body);
/* Performs steps until a prompt, a wait or the end. */
dt_step_kind world_run(world *w);
/* Shows a prompt that is to be shown, then runs on. */
dt_step_kind world_show(world *w);
/* Moves the clock to the end of the wait and runs on. */
dt_step_kind world_wait(world *w);
dt_step_kind world_answer(world *w, char const *answer);
world_row *world_find(world *w, dt_store_table table, char const *key_part);
/* Fails unless all expected requests were made. */
void world_all_used(world const *w);
dt_outcome const *world_outcome(world const *w);
/* Fails unless this is the outcome and all expected requests were made. */
void assert_end(world *w, dt_result result, dt_cause cause);

/* Replies in Okta's and Graph's shapes. */
extern char const OKTA_USER[], OKTA_FACTORS[], OKTA_FACTORS_TOTP[], OKTA_FACTORS_PUSH[];
extern char const OKTA_PUSH[], OKTA_PUSH_NUMBER[], OKTA_WAITING[], OKTA_WAITING_NUMBER[];
extern char const OKTA_SUCCESS[], OKTA_REJECTED[], OKTA_TIMEOUT[];
extern char const OKTA_WRONG_CODE[], OKTA_RATE_LIMITED[], OKTA_INVALID_TOKEN[], OKTA_BROKEN[];
extern char const GRAPH_COMPLIANT[], GRAPH_NONCOMPLIANT[], GRAPH_NOT_FOUND[];

#endif
