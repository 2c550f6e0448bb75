/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of edits: what each file was and what it becomes. What plans them (plan.h) touches nothing; what carries
 * them out (journal.h) decides nothing. */
#ifndef DT_SETUP_EDITS_H
#define DT_SETUP_EDITS_H

#include "core/base/bytes.h"

#include <sys/types.h>

#define DT_EDITS_MAX 128
#define DT_EDIT_PATH_MAX 300
#define DT_EDIT_FILE_MAX (1024 * 1024) /* longest file, bytes */

typedef enum dt_node_type {
    DT_NODE_ABSENT = 0,
    DT_NODE_FILE,
    DT_NODE_LINK, /* content is where it points to */
    DT_NODE_DIRECTORY,
} dt_node_type;

/* What is, or shall be, at a path. */
typedef struct dt_node {
    dt_node_type type;
    dt_buf content; /* owned */
    char digest
        [65]; /* SHA-256 of the content in hex, where the content itself is not kept; else "" */
    unsigned mode; /* of files and directories */
    uid_t uid;
    gid_t gid;
} dt_node;

void dt_node_init(dt_node *n);
void dt_node_free(dt_node *n);
/* False too when a digest cannot be made. */
bool dt_node_equal(dt_node const *a, dt_node const *b);
/* Keeps the digest in place of the content. DT_E_CRYPTO. */
DT_MUST_USE int dt_node_forget(dt_node *n);
DT_MUST_USE int dt_node_copy(dt_node *to, dt_node const *from);

typedef struct dt_edit {
    char path[DT_EDIT_PATH_MAX]; /* from / on, below the root */
    dt_node before, after;
    bool secret; /* its content is not shown */
    bool
        member; /* a file of groups: undone by taking the member out, since others change it, too */
} dt_edit;

typedef struct dt_edits {
    dt_edit *items; /* owned, DT_EDITS_MAX */
    size_t count;
} dt_edits;

DT_MUST_USE int dt_edits_init(dt_edits *l, dt_error *e);
void dt_edits_free(dt_edits *l);
/* The edit of a path, or NULL. */
dt_edit *dt_edits_find(dt_edits const *l, char const *path);
/* A new one at the end, with empty nodes. NULL when the list is full. */
dt_edit *dt_edits_add(dt_edits *l, char const *path);
/* Takes the edits that change nothing out of the list. */
void dt_edits_drop_equal(dt_edits *l);

/* Appends what changes in a text, as `diff -u` writes it, with three lines around each change. */
void dt_diff_put(dt_buf *out, char const *path, dt_bytes before, dt_bytes after);

#endif
