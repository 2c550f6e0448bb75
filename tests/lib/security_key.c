/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FIDO authenticator in software, for ssh, ssh-agent and ssh-keygen (SecurityKeyProvider): what makes a key
 * with it and signs is OpenSSH's own code, and only the token is ours. The key handle is the private key, so
 * this protects nothing. Interface: OpenSSH's PROTOCOL.u2f, "Middleware library", version 10 as of 9.2.
 *
 * Whether the person touched it is what the file beside this library that is called "touch" says: "no"
 * leaves the flag away that tells so. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_VERSION 0x000a0000
#define ALG_ED25519 1
#define ERR_GENERAL (-1)
#define ERR_UNSUPPORTED (-2)
#define USER_PRESENT 0x01
#define KEY_LEN 32
#define SIGNATURE_LEN 64

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

struct sk_option;
struct sk_resident_key;

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, uint8_t const *challenge, size_t challenge_len, char const *application,
              uint8_t flags, char const *pin, struct sk_option **options,
              struct sk_enroll_response **out);
int sk_sign(uint32_t alg, uint8_t const *data, size_t data_len, char const *application,
            uint8_t const *key_handle, size_t key_handle_len, uint8_t flags, char const *pin,
            struct sk_option **options, struct sk_sign_response **out);
int sk_load_resident_keys(char const *pin, struct sk_option **options,
                          struct sk_resident_key ***out, size_t *count);

uint32_t sk_api_version(void)
{
    return API_VERSION;
}

/* malloc'd, whole or not at all: who called frees it. */
static uint8_t *bytes(uint8_t const *from, size_t len)
{
    uint8_t *made = malloc(len);

    if (made == NULL)
        abort();
    memcpy(made, from, len);
    return made;
}

int sk_enroll(uint32_t alg, uint8_t const *challenge, size_t challenge_len, char const *application,
              uint8_t flags, char const *pin, struct sk_option **options,
              struct sk_enroll_response **out)
{
    uint8_t public_key[KEY_LEN], private_key[KEY_LEN];
    size_t public_len = KEY_LEN, private_len = KEY_LEN;
    EVP_PKEY *key = alg == ALG_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : NULL;

    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    *out = NULL;
    if (key == NULL)
        return ERR_UNSUPPORTED;
    int ok = EVP_PKEY_get_raw_public_key(key, public_key, &public_len) == 1 &&
             EVP_PKEY_get_raw_private_key(key, private_key, &private_len) == 1;

    EVP_PKEY_free(key);
    if (!ok || (*out = calloc(1, sizeof(**out))) == NULL)
        return ERR_GENERAL;
    **out = (struct sk_enroll_response){.flags = flags,
                                        .public_key = bytes(public_key, KEY_LEN),
                                        .public_key_len = KEY_LEN,
                                        .key_handle = bytes(private_key, KEY_LEN),
                                        .key_handle_len = KEY_LEN,
                                        .signature = bytes(public_key, KEY_LEN),
                                        .signature_len = KEY_LEN};
    return 0;
}

static int is_touched(void)
{
    Dl_info self;
    char path[4096];
    char word[8] = "";
    FILE *f;

    if (dladdr((void *)(uintptr_t)is_touched, &self) == 0 || self.dli_fname == NULL)
        return 0;
    char const *slash = strrchr(self.dli_fname, '/');

    snprintf(path, sizeof(path), "%.*s/touch", slash != NULL ? (int)(slash - self.dli_fname) : 0,
             self.dli_fname);
    f = fopen(path, "r");
    if (f == NULL)
        return 1;
    if (fgets(word, sizeof(word), f) == NULL)
        word[0] = '\0';
    fclose(f);
    return strncmp(word, "no", 2) != 0;
}

/* PROTOCOL.u2f, "SSH U2F Signatures" */
static size_t message(uint8_t const *data, size_t data_len, char const *application, uint8_t flags,
                      uint32_t counter, uint8_t out[2 * SHA256_DIGEST_LENGTH + 5])
{
    uint8_t const be[] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                          (uint8_t)(counter >> 8), (uint8_t)counter};
    uint8_t *at = out;

    SHA256((uint8_t const *)application, strlen(application), at);
    at += SHA256_DIGEST_LENGTH;
    *at++ = flags;
    memcpy(at, be, sizeof(be));
    at += sizeof(be);
    SHA256(data, data_len, at);
    return (size_t)(at - out) + SHA256_DIGEST_LENGTH;
}

int sk_sign(uint32_t alg, uint8_t const *data, size_t data_len, char const *application,
            uint8_t const *key_handle, size_t key_handle_len, uint8_t flags, char const *pin,
            struct sk_option **options, struct sk_sign_response **out)
{
    uint8_t signed_text[2 * SHA256_DIGEST_LENGTH + 5], signature[SIGNATURE_LEN];
    size_t signature_len = SIGNATURE_LEN;
    uint32_t const counter = 7;
    uint8_t const told = is_touched() ? (flags & USER_PRESENT) : 0;
    size_t len = message(data, data_len, application, told, counter, signed_text);
    EVP_PKEY *key = alg == ALG_ED25519 && key_handle_len == KEY_LEN
                        ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key_handle, KEY_LEN)
                        : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    (void)pin, (void)options;
    *out = NULL;
    int ok = key != NULL && md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(md, signature, &signature_len, signed_text, len) == 1;

    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    if (!ok || (*out = calloc(1, sizeof(**out))) == NULL)
        return ERR_GENERAL;
    **out = (struct sk_sign_response){.flags = told,
                                      .counter = counter,
                                      .sig_r = bytes(signature, SIGNATURE_LEN),
                                      .sig_r_len = SIGNATURE_LEN};
    return 0;
}

int sk_load_resident_keys(char const *pin, struct sk_option **options,
                          struct sk_resident_key ***out, size_t *count)
{
    (void)pin, (void)options, (void)out, (void)count;
    return ERR_UNSUPPORTED;
}
