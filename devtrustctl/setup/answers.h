/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `devtrustctl setup` has to know: a table of questions, and the answers to them from an answer file, from
 * the command line, or from the person at the terminal. An answer file has lines "key = value", with comments on
 * lines of their own. It is for Ansible and cloud-init, so it may come from anywhere: whatever does not fit is
 * refused with its line and with what would fit.
 *
 * Secrets are never answers. The answer is the name of the file that holds one. */
#ifndef DT_SETUP_ANSWERS_H
#define DT_SETUP_ANSWERS_H

#include "core/base/bytes.h"

#define DT_SETUP_ANSWER_MAX 1001         /* longest answer, its NUL included */
#define DT_ANSWERS_FILE_MAX (128 * 1024) /* longest answer file, bytes */
#define DT_SETUP_APPS_MAX 48             /* most applications */
#define DT_SETUP_CLIENTS_MAX 64          /* most RADIUS clients */

typedef enum dt_answer_type {
    DT_ANSWER_ORG, /* https://HOST without a path */
    DT_ANSWER_URL, /* the same for other services */
    DT_ANSWER_WORD,
    DT_ANSWER_GUID,
    DT_ANSWER_SUFFIX, /* @example.com */
    DT_ANSWER_YESNO,
    DT_ANSWER_FILE,   /* absolute path of a file that others may read */
    DT_ANSWER_SECRET, /* absolute path of a file that holds a secret */
    DT_ANSWER_PEM,    /* absolute path of certificates */
    DT_ANSWER_APPS,
    DT_ANSWER_CLIENTS, /* NAME ADDRESS SECRET-FILE, with commas between them */
} dt_answer_type;

/* id, key, type, question */
#define DT_ANSWERS(X)                                                                              \
    X(ORG_URL, "org_url", ORG, "Okta org, such as https://YOUR-ORG.okta.com")                      \
    X(LOGIN_SUFFIX, "login_suffix", SUFFIX,                                                        \
      "what makes a user name an Okta login, such as @YOUR-DOMAIN.com; empty: nothing")            \
    X(API_TOKEN_FILE, "api_token_file", SECRET,                                                    \
      "file with an API token of Okta; empty: a service app is used instead")                      \
    X(CLIENT_ID, "client_id", WORD, "client id of the service app in Okta")                        \
    X(KEY_FILE, "key_file", SECRET, "file with the private key of the service app, PEM")           \
    X(KEY_ID, "key_id", WORD, "id (kid) of that key in Okta; empty: none")                         \
    X(DPOP, "dpop", YESNO, "does the service app require DPoP?")                                   \
    X(OKTA_CA_FILE, "okta_ca_file", PEM, "CA certificates for the connection to Okta")             \
    X(TENANT_ID, "tenant_id", GUID, "Microsoft Entra tenant id")                                   \
    X(INTUNE_CLIENT_ID, "intune_client_id", GUID, "client id of the app registration in Entra")    \
    X(INTUNE_CERTIFICATE_FILE, "intune_certificate_file", PEM,                                     \
      "file with the certificate of the app registration; empty: a client secret is used")         \
    X(INTUNE_KEY_FILE, "intune_key_file", SECRET, "file with the private key of that certificate") \
    X(INTUNE_CLIENT_SECRET_FILE, "intune_client_secret_file", SECRET,                              \
      "file with the client secret of the app registration")                                       \
    X(INTUNE_CA_FILE, "intune_ca_file", PEM, "CA certificates for the connections to Microsoft")   \
    X(LOGIN_URL, "login_url", URL, "address of Entra in a national cloud")                         \
    X(GRAPH_URL, "graph_url", URL, "address of Graph in a national cloud")                         \
    X(COMPANY_CA_FILE, "company_ca_file", PEM,                                                     \
      "CAs that sign device certificates for your company only, PEM; empty: none")                 \
    X(SHARED_CA_FILE, "shared_ca_file", PEM,                                                       \
      "CAs that sign device certificates for every tenant, such as Microsoft Intune MDM Device "   \
      "CA, PEM; empty: none")                                                                      \
    X(DEVICE_CERTIFICATE, "device_certificate", PEM,                                               \
      "certificate of a device, to try the CAs with; empty: none")                                 \
    X(APPLICATIONS, "applications", APPS,                                                          \
      "applications, such as sshd, sudo, su, login, lock-screen, vpn, wifi")                       \
    X(RADIUS_CLIENTS, "radius_clients", CLIENTS,                                                   \
      "RADIUS clients as NAME ADDRESS SECRET-FILE, with commas between them")                      \
    X(RADIUS_CERTIFICATE_FILE, "radius_certificate_file", PEM,                                     \
      "certificate of the RADIUS server for Wi-Fi, PEM")                                           \
    X(RADIUS_KEY_FILE, "radius_key_file", SECRET, "private key of that certificate, PEM")          \
    X(ENFORCE, "enforce", YESNO, "enforce the policies? no: evaluate and log only")

typedef enum dt_answer_id {
#define X(id, key, type, question) DT_ANSWER_##id,
    DT_ANSWERS(X)
#undef X
        DT_ANSWER_COUNT,
} dt_answer_id;

typedef struct dt_answer_row {
    char const *key;
    dt_answer_type type;
    char const *question;
} dt_answer_row;

typedef struct dt_answers {
    char values[DT_ANSWER_COUNT][DT_SETUP_ANSWER_MAX]; /* "" = not answered */
    bool given[DT_ANSWER_COUNT];                       /* also when the answer is empty */
} dt_answers;

/* What is asked, by its id. */
dt_answer_row const *dt_answer_row_of(dt_answer_id id);
/* Takes one answer, `where` being "FILE:LINE" or the option, for messages. DT_E_INVALID when there is no such key
 * (with the one that was probably meant), when it was answered before, or when the value is not of its form. */
DT_MUST_USE int dt_answers_set(dt_answers *a, char const *where, char const *key, char const *value,
                               dt_error *e);
/* Reads an answer file. DT_E_INVALID, DT_E_PARSE, DT_E_LIMIT with "name:line". */
DT_MUST_USE int dt_answers_parse(dt_bytes text, char const *name, dt_answers *a, dt_error *e);
/* What must be there together: an org, one credential, a CA, an application and so on. DT_E_INVALID. */
DT_MUST_USE int dt_answers_check(dt_answers const *a, dt_error *e);
/* Writes them as an answer file. */
void dt_answers_put(dt_answers const *a, dt_buf *out);
bool dt_answer_is_yes(dt_answers const *a, dt_answer_id id);

/* --- lists ------------------------------------------------------------------------------------ */

typedef enum dt_app_door {
    DT_APP_PAM,
    DT_APP_RADIUS,
} dt_app_door;

/* An application that setup knows, and how its PAM file has to ask. */
typedef struct dt_app {
    char const *name;
    dt_app_door door;
    char const *variant; /* another PAM service of the same program; NULL = none */
    bool screen;         /* one of "lock-screen" */
    bool account;        /* devtrust has an account line */
    bool blind;          /* the program shows no prompts: a passcode comes after the password */
} dt_app;

/* Application i of those that setup knows; NULL past the end. */
dt_app const *dt_app_at(size_t i);
/* Calls fn for each application of the answer; "lock-screen" is all of them. Stops at a negative result. */
DT_MUST_USE int dt_apps_each(char const *answer,
                             int (*fn)(void *ctx, dt_app const *app, bool named), void *ctx);
/* Whether the answer names the application itself. */
bool dt_apps_have(char const *answer, char const *name);

typedef struct dt_radius_client {
    char name[64];
    char address[64];
    char secret_file[256];
} dt_radius_client;
/* Takes the answer apart. DT_E_INVALID, DT_E_LIMIT. */
DT_MUST_USE int dt_radius_clients_parse(char const *answer,
                                        dt_radius_client clients[DT_SETUP_CLIENTS_MAX],
                                        size_t *count, dt_error *e);

/* The word of `words` (ends with NULL) that was probably meant, or NULL when none is near. */
char const *dt_did_you_mean(char const *typed, char const *const *words);

#endif
