/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads what a device certificate says: names, times, and which device it is for. Microsoft's
 * forms differ: the SAN URI carries the Intune device id as text, 1.2.840.113556.5.4 as sixteen
 * bare bytes, 1.2.840.113556.5.14 the tenant as sixteen bytes in an OCTET STRING. */
#include "edge/x509_internal.h"

#include "core/base/crypto.h"
#include "core/device/hardware_serial.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#define DT_SERIAL_MAX 32      /* bytes; RFC 5280 section 4.1.2.2 allows 20 */
#define DT_NAME_TEXT_MAX 4096 /* of a name before it is escaped and cut */

static pthread_once_t g_once = PTHREAD_ONCE_INIT;
static ASN1_OBJECT *g_device_oid;
static ASN1_OBJECT *g_tenant_oid;
static ASN1_OBJECT *g_entra_device_oid;
static ASN1_OBJECT *g_entra_tenant_oid;

static void make_oids(void)
{
    g_device_oid = OBJ_txt2obj("1.2.840.113556.5.4", 1);
    g_tenant_oid = OBJ_txt2obj("1.2.840.113556.5.14", 1);
    g_entra_device_oid = OBJ_txt2obj("1.2.840.113556.1.5.284.2", 1);
    g_entra_tenant_oid = OBJ_txt2obj("1.2.840.113556.1.5.284.5", 1);
}

/* --- GUIDs within texts -------------------------------------------------------------------- */

/* 8-4-4-4-12 and nothing else: the forms that came later are documented with no other. */
static int parse_plain_guid(dt_bytes text, dt_guid *out)
{
    *out = (dt_guid){0};
    return text.len == DT_GUID_LEN ? dt_guid_parse(text, out) : DT_E_PARSE;
}

/* Whether a GUID stands anywhere in a text. */
static bool contains_guid(dt_bytes text)
{
    dt_guid some;

    for (size_t at = 0; at + DT_GUID_LEN <= text.len; at++) {
        if (parse_plain_guid(dt_bytes_of(text.p + at, DT_GUID_LEN), &some) == 0)
            return true;
    }
    return false;
}

/* --- names, times, numbers ----------------------------------------------------------------- */

char *dt_x509_name_text(X509_NAME const *name, char *dst, size_t size)
{
    dt_buf b;
    dt_buf_init_fixed(&b, dst, size);
    BIO *mem = BIO_new(BIO_s_mem());
    /* UTF-8 stays UTF-8: what must not be shown is escaped below, as all remote text is. */
    unsigned long const flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (mem != NULL && X509_NAME_print_ex(mem, name, 0, flags) >= 0) {
        char *text = NULL;
        long const len = BIO_get_mem_data(mem, &text);
        if (len > 0)
            dt_buf_put_escaped(
                &b,
                dt_bytes_of(text, (size_t)len < DT_NAME_TEXT_MAX ? (size_t)len : DT_NAME_TEXT_MAX));
    }
    BIO_free(mem);
    return dst;
}

int dt_x509_time(ASN1_TIME const *t, dt_time *out)
{
    struct tm tm = {0};
    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
        return DT_E_PARSE;
    *out = DT_SECONDS(timegm(&tm));
    return 0;
}

static int read_times(X509 *x, dt_certificate *out, dt_error *e)
{
    if (dt_x509_time(X509_get0_notBefore(x), &out->not_before) != 0 ||
        dt_x509_time(X509_get0_notAfter(x), &out->not_after) != 0)
        return dt_error_set(e, DT_E_PARSE, "the certificate's validity is unreadable");
    return 0;
}

static int read_serial(X509 *x, dt_certificate *out, dt_error *e)
{
    ASN1_INTEGER const *serial = X509_get0_serialNumber(x);
    int const len = serial != NULL ? ASN1_STRING_length(serial) : 0;
    if (len <= 0 || len > DT_SERIAL_MAX)
        return dt_error_set(e, DT_E_PARSE, "the certificate's serial number is unreadable");
    dt_hex(out->serial, ASN1_STRING_get0_data(serial), (size_t)len);
    return 0;
}

static int read_key_id(X509 *x, dt_certificate *out, dt_error *e)
{
    unsigned char *der = NULL;
    uint8_t digest[DT_SHA256_LEN];
    int const len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    int rc = len > 0 ? dt_crypto_sha256(dt_bytes_of(der, (size_t)len), digest) : DT_E_PARSE;
    OPENSSL_free(der);
    if (rc != 0)
        return dt_error_set(e, rc, "the certificate's public key is unreadable");
    dt_hex(out->key_id, digest, sizeof(digest));
    return 0;
}

/* One attribute of a name, as UTF-8; free *owned with OPENSSL_free. A text with a NUL inside reads
 * differently for whoever stops there, so it is refused wherever it stands. */
static int read_attribute(X509_NAME_ENTRY const *entry, dt_bytes *text, unsigned char **owned)
{
    *owned = NULL;
    int const len = ASN1_STRING_to_UTF8(owned, X509_NAME_ENTRY_get_data(entry));
    if (len < 0 || (len > 0 && memchr(*owned, '\0', (size_t)len) != NULL)) {
        OPENSSL_free(*owned);
        *owned = NULL;
        return DT_E_PARSE;
    }
    *text = dt_bytes_of(*owned, (size_t)len);
    return 0;
}

static bool is_common_name(X509_NAME_ENTRY const *entry)
{
    return OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName;
}

/* Reads a common name: a GUID, or a GUID after "host/", as Windows names itself to a RADIUS server. */
static void read_common_name(dt_bytes text, dt_device_ids *out)
{
    static char const host[] = "host/";
    size_t const len = sizeof(host) - 1;
    bool const is_host = text.len >= len && memcmp(text.p, host, len) == 0;
    dt_bytes const id = is_host ? dt_bytes_of(text.p + len, text.len - len) : text;
    bool const read = is_host ? parse_plain_guid(id, &out->host_name) == 0
                              : dt_guid_parse(id, &out->common_name) == 0;

    out->common_name_bad = !read && contains_guid(text);
}

/* Looks through the subject: only one common name says which device it is. */
static int read_subject(X509 *x, dt_device_ids *out, dt_error *e)
{
    X509_NAME const *name = X509_get_subject_name(x);
    int common_names = 0;
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        X509_NAME_ENTRY const *entry = X509_NAME_get_entry(name, i);
        unsigned char *owned;
        dt_bytes text;
        if (read_attribute(entry, &text, &owned) != 0)
            return dt_error_set(e, DT_E_PARSE, "the certificate's subject is not text");
        if (is_common_name(entry)) {
            common_names++;
            read_common_name(text, out);
        }
        OPENSSL_free(owned);
    }
    if (common_names > 1) {
        out->common_name = out->host_name = (dt_guid){0};
        out->common_name_bad = true;
    }
    return 0;
}

/* The device's own serial number, where the subject has exactly one. */
static void read_hardware_serial(X509 *x, dt_certificate *out)
{
    X509_NAME const *name = X509_get_subject_name(x);
    int count = 0;
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        X509_NAME_ENTRY const *entry = X509_NAME_get_entry(name, i);
        unsigned char *owned;
        dt_bytes text;
        if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_serialNumber)
            continue;
        if (read_attribute(entry, &text, &owned) != 0 || ++count > 1 ||
            !dt_hardware_serial(text, out->hardware_serial))
            out->hardware_serial[0] = '\0';
        OPENSSL_free(owned);
    }
}

static bool has_prefix_nocase(dt_bytes text, char const *prefix)
{
    size_t const len = strlen(prefix);
    char head[64];
    return text.len >= len &&
           dt_str_copy_bytes(head, sizeof(head), dt_bytes_of(text.p, len)) == 0 &&
           dt_str_equal_nocase(head, prefix);
}

bool dt_x509_is_shared_name(X509_NAME const *name)
{
    /* Intune's device CAs of today and of old, and Entra's. */
    static char const *const shared[] = {"Microsoft Intune", "SC_Online_Issuing",
                                         "MS-Organization-"};
    bool found = false;
    for (int i = 0; i < X509_NAME_entry_count(name) && !found; i++) {
        X509_NAME_ENTRY const *entry = X509_NAME_get_entry(name, i);
        unsigned char *owned;
        dt_bytes text;
        if (!is_common_name(entry))
            continue;
        /* A name that nobody can read may be any name. */
        if (read_attribute(entry, &text, &owned) != 0)
            return true;
        for (size_t k = 0; k < sizeof(shared) / sizeof(shared[0]); k++)
            found = found || has_prefix_nocase(text, shared[k]);
        OPENSSL_free(owned);
    }
    return found;
}

/* --- which device, which tenant ------------------------------------------------------------ */

/* Takes one more name of the device; all must be the same. */
static int take_id(dt_guid *have, dt_guid const *more, dt_error *e)
{
    if (dt_guid_is_set(have) && !dt_guid_equal(have, more))
        return dt_error_set(e, DT_E_PARSE, "the certificate names two devices, %s and %s",
                            have->text, more->text);
    *have = *more;
    return 0;
}

static bool has_prefix(dt_bytes text, char const *prefix)
{
    size_t const len = strlen(prefix);
    return text.len >= len && memcmp(text.p, prefix, len) == 0;
}

/* The URI in which Cisco ISE reads the id of Intune (Cisco, "Integrate MDM and UEM Servers with Cisco ISE",
 * chapter on Microsoft Intune). Prefix and GUID are taken as documented only. */
static int read_ise_uri(dt_bytes uri, char const *prefix, dt_guid *id, dt_error *e)
{
    size_t const len = strlen(prefix);
    dt_guid found;

    if (!has_prefix(uri, prefix))
        return dt_error_set(e, DT_E_PARSE,
                            "the certificate's URI %s is not written in exactly these letters",
                            prefix);
    if (parse_plain_guid(dt_bytes_of(uri.p + len, uri.len - len), &found) != 0)
        return dt_error_set(e, DT_E_PARSE,
                            "the certificate's URI %s is not followed by a device id alone, "
                            "as in 01234567-89ab-cdef-0123-456789abcdef",
                            prefix);
    return take_id(id, &found, e);
}

/* One URI of a list, which names the device only when it begins as one of these. */
static int read_uri(dt_bytes uri, dt_device_ids *out, dt_error *e)
{
    static char const *const ise[] = {"ID:Intune:GUID:", "ID:Microsoft Endpoint Manager:GUID:"};
    static char const scheme[] = "IntuneDeviceId://";
    size_t const len = sizeof(scheme) - 1;
    dt_guid found;

    for (size_t i = 0; i < sizeof(ise) / sizeof(ise[0]); i++) {
        if (has_prefix_nocase(uri, ise[i]))
            return read_ise_uri(uri, ise[i], &out->san_uri, e);
    }
    if (!has_prefix_nocase(uri, scheme)) {
        out->other_mdm = out->other_mdm || (has_prefix_nocase(uri, "ID:") && contains_guid(uri));
        return 0;
    }
    if (dt_guid_parse(dt_bytes_of(uri.p + len, uri.len - len), &found) != 0)
        return dt_error_set(e, DT_E_PARSE,
                            "the certificate's IntuneDeviceId:// URI contains no device id");
    return take_id(&out->san_uri, &found, e);
}

/* The value of a SAN URI: one, or several with commas between. */
static int read_uri_list(ASN1_IA5STRING const *value, dt_device_ids *out, dt_error *e)
{
    dt_bytes rest = dt_bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (rest.len > 0 && memchr(rest.p, '\0', rest.len) != NULL)
        return dt_error_set(e, DT_E_PARSE, "a URI of the certificate contains a NUL");
    int rc = 0;
    while (rc == 0 && rest.len > 0) {
        uint8_t const *comma = memchr(rest.p, ',', rest.len);
        size_t const len = comma != NULL ? (size_t)(comma - rest.p) : rest.len;
        rc = read_uri(dt_bytes_trim(dt_bytes_of(rest.p, len), " "), out, e);
        size_t const used = comma != NULL ? len + 1 : len;
        rest = dt_bytes_of(rest.p + used, rest.len - used);
    }
    return rc;
}

/* Whether an extension's value is one whole DER element: what follows it is seen by some
 * readers and not by others, OpenSSL's decoder among the latter. */
static bool is_whole(X509 *x, int nid)
{
    int const at = X509_get_ext_by_NID(x, nid, -1);
    if (at < 0)
        return false;
    ASN1_OCTET_STRING const *value = X509_EXTENSION_get_data(X509_get_ext(x, at));
    unsigned char const *p = ASN1_STRING_get0_data(value);
    unsigned char const *const end = p + ASN1_STRING_length(value);
    long len = 0;
    int tag = 0, class = 0;
    int const form = ASN1_get_object(&p, &len, &tag, &class, ASN1_STRING_length(value));
    return (form & 0x80) == 0 && (form & 1) == 0 && len == end - p;
}

static int read_alternative_names(X509 *x, dt_device_ids *out, dt_error *e)
{
    int found = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &found, NULL);
    if (names == NULL)
        return found == -1 ? 0
                           : dt_error_set(e, DT_E_PARSE,
                                          "the certificate's alternative names are unreadable");
    int rc = is_whole(x, NID_subject_alt_name)
                 ? 0
                 : dt_error_set(e, DT_E_PARSE,
                                "trailing data after the certificate's alternative names");
    for (int i = 0; rc == 0 && i < sk_GENERAL_NAME_num(names); i++) {
        int type = 0;
        void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type == GEN_URI)
            rc = read_uri_list(value, out, e);
    }
    GENERAL_NAMES_free(names);
    return rc;
}

/* A GUID from one of Microsoft's extensions, bare or within an OCTET STRING. DT_E_NOT_FOUND when
 * the certificate has no such extension; DT_E_PARSE when it has two, or one that is not a GUID. */
static int read_guid_extension(X509 *x, ASN1_OBJECT const *oid, dt_guid *out)
{
    *out = (dt_guid){0};
    if (oid == NULL)
        return DT_E_NOMEM;
    int const at = X509_get_ext_by_OBJ(x, oid, -1);
    if (at < 0)
        return DT_E_NOT_FOUND;
    if (X509_get_ext_by_OBJ(x, oid, at) >= 0)
        return DT_E_PARSE;
    ASN1_OCTET_STRING const *value = X509_EXTENSION_get_data(X509_get_ext(x, at));
    dt_bytes raw = dt_bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (raw.len == 18 && raw.p[0] == V_ASN1_OCTET_STRING && raw.p[1] == 16)
        raw = dt_bytes_of(raw.p + 2, 16);
    return dt_guid_from_le(raw, out);
}

/* Every name of the device; what is there and cannot be read is an error, whoever asks for it. */
static int read_device_ids(X509 *x, dt_device_ids *out, dt_error *e)
{
    int rc = read_subject(x, out, e);
    if (rc == 0)
        rc = read_alternative_names(x, out, e);
    if (rc != 0)
        return rc;
    rc = read_guid_extension(x, g_device_oid, &out->extension);
    if (rc == 0 || rc == DT_E_NOT_FOUND)
        return 0;
    return dt_error_set(e, rc, "the certificate's device id (1.2.840.113556.5.4) is unreadable");
}

int dt_device_ids_choose(dt_device_ids const *ids, unsigned places, dt_guid *out, dt_error *e)
{
    dt_guid id = {0};
    int rc = 0;

    *out = id;
    if ((places & DT_ID_SAN_URI) != 0)
        id = ids->san_uri;
    if ((places & DT_ID_EXTENSION) != 0 && dt_guid_is_set(&ids->extension))
        rc = take_id(&id, &ids->extension, e);
    /* A common name often holds Entra's id of the device, which is another one: it neither
     * contradicts nor adds to what the others say. */
    if ((places & DT_ID_COMMON_NAME) != 0 && !dt_guid_is_set(&id))
        id = ids->common_name;
    if (rc == 0)
        *out = id;
    return rc;
}

int dt_device_ids_entra(dt_device_ids const *ids, dt_guid *entra_id, dt_error *e)
{
    dt_guid const *named = dt_guid_is_set(&ids->host_name) ? &ids->host_name : &ids->common_name;

    return dt_guid_is_set(named) ? take_id(entra_id, named, e) : 0;
}

char const *dt_device_ids_missing(dt_device_ids const *ids, unsigned places)
{
    if ((places & DT_ID_ENTRA_COMMON_NAME) != 0 && ids->common_name_bad)
        return "the certificate's only common name has to be Entra's device id, alone or after "
               "host/, but contains more or is not the only one";
    if ((places & DT_ID_SAN_URI) != 0 && ids->other_mdm)
        return "the certificate names no Intune device id; its URI ID: is of another MDM";
    return (places & DT_ID_SERIAL_NUMBER) != 0
               ? "the certificate names no device id, and no serial number that names a device"
               : "the certificate names no device id";
}

static dt_tenant_mark read_tenant(X509 *x, ASN1_OBJECT const *oid, dt_guid *out)
{
    int const rc = read_guid_extension(x, oid, out);
    return rc == 0                ? DT_TENANT_READ
           : rc == DT_E_NOT_FOUND ? DT_TENANT_MISSING
                                  : DT_TENANT_UNREADABLE;
}

int dt_x509_entra_fields(X509 *x, dt_certificate *out, dt_tenant_mark *mark, dt_error *e)
{
    int const rc = read_guid_extension(x, g_entra_device_oid, &out->entra_id);
    if (*mark == DT_TENANT_MISSING)
        *mark = read_tenant(x, g_entra_tenant_oid, &out->tenant_id);
    if (rc == 0 || rc == DT_E_NOT_FOUND)
        return 0;
    return dt_error_set(
        e, rc, "the certificate's Entra device id (1.2.840.113556.1.5.284.2) is unreadable");
}

int dt_x509_fields(X509 *x, dt_certificate *out, dt_device_ids *ids, dt_tenant_mark *mark,
                   dt_error *e)
{
    *out = (dt_certificate){0};
    *ids = (dt_device_ids){0};
    *mark = DT_TENANT_UNREADABLE;
    if (pthread_once(&g_once, make_oids) != 0)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_x509_name_text(X509_get_subject_name(x), out->subject, sizeof(out->subject));
    dt_x509_name_text(X509_get_issuer_name(x), out->issuer, sizeof(out->issuer));
    *mark = read_tenant(x, g_tenant_oid, &out->tenant_id);
    int rc = read_serial(x, out, e);
    if (rc == 0)
        rc = read_times(x, out, e);
    if (rc == 0)
        rc = read_key_id(x, out, e);
    if (rc == 0)
        rc = read_device_ids(x, ids, e);
    if (rc == 0)
        read_hardware_serial(x, out);
    return rc;
}

int dt_x509_read(dt_bytes der, dt_certificate *out, dt_error *e)
{
    *out = (dt_certificate){0};
    dt_openssl_enter();
    X509 *x = NULL;
    dt_tenant_mark mark;
    dt_device_ids ids;
    int rc = dt_x509_parse_kept(der, &x, e);
    if (rc == 0)
        rc = dt_x509_fields(x, out, &ids, &mark, e);
    if (rc == 0)
        rc = dt_device_ids_choose(&ids, DT_ID_PLACES_DEFAULT, &out->device_id, e);
    if (rc == 0 && mark == DT_TENANT_UNREADABLE)
        rc = dt_error_set(e, DT_E_PARSE,
                          "the certificate's tenant (1.2.840.113556.5.14) is unreadable");
    X509_free(x);
    dt_openssl_leave();
    return rc;
}
