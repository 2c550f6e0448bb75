/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a decision costs, and how that grows with the rules and with the networks of the zones.
 *
 *     policy_decide decide ROUNDS FEW_NETWORKS MANY_NETWORKS FEW_RULES MANY_RULES
 *
 * prints for each round the nanoseconds of one decision with a policy of ten rules; with the few and with
 * the many networks; and of one rule of a policy with the few and with the many rules.
 *
 *     policy_decide load NETWORKS RULES
 *
 * prints the milliseconds that zones and a policy of such sizes take to load, from text in memory, and the
 * megabytes that they keep and that loading took at most. */
#include "core/policy/policy.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ZONES 50
#define DECISIONS 20000 /* of one measurement; fewer where rules are many */
#define RULE_VISITS 20000000
#define ADDRESSES 8192
#define TYPICAL_RULES 10

/* A text that grows; bench code dies where the product returns an error. */
typedef struct text {
    char *at;
    size_t length, room;
} text;

typedef struct loaded {
    dt_zones *zones;
    dt_policy *policy;
    long rules;
} loaded;

static void fail(char const *what, char const *why)
{
    (void)fprintf(stderr, "policy_decide: %s: %s\n", what, why);
    exit(1);
}

__attribute__((format(printf, 2, 3))) static void put(text *t, char const *format, ...)
{
    va_list args;

    if (t->room - t->length < 1024) {
        t->room = t->room * 2 + 4096;
        t->at = realloc(t->at, t->room);
        if (t->at == NULL)
            fail("text", "no memory");
    }
    va_start(args, format);
    t->length += (size_t)vsnprintf(t->at + t->length, t->room - t->length, format, args);
    va_end(args);
}

/* The same spread of numbers in every run (Knuth's multiplicative hash). */
static unsigned spread(long i)
{
    return (unsigned)((unsigned long)i * 2654435761UL & 0xffffffffUL);
}

/* Network i: a /28 somewhere in the address space, or a /56. */
static void put_network(text *t, long i)
{
    unsigned n = spread(i);

    if (i % 4 == 3)
        put(t, "{\"type\":\"CIDR\",\"value\":\"2001:db8:%x:%x00::/56\"}", n >> 16, n >> 8 & 0xff);
    else
        put(t, "{\"type\":\"CIDR\",\"value\":\"%u.%u.%u.%u/28\"}", n >> 24, n >> 16 & 0xff,
            n >> 8 & 0xff, n & 0xf0);
}

static text zones_text(long networks)
{
    text t = {0};

    put(&t, "{\"zones\":[");
    for (long z = 0; z < ZONES; z++) {
        put(&t, "%s{\"name\":\"Zone %ld\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":[",
            z > 0 ? "," : "", z);
        for (long i = z; i < networks; i += ZONES) {
            put(&t, "%s", i >= ZONES ? "," : "");
            put_network(&t, i);
        }
        put(&t, "]}");
    }
    put(&t, "]}");
    return t;
}

/* None of these holds for whom we ask about, each for another reason. */
static void put_condition(text *t, long i)
{
    switch (i % 5) {
    case 0:
        put(t, "{\"people\":{\"users\":{\"include\":[\"user%ld@example.com\"]}}}", i);
        break;
    case 1:
        put(t,
            "{\"people\":{\"groups\":{\"include\":[\"Group %ld\"]}},"
            "\"device\":{\"trust\":\"TRUSTED\"}}",
            i);
        break;
    case 2:
        put(t,
            "{\"network\":{\"connection\":\"ZONE\",\"include\":[\"Zone %ld\"]},"
            "\"device\":{\"trust\":\"NOT_TRUSTED\"}}",
            i % ZONES);
        break;
    case 3:
        put(t, "{\"platform\":{\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"IOS\"}}]}}");
        break;
    default:
        put(t,
            "{\"network\":{\"connection\":\"ZONE\",\"include\":[\"Zone %ld\"]},"
            "\"people\":{\"users\":{\"include\":[\"visitor%ld@example.com\"]}}}",
            i % ZONES, i);
    }
}

static text policy_text(long rules)
{
    text t = {0};

    put(&t, "{\"name\":\"Bench\",\"application\":\"vpn\",\"rules\":[");
    for (long i = 0; i < rules - 1; i++) {
        put(&t, "{\"name\":\"Rule %ld\",\"priority\":%ld,\"status\":\"ACTIVE\",\"conditions\":", i,
            i);
        put_condition(&t, i);
        put(&t, ",\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}},");
    }
    put(&t,
        "{\"name\":\"Catch-all\",\"priority\":%ld,\"status\":\"ACTIVE\",\"conditions\":null,"
        "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}}]}",
        rules);
    return t;
}

static dt_json *parse(text *t)
{
    dt_json *root;
    dt_error e = {0};

    if (dt_json_parse((dt_bytes){(uint8_t const *)t->at, t->length}, &root, &e) < 0)
        fail("JSON", e.text);
    return root;
}

static void load_zones(text *t, loaded *l)
{
    dt_error e = {0};
    dt_json_source source = {.file = "zones.json",
                             .text = dt_bytes_of((uint8_t const *)t->at, t->length)};

    if (dt_zones_parse_text(&source, &l->zones, &e) < 0)
        fail("zones", e.text);
}

static void load_policy(text *t, loaded *l)
{
    dt_error e = {0};
    dt_json *root = parse(t);

    if (dt_policy_parse(root, "vpn.json", l->zones, &l->policy, &e) < 0)
        fail("policy", e.text);
    dt_json_free(&root);
}

static loaded load(long networks, long rules)
{
    loaded l = {.rules = rules};
    text zones = zones_text(networks), policy = policy_text(rules);

    load_zones(&zones, &l);
    load_policy(&policy, &l);
    free(zones.at);
    free(policy.at);
    return l;
}

static void unload(loaded *l)
{
    dt_policy_free(&l->policy);
    dt_zones_free(&l->zones);
}

/* Where people come from: addresses of networks and addresses of none, in turns. */
static void addresses(dt_ip *out)
{
    for (long i = 0; i < ADDRESSES; i++) {
        char s[64];
        unsigned n = spread(i * 97);

        if (i % 2 == 0)
            n += 0x9e3779b9;
        if (i % 4 == 3)
            (void)snprintf(s, sizeof(s), "2001:db8:%x:%x00::1", n >> 16, n >> 8 & 0xff);
        else
            (void)snprintf(s, sizeof(s), "%u.%u.%u.%u", n >> 24, n >> 16 & 0xff, n >> 8 & 0xff,
                           (n & 0xff) | 1);
        if (dt_ip_parse(s, &out[i]) < 0)
            fail(s, "no address");
    }
}

static double now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds of one decision. */
static double decide_ns(loaded const *l, dt_ip const *ips, long decisions)
{
    static char const *const groups[] = {"Everyone", "Staff", "Berlin"};
    dt_policy_input in = {.user = "alice",
                          .login = "alice@example.com",
                          .groups = groups,
                          .group_count = 3,
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .platform = DT_PLATFORM_LINUX,
                          .trust = DT_TRUST_TRUSTED};
    double start = now_ns();

    for (long i = 0; i < decisions; i++) {
        dt_decision d;

        in.ip = ips[i % ADDRESSES];
        dt_policy_decide(l->policy, &in, &d);
        if (d.cause != DT_DECISION_RULE || d.access != DT_ACCESS_ALLOW)
            fail("decision", "not that of the catch-all");
    }
    return (now_ns() - start) / (double)decisions;
}

static double rule_ns(loaded const *l, dt_ip const *ips)
{
    return decide_ns(l, ips, RULE_VISITS / 10 / l->rules + 1) / (double)l->rules;
}

static int decide(char **argv)
{
    static dt_ip ips[ADDRESSES];
    loaded few_networks = load(strtol(argv[1], NULL, 10), TYPICAL_RULES);
    loaded many_networks = load(strtol(argv[2], NULL, 10), TYPICAL_RULES);
    loaded few_rules = load(ZONES, strtol(argv[3], NULL, 10));
    loaded many_rules = load(ZONES, strtol(argv[4], NULL, 10));

    addresses(ips);
    for (long i = 0; i < strtol(argv[0], NULL, 10); i++) {
        double typical = decide_ns(&few_rules, ips, DECISIONS);
        double few = decide_ns(&few_networks, ips, DECISIONS);
        double many = decide_ns(&many_networks, ips, DECISIONS);
        double rule_of_few = rule_ns(&few_rules, ips), rule_of_many = rule_ns(&many_rules, ips);

        (void)printf("%.2f %.2f %.2f %.4f %.4f\n", typical, few, many, rule_of_few, rule_of_many);
    }
    unload(&few_networks);
    unload(&many_networks);
    unload(&few_rules);
    unload(&many_rules);
    return 0;
}

static double megabytes_kept(void)
{
    struct mallinfo2 m = mallinfo2();

    return (double)(m.uordblks + m.hblkhd) / 1e6;
}

static int load_once(char **argv)
{
    loaded l = {.rules = strtol(argv[1], NULL, 10)};
    text zones = zones_text(strtol(argv[0], NULL, 10)), policy = policy_text(l.rules);
    double before = megabytes_kept(), start = now_ns();
    struct rusage usage;

    load_zones(&zones, &l);
    load_policy(&policy, &l);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("%.1f %.1f %.1f\n", (now_ns() - start) / 1e6, megabytes_kept() - before,
                 (double)usage.ru_maxrss / 1e3);
    unload(&l);
    free(zones.at);
    free(policy.at);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "decide") == 0)
        return decide(argv + 2);
    if (argc == 4 && strcmp(argv[1], "load") == 0)
        return load_once(argv + 2);
    fail("usage", "see the head of policy_decide.c");
}
