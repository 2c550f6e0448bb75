/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta's replies, any bytes under any status. The first bytes choose the failure, the status and the
 * rate limit's headers; a "\n" ends the next link; the rest is the body. */
#include "core/okta/okta.h"
#include "core/base/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static char org_url[] = "https://example.okta.com";
static dt_config const config = {.okta = {.org_url = org_url, .timeout = DT_SECONDS(10)}};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_error(dt_error const *e)
{
    for (char const *c = e->text; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_id(char const *id)
{
    dt_http_request q;
    require(dt_okta_get_factors(&config, id, &q) == 0);
}

static bool holds(dt_bytes body, char const *word)
{
    return body.len > 0 && memmem(body.p, body.len, word, strlen(word)) != NULL;
}

static void check_user(dt_http_response const *r)
{
    dt_okta_user u;
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_user(r, &u, &e);
    check_error(&e);
    if (a == DT_OKTA_OK)
        check_id(u.id);
    else
        require(!u.active && u.id[0] == '\0');
    if (u.active)
        require(r->failure == DT_HTTP_OK && r->status == 200 && holds(r->body, "\"status\""));
}

static bool wants_all(void const *ctx, char const *group)
{
    (void)ctx;
    return group[0] != '\0';
}

static dt_okta_group_filter const by_name = {.wants = wants_all, .names = true};

static void check_groups(dt_http_response const *r)
{
    char next[DT_URL_MAX];
    dt_error e = {0};
    dt_http_request q;
    dt_buf names;
    dt_buf_init(&names, 16 * 1024);
    dt_okta_answer a = dt_okta_read_groups(&config, r, &by_name, &names, next, &e);
    check_error(&e);
    require(a == DT_OKTA_OK || (names.len == 0 && next[0] == '\0'));
    require(names.len == 0 || names.p[names.len - 1] == '\0');
    require(next[0] == '\0' || dt_okta_poll(&config, next, &q) == 0);
    require(next[0] == '\0' || strncmp(next, "https://", 8) == 0);
    dt_buf_free(&names);
}

static void check_factors(dt_http_response const *r)
{
    dt_okta_factors f;
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_factors(r, &f, &e);
    check_error(&e);
    require(f.count <= DT_OKTA_FACTORS_MAX && (a == DT_OKTA_OK || f.count == 0));
    for (size_t i = 0; i < f.count; i++)
        check_id(f.items[i].id);
}

/* The two ways to write the one word, as far as a search finds them: plain, or with escapes. */
static bool holds_success(dt_bytes body)
{
    return holds(body, "SUCCESS") || holds(body, "\\u00");
}

static void check_link(char const *link)
{
    dt_url url;
    require(link[0] == '\0' || dt_okta_link_is_ours(&config, link));
    require(link[0] == '\0' || (dt_url_parse(link, &url) == 0 && url.port == 443 &&
                                url.host.len == strlen("example.okta.com")));
}

static void check_verification(dt_http_response const *r)
{
    dt_okta_verification v;
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_verification(&config, r, &v, &e);
    check_error(&e);
    check_link(v.poll_url);
    check_link(v.cancel_url);
    require(v.number >= -1 && v.number <= DT_OKTA_NUMBER_MAX);
    if (v.result == DT_OKTA_RESULT_SUCCESS)
        require(a == DT_OKTA_OK && r->failure == DT_HTTP_OK && r->status == 200 &&
                holds(r->body, "factorResult") && holds_success(r->body));
    if (a != DT_OKTA_OK)
        require(v.result == DT_OKTA_RESULT_NONE && v.poll_url[0] == '\0' && v.number == -1);
}

/* A password is right by a 200 with one of the words about the very person, and by nothing else. */
static void check_authn(dt_http_response const *r)
{
    dt_okta_authn authn;
    dt_error e = {0};
    dt_http_request q;
    dt_okta_answer a = dt_okta_read_authn(r, "ann@example.com", &authn, &e);
    bool right = authn.result == DT_OKTA_PASSWORD_VERIFIED || authn.result == DT_OKTA_PASSWORD_MFA;
    check_error(&e);
    require(a == DT_OKTA_OK ||
            (authn.result == DT_OKTA_PASSWORD_NONE && authn.state_token[0] == '\0'));
    if (right)
        require(r->failure == DT_HTTP_OK && r->status == 200 && holds(r->body, "profile") &&
                holds(r->body, "login"));
    if (authn.result == DT_OKTA_PASSWORD_VERIFIED)
        require(holds_success(r->body));
    if (authn.state_token[0] != '\0')
        require(dt_okta_authn_end(&config, authn.state_token, &q) == 0 && q.body_len > 0);
}

static void check_waits(dt_http_response const *r, dt_time interval)
{
    dt_time wait = dt_okta_rate_wait(r);
    require(wait >= DT_OKTA_WAIT_MIN && wait <= DT_OKTA_WAIT_MAX);
    wait = dt_okta_poll_interval(r, interval);
    require(wait >= 0 && wait <= DT_OKTA_WAIT_MAX);
}

static int64_t take_int(uint8_t const **data, size_t *size)
{
    int64_t v = 0;
    size_t n = *size < sizeof(v) ? *size : sizeof(v);
    memcpy(&v, *data, n);
    *data += n;
    *size -= n;
    return v;
}

static int status_of(uint8_t choice)
{
    static int const statuses[] = {200, 201, 202, 204, 302, 400, 401, 403,
                                   404, 409, 410, 423, 429, 500, 503, 0};
    return statuses[choice & 15];
}

/* Reads the head of the input: a byte for failure and status, and, when its highest bit is set, the
 * headers' numbers. */
static dt_http_response head_of(uint8_t const **data, size_t *size)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .error = "",
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = ""};
    uint8_t choice = *size > 0 ? **data : 0;
    *data += *size > 0 ? 1 : 0;
    *size -= *size > 0 ? 1 : 0;
    r.status = status_of(choice);
    static dt_http_failure const failures[8] = {
        DT_HTTP_OK,        DT_HTTP_REFUSED, DT_HTTP_TIMEOUT,        DT_HTTP_BROKEN,
        DT_HTTP_UNTRUSTED, DT_HTTP_LOCAL,   DT_HTTP_NO_CREDENTIALS, DT_HTTP_OK};
    r.failure = failures[choice >> 4 & 7];
    if ((choice & 0x80) != 0) {
        r.date = take_int(data, size);
        r.rate_limit = take_int(data, size);
        r.rate_remaining = take_int(data, size);
        r.rate_reset = take_int(data, size);
        r.retry_after = take_int(data, size);
    }
    return r;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static char next[2 * DT_URL_MAX];
    dt_http_response r = head_of(&data, &size);
    check_waits(&r, r.rate_reset ^ r.rate_limit);
    uint8_t const *end = size == 0 ? NULL : memchr(data, '\n', size);
    size_t n = end == NULL ? 0 : (size_t)(end - data);
    if (end != NULL && dt_str_copy_bytes(next, sizeof(next), dt_bytes_of(data, n)) == 0) {
        r.next_link = next;
        data += n + 1;
        size -= n + 1;
    }
    r.body = dt_bytes_of(data, size);
    check_user(&r);
    check_groups(&r);
    check_factors(&r);
    check_verification(&r);
    check_authn(&r);
    return 0;
}
