/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl log: the events that the core writes are read as they were meant, others are not taken
 * for events, hostile text stays harmless; lines and rotated files are told apart. */
#include "core/signon/audit_ocsf.h"
#include "devtrustctl/audit_files.h"

#include "core/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW 1790000000123 /* 2026-09-21T14:13:20.123Z */

static dt_error g_error;

static dt_audit_context context(char const *user)
{
    return (dt_audit_context){.id = "0123456789abcdef0123456789abcdef",
                              .application = "vpn",
                              .user = user,
                              .login = "alice@example.com",
                              .client_ip = "192.0.2.1",
                              .host = "gw",
                              .door = "radius"};
}

/* Writes both events of a refused sign-on, as the driver does. */
static void write_events(dt_buf *out, char const *user)
{
    dt_outcome o = {.result = DT_DENY, .cause = DT_CAUSE_MFA_REJECTED};
    dt_evidence_set none = {0};
    dt_audit_context ctx = context(user);

    o.verdict.trust = DT_TRUST_NOT_TRUSTED;
    o.verdict.reason = DT_REASON_NO_CERTIFICATE;
    o.verdict.platform = DT_PLATFORM_WINDOWS;
    o.decision.access = DT_ACCESS_ALLOW_AFTER_MFA;
    o.decision.cause = DT_DECISION_RULE;
    assert_int_equal(dt_str_copy(o.decision.rule, sizeof(o.decision.rule), "Ask \"them\""), 0);
    dt_audit_device(out, &o, &none, &ctx, NOW);
    dt_audit_signon(out, &o, &ctx, NOW + 5);
    assert_int_equal(dt_buf_error(out), 0);
}

/* Reads the event of line i. */
static dt_audit_event event_of(dt_buf const *text, int i)
{
    dt_audit_event v;
    uint8_t const *p = text->p;

    for (; i > 0; i--)
        p = (uint8_t const *)strchr((char const *)p, '\n') + 1;
    dt_bytes line = dt_bytes_of(p, strcspn((char const *)p, "\n"));
    assert_int_equal(dt_audit_event_read(line, &v, &g_error), 0);
    return v;
}

static void reads_what_the_core_writes(void **state)
{
    (void)state;
    dt_buf text;
    dt_buf_init(&text, 4 * DT_AUDIT_EVENT_MAX);
    write_events(&text, "alice");
    dt_audit_event v = event_of(&text, 0);
    assert_string_equal(v.message, "Authentication of device via certificate");
    assert_string_equal(v.user, "alice");
    assert_string_equal(v.login, "alice@example.com");
    assert_string_equal(v.application, "vpn");
    assert_string_equal(v.device, "Computer");
    assert_string_equal(v.result, "FAILURE");
    assert_string_equal(v.reason, "NO_CERTIFICATE");
    assert_int_equal(v.at, NOW);
    dt_audit_event_free(&v);
    v = event_of(&text, 1);
    assert_string_equal(v.message, "Authentication of user via MFA");
    assert_string_equal(v.rule, "Ask \"them\"");
    assert_string_equal(v.reason, "MFA_REJECTED");
    dt_audit_event_free(&v);
    dt_buf_free(&text);
}

/* The same event in the form of OCSF is the same to whoever searches; its own members are searched as well. */
static void reads_ocsf(void **state)
{
    (void)state;
    dt_outcome o = {.decision = {.access = DT_ACCESS_DENY, .rule = "Rest"}};
    dt_audit_context const ctx = {.application = "vpn", .user = "alice", .login = "alice@x.org"};
    dt_buf text;
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    dt_buf_init(&text, (size_t)4 * DT_AUDIT_EVENT_MAX);
    dt_audit_ocsf_signon(&text, &o, &ctx, NOW);
    assert_true(text.len < DT_AUDIT_LINE_MAX);
    dt_audit_event v = event_of(&text, 0);
    assert_string_equal(v.message, "Evaluation of sign-on policy");
    assert_string_equal(v.user, "alice");
    assert_string_equal(v.application, "vpn");
    assert_string_equal(v.result, "DENY");
    assert_string_equal(v.reason, "RULE_DENY");
    assert_string_equal(v.rule, "Rest");
    assert_int_equal(v.at, NOW);
    assert_true(dt_audit_event_matches(&v, &(dt_audit_filter){.query = "Sign-on denied"}));
    assert_false(dt_audit_event_matches(&v, &(dt_audit_filter){.result = "ALLOW"}));
    dt_audit_event_free(&v);
    /* Without the class it is no such event, whatever it has in it. */
    static char const forged[] = "{\"unmapped\":{\"devtrust\":{\"displayMessage\":\"x\"}}}";
    assert_true(dt_audit_event_read(dt_bytes_str(forged), &v, &g_error) < 0);
    dt_buf_free(&text);
}

static void prints_one_line(void **state)
{
    (void)state;
    dt_buf text, out;
    dt_buf_init(&text, 4 * DT_AUDIT_EVENT_MAX);
    dt_buf_init(&out, 4 * DT_AUDIT_EVENT_MAX);
    write_events(&text, "alice");
    dt_audit_event v = event_of(&text, 1);
    dt_audit_event_print(&v, &out);
    assert_string_equal(
        (char *)out.p, "2026-09-21T14:13:20.128Z  Authentication of user via MFA  "
                       "user=\"alice@example.com\" application=\"vpn\"  Client > Device = Computer "
                       " FAILURE/MFA_REJECTED  rule=\"Ask \\\"them\\\"\"");
    dt_audit_event_free(&v);
    dt_buf_free(&out);
    dt_buf_free(&text);
}

static bool matches(dt_audit_event const *v, dt_audit_filter f)
{
    return dt_audit_event_matches(v, &f);
}

static void finds(void **state)
{
    (void)state;
    dt_buf text;
    dt_buf_init(&text, 4 * DT_AUDIT_EVENT_MAX);
    write_events(&text, "alice");
    dt_audit_event v = event_of(&text, 1);
    assert_true(matches(&v, (dt_audit_filter){0}));
    assert_true(matches(&v, (dt_audit_filter){.query = "authentication OF user"}));
    assert_true(matches(&v, (dt_audit_filter){.query = "192.0.2.1"}));
    assert_true(matches(&v, (dt_audit_filter){.query = "ask \"THEM\""}));
    assert_true(matches(&v, (dt_audit_filter){.query = "\"result\":\"FAILURE\""}));
    assert_true(matches(&v, (dt_audit_filter){.user = "ALICE"}));
    assert_true(matches(&v, (dt_audit_filter){.user = "Alice@Example.com"}));
    assert_true(matches(&v, (dt_audit_filter){.application = "VPN", .result = "failure"}));
    assert_true(matches(&v, (dt_audit_filter){.since = NOW + 5}));
    dt_audit_event_free(&v);
    write_events(&text, "bob");
    v = event_of(&text, 2);
    assert_true(matches(&v, (dt_audit_filter){.user = "alice"})); /* by the login */
    dt_audit_event_free(&v);
    dt_buf_free(&text);
}

static void passes_over_the_rest(void **state)
{
    (void)state;
    dt_buf text;
    dt_buf_init(&text, 4 * DT_AUDIT_EVENT_MAX);
    write_events(&text, "alice");
    dt_audit_event v = event_of(&text, 1);
    assert_false(matches(&v, (dt_audit_filter){.query = "authentication of device"}));
    assert_false(matches(&v, (dt_audit_filter){.user = "ali"}));
    assert_false(matches(&v, (dt_audit_filter){.user = "alice@"}));
    assert_false(matches(&v, (dt_audit_filter){.user = "alice@example.com2"}));
    assert_false(matches(&v, (dt_audit_filter){.user = "bob"}));
    assert_false(matches(&v, (dt_audit_filter){.application = "vp"}));
    assert_false(matches(&v, (dt_audit_filter){.application = "wifi"}));
    assert_false(matches(&v, (dt_audit_filter){.result = "SUCCESS"}));
    assert_false(matches(&v, (dt_audit_filter){.result = "FAIL"}));
    assert_false(matches(&v, (dt_audit_filter){.since = NOW + 6}));
    assert_false(matches(&v, (dt_audit_filter){.query = "vpn", .user = "bob"}));
    dt_audit_event_free(&v);
    dt_buf_free(&text);
}

#define GOOD                                                                                       \
    "{\"published\":\"2026-09-21T14:13:20.128Z\",\"displayMessage\":\"x\",\"outcome\":{"           \
    "\"result\":\"ALLOW\"}}"

static void refuses_what_is_no_event(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "x",
        "null",
        "[]",
        "{}",
        "\"Authentication of device\"",
        "[" GOOD "]",
        GOOD GOOD,
        GOOD "x",
        "{\"published\":\"2026-09-21T14:13:20.128Z\",\"displayMessage\":\"x\"}",
        "{\"published\":\"2026-09-21T14:13:20.128Z\",\"outcome\":{\"result\":\"ALLOW\"}}",
        "{\"displayMessage\":\"x\",\"outcome\":{\"result\":\"ALLOW\"}}",
        "{\"published\":\"yesterday\",\"displayMessage\":\"x\",\"outcome\":{\"result\":\"ALLOW\"}}",
        "{\"published\":1790000000,\"displayMessage\":\"x\",\"outcome\":{\"result\":\"ALLOW\"}}",
        "{\"published\":\"2026-09-21T14:13:20.128Z\",\"displayMessage\":\"x\",\"outcome\":"
        "\"ALLOW\"}",
        "{\"published\":\"2026-09-21T14:13:20.128Z\",\"displayMessage\":[\"x\"],"
        "\"outcome\":{\"result\":\"ALLOW\"}}",
        "{\"published\":\"2026-09-21T14:13:20.128Z\",\"displayMessage\":\"x\",\"outcome\":{"
        "\"result\":\"ALLOW\"},\"outcome\":{\"result\":\"DENY\"}}",
    };
    dt_audit_event v;
    assert_int_equal(dt_audit_event_read(dt_bytes_str(GOOD), &v, &g_error), 0);
    dt_audit_event_free(&v);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        g_error = (dt_error){0};
        if (dt_audit_event_read(dt_bytes_str(bad[i]), &v, &g_error) != DT_E_PARSE)
            fail_msg("taken for an event: %s", bad[i]);
        assert_true(g_error.text[0] != '\0');
        assert_null(v.root);
    }
}

/* Every code point of it may be shown. */
static void is_harmless(dt_buf const *b)
{
    uint32_t point;
    for (size_t i = 0; i < b->len;) {
        size_t const n = dt_utf8_decode(b->p + i, b->len - i, &point);
        assert_true(n > 0 && dt_utf8_is_shown(point));
        i += n;
    }
}

#define HOSTILE                                                                                    \
    "{\t\"published\" : \"2026-09-21T14:13:20.128Z\",\r\"displayMessage\":\"a\\u001b[31mb\xc2\x9b" \
    "c\x7f\xe2\x80\xae"                                                                            \
    "d\\nFORGED\",\"actor\":{\"alternateId\":\"x\\\" application=\\\"y\\r\"},"                     \
    "\"client\":{\"device\":\"\\u0007\"},\"outcome\":{\"result\":\"ALLOW\\u009b\",\"reason\":"     \
    "\"\xf3\xa0\x80\x81\\u202e\"}}"

static void hostile_text_stays_harmless(void **state)
{
    (void)state;
    dt_audit_event v, again;
    dt_buf out, json;
    dt_buf_init(&out, 65536);
    dt_buf_init(&json, 65536);
    assert_int_equal(dt_audit_event_read(dt_bytes_str(HOSTILE), &v, &g_error), 0);
    dt_audit_event_print(&v, &out);
    is_harmless(&out);
    assert_non_null(strstr((char *)out.p, "user=\"x\\\" application=\\\"y"));
    dt_audit_event_print_json(&v, &json);
    is_harmless(&json);
    /* It is still the same event. */
    assert_int_equal(dt_audit_event_read(dt_buf_bytes(&json), &again, &g_error), 0);
    assert_string_equal(again.message, v.message);
    assert_string_equal(again.login, v.login);
    assert_string_equal(again.reason, v.reason);
    assert_string_equal(again.result, v.result);
    dt_audit_event_free(&again);
    dt_audit_event_free(&v);
    dt_buf_free(&json);
    dt_buf_free(&out);
}

/* --- files ------------------------------------------------------------------------------------ */

static void tells_rotated_files(void **state)
{
    (void)state;
    static struct {
        char const *name;
        dt_rotation rotation;
        uint64_t order;
    } const names[] = {
        {"audit.log.1", DT_ROTATION_NUMBERED, 1},
        {"audit.log.12", DT_ROTATION_NUMBERED, 12},
        {"audit.log-20261123", DT_ROTATION_DATED, 2026112300000000000ULL},
        {"audit.log-20261123-1790000000", DT_ROTATION_DATED, 2026112301790000000ULL},
        {"audit.log.2.gz", DT_ROTATION_NUMBERED, 2},
        {"audit.log-20261123.gz", DT_ROTATION_DATED, 2026112300000000000ULL},
        {"audit.log.2.gz.bak", DT_ROTATION_NONE, 0},
        {"audit.log.3.bz2", DT_ROTATION_COMPRESSED, 3},
        {"audit.log-20261123.xz", DT_ROTATION_COMPRESSED, 2026112300000000000ULL},
        {"audit.log", DT_ROTATION_NONE, 0},
        {"audit.log.", DT_ROTATION_NONE, 0},
        {"audit.log.1x", DT_ROTATION_NONE, 0},
        {"audit.log.1.bak", DT_ROTATION_NONE, 0},
        {"audit.log.bak", DT_ROTATION_NONE, 0},
        {"audit.log~", DT_ROTATION_NONE, 0},
        {"audit.log-2026", DT_ROTATION_NONE, 0},
        {"audit.log-20261123-", DT_ROTATION_NONE, 0},
        {"audit.log.1234567890123456789", DT_ROTATION_NONE, 0},
        {"audit.lo", DT_ROTATION_NONE, 0},
        {"other.log.1", DT_ROTATION_NONE, 0},
        {"", DT_ROTATION_NONE, 0},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t order = 99;
        if (dt_rotation_of("audit.log", names[i].name, &order) != names[i].rotation)
            fail_msg("%s", names[i].name);
        if (names[i].rotation != DT_ROTATION_NONE)
            assert_int_equal(order, names[i].order);
    }
}

typedef struct seen {
    size_t count;
    size_t lengths[8];
    bool too_long[8];
    size_t stop_at;
} seen;

static int see_line(void *ctx, size_t number, dt_bytes line, bool too_long)
{
    seen *s = ctx;
    assert_true(s->count < 8);
    assert_int_equal(number, s->count + 1);
    s->lengths[s->count] = line.len;
    s->too_long[s->count++] = too_long;
    return s->count == s->stop_at ? 7 : 0;
}

static int lines_of(char const *text, size_t len, seen *s)
{
    char path[] = "/tmp/dt-test-log-XXXXXX";
    int const fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    s->count = 0;
    int const rc = dt_audit_lines(fd, see_line, s, &g_error);
    close(fd);
    return rc;
}

static void splits_lines(void **state)
{
    (void)state;
    seen s = {0};
    assert_int_equal(lines_of("", 0, &s), 0);
    assert_int_equal(s.count, 0);
    assert_int_equal(lines_of("ab\n\nc", 5, &s), 0);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.lengths[0], 2);
    assert_int_equal(s.lengths[1], 0);
    assert_int_equal(s.lengths[2], 1);
    s.stop_at = 2;
    assert_int_equal(lines_of("ab\n\nc", 5, &s), 7);
    assert_int_equal(s.count, 2);
    assert_int_equal(dt_audit_lines(-1, see_line, &s, &g_error), DT_E_IO);
}

static void bounds_a_line(void **state)
{
    (void)state;
    size_t const len = 5 * DT_AUDIT_LINE_MAX;
    char *text = malloc(len);
    seen s = {0};
    assert_non_null(text);
    memset(text, 'x', len);
    text[DT_AUDIT_LINE_MAX] = '\n';         /* as long as may be */
    text[2 * DT_AUDIT_LINE_MAX + 2] = '\n'; /* one byte longer */
    text[2 * DT_AUDIT_LINE_MAX + 4] = '\n'; /* the next is whole again */
    assert_int_equal(lines_of(text, len, &s), 0);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.lengths[0], DT_AUDIT_LINE_MAX);
    assert_false(s.too_long[0]);
    assert_true(s.too_long[1]);
    assert_int_equal(s.lengths[2], 1);
    assert_false(s.too_long[2]);
    assert_true(s.too_long[3]);
    free(text);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(reads_what_the_core_writes),
        cmocka_unit_test(reads_ocsf),
        cmocka_unit_test(prints_one_line),
        cmocka_unit_test(finds),
        cmocka_unit_test(passes_over_the_rest),
        cmocka_unit_test(refuses_what_is_no_event),
        cmocka_unit_test(hostile_text_stays_harmless),
        cmocka_unit_test(tells_rotated_files),
        cmocka_unit_test(splits_lines),
        cmocka_unit_test(bounds_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
