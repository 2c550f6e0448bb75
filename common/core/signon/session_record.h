/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of a sign-on that passed in a session, so that a re-authentication in that session can go on
 * with it. One row of DT_TABLE_REMEMBERED each.
 *
 * A TLS session of 802.1X: the row is bound to that alone. Its key is a digest of a secret that only the cached
 * session holds, and with that secret it is sealed. Nothing that a person or an access point says finds it or
 * opens it.
 *
 * A session of a NAS, which has a name for it (Acct-Session-Id): the secret is made of that name, the NAS, and
 * the key of States where there is one. Only a NAS can send the name, the password is checked each time, and
 * the record says whose session it is and where.
 *
 * Before the sealed part the row says in clear whose it is, for whoever has to forget it. */
#ifndef DT_CORE_SESSION_RECORD_H
#define DT_CORE_SESSION_RECORD_H

#include "core/base/crypto.h"
#include "core/signon/signon.h"

#define DT_SESSION_SECRET_LEN 32
#define DT_SESSION_GROUPS_MAX 2048
#define DT_SESSION_REPLY_MAX (16 * 1024)
#define DT_SESSION_RECORD_MAX (24 * 1024)

typedef struct dt_session_owner {
    char login[DT_LOGIN_MAX]; /* "" of a machine */
    char application[DT_APPLICATION_MAX];
    char device_id[sizeof(((dt_guid *)0)->text)]; /* "" = none */
    char key_id[65];                              /* the same */
} dt_session_owner;

typedef struct dt_session_record {
    dt_session_owner owner;
    dt_time at;                    /* of the sign-on; going on with it does not move it */
    char id[DT_SIGNON_ID_LEN + 1]; /* that names it in the audit log */
    char user[DT_USER_MAX];        /* as the door knew the person */
    char station[DT_USER_MAX];     /* of a NAS's session; "" = it named none */
    dt_continued continued;
    dt_group_knowledge group_knowledge;
    size_t group_count, groups_len;
    char groups[DT_SESSION_GROUPS_MAX]; /* NUL-terminated each */
    dt_bytes reply;                     /* of the door; borrowed */
} dt_session_record;

/* The secret of the session that a NAS calls `name`, which has the NAS in it and is not empty. `key` is that of
 * States, or empty. DT_E_INVALID for an empty name, DT_E_LIMIT, DT_E_CRYPTO. Pure. */
DT_MUST_USE int dt_session_secret_of_name(dt_bytes key, char const *name,
                                          uint8_t out[DT_SESSION_SECRET_LEN]);
/* The row's key. DT_E_CRYPTO. */
DT_MUST_USE int dt_session_record_key(uint8_t const secret[DT_SESSION_SECRET_LEN],
                                      char out[DT_STORE_KEY_MAX]);
/* Appends the row. `nonce` is fresh. DT_E_LIMIT, DT_E_INVALID (a name that cannot stand in it), DT_E_CRYPTO. */
DT_MUST_USE int dt_session_record_pack(dt_session_record const *r,
                                       uint8_t const secret[DT_SESSION_SECRET_LEN],
                                       uint8_t const nonce[DT_AEAD_NONCE_LEN], dt_buf *out);
/* The opposite; `plain` gets the bytes that r->reply borrows. DT_E_PARSE for anything that was not packed
 * with this secret; *r is then zero. */
DT_MUST_USE int dt_session_record_unpack(dt_bytes row, uint8_t const secret[DT_SESSION_SECRET_LEN],
                                         dt_buf *plain, dt_session_record *r);
/* Whose row it is, by what stands in clear: to forget it, and for nothing else. DT_E_PARSE. */
DT_MUST_USE int dt_session_record_owner(dt_bytes row, dt_session_owner *out);
/* Whether it is still to be gone on with, `limit` being [mfa] session_lifetime. */
bool dt_session_record_is_good(dt_session_record const *r, dt_time limit, dt_time now);

#endif
