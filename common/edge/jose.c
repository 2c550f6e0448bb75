/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client assertions and DPoP proofs, signed by latchset's jose. Claims and key come in, a compact JWS
 * (RFC 7515 section 7.1) goes out. OpenSSL is here for what stands before the signature: reading
 * the PEM files and the certificate's thumbprint. */
#include "edge/jose.h"

#include "core/signon/outcome.h"
#include "edge/x509_internal.h"

#include <jansson.h>
#include <jose/jws.h>
#include <jose/openssl.h>

#include <stdlib.h>
#include <string.h>

#define DT_CLAIMS_MAX 4096              /* of one assertion, JSON bytes */
#define DT_THUMBPRINT_MAX 48            /* base64url of a SHA-256 */
#define DT_ASSERTION_CERTIFICATES_MAX 9 /* the client's own, then what issued it */

struct dt_assertion_key {
    dt_time ends; /* of the certificate's validity */
    json_t *jwk;  /* RFC 7518 section 6.3; its strings are wiped before they are freed */
    char sha1[DT_THUMBPRINT_MAX];
    char sha256[DT_THUMBPRINT_MAX];
};

/* Wipes the strings of an object before it goes: jansson frees them as they are. */
static void wipe_and_free(json_t *object)
{
    char const *name;
    json_t *v;
    json_object_foreach(object, name, v)
    {
        if (json_is_string(v))
            explicit_bzero((void *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
    json_decref(object);
}

void dt_assertion_key_free(dt_assertion_key **k)
{
    if (*k == NULL)
        return;
    wipe_and_free((*k)->jwk);
    free(*k);
    *k = NULL;
}

/* base64url of a hash over the certificate's DER: the bytes, not their hex text. */
static int thumbprint(X509 *x, EVP_MD const *hash, char out[DT_THUMBPRINT_MAX])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_THUMBPRINT_MAX);
    if (X509_digest(x, hash, digest, &len) != 1)
        return DT_E_CRYPTO;
    dt_base64url_encode(&b, dt_bytes_of(digest, len));
    return dt_buf_error(&b);
}

static int check_certificate(X509 *x, EVP_PKEY *key, dt_time *ends, dt_error *e)
{
    if (dt_key_kind_of(key) != DT_KEY_RSA)
        return dt_error_set(e, DT_E_INVALID,
                            "the key for Entra must be RSA, 2048 to 8192 bits (PS256, RS256)");
    EVP_PKEY *theirs = X509_get0_pubkey(x);
    if (theirs == NULL || EVP_PKEY_eq(theirs, key) != 1)
        return dt_error_set(e, DT_E_CRYPTO, "the key does not belong to the certificate for Entra");
    if (dt_x509_time(X509_get0_notAfter(x), ends) != 0)
        return dt_error_set(e, DT_E_PARSE,
                            "the validity of the certificate for Entra is unreadable");
    return 0;
}

static int fill_key(dt_assertion_key *k, X509 *x, EVP_PKEY *key, dt_error *e)
{
    k->jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, key);
    if (k->jwk == NULL)
        return dt_error_set(e, DT_E_CRYPTO, "the key for Entra cannot be used");
    int rc = thumbprint(x, EVP_sha1(), k->sha1);
    if (rc == 0)
        rc = thumbprint(x, EVP_sha256(), k->sha256);
    return rc == 0 ? 0
                   : dt_error_set(e, rc, "the thumbprint of the certificate cannot be computed");
}

/* Reads both texts; the certificate is the first of its file. */
static int read_pair(dt_assertion_key *k, dt_secret const *key_pem, dt_bytes certificate_pem,
                     bool *of_key, dt_error *e)
{
    EVP_PKEY *key = NULL;
    STACK_OF(X509) *all = sk_X509_new_null();
    int rc = all != NULL ? dt_pem_private_key(dt_secret_bytes(key_pem), &key, e)
                         : dt_error_set(e, DT_E_NOMEM, "out of memory");
    *of_key = rc != 0;
    if (rc == 0)
        rc = dt_pem_certificates(certificate_pem, all, DT_ASSERTION_CERTIFICATES_MAX, e);
    if (rc == 0)
        rc = check_certificate(sk_X509_value(all, 0), key, &k->ends, e);
    if (rc == 0)
        rc = fill_key(k, sk_X509_value(all, 0), key, e);
    sk_X509_pop_free(all, X509_free);
    EVP_PKEY_free(key);
    return rc;
}

int dt_assertion_key_new(dt_secret const *key_pem, dt_bytes certificate_pem, dt_assertion_key **out,
                         bool *of_key, dt_error *e)
{
    *out = NULL;
    dt_assertion_key *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    bool unused;
    dt_openssl_enter();
    int const rc = read_pair(k, key_pem, certificate_pem, of_key != NULL ? of_key : &unused, e);
    dt_openssl_leave();
    if (rc != 0)
        dt_assertion_key_free(&k);
    *out = k;
    return rc;
}

/* The header that the certificate-credentials form asks for. */
static json_t *make_header(dt_assertion_key const *k, dt_assertion_alg alg)
{
    switch (alg) {
    case DT_ALG_PS256:
        return json_pack("{s:{s:s,s:s,s:s}}", "protected", "alg", "PS256", "typ", "JWT", "x5t#S256",
                         k->sha256);
    case DT_ALG_RS256:
        return json_pack("{s:{s:s,s:s,s:s}}", "protected", "alg", "RS256", "typ", "JWT", "x5t",
                         k->sha1);
    }
    return NULL;
}

/* A flattened JWS (RFC 7515 section 7.2.2) as compact text. */
static int put_compact(json_t const *jws, dt_buf *out)
{
    static char const *const parts[] = {"protected", "payload", "signature"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char const *text = json_string_value(json_object_get(jws, parts[i]));
        if (text == NULL || text[0] == '\0')
            return DT_E_CRYPTO;
        if (i > 0)
            dt_buf_putc(out, '.');
        dt_buf_puts(out, text);
    }
    return dt_buf_error(out);
}

static json_t *make_payload(dt_bytes claims)
{
    dt_buf text;
    dt_buf_init(&text, DT_CLAIMS_MAX * 2);
    dt_base64url_encode(&text, claims);
    json_t *jws = NULL;
    if (dt_buf_error(&text) == 0)
        jws = json_pack("{s:s}", "payload", (char const *)text.p);
    dt_buf_free(&text);
    return jws;
}

/* Time alone makes it so: nothing was done to the configuration, and the sign-ons go on without Entra. */
static int check_expiry(dt_assertion_key const *k, dt_time now, dt_error *e)
{
    char day[25];

    if (k->ends >= now)
        return DT_OK;
    dt_time_format(day, k->ends);
    return dt_error_set(
        e, DT_E_EXPIRED,
        "the certificate for Entra has expired at %s; make a new one, upload it to the app "
        "registration, and replace the files of [intune] certificate_file and key_file",
        day);
}

int dt_assertion_sign(dt_assertion_key const *k, dt_assertion_alg alg, dt_bytes claims, dt_time now,
                      dt_buf *out, dt_error *e)
{
    int const expired = check_expiry(k, now, e);

    if (expired < 0)
        return expired;
    if (claims.len == 0 || claims.len > DT_CLAIMS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "an assertion's claims are 1 to %d bytes",
                            DT_CLAIMS_MAX);
    json_t *header = make_header(k, alg);
    if (header == NULL)
        return dt_error_set(e, DT_E_INVALID, "the assertion's algorithm is unknown");
    dt_openssl_enter();
    int rc = DT_E_CRYPTO;
    json_t *jws = make_payload(claims);
    if (jws != NULL && jose_jws_sig(NULL, jws, header, k->jwk))
        rc = put_compact(jws, out);
    wipe_and_free(jws);
    json_decref(header);
    dt_openssl_leave();
    return rc == 0 ? 0 : dt_error_set(e, rc, "the assertion for Entra could not be signed");
}

/* --- JSON Web Signatures for Okta ---------------------------------------------------------------- */

struct dt_jws_key {
    json_t *jwk; /* its strings are wiped before they are freed */
    bool rsa;
};

void dt_jws_key_free(dt_jws_key **k)
{
    if (*k == NULL)
        return;
    wipe_and_free((*k)->jwk);
    free(*k);
    *k = NULL;
}

static bool is_p256(EVP_PKEY *key)
{
    return dt_key_type_of(key) == DT_KEY_TYPE_P256;
}

static bool is_rsa(EVP_PKEY *key)
{
    return dt_key_kind_of(key) == DT_KEY_RSA && EVP_PKEY_get_bits(key) <= DT_JWS_RSA_BITS_MAX;
}

static int jws_key_of(EVP_PKEY *key, dt_jws_key **out, dt_error *e)
{
    if (!is_p256(key) && !is_rsa(key))
        return dt_error_set(
            e, DT_E_INVALID,
            "the key of an app at Okta must be RSA of 2048 to %d bits, or P-256; make "
            "one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            DT_JWS_RSA_BITS_MAX);
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    (*out)->rsa = !is_p256(key);
    (*out)->jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, key);
    if ((*out)->jwk != NULL)
        return DT_OK;
    dt_jws_key_free(out);
    return dt_error_set(e, DT_E_CRYPTO, "the key cannot be used");
}

int dt_jws_key_new(dt_secret const *pem, dt_jws_key **out, dt_error *e)
{
    EVP_PKEY *key = NULL;
    *out = NULL;
    dt_openssl_enter();
    int rc = dt_pem_private_key(dt_secret_bytes(pem), &key, e);
    if (rc == 0)
        rc = jws_key_of(key, out, e);
    EVP_PKEY_free(key);
    dt_openssl_leave();
    return rc;
}

int dt_jws_key_make(dt_jws_key **out, dt_error *e)
{
    *out = NULL;
    dt_openssl_enter();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    int rc = key != NULL ? jws_key_of(key, out, e)
                         : dt_error_set(e, DT_E_CRYPTO, "no key can be made for DPoP");
    EVP_PKEY_free(key);
    dt_openssl_leave();
    return rc;
}

int dt_jws_key_save(dt_jws_key const *k, dt_secret **out)
{
    char *text = k->rsa ? NULL : json_dumps(k->jwk, JSON_COMPACT);
    int rc = text != NULL && strlen(text) < DT_JWK_TEXT_MAX ? dt_secret_new(dt_bytes_str(text), out)
                                                            : DT_E_INVALID;
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

int dt_jws_key_load(char const *jwk, dt_jws_key **out)
{
    json_t *read = json_loads(jwk, JSON_REJECT_DUPLICATES, NULL);
    *out = NULL;
    dt_openssl_enter();
    EVP_PKEY *key = json_is_object(read) && json_object_get(read, "d") != NULL
                        ? jose_openssl_jwk_to_EVP_PKEY(NULL, read)
                        : NULL;
    int rc = key != NULL && is_p256(key) ? jws_key_of(key, out, NULL) : DT_E_PARSE;
    EVP_PKEY_free(key);
    dt_openssl_leave();
    wipe_and_free(read);
    return rc;
}

/* The public half of an EC key (RFC 7517 section 4, RFC 7518 section 6.2.1). */
static json_t *public_jwk(dt_jws_key const *k)
{
    return json_pack("{s:s,s:s,s:O,s:O}", "kty", "EC", "crv", "P-256", "x",
                     json_object_get(k->jwk, "x"), "y", json_object_get(k->jwk, "y"));
}

static json_t *jws_header(dt_jws_key const *k, char const *typ, char const *kid, bool with_key)
{
    json_t *fields = json_pack("{s:s,s:s}", "alg", k->rsa ? "RS256" : "ES256", "typ", typ);
    bool ok = fields != NULL;
    if (ok && *kid != '\0')
        ok = json_object_set_new(fields, "kid", json_string(kid)) == 0;
    if (ok && with_key)
        ok = !k->rsa && json_object_set_new(fields, "jwk", public_jwk(k)) == 0;
    json_t *header = ok ? json_pack("{s:O}", "protected", fields) : NULL;
    json_decref(fields);
    return header;
}

int dt_jws_sign(dt_jws_key const *k, char const *typ, char const *kid, bool with_key,
                dt_bytes claims, dt_buf *out, dt_error *e)
{
    if (claims.len == 0 || claims.len > DT_CLAIMS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "claims are 1 to %d bytes", DT_CLAIMS_MAX);
    json_t *header = jws_header(k, typ, kid, with_key);
    if (header == NULL)
        return dt_error_set(e, DT_E_INVALID, "the header of a signature cannot be made");
    dt_openssl_enter();
    int rc = DT_E_CRYPTO;
    json_t *jws = make_payload(claims);
    if (jws != NULL && jose_jws_sig(NULL, jws, header, k->jwk))
        rc = put_compact(jws, out);
    wipe_and_free(jws);
    json_decref(header);
    dt_openssl_leave();
    return rc == 0 ? 0 : dt_error_set(e, rc, "the claims could not be signed");
}
