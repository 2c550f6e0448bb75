/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An org's document of any content: refused, or turned into a policy and zones that load, and that
 * decide consistently; never more permissive with `tighten` than without. Then the same policy as
 * the table of cases and as both sides of a comparison.
 *
 * Input: 1 byte of options, then the document. */
#include "devtrustctl/policy/okta_import.h"
#include "core/policy/policy.h"
#include "devtrustctl/policy/policy_cases.h"
#include "devtrustctl/policy/policy_diff.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void on_note(void *ctx, dt_import_note const *n)
{
    size_t *counts = ctx;

    must(n->kind >= 0 && n->kind < DT_IMPORT_KINDS && n->rule != NULL);
    must(n->text[0] != '\0' && (n->pointer[0] == '\0' || n->pointer[0] == '/'));
    counts[n->kind]++;
}

static void on_difference(void *ctx, dt_diff_note const *n)
{
    (void)ctx;
    must(n->rule != NULL && n->member != NULL);
}

static void on_case(void *ctx, dt_case_result const *r)
{
    (void)ctx;
    must(r->wrong_count <= DT_CASE_WRONG_MAX && r->name != NULL);
}

static dt_json *tree_of(dt_buf const *b)
{
    dt_json *tree = NULL;

    must(dt_json_parse(dt_buf_bytes(b), &tree, NULL) == DT_OK);
    return tree;
}

/* A policy differs in nothing from itself. */
static void check_diff(dt_json const *policy, dt_json const *zones)
{
    size_t count = 99;
    dt_error e = {0};

    if (dt_policy_diff(policy, policy, on_difference, NULL, &count, &e) == DT_OK)
        must(count == 0);
    if (dt_zones_diff(zones, zones, on_difference, NULL, &count, &e) == DT_OK)
        must(count == 0);
}

static void check_made(dt_buf const *policy_text, dt_buf const *zones_text, dt_json const *document,
                       size_t count)
{
    dt_json *policy_tree = tree_of(policy_text), *zones_tree = tree_of(zones_text);
    dt_zones *zones = NULL;
    dt_policy *policy = NULL;
    size_t failed = 0;
    dt_error e = {0};

    must(dt_zones_parse(zones_tree, "zones", &zones, &e) == DT_OK);
    must(dt_policy_parse(policy_tree, "policy", zones, &policy, &e) == DT_OK);
    must(dt_policy_rule_count(policy) == count && count >= 1);
    check_diff(policy_tree, zones_tree);
    for (int org = 0; org < 2; org++) {
        dt_cases_rules const rules = {.policy = policy, .org = org ? policy : NULL};
        (void)dt_cases_run(dt_json_get(document, "cases"), "cases", &rules, on_case, NULL, &failed,
                           &e);
    }
    dt_policy_free(&policy);
    dt_zones_free(&zones);
    dt_json_free(&policy_tree);
    dt_json_free(&zones_tree);
}

static void import(dt_json const *document, bool tighten)
{
    size_t told[DT_IMPORT_KINDS] = {0};
    dt_import_options o = {.file = "org.json",
                           .application = "vpn",
                           .tighten = tighten,
                           .skip_zones = {"Skipped"},
                           .report = on_note,
                           .ctx = told};
    dt_import_counts counts;
    dt_buf policy, zones;
    dt_error e = {0};
    int rc;

    dt_buf_init(&policy, DT_POLICY_TEXT_MAX);
    dt_buf_init(&zones, DT_POLICY_TEXT_MAX);
    rc = dt_okta_import(document, &o, &policy, &zones, &counts, &e);
    must(memcmp(told, counts.of, sizeof(told)) == 0);
    /* What it makes loads, but where the org has more than ours may. */
    if (strncmp(e.text, "imported ", strlen("imported ")) == 0)
        must(strstr(e.text, "at most") != NULL);
    for (char const *c = e.text; *c != '\0'; c++)
        must((unsigned char)*c >= 0x20 && *c != 0x7f);
    if (rc != DT_OK || counts.of[DT_IMPORT_REFUSED] > 0)
        must(policy.len == 0 && zones.len == 0);
    else
        check_made(&policy, &zones, document, counts.rules);
    dt_buf_free(&policy);
    dt_buf_free(&zones);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_json *document = NULL;

    if (size < 1)
        return 0;
    if (dt_json_parse(dt_bytes_of(data + 1, size - 1), &document, NULL) != DT_OK)
        return 0;
    import(document, data[0] & 1);
    dt_json_free(&document);
    return 0;
}
