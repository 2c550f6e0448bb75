/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules between keys of devtrust.conf: what would load and then never work, or would trust
 * somebody by accident, is refused when the file is read. */
#include "core/base/url.h"
#include "core/config/messages.h"
#include "core/ruleset/break_glass.h"
#include "core/ruleset/config_check.h"

#include "core/intune/compliance_service.h"
#include "core/device/device_help.h"
#include "core/device/evidence_facts.h"
#include "core/ruleset/identity.h"
#include "core/device/ocsp.h"
#include "core/policy/network.h"
#include "core/ruleset/service.h"
#include "core/device/ssh_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLATFORMS_ALL (DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE)

typedef struct check {
    dt_config const *c;
    dt_config_application const *application; /* whose own values c holds; NULL: of nobody */
    char const *file;
    dt_error *e;
} check;

/* What is in order for everybody and not for one application is the fault of that one's section. */
static int refuse_application(check const *k, char const *section, char const *name,
                              char const *why)
{
    dt_config_application const *a = k->application;
    char key[DT_CONFIG_SECTION_MAX];
    int line;

    (void)snprintf(key, sizeof(key), "application %s", a->name);
    line = dt_config_line(k->c, key, name);
    if (line > 0 && strcmp(section, "device_trust") == 0)
        return dt_error_set(k->e, DT_E_INVALID, "%s:%d: [%s] %s: %s", k->file, line, key, name,
                            why);
    return dt_error_set(k->e, DT_E_INVALID, "%s:%d: [%s]: with these settings, [%s] %s %s", k->file,
                        a->line, key, section, name, why);
}

static int refuse(check const *k, char const *section, char const *name, char const *why)
{
    if (k->application != NULL)
        return refuse_application(k, section, name, why);
    return dt_config_refuse(k->c, k->file, section, name, k->e, why);
}

/* Where all faults are wanted, one does not end the check. */
static int keep(check const *k, int rc)
{
    return dt_faults_keep(k->c->faults, k->e, rc);
}

static bool ends_with(char const *text, char const *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int check_okta(check const *k)
{
    char host[DT_CONFIG_VALUE_MAX];
    char const *url = k->c->okta.org_url;
    char const *begin = strstr(url, "://");
    size_t len;

    if (begin == NULL)
        return refuse(k, "okta", "org_url", "is missing; set https://YOUR-ORG.okta.com");
    begin += 3;
    len = strcspn(begin, ":/");
    if (dt_str_copy_bytes(host, sizeof(host), dt_bytes_of(begin, len)) < 0 ||
        (*begin != '[' && begin[len + strcspn(begin + len, "/")] != '\0'))
        return refuse(k, "okta", "org_url",
                      "has a path; use the org's URL alone, such as https://example.okta.com");
    if (ends_with(host, "-admin.okta.com") || ends_with(host, "-admin.oktapreview.com") ||
        ends_with(host, "-admin.okta-emea.com"))
        return refuse(k, "okta", "org_url", "is the URL of the admin console; remove \"-admin\"");
    return DT_OK;
}

/* Letters, digits, and what else ids at Okta are made of: they go into JSON and messages. */
static bool is_okta_id(char const *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "-_.~+/=")] == '\0';
}

/* What Okta calls apps: they go into forms, and are compared with what tokens name. */
static bool is_client_id(char const *text)
{
    return strncmp(text, "0oa", 3) == 0 && text[3] != '\0' && strlen(text) < DT_OKTA_ID_MAX &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] ==
               '\0';
}

/* A service app has no people, and a native app has no key: one id is never both. */
static int check_native_app(check const *k)
{
    char const *id = k->c->okta.native_client_id;

    if (*id == '\0')
        return DT_OK;
    if (!is_client_id(id))
        return refuse(k, "okta", "native_client_id",
                      "is not the client id of an app, such as 0oa1b2c3d4");
    if (strcmp(id, k->c->okta.client_id) == 0)
        return refuse(k, "okta", "native_client_id",
                      "is the service app of client_id; create a native app of its own, and set "
                      "its client id");
    return DT_OK;
}

static int check_app_keys(check const *k)
{
    dt_config const *c = k->c;

    if (*c->okta.key_file == '\0')
        return refuse(k, "okta", "key_file",
                      "is missing; set the file with the private key of the app client_id");
    if (*c->okta.next_key_file == '\0' && *c->okta.next_key_id != '\0')
        return refuse(k, "okta", "next_key_id",
                      "is set, but next_key_file is not; set both, or neither");
    if (*c->okta.next_key_file != '\0' &&
        (*c->okta.key_id == '\0' || *c->okta.next_key_id == '\0' ||
         strcmp(c->okta.key_id, c->okta.next_key_id) == 0))
        return refuse(
            k, "okta", "next_key_file",
            "needs key_id and next_key_id, and they must differ: Okta identifies keys by their "
            "ids");
    return DT_OK;
}

/* Who asks Okta: an API token, or a service app. Not one of them by accident, where the other is meant. */
/* An application whose Okta password the Authn API checks, which takes an API token and nothing else. */
static bool uses_authn(dt_config const *c)
{
    for (size_t i = 0; i < c->primary.okta_password.count; i++) {
        dt_config effective;
        bool own = dt_config_for(c, c->primary.okta_password.items[i], &effective);

        if ((own ? effective.mfa.okta_way : c->mfa.okta_way) != DT_OKTA_WAY_DIRECT)
            return true;
    }
    return false;
}

static int check_okta_credentials(check const *k)
{
    dt_config const *c = k->c;
    bool const token = dt_config_line(c, "okta", "api_token_file") > 0;
    struct {
        char const *name;
        bool given;
    } const of_app[] = {{"key_file", *c->okta.key_file != '\0'},
                        {"key_id", *c->okta.key_id != '\0'},
                        {"next_key_file", *c->okta.next_key_file != '\0'},
                        {"next_key_id", *c->okta.next_key_id != '\0'},
                        {"dpop", c->okta.dpop}};

    if (*c->okta.client_id == '\0') {
        for (size_t i = 0; i < sizeof(of_app) / sizeof(of_app[0]); i++)
            if (of_app[i].given)
                return refuse(
                    k, "okta", of_app[i].name,
                    "is set, but client_id is not; set client_id of the service app, too");
        return DT_OK;
    }
    if (!is_okta_id(c->okta.client_id))
        return refuse(k, "okta", "client_id", "is not the client id of an app, such as 0oa1b2c3d4");
    if (!is_okta_id(c->okta.key_id) || !is_okta_id(c->okta.next_key_id))
        return refuse(k, "okta", is_okta_id(c->okta.key_id) ? "next_key_id" : "key_id",
                      "is not the id of a key (kid) at Okta");
    if (token && !uses_authn(c))
        return refuse(
            k, "okta", "api_token_file",
            "is set together with client_id; remove one of them (both are needed only with "
            "[primary] okta_password, and there not with okta_way = direct)");
    if (!token && uses_authn(c))
        return refuse(
            k, "primary", "okta_password",
            "needs an API token, because Okta does not check passwords for a service app; set "
            "[okta] api_token_file, too");
    return check_app_keys(k);
}

/* Some ways go on where the Okta password was checked. */
static int check_okta_way(check const *k)
{
    char const *name = k->application != NULL ? k->application->name : NULL;
    bool browser = k->c->mfa.okta_way == DT_OKTA_WAY_BROWSER;

    if (browser && *k->c->okta.native_client_id == '\0')
        return refuse(k, "mfa", "okta_way",
                      "needs the app at which people sign in with a browser: set [okta] "
                      "native_client_id, or write okta_way = factors");
    if (browser && (k->c->mfa.factors & DT_FACTOR_BROWSER) == 0)
        return refuse(k, "mfa", "okta_way",
                      "asks for a browser, which [mfa] factors does not allow; add browser to "
                      "factors, or write okta_way = factors");
    if (k->c->mfa.okta_way == DT_OKTA_WAY_DIRECT && *k->c->okta.native_client_id == '\0')
        return refuse(k, "mfa", "okta_way",
                      "is direct, which needs a native app at Okta: set [okta] native_client_id, "
                      "too, or write okta_way = factors");
    if (!dt_config_lacks_password(k->c, name))
        return DT_OK;
    return refuse(k, "mfa", "okta_way",
                  "needs the Okta password: name the application in [primary] okta_password, too, "
                  "or write okta_way = factors");
}

/* http://HOST:PORT or https://HOST:PORT; the port is not guessed, since proxies have no common one. */
static bool is_proxy(char const *text)
{
    dt_url url;
    char const *host;

    if (dt_url_parse_http(text, &url) < 0 || url.query.len > 0 || url.path.len > 0)
        return false;
    host = (char const *)url.host.p + url.host.len;
    return host[url.literal ? 1 : 0] == ':';
}

typedef struct proxy_keys {
    char const *section, *name, *proxy, *secret_name, *secret;
    bool may_be_none;
} proxy_keys;

static int check_proxy(check const *k, proxy_keys const *p)
{
    bool none = p->may_be_none && strcmp(p->proxy, DT_PROXY_NONE) == 0;

    if (*p->proxy != '\0' && !none && !is_proxy(p->proxy))
        return refuse(k, p->section, p->name,
                      p->may_be_none
                          ? "is not the address of a proxy; write http://HOST:PORT or "
                            "https://HOST:PORT, without a path and without credentials (they go "
                            "into a file of their own), or none"
                          : "is not the address of a proxy; write http://HOST:PORT or "
                            "https://HOST:PORT, without a path and without credentials (they go "
                            "into proxy_credentials_file)");
    if (*p->secret != '\0' && (none || *p->proxy == '\0'))
        return refuse(k, p->section, p->secret_name,
                      "is set, but this section names no proxy; set the proxy, or remove this key");
    return DT_OK;
}

static int check_proxies(check const *k)
{
    dt_config const *c = k->c;
    proxy_keys const all[] = {
        {"http", "proxy", c->http.proxy, "proxy_credentials_file", c->http.proxy_credentials_file,
         false},
        {"okta", "proxy", c->okta.proxy, "proxy_credentials_file", c->okta.proxy_credentials_file,
         true},
        {"intune", "proxy", c->intune.proxy, "proxy_credentials_file",
         c->intune.proxy_credentials_file, true},
        {"device_trust", "ocsp_proxy", c->device_trust.ocsp_proxy, "ocsp_proxy_credentials_file",
         c->device_trust.ocsp_proxy_credentials_file, true},
        {"signals", "proxy", c->signals.proxy, "proxy_credentials_file",
         c->signals.proxy_credentials_file, true},
    };
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < sizeof(all) / sizeof(all[0]); i++)
        rc = check_proxy(k, &all[i]);
    return rc;
}

static int check_user_name(check const *k)
{
    char const *suffix = dt_user_suffix_fault(k->c->user_name.login_suffix);
    char const *realms = dt_user_realms_fault(k->c->user_name.realms);

    if (suffix != NULL)
        return refuse(k, "user_name", "login_suffix", suffix);
    return realms != NULL ? refuse(k, "user_name", "realms", realms) : DT_OK;
}

static int check_break_glass(check const *k)
{
    char const *key;
    char const *fault = dt_break_glass_fault(k->c, &key);

    return fault != NULL ? refuse(k, "break_glass", key, fault) : DT_OK;
}

static unsigned sources_named(dt_config const *c)
{
    unsigned named = 0;

    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++)
        named |= c->device_trust.trusted_when[i];
    return named;
}

static int check_intune(check const *k)
{
    bool secret = *k->c->intune.client_secret_file != '\0';
    struct {
        char const *name;
        bool given;
    } const needed[] = {
        {"tenant_id", dt_guid_is_set(&k->c->intune.tenant_id)},
        {"client_id", *k->c->intune.client_id != '\0'},
        {"certificate_file", secret || *k->c->intune.certificate_file != '\0'},
        {"key_file", secret || *k->c->intune.key_file != '\0'},
    };
    size_t const count = sizeof(needed) / sizeof(needed[0]);
    size_t given = 0;
    dt_guid client;

    if (secret && (*k->c->intune.certificate_file != '\0' || *k->c->intune.key_file != '\0'))
        return refuse(k, "intune", "client_secret_file",
                      "conflicts with certificate_file or key_file; set either the secret or, "
                      "better, the certificate and its key");
    for (size_t i = 0; i < count; i++)
        given += needed[i].given ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        if (!needed[i].given && (sources_named(k->c) & DT_SOURCE_INTUNE) != 0)
            return refuse(k, "intune", needed[i].name,
                          "is missing, but trusted_when names intune; set it, or remove intune "
                          "from trusted_when");
        if (!needed[i].given && given > 0)
            return refuse(k, "intune", needed[i].name,
                          "is missing; set tenant_id, client_id, certificate_file and key_file (or "
                          "client_secret_file), or none of them");
    }
    if (given > 0 && dt_guid_parse(dt_bytes_str(k->c->intune.client_id), &client) < 0)
        return refuse(k, "intune", "client_id",
                      "is not a GUID; set the Application (client) id of the app registration");
    return DT_OK;
}

/* At least two labels of letters, digits and dashes: what is below "com" is below nothing. */
static bool is_host_name(char const *s)
{
    char const *dot = strchr(s, '.');

    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0' && dot != NULL &&
           dot != s && s[strlen(s) - 1] != '.' && strstr(s, "..") == NULL;
}

/* The Compliance Retrieval service knows less of a device than Graph does: a demand that it cannot meet
 * is refused, not passed over. */
static int check_service(check const *k)
{
    static char const unknown[] = "needs data that [intune] service = compliance-retrieval does "
                                  "not report; set service = graph, or remove this key";
    char const *host = k->c->intune.compliance_host;

    if (k->c->intune.service != DT_INTUNE_BY_COMPLIANCE)
        return DT_OK;
    if (dt_compliance_resource(k->c) == NULL)
        return refuse(k, "intune", "compliance_resource",
                      "is missing, and the default for the cloud of graph_url is not known; set "
                      "the URI that Microsoft Intune API has in Entra");
    if (dt_compliance_host(k->c) == NULL)
        return refuse(k, "intune", "compliance_host",
                      "is missing, and the default for the cloud of graph_url is not known; set "
                      "the domain of Intune's services");
    if (*host != '\0' && !is_host_name(host))
        return refuse(k, "intune", "compliance_host",
                      "is not a host name; write it in lower case and without https://, such as "
                      "manage.microsoft.com");
    if (k->c->device_trust.require_owner)
        return refuse(k, "device_trust", "require_owner", unknown);
    if (k->c->device_trust.max_sync_age > 0)
        return refuse(k, "device_trust", "max_sync_age", unknown);
    if (k->c->device_trust.fresh_enrollment_grace > 0)
        return refuse(k, "device_trust", "fresh_enrollment_grace", unknown);
    if (k->c->device_trust.trust_in_grace_period)
        return refuse(k, "device_trust", "trust_in_grace_period", unknown);
    return DT_OK;
}

/* Who a device's user is, only Intune says: an alternative without it would get round the rule. */
static int check_owner(check const *k)
{
    if (!k->c->device_trust.require_owner)
        return DT_OK;
    for (size_t i = 0; i < k->c->device_trust.trusted_when_count; i++) {
        if ((k->c->device_trust.trusted_when[i] & DT_SOURCE_INTUNE) == 0)
            return refuse(k, "device_trust", "require_owner",
                          "is yes, but an alternative of trusted_when lacks intune, the only "
                          "source that knows a device's user; add intune to it, or set no");
    }
    return DT_OK;
}

static int check_tenant(check const *k)
{
    dt_guid const *mine = &k->c->device_trust.tenant_id;
    dt_guid const *asked = &k->c->intune.tenant_id;
    bool both = false;

    for (size_t i = 0; i < k->c->device_trust.trusted_when_count; i++) {
        unsigned set = k->c->device_trust.trusted_when[i];
        both = both || ((set & DT_SOURCE_INTUNE) != 0 && (set & DT_SOURCES_WITH_KEY) != 0);
    }
    if (both && dt_guid_is_set(mine) && dt_guid_is_set(asked) && !dt_guid_equal(mine, asked))
        return refuse(k, "device_trust", "tenant_id",
                      "differs from [intune] tenant_id, so no certificate's device would be found "
                      "there; set the same tenant in both, or remove this key");
    if (*k->c->device_trust.shared_ca_file != '\0' && !dt_guid_is_set(mine))
        return refuse(k, "device_trust", "tenant_id",
                      "is missing, but the CAs of shared_ca_file sign for every tenant; set the "
                      "tenant of your devices");
    return DT_OK;
}

static int check_certificates(check const *k)
{
    bool ca = *k->c->device_trust.ca_file != '\0' || *k->c->device_trust.shared_ca_file != '\0' ||
              k->c->ca_count > 0;
    bool certificate = *k->c->device_trust.host_certificate_file != '\0';
    bool file = *k->c->device_trust.host_key_file != '\0';
    char const *place = k->c->device_trust.host_key;
    bool key = file || *place != '\0';
    bool token = strncmp(place, "pkcs11:", strlen("pkcs11:")) == 0;

    if ((sources_named(k->c) & DT_SOURCE_CERTIFICATE) != 0 && !ca)
        return refuse(k, "device_trust", "trusted_when",
                      "names certificate, but no CA is configured; set ca_file, shared_ca_file or "
                      "a section [ca NAME]");
    if (certificate && !key)
        return refuse(k, "device_trust", "host_key_file",
                      "is missing; set the key of host_certificate_file");
    if (key && !certificate)
        return refuse(k, "device_trust", "host_certificate_file",
                      "is missing; set the certificate of host_key_file");
    if (*place != '\0' && *place != '/' && !token &&
        strncmp(place, "handle:0x", strlen("handle:0x")) != 0)
        return refuse(k, "device_trust", "host_key",
                      "is neither an absolute path, nor pkcs11:..., nor handle:0x81...");
    if (token && *k->c->device_trust.pkcs11_module == '\0')
        return refuse(k, "device_trust", "pkcs11_module",
                      "is missing; set the path of the token's module (.so)");
    if (strpbrk(k->c->device_trust.tpm_tcti, "\"\\$") != NULL)
        return refuse(k, "device_trust", "tpm_tcti",
                      "contains a quote, a backslash or a dollar sign; use a form such as "
                      "device:/dev/tpmrm0");
    return DT_OK;
}

static int check_ssh(check const *k)
{
    bool ca = *k->c->device_trust.ssh_device_ca_file != '\0';

    if ((sources_named(k->c) & DT_SOURCE_SSH_CERTIFICATE) != 0 && !ca)
        return refuse(k, "device_trust", "ssh_device_ca_file",
                      "is missing, but trusted_when names ssh-certificate; set the file with the "
                      "public keys of the CAs that sign for devices only");
    if (!dt_ssh_device_id_rule_is_valid(k->c->device_trust.ssh_certificate_device_id))
        return refuse(k, "device_trust", "ssh_certificate_device_id",
                      "is neither \"key-id\" nor \"extension:NAME\"; set where the certificate "
                      "contains the device id");
    return DT_OK;
}

static int check_revocation(check const *k)
{
    bool lists = *k->c->device_trust.crl_file != '\0', ocsp = k->c->device_trust.ocsp;

    if ((lists || ocsp) && k->c->device_trust.revocation == DT_REVOCATION_OFF)
        return refuse(k, "device_trust", "revocation",
                      lists ? "is off, but crl_file is set; set require or soft, or remove crl_file"
                            : "is off, but ocsp is yes; set require or soft, or ocsp = no");
    if (!lists && !ocsp && k->c->device_trust.revocation != DT_REVOCATION_OFF)
        return refuse(k, "device_trust", "crl_file",
                      "is missing, but revocation needs it; set the file with the CAs' revocation "
                      "lists, or ocsp = yes");
    return DT_OK;
}

/* Of any CA. */
static bool asks_ocsp(dt_config const *c)
{
    bool asks = c->device_trust.ocsp;

    for (size_t i = 0; i < c->ca_count; i++)
        asks = asks || c->cas[i]->ocsp;
    return asks;
}

static int check_ocsp(check const *k)
{
    char const *url = k->c->device_trust.ocsp_url;

    if (*url != '\0' && !dt_ocsp_url_is_usable(url))
        return refuse(k, "device_trust", "ocsp_url",
                      "is not an http:// or https:// URL without user name and fragment; use a "
                      "form such as http://ocsp.example.com/");
    if ((!k->c->device_trust.ocsp && *url != '\0') ||
        (!asks_ocsp(k->c) && *k->c->device_trust.ocsp_responder_file != '\0'))
        return refuse(
            k, "device_trust", "ocsp",
            "is no, but ocsp_url or ocsp_responder_file is set; set ocsp = yes, or remove them");
    return DT_OK;
}

static int check_ca_revocation(check const *k, dt_config_ca const *ca, char const *section)
{
    bool lists = *ca->crl_file != '\0', url = *ca->ocsp_url != '\0';

    if ((lists || ca->ocsp) && ca->revocation == DT_REVOCATION_OFF)
        return refuse(k, section, "revocation",
                      lists ? "is off, but crl_file is set; set require or soft, or remove crl_file"
                            : "is off, but ocsp is yes; set require or soft, or ocsp = no");
    if (!lists && !ca->ocsp && ca->revocation != DT_REVOCATION_OFF)
        return refuse(k, section, "crl_file",
                      "is missing, but revocation needs it; set the file with the CAs' revocation "
                      "lists, or ocsp = yes");
    if (url && !dt_ocsp_url_is_usable(ca->ocsp_url))
        return refuse(k, section, "ocsp_url",
                      "is not an http:// or https:// URL without user name and fragment; use a "
                      "form such as http://ocsp.example.com/");
    if (url && !ca->ocsp)
        return refuse(k, section, "ocsp",
                      "is no, but ocsp_url is set; set ocsp = yes, or remove it");
    return DT_OK;
}

static int check_ca(check const *k, dt_config_ca const *ca)
{
    char section[DT_CONFIG_SECTION_MAX];

    (void)snprintf(section, sizeof(section), "ca %s", ca->name);
    if ((ca->device_id & DT_ID_MS_ORGANIZATION) != 0 && !dt_guid_is_set(&ca->tenant_id))
        return refuse(k, section, "tenant_id",
                      "is missing, but Entra's device CA (device_id = ms-organization-access) "
                      "signs for every tenant; set the tenant of your devices");
    if ((ca->device_id & DT_ID_COMMON_NAME) != 0 && (ca->device_id & DT_ID_ENTRA_COMMON_NAME) != 0)
        return refuse(k, section, "device_id",
                      "names common-name and entra-common-name, but a GUID there could be Intune's "
                      "or Entra's id; remove the one that these certificates do not contain");
    if ((ca->keys & DT_KEY_TYPE_RSA) == 0 && ca->rsa_bits_min != DT_RSA_BITS_MIN)
        return refuse(k, section, "rsa_bits_min",
                      "is set, but keys does not name rsa; add rsa to keys, or remove this key");
    return check_ca_revocation(k, ca, section);
}

static int check_cas(check const *k)
{
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < k->c->ca_count; i++)
        error = keep(k, check_ca(k, k->c->cas[i]));
    return error;
}

static bool is_https(char const *url)
{
    dt_url parts;

    return dt_url_parse(url, &parts) == DT_OK;
}

/* How a token for the transmitter is had: one way, whole. */
static int check_transmitter_token(check const *k, dt_config_transmitter const *t,
                                   char const *section)
{
    bool secret = *t->client_secret_file != '\0', key = *t->key_file != '\0';
    bool by_client = *t->token_url != '\0' || *t->client_id != '\0' || secret || key;

    if (*t->token_file != '\0' && by_client)
        return refuse(k, section, "token_file",
                      "is set beside token_url, client_id, client_secret_file or key_file; set one "
                      "way to a token, and remove the other");
    if (by_client && (*t->token_url == '\0' || *t->client_id == '\0' || secret == key))
        return refuse(k, section, "token_url",
                      "needs client_id and one of client_secret_file and key_file; set all three, "
                      "or token_file instead");
    if (*t->token_url != '\0' && !is_https(t->token_url))
        return refuse(k, section, "token_url",
                      "is not an https:// URL; use a form such as https://idp.example.com/token");
    if (*t->token_file == '\0' && !by_client && t->delivery == DT_SIGNALS_BY_POLL)
        return refuse(k, section, "token_file",
                      "is missing, but a transmitter is not polled without a token; set it, or "
                      "token_url with client_id and client_secret_file or key_file");
    return DT_OK;
}

static int check_push(check const *k, dt_config_transmitter const *t, char const *section)
{
    bool managed = *t->token_file != '\0' || *t->token_url != '\0';

    if (*k->c->signals.listen == '\0')
        return refuse(k, section, "delivery",
                      "is push, but nothing listens; set [signals] listen = 127.0.0.1:8931");
    if (*t->push_url != '\0' && !is_https(t->push_url))
        return refuse(k, section, "push_url",
                      "is not an https:// URL; write the one at the reverse proxy, as "
                      "https://signals.example.com/ssf/NAME");
    if (managed && *t->push_url == '\0')
        return refuse(k, section, "push_url",
                      "is missing; set the URL at the reverse proxy that the transmitter sends to, "
                      "as https://signals.example.com/ssf/NAME");
    if (!managed && *t->audience == '\0')
        return refuse(k, section, "audience",
                      "is missing; set the aud of this transmitter's events, or a token by which "
                      "its stream can be read");
    return DT_OK;
}

static int check_transmitter(check const *k, dt_config_transmitter const *t)
{
    char section[DT_CONFIG_SECTION_MAX];
    int error;

    (void)snprintf(section, sizeof(section), "transmitter %s", t->name);
    if (!is_https(t->issuer))
        return refuse(k, section, "issuer",
                      "is not an https:// URL; copy the issuer of the transmitter's metadata");
    if (*t->metadata_url != '\0' && !is_https(t->metadata_url))
        return refuse(k, section, "metadata_url",
                      "is not an https:// URL; remove it, or write the whole URL");
    error = check_transmitter_token(k, t, section);
    if (error == DT_OK && t->delivery == DT_SIGNALS_BY_PUSH)
        error = check_push(k, t, section);
    return error;
}

/* ADDRESS:PORT of this host itself: whoever is outside comes through the site's reverse proxy. */
static bool is_loopback(char const *listen)
{
    static char const *const addresses[] = {"127.0.0.1:", "[::1]:"};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        char const *port = listen + strlen(addresses[i]);
        if (strncmp(listen, addresses[i], strlen(addresses[i])) != 0)
            continue;
        size_t const n = strspn(port, "0123456789");
        return n > 0 && n <= 5 && port[n] == '\0' && port[0] != '0' &&
               strtol(port, NULL, 10) <= 65535;
    }
    return false;
}

static int check_signals(check const *k)
{
    int error = DT_OK;

    if (*k->c->signals.listen != '\0' && !is_loopback(k->c->signals.listen))
        return refuse(k, "signals", "listen",
                      "is not an address of this host alone with a port; write 127.0.0.1:8931 or "
                      "[::1]:8931, and let the reverse proxy send there");
    if (*k->c->signals.okta_hook_secret_file != '\0' && *k->c->signals.listen == '\0')
        return refuse(k, "signals", "okta_hook_secret_file",
                      "is set, but nothing listens; set listen = 127.0.0.1:8931");
    for (size_t i = 0; error == DT_OK && i < k->c->transmitter_count; i++)
        error = keep(k, check_transmitter(k, k->c->transmitters[i]));
    return error;
}

/* An address alone: dt_ip_parse drops ports, which have a key of their own. */
static bool is_plain_address(char const *text)
{
    char const *colon = strchr(text, ':');
    bool port = strchr(text, '.') != NULL && colon != NULL && strchr(colon + 1, ':') == NULL;
    dt_ip ip;

    return !port && strpbrk(text, "[]%") == NULL && dt_ip_parse(text, &ip) == DT_OK &&
           dt_ip_is_of_a_host(&ip);
}

static bool are_networks(char const *list)
{
    dt_network_set *set = NULL;
    bool good = dt_network_set_new(&set) == DT_OK;

    while (good && *(list += strspn(list, ", \t")) != '\0') {
        char one[2 * DT_ADDRESS_MAX];
        size_t len = strcspn(list, ", \t");

        good = len < sizeof(one);
        if (!good)
            break;
        memcpy(one, list, len);
        one[len] = '\0';
        good = dt_network_set_add(set, one, 0, NULL) == DT_OK;
        list += len;
    }
    dt_network_set_free(&set);
    return good;
}

/* Where requests go must not be for the NAS to say: whoever may send accounting could have them sent anywhere. */
static int check_nas(check const *k, dt_config_nas const *nas)
{
    char section[DT_CONFIG_SECTION_MAX];

    (void)snprintf(section, sizeof(section), "nas %s", nas->name);
    if (*nas->address == '\0' && *nas->identifier == '\0')
        return refuse(k, section, "address",
                      "is missing, and so is identifier; set the address of the NAS as in "
                      "NAS-IP-Address or in "
                      "clients.conf, or its NAS-Identifier");
    if (!are_networks(nas->address))
        return refuse(k, section, "address",
                      "is not a list of addresses and networks; write them as in 192.0.2.10, "
                      "198.51.100.0/24, "
                      "2001:db8::/64");
    if (*nas->send_to != '\0' && !is_plain_address(nas->send_to))
        return refuse(k, section, "send_to",
                      "is not an IP address; write one such as 192.0.2.10 or 2001:db8::10, and the "
                      "port in the key "
                      "port");
    if (*nas->address == '\0' && *nas->send_to == '\0')
        return refuse(k, section, "send_to",
                      "is missing, but the section names no address that requests could be sent "
                      "to; set it, or "
                      "address");
    return DT_OK;
}

static int check_nases(check const *k)
{
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < k->c->nas_count; i++)
        error = keep(k, check_nas(k, k->c->nases[i]));
    return error;
}

static bool is_place_named(dt_config const *c, unsigned places)
{
    bool named = false;

    for (size_t i = 0; i < c->ca_count; i++)
        named = named || (c->cas[i]->device_id & places) != 0;
    return named;
}

/* A serial number in a certificate, and a look-up by it, are of use together only. */
static int check_lookup(check const *k)
{
    bool asked = (k->c->intune.lookup_by & DT_LOOKUP_BY_SERIAL) != 0;
    bool named = is_place_named(k->c, DT_ID_SERIAL_NUMBER);

    if (is_place_named(k->c, DT_ID_ENTRA_COMMON_NAME) &&
        (k->c->intune.lookup_by & DT_LOOKUP_BY_ENTRA_ID) == 0)
        return refuse(k, "intune", "lookup_by",
                      "lacks entra-id, but the device_id of a section [ca NAME] names "
                      "entra-common-name; add it, or remove entra-common-name there");
    if ((k->c->intune.lookup_by & DT_LOOKUP_BY_INTUNE_ID) == 0)
        return refuse(k, "intune", "lookup_by",
                      "lacks intune-id, which every other look-up needs; add it");
    if (asked && !named)
        return refuse(k, "intune", "lookup_by",
                      "names serial, but the device_id of no section [ca NAME] names "
                      "serial-number; add it there, or remove serial");
    if (named && !asked)
        return refuse(k, "intune", "lookup_by",
                      "lacks serial, but the device_id of a section [ca NAME] names serial-number; "
                      "add it, or remove serial-number there");
    return DT_OK;
}

static char const *message_fault(check const *k, dt_config_message const *m, size_t i)
{
    dt_words w = dt_words_find(m->name);
    bool of_one_platform = i > 0;

    if (w == DT_WORDS_NONE)
        return dt_device_help_fault(m->texts[i], k->c->device_trust.enrollment_url);
    if (of_one_platform && *m->texts[i] != '\0')
        return "is set, but this text is the same on all platforms; use the key text";
    return dt_words_fault(w, m->texts[i]);
}

static int check_message(check const *k, dt_config_message const *m)
{
    char section[DT_CONFIG_SECTION_MAX];
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);
    int error = DT_OK;

    (void)snprintf(section, sizeof(section), "message %s", m->name);
    for (size_t i = 0; error == DT_OK && i < count; i++) {
        char const *why = message_fault(k, m, i);

        if (why != NULL)
            error = keep(k, refuse(k, section, keys[i].name, why));
    }
    return error;
}

static int check_messages(check const *k)
{
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < k->c->message_count; i++)
        error = keep(k, check_message(k, k->c->messages[i]));
    return error;
}

static int check_management_hint(check const *k)
{
    bool named = (sources_named(k->c) & DT_SOURCE_MANAGEMENT_HINT) != 0;
    bool file = *k->c->device_trust.managed_configuration_file != '\0';
    bool hint = *k->c->device_trust.management_hint_file != '\0';

    if (!file && (named || hint))
        return refuse(k, "device_trust", "managed_configuration_file",
                      named ? "is missing, but trusted_when names management-hint; set the path "
                              "where the MDM keeps the managed app configuration"
                            : "is missing; set it, or remove management_hint_file");
    if (file && !hint)
        return refuse(
            k, "device_trust", "management_hint_file",
            "is missing; set the file with the secret key of Okta's Device Trust settings");
    return DT_OK;
}

/* Keys, SSH certificates and the registry do not give the platform, nor does the Compliance Retrieval service, so
 * where only some are enabled an alternative without a source that does could never be met. */
static int check_platforms(check const *k)
{
    unsigned mute = DT_SOURCES_WITH_KEY | DT_SOURCE_REGISTRY;

    if ((k->c->device_trust.platforms & PLATFORMS_ALL) == PLATFORMS_ALL)
        return DT_OK;
    if (k->c->intune.service == DT_INTUNE_BY_COMPLIANCE)
        mute |= DT_SOURCE_INTUNE;
    for (size_t i = 0; i < k->c->device_trust.trusted_when_count; i++) {
        if ((k->c->device_trust.trusted_when[i] & ~mute) == 0)
            return refuse(
                k, "device_trust", "platforms",
                (mute & DT_SOURCE_INTUNE) != 0
                    ? "enables only some, but [intune] service = compliance-retrieval does not "
                      "report the platform; set service = graph, or platforms = all"
                    : "enables only some, but an alternative of trusted_when has no source that "
                      "reports the platform; add intune to it, or set platforms = all");
    }
    return DT_OK;
}

static int check_times(check const *k)
{
    if (k->c->device_trust.stale_limit < k->c->device_trust.cache_ttl)
        return refuse(k, "device_trust", "stale_limit",
                      "is shorter than cache_ttl; set at least that, because an answer is fresh "
                      "before it is stale");
    if (k->c->device_trust.negative_ttl > k->c->device_trust.cache_ttl)
        return refuse(
            k, "device_trust", "negative_ttl",
            "is longer than cache_ttl; set at most that, so that a fixed device is noticed soon");
    return DT_OK;
}

#define RECHECK_MIN DT_SECONDS(5)

static int check_sessions(check const *k)
{
    if (k->c->sessions.recheck > 0 && k->c->sessions.recheck < RECHECK_MIN)
        return refuse(k, "sessions", "recheck",
                      "is shorter than 5s, which would ask Intune about every device too often; "
                      "set at least 5s, or 0s for never");
    return DT_OK;
}

static int check_audit(check const *k)
{
    if (*k->c->audit.file == '\0' && !k->c->audit.syslog)
        return refuse(
            k, "audit", "syslog",
            "is \"no\", and no file is set, so audit events would be recorded nowhere; set "
            "syslog = yes, or file = /var/log/devtrust/audit.log");
    return DT_OK;
}

/* In a service of sshd the person sits elsewhere: this host's certificate says nothing about their
 * device. And what sshd verified is believed only of callers that are root. */
static int check_services(check const *k)
{
    struct {
        dt_string_list const *one, *other;
        char const *name, *why;
    } const rows[] = {
        {&k->c->daemon.sshd_services, &k->c->daemon.local_services, "local_services",
         "names a service of sshd_services, where this host's certificate would make "
         "every device trusted; name it in one of them only"},
        {&k->c->daemon.sshd_services, &k->c->daemon.agent_services, "agent_services",
         "names a service of sshd_services, where no agent exists yet when PAM is "
         "asked; name it in one of them only"},
        {&k->c->daemon.lock_screen_services, &k->c->daemon.agent_services, "agent_services",
         "names a service of lock_screen_services, whose callers are not root: an "
         "agent is accepted from root only; name it in one of them only"},
        {&k->c->daemon.sshd_services, &k->c->daemon.session_services, "session_services",
         "names a service of sshd_services, which begins a session and is not in one "
         "yet; name it in one of them only"},
        {&k->c->daemon.lock_screen_services, &k->c->daemon.session_services, "session_services",
         "names a service of lock_screen_services, whose callers are not root: a "
         "session is accepted from root only; name it in one of them only"},
        {&k->c->daemon.sshd_services, &k->c->daemon.lock_screen_services, "lock_screen_services",
         "names a service of sshd_services, where any local user could then claim a "
         "device's SSH key; name it in one of them only"},
    };
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (dt_service_lists_overlap(rows[i].one, rows[i].other))
            error = keep(k, refuse(k, "daemon", rows[i].name, rows[i].why));
    }
    if (error == DT_OK && (sources_named(k->c) & DT_SOURCE_SSH_AGENT) != 0 &&
        k->c->daemon.agent_services.count == 0)
        error = refuse(k, "daemon", "agent_services",
                       "is empty, but trusted_when names ssh-agent; set the PAM services to which "
                       "people bring their SSH agent, such as sudo, su");
    return error;
}

typedef int rule(check const *k);

static int check_all(check const *k, rule *const *rules, size_t count)
{
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < count; i++)
        error = keep(k, rules[i](k));
    return error;
}

/* The rules that what an application has otherwise could break. */
static int check_applications(check const *k)
{
    static rule *const rules[] = {check_intune,          check_service,      check_owner,
                                  check_tenant,          check_certificates, check_ssh,
                                  check_management_hint, check_platforms,    check_okta_way};
    int error = DT_OK;

    /* What is wrong for everybody is named once, and not again for each application. */
    if (dt_faults_count(k->c->faults) > 0)
        return DT_OK;
    for (size_t i = 0; error == DT_OK && i < k->c->application_count; i++) {
        dt_config effective;
        check one = *k;

        one.c = &effective;
        one.application = k->c->applications[i];
        if (!dt_config_for(k->c, one.application->name, &effective))
            return dt_error_set(k->e, DT_E_INVALID, "%s: [application %s] cannot be applied",
                                k->file, one.application->name);
        error = check_all(&one, rules, sizeof(rules) / sizeof(rules[0]));
    }
    return error;
}

int dt_config_check(dt_config const *c, char const *file, dt_error *e)
{
    static rule *const rules[] = {
        check_okta,         check_okta_credentials,
        check_native_app,   check_okta_way,
        check_proxies,      check_user_name,
        check_break_glass,  check_intune,
        check_service,      check_owner,
        check_tenant,       check_certificates,
        check_ssh,          check_revocation,
        check_ocsp,         check_cas,
        check_nases,        check_management_hint,
        check_platforms,    check_times,
        check_sessions,     check_audit,
        check_services,     check_messages,
        check_lookup,       check_signals,
        check_applications,
    };
    check k = {.c = c, .file = file, .e = e};
    size_t before = dt_faults_count(c->faults);

    return dt_faults_end(c->faults, before, check_all(&k, rules, sizeof(rules) / sizeof(rules[0])));
}
