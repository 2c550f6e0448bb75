/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether devtrust-signals hears, by what it says itself. signals.c defines it, beside the command. */
#ifndef DT_CTL_SIGNALS_H
#define DT_CTL_SIGNALS_H

#include "core/config/config.h"

typedef enum dt_signals_state {
    DT_SIGNALS_NOT_ASKED = 0, /* the configuration names nobody who is to be heard */
    DT_SIGNALS_UNSEEN,        /* this user may not read it */
    DT_SIGNALS_FINE,
    DT_SIGNALS_WRONG,
} dt_signals_state;

#define DT_SIGNALS_ABOUT_MAX 256

/* `about` says what is wrong, or why nothing was seen; else it is "". */
dt_signals_state dt_signals_look(dt_config const *c, char about[DT_SIGNALS_ABOUT_MAX]);

#endif
