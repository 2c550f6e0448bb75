/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PKCS#11 by p11-kit: one session, one key, kept while they work. */
#include "edge/pkcs11.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include <stdlib.h>
#include <string.h>

#define ATTRIBUTES_MAX 8
#ifndef CKM_EDDSA
#define CKM_EDDSA 0x00001057UL /* PKCS#11 v3.0 section 2.3.14 */
#endif

struct dt_pkcs11 {
    P11KitUri *uri;
    CK_FUNCTION_LIST *module;
    bool initialized;
    dt_secret *pin;
    bool pin_refused;
    bool is_open;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool login_each_time; /* CKA_ALWAYS_AUTHENTICATE */
};

static int refuse_uri(char const *why, dt_error *e)
{
    return dt_error_set(e, DT_E_INVALID, "the PKCS#11 URI %s", why);
}

static int read_uri(dt_pkcs11 *k, char const *uri, dt_error *e)
{
    k->uri = p11_kit_uri_new();
    if (k->uri == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int const rc = p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, k->uri);

    if (rc != P11_KIT_URI_OK)
        return dt_error_set(e, DT_E_INVALID, "the PKCS#11 URI cannot be read: %s",
                            p11_kit_uri_message(rc));
    if (p11_kit_uri_any_unrecognized(k->uri))
        return refuse_uri("contains an unknown attribute (RFC 7512 section 2.3)", e);
    if (p11_kit_uri_get_pin_value(k->uri) != NULL || p11_kit_uri_get_pin_source(k->uri) != NULL)
        return refuse_uri("contains a PIN or its location; write the PIN into host_key_pin_file",
                          e);
    if (p11_kit_uri_get_module_path(k->uri) != NULL || p11_kit_uri_get_module_name(k->uri) != NULL)
        return refuse_uri("names a module; set pkcs11_module to its path", e);
    if (p11_kit_uri_get_attribute(k->uri, CKA_LABEL) == NULL &&
        p11_kit_uri_get_attribute(k->uri, CKA_ID) == NULL)
        return refuse_uri("names no key; add object=LABEL or id=%..", e);
    return DT_OK;
}

static int load_module(dt_pkcs11 *k, char const *path, dt_error *e)
{
    k->module = p11_kit_module_load(path, 0);
    if (k->module == NULL)
        return dt_error_set(e, DT_E_UNAVAILABLE, "%s: %s", path, p11_kit_message());
    CK_RV const rv = p11_kit_module_initialize(k->module);

    if (rv != CKR_OK)
        return dt_error_set(e, DT_E_UNAVAILABLE, "%s: %s", path, p11_kit_strerror(rv));
    k->initialized = true;
    return DT_OK;
}

int dt_pkcs11_new(char const *uri, char const *module, dt_secret **pin, dt_pkcs11 **out,
                  dt_error *e)
{
    dt_pkcs11 *k = calloc(1, sizeof(*k));
    int rc = k != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");

    *out = NULL;
    if (rc == DT_OK)
        rc = read_uri(k, uri, e);
    if (rc == DT_OK)
        rc = load_module(k, module, e);
    if (rc < 0) {
        dt_pkcs11_free(&k);
        return rc;
    }
    k->pin = *pin;
    *pin = NULL;
    *out = k;
    return DT_OK;
}

static void close_session(dt_pkcs11 *k)
{
    if (k->is_open)
        (void)k->module->C_CloseSession(k->session);
    k->is_open = false;
}

void dt_pkcs11_free(dt_pkcs11 **k)
{
    if (*k == NULL)
        return;
    if ((*k)->initialized) {
        close_session(*k);
        (void)p11_kit_module_finalize((*k)->module);
    }
    if ((*k)->module != NULL)
        p11_kit_module_release((*k)->module);
    p11_kit_uri_free((*k)->uri);
    dt_secret_free(&(*k)->pin);
    free(*k);
    *k = NULL;
}

/* --- the token -------------------------------------------------------------------------------- */

static int failed(char const *what, CK_RV rv, dt_error *e)
{
    return dt_error_set(e, rv == CKR_TOKEN_NOT_PRESENT ? DT_E_NOT_FOUND : DT_E_UNAVAILABLE,
                        "PKCS#11 token: %s: %s", what, p11_kit_strerror(rv));
}

/* The one slot whose token fits the URI. */
static int find_slot(dt_pkcs11 *k, CK_SLOT_ID *slot, CK_TOKEN_INFO *info, dt_error *e)
{
    CK_SLOT_ID slots[DT_PKCS11_SLOTS_MAX];
    CK_ULONG count = 0;
    /* Asking for the number makes the module look for tokens anew (PKCS#11 v2.40 section 5.5). */
    CK_RV rv = k->module->C_GetSlotList(CK_TRUE, NULL, &count);
    int found = 0;

    count = DT_PKCS11_SLOTS_MAX;
    if (rv == CKR_OK)
        rv = k->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return failed("the slots cannot be listed", rv, e);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO one;

        if (k->module->C_GetTokenInfo(slots[i], &one) != CKR_OK ||
            (one.flags & CKF_TOKEN_INITIALIZED) == 0 ||
            p11_kit_uri_match_token_info(k->uri, &one) != 1)
            continue;
        *slot = slots[i];
        *info = one;
        found++;
    }
    if (found == 1)
        return DT_OK;
    return found == 0
               ? dt_error_set(e, DT_E_NOT_FOUND, "no PKCS#11 token matches host_key")
               : dt_error_set(e, DT_E_INVALID,
                              "several PKCS#11 tokens match host_key; add serial= to the URI");
}

static int set_pin_error(dt_pkcs11 *k, CK_USER_TYPE user, dt_error *e)
{
    dt_bytes const pin = dt_secret_bytes(k->pin);

    if (k->pin == NULL)
        return dt_error_set(e, DT_E_PERMISSION,
                            "the PKCS#11 token requires a PIN; write it into host_key_pin_file");
    if (k->pin_refused)
        return dt_error_set(e, DT_E_PERMISSION,
                            "the PKCS#11 token has rejected the PIN, which is not tried again "
                            "until devtrustd is restarted");
    /* The call wants writable bytes and does not write them. */
    CK_RV const rv = k->module->C_Login(k->session, user, (CK_UTF8CHAR *)(uintptr_t)pin.p, pin.len);

    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return DT_OK;
    if (rv != CKR_PIN_INCORRECT && rv != CKR_PIN_LOCKED && rv != CKR_PIN_INVALID &&
        rv != CKR_PIN_LEN_RANGE && rv != CKR_PIN_EXPIRED)
        return failed("it accepts no PIN", rv, e);
    k->pin_refused = true;
    return dt_error_set(e, DT_E_PERMISSION, "the PKCS#11 token rejects the PIN: %s",
                        p11_kit_strerror(rv));
}

static int find_key(dt_pkcs11 *k, dt_error *e)
{
    static CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[ATTRIBUTES_MAX] = {{CKA_CLASS, &private_key, sizeof(private_key)}};
    CK_ULONG given = 0, n = 1, count = 0;
    CK_ATTRIBUTE const *attributes = p11_kit_uri_get_attributes(k->uri, &given);
    CK_OBJECT_HANDLE found[2];

    for (CK_ULONG i = 0; i < given && n < ATTRIBUTES_MAX; i++) {
        if (attributes[i].type != CKA_CLASS)
            wanted[n++] = attributes[i];
    }
    CK_RV rv = k->module->C_FindObjectsInit(k->session, wanted, n);

    if (rv == CKR_OK) {
        rv = k->module->C_FindObjects(k->session, found, 2, &count);
        (void)k->module->C_FindObjectsFinal(k->session);
    }
    if (rv != CKR_OK)
        return failed("its keys cannot be listed", rv, e);
    if (count != 1)
        return dt_error_set(e, count == 0 ? DT_E_NOT_FOUND : DT_E_INVALID,
                            "%s private key in the PKCS#11 token matches host_key",
                            count == 0 ? "no" : "more than one");
    k->key = found[0];
    return DT_OK;
}

static void ask_login_each_time(dt_pkcs11 *k)
{
    CK_BBOOL always = CK_FALSE;
    CK_ATTRIBUTE a = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};

    k->login_each_time =
        k->module->C_GetAttributeValue(k->session, k->key, &a, 1) == CKR_OK && always == CK_TRUE;
}

static int open_session(dt_pkcs11 *k, dt_error *e)
{
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO info = {0};
    int rc = find_slot(k, &slot, &info, e);

    if (rc < 0)
        return rc;
    CK_RV const rv = k->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &k->session);

    if (rv != CKR_OK)
        return failed("no session", rv, e);
    k->is_open = true;
    if ((info.flags & CKF_LOGIN_REQUIRED) != 0)
        rc = set_pin_error(k, CKU_USER, e);
    if (rc == DT_OK)
        rc = find_key(k, e);
    if (rc == DT_OK)
        ask_login_each_time(k);
    else
        close_session(k);
    return rc;
}

/* --- signing ---------------------------------------------------------------------------------- */

static CK_MECHANISM mechanism_of(dt_pkcs11_mechanism m)
{
    CK_MECHANISM_TYPE const types[] = {
        [DT_PKCS11_RSA_SHA256] = CKM_SHA256_RSA_PKCS,
        [DT_PKCS11_ECDSA] = CKM_ECDSA,
        [DT_PKCS11_EDDSA] = CKM_EDDSA,
    };

    return (CK_MECHANISM){types[m], NULL, 0};
}

static int sign_once(dt_pkcs11 *k, dt_pkcs11_mechanism m, dt_bytes message, uint8_t *out,
                     size_t *len, dt_error *e)
{
    CK_MECHANISM mechanism = mechanism_of(m);
    CK_ULONG n = *len;
    CK_RV rv = k->module->C_SignInit(k->session, &mechanism, k->key);

    if (rv != CKR_OK)
        return failed("the key cannot sign", rv, e);
    if (k->login_each_time) {
        int const rc = set_pin_error(k, CKU_CONTEXT_SPECIFIC, e);

        if (rc < 0)
            return rc;
    }
    rv = k->module->C_Sign(k->session, (CK_BYTE *)(uintptr_t)message.p, message.len, out, &n);
    if (rv != CKR_OK)
        return failed("no signature", rv, e);
    *len = n;
    return DT_OK;
}

int dt_pkcs11_sign(dt_pkcs11 *k, dt_pkcs11_mechanism m, dt_bytes message, uint8_t *out, size_t *len,
                   dt_error *e)
{
    size_t const room = *len;
    bool const was_open = k->is_open;
    int rc = was_open ? DT_OK : open_session(k, e);

    if (rc == DT_OK)
        rc = sign_once(k, m, message, out, len, e);
    if (rc == DT_OK || !was_open) {
        if (rc < 0)
            close_session(k);
        return rc;
    }
    /* The token may have gone and come back since it was opened. */
    close_session(k);
    *len = room;
    if (e != NULL)
        *e = (dt_error){0};
    rc = open_session(k, e);
    if (rc == DT_OK)
        rc = sign_once(k, m, message, out, len, e);
    if (rc < 0)
        close_session(k);
    return rc;
}
