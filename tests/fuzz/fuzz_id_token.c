/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ID tokens: any bytes, and any header and claims ("\n" between them) in the right form. One is taken only if it
 * names the app, the org and the person. */
#include "core/okta/id_token.h"

#include <stdlib.h>
#include <string.h>

#define NOW ((dt_time)1700000000000)

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static dt_id_token_expected const expected = {.issuer = "https://example.okta.com",
                                              .client_id = "0oa1native",
                                              .user_id = "00u1ann",
                                              .login = "ann@example.com"};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool names(dt_bytes claims, char const *what)
{
    return memmem(claims.p, claims.len, what, strlen(what)) != NULL;
}

static dt_id_token_verdict check(dt_bytes token)
{
    dt_id_token t;
    dt_error e = {0};
    dt_id_token_verdict v = dt_id_token_check(token, &expected, NOW, &t, &e);
    for (char const *c = e.text; *c != '\0'; c++)
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
    require((v == DT_ID_TOKEN_OK) == (e.code == 0));
    require(v == DT_ID_TOKEN_OK || (t.amr == 0 && t.auth_time == 0 && t.issued_at == 0));
    require(t.issued_at <= NOW + DT_ID_TOKEN_LEEWAY);
    return v;
}

/* JSON may write any of its characters as \uXXXX; then the plain text need not be in it. */
static void check_object(dt_bytes header, dt_bytes claims)
{
    dt_buf token;
    dt_buf_init(&token, (size_t)1 << 20);
    dt_base64url_encode(&token, header);
    dt_buf_putc(&token, '.');
    dt_base64url_encode(&token, claims);
    dt_buf_puts(&token, ".c2ln");
    if (dt_buf_error(&token) == DT_OK && check(dt_buf_bytes(&token)) == DT_ID_TOKEN_OK &&
        !names(claims, "\\") && !names(header, "\\"))
        require(names(claims, "https://example.okta.com") && names(claims, "0oa1native") &&
                names(claims, "00u1ann") && (names(header, "RS256") || names(header, "ES256")));
    dt_buf_free(&token);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    uint8_t const *end = size > 0 ? memchr(data, '\n', size) : NULL;
    (void)check(dt_bytes_of(data, size));
    if (end != NULL)
        check_object(dt_bytes_of(data, (size_t)(end - data)),
                     dt_bytes_of(end + 1, size - (size_t)(end - data) - 1));
    return 0;
}
