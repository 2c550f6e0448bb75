/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as text and back. Pure: no time zone of the machine. */
#ifndef DT_CORE_TIME_TEXT_H
#define DT_CORE_TIME_TEXT_H

#include "core/base/bytes.h"

#define DT_UTC_OFFSET_MAX (15 * 60) /* minutes; the farthest in use are -12 and +14 hours */

/* RFC 3339 in UTC with milliseconds, 24 characters and a NUL. */
void dt_time_format(char out[25], dt_time t);
/* RFC 3339 / ISO 8601 UTC timestamps as Graph and Okta write them ("2026-08-20T10:11:12Z", with or
 * without a fraction). Years 0001 and 9999 are sentinels: DT_E_PARSE only for bad form; the value
 * is clamped to 0 and DT_TIME_NEVER. */
DT_MUST_USE int dt_time_parse(char const *text, dt_time *out);
/* A moment as a person writes it, ISO 8601: "2026-08-20T10:11", seconds after it or not, then "Z", an
 * offset from UTC ("+02:00"), or nothing. *utc_offset is in minutes east of UTC. Without an offset
 * *out is what it would be in UTC: subtract the offset that is meant. Years 1971 to 9998. DT_E_PARSE
 * for another form, and for a day, a time of day or an offset that there is not. */
DT_MUST_USE int dt_time_parse_local(char const *text, dt_time *out, int *utc_offset,
                                    bool *offset_given);

#endif
