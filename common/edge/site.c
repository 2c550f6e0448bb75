/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads a site: devtrust.conf and everything that it names and all sign-ons share. What is wrong is
 * found here, at start, and not at somebody's login. */
#include "edge/site.h"

#include "core/base/crypto.h"
#include "core/ruleset/service.h"
#include "edge/file.h"
#include "edge/file_advice.h"
#include "edge/geo_maxmind.h"
#include "edge/ini.h"
#include "edge/managed_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CA_FILE_MAX (1024 * 1024) /* PEM text of a company's CAs */
#define POLICY_SUFFIX ".json"
/* What may lie beside the policies: the published schemas, tables of cases, and properties. */
static char const *const other_suffixes[] = {".schema.json", ".cases.json", ".properties.json"};
#define OKTA_TOKEN_MIN 8
#define OKTA_TOKEN_MAX 1024
#define STATE_KEY_HEX (2 * DT_AEAD_KEY_LEN)
#define PATH_LEN_MAX (DT_CONFIG_VALUE_MAX + 256)

struct dt_site {
    char const *path;  /* of devtrust.conf, for messages while loading */
    dt_faults *faults; /* while loading, where all faults are wanted; else NULL */
    bool no_zones;     /* while loading: the zones have faults */
    dt_config *config;
    dt_config *applied[DT_CONFIG_APPLICATIONS_MAX]; /* as config has it for its i-th application */
    dt_tls_anchors *okta_anchors, *intune_anchors;
    dt_http_proxy *okta_proxy, *intune_proxy, *ocsp_proxy;
    dt_trust_store *anchors;
    dt_ssh_cas *ssh_cas;
    dt_geo *geo;
    dt_zones *zones;
    dt_policy *policies[DT_SITE_POLICIES_MAX];
    size_t policy_count;
    dt_policy *org;
    dt_user_table *user_table;
    dt_secret *okta_token;
    dt_secret *state_key;
    dt_nas_table *nases;
    dt_managed_hints hints;
    dt_managed_file *managed;
    char config_hash[65], ca_hash[65];
    uint64_t generation;
    dt_time loaded;
};

static int set_section_error(dt_site const *f, char const *section, char const *name, dt_error *e,
                             int error)
{
    /* What is on the list of faults is not reported again. */
    if (f->faults != NULL && e->code == DT_OK)
        return error;
    return dt_config_blame(f->config, section, name, e, error);
}

/* Where all faults are wanted, one does not end the loading. */
static int keep(dt_site *f, dt_error *e, int rc)
{
    return dt_faults_keep(f->faults, e, rc);
}

/* Takes `content` into a hash that stands for several files: the order counts, and where each ends. */
static int hash_add(char hash[65], dt_bytes content, char const *path, dt_error *e)
{
    uint8_t both[64 + DT_SHA256_LEN] = {0}, digest[DT_SHA256_LEN];
    int error = dt_crypto_sha256(content, both + 64);

    memcpy(both, hash, strlen(hash));
    if (error == DT_OK)
        error = dt_crypto_sha256(dt_bytes_of(both, sizeof(both)), digest);
    if (error < 0)
        return dt_error_set(e, error, "%s cannot be hashed", path);
    dt_hex(hash, digest, sizeof(digest));
    return DT_OK;
}

static dt_site_door process_door;

void dt_site_set_door(dt_site_door door)
{
    process_door = door;
}

static int read_config(char const *path, dt_faults *faults, dt_config **config, char hash[65],
                       dt_error *e)
{
    dt_buf text;
    int error;

    dt_buf_init(&text, DT_CONFIG_FILE_MAX);
    error = dt_file_read(path, DT_FILE_TRUSTED, DT_CONFIG_FILE_MAX, &text, e);
    if (error == DT_OK)
        error = dt_config_new(config, e);
    if (error == DT_OK) {
        (*config)->faults = faults;
        error = dt_ini_parse(dt_buf_bytes(&text), path, *config, e);
        (*config)->faults = NULL;
    }
    if (error == DT_OK && process_door == DT_SITE_DOOR_RADIUS)
        dt_config_use_radius(*config);
    if (error == DT_OK)
        error = hash_add(hash, dt_buf_bytes(&text), path, e);
    dt_buf_free(&text);
    return error;
}

/* The copies borrow from the configuration: whoever changes it makes them anew. */
static int apply_sections(dt_site *f, dt_error *e)
{
    for (size_t i = 0; i < f->config->application_count; i++) {
        if (f->applied[i] == NULL)
            f->applied[i] = calloc(1, sizeof(*f->applied[i]));
        if (f->applied[i] == NULL ||
            !dt_config_for(f->config, f->config->applications[i]->name, f->applied[i]))
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    return DT_OK;
}

static int load_config(dt_site *f, dt_error *e)
{
    int error = read_config(f->path, f->faults, &f->config, f->config_hash, e);

    return error < 0 ? error : apply_sections(f, e);
}

int dt_site_config_read(char const *config_path, dt_config **out, dt_error *e)
{
    char hash[65] = "";
    int error;

    *out = NULL;
    error = read_config(config_path, NULL, out, hash, e);
    if (error < 0)
        dt_config_free(out);
    return error;
}

dt_config *dt_site_config_look(char const *config_path, dt_faults *faults)
{
    dt_config *c = NULL;
    char hash[65] = "";
    dt_error e = {0};

    if (read_config(config_path, faults, &c, hash, &e) < 0 && c != NULL && c->file == NULL)
        dt_config_free(&c);
    return c;
}

/* --- who vouches for the servers --------------------------------------------------------------- */

static int load_tls_anchors(dt_site *f, char const *section, char const *path, dt_tls_anchors **out,
                            dt_error *e)
{
    int error = *path != '\0' ? dt_tls_anchors_read(path, out, e) : DT_OK;

    return error < 0 ? set_section_error(f, section, "ca_file", e, error) : DT_OK;
}

static int load_okta_anchors(dt_site *f, dt_error *e)
{
    return load_tls_anchors(f, "okta", f->config->okta.ca_file, &f->okta_anchors, e);
}

static int load_intune_anchors(dt_site *f, dt_error *e)
{
    return load_tls_anchors(f, "intune", f->config->intune.ca_file, &f->intune_anchors, e);
}

/* Only that of Okta is known to who asks nobody else: see dt_site_load_okta. */
static int load_okta_proxy(dt_site *f, dt_error *e)
{
    return dt_http_proxy_load(f->config, DT_HTTP_OKTA, &f->okta_proxy, e);
}

static int load_other_proxies(dt_site *f, dt_error *e)
{
    int error = dt_http_proxy_load(f->config, DT_HTTP_GRAPH, &f->intune_proxy, e);

    return error < 0 ? error : dt_http_proxy_load(f->config, DT_HTTP_OCSP, &f->ocsp_proxy, e);
}

/* --- certificates ----------------------------------------------------------------------------- */

/* A file of certificates or lists for the trust store, which some key of a section names. */
typedef struct store_file {
    char const *section, *name, *path;
    dt_config_ca const *ca; /* of [ca NAME]; NULL: of [device_trust] */
    bool shared;
} store_file;

static int add_cas(dt_site *f, store_file const *from, dt_bytes pem, dt_error *e)
{
    size_t before = dt_trust_store_size(f->anchors);
    int error = from->ca != NULL ? dt_trust_store_add_ca(f->anchors, from->ca, pem, e)
                                 : dt_trust_store_add_pem(f->anchors, pem, from->shared, e);

    if (error == DT_OK && dt_trust_store_size(f->anchors) == before)
        error = dt_error_set(e, DT_E_INVALID, "contains no CA certificate");
    return error;
}

static int add_crls(dt_site *f, store_file const *from, dt_bytes text, dt_error *e)
{
    return from->ca != NULL ? dt_trust_store_add_crls_of(f->anchors, from->ca->name, text, e)
                            : dt_trust_store_add_crls(f->anchors, text, e);
}

static int load_store_file(dt_site *f, store_file const *from, size_t max,
                           int (*add)(dt_site *, store_file const *, dt_bytes, dt_error *),
                           dt_error *e)
{
    dt_buf text;
    int error;

    if (*from->path == '\0')
        return DT_OK;
    dt_buf_init(&text, max);
    error = dt_file_read(from->path, DT_FILE_TRUSTED, max, &text, e);
    if (error == DT_OK) {
        error = add(f, from, dt_buf_bytes(&text), e);
        if (error < 0)
            dt_error_prefix(e, "%s", from->path);
    }
    if (error == DT_OK)
        error = hash_add(f->ca_hash, dt_buf_bytes(&text), from->path, e);
    dt_buf_free(&text);
    return error < 0 ? set_section_error(f, from->section, from->name, e, error) : DT_OK;
}

/* One [ca NAME]: its CAs, then the lists that they signed. */
static int load_ca(dt_site *f, dt_config_ca const *ca, dt_error *e)
{
    char section[DT_CONFIG_SECTION_MAX];
    store_file cas = {.section = section, .name = "certificate_file", .ca = ca};
    store_file crls = {.section = section, .name = "crl_file", .ca = ca};
    int error;

    (void)snprintf(section, sizeof(section), "ca %s", ca->name);
    cas.path = ca->certificate_file;
    crls.path = ca->crl_file;
    error = load_store_file(f, &cas, CA_FILE_MAX, add_cas, e);
    return error < 0 ? error : load_store_file(f, &crls, DT_CRL_FILE_MAX, add_crls, e);
}

static int load_responders(dt_site *f, dt_error *e)
{
    char const *path = f->config->device_trust.ocsp_responder_file;
    dt_buf pem;
    int error;

    if (*path == '\0')
        return DT_OK;
    dt_buf_init(&pem, CA_FILE_MAX);
    error = dt_file_read(path, DT_FILE_TRUSTED, CA_FILE_MAX, &pem, e);
    if (error == DT_OK) {
        error = dt_trust_store_add_responders(f->anchors, dt_buf_bytes(&pem), e);
        if (error < 0)
            dt_error_prefix(e, "%s", path);
    }
    if (error == DT_OK)
        error = hash_add(f->ca_hash, dt_buf_bytes(&pem), path, e);
    dt_buf_free(&pem);
    return error < 0 ? set_section_error(f, "device_trust", "ocsp_responder_file", e, error)
                     : DT_OK;
}

static int load_ocsp(dt_site *f, dt_error *e)
{
    dt_ocsp_rules rules = {.on = f->config->device_trust.ocsp,
                           .max_age = f->config->device_trust.ocsp_max_age};
    int error = dt_str_copy(rules.url, sizeof(rules.url), f->config->device_trust.ocsp_url);

    if (error == DT_OK)
        error = dt_trust_store_set_ocsp(f->anchors, &rules);
    if (error < 0) {
        dt_error_set(e, error, "cannot be asked");
        return set_section_error(f, "device_trust", "ocsp_url", e, error);
    }
    return load_responders(f, e);
}

static int load_anchors(dt_site *f, dt_error *e)
{
    store_file const company = {"device_trust", "ca_file", f->config->device_trust.ca_file, NULL,
                                false};
    store_file const shared = {"device_trust", "shared_ca_file",
                               f->config->device_trust.shared_ca_file, NULL, true};
    store_file const crls = {"device_trust", "crl_file", f->config->device_trust.crl_file, NULL,
                             false};
    size_t before = dt_faults_count(f->faults);
    int error = dt_trust_store_new(&f->anchors);

    if (error < 0)
        return dt_error_set(e, error, "no memory for the CA certificates");
    error = keep(f, e, load_store_file(f, &company, CA_FILE_MAX, add_cas, e));
    if (error == DT_OK)
        error = keep(f, e, load_store_file(f, &shared, CA_FILE_MAX, add_cas, e));
    /* Lists are matched with the CAs that signed them. */
    if (error == DT_OK && dt_faults_count(f->faults) == before)
        error = keep(f, e, load_store_file(f, &crls, DT_CRL_FILE_MAX, add_crls, e));
    for (size_t i = 0; error == DT_OK && i < f->config->ca_count; i++)
        error = keep(f, e, load_ca(f, f->config->cas[i], e));
    if (error == DT_OK)
        error = load_ocsp(f, e);
    error = dt_faults_end(f->faults, before, error);
    if (error == DT_OK)
        dt_trust_store_set_revocation(f->anchors, f->config->device_trust.revocation);
    return error;
}

static int load_ssh_cas(dt_site *f, dt_error *e)
{
    char const *path = f->config->device_trust.ssh_device_ca_file;
    dt_buf text;
    int error;

    if (*path == '\0')
        return DT_OK;
    dt_buf_init(&text, CA_FILE_MAX);
    error = dt_file_read(path, DT_FILE_TRUSTED, CA_FILE_MAX, &text, e);
    if (error == DT_OK) {
        error = dt_ssh_cas_new(&f->ssh_cas);
        if (error == DT_OK)
            error = dt_ssh_cas_add_text(f->ssh_cas, dt_buf_bytes(&text), e);
        if (error < 0)
            dt_error_prefix(e, "%s", path);
    }
    if (error == DT_OK)
        error = hash_add(f->ca_hash, dt_buf_bytes(&text), path, e);
    if (error == DT_OK && dt_ssh_cas_count(f->ssh_cas) == 0)
        error = dt_error_set(e, DT_E_INVALID, "%s contains no public key", path);
    dt_buf_free(&text);
    return error < 0 ? set_section_error(f, "device_trust", "ssh_device_ca_file", e, error) : DT_OK;
}

/* --- user names -------------------------------------------------------------------------------- */

static int load_user_table(dt_site *f, dt_error *e)
{
    char const *path = f->config->user_name.table_file;
    dt_buf text;
    int error;

    if (*path == '\0')
        return DT_OK;
    dt_buf_init(&text, DT_USER_TABLE_FILE_MAX);
    error = dt_file_read(path, DT_FILE_TRUSTED, DT_USER_TABLE_FILE_MAX, &text, e);
    if (error == DT_OK && text.len == 0)
        error = dt_error_set(e, DT_E_INVALID,
                             "%s is empty; write NAME -> LOGIN on each line, or remove table_file",
                             path);
    if (error == DT_OK)
        error = dt_user_table_parse(f->config, path, dt_buf_bytes(&text), &f->user_table, e);
    if (error == DT_OK)
        error = hash_add(f->config_hash, dt_buf_bytes(&text), path, e);
    dt_buf_free(&text);
    return error < 0 ? set_section_error(f, "user_name", "table_file", e, error) : DT_OK;
}

/* --- zones and policies ----------------------------------------------------------------------- */

/* A JSON file: its tree, and its text, which errors name lines of. */
typedef struct json_file {
    char const *path; /* borrowed */
    dt_buf text;
    dt_json *root;
} json_file;

static void json_file_close(json_file *j)
{
    dt_json_free(&j->root);
    dt_buf_free(&j->text);
}

static dt_json_source json_file_source(dt_site const *f, json_file const *j)
{
    return (dt_json_source){.faults = f->faults,
                            .no_zones = f->no_zones,
                            .file = j->path,
                            .text = dt_buf_bytes(&j->text)};
}

/* Reads the text; to be closed also after a failure. */
static int json_file_read(char const *path, json_file *j, dt_error *e)
{
    *j = (json_file){.path = path};
    dt_buf_init(&j->text, DT_POLICY_TEXT_MAX);
    return dt_file_read(path, DT_FILE_TRUSTED, DT_POLICY_TEXT_MAX, &j->text, e);
}

/* Reads and parses; to be closed also after a failure. */
static int json_file_open(char const *path, json_file *j, dt_error *e)
{
    int error = json_file_read(path, j, e);

    if (error == DT_OK) {
        error = dt_json_parse(dt_buf_bytes(&j->text), &j->root, e);
        if (error < 0)
            dt_error_prefix(e, "%s", path);
    }
    return error;
}

/* The SHA-256 of its text in hex. */
static int json_file_hash(json_file const *j, char hash[65], dt_error *e)
{
    uint8_t digest[DT_SHA256_LEN];
    int error = dt_crypto_sha256(dt_buf_bytes(&j->text), digest);

    if (error < 0)
        return dt_error_set(e, error, "%s cannot be hashed", j->path);
    dt_hex(hash, digest, sizeof(digest));
    return DT_OK;
}

/* What DYNAMIC zones ask. */
static int load_geo(dt_site *f, dt_error *e)
{
    return dt_geo_open(f->config, &f->geo, e);
}

/* At its default place the file may be missing: then there are no zones. */
static int load_zones(dt_site *f, dt_error *e)
{
    char const *path = f->config->policy.zones_file;
    bool given = dt_config_line(f->config, "policy", "zones_file") > 0;
    dt_error why = {0};
    json_file j;
    int error = json_file_read(path, &j, &why);

    if (error == DT_OK) {
        dt_json_source source = json_file_source(f, &j);
        error = dt_zones_parse_text(&source, &f->zones, &why);
        if (error == DT_OK)
            error = dt_zones_set_geo(f->zones, f->geo, path, &why);
    }
    json_file_close(&j);
    if (error == DT_OK || (error == DT_E_NOT_FOUND && !given))
        return DT_OK;
    if (e != NULL)
        *e = why;
    f->no_zones = true;
    return set_section_error(f, "policy", "zones_file", e, error);
}

/* At its default place the file may be missing: then the org has no rules for us. */
static int load_org(dt_site *f, dt_error *e)
{
    char const *path = f->config->policy.org_file;
    bool given = dt_config_line(f->config, "policy", "org_file") > 0;
    char hash[65] = "";
    dt_error why = {0};
    json_file j;
    int error = json_file_open(path, &j, &why);

    if (error == DT_OK)
        error = json_file_hash(&j, hash, &why);
    if (error == DT_OK) {
        dt_json_source source = json_file_source(f, &j);
        error = dt_org_policy_parse_source(j.root, &source, f->zones, &f->org, &why);
    }
    if (error == DT_OK)
        dt_policy_set_hash(f->org, hash);
    json_file_close(&j);
    if (error == DT_E_NOT_FOUND && !given)
        return DT_OK;
    if (error == DT_OK)
        return DT_OK;
    if (e != NULL)
        *e = why;
    return set_section_error(f, "policy", "org_file", e, error);
}

/* Files that hold a policy: NAME.json, and neither hidden nor something else. */
static bool is_policy_name(char const *name)
{
    size_t len = strlen(name);
    size_t suffix = sizeof(POLICY_SUFFIX) - 1;

    if (len <= suffix || *name == '.' || strcmp(name + len - suffix, POLICY_SUFFIX) != 0)
        return false;
    for (size_t i = 0; i < sizeof(other_suffixes) / sizeof(other_suffixes[0]); i++) {
        size_t other = strlen(other_suffixes[i]);
        if (len >= other && strcmp(name + len - other, other_suffixes[i]) == 0)
            return false;
    }
    return true;
}

static void names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
}

static int compare_names(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_one(char const *path, char const *name, char **names, size_t *count, dt_error *e)
{
    if (*count == DT_SITE_POLICIES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "%s contains more than %d policies", path,
                            DT_SITE_POLICIES_MAX);
    names[*count] = strdup(name);
    if (names[*count] == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    (*count)++;
    return DT_OK;
}

/* The names of the policies' files, sorted, so that the first error is the same each time. */
int dt_site_list_policies(char const *path, char *names[DT_SITE_POLICIES_MAX], size_t *count,
                          dt_error *e)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int error = DT_OK;

    *count = 0;
    if (d == NULL)
        return dt_error_set(e, errno == ENOENT ? DT_E_NOT_FOUND : DT_E_IO, "%s: %s", path,
                            strerror(errno));
    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (error == DT_OK && (errno = 0, entry = readdir(d)) != NULL) {
        if (is_policy_name(entry->d_name))
            error = list_one(path, entry->d_name, names, count, e);
    }
    if (error == DT_OK && errno != 0)
        error = dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    closedir(d);
    if (error == DT_OK && *count == 0)
        error = dt_error_set(e, DT_E_NOT_FOUND,
                             "%s contains no policy; write one as APPLICATION.json", path);
    qsort(names, *count, sizeof(*names), compare_names);
    return error;
}

/* The policy of a file must be that of the application it is named after: else one that was copied
 * and not edited would quietly leave an application without its rules. */
static int check_application(dt_policy const *p, char const *path, char const *name, dt_error *e)
{
    char const *application = dt_policy_application(p);
    size_t len = strlen(name) - (sizeof(POLICY_SUFFIX) - 1);
    char shown[DT_POLICY_NAME_MAX];

    if (strlen(application) == len && strncmp(application, name, len) == 0)
        return DT_OK;
    return dt_error_set(e, DT_E_INVALID,
                        "%s: /application: is \"%s\"; name the file %s.json, or set the "
                        "application that it is named after",
                        path, dt_str_escape(shown, sizeof(shown), application), shown);
}

static int load_policy(dt_site *f, char const *name, dt_error *e)
{
    char path[PATH_LEN_MAX];
    char hash[65] = "";
    json_file j;
    dt_policy *policy = NULL;
    dt_buf b;
    int error;

    dt_buf_init_fixed(&b, path, sizeof(path));
    dt_buf_puts(&b, f->config->policy.directory);
    dt_buf_putc(&b, '/');
    dt_buf_puts(&b, name);
    if (dt_buf_error(&b) < 0)
        return dt_error_set(e, DT_E_LIMIT, "%s: the path is too long", path);
    error = json_file_open(path, &j, e);
    if (error == DT_OK)
        error = json_file_hash(&j, hash, e);
    if (error == DT_OK) {
        dt_json_source source = json_file_source(f, &j);
        error = dt_policy_parse_source(j.root, &source, f->zones, &policy, e);
    }
    if (error == DT_OK)
        error = check_application(policy, path, name, e);
    if (error == DT_OK) {
        dt_policy_set_hash(policy, hash);
        f->policies[f->policy_count++] = policy;
        policy = NULL;
    }
    dt_policy_free(&policy);
    json_file_close(&j);
    return error;
}

static int load_policies(dt_site *f, dt_error *e)
{
    char *names[DT_SITE_POLICIES_MAX];
    size_t count = 0;
    int error = dt_site_list_policies(f->config->policy.directory, names, &count, e);

    if (error < 0)
        (void)set_section_error(f, "policy", "directory", e, error);
    for (size_t i = 0; error == DT_OK && i < count; i++) {
        error = load_policy(f, names[i], e);
        if (error < 0)
            error = keep(f, e, set_section_error(f, "policy", "directory", e, error));
        if (error < 0)
            break;
    }
    names_free(names, count);
    return error;
}

/* A section for an application that there is not: misspelled, it would leave the one that was meant
 * under a rule that nobody wanted for it. */
static int check_sections(dt_site *f, dt_error *e)
{
    for (size_t i = 0; i < f->config->application_count; i++) {
        dt_config_application const *a = f->config->applications[i];

        if (dt_site_policy(f, a->name) != NULL)
            continue;
        if (strcmp(dt_site_application_of(f, a->name), a->name) != 0)
            return dt_error_set(e, DT_E_NOT_FOUND,
                                "%s:%d: [application %s]: it has no policy of its own in %s and "
                                "uses that of %s; write one, or name the section [application %s]",
                                f->path, a->line, a->name, f->config->policy.directory,
                                dt_service_base(a->name), dt_service_base(a->name));
        return dt_error_set(e, DT_E_NOT_FOUND,
                            "%s:%d: [application %s]: no policy of this application in %s; write "
                            "one, or remove the section",
                            f->path, a->line, a->name, f->config->policy.directory);
    }
    return DT_OK;
}

/* A rule that calls somebody by a name which no identity has would never hold for them: one that denies
 * would deny nobody. Logins of unknown realms are as good as any: the table may give them. */
static bool cannot_be_user(void *ctx, char const *name)
{
    dt_site const *f = ctx;
    dt_identity id;
    dt_error e = {0};

    if (strchr(name, '\\') != NULL)
        return true;
    return strchr(name, '@') != NULL && dt_site_identity(f, name, &id, &e) == DT_OK &&
           !dt_str_equal_nocase(id.login, name) &&
           dt_user_table_find(f->user_table, id.local, id.realm) == NULL;
}

static int check_people_of(dt_site *f, dt_policy const *p, dt_error *e)
{
    char const *rule = NULL, *name = dt_policy_find_user(p, cannot_be_user, f, &rule);
    char shown[DT_USER_MAX], shown_rule[DT_POLICY_NAME_MAX];

    if (name == NULL)
        return DT_OK;
    return dt_error_set(
        e, DT_E_INVALID,
        "policy \"%s\", rule \"%s\": \"%s\" cannot be a user name, see [user_name]; "
        "use the local name, or the Okta login",
        dt_policy_application(p), dt_str_escape(shown_rule, sizeof(shown_rule), rule),
        dt_str_escape(shown, sizeof(shown), name));
}

static int check_people(dt_site *f, dt_error *e)
{
    int error = check_people_of(f, f->org, e);

    for (size_t i = 0; error == DT_OK && i < f->policy_count; i++)
        error = check_people_of(f, f->policies[i], e);
    return error;
}

/* --- secrets ---------------------------------------------------------------------------------- */

/* The token becomes part of a header line: nothing but the characters that tokens are made of. */
static int check_okta_token(dt_secret const *token, char const *path, dt_error *e)
{
    dt_bytes b = dt_secret_bytes(token);
    bool fine = b.len >= OKTA_TOKEN_MIN && b.len <= OKTA_TOKEN_MAX;

    for (size_t i = 0; fine && i < b.len; i++) {
        char c = (char)b.p[i];
        fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.' || c == '~';
    }
    if (fine)
        return DT_OK;
    return dt_error_set(e, DT_E_INVALID,
                        "%s does not contain an Okta API token; write the token alone, without "
                        "\"SSWS\", blanks or quotes",
                        path);
}

static int load_okta_token(dt_site *f, dt_error *e)
{
    char const *path = f->config->okta.api_token_file;

    /* Beside a service app it is for passwords alone, and then it is written down. */
    if (f->config->okta.client_id[0] != '\0' &&
        dt_config_line(f->config, "okta", "api_token_file") == 0)
        return DT_OK;
    int error = dt_file_read_secret(path, true, &f->okta_token, e);

    if (error == DT_OK)
        error = check_okta_token(f->okta_token, path, e);
    return error < 0 ? set_section_error(f, "okta", "api_token_file", e, error) : DT_OK;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 32 bytes as they are, or 64 hex digits and perhaps the end of the line. */
static bool state_key_decode(dt_bytes in, uint8_t key[DT_AEAD_KEY_LEN])
{
    if (in.len == DT_AEAD_KEY_LEN) {
        memcpy(key, in.p, DT_AEAD_KEY_LEN);
        return true;
    }
    if (in.len == STATE_KEY_HEX + 1 && in.p[STATE_KEY_HEX] == '\n')
        in.len--;
    if (in.len != STATE_KEY_HEX)
        return false;
    for (size_t i = 0; i < DT_AEAD_KEY_LEN; i++) {
        int high = hex_digit(in.p[2 * i]);
        int low = hex_digit(in.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A file of zeros, or of one character typed many times, is not a key. */
static bool state_key_is_random(uint8_t const key[DT_AEAD_KEY_LEN])
{
    size_t distinct = 0;

    for (size_t i = 0; i < DT_AEAD_KEY_LEN; i++)
        distinct += memchr(key, key[i], i) == NULL ? 1 : 0;
    return distinct >= 8;
}

/* By install(1): the file never has wider rights than it ends with, and the service can read it. */
static int refuse_state_key(char const *path, dt_error *e)
{
    char group[DT_ADVICE_NAME_MAX];
    bool shared = *dt_advice_group(group) != '\0';

    return dt_error_set(e, DT_E_INVALID,
                        "%s does not contain 32 random bytes; run: openssl rand -hex 32 | install "
                        "-m %s%s /dev/stdin %s",
                        path, shared ? "640 -o root -g " : "600", group,
                        dt_advice_quote(path).text);
}

static int state_key_make(dt_bytes in, char const *path, dt_secret **out, dt_error *e)
{
    uint8_t key[DT_AEAD_KEY_LEN] = {0};
    int error = DT_OK;

    if (!state_key_decode(in, key) || !state_key_is_random(key))
        error = refuse_state_key(path, e);
    if (error == DT_OK) {
        error = dt_secret_new(dt_bytes_of(key, sizeof(key)), out);
        if (error < 0)
            dt_error_set(e, error, "out of memory");
    }
    explicit_bzero(key, sizeof(key));
    return error;
}

/* At its default place the file may be missing: only RADIUS challenges need it. */
static int load_state_key(dt_site *f, dt_error *e)
{
    char const *path = f->config->store.state_key_file;
    bool given = dt_config_line(f->config, "store", "state_key_file") > 0;
    dt_secret *raw = NULL;
    dt_error why = {0};
    int error = dt_file_read_secret(path, false, &raw, &why);

    if (error == DT_E_NOT_FOUND && !given)
        return DT_OK;
    if (error == DT_OK)
        error = state_key_make(dt_secret_bytes(raw), path, &f->state_key, &why);
    dt_secret_free(&raw);
    if (error == DT_OK)
        return DT_OK;
    if (e != NULL)
        *e = why;
    return set_section_error(f, "store", "state_key_file", e, error);
}

/* --- NASes that can be asked to end a session ------------------------------------------------- */

static int load_nas_secret(dt_site *f, size_t i, dt_error *e)
{
    dt_config_nas const *c = dt_nas_table_at(f->nases, i)->config;
    char section[DT_CONFIG_SECTION_MAX];
    dt_secret *secret = NULL;
    int error = dt_file_read_secret(c->secret_file, true, &secret, e);

    if (error == DT_OK && dt_secret_bytes(secret).len == 0)
        error =
            dt_error_set(e, DT_E_INVALID, "%s is empty; write the secret there that the NAS has",
                         c->secret_file);
    if (error == DT_OK) {
        dt_nas_table_take_secret(f->nases, i, secret);
        return DT_OK;
    }
    dt_secret_free(&secret);
    (void)snprintf(section, sizeof(section), "nas %s", c->name);
    return set_section_error(f, section, "secret_file", e, error);
}

static int load_nases(dt_site *f, dt_error *e)
{
    int error = DT_OK;

    if (f->config->nas_count == 0)
        return DT_OK;
    error = dt_nas_table_new(f->config, &f->nases, e);
    for (size_t i = 0; error == DT_OK && i < dt_nas_table_count(f->nases); i++)
        error = keep(f, e, load_nas_secret(f, i, e));
    return error;
}

/* --- the managed app configuration ------------------------------------------------------------- */

/* The keys are part of the site; the file itself is read at sign-ons, since the MDM changes it. */
static int load_managed(dt_site *f, dt_error *e)
{
    char const *path = f->config->device_trust.management_hint_file;
    dt_buf text;
    int error;

    if (*path == '\0')
        return DT_OK;
    dt_buf_init(&text, DT_SECRET_MAX);
    error = dt_file_read(path, DT_FILE_SECRET, DT_SECRET_MAX, &text, e);
    if (error == DT_OK) {
        error = dt_managed_hints_parse(dt_buf_bytes(&text), &f->hints, e);
        if (error < 0)
            dt_error_prefix(e, "%s", path);
    }
    dt_buf_free(&text);
    if (error == DT_OK) {
        error = dt_managed_file_new(f->config->device_trust.managed_configuration_file, &f->hints,
                                    &f->managed);
        if (error < 0)
            dt_error_set(e, error, "out of memory");
    }
    return error < 0 ? set_section_error(f, "device_trust", "management_hint_file", e, error)
                     : DT_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* A part, and the keys of the configuration that it goes by. */
typedef struct site_part {
    int (*load)(dt_site *f, dt_error *e);
    char const *keys[4]; /* "section.key", or "section" for all of it */
    bool last;           /* it compares parts: of no use while one has a fault */
} site_part;

/* What goes by a section with faults would be judged by defaults that nobody wants. */
static bool is_skipped(dt_site const *f, site_part const *part)
{
    if (f->config == NULL)
        return false;
    for (size_t i = 0; i < sizeof(part->keys) / sizeof(part->keys[0]); i++) {
        if (part->keys[i] != NULL && dt_config_is_faulty(f->config, part->keys[i]))
            return true;
    }
    return part->last && dt_faults_count(f->faults) > 0;
}

static int load_each(dt_site *f, site_part const *parts, size_t count, dt_error *e)
{
    size_t before = dt_faults_count(f->faults);
    int error = DT_OK;

    for (size_t i = 0; error == DT_OK && i < count; i++) {
        if (!is_skipped(f, &parts[i]))
            error = keep(f, e, parts[i].load(f, e));
        if (f->config == NULL || f->config->file == NULL)
            break; /* it could not be read */
    }
    return dt_faults_end(f->faults, before, error);
}

static int load_parts(char const *config_path, site_part const *parts, size_t count, dt_site **out,
                      dt_error *e)
{
    dt_site *f = calloc(1, sizeof(*f));
    int error;

    *out = NULL;
    if (f == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    f->path = config_path;
    error = load_each(f, parts, count, e);
    f->path = NULL;
    if (error < 0)
        dt_site_free(&f);
    *out = f;
    return error;
}

static site_part const all_parts[] = {
    {load_config, {NULL}, false},
    {load_user_table, {"user_name.table_file"}, false},
    {load_okta_anchors, {"okta.ca_file"}, false},
    {load_intune_anchors, {"intune.ca_file"}, false},
    {load_anchors,
     {"device_trust.ca_file", "device_trust.shared_ca_file", "device_trust.crl_file", "ca"},
     false},
    {load_ssh_cas, {"device_trust.ssh_device_ca_file"}, false},
    {load_geo, {"policy.asn_database", "policy.location_database"}, false},
    {load_zones, {"policy.zones_file"}, false},
    {load_org, {"policy.org_file"}, false},
    {load_policies, {"policy.directory"}, false},
    {check_sections, {"application"}, true},
    {check_people, {"user_name"}, true},
    {load_okta_token, {"okta.api_token_file", "okta.client_id"}, false},
    {load_state_key, {"store.state_key_file", "radius.state_key_file"}, false},
    {load_managed, {"device_trust.management_hint_file"}, false},
    {load_nases, {"nas"}, false},
    {load_okta_proxy, {"okta"}, false},
    {load_other_proxies, {"intune", "device_trust"}, false},
};
#define PARTS (sizeof(all_parts) / sizeof(all_parts[0]))

int dt_site_load(char const *config_path, dt_site **out, dt_error *e)
{
    return load_parts(config_path, all_parts, PARTS, out, e);
}

int dt_site_check(char const *config_path, dt_faults *faults, dt_site **out, dt_config **config)
{
    dt_site *f = calloc(1, sizeof(*f));
    dt_error e = {0};
    int error;

    *out = NULL;
    *config = NULL;
    if (f == NULL)
        return DT_E_NOMEM;
    f->path = config_path;
    f->faults = faults;
    error = load_each(f, all_parts, PARTS, &e);
    f->path = NULL;
    f->faults = NULL;
    if (error == DT_OK) {
        *out = f;
        return DT_OK;
    }
    if (f->config != NULL && f->config->file != NULL) {
        *config = f->config;
        f->config = NULL;
    }
    dt_site_free(&f);
    return error;
}

int dt_site_load_okta(char const *config_path, dt_site **out, dt_error *e)
{
    static site_part const parts[] = {{load_config, {NULL}, false},
                                      {load_okta_anchors, {NULL}, false},
                                      {load_okta_token, {NULL}, false},
                                      {load_okta_proxy, {NULL}, false}};

    return load_parts(config_path, parts, sizeof(parts) / sizeof(parts[0]), out, e);
}

int dt_site_load_config(char const *config_path, dt_site **out, dt_error *e)
{
    static site_part const parts[] = {{load_config, {NULL}, false},
                                      {load_user_table, {NULL}, false}};

    return load_parts(config_path, parts, sizeof(parts) / sizeof(parts[0]), out, e);
}

void dt_site_free(dt_site **f)
{
    if (*f == NULL)
        return;
    for (size_t i = 0; i < (*f)->policy_count; i++)
        dt_policy_free(&(*f)->policies[i]);
    dt_policy_free(&(*f)->org);
    dt_user_table_free(&(*f)->user_table);
    dt_zones_free(&(*f)->zones);
    dt_geo_free(&(*f)->geo);
    dt_tls_anchors_free(&(*f)->okta_anchors);
    dt_tls_anchors_free(&(*f)->intune_anchors);
    dt_http_proxy_free(&(*f)->okta_proxy);
    dt_http_proxy_free(&(*f)->intune_proxy);
    dt_http_proxy_free(&(*f)->ocsp_proxy);
    dt_trust_store_free(&(*f)->anchors);
    dt_ssh_cas_free(&(*f)->ssh_cas);
    dt_secret_free(&(*f)->okta_token);
    dt_secret_free(&(*f)->state_key);
    dt_nas_table_free(&(*f)->nases);
    dt_managed_file_free(&(*f)->managed);
    dt_managed_hints_free(&(*f)->hints);
    for (size_t i = 0; i < DT_CONFIG_APPLICATIONS_MAX; i++)
        free((*f)->applied[i]);
    dt_config_free(&(*f)->config);
    free(*f);
    *f = NULL;
}

dt_config const *dt_site_config(dt_site const *f)
{
    return f->config;
}

dt_trust_store const *dt_site_anchors(dt_site const *f)
{
    return f->anchors;
}

dt_policy const *dt_site_policy(dt_site const *f, char const *application)
{
    for (size_t i = 0; application != NULL && i < f->policy_count; i++) {
        if (strcmp(dt_policy_application(f->policies[i]), application) == 0)
            return f->policies[i];
    }
    return NULL;
}

char const *dt_site_application_of(dt_site const *f, char const *service)
{
    char const *base = dt_service_base(service);
    dt_policy const *of_base = base != NULL ? dt_site_policy(f, base) : NULL;

    if (of_base == NULL || dt_site_policy(f, service) != NULL)
        return service;
    return dt_policy_application(of_base);
}

size_t dt_site_policy_count(dt_site const *f)
{
    return f->policy_count;
}

dt_policy const *dt_site_policy_at(dt_site const *f, size_t i)
{
    return i < f->policy_count ? f->policies[i] : NULL;
}

static dt_config const *config_for(dt_site const *f, char const *application)
{
    for (size_t i = 0; application != NULL && i < f->config->application_count; i++) {
        if (f->applied[i] != NULL && strcmp(f->config->applications[i]->name, application) == 0)
            return f->applied[i];
    }
    return f->config;
}

/* A name may be that of several groups of the org, so that is asked as well; an id needs no question. */
static bool asks_about_names(dt_site const *f)
{
    for (size_t i = 0; i < dt_site_policy_count(f); i++) {
        dt_ruleset r = dt_site_ruleset(f, dt_policy_application(dt_site_policy_at(f, i)));
        if ((r.config->policy.groups_from & DT_GROUPS_FROM_OKTA) != 0 && dt_ruleset_names_names(&r))
            return true;
    }
    return false;
}

void dt_site_okta_scopes(dt_site const *f, char out[DT_OKTA_SCOPES_MAX])
{
    dt_okta_scopes(dt_site_config(f), asks_about_names(f), out);
}

dt_ruleset dt_site_ruleset(dt_site const *f, char const *application)
{
    return (dt_ruleset){
        .config = config_for(f, application),
        .anchors = f->anchors,
        .ssh_cas = f->ssh_cas,
        .policy = dt_site_policy(f, application),
        .managed = f->managed,
        .generation = f->generation,
        .loaded = f->loaded,
        .config_hash = f->config_hash,
        .ca_hash = f->ca_hash,
        .org = f->org,
        .user_table = f->user_table,
    };
}

int dt_site_identity(dt_site const *f, char const *user, dt_identity *out, dt_error *e)
{
    return dt_identity_make(f->config, f->user_table, &(dt_user_name){.text = user}, out, e);
}

dt_managed_hints const *dt_site_managed_hints(dt_site const *f)
{
    return &f->hints;
}

void dt_site_set_generation(dt_site *f, uint64_t generation, dt_time loaded)
{
    f->generation = generation;
    f->loaded = loaded;
}

uint64_t dt_site_generation(dt_site const *f)
{
    return f->generation;
}

dt_time dt_site_loaded(dt_site const *f)
{
    return f->loaded;
}

int dt_site_keep_fixed(dt_site *f, dt_config const *old, dt_buf *names)
{
    int error = dt_config_keep_fixed(f->config, old, names);

    return error < 0 ? error : apply_sections(f, NULL);
}

dt_http_way dt_site_way(dt_site const *f, dt_http_service service)
{
    switch (service) {
    case DT_HTTP_OKTA:
        return (dt_http_way){.anchors = f->okta_anchors, .proxy = f->okta_proxy};
    case DT_HTTP_OCSP:
        return (dt_http_way){.proxy = f->ocsp_proxy};
    case DT_HTTP_SIGNALS:
        return (dt_http_way){0}; /* asked by devtrust-signals, which has no site */
    case DT_HTTP_GRAPH:
    case DT_HTTP_ENTRA:
    case DT_HTTP_COMPLIANCE:
        break;
    }
    return (dt_http_way){.anchors = f->intune_anchors, .proxy = f->intune_proxy};
}

dt_secret const *dt_site_okta_token(dt_site const *f)
{
    return f->okta_token;
}

dt_nas_table const *dt_site_nases(dt_site const *f)
{
    return f->nases;
}

dt_secret const *dt_site_state_key(dt_site const *f)
{
    return f->state_key;
}
