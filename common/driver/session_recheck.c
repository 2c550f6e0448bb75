/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks again at open sessions: reads the list of them once per interval, spreads the looks over it, and has a machine
 * for each that only explains. Sessions of one device come one after another, and what its services say for the first
 * is good for the others: one look-up per device. */
#include "driver/session_internal.h"

#include "core/session/session.h"
#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_KEY_BEGIN "node:"

/* One look that is under way. */
typedef struct check {
    dt_driver *driver;
    char key[DT_STORE_KEY_MAX];
    dt_buf row;
    dt_session session; /* borrows from the row */
    dt_news_source source;
    char reference[DT_NEWS_REFERENCE_MAX];
    dt_time began;
} check;

/* --- the list ---------------------------------------------------------------------------------------------------- */

typedef struct reading {
    dt_driver *driver;
    dt_session_entry *entries;
    size_t count, room, unreadable, left_out;
    bool failed;
} reading;

static dt_session_door own_door(dt_driver const *d)
{
    return d->options.sessions;
}

static bool is_node_alive(dt_driver *d, char const *node)
{
    dt_store_op op = {.table = DT_TABLE_SESSION, .verb = DT_STORE_GET};
    dt_store_result result = {0};
    dt_buf scratch;

    snprintf(op.key, sizeof(op.key), NODE_KEY_BEGIN "%s:%s", dt_session_door_name(own_door(d)),
             node);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(d, &op, &scratch, &result);
    dt_buf_free(&scratch);
    return result.status == DT_STORE_OK || result.status == DT_STORE_ERROR;
}

/* What happened at another host only that host knows; a NAS's sessions anybody can look after. */
static bool is_ours(dt_driver *d, dt_session const *s)
{
    if (s->door != own_door(d))
        return false;
    if (strcmp(s->node, d->host) == 0)
        return true;
    return s->door == DT_SESSION_RADIUS && !is_node_alive(d, s->node);
}

static bool make_room(reading *r)
{
    size_t room = r->room == 0 ? 256 : 2 * r->room;
    dt_session_entry *more = r->count < r->room ? r->entries : NULL;

    if (more != NULL)
        return true;
    more = realloc(r->entries, room * sizeof(*more));
    if (more == NULL)
        return false;
    r->entries = more;
    r->room = room;
    return true;
}

static int take_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    reading *r = ctx;
    dt_session s;

    (void)expires;
    if (!dt_session_is_key(key))
        return DT_OK;
    if (dt_session_unpack(value, &s) != DT_OK) {
        r->unreadable++;
        return DT_OK;
    }
    if (!is_ours(r->driver, &s))
        return DT_OK;
    if (r->count >= DT_SESSIONS_MAX) {
        r->left_out++;
        return DT_OK;
    }
    if (!make_room(r))
        return DT_E_NOMEM;
    dt_session_entry *e = &r->entries[r->count++];
    *e = (dt_session_entry){
        .device_id = s.device_id, .known = dt_host_now(), .source = DT_NEWS_RECHECK};
    (void)!dt_str_copy(e->key, sizeof(e->key), key);
    memcpy(e->login, s.login, sizeof(e->login));
    memcpy(e->okta_user_id, s.okta_user_id, sizeof(e->okta_user_id));
    e->urgent = s.want != DT_SESSION_WANT_NOTHING && !s.reported;
    return DT_OK;
}

static int by_key(void const *a, void const *b)
{
    return strcmp(((dt_session_entry const *)a)->key, ((dt_session_entry const *)b)->key);
}

static int by_device(void const *a, void const *b)
{
    int c = strcmp(((dt_session_entry const *)a)->device_id.text,
                   ((dt_session_entry const *)b)->device_id.text);

    return c != 0 ? c : by_key(a, b);
}

static void carry_over_one(dt_session_entry *e, dt_session_entry const *was)
{
    dt_session_entry const fresh = *e;

    *e = *was;
    memcpy(e->login, fresh.login, sizeof(e->login));
    memcpy(e->okta_user_id, fresh.okta_user_id, sizeof(e->okta_user_id));
    e->urgent = fresh.urgent;
    if (dt_guid_is_set(&fresh.device_id))
        e->device_id = fresh.device_id;
}

/* What was learnt of a session before, when it is due, and what news wants of it, stays. One that is new comes at a
 * place of its own within the interval. */
static void carry_over(dt_sessions *own, reading *r, int64_t mono, dt_time interval)
{
    if (own->count > 1)
        qsort(own->entries, own->count, sizeof(*own->entries), by_key);
    for (size_t i = 0; i < r->count; i++) {
        dt_session_entry *e = &r->entries[i];
        dt_session_entry const *was =
            own->count == 0 ? NULL
                            : bsearch(e, own->entries, own->count, sizeof(*own->entries), by_key);

        e->due = mono + interval * (dt_time)i / (dt_time)r->count;
        if (was != NULL)
            carry_over_one(e, was);
        if (e->due > mono + interval)
            e->due = mono + interval;
        e->soon = e->soon || e->urgent;
    }
}

static bool is_same_device(dt_session_entry const *a, dt_session_entry const *b)
{
    return dt_guid_is_set(&a->device_id) && dt_guid_equal(&a->device_id, &b->device_id);
}

/* Sessions of one device are due together, at the time of the first of them. */
static void join_devices(reading *r)
{
    for (size_t first = 0, end = 0; first < r->count; first = end) {
        int64_t due = r->entries[first].due;

        for (end = first + 1;
             end < r->count && is_same_device(&r->entries[first], &r->entries[end]); end++)
            due = r->entries[end].due < due ? r->entries[end].due : due;
        for (size_t i = first; i < end; i++)
            r->entries[i].due = due;
    }
}

static void note_alive(dt_driver *d, dt_time interval)
{
    dt_store_op op = {.table = DT_TABLE_SESSION,
                      .verb = DT_STORE_PUT,
                      .value = dt_bytes_str("alive"),
                      .expires = dt_host_now() + DT_SESSION_NODE_KEPT * interval};
    dt_store_result result = {0};
    dt_buf scratch;

    snprintf(op.key, sizeof(op.key), NODE_KEY_BEGIN "%s:%s", dt_session_door_name(own_door(d)),
             d->host);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(d, &op, &scratch, &result);
    dt_buf_free(&scratch);
}

static void say_what_is_wrong(dt_driver *d, reading const *r)
{
    char text[160];

    if (r->unreadable > 0) {
        snprintf(text, sizeof(text),
                 "%zu open sessions have rows in the store that cannot be read: they are not "
                 "looked after",
                 r->unreadable);
        dt_sessions_say(d, &d->sessions->said_unreadable, text);
    }
    if (r->left_out > 0) {
        snprintf(text, sizeof(text), "%zu open sessions are more than the %d that are looked after",
                 r->left_out, DT_SESSIONS_MAX);
        dt_sessions_say(d, &d->sessions->said_too_many, text);
    }
    if (r->failed)
        dt_sessions_say(d, &d->sessions->said_failed,
                        "the open sessions cannot be read, so they are not looked after");
}

static void read_list(dt_driver *d, dt_time interval)
{
    dt_sessions *own = d->sessions;
    dt_store *store = atomic_load(&d->store);
    own->read_at = dt_driver_mono();
    own->pass_at =
        own->read_at + (interval < DT_SESSION_LIST_EVERY ? interval : DT_SESSION_LIST_EVERY);
    reading r = {.driver = d};
    dt_error e = {0};

    note_alive(d, interval);
    r.failed = store == NULL ||
               dt_store_each(store, DT_TABLE_SESSION, dt_host_now(), take_row, &r, &e) != DT_OK;
    say_what_is_wrong(d, &r);
    own->unreadable = r.unreadable;
    if (r.failed) {
        free(r.entries);
        return;
    }
    carry_over(own, &r, dt_driver_mono(), interval);
    if (r.count > 1)
        qsort(r.entries, r.count, sizeof(*r.entries), by_device);
    join_devices(&r);
    free(own->entries);
    own->entries = r.entries;
    own->count = r.count;
    own->room = r.room;
    atomic_store(&d->sessions_now, r.count);
}

static dt_session_entry *entry_of(dt_driver *d, char const *key)
{
    dt_sessions *own = d->sessions;

    for (size_t i = 0; i < own->count; i++) {
        if (strcmp(own->entries[i].key, key) == 0)
            return &own->entries[i];
    }
    return NULL;
}

/* --- what comes of a look ---------------------------------------------------------------------------------------- */

static void learn(dt_session_entry *e, dt_signon const *machine)
{
    dt_evidence_set const *set = dt_signon_evidence(machine);

    for (size_t i = 0; i < set->count && i < DT_EVIDENCE_MAX; i++) {
        if (dt_guid_is_set(&set->items[i].entra_id))
            e->entra_id = set->items[i].entra_id;
        if (dt_guid_is_set(&set->items[i].device_id) && !dt_guid_is_set(&e->device_id))
            e->device_id = set->items[i].device_id;
    }
}

/* It meets its rule again. */
static void forgive(dt_driver *d, check const *c)
{
    dt_session s = c->session;

    if (s.lost == 0)
        return;
    s.lost = 0;
    s.lost_cause[0] = '\0';
    s.tries = 0;
    s.reported = false;
    s.state = DT_SESSION_OPEN;
    (void)!dt_session_row_replace(d, c->key, dt_buf_bytes(&c->row), &s);
}

static void lose(dt_driver *d, check const *c, char const *cause, dt_outcome const *o,
                 dt_on_loss on_loss)
{
    dt_session_lost(d, &(dt_session_loss){.key = c->key,
                                          .row = dt_buf_bytes(&c->row),
                                          .session = &c->session,
                                          .cause = cause,
                                          .now = o,
                                          .source = c->source,
                                          .reference = c->reference,
                                          .on_loss = on_loss});
}

/* Whatever the rules say. */
static void lose_as_wanted(dt_driver *d, check *c, dt_outcome const *o)
{
    c->source = DT_NEWS_OPERATOR;
    lose(d, c, "OPERATOR", o,
         c->session.want == DT_SESSION_WANT_END ? DT_ON_LOSS_DISCONNECT
                                                : DT_ON_LOSS_REAUTHENTICATE);
}

static void act(dt_driver *d, check *c, dt_session_entry *e, dt_outcome const *o,
                dt_signon const *machine)
{
    dt_session_judgement j;
    dt_config const *config = dt_signon_ruleset(machine)->config;
    dt_time now = dt_host_now();

    dt_session_judge(&c->session, o, dt_signon_person(machine), &j);
    if (e != NULL)
        learn(e, machine);
    if (c->session.want != DT_SESSION_WANT_NOTHING) {
        lose_as_wanted(d, c, o);
        return;
    }
    switch (j.now) {
    case DT_SESSION_MEETS:
        if (e != NULL)
            e->known = now;
        forgive(d, c);
        break;
    case DT_SESSION_NO_LONGER:
        if (e != NULL)
            e->known = now;
        lose(d, c, j.cause, o, config->sessions.on_loss);
        break;
    case DT_SESSION_NOT_KNOWN:
        if (e != NULL && now - e->known > config->device_trust.stale_limit)
            lose(d, c, j.cause, o, config->sessions.on_loss);
        break;
    }
}

static void check_free(check *c)
{
    dt_buf_free(&c->row);
    free(c);
}

static void on_done(void *ctx, dt_outcome const *outcome, dt_signon const *machine)
{
    check *c = ctx;
    dt_driver *d = c->driver;
    dt_session_entry *e = entry_of(d, c->key);

    d->sessions->checks--;
    if (e != NULL)
        e->busy = false;
    if (machine != NULL)
        act(d, c, e, outcome, machine);
    check_free(c);
}

static dt_door const door = {.name = "session", .unaudited = true, .done = on_done};

/* --- a look ------------------------------------------------------------------------------------------------------ */

/* Whoever looks after the logins of a host sees for themselves when one has ended. */
static bool has_ended(dt_driver *d, dt_session const *s)
{
    return s->door == DT_SESSION_HOST && strcmp(s->node, d->host) == 0 &&
           !dt_host_process_is(s->at_host.boot, (pid_t)s->at_host.leader, s->at_host.leader_start);
}

static dt_time longest(dt_config const *c)
{
    return 2 * (c->intune.timeout + c->okta.timeout + c->device_trust.ocsp_timeout);
}

static int submit(dt_driver *d, check *c, dt_session_entry const *e)
{
    char const *groups[DT_GROUPS_MAX];
    char id[DT_SIGNON_ID_LEN + 1];
    dt_ruleset ruleset;
    dt_request r;
    dt_signon *machine = dt_driver_machine_new();
    int rc = machine == NULL ? DT_E_NOMEM : dt_host_random_id(id);

    dt_session_request(&c->session, groups, &r);
    r.id = id;
    r.known_since = e->known_since;
    r.asks_okta = e->asks_person;
    if (rc == DT_OK)
        rc = dt_host_random(r.random, sizeof(r.random));
    if (rc == DT_OK) {
        dt_driver_acquire(d, c->session.application, &ruleset);
        r.wait_limit = longest(ruleset.config);
        if (dt_policy_needs_time(ruleset.policy))
            r.utc_offset_known = dt_host_utc_offset(dt_host_now(), &r.utc_offset) == DT_OK;
        dt_signon_begin(machine, &ruleset, &r, dt_host_now());
        rc = dt_driver_submit(d, machine, &door, c, NULL);
        dt_driver_release(&ruleset);
    }
    dt_driver_machine_free(&machine);
    return rc;
}

static void look(dt_driver *d, dt_session_entry *e)
{
    check *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return;
    c->driver = d;
    c->source = e->source;
    memcpy(c->reference, e->reference, sizeof(c->reference));
    (void)!dt_str_copy(c->key, sizeof(c->key), e->key);
    dt_buf_init(&c->row, DT_STORE_VALUE_MAX);
    int rc = dt_session_row_get(d, c->key, &c->row, &c->session);
    if (rc == DT_OK && has_ended(d, &c->session)) {
        dt_session_row_delete(d, c->key);
        rc = DT_E_NOT_FOUND;
    }
    if (rc == DT_OK && submit(d, c, e) == DT_OK) {
        e->busy = true;
        d->sessions->checks++;
    } else {
        check_free(c);
    }
    e->asks_person = false;
    e->source = DT_NEWS_RECHECK;
    e->reference[0] = '\0';
}

/* --- the clock --------------------------------------------------------------------------------------------------- */

/* There may be sessions that are not on the list: it is read soon. */
static void read_soon(dt_sessions *own, dt_time interval)
{
    int64_t soon = own->read_at + (interval / 8 > DT_SECONDS(1) ? interval / 8 : DT_SECONDS(1));

    if (soon < own->pass_at)
        own->pass_at = soon;
}

/* Sessions of one device ask for nothing newer than the first of them did. */
static dt_time since_of(dt_sessions const *own, size_t i)
{
    dt_session_entry const *e = &own->entries[i], *before = i > 0 ? e - 1 : NULL;
    dt_time now = dt_host_now();

    if (before != NULL && is_same_device(before, e) && before->known_since <= now &&
        now - before->known_since < DT_SESSION_TOGETHER)
        return before->known_since;
    return now;
}

static void look_now(dt_driver *d, size_t i, int64_t mono, dt_time interval)
{
    dt_session_entry *e = &d->sessions->entries[i];
    bool const due = e->due <= mono;

    e->known_since = e->by_rules && !due ? 0 : since_of(d->sessions, i);
    if (e->known_since < e->wanted_since)
        e->known_since = e->wanted_since;
    e->soon = e->by_rules = false;
    if (due)
        e->due += interval;
    if (e->due <= mono)
        e->due = mono + interval;
    look(d, e);
}

static void look_at_due(dt_driver *d, dt_time interval)
{
    dt_sessions *own = d->sessions;
    int64_t mono = dt_driver_mono();

    for (size_t i = 0; i < own->count && own->checks < DT_SESSION_CHECKS_MAX; i++) {
        if (!own->entries[i].busy && (own->entries[i].due <= mono || own->entries[i].soon))
            look_now(d, i, mono, interval);
    }
}

static uint64_t generation_of(dt_driver *d)
{
    dt_ruleset ruleset;

    dt_driver_acquire(d, "", &ruleset);
    uint64_t g = ruleset.generation;
    dt_driver_release(&ruleset);
    return g;
}

/* The file that the site names is followed from now on: what it said before was about sessions that are looked at
 * anyhow. */
static void follow_news(dt_driver *d)
{
    dt_sessions *own = d->sessions;
    dt_live_site *live = dt_live_site_current(d);
    char const *path = live->config->signals.news;

    if (own->news_path == NULL || strcmp(own->news_path, path) != 0) {
        dt_news_follower_close(&own->news);
        free(own->news_path);
        own->news_path = strdup(path);
        if (path[0] != '\0' && dt_news_follower_open(path, dt_host_now(), &own->news) != DT_OK)
            dt_sessions_say(d, &own->said_failed, "the file of news cannot be followed");
    }
    dt_live_site_release(live);
}

static void take_news(dt_driver *d)
{
    dt_sessions *own = d->sessions;
    dt_news *batch = own->news != NULL ? calloc(DT_SESSION_NEWS_BATCH, sizeof(*batch)) : NULL;
    size_t count =
        batch != NULL ? dt_news_follower_read(own->news, batch, DT_SESSION_NEWS_BATCH) : 0;

    if (count > 0)
        dt_sessions_news(d, batch, count);
    free(batch);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    dt_driver *d = ctx;
    dt_sessions *own = d->sessions;
    dt_time interval = dt_sessions_interval(d);
    int64_t mono = dt_driver_mono();

    (void)fd;
    (void)what;
    if (interval <= 0)
        return;
    if (atomic_exchange(&own->changed, false))
        read_soon(own, interval);
    follow_news(d);
    take_news(d);
    uint64_t generation = generation_of(d);
    bool changed = own->generation != 0 && generation != own->generation;
    if (mono < own->pass_at && !changed) {
        look_at_due(d, interval);
        return;
    }
    own->generation = generation;
    read_list(d, interval);
    /* Other rules: all soon, with what is known of their devices. */
    for (size_t i = 0; changed && i < own->count; i++)
        own->entries[i].soon = own->entries[i].by_rules = true;
    look_at_due(d, interval);
}

/* --- news -------------------------------------------------------------------------------------------------------- */

typedef struct piece {
    dt_driver *driver;
    dt_news news;
} piece;

static bool is_about(dt_session_entry const *e, dt_news const *n)
{
    switch (n->about) {
    case DT_NEWS_ENTRA_DEVICE:
        /* As long as it is not known which of Entra's devices it is, it may be this one. */
        return dt_guid_is_set(&e->entra_id) ? strcmp(e->entra_id.text, n->id) == 0
                                            : dt_guid_is_set(&e->device_id);
    case DT_NEWS_INTUNE_DEVICE:
        return strcmp(e->device_id.text, n->id) == 0;
    case DT_NEWS_OKTA_DEVICE:
        return dt_guid_is_set(&e->device_id);
    case DT_NEWS_OKTA_USER:
        return e->okta_user_id[0] == '\0' || strcmp(e->okta_user_id, n->id) == 0;
    case DT_NEWS_LOGIN:
        return dt_str_equal_nocase(e->login, n->id);
    default:
        return false;
    }
}

static bool is_about_person(dt_news const *n)
{
    return n->about == DT_NEWS_OKTA_USER || n->about == DT_NEWS_LOGIN;
}

static void wake_entry(dt_session_entry *e, dt_news const *n)
{
    e->soon = true;
    e->wanted_since = dt_host_now();
    e->asks_person = e->asks_person || is_about_person(n);
    e->source = n->source;
    memcpy(e->reference, n->reference, sizeof(e->reference));
}

/* A kept answer about a device without a session is asked for anew, too; it stays for when its service does not
 * answer. */
static void renew_kept(dt_driver *d, dt_news const *n)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_GET};
    dt_store_result result = {0};
    dt_guid id;
    dt_buf scratch;

    if (n->about != DT_NEWS_INTUNE_DEVICE || dt_guid_parse(dt_bytes_str(n->id), &id) != DT_OK)
        return;
    dt_intune_store_key(&id, op.key);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(d, &op, &scratch, &result);
    dt_buf_free(&scratch);
    if (result.status == DT_STORE_OK)
        dt_driver_refresh(d, &id);
}

void dt_sessions_news(dt_driver *d, dt_news const *news, size_t count)
{
    dt_time interval = dt_sessions_interval(d);
    dt_sessions *own = d->sessions;

    if (interval <= 0)
        return;
    read_list(d, interval); /* one that has just begun is in it */
    for (size_t n = 0; n < count; n++) {
        renew_kept(d, &news[n]);
        for (size_t i = 0; i < own->count; i++) {
            if (is_about(&own->entries[i], &news[n]))
                wake_entry(&own->entries[i], &news[n]);
        }
    }
    look_at_due(d, interval);
}

static void on_news(void *ctx)
{
    piece *p = ctx;

    dt_sessions_news(p->driver, &p->news, 1);
    free(p);
}

void dt_driver_news(dt_driver *d, dt_news const *news)
{
    piece *p = dt_driver_is_usable(d) && d->sessions != NULL ? malloc(sizeof(*p)) : NULL;

    if (p == NULL)
        return;
    *p = (piece){.driver = d, .news = *news};
    if (dt_driver_post(d, on_news, p) != DT_OK)
        free(p);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

int dt_sessions_open(dt_driver *d)
{
    struct timeval tick = {.tv_usec = DT_SESSION_TICK_MS * 1000};

    if (d->options.sessions == DT_SESSION_NO_DOOR)
        return DT_OK;
    d->sessions = calloc(1, sizeof(*d->sessions));
    if (d->sessions == NULL)
        return DT_E_NOMEM;
    d->sessions->timer = event_new(d->base, -1, EV_PERSIST, on_tick, d);
    return d->sessions->timer != NULL && event_add(d->sessions->timer, &tick) == 0 ? DT_OK
                                                                                   : DT_E_NOMEM;
}

void dt_sessions_close(dt_driver *d)
{
    if (d->sessions == NULL)
        return;
    if (d->sessions->timer != NULL)
        event_free(d->sessions->timer);
    dt_news_follower_close(&d->sessions->news);
    free(d->sessions->news_path);
    free(d->sessions->entries);
    free(d->sessions);
    d->sessions = NULL;
}
