/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a system below a root: this host's ("/"), or those of an image that is being built. Paths are walked
 * one directory after the other and never through a symbolic link, so that nothing outside the root is touched. */
#ifndef DT_SETUP_TREE_H
#define DT_SETUP_TREE_H

#include "devtrustctl/setup/edits.h"

typedef struct dt_tree {
    int fd;     /* of the root */
    char *root; /* for messages; "" for "/" */
    uid_t also; /* who may own directories, too: FreeRADIUS's user */
} dt_tree;

/* Opens the root. DT_E_IO, DT_E_PERMISSION where others can write to it. Close with dt_tree_close. */
DT_MUST_USE int dt_tree_open(dt_tree *t, char const *root, dt_error *e);
void dt_tree_close(dt_tree *t);
/* Reads what is at a path into a node that was initialised. Nothing there is DT_NODE_ABSENT. DT_E_PERMISSION for a
 * special file, or a link on the way; DT_E_LIMIT, DT_E_IO. */
DT_MUST_USE int dt_tree_look(dt_tree const *t, char const *path, dt_node *out, dt_error *e);
/* Puts the node there: written beside it under a name that depends on the path alone, synced, renamed. The directory
 * must be there. DT_NODE_ABSENT removes what is there; a directory only when it is empty, else DT_E_EXISTS. */
DT_MUST_USE int dt_tree_put(dt_tree const *t, char const *path, dt_node const *n, dt_error *e);
/* Removes what a dt_tree_put that was killed has left beside the path. */
void dt_tree_clear(dt_tree const *t, char const *path);
/* The id of a user of etc/passwd below the root; false when there is none. */
bool dt_tree_user(dt_tree const *t, char const *name, uid_t *out);
/* The id of a group of etc/group below the root. DT_E_NOT_FOUND. */
DT_MUST_USE int dt_tree_group(dt_tree const *t, char const *name, gid_t *out, dt_error *e);

#endif
