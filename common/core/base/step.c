/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of what a step may ask for, and what its end means. */
#include "core/base/step.h"

#include <string.h>

#define SERVER_ERROR_FIRST 500
#define SERVER_ERROR_LAST 599

bool dt_http_is_unavailable(dt_http_failure failure, int status)
{
    switch (failure) {
    case DT_HTTP_NO_NAME:
    case DT_HTTP_NO_ROUTE:
    case DT_HTTP_REFUSED:
    case DT_HTTP_RESET:
    case DT_HTTP_TIMEOUT:
    case DT_HTTP_PROXY_FAILED:
    case DT_HTTP_PAUSED:
        return true;
    case DT_HTTP_OK:
        return status >= SERVER_ERROR_FIRST && status <= SERVER_ERROR_LAST;
    default:
        return false;
    }
}

bool dt_http_was_long(dt_http_response const *r)
{
    return dt_http_is_unavailable(r->failure, r->status) && r->took >= DT_HTTP_LONG;
}

bool dt_http_is_local(dt_http_failure failure)
{
    switch (failure) {
    case DT_HTTP_OK:
    case DT_HTTP_NO_NAME:
    case DT_HTTP_NO_ROUTE:
    case DT_HTTP_REFUSED:
    case DT_HTTP_RESET:
    case DT_HTTP_TIMEOUT:
    case DT_HTTP_PROXY_FAILED:
    case DT_HTTP_PAUSED:
    case DT_HTTP_BROKEN:
    case DT_HTTP_NO_CREDENTIALS:
        return false;
    default:
        return true;
    }
}

char const *dt_store_table_name(dt_store_table t)
{
    switch (t) {
    case DT_TABLE_DEVICE:
        return "device";
    case DT_TABLE_LOOKUP:
        return "lookup";
    case DT_TABLE_REMEMBERED:
        return "remembered";
    case DT_TABLE_PUSH:
        return "push";
    case DT_TABLE_PUSH_COUNT:
        return "push_count";
    case DT_TABLE_STATE:
        return "state";
    case DT_TABLE_PASSWORD_COUNT:
        return "password_count";
    case DT_TABLE_SESSION:
        return "session";
    case DT_TABLE_TRIED:
        return "tried";
    case DT_TABLE_NONE:
    case DT_TABLE_COUNT:
        break;
    }
    return "none";
}

bool dt_store_table_is_limit(dt_store_table t)
{
    return t == DT_TABLE_PUSH || t == DT_TABLE_PUSH_COUNT || t == DT_TABLE_PASSWORD_COUNT;
}

void dt_prompt_join(dt_prompt const *prompt, char out[DT_PROMPT_TEXT_MAX])
{
    size_t len = strlen(prompt->text);
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_PROMPT_TEXT_MAX);
    while (prompt->note[0] != '\0' && len > 0 && strchr(": ", prompt->text[len - 1]) != NULL)
        len--;
    dt_buf_put(&b, prompt->text, len);
    if (prompt->note[0] == '\0')
        return;
    dt_buf_puts(&b, ". ");
    dt_buf_put(&b, prompt->note, strnlen(prompt->note, DT_PROMPT_TEXT_MAX - 1 - b.len));
}
