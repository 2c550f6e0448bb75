/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device show, refresh, forget, sync: what the cache knows of Intune's devices. */
#ifndef DT_CTL_DEVICE_CACHE_H
#define DT_CTL_DEVICE_CACHE_H

#include "devtrustctl/ctl.h"

/* True for a verb that is handled here. */
bool dt_ctl_is_cache_verb(char const *verb);
/* argv[0] is the verb. */
dt_ctl_exit dt_ctl_device_cache(dt_ctl_command const *self, int argc, char **argv);

#endif
