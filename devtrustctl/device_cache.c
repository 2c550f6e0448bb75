/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device show, refresh, forget, sync. */
#include "devtrustctl/device_cache.h"

#include "devtrustctl/device_okta.h"
#include "devtrustctl/device_sync.h"
#include "devtrustctl/options.h"
#include "devtrustctl/site.h"

#include "core/base/json.h"
#include "core/signon/outcome.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

typedef struct cache {
    dt_site *files;
    dt_config const *config;
    dt_store *store;
    bool json, restart, quiet, aliases;
    char const *page_size;
} cache;

/* --- what an answer says ------------------------------------------------------------------------- */

static char const *freshness_word(dt_freshness f)
{
    return f == DT_FRESH ? "FRESH" : f == DT_STALE ? "STALE" : "TOO_OLD";
}

static char const *compliance_word(dt_compliance c)
{
    static char const *const words[] = {"unknown", "compliant", "not compliant", "in grace period"};

    return (size_t)c < sizeof(words) / sizeof(words[0]) ? words[c] : words[0];
}

static void put_time(dt_buf *b, char const *name, dt_time t)
{
    char text[25];

    if (t <= 0 || t >= DT_TIME_NEVER)
        return;
    dt_time_format(text, t);
    dt_buf_printf(b, ",\"%s\":\"%s\"", name, text);
}

static void put_text(dt_buf *b, char const *name, char const *text)
{
    dt_buf_printf(b, ",\"%s\":", name);
    dt_json_put_string(b, text);
}

static void show_json(dt_intune_device const *d, dt_evidence const *ev, dt_freshness f)
{
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{\"deviceId\":");
    dt_json_put_string(&b, d->device_id.text);
    dt_buf_printf(&b, ",\"trusted\":%s", ev->finding == DT_FINDING_FOR ? "true" : "false");
    put_text(&b, "reason", dt_reason_name(ev->reason));
    put_text(&b, "freshness", freshness_word(f));
    put_time(&b, "fetched", d->fetched);
    dt_buf_printf(&b, ",\"enrolled\":%s,\"managed\":%s", d->enrolled ? "true" : "false",
                  d->managed ? "true" : "false");
    put_text(&b, "compliance", compliance_word(d->compliance));
    put_text(&b, "platform", dt_platform_name(d->platform));
    put_text(&b, "name", d->device_name);
    put_text(&b, "user", d->user);
    put_text(&b, "entraId", d->entra_id.text);
    put_time(&b, "lastSync", d->last_sync);
    put_time(&b, "graceUntil", d->grace_expires);
    put_time(&b, "enrolledAt", d->enrolled_at);
    dt_buf_putc(&b, '}');
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static void line_time(char const *name, dt_time t)
{
    char text[25];

    if (t <= 0 || t >= DT_TIME_NEVER)
        return;
    dt_time_format(text, t);
    dt_out_line("  %-12s %s", name, text);
}

static void show_text(dt_intune_device const *d, dt_evidence const *ev, dt_freshness f)
{
    dt_out_line("%s  %s  %s", d->device_id.text,
                ev->finding == DT_FINDING_FOR ? "TRUSTED" : dt_reason_name(ev->reason),
                freshness_word(f));
    line_time("asked", d->fetched);
    dt_out_line("  %-12s %s", "enrolled", d->enrolled ? "yes" : "no");
    if (!d->enrolled)
        return;
    dt_out_line("  %-12s %s", "managed", d->managed ? "yes" : "no");
    dt_out_line("  %-12s %s", "compliance", compliance_word(d->compliance));
    dt_out_line("  %-12s %s", "platform", dt_platform_name(d->platform));
    dt_out_line("  %-12s %s", "name", d->device_name);
    dt_out_line("  %-12s %s", "user", d->user[0] != '\0' ? d->user : "-");
    dt_out_line("  %-12s %s", "entra id", dt_guid_is_set(&d->entra_id) ? d->entra_id.text : "-");
    line_time("last sync", d->last_sync);
    line_time("grace until", d->grace_expires);
    line_time("enrolled at", d->enrolled_at);
}

/* As a sign-on would take it now, but for whose device it is. */
static dt_ctl_exit show_answer(cache const *k, dt_intune_device const *d)
{
    dt_time now = dt_host_now();
    dt_freshness f = dt_intune_freshness(d, k->config, now);
    dt_evidence ev;

    dt_intune_evidence(d, k->config, now, f != DT_FRESH, &ev);
    if (k->json)
        show_json(d, &ev, f);
    else
        show_text(d, &ev, f);
    return DT_CTL_YES;
}

/* --- one device ---------------------------------------------------------------------------------- */

/* DT_E_NOT_FOUND when there is no such row. */
static int store_do(cache const *k, dt_store_verb verb, dt_guid const *device, dt_buf *scratch,
                    dt_bytes *value, dt_error *e)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = verb};
    dt_store_result r;

    dt_intune_store_key(device, op.key);
    dt_store_do(k->store, &op, dt_host_now(), scratch, &r);
    if (r.status == DT_STORE_ERROR)
        return dt_error_set(e, DT_E_UNAVAILABLE, "the store: %s", r.error);
    *value = r.value;
    return r.status == DT_STORE_OK ? DT_OK : DT_E_NOT_FOUND;
}

static dt_ctl_exit not_cached(cache const *k, dt_guid const *device)
{
    if (k->json)
        dt_out_object(
            (dt_out_text const[]){{"deviceId", device->text}, {"done", "not found"}, {NULL, NULL}});
    else
        dt_out_line("%s  not in the cache", device->text);
    return DT_CTL_NO;
}

static dt_ctl_exit show(cache *k, dt_guid const *device)
{
    dt_intune_device d;
    dt_error e = {0};
    dt_bytes value = {0};
    dt_buf scratch;
    dt_ctl_exit x;
    size_t at_okta = 0;
    int rc;

    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = store_do(k, DT_STORE_GET, device, &scratch, &value, &e);
    if (rc == DT_OK && (dt_intune_unpack(value, &d) < 0 || !dt_guid_equal(&d.device_id, device)))
        rc = dt_error_set(&e, DT_E_PARSE, "%s: the cached answer cannot be read", device->text);
    x = rc == DT_OK ? show_answer(k, &d) : rc == DT_E_NOT_FOUND ? DT_CTL_YES : dt_err_fault(&e);
    dt_buf_free(&scratch);
    if (dt_okta_answers_show(k->store, k->config, device, k->json, &at_okta, &e) < 0)
        return dt_err_fault(&e);
    return rc == DT_E_NOT_FOUND && at_okta == 0 ? not_cached(k, device) : x;
}

static dt_ctl_exit forget(cache *k, dt_guid const *device)
{
    dt_error e = {0};
    dt_bytes value;
    dt_buf scratch;
    size_t at_okta = 0;
    int rc;

    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = store_do(k, DT_STORE_DELETE, device, &scratch, &value, &e);
    dt_buf_free(&scratch);
    if ((rc < 0 && rc != DT_E_NOT_FOUND) ||
        dt_okta_answers_forget(k->store, device, &at_okta, &e) < 0)
        return dt_err_fault(&e);
    if (rc == DT_E_NOT_FOUND && at_okta == 0)
        return not_cached(k, device);
    if (k->json)
        dt_out_object(
            (dt_out_text const[]){{"deviceId", device->text}, {"done", "forgotten"}, {NULL, NULL}});
    else
        dt_out_line("%s  forgotten", device->text);
    return DT_CTL_YES;
}

static dt_ctl_exit refresh(cache *k, dt_graph_client *client, dt_guid const *device)
{
    dt_intune_device answer;
    dt_error e = {0};
    int rc = dt_graph_client_device(client, device, &answer, &e);

    if (rc == DT_OK)
        rc = dt_device_answer_put(k->store, k->config, &answer, &e);
    if (rc < 0)
        return dt_err_fault(&e);
    return show_answer(k, &answer);
}

/* --- the verbs ----------------------------------------------------------------------------------- */

typedef enum cache_verb {
    VERB_NONE = 0,
    VERB_SHOW,
    VERB_REFRESH,
    VERB_FORGET,
    VERB_SYNC
} cache_verb;

static cache_verb verb_of(char const *word)
{
    static struct {
        char const *word;
        cache_verb verb;
    } const verbs[] = {{"show", VERB_SHOW},
                       {"refresh", VERB_REFRESH},
                       {"forget", VERB_FORGET},
                       {"sync", VERB_SYNC}};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].word, word) == 0)
            return verbs[i].verb;
    }
    return VERB_NONE;
}

bool dt_ctl_is_cache_verb(char const *verb)
{
    return verb_of(verb) != VERB_NONE;
}

static dt_ctl_exit each_device(cache *k, cache_verb verb, char const *const *names, size_t count)
{
    dt_graph_client *client = NULL;
    dt_ctl_exit worst = DT_CTL_YES;
    dt_error e = {0};

    if (verb == VERB_REFRESH && dt_graph_client_new(k->files, &client, &e) < 0)
        return dt_err_fault(&e);
    for (size_t i = 0; i < count; i++) {
        dt_guid device;
        dt_ctl_exit x;

        if (dt_guid_parse(dt_bytes_str(names[i]), &device) < 0)
            x = DT_CTL_FAULT; /* check_arguments has refused it */
        else if (verb == VERB_SHOW)
            x = show(k, &device);
        else
            x = verb == VERB_FORGET ? forget(k, &device) : refresh(k, client, &device);
        worst = x > worst ? x : worst;
    }
    dt_graph_client_free(&client);
    return worst;
}

static bool take_page_size(char const *text, int *out)
{
    int n = 0;

    if (text == NULL) {
        *out = DT_INTUNE_PAGE_MAX;
        return true;
    }
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i > 3)
            return false;
        n = n * 10 + (text[i] - '0');
    }
    *out = n;
    return n >= 1 && n <= DT_INTUNE_PAGE_MAX;
}

static void report_sync_json(dt_sync_result const *r, bool whole)
{
    dt_buf b;

    dt_out_begin(&b);
    dt_out_member_bool(&b, "whole", whole);
    dt_out_member_int(&b, "devices", r->devices);
    dt_out_member_int(&b, "calls", r->calls);
    dt_out_member_bool(&b, "resumed", r->resumed);
    dt_out_member_int(&b, "malformed", r->unusable);
    dt_out_finish(&b);
}

static void report_sync(dt_sync_result const *r, bool whole)
{
    if (!whole) {
        dt_out_line("%lld device%s stored; the next sync continues from here",
                    (long long)r->devices, DT_S(r->devices));
        return;
    }
    dt_out_line("%lld device%s stored, %d call%s%s", (long long)r->devices, DT_S(r->devices),
                r->calls, DT_S(r->calls),
                r->resumed ? ", continued from where the last one ended" : "");
    if (r->unusable > 0)
        dt_out_line("%lld malformed entr%s of Graph's list skipped", (long long)r->unusable,
                    r->unusable == 1 ? "y" : "ies");
}

static dt_ctl_exit sync_all(cache *k)
{
    dt_sync_options o = {.restart = k->restart, .quiet = k->quiet, .aliases = k->aliases};
    dt_sync_result result = {0};
    dt_error e = {0};
    int rc;

    if (!take_page_size(k->page_size, &o.page_size))
        return DT_CTL_FAULT; /* check_arguments has refused it */
    rc = dt_device_sync(k->files, k->store, &o, &result, &e);
    if (k->json)
        report_sync_json(&result, rc == DT_OK);
    else
        report_sync(&result, rc == DT_OK);
    return rc < 0 ? dt_err_fault(&e) : DT_CTL_YES;
}

static int check_arguments(cache const *k, cache_verb verb, char const *const *names, size_t count,
                           dt_error *e)
{
    bool sync_only = k->restart || k->quiet || k->aliases || k->page_size != NULL;
    dt_guid device;
    int size;

    if (verb == VERB_SYNC && count > 0)
        return dt_error_set(e, DT_E_INVALID, "sync takes no arguments");
    if (verb != VERB_SYNC && count == 0)
        return dt_error_set(e, DT_E_INVALID, "which devices? give their Intune device ids");
    if (verb != VERB_SYNC && sync_only)
        return dt_error_set(
            e, DT_E_INVALID,
            "--aliases, --page-size, --restart and --quiet can only be used with sync");
    if (!take_page_size(k->page_size, &size))
        return dt_error_set(e, DT_E_INVALID, "--page-size is not a number of 1 to %d",
                            DT_INTUNE_PAGE_MAX);
    for (size_t i = 0; i < count; i++) {
        if (dt_guid_parse(dt_bytes_str(names[i]), &device) < 0)
            return dt_error_set(e, DT_E_INVALID, "%.100s is not a device id (a GUID)", names[i]);
    }
    return DT_OK;
}

static dt_ctl_exit run(dt_ctl_command const *self, int argc, char **argv, char const **rest)
{
    char const *config = NULL;
    cache k = {0};
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--json", NULL, NULL, &k.json},
                                 {"--page-size", NULL, &k.page_size, NULL},
                                 {"--restart", NULL, NULL, &k.restart},
                                 {"--quiet", "-q", NULL, &k.quiet},
                                 {"--aliases", NULL, NULL, &k.aliases},
                                 {NULL, NULL, NULL, NULL}};
    dt_error e = {0};
    size_t count = 0;
    dt_ctl_exit x;
    cache_verb verb;

    if (dt_options_parse(options, argc, argv, rest, &count, &e) < 0)
        return dt_err_usage(self, &e);
    verb = count > 0 ? verb_of(rest[0]) : VERB_NONE;
    if (verb == VERB_NONE)
        dt_error_set(&e, DT_E_INVALID, "show, refresh, forget or sync?");
    if (verb == VERB_NONE || check_arguments(&k, verb, rest + 1, count - 1, &e) < 0)
        return dt_err_usage(self, &e);
    if (dt_ctl_store_open(config, &k.files, &k.store, &e) < 0)
        return dt_err_fault(&e);
    k.config = dt_site_config(k.files);
    x = verb == VERB_SYNC ? sync_all(&k) : each_device(&k, verb, rest + 1, count - 1);
    dt_ctl_store_close(&k.files, &k.store);
    return x;
}

dt_ctl_exit dt_ctl_device_cache(dt_ctl_command const *self, int argc, char **argv)
{
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit x = DT_CTL_FAULT;

    if (rest == NULL)
        dt_err_line("out of memory");
    else
        x = run(self, argc, argv, rest);
    free(rest);
    return x;
}
