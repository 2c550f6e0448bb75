/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of every key of devtrust.conf: its type, default, bounds, words and meaning. A new key
 * is a row here, a field in dt_config, and a paragraph in devtrust.conf(5). */
#include "core/config/config.h"

#define SOCKET_MAX 107  /* sun_path of unix(7), without its NUL */
#define URL_MAX 256     /* leaves room for what is appended within DT_URL_MAX */
#define TEXT_MAX 300    /* what a person is shown, within a prompt */
#define PATH_BYTES 1000 /* leaves room for the names within a directory */

static dt_config_word const words_alg[] = {
    {"PS256", DT_ALG_PS256}, {"RS256", DT_ALG_RS256}, {NULL, 0}};

static dt_config_word const words_service[] = {
    {"graph", DT_INTUNE_BY_GRAPH}, {"compliance-retrieval", DT_INTUNE_BY_COMPLIANCE}, {NULL, 0}};

static dt_config_word const words_platform[] = {
    {"all", DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE},
    {"windows", DT_PLATFORM_WINDOWS},
    {"macos", DT_PLATFORM_MACOS},
    {"linux", DT_PLATFORM_LINUX},
    {"chromeos", DT_PLATFORM_CHROMEOS},
    {"other-desktop", DT_PLATFORM_OTHER_DESKTOP},
    {"ios", DT_PLATFORM_IOS},
    {"android", DT_PLATFORM_ANDROID},
    {"other-mobile", DT_PLATFORM_OTHER_MOBILE},
    {NULL, 0}};

static dt_config_word const words_source[] = {{"certificate", DT_SOURCE_CERTIFICATE},
                                              {"ssh-key", DT_SOURCE_SSH_KEY},
                                              {"intune", DT_SOURCE_INTUNE},
                                              {"vpn-client", DT_SOURCE_VPN_CLIENT},
                                              {"ssh-certificate", DT_SOURCE_SSH_CERTIFICATE},
                                              {"ssh-agent", DT_SOURCE_SSH_AGENT},
                                              {"okta-device", DT_SOURCE_OKTA_DEVICE},
                                              {"registry", DT_SOURCE_REGISTRY},
                                              {"management-hint", DT_SOURCE_MANAGEMENT_HINT},
                                              {NULL, 0}};

static dt_config_word const words_lookup[] = {{"intune-id", DT_LOOKUP_BY_INTUNE_ID},
                                              {"entra-id", DT_LOOKUP_BY_ENTRA_ID},
                                              {"serial", DT_LOOKUP_BY_SERIAL},
                                              {NULL, 0}};

static dt_config_word const words_revocation[] = {{"require", DT_REVOCATION_REQUIRE},
                                                  {"soft", DT_REVOCATION_SOFT},
                                                  {"off", DT_REVOCATION_OFF},
                                                  {NULL, 0}};

static dt_config_word const words_unknown[] = {
    {"deny", DT_UNKNOWN_DENY}, {"not_trusted", DT_UNKNOWN_NOT_TRUSTED}, {NULL, 0}};

static dt_config_word const words_on_loss[] = {{"report", DT_ON_LOSS_REPORT},
                                               {"reauthenticate", DT_ON_LOSS_REAUTHENTICATE},
                                               {"disconnect", DT_ON_LOSS_DISCONNECT},
                                               {NULL, 0}};

static dt_config_word const words_unavailable[] = {{"deny", DT_UNAVAILABLE_DENY},
                                                   {"allow_trusted", DT_UNAVAILABLE_ALLOW_TRUSTED},
                                                   {"allow", DT_UNAVAILABLE_ALLOW},
                                                   {NULL, 0}};

static dt_config_word const words_groups[] = {
    {"request", DT_GROUPS_FROM_REQUEST}, {"okta", DT_GROUPS_FROM_OKTA}, {NULL, 0}};

static dt_config_word const words_person_at_host[] = {{"auto", DT_PRESENCE_BY_AUTO},
                                                      {"seat", DT_PRESENCE_BY_SEAT},
                                                      {"service", DT_PRESENCE_BY_SERVICE},
                                                      {NULL, 0}};
static dt_config_word const words_org_mfa[] = {
    {"enforce", DT_ORG_MFA_ENFORCE}, {"unless_trusted", DT_ORG_MFA_UNLESS_TRUSTED}, {NULL, 0}};

static dt_config_word const words_way[] = {
#define X(NAME, word, takes_password) {#word, DT_OKTA_WAY_##NAME},
    DT_OKTA_WAYS(X)
#undef X
        {NULL, 0}};

static dt_config_word const words_nas_kind[] = {
#define X(NAME, word) {#word, DT_NAS_##NAME},
    DT_NAS_KINDS(X)
#undef X
        {NULL, 0}};

static dt_config_word const words_nas_again[] = {{"by_kind", DT_NAS_AGAIN_BY_KIND},
                                                 {"disconnect", DT_NAS_AGAIN_DISCONNECT},
                                                 {"cisco_reauthenticate", DT_NAS_AGAIN_CISCO},
                                                 {"cisco_bounce_port", DT_NAS_AGAIN_CISCO_BOUNCE},
                                                 {"fortinet_reauthenticate", DT_NAS_AGAIN_FORTINET},
                                                 {NULL, 0}};

static dt_config_word const words_audit_format[] = {
    {"okta", DT_AUDIT_AS_OKTA}, {"ocsf", DT_AUDIT_AS_OCSF}, {NULL, 0}};

static dt_config_word const words_number[] = {
    {"never", DT_NUMBER_NEVER}, {"when_shown", DT_NUMBER_WHEN_SHOWN}, {NULL, 0}};

static dt_config_word const words_qr_code[] = {{"never", DT_QR_CODE_NEVER},
                                               {"terminal", DT_QR_CODE_TERMINAL},
                                               {"always", DT_QR_CODE_ALWAYS},
                                               {NULL, 0}};

static dt_config_word const words_place[] = {{"san-uri", DT_ID_SAN_URI},
                                             {"extension", DT_ID_EXTENSION},
                                             {"common-name", DT_ID_COMMON_NAME},
                                             {"entra-common-name", DT_ID_ENTRA_COMMON_NAME},
                                             {"ms-organization-access", DT_ID_MS_ORGANIZATION},
                                             {"serial-number", DT_ID_SERIAL_NUMBER},
                                             {NULL, 0}};

static dt_config_word const words_key[] = {
    {"rsa", DT_KEY_TYPE_RSA},   {"p256", DT_KEY_TYPE_P256},       {"p384", DT_KEY_TYPE_P384},
    {"p521", DT_KEY_TYPE_P521}, {"ed25519", DT_KEY_TYPE_ED25519}, {NULL, 0}};

static dt_config_word const words_signals_by[] = {
    {"poll", DT_SIGNALS_BY_POLL}, {"push", DT_SIGNALS_BY_PUSH}, {NULL, 0}};

static dt_config_word const words_identity_from[] = {{"auto", DT_IDENTITY_FROM_AUTO},
                                                     {"user", DT_IDENTITY_FROM_USER},
                                                     {"caller", DT_IDENTITY_FROM_CALLER},
                                                     {NULL, 0}};

/* The start of a row: section, name, type and place are one and the same name. */
#define KEY(sect, key, kind)                                                                       \
    .section = #sect, .name = #key, .type = kind, .offset = offsetof(dt_config, sect.key)
#define BETWEEN(a, b) .min = (a), .max = (b)
#define MAY_BE_EMPTY 0

static dt_config_key const keys[] = {
    {KEY(okta, org_url, DT_CONFIG_URL), .fallback = NULL, BETWEEN(1, URL_MAX), .reloadable = true,
     .help = "The URL of the Okta org, without -admin."},
    {KEY(okta, api_token_file, DT_CONFIG_PATH), .secret = true,
     .fallback = "/etc/devtrust/okta.token", BETWEEN(1, PATH_BYTES), .reloadable = true,
     .help = "The file with the API token and nothing else; secret."},
    {KEY(okta, client_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 64),
     .reloadable = true,
     .help = "The client id of the service app that asks Okta, instead of an API token."},
    {KEY(okta, key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The private key of that app, PEM, RSA or P-256; secret."},
    {KEY(okta, key_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 128),
     .reloadable = true,
     .help = "The id (kid) of that key at Okta; empty where the app has one key."},
    {KEY(okta, next_key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The key that comes next: used where Okta no longer takes key_file; secret."},
    {KEY(okta, next_key_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 128),
     .reloadable = true, .help = "The id (kid) of the next key at Okta."},
    {KEY(okta, dpop, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help = "Whether the app's tokens are bound to a key of devtrust's own (DPoP)."},
    {KEY(okta, native_client_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 63),
     .reloadable = true, .help = "The client id of the native app at which people sign on."},
    {KEY(okta, ca_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true,
     .help = "CA certificates for the connection to Okta; empty for those of the system."},
    {KEY(okta, timeout, DT_CONFIG_DURATION), .fallback = "10s", BETWEEN(100, DT_SECONDS(60)),
     .reloadable = true, .help = "Longest time one request to Okta may take, connecting included."},
    {KEY(okta, poll_interval, DT_CONFIG_DURATION), .fallback = "4s", BETWEEN(250, DT_SECONDS(30)),
     .reloadable = true, .help = "Time between two polls of a pending push."},
    {KEY(okta, rate_share, DT_CONFIG_INT), .fallback = "50", BETWEEN(1, 100), .reloadable = true,
     .help = "Per cent of each of the org's rate limits that one devtrust process may use."},
    {KEY(okta, user_ttl, DT_CONFIG_DURATION), .fallback = "10m", BETWEEN(0, DT_HOURS(24)),
     .reloadable = true, .help = "How long the Okta user of a login, and its groups, are cached."},
    {KEY(okta, stale_limit, DT_CONFIG_DURATION), .fallback = "24h", BETWEEN(0, DT_DAYS(30)),
     .reloadable = true,
     .help = "How old a cached answer about a user may be while Okta is unavailable."},
    {KEY(okta, proxy, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = true,
     .help = "The HTTP proxy on the way to Okta; empty for that of [http], none for no proxy."},
    {KEY(okta, proxy_credentials_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "What that proxy asks for, USER:PASSWORD; secret."},

    {KEY(http, proxy, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = true,
     .help = "The HTTP proxy on the way to all services, as http://proxy.example.com:3128."},
    {KEY(http, proxy_credentials_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "What that proxy asks for, USER:PASSWORD; secret."},
    {KEY(http, proxy_ca_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true,
     .help = "CA certificates for the connections to https:// proxies; empty for the system's."},

    {KEY(user_name, login_suffix, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 128),
     .reloadable = true, .help = "Appended to a local name to form the Okta login."},
    {KEY(user_name, realms, DT_CONFIG_STRING), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, DT_CONFIG_VALUE_MAX - 1), .reloadable = true,
     .help = "Realms and NetBIOS domains that are accepted, each with its suffix at Okta."},
    {KEY(user_name, table_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true,
     .help = "Names with an Okta login of their own, one NAME -> LOGIN per line."},

    {KEY(intune, tenant_id, DT_CONFIG_GUID), .fallback = "", .reloadable = true,
     .help = "The Microsoft Entra tenant that is asked about devices."},
    {KEY(intune, client_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 64),
     .reloadable = true,
     .help = "The application (client) id of the app registration that devtrust uses."},
    {KEY(intune, certificate_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The certificate that was uploaded to the app registration, PEM."},
    {KEY(intune, key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The private key of that certificate, PEM; secret."},
    {KEY(intune, client_secret_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The client secret of the app registration, instead of a certificate; secret."},
    {KEY(intune, assertion_alg, DT_CONFIG_ENUM), .fallback = "PS256", .words = words_alg,
     .reloadable = true, .help = "The algorithm that signs the client assertion."},
    {KEY(intune, lookup_by, DT_CONFIG_BITS), .fallback = "intune-id, entra-id",
     .words = words_lookup, .reloadable = true,
     .help =
         "How the device of a certificate is looked up at Intune, the most reliable way first."},
    {KEY(intune, login_url, DT_CONFIG_URL), .fallback = "https://login.microsoftonline.com",
     BETWEEN(1, URL_MAX), .reloadable = true,
     .help = "The URL that issues tokens; national clouds have their own."},
    {KEY(intune, graph_url, DT_CONFIG_URL), .fallback = "https://graph.microsoft.com",
     BETWEEN(1, URL_MAX), .reloadable = true,
     .help = "The URL of Microsoft Graph; national clouds have their own."},
    {KEY(intune, service, DT_CONFIG_ENUM), .fallback = "graph", .words = words_service,
     .reloadable = true,
     .help = "Which service of Intune is asked about a device: graph, or compliance-retrieval."},
    {KEY(intune, compliance_resource, DT_CONFIG_URL), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, URL_MAX), .reloadable = true,
     .help = "The resource of tokens for compliance-retrieval; empty for the cloud's."},
    {KEY(intune, compliance_host, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 253),
     .reloadable = true,
     .help = "The host or parent domain of compliance-retrieval; empty for the cloud's."},
    {KEY(intune, ca_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true,
     .help = "CA certificates for the connections to Microsoft; empty for those of the system."},
    {KEY(intune, timeout, DT_CONFIG_DURATION), .fallback = "10s", BETWEEN(100, DT_SECONDS(60)),
     .reloadable = true,
     .help = "Longest time one request to Entra or Graph may take, connecting included."},
    {KEY(intune, proxy, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = true,
     .help =
         "The HTTP proxy on the way to Microsoft; empty for that of [http], none for no proxy."},
    {KEY(intune, proxy_credentials_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "What that proxy asks for, USER:PASSWORD; secret."},

    {KEY(device_trust, trusted_when, DT_CONFIG_TRUSTED_WHEN),
     .fallback = "certificate+intune, ssh-key+intune", .words = words_source, .reloadable = true,
     .per_application = true, .help = "Which sets of evidence make a device trusted."},
    {KEY(device_trust, platforms, DT_CONFIG_BITS), .fallback = "all", .words = words_platform,
     .reloadable = true, .per_application = true,
     .help = "The device types for which device trust is enabled."},
    {KEY(device_trust, ca_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true, .help = "CA certificates that sign for this company's devices only, PEM."},
    {KEY(device_trust, shared_ca_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "CA certificates that sign for every tenant, as Microsoft's do, PEM."},
    {KEY(device_trust, crl_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true,
     .help = "Revocation lists of the CAs of device certificates, PEM or one in DER."},
    {KEY(device_trust, revocation, DT_CONFIG_ENUM), .fallback = "off", .words = words_revocation,
     .reloadable = true,
     .help = "What happens when it is unknown whether a device certificate is revoked."},
    {KEY(device_trust, ocsp, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help = "Whether OCSP responders are asked about device certificates."},
    {KEY(device_trust, ocsp_url, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = true,
     .help = "The OCSP responder; empty for the one that each certificate names."},
    {KEY(device_trust, ocsp_responder_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "Certificates of OCSP responders that may answer for any of the CAs, PEM."},
    {KEY(device_trust, ocsp_timeout, DT_CONFIG_DURATION), .fallback = "3s",
     BETWEEN(100, DT_SECONDS(30)), .reloadable = true,
     .help = "Longest time one OCSP request may take, connecting included."},
    {KEY(device_trust, ocsp_proxy, DT_CONFIG_STRING), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, URL_MAX), .reloadable = true,
     .help = "The HTTP proxy on the way to OCSP responders; empty for that of [http], none for no "
             "proxy."},
    {KEY(device_trust, ocsp_proxy_credentials_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "What that proxy asks for, USER:PASSWORD; secret."},
    {KEY(device_trust, ocsp_max_age, DT_CONFIG_DURATION), .fallback = "10d",
     BETWEEN(DT_MINUTES(1), DT_DAYS(90)), .reloadable = true,
     .help = "How old an OCSP answer may be (thisUpdate)."},
    {KEY(device_trust, ocsp_cache_max, DT_CONFIG_DURATION), .fallback = "12h",
     BETWEEN(0, DT_DAYS(7)), .reloadable = true,
     .help = "How long an OCSP answer is cached, if it is valid that long."},
    {KEY(device_trust, tenant_id, DT_CONFIG_GUID), .fallback = "", .reloadable = true,
     .help = "The tenant that device certificates must name; by default that of [intune]."},
    {KEY(device_trust, host_certificate_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "This host's own device certificate, PEM, followed by its intermediates."},
    {KEY(device_trust, host_key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The private key of the host's certificate, PEM; secret."},
    {KEY(device_trust, host_key, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 512),
     .reloadable = true,
     .help = "Where that key is: a file, a PKCS#11 URI, or a TPM's handle:0x81...."},
    {KEY(device_trust, host_key_pin_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The PIN of the token, or the authorization of the TPM's key; secret."},
    {KEY(device_trust, pkcs11_module, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The PKCS#11 module of the token that holds the host's key."},
    {KEY(device_trust, tpm_tcti, DT_CONFIG_STRING), .fallback = "device:/dev/tpmrm0",
     BETWEEN(MAY_BE_EMPTY, 256), .reloadable = false, .help = "How to reach the TPM (its TCTI)."},
    {KEY(device_trust, ssh_device_ca_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "Public keys of SSH CAs that sign user certificates for devices, and nothing else."},
    {KEY(device_trust, ssh_certificate_device_id, DT_CONFIG_STRING), .fallback = "key-id",
     BETWEEN(1, 160), .reloadable = true,
     .help = "Where an SSH certificate names its device: key-id, or extension:NAME."},
    {KEY(device_trust, ssh_require_hardware_key, DT_CONFIG_BOOL), .fallback = "no",
     .reloadable = true,
     .help = "Whether SSH keys count only if they are in a FIDO security key (sk-)."},
    {KEY(device_trust, agent_timeout, DT_CONFIG_DURATION), .fallback = "10s",
     BETWEEN(DT_SECONDS(1), DT_SECONDS(30)), .reloadable = true,
     .help = "Longest wait for an SSH agent and for the person whom it asks."},
    {KEY(device_trust, managed_configuration_file, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The managed app configuration that the MDM keeps on this host; secret."},
    {KEY(device_trust, management_hint_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The accepted secret keys of managed app configurations, one per line; secret."},
    {KEY(device_trust, cache_ttl, DT_CONFIG_DURATION), .fallback = "15m", BETWEEN(0, DT_DAYS(7)),
     .reloadable = true, .help = "How long Intune's answer about a compliant device is cached."},
    {KEY(device_trust, negative_ttl, DT_CONFIG_DURATION), .fallback = "1m",
     BETWEEN(0, DT_HOURS(24)), .reloadable = true,
     .help = "How long an answer that a device is not compliant or not enrolled is cached."},
    {KEY(device_trust, stale_limit, DT_CONFIG_DURATION), .fallback = "24h", BETWEEN(0, DT_DAYS(30)),
     .reloadable = true, .help = "How old a cached answer may be while Intune is unavailable."},
    {KEY(device_trust, max_sync_age, DT_CONFIG_DURATION), .fallback = "0", BETWEEN(0, DT_DAYS(365)),
     .reloadable = true, .per_application = true,
     .help = "Longest time since the device's last sync with Intune; 0 for no limit."},
    {KEY(device_trust, trust_in_grace_period, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .per_application = true,
     .help = "Whether a device that is not compliant but within its grace period is trusted."},
    {KEY(device_trust, fresh_enrollment_grace, DT_CONFIG_DURATION), .fallback = "0",
     BETWEEN(0, DT_FRESH_ENROLLMENT_GRACE_MAX), .reloadable = true, .per_application = true,
     .help = "How long after its enrolment a device that Intune has not evaluated is in grace."},
    {KEY(device_trust, require_owner, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .per_application = true,
     .help = "Whether a device is trusted only for the person whom Intune names as its user."},
    {KEY(device_trust, enrollment_url, DT_CONFIG_URL),
     .fallback = "https://enrollment.manage.microsoft.com/enrollmentserver/discovery.svc",
     BETWEEN(MAY_BE_EMPTY, URL_MAX), .reloadable = true,
     .help = "The enrolment link shown to people on devices that are not enrolled."},
    {KEY(device_trust, check_access_text, DT_CONFIG_STRING), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, TEXT_MAX), .reloadable = true,
     .help = "The text shown on devices that are not compliant; empty for the built-in text."},

    {KEY(policy, directory, DT_CONFIG_PATH), .fallback = "/etc/devtrust/policies",
     BETWEEN(1, PATH_BYTES - 256), .reloadable = true,
     .help = "The directory of the policies, one file APPLICATION.json each."},
    {KEY(policy, zones_file, DT_CONFIG_PATH), .fallback = "/etc/devtrust/zones.json",
     BETWEEN(1, PATH_BYTES), .reloadable = true,
     .help = "The network zones that policies name; may be missing at its default path."},
    {KEY(policy, asn_database, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true, .help = "A MaxMind ASN database, for zones with asns."},
    {KEY(policy, location_database, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "A MaxMind country or city database, for zones with locations."},
    {KEY(policy, unknown_device_as, DT_CONFIG_ENUM), .fallback = "deny", .words = words_unknown,
     .reloadable = true, .help = "How a device is treated when a look-up failed."},
    {KEY(policy, okta_unavailable, DT_CONFIG_ENUM), .fallback = "deny", .words = words_unavailable,
     .reloadable = true, .help = "What happens when MFA is due and Okta is unavailable."},
    {KEY(policy, groups_from, DT_CONFIG_BITS), .fallback = "request", .words = words_groups,
     .reloadable = true, .help = "Where a person's groups come from."},
    {KEY(policy, report_only, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help = "Whether policies are only evaluated and logged, and not enforced."},
    {KEY(policy, report_only_people, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help =
         "With report_only: whether Okta is asked if the person could pass the MFA that is due."},
    {KEY(policy, org_file, DT_CONFIG_PATH), .fallback = "/etc/devtrust/okta-sign-on.json",
     BETWEEN(1, PATH_BYTES), .reloadable = true,
     .help = "The org's own sign-on rules, evaluated first; may be missing at its default path."},
    {KEY(policy, org_mfa, DT_CONFIG_ENUM), .fallback = "enforce", .words = words_org_mfa,
     .reloadable = true,
     .help = "Whether MFA that the org requires applies to trusted devices, too."},
    {KEY(policy, okta_app, DT_CONFIG_OKTA_ID), .fallback = "", .reloadable = true,
     .per_application = true,
     .help = "The id of an app at Okta: only people assigned to it may sign on; empty for all."},

    {KEY(primary, okta_password, DT_CONFIG_LIST), .fallback = "", .reloadable = true,
     .help = "Applications whose first factor is the Okta password, checked by devtrust."},
    {KEY(primary, password_limit, DT_CONFIG_INT), .fallback = "5", BETWEEN(1, 100),
     .reloadable = true,
     .help = "How many wrong passwords in a row one login allows within password_limit_window."},
    {KEY(primary, password_limit_window, DT_CONFIG_DURATION), .fallback = "15m",
     BETWEEN(DT_SECONDS(1), DT_HOURS(24)), .reloadable = true,
     .help = "The time window of password_limit."},

    {KEY(mfa, factors, DT_CONFIG_BITS), .fallback = "push, token:software:totp",
     .words = dt_factor_words, .reloadable = true,
     .help = "The factors that may be used at all; a rule may allow fewer."},
    {KEY(mfa, okta_way, DT_CONFIG_ENUM), .fallback = "factors", .words = words_way,
     .reloadable = true, .per_application = true, .help = "How Okta is asked for MFA."},
    {KEY(mfa, number_challenge, DT_CONFIG_ENUM), .fallback = "when_shown", .words = words_number,
     .reloadable = true, .help = "Whether a push asks the person to pick a number."},
    {KEY(mfa, qr_code, DT_CONFIG_ENUM), .fallback = "terminal", .words = words_qr_code,
     .reloadable = true, .help = "Where a link is also drawn as a QR code."},
    {KEY(mfa, passcode_attempts, DT_CONFIG_INT), .fallback = "3", BETWEEN(1, 10),
     .reloadable = true, .help = "How many wrong passcodes one sign-on allows."},
    {KEY(mfa, passcode_limit, DT_CONFIG_INT), .fallback = "4", BETWEEN(1, 100), .reloadable = true,
     .help = "How many wrong passcodes in a row one person may enter, over all sign-ons."},
    {KEY(mfa, push_pause, DT_CONFIG_DURATION), .fallback = "5m", BETWEEN(0, DT_HOURS(24)),
     .reloadable = true,
     .help = "How long no push is sent to a person who denied one; 0 for no pause."},
    {KEY(mfa, push_limit, DT_CONFIG_INT), .fallback = "6", BETWEEN(0, 1000), .reloadable = true,
     .help = "How many pushes one person may be sent within push_limit_window; 0 for none at all."},
    {KEY(mfa, push_limit_window, DT_CONFIG_DURATION), .fallback = "10m",
     BETWEEN(DT_SECONDS(1), DT_HOURS(24)), .reloadable = true,
     .help = "The time window of push_limit and message_limit."},
    {KEY(mfa, message_limit, DT_CONFIG_INT), .fallback = "5", BETWEEN(0, 1000), .reloadable = true,
     .help = "How many codes by SMS, phone call and email one person may be sent within "
             "push_limit_window; 0 for none at all."},
    {KEY(mfa, wait_pam, DT_CONFIG_DURATION), .fallback = "55s",
     BETWEEN(DT_SECONDS(1), DT_SECONDS(60)), .reloadable = true,
     .help = "Longest wait for a person at a PAM login."},
    {KEY(mfa, wait_vpn, DT_CONFIG_DURATION), .fallback = "55s",
     BETWEEN(DT_SECONDS(1), DT_SECONDS(55)), .reloadable = true,
     .help = "Longest wait for a person at a VPN login."},
    {KEY(mfa, wait_wifi, DT_CONFIG_DURATION), .fallback = "25s",
     BETWEEN(DT_SECONDS(1), DT_SECONDS(25)), .reloadable = true,
     .help = "Longest wait for a person at an 802.1X login; supplicants give up at 30 s."},
    {KEY(mfa, challenge_lifetime, DT_CONFIG_DURATION), .fallback = "5m",
     BETWEEN(DT_SECONDS(1), DT_HOURS(1)), .reloadable = true,
     .help = "How long a RADIUS challenge may be answered."},
    {KEY(mfa, session_lifetime, DT_CONFIG_DURATION), .fallback = "8h", BETWEEN(0, DT_HOURS(24)),
     .reloadable = true,
     .help = "How long a resumed TLS session of 802.1X continues the sign-on that it began with."},

    {KEY(sessions, recheck, DT_CONFIG_DURATION), .fallback = "60s", BETWEEN(0, DT_HOURS(24)),
     .reloadable = true,
     .help = "How often the devices of open sessions are looked up again; 0s for never."},
    {KEY(sessions, lifetime, DT_CONFIG_DURATION), .fallback = "12h",
     BETWEEN(DT_MINUTES(1), DT_DAYS(31)), .reloadable = true,
     .help = "How long a session counts as open when nobody reports its end."},
    {KEY(sessions, on_loss, DT_CONFIG_ENUM), .fallback = "report", .words = words_on_loss,
     .reloadable = true, .per_application = true,
     .help = "What happens to a session that no longer meets the rule that let it in."},
    {KEY(sessions, sudo_sessions, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help = "Whether what is opened by su and sudo counts as a session of its own."},

    {KEY(break_glass, users, DT_CONFIG_LIST), .fallback = "", .reloadable = true,
     .help = "Accounts for emergencies: let in at a terminal of this host, refused elsewhere."},
    {KEY(break_glass, until, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 40),
     .reloadable = true, .help = "When the accounts in users expire."},

    {KEY(store, path, DT_CONFIG_PATH), .fallback = "/var/lib/devtrust/state.db",
     BETWEEN(1, PATH_BYTES), .reloadable = false,
     .help = "The database of remembered MFA, cached answers and enrolled device keys."},
    {KEY(store, size_limit, DT_CONFIG_INT), .fallback = "1024", BETWEEN(4, 65536),
     .reloadable = false, .help = "How large the database may become, in MiB."},
    {KEY(store, state_key_file, DT_CONFIG_PATH), .secret = true,
     .fallback = "/etc/devtrust/state.key", BETWEEN(1, PATH_BYTES), .reloadable = true,
     .help = "The key that seals RADIUS challenges; secret; may be missing at its default path."},

    {KEY(radius, store_path, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = false, .help = "The database of FreeRADIUS; empty: [store] path."},
    {KEY(radius, audit_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = false, .help = "The file for audit events of FreeRADIUS; empty: [audit] file."},
    {KEY(radius, state_key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = true,
     .help = "The key of FreeRADIUS that seals challenges; secret; empty: [store] state_key_file."},

    {KEY(radius, metrics_socket, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, SOCKET_MAX),
     .reloadable = false, .help = "The metrics socket of FreeRADIUS; empty: [metrics] socket."},
    {KEY(radius, metrics_textfile, DT_CONFIG_PATH), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = false,
     .help = "The metrics file of FreeRADIUS; empty: [metrics] textfile."},

    {KEY(audit, file, DT_CONFIG_PATH), .fallback = "/var/log/devtrust/audit.log",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = false,
     .help = "The file for audit events; empty for none."},
    {KEY(audit, format, DT_CONFIG_ENUM), .fallback = "okta", .words = words_audit_format,
     .reloadable = false,
     .help = "The form of events in the file: like Okta's System Log, or OCSF."},
    {KEY(audit, syslog, DT_CONFIG_BOOL), .fallback = "yes", .reloadable = false,
     .help = "Whether each outcome is also logged to syslog."},

    {KEY(metrics, socket, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, SOCKET_MAX),
     .reloadable = false, .help = "The Unix socket where metrics can be read; empty for none."},
    {KEY(metrics, textfile, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = false,
     .help = "The file that metrics are written to, for node_exporter; empty for none."},
    {KEY(metrics, interval, DT_CONFIG_DURATION), .fallback = "15s",
     BETWEEN(DT_SECONDS(1), DT_MINUTES(5)), .reloadable = false,
     .help = "Time between two writes of the metrics file."},

    {KEY(daemon, socket, DT_CONFIG_PATH), .fallback = "/run/devtrust/devtrustd.sock",
     BETWEEN(1, SOCKET_MAX), .reloadable = false,
     .help = "Where devtrustd listens for the PAM module."},
    {KEY(daemon, sshd_services, DT_CONFIG_LIST), .fallback = "sshd", .reloadable = true,
     .help = "PAM services of sshd: only there are SSH keys evidence."},
    {KEY(daemon, local_services, DT_CONFIG_LIST),
     .fallback = "login, sudo, su, gdm-password, lightdm, sddm, xdm, lxdm, polkit-1",
     .reloadable = true,
     .help = "PAM services of local logins: there the host's own certificate is evidence."},
    {KEY(daemon, person_at_host, DT_CONFIG_ENUM), .fallback = "auto", .words = words_person_at_host,
     .reloadable = true,
     .help = "What shows that the person sits at this host: its seats, or the service."},
    {KEY(daemon, agent_services, DT_CONFIG_LIST), .fallback = "sudo, su", .reloadable = true,
     .help = "PAM services where a device's key in the person's SSH agent is evidence."},
    {KEY(daemon, session_services, DT_CONFIG_LIST), .fallback = "sudo, su", .reloadable = true,
     .help = "PAM services where ONCE_PER_SESSION means the login session."},
    {KEY(daemon, lock_screen_services, DT_CONFIG_LIST),
     .fallback = "xsecurelock, i3lock, swaylock, waylock, xscreensaver, mate-screensaver, "
                 "cinnamon-screensaver, gnome-screensaver, kde",
     .reloadable = true,
     .help = "PAM services that callers other than root may use, for themselves only."},
    {KEY(daemon, no_prompt_services, DT_CONFIG_LIST),
     .fallback = "i3lock, swaylock, waylock, sddm, xdm, lxdm, vsftpd, proftpd, pure-ftpd, ftp, "
                 "dovecot, imap, pop3, smtp, squid, samba, cups, xrdp-sesman",
     .reloadable = true,
     .help = "PAM services of programs that show no prompts: their pushes have no number."},
    {KEY(daemon, max_sign_ons, DT_CONFIG_INT), .fallback = "512", BETWEEN(1, 20000),
     .reloadable = false, .help = "How many sign-ons devtrustd handles at the same time."},
    {KEY(daemon, identity_from, DT_CONFIG_ENUM), .fallback = "auto", .words = words_identity_from,
     .reloadable = true, .per_application = true,
     .help = "Who signs on: the user whose account is opened, or the caller."},

    {KEY(signals, news, DT_CONFIG_PATH), .fallback = "/run/devtrust-signals/news",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = false,
     .help = "The file through which devtrust-signals hands news to the others; empty for none."},
    {KEY(signals, listen, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 64),
     .reloadable = false,
     .help = "Where devtrust-signals listens for a reverse proxy, as 127.0.0.1:8931."},
    {KEY(signals, okta_hook_secret_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = false,
     .help = "What Okta's event hooks send in the Authorization header; secret."},
    {KEY(signals, proxy, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = false,
     .help =
         "The HTTP proxy on the way to transmitters; empty for that of [http], none for no proxy."},
    {KEY(signals, proxy_credentials_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .reloadable = false,
     .help = "What that proxy asks for, USER:PASSWORD; secret."},
};

_Static_assert(sizeof(keys) / sizeof(keys[0]) <= DT_CONFIG_KEYS_MAX, "raise DT_CONFIG_KEYS_MAX");

dt_config_key const *dt_config_keys(size_t *count)
{
    *count = sizeof(keys) / sizeof(keys[0]);
    return keys;
}

/* --- [ca NAME] --------------------------------------------------------------------------------- */

#define CA_KEY(key, kind)                                                                          \
    .section = "ca", .name = #key, .type = kind, .offset = offsetof(dt_config_ca, key)

static dt_config_key const ca_keys[] = {
    {CA_KEY(certificate_file, DT_CONFIG_PATH), .fallback = NULL, BETWEEN(1, PATH_BYTES),
     .reloadable = true, .help = "The CA certificates that these rules are for, PEM."},
    {CA_KEY(tenant_id, DT_CONFIG_GUID), .fallback = "", .reloadable = true,
     .help = "The tenant that each certificate must name; empty where the CA is the company's."},
    {CA_KEY(device_id, DT_CONFIG_BITS), .fallback = "san-uri, extension, common-name",
     .words = words_place, .reloadable = true,
     .help = "Where a certificate contains the device id."},
    {CA_KEY(extended_key_usage, DT_CONFIG_STRING), .fallback = "1.3.6.1.5.5.7.3.2", BETWEEN(1, 256),
     .reloadable = true,
     .help = "The extended key usages (object identifiers) that a certificate must have."},
    {CA_KEY(keys, DT_CONFIG_BITS), .fallback = "rsa, p256, p384, p521, ed25519", .words = words_key,
     .reloadable = true, .help = "The types of key that a device may have."},
    {CA_KEY(rsa_bits_min, DT_CONFIG_INT), .fallback = "2048",
     BETWEEN(DT_RSA_BITS_MIN, DT_RSA_BITS_MAX), .reloadable = true,
     .help = "The shortest RSA key that a device may have, in bits."},
    {CA_KEY(crl_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .reloadable = true, .help = "Revocation lists of these CAs, PEM or one in DER."},
    {CA_KEY(revocation, DT_CONFIG_ENUM), .fallback = "off", .words = words_revocation,
     .reloadable = true,
     .help = "What happens when it is unknown whether a certificate is revoked."},
    {CA_KEY(ocsp, DT_CONFIG_BOOL), .fallback = "no", .reloadable = true,
     .help = "Whether OCSP responders are asked about certificates of these CAs."},
    {CA_KEY(ocsp_url, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .reloadable = true,
     .help = "The OCSP responder; empty for the one that each certificate names."},
};

_Static_assert(sizeof(ca_keys) / sizeof(ca_keys[0]) <= DT_CONFIG_CA_KEYS_MAX,
               "raise DT_CONFIG_CA_KEYS_MAX");

dt_config_key const *dt_config_ca_keys(size_t *count)
{
    *count = sizeof(ca_keys) / sizeof(ca_keys[0]);
    return ca_keys;
}

/* --- [transmitter NAME] ------------------------------------------------------------------------ */

#define TRANSMITTER_KEY(key, kind)                                                                 \
    .section = "transmitter", .name = #key, .type = kind,                                          \
    .offset = offsetof(dt_config_transmitter, key), .reloadable = false

static dt_config_key const transmitter_keys[] = {
    {TRANSMITTER_KEY(issuer, DT_CONFIG_STRING), .fallback = NULL, BETWEEN(1, URL_MAX),
     .help = "The issuer of the events, exactly as the transmitter writes it."},
    {TRANSMITTER_KEY(metadata_url, DT_CONFIG_STRING), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .help =
         "The transmitter's metadata, where it is not at the place that follows from the issuer."},
    {TRANSMITTER_KEY(delivery, DT_CONFIG_ENUM), .fallback = "poll", .words = words_signals_by,
     .help = "Whether devtrust-signals fetches the events, or the transmitter sends them."},
    {TRANSMITTER_KEY(audience, DT_CONFIG_STRING), .fallback = "",
     BETWEEN(MAY_BE_EMPTY, DT_CONFIG_VALUE_MAX - 1),
     .help = "The audiences of events that are for this site; empty for those of the stream."},
    {TRANSMITTER_KEY(stream_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 255),
     .help = "The id of the stream; empty to find it, or to create it."},
    {TRANSMITTER_KEY(push_url, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .help = "The URL that the transmitter sends events to, at the site's reverse proxy."},
    {TRANSMITTER_KEY(push_secret_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .help = "What the transmitter sends in the Authorization header; secret."},
    {TRANSMITTER_KEY(token_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .help = "A bearer token for the transmitter that does not change; secret."},
    {TRANSMITTER_KEY(token_url, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, URL_MAX),
     .help = "The OAuth token endpoint that issues tokens for the transmitter."},
    {TRANSMITTER_KEY(client_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 128),
     .help = "The client id that asks there."},
    {TRANSMITTER_KEY(client_secret_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES), .help = "The client secret that asks there; secret."},
    {TRANSMITTER_KEY(key_file, DT_CONFIG_PATH), .secret = true, .fallback = "",
     BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .help = "The private key that asks there instead, PEM, RSA or P-256; secret."},
    {TRANSMITTER_KEY(key_id, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 128),
     .help = "The id (kid) of that key."},
    {TRANSMITTER_KEY(scope, DT_CONFIG_STRING), .fallback = "ssf.read ssf.manage",
     BETWEEN(MAY_BE_EMPTY, 256), .help = "The scopes that are asked for there."},
    {TRANSMITTER_KEY(poll_pause, DT_CONFIG_DURATION), .fallback = "5s", BETWEEN(500, DT_MINUTES(5)),
     .help = "Time between two polls where the transmitter answers at once that there is nothing."},
    {TRANSMITTER_KEY(ca_file, DT_CONFIG_PATH), .fallback = "", BETWEEN(MAY_BE_EMPTY, PATH_BYTES),
     .help =
         "CA certificates for the connection to the transmitter; empty for those of the system."},
};

_Static_assert(sizeof(transmitter_keys) / sizeof(transmitter_keys[0]) <=
                   DT_CONFIG_TRANSMITTER_KEYS_MAX,
               "raise DT_CONFIG_TRANSMITTER_KEYS_MAX");

dt_config_key const *dt_config_transmitter_keys(size_t *count)
{
    *count = sizeof(transmitter_keys) / sizeof(transmitter_keys[0]);
    return transmitter_keys;
}

/* --- [nas NAME] -------------------------------------------------------------------------------- */

#define NAS_KEY(key, kind)                                                                         \
    .section = "nas", .name = #key, .type = kind, .offset = offsetof(dt_config_nas, key)

static dt_config_key const nas_keys[] = {
    {NAS_KEY(address, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, DT_CONFIG_VALUE_MAX),
     .reloadable = true,
     .help = "The addresses and networks of the NAS, as it names itself or as its packets arrive."},
    {NAS_KEY(identifier, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 253),
     .reloadable = true, .help = "The NAS-Identifier of the NAS; empty for any."},
    {NAS_KEY(send_to, DT_CONFIG_STRING), .fallback = "", BETWEEN(MAY_BE_EMPTY, 45),
     .reloadable = true,
     .help = "The address that requests are sent to; empty for the one that the NAS names."},
    {NAS_KEY(port, DT_CONFIG_INT), .fallback = "0", BETWEEN(0, 65535), .reloadable = true,
     .help = "The UDP port that requests are sent to; 0 for the usual one of the kind."},
    {NAS_KEY(secret_file, DT_CONFIG_PATH), .fallback = NULL, BETWEEN(1, PATH_BYTES),
     .reloadable = true, .secret = true,
     .help = "The secret that the NAS shares with devtrust for such requests."},
    {NAS_KEY(kind, DT_CONFIG_ENUM), .fallback = "generic", .words = words_nas_kind,
     .reloadable = true,
     .help = "The make of the NAS, which decides how a session is named to it."},
    {NAS_KEY(reauthenticate, DT_CONFIG_ENUM), .fallback = "by_kind", .words = words_nas_again,
     .reloadable = true, .help = "How the NAS is asked to have a person sign on again."},
};

_Static_assert(sizeof(nas_keys) / sizeof(nas_keys[0]) <= DT_CONFIG_NAS_KEYS_MAX,
               "raise DT_CONFIG_NAS_KEYS_MAX");

dt_config_key const *dt_config_nas_keys(size_t *count)
{
    *count = sizeof(nas_keys) / sizeof(nas_keys[0]);
    return nas_keys;
}

/* --- [message REASON] -------------------------------------------------------------------------- */

#define MESSAGE_KEY(key, i, when)                                                                  \
    {                                                                                              \
        .section = "message", .name = key, .type = DT_CONFIG_STRING,                               \
        .offset = offsetof(dt_config_message, texts[i]), .fallback = "",                           \
        BETWEEN(MAY_BE_EMPTY, TEXT_MAX), .reloadable = true,                                       \
        .help = "The text that people read" when "."                                               \
    }

static dt_config_key const message_keys[] = {
    MESSAGE_KEY("text", 0, " on platforms without a text of their own"),
    MESSAGE_KEY("windows", 1, " on Windows"),
    MESSAGE_KEY("macos", 2, " on macOS"),
    MESSAGE_KEY("linux", 3, " on Linux"),
    MESSAGE_KEY("chromeos", 4, " on ChromeOS"),
    MESSAGE_KEY("other_desktop", 5, " on another desktop system"),
    MESSAGE_KEY("ios", 6, " on iOS and iPadOS"),
    MESSAGE_KEY("android", 7, " on Android"),
    MESSAGE_KEY("other_mobile", 8, " on another mobile system"),
};

_Static_assert(sizeof(message_keys) / sizeof(message_keys[0]) == DT_CONFIG_MESSAGE_TEXTS,
               "a text for all platforms, and for each");

dt_config_key const *dt_config_message_keys(size_t *count)
{
    *count = sizeof(message_keys) / sizeof(message_keys[0]);
    return message_keys;
}
