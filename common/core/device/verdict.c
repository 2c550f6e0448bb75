/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict: is this device trusted, by the evidence and by [device_trust]?
 *
 * An alternative of trusted_when is tried for one device at a time, so that evidence for one device
 * never completes an alternative for another:
 *
 *   - Where a key was proved, the device is the one that the proof names; two names are a
 *     contradiction, and then nothing is trusted. Otherwise every device that is named is tried.
 *   - Evidence AGAINST the device beats evidence FOR it from the same source. AGAINST that names no
 *     device speaks of every device.
 *   - FOR that names no device, FOR that a key should have proved and did not, FOR with a reason that
 *     does not go with it, and a look-up's answer past stale_limit are not FOR.
 *   - A look-up whose answer is not there was not made: that is UNKNOWN, as when it failed. */
#include "core/device/evidence_facts.h"

#include <string.h>

#define PLATFORMS_ALL (DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE)

/* The order in which sources fail: what a person must fix first comes first. */
static dt_source const sources_in_order[] = {
    DT_SOURCE_CERTIFICATE, DT_SOURCE_SSH_KEY,         DT_SOURCE_SSH_CERTIFICATE,
    DT_SOURCE_SSH_AGENT,   DT_SOURCE_MANAGEMENT_HINT, DT_SOURCE_VPN_CLIENT,
    DT_SOURCE_REGISTRY,    DT_SOURCE_INTUNE,          DT_SOURCE_OKTA_DEVICE};
#define SOURCES_COUNT (sizeof(sources_in_order) / sizeof(sources_in_order[0]))

/* How one source stands to one device; a later one is the better. */
typedef enum standing {
    STANDING_AGAINST = 0,
    STANDING_ABSENT,
    STANDING_UNPROVED,
    STANDING_UNKNOWN,
    STANDING_FOR,
} standing;

typedef struct member {
    standing standing;
    dt_reason reason;      /* why not FOR; or what goes with FOR */
    dt_evidence const *by; /* NULL when ABSENT */
} member;

/* How far an alternative came for one device; a later one is the better. */
typedef enum reach { REACH_FAILS = 0, REACH_COULD, REACH_HOLDS } reach;

typedef struct attempt {
    reach reach;
    unsigned sources;
    dt_guid const *device; /* NULL: a device that nothing names */
    dt_reason reason;
    int members_for;
    int rank; /* where it fails: the rank of its reason, see reason_rank */
} attempt;

typedef struct judge {
    dt_evidence_set const *set;
    dt_config const *c;
    dt_time now;
} judge;

static bool has_key(dt_source source)
{
    return (source & DT_SOURCES_WITH_KEY) != 0;
}

/* What the evidence finds, once FOR with a reason that speaks against it is out of the way. */
static dt_finding finding_of(judge const *j, dt_evidence const *e)
{
    if (e->finding == DT_FINDING_UNKNOWN)
        return DT_FINDING_UNKNOWN;
    if (e->finding != DT_FINDING_FOR)
        return DT_FINDING_AGAINST;
    switch (e->reason) {
    case DT_REASON_IN_GRACE_PERIOD:
        if (!j->c->device_trust.trust_in_grace_period)
            return DT_FINDING_AGAINST;
        break;
    case DT_REASON_NONE:
    case DT_REASON_TRUSTED:
    case DT_REASON_STALE:
        break;
    default:
        return DT_FINDING_AGAINST;
    }
    if ((e->source & DT_SOURCES_ASKED) != 0 && e->observed < j->now &&
        j->now - e->observed > j->c->device_trust.stale_limit)
        return DT_FINDING_UNKNOWN;
    return DT_FINDING_FOR;
}

/* A reason for AGAINST, also where the evidence has none that fits. */
static dt_reason reason_against(dt_evidence const *e)
{
    if (e->reason != DT_REASON_NONE && e->reason != DT_REASON_TRUSTED &&
        (unsigned)e->reason < DT_REASON_COUNT)
        return e->reason;
    switch (e->source) {
    case DT_SOURCE_CERTIFICATE:
    case DT_SOURCE_SSH_CERTIFICATE:
        return DT_REASON_CERTIFICATE_INVALID;
    case DT_SOURCE_INTUNE:
        return DT_REASON_NOT_COMPLIANT;
    case DT_SOURCE_MANAGEMENT_HINT:
        return DT_REASON_MANAGEMENT_HINT_MISMATCH;
    default:
        return DT_REASON_NOT_ENROLLED;
    }
}

static dt_reason reason_unknown(dt_evidence const *e)
{
    return e->finding == DT_FINDING_UNKNOWN && e->reason != DT_REASON_NONE &&
                   e->reason != DT_REASON_TRUSTED
               ? e->reason
               : DT_REASON_LOOKUP_UNAVAILABLE;
}

/* Is the device this host, or one that nothing names? A certificate is the host's own wherever the
 * host's other evidence is looked at. */
static bool is_host(judge const *j, dt_guid const *device)
{
    if (device == NULL)
        return true;
    for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
        dt_evidence const *e = &j->set->items[i];
        if (e->source == DT_SOURCE_CERTIFICATE && dt_evidence_is_proved(e) &&
            dt_guid_equal(&e->device_id, device))
            return true;
    }
    return false;
}

/* May the evidence speak of the device? FOR must name it, or speak of this host; the rest may leave
 * it open. */
static bool is_about(judge const *j, dt_evidence const *e, dt_finding finding,
                     dt_guid const *device)
{
    if (!dt_guid_is_set(&e->device_id))
        return finding != DT_FINDING_FOR ||
               ((e->source & DT_SOURCES_OF_HOST) != 0 && is_host(j, device));
    return device != NULL && dt_guid_equal(&e->device_id, device);
}

/* Takes one piece of evidence into account. False once nothing can change the standing any more. */
static bool member_take(judge const *j, dt_evidence const *e, dt_guid const *device, member *m)
{
    dt_finding finding = finding_of(j, e);
    member new = {.by = e};

    if (!is_about(j, e, finding, device))
        return true;
    if (finding == DT_FINDING_AGAINST) {
        *m = (member){.standing = STANDING_AGAINST, .reason = reason_against(e), .by = e};
        return false;
    }
    if (has_key(e->source) && !dt_evidence_is_proved(e)) {
        new.standing = STANDING_UNPROVED;
        new.reason = DT_REASON_NO_PROOF_OF_POSSESSION;
    } else if (finding == DT_FINDING_UNKNOWN) {
        new.standing = STANDING_UNKNOWN;
        new.reason = reason_unknown(e);
    } else {
        new.standing = STANDING_FOR;
        new.reason = e->reason;
    }
    if (new.standing > m->standing ||
        (new.standing == m->standing && m->by != NULL && e->observed > m->by->observed))
        *m = new;
    return true;
}

static member member_of(judge const *j, dt_source source, dt_guid const *device)
{
    member m = {.standing = STANDING_ABSENT,
                .reason = source == DT_SOURCE_MANAGEMENT_HINT ? DT_REASON_NOT_MANAGED
                                                              : DT_REASON_NO_CERTIFICATE};

    for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
        dt_evidence const *e = &j->set->items[i];
        if (e->source == source && !member_take(j, e, device, &m))
            return m;
    }
    if (m.standing == STANDING_ABSENT && (source & DT_SOURCES_LOOKED_UP) != 0) {
        m.standing = STANDING_UNKNOWN;
        m.reason = DT_REASON_LOOKUP_UNAVAILABLE;
    }
    return m;
}

/* Every platform that a member FOR the device gives must be enabled. When none gives one, it must be
 * that all are enabled, or (`more`) that an answer may yet come which gives it. */
static bool platform_is_enabled(judge const *j, unsigned sources, dt_guid const *device, bool more)
{
    unsigned enabled = j->c->device_trust.platforms & PLATFORMS_ALL;
    bool known = false;

    for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
        dt_evidence const *e = &j->set->items[i];
        if ((e->source & sources) == 0 || e->platform == DT_PLATFORM_UNKNOWN ||
            finding_of(j, e) != DT_FINDING_FOR || !is_about(j, e, DT_FINDING_FOR, device) ||
            (has_key(e->source) && !dt_evidence_is_proved(e)))
            continue;
        if (((unsigned)e->platform & ~enabled) != 0)
            return false;
        known = true;
    }
    return known || enabled == PLATFORMS_ALL || (more && enabled != 0);
}

/* What goes with TRUSTED: the weakest point of what it rests on. */
static dt_reason reason_for(dt_reason so_far, dt_reason of_member)
{
    if (so_far == DT_REASON_IN_GRACE_PERIOD || of_member == DT_REASON_IN_GRACE_PERIOD)
        return DT_REASON_IN_GRACE_PERIOD;
    return of_member == DT_REASON_STALE ? DT_REASON_STALE : so_far;
}

/* A finding helps a person more than a missing proof, and that more than nothing at all. */
static int reason_rank(standing s)
{
    return s == STANDING_AGAINST ? 3 : s == STANDING_UNPROVED ? 2 : 1;
}

static void attempt_take(attempt *a, member const *m)
{
    switch (m->standing) {
    case STANDING_FOR:
        a->members_for++;
        if (a->reach == REACH_HOLDS)
            a->reason = reason_for(a->reason, m->reason);
        return;
    case STANDING_UNKNOWN:
        if (a->reach == REACH_HOLDS) {
            a->reach = REACH_COULD;
            a->reason = m->reason;
        }
        return;
    default:
        a->reach = REACH_FAILS;
        if (reason_rank(m->standing) > a->rank) {
            a->rank = reason_rank(m->standing);
            a->reason = m->reason;
        }
        return;
    }
}

/* Tries one alternative for one device. */
static attempt attempt_make(judge const *j, unsigned sources, dt_guid const *device)
{
    attempt a = {
        .reach = REACH_HOLDS, .sources = sources, .device = device, .reason = DT_REASON_TRUSTED};

    for (size_t i = 0; i < SOURCES_COUNT; i++) {
        member m = {0};
        if ((sources & sources_in_order[i]) == 0)
            continue;
        m = member_of(j, sources_in_order[i], device);
        attempt_take(&a, &m);
    }
    if (a.reach != REACH_FAILS &&
        !platform_is_enabled(j, sources, device, a.reach == REACH_COULD)) {
        a.reach = REACH_FAILS;
        a.reason = DT_REASON_PLATFORM_NOT_ENABLED;
        a.rank = reason_rank(STANDING_AGAINST);
    }
    return a;
}

static bool attempt_is_better(attempt const *a, attempt const *than)
{
    if (a->reach != than->reach)
        return a->reach > than->reach;
    if (a->members_for != than->members_for)
        return a->members_for > than->members_for;
    return a->rank > than->rank;
}

/* An alternative that can be met at all: known sources only, and not a look-up alone, which would
 * be about no device in particular. The registry is asked about proved devices only. */
static bool alternative_is_sound(unsigned sources)
{
    return (sources & ~(unsigned)DT_SOURCES_ALL) == 0 &&
           (sources & ~(unsigned)DT_SOURCES_LOOKED_UP) != 0 &&
           ((sources & DT_SOURCE_REGISTRY) == 0 || (sources & DT_SOURCES_WITH_KEY) != 0);
}

/* A device that nothing names is trusted only as this host, by what speaks of it alone. */
static bool attempt_names_enough(attempt const *a)
{
    return a->device != NULL || (a->sources & ~(unsigned)DT_SOURCES_OF_HOST) == 0;
}

static void attempt_all_devices(judge const *j, unsigned sources, dt_guid const *proved,
                                attempt *best)
{
    attempt a = attempt_make(j, sources, proved);

    if (attempt_is_better(&a, best))
        *best = a;
    if (proved != NULL)
        return;
    for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
        dt_guid const *device = &j->set->items[i].device_id;
        if (!dt_guid_is_set(device))
            continue;
        a = attempt_make(j, sources, device);
        if (attempt_is_better(&a, best))
            *best = a;
    }
}

/* Is the evidence about the device that the verdict names, or, where it names none, about this host? */
static bool concerns(judge const *j, dt_evidence const *e, dt_guid const *device)
{
    if ((e->source & DT_SOURCES_OF_HOST) != 0)
        return is_host(j, dt_guid_is_set(device) ? device : NULL);
    return dt_guid_equal(&e->device_id, device);
}

/* Name and platform of the device, from the source that should know best. */
static void describe_device(judge const *j, dt_verdict *out)
{
    static dt_source const by_knowledge[] = {
        DT_SOURCE_INTUNE,      DT_SOURCE_OKTA_DEVICE,     DT_SOURCE_REGISTRY,
        DT_SOURCE_CERTIFICATE, DT_SOURCE_SSH_KEY,         DT_SOURCE_SSH_CERTIFICATE,
        DT_SOURCE_SSH_AGENT,   DT_SOURCE_MANAGEMENT_HINT, DT_SOURCE_VPN_CLIENT};

    for (size_t s = 0; s < sizeof(by_knowledge) / sizeof(by_knowledge[0]); s++) {
        for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
            dt_evidence const *e = &j->set->items[i];
            if (e->source != by_knowledge[s] || !concerns(j, e, &out->device_id) ||
                (e->finding != DT_FINDING_FOR && (e->source & DT_SOURCES_ASKED) == 0) ||
                (has_key(e->source) && !dt_evidence_is_proved(e)))
                continue;
            if (out->platform == DT_PLATFORM_UNKNOWN)
                out->platform = e->platform;
            if (out->device_name[0] == '\0')
                memcpy(out->device_name, e->device_name, sizeof(out->device_name));
        }
    }
    out->device_name[sizeof(out->device_name) - 1] = '\0';
}

/* The members that the verdict rests on: their proved key and the age of the oldest. */
static void describe_members(judge const *j, attempt const *a, dt_verdict *out)
{
    for (size_t i = 0; i < SOURCES_COUNT; i++) {
        member m = {0};
        if ((a->sources & sources_in_order[i]) == 0)
            continue;
        m = member_of(j, sources_in_order[i], a->device);
        if (m.by == NULL)
            continue;
        if (m.by->observed < out->oldest)
            out->oldest = m.by->observed;
        if (out->key_id[0] == '\0' && dt_evidence_is_proved(m.by))
            memcpy(out->key_id, m.by->key_id, sizeof(out->key_id));
    }
    out->key_id[sizeof(out->key_id) - 1] = '\0';
}

static void verdict_trusted(judge const *j, attempt const *a, dt_verdict *out)
{
    out->trust = DT_TRUST_TRUSTED;
    out->reason = a->reason;
    out->sources = a->sources;
    if (a->device != NULL)
        out->device_id = *a->device;
    out->oldest = j->now;
    describe_members(j, a, out);
}

static void verdict_other(judge const *j, attempt const *a, dt_verdict *out)
{
    dt_guid const *device = dt_evidence_device_id(j->set, j->c);

    out->trust = a->reach == REACH_COULD ? DT_TRUST_UNKNOWN : DT_TRUST_NOT_TRUSTED;
    out->reason = a->reason;
    if (device != NULL)
        out->device_id = *device;
    out->oldest = j->now;
    for (size_t i = 0; i < dt_evidence_count(j->set); i++) {
        if (j->set->items[i].observed < out->oldest)
            out->oldest = j->set->items[i].observed;
    }
}

void dt_verdict_judge(dt_evidence_set const *set, dt_config const *c, dt_time now, dt_verdict *out)
{
    judge j = {.set = set, .c = c, .now = now};
    attempt best = {.reason = DT_REASON_NO_CERTIFICATE, .members_for = -1};
    dt_guid const *proved;
    size_t count = c->device_trust.trusted_when_count;

    *out = (dt_verdict){0};
    if (!dt_evidence_proved_device(set, &proved)) {
        best.reason = DT_REASON_NO_PROOF_OF_POSSESSION;
        count = 0;
    }
    for (size_t i = 0; i < count && i < DT_TRUST_ALTERNATIVES_MAX; i++) {
        if (best.reach != REACH_HOLDS && alternative_is_sound(c->device_trust.trusted_when[i]))
            attempt_all_devices(&j, c->device_trust.trusted_when[i], proved, &best);
    }
    if (best.reach == REACH_HOLDS && attempt_names_enough(&best))
        verdict_trusted(&j, &best, out);
    else
        verdict_other(&j, &best, out);
    if (out->key_id[0] == '\0') {
        char const *key = dt_evidence_proved_key(set);
        memcpy(out->key_id, key, strnlen(key, sizeof(out->key_id) - 1));
    }
    describe_device(&j, out);
}
