/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room ruleset: what all sign-ons share of one configuration.
 *
 * Begin with identity.h: dt_identity_make turns the name that a door received into the one dt_identity that rules,
 * caches, limits and remembered MFA go by. config_check.h has the rules between the keys of devtrust.conf, which
 * is in force only when all of them hold. service.h says which PAM services are variants of one (`sudo -i`). */
#ifndef DT_CORE_RULESET_H
#define DT_CORE_RULESET_H

#include "core/ruleset/config_check.h"
#include "core/ruleset/identity.h"
#include "core/ruleset/service.h"

#endif
