/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sshd's options, from `sshd -T`: which ways to log in it offers, and which of them PAM sees. */
#ifndef DT_CTL_SSHD_OPTIONS_H
#define DT_CTL_SSHD_OPTIONS_H

#include "core/base/bytes.h"

#define DT_SSHD_OUTPUT_MAX (256 * 1024)
#define DT_SSHD_WAIT DT_SECONDS(10) /* for sshd -T */
#define DT_SSHD_METHODS_MAX 8       /* methods of one alternative */
#define DT_SSHD_WAYS_MAX 32         /* alternatives of AuthenticationMethods */

typedef struct dt_sshd_way {
    char const *
        methods[DT_SSHD_METHODS_MAX]; /* "publickey", "keyboard-interactive", ..., without ":pam" */
    size_t count;
} dt_sshd_way;

typedef struct dt_sshd_options {
    dt_buf text; /* what the others point into */
    char const *use_pam, *kbd_interactive, *password, *public_key, *gssapi, *host_based,
        *root_login, *empty_passwords, *use_dns, *tunnel, *methods;
    long grace; /* LoginGraceTime, seconds; 0 = no limit */
    bool any;   /* AuthenticationMethods any: each way is one enabled method */
    dt_sshd_way ways[DT_SSHD_WAYS_MAX];
    size_t way_count;
} dt_sshd_options;

/* Reads what `sshd -T` prints; `text` is taken over, also on error. DT_E_PARSE where something that is
 * needed is missing, DT_E_LIMIT. Pure. */
DT_MUST_USE int dt_sshd_options_parse(dt_buf *text, dt_sshd_options *out, dt_error *e);
/* Runs it for one user. `config` may be NULL. DT_E_IO with what sshd said. */
DT_MUST_USE int dt_sshd_options_read(char const *program, char const *config, char const *user,
                                     dt_sshd_options *out, dt_error *e);
void dt_sshd_options_free(dt_sshd_options *o);
/* True for "yes". */
bool dt_sshd_is_on(char const *value);
bool dt_sshd_way_has(dt_sshd_way const *w, char const *method);
/* False where a method of it is switched off; *option is then what to set. */
bool dt_sshd_way_is_open(dt_sshd_options const *o, dt_sshd_way const *w, char const **option);

#endif
