/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of a CA for the certificates under it: what they must be for, and what keys they may have.
 * Without a section [ca NAME] they are those that every device certificate must meet. */
#include "edge/x509_internal.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <string.h>

#define USAGES_MAX 8
#define OID_TEXT_MAX 64 /* longest object identifier, its NUL included */
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

/* --- making -------------------------------------------------------------------------------------- */

/* Numbers with dots between them, at least two. What they may be, OpenSSL knows. */
static bool is_dotted(char const *s)
{
    int numbers = 0;

    for (;; s++) {
        size_t const digits = strspn(s, "0123456789");
        if (digits == 0)
            return false;
        numbers++;
        s += digits;
        if (*s != '.')
            return *s == '\0' && numbers > 1;
    }
}

static int add_usage(STACK_OF(ASN1_OBJECT) *usages, dt_bytes text, dt_error *e)
{
    char oid[OID_TEXT_MAX];
    ASN1_OBJECT *object = NULL;

    while (text.len > 0 && text.p[0] == ' ')
        text = dt_bytes_of(text.p + 1, text.len - 1);
    while (text.len > 0 && text.p[text.len - 1] == ' ')
        text.len--;
    if (dt_str_copy_bytes(oid, sizeof(oid), text) == DT_OK && is_dotted(oid))
        object = OBJ_txt2obj(oid, 1);
    if (object == NULL)
        return dt_error_set(
            e, DT_E_INVALID,
            "is not a list of object identifiers; separate them by commas, as in " CLIENT_AUTH);
    if (sk_ASN1_OBJECT_num(usages) == USAGES_MAX || sk_ASN1_OBJECT_push(usages, object) <= 0) {
        ASN1_OBJECT_free(object);
        return dt_error_set(e, DT_E_INVALID,
                            "has too many object identifiers; at most %d are allowed", USAGES_MAX);
    }
    return 0;
}

static int read_usages(char const *text, STACK_OF(ASN1_OBJECT) **out, dt_error *e)
{
    int rc = 0;

    *out = NULL;
    if (strcmp(text, CLIENT_AUTH) == 0)
        return 0;
    *out = sk_ASN1_OBJECT_new_null();
    if (*out == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (char const *rest = text; rc == 0 && rest != NULL;) {
        char const *comma = strchr(rest, ',');
        size_t const len = comma != NULL ? (size_t)(comma - rest) : strlen(rest);
        rc = add_usage(*out, dt_bytes_of(rest, len), e);
        rest = comma != NULL ? comma + 1 : NULL;
    }
    return rc;
}

int dt_ca_make(dt_config_ca const *rules, dt_ca *out, dt_error *e)
{
    *out = (dt_ca){.tenant = rules->tenant_id,
                   .places = rules->device_id,
                   .keys = rules->keys,
                   .rsa_bits_min = rules->rsa_bits_min,
                   .revocation = rules->revocation,
                   .ocsp = rules->ocsp};
    memcpy(out->name, rules->name, sizeof(out->name));
    int rc = read_usages(rules->extended_key_usage, &out->usages, e);
    if (rc == 0 && ((rules->ocsp_url[0] != '\0' && !dt_ocsp_url_is_usable(rules->ocsp_url)) ||
                    dt_str_copy(out->ocsp_url, sizeof(out->ocsp_url), rules->ocsp_url) != DT_OK))
        rc = dt_error_set(e, DT_E_INVALID, "ocsp_url is not usable");
    if (rc != 0)
        dt_ca_clear(out);
    return rc;
}

void dt_ca_clear(dt_ca *ca)
{
    sk_ASN1_OBJECT_pop_free(ca->usages, ASN1_OBJECT_free);
    *ca = (dt_ca){0};
}

/* --- judging ------------------------------------------------------------------------------------- */

static bool has_usage(EXTENDED_KEY_USAGE const *list, ASN1_OBJECT const *wanted)
{
    for (int i = 0; i < sk_ASN1_OBJECT_num(list); i++) {
        if (OBJ_cmp(sk_ASN1_OBJECT_value(list, i), wanted) == 0)
            return true;
    }
    return false;
}

/* Whether the certificate's list holds all that is demanded. */
static bool has_all_usages(dt_ca const *ca, X509 *x)
{
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    bool all = list != NULL;

    for (int i = 0; all && i < sk_ASN1_OBJECT_num(ca->usages); i++)
        all = has_usage(list, sk_ASN1_OBJECT_value(ca->usages, i));
    EXTENDED_KEY_USAGE_free(list);
    return all;
}

bool dt_ca_may_issue(dt_ca const *ca, X509 *x)
{
    if ((X509_get_extension_flags(x) & EXFLAG_XKUSAGE) == 0)
        return true;
    uint32_t const uses = X509_get_extended_key_usage(x);
    if ((uses & XKU_ANYEKU) != 0)
        return true;
    return ca->usages == NULL ? (uses & XKU_SSL_CLIENT) != 0 : has_all_usages(ca, x);
}

static bool has_required_usage(dt_ca const *ca, X509 *leaf)
{
    if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0)
        return false;
    return ca->usages == NULL ? (X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT) != 0
                              : has_all_usages(ca, leaf);
}

static char const *objects_to_key(dt_ca const *ca, EVP_PKEY *key)
{
    unsigned const type = dt_key_type_of(key);

    if (type == 0)
        return "the certificate's key is not RSA (2048 to 8192 bits), P-256, P-384, P-521 or "
               "Ed25519";
    if ((type & ca->keys) == 0)
        return "the certificate's key is of a type that its CA's section does not allow (keys)";
    if (type == DT_KEY_TYPE_RSA && EVP_PKEY_get_bits(key) < ca->rsa_bits_min)
        return "the certificate's key is shorter than its CA's section allows (rsa_bits_min)";
    return NULL;
}

char const *dt_ca_objects_to(dt_ca const *ca, X509 *leaf)
{
    uint32_t const flags = X509_get_extension_flags(leaf);

    if (flags & EXFLAG_CA)
        return "the certificate is a CA's, not a device's";
    if (!has_required_usage(ca, leaf))
        return ca->usages == NULL ? "the certificate is not for client authentication (" CLIENT_AUTH
                                    ")"
                                  : "the certificate lacks a usage that its CA's section demands "
                                    "(extended_key_usage)";
    if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
        return "the certificate's key is not for signatures";
    return objects_to_key(ca, X509_get0_pubkey(leaf));
}
