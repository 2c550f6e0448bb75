/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of facts about a device, its words, and what it says without a verdict: which device to
 * look up and which key was proved. */
#include "core/device/evidence_facts.h"

#include <string.h>

char const *dt_trust_name(dt_trust t)
{
    switch (t) {
    case DT_TRUST_TRUSTED:
        return "TRUSTED";
    case DT_TRUST_NOT_TRUSTED:
        return "NOT_TRUSTED";
    case DT_TRUST_UNKNOWN:
        break;
    }
    return "UNKNOWN";
}

int dt_evidence_add(dt_evidence_set *set, dt_evidence const *e)
{
    if (set->count >= DT_EVIDENCE_MAX)
        return DT_E_LIMIT;
    set->items[set->count++] = *e;
    return DT_OK;
}

size_t dt_evidence_count(dt_evidence_set const *set)
{
    return set->count < DT_EVIDENCE_MAX ? set->count : DT_EVIDENCE_MAX;
}

bool dt_evidence_is_proved(dt_evidence const *e)
{
    return e->assurance == DT_PROVED && (e->source & DT_SOURCES_WITH_KEY) != 0;
}

bool dt_evidence_proved_device(dt_evidence_set const *set, dt_guid const **device)
{
    *device = NULL;
    for (size_t i = 0; i < dt_evidence_count(set); i++) {
        dt_evidence const *e = &set->items[i];
        if (!dt_evidence_is_proved(e) || !dt_guid_is_set(&e->device_id))
            continue;
        if (*device == NULL)
            *device = &e->device_id;
        else if (!dt_guid_equal(*device, &e->device_id))
            return false;
    }
    return true;
}

dt_guid const *dt_evidence_device_id(dt_evidence_set const *set, dt_config const *c)
{
    dt_guid const *proved;
    dt_guid const *asserted = NULL;
    unsigned named = 0;

    if (!dt_evidence_proved_device(set, &proved))
        return NULL;
    for (size_t i = 0; i < c->device_trust.trusted_when_count && i < DT_TRUST_ALTERNATIVES_MAX; i++)
        named |= c->device_trust.trusted_when[i];
    for (size_t i = 0; i < dt_evidence_count(set); i++) {
        dt_evidence const *e = &set->items[i];
        if (e->finding != DT_FINDING_FOR || !dt_guid_is_set(&e->device_id))
            continue;
        if (dt_evidence_is_proved(e))
            return &e->device_id;
        if (asserted == NULL && proved == NULL && e->source == DT_SOURCE_VPN_CLIENT &&
            (named & DT_SOURCE_VPN_CLIENT) != 0)
            asserted = &e->device_id;
    }
    return asserted;
}

char const *dt_evidence_proved_key(dt_evidence_set const *set)
{
    dt_guid const *device;

    if (!dt_evidence_proved_device(set, &device))
        return "";
    for (size_t i = 0; i < dt_evidence_count(set); i++) {
        dt_evidence const *e = &set->items[i];
        if (dt_evidence_is_proved(e) && e->key_id[0] != '\0')
            return e->key_id;
    }
    return "";
}
