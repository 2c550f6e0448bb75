/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One import as import and diff run it: the options, the notes, the texts. */
#ifndef DT_CTL_POLICY_IMPORT_H
#define DT_CTL_POLICY_IMPORT_H

#include "devtrustctl/policy.h"

typedef struct dt_import_run {
    dt_policy_source source;
    char const *application, *skip_zones;
    bool tighten, json;
    bool quiet; /* notes are collected and not shown as lines */
    char skip_storage[DT_ARGUMENT_MAX + 1];
    dt_site *site;
    dt_json *document;
    dt_import_counts counts;
    dt_buf notes; /* JSON, with commas between */
    dt_buf policy, zones;
} dt_import_run;

void dt_import_run_init(dt_import_run *r);
void dt_import_run_free(dt_import_run *r);
/* Gets the document and converts it; prints or collects the notes. DT_OK also when pieces were
 * refused: see counts. */
DT_MUST_USE int dt_import_run_convert(dt_import_run *r, dt_error *e);

#endif
