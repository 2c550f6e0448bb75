/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sign-on machine against a hostile world: Okta, the store, the person and the clock do what the
 * input says, and what is saved is changed before it is loaded again. Whatever they do, nobody gets
 * in unless Okta said SUCCESS to a request about this person's own transaction or passcode (after the last
 * load where that changed anything), and the machine comes to its end. */
#include "core/ruleset/config_check.h"
#include "core/signon/signon_internal.h" /* to see whether a loaded machine was at its end already */

#include <stdlib.h>
#include <string.h>

static char const POLICY[] =
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"a\",\"priority\":1,"
    "\"status\":\"ACTIVE\",\"conditions\":{\"device\":{\"trust\":\"NOT_TRUSTED\"}},\"actions\":"
    "{\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","
    "\"factors\":[\"push\",\"token:software:totp\",\"token\",\"sms\",\"question\",\"browser\"]}}}},"
    "{\"name\":"
    "\"b\",\"priority\":2,\"status\":"
    "\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

static char const *const SETTINGS[][3] = {
    {"okta", "org_url", "https://example.okta.com"},
    {"okta", "api_token_file", "/t"},
    {"user_name", "login_suffix", "@example.com"},
    {"okta", "native_client_id", "0oa1native"},
    {"mfa", "factors", "push, token:software:totp, token, sms, question, browser"},
    {"device_trust", "trusted_when", "certificate"},
    {"device_trust", "ca_file", "/ca.pem"},
    {"policy", "unknown_device_as", "not_trusted"},
};

/* The Factors API, signing in with a browser, and the Authn API, which takes the password. */
static char const *const WAYS[] = {"factors", "browser", "authn"};
#define WAYS_COUNT (sizeof(WAYS) / sizeof(WAYS[0]))
static dt_config *configs[WAYS_COUNT];
static dt_trust_store *anchors;
static dt_policy *policy;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static dt_config *config_new(char const *way)
{
    dt_config *c = NULL;
    dt_error e = {0};

    if (dt_config_new(&c, &e) < 0)
        abort();
    for (size_t i = 0; i < sizeof(SETTINGS) / sizeof(SETTINGS[0]); i++)
        if (dt_config_set(c, "f", 1, SETTINGS[i][0], SETTINGS[i][1], SETTINGS[i][2], &e) < 0)
            abort();
    if (strcmp(way, "authn") == 0 &&
        dt_config_set(c, "f", 1, "primary", "okta_password", "vpn", &e) < 0)
        abort();
    if (dt_config_set(c, "f", 1, "mfa", "okta_way", way, &e) < 0 ||
        dt_config_finish(c, "f", &e) < 0 || dt_config_check(c, "f", &e) < 0)
        abort();
    return c;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    dt_error e = {0};
    dt_json *root = NULL;

    (void)argc;
    (void)argv;
    for (size_t i = 0; i < WAYS_COUNT; i++)
        configs[i] = config_new(WAYS[i]);
    if (dt_trust_store_new(&anchors) < 0 || dt_json_parse(dt_bytes_str(POLICY), &root, &e) < 0 ||
        dt_policy_parse(root, "f", NULL, &policy, &e) < 0)
        abort();
    dt_json_free(&root);
    return 0;
}

typedef struct input {
    uint8_t const *p;
    size_t len;
    bool approved; /* a reply with the word was fed to a request that may_approve */
    bool changed;  /* the machine is not of its own making any more */
} input;

static uint8_t take(input *in)
{
    uint8_t b = 0;

    if (in->len > 0) {
        b = *in->p++;
        in->len--;
    }
    return b;
}

static dt_bytes take_bytes(input *in, size_t want)
{
    dt_bytes b = {in->p, want < in->len ? want : in->len};

    in->p += b.len;
    in->len -= b.len;
    return b;
}

#define FACTORS_PATH "https://example.okta.com/api/v1/users/00u1/factors/"
#define TRANSACTION FACTORS_PATH "opf1/transactions/"
#define OTHER_TRANSACTION FACTORS_PATH "opf2/transactions/"
#define MORE(id, type, provider)                                                                   \
    ",{\"id\":\"" id "\",\"factorType\":\"" type "\",\"provider\":\"" provider                     \
    "\",\"status\":\"ACTIVE\",\"profile\":{\"name\":\"x\"}}"

/* Of this person, who has used a key; and of another one. */
static char const GOOD_TOKEN[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub2t0YS5jb20iLCJhdWQiOiIwb2E"
    "xbmF0aXZlIiwiaWF0IjoxNzAwMDAwMDMwLCJleHAiOjE3MDAwMDM2MzAsImF1dGhfdGltZSI6MTcwMDA"
    "wMDAyMCwic3ViIjoiMDB1MSIsInByZWZlcnJlZF91c2VybmFtZSI6ImFubkBleGFtcGxlLmNvbSIsImF"
    "tciI6WyJwd2QiLCJod2siXX0.c2ln";
static char const GOOD_REPLY[] =
    "{\"id_token\":\""
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub2t0YS5jb20iLCJhdWQiOiIwb2E"
    "xbmF0aXZlIiwiaWF0IjoxNzAwMDAwMDMwLCJleHAiOjE3MDAwMDM2MzAsImF1dGhfdGltZSI6MTcwMDA"
    "wMDAyMCwic3ViIjoiMDB1MSIsInByZWZlcnJlZF91c2VybmFtZSI6ImFubkBleGFtcGxlLmNvbSIsImF"
    "tciI6WyJwd2QiLCJod2siXX0.c2ln"
    "\"}";
static char const OTHER_REPLY[] =
    "{\"id_token\":\""
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub2t0YS5jb20iLCJhdWQiOiIwb2E"
    "xbmF0aXZlIiwiaWF0IjoxNzAwMDAwMDMwLCJleHAiOjE3MDAwMDM2MzAsImF1dGhfdGltZSI6MTcwMDA"
    "wMDAyMCwic3ViIjoiMDB1MiIsInByZWZlcnJlZF91c2VybmFtZSI6ImJvYkBleGFtcGxlLmNvbSIsImF"
    "tciI6WyJwd2QiLCJod2siXX0.c2ln"
    "\"}";

static bool begins(char const *text, char const *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

#define AUTHN_PATH "https://example.okta.com/api/v1/authn"
#define STATE_TOKEN "00fuzz"
#define ANN "\"_embedded\":{\"user\":{\"id\":\"00u1\",\"profile\":{\"login\":\"ann@example.com\"}}"
/* MFA_CHALLENGE of a factor. */
#define CHALLENGE_OF(id, result, next)                                                             \
    "{\"stateToken\":\"" STATE_TOKEN "\",\"status\":\"MFA_CHALLENGE\"," result ANN                 \
    ",\"factor\":{\"id\":\"" id "\",\"_embedded\":{\"challenge\":{\"correctAnswer\":7}}}},"        \
    "\"_links\":{\"next\":{\"name\":\"" next "\",\"href\":\"" AUTHN_PATH "/factors/" id            \
    "/verify\"},\"cancel\":{\"href\":\"" AUTHN_PATH "/cancel\"}}}"

/* A request about a factor of an open transaction: where nothing is given, Okta may say what became of a push. */
static bool is_verify(dt_http_request const *r)
{
    return r->method == DT_HTTP_POST && begins(r->url, AUTHN_PATH "/factors/") &&
           strstr(r->url, "/resend") == NULL &&
           memmem(r->body, r->body_len, STATE_TOKEN, strlen(STATE_TOKEN)) != NULL;
}

/* Only a reply to these may let somebody in: a poll of this person's push, or a passcode of this person. A push
 * that was sent this moment cannot have been approved. */
static bool may_approve(dt_http_request const *r)
{
    if (is_verify(r))
        return true;
    if (r->method == DT_HTTP_GET)
        return begins(r->url, TRANSACTION) || begins(r->url, OTHER_TRANSACTION);
    return r->method == DT_HTTP_POST && begins(r->url, FACTORS_PATH) && r->body_len > 0 &&
           (memmem(r->body, r->body_len, "passCode", 8) != NULL ||
            memmem(r->body, r->body_len, "answer", 6) != NULL);
}

/* A poll of the token endpoint; which of its requests are polls, the device_code says. */
static bool may_sign_in(dt_http_request const *r)
{
    return r->method == DT_HTTP_POST && r->anonymous &&
           strcmp(r->url, "https://example.okta.com/oauth2/v1/token") == 0 &&
           memmem(r->body, r->body_len, "&device_code=", 13) != NULL;
}

static bool has_token(dt_http_response const *r)
{
    return r->failure == DT_HTTP_OK && r->status == 200 && r->body.len > 0 &&
           memmem(r->body.p, r->body.len, GOOD_TOKEN, sizeof(GOOD_TOKEN) - 1) != NULL;
}

/* In a transaction that is the status SUCCESS for this person. */
static bool says_success(dt_http_request const *asked, dt_http_response const *r)
{
    return r->failure == DT_HTTP_OK && r->status == 200 && r->body.len > 0 &&
           memmem(r->body.p, r->body.len, "SUCCESS", 7) != NULL &&
           (!is_verify(asked) || (memmem(r->body.p, r->body.len, "00u1", 4) != NULL &&
                                  memmem(r->body.p, r->body.len, "MFA_CHALLENGE", 13) == NULL));
}

#define BODIES_MAX 25 /* of a reply; beyond those that are known, one of the input */

static void feed_http(input *in, dt_signon *s, dt_http_request const *asked, dt_time now)
{
    static char const *const bodies[] = {
        "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"ann@example.com\"}}",
        "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},{"
        "\"id\":\"ost1\","
        "\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]",
        "{\"factorResult\":\"WAITING\",\"_embedded\":{\"challenge\":{\"correctAnswer\":7}},"
        "\"_links\":{\"poll\":{\"href\":\"https://example.okta.com/api/v1/users/00u1/factors/opf1/"
        "transactions/t\"},\"cancel\":{\"href\":\"https://example.okta.com/api/v1/users/00u1/"
        "factors/opf1/transactions/t\"}}}",
        "{\"factorResult\":\"SUCCESS\"}",
        "{\"factorResult\":\"REJECTED\"}",
        "{\"errorCode\":\"E0000068\",\"errorSummary\":\"x\"}",
        "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":"
        "\"ACTIVE\"}" MORE("opf2", "push", "OKTA") MORE("sms1", "sms", "OKTA")
            MORE("rsa1", "token", "RSA") MORE("ufs1", "question", "OKTA") "]",
        "{\"factorResult\":\"CHALLENGE\"}",
        "{\"errorCode\":\"E0000109\",\"errorSummary\":\"x\"}",
        "{\"device_code\":\"d\",\"user_code\":\"RGTC\",\"verification_uri\":"
        "\"https://example.okta.com/activate\",\"expires_in\":600,\"interval\":1}",
        "{\"error\":\"authorization_pending\"}",
        "{\"error\":\"slow_down\"}",
        "{\"error\":\"access_denied\"}",
        GOOD_REPLY,
        OTHER_REPLY,
        "{\"stateToken\":\"" STATE_TOKEN "\",\"status\":\"MFA_REQUIRED\"," ANN "}}",
        CHALLENGE_OF("opf1", "\"factorResult\":\"WAITING\",", "poll"),
        "{\"status\":\"SUCCESS\"," ANN "}}",
        CHALLENGE_OF("sms1", "", "verify"),
        CHALLENGE_OF("opf1", "\"factorResult\":\"SUCCESS\",", "poll"),
        CHALLENGE_OF("opf1", "\"factorResult\":\"REJECTED\",", "verify"),
        "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":{\"id\":\"00u2\",\"profile\":{\"login\":"
        "\"bob@example.com\"}}}}",
    };
    static int const statuses[] = {200, 201, 204, 302, 400, 401, 403, 404, 409, 423, 429, 500};
    static dt_http_failure const failures[] = {DT_HTTP_REFUSED, DT_HTTP_TIMEOUT, DT_HTTP_BROKEN,
                                               DT_HTTP_LOCAL, DT_HTTP_QUEUED};
    uint8_t choice = take(in);
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .error = "",
                          .next_link = "",
                          .rate_limit = -1,
                          .rate_remaining = -1};

    r.status = statuses[take(in) % (sizeof(statuses) / sizeof(statuses[0]))];
    if (choice > 250)
        r.failure = failures[choice - 251];
    if (r.failure != DT_HTTP_OK)
        r.status = 0;
    r.rate_reset = now + take(in) * 100;
    r.date = now;
    if (choice % BODIES_MAX < sizeof(bodies) / sizeof(bodies[0]))
        r.body = dt_bytes_str(bodies[choice % BODIES_MAX]);
    else
        r.body = take_bytes(in, take(in));
    if ((may_approve(asked) && says_success(asked, &r)) || (may_sign_in(asked) && has_token(&r)))
        in->approved = true;
    dt_signon_http_done(s, &r, now);
}

static void feed_store(input *in, dt_signon *s, dt_store_op const *op, dt_time now)
{
    dt_store_result r = {.status = (dt_store_status)(take(in) % 4)};

    /* The push table is the one place whose content is believed: it is ours alone. */
    if (op->table != DT_TABLE_PUSH && op->table != DT_TABLE_REMEMBERED)
        r.value = take_bytes(in, take(in));
    r.count = take(in);
    dt_signon_store_done(s, &r, now);
}

#define CHANGES_MAX 8 /* of bytes, in one saved machine */

/* Changes what was saved: bytes anywhere, most of all low ones of numbers. */
static void change(input *in, dt_buf *b)
{
    int count = take(in) % (CHANGES_MAX + 1);

    for (int i = 0; i < count && b->len > 0; i++) {
        size_t at = take(in);

        at = (at << 8 | take(in)) % b->len;
        b->p[at] = take(in);
        in->changed = true;
    }
}

/* The machine to go on with. NULL: it was at its end, and what it says then is what it was told. */
static dt_signon *save_and_load(input *in, dt_signon *s, dt_signon *other,
                                dt_ruleset const *ruleset, bool as_it_is)
{
    dt_buf b;
    int rc;

    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    if (dt_signon_save(s, &b) < 0)
        abort();
    if (!as_it_is)
        change(in, &b);
    rc = dt_signon_load(other, ruleset, dt_buf_bytes(&b));
    dt_buf_free(&b);
    if (rc < 0 && !in->changed)
        abort(); /* what was saved can be loaded */
    if (rc < 0)
        return s;
    if (as_it_is)
        return other;
    in->approved = false;
    return other->finishing || other->phase == DT_PHASE_DONE ? NULL : other;
}

static void drive(input *in, dt_signon *s, dt_signon *other, dt_ruleset const *ruleset, dt_time now)
{
    dt_signon *next;

    for (int i = 0; i < 5000; i++) {
        dt_step step;
        uint8_t what;

        dt_signon_next(s, now, &step);
        what = take(in);
        switch (step.kind) {
        case DT_STEP_DONE:
            if (step.outcome->result == DT_ALLOW && !in->approved)
                abort();
            return;
        case DT_STEP_HTTP:
            feed_http(in, s, step.http, now);
            break;
        case DT_STEP_STORE:
            feed_store(in, s, step.store, now);
            break;
        case DT_STEP_SIGN: /* only a changed machine asks for it */
            dt_signon_sign_done(s, &(dt_sign_result){.error = DT_E_NOT_FOUND, .text = ""}, now);
            break;
        case DT_STEP_PROMPT:
            dt_signon_prompt_shown(s, now);
            break;
        case DT_STEP_WAIT:
            if (step.prompt_open && what % 3 == 0)
                dt_signon_answer(s,
                                 what % 4 == 1   ? dt_bytes_str("123456")
                                 : what % 4 == 3 ? dt_bytes_str("3")
                                                 : take_bytes(in, what),
                                 now);
            else if (what % 17 == 1)
                dt_signon_abandon(s, (dt_cause)(what % DT_CAUSE_COUNT), now);
            else if (what % 17 == 2)
                now -= DT_SECONDS(what);
            else if (what % 17 == 3 || what % 17 == 4) {
                next = save_and_load(in, s, other, ruleset, what % 17 == 3);
                if (!next)
                    return;
                other = next == s ? other : s;
                s = next;
            } else {
                now = step.until > now ? step.until : now + 1;
            }
            break;
        default:
            abort();
        }
    }
    abort(); /* it must come to its end */
}

static dt_signon *machine_new(void)
{
    dt_signon *s = calloc(1, dt_signon_size());

    if (s != NULL)
        dt_signon_attach(s, calloc(1, dt_signon_scratch_size()));
    return s;
}

static void machine_free(dt_signon *s)
{
    free(s->scratch);
    free(s);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    input in = {.p = data, .len = size};
    dt_ruleset ruleset = {.config = configs[0], .anchors = anchors, .policy = policy};
    uint8_t door;
    dt_request r = {.id = "0123456789abcdef0123456789abcdef",
                    .application = "vpn",
                    .user = "ann",
                    .client_ip = "192.0.2.1",
                    .wait_limit = DT_SECONDS(55),
                    .group_knowledge = DT_GROUPS_KNOWN};
    dt_signon *s = machine_new(), *other = machine_new();

    if (s == NULL || other == NULL)
        abort();
    r.conversation = (dt_conversation)(take(&in) % 3);
    door = take(&in);
    r.push_prompt = door & 1;
    ruleset.config = configs[door / 2 % WAYS_COUNT];
    r.passcode = take(&in) & 1 ? "654321" : "";
    if (dt_config_okta_password(ruleset.config, r.application))
        r.password = "correct horse";
    dt_signon_begin(s, &ruleset, &r, 1700000000000);
    drive(&in, s, other, &ruleset, 1700000000000);
    /* And a machine made of nothing but the input. */
    if (dt_signon_load(s, &ruleset, dt_bytes_of(data, size)) == 0) {
        dt_step step;

        dt_signon_next(s, 1700000000000, &step);
    }
    machine_free(s);
    machine_free(other);
    return 0;
}
