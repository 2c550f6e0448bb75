/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room session: sessions that are open, so that they can end when the device or the person no longer meets the rule
 * that let them in.
 *
 * A session is one row of DT_TABLE_SESSION, a dt_session: who signed on with which device by which rule, the facts of
 * the request that are needed to decide again, and by what the NAS or the host knows the session. A row is text and
 * numbers that others may have written: dt_session_unpack reads it strictly. It can open nothing; the worst that a
 * forged row can do is to have a session ended.
 *
 * Begin with dt_session_of_request, which takes the facts from the request of a sign-on that was let in, and its
 * counterpart dt_session_request, which makes a request of them that only explains. What that decides,
 * dt_session_judge compares with what the session got in by. */
#ifndef DT_CORE_SESSION_H
#define DT_CORE_SESSION_H

#include "core/base/step.h"
#include "core/signon/signon.h"

#define DT_SESSIONS_MAX 50000 /* that one process looks at; more are reported, and not looked at */
#define DT_SESSION_LIFE_MAX DT_DAYS(31)
#define DT_SESSION_ID_LEN 16 /* hex digits, for people */
#define DT_SESSION_NODE_MAX 128
#define DT_SESSION_PROOF_MAX (24 * 1024) /* certificate, chain and SSH_AUTH_INFO_0 together */
#define DT_SESSION_ROW_MAX (48 * 1024)
#define DT_SESSION_FACTS_GROUPS_MAX 2048
#define DT_NAS_TEXT_MAX 254 /* a RADIUS attribute has 253 bytes */
#define DT_NAS_HEX_MAX 507

typedef enum dt_session_door {
    DT_SESSION_NO_DOOR = 0,
    DT_SESSION_RADIUS, /* a NAS has it, and accounting says when it ends */
    DT_SESSION_HOST,   /* a login at this host */
    DT_SESSION_DOORS
} dt_session_door;
/* "radius", "host"; "none". */
char const *dt_session_door_name(dt_session_door d);

typedef enum dt_session_state {
    DT_SESSION_NONE = 0,
    DT_SESSION_PENDING, /* let in; nobody has said yet that it began */
    DT_SESSION_OPEN,
    DT_SESSION_LOST,  /* it no longer meets its rule, and that is being acted upon */
    DT_SESSION_ACTED, /* that was done; its end has not been reported */
    DT_SESSION_STATES
} dt_session_state;
/* "pending", "open", "lost", "acted"; "none". */
char const *dt_session_state_name(dt_session_state s);

/* What an administrator wants of it (devtrustctl sessions end). */
typedef enum dt_session_want {
    DT_SESSION_WANT_NOTHING = 0,
    DT_SESSION_WANT_REAUTHENTICATE,
    DT_SESSION_WANT_END,
    DT_SESSION_WANTS
} dt_session_want;

/* What a NAS calls the session: as text, because it goes back to the NAS as it came. "" = the NAS does not say. */
typedef struct dt_nas_session {
    char source[DT_ADDRESS_MAX]; /* where its packets come from */
    char ip_address[DT_ADDRESS_MAX], ipv6_address[DT_ADDRESS_MAX];
    char identifier[DT_NAS_TEXT_MAX];
    char user_name[DT_NAS_TEXT_MAX];
    char session_id[DT_NAS_TEXT_MAX];       /* Acct-Session-Id */
    char multi_session_id[DT_NAS_TEXT_MAX]; /* Acct-Multi-Session-Id */
    char station[DT_NAS_TEXT_MAX];          /* Calling-Station-Id */
    char chargeable_id[DT_NAS_HEX_MAX];     /* Chargeable-User-Identity (RFC 4372), hex */
    char port[12], port_id[DT_NAS_TEXT_MAX];
    char framed_ip[DT_ADDRESS_MAX];
} dt_nas_session;

/* What the host calls the session. */
typedef struct dt_session_at_host {
    char boot[DT_GUID_LEN + 1];   /* logind's ids are unique within a boot */
    char id[64];                  /* of logind; "" = it has none, or it is not known yet */
    int64_t leader, leader_start; /* pid, and when that process began: clock ticks since boot */
    char tty[DT_USER_MAX], service[DT_APPLICATION_MAX];
} dt_session_at_host;

typedef struct dt_session {
    dt_session_door door;
    dt_session_state state;
    char node[DT_SESSION_NODE_MAX]; /* whose process looks after it */
    dt_time started, seen;          /* seen: by accounting, or by its beginning */
    dt_time limit;                  /* its end, as the door sent it to the NAS; 0 = none */
    dt_time expires;                /* its longest life */
    /* who got in, and by what */
    char signon[DT_SIGNON_ID_LEN + 1];
    char login[DT_LOGIN_MAX]; /* "" of a machine */
    char application[DT_APPLICATION_MAX];
    dt_cause cause;
    dt_access access;
    char rule[DT_POLICY_NAME_MAX];
    dt_trust trust;
    dt_reason reason;
    dt_guid device_id;
    char device_name[DT_DEVICE_NAME_MAX];
    char key_id[65];
    dt_factor_type factor; /* of the MFA by which it got in, now or earlier; 0 = none */
    char okta_user_id[DT_OKTA_ID_MAX];
    /* the request */
    char user[DT_USER_MAX]; /* as the door knew the person */
    char client_ip[DT_ADDRESS_MAX];
    char nas[DT_USER_MAX], station[DT_USER_MAX];
    char session[DT_SESSION_NAME_MAX];
    char vpn_device_id[DT_VPN_UID_MAX];
    dt_vpn_claims vpn;
    bool has_vpn;
    dt_platform platform_hint;
    dt_primary primary;
    bool local, address_wanted, host_evidence;
    bool agent; /* a key in an SSH agent proved the device: nobody can ask for that again */
    dt_group_knowledge group_knowledge;
    size_t group_count, groups_len;
    char groups[DT_SESSION_FACTS_GROUPS_MAX]; /* NUL-terminated each */
    bool proof_left_out; /* certificate, chain and keys are longer than is kept */
    /* Borrowed; the last one is text with its NUL. */
    dt_bytes certificate, chain[DT_CHAIN_MAX], ssh_auth_info;
    size_t chain_count;
    /* what it is known by */
    dt_nas_session at_nas;
    dt_session_at_host at_host;
    /* of a loss */
    dt_time lost; /* since when; 0 = it is not */
    char lost_cause[64];
    int64_t tries;        /* to end it */
    dt_time acted;        /* the last of them; 0 = none */
    dt_session_want want; /* of the administrator (devtrustctl sessions end) */
    bool reported;        /* its event was written */
} dt_session;

/* --- keys of its row ------------------------------------------------------------------------------------------- */

/* The row's key: "session:" and a digest of what the NAS calls it (the NAS and Acct-Session-Id; without one the NAS,
 * the station and the person's name), or the host (boot, leader and its start). DT_E_INVALID for a session that is
 * called nothing, DT_E_CRYPTO. */
DT_MUST_USE int dt_session_key(dt_session const *s, char out[DT_STORE_KEY_MAX]);
/* The key of one of a NAS that names no Acct-Session-Id when it asks, under which accounting finds it. */
DT_MUST_USE int dt_session_key_by_station(dt_session const *s, char out[DT_STORE_KEY_MAX]);
/* Its id, for people: the first digits of the digest. */
void dt_session_id(char const *key, char out[DT_SESSION_ID_LEN + 1]);
/* True for the key of a session's row, and not of what else is in the table. */
bool dt_session_is_key(char const *key);

/* --- the row --------------------------------------------------------------------------------------------------- */

/* Appends it. DT_E_LIMIT, DT_E_INVALID. */
DT_MUST_USE int dt_session_pack(dt_session const *s, dt_buf *out);
/* The opposite; what is borrowed points into `row`. DT_E_PARSE for anything else; *s is then zero. */
DT_MUST_USE int dt_session_unpack(dt_bytes row, dt_session *s);

/* --- deciding again -------------------------------------------------------------------------------------------- */

/* Takes the facts of a request; proofs are borrowed from it. What is too long is left out, and said so
 * (proof_left_out); groups that do not fit are not known. DT_E_LIMIT when who or where does not fit. */
DT_MUST_USE int dt_session_of_request(dt_session *s, dt_request const *r);
/* Takes what let it in. */
void dt_session_of_outcome(dt_session *s, dt_outcome const *o, char const *signon,
                           char const *login);
/* A request that asks the same again, and only explains. Borrows from the session and from `groups`, which has
 * DT_GROUPS_MAX places. The caller sets id and random. */
void dt_session_request(dt_session const *s, char const *groups[], dt_request *out);

typedef enum dt_session_now {
    DT_SESSION_NOT_KNOWN = 0, /* no loss by itself */
    DT_SESSION_MEETS,
    DT_SESSION_NO_LONGER,
} dt_session_now;
/* "unknown", "meets", "lost". */
char const *dt_session_now_name(dt_session_now n);

typedef struct dt_session_judgement {
    dt_session_now now;
    char cause[64]; /* a word: a dt_cause of a refusal, MFA_DUE, or why it is not known */
} dt_session_judgement;

/* Whether who got in would get in now: the rules let in, by the MFA that was given or without one. `person` is what
 * was found of them at Okta, or zero. Pure. */
void dt_session_judge(dt_session const *s, dt_outcome const *now, dt_person_at_okta const *person,
                      dt_session_judgement *out);

#endif
