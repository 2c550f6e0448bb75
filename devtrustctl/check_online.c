/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the services say to a configuration. Each finding has a name, what is the matter, why that matters, and
 * what to do about it. What depends on a finding that is a fault is not asked: a fault is reported once. */
#include "devtrustctl/check_online.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/graph_client.h"
#include "devtrustctl/https_loop.h"
#include "devtrustctl/okta_client.h"

#include "core/okta/okta_browser.h"
#include "core/okta/okta_direct.h"
#include "core/okta/okta_oauth.h"
#include "edge/host.h"

#include <stdio.h>
#include <string.h>

#define METADATA_PATH "/.well-known/openid-configuration"
#define NOBODYS_DEVICE "00000000-0000-4000-8000-000000000001"
#define SKEW_WARNS DT_SECONDS(30) /* an assertion or proof gets near its limits */
#define SKEW_FAILS DT_MINUTES(5)  /* Okta takes no proof that is older */
#define SCOPES_MAX 16             /* single scopes that are tried */

typedef struct online {
    dt_site const *site;
    dt_config const *config;
    dt_https_loop *loop;
    dt_findings *findings;
} online;

/* What a request without a credential came to. */
typedef struct plain_reply {
    int status;
    dt_http_failure failure;
    char error[DT_ERROR_TEXT_MAX];
    dt_time date;
    dt_json *root; /* NULL where the body is no JSON */
} plain_reply;

/* --- findings ------------------------------------------------------------------------------------ */

/* `why` and `todo` are "" where all is well. */
static void report(online *o, dt_finding_status status, char const *name, char const *what,
                   char const *why, char const *todo)
{
    dt_finding_report(
        o->findings,
        &(dt_ctl_finding){.status = status, .check = name, .what = what, .why = why, .todo = todo});
}

/* --- requests without a credential --------------------------------------------------------------- */

static void on_plain(void *ctx, dt_http_response const *r)
{
    plain_reply *p = ctx;

    p->status = r->status;
    p->failure = r->failure;
    p->date = r->date;
    (void)snprintf(p->error, sizeof(p->error), "%s", r->error != NULL ? r->error : "");
    if (r->failure == DT_HTTP_OK && r->body.len > 0 && dt_json_parse(r->body, &p->root, NULL) < 0)
        p->root = NULL;
}

/* True when somebody answered. */
static bool ask_plainly(online *o, dt_http_service service, char const *url, plain_reply *p)
{
    dt_http_way way = dt_site_way(o->site, service);
    dt_http_request r = {.service = service, .method = DT_HTTP_GET};

    *p = (plain_reply){.status = 0};
    r.timeout = service == DT_HTTP_OKTA   ? o->config->okta.timeout
                : service == DT_HTTP_OCSP ? o->config->device_trust.ocsp_timeout
                                          : o->config->intune.timeout;
    if (dt_str_copy(r.url, sizeof(r.url), url) < 0 ||
        dt_https_loop_ask(o->loop, &r, &way, on_plain, p) < 0)
        (void)snprintf(p->error, sizeof(p->error), "the request could not be made");
    return p->failure == DT_HTTP_OK && p->status > 0;
}

static void say_way(online *o, dt_http_service service, char const *name)
{
    dt_http_way way = dt_site_way(o->site, service);
    char text[DT_URL_MAX + 64];

    if (way.proxy == NULL)
        return;
    (void)snprintf(text, sizeof(text), "by the proxy %s, which %s names", way.proxy->url,
                   way.proxy->key);
    report(o, DT_FINDING_OK, name, text, "", "");
}

/* --- Okta: the org ------------------------------------------------------------------------------- */

static void check_clock(online *o, dt_time date)
{
    dt_time skew = date - dt_host_now(), apart = skew < 0 ? -skew : skew;
    char text[96];

    if (date <= 0)
        return;
    (void)snprintf(text, sizeof(text), "this host's clock is %lld s %s Okta's",
                   (long long)(apart / DT_SECONDS(1)), skew > 0 ? "behind" : "ahead of");
    if (apart > SKEW_FAILS)
        report(o, DT_FINDING_FAULT, "okta.clock", text,
               "assertions, proofs and passcodes go by the time",
               "set the clock, and run chrony or systemd-timesyncd");
    else if (apart > SKEW_WARNS)
        report(o, DT_FINDING_WARNING, "okta.clock", text,
               "assertions, proofs and passcodes go by the time",
               "set the clock, and run chrony or systemd-timesyncd");
    else
        report(o, DT_FINDING_OK, "okta.clock", "this host's clock is that of Okta", "", "");
}

static bool has_word(dt_json const *list, char const *word)
{
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *text = dt_json_string(dt_json_at(list, i));
        if (text != NULL && strcmp(text, word) == 0)
            return true;
    }
    return false;
}

/* Whether the app that would use a way may use it, only Okta's reply to the app says. */
static void say_ways(online *o, dt_json const *metadata)
{
    static struct {
        char const *grant, *way;
    } const ways[] = {
        {"urn:okta:params:oauth:grant-type:oob", "Direct Authentication"},
        {"http://auth0.com/oauth/grant-type/mfa-oob", "Direct Authentication as MFA"},
        {"urn:ietf:params:oauth:grant-type:device_code", "Device Authorization Grant"},
    };
    dt_json const *grants = dt_json_get(metadata, "grant_types_supported");
    char text[256];
    dt_buf b;

    if (dt_json_typeof(grants) != DT_JSON_ARRAY)
        return;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "the org allows the Factors and Authn APIs");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (has_word(grants, ways[i].grant))
            dt_buf_printf(&b, ", %s", ways[i].way);
    dt_buf_putc(&b, '\0');
    report(o, DT_FINDING_OK, "okta.ways", text, "", "");
}

static bool judge_org(online *o, plain_reply const *p, bool answered)
{
    char const *issuer = dt_json_string(dt_json_get(p->root, "issuer"));
    char text[DT_ERROR_TEXT_MAX + DT_URL_MAX];
    bool elsewhere = p->failure == DT_HTTP_BROKEN; /* a redirect among them */

    if (!elsewhere && (!answered || p->status >= 500)) {
        if (answered)
            (void)snprintf(text, sizeof(text), "%s answers with HTTP %d", o->config->okta.org_url,
                           p->status);
        else
            (void)snprintf(text, sizeof(text), "%s", p->error);
        report(o, DT_FINDING_FAULT, "okta.org", text, "without Okta nobody passes MFA",
               "check org_url, name resolution, firewall, ca_file and proxy in [okta]");
        return false;
    }
    if (p->status != 200 || issuer == NULL) {
        if (elsewhere)
            (void)snprintf(text, sizeof(text), "%s", p->error);
        else
            (void)snprintf(text, sizeof(text), "%s answers with HTTP %d, not as an Okta org",
                           o->config->okta.org_url, p->status);
        report(o, DT_FINDING_FAULT, "okta.org", text, "org_url leads to something else",
               "set org_url in [okta] to https://NAME.okta.com, or to the org's own domain, "
               "without -admin");
        return false;
    }
    if (strcmp(issuer, o->config->okta.org_url) != 0) {
        (void)snprintf(text, sizeof(text), "the org calls itself %s", issuer);
        report(o, DT_FINDING_FAULT, "okta.org", text,
               "its links lead there, and devtrust follows none that leave org_url",
               "set org_url in [okta] to that address, if it is your org's");
        return false;
    }
    (void)snprintf(text, sizeof(text), "%s answers", issuer);
    report(o, DT_FINDING_OK, "okta.org", text, "", "");
    return true;
}

static bool check_org(online *o)
{
    char url[DT_URL_MAX];
    plain_reply p = {.error = "the address is too long"};
    int n = snprintf(url, sizeof(url), "%s" METADATA_PATH, o->config->okta.org_url);
    bool good;

    say_way(o, DT_HTTP_OKTA, "okta.proxy");
    good =
        judge_org(o, &p, n > 0 && (size_t)n < sizeof(url) && ask_plainly(o, DT_HTTP_OKTA, url, &p));
    if (p.date > 0 && p.failure == DT_HTTP_OK)
        check_clock(o, p.date);
    if (good)
        say_ways(o, p.root);
    dt_json_free(&p.root);
    return good;
}

/* --- Okta: credential and rights ----------------------------------------------------------------- */

/* What one request with these scopes comes to. *why says what is wrong. */
static int try_path(online *o, char const *scopes, char const *path, dt_json **root, bool *token,
                    dt_error *why)
{
    dt_okta_client *c = NULL;
    int rc = dt_okta_client_new(o->site, scopes, &c, why);

    *root = NULL;
    if (rc == DT_OK)
        rc = dt_okta_client_get(c, path, root, NULL, why);
    if (token != NULL)
        *token = c != NULL && dt_okta_client_has_token(c);
    dt_okta_client_free(&c);
    return rc;
}

#define USERS_PATH "/api/v1/users?limit=1"

/* Each scope for itself: Okta does not say which of several is the one that is missing. */
static void name_missing_scopes(online *o, char const *scopes)
{
    char each[DT_OKTA_SCOPES_MAX], missing[DT_OKTA_SCOPES_MAX] = "", text[DT_ERROR_TEXT_MAX * 2];
    dt_error why = {0};
    size_t tried = 0;
    dt_buf b;

    dt_buf_init_fixed(&b, missing, sizeof(missing) - 1);
    (void)snprintf(each, sizeof(each), "%s", scopes);
    for (char *at = each, *scope; (scope = strsep(&at, " ")) != NULL && tried < SCOPES_MAX;
         tried++) {
        dt_json *root = NULL;
        bool token = false;

        (void)try_path(o, scope, USERS_PATH, &root, &token, &why);
        dt_json_free(&root);
        if (!token)
            dt_buf_printf(&b, "%s%s", b.len > 0 ? " " : "", scope);
    }
    missing[b.len] = '\0';
    if (missing[0] == '\0') {
        report(o, DT_FINDING_FAULT, "okta.scopes",
               "each scope is granted, and all together are not", "the app gets no token",
               "try again; if it stays so, ask Okta");
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "grant them: admin console, Applications, the app, Okta API Scopes: %s",
                   missing);
    report(o, DT_FINDING_FAULT, "okta.scopes", missing,
           "the app was not granted what devtrust asks for", text);
}

static bool is_about_scopes(dt_error const *why)
{
    return strstr(why->text, "invalid_scope") != NULL;
}

static void say_token_life(online *o)
{
    report(o, DT_FINDING_OK, "okta.token",
           "the API token ends 30 days after its last use; devtrustd and FreeRADIUS use it once a "
           "day while they run",
           "", "");
}

/* True when the credential is taken and may read people. */
static bool check_credential(online *o)
{
    bool app = dt_okta_has_app(o->config), token = false;
    char scopes[DT_OKTA_SCOPES_MAX];
    dt_json *root = NULL;
    dt_error why = {0};
    int rc;

    dt_site_okta_scopes(o->site, scopes);
    rc = try_path(o, scopes, USERS_PATH, &root, &token, &why);
    dt_json_free(&root);
    if (rc == DT_OK) {
        report(o, DT_FINDING_OK, "okta.credential",
               app ? "the app gets a token and may read people" : "the API token may read people",
               "", "");
        if (!app)
            say_token_life(o);
        return true;
    }
    if (app && !token && is_about_scopes(&why))
        name_missing_scopes(o, scopes);
    else if (app && !token)
        report(o, DT_FINDING_FAULT, "okta.credential", why.text, "the app gets no token",
               "compare client_id, key_file and key_id in [okta] with the app at Okta");
    else if (strstr(why.text, "E0000006") != NULL || app)
        report(o, DT_FINDING_FAULT, "okta.role", why.text, "the credential may not read people",
               "give it an administrator role that views users and manages their factors");
    else
        report(o, DT_FINDING_FAULT, "okta.credential", why.text, "Okta does not take the API token",
               "make one in the admin console (Security, API, Tokens) and put it into "
               "api_token_file");
    return false;
}

static void check_devices(online *o)
{
    char scopes[DT_OKTA_SCOPES_MAX];
    dt_json *root = NULL;
    dt_error why = {0};

    dt_site_okta_scopes(o->site, scopes);
    if (strstr(scopes, "okta.devices.read") == NULL)
        return;
    if (try_path(o, scopes, "/api/v1/devices?limit=1", &root, NULL, &why) == DT_OK)
        report(o, DT_FINDING_OK, "okta.devices", "devices may be read", "", "");
    else
        report(o, DT_FINDING_FAULT, "okta.devices", why.text,
               "trusted_when names okta-device, and devices are UNKNOWN without it",
               "give the credential a role that views devices");
    dt_json_free(&root);
}

/* --- Okta: signing in with a browser -------------------------------------------------------------- */

typedef struct codes_reply {
    dt_config const *config;
    dt_okta_answer answer;
    dt_error why;
} codes_reply;

static void on_codes(void *ctx, dt_http_response const *r)
{
    codes_reply *p = ctx;
    dt_browser_begun begun;

    p->answer = dt_browser_read_begin(p->config, r, &begun, &p->why);
    explicit_bzero(&begun, sizeof(begun)); /* nobody enters this code */
}

static bool uses_way(dt_config const *c, dt_okta_way way)
{
    bool found = c->mfa.okta_way == way;

    for (size_t i = 0; !found && i < c->application_count; i++)
        found = c->applications[i]->own.mfa.okta_way == way;
    return found;
}

static void check_browser(online *o)
{
    codes_reply p = {.config = o->config, .why = {.text = "the request could not be made"}};
    dt_http_way way = dt_site_way(o->site, DT_HTTP_OKTA);
    dt_http_request r;

    if (!uses_way(o->config, DT_OKTA_WAY_BROWSER))
        return;
    if (dt_browser_begin(o->config, "", &r) == DT_OK)
        (void)dt_https_loop_ask(o->loop, &r, &way, on_codes, &p);
    if (p.answer == DT_OKTA_OK)
        report(o, DT_FINDING_OK, "okta.browser", "the app may sign people in with a browser", "",
               "");
    else
        report(o, DT_FINDING_FAULT, "okta.browser", p.why.text,
               "okta_way = browser, and nobody passes MFA without it",
               "compare native_client_id in [okta] with the app at Okta, and let it use the grant "
               "\"Device Authorization\" (Applications, the app, General)");
}

/* --- Okta: Direct Authentication ------------------------------------------------------------------- */

static dt_direct const nobody = {
    .login = "", .user_id = "", .mfa_token = "devtrust-check", .oob_code = "devtrust-check"};

static void on_direct(void *ctx, dt_http_response const *r)
{
    codes_reply *p = ctx;
    dt_okta_verification v;
    bool slow_down;

    p->answer =
        dt_direct_read_token(p->config, r, &nobody, DT_DIRECT_POLL, 0, &v, &slow_down, &p->why);
}

/* Whether the app may use the grants for MFA, by codes that are nobody's: Okta refuses them, but refuses an app that
 * may not use the grant in other words. */
static void check_direct(online *o)
{
    codes_reply p = {.config = o->config, .why = {.text = "the request could not be made"}};
    dt_http_way way = dt_site_way(o->site, DT_HTTP_OKTA);
    dt_http_request r;
    bool made = true;

    if (!uses_way(o->config, DT_OKTA_WAY_DIRECT))
        return;
    for (int i = 0; i < 2 && made; i++) {
        p.answer = DT_OKTA_UNUSABLE;
        made = (i == 0 ? dt_direct_poll(o->config, &nobody, &r)
                       : dt_direct_passcode(o->config, &nobody, "000000", &r)) == DT_OK;
        if (made)
            (void)dt_https_loop_ask(o->loop, &r, &way, on_direct, &p);
        made = made && p.answer == DT_OKTA_OK;
    }
    if (made)
        report(o, DT_FINDING_OK, "okta.direct", "the app may use Direct Authentication", "", "");
    else
        report(o, DT_FINDING_FAULT, "okta.direct", p.why.text,
               "okta_way = direct, and nobody passes MFA without it",
               "compare native_client_id in [okta] with the app at Okta, and let it use OTP, OOB, "
               "MFA OTP and MFA OOB (Applications, the app, General, Direct auth API grants)");
}

static void check_app(online *o, char const *where, char const *app)
{
    char scopes[DT_OKTA_SCOPES_MAX], path[64 + DT_OKTA_ID_MAX], name[64 + DT_CONFIG_NAME_MAX];
    char text[256];
    dt_json *root = NULL;
    dt_error why = {0};

    if (app[0] == '\0')
        return;
    dt_site_okta_scopes(o->site, scopes);
    (void)snprintf(path, sizeof(path), "/api/v1/apps/%s", app);
    (void)snprintf(name, sizeof(name), "okta.app [%s]", where);
    int rc = try_path(o, scopes, path, &root, NULL, &why);
    char const *status = dt_json_string(dt_json_get(root, "status"));
    char const *label = dt_json_string(dt_json_get(root, "label"));

    if (rc == DT_E_NOT_FOUND)
        report(o, DT_FINDING_FAULT, name, why.text,
               "the org has no such app, so nobody is assigned to it",
               "copy the id from the URL of the app's page in the admin console into okta_app");
    else if (rc != DT_OK)
        report(o, DT_FINDING_FAULT, name, why.text, "whom it is assigned to cannot be read",
               "give the credential a role that views applications");
    else if (status == NULL || strcmp(status, "ACTIVE") != 0)
        report(o, DT_FINDING_FAULT, name, "the app is not active",
               "people who are assigned to it are refused "
               "elsewhere, and may be here",
               "activate it in the admin console, or set okta_app to another one");
    else {
        (void)snprintf(text, sizeof(text), "%.180s (%s)", label != NULL ? label : "the app", app);
        report(o, DT_FINDING_OK, name, text, "", "");
    }
    dt_json_free(&root);
}

static void check_apps(online *o)
{
    check_app(o, "policy", o->config->policy.okta_app);
    for (size_t i = 0; i < o->config->application_count; i++) {
        dt_config_application const *a = o->config->applications[i];
        char where[16 + DT_CONFIG_NAME_MAX];

        (void)snprintf(where, sizeof(where), "application %s", a->name);
        check_app(o, where, a->own.policy.okta_app);
    }
}

/* --- Microsoft ----------------------------------------------------------------------------------- */

static void check_permissions(online *o)
{
    dt_graph_client *c = NULL;
    dt_intune_device device;
    dt_error why = {0};
    dt_guid id;
    int rc = dt_guid_parse(dt_bytes_str(NOBODYS_DEVICE), &id);

    if (rc == DT_OK)
        rc = dt_graph_client_new(o->site, &c, &why);
    if (rc == DT_OK)
        rc = dt_graph_client_device(c, &id, &device, &why);
    dt_graph_client_free(&c);
    if (rc == DT_OK)
        report(o, DT_FINDING_OK, "microsoft.permission",
               "a token is given, and devices may be read", "", "");
    else
        report(
            o, DT_FINDING_FAULT, "microsoft.permission", why.text, "devices are UNKNOWN without it",
            o->config->intune.service == DT_INTUNE_BY_COMPLIANCE
                ? "check client_id and its certificate or secret, and grant the app registration "
                  "get_device_compliance (Intune) and Application.Read.All (Graph) with admin "
                  "consent"
                : "check client_id and its certificate or secret, and grant the app registration "
                  "DeviceManagementManagedDevices.Read.All with admin consent");
}

static void check_microsoft(online *o)
{
    char url[DT_URL_MAX];
    plain_reply p = {.error = "the address is too long"};
    int n;

    if (o->config->intune.client_id[0] == '\0')
        return;
    say_way(o, DT_HTTP_GRAPH, "microsoft.proxy");
    n = snprintf(url, sizeof(url), "%s/%s/v2.0" METADATA_PATH, o->config->intune.login_url,
                 o->config->intune.tenant_id.text);
    if (n > 0 && (size_t)n < sizeof(url) && ask_plainly(o, DT_HTTP_ENTRA, url, &p) &&
        p.status < 500)
        check_permissions(o);
    else
        report(o, DT_FINDING_FAULT, "microsoft.login",
               p.error[0] != '\0' ? p.error : "the login service answers with an error",
               "without a token Intune is not asked, and devices are UNKNOWN",
               "check login_url, name resolution, firewall, ca_file and proxy in [intune]");
    dt_json_free(&p.root);
}

/* --- OCSP ----------------------------------------------------------------------------------------- */

/* Whatever it answers to a GET of its address, it is there: what it says of a certificate only a question tells. */
static void check_responder(online *o, char const *section, bool on, char const *url)
{
    plain_reply p;
    char text[DT_URL_MAX + DT_ERROR_TEXT_MAX];

    if (!on || url[0] == '\0')
        return;
    bool good = ask_plainly(o, DT_HTTP_OCSP, url, &p) && p.status < 500;

    dt_json_free(&p.root);
    if (good)
        (void)snprintf(text, sizeof(text), "%s answers", url);
    else if (p.status >= 500)
        (void)snprintf(text, sizeof(text), "[%s] ocsp_url: %s answers with HTTP %d", section, url,
                       p.status);
    else
        (void)snprintf(text, sizeof(text), "[%s] ocsp_url: %s: %s", section, url, p.error);
    if (good)
        report(o, DT_FINDING_OK, "ocsp.responder", text, "", "");
    else
        report(o, DT_FINDING_FAULT, "ocsp.responder", text,
               "without an answer devices are UNKNOWN, or revoked certificates are accepted",
               "check ocsp_url, name resolution, firewall and ocsp_proxy in [device_trust]");
}

static void check_ocsp(online *o)
{
    check_responder(o, "device_trust", o->config->device_trust.ocsp,
                    o->config->device_trust.ocsp_url);
    for (size_t i = 0; i < o->config->ca_count; i++) {
        char section[8 + DT_CONFIG_NAME_MAX];

        (void)snprintf(section, sizeof(section), "ca %s", o->config->cas[i]->name);
        check_responder(o, section, o->config->cas[i]->ocsp, o->config->cas[i]->ocsp_url);
    }
}

void dt_check_online(dt_site const *site, dt_findings *findings)
{
    online o = {.site = site, .config = dt_site_config(site), .findings = findings};
    dt_error e = {0};

    if (dt_https_loop_new(&o.loop, &e) < 0) {
        report(&o, DT_FINDING_FAULT, "online", e.text, "nothing can be asked",
               "free memory or descriptors");
        return;
    }
    if (check_org(&o) && check_credential(&o)) {
        check_devices(&o);
        check_browser(&o);
        check_direct(&o);
        check_apps(&o);
    }
    check_microsoft(&o);
    check_ocsp(&o);
    dt_https_loop_free(&o.loop);
}
