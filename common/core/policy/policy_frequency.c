/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often MFA is asked for: Okta's words and ISO 8601 durations, as lengths of time. */
#include "core/policy/policy_rules.h"

#include <stdio.h>
#include <string.h>

#define DT_MONTH DT_DAYS(30)
#define DT_YEAR DT_DAYS(365)

dt_config_word const dt_frequency_words[] = {
    {"EVERY_SIGN_ON", DT_FREQUENCY_EVERY_SIGN_ON},
    {"ONCE_PER_SESSION", DT_FREQUENCY_ONCE_PER_SESSION},
    {"ONCE_A_DAY", DT_FREQUENCY_ONCE_A_DAY},
    {"ONCE_A_WEEK", DT_FREQUENCY_ONCE_A_WEEK},
    {"ONCE_A_MONTH", DT_FREQUENCY_ONCE_A_MONTH},
    {"ONCE_PER_SIX_MONTHS", DT_FREQUENCY_ONCE_PER_SIX_MONTHS},
    {"ONLY_ONCE", DT_FREQUENCY_ONLY_ONCE},
    {NULL, 0}};

char const *dt_frequency_name(dt_frequency f)
{
    if (f == DT_FREQUENCY_DURATION)
        return "DURATION";
    for (dt_config_word const *w = dt_frequency_words; w->word != NULL; w++)
        if (w->value == (int)f)
            return w->word;
    return dt_frequency_words[0].word;
}

dt_time dt_frequency_lifetime(dt_frequency f)
{
    switch (f) {
    case DT_FREQUENCY_ONCE_A_DAY:
        return DT_DAYS(1);
    case DT_FREQUENCY_ONCE_A_WEEK:
        return DT_DAYS(7);
    case DT_FREQUENCY_ONCE_A_MONTH:
        return DT_MONTH;
    case DT_FREQUENCY_ONCE_PER_SIX_MONTHS:
        return 6 * DT_MONTH;
    case DT_FREQUENCY_ONLY_ONCE:
        return DT_TIME_NEVER;
    default:
        return 0;
    }
}

/* --- ISO 8601 durations ------------------------------------------------------------------------ */

/* Reads digits and the one unit that fits them; what is left of `units` begins behind it, for the
 * order of ISO 8601 section 5.5.2.2 is fixed. */
static int part_parse(char const **text, char const **units, dt_time const *lengths, dt_time *sum)
{
    char const *p = *text;
    char const *unit;
    int64_t n = 0;

    if (*p < '0' || *p > '9')
        return DT_E_PARSE;
    for (; *p >= '0' && *p <= '9'; p++)
        n = n > DT_FREQUENCY_MAX ? n : n * 10 + (*p - '0');
    unit = *p == '\0' ? NULL : strchr(*units, *p);
    if (unit == NULL)
        return DT_E_PARSE;
    if (n > DT_FREQUENCY_MAX / lengths[unit - *units])
        *sum = DT_FREQUENCY_MAX + 1;
    else if (*sum <= DT_FREQUENCY_MAX)
        *sum += n * lengths[unit - *units];
    *units = unit + 1;
    *text = p + 1;
    return DT_OK;
}

static int parts_parse(char const **text, char const *units, dt_time const *lengths, dt_time *sum)
{
    while (**text != '\0' && **text != 'T') {
        char const *before = units;
        int rc = part_parse(text, &units, lengths, sum);
        if (rc != DT_OK)
            return rc;
        lengths += units - before;
    }
    return DT_OK;
}

int dt_iso_duration_parse(char const *text, dt_time *out)
{
    static dt_time const dates[] = {DT_YEAR, DT_MONTH, DT_DAYS(7), DT_DAYS(1)};
    static dt_time const times[] = {DT_HOURS(1), DT_MINUTES(1), DT_SECONDS(1)};
    dt_time sum = 0;
    int rc;

    *out = 0;
    if (text == NULL || *text++ != 'P' || *text == '\0')
        return DT_E_PARSE;
    rc = parts_parse(&text, "YMWD", dates, &sum);
    if (rc == DT_OK && *text == 'T') {
        text++;
        rc = *text == '\0' ? DT_E_PARSE : parts_parse(&text, "HMS", times, &sum);
    }
    if (rc != DT_OK || *text != '\0')
        return DT_E_PARSE;
    if (sum > DT_FREQUENCY_MAX)
        return DT_E_LIMIT;
    *out = sum;
    return DT_OK;
}

static void put_part(dt_buf *b, int64_t n, char unit)
{
    if (n == 0)
        return;
    dt_buf_put_int(b, n);
    dt_buf_putc(b, unit);
}

char *dt_iso_duration_format(char dst[DT_DURATION_TEXT_MAX], dt_time duration)
{
    dt_time s = duration > 0 ? duration / DT_SECONDS(1) : 0;
    dt_buf b;

    dt_buf_init_fixed(&b, dst, DT_DURATION_TEXT_MAX);
    dt_buf_putc(&b, 'P');
    put_part(&b, s / 86400, 'D');
    if (s % 86400 != 0 || s == 0)
        dt_buf_putc(&b, 'T');
    put_part(&b, s / 3600 % 24, 'H');
    put_part(&b, s / 60 % 60, 'M');
    put_part(&b, s % 60, 'S');
    if (s == 0)
        dt_buf_puts(&b, "0S");
    return dst;
}

/* --- of a decision ----------------------------------------------------------------------------- */

char *dt_decision_frequency_text(char dst[DT_DURATION_TEXT_MAX], dt_decision const *d)
{
    if (d->frequency == DT_FREQUENCY_DURATION)
        return dt_iso_duration_format(dst, d->lifetime);
    /* Every word is shorter. */
    if (dt_str_copy(dst, DT_DURATION_TEXT_MAX, dt_frequency_name(d->frequency)) != DT_OK)
        dst[0] = '\0';
    return dst;
}
