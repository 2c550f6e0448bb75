/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security Event Tokens: any bytes as a token, and any JSON as the claims of one whose signature was valid. What comes
 * of it is news that can be written; nothing else is made of a refusal. Also the keys of an issuer. */
#include "core/signals/set_internal.h"

#include <stdlib.h>
#include <string.h>

#define NOW ((dt_time)1700000000000)

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static char const *const audiences[] = {"https://devtrust.example.com"};
static dt_set_expected const expected = {.issuer = "https://tr.example.com",
                                         .audiences = audiences,
                                         .audience_count = 1,
                                         .okta_issuer = "https://example.okta.com",
                                         .stream_id = "s1"};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void require_text(char const *text)
{
    for (; *text != '\0'; text++)
        require((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_token(dt_bytes token)
{
    dt_set s;
    dt_error e = {0};
    require(dt_set_read(token, NULL, &expected, NOW, &s, &e) != DT_SET_OK);
    require(e.code != 0 && s.fault != DT_SET_FAULT_NONE && s.news.count == 0);
    require_text(e.text);
}

static void check_events(dt_json const *claims)
{
    dt_set s;
    memset(&s, 0, sizeof(s));
    s.news.source = DT_NEWS_CAEP;
    s.news.at = NOW;
    s.news.okta_issuer = expected.okta_issuer;
    if (dt_set_read_events(claims, &expected, &s) != NULL)
        return;
    require(s.news.count <= DT_SUBJECT_NEWS_MAX);
    require_text(s.event);
    require(s.kind == DT_SET_KIND_EVENT || s.news.count == 0);
    for (size_t i = 0; i < s.news.count; i++) {
        dt_buf line;
        dt_buf_init(&line, DT_NEWS_LINE_MAX + 1);
        require(dt_news_put_line(&s.news.items[i], &line) == DT_OK);
        dt_buf_free(&line);
    }
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_json *root = NULL;
    dt_jwks *keys = NULL;
    check_token(dt_bytes_of(data, size));
    if (dt_jwks_read(dt_bytes_of(data, size), &keys, NULL) == DT_OK)
        require(dt_jwks_count(keys) > 0);
    dt_jwks_free(&keys);
    if (dt_json_parse(dt_bytes_of(data, size), &root, NULL) == DT_OK)
        check_events(root);
    dt_json_free(&root);
    return 0;
}
