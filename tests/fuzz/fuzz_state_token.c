/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State tokens: bytes from the network never open, and a token of ours opens only as it was made.
 *
 * Input: 1 byte that chooses. Even: the rest is a State as a NAS sent it. Odd: 28 bytes of randomness
 * and 1 byte that chooses whose it is, then bytes that are laid over the token. */
#include "core/signon/state_token.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_LEN (DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN)
#define EXPIRES INT64_C(1790000000000)

static uint8_t const key[DT_AEAD_KEY_LEN] = {7, 7, 7};
static dt_state_binding const owner = {"anna", "192.0.2.1", "vpn", "00-11-22-33-44-55"};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void foreign(uint8_t const *data, size_t size)
{
    char id[2 * DT_STATE_ID_LEN + 1] = "x";
    dt_bytes token = dt_bytes_of(data, size);
    int rc = dt_state_token_open(key, token, &owner, 0, id);
    must((rc == DT_E_CRYPTO || rc == DT_E_NOT_FOUND) && id[0] == '\0');
    (void)dt_state_token_is_ours(token);
}

static void changed(uint8_t const *data, size_t size)
{
    static dt_state_binding const others[] = {{"ben", "192.0.2.1", "vpn", "00-11-22-33-44-55"},
                                              {"anna", "192.0.2.2", "vpn", "00-11-22-33-44-55"},
                                              {"anna", "192.0.2.1", "wifi", "00-11-22-33-44-55"},
                                              {"anna", "192.0.2.1", "vpn", "other"}};
    char made[2 * DT_STATE_ID_LEN + 1], id[2 * DT_STATE_ID_LEN + 1];
    uint8_t storage[DT_STATE_TOKEN_MAX + 1];
    bool same = true;
    dt_buf b;

    if (size < RANDOM_LEN + 1)
        return;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    must(dt_state_token_make(key, data, &owner, EXPIRES, &b, made) == DT_OK);
    dt_state_binding const *who = data[RANDOM_LEN] & 4 ? &others[data[RANDOM_LEN] & 3] : &owner;
    for (size_t i = 0; i < b.len && i + RANDOM_LEN + 1 < size; i++) {
        storage[i] ^= data[i + RANDOM_LEN + 1];
        same = same && data[i + RANDOM_LEN + 1] == 0;
    }
    int rc = dt_state_token_open(key, dt_buf_bytes(&b), who, EXPIRES - 1, id);
    must((rc == DT_OK) == (same && who == &owner));
    must(rc == DT_OK || rc == DT_E_CRYPTO || rc == DT_E_NOT_FOUND);
    must(strcmp(id, rc == DT_OK ? made : "") == 0);
    must(dt_state_token_open(key, dt_buf_bytes(&b), who, EXPIRES, id) != DT_OK);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] & 1)
        changed(data + 1, size - 1);
    else
        foreign(data + 1, size - 1);
    return 0;
}
