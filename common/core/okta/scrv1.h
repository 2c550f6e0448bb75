/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A password and an answer in one text, as clients of OpenVPN send them whose server has a static-challenge:
 * SCRV1:BASE64(password):BASE64(answer). doc/management-notes.txt of OpenVPN, "Challenge/Response Protocol". */
#ifndef DT_CORE_SCRV1_H
#define DT_CORE_SCRV1_H

#include "core/base/bytes.h"

/* Longest text that is looked into; a RADIUS password has 128 bytes at most, and Okta's 255. */
#define DT_SCRV1_MAX 1024

typedef enum dt_scrv1 {
    DT_SCRV1_BROKEN = 0, /* it begins like one, and is none: nobody's password */
    DT_SCRV1_NONE,       /* a password as any other */
    DT_SCRV1_READ,
} dt_scrv1;

/* Reads `text`. Strict: one form, base64 of RFC 4648 with its padding, no NUL in either part, the password not
 * empty, each part shorter than its buffer. The answer may be empty. Both are NUL-terminated, and "" unless
 * READ. Wipe them. Pure. */
dt_scrv1 dt_scrv1_read(dt_bytes text, char *password, size_t password_size, char *answer,
                       size_t answer_size);

#endif
