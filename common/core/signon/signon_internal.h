/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of dt_signon, shared by its own files only (signon*.c): the phases, the fields, and the
 * few functions by which one file hands on to another.
 *
 * A machine at rest is always in a phase that waits for something: each phase has one kind of step.
 * What a phase asks for is rendered anew from the fields by dt_signon_next, never kept, so a saved
 * machine is its phase and its fields.
 *
 * lookup.c defines dt_signon_called, signon_groups.c dt_signon_group_name and dt_signon_okta_names. */
#ifndef DT_CORE_SIGNON_INTERNAL_H
#define DT_CORE_SIGNON_INTERNAL_H

#include "core/intune/compliance_service.h"
#include "core/base/crypto.h"
#include "core/device/device_record.h"
#include "core/device/ocsp.h"
#include "core/okta/okta_browser.h"
#include "core/okta/okta_device.h"
#include "core/okta/okta_direct.h"
#include "core/signon/conversation.h"
#include "core/signon/lookup.h"
#include "core/signon/part.h"
#include "core/signon/remembered.h"
#include "core/signon/signon.h"
#include "core/device/ssh_agent.h"
#include "core/device/ssh_wire.h"

#define DT_SIGNON_GROUPS_MAX 64 /* of the person's groups, those that the policy names */
#define DT_SIGNON_GROUPS_TEXT_MAX 4096
#define DT_SIGNON_GROUP_PAGES_MAX 20  /* pages of Okta groups that are read */
#define DT_SIGNON_GROUP_NAMES_MAX 16  /* names of a person's groups that the org is asked about */
#define DT_SIGNON_NAME_PAGES_MAX 5    /* pages of groups of one name */
#define DT_SIGNON_DEVICE_PAGES_MAX 5  /* pages of devices that have one Entra id */
#define DT_SIGNON_END_STEPS_MAX 8     /* beyond DT_SIGNON_STEPS_MAX, to take back a push */
#define DT_SIGNON_RETRIES_MAX 2       /* of one GET, or of a request that was rate limited */
#define DT_SIGNON_POLL_FAILURES_MAX 5 /* polls in a row without a usable answer */
#define DT_SIGNON_EARLY_POLLS 3       /* quick polls in which a number challenge may turn up */
#define DT_SIGNON_EARLY_POLL_INTERVAL DT_SECONDS(1)
#define DT_SIGNON_CANCEL_TIMEOUT DT_SECONDS(3)
#define DT_SIGNON_FAIR_TIMEOUT                                                                     \
    DT_SECONDS(10)                          /* without an answer for so long, Okta is unreachable */
#define DT_SIGNON_PERSON_WAIT DT_SECONDS(3) /* with report_only, for what Okta knows of a person */
#define DT_SIGNON_PERSON_MARGIN 100         /* ms, that one call may take longer */
#define DT_SIGNON_PUSH_RESULT_KEPT DT_SECONDS(15) /* for those who share the push */
#define DT_DECISION_HINT_MAX 160
#define DT_SIGNON_CONNECTION_KEPT DT_HOURS(24) /* that an SSH connection has had its push */
#define DT_SIGNON_LOGIN_MAX DT_LOGIN_MAX
#define DT_SIGNON_LINK_MAX 512 /* an Okta transaction's URL */
#define DT_SIGNON_VALUE_MAX 8192
#define DT_SIGNON_RECORD_MAX 2048 /* of a push */
#define DT_SIGNON_REFRESH_AT_PERCENT                                                               \
    80 /* of cache_ttl: from here on an answer is refreshed ahead */
#define DT_SIGNON_AGENT_SIGNATURES_MAX 3           /* that one agent is asked for */
#define DT_SIGNON_AGENT_LIST_TIMEOUT DT_SECONDS(5) /* it needs nobody's consent to list its keys */
#define DT_SIGNON_HOST_MAX 256
#define DT_SIGNON_COLLECTORS 8 /* of evidence */
#define DT_SIGNON_NUMBER_NONE (-1)
#define DT_SIGNON_NOT_ASSIGNED_KEPT DT_MINUTES(1) /* who has just been assigned gets in soon */
#define DT_SIGNON_STRAY_ANSWERS_MAX 3 /* texts that are not a passcode, and are refused as such */
#define DT_SIGNON_MENU_MAX 8          /* factors in the menu, as Okta recommends */
#define DT_SIGNON_RESENDS_MAX 3       /* of a code, in one sign-on */
#define DT_SIGNON_TRIED_KEPT DT_MINUTES(10) /* a wrong passcode is not sent again for so long */

/* Every phase, in the order of the saved form: add at the end, raise SAVED_VERSION. Each has a row, in
 * the file of its subject, that says all there is to know of it. */
#define DT_PHASES(X)                                                                               \
    X(DONE, done)                                                                                  \
    X(HOST_SIGN, host_sign)                                                                        \
    X(MANAGED, managed)                                                                            \
    X(SSH_GET, ssh_get)                                                                            \
    X(ALIAS_GET, alias_get) /* which device a VPN client means */                                  \
    X(REMEMBERED_GET, remembered_get)                                                              \
    X(PUSH_CLAIM, push_claim)                                                                      \
    X(PUSH_RECLAIM, push_reclaim) /* take over the record of a push that is over */                \
    X(SEND_COUNT, send_count)                                                                      \
    X(SEND_HTTP, send_http)                                                                        \
    X(PUSH_RECORD, push_record)                                                                    \
    X(POLL_WAIT, poll_wait)                                                                        \
    X(PUSH_JOINED_GET, push_joined_get)                                                            \
    X(POLL_HTTP, poll_http)                                                                        \
    X(ANSWER_WAIT, answer_wait) /* an answer is to be typed, and nothing else is waited for */     \
    X(ANSWER_HTTP, answer_http)                                                                    \
    X(RETRY_WAIT, retry_wait) /* then `retry_phase` again */                                       \
    X(CANCEL_HTTP, cancel_http)                                                                    \
    X(PUSH_FINISH, push_finish)                                                                    \
    X(REMEMBERED_PUT, remembered_put)                                                              \
    X(REMEMBERED_DROP, remembered_drop) /* one that has ended */                                   \
    X(REGISTRY_GET, registry_get)                                                                  \
    X(PASSWORD_COUNT, password_count)                                                              \
    X(PASSWORD_HTTP, password_http)                                                                \
    X(PASSWORD_UNCOUNT, password_uncount) /* it was right: attempts count from the beginning */    \
    X(PASSWORD_CANCEL, password_cancel)   /* the transaction that Okta opened for it */            \
    X(AGENT_LIST, agent_list)                                                                      \
    X(AGENT_KEY_GET, agent_key_get) /* is it enrolled? then, once it is proved, as what */         \
    X(AGENT_SIGN, agent_sign)                                                                      \
    X(PUSH_CONNECTION, push_connection) /* has this SSH connection had its push? */                \
    X(ANSWER_COUNT, answer_count)       /* each passcode is counted before it is sent */           \
    X(ANSWER_UNCOUNT, answer_uncount)   /* Okta did not look at it */                              \
    X(LIMITS_CLEAR, limits_clear) /* an MFA was right: wrong passcodes count from the beginning */ \
    X(PASSWORD_WHO, password_who) /* too many names are counted: does Okta know this one? */       \
    X(TRIED_GET, tried_get)       /* was this very passcode wrong a moment ago? */                 \
    X(TRIED_PUT, tried_put)       /* it is from now on */                                          \
    X(PUSH_OFFER, push_offer)     /* the person is asked whether to send a push */                 \
    X(LOOKUP_GET, lookup_get)     /* the kept answer to the question of the present look-up */     \
    X(LOOKUP_FAILURE_GET, lookup_failure_get) /* has its service failed a moment ago? */           \
    X(LOOKUP_HTTP, lookup_http)                                                                    \
    X(LOOKUP_PUT, lookup_put)                                                                      \
    X(LOOKUP_FAILURE_PUT, lookup_failure_put)

typedef enum dt_phase {
#define X(NAME, name) DT_PHASE_##NAME,
    DT_PHASES(X)
#undef X
        DT_PHASE_COUNT
} dt_phase;

/* For what a phase waits. */
typedef enum dt_phase_kind {
    DT_PHASE_IS_DONE = 0,
    DT_PHASE_IS_WAIT, /* for a time, or for a person's answer */
    DT_PHASE_IS_STORE,
    DT_PHASE_IS_HTTP,
    DT_PHASE_IS_SIGN,
    DT_PHASE_IS_MANAGED,
    DT_PHASE_IS_AGENT,
} dt_phase_kind;

/* What there is to know of a phase. What does not apply is zero. */
typedef struct dt_phase_row {
    dt_phase_kind kind;
    dt_phase_part part;
    dt_called called; /* of DT_PHASE_IS_HTTP */
    bool retried;     /* of DT_PHASE_IS_HTTP: RETRY_WAIT may lead to it */
    bool for_answer;  /* of DT_PHASE_IS_WAIT: for the person's answer, and for nothing else */
    bool repeatable;  /* of DT_PHASE_IS_HTTP: may be sent again whatever became of it */
    /* Makes the step: fills s->store, s->http or s->agent_request. `value` has room for what is written
     * to the store, or said to an agent. */
    int (*render)(dt_signon *s, dt_buf *value, dt_time now);
    /* Takes the result; the one that goes with the kind. */
    void (*store_done)(dt_signon *s, dt_store_result const *r, dt_time now);
    void (*http_done)(dt_signon *s, dt_http_response const *r, dt_time now);
    void (*sign_done)(dt_signon *s, dt_sign_result const *r, dt_time now);
    void (*managed_done)(dt_signon *s, dt_managed_result const *r, dt_time now);
    void (*agent_done)(dt_signon *s, dt_agent_result const *r, dt_time now);
    void (*time_done)(dt_signon *s, dt_time now);
    /* A saved machine in this phase has the fields that its step is made of. NULL: it needs none. */
    bool (*has_fields)(dt_signon const *s);
    /* What a loaded machine has to do first, for the sake of what is never saved. May be NULL. */
    void (*loaded)(dt_signon *s);
} dt_phase_row;

#define X(NAME, name) extern dt_phase_row const dt_row_##name;
DT_PHASES(X)
#undef X
/* The row of a phase; that of DONE for a number that is not a phase. */
dt_phase_row const *dt_phase_row_of(dt_phase p);
/* Whose calls a reply counts to in the present phase. */
dt_called dt_signon_called(dt_signon const *s);
/* The phase that the machine is in, or will be in again when its wait before a retry is over. */
dt_phase dt_signon_phase(dt_signon const *s);

/* The stages of a sign-on, in their order. The loop in signon.c enters one at a time. A stage reads the fields and
 * then does one of three things: it waits for a step (dt_signon_set_phase), it names the stage that comes next
 * (dt_signon_go), or it ends the sign-on (dt_signon_finish, dt_signon_fail); and it returns. What takes a step's
 * result does the same. No stage calls another. */
#define DT_STAGES(X)                                                                               \
    X(EVIDENCE, evidence)         /* what is known of the device */                                \
    X(DECISION, decision)         /* what the rules say */                                         \
    X(PRIMARY, primary)           /* the first factor, where it is ours to verify */               \
    X(REMEMBERED, remembered)     /* an MFA that was given earlier */                              \
    X(CONVERSATION, conversation) /* the MFA */                                                    \
    X(FINISH, finish)             /* what is left to do once the outcome is known */

typedef enum dt_stage {
#define X(NAME, name) DT_STAGE_##NAME,
    DT_STAGES(X)
#undef X
        DT_STAGE_COUNT
} dt_stage;

#define X(NAME, name) void dt_signon_##name##_stage(dt_signon *s, dt_time now);
DT_STAGES(X)
#undef X
/* This stage comes next, once the present one has returned. */
void dt_signon_go(dt_signon *s, dt_stage stage);

/* In what the site that a kept sign-on began with differs from the one that it goes on with. */
#define DT_OUTDATED_POLICY (1u << 0)
#define DT_OUTDATED_CONFIG (1u << 1)
#define DT_OUTDATED_CA (1u << 2)

typedef enum dt_prompt_state {
    DT_PROMPT_NONE = 0,
    DT_PROMPT_TO_SHOW,
    DT_PROMPT_OPEN,
} dt_prompt_state;

/* Whose push is under way, as the store knows it (DT_TABLE_PUSH). */
typedef enum dt_push_state {
    DT_PUSH_NONE = 0,
    DT_PUSH_STARTING, /* claimed, not yet sent */
    DT_PUSH_WAITING,
    DT_PUSH_APPROVED,
    DT_PUSH_REJECTED,
    DT_PUSH_OVER,   /* timed out, cancelled, failed: nobody may build on it */
    DT_PUSH_LOCKED, /* the same, because the person's account was locked meanwhile */
} dt_push_state;

/* An SSH agent that came along; its keys and the one that is asked for are in the room at the end. */
typedef struct dt_agent_state {
    bool wanted;      /* it is still to be asked */
    bool certificate; /* a device CA's certificate is the one that is asked for */
    bool proved;      /* its signature is valid */
    size_t count, at; /* plain keys, and which of them is looked at */
    size_t blob_len;  /* of the key that is asked for */
    int asked;        /* signatures */
    dt_reason failed; /* why none proved anything */
    dt_time until;
} dt_agent_state;

typedef struct dt_agent_key {
    uint8_t digest[DT_SHA256_LEN]; /* of its blob */
    bool hardware;
} dt_agent_key;

typedef struct dt_push {
    dt_push_state state;
    bool joined; /* another sign-on sent it */
    int number;
    char owner[DT_SIGNON_ID_LEN + 1];
    dt_time at; /* when it was denied; else 0 */
    char poll_url[DT_SIGNON_LINK_MAX];
    char cancel_url[DT_SIGNON_LINK_MAX];
} dt_push;

/* What was shown to the person who signs in with a browser. The device_code is a secret of the scratch. */
typedef struct dt_browser {
    char user_code[DT_BROWSER_USER_CODE_MAX];
    char url[DT_BROWSER_URL_MAX];
    char link[DT_BROWSER_LINK_MAX];
    dt_time interval; /* between polls, at least */
    dt_time expires;  /* of the codes; 0 = there are none */
} dt_browser;

/* Its record in the store. */
typedef struct dt_push_record {
    dt_push push;
    char login[DT_SIGNON_LOGIN_MAX];
    char share[2 * DT_SHA256_LEN + 1]; /* push_key of the sign-on that sent it */
} dt_push_record;

/* What a machine works in: most of its bytes, and needed only while somebody drives it, who brings it
 * (dt_signon_attach). What of it means something between two steps is in the saved form. */
struct dt_signon_scratch {
    /* Each is wiped once it is used, and when the machine is done; none is saved but the last two. */
    struct {
        char answer[DT_ANSWER_MAX]; /* in the form that is sent */
        char password[DT_PASSWORD_MAX];
        char state_token[DT_OKTA_STATE_TOKEN_MAX];
        /* Of the transaction that the MFA goes on with, or the device_code. In the saved form, which is sealed by
         * whoever keeps it. */
        char transaction[DT_OKTA_STATE_TOKEN_MAX];
        char oob_code[DT_DIRECT_OOB_CODE_MAX]; /* of what was begun out of band; saved as well */
    } secrets;
    dt_browser browser;
    dt_evidence_set evidence;
    dt_evidence ocsp_evidence;
    dt_ssh_keys ssh;
    dt_vpn_claims vpn;
    dt_key_presented keys[DT_KEYS_PRESENTED_MAX]; /* the first without a name ends them */
    char next_url[DT_SIGNON_LINK_MAX];
    char host[DT_SIGNON_HOST_MAX];
    dt_lookup_kept kept; /* for dt_lookup_take_kept, right after it was looked for */

    /* what dt_signon_next rendered, with `http` and `value`; borrowed by the caller until it feeds back */
    dt_store_op store;
    dt_sign_request sign;
    dt_agent_request agent_request;

    /* Not cleared at the start: cold bytes on the way of every sign-on. They hold nothing but what the
     * fields of the machine, or the step that was rendered, say. */
    dt_http_request http; /* the first of them: see start() in signon.c */
    char value[DT_SIGNON_VALUE_MAX];
    dt_ocsp_question ocsp; /* means something while ocsp_waits, or its answer is ageing */
    char ocsp_detail[DT_ERROR_TEXT_MAX]; /* what failed; the same */
    dt_compliance_address service;       /* means something while service_known */
    char expected[DT_SIGNON_RECORD_MAX];
    char groups[DT_SIGNON_GROUPS_TEXT_MAX];       /* names the policy knows, NUL-terminated each */
    char const *group_list[DT_SIGNON_GROUPS_MAX]; /* into `groups`, made when it is needed */
    dt_agent_key agent_keys[DT_AGENT_IDENTITIES_MAX];
    uint8_t agent_blob[DT_AGENT_BLOB_MAX];
};

struct dt_signon {
    dt_signon_scratch *scratch; /* NULL denies */
    dt_ruleset ruleset;
    dt_phase phase;
    dt_phase retry_phase;
    dt_stage stage; /* that comes next, while `entering`; neither is saved */
    bool entering;
    int steps;
    int retries;
    unsigned
        outdated; /* DT_OUTDATED_*: has to be decided again before anything else; never saved */
    dt_time started, deadline, wait_limit;
    dt_time until; /* of the WAIT phases */
    dt_lookup lookup;

    /* who and where */
    char id[DT_SIGNON_ID_LEN + 1];
    char application[DT_APPLICATION_MAX];
    char pam_service[DT_APPLICATION_MAX]; /* not saved: a PAM sign-on never is */
    dt_identity who; /* made once, by dt_signon_begin; rules, limits, caches go by it */
    char short_login[DT_LOGIN_MAX]; /* dt_identity_short; never saved */
    char name
        [DT_USER_MAX]; /* what it was made of, cut where it was too long for one; for the audit */
    char account
        [DT_USER_MAX]; /* that will be opened; "" = that of `who`; not saved, as are the next */
    char caller[DT_USER_MAX], ruser[DT_USER_MAX];
    char tty[DT_ADDRESS_MAX], seat[DT_ADDRESS_MAX], place[DT_ADDRESS_MAX];
    char client_ip[DT_ADDRESS_MAX];
    char nas[DT_USER_MAX];
    char station[DT_USER_MAX];
    char session[DT_SESSION_NAME_MAX];
    char push_key[2 * DT_SHA256_LEN + 1];
    char connection[DT_SESSION_NAME_MAX];
    size_t groups_len, group_count;
    dt_group_knowledge group_knowledge;
    size_t request_groups_len, request_group_count; /* of them, those that came with the request */
    bool okta_groups_missing;                       /* all other sources of groups have answered */
    uint64_t
        unsure_names; /* a bit for each group: the name is from Okta, and other groups there may have it, too */
    size_t name_at;        /* the group whose name is looked up at the org */
    int names_asked;       /* names that the org was asked about */
    int named;             /* groups of that name so far; means something once it was asked */
    dt_time groups_learnt; /* at Okta; 0: they came with the request */
    dt_platform platform_hint;
    uint8_t random[32];

    /* evidence */
    bool local, address_wanted;
    int utc_offset;
    dt_time known_since; /* of dt_request; never saved */
    bool utc_offset_known;
    dt_time decided;    /* when the policy was last asked */
    bool decided_apart; /* by a policy that was loaded meanwhile, with what another one had kept */
    dt_what_if what_if;
    bool host_evidence;
    bool host_managed; /* the managed app configuration is still to be read */
    bool refresh_only;
    size_t ssh_at;
    dt_agent_state agent;
    uint8_t collector; /* of the evidence stage, that comes next: see signon_evidence.c */
    bool registry_asked;
    bool vpn_search; /* the device that the VPN client means is still to be found */
    size_t vpn_at;
    bool ocsp_waits; /* `ocsp_evidence` is good but for the answer to `ocsp` */
    bool ocsp_from_cache;
    dt_ocsp_answer ocsp_answer;
    dt_guid lookup_id;
    dt_intune_device intune;
    dt_intune_name lookup_name; /* by which a device is looked for; unset: by none */
    int lookup_found;           /* devices that have it, so far: 0; 1: `intune`; 2: several */
    bool service_known;         /* `service` is an address of the Compliance Retrieval service */
    bool service_asked;         /* Graph was asked for it */
    dt_okta_device okta_device;
    dt_okta_device okta_device_kept; /* the stale answer, while its question has one */

    /* conversation */
    dt_conversation conversation;
    bool prompts_unproven; /* no prompt has been answered yet, and none may ever be */
    bool prompts_unseen;
    bool push_prompt, explain;
    dt_person_at_okta person; /* what is enrolled is saved; the rest is not: it waits for nobody */
    bool abandoned;
    dt_cause abandon_cause;
    dt_prompt prompt;
    dt_prompt_state prompt_state;
    unsigned prompt_takes;           /* dt_factor_type bits: whose answers */
    bool push_offered;               /* the prompt asks whether to send one, or a code */
    int codes_sent;                  /* of the factor in use */
    bool menu;                       /* the prompt asks which factor */
    unsigned word_types, word_which; /* a word that came along says which: no other is asked for */
    size_t awaited; /* the factor that Okta waits for (dt_way.leave): 1 + where; 0: none */
    size_t chosen;  /* by the person: 1 + where it is in `enrolled`; 0: none */
    bool push_prompted, number_shown;
    int attempts;
    bool
        stray_answer; /* text that is not a passcode was typed at the prompt of a push, and no note was shown */
    int stray_answers; /* how often */

    /* Okta */
    char user_id[DT_OKTA_ID_MAX];
    char app[DT_OKTA_ID_MAX]; /* that Okta was asked about, or is; "" = none */
    dt_time app_asked;
    bool app_assigned; /* what it said */
    bool user_cached;
    bool factors_known;
    bool okta_unreachable;
    dt_time user_fetched, password_changed, status_changed;
    dt_mfa_given
        earlier;    /* that the rule accepts; whether Okta still knows the person as then is being
                             found out */
    bool continues; /* `earlier` is that of the session which goes on */
    dt_continued continued;                  /* never saved */
    bool only_continue;                      /* the same */
    char address_hint[DT_DECISION_HINT_MAX]; /* the same */
    bool device_later;                       /* the same; not saved: a PAM sign-on never is */
    bool handshake_resumed;                  /* the same */
    bool only_looks_up;                      /* saved */
    bool
        break_glass; /* an account of [break_glass] was allowed; never saved: it waits for nothing */
    dt_enrolled enrolled[DT_SIGNON_FACTORS_MAX];
    size_t enrolled_count;
    size_t in_use;    /* of them: the one that was begun */
    size_t answer_at; /* of them: the one whose answer was typed */
    bool negative;    /* in this sign-on Okta said no to something, answered what makes no sense, or
                          was not asked by a failure of ours: its absence does not allow any more */
    unsigned blocked; /* dt_factor_type bits: of no use in this sign-on, as by push_limit */
    dt_cause block_cause;
    dt_push push;
    int early_polls, poll_failures;
    dt_time poll_every;  /* the interval between polls that Okta named; 0 = none */
    dt_time poll_from;   /* no poll before */
    dt_time oob_expires; /* of the oob_code; 0 = not known */
    dt_result final_result;
    dt_cause final_cause;
    bool finishing;
    bool cancel_tried;
    bool mfa_done, limits_cleared;
    bool answer_unjudged; /* one was counted that Okta did not look at */
    bool answers_locked;  /* they are refused in this sign-on */
    bool next_code; /* the answer was a token's code, and Okta wants the token's next one as well */
    bool person_exists; /* Okta knows the login whose password is counted */

    dt_outcome outcome;

    size_t expected_len;
    dt_time asked_for; /* the longest that the HTTPS request under way may take */
};

/* signon_collect.c: the evidence stage. */
void dt_signon_evidence_begin(dt_signon *s, dt_request const *r, dt_time now);

/* signon_evidence.c: what its collectors use. */
void dt_signon_add_evidence(dt_signon *s, dt_evidence const *e);
/* Keeps for the event what names a key that the client presented; escaped, and once. What is beyond
 * DT_KEYS_PRESENTED_MAX is left out. */
void dt_signon_note_key(dt_signon *s, dt_source source, char const *name);
/* What was fetched at that time is no longer fresh where something newer is wanted. */
dt_freshness dt_signon_freshness(dt_signon const *s, dt_freshness f, dt_time fetched);
/* Like dt_signon_note_key, of a plain key by its fingerprint in hex, and of an SSH certificate. */
void dt_signon_ssh_note_key(dt_signon *s, dt_source source, char const fingerprint[65]);
void dt_signon_ssh_note_certificate(dt_signon *s, dt_source source, dt_bytes blob);
/* The evidence stage comes next, unless the sign-on has ended. */
void dt_signon_collect(dt_signon *s);
/* The same, with nothing left to be collected. */
void dt_signon_evidence_ends(dt_signon *s);
/* An alternative of trusted_when names it. */
bool dt_signon_trust_rule_names(dt_signon const *s, unsigned source);
/* Would a good answer of this look-up, with one of the other beside it if need be, make the device
 * trusted by this evidence that is not yet? */
bool dt_signon_lookup_matters(dt_signon const *s, dt_evidence_set const *set, unsigned source,
                              dt_guid const *id, dt_time now);

/* What becomes of a look-up at Graph or Intune that was answered so. */
void dt_signon_intune_failed(dt_intune_answer a, dt_http_response const *r, dt_error const *e,
                             dt_lookup_reply *out);

/* A collector returns true when it waits for a step, with whose result it is called again, and false when it has
 * all that it can have. */

/* signon_certificate.c: certificates of devices. */
/* Judges one and makes evidence of it, or has its OCSP responder asked first. `proved`: its key was used in this
 * sign-on. */
void dt_signon_certificate(dt_signon *s, dt_source source, dt_bytes der, dt_bytes const *chain,
                           size_t chain_count, bool proved, dt_time now);
bool dt_signon_host_begin(dt_signon *s, dt_time now); /* this host's own */

/* signon_ssh.c: SSH keys and certificates. */
/* What SSH_AUTH_INFO_0 says. */
void dt_signon_ssh_take(dt_signon *s, dt_bytes info, dt_time now);
bool dt_signon_ssh_begin(dt_signon *s, dt_time now);
dt_ssh_certificate_rules dt_signon_ssh_rules(dt_signon const *s);
/* A certificate whose key was proved. */
void dt_signon_ssh_certificate(dt_signon *s, dt_source source, dt_ssh_certificate_use use,
                               dt_bytes blob, dt_time now);
/* The registry's record of a plain key that was proved. */
void dt_signon_ssh_record(dt_signon *s, dt_source source, char const fingerprint[65], bool hardware,
                          dt_bytes text, dt_time now);
/* Whether a proved key is enrolled is not known. */
void dt_signon_ssh_unknown(dt_signon *s, dt_source source, dt_time now);
/* The blob of the key that the record enrols, appended; false for a record that is not of this key. */
bool dt_signon_record_key(dt_signon *s, dt_bytes text, char const fingerprint[65], dt_buf *blob);

/* signon_vpn.c: what a VPN client says of its device. */
void dt_signon_vpn_device(dt_signon *s, char const *text, dt_platform platform, dt_time now);
void dt_signon_vpn_claims(dt_signon *s, dt_request const *r);
bool dt_signon_vpn_begin(dt_signon *s, dt_time now);

/* signon_compliance.c: where Intune's other service is. */
bool dt_signon_compliance_has_address(dt_signon const *s);
bool dt_signon_compliance_is_doubted(dt_signon const *s);
/* True where the kept address may be why the service gave no answer: *out has it looked up again, if there is
 * time for that. */
bool dt_signon_compliance_doubt(dt_signon *s, dt_intune_answer a, dt_http_response const *r,
                                dt_error const *e, dt_time now, dt_lookup_reply *out);

/* signon_device.c: the device as Okta knows it. */
/* After all other evidence. True when Okta is asked about the device, which matters. */
bool dt_signon_device_begin(dt_signon *s, dt_time now);

/* signon_entra.c: a proved certificate that names its device by Entra's id alone, or by its serial
 * number. */
/* True when Intune is to be asked which device that is, which has begun. */
bool dt_signon_entra_begin(dt_signon *s, dt_time now);
/* `intune` is about a device: what named it by its Entra id or serial names it now; what names another
 * speaks of another device, and so against this sign-on. False when the service told neither, and
 * something is named by one: whether both are of one device is then not known. */
bool dt_signon_entra_resolve(dt_signon *s);
/* No device has the name, or several do. */
void dt_signon_entra_refuse(dt_signon *s, dt_time now);
/* What was not resolved by the time of the verdict is not known. */
void dt_signon_entra_give_up(dt_signon *s);
/* The cached answer about the device has the name that led to it, or none did. */
bool dt_signon_entra_fits(dt_signon const *s);

/* signon_decision.c: what the rules say. */
/* True when it is the sign-on of a break-glass account, which ends here, allowed or refused. */
bool dt_signon_break_glass(dt_signon *s, bool at_terminal, dt_time now);
/* After the application's rules: what the org's own say to it. */
bool dt_signon_org_denies(dt_signon const *s);
/* The org's MFA is not due: the device is trusted, and org_mfa says that this suffices. */
bool dt_signon_org_mfa_waived(dt_signon const *s);
/* Ends a sign-on whose decision does not let in, with the cause that goes with it. */
void dt_signon_refuse(dt_signon *s, dt_policy_input const *in, dt_time now);

/* signon_ocsp.c: what a responder says of a device certificate. */
/* s->ocsp is open: the evidence waits for its answer. */
void dt_signon_ocsp_wait(dt_signon *s, dt_evidence const *ev);

/* signon_agent.c: a device's key in an SSH agent. */
/* True when an agent is to be asked, which has begun. */
bool dt_signon_agent_begin(dt_signon *s, dt_time now);
/* The bytes that are to be signed. */
DT_MUST_USE int dt_signon_agent_proof(dt_signon const *s, dt_buf *out);

/* signon_okta.c: the user, the groups, the factors. */
/* The person is known: the factors come next. */
void dt_signon_want_factors(dt_signon *s, dt_time now);
/* What the company and the rule allow, and the way to Okta can ask for. */
unsigned dt_signon_factors_allowed(dt_signon const *s);
/* True when a look-up at Okta was answered OK; else *out says what becomes of it. */
bool dt_signon_okta_is_ok(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                          dt_error const *e, dt_time now, dt_lookup_reply *out);
/* For all other requests. False when the answer is OK; else it has moved the machine on (retry, unavailable,
 * refused). */
bool dt_signon_okta_failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                           dt_error const *e, dt_time now);
/* The request timed out because the sign-on's own time ran out: that tells nothing about Okta, and
 * whoever lets a sign-on run to its end must not get in by it. */
bool dt_signon_was_cut_short(dt_signon const *s, dt_http_response const *r);
/* Okta is unavailable (dt_okta_is_unavailable of its last answer): okta_unavailable decides. */
void dt_signon_okta_unavailable(dt_signon *s, dt_time now);
/* Why a sign-on is refused that cannot go on after this answer. OK: read, and not understood. */
dt_cause dt_signon_cause_of(dt_okta_answer a);

/* Ends a sign-on that cannot go on without a look-up at Okta. `why` is the request that failed; where it is NULL,
 * `otherwise` stands for it. */
void dt_signon_end_without_okta(dt_signon *s, dt_lookup_reply const *why, dt_okta_answer otherwise,
                                dt_time now);

/* signon_person.c: could the person pass the MFA? */
/* With report_only, where MFA is due: true when that is to be found out, as far as there is time. */
bool dt_signon_person_begin(dt_signon *s, dt_time now);
/* Asks Okta anew. */
void dt_signon_person_ask(dt_signon *s, dt_time now);
/* The factors are known: true when nothing more was wanted, and the sign-on ends. */
bool dt_signon_person_judge(dt_signon *s, dt_time now);
/* Of every end: true when nothing is left to do. May change *cause. */
bool dt_signon_person_ends(dt_signon *s, dt_cause *cause);

/* signon_app.c: okta_app. */
/* False when the person may go on: no app is configured, or it is known to be assigned. Else Okta is asked, which
 * enters the stage of the first factor once more, or the sign-on has ended. */
bool dt_signon_app_begin(dt_signon *s, dt_time now);
/* The app of the configuration in force, if any, is assigned to the person. */
bool dt_signon_app_is_assigned(dt_signon const *s);

/* The name of Okta's that is looked up; NULL when there is none. */
char const *dt_signon_group_name(dt_signon const *s);

/* signon_remembered.c: MFA given earlier. */
/* The rule that decides, and the device's state, are those that the session was begun with. */
bool dt_signon_is_as_continued(dt_signon const *s);
/* The one given now, with what it was given with; zero when nobody can say that. */
void dt_signon_mfa_given(dt_signon const *s, dt_time now, dt_mfa_given *out);
/* An MFA given now would be remembered. */
bool dt_signon_remembers(dt_signon const *s);
/* An earlier one was found, and Okta is looked up for whether it has ended. */
bool dt_signon_checks_remembered(dt_signon const *s);
/* The user is known; the factors are. */
void dt_signon_remembered_user(dt_signon *s, dt_time now);
void dt_signon_remembered_factors(dt_signon *s, dt_time now);
/* Whether it has ended cannot be found out: it does not count. */
void dt_signon_remembered_forget(dt_signon *s);
DT_MUST_USE int dt_signon_remembered_key(dt_signon const *s, char out[DT_STORE_KEY_MAX]);

/* signon_primary.c: the Okta password as first factor. */
void dt_signon_primary_take(dt_signon *s, dt_request const *r);
/* The first factor is verified, as far as it is ours to verify. */
bool dt_signon_primary_is_verified(dt_signon const *s);
bool dt_signon_primary_hides_reason(dt_signon const *s);

/* conversation.c, answer.c: the MFA. What factors and ways use is in conversation.h. */
/* True while a factor waits for a step of its end. */
bool dt_signon_cancel_factors(dt_signon *s);
/* True while what the way has open is taken back. */
bool dt_signon_cancel_way(dt_signon *s);
/* There is a factor whose answer may be sent. */
bool dt_signon_has_answer_factor(dt_signon const *s);
/* True when the sign-on is only reported, and so ends where the person would be asked. */
bool dt_signon_only_reports(dt_signon *s, dt_time now);
/* True when nobody can be asked here, and MFA is due: it is refused then. */
bool dt_signon_only_continues(dt_signon *s, dt_time now);

/* signon_render.c: the step of the current phase, and what the rows make theirs with. */
/* False: it could not be made (denied). */
bool dt_signon_render(dt_signon *s, dt_time now, dt_step *out);
/* Begins s->store: a key and, where it writes, a value are still to be set. */
void dt_signon_store(dt_signon *s, dt_store_table table, dt_store_verb verb);
/* The key "kind:name". DT_E_LIMIT when it is too long. */
DT_MUST_USE int dt_signon_store_key(dt_signon *s, char const *kind, char const *name);
/* The key of one of a person's limits, by the Okta login in whatever case, as Okta takes it. */
DT_MUST_USE int dt_signon_limit_key(dt_signon *s, char const *kind);
/* What is written, and until when it is kept. */
DT_MUST_USE int dt_signon_store_value(dt_signon *s, dt_buf *value, dt_time expires);
/* Begins a count that fails past `most`. */
void dt_signon_store_count(dt_signon *s, dt_store_table table, int64_t most, dt_time expires);
/* The first page, which `rc` says was made, or the one that the page before led to. */
DT_MUST_USE int dt_signon_page(dt_signon *s, int rc);

/* signon_record.c: what is kept of Okta's answers about a person. Each is a JSON text with a version. */
#define DT_SIGNON_RECORD_VERSION 1
/* Reads such a text: *out is to be freed. DT_E_PARSE for another version. */
DT_MUST_USE int dt_record_parse(dt_bytes text, dt_json **out);
/* Appends `,"name":"value"`. */
void dt_record_put(dt_buf *b, char const *name, char const *value);
/* The member, between min and max; false when it is another thing. */
bool dt_record_integer(dt_json const *root, char const *name, int64_t min, int64_t max,
                       int64_t *out);
/* The member, copied; false when it is another thing, or longer than fits. */
bool dt_record_string(dt_json const *root, char const *name, char *dst, size_t size);
/* {"v":1,"id":...,"at":...} of DT_TABLE_LOOKUP, and the stamps of the factors. FRESH within user_ttl,
 * STALE within stale_limit; the fields are set with either. */
dt_freshness dt_signon_user_unpack(dt_signon *s, dt_bytes text, dt_time now);
dt_freshness dt_signon_factors_unpack(dt_signon *s, dt_bytes text, dt_time now);
DT_MUST_USE int dt_signon_groups_unpack(dt_signon *s, dt_bytes text, dt_time now);
/* *one: the org has exactly one group of the name. DT_E_PARSE for a record that must not be used. */
DT_MUST_USE int dt_signon_group_name_unpack(dt_signon const *s, dt_bytes text, dt_time now,
                                            bool *one);
/* Their keys. */
DT_MUST_USE int dt_signon_groups_key(dt_signon *s);
DT_MUST_USE int dt_signon_group_name_key(dt_signon *s);
/* What is kept, and until when. */
DT_MUST_USE int dt_signon_user_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires);
DT_MUST_USE int dt_signon_factors_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires);
DT_MUST_USE int dt_signon_groups_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires);
DT_MUST_USE int dt_signon_group_name_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires);

/* push_record.c: the record of a push, as the store keeps it. */
DT_MUST_USE int dt_push_unpack(dt_bytes text, dt_push_record *out);
/* The steps that claim it, take it over from a push that has ended, and write what became of it. */
DT_MUST_USE int dt_signon_push_claim(dt_signon *s, dt_buf *b, dt_time now);
DT_MUST_USE int dt_signon_push_reclaim(dt_signon *s, dt_buf *b, dt_time now);
DT_MUST_USE int dt_signon_push_put(dt_signon *s, dt_buf *b, dt_time now);
/* The push was written to the store as it stands: what the next change of it expects. */
void dt_signon_push_written(dt_signon *s);

/* signon_text.c: what people read. */
void dt_signon_set_message(dt_signon *s);
/* What the prompt has opened, as one link (dt_prompt.link). Borrowed from the scratch. */
char const *dt_signon_prompt_link(dt_signon const *s);
void dt_signon_push_prompt(dt_signon *s, char const *note);
/* Asks for an answer of one of these types. */
void dt_signon_answer_prompt(dt_signon *s, unsigned types, char const *note);
/* Asks whether to send a push: Enter sends it. */
void dt_signon_menu_prompt(dt_signon *s, char const *note);
void dt_signon_offer_prompt(dt_signon *s, char const *note);
/* The note on typed text that is not a passcode, or not one that is accepted. */
char const *dt_signon_stray_text(dt_signon const *s);
/* Why a passcode is asked for and no push was sent; "" where nothing is to be said. */
char const *dt_signon_no_push_text(dt_signon const *s);

/* signon_again.c: decides a sign-on anew that is outdated; nothing for any other. */
void dt_signon_decide_again(dt_signon *s, dt_time now);

/* signon_end.c */
/* Goes to its end with this outcome: cancels a push that is pending, leaves the shared push's result,
 * remembers the MFA, then is done. */
void dt_signon_finish(dt_signon *s, dt_result result, dt_cause cause, dt_time now);

/* signon.c */
/* The outcome stands: nothing is left to do, and no secret is left. */
void dt_signon_done(dt_signon *s);
/* As at the start: nothing but the site and the scratch. */
void dt_signon_clear(dt_signon *s, dt_ruleset const *ruleset);
/* A machine that only fills the cache, for at most `limit`. False: denied, having no scratch. */
DT_MUST_USE bool dt_signon_start_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_time limit,
                                         dt_time now);
/* Did a rule decide so that this cause may allow? What is not so comes of no way through the machine. */
bool dt_signon_may_allow(dt_signon const *s, dt_cause cause);
/* Denies at once, without another step: something is wrong with the machine or the request. */
void dt_signon_fail(dt_signon *s, dt_cause cause, char const *detail);
void dt_signon_set_phase(dt_signon *s, dt_phase phase);
#define DT_SIGNON_RETRY_SPREAD                                                                     \
    250 /* ms: longest wait before a call that failed at once is repeated */
/* Waits for `wait`, or up to a quarter longer (sign-ons that failed together come back one by one), and then
 * enters `phase`. */
void dt_signon_retry(dt_signon *s, dt_phase phase, dt_time wait, dt_time now);
void dt_signon_detail(dt_signon *s, char const *fmt, ...) DT_PRINTF(2, 3);
/* Whether Okta is asked for names of groups, and not for their ids alone. */
bool dt_signon_okta_names(dt_signon const *s);
/* Adds one of the person's groups when the policy names it. False when they do not fit. */
bool dt_signon_add_group(dt_signon *s, char const *name);

#endif
