/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as text and back, by own arithmetic: the C library's functions read the time zone and take
 * locks, and the core does neither. Days are counted in the proleptic Gregorian calendar. */
#include "core/base/time_text.h"

#include <string.h>

#define DT_MS_PER_DAY DT_DAYS(1)
#define DT_FRACTION_DIGITS 9 /* most digits of a fraction; Graph writes 7 */
#define DT_YEAR_MAX 9999
#define DT_LOCAL_YEAR_MIN 1971 /* no offset takes it below 1, which would say "not known" */
/* 9999-12-31T23:59:59.999Z */
#define DT_TIME_LAST INT64_C(253402300799999)

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; month and day count from 1. Years begin in
 * March here, so that the leap day is the last one and every month's offset is (153 m + 2) / 5. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* The opposite, for days of 1970 and later. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t m = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static char *put_digits(char *p, int value, int digits)
{
    for (int i = digits; i-- > 0; value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + digits;
}

void dt_time_format(char out[25], dt_time t)
{
    int year, month, day, ms;
    char *p = out;

    t = t < 0 ? 0 : t > DT_TIME_LAST ? DT_TIME_LAST : t;
    civil_from_days(t / DT_MS_PER_DAY, &year, &month, &day);
    ms = (int)(t % DT_MS_PER_DAY);
    p = put_digits(p, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, ms / 3600000, 2);
    *p++ = ':';
    p = put_digits(p, ms / 60000 % 60, 2);
    *p++ = ':';
    p = put_digits(p, ms / 1000 % 60, 2);
    *p++ = '.';
    p = put_digits(p, ms % 1000, 3);
    *p++ = 'Z';
    *p = '\0';
}

/* --- parsing ----------------------------------------------------------------------------------- */

/* Reads exactly so many digits and the character after them ('\0': none is looked at). Moves on. */
static bool take_digits(char const **s, int digits, char behind, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    if (behind == '\0')
        return true;
    return *(*s)++ == behind;
}

/* ".123" as milliseconds, cut; nothing there is 0. */
static bool take_fraction(char const **s, int *ms)
{
    int n = 0;
    *ms = 0;
    if (**s != '.')
        return true;
    for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, n++)
        if (n < 3)
            *ms = *ms * 10 + (**s - '0');
    for (int i = n; i < 3; i++)
        *ms *= 10;
    return n >= 1 && n <= DT_FRACTION_DIGITS;
}

static int days_in_month(int year, int month)
{
    static int const days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int dt_time_parse(char const *text, dt_time *out)
{
    int year, month, day, hour, minute, second, ms;
    char const *s = text;
    dt_time t;

    *out = 0;
    if (s == NULL || !take_digits(&s, 4, '-', &year) || !take_digits(&s, 2, '-', &month) ||
        !take_digits(&s, 2, 'T', &day) || !take_digits(&s, 2, ':', &hour) ||
        !take_digits(&s, 2, ':', &minute) || !take_digits(&s, 2, '\0', &second) ||
        !take_fraction(&s, &ms) || strcmp(s, "Z") != 0)
        return DT_E_PARSE;
    /* Second 60 is a leap second, RFC 3339 section 5.6: it counts as the one behind it. */
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return DT_E_PARSE;
    t = days_from_civil(year, month, day) * DT_MS_PER_DAY + DT_HOURS(hour) + DT_MINUTES(minute) +
        DT_SECONDS(second) + ms;
    *out = year == DT_YEAR_MAX ? DT_TIME_NEVER : t < 0 ? 0 : t;
    return DT_OK;
}

/* "Z", "+01:00", or nothing at all. */
static bool take_offset(char const **s, int *minutes, bool *given)
{
    int sign = **s == '-' ? -1 : 1, hours, rest;

    *minutes = 0;
    *given = **s != '\0';
    if (!*given)
        return true;
    if (**s == 'Z') {
        (*s)++;
        return true;
    }
    if ((**s != '+' && **s != '-') || ((*s)++, !take_digits(s, 2, ':', &hours)) ||
        !take_digits(s, 2, '\0', &rest) || rest > 59)
        return false;
    *minutes = sign * (hours * 60 + rest);
    return *minutes >= -DT_UTC_OFFSET_MAX && *minutes <= DT_UTC_OFFSET_MAX;
}

int dt_time_parse_local(char const *text, dt_time *out, int *utc_offset, bool *offset_given)
{
    int year, month, day, hour, minute, second = 0;
    char const *s = text;
    dt_time t;

    *out = 0;
    *utc_offset = 0;
    *offset_given = false;
    if (s == NULL || !take_digits(&s, 4, '-', &year) || !take_digits(&s, 2, '-', &month) ||
        !take_digits(&s, 2, 'T', &day) || !take_digits(&s, 2, ':', &hour) ||
        !take_digits(&s, 2, '\0', &minute))
        return DT_E_PARSE;
    if (*s == ':' && (s++, !take_digits(&s, 2, '\0', &second)))
        return DT_E_PARSE;
    if (!take_offset(&s, utc_offset, offset_given) || *s != '\0')
        return DT_E_PARSE;
    if (year < DT_LOCAL_YEAR_MIN || year >= DT_YEAR_MAX || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59)
        return DT_E_PARSE;
    t = days_from_civil(year, month, day) * DT_MS_PER_DAY + DT_HOURS(hour) + DT_MINUTES(minute) +
        DT_SECONDS(second);
    *out = t - DT_MINUTES(*utc_offset);
    return DT_OK;
}
