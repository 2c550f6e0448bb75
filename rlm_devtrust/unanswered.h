/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Challenges that nobody answers. Nothing comes from a gateway that gave up, or from a person who went away: when the
 * State has expired its sign-on is ended here, so that its push is cancelled and it gets its event. A server that
 * was started anew does not know those from before. */
#ifndef DT_RLM_UNANSWERED_H
#define DT_RLM_UNANSWERED_H

#include "rlm_devtrust/challenge.h"

#define DT_UNANSWERED_MAX 16384 /* looked after at a time; of more nothing is said */

typedef struct dt_unanswered dt_unanswered;

/* `d` has its own thread, and is there until dt_unanswered_close. NULL without memory. */
dt_unanswered *dt_unanswered_new(dt_driver *d);
/* Looks after a challenge. Thread safe. */
void dt_unanswered_expect(dt_unanswered *u, dt_challenge_open const *open);
/* On the loop's thread: looks after none any more. */
void dt_unanswered_close(dt_unanswered *u);
/* After dt_driver_free. NULL is fine. */
void dt_unanswered_free(dt_unanswered *u);

#endif
