/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs an administrator's table of cases through a policy. */
#include "devtrustctl/policy/policy_cases.h"

#include "core/base/json_reader.h"
#include "core/signon/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_TEXT_MAX 1024
#define FACTOR_WORDS 32

static dt_config_word const access_words[] = {{"DENY", DT_ACCESS_DENY},
                                              {"ALLOW", DT_ACCESS_ALLOW},
                                              {"ALLOW_AFTER_MFA", DT_ACCESS_ALLOW_AFTER_MFA},
                                              {NULL, 0}};
static dt_config_word const trust_words[] = {{"TRUSTED", DT_TRUST_TRUSTED},
                                             {"NOT_TRUSTED", DT_TRUST_NOT_TRUSTED},
                                             {"UNKNOWN", DT_TRUST_UNKNOWN},
                                             {NULL, 0}};
static dt_config_word const unknown_words[] = {
    {"deny", DT_UNKNOWN_DENY}, {"not_trusted", DT_UNKNOWN_NOT_TRUSTED}, {NULL, 0}};
static dt_config_word const org_mfa_words[] = {
    {"enforce", DT_ORG_MFA_ENFORCE}, {"unless_trusted", DT_ORG_MFA_UNLESS_TRUSTED}, {NULL, 0}};
static dt_config_word const platform_words[] = {{"windows", DT_PLATFORM_WINDOWS},
                                                {"macos", DT_PLATFORM_MACOS},
                                                {"linux", DT_PLATFORM_LINUX},
                                                {"chromeos", DT_PLATFORM_CHROMEOS},
                                                {"other-desktop", DT_PLATFORM_OTHER_DESKTOP},
                                                {"ios", DT_PLATFORM_IOS},
                                                {"android", DT_PLATFORM_ANDROID},
                                                {"other-mobile", DT_PLATFORM_OTHER_MOBILE},
                                                {"unknown", DT_PLATFORM_UNKNOWN},
                                                {NULL, 0}};

static char const *word_of(dt_config_word const *words, int value)
{
    while (words->word != NULL && words->value != value)
        words++;
    return words->word != NULL ? words->word : "";
}

/* What a case expects; NULL and 0 for what it leaves open. */
typedef struct expected {
    int access;
    char const *rule, *org_rule;
    char const *frequency;
    dt_time lifetime; /* of a frequency that is a duration; -1 for a word */
    unsigned factors;
} expected;

typedef struct one_case {
    char const *name;
    dt_policy_input in;
    char const *groups[DT_GROUPS_MAX];
    dt_geo_place place;
    bool application_only;
    bool org_mfa_waived;
    bool gives_time, gives_reason, gives_place; /* if only as null: not known */
    expected want;
} one_case;

typedef struct running {
    dt_json_reader r;
    dt_cases_rules const *rules;
    one_case c;
} running;

/* --- reading a case ---------------------------------------------------------------------------- */

static int group_put(running *x, char const *group)
{
    if (x->c.in.group_count == DT_GROUPS_MAX)
        return dt_json_reader_fail(&x->r, "more than %d groups", DT_GROUPS_MAX);
    x->c.groups[x->c.in.group_count++] = group;
    return DT_OK;
}

/* A name, and the group that a policy names by id where this is its id or the name beside it. */
static int group_read(running *x, dt_json const *v)
{
    dt_policy const *const policies[] = {x->rules->policy, x->rules->org};
    char const *word = NULL;
    int rc = dt_json_reader_text(&x->r, v, DT_GROUP_NAME_MAX, &word);

    if (rc == DT_OK)
        rc = group_put(x, word);
    for (size_t k = 0; rc == DT_OK && k < 2; k++) {
        char const *id = dt_policy_group_meant(policies[k], word, 0);
        if (id != NULL && dt_policy_group_meant(policies[k], word, 1) != NULL)
            rc = dt_json_reader_fail(&x->r, "is the name of several groups of the policy: give the "
                                            "id");
        else if (id != NULL)
            rc = group_put(x, id);
    }
    return rc;
}

/* A list of names and ids, or null for "not known". */
static int groups_read(running *x, dt_json const *v)
{
    size_t mark = dt_json_reader_enter(&x->r, "groups");
    int rc = DT_OK;

    x->c.in.groups = x->c.groups;
    x->c.in.group_knowledge =
        dt_json_typeof(v) == DT_JSON_NULL ? DT_GROUPS_UNKNOWN : DT_GROUPS_KNOWN;
    if (v != NULL && x->c.in.group_knowledge == DT_GROUPS_KNOWN)
        rc = dt_json_reader_array(&x->r, v, 0, DT_GROUPS_MAX);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t element = dt_json_reader_enter_at(&x->r, i);
        rc = group_read(x, dt_json_at(v, i));
        dt_json_reader_leave(&x->r, element);
    }
    dt_json_reader_leave(&x->r, mark);
    return rc;
}

static int ip_read(running *x, dt_json const *v)
{
    char const *text = NULL;
    size_t mark;
    int rc = dt_json_reader_member_text(&x->r, v, "ip", DT_ADDRESS_MAX, &text);

    /* Without an address the person sits at this host. */
    x->c.in.address = text == NULL ? DT_ADDRESS_LOCAL : DT_ADDRESS_UNKNOWN;
    if (rc != DT_OK || text == NULL || dt_ip_parse(text, &x->c.in.ip) == DT_OK)
        return rc;
    mark = dt_json_reader_enter(&x->r, "ip");
    rc = dt_json_reader_fail(&x->r, "is not an IP address");
    dt_json_reader_leave(&x->r, mark);
    return rc;
}

/* --- a case: where the address is -------------------------------------------------------------- */

static bool is_capitals(char const *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 'A' || s[i] > 'Z')
            return false;
    return s[n] == '\0';
}

/* "CA" or "US-CA", as in zones. */
static bool region_take(char const *text, dt_geo_place *at)
{
    size_t n;

    if (strncmp(text, at->country, 2) == 0 && text[2] == '-')
        text += 3;
    n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return n > 0 && text[n] == '\0' && dt_str_copy(at->region, sizeof(at->region), text) == DT_OK;
}

/* A member that may be null, which is distinguished from one that is not there. */
static int text_or_null(running *x, dt_json const *v, char const *member, size_t max,
                        char const **text, bool *given)
{
    dt_json const *is = dt_json_get(v, member);

    *text = NULL;
    *given = *given || is != NULL;
    if (dt_json_typeof(is) == DT_JSON_NULL)
        return DT_OK;
    return dt_json_reader_member_text(&x->r, v, member, max, text);
}

static int fail_at(running *x, char const *member, char const *why)
{
    (void)dt_json_reader_enter(&x->r, member);
    return dt_json_reader_fail(&x->r, "%s", why);
}

static int country_read(running *x, dt_json const *v)
{
    dt_geo_place *at = &x->c.place;
    char const *country, *region = NULL;
    int rc = text_or_null(x, v, "country", DT_POLICY_NAME_MAX, &country, &x->c.gives_place);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "region", DT_POLICY_NAME_MAX, &region);
    if (rc != DT_OK)
        return rc;
    if (country != NULL && (strlen(country) != 2 || !is_capitals(country, 2)))
        return fail_at(x, "country", "must be two capital letters (ISO 3166-1), such as DE");
    if (region != NULL && country == NULL)
        return fail_at(x, "region", "needs country");
    if (country == NULL)
        return DT_OK;
    (void)dt_str_copy(at->country, sizeof(at->country), country);
    at->known |= DT_GEO_COUNTRY;
    if (region == NULL)
        return DT_OK;
    if (!region_take(region, at))
        return fail_at(x, "region",
                       "must be an ISO 3166-2 code of this country, such as US-CA, or CA");
    at->known |= DT_GEO_REGION;
    return DT_OK;
}

static int asn_read(running *x, dt_json const *v)
{
    dt_json const *asn = dt_json_get(v, "asn");
    int64_t number = 0;

    x->c.gives_place = x->c.gives_place || asn != NULL;
    if (asn == NULL || dt_json_typeof(asn) == DT_JSON_NULL)
        return DT_OK;
    if (!dt_json_integer(asn, &number) || number < 1 || number > UINT32_MAX)
        return fail_at(x, "asn", "must be a number from 1 to 4294967295");
    x->c.place.asn = (uint32_t)number;
    x->c.place.known |= DT_GEO_ASN;
    return DT_OK;
}

/* What a database would say of the address. */
static int place_read(running *x, dt_json const *v)
{
    int rc = country_read(x, v);

    if (rc == DT_OK)
        rc = asn_read(x, v);
    x->c.in.place = &x->c.place;
    if (rc == DT_OK && x->c.gives_place && !x->c.in.ip.set)
        return dt_json_reader_fail(&x->r, "country and asn need \"ip\", which is missing");
    return rc;
}

/* --- a case: the moment and the device --------------------------------------------------------- */

/* With the offset from UTC, which is the site's: a case means the same wherever it is run. */
static int time_read(running *x, dt_json const *v)
{
    char const *text;
    bool offset_given = false;
    int rc = text_or_null(x, v, "time", DT_POLICY_NAME_MAX, &text, &x->c.gives_time);

    if (rc != DT_OK || text == NULL)
        return rc;
    if (dt_time_parse_local(text, &x->c.in.now, &x->c.in.utc_offset, &offset_given) != DT_OK ||
        !offset_given)
        return fail_at(x, "time",
                       "must be a local time with its offset from UTC, such as "
                       "2026-03-02T09:30+01:00, or in UTC, such as 2026-03-02T08:30Z");
    x->c.in.utc_offset_known = true;
    return DT_OK;
}

static int reason_read(running *x, dt_json const *v)
{
    bool trusted = x->c.in.trust == DT_TRUST_TRUSTED;
    char const *text;
    int i = DT_REASON_NONE + 1;
    int rc = text_or_null(x, v, "reason", DT_POLICY_NAME_MAX, &text, &x->c.gives_reason);

    if (rc != DT_OK || text == NULL)
        return rc;
    while (i < DT_REASON_COUNT && strcmp(text, dt_reason_name((dt_reason)i)) != 0)
        i++;
    if (i == DT_REASON_COUNT)
        return fail_at(x, "reason", "unknown reason; see devtrust-policy(5)");
    if (!dt_policy_reason_fits((dt_reason)i, trusted))
        return fail_at(x, "reason", "is not a reason for a device to be so");
    x->c.in.reason = (dt_reason)i;
    return DT_OK;
}

static int device_read(running *x, dt_json const *v)
{
    int trust = DT_TRUST_UNKNOWN, unknown = DT_UNKNOWN_DENY, platform = DT_PLATFORM_UNKNOWN;
    int rc = dt_json_reader_member_word(&x->r, v, "device", trust_words, &trust);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&x->r, v, "unknownDeviceAs", unknown_words, &unknown);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&x->r, v, "platform", platform_words, &platform);
    x->c.in.trust = (dt_trust)trust;
    x->c.in.unknown_as = (dt_unknown_as)unknown;
    x->c.in.platform = (dt_platform)platform;
    return rc == DT_OK ? reason_read(x, v) : rc;
}

/* --- a case: what must come of it -------------------------------------------------------------- */

static int org_read(running *x, dt_json const *v)
{
    dt_json const *only = dt_json_get(v, "applicationOnly");
    int mfa = DT_ORG_MFA_ENFORCE;
    int rc = dt_json_reader_member_word(&x->r, v, "orgMfa", org_mfa_words, &mfa);

    if (rc == DT_OK && only != NULL && !dt_json_bool(only, &x->c.application_only))
        return fail_at(x, "applicationOnly", "must be true or false");
    x->c.org_mfa_waived = mfa == DT_ORG_MFA_UNLESS_TRUSTED && x->c.in.trust == DT_TRUST_TRUSTED;
    return rc;
}

/* A word of a policy's frequencies, or an ISO 8601 duration. */
static int frequency_read(running *x, dt_json const *v)
{
    size_t mark = dt_json_reader_enter(&x->r, "frequency");
    char const *text = x->c.want.frequency;
    int rc = DT_OK;

    (void)v;
    x->c.want.lifetime = -1;
    for (int f = 0; text != NULL && f < DT_FREQUENCY_DURATION; f++)
        if (strcmp(dt_frequency_name((dt_frequency)f), text) == 0)
            text = NULL;
    if (text != NULL && dt_iso_duration_parse(text, &x->c.want.lifetime) != DT_OK)
        rc = dt_json_reader_fail(&x->r, "is neither a frequency of policies nor a duration");
    dt_json_reader_leave(&x->r, mark);
    return rc;
}

static int factors_read(running *x, dt_json const *v)
{
    dt_json const *list = dt_json_get(v, "factors");
    size_t mark = dt_json_reader_enter(&x->r, "factors");
    int rc = list == NULL ? DT_OK : dt_json_reader_array(&x->r, list, 1, FACTOR_WORDS);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&x->r, i);
        char const *name = NULL;
        rc = dt_json_reader_text(&x->r, dt_json_at(list, i), DT_CASE_TEXT_MAX, &name);
        if (rc == DT_OK && dt_factor_word_bits(name) == 0)
            rc = dt_json_reader_fail(&x->r, "unknown factor");
        x->c.want.factors |= rc == DT_OK ? dt_factor_word_bits(name) : 0;
        dt_json_reader_leave(&x->r, element);
    }
    dt_json_reader_leave(&x->r, mark);
    return rc;
}

static int expected_read(running *x, dt_json const *v)
{
    static dt_json_field const fields[] = {{"access", true},   {"rule", false},
                                           {"orgRule", false}, {"frequency", false},
                                           {"factors", false}, {NULL, false}};
    size_t mark = dt_json_reader_enter(&x->r, "expect");
    int rc = dt_json_reader_object(&x->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&x->r, v, "access", access_words, &x->c.want.access);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "rule", DT_POLICY_NAME_MAX, &x->c.want.rule);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "orgRule", DT_POLICY_NAME_MAX,
                                        &x->c.want.org_rule);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "frequency", DT_CASE_TEXT_MAX,
                                        &x->c.want.frequency);
    if (rc == DT_OK)
        rc = frequency_read(x, v);
    if (rc == DT_OK)
        rc = factors_read(x, v);
    if (rc == DT_OK && x->c.want.access != DT_ACCESS_ALLOW_AFTER_MFA &&
        (x->c.want.frequency != NULL || x->c.want.factors != 0))
        rc = dt_json_reader_fail(&x->r,
                                 "frequency and factors can only be used with ALLOW_AFTER_MFA");
    if (rc == DT_OK && x->c.want.org_rule != NULL && !x->rules->application_only &&
        (x->rules->org == NULL || x->c.application_only))
        rc = dt_json_reader_fail(&x->r,
                                 "orgRule needs the org's rules: \"org\" of the table, and no "
                                 "applicationOnly");
    dt_json_reader_leave(&x->r, mark);
    return rc;
}

/* Who, and from where. */
static int person_read(running *x, dt_json const *v)
{
    int rc = dt_json_reader_member_text(&x->r, v, "name", DT_POLICY_NAME_MAX, &x->c.name);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "user", DT_USER_MAX, &x->c.in.user);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&x->r, v, "login", DT_USER_MAX, &x->c.in.login);
    if (rc == DT_OK)
        rc = groups_read(x, dt_json_get(v, "groups"));
    if (rc == DT_OK)
        rc = ip_read(x, v);
    return rc == DT_OK ? place_read(x, v) : rc;
}

static int case_read(running *x, dt_json const *v)
{
    static dt_json_field const fields[] = {{"name", true},
                                           {"user", true},
                                           {"login", false},
                                           {"groups", false},
                                           {"ip", false},
                                           {"country", false},
                                           {"region", false},
                                           {"asn", false},
                                           {"time", false},
                                           {"platform", false},
                                           {"device", true},
                                           {"reason", false},
                                           {"orgMfa", false},
                                           {"expect", true},
                                           {"unknownDeviceAs", false},
                                           {"applicationOnly", false},
                                           {NULL, false}};
    int rc;

    memset(&x->c, 0, sizeof(x->c));
    rc = dt_json_reader_object(&x->r, v, fields);
    if (rc == DT_OK)
        rc = person_read(x, v);
    if (rc == DT_OK)
        rc = time_read(x, v);
    if (rc == DT_OK)
        rc = device_read(x, v);
    if (rc == DT_OK)
        rc = org_read(x, v);
    return rc == DT_OK ? expected_read(x, dt_json_get(v, "expect")) : rc;
}

/* --- judging ----------------------------------------------------------------------------------- */

static void add_wrong(dt_case_result *out, char const *member, char const *expected_text,
                      char const *got)
{
    dt_case_wrong *w = &out->wrong[out->wrong_count++];

    w->member = member;
    (void)snprintf(w->expected, sizeof(w->expected), "%s", expected_text);
    (void)snprintf(w->got, sizeof(w->got), "%s", got);
}

static void factors_text(unsigned factors, char out[DT_CASE_TEXT_MAX])
{
    unsigned left = factors;
    char const *word;
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_CASE_TEXT_MAX);
    while ((word = dt_factor_word_next(&left)) != NULL) {
        dt_buf_puts(&b, b.len > 0 ? ", " : "");
        dt_buf_puts(&b, word);
    }
    if (factors == 0)
        dt_buf_puts(&b, "none");
}

/* A duration equals the word of the same length. */
static bool frequency_fits(expected const *w, dt_decision const *d)
{
    if (w->lifetime >= 0)
        return d->frequency != DT_FREQUENCY_ONCE_PER_SESSION && d->lifetime == w->lifetime;
    if (d->frequency != DT_FREQUENCY_DURATION)
        return strcmp(dt_frequency_name(d->frequency), w->frequency) == 0;
    for (int f = 0; f < DT_FREQUENCY_DURATION; f++)
        if (f != DT_FREQUENCY_ONCE_PER_SESSION &&
            strcmp(dt_frequency_name((dt_frequency)f), w->frequency) == 0)
            return dt_frequency_lifetime((dt_frequency)f) == d->lifetime;
    return false;
}

static void judge(expected const *w, dt_case_result *out)
{
    char a[DT_CASE_TEXT_MAX], b[DT_CASE_TEXT_MAX], frequency[DT_DURATION_TEXT_MAX];
    dt_decision const *d = out->decision;
    bool mfa = d->access == DT_ACCESS_ALLOW_AFTER_MFA;

    if ((int)d->access != w->access)
        add_wrong(out, "access", word_of(access_words, w->access),
                  word_of(access_words, d->access));
    if (w->rule != NULL && strcmp(w->rule, d->rule) != 0)
        add_wrong(out, "rule", w->rule, d->rule[0] != '\0' ? d->rule : "none");
    if (w->org_rule != NULL && out->org != NULL && strcmp(w->org_rule, out->org->rule) != 0)
        add_wrong(out, "orgRule", w->org_rule, out->org->rule[0] != '\0' ? out->org->rule : "none");
    if (w->frequency != NULL && (!mfa || !frequency_fits(w, d)))
        add_wrong(out, "frequency", w->frequency,
                  mfa ? dt_decision_frequency_text(frequency, d) : "none");
    factors_text(w->factors, a);
    factors_text(mfa ? d->factors : 0, b);
    if (w->factors != 0 && strcmp(a, b) != 0)
        add_wrong(out, "factors", a, b);
}

/* What a rule that was reached asks for and the case does not give. Where the device is UNKNOWN its
 * reason counts for nothing. */
static void judge_gaps(one_case const *c, dt_case_result *out)
{
    unsigned unknown = out->decision->unknown;

    if ((unknown & 1u << DT_CONDITION_TIME) != 0 && !c->gives_time)
        add_wrong(out, "time", "one, because a rule asks for it (null: not known)", "none");
    if ((unknown & 1u << DT_CONDITION_DEVICE) != 0 && !c->gives_reason &&
        c->in.trust == DT_TRUST_NOT_TRUSTED)
        add_wrong(out, "reason", "one, because a rule asks for it (null: not known)", "none");
    if (c->in.ip.set && !c->gives_place &&
        ((unknown & 1u << DT_CONDITION_NETWORK) != 0 ||
         out->decision->cause == DT_DECISION_UNKNOWN_NETWORK))
        add_wrong(out, "country", "one, or an asn, because a zone asks for it (null: not known)",
                  "none");
}

/* --- the whole --------------------------------------------------------------------------------- */

int dt_cases_head_read(dt_json const *root, char const *file, dt_cases_head *out, dt_error *e)
{
    static dt_json_field const fields[] = {
        {"$schema", false}, {"policy", true},      {"zones", false}, {"org", false},
        {"cases", true},    {"properties", false}, {NULL, false}};
    dt_json_reader r;
    char const *schema = NULL;
    int rc;

    *out = (dt_cases_head){.count = 0};
    dt_json_reader_init(&r, &(dt_json_source){.file = file}, e);
    rc = dt_json_reader_object(&r, root, fields);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&r, root, "policy", PATH_TEXT_MAX, &out->policy);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&r, root, "zones", PATH_TEXT_MAX, &out->zones);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&r, root, "org", PATH_TEXT_MAX, &out->org);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&r, root, "properties", PATH_TEXT_MAX, &out->properties);
    if (rc == DT_OK) {
        size_t mark = dt_json_reader_enter(&r, "cases");
        rc = dt_json_reader_array(&r, dt_json_get(root, "cases"), 1, DT_CASES_MAX);
        dt_json_reader_leave(&r, mark);
    }
    out->count = dt_json_size(dt_json_get(root, "cases"));
    return rc;
}

static int case_run(running *x, dt_json const *v, size_t i, dt_case_fn *fn, void *ctx,
                    size_t *failed)
{
    dt_decision d, own, org;
    dt_case_result result = {
        .index = i, .name = "", .in = &x->c.in, .decision = &d, .own = &own, .org = NULL};
    int rc = case_read(x, v);

    if (rc != DT_OK)
        return rc;
    result.name = x->c.name;
    dt_policy_decide(x->rules->policy, &x->c.in, &own);
    d = own;
    if (x->rules->org != NULL && !x->rules->application_only && !x->c.application_only) {
        (void)dt_policy_decide_org(x->rules->org, &x->c.in, x->c.org_mfa_waived, &d, &org);
        result.org = &org;
    }
    judge(&x->c.want, &result);
    judge_gaps(&x->c, &result);
    *failed += result.wrong_count > 0;
    fn(ctx, &result);
    return DT_OK;
}

int dt_cases_run(dt_json const *root, char const *file, dt_cases_rules const *rules, dt_case_fn *fn,
                 void *ctx, size_t *failed, dt_error *e)
{
    dt_json const *cases = dt_json_get(root, "cases");
    dt_cases_head head;
    running *x = calloc(1, sizeof(*x));
    int rc;

    *failed = 0;
    if (x == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    x->rules = rules;
    rc = dt_cases_head_read(root, file, &head, e);
    dt_json_reader_init(&x->r, &(dt_json_source){.file = file}, e);
    (void)dt_json_reader_enter(&x->r, "cases");
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(cases); i++) {
        size_t mark = dt_json_reader_enter_at(&x->r, i);
        rc = case_run(x, dt_json_at(cases, i), i, fn, ctx, failed);
        dt_json_reader_leave(&x->r, mark);
    }
    free(x);
    return rc;
}
