/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificate revocation lists: checked once, when they are loaded, and looked into at every
 * judgement. A list counts for the certificates of the configured CA that signed it.
 *
 * Not read: delta lists, and indirect lists or those for some reasons only (RFC 5280 section 5.2.5):
 * they would say less than they seem to, and are refused. */
#include "edge/x509_internal.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

void dt_crls_free(dt_crls *c)
{
    for (size_t i = 0; i < c->count; i++) {
        X509_CRL_free(c->items[i].crl);
        CRL_DIST_POINTS_free(c->items[i].only_for);
    }
    c->count = 0;
}

/* --- loading -------------------------------------------------------------------------------- */

static int refuse(X509_CRL *crl, char const *why, dt_error *e)
{
    char name[DT_X509_NAME_MAX];

    dt_x509_name_text(X509_CRL_get_issuer(crl), name, sizeof(name));
    return dt_error_set(e, DT_E_INVALID, "the revocation list of %s %s", name, why);
}

/* The configured CA that signed the list, among those under the rules cas[ca]: by its name and key. */
static X509 *signer_of(dt_trust_store const *s, size_t rules, X509_CRL *crl)
{
    for (int i = 0; i < sk_X509_num(s->all); i++) {
        X509 *ca = sk_X509_value(s->all, i);
        bool may = s->ca[i] == rules && ((X509_get_extension_flags(ca) & EXFLAG_KUSAGE) == 0 ||
                                         (X509_get_key_usage(ca) & KU_CRL_SIGN) != 0);

        if (may && X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
            X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1)
            return ca;
    }
    return NULL;
}

/* The points that a list of a part of the certificates is for; NULL in *out when it is for all. */
static int read_scope(X509_CRL *crl, CRL_DIST_POINTS **out, dt_error *e)
{
    int critical = -1, rc = 0;
    ISSUING_DIST_POINT *idp =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);

    *out = NULL;
    if (idp == NULL)
        return critical == -1 ? 0 : refuse(crl, "has a scope that cannot be read", e);
    if (idp->indirectCRL > 0 || idp->onlyattr > 0 || idp->onlyCA > 0 ||
        idp->onlysomereasons != NULL)
        rc = refuse(crl, "is indirect, or does not cover all reasons and devices; use a full list",
                    e);
    if (rc == 0 && idp->distpoint != NULL) {
        DIST_POINT *point = DIST_POINT_new();
        *out = CRL_DIST_POINTS_new();
        if (point == NULL || *out == NULL || sk_DIST_POINT_push(*out, point) <= 0) {
            DIST_POINT_free(point);
            rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
        } else {
            point->distpoint = idp->distpoint;
            idp->distpoint = NULL;
        }
    }
    ISSUING_DIST_POINT_free(idp);
    return rc;
}

/* Extensions that must be understood: no other than the scope is. */
static bool has_unknown_critical(X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *ext = X509_CRL_get_ext(crl, i);
        if (X509_EXTENSION_get_critical(ext) &&
            OBJ_obj2nid(X509_EXTENSION_get_object(ext)) != NID_issuing_distribution_point)
            return true;
    }
    return false;
}

static int read_times(X509_CRL *crl, dt_crl *out, dt_error *e)
{
    ASN1_TIME const *next = X509_CRL_get0_nextUpdate(crl);

    if (dt_x509_time(X509_CRL_get0_lastUpdate(crl), &out->this_update) < 0 || next == NULL ||
        dt_x509_time(next, &out->next_update) < 0)
        return refuse(crl, "has no validity period (thisUpdate, nextUpdate)", e);
    return 0;
}

/* Fills *out, which then owns crl. */
static int check_crl(dt_trust_store const *s, size_t rules, X509_CRL *crl, dt_crl *out, dt_error *e)
{
    int rc;

    *out = (dt_crl){0};
    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
        return refuse(crl, "is a delta list; use the full list", e);
    if (has_unknown_critical(crl))
        return refuse(crl, "has an unknown critical extension", e);
    out->signer = signer_of(s, rules, crl);
    if (out->signer == NULL)
        return refuse(
            crl,
            "is signed by none of the configured CAs; add the CA that signs it to ca_file, "
            "shared_ca_file or the section's certificate_file, or remove the list",
            e);
    rc = read_times(crl, out, e);
    if (rc == 0)
        rc = read_scope(crl, &out->only_for, e);
    if (rc == 0)
        out->crl = crl;
    else
        CRL_DIST_POINTS_free(out->only_for);
    return rc;
}

static int take_crl(dt_trust_store *s, size_t rules, X509_CRL *crl, dt_error *e)
{
    dt_crl item;
    int rc = 0;

    if (s->crls.count == DT_CRLS_MAX)
        rc = dt_error_set(e, DT_E_LIMIT, "more than %d revocation lists", DT_CRLS_MAX);
    if (rc == 0)
        rc = check_crl(s, rules, crl, &item, e);
    if (rc == 0)
        s->crls.items[s->crls.count++] = item;
    else
        X509_CRL_free(crl);
    return rc;
}

static int add_der(dt_trust_store *s, size_t rules, dt_bytes text, dt_error *e)
{
    unsigned char const *p = text.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)text.len);

    if (crl == NULL || p != text.p + text.len) {
        X509_CRL_free(crl);
        return dt_error_set(e, DT_E_PARSE, "not a revocation list, in PEM or DER");
    }
    return take_crl(s, rules, crl, e);
}

static int add_pem(dt_trust_store *s, size_t rules, dt_bytes text, dt_error *e)
{
    int const begun = dt_pem_count_begins(text);
    BIO *in = BIO_new_mem_buf(text.p, (int)text.len);
    int rc = in != NULL ? 0 : dt_error_set(e, DT_E_NOMEM, "out of memory");
    int read = 0;

    while (rc == 0) {
        X509_CRL *crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);
        if (crl == NULL)
            break;
        read++;
        rc = take_crl(s, rules, crl, e);
    }
    BIO_free(in);
    if (rc == 0 && (read == 0 || read != begun))
        rc = dt_error_set(e, DT_E_PARSE, "list %d is damaged, or is not a revocation list (\"%s\")",
                          read + 1, PEM_STRING_X509_CRL);
    return rc;
}

static int add_crls(dt_trust_store *s, size_t rules, dt_bytes text, dt_error *e)
{
    size_t const before = s->crls.count;
    int rc;

    if (text.len == 0 || text.len > DT_CRL_FILE_MAX)
        return dt_error_set(e, text.len == 0 ? DT_E_PARSE : DT_E_LIMIT,
                            "contains no revocation list, or more than %d bytes", DT_CRL_FILE_MAX);
    dt_openssl_enter();
    rc = text.p[0] == 0x30 ? add_der(s, rules, text, e) : add_pem(s, rules, text, e);
    dt_openssl_leave();
    if (rc < 0) {
        dt_crls rest = {.count = s->crls.count - before};
        memcpy(rest.items, s->crls.items + before, rest.count * sizeof(rest.items[0]));
        s->crls.count = before;
        dt_crls_free(&rest);
    }
    return rc;
}

int dt_trust_store_add_crls(dt_trust_store *s, dt_bytes text, dt_error *e)
{
    return add_crls(s, 0, text, e);
}

int dt_trust_store_add_crls_of(dt_trust_store *s, char const *name, dt_bytes text, dt_error *e)
{
    for (size_t i = 1; i < s->ca_count; i++) {
        if (strcmp(s->cas[i].name, name) == 0)
            return add_crls(s, i, text, e);
    }
    return dt_error_set(e, DT_E_NOT_FOUND, "unknown section [ca %s]", name);
}

size_t dt_trust_store_crl_count(dt_trust_store const *s)
{
    return s->crls.count;
}

void dt_trust_store_set_revocation(dt_trust_store *s, dt_revocation mode)
{
    s->cas[0].revocation = mode;
}

dt_time dt_trust_store_crls_expire(dt_trust_store const *s)
{
    dt_time first = DT_TIME_NEVER;

    for (size_t i = 0; i < s->crls.count; i++) {
        if (s->crls.items[i].next_update < first)
            first = s->crls.items[i].next_update;
    }
    return first;
}

/* --- looking -------------------------------------------------------------------------------- */

static bool names_meet(GENERAL_NAMES const *a, GENERAL_NAMES const *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(a); i++) {
        for (int k = 0; k < sk_GENERAL_NAME_num(b); k++) {
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, k)) == 0)
                return true;
        }
    }
    return false;
}

/* Is the certificate one of those that a list of a part is for? It must name a point of the list by
 * a full name (RFC 5280 section 6.3.3 (b) (2) (i)). */
static bool is_in_scope(dt_crl const *c, X509 *x)
{
    CRL_DIST_POINTS *points;
    DIST_POINT_NAME const *only;
    bool found = false;

    if (c->only_for == NULL)
        return true;
    only = sk_DIST_POINT_value(c->only_for, 0)->distpoint;
    points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; only->type == 0 && i < sk_DIST_POINT_num(points) && !found; i++) {
        DIST_POINT_NAME const *name = sk_DIST_POINT_value(points, i)->distpoint;
        found =
            name != NULL && name->type == 0 && names_meet(only->name.fullname, name->name.fullname);
    }
    CRL_DIST_POINTS_free(points);
    return found;
}

static bool is_current(dt_crl const *c, dt_time now)
{
    return now >= c->this_update - DT_CRL_SKEW && now <= c->next_update + DT_CRL_SKEW;
}

dt_crl_answer dt_crls_look(dt_crls const *crls, X509 *x, X509 *issuer, dt_time now)
{
    dt_crl_answer answer = DT_CRL_NO_ANSWER;

    for (size_t i = 0; i < crls->count; i++) {
        dt_crl const *c = &crls->items[i];
        X509_REVOKED *row = NULL;

        if (!dt_x509_same_key(c->signer, issuer) || !is_in_scope(c, x))
            continue;
        /* Once revoked stays revoked, also by a list that is out of date; "removeFromCRL" (2) is
         * for delta lists. */
        if (X509_CRL_get0_by_cert(c->crl, &row, x) == 1)
            return DT_CRL_REVOKED;
        if (is_current(c, now))
            answer = DT_CRL_GOOD;
        else if (answer == DT_CRL_NO_ANSWER)
            answer = DT_CRL_OUT_OF_DATE;
    }
    return answer;
}
