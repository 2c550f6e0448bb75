/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the login got in the end, and the one audit event that says why. remembered.c defines
 * dt_factor_stamp, audit.c dt_audit_text_length and dt_audit_uuid. */
#ifndef DT_CORE_OUTCOME_H
#define DT_CORE_OUTCOME_H

#include "core/base/step.h"
#include "core/device/evidence.h"
#include "core/base/limits.h"
#include "core/policy/policy.h"
#include "core/base/time_text.h"
#include "core/signon/refusal_code.h"

#define DT_SIGNON_ID_LEN 32 /* hex digits */

typedef enum dt_result { DT_DENY = 0, DT_ALLOW } dt_result;

/* Why the outcome is what it is: one list, mapped once to a PAM code and once to a RADIUS code. */
typedef enum dt_cause {
    DT_CAUSE_NONE = 0, /* never decided: denies */
    /* allow */
    DT_CAUSE_RULE_ALLOW, /* rule allows without MFA */
    DT_CAUSE_MFA_SUCCESS,
    DT_CAUSE_MFA_REMEMBERED,
    DT_CAUSE_OKTA_UNAVAILABLE_ALLOW, /* okta_unavailable = allow or allow_trusted */
    /* deny */
    DT_CAUSE_RULE_DENY,
    DT_CAUSE_NO_RULE,
    DT_CAUSE_DEVICE_UNKNOWN, /* unknown_device_as = deny */
    DT_CAUSE_GROUPS_UNKNOWN,
    DT_CAUSE_NETWORK_UNKNOWN,  /* a rule that was reached asks for it, and it is not known */
    DT_CAUSE_PLATFORM_UNKNOWN, /* the same */
    DT_CAUSE_TIME_UNKNOWN,     /* the same */
    DT_CAUSE_BLOCKED_ZONE,     /* a BLOCKLIST zone has the address */
    DT_CAUSE_MFA_REJECTED,     /* the person pressed deny */
    DT_CAUSE_MFA_TIMEOUT,      /* nobody answered */
    DT_CAUSE_MFA_FAILED,       /* wrong passcode, attempts used up */
    DT_CAUSE_MFA_NO_FACTOR,    /* none enrolled that the rule allows and this door can do */
    DT_CAUSE_MFA_PUSH_LIMIT,   /* push_limit reached and no passcode possible */
    DT_CAUSE_MFA_RATE_LIMITED, /* 429, also after waiting */
    DT_CAUSE_OKTA_UNAVAILABLE, /* dt_http_is_unavailable */
    DT_CAUSE_OKTA_REFUSED,    /* Okta answered that the user may not; see OKTA_USER_UNKNOWN below */
    DT_CAUSE_STATE_INVALID,   /* RADIUS State foreign, replayed, tampered, expired */
    DT_CAUSE_PRIMARY_MISSING, /* the first factor was not shown to be verified */
    DT_CAUSE_CLIENT_GONE,
    DT_CAUSE_BUSY, /* a named limit on concurrent waits */
    DT_CAUSE_CONFIG,
    DT_CAUSE_INTERNAL,
    DT_CAUSE_REPORT_ONLY, /* neither allowed nor denied: see dt_outcome.report_only */
    /* of the Okta password, before any MFA */
    DT_CAUSE_PRIMARY_FAILED,       /* wrong; or Okta's policy: it does not distinguish these */
    DT_CAUSE_PRIMARY_EXPIRED,      /* right, and has to be changed at Okta first */
    DT_CAUSE_PRIMARY_LOCKED,       /* Okta has locked the account, and shows it */
    DT_CAUSE_PRIMARY_ENROLL,       /* right, and Okta wants a factor set up first */
    DT_CAUSE_PRIMARY_REFUSED,      /* Okta answered with a state that is not a sign-on */
    DT_CAUSE_PRIMARY_LIMIT,        /* password_limit: Okta was not asked */
    DT_CAUSE_PRIMARY_RATE_LIMITED, /* 429, also after waiting */
    DT_CAUSE_ORG_RULE_DENY,        /* a rule of [policy] org_file */
    DT_CAUSE_MFA_LOCKED,           /* Okta has locked the account, as it said of the MFA */
    DT_CAUSE_USER_NAME_INVALID, /* no identity can be made of the name: see core/ruleset/identity.h */
    DT_CAUSE_MACHINE_ACCOUNT,   /* a rule asks for MFA, and it is a machine that signs on */
    /* Okta was not asked, or answered what is not an answer: okta_unavailable is not about these */
    DT_CAUSE_OKTA_ANSWER_UNUSABLE, /* another shape, content or status than the API has */
    DT_CAUSE_OKTA_UNTRUSTED,       /* its certificate was not accepted */
    DT_CAUSE_MFA_CODE_SENT, /* as the person asked where no prompt can be shown: the next sign-on brings it */
    DT_CAUSE_MFA_PROVIDER_FAILED, /* the service behind one factor fails, says Okta */
    DT_CAUSE_OVERLOADED,          /* our queue of calls is full, or the wait in it was too long */
    DT_CAUSE_LOCAL_FAULT,         /* descriptors, memory: something of this host */
    /* limits of one person, over all sign-ons and doors */
    DT_CAUSE_MFA_PASSCODE_LIMIT, /* passcode_limit: Okta was not asked */
    DT_CAUSE_MFA_PUSH_PENDING,   /* a push of another sign-on is not answered yet */
    DT_CAUSE_MFA_PUSH_PAUSED,    /* push_pause: the last push was denied */
    DT_CAUSE_MFA_PUSH_SPENT,     /* this SSH connection has had its push */
    DT_CAUSE_LIMITS_UNAVAILABLE, /* a limit could be counted neither in the store nor in memory */
    DT_CAUSE_AUDIT_FAILED,       /* it would have been allowed, and nobody took its audit event */
    DT_CAUSE_MFA_NO_PROMPT,      /* MFA is due, and nobody could be asked: no push was sent */
    DT_CAUSE_SESSION_DECIDES, /* nothing yet: sshd reports the key later. Denies, and has no event */
    DT_CAUSE_BREAK_GLASS,     /* allows: an account of [break_glass] at a terminal of this host */
    DT_CAUSE_BREAK_GLASS_REFUSED, /* such an account, elsewhere or expired */
    DT_CAUSE_APP_NOT_ASSIGNED,    /* okta_app: the org has not assigned the person to it */
    /* the state of the person's account at Okta; OKTA_REFUSED where it is another one */
    DT_CAUSE_OKTA_USER_UNKNOWN,       /* Okta has no such login */
    DT_CAUSE_OKTA_USER_SUSPENDED,     /* SUSPENDED */
    DT_CAUSE_OKTA_USER_DEACTIVATED,   /* DEPROVISIONED */
    DT_CAUSE_OKTA_USER_NOT_ACTIVATED, /* STAGED, PROVISIONED, ACTIVATING */
    DT_CAUSE_OKTA_PASSWORD_EXPIRED,   /* PASSWORD_EXPIRED, RECOVERY */
    DT_CAUSE_MFA_OTHER_PERSON,        /* somebody else signed in with the browser */
    DT_CAUSE_MFA_TOO_WEAK, /* who signed in there was not verified now, by something that they have */
    DT_CAUSE_COUNT,
} dt_cause;
/* "RULE_ALLOW", ...; never NULL. */
char const *dt_cause_name(dt_cause c);
/* True for exactly the causes that may go with DT_ALLOW. */
bool dt_cause_allows(dt_cause c);

/* What would have become of a sign-on that is only reported. */
typedef enum dt_would { DT_WOULD_NONE = 0, DT_WOULD_DENY, DT_WOULD_ASK, DT_WOULD_ALLOW } dt_would;
/* "NONE", "DENY", "MFA", "ALLOW". */
char const *dt_would_name(dt_would w);
/* Who verified the first factor. PENDING lets nobody in. */
typedef enum dt_primary {
    DT_PRIMARY_STACK = 0,     /* whoever called: the PAM stack, the virtual server, sshd */
    DT_PRIMARY_HANDSHAKE,     /* an EAP-TLS handshake of this very request */
    DT_PRIMARY_OKTA_PENDING,  /* the Okta password, which is not verified (yet) */
    DT_PRIMARY_OKTA_VERIFIED, /* Okta said that it is right */
    DT_PRIMARY_COUNT,
} dt_primary;
/* "stack", "handshake", "okta-password-pending", "okta-password"; "unknown" for anything else. */
char const *dt_primary_name(dt_primary p);

/* What said that the device certificate is, or is not, revoked. */
typedef enum dt_revocation_by {
    DT_REVOCATION_BY_UNASKED =
        0,                 /* revocation = off, no certificate, or one that was refused before */
    DT_REVOCATION_BY_NONE, /* nothing did, and it was let pass by revocation = soft */
    DT_REVOCATION_BY_LIST,
    DT_REVOCATION_BY_OCSP,
    DT_REVOCATION_BY_OCSP_CACHE, /* an answer that was kept */
    DT_REVOCATION_BY_COUNT,
} dt_revocation_by;
/* "unasked", "none", "crl", "ocsp", "ocsp-cache". Never NULL. */
char const *dt_revocation_by_name(dt_revocation_by b);

#define DT_FACTOR_STAMP_MAX (DT_OKTA_ID_MAX + 24)

/* An MFA, and what it was given with at Okta: when one of these is another now, it has ended. Zero:
 * none. */
typedef struct dt_mfa_given {
    dt_time at;
    dt_factor_type factor;
    char user_id[DT_OKTA_ID_MAX];
    dt_time password_changed, status_changed; /* 0: not reported by Okta */
    char factor_stamp[DT_FACTOR_STAMP_MAX];   /* dt_factor_stamp() */
} dt_mfa_given;

#define DT_KEYS_PRESENTED_MAX 4 /* more are not named in the event */
#define DT_KEY_NAME_MAX 160

/* A key that the client brought, whether or not it was enrolled, good, or proved: for the administrator alone. */
typedef struct dt_key_presented {
    dt_source source;
    char name
        [DT_KEY_NAME_MAX]; /* a certificate's subject; of an SSH key its fingerprint, as ssh-keygen -l prints
                                   it, and of an SSH certificate its key id, too. Escaped, cut */
} dt_key_presented;

typedef struct dt_outcome {
    dt_result result;
    dt_cause cause;
    /* report_only: whatever is decided is not enforced but written down in `would` and `would_cause`
     * (NONE when MFA would have been asked for), and cause is REPORT_ONLY; result stays DENY, so that
     * who knows nothing of all this denies. Faults (CONFIG, INTERNAL, PRIMARY_MISSING, NONE) deny as
     * ever. */
    bool report_only;
    dt_would would;
    dt_cause would_cause;
    bool
        decided; /* report_only: the rules have said that MFA is due, and what is found out beyond that may
                     refuse nobody: faults are reported, too */
    dt_primary primary;
    dt_decision org; /* of the org's own rules; zero when there are none */
    bool org_mfa;    /* MFA is due because the org, or Okta's answer to the password, asks for it */
    dt_verdict verdict;
    dt_decision decision;
    dt_factor_type factor; /* that answered, or was asked last */
    int okta_calls, graph_calls, ocsp_calls, polls;
    dt_revocation_by revocation;
    dt_time revocation_at;        /* OCSP: thisUpdate of the answer */
    bool stale;                   /* a stale answer was used */
    dt_mfa_given mfa;             /* by which it was let in, now or earlier */
    char message[DT_MESSAGE_MAX]; /* for the person; "" = none. Safe for a terminal */
    bool links_org;              /* it sends the person to the org, whose address a door may draw */
    char detail[DT_MESSAGE_MAX]; /* for the administrator: what failed, in words */
    char code
        [DT_REFUSAL_CODE_MAX]; /* of the sign-on; "" = none. Only a refused person is shown it */
} dt_outcome;

/* Sets result and cause together; a cause that does not allow makes DT_DENY whatever was asked. Of an
 * outcome that is only reported, sets what would have been; REPORT_ONLY as a cause says that MFA would
 * have been asked for. */
void dt_outcome_set(dt_outcome *o, dt_result r, dt_cause c);
/* True for an outcome that is only reported: the login goes on as if there were no devtrust, neither
 * allowed nor denied by it. */
bool dt_outcome_is_report_only(dt_outcome const *o);

/* The code that goes with a refusal; "" for one that has none, and for whoever is not refused. */
char const *dt_outcome_code(dt_outcome const *o);
/* What a person is shown: the message and, on a line of its own, the code of a refusal ("Code: ABCD-EFGH"). A
 * message is cut where there is no room for the code after it. */
void dt_outcome_text(dt_outcome const *o, char const *message, char out[DT_MESSAGE_MAX]);

/* True for an outcome that the administrator must hear of at once: a break-glass account was used, or was tried,
 * whether or not it is only reported. */
bool dt_outcome_alarms(dt_outcome const *o);

/* Who and where: the part of the audit event that the outcome does not hold. Borrowed. */
typedef struct dt_audit_context {
    char const *id; /* of the sign-on */
    char const *application;
    char const *service; /* the PAM service; "" or NULL = none */
    char const *user;    /* the local name; where no identity could be made, the name as it came */
    char const *login;
    char const *client_ip;
    char const *nas;
    char const *station;
    char const *host; /* this host's name */
    char const *door; /* "pam", "radius", "cli" */
    char const *policy_hash;
    char const *explanation; /* dt_policy_explain_json's array; NULL = none */
    char const *groups_from; /* the source of the person's groups; NULL = none */
    uint64_t generation;     /* of the site, see dt_ruleset; 0 = not known */
    dt_time loaded;
    dt_time started;
    bool device_event; /* the device was judged by `certificate`, `ssh-key`...: see below */
    /* More of who. NULL or "" = unknown. */
    char const *realm;   /* of the identity, where it is not the own one */
    char const *name;    /* as it came */
    char const *account; /* that will be opened, where it is not the actor's */
    char const *caller;  /* who called, by the real uid */
    char const *ruser;   /* who called, as the application says */
    bool machine;
    /* Where. The same. */
    char const *tty;   /* PAM_TTY */
    char const *seat;  /* of the login session */
    char const *place; /* dt_presence_name() */
    /* dt_policy_record_put's object; NULL = no policy was asked, or not one alone. */
    char const *policy_input;
    dt_key_presented const
        *keys; /* DT_KEYS_PRESENTED_MAX; the first without a name ends them. NULL = none */
} dt_audit_context;

/* Longest event line. */
#define DT_AUDIT_EVENT_MAX 16384

/* Appends one JSON line (with its newline) in the shape of Okta's System Log LogEvent:
 * eventType "user.authentication.auth_via_mfa" or "policy.evaluate_sign_on", displayMessage,
 * severity, published, uuid, actor, client{device Computer|Mobile|Unknown, ipAddress}, outcome
 * {result SUCCESS|FAILURE|..., reason}, target[], debugContext.debugData{verdict, deviceReason,
 * rule, cause, detail, evidence, cacheAge, oktaCalls, ...}. Never a secret. Appended whole or not at
 * all: dt_buf_error(out) says which. So is the device's event. */
void dt_audit_signon(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx, dt_time now);
/* One event per device authentication: eventType "user.authentication.authenticate",
 * displayMessage "Authentication of device via certificate" (or "ssh-key", ...), outcome SUCCESS,
 * or FAILURE with the reason, such as NO_CERTIFICATE. */
void dt_audit_device(dt_buf *out, dt_outcome const *o, dt_evidence_set const *evidence,
                     dt_audit_context const *ctx, dt_time now);
/* How much of a rule's name the events hold, bytes. */
size_t dt_audit_rule_length(char const *rule);
/* How much of a text may be written into a JSON string of at most `cap` bytes, bytes; not cut within a character. */
size_t dt_audit_text_length(char const *text, size_t cap);
/* A UUID of version 8 (RFC 9562 section 5.8) made of the sign-on's id: the two events of one sign-on differ in the
 * variant's free bits. False when the id is not of its form. */
bool dt_audit_uuid(char out[DT_GUID_LEN + 1], char const *id, bool device);
/* The configuration was loaded anew, or could not be. */
typedef struct dt_audit_reload_facts {
    bool taken;
    char const *text; /* what was done, or what is wrong and what stays in force */
    char const *host;
    uint64_t generation; /* in force now */
    dt_time loaded;
} dt_audit_reload_facts;
/* Its event: eventType "policy.lifecycle.update", displayMessage "Reload of configuration and
 * policies", outcome SUCCESS or FAILURE with the text as its reason. */
void dt_audit_reload(dt_buf *out, dt_audit_reload_facts const *f, dt_time now);
/* An open session no longer meets the rule that let it in. What `dt_outcome` says is how it is decided now. */
typedef struct dt_audit_session_facts {
    char const *session;   /* its id, for people */
    char const *signon;    /* the id of the sign-on that let it in */
    char const *rule;      /* by which */
    char const *cause;     /* why it no longer does, as a word */
    char const *action;    /* what on_loss asks for, as a word */
    char const *result;    /* what came of that, for people */
    char const *source;    /* of the news: "recheck", "caep"... */
    char const *reference; /* of the event at its source; "" = none */
    bool ended;            /* it is over, or about to be */
} dt_audit_session_facts;
/* Its event: eventType "policy.auth_reevaluate.fail", outcome FAILURE with the cause as its reason. */
void dt_audit_session(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                      dt_audit_session_facts const *f, dt_time now);
/* A sign-on's event in one line for a person or syslog: who, what, why. No newline; cut where `out` ends, the
 * least telling last, without an error. */
void dt_audit_line(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx);
/* The event as fields of the journal, each "\nNAME=value": they follow the line where a sink takes fields
 * (edge/audit_sink.h). At most DT_AUDIT_FIELDS_MAX bytes. (audit_fields.c) */
#define DT_AUDIT_FIELDS_MAX 4096
/* The first of them, by which they are recognized: the id of the journal's catalogue for this kind of message. */
#define DT_AUDIT_FIELDS_BEGIN "\nMESSAGE_ID=6f2d9a0c1b7e4c0e9c5b3a7d8e41f026"
void dt_audit_fields(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx);

#endif
