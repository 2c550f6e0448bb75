/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error codes' names, and filling in the text that an administrator reads. */
#include "core/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A text that was cut must not end in half a UTF-8 sequence: terminals swallow what follows. */
static void text_trim_utf8(char *text)
{
    size_t len = strlen(text);
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || ((unsigned char)text[start - 1] & 0xc0) != 0xc0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (len - (start - 1) < want)
        text[start - 1] = '\0';
}

int dt_error_set(dt_error *e, int code, char const *fmt, ...)
{
    if (e == NULL)
        return code;
    /* By way of a second buffer, so that an argument may be the text that stands there now. */
    char text[DT_ERROR_TEXT_MAX] = "";
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(text))
        text_trim_utf8(text);
    e->code = code;
    memcpy(e->text, text, sizeof(text));
    return code;
}

int dt_error_prefix(dt_error *e, char const *fmt, ...)
{
    if (e == NULL)
        return DT_OK;
    char text[DT_ERROR_TEXT_MAX] = "";
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    n = snprintf(text + used, sizeof(text) - used, ": %s", e->text);
    if (n < 0 || (size_t)n >= sizeof(text) - used)
        text_trim_utf8(text);
    memcpy(e->text, text, sizeof(text));
    return e->code;
}

char const *dt_err_name(int code)
{
    switch (code) {
    case DT_OK:
        return "DT_OK";
    case DT_E_NOMEM:
        return "DT_E_NOMEM";
    case DT_E_INVALID:
        return "DT_E_INVALID";
    case DT_E_LIMIT:
        return "DT_E_LIMIT";
    case DT_E_PARSE:
        return "DT_E_PARSE";
    case DT_E_NOT_FOUND:
        return "DT_E_NOT_FOUND";
    case DT_E_EXISTS:
        return "DT_E_EXISTS";
    case DT_E_STATE:
        return "DT_E_STATE";
    case DT_E_EXPIRED:
        return "DT_E_EXPIRED";
    case DT_E_CRYPTO:
        return "DT_E_CRYPTO";
    case DT_E_IO:
        return "DT_E_IO";
    case DT_E_UNAVAILABLE:
        return "DT_E_UNAVAILABLE";
    case DT_E_PERMISSION:
        return "DT_E_PERMISSION";
    case DT_E_GONE:
        return "DT_E_GONE";
    default:
        return "DT_E_UNNAMED";
    }
}
