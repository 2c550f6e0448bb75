/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An Okta policy as ours: every trap of the API's shapes, what is refused, what is taken in a stricter
 * form; and a property: whatever the parts that cannot be evaluated here turn out to be, nobody gets
 * more by the imported policy than by the org's. Texts are written with ' for ". */
#include "devtrustctl/policy/okta_import.h"
#include "core/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX (64 * 1024)
#define NOTES_MAX 64

/* --- an import under test ---------------------------------------------------------------------- */

typedef struct note {
    dt_import_kind kind;
    char rule[DT_POLICY_NAME_MAX], pointer[DT_IMPORT_POINTER_MAX], text[2 * DT_IMPORT_TEXT_MAX];
} note;

typedef struct world {
    dt_import_options o;
    dt_import_counts counts;
    dt_buf policy, zones;
    note notes[NOTES_MAX];
    size_t note_count;
    dt_error e;
    int rc;
} world;

static void take_note(void *ctx, dt_import_note const *n)
{
    world *w = ctx;
    note *to;

    assert_non_null(n->rule);
    assert_non_null(n->pointer);
    assert_true(n->text[0] != '\0');
    if (w->note_count == NOTES_MAX)
        return;
    to = &w->notes[w->note_count++];
    to->kind = n->kind;
    snprintf(to->rule, sizeof(to->rule), "%s", n->rule);
    snprintf(to->pointer, sizeof(to->pointer), "%s", n->pointer);
    snprintf(to->text, sizeof(to->text), "%s", n->text);
}

static dt_json *tree_of(char const *text)
{
    char *copy = strdup(text);
    dt_json *tree = NULL;
    dt_error e = {0};

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    if (dt_json_parse(dt_bytes_str(copy), &tree, &e) != DT_OK)
        fail_msg("%s in %s", e.text, copy);
    free(copy);
    return tree;
}

static char const document_head[] =
    "{'format':'devtrust-okta-policies-1','org':'https://acme.okta.com',"
    "'groups':[{'id':'00g1','type':'OKTA_GROUP','profile':{'name':'Staff'}},"
    "{'id':'00g2','type':'OKTA_GROUP','profile':{'name':'Contractors'}},"
    "{'id':'00gE','type':'BUILT_IN','profile':{'name':'Everyone'}},"
    "{'id':'00g3','type':'OKTA_GROUP','profile':{'name':'Twice'}},"
    "{'id':'00g4','type':'APP_GROUP','profile':{'name':'twice'}},"
    "{'id':'00g6','type':'OKTA_GROUP','profile':{'name':' of blanks '}},"
    "{'id':'00g5','type':'OKTA_GROUP','profile':{'name':'All *'}}],"
    "'users':[{'id':'00u1','profile':{'login':'anna@example.com'}},"
    "{'id':'00u2','profile':{'login':'ben@example.com'}}],"
    "'zones':[{'id':'nzo1','name':'Office','type':'IP','status':'ACTIVE','usage':'POLICY',"
    "'gateways':[{'type':'CIDR','value':'192.0.2.77/24'},"
    "{'type':'RANGE','value':'198.51.100.1-198.51.100.9'}],'proxies':null},"
    "{'id':'nzo2','name':'Asleep','type':'IP','status':'INACTIVE','usage':'POLICY',"
    "'gateways':[{'type':'CIDR','value':'10.0.0.0/8'}],'proxies':[]},"
    "{'id':'nzo3','name':'Tor','type':'DYNAMIC','status':'ACTIVE','usage':'POLICY',"
    "'locations':[],'asns':[],'proxyType':'Tor'},"
    "{'id':'nzo4','name':'Lab','type':'IP','status':'ACTIVE','usage':'POLICY',"
    "'gateways':[{'type':'CIDR','value':'2001:db8::/32'}],"
    "'proxies':[{'type':'CIDR','value':'203.0.113.0/24'}]}],"
    "'policies':[{'policy':{'id':'rst1','name':'VPN','type':'ACCESS_POLICY','status':'ACTIVE',"
    "'conditions':null},'rules':[";
static char const document_tail[] = "]}]}";

static void world_end(world *w)
{
    dt_buf_free(&w->policy);
    dt_buf_free(&w->zones);
}

static void import_document(world *w, char const *text)
{
    dt_json *document = tree_of(text);

    dt_buf_init(&w->policy, DT_POLICY_TEXT_MAX);
    dt_buf_init(&w->zones, DT_POLICY_TEXT_MAX);
    w->o.file = "org.json";
    if (w->o.application == NULL)
        w->o.application = "vpn";
    w->o.report = take_note;
    w->o.ctx = w;
    w->rc = dt_okta_import(document, &w->o, &w->policy, &w->zones, &w->counts, &w->e);
    dt_json_free(&document);
    if (w->rc != DT_OK || w->counts.of[DT_IMPORT_REFUSED] > 0) {
        assert_int_equal(w->policy.len, 0);
        assert_int_equal(w->zones.len, 0);
    }
}

static void import_rules(world *w, char const *rules)
{
    char *text = malloc(TEXT_MAX);

    snprintf(text, TEXT_MAX, "%s%s%s", document_head, rules, document_tail);
    import_document(w, text);
    free(text);
}

static bool has_note(world const *w, dt_import_kind kind, char const *pointer, char const *text)
{
    for (size_t i = 0; i < w->note_count; i++)
        if (w->notes[i].kind == kind && strstr(w->notes[i].pointer, pointer) != NULL &&
            strstr(w->notes[i].text, text) != NULL)
            return true;
    return false;
}

static void show_notes(world const *w)
{
    for (size_t i = 0; i < w->note_count; i++)
        print_error("%s \"%s\" %s: %s\n", dt_import_kind_name(w->notes[i].kind), w->notes[i].rule,
                    w->notes[i].pointer, w->notes[i].text);
    print_error("%s\n", w->rc == DT_OK ? (char const *)w->policy.p : w->e.text);
}

/* --- texts of rules ---------------------------------------------------------------------------- */

#define RULE(name, priority, conditions, sign_on)                                                  \
    "{'id':'rul','name':'" name "','type':'ACCESS_POLICY','status':'ACTIVE','system':false,"       \
    "'priority':" priority ",'conditions':" conditions ",'actions':{'appSignOn':" sign_on "}}"
#define LAST(sign_on)                                                                              \
    "{'id':'rulL','name':'Catch-all Rule','type':'ACCESS_POLICY','status':'ACTIVE',"               \
    "'system':true,'priority':99,'conditions':null,'actions':{'appSignOn':" sign_on "}}"
#define METHOD(mode, duration, constraints)                                                        \
    "{'access':'ALLOW','verificationMethod':{'type':'ASSURANCE','factorMode':'" mode               \
    "','reauthenticateIn':'" duration "','constraints':" constraints "}}"
#define DENY "{'access':'DENY'}"
#define MFA METHOD("2FA", "PT0S", "[]")
#define ONE METHOD("1FA", "PT2H", "[]")
#define POSSESSION(p) METHOD("2FA", "PT0S", "[{'possession':" p "}]")

#define OUR_DENY "{'appSignOn':{'access':'DENY'}}"
#define OUR_ALLOW "{'appSignOn':{'access':'ALLOW'}}"
#define OUR_MFA(frequency, factors)                                                                \
    "{'appSignOn':{'access':'ALLOW','promptForFactor':{'frequency':'" frequency                    \
    "','factors':[" factors "]}}}"
#define REST "'token:hotp','token','token:hardware','sms','call','email'"
#define BOTH "'push','token:software:totp'," REST
#define OUR_EVERY OUR_MFA("EVERY_SIGN_ON", BOTH)

/* --- one rule before a catch-all ---------------------------------------------------------------- */

/* conditions NULL: refused, and the note says `note`. */
typedef struct one_rule {
    char const *why, *rules;
    char const *conditions, *actions; /* of our first rule; actions NULL: there is only the last */
    dt_import_kind kind;              /* of a note that must be there, unless note is NULL */
    char const *pointer, *note;
} one_rule;

static one_rule const cases[] = {
    /* refused */
    {"an expression before a rule that gives more",
     RULE("A", "0", "{'elCondition':{'condition':'user.risk == 1'}}", MFA) "," LAST(ONE), NULL,
     NULL, DT_IMPORT_CHANGED, "/policies/0/rules/0/conditions/elCondition", "matches more"},
    {"an expression between more and less",
     RULE("A", "0", "{'elCondition':{'condition':'x'}}", MFA) "," RULE(
         "B", "1", "{'device':{'registered':true,'managed':true}}", ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0/conditions/elCondition", "expression"},
    {"risk between more and less",
     RULE("A", "0", "{'riskScore':{'level':'HIGH'}}", MFA) "," RULE(
         "B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0/conditions/riskScore", "risk"},
    {"an unknown action", RULE("A", "0", "null", "{'access':'MAYBE'}"), NULL, NULL,
     DT_IMPORT_REFUSED, "/rules/0/actions/appSignOn", "action"},
    {"an action with an unknown member",
     RULE("A", "0", "null", "{'access':'ALLOW','quarantine':true}"), NULL, NULL, DT_IMPORT_REFUSED,
     "/rules/0/actions/appSignOn", "action"},
    {"no appSignOn",
     "{'name':'A','type':'ACCESS_POLICY','status':'ACTIVE','priority':1,'conditions':null,"
     "'actions':{'signon':{'access':'ALLOW'}}}",
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0/actions", "action"},
    {"actions beside appSignOn",
     "{'name':'A','type':'ACCESS_POLICY','status':'ACTIVE','priority':1,'conditions':null,"
     "'actions':{'appSignOn':" ONE ",'enroll':{}}}",
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0/actions", "action"},
    {"a rule of another type",
     "{'name':'A','type':'SIGN_ON','status':'ACTIVE','priority':1,'conditions':null,"
     "'actions':{'appSignOn':" ONE "}}",
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0", "ACCESS_POLICY"},
    {"a status that is none",
     "{'name':'A','type':'ACCESS_POLICY','status':'PAUSED','priority':1,'conditions':null,"
     "'actions':{'appSignOn':" ONE "}}",
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0", "ACTIVE"},
    {"two rules of one priority", RULE("A", "1", "null", ONE) "," RULE("B", "1", "null", MFA), NULL,
     NULL, DT_IMPORT_REFUSED, "/rules/1", "before"},
    {"no priority",
     "{'name':'A','type':'ACCESS_POLICY','status':'ACTIVE','priority':null,'conditions':null,"
     "'actions':{'appSignOn':" ONE "}}",
     NULL, NULL, DT_IMPORT_REFUSED, "/rules/0", "priority"},
    {"phishing resistance", RULE("A", "0", "null", POSSESSION("{'phishingResistant':'REQUIRED'}")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"hardware protection", RULE("A", "0", "null", POSSESSION("{'hardwareProtection':'REQUIRED'}")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"verification of the person",
     RULE("A", "0", "null", POSSESSION("{'userVerification':'required'}")), NULL, NULL,
     DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"a word in place of REQUIRED",
     RULE("A", "0", "null", POSSESSION("{'phishingResistant':'ALWAYS'}")), NULL, NULL,
     DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"a demand that is not known", RULE("A", "0", "null", POSSESSION("{'blessed':'REQUIRED'}")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "possession"},
    {"only a security key", RULE("A", "0", "null", POSSESSION("{'types':['SECURITY_KEY']}")), NULL,
     NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"only methods that are not ours",
     RULE("A", "0", "null", POSSESSION("{'methods':['WEBAUTHN','signed_nonce']}")), NULL, NULL,
     DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"everything of ours is excluded",
     RULE("A", "0", "null",
          POSSESSION(
              "{'excludedAuthenticationMethods':[{'key':'okta_verify'},"
              "{'key':'google_otp','method':'otp'},{'key':'custom_otp'},{'key':'symantec_vip'},"
              "{'key':'rsa_token'},{'key':'yubikey_token'},{'key':'phone_number'},"
              "{'key':'okta_email'}]}")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "none of the factors"},
    {"constraints that are a word", RULE("A", "0", "null", METHOD("2FA", "PT0S", "'strong'")), NULL,
     NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "constraint"},
    {"a published example: knowledge without the password",
     RULE("2FA", "0", "null",
          METHOD("2FA", "PT0S",
                 "{'knowledge':{'excludedAuthenticationMethods':{'key':'okta_password'},"
                 "'required':true}}")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "other than a password"},
    {"knowledge is a security question",
     RULE("A", "0", "null",
          METHOD("1FA", "PT0S", "[{'knowledge':{'types':['SECURITY_QUESTION']}}]")),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod/constraints", "other than a password"},
    {"an assurance with a member that is not known",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'ASSURANCE','factorMode':'1FA',"
          "'biometrics':'REQUIRED'}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "demand"},
    {"a chain of security keys",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'webauthn','method':'webauthn'}],'next':[]}]}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "AUTH_METHOD_CHAIN: a chain"},
    {"a chain of two possession steps",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}],'next':["
          "{'authenticationMethods':[{'key':'google_otp','method':'otp'}]}]}]}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "more than one possession step"},
    {"a chain of a password and two possession steps",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_password','method':'password'}],'next':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}],'next':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'totp'}]}]}]}]}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "more than one possession step"},
    {"a chain with two ways on",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}],'next':["
          "{'authenticationMethods':[{'key':'okta_password','method':'password'}]},"
          "{'authenticationMethods':[{'key':'okta_verify','method':'totp'}]}]}]}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "a form that this version"},
    {"ID_PROOFING",
     RULE("A", "0", "null", "{'access':'ALLOW','verificationMethod':{'type':'ID_PROOFING'}}"), NULL,
     NULL, DT_IMPORT_REFUSED, "verificationMethod", "ID_PROOFING"},
    {"a verification method of later days",
     RULE("A", "0", "null", "{'access':'ALLOW','verificationMethod':{'type':'TELEPATHY'}}"), NULL,
     NULL, DT_IMPORT_REFUSED, "verificationMethod", "TELEPATHY"},
    {"no verification method at all", RULE("A", "0", "null", "{'access':'ALLOW'}"), NULL, NULL,
     DT_IMPORT_REFUSED, "verificationMethod", "without a type"},
    {"a chain that ends with a security key",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_password','method':'password'}],'next':["
          "{'authenticationMethods':[{'key':'webauthn','method':'webauthn'}]}]}]}}"),
     NULL, NULL, DT_IMPORT_REFUSED, "verificationMethod", "AUTH_METHOD_CHAIN: a chain"},
    {"a member nobody may see is included, more and less behind",
     RULE("A", "0", "{'people':{'users':{'include':['00uX']}}}", MFA) "," RULE(
         "B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/people/users/include/0", "00uX"},
    {"a group that shares its name is excluded from access",
     RULE("A", "0", "{'people':{'groups':{'exclude':['00g3']}}}", ONE) "," LAST(DENY),
     "{'people':{'groups':{'exclude':[{'id':'00g3','name':'Twice'}]}}}", OUR_ALLOW, DT_IMPORT_KEPT,
     "/conditions/people/groups/exclude/0",
     "group \"Twice\" is 00g3; 00g4, APP_GROUP has the same name"},
    {"a group whose name would be a pattern, were it a name",
     RULE("A", "0", "{'people':{'groups':{'include':['00g5']}}}", ONE) "," LAST(DENY),
     "{'people':{'groups':{'include':[{'id':'00g5','name':'All *'}]}}}", OUR_ALLOW, DT_IMPORT_KEPT,
     "/conditions/people", ""},
    {"a group whose name a policy cannot hold",
     RULE("A", "0", "{'people':{'groups':{'include':['00g6']}}}", ONE) "," LAST(DENY),
     "{'people':{'groups':{'include':[{'id':'00g6'}]}}}", OUR_ALLOW, DT_IMPORT_KEPT,
     "/conditions/people", ""},
    {"nobody of an exclusion has a name",
     RULE("A", "0", "{'people':{'users':{'exclude':['00uX']}}}", DENY) "," LAST(ONE), "null",
     OUR_DENY, DT_IMPORT_CHANGED, "/conditions/people/users/exclude/0", "matches more"},
    {"users and groups, and which of them must hold",
     RULE("A", "0", "{'people':{'users':{'include':['00u1']},'groups':{'include':['00g1']}}}",
          MFA) "," RULE("B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}",
                        ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/people", "both match"},
    {"a zone that is asleep",
     RULE("A", "0", "{'network':{'connection':'ZONE','include':['nzo2']}}", MFA) "," RULE(
         "B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/network/include/0", "INACTIVE"},
    {"a zone of exits of Tor",
     RULE("A", "0", "{'network':{'connection':'ZONE','include':['nzo1','nzo3']}}", MFA) "," RULE(
         "B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/network/include/1", "Tor"},
    {"assurance",
     RULE("A", "0",
          "{'device':{'registered':true,'managed':true,'assurance':{'include':['dae1']}}}",
          MFA) "," RULE("B", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}",
                        ONE) "," LAST(DENY),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/device", "assurance"},
    {"registered and not managed, and less behind",
     RULE("A", "0", "{'device':{'registered':true,'managed':false}}", MFA) "," LAST(DENY), NULL,
     NULL, DT_IMPORT_CHANGED, "/conditions/device", "left out"},
    /* left out, since it is safe: only the catch-all is left */
    {"a condition of later days", RULE("A", "0", "{'moonPhase':{'is':'full'}}", MFA) "," LAST(DENY),
     "null", NULL, DT_IMPORT_CHANGED, "/conditions/moonPhase", "left out; no later rule"},
    {"a rule that is INACTIVE",
     "{'name':'A','type':'ACCESS_POLICY','status':'INACTIVE','priority':0,'conditions':null,"
     "'actions':{'appSignOn':" ONE "}}," LAST(DENY),
     "null", NULL, DT_IMPORT_LEFT_OUT, "/rules/0", "INACTIVE"},
    {"a rule for nobody",
     RULE("A", "0", "{'people':{'groups':{'exclude':['00gE']}}}", ONE) "," LAST(DENY), "null", NULL,
     DT_IMPORT_LEFT_OUT, "/rules/0", "nobody"},
    {"no platform is left",
     RULE("A", "0",
          "{'platform':{'include':[{'type':'MOBILE','os':{'type':'IOS'}}],"
          "'exclude':[{'type':'MOBILE'}]}}",
          ONE) "," LAST(DENY),
     "null", NULL, DT_IMPORT_LEFT_OUT, "/rules/0", "nobody"},
    /* changed */
    {"a denial matches more",
     RULE("A", "0", "{'elCondition':{'condition':'x'},'people':{'groups':{'include':['00g2']}}}",
          DENY) "," LAST(ONE),
     "{'people':{'groups':{'include':[{'id':'00g2','name':'Contractors'}]}}}", OUR_DENY,
     DT_IMPORT_CHANGED, "/conditions/elCondition", "matches more"},
    {"a denial of an unknown user is one of everybody",
     RULE("A", "0", "{'people':{'users':{'include':['00u1','00uX']}}}", DENY) "," LAST(ONE), "null",
     OUR_DENY, DT_IMPORT_CHANGED, "/people/users/include/1", "matches more"},
    {"an unknown exclusion from a denial",
     RULE("A", "0", "{'people':{'users':{'exclude':['00u1','00uX']}},'riskScore':{'level':'any'}}",
          DENY) "," LAST(ONE),
     "{'people':{'users':{'exclude':['anna@example.com']}}}", OUR_DENY, DT_IMPORT_CHANGED,
     "/people/users/exclude/1", "matches more"},
    {"MFA for high risk, else none: MFA for all of it",
     RULE("A", "0", "{'riskScore':{'level':'HIGH'},'device':{'registered':true,'managed':true}}",
          MFA) "," LAST(ONE),
     "{'device':{'trust':'TRUSTED'}}", OUR_EVERY, DT_IMPORT_CHANGED, "/conditions/riskScore",
     "matches more"},
    {"only registered", RULE("A", "0", "{'device':{'registered':true}}", ONE) "," LAST(MFA),
     "{'device':{'trust':'TRUSTED'}}", OUR_ALLOW, DT_IMPORT_CHANGED, "/conditions/device",
     "matches fewer"},
    {"a version of the operating system",
     RULE("A", "0",
          "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'WINDOWS','version':"
          "{'matchType':'SEMVER','value':'10.0'}}}],'exclude':[]}}",
          DENY) "," LAST(ONE),
     "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'WINDOWS'}}]}}", OUR_DENY,
     DT_IMPORT_CHANGED, "/platform/include/0", "version"},
    {"the typo PTOS", RULE("A", "0", "null", METHOD("2FA", "PTOS", "[]")), "null", OUR_EVERY,
     DT_IMPORT_CHANGED, "/reauthenticateIn", "PTOS"},
    {"a duration that is none", RULE("A", "0", "null", METHOD("2FA", "2 hours", "[]")), "null",
     OUR_EVERY, DT_IMPORT_CHANGED, "/reauthenticateIn", "not a duration"},
    {"a duration that is too large", RULE("A", "0", "null", METHOD("2FA", "P99999999999Y", "[]")),
     "null", OUR_MFA("P3650D", BOTH), DT_IMPORT_CHANGED, "/reauthenticateIn", "3650 days"},
    {"one chain of two",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}],'next':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'totp'}]}]},"
          "{'authenticationMethods':[{'key':'okta_password','method':'password'},"
          "{'key':'okta_verify','method':'totp'}],'next':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}]}]}]}}"),
     "null", OUR_MFA("EVERY_SIGN_ON", "'push'"), DT_IMPORT_CHANGED, "verificationMethod",
     "not offered here"},
    {"not registered is not asked for alone",
     RULE("A", "0", "{'device':{'registered':false}}", MFA) "," LAST(DENY), NULL, NULL,
     DT_IMPORT_CHANGED, "/conditions/device", "not registered becomes NOT_TRUSTED"},
    {"not registered, and who is registered gets no less by the rules behind",
     RULE("A", "0", "{'device':{'registered':false}}",
          MFA) "," RULE("B", "1", "{'device':{'registered':true,'managed':true}}",
                        ONE) "," RULE("C", "2", "{'device':{'registered':true,'managed':false}}",
                                      MFA) "," LAST(DENY),
     "{'device':{'trust':'NOT_TRUSTED'}}", OUR_EVERY, DT_IMPORT_CHANGED, "/conditions/device",
     "matches more"},
    {"not registered, and some who are registered get less",
     RULE("A", "0", "{'device':{'registered':false}}",
          MFA) "," RULE("B", "1",
                        "{'device':{'registered':true,'managed':false},'platform':{'include':[{'"
                        "type':'MOBILE'}]}}",
                        DENY) "," LAST(ONE),
     NULL, NULL, DT_IMPORT_REFUSED, "/conditions/device", "not registered"},
    {"not registered, and denied: for more",
     RULE("A", "0", "{'device':{'registered':false}}", DENY) "," LAST(ONE),
     "{'device':{'trust':'NOT_TRUSTED'}}", OUR_DENY, DT_IMPORT_CHANGED, "/conditions/device",
     "matches more"},
    {"a factor mode of later days", RULE("A", "0", "null", METHOD("0FA", "PT0S", "[]")), "null",
     OUR_EVERY, DT_IMPORT_CHANGED, "verificationMethod", "MFA required"},
    {"AUTH_METHOD_CHAIN",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'AUTH_METHOD_CHAIN','chains':["
          "{'authenticationMethods':[{'key':'okta_password','method':'password'}],'next':["
          "{'authenticationMethods':[{'key':'okta_verify','method':'push'}]}],"
          "'reauthenticateIn':'PT0S'}]}}"),
     "null", OUR_MFA("EVERY_SIGN_ON", "'push'"), DT_IMPORT_CHANGED, "verificationMethod", "chain"},
    {"one alternative of two",
     RULE("A", "0", "null",
          METHOD("2FA", "PT0S",
                 "[{'possession':{'phishingResistant':'REQUIRED'}},{'possession':{'methods':"
                 "['push']}}]")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'push'"), DT_IMPORT_CHANGED, "/constraints", "alternative"},
    {"a name with a line in it and spaces around",
     RULE(" A\\n ", "0", "{'device':{'registered':true,'managed':true}}", ONE) "," LAST(DENY),
     "{'device':{'trust':'TRUSTED'}}", OUR_ALLOW, DT_IMPORT_CHANGED, "/rules/0", "name"},
    {"ALL_ZONES with a zone that cannot be evaluated",
     RULE("A", "0", "{'network':{'connection':'ZONE','include':['ALL_ZONES']}}",
          DENY) "," LAST(ONE),
     "null", OUR_DENY, DT_IMPORT_CHANGED, "/network/include/0", "Tor"},
    {"ALL_ZONES beside another zone, where it means nothing",
     RULE("A", "0", "{'network':{'connection':'ZONE','include':['ALL_ZONES','nzo1']}}",
          DENY) "," LAST(ONE),
     "null", OUR_DENY, DT_IMPORT_CHANGED, "/network/include/0", "not known to the org"},
    {"an expression for the operating system",
     RULE("A", "0",
          "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'WINDOWS','expression':'x'}}]}}",
          DENY) "," LAST(ONE),
     "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'WINDOWS'}}]}}", OUR_DENY,
     DT_IMPORT_CHANGED, "/platform/include/0", ""},
    {"a type of user",
     RULE("A", "0", "{'userType':{'include':['oty1'],'exclude':[]}}", DENY) "," LAST(ONE), "null",
     OUR_DENY, DT_IMPORT_CHANGED, "/conditions/userType", "user type"},
    {"managed and not registered, which cannot be",
     RULE("A", "0", "{'device':{'registered':false,'managed':true}}", DENY) "," LAST(ONE),
     "{'device':{'trust':'TRUSTED'}}", OUR_DENY, DT_IMPORT_CHANGED, "/conditions/device",
     "does not know"},
    {"keepMeSignedIn",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'ASSURANCE','factorMode':'1FA',"
          "'reauthenticateIn':'PT0S'},'keepMeSignedIn':{'postAuth':'ALLOWED',"
          "'postAuthPromptFrequency':'PT720H'}}"),
     "null", OUR_ALLOW, DT_IMPORT_LEFT_OUT, "keepMeSignedIn", "session"},
    /* kept */
    {"conditions null", RULE("A", "0", "null", ONE), "null", OUR_ALLOW, DT_IMPORT_KEPT,
     "/appSignOn", "without MFA"},
    {"conditions that say nothing",
     RULE("A", "0",
          "{'people':{'users':{'include':[],'exclude':[]},'groups':{'include':[],'exclude':[]}},"
          "'network':{'connection':'ANYWHERE'},'platform':{'include':[],'exclude':[]},"
          "'riskScore':{'level':'ANY'},'userType':{'include':[],'exclude':[]},"
          "'elCondition':{'condition':null},'device':null}",
          MFA),
     "null", OUR_EVERY, DT_IMPORT_KEPT, "/appSignOn", "every sign-on"},
    {"everyone is everyone",
     RULE("A", "0", "{'people':{'groups':{'include':['00g1','00gE']}}}", ONE), "null", OUR_ALLOW,
     DT_IMPORT_KEPT, "/appSignOn", ""},
    {"people by name",
     RULE("A", "0",
          "{'people':{'users':{'exclude':['00u2','00u2']},'groups':{'include':['00g1','00g2']}}}",
          ONE) "," LAST(DENY),
     "{'people':{'users':{'exclude':['ben@example.com']},"
     "'groups':{'include':[{'id':'00g1','name':'Staff'},{'id':'00g2','name':'Contractors'}]}}}",
     OUR_ALLOW, DT_IMPORT_KEPT, "/conditions/people", ""},
    {"zones by name",
     RULE("A", "0", "{'network':{'connection':'ZONE','include':['nzo1'],'exclude':['nzo4']}}",
          ONE) "," LAST(DENY),
     "{'network':{'connection':'ZONE','include':['Office'],'exclude':['Lab']}}", OUR_ALLOW,
     DT_IMPORT_KEPT, "/conditions/network", ""},
    {"platforms in old words and lower case",
     RULE("A", "0",
          "{'platform':{'include':[{'type':'desktop','os':{'type':'OSX'}},{'type':'MOBILE'}],"
          "'exclude':[{'type':'MOBILE','os':{'type':'other'}}]}}",
          ONE) "," LAST(DENY),
     "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'MACOS'}},"
     "{'type':'MOBILE','os':{'type':'IOS'}},{'type':'MOBILE','os':{'type':'ANDROID'}}]}}",
     OUR_ALLOW, DT_IMPORT_KEPT, "/conditions/platform", ""},
    {"other desktop (such as Linux)",
     RULE("A", "0", "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'OTHER'}}]}}",
          DENY) "," LAST(ONE),
     "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'LINUX'}},"
     "{'type':'DESKTOP','os':{'type':'OTHER'}}]}}",
     OUR_DENY, DT_IMPORT_KEPT, "/conditions/platform", ""},
    {"other desktop, but Linux",
     RULE("A", "0",
          "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'OTHER'}}],"
          "'exclude':[{'type':'DESKTOP','os':{'type':'LINUX'}}]}}",
          DENY) "," LAST(ONE),
     "{'platform':{'include':[{'type':'DESKTOP','os':{'type':'OTHER'}}],"
     "'exclude':[{'type':'DESKTOP','os':{'type':'LINUX'}}]}}",
     OUR_DENY, DT_IMPORT_KEPT, "/conditions/platform", ""},
    {"constraints as an object, types in lower case (a published example)",
     RULE("A", "0", "null",
          METHOD("2FA", "PT2H",
                 "{'knowledge':{'required':true,'types':['password'],'reauthenticateIn':'PT0S'}}")),
     "null", OUR_EVERY, DT_IMPORT_KEPT, "/appSignOn", "every sign-on"},
    {"type and _links within actions (the same example)",
     "{'id':'rul','name':'A','status':'ACTIVE','system':false,'priority':0,'conditions':null,"
     "'actions':{'appSignOn':" ONE ",'type':'ACCESS_POLICY','_links':{'self':{'href':'x'}}}}",
     "null", OUR_ALLOW, DT_IMPORT_KEPT, "/appSignOn", ""},
    {"Okta's practically never", RULE("A", "0", "null", METHOD("2FA", "PT43800H", "[]")), "null",
     OUR_MFA("P1825D", BOTH), DT_IMPORT_KEPT, "/appSignOn", "P1825D"},
    {"a day, as hours", RULE("A", "0", "null", METHOD("2FA", "PT24H", "[]")), "null",
     OUR_MFA("ONCE_A_DAY", BOTH), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"a week", RULE("A", "0", "null", METHOD("2FA", "P7D", "[]")), "null",
     OUR_MFA("ONCE_A_WEEK", BOTH), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"two hours", RULE("A", "0", "null", METHOD("2FA", "PT2H", "[]")), "null",
     OUR_MFA("PT2H", BOTH), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"the shorter of two times",
     RULE("A", "0", "null",
          "{'access':'ALLOW','verificationMethod':{'type':'ASSURANCE','factorMode':'2FA',"
          "'reauthenticateIn':'PT8H','inactivityPeriod':'PT1H','constraints':[]}}"),
     "null", OUR_MFA("PT1H", BOTH), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"possession only, though one factor is enough",
     RULE("A", "0", "null",
          METHOD("1FA", "PT0S", "[{'possession':{'methods':['totp'],'deviceBound':'OPTIONAL'}}]")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'token:software:totp/OKTA'"), DT_IMPORT_KEPT, "/appSignOn",
     ""},
    {"possession that is not required",
     RULE("A", "0", "null", METHOD("1FA", "PT0S", "[{'possession':{'required':false}}]")), "null",
     OUR_ALLOW, DT_IMPORT_KEPT, "/appSignOn", ""},
    {"bound to a device", RULE("A", "0", "null", POSSESSION("{'deviceBound':'REQUIRED'}")), "null",
     OUR_MFA("EVERY_SIGN_ON", "'push'"), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"methods of an authenticator",
     RULE("A", "0", "null",
          POSSESSION("{'authenticationMethods':[{'key':'google_otp','method':'otp'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'token:software:totp/GOOGLE'"), DT_IMPORT_KEPT, "/appSignOn",
     ""},
    {"an excluded method in place of a list",
     RULE("A", "0", "null",
          POSSESSION("{'excludedAuthenticationMethods':{'key':'okta_verify','method':'push'}}")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'token:software:totp'," REST), DT_IMPORT_KEPT, "/appSignOn",
     ""},
    {"Okta Verify is excluded, and Google Authenticator is not",
     RULE("A", "0", "null",
          POSSESSION("{'excludedAuthenticationMethods':[{'key':'okta_verify'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", REST ",'token:software:totp/GOOGLE'"), DT_IMPORT_KEPT,
     "/appSignOn", ""},
    {"Google Authenticator is excluded, and Okta Verify is not",
     RULE("A", "0", "null",
          POSSESSION("{'excludedAuthenticationMethods':[{'key':'google_otp','method':'otp'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'push'," REST ",'token:software:totp/OKTA'"), DT_IMPORT_KEPT,
     "/appSignOn", ""},
    {"a method that is not known is excluded: all of its authenticator",
     RULE("A", "0", "null",
          POSSESSION("{'excludedAuthenticationMethods':[{'key':'google_otp','method':'totp'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'push'," REST ",'token:software:totp/OKTA'"), DT_IMPORT_KEPT,
     "/appSignOn", ""},
    {"FastPass is excluded, which is none of these",
     RULE("A", "0", "null",
          POSSESSION("{'excludedAuthenticationMethods':[{'key':'okta_verify','method':"
                     "'signed_nonce'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", BOTH), DT_IMPORT_KEPT, "/appSignOn", ""},
    {"the passcode of Okta Verify",
     RULE("A", "0", "null",
          POSSESSION("{'authenticationMethods':[{'key':'okta_verify','method':'totp'}]}")),
     "null", OUR_MFA("EVERY_SIGN_ON", "'token:software:totp/OKTA'"), DT_IMPORT_KEPT, "/appSignOn",
     ""},
};

static char *double_quoted(char const *text)
{
    char *copy = strdup(text);

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

/* What stands behind the n-th "conditions": up to its actions, and the actions up to the rule's end. */
static void assert_first_rule(world const *w, one_rule const *c)
{
    char *conditions = double_quoted(c->conditions);
    char *actions = double_quoted(c->actions != NULL ? c->actions : OUR_DENY);
    char *want = malloc(TEXT_MAX);

    snprintf(want, TEXT_MAX, "\"conditions\":%s,\"actions\":%s}", conditions, actions);
    char const *at = strstr((char const *)w->policy.p, "\"conditions\":");
    if (at == NULL || strncmp(at, want, strlen(want)) != 0) {
        show_notes(w);
        fail_msg("%s: not %s", c->why, want);
    }
    if (c->actions == NULL)
        assert_int_equal(w->counts.rules, 1);
    free(want);
    free(actions);
    free(conditions);
}

static bool is_refusal(one_rule const *c)
{
    return c->conditions == NULL && c->kind == DT_IMPORT_REFUSED;
}

static void every_shape_is_read(void **state)
{
    size_t refusals = 0;
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        one_rule const *c = &cases[i];
        world *w = calloc(1, sizeof(*w));
        import_rules(w, c->rules);
        if (w->rc != DT_OK || (w->counts.of[DT_IMPORT_REFUSED] > 0) != is_refusal(c) ||
            !has_note(w, c->kind, c->pointer, c->note)) {
            show_notes(w);
            fail_msg("%s", c->why);
        }
        refusals += is_refusal(c);
        if (c->conditions != NULL)
            assert_first_rule(w, c);
        world_end(w);
        free(w);
    }
    assert_true(refusals >= 25);
}

/* What is refused for a rule denies with `tighten`, wherever it can be said. */
static void tightened_rules_deny(void **state)
{
    static char const *const never[] = {"a rule of another type", "a status that is none",
                                        "two rules of one priority", "no priority"};
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        one_rule const *c = &cases[i];
        world *w = calloc(1, sizeof(*w));
        bool hopeless = false;
        for (size_t k = 0; k < COUNT(never); k++)
            hopeless = hopeless || strcmp(never[k], c->why) == 0;
        w->o.tighten = true;
        import_rules(w, c->rules);
        if (w->rc != DT_OK || (w->counts.of[DT_IMPORT_REFUSED] > 0) != hopeless) {
            show_notes(w);
            fail_msg("%s", c->why);
        }
        if (is_refusal(c) && !hopeless &&
            strstr((char const *)w->policy.p, "\"access\":\"DENY\"") == NULL)
            fail_msg("%s: does not deny", c->why);
        world_end(w);
        free(w);
    }
}

/* --- the document ------------------------------------------------------------------------------ */

static void other_documents_are_refused(void **state)
{
    static struct {
        char const *text;
        int rc;
        char const *says;
    } const documents[] = {
        {"{}", DT_E_INVALID, "devtrust-okta-policies-1"},
        {"[]", DT_E_INVALID, "devtrust-okta-policies-1"},
        {"{'format':'devtrust-okta-policies-2','policies':[]}", DT_E_INVALID, "policies-1"},
        {"{'format':'devtrust-okta-policies-1'}", DT_E_INVALID, "fetch"},
        {"{'format':'devtrust-okta-policies-1','policies':{}}", DT_E_INVALID, "fetch"},
        {"{'format':'devtrust-okta-policies-1','policies':[]}", DT_E_NOT_FOUND, "no ACCESS_POLICY"},
        {"{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a','name':'A',"
         "'type':'OKTA_SIGN_ON','status':'ACTIVE'},'rules':[]}]}",
         DT_E_NOT_FOUND, "no ACCESS_POLICY"},
        {"{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a','name':'Alpha',"
         "'type':'ACCESS_POLICY','status':'ACTIVE'},'rules':[]},{'policy':{'id':'b',"
         "'name':'Beta\\u001b','type':'ACCESS_POLICY','status':'ACTIVE'},'rules':[]}]}",
         DT_E_NOT_FOUND, "more than one ACCESS_POLICY matches; policies: Alpha, Beta\\x1b"},
        {"{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a','name':'A',"
         "'type':'ACCESS_POLICY','status':'ACTIVE'},'rules':{}}]}",
         DT_E_INVALID, "org.json#/policies/0/rules: must be an array"},
        {"{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a','name':'A',"
         "'type':'ACCESS_POLICY','status':'ACTIVE'},'rules':[]}],'zones':'all'}",
         DT_E_INVALID, "org.json#/zones: must be an array"},
        {"{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a','name':'A',"
         "'type':'ACCESS_POLICY','status':'ACTIVE'},'rules':[]}],'groups':{}}",
         DT_E_INVALID, "org.json#/groups: must be an array"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(documents); i++) {
        world *w = calloc(1, sizeof(*w));
        import_document(w, documents[i].text);
        assert_int_equal(w->rc, documents[i].rc);
        if (strstr(w->e.text, documents[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", w->e.text, documents[i].says);
        world_end(w);
        free(w);
    }
}

static void a_policy_that_is_not_active_is_refused(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_document(
        w, "{'format':'devtrust-okta-policies-1','policies':[{'policy':{'id':'a',"
           "'name':'A','type':'ACCESS_POLICY','status':'INACTIVE'},'rules':[" LAST(ONE) "]}]}");
    assert_int_equal(w->rc, DT_OK);
    assert_true(has_note(w, DT_IMPORT_REFUSED, "/policies/0", "not ACTIVE"));
    world_end(w);
    free(w);
}

static void a_policy_is_chosen_by_id_name_or_app(void **state)
{
    static char const text[] =
        "{'format':'devtrust-okta-policies-1','policies':["
        "{'policy':{'id':'rst1','name':'One','type':'ACCESS_POLICY','status':'ACTIVE'},'rules':"
        "[" LAST(DENY) "],'mappings':[{'id':'m','_links':{'application':{'href':"
                       "'https://acme.okta.com/api/v1/apps/0oa1'}}}]},"
                       "{'policy':{'id':'rst2','name':'Two','type':'ACCESS_POLICY','status':'"
                       "ACTIVE'},'rules':[" LAST(
                           ONE) "],'mappings':[{'id':'m','_links':{'application':{'href':"
                                "'https://acme.okta.com/api/v1/apps/0oa22'}}}]}]}";
    static struct {
        char const *policy, *app, *name;
    } const choices[] = {{"rst2", NULL, "Two"},  {"One", NULL, "One"}, {NULL, "0oa1", "One"},
                         {NULL, "0oa22", "Two"}, {"one", NULL, NULL},  {NULL, "oa1", NULL},
                         {NULL, "0oa2", NULL},   {"rst", NULL, NULL},  {NULL, NULL, NULL}};
    (void)state;

    for (size_t i = 0; i < COUNT(choices); i++) {
        world *w = calloc(1, sizeof(*w));
        char want[64];
        w->o.policy = choices[i].policy;
        w->o.app = choices[i].app;
        import_document(w, text);
        assert_int_equal(w->rc, choices[i].name != NULL ? DT_OK : DT_E_NOT_FOUND);
        snprintf(want, sizeof(want), "\"name\":\"%s\",\"application\":\"vpn\"",
                 choices[i].name != NULL ? choices[i].name : "");
        if (choices[i].name != NULL && strstr((char const *)w->policy.p, want) == NULL)
            fail_msg("not %s", want);
        world_end(w);
        free(w);
    }
}

static void the_system_rule_is_last_whatever_its_number(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_rules(
        w, LAST(DENY) "," RULE("Late", "100", "{'device':{'registered':true,'managed':true}}",
                               ONE) "," RULE("Early", "0",
                                             "{'platform':{'include':[{'type':'MOBILE'}]}}", MFA));
    assert_int_equal(w->rc, DT_OK);
    assert_int_equal(w->counts.rules, 3);
    char const *text = (char const *)w->policy.p;
    char const *early = strstr(text, "\"Early\",\"priority\":1,");
    char const *late = strstr(text, "\"Late\",\"priority\":2,");
    char const *last = strstr(text, "\"Catch-all Rule\",\"priority\":3,");
    assert_true(early != NULL && late > early && last > late);
    assert_true(has_note(w, DT_IMPORT_CHANGED, "/policies/0/rules", "renumbered"));
    world_end(w);
    free(w);
}

static void without_a_last_rule_there_is_one_that_denies(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_rules(w, RULE("Catch-all", "5", "{'device':{'registered':true,'managed':true}}", ONE));
    assert_int_equal(w->rc, DT_OK);
    assert_non_null(
        strstr((char const *)w->policy.p,
               "{\"name\":\"Catch-all (2)\",\"priority\":6,\"status\":\"ACTIVE\","
               "\"conditions\":null,\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}"));
    world_end(w);
    free(w);
}

/* Without a last rule of the org's, nobody gets in behind the last one: no rule may hold for more. */
static void nothing_is_widened_into_the_void(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_rules(w, RULE("A", "5", "{'elCondition':{'condition':'x'}}", MFA));
    assert_int_equal(w->rc, DT_OK);
    assert_true(has_note(w, DT_IMPORT_CHANGED, "/conditions/elCondition", "left out"));
    assert_int_equal(w->counts.rules, 1);
    assert_null(strstr((char const *)w->policy.p, "ALLOW"));
    world_end(w);
    free(w);
}

static void what_is_never_reached_is_left_out(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_rules(w,
                 RULE("All", "0", "{}", MFA) "," RULE("Behind", "1", "null", ONE) "," LAST(DENY));
    assert_int_equal(w->rc, DT_OK);
    assert_int_equal(w->counts.rules, 1);
    assert_true(has_note(w, DT_IMPORT_LEFT_OUT, "/rules/1", "never reached"));
    assert_true(has_note(w, DT_IMPORT_LEFT_OUT, "/rules/2", "never reached"));
    world_end(w);
    free(w);
}

static void names_that_are_there_twice_get_a_number(void **state)
{
    world *w = calloc(1, sizeof(*w));
    (void)state;

    import_rules(w,
                 RULE("A", "0", "{'device':{'registered':true,'managed':true}}", ONE) "," RULE(
                     "A", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", MFA) "," LAST(DENY));
    assert_int_equal(w->rc, DT_OK);
    assert_non_null(strstr((char const *)w->policy.p, "\"A (2)\""));
    world_end(w);
    free(w);
}

/* --- zones ------------------------------------------------------------------------------------- */

static void only_zones_that_are_named_are_written(void **state)
{
    world *w = calloc(1, sizeof(*w));
    char *want =
        double_quoted("{'zones':[{'name':'Office','type':'IP','status':'ACTIVE','gateways':["
                      "{'type':'CIDR','value':'192.0.2.77/"
                      "24'},{'type':'RANGE','value':'198.51.100.1-198.51.100.9'}"
                      "]}]}");
    (void)state;

    import_rules(w, RULE("A", "0", "{'network':{'connection':'ZONE','exclude':['nzo1']}}",
                         DENY) "," LAST(ONE));
    assert_int_equal(w->rc, DT_OK);
    assert_string_equal((char const *)w->zones.p, want);
    assert_true(has_note(w, DT_IMPORT_KEPT, "/zones/0", "Office"));
    assert_true(has_note(w, DT_IMPORT_LEFT_OUT, "/zones/1", "INACTIVE"));
    assert_true(has_note(w, DT_IMPORT_LEFT_OUT, "/zones/2", "no rule names it"));
    free(want);
    world_end(w);
    free(w);
}

/* A rule that is left out names its zone no more, whether it is narrowed away, holds for nobody, is
 * never reached, or is the last one, which is looked at once more. */
static void zones_of_rules_that_are_left_out_are_not_written(void **state)
{
    static char const *const rules[] = {
        RULE("A", "0",
             "{'device':{'registered':false},'network':{'connection':'ZONE','include':"
             "['nzo1']}}",
             MFA) "," LAST(DENY),
        RULE("A", "0",
             "{'people':{'groups':{'exclude':['00gE']}},'network':{'connection':'ZONE',"
             "'include':['nzo1']}}",
             MFA) "," LAST(DENY),
        RULE("A", "0", "null", MFA) "," RULE("B", "1",
                                             "{'network':{'connection':'ZONE','include':"
                                             "['nzo1']}}",
                                             ONE) "," LAST(DENY),
        RULE("A", "0",
             "{'riskScore':{'level':'HIGH'},'network':{'connection':'ZONE','include':"
             "['nzo1']}}",
             MFA),
        RULE("A", "0", "{'network':{'connection':'ZONE','include':['nzo1','nzo3']}}",
             ONE) "," LAST(DENY),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        world *w = calloc(1, sizeof(*w));
        import_rules(w, rules[i]);
        if (w->rc != DT_OK || w->counts.of[DT_IMPORT_REFUSED] > 0 ||
            strcmp((char const *)w->zones.p, "{\"zones\":[]}") != 0) {
            show_notes(w);
            fail_msg("%zu: %s", i, w->zones.len > 0 ? (char const *)w->zones.p : "");
        }
        assert_true(has_note(w, DT_IMPORT_LEFT_OUT, "/zones/0", "no rule names it"));
        world_end(w);
        free(w);
    }
}

/* --- the org's own sign-on rules ----------------------------------------------------------------- */

#define SIGNON(name, priority, conditions, signon)                                                 \
    "{'name':'" name "','type':'SIGN_ON','status':'ACTIVE','system':false,'priority':" priority    \
    ",'conditions':" conditions ",'actions':{'signon':" signon "}}"
#define SIGNON_LAST                                                                                \
    "{'policy':{'id':'d','name':'Default Policy','type':'OKTA_SIGN_ON','status':'ACTIVE',"         \
    "'system':true,'priority':1,'conditions':{'people':{'groups':{'include':['00gE']}}}},"         \
    "'rules':[{'name':'Default Rule','type':'SIGN_ON','status':'ACTIVE','system':true,"            \
    "'priority':1,'conditions':{'network':{'connection':'ANYWHERE'},'authContext':{'authType':"    \
    "'ANY'}},'actions':{'signon':{'access':'ALLOW','requireFactor':false,'session':{}}}}]}"
#define SIGNON_POLICY(priority, groups, rules)                                                     \
    "{'policy':{'id':'p" priority "','name':'P" priority "','type':'OKTA_SIGN_ON','status':"       \
    "'ACTIVE','system':false,'priority':" priority ",'conditions':{'people':{'groups':{'include':" \
    "[" groups "]}}}},'rules':[" rules "]}"
#define ORG_MFA "{'access':'ALLOW','requireFactor':true,'factorPromptMode':'ALWAYS'}"

static struct {
    char const *why, *policies;
    char const *first; /* our first rule; NULL: refused */
    dt_import_kind kind;
    char const *pointer, *note;
} const org_cases[] = {
    {"two policies of one priority",
     SIGNON_POLICY("1", "'00g1'", SIGNON("A", "0", "null", ORG_MFA)) "," SIGNON_POLICY(
         "1", "'00g2'", SIGNON("B", "0", "null", ORG_MFA)),
     NULL, DT_IMPORT_REFUSED, "/policies/1/rules/0", "before"},
    {"two rules of one priority",
     SIGNON_POLICY("1", "'00g1'",
                   SIGNON("A", "0", "null", ORG_MFA) "," SIGNON("B", "0", "null", ORG_MFA)),
     NULL, DT_IMPORT_REFUSED, "/policies/0/rules/1", "before"},
    {"an action of later days",
     SIGNON_POLICY("1", "'00g1'", SIGNON("A", "0", "null", "{'access':'ALLOW','wait':5}")), NULL,
     DT_IMPORT_REFUSED, "/policies/0/rules/0/actions", "action"},
    {"no action", SIGNON_POLICY("1", "'00g1'", SIGNON("A", "0", "null", "{}")), NULL,
     DT_IMPORT_REFUSED, "/policies/0/rules/0/actions", "action"},
    {"a rule of an application", SIGNON_POLICY("1", "'00g1'", RULE("A", "0", "null", ONE)), NULL,
     DT_IMPORT_REFUSED, "/policies/0/rules/0", "OKTA_SIGN_ON"},
    {"behaviours, and more behind",
     SIGNON_POLICY("1", "'00g1'",
                   SIGNON("A", "0", "{'risk':{'behaviors':['x']}}", ORG_MFA) "," SIGNON(
                       "B", "1", "{'network':{'connection':'ZONE','include':['nzo1']}}",
                       "{'access':'DENY'}")),
     NULL, DT_IMPORT_REFUSED, "/policies/0/rules/0/conditions/risk", "behaviours"},
    {"an identity provider, nothing less behind",
     SIGNON_POLICY("1", "'00gE'",
                   SIGNON("A", "0", "{'identityProvider':{'provider':'OKTA'}}", ORG_MFA)),
     "'name':'A','priority':1,'status':'ACTIVE','conditions':null,'actions':{'signon':{'access':"
     "'ALLOW','requireFactor':true,'factorPromptMode':'ALWAYS'}}",
     DT_IMPORT_CHANGED, "/policies/0/rules/0/conditions/identityProvider", "matches more"},
    {"the policy's groups and the rule's",
     SIGNON_POLICY(
         "1", "'00g1'",
         SIGNON("A", "0", "{'people':{'groups':{'include':['00g2']}}}", "{'access':'DENY'}")),
     "'name':'A','priority':1,'status':'ACTIVE','conditions':{'people':{'groups':{'include':"
     "[{'id':'00g2','name':'Contractors'}]}}},'actions':{'signon':{'access':'DENY'}}",
     DT_IMPORT_CHANGED, "/policies/0/rules/0/conditions/people", "own groups"},
    {"a rule for LDAP",
     SIGNON_POLICY("1", "'00g1'",
                   SIGNON("A", "0", "{'authContext':{'authType':'LDAP_INTERFACE'}}", ORG_MFA)),
     "'name':'Default Rule','priority':1,'status':'ACTIVE','conditions':null,'actions':{'signon':"
     "{'access':'ALLOW'}}",
     DT_IMPORT_LEFT_OUT, "/policies/0/rules/0", "nobody"},
    {"a session without a time",
     SIGNON_POLICY("1", "'00g1'",
                   SIGNON("A", "0", "null",
                          "{'access':'ALLOW','requireFactor':true,'factorPromptMode':'SESSION'}")),
     "'name':'A','priority':1,'status':'ACTIVE','conditions':{'people':{'groups':{'include':["
     "{'id':'00g1','name':'Staff'}]}}},'actions':{'signon':{'access':'ALLOW','requireFactor':true,'"
     "factorPromptMode':"
     "'ALWAYS'}}",
     DT_IMPORT_CHANGED, "/policies/0/rules/0/actions", "every sign-on"},
    {"a rule for RADIUS (a published example)",
     SIGNON_POLICY("1", "'00g1'",
                   SIGNON("Challenge VPN users", "0",
                          "{'network':{'connection':'ANYWHERE'},'authContext':{'authType':"
                          "'RADIUS'},'people':{'users':{'exclude':['00u1']}}}",
                          "{'access':'ALLOW','requireFactor':true,'factorPromptMode':'SESSION',"
                          "'factorLifetime':15,'rememberDeviceByDefault':false,'session':{}}")),
     "'name':'Challenge VPN users','priority':1,'status':'ACTIVE','conditions':{'people':{"
     "'users':{'exclude':['anna@example.com']},'groups':{'include':[{'id':'00g1','name':'Staff'}]}}"
     "},'actions':{"
     "'signon':{'access':'ALLOW','requireFactor':true,'factorPromptMode':'SESSION',"
     "'factorLifetime':15}}",
     DT_IMPORT_KEPT, "/policies/0/rules/0/conditions/people", ""},
    {"any kind of sign-on, the password of an identity provider, a browser's session",
     SIGNON_POLICY("1", "'00gE'",
                   SIGNON("A", "0", "{'authContext':{'authType':'ANY'}}",
                          "{'access':'ALLOW','requireFactor':true,'factorPromptMode':'ALWAYS',"
                          "'primaryFactor':'PASSWORD_IDP','session':{'usePersistentCookie':false,"
                          "'maxSessionIdleMinutes':120,'maxSessionLifetimeMinutes':0}}")),
     "'name':'A','priority':1,'status':'ACTIVE','conditions':null,'actions':{'signon':{'access':"
     "'ALLOW','requireFactor':true,'factorPromptMode':'ALWAYS'}}",
     DT_IMPORT_KEPT, "/policies/0/rules/0/actions", ""},
    {"once on each device",
     SIGNON_POLICY("1", "'00gE'",
                   SIGNON("A", "0", "{'network':{'connection':'ZONE','include':['nzo1']}}",
                          "{'access':'ALLOW','requireFactor':true,'factorPromptMode':'DEVICE'}")),
     "'name':'A','priority':1,'status':'ACTIVE','conditions':{'network':{'connection':'ZONE',"
     "'include':['Office']}},'actions':{'signon':{'access':'ALLOW','requireFactor':true,"
     "'factorPromptMode':'DEVICE'}}",
     DT_IMPORT_KEPT, "/policies/0/rules/0/actions", ""},
    {"policies in the order of their priorities",
     SIGNON_POLICY("7", "'00g2'", SIGNON("Late", "0", "null", ORG_MFA)) "," SIGNON_POLICY(
         "2", "'00g1'", SIGNON("Early", "5", "null", "{'access':'DENY'}")),
     "'name':'Early','priority':1,'status':'ACTIVE','conditions':{'people':{'groups':{'include':["
     "{'id':'00g1','name':'Staff'}]}}},'actions':{'signon':{'access':'DENY'}}",
     DT_IMPORT_KEPT, "/policies/1/rules/0", "denied"},
};

static void the_org_s_own_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(org_cases); i++) {
        world *w = calloc(1, sizeof(*w));
        char *text = malloc(TEXT_MAX);
        char *want = org_cases[i].first == NULL ? NULL : double_quoted(org_cases[i].first);
        char const *policies = strstr(document_head, "'policies':[");
        snprintf(text, TEXT_MAX, "%.*s'policies':[%s,%s]}", (int)(policies - document_head),
                 document_head, org_cases[i].policies, SIGNON_LAST);
        w->o.org = true;
        import_document(w, text);
        char const *rules = w->rc == DT_OK && w->policy.len > 0
                                ? strstr((char const *)w->policy.p, "\"rules\":[{")
                                : NULL;
        if (w->rc != DT_OK || (w->counts.of[DT_IMPORT_REFUSED] > 0) != (want == NULL) ||
            !has_note(w, org_cases[i].kind, org_cases[i].pointer, org_cases[i].note) ||
            (want != NULL && (rules == NULL || strncmp(rules + 10, want, strlen(want)) != 0))) {
            show_notes(w);
            fail_msg("%s: not %s", org_cases[i].why, want != NULL ? want : "refused");
        }
        free(want);
        free(text);
        world_end(w);
        free(w);
    }
}

/* {"type",...} of one zone of the org, and what becomes of it where a rule names it; NULL: it cannot be
 * evaluated. */
static struct {
    char const *zone, *ours;
} const other_zones[] = {
    {"'type':'DYNAMIC','locations':[],'asns':[],'proxyType':null", NULL},
    {"'type':'DYNAMIC','locations':null,'asns':null", NULL},
    {"'type':'DYNAMIC','asns':['23457'],'proxyType':'Any'", NULL},
    {"'type':'DYNAMIC','asns':['23457'],'proxyType':'NotTorAnonymizer'", NULL},
    {"'type':'DYNAMIC','asns':['0']", NULL},
    {"'type':'DYNAMIC','asns':['4294967296']", NULL},
    {"'type':'DYNAMIC','asns':[23457]", NULL},
    {"'type':'DYNAMIC','asns':['AS1']", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'us'}]", NULL},
    {"'type':'DYNAMIC','locations':[{'region':'CA'}]", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'US','region':'DE-BE'}]", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'US','region':'California'}]", NULL},
    {"'type':'DYNAMIC','locations':'US'", NULL},
    {"'type':'DYNAMIC_V2','locations':{'include':[{'country':'US'}],'exclude':[{'country':'DE'}]}",
     NULL},
    {"'type':'DYNAMIC_V2','locations':{'include':[],'exclude':[]},'asns':{'include':['1'],"
     "'exclude':[]},'ipServiceCategories':{'include':['TOR'],'exclude':[]}",
     NULL},
    {"'type':'DYNAMIC_V2','asns':{'include':['1'],'exclude':[]},'ipServiceCategories':{'include':"
     "[],'exclude':['TOR']}",
     NULL},
    {"'type':'DYNAMIC_V2','asns':{'include':['1'],'exclude':[]},'ipServiceCategories':['TOR']",
     NULL},
    {"'type':'DYNAMIC_V2','asns':{'include':['1'],'exclude':[]},'ipServiceCategories':'TOR'", NULL},
    {"'type':'DYNAMIC_V2','asns':{'include':['1'],'exclude':'none'}", NULL},
    {"'type':'DYNAMIC_V2','asns':{'include':'1','exclude':[]}", NULL},
    {"'type':'DYNAMIC_V3','asns':['1']", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'EU'}]", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'AP'}]", NULL},
    {"'type':'DYNAMIC','locations':['US']", NULL},
    {"'type':'DYNAMIC','locations':[{'country':'US','region':''}]", NULL},
    {"'type':'DYNAMIC','asns':['23457'],'locations':[],'proxyType':'null'",
     "'type':'DYNAMIC','status':'ACTIVE','asns':['23457']"},
    {"'type':'DYNAMIC','asns':[],'locations':[{'country':'US','region':'US-CA'},{'country':'CA',"
     "'region':null},{'country':'US','region':'NY'}],'proxyType':''",
     "'type':'DYNAMIC','status':'ACTIVE','locations':[{'country':'US','region':'US-CA'},"
     "{'country':'CA'},{'country':'US','region':'NY'}]"},
    {"'type':'DYNAMIC_V2','locations':{'include':[{'country':'DE'}],'exclude':[]},'asns':{"
     "'include':['1'],'exclude':null},'ipServiceCategories':{'include':[],'exclude':[]}",
     "'type':'DYNAMIC','status':'ACTIVE','locations':[{'country':'DE'}],'asns':['1']"},
};

static void import_zone(world *w, char const *members, char const *usage, char const *rules)
{
    char *text = malloc(TEXT_MAX);

    snprintf(text, TEXT_MAX,
             "{'format':'devtrust-okta-policies-1','zones':[{'id':'nzo1','name':'Z','status':"
             "'ACTIVE','usage':'%s',%s}],'policies':[{'policy':{'id':'a','name':'A','type':"
             "'ACCESS_POLICY','status':'ACTIVE'},'rules':[%s]}]}",
             usage, members, rules);
    import_document(w, text);
    free(text);
}

static void zones_of_places_and_providers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(other_zones); i++) {
        world *w = calloc(1, sizeof(*w));
        char *want = double_quoted(other_zones[i].ours != NULL ? other_zones[i].ours : "");
        import_zone(w, other_zones[i].zone, "POLICY",
                    RULE("A", "0", "{'network':{'connection':'ZONE','include':['nzo1']}}",
                         DENY) "," LAST(ONE));
        if (w->rc != DT_OK || strstr((char const *)w->zones.p, want) == NULL ||
            (other_zones[i].ours == NULL) != (strstr((char const *)w->zones.p, "\"Z\"") == NULL) ||
            (other_zones[i].ours == NULL) !=
                has_note(w, DT_IMPORT_CHANGED, "/network/include/0", "\"Z\"")) {
            show_notes(w);
            fail_msg("%s: %s", other_zones[i].zone, (char const *)w->zones.p);
        }
        free(want);
        world_end(w);
        free(w);
    }
}

/* A zone that blocks is written though no rule names it, and in a rule it says nothing: who comes from
 * there is denied before. */
static void zones_that_block_are_kept(void **state)
{
    static char const ip[] = "'type':'IP','gateways':[{'type':'CIDR','value':'10.0.0.0/8'}]";
    static struct {
        char const *network;
        size_t rules;
        char const *conditions;
    } const named[] = {{"{'connection':'ANYWHERE'}", 1, "null"},
                       {"{'connection':'ZONE','include':['nzo1']}", 1, "null"},
                       {"{'connection':'ZONE','exclude':['nzo1']}", 1, "null"}};
    (void)state;

    for (size_t i = 0; i < COUNT(named); i++) {
        world *w = calloc(1, sizeof(*w));
        char rules[2048];
        snprintf(rules, sizeof(rules),
                 "{'name':'A','type':'ACCESS_POLICY','status':'ACTIVE','priority':1,'conditions':"
                 "{'network':%s},'actions':{'appSignOn':%s}},%s",
                 named[i].network, ONE, LAST(DENY));
        import_zone(w, ip, "BLOCKLIST", rules);
        assert_int_equal(w->rc, DT_OK);
        assert_int_equal(w->counts.of[DT_IMPORT_REFUSED], 0);
        assert_non_null(strstr((char const *)w->zones.p, "\"usage\":\"BLOCKLIST\""));
        assert_int_equal(w->counts.rules, named[i].rules);
        assert_true(has_note(w, DT_IMPORT_KEPT, "/zones/0", "blocks"));
        assert_int_equal(i == 1, strstr((char const *)w->policy.p, "\"ALLOW\"") == NULL);
        world_end(w);
        free(w);
    }
}

static struct {
    char const *zone;
    dt_import_kind kind;
    char const *text, *ours; /* ours: NULL for a zone that is not written */
} const blocking[] = {
    /* As every org has it. */
    {"'usage':'BLOCKLIST','type':'IP','gateways':null,'proxies':null", DT_IMPORT_LEFT_OUT,
     "blocks nobody", NULL},
    {"'usage':'BLOCKLIST','type':'IP','gateways':[]", DT_IMPORT_LEFT_OUT, "blocks nobody", NULL},
    {"'usage':'BLOCKLIST','type':'IP','gateways':{}", DT_IMPORT_REFUSED, "--skip-zones", NULL},
    {"'usage':'BLOCKLIST','type':'IP','gateways':[{'type':'CIDR','value':'10.0.0.0/33'}]",
     DT_IMPORT_REFUSED, "--skip-zones", NULL},
    {"'usage':'BLOCKLIST','type':'IP','gateways':[],'proxies':[{'type':'CIDR','value':'x'}]",
     DT_IMPORT_REFUSED, "--skip-zones", NULL},
    {"'usage':'BLOCKLIST','type':'IP','gateways':[{'type':'CIDR','value':'10.0.0.0/8'}],'proxies':["
     "{'type':'RANGE','value':'192.0.2.1-192.0.2.9'}]",
     DT_IMPORT_CHANGED, "proxies are blocked as well",
     "[{'type':'CIDR','value':'10.0.0.0/8'},{'type':'RANGE','value':'192.0.2.1-192.0.2.9'}]"},
    {"'usage':'BLOCKLIST','type':'DYNAMIC','locations':[{'country':'US'}],'asns':['7']",
     DT_IMPORT_KEPT, "blocks before any rule",
     "'usage':'BLOCKLIST','locations':[{'country':'US'}],'asns':['7']"},
    {"'usage':'BLOCKLIST','type':'DYNAMIC','locations':[{'country':'US'}],'proxyType':'Tor'",
     DT_IMPORT_REFUSED, "asks for kinds of proxies", NULL},
    {"'usage':'BLOCKLIST','type':'DYNAMIC_V2','locations':{'include':[],'exclude':[{'country':'US'}"
     "]}",
     DT_IMPORT_REFUSED, "excludes", NULL},
    {"'usage':'POLICY','useAsExemptList':true,'type':'IP','gateways':[{'type':'CIDR','value':"
     "'10.0.0.0/8'}]",
     DT_IMPORT_CHANGED, "exempts", NULL},
    {"'usage':'POLICY','useAsExemptList':true,'type':'IP','gateways':null", DT_IMPORT_LEFT_OUT,
     "no rule names it", NULL},
};

/* No rule names them. */
static void zones_that_block_or_exempt_in_other_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(blocking); i++) {
        world *w = calloc(1, sizeof(*w));
        char *text = malloc(TEXT_MAX);
        char *want = double_quoted(blocking[i].ours != NULL ? blocking[i].ours : "");
        bool refused = blocking[i].kind == DT_IMPORT_REFUSED;
        snprintf(text, TEXT_MAX,
                 "{'format':'devtrust-okta-policies-1','zones':[{'id':'nzo1','name':'Z','status':"
                 "'ACTIVE',%s}],'policies':[{'policy':{'id':'a','name':'A','type':'ACCESS_POLICY',"
                 "'status':'ACTIVE'},'rules':[%s]}]}",
                 blocking[i].zone, LAST(DENY));
        import_document(w, text);
        if (w->rc != DT_OK || !has_note(w, blocking[i].kind, "/zones/0", blocking[i].text) ||
            (w->counts.of[DT_IMPORT_REFUSED] > 0) != refused || (w->zones.len == 0) != refused ||
            (!refused && strstr((char const *)w->zones.p, want) == NULL) ||
            (!refused &&
             (strstr((char const *)w->zones.p, "\"Z\"") != NULL) != (blocking[i].ours != NULL))) {
            show_notes(w);
            fail_msg("%s", blocking[i].zone);
        }
        free(want);
        free(text);
        world_end(w);
        free(w);
    }
}

/* --- nobody gets more -------------------------------------------------------------------------- */

typedef enum truth { NOT_ASKED = 0, WANTS_TRUE, WANTS_FALSE } truth;

/* A rule of the org as bits. What is unknown here (risk, expression, unseen group) has a truth there. */
typedef struct org_rule {
    int device;  /* 0 any, 1 managed, 2 registered, 3 not registered, 4 registered not managed */
    bool ios;    /* platform include IOS only */
    bool office; /* network: ZONE include Office */
    bool tor;    /* network: ZONE include Office and Tor */
    bool staff;  /* group Staff */
    bool unseen; /* group Staff and one that the token does not see */
    bool risk, expression;
    int access; /* 0 deny, 1 one factor, 2 MFA each time, 3 MFA, PT24H, 4 MFA push only */
} org_rule;

typedef struct org_request {
    int device; /* 0 managed, 1 registered, 2 neither */
    bool ios, office, tor, staff, unseen, risk, expression;
} org_request;

static bool org_holds(org_rule const *r, org_request const *q)
{
    static bool const device[5][3] = {{true, true, true},
                                      {true, false, false},
                                      {true, true, false},
                                      {false, false, true},
                                      {false, true, false}};

    return device[r->device][q->device] && (!r->ios || q->ios) &&
           (!r->office || q->office || (r->tor && q->tor)) &&
           (!r->staff || q->staff || (r->unseen && q->unseen)) && (!r->risk || q->risk) &&
           (!r->expression || q->expression);
}

static void org_rule_put(org_rule const *r, int priority, dt_buf *b)
{
    static char const *const devices[] = {
        "", "'device':{'registered':true,'managed':true},", "'device':{'registered':true},",
        "'device':{'registered':false},", "'device':{'registered':true,'managed':false},"};
    static char const *const actions[] = {DENY, ONE, MFA, METHOD("2FA", "PT24H", "[]"),
                                          POSSESSION("{'methods':['PUSH']}")};

    dt_buf_printf(b,
                  "{'name':'R%d','type':'ACCESS_POLICY','status':'ACTIVE','priority':%d,"
                  "'conditions':{%s%s%s%s%s%s'userType':null},'actions':{'appSignOn':%s}},",
                  priority, priority, devices[r->device],
                  r->ios ? "'platform':{'include':[{'type':'MOBILE','os':{'type':'IOS'}}]}," : "",
                  r->office ? (r->tor ? "'network':{'connection':'ZONE','include':['nzo1','nzo3']},"
                                      : "'network':{'connection':'ZONE','include':['nzo1']},")
                            : "",
                  r->staff ? (r->unseen ? "'people':{'groups':{'include':['00g1','00gX']}},"
                                        : "'people':{'groups':{'include':['00g1']}},")
                           : "",
                  r->risk ? "'riskScore':{'level':'HIGH'}," : "",
                  r->expression ? "'elCondition':{'condition':'x'}," : "", actions[r->access]);
}

static unsigned random_state;

static unsigned below(unsigned n)
{
    return (unsigned)rand_r(&random_state) % n;
}

static org_rule random_rule(void)
{
    org_rule r = {.device = below(2) ? (int)below(5) : 0,
                  .ios = below(4) == 0,
                  .office = below(4) == 0,
                  .staff = below(4) == 0,
                  .risk = below(5) == 0,
                  .expression = below(6) == 0,
                  .access = (int)below(5)};

    r.tor = r.office && below(3) == 0;
    r.unseen = r.staff && below(3) == 0;
    return r;
}

/* How much an action gives: bits that may only be lost. */
static bool within(dt_decision const *d, int access)
{
    dt_time lifetime = d->frequency == DT_FREQUENCY_ONLY_ONCE ? DT_TIME_NEVER : d->lifetime;

    if (d->access == DT_ACCESS_DENY)
        return true;
    switch (access) {
    case 1:
        return true;
    case 2:
        return d->access == DT_ACCESS_ALLOW_AFTER_MFA && lifetime == 0;
    case 3:
        return d->access == DT_ACCESS_ALLOW_AFTER_MFA && lifetime <= DT_DAYS(1);
    case 4:
        return d->access == DT_ACCESS_ALLOW_AFTER_MFA && lifetime == 0 &&
               d->factors == DT_FACTOR_PUSH;
    default:
        return false;
    }
}

static void ask(dt_policy const *p, org_request const *q, dt_decision *d)
{
    static char const *const groups[] = {"\x1f"
                                         "00g1"};
    dt_policy_input in = {.user = "anna",
                          .login = "anna@example.com",
                          .groups = groups,
                          .group_count = q->staff ? 1 : 0,
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .platform = q->ios ? DT_PLATFORM_IOS : DT_PLATFORM_WINDOWS,
                          .trust = q->device == 0 ? DT_TRUST_TRUSTED : DT_TRUST_NOT_TRUSTED};

    assert_int_equal(dt_ip_parse(q->office ? "192.0.2.5" : "203.0.113.5", &in.ip), DT_OK);
    dt_policy_decide(p, &in, d);
}

static void compare(dt_policy const *p, org_rule const *rules, size_t count, char const *text,
                    size_t *asked)
{
    for (unsigned bits = 0; bits < 3u << 7; bits++) {
        org_request q = {.device = (int)(bits >> 7),
                         .ios = bits & 1,
                         .office = bits >> 1 & 1,
                         .tor = bits >> 2 & 1,
                         .staff = bits >> 3 & 1,
                         .unseen = bits >> 4 & 1,
                         .risk = bits >> 5 & 1,
                         .expression = bits >> 6 & 1};
        int access = 0;
        dt_decision d;
        for (size_t i = 0; i < count; i++) {
            if (!org_holds(&rules[i], &q))
                continue;
            access = rules[i].access;
            break;
        }
        ask(p, &q, &d);
        (*asked)++;
        if (!within(&d, access))
            fail_msg("more than %d by rule \"%s\" for %x: %s", access, d.rule, bits, text);
    }
}

static void nobody_gets_more_than_in_the_org(void **state)
{
    size_t asked = 0, refused = 0, made = 0, differs = 0;
    (void)state;

    random_state = 4711;
    for (int round = 0; round < 6000; round++) {
        org_rule rules[6] = {{0}};
        size_t count = 1 + below(5);
        bool open = below(4) != 0;
        world *w = calloc(1, sizeof(*w));
        dt_json *tree;
        dt_zones *zones = NULL;
        dt_policy *policy = NULL;
        dt_buf b;
        dt_buf_init(&b, TEXT_MAX);
        for (size_t i = 0; i < count; i++) {
            rules[i] = random_rule();
            org_rule_put(&rules[i], (int)i, &b);
        }
        if (open) {
            static char const *const actions[] = {DENY, ONE, MFA};
            rules[count] = (org_rule){.access = (int)below(3)};
            dt_buf_printf(&b,
                          "{'name':'Last','type':'ACCESS_POLICY','status':'ACTIVE','system':true,"
                          "'priority':99,'conditions':null,'actions':{'appSignOn':%s}},",
                          actions[rules[count].access]);
            count++;
        }
        dt_buf_truncate(&b, b.len - 1);
        w->o.tighten = below(2) == 0;
        import_rules(w, (char const *)b.p);
        assert_int_equal(w->rc, DT_OK);
        if (w->counts.of[DT_IMPORT_REFUSED] > 0) {
            assert_false(w->o.tighten);
            refused++;
        } else {
            made++;
            differs += w->counts.of[DT_IMPORT_CHANGED] > 0;
            assert_int_equal(dt_json_parse(dt_buf_bytes(&w->zones), &tree, &w->e), DT_OK);
            assert_int_equal(dt_zones_parse(tree, "zones", &zones, &w->e), DT_OK);
            dt_json_free(&tree);
            assert_int_equal(dt_json_parse(dt_buf_bytes(&w->policy), &tree, &w->e), DT_OK);
            assert_int_equal(dt_policy_parse(tree, "policy", zones, &policy, &w->e), DT_OK);
            dt_json_free(&tree);
            compare(policy, rules, count, (char const *)b.p, &asked);
        }
        dt_policy_free(&policy);
        dt_zones_free(&zones);
        dt_buf_free(&b);
        world_end(w);
        free(w);
    }
    assert_true(asked > 1000000);
    assert_true(refused > 100 && made > 3000 && differs > 500);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(every_shape_is_read),
        cmocka_unit_test(tightened_rules_deny),
        cmocka_unit_test(other_documents_are_refused),
        cmocka_unit_test(a_policy_that_is_not_active_is_refused),
        cmocka_unit_test(a_policy_is_chosen_by_id_name_or_app),
        cmocka_unit_test(the_system_rule_is_last_whatever_its_number),
        cmocka_unit_test(without_a_last_rule_there_is_one_that_denies),
        cmocka_unit_test(nothing_is_widened_into_the_void),
        cmocka_unit_test(what_is_never_reached_is_left_out),
        cmocka_unit_test(names_that_are_there_twice_get_a_number),
        cmocka_unit_test(only_zones_that_are_named_are_written),
        cmocka_unit_test(zones_of_rules_that_are_left_out_are_not_written),
        cmocka_unit_test(the_org_s_own_rules),
        cmocka_unit_test(zones_of_places_and_providers),
        cmocka_unit_test(zones_that_block_are_kept),
        cmocka_unit_test(zones_that_block_or_exempt_in_other_ways),
        cmocka_unit_test(nobody_gets_more_than_in_the_org),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
