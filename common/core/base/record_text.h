/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of the cache's records, which are lines of text: what is read at every sign-on of a trusted
 * device is not JSON. Each `take` removes a field from the text's beginning, its end mark with it, and
 * is false for anything that no `pack` has written; the text is then of no more use. Pure; thread
 * safe. */
#ifndef DT_CORE_RECORD_TEXT_H
#define DT_CORE_RECORD_TEXT_H

#include "core/base/bytes.h"

/* Everything up to `end`, borrowed from the text. */
bool dt_record_take(dt_bytes *text, char end, dt_bytes *out);
/* A number of 0..max as dt_buf_put_int writes it: decimal, no sign, no zeros in front. */
bool dt_record_take_number(dt_bytes *text, char end, int64_t max, int64_t *out);
/* True for a text that can stand as a field on a line of its own: it has no control characters. */
bool dt_record_is_line(char const *text);

#endif
