/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring and its file:
 *
 *   devtrust-ring 1
 *   epoch 1
 *   index HEX
 *   key 1 HEX
 *   key 2 HEX current
 *
 * Strict: one form, so that a file that was damaged or joined from two is refused. */
#include "core/seal/ring.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "devtrust-ring 1"
#define HEX_LEN ((size_t)2 * DT_RING_SECRET_LEN)
#define DISTINCT_MIN 8 /* different bytes in a secret: 32 random ones have fewer once in 10^20 */

/* Zeros, or one character typed many times, do not make a secret. */
static bool is_random(uint8_t const secret[DT_RING_SECRET_LEN])
{
    size_t distinct = 0;

    for (size_t i = 0; i < DT_RING_SECRET_LEN; i++)
        distinct += memchr(secret, secret[i], i) == NULL ? 1 : 0;
    return distinct >= DISTINCT_MIN;
}

static int secret_new(uint8_t const bytes[DT_RING_SECRET_LEN], dt_secret **out)
{
    *out = NULL;
    return is_random(bytes) ? dt_secret_new(dt_bytes_of(bytes, DT_RING_SECRET_LEN), out)
                            : DT_E_INVALID;
}

static dt_ring_key *find(dt_ring *ring, uint32_t id)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id)
            return &ring->keys[i];
    }
    return NULL;
}

static int put_key(dt_ring *ring, uint32_t id, uint8_t const secret[DT_RING_SECRET_LEN])
{
    dt_secret *copy = NULL;
    int rc = ring->count < DT_RING_KEYS_MAX ? secret_new(secret, &copy) : DT_E_LIMIT;

    if (rc == DT_OK)
        ring->keys[ring->count++] = (dt_ring_key){.id = id, .secret = copy};
    return rc;
}

void dt_ring_free(dt_ring **ring)
{
    if (*ring == NULL)
        return;
    dt_secret_free(&(*ring)->index);
    for (size_t i = 0; i < (*ring)->count; i++)
        dt_secret_free(&(*ring)->keys[i].secret);
    free(*ring);
    *ring = NULL;
}

int dt_ring_new(uint8_t const index[DT_RING_SECRET_LEN], uint8_t const secret[DT_RING_SECRET_LEN],
                dt_ring **out)
{
    dt_ring *ring = calloc(1, sizeof(*ring));

    *out = NULL;
    if (ring == NULL)
        return DT_E_NOMEM;
    ring->epoch = 1;
    int rc = secret_new(index, &ring->index);
    if (rc == DT_OK)
        rc = put_key(ring, 1, secret);
    if (rc != DT_OK)
        dt_ring_free(&ring);
    *out = ring;
    return rc;
}

int dt_ring_add(dt_ring *ring, uint8_t const secret[DT_RING_SECRET_LEN], uint32_t *id)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < ring->count; i++)
        highest = ring->keys[i].id > highest ? ring->keys[i].id : highest;
    if (highest >= DT_RING_NUMBER_MAX)
        return DT_E_LIMIT;
    *id = highest + 1;
    return put_key(ring, *id, secret);
}

int dt_ring_use(dt_ring *ring, uint32_t id)
{
    dt_ring_key const *key = find(ring, id);

    if (key == NULL)
        return DT_E_NOT_FOUND;
    ring->current = (size_t)(key - ring->keys);
    return DT_OK;
}

int dt_ring_retire(dt_ring *ring, uint32_t id)
{
    dt_ring_key *key = find(ring, id);

    if (key == NULL)
        return DT_E_NOT_FOUND;
    size_t at = (size_t)(key - ring->keys);
    if (at == ring->current)
        return DT_E_STATE;
    dt_secret_free(&key->secret);
    memmove(key, key + 1, (ring->count - at - 1) * sizeof(*key));
    ring->count--;
    ring->current -= ring->current > at;
    return DT_OK;
}

int dt_ring_raise(dt_ring *ring, uint8_t const index[DT_RING_SECRET_LEN])
{
    dt_secret *fresh = NULL;
    int rc = ring->epoch < DT_RING_NUMBER_MAX ? secret_new(index, &fresh) : DT_E_LIMIT;

    if (rc != DT_OK)
        return rc;
    dt_secret_free(&ring->index);
    ring->index = fresh;
    ring->epoch++;
    return DT_OK;
}

dt_secret const *dt_ring_secret(dt_ring const *ring, uint32_t id)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id)
            return ring->keys[i].secret;
    }
    return NULL;
}

/* --- the file ------------------------------------------------------------------------------------ */

static void put_secret(dt_secret const *secret, dt_buf *out)
{
    char hex[HEX_LEN + 1];

    dt_hex(hex, dt_secret_bytes(secret).p, DT_RING_SECRET_LEN);
    dt_buf_puts(out, hex);
    explicit_bzero(hex, sizeof(hex));
}

int dt_ring_put(dt_ring const *ring, dt_buf *out)
{
    dt_buf_printf(out, FIRST_LINE "\nepoch %u\nindex ", ring->epoch);
    put_secret(ring->index, out);
    for (size_t i = 0; i < ring->count; i++) {
        dt_buf_printf(out, "\nkey %u ", ring->keys[i].id);
        put_secret(ring->keys[i].secret, out);
        dt_buf_puts(out, i == ring->current ? " current" : "");
    }
    dt_buf_putc(out, '\n');
    return dt_buf_error(out);
}

/* What is left to read. */
typedef struct reader {
    dt_bytes rest;
    int line;
} reader;

static bool take(dt_bytes *in, char const *text)
{
    size_t len = strlen(text);

    if (in->len < len || memcmp(in->p, text, len) != 0)
        return false;
    *in = dt_bytes_of(in->p + len, in->len - len);
    return true;
}

/* The next line without its end; false when there is none. */
static bool next_line(reader *r, dt_bytes *line)
{
    uint8_t const *end = r->rest.len > 0 ? memchr(r->rest.p, '\n', r->rest.len) : NULL;

    r->line++;
    *line = dt_bytes_of(NULL, 0);
    if (end == NULL)
        return false;
    *line = dt_bytes_of(r->rest.p, (size_t)(end - r->rest.p));
    r->rest = dt_bytes_of(end + 1, r->rest.len - line->len - 1);
    return true;
}

/* 1 to DT_RING_NUMBER_MAX, without a leading zero. */
static bool take_number(dt_bytes *in, uint32_t *out)
{
    size_t n = 0;

    *out = 0;
    for (; n < in->len && in->p[n] >= '0' && in->p[n] <= '9' && *out <= DT_RING_NUMBER_MAX; n++)
        *out = *out * 10 + (uint32_t)(in->p[n] - '0');
    bool good = n > 0 && in->p[0] != '0' && *out <= DT_RING_NUMBER_MAX;
    *in = dt_bytes_of(in->p + n, in->len - n);
    return good;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_secret(dt_bytes *in, uint8_t out[DT_RING_SECRET_LEN])
{
    if (in->len < HEX_LEN)
        return false;
    for (size_t i = 0; i < DT_RING_SECRET_LEN; i++) {
        int high = digit(in->p[2 * i]), low = digit(in->p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *in = dt_bytes_of(in->p + HEX_LEN, in->len - HEX_LEN);
    return true;
}

static int wrong(reader const *r, dt_error *e, char const *what)
{
    return dt_error_set(e, DT_E_PARSE, "line %d: %s", r->line, what);
}

static int read_head(reader *r, dt_ring *ring, uint8_t secret[DT_RING_SECRET_LEN], dt_error *e)
{
    dt_bytes line;

    if (!next_line(r, &line) || !take(&line, FIRST_LINE) || line.len > 0)
        return wrong(r, e,
                     "a key ring begins with the line \"" FIRST_LINE
                     "\"; make one with devtrustctl store keys create");
    if (!next_line(r, &line) || !take(&line, "epoch ") || !take_number(&line, &ring->epoch) ||
        line.len > 0)
        return wrong(r, e, "\"epoch NUMBER\" belongs here");
    if (!next_line(r, &line) || !take(&line, "index ") || !take_secret(&line, secret) ||
        line.len > 0)
        return wrong(r, e, "\"index\" with 64 hex digits belongs here");
    int rc = secret_new(secret, &ring->index);
    return rc == DT_E_INVALID ? wrong(r, e, "the secret is not random")
           : rc != DT_OK      ? dt_error_set(e, rc, "out of memory")
                              : rc;
}

static int read_key(reader *r, dt_ring *ring, bool *has_current, uint8_t secret[DT_RING_SECRET_LEN],
                    dt_error *e)
{
    dt_bytes line;
    uint32_t id = 0;

    if (!next_line(r, &line) || !take(&line, "key ") || !take_number(&line, &id) ||
        !take(&line, " ") || !take_secret(&line, secret))
        return wrong(r, e, "\"key NUMBER\" with 64 hex digits belongs here");
    if (find(ring, id) != NULL)
        return wrong(r, e, "a key of this number stands above");
    bool current = take(&line, " current");
    if (line.len > 0)
        return wrong(r, e, "only \"current\" may follow a key");
    if (current && *has_current)
        return wrong(r, e, "another key is current");
    if (current)
        ring->current = ring->count;
    *has_current = *has_current || current;
    int rc = put_key(ring, id, secret);
    return rc == DT_E_LIMIT     ? wrong(r, e, "there are too many keys; retire old ones")
           : rc == DT_E_INVALID ? wrong(r, e, "the secret is not random")
           : rc != DT_OK        ? dt_error_set(e, rc, "out of memory")
                                : rc;
}

int dt_ring_parse(dt_bytes text, dt_ring **out, dt_error *e)
{
    uint8_t secret[DT_RING_SECRET_LEN] = {0};
    reader r = {.rest = text};
    bool has_current = false;
    dt_ring *ring = calloc(1, sizeof(*ring));

    *out = NULL;
    if (ring == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int rc = read_head(&r, ring, secret, e);
    do {
        if (rc == DT_OK)
            rc = read_key(&r, ring, &has_current, secret, e);
    } while (rc == DT_OK && r.rest.len > 0);
    if (rc == DT_OK && !has_current)
        rc = dt_error_set(e, DT_E_PARSE, "no key is current");
    explicit_bzero(secret, sizeof(secret));
    if (rc != DT_OK)
        dt_ring_free(&ring);
    *out = ring;
    return rc;
}
