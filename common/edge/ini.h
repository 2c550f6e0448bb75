/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust.conf's text into a dt_config, by inih. The one file that knows inih.
 * ini_inih.c defines it. */
#ifndef DT_EDGE_INI_H
#define DT_EDGE_INI_H

#include "core/config/config.h"

/* Parses text and finishes and checks the config (dt_config_finish, dt_config_check). DT_E_INVALID carries
 * `name`:line. What inih would cut or pass over in silence is refused: long lines, NUL bytes, indented lines,
 * comments after a value, anything after a section's name, a key before any section, a section given twice. Not
 * thread safe: inih's limit on lines is a variable of the process, raised meanwhile. */
DT_MUST_USE int dt_ini_parse(dt_bytes text, char const *name, dt_config *c, dt_error *e);

#endif
