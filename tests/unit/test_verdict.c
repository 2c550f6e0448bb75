/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict, against a plain specification that is written another way: over every combination of
 * one piece of evidence per source, and over random sets with contradictions, duplicates, platforms,
 * ages and reasons that do not fit. Then the reasons people are told, case by case. */
#include "core/device/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW DT_DAYS(20000)
#define ALL 0xffU
#define CERT DT_SOURCE_CERTIFICATE
#define SSH DT_SOURCE_SSH_KEY
#define INTUNE DT_SOURCE_INTUNE
#define VPN DT_SOURCE_VPN_CLIENT
#define SSHCERT DT_SOURCE_SSH_CERTIFICATE
#define REGISTRY DT_SOURCE_REGISTRY
#define ROWS 6
#define RANDOM_TRIES 200000

static dt_guid const nobody = {""};
static dt_guid const device_a = {"aaaaaaaa-0000-4000-8000-00000000000a"};
static dt_guid const device_b = {"bbbbbbbb-0000-4000-8000-00000000000b"};
static dt_guid const *const ids[] = {&nobody, &device_a, &device_b};
static dt_source const sources[ROWS] = {CERT, SSH, INTUNE, VPN, SSHCERT, REGISTRY};

static bool is_key(dt_source s)
{
    return s == CERT || s == SSH || s == SSHCERT;
}

static int row_of(dt_source s)
{
    for (int row = 0; row < ROWS; row++) {
        if (sources[row] == s)
            return row;
    }
    return -1;
}

static dt_config make_config(unsigned platforms, size_t count, unsigned const *trusted_when)
{
    dt_config c = {0};

    c.device_trust.platforms = platforms;
    c.device_trust.trusted_when_count = count;
    memcpy(c.device_trust.trusted_when, trusted_when, count * sizeof(*trusted_when));
    c.device_trust.cache_ttl = DT_MINUTES(15);
    c.device_trust.stale_limit = DT_HOURS(24);
    return c;
}

static dt_evidence make(dt_source source, dt_finding finding, dt_assurance assurance,
                        dt_guid const *id)
{
    return (dt_evidence){.source = source,
                         .finding = finding,
                         .assurance = assurance,
                         .device_id = *id,
                         .observed = NOW};
}

/* --- the specification -------------------------------------------------------------------------
 *
 * Facts are gathered in a table: for each source and each device (A, B, and X, which nobody names) a
 * set of letters F, A, U. The verdict is read off the table. */

enum { DEVICE_A, DEVICE_B, DEVICE_X, DEVICES };
enum { F = 1, A = 2, U = 4 };

typedef struct spec {
    unsigned facts[ROWS][DEVICES];
    unsigned platforms[ROWS][DEVICES]; /* told by F */
    bool named[DEVICES];               /* by a proof */
} spec;

static unsigned spec_letter(dt_evidence const *e, dt_config const *c)
{
    bool caveat = e->reason == DT_REASON_STALE || e->reason == DT_REASON_TRUSTED ||
                  e->reason == DT_REASON_NONE ||
                  (e->reason == DT_REASON_IN_GRACE_PERIOD && c->device_trust.trust_in_grace_period);
    bool key = is_key(e->source);
    bool good = e->finding == DT_FINDING_FOR && caveat;

    if (e->finding == DT_FINDING_AGAINST || (e->finding == DT_FINDING_FOR && !caveat))
        return A;
    if (key && e->assurance != DT_PROVED)
        return 0;
    if (good && e->source == INTUNE && NOW - e->observed > c->device_trust.stale_limit)
        return U;
    return good ? F : U;
}

static void spec_gather(spec *s, dt_evidence_set const *set, dt_config const *c)
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < set->count; i++) {
        dt_evidence const *e = &set->items[i];
        unsigned letter = spec_letter(e, c);
        int row = row_of(e->source);
        bool is_a = strcmp(e->device_id.text, device_a.text) == 0;
        bool is_b = strcmp(e->device_id.text, device_b.text) == 0;
        if (is_key(e->source) && e->assurance == DT_PROVED) {
            s->named[DEVICE_A] = s->named[DEVICE_A] || is_a;
            s->named[DEVICE_B] = s->named[DEVICE_B] || is_b;
        }
        if (is_a || is_b) {
            s->facts[row][is_a ? DEVICE_A : DEVICE_B] |= letter;
            if (letter == F)
                s->platforms[row][is_a ? DEVICE_A : DEVICE_B] |= e->platform;
        } else if (letter != F) {
            for (int d = 0; d < DEVICES; d++)
                s->facts[row][d] |= letter;
        }
    }
    for (int d = 0; d < DEVICES; d++) {
        if (s->facts[row_of(INTUNE)][d] == 0)
            s->facts[row_of(INTUNE)][d] = U;
        if (s->facts[row_of(REGISTRY)][d] == 0)
            s->facts[row_of(REGISTRY)][d] = U;
    }
}

/* One alternative for one device: 2 holds, 1 could, 0 does not. */
static int spec_alternative(spec const *s, dt_config const *c, unsigned set, int device)
{
    int holds = 2;
    unsigned told = 0;

    for (int row = 0; row < ROWS; row++) {
        if ((set & sources[row]) == 0)
            continue;
        told |= s->platforms[row][device];
        if ((s->facts[row][device] & A) != 0 || s->facts[row][device] == 0)
            return 0;
        if ((s->facts[row][device] & F) == 0)
            holds = 1;
    }
    if ((told | c->device_trust.platforms) != c->device_trust.platforms)
        return 0;
    if (told == 0 && c->device_trust.platforms != ALL && holds == 2)
        return 0;
    return c->device_trust.platforms == 0 ? 0 : holds;
}

static dt_trust spec_judge(dt_evidence_set const *set, dt_config const *c)
{
    spec s;
    int best = 0;

    spec_gather(&s, set, c);
    if (s.named[DEVICE_A] && s.named[DEVICE_B])
        return DT_TRUST_NOT_TRUSTED;
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++) {
        for (int d = 0; d < DEVICES; d++) {
            bool other = (s.named[DEVICE_A] || s.named[DEVICE_B]) && !s.named[d];
            int reach = other ? 0 : spec_alternative(&s, c, c->device_trust.trusted_when[i], d);
            best = reach > best ? reach : best;
        }
    }
    return best == 2 ? DT_TRUST_TRUSTED : best == 1 ? DT_TRUST_UNKNOWN : DT_TRUST_NOT_TRUSTED;
}

/* --- comparison ------------------------------------------------------------------------------- */

static void print_set(dt_evidence_set const *set)
{
    for (size_t i = 0; i < set->count; i++)
        print_error("  %s finding=%d proved=%d id=%.1s reason=%s platform=%x age=%lld\n",
                    dt_source_name(set->items[i].source), set->items[i].finding,
                    set->items[i].assurance, set->items[i].device_id.text,
                    dt_reason_name(set->items[i].reason), (unsigned)set->items[i].platform,
                    (long long)(NOW - set->items[i].observed));
}

/* What must hold of any verdict, whatever the evidence. */
static void check_sound(dt_evidence_set const *set, dt_config const *c, dt_verdict const *v)
{
    bool listed = false;

    assert_int_not_equal(v->reason, DT_REASON_NONE);
    if (v->trust != DT_TRUST_TRUSTED) {
        assert_int_equal(v->sources, 0);
        assert_int_not_equal(v->reason, DT_REASON_TRUSTED);
        return;
    }
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++)
        listed = listed || c->device_trust.trusted_when[i] == v->sources;
    assert_true(listed);
    assert_true(dt_guid_is_set(&v->device_id));
    assert_true(v->reason == DT_REASON_TRUSTED || v->reason == DT_REASON_STALE ||
                v->reason == DT_REASON_IN_GRACE_PERIOD);
    for (int row = 0; row < ROWS; row++) {
        bool there = (v->sources & sources[row]) == 0;
        for (size_t i = 0; i < set->count; i++) {
            dt_evidence const *e = &set->items[i];
            there = there || (e->source == sources[row] && e->finding == DT_FINDING_FOR &&
                              dt_guid_equal(&e->device_id, &v->device_id) &&
                              (!is_key(sources[row]) || e->assurance == DT_PROVED));
        }
        assert_true(there);
    }
}

static void compare(dt_evidence_set const *set, dt_config const *c)
{
    dt_verdict v;
    dt_trust wanted = spec_judge(set, c);

    dt_verdict_judge(set, c, NOW, &v);
    if (v.trust != wanted) {
        print_set(set);
        for (size_t i = 0; i < c->device_trust.trusted_when_count; i++)
            print_error("  trusted_when %x\n", c->device_trust.trusted_when[i]);
        fail_msg("wanted %s, got %s, %s", dt_trust_name(wanted), dt_trust_name(v.trust),
                 dt_reason_name(v.reason));
    }
    check_sound(set, c, &v);
}

/* Nothing, or a finding of each kind, proved or not, about nobody, A or B: 19 states. */
#define STATES 19
static void add_state(dt_evidence_set *set, dt_source source, int state)
{
    dt_evidence e;

    if (state == 0)
        return;
    state--;
    e = make(source, (dt_finding)(state % 3), (dt_assurance)(state / 3 % 2), ids[state / 6]);
    assert_int_equal(dt_evidence_add(set, &e), DT_OK);
}

static void every_combination(void **state)
{
    static struct {
        size_t count;
        unsigned sets[4];
    } const configs[] = {
        {2, {CERT | INTUNE, SSH | INTUNE}},
        {3, {CERT, SSH | INTUNE, VPN | INTUNE}},
        {2, {CERT | SSH | INTUNE | VPN, VPN}},
        {3, {CERT | SSH, CERT | VPN, SSH | VPN}},
        {1, {CERT | INTUNE}},
    };

    (void)state;
    for (size_t n = 0; n < sizeof(configs) / sizeof(configs[0]); n++) {
        dt_config c = make_config(ALL, configs[n].count, configs[n].sets);
        for (int i = 0; i < STATES * STATES * STATES * STATES; i++) {
            dt_evidence_set set;
            set.count = 0;
            add_state(&set, CERT, i % STATES);
            add_state(&set, SSH, i / STATES % STATES);
            add_state(&set, INTUNE, i / STATES / STATES % STATES);
            add_state(&set, VPN, i / STATES / STATES / STATES);
            compare(&set, &c);
        }
    }
}

/* xorshift32: the same numbers in every run. */
static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static dt_evidence random_evidence(uint32_t *x)
{
    static dt_reason const reasons[] = {DT_REASON_NONE,          DT_REASON_TRUSTED,
                                        DT_REASON_STALE,         DT_REASON_IN_GRACE_PERIOD,
                                        DT_REASON_NOT_COMPLIANT, DT_REASON_NONE};
    static dt_platform const platforms[] = {0, 0, DT_PLATFORM_LINUX, DT_PLATFORM_ANDROID};
    static dt_time const ages[] = {0, 0, 0, DT_HOURS(24), DT_HOURS(24) + 1, -DT_HOURS(1)};
    /* Mostly good evidence about A, so that much of it comes near to TRUSTED. */
    static dt_finding const findings[] = {DT_FINDING_FOR, DT_FINDING_FOR, DT_FINDING_FOR,
                                          DT_FINDING_UNKNOWN, DT_FINDING_AGAINST};
    dt_evidence e = make(sources[next_random(x) % ROWS], findings[next_random(x) % 5],
                         next_random(x) % 5 == 0 ? DT_ASSERTED : DT_PROVED,
                         next_random(x) % 8 == 0 ? &device_b : &device_a);

    if (next_random(x) % 10 == 0)
        e.device_id = nobody;
    if (next_random(x) % 3 == 0)
        e.reason = reasons[next_random(x) % 6];
    e.platform = platforms[next_random(x) % 4];
    e.observed = NOW - ages[next_random(x) % 6];
    return e;
}

static dt_config random_config(uint32_t *x)
{
    static unsigned const alternatives[] = {CERT,
                                            SSH,
                                            VPN,
                                            CERT | INTUNE,
                                            SSH | INTUNE,
                                            VPN | INTUNE,
                                            CERT | VPN,
                                            CERT | SSH,
                                            CERT | SSH | INTUNE,
                                            SSHCERT,
                                            SSH | REGISTRY,
                                            SSHCERT | REGISTRY,
                                            CERT | REGISTRY | INTUNE,
                                            SSHCERT | INTUNE};
    static unsigned const platforms[] = {
        ALL, ALL, DT_PLATFORM_LINUX, DT_PLATFORM_LINUX | DT_PLATFORM_ANDROID, DT_PLATFORM_WINDOWS,
        0};
    unsigned sets[3];
    size_t count = 1 + next_random(x) % 3;
    dt_config c;

    for (size_t i = 0; i < count; i++)
        sets[i] = alternatives[next_random(x) % (sizeof(alternatives) / sizeof(alternatives[0]))];
    c = make_config(platforms[next_random(x) % 6], count, sets);
    c.device_trust.trust_in_grace_period = next_random(x) % 2 == 0;
    return c;
}

static dt_trust trust_of(dt_evidence_set const *set, dt_config const *c)
{
    dt_verdict v;

    dt_verdict_judge(set, c, NOW, &v);
    return v.trust;
}

static void random_sets(void **state)
{
    uint32_t x = 2463534242U;
    int seen[3] = {0};

    (void)state;
    for (int n = 0; n < RANDOM_TRIES; n++) {
        dt_config c = random_config(&x);
        dt_evidence_set set;
        dt_evidence_set turned;
        dt_trust trust;
        size_t count = next_random(&x) % 7;
        set.count = 0;
        for (size_t i = 0; i < count; i++) {
            dt_evidence e = random_evidence(&x);
            assert_int_equal(dt_evidence_add(&set, &e), DT_OK);
        }
        compare(&set, &c);
        trust = trust_of(&set, &c);
        seen[trust]++;
        /* The order does not matter. */
        turned.count = 0;
        for (size_t i = count; i > 0; i--)
            assert_int_equal(dt_evidence_add(&turned, &set.items[i - 1]), DT_OK);
        assert_int_equal(trust_of(&turned, &c), trust);
        /* Nobody becomes trusted by what somebody merely says against them. */
        dt_evidence against = make(sources[next_random(&x) % ROWS], DT_FINDING_AGAINST, DT_ASSERTED,
                                   ids[next_random(&x) % 3]);
        assert_int_equal(dt_evidence_add(&turned, &against), DT_OK);
        if (trust != DT_TRUST_TRUSTED)
            assert_int_not_equal(trust_of(&turned, &c), DT_TRUST_TRUSTED);
        /* Without a proof nothing holds that needs one. */
        for (size_t i = 0; i < turned.count; i++)
            turned.items[i].assurance = DT_ASSERTED;
        dt_verdict v;
        dt_verdict_judge(&turned, &c, NOW, &v);
        assert_int_equal(v.sources & (CERT | SSH | SSHCERT), 0);
        assert_string_equal(v.key_id, "");
    }
    /* The tries are worth something: each verdict came up often. */
    for (int i = 0; i < 3; i++)
        assert_true(seen[i] > RANDOM_TRIES / 50);
}

/* --- reasons, case by case -------------------------------------------------------------------- */

#define GOOD(src)                                                                                  \
    {                                                                                              \
        .source = src, .finding = DT_FINDING_FOR, .assurance = DT_PROVED,                          \
        .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}, .observed = NOW                     \
    }
#define BAD(src, why)                                                                              \
    {                                                                                              \
        .source = src, .finding = DT_FINDING_AGAINST, .reason = why,                               \
        .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}, .observed = NOW                     \
    }
#define DOWN(src)                                                                                  \
    {                                                                                              \
        .source = src, .finding = DT_FINDING_UNKNOWN, .reason = DT_REASON_LOOKUP_UNAVAILABLE,      \
        .assurance = DT_PROVED, .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"},             \
        .observed = NOW                                                                            \
    }

static unsigned const when_usual[] = {CERT | INTUNE, SSH | INTUNE};
static unsigned const when_vpn[] = {CERT | INTUNE, VPN | INTUNE};
static unsigned const when_none[] = {0};
static unsigned const when_alone[] = {INTUNE, 0, 1U << 30, CERT | 1U << 30};
static unsigned const when_registry[] = {SSH | REGISTRY, CERT | REGISTRY, SSHCERT | REGISTRY};
static unsigned const when_listed[] = {REGISTRY, VPN | REGISTRY, INTUNE | REGISTRY};
static unsigned const when_ssh_certificate[] = {SSHCERT | INTUNE, SSHCERT};
static struct {
    char const *name;
    unsigned const *sets;
    size_t set_count;
    unsigned platforms;
    dt_evidence items[3];
    dt_trust trust;
    dt_reason reason;
} const cases[] = {
    {"nothing", when_usual, 2, ALL, {{0}}, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE},
    {"nothing, and nothing would do",
     when_none,
     0,
     ALL,
     {{0}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"an empty alternative",
     when_none,
     1,
     ALL,
     {GOOD(CERT), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"alternatives that cannot be",
     when_alone,
     4,
     ALL,
     {GOOD(CERT), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"certificate and Intune",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), GOOD(INTUNE)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"a proved key, and the device on the list",
     when_registry,
     3,
     ALL,
     {GOOD(SSH), GOOD(REGISTRY)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"an SSH certificate, and the device on the list",
     when_registry,
     3,
     ALL,
     {GOOD(SSHCERT), GOOD(REGISTRY)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"the device is not on the list",
     when_registry,
     3,
     ALL,
     {GOOD(SSH), BAD(REGISTRY, DT_REASON_NOT_ENROLLED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_ENROLLED},
    {"the list cannot be read",
     when_registry,
     3,
     ALL,
     {GOOD(CERT), DOWN(REGISTRY)},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"the list was not asked",
     when_registry,
     3,
     ALL,
     {GOOD(CERT)},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"on the list, and nothing proved",
     when_registry,
     3,
     ALL,
     {GOOD(REGISTRY)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"on the list is never enough without a key, whatever is configured",
     when_listed,
     3,
     ALL,
     {GOOD(VPN), GOOD(REGISTRY), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"an SSH certificate alone",
     when_ssh_certificate,
     2,
     ALL,
     {GOOD(SSHCERT)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"an SSH certificate of a stranger",
     when_ssh_certificate,
     2,
     ALL,
     {BAD(SSHCERT, DT_REASON_UNTRUSTED_ISSUER)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_UNTRUSTED_ISSUER},
    {"an SSH certificate that says not why",
     when_ssh_certificate,
     2,
     ALL,
     {BAD(SSHCERT, DT_REASON_NONE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_INVALID},
    {"a key that must be in hardware",
     when_usual,
     2,
     ALL,
     {BAD(SSH, DT_REASON_KEY_NOT_HARDWARE), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_KEY_NOT_HARDWARE},
    {"key and Intune",
     when_usual,
     2,
     ALL,
     {GOOD(SSH), GOOD(INTUNE)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"not compliant",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), BAD(INTUNE, DT_REASON_NOT_COMPLIANT)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_COMPLIANT},
    {"not enrolled, by key",
     when_usual,
     2,
     ALL,
     {GOOD(SSH), BAD(INTUNE, DT_REASON_NOT_ENROLLED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_ENROLLED},
    {"expired",
     when_usual,
     2,
     ALL,
     {BAD(CERT, DT_REASON_CERTIFICATE_EXPIRED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_EXPIRED},
    {"a foreign CA",
     when_usual,
     2,
     ALL,
     {BAD(CERT, DT_REASON_UNTRUSTED_ISSUER)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_UNTRUSTED_ISSUER},
    {"expired comes before not compliant",
     when_usual,
     2,
     ALL,
     {BAD(INTUNE, DT_REASON_NOT_COMPLIANT), BAD(CERT, DT_REASON_CERTIFICATE_EXPIRED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_EXPIRED},
    {"against without a reason",
     when_usual,
     2,
     ALL,
     {BAD(CERT, DT_REASON_NONE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_INVALID},
    {"against that calls itself trusted",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), BAD(INTUNE, DT_REASON_TRUSTED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_COMPLIANT},
    {"Intune down",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), DOWN(INTUNE)},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"Intune not asked",
     when_usual,
     2,
     ALL,
     {GOOD(CERT)},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"the registry down",
     when_usual,
     2,
     ALL,
     {DOWN(SSH)},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"Intune down, certificate expired",
     when_usual,
     2,
     ALL,
     {BAD(CERT, DT_REASON_CERTIFICATE_EXPIRED), DOWN(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_EXPIRED},
    {"Intune down, nothing shown",
     when_usual,
     2,
     ALL,
     {DOWN(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"a certificate that nobody proved",
     when_usual,
     2,
     ALL,
     {{.source = CERT,
       .finding = DT_FINDING_FOR,
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}},
      GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_PROOF_OF_POSSESSION},
    {"Intune speaks of another device",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .observed = NOW,
       .device_id = {"bbbbbbbb-0000-4000-8000-00000000000b"}}},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"two proved devices",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      GOOD(INTUNE),
      {.source = SSH,
       .finding = DT_FINDING_FOR,
       .assurance = DT_PROVED,
       .device_id = {"bbbbbbbb-0000-4000-8000-00000000000b"}}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_PROOF_OF_POSSESSION},
    {"two proved devices, one of them bad",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      GOOD(INTUNE),
      {.source = CERT,
       .finding = DT_FINDING_AGAINST,
       .assurance = DT_PROVED,
       .device_id = {"bbbbbbbb-0000-4000-8000-00000000000b"}}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_PROOF_OF_POSSESSION},
    {"a claim that no alternative names",
     when_usual,
     2,
     ALL,
     {GOOD(VPN), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NO_CERTIFICATE},
    {"a claim that an alternative names",
     when_vpn,
     2,
     ALL,
     {GOOD(VPN), GOOD(INTUNE)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"a claim about a device that is not compliant",
     when_vpn,
     2,
     ALL,
     {GOOD(VPN), BAD(INTUNE, DT_REASON_NOT_COMPLIANT)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_COMPLIANT},
    {"a claim to another device than the proved one",
     when_vpn,
     2,
     ALL,
     {{.source = CERT,
       .finding = DT_FINDING_AGAINST,
       .assurance = DT_PROVED,
       .reason = DT_REASON_CERTIFICATE_REVOKED,
       .device_id = {"bbbbbbbb-0000-4000-8000-00000000000b"}},
      GOOD(VPN),
      GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_CERTIFICATE_REVOKED},
    {"against wins over for",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), GOOD(INTUNE), BAD(INTUNE, DT_REASON_NOT_MANAGED)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_NOT_MANAGED},
    {"for wins over unknown",
     when_usual,
     2,
     ALL,
     {GOOD(CERT), DOWN(INTUNE), GOOD(INTUNE)},
     DT_TRUST_TRUSTED,
     DT_REASON_TRUSTED},
    {"an unknown platform, some enabled",
     when_usual,
     2,
     DT_PLATFORM_LINUX,
     {GOOD(CERT), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_PLATFORM_NOT_ENABLED},
    {"no platform enabled at all",
     when_usual,
     2,
     0,
     {GOOD(CERT), GOOD(INTUNE)},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_PLATFORM_NOT_ENABLED},
    {"a platform that is not enabled",
     when_usual,
     2,
     DT_PLATFORM_LINUX,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .observed = NOW,
       .platform = DT_PLATFORM_WINDOWS,
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_PLATFORM_NOT_ENABLED},
    {"a platform that is not one",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .observed = NOW,
       .platform = (dt_platform)0x100,
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_PLATFORM_NOT_ENABLED},
    {"stale",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .reason = DT_REASON_STALE,
       .observed = NOW - DT_HOURS(24),
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}}},
     DT_TRUST_TRUSTED,
     DT_REASON_STALE},
    {"too stale",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .reason = DT_REASON_STALE,
       .observed = NOW - DT_HOURS(24) - 1,
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}}},
     DT_TRUST_UNKNOWN,
     DT_REASON_LOOKUP_UNAVAILABLE},
    {"in grace, which is not allowed",
     when_usual,
     2,
     ALL,
     {GOOD(CERT),
      {.source = INTUNE,
       .finding = DT_FINDING_FOR,
       .observed = NOW,
       .reason = DT_REASON_IN_GRACE_PERIOD,
       .device_id = {"aaaaaaaa-0000-4000-8000-00000000000a"}}},
     DT_TRUST_NOT_TRUSTED,
     DT_REASON_IN_GRACE_PERIOD},
};

static void reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_config c = make_config(cases[i].platforms, cases[i].set_count, cases[i].sets);
        dt_evidence_set set;
        dt_verdict v;
        set.count = 0;
        for (size_t k = 0; k < 3 && cases[i].items[k].source != DT_SOURCE_NONE; k++)
            assert_int_equal(dt_evidence_add(&set, &cases[i].items[k]), DT_OK);
        dt_verdict_judge(&set, &c, NOW, &v);
        if (v.trust != cases[i].trust || v.reason != cases[i].reason)
            fail_msg("%s: got %s, %s", cases[i].name, dt_trust_name(v.trust),
                     dt_reason_name(v.reason));
    }
}

static void grace_is_told(void **state)
{
    static unsigned const sets[] = {CERT | INTUNE};
    dt_config c = make_config(ALL, 1, sets);
    dt_evidence_set set = {.items = {GOOD(CERT), GOOD(INTUNE)}, .count = 2};
    dt_verdict v;

    (void)state;
    c.device_trust.trust_in_grace_period = true;
    set.items[1].reason = DT_REASON_IN_GRACE_PERIOD;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_TRUSTED);
    assert_int_equal(v.reason, DT_REASON_IN_GRACE_PERIOD);
    /* Of two caveats the one about the device is told, not the one about the look-up. */
    set.items[0].reason = DT_REASON_IN_GRACE_PERIOD;
    set.items[1].reason = DT_REASON_STALE;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_TRUSTED);
    assert_int_equal(v.reason, DT_REASON_IN_GRACE_PERIOD);
}

/* What else a verdict says: which device, by which key, how old. */
static void details(void **state)
{
    static unsigned const sets[] = {CERT | INTUNE, SSH | INTUNE};
    dt_config c = make_config(ALL, 2, sets);
    dt_evidence_set set = {.items = {GOOD(CERT), GOOD(INTUNE)}, .count = 2};
    dt_verdict v;

    (void)state;
    memset(set.items[0].key_id, 'c', 64);
    strcpy(set.items[0].device_name, "by certificate");
    set.items[0].platform = DT_PLATFORM_OTHER_DESKTOP;
    strcpy(set.items[1].device_name, "LAPTOP-7");
    set.items[1].platform = DT_PLATFORM_LINUX;
    set.items[1].observed = NOW - 1234;
    memset(set.items[1].key_id, 'i', 64);
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_TRUSTED);
    assert_int_equal(v.sources, CERT | INTUNE);
    assert_true(dt_guid_equal(&v.device_id, &device_a));
    assert_string_equal(v.device_name, "LAPTOP-7");
    assert_int_equal(v.platform, DT_PLATFORM_LINUX);
    assert_int_equal(v.oldest, NOW - 1234);
    assert_int_equal(strlen(v.key_id), 64);
    assert_int_equal(v.key_id[0], 'c');

    set.items[1].finding = DT_FINDING_AGAINST;
    set.items[1].reason = DT_REASON_NOT_COMPLIANT;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_NOT_TRUSTED);
    assert_true(dt_guid_equal(&v.device_id, &device_a));
    assert_string_equal(v.device_name, "LAPTOP-7");
    assert_int_equal(v.key_id[0], 'c');

    /* Nor does a claim that was refuted name the device. */
    memset(set.items[0].device_name, 0, sizeof(set.items[0].device_name));
    set.items[1].source = VPN;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_true(dt_guid_equal(&v.device_id, &device_a));
    assert_string_equal(v.device_name, "");

    /* A certificate that is not good gets no device into the verdict. */
    set.count = 1;
    set.items[0].finding = DT_FINDING_AGAINST;
    set.items[0].reason = DT_REASON_UNTRUSTED_ISSUER;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_false(dt_guid_is_set(&v.device_id));
    assert_string_equal(v.device_name, "");
}

/* Names and keys without their final NUL stay within their fields. */
static void unterminated_fields(void **state)
{
    static unsigned const sets[] = {CERT};
    dt_config c = make_config(ALL, 1, sets);
    dt_evidence_set set = {.items = {GOOD(CERT)}, .count = 1};
    dt_verdict v;

    (void)state;
    memset(set.items[0].device_name, 'n', sizeof(set.items[0].device_name));
    memset(set.items[0].key_id, 'k', sizeof(set.items[0].key_id));
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_TRUSTED);
    assert_int_equal(strlen(v.device_name), sizeof(v.device_name) - 1);
    assert_int_equal(strlen(v.key_id), sizeof(v.key_id) - 1);
}

/* --- the set ---------------------------------------------------------------------------------- */

static void set_is_bounded(void **state)
{
    static unsigned const sets[] = {CERT};
    dt_config c = make_config(ALL, 1, sets);
    dt_evidence_set set = {0};
    dt_evidence e = GOOD(CERT);
    dt_verdict v;

    (void)state;
    for (int i = 0; i < DT_EVIDENCE_MAX; i++)
        assert_int_equal(dt_evidence_add(&set, &e), DT_OK);
    assert_int_equal(dt_evidence_add(&set, &e), DT_E_LIMIT);
    assert_int_equal(set.count, DT_EVIDENCE_MAX);
    set.count = SIZE_MAX;
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_TRUSTED);
    c.device_trust.trusted_when_count = SIZE_MAX;
    memset(&set, 0, sizeof(set));
    dt_verdict_judge(&set, &c, NOW, &v);
    assert_int_equal(v.trust, DT_TRUST_NOT_TRUSTED);
}

static void device_to_look_up(void **state)
{
    static unsigned const with_vpn[] = {CERT | INTUNE, VPN | INTUNE};
    static unsigned const without[] = {CERT | INTUNE};
    dt_config c = make_config(ALL, 2, with_vpn);
    dt_config strict = make_config(ALL, 1, without);
    dt_evidence_set set = {0};
    dt_evidence claim = make(VPN, DT_FINDING_FOR, DT_ASSERTED, &device_b);
    dt_evidence shown = make(CERT, DT_FINDING_FOR, DT_ASSERTED, &device_b);
    dt_evidence proved = make(CERT, DT_FINDING_FOR, DT_PROVED, &device_a);
    dt_evidence other = make(SSH, DT_FINDING_FOR, DT_PROVED, &device_b);
    dt_evidence bad = make(CERT, DT_FINDING_AGAINST, DT_PROVED, &device_a);

    (void)state;
    assert_null(dt_evidence_device_id(&set, &c));
    assert_int_equal(dt_evidence_add(&set, &shown), DT_OK);
    assert_null(dt_evidence_device_id(&set, &c));
    assert_int_equal(dt_evidence_add(&set, &claim), DT_OK);
    assert_true(dt_guid_equal(dt_evidence_device_id(&set, &c), &device_b));
    assert_null(dt_evidence_device_id(&set, &strict));
    assert_int_equal(dt_evidence_add(&set, &proved), DT_OK);
    assert_true(dt_guid_equal(dt_evidence_device_id(&set, &c), &device_a));
    assert_int_equal(dt_evidence_add(&set, &other), DT_OK);
    assert_null(dt_evidence_device_id(&set, &c));
    /* Whoever proves a key of a bad certificate does not get another device looked up. */
    set.count = 0;
    assert_int_equal(dt_evidence_add(&set, &bad), DT_OK);
    assert_null(dt_evidence_device_id(&set, &c));
    assert_int_equal(dt_evidence_add(&set, &claim), DT_OK);
    assert_null(dt_evidence_device_id(&set, &c));
}

static void key_that_was_proved(void **state)
{
    dt_evidence_set set = {0};
    dt_evidence shown = make(CERT, DT_FINDING_FOR, DT_ASSERTED, &device_a);
    dt_evidence lookup = make(INTUNE, DT_FINDING_FOR, DT_PROVED, &device_a);
    dt_evidence bare = make(SSH, DT_FINDING_FOR, DT_PROVED, &device_a);
    dt_evidence proved = make(SSH, DT_FINDING_FOR, DT_PROVED, &device_a);
    dt_evidence other = make(CERT, DT_FINDING_FOR, DT_PROVED, &device_b);

    (void)state;
    strcpy(shown.key_id, "shown");
    strcpy(lookup.key_id, "lookup");
    strcpy(proved.key_id, "proved");
    assert_string_equal(dt_evidence_proved_key(&set), "");
    assert_int_equal(dt_evidence_add(&set, &shown), DT_OK);
    assert_int_equal(dt_evidence_add(&set, &lookup), DT_OK);
    assert_int_equal(dt_evidence_add(&set, &bare), DT_OK);
    assert_string_equal(dt_evidence_proved_key(&set), "");
    assert_int_equal(dt_evidence_add(&set, &proved), DT_OK);
    assert_string_equal(dt_evidence_proved_key(&set), "proved");
    assert_int_equal(dt_evidence_add(&set, &other), DT_OK);
    assert_string_equal(dt_evidence_proved_key(&set), "");
}

static void names(void **state)
{
    (void)state;
    for (int i = 0; i < DT_REASON_COUNT; i++) {
        assert_true(i == 0 || strcmp(dt_reason_name((dt_reason)i), "NONE") != 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(dt_reason_name((dt_reason)i), dt_reason_name((dt_reason)k));
    }
    assert_string_equal(dt_reason_name(DT_REASON_NO_CERTIFICATE), "NO_CERTIFICATE");
    assert_string_equal(dt_reason_name(DT_REASON_COUNT), "NONE");
    assert_string_equal(dt_reason_name((dt_reason)-1), "NONE");
    assert_string_equal(dt_trust_name(DT_TRUST_TRUSTED), "TRUSTED");
    assert_string_equal(dt_trust_name(DT_TRUST_NOT_TRUSTED), "NOT_TRUSTED");
    assert_string_equal(dt_trust_name(DT_TRUST_UNKNOWN), "UNKNOWN");
    assert_string_equal(dt_trust_name((dt_trust)77), "UNKNOWN");
}

/* What this host says of itself speaks for a device only when that device's key was used here: a
 * certificate that is only shown does not make this host that device. */
static void a_shown_certificate_is_not_this_host(void **state)
{
    unsigned const when[] = {DT_SOURCE_MANAGEMENT_HINT | INTUNE};
    dt_config c = make_config(DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE, 1, when);
    dt_assurance const assurances[] = {DT_ASSERTED, DT_PROVED};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dt_evidence_set set = {0};
        dt_verdict v;
        dt_evidence certificate = make(CERT, DT_FINDING_FOR, assurances[i], &device_a);
        dt_evidence hint = make(DT_SOURCE_MANAGEMENT_HINT, DT_FINDING_FOR, DT_PROVED, &nobody);
        dt_evidence answer = make(INTUNE, DT_FINDING_FOR, DT_ASSERTED, &device_a);
        assert_int_equal(dt_evidence_add(&set, &certificate), DT_OK);
        assert_int_equal(dt_evidence_add(&set, &hint), DT_OK);
        assert_int_equal(dt_evidence_add(&set, &answer), DT_OK);
        dt_verdict_judge(&set, &c, NOW, &v);
        assert_int_equal(v.trust == DT_TRUST_TRUSTED, assurances[i] == DT_PROVED);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(every_combination),
        cmocka_unit_test(random_sets),
        cmocka_unit_test(reasons),
        cmocka_unit_test(grace_is_told),
        cmocka_unit_test(details),
        cmocka_unit_test(unterminated_fields),
        cmocka_unit_test(set_is_bounded),
        cmocka_unit_test(device_to_look_up),
        cmocka_unit_test(key_that_was_proved),
        cmocka_unit_test(names),
        cmocka_unit_test(a_shown_certificate_is_not_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
