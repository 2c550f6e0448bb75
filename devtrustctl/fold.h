/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folds long lines for a terminal. Pure. */
#ifndef DT_CTL_FOLD_H
#define DT_CTL_FOLD_H

#include "core/base/bytes.h"

/* How many bytes of a text, which is not empty and has no line ends, go on the first line of `columns` columns: up
 * to the last blank within them, else as many characters as fit, at least one. Wide characters count as two columns,
 * combining ones as none. *next is where the second line begins, after blanks. */
size_t dt_fold(dt_bytes text, size_t columns, size_t *next);

#endif
