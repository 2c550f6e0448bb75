/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trust anchors, parsed once. Kept as a plain stack and not as an X509_STORE, whose lookups
 * take a write lock that all threads would meet at. */
#include "edge/x509_internal.h"

#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

/* What the weakest key of a CA must be worth: RSA 2048 (NIST SP 800-57 part 1, table 2). */
#define DT_CA_SECURITY_BITS_MIN 112

int dt_trust_store_new(dt_trust_store **out)
{
    *out = NULL;
    dt_trust_store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return DT_E_NOMEM;
    dt_openssl_enter();
    s->all = sk_X509_new_null();
    s->revocation = DT_REVOCATION_OFF;
    dt_openssl_leave();
    if (s->all == NULL) {
        free(s);
        return DT_E_NOMEM;
    }
    *out = s;
    return 0;
}

void dt_trust_store_free(dt_trust_store **s)
{
    if (*s == NULL)
        return;
    dt_crls_free(&(*s)->crls);
    sk_X509_pop_free((*s)->all, X509_free);
    sk_X509_pop_free((*s)->responders, X509_free);
    free(*s);
    *s = NULL;
}

size_t dt_trust_store_size(dt_trust_store const *s)
{
    return (size_t)sk_X509_num(s->all);
}

/* Refuses what could never verify, or what stands in the wrong class, while somebody is there to
 * read why. Also makes OpenSSL parse the extensions and the key now and not at the first login. */
static int check_anchor(X509 *x, bool shared, dt_error *e)
{
    char name[DT_X509_NAME_MAX];
    dt_x509_name_text(X509_get_subject_name(x), name, sizeof(name));
    if (X509_check_purpose(x, -1, 0) != 1 || X509_check_ca(x) != 1)
        return dt_error_set(e, DT_E_INVALID,
                            "%s is not a CA certificate (basicConstraints CA:TRUE)", name);
    EVP_PKEY *key = X509_get0_pubkey(x);
    if (key == NULL || EVP_PKEY_get_security_bits(key) < DT_CA_SECURITY_BITS_MIN)
        return dt_error_set(e, DT_E_INVALID, "the key of %s is too weak, or of an unknown type",
                            name);
    if (!shared && dt_x509_is_shared_name(X509_get_subject_name(x)))
        return dt_error_set(e, DT_E_INVALID,
                            "%s signs for every tenant in the world; name it in shared_ca_file, "
                            "where the tenant of each certificate is compared",
                            name);
    return 0;
}

/* Moves checked certificates from `fresh` into the store. */
static int take_anchors(dt_trust_store *s, STACK_OF(X509) *fresh, bool shared, dt_error *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < sk_X509_num(fresh); i++)
        rc = check_anchor(sk_X509_value(fresh, i), shared, e);
    if (rc == 0 && sk_X509_reserve(s->all, sk_X509_num(fresh)) != 1)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    while (rc == 0 && sk_X509_num(fresh) > 0) {
        int const at = sk_X509_num(s->all);
        s->shared[at] = shared;
        (void)sk_X509_push(s->all, sk_X509_shift(fresh));
    }
    return rc;
}

int dt_trust_store_add_pem(dt_trust_store *s, dt_bytes pem, bool shared, dt_error *e)
{
    dt_openssl_enter();
    STACK_OF(X509) *fresh = sk_X509_new_null();
    size_t const room = DT_ANCHORS_MAX - dt_trust_store_size(s);
    int rc = fresh != NULL ? dt_pem_certificates(pem, fresh, room, e)
                           : dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == 0)
        rc = take_anchors(s, fresh, shared, e);
    sk_X509_pop_free(fresh, X509_free);
    dt_openssl_leave();
    return rc;
}

bool dt_x509_same_key(X509 *a, X509 *b)
{
    unsigned char const *pa = NULL, *pb = NULL;
    int la = 0, lb = 0;
    X509_ALGOR *alg_a = NULL, *alg_b = NULL;
    return X509_PUBKEY_get0_param(NULL, &pa, &la, &alg_a, X509_get_X509_PUBKEY(a)) == 1 &&
           X509_PUBKEY_get0_param(NULL, &pb, &lb, &alg_b, X509_get_X509_PUBKEY(b)) == 1 &&
           la == lb && memcmp(pa, pb, (size_t)la) == 0 && X509_ALGOR_cmp(alg_a, alg_b) == 0;
}

bool dt_trust_store_is_shared(dt_trust_store const *s, X509 *x)
{
    for (int i = 0; i < sk_X509_num(s->all); i++) {
        if (s->shared[i] && dt_x509_same_key(sk_X509_value(s->all, i), x))
            return true;
    }
    return false;
}
