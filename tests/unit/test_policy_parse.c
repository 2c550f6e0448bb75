/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling zones and policies: the samples and the tables of bad files in tests/data/policies (the
 * same that tests/integration/test_schema.py holds against the schemas), limits, and memory that
 * runs out at every allocation in turn. */
#include "core/signon/outcome.h"
#include "core/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define PATH_MAX_LEN 1024

/* --- memory that runs out --------------------------------------------------------------------- */

static long allocations_left = -1; /* -1: without end */

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    return allocations_left > 0 && allocations_left-- > 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
    return may_allocate() ? __real_realloc(p, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate() ? __real_aligned_alloc(alignment, size) : NULL;
}

/* --- files and trees -------------------------------------------------------------------------- */

static json_t *load(char const *name)
{
    char path[PATH_MAX_LEN];
    char const *root = getenv("DEVTRUST_ROOT");
    json_error_t why;
    snprintf(path, sizeof(path), "%s/%s", root == NULL ? "." : root, name);
    json_t *v = json_load_file(path, 0, &why);
    if (v == NULL)
        fail_msg("%s:%d: %s", path, why.line, why.text);
    return v;
}

/* The tree as the core sees one: by way of the text. */
static dt_json *tree_of(json_t const *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    dt_json *tree = NULL;
    dt_error e = {0};
    assert_non_null(text);
    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK)
        fail_msg("%s", e.text);
    free(text);
    return tree;
}

static int zones_parse(json_t const *v, dt_zones **out, dt_error *e)
{
    dt_json *tree = tree_of(v);
    int rc = dt_zones_parse(tree, "zones.json", out, e);
    dt_json_free(&tree);
    return rc;
}

static int policy_parse(json_t const *v, dt_zones const *zones, dt_policy **out, dt_error *e)
{
    dt_json *tree = tree_of(v);
    int rc = dt_policy_parse(tree, "sshd.json", zones, out, e);
    dt_json_free(&tree);
    return rc;
}

static int org_parse(json_t const *v, dt_zones const *zones, dt_policy **out, dt_error *e)
{
    dt_json *tree = tree_of(v);
    int rc = dt_org_policy_parse(tree, "org.json", zones, out, e);
    dt_json_free(&tree);
    return rc;
}

static dt_zones *base_zones(void)
{
    json_t *v = load("tests/data/policies/base_zones.json");
    dt_zones *z = NULL;
    dt_error e = {0};
    if (zones_parse(v, &z, &e) != DT_OK)
        fail_msg("%s", e.text);
    json_decref(v);
    return z;
}

/* --- the tables of bad files ------------------------------------------------------------------ */

/* The case's value; with "items", that many of it, texts told apart by a number. */
static json_t *case_value(json_t const *c)
{
    json_t const *v = json_object_get(c, "value");
    json_int_t n = json_integer_value(json_object_get(c, "items"));
    if (json_object_get(c, "items") == NULL)
        return json_deep_copy(v);
    json_t *list = json_array();
    for (json_int_t i = 0; i < n; i++) {
        if (json_is_string(v))
            json_array_append_new(list, json_sprintf("%s%lld", json_string_value(v), (long long)i));
        else
            json_array_append_new(list, json_deep_copy(v));
    }
    return list;
}

static json_t *step_down(json_t *at, char const *name)
{
    return json_is_array(at) ? json_array_get(at, (size_t)atoi(name)) : json_object_get(at, name);
}

static void set_at(json_t *at, char const *name, json_t const *c)
{
    bool remove = json_is_true(json_object_get(c, "remove"));
    if (json_is_array(at) && remove)
        assert_int_equal(json_array_remove(at, (size_t)atoi(name)), 0);
    else if (json_is_array(at))
        assert_int_equal(json_array_set_new(at, (size_t)atoi(name), case_value(c)), 0);
    else if (remove)
        assert_int_equal(json_object_del(at, name), 0);
    else
        assert_int_equal(json_object_set_new(at, name, case_value(c)), 0);
}

/* A copy of the base with the case's change made at its JSON pointer. */
static json_t *changed(json_t const *base, json_t const *c)
{
    char path[PATH_MAX_LEN];
    char *rest = path;
    json_t *root = json_deep_copy(base), *at = root;

    snprintf(path, sizeof(path), "%s", json_string_value(json_object_get(c, "at")));
    if (path[0] == '\0') {
        json_decref(root);
        return case_value(c);
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(rest + 1, '/')) {
        *slash = '\0';
        at = step_down(at, rest + 1);
        assert_non_null(at);
        rest = slash;
    }
    set_at(at, rest + 1, c);
    return root;
}

static void assert_refused(json_t const *c, int rc, void const *out, dt_error const *e,
                           char const *file)
{
    char const *why = json_string_value(json_object_get(c, "why"));
    char const *want = json_string_value(json_object_get(c, "error"));
    if (rc != DT_E_INVALID || e->code != DT_E_INVALID || out != NULL)
        fail_msg("%s: was not refused (%d, %s)", why, rc, e->text);
    if (strncmp(e->text, file, strlen(file)) != 0 || e->text[strlen(file)] != '#')
        fail_msg("%s: the file is not named: %s", why, e->text);
    if (strstr(e->text, want) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", why, e->text, want);
    for (char const *p = e->text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            fail_msg("%s: control character in the message", why);
}

typedef int parser(dt_json const *root, dt_json_source const *source, void const *zones, void *out,
                   dt_error *e);

static int gather_policy(dt_json const *root, dt_json_source const *source, void const *zones,
                         void *out, dt_error *e)
{
    return dt_policy_parse_source(root, source, zones, out, e);
}

static int gather_org(dt_json const *root, dt_json_source const *source, void const *zones,
                      void *out, dt_error *e)
{
    return dt_org_policy_parse_source(root, source, zones, out, e);
}

static int gather_zones(dt_json const *root, dt_json_source const *source, void const *zones,
                        void *out, dt_error *e)
{
    (void)root;
    (void)zones;
    return dt_zones_parse_text(source, out, e);
}

/* What is refused is refused where all faults are gathered, too, and the first fault is among them. */
static void assert_gathered(json_t *bad, char const *file, parser *parse, void const *zones,
                            dt_error const *first)
{
    static dt_faults faults;
    char *text = json_dumps(bad, JSON_ENCODE_ANY);
    dt_json_source source = {.file = file, .faults = &faults};
    dt_error e = {0}, unread = {0};
    dt_json *root = NULL;
    void *out = NULL;
    bool found = false;

    assert_non_null(text);
    faults.count = 0;
    if (parse == gather_zones)
        source.text = dt_bytes_str(text);
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &unread), DT_OK);
    assert_int_equal(dt_faults_keep(&faults, &e, parse(root, &source, zones, &out, &e)), DT_OK);
    assert_null(out);
    if (faults.count < 1 || faults.count > 6)
        fail_msg("%zu faults for \"%s\", the last is \"%s\"", faults.count, first->text,
                 faults.kept[faults.count > 0 ? faults.count - 1 : 0].text);
    for (size_t i = 0; i < faults.count; i++) {
        char const *said = strchr(faults.kept[i].text, '#');

        assert_int_equal(faults.kept[i].code, DT_E_INVALID);
        found = found || (said != NULL && strcmp(said, strchr(first->text, '#')) == 0);
    }
    if (!found)
        fail_msg("\"%s\" is not among %zu faults, of which the first is \"%s\"", first->text,
                 faults.count, faults.kept[0].text);
    dt_json_free(&root);
    free(text);
}

/* Whatever is wrong in different places is named in one run, with no fault that another one has caused. */
static void all_faults_are_gathered(void **state)
{
    static char const text[] =
        "{\"name\":\"a\",\"application\":\"x "
        "y\",\"color\":1,\"shape\":2,\"reportOnly\":3,\"rules\":["
        "{\"name\":\"r1\",\"priority\":-1,\"status\":\"on\",\"conditions\":{\"network\":"
        "{\"connection\":\"ZONE\",\"include\":[\"nope\",\"none\"]},\"platform\":{}},"
        "\"actions\":{\"appSignOn\":{\"access\":\"MAYBE\"}}},"
        "{\"status\":\"ACTIVE\",\"priority\":3,\"conditions\":null,\"actions\":{\"appSignOn\":"
        "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"8h\",\"factors\":[\"x\"]}}}}]}";
    static char const *const wanted[] = {
        "#: unknown member \"color\"",
        "#: unknown member \"shape\"",
        "#/application: ",
        "#/reportOnly: ",
        "#/rules/0/status: ",
        "#/rules/0/priority: ",
        "#/rules/0/conditions/network/include/0: no zone",
        "#/rules/0/conditions/network/include/1: no zone",
        "#/rules/0/actions/appSignOn/access: ",
        "#/rules/1: member \"name\" is missing",
        "#/rules/1/actions/appSignOn/promptForFactor/frequency: ",
        "#/rules/1/actions/appSignOn/promptForFactor/factors/0: ",
    };
    static dt_faults faults;
    dt_json_source source = {.file = "x", .text = dt_bytes_str(text), .faults = &faults};
    dt_policy *p = NULL;
    dt_json *root = NULL;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_json_parse(source.text, &root, &e), DT_OK);
    assert_int_equal(dt_policy_parse_source(root, &source, NULL, &p, &e), DT_E_INVALID);
    assert_null(p);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t found = 0;
        for (size_t k = 0; k < faults.count; k++)
            found += strstr(faults.kept[k].text, wanted[i]) != NULL;
        if (found != 1)
            fail_msg("%s: %zu times", wanted[i], found);
    }
    assert_int_equal(faults.count, sizeof(wanted) / sizeof(wanted[0]));
    dt_json_free(&root);
}

/* More than a list keeps are counted, and still refused. */
static void many_faults_are_counted(void **state)
{
    static dt_faults faults;
    dt_buf b;
    dt_json *root = NULL;
    dt_policy *p = NULL;
    dt_error e = {0};

    (void)state;
    dt_buf_init(&b, 64 * 1024);
    dt_buf_puts(&b, "{\"name\":\"a\",\"application\":\"x\",\"rules\":[");
    for (int i = 0; i < DT_FAULTS_MAX + 12; i++)
        dt_buf_printf(&b,
                      "%s{\"name\":\"r%d\",\"priority\":%d,\"status\":\"on\",\"conditions\":null,"
                      "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}",
                      i > 0 ? "," : "", i, i);
    dt_buf_puts(&b, "]}");
    dt_json_source source = {.file = "x", .text = dt_buf_bytes(&b), .faults = &faults};
    assert_int_equal(dt_json_parse(source.text, &root, &e), DT_OK);
    assert_int_equal(dt_policy_parse_source(root, &source, NULL, &p, &e), DT_E_INVALID);
    assert_null(p);
    assert_int_equal(faults.count, DT_FAULTS_MAX + 12);
    /* Memory that gives out is not a fault of the file, and ends the check. */
    assert_int_equal(dt_faults_keep(&faults, &e, DT_E_NOMEM), DT_E_NOMEM);
    assert_int_equal(faults.count, DT_FAULTS_MAX + 12);
    dt_json_free(&root);
    dt_buf_free(&b);
}

static void bad_policies_are_refused(void **state)
{
    json_t *base = load("tests/data/policies/base_policy.json");
    json_t *table = load("tests/data/policies/bad_policies.json");
    dt_zones *zones = base_zones();
    size_t i;
    json_t *c;
    (void)state;

    assert_true(json_array_size(table) >= 60);
    json_array_foreach(table, i, c)
    {
        json_t *bad = changed(base, c);
        dt_policy *p = (dt_policy *)&zones;
        dt_error e = {0};
        int rc = policy_parse(bad, zones, &p, &e);
        assert_refused(c, rc, p, &e, "sshd.json");
        assert_gathered(bad, "sshd.json", gather_policy, zones, &e);
        json_decref(bad);
    }
    dt_zones_free(&zones);
    json_decref(table);
    json_decref(base);
}

static void bad_rules_of_the_org_are_refused(void **state)
{
    json_t *base = load("tests/data/policies/base_org.json");
    json_t *table = load("tests/data/policies/bad_org.json");
    dt_zones *zones = base_zones();
    dt_policy *good = NULL;
    dt_error none = {0};
    size_t i;
    json_t *c;
    (void)state;

    if (org_parse(base, zones, &good, &none) != DT_OK)
        fail_msg("%s", none.text);
    dt_policy_free(&good);
    assert_true(json_array_size(table) >= 30);
    json_array_foreach(table, i, c)
    {
        json_t *bad = changed(base, c);
        dt_policy *p = (dt_policy *)&zones;
        dt_error e = {0};
        int rc = org_parse(bad, zones, &p, &e);
        assert_refused(c, rc, p, &e, "org.json");
        assert_gathered(bad, "org.json", gather_org, zones, &e);
        json_decref(bad);
    }
    dt_zones_free(&zones);
    json_decref(table);
    json_decref(base);
}

static void bad_zones_are_refused(void **state)
{
    json_t *base = load("tests/data/policies/base_zones.json");
    json_t *table = load("tests/data/policies/bad_zones.json");
    size_t i;
    json_t *c;
    (void)state;

    assert_true(json_array_size(table) >= 30);
    json_array_foreach(table, i, c)
    {
        json_t *bad = changed(base, c);
        dt_zones *z = (dt_zones *)&base;
        dt_error e = {0};
        int rc = zones_parse(bad, &z, &e);
        assert_refused(c, rc, z, &e, "zones.json");
        assert_gathered(bad, "zones.json", gather_zones, NULL, &e);
        json_decref(bad);
    }
    json_decref(table);
    json_decref(base);
}

/* --- good files ------------------------------------------------------------------------------- */

static void the_base_is_good(void **state)
{
    json_t *v = load("tests/data/policies/base_policy.json");
    dt_zones *zones = base_zones();
    dt_policy *p = NULL;
    dt_error e = {0};
    (void)state;
    if (policy_parse(v, zones, &p, &e) != DT_OK)
        fail_msg("%s", e.text);
    assert_string_equal(dt_policy_application(p), "sshd");
    assert_int_equal(dt_policy_rule_count(p), 3);
    assert_string_equal(dt_policy_hash(p), "");
    dt_policy_free(&p);
    assert_null(p);
    dt_zones_free(&zones);
    assert_null(zones);
    json_decref(v);
}

static void a_zone_needs_a_zones_file(void **state)
{
    json_t *v = load("tests/data/policies/base_policy.json");
    dt_policy *p = NULL;
    dt_error e = {0};
    (void)state;
    assert_int_equal(policy_parse(v, NULL, &p, &e), DT_E_INVALID);
    assert_non_null(strstr(e.text, "no zone \"Office\" is defined"));
    assert_int_equal(policy_parse(v, NULL, &p, NULL), DT_E_INVALID);
    assert_null(p);
    json_decref(v);
}

/* The samples say what the guide's two rules say, whoever loads them. */
static void samples_decide_as_the_guide_says(void **state)
{
    static char const *const names[] = {"sshd", "vpn", "wifi", "sudo"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "conf/policies/%s.json", names[i]);
        json_t *v = load(path);
        dt_policy *p = NULL;
        dt_error e = {0};
        dt_decision d;
        dt_policy_input in = {.user = "anna", .trust = DT_TRUST_TRUSTED};
        if (policy_parse(v, NULL, &p, &e) != DT_OK)
            fail_msg("%s", e.text);
        assert_string_equal(dt_policy_application(p), names[i]);
        assert_false(dt_policy_needs_groups(p));

        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_ALLOW);
        assert_string_equal(d.rule, "Device Trust = Trusted. No need to check for MFA.");
        in.trust = DT_TRUST_NOT_TRUSTED;
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
        assert_int_equal(d.factors, DT_FACTOR_PUSH | DT_FACTOR_TOTPS);
        assert_string_equal(d.rule, "Device Trust = Not Trusted. Check for MFA.");
        in.trust = DT_TRUST_UNKNOWN;
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_DENY);
        assert_int_equal(d.cause, DT_DECISION_UNKNOWN_DEVICE);
        dt_policy_free(&p);
        json_decref(v);
    }
}

static void sample_zones_are_good(void **state)
{
    json_t *v = load("conf/zones.json");
    dt_zones *z = NULL;
    dt_error e = {0};
    (void)state;
    if (zones_parse(v, &z, &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_zones_free(&z);
    dt_zones_free(&z);
    dt_zones_free(NULL);
    json_decref(v);
}

/* --- limits ----------------------------------------------------------------------------------- */

static json_t *rule_of(json_int_t priority, json_t *conditions)
{
    return json_pack("{s:o, s:I, s:s, s:o, s:{s:{s:s}}}", "name",
                     json_sprintf("r%lld", (long long)priority), "priority", priority, "status",
                     "ACTIVE", "conditions", conditions, "actions", "appSignOn", "access", "DENY");
}

static json_t *policy_of_rules(json_int_t n)
{
    json_t *rules = json_array();
    for (json_int_t i = 0; i < n; i++)
        json_array_append_new(rules,
                              rule_of(n - i, json_pack("{s:{s:s}}", "device", "trust", "TRUSTED")));
    json_array_append_new(rules, rule_of(n + 1, json_null()));
    return json_pack("{s:s, s:s, s:o}", "name", "many", "application", "x", "rules", rules);
}

static void many_rules_are_fine(void **state)
{
    json_t *v = policy_of_rules(20000);
    dt_policy *p = NULL;
    dt_error e = {0};
    dt_decision d;
    dt_policy_input in = {.user = "anna", .trust = DT_TRUST_NOT_TRUSTED};
    char const *name;
    (void)state;
    if (policy_parse(v, NULL, &p, &e) != DT_OK)
        fail_msg("%s", e.text);
    assert_int_equal(dt_policy_rule_count(p), 20001);
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "r20001");
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_DEVICE);
    assert_string_equal(name, "r1");
    dt_policy_free(&p);
    json_decref(v);
}

static void too_many_rules_are_refused(void **state)
{
    json_t *rules = json_array();
    dt_policy *p = NULL;
    dt_error e = {0};
    (void)state;
    for (int i = 0; i <= DT_POLICY_RULES_MAX; i++)
        json_array_append_new(rules, json_null());
    json_t *v = json_pack("{s:s, s:s, s:o}", "name", "many", "application", "x", "rules", rules);
    assert_int_equal(policy_parse(v, NULL, &p, &e), DT_E_INVALID);
    assert_non_null(strstr(e.text, "#/rules: has 100001 elements"));
    assert_null(p);
    json_decref(v);
}

static void the_most_zones_fit(void **state)
{
    json_t *list = json_array();
    dt_zones *z = NULL;
    dt_policy *p = NULL;
    dt_error e = {0};
    (void)state;
    for (int i = 0; i < DT_ZONES_MAX; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:[{s:s, s:o}]}", "name",
                                              json_sprintf("z%d", i), "type", "IP", "status",
                                              "ACTIVE", "gateways", "type", "CIDR", "value",
                                              json_sprintf("10.%d.%d.0/24", i / 256, i % 256)));
    json_t *zones = json_pack("{s:o}", "zones", list);
    if (zones_parse(zones, &z, &e) != DT_OK)
        fail_msg("%s", e.text);
    json_t *v = json_pack("{s:s, s:s, s:[o, o]}", "name", "z", "application", "x", "rules",
                          rule_of(1, json_pack("{s:{s:s, s:[s]}}", "network", "connection", "ZONE",
                                               "include", "z1023")),
                          rule_of(2, json_null()));
    if (policy_parse(v, z, &p, &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_policy_input in = {.user = "anna", .trust = DT_TRUST_TRUSTED};
    dt_decision d;
    assert_int_equal(dt_ip_parse("10.3.255.1", &in.ip), DT_OK);
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "r1");
    assert_int_equal(dt_ip_parse("10.3.254.1", &in.ip), DT_OK);
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "r2");
    dt_policy_free(&p);
    dt_zones_free(&z);
    json_decref(v);
    json_decref(zones);
}

/* The longest names of everything, and the deepest pointer, still give a message and a decision. */
static void the_longest_names_fit(void **state)
{
    char name[DT_POLICY_NAME_MAX];
    json_t *v = load("tests/data/policies/base_policy.json");
    dt_zones *zones = base_zones();
    dt_policy *p = NULL;
    dt_decision d;
    dt_policy_input in = {
        .user = "x", .trust = DT_TRUST_NOT_TRUSTED, .group_knowledge = DT_GROUPS_KNOWN};
    (void)state;
    memset(name, '"', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    json_t *last = json_array_get(json_object_get(v, "rules"), 2);
    json_object_set_new(last, "name", json_string(name));
    assert_int_equal(policy_parse(v, zones, &p, NULL), DT_OK);
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.cause, DT_DECISION_RULE);
    assert_string_equal(d.rule, name);
    dt_policy_free(&p);
    dt_zones_free(&zones);
    json_decref(v);
}

static void a_hash_is_kept_whole_or_not_at_all(void **state)
{
    static char const hash[65] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    json_t *v = policy_of_rules(1);
    dt_policy *p = NULL;
    (void)state;
    assert_int_equal(policy_parse(v, NULL, &p, NULL), DT_OK);
    dt_policy_set_hash(p, hash);
    assert_string_equal(dt_policy_hash(p), hash);
    assert_string_equal(dt_policy_hash(NULL), "");
    dt_policy_free(&p);
    json_decref(v);
}

/* --- memory that runs out --------------------------------------------------------------------- */

static void every_allocation_may_fail(void **state)
{
    json_t *zv = load("tests/data/policies/base_zones.json");
    json_t *pv = load("tests/data/policies/base_policy.json");
    dt_json *zt = tree_of(zv), *pt = tree_of(pv);
    dt_zones *zones = base_zones();
    int rc = DT_E_NOMEM;
    long n;
    (void)state;

    for (n = 0; rc != DT_OK; n++) {
        dt_zones *z = NULL;
        dt_error e = {0};
        allocations_left = n;
        rc = dt_zones_parse(zt, "zones.json", &z, &e);
        allocations_left = -1;
        assert_true(rc == DT_OK || (rc == DT_E_NOMEM && e.code == DT_E_NOMEM && z == NULL));
        dt_zones_free(&z);
    }
    assert_true(n > 3);
    rc = DT_E_NOMEM;
    for (n = 0; rc != DT_OK; n++) {
        dt_policy *p = NULL;
        dt_error e = {0};
        allocations_left = n;
        rc = dt_policy_parse(pt, "sshd.json", zones, &p, &e);
        allocations_left = -1;
        assert_true(rc == DT_OK || (rc == DT_E_NOMEM && e.code == DT_E_NOMEM && p == NULL));
        dt_policy_free(&p);
    }
    assert_true(n > 4);
    dt_zones_free(&zones);
    dt_json_free(&zt);
    dt_json_free(&pt);
    json_decref(zv);
    json_decref(pv);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(bad_policies_are_refused),
        cmocka_unit_test(all_faults_are_gathered),
        cmocka_unit_test(many_faults_are_counted),
        cmocka_unit_test(bad_rules_of_the_org_are_refused),
        cmocka_unit_test(bad_zones_are_refused),
        cmocka_unit_test(the_base_is_good),
        cmocka_unit_test(a_zone_needs_a_zones_file),
        cmocka_unit_test(samples_decide_as_the_guide_says),
        cmocka_unit_test(sample_zones_are_good),
        cmocka_unit_test(many_rules_are_fine),
        cmocka_unit_test(too_many_rules_are_refused),
        cmocka_unit_test(the_most_zones_fit),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(a_hash_is_kept_whole_or_not_at_all),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("policy_parse", tests, NULL, NULL);
}
