/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling a rule's actions: whether it lets in, what it asks for and how often, what it shows the
 * person, and what a RADIUS reply carries. */
#include "core/policy/policy_compile.h"
#include "core/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define FREQUENCY_WORDS_MAX 256 /* of the words in a message */
#define DT_VLAN_ID_MAX 4094     /* IEEE 802.1Q section 9.6 */
#define DT_VLAN_NAME_MAX 33     /* IEEE 802.1Q section 12.10.2, and a NUL */

/* --- prompt for factor ------------------------------------------------------------------------- */

static int factors_parse(dt_compiler *c, dt_json const *v, unsigned *out)
{
    size_t most = 0;
    int rc;

    while (dt_factor_words[most].word != NULL)
        most++;
    rc = dt_json_reader_array(&c->r, v, 1, most);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        int factor = DT_FACTOR_NONE;
        rc = dt_json_reader_word(&c->r, dt_json_at(v, i), dt_factor_words, &factor);
        if (rc == DT_OK && (*out & (unsigned)factor) != 0)
            rc = dt_json_reader_fail(&c->r, "this factor occurs twice");
        *out |= (unsigned)factor;
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

/* Names durations, too, which the words do not show. */
static int frequency_refuse(dt_compiler *c, char const *text)
{
    char known[FREQUENCY_WORDS_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, known, sizeof(known));
    for (dt_config_word const *w = dt_frequency_words; w->word != NULL; w++)
        dt_buf_printf(&b, "%s%s", w == dt_frequency_words ? "" : ", ", w->word);
    return dt_json_reader_fail(&c->r,
                               "must be one of %s, or an ISO 8601 duration such as PT8H (8 hours) "
                               "or P7D (7 days); found %s%.80s%s",
                               known, text != NULL ? "\"" : "", text != NULL ? text : "no string",
                               text != NULL ? "\"" : "");
}

/* One of the words, or an ISO 8601 duration; no time at all is every sign-on. */
static int frequency_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    char const *text = dt_json_string(v);
    int frequency = DT_FREQUENCY_EVERY_SIGN_ON;
    int rc;

    if (text == NULL || *text != 'P') {
        rc = dt_json_reader_word(&c->r, v, dt_frequency_words, &frequency);
        if (rc == DT_E_INVALID)
            return frequency_refuse(c, text);
        rule->lifetime = dt_frequency_lifetime((dt_frequency)frequency);
        rule->frequency = (uint8_t)frequency;
        return rc;
    }
    rc = dt_iso_duration_parse(text, &rule->lifetime);
    if (rc == DT_E_LIMIT)
        return dt_json_reader_fail(&c->r, "must be at most %lld days; use ONLY_ONCE for no limit",
                                   (long long)(DT_FREQUENCY_MAX / DT_DAYS(1)));
    if (rc != DT_OK)
        return dt_json_reader_fail(&c->r, "is not an ISO 8601 duration such as PT8H, P7D, "
                                          "P1Y2M3W4DT5H6M7S (whole numbers, in this order)");
    rule->frequency = rule->lifetime > 0 ? DT_FREQUENCY_DURATION : DT_FREQUENCY_EVERY_SIGN_ON;
    return DT_OK;
}

static int remember_by_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_config_word const words[] = {{"USER", DT_REMEMBER_BY_USER},
                                           {"CLIENT_IP", DT_REMEMBER_BY_CLIENT_IP},
                                           {"STATION", DT_REMEMBER_BY_STATION},
                                           {NULL, 0}};
    size_t const most = sizeof(words) / sizeof(words[0]) - 1;
    int rc = dt_json_reader_array(&c->r, v, 1, most);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        int by = 0;
        rc = dt_json_reader_word(&c->r, dt_json_at(v, i), words, &by);
        if (rc == DT_OK && (rule->remember_by & by) != 0)
            rc = dt_json_reader_fail(&c->r, "this occurs twice");
        rule->remember_by |= (uint8_t)by;
        dt_json_reader_leave(&c->r, mark);
    }
    if (rc == DT_OK && (rule->remember_by & DT_REMEMBER_BY_USER) != 0 && dt_json_size(v) > 1)
        rc = dt_json_reader_fail(&c->r,
                                 "USER must be the only element: the others include the user");
    return rc;
}

static int remember_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"by", true}, {NULL, false}};
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc != DT_OK)
        return rc;
    if (rule->frequency == DT_FREQUENCY_EVERY_SIGN_ON)
        return dt_json_reader_fail(&c->r, "with EVERY_SIGN_ON nothing is remembered");
    mark = dt_json_reader_enter(&c->r, "by");
    rc = remember_by_parse(c, dt_json_get(v, "by"), rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int prompt_factors_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    rule->factors = 0;
    return factors_parse(c, v, &rule->factors);
}

static int prompt_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"frequency", true}, {"factors", false}, {"remember", false}, {NULL, false}};
    static int (*const parsers[])(dt_compiler *, dt_json const *, dt_rule *) = {
        frequency_parse, prompt_factors_parse, remember_parse};
    size_t before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_object(&c->r, v, fields);

    rule->access = DT_ACCESS_ALLOW_AFTER_MFA;
    rule->factors = DT_FACTOR_POSSESSION;
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = dt_json_reader_keep(&c->r, mark, parsers[i](c, part, rule));
    }
    rc = dt_json_reader_end(&c->r, before, rc);
    return rc;
}

/* --- access ------------------------------------------------------------------------------------ */

/* It goes to a terminal as it is. */
static bool is_shown(char const *text)
{
    size_t len = strlen(text), at = 0;

    while (at < len) {
        uint32_t code_point = 0;
        size_t n = dt_utf8_decode((uint8_t const *)text + at, len - at, &code_point);
        if (n == 0 || !dt_utf8_is_shown(code_point))
            return false;
        at += n;
    }
    return true;
}

static int message_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    size_t mark = dt_json_reader_enter(&c->r, "message");
    char const *text = "";
    int rc = DT_OK;

    if (rule->access != DT_ACCESS_DENY)
        rc = dt_json_reader_fail(&c->r, "only a DENY rule can have a message");
    if (rc == DT_OK)
        rc = dt_json_reader_text(&c->r, v, DT_POLICY_MESSAGE_MAX, &text);
    if (rc == DT_OK && !is_shown(text))
        rc = dt_json_reader_fail(
            &c->r,
            "must not contain characters that move the cursor or change the writing direction");
    if (rc == DT_OK) {
        rule->message = dt_compiler_keep(c->p, text);
        rc = rule->message == NULL ? dt_compiler_nomem(c) : DT_OK;
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int sign_on_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"access", true}, {"promptForFactor", false}, {"message", false}, {NULL, false}};
    static dt_config_word const words[] = {
        {"ALLOW", DT_ACCESS_ALLOW}, {"DENY", DT_ACCESS_DENY}, {NULL, 0}};
    dt_json const *prompt = dt_json_get(v, "promptForFactor");
    dt_json const *message = dt_json_get(v, "message");
    int access = DT_ACCESS_DENY;
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "access", words, &access);
    if (rc != DT_OK)
        return rc;
    rule->access = (uint8_t)access;
    if (message != NULL)
        rc = message_parse(c, message, rule);
    if (rc != DT_OK || prompt == NULL)
        return rc;
    mark = dt_json_reader_enter(&c->r, "promptForFactor");
    if (access == DT_ACCESS_DENY)
        rc = dt_json_reader_fail(&c->r, "a DENY rule cannot ask for a factor");
    else
        rc = prompt_parse(c, prompt, rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* --- RADIUS reply ------------------------------------------------------------------------------ */

static int reply_add(dt_compiler *c, dt_rule *rule, char const *name, char const *value)
{
    dt_policy *p = c->p;
    void *replies = p->replies;
    dt_reply_attribute a;
    int rc;

    if (rule->reply_count == DT_POLICY_REPLY_MAX)
        return dt_json_reader_fail(&c->r, "more than %d attributes, including those of vlan",
                                   DT_POLICY_REPLY_MAX);
    rc = dt_compiler_grow(c, &replies, p->reply_count, &c->replies_cap, sizeof(*p->replies));
    p->replies = replies;
    if (rc != DT_OK)
        return rc;
    a.name = dt_compiler_keep(p, name);
    a.value = dt_compiler_keep(p, value);
    if (a.name == NULL || a.value == NULL)
        return dt_compiler_nomem(c);
    if (rule->reply_count++ == 0)
        rule->reply_first = (uint32_t)p->reply_count;
    p->replies[p->reply_count++] = a;
    return DT_OK;
}

/* A dictionary's name, with a tag after a colon where it takes one. */
static bool is_attribute_name(char const *s)
{
    for (size_t i = 0; s[i] != '\0'; i++) {
        bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
                    (s[i] >= '0' && s[i] <= '9');
        if (!word && (i == 0 || strchr("-_.:", s[i]) == NULL))
            return false;
    }
    return true;
}

/* What the conversation itself is made of (RFC 2865, 3579, 2548): a rule that sets it could only
 * break it, or hand out a key. */
static bool is_protocol_name(char const *s)
{
    static char const *const names[] = {"State",
                                        "Proxy-State",
                                        "EAP-Message",
                                        "Message-Authenticator",
                                        "Reply-Message",
                                        "User-Password",
                                        "CHAP-Password",
                                        "CHAP-Challenge",
                                        "EAP-Key-Name",
                                        "Auth-Type",
                                        "Packet-Type",
                                        "Post-Auth-Type",
                                        "Response-Packet-Type"};
    static char const *const prefixes[] = {"MS-CHAP", "MS-MPPE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (dt_str_equal_nocase(s, names[i]))
            return true;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char start[8] = "";
        size_t len = strlen(prefixes[i]);
        if (strlen(s) >= len && dt_str_copy_bytes(start, sizeof(start), dt_bytes_of(s, len)) == 0 &&
            dt_str_equal_nocase(start, prefixes[i]))
            return true;
    }
    return false;
}

static int attribute_name_parse(dt_compiler *c, dt_json const *v, char const **out)
{
    size_t mark = dt_json_reader_enter(&c->r, "name");
    int rc = dt_json_reader_text(&c->r, v, DT_REPLY_NAME_MAX, out);

    if (rc == DT_OK && !is_attribute_name(*out))
        rc = dt_json_reader_fail(
            &c->r,
            "must be letters, digits, and after the first character \"-\", \"_\", \".\" and \":\"");
    if (rc == DT_OK && is_protocol_name(*out))
        rc = dt_json_reader_fail(
            &c->r, "\"%s\" belongs to the RADIUS conversation and cannot be set by a rule", *out);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* Text, or an integer as RADIUS has it: 32 bits without a sign. */
static int attribute_value_parse(dt_compiler *c, dt_json const *v, char number[16],
                                 char const **out)
{
    size_t mark = dt_json_reader_enter(&c->r, "value");
    int64_t n = 0;
    int rc = DT_OK;

    if (!dt_json_integer(v, &n)) {
        rc = dt_json_reader_text(&c->r, v, DT_REPLY_VALUE_MAX, out);
    } else if (n < 0 || n > UINT32_MAX) {
        rc = dt_json_reader_fail(&c->r, "must be a string, or an integer from 0 to 4294967295");
    } else {
        (void)snprintf(number, 16, "%lu", (unsigned long)n);
        *out = number;
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int attribute_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"name", true}, {"value", true}, {NULL, false}};
    char number[16];
    char const *name = "", *value = "";
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = attribute_name_parse(c, dt_json_get(v, "name"), &name);
    if (rc == DT_OK)
        rc = attribute_value_parse(c, dt_json_get(v, "value"), number, &value);
    return rc == DT_OK ? reply_add(c, rule, name, value) : rc;
}

static int attributes_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    int rc = dt_json_reader_array(&c->r, v, 1, DT_POLICY_REPLY_MAX);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        rc = attribute_parse(c, dt_json_at(v, i), rule);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

static bool is_number(char const *s)
{
    return s[strspn(s, "0123456789")] == '\0';
}

/* The three attributes of RFC 3580 section 3.31. */
static int vlan_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    char number[16] = "";
    char const *id = number;
    int64_t n = 0;
    int rc = DT_OK;

    if (rule->access == DT_ACCESS_DENY)
        return dt_json_reader_fail(
            &c->r, "a DENY rule cannot set a VLAN; write a quarantine as an ALLOW rule");
    if (!dt_json_integer(v, &n)) {
        rc = dt_json_reader_text(&c->r, v, DT_VLAN_NAME_MAX, &id);
        if (rc == DT_OK && is_number(id))
            rc = dt_json_reader_fail(&c->r, "write a VLAN's number without quotes");
    } else if (n < 1 || n > DT_VLAN_ID_MAX) {
        rc = dt_json_reader_fail(&c->r, "must be a name, or an integer from 1 to %d",
                                 DT_VLAN_ID_MAX);
    } else {
        (void)snprintf(number, sizeof(number), "%d", (int)n);
    }
    if (rc == DT_OK)
        rc = reply_add(c, rule, "Tunnel-Type", "VLAN");
    if (rc == DT_OK)
        rc = reply_add(c, rule, "Tunnel-Medium-Type", "IEEE-802");
    return rc == DT_OK ? reply_add(c, rule, "Tunnel-Private-Group-Id", id) : rc;
}

static int reply_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"vlan", false}, {"attributes", false}, {NULL, false}};
    static int (*const parsers[])(dt_compiler *, dt_json const *, dt_rule *) = {vlan_parse,
                                                                                attributes_parse};
    size_t before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK && dt_json_size(v) == 0)
        rc = dt_json_reader_fail(&c->r, "needs vlan or attributes");
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = dt_json_reader_keep(&c->r, mark, parsers[i](c, part, rule));
    }
    rc = dt_json_reader_end(&c->r, before, rc);
    return rc;
}

/* --- all of them ------------------------------------------------------------------------------- */

int dt_rule_actions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"appSignOn", true}, {"reply", false}, {NULL, false}};
    static int (*const parsers[])(dt_compiler *, dt_json const *, dt_rule *) = {sign_on_parse,
                                                                                reply_parse};
    size_t before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_object(&c->r, v, fields);

    rule->message = "";
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = dt_json_reader_keep(&c->r, mark, parsers[i](c, part, rule));
    }
    rc = dt_json_reader_end(&c->r, before, rc);
    return rc;
}
