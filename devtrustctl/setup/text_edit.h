/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes that setup makes in files that belong to somebody else: devtrust.conf, PAM services, radiusd.conf. Pure:
 * text in, text out. Each change is the smallest that does it, is the same when it is made again, and is refused
 * where the file is not as expected. */
#ifndef DT_SETUP_TEXT_EDIT_H
#define DT_SETUP_TEXT_EDIT_H

#include "core/base/bytes.h"

#define DT_EDIT_TEXT_MAX (256 * 1024) /* longest file that is changed */

/* Sets a key of devtrust.conf: in its line, else in the line where it is commented out, else as the first line of
 * its section, which is added where it is missing. value NULL: the line becomes a comment, and the default holds.
 * `text` is replaced. DT_E_LIMIT, DT_E_NOMEM. */
DT_MUST_USE int dt_edit_conf(dt_buf *text, char const *section, char const *key, char const *value,
                             dt_error *e);

/* How a PAM service has to ask. */
typedef struct dt_pam_shape {
    bool account;       /* an account line */
    bool rootok;        /* but not for root (su) */
    bool session;       /* a session line, the first of all (sshd) */
    bool take_passcode; /* a line that takes a passcode off after the password */
    bool key_only;      /* the key was the first factor: no password is asked for */
} dt_pam_shape;

/* Writes the lines of pam_devtrust.so into a PAM service file. The lines are marked, so that those of an earlier
 * run are taken out first. `path` is for messages. DT_E_INVALID where the file has no single "@include common-
 * auth" (and "@include common-account") to stand beside, has lines of pam_devtrust.so that are not ours, or is not
 * text. */
DT_MUST_USE int dt_edit_pam(dt_bytes text, char const *path, dt_pam_shape const *shape, dt_buf *out,
                            dt_error *e);
/* Takes the lines of setup out again. False when there are none. */
bool dt_edit_pam_remove(dt_bytes text, dt_buf *out);
/* Whether the file has the line "@include NAME". */
bool dt_pam_has_include(dt_bytes text, char const *name);
/* Whether every line that is not a comment is "auth include SERVICE": a lock screen as Debian has it. */
bool dt_pam_only_includes(dt_bytes text);
/* Whether the file has a line of pam_devtrust.so, ours or not. */
bool dt_pam_names_devtrust(dt_bytes text);

/* In radiusd.conf: max_request_time of at least `seconds`, and with `include` the line "$INCLUDE include" after
 * that of clients.conf. DT_E_INVALID where there is no such line, or more than one. */
DT_MUST_USE int dt_edit_radiusd(dt_bytes text, char const *path, int seconds, char const *include,
                                dt_buf *out, dt_error *e);
/* Replaces the value of every "key = value" line that is not a comment. */
void dt_edit_values(dt_bytes text, char const *key, char const *value, dt_buf *out);

/* In a file of groups, as group(5): adds the member to the group's line. DT_E_NOT_FOUND without such a group. */
DT_MUST_USE int dt_edit_member(dt_bytes text, char const *group, char const *member, bool there,
                               dt_buf *out, dt_error *e);

#endif
