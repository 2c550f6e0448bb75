/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From answers, and from what is there, to the list of edits. Reads through one function, writes nothing. */
#ifndef DT_SETUP_PLAN_H
#define DT_SETUP_PLAN_H

#include "devtrustctl/setup/answers.h"
#include "devtrustctl/setup/edits.h"

#define DT_SETUP_ANSWERS_PATH "/etc/devtrust/setup.answers"
#define DT_SETUP_RADDB "/etc/freeradius/3.0"
#define DT_SETUP_STATE_KEY_HEX 65

typedef int dt_setup_look(void *ctx, char const *path, dt_node *out, dt_error *e);

typedef struct dt_setup_input {
    dt_answers const *answers;
    dt_node *files; /* DT_ANSWER_COUNT: contents of the files that answers name */
    dt_radius_client const *clients;
    dt_node *client_secrets; /* one for each */
    size_t client_count;
    bool keep_clients;   /* their file stays as it is: the secrets are nowhere else by now */
    dt_setup_look *look; /* what is at a path of the system */
    void *ctx;
    uid_t owner;                            /* of new files: root */
    gid_t devtrust;                         /* group of secrets */
    gid_t freerad;                          /* group of what only FreeRADIUS reads */
    char state_key[DT_SETUP_STATE_KEY_HEX]; /* taken where there is none */
} dt_setup_input;

/* Fills `out`, which was initialised, with the edits that are due, in the order in which they are carried out; none
 * when everything is as it shall be. DT_E_INVALID, DT_E_NOT_FOUND with the file that stands in the way. */
DT_MUST_USE int dt_setup_plan(dt_setup_input const *in, dt_edits *out, dt_error *e);
/* Whether the answers want FreeRADIUS, or PAM. */
bool dt_setup_wants_radius(dt_answers const *a);
bool dt_setup_wants_pam(dt_answers const *a);
/* The same answers with the names of files as they are once setup has run. */
void dt_setup_settle(dt_answers const *a, dt_answers *out);

#endif
