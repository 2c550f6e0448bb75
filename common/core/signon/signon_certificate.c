/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates of devices: the one of a TLS handshake, of an enrolled SSH key, of this host itself. */
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

/* What speaks for a certificate whose key was used, as far as it is judged. */
static void mark_proved(dt_evidence *ev, dt_certificate const *cert)
{
    ev->finding = DT_FINDING_FOR;
    ev->assurance = DT_PROVED;
    memcpy(ev->key_id, cert->key_id, sizeof(ev->key_id));
    memcpy(ev->serial, cert->hardware_serial, sizeof(ev->serial));
}

static void note_revocation(dt_signon *s, dt_certificate const *cert)
{
    s->outcome.revocation = cert->not_checked ? DT_REVOCATION_BY_NONE
                            : cert->listed    ? DT_REVOCATION_BY_LIST
                                              : DT_REVOCATION_BY_UNASKED;
    s->outcome.revocation_at = 0;
}

/* The serial number names one without a subject, as some MDMs issue them. */
static void note_certificate(dt_signon *s, dt_source source, dt_certificate const *cert)
{
    char serial[sizeof("serial ") + sizeof(cert->serial)];

    (void)snprintf(serial, sizeof(serial), "serial %s", cert->serial);
    if (cert->subject[0] != '\0' || cert->serial[0] != '\0')
        dt_signon_note_key(s, source, cert->subject[0] != '\0' ? cert->subject : serial);
}

/* Judges a certificate and makes evidence of it. `proved`: its key was used in this sign-on. Of one that
 * was not, or that no rule asks for, no responder is asked. */
void dt_signon_certificate(dt_signon *s, dt_source source, dt_bytes der, dt_bytes const *chain,
                           size_t chain_count, bool proved, dt_time now)
{
    dt_certificate cert;
    dt_error err = {0};
    dt_evidence ev = {.source = source, .observed = now};
    bool ask = proved && !s->ocsp_waits && dt_signon_trust_rule_names(s, source);
    dt_reason reason = dt_x509_judge_online(s->ruleset.anchors, der, chain, chain_count,
                                            &s->ruleset.config->device_trust.tenant_id, now, &cert,
                                            ask ? &s->scratch->ocsp : NULL, &err);

    ev.device_id = cert.device_id;
    ev.entra_id = cert.entra_id;
    note_certificate(s, source, &cert);
    note_revocation(s, &cert);
    if (ask && s->scratch->ocsp.open) {
        mark_proved(&ev, &cert);
        dt_signon_ocsp_wait(s, &ev);
        return;
    }
    if (reason == DT_REASON_TRUSTED && proved) {
        mark_proved(&ev, &cert);
        if (cert.not_checked)
            dt_signon_detail(s, "%s: %s; accepted because of revocation = soft",
                             dt_source_name(source), err.text);
    } else {
        /* Nobody knows whether it is revoked: not the same as that it is. */
        if (reason == DT_REASON_LOOKUP_UNAVAILABLE && proved) {
            ev.finding = DT_FINDING_UNKNOWN;
            ev.assurance = DT_PROVED;
        }
        ev.reason = reason == DT_REASON_TRUSTED ? DT_REASON_NO_PROOF_OF_POSSESSION : reason;
        dt_signon_detail(s, "%s: %s%s", dt_source_name(source),
                         reason == DT_REASON_TRUSTED ? "nothing proved that the client holds the "
                                                       "certificate's key"
                                                     : err.text,
                         s->handshake_resumed && chain_count == 0 &&
                                 reason == DT_REASON_UNTRUSTED_ISSUER
                             ? "; resumed session: no chain was sent"
                             : "");
    }
    dt_signon_add_evidence(s, &ev);
}

/* --- this host's own ----------------------------------------------------------------------------- */

bool dt_signon_host_begin(dt_signon *s, dt_time now)
{
    (void)now;
    if (!s->host_evidence || !s->ruleset.config->device_trust.host_certificate_file[0])
        return false;
    s->host_evidence = false;
    dt_signon_set_phase(s, DT_PHASE_HOST_SIGN);
    return true;
}

/* A token that is unreachable, a TPM that hangs: whether this host is the device it says is not known. */
static void host_unknown(dt_signon *s, dt_time now)
{
    dt_evidence ev = {.source = DT_SOURCE_CERTIFICATE,
                      .assurance = DT_PROVED,
                      .finding = DT_FINDING_UNKNOWN,
                      .reason = DT_REASON_LOOKUP_UNAVAILABLE,
                      .observed = now};

    dt_signon_add_evidence(s, &ev);
}

static void sign_done(dt_signon *s, dt_sign_result const *r, dt_time now)
{
    bool proved;

    if (r->error < 0) {
        dt_signon_detail(s, "host certificate: %s", r->text ? r->text : "no signature");
        if (r->error != DT_E_NOT_FOUND)
            host_unknown(s, now);
        dt_signon_collect(s);
        return;
    }
    proved =
        dt_x509_verify(r->certificate, dt_bytes_of(s->random, DT_NONCE_LEN), r->signature) == DT_OK;
    dt_signon_certificate(s, DT_SOURCE_CERTIFICATE, r->certificate, r->chain, r->chain_count,
                          proved, now);
    dt_signon_collect(s);
}

/* --- the phases ---------------------------------------------------------------------------------- */

static int render_sign(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    memcpy(s->scratch->sign.nonce, s->random, sizeof(s->scratch->sign.nonce));
    return DT_OK;
}

dt_phase_row const dt_row_host_sign = {
    .kind = DT_PHASE_IS_SIGN,
    .part = DT_PART_EVIDENCE,
    .render = render_sign,
    .sign_done = sign_done,
};
