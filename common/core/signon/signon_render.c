/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the step of a phase from the machine's fields, and the records it keeps in the store. */
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

#define RECORD_VERSION 1

/* --- records ---------------------------------------------------------------------------------- */

static void put_member(dt_buf *b, char const *name, char const *value)
{
    dt_buf_putc(b, ',');
    dt_json_put_string(b, name);
    dt_buf_putc(b, ':');
    dt_json_put_string(b, value);
}

int dt_push_pack(dt_push const *p, dt_buf *out)
{
    dt_buf_printf(out, "{\"v\":%d,\"state\":%d,\"number\":%d", RECORD_VERSION, (int)p->state,
                  p->number);
    dt_buf_printf(out, ",\"at\":%lld", (long long)p->at);
    put_member(out, "login", p->login);
    put_member(out, "owner", p->owner);
    put_member(out, "share", p->share);
    put_member(out, "poll", p->poll_url);
    put_member(out, "cancel", p->cancel_url);
    dt_buf_putc(out, '}');
    return dt_buf_error(out);
}

static bool take_integer(dt_json const *root, char const *name, int64_t min, int64_t max,
                         int64_t *out)
{
    return dt_json_integer(dt_json_get(root, name), out) && *out >= min && *out <= max;
}

static bool take_string(dt_json const *root, char const *name, char *dst, size_t size)
{
    char const *value = dt_json_string(dt_json_get(root, name));

    return value && dt_str_copy(dst, size, value) == DT_OK;
}

static int parse_record(dt_bytes text, dt_json **out)
{
    int64_t version;
    int rc = dt_json_parse(text, out, NULL);

    if (rc < 0)
        return rc;
    if (take_integer(*out, "v", RECORD_VERSION, RECORD_VERSION, &version))
        return DT_OK;
    dt_json_free(out);
    return DT_E_PARSE;
}

int dt_push_unpack(dt_bytes text, dt_push *out)
{
    dt_json *root = NULL;
    int64_t state = 0, number = 0;
    int rc = parse_record(text, &root);

    memset(out, 0, sizeof(*out));
    if (rc < 0)
        return rc;
    if (!take_integer(root, "state", DT_PUSH_STARTING, DT_PUSH_LOCKED, &state) ||
        !take_integer(root, "at", 0, DT_TIME_NEVER - 1, &out->at) ||
        !take_string(root, "share", out->share, sizeof(out->share)) ||
        !take_integer(root, "number", DT_SIGNON_NUMBER_NONE, INT32_MAX, &number) ||
        !take_string(root, "login", out->login, sizeof(out->login)) ||
        !take_string(root, "owner", out->owner, sizeof(out->owner)) ||
        !take_string(root, "poll", out->poll_url, sizeof(out->poll_url)) ||
        !take_string(root, "cancel", out->cancel_url, sizeof(out->cancel_url)))
        rc = DT_E_PARSE;
    dt_json_free(&root);
    out->state = rc < 0 ? DT_PUSH_NONE : (dt_push_state)state;
    out->number = (int)number;
    return rc;
}

bool dt_signon_push_is_pending(dt_bytes record)
{
    dt_push p;

    return dt_push_unpack(record, &p) == DT_OK &&
           (p.state == DT_PUSH_STARTING || p.state == DT_PUSH_WAITING);
}

static dt_freshness freshness(dt_signon const *s, dt_time at, dt_time now)
{
    dt_config const *c = s->site.config;

    if (at > now)
        return DT_TOO_OLD;
    if (now - at < c->okta.user_ttl)
        return DT_FRESH;
    return now - at < c->okta.stale_limit ? DT_STALE : DT_TOO_OLD;
}

/* A stamp that is not there is one that Okta did not tell. */
static bool take_stamp(dt_json const *root, char const *name, dt_time *out)
{
    *out = 0;
    return !dt_json_get(root, name) || take_integer(root, name, 0, DT_TIME_NEVER - 1, out);
}

dt_freshness dt_signon_user_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;
    dt_json *root = NULL;
    dt_time at, password, status;
    char id[DT_OKTA_ID_MAX];

    if (parse_record(text, &root) < 0)
        return DT_TOO_OLD;
    if (take_integer(root, "at", 0, now, &at) && take_stamp(root, "password", &password) &&
        take_stamp(root, "status", &status) && take_string(root, "id", id, sizeof(id)) && id[0])
        f = freshness(s, at, now);
    if (f != DT_TOO_OLD) {
        memcpy(s->user_id, id, sizeof(s->user_id));
        s->user_fetched = at;
        s->password_changed = password;
        s->status_changed = status;
    }
    dt_json_free(&root);
    return f;
}

/* The list of stamps goes to s->expected. */
static bool take_stamps(dt_signon *s, dt_json const *list)
{
    s->expected_len = 0;
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *stamp = dt_json_string(dt_json_at(list, i));
        size_t len = stamp ? strlen(stamp) + 1 : 0;

        if (len == 0 || len > sizeof(s->expected) - s->expected_len)
            return false;
        memcpy(s->expected + s->expected_len, stamp, len);
        s->expected_len += len;
    }
    return true;
}

dt_freshness dt_signon_factors_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;
    dt_json *root = NULL;
    dt_json const *list;
    dt_time at;

    if (parse_record(text, &root) < 0)
        return DT_TOO_OLD;
    list = dt_json_get(root, "factors");
    if (take_integer(root, "at", 0, now, &at) && dt_json_typeof(list) == DT_JSON_ARRAY &&
        take_stamps(s, list))
        f = freshness(s, at, now);
    dt_json_free(&root);
    return f;
}

int dt_signon_groups_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_json *root = NULL;
    dt_json const *list;
    int64_t at;
    bool names = false;
    int rc = parse_record(text, &root);

    if (rc < 0)
        return rc;
    list = dt_json_get(root, "okta");
    if (!take_integer(root, "at", 0, now, &at) || now - at >= s->site.config->okta.user_ttl ||
        !dt_json_bool(dt_json_get(root, "one_each"), &names) || names != dt_signon_okta_names(s) ||
        dt_json_typeof(list) != DT_JSON_ARRAY)
        rc = DT_E_PARSE;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        char const *name = dt_json_string(dt_json_at(list, i));

        if (!name || !dt_signon_add_group(s, name))
            rc = DT_E_PARSE;
    }
    if (rc < 0) {
        s->groups_len = s->told_len;
        s->group_count = s->told_count;
    } else {
        s->groups_learnt = at;
    }
    dt_json_free(&root);
    return rc;
}

int dt_signon_group_name_unpack(dt_signon const *s, dt_bytes text, dt_time now, bool *one)
{
    dt_json *root = NULL;
    int64_t at;
    int rc = parse_record(text, &root);

    if (rc < 0)
        return rc;
    if (!take_integer(root, "at", 0, now, &at) || now - at >= s->site.config->okta.user_ttl ||
        !dt_json_bool(dt_json_get(root, "one"), one))
        rc = DT_E_PARSE;
    dt_json_free(&root);
    return rc;
}

/* --- store operations ------------------------------------------------------------------------- */

static int op_begin(dt_signon *s, dt_store_table table, dt_store_verb verb)
{
    memset(&s->store, 0, sizeof(s->store));
    s->store.table = table;
    s->store.verb = verb;
    s->store.expires = DT_TIME_NEVER;
    return DT_OK;
}

static int set_key(dt_signon *s, char const *kind, char const *name)
{
    int n = snprintf(s->store.key, sizeof(s->store.key), "%s:%s", kind, name);

    return n > 0 && (size_t)n < sizeof(s->store.key) ? DT_OK : DT_E_LIMIT;
}

/* Groups are kept as far as this application's policy and the org's rules name them, so the hashes of
 * both are in the key. */
static int set_groups_key(dt_signon *s)
{
    int n = snprintf(s->store.key, sizeof(s->store.key), "okta-groups:%.16s:%.16s:%s:%s",
                     dt_policy_hash(s->site.policy), s->site.org ? dt_policy_hash(s->site.org) : "",
                     s->application, s->who.login);

    return n > 0 && (size_t)n < sizeof(s->store.key) ? DT_OK : DT_E_LIMIT;
}

/* A name may hold anything, and is one in whatever case. */
static int set_group_name_key(dt_signon *s)
{
    char name[DT_GROUP_NAME_MAX];
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];

    if (dt_signon_group_name(s) == NULL ||
        dt_str_copy(name, sizeof(name), dt_signon_group_name(s)) < 0)
        return DT_E_LIMIT;
    for (char *p = name; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    }
    if (dt_crypto_sha256(dt_bytes_str(name), digest) < 0)
        return DT_E_CRYPTO;
    dt_hex(hex, digest, sizeof(digest));
    return set_key(s, "okta-group-name", hex);
}

/* Limits are the person's, by the Okta login. Okta takes it in whatever case, so it counts in whatever
 * case. */
static int set_limit_key(dt_signon *s, char const *kind)
{
    int rc = set_key(s, kind, s->who.login);

    for (char *p = s->store.key; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    }
    return rc;
}

static int put_value(dt_signon *s, dt_buf *b, dt_time expires)
{
    s->store.value = dt_buf_bytes(b);
    s->store.expires = expires;
    return dt_buf_error(b);
}

static int put_push(dt_signon *s, dt_buf *b, dt_time expires)
{
    int rc = dt_push_pack(&s->push, b);

    return rc < 0 ? rc : put_value(s, b, expires);
}

/* While a challenge may be answered its push may be approved, whether anybody polls or not; and a denied
 * one pauses all others. */
static dt_time push_expires(dt_signon const *s, dt_push_state state, dt_time now)
{
    dt_config const *c = s->site.config;
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

static int render_claim(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_push claim = {.state = DT_PUSH_STARTING, .number = DT_SIGNON_NUMBER_NONE};

    memcpy(claim.owner, s->id, sizeof(claim.owner));
    memcpy(claim.login, s->who.login, sizeof(claim.login));
    memcpy(claim.share, s->push_key, sizeof(claim.share));
    if (s->phase == DT_PHASE_PUSH_RECLAIM)
        s->store.expected = dt_bytes_of(s->expected, s->expected_len);
    if (dt_push_pack(&claim, b) < 0)
        return DT_E_LIMIT;
    return put_value(s, b, push_expires(s, DT_PUSH_STARTING, now));
}

static int render_groups_put(dt_signon *s, dt_buf *b, dt_time now)
{
    char const *at = s->groups + s->told_len; /* Okta's alone */

    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"one_each\":%s,\"okta\":[", RECORD_VERSION,
                  (long long)now, dt_signon_okta_names(s) ? "true" : "false");
    for (size_t i = s->told_count; i < s->group_count; i++) {
        if (i > s->told_count)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, at);
        at += strlen(at) + 1;
    }
    dt_buf_puts(b, "]}");
    return put_value(s, b, now + s->site.config->okta.user_ttl);
}

static int render_group_name_put(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"one\":%s}", RECORD_VERSION, (long long)now,
                  s->named == 1 ? "true" : "false");
    return put_value(s, b, now + s->site.config->okta.user_ttl);
}

/* As long as it may be used, stale or not. */
static dt_time kept_until(dt_signon const *s, dt_time fetched)
{
    dt_config const *c = s->site.config;

    return fetched +
           (c->okta.user_ttl > c->okta.stale_limit ? c->okta.user_ttl : c->okta.stale_limit);
}

static int render_user_put(dt_signon *s, dt_buf *b)
{
    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"password\":%lld,\"status\":%lld", RECORD_VERSION,
                  (long long)s->user_fetched, (long long)s->password_changed,
                  (long long)s->status_changed);
    put_member(b, "id", s->user_id);
    dt_buf_putc(b, '}');
    return put_value(s, b, kept_until(s, s->user_fetched));
}

static int render_factors_put(dt_signon *s, dt_buf *b, dt_time now)
{
    char const *at = s->expected, *end = at + s->expected_len;

    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"factors\":[", RECORD_VERSION, (long long)now);
    for (; at < end; at += strlen(at) + 1) {
        if (at > s->expected)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, at);
    }
    dt_buf_puts(b, "]}");
    return put_value(s, b, kept_until(s, now));
}

static int render_remembered_put(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_time expires = 0;
    int rc = dt_signon_remembered_pack(s, b, now, &expires);

    return rc < 0 ? rc : put_value(s, b, expires);
}

static bool is_proved(dt_signon const *s, dt_guid const *device)
{
    for (size_t i = 0; i < s->evidence.count; i++) {
        dt_evidence const *e = &s->evidence.items[i];

        if (e->assurance == DT_PROVED && dt_guid_equal(&e->device_id, device))
            return true;
    }
    return false;
}

/* Anybody can name devices that there are not: such answers are kept for a short time only. */
static int render_intune_put(dt_signon *s, dt_buf *b)
{
    dt_config const *c = s->site.config;
    bool made_up = !s->intune.enrolled && !s->refresh_only && !is_proved(s, &s->lookup_id);
    int rc = dt_intune_pack(&s->intune, b);

    return rc < 0 ? rc
                  : put_value(s, b,
                              s->intune.fetched + (made_up ? c->device_trust.negative_ttl
                                                           : c->device_trust.stale_limit));
}

/* That there is no answer now takes the place of none that still holds. */
static dt_store_verb ocsp_put_verb(dt_signon const *s)
{
    dt_ocsp_status status = s->ocsp_answer.status;

    return status == DT_OCSP_GOOD || status == DT_OCSP_REVOKED ? DT_STORE_PUT
                                                               : DT_STORE_PUT_IF_ABSENT;
}

static int render_ocsp_put(dt_signon *s, dt_buf *b)
{
    int rc = dt_ocsp_pack(&s->ocsp_answer, b);

    return rc < 0 ? rc : put_value(s, b, s->ocsp_answer.until);
}

static int set_okta_device_key(dt_signon *s)
{
    return dt_okta_device_store_key(&s->okta_device.device_id, s->okta_device.serial, s->who.login,
                                    s->store.key);
}

static int render_okta_device_put(dt_signon *s, dt_buf *b)
{
    int rc = set_okta_device_key(s);

    if (rc == DT_OK)
        rc = dt_okta_device_pack(&s->okta_device, b);
    return rc < 0
               ? rc
               : put_value(s, b, s->okta_device.fetched + s->site.config->device_trust.stale_limit);
}

/* What names no device is looked up again soon, as every answer that lets nobody in. */
static int render_entra_put(dt_signon *s, dt_buf *b, dt_time now)
{
    dt_intune_found found = {.count = s->lookup_found};
    dt_config const *c = s->site.config;
    int rc;

    if (found.count == 1)
        found.device.device_id = s->intune.device_id;
    rc = dt_intune_found_pack(&found, b);
    return rc < 0 ? rc
                  : put_value(s, b,
                              now + (found.count == 1 ? c->device_trust.stale_limit
                                                      : c->device_trust.negative_ttl));
}

static int set_alias_key(dt_signon *s)
{
    char name[DT_VPN_NAME_MAX];

    if (!dt_vpn_claims_name(&s->vpn, s->vpn_at, name))
        return DT_E_STATE;
    dt_device_alias_key(name, s->store.key);
    return DT_OK;
}

static int render_read(dt_signon *s)
{
    switch (s->phase) {
    case DT_PHASE_SSH_GET:
        op_begin(s, DT_TABLE_DEVICE, DT_STORE_GET);
        dt_device_store_key(s->ssh.items[s->ssh_at].fingerprint, s->store.key);
        return DT_OK;
    case DT_PHASE_AGENT_KEY_GET:
        op_begin(s, DT_TABLE_DEVICE, DT_STORE_GET);
        return dt_signon_agent_store_key(s, s->store.key);
    case DT_PHASE_OKTA_DEVICE_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return set_okta_device_key(s);
    case DT_PHASE_REGISTRY_GET:
        op_begin(s, DT_TABLE_DEVICE, DT_STORE_GET);
        dt_trusted_store_key(&s->lookup_id, s->store.key);
        return DT_OK;
    case DT_PHASE_ALIAS_GET:
        op_begin(s, DT_TABLE_DEVICE, DT_STORE_GET);
        return set_alias_key(s);
    case DT_PHASE_ENTRA_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        dt_intune_name_store_key(&s->lookup_name, s->store.key);
        return DT_OK;
    case DT_PHASE_INTUNE_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        dt_intune_store_key(&s->lookup_id, s->store.key);
        return DT_OK;
    case DT_PHASE_SERVICE_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        dt_compliance_store_key(s->site.config, s->store.key);
        return DT_OK;
    case DT_PHASE_OCSP_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        dt_ocsp_store_key(&s->ocsp, s->store.key);
        return DT_OK;
    case DT_PHASE_OCSP_AWAY_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return dt_ocsp_away_key(&s->ocsp, s->store.key);
    case DT_PHASE_REMEMBERED_GET:
        op_begin(s, DT_TABLE_REMEMBERED, DT_STORE_GET);
        return dt_signon_remembered_key(s, s->store.key);
    case DT_PHASE_FACTORS_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return set_key(s, "okta-factors", s->user_id);
    case DT_PHASE_USER_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return set_key(s, "okta-user", s->who.login);
    case DT_PHASE_GROUPS_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return set_groups_key(s);
    case DT_PHASE_GROUP_NAME_GET:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_GET);
        return set_group_name_key(s);
    default: /* PUSH_JOINED_GET */
        op_begin(s, DT_TABLE_PUSH, DT_STORE_GET);
        return set_limit_key(s, "push");
    }
}

static int render_service_put(dt_signon *s, dt_buf *b, dt_time now)
{
    int rc = dt_compliance_pack(s->site.config, &s->service, b);

    op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_compliance_store_key(s->site.config, s->store.key);
    return rc < 0 ? rc : put_value(s, b, now + DT_COMPLIANCE_ADDRESS_KEPT);
}

static int render_ocsp_away_put(dt_signon *s, dt_buf *b, dt_time now)
{
    op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_buf_puts(b, "away");
    return dt_ocsp_away_key(&s->ocsp, s->store.key) < 0
               ? DT_E_CRYPTO
               : put_value(s, b, now + DT_OCSP_FAILURE_KEPT);
}

/* The record is changed only as long as it is the one that we wrote, or joined: by now it may be that of
 * another push. A denial counts whatever is there. */
static int render_push_put(dt_signon *s, dt_buf *b, dt_time now)
{
    bool denied = s->push.state == DT_PUSH_REJECTED;

    op_begin(s, DT_TABLE_PUSH, denied ? DT_STORE_PUT : DT_STORE_REPLACE);
    s->push.at = denied ? now : 0;
    if (!denied)
        s->store.expected = dt_bytes_of(s->expected, s->expected_len);
    if (set_limit_key(s, "push") < 0)
        return DT_E_LIMIT;
    return put_push(s, b, push_expires(s, s->push.state, now));
}

void dt_signon_push_written(dt_signon *s)
{
    size_t len = s->store.value.len;

    s->expected_len = len <= sizeof(s->expected) ? len : 0;
    if (s->expected_len > 0)
        memcpy(s->expected, s->store.value.p, s->expected_len);
}

static int begin_count(dt_signon *s, dt_store_table table, int64_t most, dt_time expires)
{
    int rc = op_begin(s, table, DT_STORE_COUNT);

    s->store.most = most;
    s->store.expires = expires;
    return rc;
}

/* What was typed may be a password, so the key is a digest; the driver makes a keyed one of it. */
static int begin_tried(dt_signon *s, dt_store_verb verb, dt_time now)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    char text[DT_LOGIN_MAX + DT_ANSWER_MAX];
    int n = snprintf(text, sizeof(text), "%s %s", s->passcode, s->who.login);
    int rc = n > 0 && (size_t)n < sizeof(text) ? dt_crypto_sha256(dt_bytes_str(text), digest)
                                               : DT_E_LIMIT;

    explicit_bzero(text, sizeof(text));
    op_begin(s, DT_TABLE_TRIED, verb);
    s->store.value = dt_bytes_str("1");
    s->store.expires = now + DT_SIGNON_TRIED_KEPT;
    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    return set_key(s, "tried", hex);
}

/* How often a person was asked, or has answered wrongly. */
static int render_limit(dt_signon *s, dt_time now)
{
    dt_config const *c = s->site.config;

    switch (s->phase) {
    case DT_PHASE_PUSH_COUNT:
        begin_count(s, DT_TABLE_PUSH_COUNT, c->mfa.push_limit, now + c->mfa.push_limit_window);
        return set_limit_key(s, "pushes");
    case DT_PHASE_PUSH_CONNECTION:
        begin_count(s, DT_TABLE_PUSH_COUNT, 1, now + DT_SIGNON_CONNECTION_KEPT);
        return set_key(s, "connection", s->connection);
    case DT_PHASE_PASSCODE_TRIED_GET:
        return begin_tried(s, DT_STORE_GET, now);
    case DT_PHASE_PASSCODE_TRIED_PUT:
        return begin_tried(s, DT_STORE_PUT, now);
    case DT_PHASE_PASSCODE_COUNT: /* however old: time gives no more guesses */
        begin_count(s, DT_TABLE_PUSH_COUNT, c->mfa.passcode_limit, DT_TIME_NEVER);
        return set_limit_key(s, "passcodes");
    case DT_PHASE_PASSCODE_UNCOUNT:
        op_begin(s, DT_TABLE_PUSH_COUNT, DT_STORE_UNCOUNT);
        return set_limit_key(s, "passcodes");
    case DT_PHASE_LIMITS_CLEAR:
        op_begin(s, DT_TABLE_PUSH_COUNT, DT_STORE_DELETE);
        return set_limit_key(s, "passcodes");
    case DT_PHASE_PASSWORD_COUNT:
        begin_count(s, DT_TABLE_PASSWORD_COUNT, c->primary.password_limit,
                    now + c->primary.password_limit_window);
        s->store.stranger = !s->person_exists;
        return set_limit_key(s, "passwords");
    default: /* PASSWORD_UNCOUNT */
        op_begin(s, DT_TABLE_PASSWORD_COUNT, DT_STORE_DELETE);
        return set_limit_key(s, "passwords");
    }
}

static int render_push(dt_signon *s, dt_buf *b, dt_time now)
{
    if (s->phase != DT_PHASE_PUSH_CLAIM && s->phase != DT_PHASE_PUSH_RECLAIM)
        return render_push_put(s, b, now);
    op_begin(s, DT_TABLE_PUSH,
             s->phase == DT_PHASE_PUSH_CLAIM ? DT_STORE_PUT_IF_ABSENT : DT_STORE_REPLACE);
    return set_limit_key(s, "push") < 0 ? DT_E_LIMIT : render_claim(s, b, now);
}

static int render_write(dt_signon *s, dt_time now)
{
    dt_buf b;

    dt_buf_init_fixed(&b, s->value, sizeof(s->value));
    switch (s->phase) {
    case DT_PHASE_ENTRA_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        dt_intune_name_store_key(&s->lookup_name, s->store.key);
        return render_entra_put(s, &b, now);
    case DT_PHASE_INTUNE_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        dt_intune_store_key(&s->lookup_id, s->store.key);
        return render_intune_put(s, &b);
    case DT_PHASE_SERVICE_PUT:
        return render_service_put(s, &b, now);
    case DT_PHASE_OCSP_PUT:
        op_begin(s, DT_TABLE_LOOKUP, ocsp_put_verb(s));
        dt_ocsp_store_key(&s->ocsp, s->store.key);
        return render_ocsp_put(s, &b);
    case DT_PHASE_OCSP_AWAY_PUT:
        return render_ocsp_away_put(s, &b, now);
    case DT_PHASE_OKTA_DEVICE_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        return render_okta_device_put(s, &b);
    case DT_PHASE_USER_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        return set_key(s, "okta-user", s->who.login) < 0 ? DT_E_LIMIT : render_user_put(s, &b);
    case DT_PHASE_GROUPS_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        return set_groups_key(s) < 0 ? DT_E_LIMIT : render_groups_put(s, &b, now);
    case DT_PHASE_GROUP_NAME_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        return set_group_name_key(s) < 0 ? DT_E_LIMIT : render_group_name_put(s, &b, now);
    case DT_PHASE_REMEMBERED_PUT:
        op_begin(s, DT_TABLE_REMEMBERED, DT_STORE_PUT);
        if (dt_signon_remembered_key(s, s->store.key) < 0)
            return DT_E_LIMIT;
        return render_remembered_put(s, &b, now);
    case DT_PHASE_REMEMBERED_DROP:
        op_begin(s, DT_TABLE_REMEMBERED, DT_STORE_DELETE);
        return dt_signon_remembered_key(s, s->store.key);
    case DT_PHASE_FACTORS_PUT:
        op_begin(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
        if (set_key(s, "okta-factors", s->user_id) < 0)
            return DT_E_LIMIT;
        return render_factors_put(s, &b, now);
    case DT_PHASE_PUSH_CLAIM:
    case DT_PHASE_PUSH_RECLAIM:
    case DT_PHASE_PUSH_RECORD:
    case DT_PHASE_PUSH_FINISH:
        return render_push(s, &b, now);
    default:
        return render_limit(s, now);
    }
}

/* --- HTTP ------------------------------------------------------------------------------------- */

/* The first page, or the one that the page before led to. */
static int render_page(dt_signon *s, int rc)
{
    if (rc == DT_OK && s->next_url[0])
        rc = dt_str_copy(s->http.url, sizeof(s->http.url), s->next_url);
    return rc;
}

/* What is asked of others than Okta's factors: about the device, its certificate, the person. */
static int render_lookup(dt_signon *s)
{
    dt_config const *c = s->site.config;

    switch (s->phase) {
    case DT_PHASE_INTUNE_HTTP:
        return dt_intune_get_device(c, &s->lookup_id, &s->http);
    case DT_PHASE_ENTRA_HTTP:
        return dt_intune_find_device(c, &s->lookup_name, s->next_url, &s->http);
    case DT_PHASE_SERVICE_HTTP:
        return dt_compliance_list_endpoints(c, s->next_url, &s->http);
    case DT_PHASE_COMPLIANCE_HTTP:
        return dt_compliance_get_device(c, &s->service, &s->lookup_id, &s->http);
    case DT_PHASE_OCSP_HTTP:
        return dt_ocsp_request(c, &s->ocsp, &s->http);
    case DT_PHASE_USER_HTTP:
    case DT_PHASE_PASSWORD_WHO:
        return dt_okta_get_user(c, s->who.login, &s->http);
    case DT_PHASE_GROUPS_HTTP:
        return render_page(s, dt_okta_get_groups(c, s->user_id, &s->http));
    case DT_PHASE_GROUP_NAME_HTTP:
        return dt_signon_group_name(s) == NULL
                   ? DT_E_INVALID
                   : render_page(s, dt_okta_find_groups(c, dt_signon_group_name(s), &s->http));
    case DT_PHASE_OKTA_DEVICES_HTTP:
        return render_page(s, dt_okta_get_user_devices(c, s->okta_device.user_id, &s->http));
    case DT_PHASE_OKTA_DEVICE_USERS_HTTP:
        return render_page(s, dt_okta_get_device_users(c, s->okta_device.id, &s->http));
    default: /* FACTORS */
        return dt_okta_get_factors(c, s->user_id, &s->http);
    }
}

static bool shows_number(dt_signon const *s)
{
    return s->site.config->mfa.number_challenge == DT_NUMBER_WHEN_SHOWN &&
           (s->conversation == DT_CONVERSATION_LIVE ||
            (s->conversation == DT_CONVERSATION_CHALLENGE && s->push_prompt));
}

static int render_request(dt_signon *s)
{
    dt_config const *c = s->site.config;

    switch (s->phase) {
    case DT_PHASE_PUSH_HTTP:
        return dt_okta_push(c, s->user_id, s->push_factor, shows_number(s), &s->http);
    case DT_PHASE_PASSCODE_HTTP:
        return dt_okta_passcode(c, s->user_id, s->totp_factor[s->totp_at], s->passcode, &s->http);
    case DT_PHASE_PASSWORD_HTTP:
        return dt_okta_authn_start(c, s->who.login, s->password, s->client_ip, &s->http);
    case DT_PHASE_PASSWORD_CANCEL:
        return dt_okta_authn_end(c, s->state_token, &s->http);
    case DT_PHASE_CANCEL_HTTP:
        return dt_okta_cancel(c, s->push.cancel_url, &s->http);
    case DT_PHASE_PUSH_POLL:
        return dt_okta_poll(c, s->push.poll_url, &s->http);
    default:
        return render_lookup(s);
    }
}

/* A machine that only fills the cache is nobody's: there each device, or certificate, has its turn. */
static char const *whose(dt_signon const *s)
{
    if (s->who.login[0] != '\0')
        return s->who.login;
    if (s->who.local[0] != '\0')
        return s->who.local;
    return s->phase == DT_PHASE_OCSP_HTTP ? s->ocsp.key : s->lookup_id.text;
}

static int render_http(dt_signon *s, dt_time now)
{
    dt_time left = s->deadline > now ? s->deadline - now : 0;
    int rc = render_request(s);

    s->http.nas = s->nas;
    s->http.identity = whose(s);

    if (s->phase == DT_PHASE_CANCEL_HTTP || s->phase == DT_PHASE_PASSWORD_CANCEL)
        s->http.timeout = DT_SIGNON_CANCEL_TIMEOUT;
    /* Nobody waits for an answer longer than for the person; what is cancelled, for its own time. */
    if (s->phase != DT_PHASE_CANCEL_HTTP && s->http.timeout > left + DT_SECONDS(1))
        s->http.timeout = left + DT_SECONDS(1);
    return rc;
}

static int render_http_step(dt_signon *s, dt_time now, dt_step *out)
{
    out->kind = DT_STEP_HTTP;
    out->http = &s->http;
    return render_http(s, now);
}

static int render_store_step(dt_signon *s, dt_time now, dt_step *out)
{
    out->kind = DT_STEP_STORE;
    out->store = &s->store;
    switch (s->phase) {
    case DT_PHASE_SSH_GET:
    case DT_PHASE_AGENT_KEY_GET:
    case DT_PHASE_REGISTRY_GET:
    case DT_PHASE_ALIAS_GET:
    case DT_PHASE_INTUNE_GET:
    case DT_PHASE_ENTRA_GET:
    case DT_PHASE_SERVICE_GET:
    case DT_PHASE_OCSP_GET:
    case DT_PHASE_OCSP_AWAY_GET:
    case DT_PHASE_OKTA_DEVICE_GET:
    case DT_PHASE_REMEMBERED_GET:
    case DT_PHASE_FACTORS_GET:
    case DT_PHASE_USER_GET:
    case DT_PHASE_GROUPS_GET:
    case DT_PHASE_GROUP_NAME_GET:
    case DT_PHASE_PUSH_JOINED_GET:
        return render_read(s);
    default:
        return render_write(s, now);
    }
}

bool dt_signon_render(dt_signon *s, dt_time now, dt_step *out)
{
    int rc = DT_OK;

    switch (s->phase) {
    case DT_PHASE_HOST_SIGN:
        memcpy(s->sign.nonce, s->random, sizeof(s->sign.nonce));
        out->kind = DT_STEP_SIGN;
        out->sign = &s->sign;
        break;
    case DT_PHASE_AGENT_LIST:
    case DT_PHASE_AGENT_SIGN:
        rc = dt_signon_agent_render(s, now);
        out->kind = DT_STEP_AGENT;
        out->agent = &s->agent_request;
        break;
    case DT_PHASE_MANAGED:
        out->kind = DT_STEP_MANAGED;
        out->managed = s->site.managed;
        break;
    default:
        rc = dt_phase_is_http(s->phase) ? render_http_step(s, now, out)
                                        : render_store_step(s, now, out);
        break;
    }
    if (rc < 0)
        dt_signon_detail(s, "a request could not be made: %s", dt_err_name(rc));
    return rc == DT_OK;
}
