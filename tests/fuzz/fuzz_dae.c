/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes back from a NAS: over any bytes, nobody without the secret is heard; and with the right authenticator
 * put in, any attributes are read or refused. */
#include "core/dae/dae.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

#define SECRET "a secret of 20 bytes"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void make_request(dt_buf *out)
{
    static dt_nas_session const s = {.session_id = "1", .user_name = "u"};
    dt_dae_question const q = {.kind = DT_NAS_HOSTAPD, .identifier = 7, .session = &s, .now = 0};

    dt_buf_init(out, DT_RADIUS_LONGEST);
    require(dt_dae_make(&q, dt_bytes_str(SECRET), out, NULL) == 0);
}

/* The bytes as attributes of a reply that the NAS could have made. */
static void check_attributes(dt_buf const *request, uint8_t const *data, size_t size)
{
    uint8_t p[DT_RADIUS_LONGEST], sum[DT_MD5_LEN];
    size_t const len = DT_RADIUS_HEAD_LEN + size;
    dt_dae_reply r;

    if (len > sizeof(p))
        return;
    uint8_t const head[4] = {DT_DAE_DISCONNECT_ACK, 7, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(p, head, sizeof(head));
    memcpy(p + 4, request->p + 4, DT_RADIUS_AUTH_LEN);
    memcpy(p + DT_RADIUS_HEAD_LEN, data, size);
    require(dt_crypto_md5(dt_bytes_of(p, len), dt_bytes_str(SECRET), sum) == 0);
    memcpy(p + 4, sum, sizeof(sum));
    int rc = dt_dae_read(dt_bytes_of(p, len), dt_buf_bytes(request), dt_bytes_str(SECRET), &r);
    require(rc == 0 || rc == DT_E_PARSE || rc == DT_E_CRYPTO);
    require(r.ack == (rc == 0));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_dae_reply r;
    dt_buf request;

    make_request(&request);
    require(dt_dae_read(dt_bytes_of(data, size), dt_buf_bytes(&request), dt_bytes_str(SECRET),
                        &r) != 0);
    require(!r.ack && r.error_cause == 0);
    check_attributes(&request, data, size);
    dt_buf_free(&request);
    return 0;
}
