/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What config.c needs of config_value.c: one written value into its field. */
#ifndef DT_CORE_CONFIG_VALUE_H
#define DT_CORE_CONFIG_VALUE_H

#include "core/config/config.h"

/* Parses `value` by the key's type and puts it into its field of `base`, a dt_config, a dt_config_ca, a
 * dt_config_nas or a dt_config_message, whose former content is freed. On
 * DT_E_INVALID the field is as it was and `why` says "what is wrong; what to write instead". */
DT_MUST_USE int dt_config_value_set(void *base, dt_config_key const *k, char const *value,
                                    dt_buf *why);
/* Makes the field what it is in `from`; true in *differed when it was another. Not for lists,
 * which are all reloadable: DT_E_STATE. */
DT_MUST_USE int dt_config_value_copy(dt_config *c, dt_config const *from, dt_config_key const *k,
                                     bool *differed);
/* Frees what the field owns, if anything, and zeroes it. */
void dt_config_value_free(void *base, dt_config_key const *k);

#endif
