/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of open sessions, as doors say that they begin, go on and end. See sessions.h. */
#include "driver/session_internal.h"

#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

typedef struct note {
    dt_driver *driver;
    dt_session_said said;
    bool let_in, nas_gone;
    dt_time limit, age, at;
    dt_session session;
    dt_buf proof; /* that the session borrows */
} note;

/* --- rows ------------------------------------------------------------------------------------------------------ */

static void perform(dt_driver *d, dt_store_op *op, char const *key, dt_buf *scratch,
                    dt_store_result *out)
{
    memset(out, 0, sizeof(*out));
    op->table = DT_TABLE_SESSION;
    if (dt_str_copy(op->key, sizeof(op->key), key) == DT_OK)
        dt_driver_store_do(d, op, scratch, out);
}

static int code_of(dt_store_result const *r)
{
    switch (r->status) {
    case DT_STORE_OK:
        return DT_OK;
    case DT_STORE_NOT_FOUND:
        return DT_E_NOT_FOUND;
    case DT_STORE_EXISTS:
        return DT_E_STATE;
    case DT_STORE_ERROR:
        break;
    }
    return DT_E_UNAVAILABLE;
}

int dt_session_row_get(dt_driver *d, char const *key, dt_buf *row, dt_session *out)
{
    dt_store_op op = {.verb = DT_STORE_GET};
    dt_store_result result;

    memset(out, 0, sizeof(*out));
    dt_buf_reset(row);
    perform(d, &op, key, row, &result);
    int rc = code_of(&result);
    return rc == DT_OK ? dt_session_unpack(result.value, out) : rc;
}

static int put(dt_driver *d, char const *key, dt_session const *s, dt_store_op *op)
{
    dt_buf value, scratch;
    dt_store_result result;

    dt_buf_init(&value, DT_SESSION_ROW_MAX);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    int rc = dt_session_pack(s, &value);
    if (rc == DT_OK) {
        op->value = dt_buf_bytes(&value);
        op->expires = s->expires;
        perform(d, op, key, &scratch, &result);
        rc = code_of(&result);
    }
    dt_buf_free(&value);
    dt_buf_free(&scratch);
    return rc;
}

int dt_session_row_replace(dt_driver *d, char const *key, dt_bytes row, dt_session const *s)
{
    dt_store_op op = {.verb = DT_STORE_REPLACE, .expected = row};

    return put(d, key, s, &op);
}

void dt_session_row_delete(dt_driver *d, char const *key)
{
    dt_store_op op = {.verb = DT_STORE_DELETE};
    dt_store_result result;
    dt_buf scratch;

    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    perform(d, &op, key, &scratch, &result);
    dt_buf_free(&scratch);
}

dt_time dt_sessions_interval(dt_driver *d)
{
    dt_live_site *live = dt_live_site_current(d);
    dt_time interval = live->config->sessions.recheck;

    dt_live_site_release(live);
    return interval;
}

static dt_time lifetime(dt_driver *d)
{
    dt_live_site *live = dt_live_site_current(d);
    dt_time t = live->config->sessions.lifetime;

    dt_live_site_release(live);
    return t;
}

void dt_sessions_say(dt_driver *d, _Atomic(int64_t) *said, char const *text)
{
    int64_t mono = dt_driver_mono(), before = atomic_load(said);

    if (before != 0 && mono - before < DT_SESSION_SAY_AGAIN)
        return;
    atomic_store(said, mono);
    if (d->options.notify != NULL)
        d->options.notify(d->options.watch_ctx, DT_NOTICE_FAULT, text);
}

static void say_not_kept(dt_driver *d)
{
    dt_sessions_say(d, &d->sessions->said_failed,
                    "a session cannot be recorded, so nobody will notice when its device or person "
                    "no longer meets its rule; see whether the store can be written");
}

/* --- one that was let in ----------------------------------------------------------------------------------------- */

/* What is known of the same session before: it began then, and its loss is over. */
static void go_on(dt_session *s, dt_session const *before)
{
    if (before->started == 0 || strcmp(before->login, s->login) != 0 ||
        strcmp(before->application, s->application) != 0)
        return;
    s->started = before->started;
    if (before->state != DT_SESSION_PENDING)
        s->state = DT_SESSION_OPEN;
    if (s->at_nas.framed_ip[0] == '\0')
        memcpy(s->at_nas.framed_ip, before->at_nas.framed_ip, sizeof(s->at_nas.framed_ip));
}

/* Under which key a session of this group of sessions (Acct-Multi-Session-Id) is, for one that has moved to another
 * access point without signing on there. */
static bool multi_key(dt_session const *s, char out[DT_STORE_KEY_MAX])
{
    dt_session group = *s;

    if (s->door != DT_SESSION_RADIUS || s->at_nas.multi_session_id[0] == '\0')
        return false;
    (void)!dt_str_copy(group.nas, sizeof(group.nas), "(several)");
    memcpy(group.at_nas.session_id, s->at_nas.multi_session_id, sizeof(group.at_nas.session_id));
    char key[DT_STORE_KEY_MAX];
    if (dt_session_key(&group, key) != DT_OK)
        return false;
    return dt_str_copy(out, DT_STORE_KEY_MAX, "multi:") == DT_OK &&
           dt_str_copy(out + 6, DT_STORE_KEY_MAX - 6, key) == DT_OK;
}

static void put_multi(dt_driver *d, dt_session const *s, char const *key)
{
    dt_store_op op = {.verb = DT_STORE_PUT, .value = dt_bytes_str(key), .expires = s->expires};
    char multi[DT_STORE_KEY_MAX];
    dt_store_result result;
    dt_buf scratch;

    if (!multi_key(s, multi))
        return;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    perform(d, &op, multi, &scratch, &result);
    dt_buf_free(&scratch);
}

static void keep_let_in(note *n)
{
    dt_driver *d = n->driver;
    dt_session *s = &n->session, before;
    dt_store_op op = {.verb = DT_STORE_PUT};
    char key[DT_STORE_KEY_MAX];
    dt_buf row;

    if (dt_session_key(s, key) != DT_OK) {
        say_not_kept(d);
        return;
    }
    s->started = s->seen = n->at;
    s->state = s->state == DT_SESSION_NONE ? DT_SESSION_PENDING : s->state;
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    if (dt_session_row_get(d, key, &row, &before) == DT_OK)
        go_on(s, &before);
    s->limit = n->limit > 0 ? n->at + n->limit : 0;
    s->expires = s->limit > 0 ? s->limit + DT_SESSION_EARLY_STOP : n->at + lifetime(d);
    (void)!dt_str_copy(s->node, sizeof(s->node), d->host);
    if (put(d, key, s, &op) == DT_OK) {
        put_multi(d, s, key);
        atomic_store(&d->sessions->changed, true);
    } else {
        say_not_kept(d);
    }
    dt_buf_free(&row);
}

/* --- what accounting says ---------------------------------------------------------------------------------------- */

/* Where a NAS asks without an Acct-Session-Id, the row is under station and person until accounting names it. One that
 * was let in after the session of this packet began is another session. */
static bool find_by_station(note const *n, char key[DT_STORE_KEY_MAX], dt_buf *row, dt_session *out)
{
    return dt_session_key_by_station(&n->session, key) == DT_OK &&
           dt_session_row_get(n->driver, key, row, out) == DT_OK &&
           out->started <= n->at - n->age + DT_SESSION_EARLY_STOP;
}

static bool find_by_multi(note const *n, char key[DT_STORE_KEY_MAX], dt_buf *row, dt_session *out)
{
    dt_store_op op = {.verb = DT_STORE_GET};
    char multi[DT_STORE_KEY_MAX];
    dt_store_result result;

    if (!multi_key(&n->session, multi))
        return false;
    dt_buf_reset(row);
    perform(n->driver, &op, multi, row, &result);
    if (result.status != DT_STORE_OK ||
        dt_str_copy_bytes(key, DT_STORE_KEY_MAX, result.value) != DT_OK ||
        !dt_session_is_key(key) || dt_session_row_get(n->driver, key, row, out) != DT_OK)
        return false;
    return strcmp(out->station, n->session.station) == 0; /* else somebody else's */
}

static bool find(note const *n, char key[DT_STORE_KEY_MAX], dt_buf *row, dt_session *out)
{
    if (dt_session_key(&n->session, key) == DT_OK &&
        dt_session_row_get(n->driver, key, row, out) == DT_OK)
        return true;
    if (n->session.door != DT_SESSION_RADIUS)
        return false;
    return find_by_station(n, key, row, out) ||
           (n->said != DT_SESSION_SAID_STOP && find_by_multi(n, key, row, out));
}

static void take_text(char *dst, char const *src, size_t size)
{
    if (src[0] != '\0')
        memcpy(dst, src, size);
}

/* What the NAS says now is what it will know the session by. */
static void take_names(dt_session *s, dt_session const *said)
{
    dt_nas_session *to = &s->at_nas;
    dt_nas_session const *from = &said->at_nas;
#define TAKE(field) take_text(to->field, from->field, sizeof(to->field))
    TAKE(source);
    TAKE(ip_address);
    TAKE(ipv6_address);
    TAKE(identifier);
    TAKE(user_name);
    TAKE(session_id);
    TAKE(multi_session_id);
    TAKE(station);
    TAKE(chargeable_id);
    TAKE(port);
    TAKE(port_id);
    TAKE(framed_ip);
#undef TAKE
    memcpy(s->nas, said->nas, sizeof(s->nas));
}

static void note_alive(note const *n, char const *key, dt_session *s)
{
    dt_driver *d = n->driver;
    char own[DT_STORE_KEY_MAX];
    dt_store_op op = {.verb = DT_STORE_PUT};

    if (s->door == DT_SESSION_RADIUS)
        take_names(s, &n->session);
    if (s->state == DT_SESSION_PENDING)
        s->state = DT_SESSION_OPEN;
    s->seen = n->at;
    if (s->limit == 0)
        s->expires = n->at + lifetime(d);
    (void)!dt_str_copy(s->node, sizeof(s->node), d->host);
    if (dt_session_key(s, own) != DT_OK || put(d, own, s, &op) != DT_OK) {
        say_not_kept(d);
        return;
    }
    put_multi(d, s, own);
    if (strcmp(own, key) != 0) {
        dt_session_row_delete(d, key);
        atomic_store(&d->sessions->changed, true);
    }
}

static void keep_said(note *n)
{
    char key[DT_STORE_KEY_MAX];
    dt_session s;
    dt_buf row;

    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    if (find(n, key, &row, &s)) {
        if (n->said == DT_SESSION_SAID_STOP)
            dt_session_row_delete(n->driver, key);
        else
            note_alive(n, key, &s);
    }
    dt_buf_free(&row);
}

/* --- a NAS that begins anew -------------------------------------------------------------------------------------- */

static int drop_if_of_nas(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    note const *n = ctx;
    dt_session s;

    (void)expires;
    if (dt_session_is_key(key) && dt_session_unpack(value, &s) == DT_OK &&
        s.door == DT_SESSION_RADIUS && strcmp(s.nas, n->session.nas) == 0)
        dt_session_row_delete(n->driver, key);
    return DT_OK;
}

static void drop_of_nas(note *n)
{
    dt_store *store = atomic_load(&n->driver->store);
    dt_error e = {0};

    if (store == NULL || dt_store_each(store, DT_TABLE_SESSION, n->at, drop_if_of_nas, n, &e) < 0)
        say_not_kept(n->driver);
}

/* --- from any thread --------------------------------------------------------------------------------------------- */

static void note_free(note *n)
{
    dt_buf_free(&n->proof);
    free(n);
}

static void write_note(note *n)
{
    if (n->nas_gone)
        drop_of_nas(n);
    else if (n->let_in)
        keep_let_in(n);
    else
        keep_said(n);
    note_free(n);
}

static void on_note(void *ctx)
{
    note *n = ctx;

    atomic_fetch_sub(&n->driver->sessions->notes, 1);
    write_note(n);
}

static bool take_bytes(dt_buf *proof, size_t *at, dt_bytes *b)
{
    *at = proof->len;
    dt_buf_put(proof, b->p, b->len);
    return dt_buf_error(proof) == DT_OK;
}

/* A session of its own: what it borrows belongs to whoever called. */
static bool own_proof(note *n)
{
    dt_session *s = &n->session;
    dt_bytes *parts[DT_CHAIN_MAX + 2] = {&s->certificate, &s->ssh_auth_info};
    size_t at[DT_CHAIN_MAX + 2], count = 2;

    dt_buf_init(&n->proof, 2 * DT_SESSION_PROOF_MAX);
    for (size_t i = 0; i < s->chain_count && i < DT_CHAIN_MAX; i++)
        parts[count++] = &s->chain[i];
    for (size_t i = 0; i < count; i++) {
        if (!take_bytes(&n->proof, &at[i], parts[i]))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        *parts[i] = dt_bytes_of(parts[i]->len > 0 ? n->proof.p + at[i] : NULL, parts[i]->len);
    return true;
}

/* Where the loop cannot keep up, whoever brings more writes it: sign-ons then wait for the store, and none is lost. */
static void post(dt_driver *d, note const *n)
{
    note *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        return;
    *copy = *n;
    copy->driver = d;
    copy->at = dt_host_now();
    if (!own_proof(copy)) {
        note_free(copy);
        say_not_kept(d);
        return;
    }
    if (atomic_fetch_add(&d->sessions->notes, 1) < DT_SESSION_NOTES_MAX &&
        dt_driver_post(d, on_note, copy) == DT_OK)
        return;
    atomic_fetch_sub(&d->sessions->notes, 1);
    write_note(copy);
}

/* --- what was written a moment ago --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x, void const *p, size_t len)
{
    uint8_t const *at = p;

    for (size_t i = 0; i < len; i++)
        x = (x ^ at[i]) * UINT64_C(0x100000001b3);
    return x * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t mix_text(uint64_t x, char const *text)
{
    return mix(x, text, strlen(text) + 1);
}

/* Of all that the row says but its times. */
static uint64_t digest_of(dt_session const *s, uint64_t ends)
{
    char const *const texts[] = {s->nas,
                                 s->station,
                                 s->user,
                                 s->login,
                                 s->application,
                                 s->rule,
                                 s->device_id.text,
                                 s->key_id,
                                 s->client_ip,
                                 s->at_nas.session_id,
                                 s->at_nas.multi_session_id,
                                 s->at_nas.user_name,
                                 s->at_nas.port,
                                 s->at_nas.framed_ip};
    uint64_t x = UINT64_C(0xcbf29ce484222325) ^ ends;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        x = mix_text(x, texts[i]);
    x = mix(x, &s->cause, sizeof(s->cause));
    x = mix(x, &s->factor, sizeof(s->factor));
    return mix(x, s->certificate.p, s->certificate.len);
}

/* Gateways that sign on again and again with the same facts cost a look into memory. Once a session is said to end,
 * nothing of before counts. */
static bool was_just_written(dt_driver *d, dt_session const *s)
{
    dt_sessions *own = d->sessions;
    uint64_t x = digest_of(s, atomic_load(&own->ends));
    size_t slot = (x ^ (x >> 29)) % DT_SESSION_WRITTEN_SLOTS;
    int64_t mono = dt_driver_mono();

    if (atomic_load(&own->written[slot]) == x &&
        mono - atomic_load(&own->written_at[slot]) < DT_SESSION_WRITTEN_KEPT)
        return true;
    atomic_store(&own->written_at[slot], mono);
    atomic_store(&own->written[slot], x);
    return false;
}

static bool is_on(dt_driver *d)
{
    return dt_driver_is_usable(d) && d->sessions != NULL && dt_sessions_interval(d) > 0;
}

void dt_sessions_let_in(dt_driver *d, dt_session const *s, dt_time limit)
{
    /* The rule of a break-glass account is not a rule of a policy. */
    if (is_on(d) && s->cause != DT_CAUSE_BREAK_GLASS &&
        (s->door != DT_SESSION_RADIUS || !was_just_written(d, s)))
        post(d, &(note){.let_in = true, .limit = limit, .session = *s});
}

void dt_sessions_note(dt_driver *d, dt_session_said said, dt_session const *s, dt_time age)
{
    if (!is_on(d) || said == DT_SESSION_SAID_NOTHING)
        return;
    if (said == DT_SESSION_SAID_STOP)
        atomic_fetch_add(&d->sessions->ends, 1);
    post(d, &(note){.said = said, .age = age, .session = *s});
}

void dt_sessions_nas_gone(dt_driver *d, char const *nas)
{
    note n = {.nas_gone = true};

    if (is_on(d))
        atomic_fetch_add(&d->sessions->ends, 1);
    if (is_on(d) && dt_str_copy(n.session.nas, sizeof(n.session.nas), nas) == DT_OK)
        post(d, &n);
}
