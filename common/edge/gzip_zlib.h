/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what gzip has compressed, as logrotate leaves its files, in constant memory. */
#ifndef DT_EDGE_GZIP_ZLIB_H
#define DT_EDGE_GZIP_ZLIB_H

#include "core/base/bytes.h"

typedef struct dt_gzip dt_gzip;

/* Takes over the descriptor, also when it fails. DT_E_NOMEM. Free with dt_gzip_free. */
DT_MUST_USE int dt_gzip_open(int fd, dt_gzip **out, dt_error *e);
/* Reads at most `max` bytes (up to INT_MAX) of the text: how many, 0 at the end. DT_E_IO; DT_E_PARSE for
 * what is not gzip's form, or ends within it. */
DT_MUST_USE int dt_gzip_read(dt_gzip *g, void *into, size_t max, dt_error *e);
void dt_gzip_free(dt_gzip **g);

#endif
