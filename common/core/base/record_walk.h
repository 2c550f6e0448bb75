/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary records: one walk over the fields of a struct serves both directions, so that what is written and what is
 * read cannot differ. A number is eight bytes, big-endian; a text or bytes have their length before them. Reading
 * checks each length and range, because others may write to the store. Pure; thread safe. */
#ifndef DT_CORE_RECORD_WALK_H
#define DT_CORE_RECORD_WALK_H

#include "core/base/bytes.h"

typedef struct dt_walk {
    dt_buf *out; /* writing when set */
    dt_bytes in; /* reading else: what is left */
    bool broken; /* a field was not what it has to be; what follows reads as zero */
} dt_walk;

void dt_walk_raw(dt_walk *w, void *p, size_t len);
/* 0..max; gives the value. */
int64_t dt_walk_number(dt_walk *w, int64_t value, int64_t max);
/* A NUL-terminated text without a NUL in it. */
void dt_walk_text(dt_walk *w, char *p, size_t size);
/* Borrowed from what is read. */
void dt_walk_bytes(dt_walk *w, dt_bytes *p, size_t max);

#define DT_WALK_NUMBER(w, field, max)                                                              \
    ((field) = (__typeof__(field))dt_walk_number((w), (int64_t)(field), (int64_t)(max)))
#define DT_WALK_TIME(w, field) DT_WALK_NUMBER(w, field, DT_TIME_NEVER - 1)
#define DT_WALK_FLAG(w, field) DT_WALK_NUMBER(w, field, 1)
#define DT_WALK_TEXT(w, field) dt_walk_text((w), (field), sizeof(field))

#endif
