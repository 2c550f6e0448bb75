/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64, escapes and JSON strings over any bytes: what they write must keep its promises. */
#include "core/base/json.h"
#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* A text that decodes is the one text of its bytes; one that does not leaves nothing behind. */
static void check_decoder(dt_bytes in, bool url)
{
    dt_buf bytes, again;
    dt_buf_init(&bytes, INPUT_MAX);
    dt_buf_init(&again, 2 * INPUT_MAX);
    int rc = url ? dt_base64url_decode(&bytes, in) : dt_base64_decode(&bytes, in);
    require(rc == 0 || (rc == DT_E_PARSE && bytes.len == 0));
    if (rc == 0) {
        if (url)
            dt_base64url_encode(&again, dt_buf_bytes(&bytes));
        else
            dt_base64_encode(&again, dt_buf_bytes(&bytes));
        require(dt_buf_error(&again) == 0 && dt_bytes_equal(dt_buf_bytes(&again), in));
    }
    dt_buf_free(&bytes);
    dt_buf_free(&again);
}

static void check_encoder(dt_bytes in, bool url)
{
    dt_buf text, back;
    dt_buf_init(&text, 2 * INPUT_MAX);
    dt_buf_init(&back, INPUT_MAX);
    int rc;
    if (url) {
        dt_base64url_encode(&text, in);
        rc = dt_base64url_decode(&back, dt_buf_bytes(&text));
    } else {
        dt_base64_encode(&text, in);
        rc = dt_base64_decode(&back, dt_buf_bytes(&text));
    }
    require(rc == 0 && dt_bytes_equal(dt_buf_bytes(&back), in));
    dt_buf_free(&text);
    dt_buf_free(&back);
}

/* Whole, shown characters only. */
static void check_shown(dt_bytes text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t cp = 0;
        size_t n = dt_utf8_decode(text.p + i, text.len - i, &cp);
        require(n > 0 && dt_utf8_is_shown(cp));
        i += n;
    }
}

static void check_escapes(dt_bytes in)
{
    dt_buf b;
    dt_buf_init(&b, 4 * INPUT_MAX);
    dt_buf_put_escaped(&b, in);
    require(dt_buf_error(&b) == 0 && b.len >= in.len);
    check_shown(dt_buf_bytes(&b));
    dt_buf_free(&b);
    for (size_t room = 1; room < 16; room++) {
        char small[16];
        dt_buf_init_fixed(&b, small, room);
        dt_buf_put_escaped(&b, in);
        require(dt_buf_error(&b) == 0 && b.len < room && small[b.len] == '\0');
        check_shown(dt_buf_bytes(&b));
    }
}

static void check_json_string(char const *text)
{
    dt_buf b;
    dt_json *root = NULL;
    dt_buf_init(&b, 8 * INPUT_MAX);
    dt_json_put_string(&b, text);
    require(dt_buf_error(&b) == 0);
    check_shown(dt_buf_bytes(&b));
    require(dt_json_parse(dt_buf_bytes(&b), &root, NULL) == 0);
    char const *back = dt_json_string(root);
    require(back != NULL && (strcmp(back, text) == 0 || strstr(back, "\xef\xbf\xbd") != NULL));
    dt_json_free(&root);
    dt_buf_free(&b);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static char text[INPUT_MAX + 1];
    if (size > INPUT_MAX)
        return 0;
    dt_bytes in = dt_bytes_of(data, size);
    for (int url = 0; url < 2; url++) {
        check_decoder(in, url == 1);
        check_encoder(in, url == 1);
    }
    check_escapes(in);
    if (dt_str_copy_bytes(text, sizeof(text), in) == 0)
        check_json_string(text);
    return 0;
}
