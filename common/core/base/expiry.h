/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a site needs that ends one day: certificates of CAs, its own certificates, revocation lists, break-glass
 * accounts. One list, the soonest end first, for the warnings of the daemon and the module, the metrics, and
 * `devtrustctl doctor`. Pure; thread safe. */
#ifndef DT_CORE_EXPIRY_H
#define DT_CORE_EXPIRY_H

#include "core/base/bytes.h"

#define DT_EXPIRIES_MAX 64 /* entries of one site; of more, those that end last are left out */
#define DT_EXPIRY_WARNS_FOR DT_DAYS(30) /* how long before its end a thing is warned of */
#define DT_EXPIRY_KEY_MAX 128
#define DT_EXPIRY_NAME_MAX 256
#define DT_EXPIRY_TEXT_MAX 1024

typedef enum dt_expiry_state {
    DT_EXPIRY_PAST = 0,
    DT_EXPIRY_NEAR,
    DT_EXPIRY_FAR,
} dt_expiry_state;

typedef struct dt_expiry {
    char key[DT_EXPIRY_KEY_MAX]; /* of the configuration: "[intune] certificate_file" */
    char name
        [DT_EXPIRY_NAME_MAX]; /* which of that key's: a certificate's subject, escaped; "" = the only one */
    dt_time end;
    dt_time warns_for; /* before its end; a revocation list is replaced shortly before it ends */
    char const
        *then; /* what happens then: that follows "after that,": "Intune is not asked"; static */
    char const *to_do; /* what the administrator does: "renew the certificate"; static */
} dt_expiry;

typedef struct dt_expiries {
    dt_expiry items[DT_EXPIRIES_MAX]; /* the soonest first */
    size_t count;
    size_t left_out; /* which end later than all of these */
} dt_expiries;

/* Copies it into its place. */
void dt_expiries_add(dt_expiries *list, dt_expiry const *x);
/* The zero value is PAST. */
dt_expiry_state dt_expiry_judge(dt_expiry const *x, dt_time now);
/* What ends, and when. Returns out. */
char *dt_expiry_fact(char out[DT_EXPIRY_TEXT_MAX], dt_expiry const *x, dt_time now);
/* For the administrator, in one line: what ends, when, what happens then, and what to do. Returns out. */
char *dt_expiry_text(char out[DT_EXPIRY_TEXT_MAX], dt_expiry const *x, dt_time now);

#endif
