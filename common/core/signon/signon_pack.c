/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packed form of a dt_signon, in which it waits: its own bytes, and what of its scratch means something,
 * without the zeros that most of them are. What is unpacked is the machine that was packed, to the last
 * byte, so that no field is forgotten, the secrets and those that are never saved among them. Hence it is
 * for the memory of one process alone; dt_signon_save has the form for everybody else. */
#include "core/signon/signon_internal.h"

#include <stddef.h>
#include <string.h>

#define WORD sizeof(uint64_t)
#define RUN_MAX UINT16_MAX /* words */

_Static_assert(sizeof(dt_signon) % WORD == 0 && offsetof(dt_signon_scratch, store) % WORD == 0,
               "whole words");

/* A part of the bytes. */
typedef struct bytes_part {
    void *p;
    size_t len;
} bytes_part;

#define PARTS_MAX 8

/* What of machine and scratch means something between two steps. The step that was rendered does not: it is
 * made anew. */
static size_t parts_of(dt_signon *s, bytes_part out[PARTS_MAX])
{
    dt_signon_scratch *x = s->scratch;
    bool const asks = s->ocsp_waits || dt_lookup_is_ageing(s, DT_QUESTION_OCSP);
    bytes_part const all[PARTS_MAX] = {
        {x, offsetof(dt_signon_scratch, store)},
        {&x->ocsp, asks ? sizeof(x->ocsp) : 0},
        {x->ocsp_detail, asks ? sizeof(x->ocsp_detail) : 0},
        {&x->service, s->service_known ? sizeof(x->service) : 0},
        {x->expected, s->expected_len},
        {x->groups, s->groups_len},
        {x->agent_keys, s->agent.count * sizeof(x->agent_keys[0])},
        {x->agent_blob, s->agent.blob_len},
    };

    memcpy(out, all, sizeof(all));
    return PARTS_MAX;
}

static bool is_zero(uint8_t const *p, size_t len)
{
    static uint8_t const zeros[WORD];

    return memcmp(p, zeros, len < WORD ? len : WORD) == 0;
}

static void put_run(dt_buf *out, size_t zeros, uint8_t const *p, size_t words, size_t len)
{
    uint16_t const head[2] = {(uint16_t)zeros, (uint16_t)words};

    dt_buf_put(out, head, sizeof(head));
    dt_buf_put(out, p, len);
}

/* As pairs of "so many words of zeros, so many that follow". */
static void put(dt_buf *out, bytes_part const *part)
{
    uint8_t const *p = part->p, *end = p + part->len;

    while (p < end) {
        size_t zeros = 0, words = 0;
        uint8_t const *from;

        for (; p < end && zeros < RUN_MAX && is_zero(p, (size_t)(end - p)); zeros++)
            p += WORD;
        from = p;
        for (; p < end && words < RUN_MAX && !is_zero(p, (size_t)(end - p)); words++)
            p += WORD;
        put_run(out, zeros, from, words, from < end ? (size_t)((p < end ? p : end) - from) : 0);
    }
}

static bool take_bytes(dt_bytes *in, void *p, size_t len)
{
    if (in->len < len)
        return false;
    if (len > 0)
        memcpy(p, in->p, len);
    in->p += len;
    in->len -= len;
    return true;
}

static bool get(dt_bytes *in, bytes_part const *part)
{
    uint8_t *p = part->p;
    size_t left = part->len;

    while (left > 0) {
        uint16_t head[2];
        size_t zeros, bytes;

        if (!take_bytes(in, head, sizeof(head)))
            return false;
        zeros = head[0] * WORD < left ? head[0] * WORD : left;
        memset(p, 0, zeros);
        p += zeros;
        left -= zeros;
        bytes = head[1] * WORD < left ? head[1] * WORD : left;
        if (!take_bytes(in, p, bytes) || zeros + bytes == 0)
            return false;
        p += bytes;
        left -= bytes;
    }
    return true;
}

/* The fields that say how long the parts are. */
static bool lengths_hold(dt_signon const *s)
{
    return s->expected_len <= sizeof(s->scratch->expected) &&
           s->groups_len <= sizeof(s->scratch->groups) &&
           s->agent.count <= DT_AGENT_IDENTITIES_MAX &&
           s->agent.blob_len <= sizeof(s->scratch->agent_blob);
}

int dt_signon_pack(dt_signon const *s, dt_buf *out)
{
    dt_signon copy = *s; /* parts are written to as well as read */
    bytes_part parts[PARTS_MAX];
    size_t count;

    if (s->scratch == NULL)
        return DT_E_STATE;
    if (!lengths_hold(s))
        return DT_E_INVALID;
    put(out, &(bytes_part){&copy, sizeof(copy)});
    count = parts_of(&copy, parts);
    for (size_t i = 0; i < count; i++)
        put(out, &parts[i]);
    return dt_buf_error(out);
}

int dt_signon_unpack(dt_signon *s, dt_bytes packed)
{
    dt_signon_scratch *scratch = s->scratch;
    bytes_part parts[PARTS_MAX];
    bool whole;

    if (scratch == NULL)
        return DT_E_STATE;
    whole = get(&packed, &(bytes_part){s, sizeof(*s)});
    s->scratch = scratch;
    if (whole && lengths_hold(s)) {
        size_t count = parts_of(s, parts);

        for (size_t i = 0; i < count; i++)
            whole = whole && get(&packed, &parts[i]);
        if (whole && packed.len == 0)
            return DT_OK;
    }
    dt_signon_wipe(s);
    return DT_E_PARSE;
}
