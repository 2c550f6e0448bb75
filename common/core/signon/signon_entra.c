/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A proved certificate that does not name its device by the Intune device id, by which devices are known
 * here, but by the Entra device id, which is another GUID, or by the serial number of the hardware. None
 * is ever taken for the other: Intune is asked which device has it. The answer is kept as an index
 * (intune_record.c), and holds only while the cached answer about the device itself has the same name. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"

#include <string.h>

/* By what a certificate that names no Intune id names its device; unset when by nothing. The serial
 * number is the last resort: whoever holds the device can often change it. */
static dt_intune_name name_in(dt_evidence const *e)
{
    dt_intune_name n = {.entra_id = e->entra_id};

    if (!dt_guid_is_set(&n.entra_id))
        memcpy(n.serial, e->serial, sizeof(n.serial));
    return n;
}

/* Proved, good, and not yet known which device it is of. */
static bool is_open(dt_evidence const *e)
{
    dt_intune_name n = name_in(e);

    return dt_evidence_is_proved(e) && e->finding == DT_FINDING_FOR &&
           !dt_guid_is_set(&e->device_id) && dt_intune_name_is_set(&n);
}

static dt_intune_name open_name(dt_evidence_set const *set)
{
    dt_intune_name none = {.serial = ""};

    for (size_t i = 0; i < dt_evidence_count(set); i++) {
        if (is_open(&set->items[i]))
            return name_in(&set->items[i]);
    }
    return none;
}

/* Everything that is open: of the device where it goes by the name, and against it where it does not. */
static void resolve(dt_evidence_set *set, dt_intune_device const *device)
{
    for (size_t i = 0; i < dt_evidence_count(set); i++) {
        dt_evidence *e = &set->items[i];
        dt_intune_name n = name_in(e);

        if (!is_open(e))
            continue;
        if (dt_guid_is_set(&device->device_id) && dt_intune_has_name(device, &n)) {
            e->device_id = device->device_id;
        } else {
            e->finding = DT_FINDING_AGAINST;
            e->reason = DT_REASON_NOT_ENROLLED;
        }
    }
}

bool dt_signon_entra_resolve(dt_signon *s)
{
    dt_intune_name open = open_name(&s->scratch->evidence);

    if (s->site.config->intune.service == DT_INTUNE_BY_COMPLIANCE && s->intune.enrolled &&
        !dt_guid_is_set(&s->intune.entra_id) && s->intune.serial[0] == '\0' &&
        dt_intune_name_is_set(&open))
        return false;
    resolve(&s->scratch->evidence, &s->intune);
    return true;
}

void dt_signon_entra_give_up(dt_signon *s)
{
    for (size_t i = 0; i < dt_evidence_count(&s->scratch->evidence); i++) {
        dt_evidence *e = &s->scratch->evidence.items[i];

        if (!is_open(e))
            continue;
        e->finding = DT_FINDING_UNKNOWN;
        e->reason = DT_REASON_LOOKUP_UNAVAILABLE;
        if (dt_intune_name_is_set(&s->lookup_name)) /* the look-up has said why */
            continue;
        if (dt_guid_is_set(&e->entra_id))
            dt_signon_detail(s, "%s: which device has Entra's id %s is not known",
                             dt_source_name(e->source), e->entra_id.text);
        else
            dt_signon_detail(s, "%s: which device has the serial number %s is not known",
                             dt_source_name(e->source), e->serial);
    }
}

bool dt_signon_entra_fits(dt_signon const *s)
{
    return !dt_intune_name_is_set(&s->lookup_name) ||
           dt_intune_has_name(&s->intune, &s->lookup_name);
}

/* As if Intune had said that it is some device. */
static bool matters(dt_signon const *s, dt_intune_name const *name, dt_time now)
{
    static dt_guid const some = {"ffffffff-ffff-ffff-ffff-ffffffffffff"};
    dt_intune_device device = {.enrolled = true, .device_id = some, .entra_id = name->entra_id};
    dt_evidence_set with = s->scratch->evidence;

    memcpy(device.serial, name->serial, sizeof(device.serial));
    resolve(&with, &device);
    return dt_signon_lookup_matters(s, &with, DT_SOURCE_INTUNE, &some, now);
}

bool dt_signon_entra_begin(dt_signon *s, dt_time now)
{
    dt_intune_name name = open_name(&s->scratch->evidence);
    unsigned by = name.serial[0] != '\0' ? DT_LOOKUP_BY_SERIAL : DT_LOOKUP_BY_ENTRA_ID;
    dt_guid const *proved;

    /* Where another proof names a device, that one is looked up, and must go by this name. */
    if (!dt_intune_name_is_set(&name) ||
        !dt_evidence_proved_device(&s->scratch->evidence, &proved) || proved ||
        !s->site.config->intune.client_id[0] ||
        s->site.config->intune.service == DT_INTUNE_BY_COMPLIANCE ||
        (s->site.config->intune.lookup_by & by) == 0 || !matters(s, &name, now))
        return false;
    s->lookup_name = name;
    s->lookup_found = s->lookup_pages = 0;
    s->scratch->next_url[0] = '\0';
    dt_signon_set_phase(s, DT_PHASE_ENTRA_GET);
    return true;
}

/* No device has it, or several do. */
static void refuse(dt_signon *s, dt_time now)
{
    static dt_intune_device const none;
    bool serial = s->lookup_name.serial[0] != '\0';
    dt_evidence ev = {.source = DT_SOURCE_INTUNE,
                      .reason = DT_REASON_NOT_ENROLLED,
                      .entra_id = s->lookup_name.entra_id,
                      .observed = now};

    dt_signon_detail(
        s,
        s->lookup_found == 0
            ? "Intune: no device has %s %s"
            : "Intune: several devices have %s %s, so it names none; remove those that "
              "are gone",
        serial ? "the serial number" : "Entra's id",
        serial ? s->lookup_name.serial : s->lookup_name.entra_id.text);
    resolve(&s->scratch->evidence, &none);
    dt_signon_add_evidence(s, &ev);
    if (s->phase != DT_PHASE_DONE)
        dt_signon_go(s, DT_STAGE_DECISION);
}

static void use_index(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_intune_found found;

    if (r->status != DT_STORE_OK || dt_intune_found_unpack(r->value, &found) < 0) {
        dt_signon_set_phase(s, DT_PHASE_ENTRA_HTTP);
        return;
    }
    if (found.count != 1) {
        s->lookup_found = found.count;
        refuse(s, now);
        return;
    }
    s->lookup_id = found.device.device_id;
    dt_signon_set_phase(s, DT_PHASE_INTUNE_GET);
}

/* More pages than there can be, or a link too long: what would have stood there is not known. */
static bool next_page(dt_signon *s, char const *next, dt_error *e)
{
    if (++s->lookup_pages < DT_SIGNON_DEVICE_PAGES_MAX &&
        dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), next) == DT_OK)
        return true;
    s->scratch->next_url[0] = '\0';
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Graph's list of one device has no end");
    return false;
}

static void take_page(dt_signon *s, dt_intune_found const *found, char const *next,
                      dt_http_response const *r, dt_time now)
{
    dt_error e = {0};

    s->lookup_found = found->count;
    if (found->count == 1)
        s->intune = found->device;
    if (found->count > 0)
        s->intune_cached = false; /* `intune` is no longer the cached answer */
    if (found->count < 2 && next[0]) {
        if (!next_page(s, next, &e))
            dt_signon_lookup_failed(s, DT_INTUNE_UNUSABLE, r, &e, now);
        return; /* in the same phase */
    }
    s->scratch->next_url[0] = '\0';
    if (found->count == 1)
        s->lookup_id = s->intune.device_id;
    dt_signon_set_phase(s, DT_PHASE_ENTRA_PUT);
}

static void http_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_intune_found found = {.count = s->lookup_found};
    char next[DT_URL_MAX];
    dt_error e = {0};
    dt_intune_answer a;

    if (found.count == 1)
        found.device = s->intune;
    a = dt_intune_read_found(s->site.config, r, &s->lookup_name, now, &found, next, &e);
    if (a == DT_INTUNE_OK)
        take_page(s, &found, next, r, now);
    else
        dt_signon_lookup_failed(s, a == DT_INTUNE_NOT_ENROLLED ? DT_INTUNE_UNUSABLE : a, r, &e,
                                now);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    dt_intune_name_store_key(&s->lookup_name, s->scratch->store.key);
    return DT_OK;
}

static int render_request(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_intune_find_device(s->site.config, &s->lookup_name, s->scratch->next_url,
                                 &s->scratch->http);
}

/* What names no device is looked up again soon, as every answer that lets nobody in. */
static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_intune_found found = {.count = s->lookup_found};
    dt_config const *c = s->site.config;
    int rc;

    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_intune_name_store_key(&s->lookup_name, s->scratch->store.key);
    if (found.count == 1)
        found.device.device_id = s->intune.device_id;
    rc = dt_intune_found_pack(&found, value);
    return rc < 0 ? rc
                  : dt_signon_store_value(s, value,
                                          now + (found.count == 1 ? c->device_trust.stale_limit
                                                                  : c->device_trust.negative_ttl));
}

/* An index that could not be kept is no reason to refuse. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    if (s->lookup_found == 1)
        dt_signon_set_phase(s, DT_PHASE_INTUNE_PUT);
    else
        refuse(s, now);
}

static bool has_name(dt_signon const *s)
{
    return dt_intune_name_is_set(&s->lookup_name);
}

dt_phase_row const dt_row_entra_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_get,
    .store_done = use_index,
    .has_fields = has_name,
};
dt_phase_row const dt_row_entra_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .retried = true,
    .render = render_request,
    .http_done = http_done,
    .has_fields = has_name,
};
dt_phase_row const dt_row_entra_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_put,
    .store_done = put_done,
    .has_fields = has_name,
};
