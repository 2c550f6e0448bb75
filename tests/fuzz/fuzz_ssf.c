/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What transmitters of shared signals and Okta's event hooks send: metadata, streams, status, polls, hooks. The first
 * byte chooses the reader. */
#include "core/signals/okta_hook.h"
#include "core/signals/ssf.h"

#include <stdlib.h>
#include <string.h>

#define NOW ((dt_time)1700000000000)
#define ISSUER "https://tr.example.com/t1"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool is_https_or_none(char const *url)
{
    return url[0] == '\0' || strncmp(url, "https://", 8) == 0;
}

static void fuzz_metadata(dt_bytes text)
{
    dt_ssf_metadata m;
    dt_error e = {0};
    if (dt_ssf_metadata_read(text, ISSUER, &m, &e) != DT_OK) {
        require(m.jwks_uri[0] == '\0' && e.text[0] != '\0');
        return;
    }
    require(m.jwks_uri[0] != '\0' && is_https_or_none(m.jwks_uri) &&
            is_https_or_none(m.configuration_endpoint) && is_https_or_none(m.status_endpoint) &&
            is_https_or_none(m.verification_endpoint));
}

static void fuzz_stream(dt_bytes text, dt_ssf_delivery delivery)
{
    dt_ssf_stream s;
    dt_ssf_wanted const w = {
        .issuer = ISSUER, .id = "", .delivery = delivery, .push_url = "https://us.example.com/x"};
    if (dt_ssf_stream_read(text, &w, &s, NULL) != DT_OK) {
        require(s.id[0] == '\0' && s.audience_count == 0);
        return;
    }
    require(s.id[0] != '\0' && s.delivery == delivery && is_https_or_none(s.endpoint_url));
    require(s.audience_count <= DT_SET_AUDIENCES_MAX);
}

static void fuzz_reply(dt_bytes text)
{
    dt_ssf_reply r;
    char const *jti, *token;
    if (dt_ssf_reply_read(text, &r, NULL) != DT_OK) {
        require(r.root == NULL);
        return;
    }
    require(r.count <= DT_SSF_POLL_SETS_MAX);
    dt_ssf_ack ack = {0};
    for (size_t i = 0; i < r.count; i++) {
        char body[DT_HTTP_BODY_MAX];
        dt_buf b;
        dt_json *root = NULL;
        dt_ssf_reply_at(&r, i, &jti, &token);
        require(jti != NULL && token != NULL);
        if (dt_str_copy(ack.jti, sizeof(ack.jti), jti) != DT_OK)
            continue;
        dt_buf_init_fixed(&b, body, sizeof(body));
        require(dt_ssf_put_poll(&ack, 1, 0, true, &b) == 1);
        require(dt_json_parse(dt_buf_bytes(&b), &root, NULL) == DT_OK);
        require(strcmp(dt_json_string(dt_json_at(dt_json_get(root, "ack"), 0)), jti) == 0);
        dt_json_free(&root);
    }
    dt_ssf_reply_free(&r);
}

static bool take(void *ctx, dt_okta_hook_event const *event)
{
    (void)ctx;
    require(event->uuid[0] != '\0' && event->type[0] != '\0');
    for (size_t i = 0; i < event->news.count; i++) {
        dt_buf line;
        dt_buf_init(&line, DT_NEWS_LINE_MAX + 1);
        require(dt_news_put_line(&event->news.items[i], &line) == DT_OK);
        dt_buf_free(&line);
    }
    return true;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    if (size == 0)
        return 0;
    dt_bytes const text = dt_bytes_of(data + 1, size - 1);
    switch (data[0]) {
    case 'm':
        fuzz_metadata(text);
        break;
    case 's':
        fuzz_stream(text, DT_SSF_POLL);
        fuzz_stream(text, DT_SSF_PUSH);
        (void)dt_ssf_status_read(text, "s1");
        break;
    case 'r':
        fuzz_reply(text);
        break;
    default:
        (void)!dt_okta_hook_read(text, NOW, take, NULL, NULL);
    }
    return 0;
}
