/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What config.c needs of config_check.c: the rules between keys. */
#ifndef DT_CORE_CONFIG_CHECK_H
#define DT_CORE_CONFIG_CHECK_H

#include "core/config.h"

/* Every rule that looks at more than one key. DT_E_INVALID with file, line and key. */
DT_MUST_USE int dt_config_check(dt_config const *c, char const *file, dt_error *e);
/* The error "file:line: [section] key: why", the line being where the key was given, if it was. */
int dt_config_refuse(dt_config const *c, char const *file, char const *section, char const *name,
                     dt_error *e, char const *why);

#endif
