/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes SSH_AUTH_INFO_0: all keys or none, each with a whole fingerprint. */
#include "core/device/ssh.h"
#include "core/device/ssh_key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void count(void *ctx, dt_bytes blob)
{
    size_t *certificates = ctx;

    if (blob.len == 0 || ++*certificates > DT_SSH_KEYS_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_ssh_keys keys;
    dt_error e = {0};
    int const rc = dt_ssh_auth_info_parse(dt_bytes_of(data, size), &keys, &e);
    if (keys.count > DT_SSH_KEYS_MAX || (rc != 0 && keys.count != 0))
        abort();
    if ((rc == 0) != (e.text[0] == '\0'))
        abort();
    for (size_t i = 0; i < keys.count; i++) {
        if (strnlen(keys.items[i].fingerprint, 65) != 64)
            abort();
    }
    if (rc == 0) {
        size_t certificates = 0;

        dt_ssh_auth_info_certificates(dt_bytes_of(data, size), count, &certificates);
    }
    return 0;
}
