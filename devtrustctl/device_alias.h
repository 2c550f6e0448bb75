/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device alias: the names by which VPN clients call devices, and filing them by a sync. */
#ifndef DT_CTL_DEVICE_ALIAS_H
#define DT_CTL_DEVICE_ALIAS_H

#include "devtrustctl/ctl.h"

#include "core/intune/intune.h"
#include "edge/store.h"

/* An alias that a sync filed and none has confirmed since is dropped: the device has another name now,
 * or is gone. */
#define DT_ALIAS_SYNCED_LIFE DT_HOURS(30 * 24)

/* Files the names that Graph's list gives for a device, as the sync that began at `synced` found them:
 * its Wi-Fi MAC address, and its name where no character of it was escaped or cut. DT_E_UNAVAILABLE. */
DT_MUST_USE int dt_device_aliases_file(dt_store *s, dt_intune_device const *d, dt_time synced,
                                       dt_error *e);

/* argv[0] is the verb: list, add, remove. */
dt_ctl_exit dt_ctl_device_alias(dt_ctl_command const *self, int argc, char **argv);

#endif
