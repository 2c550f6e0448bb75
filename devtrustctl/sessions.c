/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl sessions: which sessions are open, why each was let in, whether it would be now; and ends one. The sessions are
 * rows of the store; whether one still meets its rule is asked of the machine that logins go through. */
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"
#include "devtrustctl/site.h"

#include "core/base/time_text.h"
#include "core/session/session.h"
#include "driver/driver.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

#define EXPLAIN_WAIT DT_SECONDS(30) /* for look-ups that are tried again */
#define ID_MIN 4                    /* digits of an id that are enough */

typedef struct sessions {
    char const *config, *user, *device, *application, *id;
    bool json, reauthenticate;
    dt_identity who; /* `user`; zero: as it was given */
    dt_site *files;
    dt_store *store;
    size_t shown, unreadable, found;
    /* of explain */
    dt_buf row;
    char key[DT_STORE_KEY_MAX];
    dt_driver *driver;
    dt_session session;
    dt_session_judgement judged;
    dt_outcome outcome;
    bool done;
    dt_error error;
} sessions;

/* --- which ------------------------------------------------------------------------------------------------------- */

static bool is_user(sessions const *q, dt_session const *s)
{
    return q->user == NULL || dt_str_equal_nocase(q->user, s->login) ||
           dt_str_equal_nocase(q->user, s->user) ||
           (q->who.kind == DT_IDENTITY_PERSON && dt_str_equal_nocase(q->who.login, s->login));
}

static bool is_meant(sessions const *q, dt_session const *s)
{
    return is_user(q, s) &&
           (q->application == NULL || strcmp(q->application, s->application) == 0) &&
           (q->device == NULL || dt_str_equal_nocase(q->device, s->device_id.text) ||
            dt_str_equal_nocase(q->device, s->key_id));
}

/* --- list -------------------------------------------------------------------------------------------------------- */

static char const *moment_of(dt_time at, char text[25])
{
    dt_time_format(text, at);
    return text;
}

static void put_names(dt_buf *b, dt_session const *s)
{
    if (s->door == DT_SESSION_HOST) {
        dt_out_member(b, "service", s->at_host.service);
        dt_out_member(b, "loginSession", s->at_host.id);
        dt_out_member(b, "tty", s->at_host.tty);
        dt_out_member_int(b, "leader", s->at_host.leader);
        return;
    }
    dt_out_member(b, "nas", s->nas);
    dt_out_member(b, "station", s->station);
    dt_out_member(b, "acctSessionId", s->at_nas.session_id);
    dt_out_member(b, "userName", s->at_nas.user_name);
    dt_out_member(b, "framedIp", s->at_nas.framed_ip);
}

static void put_json(dt_buf *b, char const *key, dt_session const *s)
{
    char id[DT_SESSION_ID_LEN + 1], at[25];
    char const *factor = dt_factor_name(s->factor);

    dt_session_id(key, id);
    dt_out_begin(b);
    dt_out_member(b, "id", id);
    dt_out_member(b, "door", dt_session_door_name(s->door));
    dt_out_member(b, "state", dt_session_state_name(s->state));
    dt_out_member(b, "user", s->user);
    dt_out_member(b, "login", s->login);
    dt_out_member(b, "application", s->application);
    dt_out_member(b, "deviceId", s->device_id.text);
    dt_out_member(b, "deviceName", s->device_name);
    dt_out_member(b, "keyId", s->key_id);
    dt_out_member(b, "verdict", dt_trust_name(s->trust));
    dt_out_member(b, "rule", s->rule);
    dt_out_member(b, "cause", dt_cause_name(s->cause));
    dt_out_member(b, "factor", factor != NULL ? factor : "");
    dt_out_member(b, "signOn", s->signon);
    dt_out_member(b, "clientIp", s->client_ip);
    put_names(b, s);
    dt_out_member(b, "node", s->node);
    dt_out_member(b, "started", moment_of(s->started, at));
    dt_out_member(b, "seen", moment_of(s->seen, at));
    dt_out_member(b, "expires", moment_of(s->expires, at));
    dt_out_member(b, "lostSince", s->lost > 0 ? moment_of(s->lost, at) : "");
    dt_out_member(b, "lostCause", s->lost_cause);
}

static void show_line(char const *key, dt_session const *s)
{
    char id[DT_SESSION_ID_LEN + 1], at[25];

    dt_session_id(key, id);
    dt_out_line("%s  %-7s  %s at %s from %s, since %s, by rule \"%s\" (%s)%s%s%s%s", id,
                dt_session_state_name(s->state), s->login[0] != '\0' ? s->login : s->user,
                s->application,
                s->door == DT_SESSION_HOST ? (s->client_ip[0] != '\0' ? s->client_ip : "this host")
                                           : s->nas,
                moment_of(s->started, at), s->rule, dt_cause_name(s->cause),
                s->device_id.text[0] != '\0' ? ", device " : "", s->device_id.text,
                s->lost > 0 ? ", no longer: " : "", s->lost_cause);
}

static int list_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    sessions *q = ctx;
    dt_session s;
    dt_buf b;

    (void)expires;
    if (!dt_session_is_key(key))
        return DT_OK;
    if (dt_session_unpack(value, &s) != DT_OK) {
        q->unreadable++;
        return DT_OK;
    }
    if (!is_meant(q, &s))
        return DT_OK;
    q->shown++;
    if (!q->json) {
        show_line(key, &s);
        return DT_OK;
    }
    put_json(&b, key, &s);
    dt_out_finish(&b);
    return DT_OK;
}

static int open_store(sessions *q)
{
    int rc = dt_ctl_store_open(q->config, &q->files, &q->store, &q->error);

    if (rc == DT_OK && q->user != NULL)
        rc = dt_site_identity(q->files, q->user, &q->who, &q->error);
    return rc == DT_E_INVALID && strchr(q->user, '@') != NULL ? DT_OK : rc;
}

static dt_ctl_exit list(sessions *q)
{
    int rc = open_store(q);

    if (rc == DT_OK)
        rc = dt_store_each(q->store, DT_TABLE_SESSION, dt_host_now(), list_row, q, &q->error);
    if (rc < 0)
        return dt_err_fault(&q->error);
    if (q->unreadable > 0)
        dt_err_line("%zu session%s in the store cannot be read", q->unreadable,
                    DT_S(q->unreadable));
    if (q->shown > 0)
        return DT_CTL_YES;
    if (!q->json)
        dt_out_line("no open session");
    return q->unreadable > 0 ? DT_CTL_OPEN : DT_CTL_NO;
}

/* --- explain ----------------------------------------------------------------------------------------------------- */

static int find_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    sessions *q = ctx;
    char id[DT_SESSION_ID_LEN + 1];

    (void)expires;
    dt_session_id(key, id);
    if (id[0] == '\0' || strncmp(id, q->id, strlen(q->id)) != 0)
        return DT_OK;
    q->found++;
    dt_buf_reset(&q->row);
    dt_buf_put(&q->row, value.p, value.len);
    return dt_str_copy(q->key, sizeof(q->key), key);
}

/* YES: one was found. */
static dt_ctl_exit find(sessions *q)
{
    int rc = open_store(q);

    if (rc == DT_OK)
        rc = dt_store_each(q->store, DT_TABLE_SESSION, dt_host_now(), find_row, q, &q->error);
    if (rc == DT_OK && q->found > 1)
        rc = dt_error_set(&q->error, DT_E_INVALID, "%zu sessions begin with %s: type more of it",
                          q->found, q->id);
    if (rc == DT_OK && q->found == 1 &&
        dt_session_unpack(dt_buf_bytes(&q->row), &q->session) != DT_OK)
        rc = dt_error_set(&q->error, DT_E_PARSE, "session %s: its row cannot be read", q->id);
    if (rc < 0)
        return dt_err_fault(&q->error);
    if (q->found == 1)
        return DT_CTL_YES;
    dt_err_line("no open session %s", q->id);
    return DT_CTL_UNKNOWN;
}

static void on_done(void *ctx, dt_outcome const *outcome, dt_signon const *machine)
{
    sessions *q = ctx;

    q->outcome = *outcome;
    q->done = machine != NULL;
    if (machine != NULL)
        dt_session_judge(&q->session, outcome, dt_signon_person(machine), &q->judged);
    dt_driver_stop(q->driver);
}

static int ask(sessions *q)
{
    static dt_door const door = {.name = "cli", .done = on_done, .unaudited = true};
    char const *groups[DT_GROUPS_MAX];
    char id[DT_SIGNON_ID_LEN + 1];
    dt_signon *machine = dt_driver_machine_new();
    dt_ruleset ruleset;
    dt_request r;
    int rc = machine == NULL ? DT_E_NOMEM : dt_host_random_id(id);

    dt_session_request(&q->session, groups, &r);
    r.id = id;
    r.known_since = dt_host_now();
    r.wait_limit = EXPLAIN_WAIT;
    r.utc_offset_known = dt_host_utc_offset(dt_host_now(), &r.utc_offset) == DT_OK;
    if (rc == DT_OK)
        rc = dt_host_random(r.random, sizeof(r.random));
    if (rc == DT_OK) {
        dt_driver_acquire(q->driver, q->session.application, &ruleset);
        dt_signon_begin(machine, &ruleset, &r, dt_host_now());
        rc = dt_driver_submit(q->driver, machine, &door, q, NULL);
        if (rc == DT_OK)
            rc = dt_driver_run(q->driver);
        dt_driver_release(&ruleset);
    }
    dt_driver_machine_free(&machine);
    return rc < 0 || !q->done ? dt_error_set(&q->error, rc < 0 ? rc : DT_E_STATE,
                                             "whether the session would be let in now cannot be "
                                             "found out")
                              : DT_OK;
}

static void show_explanation(sessions const *q)
{
    dt_outcome const *o = &q->outcome;
    dt_buf b;

    if (q->json) {
        put_json(&b, q->key, &q->session);
        dt_out_member(&b, "now", dt_session_now_name(q->judged.now));
        dt_out_member(&b, "nowCause", q->judged.cause);
        dt_out_member(&b, "nowVerdict", dt_trust_name(o->verdict.trust));
        dt_out_member(&b, "nowReason", dt_reason_name(o->verdict.reason));
        dt_out_member(&b, "nowRule", o->decision.rule);
        dt_out_member(&b, "nowAccess", dt_access_name(o->decision.access));
        dt_out_member(&b, "detail", o->detail);
        dt_out_finish(&b);
        return;
    }
    show_line(q->key, &q->session);
    dt_out_line("then: device %s (%s), rule \"%s\", %s", dt_trust_name(q->session.trust),
                dt_reason_name(q->session.reason), q->session.rule,
                dt_cause_name(q->session.cause));
    dt_out_line("now:  device %s (%s), rule \"%s\", %s: %s", dt_trust_name(o->verdict.trust),
                dt_reason_name(o->verdict.reason), o->decision.rule,
                dt_access_name(o->decision.access),
                q->judged.now == DT_SESSION_MEETS       ? "it would be let in"
                : q->judged.now == DT_SESSION_NO_LONGER ? q->judged.cause
                                                        : "that is not known");
    if (o->detail[0] != '\0')
        dt_out_line("      %s", o->detail);
}

static dt_ctl_exit explain(sessions *q)
{
    dt_driver_options const options = {
        .config_path = q->config != NULL ? q->config : DT_CONFIG_DEFAULT_PATH, .quiet = true};
    dt_ctl_exit found = find(q);

    if (found != DT_CTL_YES)
        return found;
    if (dt_driver_new(&options, &q->driver, &q->error) < 0 || ask(q) < 0)
        return dt_err_fault(&q->error);
    show_explanation(q);
    return q->judged.now == DT_SESSION_MEETS       ? DT_CTL_YES
           : q->judged.now == DT_SESSION_NO_LONGER ? DT_CTL_NO
                                                   : DT_CTL_OPEN;
}

/* --- end --------------------------------------------------------------------------------------------------------- */

static dt_ctl_exit want(sessions *q)
{
    dt_store_op op = {.table = DT_TABLE_SESSION,
                      .verb = DT_STORE_REPLACE,
                      .expected = dt_buf_bytes(&q->row),
                      .sync = true};
    dt_session s = q->session;
    dt_store_result result = {0};
    dt_buf value, scratch;

    s.want = q->reauthenticate ? DT_SESSION_WANT_REAUTHENTICATE : DT_SESSION_WANT_END;
    s.reported = false;
    s.tries = 0;
    s.acted = 0;
    dt_buf_init(&value, DT_SESSION_ROW_MAX);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    int rc = dt_session_pack(&s, &value);
    if (rc == DT_OK)
        rc = dt_str_copy(op.key, sizeof(op.key), q->key);
    if (rc == DT_OK) {
        op.value = dt_buf_bytes(&value);
        op.expires = s.expires;
        dt_store_do(q->store, &op, dt_host_now(), &scratch, &result);
        rc = result.status == DT_STORE_OK ? DT_OK : DT_E_STATE;
    }
    dt_buf_free(&value);
    dt_buf_free(&scratch);
    if (rc == DT_OK)
        return DT_CTL_YES;
    (void)dt_error_set(&q->error, rc, "session %s: it has just changed; try again", q->id);
    return dt_err_fault(&q->error);
}

/* Whoever looks after it ends it: the process that has the session's NAS, or logind, at hand. */
static dt_ctl_exit end(sessions *q)
{
    dt_ctl_exit found = find(q);
    dt_buf b;

    if (found != DT_CTL_YES)
        return found;
    if (dt_site_config(q->files)->sessions.recheck <= 0) {
        (void)dt_error_set(&q->error, DT_E_STATE,
                           "nobody looks after sessions: set [sessions] recheck");
        return dt_err_fault(&q->error);
    }
    found = want(q);
    if (found != DT_CTL_YES)
        return found;
    if (!q->json) {
        dt_out_line("asked for; the log has the result: devtrustctl log --query %s", q->id);
        return DT_CTL_YES;
    }
    put_json(&b, q->key, &q->session);
    dt_out_member(&b, "asked", q->reauthenticate ? "reauthenticate" : "end");
    dt_out_finish(&b);
    return DT_CTL_YES;
}

/* --- the command line -------------------------------------------------------------------------------------------- */

static int take_id(sessions *q, char const *id)
{
    size_t len = strlen(id);

    if (len < ID_MIN || len > DT_SESSION_ID_LEN || id[strspn(id, "0123456789abcdef")] != '\0')
        return dt_error_set(&q->error, DT_E_INVALID,
                            "%s is not the id of a session: %d to %d digits, as sessions list "
                            "shows them",
                            id, ID_MIN, DT_SESSION_ID_LEN);
    q->id = id;
    return DT_OK;
}

typedef dt_ctl_exit verb(sessions *q);

/* NULL: wrong usage. */
static verb *choose(sessions *q, char const **rest, size_t count)
{
    char const *word = count > 0 ? rest[0] : "list";

    if (strcmp(word, "list") == 0 && count <= 1)
        return list;
    if (strcmp(word, "explain") == 0 && count == 2)
        return take_id(q, rest[1]) == DT_OK ? explain : NULL;
    if (strcmp(word, "end") == 0 && count == 2)
        return take_id(q, rest[1]) == DT_OK ? end : NULL;
    (void)dt_error_set(&q->error, DT_E_INVALID,
                       "use list, or explain or end with the id of a session");
    return NULL;
}

static void forget(sessions *q)
{
    if (q->driver != NULL)
        dt_driver_free(&q->driver);
    dt_ctl_store_close(&q->files, &q->store);
    dt_buf_free(&q->row);
    free(q);
}

dt_ctl_exit dt_ctl_sessions(dt_ctl_command const *self, int argc, char **argv)
{
    sessions *q = calloc(1, sizeof(*q));
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    size_t count = 0;

    if (q == NULL || rest == NULL) {
        dt_err_line("out of memory");
        free(q);
        free(rest);
        return DT_CTL_FAULT;
    }
    dt_option const options[] = {{"--user", NULL, &q->user, NULL},
                                 {"--application", NULL, &q->application, NULL},
                                 {"--device", NULL, &q->device, NULL},
                                 {"--reauthenticate", NULL, NULL, &q->reauthenticate},
                                 {"--json", NULL, NULL, &q->json},
                                 {"--config", "-c", &q->config, NULL},
                                 {NULL, NULL, NULL, NULL}};

    dt_buf_init(&q->row, DT_STORE_VALUE_MAX);
    int rc = dt_options_parse(options, argc, argv, rest, &count, &q->error);
    verb *what = rc == DT_OK ? choose(q, rest, count) : NULL;

    if (what == NULL)
        result = dt_err_usage(self, &q->error);
    else
        result = what(q);
    free(rest);
    forget(q);
    return result;
}
