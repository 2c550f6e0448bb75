/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy replay: the sign-ons of the audit log under another policy. */
#include "devtrustctl/audit_read.h"
#include "devtrustctl/policy.h"
#include "devtrustctl/replay_tally.h"

#include "core/base/crypto.h"
#include "edge/file.h"
#include "edge/geo_maxmind.h"

#include <stdlib.h>
#include <string.h>

#define JSON_MAX (64 * 1024 * 1024)

typedef struct replaying {
    char const *config_path, *policy_path, *zones_path, *org_path, *file, *since, *user, *examples;
    char const *application; /* NULL: the policy's */
    bool json;
    dt_config *config;
    dt_geo *geo;
    dt_zones *zones;
    dt_policy *policy, *org;
    dt_audit_filter filter;
    dt_audit_reading reading;
    dt_tally *tally;
    size_t sign_ons, same, undecided;
    dt_time first, last;
} replaying;

/* --- the rules --------------------------------------------------------------------------------- */

static int hash_of(dt_bytes text, char hash[65], dt_error *e)
{
    uint8_t digest[DT_SHA256_LEN];
    int rc = dt_crypto_sha256(text, digest);

    if (rc < 0)
        return dt_error_set(e, rc, "a file cannot be hashed");
    dt_hex(hash, digest, sizeof(digest));
    return DT_OK;
}

typedef int parse_fn(dt_json const *root, dt_json_source const *source, dt_zones const *zones,
                     dt_policy **out, dt_error *e);

/* A policy with its hash, as a site loads it. */
static int load_rules(char const *path, dt_zones const *zones, parse_fn *parse, dt_policy **out,
                      dt_error *e)
{
    char hash[65] = "";
    dt_json *root = NULL;
    dt_error why = {0};
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_POLICY_TEXT_MAX);
    rc = dt_file_read(path, DT_FILE_TRUSTED, DT_POLICY_TEXT_MAX, &text, e);
    if (rc == DT_OK) {
        rc = dt_json_parse(dt_buf_bytes(&text), &root, &why);
        if (rc != DT_OK)
            (void)dt_error_set(e, rc, "%s: %s", path, why.text);
    }
    if (rc == DT_OK)
        rc = hash_of(dt_buf_bytes(&text), hash, e);
    if (rc == DT_OK)
        rc = parse(root, &(dt_json_source){.file = path, .text = dt_buf_bytes(&text)}, zones, out,
                   e);
    if (rc == DT_OK)
        dt_policy_set_hash(*out, hash);
    dt_json_free(&root);
    dt_buf_free(&text);
    return rc;
}

/* At its default place a file of the configuration may be missing. */
static bool may_be_missing(replaying const *x, char const *given, char const *key)
{
    return given == NULL && dt_config_line(x->config, "policy", key) == 0;
}

static int load_zones(replaying *x, dt_error *e)
{
    char const *path = x->zones_path != NULL ? x->zones_path : x->config->policy.zones_file;
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_CTL_ZONES_TEXT_MAX);
    rc = dt_file_read(path, DT_FILE_TRUSTED, DT_CTL_ZONES_TEXT_MAX, &text, e);
    if (rc == DT_OK)
        rc = dt_zones_parse_text(&(dt_json_source){.file = path, .text = dt_buf_bytes(&text)},
                                 &x->zones, e);
    else if (rc == DT_E_NOT_FOUND && may_be_missing(x, x->zones_path, "zones_file"))
        rc = DT_OK;
    if (rc == DT_OK && x->zones != NULL)
        rc = dt_geo_open(x->config, &x->geo, e);
    if (rc == DT_OK && x->zones != NULL)
        rc = dt_zones_set_geo(x->zones, x->geo, path, e);
    dt_buf_free(&text);
    return rc;
}

static int load_org(replaying *x, dt_error *e)
{
    char const *path = x->org_path != NULL ? x->org_path : x->config->policy.org_file;
    int rc = load_rules(path, x->zones, dt_org_policy_parse_source, &x->org, e);

    return rc == DT_E_NOT_FOUND && may_be_missing(x, x->org_path, "org_file") ? DT_OK : rc;
}

static int load(replaying *x, dt_error *e)
{
    char const *config = x->config_path != NULL ? x->config_path : DT_CONFIG_DEFAULT_PATH;
    int rc = dt_site_config_read(config, &x->config, e);

    if (rc == DT_OK)
        rc = load_zones(x, e);
    if (rc == DT_OK)
        rc = load_org(x, e);
    if (rc == DT_OK)
        rc = load_rules(x->policy_path, x->zones, dt_policy_parse_source, &x->policy, e);
    if (rc != DT_OK)
        return rc;
    x->filter.application =
        x->application != NULL ? x->application : dt_policy_application(x->policy);
    if (x->filter.application[0] == '\0')
        return dt_error_set(e, DT_E_INVALID,
                            "%s names no application; name one with --application NAME",
                            x->policy_path);
    return DT_OK;
}

/* --- the sign-ons ------------------------------------------------------------------------------ */

static int decide_again(replaying *x, dt_audit_event const *event, dt_replay_event *of)
{
    dt_replay_rules const rules = {x->config, x->policy, x->org};
    dt_replay_decision after;
    char const *difference;
    dt_error e = {0};

    if (!dt_replay_decide(&rules, of, &after, &e))
        return dt_tally_lacking(x->tally, event, e.text);
    difference = dt_replay_difference(&of->before, &after);
    if (difference != NULL)
        return dt_tally_change(x->tally, event, &of->before, &after, difference);
    x->same++;
    return DT_OK;
}

static int on_event(void *ctx, dt_audit_event const *event)
{
    replaying *x = ctx;
    dt_replay_event of;
    dt_replay_form form;
    dt_error e = {0};

    if (!dt_audit_event_matches(event, &x->filter))
        return DT_OK;
    form = dt_replay_event_read(event, &of, &e);
    if (form == DT_REPLAY_OTHER)
        return DT_OK;
    x->sign_ons++;
    if (x->first == 0 || event->at < x->first)
        x->first = event->at;
    if (event->at > x->last)
        x->last = event->at;
    if (form == DT_REPLAY_UNDECIDED) {
        x->undecided++;
        return DT_OK;
    }
    return form == DT_REPLAY_READ ? decide_again(x, event, &of)
                                  : dt_tally_lacking(x->tally, event, e.text);
}

/* --- printing ---------------------------------------------------------------------------------- */

static void print_result(replaying *x)
{
    char first[25], last[25];

    dt_time_format(first, x->first);
    dt_time_format(last, x->last);
    dt_out_line("policy    %s of application \"%s\"", x->policy_path, x->filter.application);
    dt_tally_print(x->tally);
    dt_out_line(
        "summary   %zu sign-ons: %zu get the same, %zu something else, %zu cannot be decided "
        "again, %zu ended before a policy decided",
        x->sign_ons, x->same, dt_tally_changed(x->tally), dt_tally_lacked(x->tally), x->undecided);
    if (x->sign_ons > 0)
        dt_out_line("  from    %s to %s", first, last);
    if (x->reading.broken > 0)
        dt_out_line("  skipped %zu lines that are not audit events", x->reading.broken);
    if (x->reading.left_out > 0)
        dt_out_line("  unread  %zu files that are not compressed by gzip", x->reading.left_out);
}

static void print_result_json(replaying *x)
{
    dt_buf line;

    dt_buf_init(&line, JSON_MAX);
    dt_buf_putc(&line, '{');
    dt_out_member(&line, "policy", x->policy_path);
    dt_out_member(&line, "application", x->filter.application);
    dt_buf_printf(&line,
                  ",\"signOns\":%zu,\"same\":%zu,\"changed\":%zu,\"cannotBeDecided\":%zu,"
                  "\"endedBefore\":%zu,\"brokenLines\":%zu,\"unreadFiles\":%zu,\"fault\":%s",
                  x->sign_ons, x->same, dt_tally_changed(x->tally), dt_tally_lacked(x->tally),
                  x->undecided, x->reading.broken, x->reading.left_out,
                  x->reading.fault ? "true" : "false");
    dt_tally_print_json(x->tally, &line);
    dt_buf_putc(&line, '}');
    if (dt_buf_error(&line) < 0)
        dt_err_line("the result is too large for JSON; ask for fewer --examples");
    else
        dt_out_buf(&line);
    dt_buf_free(&line);
}

/* "Nothing changes" is said only where everything could be seen. */
static dt_ctl_exit result_of(replaying const *x)
{
    if (x->reading.fault)
        return DT_CTL_FAULT;
    if (dt_tally_changed(x->tally) > 0)
        return DT_CTL_NO;
    return dt_tally_lacked(x->tally) > 0 || x->sign_ons == 0 || x->reading.left_out > 0
               ? DT_CTL_OPEN
               : DT_CTL_YES;
}

static dt_ctl_exit run(replaying *x)
{
    dt_error e = {0};

    x->reading = (dt_audit_reading){.on_event = on_event, .ctx = x};
    if (load(x, &e) != DT_OK || dt_audit_read(&x->reading, x->config_path, x->file, &e) != DT_OK)
        return dt_err_fault(&e);
    if (x->json)
        print_result_json(x);
    else
        print_result(x);
    return result_of(x);
}

/* --- the command ------------------------------------------------------------------------------- */

static int read_count(char const *text, size_t *out, dt_error *e)
{
    size_t n = 0;

    for (char const *p = text; p != NULL && *p != '\0' && n <= DT_TALLY_EXAMPLES_MAX; p++)
        n = *p >= '0' && *p <= '9' ? 10 * n + (size_t)(*p - '0') : DT_TALLY_EXAMPLES_MAX + 1;
    if (n > DT_TALLY_EXAMPLES_MAX)
        return dt_error_set(e, DT_E_INVALID, "--examples needs a number from 0 to %d",
                            DT_TALLY_EXAMPLES_MAX);
    *out = text != NULL ? n : DT_TALLY_EXAMPLES_DEFAULT;
    return DT_OK;
}

static int read_options(replaying *x, int argc, char **argv, char const **rest, dt_error *e)
{
    dt_option const options[] = {{"--config", "-c", &x->config_path, NULL},
                                 {"--policy", NULL, &x->policy_path, NULL},
                                 {"--zones", NULL, &x->zones_path, NULL},
                                 {"--org", NULL, &x->org_path, NULL},
                                 {"--application", NULL, &x->application, NULL},
                                 {"--since", NULL, &x->since, NULL},
                                 {"--user", NULL, &x->filter.user, NULL},
                                 {"--file", "-f", &x->file, NULL},
                                 {"--examples", NULL, &x->examples, NULL},
                                 {"--json", NULL, NULL, &x->json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0, examples = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    if (rc == DT_OK && (count > 0 || x->policy_path == NULL))
        rc = dt_error_set(e, DT_E_INVALID, "replay needs --policy FILE");
    if (rc == DT_OK)
        rc = dt_audit_since(x->since, &x->filter.since, e);
    if (rc == DT_OK)
        rc = read_count(x->examples, &examples, e);
    if (rc == DT_OK) {
        x->tally = dt_tally_new(examples);
        rc = x->tally != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    return rc;
}

dt_ctl_exit dt_policy_replay_run(dt_ctl_command const *self, int argc, char **argv)
{
    replaying x = {.json = false};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_error e = {0};
    dt_ctl_exit result;
    int rc = rest == NULL ? dt_error_set(&e, DT_E_NOMEM, "out of memory")
                          : read_options(&x, argc, argv, rest, &e);

    result = rc == DT_OK ? run(&x) : dt_err_usage(self, &e);
    dt_tally_free(&x.tally);
    dt_policy_free(&x.policy);
    dt_policy_free(&x.org);
    dt_zones_free(&x.zones);
    dt_geo_free(&x.geo);
    dt_config_free(&x.config);
    free(rest);
    return result;
}
