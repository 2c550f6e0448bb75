/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/device_okta.h"

#include "devtrustctl/ctl.h"

#include "core/base/json.h"
#include "core/signon/outcome.h"
#include "edge/host.h"

#include <string.h>

#define FORGOTTEN_AT_ONCE 64 /* keys that are gathered in one walk through the table */

typedef struct answers {
    dt_config const *config;
    dt_guid const *device;
    bool json;
    size_t count;
    char keys[FORGOTTEN_AT_ONCE][DT_STORE_KEY_MAX];
} answers;

/* What follows the device in a key of the prefix: ":SERIAL:LOGIN"; NULL for another device's. */
static char const *rest_of(char const *key, dt_guid const *device)
{
    size_t prefix = sizeof(DT_OKTA_DEVICE_KEY_PREFIX) - 1, len = strlen(device->text);

    if (strncmp(key, DT_OKTA_DEVICE_KEY_PREFIX, prefix) != 0 ||
        strncmp(key + prefix, device->text, len) != 0 || key[prefix + len] != ':')
        return NULL;
    return key + prefix + len + 1;
}

/* --- show ---------------------------------------------------------------------------------------- */

static void show_json(dt_okta_device const *d, dt_evidence const *ev, char const *login,
                      char const *freshness)
{
    char fetched[25];
    dt_buf b;

    dt_time_format(fetched, d->fetched);
    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{");
    dt_out_member(&b, "deviceId", d->device_id.text);
    dt_out_member(&b, "source", "okta-device");
    dt_out_member(&b, "user", login);
    dt_buf_printf(&b, ",\"trusted\":%s", ev->finding == DT_FINDING_FOR ? "true" : "false");
    dt_out_member(&b, "reason", dt_reason_name(ev->reason));
    dt_out_member(&b, "freshness", freshness);
    dt_out_member(&b, "fetched", fetched);
    dt_out_member(&b, "state", dt_okta_device_state_text(d->state));
    dt_out_member(&b, "oktaId", d->id);
    dt_out_member(&b, "name", d->name);
    dt_buf_putc(&b, '}');
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static int show_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    static char const *const words[] = {"TOO_OLD", "STALE", "FRESH"};
    answers *a = ctx;
    char const *rest = rest_of(key, a->device);
    dt_time now = dt_host_now();
    dt_okta_device d;
    dt_evidence ev;

    (void)expires;
    if (rest == NULL)
        return DT_OK;
    a->count++;
    char const *login = strchr(rest, ':') != NULL ? strchr(rest, ':') + 1 : "";
    if (dt_okta_device_unpack(value, &d) < 0 || !dt_guid_equal(&d.device_id, a->device)) {
        dt_err_line("%s: the cached answer of Okta for %s cannot be read", a->device->text, login);
        return DT_OK;
    }
    dt_freshness f = dt_okta_device_freshness(&d, a->config, now);
    dt_okta_device_evidence(&d, now, f != DT_FRESH, &ev);
    if (a->json)
        show_json(&d, &ev, login, words[f]);
    else
        dt_out_line("%s  %s  %s  at Okta for %s: %s", d.device_id.text,
                    ev.finding == DT_FINDING_FOR ? "TRUSTED" : dt_reason_name(ev.reason), words[f],
                    login, dt_okta_device_state_text(d.state));
    return DT_OK;
}

int dt_okta_answers_show(dt_store *s, dt_config const *c, dt_guid const *device, bool json,
                         size_t *count, dt_error *e)
{
    answers a = {.config = c, .device = device, .json = json};
    int rc = dt_store_each(s, DT_TABLE_LOOKUP, dt_host_now(), show_row, &a, e);

    *count = a.count;
    return rc;
}

/* --- forget -------------------------------------------------------------------------------------- */

static int gather_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    answers *a = ctx;

    (void)value;
    (void)expires;
    if (rest_of(key, a->device) != NULL && a->count < FORGOTTEN_AT_ONCE &&
        dt_str_copy(a->keys[a->count], sizeof(a->keys[0]), key) == DT_OK)
        a->count++;
    return DT_OK;
}

static int drop(dt_store *s, char const *key, dt_error *e)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_DELETE};
    dt_store_result r;
    dt_buf scratch;

    (void)!dt_str_copy(op.key, sizeof(op.key), key);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_store_do(s, &op, dt_host_now(), &scratch, &r);
    dt_buf_free(&scratch);
    return r.status == DT_STORE_ERROR ? dt_error_set(e, DT_E_UNAVAILABLE, "the store: %s", r.error)
                                      : DT_OK;
}

int dt_okta_answers_forget(dt_store *s, dt_guid const *device, size_t *count, dt_error *e)
{
    answers a;
    int rc = DT_OK;

    *count = 0;
    do {
        a = (answers){.device = device};
        rc = dt_store_each(s, DT_TABLE_LOOKUP, dt_host_now(), gather_row, &a, e);
        for (size_t i = 0; rc == DT_OK && i < a.count; i++)
            rc = drop(s, a.keys[i], e);
        *count += a.count;
    } while (rc == DT_OK && a.count == FORGOTTEN_AT_ONCE);
    return rc;
}
