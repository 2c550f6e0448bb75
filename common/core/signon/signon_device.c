/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a sign-on that asks Okta about the device: is one of the person's own devices there the
 * one that was proved here, active and managed? In this order: the kept answer; who the person is at
 * Okta (signon_okta.c); the person's devices; the people of the one that fits. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* The serial number that goes with the device: of the certificates that were proved for it, unless they
 * disagree. */
static void take_serial(dt_signon *s, dt_guid const *device)
{
    char *serial = s->okta_device.serial;

    for (size_t i = 0; i < s->scratch->evidence.count && i < DT_EVIDENCE_MAX; i++) {
        dt_evidence const *e = &s->scratch->evidence.items[i];

        if (e->assurance != DT_PROVED || e->finding != DT_FINDING_FOR || e->serial[0] == '\0' ||
            !dt_guid_equal(&e->device_id, device))
            continue;
        if (serial[0] != '\0' && strcmp(serial, e->serial) != 0) {
            serial[0] = '\0';
            dt_signon_detail(s, "okta-device: two certificates of the device name two serial "
                                "numbers, so none is gone by");
            return;
        }
        memcpy(serial, e->serial, sizeof(e->serial));
    }
}

bool dt_signon_device_begin(dt_signon *s, dt_time now)
{
    dt_guid const *id = dt_evidence_device_id(&s->scratch->evidence, s->site.config);
    dt_verdict so_far;

    if (dt_guid_is_set(&s->okta_device.device_id))
        return false; /* it was asked */
    dt_verdict_judge(&s->scratch->evidence, s->site.config, now, &so_far);
    if (!id || so_far.trust == DT_TRUST_TRUSTED || s->who.kind != DT_IDENTITY_PERSON ||
        !dt_signon_lookup_matters(s, &s->scratch->evidence, DT_SOURCE_OKTA_DEVICE, id, now))
        return false;
    memset(&s->okta_device, 0, sizeof(s->okta_device));
    memset(&s->okta_device_kept, 0, sizeof(s->okta_device_kept));
    s->okta_device.device_id = *id;
    take_serial(s, id);
    dt_signon_set_phase(s, DT_PHASE_OKTA_DEVICE_GET);
    return true;
}

/* Goes on to the decision with an answer, which is `stale` when it is used for want of a better one. */
static void use_answer(dt_signon *s, dt_okta_device const *d, bool stale, dt_time now)
{
    dt_evidence ev;

    if (s->refresh_only) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    dt_okta_device_evidence(d, now, stale, &ev);
    if (ev.finding != DT_FINDING_FOR)
        dt_signon_detail(s, "okta-device: %s", dt_okta_device_state_text(d->state));
    s->outcome.stale = s->outcome.stale || stale;
    s->okta_refresh_hint =
        stale || (now - d->fetched) * 100 >=
                     s->site.config->device_trust.cache_ttl * DT_SIGNON_REFRESH_AT_PERCENT;
    memcpy(s->okta_device.user_id, d->user_id, sizeof(s->okta_device.user_id));
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

/* No answer: the last one within stale_limit, or nothing, which is UNKNOWN and never NOT_TRUSTED. */
static void no_answer(dt_signon *s, dt_time now)
{
    dt_evidence ev;

    if (s->refresh_only || s->okta_device_kept.fetched > 0) {
        use_answer(s, &s->okta_device_kept, true, now);
        return;
    }
    dt_okta_device_evidence_unavailable(&s->okta_device.device_id, now, &ev);
    dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

static void got_kept(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_okta_device kept;
    dt_freshness f = DT_TOO_OLD;

    if (r->status == DT_STORE_OK && dt_okta_device_unpack(r->value, &kept) == DT_OK &&
        dt_guid_equal(&kept.device_id, &s->okta_device.device_id) &&
        strcmp(kept.serial, s->okta_device.serial) == 0)
        f = dt_okta_device_freshness(&kept, s->site.config, now);
    if (f == DT_FRESH) {
        use_answer(s, &kept, false, now);
        return;
    }
    if (f == DT_STALE)
        s->okta_device_kept = kept;
    s->device_wants_user = true;
    dt_signon_set_phase(s, DT_PHASE_USER_GET);
}

void dt_signon_device_user_known(dt_signon *s)
{
    s->device_wants_user = false;
    memcpy(s->okta_device.user_id, s->user_id, sizeof(s->okta_device.user_id));
    s->scratch->next_url[0] = '\0';
    s->okta_device_pages = 0;
    dt_signon_set_phase(s, DT_PHASE_OKTA_DEVICES_HTTP);
}

/* No old answer counts because of a failure of ours. */
static void forget_kept(dt_signon *s)
{
    memset(&s->okta_device_kept, 0, sizeof(s->okta_device_kept));
}

void dt_signon_device_user_failed(dt_signon *s, dt_okta_answer a, dt_time now)
{
    bool refused = a == DT_OKTA_NOT_FOUND || a == DT_OKTA_NOT_ACTIVE;

    s->device_wants_user = false;
    if (dt_okta_is_local(a))
        forget_kept(s);
    if (!refused) {
        no_answer(s, now);
        return;
    }
    /* Who is nobody at Okta, or not active, has no device there. Not kept: it is the user's state. */
    s->okta_device.state = DT_OKTA_DEVICE_ABSENT;
    s->okta_device.fetched = now;
    use_answer(s, &s->okta_device, false, now);
}

/* The answer is whole. */
static void keep(dt_signon *s, dt_time now)
{
    s->okta_device.fetched = now;
    dt_signon_set_phase(s, DT_PHASE_OKTA_DEVICE_PUT);
}

static void failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r, dt_error const *e,
                   dt_time now)
{
    dt_time wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;
    bool passes = a == DT_OKTA_RATE_LIMITED || dt_okta_is_unavailable(a);

    if (a == DT_OKTA_NOT_FOUND) { /* the person, or the device, is gone */
        s->okta_device.state = DT_OKTA_DEVICE_ABSENT;
        keep(s, now);
        return;
    }
    dt_signon_detail(s, "okta-device: %s", e->text);
    if (dt_okta_is_local(a))
        forget_kept(s);
    if (passes && r->failure != DT_HTTP_TIMEOUT && s->retries < DT_SIGNON_RETRIES_MAX &&
        s->okta_device_kept.fetched == 0 && now + wait < s->deadline) {
        dt_signon_retry(s, s->phase, now + wait);
        return;
    }
    no_answer(s, now);
}

/* True when there is another page, and it will be asked for; *fits is false when there are too many. */
static bool next_page(dt_signon *s, char const *next, bool *fits)
{
    *fits = true;
    if (next[0] == '\0') {
        s->scratch->next_url[0] = '\0';
        s->okta_device_pages = 0;
        return false;
    }
    *fits = ++s->okta_device_pages < DT_OKTA_DEVICE_PAGES_MAX &&
            dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), next) == DT_OK;
    if (!*fits)
        s->scratch->next_url[0] = '\0';
    return *fits;
}

/* The whole list of the person's devices was read. */
static void devices_read(dt_signon *s, dt_time now)
{
    dt_okta_device *d = &s->okta_device;

    if (d->id[0] == '\0' || d->state != DT_OKTA_DEVICE_NOT_MANAGED) {
        keep(s, now);
        return;
    }
    d->state = DT_OKTA_DEVICE_ABSENT; /* until the person's link is seen */
    dt_signon_set_phase(s, DT_PHASE_OKTA_DEVICE_USERS_HTTP);
}

/* A page of either list was read; the last one leads on to `whole`. */
static void page_read(dt_signon *s, dt_okta_answer a, dt_http_response const *r, char const *next,
                      dt_error const *e, void (*whole)(dt_signon *, dt_time), dt_time now)
{
    bool fits;

    if (a != DT_OKTA_OK) {
        failed(s, a, r, e, now);
        return;
    }
    if (next_page(s, next, &fits))
        return; /* the same phase again */
    if (fits) {
        whole(s, now);
        return;
    }
    dt_signon_detail(s, "okta-device: the list has more pages than are read");
    no_answer(s, now);
}

static void devices_page(dt_signon *s, dt_http_response const *r, dt_time now)
{
    char next[DT_URL_MAX];
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_user_devices(s->site.config, r, &s->okta_device, next, &e);

    page_read(s, a, r, next, &e, devices_read, now);
}

static void users_page(dt_signon *s, dt_http_response const *r, dt_time now)
{
    char next[DT_URL_MAX];
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_device_users(s->site.config, r, &s->okta_device, next, &e);

    page_read(s, a, r, next, &e, keep, now);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int set_key(dt_signon *s)
{
    return dt_okta_device_store_key(&s->okta_device.device_id, s->okta_device.serial, s->who.login,
                                    s->scratch->store.key);
}

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return set_key(s);
}

static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    int rc;

    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    rc = set_key(s);
    if (rc == DT_OK)
        rc = dt_okta_device_pack(&s->okta_device, value);
    return rc < 0
               ? rc
               : dt_signon_store_value(
                     s, value, s->okta_device.fetched + s->site.config->device_trust.stale_limit);
}

/* An answer that could not be kept is still an answer. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    use_answer(s, &s->okta_device, false, now);
}

static int render_devices(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_signon_page(
        s, dt_okta_get_user_devices(s->site.config, s->okta_device.user_id, &s->scratch->http));
}

static int render_users(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_signon_page(
        s, dt_okta_get_device_users(s->site.config, s->okta_device.id, &s->scratch->http));
}

static bool has_device(dt_signon const *s)
{
    return dt_guid_is_set(&s->okta_device.device_id);
}

static bool has_user(dt_signon const *s)
{
    return has_device(s) && s->okta_device.user_id[0];
}

static bool has_okta_id(dt_signon const *s)
{
    return has_user(s) && s->okta_device.id[0];
}

static bool has_answer(dt_signon const *s)
{
    return s->okta_device.fetched > 0;
}

dt_phase_row const dt_row_okta_device_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_get,
    .store_done = got_kept,
    .has_fields = has_device,
};
dt_phase_row const dt_row_okta_devices_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .retried = true,
    .render = render_devices,
    .http_done = devices_page,
    .has_fields = has_user,
};
dt_phase_row const dt_row_okta_device_users_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .retried = true,
    .render = render_users,
    .http_done = users_page,
    .has_fields = has_okta_id,
};
dt_phase_row const dt_row_okta_device_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_put,
    .store_done = put_done,
    .has_fields = has_answer,
};
