/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of a configuration hold certificates, and when those end. */
#include "edge/expiry.h"

#include "core/ruleset/break_glass.h"
#include "edge/file.h"
#include "edge/x509_internal.h"

#include <stdio.h>
#include <string.h>

/* Which certificates of a file count. */
typedef enum which { ALL = 0, FIRST, LAST_TO_END } which;

typedef struct certificate_key {
    char const *key; /* "[section] name" */
    char const *path;
    which which;
    char const *then, *to_do;
} certificate_key;

#define RENEW_CA "replace it in the file by the CA's new certificate"

static bool fill_entry(X509 *x, certificate_key const *k, dt_expiry *out)
{
    *out = (dt_expiry){.warns_for = DT_EXPIRY_WARNS_FOR, .then = k->then, .to_do = k->to_do};
    (void)snprintf(out->key, sizeof(out->key), "%s", k->key);
    (void)dt_x509_name_text(X509_get_subject_name(x), out->name, sizeof(out->name));
    return dt_x509_time(X509_get0_notAfter(x), &out->end) == DT_OK;
}

static void add_certificates(STACK_OF(X509) *certificates, certificate_key const *k,
                             dt_expiries *out)
{
    dt_expiry last = {.end = 0}, x;

    for (int i = 0; i < sk_X509_num(certificates); i++) {
        if (!fill_entry(sk_X509_value(certificates, i), k, &x))
            continue;
        if (k->which != LAST_TO_END)
            dt_expiries_add(out, &x);
        else if (x.end > last.end)
            last = x;
        if (k->which == FIRST)
            break;
    }
    if (last.end > 0)
        dt_expiries_add(out, &last);
}

static void add_file(certificate_key const *k, dt_expiries *out)
{
    STACK_OF(X509) *certificates;
    dt_buf pem;

    if (k->path[0] == '\0')
        return;
    dt_buf_init(&pem, DT_PEM_MAX);
    dt_openssl_enter();
    certificates = sk_X509_new_null();
    if (certificates != NULL &&
        dt_file_read(k->path, DT_FILE_TRUSTED, DT_PEM_MAX, &pem, NULL) == DT_OK) {
        /* Those before a damaged one count, too. */
        (void)dt_pem_certificates(dt_buf_bytes(&pem), certificates, DT_ANCHORS_MAX, NULL);
        add_certificates(certificates, k, out);
    }
    sk_X509_pop_free(certificates, X509_free);
    dt_openssl_leave();
    dt_buf_free(&pem);
}

static void add_files(dt_config const *c, dt_expiries *out)
{
    certificate_key const keys[] = {
        {"[device_trust] ca_file", c->device_trust.ca_file, ALL,
         "certificates of this CA are not accepted", RENEW_CA},
        {"[device_trust] shared_ca_file", c->device_trust.shared_ca_file, ALL,
         "certificates of this CA are not accepted", RENEW_CA},
        {"[device_trust] ocsp_responder_file", c->device_trust.ocsp_responder_file, ALL,
         "answers of this OCSP responder do not count",
         "replace it in the file by the responder's new certificate"},
        {"[device_trust] host_certificate_file", c->device_trust.host_certificate_file, FIRST,
         "this host is not a trusted device", "have the MDM renew it"},
        {"[intune] certificate_file", c->intune.certificate_file, FIRST,
         "Intune is not asked, and devices are UNKNOWN",
         "make a new one, upload it to the app registration, and replace the files of "
         "certificate_file and key_file"},
        {"[okta] ca_file", c->okta.ca_file, LAST_TO_END, "Okta cannot be asked", RENEW_CA},
        {"[intune] ca_file", c->intune.ca_file, LAST_TO_END, "Microsoft cannot be asked", RENEW_CA},
        {"[http] proxy_ca_file", c->http.proxy_ca_file, LAST_TO_END, "the proxy is not trusted",
         RENEW_CA},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        add_file(&keys[i], out);
}

static void add_cas(dt_config const *c, dt_expiries *out)
{
    for (size_t i = 0; i < c->ca_count; i++) {
        char key[DT_EXPIRY_KEY_MAX];

        (void)snprintf(key, sizeof(key), "[ca %s] certificate_file", c->cas[i]->name);
        add_file(&(certificate_key){key, c->cas[i]->certificate_file, ALL,
                                    "certificates of this CA are not accepted", RENEW_CA},
                 out);
    }
}

/* A list is replaced shortly before it ends, so nobody is warned before. */
static void add_lists(dt_trust_store const *anchors, dt_expiries *out)
{
    dt_expiry x = {.key = "[device_trust] crl_file",
                   .then = "no revocation list of this CA is in force",
                   .to_do = "fetch the list again"};

    if (anchors == NULL || dt_trust_store_crl_count(anchors) == 0)
        return;
    x.end = dt_trust_store_crls_expire(anchors);
    dt_expiries_add(out, &x);
}

static void add_break_glass(dt_config const *c, dt_expiries *out)
{
    dt_expiry x = {.key = "[break_glass] until",
                   .warns_for = DT_EXPIRY_WARNS_FOR,
                   .then = "nobody gets in by a break-glass account",
                   .to_do = "look after the accounts, and set a later time"};

    if (c->break_glass.users.count > 0 &&
        dt_break_glass_until(c->break_glass.until, &x.end) == DT_OK)
        dt_expiries_add(out, &x);
}

void dt_expiries_read(dt_config const *c, dt_trust_store const *anchors, dt_expiries *out)
{
    *out = (dt_expiries){.count = 0};
    add_files(c, out);
    add_cas(c, out);
    add_lists(anchors, out);
    add_break_glass(c, out);
}
