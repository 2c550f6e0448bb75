/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logins at this host as open sessions: the facts of a sign-on until it has ended, and what the session line says. The
 * session is known by the process that leads it, as the kernel has it: in sshd the connection's first, elsewhere the
 * one that asks. */
#include "pam_devtrust/daemon/daemon.h"

#include "core/ruleset/service.h"
#include "driver/sessions.h"
#include "edge/host.h"

#include <string.h>

/* A lock screen opens nothing, nor does who becomes another within a session, unless that is configured. */
static bool begins_a_session(dt_conn const *c, char const *service, dt_config const *config)
{
    return c->uid == 0 && config->sessions.recheck > 0 &&
           !dt_service_is_in(&config->daemon.lock_screen_services, service) &&
           (!dt_service_becomes(service) || config->sessions.sudo_sessions);
}

/* False when the process is no longer there. */
static bool find_leader(dt_conn const *c, char const *service, dt_config const *config,
                        dt_session_at_host *out)
{
    pid_t pid = c->pid;
    bool ssh = dt_service_is_in(&config->daemon.sshd_services, service);
    int rc =
        ssh ? dt_host_connection_process(&pid, out->boot, sizeof(out->boot), &out->leader_start)
            : dt_host_process(pid, out->boot, sizeof(out->boot), &out->leader_start);

    out->leader = pid;
    return rc == DT_OK && dt_str_copy(out->service, sizeof(out->service), service) == DT_OK;
}

static void login_of(dt_ruleset const *ruleset, char const *user, char login[DT_LOGIN_MAX])
{
    dt_user_name name = {.text = user};
    dt_identity who;
    dt_error e = {0};

    login[0] = '\0';
    if (dt_identity_make(ruleset->config, ruleset->user_table, &name, &who, &e) == DT_OK)
        memcpy(login, who.login, DT_LOGIN_MAX);
}

/* A row that says "let in" before that is so, which never leaves this process. */
static bool pack_facts(dt_session *s, dt_buf *out)
{
    s->state = DT_SESSION_PENDING;
    s->started = s->seen = dt_host_now();
    s->expires = s->started + DT_DAEMON_ADMITTED_KEPT;
    s->cause = DT_CAUSE_RULE_ALLOW;
    return dt_session_pack(s, out) == DT_OK;
}

void dt_session_facts_keep(dt_conn *c, dt_message const *m, dt_ruleset const *ruleset,
                           dt_request const *r)
{
    dt_session s = {.door = DT_SESSION_HOST};
    dt_outcome const none = {0};
    char login[DT_LOGIN_MAX];

    if (!begins_a_session(c, m->service, ruleset->config) ||
        !find_leader(c, m->service, ruleset->config, &s.at_host) ||
        dt_session_of_request(&s, r) != DT_OK)
        return;
    login_of(ruleset, r->user, login);
    dt_session_of_outcome(&s, &none, r->id, login);
    dt_host_name(s.node, sizeof(s.node));
    (void)!dt_str_copy(s.at_host.tty, sizeof(s.at_host.tty), m->tty);
    dt_buf_init(&c->facts, DT_SESSION_ROW_MAX);
    if (!pack_facts(&s, &c->facts))
        dt_buf_free(&c->facts);
}

void dt_session_facts_use(dt_conn *c, dt_outcome const *o)
{
    char signon[DT_SIGNON_ID_LEN + 1], login[DT_LOGIN_MAX];
    dt_session s;

    if (c->facts.len == 0 || dt_session_unpack(dt_buf_bytes(&c->facts), &s) != DT_OK)
        return;
    memcpy(signon, s.signon, sizeof(signon));
    memcpy(login, s.login, sizeof(login));
    dt_session_of_outcome(&s, o, signon, login);
    s.state = DT_SESSION_NONE;
    dt_sessions_let_in(c->daemon->driver, &s, 0);
}

void dt_session_line(dt_conn *c, dt_message const *m, char const *user, dt_ruleset const *ruleset)
{
    dt_session s = {.door = DT_SESSION_HOST};

    if (!begins_a_session(c, m->service, ruleset->config) ||
        !find_leader(c, m->service, ruleset->config, &s.at_host) ||
        dt_str_copy(s.user, sizeof(s.user), user) != DT_OK)
        return;
    dt_host_name(s.node, sizeof(s.node));
    (void)!dt_str_copy(s.at_host.id, sizeof(s.at_host.id), m->login_session);
    (void)!dt_str_copy(s.at_host.tty, sizeof(s.at_host.tty), m->tty);
    dt_sessions_note(
        c->daemon->driver,
        m->what == DT_SESSION_LINE_CLOSED ? DT_SESSION_SAID_STOP : DT_SESSION_SAID_START, &s, 0);
}
