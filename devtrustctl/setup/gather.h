/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collects the answers of setup: what an earlier run was answered, the answer file, the options, and the person at
 * the terminal; and reads the files that they name. */
#ifndef DT_SETUP_GATHER_H
#define DT_SETUP_GATHER_H

#include "devtrustctl/setup/plan.h"
#include "devtrustctl/setup/tree.h"

typedef struct dt_gathered {
    dt_answers answers;
    dt_node files[DT_ANSWER_COUNT];
    dt_radius_client clients[DT_SETUP_CLIENTS_MAX];
    dt_node client_secrets[DT_SETUP_CLIENTS_MAX];
    size_t client_count;
    bool
        keep_clients; /* an earlier run has written them, and the files of their secrets are gone */
} dt_gathered;

typedef struct dt_gather_options {
    char const *answers_file;            /* or NULL */
    char const *values[DT_ANSWER_COUNT]; /* of the command line, or NULL */
    bool enforce, report_only;
    bool ask; /* the person at the terminal, what nothing else answers */
} dt_gather_options;

/* DT_E_INVALID and the like, with what to answer. Free it in any case. */
DT_MUST_USE int dt_gather(dt_tree const *t, dt_gather_options const *o, dt_gathered **out,
                          dt_error *e);
void dt_gathered_free(dt_gathered **g);
/* Asks whether to go on; anything but "yes" is no. */
bool dt_gather_confirm(char const *question);

#endif
