/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with a session that no longer meets the rule that let it in. One table says what, by on_loss and door. A
 * loss is written into the session's row first, in place of exactly the row that was looked at: so of several processes
 * that find the same loss one acts, and once. */
#include "driver/session_internal.h"

#include "core/signon/audit_ocsf.h"
#include "core/signon/remembered.h"
#include "core/signon/session_record.h"
#include "driver/dae.h"
#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char const *on_loss_word(dt_on_loss l)
{
    switch (l) {
    case DT_ON_LOSS_DISCONNECT:
        return "disconnect";
    case DT_ON_LOSS_REAUTHENTICATE:
        return "reauthenticate";
    case DT_ON_LOSS_REPORT:
        break;
    }
    return "report";
}

/* --- the event --------------------------------------------------------------------------------------------------- */

static dt_audit_context context_of(dt_session const *s, char const *id, char const *host)
{
    return (dt_audit_context){
        .id = id,
        .application = s->application,
        .service = s->at_host.service,
        .user = s->user,
        .login = s->login,
        .client_ip = s->client_ip,
        .nas = s->nas,
        .station = s->station,
        .host = host,
        .door = s->door == DT_SESSION_RADIUS ? "radius" : "pam",
        .policy_hash = "",
        .started = s->started,
        .machine = s->login[0] == '\0',
        .tty = s->at_host.tty,
    };
}

/* How it is decided now, and about the device of then where nothing is found of it now. */
static dt_outcome outcome_of(dt_session_loss const *l)
{
    dt_outcome o = *l->now;

    o.code[0] = '\0';
    if (!dt_guid_is_set(&o.verdict.device_id))
        o.verdict.device_id = l->session->device_id;
    if (o.verdict.device_name[0] == '\0')
        memcpy(o.verdict.device_name, l->session->device_name, sizeof(o.verdict.device_name));
    return o;
}

static void write_event(dt_driver *d, dt_session_loss const *l, char const *result, bool ended)
{
    char event[DT_AUDIT_OCSF_EVENT_MAX + 1], note[DT_AUDIT_NOTE_MAX];
    char id[DT_SIGNON_ID_LEN + 1], session[DT_SESSION_ID_LEN + 1], user[DT_LOGIN_MAX];
    dt_session const *s = l->session;
    dt_outcome o = outcome_of(l);
    dt_buf lines, line;

    if (dt_host_random_id(id) != DT_OK)
        id[0] = '\0';
    dt_session_id(l->key, session);
    dt_audit_context const ctx = context_of(s, id, d->host);
    dt_audit_session_facts const f = {.session = session,
                                      .signon = s->signon,
                                      .rule = s->rule,
                                      .cause = l->cause,
                                      .action = on_loss_word(l->on_loss),
                                      .result = result,
                                      .source = dt_news_source_word(l->source),
                                      .reference = l->reference,
                                      .ended = ended};
    dt_buf_init_fixed(&lines, event, sizeof(event));
    (d->audit_format == DT_AUDIT_AS_OCSF ? dt_audit_ocsf_session
                                         : dt_audit_session)(&lines, &o, &ctx, &f, dt_host_now());
    dt_buf_init_fixed(&line, note, sizeof(note));
    dt_buf_printf(
        &line, "session %s of %s at %s no longer meets the rule that let it in: %s (%s, %s); %s",
        session, dt_str_escape(user, sizeof(user), s->login[0] != '\0' ? s->login : s->user),
        s->application, l->cause, dt_trust_name(o.verdict.trust), dt_reason_name(o.verdict.reason),
        result);
    dt_metrics_count_loss(&d->metrics, ended                             ? DT_METRICS_LOSS_ENDED
                                       : l->on_loss == DT_ON_LOSS_REPORT ? DT_METRICS_LOSS_REPORTED
                                                                         : DT_METRICS_LOSS_FAILED);
    if (dt_buf_error(&lines) == DT_OK)
        dt_driver_audit_put(d, dt_buf_bytes(&lines), false, note);
}

/* --- what would let them in again --------------------------------------------------------------------------------- */

typedef struct dropping {
    dt_driver *driver;
    dt_session const *session;
} dropping;

/* A remembered MFA, or the sign-on of a TLS session or one of a NAS. */
static bool is_of_session(dt_bytes value, dt_session const *s)
{
    dt_remembered r;
    dt_session_owner o;

    if (dt_remembered_unpack(value, &r) == DT_OK)
        return strcmp(r.login, s->login) == 0 &&
               (s->key_id[0] == '\0' || strcmp(r.key_id, s->key_id) == 0);
    return dt_session_record_owner(value, &o) == DT_OK && strcmp(o.login, s->login) == 0 &&
           strcmp(o.application, s->application) == 0 &&
           (s->key_id[0] == '\0' || strcmp(o.key_id, s->key_id) == 0);
}

static int drop_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    dropping const *p = ctx;
    dt_store_op op = {.table = DT_TABLE_REMEMBERED, .verb = DT_STORE_DELETE, .sync = true};
    dt_store_result result = {0};
    dt_buf scratch;

    (void)expires;
    if (!is_of_session(value, p->session) || dt_str_copy(op.key, sizeof(op.key), key) != DT_OK)
        return DT_OK;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(p->driver, &op, &scratch, &result);
    dt_buf_free(&scratch);
    return DT_OK;
}

/* Whoever is sent away comes back at once: nothing that was kept of an earlier sign-on may let them in then. */
static bool forget_mfa(dt_driver *d, dt_session const *s)
{
    dropping p = {.driver = d, .session = s};
    dt_store *store = atomic_load(&d->store);
    dt_error e = {0};

    return store != NULL &&
           dt_store_each(store, DT_TABLE_REMEMBERED, dt_host_now(), drop_row, &p, &e) == DT_OK;
}

/* --- what is done ------------------------------------------------------------------------------------------------- */

/* A loss that is acted upon, until whoever has the session has answered. */
typedef struct acting {
    dt_driver *driver;
    char key[DT_STORE_KEY_MAX];
    dt_session session;
    dt_outcome now;
    char cause[sizeof(((dt_session *)0)->lost_cause)];
    char reference[DT_NEWS_REFERENCE_MAX];
    dt_news_source source;
    dt_on_loss on_loss;
} acting;

static acting *acting_new(dt_driver *d, dt_session_loss const *l, dt_session const *s)
{
    acting *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->driver = d;
    a->session = *s;
    a->session.certificate = a->session.ssh_auth_info = dt_bytes_of(NULL, 0);
    a->session.chain_count = 0; /* the row has them */
    a->now = *l->now;
    a->source = l->source;
    a->on_loss = l->on_loss;
    (void)!dt_str_copy(a->key, sizeof(a->key), l->key);
    (void)!dt_str_copy(a->cause, sizeof(a->cause), l->cause);
    (void)!dt_str_copy(a->reference, sizeof(a->reference), l->reference);
    return a;
}

/* What has become of it, into the row, unless the session has ended meanwhile. */
static void keep_result(acting const *a, dt_end_result const *r)
{
    dt_driver *d = a->driver;
    dt_session s;
    dt_buf row;
    bool again = r->outcome == DT_END_FAILED && r->retry && a->session.tries < DT_SESSION_TRIES_MAX;

    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    if (dt_session_row_get(d, a->key, &row, &s) == DT_OK && s.lost > 0) {
        s.reported = !again;
        if (r->outcome == DT_END_DONE)
            s.state = DT_SESSION_ACTED;
        if (r->outcome == DT_END_GONE)
            dt_session_row_delete(d, a->key);
        else
            (void)!dt_session_row_replace(d, a->key, dt_buf_bytes(&row), &s);
    }
    dt_buf_free(&row);
}

static void on_end(void *ctx, dt_end_result const *r)
{
    acting *a = ctx;
    dt_session_loss const l = {.key = a->key,
                               .session = &a->session,
                               .cause = a->cause,
                               .now = &a->now,
                               .source = a->source,
                               .reference = a->reference,
                               .on_loss = a->on_loss};

    keep_result(a, r);
    write_event(a->driver, &l, r->text, r->outcome == DT_END_DONE || r->outcome == DT_END_GONE);
    free(a);
}

static int ask_nas(acting *a)
{
    dt_dae_request const r = {.ask = a->on_loss == DT_ON_LOSS_REAUTHENTICATE ? DT_DAE_REAUTHENTICATE
                                                                             : DT_DAE_DISCONNECT,
                              .session = a->session.at_nas};

    return dt_dae_end(a->driver, &r, on_end, a);
}

static int ask_host(acting *a)
{
    return dt_login_end(
        a->driver, &a->session.at_host,
        a->on_loss == DT_ON_LOSS_REAUTHENTICATE ? DT_LOGIN_LOCK : DT_LOGIN_TERMINATE, on_end, a);
}

typedef void action(dt_driver *d, dt_session_loss const *l, dt_session *s);

static void report(dt_driver *d, dt_session_loss const *l, dt_session *s)
{
    s->reported = true;
    if (dt_session_row_replace(d, l->key, l->row, s) == DT_OK)
        write_event(d, l, "reported; the session stays open", false);
}

/* Whoever writes the loss into the row acts. First of all nothing that was kept of an earlier sign-on may let the
 * person in again, because they come back at once. */
static void end(dt_driver *d, dt_session_loss const *l, dt_session *s)
{
    acting *a = NULL;
    dt_end_result failed = {.outcome = DT_END_FAILED, .retry = true};

    s->tries++;
    s->acted = dt_host_now();
    if (dt_session_row_replace(d, l->key, l->row, s) != DT_OK || (a = acting_new(d, l, s)) == NULL)
        return;
    if (!forget_mfa(d, s))
        (void)snprintf(failed.text, sizeof(failed.text),
                       "what is remembered of the person cannot be dropped from the store");
    else if ((s->door == DT_SESSION_RADIUS ? ask_nas(a) : ask_host(a)) == DT_OK)
        return;
    else
        (void)snprintf(failed.text, sizeof(failed.text), "too many sessions are being ended");
    on_end(a, &failed);
}

static action *const actions[DT_ON_LOSS_DISCONNECT + 1][DT_SESSION_DOORS] = {
    [DT_ON_LOSS_REPORT] = {[DT_SESSION_RADIUS] = report, [DT_SESSION_HOST] = report},
    [DT_ON_LOSS_REAUTHENTICATE] = {[DT_SESSION_RADIUS] = end, [DT_SESSION_HOST] = end},
    [DT_ON_LOSS_DISCONNECT] = {[DT_SESSION_RADIUS] = end, [DT_SESSION_HOST] = end},
};

/* What was done, or is under way, or is not due yet. */
static bool is_done(dt_session const *s)
{
    return s->lost > 0 && (s->reported || dt_host_now() - s->acted < DT_SESSION_RETRY);
}

void dt_session_lost(dt_driver *d, dt_session_loss const *l)
{
    dt_session s = *l->session;
    action *what = l->on_loss <= DT_ON_LOSS_DISCONNECT && s.door < DT_SESSION_DOORS
                       ? actions[l->on_loss][s.door]
                       : NULL;

    if (what == NULL)
        what = report;
    if (is_done(&s))
        return; /* once */
    s.lost = s.lost > 0 ? s.lost : dt_host_now();
    s.state = DT_SESSION_LOST;
    (void)!dt_str_copy(s.lost_cause, sizeof(s.lost_cause), l->cause);
    what(d, l, &s);
}
