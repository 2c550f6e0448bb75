/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes an SSH agent's answers: a list is read as a whole or not at all, no more identities are given
 * than may be, what is given lies within the answer, and no answer is a signature that holds. */
#include "core/device/ssh_agent.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

typedef struct seen {
    dt_bytes in;
    int count;
} seen;

static bool take(void *ctx, dt_bytes blob)
{
    seen *s = ctx;
    dt_ssh_public key;

    s->count++;
    if (s->count > DT_AGENT_IDENTITIES_MAX || blob.len > s->in.len ||
        (blob.len > 0 && (blob.p < s->in.p || blob.p + blob.len > s->in.p + s->in.len)))
        abort();
    if ((dt_agent_key_read(blob, &key) == DT_OK) != (key.type != NULL))
        abort();
    if (dt_agent_verify(blob, dt_bytes_str("message"), blob, false) == DT_OK)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    seen s = {.in = dt_bytes_of(data, size)};
    dt_error e = {0};
    dt_bytes signature;
    int rc = dt_agent_list_read(s.in, take, &s, &e);

    if ((rc == DT_OK) != (e.text[0] == '\0') || (rc != DT_OK && s.count != 0))
        abort();
    e = (dt_error){0};
    rc = dt_agent_signature_read(s.in, &signature, &e);
    if ((rc == DT_OK) != (e.text[0] == '\0') || (rc != DT_OK && signature.len != 0))
        abort();
    return 0;
}
