/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that read Security Event Tokens. */
#ifndef DT_CORE_SET_INTERNAL_H
#define DT_CORE_SET_INTERNAL_H

#include "core/signals/set.h"

/* Reads "events" and the subject of claims that were checked. NULL, or what is wrong. (set_events.c) */
char const *dt_set_read_events(dt_json const *claims, dt_set_expected const *x, dt_set *out);

#endif
