/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl explain: runs one sign-on machine that stops at the decision, in a loop of its own, and
 * shows how it came to it. The machine is the one that logins go through, so the answer is theirs.
 * Asks Intune (and Okta for groups; with --online about the person, too) as a login would; sends no push and writes no
 * audit event. */
#include "devtrustctl/explain.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"
#include "devtrustctl/pam_files.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/site.h"

#include "driver/driver.h"
#include "core/ruleset/service.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

#define EXPLAIN_WAIT DT_SECONDS(30) /* for look-ups that are tried again */
#define SSH_KEY_FILE_MAX (64 * 1024)

/* The command line. */
typedef struct question {
    char const *config, *user, *application, *ip, *groups, *platform;
    char const *certificate, *ssh_key, *device;
    char const *device_trust, *reason, *time;
    bool this_host, assume_proof, online, json;
} question;

/* What the request borrows, and the answer. */
typedef struct explaining {
    question q;
    dt_driver *driver;
    dt_ruleset ruleset; /* of the application; the driver's, as long as that is there */
    dt_request request;
    char id[DT_SIGNON_ID_LEN + 1];
    char account[DT_HOST_USER_MAX];
    dt_buf certificate; /* DER */
    dt_buf ssh_line;
    dt_buf group_text; /* names, NUL-terminated one after another */
    char const *groups[DT_GROUPS_MAX];
    dt_error groups_error; /* why this host does not know them */
    dt_signon *machine;    /* as it was at its end */
    dt_outcome outcome;
    bool done;
    bool is_nobody; /* this host's name service knows no such user, whom PAM would ask about */
    dt_explanation answer;
} explaining;

static void assume(explaining *x, char const *what)
{
    if (x->answer.assumed_count < DT_EXPLAIN_ASSUMED_MAX)
        x->answer.assumed[x->answer.assumed_count++] = what;
}

static void note(explaining *x, char const *what)
{
    if (x->answer.note_count < DT_EXPLAIN_ASSUMED_MAX)
        x->answer.notes[x->answer.note_count++] = what;
}

/* --- the command line ------------------------------------------------------------------------- */

static int read_platform(char const *word, dt_platform *out, dt_error *e)
{
    if (word == NULL)
        return DT_OK;
    for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
        if (dt_str_equal_nocase(word, dt_platform_name((dt_platform)bit))) {
            *out = (dt_platform)bit;
            return DT_OK;
        }
    }
    return dt_error_set(e, DT_E_INVALID,
                        "--platform must be windows, macos, linux, chromeos, other-desktop, ios, "
                        "android or other-mobile");
}

static int check_names(question const *q, dt_error *e)
{
    dt_ip ip;

    if (q->user == NULL || q->application == NULL)
        return dt_error_set(e, DT_E_INVALID, "--user and --application must be given");
    if (strlen(q->user) >= DT_USER_MAX || strlen(q->application) >= DT_APPLICATION_MAX)
        return dt_error_set(e, DT_E_INVALID, "the name of the user or the application is too long");
    if (q->ip != NULL && dt_ip_parse(q->ip, &ip) < 0)
        return dt_error_set(e, DT_E_INVALID, "--ip is not an IP address");
    return DT_OK;
}

static int check_device(question const *q, dt_error *e)
{
    int devices = (q->certificate != NULL) + (q->ssh_key != NULL) + (q->device != NULL) +
                  (q->this_host ? 1 : 0);

    if (devices > 1)
        return dt_error_set(e, DT_E_INVALID,
                            "use only one of --certificate, --ssh-key, --device and --this-host");
    if (q->assume_proof && q->certificate == NULL && q->device == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "--assume-proof can only be used with --certificate or --device");
    return DT_OK;
}

static int read_question(question *q, int argc, char **argv, char const **rest, dt_error *e)
{
    dt_option const options[] = {{"--config", "-c", &q->config, NULL},
                                 {"--user", NULL, &q->user, NULL},
                                 {"--application", NULL, &q->application, NULL},
                                 {"--ip", NULL, &q->ip, NULL},
                                 {"--groups", NULL, &q->groups, NULL},
                                 {"--platform", NULL, &q->platform, NULL},
                                 {"--certificate", NULL, &q->certificate, NULL},
                                 {"--ssh-key", NULL, &q->ssh_key, NULL},
                                 {"--device", NULL, &q->device, NULL},
                                 {"--device-trust", NULL, &q->device_trust, NULL},
                                 {"--reason", NULL, &q->reason, NULL},
                                 {"--time", NULL, &q->time, NULL},
                                 {"--this-host", NULL, NULL, &q->this_host},
                                 {"--assume-proof", NULL, NULL, &q->assume_proof},
                                 {"--online", NULL, NULL, &q->online},
                                 {"--json", NULL, NULL, &q->json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    if (rc == DT_OK && count > 0)
        rc = dt_error_set(e, DT_E_INVALID, "takes options only");
    if (rc == DT_OK)
        rc = check_names(q, e);
    return rc == DT_OK ? check_device(q, e) : rc;
}

/* A verdict that is taken for granted instead of a device. */
static int read_what_if(explaining *x, dt_error *e)
{
    static dt_trust const words[] = {DT_TRUST_TRUSTED, DT_TRUST_NOT_TRUSTED, DT_TRUST_UNKNOWN};
    question const *q = &x->q;
    size_t i = 0;
    int reason = 0;

    if (q->device_trust == NULL)
        return q->reason == NULL
                   ? DT_OK
                   : dt_error_set(e, DT_E_INVALID, "--reason can only be used with --device-trust");
    if (q->certificate != NULL || q->ssh_key != NULL || q->device != NULL || q->this_host)
        return dt_error_set(e, DT_E_INVALID,
                            "--device-trust stands for a device: do not name another");
    while (i < 3 && !dt_str_equal_nocase(q->device_trust, dt_trust_name(words[i])))
        i++;
    if (i == 3)
        return dt_error_set(e, DT_E_INVALID,
                            "--device-trust must be TRUSTED, NOT_TRUSTED or UNKNOWN");
    while (q->reason != NULL && reason < DT_REASON_COUNT &&
           !dt_str_equal_nocase(q->reason, dt_reason_name((dt_reason)reason)))
        reason++;
    if (reason == DT_REASON_COUNT)
        return dt_error_set(
            e, DT_E_INVALID,
            "--reason must be a reason of a verdict, such as NOT_COMPLIANT or NO_CERTIFICATE");
    x->request.what_if.device = true;
    x->request.what_if.trust = words[i];
    x->request.what_if.reason = (dt_reason)reason;
    assume(x, "that the device is as --device-trust says: none was looked at");
    return DT_OK;
}

/* Makes a moment of a local time of this host, given as if it were UTC. Of an hour that daylight saving
 * repeats it is one of both; an hour that it leaves out is not one. */
static int local_moment(dt_time *at, int *offset)
{
    int before = 0, rc;

    rc = dt_host_utc_offset(*at, &before);
    if (rc == DT_OK)
        rc = dt_host_utc_offset(*at - DT_MINUTES(before), offset);
    if (rc == DT_OK)
        rc = dt_host_utc_offset(*at - DT_MINUTES(*offset), &before);
    if (rc == DT_OK && before != *offset)
        rc = DT_E_INVALID;
    *at -= DT_MINUTES(*offset);
    return rc;
}

/* The moment that rules are asked for: now, or --time, in this host's zone where it names none. */
static int read_time(explaining *x, dt_error *e)
{
    dt_request *r = &x->request;
    dt_time *at = &r->what_if.time;
    bool given = false;

    if (x->q.time == NULL) {
        r->utc_offset_known = dt_host_utc_offset(dt_host_now(), &r->utc_offset) == DT_OK;
        return DT_OK;
    }
    if (dt_time_parse_local(x->q.time, at, &r->utc_offset, &given) != DT_OK)
        return dt_error_set(e, DT_E_INVALID,
                            "--time is not a time such as 2026-03-02T09:30, 2026-03-02T09:30+01:00 "
                            "or 2026-03-02T08:30Z");
    if (!given && local_moment(at, &r->utc_offset) != DT_OK)
        return dt_error_set(e, DT_E_INVALID,
                            "--time: this host's time zone has no such time, or is not known; "
                            "write the offset, as in 2026-03-02T09:30+01:00");
    r->utc_offset_known = true;
    assume(x, "that the time is that of --time, for rules with hours and weekdays: look-ups and "
              "certificates are judged now");
    return DT_OK;
}

/* --- the person ------------------------------------------------------------------------------- */

/* Makes the list of what is packed in group_text. */
static int list_groups(explaining *x, size_t count, dt_error *e)
{
    char const *at = (char const *)x->group_text.p;

    if (count > DT_GROUPS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "more than %d groups", DT_GROUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        x->groups[i] = at;
        at += strlen(at) + 1;
    }
    x->request.groups = x->groups;
    x->request.group_count = count;
    x->request.group_knowledge = DT_GROUPS_KNOWN;
    return DT_OK;
}

/* "a,b" */
static int take_given_groups(explaining *x, dt_error *e)
{
    size_t count = 0;

    for (char const *p = x->q.groups; *p != '\0';) {
        size_t len = strcspn(p, ",");
        if (len == 0 || len >= DT_GROUP_NAME_MAX)
            return dt_error_set(e, DT_E_INVALID, "--groups needs names separated by commas");
        dt_buf_put(&x->group_text, p, len);
        dt_buf_putc(&x->group_text, '\0');
        count++;
        p += len + (p[len] == ',' ? 1 : 0);
    }
    if (dt_buf_error(&x->group_text) < 0)
        return dt_error_set(e, DT_E_LIMIT, "--groups is too long");
    x->answer.groups = DT_EXPLAIN_GROUPS_GIVEN;
    return list_groups(x, count, e);
}

static bool keep_named(void *ctx, dt_bytes kept, size_t count, char const *name)
{
    return dt_ruleset_keeps_group(ctx, kept, count, name);
}

/* As the daemon takes them; the groups of a person this host does not know are unknown. */
static int take_host_groups(explaining *x, dt_error *e)
{
    size_t count = 0;
    int rc = dt_host_groups(x->request.user, keep_named, &x->ruleset, &x->group_text, &count,
                            &x->groups_error);

    if (rc < 0 && rc != DT_E_NOT_FOUND)
        note(x, x->groups_error.text);
    if (rc < 0)
        return DT_OK;
    x->answer.groups = DT_EXPLAIN_GROUPS_HOST;
    return list_groups(x, count, e);
}

static int take_groups(explaining *x, dt_error *e)
{
    /* With others beside it Okta is asked as well, but nothing is said of it here. */
    bool from_okta = x->answer.config->policy.groups_from == DT_GROUPS_FROM_OKTA;

    x->answer.groups = DT_EXPLAIN_GROUPS_UNKNOWN;
    if (x->q.groups != NULL && from_okta)
        return dt_error_set(
            e, DT_E_INVALID,
            "--groups has no effect: [policy] groups_from = okta, so Okta is asked");
    if (x->q.groups != NULL)
        return take_given_groups(x, e);
    if (!dt_ruleset_needs_groups(&x->ruleset)) {
        x->answer.groups = DT_EXPLAIN_GROUPS_NOT_NEEDED;
        return DT_OK;
    }
    if (from_okta) {
        x->answer.groups = DT_EXPLAIN_GROUPS_OKTA;
        return DT_OK;
    }
    return take_host_groups(x, e);
}

/* --- the device ------------------------------------------------------------------------------- */

static int take_certificate(explaining *x, dt_error *e)
{
    int rc = dt_certificate_file_first(x->q.certificate, &x->certificate, e);

    if (rc < 0)
        return rc;
    x->request.certificate = dt_buf_bytes(&x->certificate);
    x->request.handshake_finished = x->q.assume_proof;
    if (x->q.assume_proof)
        assume(x, "that the certificate's key was used in this sign-on: this is not proved here");
    else
        note(x, "nothing proves that the device holds the certificate's key; see --assume-proof");
    return DT_OK;
}

/* A .pub file is "TYPE BASE64 COMMENT"; sshd writes "publickey TYPE BASE64". */
static int make_ssh_line(dt_bytes text, dt_buf *line)
{
    size_t type, key;

    for (type = 0; type < text.len && text.p[type] != ' '; type++)
        ;
    for (key = type + 1; key < text.len && strchr(" \r\n\t", text.p[key]) == NULL; key++)
        ;
    if (type == 0 || key <= type + 1 || key > text.len)
        return DT_E_PARSE;
    dt_buf_puts(line, "publickey ");
    dt_buf_put(line, text.p, key);
    dt_buf_putc(line, '\n');
    return dt_buf_error(line);
}

static int take_ssh_key(explaining *x, dt_error *e)
{
    dt_ssh_keys keys = {0};
    dt_buf text;
    int rc;

    dt_buf_init(&text, SSH_KEY_FILE_MAX);
    rc = dt_plain_file_read(x->q.ssh_key, &text, e);
    if (rc == DT_OK &&
        (make_ssh_line(dt_buf_bytes(&text), &x->ssh_line) < 0 ||
         dt_ssh_auth_info_parse(dt_buf_bytes(&x->ssh_line), &keys, NULL) < 0 || keys.count != 1))
        rc = dt_error_set(e, DT_E_PARSE,
                          "--ssh-key is not a public key in the form that ssh-keygen writes");
    dt_buf_free(&text);
    if (rc < 0)
        return rc;
    x->request.ssh_auth_info = (char const *)x->ssh_line.p;
    assume(x, "that sshd has verified this SSH key in this login: this is not proved here");
    if (!dt_service_is_in(&x->answer.config->daemon.sshd_services, x->q.application))
        note(x, "[daemon] sshd_services does not name this application: at a PAM login its SSH "
                "keys would not be looked at");
    return DT_OK;
}

typedef struct wanted_device {
    explaining *x;
    dt_guid id;
    dt_time not_after; /* of the one that was found; the one that is good for longest is taken */
} wanted_device;

static int look_at_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    wanted_device *w = ctx;
    dt_device_record *record = calloc(1, sizeof(*record));
    dt_certificate c;

    (void)key;
    (void)expires;
    if (record == NULL)
        return DT_E_NOMEM;
    if (dt_device_record_unpack(value, record) == DT_OK &&
        dt_x509_read(dt_bytes_of(record->der, record->der_len), &c, NULL) == DT_OK &&
        dt_guid_equal(&c.device_id, &w->id) && c.not_after > w->not_after) {
        w->not_after = c.not_after;
        dt_buf_reset(&w->x->certificate);
        dt_buf_put(&w->x->certificate, record->der, record->der_len);
    }
    free(record);
    return DT_OK;
}

static int find_in_registry(wanted_device *w, dt_error *e)
{
    dt_store *store = NULL;
    dt_config const *config = w->x->answer.config;
    int rc = dt_store_open(config->store.path, config->store.size_limit, &store, e);

    if (rc < 0)
        return rc;
    rc = dt_store_each(store, DT_TABLE_DEVICE, dt_host_now(), look_at_row, w, e);
    dt_store_close(&store);
    if (rc < 0 && e->code == 0)
        return dt_error_set(e, rc, "out of memory");
    if (rc == DT_OK && w->x->certificate.len == 0)
        return dt_error_set(e, DT_E_NOT_FOUND,
                            "the registry has no certificate of device %s; name one with "
                            "--certificate, or omit --assume-proof",
                            w->id.text);
    return rc;
}

static int take_device(explaining *x, dt_error *e)
{
    wanted_device w = {.x = x};
    int rc;

    if (dt_guid_parse(dt_bytes_str(x->q.device), &w.id) < 0)
        return dt_error_set(e, DT_E_INVALID, "--device needs an Intune device id, a GUID");
    if (!x->q.assume_proof) {
        x->request.vpn_device_id = x->q.device;
        note(x, "the device id is what a VPN client claims: nothing proves it");
        return DT_OK;
    }
    rc = find_in_registry(&w, e);
    if (rc < 0)
        return rc;
    x->request.certificate = dt_buf_bytes(&x->certificate);
    x->request.handshake_finished = true;
    assume(x, "that the key of the device's enrolled certificate was used in this sign-on: this is "
              "not proved here");
    return DT_OK;
}

static int take_this_host(explaining *x, dt_error *e)
{
    dt_config const *c = x->answer.config;

    if (c->device_trust.host_certificate_file[0] == '\0')
        return dt_error_set(e, DT_E_NOT_FOUND,
                            "--this-host: [device_trust] host_certificate_file is not set");
    x->request.host_evidence = true;
    if (!dt_service_is_local(&c->daemon.local_services, x->q.application))
        note(x, "[daemon] local_services does not name this application: at a PAM login the "
                "host's certificate would not be looked at");
    return DT_OK;
}

static int take_evidence(explaining *x, dt_error *e)
{
    if (x->q.certificate != NULL)
        return take_certificate(x, e);
    if (x->q.ssh_key != NULL)
        return take_ssh_key(x, e);
    if (x->q.device != NULL)
        return take_device(x, e);
    return x->q.this_host ? take_this_host(x, e) : DT_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool has_line(dt_pam_service const *s)
{
    for (int kind = 0; kind < DT_PAM_KINDS; kind++) {
        dt_pam_stack const *stack = &s->stacks[kind];

        for (size_t i = 0; i < stack->count; i++)
            if (stack->lines[i].is_devtrust && !s->of_other[kind])
                return true;
    }
    return false;
}

/* A service of this host's PAM that asks devtrust. There the name service has to know the person. */
static bool is_pam_service(char const *name)
{
    dt_pam_service *s = NULL;
    bool is = dt_pam_service_read("", name, &s, NULL) == DT_OK && has_line(s);

    dt_pam_service_free(&s);
    return is;
}

static void look_for_person(explaining *x)
{
    if (!is_pam_service(x->q.application))
        return;
    x->is_nobody = true;
    note(x, "the name service of this host knows no such user (getent passwd USER), so nobody gets "
            "in at "
            "PAM under this name");
}

/* As at PAM, where the host knows the name; else it is the name that a directory gives. */
static void find_account(explaining *x)
{
    dt_request *r = &x->request;
    char owner[DT_HOST_USER_MAX];
    dt_error why = {0};
    uid_t uid = 0;

    r->user = x->q.user;
    int rc = dt_host_account(x->q.user, x->account, owner, &uid, &why);

    if (rc == DT_E_NOT_FOUND)
        look_for_person(x);
    if (rc < 0)
        return;
    if (!dt_user_is_listed(x->ruleset.config, x->ruleset.user_table, x->account))
        memcpy(x->account, owner, sizeof(x->account));
    r->user = x->account;
    r->typed = x->q.user;
}

static int make_request(explaining *x, dt_error *e)
{
    dt_request *r = &x->request;
    int rc;

    r->id = x->id;
    r->application = dt_policy_application(x->ruleset.policy);
    r->service = x->q.application;
    find_account(x);
    r->client_ip = x->q.ip != NULL ? x->q.ip : "";
    r->local = x->q.ip == NULL; /* as at a console; --ip says from where else */
    r->explain = true;
    if (x->q.online) { /* as at a login that can show prompts */
        r->asks_okta = true;
        r->conversation = DT_CONVERSATION_LIVE;
    }
    r->wait_limit = EXPLAIN_WAIT;
    if (dt_host_random_id(x->id) < 0 || dt_host_random(r->random, sizeof(r->random)) < 0)
        return dt_error_set(e, DT_E_IO, "the system provides no random numbers");
    rc = read_platform(x->q.platform, &r->platform_hint, e);
    if (rc == DT_OK)
        rc = read_what_if(x, e);
    if (rc == DT_OK)
        rc = read_time(x, e);
    if (rc == DT_OK)
        rc = take_groups(x, e);
    return rc == DT_OK ? take_evidence(x, e) : rc;
}

static void on_done(void *ctx, dt_outcome const *outcome, dt_signon const *machine)
{
    explaining *x = ctx;

    if (machine != NULL)
        dt_signon_copy(x->machine, machine);
    x->outcome = *outcome;
    x->done = true;
    dt_driver_stop(x->driver);
}

static int run_machine(explaining *x, dt_error *e)
{
    static dt_door const door = {.name = "cli", .done = on_done};
    dt_ruleset ruleset;
    int rc;

    /* Until the driver goes: nothing else comes. */
    (void)dt_driver_acquire_service(x->driver, x->q.application, &ruleset);

    dt_signon_begin(x->machine, &ruleset, &x->request, dt_host_now());
    rc = dt_driver_submit(x->driver, x->machine, &door, x, NULL);
    if (rc == DT_OK)
        rc = dt_driver_run(x->driver);
    if (rc < 0 || !x->done)
        return dt_error_set(e, rc < 0 ? rc : DT_E_STATE, "the sign-on could not be run");
    if (x->outcome.cause != DT_CAUSE_NONE)
        return dt_error_set(e, DT_E_STATE, "the sign-on came to no decision: %s %s",
                            dt_cause_name(x->outcome.cause), x->outcome.detail);
    return DT_OK;
}

static void show(explaining *x)
{
    dt_explanation *a = &x->answer;

    dt_signon_policy_input(x->machine, &a->input, dt_host_now());
    dt_signon_origins(x->machine, &a->from_text, &a->from);
    a->evidence = dt_signon_evidence(x->machine);
    a->person = x->q.online ? dt_signon_person(x->machine) : NULL;
    a->outcome = &x->outcome;
    a->client_ip = x->request.client_ip;
    a->now = dt_host_now();
    if (x->q.json)
        dt_explanation_print_json(a);
    else
        dt_explanation_print(a);
}

/* Names the policies that there are. */
static int no_policy(dt_site const *files, char const *application, dt_error *e)
{
    char text[256];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    for (size_t i = 0; i < dt_site_policy_count(files); i++) {
        dt_buf_puts(&b, i > 0 ? ", " : "");
        dt_buf_puts(&b, dt_policy_application(dt_site_policy_at(files, i)));
    }
    return dt_error_set(e, DT_E_NOT_FOUND,
                        "no policy for \"%s\", so nobody gets in there; policies: %s", application,
                        text);
}

static int explain(explaining *x, dt_error *e)
{
    dt_driver_options const options = {
        .config_path = x->q.config != NULL ? x->q.config : DT_CONFIG_DEFAULT_PATH, .quiet = true};
    int rc = dt_driver_new(&options, &x->driver, e);

    if (rc < 0)
        return rc;
    x->ruleset =
        dt_site_ruleset(dt_driver_site(x->driver),
                        dt_site_application_of(dt_driver_site(x->driver), x->q.application));
    if (x->ruleset.policy == NULL)
        return no_policy(dt_driver_site(x->driver), x->q.application, e);
    x->answer.config = x->ruleset.config;
    x->answer.policy = x->ruleset.policy;
    x->answer.org = x->ruleset.org;
    if (strcmp(dt_policy_application(x->ruleset.policy), x->q.application) != 0)
        note(x, "a variant without a policy of its own: at a PAM login its base's decides");
    if (dt_ruleset_is_report_only(&x->ruleset))
        note(x,
             "REPORT ONLY: this is what would be decided; report_only is on, and nothing of it is "
             "enforced");
    rc = make_request(x, e);
    if (rc == DT_OK)
        rc = run_machine(x, e);
    if (rc == DT_OK)
        show(x);
    return rc;
}

static void forget(explaining *x)
{
    if (x->driver != NULL)
        dt_driver_free(&x->driver);
    dt_buf_free(&x->certificate);
    dt_buf_free(&x->ssh_line);
    dt_buf_free(&x->group_text);
    dt_driver_machine_free(&x->machine);
    free(x);
}

static explaining *explaining_new(void)
{
    explaining *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return NULL;
    dt_buf_init(&x->certificate, DT_CERTIFICATE_MAX);
    dt_buf_init(&x->ssh_line, SSH_KEY_FILE_MAX);
    dt_buf_init(&x->group_text, DT_EXPLAIN_GROUPS_TEXT_MAX);
    x->machine = dt_driver_machine_new();
    return x;
}

static dt_ctl_exit answer_of(explaining const *x)
{
    dt_explanation const *a = &x->answer;

    if (a->person != NULL && a->person->cause == DT_CAUSE_OKTA_USER_UNKNOWN)
        return DT_CTL_UNKNOWN;
    if (!dt_explanation_allows(a))
        return DT_CTL_NO;
    if (x->is_nobody)
        return DT_CTL_UNKNOWN;
    if (a->person == NULL || a->person->cause == DT_CAUSE_NONE)
        return DT_CTL_YES;
    return a->person->known ? DT_CTL_NO : DT_CTL_OPEN;
}

dt_ctl_exit dt_ctl_explain(dt_ctl_command const *self, int argc, char **argv)
{
    explaining *x = explaining_new();
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    dt_error e = {0};

    if (x == NULL || x->machine == NULL || rest == NULL)
        dt_err_line("out of memory");
    else if (read_question(&x->q, argc, argv, rest, &e) < 0)
        result = dt_err_usage(self, &e);
    else if (explain(x, &e) < 0)
        result = dt_err_fault(&e);
    else
        result = answer_of(x);
    free(rest);
    if (x != NULL)
        forget(x);
    return result;
}
