/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of Okta's Devices API, any bytes under any status. The first byte chooses the question, the
 * status and the failure, a "\n" ends the next link, the rest is the body, and also a record. */
#include "core/okta/okta_device.h"

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1790000000000)

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static char org_url[] = "https://example.okta.com";
static dt_config const config = {.okta = {.org_url = org_url, .timeout = DT_SECONDS(10)},
                                 .device_trust = {.cache_ttl = DT_MINUTES(15),
                                                  .negative_ttl = DT_MINUTES(1),
                                                  .stale_limit = DT_HOURS(24)}};
static dt_okta_device const asked = {
    .device_id = {"5f3a0c1e-1111-4222-8333-444455556666"}, .serial = "PF3ABC1", .user_id = "00u1"};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool holds(dt_bytes body, char const *word)
{
    return body.len > 0 && memmem(body.p, body.len, word, strlen(word)) != NULL;
}

static void check_texts(dt_okta_device const *d, dt_error const *e)
{
    for (char const *c = e->text; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
    for (char const *c = d->name; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
    require(memchr(d->name, '\0', sizeof(d->name)) != NULL);
    require(d->id[0] == '\0' || dt_okta_is_id(d->id));
}

static void check_evidence(dt_okta_device const *d)
{
    for (int stale = 0; stale < 2; stale++) {
        dt_evidence e;
        dt_okta_device_evidence(d, NOW, stale == 1, &e);
        require(e.source == DT_SOURCE_OKTA_DEVICE && e.assurance == DT_ASSERTED);
        require(e.finding != DT_FINDING_FOR || d->state == DT_OKTA_DEVICE_MANAGED);
    }
    (void)dt_okta_device_freshness(d, &config, NOW);
    (void)dt_okta_device_state_text(d->state);
}

static void check_kept(dt_okta_device const *d)
{
    dt_okta_device back;
    dt_buf record;
    dt_buf_init(&record, DT_OKTA_DEVICE_RECORD_MAX);
    if (dt_okta_device_pack(d, &record) == 0) {
        require(dt_okta_device_unpack(dt_buf_bytes(&record), &back) == 0);
        require(back.state == d->state && dt_guid_equal(&back.device_id, &d->device_id) &&
                strcmp(back.name, d->name) == 0);
    }
    dt_buf_free(&record);
}

static void check_link(char const *next)
{
    require(next[0] == '\0' || dt_okta_link_is_ours(&config, next));
}

static void check_devices(dt_http_response const *r)
{
    dt_okta_device d = asked;
    char next[DT_URL_MAX];
    dt_error e = {0};
    for (int page = 0; page < 2; page++) {
        dt_okta_answer a = dt_okta_read_user_devices(&config, r, &d, next, &e);
        check_texts(&d, &e);
        check_link(next);
        /* The list alone never says managed. */
        require(d.state != DT_OKTA_DEVICE_MANAGED);
        if (a != DT_OKTA_OK)
            return;
        require(r->status == 200);
    }
    /* The same page twice: no device fits but once. */
    require(d.id[0] == '\0' || d.state == DT_OKTA_DEVICE_AMBIGUOUS);
    d.fetched = NOW;
    check_evidence(&d);
    check_kept(&d);
}

static void check_users(dt_http_response const *r)
{
    dt_okta_device d = asked;
    char next[DT_URL_MAX];
    dt_error e = {0};
    memcpy(d.id, "guo1", 5);
    dt_okta_answer a = dt_okta_read_device_users(&config, r, &d, next, &e);
    check_texts(&d, &e);
    check_link(next);
    if (d.state == DT_OKTA_DEVICE_MANAGED)
        require(a == DT_OKTA_OK && r->status == 200 && holds(r->body, "MANAGED") &&
                holds(r->body, "00u1"));
    d.fetched = NOW;
    check_evidence(&d);
    check_kept(&d);
}

static void check_record(dt_bytes record)
{
    dt_okta_device d;
    if (dt_okta_device_unpack(record, &d) != 0)
        return;
    check_evidence(&d);
    check_kept(&d);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static int const statuses[] = {200, 200, 200, 200, 404, 401, 403, 429, 500, 204};
    char link[DT_URL_MAX] = "";
    if (size == 0)
        return 0;
    uint8_t choice = data[0];
    dt_bytes body = dt_bytes_of(data + 1, size - 1);
    check_record(body);
    uint8_t const *end = body.len > 0 ? memchr(body.p, '\n', body.len) : NULL;
    if (end != NULL && (size_t)(end - body.p) < sizeof(link)) {
        memcpy(link, body.p, (size_t)(end - body.p));
        body = dt_bytes_of(end + 1, body.len - (size_t)(end - body.p) - 1);
    }
    dt_http_response r = {.failure = choice >= 0xf8 ? (dt_http_failure)(choice & 7) : DT_HTTP_OK,
                          .error = "",
                          .status = statuses[(choice >> 1) % 10],
                          .body = body,
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = link};
    if (choice & 1)
        check_users(&r);
    else
        check_devices(&r);
    return 0;
}
