/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of token requests and grants that do not depend on whom they are made with. */
#include "core/base/oauth.h"

#include "core/base/url.h"

#include <string.h>

void dt_oauth_put_field(dt_buf *b, char const *name, char const *value)
{
    if (b->len > 0)
        dt_buf_putc(b, '&');
    dt_buf_puts(b, name);
    dt_buf_putc(b, '=');
    dt_url_put_segment(b, value);
}

bool dt_oauth_is_compact_jws(char const *text)
{
    static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int part = 0; part < 3; part++) {
        size_t n = strspn(text, digits);
        if (n == 0 || text[n] != (part < 2 ? '.' : '\0'))
            return false;
        text += n + (part < 2 ? 1 : 0);
    }
    return true;
}

/* It goes into a header: nothing but visible characters, so that it cannot end the line. */
static bool is_token(char const *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return n > 0 && n <= DT_SECRET_MAX;
}

static char const *wrong_type(char const *type)
{
    return strcmp(type, "Bearer") == 0 ? "token_type is not Bearer" : "token_type is not DPoP";
}

char const *dt_oauth_read_grant(dt_json const *root, char const *type, dt_time now,
                                dt_secret **token, dt_time *renew_at, dt_time *expires)
{
    char const *given = dt_json_string(dt_json_get(root, "token_type"));
    char const *text = dt_json_string(dt_json_get(root, "access_token"));
    int64_t seconds = 0;
    if (given == NULL || !dt_str_equal_nocase(given, type))
        return wrong_type(type);
    if (!dt_json_integer(dt_json_get(root, "expires_in"), &seconds) || seconds <= 0)
        return "no expires_in";
    if (!is_token(text))
        return "no access_token";
    if (dt_secret_new(dt_bytes_str(text), token) != DT_OK)
        return "out of memory";
    dt_time most = DT_OAUTH_TOKEN_LIFETIME_MAX;
    dt_time life = seconds > most / DT_SECONDS(1) ? most : DT_SECONDS(seconds);
    dt_time early = life / 10 > DT_OAUTH_RENEW_EARLY_MIN ? life / 10 : DT_OAUTH_RENEW_EARLY_MIN;
    *expires = now + life;
    *renew_at = *expires - (early > life / 2 ? life / 2 : early);
    return NULL;
}
