/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room signon: one attempt of one user at one application, from the request to the audit event.
 *
 * dt_signon is its step machine. It does no I/O and reads no clock. Ask it "what now?" with dt_signon_next; it
 * answers with a step; perform it and feed the result back. It can be saved and loaded between any two steps.
 *
 *   request -> evidence -> verdict -> decision -> MFA conversation -> outcome
 *
 * It allocates nothing and is a plain value of bounded size: put it where you like. What it works in, and
 * needs only while it is driven, is a second value, its scratch.
 *
 * Begin with dt_signon_begin, a dt_request and a dt_ruleset; signon_internal.h is the inside, with lookup.h
 * (one question to a service), conversation.h (the MFA: factors and ways to Okta) and part.h (by what phases and
 * questions are sorted). outcome.h is what comes
 * of it, the dt_outcome and its event; audit_ocsf.h the event in the form of OCSF; texts.h the texts that several programs show people. What outlives a sign-on:
 * remembered.h (MFA that a rule's frequency still accepts), session_record.h (a sign-on that a session goes on
 * with), state_token.h (the State that continues a challenge). refusal_code.h is what a refused person reads out.
 *
 * push_record.c defines dt_signon_push_is_pending, signon_person.c dt_signon_person, signon_decision.c dt_signon_decide_org, signon_pack.c
 * dt_signon_unpack, signon_save.c dt_signon_load. */
#ifndef DT_CORE_SIGNON_H
#define DT_CORE_SIGNON_H

#include "core/base/step.h"
#include "core/device/device.h"
#include "core/intune/intune.h"
#include "core/okta/okta.h"
#include "core/policy/policy_explain.h"
#include "core/ruleset/ruleset.h"
#include "core/signon/outcome.h"
#include "core/signon/remembered.h"

#define DT_SIGNON_WAIT_MAX DT_HOURS(1) /* longest `wait_limit`; a longer one is cut to it */
#define DT_SIGNON_STEPS_MAX 512        /* steps one sign-on may take; past it: denied, INTERNAL */

/* Decides by the org's own rules, into o->org, and adds what they ask for to o->decision, which is the
 * application's; o->org_mfa says whether MFA is due because of them. `o->verdict` counts for org_mfa =
 * unless_trusted. Nothing where there are none. */
void dt_signon_decide_org(dt_ruleset const *ruleset, dt_policy_input const *in, dt_outcome *o);

/* How the door can speak with the person. */
typedef enum dt_conversation {
    DT_CONVERSATION_NONE = 0,  /* cannot be shown anything: push or a passcode already given */
    DT_CONVERSATION_CHALLENGE, /* one prompt per round trip; nothing runs between (RADIUS) */
    DT_CONVERSATION_LIVE,      /* a prompt may stay open while a push is polled (PAM) */
} dt_conversation;

/* What `explain` supposes instead of what is. The zero value supposes nothing. */
typedef struct dt_what_if {
    bool device; /* the two below are the verdict, whatever evidence there is */
    dt_trust trust;
    dt_reason reason;
    dt_time time; /* rules are asked for this moment; 0: now. Look-ups are made now all the same */
} dt_what_if;

/* What says that a sign-on belongs to the session of an earlier one. */
typedef enum dt_continued_by {
    DT_CONTINUED_BY_TLS = 0, /* a TLS session that was resumed */
    DT_CONTINUED_BY_NAS,     /* the NAS, which calls both by one Acct-Session-Id */
} dt_continued_by;

/* The sign-on that a session goes on with, as far as it has to be the same now. */
typedef struct dt_continued {
    dt_continued_by by;
    char key_id[65];  /* of the device's proved key; "" = none */
    dt_mfa_given mfa; /* zero: none was asked for */
    dt_trust trust;
    dt_reason reason;
    char rule[DT_POLICY_NAME_MAX];
} dt_continued;

/* The request. All borrowed; needed only during dt_signon_begin. */
typedef struct dt_request {
    char const *id; /* DT_SIGNON_ID_LEN random hex digits: names the sign-on in the audit log */
    char const *application; /* whose policy, limits and remembered MFA count */
    char const *service; /* the PAM service, which may be a variant of the application; "" or NULL =
                                there is none. For the event alone */
    /* Who is asked: as the directory names them, or the account of this host. The identity is made of it,
     * by core/ruleset/identity.h, and of nothing else. */
    char const *user;
    /* For the audit; "" or NULL = not known. The name as it was typed; the account that will be opened, where it
     * is another than that of `user`; who called, by the real uid; and what the application says who called
     * (PAM_RUSER). */
    char const *typed, *account, *caller, *ruser;
    char const *client_ip; /* "" = local or not known */
    /* For the event; NULL = nothing to say: why client_ip is not an address and what to set, where a rule asks
     * for one; and what is said anyway, unless something else is. */
    char const *address_hint, *remark;
    char const *nas;
    char const *station;
    char const *session; /* names the session of a frequency of ONCE_PER_SESSION, as given by
                            somebody who is believed: the kernel, the NAS; never by the person's own
                            software. "" = none, and each sign-on is a session of its own */
    /* For the audit; "" or NULL = not known: the terminal, logind's seat, and where the person is by these
     * (dt_presence_name). What they are worth is in `local` and `host_evidence`. */
    char const *tty, *seat, *place;
    char const *const *groups;
    size_t group_count;
    dt_group_knowledge group_knowledge;
    dt_platform platform_hint; /* asserted */
    /* evidence */
    dt_bytes certificate; /* DER of a certificate of a finished TLS handshake; empty = none */
    dt_bytes chain[DT_CHAIN_MAX];
    size_t chain_count;
    bool handshake_finished; /* the TLS handshake proved the certificate's key; false = asserted */
    bool handshake_resumed;  /* it resumed a session, in which no chain is sent */
    /* It goes on with a session in which a sign-on of this person passed: no new one, so the MFA that was
     * given then counts for as long as rule and device are the same, and the account at Okta. */
    dt_continued const *continued;
    bool only_continue; /* nobody can be asked here: where MFA would be, PRIMARY_MISSING */
    /* Nothing is decided: the machine fetches, and so keeps for the sign-on that follows, what that
     * will need to know of the device, and ends with DT_DENY and DT_CAUSE_NONE, without an audit event. */
    bool only_looks_up;
    int okta_calls, graph_calls,
        ocsp_calls;            /* made for it before, by a machine that only looked up */
    char const *ssh_auth_info; /* SSH_AUTH_INFO_0, only of services configured as sshd; or NULL */
    bool local;                /* the person sits at this host; counts where client_ip is "" */
    bool address_wanted;       /* client_ip has to tell where from: where it is "", and not local,
                                  that is not known, instead of there being no address */
    int utc_offset;            /* of local time now, minutes east of UTC */
    bool utc_offset_known;
    bool at_terminal;   /* a break-glass account may be used: see core/ruleset/break_glass.h */
    bool host_evidence; /* this host's own certificate may speak (console, sudo, locker) */
    bool agent;         /* an SSH agent of the person came along, and may be asked */
    char const *host;   /* where the sign-on is: what an agent signs names it; "" or NULL */
    char const *vpn_device_id; /* asserted by a VPN client; "" = none */
    dt_vpn_claims const *vpn;  /* what else it asserts; NULL = nothing */
    /* conversation */
    dt_conversation conversation;
    bool
        prompts_unproven; /* it is not known whether a prompt reaches the person. LIVE: one is shown
                              before a push is sent, and unless it is answered none is. NONE: no push is
                              sent at all. Either way the end is MFA_NO_PROMPT */
    bool
        prompts_unseen; /* LIVE only: prompts are answered, and nobody sees them: a push that is to have a
                            number is not sent (MFA_NO_PROMPT); a passcode may come */
    bool push_prompt; /* CHALLENGE only: after sending a push, ask for "approve, then press Enter"
                         (and show the number there) instead of waiting silently */
    bool
        device_later; /* what proves the device comes with another request, which decides: refused now is
                          what no device changes, and all else ends SESSION_DECIDES */
    bool explain; /* verdict and decision only: no MFA is asked, nothing is written but caches */
    bool
        asks_okta; /* counts with `explain` alone: whether the person could pass the MFA is found out as well */
    /* Counts with `explain` alone: what was kept of the device before this time is used only where its service does
     * not answer; 0 = as ever. */
    dt_time known_since;
    dt_what_if what_if;   /* counts with `explain` alone; utc_offset is then of its time */
    char const *passcode; /* given along with the request; "" = none */
    /* The first factor. An application of [primary] okta_password wants the password, unless the
     * handshake was the first factor; any other refuses one, since nobody would check it. */
    char const *password;   /* the person's; "" or NULL = none. Wipe it after dt_signon_begin */
    dt_primary primary;     /* DT_PRIMARY_HANDSHAKE, or STACK */
    char const *push_key;   /* the sign-on that retransmits of it share a push with: identity,
                             application and station for RADIUS; unique for PAM */
    char const *connection; /* names the SSH connection, as the kernel has it: it gets one push.
                               "" or NULL = none, or not known */
    dt_time wait_limit;     /* longest wait for the person from `now` on */
    uint8_t random[32];     /* fresh: nonces, jitter */
} dt_request;

typedef enum dt_step_kind {
    DT_STEP_DONE = 0, /* the outcome is there */
    DT_STEP_HTTP,
    DT_STEP_STORE,
    DT_STEP_SIGN,
    DT_STEP_AGENT,   /* ask the SSH agent that came along */
    DT_STEP_MANAGED, /* read the managed app configuration of this host */
    DT_STEP_PROMPT,  /* show it, call dt_signon_prompt_shown, go on asking */
    DT_STEP_WAIT,    /* until a time, or until the open prompt is answered, whichever is first */
} dt_step_kind;

/* Borrowed from the machine until it is next fed or asked. */
typedef struct dt_step {
    dt_step_kind kind;
    dt_http_request const *http;
    dt_store_op const *store;
    dt_sign_request const *sign;
    dt_agent_request const *agent;
    struct dt_managed_file *managed;
    dt_prompt const *prompt;
    bool suspend;  /* PROMPT: of a CHALLENGE conversation. Save the machine; the answer comes with
                         another request (dt_signon_load, dt_signon_answer) */
    dt_time until; /* WAIT; DT_TIME_NEVER only with a prompt open and a deadline elsewhere: never */
    /* WAIT: Okta is asked at its end whether a push was answered. Where the org's limits ask for it, whoever
     * drives the machine may let it wait longer, until `latest`. */
    bool polls;
    dt_time latest;
    bool prompt_open; /* WAIT and HTTP: an answer may come at any time */
    dt_outcome const *outcome;
} dt_step;

typedef struct dt_signon dt_signon;
/* Bytes a dt_signon takes. */
size_t dt_signon_size(void);

/* The room that a machine works in. It is the machine's alone from dt_signon_begin or dt_signon_load until the
 * machine is wiped, loaded elsewhere or begun anew; then another may have it. Secrets are in it and nowhere
 * else: whoever frees it has wiped it. */
typedef struct dt_signon_scratch dt_signon_scratch;
size_t dt_signon_scratch_size(void);
/* Gives a machine its scratch: before dt_signon_begin or dt_signon_load, of storage that may hold anything,
 * or of a copy of a machine (with a copy of its scratch). It keeps it until another is attached. A machine
 * without one (NULL, or zeroed storage) denies: INTERNAL. */
void dt_signon_attach(dt_signon *s, dt_signon_scratch *scratch);
/* Clears machine and scratch, which stays attached. Needed for the sake of secrets in a machine that is not
 * done, and of who the person was. */
void dt_signon_wipe(dt_signon *s);

/* Makes `to`, which has a scratch of its own, the same machine as `from`; where that has none, one that
 * denies. */
void dt_signon_copy(dt_signon *to, dt_signon const *from);

/* Starts a machine in storage of dt_signon_size() bytes that has its scratch. Never fails: what is wrong
 * with the request becomes an outcome that denies. `site` must outlive the machine. */
void dt_signon_begin(dt_signon *s, dt_ruleset const *ruleset, dt_request const *r, dt_time now);

/* What now? Idempotent until fed. */
void dt_signon_next(dt_signon *s, dt_time now, dt_step *out);

/* Results. Feeding a result that was not asked for makes the machine deny (DT_CAUSE_INTERNAL). */
void dt_signon_http_done(dt_signon *s, dt_http_response const *r, dt_time now);
void dt_signon_store_done(dt_signon *s, dt_store_result const *r, dt_time now);
void dt_signon_sign_done(dt_signon *s, dt_sign_result const *r, dt_time now);
void dt_signon_agent_done(dt_signon *s, dt_agent_result const *r, dt_time now);
void dt_signon_managed_done(dt_signon *s, dt_managed_result const *r, dt_time now);
void dt_signon_prompt_shown(dt_signon *s, dt_time now);
/* The person's answer to the open prompt; may come while HTTP is under way. Empty = just Enter. */
void dt_signon_answer(dt_signon *s, dt_bytes answer, dt_time now);
/* The person left, or the server stops: the machine gives up as soon as it can, cancelling a push
 * that is under way, and ends with CLIENT_GONE (or `cause` BUSY for a stop). */
void dt_signon_abandon(dt_signon *s, dt_cause cause, dt_time now);
/* Why the door gives it up, for the administrator: before dt_signon_abandon. Escaped here. */
void dt_signon_note(dt_signon *s, char const *why);
/* The door can no longer show prompts or hold the line: from now on `conversation` is as given. */
void dt_signon_set_conversation(dt_signon *s, dt_conversation c);

/* Takes an outcome that allows back: denied for `cause`. Of a machine that is done. */
void dt_signon_withdraw(dt_signon *s, dt_cause cause, char const *detail);

/* True once the machine has asked for an outcome. */
bool dt_signon_is_done(dt_signon const *s);
/* The current verdict and decision, for attributes and `explain`; zero (denying) before they are
 * made. Borrowed. */
dt_outcome const *dt_signon_outcome(dt_signon const *s);
/* What was found out of the person at Okta, without asking the person anything. */
typedef struct dt_person_at_okta {
    bool on;                   /* it is being found out */
    bool known;                /* Okta has said whether the person could pass the MFA */
    dt_cause cause;            /* for which the person could not; NONE: could */
    unsigned enrolled, usable; /* dt_factor_type bits: at Okta; of them by the rule, and here */
} dt_person_at_okta;
/* Borrowed; zero where it was not to be found out. */
dt_person_at_okta const *dt_signon_person(dt_signon const *s);
dt_evidence_set const *dt_signon_evidence(dt_signon const *s);
/* Who signs on; kind NONE where the name was refused. Borrowed. */
dt_identity const *dt_signon_identity(dt_signon const *s);
/* The site it was begun or loaded with. Borrowed from the machine. */
dt_ruleset const *dt_signon_ruleset(dt_signon const *s);
/* Fills who and where from the machine (borrowed from it); host and door are the caller's. */
void dt_signon_audit_context(dt_signon const *s, dt_audit_context *out);
/* Whether it was begun to look up and nothing else: its outcome is of no sign-on. */
bool dt_signon_only_looks_up(dt_signon const *s);
/* The answer that was used is near its end: the driver may refresh it after the sign-on. Gives the
 * device id, or NULL. */
dt_guid const *dt_signon_refresh_hint(dt_signon const *s);
/* Like dt_signon_refresh_hint, for the answer of Okta's Devices API about this device and this person. */
bool dt_signon_device_refresh_hint(dt_signon const *s, dt_guid const **device, char const **login);
/* Appends how the decision came about, as dt_policy_explain_json writes it; nothing when there was no
 * decision. At most DT_EXPLAIN_EVENT_MAX bytes. */
void dt_signon_explain(dt_signon const *s, dt_buf *out);
/* Appends what the decision was made on, as dt_policy_record_put writes it; nothing when there was no
 * decision, or two policies have made it. At most DT_POLICY_RECORD_MAX bytes. */
void dt_signon_policy_record(dt_signon const *s, dt_buf *out);
/* Where the values of the input came from, as rules are explained with them; borrowed from the machine
 * and from `text`, which the caller brings. */
typedef struct dt_origins_text {
    char device[DT_ORIGIN_MAX], platform[DT_ORIGIN_MAX];
} dt_origins_text;
void dt_signon_origins(dt_signon const *s, dt_origins_text *text, dt_policy_origins *out);
/* The input that was decided on, for `explain`; borrowed from the machine. */
void dt_signon_policy_input(dt_signon *s, dt_policy_input *out, dt_time now);

/* Whether a row of DT_TABLE_PUSH is of a push that may still be answered. */
bool dt_signon_push_is_pending(dt_bytes record);

/* Saved form: a version, then fields with their lengths. No secret is ever in it. */
#define DT_SIGNON_SAVED_MAX (60 * 1024)
/* DT_E_STATE without a scratch, as dt_signon_load. */
DT_MUST_USE int dt_signon_save(dt_signon const *s, dt_buf *out);
/* DT_E_PARSE for anything that is not exactly such a form (other version, lengths out of bounds,
 * values out of range). `site` as in begin. */
DT_MUST_USE int dt_signon_load(dt_signon *s, dt_ruleset const *ruleset, dt_bytes saved);

/* Packed form, for a machine that waits: about a twentieth of it and its scratch, secrets included, so that `out`
 * must be wiped (dt_buf is). For this process alone. A step that was asked for and is under way stays so: its
 * result may be fed to the machine once it is unpacked. DT_E_STATE without a scratch, DT_E_INVALID for a machine
 * that says of a part that it is longer than its room. */
#define DT_SIGNON_PACKED_MAX (64 * 1024)
DT_MUST_USE int dt_signon_pack(dt_signon const *s, dt_buf *out);
/* Makes `s`, which has its scratch, the machine that was packed: on the same site, which must still be there.
 * DT_E_PARSE, and a machine that denies, for anything that dt_signon_pack did not write. */
DT_MUST_USE int dt_signon_unpack(dt_signon *s, dt_bytes packed);

/* A machine of its own that only refreshes one device's Intune answer in the cache (prefetch during
 * a handshake, refresh ahead of expiry). Ends with DT_STEP_DONE. */
void dt_signon_begin_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_guid const *device_id,
                             dt_time now);
/* Like dt_signon_begin_refresh, for what Okta knows of the device and person of another machine, which has such a
 * hint. */
void dt_signon_begin_device_refresh(dt_signon *s, dt_ruleset const *ruleset, dt_signon const *of,
                                    dt_time now);

/* Like dt_signon_begin_device_refresh, for what an OCSP responder says of a certificate. */
void dt_signon_begin_ocsp(dt_signon *s, dt_ruleset const *ruleset, dt_ocsp_question const *q,
                          dt_time now);
/* The question that the machine wants an OCSP responder asked now; NULL when it wants something else.
 * Borrowed. */
dt_ocsp_question const *dt_signon_ocsp_question(dt_signon const *s);
/* The kept answer that was used is near its end: the driver may ask again after the sign-on. Or NULL. */
dt_ocsp_question const *dt_signon_ocsp_hint(dt_signon const *s);

#endif
