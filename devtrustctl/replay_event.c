/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads back what core/policy_record.c wrote, with the rest of the event around it. */
#include "devtrustctl/replay_event.h"

#include <string.h>

#define MISSING "the event does not contain what it was decided on; an older devtrust wrote it"
#define TOO_LONG "what it was decided on did not fit into the event"

/* --- words ------------------------------------------------------------------------------------- */

/* The texts of the event are data: any that devtrust does not write is an error, and no default. */
static int lacks(dt_error *e, char const *member)
{
    return dt_error_set(e, DT_E_PARSE,
                        "the event's \"%s\" does not have the form that devtrust writes", member);
}

static int text(dt_json const *v, char const *member, char const **out, dt_error *e)
{
    *out = dt_json_string(dt_json_get(v, member));
    return *out != NULL ? DT_OK : lacks(e, member);
}

/* NULL in the event is "". */
static int text_or_null(dt_json const *v, char const *member, char const **out, dt_error *e)
{
    dt_json_type type = dt_json_typeof(dt_json_get(v, member));

    *out = "";
    return type == DT_JSON_NULL || type == DT_JSON_NONE ? DT_OK : text(v, member, out, e);
}

static int trust_of(dt_json const *data, dt_trust *out, dt_error *e)
{
    static dt_trust const all[] = {DT_TRUST_TRUSTED, DT_TRUST_NOT_TRUSTED, DT_TRUST_UNKNOWN};
    char const *word;
    int rc = text(data, "verdict", &word, e);

    for (size_t i = 0; rc == DT_OK && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(word, dt_trust_name(all[i])) == 0) {
            *out = all[i];
            return DT_OK;
        }
    return lacks(e, "verdict");
}

static int reason_of(dt_json const *data, dt_reason *out, dt_error *e)
{
    char const *word;
    int rc = text(data, "deviceReason", &word, e);

    for (int i = DT_REASON_NONE; rc == DT_OK && i < DT_REASON_COUNT; i++)
        if (strcmp(word, dt_reason_name((dt_reason)i)) == 0) {
            *out = (dt_reason)i;
            return DT_OK;
        }
    return lacks(e, "deviceReason");
}

static int platform_of(dt_json const *record, dt_platform *out, dt_error *e)
{
    char const *word;
    int rc = text(record, "platform", &word, e);

    *out = DT_PLATFORM_UNKNOWN;
    if (rc == DT_OK && strcmp(word, dt_platform_name(DT_PLATFORM_UNKNOWN)) == 0)
        return DT_OK;
    for (unsigned bit = 1; rc == DT_OK && bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1)
        if (strcmp(word, dt_platform_name((dt_platform)bit)) == 0) {
            *out = (dt_platform)bit;
            return DT_OK;
        }
    return lacks(e, "platform");
}

static int access_of(dt_json const *data, char const *member, dt_access *out, dt_error *e)
{
    char const *word;
    int rc = text(data, member, &word, e);

    for (int i = DT_ACCESS_DENY; rc == DT_OK && i <= DT_ACCESS_ALLOW_AFTER_MFA; i++)
        if (strcmp(word, dt_access_name((dt_access)i)) == 0) {
            *out = (dt_access)i;
            return DT_OK;
        }
    return lacks(e, member);
}

/* --- who, from where, when --------------------------------------------------------------------- */

static int names_of(dt_json const *record, dt_policy_input *in, dt_error *e)
{
    dt_json const *names = dt_json_get(record, "names");
    char const **const into[] = {&in->user, &in->login, &in->short_login};

    if (dt_json_size(names) != sizeof(into) / sizeof(into[0]))
        return lacks(e, "names");
    for (size_t i = 0; i < sizeof(into) / sizeof(into[0]); i++) {
        *into[i] = dt_json_string(dt_json_at(names, i));
        if (*into[i] == NULL)
            return lacks(e, "names");
    }
    return in->user[0] != '\0' ? DT_OK : lacks(e, "names");
}

static int address_of(dt_audit_event const *event, dt_json const *record, dt_policy_input *in,
                      dt_error *e)
{
    static dt_address const all[] = {DT_ADDRESS_UNKNOWN, DT_ADDRESS_ABSENT, DT_ADDRESS_LOCAL};
    char const *word, *ip;
    int rc = text(record, "address", &word, e);

    for (size_t i = 0; rc == DT_OK && i < sizeof(all) / sizeof(all[0]); i++) {
        in->address = all[i];
        if (strcmp(word, dt_address_name(in)) == 0)
            return DT_OK;
    }
    if (rc != DT_OK || strcmp(word, "ip") != 0)
        return lacks(e, "address");
    ip = dt_json_string(dt_json_path(event->root, "client", "ipAddress", NULL));
    return ip != NULL && dt_ip_parse(ip, &in->ip) == DT_OK && dt_ip_is_of_a_host(&in->ip)
               ? DT_OK
               : lacks(e, "ipAddress");
}

static int time_of(dt_json const *record, dt_policy_input *in, dt_error *e)
{
    dt_json const *offset = dt_json_get(record, "utcOffset");
    char const *at;
    int64_t minutes = 0;
    int rc = text(record, "at", &at, e);

    if (rc != DT_OK || dt_time_parse(at, &in->now) != DT_OK || in->now <= 0)
        return lacks(e, "at");
    if (dt_json_typeof(offset) == DT_JSON_NULL)
        return DT_OK;
    if (!dt_json_integer(offset, &minutes) || minutes < -DT_UTC_OFFSET_MAX ||
        minutes > DT_UTC_OFFSET_MAX)
        return lacks(e, "utcOffset");
    in->utc_offset = (int)minutes;
    in->utc_offset_known = true;
    return DT_OK;
}

static int unknown_as_of(dt_json const *record, dt_policy_input *in, dt_error *e)
{
    char const *word;
    int rc = text(record, "unknownDeviceAs", &word, e);

    if (rc != DT_OK || (strcmp(word, "deny") != 0 && strcmp(word, "not_trusted") != 0))
        return lacks(e, "unknownDeviceAs");
    in->unknown_as = word[0] == 'd' ? DT_UNKNOWN_DENY : DT_UNKNOWN_NOT_TRUSTED;
    return DT_OK;
}

/* --- groups ------------------------------------------------------------------------------------ */

static int group_of(dt_json const *v, dt_replay_event *out, size_t i, dt_error *e)
{
    char const *id = dt_json_string(dt_json_get(v, "id"));

    out->groups[i] = dt_json_string(v);
    if (id != NULL && dt_group_of_id(id, out->ids[i]))
        out->groups[i] = out->ids[i];
    else if (out->groups[i] == NULL) {
        out->groups[i] = dt_json_string(dt_json_get(v, "unsure"));
        out->unsure[i] = out->groups[i] != NULL;
    }
    return out->groups[i] != NULL && out->groups[i][0] != '\0' ? DT_OK : lacks(e, "groups");
}

static int read_groups_lookup(dt_json const *record, dt_groups_lookup *out, dt_error *e)
{
    char const *word;
    int rc = text(record, "groupsLookup", &word, e);

    for (int i = 0; rc == DT_OK && i < DT_GROUPS_LOOKUP_COUNT; i++)
        if (strcmp(word, dt_groups_lookup_name((dt_groups_lookup)i)) == 0) {
            *out = (dt_groups_lookup)i;
            return DT_OK;
        }
    return lacks(e, "groupsLookup");
}

static int groups_of(dt_json const *record, dt_replay_event *out, dt_error *e)
{
    dt_json const *list = dt_json_get(record, "groups"),
                  *asked = dt_json_get(record, "groupsAsked");
    int rc = read_groups_lookup(record, &out->groups_lookup, e);

    if (rc == DT_OK && !dt_json_bool(dt_json_get(record, "groupsSelected"), &out->selected))
        rc = lacks(e, "groupsSelected");
    if (rc == DT_OK && dt_json_typeof(asked) != DT_JSON_ARRAY &&
        dt_json_typeof(asked) != DT_JSON_NULL)
        rc = lacks(e, "groupsAsked");
    if (rc != DT_OK)
        return rc;
    out->asked = dt_json_typeof(asked) == DT_JSON_ARRAY ? asked : NULL;
    if (dt_json_typeof(list) == DT_JSON_NULL) {
        if (out->groups_lookup == DT_GROUPS_LOOKUP_ANSWERED) /* the list was too long */
            return dt_error_set(e, DT_E_LIMIT, "the person's groups did not fit into the event");
        return DT_OK;
    }
    if (out->groups_lookup != DT_GROUPS_LOOKUP_ANSWERED || dt_json_typeof(list) != DT_JSON_ARRAY ||
        dt_json_size(list) > DT_REPLAY_GROUPS_MAX)
        return lacks(e, "groups");
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++)
        rc = group_of(dt_json_at(list, i), out, i, e);
    out->in.groups = out->groups;
    out->in.group_count = dt_json_size(list);
    out->in.group_knowledge = DT_GROUPS_KNOWN;
    return rc;
}

/* --- what became of it ------------------------------------------------------------------------- */

static int factors_of(dt_json const *record, unsigned *out, dt_error *e)
{
    dt_json const *list = dt_json_get(record, "factors");

    if (dt_json_typeof(list) != DT_JSON_ARRAY || dt_json_size(list) > DT_REPLAY_GROUPS_MAX)
        return lacks(e, "factors");
    for (size_t i = 0; i < dt_json_size(list); i++) {
        unsigned bits = dt_factor_word_bits(dt_json_string(dt_json_at(list, i)));
        if (bits == 0)
            return lacks(e, "factors");
        *out |= bits;
    }
    return DT_OK;
}

static int frequency_of(dt_json const *data, dt_replay_decision *d, dt_error *e)
{
    char const *word;
    int rc;

    if (d->access != DT_ACCESS_ALLOW_AFTER_MFA)
        return DT_OK;
    rc = text(data, "frequency", &word, e);
    return rc == DT_OK && word[0] != '\0' &&
                   dt_str_copy(d->frequency, sizeof(d->frequency), word) == DT_OK
               ? DT_OK
               : lacks(e, "frequency");
}

static int rule_of(dt_json const *data, char const *member, char out[DT_POLICY_NAME_MAX],
                   dt_error *e)
{
    char const *word;
    int rc = text_or_null(data, member, &word, e);

    return rc == DT_OK && dt_str_copy(out, DT_POLICY_NAME_MAX, word) != DT_OK ? lacks(e, member)
                                                                              : rc;
}

static int before_of(dt_json const *data, dt_json const *record, dt_replay_decision *d, dt_error *e)
{
    int rc = access_of(data, "access", &d->access, e);

    if (rc == DT_OK)
        rc = rule_of(data, "rule", d->rule, e);
    if (rc == DT_OK)
        rc = rule_of(data, "orgRule", d->org_rule, e);
    if (rc == DT_OK && d->org_rule[0] != '\0')
        rc = access_of(data, "orgAccess", &d->org_access, e);
    if (rc == DT_OK)
        rc = frequency_of(data, d, e);
    return rc == DT_OK ? factors_of(record, &d->factors, e) : rc;
}

/* --- the event --------------------------------------------------------------------------------- */

static int read_record(dt_audit_event const *event, dt_json const *data, dt_json const *record,
                       dt_replay_event *out, dt_error *e)
{
    char const *actor = dt_json_string(dt_json_path(event->root, "actor", "type", NULL));
    int rc = actor != NULL ? names_of(record, &out->in, e) : lacks(e, "actor");

    if (rc == DT_OK)
        rc = address_of(event, record, &out->in, e);
    if (rc == DT_OK)
        rc = time_of(record, &out->in, e);
    if (rc == DT_OK)
        rc = trust_of(data, &out->in.trust, e);
    if (rc == DT_OK)
        rc = reason_of(data, &out->in.reason, e);
    if (rc == DT_OK)
        rc = platform_of(record, &out->in.platform, e);
    if (rc == DT_OK)
        rc = unknown_as_of(record, &out->in, e);
    if (rc == DT_OK)
        rc = groups_of(record, out, e);
    if (rc == DT_OK)
        rc = text_or_null(data, "policyHash", &out->policy_hash, e);
    if (rc == DT_OK)
        rc = text(record, "orgPolicyHash", &out->org_hash, e);
    if (rc == DT_OK)
        rc = before_of(data, record, &out->before, e);
    out->in.machine = rc == DT_OK && actor != NULL && strcmp(actor, "Machine") == 0;
    return rc;
}

dt_replay_form dt_replay_event_read(dt_audit_event const *event, dt_replay_event *out, dt_error *e)
{
    dt_json const *data = dt_json_path(event->root, "debugContext", "debugData", NULL);
    dt_json const *record = dt_json_get(data, "policyInput");

    memset(out, 0, sizeof(*out));
    if (dt_json_get(data, "access") == NULL)
        return DT_REPLAY_OTHER;
    if (dt_json_typeof(record) == DT_JSON_NULL)
        return DT_REPLAY_UNDECIDED;
    if (dt_json_typeof(record) == DT_JSON_NONE)
        (void)dt_error_set(e, DT_E_NOT_FOUND, "%s", MISSING);
    else if (dt_json_typeof(record) != DT_JSON_OBJECT)
        (void)lacks(e, "policyInput");
    else if (dt_json_size(record) == 0)
        (void)dt_error_set(e, DT_E_LIMIT, "%s", TOO_LONG);
    else if (read_record(event, data, record, out, e) == DT_OK)
        return DT_REPLAY_READ;
    return DT_REPLAY_LACKING;
}
