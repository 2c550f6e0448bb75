/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first half of a sign-on: from the request's facts to the verdict and the decision. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"
#include "core/device/vpn_evidence.h"

#include <string.h>

void dt_signon_add_evidence(dt_signon *s, dt_evidence const *e)
{
    if (dt_evidence_add(&s->scratch->evidence, e) < 0)
        dt_signon_fail(s, DT_CAUSE_INTERNAL, "more evidence than one sign-on may bring");
}

bool dt_signon_trust_rule_names(dt_signon const *s, unsigned source)
{
    dt_config const *c = s->site.config;

    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++) {
        if (c->device_trust.trusted_when[i] & source)
            return true;
    }
    return false;
}

/* What speaks for a certificate whose key was used, as far as it is judged. */
static void speak_for(dt_evidence *ev, dt_certificate const *cert)
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

/* Judges a certificate and makes evidence of it. `proved`: its key was used in this sign-on. Of one that
 * was not, or that no rule asks for, no responder is asked. */
static void judge_certificate(dt_signon *s, dt_source source, dt_bytes der, dt_bytes const *chain,
                              size_t chain_count, bool proved, dt_time now)
{
    dt_certificate cert;
    dt_error err = {0};
    dt_evidence ev = {.source = source, .observed = now};
    bool ask = proved && !s->ocsp_waits && dt_signon_trust_rule_names(s, source);
    dt_reason reason = dt_x509_judge_online(s->site.anchors, der, chain, chain_count,
                                            &s->site.config->device_trust.tenant_id, now, &cert,
                                            ask ? &s->scratch->ocsp : NULL, &err);

    ev.device_id = cert.device_id;
    ev.entra_id = cert.entra_id;
    note_revocation(s, &cert);
    if (ask && s->scratch->ocsp.open) {
        speak_for(&ev, &cert);
        dt_signon_ocsp_wait(s, &ev);
        return;
    }
    if (reason == DT_REASON_TRUSTED && proved) {
        speak_for(&ev, &cert);
        if (cert.not_checked)
            dt_signon_detail(s, "%s: %s; let pass by revocation = soft", dt_source_name(source),
                             err.text);
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

static void take_vpn_device(dt_signon *s, char const *text, dt_platform platform, dt_time now)
{
    dt_evidence ev = {.source = DT_SOURCE_VPN_CLIENT, .observed = now, .platform = platform};

    if (dt_guid_parse(dt_bytes_str(text), &ev.device_id) < 0) {
        dt_signon_detail(s, "the VPN client's device id is not a GUID");
        return;
    }
    ev.finding = DT_FINDING_FOR;
    ev.assurance = DT_ASSERTED;
    dt_signon_add_evidence(s, &ev);
}

/* Which device is meant is looked for only where it could matter, and not when it is named. */
static void take_vpn_claims(dt_signon *s, dt_request const *r)
{
    s->scratch->vpn = *r->vpn;
    if (s->scratch->vpn.platform == DT_PLATFORM_UNKNOWN)
        s->scratch->vpn.platform = r->platform_hint;
    s->vpn_search = dt_signon_trust_rule_names(s, DT_SOURCE_VPN_CLIENT) &&
                    (!r->vpn_device_id || !*r->vpn_device_id);
    if (s->platform_hint == DT_PLATFORM_UNKNOWN)
        s->platform_hint = s->scratch->vpn.platform;
}

/* --- SSH certificates ------------------------------------------------------------------------- */

typedef struct ssh_taking {
    dt_signon *s;
    dt_time now;
} ssh_taking;

dt_ssh_certificate_rules dt_signon_ssh_rules(dt_signon const *s)
{
    return (dt_ssh_certificate_rules){
        .cas = s->site.ssh_cas,
        .device_id = s->site.config->device_trust.ssh_certificate_device_id,
        .hardware = s->site.config->device_trust.ssh_require_hardware_key,
    };
}

void dt_signon_ssh_certificate(dt_signon *s, dt_source source, dt_ssh_certificate_use use,
                               dt_bytes blob, dt_time now)
{
    dt_evidence ev = {.source = source, .observed = now};
    dt_ssh_certificate_rules rules = dt_signon_ssh_rules(s);
    dt_ssh_device device;
    dt_error err = {0};

    if (s->outcome.cause != DT_CAUSE_NONE)
        return;
    ev.reason = dt_ssh_certificate_judge(&rules, blob, use, now, &device, &err);
    if (ev.reason == DT_REASON_TRUSTED) {
        ev.finding = DT_FINDING_FOR;
        ev.assurance = DT_PROVED;
        ev.reason = DT_REASON_NONE;
        ev.device_id = device.device_id;
        memcpy(ev.key_id, device.key_id, sizeof(ev.key_id));
    } else {
        dt_signon_detail(s, "%s", err.text);
    }
    dt_signon_add_evidence(s, &ev);
}

/* A certificate whose key sshd verified. */
static void take_ssh_certificate(void *ctx, dt_bytes blob)
{
    ssh_taking const *t = ctx;

    dt_signon_ssh_certificate(t->s, DT_SOURCE_SSH_CERTIFICATE, DT_SSH_USE_SSHD, blob, t->now);
}

static void take_ssh(dt_signon *s, dt_bytes info, dt_time now)
{
    ssh_taking t = {.s = s, .now = now};
    dt_error err = {0};

    if (dt_ssh_auth_info_parse(info, &s->scratch->ssh, &err) < 0) {
        s->scratch->ssh.count = 0;
        dt_signon_detail(s, "SSH_AUTH_INFO_0: %s", err.text);
        return;
    }
    if (dt_ssh_cas_count(s->site.ssh_cas) > 0)
        dt_ssh_auth_info_certificates(info, take_ssh_certificate, &t);
}

void dt_signon_evidence_begin(dt_signon *s, dt_request const *r, dt_time now)
{
    if (r->certificate.len > 0)
        judge_certificate(s, DT_SOURCE_CERTIFICATE, r->certificate, r->chain, r->chain_count,
                          r->handshake_finished, now);
    if (r->vpn_device_id && *r->vpn_device_id)
        take_vpn_device(s, r->vpn_device_id, r->platform_hint, now);
    if (r->ssh_auth_info)
        take_ssh(s, dt_bytes_str(r->ssh_auth_info), now);
    if (r->vpn)
        take_vpn_claims(s, r);
    dt_signon_collect(s);
}

/* The verdict, had these look-ups given a good answer about the device. */
static bool would_trust(dt_signon const *s, dt_evidence_set const *set, unsigned sources,
                        dt_guid const *id, dt_time now, dt_verdict *out)
{
    static dt_source const asked[] = {DT_SOURCE_INTUNE, DT_SOURCE_OKTA_DEVICE};
    dt_evidence_set with = *set;
    dt_evidence ev = {.finding = DT_FINDING_FOR, .device_id = *id, .observed = now};

    for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
        if (s->site.config->device_trust.platforms & bit) {
            ev.platform = (dt_platform)bit;
            break;
        }
    }
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        ev.source = asked[i];
        if ((sources & asked[i]) != 0 && dt_evidence_add(&with, &ev) < 0)
            return false;
    }
    dt_verdict_judge(&with, s->site.config, now, out);
    return out->trust == DT_TRUST_TRUSTED;
}

/* If not, nobody asks: neither junk certificates nor strangers' claims cost a call. */
bool dt_signon_lookup_matters(dt_signon const *s, dt_evidence_set const *set, unsigned source,
                              dt_guid const *id, dt_time now)
{
    dt_verdict v;

    return (would_trust(s, set, source, id, now, &v) && (v.sources & source) != 0) ||
           (would_trust(s, set, DT_SOURCES_ASKED, id, now, &v) && (v.sources & source) != 0);
}

/* --- the collectors --------------------------------------------------------------------------- */

/* Each returns true when it waits for a step, with whose result it is called again, and false when it has all
 * that it can have. */

static bool collect_host_certificate(dt_signon *s, dt_time now)
{
    (void)now;
    if (!s->host_evidence || !s->site.config->device_trust.host_certificate_file[0])
        return false;
    s->host_evidence = false;
    dt_signon_set_phase(s, DT_PHASE_HOST_SIGN);
    return true;
}

static bool collect_managed_configuration(dt_signon *s, dt_time now)
{
    (void)now;
    if (!s->host_managed || !s->site.managed ||
        !dt_signon_trust_rule_names(s, DT_SOURCE_MANAGEMENT_HINT))
        return false;
    s->host_managed = false;
    dt_signon_set_phase(s, DT_PHASE_MANAGED);
    return true;
}

static bool collect_ssh_keys(dt_signon *s, dt_time now)
{
    (void)now;
    if (s->ssh_at >= s->scratch->ssh.count)
        return false;
    dt_signon_set_phase(s, DT_PHASE_SSH_GET);
    return true;
}

/* The list of trusted devices, about the proved one. */
static bool collect_registry(dt_signon *s, dt_time now)
{
    dt_guid const *proved;

    (void)now;
    if (s->registry_asked || !dt_signon_trust_rule_names(s, DT_SOURCE_REGISTRY) ||
        !dt_evidence_proved_device(&s->scratch->evidence, &proved) || proved == NULL)
        return false;
    s->registry_asked = true;
    s->lookup_id = *proved;
    dt_signon_set_phase(s, DT_PHASE_REGISTRY_GET);
    return true;
}

/* The device that a VPN client means, by one of the names that it gave. */
static bool collect_vpn_device(dt_signon *s, dt_time now)
{
    char name[DT_VPN_NAME_MAX];
    dt_evidence ev;

    if (!s->vpn_search)
        return false;
    if (dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name)) {
        dt_signon_set_phase(s, DT_PHASE_ALIAS_GET);
        return true;
    }
    s->vpn_search = false;
    if (dt_vpn_uid_evidence(&s->scratch->vpn, now, &ev))
        dt_signon_add_evidence(s, &ev);
    return false;
}

static bool collect_intune(dt_signon *s, dt_time now)
{
    dt_guid const *id;

    if (dt_lookup_was_asked(s, DT_QUESTION_INTUNE))
        return false;
    if (dt_signon_entra_begin(s, now))
        return true;
    id = dt_evidence_device_id(&s->scratch->evidence, s->site.config);
    if (id == NULL || !s->site.config->intune.client_id[0] ||
        !dt_signon_lookup_matters(s, &s->scratch->evidence, DT_SOURCE_INTUNE, id, now))
        return false;
    s->lookup_id = *id;
    dt_lookup_begin(s, DT_QUESTION_INTUNE, now);
    return true;
}

/* In this order: what a later one does may depend on what an earlier one has found, never the other way. */
static bool (*const collectors[DT_SIGNON_COLLECTORS])(dt_signon *s, dt_time now) = {
    collect_host_certificate, collect_managed_configuration,
    collect_ssh_keys,         dt_signon_agent_begin,
    collect_registry,         collect_vpn_device,
    collect_intune,           dt_signon_device_begin,
};

/* A certificate that waits for its OCSP answer comes first, whichever collector has found it. */
void dt_signon_evidence_stage(dt_signon *s, dt_time now)
{
    if (s->ocsp_waits) {
        dt_lookup_begin(s, DT_QUESTION_OCSP, now);
        return;
    }
    for (; s->collector < DT_SIGNON_COLLECTORS; s->collector++) {
        if (collectors[s->collector](s, now) || s->outcome.cause != DT_CAUSE_NONE)
            return;
    }
    dt_signon_go(s, DT_STAGE_DECISION);
}

void dt_signon_collect(dt_signon *s)
{
    if (s->outcome.cause == DT_CAUSE_NONE)
        dt_signon_go(s, DT_STAGE_EVIDENCE);
}

void dt_signon_evidence_ends(dt_signon *s)
{
    s->collector = DT_SIGNON_COLLECTORS;
    dt_signon_collect(s);
}

/* A token that is away, a TPM that hangs: whether this host is the device it says is not known. */
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
    judge_certificate(s, DT_SOURCE_CERTIFICATE, r->certificate, r->chain, r->chain_count, proved,
                      now);
    dt_signon_collect(s);
}

static void managed_done(dt_signon *s, dt_managed_result const *r, dt_time now)
{
    dt_evidence ev;
    dt_error why = {0};

    dt_managed_evidence(r, s->site.config, s->who.local, s->who.login, now, &ev, &why);
    if (why.text[0])
        dt_signon_detail(s, "management-hint: %s", why.text);
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

/* The device that the VPN client means, found by one of the names it gave. */
static void alias_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    char name[DT_VPN_NAME_MAX] = "";
    dt_error why = {0};
    dt_evidence ev;

    (void)!dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name);
    s->vpn_at++;
    if (dt_vpn_alias_evidence(&s->scratch->vpn, name, r, now, &ev, &why)) {
        s->vpn_search = false;
        dt_signon_add_evidence(s, &ev);
    } else if (why.text[0]) {
        dt_signon_detail(s, "%s", why.text);
    }
    dt_signon_collect(s);
}

/* The blob of the key that the record enrols, and only if it is the one of this fingerprint. */
static bool record_blob(dt_device_record const *record, char const fingerprint[65], dt_buf *blob)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];

    if (record->der_len == 0)
        dt_buf_put(blob, record->key, record->key_len);
    else if (dt_x509_ssh_blob(dt_bytes_of(record->der, record->der_len), blob) < 0)
        return false;
    if (dt_buf_error(blob) < 0 || blob->len == 0 ||
        dt_crypto_sha256(dt_buf_bytes(blob), digest) < 0)
        return false;
    dt_hex(hex, digest, sizeof(digest));
    return strcmp(hex, fingerprint) == 0;
}

/* Reads a record; false, and said why, for one that is not of this key. */
static bool take_record(dt_signon *s, dt_bytes text, char const fingerprint[65],
                        dt_device_record *record, dt_buf *blob)
{
    if (dt_device_record_unpack(text, record) < 0) {
        dt_signon_detail(s, "the device registry holds a record that cannot be read");
        return false;
    }
    if (record_blob(record, fingerprint, blob))
        return true;
    dt_signon_detail(s, "the device registry's record does not hold the SSH key it is filed "
                        "under");
    return false;
}

bool dt_signon_record_key(dt_signon *s, dt_bytes text, char const fingerprint[65], dt_buf *blob)
{
    dt_device_record record;

    return take_record(s, text, fingerprint, &record, blob);
}

/* A key that was enrolled without a certificate: the administrator said which device it is of. */
static void judge_enrolled_key(dt_signon *s, dt_source source, char const fingerprint[65],
                               dt_device_record const *record, dt_time now)
{
    dt_evidence ev = {.source = source,
                      .finding = DT_FINDING_FOR,
                      .assurance = DT_PROVED,
                      .device_id = record->device_id,
                      .observed = now};

    memcpy(ev.key_id, fingerprint, sizeof(ev.key_id));
    memcpy(ev.device_name, record->name, sizeof(ev.device_name));
    dt_signon_add_evidence(s, &ev);
}

/* A key that is not kept in hardware, where it must be: it speaks against itself, and for nothing. */
static void refuse_soft_key(dt_signon *s, dt_source source, dt_device_record const *record,
                            dt_time now)
{
    dt_evidence ev = {.source = source,
                      .reason = DT_REASON_KEY_NOT_HARDWARE,
                      .device_id = record->device_id,
                      .observed = now};
    dt_certificate cert;

    if (record->der_len > 0 &&
        dt_x509_read(dt_bytes_of(record->der, record->der_len), &cert, NULL) == DT_OK)
        ev.device_id = cert.device_id;
    dt_signon_detail(s, "%s: the key is not kept in a security key (sk-)", dt_source_name(source));
    dt_signon_add_evidence(s, &ev);
}

void dt_signon_ssh_record(dt_signon *s, dt_source source, char const fingerprint[65], bool hardware,
                          dt_bytes text, dt_time now)
{
    uint8_t storage[4096];
    dt_device_record record;
    dt_buf blob;

    dt_buf_init_fixed(&blob, storage, sizeof(storage));
    if (!take_record(s, text, fingerprint, &record, &blob))
        return;
    if (s->site.config->device_trust.ssh_require_hardware_key && !hardware)
        refuse_soft_key(s, source, &record, now);
    else if (record.der_len == 0)
        judge_enrolled_key(s, source, fingerprint, &record, now);
    else
        judge_certificate(s, source, dt_bytes_of(record.der, record.der_len), NULL, 0, true, now);
}

/* The registry could not be read: whether the key is enrolled is not known. */
void dt_signon_ssh_unknown(dt_signon *s, dt_source source, dt_time now)
{
    dt_evidence ev = {.source = source,
                      .assurance = DT_PROVED,
                      .finding = DT_FINDING_UNKNOWN,
                      .reason = DT_REASON_LOOKUP_UNAVAILABLE,
                      .observed = now};

    dt_signon_add_evidence(s, &ev);
}

/* What the list of trusted devices says of the proved one. */
static void use_registry(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_trusted_record record = {0};
    dt_evidence ev = {.source = DT_SOURCE_REGISTRY,
                      .finding = DT_FINDING_UNKNOWN,
                      .reason = DT_REASON_LOOKUP_UNAVAILABLE,
                      .device_id = s->lookup_id,
                      .observed = now};

    if (r->status == DT_STORE_NOT_FOUND) {
        ev.finding = DT_FINDING_AGAINST;
        ev.reason = DT_REASON_NOT_ENROLLED;
    } else if (r->status == DT_STORE_OK && dt_trusted_record_unpack(r->value, &record) == DT_OK &&
               dt_guid_equal(&record.device_id, &s->lookup_id)) {
        ev.finding = DT_FINDING_FOR;
        ev.reason = DT_REASON_NONE;
        memcpy(ev.device_name, record.name, sizeof(ev.device_name));
    } else if (r->status == DT_STORE_OK) {
        dt_signon_detail(s, "the list of trusted devices holds a record that cannot be read");
    }
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

bool dt_signon_org_denies(dt_signon const *s)
{
    return s->outcome.org.cause == DT_DECISION_RULE && s->outcome.org.access == DT_ACCESS_DENY;
}

/* What no case names is a decision of no rule. */
static dt_cause cause_of(dt_signon const *s)
{
    static dt_cause const causes[DT_DECISION_CAUSE_COUNT] = {
        [DT_DECISION_NO_RULE] = DT_CAUSE_NO_RULE,
        [DT_DECISION_RULE] = DT_CAUSE_RULE_DENY,
        [DT_DECISION_UNKNOWN_DEVICE] = DT_CAUSE_DEVICE_UNKNOWN,
        [DT_DECISION_UNKNOWN_GROUPS] = DT_CAUSE_GROUPS_UNKNOWN,
        [DT_DECISION_UNKNOWN_NETWORK] = DT_CAUSE_NETWORK_UNKNOWN,
        [DT_DECISION_UNKNOWN_PLATFORM] = DT_CAUSE_PLATFORM_UNKNOWN,
        [DT_DECISION_UNKNOWN_TIME] = DT_CAUSE_TIME_UNKNOWN,
        [DT_DECISION_BLOCKED_ZONE] = DT_CAUSE_BLOCKED_ZONE,
    };
    unsigned cause = s->outcome.decision.cause;

    if (dt_signon_org_denies(s))
        return DT_CAUSE_ORG_RULE_DENY;
    return cause < DT_DECISION_CAUSE_COUNT ? causes[cause] : DT_CAUSE_NO_RULE;
}

static void detail_of_the_address(dt_signon *s)
{
    char const *hint = s->address_hint[0] != '\0' ? s->address_hint
                       : s->client_ip[0] != '\0'
                           ? "sshd tells names with UseDNS yes; rlm_devtrust: client_ip"
                           : "rlm_devtrust: client_ip";

    if (s->client_ip[0] != '\0')
        dt_signon_detail(s, "a rule asks for the network, and \"%s\" is no address (%s)",
                         s->client_ip, hint);
    else
        dt_signon_detail(
            s, "a rule asks for the network, and no address came with the sign-on (%s)", hint);
}

void dt_signon_refuse(dt_signon *s, dt_policy_input const *in, dt_time now)
{
    dt_cause cause = cause_of(s);

    if (cause == DT_CAUSE_NETWORK_UNKNOWN && !in->ip.set)
        detail_of_the_address(s);
    if (cause == DT_CAUSE_GROUPS_UNKNOWN && s->outcome.detail[0] == '\0')
        dt_signon_detail(
            s, "a rule asks for groups, and the person's are not known: who is to name them was "
               "not asked, or did not answer");
    if (cause == DT_CAUSE_BLOCKED_ZONE)
        dt_signon_detail(s, "the address is in the BLOCKLIST zone \"%s\"",
                         dt_policy_blocking_zone(s->site.policy, in));
    dt_signon_finish(s, DT_DENY, cause, now);
}

static bool refuses_for_good(dt_policy const *policy, dt_policy_input const *in)
{
    dt_decision d;

    dt_policy_decide(policy, in, &d);
    return d.access == DT_ACCESS_DENY &&
           (d.cause == DT_DECISION_RULE || d.cause == DT_DECISION_NO_RULE ||
            d.cause == DT_DECISION_BLOCKED_ZONE);
}

/* Whatever the device will turn out to be. */
static bool refuses_every_device(dt_signon const *s, dt_policy_input in)
{
    in.trust = DT_TRUST_TRUSTED;
    if (!refuses_for_good(s->site.policy, &in))
        return false;
    in.trust = DT_TRUST_NOT_TRUSTED;
    for (int reason = 0; reason < DT_REASON_COUNT; reason++) {
        in.reason = (dt_reason)reason;
        if (!refuses_for_good(s->site.policy, &in))
            return false;
    }
    return true;
}

static void apply_decision(dt_signon *s, dt_policy_input const *in, dt_time now)
{
    dt_decision const *d = &s->outcome.decision;

    if (s->device_later && (s->outcome.report_only || !refuses_every_device(s, *in))) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_SESSION_DECIDES, now);
        return;
    }

    if (s->explain) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    if (d->access != DT_ACCESS_DENY && d->cause == DT_DECISION_RULE) {
        dt_signon_go(s, DT_STAGE_PRIMARY);
        return;
    }
    dt_signon_refuse(s, in, now);
}

static bool org_mfa_waived(dt_site const *site, dt_outcome const *o)
{
    return site->config->policy.org_mfa == DT_ORG_MFA_UNLESS_TRUSTED &&
           o->verdict.trust == DT_TRUST_TRUSTED;
}

bool dt_signon_org_mfa_waived(dt_signon const *s)
{
    return org_mfa_waived(&s->site, &s->outcome);
}

void dt_site_decide_org(dt_site const *site, dt_policy_input const *in, dt_outcome *o)
{
    if (site->org != NULL)
        o->org_mfa =
            dt_policy_decide_org(site->org, in, org_mfa_waived(site, o), &o->decision, &o->org);
}

/* Verdict and decision. Entered once more when the decision needs Okta's groups. */
void dt_signon_decision_stage(dt_signon *s, dt_time now)
{
    dt_policy_input in;

    if (s->only_looks_up) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    dt_signon_entra_give_up(s);
    dt_verdict_judge(&s->scratch->evidence, s->site.config, now, &s->outcome.verdict);
    if (s->explain && s->imagined.device)
        s->outcome.verdict =
            (dt_verdict){.trust = s->imagined.trust, .reason = s->imagined.reason, .oldest = now};
    dt_signon_policy_input(s, &in, now);
    s->decided_apart = false;
    dt_policy_decide(s->site.policy, &in, &s->outcome.decision);
    dt_site_decide_org(&s->site, &in, &s->outcome);
    if ((s->outcome.decision.unknown & 1u << DT_CONDITION_PEOPLE) != 0 &&
        !dt_lookup_was_asked(s, DT_QUESTION_GROUPS) && s->okta_groups_missing) {
        /* Nothing is decided until they are here. */
        s->outcome.decision = (dt_decision){.cause = DT_DECISION_UNKNOWN_GROUPS};
        s->outcome.org = (dt_decision){.cause = DT_DECISION_UNKNOWN_GROUPS};
        dt_lookup_begin(s, DT_QUESTION_GROUPS, now);
        return;
    }
    apply_decision(s, &in, now);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_sign(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    memcpy(s->scratch->sign.nonce, s->random, sizeof(s->scratch->sign.nonce));
    return DT_OK;
}

static int render_managed(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)s;
    (void)value;
    (void)now;
    return DT_OK;
}

static int render_ssh_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_device_store_key(s->scratch->ssh.items[s->ssh_at].fingerprint, s->scratch->store.key);
    return DT_OK;
}

static void ssh_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_ssh_key const *key = &s->scratch->ssh.items[s->ssh_at];

    if (r->status == DT_STORE_OK)
        dt_signon_ssh_record(s, DT_SOURCE_SSH_KEY, key->fingerprint, key->hardware, r->value, now);
    else if (r->status == DT_STORE_ERROR)
        dt_signon_ssh_unknown(s, DT_SOURCE_SSH_KEY, now);
    s->ssh_at++;
    dt_signon_collect(s);
}

static bool has_ssh_key(dt_signon const *s)
{
    return s->ssh_at < s->scratch->ssh.count;
}

static int render_alias_get(dt_signon *s, dt_buf *value, dt_time now)
{
    char name[DT_VPN_NAME_MAX];

    (void)value;
    (void)now;
    if (!dt_vpn_claims_name(&s->scratch->vpn, s->vpn_at, name))
        return DT_E_STATE;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_device_alias_key(name, s->scratch->store.key);
    return DT_OK;
}

static bool searches_vpn_device(dt_signon const *s)
{
    return s->vpn_search;
}

static int render_registry_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_trusted_store_key(&s->lookup_id, s->scratch->store.key);
    return DT_OK;
}

dt_phase_row const dt_row_host_sign = {
    .kind = DT_PHASE_IS_SIGN,
    .part = DT_PART_EVIDENCE,
    .render = render_sign,
    .sign_done = sign_done,
};
dt_phase_row const dt_row_managed = {
    .kind = DT_PHASE_IS_MANAGED,
    .part = DT_PART_EVIDENCE,
    .render = render_managed,
    .managed_done = managed_done,
};
dt_phase_row const dt_row_ssh_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_ssh_get,
    .store_done = ssh_done,
    .has_fields = has_ssh_key,
};
dt_phase_row const dt_row_alias_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_alias_get,
    .store_done = alias_done,
    .has_fields = searches_vpn_device,
};
dt_phase_row const dt_row_registry_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_registry_get,
    .store_done = use_registry,
};
