/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One table of the key types; keys and signatures are read by it. */
#include "core/device/ssh_key.h"

#include "core/device/ssh_wire.h"

#include <string.h>

#define CERTIFICATE_SUFFIX "-cert-v01@openssh.com"
#define RSA_BYTES_MIN (2048 / 8)
#define RSA_BYTES_MAX (8192 / 8)
#define EXPONENT_MAX 8 /* bytes; OpenSSL's own limit for long moduli */
#define ED25519_KEY 32
#define ED25519_SIGNATURE 64

typedef struct key_type {
    char const *name;
    char const *certificate;
    dt_key_algorithm algorithm;
    char const *curve; /* as the blob repeats it; NULL for the rest */
    size_t point;      /* bytes of the public point, or of Ed25519's key */
    unsigned hash;     /* of ECDSA */
    bool hardware;
} key_type;

static key_type const types[] = {
    {"ssh-rsa", "ssh-rsa" CERTIFICATE_SUFFIX, DT_KEY_ALG_RSA, NULL, 0, 0, false},
    {"ssh-ed25519", "ssh-ed25519" CERTIFICATE_SUFFIX, DT_KEY_ALG_ED25519, NULL, ED25519_KEY, 0,
     false},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" CERTIFICATE_SUFFIX, DT_KEY_ALG_P256, "nistp256",
     65, 256, false},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" CERTIFICATE_SUFFIX, DT_KEY_ALG_P384, "nistp384",
     97, 384, false},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" CERTIFICATE_SUFFIX, DT_KEY_ALG_P521, "nistp521",
     133, 512, false},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519" CERTIFICATE_SUFFIX, DT_KEY_ALG_ED25519, NULL,
     ED25519_KEY, 0, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256" CERTIFICATE_SUFFIX,
     DT_KEY_ALG_P256, "nistp256", 65, 256, true},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static bool is_word(dt_bytes b, char const *word)
{
    return dt_bytes_equal(b, dt_bytes_str(word));
}

static key_type const *type_of(dt_bytes name, bool certificate)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (is_word(name, certificate ? types[i].certificate : types[i].name))
            return &types[i];
    }
    return NULL;
}

static key_type const *type_of_key(dt_ssh_public const *k)
{
    return k->type != NULL ? type_of(dt_bytes_str(k->type), false) : NULL;
}

bool dt_ssh_is_certificate_type(dt_bytes type)
{
    size_t const len = sizeof(CERTIFICATE_SUFFIX) - 1;

    return type.len >= len && memcmp(type.p + type.len - len, CERTIFICATE_SUFFIX, len) == 0;
}

bool dt_ssh_is_hardware_type(dt_bytes type)
{
    key_type const *t = type_of(type, dt_ssh_is_certificate_type(type));

    return t != NULL && t->hardware;
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool take_rsa(dt_bytes *rest, dt_public_key *k)
{
    if (!dt_ssh_take_positive(rest, &k->exponent) || !dt_ssh_take_positive(rest, &k->modulus))
        return false;
    return k->exponent.len <= EXPONENT_MAX && k->modulus.len >= RSA_BYTES_MIN &&
           k->modulus.len <= RSA_BYTES_MAX &&
           (k->modulus.len > RSA_BYTES_MIN || (k->modulus.p[0] & 0x80) != 0);
}

static bool take_point(dt_bytes *rest, key_type const *t, dt_public_key *k)
{
    dt_bytes curve;

    if (t->curve != NULL && (!dt_ssh_take_string(rest, &curve) || !is_word(curve, t->curve)))
        return false;
    if (!dt_ssh_take_string(rest, &k->point) || k->point.len != t->point)
        return false;
    return t->curve == NULL || k->point.p[0] == 0x04; /* not compressed */
}

static bool take_key(key_type const *t, dt_bytes *rest, dt_ssh_public *out)
{
    *out = (dt_ssh_public){.type = t->name, .hardware = t->hardware};
    out->key.algorithm = t->algorithm;
    if (t->algorithm == DT_KEY_ALG_RSA ? !take_rsa(rest, &out->key)
                                       : !take_point(rest, t, &out->key))
        return false;
    return !t->hardware || (dt_ssh_take_string(rest, &out->application) &&
                            out->application.len <= DT_SSH_APPLICATION_MAX);
}

int dt_ssh_public_parse(dt_bytes blob, dt_ssh_public *out)
{
    dt_bytes rest = blob, name;
    key_type const *t = NULL;

    if (blob.len <= DT_SSH_KEY_MAX && dt_ssh_take_string(&rest, &name))
        t = type_of(name, false);
    if (t != NULL && take_key(t, &rest, out) && rest.len == 0)
        return DT_OK;
    *out = (dt_ssh_public){0};
    return DT_E_PARSE;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static dt_bytes take_word(dt_bytes *rest)
{
    size_t from = 0, to;

    while (from < rest->len && is_blank(rest->p[from]))
        from++;
    for (to = from; to < rest->len && !is_blank(rest->p[to]);)
        to++;
    dt_bytes const word = dt_bytes_of(rest->p + from, to - from);

    *rest = dt_bytes_of(rest->p + to, rest->len - to);
    return word;
}

int dt_ssh_public_line(dt_bytes line, dt_buf *blob, dt_ssh_public *out)
{
    dt_bytes const type = take_word(&line), text = take_word(&line);
    int rc = dt_base64_decode(blob, text);

    *out = (dt_ssh_public){0};
    if (rc == DT_OK)
        rc = dt_ssh_public_parse(dt_buf_bytes(blob), out);
    if (rc == DT_OK && !dt_bytes_equal(type, dt_bytes_str(out->type)))
        rc = DT_E_PARSE;
    if (rc < 0)
        *out = (dt_ssh_public){0};
    return rc;
}

bool dt_ssh_public_take(dt_bytes certificate_type, dt_bytes *rest, dt_ssh_public *out)
{
    key_type const *t = type_of(certificate_type, true);

    if (t != NULL && take_key(t, rest, out))
        return true;
    *out = (dt_ssh_public){0};
    return false;
}

static void put_positive(dt_buf *out, dt_bytes n)
{
    bool const zero = n.len > 0 && (n.p[0] & 0x80) != 0;

    dt_ssh_put_u32(out, (uint32_t)(n.len + (zero ? 1 : 0)));
    if (zero)
        dt_buf_putc(out, '\0');
    dt_buf_put(out, n.p, n.len);
}

void dt_ssh_public_put(dt_ssh_public const *k, dt_buf *out)
{
    key_type const *t = type_of_key(k);

    if (t == NULL)
        return;
    dt_ssh_put_string(out, dt_bytes_str(t->name));
    if (t->algorithm == DT_KEY_ALG_RSA) {
        put_positive(out, k->key.exponent);
        put_positive(out, k->key.modulus);
        return;
    }
    if (t->curve != NULL)
        dt_ssh_put_string(out, dt_bytes_str(t->curve));
    dt_ssh_put_string(out, k->key.point);
    if (t->hardware)
        dt_ssh_put_string(out, k->application);
}

int dt_ssh_public_fingerprint(dt_ssh_public const *k, char out[65])
{
    uint8_t storage[DT_SSH_KEY_MAX + 1], digest[DT_SHA256_LEN];
    dt_buf blob;

    out[0] = '\0';
    dt_buf_init_fixed(&blob, storage, sizeof(storage));
    dt_ssh_public_put(k, &blob);
    if (dt_buf_error(&blob) < 0 || blob.len == 0)
        return DT_E_INVALID;
    int const rc = dt_crypto_sha256(dt_buf_bytes(&blob), digest);

    if (rc == DT_OK)
        dt_hex(out, digest, sizeof(digest));
    return rc;
}

/* --- signatures ------------------------------------------------------------------------------- */

/* The hash of a signature of this algorithm's name by a key of this type; 0 = not allowed, or (Ed25519)
 * its own. RFC 8332 section 3. */
static bool algorithm_fits(key_type const *t, dt_bytes name, unsigned *hash)
{
    *hash = t->hash;
    if (t->algorithm != DT_KEY_ALG_RSA)
        return is_word(name, t->name);
    *hash = is_word(name, "rsa-sha2-256") ? 256 : 512;
    return is_word(name, "rsa-sha2-256") || is_word(name, "rsa-sha2-512");
}

static bool take_value(key_type const *t, dt_bytes value, dt_raw_signature *out)
{
    *out = (dt_raw_signature){.value = value};
    if (t->algorithm == DT_KEY_ALG_RSA)
        return value.len > 0 && value.len <= RSA_BYTES_MAX;
    if (t->algorithm == DT_KEY_ALG_ED25519)
        return value.len == ED25519_SIGNATURE;
    out->value = dt_bytes_of(NULL, 0);
    return dt_ssh_take_positive(&value, &out->r) && dt_ssh_take_positive(&value, &out->s) &&
           value.len == 0;
}

/* What a security key signs in the message's stead: the hash of its application, its flags, its
 * counter, the hash of the message. */
#define SK_MESSAGE (DT_SHA256_LEN + 1 + 4 + DT_SHA256_LEN)

static int sk_message(dt_ssh_public const *k, dt_bytes message, dt_bytes said,
                      uint8_t out[SK_MESSAGE])
{
    int rc = dt_crypto_sha256(k->application, out);

    memcpy(out + DT_SHA256_LEN, said.p, said.len);
    return rc == DT_OK ? dt_crypto_sha256(message, out + DT_SHA256_LEN + said.len) : rc;
}

static int verify_sk(dt_ssh_public const *k, unsigned hash, dt_bytes message,
                     dt_raw_signature const *raw, dt_bytes said, uint8_t *flags)
{
    uint8_t signed_bytes[SK_MESSAGE];
    int rc;

    if (said.len != 5)
        return DT_E_PARSE;
    rc = sk_message(k, message, said, signed_bytes);
    if (rc == DT_OK)
        rc = dt_crypto_verify(&k->key, hash, dt_bytes_of(signed_bytes, sizeof(signed_bytes)), raw);
    if (rc == DT_OK && flags != NULL)
        *flags = said.p[0];
    return rc;
}

int dt_ssh_verify(dt_ssh_public const *k, dt_bytes message, dt_bytes signature, uint8_t *flags)
{
    key_type const *t = type_of_key(k);
    dt_bytes rest = signature, name, value;
    dt_raw_signature raw;
    unsigned hash;

    if (flags != NULL)
        *flags = 0;
    if (t == NULL || signature.len > DT_SSH_SIGNATURE_MAX || !dt_ssh_take_string(&rest, &name) ||
        !dt_ssh_take_string(&rest, &value) || !algorithm_fits(t, name, &hash) ||
        !take_value(t, value, &raw))
        return DT_E_PARSE;
    if (t->hardware)
        return verify_sk(k, hash, message, &raw, rest, flags);
    return rest.len != 0 ? DT_E_PARSE : dt_crypto_verify(&k->key, hash, message, &raw);
}
