/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translation of policies to formulas against the evaluator: random policies and sign-ons through
 * both, and sign-ons that the solver finds. With DEVTRUST_SLOW=1 it is a million of
 * them. */
#include "devtrustctl/prove/prove_against.h"
#include "devtrustctl/prove/prove_pattern.h"
#include "devtrustctl/prove/prove_rules.h"

#include "core/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX_LEN (128 * 1024)
#define SEED 20261130u
#define RULES_MAX 10
#define INPUTS 100          /* sign-ons for each policy */
#define POLICIES 300        /* 30,000 sign-ons in each make check */
#define POLICIES_SLOW 10000 /* a million */
#define SOLVED_EVERY 20     /* policies of which the solver is asked */

static char const zones_text[] =
    "{\"zones\":["
    "{\"name\":\"Office\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":[\"192.0.2.0/24\","
    "\"2001:db8::/32\"]},"
    "{\"name\":\"Guests\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":["
    "\"192.0.2.200-192.0.2.220\"]},"
    "{\"name\":\"Lab\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":[\"10.0.0.0/8\"]},"
    "{\"name\":\"Closed\",\"type\":\"IP\",\"status\":\"INACTIVE\",\"gateways\":[\"198.51.100.0/"
    "24\"]},"
    "{\"name\":\"Abroad\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\",\"locations\":["
    "{\"country\":\"DE\"},{\"country\":\"US\",\"region\":\"CA\"}]},"
    "{\"name\":\"Provider\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\",\"asns\":[64500],"
    "\"locations\":["
    "{\"country\":\"FR\"}]},"
    "{\"name\":\"Bad\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"usage\":\"BLOCKLIST\",\"gateways\":["
    "\"203.0.113.64/26\"]},"
    "{\"name\":\"Worse\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\",\"usage\":\"BLOCKLIST\","
    "\"asns\":[64666]}]}";

static unsigned state_of_random;
static dt_zones *zones;

static unsigned below(unsigned n)
{
    return (unsigned)rand_r(&state_of_random) % n;
}

static dt_json *tree_of(char const *text)
{
    dt_json *tree = NULL;
    dt_error e = {0};
    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK)
        fail_msg("%s: %s", e.text, text);
    return tree;
}

static dt_policy *policy_of(char const *text, bool org)
{
    dt_json *tree = tree_of(text);
    dt_policy *p = NULL;
    dt_error e = {0};
    if ((org ? dt_org_policy_parse : dt_policy_parse)(tree, "x.json", zones, &p, &e) != DT_OK)
        fail_msg("%s: %s", e.text, text);
    dt_json_free(&tree);
    return p;
}

static int setup(void **state)
{
    dt_json *tree = tree_of(zones_text);
    dt_error e = {0};
    (void)state;
    if (dt_zones_parse(tree, "zones.json", &zones, &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_json_free(&tree);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dt_zones_free(&zones);
    return 0;
}

/* --- random policies ----------------------------------------------------------------------------- */

static char const *const user_words[] = {"anna", "ben", "anna@x", "ben@x", "carl@y",
                                         "*n*",  "?e?", "*@x",    "a*",    "anna@*"};
static char const *const group_words[] = {
    "staff", "admins", "guests", "all", "{\"id\":\"00gs\",\"name\":\"Staff\"}",
    "*s",    "?ab",    "*f*",    "g*"};
static char const *const zone_words[] = {"Office", "Guests", "Lab", "Abroad", "Provider"};
static char const *const span_words[] = {
    "{\"from\":\"08:00\",\"to\":\"18:00\"}", "{\"days\":[\"SATURDAY\",\"SUNDAY\"]}",
    "{\"days\":[\"SUNDAY\",\"WEDNESDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}"};
static char const *const platform_words[] = {"{\"type\":\"DESKTOP\"}", "{\"type\":\"MOBILE\"}",
                                             "{\"type\":\"ANY\",\"os\":{\"type\":\"IOS\"}}"};

/* "name":[some of the words], or nothing. */
static void put_some(dt_buf *b, char const *name, char const *const *words, unsigned count)
{
    unsigned set = below(3) != 0 ? 0 : below(1u << count);
    bool first = true;
    if (set == 0)
        return;
    dt_buf_printf(b, "%s\"%s\":[", b->p[b->len - 1] == '{' ? "" : ",", name);
    for (unsigned i = 0; i < count; i++) {
        char const *quote = words[i][0] == '{' ? "" : "\"";
        if ((set >> i & 1) == 0)
            continue;
        dt_buf_printf(b, "%s%s%s%s", first ? "" : ",", quote, words[i], quote);
        first = false;
    }
    dt_buf_puts(b, "]");
}

static void put_lists(dt_buf *b, char const *name, char const *const *words, unsigned count)
{
    dt_buf_printf(b, "%s\"%s\":{", b->p[b->len - 1] == '{' ? "" : ",", name);
    put_some(b, "include", words, count);
    put_some(b, "exclude", words, count);
    dt_buf_puts(b, "}");
}

static void put_zones(dt_buf *b)
{
    char text[512];
    dt_buf lists;
    dt_buf_init_fixed(&lists, text, sizeof(text));
    dt_buf_puts(&lists, "{");
    put_some(&lists, "include", zone_words, COUNT(zone_words));
    put_some(&lists, "exclude", zone_words, COUNT(zone_words));
    if (lists.len == 1)
        dt_buf_puts(b, ",\"network\":{\"connection\":\"ANYWHERE\"}");
    else
        dt_buf_printf(b, ",\"network\":{\"connection\":\"ZONE\",%s}", text + 1);
}

static void put_time(dt_buf *b)
{
    char text[512];
    dt_buf lists;
    dt_buf_init_fixed(&lists, text, sizeof(text));
    dt_buf_puts(&lists, "{");
    put_some(&lists, "include", span_words, COUNT(span_words));
    put_some(&lists, "exclude", span_words, COUNT(span_words));
    if (lists.len > 1)
        dt_buf_printf(b, ",\"time\":{\"zone\":\"%s\",%s}", below(2) ? "UTC" : "LOCAL", text + 1);
}

static void put_device(dt_buf *b)
{
    static char const *const devices[] = {
        "{\"trust\":\"TRUSTED\"}", "{\"trust\":\"NOT_TRUSTED\"}",
        "{\"trust\":\"TRUSTED\",\"reasons\":[\"STALE\"]}",
        "{\"trust\":\"NOT_TRUSTED\",\"reasons\":[\"NOT_COMPLIANT\",\"NOT_ENROLLED\"]}"};
    dt_buf_printf(b, ",\"device\":%s", devices[below(COUNT(devices))]);
}

static void put_conditions(dt_buf *b, bool org)
{
    dt_buf_puts(b, "{\"people\":{");
    put_lists(b, "users", user_words, COUNT(user_words));
    put_lists(b, "groups", group_words, COUNT(group_words));
    dt_buf_puts(b, "}");
    put_zones(b);
    if (org) {
        if (below(4) == 0)
            dt_buf_printf(b, ",\"authContext\":{\"authType\":\"%s\"}",
                          below(2) ? "RADIUS" : "LDAP_INTERFACE");
        dt_buf_puts(b, "}");
        return;
    }
    if (below(3) == 0)
        dt_buf_printf(b, ",\"platform\":{\"include\":[%s]}", platform_words[below(3)]);
    put_time(b);
    put_device(b);
    dt_buf_puts(b, "}");
}

static void put_rule(dt_buf *b, int priority, bool last, bool org)
{
    static char const *const actions[] = {
        "{\"appSignOn\":{\"access\":\"DENY\"}}", "{\"appSignOn\":{\"access\":\"ALLOW\"}}",
        "{\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\"}}}",
        "{\"appSignOn\":{\"access\":\"ALLOW\"},\"reply\":{\"vlan\":7}}"};
    static char const *const org_actions[] = {
        "{\"signon\":{\"access\":\"DENY\"}}", "{\"signon\":{\"access\":\"ALLOW\"}}",
        "{\"signon\":{\"access\":\"ALLOW\",\"requireFactor\":true}}"};
    dt_buf_printf(b, "%s{\"name\":\"r%d\",\"priority\":%d,\"status\":\"%s\",\"conditions\":",
                  priority == 0 ? "" : ",", priority, priority,
                  last || below(6) != 0 ? "ACTIVE" : "INACTIVE");
    if (last)
        dt_buf_puts(b, org ? "{\"people\":{}}" : "null");
    else
        put_conditions(b, org);
    dt_buf_printf(b, ",\"actions\":%s}", org ? org_actions[below(3)] : actions[below(4)]);
}

static dt_policy *random_policy(bool org)
{
    static char storage[TEXT_MAX_LEN];
    int count = (int)below(RULES_MAX);
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "{\"name\":\"x\"");
    if (!org)
        dt_buf_puts(&b, ",\"application\":\"x\",\"groups\":[{\"name\":\"all\",\"contains\":["
                        "\"staff\",\"inner\"]},{\"name\":\"inner\",\"contains\":[\"lab\"]}]");
    dt_buf_puts(&b, ",\"rules\":[");
    for (int i = 0; i <= count; i++)
        put_rule(&b, i, i == count, org);
    dt_buf_puts(&b, "]}");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return policy_of(storage, org);
}

/* --- random sign-ons ----------------------------------------------------------------------------- */

static void random_input(dt_prove_request *r)
{
    static char const *const users[] = {"anna", "ben", "Anna", "zoe", "len", "nn"};
    static char const *const logins[] = {"", "anna@x", "ben@X", "carl@y", "anna@z", "zoe@x"};
    static char const *const shorts[] = {"", "anna", "ben", "carl", "anna", "zoe"};
    static char const *const groups[] = {"staff",
                                         "Admins",
                                         "guests",
                                         "lab",
                                         "inner",
                                         "cab",
                                         "golf",
                                         "all",
                                         "\x1f"
                                         "00gs",
                                         "\x1f"
                                         "00gS",
                                         "other"};
    static char const *const ips[] = {NULL,           "192.0.2.5",    "192.0.2.210",
                                      "10.0.0.9",     "2001:db8::5",  "203.0.113.1",
                                      "203.0.113.66", "198.51.100.1", "127.0.0.1"};
    static char const *const countries[] = {"DE", "US", "FR", "GB"};
    static char const *const regions[] = {"CA", "NY", "BE"};
    static uint32_t const asns[] = {64500, 64666, 1};
    dt_policy_input *in = &r->in;
    unsigned login = below(COUNT(logins)), ip = below(COUNT(ips));
    *in = (dt_policy_input){.user = users[below(COUNT(users))],
                            .login = logins[login],
                            .short_login = below(2) ? shorts[login] : "",
                            .machine = below(10) == 0,
                            .groups = r->groups,
                            .group_knowledge = below(4) ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN,
                            .address = (dt_address)below(3),
                            .place = &r->place};
    for (unsigned i = 0; i < COUNT(groups); i++)
        if (below(4) == 0)
            r->groups[in->group_count++] = groups[i];
    if (ips[ip] != NULL)
        assert_int_equal(dt_ip_parse(ips[ip], &in->ip), DT_OK);
    r->place = (dt_geo_place){.known = 0};
    if (below(3) != 0) {
        r->place.known |= DT_GEO_COUNTRY;
        strcpy(r->place.country, countries[below(4)]);
        if (below(2)) {
            r->place.known |= DT_GEO_REGION;
            strcpy(r->place.region, regions[below(3)]);
        }
    }
    if (below(3) != 0) {
        r->place.known |= DT_GEO_ASN;
        r->place.asn = asns[below(3)];
    }
    r->org_waives = below(2);
}

static void random_device(dt_space const *s, dt_policy_input *in)
{
    dt_space_device const *d = &s->devices[below(s->device_count)];
    in->trust = d->trust;
    in->reason = d->reason;
    in->platform = below(9) == 0 ? DT_PLATFORM_UNKNOWN : (dt_platform)(1u << below(8));
    in->unknown_as = below(2) ? DT_UNKNOWN_DENY : DT_UNKNOWN_NOT_TRUSTED;
    in->now = below(6) == 0 ? 0 : DT_MINUTES(29000000 + (int64_t)below(1000000));
    in->utc_offset = (int)below(DT_SPACE_OFFSETS) - DT_UTC_OFFSET_MAX;
    in->utc_offset_known = below(6) != 0;
}

/* --- both ------------------------------------------------------------------------------------------ */

typedef struct seen {
    size_t access[3], causes[DT_DECISION_CAUSE_COUNT], proofs[4];
} seen;

static int64_t no_time(void)
{
    return 0;
}

static void sides_free(dt_prover *v, dt_policy **app, dt_policy **org)
{
    dt_prover_free(v);
    dt_policy_free(app);
    dt_policy_free(org);
}

/* What the terms say of a sign-on is what the evaluator decides. */
static void requests_agree(dt_prover *v, seen *saw)
{
    dt_space *s = v->s;
    size_t terms = dt_formula_term_count(s->f);
    uint8_t *truth = calloc(terms, 1);
    for (int k = 0; k < INPUTS; k++) {
        dt_prove_decision d;
        random_input(v->request);
        random_device(s, &v->request->in);
        dt_request_values(s, &v->request->in, v->request->org_waives, v->values);
        dt_formula_evaluate(s->f, v->values, truth);
        dt_prove_decide(&v->sides[0], v->request, &d);
        if (!dt_prove_agrees(&v->sides[0], truth, &d))
            fail_msg("the terms and the evaluator do not agree (sign-on %d): %s, %s", k,
                     dt_access_name(d.both.access), dt_decision_cause_name(d.own.cause));
        assert_true(dt_values_fit(s, v->values));
        saw->access[d.both.access]++;
        saw->causes[d.own.cause]++;
        for (size_t i = 0; i < v->sides[0].app->rule_count; i++) {
            dt_rule_terms const *r = &v->sides[0].app_terms.rules[i];
            char const *name;
            bool holds = dt_policy_explain_rule(v->sides[0].app, i, &v->request->in, &name) ==
                         DT_CONDITION_NONE;
            assert_int_equal(truth[r->holds], holds);
            assert_int_equal(truth[r->maybe],
                             dt_policy_rule_is_unknown(v->sides[0].app, i, &v->request->in));
        }
    }
    free(truth);
}

/* Each sign-on that the solver finds is decided so by the evaluator, and what it finds none for the
 * evaluator does not do in any of many random sign-ons. */
static void answers_agree(dt_prover *v, seen *saw)
{
    dt_formula *f = v->s->f;
    dt_term const goals[] = {
        v->sides[0].access.allows, v->sides[0].access.asks,
        dt_term_both(f, v->sides[0].access.allows,
                     dt_term_not(f, dt_translate_trust(v->s, DT_TRUST_TRUSTED))),
        dt_term_both(f, v->sides[0].app_terms.refused, dt_prove_known(v->s))};
    for (size_t i = 0; i < COUNT(goals); i++) {
        dt_proof proof = dt_prover_find(v, goals[i]);
        assert_int_not_equal(proof, DT_PROOF_DISAGREES);
        assert_int_not_equal(proof, DT_PROOF_UNDECIDED);
        saw->proofs[proof]++;
        for (int k = 0; k < 2 * INPUTS && proof == DT_PROOF_NEVER; k++) {
            uint8_t *truth = calloc(dt_formula_term_count(f), 1);
            random_input(v->request);
            random_device(v->s, &v->request->in);
            dt_request_values(v->s, &v->request->in, v->request->org_waives, v->values);
            dt_formula_evaluate(f, v->values, truth);
            assert_int_equal(truth[goals[i]], 0);
            free(truth);
        }
    }
}

/* What is said of a rule is so in every random sign-on. */
static void rules_agree(dt_prover *v)
{
    dt_policy *p = (dt_policy *)v->sides[0].app;
    dt_rule_report report;
    dt_error e = {0};
    assert_int_equal(dt_prove_rules(v, false, &report, &e), DT_OK);
    assert_false(report.disagrees);
    for (int k = 0; k < 5 * INPUTS; k++) {
        dt_decision d, without;
        random_input(v->request);
        random_device(v->s, &v->request->in);
        dt_policy_decide(p, &v->request->in, &d);
        if (d.cause != DT_DECISION_RULE)
            continue;
        assert_int_not_equal(report.of[d.rule_index], DT_RULE_HIDDEN);
        if (report.of[d.rule_index] != DT_RULE_REDUNDANT)
            continue;
        uint8_t platforms = p->screens[d.rule_index].platforms;
        p->screens[d.rule_index].platforms = 0;
        dt_policy_decide(p, &v->request->in, &without);
        p->screens[d.rule_index].platforms = platforms;
        assert_true(dt_decision_same(p, &d, p, &without));
    }
    for (size_t i = 0; i < report.count; i++)
        assert_int_not_equal(report.of[i], DT_RULE_UNDECIDED);
    dt_rule_report_free(&report);
}

static void one_policy(int i, seen *saw)
{
    bool with_org = below(2);
    dt_policy *app = random_policy(false), *org = with_org ? random_policy(true) : NULL;
    dt_prover v = {.now = no_time, .deadline = 600000};
    dt_error e = {0};
    v.sides[0] = (dt_prove_side){.app = app, .org = org};
    if (dt_prover_begin(&v, NULL, 0, &e) != DT_OK)
        fail_msg("%s", e.text);
    requests_agree(&v, saw);
    if (i % SOLVED_EVERY == 0) {
        answers_agree(&v, saw);
        rules_agree(&v);
    }
    sides_free(&v, &app, &org);
}

static void random_policies_agree_with_the_evaluator(void **state)
{
    int policies = getenv("DEVTRUST_SLOW") != NULL ? POLICIES_SLOW : POLICIES;
    seen saw = {{0}, {0}, {0}};
    (void)state;
    state_of_random = SEED;
    print_message("seed %u, %d policies, %d sign-ons each\n", SEED, policies, INPUTS);
    for (int i = 0; i < policies; i++)
        one_policy(i, &saw);
    for (int c = DT_DECISION_RULE; c < DT_DECISION_CAUSE_COUNT; c++)
        if (saw.causes[c] < 50)
            fail_msg("%s was seen %zu times only", dt_decision_cause_name((dt_decision_cause)c),
                     saw.causes[c]);
    for (int a = 0; a < 3; a++)
        assert_true(saw.access[a] > 500);
    assert_true(saw.proofs[DT_PROOF_FOUND] > 10 && saw.proofs[DT_PROOF_NEVER] > 10);
}

/* --- against ----------------------------------------------------------------------------------------- */

/* "Gets more" of the terms is what comparing two decisions says. */
static void two_policies_compare_as_their_decisions(void **state)
{
    (void)state;
    state_of_random = SEED + 1;
    for (int i = 0; i < POLICIES / 3; i++) {
        dt_policy *app[2] = {random_policy(false), random_policy(false)};
        dt_policy *org[2] = {below(2) ? random_policy(true) : NULL, random_policy(true)};
        dt_prover v = {.now = no_time, .deadline = 600000, .has_old = true};
        dt_term more[2];
        dt_error e = {0};
        for (int k = 0; k < 2; k++)
            v.sides[k] = (dt_prove_side){.app = app[k], .org = org[k]};
        assert_int_equal(dt_prover_begin(&v, NULL, 0, &e), DT_OK);
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(dt_prove_more(&v, k, &more[k], &e), DT_OK);
        for (int n = 0; n < INPUTS; n++) {
            uint8_t *truth = calloc(dt_formula_term_count(v.s->f), 1);
            dt_prove_decision d[2];
            random_input(v.request);
            random_device(v.s, &v.request->in);
            dt_request_values(v.s, &v.request->in, v.request->org_waives, v.values);
            dt_formula_evaluate(v.s->f, v.values, truth);
            for (size_t k = 0; k < 2; k++)
                dt_prove_decide(&v.sides[k], v.request, &d[k]);
            for (size_t k = 0; k < 2; k++)
                assert_int_equal(truth[more[k]],
                                 dt_decision_more(&v.sides[k], &d[k].both, &v.sides[1 - k],
                                                  &d[1 - k].both) != DT_MORE_NOTHING);
            free(truth);
        }
        dt_policy_free(&app[1]);
        dt_policy_free(&org[1]);
        sides_free(&v, &app[0], &org[0]);
    }
}

/* --- names by patterns --------------------------------------------------------------------------------- */

static void names_are_found_by_their_patterns(void **state)
{
    static struct {
        char const *like, *unlike, *also_unlike;
        dt_pattern_answer answer;
    } const cases[] = {
        {"a*", "ab*", "?", DT_PATTERN_FOUND},       {"a*", "*", "x", DT_PATTERN_NONE},
        {"ab", "a*", "x", DT_PATTERN_NONE},         {"ab", "ac*", "abc", DT_PATTERN_FOUND},
        {"?", "a", "b", DT_PATTERN_FOUND},          {"a?", "ab", "??", DT_PATTERN_NONE},
        {"*a*", "a*", "*a", DT_PATTERN_FOUND},      {"*a", "?*", "x", DT_PATTERN_NONE},
        {"\xc3\xa4?", "?a", "x", DT_PATTERN_FOUND}, {"a*b", "*ab", "a?b", DT_PATTERN_FOUND},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char const *const patterns[] = {cases[i].like, cases[i].unlike, cases[i].also_unlike};
        uint8_t const want[] = {DT_LIKE_YES, DT_LIKE_NO, DT_LIKE_NO};
        dt_pattern_question const q = {patterns, 3, want, NULL, NULL};
        char name[DT_GROUP_NAME_MAX] = "", login[DT_GROUP_NAME_MAX];
        if (dt_pattern_find(&q, name, login) != cases[i].answer)
            fail_msg("%s without %s and %s: %s", patterns[0], patterns[1], patterns[2], name);
        for (size_t k = 0; k < 3 && cases[i].answer == DT_PATTERN_FOUND; k++)
            if (dt_pattern_matches(patterns[k], name) != (want[k] == DT_LIKE_YES))
                fail_msg("%s and %s", patterns[k], name);
    }
}

/* A login is its short form, an at sign and a realm. */
static void a_login_begins_with_its_short_form(void **state)
{
    static char const *const patterns[] = {"adm*", "*@x*", "*z"};
    uint8_t const name[] = {DT_LIKE_NO, DT_LIKE_ANY, DT_LIKE_YES};
    uint8_t const login[] = {DT_LIKE_ANY, DT_LIKE_YES, DT_LIKE_NO};
    uint8_t const never[] = {DT_LIKE_YES, DT_LIKE_ANY, DT_LIKE_ANY};
    dt_pattern_question q = {patterns, 3, name, login, NULL};
    char found[DT_GROUP_NAME_MAX], found_login[DT_GROUP_NAME_MAX];
    (void)state;
    assert_int_equal(dt_pattern_find(&q, found, found_login), DT_PATTERN_FOUND);
    assert_true(dt_pattern_matches("*z", found) && !dt_pattern_matches("adm*", found));
    assert_true(dt_pattern_matches("*@x*", found_login) && !dt_pattern_matches("*z", found_login));
    assert_memory_equal(found_login, found, strlen(found));
    assert_int_equal(found_login[strlen(found)], '@');
    /* A login that begins with adm is that of a name that does. */
    q.login = never;
    assert_int_equal(dt_pattern_find(&q, found, found_login), DT_PATTERN_NONE);
    q.begin = "adz";
    assert_int_equal(dt_pattern_find(&q, found, found_login), DT_PATTERN_NONE);
    q.begin = "admz";
    assert_int_equal(dt_pattern_find(&q, found, found_login), DT_PATTERN_FOUND);
}

/* --- the formula ------------------------------------------------------------------------------------- */

static void terms_are_made_once_and_simplified(void **state)
{
    dt_formula *f = NULL;
    (void)state;
    assert_int_equal(dt_formula_new(&f), DT_OK);
    dt_fact x = dt_formula_fact(f, 2), n = dt_formula_fact(f, 10);
    dt_term a = dt_term_equals(f, x, 1), b = dt_term_equals(f, n, 4);
    assert_int_equal(dt_term_equals(f, n, 10), DT_TERM_FALSE);
    assert_int_equal(dt_term_both(f, a, b), dt_term_both(f, b, a));
    assert_int_equal(dt_term_both(f, a, dt_term_not(f, a)), DT_TERM_FALSE);
    assert_int_equal(dt_term_either(f, b, dt_term_not(f, b)), DT_TERM_TRUE);
    assert_int_equal(dt_term_not(f, dt_term_not(f, a)), a);
    assert_int_equal(dt_term_between(f, n, 0, 9), DT_TERM_TRUE);
    assert_int_equal(dt_term_between(f, n, 5, 4), DT_TERM_FALSE);
    assert_int_equal(dt_term_all(f, NULL, 0), DT_TERM_TRUE);
    assert_int_equal(dt_term_any(f, NULL, 0), DT_TERM_FALSE);
    uint8_t member[10] = {1, 0, 1, 1, 0, 0, 0, 0, 0, 1};
    dt_term in = dt_term_member(f, n, member);
    uint8_t truth[256];
    for (uint32_t v = 0; v < 10; v++) {
        uint32_t const values[] = {v % 2, v};
        dt_formula_evaluate(f, values, truth);
        assert_int_equal(truth[in], member[v]);
        assert_int_equal(truth[a], v % 2);
    }
    assert_false(dt_formula_failed(f));
    dt_formula_free(&f);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(terms_are_made_once_and_simplified),
        cmocka_unit_test(names_are_found_by_their_patterns),
        cmocka_unit_test(a_login_begins_with_its_short_form),
        cmocka_unit_test(two_policies_compare_as_their_decisions),
        cmocka_unit_test(random_policies_agree_with_the_evaluator),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
