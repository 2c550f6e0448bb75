/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealed rows and the file of the ring: foreign bytes never open, and a row opens only as and where it was sealed.
 *
 * Input: 1 byte that chooses, by its last two bits. 0: the rest is a value as the database gives it. 1: the rest is the
 * file of a ring. Else: 28 bytes of randomness, 1 byte that chooses what is changed about the place, then bytes that
 * are laid over the sealed value. */
#include "core/seal/seal.h"

#include <stdlib.h>
#include <string.h>

#define EXPIRES INT64_C(1790000000000)

static char const key_text[DT_STORE_KEY_MAX] = "push:anna@example.com";

static void must(bool ok)
{
    if (!ok)
        abort();
}

static dt_ring *ring_new(void)
{
    uint8_t secret[DT_RING_SECRET_LEN];
    dt_ring *ring = NULL;

    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)(i * 7);
    must(dt_ring_new(secret, secret, &ring) == DT_OK);
    return ring;
}

static int open_it(dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                   dt_bytes sealed, dt_buf *plain)
{
    char key[DT_STORE_KEY_MAX] = "x";
    dt_bytes value;
    int rc = dt_seal_open(ring, place, expires, sealed, plain, key, &value);

    must(rc == DT_OK ? strcmp(key, key_text) == 0 : key[0] == '\0' && value.len == 0);
    return rc;
}

static void changed(dt_ring const *ring, uint8_t const *data, size_t size, dt_buf *plain)
{
    dt_time expires = EXPIRES;
    dt_seal_place place;
    bool same = true;
    dt_buf b;

    if (size < DT_SEAL_RANDOM_LEN + 1)
        return;
    must(dt_seal_place_of(ring, DT_TABLE_PUSH, key_text, &place) == DT_OK);
    dt_buf_init(&b, DT_SEAL_VALUE_MAX);
    must(dt_seal_value(ring, &place, key_text, dt_bytes_str("value"), EXPIRES, data, &b) == DT_OK);
    uint8_t const what = data[DT_SEAL_RANDOM_LEN];
    expires += what & 1;
    place.key[what >> 3] ^= (what >> 1) & 1;
    place.table = (what & 4) != 0 ? DT_TABLE_STATE : place.table;
    for (size_t i = 0; i < b.len && i + DT_SEAL_RANDOM_LEN + 1 < size; i++) {
        b.p[i] ^= data[i + DT_SEAL_RANDOM_LEN + 1];
        same = same && data[i + DT_SEAL_RANDOM_LEN + 1] == 0;
    }
    int rc = open_it(ring, &place, expires, dt_buf_bytes(&b), plain);
    must((rc == DT_OK) == (same && (what & 7) == 0));
    dt_buf_free(&b);
}

static void file(uint8_t const *data, size_t size)
{
    dt_ring *ring = NULL;
    dt_error e = {0};
    dt_buf out;

    if (dt_ring_parse(dt_bytes_of(data, size), &ring, &e) != DT_OK) {
        must(ring == NULL && e.text[0] != '\0');
        return;
    }
    dt_buf_init(&out, DT_RING_TEXT_MAX);
    must(dt_ring_put(ring, &out) == DT_OK && out.len == size && memcmp(out.p, data, size) == 0);
    dt_buf_free(&out);
    dt_ring_free(&ring);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_seal_place place = {.table = DT_TABLE_PUSH};
    dt_ring *ring = ring_new();
    dt_buf plain;

    dt_buf_init(&plain, DT_SEAL_VALUE_MAX);
    if (size > 0 && (data[0] & 3) == 0)
        must(open_it(ring, &place, EXPIRES, dt_bytes_of(data + 1, size - 1), &plain) != DT_OK);
    else if (size > 0 && (data[0] & 3) == 1)
        file(data + 1, size - 1);
    else if (size > 0)
        changed(ring, data + 1, size - 1, &plain);
    dt_buf_free(&plain);
    dt_ring_free(&ring);
    return 0;
}
