/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the answer of the simulation. Whatever is odd in it is an error: silence would pass for agreement. */
#include "devtrustctl/policy/simulate_answer.h"

#include <string.h>

typedef enum status { NOT_MATCH = 0, MATCH, UNDEFINED } status;

static int fail(dt_error *e, char const *what)
{
    return dt_error_set(e, DT_E_PARSE, "Okta's answer is malformed: %s", what);
}

static int status_of(dt_json const *v, status *out, dt_error *e)
{
    static char const *const words[] = {"NOT_MATCH", "MATCH", "UNDEFINED"};
    char const *word = dt_json_string(dt_json_get(v, "status"));

    for (int i = 0; word != NULL && i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (status)i;
            return DT_OK;
        }
    return fail(e, "a status that is not MATCH, NOT_MATCH or UNDEFINED");
}

/* A list, or nothing; no other thing. */
static int list_of(dt_json const *v, char const *member, dt_json const **out, dt_error *e)
{
    dt_json const *list = dt_json_get(v, member);
    dt_json_type type = dt_json_typeof(list);

    *out = type == DT_JSON_ARRAY ? list : NULL;
    if ((type != DT_JSON_ARRAY && type != DT_JSON_NULL && type != DT_JSON_NONE) ||
        dt_json_size(list) > DT_SIMULATE_LIST_MAX)
        return fail(e, "not a list, or too long");
    return DT_OK;
}

/* The type is a word, or a list of them. */
static bool is_access(dt_json const *evaluation)
{
    dt_json const *type = dt_json_get(evaluation, "policyType");
    char const *word = dt_json_string(type);

    if (word != NULL)
        return strcmp(word, "ACCESS_POLICY") == 0;
    for (size_t i = 0; i < dt_json_size(type); i++) {
        word = dt_json_string(dt_json_at(type, i));
        if (word != NULL && strcmp(word, "ACCESS_POLICY") == 0)
            return true;
    }
    return false;
}

/* The list of evaluations, in either form. */
static int evaluations_of(dt_json const *root, dt_json const **out, dt_error *e)
{
    dt_json const *first = dt_json_at(root, 0);

    *out = root;
    if (dt_json_typeof(root) == DT_JSON_OBJECT)
        first = root;
    else if (dt_json_typeof(root) != DT_JSON_ARRAY)
        return fail(e, "no list of evaluations");
    if (dt_json_get(first, "evaluation") != NULL) {
        if (first != root && dt_json_size(root) != 1)
            return fail(e, "more answers than questions");
        return list_of(first, "evaluation", out, e);
    }
    return first == root ? fail(e, "no list of evaluations") : DT_OK;
}

/* The one ACCESS_POLICY evaluation. */
static int evaluation_of(dt_json const *root, dt_json const **out, dt_error *e)
{
    dt_json const *all;
    int rc = evaluations_of(root, &all, e);

    *out = NULL;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(all); i++) {
        dt_json const *one = dt_json_at(all, i);
        if (!is_access(one))
            continue;
        if (*out != NULL)
            return fail(e, "two evaluations of ACCESS_POLICY");
        *out = one;
    }
    if (rc == DT_OK && *out == NULL)
        rc = fail(e, "no evaluation of ACCESS_POLICY");
    return rc;
}

/* The rule that holds, of the policy's in the result. */
static int rule_of(dt_json const *policy, dt_simulate_answer *out, dt_error *e)
{
    dt_json const *rules;
    int rc = list_of(policy, "rules", &rules, e);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(rules); i++) {
        status s = NOT_MATCH;
        char const *id = dt_json_string(dt_json_get(dt_json_at(rules, i), "id"));
        rc = status_of(dt_json_at(rules, i), &s, e);
        if (rc == DT_OK && id == NULL)
            rc = fail(e, "a rule without an id");
        if (rc == DT_OK && s == UNDEFINED)
            out->undefined = true;
        if (rc != DT_OK || s != MATCH)
            continue;
        if (out->rule != NULL)
            return fail(e, "two rules match");
        out->rule = id;
    }
    return rc;
}

/* Rules that Okta could not decide come before the one that it names: then that one is not sure. */
static int undefined_of(dt_json const *evaluation, dt_simulate_answer *out, dt_error *e)
{
    dt_json const *policies;
    int rc = list_of(dt_json_get(evaluation, "undefined"), "policies", &policies, e);

    out->undefined = out->undefined || dt_json_size(policies) > 0;
    return rc;
}

int dt_simulate_answer_read(dt_json const *root, char const *policy, dt_simulate_answer *out,
                            dt_error *e)
{
    dt_json const *evaluation, *policies = NULL;
    int rc = evaluation_of(root, &evaluation, e);

    *out = (dt_simulate_answer){.rule = NULL};
    if (rc == DT_OK && dt_json_typeof(dt_json_get(evaluation, "result")) != DT_JSON_OBJECT)
        rc = fail(e, "no result");
    if (rc == DT_OK)
        rc = list_of(dt_json_get(evaluation, "result"), "policies", &policies, e);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(policies); i++) {
        char const *id = dt_json_string(dt_json_get(dt_json_at(policies, i), "id"));
        status s = NOT_MATCH;
        rc = status_of(dt_json_at(policies, i), &s, e);
        if (rc == DT_OK && (id == NULL || strcmp(id, policy) != 0))
            rc = fail(e, "the result is of another policy");
        if (rc == DT_OK && s == UNDEFINED)
            out->undefined = true;
        if (rc == DT_OK)
            rc = rule_of(dt_json_at(policies, i), out, e);
    }
    return rc == DT_OK ? undefined_of(evaluation, out, e) : rc;
}
