/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit file with those that were rotated away from it, and their lines, in constant memory. */
#ifndef DT_CTL_AUDIT_FILES_H
#define DT_CTL_AUDIT_FILES_H

#include "devtrustctl/audit_event.h"

#include "edge/gzip_zlib.h"

#define DT_AUDIT_FILES_MAX 1000
#define DT_AUDIT_GZIP_SUFFIX ".gz"
#define DT_AUDIT_PATH_MAX 1400

typedef struct dt_audit_files {
    char (*paths)[DT_AUDIT_PATH_MAX]; /* the oldest first */
    size_t count;
    size_t compressed; /* rotated files that nothing here can unpack */
} dt_audit_files;

/* How a file beside `base` is named after it: rotated by number ("audit.log.2"), by date
 * ("audit.log-20261123", "audit.log-20261123-1790000000"), both also with ".gz"; compressed by another
 * program; or not at all. */
typedef enum dt_rotation {
    DT_ROTATION_NONE = 0,
    DT_ROTATION_NUMBERED,
    DT_ROTATION_DATED,
    DT_ROTATION_COMPRESSED,
} dt_rotation;
/* *order: among numbered ones the higher is the older; among dated ones the lower. */
dt_rotation dt_rotation_of(char const *base, char const *name, uint64_t *order);

/* Finds them; `path` itself need not be there, but something must. DT_E_NOT_FOUND, DT_E_IO,
 * DT_E_LIMIT. Free with dt_audit_files_free. */
DT_MUST_USE int dt_audit_files_find(char const *path, dt_audit_files *out, dt_error *e);
void dt_audit_files_free(dt_audit_files *f);

/* A line without its end, borrowed during the call; `too_long` when only its beginning is there. 0
 * goes on; anything else ends the walk and is returned. */
typedef int dt_audit_line_fn(void *ctx, size_t number, dt_bytes line, bool too_long);

/* Takes bytes apart into lines as they come. */
typedef struct dt_audit_splitter dt_audit_splitter;
/* NULL when there is no memory. Free with dt_audit_splitter_free. */
dt_audit_splitter *dt_audit_splitter_new(dt_audit_line_fn *fn, void *ctx);
DT_MUST_USE int dt_audit_splitter_feed(dt_audit_splitter *s, char const *p, size_t len);
/* Nothing more will come: what is left without a line end is a line. The next is number 1 again. */
DT_MUST_USE int dt_audit_splitter_end(dt_audit_splitter *s);
void dt_audit_splitter_free(dt_audit_splitter **s);

/* Reads lines from a descriptor to its end. DT_E_IO. */
DT_MUST_USE int dt_audit_lines(int fd, dt_audit_line_fn *fn, void *ctx, dt_error *e);
/* Like dt_audit_lines, for what gzip has compressed. DT_E_IO, DT_E_PARSE; the lines before the fault were handed
 * on. */
DT_MUST_USE int dt_audit_lines_gzip(dt_gzip *from, dt_audit_line_fn *fn, void *ctx, dt_error *e);

#endif
