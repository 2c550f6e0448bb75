/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes places: whatever is read has one form, which is read as itself again. */
#include "core/policy/place.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_place p, again;
    int rc = dt_place_read(dt_bytes_of(data, size), &p);

    if ((p.kind == DT_PLACE_NONE) != (p.text[0] == '\0'))
        abort();
    if (rc != DT_OK)
        return p.kind == DT_PLACE_NONE && (rc == DT_E_LIMIT || rc == DT_E_PARSE) ? 0 : (abort(), 0);
    if (dt_place_read(dt_bytes_str(p.text), &again) != DT_OK || again.kind != p.kind ||
        strcmp(again.text, p.text) != 0)
        abort();
    return 0;
}
