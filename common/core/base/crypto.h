/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cryptography port: pure functions over bytes. edge/crypto_openssl.c implements them.
 * verify_openssl.c defines dt_crypto_verify. */
#ifndef DT_CORE_CRYPTO_H
#define DT_CORE_CRYPTO_H

#include "core/base/bytes.h"

#define DT_SHA256_LEN 32
#define DT_MD5_LEN 16
#define DT_AEAD_KEY_LEN 32
#define DT_AEAD_NONCE_LEN 12
#define DT_AEAD_TAG_LEN 16

/* FIPS 180-4. Fails only when the library does (DT_E_CRYPTO). Thread safe, like all here. */
DT_MUST_USE int dt_crypto_sha256(dt_bytes in, uint8_t out[DT_SHA256_LEN]);

/* MD5 over `text` and then `secret`, and HMAC-MD5 (RFC 2104): for RADIUS alone, which has nothing else. DT_E_CRYPTO
 * where the system allows no MD5. */
DT_MUST_USE int dt_crypto_md5(dt_bytes text, dt_bytes secret, uint8_t out[DT_MD5_LEN]);
DT_MUST_USE int dt_crypto_hmac_md5(dt_bytes secret, dt_bytes text, uint8_t out[DT_MD5_LEN]);

/* HMAC-SHA-256 (RFC 2104). DT_E_CRYPTO. */
DT_MUST_USE int dt_crypto_hmac_sha256(dt_bytes key, dt_bytes in, uint8_t out[DT_SHA256_LEN]);

/* AES-256-GCM (NIST SP 800-38D): appends ciphertext and tag to `out`. A nonce must never be used
 * twice with one key: the caller draws it from the system's generator. */
DT_MUST_USE int dt_crypto_seal(uint8_t const key[DT_AEAD_KEY_LEN],
                               uint8_t const nonce[DT_AEAD_NONCE_LEN], dt_bytes aad, dt_bytes plain,
                               dt_buf *out);
/* The opposite; DT_E_CRYPTO when anything was changed, and `out` is left as it was. */
DT_MUST_USE int dt_crypto_open(uint8_t const key[DT_AEAD_KEY_LEN],
                               uint8_t const nonce[DT_AEAD_NONCE_LEN], dt_bytes aad,
                               dt_bytes sealed, dt_buf *out);

typedef enum dt_key_algorithm {
    DT_KEY_ALG_NONE = 0,
    DT_KEY_ALG_RSA,
    DT_KEY_ALG_P256,
    DT_KEY_ALG_P384,
    DT_KEY_ALG_P521,
    DT_KEY_ALG_ED25519,
} dt_key_algorithm;

/* A public key by its numbers, big-endian; borrowed. */
typedef struct dt_public_key {
    dt_key_algorithm algorithm;
    dt_bytes modulus, exponent; /* RSA */
    dt_bytes point; /* EC: 0x04, x, y (SEC 1 section 2.3.3); Ed25519: RFC 8032's 32 bytes */
} dt_public_key;

typedef struct dt_raw_signature {
    dt_bytes value; /* RSA, Ed25519 */
    dt_bytes r, s;  /* ECDSA */
} dt_raw_signature;

/* Is the signature over `message` valid? RSA: PKCS#1 v1.5. `hash`: 256, 384 or 512 of SHA-2;
 * Ed25519 has its own. 0 or DT_E_CRYPTO, also for a key that is not one. */
DT_MUST_USE int dt_crypto_verify(dt_public_key const *k, unsigned hash, dt_bytes message,
                                 dt_raw_signature const *signature);

#endif
