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

    if (s->ruleset.config->intune.service == DT_INTUNE_BY_COMPLIANCE && s->intune.enrolled &&
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
            dt_signon_detail(s, "%s: the device with the Entra id %s is not known",
                             dt_source_name(e->source), e->entra_id.text);
        else
            dt_signon_detail(s, "%s: the device with the serial number %s is not known",
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
        !s->ruleset.config->intune.client_id[0] ||
        s->ruleset.config->intune.service == DT_INTUNE_BY_COMPLIANCE ||
        (s->ruleset.config->intune.lookup_by & by) == 0 || !matters(s, &name, now))
        return false;
    s->lookup_name = name;
    s->lookup_found = 0;
    memset(&s->lookup_id, 0, sizeof(s->lookup_id)); /* which the look-up is to find */
    dt_lookup_begin(s, DT_QUESTION_INTUNE, now);
    return true;
}

void dt_signon_entra_refuse(dt_signon *s, dt_time now)
{
    static dt_intune_device const none;
    bool serial = s->lookup_name.serial[0] != '\0';
    dt_evidence ev = {.source = DT_SOURCE_INTUNE,
                      .reason = DT_REASON_NOT_ENROLLED,
                      .entra_id = s->lookup_name.entra_id,
                      .observed = now};

    dt_signon_detail(s,
                     s->lookup_found == 0 ? "Intune: no device has %s %s"
                                          : "Intune: several devices have %s %s, so it identifies "
                                            "none; remove the devices that no longer exist",
                     serial ? "the serial number" : "Entra's id",
                     serial ? s->lookup_name.serial : s->lookup_name.entra_id.text);
    resolve(&s->scratch->evidence, &none);
    dt_signon_add_evidence(s, &ev);
}

/* --- the question ------------------------------------------------------------------------------ */

static int key(dt_signon *s)
{
    dt_intune_name_store_key(&s->lookup_name, s->scratch->store.key);
    return DT_OK;
}

/* The index has the device's id, and nothing else of it. */
static dt_freshness unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_intune_found found;

    (void)now;
    if (dt_intune_found_unpack(kept, &found) < 0)
        return DT_TOO_OLD;
    if (found.count == 1)
        s->lookup_id = found.device.device_id;
    else
        s->lookup_found = found.count;
    return DT_FRESH;
}

static bool may_ask(dt_signon *s)
{
    s->lookup_found = 0;
    return true;
}

static int request(dt_signon *s)
{
    return dt_intune_find_device(s->ruleset.config, &s->lookup_name, s->scratch->next_url,
                                 &s->scratch->http);
}

static void page_read(dt_signon *s, dt_intune_found const *found, bool last)
{
    static dt_guid const nobody;

    s->lookup_found = found->count;
    if (found->count == 1)
        s->intune = found->device;
    if (found->count > 0) /* `intune` is no longer the kept answer */
        dt_lookup_forget_stale(s, DT_QUESTION_INTUNE);
    if (last)
        s->lookup_id = found->count == 1 ? s->intune.device_id : nobody;
}

/* Two devices are enough to know that the name is no one device's. */
static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_intune_found found = {.count = s->lookup_found};
    dt_error e = {0};
    dt_intune_answer a;

    if (found.count == 1)
        found.device = s->intune;
    a = dt_intune_read_found(s->ruleset.config, r, &s->lookup_name, now, &found, out->next, &e);
    if (a == DT_INTUNE_OK) {
        if (found.count >= 2)
            out->next[0] = '\0';
        page_read(s, &found, out->next[0] == '\0');
        out->kind = DT_REPLY_ANSWER;
        return;
    }
    dt_signon_intune_failed(a == DT_INTUNE_NOT_ENROLLED ? DT_INTUNE_UNUSABLE : a, r, &e, out);
}

/* What names no device is looked up again soon, as every answer that lets nobody in. */
static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    dt_intune_found found = {.count = s->lookup_found};
    dt_config const *c = s->ruleset.config;

    if (found.count == 1)
        found.device.device_id = s->intune.device_id;
    *expires =
        now + (found.count == 1 ? c->device_trust.stale_limit : c->device_trust.negative_ttl);
    return dt_intune_found_pack(&found, out);
}

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    (void)step;
    return dt_intune_name_is_set(&s->lookup_name);
}

dt_question_row const dt_question_device_name = {
    .service = "Intune",
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .only_inner = true,
    .key = key,
    .unpack = unpack,
    .may_ask = may_ask,
    .request = request,
    .read = read_reply,
    .pages = DT_SIGNON_DEVICE_PAGES_MAX,
    .endless = "Graph's list of one device has too many pages",
    .pack = pack,
    .has_fields = has_fields,
};
