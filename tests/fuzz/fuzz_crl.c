/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists in PEM or DER: taken whole and signed by the one CA there is, or not at all. */
#include "core/device/x509.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

/* The CA that signed the seeds; its key is nowhere. */
static char const ca[] =
#include "tests/fuzz/crl_ca.inc"
    ;

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_trust_store *store = NULL;
    dt_error e = {0};
    if (dt_trust_store_new(&store) < 0 ||
        dt_trust_store_add_pem(store, dt_bytes_str(ca), false, &e) < 0)
        abort();
    int rc = dt_trust_store_add_crls(store, dt_bytes_of(data, size), &e);
    if (rc > 0 || (rc == 0) != (dt_trust_store_crl_count(store) > 0))
        abort();
    if ((rc == 0) != (e.text[0] == '\0'))
        abort();
    if (rc == 0 && dt_trust_store_crls_expire(store) == DT_TIME_NEVER)
        abort();
    dt_trust_store_free(&store);
    return 0;
}
