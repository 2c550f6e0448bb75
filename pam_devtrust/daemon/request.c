/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a module's request to a sign-on: who may ask for whom, what of the request is believed, which
 * groups the person is in. */
#include "pam_devtrust/daemon/daemon.h"

#include "core/policy/network.h"
#include "core/signon/remembered.h"
#include "core/ruleset/break_glass.h"
#include "core/ruleset/service.h"
#include "core/config/presence.h"
#include "edge/host.h"
#include "edge/login_session.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

/* What is asked of the name service, in a thread of its own: NSS may block for as long as it likes. */
struct dt_lookup {
    dt_daemon *daemon;
    dt_conn *conn;      /* NULL once it is gone; only the loop's thread looks at it */
    dt_ruleset ruleset; /* held: the groups are kept by its rules, and decided by them */
    char const *application;
    uint8_t *packet; /* the request; `message` points into it */
    size_t len;
    dt_message message;
    uid_t uid;
    bool want_owner, want_groups;
    char asked
        [DT_USER_MAX]; /* whose groups; of a caller that is not root, who that is, found here */
    /* results */
    bool is_owner;
    int groups_error;
    dt_buf groups; /* names, each with its NUL */
    size_t group_count;
    dt_error error;
};

static char const door_name[] = "pam";

/* --- refusals that need no machine ----------------------------------------------------------------------- */

static void audit_refusal(dt_daemon *d, dt_message const *m, char const *id, dt_outcome const *o)
{
    dt_ruleset ruleset;
    dt_audit_context ctx = {.id = id,
                            .application =
                                dt_driver_acquire_service(d->driver, m->service, &ruleset),
                            .service = m->service,
                            .user = m->user,
                            .login = "",
                            .client_ip = "",
                            .nas = "",
                            .station = "",
                            .door = door_name,
                            .policy_hash = "",
                            .started = dt_host_now()};

    dt_driver_audit(d->driver, o, NULL, door_name, &ctx);
    dt_driver_release(&ruleset);
}

static bool is_report_only(dt_daemon *d, char const *service)
{
    dt_ruleset ruleset;

    (void)dt_driver_acquire_service(d->driver, service, &ruleset);
    bool is = dt_ruleset_is_report_only(&ruleset);
    dt_driver_release(&ruleset);
    return is;
}

static void refuse(dt_conn *c, dt_message const *m, dt_cause cause, char const *message,
                   char const *detail)
{
    char id[DT_SIGNON_ID_LEN + 1];
    dt_outcome o = {0};

    if (dt_host_random_id(id) != DT_OK)
        id[0] = '\0';
    dt_refusal_code_make(id, o.code);
    if (cause == DT_CAUSE_BUSY) /* load is no reason to keep out whom nothing keeps out */
        o.report_only = is_report_only(c->daemon, m->service);
    dt_outcome_set(&o, DT_DENY, cause);
    (void)!dt_str_copy(o.message, sizeof(o.message), message);
    (void)!dt_str_copy(o.detail, sizeof(o.detail), detail);
    audit_refusal(c->daemon, m, id, &o);
    dt_conn_finish(c, &o, NULL);
}

static void refuse_busy(dt_conn *c, dt_message const *m, char const *detail)
{
    refuse(c, m, DT_CAUSE_BUSY, "Too many sign-ons are waiting. Try again in a minute.", detail);
}

static void refuse_internal(dt_conn *c, dt_message const *m, char const *detail)
{
    refuse(c, m, DT_CAUSE_INTERNAL, "The sign-on could not be checked. Tell your administrator.",
           detail);
}

static void refuse_caller(dt_conn *c, dt_message const *m, char const *why)
{
    char detail[DT_MESSAGE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, detail, sizeof(detail));
    dt_buf_printf(&b,
                  "uid %u asked: callers other than root may ask for themselves only, and only "
                  "for services in lock_screen_services: %s",
                  (unsigned)c->uid, why);
    refuse(c, m, DT_CAUSE_RULE_DENY, "Your company's sign-on policy does not allow this sign-on.",
           detail);
}

/* Root without CAP_SYS_RESOURCE, as in many containers, cannot lift a limit that somebody lowered. What
 * they chose must not decide which files can still be written. */
static void refuse_limited(dt_conn *c, dt_message const *m)
{
    char detail[DT_MESSAGE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, detail, sizeof(detail));
    dt_buf_printf(&b,
                  "the resource limit \"%s\" of the process that started the login is too low, and "
                  "root lacks CAP_SYS_RESOURCE here to raise it; run devtrustd as a service",
                  c->daemon->limit);
    refuse_internal(c, m, detail);
}

/* --- the machine ------------------------------------------------------------------------------------------ */

static void on_prompt(void *ctx, dt_run *run, dt_prompt const *prompt)
{
    dt_conn *c = ctx;
    dt_prompt_style style = prompt->info   ? DT_PROMPT_INFO
                            : prompt->echo ? DT_PROMPT_SHOWN
                                           : DT_PROMPT_HIDDEN;

    c->run = run;
    if (c->fd >= 0 &&
        ((prompt->note[0] != '\0' && !dt_conn_send_text(c, DT_PROMPT_INFO, prompt->note)) ||
         !dt_conn_draw(c, prompt->link, prompt->text) ||
         !dt_conn_send_text(c, style, prompt->text)))
        dt_conn_release(c);
}

static void on_done(void *ctx, dt_outcome const *outcome, dt_signon const *machine)
{
    dt_conn *c = ctx;

    c->run = NULL;
    dt_conn_finish(c, outcome, machine);
}

static dt_door const door = {.name = door_name, .prompt = on_prompt, .done = on_done};

/* Of root's modules alone, and only a socket of the kind that agents have. */
static bool has_agent(dt_conn const *c)
{
    int domain = 0, type = 0;
    socklen_t len = sizeof(domain);

    if (c->agent < 0 || c->uid != 0 ||
        getsockopt(c->agent, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return false;
    len = sizeof(type);
    return getsockopt(c->agent, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && domain == AF_UNIX &&
           type == SOCK_STREAM;
}

/* Who connected has hung up: their pid may be somebody else's by now. */
static bool has_hung_up(dt_conn const *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

    return c->fd < 0 || poll(&p, 1, 0) != 0;
}

/* The login session of the process that asks, as the kernel has it: nothing that the module says goes
 * into it. "" when it is in none, or no longer there. */
static void take_session(dt_conn const *c, dt_message const *m, dt_config const *config,
                         char out[DT_SESSION_NAME_MAX])
{
    int rc;

    out[0] = '\0';
    if (c->uid != 0 || !dt_service_is_in(&config->daemon.session_services, m->service))
        return;
    rc = dt_host_session_name(c->pid, out, DT_SESSION_NAME_MAX);
    if (rc < 0 && rc != DT_E_NOT_FOUND)
        dt_log(LOG_WARNING, "the login session of process %ld cannot be read: %s", (long)c->pid,
               dt_err_name(rc));
    if (rc < 0 || has_hung_up(c))
        out[0] = '\0';
}

/* The SSH connection that the process which asks serves. Where it is not known, each attempt in it counts
 * as one of its own, and the other limits hold. */
static void take_connection(dt_conn const *c, dt_message const *m, dt_config const *config,
                            char out[DT_SESSION_NAME_MAX])
{
    out[0] = '\0';
    if (c->uid != 0 || !dt_service_is_in(&config->daemon.sshd_services, m->service))
        return;
    int rc = dt_host_connection(c->pid, out, DT_SESSION_NAME_MAX);

    if (rc < 0 && !has_hung_up(c))
        dt_log(LOG_WARNING, "the connection that process %ld serves cannot be determined: %s",
               (long)c->pid, dt_err_name(rc));
    if (rc < 0 || has_hung_up(c))
        out[0] = '\0';
}

/* --- who is asked ------------------------------------------------------------------------------------------- */

typedef struct persons {
    char const *account; /* that will be opened */
    char const *caller;
    char const *asked; /* one of the two: whose rules, limits and MFA count */
} persons;

static bool asks_caller(dt_config const *config, char const *service)
{
    return config->daemon.identity_from == DT_IDENTITY_FROM_CALLER ||
           (config->daemon.identity_from == DT_IDENTITY_FROM_AUTO && dt_service_becomes(service));
}

/* `own` is who the caller is, where that is not root. The names are the message's, or `own`; "" where there
 * is nobody. */
static persons find_persons(dt_conn const *c, dt_message const *m, dt_ruleset const *ruleset,
                            char const *own)
{
    persons p = {.account = own, .caller = own};
    bool local = dt_service_is_local(&ruleset->config->daemon.local_services, m->service);

    if (c->uid == 0) {
        /* An account under another of its names is still that account. */
        p.account = m->owner[0] == '\0' || m->account[0] == '\0' ||
                            dt_user_is_listed(ruleset->config, ruleset->user_table, m->account)
                        ? m->account
                        : m->owner;
        p.caller = local && m->ruser_account[0] != '\0' ? m->ruser_account : m->caller;
    }
    p.asked = asks_caller(ruleset->config, m->service) ? p.caller : p.account;
    return p;
}

static void refuse_nobody(dt_conn *c, dt_message const *m, persons const *p)
{
    refuse(c, m, DT_CAUSE_USER_NAME_INVALID,
           "This user name cannot be used here. Sign in with your own user name, or tell your "
           "administrator.",
           p->account[0] == '\0'
               ? "the module names no account that would be opened: it is older "
                 "than devtrustd, or the name service does not know the user"
               : "the caller is asked ([daemon] identity_from), and the real user id has no "
                 "account, or one that differs from another by upper case only");
}

static void fill_persons(persons const *p, dt_message const *m, bool root, dt_request *r)
{
    r->user = p->asked;
    r->typed = strcmp(p->asked, p->account) == 0 ? m->user : "";
    r->account = strcmp(p->asked, p->account) != 0 ? p->account : "";
    r->caller = p->caller;
    r->ruser = root ? m->ruser : "";
}

/* What PAM_RHOST is, also where it is too long for a name. */
static char const *rhost_of(dt_message const *m)
{
    return m->rhost_start[0] != '\0' ? "(too long)" : m->rhost;
}

static bool is_address(char const *text)
{
    dt_ip ip;

    return dt_ip_parse(text, &ip) == DT_OK && dt_ip_is_of_a_host(&ip);
}

/* Why PAM_RHOST is not an address. Names are not looked up: whoever owns the address chooses its name. */
static char const *address_hint(dt_message const *m, bool ssh)
{
    char const *base = dt_service_base(m->service);

    if (m->rhost_start[0] != '\0' || strlen(m->rhost) >= DT_ADDRESS_MAX)
        return "PAM_RHOST is longer than an address";
    if (m->rhost[0] == '\0')
        return ssh ? "sshd has set no PAM_RHOST" : "the program has set no PAM_RHOST";
    if (ssh && strcmp(m->rhost, "UNKNOWN") == 0)
        return "sshd does not know the client's address: its input is not a socket";
    if (ssh)
        return "PAM_RHOST is a name: set UseDNS no in sshd_config";
    if (strcmp(base != NULL ? base : m->service, "sudo") == 0)
        return "PAM_RHOST is a name: set Defaults !pam_rhost in sudoers";
    return "PAM_RHOST is a name: the program has to give the address";
}

/* Whether the person sits here, and from where else they come. Of a caller that is not root neither PAM_RHOST
 * nor PAM_TTY is believed: the kernel says which session it is in. */
static dt_presence take_place(dt_conn const *c, dt_message const *m, dt_config const *config,
                              dt_login_session *session, bool *at_terminal)
{
    dt_presence_facts f = {.rhost = c->uid == 0 ? rhost_of(m) : "",
                           .tty = c->uid == 0 ? m->tty : ""};
    char const *display = dt_presence_is_display(f.tty) ? f.tty + strcspn(f.tty, ":") : "";

    *at_terminal = false;
    dt_login_session_read("/proc", "/run/systemd", c->pid, display, session);
    if (has_hung_up(c)) {
        memset(session, 0, sizeof(*session));
        return DT_PRESENCE_UNKNOWN;
    }
    f.seats_kept = session->seats_kept;
    f.in_session = session->found;
    f.session_remote = session->remote;
    f.session_has_seat = session->seat[0] != '\0';
    f.also_remote = session->also_remote;
    f.display_has_seat = session->display_has_seat;
    f.below_network_daemon = session->below_network_daemon;
    *at_terminal = c->uid == 0 && dt_presence_at_terminal(&f);
    return dt_presence_judge(config->daemon.person_at_host, &f);
}

/* A name in PAM_RHOST makes the person remote, even one at this host: whose name it is cannot be known. */
static char const *remote_reason(dt_message const *m)
{
    char const *base = dt_service_base(m->service);

    return strcmp(base != NULL ? base : m->service, "sudo") == 0
               ? "the person counts as remote, so this host's own evidence does not count: "
                 "PAM_RHOST is a name; set Defaults !pam_rhost in sudoers"
               : "the person counts as remote, so this host's own evidence does not count: "
                 "PAM_RHOST is not empty";
}

/* For services of people at this host: what it has to show counts for those who sit at it. */
static void fill_place(dt_conn const *c, dt_message const *m, dt_config const *config,
                       dt_login_session *session, dt_request *r)
{
    bool at_terminal;
    dt_presence place = take_place(c, m, config, session, &at_terminal);

    r->host_evidence = r->local = place == DT_PRESENCE_HERE;
    r->at_terminal = at_terminal && dt_service_is_local(&config->daemon.local_services, m->service);
    if (place == DT_PRESENCE_REMOTE && r->client_ip[0] != '\0' && !is_address(r->client_ip))
        r->remark = remote_reason(m);
    r->seat = session->seat;
    r->place = dt_presence_name(place);
    if (r->client_ip[0] == '\0' && session->found && session->remote)
        r->client_ip = session->remote_host;
}

/* What of the request counts, by who asked and for which service. Of a caller that is not root neither
 * the place it claims to be at nor a key is believed. */
static void fill_request(dt_conn const *c, dt_message const *m, dt_config const *config,
                         dt_login_session *session, dt_request *r)
{
    bool root = c->uid == 0;
    bool ssh = root && dt_service_is_in(&config->daemon.sshd_services, m->service);

    r->service = m->service;
    /* A name that does not fit is an address that is not known, not none. */
    r->client_ip = !root ? "" : strlen(rhost_of(m)) < DT_ADDRESS_MAX ? rhost_of(m) : "(too long)";
    r->address_hint = root ? address_hint(m, ssh) : NULL;
    r->tty = root ? m->tty : "";
    /* sshd has nobody at this host: where it names no address, it is not known. */
    r->local = (rhost_of(m)[0] == '\0' && !ssh) || !root;
    r->address_wanted = ssh;
    r->nas = r->station = r->vpn_device_id = "";
    r->passcode = m->phase == DT_PAM_AUTH ? m->passcode : "";
    r->ssh_auth_info = ssh && m->ssh_auth_info[0] != '\0' ? m->ssh_auth_info : NULL;
    if (!ssh && (dt_service_is_local(&config->daemon.local_services, m->service) ||
                 dt_service_is_in(&config->daemon.lock_screen_services, m->service)))
        fill_place(c, m, config, session, r);
    r->agent = !ssh && has_agent(c) && dt_service_is_in(&config->daemon.agent_services, m->service);
    r->conversation = m->phase == DT_PAM_SESSION || m->phase == DT_PAM_EARLY ||
                              dt_service_is_in(&config->daemon.no_prompt_services, m->service)
                          ? DT_CONVERSATION_NONE
                          : DT_CONVERSATION_LIVE;
    /* systemd, sshd after a key alone and su without a terminal run the account lines with nobody to ask;
     * whoever has been authenticated has been asked. */
    r->prompts_unproven = m->phase != DT_PAM_AUTH || m->shown != DT_PAM_SHOWN;
    r->prompts_unseen = m->shown == DT_PAM_SHOWN_NOT;
    r->device_later = m->phase == DT_PAM_EARLY;
    r->push_key = r->id;
    r->password = m->password;
    r->wait_limit = config->mfa.wait_pam;
}

static void fill_groups(dt_lookup const *l, char const *names[DT_GROUPS_MAX], dt_request *r)
{
    char const *at = l != NULL ? (char const *)l->groups.p : NULL;

    if (l == NULL || !l->want_groups || l->groups_error < 0 || l->group_count > DT_GROUPS_MAX ||
        strcmp(l->asked, r->user) != 0)
        return; /* not known */
    for (size_t i = 0; i < l->group_count; i++) {
        names[i] = at;
        at += strlen(at) + 1;
    }
    r->groups = names;
    r->group_count = l->group_count;
    r->group_knowledge = DT_GROUPS_KNOWN;
}

/* Runs the machine as far as it goes without waiting; a trusted device gets its answer here. */
static void run(dt_conn *c, dt_message const *m, dt_signon *machine)
{
    dt_driver *driver = c->daemon->driver;

    if (dt_driver_run_inline(driver, machine, door_name)) {
        dt_conn_finish(c, dt_signon_outcome(machine), machine);
        return;
    }
    if (dt_driver_submit(driver, machine, &door, c, &c->run) != DT_OK) {
        c->run = NULL;
        refuse_busy(c, m, "the driver accepts no more sign-ons");
        return;
    }
    if (c->agent >= 0)
        dt_run_take_agent(c->run, c->agent);
    c->agent = -1;
}

/* The connection may be gone afterwards. */
static void begin(dt_conn *c, dt_message const *m, dt_lookup *l)
{
    char id[DT_SIGNON_ID_LEN + 1];
    char const *names[DT_GROUPS_MAX];
    char host[DT_DAEMON_HOST_MAX];
    dt_login_session login;
    char session[DT_SESSION_NAME_MAX], connection[DT_SESSION_NAME_MAX];
    dt_request r = {.id = id, .host = host, .session = session, .connection = connection};
    dt_ruleset ruleset;
    dt_signon *machine = NULL;

    if (dt_host_random_id(id) == DT_OK && dt_host_random(r.random, sizeof(r.random)) == DT_OK)
        machine = dt_driver_machine_new();
    if (machine == NULL) {
        refuse_internal(c, m, "no memory or no random numbers");
        return;
    }
    dt_host_name(host, sizeof(host));
    if (l != NULL) { /* its hold becomes ours */
        ruleset = l->ruleset;
        r.application = l->application;
        l->ruleset = (dt_ruleset){0};
    } else {
        r.application = dt_driver_acquire_service(c->daemon->driver, m->service, &ruleset);
    }
    persons p = find_persons(c, m, &ruleset, l != NULL ? l->asked : "");

    if (p.account[0] == '\0' || p.asked[0] == '\0') {
        dt_driver_release(&ruleset);
        dt_driver_machine_free(&machine);
        refuse_nobody(c, m, &p);
        return;
    }
    take_session(c, m, ruleset.config, session);
    take_connection(c, m, ruleset.config, connection);
    if (m->phase == DT_PAM_AUTH || m->phase == DT_PAM_ACCOUNT)
        (void)dt_admission_key(connection, m->service, p.account, c->admission);
    fill_persons(&p, m, c->uid == 0, &r);
    fill_request(c, m, ruleset.config, &login, &r);
    c->key_verified = m->phase == DT_PAM_AUTH && r.ssh_auth_info != NULL &&
                      dt_ssh_auth_info_has_key(dt_bytes_str(r.ssh_auth_info));
    fill_groups(l, names, &r);
    if (dt_policy_needs_time(ruleset.policy))
        r.utc_offset_known = dt_host_utc_offset(dt_host_now(), &r.utc_offset) == DT_OK;
    dt_session_facts_keep(c, m, &ruleset, &r);
    dt_signon_begin(machine, &ruleset, &r, dt_host_now());
    run(c, m, machine);
    dt_driver_release(&ruleset);
    dt_driver_machine_free(&machine);
}

/* --- the name service -------------------------------------------------------------------------------------- */

/* Whether the user is the caller, and the name that the caller's uid has, whatever name was used. */
static bool is_own(char const *user, uid_t uid, char owner[DT_HOST_USER_MAX])
{
    char account[DT_HOST_USER_MAX];
    dt_error e = {0};
    uid_t found = 0;

    return dt_host_account(user, account, owner, &found, &e) == DT_OK && found == uid;
}

static void lookup_free(dt_lookup *l)
{
    dt_driver_release(&l->ruleset);
    dt_buf_free(&l->groups);
    if (l->packet != NULL)
        explicit_bzero(l->packet, l->len); /* there may be a password in it */
    free(l->packet);
    free(l);
}

/* Back on the loop's thread. */
static void looked_up(void *ctx)
{
    dt_lookup *l = ctx;
    dt_conn *c = l->conn;

    l->daemon->lookups--;
    if (c != NULL) {
        c->lookup = NULL;
        if (l->daemon->stopping) {
            refuse_busy(c, &l->message, "devtrustd is stopping");
        } else if (l->want_owner && !l->is_owner) {
            refuse_caller(c, &l->message, "the user is not the caller");
        } else {
            if (l->want_groups && l->groups_error < 0)
                dt_log(LOG_WARNING, "groups of a user: %s", l->error.text);
            begin(c, &l->message, l);
        }
    }
    lookup_free(l);
}

static bool keep_named(void *ctx, dt_bytes kept, size_t count, char const *name)
{
    return dt_ruleset_keeps_group(ctx, kept, count, name);
}

static void *look_up(void *ctx)
{
    dt_lookup *l = ctx;
    dt_daemon *d = l->daemon; /* once it is posted, `l` is the loop's */

    if (l->want_owner)
        l->is_owner = is_own(l->message.user, l->uid, l->asked);
    if (l->want_groups)
        l->groups_error = dt_host_groups(l->asked, keep_named, &l->ruleset, &l->groups,
                                         &l->group_count, &l->error);
    pthread_mutex_lock(&d->post_lock);
    /* Where it cannot be handed back the process is about to end, and nobody waits any more. */
    if (!d->posts_end)
        (void)!dt_driver_post(d->driver, looked_up, l);
    pthread_mutex_unlock(&d->post_lock);
    return NULL;
}

static dt_lookup *lookup_new(dt_conn *c, uint8_t const *packet, size_t len)
{
    dt_lookup *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    dt_buf_init(&l->groups, DT_DAEMON_GROUPS_BYTES);
    l->packet = malloc(len);
    if (l->packet != NULL) {
        l->len = len;
        memcpy(l->packet, packet, len);
        if (dt_message_decode(l->packet, len, &l->message) == DT_OK) {
            l->daemon = c->daemon;
            l->conn = c;
            l->uid = c->uid;
            l->application =
                dt_driver_acquire_service(c->daemon->driver, l->message.service, &l->ruleset);
            return l;
        }
    }
    lookup_free(l);
    return NULL;
}

static void begin_lookup(dt_conn *c, dt_message const *m, uint8_t const *packet, size_t len,
                         bool want_groups, char const *asked)
{
    dt_lookup *l = NULL;

    if (c->daemon->lookups >= DT_DAEMON_LOOKUPS_MAX) {
        refuse_busy(c, m, "the name service does not answer: too many look-ups are under way");
        return;
    }
    l = lookup_new(c, packet, len);
    if (l != NULL) {
        l->want_owner = c->uid != 0;
        l->want_groups = want_groups;
        (void)!dt_str_copy(l->asked, sizeof(l->asked), asked);
        c->lookup = l;
        c->daemon->lookups++;
        if (dt_thread_start(look_up, l))
            return;
        c->lookup = NULL;
        c->daemon->lookups--;
        lookup_free(l);
    }
    refuse_internal(c, m, "no look-up can be made");
}

void dt_request_forget(dt_conn *c)
{
    if (c->lookup != NULL)
        c->lookup->conn = NULL;
    c->lookup = NULL;
}

/* --- sshd's session line -------------------------------------------------------------------------------------- */

static bool is_known_service(dt_conn const *c, dt_message const *m, dt_ruleset const *ruleset)
{
    return c->uid == 0 && dt_service_is_in(&ruleset->config->daemon.sshd_services, m->service);
}

/* Who was let in by the auth or account lines has had their event. */
static bool was_let_in(dt_conn *c, dt_message const *m, dt_ruleset const *ruleset, dt_outcome *out)
{
    char connection[DT_SESSION_NAME_MAX], key[DT_STORE_KEY_MAX];

    take_connection(c, m, ruleset->config, connection);
    return dt_admission_key(connection, m->service, find_persons(c, m, ruleset, "").account, key) &&
           dt_admission_take(c->daemon, key, out);
}

/* True when the request is answered, and the connection gone. */
static bool answer_session(dt_conn *c, dt_message const *m, dt_ruleset const *ruleset)
{
    dt_outcome o = {0};

    if (m->phase != DT_PAM_SESSION && m->phase != DT_PAM_EARLY)
        return false;
    if (!is_known_service(c, m, ruleset)) {
        refuse(c, m, DT_CAUSE_CONFIG, "The sign-on could not be checked. Tell your administrator.",
               "this looks like sshd, but the service is not named in [daemon] sshd_services: add "
               "it, or remove the session line of pam_devtrust.so");
        return true;
    }
    if (m->phase == DT_PAM_EARLY || !was_let_in(c, m, ruleset, &o))
        return false;
    dt_conn_finish(c, &o, NULL);
    return true;
}

void dt_request_session(dt_conn *c, dt_message const *m)
{
    dt_ruleset ruleset;

    if (c->uid != 0)
        return;
    (void)dt_driver_acquire_service(c->daemon->driver, m->service, &ruleset);
    dt_session_line(c, m, find_persons(c, m, &ruleset, "").asked, &ruleset);
    dt_driver_release(&ruleset);
}

/* --- the request ------------------------------------------------------------------------------------------- */

static bool is_service_name(char const *s)
{
    return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] ==
           '\0';
}

static void start(dt_conn *c, dt_message const *m, uint8_t const *packet, size_t len,
                  dt_ruleset const *ruleset)
{
    dt_daemon *d = c->daemon;
    char const *asked = find_persons(c, m, ruleset, "").asked;
    /* A break-glass account must get in while a directory does not answer, and needs no groups. */
    bool groups = ruleset->policy != NULL && dt_ruleset_needs_groups(ruleset) &&
                  (ruleset->config->policy.groups_from & DT_GROUPS_FROM_REQUEST) != 0 &&
                  !dt_break_glass_is_account(ruleset->config, asked);

    if (d->limit != NULL)
        refuse_limited(c, m);
    else if (!is_service_name(m->service))
        refuse_internal(c, m,
                        "the service's name has other characters than letters, digits, '.', "
                        "'_' and '-'");
    else if (c->uid != 0 &&
             !dt_service_is_in(&ruleset->config->daemon.lock_screen_services, m->service))
        refuse_caller(c, m, "the service is none of these");
    else if (d->stopping || c->over_limit)
        refuse_busy(c, m, d->stopping ? "devtrustd is stopping" : "max_sign_ons are in progress");
    else if (answer_session(c, m, ruleset))
        return;
    else if (c->uid != 0 || groups)
        begin_lookup(c, m, packet, len, groups, asked);
    else
        begin(c, m, NULL);
}

void dt_request_start(dt_conn *c, dt_message const *m, uint8_t const *packet, size_t len)
{
    dt_ruleset ruleset;

    c->phase = (dt_pam_phase)m->phase;
    (void)dt_driver_acquire_service(c->daemon->driver, m->service, &ruleset);
    c->terminal = dt_terminal_of(m, ruleset.config, is_known_service(c, m, &ruleset));
    start(c, m, packet, len, &ruleset);
    dt_driver_release(&ruleset);
}
