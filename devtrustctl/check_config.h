/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl check-config, for other commands that check: everything but the PAM services. */
#ifndef DT_CTL_CHECK_CONFIG_H
#define DT_CTL_CHECK_CONFIG_H

#include "devtrustctl/finding.h"

#include "edge/site.h"

/* Loads what the file at `path` names and checks it as `user`, or, with NULL and as root, as the user who will run it;
 * `online`: Okta and Microsoft, too. Reports and counts each finding; their names begin with "config.", "okta.",
 * "microsoft." and "ocsp.". True when it loads: then *site is it, as this process may read it, and the caller's to free; else NULL. */
bool dt_config_check_run(char const *path, char const *user, bool online, dt_findings *findings,
                         dt_site **site);

#endif
