/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows an explanation: as lines for people, and as JSON with the words of the audit events. */
#include "devtrustctl/ctl.h"
#include "devtrustctl/explain.h"

#include "core/base/json.h"
#include "core/policy/policy_explain.h"

#include <string.h>

#define PART_MAX 1024 /* of a line that is put together of words of our own */
#define FACTOR_WORDS_MAX 16

static char const *finding_name(dt_finding f)
{
    switch (f) {
    case DT_FINDING_FOR:
        return "FOR";
    case DT_FINDING_UNKNOWN:
        return "UNKNOWN";
    case DT_FINDING_AGAINST:
        break;
    }
    return "AGAINST";
}

static char const *source_text(dt_source s)
{
    char const *name = dt_source_name(s);

    return name != NULL ? name : "";
}

unsigned dt_explanation_factors(dt_explanation const *x)
{
    if (x->outcome->decision.access != DT_ACCESS_ALLOW_AFTER_MFA)
        return DT_FACTOR_NONE;
    return x->outcome->decision.factors & x->config->mfa.factors;
}

bool dt_explanation_allows(dt_explanation const *x)
{
    dt_decision const *d = &x->outcome->decision;

    if (d->cause != DT_DECISION_RULE)
        return false;
    return d->access == DT_ACCESS_ALLOW ||
           (d->access == DT_ACCESS_ALLOW_AFTER_MFA && dt_explanation_factors(x) != 0);
}

static void put_sources(dt_buf *b, unsigned sources)
{
    bool first = true;

    for (unsigned bit = 1; bit <= DT_SOURCE_REGISTRY; bit <<= 1) {
        if ((sources & bit) == 0)
            continue;
        dt_buf_puts(b, first ? "" : "+");
        dt_buf_puts(b, source_text((dt_source)bit));
        first = false;
    }
}

/* --- for people ------------------------------------------------------------------------------- */

static void print_groups(dt_explanation const *x)
{
    static char const *const from[] = {
        [DT_EXPLAIN_GROUPS_UNKNOWN] = "not known; name them with --groups",
        [DT_EXPLAIN_GROUPS_GIVEN] = "as given",
        [DT_EXPLAIN_GROUPS_HOST] = "by this host",
        [DT_EXPLAIN_GROUPS_OKTA] = "by Okta",
        [DT_EXPLAIN_GROUPS_NOT_NEEDED] = "no rule asks",
    };
    char shown[DT_GROUP_SHOWN_MAX];
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_printf(&b, "groups       (%s)", from[x->groups]);
    /* The sign-on carries no others along. */
    if (x->input.group_knowledge == DT_GROUPS_KNOWN)
        dt_buf_puts(&b,
                    x->input.group_count > 0 ? " of those in rules:" : " none that a rule names");
    for (size_t i = 0; i < x->input.group_count; i++)
        dt_buf_printf(&b, "%s %s", i > 0 ? "," : "",
                      dt_policy_group_shown(x->policy, x->input.groups[i], shown));
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static void print_who(dt_explanation const *x)
{
    char at[25];

    dt_out_line("application  %s, policy sha256 %s", dt_policy_application(x->policy),
                dt_policy_hash(x->policy));
    dt_out_line("person       %s, at Okta %s", x->input.user, x->input.login);
    print_groups(x);
    dt_out_line("from         %s",
                x->client_ip[0] != '\0' ? x->client_ip : "(no address: in no zone)");
    dt_time_format(at, x->input.now);
    dt_out_line("at           %s%s", at, x->input.utc_offset_known ? "" : ", local time not known");
    for (size_t i = 0; i < x->assumed_count; i++)
        dt_out_line("ASSUMED      %s", x->assumed[i]);
    for (size_t i = 0; i < x->note_count; i++)
        dt_out_line("note         %s", x->notes[i]);
}

static void print_evidence(dt_explanation const *x, dt_evidence const *e)
{
    char text[PART_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "evidence     %-11s %-8s %s", source_text(e->source),
                  e->assurance == DT_PROVED ? "proved" : "asserted", finding_name(e->finding));
    if (e->reason != DT_REASON_NONE)
        dt_buf_printf(&b, " %s", dt_reason_name(e->reason));
    if (dt_guid_is_set(&e->device_id))
        dt_buf_printf(&b, ", device %s", e->device_id.text);
    if (e->device_name[0] != '\0')
        dt_buf_printf(&b, " \"%s\"", e->device_name);
    if (e->platform != DT_PLATFORM_UNKNOWN)
        dt_buf_printf(&b, ", %s", dt_platform_name(e->platform));
    dt_buf_puts(&b, ", ");
    dt_explain_put_age(&b, e->observed, x->now);
    dt_out_buf(&b);
}

static void print_device(dt_explanation const *x)
{
    dt_verdict const *v = &x->outcome->verdict;
    char text[PART_MAX];
    dt_buf b;

    if (x->evidence->count == 0)
        dt_out_line("evidence     none");
    for (size_t i = 0; i < x->evidence->count && i < DT_EVIDENCE_MAX; i++)
        print_evidence(x, &x->evidence->items[i]);
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "verdict      %s", dt_trust_name(v->trust));
    if (v->reason != DT_REASON_TRUSTED)
        dt_buf_printf(&b, ", %s", dt_reason_name(v->reason));
    if (v->sources != 0) {
        dt_buf_puts(&b, ", by ");
        put_sources(&b, v->sources);
    }
    dt_out_buf(&b);
    if (x->outcome->detail[0] != '\0')
        dt_out_line("detail       %s", x->outcome->detail);
}

/* "* " marks the rule that decided. A rule below it may hold as well and is not asked. */
static void print_rules(dt_explanation const *x, dt_policy const *policy, dt_decision const *d,
                        char const *word)
{
    bool decided = d->cause != DT_DECISION_RULE;

    for (size_t i = 0; i < dt_policy_rule_count(policy); i++) {
        dt_rule_explanation r;
        dt_policy_explain(policy, i, &x->input, &x->from, &r);
        bool decides = r.failed == DT_CONDITION_NONE && !decided;

        if (decides)
            dt_out_line("%-12s * \"%s\": matches", word, r.name);
        else if (r.failed == DT_CONDITION_NONE)
            dt_out_line("%-12s   \"%s\": would match, but is not reached", word, r.name);
        else if (r.failed == DT_CONDITION_INACTIVE)
            dt_out_line("%-12s   \"%s\": is inactive", word, r.name);
        else
            dt_out_line("%-12s   \"%s\": %s: %s: %s", word, r.name,
                        dt_policy_rule_is_unknown(policy, i, &x->input) ? "is not known"
                                                                        : "does not match",
                        dt_condition_name(r.failed), r.compared);
        decided = decided || decides;
    }
}

static void put_mfa(dt_explanation const *x, dt_buf *b)
{
    unsigned factors = dt_explanation_factors(x);
    char frequency[DT_DURATION_TEXT_MAX];
    char const *word;
    bool first = true;

    dt_buf_printf(b, ", MFA %s by", dt_decision_frequency_text(frequency, &x->outcome->decision));
    while ((word = dt_factor_word_next(&factors)) != NULL) {
        dt_buf_printf(b, "%s %s", first ? "" : " or", word);
        first = false;
    }
    if (first)
        dt_buf_puts(b, " nothing: [mfa] factors and the rule have none in common");
}

static char const *unknown_text(dt_decision_cause c)
{
    switch (c) {
    case DT_DECISION_UNKNOWN_GROUPS:
        return "a rule that was reached needs groups, which are not known";
    case DT_DECISION_UNKNOWN_NETWORK:
        return "a rule that was reached, or a BLOCKLIST zone, needs the address, which is not "
               "known";
    case DT_DECISION_UNKNOWN_PLATFORM:
        return "a rule that was reached needs the platform, which is not known";
    case DT_DECISION_UNKNOWN_TIME:
        return "a rule that was reached needs the time, which is not known";
    default:
        return "no rule matches";
    }
}

static void print_decision(dt_explanation const *x)
{
    dt_decision const *d = &x->outcome->decision;
    char text[PART_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "decision     %s", dt_access_name(d->access));
    switch (d->cause) {
    case DT_DECISION_RULE:
        dt_buf_printf(&b, " by rule \"%s\"", d->rule);
        break;
    case DT_DECISION_UNKNOWN_DEVICE:
        dt_buf_puts(&b, ": the device's state is unknown, and [policy] unknown_device_as = deny");
        break;
    case DT_DECISION_BLOCKED_ZONE:
        dt_buf_puts(&b, ": the address is in the BLOCKLIST zone \"");
        dt_buf_put_escaped(&b, dt_bytes_str(dt_policy_blocking_zone(x->policy, &x->input)));
        dt_buf_putc(&b, '"');
        break;
    case DT_DECISION_NO_RULE:
        if (x->outcome->org.rule[0] != '\0' && x->outcome->org.access == DT_ACCESS_DENY)
            dt_buf_printf(&b, " by the org's rule \"%s\"", x->outcome->org.rule);
        else
            dt_buf_puts(&b, ": no rule matches");
        break;
    default:
        dt_buf_printf(&b, ": %s", unknown_text(d->cause));
        break;
    }
    if (d->access == DT_ACCESS_ALLOW_AFTER_MFA)
        put_mfa(x, &b);
    if (x->outcome->org_mfa)
        dt_buf_printf(&b, ", as the org's rule \"%s\" asks", x->outcome->org.rule);
    dt_out_buf(&b);
}

static void put_factor_words(dt_buf *b, unsigned factors)
{
    char const *word;

    if (factors == 0)
        dt_buf_puts(b, " none");
    while ((word = dt_factor_word_next(&factors)) != NULL)
        dt_buf_printf(b, " %s", word);
}

/* The account is there and may sign on, and Okta has listed its factors. */
static bool has_factor_list(dt_person_at_okta const *p)
{
    return p->known && (p->cause == DT_CAUSE_NONE || p->cause == DT_CAUSE_MFA_NO_FACTOR);
}

static void print_person(dt_explanation const *x)
{
    dt_person_at_okta const *p = x->person;
    char text[PART_MAX];
    dt_buf b;

    if (p == NULL)
        return;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "at Okta      ");
    if (!has_factor_list(p))
        dt_buf_printf(&b, "%s%s", p->known ? "" : "not known: ", dt_cause_name(p->cause));
    else {
        dt_buf_puts(&b, "found; enrolled:");
        put_factor_words(&b, p->enrolled);
    }
    if (has_factor_list(p) && x->outcome->decision.access == DT_ACCESS_ALLOW_AFTER_MFA) {
        dt_buf_puts(&b, "; of these for this rule:");
        put_factor_words(&b, p->usable);
    }
    dt_out_buf(&b);
}

void dt_explanation_print(dt_explanation const *x)
{
    print_who(x);
    print_device(x);
    if (x->org != NULL)
        print_rules(x, x->org, &x->outcome->org, "org rule");
    print_rules(x, x->policy, &x->outcome->decision, "rule");
    print_decision(x);
    print_person(x);
    if (x->outcome->message[0] != '\0')
        dt_out_line("message      %s", x->outcome->message);
    dt_out_line("asked        Graph calls %d, Okta calls %d, OCSP calls %d",
                x->outcome->graph_calls, x->outcome->okta_calls, x->outcome->ocsp_calls);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_name(dt_buf *b, char const *name)
{
    if (b->len > 0 && b->p[b->len - 1] != '{')
        dt_buf_putc(b, ',');
    dt_json_put_string(b, name);
    dt_buf_putc(b, ':');
}

/* An empty text is null. */
static void put_member(dt_buf *b, char const *name, char const *text)
{
    put_name(b, name);
    if (text == NULL || *text == '\0')
        dt_buf_puts(b, "null");
    else
        dt_json_put_string(b, text);
}

static void put_bool(dt_buf *b, char const *name, bool value)
{
    put_name(b, name);
    dt_buf_puts(b, value ? "true" : "false");
}

static void put_int(dt_buf *b, char const *name, int64_t value)
{
    put_name(b, name);
    dt_buf_put_int(b, value);
}

static void put_texts(dt_buf *b, char const *name, char const *const *texts, size_t count)
{
    put_name(b, name);
    dt_buf_putc(b, '[');
    for (size_t i = 0; i < count; i++) {
        dt_buf_puts(b, i > 0 ? "," : "");
        dt_json_put_string(b, texts[i] + (dt_group_is_id(texts[i]) ? 1 : 0));
    }
    dt_buf_putc(b, ']');
}

static void put_evidence(dt_explanation const *x, dt_buf *b)
{
    put_name(b, "evidence");
    dt_buf_putc(b, '[');
    for (size_t i = 0; i < x->evidence->count && i < DT_EVIDENCE_MAX; i++) {
        dt_evidence const *e = &x->evidence->items[i];

        dt_buf_puts(b, i > 0 ? ",{" : "{");
        put_member(b, "source", source_text(e->source));
        put_bool(b, "proved", e->assurance == DT_PROVED);
        put_member(b, "finding", finding_name(e->finding));
        put_member(b, "reason", dt_reason_name(e->reason));
        put_member(b, "deviceId", e->device_id.text);
        put_member(b, "deviceName", e->device_name);
        put_member(b, "platform", dt_platform_name(e->platform));
        put_member(b, "keyId", e->key_id);
        put_int(b, "age",
                e->observed > 0 && e->observed < x->now ? (x->now - e->observed) / 1000 : 0);
        dt_buf_putc(b, '}');
    }
    dt_buf_putc(b, ']');
}

static void put_verdict(dt_explanation const *x, dt_buf *b)
{
    dt_verdict const *v = &x->outcome->verdict;
    char text[PART_MAX];
    dt_buf sources;

    dt_buf_init_fixed(&sources, text, sizeof(text));
    put_sources(&sources, v->sources);
    put_name(b, "verdict");
    dt_buf_putc(b, '{');
    put_member(b, "trust", dt_trust_name(v->trust));
    put_member(b, "reason", dt_reason_name(v->reason));
    put_member(b, "sources", text);
    put_member(b, "deviceId", v->device_id.text);
    put_member(b, "deviceName", v->device_name);
    put_member(b, "platform", dt_platform_name(v->platform));
    dt_buf_putc(b, '}');
}

static void put_rules(dt_explanation const *x, char const *name, dt_policy const *policy, dt_buf *b)
{
    put_name(b, name);
    dt_buf_putc(b, '[');
    for (size_t i = 0; i < dt_policy_rule_count(policy); i++) {
        dt_rule_explanation r;

        dt_policy_explain(policy, i, &x->input, &x->from, &r);
        dt_buf_puts(b, i > 0 ? ",{" : "{");
        put_member(b, "name", r.name);
        put_int(b, "priority", r.priority);
        put_bool(b, "matches", r.failed == DT_CONDITION_NONE);
        put_member(b, "failed", r.failed == DT_CONDITION_NONE ? NULL : dt_condition_name(r.failed));
        put_member(b, "compared", r.compared);
        dt_buf_putc(b, '}');
    }
    dt_buf_putc(b, ']');
}

static void put_factors(dt_buf *b, char const *name, unsigned bits)
{
    char const *words[FACTOR_WORDS_MAX];
    size_t count = 0;

    while (count < FACTOR_WORDS_MAX && (words[count] = dt_factor_word_next(&bits)) != NULL)
        count++;
    put_texts(b, name, words, count);
}

static void put_person_at_okta(dt_explanation const *x, dt_buf *b)
{
    dt_person_at_okta const *p = x->person;

    if (p == NULL)
        return;
    put_name(b, "okta");
    dt_buf_putc(b, '{');
    put_bool(b, "known", p->known);
    put_member(b, "cause", p->cause == DT_CAUSE_NONE ? NULL : dt_cause_name(p->cause));
    if (has_factor_list(p)) {
        put_factors(b, "enrolled", p->enrolled);
        put_factors(b, "usable", p->usable);
    }
    dt_buf_putc(b, '}');
}

static void put_decision(dt_explanation const *x, dt_buf *b)
{
    dt_decision const *d = &x->outcome->decision;
    bool mfa = d->access == DT_ACCESS_ALLOW_AFTER_MFA;
    char frequency[DT_DURATION_TEXT_MAX];

    put_name(b, "decision");
    dt_buf_putc(b, '{');
    put_member(b, "access", dt_access_name(d->access));
    put_member(b, "cause", dt_decision_cause_name(d->cause));
    put_member(b, "rule", d->rule);
    put_member(b, "frequency", mfa ? dt_decision_frequency_text(frequency, d) : NULL);
    put_factors(b, "factors", dt_explanation_factors(x));
    put_member(b, "orgRule", x->outcome->org.rule);
    put_member(b, "orgAccess",
               x->outcome->org.rule[0] != '\0' ? dt_access_name(x->outcome->org.access) : NULL);
    put_bool(b, "orgMfa", x->outcome->org_mfa);
    dt_buf_putc(b, '}');
}

static void put_person(dt_explanation const *x, dt_buf *b)
{
    char at[25];

    put_member(b, "application", dt_policy_application(x->policy));
    put_member(b, "policyHash", dt_policy_hash(x->policy));
    put_member(b, "user", x->input.user);
    put_member(b, "login", x->input.login);
    put_member(b, "clientIp", x->client_ip);
    dt_time_format(at, x->input.now);
    put_member(b, "time", at);
    put_bool(b, "groupsKnown", x->input.group_knowledge == DT_GROUPS_KNOWN);
    put_texts(b, "groups", x->input.groups, x->input.group_count);
    put_texts(b, "assumed", x->assumed, x->assumed_count);
    put_texts(b, "notes", x->notes, x->note_count);
}

void dt_explanation_print_json(dt_explanation const *x)
{
    dt_buf b;

    dt_buf_init(&b, DT_EXPLANATION_JSON_MAX);
    dt_buf_putc(&b, '{');
    put_person(x, &b);
    put_evidence(x, &b);
    put_verdict(x, &b);
    put_rules(x, "orgRules", x->org, &b);
    put_rules(x, "rules", x->policy, &b);
    put_decision(x, &b);
    put_person_at_okta(x, &b);
    put_member(&b, "message", x->outcome->message);
    put_member(&b, "detail", x->outcome->detail);
    put_int(&b, "graphCalls", x->outcome->graph_calls);
    put_int(&b, "oktaCalls", x->outcome->okta_calls);
    put_int(&b, "ocspCalls", x->outcome->ocsp_calls);
    if (x->outcome->revocation != DT_REVOCATION_BY_UNASKED)
        put_member(&b, "revocation", dt_revocation_by_name(x->outcome->revocation));
    dt_buf_putc(&b, '}');
    if (dt_buf_error(&b) < 0)
        dt_err_line("the explanation is too large for JSON; run it without --json");
    else
        dt_out_buf(&b);
    dt_buf_free(&b);
}
