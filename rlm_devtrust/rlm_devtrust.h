/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the FreeRADIUS module share: the instance, and one function each of reading a
 * request, answering it, finding the TLS peer, and joining the driver. An instance is read-only once
 * instantiated; worker threads share it. */
#ifndef DT_RLM_DEVTRUST_H
#define DT_RLM_DEVTRUST_H

#include <freeradius/radiusd.h>
#include <freeradius/modules.h>

#include "core/signon/remembered.h"
#include "core/signon/session_record.h"
#include "driver/driver.h"
#include "rlm_devtrust/carried.h"
#include "rlm_devtrust/waiting_room.h"

#include <pthread.h>
#include <stdatomic.h>

/* Bounds of one input; longer values deny (who and where) or count as not given (assertions). */
#define DT_RLM_INPUT_MAX 512
#define DT_RLM_GROUPS_BYTES 8192            /* of the groups that rules name */
#define DT_RLM_GROUP_TEXT_MAX 4096          /* one group, whether or not a rule names it */
#define DT_RLM_GROUP_LIST_MAX (1024 * 1024) /* all groups of a person with commas between */
#define DT_RLM_BLOCKING_WAITS_MAX 1024
#define DT_RLM_DIRECTORIES_MAX 16 /* instances of ldap that the server has */

/* A parked request is answered this long before the server would give up on it. */
#define DT_RLM_ANSWER_MARGIN DT_SECONDS(5)
/* A sign-on ends itself this long before the waiting room would answer for it. */
#define DT_RLM_END_MARGIN DT_SECONDS(2)
#define DT_RLM_RESPONSE_WINDOW_MAX 60 /* seconds; the server clamps response_window to it */

typedef enum dt_rlm_wait {
    DT_RLM_WAIT_PARK = 0,  /* the NAS shows no challenge: a push, or a passcode that came along */
    DT_RLM_WAIT_HYBRID,    /* park for a push, challenge for a passcode */
    DT_RLM_WAIT_CHALLENGE, /* never wait silently: "approve, then press Enter" */
} dt_rlm_wait;

typedef enum dt_rlm_primary {
    DT_RLM_PRIMARY_CONTROL = 0, /* control:DevTrust-Primary == "Verified" */
    DT_RLM_PRIMARY_CERTIFICATE, /* the TLS handshake of this very request */
    DT_RLM_PRIMARY_OKTA,        /* the Okta password, which came as `password` */
} dt_rlm_primary;

/* The inputs, each an expression of the configuration. */
typedef enum dt_rlm_input {
    DT_RLM_USER = 0,
    DT_RLM_NAS,
    DT_RLM_STATION,
    DT_RLM_SESSION,
    DT_RLM_GROUPS,
    DT_RLM_PLATFORM,
    DT_RLM_VPN_DEVICE_ID,
    DT_RLM_VPN_PAIRS,
    DT_RLM_VPN_HOST_NAME,
    DT_RLM_PASSCODE,
    DT_RLM_PASSWORD, /* evaluated with primary = okta only */
    DT_RLM_INPUT_COUNT,
} dt_rlm_input;

/* Text as configured, and what it was compiled to: "&Attribute" to `attribute`, anything else to
 * `xlat`; both NULL when empty. */
typedef struct dt_rlm_expression {
    char const *text;
    vp_tmpl_t *attribute;
    xlat_exp_t *xlat;
} dt_rlm_expression;

/* Where the client's address is looked for: attributes in order, or one expression. */
#define DT_RLM_ADDRESS_ATTRIBUTES_MAX 8
typedef struct dt_rlm_address {
    char const *text; /* as configured */
    vp_tmpl_t *attributes[DT_RLM_ADDRESS_ATTRIBUTES_MAX];
    size_t count;
    dt_rlm_expression expression; /* where there are no attributes */
} dt_rlm_address;

/* An instance of ldap, as the server's configuration has it, which owns the texts. */
typedef struct dt_rlm_directory {
    char const *name;
    DICT_ATTR const *groups; /* the attribute of control that it puts groups into */
    bool reads_groups;
    char const *of_entry; /* that of a person's entry which it takes them from, or NULL */
    char const *filter;   /* by which it searches for them, or NULL */
} dt_rlm_directory;

typedef struct rlm_devtrust_t rlm_devtrust_t;

/* The driver and waiting room of one devtrust.conf, shared by all instances that name it. */
typedef struct dt_rlm_link {
    struct dt_rlm_link *next;
    int users;
    rlm_devtrust_t *instances; /* who has to be able to work with a new site */
    pthread_mutex_t lock;      /* over the list of them */
    char *config_path;
    uint16_t port;
    uint32_t parked_max;
    dt_driver *driver;
    dt_waiting_room *room;
    char realm[64]; /* Proxy-To-Realm of the waiting room */
    dt_time answer_within;
    atomic_uint blocking; /* worker threads that wait for a person now */
    atomic_uint looking;  /* and for a look-up */
} dt_rlm_link;

struct rlm_devtrust_t {
    char const *name; /* of the instance */
    char const *config_path;
    char const *application;
    char const *wait_text;
    char const *primary_text;
    bool append_passcode;  /* "password,123456" */
    bool accept_user_name; /* an Access-Accept names who is inside a tunnel */
    uint32_t max_blocking_waits;
    uint32_t max_blocking_lookups;
    uint32_t max_parked;
    uint16_t port;
    dt_rlm_expression inputs[DT_RLM_INPUT_COUNT];
    dt_rlm_address address; /* client_ip */
    dt_rlm_directory directories[DT_RLM_DIRECTORIES_MAX];
    size_t directory_count;
    /* Attributes of control with groups in them; the sign-on keeps those that rules name by itself. */
    DICT_ATTR const *group_attributes[DT_RLM_DIRECTORIES_MAX + 1];
    size_t group_attribute_count;

    dt_rlm_wait wait;
    dt_rlm_primary primary;
    dt_rlm_link *link;    /* NULL when the server only checks its configuration */
    rlm_devtrust_t *next; /* of the same link */
};

/* --- link.c --------------------------------------------------------------------------------- */
/* Joins or makes the link; starts the driver's thread and the waiting room, and gives the server
 * it. Called while the server starts, by one thread. */
DT_MUST_USE int dt_rlm_link_get(rlm_devtrust_t *inst, dt_rlm_link **out, dt_error *e);
/* Takes an instance off inst->link. The last one to leave stops the driver. */
void dt_rlm_link_put(rlm_devtrust_t *inst);

/* --- rlm_devtrust.c ------------------------------------------------------------------------- */
/* Whether an instance can work with a site: its policy is there, and what its way of waiting needs.
 * DT_E_INVALID says what is missing. Thread safe. */
DT_MUST_USE int dt_rlm_check_site(rlm_devtrust_t const *inst, dt_site const *files, dt_error *e);

/* The calling thread's storage for one machine; NULL: no memory. */
dt_signon *dt_rlm_machine(void);
/* Makes the server proxy the request to the waiting room, once its section has ended with HANDLED. Drops the
 * reply. False when there is no memory, or it has been proxied before. */
DT_MUST_USE bool dt_rlm_address_to_room(rlm_devtrust_t const *inst, REQUEST *request,
                                        dt_bytes ticket);

/* --- early_lookup.c ------------------------------------------------------------------------- */
#define DT_RLM_KNOWN_SLOTS 4096 /* certificates about which everything is in the cache */

/* Until then a sign-on with this certificate finds the answers about its device in the cache. */
void dt_rlm_known_note(rlm_devtrust_t const *inst, dt_bytes certificate, dt_time until);
/* True for a round of an EAP conversation that the EAP module has just gone through without an end, of an instance
 * with primary = certificate, which decides later: dt_rlm_early_look_up is for those. */
bool dt_rlm_early_is_for(rlm_devtrust_t const *inst, REQUEST const *request);
/* Where a client's certificate was verified and its key proved in this round: starts what is to be looked up about
 * it, and parks the round until that has ended. No thread waits, and the last round finds the answers in the
 * cache. HANDLED in any case: the EAP module's answer is sent, now or then. */
rlm_rcode_t dt_rlm_early_look_up(rlm_devtrust_t const *inst, REQUEST *request);
/* post-proxy: puts the EAP module's answer back. False when the request was not parked by the above. */
bool dt_rlm_early_end(REQUEST *request);
/* Takes from the sign-on's time what an earlier round of the conversation has waited for look-ups, and adds the
 * calls that were made for it. */
void dt_rlm_early_count(REQUEST *request, dt_request *r);
/* The attribute of session-state that this is in; on no wire. */
DICT_ATTR const *dt_rlm_looked_up_attribute(void);

/* --- home_server.c -------------------------------------------------------------------------- */
/* The response window in seconds that this server can give a parked request. */
uint32_t dt_rlm_response_window(void);
/* Makes home server, pool and realm `name` for a waiting room, as if they stood in proxy.conf. */
DT_MUST_USE int dt_rlm_home_server_add(char const *name, uint16_t port, char const *secret,
                                       uint32_t max_outstanding, dt_error *e);

/* --- request.c ------------------------------------------------------------------------------ */
/* What was read out of a request. Strings are within the struct; `passcode` and
 * `password` are wiped by dt_rlm_inputs_wipe. */
typedef struct dt_rlm_inputs {
    dt_ruleset const *ruleset; /* held while the request is decided; set before it is read */
    char id[DT_SIGNON_ID_LEN + 1];
    char
        user[DT_USER_MAX]; /* as the directory has it, or as it came; the core makes the identity */
    char stripped
        [DT_USER_MAX];  /* what the server's realm left of `user`; "" = it took nothing off */
    bool user_is_wrong; /* of the errors below, one about the user's name */
    char client_ip[DT_ADDRESS_MAX]; /* or what stands in its place; "" = nothing */
    bool client_ip_is_known;
    char nas[DT_USER_MAX];
    char station[DT_USER_MAX];
    char session[DT_SESSION_NAME_MAX]; /* "" when the NAS names none */
    char platform[DT_RLM_INPUT_MAX];
    char vpn_device_id[DT_RLM_INPUT_MAX];
    dt_vpn_claims vpn;
    char passcode[DT_ANSWER_MAX];
    char password[DT_PASSWORD_MAX];
    char push_key[2 * (DT_USER_MAX + 8)]; /* application, place, with their lengths */
    char groups[DT_RLM_GROUPS_BYTES];
    char const *group_list[DT_GROUPS_MAX];
    size_t group_count;
    dt_group_knowledge group_knowledge;
    uint8_t random[32];
} dt_rlm_inputs;

/* Compiles an expression; errors name it. Memory belongs to ctx. */
DT_MUST_USE int dt_rlm_compile(TALLOC_CTX *ctx, char const *name, dt_rlm_expression *x,
                               dt_error *e);
/* One value as text. DT_E_LIMIT, DT_E_PARSE for a NUL in it; dst is "" then. */
DT_MUST_USE int dt_rlm_value_text(VALUE_PAIR const *vp, char *dst, size_t size);
/* The value of an expression; "" when it is not configured or gives nothing. Errors as before. */
DT_MUST_USE int dt_rlm_evaluate(REQUEST *request, dt_rlm_expression const *x, char *dst,
                                size_t size);
/* Evaluates all inputs. DT_E_INVALID when the directory gives several names, DT_E_LIMIT or DT_E_PARSE
 * when who or where is too long or holds a NUL; `e` says which. *in is usable for the audit either way. */
DT_MUST_USE int dt_rlm_inputs_read(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in,
                                   dt_error *e);
void dt_rlm_inputs_wipe(dt_rlm_inputs *in);
/* Takes a passcode that came along out of the User-Password of `request`, as DevTrust-Passcode: that of
 * SCRV1:BASE64:BASE64, and with append_passcode that of "password,123456". DT_E_NOT_FOUND: there is none, and
 * nothing was changed; DT_E_PARSE: it begins with SCRV1: and is broken; DT_E_NOMEM. */
DT_MUST_USE int dt_rlm_passcode_take(rlm_devtrust_t const *inst, REQUEST *request);
/* The core's request; borrows from `in`. */
void dt_rlm_request_fill(rlm_devtrust_t const *inst, REQUEST const *request,
                         dt_rlm_inputs const *in, dt_request *out);

/* --- directory_groups.c --------------------------------------------------------------------- */
/* Finds the instances of ldap in the server's configuration. After the inputs were compiled, and while the server
 * starts. DT_E_LIMIT. */
DT_MUST_USE int dt_rlm_directories_find(rlm_devtrust_t *inst, dt_error *e);
/* Whether the groups that were found in control, none or some, are all groups of the person. Where what
 * the virtual server says of a directory cannot be, the server's log says what to set. Thread safe. */
bool dt_rlm_groups_are_known(rlm_devtrust_t const *inst, REQUEST *request, bool some);

/* --- client_address.c ----------------------------------------------------------------------- */
/* Compiles client_ip; errors name it. Memory belongs to ctx. */
DT_MUST_USE int dt_rlm_address_compile(TALLOC_CTX *ctx, dt_rlm_address *a, dt_error *e);
/* The address, or what stands in its place, of the request that came from the network; "" when there
 * is nothing. False unless it is an address. */
bool dt_rlm_address_read(dt_rlm_address const *a, REQUEST *request, char out[DT_ADDRESS_MAX]);
/* True when the administrator has configured its source. */
bool dt_rlm_address_is_wanted(dt_rlm_address const *a);

/* --- reply.c -------------------------------------------------------------------------------- */
/* Registers the attributes; before virtual servers are read. -1 with an ERROR logged. */
int dt_rlm_dictionary(void);
/* The attribute that a passcode which came along is in. */
DICT_ATTR const *dt_rlm_passcode_attribute(void);
/* The attribute of control in which the directory's name of the person is. */
DICT_ATTR const *dt_rlm_user_attribute(void);
/* The attribute of control that names the directory which has named all groups of the person. */
DICT_ATTR const *dt_rlm_directory_attribute(void);
/* True when control says that the first factor was verified. */
bool dt_rlm_primary_verified(REQUEST *request);
/* Sets the DevTrust-* attributes in control. */
void dt_rlm_attributes(REQUEST *request, dt_outcome const *o, char const *id);
/* A final outcome: attributes, reply and module code. */
rlm_rcode_t dt_rlm_reply(REQUEST *request, dt_outcome const *o);
/* An Access-Challenge with this text and State, sent as soon as the module returns. */
rlm_rcode_t dt_rlm_reply_challenge(REQUEST *request, char const *text, dt_bytes state);
/* Lets the TLS handshake that was verified stand: without it the EAP module fails a handshake whose
 * virtual server comes to no result. It accepts the handshake's inner request and no other. */
void dt_rlm_reply_pass_handshake(REQUEST *request);
/* Names the person in the Access-Accept of an EAP conversation, in place of the name that was said outside of the
 * tunnel. Another name, which the tunnel's reply, a rule or the administrator put there, stays; so does every
 * reply where the name does not fit into an attribute. */
void dt_rlm_reply_name(REQUEST *request, char const *user);
/* Takes what an Access-Accept would have carried out of the reply. */
void dt_rlm_reply_strip(REQUEST *request);
/* True for a request that came from the network with an EAP message, or within such a one. */
bool dt_rlm_is_eap(REQUEST const *request);
/* RFC 3579 section 2.6.5: no Reply-Message goes beside an EAP-Message. Takes it out of `reply`. */
void dt_rlm_reply_strip_messages(REQUEST const *request, RADIUS_PACKET *reply);
/* A refusal of an EAP conversation carries EAP-Failure (RFC 3579 section 2.6.3), with the identifier of the
 * response that it answers (RFC 3748 section 4.2): else the supplicant goes on offering its TLS session.
 * Puts it into the reply of a request from the network, in place of a success that EAP had made. */
void dt_rlm_reply_end_eap(REQUEST *request);

/* The attribute of session-state that a decision is carried in; on no wire. */
DICT_ATTR const *dt_rlm_carried_attribute(void);

/* --- first_password.c ------------------------------------------------------------------------ */
/* Keeps, in control, what an answer to a challenge of this sign-on is compared with: the password of the request,
 * and the input `password`. Nothing where no challenge can follow, or the request carries no password (CHAP,
 * MS-CHAP). DT_E_IO, DT_E_CRYPTO, DT_E_NOMEM: the sign-on must not go on then. */
DT_MUST_USE int dt_rlm_first_password_keep(rlm_devtrust_t const *inst, REQUEST *request,
                                           dt_rlm_inputs const *in);
/* Whether `answer` is that password, blanks aside. True also where this is not known: such an answer must not
 * be sent anywhere. After the luggage was put back into control. */
bool dt_rlm_first_password_is(REQUEST *request, dt_ruleset const *ruleset, dt_bytes answer);
/* The attribute of control that it is in; on no wire. */
DICT_ATTR const *dt_rlm_first_password_attribute(void);

/* --- tunnel.c ------------------------------------------------------------------------------- */
struct dt_rlm_person;
/* True where the server sends the decision to the supplicant, and lets it in by the next round: for a
 * request of a PEAP conversation, or within one; and within TTLS where `inner`, the reply to what was in the
 * tunnel, holds the success of MS-CHAPv2. */
bool dt_rlm_tunnel_goes_on(REQUEST const *request, RADIUS_PACKET const *inner);
/* Keeps a decision for the next round of the conversation, in place of an earlier one, with the person whom it is
 * about. DT_E_INVALID when that is not one of PEAP or TTLS, DT_E_CRYPTO, DT_E_NOMEM: nothing is kept then. */
DT_MUST_USE int dt_rlm_tunnel_carry(REQUEST *request, char const *application, char const *id,
                                    bool allowed, dt_outcome const *o);
/* Takes the decision of the round before this one, once. False, and zeros that allow nothing, when
 * there is none, or it is of another place, round or application. */
DT_MUST_USE bool dt_rlm_tunnel_take(REQUEST *request, char const *application, dt_carried *out,
                                    struct dt_rlm_person *person);

/* --- reply_attributes.c --------------------------------------------------------------------- */
/* Whether the server's dictionary knows every reply attribute of every rule, and takes its value.
 * DT_E_INVALID names policy, rule and attribute. Whenever a policy is loaded. */
DT_MUST_USE int dt_rlm_reply_check(dt_policy const *p, dt_error *e);
/* Puts those of the rule that decided into the reply of the request that came from the network, in
 * place of what stands there under the same names; of a refusal only what RFC 2865 lets it carry.
 * Whoever is let in must be refused when this fails: DT_E_STATE. Doing it twice is doing it once. */
DT_MUST_USE int dt_rlm_reply_attributes(REQUEST *request, dt_policy const *p, dt_decision const *d,
                                        bool refused);

/* --- tls_peer.c ----------------------------------------------------------------------------- */
/* Intermediates that are remembered for a session, all together; a longer chain is not. */
#define DT_TLS_CHAIN_KEPT_MAX (12 * 1024)

/* The TLS session of a request, and the certificate of its client with the proof of the key. Owns its
 * bytes. */
typedef struct dt_tls_peer {
    bool proved; /* the handshake finished and the server verified the certificate in it */
    dt_bytes certificate;
    dt_bytes chain[DT_CHAIN_MAX]; /* of the handshake that the session began with */
    size_t chain_count;
    bool resumed;
    bool known;                            /* what follows says which session it is */
    uint8_t secret[DT_SESSION_SECRET_LEN]; /* only the session holds it; wipe it */
} dt_tls_peer;

/* Starts to note TLS sessions. Once per process, before the first handshake. DT_E_NOMEM. */
DT_MUST_USE int dt_tls_peer_start(dt_error *e);
/* The peer of the TLS session that the server handles for exactly this request now. False when there
 * is not one, or it sent no certificate: the session may be known all the same. */
bool dt_tls_peer_get(REQUEST const *request, dt_tls_peer *out);
/* The peer whose certificate the server verified in this very request, which came from the network, if by that its
 * handshake has finished: proved, then. Returned once; false otherwise, and there is nothing to free. */
bool dt_tls_peer_shown(REQUEST *request, dt_tls_peer *out);
/* The peer of the session in which the conversation of this request, which came from the network, runs: of
 * what was noted with it when the handshake was made, while the server still had it at hand. False when
 * there is no such note. */
bool dt_tls_peer_noted(REQUEST const *request, dt_tls_peer *out);
void dt_tls_peer_free(dt_tls_peer *p);
/* The attribute of session-state that notes are in; on no wire. */
DICT_ATTR const *dt_rlm_session_attribute(void);

#endif
