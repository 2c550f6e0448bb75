/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/moment.h"

#include "core/base/time_text.h"
#include "core/config/config.h"

#include <string.h>
#include <time.h>

#define SHOWN_MAX 80 /* as much of a text as a message repeats */
#define DATE_LEN 10  /* YYYY-MM-DD */
#define TEXT_MAX 64

/* The day after it may be of 23 or 25 hours: mktime(3) counts days, not hours. */
static int from_local(struct tm t, int days, dt_time *out)
{
    time_t seconds;

    t.tm_mday += days;
    t.tm_isdst = -1;
    seconds = mktime(&t);
    *out = DT_SECONDS(seconds);
    return seconds == (time_t)-1 ? DT_E_INVALID : DT_OK;
}

/* Midnight, so many days after today's. */
static int from_today(dt_time now, int days, dt_time *out)
{
    time_t const seconds = (time_t)(now / 1000);
    struct tm t;

    if (localtime_r(&seconds, &t) == NULL)
        return DT_E_INVALID;
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    return from_local(t, days, out);
}

/* In the form that dt_time_parse_local reads; false when it is too long. */
static bool complete(char const *text, bool *is_day, char out[TEXT_MAX])
{
    char const *rest = text + strnlen(text, DATE_LEN);
    dt_buf b;

    *is_day = *rest != 'T' && *rest != ' ';
    dt_buf_init_fixed(&b, out, TEXT_MAX);
    dt_buf_put(&b, text, (size_t)(rest - text));
    dt_buf_puts(&b, *is_day ? "T00:00" : "T");
    dt_buf_puts(&b, *is_day ? rest : rest + 1);
    return dt_buf_error(&b) == DT_OK;
}

static int from_iso(char const *text, dt_moment_side side, dt_time *out)
{
    char whole[TEXT_MAX];
    int offset, days;
    bool is_day, has_offset;
    time_t seconds;
    struct tm t;

    if (!complete(text, &is_day, whole) ||
        dt_time_parse_local(whole, out, &offset, &has_offset) < 0)
        return dt_time_parse(text, out); /* with a fraction of a second, as events have it */
    days = is_day && side == DT_MOMENT_UNTIL ? 1 : 0;
    if (has_offset) {
        *out += DT_DAYS(days);
        return DT_OK;
    }
    seconds = (time_t)(*out / 1000);
    return gmtime_r(&seconds, &t) != NULL ? from_local(t, days, out) : DT_E_INVALID;
}

static int read_any(char const *text, dt_time now, dt_moment_side side, dt_time *out)
{
    int const end = side == DT_MOMENT_UNTIL ? 1 : 0;
    int64_t age = 0;

    if (dt_duration_parse(text, &age) == DT_OK && age >= 0) {
        *out = age < now ? now - age : 0;
        return DT_OK;
    }
    if (strcmp(text, "now") == 0) {
        *out = now;
        return DT_OK;
    }
    if (strcmp(text, "today") == 0)
        return from_today(now, end, out);
    if (strcmp(text, "yesterday") == 0)
        return from_today(now, end - 1, out);
    return from_iso(text, side, out);
}

int dt_moment_read(char const *option, char const *text, dt_time now, dt_moment_side side,
                   dt_time *out, dt_error *e)
{
    char shown[SHOWN_MAX];

    if (read_any(text, now, side, out) == DT_OK)
        return DT_OK;
    *out = 0;
    return dt_error_set(e, DT_E_INVALID,
                        "%s \"%s\": neither an age such as 30m, 2h or 7d, nor now, today or "
                        "yesterday, nor a date such as 2026-11-23 or 2026-11-23T08:00 (local time; "
                        "add Z or +01:00 for another)",
                        option, dt_str_escape(shown, sizeof(shown), text));
}
