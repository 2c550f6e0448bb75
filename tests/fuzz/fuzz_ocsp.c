/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCSP answers about one certificate, and the rows that are kept of them. Whatever comes, an answer is
 * one that the CA could have signed, in force at the time, or none at all. */
#include "core/device/x509.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1767225900000 /* 2026-01-01T00:05:00Z; the seeds were made five minutes before */

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

/* The CA that signed the seeds, whose key is nowhere, and the device that they are about. */
static char const ca[] =
#include "tests/fuzz/ocsp_ca.inc"
    ;
static char const leaf[] =
#include "tests/fuzz/ocsp_leaf.inc"
    ;

static dt_trust_store *g_store;
static dt_ocsp_question g_question;

static void decode_leaf(dt_buf *der)
{
    char text[sizeof(leaf)];
    size_t n = 0;

    for (char const *line = leaf; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "\n");
        if (line[0] != '-') {
            memcpy(text + n, line, len);
            n += len;
        }
    }
    dt_buf_init(der, DT_CERTIFICATE_MAX);
    if (dt_base64_decode(der, dt_bytes_of(text, n)) < 0)
        abort();
}

static void prepare(void)
{
    dt_ocsp_rules const rules = {.on = true, .max_age = DT_DAYS(10)};
    dt_certificate cert;
    dt_error e = {0};
    dt_buf der;

    decode_leaf(&der);
    if (dt_trust_store_new(&g_store) < 0 ||
        dt_trust_store_add_pem(g_store, dt_bytes_str(ca), false, &e) < 0 ||
        dt_trust_store_set_ocsp(g_store, &rules) < 0)
        abort();
    dt_trust_store_set_revocation(g_store, DT_REVOCATION_REQUIRE);
    if (dt_x509_judge_online(g_store, dt_buf_bytes(&der), NULL, 0, NULL, NOW, &cert, &g_question,
                             &e) != DT_REASON_LOOKUP_UNAVAILABLE ||
        !g_question.open)
        abort();
    dt_buf_free(&der);
}

static void check_answer(dt_bytes input)
{
    dt_ocsp_answer a;
    dt_error e = {0};
    int rc = dt_x509_ocsp_read(g_store, &g_question, input, NOW, &a, &e);

    if (rc > 0 || (rc == 0) != (e.text[0] == '\0') || (rc == 0) != (a.status != DT_OCSP_NO_ANSWER))
        abort();
    if (rc < 0)
        return;
    if (a.this_update > NOW + DT_OCSP_SKEW ||
        (a.next_update != 0 && a.next_update < NOW - DT_OCSP_SKEW))
        abort();
    a.fetched = NOW;
    dt_ocsp_keep(&a, (dt_ocsp_limits){.longest = DT_DAYS(30), .max_age = DT_DAYS(30)});
    if (a.until > NOW + DT_OCSP_KEPT_MAX)
        abort();
}

/* A row is believed in one form only: what is written of it is what was read. */
static void check_record(dt_bytes input)
{
    uint8_t storage[DT_OCSP_RECORD_MAX + 1];
    dt_ocsp_answer a;
    dt_buf b;

    if (dt_ocsp_unpack(input, &a) < 0) {
        if (a.status != DT_OCSP_NO_ANSWER || a.until != 0)
            abort();
        return;
    }
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    if (dt_ocsp_pack(&a, &b) < 0 || !dt_bytes_equal(dt_buf_bytes(&b), input))
        abort();
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    if (g_store == NULL)
        prepare();
    check_answer(dt_bytes_of(data, size));
    check_record(dt_bytes_of(data, size));
    return 0;
}
