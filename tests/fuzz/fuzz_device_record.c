/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the registry's records: what is read can be written, and read again as the same. */
#include "core/device/device_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void check_round_trip(dt_device_record const *r)
{
    static dt_device_record again;
    dt_buf text;
    dt_buf_init(&text, DT_DEVICE_RECORD_MAX);
    if (dt_device_record_pack(r, &text) != 0 ||
        dt_device_record_unpack(dt_buf_bytes(&text), &again) != 0)
        abort();
    if (again.added != r->added || strcmp(again.name, r->name) != 0 ||
        again.der_len != r->der_len || memcmp(again.der, r->der, r->der_len) != 0)
        abort();
    dt_buf_free(&text);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static dt_device_record r;
    int const rc = dt_device_record_unpack(dt_bytes_of(data, size), &r);
    if (rc == 0)
        check_round_trip(&r);
    else if (r.der_len != 0)
        abort();
    dt_trusted_record trusted;

    if (dt_trusted_record_unpack(dt_bytes_of(data, size), &trusted) != DT_OK &&
        dt_guid_is_set(&trusted.device_id))
        abort();
    return 0;
}
