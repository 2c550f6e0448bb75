/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The waiting room's packets over any bytes: nobody without the secret is heard, and every answer
 * that is made is one packet. */
#include "rlm_devtrust/radius_packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_answer(uint8_t const *data, size_t size)
{
    dt_radius_query q = {.id = 1};
    char message[DT_RADIUS_PACKET_MAX + 1];
    dt_buf out;
    size_t len = size < sizeof(message) ? size : sizeof(message) - 1, made = 0;
    memcpy(message, data, len);
    message[len] = '\0';
    dt_buf_init(&out, DT_RADIUS_PACKET_MAX);
    int rc = dt_radius_write(&q, dt_bytes_str("secret"), DT_RADIUS_ACCESS_REJECT, message,
                             dt_bytes_of(data, len % 260), &out);
    require(rc == 0 || (rc == DT_E_LIMIT && out.len == 0));
    if (rc == 0)
        require(dt_radius_frame(dt_buf_bytes(&out), &made) == 0 && made == out.len);
    dt_buf_free(&out);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_radius_query q;
    size_t length = 0;
    if (size > DT_RADIUS_PACKET_MAX)
        return 0;
    int rc = dt_radius_frame(dt_bytes_of(data, size), &length);
    require((rc == DT_E_STATE) == (size < 4));
    require(dt_radius_read(dt_bytes_of(data, size), dt_bytes_str("secret"), &q) != 0);
    require(q.echo_len <= sizeof(q.echo));
    check_answer(data, size);
    return 0;
}
