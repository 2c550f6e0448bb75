/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes GUIDs: what is accepted must be normal, and mean the same when it is read again. */
#include "core/base/guid.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void check(int rc, dt_guid const *g)
{
    dt_guid again;
    if ((rc == 0) != dt_guid_is_set(g) || (rc != 0 && rc != DT_E_PARSE))
        abort();
    if (rc != 0)
        return;
    if (strlen(g->text) != DT_GUID_LEN || strspn(g->text, "0123456789abcdef-") != DT_GUID_LEN)
        abort();
    if (dt_guid_parse(dt_bytes_str(g->text), &again) != 0 || !dt_guid_equal(g, &again))
        abort();
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_guid g;
    check(dt_guid_parse(dt_bytes_of(data, size), &g), &g);
    check(dt_guid_from_le(dt_bytes_of(data, size), &g), &g);
    return 0;
}
