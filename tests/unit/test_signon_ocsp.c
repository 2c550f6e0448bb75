/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons whose certificate an OCSP responder is asked about: which of them get in. The responder is
 * OpenSSL, in this process; each case both straight on and saved and loaded at each step. */
#include "tests/unit/signon_world.h"

#include <openssl/ocsp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static char const ONLY_TRUSTED[] =
    "{\"name\":\"t\",\"application\":\"vpn\",\"rules\":["
    "{\"name\":\"trusted\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
    "{\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

#define RESPONDER "http://ocsp.example.com/q"
#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED
#define UNKNOWN V_OCSP_CERTSTATUS_UNKNOWN

/* What the responder does. */
static struct {
    int certificate; /* V_OCSP_CERTSTATUS_* */
    int status;      /* of HTTP; 0: not reached; WORLD_TIMEOUT; WORLD_FAILS: `failure` */
    dt_http_failure failure;
    int error;    /* OCSP_RESPONSE_STATUS_* */
    dt_time life; /* thisUpdate is now; 0: no nextUpdate */
    bool lies;    /* signs as the CA, with the device's key */
    char const *junk;
    int asked;
    dt_time timeout; /* of the last request */
} responder;

static ASN1_GENERALIZEDTIME *at(dt_time t)
{
    return ASN1_GENERALIZEDTIME_set(NULL, (time_t)(t / 1000));
}

static OCSP_BASICRESP *answer_to(world *w, OCSP_CERTID *id)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_GENERALIZEDTIME *from = at(w->now), *to = at(w->now + responder.life), *produced;
    ASN1_GENERALIZEDTIME const *field = OCSP_resp_get0_produced_at(basic);

    assert_non_null(OCSP_basic_add1_status(basic, id, responder.certificate, 0, from, from,
                                           responder.life > 0 ? to : NULL));
    memcpy(&produced, &field, sizeof(produced));
    assert_non_null(ASN1_GENERALIZEDTIME_set(produced, (time_t)(w->now / 1000)));
    X509 *signer = X509_dup(w->ca);
    EVP_PKEY *key = responder.lies ? w->leaf_key : w->ca_key;
    assert_int_equal(X509_set_pubkey(signer, key), 1);
    assert_int_equal(
        OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL, OCSP_NOTIME | OCSP_NOCERTS), 1);
    X509_free(signer);
    ASN1_GENERALIZEDTIME_free(from);
    ASN1_GENERALIZEDTIME_free(to);
    return basic;
}

static world_reply const *respond(world *w, dt_http_request const *q)
{
    static uint8_t der[8192];
    static world_reply reply;
    unsigned char const *in = (unsigned char const *)q->body;
    unsigned char *out = der;
    OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &in, (long)q->body_len);

    assert_non_null(request);
    assert_int_equal(q->service, DT_HTTP_OCSP);
    OCSP_CERTID *id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0));
    OCSP_BASICRESP *basic = answer_to(w, id);
    OCSP_RESPONSE *r = OCSP_response_create(responder.error, basic);
    responder.asked++;
    responder.timeout = q->timeout;
    assert_true(i2d_OCSP_RESPONSE(r, NULL) <= (int)sizeof(der));
    reply = (world_reply){.method = DT_HTTP_POST,
                          .url_part = RESPONDER,
                          .status = responder.status,
                          .failure = responder.failure,
                          .body = responder.junk != NULL ? responder.junk : (char const *)der};
    int len = i2d_OCSP_RESPONSE(r, &out);
    reply.body_len = responder.junk != NULL ? 0 : (size_t)len;
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(basic);
    OCSP_REQUEST_free(request);
    return &reply;
}

static void open_world(world *w, char const *revocation, char const *trusted_when,
                       char const *cache_max)
{
    char const *const extra[] = {"device_trust", "trusted_when",   trusted_when,   "device_trust",
                                 "revocation",   revocation,       "device_trust", "ocsp",
                                 "yes",          "device_trust",   "ocsp_url",     RESPONDER,
                                 "device_trust", "ocsp_cache_max", cache_max,      NULL};
    dt_ocsp_rules rules = {.on = true, .url = RESPONDER, .max_age = DT_DAYS(10)};

    world_open(w, ONLY_TRUSTED, extra);
    w->org = respond;
    assert_int_equal(dt_trust_store_set_ocsp(w->anchors, &rules), 0);
    dt_trust_store_set_revocation(w->anchors, w->config->device_trust.revocation);
    memset(&responder, 0, sizeof(responder));
    responder.certificate = GOOD;
    responder.status = 200;
    responder.life = DT_HOURS(4);
}

/* One sign-on; how often the responder was asked in it. */
static int sign_on(world *w)
{
    dt_request r = with_certificate(w);
    int before = responder.asked;

    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_DONE);
    assert_int_equal(world_outcome(w)->ocsp_calls, responder.asked - before);
    return responder.asked - before;
}

static void assert_trust(world const *w, dt_trust trust, dt_reason reason)
{
    dt_verdict const *v = &world_outcome(w)->verdict;

    if (v->trust != trust || v->reason != reason)
        fail_msg("%s %s instead of %s %s: %s", dt_trust_name(v->trust), dt_reason_name(v->reason),
                 dt_trust_name(trust), dt_reason_name(reason), world_outcome(w)->detail);
    assert_int_equal(world_outcome(w)->result, trust == DT_TRUST_TRUSTED ? DT_ALLOW : DT_DENY);
    assert_int_equal(v->key_id[0] != '\0',
                     trust != DT_TRUST_NOT_TRUSTED && v->reason == DT_REASON_TRUSTED);
}

#define TRUSTED DT_TRUST_TRUSTED, DT_REASON_TRUSTED
#define NOT_KNOWN DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE
#define IS_REVOKED DT_TRUST_NOT_TRUSTED, DT_REASON_CERTIFICATE_REVOKED

static void assert_by(world const *w, dt_revocation_by by)
{
    assert_string_equal(dt_revocation_by_name(world_outcome(w)->revocation),
                        dt_revocation_by_name(by));
}

/* --- answers, and what is kept of them ---------------------------------------------------------- */

static void test_good_is_kept(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, TRUSTED);
    assert_by(&w, DT_REVOCATION_BY_OCSP);
    assert_true(world_outcome(&w)->verdict.oldest == w.now);
    assert_true(responder.timeout == DT_SECONDS(3));
    w.now += DT_HOURS(3);
    assert_int_equal(sign_on(&w), 0); /* no call on the warm path */
    assert_trust(&w, TRUSTED);
    assert_by(&w, DT_REVOCATION_BY_OCSP_CACHE);
    assert_true(world_outcome(&w)->revocation_at == w.now - DT_HOURS(3));
    assert_true(world_outcome(&w)->verdict.oldest == w.now - DT_HOURS(3));
    w.now += DT_HOURS(1) + DT_OCSP_SKEW; /* nextUpdate, and the skew */
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, TRUSTED);
    world_close(&w);
}

/* It gets in until the answer ends, and not a moment longer. */
static void test_revoked_later(void **state)
{
    world w;

    (void)state;
    open_world(&w, "soft", "certificate", "1h");
    assert_int_equal(sign_on(&w), 1);
    responder.certificate = REVOKED;
    w.now += DT_HOURS(1) - 1;
    assert_int_equal(sign_on(&w), 0);
    assert_trust(&w, TRUSTED);
    w.now += 1;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, IS_REVOKED);
    assert_by(&w, DT_REVOCATION_BY_OCSP);
    responder.status = 0; /* and stays so while the responder is away */
    assert_int_equal(sign_on(&w), 0);
    assert_trust(&w, IS_REVOKED);
    assert_by(&w, DT_REVOCATION_BY_OCSP_CACHE);
    world_close(&w);
}

static void test_without_next_update(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    responder.life = 0;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, TRUSTED);
    w.now += DT_OCSP_SHORT - 1;
    assert_int_equal(sign_on(&w), 0);
    w.now += 1;
    assert_int_equal(sign_on(&w), 1);
    world_close(&w);
}

static void test_nothing_is_kept(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "0");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sign_on(&w), 1);
        assert_trust(&w, TRUSTED);
    }
    world_close(&w);
}

/* An answer of a month is not kept for a month. */
static void test_kept_no_longer_than_configured(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "2h");
    responder.life = DT_DAYS(30);
    assert_int_equal(sign_on(&w), 1);
    assert_true(world_find(&w, DT_TABLE_LOOKUP, "ocsp:")->expires == w.now + DT_HOURS(2));
    w.config->device_trust.ocsp_cache_max = DT_MINUTES(1); /* shortened since */
    w.now += DT_MINUTES(1);
    assert_int_equal(sign_on(&w), 1);
    world_close(&w);
}

/* A good answer is not used when it was found out longer ago than ocsp_max_age, however long it may be
 * kept; a revocation is. */
static void test_kept_no_longer_than_its_age(void **state)
{
    world w;

    (void)state;
    open_world(&w, "soft", "certificate", "12h");
    responder.life = DT_DAYS(1);
    w.config->device_trust.ocsp_max_age = DT_HOURS(1);
    assert_int_equal(sign_on(&w), 1);
    assert_true(world_find(&w, DT_TABLE_LOOKUP, "ocsp:")->expires ==
                w.now + DT_HOURS(1) + DT_OCSP_SKEW);
    w.config->device_trust.ocsp_max_age = DT_MINUTES(10); /* shortened since */
    w.now += DT_MINUTES(10) + DT_OCSP_SKEW - 1;
    assert_int_equal(sign_on(&w), 0);
    assert_trust(&w, TRUSTED);
    w.now += 1;
    responder.certificate = REVOKED;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, IS_REVOKED);
    w.now += DT_HOURS(2);
    responder.status = 0;
    assert_int_equal(sign_on(&w), 0);
    assert_trust(&w, IS_REVOKED);
    world_close(&w);
}

/* A kept row that is not ours, of another form, or from the future: asked again. */
static void test_odd_rows(void **state)
{
    static char const *const rows[] = {
        "",
        "dt-ocsp 2 3 1 1 1 1\n",
        "dt-ocsp 1 3\n",
        "dt-ocsp 1 4 1700000000000 0 1700000000000 1700000300000\n",
        "dt-ocsp 1 3 1700000000000 0 1700000000000 1700000300000",
        "dt-ocsp 1 3 1700000000000 0 1700000000000 1700000300000\nx",
        "dt-ocsp 1 03 1700000000000 0 1700000000000 1700000300000\n",
        "dt-ocsp 1 3 0 0 1700000000000 1700000300000\n",
        "dt-ocsp 1 3 1700000000000 0 1700000000000 1800000000000\n",
        "dt-ocsp 1 3 1700000000000 0 1700000060000 1700000300000\n", /* fetched in a minute */
        "dt-ocsp 1 3 1700000000000 0 1699999000000 1699999999999\n", /* over */
    };
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    responder.certificate = REVOKED;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)sign_on(&w); /* makes the row */
        world_row *row = world_find(&w, DT_TABLE_LOOKUP, "ocsp:");
        row->len = strlen(rows[i]);
        memcpy(row->value, rows[i], row->len);
        if (sign_on(&w) != 1)
            fail_msg("row %zu was believed", i);
        assert_trust(&w, IS_REVOKED);
    }
    world_close(&w);
}

/* --- no answer ---------------------------------------------------------------------------------- */

/* Every way not to answer, with require and with soft; and whether it is asked again at once. */
static void test_no_answer(void **state)
{
    static struct {
        int status, error, certificate;
        bool lies;
        char const *junk;
        int calls;
    } const cases[] = {
        {0, 0, GOOD, false, NULL, 3},
        {WORLD_TIMEOUT, 0, GOOD, false, NULL, 1},
        {500, 0, GOOD, false, NULL, 1},
        {503, 0, GOOD, false, NULL, 1},
        {429, 0, GOOD, false, NULL, 1},
        {301, 0, GOOD, false, NULL, 1},
        {404, 0, GOOD, false, NULL, 1},
        {204, 0, GOOD, false, NULL, 1},
        {201, 0, GOOD, false, NULL, 1},
        {200, 0, GOOD, false, "<html>", 1},
        {200, 0, GOOD, true, NULL, 1},
        {200, 0, UNKNOWN, false, NULL, 1},
        {200, OCSP_RESPONSE_STATUS_TRYLATER, GOOD, false, NULL, 1},
        {200, OCSP_RESPONSE_STATUS_INTERNALERROR, GOOD, false, NULL, 1},
        {200, OCSP_RESPONSE_STATUS_UNAUTHORIZED, GOOD, false, NULL, 1},
        {200, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, GOOD, false, NULL, 1},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool require = i % 2 == 0;
        world w;

        open_world(&w, require ? "require" : "soft", "certificate", "12h");
        responder.status = cases[i / 2].status;
        responder.error = cases[i / 2].error;
        responder.certificate = cases[i / 2].certificate;
        responder.lies = cases[i / 2].lies;
        responder.junk = cases[i / 2].junk;
        assert_int_equal(sign_on(&w), cases[i / 2].calls);
        for (int again = 0; again < 2; again++) {
            if (require) {
                assert_trust(&w, NOT_KNOWN);
            } else {
                assert_trust(&w, TRUSTED);
                assert_by(&w, DT_REVOCATION_BY_NONE);
                assert_non_null(
                    strstr(world_outcome(&w)->detail, "accepted because of revocation = soft"));
            }
            assert_int_equal(sign_on(&w), 0); /* not asked again at once */
        }
        /* It mends by itself. */
        w.now += DT_OCSP_FAILURE_KEPT;
        responder.status = 200;
        responder.error = 0;
        responder.certificate = GOOD;
        responder.lies = false;
        responder.junk = NULL;
        assert_int_equal(sign_on(&w), 1);
        assert_trust(&w, TRUSTED);
        assert_by(&w, DT_REVOCATION_BY_OCSP);
        world_close(&w);
    }
}

/* A failure of ours is no silence of the responder's: nothing passes by it, and nobody is told that the
 * responder is away. */
static void test_failures_of_ours(void **state)
{
    static dt_http_failure const failures[] = {DT_HTTP_PROXY_REFUSED, DT_HTTP_LOCAL,
                                               DT_HTTP_UNTRUSTED,     DT_HTTP_QUEUED,
                                               DT_HTTP_ABANDONED,     (dt_http_failure)99};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(failures) / sizeof(failures[0]); i++) {
        world w;

        open_world(&w, i % 2 == 0 ? "require" : "soft", "certificate", "12h");
        responder.status = WORLD_FAILS;
        responder.failure = failures[i / 2];
        assert_int_equal(sign_on(&w), 1);
        assert_trust(&w, NOT_KNOWN);
        responder.status = 200;
        assert_int_equal(sign_on(&w), 1); /* asked again at once */
        assert_trust(&w, TRUSTED);
        assert_by(&w, DT_REVOCATION_BY_OCSP);
        world_close(&w);
    }
}

/* A sign-on that has no time left says nothing about the responder. */
static void test_cut_short(void **state)
{
    dt_request r;
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    r = with_certificate(&w);
    r.wait_limit = DT_SECONDS(1);
    responder.status = WORLD_TIMEOUT;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_trust(&w, NOT_KNOWN);
    assert_null(world_find(&w, DT_TABLE_LOOKUP, "ocsp-failure:"));
    responder.status = 200;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, TRUSTED);
    world_close(&w);
}

/* Without a store everything is asked each time, and nothing is believed. */
static void test_store_broken(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    w.store_broken = true;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, TRUSTED);
    assert_int_equal(sign_on(&w), 1);
    responder.certificate = REVOKED;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, IS_REVOKED);
    responder.status = 0;
    assert_int_equal(sign_on(&w), 3);
    assert_trust(&w, NOT_KNOWN);
    world_close(&w);
}

/* --- when it is asked --------------------------------------------------------------------------- */

static void test_not_asked(void **state)
{
    dt_request r;
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    r = with_certificate(&w);
    r.handshake_finished = false; /* a certificate that anybody could show */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(responder.asked, 0);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    w.now += DT_DAYS(400); /* expired */
    assert_int_equal(sign_on(&w), 0);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
    open_world(&w, "require", "vpn-client", "12h"); /* no rule asks for certificates */
    assert_int_equal(sign_on(&w), 0);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
}

/* Before Intune; and a revoked one costs no call there. */
static void test_before_intune(void **state)
{
    world w;

    (void)state;
    open_world(&w, "require", "certificate+intune", "12h");
    responder.certificate = REVOKED;
    assert_int_equal(sign_on(&w), 1);
    assert_trust(&w, IS_REVOKED);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    world_close(&w);
}

/* This host's own certificate. */
static void test_host(void **state)
{
    dt_request r;
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    w.host_signs = true;
    /* Freed with the configuration. */
    char *none = w.config->device_trust.host_certificate_file;
    static char file[] = "/host.pem";
    w.config->device_trust.host_certificate_file = file;
    r = world_request();
    r.host_evidence = true;
    for (int i = 0; i < 3; i++) {
        responder.certificate = i < 2 ? GOOD : REVOKED;
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(responder.asked, i < 2 ? 1 : 2);
        if (i < 2)
            assert_trust(&w, TRUSTED);
        else
            assert_trust(&w, IS_REVOKED);
        w.now += i == 1 ? DT_HOURS(5) : 0;
    }
    w.config->device_trust.host_certificate_file = none;
    world_close(&w);
}

/* --- refreshed ahead of its end ----------------------------------------------------------------- */

static void test_refresh(void **state)
{
    dt_ocsp_question const *hint;
    dt_ocsp_question question;
    world w;

    (void)state;
    if (world_is_saving())
        return; /* the hint is for who ran the machine */
    open_world(&w, "require", "certificate", "1h");
    (void)sign_on(&w);
    assert_null(dt_signon_ocsp_hint(w.machine));
    w.now += DT_MINUTES(47);
    assert_int_equal(sign_on(&w), 0);
    assert_null(dt_signon_ocsp_hint(w.machine));
    w.now += DT_MINUTES(2);
    assert_int_equal(sign_on(&w), 0);
    hint = dt_signon_ocsp_hint(w.machine);
    assert_non_null(hint);
    question = *hint;
    assert_null(dt_signon_ocsp_question(w.machine));
    dt_signon_begin_ocsp(w.machine, &w.ruleset, &question, w.now);
    assert_non_null(dt_signon_ocsp_question(w.machine));
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(responder.asked, 2);
    /* It is no sign-on: nothing is judged, and nothing decided. */
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_NONE);
    assert_int_equal(dt_signon_evidence(w.machine)->count, 0);
    w.now += DT_MINUTES(12);
    assert_int_equal(sign_on(&w), 0);
    assert_trust(&w, TRUSTED);
    /* One that yields nothing takes away no answer that still holds; one that tells of a revocation
     * does. */
    for (int i = 0; i < 3; i++) {
        responder.junk = i == 0 ? "<html>" : NULL;
        responder.certificate = i == 1 ? UNKNOWN : REVOKED;
        dt_signon_begin_ocsp(w.machine, &w.ruleset, &question, w.now);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(sign_on(&w), 0);
        if (i < 2)
            assert_trust(&w, TRUSTED);
        else
            assert_trust(&w, IS_REVOKED);
    }
    world_close(&w);
}

/* A reply that nobody asked for. */
static void test_out_of_order(void **state)
{
    dt_http_response reply = {.failure = DT_HTTP_OK, .status = 200, .error = "", .next_link = ""};
    dt_request r;
    dt_step step;
    world w;

    (void)state;
    open_world(&w, "require", "certificate", "12h");
    r = with_certificate(&w);
    world_begin(&w, &r);
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_STORE);
    dt_signon_http_done(w.machine, &reply, w.now);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_INTERNAL);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TWICE(test_good_is_kept),
        WORLD_TWICE(test_revoked_later),
        WORLD_TWICE(test_without_next_update),
        WORLD_TWICE(test_nothing_is_kept),
        WORLD_TWICE(test_kept_no_longer_than_configured),
        WORLD_TWICE(test_kept_no_longer_than_its_age),
        WORLD_TWICE(test_odd_rows),
        WORLD_TWICE(test_no_answer),
        WORLD_TWICE(test_failures_of_ours),
        WORLD_TWICE(test_cut_short),
        WORLD_TWICE(test_store_broken),
        WORLD_TWICE(test_not_asked),
        WORLD_TWICE(test_before_intune),
        WORLD_TWICE(test_host),
        WORLD_TWICE(test_refresh),
        WORLD_TWICE(test_out_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
