/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one list of error codes, and the text that goes with one for the administrator.
 *
 * Functions return 0 or a negative DT_E_*. Where an administrator must act, the function also
 * fills a dt_error: what is wrong, where (file, line, key, URL), and what to do about it. */
#ifndef DT_CORE_ERR_H
#define DT_CORE_ERR_H

#define DT_MUST_USE __attribute__((warn_unused_result))
#define DT_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum {
    DT_OK = 0,
    DT_E_NOMEM = -1,        /* out of memory */
    DT_E_INVALID = -2,      /* an argument or a configured value is not of its form */
    DT_E_LIMIT = -3,        /* a named limit was reached */
    DT_E_PARSE = -4,        /* foreign bytes are not what they claim to be */
    DT_E_NOT_FOUND = -5,    /* asked for a thing that is not there */
    DT_E_EXISTS = -6,       /* it is there already */
    DT_E_STATE = -7,        /* called out of order */
    DT_E_EXPIRED = -8,      /* too late */
    DT_E_CRYPTO = -9,       /* a signature, a seal or a key does not hold */
    DT_E_IO = -10,          /* the operating system refused */
    DT_E_UNAVAILABLE = -11, /* a service could not be asked, or gave no usable answer */
    DT_E_PERMISSION = -12,  /* a file or a peer has rights it must not have, or lacks them */
    DT_E_GONE = -13,        /* the other side left */
};

/* Longest text of a dt_error, its NUL included. */
#define DT_ERROR_TEXT_MAX 512

typedef struct dt_error {
    int code;                     /* a DT_E_*, or 0 while nothing was set */
    char text[DT_ERROR_TEXT_MAX]; /* for the administrator; never a secret */
} dt_error;

/* Sets code and text (cut at the limit) and returns code, so that `return dt_error_set(...)` reads
 * well. `e` may be NULL: only the code is returned then. */
int dt_error_set(dt_error *e, int code, char const *fmt, ...) DT_PRINTF(3, 4);

/* Puts "prefix: " before the text that is there. `e` may be NULL. Returns e's code or 0. */
int dt_error_prefix(dt_error *e, char const *fmt, ...) DT_PRINTF(2, 3);

/* The name of a code, such as "DT_E_LIMIT"; a static string, never NULL. */
char const *dt_err_name(int code);

#endif
