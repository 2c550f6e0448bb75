/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCSP without its encodings: which URLs are asked, what a reply of HTTP means, how long an answer is
 * used, and the row that the cache keeps of it. The row is read at every sign-on of a trusted device,
 * so it is a plain line of fields. Version 1:
 *
 *   dt-ocsp 1 STATUS THIS_UPDATE NEXT_UPDATE FETCHED UNTIL\n */
#include "core/device/ocsp.h"

#include "core/base/crypto.h"
#include "core/base/record_text.h"
#include "core/base/url.h"
#include "core/device/x509.h"

#include <stdio.h>
#include <string.h>

#define RECORD_PREFIX "dt-ocsp 1 "
#define KEY_PREFIX "ocsp:"
#define FAILURE_PREFIX "ocsp-failure:"
#define AGEING_PERCENT 80 /* of the time that an answer may be used */
#define HTTP_OK 200
#define HTTP_RATE_LIMITED 429
/* 9999-12-31T23:59:59Z: no time is later, and no sum of two overflows. */
#define TIME_MAX 253402300799999

char const *dt_ocsp_status_name(dt_ocsp_status s)
{
    switch (s) {
    case DT_OCSP_GOOD:
        return "good";
    case DT_OCSP_REVOKED:
        return "revoked";
    case DT_OCSP_UNKNOWN:
        return "unknown";
    case DT_OCSP_NO_ANSWER:
        break;
    }
    return "no answer";
}

dt_reason dt_ocsp_reason(dt_ocsp_question const *q, dt_ocsp_status s)
{
    return s == DT_OCSP_GOOD      ? DT_REASON_TRUSTED
           : s == DT_OCSP_REVOKED ? DT_REASON_CERTIFICATE_REVOKED
                                  : q->otherwise;
}

bool dt_ocsp_url_is_usable(char const *url)
{
    dt_url parts;

    return url != NULL && strlen(url) < DT_OCSP_URL_MAX && dt_url_parse_http(url, &parts) == DT_OK;
}

/* --- how long ----------------------------------------------------------------------------------- */

static dt_time sooner(dt_time a, dt_time b)
{
    return a < b ? a : b;
}

dt_ocsp_limits dt_ocsp_limits_of(dt_config const *c)
{
    return (dt_ocsp_limits){.longest = c->device_trust.ocsp_cache_max,
                            .max_age = c->device_trust.ocsp_max_age};
}

/* A revocation does not become untrue with age. */
static dt_time limit_of(dt_ocsp_answer const *a, dt_ocsp_limits limits)
{
    dt_time end = a->fetched + sooner(limits.longest, DT_OCSP_KEPT_MAX);

    return a->status == DT_OCSP_GOOD ? sooner(end, a->this_update + limits.max_age + DT_OCSP_SKEW)
                                     : end;
}

void dt_ocsp_keep(dt_ocsp_answer *a, dt_ocsp_limits limits)
{
    if (a->status != DT_OCSP_GOOD && a->status != DT_OCSP_REVOKED)
        a->until = a->fetched + DT_OCSP_FAILURE_KEPT;
    else if (a->next_update > 0)
        a->until = sooner(a->next_update + DT_OCSP_SKEW, limit_of(a, limits));
    else
        a->until = sooner(a->fetched + DT_OCSP_SHORT, limit_of(a, limits));
}

/* The end by what is configured now, which may have been shortened since. */
static dt_time end_of(dt_ocsp_answer const *a, dt_ocsp_limits limits)
{
    if (a->status != DT_OCSP_GOOD && a->status != DT_OCSP_REVOKED)
        return a->until;
    return sooner(a->until, limit_of(a, limits));
}

bool dt_ocsp_is_usable(dt_ocsp_answer const *a, dt_ocsp_limits limits, dt_time now)
{
    return now >= a->fetched && now < end_of(a, limits);
}

bool dt_ocsp_is_ageing(dt_ocsp_answer const *a, dt_ocsp_limits limits, dt_time now)
{
    dt_time whole = end_of(a, limits) - a->fetched;

    return a->status == DT_OCSP_GOOD && now >= a->fetched + whole / 100 * AGEING_PERCENT;
}

/* --- the row ------------------------------------------------------------------------------------ */

void dt_ocsp_store_key(dt_ocsp_question const *q, char out[DT_STORE_KEY_MAX])
{
    snprintf(out, DT_STORE_KEY_MAX, KEY_PREFIX "%s", q->key);
}

int dt_ocsp_failure_key(dt_ocsp_question const *q, char out[DT_STORE_KEY_MAX])
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    int rc = dt_crypto_sha256(dt_bytes_str(q->url), digest);

    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    snprintf(out, DT_STORE_KEY_MAX, FAILURE_PREFIX "%s", hex);
    return DT_OK;
}

static bool is_time(dt_time t)
{
    return t >= 0 && t <= TIME_MAX;
}

/* Holds for everything that dt_ocsp_keep made; asked in both directions. */
static bool makes_sense(dt_ocsp_answer const *a)
{
    bool answered = a->status == DT_OCSP_GOOD || a->status == DT_OCSP_REVOKED;

    if (a->status < DT_OCSP_NO_ANSWER || a->status > DT_OCSP_GOOD || !is_time(a->this_update) ||
        !is_time(a->next_update) || !is_time(a->fetched) || !is_time(a->until))
        return false;
    if (answered && a->this_update == 0)
        return false;
    return a->fetched > 0 && a->until - a->fetched <= DT_OCSP_KEPT_MAX;
}

int dt_ocsp_pack(dt_ocsp_answer const *a, dt_buf *out)
{
    int64_t const numbers[] = {a->status, a->this_update, a->next_update, a->fetched, a->until};
    size_t const count = sizeof(numbers) / sizeof(numbers[0]);

    if (!makes_sense(a))
        return DT_E_INVALID;
    dt_buf_puts(out, RECORD_PREFIX);
    for (size_t i = 0; i < count; i++) {
        dt_buf_put_int(out, numbers[i]);
        dt_buf_putc(out, i + 1 < count ? ' ' : '\n');
    }
    return dt_buf_error(out);
}

static bool unpack(dt_bytes text, dt_ocsp_answer *a)
{
    size_t n = sizeof(RECORD_PREFIX) - 1;
    int64_t status = 0;

    if (text.len > DT_OCSP_RECORD_MAX || text.len < n || memcmp(text.p, RECORD_PREFIX, n) != 0)
        return false;
    text = dt_bytes_of(text.p + n, text.len - n);
    if (!dt_record_take_number(&text, ' ', DT_OCSP_GOOD, &status) ||
        !dt_record_take_number(&text, ' ', TIME_MAX, &a->this_update) ||
        !dt_record_take_number(&text, ' ', TIME_MAX, &a->next_update) ||
        !dt_record_take_number(&text, ' ', TIME_MAX, &a->fetched) ||
        !dt_record_take_number(&text, '\n', TIME_MAX, &a->until))
        return false;
    a->status = (dt_ocsp_status)status;
    return text.len == 0 && makes_sense(a);
}

int dt_ocsp_unpack(dt_bytes record, dt_ocsp_answer *out)
{
    *out = (dt_ocsp_answer){0};
    if (unpack(record, out))
        return DT_OK;
    *out = (dt_ocsp_answer){0};
    return DT_E_PARSE;
}

/* --- HTTP --------------------------------------------------------------------------------------- */

int dt_ocsp_request(dt_config const *c, dt_ocsp_question const *q, dt_http_request *out)
{
    dt_buf body;
    int rc;

    memset(out, 0, sizeof(*out));
    if (!q->open || !dt_ocsp_url_is_usable(q->url))
        return DT_E_STATE;
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    rc = dt_x509_ocsp_request(q, &body);
    if (rc == DT_OK)
        rc = dt_str_copy(out->url, sizeof(out->url), q->url);
    out->body_len = body.len;
    out->service = DT_HTTP_OCSP;
    out->method = DT_HTTP_POST;
    out->timeout = c->device_trust.ocsp_timeout;
    return rc;
}

static dt_ocsp_reply fail(dt_ocsp_reply what, dt_ocsp_question const *q, char const *why,
                          dt_error *e)
{
    char url[DT_OCSP_URL_MAX];

    (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s: %s", dt_str_escape(url, sizeof(url), q->url), why);
    return what;
}

dt_ocsp_reply dt_ocsp_read(dt_config const *c, dt_trust_store const *anchors,
                           dt_ocsp_question const *q, dt_http_response const *r, dt_time now,
                           dt_ocsp_answer *out, dt_error *e)
{
    char text[64];
    dt_error why = {0};

    *out = (dt_ocsp_answer){0};
    if (r->failure != DT_HTTP_OK) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s", r->error);
        return dt_http_is_unavailable(r->failure, 0) ? DT_OCSP_REPLY_UNREACHABLE
               : dt_http_is_local(r->failure)        ? DT_OCSP_REPLY_LOCAL
                                                     : DT_OCSP_REPLY_UNUSABLE;
    }
    if (r->status != HTTP_OK) {
        snprintf(text, sizeof(text), "HTTP status %d instead of an answer", r->status);
        return fail(dt_http_is_unavailable(r->failure, r->status) || r->status == HTTP_RATE_LIMITED
                        ? DT_OCSP_REPLY_UNREACHABLE
                        : DT_OCSP_REPLY_UNUSABLE,
                    q, text, e);
    }
    if (dt_x509_ocsp_read(anchors, q, r->body, now, out, &why) < 0) {
        *out = (dt_ocsp_answer){0};
        return fail(DT_OCSP_REPLY_UNUSABLE, q, why.text, e);
    }
    out->fetched = now;
    dt_ocsp_keep(out, dt_ocsp_limits_of(c));
    return DT_OCSP_REPLY_ANSWER;
}
