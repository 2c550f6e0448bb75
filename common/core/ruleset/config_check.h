/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules between the keys of a configuration. */
#ifndef DT_CORE_CONFIG_CHECK_H
#define DT_CORE_CONFIG_CHECK_H

#include "core/config/config.h"

/* Every rule that looks at more than one key, of a configuration that dt_config_finish has finished.
 * DT_E_INVALID with file, line and key. Pure; thread safe. */
DT_MUST_USE int dt_config_check(dt_config const *c, char const *file, dt_error *e);

#endif
