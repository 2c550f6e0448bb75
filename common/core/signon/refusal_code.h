/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short code that a refused person reads out to the administrator, who finds the sign-on by it. It is 40 of
 * the 128 random bits of the sign-on's id, so it says nothing about anybody, and needs no secret and no counter. Of
 * N refused sign-ons in the audit files another one has the same code with the likelihood N / 2^40: one in a
 * million for a million of them. Written in Crockford's base 32, which has no I, L, O and U. */
#ifndef DT_CORE_REFUSAL_CODE_H
#define DT_CORE_REFUSAL_CODE_H

#include <stddef.h>

#define DT_REFUSAL_CODE_MAX 10 /* "ABCD-EFGH" and its NUL */

/* The code of a sign-on's id; "" when the id is not of its form (DT_SIGNON_ID_LEN lower-case hex digits). */
void dt_refusal_code_make(char const *id, char out[DT_REFUSAL_CODE_MAX]);
/* Reads what somebody typed: in either case, with blanks and dashes anywhere, I and L for 1, O for 0. 0, or
 * DT_E_PARSE with *out "". */
int dt_refusal_code_read(char const *text, char out[DT_REFUSAL_CODE_MAX]);

#endif
