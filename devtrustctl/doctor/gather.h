/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at this host: fills the facts. Changes nothing. */
#ifndef DT_DOCTOR_GATHER_H
#define DT_DOCTOR_GATHER_H

#include "devtrustctl/doctor/facts.h"

#include "core/config/config.h"

/* PAM, the daemon and the clock. `c` is NULL where the configuration does not load. */
void dt_doctor_gather_host(dt_config const *c, dt_facts *out);
/* FreeRADIUS, if it is there and its configuration names devtrust (raddb_gather.c). True when it does. */
bool dt_doctor_gather_radius(dt_time now, dt_facts *out);
/* Whether systemctl is-enabled says so (gather.c). */
bool dt_doctor_unit_is_enabled(char const *unit);

#endif
