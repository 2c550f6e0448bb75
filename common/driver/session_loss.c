/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with a session that no longer meets the rule that let it in. One table says what, by on_loss and door. A
 * loss is written into the session's row first, in place of exactly the row that was looked at: so of several processes
 * that find the same loss one acts, and once. */
#include "driver/session_internal.h"

#include "core/signon/audit_ocsf.h"
#include "core/signon/remembered.h"
#include "core/signon/session_record.h"
#include "edge/host.h"

#include <stdio.h>
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

typedef void action(dt_driver *d, dt_session_loss const *l, dt_session *s);

static void report(dt_driver *d, dt_session_loss const *l, dt_session *s)
{
    s->reported = true;
    if (dt_session_row_replace(d, l->key, l->row, s) == DT_OK)
        write_event(d, l, "reported; the session stays open", false);
}

static action *const actions[DT_ON_LOSS_DISCONNECT + 1][DT_SESSION_DOORS] = {
    [DT_ON_LOSS_REPORT] = {[DT_SESSION_RADIUS] = report, [DT_SESSION_HOST] = report},
    [DT_ON_LOSS_REAUTHENTICATE] = {[DT_SESSION_RADIUS] = report, [DT_SESSION_HOST] = report},
    [DT_ON_LOSS_DISCONNECT] = {[DT_SESSION_RADIUS] = report, [DT_SESSION_HOST] = report},
};

void dt_session_lost(dt_driver *d, dt_session_loss const *l)
{
    dt_session s = *l->session;
    action *what = l->on_loss <= DT_ON_LOSS_DISCONNECT && s.door < DT_SESSION_DOORS
                       ? actions[l->on_loss][s.door]
                       : NULL;

    if (what == NULL)
        what = report;
    if (s.lost > 0 && s.reported)
        return; /* once */
    s.lost = s.lost > 0 ? s.lost : dt_host_now();
    s.state = DT_SESSION_LOST;
    (void)!dt_str_copy(s.lost_cause, sizeof(s.lost_cause), l->cause);
    if (l->on_loss != DT_ON_LOSS_REPORT && !forget_mfa(d, &s))
        dt_sessions_say(d, &d->sessions->said_failed,
                        "what is remembered of a person whose session ends cannot be dropped");
    what(d, l, &s);
}
