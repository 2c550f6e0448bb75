/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes OpenVPN's password with an answer: what is read is written as the text that it came from. */
#include "core/okta/scrv1.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    char password[256], answer[128], again[DT_SCRV1_MAX + 1];
    dt_buf b;
    dt_scrv1 what =
        dt_scrv1_read(dt_bytes_of(data, size), password, sizeof(password), answer, sizeof(answer));

    if ((what == DT_SCRV1_READ) != (password[0] != '\0') ||
        (what != DT_SCRV1_READ && answer[0] != '\0'))
        abort();
    if (what != DT_SCRV1_READ)
        return 0;
    dt_buf_init_fixed(&b, again, sizeof(again));
    dt_buf_puts(&b, "SCRV1:");
    dt_base64_encode(&b, dt_bytes_str(password));
    dt_buf_putc(&b, ':');
    dt_base64_encode(&b, dt_bytes_str(answer));
    if (dt_buf_error(&b) != DT_OK || b.len != size || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
