/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Response headers, line by line, as any server may send them: numbers stay in their ranges, the next
 * page's link is one that stood there. */
#include "edge/http_header.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(dt_http_headers const *h, dt_bytes input)
{
    require(h->date >= 0 && h->rate_reset >= 0 && h->retry_at >= 0);
    require(h->rate_limit >= -1 && h->rate_remaining >= -1 && h->retry_seconds >= -1);
    dt_time wait = dt_http_headers_retry_after(h, DT_SECONDS(1700000000));
    require(wait >= 0 && wait <= DT_HOURS(24));
    size_t len = strnlen(h->next_link, sizeof(h->next_link));
    require(len < sizeof(h->next_link));
    require(len == 0 || memmem(input.p, input.len, h->next_link, len) != NULL);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_http_headers h;
    dt_bytes all = dt_bytes_of(data, size);
    dt_http_headers_init(&h);
    while (size > 0) {
        uint8_t const *end = memchr(data, '\n', size);
        size_t len = end == NULL ? size : (size_t)(end - data) + 1;
        /* A copy of its own, so that a read past the line is seen. */
        uint8_t *line = malloc(len);
        require(line != NULL);
        memcpy(line, data, len);
        int rc = dt_http_headers_add(&h, dt_bytes_of(line, len));
        free(line);
        require(rc == 0 || rc == DT_E_LIMIT);
        check(&h, all);
        if (rc != 0)
            break;
        data += len;
        size -= len;
    }
    return 0;
}
