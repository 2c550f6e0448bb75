/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room config: devtrust.conf, read into typed values.
 *
 * One typed table (config_table.c) has every key: parsing, defaults, the man page check and every error message
 * come from it. The core gets key/value pairs with their line (edge/ini_inih.c reads the text) and never opens a
 * file. An unknown section or key, a bad value, a key given twice is an error. Some sections have a name, as in
 * [application vpn], and there may be several of them. Rules between keys are in the room ruleset.
 *
 * Begin with dt_config_new, dt_config_set for each pair, and dt_config_finish; what comes of it is a dt_config,
 * or a dt_config_application of it for one application (dt_config_for). config_section.h and config_value.h are
 * for the files of this room. messages.h has the texts that an administrator may replace, presence.h the question
 * whether the person sits at this host.
 *
 * config_section.c defines dt_config_for, config_value.c dt_duration_parse. */
#ifndef DT_CORE_CONFIG_H
#define DT_CORE_CONFIG_H

#include "core/base/faults.h"
#include "core/base/base.h"
#include "core/base/guid.h"
#include "core/config/presence.h"

#define DT_CONFIG_VALUE_MAX 1024 /* longest value, bytes */
#define DT_CONFIG_LIST_MAX 32    /* most members of a list value */
#define DT_TRUST_ALTERNATIVES_MAX 8
#define DT_FRESH_ENROLLMENT_GRACE_MAX DT_HOURS(4)
#define DT_CONFIG_KEYS_MAX 160 /* room for rows of the table */
#define DT_CONFIG_NAME_MAX 64  /* longest name of a section that has one, its NUL included */
#define DT_CONFIG_SECTION_MAX (DT_CONFIG_NAME_MAX + 16) /* the same with what stands before it */
#define DT_CONFIG_APPLICATIONS_MAX 32                   /* most sections [application NAME] */
#define DT_CONFIG_CAS_MAX 16                            /* most sections [ca NAME] */
#define DT_CONFIG_CA_KEYS_MAX 16                        /* room for rows of their table */
#define DT_CONFIG_TRANSMITTERS_MAX 8                    /* most sections [transmitter NAME] */
#define DT_CONFIG_TRANSMITTER_KEYS_MAX 24               /* room for rows of their table */
#define DT_CONFIG_NAS_MAX 256                           /* most sections [nas NAME] */
#define DT_CONFIG_NAS_KEYS_MAX 16                       /* room for rows of their table */
#define DT_CONFIG_MESSAGES_MAX 96   /* room for the sections [message NAME]: one a reason or text */
#define DT_CONFIG_MESSAGE_TEXTS 9   /* that of all platforms, then one for each */
#define DT_CONFIG_MESSAGE_ANY "ANY" /* the section of all reasons */
#define DT_PROXY_NONE "none"        /* a service that goes without the proxy of the others */

typedef enum dt_unknown_as { DT_UNKNOWN_DENY = 0, DT_UNKNOWN_NOT_TRUSTED } dt_unknown_as;
typedef enum dt_unavailable_as {
    DT_UNAVAILABLE_DENY = 0,
    DT_UNAVAILABLE_ALLOW_TRUSTED,
    DT_UNAVAILABLE_ALLOW,
} dt_unavailable_as;
/* The form of the events in the audit file. */
typedef enum dt_audit_format { DT_AUDIT_AS_OKTA = 0, DT_AUDIT_AS_OCSF } dt_audit_format;

/* Where a link is drawn as a QR code. */
typedef enum dt_qr_code {
    DT_QR_CODE_NEVER = 0,
    DT_QR_CODE_TERMINAL, /* at terminals that are known */
    DT_QR_CODE_ALWAYS,   /* by sshd, too, which knows none */
} dt_qr_code;

typedef enum dt_number_challenge {
    DT_NUMBER_NEVER = 0,  /* do not ask Okta for one (the org may still force it) */
    DT_NUMBER_WHEN_SHOWN, /* ask for one wherever the number can be shown */
} dt_number_challenge;
/* The sources of a person's groups, a bit each. Of several each has to answer, and all groups count. */
typedef enum dt_groups_from {
    DT_GROUPS_FROM_REQUEST = 1 << 0, /* NSS for PAM, the configured attribute for RADIUS */
    DT_GROUPS_FROM_OKTA = 1 << 1,
} dt_groups_from;
typedef enum dt_revocation {
    DT_REVOCATION_REQUIRE = 0, /* no answer is UNKNOWN */
    DT_REVOCATION_SOFT,        /* no answer passes, and is recorded */
    DT_REVOCATION_OFF,
} dt_revocation;
/* Every way in which Okta is asked for MFA: its word, and whether it takes the Okta password. Each has a row
 * (dt_way) in core/signon/way_*.c. The first is the default. */
#define DT_OKTA_WAYS(X)                                                                            \
    X(FACTORS, factors, false) /* the Factors API */                                               \
    X(AUTHN, authn, true)      /* the Authn API, in the transaction that the password begins */    \
    X(BROWSER, browser,                                                                            \
      false) /* the Device Authorization Grant: any factor that a browser offers */                \
    X(DIRECT, direct, false) /* Direct Authentication, by a native app */
typedef enum dt_okta_way {
#define X(NAME, word, takes_password) DT_OKTA_WAY_##NAME,
    DT_OKTA_WAYS(X)
#undef X
        DT_OKTA_WAY_COUNT
} dt_okta_way;
/* What is done with an open session that no longer meets the rule that let it in. */
typedef enum dt_on_loss {
    DT_ON_LOSS_REPORT = 0,     /* an event, and nothing else */
    DT_ON_LOSS_REAUTHENTICATE, /* the person signs on again, and stays where they are if they may */
    DT_ON_LOSS_DISCONNECT,     /* it ends */
} dt_on_loss;
/* Whether the org's requireFactor, or Okta's MFA_REQUIRED, holds for a TRUSTED device. */
typedef enum dt_org_mfa { DT_ORG_MFA_ENFORCE = 0, DT_ORG_MFA_UNLESS_TRUSTED } dt_org_mfa;
typedef enum dt_intune_service {
    DT_INTUNE_BY_GRAPH = 0,
    DT_INTUNE_BY_COMPLIANCE, /* the Compliance Retrieval service */
} dt_intune_service;
/* How a transmitter of shared signals delivers. */
typedef enum dt_signals_by { DT_SIGNALS_BY_POLL = 0, DT_SIGNALS_BY_PUSH } dt_signals_by;
/* The kinds of NAS that are asked to end a session: their words. Each has a row in core/dae/nas.c. */
#define DT_NAS_KINDS(X)                                                                            \
    X(GENERIC, generic)                                                                            \
    X(HOSTAPD, hostapd)                                                                            \
    X(STRONGSWAN, strongswan)                                                                      \
    X(CISCO, cisco)                                                                                \
    X(MERAKI, meraki)                                                                              \
    X(ARUBA, aruba)                                                                                \
    X(ARUBA_CX, aruba_cx)                                                                          \
    X(FORTINET, fortinet)
typedef enum dt_nas_kind {
#define X(NAME, word) DT_NAS_##NAME,
    DT_NAS_KINDS(X)
#undef X
        DT_NAS_KIND_COUNT
} dt_nas_kind;
/* How a NAS is asked to have a person sign on again. */
typedef enum dt_nas_again {
    DT_NAS_AGAIN_BY_KIND = 0,
    DT_NAS_AGAIN_DISCONNECT,   /* the session ends; whoever comes back signs on */
    DT_NAS_AGAIN_CISCO,        /* Cisco-AVPair subscriber:command=reauthenticate */
    DT_NAS_AGAIN_CISCO_BOUNCE, /* Cisco-AVPair subscriber:command=bounce-host-port */
    DT_NAS_AGAIN_FORTINET,     /* Fortinet-Host-Port-AVPair action=reauth-port */
} dt_nas_again;
typedef enum dt_assertion_alg { DT_ALG_PS256 = 0, DT_ALG_RS256 } dt_assertion_alg;

/* Whose MFA counts at PAM. */
typedef enum dt_identity_from {
    DT_IDENTITY_FROM_AUTO =
        0, /* the caller's for su and sudo and their variants, else the user's */
    DT_IDENTITY_FROM_USER,
    DT_IDENTITY_FROM_CALLER,
} dt_identity_from;

/* By what Intune is asked about a device; a bit each. */
typedef enum dt_lookup_by {
    DT_LOOKUP_BY_INTUNE_ID = 1 << 0,
    DT_LOOKUP_BY_ENTRA_ID = 1 << 1,
    DT_LOOKUP_BY_SERIAL = 1 << 2,
} dt_lookup_by;

/* Where in a certificate the device id may stand; a bit each. */
typedef enum dt_id_place {
    DT_ID_SAN_URI = 1 << 0,         /* IntuneDeviceId://, ID:Intune:GUID: and the like */
    DT_ID_EXTENSION = 1 << 1,       /* 1.2.840.113556.5.4 */
    DT_ID_COMMON_NAME = 1 << 2,     /* where none of the two before is there */
    DT_ID_MS_ORGANIZATION = 1 << 3, /* 1.2.840.113556.1.5.284.2: Entra's id of the device */
    DT_ID_SERIAL_NUMBER = 1 << 4,   /* the subject's serialNumber, where no id is there */
    DT_ID_ENTRA_COMMON_NAME =
        1 << 5, /* Entra's id, alone or after "host/", where Intune's is nowhere */
} dt_id_place;
#define DT_ID_PLACES_DEFAULT (DT_ID_SAN_URI | DT_ID_EXTENSION | DT_ID_COMMON_NAME)
/* What a device's key may be; a bit each. */
typedef enum dt_key_type {
    DT_KEY_TYPE_RSA = 1 << 0,
    DT_KEY_TYPE_P256 = 1 << 1,
    DT_KEY_TYPE_P384 = 1 << 2,
    DT_KEY_TYPE_P521 = 1 << 3,
    DT_KEY_TYPE_ED25519 = 1 << 4,
} dt_key_type;
#define DT_KEY_TYPES_ALL 0x1f
#define DT_RSA_BITS_MIN 2048
#define DT_RSA_BITS_MAX 8192 /* a signature still fits DT_SIGNATURE_MAX */

/* Everything devtrust.conf says. Owns all its strings; an unset string is "" (never NULL), an
 * unset list has count 0. Read-only once loaded, so it may be shared between threads. */
typedef struct dt_string_list {
    char **items;
    size_t count;
} dt_string_list;

#define DT_CONFIG_FAULTY_MAX 1024 /* of the names of keys with faults */

typedef struct dt_config {
    struct {
        char *org_url;        /* https://example.okta.com, no trailing slash */
        char *api_token_file; /* path; root/service-owned, 0600/0400 */
        char *client_id;      /* of a service app; "" = the API token is used */
        char *key_file;       /* its private key; RSA or P-256 */
        char *key_id;         /* kid; "" = none is sent */
        char *next_key_file;  /* tried where the former is refused; "" = none */
        char *next_key_id;
        bool dpop;              /* its tokens are bound to a key of ours */
        char *native_client_id; /* of the app at which people sign on; "" = none */
        char *ca_file;          /* "" = the system's CA directory */
        dt_time timeout;        /* of one HTTPS request */
        dt_time poll_interval;
        int rate_share;      /* per cent */
        dt_time user_ttl;    /* how long login -> Okta user id (and groups) is remembered */
        dt_time stale_limit; /* how old an answer for remembered MFA may be while Okta is
                                away */
        char *proxy;         /* "" = that of http; DT_PROXY_NONE; else as http.proxy */
        char *proxy_credentials_file;
    } okta;
    struct {
        char *proxy;                  /* http://HOST:PORT or https://HOST:PORT; "" = none */
        char *proxy_credentials_file; /* USER:PASSWORD; secret; "" = none */
        char *proxy_ca_file;          /* of all https:// proxies; "" = the system's CA directory */
    } http;
    struct {
        char *login_suffix; /* appended to a local name to make the Okta login; "" = nothing */
        char *realms;       /* "REALM -> @SUFFIX, ..."; see core/ruleset/identity.h */
        char *table_file;   /* exceptions; "" = none */
    } user_name;
    struct {
        dt_guid tenant_id;
        char *client_id;
        char *certificate_file;
        char *key_file;
        char *client_secret_file; /* instead of the two before */
        dt_assertion_alg assertion_alg;
        unsigned lookup_by; /* dt_lookup_by bits */
        char *login_url;    /* https://login.microsoftonline.com */
        char *graph_url;    /* https://graph.microsoft.com */
        dt_intune_service service;
        char *
            compliance_resource; /* of its tokens, without the slash at the end; "" = the cloud's */
        char *compliance_host;   /* it is at this host or below; "" = the cloud's */
        char *ca_file;
        dt_time timeout;
        char *proxy; /* as okta.proxy */
        char *proxy_credentials_file;
    } intune;
    struct {
        unsigned trusted_when[DT_TRUST_ALTERNATIVES_MAX]; /* each a set of dt_source bits, OR-ed */
        size_t trusted_when_count;
        unsigned platforms;   /* dt_platform bits for which device trust is enabled */
        char *ca_file;        /* CAs that sign for this company's devices only */
        char *shared_ca_file; /* CAs that sign for every tenant: tenant extension demanded */
        char *crl_file;       /* revocation lists of those CAs; "" = none */
        dt_revocation revocation;
        bool ocsp;                 /* responders are asked about device certificates */
        char *ocsp_url;            /* of the one responder; "" = that of each certificate */
        char *ocsp_responder_file; /* certificates of responders that may answer for any CA */
        dt_time ocsp_timeout;      /* of one question */
        char *ocsp_proxy;          /* as okta.proxy */
        char *ocsp_proxy_credentials_file;
        dt_time ocsp_max_age;   /* how long ago an answer's thisUpdate may be */
        dt_time ocsp_cache_max; /* how long an answer is used, if it holds for so long */
        dt_guid tenant_id;      /* defaults to intune.tenant_id */
        char *host_certificate_file;
        char *host_key_file;
        char *host_key; /* path, pkcs11: URI, or handle:0x81...; instead of host_key_file */
        char *host_key_pin_file; /* secret */
        char *pkcs11_module;
        char *tpm_tcti;
        char *ssh_device_ca_file;        /* OpenSSH public keys of CAs that sign for devices */
        char *ssh_certificate_device_id; /* "key-id" or "extension:NAME" */
        bool ssh_require_hardware_key;
        dt_time agent_timeout;            /* for all that an SSH agent is asked */
        char *managed_configuration_file; /* what the MDM put on this host; secret */
        char *management_hint_file;       /* the secret keys that it may hold */
        dt_time cache_ttl;
        dt_time negative_ttl; /* of "not compliant" and "not enrolled" */
        dt_time stale_limit;
        dt_time max_sync_age; /* 0 = not looked at */
        bool trust_in_grace_period;
        dt_time fresh_enrollment_grace; /* since enrolment; 0 = none */
        bool require_owner;             /* Intune must name the person as the device's user */
        char *enrollment_url;
        char *check_access_text; /* the text for a person on a non-compliant device; "" = our own
                                    words */
    } device_trust;
    struct {
        char *directory; /* <application>.json */
        char *zones_file;
        char *asn_database; /* MaxMind databases for DYNAMIC zones; "" = none */
        char *location_database;
        dt_unknown_as unknown_device_as;
        dt_unavailable_as okta_unavailable;
        unsigned groups_from; /* dt_groups_from bits */
        bool report_only;     /* evaluate and log, enforce nothing; a policy may say otherwise */
        bool
            report_only_people; /* with it: is the person known to Okta, and which factors are enrolled? */
        char *org_file;         /* the org's own sign-on rules */
        dt_org_mfa org_mfa;
        char okta_app[DT_OKTA_ID_MAX]; /* that people must be assigned; "" = none */
    } policy;
    struct {
        dt_string_list okta_password; /* applications whose first factor is the Okta password */
        int password_limit; /* that may be tried for one login within password_limit_window */
        dt_time password_limit_window;
    } primary;
    struct {
        unsigned factors; /* dt_factor_type bits, the company's allowed set */
        dt_okta_way okta_way;
        dt_number_challenge number_challenge;
        dt_qr_code qr_code;
        int passcode_attempts;
        int passcode_limit; /* wrong passcodes of one person since their last MFA, at all doors */
        dt_time push_pause; /* after a denied push; 0 = none */
        int push_limit; /* pushes one user may be sent within push_limit_window; 0 = none at all */
        dt_time push_limit_window;
        int message_limit; /* codes that may be sent to one user within push_limit_window */
        dt_time wait_pam;  /* longest whole wait for a person, at most 60 s */
        dt_time wait_vpn;  /* at most 55 s */
        dt_time wait_wifi; /* at most 25 s: supplicants give up at 30 s */
        dt_time challenge_lifetime; /* of a State */
        dt_time session_lifetime;   /* a session continues its sign-on for so long; 0 = never */
    } mfa;
    struct {
        dt_time recheck;  /* of the devices of open sessions; 0 = never, and none is recorded */
        dt_time lifetime; /* of a session whose end nobody reports */
        dt_on_loss on_loss;
        bool sudo_sessions; /* those of su and sudo are sessions of their own */
    } sessions;
    struct {
        dt_string_list users; /* break-glass accounts, by their local names */
        char *until;          /* see core/ruleset/break_glass.h; "" = no accounts */
    } break_glass;
    struct {
        char *path;           /* SQLite file */
        int size_limit;       /* of the file, MiB */
        char *state_key_file; /* 32 random bytes, made at install; seals RADIUS State */
    } store;
    struct { /* what FreeRADIUS has of its own; "" = the keys of store, audit and metrics count */
        char *store_path;
        char *audit_file;
        char *state_key_file;
        char *metrics_socket;
        char *metrics_textfile;
    } radius;
    struct {
        char *file; /* "" = none */
        bool syslog;
        dt_audit_format format; /* of the file */
    } audit;
    struct {
        char *socket;     /* "" = none */
        char *textfile;   /* the same */
        dt_time interval; /* between two textfiles */
    } metrics;
    struct {
        char *socket;
        dt_string_list sshd_services;
        dt_string_list local_services;   /* may use the host's certificate as evidence */
        dt_presence_by person_at_host;   /* who says that the person sits here */
        dt_string_list session_services; /* the login session counts as the sign-on's session */
        dt_string_list agent_services;   /* may use the SSH agent that the person brings along */
        dt_string_list
            lock_screen_services; /* non-root callers may ask for these, for themselves */
        int max_sign_ons;
        dt_identity_from identity_from;
        dt_string_list no_prompt_services;
    } daemon;
    struct {
        char *news;                  /* the file of news; "" = none */
        char *listen;                /* ADDRESS:PORT on loopback; "" = nothing listens */
        char *okta_hook_secret_file; /* what event hooks send as Authorization; secret; "" = none */
        char *proxy;                 /* as okta.proxy */
        char *proxy_credentials_file;
    } signals;
    struct dt_config_application *applications[DT_CONFIG_APPLICATIONS_MAX]; /* as in the file */
    size_t application_count;
    struct dt_config_ca *cas[DT_CONFIG_CAS_MAX]; /* as in the file */
    size_t ca_count;
    struct dt_config_transmitter *transmitters[DT_CONFIG_TRANSMITTERS_MAX]; /* as in the file */
    size_t transmitter_count;
    struct dt_config_nas *nases[DT_CONFIG_NAS_MAX]; /* as in the file */
    size_t nas_count;
    struct dt_config_message *messages[DT_CONFIG_MESSAGES_MAX]; /* as in the file */
    size_t message_count;
    int lines[DT_CONFIG_KEYS_MAX]; /* where the file gave key i of the table; 0 = its default */
    char *file;                    /* which was read, for messages; NULL: none to its end */
    dt_faults
        *faults; /* borrowed while the file is checked, and all faults are wanted; else NULL */
    char faulty[DT_CONFIG_FAULTY_MAX]; /* what had some of them; see dt_config_is_faulty */
} dt_config;

/* [application NAME]: keys of the table that have another value for this application. */
typedef struct dt_config_application {
    char name[DT_CONFIG_NAME_MAX];
    int line;      /* of the section's head */
    dt_config own; /* only the fields of keys that the section gives, as own.lines[] says */
} dt_config_application;

/* [ca NAME]: the certificates of a CA, or of several, that have rules of their own. */
typedef struct dt_config_ca {
    char name[DT_CONFIG_NAME_MAX];
    int line;                 /* of the section's head */
    char *certificate_file;   /* the CA certificates */
    dt_guid tenant_id;        /* that certificates must name; unset: they need not name one */
    unsigned device_id;       /* dt_id_place bits */
    char *extended_key_usage; /* object identifiers, all of which a certificate must have */
    unsigned keys;            /* dt_key_type bits */
    int rsa_bits_min;
    char *crl_file; /* "" = none */
    dt_revocation revocation;
    bool ocsp;
    char *ocsp_url;                   /* "" = that of each certificate */
    int lines[DT_CONFIG_CA_KEYS_MAX]; /* where the section gave key i of its table */
} dt_config_ca;

/* [transmitter NAME]: one that sends shared signals (SSF). */
typedef struct dt_config_transmitter {
    char name[DT_CONFIG_NAME_MAX];
    int line;           /* of the section's head */
    char *issuer;       /* exactly as in its metadata and tokens */
    char *metadata_url; /* "" = by the issuer (core/signals/ssf.h) */
    dt_signals_by delivery;
    char *audience;         /* those of its tokens, separated by commas; "" = as its stream says */
    char *stream_id;        /* "" = the one stream of this receiver; made where there is none */
    char *push_url;         /* where it pushes to, as the outside sees it */
    char *push_secret_file; /* what it sends as Authorization; secret; "" = nothing */
    char *token_file;       /* a bearer token; secret; "" = none */
    char *token_url;        /* or where one is had by client credentials */
    char *client_id;
    char *client_secret_file; /* secret */
    char *key_file;           /* or a private key; secret */
    char *key_id;
    char *scope;
    dt_time poll_pause;
    char *ca_file;                             /* "" = the system's CA directory */
    int lines[DT_CONFIG_TRANSMITTER_KEYS_MAX]; /* where the section gave key i of its table */
} dt_config_transmitter;
/* [nas NAME]: a NAS, or several, that can be asked to end a session (RFC 5176). */
typedef struct dt_config_nas {
    char name[DT_CONFIG_NAME_MAX];
    int line;          /* of the section's head */
    char *address;     /* its addresses and networks, separated by commas; "" = not looked at */
    char *identifier;  /* its NAS-Identifier; "" = not looked at */
    char *send_to;     /* the address that is asked; "" = that of the NAS */
    int port;          /* UDP; 0 = that of the kind */
    char *secret_file; /* shared with it for this; secret */
    dt_nas_kind kind;
    dt_nas_again reauthenticate;
    int lines[DT_CONFIG_NAS_KEYS_MAX]; /* where the section gave key i of its table */
} dt_config_nas;

/* [message NAME]: a text that people read. NAME is a reason why their device is not trusted, or ANY; or that of
 * a general text (config/messages.h), which has one form for all platforms. */
typedef struct dt_config_message {
    char name[DT_CONFIG_NAME_MAX]; /* dt_reason_name, DT_CONFIG_MESSAGE_ANY, or of dt_words */
    int line;                      /* of the section's head */
    /* That of all platforms, then those of each: dt_platform bit n is texts[n + 1]. "" = none. */
    char *texts[DT_CONFIG_MESSAGE_TEXTS];
    int lines[DT_CONFIG_MESSAGE_TEXTS]; /* where the section gave key i of its table */
} dt_config_message;

/* One row of the table, public so that `devtrustctl check-config`, the tests and the man page
 * check can walk it. */
typedef enum dt_config_type {
    DT_CONFIG_STRING,
    DT_CONFIG_URL,  /* https:// only, no user info, no query, trailing slash dropped */
    DT_CONFIG_PATH, /* absolute */
    DT_CONFIG_GUID,
    DT_CONFIG_OKTA_ID,  /* letters, digits, - and _, shorter than DT_OKTA_ID_MAX; may be empty */
    DT_CONFIG_BOOL,     /* yes, no */
    DT_CONFIG_INT,      /* within min..max */
    DT_CONFIG_DURATION, /* 30s, 15m, 8h, 7d, 500ms; within min..max milliseconds */
    DT_CONFIG_ENUM,
    DT_CONFIG_BITS, /* list of words */
    DT_CONFIG_LIST, /* list of strings */
    DT_CONFIG_TRUSTED_WHEN,
} dt_config_type;

/* In place of the path of a secret: that of systemd's credential of this name. */
#define DT_CONFIG_CREDENTIAL "credential:"
#define DT_CONFIG_CREDENTIAL_NAME_MAX 128 /* bytes of a name */
typedef struct dt_config_key {
    char const *section;
    char const *name;
    dt_config_type type;
    size_t offset;        /* into dt_config; of a key of [ca NAME], into dt_config_ca, and so on */
    char const *fallback; /* the default, as it would be written; NULL = must be given */
    int64_t min, max;     /* INT; DURATION (milliseconds); length of STRING, URL, PATH (bytes) */
    dt_config_word const *words; /* ENUM, BITS; ends with a NULL word */
    bool reloadable;
    bool secret;          /* PATH: of a secret, so that credential:NAME may stand for it */
    bool per_application; /* may stand in [application NAME], too; its field owns nothing */
    char const *help;     /* one sentence */
} dt_config_key;

/* The table and its length. */
dt_config_key const *dt_config_keys(size_t *count);
/* That of the keys of [ca NAME]. */
dt_config_key const *dt_config_ca_keys(size_t *count);
/* That of the keys of [transmitter NAME]. */
dt_config_key const *dt_config_transmitter_keys(size_t *count);
/* That of the keys of [nas NAME]. */
dt_config_key const *dt_config_nas_keys(size_t *count);
/* That of the keys of [message REASON]: key i is texts[i]. */
dt_config_key const *dt_config_message_keys(size_t *count);

/* The line of the file that gave a key; 0 when the default stands or there is no such key. `section`
 * with its name where it has one, as in "application vpn". */
int dt_config_line(dt_config const *c, char const *section, char const *name);
/* Puts the key that led to an error in front of its text, with file and line: "FILE:LINE: [SECTION]
 * NAME: ". An `e` without a text gets the name of `error`. Gives `error`. */
int dt_config_blame(dt_config const *c, char const *section, char const *name, dt_error *e,
                    int error);
/* True when the first factor of this application is the person's Okta password, which devtrust asks
 * Okta about itself. */
bool dt_config_okta_password(dt_config const *c, char const *application);
/* Does the way to Okta take a password that the application is not asked for? NULL: of every application. `c` is what
 * is in force there (dt_config_for). */
bool dt_config_lacks_password(dt_config const *c, char const *application);
/* True when the table has such a section; of those with a name, none is in the table. */
bool dt_config_has_section(char const *section);
/* What holds for an application: *out becomes a copy of c in which the keys that [application NAME]
 * gives have the values of that section. The copy borrows all that c owns: it is good until c is
 * freed or changed, and never to be freed itself. False, and *out untouched, without such a section. */
bool dt_config_for(dt_config const *c, char const *application, dt_config *out);

/* For FreeRADIUS: what [radius] gives takes the place of the keys of [store] and [audit], so that one file serves
 * it and devtrustd, with one copy of every secret. After dt_config_finish, once. */
void dt_config_use_radius(dt_config *c);

/* A new config with every default set. */
DT_MUST_USE int dt_config_new(dt_config **out, dt_error *e);
void dt_config_free(dt_config **c);
/* The known section that somebody meant who wrote this one; NULL where none is like it. A static string. */
char const *dt_config_section_like(char const *section);
/* Likewise a key of a section. */
char const *dt_config_key_like(char const *section, char const *name);

/* A section begins: "okta", or "application vpn" for one with a name. To be called for each that the
 * file has, also for one without keys. DT_E_INVALID for a section that there is not, a name that is
 * not one, or more sections with a name than there may be. */
DT_MUST_USE int dt_config_open_section(dt_config *c, char const *file, int line,
                                       char const *section, dt_error *e);
/* Takes one pair from `file`:`line`, of a section that was opened where it has a name. DT_E_INVALID
 * with file, line, key, what was expected. */
DT_MUST_USE int dt_config_set(dt_config *c, char const *file, int line, char const *section,
                              char const *name, char const *value, dt_error *e);
/* Notes that a line has a fault, so that what goes by its key is not judged by the default: `key` of [section]; "" for
 * the whole section, and both "" where nobody can say which. Sections with a name are noted by their first word. */
void dt_config_set_faulty(dt_config *c, char const *section, char const *key);
/* Whether such a note was made of `what`: "section.key", or "section" for any key of it. */
bool dt_config_is_faulty(dt_config const *c, char const *what);

/* After the last pair: keys and sections that must be there. dt_config_check then has the rules between
 * keys. DT_E_INVALID with file, line and key. */
DT_MUST_USE int dt_config_finish(dt_config *c, char const *file, dt_error *e);
/* The error "file:line: [section] key: why", the line being where the key was given, if it was. */
int dt_config_refuse(dt_config const *c, char const *file, char const *section, char const *name,
                     dt_error *e, char const *why);
/* Gives every key that is not reloadable the value it has in `old`; appends the names of those that
 * differed to `names`, as in "[store] path, [audit] file". DT_E_NOMEM. */
DT_MUST_USE int dt_config_keep_fixed(dt_config *c, dt_config const *old, dt_buf *names);
/* The text of a STRING, URL or PATH; `base` is the dt_config, dt_config_ca, dt_config_nas or
 * dt_config_message that the key is of. */
char const *dt_config_text(void const *base, dt_config_key const *k);
/* Parses durations as the config writes them ("90s"). Milliseconds. */
DT_MUST_USE int dt_duration_parse(char const *text, int64_t *out);

#endif
