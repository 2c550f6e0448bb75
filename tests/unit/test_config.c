/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust.conf from text to dt_config: every key moves its field, every kind of mistake is an error
 * that names file, line and key, and nothing is cut or passed over in silence. */
#include "edge/ini.h"
#include "edge/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OKTA "[okta]\norg_url = https://example.okta.com\n"
#define INTUNE                                                                                     \
    "[intune]\n"                                                                                   \
    "tenant_id = 00000000-1111-2222-3333-444444444444\n"                                           \
    "client_id = 55555555-6666-7777-8888-999999999999\n"                                           \
    "certificate_file = /c.pem\n"                                                                  \
    "key_file = /k.pem\n"
#define TRUST "[device_trust]\nshared_ca_file = /shared.pem\n"
#define MINIMAL OKTA INTUNE TRUST /* 9 lines: [device_trust] is line 8 */

static char const everything[] =
    "[okta]\n"
    "org_url = https://Flip.OKTA.com:443/\n"
    "api_token_file = /f/token\n"
    "client_id = 0oaflip\n"
    "key_file = /f/okta.key\n"
    "key_id = first\n"
    "next_key_file = /f/okta-next.key\n"
    "next_key_id = second\n"
    "dpop = yes\n"
    "native_client_id = 0oaflipnative\n"
    "ca_file = /f/okta-ca.pem\n"
    "timeout = 11s\n"
    "poll_interval = 500ms\n"
    "rate_share = 40\n"
    "user_ttl = 1d\n"
    "stale_limit = 2h\n"
    "proxy = none\n"
    "[http]\n"
    "proxy = http://proxy.flip.example:3128\n"
    "proxy_credentials_file = /f/proxy.secret\n"
    "proxy_ca_file = /f/proxy-ca.pem\n"
    "[user_name]\n"
    "login_suffix = @flip.example\n"
    "realms = FLIP -> @flip.example\n"
    "table_file = /f/names\n"
    "[intune]\n"
    "tenant_id = {0000000A-1111-2222-3333-444444444444}\n"
    "client_id = 5555555b-6666-7777-8888-999999999999\n"
    "certificate_file = /f/graph.pem\n"
    "key_file = /f/graph.key\n"
    "assertion_alg = RS256\n"
    "lookup_by = intune-id, serial\n"
    "login_url = https://login.microsoftonline.us\n"
    "graph_url = https://[2001:DB8::1]:8443/prefix/\n"
    "compliance_resource = https://api.manage.example.com/\n"
    "compliance_host = manage.example.com\n"
    "ca_file = /f/graph-ca.pem\n"
    "timeout = 12s\n"
    "proxy = https://[2001:db8::3]:3129\n"
    "proxy_credentials_file = /f/graph-proxy.secret\n"
    "[device_trust]\n"
    "trusted_when = vpn-client + intune,certificate+vpn-client+intune,  "
    "ssh-key+intune+certificate\n"
    "platforms = ios, linux\n"
    "ca_file = /f/ca.pem\n"
    "shared_ca_file = /f/shared.pem\n"
    "crl_file = /f/crl.pem\n"
    "revocation = soft\n"
    "ocsp = yes\n"
    "ocsp_url = http://ocsp.example/q\n"
    "ocsp_responder_file = /f/responders.pem\n"
    "ocsp_timeout = 5s\n"
    "ocsp_proxy = http://10.0.0.1:3128\n"
    "ocsp_proxy_credentials_file = /f/ocsp-proxy.secret\n"
    "ocsp_max_age = 4d\n"
    "ocsp_cache_max = 1h\n"
    "tenant_id = 0000000a111122223333444444444444\n"
    "host_certificate_file = /f/host.pem\n"
    "host_key_file = /f/host.key\n"
    "host_key = pkcs11:token=t;object=o\n"
    "host_key_pin_file = /f/pin\n"
    "pkcs11_module = /f/module.so\n"
    "tpm_tcti = swtpm:port=2321\n"
    "ssh_device_ca_file = /f/ssh-ca.pub\n"
    "ssh_certificate_device_id = extension:device-id@example\n"
    "ssh_require_hardware_key = yes\n"
    "agent_timeout = 7s\n"
    "managed_configuration_file = /f/managed.json\n"
    "management_hint_file = /f/hint\n"
    "cache_ttl = 20m\n"
    "negative_ttl = 2m\n"
    "stale_limit = 2d\n"
    "max_sync_age = 7d\n"
    "trust_in_grace_period = yes\n"
    "fresh_enrollment_grace = 20m\n"
    "require_owner = yes\n"
    "enrollment_url = https://enroll.example/here\n"
    "check_access_text = Ask the help desk: \"caf\xc3\xa9\" = first floor #3; or call.\n"
    "[ca scep]\n"
    "certificate_file = /f/scep.pem\n"
    "tenant_id = 0000000b-1111-2222-3333-444444444444\n"
    "device_id = san-uri, ms-organization-access, serial-number\n"
    "extended_key_usage = 1.3.6.1.5.5.7.3.2, 1.2.3.4\n"
    "keys = rsa, p384\n"
    "rsa_bits_min = 3072\n"
    "crl_file = /f/scep.crl\n"
    "revocation = soft\n"
    "ocsp = yes\n"
    "ocsp_url = http://ocsp.flip.example/scep\n"
    "[application vpn]\n"
    "trusted_when = certificate+intune\n"
    "platforms = windows\n"
    "max_sync_age = 1d\n"
    "trust_in_grace_period = no\n"
    "fresh_enrollment_grace = 0\n"
    "require_owner = no\n"
    "identity_from = user\n"
    "okta_app = 0oaOther\n"
    "okta_way = factors\n"
    "on_loss = reauthenticate\n"
    "[sessions]\n"
    "recheck = 8s\n"
    "lifetime = 1h\n"
    "on_loss = disconnect\n"
    "sudo_sessions = yes\n"
    "[break_glass]\n"
    "users = rescue, rescue2\n"
    "until = 2027-01-31T18:00Z\n"
    "[policy]\n"
    "directory = /f/policies\n"
    "asn_database = /f/asn.mmdb\n"
    "location_database = /f/city.mmdb\n"
    "zones_file = /f/zones.json\n"
    "unknown_device_as = not_trusted\n"
    "okta_unavailable = allow_trusted\n"
    "groups_from = okta\n"
    "report_only = yes\n"
    "report_only_people = yes\n"
    "org_file = /f/org.json\n"
    "org_mfa = unless_trusted\n"
    "okta_app = 0oa1b2c3d4e5f6g7h8i9\n"
    "[primary]\n"
    "okta_password = vpn, login\n"
    "password_limit = 3\n"
    "password_limit_window = 1h\n"
    "[mfa]\n"
    "factors = token:software:totp\n"
    "okta_way = authn\n"
    "number_challenge = never\n"
    "qr_code = always\n"
    "passcode_attempts = 5\n"
    "passcode_limit = 3\n"
    "push_pause = 1m\n"
    "session_lifetime = 1h\n"
    "push_limit = 0\n"
    "push_limit_window = 30m\n"
    "message_limit = 0\n"
    "wait_pam = 60s\n"
    "wait_vpn = 50s\n"
    "wait_wifi = 20s\n"
    "challenge_lifetime = 2m\n"
    "[store]\n"
    "path = /f/state.db\n"
    "size_limit = 64\n"
    "state_key_file = /f/state.key\n"
    "[radius]\n"
    "store_path = /f/radius.db\n"
    "audit_file = /f/radius.log\n"
    "metrics_socket = /f/radius-metrics.sock\n"
    "metrics_textfile = /f/radius.prom\n"
    "state_key_file = /f/radius.key\n"
    "[metrics]\n"
    "socket = /f/metrics.sock\n"
    "textfile = /f/devtrust.prom\n"
    "interval = 1m\n"
    "[audit]\n"
    "format = ocsf\n"
    "file = /f/audit.log\n"
    "syslog = no\n"
    "[daemon]\n"
    "socket = /f/sock\n"
    "sshd_services = sshd-a, sshd_b\n"
    "local_services =\n"
    "person_at_host = service\n"
    "agent_services = doas\n"
    "session_services = run0\n"
    "no_prompt_services = vsftpd\n"
    "lock_screen_services = swaylock,kde\n"
    "max_sign_ons = 7\n"
    "identity_from = caller\n"
    "[signals]\n"
    "news = /f/news\n"
    "listen = [::1]:8000\n"
    "okta_hook_secret_file = /f/hook\n"
    "proxy = http://signals.flip.example:3128\n"
    "proxy_credentials_file = /f/signals-proxy.secret\n"
    "[nas gw]\n"
    "address = 192.0.2.10, 2001:db8::/64\n"
    "identifier = gw-1\n"
    "send_to = 198.51.100.9\n"
    "port = 1700\n"
    "secret_file = /f/nas.secret\n"
    "kind = cisco\n"
    "reauthenticate = cisco_bounce_port\n"
    "[transmitter polled]\n"
    "issuer = https://tr.flip.example/t1/\n"
    "metadata_url = https://tr.flip.example/risc\n"
    "audience = https://a.example, b\n"
    "stream_id = s1\n"
    "token_url = https://idp.flip.example/token\n"
    "client_id = c\n"
    "client_secret_file = /f/client.secret\n"
    "key_id = k\n"
    "scope = ssf.manage\n"
    "poll_pause = 2s\n"
    "ca_file = /f/tr-ca.pem\n"
    "[transmitter pushes]\n"
    "issuer = https://tr.flip.example/t2\n"
    "delivery = push\n"
    "push_url = https://us.flip.example/ssf/pushes\n"
    "push_secret_file = /f/push.secret\n"
    "token_file = /f/token\n"
    "[transmitter keyed]\n"
    "issuer = https://tr.flip.example/t3\n"
    "token_url = https://idp.flip.example/token\n"
    "client_id = c\n"
    "key_file = /f/client.key\n";

/* Where all faults are gathered, the same text is taken or refused, and the first fault is among them. */
static void assert_gathers(char const *text, int first_error, dt_error const *first)
{
    static dt_faults faults;
    dt_config *c = NULL;
    dt_error e = {0};
    bool found = false;
    int rc;

    faults.count = 0;
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    c->faults = &faults;
    rc = dt_faults_keep(&faults, &e, dt_ini_parse(dt_bytes_str(text), "/etc/d.conf", c, &e));
    assert_int_equal(rc, DT_OK);
    for (size_t i = 0; i < faults.count && i < DT_FAULTS_MAX; i++)
        found = found || strcmp(faults.kept[i].text, first->text) == 0;
    if ((first_error == DT_OK) != (faults.count == 0) || (first_error != DT_OK && !found))
        fail_msg("%s\n\"%s\" is not among %zu faults, of which the first is \"%s\"", text,
                 first->text, faults.count, faults.kept[0].text);
    dt_config_free(&c);
}

/* What is wrong on different lines, and between keys, is named in one run; nothing else is. */
static void all_faults_are_gathered(void **state)
{
    static struct {
        char const *text;
        char const *wanted[8];
    } const rows[] = {
        {"[okta]\norg_url = https://a.okta.com\ntimeoot = 5s\n[mfa]\npush_limit = many\nwhat\n"
         "[foo]\nx = y\nz = 1\n[store]\npath = rel\n[okta]\nca_file = /x\n",
         {":3: [okta] timeoot: ", ":5: [mfa] push_limit: ", ":6: this is neither", ":7: unknown",
          ":11: [store] path: ", ":12: duplicate section"}},
        /* A key whose line is refused is not missing as well. */
        {"[okta]\norg_url = http:\n", {":2: [okta] org_url: "}},
        {"[okat]\norg_url = https://a.okta.com\n", {":1: unknown section; did you mean"}},
        {"[mfa]\npush_limit = many\n", {":2: [mfa] push_limit", "[okta] org_url: is missing"}},
        /* Rules between keys, several at once. */
        {"[okta]\norg_url = https://a-admin.okta.com\n[audit]\nsyslog = no\nfile =\n"
         "[device_trust]\ntrusted_when = ssh-key+registry\ncache_ttl = 2d\nstale_limit = 1d\n"
         "[daemon]\nsshd_services = sshd, a, b\nlocal_services = a\nagent_services = b\n",
         {"[okta] org_url: is the URL of the admin", "[device_trust] stale_limit: ",
          "[audit] syslog: is \"no\"", "[daemon] local_services: ", "[daemon] agent_services: "}},
    };
    static dt_faults faults;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_config *c = NULL;
        dt_error e = {0};
        size_t wanted = 0;

        faults.count = 0;
        assert_int_equal(dt_config_new(&c, &e), DT_OK);
        c->faults = &faults;
        assert_true(dt_ini_parse(dt_bytes_str(rows[i].text), "f", c, &e) < 0);
        while (wanted < 8 && rows[i].wanted[wanted] != NULL) {
            if (wanted >= faults.count ||
                strstr(faults.kept[wanted].text, rows[i].wanted[wanted]) == NULL)
                fail_msg("row %zu: \"%s\", wanted \"%s\"", i, faults.kept[wanted].text,
                         rows[i].wanted[wanted]);
            wanted++;
        }
        if (faults.count != wanted)
            fail_msg("row %zu: also \"%s\"", i, faults.kept[wanted].text);
        dt_config_free(&c);
    }
}

static dt_config *parse(char const *text, dt_error *e, int *error)
{
    dt_config *c = NULL;

    *e = (dt_error){0};
    assert_int_equal(dt_config_new(&c, e), DT_OK);
    *error = dt_ini_parse(dt_bytes_str(text), "/etc/d.conf", c, e);
    assert_gathers(text, *error, e);
    return c;
}

static dt_config *parse_ok(char const *text)
{
    dt_error e;
    int error;
    dt_config *c = parse(text, &e, &error);

    if (error < 0)
        fail_msg("refused: %s", e.text);
    return c;
}

static bool lists_equal(dt_string_list const *a, dt_string_list const *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

/* Compares one field of two configs by its type. */
static bool fields_equal(dt_config const *a, dt_config const *b, dt_config_key const *k)
{
    void const *x = (char const *)a + k->offset;
    void const *y = (char const *)b + k->offset;

    switch (k->type) {
    case DT_CONFIG_STRING:
    case DT_CONFIG_URL:
    case DT_CONFIG_PATH:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case DT_CONFIG_GUID:
        return memcmp(x, y, sizeof(dt_guid)) == 0;
    case DT_CONFIG_OKTA_ID:
        return strcmp(x, y) == 0;
    case DT_CONFIG_BOOL:
        return *(bool const *)x == *(bool const *)y;
    case DT_CONFIG_DURATION:
        return *(dt_time const *)x == *(dt_time const *)y;
    case DT_CONFIG_INT:
    case DT_CONFIG_ENUM:
    case DT_CONFIG_BITS:
        return memcmp(x, y, sizeof(int)) == 0;
    case DT_CONFIG_LIST:
        return lists_equal(x, y);
    case DT_CONFIG_TRUSTED_WHEN:
        return a->device_trust.trusted_when_count == b->device_trust.trusted_when_count &&
               memcmp(x, y, sizeof(a->device_trust.trusted_when)) == 0;
    }
    return true;
}

/* Every key away from its default, and every field with it. */
static void flip_all(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);
    dt_config *flipped = parse_ok(everything);
    dt_config *defaults = NULL;

    (void)state;
    assert_int_equal(dt_config_new(&defaults, NULL), DT_OK);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, "client_secret_file") == 0)
            continue; /* goes without the certificate: see either_secret_or_certificate */
        if (strcmp(keys[i].section, "okta") == 0 &&
            strcmp(keys[i].name, "proxy_credentials_file") == 0)
            continue; /* goes with a proxy alone: see proxies */
        if (strcmp(keys[i].name, "service") == 0)
            continue; /* goes without much of the rest: see test_compliance_service.c */
        if (flipped->lines[i] == 0)
            fail_msg("the file does not flip [%s] %s", keys[i].section, keys[i].name);
        if (fields_equal(flipped, defaults, &keys[i]))
            fail_msg("[%s] %s did not move", keys[i].section, keys[i].name);
    }
    dt_config_free(&flipped);
    dt_config_free(&defaults);
}

static void either_secret_or_certificate(void **state)
{
    dt_config *c = parse_ok(OKTA "[intune]\ntenant_id = 00000000-1111-2222-3333-444444444444\n"
                                 "client_id = 55555555-6666-7777-8888-999999999999\n"
                                 "client_secret_file = /f/client.secret\n" TRUST);

    (void)state;
    assert_string_equal(c->intune.client_secret_file, "/f/client.secret");
    assert_string_equal(c->intune.key_file, "");
    dt_config_free(&c);
}

/* What is no address of a proxy, in every place that names one; and credentials for none. */
static void proxies(void **state)
{
    static struct {
        char const *section, *name;
    } const places[] = {
        {"http", "proxy"}, {"okta", "proxy"}, {"intune", "proxy"}, {"device_trust", "ocsp_proxy"}};
    static char const *const bad[] = {"proxy.example.com:3128",
                                      "proxy.example.com",
                                      "http://proxy.example.com",
                                      "https://proxy.example.com",
                                      "http://proxy.example.com:0",
                                      "http://proxy.example.com:65536",
                                      "http://proxy.example.com:",
                                      "http://proxy.example.com:3128/",
                                      "http://proxy.example.com:3128/path",
                                      "http://proxy.example.com:3128?a=b",
                                      "http://user:secret@proxy.example.com:3128",
                                      "socks5://proxy.example.com:1080",
                                      "ftp://proxy.example.com:21",
                                      "http://:3128",
                                      "http://[::1]",
                                      "http://pro xy:3128",
                                      "direct",
                                      "NONE"};
    static char const *const good[] = {"http://proxy.example.com:3128", "https://10.0.0.1:443",
                                       "http://[2001:db8::1]:80"};
    char text[1024];
    dt_error e;
    int error;

    (void)state;
    for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) + sizeof(good) / sizeof(good[0]) + 1;
             i++) {
            size_t bads = sizeof(bad) / sizeof(bad[0]), goods = sizeof(good) / sizeof(good[0]);
            char const *value = i < bads           ? bad[i]
                                : i < bads + goods ? good[i - bads]
                                                   : DT_PROXY_NONE;
            bool fine = i >= bads && (i < bads + goods || strcmp(places[p].section, "http") != 0);
            char line[256];
            bool of_okta = strcmp(places[p].section, "okta") == 0;
            bool of_trust = strcmp(places[p].section, "device_trust") == 0;
            snprintf(line, sizeof(line), "%s = %s\n", places[p].name, value);
            snprintf(text, sizeof(text),
                     OKTA "%s[device_trust]\ntrusted_when = certificate\nca_file = /s\n%s",
                     of_okta ? line : "", of_trust ? line : "");
            if (!of_okta && !of_trust)
                snprintf(text, sizeof(text),
                         OKTA "[%s]\n%s[device_trust]\ntrusted_when = certificate\n"
                              "ca_file = /s\n",
                         places[p].section, line);
            dt_config *c = parse(text, &e, &error);
            if (fine != (error == DT_OK))
                fail_msg("[%s] %s = %s: %d %s\n%s", places[p].section, places[p].name, value, error,
                         e.text, text);
            if (!fine)
                assert_non_null(strstr(e.text, "is not the address of a proxy; write http://"));
            dt_config_free(&c);
        }
    }
}

static void credentials_of_no_proxy(void **state)
{
    static char const *const texts[] = {
        OKTA "proxy_credentials_file = /s\n" INTUNE TRUST,
        OKTA "proxy = none\nproxy_credentials_file = /s\n" INTUNE TRUST,
        OKTA "proxy_credentials_file = /s\n[http]\nproxy = http://p:1\n" INTUNE TRUST,
        OKTA "[http]\nproxy_credentials_file = /s\n" INTUNE TRUST,
        OKTA INTUNE "proxy_credentials_file = /s\n" TRUST,
        OKTA INTUNE TRUST "ocsp_proxy_credentials_file = /s\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dt_error e;
        int error;
        dt_config *c = parse(texts[i], &e, &error);
        if (error != DT_E_INVALID ||
            strstr(e.text, "proxy_credentials_file: is set, but this section names no proxy") ==
                NULL)
            fail_msg("%zu: %d %s", i, error, e.text);
        dt_config_free(&c);
    }
}

static void values_arrive(void **state)
{
    dt_config *c = parse_ok(everything);

    (void)state;
    assert_string_equal(c->okta.org_url, "https://flip.okta.com");
    assert_string_equal(c->user_name.login_suffix, "@flip.example");
    assert_string_equal(c->user_name.realms, "FLIP -> @flip.example");
    assert_string_equal(c->user_name.table_file, "/f/names");
    assert_int_equal(c->okta.poll_interval, 500);
    assert_int_equal(c->okta.user_ttl, DT_DAYS(1));
    assert_int_equal(c->okta.stale_limit, DT_HOURS(2));
    assert_string_equal(c->intune.tenant_id.text, "0000000a-1111-2222-3333-444444444444");
    assert_int_equal(c->intune.assertion_alg, DT_ALG_RS256);
    assert_string_equal(c->intune.graph_url, "https://[2001:db8::1]:8443/prefix");
    assert_string_equal(c->intune.compliance_resource, "https://api.manage.example.com");
    assert_int_equal(c->device_trust.trusted_when_count, 3);
    assert_int_equal(c->device_trust.trusted_when[0], DT_SOURCE_VPN_CLIENT | DT_SOURCE_INTUNE);
    assert_int_equal(c->device_trust.trusted_when[1],
                     DT_SOURCE_CERTIFICATE | DT_SOURCE_VPN_CLIENT | DT_SOURCE_INTUNE);
    assert_int_equal(c->device_trust.platforms, DT_PLATFORM_IOS | DT_PLATFORM_LINUX);
    assert_int_equal(c->device_trust.trusted_when[2],
                     DT_SOURCE_SSH_KEY | DT_SOURCE_INTUNE | DT_SOURCE_CERTIFICATE);
    assert_true(c->device_trust.trust_in_grace_period);
    assert_true(c->device_trust.require_owner);
    assert_string_equal(c->device_trust.check_access_text,
                        "Ask the help desk: \"caf\xc3\xa9\" = first floor #3; or call.");
    assert_int_equal(c->mfa.factors, DT_FACTOR_TOTPS);
    assert_int_equal(c->mfa.push_limit, 0);
    assert_int_equal(c->mfa.message_limit, 0);
    assert_int_equal(c->daemon.local_services.count, 0);
    assert_int_equal(c->daemon.agent_services.count, 1);
    assert_string_equal(c->daemon.agent_services.items[0], "doas");
    assert_int_equal(c->daemon.session_services.count, 1);
    assert_int_equal(c->daemon.sshd_services.count, 2);
    assert_string_equal(c->daemon.sshd_services.items[1], "sshd_b");
    assert_false(c->audit.syslog);
    assert_int_equal(dt_config_line(c, "okta", "timeout"), 12);
    assert_int_equal(dt_config_line(c, "okta", "nonsense"), 0);
    dt_config_free(&c);
}

static void defaults_stand(void **state)
{
    dt_config *c = parse_ok(MINIMAL);

    (void)state;
    assert_string_equal(c->okta.api_token_file, "/etc/devtrust/okta.token");
    assert_string_equal(c->user_name.login_suffix, "");
    assert_string_equal(c->user_name.realms, "");
    assert_string_equal(c->user_name.table_file, "");
    assert_int_equal(c->okta.timeout, DT_SECONDS(10));
    assert_int_equal(c->okta.poll_interval, DT_SECONDS(4));
    assert_int_equal(c->okta.user_ttl, DT_MINUTES(10));
    assert_int_equal(c->okta.stale_limit, DT_HOURS(24));
    assert_int_equal(c->intune.assertion_alg, DT_ALG_PS256);
    assert_int_equal(c->intune.lookup_by, DT_LOOKUP_BY_INTUNE_ID | DT_LOOKUP_BY_ENTRA_ID);
    assert_string_equal(c->intune.graph_url, "https://graph.microsoft.com");
    assert_int_equal(c->device_trust.trusted_when_count, 2);
    assert_int_equal(c->device_trust.trusted_when[0], DT_SOURCE_CERTIFICATE | DT_SOURCE_INTUNE);
    assert_int_equal(c->device_trust.trusted_when[1], DT_SOURCE_SSH_KEY | DT_SOURCE_INTUNE);
    assert_int_equal(c->device_trust.platforms, DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE);
    assert_string_equal(c->device_trust.tenant_id.text, c->intune.tenant_id.text);
    assert_int_equal(c->device_trust.cache_ttl, DT_MINUTES(15));
    assert_int_equal(c->device_trust.negative_ttl, DT_MINUTES(1));
    assert_int_equal(c->device_trust.stale_limit, DT_HOURS(24));
    assert_int_equal(c->device_trust.max_sync_age, 0);
    assert_false(c->device_trust.trust_in_grace_period);
    assert_false(c->device_trust.require_owner);
    assert_int_equal(c->policy.unknown_device_as, DT_UNKNOWN_DENY);
    assert_int_equal(c->policy.okta_unavailable, DT_UNAVAILABLE_DENY);
    assert_false(c->policy.report_only);
    assert_false(c->policy.report_only_people);
    assert_int_equal(c->mfa.factors, DT_FACTOR_PUSH | DT_FACTOR_TOTPS);
    assert_int_equal(c->mfa.okta_way, DT_OKTA_WAY_FACTORS);
    assert_int_equal(c->mfa.number_challenge, DT_NUMBER_WHEN_SHOWN);
    assert_int_equal(c->mfa.passcode_attempts, 3);
    assert_int_equal(c->mfa.passcode_limit, 4);
    assert_int_equal(c->mfa.push_pause, DT_MINUTES(5));
    assert_int_equal(c->mfa.session_lifetime, DT_HOURS(8));
    assert_int_equal(c->store.size_limit, DT_STORE_SIZE_DEFAULT);
    assert_int_equal(c->mfa.push_limit, 6);
    assert_int_equal(c->mfa.message_limit, 5);
    assert_int_equal(c->mfa.push_limit_window, DT_MINUTES(10));
    assert_int_equal(c->mfa.wait_pam, DT_SECONDS(55));
    assert_int_equal(c->mfa.wait_vpn, DT_SECONDS(55));
    assert_int_equal(c->mfa.wait_wifi, DT_SECONDS(25));
    assert_int_equal(c->mfa.challenge_lifetime, DT_MINUTES(5));
    assert_int_equal(c->daemon.local_services.count, 9);
    assert_string_equal(c->daemon.local_services.items[3], "gdm-password");
    assert_string_equal(c->daemon.local_services.items[4], "lightdm");
    assert_int_equal(c->daemon.agent_services.count, 2);
    assert_string_equal(c->daemon.agent_services.items[0], "sudo");
    assert_int_equal(c->device_trust.agent_timeout, DT_SECONDS(10));
    assert_int_equal(c->daemon.lock_screen_services.count, 9);
    assert_string_equal(c->daemon.lock_screen_services.items[0], "xsecurelock");
    assert_int_equal(c->daemon.no_prompt_services.count, 18);
    assert_string_equal(c->daemon.no_prompt_services.items[0], "i3lock");
    assert_int_equal(dt_config_line(c, "okta", "timeout"), 0);
    dt_config_free(&c);
}

/* --- what is refused -------------------------------------------------------------------------- */

typedef struct refusal {
    char const *text;
    char const *where; /* how the message begins behind the file's name */
    char const *what;  /* what it holds */
} refusal;

static void expect_refusals(refusal const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dt_error e;
        int error;
        dt_config *c = parse(rows[i].text, &e, &error);

        if (error != DT_E_INVALID)
            fail_msg("row %zu was not refused (%d): %s", i, error, rows[i].text);
        assert_int_equal(e.code, DT_E_INVALID);
        if (strncmp(e.text, "/etc/d.conf", 11) != 0 ||
            strncmp(e.text + 11, rows[i].where, strlen(rows[i].where)) != 0 ||
            strstr(e.text, rows[i].what) == NULL)
            fail_msg("row %zu: wanted \"%s ... %s\", got \"%s\"", i, rows[i].where, rows[i].what,
                     e.text);
        dt_config_free(&c);
    }
}
#define EXPECT(rows) expect_refusals(rows, sizeof(rows) / sizeof(rows[0]))

static void lines_refused(void **state)
{
    static refusal const rows[] = {
        {"org_url = https://x.example\n", ":1: ", "before any section"},
        {"# c\n\n[okta]\norg_url = https://x.example\n[okta]\n", ":5: ", "duplicate section"},
        {"[okta]\n[mfa]\n[okta]\n", ":3: ", "duplicate section"},
        {"[nothing]\n", ":1: ", "unknown section"},
        {"[Okta]\n", ":1: ", "unknown section"},
        {"[ okta ]\n", ":1: ", "unknown section"},
        {"[]\n", ":1: ", "not closed"},
        {"[okta\n", ":1: ", "not closed"},
        {"[okta] org_url = https://x.example\n", ":1: ", "not closed"},
        {"[okta] ; mine\n", ":1: ", "not closed"},
        {"[okta]x]\n", ":1: ", "unknown section"},
        {"[this section's name is much longer than inih's limit of fifty]\n",
         ":1: ", "unknown section"},
        {OKTA "  timeout = 5s\n", ":3: ", "indented"},
        {OKTA "\ttimeout = 5s\n", ":3: ", "indented"},
        {OKTA "timeout\n", ":3: ", "neither"},
        {OKTA "timeout 5s\n", ":3: ", "neither"},
        {OKTA "timeout: 5s\n", ":3: ", "neither"},
        {OKTA "timeout: 5s = 6s\n", ":3: ", "neither"},
        {OKTA "= 5s\n", ":3: ", "neither"},
        {OKTA "timeout = 5s ; short\n", ":3: ", "semicolon"},
        {OKTA "timeout = 5s\t;short\n", ":3: ", "semicolon"},
        {OKTA "timeout = ;\n", ":3: ", "semicolon"},
        {OKTA "timeout = 5s # short\n", ":3: [okta] timeout: ", "not a duration"},
        {OKTA "timeout = 5s\ntimeout = 6s\n",
         ":4: [okta] timeout: ", "duplicate key, first set in line 3"},
        {OKTA "time_out = 5s\n", ":3: [okta] time_out: ", "unknown key"},
        {OKTA "Timeout = 5s\n", ":3: [okta] Timeout: ", "use \"timeout\""},
        {OKTA "wait_pam = 5s\n", ":3: [okta] wait_pam: ", "section [mfa]"},
        {OKTA "login_suffix = @example.com\n", ":3: [okta] login_suffix: ", "section [user_name]"},
        {OKTA "\x1b[31m = 5s\n", ":3: [okta] \\x1b[31m: ", "unknown key"},
        {"[okta]\n[user_name]\nlogin_suffix = @a\x07.example\n",
         ":3: [user_name] login_suffix: ", "control"},
        {"[okta]\n[user_name]\nlogin_suffix = @\xff.example\n",
         ":3: [user_name] login_suffix: ", "UTF-8"},
        {"[okta]\n[user_name]\nlogin_suffix = @\xe2\x80\xae.example\n",
         ":3: [user_name] login_suffix: ", "control"},
        {"\xef\xbb\xbf[okta]\n", ":1: ", "byte order mark"},
        {"\xff\xfe[okta]\n", ":1: ", "iconv -f UTF-16"},
        {OKTA "timeoot = 5s\n", ":3: ", "did you mean \"timeout\"?"},
        {"[okat]\n", ":1: ", "did you mean \"okta\"?"},
    };

    (void)state;
    EXPECT(rows);
}

static void lengths_refused(void **state)
{
    char text[8192];
    char filler[4096];
    dt_error e;
    int error;
    dt_config *c;

    (void)state;
    memset(filler, 'x', sizeof(filler));
    for (int len = 190; len < 4000; len += 7) {
        snprintf(text, sizeof(text), MINIMAL "check_access_text = %.*s\n", len, filler);
        c = parse(text, &e, &error);
        if (len <= 300) {
            assert_int_equal(error, DT_OK);
            assert_int_equal(strlen(c->device_trust.check_access_text), len);
        } else {
            assert_int_equal(error, DT_E_INVALID);
            assert_non_null(strstr(e.text, "/etc/d.conf:10: "));
            assert_non_null(strstr(e.text, "too long"));
        }
        dt_config_free(&c);
    }
    /* Also a comment: what is behind its cut would be read as a line of its own. */
    snprintf(text, sizeof(text), "#%.*s\n" MINIMAL, 2000, filler);
    c = parse(text, &e, &error);
    assert_int_equal(error, DT_E_INVALID);
    assert_non_null(strstr(e.text, "/etc/d.conf:1: the line is too long"));
    dt_config_free(&c);
}

static void nul_bytes_refused(void **state)
{
    static char const text[] = OKTA "timeout = 5s\0\nuser_ttl = 1m\n";
    static char const hidden[] = "#\0\n" MINIMAL;
    dt_error e = {0};
    dt_config *c = NULL;

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_ini_parse(dt_bytes_of(text, sizeof(text) - 1), "f", c, &e), DT_E_INVALID);
    assert_non_null(strstr(e.text, "f:3: the file contains a NUL byte"));
    dt_config_free(&c);
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_ini_parse(dt_bytes_of(hidden, sizeof(hidden) - 1), "f", c, &e),
                     DT_E_INVALID);
    assert_non_null(strstr(e.text, "f:1: the file contains a NUL byte"));
    dt_config_free(&c);
}

static void line_ends(void **state)
{
    dt_config *c = parse_ok("[okta]\r\norg_url = https://example.okta.com\r\n" INTUNE TRUST
                            "; comment\n   \n  # indented comment\ncache_ttl=16m");

    (void)state;
    assert_string_equal(c->okta.org_url, "https://example.okta.com");
    assert_int_equal(c->device_trust.cache_ttl, DT_MINUTES(16));
    dt_config_free(&c);
}

static refusal const bad_values[] = {
    /* times */
    {OKTA "timeout = 5\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 5 s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = -5s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = +5s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 5S\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 5.5s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 5w\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout =\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 99999999999999999999s\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 9223372036854775807d\n", ":3: [okta] timeout: ", "not a duration"},
    {OKTA "timeout = 0\n", ":3: [okta] timeout: ", "from 100ms to 1m"},
    {OKTA "timeout = 99ms\n", ":3: [okta] timeout: ", "from 100ms to 1m"},
    {OKTA "timeout = 61s\n", ":3: [okta] timeout: ", "from 100ms to 1m"},
    {OKTA "[mfa]\nwait_pam = 61s\n", ":4: [mfa] wait_pam: ", "from 1s to 1m"},
    {OKTA "[mfa]\nwait_vpn = 56s\n", ":4: [mfa] wait_vpn: ", "from 1s to 55s"},
    {OKTA "[mfa]\nwait_wifi = 26s\n", ":4: [mfa] wait_wifi: ", "from 1s to 25s"},
    {OKTA "[device_trust]\nstale_limit = 31d\n",
     ":4: [device_trust] stale_limit: ", "from 0 to 30d"},
    /* numbers */
    {OKTA "[mfa]\npush_limit = -1\n", ":4: [mfa] push_limit: ", "not a number"},
    {OKTA "[mfa]\npush_limit = 1e3\n", ":4: [mfa] push_limit: ", "not a number"},
    {OKTA "[mfa]\npush_limit = 0x10\n", ":4: [mfa] push_limit: ", "not a number"},
    {OKTA "[mfa]\npush_limit =\n", ":4: [mfa] push_limit: ", "not a number"},
    {OKTA "[mfa]\npush_limit = 1001\n", ":4: [mfa] push_limit: ", "from 0 to 1000"},
    {OKTA "[mfa]\npush_limit = 18446744073709551617\n", ":4: [mfa] push_limit: ", "number"},
    {OKTA "[mfa]\npasscode_limit = 0\n", ":4: [mfa] passcode_limit: ", "from 1 to 100"},
    {OKTA "[mfa]\npush_pause = 25h\n", ":4: [mfa] push_pause: ", "from 0 to 1d"},
    {OKTA "[mfa]\nsession_lifetime = 25h\n", ":4: [mfa] session_lifetime: ", "from 0 to 1d"},
    {OKTA "[sessions]\nrecheck = 25h\n", ":4: [sessions] recheck: ", "from 0 to 1d"},
    {OKTA "[sessions]\nlifetime = 59s\n", ":4: [sessions] lifetime: ", "from 1m to 31d"},
    {OKTA "[sessions]\non_loss = kick\n", ":4: [sessions] on_loss: ", "disconnect"},
    {OKTA "[store]\nsize_limit = 3\n", ":4: [store] size_limit: ", "from 4 to 65536"},
    {OKTA "[mfa]\npasscode_attempts = 0\n", ":4: [mfa] passcode_attempts: ", "from 1 to 10"},
    /* yes or no */
    {OKTA "[audit]\nsyslog = true\n", ":4: [audit] syslog: ", "yes nor no"},
    {OKTA "[audit]\nsyslog = Yes\n", ":4: [audit] syslog: ", "yes nor no"},
    {OKTA "[audit]\nsyslog =\n", ":4: [audit] syslog: ", "yes nor no"},
    {OKTA "[audit]\nsyslog = yes no\n", ":4: [audit] syslog: ", "yes nor no"},
    /* words */
    {OKTA "[policy]\nunknown_device_as = allow\n",
     ":4: [policy] unknown_device_as: ", "one of: deny, not_trusted"},
    {OKTA "[policy]\nunknown_device_as = DENY\n", ":4: [policy] unknown_device_as: ", "deny"},
    {OKTA "[policy]\nokta_unavailable =\n", ":4: [policy] okta_unavailable: ", "one of:"},
    {OKTA "[mfa]\nfactors = webauthn\n", ":4: [mfa] factors: ", "\"webauthn\""},
    {OKTA "[mfa]\nfactors =\n", ":4: [mfa] factors: ", "push"},
    {OKTA "[mfa]\nfactors = push,\n", ":4: [mfa] factors: ", "push"},
    {OKTA "[mfa]\nfactors = push, push\n", ":4: [mfa] factors: ", "twice"},
    {OKTA "[mfa]\nfactors = token:software:totp, token:software:totp/OKTA\n",
     ":4: [mfa] factors: ", "twice"},
    {OKTA "[mfa]\nfactors = token:software:totp/RSA\n", ":4: [mfa] factors: ", "RSA"},
    {OKTA "[mfa]\nfactors = push/GOOGLE\n", ":4: [mfa] factors: ", "push/GOOGLE"},
    {OKTA "[device_trust]\nplatforms = all, linux\n", ":4: [device_trust] platforms: ", "twice"},
    {OKTA "[device_trust]\nplatforms = beos\n", ":4: [device_trust] platforms: ", "\"beos\""},
    /* trusted_when */
    {OKTA "[device_trust]\ntrusted_when =\n",
     ":4: [device_trust] trusted_when: ", "one of: certificate, ssh-key, intune, vpn-client"},
    {OKTA "[device_trust]\ntrusted_when = certificate,\n",
     ":4: [device_trust] trusted_when: ", "one of"},
    {OKTA "[device_trust]\ntrusted_when = certificate+\n",
     ":4: [device_trust] trusted_when: ", "one of"},
    {OKTA "[device_trust]\ntrusted_when = certificate intune\n",
     ":4: [device_trust] trusted_when: ", "\"certificate intune\""},
    {OKTA "[device_trust]\ntrusted_when = anything\n",
     ":4: [device_trust] trusted_when: ", "\"anything\""},
    {OKTA "[device_trust]\ntrusted_when = certificate+certificate\n",
     ":4: [device_trust] trusted_when: ", "twice"},
    {OKTA "[device_trust]\ntrusted_when = certificate+intune, intune+certificate\n",
     ":4: [device_trust] trusted_when: ", "same alternative twice"},
    {OKTA "[device_trust]\ntrusted_when = certificate, intune\n",
     ":4: [device_trust] trusted_when: ", "\"intune\" alone"},
    {OKTA "[device_trust]\ntrusted_when = certificate, ssh-key, vpn-client, "
          "certificate+ssh-key, certificate+intune, ssh-key+intune, vpn-client+intune, "
          "certificate+vpn-client, ssh-key+vpn-client\n",
     ":4: [device_trust] trusted_when: ", "at most 8"},
    /* paths */
    {OKTA "ca_file = ca.pem\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = /\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = /a//b\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = /a/./b\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = /a/../b\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = /a/\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "ca_file = \"/a\"\n", ":3: [okta] ca_file: ", "absolute path"},
    {OKTA "api_token_file =\n", ":3: [okta] api_token_file: ", "is empty"},
    {OKTA "[store]\npath =\n", ":4: [store] path: ", "is empty"},
    {OKTA "[daemon]\nsocket = /" /* 108 bytes: one more than sun_path holds */
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaa\n",
     ":4: [daemon] socket: ", "at most 107"},
    /* credentials of systemd */
    {OKTA "ca_file = credential:ca\n", ":3: [okta] ca_file: ", "is not a secret"},
    {OKTA "api_token_file = credential:\n", ":3: [okta] api_token_file: ", "credential:NAME"},
    {OKTA "api_token_file = credential:../x\n", ":3: [okta] api_token_file: ", "credential:NAME"},
    {OKTA "api_token_file = credential:a/b\n", ":3: [okta] api_token_file: ", "credential:NAME"},
    {OKTA "api_token_file = credential:.a\n", ":3: [okta] api_token_file: ", "credential:NAME"},
    {OKTA "api_token_file = Credential:a\n", ":3: [okta] api_token_file: ", "absolute path"},
    /* GUIDs */
    {OKTA "[intune]\ntenant_id = contoso.example\n", ":4: [intune] tenant_id: ", "GUID"},
    {OKTA "[intune]\ntenant_id = 00000000-0000-0000-0000-000000000000\n",
     ":4: [intune] tenant_id: ", "GUID"},
    {OKTA "[intune]\ntenant_id = 00000000-1111-2222-3333-44444444444\n",
     ":4: [intune] tenant_id: ", "GUID"},
    /* services */
    {OKTA "[daemon]\nsshd_services = ssh d\n", ":4: [daemon] sshd_services: ", "PAM services"},
    {OKTA "[daemon]\nsshd_services = SSHD\n", ":4: [daemon] sshd_services: ", "lower-case"},
    {OKTA "[daemon]\nsshd_services = ../sshd\n", ":4: [daemon] sshd_services: ", "PAM"},
    {OKTA "[daemon]\nsshd_services = sshd,,ssh\n", ":4: [daemon] sshd_services: ", "PAM"},
    {OKTA "[daemon]\nsshd_services = ,\n", ":4: [daemon] sshd_services: ", "PAM"},
    {OKTA "[daemon]\nsshd_services = a, b, a\n", ":4: [daemon] sshd_services: ", "\"a\""},
    {OKTA "[daemon]\nsshd_services = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,"
          "0,1,2,3,4,5,6\n",
     ":4: [daemon] sshd_services: ", "at most 32"},
};

static void values_refused(void **state)
{
    (void)state;
    EXPECT(bad_values);
}

static void urls_refused(void **state)
{
    static char const *const urls[] = {
        "",
        "example.okta.com",
        "http://example.okta.com",
        "HTTPS://example.okta.com",
        "https:/example.okta.com",
        "https://",
        "https:///x",
        "https://user@example.okta.com",
        "https://user:secret@example.okta.com",
        "https://example.okta.com?x=1",
        "https://example.okta.com/?x=1",
        "https://example.okta.com#x",
        "https://example.okta.com:",
        "https://example.okta.com:0",
        "https://example.okta.com:65536",
        "https://example.okta.com:044",
        "https://example.okta.com:99999999999999999999",
        "https://example.okta.com:x",
        "https://example..com",
        "https://.example.com",
        "https://-example.com",
        "https://example.com-",
        "https://exa mple.com",
        "https://ex\xc3\xa4mple.com",
        "https://example.com//",
        "https://example.com/a//b",
        "https://example.com/../b",
        "https://example.com/%2e%2e",
        "https://example.com\\x",
        "https://[::1",
        "https://[]",
        "https://[::g]",
        "https://[::1]x",
        "https://example.okta.com/api",
        "https://example-admin.okta.com",
        "https://EXAMPLE-ADMIN.okta.com:443/",
        "https://example-admin.oktapreview.com",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char text[1024];
        dt_error e;
        int error;
        dt_config *c;

        snprintf(text, sizeof(text), "[okta]\norg_url = %s\n" INTUNE TRUST, urls[i]);
        c = parse(text, &e, &error);
        if (error != DT_E_INVALID)
            fail_msg("accepted: %s", urls[i]);
        assert_non_null(strstr(e.text, "/etc/d.conf:2: [okta] org_url: "));
        dt_config_free(&c);
    }
}

static refusal const between_keys[] = {
    {"", ": [okta] org_url: ", "is missing"},
    {"# nothing\n", ": [okta] org_url: ", "is missing"},
    {OKTA, ": [intune] tenant_id: ", "trusted_when names intune"},
    {OKTA "native_client_id = 0ob1\n", ":3: [okta] native_client_id: ", "not the client id"},
    {OKTA "native_client_id = 0oa\n", ":3: [okta] native_client_id: ", "not the client id"},
    {OKTA "native_client_id = 0oa1-2\n", ":3: [okta] native_client_id: ", "not the client id"},
    {OKTA "native_client_id = x0oa1\n", ":3: [okta] native_client_id: ", "not the client id"},
    {OKTA "native_client_id = 0oa1&scope=x\n",
     ":3: [okta] native_client_id: ", "not the client id"},
    {OKTA INTUNE TRUST "[mfa]\nfactors = push, browser\nokta_way = browser\n",
     ":12: [mfa] okta_way: ", "set [okta] native_client_id"},
    {OKTA "native_client_id = 0oa1\n" INTUNE TRUST "[mfa]\nokta_way = browser\n",
     ":12: [mfa] okta_way: ", "add browser to factors"},
    {OKTA "native_client_id = 0oa1\n" INTUNE TRUST "[application vpn]\nokta_way = browser\n",
     ":11: [application vpn]: ", "add browser to factors"},
    {OKTA "client_id = 0oa1\nkey_file = /k\nnative_client_id = 0oa1\n",
     ":5: [okta] native_client_id: ", "is the service app of client_id"},
    {OKTA "[intune]\ntenant_id = 00000000-1111-2222-3333-444444444444\n",
     ": [intune] client_id: ", "is missing"},
    {OKTA "[intune]\nkey_file = /k\n[device_trust]\ntrusted_when = certificate\nca_file=/c\n",
     ": [intune] tenant_id: ", "or none of them"},
    {OKTA "[intune]\ntenant_id = 00000000-1111-2222-3333-444444444444\n"
          "client_id = devtrust\ncertificate_file = /c\nkey_file = /k\n" TRUST,
     ":5: [intune] client_id: ", "not a GUID"},
    {OKTA INTUNE "client_secret_file = /s\n" TRUST,
     ":8: [intune] client_secret_file: ", "the secret or, better, the certificate"},
    {OKTA "[intune]\nclient_secret_file = /s\n" TRUST, ": [intune] tenant_id: ", "is missing"},
    {OKTA "[intune]\ntenant_id = 00000000-1111-2222-3333-444444444444\n"
          "client_secret_file = /s\n" TRUST,
     ": [intune] client_id: ", "is missing"},
    {MINIMAL "require_owner = yes\ntrusted_when = certificate\n",
     ":10: [device_trust] require_owner: ", "lacks intune"},
    {MINIMAL "require_owner = yes\ntrusted_when = certificate+intune, ssh-key\n",
     ":10: [device_trust] require_owner: ", "lacks intune"},
    {OKTA INTUNE, ": [device_trust] trusted_when: ", "no CA"},
    {OKTA "[device_trust]\ntrusted_when = ssh-certificate\n",
     ": [device_trust] ssh_device_ca_file: ", "is missing"},
    {OKTA "[device_trust]\nssh_device_ca_file = /s\ntrusted_when = ssh-certificate\n"
          "ssh_certificate_device_id = serial\n",
     ":6: [device_trust] ssh_certificate_device_id: ", "extension:NAME"},
    {OKTA "[device_trust]\nssh_device_ca_file = /s\ntrusted_when = ssh-certificate\n"
          "ssh_certificate_device_id = extension:\n",
     ":6: [device_trust] ssh_certificate_device_id: ", "extension:NAME"},
    {OKTA "[device_trust]\ntrusted_when = registry\n",
     ":4: [device_trust] trusted_when: ", "without a source that proves a key"},
    {OKTA INTUNE "[device_trust]\ntrusted_when = vpn-client+registry\n",
     ":9: [device_trust] trusted_when: ", "without a source that proves a key"},
    {OKTA "[device_trust]\ntrusted_when = ssh-key+registry\nplatforms = linux\n",
     ":5: [device_trust] platforms: ", "add intune"},
    {OKTA "[device_trust]\ntrusted_when = certificate\nshared_ca_file = /s\n",
     ": [device_trust] tenant_id: ", "is missing"},
    {MINIMAL "tenant_id = 00000000-1111-2222-3333-444444444445\n",
     ":10: [device_trust] tenant_id: ", "same tenant"},
    {MINIMAL "host_key_file = /k\n", ": [device_trust] host_certificate_file: ", "missing"},
    {MINIMAL "host_certificate_file = /k\n", ": [device_trust] host_key_file: ", "missing"},
    {MINIMAL "managed_configuration_file = /k\n",
     ": [device_trust] management_hint_file: ", "missing"},
    {MINIMAL "revocation = soft\n", ": [device_trust] crl_file: ", "missing"},
    {MINIMAL "crl_file = /crl\n", ": [device_trust] revocation: ", "is off"},
    {MINIMAL "ocsp = yes\n", ": [device_trust] revocation: ", "is off"},
    {MINIMAL "ocsp_url = http://x\n", ": [device_trust] ocsp: ", "is no"},
    {MINIMAL "ocsp_responder_file = /r\n", ": [device_trust] ocsp: ", "is no"},
    {MINIMAL "ocsp = yes\nrevocation = soft\nocsp_url = ftp://x\n",
     ":12: [device_trust] ocsp_url: ", "not an http"},
    {MINIMAL "ocsp = yes\nrevocation = soft\nocsp_url = http://u:p@x/\n",
     ":12: [device_trust] ocsp_url: ", "not an http"},
    {MINIMAL "management_hint_file = /k\n",
     ": [device_trust] managed_configuration_file: ", "missing"},
    {MINIMAL "platforms = linux\ntrusted_when = certificate+intune, ssh-key\n",
     ":10: [device_trust] platforms: ", "add intune"},
    {MINIMAL "[sessions]\nrecheck = 4999ms\n", ":11: [sessions] recheck: ", "at least 5s"},
    {MINIMAL "stale_limit = 14m\n", ":10: [device_trust] stale_limit: ", "cache_ttl"},
    {MINIMAL "cache_ttl = 25h\n", ": [device_trust] stale_limit: ", "cache_ttl"},
    {MINIMAL "negative_ttl = 16m\n", ":10: [device_trust] negative_ttl: ", "cache_ttl"},
    {MINIMAL "[audit]\nfile =\nsyslog = no\n", ":12: [audit] syslog: ", "recorded nowhere"},
    {MINIMAL "[daemon]\nsshd_services = sshd, sudo\n",
     ": [daemon] local_services: ", "every device trusted"},
    {MINIMAL "[daemon]\nlocal_services = login, sshd\n",
     ":11: [daemon] local_services: ", "every device trusted"},
    {MINIMAL "[daemon]\nagent_services = sudo, sshd\n",
     ":11: [daemon] agent_services: ", "no agent exists yet"},
    {MINIMAL "[daemon]\nlock_screen_services = kde\nagent_services = kde\n",
     ":12: [daemon] agent_services: ", "from root only"},
    {MINIMAL "trusted_when = ssh-agent+intune\n[daemon]\nagent_services =\n",
     ":12: [daemon] agent_services: ", "names ssh-agent"},
    {MINIMAL "[daemon]\nsession_services = sudo, sshd\n",
     ":11: [daemon] session_services: ", "not in one yet"},
    {MINIMAL "[daemon]\nlock_screen_services = kde\nsession_services = kde\n",
     ":12: [daemon] session_services: ", "from root only"},
    {MINIMAL "[message PROMPT_NUMBER]\ntext = Nummer\n",
     ":11: [message PROMPT_NUMBER] text: ", "must contain {number}"},
    {MINIMAL "[message RULE_DENY]\nios = nein\n",
     ":11: [message RULE_DENY] ios: ", "the same on all platforms"},
    {MINIMAL "[message PROMPT_NOTHING]\ntext = x\n", ":10: [message PROMPT_NOTHING]", "unknown"},
    {MINIMAL "[daemon]\nlock_screen_services = sshd\n",
     ":11: [daemon] lock_screen_services: ", "claim"},
    {MINIMAL "[user_name]\nlogin_suffix = example.com\n",
     ":11: [user_name] login_suffix: ", "at sign"},
    {MINIMAL "[user_name]\nlogin_suffix = @\n", ":11: [user_name] login_suffix: ", "at sign"},
    {MINIMAL "[user_name]\nlogin_suffix = @a/../b\n", ":11: [user_name] login_suffix: ", "at sign"},
    {MINIMAL "[user_name]\nrealms = EXAMPLE @example.com\n",
     ":11: [user_name] realms: ", "use the form EXAMPLE -> @example.com"},
    {MINIMAL "[user_name]\nrealms = A -> @a.example, a -> @b.example\n",
     ":11: [user_name] realms: ", "twice"},
};

static void rules_between_keys(void **state)
{
    (void)state;
    EXPECT(between_keys);
}

#define VPN "[application vpn]\n"

static void rules_that_hold(void **state)
{
    static char const *const texts[] = {
        MINIMAL "platforms = linux, windows\n",
        MINIMAL "platforms = linux\ntrusted_when = vpn-client, certificate+intune\n",
        MINIMAL "[audit]\nfile =\n",
        MINIMAL "ocsp = yes\nrevocation = require\n",
        MINIMAL "ocsp = yes\nrevocation = soft\ncrl_file = /crl\nocsp_url = http://[::1]:8080/\n",
        MINIMAL "[audit]\nsyslog = no\n",
        MINIMAL "[sessions]\nrecheck = 0s\n",
        MINIMAL "[sessions]\nrecheck = 5s\n",
        MINIMAL "stale_limit = 15m\nnegative_ttl = 15m\n",
        MINIMAL "cache_ttl = 0\nnegative_ttl = 0s\nstale_limit = 0\n",
        MINIMAL "[daemon]\nlock_screen_services = gdm-password\n",
        MINIMAL "tenant_id = 00000000-1111-2222-3333-444444444444\n",
        MINIMAL "[primary]\nokta_password = vpn\n[mfa]\nokta_way = authn\n",
        MINIMAL "[primary]\nokta_password = vpn\n" VPN "okta_way = authn\n",
        MINIMAL "[primary]\nokta_password = vpn\n[mfa]\nokta_way = authn\n[application sshd]\n"
                "okta_way = factors\n",
        OKTA "native_client_id = 0oa1native\n" INTUNE TRUST "[mfa]\nokta_way = direct\n",
        OKTA "native_client_id = 0oa1native\n" INTUNE TRUST VPN "okta_way = direct\n",
        OKTA "[device_trust]\ntrusted_when = vpn-client\n",
        OKTA "[device_trust]\ntrusted_when = certificate\n[ca a]\ncertificate_file = /a\n",
        OKTA "[device_trust]\ntrusted_when = certificate\nca_file = /c\n",
        OKTA "[device_trust]\ntrusted_when = certificate\nshared_ca_file = /c\n"
             "tenant_id = 00000000-1111-2222-3333-444444444445\n",
        OKTA INTUNE "[device_trust]\ntrusted_when = certificate\nca_file = /c\n"
                    "tenant_id = 00000000-1111-2222-3333-444444444445\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dt_config *c = parse_ok(texts[i]);
        dt_config_free(&c);
    }
}

/* --- sections with a name ---------------------------------------------------------------------- */

#define CA "[ca a]\ncertificate_file = /a\n"
#define NAS "[nas a]\nsecret_file = /s\n"
#define TRANSMITTER "[transmitter a]\nissuer = https://tr.example\ntoken_file = /t\n"

static refusal const sections_with_a_name[] = {
    {"[application]\n", ":1: ", "write [application NAME]"},
    {"[application ]\n", ":1: ", "write [application NAME]"},
    {"[application  vpn]\n", ":1: ", "write [application NAME]"},
    {"[application vpn ]\n", ":1: ", "write [application NAME]"},
    {"[application\tvpn]\n", ":1: ", "unknown section"},
    {"[application .vpn]\n", ":1: ", "write [application NAME]"},
    {"[application -vpn]\n", ":1: ", "write [application NAME]"},
    {"[application ../vpn]\n", ":1: ", "write [application NAME]"},
    {"[application v/pn]\n", ":1: ", "write [application NAME]"},
    {"[application \"vpn\"]\n", ":1: ", "write [application NAME]"},
    {"[application vpn wifi]\n", ":1: ", "write [application NAME]"},
    {"[application \xc3\xa9]\n", ":1: ", "write [application NAME]"},
    {"[application a234567890123456789012345678901234567890123456789012345678901234]\n",
     ":1: ", "write [application NAME]"},
    {"[Application vpn]\n", ":1: ", "unknown section"},
    {"[applications vpn]\n", ":1: ", "unknown section"},
    {"[okta vpn]\n", ":1: ", "unknown section"},
    {"[device_trust vpn]\n", ":1: ", "unknown section"},
    {VPN "platforms = ios\n[okta]\n" VPN, ":4: ", "duplicate section"},
    {MINIMAL VPN, ":10: [application vpn]: ", "is empty"},
    {MINIMAL VPN "[application wifi]\nplatforms = all\n", ":10: [application vpn]: ", "is empty"},
    {VPN "ca_file = /c\n", ":2: [application vpn] ca_file: ", "unknown key"},
    {VPN "tenant_id = 00000000-1111-2222-3333-444444444444\n",
     ":2: [application vpn] tenant_id: ", "unknown key"},
    {VPN "org_url = https://x.example\n", ":2: [application vpn] org_url: ", "unknown key"},
    {VPN "Platforms = ios\n", ":2: [application vpn] Platforms: ", "unknown key"},
    {VPN "\x1b[31m = 5s\n", ":2: [application vpn] \\x1b[31m: ", "unknown key"},
    {VPN "platforms = ios\nplatforms = ios\n",
     ":3: [application vpn] platforms: ", "first set in line 2"},
    {VPN "platforms =\n", ":2: [application vpn] platforms: ", "one of"},
    {VPN "platforms = ios, ios\n", ":2: [application vpn] platforms: ", "once"},
    {VPN "trusted_when =\n", ":2: [application vpn] trusted_when: ", "one of"},
    {VPN "trusted_when = intune\n", ":2: [application vpn] trusted_when: ", "alone"},
    {VPN "trusted_when = registry\n",
     ":2: [application vpn] trusted_when: ", "without a source that proves a key"},
    {MINIMAL VPN "okta_way = authn\n",
     ":10: [application vpn]: with these settings, [mfa] okta_way needs ",
     "name the application in [primary] okta_password"},
    {MINIMAL "[primary]\nokta_password = login\n" VPN "okta_way = authn\n",
     ":12: [application vpn]: with these settings, [mfa] okta_way needs ",
     "name the application in [primary] okta_password"},
    {MINIMAL "[mfa]\nokta_way = authn\n", ":11: [mfa] okta_way: needs ",
     "name the application in [primary] okta_password"},
    {MINIMAL "[primary]\nokta_password = vpn\n[mfa]\nokta_way = authn\n[application sshd]\n"
             "max_sync_age = 1d\n",
     ":14: [application sshd]: with these settings, [mfa] okta_way needs ",
     "name the application in [primary] okta_password"},
    {MINIMAL "[mfa]\nokta_way = direct\n", ":11: [mfa] okta_way: is direct",
     "set [okta] native_client_id"},
    {MINIMAL VPN "okta_way = direct\n",
     ":10: [application vpn]: with these settings, [mfa] okta_way is direct",
     "set [okta] native_client_id"},
    {VPN "okta_way =\n", ":2: [application vpn] okta_way: ", "one of"},
    {VPN "okta_way = Authn\n", ":2: [application vpn] okta_way: ", "one of"},
    {VPN "okta_way = factors, authn\n", ":2: [application vpn] okta_way: ", "one of"},
    {VPN "okta_app = vpn/users\n", ":2: [application vpn] okta_app: ", "id of Okta"},
    {VPN "okta_app = 0oa1 \"vpn\"\n", ":2: [application vpn] okta_app: ", "id of Okta"},
    {VPN "okta_app = ..\n", ":2: [application vpn] okta_app: ", "id of Okta"},
    {VPN "okta_app = 0oa4567890123456789012345678901234567890123456789012345678901234\n",
     ":2: [application vpn] okta_app: ", "id of Okta"},
    {VPN "require_owner = maybe\n", ":2: [application vpn] require_owner: ", "yes"},
    {VPN "max_sync_age = 366d\n", ":2: [application vpn] max_sync_age: ", "365d"},
    {"[ca]\n", ":1: ", "write [ca NAME]"},
    {"[ca a b]\n", ":1: ", "write [ca NAME]"},
    {MINIMAL CA "[ca a]\ncertificate_file = /b\n", ":12: ", "duplicate section"},
    {MINIMAL "[ca a]\n", ":10: [ca a] certificate_file: ", "is missing"},
    {MINIMAL "[ca a]\ncertificate_file =\n", ":11: [ca a] certificate_file: ", "is empty"},
    {MINIMAL "[ca a]\ncertificate_file = a.pem\n", ":11: [ca a] certificate_file: ", "absolute"},
    {MINIMAL CA "ca_file = /c\n", ":12: [ca a] ca_file: ", "unknown key"},
    {MINIMAL CA "tenant_id = mine\n", ":12: [ca a] tenant_id: ", "not a GUID"},
    {MINIMAL CA "device_id =\n", ":12: [ca a] device_id: ", "one of"},
    {MINIMAL CA "device_id = serial\n", ":12: [ca a] device_id: ", "one of"},
    {MINIMAL CA "keys =\n", ":12: [ca a] keys: ", "one of"},
    {MINIMAL CA "keys = rsa, dsa\n", ":12: [ca a] keys: ", "one of"},
    {MINIMAL CA "rsa_bits_min = 1024\n", ":12: [ca a] rsa_bits_min: ", "2048"},
    {MINIMAL CA "rsa_bits_min = 8193\n", ":12: [ca a] rsa_bits_min: ", "8192"},
    {MINIMAL CA "extended_key_usage =\n", ":12: [ca a] extended_key_usage: ", "is empty"},
    {MINIMAL CA "revocation = maybe\n", ":12: [ca a] revocation: ", "one of"},
    {MINIMAL CA "revocation = require\n", ": [ca a] crl_file: ", "is missing"},
    {MINIMAL CA "crl_file = /crl\n", ": [ca a] revocation: ", "is off"},
    {MINIMAL CA "ocsp = yes\n", ": [ca a] revocation: ", "is off"},
    {MINIMAL CA "revocation = soft\nocsp = yes\nocsp_url = ftp://x/\n",
     ":14: [ca a] ocsp_url: ", "not an http"},
    {MINIMAL CA "revocation = soft\ncrl_file = /c\nocsp_url = http://x/\n",
     ": [ca a] ocsp: ", "ocsp_url is set"},
    {MINIMAL CA "device_id = serial-number\n", ": [intune] lookup_by: ", "lacks serial"},
    {MINIMAL CA "device_id = ms-organization-access\n",
     ": [ca a] tenant_id: ", "signs for every tenant"},
    {MINIMAL CA "device_id = san-uri, common-name, entra-common-name\n",
     ":12: [ca a] device_id: ", "Intune's or Entra's id"},
    {"[intune]\nlookup_by = intune-id\n" OKTA "[device_trust]\nca_file = /c\n"
     "trusted_when = certificate\n" CA "device_id = entra-common-name\n",
     ":2: [intune] lookup_by: ", "lacks entra-id"},
    {MINIMAL CA "keys = p256\nrsa_bits_min = 4096\n",
     ":13: [ca a] rsa_bits_min: ", "does not name rsa"},
    {MINIMAL "[signals]\nlisten = 0.0.0.0:8931\n", ":11: [signals] listen: ", "this host alone"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1\n", ":11: [signals] listen: ", "with a port"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:0\n", ":11: [signals] listen: ", "with a port"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:65536\n", ":11: [signals] listen: ", "with a port"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:80x\n", ":11: [signals] listen: ", "with a port"},
    {MINIMAL "[signals]\nlisten = [::]:8931\n", ":11: [signals] listen: ", "this host alone"},
    {MINIMAL "[signals]\nlisten = 127.0.0.10:8931\n", ":11: [signals] listen: ", "this host alone"},
    {MINIMAL "[signals]\nlisten = localhost:8931\n", ":11: [signals] listen: ", "this host alone"},
    {MINIMAL "[signals]\nokta_hook_secret_file = /s\n",
     ":11: [signals] okta_hook_secret_file: ", "nothing listens"},
    {MINIMAL "[signals]\nproxy_credentials_file = /s\n",
     ":11: [signals] proxy_credentials_file: ", "proxy"},
    {"[nas]\n", ":1: ", "write [nas NAME]"},
    {MINIMAL "[nas a]\naddress = 192.0.2.1\n", ":10: [nas a] secret_file: ", "is missing"},
    {MINIMAL NAS "[nas a]\n", ":12: ", "duplicate section"},
    {MINIMAL NAS, ": [nas a] address: ", "is missing"},
    {MINIMAL NAS "address = ap-1.example.com\n", ":12: [nas a] address: ", "is not a list"},
    {MINIMAL NAS "address = 192.0.2.0/33\n", ":12: [nas a] address: ", "is not a list"},
    {MINIMAL NAS "address = 192.0.2.1; 192.0.2.2\n", ":12: [nas a] address: ", "is not a list"},
    {MINIMAL NAS "identifier = ap-1\n", ": [nas a] send_to: ", "is missing"},
    {MINIMAL NAS "identifier = ap-1\nsend_to = ap-1\n", ":13: [nas a] send_to: ", "not an IP"},
    {MINIMAL NAS "identifier = ap-1\nsend_to = 192.0.2.1:3799\n",
     ":13: [nas a] send_to: ", "key port"},
    {MINIMAL NAS "identifier = ap-1\nsend_to = [2001:db8::1]:3799\n",
     ":13: [nas a] send_to: ", "key port"},
    {MINIMAL NAS "identifier = ap-1\nsend_to = 0.0.0.0\n", ":13: [nas a] send_to: ", "not an IP"},
    {MINIMAL NAS "address = 192.0.2.1\nport = 65536\n", ":13: [nas a] port: ", "65535"},
    {MINIMAL NAS "address = 192.0.2.1\nkind = acme\n", ":13: [nas a] kind: ", "one of"},
    {MINIMAL NAS "address = 192.0.2.1\nreauthenticate = yes\n",
     ":13: [nas a] reauthenticate: ", "one of"},
    {MINIMAL NAS "address = 192.0.2.1\nsecret = x\n", ":13: [nas a] secret: ", "unknown key"},
    {"[transmitter]\n", ":1: ", "write [transmitter NAME]"},
    {"[transmitter a/b]\n", ":1: ", "write [transmitter NAME]"},
    {MINIMAL "[transmitter a]\n", ":10: [transmitter a] issuer: ", "is missing"},
    {MINIMAL TRANSMITTER "[transmitter a]\n", ":13: ", "duplicate section"},
    {MINIMAL "[transmitter a]\nissuer = http://tr.example\ntoken_file = /t\n",
     ":11: [transmitter a] issuer: ", "https://"},
    {MINIMAL TRANSMITTER "metadata_url = tr.example\n",
     ":13: [transmitter a] metadata_url: ", "https://"},
    {MINIMAL TRANSMITTER "delivery = pull\n", ":13: [transmitter a] delivery: ", "one of"},
    {MINIMAL TRANSMITTER "poll_pause = 100ms\n", ":13: [transmitter a] poll_pause: ", "500ms"},
    {MINIMAL "[transmitter a]\nissuer = https://tr.example\n",
     ": [transmitter a] token_file: ", "is missing"},
    {MINIMAL TRANSMITTER
     "token_url = https://idp.example\nclient_id = c\nclient_secret_file = /s\n",
     ":12: [transmitter a] token_file: ", "one way"},
    {MINIMAL "[transmitter a]\nissuer = https://tr.example\ntoken_url = https://idp.example\n",
     ":12: [transmitter a] token_url: ", "needs client_id"},
    {MINIMAL "[transmitter a]\nissuer = https://tr.example\ntoken_url = https://idp.example\n"
             "client_id = c\nclient_secret_file = /s\nkey_file = /k\n",
     ":12: [transmitter a] token_url: ", "one of client_secret_file"},
    {MINIMAL "[transmitter a]\nissuer = https://tr.example\ntoken_url = http://idp.example\n"
             "client_id = c\nclient_secret_file = /s\n",
     ":12: [transmitter a] token_url: ", "https://"},
    {MINIMAL TRANSMITTER "delivery = push\n", ":13: [transmitter a] delivery: ", "nothing listens"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:8931\n" TRANSMITTER "delivery = push\n",
     ": [transmitter a] push_url: ", "is missing"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:8931\n" TRANSMITTER
             "delivery = push\npush_url = http://us.example\n",
     ":16: [transmitter a] push_url: ", "https://"},
    {MINIMAL "[signals]\nlisten = 127.0.0.1:8931\n[transmitter a]\nissuer = https://tr.example\n"
             "delivery = push\n",
     ": [transmitter a] audience: ", "is missing"},
    /* rules between keys, with what the application has otherwise */
    {"[intune]\nlookup_by = entra-id\n" OKTA "[device_trust]\nca_file = /c\n"
     "trusted_when = certificate\n",
     ":2: [intune] lookup_by: ", "lacks intune-id"},
    {"[intune]\nlookup_by = intune-id, serial\n" OKTA "[device_trust]\nca_file = /c\n"
     "trusted_when = certificate\n",
     ":2: [intune] lookup_by: ", "names serial, but"},
    {OKTA "[device_trust]\nca_file = /c\ntrusted_when = certificate\n" VPN
          "trusted_when = certificate+intune\n",
     ":6: [application vpn]: ", "[intune] tenant_id is missing"},
    {OKTA "[device_trust]\ntrusted_when = vpn-client\n" VPN "trusted_when = certificate\n",
     ":6: [application vpn] trusted_when: ", "no CA"},
    {MINIMAL VPN "trusted_when = ssh-certificate\n",
     ":10: [application vpn]: ", "ssh_device_ca_file is missing"},
    {MINIMAL VPN "trusted_when = management-hint\n",
     ":10: [application vpn]: ", "managed_configuration_file is missing"},
    {MINIMAL "trusted_when = certificate\n[application a]\nplatforms = all\n" VPN
             "require_owner = yes\n",
     ":14: [application vpn] require_owner: ", "lacks intune"},
    {MINIMAL "require_owner = yes\n" VPN "trusted_when = certificate\n",
     ":11: [application vpn]: ", "require_owner is yes"},
    {MINIMAL "platforms = linux\n" VPN "trusted_when = ssh-key\n",
     ":11: [application vpn]: ", "platforms enables only some"},
    {MINIMAL "trusted_when = ssh-key\n" VPN "platforms = linux\n",
     ":12: [application vpn] platforms: ", "enables only some"},
    {OKTA INTUNE "[device_trust]\ntrusted_when = certificate\nca_file = /c\n"
                 "tenant_id = 00000000-1111-2222-3333-444444444445\n" VPN
                 "trusted_when = certificate+intune\n",
     ":12: [application vpn]: ", "[device_trust] tenant_id differs"},
};

static void sections_with_a_name_refused(void **state)
{
    (void)state;
    EXPECT(sections_with_a_name);
}

/* What one application has otherwise is so for it alone; the rest is as for everybody. */
static void applications_have_their_own(void **state)
{
    dt_config *c =
        parse_ok(MINIMAL "max_sync_age = 9d\n[application vpn]\ntrusted_when = certificate\n"
                         "platforms = all\n[application Wi-Fi_2.x]\n"
                         "trust_in_grace_period = yes\nplatforms = ios\n");
    dt_config own;

    (void)state;
    assert_int_equal(c->application_count, 2);
    assert_int_equal(c->device_trust.trusted_when_count, 2);
    assert_true(dt_config_for(c, "vpn", &own));
    assert_int_equal(own.device_trust.trusted_when_count, 1);
    assert_int_equal(own.device_trust.trusted_when[0], DT_SOURCE_CERTIFICATE);
    assert_int_equal(own.device_trust.trusted_when[1], 0);
    assert_int_equal(own.device_trust.max_sync_age, DT_DAYS(9));
    assert_false(own.device_trust.trust_in_grace_period);
    assert_ptr_equal(own.device_trust.ca_file, c->device_trust.ca_file);
    assert_true(dt_config_for(c, "Wi-Fi_2.x", &own));
    assert_int_equal(own.device_trust.trusted_when_count, 2);
    assert_int_equal(own.device_trust.platforms, DT_PLATFORM_IOS);
    assert_true(own.device_trust.trust_in_grace_period);
    assert_int_equal(c->device_trust.platforms, DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE);
    own.device_trust.platforms = 0;
    assert_false(dt_config_for(c, "VPN", &own));
    assert_false(dt_config_for(c, "", &own));
    assert_int_equal(own.device_trust.platforms, 0);
    assert_int_equal(dt_config_line(c, "application vpn", "trusted_when"), 12);
    assert_int_equal(dt_config_line(c, "application vpn", "max_sync_age"), 0);
    assert_int_equal(dt_config_line(c, "application vpn", "ca_file"), 0);
    assert_int_equal(dt_config_line(c, "application nobody", "platforms"), 0);
    assert_int_equal(dt_config_line(c, "device_trust", "max_sync_age"), 10);
    dt_config_free(&c);
}

/* Every key of [nas NAME] away from its default; another section keeps the defaults. */
static void each_nas_has_its_own(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);
    dt_config *c = parse_ok(everything);
    dt_config *d = parse_ok(MINIMAL NAS "address = 2001:db8::1\n[nas b]\nidentifier = b\n"
                                        "send_to = 2001:DB8::2\nsecret_file = credential:nas\n");
    dt_config_nas const *gw = c->nases[0], *plain = d->nases[0];

    (void)state;
    assert_int_equal(c->nas_count, 1);
    assert_int_equal(d->nas_count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(keys[i].section, "nas");
        if (gw->lines[i] == 0)
            fail_msg("the file does not flip [nas] %s", keys[i].name);
    }
    assert_string_equal(gw->address, "192.0.2.10, 2001:db8::/64");
    assert_string_equal(gw->identifier, "gw-1");
    assert_string_equal(gw->send_to, "198.51.100.9");
    assert_int_equal(gw->port, 1700);
    assert_string_equal(gw->secret_file, "/f/nas.secret");
    assert_int_equal(gw->kind, DT_NAS_CISCO);
    assert_int_equal(gw->reauthenticate, DT_NAS_AGAIN_CISCO_BOUNCE);
    assert_string_equal(plain->identifier, "");
    assert_string_equal(plain->send_to, "");
    assert_int_equal(plain->port, 0);
    assert_int_equal(plain->kind, DT_NAS_GENERIC);
    assert_int_equal(plain->reauthenticate, DT_NAS_AGAIN_BY_KIND);
    assert_int_equal(dt_config_line(d, "nas b", "send_to"), 15);
    assert_int_equal(dt_config_line(d, "nas nobody", "send_to"), 0);
    dt_config_free(&c);
    dt_config_free(&d);
}

/* Every key of [transmitter NAME] away from its default in one of them. */
static void each_transmitter_has_its_own(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);
    dt_config *c = parse_ok(everything);

    (void)state;
    assert_int_equal(c->transmitter_count, 3);
    for (size_t i = 0; i < count; i++) {
        bool given = false;
        assert_string_equal(keys[i].section, "transmitter");
        for (size_t t = 0; t < c->transmitter_count; t++)
            given = given || c->transmitters[t]->lines[i] != 0;
        if (!given)
            fail_msg("the file does not flip [transmitter] %s", keys[i].name);
    }
    dt_config_transmitter const *t = c->transmitters[0];
    assert_string_equal(t->name, "polled");
    assert_string_equal(t->issuer, "https://tr.flip.example/t1/"); /* the slash stays */
    assert_string_equal(t->metadata_url, "https://tr.flip.example/risc");
    assert_string_equal(t->audience, "https://a.example, b");
    assert_string_equal(t->stream_id, "s1");
    assert_string_equal(t->token_url, "https://idp.flip.example/token");
    assert_string_equal(t->client_id, "c");
    assert_string_equal(t->client_secret_file, "/f/client.secret");
    assert_string_equal(t->key_id, "k");
    assert_string_equal(t->scope, "ssf.manage");
    assert_string_equal(t->ca_file, "/f/tr-ca.pem");
    assert_int_equal(t->poll_pause, DT_SECONDS(2));
    assert_int_equal(t->delivery, DT_SIGNALS_BY_POLL);
    t = c->transmitters[1];
    assert_int_equal(t->delivery, DT_SIGNALS_BY_PUSH);
    assert_string_equal(t->push_url, "https://us.flip.example/ssf/pushes");
    assert_string_equal(t->push_secret_file, "/f/push.secret");
    assert_string_equal(t->token_file, "/f/token");
    assert_string_equal(t->scope, "ssf.read ssf.manage");
    assert_string_equal(c->transmitters[2]->key_file, "/f/client.key");
    dt_config_free(&c);
}

/* Every key of [ca NAME] away from its default; another section keeps the defaults. */
static void each_ca_has_its_own(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);
    dt_config *c = parse_ok(everything);
    dt_config *d = parse_ok(MINIMAL "[ca a]\ncertificate_file = /a\n[ca b-2]\n"
                                    "certificate_file = /b\nkeys = p521\n");
    dt_config_ca const *scep = c->cas[0], *plain = d->cas[0];

    (void)state;
    assert_int_equal(c->ca_count, 1);
    assert_int_equal(d->ca_count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(keys[i].section, "ca");
        if (scep->lines[i] == 0)
            fail_msg("the file does not flip [ca] %s", keys[i].name);
    }
    assert_string_equal(scep->name, "scep");
    assert_string_equal(scep->certificate_file, "/f/scep.pem");
    assert_string_equal(scep->tenant_id.text, "0000000b-1111-2222-3333-444444444444");
    assert_int_equal(scep->device_id, DT_ID_SAN_URI | DT_ID_MS_ORGANIZATION | DT_ID_SERIAL_NUMBER);
    assert_string_equal(scep->extended_key_usage, "1.3.6.1.5.5.7.3.2, 1.2.3.4");
    assert_int_equal(scep->keys, DT_KEY_TYPE_RSA | DT_KEY_TYPE_P384);
    assert_int_equal(scep->rsa_bits_min, 3072);
    assert_string_equal(scep->crl_file, "/f/scep.crl");
    assert_int_equal(scep->revocation, DT_REVOCATION_SOFT);
    assert_true(scep->ocsp);
    assert_string_equal(scep->ocsp_url, "http://ocsp.flip.example/scep");
    assert_string_equal(plain->certificate_file, "/a");
    assert_false(dt_guid_is_set(&plain->tenant_id));
    assert_int_equal(plain->device_id, DT_ID_PLACES_DEFAULT);
    assert_string_equal(plain->extended_key_usage, "1.3.6.1.5.5.7.3.2");
    assert_int_equal(plain->keys, DT_KEY_TYPES_ALL);
    assert_int_equal(plain->rsa_bits_min, DT_RSA_BITS_MIN);
    assert_string_equal(plain->crl_file, "");
    assert_int_equal(plain->revocation, DT_REVOCATION_OFF);
    assert_false(plain->ocsp);
    assert_string_equal(plain->ocsp_url, "");
    assert_int_equal(d->cas[1]->keys, DT_KEY_TYPE_P521);
    assert_int_equal(dt_config_line(d, "ca b-2", "keys"), 14);
    assert_int_equal(dt_config_line(d, "ca a", "keys"), 0);
    assert_int_equal(dt_config_line(d, "ca nobody", "keys"), 0);
    dt_config_free(&c);
    dt_config_free(&d);
}

/* Every key that may be otherwise arrives where it is looked for, and nowhere else. */
static void each_may_be_otherwise(void **state)
{
    size_t count, seen = 0;
    dt_config_key const *keys = dt_config_keys(&count);
    dt_config *c = parse_ok(everything);
    dt_config own;

    (void)state;
    assert_true(dt_config_for(c, "vpn", &own));
    for (size_t i = 0; i < count; i++) {
        if (keys[i].per_application)
            seen++;
        if (keys[i].per_application && c->applications[0]->own.lines[i] == 0)
            fail_msg("the file gives [application vpn] no %s", keys[i].name);
        if (keys[i].per_application == fields_equal(c, &own, &keys[i]))
            fail_msg("[%s] %s is not as it should be", keys[i].section, keys[i].name);
    }
    assert_true(seen >= 5);
    dt_config_free(&c);
}

static void sections_have_a_limit(void **state)
{
    char text[8192] = MINIMAL;
    dt_error e;
    int error;
    dt_config *c;

    (void)state;
    for (int i = 0; i < DT_CONFIG_APPLICATIONS_MAX; i++) {
        char one[64];
        snprintf(one, sizeof(one), "[application a%d]\nplatforms = all\n", i);
        strncat(text, one, sizeof(text) - strlen(text) - 1);
    }
    c = parse_ok(text);
    assert_int_equal(c->application_count, DT_CONFIG_APPLICATIONS_MAX);
    dt_config_free(&c);
    /* And so have those of CAs. */
    snprintf(text, sizeof(text), "%s", MINIMAL);
    for (int i = 0; i <= DT_CONFIG_CAS_MAX; i++) {
        char one[64];
        snprintf(one, sizeof(one), "[ca a%d]\ncertificate_file = /c\n", i);
        strncat(text, one, sizeof(text) - strlen(text) - 1);
    }
    c = parse(text, &e, &error);
    assert_int_equal(error, DT_E_INVALID);
    assert_non_null(strstr(e.text, "/etc/d.conf:42: too many sections [ca NAME]"));
    dt_config_free(&c);
    snprintf(text, sizeof(text), "%s", MINIMAL);
    for (int i = 0; i < DT_CONFIG_APPLICATIONS_MAX; i++) {
        char one[64];
        snprintf(one, sizeof(one), "[application a%d]\nplatforms = all\n", i);
        strncat(text, one, sizeof(text) - strlen(text) - 1);
    }
    strncat(text, "[application one-more]\nplatforms = all\n", sizeof(text) - strlen(text) - 1);
    c = parse(text, &e, &error);
    assert_int_equal(error, DT_E_INVALID);
    assert_non_null(strstr(e.text, "/etc/d.conf:74: too many"));
    dt_config_free(&c);
}

/* --- dt_config_set, without a file ------------------------------------------------------------- */

static void set_leaves_the_field_alone(void **state)
{
    dt_config *c = NULL;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_config_set(c, "f", 1, "okta", "timeout", "nonsense", &e), DT_E_INVALID);
    assert_int_equal(c->okta.timeout, DT_SECONDS(10));
    assert_int_equal(dt_config_set(c, "f", 2, "okta", "ca_file", "nonsense", &e), DT_E_INVALID);
    assert_string_equal(c->okta.ca_file, "");
    assert_int_equal(dt_config_set(c, "f", 2, "device_trust", "trusted_when", "certificate,x", &e),
                     DT_E_INVALID);
    assert_int_equal(c->device_trust.trusted_when_count, 2);
    assert_int_equal(dt_config_set(c, "f", 3, "daemon", "local_services", "a,b,!", &e),
                     DT_E_INVALID);
    assert_int_equal(c->daemon.local_services.count, 9);
    assert_int_equal(dt_config_set(c, "f", 4, "okta", "timeout", "5s", NULL), DT_OK);
    assert_int_equal(dt_config_set(c, "f", 5, "okta", "timeout", "6s", NULL), DT_E_INVALID);
    assert_int_equal(c->okta.timeout, DT_SECONDS(5));
    dt_config_free(&c);
    dt_config_free(&c);
}

/* Somebody wrote the token where the name of its file belongs: no message may repeat it. */
static void values_are_not_repeated(void **state)
{
    static char const *const keys[][2] = {
        {"okta", "api_token_file"}, {"okta", "org_url"},  {"intune", "key_file"},
        {"intune", "tenant_id"},    {"store", "path"},    {"daemon", "local_services"},
        {"okta", "timeout"},        {"audit", "syslog"},  {"mfa", "push_limit"},
        {"policy", "org_mfa"},      {"daemon", "socket"},
    };
    dt_config *c = NULL;

    (void)state;
    assert_int_equal(dt_config_new(&c, NULL), DT_OK);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        dt_error e = {0};
        assert_int_equal(
            dt_config_set(c, "f", 1, keys[i][0], keys[i][1], "00HUSHhush-secret_TOKEN", &e),
            DT_E_INVALID);
        assert_null(strstr(e.text, "HUSH"));
        assert_null(strstr(e.text, "TOKEN"));
    }
    dt_config_free(&c);
}

static void durations(void **state)
{
    static struct {
        char const *text;
        int64_t ms;
    } const rows[] = {{"0", 0},          {"0s", 0},
                      {"500ms", 500},    {"90s", 90000},
                      {"15m", 900000},   {"8h", 28800000},
                      {"7d", 604800000}, {"00", 0},
                      {"007s", 7000},    {"106751991167d", 9223372036828800000}};
    static char const *const bad[] = {"",
                                      "1",
                                      "s",
                                      "1 s",
                                      " 1s",
                                      "1s ",
                                      "1sec",
                                      "1M",
                                      "-1s",
                                      "1.5h",
                                      "1h30m",
                                      "106751991168d",
                                      "9223372036854775808ms"};
    int64_t ms = -1;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(dt_duration_parse(rows[i].text, &ms), DT_OK);
        assert_int_equal(ms, rows[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dt_duration_parse(bad[i], &ms), DT_E_INVALID);
    assert_int_equal(dt_duration_parse(NULL, &ms), DT_E_INVALID);
}

static void words(void **state)
{
    static struct {
        char const *text;
        dt_platform platform;
    } const rows[] = {{"Windows", DT_PLATFORM_WINDOWS},
                      {"Windows 11", DT_PLATFORM_WINDOWS},
                      {"Windows Phone", DT_PLATFORM_OTHER_MOBILE},
                      {"windowsmobile", DT_PLATFORM_OTHER_MOBILE},
                      {"macOS", DT_PLATFORM_MACOS},
                      {"Mac OS X", DT_PLATFORM_MACOS},
                      {"Linux (ubuntu)", DT_PLATFORM_LINUX},
                      {"ChromeOS", DT_PLATFORM_CHROMEOS},
                      {"iOS", DT_PLATFORM_IOS},
                      {"iPadOS", DT_PLATFORM_IOS},
                      {"iPhone", DT_PLATFORM_IOS},
                      {"Android", DT_PLATFORM_ANDROID},
                      {"AndroidEnterprise", DT_PLATFORM_ANDROID},
                      {"FreeBSD", DT_PLATFORM_OTHER_DESKTOP},
                      {"Unknown", DT_PLATFORM_UNKNOWN},
                      {"", DT_PLATFORM_UNKNOWN},
                      {"win", DT_PLATFORM_UNKNOWN},
                      {NULL, DT_PLATFORM_UNKNOWN}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(dt_platform_from_text(rows[i].text), rows[i].platform);
    assert_string_equal(dt_platform_name(DT_PLATFORM_OTHER_MOBILE), "other-mobile");
    assert_string_equal(dt_platform_name((dt_platform)(1 << 9)), "unknown");
    assert_true(dt_platform_is_mobile(DT_PLATFORM_IOS));
    assert_false(dt_platform_is_mobile(DT_PLATFORM_LINUX));
    assert_false(dt_platform_is_mobile(DT_PLATFORM_UNKNOWN));
    assert_null(dt_factor_name(DT_FACTOR_NONE));
    assert_null(dt_factor_name((dt_factor_type)DT_FACTOR_ALL));
    assert_string_equal(dt_source_name(DT_SOURCE_VPN_CLIENT), "vpn-client");
    assert_null(dt_source_name(DT_SOURCE_NONE));
    assert_null(dt_source_name((dt_source)(DT_SOURCE_INTUNE | DT_SOURCE_SSH_KEY)));
}

/* The words of the table are the words of the rest of the program. */
static void table_is_sound(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    (void)state;
    assert_true(count > 0 && count <= DT_CONFIG_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(keys[i].help) > 10 && keys[i].help[strlen(keys[i].help) - 1] == '.');
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(keys[i].section, keys[j].section) == 0 &&
                         strcmp(keys[i].name, keys[j].name) == 0);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(keys[i].offset, keys[j].offset);
        bool worded = keys[i].type == DT_CONFIG_ENUM || keys[i].type == DT_CONFIG_BITS ||
                      keys[i].type == DT_CONFIG_TRUSTED_WHEN;
        assert_int_equal(worded, keys[i].words != NULL);
        /* dt_config_for() can then not fail, and copies own nothing. */
        if (keys[i].per_application)
            assert_true(keys[i].type == DT_CONFIG_BOOL || keys[i].type == DT_CONFIG_BITS ||
                        keys[i].type == DT_CONFIG_DURATION || keys[i].type == DT_CONFIG_ENUM ||
                        keys[i].type == DT_CONFIG_TRUSTED_WHEN ||
                        keys[i].type == DT_CONFIG_OKTA_ID);
        for (dt_config_word const *w = keys[i].words; w != NULL && w->word != NULL; w++) {
            if (strcmp(keys[i].name, "trusted_when") == 0)
                assert_string_equal(w->word, dt_source_name((dt_source)w->value));
            if (strcmp(keys[i].name, "factors") == 0)
                assert_int_equal(w->value, dt_factor_word_bits(w->word));
            if (strcmp(keys[i].name, "platforms") == 0 && strcmp(w->word, "all") != 0)
                assert_string_equal(w->word, dt_platform_name((dt_platform)w->value));
        }
    }
}

/* Type and provider make a factor; one of them alone, or an unknown one, makes none. */
static void a_factor_is_type_and_provider(void **state)
{
    static char const *const types[] = {"push",
                                        "token:software:totp",
                                        "token",
                                        "token:hardware",
                                        "token:hotp",
                                        "web",
                                        "u2f",
                                        "webauthn",
                                        "sms",
                                        "call",
                                        "email",
                                        "question",
                                        "signed_nonce",
                                        "PUSH",
                                        "",
                                        NULL};
    static char const *const providers[] = {"OKTA",   "GOOGLE", "SYMANTEC", "RSA", "YUBICO", "DUO",
                                            "CUSTOM", "FIDO",   "okta",     "",    NULL};
    static struct {
        char const *type, *provider;
        dt_factor_type is;
    } const known[] = {{"push", "OKTA", DT_FACTOR_PUSH},
                       {"token:software:totp", "OKTA", DT_FACTOR_TOTP},
                       {"token:software:totp", "GOOGLE", DT_FACTOR_TOTP_GOOGLE},
                       {"token:hotp", "CUSTOM", DT_FACTOR_HOTP},
                       {"token", "SYMANTEC", DT_FACTOR_SYMANTEC},
                       {"token", "RSA", DT_FACTOR_RSA},
                       {"token:hardware", "YUBICO", DT_FACTOR_YUBIKEY},
                       {"sms", "OKTA", DT_FACTOR_SMS},
                       {"call", "OKTA", DT_FACTOR_CALL},
                       {"email", "OKTA", DT_FACTOR_EMAIL},
                       {"question", "OKTA", DT_FACTOR_QUESTION}};
    unsigned left = DT_FACTOR_ALL;

    (void)state;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
        for (size_t p = 0; p < sizeof(providers) / sizeof(providers[0]); p++) {
            dt_factor_type wanted = DT_FACTOR_NONE;

            for (size_t i = 0; types[t] && providers[p] && i < sizeof(known) / sizeof(known[0]);
                 i++)
                if (strcmp(known[i].type, types[t]) == 0 &&
                    strcmp(known[i].provider, providers[p]) == 0)
                    wanted = known[i].is;
            assert_int_equal(dt_factor_of(types[t], providers[p]), wanted);
        }
    assert_string_equal(dt_factor_app(DT_FACTOR_TOTP), "Okta Verify");
    assert_string_equal(dt_factor_app(DT_FACTOR_TOTP_GOOGLE), "Google Authenticator");
    assert_string_equal(dt_factor_provider(DT_FACTOR_TOTP_GOOGLE), "GOOGLE");
    assert_null(dt_factor_provider((dt_factor_type)DT_FACTOR_TOTPS));
    assert_int_equal(dt_factor_word_bits("token:software:totp"), DT_FACTOR_TOTPS);
    assert_int_equal(dt_factor_word_bits("token:software:totp/GOOGLE"), DT_FACTOR_TOTP_GOOGLE);
    assert_int_equal(dt_factor_word_bits("sms"), DT_FACTOR_SMS);
    assert_int_equal(dt_factor_word_bits("webauthn"), 0);
    assert_int_equal(dt_factor_word_bits(NULL), 0);
    assert_string_equal(dt_factor_word_next(&left), "push");
    assert_string_equal(dt_factor_word_next(&left), "token:software:totp");
    assert_string_equal(dt_factor_word_next(&left), "token:hotp");
    assert_string_equal(dt_factor_word_next(&left), "token");
    assert_string_equal(dt_factor_word_next(&left), "token:hardware");
    assert_string_equal(dt_factor_word_next(&left), "sms");
    assert_string_equal(dt_factor_word_next(&left), "call");
    assert_string_equal(dt_factor_word_next(&left), "email");
    assert_string_equal(dt_factor_word_next(&left), "question");
    assert_string_equal(dt_factor_word_next(&left), "browser");
    assert_null(dt_factor_word_next(&left));
    left = DT_FACTOR_TOTP | 1u << 1; /* a TOTP of whatever provider is none */
    assert_string_equal(dt_factor_word_next(&left), "token:software:totp/OKTA");
    assert_null(dt_factor_word_next(&left));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(flip_all),
        cmocka_unit_test(proxies),
        cmocka_unit_test(credentials_of_no_proxy),
        cmocka_unit_test(either_secret_or_certificate),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(defaults_stand),
        cmocka_unit_test(lines_refused),
        cmocka_unit_test(all_faults_are_gathered),
        cmocka_unit_test(lengths_refused),
        cmocka_unit_test(nul_bytes_refused),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(values_refused),
        cmocka_unit_test(urls_refused),
        cmocka_unit_test(rules_between_keys),
        cmocka_unit_test(rules_that_hold),
        cmocka_unit_test(sections_with_a_name_refused),
        cmocka_unit_test(applications_have_their_own),
        cmocka_unit_test(each_ca_has_its_own),
        cmocka_unit_test(each_nas_has_its_own),
        cmocka_unit_test(each_transmitter_has_its_own),
        cmocka_unit_test(each_may_be_otherwise),
        cmocka_unit_test(sections_have_a_limit),
        cmocka_unit_test(set_leaves_the_field_alone),
        cmocka_unit_test(values_are_not_repeated),
        cmocka_unit_test(durations),
        cmocka_unit_test(words),
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(a_factor_is_type_and_provider),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
