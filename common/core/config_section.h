/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the other files of the configuration need of config_section.c: sections that have a name. */
#ifndef DT_CORE_CONFIG_SECTION_H
#define DT_CORE_CONFIG_SECTION_H

#include "core/config.h"

/* The NAME of "KIND NAME"; NULL when the section is of another kind or has none. */
char const *dt_config_section_name(char const *section, char const *kind);
/* The section [application NAME]; NULL when there is none. */
dt_config_application *dt_config_application_find(dt_config const *c, char const *name);
/* Sections with a name that say nothing are somebody's mistake. DT_E_INVALID with file and line. */
DT_MUST_USE int dt_config_sections_finish(dt_config const *c, char const *file, dt_error *e);
void dt_config_sections_free(dt_config *c);

#endif
