/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QR port: a text as a QR code that is drawn with characters. edge/qr_qrencode.c implements it. Pure, thread
 * safe. */
#ifndef DT_CORE_QR_H
#define DT_CORE_QR_H

#include "core/base/bytes.h"

#define DT_QR_TEXT_MAX 400 /* longest text that is drawn, bytes */
/* The margin that a reader needs around the code (ISO/IEC 18004 asks for 4 modules; every phone reads with 2). */
#define DT_QR_MARGIN 2
/* Bytes of the largest drawing whose lines are at most `columns` wide: three for each character. */
#define DT_QR_DRAWING_MAX(columns) (((columns) + 1) / 2 * (3 * (size_t)(columns) + 1))

/* Appends `text` as a QR code: lines of at most `columns` characters, each ended by a newline. A character is two
 * modules, one above the other (U+2580, U+2584, U+2588 and blank). The light modules are drawn, as a terminal with
 * a dark background needs it; most phones also read the opposite. DT_E_LIMIT when the text is longer than
 * DT_QR_TEXT_MAX, or the code is wider than `columns` or does not fit into `out`; DT_E_INVALID for an empty text;
 * DT_E_NOMEM. Nothing of it is appended then. */
DT_MUST_USE int dt_qr_draw(char const *text, size_t columns, dt_buf *out);

#endif
