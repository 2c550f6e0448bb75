/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl check-config --online: asks Okta and Microsoft what only they can tell of a configuration: do they
 * answer, do they take the credential, does it have the rights that the configuration needs. Nobody's phone rings
 * and nothing is changed. */
#ifndef DT_CTL_CHECK_ONLINE_H
#define DT_CTL_CHECK_ONLINE_H

#include "edge/site.h"

typedef struct dt_online_count {
    size_t warnings, faults;
} dt_online_count;

/* Asks, and prints each finding as it comes: a line for people, or with `json` an object. Adds to *count. */
void dt_check_online(dt_site const *site, bool json, dt_online_count *count);

#endif
