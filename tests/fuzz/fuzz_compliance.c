/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Compliance Retrieval service's answers (XML), Graph's list of endpoints and the kept address: any
 * bytes. The first byte chooses the status, the rest is the body, and also a record and an address. */
#include "core/intune/compliance_service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOW INT64_C(1790000000000)
#define HOST "manage.microsoft.com"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static dt_guid const asked = {"5f3a0c1e-1111-4222-8333-444455556666"};
static char graph_url[] = "https://graph.microsoft.com";
static char nothing[] = "";
static dt_config const config = {.intune = {.graph_url = graph_url,
                                            .timeout = DT_SECONDS(10),
                                            .service = DT_INTUNE_BY_COMPLIANCE,
                                            .compliance_host = nothing,
                                            .compliance_resource = nothing},
                                 .device_trust = {.cache_ttl = DT_MINUTES(15),
                                                  .negative_ttl = DT_MINUTES(1),
                                                  .stale_limit = DT_HOURS(24)}};

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

static bool holds(dt_bytes body, char const *word)
{
    return memmem(body.p, body.len, word, strlen(word)) != NULL;
}

/* Trust comes of an answer that says so in so many words, about this device. */
static void check_device(dt_http_response const *r)
{
    dt_intune_device d;
    dt_error e = {0};
    dt_evidence ev;
    dt_buf record;
    dt_intune_answer a = dt_compliance_read_device(r, &asked, NOW, &d, &e);
    check_error(&e);
    dt_intune_evidence(&d, &config, NOW, false, &ev);
    require(ev.finding != DT_FINDING_FOR || a == DT_INTUNE_OK);
    require((a == DT_INTUNE_OK) == d.enrolled && d.enrolled == d.managed);
    if (a != DT_INTUNE_OK && a != DT_INTUNE_NOT_ENROLLED) {
        require(e.code < 0 && !dt_guid_is_set(&d.device_id));
        return;
    }
    require(r->status == 200 && dt_guid_equal(&d.device_id, &asked));
    require(holds(r->body, "ise_api") && holds(r->body, "deviceList"));
    require(!d.enrolled || d.compliance == DT_COMPLIANCE_COMPLIANT ||
            d.compliance == DT_COMPLIANCE_NOT_COMPLIANT);
    dt_buf_init(&record, DT_INTUNE_RECORD_MAX);
    require(dt_intune_pack(&d, &record) == 0); /* all that is read can be kept */
    dt_buf_free(&record);
}

/* Whatever is taken for the service's address is where its token may go: looked at once more by hand. */
static void check_address(char const *url)
{
    char host[DT_COMPLIANCE_URL_MAX];
    size_t n, end = sizeof(HOST) - 1;
    require(strncmp(url, "https://", 8) == 0 && strlen(url) < DT_COMPLIANCE_URL_MAX);
    n = strcspn(url + 8, "/?#:@\\");
    memcpy(host, url + 8, n);
    host[n] = '\0';
    require(strchr(url, '@') == NULL || strcspn(url + 8, "/?#") < strcspn(url + 8, "@"));
    require(n >= end && strcasecmp(host + n - end, HOST) == 0);
    require(n == end || host[n - end - 1] == '.');
}

static void check_endpoints(dt_http_response const *r)
{
    dt_compliance_address at, back;
    char next[DT_URL_MAX];
    dt_http_request q;
    dt_error e = {0};
    dt_buf record;
    dt_intune_answer a = dt_compliance_read_endpoints(&config, r, NOW, &at, next, &e);
    check_error(&e);
    require(a != DT_INTUNE_NOT_ENROLLED);
    require((a == DT_INTUNE_OK) == (at.url[0] != '\0' || next[0] != '\0'));
    if (next[0] != '\0') {
        require(dt_compliance_list_endpoints(&config, next, &q) == 0);
        require(strncasecmp(q.url, "https://graph.microsoft.com", 27) == 0);
    }
    if (at.url[0] == '\0')
        return;
    require(r->status == 200 && at.found == NOW);
    check_address(at.url);
    require(dt_compliance_get_device(&config, &at, &asked, &q) == 0);
    require(strncmp(q.url, at.url, strlen(at.url)) == 0 && q.url[strlen(at.url)] == '/' &&
            q.service == DT_HTTP_COMPLIANCE);
    dt_buf_init(&record, DT_COMPLIANCE_RECORD_MAX);
    require(dt_compliance_pack(&config, &at, &record) == 0);
    require(dt_compliance_unpack(&config, dt_buf_bytes(&record), &back) == 0);
    require(strcmp(back.url, at.url) == 0 && back.found == NOW);
    dt_buf_free(&record);
}

/* A record that is taken has the one form that it would be written in. */
static void check_record(dt_bytes text)
{
    dt_compliance_address at;
    dt_buf again;
    if (dt_compliance_unpack(&config, text, &at) != 0) {
        require(at.url[0] == '\0' && at.found == 0);
        return;
    }
    check_address(at.url);
    dt_buf_init(&again, DT_COMPLIANCE_RECORD_MAX);
    require(dt_compliance_pack(&config, &at, &again) == 0);
    require(dt_bytes_equal(dt_buf_bytes(&again), text));
    dt_buf_free(&again);
}

static void check_allowed(dt_bytes text)
{
    char url[DT_COMPLIANCE_URL_MAX];
    if (dt_str_copy_bytes(url, sizeof(url), text) == 0 && dt_compliance_is_allowed(&config, url))
        check_address(url);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static int const statuses[] = {200, 200, 200, 404, 401, 429, 500, 0};
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
    check_endpoints(&r);
    check_record(r.body);
    check_allowed(r.body);
    return 0;
}
