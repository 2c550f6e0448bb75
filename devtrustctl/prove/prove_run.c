/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the prover, and printing its answers. */
#include "devtrustctl/prove/prove_run.h"

#include "devtrustctl/prove/prove_against.h"
#include "devtrustctl/prove/prove_rules.h"
#include "devtrustctl/prove/prove_show.h"

#include "core/base/json.h"

#include <string.h>
#include <time.h>

#define HIDING_TEXT_MAX 4096

static int64_t clock_now(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void dt_proving_init(dt_proving *p)
{
    memset(p, 0, sizeof(*p));
    p->unknown_as = p->org_mfa = -1;
    p->seconds = DT_PROVE_SECONDS;
    dt_buf_init(&p->properties_json, DT_PROVE_JSON_MAX);
    dt_buf_init(&p->findings_json, DT_PROVE_JSON_MAX);
}

/* What the site has configured is so for every sign-on. */
static int settings_require(dt_proving *p)
{
    dt_space *s = p->v.s;
    int rc = DT_OK;

    if (p->unknown_as >= 0)
        rc = dt_prover_require(
            &p->v, dt_term_equals(s->f, s->unknown_denies, p->unknown_as == DT_UNKNOWN_DENY));
    if (rc == DT_OK && p->org_mfa >= 0)
        rc = dt_prover_require(
            &p->v, dt_term_equals(s->f, s->org_waives, p->org_mfa == DT_ORG_MFA_UNLESS_TRUSTED));
    return rc;
}

int dt_proving_begin(dt_proving *p, dt_error *e)
{
    dt_policy const *conditions[2];
    int rc = dt_outsiders_new(p->v.sides[0].app, &p->outsiders, e);

    p->v.now = clock_now;
    p->v.deadline = clock_now() + p->seconds * 1000;
    conditions[0] = p->outsiders;
    conditions[1] = p->properties != NULL ? p->properties->conditions : NULL;
    if (rc == DT_OK)
        rc = dt_prover_begin(&p->v, conditions, 2, e);
    if (rc == DT_OK && settings_require(p) != DT_OK)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    return rc;
}

void dt_proving_free(dt_proving *p)
{
    dt_prover_free(&p->v);
    dt_policy_free(&p->outsiders);
    dt_buf_free(&p->properties_json);
    dt_buf_free(&p->findings_json);
}

dt_ctl_exit dt_proving_exit(dt_proving const *p)
{
    if (p->disagreed > 0)
        return DT_CTL_DISAGREES;
    if (p->refuted > 0)
        return DT_CTL_NO;
    return p->undecided > 0 ? DT_CTL_OPEN : DT_CTL_YES;
}

/* --- properties -------------------------------------------------------------------------------- */

static char const *proof_word(dt_proof proof)
{
    switch (proof) {
    case DT_PROOF_NEVER:
        return "proved";
    case DT_PROOF_FOUND:
        return "refuted";
    case DT_PROOF_DISAGREES:
        return "disagreement";
    case DT_PROOF_UNDECIDED:
        break;
    }
    return "undecided";
}

static void put_property(dt_proving *p, char const *kind, char const *name, char const *text,
                         char const *result)
{
    dt_buf *b = &p->properties_json;

    dt_buf_puts(b, b->len > 0 ? ",{" : "{");
    dt_out_member(b, "kind", kind);
    dt_out_member(b, "name", name);
    if (text[0] != '\0')
        dt_out_member(b, "text", text);
    dt_out_member(b, "result", result);
}

/* A sign-on on which the terms and the evaluator do not agree is a fault of devtrust, and says so. */
static void show_disagreement(dt_proving *p)
{
    dt_err_line("internal error: the prover and the evaluator do not agree about this sign-on; "
                "report it together with the policy, and do not rely on either");
    p->disagreed++;
}

static void count(dt_proving *p, dt_proof proof)
{
    p->proved += proof == DT_PROOF_NEVER;
    p->refuted += proof == DT_PROOF_FOUND;
    p->undecided += proof == DT_PROOF_UNDECIDED;
    if (proof == DT_PROOF_DISAGREES)
        show_disagreement(p);
}

static void print_finding(dt_proving *p, char const *kind, char const *name, char const *text,
                          dt_proof proof)
{
    dt_prove_decision d, old = {.own = {.access = DT_ACCESS_DENY}};
    bool found = proof == DT_PROOF_FOUND || proof == DT_PROOF_DISAGREES;

    put_property(p, kind, name, text, proof_word(proof));
    if (!p->json)
        dt_out_line("%-11s %s%s%s", proof == DT_PROOF_FOUND ? "REFUTED" : proof_word(proof), name,
                    text[0] != '\0' ? ": " : "", text);
    if (found) {
        dt_prove_decide(&p->v.sides[0], p->v.request, &d);
        if (p->v.has_old)
            dt_prove_decide(&p->v.sides[1], p->v.request, &old);
        if (!p->json)
            dt_prove_show(&p->v, &d, p->v.has_old ? &old : NULL);
        dt_prove_put_json(&p->v, &d, &p->properties_json);
        if (p->v.has_old)
            dt_out_member(&p->properties_json, "before", dt_access_name(old.both.access));
    }
    dt_buf_putc(&p->properties_json, '}');
    count(p, proof);
}

void dt_proving_builtins(dt_proving *p)
{
    for (int b = 0; b < DT_BUILTIN_COUNT; b++) {
        char const *name = dt_builtin_name((dt_builtin)b), *why;
        dt_term broken;

        if (p->skip[b])
            continue;
        if (dt_builtin_broken(&p->v, (dt_builtin)b, p->outsiders, &broken, &why)) {
            print_finding(p, "builtin", name, dt_builtin_text((dt_builtin)b),
                          dt_prover_find(&p->v, broken));
            continue;
        }
        p->not_asked++;
        put_property(p, "builtin", name, why, "not asked");
        dt_buf_putc(&p->properties_json, '}');
        if (!p->json)
            dt_out_line("%-11s %s: %s", "not asked", name, why);
    }
}

/* The evaluator must find the property broken, too. */
void dt_proving_own(dt_proving *p)
{
    for (size_t i = 0; p->properties != NULL && i < p->properties->count; i++) {
        dt_proof proof = dt_prover_find(&p->v, dt_prove_broken(&p->v, p->properties, i));
        dt_prove_decision d;

        if (proof == DT_PROOF_FOUND) {
            dt_prove_decide(&p->v.sides[0], p->v.request, &d);
            if (!dt_property_is_broken(p->properties, i, &p->v.request->in, d.both.access))
                proof = DT_PROOF_DISAGREES;
        }
        print_finding(p, "own", p->properties->items[i].name, "", proof);
    }
}

/* --- rules ------------------------------------------------------------------------------------- */

static void put_hiding(dt_policy const *policy, size_t const *hiding, size_t n, dt_buf *text,
                       dt_buf *json)
{
    dt_buf_puts(json, ",\"hiddenBy\":[");
    for (size_t k = 0; k < n; k++) {
        dt_buf_printf(text, "%s\"%s\"", k > 0 ? ", " : "", policy->rules[hiding[k]].name);
        dt_buf_puts(json, k > 0 ? "," : "");
        dt_json_put_string(json, policy->rules[hiding[k]].name);
    }
    dt_buf_putc(json, ']');
}

static void report_finding(dt_proving *p, bool org, size_t i, dt_rule_report const *report)
{
    dt_policy const *policy = org ? p->v.sides[0].org : p->v.sides[0].app;
    char const *name = policy->rules[i].name, *of = org ? "the org's rule" : "rule";
    dt_rule_finding finding = report->of[i];
    size_t n = report->hiding_count[i];
    char text[HIDING_TEXT_MAX];
    dt_buf b, *json = &p->findings_json;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(json, json->len > 0 ? ",{" : "{");
    dt_out_member(json, "kind", finding == DT_RULE_REDUNDANT ? "redundant" : "never matches");
    dt_out_member(json, org ? "orgRule" : "rule", name);
    if (finding == DT_RULE_HIDDEN)
        put_hiding(policy, report->hiding[i], n, &b, json);
    dt_buf_putc(json, '}');
    if (p->json || p->findings++ >= DT_PROVE_FINDINGS_SHOWN)
        return;
    if (finding == DT_RULE_REDUNDANT)
        dt_out_line("finding     %s \"%s\" is redundant: without it every sign-on gets the same",
                    of, name);
    else if (n > 0)
        dt_out_line("finding     %s \"%s\" never matches: hidden by %s", of, name, text);
    else
        dt_out_line("finding     %s \"%s\" never matches: no sign-on fits its conditions", of,
                    name);
}

static int rules_of(dt_proving *p, bool org, dt_error *e)
{
    dt_rule_report report;
    size_t open = 0;
    int rc = dt_prove_rules(&p->v, org, &report, e);

    if (rc != DT_OK)
        return rc;
    for (size_t i = 0; i < report.count; i++) {
        open += report.of[i] == DT_RULE_UNDECIDED;
        if (report.of[i] == DT_RULE_HIDDEN || report.of[i] == DT_RULE_REDUNDANT)
            report_finding(p, org, i, &report);
    }
    p->open += open;
    if (open > 0 && !p->json)
        dt_out_line("open        of %zu rules, whether they matter: time is up", open);
    if (report.disagrees)
        show_disagreement(p);
    dt_rule_report_free(&report);
    return DT_OK;
}

int dt_proving_rules(dt_proving *p, dt_error *e)
{
    int rc = rules_of(p, false, e);

    if (rc == DT_OK && p->v.sides[0].org != NULL)
        rc = rules_of(p, true, e);
    if (p->findings > DT_PROVE_FINDINGS_SHOWN && !p->json)
        dt_out_line("finding     and %zu more; --json has all",
                    p->findings - DT_PROVE_FINDINGS_SHOWN);
    return rc;
}

/* --- against ----------------------------------------------------------------------------------- */

/* The evaluator must give more to one side, too. */
static dt_proof find_more(dt_proving *p, dt_term more, size_t side, dt_more *kind)
{
    dt_proof proof = dt_prover_find(&p->v, more);
    dt_prove_decision d[2];

    *kind = DT_MORE_NOTHING;
    if (proof != DT_PROOF_FOUND)
        return proof;
    for (size_t i = 0; i < 2; i++)
        dt_prove_decide(&p->v.sides[i], p->v.request, &d[i]);
    *kind = dt_decision_more(&p->v.sides[side], &d[side].both, &p->v.sides[1 - side],
                             &d[1 - side].both);
    return *kind == DT_MORE_NOTHING ? DT_PROOF_DISAGREES : proof;
}

int dt_proving_against(dt_proving *p, dt_error *e)
{
    dt_term more, less;
    dt_more kind;
    dt_proof proof;
    size_t refuted;
    int rc = dt_prove_more(&p->v, 0, &more, e);

    if (rc == DT_OK)
        rc = dt_prove_more(&p->v, 1, &less, e);
    if (rc != DT_OK)
        return rc;
    proof = find_more(p, more, 0, &kind);
    print_finding(p, "against", "tightens",
                  proof == DT_PROOF_FOUND ? dt_more_text(kind) : "no sign-on gets more than before",
                  proof);
    /* That somebody gets less is no fault. */
    refuted = p->refuted;
    proof = find_more(p, less, 1, &kind);
    if (proof == DT_PROOF_NEVER && !p->json)
        dt_out_line("same        no sign-on gets less than before");
    else if (proof == DT_PROOF_FOUND && !p->json)
        dt_out_line("less        a sign-on gets less than before: %s", dt_more_text(kind));
    put_property(p, "against", "less", proof == DT_PROOF_FOUND ? dt_more_text(kind) : "",
                 proof == DT_PROOF_NEVER   ? "nobody"
                 : proof == DT_PROOF_FOUND ? "somebody"
                                           : proof_word(proof));
    if (proof == DT_PROOF_FOUND) {
        dt_prove_decision d[2];
        for (size_t i = 0; i < 2; i++)
            dt_prove_decide(&p->v.sides[i], p->v.request, &d[i]);
        if (!p->json)
            dt_prove_show(&p->v, &d[0], &d[1]);
        dt_prove_put_json(&p->v, &d[0], &p->properties_json);
        dt_out_member(&p->properties_json, "before", dt_access_name(d[1].both.access));
    }
    dt_buf_putc(&p->properties_json, '}');
    if (proof == DT_PROOF_DISAGREES)
        show_disagreement(p);
    p->undecided += proof == DT_PROOF_UNDECIDED;
    p->refuted = refuted;
    return DT_OK;
}
