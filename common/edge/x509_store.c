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
    s->cas[0] = (dt_ca){.places = DT_ID_PLACES_DEFAULT,
                        .keys = DT_KEY_TYPES_ALL,
                        .rsa_bits_min = DT_RSA_BITS_MIN,
                        .revocation = DT_REVOCATION_OFF};
    s->ca_count = 1;
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
    for (size_t i = 0; i < (*s)->ca_count; i++)
        dt_ca_clear(&(*s)->cas[i]);
    free(*s);
    *s = NULL;
}

size_t dt_trust_store_size(dt_trust_store const *s)
{
    return (size_t)sk_X509_num(s->all);
}

/* Refuses what could never verify, or what stands in the wrong class, while somebody is there to
 * read why. Also makes OpenSSL parse the extensions and the key now and not at the first login. */
static int check_anchor(X509 *x, bool tenant_compared, dt_error *e)
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
    if (!tenant_compared && dt_x509_is_shared_name(X509_get_subject_name(x)))
        return dt_error_set(e, DT_E_INVALID,
                            "%s signs for every tenant in the world; name it in shared_ca_file, "
                            "where the tenant of each certificate is compared, or in a section "
                            "[ca NAME] with a tenant_id",
                            name);
    return 0;
}

/* A key under two sets of rules would be judged by whichever is met first. */
static int check_only_once(dt_trust_store const *s, X509 *x, dt_error *e)
{
    char name[DT_X509_NAME_MAX];
    dt_ca const *other = dt_trust_store_ca_of(s, x);

    if (other == NULL)
        return 0;
    dt_x509_name_text(X509_get_subject_name(x), name, sizeof(name));
    if (other->name[0] == '\0')
        return dt_error_set(e, DT_E_INVALID,
                            "%s is in ca_file or shared_ca_file already; name it in one place",
                            name);
    return dt_error_set(e, DT_E_INVALID, "%s is in [ca %s] already; name it in one place", name,
                        other->name);
}

/* Moves checked certificates from `fresh` into the store, under the rules cas[ca]. */
static int take_anchors(dt_trust_store *s, STACK_OF(X509) *fresh, size_t ca, bool shared,
                        dt_error *e)
{
    bool const tenant_compared = shared || dt_guid_is_set(&s->cas[ca].tenant);
    int rc = 0;
    for (int i = 0; rc == 0 && i < sk_X509_num(fresh); i++) {
        rc = check_anchor(sk_X509_value(fresh, i), tenant_compared, e);
        if (rc == 0 && ca > 0)
            rc = check_only_once(s, sk_X509_value(fresh, i), e);
    }
    if (rc == 0 && sk_X509_reserve(s->all, sk_X509_num(fresh)) != 1)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    while (rc == 0 && sk_X509_num(fresh) > 0) {
        int const at = sk_X509_num(s->all);
        s->shared[at] = shared;
        s->ca[at] = (uint8_t)ca;
        (void)sk_X509_push(s->all, sk_X509_shift(fresh));
    }
    return rc;
}

static int add_pem(dt_trust_store *s, dt_bytes pem, size_t ca, bool shared, dt_error *e)
{
    STACK_OF(X509) *fresh = sk_X509_new_null();
    size_t const room = DT_ANCHORS_MAX - dt_trust_store_size(s);
    int rc = fresh != NULL ? dt_pem_certificates(pem, fresh, room, e)
                           : dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == 0)
        rc = take_anchors(s, fresh, ca, shared, e);
    sk_X509_pop_free(fresh, X509_free);
    return rc;
}

int dt_trust_store_add_pem(dt_trust_store *s, dt_bytes pem, bool shared, dt_error *e)
{
    dt_openssl_enter();
    int const rc = add_pem(s, pem, 0, shared, e);
    dt_openssl_leave();
    return rc;
}

int dt_trust_store_add_ca(dt_trust_store *s, dt_config_ca const *rules, dt_bytes pem, dt_error *e)
{
    if (s->ca_count == sizeof(s->cas) / sizeof(s->cas[0]))
        return dt_error_set(e, DT_E_LIMIT, "more than %d CAs with rules", DT_CONFIG_CAS_MAX);
    dt_openssl_enter();
    dt_ca *ca = &s->cas[s->ca_count];
    int rc = dt_ca_make(rules, ca, e);
    if (rc == 0)
        rc = add_pem(s, pem, s->ca_count, false, e);
    if (rc == 0)
        s->ca_count++;
    else
        dt_ca_clear(ca);
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

dt_ca const *dt_trust_store_ca_of(dt_trust_store const *s, X509 *x)
{
    for (int i = 0; i < sk_X509_num(s->all); i++) {
        if (sk_X509_value(s->all, i) == x)
            return &s->cas[s->ca[i]];
    }
    for (int i = 0; i < sk_X509_num(s->all); i++) {
        if (dt_x509_same_key(sk_X509_value(s->all, i), x))
            return &s->cas[s->ca[i]];
    }
    return NULL;
}
