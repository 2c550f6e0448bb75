/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a push in the store: whose it is, what became of it, and who may change it. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* The record is of this person, and of this sign-on: another one is never written. */
static int pack(dt_signon const *s, dt_push const *p, dt_buf *out)
{
    dt_buf_printf(out, "{\"v\":%d,\"state\":%d,\"number\":%d", DT_SIGNON_RECORD_VERSION,
                  (int)p->state, p->number);
    dt_buf_printf(out, ",\"at\":%lld", (long long)p->at);
    dt_record_put(out, "login", s->who.login);
    dt_record_put(out, "owner", p->owner);
    dt_record_put(out, "share", s->push_key);
    dt_record_put(out, "poll", p->poll_url);
    dt_record_put(out, "cancel", p->cancel_url);
    dt_buf_putc(out, '}');
    return dt_buf_error(out);
}

int dt_push_unpack(dt_bytes text, dt_push_record *out)
{
    dt_push *p = &out->push;
    dt_json *root = NULL;
    int64_t state = 0, number = 0;
    int rc = dt_record_parse(text, &root);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    if (!dt_record_integer(root, "state", DT_PUSH_STARTING, DT_PUSH_LOCKED, &state) ||
        !dt_record_integer(root, "at", 0, DT_TIME_NEVER - 1, &p->at) ||
        !dt_record_string(root, "share", out->share, sizeof(out->share)) ||
        !dt_record_integer(root, "number", DT_SIGNON_NUMBER_NONE, INT32_MAX, &number) ||
        !dt_record_string(root, "login", out->login, sizeof(out->login)) ||
        !dt_record_string(root, "owner", p->owner, sizeof(p->owner)) ||
        !dt_record_string(root, "poll", p->poll_url, sizeof(p->poll_url)) ||
        !dt_record_string(root, "cancel", p->cancel_url, sizeof(p->cancel_url)))
        rc = DT_E_PARSE;
    dt_json_free(&root);
    p->state = rc < 0 ? DT_PUSH_NONE : (dt_push_state)state;
    p->number = (int)number;
    return rc;
}

bool dt_signon_push_is_pending(dt_bytes record)
{
    dt_push_record r;

    return dt_push_unpack(record, &r) == DT_OK &&
           (r.push.state == DT_PUSH_STARTING || r.push.state == DT_PUSH_WAITING);
}

/* While a challenge may be answered its push may be approved, whether anybody polls or not; and a denied
 * one pauses all others. */
static dt_time push_expires(dt_signon const *s, dt_push_state state, dt_time now)
{
    dt_config const *c = s->ruleset.config;
    dt_time until = now;

    if (state == DT_PUSH_STARTING || state == DT_PUSH_WAITING)
        until = s->deadline;
    if (state == DT_PUSH_WAITING && s->conversation == DT_CONVERSATION_CHALLENGE &&
        now + c->mfa.challenge_lifetime > until)
        until = now + c->mfa.challenge_lifetime;
    if (state == DT_PUSH_REJECTED && c->mfa.push_pause > DT_SIGNON_PUSH_RESULT_KEPT)
        return now + c->mfa.push_pause;
    return until + DT_SIGNON_PUSH_RESULT_KEPT;
}

static int claim(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_push claim = {.state = DT_PUSH_STARTING, .number = DT_SIGNON_NUMBER_NONE};
    int rc = dt_signon_limit_key(s, "push");

    memcpy(claim.owner, s->id, sizeof(claim.owner));
    if (rc == DT_OK)
        rc = pack(s, &claim, b);
    return rc < 0 ? rc : dt_signon_store_value(s, b, push_expires(s, DT_PUSH_STARTING, now));
}

int dt_signon_push_claim(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_signon_store(s, DT_TABLE_PUSH, DT_STORE_PUT_IF_ABSENT);
    return claim(s, b, now);
}

int dt_signon_push_reclaim(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_signon_store(s, DT_TABLE_PUSH, DT_STORE_REPLACE);
    s->scratch->store.expected = dt_bytes_of(s->scratch->expected, s->expected_len);
    return claim(s, b, now);
}

/* The record is changed only as long as it is the one that we wrote, or joined: by now it may be that of
 * another push. A denial counts whatever is there. */
int dt_signon_push_put(dt_signon *s, dt_buf *b, dt_time now)
{
    bool denied = s->push.state == DT_PUSH_REJECTED;
    int rc;

    dt_signon_store(s, DT_TABLE_PUSH, denied ? DT_STORE_PUT : DT_STORE_REPLACE);
    s->push.at = denied ? now : 0;
    if (!denied)
        s->scratch->store.expected = dt_bytes_of(s->scratch->expected, s->expected_len);
    rc = dt_signon_limit_key(s, "push");
    if (rc == DT_OK)
        rc = pack(s, &s->push, b);
    return rc < 0 ? rc : dt_signon_store_value(s, b, push_expires(s, s->push.state, now));
}

void dt_signon_push_written(dt_signon *s)
{
    size_t len = s->scratch->store.value.len;

    s->expected_len = len <= sizeof(s->scratch->expected) ? len : 0;
    if (s->expected_len > 0)
        memcpy(s->scratch->expected, s->scratch->store.value.p, s->expected_len);
}
