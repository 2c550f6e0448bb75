/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes down what a decision was made on. Texts are escaped, each list has its limit, and what does not
 * fit is left out whole: half a list of groups would make somebody else of the person. */
#include "core/policy/policy_record.h"

#include "core/base/json.h"
#include "core/base/time_text.h"

char const *dt_groups_lookup_name(dt_groups_lookup t)
{
    static char const *const names[DT_GROUPS_LOOKUP_COUNT] = {
        [DT_GROUPS_LOOKUP_NOT_MADE] = "NOT_MADE",
        [DT_GROUPS_LOOKUP_FAILED] = "FAILED",
        [DT_GROUPS_LOOKUP_ANSWERED] = "ANSWERED",
    };

    return names[(unsigned)t < DT_GROUPS_LOOKUP_COUNT ? t : DT_GROUPS_LOOKUP_NOT_MADE];
}

char const *dt_address_name(dt_policy_input const *in)
{
    if (in->ip.set)
        return "ip";
    return in->address == DT_ADDRESS_LOCAL    ? "local"
           : in->address == DT_ADDRESS_ABSENT ? "absent"
                                              : "unknown";
}

static void put_member(dt_buf *b, char const *name, char const *text)
{
    dt_buf_printf(b, ",\"%s\":", name);
    dt_json_put_string(b, text != NULL ? text : "");
}

/* A group, or a pattern of groups. */
static void put_group(dt_buf *b, char const *group, bool pattern, bool unsure)
{
    bool id = dt_group_is_id(group);

    if (id || pattern || unsure)
        dt_buf_printf(b, "{\"%s\":", id ? "id" : pattern ? "like" : "unsure");
    dt_json_put_string(b, id ? group + 1 : group);
    if (id || pattern || unsure)
        dt_buf_putc(b, '}');
}

/* Ends a list that began at `start`. */
static void end_list(dt_buf *b, size_t start)
{
    dt_buf_putc(b, ']');
    if (dt_buf_error(b) < 0 || b->len - start <= DT_POLICY_RECORD_LIST_MAX)
        return;
    dt_buf_truncate(b, start);
    dt_buf_puts(b, "null");
}

static void put_groups(dt_buf *b, dt_policy_record const *r)
{
    dt_policy_input const *in = r->in;
    size_t start;

    dt_buf_puts(b, ",\"groups\":");
    if (r->groups_lookup != DT_GROUPS_LOOKUP_ANSWERED) {
        dt_buf_puts(b, "null");
        return;
    }
    start = b->len;
    dt_buf_putc(b, '[');
    for (size_t i = 0; i < in->group_count; i++) {
        if (b->len - start > DT_POLICY_RECORD_LIST_MAX)
            break;
        if (i > 0)
            dt_buf_putc(b, ',');
        put_group(b, in->groups[i], false, i < 64 && (r->unsure >> i & 1) != 0);
    }
    end_list(b, start);
}

static void put_asked(dt_buf *b, dt_policy_record const *r)
{
    dt_policy const *const policies[] = {r->policy, r->org};
    bool pattern = false, first = true;
    size_t start;

    dt_buf_puts(b, ",\"groupsAsked\":");
    start = b->len;
    dt_buf_putc(b, '[');
    for (size_t k = 0; k < 2; k++) {
        char const *group;
        for (size_t i = 0; b->len - start <= DT_POLICY_RECORD_LIST_MAX &&
                           (group = dt_policy_group_named(policies[k], i, &pattern)) != NULL;
             i++) {
            if (!first)
                dt_buf_putc(b, ',');
            put_group(b, group, pattern, false);
            first = false;
        }
    }
    end_list(b, start);
}

static void put_names(dt_buf *b, dt_policy_input const *in)
{
    char const *const names[] = {in->user, in->login, in->short_login};

    dt_buf_puts(b, ",\"names\":");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        dt_buf_putc(b, i == 0 ? '[' : ',');
        dt_json_put_string(b, names[i] != NULL ? names[i] : "");
    }
    dt_buf_putc(b, ']');
}

static void put_factors(dt_buf *b, dt_decision const *d)
{
    unsigned bits = d->access == DT_ACCESS_ALLOW_AFTER_MFA ? d->factors : 0;
    char const *word;
    bool first = true;

    dt_buf_puts(b, ",\"factors\":[");
    while ((word = dt_factor_word_next(&bits)) != NULL) {
        if (!first)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, word);
        first = false;
    }
    dt_buf_putc(b, ']');
}

void dt_policy_record_put(dt_policy_record const *r, dt_buf *out)
{
    char storage[DT_POLICY_RECORD_MAX], at[25];
    dt_policy_input const *in = r->in;
    dt_buf b;

    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_time_format(at, in->now);
    dt_buf_printf(&b, "{\"at\":\"%s\",\"utcOffset\":", at);
    if (in->utc_offset_known)
        dt_buf_put_int(&b, in->utc_offset);
    else
        dt_buf_puts(&b, "null");
    put_names(&b, in);
    put_member(&b, "address", dt_address_name(in));
    put_member(&b, "platform", dt_platform_name(in->platform));
    put_member(&b, "unknownDeviceAs",
               in->unknown_as == DT_UNKNOWN_NOT_TRUSTED ? "not_trusted" : "deny");
    put_member(&b, "groupsLookup", dt_groups_lookup_name(r->groups_lookup));
    put_groups(&b, r);
    put_asked(&b, r);
    dt_buf_printf(&b, ",\"groupsSelected\":%s", r->selected ? "true" : "false");
    put_member(&b, "orgPolicyHash", dt_policy_hash(r->org));
    put_factors(&b, r->decision);
    dt_buf_putc(&b, '}');
    if (dt_buf_error(&b) < 0)
        dt_buf_puts(out, "{}");
    else
        dt_buf_put(out, b.p, b.len);
}
