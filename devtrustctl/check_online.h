/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl check-config --online: asks Okta and Microsoft what only they can tell of a configuration: do they
 * answer, do they take the credential, does it have the rights that the configuration needs. Nobody's phone rings
 * and nothing is changed. */
#ifndef DT_CTL_CHECK_ONLINE_H
#define DT_CTL_CHECK_ONLINE_H

#include "devtrustctl/finding.h"

#include "edge/site.h"

/* Asks, and reports each finding as it comes; their names begin with "okta.", "microsoft." and "ocsp.". */
void dt_check_online(dt_site const *site, dt_findings *findings);

#endif
