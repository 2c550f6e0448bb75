/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk through Graph's list of devices, and the place in it that is kept. */
#include "devtrustctl/device_sync.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/device_alias.h"
#include "devtrustctl/https_loop.h"

#include "core/base/json.h"
#include "edge/host.h"

#include <string.h>

#define PLACE_KEY "sync:intune"
#define PLACE_VERSION 2
#define PLACE_MAX (4 * 1024)

typedef struct sync {
    dt_config const *config;
    dt_store *store;
    dt_sync_options const *options;
    dt_sync_result *result;
    dt_intune_page page;
    char next[DT_URL_MAX];
    char mark[DT_URL_MAX]; /* a link of this run that is looked out for: see leads_back */
    int64_t pages, mark_at;
    dt_time began; /* of the sync, the earlier part included: names found since are of one list */
    dt_time progress_at; /* when progress was printed last */
    dt_error *e;
} sync;

static int store_do(dt_store *store, dt_store_op const *op, dt_buf *scratch, dt_store_result *out,
                    dt_error *e)
{
    dt_store_do(store, op, dt_host_now(), scratch, out);
    if (out->status == DT_STORE_ERROR)
        return dt_error_set(e, DT_E_UNAVAILABLE, "the store: %s", out->error);
    return DT_OK;
}

static int put(dt_store *store, dt_store_op *op, dt_error *e)
{
    dt_store_result r;
    dt_buf scratch;
    int rc;

    op->table = DT_TABLE_LOOKUP;
    op->verb = DT_STORE_PUT;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = store_do(store, op, &scratch, &r, e);
    dt_buf_free(&scratch);
    return rc;
}

int dt_device_answer_put(dt_store *store, dt_config const *c, dt_intune_device const *d,
                         dt_error *e)
{
    char record[DT_INTUNE_RECORD_MAX + 1];
    dt_store_op op = {.expires = d->fetched + c->device_trust.stale_limit};
    dt_buf b;
    int rc;

    dt_buf_init_fixed(&b, record, sizeof(record));
    rc = dt_intune_pack(d, &b);
    if (rc < 0)
        return dt_error_set(e, rc, "Intune's answer about %s cannot be stored", d->device_id.text);
    dt_intune_store_key(&d->device_id, op.key);
    op.value = dt_buf_bytes(&b);
    return put(store, &op, e);
}

/* --- the place in the list ----------------------------------------------------------------------- */

/* It is of use for the same list only: tenant, Graph and page size are in it. */
static int put_place(sync *s)
{
    char text[PLACE_MAX];
    dt_time now = dt_host_now();
    dt_store_op op = {.key = PLACE_KEY, .expires = now + DT_SYNC_RESUME_MAX};
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b,
                  "{\"v\":%d,\"at\":%lld,\"began\":%lld,\"size\":%d,\"devices\":%lld,\"tenant\":",
                  PLACE_VERSION, (long long)now, (long long)s->began, s->options->page_size,
                  (long long)s->result->devices);
    dt_json_put_string(&b, s->config->intune.tenant_id.text);
    dt_buf_puts(&b, ",\"graph\":");
    dt_json_put_string(&b, s->config->intune.graph_url);
    dt_buf_puts(&b, ",\"next\":");
    dt_json_put_string(&b, s->next);
    dt_buf_putc(&b, '}');
    if (dt_buf_error(&b) < 0)
        return dt_error_set(s->e, DT_E_LIMIT, "the position in the list is too long to be stored");
    op.value = dt_buf_bytes(&b);
    return put(s->store, &op, s->e);
}

static int forget_place(sync *s)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_DELETE, .key = PLACE_KEY};
    dt_store_result r;
    dt_buf scratch;
    int rc;

    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = store_do(s->store, &op, &scratch, &r, s->e);
    dt_buf_free(&scratch);
    return rc;
}

static bool is_text(dt_json const *root, char const *name, char const *wanted)
{
    char const *text = dt_json_string(dt_json_get(root, name));

    return text != NULL && strcmp(text, wanted) == 0;
}

/* A place that is not exactly of this list counts as none. The link is checked when it is followed. */
static void take_place(sync *s, dt_bytes text)
{
    dt_time now = dt_host_now();
    dt_json *root = NULL;
    int64_t version, at, began, size, devices;
    char const *next;

    if (dt_json_parse(text, &root, NULL) < 0)
        return;
    next = dt_json_string(dt_json_get(root, "next"));
    if (dt_json_integer(dt_json_get(root, "v"), &version) && version == PLACE_VERSION &&
        dt_json_integer(dt_json_get(root, "at"), &at) && at <= now &&
        now - at < DT_SYNC_RESUME_MAX && dt_json_integer(dt_json_get(root, "began"), &began) &&
        began > 0 && began <= at && dt_json_integer(dt_json_get(root, "size"), &size) &&
        size == s->options->page_size && dt_json_integer(dt_json_get(root, "devices"), &devices) &&
        devices >= 0 && is_text(root, "tenant", s->config->intune.tenant_id.text) &&
        is_text(root, "graph", s->config->intune.graph_url) && next != NULL &&
        dt_str_copy(s->next, sizeof(s->next), next) == DT_OK && s->next[0] != '\0') {
        s->result->resumed = true;
        s->result->devices = devices;
        s->began = began;
    } else {
        s->next[0] = '\0';
    }
    dt_json_free(&root);
}

static int find_place(sync *s)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_GET, .key = PLACE_KEY};
    dt_store_result r;
    dt_buf scratch;
    int rc;

    if (s->options->restart)
        return DT_OK;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = store_do(s->store, &op, &scratch, &r, s->e);
    if (rc == DT_OK && r.status == DT_STORE_OK)
        take_place(s, r.value);
    dt_buf_free(&scratch);
    return rc;
}

/* --- the walk ------------------------------------------------------------------------------------ */

static int keep(void *ctx, dt_intune_device const *d)
{
    sync *s = ctx;
    int rc = dt_device_answer_put(s->store, s->config, d, s->e);

    if (rc == DT_OK && s->options->aliases)
        rc = dt_device_aliases_file(s->store, d, s->began, s->e);
    return rc;
}

static dt_intune_answer read_page(void *ctx, dt_http_response const *r, dt_error *e)
{
    sync *s = ctx;

    return dt_intune_read_page(s->config, r, dt_host_now(), keep, s, &s->page, e);
}

static void print_progress(sync *s)
{
    dt_time now = dt_host_now();

    if (s->options->quiet)
        return;
    if (!dt_err_progress(s->result->devices, s->page.total, "devices") &&
        now - s->progress_at >= DT_SYNC_PROGRESS_LINES) {
        dt_err_line("%lld devices so far", (long long)s->result->devices);
        s->progress_at = now;
    }
}

/* Whether the list goes round in a circle, of whatever length: one link is kept, and replaced after 1,
 * 2, 4, 8, ... pages, so that it comes to stand in the circle and is met again (Brent's algorithm). */
static bool leads_back(sync *s, char const *next)
{
    if (next[0] == '\0')
        return false;
    if (strcmp(next, s->mark) == 0)
        return true;
    if (++s->pages >= 2 * s->mark_at) {
        s->mark_at = s->pages;
        memcpy(s->mark, next, strlen(next) + 1);
    }
    return false;
}

static void report_left_out_devices(dt_intune_page const *p)
{
    for (size_t i = 0; i < p->unusable && i < DT_INTUNE_LEFT_OUT_NAMED; i++)
        dt_err_line("skipped: device %s: its entry is malformed, or a text in it cannot be read",
                    dt_guid_is_set(&p->left_out[i]) ? p->left_out[i].text : "without an id");
}

static int next_page(sync *s, dt_graph_client *client)
{
    dt_http_request request;
    int rc = dt_intune_list_devices(s->config, s->options->page_size, s->next, &request);

    if (rc < 0)
        return dt_error_set(s->e, rc, "no page of Graph's list of devices: %.200s", s->next);
    rc = dt_graph_client_ask(client, &request, read_page, s, s->e);
    if (rc == DT_OK)
        rc = s->page.rc;
    if (rc < 0)
        return rc;
    if (strcmp(s->page.next, request.url) == 0 || leads_back(s, s->page.next)) {
        rc = forget_place(s);
        return rc < 0 ? rc
                      : dt_error_set(s->e, DT_E_UNAVAILABLE,
                                     "Graph's list of devices leads back to itself");
    }
    s->result->devices += (int64_t)s->page.devices;
    s->result->unusable += (int64_t)s->page.unusable;
    report_left_out_devices(&s->page);
    memcpy(s->next, s->page.next, sizeof(s->next));
    print_progress(s);
    return s->next[0] != '\0' ? put_place(s) : forget_place(s);
}

/* The first page that was asked for is the one at the kept place, and Graph does not know it any more. */
static bool place_is_gone(sync const *s, int page, int rc)
{
    return page == 0 && s->result->resumed && (rc == DT_E_UNAVAILABLE || rc == DT_E_INVALID);
}

static int walk(sync *s, dt_graph_client *client)
{
    for (int page = 0; page < DT_SYNC_PAGES_MAX; page++) {
        int rc = next_page(s, client);
        if (place_is_gone(s, page, rc)) {
            dt_err_line("the stored position is not usable; starting from the beginning: %s",
                        s->e->text);
            *s->result = (dt_sync_result){0};
            s->began = dt_host_now();
            s->next[0] = '\0';
            continue;
        }
        if (rc < 0 || s->next[0] == '\0')
            return rc;
        dt_https_pause(DT_SYNC_PAUSE);
    }
    return dt_error_set(s->e, DT_E_LIMIT, "more than %d pages of devices", DT_SYNC_PAGES_MAX);
}

int dt_device_sync(dt_site const *site, dt_store *store, dt_sync_options const *o,
                   dt_sync_result *out, dt_error *e)
{
    dt_graph_client *client = NULL;
    sync s = {.config = dt_site_config(site),
              .store = store,
              .options = o,
              .result = out,
              .began = dt_host_now(),
              .progress_at = dt_host_now(),
              .e = e};
    int rc = DT_OK;

    *out = (dt_sync_result){0};
    if (s.config->intune.service == DT_INTUNE_BY_COMPLIANCE)
        return dt_error_set(
            e, DT_E_STATE,
            "[intune] service is compliance-retrieval, which lists no devices; each "
            "is asked about when it signs on, or by \"device refresh\"");
    rc = dt_graph_client_new(site, &client, e);
    if (rc == DT_OK)
        rc = find_place(&s);
    if (rc == DT_OK)
        rc = walk(&s, client);
    if (!o->quiet)
        dt_err_progress_end();
    if (client != NULL)
        out->calls = dt_graph_client_calls(client);
    dt_graph_client_free(&client);
    return rc;
}
