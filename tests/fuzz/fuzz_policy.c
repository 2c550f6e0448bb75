/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones and policies of any content: refused with a message that is safe to show, or compiled into
 * something that decides consistently and never allows without a rule.
 *
 * Input: 4 bytes that choose who asks, then {"zones": a zones file, "policy": a policy}; or, with the
 * highest bit of the first, a zones file alone. */
#include "core/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#define CHOICE_LEN 4

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_message(dt_error const *e, char const *file)
{
    must(e->code == DT_E_INVALID || e->code == DT_E_NOMEM);
    must(strncmp(e->text, file, strlen(file)) == 0);
    for (char const *p = e->text; *p != '\0'; p++)
        must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void check_decision(dt_policy const *p, dt_policy_input const *in, dt_decision const *d)
{
    bool trust_known = in->trust != DT_TRUST_UNKNOWN || in->unknown_as == DT_UNKNOWN_NOT_TRUSTED;
    bool blocked = d->cause == DT_DECISION_BLOCKED_ZONE || d->cause == DT_DECISION_UNKNOWN_NETWORK;
    char const *name = NULL;
    size_t i = 0;

    if (d->access != DT_ACCESS_DENY)
        must(d->cause == DT_DECISION_RULE);
    must((d->access == DT_ACCESS_ALLOW_AFTER_MFA) == (d->factors != 0));
    must((d->factors & ~(unsigned)DT_FACTOR_ALL) == 0);
    /* Before any rule; or by a rule that names reasons, which are not known. */
    if (!trust_known)
        must(blocked || d->cause == DT_DECISION_UNKNOWN_DEVICE);
    if (d->cause == DT_DECISION_UNKNOWN_DEVICE)
        must(in->trust == DT_TRUST_UNKNOWN || in->reason == DT_REASON_NONE);
    if (d->cause == DT_DECISION_BLOCKED_ZONE)
        must(dt_policy_blocking_zone(p, in)[0] != '\0');
    if (d->cause == DT_DECISION_UNKNOWN_TIME)
        must(dt_policy_needs_time(p));
    if (d->cause == DT_DECISION_UNKNOWN_GROUPS)
        must(in->group_knowledge == DT_GROUPS_UNKNOWN && dt_policy_needs_groups(p));
    if (d->cause != DT_DECISION_RULE) {
        must(d->cause != DT_DECISION_NO_RULE && d->rule[0] == '\0');
        return;
    }
    while (dt_policy_explain_rule(p, i, in, &name) != DT_CONDITION_NONE)
        must(++i < dt_policy_rule_count(p));
    must(strcmp(name, d->rule) == 0);
}

static void ask(dt_policy const *p, uint8_t const choice[CHOICE_LEN])
{
    static char const *const users[] = {"anna", "BEN", "x", "\xc3\xa4"};
    static char const *const groups[] = {"staff", "Contractors", "x"};
    static char const *const ips[] = {"192.0.2.1", "2001:db8::1", "10.0.0.1"};
    dt_policy_input in = {
        .user = users[choice[0] & 3],
        .login = choice[0] & 4 ? "ben@example.com" : NULL,
        .groups = groups + (choice[1] & 1),
        .group_count = choice[1] >> 1 & 1 ? 2 : 0,
        .group_knowledge = choice[1] >> 2 & 1 ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN,
        .platform = (dt_platform)(choice[2] & 8 ? 0 : 1 << (choice[2] & 7)),
        .trust = (dt_trust)(choice[3] % 3),
        .reason = (dt_reason)((choice[0] >> 3 & 15) * 2 % DT_REASON_COUNT),
        .now = choice[1] & 8 ? DT_DAYS(20000) + DT_HOURS(choice[1] >> 4) * 11 : 0,
        .utc_offset_known = (choice[3] & 0x40) != 0,
        .utc_offset = 330,
        .address = (dt_address)(choice[3] >> 4 & 3) % 3,
        .unknown_as = choice[3] & 0x80 ? DT_UNKNOWN_NOT_TRUSTED : DT_UNKNOWN_DENY};
    dt_decision a, b;

    if ((choice[2] >> 4 & 3) != 3)
        must(dt_ip_parse(ips[choice[2] >> 4 & 3], &in.ip) == DT_OK);
    dt_policy_decide(p, &in, &a);
    dt_policy_decide(p, &in, &b);
    must(a.access == b.access && a.cause == b.cause && a.priority == b.priority &&
         a.factors == b.factors && a.lifetime == b.lifetime && strcmp(a.rule, b.rule) == 0);
    check_decision(p, &in, &a);
}

static bool same_places(dt_zones const *a, dt_zones const *b)
{
    return dt_zones_memory(a) == dt_zones_memory(b);
}

/* The zones from a text are those from its tree, or refused as they are: also where the text is no
 * JSON at all. */
static void zones_from_text(dt_bytes text)
{
    dt_json_source source = {.file = "zones.json", .text = text};
    dt_json *root = NULL;
    dt_zones *from_text = NULL, *from_tree = NULL;
    dt_error e = {0};
    int rc = dt_json_parse(text, &root, NULL);

    if (rc == DT_OK)
        rc = dt_zones_parse(root, "zones.json", &from_tree, NULL);
    must(dt_zones_parse_text(&source, &from_text, &e) == rc);
    must((from_text != NULL) == (rc == DT_OK));
    if (rc == DT_OK)
        must(same_places(from_text, from_tree));
    else
        must(strncmp(e.text, "zones.json", strlen("zones.json")) == 0);
    dt_zones_free(&from_text);
    dt_zones_free(&from_tree);
    dt_json_free(&root);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_json *root = NULL;
    dt_zones *zones = NULL;
    dt_policy *policy = NULL;
    dt_error e = {0};

    if (size < CHOICE_LEN)
        return 0;
    if (data[0] & 0x80) {
        zones_from_text(dt_bytes_of(data + CHOICE_LEN, size - CHOICE_LEN));
        return 0;
    }
    if (dt_json_parse(dt_bytes_of(data + CHOICE_LEN, size - CHOICE_LEN), &root, NULL) != DT_OK)
        return 0;
    if (dt_zones_parse(dt_json_get(root, "zones"), "zones.json", &zones, &e) != DT_OK) {
        must(zones == NULL);
        check_message(&e, "zones.json#");
    }
    memset(&e, 0, sizeof(e));
    if (dt_policy_parse(dt_json_get(root, "policy"), "x.json", zones, &policy, &e) != DT_OK) {
        must(policy == NULL);
        check_message(&e, "x.json#");
    } else {
        must(dt_policy_rule_count(policy) >= 1 && dt_policy_application(policy)[0] != '\0');
        ask(policy, data);
    }
    dt_policy_free(&policy);
    dt_zones_free(&zones);
    dt_json_free(&root);
    return 0;
}
