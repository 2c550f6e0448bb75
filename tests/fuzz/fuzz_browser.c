/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies to a sign-in with a browser, any bytes under any status: codes that are shown are the org's, and nobody
 * signs in without an ID token. The first byte chooses failure and status; the rest is the body. */
#include "core/okta/okta_browser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOW ((dt_time)1700000000000)

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static char org_url[] = "https://example.okta.com", client_id[] = "0oa1native";
static dt_config const config = {
    .okta = {.org_url = org_url, .native_client_id = client_id, .timeout = DT_SECONDS(10)}};

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

static void check_codes(dt_http_response const *r)
{
    static dt_browser_begun const zero;
    dt_browser_begun b;
    dt_http_request q;
    dt_error e = {0};
    dt_okta_answer a = dt_browser_read_begin(&config, r, &b, &e);

    check_error(&e);
    if (a != DT_OKTA_OK) {
        require(memcmp(&b, &zero, sizeof(b)) == 0);
        return;
    }
    require(r->status == 200 && strncasecmp(b.url, org_url, strlen(org_url)) == 0);
    require(strpbrk(b.url, "?# \x1b") == NULL && b.user_code[0] != '\0');
    require(b.link[0] == '\0' || strncasecmp(b.link, org_url, strlen(org_url)) == 0);
    require(b.lifetime > 0 && b.lifetime <= DT_BROWSER_LIFETIME_MAX);
    require(b.interval > 0 && b.interval <= DT_BROWSER_INTERVAL_MAX);
    require(dt_browser_poll(&config, b.device_code, "", &q) == DT_OK && q.anonymous);
}

static void check_token(dt_http_response const *r)
{
    dt_browser_person const who = {.user_id = "00u1ann",
                                   .login = "ann@example.com",
                                   .since = NOW,
                                   .device_code = "SECRET-CODE"};
    dt_okta_verification v;
    bool slow_down;
    dt_error e = {0};
    dt_okta_answer a = dt_browser_read_poll(&config, r, &who, NOW, &v, &slow_down, &e);

    check_error(&e);
    require(strstr(e.text, "SECRET-CODE") == NULL);
    require(a == DT_OKTA_OK || v.result == DT_OKTA_RESULT_NONE);
    require(!slow_down || v.result == DT_OKTA_RESULT_WAITING);
    if (v.result == DT_OKTA_RESULT_SUCCESS)
        require(r->failure == DT_HTTP_OK && r->status == 200 && r->body.len > 0);
    if (v.result == DT_OKTA_RESULT_WAITING)
        require(r->status == 400);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static int const statuses[] = {200, 200, 200, 201, 204, 302, 400, 400, 401, 403, 404, 429, 500};
    uint8_t choice = size > 0 ? data[0] : 0;
    dt_http_response r = {.failure = choice > 250 ? (dt_http_failure)(choice - 251) : DT_HTTP_OK,
                          .error = "",
                          .next_link = "",
                          .rate_limit = -1,
                          .rate_remaining = -1};

    if (r.failure == DT_HTTP_OK)
        r.status = statuses[choice % (sizeof(statuses) / sizeof(statuses[0]))];
    if (size > 1)
        r.body = dt_bytes_of(data + 1, size - 1);
    check_codes(&r);
    check_token(&r);
    return 0;
}
