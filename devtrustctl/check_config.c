/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl check-config: loads a site as the daemon and the RADIUS module would, says what it
 * found, and warns of what is allowed but risky. Reports all faults; what depends on something that has one is not
 * judged. */
#include "devtrustctl/check_config.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/check_online.h"
#include "devtrustctl/check_pam.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/finding.h"
#include "devtrustctl/options.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/site.h"

#include "core/device/evidence_facts.h"
#include "driver/entra_credentials.h"
#include "driver/okta_credentials.h"
#include "core/ruleset/break_glass.h"
#include "core/ruleset/service.h"
#include "edge/expiry.h"
#include "edge/file.h"
#include "edge/file_advice.h"
#include "edge/host.h"
#include "edge/host_key.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEM_MAX (64 * 1024)
#define CA_FILE_MAX (1024 * 1024)
#define DIRECTORY_MAX 1024
#define FINDING_TEXT_MAX 2048
#define DT_SERVICE_USER "devtrust" /* whom devtrustd becomes */

typedef struct checking {
    dt_site *files;
    dt_config const *config;
    dt_config *config_alone; /* of a site that has faults */
    char const *path;
    char const *root; /* of the PAM services */
    dt_time now;
    dt_findings findings;
    bool online;       /* the services are asked, too */
    char const *check; /* the name of what is being checked, for programs */
    char const *what;  /* the certificates being reported */
} checking;

/* Why it matters, for who does not know; what to do is mostly in the text itself. */
static struct {
    char const *check, *why, *todo;
} const reasons[] = {
    {"config.load", "without a configuration that loads nobody gets in",
     "write it by: devtrustctl setup, or as devtrust.conf(5) describes"},
    {"config.user", "what that user may read is not known", "run it as root"},
    {"config.placeholders", "nobody can be asked at an address that nobody has", NULL},
    {"config.okta_credential", "without it Okta is not asked, and nobody passes MFA", NULL},
    {"config.intune", "without it Intune is not asked, and devices are UNKNOWN", NULL},
    {"config.trusted_when", "a device may be trusted that should not be",
     "see trusted_when in devtrust.conf(5)"},
    {"config.ca", "certificates of these CAs decide which devices are trusted", NULL},
    {"config.host_key", "without it this host is not a trusted device",
     "see devtrustctl device explain FILE, and have the MDM renew the certificate"},
    {"config.policy", "it decides who gets in, and after which MFA", "see devtrust-policy(5)"},
    {"config.report_only", "everybody gets in there as if devtrust were not installed",
     "devtrustctl setup --enforce, or report_only = no in devtrust.conf"},
    {"config.break_glass", "these accounts are for the day on which all else fails",
     "create the account, or correct [break_glass] users"},
    {"config.okta_unavailable", "an attacker may bring such a moment about",
     "see okta_unavailable and [mfa] in devtrust.conf(5)"},
    {"config.store", "without it remembered MFA, limits and kept answers are lost", NULL},
    {"config.audit", "sign-ons that cannot be logged are refused", NULL},
};

static void report_text(checking *k, dt_finding_status status, char const *text)
{
    char const *why = NULL, *todo = NULL;

    for (size_t i = 0; k->findings.report && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reasons[i].check, k->check) == 0) {
            why = reasons[i].why;
            todo = reasons[i].todo != NULL ? reasons[i].todo : "see devtrust.conf(5)";
        }
    }
    dt_finding_report_text(
        &k->findings, status,
        &(dt_ctl_finding){.check = k->check, .label = "", .what = text, .why = why, .todo = todo});
}

static void fault(checking *k, dt_error const *e)
{
    report_text(k, DT_FINDING_FAULT, e->text[0] != '\0' ? e->text : dt_err_name(e->code));
}

/* What is in order, below a word for the column at the left. */
static void show_line(checking *k, char const *label, char const *fmt, ...) DT_PRINTF(3, 4);
static void show_line(checking *k, char const *label, char const *fmt, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) >= 0)
        dt_finding_report(&k->findings, &(dt_ctl_finding){.status = DT_FINDING_OK,
                                                          .check = k->check,
                                                          .label = label,
                                                          .what = text});
    va_end(args);
}

static void report_warning(checking *k, char const *fmt, ...) DT_PRINTF(2, 3);
static void report_warning(checking *k, char const *fmt, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) >= 0)
        report_text(k, DT_FINDING_WARNING, text);
    va_end(args);
}

/* Warns of a certificate that is in no file: it has expired or is about to. */
static void warn_expiry(checking *k, char const *what, dt_time not_after)
{
    char day[DT_DAY_TEXT_MAX];

    if (not_after <= k->now)
        report_warning(k, "%s expired on %s", what, dt_day_text(day, not_after));
    else if (not_after - k->now <= DT_EXPIRY_WARNS_FOR)
        report_warning(k, "%s expires on %s; renew it", what, dt_day_text(day, not_after));
}

/* --- what the sample leaves to fill in ----------------------------------------------------------- */

static void check_placeholders(checking *k)
{
    dt_config const *c = k->config;
    struct {
        char const *section, *name, *value, *sample;
    } const rows[] = {
        {"okta", "org_url", c->okta.org_url, "https://example.okta.com"},
        {"intune", "tenant_id", c->intune.tenant_id.text, "00000000-1111-2222-3333-444444444444"},
        {"intune", "client_id", c->intune.client_id, "55555555-6666-7777-8888-999999999999"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_error e = {0};

        if (strcmp(rows[i].value, rows[i].sample) != 0)
            continue;
        (void)dt_error_set(&e, DT_E_INVALID, "is still the sample's %s; write your own",
                           rows[i].sample);
        (void)dt_config_blame(c, rows[i].section, rows[i].name, &e, e.code);
        fault(k, &e);
    }
}

/* --- trust ------------------------------------------------------------------------------------ */

static void put_words(dt_buf *b, unsigned bits, char const *(*name)(unsigned bit),
                      char const *between)
{
    bool first = true;

    for (unsigned bit = 1; bit != 0 && bit <= bits; bit <<= 1) {
        if ((bits & bit) == 0 || name(bit) == NULL)
            continue;
        if (!first)
            dt_buf_puts(b, between);
        dt_buf_puts(b, name(bit));
        first = false;
    }
}

static char const *source_name(unsigned bit)
{
    return dt_source_name((dt_source)bit);
}

static void warn_alternative(checking *k, char const *who, unsigned sources)
{
    char text[128];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    put_words(&b, sources, source_name, "+");
    if ((sources & (DT_SOURCES_WITH_KEY | DT_SOURCES_OF_HOST)) == 0)
        report_warning(
            k,
            "%strusted_when: %s proves nothing: every client that claims to be a trusted device "
            "counts as one",
            who, text);
    if ((sources & DT_SOURCES_LOOKED_UP) == 0)
        report_warning(
            k,
            "%strusted_when: %s does not ask Intune: a device that is no longer compliant stays "
            "trusted",
            who, text);
}

/* `who` stands before what is said of an application that has its own rule. */
static void report_trust(checking *k, dt_config const *c, char const *who)
{
    char text[512];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++) {
        dt_buf_puts(&b, i > 0 ? ", " : "");
        put_words(&b, c->device_trust.trusted_when[i], source_name, "+");
    }
    show_line(k, "trusted when", "%s%s", who, text);
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++)
        warn_alternative(k, who, c->device_trust.trusted_when[i]);
}

static void check_trust(checking *k)
{
    report_trust(k, k->config, "");
    for (size_t i = 0; i < k->config->application_count; i++) {
        dt_config_application const *a = k->config->applications[i];
        char who[DT_CONFIG_SECTION_MAX];

        if (snprintf(who, sizeof(who), "%s: ", a->name) > 0)
            report_trust(k, dt_site_ruleset(k->files, a->name).config, who);
    }
}

static int report_ca(void *ctx, size_t index, dt_bytes der)
{
    checking *k = ctx;
    dt_certificate c;
    char day[DT_DAY_TEXT_MAX];

    (void)index;
    /* Whether it is a CA was judged when the site was loaded; a CA's names may be of any kind. */
    if (dt_x509_read(der, &c, NULL) < 0 && c.not_after == 0) {
        show_line(k, k->what, "%s", c.subject);
        return DT_OK;
    }
    show_line(k, k->what, "%s, until %s", c.subject, dt_day_text(day, c.not_after));
    return DT_OK;
}

static void report_ca_file(checking *k, char const *path, char const *what)
{
    dt_error e = {0};
    dt_buf text;
    int rc;

    if (path[0] == '\0')
        return;
    k->what = what;
    dt_buf_init(&text, CA_FILE_MAX);
    rc = dt_file_read(path, DT_FILE_TRUSTED, CA_FILE_MAX, &text, &e);
    if (rc == DT_OK)
        rc = dt_certificates_each(dt_buf_bytes(&text), report_ca, k, &e);
    if (rc < 0)
        fault(k, &e);
    k->what = NULL;
    dt_buf_free(&text);
}

static void check_ocsp(checking *k)
{
    dt_config const *c = k->config;

    if (!c->device_trust.ocsp)
        return;
    show_line(k, "OCSP", "%s",
              c->device_trust.ocsp_url[0] != '\0' ? c->device_trust.ocsp_url
                                                  : "the responder that each certificate names");
    if (c->device_trust.revocation == DT_REVOCATION_SOFT)
        report_warning(
            k, "revocation = soft: while the OCSP responder is unreachable, revoked certificates "
               "are accepted");
}

static void check_crls(checking *k)
{
    dt_trust_store const *anchors = dt_site_anchors(k->files);
    size_t count = dt_trust_store_crl_count(anchors);
    dt_time until = dt_trust_store_crls_expire(anchors);
    char day[DT_DAY_TEXT_MAX];

    if (count == 0)
        return;
    show_line(k, "revocation", "%zu, until %s", count, dt_day_text(day, until));
    if (k->config->device_trust.revocation == DT_REVOCATION_SOFT)
        report_warning(k,
                       "revocation = soft: certificates that no current list covers are accepted");
    for (size_t i = 0; i < k->config->ca_count; i++) {
        if (k->config->cas[i]->revocation == DT_REVOCATION_SOFT)
            report_warning(
                k,
                "[ca %s] revocation = soft: certificates that no current list covers are accepted",
                k->config->cas[i]->name);
    }
}

static void check_cas(checking *k)
{
    report_ca_file(k, k->config->device_trust.ca_file, "company's CA");
    report_ca_file(k, k->config->device_trust.shared_ca_file, "shared CA");
    for (size_t i = 0; i < k->config->ca_count; i++) {
        char what[DT_CONFIG_SECTION_MAX];

        if (snprintf(what, sizeof(what), "CA %s", k->config->cas[i]->name) > 0)
            report_ca_file(k, k->config->cas[i]->certificate_file, what);
    }
    check_crls(k);
    check_ocsp(k);
}

/* --- NASes ------------------------------------------------------------------------------------ */

static void check_nases(checking *k)
{
    dt_nas_table const *t = dt_site_nases(k->files);

    for (size_t i = 0; i < dt_nas_table_count(t); i++) {
        dt_nas const *nas = dt_nas_table_at(t, i);
        dt_nas_rules const *r = dt_nas_rules_of(nas->config->kind);

        show_line(k, "NAS", "%s: kind %s, UDP port %d", nas->config->name, r->name,
                  nas->config->port != 0 ? nas->config->port : r->port);
        if (dt_secret_bytes(nas->secret).len < DT_NAS_SECRET_SHORT)
            report_warning(k,
                           "[nas %s] secret_file: the secret is shorter than %d bytes, so whoever "
                           "sees a request "
                           "may guess it; set a longer one here and at the NAS",
                           nas->config->name, DT_NAS_SECRET_SHORT);
        if (r->ends_all)
            report_warning(k,
                           "[nas %s]: a NAS of the kind %s ends all sessions of a person, also "
                           "those of their other "
                           "devices",
                           nas->config->name, r->name);
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static char const *service_of(checking const *k)
{
    return k->config->intune.service == DT_INTUNE_BY_COMPLIANCE ? "Compliance" : "Graph";
}

static int report_assertion(void *ctx, size_t index, dt_bytes der)
{
    checking *k = ctx;
    dt_certificate c;
    char day[DT_DAY_TEXT_MAX];

    if (index > 1 || (dt_x509_read(der, &c, NULL) < 0 && c.not_after == 0))
        return DT_OK;
    show_line(k, service_of(k), "as %s, certificate until %s", k->config->intune.client_id,
              dt_day_text(day, c.not_after));
    return DT_OK;
}

static void report_credentials(checking *k, dt_error *e)
{
    char const *path = k->config->intune.certificate_file;
    dt_buf pem;
    int rc;

    if (k->config->intune.client_secret_file[0] != '\0') {
        show_line(k, service_of(k), "as %s, by a client secret (see Entra for its expiry)",
                  k->config->intune.client_id);
        return;
    }
    dt_buf_init(&pem, PEM_MAX);
    rc = dt_file_read(path, DT_FILE_TRUSTED, PEM_MAX, &pem, e);
    if (rc == DT_OK)
        rc = dt_certificates_each(dt_buf_bytes(&pem), report_assertion, k, e);
    if (rc < 0)
        fault(k, e);
    dt_buf_free(&pem);
}

static void check_graph(checking *k)
{
    dt_entra_credentials *credentials = NULL;
    dt_error e = {0};

    if (dt_entra_credentials_load(k->config, &credentials, &e) < 0)
        fault(k, &e);
    else if (credentials == NULL)
        show_line(k, "Graph", "not configured: compliance is not known");
    else
        report_credentials(k, &e);
    dt_entra_credentials_free(&credentials);
}

/* Who asks Okta. */
static void check_okta_credentials(checking *k)
{
    dt_okta_credentials *credentials = NULL;
    char scopes[DT_OKTA_SCOPES_MAX];
    dt_error e = {0};

    if (dt_okta_credentials_load(k->config, &credentials, &e) < 0)
        fault(k, &e);
    else if (credentials == NULL)
        show_line(k, "Okta",
                  "asked with an API token; a service app has fewer rights: see client_id");
    else {
        dt_site_okta_scopes(k->files, scopes);
        show_line(k, "Okta", "asked by the app %s%s, which needs %s", k->config->okta.client_id,
                  k->config->okta.dpop ? " with DPoP" : "", scopes);
    }
    dt_okta_credentials_free(&credentials);
}

/* Signs as a login would, and judges the certificate as a login would. */
static void try_host_key(checking *k, dt_host_key const *key)
{
    uint8_t storage[DT_SIGNATURE_MAX];
    char day[DT_DAY_TEXT_MAX];
    dt_sign_request request;
    dt_sign_result signature;
    dt_certificate c;
    dt_error e = {0};
    dt_reason reason;

    if (dt_host_random(request.nonce, sizeof(request.nonce)) < 0)
        return;
    dt_host_key_sign(key, &request, storage, &signature);
    if (signature.error < 0 ||
        dt_x509_verify(signature.certificate, dt_bytes_of(request.nonce, sizeof(request.nonce)),
                       signature.signature) < 0) {
        (void)dt_error_set(&e, DT_E_CRYPTO, "[device_trust] host_key: %s",
                           signature.error < 0
                               ? signature.text
                               : "the key does not belong to host_certificate_file");
        fault(k, &e);
        return;
    }
    reason = dt_certificate_judge_alone(dt_site_anchors(k->files), signature.certificate,
                                        signature.chain, signature.chain_count,
                                        &k->config->device_trust.tenant_id, k->now, &c, &e);
    show_line(k, "this host", "%s, %s, until %s", c.subject,
              dt_guid_is_set(&c.device_id) ? c.device_id.text : "no device id",
              dt_day_text(day, c.not_after));
    if (reason != DT_REASON_TRUSTED)
        report_warning(k, "this host's certificate makes no device trusted: %s: %s",
                       dt_reason_name(reason), e.text);
    else if (k->config->device_trust.host_certificate_file[0] == '\0')
        warn_expiry(k, "this host's certificate", c.not_after);
}

static void check_host_key(checking *k)
{
    dt_host_key *key = NULL;
    dt_error e = {0};

    if (dt_host_key_open(k->config, &key, &e) < 0) {
        fault(k, &e);
        return;
    }
    if (key == NULL) {
        show_line(k, "this host", "has no device certificate configured");
        return;
    }
    if (k->files != NULL)
        try_host_key(k, key);
    dt_host_key_free(&key);
}

static void check_state_key(checking *k)
{
    if (dt_site_state_key(k->files) == NULL)
        show_line(k, "state key", "none: only RADIUS challenges need one, see devtrust.conf(5)");
}

/* --- policies --------------------------------------------------------------------------------- */

/* The services that go by the policy of another one. */
static void report_variants(checking *k, char const *application)
{
    char const *base, *variant;

    for (size_t i = 0; (variant = dt_service_variant(i, &base)) != NULL; i++) {
        if (strcmp(base, application) == 0 && dt_site_policy(k->files, variant) == NULL)
            show_line(k, "", "also for %s, which has no policy of its own", variant);
    }
}

/* Whoever needs MFA there is refused: the way goes on where the Okta password was checked. */
static void check_way(checking *k, char const *application)
{
    dt_config own;
    bool differs = dt_config_for(k->config, application, &own);

    if (dt_config_lacks_password(differs ? &own : k->config, application))
        report_warning(k,
                       "policy %s: [mfa] okta_way needs the Okta password, so whoever needs MFA is "
                       "refused; name %s in "
                       "[primary] okta_password, or set okta_way = factors in [application %s]",
                       application, application, application);
}

static void check_policies(checking *k)
{
    for (size_t i = 0; i < dt_site_policy_count(k->files); i++) {
        dt_policy const *p = dt_site_policy_at(k->files, i);
        char const *application = dt_policy_application(p);

        show_line(k, "policy", "%s: %zu rule%s, sha256 %s", application, dt_policy_rule_count(p),
                  DT_S(dt_policy_rule_count(p)), dt_policy_hash(p));
        report_variants(k, application);
        check_way(k, application);
        for (size_t w = 0; dt_policy_warning(p, w) != NULL; w++)
            report_warning(k, "%s", dt_policy_warning(p, w));
        if (!dt_policy_asks_for(p, DT_TRUST_TRUSTED))
            report_warning(
                k, "policy %s: no rule asks for a TRUSTED device: it treats all devices alike",
                application);
    }
}

/* As loud as can be: what was meant for a week's roll-out must not be forgotten. */
static void check_report_only(checking *k)
{
    for (size_t i = 0; i < dt_site_policy_count(k->files); i++) {
        char const *application = dt_policy_application(dt_site_policy_at(k->files, i));
        dt_ruleset ruleset = dt_site_ruleset(k->files, application);

        if (dt_ruleset_is_report_only(&ruleset))
            report_warning(
                k,
                "REPORT ONLY: nothing of policy %s is enforced: everybody gets in there as if "
                "devtrust were not installed",
                application);
    }
}

static void check_break_glass(checking *k)
{
    dt_string_list const *users = &k->config->break_glass.users;
    dt_time until = 0;
    char day[DT_DAY_TEXT_MAX];

    if (users->count == 0 || dt_break_glass_until(k->config->break_glass.until, &until) < 0)
        return;
    for (size_t i = 0; i < users->count; i++) {
        show_line(k, "break glass", "%s, until %s", users->items[i], dt_day_text(day, until));
        /* cppcheck-suppress getpwnamCalled */
        if (getpwnam(users->items[i]) == NULL)
            report_warning(k, "[break_glass] users: there is no account %s on this host",
                           users->items[i]);
    }
}

static void report_expiry(checking *k, dt_expiry const *x)
{
    dt_expiry_state state = dt_expiry_judge(x, k->now);
    char fact[DT_EXPIRY_TEXT_MAX], why[DT_EXPIRY_TEXT_MAX];
    bool breaks = state == DT_EXPIRY_PAST && k->findings.report;

    if (state == DT_EXPIRY_FAR)
        return;
    (void)snprintf(why, sizeof(why), "after that, %s", x->then);
    dt_finding_report(&k->findings,
                      &(dt_ctl_finding){.status = breaks ? DT_FINDING_FAULT : DT_FINDING_WARNING,
                                        .check = k->check,
                                        .label = "",
                                        .what = dt_expiry_fact(fact, x, k->now),
                                        .why = why,
                                        .todo = x->to_do});
}

/* Of all files in one place, as devtrustd and FreeRADIUS warn in their logs. */
static void check_expiry(checking *k)
{
    dt_expiries *list = calloc(1, sizeof(*list));

    if (list == NULL)
        return;
    dt_expiries_read(k->config, k->files != NULL ? dt_site_anchors(k->files) : NULL, list);
    for (size_t i = 0; i < list->count; i++)
        report_expiry(k, &list->items[i]);
    free(list);
}

static void check_failing_open(checking *k)
{
    dt_config const *c = k->config;

    if (c->policy.okta_unavailable == DT_UNAVAILABLE_ALLOW)
        report_warning(
            k, "[policy] okta_unavailable = allow: while Okta is unavailable, everybody gets in "
               "without MFA");
    if (c->policy.okta_unavailable == DT_UNAVAILABLE_ALLOW_TRUSTED)
        report_warning(
            k, "[policy] okta_unavailable = allow_trusted: while Okta is unavailable, trusted "
               "devices get in without MFA");
    if ((c->mfa.factors & DT_FACTOR_PUSH) != 0 && c->mfa.push_limit == 0 &&
        (c->mfa.factors & DT_FACTOR_TOTPS) == 0)
        report_warning(k, "[mfa] push_limit = 0 with push as the only factor: nobody can pass MFA");
    if ((c->mfa.factors & DT_FACTOR_PUSH) != 0 && c->mfa.number_challenge == DT_NUMBER_NEVER)
        report_warning(k, "[mfa] number_challenge = never: a push can be approved by mistake");
}

static void report_mfa(checking *k)
{
    unsigned left = k->config->mfa.factors;
    char const *word;
    char text[128];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    while ((word = dt_factor_word_next(&left)) != NULL)
        dt_buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", word);
    show_line(k, "Okta", "%s, factors %s", k->config->okta.org_url, text);
}

/* --- what is written to ----------------------------------------------------------------------- */

static int count_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    (void)key;
    (void)value;
    (void)expires;
    (*(size_t *)ctx)++;
    return DT_OK;
}

/* The directory that a file is in; "" when that cannot be said. */
static void directory_of(char const *file, char path[DIRECTORY_MAX])
{
    char const *slash = strrchr(file, '/');

    path[0] = '\0';
    if (slash == NULL ||
        dt_str_copy_bytes(path, DIRECTORY_MAX, dt_bytes_of(file, (size_t)(slash - file) + 1)) < 0)
        path[0] = '\0';
}

/* Whether this user can write there; `e` says what to do where not. */
static void check_writable(char const *path, int how, dt_error *e)
{
    if (faccessat(AT_FDCWD, path, how, AT_EACCESS) != 0)
        (void)dt_error_set(e, DT_E_PERMISSION,
                           errno == EACCES || errno == EPERM
                               ? "%s cannot be written by uid %u (%s); run: chown %u %s"
                               : "%s cannot be written by uid %u: %s",
                           path, (unsigned)geteuid(), strerror(errno), (unsigned)geteuid(),
                           dt_advice_quote(path).text);
}

/* SQLite's files, as this user finds them: each that it cannot write is named. False when none is. */
static bool report_locked_files(checking *k)
{
    static char const *const ends[] = {"", "-wal", "-shm"};
    char path[DIRECTORY_MAX + 8];
    bool any = false;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        dt_error e = {0};

        (void)snprintf(path, sizeof(path), "%s%s", k->config->store.path, ends[i]);
        if (access(path, F_OK) == 0)
            check_writable(path, R_OK | W_OK, &e);
        if (e.code == 0)
            continue;
        any = true;
        (void)dt_config_blame(k->config, "store", "path", &e, e.code);
        fault(k, &e);
    }
    return any;
}

static void check_store(checking *k)
{
    dt_error e = {0};
    dt_store *store = NULL;
    size_t devices = 0;
    int rc = dt_store_open(k->config->store.path, k->config->store.size_limit, &store, &e);

    if (rc == DT_OK)
        rc = dt_store_each(store, DT_TABLE_DEVICE, k->now, count_row, &devices, &e);
    if (rc < 0 && report_locked_files(k)) {
        /* said, with what to type */
    } else if (rc < 0) {
        (void)dt_config_blame(k->config, "store", "path", &e, rc);
        fault(k, &e);
    } else {
        show_line(k, "store", "%s, %zu device key%s enrolled", k->config->store.path, devices,
                  DT_S(devices));
    }
    if (store != NULL)
        dt_store_close(&store);
}

static void judge_audit_file(char const *path, struct stat const *st, dt_error *e)
{
    if (!S_ISREG(st->st_mode) && !S_ISCHR(st->st_mode))
        (void)dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", path);
    else if (S_ISREG(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        (void)dt_error_set(e, DT_E_PERMISSION, "%s can be written by others; run: chmod go-w %s",
                           path, dt_advice_quote(path).text);
    else if (S_ISREG(st->st_mode) && st->st_uid != 0 && st->st_uid != geteuid())
        (void)dt_error_set(e, DT_E_PERMISSION,
                           "%s belongs to another user (uid %u); run: chown %u %s", path,
                           (unsigned)st->st_uid, (unsigned)geteuid(), dt_advice_quote(path).text);
    else
        check_writable(path, W_OK, e);
}

/* Only looked at: who creates it owns it, and that must be the service. */
static void check_audit(checking *k)
{
    char const *path = k->config->audit.file;
    bool log = k->config->audit.syslog;
    char directory[DIRECTORY_MAX];
    dt_error e = {0};
    struct stat st;
    bool there;

    if (path[0] == '\0')
        return;
    there = lstat(path, &st) == 0;
    directory_of(path, directory);
    if (there)
        judge_audit_file(path, &st, &e);
    else if (errno == ENOENT)
        check_writable(directory, W_OK | X_OK, &e);
    else
        (void)dt_error_set(&e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (e.code != 0) {
        (void)dt_config_blame(k->config, "audit", "file", &e, e.code);
        fault(k, &e);
    } else if (there) {
        show_line(k, "audit", "%s%s", path, log ? ", and syslog" : "");
    } else {
        show_line(k, "audit", "%s, to be created%s", path, log ? "; and syslog" : "");
    }
}

/* --- who will run ------------------------------------------------------------------------------ */

static char const *const service_users[] = {DT_SERVICE_USER, "freerad", "radiusd"};

/* The service's user whose directory this is; NULL: none of them. */
static char const *user_of(uid_t owner)
{
    for (size_t i = 0; i < sizeof(service_users) / sizeof(service_users[0]); i++) {
        /* There is no second thread. */
        /* cppcheck-suppress getpwnamCalled */
        struct passwd const *pw = getpwnam(service_users[i]);
        if (pw != NULL && pw->pw_uid == owner)
            return service_users[i];
    }
    return NULL;
}

/* Whom the store's directory belongs to runs it; else the user whom devtrustd becomes where there is one. */
static char const *find_user(dt_config const *c)
{
    char directory[DIRECTORY_MAX];
    struct stat st;
    char const *user = NULL;

    directory_of(c->store.path, directory);
    if (stat(directory, &st) == 0)
        user = user_of(st.st_uid);
    /* cppcheck-suppress getpwnamCalled */
    return user == NULL && getpwnam(DT_SERVICE_USER) != NULL ? DT_SERVICE_USER : user;
}

/* --- PAM -------------------------------------------------------------------------------------- */

typedef struct pam_counts {
    checking *k;
    size_t protected, others;
} pam_counts;

static void report_pam(void *ctx, dt_pam_report const *r)
{
    pam_counts *p = ctx;

    p->protected += r->verdict == DT_PAM_PROTECTED;
    p->others += r->verdict != DT_PAM_PROTECTED;
    for (size_t i = 0; i < r->count; i++) {
        dt_pam_finding const *f = &r->findings[i];

        if (f->verdict >= DT_PAM_CANNOT_WORK)
            report_warning(p->k, "PAM service %s %s: %s%s%s%s%s", r->service,
                           dt_pam_verdict_name(f->verdict), f->place,
                           f->place[0] != '\0' ? ": " : "", f->text,
                           f->write[0] != '\0' ? "; write: " : "", f->write);
    }
}

/* A host of FreeRADIUS alone need not have PAM services that ask. */
static void check_pam(checking *k)
{
    dt_pam_check const c = {.root = k->root, .skip_sshd = geteuid() != 0, .site = k->files};
    pam_counts counts = {.k = k};
    dt_error e = {0};

    if (dt_pam_check_run(&c, report_pam, &counts, &e) < 0)
        report_warning(k, "the PAM services could not be read: %s", e.text);
    else
        show_line(k, "PAM", "%zu service%s protected, %zu %s not; see devtrustctl check-pam",
                  counts.protected, counts.protected == 1 ? " is" : "s are", counts.others,
                  counts.others == 1 ? "is" : "are");
}

/* --- the command ------------------------------------------------------------------------------ */

/* What the user who will run found. */
typedef struct found {
    bool loaded;
    dt_findings findings;
} found;

/* A part of the configuration, and the name of what is found there. */
typedef struct part {
    char const *check;
    void (*run)(checking *k);
    bool of_site;        /* it looks at more than the configuration */
    char const *keys[2]; /* that it looks at; faults of theirs were reported */
} part;

static bool is_judged(checking const *k, part const *p)
{
    if (p->of_site && k->files == NULL)
        return false;
    for (size_t i = 0; i < sizeof(p->keys) / sizeof(p->keys[0]); i++) {
        if (p->keys[i] != NULL && dt_config_is_faulty(k->config, p->keys[i]))
            return false;
    }
    return true;
}

static void check_parts(checking *k)
{
    static part const parts[] = {
        {"config.placeholders", check_placeholders, false, {NULL, NULL}},
        {"config.okta", report_mfa, false, {"okta.org_url", "mfa.factors"}},
        {"config.okta_credential",
         check_okta_credentials,
         false,
         {"okta.client_id", "okta.key_file"}},
        {"config.intune", check_graph, false, {"intune", NULL}},
        {"config.trusted_when", check_trust, true, {NULL, NULL}},
        {"config.ca", check_cas, true, {NULL, NULL}},
        {"config.nas", check_nases, true, {NULL, NULL}},
        {"config.host_key", check_host_key, false, {"device_trust", NULL}},
        {"config.state_key", check_state_key, true, {NULL, NULL}},
        {"config.policy", check_policies, true, {NULL, NULL}},
        {"config.report_only", check_report_only, true, {NULL, NULL}},
        {"config.break_glass", check_break_glass, false, {"break_glass", NULL}},
        {"config.expiry", check_expiry, false, {"device_trust", "intune"}},
        {"config.okta_unavailable", check_failing_open, false, {"policy.okta_unavailable", "mfa"}},
        {"config.store", check_store, false, {"store", "radius.store_path"}},
        {"config.audit", check_audit, false, {"audit", "radius.audit_file"}}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        k->check = parts[i].check;
        if (is_judged(k, &parts[i]))
            parts[i].run(k);
    }
    if (k->online && k->files != NULL)
        dt_check_online(k->files, &k->findings);
}

static void report_faults(checking *k, dt_faults const *f)
{
    size_t kept = f->count < DT_FAULTS_MAX ? f->count : DT_FAULTS_MAX;
    dt_error more = {0};

    for (size_t i = 0; i < kept; i++)
        fault(k, &f->kept[i]);
    if (f->count == kept)
        return;
    (void)dt_error_set(&more, DT_E_LIMIT, "and %zu more; fix these, and run this again",
                       f->count - kept);
    fault(k, &more);
    k->findings.faults += f->count - kept - 1;
}

/* Loads everything. Where something has a fault, what is left of the configuration is looked at all the same. */
static bool load(checking *k)
{
    static dt_faults faults; /* too large for the stack */
    dt_error e = {0};
    int rc;

    k->check = "config.load";
    faults.count = 0;
    rc = dt_site_check(k->path, &faults, &k->files, &k->config_alone);
    if (rc == DT_E_NOMEM && faults.count == 0) {
        (void)dt_error_set(&e, rc, "out of memory");
        fault(k, &e);
    }
    report_faults(k, &faults);
    k->config = rc == DT_OK ? dt_site_config(k->files) : k->config_alone;
    return rc == DT_OK;
}

static void unload(checking *k)
{
    dt_site_free(&k->files);
    dt_config_free(&k->config_alone);
    k->config = NULL;
}

/* In a process of its own: there is no way back to root. */
_Noreturn static void check_in_child(checking *k, char const *user, int out)
{
    dt_error e = {0};
    found f = {0};

    if (dt_host_become(user, &e) < 0) {
        (void)dt_err_fault(&e);
    } else {
        k->check = "config.user";
        show_line(k, "checked as", "%s, who runs it (for another user: --user NAME)", user);
        f.loaded = load(k);
        if (k->config != NULL)
            check_parts(k);
    }
    f.findings = k->findings;
    dt_host_exit(write(out, &f, sizeof(f)) == (ssize_t)sizeof(f) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Root may do what the user who will run may not: all is tried as that user. */
static bool check_as(checking *k, char const *user)
{
    int ends[2];
    found f = {0};
    pid_t child;

    (void)fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        dt_err_line("no process can be started: %s", strerror(errno));
        return false;
    }
    if (child == 0)
        check_in_child(k, user, ends[1]);
    close(ends[1]);
    bool told = read(ends[0], &f, sizeof(f)) == (ssize_t)sizeof(f);
    close(ends[0]);
    (void)waitpid(child, NULL, 0);
    k->findings = told ? f.findings : k->findings;
    return told && f.loaded && load(k);
}

static int choose_user(char const *config_path, char const **user, dt_error *e)
{
    static dt_faults faults; /* they are reported by whoever runs it */
    dt_config *c;

    if (geteuid() != 0)
        return *user == NULL ? DT_OK : dt_error_set(e, DT_E_PERMISSION, "only root can use --user");
    if (*user != NULL)
        return DT_OK;
    faults.count = 0;
    c = dt_site_config_look(config_path, &faults);
    *user = c != NULL ? find_user(c) : NULL;
    dt_config_free(&c);
    return DT_OK;
}

/* The last line counts. */
static dt_ctl_exit report_result(checking *k, bool loaded)
{
    bool in_order = loaded && k->findings.faults == 0;
    size_t faults = k->findings.faults, warnings = k->findings.warnings;
    dt_buf b;

    if (k->findings.json) {
        dt_out_begin(&b);
        dt_out_member(&b, "check", "config");
        dt_out_member(&b, "status", in_order ? "ok" : "fault");
        dt_out_member(&b, "file", k->path);
        dt_out_member_int(&b, "faults", (int64_t)faults);
        dt_out_member_int(&b, "warnings", (int64_t)warnings);
        dt_out_finish(&b);
    } else if (in_order) {
        dt_out_line("%s: in order, %zu warning%s", k->path, warnings, DT_S(warnings));
    } else {
        dt_err_line("%s: %zu fault%s, %zu warning%s", k->path, faults, DT_S(faults), warnings,
                    DT_S(warnings));
    }
    return in_order ? DT_CTL_YES : DT_CTL_FAULT;
}

static bool check_files(checking *k, char const *user)
{
    bool loaded = user == NULL ? load(k) : check_as(k, user);

    if (k->config != NULL && user == NULL)
        check_parts(k);
    return loaded;
}

bool dt_config_check_run(char const *path, char const *user, bool online, dt_findings *findings,
                         dt_site **site)
{
    checking k = {.path = path, .now = dt_host_now(), .findings = *findings, .online = online};
    dt_error e = {0};
    bool loaded = false;

    k.check = "config.load";
    if (choose_user(path, &user, &e) < 0)
        fault(&k, &e);
    else
        loaded = check_files(&k, user);
    *findings = k.findings;
    *site = k.files;
    k.files = NULL;
    unload(&k);
    return loaded;
}

static dt_ctl_exit check_all(checking *k, char const *user)
{
    bool loaded = check_files(k, user);

    k->check = "config.pam";
    if (loaded)
        check_pam(k);
    unload(k);
    return report_result(k, loaded);
}

dt_ctl_exit dt_ctl_check_config(dt_ctl_command const *self, int argc, char **argv)
{
    checking k = {.now = dt_host_now()};
    char const *config = NULL, *root = NULL, *user = NULL;
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--root", NULL, &root, NULL},
                                 {"--user", NULL, &user, NULL},
                                 {"--online", NULL, NULL, &k.online},
                                 {"--json", NULL, NULL, &k.findings.json},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_error e = {0};
    size_t count = 0;
    int rc = rest != NULL ? DT_OK : dt_error_set(&e, DT_E_NOMEM, "out of memory");

    if (rc == DT_OK)
        rc = dt_options_parse(options, argc, argv, rest, &count, &e);
    free(rest);
    if (rc == DT_OK && count > 0)
        rc = dt_error_set(&e, DT_E_INVALID, "takes no arguments; name the file with -c FILE");
    if (rc < 0)
        return dt_err_usage(self, &e);
    k.path = config != NULL ? config : DT_CONFIG_DEFAULT_PATH;
    k.root = root != NULL ? root : "";
    k.check = "config.load";
    if (choose_user(k.path, &user, &e) < 0) {
        fault(&k, &e);
        return report_result(&k, false);
    }
    return check_all(&k, user);
}
