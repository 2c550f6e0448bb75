/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy replay: what the event of a sign-on keeps is enough to decide it again, or the replay
 * says that it is not. Held against the truth, which the test knows and the event does not tell: all of the
 * person's groups. */
#include "devtrustctl/replay_event.h"

#include "core/signon/outcome.h"
#include "core/signon/signon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1790000000123 /* 2026-09-21T14:13:20.123Z, a Monday */
#define GROUPS 6          /* that there are */
#define ROUNDS 12000
#define POLICY_TEXT 16384

static char const *const group_names[GROUPS] = {"staff",
                                                "admins",
                                                "eng-core",
                                                "eng-web",
                                                "guests",
                                                "\x1f"
                                                "00g1"};
static char const zones_text[] = "{\"zones\":[{\"name\":\"Office\",\"type\":\"IP\",\"status\":"
                                 "\"ACTIVE\",\"gateways\":[{\"type\":\"CIDR\",\"value\":"
                                 "\"192.0.2.0/"
                                 "24\"}]},{\"name\":\"Bad\",\"type\":\"IP\",\"status\":\"ACTIVE\","
                                 "\"usage\":\"BLOCKLIST\",\"gateways\":"
                                 "[{\"type\":\"CIDR\",\"value\":\"198.51.100.66/32\"}]}]}";

static dt_error g_error;
static unsigned g_seed = 1;
static dt_config *g_config;
static dt_zones *g_zones;

static int any(int n)
{
    return rand_r(&g_seed) % n;
}

/* --- random policies --------------------------------------------------------------------------- */

static char const *const group_words[] = {"\"staff\"",        "\"admins\"", "\"eng-core\"",
                                          "\"eng-web\"",      "\"guests\"", "\"eng-*\"",
                                          "{\"id\":\"00g1\"}"};
static char const *const user_words[] = {"\"ann\"", "\"bob@example.com\"", "\"c*\""};

/* A list, or nothing where it would be empty. */
static void put_list(dt_buf *b, bool *first, char const *name, char const *const *words, int count,
                     int most)
{
    int n = any(most + 1), from = any(count);

    for (int i = 0; i < n; i++) {
        if (i == 0)
            dt_buf_printf(b, "%s\"%s\":[", *first ? "" : ",", name);
        dt_buf_printf(b, "%s%s", i > 0 ? "," : "", words[(from + i) % count]);
        *first = false;
    }
    if (n > 0)
        dt_buf_putc(b, ']');
}

static void put_people(dt_buf *b, bool groups)
{
    bool first = true;

    dt_buf_puts(b, "\"people\":{\"users\":{");
    put_list(b, &first, "include", user_words, 3, any(3) == 0);
    put_list(b, &first, "exclude", user_words, 3, any(3) == 0);
    dt_buf_puts(b, "},\"groups\":{");
    first = true;
    put_list(b, &first, "include", group_words, 7, groups ? 2 : 0);
    put_list(b, &first, "exclude", group_words, 7, groups && any(3) == 0 ? 2 : 0);
    dt_buf_puts(b, "}}");
}

static void put_conditions(dt_buf *b, bool groups)
{
    put_people(b, groups);
    if (any(3) == 0)
        dt_buf_printf(b, ",\"network\":{\"connection\":\"ZONE\",\"%s\":[\"Office\"]}",
                      any(2) ? "include" : "exclude");
    if (any(3) == 0)
        dt_buf_printf(b, ",\"device\":{\"trust\":\"%s\"}", any(2) ? "TRUSTED" : "NOT_TRUSTED");
    if (any(4) == 0)
        dt_buf_printf(
            b, ",\"platform\":{\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"%s\"}}]}",
            any(2) ? "WINDOWS" : "LINUX");
    if (any(4) == 0)
        dt_buf_printf(b,
                      ",\"time\":{\"zone\":\"%s\",\"%s\":[{\"days\":[\"MONDAY\"],\"from\":"
                      "\"09:00\",\"to\":\"15:00\"}]}",
                      any(2) ? "LOCAL" : "UTC", any(2) ? "include" : "exclude");
}

static void put_rule(dt_buf *b, int i, bool groups)
{
    static char const *const actions[] = {
        "\"access\":\"ALLOW\"", "\"access\":\"DENY\"",
        "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\"}",
        "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\",\"factors\":"
        "[\"push\"]}"};

    dt_buf_printf(b, "{\"name\":\"R%d %d\",\"priority\":%d,\"status\":\"ACTIVE\",\"conditions\":{",
                  i, any(3), i + 1);
    put_conditions(b, groups);
    dt_buf_printf(b, "},\"actions\":{\"appSignOn\":{%s}}},", actions[any(4)]);
}

/* NULL for rules that the compiler refuses since none behind them is reached. */
static dt_policy *parse(char const *text, char const *hash)
{
    dt_policy *p = NULL;
    dt_json *root = NULL;
    char digits[65];
    int rc;

    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &g_error), 0);
    rc = dt_policy_parse(root, "new.json", g_zones, &p, &g_error);
    dt_json_free(&root);
    if (rc != DT_OK && strstr(g_error.text, "always match") == NULL)
        fail_msg("%s in %s", g_error.text, text);
    if (rc != DT_OK)
        return NULL;
    memset(digits, '0', 64);
    digits[64] = '\0';
    memcpy(digits, hash, strlen(hash));
    dt_policy_set_hash(p, digits);
    return p;
}

static void put_policy(dt_buf *b, bool groups)
{
    dt_buf_puts(b, "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[");
    for (int i = 0, n = any(5); i < n; i++)
        put_rule(b, i, groups);
    dt_buf_puts(b, "{\"name\":\"Last\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},"
                   "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}");
    assert_int_equal(dt_buf_error(b), 0);
}

static dt_policy *random_policy(char const *hash, bool groups)
{
    char text[POLICY_TEXT];
    dt_policy *p = NULL;
    dt_buf b;

    while (p == NULL) {
        dt_buf_init_fixed(&b, text, sizeof(text));
        put_policy(&b, groups);
        p = parse(text, hash);
    }
    return p;
}

/* --- random sign-ons --------------------------------------------------------------------------- */

/* A person with all that is true of them. */
typedef struct truth {
    dt_policy_input in;
    char const *groups[GROUPS];
    char const *client_ip;
} truth;

static void random_truth(truth *t)
{
    static char const *const users[] = {"ann", "bob", "carl"}, *const logins[] = {
                                                                   "ann@example.com",
                                                                   "bob@example.com",
                                                                   "carl@example.com"};
    static char const *const addresses[] = {"192.0.2.7", "198.51.100.66", "203.0.113.1", ""};
    int who = any(3);

    *t = (truth){.client_ip = addresses[any(4)]};
    t->in.user = t->in.short_login = users[who];
    t->in.login = logins[who];
    t->in.machine = any(20) == 0;
    for (int i = 0; i < GROUPS; i++)
        if (any(2))
            t->groups[t->in.group_count++] = group_names[i];
    t->in.groups = t->groups;
    t->in.group_knowledge = DT_GROUPS_KNOWN;
    if (t->client_ip[0] != '\0')
        assert_int_equal(dt_ip_parse(t->client_ip, &t->in.ip), 0);
    t->in.address = any(2) ? DT_ADDRESS_LOCAL : DT_ADDRESS_ABSENT;
    t->in.trust = any(3) == 0   ? DT_TRUST_UNKNOWN
                  : any(2) == 0 ? DT_TRUST_TRUSTED
                                : DT_TRUST_NOT_TRUSTED;
    t->in.reason = t->in.trust == DT_TRUST_TRUSTED       ? DT_REASON_TRUSTED
                   : t->in.trust == DT_TRUST_NOT_TRUSTED ? DT_REASON_NO_CERTIFICATE
                                                         : DT_REASON_LOOKUP_UNAVAILABLE;
    t->in.unknown_as = any(2) ? DT_UNKNOWN_DENY : DT_UNKNOWN_NOT_TRUSTED;
    t->in.platform = any(3) == 0   ? DT_PLATFORM_UNKNOWN
                     : any(2) == 0 ? DT_PLATFORM_WINDOWS
                                   : DT_PLATFORM_LINUX;
    t->in.now = NOW + DT_HOURS(any(200));
    t->in.utc_offset = any(3) * 60 - 60;
    t->in.utc_offset_known = any(5) != 0;
}

static void decide(dt_policy const *p, dt_policy const *org, dt_policy_input const *in,
                   dt_outcome *o)
{
    dt_ruleset const ruleset = {.config = g_config, .policy = p, .org = org};

    *o = (dt_outcome){.verdict = {.trust = in->trust, .reason = in->reason}};
    o->verdict.platform = in->platform;
    dt_policy_decide(p, in, &o->decision);
    dt_signon_decide_org(&ruleset, in, o);
}

/* As a machine does: of the groups only those that its rules name, and none where none is named. */
static void write_event(dt_buf *out, dt_policy const *p, truth const *t, dt_groups_lookup told)
{
    char record[DT_POLICY_RECORD_MAX + 1];
    char const *kept[GROUPS];
    dt_policy_input in = t->in;
    dt_outcome o;
    dt_buf b;

    in.groups = kept;
    in.group_count = 0;
    for (size_t i = 0; told == DT_GROUPS_LOOKUP_ANSWERED && i < t->in.group_count; i++)
        if (dt_policy_names_group(p, t->groups[i]))
            kept[in.group_count++] = t->groups[i];
    if (told != DT_GROUPS_LOOKUP_ANSWERED)
        in.group_knowledge = DT_GROUPS_UNKNOWN;
    decide(p, NULL, &in, &o);
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    dt_buf_init_fixed(&b, record, sizeof(record));
    dt_policy_record_put(
        &(dt_policy_record){.in = &in, .policy = p, .decision = &o.decision, .groups_lookup = told},
        &b);
    assert_int_equal(dt_buf_error(&b), 0);
    dt_audit_signon(out, &o,
                    &(dt_audit_context){.id = "0123456789abcdef0123456789abcdef",
                                        .application = "vpn",
                                        .user = in.user,
                                        .login = in.login,
                                        .client_ip = t->client_ip,
                                        .machine = in.machine,
                                        .policy_hash = dt_policy_hash(p),
                                        .policy_input = record},
                    NOW + DT_DAYS(9));
    assert_int_equal(dt_buf_error(out), 0);
}

/* Reads the event and decides it under `p`; false where that cannot be said. */
static bool replay(dt_buf const *line, dt_policy const *p, char const **difference,
                   dt_replay_decision *after)
{
    dt_replay_rules const rules = {g_config, p, NULL};
    static dt_replay_event of;
    dt_audit_event event;
    bool decided;

    assert_int_equal(dt_audit_event_read(dt_bytes_of(line->p, line->len - 1), &event, &g_error), 0);
    g_error = (dt_error){0};
    if (dt_replay_event_read(&event, &of, &g_error) != DT_REPLAY_READ)
        fail_msg("%s: %s", g_error.text, (char const *)line->p);
    decided = dt_replay_decide(&rules, &of, after, &g_error);
    *difference = decided ? dt_replay_difference(&of.before, after) : NULL;
    dt_audit_event_free(&event);
    return decided;
}

/* --- properties -------------------------------------------------------------------------------- */

static bool needs_groups(dt_policy const *p, truth const *t)
{
    dt_policy_input in = t->in;
    dt_outcome o;

    in.group_knowledge = DT_GROUPS_UNKNOWN;
    decide(p, NULL, &in, &o);
    return (o.decision.unknown & 1u << DT_CONDITION_PEOPLE) != 0;
}

static dt_groups_lookup told_by(dt_policy const *p, truth const *t)
{
    if (!dt_policy_needs_groups(p) || (any(2) == 0 && !needs_groups(p, t)))
        return DT_GROUPS_LOOKUP_NOT_MADE;
    return any(8) == 0 ? DT_GROUPS_LOOKUP_FAILED : DT_GROUPS_LOOKUP_ANSWERED;
}

static void the_same_policy_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        dt_policy *p = random_policy("a", any(3) != 0);
        dt_replay_decision after;
        char const *difference;
        dt_buf line;
        truth t;

        random_truth(&t);
        dt_buf_init(&line, 2 * DT_AUDIT_EVENT_MAX);
        write_event(&line, p, &t, told_by(p, &t));
        if (!replay(&line, p, &difference, &after))
            fail_msg("round %d: %s", i, g_error.text);
        if (difference != NULL)
            fail_msg("round %d: %s: %s", i, difference, (char const *)line.p);
        dt_buf_free(&line);
        dt_policy_free(&p);
    }
}

static bool is_as(dt_replay_decision const *after, dt_outcome const *o)
{
    return after->access == o->decision.access && strcmp(after->rule, o->decision.rule) == 0;
}

/* Whether the decision under `p` is the same whatever groups that the event does not tell of are the
 * person's: by trying them all. */
static bool is_open(dt_policy const *old, dt_policy const *p, truth const *t)
{
    dt_policy_input in = t->in;
    char const *groups[GROUPS], *unrecorded[GROUPS];
    size_t kept = 0, open = 0;
    dt_outcome first, o;

    for (int g = 0; g < GROUPS; g++) {
        bool in_it = false;
        for (size_t k = 0; k < t->in.group_count; k++)
            in_it = in_it || strcmp(t->groups[k], group_names[g]) == 0;
        if (!dt_policy_names_group(old, group_names[g]))
            unrecorded[open++] = group_names[g];
        else if (in_it)
            groups[kept++] = group_names[g];
    }
    in.groups = groups;
    for (unsigned choice = 0; choice < 1u << open; choice++) {
        in.group_count = kept;
        for (size_t k = 0; k < open; k++)
            if ((choice >> k & 1) != 0)
                groups[in.group_count++] = unrecorded[k];
        decide(p, NULL, &in, choice == 0 ? &first : &o);
        if (choice > 0 && (first.decision.access != o.decision.access ||
                           first.decision.priority != o.decision.priority))
            return true;
    }
    return false;
}

/* Another policy: what the replay says is true, and it says so where the event tells enough. */
static void nothing_is_guessed(void **state)
{
    size_t decided = 0, open = 0, refused = 0;
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        dt_policy *old = random_policy("a", any(3) != 0), *p = random_policy("b", any(3) != 0);
        dt_replay_decision after;
        dt_groups_lookup told;
        char const *difference;
        dt_outcome o;
        dt_buf line;
        truth t;

        random_truth(&t);
        told = told_by(old, &t);
        dt_buf_init(&line, 2 * DT_AUDIT_EVENT_MAX);
        write_event(&line, old, &t, told);
        decide(p, NULL, &t.in, &o);
        if (replay(&line, p, &difference, &after)) {
            decided++;
            if (!is_as(&after, &o))
                fail_msg("round %d: replay %s \"%s\", truth %s \"%s\": %s", i,
                         dt_access_name(after.access), after.rule,
                         dt_access_name(o.decision.access), o.decision.rule, (char const *)line.p);
        } else {
            assert_non_null(strstr(g_error.text, "group") ? "" : strstr(g_error.text, "in \""));
            refused++;
            open += is_open(old, p, &t);
        }
        dt_buf_free(&line);
        dt_policy_free(&old);
        dt_policy_free(&p);
    }
    /* Most can be decided, and of those that are not most hang on it. */
    assert_true(decided > ROUNDS / 2 && open > refused / 2);
    print_message("%zu decided, %zu not, of which %zu could be either\n", decided, refused, open);
}

static char *with(char const *text, char const *what, char const *instead)
{
    static char out[4 * DT_AUDIT_EVENT_MAX];
    char const *at = strstr(text, what);
    dt_buf b;

    if (at == NULL)
        fail_msg("no %s in %s", what, text);
    dt_buf_init_fixed(&b, out, sizeof(out));
    dt_buf_put(&b, text, (size_t)(at - text));
    dt_buf_puts(&b, instead);
    dt_buf_puts(&b, at + strlen(what));
    return out;
}

/* Of very many groups only those are kept that tell decisions of the rules apart: what is not among them is
 * not known, but for these very rules. */
static void a_selection_tells_only_what_is_in_it(void **state)
{
    static char text[2 * DT_AUDIT_EVENT_MAX];
    static char const rules[] =
        "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"%s\",\"priority\":1,"
        "\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"groups\":{\"include\":[\"staff\","
        "\"admins\"],\"exclude\":[\"guests\"]}}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}"
        "},"
        "{\"name\":\"Last\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":"
        "{\"appSignOn\":{\"access\":\"DENY\"}}}]}";
    char policy[1024];
    dt_replay_decision after;
    char const *difference;
    dt_policy *old, *other;
    dt_buf line;
    truth t;

    (void)state;
    random_truth(&t);
    t.in.machine = false;
    t.in.trust = DT_TRUST_TRUSTED;
    t.in.ip.set = false;
    t.client_ip = "";
    t.groups[0] = "staff";
    t.in.group_count = 1;
    snprintf(policy, sizeof(policy), rules, "Staff");
    old = parse(policy, "a");
    snprintf(policy, sizeof(policy), rules, "Others");
    other = parse(policy, "b");
    dt_buf_init_fixed(&line, text, sizeof(text));
    write_event(&line, old, &t, DT_GROUPS_LOOKUP_ANSWERED);
    assert_true(replay(&line, other, &difference, &after));
    char *selected = with(text, "\"groupsSelected\":false", "\"groupsSelected\":true");
    dt_buf_init_fixed(&line, text, sizeof(text));
    dt_buf_puts(&line, selected);
    assert_true(replay(&line, old, &difference, &after) && difference == NULL);
    assert_false(replay(&line, other, &difference, &after));
    assert_non_null(strstr(g_error.text, "does not say whether they are in"));
    dt_policy_free(&old);
    dt_policy_free(&other);
}

/* --- what an event lacks ----------------------------------------------------------------------- */

static dt_replay_form form_of(char const *text, dt_replay_event *of)
{
    dt_audit_event event;
    dt_replay_form form;

    assert_int_equal(dt_audit_event_read(dt_bytes_str(text), &event, &g_error), 0);
    g_error = (dt_error){0};
    form = dt_replay_event_read(&event, of, &g_error);
    dt_audit_event_free(&event);
    return form;
}

/* What may stand in an event that another program wrote, and what is said of it. */
static struct {
    char const *what, *instead, *says;
} const odd_texts[] = {
    {"\"policyInput\":{", "\"input\":{", "older devtrust"},
    {"\"verdict\":\"NOT_TRUSTED\"", "\"verdict\":\"trusted\"", "verdict"},
    {"\"verdict\":\"NOT_TRUSTED\"", "\"verdict\":null", "verdict"},
    {"\"deviceReason\":\"NO_CERTIFICATE\"", "\"deviceReason\":\"FINE\"", "deviceReason"},
    {"\"at\":\"2026", "\"at\":\"x2026", "at"},
    {"\"at\":\"2026", "\"at\":\"0001", "at"},
    {"\"utcOffset\":60", "\"utcOffset\":\"60\"", "utcOffset"},
    {"\"utcOffset\":60", "\"utcOffset\":6000", "utcOffset"},
    {"\"names\":[\"ann\",", "\"names\":[", "names"},
    {"\"names\":[\"ann\",", "\"names\":[\"\",", "names"},
    {"\"names\":[\"ann\",", "\"names\":[7,", "names"},
    {"\"address\":\"ip\"", "\"address\":\"home\"", "address"},
    {"\"ipAddress\":\"192.0.2.7\"", "\"ipAddress\":\"office\"", "ipAddress"},
    {"\"ipAddress\":\"192.0.2.7\"", "\"ipAddress\":null", "ipAddress"},
    {"\"platform\":\"windows\",\"unknown", "\"platform\":\"vms\",\"unknown", "platform"},
    {"\"unknownDeviceAs\":\"deny\"", "\"unknownDeviceAs\":\"d\"", "unknownDeviceAs"},
    {"\"groupsLookup\":\"ANSWERED\"", "\"groupsLookup\":\"YES\"", "groupsLookup"},
    {"\"groupsLookup\":\"ANSWERED\"", "\"groupsLookup\":\"FAILED\"", "groups"},
    {"\"groups\":[\"staff\"]", "\"groups\":null", "did not fit"},
    {"\"groups\":[\"staff\"]", "\"groups\":\"staff\"", "groups"},
    {"\"groups\":[\"staff\"]", "\"groups\":[{\"id\":\"../x\"}]", "groups"},
    {"\"groups\":[\"staff\"]", "\"groups\":[[]]", "groups"},
    {"\"groupsAsked\":[", "\"groupsAsked\":7,\"x\":[", "groupsAsked"},
    {"\"groupsSelected\":false", "\"groupsSelected\":0", "groupsSelected"},
    {"\"orgPolicyHash\":\"\"", "\"orgPolicyHash\":null", "orgPolicyHash"},
    {"\"factors\":[\"push\"", "\"factors\":[\"pull\"", "factors"},
    {"\"access\":\"ALLOW_AFTER_MFA\"", "\"access\":\"PERHAPS\"", "access"},
    {"\"frequency\":\"", "\"frequency\":7,\"x\":\"", "frequency"},
    {"\"type\":\"User\"", "\"type\":7", "actor"},
};

/* Every text that devtrust does not write is named, and never read as another. */
static void odd_events_are_named(void **state)
{
    static char text[2 * DT_AUDIT_EVENT_MAX];
    static dt_replay_event of;
    char const *const groups[] = {"staff"};
    truth t = {.client_ip = "192.0.2.7",
               .in = {.user = "ann",
                      .login = "ann@example.com",
                      .short_login = "ann",
                      .groups = groups,
                      .group_count = 1,
                      .group_knowledge = DT_GROUPS_KNOWN,
                      .trust = DT_TRUST_NOT_TRUSTED,
                      .reason = DT_REASON_NO_CERTIFICATE,
                      .platform = DT_PLATFORM_WINDOWS,
                      .now = NOW,
                      .utc_offset = 60,
                      .utc_offset_known = true}};
    dt_policy *p = parse(
        "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"Ask\","
        "\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"groups\":{\"include\":"
        "[\"staff\",\"eng-*\"]}}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\","
        "\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\",\"factors\":[\"push\"]}}}"
        "},{\"name\":\"Last\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":"
        "{\"appSignOn\":{\"access\":\"DENY\"}}}]}",
        "a");
    dt_buf line;

    (void)state;
    t.groups[0] = "staff";
    assert_int_equal(dt_ip_parse(t.client_ip, &t.in.ip), 0);
    dt_buf_init_fixed(&line, text, sizeof(text));
    write_event(&line, p, &t, DT_GROUPS_LOOKUP_ANSWERED);
    text[line.len - 1] = '\0';
    if (form_of(text, &of) != DT_REPLAY_READ)
        fail_msg("%s: %s", g_error.text, text);
    for (size_t i = 0; i < sizeof(odd_texts) / sizeof(odd_texts[0]); i++) {
        if (form_of(with(text, odd_texts[i].what, odd_texts[i].instead), &of) != DT_REPLAY_LACKING)
            fail_msg("%s was read", odd_texts[i].instead);
        if (strstr(g_error.text, odd_texts[i].says) == NULL)
            fail_msg("%s: %s", odd_texts[i].instead, g_error.text);
    }
    assert_int_equal(form_of(with(text, "\"policyInput\":{", "\"policyInput\":null,\"x\":{"), &of),
                     DT_REPLAY_UNDECIDED);
    assert_int_equal(form_of(with(text, "\"policyInput\":{", "\"policyInput\":{},\"x\":{"), &of),
                     DT_REPLAY_LACKING);
    assert_non_null(strstr(g_error.text, "did not fit"));
    assert_int_equal(form_of(with(text, "\"access\":", "\"xaccess\":"), &of), DT_REPLAY_OTHER);
    dt_policy_free(&p);
}

/* --- what a record holds ----------------------------------------------------------------------- */

static char *record_of(dt_policy_record const *r)
{
    static char text[2 * DT_POLICY_RECORD_MAX];
    dt_json *root = NULL;
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_policy_record_put(r, &b);
    assert_int_equal(dt_buf_error(&b), 0);
    assert_true(b.len <= DT_POLICY_RECORD_MAX);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&b), &root, &g_error), 0);
    dt_json_free(&root);
    return text;
}

/* Hostile and endless names stay JSON and within their limits; a list that does not fit is left out whole,
 * for half of it would be another person's. */
static void a_record_has_its_limits(void **state)
{
    static char names[DT_GROUPS_MAX][DT_GROUP_NAME_MAX];
    char const *groups[DT_GROUPS_MAX];
    dt_decision const none = {.cause = DT_DECISION_NO_RULE};
    dt_policy_input in = {.user = "a\"\\\n\x1b[2J\xff",
                          .login = "\xe2\x80\xae",
                          .groups = groups,
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .now = NOW};
    dt_policy_record r = {.in = &in, .decision = &none, .groups_lookup = DT_GROUPS_LOOKUP_ANSWERED};

    (void)state;
    for (size_t i = 0; i < DT_GROUPS_MAX; i++) {
        memset(names[i], i % 2 ? '\x01' : 'x', DT_GROUP_NAME_MAX - 1);
        groups[i] = names[i];
    }
    in.group_count = 2;
    names[0][5] = names[1][1] = '\0';
    assert_non_null(strstr(record_of(&r), "\"groups\":[\"xxxxx\",\"\\u0001\"]"));
    for (size_t n = 0; n <= DT_GROUPS_MAX; n++) {
        in.group_count = n;
        char const *text = record_of(&r);
        if (strstr(text, "\"groups\":[") == NULL && strstr(text, "\"groups\":null") == NULL)
            fail_msg("%s", text);
    }
    assert_non_null(strstr(record_of(&r), "\"groups\":null,"));
    in.user = in.login = in.short_login = names[3]; /* 255 bytes that become six each */
    assert_string_equal(record_of(&r), "{}");
}

static int set_up(void **state)
{
    dt_json *root = NULL;

    (void)state;
    if (dt_config_new(&g_config, &g_error) < 0 ||
        dt_json_parse(dt_bytes_str(zones_text), &root, &g_error) < 0 ||
        dt_zones_parse(root, "zones.json", &g_zones, &g_error) < 0)
        return print_error("%s\n", g_error.text), -1;
    dt_json_free(&root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dt_zones_free(&g_zones);
    dt_config_free(&g_config);
    return 0;
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(the_same_policy_changes_nothing),
        cmocka_unit_test(nothing_is_guessed),
        cmocka_unit_test(a_selection_tells_only_what_is_in_it),
        cmocka_unit_test(odd_events_are_named),
        cmocka_unit_test(a_record_has_its_limits),
    };
    return cmocka_run_group_tests_name("policy_replay", tests, set_up, tear_down);
}
