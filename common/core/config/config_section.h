/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the other files of the configuration need of config_section.c: sections that have a name. */
#ifndef DT_CORE_CONFIG_SECTION_H
#define DT_CORE_CONFIG_SECTION_H

#include "core/config/config.h"

/* Where a value goes: the field of `key` in `base`, and the line that gave it. */
typedef struct dt_config_place {
    void *base;
    dt_config_key const *key; /* NULL: the section has no such key */
    int *line;
} dt_config_place;
/* The place of a key in a section with a name that was opened; false when it is not such a section. */
bool dt_config_place_find(dt_config const *c, char const *section, char const *name,
                          dt_config_place *out);
/* Gives a field its default; of config.c. */
DT_MUST_USE int dt_config_set_default(void *base, dt_config_key const *k, dt_error *e);
/* The section [application NAME]; NULL when there is none. */
dt_config_application *dt_config_application_find(dt_config const *c, char const *name);
/* Sections with a name that say nothing are somebody's mistake, and so is one without a key that it
 * needs. DT_E_INVALID with file and line. */
DT_MUST_USE int dt_config_sections_finish(dt_config const *c, char const *file, dt_error *e);
void dt_config_sections_free(dt_config *c);

#endif
