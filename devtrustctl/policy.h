/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy: what its subcommands share. */
#ifndef DT_CTL_POLICY_H
#define DT_CTL_POLICY_H

#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"

#include "devtrustctl/policy/okta_import.h"
#include "edge/site.h"

#define DT_CTL_ZONES_TEXT_MAX (256 * 1024 * 1024) /* a million networks, indented */
#define DT_CTL_LISTED_MAX DT_IMPORT_SKIPPED_ZONES /* names in one --skip-zones */

/* Where the org's policies come from, and which of them. */
typedef struct dt_policy_source {
    char const *config, *from, *save; /* --config, --from, --save */
    char const *policy, *app;         /* --policy, --app */
    bool org;                         /* --org-sign-on: the OKTA_SIGN_ON policies instead */
} dt_policy_source;

/* The document: read from --from, or fetched (and saved). *site has the configuration, and with
 * --from may be NULL where none could be read. `chosen` gets what to hand to dt_okta_import in the
 * place of --policy and --app; its strings live in `document` and `source`. */
DT_MUST_USE int dt_policy_document_get(dt_policy_source const *source, dt_site **site,
                                       dt_json **document, char const **policy, char const **app,
                                       dt_error *e);

/* Reads a JSON file as one that a login depends on. */
DT_MUST_USE int dt_json_file_read(char const *path, size_t max, dt_json **root, dt_error *e);

/* "A,B" to a list that ends with NULL; the text is cut in `storage`, which lives as long. */
DT_MUST_USE int dt_names_split(char const *text, char storage[DT_ARGUMENT_MAX + 1],
                               char const *names[DT_CTL_LISTED_MAX], dt_error *e);

dt_ctl_exit dt_policy_fetch_run(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_policy_import_run(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_policy_diff_run(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_policy_prove_run(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_policy_replay_run(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_policy_test_run(dt_ctl_command const *self, int argc, char **argv);

#endif
