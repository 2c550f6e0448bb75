/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that `policy prove` and `policy test` read alike. */
#ifndef DT_CTL_POLICY_PROVE_H
#define DT_CTL_POLICY_PROVE_H

#include "devtrustctl/policy.h"
#include "devtrustctl/prove/prove_run.h"

#include "core/base/json_reader.h"

#define DT_PATH_MAX 4096

/* A JSON file with its text, so that errors name the line. The zero value is an empty one. */
typedef struct dt_policy_text {
    dt_buf text;
    dt_json *root;
    dt_json_source source; /* borrows the path */
} dt_policy_text;

/* Free with dt_policy_text_free, also after a failure. */
DT_MUST_USE int dt_policy_text_read(char const *path, size_t max, dt_policy_text *out, dt_error *e);
void dt_policy_text_free(dt_policy_text *t);
/* "sshd.properties.json" of "sshd.json". */
DT_MUST_USE int dt_properties_path(char const *policy, char out[DT_PATH_MAX]);

#endif
