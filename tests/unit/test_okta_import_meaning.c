/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an imported policy means, held against a plain reading of the org's own JSON: over every combination
 * of platform, registration, management, groups (two of one name included), factor and provider nobody gets
 * more than the org gives, and who gets less does so by a rule that the import has named. The reading knows
 * nothing of the product: it is jansson and Okta's words. */
#include "devtrustctl/policy/okta_import.h"
#include "core/policy/policy.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SEED 20261130
#define ROUNDS 9000
#define ASKED_AT_LEAST 1000000
#define RULES_MAX 6
#define TEXT_MAX (64 * 1024)

/* --- who asks ------------------------------------------------------------------------------------ */

static struct {
    char const *type,
        *os; /* as Okta calls it: what its console shows as "Other desktop" has Linux in it */
    dt_platform ours;
} const platforms[] = {
    {"DESKTOP", "WINDOWS", DT_PLATFORM_WINDOWS},
    {"DESKTOP", "MACOS", DT_PLATFORM_MACOS},
    {"DESKTOP", "OTHER", DT_PLATFORM_LINUX},
    {"DESKTOP", "CHROMEOS", DT_PLATFORM_CHROMEOS},
    {"MOBILE", "IOS", DT_PLATFORM_IOS},
    {"MOBILE", "ANDROID", DT_PLATFORM_ANDROID},
    {"MOBILE", "OTHER", DT_PLATFORM_OTHER_MOBILE},
};

/* The second was brought by an app and is called like the first. */
static struct {
    char const *id, *type, *name, *ours;
} const groups[] = {
    {"00gStaff", "OKTA_GROUP", "Staff",
     "\x1f"
     "00gStaff"},
    {"00gstaff", "APP_GROUP", "Staff",
     "\x1f"
     "00gstaff"},
    {"00gGuest", "OKTA_GROUP", "Guests",
     "\x1f"
     "00gGuest"},
};

static struct {
    char const *key, *method;
    unsigned ours;
} const factors[] = {
    {"okta_verify", "push", DT_FACTOR_PUSH},      {"okta_verify", "totp", DT_FACTOR_TOTP},
    {"google_otp", "otp", DT_FACTOR_TOTP_GOOGLE}, {"custom_otp", "otp", DT_FACTOR_HOTP},
    {"symantec_vip", "otp", DT_FACTOR_SYMANTEC},  {"rsa_token", "otp", DT_FACTOR_RSA},
    {"yubikey_token", "otp", DT_FACTOR_YUBIKEY},  {"phone_number", "sms", DT_FACTOR_SMS},
    {"phone_number", "voice", DT_FACTOR_CALL},    {"okta_email", "email", DT_FACTOR_EMAIL}};

typedef struct person {
    size_t platform;
    bool registered, managed;
    unsigned in; /* a bit for each of `groups` */
} person;

/* --- the org's side ------------------------------------------------------------------------------ */

static bool says(json_t const *v, char const *member, char const *word)
{
    char const *s = json_string_value(json_object_get(v, member));
    return s != NULL && strcmp(s, word) == 0;
}

static bool org_platform(json_t const *conditions, person const *q)
{
    json_t const *list = json_object_get(json_object_get(conditions, "platform"), "include");
    if (json_array_size(list) == 0)
        return true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t const *one = json_array_get(list, i), *os = json_object_get(one, "os");
        if (says(one, "type", platforms[q->platform].type) &&
            (says(os, "type", "ANY") || says(os, "type", platforms[q->platform].os)))
            return true;
    }
    return false;
}

static bool org_device(json_t const *conditions, person const *q)
{
    json_t const *device = json_object_get(conditions, "device");
    json_t const *registered = json_object_get(device, "registered");
    json_t const *managed = json_object_get(device, "managed");
    return (registered == NULL || json_is_true(registered) == q->registered) &&
           (managed == NULL || json_is_true(managed) == q->managed);
}

static bool is_in_one(json_t const *ids, person const *q)
{
    for (size_t i = 0; i < json_array_size(ids); i++)
        for (size_t k = 0; k < COUNT(groups); k++)
            if ((q->in & 1U << k) != 0 &&
                strcmp(json_string_value(json_array_get(ids, i)), groups[k].id) == 0)
                return true;
    return false;
}

static bool org_people(json_t const *conditions, person const *q)
{
    json_t const *lists = json_object_get(json_object_get(conditions, "people"), "groups");
    json_t const *include = json_object_get(lists, "include");
    return !is_in_one(json_object_get(lists, "exclude"), q) &&
           (json_array_size(include) == 0 || is_in_one(include, q));
}

/* May this factor be the second one? */
static bool org_takes(json_t const *method, size_t factor)
{
    json_t const *constraint = json_array_get(json_object_get(method, "constraints"), 0);
    json_t const *possession = json_object_get(constraint, "possession");
    json_t const *list = json_object_get(possession, "authenticationMethods");
    json_t const *never = json_object_get(possession, "excludedAuthenticationMethods");
    bool listed = json_array_size(list) == 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        listed = listed || (says(json_array_get(list, i), "key", factors[factor].key) &&
                            says(json_array_get(list, i), "method", factors[factor].method));
    for (size_t i = 0; i < json_array_size(never); i++)
        if (says(json_array_get(never, i), "key", factors[factor].key) &&
            says(json_array_get(never, i), "method", factors[factor].method))
            return false;
    return listed;
}

typedef struct gives {
    bool in, one_factor;
    unsigned factors;
    bool a_day; /* else at every sign-on */
    char const *rule;
} gives;

static gives org_gives(json_t const *rules, person const *q)
{
    gives g = {false, false, 0, false, ""};
    for (size_t i = 0; i < json_array_size(rules); i++) {
        json_t const *rule = json_array_get(rules, i);
        json_t const *conditions = json_object_get(rule, "conditions");
        if (!org_platform(conditions, q) || !org_device(conditions, q) ||
            !org_people(conditions, q))
            continue;
        json_t const *action = json_object_get(json_object_get(rule, "actions"), "appSignOn");
        json_t const *method = json_object_get(action, "verificationMethod");
        g.rule = json_string_value(json_object_get(rule, "name"));
        g.in = says(action, "access", "ALLOW");
        g.one_factor = g.in && says(method, "factorMode", "1FA");
        g.a_day = says(method, "reauthenticateIn", "PT24H");
        for (size_t k = 0; g.in && k < COUNT(factors); k++)
            g.factors |= org_takes(method, k) ? factors[k].ours : 0;
        break;
    }
    return g;
}

/* --- ours ---------------------------------------------------------------------------------------- */

static void our_decision(dt_policy const *p, person const *q, dt_decision *d)
{
    char const *mine[2 * COUNT(groups)];
    dt_policy_input in = {.user = "anna",
                          .login = "anna@example.com",
                          .groups = mine,
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .platform = platforms[q->platform].ours,
                          .trust = q->managed ? DT_TRUST_TRUSTED : DT_TRUST_NOT_TRUSTED};

    /* Its name is told, too: it must make no difference. */
    for (size_t k = 0; k < COUNT(groups); k++) {
        if ((q->in & 1U << k) == 0)
            continue;
        mine[in.group_count++] = groups[k].ours;
        mine[in.group_count++] = groups[k].name;
    }
    dt_policy_decide(p, &in, d);
}

static dt_time lifetime_of(dt_decision const *d)
{
    return d->frequency == DT_FREQUENCY_ONLY_ONCE ? DT_TIME_NEVER : d->lifetime;
}

static bool is_more(dt_decision const *d, gives const *g)
{
    if (d->access == DT_ACCESS_DENY)
        return false;
    if (!g->in)
        return true;
    if (g->one_factor)
        return false;
    return d->access != DT_ACCESS_ALLOW_AFTER_MFA || (d->factors & ~g->factors) != 0 ||
           lifetime_of(d) > (g->a_day ? DT_DAYS(1) : 0);
}

static bool is_less(dt_decision const *d, gives const *g)
{
    if (d->access == DT_ACCESS_DENY)
        return g->in && (g->one_factor || g->factors != 0);
    if (g->one_factor)
        return d->access != DT_ACCESS_ALLOW;
    return (g->factors & ~d->factors) != 0 || lifetime_of(d) < (g->a_day ? DT_DAYS(1) : 0);
}

/* --- rules --------------------------------------------------------------------------------------- */

static unsigned random_state;

static unsigned below(unsigned n)
{
    return (unsigned)rand_r(&random_state) % n;
}

static void put_platform(dt_buf *b)
{
    unsigned n = 1 + below(3);
    dt_buf_puts(b, "\"platform\":{\"include\":[");
    for (unsigned i = 0; i < n; i++) {
        size_t k = below(COUNT(platforms));
        dt_buf_printf(b, "%s{\"type\":\"%s\",\"os\":{\"type\":\"%s\"}}", i > 0 ? "," : "",
                      platforms[k].type, below(8) == 0 ? "ANY" : platforms[k].os);
    }
    dt_buf_puts(b, "]},");
}

static void put_ids(dt_buf *b, char const *member, unsigned set)
{
    char const *comma = "";
    dt_buf_printf(b, "\"%s\":[", member);
    for (size_t k = 0; k < COUNT(groups); k++) {
        if ((set & 1U << k) == 0)
            continue;
        dt_buf_printf(b, "%s\"%s\"", comma, groups[k].id);
        comma = ",";
    }
    dt_buf_puts(b, "]");
}

static void put_methods(dt_buf *b, char const *member, unsigned set)
{
    char const *comma = "";
    dt_buf_printf(b, "\"%s\":[", member);
    for (size_t k = 0; k < COUNT(factors); k++) {
        if ((set & 1U << k) == 0)
            continue;
        dt_buf_printf(b, "%s{\"key\":\"%s\",\"method\":\"%s\"}", comma, factors[k].key,
                      factors[k].method);
        comma = ",";
    }
    dt_buf_puts(b, "]");
}

static void put_action(dt_buf *b)
{
    if (below(4) == 0) {
        dt_buf_puts(b, "{\"access\":\"DENY\"}");
        return;
    }
    dt_buf_puts(b, "{\"access\":\"ALLOW\",\"verificationMethod\":{\"type\":\"ASSURANCE\",");
    if (below(4) == 0) {
        dt_buf_puts(b, "\"factorMode\":\"1FA\",\"reauthenticateIn\":\"PT2H\",\"constraints\":[]}}");
        return;
    }
    dt_buf_printf(b, "\"factorMode\":\"2FA\",\"reauthenticateIn\":\"%s\",\"constraints\":[",
                  below(2) == 0 ? "PT0S" : "PT24H");
    if (below(3) != 0) {
        bool never = below(3) == 0;
        dt_buf_puts(b, "{\"possession\":{\"required\":true,");
        put_methods(b, never ? "excludedAuthenticationMethods" : "authenticationMethods",
                    1 + below(never ? 6 : 7));
        dt_buf_puts(b, "}}");
    }
    dt_buf_puts(b, "]}}");
}

static void put_rule(dt_buf *b, int priority)
{
    static char const *const devices[] = {"\"registered\":true,\"managed\":true",
                                          "\"registered\":true", "\"registered\":false",
                                          "\"registered\":true,\"managed\":false"};

    dt_buf_printf(
        b,
        "{\"name\":\"R%d\",\"type\":\"ACCESS_POLICY\",\"status\":\"ACTIVE\",\"priority\":%d,"
        "\"conditions\":{",
        priority, priority);
    if (below(2) == 0)
        put_platform(b);
    if (below(2) == 0)
        dt_buf_printf(b, "\"device\":{%s},", devices[below(COUNT(devices))]);
    if (below(2) == 0) {
        unsigned set = below(1U << COUNT(groups)), other = below(1U << COUNT(groups));
        dt_buf_puts(b, "\"people\":{\"groups\":{");
        put_ids(b, "include", set);
        dt_buf_puts(b, ",");
        put_ids(b, "exclude", below(2) == 0 ? other & ~set : 0);
        dt_buf_puts(b, "}},");
    }
    dt_buf_puts(b, "\"userType\":null},\"actions\":{\"appSignOn\":");
    put_action(b);
    dt_buf_puts(b, "}}");
}

static void put_rules(dt_buf *b)
{
    int count = 1 + (int)below(RULES_MAX - 1);
    dt_buf_puts(b, "[");
    for (int i = 0; i < count; i++) {
        put_rule(b, i);
        dt_buf_puts(b, ",");
    }
    dt_buf_puts(
        b, "{\"name\":\"Last\",\"type\":\"ACCESS_POLICY\",\"status\":\"ACTIVE\",\"system\":true,"
           "\"priority\":99,\"conditions\":null,\"actions\":{\"appSignOn\":");
    put_action(b);
    dt_buf_puts(b, "}}]");
}

/* --- the comparison ------------------------------------------------------------------------------ */

typedef struct import {
    dt_buf policy, zones;
    dt_import_counts counts;
    char named[4096]; /* "|R1||R3|": rules that are not as they were */
} import;

static void take_note(void *ctx, dt_import_note const *n)
{
    import *m = ctx;
    size_t len = strlen(m->named);
    if (n->kind != DT_IMPORT_KEPT)
        snprintf(m->named + len, sizeof(m->named) - len, "|%s|", n->rule);
}

static bool is_named(import const *m, char const *rule)
{
    char word[DT_POLICY_NAME_MAX + 3];
    snprintf(word, sizeof(word), "|%s|", rule);
    return strstr(m->named, word) != NULL;
}

static void import_rules(import *m, char const *rules, bool tighten)
{
    dt_import_options o = {.application = "vpn",
                           .file = "org.json",
                           .report = take_note,
                           .ctx = m,
                           .tighten = tighten};
    dt_json *tree = NULL;
    dt_error e = {0};
    dt_buf b;

    dt_buf_init(&b, TEXT_MAX);
    dt_buf_init(&m->policy, DT_POLICY_TEXT_MAX);
    dt_buf_init(&m->zones, DT_POLICY_TEXT_MAX);
    dt_buf_puts(
        &b,
        "{\"format\":\"devtrust-okta-policies-1\",\"org\":\"https://acme.okta.com\",\"groups\":[");
    for (size_t k = 0; k < COUNT(groups); k++)
        dt_buf_printf(&b, "%s{\"id\":\"%s\",\"type\":\"%s\",\"profile\":{\"name\":\"%s\"}}",
                      k > 0 ? "," : "", groups[k].id, groups[k].type, groups[k].name);
    dt_buf_printf(
        &b,
        "],\"users\":[],\"zones\":[],\"policies\":[{\"policy\":{\"id\":\"rst1\",\"name\":\"VPN\","
        "\"type\":\"ACCESS_POLICY\",\"status\":\"ACTIVE\",\"conditions\":null},\"rules\":%s}]}",
        rules);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&b), &tree, &e), DT_OK);
    if (dt_okta_import(tree, &o, &m->policy, &m->zones, &m->counts, &e) != DT_OK)
        fail_msg("%s: %s", e.text, rules);
    dt_json_free(&tree);
    dt_buf_free(&b);
}

static void ask_everybody(import const *m, dt_policy const *p, char const *text, size_t *asked,
                          size_t *less)
{
    json_t *rules = json_loads(text, 0, NULL);
    size_t const kinds = COUNT(platforms) * 3 * (1U << COUNT(groups));

    assert_non_null(rules);
    for (size_t i = 0; i < kinds; i++) {
        person const q = {.platform = i % COUNT(platforms),
                          .registered = i / COUNT(platforms) % 3 > 0,
                          .managed = i / COUNT(platforms) % 3 == 2,
                          .in = (unsigned)(i / COUNT(platforms) / 3)};
        gives g = org_gives(rules, &q);
        dt_decision d;
        our_decision(p, &q, &d);
        (*asked)++;
        if (is_more(&d, &g))
            fail_msg("more by \"%s\" than by \"%s\" for %zu in %s, imported as %s", d.rule, g.rule,
                     i, text, (char const *)m->policy.p);
        if (!is_less(&d, &g))
            continue;
        (*less)++;
        if (!is_named(m, g.rule) && !is_named(m, d.rule))
            fail_msg("less by \"%s\" than by \"%s\", and not a word of it, for %zu in %s, imported "
                     "as %s",
                     d.rule, g.rule, i, text, (char const *)m->policy.p);
    }
    json_decref(rules);
}

static void imported_rules_mean_what_the_org_s_do(void **state)
{
    size_t asked = 0, less = 0, refused = 0;

    (void)state;
    random_state = SEED;
    for (int round = 0; round < ROUNDS; round++) {
import m = {.named = "" };
        dt_policy *policy = NULL;
        dt_json *tree = NULL;
        dt_error e = {0};
        dt_buf b;

        dt_buf_init(&b, TEXT_MAX);
        put_rules(&b);
        dt_buf_putc(&b, '\0');
        import_rules(&m, (char const *)b.p, below(2) == 0);
        if (m.counts.of[DT_IMPORT_REFUSED] > 0) {
            refused++;
        } else {
            assert_int_equal(dt_json_parse(dt_buf_bytes(&m.policy), &tree, &e), DT_OK);
            if (dt_policy_parse(tree, "policy", NULL, &policy, &e) != DT_OK)
                fail_msg("%s", e.text);
            ask_everybody(&m, policy, (char const *)b.p, &asked, &less);
        }
        dt_json_free(&tree);
        dt_policy_free(&policy);
        dt_buf_free(&m.policy);
        dt_buf_free(&m.zones);
        dt_buf_free(&b);
    }
    /* Most is the same: a test in which all were refused, or stricter, would say nothing. */
    if (asked < ASKED_AT_LEAST || less > asked / 4)
        fail_msg("%zu asked, %zu get less, %zu refused", asked, less, refused);
    print_message("%zu asked, %zu get less, %zu of %d policies refused\n", asked, less, refused,
                  ROUNDS);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(imported_rules_mean_what_the_org_s_do),
    };
    return cmocka_run_group_tests_name("okta import, meaning", tests, NULL, NULL);
}
