/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rlm_devtrust/carried.h"

#include "core/base/crypto.h"

#include <string.h>

#define EAP_RESPONSE 2
#define EAP_HEAD 5 /* code, identifier, length, type */
#define PART_MAX 253
#define PARTS 6

uint8_t dt_carried_type(dt_bytes eap)
{
    bool response = eap.len >= EAP_HEAD && eap.p[0] == EAP_RESPONSE;
    return response && (eap.p[4] == DT_EAP_TYPE_PEAP || eap.p[4] == DT_EAP_TYPE_TTLS) ? eap.p[4]
                                                                                      : 0;
}

/* Each with its length, so that no two places give the same text. */
static int digest(dt_carried_place const *where, uint8_t out[DT_SHA256_LEN])
{
    dt_bytes const parts[PARTS] = {dt_bytes_str(where->application),
                                   where->user,
                                   where->nas,
                                   where->nas_address,
                                   where->station,
                                   where->source};
    char text[PARTS * (PART_MAX + 8)];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    for (size_t i = 0; i < PARTS; i++) {
        dt_buf_put_int(&b, (int64_t)parts[i].len);
        dt_buf_putc(&b, ':');
        dt_buf_put(&b, parts[i].p, parts[i].len);
    }
    return dt_buf_error(&b) < 0 ? dt_buf_error(&b) : dt_crypto_sha256(dt_buf_bytes(&b), out);
}

int dt_carried_make(dt_carried_place const *where, char const *id, bool allowed,
                    dt_outcome const *outcome, dt_carried *out)
{
    memset(out, 0, sizeof(*out));
    if (dt_carried_type(where->eap) == 0)
        return DT_E_INVALID;
    int rc = digest(where, out->place);
    if (rc == 0)
        rc = dt_str_copy(out->id, sizeof(out->id), id);
    if (rc < 0) {
        memset(out, 0, sizeof(*out));
        return rc;
    }
    out->type = where->eap.p[4];
    out->round = where->eap.p[1];
    out->allowed = allowed;
    out->outcome = *outcome;
    out->made = true;
    return 0;
}

/* The server numbers its requests one after another, and a response has the number of its request: the
 * next response is one further. Whoever begins another conversation answers a request for an identity
 * first, which is of another type. */
bool dt_carried_fits(dt_carried const *c, dt_carried_place const *where)
{
    uint8_t place[DT_SHA256_LEN];
    return c->made && c->type != 0 && dt_carried_type(where->eap) == c->type &&
           where->eap.p[1] == (uint8_t)(c->round + 1) && digest(where, place) == 0 &&
           memcmp(place, c->place, sizeof(place)) == 0;
}
