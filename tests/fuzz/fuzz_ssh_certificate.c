/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes SSH certificates and public keys: what is read as a certificate says where its signature is,
 * a key goes back to the very bytes it came from, and of no CA nothing is trusted. */
#include "core/device/ssh_certificate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void key(dt_bytes in)
{
    dt_ssh_public k;
    dt_buf back;

    if (dt_ssh_public_parse(in, &k) != DT_OK) {
        if (k.type != NULL)
            abort();
        return;
    }
    dt_buf_init(&back, DT_SSH_KEY_MAX);
    dt_ssh_public_put(&k, &back);
    if (dt_buf_error(&back) != 0 || !dt_bytes_equal(dt_buf_bytes(&back), in))
        abort();
    dt_buf_free(&back);
}

static void certificate(dt_bytes in)
{
    static dt_ssh_cas *cas;
    dt_ssh_certificate c;
    dt_ssh_device device;
    dt_error e = {0};
    dt_ssh_certificate_rules rules = {.device_id = "key-id"};

    if (cas == NULL && dt_ssh_cas_new(&cas) != DT_OK)
        abort();
    rules.cas = cas;
    int const rc = dt_ssh_certificate_parse(in, &c, &e);

    if ((rc == 0) != (e.text[0] == '\0'))
        abort();
    if (rc == 0 && c.signed_part.len + 4 + c.signature.len != in.len)
        abort();
    if (dt_ssh_certificate_judge(&rules, in, DT_SSH_USE_SSHD, 1, &device, NULL) ==
            DT_REASON_TRUSTED ||
        dt_guid_is_set(&device.device_id))
        abort();
    if (rc == 0)
        key(c.ca_key);
}

static void cas_file(dt_bytes in)
{
    dt_ssh_cas *cas;
    dt_error e = {0};

    if (dt_ssh_cas_new(&cas) != DT_OK)
        abort();
    int const rc = dt_ssh_cas_add_text(cas, in, &e);

    if ((rc == 0) != (e.text[0] == '\0') || dt_ssh_cas_count(cas) > DT_SSH_CAS_MAX)
        abort();
    dt_ssh_cas_free(&cas);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_bytes const in = dt_bytes_of(data, size);

    key(in);
    certificate(in);
    cas_file(in);
    return 0;
}
