/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of Okta's answers about a person: who a login is, the groups, the factors. */
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

void dt_record_put(dt_buf *b, char const *name, char const *value)
{
    dt_buf_putc(b, ',');
    dt_json_put_string(b, name);
    dt_buf_putc(b, ':');
    dt_json_put_string(b, value);
}

bool dt_record_integer(dt_json const *root, char const *name, int64_t min, int64_t max,
                       int64_t *out)
{
    return dt_json_integer(dt_json_get(root, name), out) && *out >= min && *out <= max;
}

bool dt_record_string(dt_json const *root, char const *name, char *dst, size_t size)
{
    char const *value = dt_json_string(dt_json_get(root, name));

    return value && dt_str_copy(dst, size, value) == DT_OK;
}

int dt_record_parse(dt_bytes text, dt_json **out)
{
    int64_t version;
    int rc = dt_json_parse(text, out, NULL);

    if (rc < 0)
        return rc;
    if (dt_record_integer(*out, "v", DT_SIGNON_RECORD_VERSION, DT_SIGNON_RECORD_VERSION, &version))
        return DT_OK;
    dt_json_free(out);
    return DT_E_PARSE;
}

static dt_freshness freshness(dt_signon const *s, dt_time at, dt_time now)
{
    dt_config const *c = s->ruleset.config;

    if (at > now)
        return DT_TOO_OLD;
    if (now - at < c->okta.user_ttl)
        return DT_FRESH;
    return now - at < c->okta.stale_limit ? DT_STALE : DT_TOO_OLD;
}

/* A missing stamp is one that Okta did not report. */
static bool take_stamp(dt_json const *root, char const *name, dt_time *out)
{
    *out = 0;
    return !dt_json_get(root, name) || dt_record_integer(root, name, 0, DT_TIME_NEVER - 1, out);
}

dt_freshness dt_signon_user_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;
    dt_json *root = NULL;
    dt_time at, password, status;
    char id[DT_OKTA_ID_MAX];

    if (dt_record_parse(text, &root) < 0)
        return DT_TOO_OLD;
    if (dt_record_integer(root, "at", 0, now, &at) && take_stamp(root, "password", &password) &&
        take_stamp(root, "status", &status) && dt_record_string(root, "id", id, sizeof(id)) &&
        id[0])
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

/* The list of stamps goes to s->scratch->expected. */
static bool take_stamps(dt_signon *s, dt_json const *list)
{
    s->expected_len = 0;
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *stamp = dt_json_string(dt_json_at(list, i));
        size_t len = stamp ? strlen(stamp) + 1 : 0;

        if (len == 0 || len > sizeof(s->scratch->expected) - s->expected_len)
            return false;
        memcpy(s->scratch->expected + s->expected_len, stamp, len);
        s->expected_len += len;
    }
    return true;
}

/* A record of an earlier version has none. */
static bool take_types(dt_signon *s, dt_json const *root)
{
    int64_t types = 0;

    if (!dt_record_integer(root, "types", 0, DT_FACTOR_ALL, &types))
        return false;
    s->person.enrolled = (unsigned)types;
    return true;
}

dt_freshness dt_signon_factors_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;
    dt_json *root = NULL;
    dt_json const *list;
    dt_time at;

    if (dt_record_parse(text, &root) < 0)
        return DT_TOO_OLD;
    list = dt_json_get(root, "factors");
    if (dt_record_integer(root, "at", 0, now, &at) && dt_json_typeof(list) == DT_JSON_ARRAY &&
        take_stamps(s, list))
        f = freshness(s, at, now);
    if (f != DT_TOO_OLD && s->person.on && !take_types(s, root))
        f = DT_TOO_OLD;
    dt_json_free(&root);
    return f;
}

int dt_signon_groups_unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_json *root = NULL;
    dt_json const *list;
    int64_t at;
    bool names = false;
    int rc = dt_record_parse(text, &root);

    if (rc < 0)
        return rc;
    list = dt_json_get(root, "okta");
    if (!dt_record_integer(root, "at", 0, now, &at) ||
        now - at >= s->ruleset.config->okta.user_ttl ||
        !dt_json_bool(dt_json_get(root, "one_each"), &names) || names != dt_signon_okta_names(s) ||
        dt_json_typeof(list) != DT_JSON_ARRAY)
        rc = DT_E_PARSE;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        char const *name = dt_json_string(dt_json_at(list, i));

        if (!name || !dt_signon_add_group(s, name))
            rc = DT_E_PARSE;
    }
    if (rc < 0) {
        s->groups_len = s->request_groups_len;
        s->group_count = s->request_group_count;
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
    int rc = dt_record_parse(text, &root);

    if (rc < 0)
        return rc;
    if (!dt_record_integer(root, "at", 0, now, &at) ||
        now - at >= s->ruleset.config->okta.user_ttl ||
        !dt_json_bool(dt_json_get(root, "one"), one))
        rc = DT_E_PARSE;
    dt_json_free(&root);
    return rc;
}

/* Groups are kept as far as this application's policy and the org's rules name them, so the hashes of
 * both are in the key. */
int dt_signon_groups_key(dt_signon *s)
{
    int n = snprintf(s->scratch->store.key, sizeof(s->scratch->store.key),
                     "okta-groups:%.16s:%.16s:%s:%s", dt_policy_hash(s->ruleset.policy),
                     s->ruleset.org ? dt_policy_hash(s->ruleset.org) : "", s->application,
                     s->who.login);

    return n > 0 && (size_t)n < sizeof(s->scratch->store.key) ? DT_OK : DT_E_LIMIT;
}

/* A name may hold anything, and is one in whatever case. */
int dt_signon_group_name_key(dt_signon *s)
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
    return dt_signon_store_key(s, "okta-group-name", hex);
}

/* As long as it may be used, stale or not. */
static dt_time kept_until(dt_signon const *s, dt_time fetched)
{
    dt_config const *c = s->ruleset.config;

    return fetched +
           (c->okta.user_ttl > c->okta.stale_limit ? c->okta.user_ttl : c->okta.stale_limit);
}

int dt_signon_groups_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires)
{
    char const *at = s->scratch->groups + s->request_groups_len; /* Okta's alone */

    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"one_each\":%s,\"okta\":[", DT_SIGNON_RECORD_VERSION,
                  (long long)now, dt_signon_okta_names(s) ? "true" : "false");
    for (size_t i = s->request_group_count; i < s->group_count; i++) {
        if (i > s->request_group_count)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, at);
        at += strlen(at) + 1;
    }
    dt_buf_puts(b, "]}");
    *expires = now + s->ruleset.config->okta.user_ttl;
    return dt_buf_error(b);
}

int dt_signon_group_name_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires)
{
    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"one\":%s}", DT_SIGNON_RECORD_VERSION, (long long)now,
                  s->named == 1 ? "true" : "false");
    *expires = now + s->ruleset.config->okta.user_ttl;
    return dt_buf_error(b);
}

int dt_signon_user_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires)
{
    (void)now;
    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"password\":%lld,\"status\":%lld",
                  DT_SIGNON_RECORD_VERSION, (long long)s->user_fetched,
                  (long long)s->password_changed, (long long)s->status_changed);
    dt_record_put(b, "id", s->user_id);
    dt_buf_putc(b, '}');
    *expires = kept_until(s, s->user_fetched);
    return dt_buf_error(b);
}

int dt_signon_factors_pack(dt_signon *s, dt_buf *b, dt_time now, dt_time *expires)
{
    char const *at = s->scratch->expected, *end = at + s->expected_len;

    dt_buf_printf(b, "{\"v\":%d,\"at\":%lld,\"types\":%u,\"factors\":[", DT_SIGNON_RECORD_VERSION,
                  (long long)now, s->person.enrolled);
    for (; at < end; at += strlen(at) + 1) {
        if (at > s->scratch->expected)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, at);
    }
    dt_buf_puts(b, "]}");
    *expires = kept_until(s, now);
    return dt_buf_error(b);
}
