/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Remembered MFA as JSON text under a key that is a digest of all it is bound to. */
#include "core/signon/remembered.h"

#include "core/base/crypto.h"
#include "core/base/json.h"
#include "core/policy/network.h"

#include <stdio.h>
#include <string.h>

#define RECORD_VERSION 2
#define KEY_TEXT_MAX 2048

char *dt_factor_stamp(char dst[DT_FACTOR_STAMP_MAX], char const *id, dt_time created)
{
    snprintf(dst, DT_FACTOR_STAMP_MAX, "%.*s:%lld", DT_OKTA_ID_MAX - 1, id, (long long)created);
    return dst;
}

/* --- the key ---------------------------------------------------------------------------------- */

/* Lengths go in front, so that no name can be read as the end of one and the start of another. */
static void put_part(dt_buf *b, char kind, char const *value)
{
    dt_buf_putc(b, kind);
    dt_buf_put_int(b, (int64_t)strlen(value));
    dt_buf_putc(b, ':');
    dt_buf_puts(b, value);
}

/* An address has many spellings. */
static bool put_address(dt_buf *b, char const *text)
{
    char hex[2 * sizeof(((dt_ip *)0)->octets) + 1];
    dt_ip ip;

    if (dt_ip_parse(text, &ip) < 0 || !dt_ip_is_of_a_host(&ip))
        return false;
    dt_hex(hex, ip.octets, sizeof(ip.octets));
    put_part(b, 'i', hex);
    return true;
}

/* False when it is bound to something that is not known, or to nothing at all. */
static bool put_binding(dt_buf *b, dt_remembered const *r)
{
    if (r->key_id[0]) {
        put_part(b, 'k', r->key_id);
        return r->by == 0;
    }
    if (r->by == 0 || (r->by & ~(unsigned)DT_REMEMBER_BY_ALL) != 0)
        return false;
    if (r->by & DT_REMEMBER_BY_USER)
        put_part(b, 'u', "");
    if ((r->by & DT_REMEMBER_BY_CLIENT_IP) && !put_address(b, r->client_ip))
        return false;
    if ((r->by & DT_REMEMBER_BY_STATION) && !r->station[0])
        return false;
    if (r->by & DT_REMEMBER_BY_STATION)
        put_part(b, 's', r->station);
    return true;
}

int dt_remembered_key(dt_remembered const *r, char out[DT_STORE_KEY_MAX])
{
    char text[KEY_TEXT_MAX], hex[2 * DT_SHA256_LEN + 1];
    uint8_t digest[DT_SHA256_LEN];
    dt_buf b;
    int rc;

    out[0] = '\0';
    dt_buf_init_fixed(&b, text, sizeof(text));
    put_part(&b, 'l', r->login);
    put_part(&b, r->group[0] ? 'g' : 'a', r->group[0] ? r->group : r->application);
    if (!r->login[0] || !r->application[0] || !put_binding(&b, r))
        return DT_E_INVALID;
    put_part(&b, 'n', r->session);
    rc = dt_buf_error(&b);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), digest);
    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    snprintf(out, DT_STORE_KEY_MAX, "mfa:%s", hex);
    return DT_OK;
}

/* --- the record ------------------------------------------------------------------------------- */

typedef struct text_member {
    char const *name;
    size_t offset, size;
} text_member;

typedef struct number_member {
    char const *name;
    size_t offset;
    int64_t min, max;
} number_member;

#define TEXT(name, field)                                                                          \
    {                                                                                              \
        name, offsetof(dt_remembered, field), sizeof(((dt_remembered *)0)->field)                  \
    }
static text_member const texts[] = {
    TEXT("login", login),     TEXT("application", application),
    TEXT("group", group),     TEXT("key", key_id),
    TEXT("ip", client_ip),    TEXT("station", station),
    TEXT("session", session), TEXT("device", device_id),
    TEXT("user", user_id),    TEXT("enrolment", factor_stamp),
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static number_member const times[] = {
    {"at", offsetof(dt_remembered, at), 1, DT_TIME_NEVER - 1},
    {"password", offsetof(dt_remembered, password_changed), 0, DT_TIME_NEVER - 1},
    {"status", offsetof(dt_remembered, status_changed), 0, DT_TIME_NEVER - 1},
    {"lifetime", offsetof(dt_remembered, lifetime), 0, DT_TIME_NEVER},
};
#define TIMES (sizeof(times) / sizeof(times[0]))

int dt_remembered_pack(dt_remembered const *r, dt_buf *out)
{
    dt_buf_printf(out, "{\"v\":%d,\"factor\":%d,\"by\":%u", RECORD_VERSION, (int)r->factor, r->by);
    for (size_t i = 0; i < TIMES; i++) {
        dt_time t;

        memcpy(&t, (char const *)r + times[i].offset, sizeof(t));
        dt_buf_printf(out, ",\"%s\":%lld", times[i].name, (long long)t);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        dt_buf_printf(out, ",\"%s\":", texts[i].name);
        dt_json_put_string(out, (char const *)r + texts[i].offset);
    }
    dt_buf_putc(out, '}');
    return dt_buf_error(out);
}

static bool take_number(dt_json const *root, char const *name, int64_t min, int64_t max,
                        int64_t *out)
{
    return dt_json_integer(dt_json_get(root, name), out) && *out >= min && *out <= max;
}

static bool take_texts(dt_json const *root, dt_remembered *out)
{
    for (size_t i = 0; i < TEXTS; i++) {
        char const *value = dt_json_string(dt_json_get(root, texts[i].name));

        if (!value || dt_str_copy((char *)out + texts[i].offset, texts[i].size, value) < 0)
            return false;
    }
    return true;
}

static bool take_times(dt_json const *root, dt_remembered *out)
{
    for (size_t i = 0; i < TIMES; i++) {
        number_member const *m = &times[i];
        dt_time t;

        if (!take_number(root, m->name, m->min, m->max, &t))
            return false;
        memcpy((char *)out + m->offset, &t, sizeof(t));
    }
    return true;
}

static bool is_one_factor(int64_t factor)
{
    return factor > 0 && dt_factor_name((dt_factor_type)factor) != NULL;
}

static bool take_record(dt_json const *root, dt_remembered *out)
{
    int64_t version, factor, by;

    if (!take_number(root, "v", RECORD_VERSION, RECORD_VERSION, &version) ||
        !take_number(root, "factor", 1, DT_FACTOR_ALL, &factor) || !is_one_factor(factor) ||
        !take_number(root, "by", 0, DT_REMEMBER_BY_ALL, &by) || !take_times(root, out) ||
        !take_texts(root, out))
        return false;
    out->factor = (dt_factor_type)factor;
    out->by = (unsigned)by;
    return out->user_id[0] && out->factor_stamp[0];
}

int dt_remembered_unpack(dt_bytes text, dt_remembered *out)
{
    dt_json *root = NULL;
    int rc = text.len > DT_REMEMBERED_RECORD_MAX ? DT_E_PARSE : dt_json_parse(text, &root, NULL);

    memset(out, 0, sizeof(*out));
    if (rc == DT_OK && !take_record(root, out))
        rc = DT_E_PARSE;
    if (rc < 0)
        memset(out, 0, sizeof(*out));
    dt_json_free(&root);
    return rc;
}

/* --- judging ---------------------------------------------------------------------------------- */

bool dt_remembered_is_good(dt_remembered const *r, dt_decision const *d, unsigned factors,
                           dt_time now)
{
    bool per_session = d->frequency == DT_FREQUENCY_ONCE_PER_SESSION;
    dt_time lifetime = per_session ? DT_SESSION_MFA_MAX : d->lifetime;

    if (d->access != DT_ACCESS_ALLOW_AFTER_MFA || d->cause != DT_DECISION_RULE)
        return false;
    if ((r->factor & factors) == 0 || per_session != (r->session[0] != '\0'))
        return false;
    return r->at > 0 && r->at <= now && now - r->at < lifetime;
}

dt_time dt_remembered_expiry(dt_remembered const *r)
{
    dt_time kept = r->lifetime;

    if (r->session[0])
        kept = DT_SESSION_MFA_MAX;
    else if (kept < DT_REMEMBERED_KEPT)
        kept = DT_REMEMBERED_KEPT;
    return kept >= DT_TIME_NEVER - r->at ? DT_TIME_NEVER : r->at + kept;
}
