/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an Okta rule gives, read in the strictest sense that fits. Source: Okta management API
 * reference, Policy: AccessPolicyRuleActions, AssuranceMethod, AuthenticationMethodChainMethod.
 *
 * The first factor is not ours: it is whatever the PAM stack or the RADIUS server verified. So a
 * demand for knowledge is met by it as long as a password would do, and a demand for possession is
 * what an MFA at Okta meets. */
#include "devtrustctl/policy/okta_import_internal.h"

#include <stdio.h>
#include <string.h>

#define CONSTRAINTS_MAX 64 /* alternatives of one rule */
#define CHAINS_MAX 16      /* Okta has at most 5 */
#define CHAIN_STEPS_MAX 8  /* Okta has at most 3 */

/* --- durations -------------------------------------------------------------------------------- */

/* Shortens *lifetime by a member that holds a duration. What is not a duration means every time. */
static void shorten(dt_importing *m, dt_json const *v, char const *member, dt_time *lifetime)
{
    dt_json const *d = dt_import_given(v, member);
    size_t mark;
    dt_time t = 0;
    int rc;

    if (d == NULL)
        return;
    mark = dt_json_reader_enter(&m->r, member);
    rc = dt_iso_duration_parse(dt_json_string(d) != NULL ? dt_json_string(d) : "", &t);
    if (rc == DT_E_LIMIT) {
        t = DT_FREQUENCY_MAX;
        dt_import_report(m, DT_IMPORT_CHANGED, "an MFA is remembered for 3650 days at most");
    } else if (rc != DT_OK) {
        t = 0;
        /* Old documentation of Okta writes PTOS, with a letter, for PT0S. */
        dt_import_report(m, DT_IMPORT_CHANGED, "\"%.40s\" is not a duration: MFA at every sign-on",
                         dt_json_string(d) != NULL ? dt_json_string(d) : "");
    }
    if (t < *lifetime)
        *lifetime = t;
    dt_json_reader_leave(&m->r, mark);
}

/* --- which of our factors meet a demand ------------------------------------------------------- */

typedef struct factor_word {
    char const *word;
    unsigned factors;
} factor_word;

/* Passcodes of what is neither Okta Verify nor a message. */
#define OTHER_PASSCODES                                                                            \
    (DT_FACTOR_TOTP_GOOGLE | DT_FACTOR_HOTP | DT_FACTOR_SYMANTEC | DT_FACTOR_YUBIKEY |             \
     DT_FACTOR_RSA)

static factor_word const methods[] = {{"PUSH", DT_FACTOR_PUSH},
                                      {"TOTP", DT_FACTOR_TOTP}, /* Okta Verify's passcode */
                                      {"OTP", OTHER_PASSCODES},
                                      {"SMS", DT_FACTOR_SMS},
                                      {"VOICE", DT_FACTOR_CALL},
                                      {"EMAIL", DT_FACTOR_EMAIL},
                                      {NULL, 0}};
static factor_word const types[] = {{"APP", DT_FACTOR_PUSH | DT_FACTOR_TOTPS | DT_FACTOR_SYMANTEC},
                                    {"PHONE", DT_FACTOR_SMS | DT_FACTOR_CALL},
                                    {"EMAIL", DT_FACTOR_EMAIL},

                                    {NULL, 0}};
/* Authenticators, by the key that they have at Okta. */
static factor_word const keys[] = {{"okta_verify", DT_FACTOR_PUSH | DT_FACTOR_TOTP},
                                   {"google_otp", DT_FACTOR_TOTP_GOOGLE},
                                   {"custom_otp", DT_FACTOR_HOTP},
                                   {"symantec_vip", DT_FACTOR_SYMANTEC},
                                   {"rsa_token", DT_FACTOR_RSA},
                                   {"yubikey_token", DT_FACTOR_YUBIKEY},
                                   {"phone_number", DT_FACTOR_SMS | DT_FACTOR_CALL},
                                   {"okta_email", DT_FACTOR_EMAIL},
                                   {NULL, 0}};

static unsigned word_factors(factor_word const *words, dt_json const *v)
{
    for (factor_word const *w = words; w->word != NULL; w++)
        if (dt_import_is(v, w->word))
            return w->factors;
    return 0;
}

/* An array, or the one element in its place: the published examples have both. */
static size_t some_size(dt_json const *v)
{
    dt_json_type t = dt_json_typeof(v);

    if (t == DT_JSON_ARRAY)
        return dt_json_size(v);
    return t == DT_JSON_OBJECT || t == DT_JSON_STRING ? 1 : 0;
}

static dt_json const *some_at(dt_json const *v, size_t i)
{
    return dt_json_typeof(v) == DT_JSON_ARRAY ? dt_json_at(v, i) : v;
}

/* The factors of {"key","method"}; a method may be missing. */
static unsigned method_factors(dt_json const *v)
{
    dt_json const *method = dt_import_given(v, "method");
    unsigned by_key = word_factors(keys, dt_import_given(v, "key"));

    return method == NULL ? by_key : by_key & word_factors(methods, method);
}

/* What {"key","method"} takes away. What is unclear takes away more: an unknown method, all of
 * the authenticator; no authenticator, the method of each. Okta Verify's FastPass is not one of ours. */
static unsigned excluded_factors(dt_json const *v)
{
    dt_json const *key = dt_import_given(v, "key"), *method = dt_import_given(v, "method");
    unsigned by_key = word_factors(keys, key), by_method = word_factors(methods, method);

    if (dt_json_typeof(v) != DT_JSON_OBJECT || (key == NULL && method == NULL))
        return DT_IMPORT_FACTORS;
    if (dt_import_is(method, "signed_nonce"))
        return 0;
    if (key == NULL)
        return by_method;
    return (by_key & by_method) != 0 ? by_key & by_method : by_key;
}

/* What a list allows; everything when it is not there or empty. */
static unsigned list_allows(dt_json const *list, unsigned (*factors_of)(dt_json const *))
{
    unsigned allowed = 0;
    size_t n = some_size(list);

    if (n == 0)
        return DT_IMPORT_FACTORS;
    for (size_t i = 0; i < n; i++)
        allowed |= factors_of(some_at(list, i));
    return allowed;
}

static unsigned of_method_word(dt_json const *v)
{
    return word_factors(methods, v);
}

static unsigned of_type_word(dt_json const *v)
{
    return word_factors(types, v);
}

static bool is_required(dt_json const *possession, char const *member)
{
    dt_json const *v = dt_import_given(possession, member);

    /* A word that is not known asks for more, not for less. */
    return v != NULL && !dt_import_is(v, "OPTIONAL");
}

static bool is_password(dt_json const *v)
{
    return dt_import_is(v, "PASSWORD") ||
           dt_import_is(dt_import_given(v, "key"), "okta_password") ||
           dt_import_is(dt_import_given(v, "method"), "password");
}

static bool list_has_password(dt_json const *list)
{
    for (size_t i = 0; i < some_size(list); i++)
        if (is_password(some_at(list, i)))
            return true;
    return false;
}

/* "required" of a constraint: true unless it says otherwise or only excludes. */
static bool constraint_is_required(dt_json const *v)
{
    bool required = some_size(dt_import_given(v, "excludedAuthenticationMethods")) == 0;

    (void)dt_json_bool(dt_json_get(v, "required"), &required);
    return required;
}

char const *dt_import_unknown_member(dt_json const *v, char const *const *known)
{
    for (size_t i = 0; i < dt_json_size(v); i++) {
        char const *name = NULL;
        dt_json const *member = dt_json_member(v, i, &name);
        bool is = dt_json_typeof(member) == DT_JSON_NULL;
        for (char const *const *k = known; !is && *k != NULL; k++)
            is = strcmp(*k, name) == 0;
        if (!is)
            return name;
    }
    return NULL;
}

/* --- one alternative of the constraints ------------------------------------------------------- */

typedef struct alternative {
    bool possible;     /* it can be met here */
    bool wants_factor; /* by an MFA only */
    unsigned factors;
    char why[DT_IMPORT_TEXT_MAX]; /* it cannot */
} alternative;

static void impossible(alternative *a, char const *why)
{
    a->possible = false;
    (void)snprintf(a->why, sizeof(a->why), "%s", why);
}

static char const *const common_members[] = {"types",
                                             "methods",
                                             "authenticationMethods",
                                             "excludedAuthenticationMethods",
                                             "required",
                                             "reauthenticateIn",
                                             NULL};
static char const *const possession_members[] = {"types",
                                                 "methods",
                                                 "authenticationMethods",
                                                 "excludedAuthenticationMethods",
                                                 "required",
                                                 "reauthenticateIn",
                                                 "deviceBound",
                                                 "hardwareProtection",
                                                 "phishingResistant",
                                                 "userPresence",
                                                 "userVerification",
                                                 "userVerificationMethods",
                                                 NULL};

/* Knowledge is what the first factor shows. */
static void knowledge_read(dt_json const *v, alternative *a)
{
    static char const *const lists[] = {"types", "methods", "authenticationMethods"};
    bool password = !list_has_password(dt_import_given(v, "excludedAuthenticationMethods"));
    char const *unknown = dt_import_unknown_member(v, common_members);

    if (dt_json_typeof(v) != DT_JSON_OBJECT || unknown != NULL) {
        impossible(a, "a demand on knowledge that this version does not know");
        return;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        dt_json const *list = dt_import_given(v, lists[i]);
        if (some_size(list) > 0 && !list_has_password(list))
            password = false;
    }
    if (!password && constraint_is_required(v))
        impossible(a, "it asks for knowledge other than a password");
}

static void possession_read(dt_json const *v, alternative *a)
{
    if (dt_json_typeof(v) != DT_JSON_OBJECT ||
        dt_import_unknown_member(v, possession_members) != NULL) {
        impossible(a, "a demand on possession that this version does not know");
        return;
    }
    a->wants_factor = constraint_is_required(v);
    a->factors &= list_allows(dt_import_given(v, "methods"), of_method_word);
    a->factors &= list_allows(dt_import_given(v, "types"), of_type_word);
    a->factors &= list_allows(dt_import_given(v, "authenticationMethods"), method_factors);
    if (some_size(dt_import_given(v, "excludedAuthenticationMethods")) > 0)
        a->factors &=
            ~list_allows(dt_import_given(v, "excludedAuthenticationMethods"), excluded_factors);
    if (is_required(v, "deviceBound"))
        a->factors &= DT_FACTOR_PUSH;
    if (is_required(v, "phishingResistant") || is_required(v, "hardwareProtection") ||
        is_required(v, "userVerification"))
        a->factors = 0;
}

static void alternative_read(dt_importing *m, dt_json const *v, bool two, alternative *a,
                             dt_time *lifetime)
{
    static char const *const members[] = {"knowledge", "possession", NULL};
    dt_json const *parts[2] = {NULL, NULL};

    *a = (alternative){.possible = true, .factors = DT_IMPORT_FACTORS};
    if (dt_json_typeof(v) != DT_JSON_OBJECT || dt_import_unknown_member(v, members) != NULL)
        impossible(a, "a constraint that this version does not know");
    for (size_t i = 0; a->possible && i < 2; i++) {
        size_t mark = dt_json_reader_enter(&m->r, members[i]);
        parts[i] = dt_import_given(v, members[i]);
        if (parts[i] != NULL && i == 0)
            knowledge_read(parts[i], a);
        if (parts[i] != NULL && i == 1)
            possession_read(parts[i], a);
        if (parts[i] != NULL)
            shorten(m, parts[i], "reauthenticateIn", lifetime);
        dt_json_reader_leave(&m->r, mark);
    }
    a->wants_factor = a->wants_factor || two;
    if (a->possible && a->wants_factor && a->factors == 0)
        impossible(a, "none of the factors that devtrust asks for meets it");
}

/* --- verification methods --------------------------------------------------------------------- */

void dt_import_action_refuse(dt_importing *m, dt_import_action *out, char const *why)
{
    *out = (dt_import_action){.refused = true};
    if (m->o->tighten)
        dt_import_report(m, DT_IMPORT_CHANGED, "%s: the rule denies", why);
    else
        dt_import_report(m, DT_IMPORT_REFUSED, "%s", why);
}

/* The alternatives are joined by "or": one that can be met is enough, as in the org. */
static void constraints_read(dt_importing *m, dt_json const *v, bool two, dt_import_action *out)
{
    size_t mark = dt_json_reader_enter(&m->r, "constraints"), n = some_size(v), possible = 0;
    alternative a = {.possible = false};
    unsigned factors = 0;
    bool plain = false;
    char why[DT_IMPORT_TEXT_MAX] = "it is not a list of constraints";

    for (size_t i = 0; i < n && i < CONSTRAINTS_MAX; i++) {
        size_t element = m->r.len;
        if (dt_json_typeof(v) == DT_JSON_ARRAY)
            (void)dt_json_reader_enter_at(&m->r, i);
        alternative_read(m, some_at(v, i), two, &a, &out->lifetime);
        if (!a.possible)
            (void)snprintf(why, sizeof(why), "%s", a.why);
        possible += a.possible;
        plain = plain || (a.possible && !a.wants_factor);
        factors |= a.possible && a.wants_factor ? a.factors : 0;
        dt_json_reader_leave(&m->r, element);
    }
    if (possible == 0)
        dt_import_action_refuse(m, out, why);
    else {
        out->access = plain ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA;
        out->factors = factors;
        if (possible < n)
            dt_import_report(m, DT_IMPORT_CHANGED, "an alternative is not offered here: %s", why);
    }
    dt_json_reader_leave(&m->r, mark);
}

static void assurance_read(dt_importing *m, dt_json const *v, dt_import_action *out)
{
    static char const *const members[] = {"type",        "factorMode",       "reauthenticateIn",
                                          "constraints", "inactivityPeriod", NULL};
    dt_json const *mode = dt_import_given(v, "factorMode");
    dt_json const *constraints = dt_import_given(v, "constraints");
    char const *unknown = dt_import_unknown_member(v, members);
    bool two = !dt_import_is(mode, "1FA");

    if (unknown != NULL) {
        dt_import_action_refuse(m, out, "a demand that this version does not know");
        return;
    }
    if (two && !dt_import_is(mode, "2FA"))
        dt_import_report(m, DT_IMPORT_CHANGED, "unknown factorMode: MFA required");
    out->access = two ? DT_ACCESS_ALLOW_AFTER_MFA : DT_ACCESS_ALLOW;
    out->factors = two ? DT_IMPORT_FACTORS : 0;
    out->lifetime = DT_TIME_NEVER;
    shorten(m, v, "reauthenticateIn", &out->lifetime);
    shorten(m, v, "inactivityPeriod", &out->lifetime);
    if (constraints != NULL &&
        !(dt_json_typeof(constraints) == DT_JSON_ARRAY && dt_json_size(constraints) == 0))
        constraints_read(m, constraints, two, out);
    if (out->lifetime == DT_TIME_NEVER)
        out->lifetime = 0; /* nothing was said */
}

/* One step of a chain: an MFA, the first factor, or either. */
typedef struct chain_step {
    unsigned factors; /* that meet it here */
    bool password;    /* the first factor meets it */
} chain_step;

static chain_step step_read(dt_json const *step)
{
    dt_json const *list = dt_import_given(step, "authenticationMethods");
    chain_step out = {0, list_has_password(list)};

    for (size_t i = 0; i < some_size(list); i++) {
        dt_json const *one = some_at(list, i);
        if (!is_required(one, "phishingResistant") && !is_required(one, "hardwareProtection") &&
            !is_required(one, "userVerification"))
            out.factors |= method_factors(one);
    }
    return out;
}

/* Reads the steps of a chain. False when they are unclear: too many, or more than one next. */
static bool steps_read(dt_importing *m, dt_json const *chain, chain_step steps[CHAIN_STEPS_MAX],
                       size_t *count, dt_time *lifetime)
{
    for (*count = 0; chain != NULL && *count < CHAIN_STEPS_MAX; (*count)++) {
        dt_json const *next = dt_import_given(chain, "next");
        steps[*count] = step_read(chain);
        shorten(m, chain, "reauthenticateIn", lifetime);
        if (some_size(next) > 1)
            return false;
        chain = some_at(next, 0);
    }
    return chain == NULL && *count > 0;
}

/* The factors by which a chain can be gone through here; 0, and why, when it cannot. The first factor
 * is one step's, and devtrust asks for one more: a chain of two possession steps would become one of
 * them. */
static unsigned chain_factors(dt_importing *m, dt_json const *chain, dt_time *lifetime,
                              char const **why)
{
    chain_step steps[CHAIN_STEPS_MAX];
    size_t count = 0;
    unsigned factors = 0;
    bool password = false;

    if (!steps_read(m, chain, steps, &count, lifetime)) {
        *why = "a chain in a form that this version does not know";
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        password = password || steps[i].password;
    if (count - password > 1) {
        *why = "a chain of more than one possession step; devtrust asks for one factor";
        return 0;
    }
    *why = "a chain with a step that none of the factors that devtrust asks for meets";
    if (count == 1)
        return steps[0].factors == 0 && password ? DT_IMPORT_FACTORS : steps[0].factors;
    /* Two: one by the first factor, the other by an MFA. */
    for (size_t i = 0; i < 2; i++)
        factors |= steps[i].password ? steps[1 - i].factors : 0;
    return factors;
}

static void chains_read(dt_importing *m, dt_json const *v, dt_import_action *out)
{
    dt_json const *chains = dt_import_given(v, "chains");
    char const *why = "no readable chain of methods";
    char text[DT_IMPORT_TEXT_MAX];
    unsigned factors = 0;
    size_t n = some_size(chains), possible = 0;

    *out = (dt_import_action){.access = DT_ACCESS_ALLOW_AFTER_MFA, .lifetime = DT_TIME_NEVER};
    shorten(m, v, "reauthenticateIn", &out->lifetime);
    for (size_t i = 0; i < n && i < CHAINS_MAX; i++) {
        char const *here = NULL;
        unsigned one = chain_factors(m, some_at(chains, i), &out->lifetime, &here);
        factors |= one;
        possible += one != 0;
        why = one == 0 ? here : why;
    }
    if (out->lifetime == DT_TIME_NEVER)
        out->lifetime = 0;
    out->factors = factors;
    (void)snprintf(text, sizeof(text), "AUTH_METHOD_CHAIN: %s", why);
    if (factors == 0) {
        dt_import_action_refuse(m, out, text);
        return;
    }
    if (possible < n)
        dt_import_report(m, DT_IMPORT_CHANGED, "%s; it is not offered here", text);
    dt_import_report(m, DT_IMPORT_CHANGED, "a chain of methods becomes: MFA required");
}

/* ID_PROOFING, and whatever comes after it, asks for something that no factor here shows. */
static void newer_read(dt_importing *m, dt_json const *type, dt_import_action *out)
{
    char const *word = dt_json_string(type);
    char text[DT_IMPORT_TEXT_MAX];

    (void)snprintf(text, sizeof(text), "verification method %.40s cannot be asked for here",
                   word != NULL ? word : "without a type");
    dt_import_action_refuse(m, out, text);
}

static void method_read(dt_importing *m, dt_json const *v, dt_import_action *out)
{
    size_t mark = dt_json_reader_enter(&m->r, "verificationMethod");
    dt_json const *type = dt_import_given(v, "type");

    if (dt_import_is(type, "ASSURANCE"))
        assurance_read(m, v, out);
    else if (dt_import_is(type, "AUTH_METHOD_CHAIN"))
        chains_read(m, v, out);
    else
        newer_read(m, type, out);
    dt_json_reader_leave(&m->r, mark);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void sign_on_read(dt_importing *m, dt_json const *v, dt_import_action *out)
{
    static char const *const members[] = {"access", "verificationMethod", "keepMeSignedIn", NULL};
    dt_json const *access = dt_import_given(v, "access");
    size_t mark;

    if (dt_import_is(access, "DENY"))
        return;
    if (!dt_import_is(access, "ALLOW") || dt_import_unknown_member(v, members) != NULL) {
        dt_import_action_refuse(m, out, "an action that this version does not know");
        return;
    }
    method_read(m, dt_import_given(v, "verificationMethod"), out);
    if (dt_import_given(v, "keepMeSignedIn") == NULL)
        return;
    mark = dt_json_reader_enter(&m->r, "keepMeSignedIn");
    dt_import_report(m, DT_IMPORT_LEFT_OUT, "there is no browser session to keep");
    dt_json_reader_leave(&m->r, mark);
}

static void report_action(dt_importing *m, dt_import_action const *a)
{
    char text[DT_DURATION_TEXT_MAX];

    if (a->refused)
        return;
    if (a->access == DT_ACCESS_ALLOW_AFTER_MFA && a->lifetime > 0)
        dt_import_report(m, DT_IMPORT_KEPT, "allowed after MFA, remembered for %s",
                         dt_iso_duration_format(text, a->lifetime));
    else if (a->access == DT_ACCESS_ALLOW_AFTER_MFA)
        dt_import_report(m, DT_IMPORT_KEPT, "allowed after MFA at every sign-on");
    else
        dt_import_report(m, DT_IMPORT_KEPT, "%s",
                         a->access == DT_ACCESS_ALLOW ? "allowed without MFA" : "denied");
}

void dt_import_action_read(dt_importing *m, dt_json const *rule, dt_import_action *out)
{
    /* A published example has the rule's type and _links in here. */
    static char const *const members[] = {"appSignOn", "type", "_links", NULL};
    dt_json const *actions = dt_import_given(rule, "actions");
    dt_json const *sign_on = dt_import_given(actions, "appSignOn");
    size_t mark = dt_json_reader_enter(&m->r, "actions"), inner;

    *out = (dt_import_action){.access = DT_ACCESS_DENY};
    if (dt_json_typeof(sign_on) != DT_JSON_OBJECT ||
        dt_import_unknown_member(actions, members) != NULL)
        dt_import_action_refuse(m, out, "an action that this version does not know");
    else {
        inner = dt_json_reader_enter(&m->r, "appSignOn");
        sign_on_read(m, sign_on, out);
        report_action(m, out);
        dt_json_reader_leave(&m->r, inner);
    }
    dt_json_reader_leave(&m->r, mark);
}

bool dt_import_action_within(dt_import_action const *a, dt_import_action const *b)
{
    if (a->access == DT_ACCESS_DENY)
        return true;
    if (b->access == DT_ACCESS_DENY)
        return false;
    if (b->access == DT_ACCESS_ALLOW)
        return true;
    return a->access == DT_ACCESS_ALLOW_AFTER_MFA && a->lifetime <= b->lifetime &&
           (a->factors & ~b->factors) == 0;
}

/* The word of ours, or the duration. Okta's "practically never" (PT43800H) stays what it is: five
 * years, not ONLY_ONCE. */
static void put_frequency(dt_time lifetime, dt_buf *b)
{
    char text[DT_DURATION_TEXT_MAX];

    for (int f = DT_FREQUENCY_ONCE_A_DAY; f <= DT_FREQUENCY_ONCE_PER_SIX_MONTHS; f++)
        if (dt_frequency_lifetime((dt_frequency)f) == lifetime) {
            dt_json_put_string(b, dt_frequency_name((dt_frequency)f));
            return;
        }
    dt_json_put_string(b, lifetime <= 0 ? dt_frequency_name(DT_FREQUENCY_EVERY_SIGN_ON)
                                        : dt_iso_duration_format(text, lifetime));
}

void dt_import_action_put(dt_import_action const *a, dt_buf *b)
{
    unsigned left = a->factors;
    char const *word;
    bool first = true;

    dt_buf_puts(b, "{\"appSignOn\":{\"access\":");
    dt_buf_puts(b, a->access == DT_ACCESS_DENY ? "\"DENY\"" : "\"ALLOW\"");
    if (a->access == DT_ACCESS_ALLOW_AFTER_MFA) {
        dt_buf_puts(b, ",\"promptForFactor\":{\"frequency\":");
        put_frequency(a->lifetime, b);
        dt_buf_puts(b, ",\"factors\":[");
        while ((word = dt_factor_word_next(&left)) != NULL) {
            dt_buf_puts(b, first ? "" : ",");
            dt_json_put_string(b, word);
            first = false;
        }
        dt_buf_puts(b, "]}");
    }
    dt_buf_puts(b, "}}");
}
