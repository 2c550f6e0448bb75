/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Graph's and Entra's replies and the cache's records: any bytes. The first byte chooses the status,
 * the rest is the body, and also a record. */
#include "core/base/oauth.h"
#include "core/intune/intune.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOW INT64_C(1790000000000)

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static dt_guid const asked = {"5f3a0c1e-1111-4222-8333-444455556666"};
static char graph_url[] = "https://graph.microsoft.com";
static dt_config const config = {.intune = {.graph_url = graph_url, .timeout = DT_SECONDS(10)},
                                 .device_trust = {.cache_ttl = DT_MINUTES(15),
                                                  .negative_ttl = DT_MINUTES(1),
                                                  .stale_limit = DT_HOURS(24),
                                                  .max_sync_age = DT_DAYS(7),
                                                  .trust_in_grace_period = true,
                                                  .fresh_enrollment_grace = DT_MINUTES(20)}};

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

static void check_evidence(dt_intune_device const *d)
{
    for (int stale = 0; stale < 2; stale++) {
        dt_evidence e;
        dt_intune_evidence(d, &config, NOW, stale == 1, &e);
        require(e.source == DT_SOURCE_INTUNE && e.assurance == DT_ASSERTED);
        if (e.finding != DT_FINDING_FOR)
            continue;
        require(d->enrolled && d->managed && dt_guid_is_set(&e.device_id) && d->last_sync > 0);
        require(d->compliance == DT_COMPLIANCE_COMPLIANT ||
                (d->compliance == DT_COMPLIANCE_IN_GRACE_PERIOD && stale == 0) ||
                (d->compliance == DT_COMPLIANCE_UNKNOWN && stale == 0 &&
                 d->enrolled_at > NOW - DT_MINUTES(20) &&
                 d->enrolled_at <= NOW + DT_INTUNE_ENROLLED_AHEAD_MAX));
    }
    (void)dt_intune_freshness(d, &config, NOW);
}

static bool holds(dt_bytes body, char const *word)
{
    return body.len > 0 && memmem(body.p, body.len, word, strlen(word)) != NULL;
}

static void check_device(dt_http_response const *r)
{
    dt_intune_device d, back;
    dt_error e = {0};
    dt_buf record;
    dt_intune_answer a = dt_intune_read_device(r, &asked, NOW, &d, &e);
    check_error(&e);
    require(a != DT_INTUNE_OK || (r->status == 200 && d.enrolled));
    require(a != DT_INTUNE_NOT_ENROLLED || (r->status == 404 && !d.enrolled));
    if (d.compliance == DT_COMPLIANCE_COMPLIANT)
        require(holds(r->body, "compliant") || holds(r->body, "\\u00"));
    check_evidence(&d);
    if (a != DT_INTUNE_OK && a != DT_INTUNE_NOT_ENROLLED)
        return;
    require(dt_guid_equal(&d.device_id, &asked));
    dt_buf_init(&record, DT_INTUNE_RECORD_MAX);
    require(dt_intune_pack(&d, &record) == 0); /* all that is read can be kept */
    require(dt_intune_unpack(dt_buf_bytes(&record), &back) == 0);
    require(strcmp(back.device_name, d.device_name) == 0 && back.fetched == d.fetched);
    dt_buf_free(&record);
}

/* What a page gives can be kept, and its link leads nowhere but to the list. */
static int check_listed(void *ctx, dt_intune_device const *d)
{
    dt_buf record;
    *(size_t *)ctx += 1;
    require(dt_guid_is_set(&d->device_id) && d->enrolled && d->fetched == NOW);
    check_evidence(d);
    dt_buf_init(&record, DT_INTUNE_RECORD_MAX);
    require(dt_intune_pack(d, &record) == 0);
    dt_buf_free(&record);
    return 0;
}

static void check_page(dt_http_response const *r)
{
    static char const list[] = "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices";
    dt_intune_page page;
    dt_http_request q;
    dt_error e = {0};
    size_t given = 0;
    dt_intune_answer a = dt_intune_read_page(&config, r, NOW, check_listed, &given, &page, &e);
    check_error(&e);
    require(page.devices == given && page.rc == 0 && a != DT_INTUNE_NOT_ENROLLED);
    require(a == DT_INTUNE_OK ? r->status == 200 : given == 0 && page.next[0] == '\0');
    if (page.next[0] != '\0') {
        require(strncasecmp(page.next, list, sizeof("https://graph.microsoft.com") - 1) == 0);
        require(strstr(page.next, "/v1.0/deviceManagement/managedDevices") != NULL);
        require(dt_intune_list_devices(&config, 1, page.next, &q) == 0);
        require(strcmp(q.url, page.next) == 0);
    }
}

static dt_intune_name const entra_name = {.entra_id = {"11111111-2222-3333-4444-555555555555"}};
static dt_intune_name const serial_name = {.serial = "PF3ABC12"};

/* Which device goes by a name: what is found has it, and is one. */
static void check_found(dt_http_response const *r, dt_intune_name const *name)
{
    dt_intune_found found = {0}, back;
    char next[DT_URL_MAX];
    dt_http_request q;
    dt_error e = {0};
    dt_buf text;
    dt_intune_answer a = dt_intune_read_found(&config, r, name, NOW, &found, next, &e);
    check_error(&e);
    require(found.count >= 0 && found.count <= 2 && a != DT_INTUNE_NOT_ENROLLED);
    require(a == DT_INTUNE_OK || next[0] == '\0');
    require(next[0] == '\0' || dt_intune_find_device(&config, name, next, &q) == 0);
    if (found.count == 1)
        require(dt_intune_has_name(&found.device, name));
    dt_buf_init(&text, DT_INTUNE_RECORD_MAX);
    require(dt_intune_found_pack(&found, &text) == 0);
    require(dt_intune_found_unpack(dt_buf_bytes(&text), &back) == 0 && back.count == found.count);
    dt_buf_free(&text);
}

/* An index entry that is taken has the one form that it would be written in. */
static void check_index(dt_bytes text)
{
    dt_intune_found found;
    dt_buf again;
    if (dt_intune_found_unpack(text, &found) != 0)
        return;
    dt_buf_init(&again, DT_INTUNE_RECORD_MAX);
    require(dt_intune_found_pack(&found, &again) == 0);
    require(dt_bytes_equal(dt_buf_bytes(&again), text));
    dt_buf_free(&again);
}

/* A record that is taken has the one form that it would be written in. */
static void check_record(dt_bytes text)
{
    dt_intune_device d;
    dt_buf again;
    int rc = dt_intune_unpack(text, &d);
    require(rc == 0 || (rc == DT_E_PARSE && !d.enrolled && !dt_guid_is_set(&d.device_id)));
    if (rc != 0)
        return;
    check_evidence(&d);
    dt_buf_init(&again, DT_INTUNE_RECORD_MAX);
    require(dt_intune_pack(&d, &again) == 0);
    require(dt_bytes_equal(dt_buf_bytes(&again), text));
    dt_buf_free(&again);
}

static void check_token(dt_http_response const *r)
{
    dt_secret *token = NULL;
    dt_time renew_at, expires;
    dt_error e = {0};
    dt_intune_answer a = dt_entra_read_token(r, NOW, &token, &renew_at, &expires, &e);
    check_error(&e);
    require((a == DT_INTUNE_OK) == (token != NULL));
    if (token == NULL)
        return;
    require(r->status == 200 && renew_at > NOW && renew_at < expires &&
            expires <= NOW + DT_OAUTH_TOKEN_LIFETIME_MAX);
    dt_bytes text = dt_secret_bytes(token);
    require(text.len > 0 && text.len <= DT_SECRET_MAX);
    for (size_t i = 0; i < text.len; i++)
        require(text.p[i] > 0x20 && text.p[i] < 0x7f);
    dt_secret_free(&token);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static int const statuses[] = {200, 404, 401, 403, 429, 500, 400, 0};
    if (size == 0)
        return 0;
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .error = "",
                          .status = statuses[data[0] & 7],
                          .body = dt_bytes_of(data + 1, size - 1),
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = ""};
    check_device(&r);
    check_page(&r);
    check_found(&r, &entra_name);
    check_found(&r, &serial_name);
    check_index(r.body);
    check_token(&r);
    check_record(r.body);
    return 0;
}
