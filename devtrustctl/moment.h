/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments as an administrator types them: --since yesterday, --until "2026-11-23 08:00". */
#ifndef DT_CTL_MOMENT_H
#define DT_CTL_MOMENT_H

#include "core/base/bytes.h"

/* Which side of a day is meant by a day alone. */
typedef enum dt_moment_side {
    DT_MOMENT_SINCE = 0, /* its beginning */
    DT_MOMENT_UNTIL,     /* its end */
} dt_moment_side;

/* Reads
 *   an age: 30m, 2h, 7d (dt_duration_parse): so long before `now`
 *   now; today, yesterday: days
 *   ISO 8601: 2026-11-23 (a day), 2026-11-23T08:00, 2026-11-23T08:00:30; a blank may stand for the T
 * The latter may end with Z or with an offset (+01:00); without one they are in the time zone of this
 * process (TZ, /etc/localtime). A time that this zone leaves out, where clocks are put forward, is taken an hour
 * later. DT_E_INVALID, with `option` named in `e`. Not thread safe: mktime(3). */
DT_MUST_USE int dt_moment_read(char const *option, char const *text, dt_time now,
                               dt_moment_side side, dt_time *out, dt_error *e);

#endif
