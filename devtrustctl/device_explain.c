/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device explain: what a file that a device could show would be worth, and why. Judges as
 * a sign-on does, with the same functions, and takes it that the key was used. The files may come from
 * anywhere: one that cannot be read as what it claims to be gets a verdict, too. */
#include "devtrustctl/device_explain.h"
#include "devtrustctl/certificate_file.h"
#include "devtrustctl/device_claims.h"

#include "core/base/json.h"
#include "core/signon/outcome.h"
#include "core/device/ssh_certificate.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_KEPT (DT_CHAIN_MAX + 1) /* one more than may be, for the judge to refuse */
#define SSH_TYPE_MAX 128              /* longest first word of a line that may be a key's type */

/* What is known of one file. */
typedef struct explained {
    char const *path;
    char const *kind;
    dt_reason reason;
    dt_error e;
    dt_certificate certificate; /* of the kind "certificate": as far as it could be read */
    dt_ssh_device ssh;          /* of the kind "ssh-certificate" */
    dt_device_claims claimed;   /* of what is only said: in words */
    dt_bytes ocsp;              /* an answer that is at hand; empty: none */
    char const *ocsp_result;    /* what came of it; NULL: no responder would be asked */
} explained;

/* A certificate file: the device's own first, its intermediates after it. */
typedef struct chain_file {
    dt_buf der[1 + CHAIN_KEPT];
    size_t count;
} chain_file;

/* Something that a file may be. */
typedef struct claim_kind {
    char const *name;
    bool (*is)(dt_bytes text);
    void (*judge)(dt_ruleset const *ruleset, dt_bytes text, dt_time now, explained *x);
} claim_kind;

/* --- certificates ------------------------------------------------------------------------------- */

static int keep_certificate(void *ctx, size_t index, dt_bytes der)
{
    chain_file *f = ctx;

    if (index > 1 + CHAIN_KEPT)
        return DT_OK;
    dt_buf_init(&f->der[index - 1], DT_CERTIFICATE_MAX);
    f->count = index;
    dt_buf_put(&f->der[index - 1], der.p, der.len);
    return dt_buf_error(&f->der[index - 1]);
}

/* Where a responder would be asked: by the answer at hand, as if it had come now. */
static dt_reason judge_by_answer(dt_ruleset const *ruleset, dt_ocsp_question const *q, dt_time now,
                                 explained *x)
{
    dt_ocsp_answer a = {0};
    dt_error without = x->e, why = {0};

    if (x->ocsp.len == 0)
        (void)dt_error_set(&why, DT_E_UNAVAILABLE, "was not asked (--ocsp-answer)");
    else
        (void)dt_x509_ocsp_read(ruleset->anchors, q, x->ocsp, now, &a, &why);
    x->ocsp_result = dt_ocsp_status_name(a.status);
    x->e = (dt_error){0};
    if (a.status == DT_OCSP_GOOD) {
        x->certificate.not_checked = q->above_unchecked;
        if (q->above_unchecked)
            x->e = without;
    } else if (a.status == DT_OCSP_REVOKED) {
        x->certificate.not_checked = false;
        (void)dt_error_set(&x->e, DT_E_CRYPTO,
                           "was revoked by its CA, according to its OCSP responder");
    } else {
        (void)dt_error_set(
            &x->e, DT_E_UNAVAILABLE, "%s%sOCSP: %s", without.text,
            without.text[0] != '\0' ? "; " : "",
            a.status == DT_OCSP_UNKNOWN ? "the responder does not know the certificate" : why.text);
    }
    return dt_ocsp_reason(q, a.status);
}

static dt_reason judge_chain(dt_ruleset const *ruleset, chain_file const *f, dt_time now,
                             explained *x)
{
    dt_bytes chain[CHAIN_KEPT];
    dt_ocsp_question *q = calloc(1, sizeof(*q));
    dt_reason reason = DT_REASON_LOOKUP_UNAVAILABLE;

    for (size_t i = 1; i < f->count; i++)
        chain[i - 1] = dt_buf_bytes(&f->der[i]);
    if (q != NULL)
        reason = dt_x509_judge_online(ruleset->anchors, dt_buf_bytes(&f->der[0]), chain,
                                      f->count - 1, &ruleset->config->device_trust.tenant_id, now,
                                      &x->certificate, q, &x->e);
    else
        (void)dt_error_set(&x->e, DT_E_NOMEM, "out of memory");
    if (q != NULL && q->open)
        reason = judge_by_answer(ruleset, q, now, x);
    free(q);
    return reason;
}

static void judge_certificate(dt_ruleset const *ruleset, dt_bytes text, dt_time now, explained *x)
{
    chain_file *f = calloc(1, sizeof(*f));
    int rc = f != NULL ? dt_certificates_each(text, keep_certificate, f, &x->e)
                       : dt_error_set(&x->e, DT_E_NOMEM, "out of memory");

    if (rc == DT_OK && f != NULL && f->count > 0)
        x->reason = judge_chain(ruleset, f, now, x);
    else
        x->reason = rc == DT_E_NOMEM ? DT_REASON_LOOKUP_UNAVAILABLE : DT_REASON_CERTIFICATE_INVALID;
    for (size_t i = 0; f != NULL && i < f->count; i++)
        dt_buf_free(&f->der[i]);
    free(f);
}

/* --- OpenSSH certificates ------------------------------------------------------------------------ */

/* The next word of a line; *rest is what follows it. */
static dt_bytes take_word(dt_bytes *rest)
{
    size_t start = 0, end;

    while (start < rest->len && (rest->p[start] == ' ' || rest->p[start] == '\t'))
        start++;
    end = start;
    while (end < rest->len && strchr(" \t\r\n", rest->p[end]) == NULL)
        end++;
    dt_bytes word = dt_bytes_of(rest->p + start, end - start);
    *rest = dt_bytes_of(rest->p + end, rest->len - end);
    return word;
}

static bool is_ssh_certificate(dt_bytes text)
{
    dt_bytes type = take_word(&text);

    return type.len <= SSH_TYPE_MAX && dt_ssh_is_certificate_type(type);
}

static void judge_ssh_certificate(dt_ruleset const *ruleset, dt_bytes text, dt_time now,
                                  explained *x)
{
    dt_ssh_certificate_rules rules = {
        .cas = ruleset->ssh_cas,
        .device_id = ruleset->config->device_trust.ssh_certificate_device_id,
        .hardware = ruleset->config->device_trust.ssh_require_hardware_key,
    };
    dt_buf blob;

    (void)take_word(&text);
    dt_buf_init(&blob, DT_SSH_CERTIFICATE_MAX);
    if (dt_base64_decode(&blob, take_word(&text)) < 0) {
        x->reason = DT_REASON_CERTIFICATE_INVALID;
        (void)dt_error_set(&x->e, DT_E_PARSE, "what follows the type is not base64");
    } else {
        x->reason = dt_ssh_certificate_judge(&rules, dt_buf_bytes(&blob), DT_SSH_USE_SSHD, now,
                                             &x->ssh, &x->e);
    }
    dt_buf_free(&blob);
}

/* --- what a file is ------------------------------------------------------------------------------ */

static bool is_anything(dt_bytes text)
{
    (void)text;
    return true;
}

/* The first that says it is its own; what nobody knows is judged as a certificate, and is none. */
static claim_kind const kinds[] = {
    {"ssh-certificate", is_ssh_certificate, judge_ssh_certificate},
    {"certificate", is_anything, judge_certificate},
};

static void judge(dt_ruleset const *ruleset, dt_bytes text, dt_time now, explained *x)
{
    size_t i = 0;

    while (!kinds[i].is(text))
        i++;
    x->kind = kinds[i].name;
    kinds[i].judge(ruleset, text, now, x);
}

/* --- what is printed ----------------------------------------------------------------------------- */

/* That something could not be found out is not the same as no. */
static char const *verdict_word(dt_reason reason)
{
    return reason == DT_REASON_TRUSTED              ? "TRUSTED"
           : reason == DT_REASON_LOOKUP_UNAVAILABLE ? "UNKNOWN"
                                                    : "NOT_TRUSTED";
}

static char const *device_of(explained const *x)
{
    if (dt_guid_is_set(&x->claimed.device_id))
        return x->claimed.device_id.text;
    return dt_guid_is_set(&x->ssh.device_id) ? x->ssh.device_id.text
                                             : x->certificate.device_id.text;
}

static void print_text(explained const *x)
{
    char const *device = device_of(x);

    dt_out_line("%-11s  %-36s  %s: %s%s%s%s", verdict_word(x->reason),
                device[0] != '\0' ? device : "-", x->path, x->kind,
                x->reason == DT_REASON_TRUSTED ? "" : ": ",
                x->reason == DT_REASON_TRUSTED ? "" : dt_reason_name(x->reason),
                x->certificate.not_checked ? ", accepted because of revocation = soft" : "");
    if (x->claimed.text[0] != '\0')
        dt_out_line("             %s", x->claimed.text);
    if (x->e.text[0] != '\0')
        dt_out_line("             %s", x->e.text);
}

static void put_member(dt_buf *b, char const *name, char const *value)
{
    if (value[0] == '\0')
        return;
    dt_buf_printf(b, ",\"%s\":", name);
    dt_json_put_string(b, value);
}

static void put_time(dt_buf *b, char const *name, dt_time t)
{
    char text[25];

    dt_time_format(text, t);
    put_member(b, name, text);
}

static void print_json(explained const *x)
{
    dt_certificate const *c = &x->certificate;
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{\"file\":");
    dt_json_put_string(&b, x->path);
    put_member(&b, "kind", x->kind);
    put_member(&b, "verdict", verdict_word(x->reason));
    put_member(&b, "reason", dt_reason_name(x->reason));
    put_member(&b, "detail", x->e.text);
    put_member(&b, "deviceId", device_of(x));
    put_member(&b, "entraDeviceId", c->entra_id.text);
    put_member(&b, "hardwareSerial", c->hardware_serial);
    put_member(&b, "tenantId", c->tenant_id.text);
    put_member(&b, "ca", c->ca);
    put_member(&b, "subject", c->subject);
    put_member(&b, "issuer", c->issuer);
    put_member(&b, "serial", c->serial);
    if (c->key_id[0] != '\0') { /* was read that far */
        put_time(&b, "notBefore", c->not_before);
        put_time(&b, "notAfter", c->not_after);
    }
    if (c->not_checked)
        dt_buf_puts(&b, ",\"revocationNotChecked\":true");
    put_member(&b, "ocsp", x->ocsp_result != NULL ? x->ocsp_result : "");
    dt_device_claims_put(&b, &x->claimed);
    dt_buf_puts(&b, "}");
    dt_out_buf(&b);
    dt_buf_free(&b);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int judge_shown(dt_explain_files const *asked, char const *path, explained *x, dt_error *e)
{
    dt_ruleset const ruleset = dt_site_ruleset(asked->files, "");
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_CERTIFICATE_FILE_MAX);
    rc = dt_plain_file_read(path, &text, e);
    if (rc == DT_OK)
        judge(&ruleset, dt_buf_bytes(&text), asked->now, x);
    dt_buf_free(&text);
    return rc;
}

static int judge_claims(dt_explain_files const *asked, char const *path, explained *x, dt_error *e)
{
    bool managed = asked->as == DT_EXPLAIN_AS_MANAGED;

    x->kind = managed ? "managed-config" : "vpn-claims";
    return managed ? dt_managed_file_judge(asked->files, path, asked->user, asked->now, &x->claimed,
                                           &x->reason, &x->e, e)
                   : dt_vpn_claims_judge(asked->files, asked->store, path, asked->now, &x->claimed,
                                         &x->reason, &x->e, e);
}

static dt_ctl_exit explain_file(dt_explain_files const *asked, char const *path, dt_bytes ocsp)
{
    explained *x = calloc(1, sizeof(*x));
    dt_ctl_exit exit_code;
    dt_error e = {0};
    int rc;

    if (x == NULL) {
        (void)dt_error_set(&e, DT_E_NOMEM, "out of memory");
        return dt_err_fault(&e);
    }
    x->path = path;
    x->ocsp = ocsp;
    rc = asked->as == DT_EXPLAIN_AS_SHOWN ? judge_shown(asked, path, x, &e)
                                          : judge_claims(asked, path, x, &e);
    if (rc == DT_OK && asked->json)
        print_json(x);
    else if (rc == DT_OK)
        print_text(x);
    exit_code = rc < 0 ? dt_err_fault(&e) : x->reason == DT_REASON_TRUSTED ? DT_CTL_YES : DT_CTL_NO;
    free(x);
    return exit_code;
}

dt_ctl_exit dt_device_explain(dt_explain_files const *asked, char const *const *paths, size_t count)
{
    dt_ctl_exit worst = DT_CTL_YES;
    dt_error e = {0};
    dt_buf answer;

    dt_buf_init(&answer, DT_OCSP_RESPONSE_MAX);
    bool const readable =
        asked->ocsp_answer == NULL || dt_plain_file_read(asked->ocsp_answer, &answer, &e) == DT_OK;
    if (!readable)
        worst = dt_err_fault(&e);
    for (size_t i = 0; readable && i < count; i++) {
        dt_ctl_exit x = explain_file(asked, paths[i], dt_buf_bytes(&answer));
        worst = x > worst ? x : worst;
    }
    dt_buf_free(&answer);
    return worst;
}
