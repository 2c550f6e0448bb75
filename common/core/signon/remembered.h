/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A remembered MFA: that a person gave a factor, when, and what that is bound to. One row of
 * DT_TABLE_REMEMBERED each.
 *
 * It is bound to the person, to the application or its group, and to the device key that was proved;
 * where none was, to what the rule names instead; with ONCE_PER_SESSION to the session as well. All
 * of these make the row's key, so that whoever looks for another's finds nothing; the row repeats
 * them, so that one that was moved under another key is not believed.
 *
 * Whether it is still good, the rule says that matches now, never the one it was given under. */
#ifndef DT_CORE_REMEMBERED_H
#define DT_CORE_REMEMBERED_H

#include "core/okta/okta.h"
#include "core/signon/outcome.h"
#include "core/base/step.h"

#define DT_REMEMBERED_RECORD_MAX 3072
#define DT_SESSION_NAME_MAX 128
/* A row is kept at least so long, whatever its rule said: another rule, or the same one changed, may
 * accept it for longer than the one it was given under. */
#define DT_REMEMBERED_KEPT DT_DAYS(31)
/* A session that lasts longer is asked again. */
#define DT_SESSION_MFA_MAX DT_HOURS(24)

typedef struct dt_remembered {
    dt_time at; /* when it was given */
    dt_factor_type factor;
    /* What it was given with, at Okta: when one of these is another now, it has ended. */
    char user_id[DT_OKTA_ID_MAX];
    dt_time password_changed, status_changed; /* 0: not reported by Okta */
    char factor_stamp[DT_FACTOR_STAMP_MAX];   /* dt_factor_stamp() */
    /* What it is bound to. */
    char login[DT_LOGIN_MAX];
    char application[DT_APPLICATION_MAX];
    char group[DT_APPLICATION_MAX]; /* of applications; "" = this application alone */
    char key_id[65];                /* "" = no key was proved; then `by` */
    unsigned by;                    /* dt_remember_by bits; 0 with a key */
    char client_ip[DT_ADDRESS_MAX]; /* bound to only when `by` says so; like station */
    char station[DT_USER_MAX];
    char session[DT_SESSION_NAME_MAX]; /* "" = not of one session */
    /* For whoever looks into it. */
    char device_id[sizeof(((dt_guid *)0)->text)];
    dt_time lifetime; /* that its rule granted */
} dt_remembered;

/* What identifies an enrolment of a factor: its id and when it was made. A factor that is
 * reset is enrolled anew and gets both anew. */
char *dt_factor_stamp(char dst[DT_FACTOR_STAMP_MAX], char const *id, dt_time created);

/* The row's key. DT_E_CRYPTO; DT_E_INVALID when what it has to be bound to is not there. */
DT_MUST_USE int dt_remembered_key(dt_remembered const *r, char out[DT_STORE_KEY_MAX]);
DT_MUST_USE int dt_remembered_pack(dt_remembered const *r, dt_buf *out);
/* DT_E_PARSE for anything that dt_remembered_pack would not have written; *out is then zero. */
DT_MUST_USE int dt_remembered_unpack(dt_bytes text, dt_remembered *out);
/* Whether the rule that matches now accepts it: its factor is one of `factors`, it is of a session
 * exactly if the rule asks once per session, it is not of the future and not past the limit. */
bool dt_remembered_is_good(dt_remembered const *r, dt_decision const *d, unsigned factors,
                           dt_time now);
/* Until when the store keeps it. */
dt_time dt_remembered_expiry(dt_remembered const *r);

#endif
