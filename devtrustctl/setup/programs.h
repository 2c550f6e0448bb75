/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that setup runs on this host: the checks of sshd and FreeRADIUS, and systemctl. Never with a secret. */
#ifndef DT_SETUP_PROGRAMS_H
#define DT_SETUP_PROGRAMS_H

#include "core/base/bytes.h"

#define DT_PROGRAM_SECONDS 120             /* then it is ended */
#define DT_PROGRAM_OUTPUT_MAX (512 * 1024) /* what is read of what it writes */

/* Runs argv (ends with NULL) with an empty standard input and a plain environment, and appends what it writes to
 * `out`. DT_E_NOT_FOUND when there is no such program, DT_E_UNAVAILABLE with its last line when it fails or takes too
 * long. */
DT_MUST_USE int dt_program_run(char const *const *argv, dt_buf *out, dt_error *e);

#endif
