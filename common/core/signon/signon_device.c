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
            dt_signon_detail(s, "okta-device: the device's certificates name different serial "
                                "numbers, so none is used");
            return;
        }
        memcpy(serial, e->serial, sizeof(e->serial));
    }
}

bool dt_signon_device_begin(dt_signon *s, dt_time now)
{
    dt_guid const *id = dt_evidence_device_id(&s->scratch->evidence, s->ruleset.config);
    dt_verdict so_far;

    if (dt_lookup_was_asked(s, DT_QUESTION_OKTA_DEVICE))
        return false;
    dt_verdict_judge(&s->scratch->evidence, s->ruleset.config, now, &so_far);
    if (!id || so_far.trust == DT_TRUST_TRUSTED || s->who.kind != DT_IDENTITY_PERSON ||
        !dt_signon_lookup_matters(s, &s->scratch->evidence, DT_SOURCE_OKTA_DEVICE, id, now))
        return false;
    memset(&s->okta_device, 0, sizeof(s->okta_device));
    memset(&s->okta_device_kept, 0, sizeof(s->okta_device_kept));
    s->okta_device.device_id = *id;
    take_serial(s, id);
    dt_lookup_begin(s, DT_QUESTION_OKTA_DEVICE, now);
    return true;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* `stale`: it is used for want of a better one. */
static void use_answer(dt_signon *s, dt_okta_device const *d, bool stale, dt_time now)
{
    dt_evidence ev;

    dt_okta_device_evidence(d, now, stale, &ev);
    if (ev.finding != DT_FINDING_FOR)
        dt_signon_detail(s, "okta-device: %s", dt_okta_device_state_text(d->state));
    s->outcome.stale = s->outcome.stale || stale;
    memmove(s->okta_device.user_id, d->user_id, sizeof(s->okta_device.user_id));
    dt_signon_add_evidence(s, &ev);
}

/* No answer is UNKNOWN and never NOT_TRUSTED. */
static void answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *failed, dt_time now)
{
    dt_evidence ev;

    (void)failed;
    if (e == DT_LOOKUP_NONE) {
        dt_okta_device_evidence_unavailable(&s->okta_device.device_id, now, &ev);
        dt_signon_add_evidence(s, &ev);
    } else {
        use_answer(s, e == DT_LOOKUP_STALE ? &s->okta_device_kept : &s->okta_device,
                   e == DT_LOOKUP_STALE, now);
    }
    dt_signon_collect(s);
}

/* --- the kept answer -------------------------------------------------------------------------- */

static int key(dt_signon *s)
{
    return dt_okta_device_store_key(&s->okta_device.device_id, s->okta_device.serial, s->who.login,
                                    s->scratch->store.key);
}

/* A stale one is put aside: what Okta says now is gathered in its place. */
static dt_freshness unpack(dt_signon *s, dt_bytes text, dt_time now)
{
    dt_okta_device kept;
    dt_freshness f;

    if (dt_okta_device_unpack(text, &kept) < 0 ||
        !dt_guid_equal(&kept.device_id, &s->okta_device.device_id) ||
        strcmp(kept.serial, s->okta_device.serial) != 0)
        return DT_TOO_OLD;
    f = dt_signon_freshness(s, dt_okta_device_freshness(&kept, s->ruleset.config, now),
                            kept.fetched);
    if (f == DT_FRESH)
        s->okta_device = kept;
    else if (f == DT_STALE)
        s->okta_device_kept = kept;
    return f;
}

static bool is_ageing(dt_signon const *s, dt_time now)
{
    return (now - s->okta_device.fetched) * 100 >=
           s->ruleset.config->device_trust.cache_ttl * DT_SIGNON_REFRESH_AT_PERCENT;
}

static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    (void)now;
    *expires = s->okta_device.fetched + s->ruleset.config->device_trust.stale_limit;
    return dt_okta_device_pack(&s->okta_device, out);
}

/* --- who the person is at Okta ---------------------------------------------------------------- */

static dt_question needs(dt_signon *s, dt_lookup_step step, dt_lookup_step *with)
{
    (void)with;
    return step == DT_LOOKUP_ASK && s->okta_device.user_id[0] == '\0' ? DT_QUESTION_USER
                                                                      : DT_QUESTION_NONE;
}

/* Who is nobody at Okta, or not active, has no device there. That is not kept: it is the user's state. */
static void resume(dt_signon *s, dt_question inner, dt_lookup_end e, dt_lookup_reply const *why,
                   dt_time now)
{
    bool refused =
        why != NULL && (why->answer == DT_OKTA_NOT_FOUND || why->answer == DT_OKTA_NOT_ACTIVE);

    (void)inner;
    if (e != DT_LOOKUP_NONE) {
        memcpy(s->okta_device.user_id, s->user_id, sizeof(s->okta_device.user_id));
        dt_lookup_go(s, DT_LOOKUP_ASK, now);
    } else if (refused) {
        s->okta_device.state = DT_OKTA_DEVICE_ABSENT;
        s->okta_device.fetched = now;
        dt_lookup_end_with(s, DT_LOOKUP_FRESH, why, now);
    } else {
        dt_lookup_end_without(s, why, now);
    }
}

/* --- Okta: the person's devices, then the people of the one that fits --------------------------- */

static int request(dt_signon *s)
{
    dt_config const *c = s->ruleset.config;
    dt_http_request *http = &s->scratch->http;

    return dt_signon_page(s, s->lookup.part == 0
                                 ? dt_okta_get_user_devices(c, s->okta_device.user_id, http)
                                 : dt_okta_get_device_users(c, s->okta_device.id, http));
}

static void failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r, dt_error const *e,
                   dt_lookup_reply *out)
{
    bool passes = a == DT_OKTA_RATE_LIMITED || dt_okta_is_unavailable(a);

    dt_signon_detail(s, "okta-device: %s", e->text);
    out->kind = DT_REPLY_FAILED;
    out->no_old = dt_okta_is_local(a);
    out->again = passes && r->failure != DT_HTTP_TIMEOUT;
    out->wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;
}

/* The whole list of the person's devices was read. True when the people of one of them are asked for. */
static bool is_half(dt_signon *s)
{
    dt_okta_device *d = &s->okta_device;

    if (s->lookup.part > 0 || d->id[0] == '\0' || d->state != DT_OKTA_DEVICE_NOT_MANAGED)
        return false;
    d->state = DT_OKTA_DEVICE_ABSENT; /* until the person's link is seen */
    return true;
}

static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_okta_device *d = &s->okta_device;
    dt_error e = {0};
    dt_okta_answer a = s->lookup.part == 0
                           ? dt_okta_read_user_devices(s->ruleset.config, r, d, out->next, &e)
                           : dt_okta_read_device_users(s->ruleset.config, r, d, out->next, &e);

    out->kind = DT_REPLY_ANSWER;
    if (a == DT_OKTA_NOT_FOUND) { /* the person, or the device, is gone */
        d->state = DT_OKTA_DEVICE_ABSENT;
        out->next[0] = '\0';
    } else if (a != DT_OKTA_OK) {
        failed(s, a, r, &e, out);
        return;
    } else if (out->next[0] == '\0' && is_half(s)) {
        out->kind = DT_REPLY_PART;
        return;
    }
    if (out->next[0] == '\0')
        d->fetched = now;
}

/* --- the question ----------------------------------------------------------------------------- */

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    dt_okta_device const *d = &s->okta_device;

    if (!dt_guid_is_set(&d->device_id))
        return false;
    switch (step) {
    case DT_LOOKUP_GET:
        return true;
    case DT_LOOKUP_ASK:
        return d->user_id[0] != '\0' && (s->lookup.part == 0 || d->id[0] != '\0');
    case DT_LOOKUP_KEEP:
        return d->fetched > 0;
    }
    return false;
}

dt_question_row const dt_question_okta_device = {
    .service = "okta-device",
    .part = DT_PART_EVIDENCE,
    .inner = DT_QUESTION_BIT(DT_QUESTION_USER),
    .needs = needs,
    .resume = resume,
    .key = key,
    .unpack = unpack,
    .is_ageing = is_ageing,
    .request = request,
    .read = read_reply,
    .pages = DT_OKTA_DEVICE_PAGES_MAX,
    .endless = "the list has too many pages",
    .pack = pack,
    .answered = answered,
    .has_fields = has_fields,
};
