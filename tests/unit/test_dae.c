/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to a NAS (RFC 5176) and what comes back: who may answer, what a kind of NAS is sent, when it is sent again,
 * and which section [nas NAME] is for whom. The digests are made here anew, from the RFCs. */
#include "core/dae/dae.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECRET "a secret of 20 bytes"
#define LEN DT_RADIUS_LONGEST

static dt_bytes secret(void)
{
    return dt_bytes_str(SECRET);
}

static dt_nas_session whole(void)
{
    dt_nas_session s = {.source = "198.51.100.1",
                        .ip_address = "192.0.2.10",
                        .ipv6_address = "2001:db8::10",
                        .identifier = "ap-1",
                        .user_name = "Alice@example.com",
                        .session_id = "5A17-0001",
                        .multi_session_id = "M1",
                        .station = "02-00-5E-10-00-07",
                        .chargeable_id = "00ff",
                        .port = "4294967295",
                        .port_id = "eth0",
                        .framed_ip = "203.0.113.7"};
    return s;
}

/* --- a packet by the RFCs ---------------------------------------------------------------------- */

typedef struct packet {
    uint8_t p[LEN + 300];
    size_t len;
} packet;

static void md5(void const *p, size_t len, char const *key, uint8_t out[16])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(c, EVP_md5(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(c, p, len), 1);
    assert_int_equal(EVP_DigestUpdate(c, key, strlen(key)), 1);
    assert_int_equal(EVP_DigestFinal_ex(c, out, NULL), 1);
    EVP_MD_CTX_free(c);
}

static void hmac(void const *p, size_t len, char const *key, uint8_t out[16])
{
    size_t made = 0;
    assert_non_null(
        EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, key, strlen(key), p, len, out, 16, &made));
}

static void put(packet *k, uint8_t type, void const *value, size_t len)
{
    k->p[k->len] = type;
    k->p[k->len + 1] = (uint8_t)(len + 2);
    memcpy(k->p + k->len + 2, value, len);
    k->len += len + 2;
}

static void put_cause(packet *k, uint32_t cause)
{
    uint8_t const v[4] = {(uint8_t)(cause >> 24), (uint8_t)(cause >> 16), (uint8_t)(cause >> 8),
                          (uint8_t)cause};
    put(k, 101, v, 4);
}

static packet reply_begin(dt_buf const *request, uint8_t code)
{
    packet k = {.len = 20};
    k.p[0] = code;
    k.p[1] = request->p[1];
    memcpy(k.p + 4, request->p + 4, 16);
    return k;
}

static void set_length(packet *k)
{
    k->p[2] = (uint8_t)(k->len >> 8);
    k->p[3] = (uint8_t)k->len;
}

/* `mac`: a Message-Authenticator is added, last. */
static void sign(packet *k, char const *key, bool mac)
{
    static uint8_t const zeros[16];
    uint8_t sum[16];

    if (mac)
        put(k, 80, zeros, 16);
    set_length(k);
    if (mac) {
        hmac(k->p, k->len, key, sum);
        memcpy(k->p + k->len - 16, sum, 16);
    }
    md5(k->p, k->len, key, sum);
    memcpy(k->p + 4, sum, 16);
}

/* --- requests --------------------------------------------------------------------------------- */

static int make(dt_nas_kind kind, dt_nas_again again, dt_nas_session const *s, dt_buf *out,
                dt_error *e)
{
    dt_dae_question const q = {.kind = kind,
                               .again = again,
                               .identifier = 77,
                               .session = s,
                               .now = DT_SECONDS(1796083200) + 999};
    dt_buf_init(out, LEN);
    return dt_dae_make(&q, secret(), out, e);
}

static void request_of(dt_buf *out)
{
    dt_nas_session s = whole();
    assert_int_equal(make(DT_NAS_HOSTAPD, DT_NAS_AGAIN_BY_KIND, &s, out, NULL), DT_OK);
}

/* The types in their order, each as a character; vendors' with their text. */
static char *types_of(dt_buf const *b)
{
    static char text[600];
    size_t at = DT_RADIUS_HEAD_LEN, used = 0;
    dt_attribute a;

    text[0] = '\0';
    while (dt_attribute_next(dt_buf_bytes(b), &at, &a) > 0) {
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", used > 0 ? " " : "", a.type);
        if (a.type == 26)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "(%u/%u %.*s)",
                                     (unsigned)a.value.p[2] << 8 | a.value.p[3], a.value.p[4],
                                     a.value.p[5] - 2, (char const *)a.value.p + 6);
    }
    return text;
}

static dt_bytes value_of(dt_buf const *b, uint8_t type)
{
    size_t at = DT_RADIUS_HEAD_LEN;
    dt_attribute a;

    while (dt_attribute_next(dt_buf_bytes(b), &at, &a) > 0) {
        if (a.type == type)
            return a.value;
    }
    fail_msg("no attribute %u", type);
    return dt_bytes_of(NULL, 0);
}

static void each_kind_gets_what_it_takes(void **state)
{
    static struct {
        dt_nas_kind kind;
        dt_nas_again again;
        uint8_t code;
        char const *with, *without; /* Acct-Session-Id; NULL: refused */
    } const rows[] = {
        {DT_NAS_GENERIC, DT_NAS_AGAIN_BY_KIND, 40, "80 1 4 95 44 55", "80 1 4 95 31 89 55"},
        {DT_NAS_HOSTAPD, DT_NAS_AGAIN_BY_KIND, 40, "80 4 95 32 44 31 55", "80 1 4 95 32 50 31 55"},
        {DT_NAS_STRONGSWAN, DT_NAS_AGAIN_BY_KIND, 40, "80 1", "80 1"},
        {DT_NAS_CISCO, DT_NAS_AGAIN_BY_KIND, 43,
         "80 44 55 26(9/1 subscriber:command=reauthenticate)",
         "80 31 55 26(9/1 subscriber:command=reauthenticate)"},
        {DT_NAS_CISCO, DT_NAS_AGAIN_DISCONNECT, 40, "80 44 55", "80 31 55"},
        {DT_NAS_CISCO, DT_NAS_AGAIN_CISCO_BOUNCE, 43,
         "80 44 55 26(9/1 subscriber:command=bounce-host-port)",
         "80 31 55 26(9/1 subscriber:command=bounce-host-port)"},
        {DT_NAS_MERAKI, DT_NAS_AGAIN_BY_KIND, 43,
         "80 44 31 55 26(9/1 subscriber:command=reauthenticate)",
         "80 31 55 26(9/1 subscriber:command=reauthenticate)"},
        {DT_NAS_ARUBA, DT_NAS_AGAIN_BY_KIND, 40, "80 1 44 31 55", "80 1 31 8 55"},
        {DT_NAS_ARUBA_CX, DT_NAS_AGAIN_BY_KIND, 40, "80 1 4 95 32 44 55", "80 1 4 95 32 31 87 55"},
        {DT_NAS_FORTINET, DT_NAS_AGAIN_BY_KIND, 43, "80 1 44 31 55 26(12356/42 action=reauth-port)",
         "80 1 31 55 26(12356/42 action=reauth-port)"},
    };
    bool seen[DT_NAS_KIND_COUNT] = {false};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_nas_session s = whole();
        dt_buf b;

        seen[rows[i].kind] = true;
        assert_int_equal(make(rows[i].kind, rows[i].again, &s, &b, NULL), DT_OK);
        assert_int_equal(b.p[0], rows[i].code);
        assert_string_equal(types_of(&b), rows[i].with);
        dt_buf_free(&b);
        s.session_id[0] = '\0';
        assert_int_equal(make(rows[i].kind, rows[i].again, &s, &b, NULL), DT_OK);
        assert_string_equal(types_of(&b), rows[i].without);
        dt_buf_free(&b);
    }
    for (size_t i = 0; i < DT_NAS_KIND_COUNT; i++)
        assert_true(seen[i]);
}

/* A NAS that would find no session, or everybody's, is not asked. */
static void nothing_is_sent_without_a_name(void **state)
{
    (void)state;
    for (int kind = 0; kind < DT_NAS_KIND_COUNT; kind++) {
        dt_nas_session s = whole();
        dt_error e = {0};
        dt_buf b;

        if (kind == DT_NAS_STRONGSWAN)
            s.user_name[0] = '\0';
        else
            s.session_id[0] = s.station[0] = s.chargeable_id[0] = s.framed_ip[0] = '\0';
        assert_int_equal(make((dt_nas_kind)kind, DT_NAS_AGAIN_BY_KIND, &s, &b, &e), DT_E_INVALID);
        assert_int_equal(b.len, 0);
        assert_non_null(strstr(e.text, dt_nas_rules_of((dt_nas_kind)kind)->name));
        dt_buf_free(&b);
    }
}

static void values_arrive_as_they_were(void **state)
{
    dt_nas_session s = whole();
    dt_buf b;
    uint8_t const chargeable[] = {0x00, 0xff}, v4[] = {192, 0, 2, 10};

    (void)state;
    s.session_id[0] = '\0';
    assert_int_equal(make(DT_NAS_GENERIC, DT_NAS_AGAIN_BY_KIND, &s, &b, NULL), DT_OK);
    assert_int_equal(b.p[1], 77);
    assert_int_equal(b.p[2] << 8 | b.p[3], b.len);
    assert_true(dt_bytes_equal(value_of(&b, 1), dt_bytes_str("Alice@example.com")));
    assert_true(dt_bytes_equal(value_of(&b, 4), dt_bytes_of(v4, 4)));
    assert_int_equal(value_of(&b, 95).len, 16);
    assert_true(dt_bytes_equal(value_of(&b, 31), dt_bytes_str("02-00-5E-10-00-07")));
    assert_true(dt_bytes_equal(value_of(&b, 89), dt_bytes_of(chargeable, 2)));
    dt_bytes stamp = value_of(&b, 55);
    assert_int_equal(stamp.len, 4);
    assert_int_equal((uint32_t)stamp.p[0] << 24 | (uint32_t)stamp.p[1] << 16 |
                         (uint32_t)stamp.p[2] << 8 | stamp.p[3],
                     1796083200u);
    dt_buf_free(&b);
}

/* RFC 5176 section 2.3, RFC 3579 section 3.2: the Message-Authenticator is the first attribute, made with an
 * authenticator of zeros; the authenticator is made of it all with itself as zeros. */
static void requests_are_signed(void **state)
{
    uint8_t copy[LEN], mac[16], sum[16];
    dt_buf b;

    (void)state;
    request_of(&b);
    assert_int_equal(b.p[20], 80);
    assert_int_equal(b.p[21], 18);
    memcpy(copy, b.p, b.len);
    memset(copy + 4, 0, 16);
    md5(copy, b.len, SECRET, sum);
    assert_memory_equal(sum, b.p + 4, 16);
    memset(copy + 22, 0, 16);
    hmac(copy, b.len, SECRET, mac);
    assert_memory_equal(mac, b.p + 22, 16);
    dt_buf_free(&b);
}

static void values_that_are_none_are_refused(void **state)
{
    static struct {
        dt_nas_kind kind;
        size_t offset;
        char const *value, *name;
    } const rows[] = {
        {DT_NAS_GENERIC, offsetof(dt_nas_session, ip_address), "192.0.2.300", "NAS-IP-Address"},
        {DT_NAS_GENERIC, offsetof(dt_nas_session, ip_address), "2001:db8::1", "NAS-IP-Address"},
        {DT_NAS_GENERIC, offsetof(dt_nas_session, ipv6_address), "192.0.2.1", "NAS-IPv6-Address"},
        {DT_NAS_GENERIC, offsetof(dt_nas_session, chargeable_id), "0", "Chargeable-User-Identity"},
        {DT_NAS_GENERIC, offsetof(dt_nas_session, chargeable_id), "0g", "Chargeable-User-Identity"},
        {DT_NAS_ARUBA, offsetof(dt_nas_session, framed_ip), "x", "Framed-IP-Address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_nas_session s = whole();
        dt_error e = {0};
        dt_buf b;

        s.session_id[0] = '\0';
        strcpy((char *)&s + rows[i].offset, rows[i].value);
        assert_int_equal(make(rows[i].kind, DT_NAS_AGAIN_BY_KIND, &s, &b, &e), DT_E_INVALID);
        assert_non_null(strstr(e.text, rows[i].name));
        dt_buf_free(&b);
    }
}

static void long_values_fit(void **state)
{
    dt_nas_session s = whole();
    dt_buf b;

    (void)state;
    memset(s.user_name, 'u', 253);
    memset(s.session_id, 's', 253);
    memset(s.identifier, 'i', 253);
    assert_int_equal(make(DT_NAS_ARUBA_CX, DT_NAS_AGAIN_BY_KIND, &s, &b, NULL), DT_OK);
    assert_int_equal(value_of(&b, 1).len, 253);
    dt_packet_put(&b, 18, dt_bytes_of(s.source, 254));
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    dt_buf_free(&b);
}

/* --- replies ---------------------------------------------------------------------------------- */

static int read_reply(packet const *k, dt_buf const *request, dt_dae_reply *out)
{
    memset(out, 0xff, sizeof(*out));
    return dt_dae_read(dt_bytes_of(k->p, k->len), dt_buf_bytes(request), secret(), out);
}

static void expect_none(packet const *k, dt_buf const *request, int error)
{
    dt_dae_reply r;

    assert_int_equal(read_reply(k, request, &r), error);
    assert_false(r.ack);
    assert_int_equal(r.error_cause, 0);
}

static void replies_are_read(void **state)
{
    dt_buf b;

    (void)state;
    request_of(&b);
    for (int mac = 0; mac <= 1; mac++) {
        dt_dae_reply r;
        packet ack = reply_begin(&b, 41), nak = reply_begin(&b, 42), bare = reply_begin(&b, 42);

        sign(&ack, SECRET, mac);
        put(&nak, 18, "no", 2);
        put_cause(&nak, 503);
        sign(&nak, SECRET, mac);
        sign(&bare, SECRET, mac);
        assert_int_equal(read_reply(&ack, &b, &r), DT_OK);
        assert_true(r.ack);
        assert_int_equal(r.error_cause, 0);
        assert_int_equal(read_reply(&nak, &b, &r), DT_OK);
        assert_false(r.ack);
        assert_int_equal(r.error_cause, 503);
        assert_int_equal(read_reply(&bare, &b, &r), DT_OK);
        assert_false(r.ack);
        assert_int_equal(r.error_cause, 0);
        ack.len += 7; /* padding */
        assert_int_equal(read_reply(&ack, &b, &r), DT_OK);
    }
    dt_buf_free(&b);
}

/* Every length but the whole, and every bit. */
static void a_reply_counts_whole_or_not(void **state)
{
    dt_buf b;
    packet k;

    (void)state;
    request_of(&b);
    k = reply_begin(&b, 41);
    put_cause(&k, 201);
    sign(&k, SECRET, true);
    for (size_t len = 0; len < k.len; len++) {
        packet cut = k;

        cut.len = len;
        expect_none(&cut, &b, DT_E_PARSE);
    }
    for (size_t bit = 0; bit < k.len * 8; bit++) {
        packet wrong = k;
        dt_dae_reply r;

        wrong.p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_true(read_reply(&wrong, &b, &r) < 0);
        assert_false(r.ack);
    }
    dt_buf_free(&b);
}

static void others_are_not_heard(void **state)
{
    static uint8_t const codes[] = {1, 2, 3, 11, 40, 43, 44, 45, 0, 255};
    dt_buf b, other;
    packet k, before;
    dt_nas_session s = whole();

    (void)state;
    request_of(&b);
    k = reply_begin(&b, 41);
    sign(&k, "another secret here!", true);
    expect_none(&k, &b, DT_E_CRYPTO);
    k = reply_begin(&b, 41);
    sign(&k, SECRET, false);
    put(&k, 80, "0123456789abcdef", 16); /* a wrong one under a right authenticator */
    k.p[3] = (uint8_t)k.len;
    memcpy(k.p + 4, b.p + 4, 16);
    sign(&k, SECRET, false);
    expect_none(&k, &b, DT_E_CRYPTO);
    k = reply_begin(&b, 41);
    k.p[1]++;
    sign(&k, SECRET, true);
    expect_none(&k, &b, DT_E_STATE);
    for (size_t i = 0; i < sizeof(codes); i++) {
        k = reply_begin(&b, codes[i]);
        sign(&k, SECRET, true);
        expect_none(&k, &b, DT_E_PARSE);
    }
    /* A reply to an earlier request with the same identifier. */
    strcpy(s.session_id, "another");
    assert_int_equal(make(DT_NAS_HOSTAPD, DT_NAS_AGAIN_BY_KIND, &s, &other, NULL), DT_OK);
    before = reply_begin(&other, 41);
    sign(&before, SECRET, true);
    expect_none(&before, &b, DT_E_CRYPTO);
    dt_buf_free(&other);
    dt_buf_free(&b);
}

static void attributes_must_be_whole(void **state)
{
    static struct {
        uint8_t bytes[16];
        size_t len;
    } const rows[] = {
        {{101, 5, 0, 0, 1}, 5},                               /* not four bytes */
        {{101, 6, 0, 0, 1, 0xf7, 101, 6, 0, 0, 1, 0xf7}, 12}, /* twice */
        {{18, 1}, 2},                                         /* shorter than its head */
        {{18, 0}, 2},
        {{18, 4, 'x'}, 3}, /* longer than the packet */
        {{18}, 1},
        {{80, 4, 0, 0}, 4},
    };
    dt_buf b;

    (void)state;
    request_of(&b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        packet k = reply_begin(&b, 41);

        memcpy(k.p + k.len, rows[i].bytes, rows[i].len);
        k.len += rows[i].len;
        sign(&k, SECRET, false);
        expect_none(&k, &b, DT_E_PARSE);
    }
    dt_buf_free(&b);
}

static void a_request_for_coa_takes_its_replies(void **state)
{
    dt_nas_session s = whole();
    dt_dae_reply r;
    packet k;
    dt_buf b;

    (void)state;
    assert_int_equal(make(DT_NAS_CISCO, DT_NAS_AGAIN_BY_KIND, &s, &b, NULL), DT_OK);
    k = reply_begin(&b, 44);
    sign(&k, SECRET, true);
    assert_int_equal(read_reply(&k, &b, &r), DT_OK);
    assert_true(r.ack);
    k = reply_begin(&b, 41);
    sign(&k, SECRET, true);
    expect_none(&k, &b, DT_E_PARSE);
    dt_buf_free(&b);
}

static void causes_have_words(void **state)
{
    static unsigned const named[] = {201, 202, 401, 402, 403, 404, 405, 406, 407,
                                     501, 502, 503, 504, 505, 506, 507, 508, 0};
    char const *unknown = dt_dae_cause_text(999);

    (void)state;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        assert_string_not_equal(dt_dae_cause_text(named[i]), unknown);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(dt_dae_cause_text(named[i]), dt_dae_cause_text(named[k]));
    }
}

/* --- when it is sent again ---------------------------------------------------------------------- */

static void it_is_sent_five_times_in_thirty_seconds(void **state)
{
    static dt_time const at[] = {0, 2000, 6000, 14000};
    dt_dae_schedule s = {0};
    bool last = false;
    dt_time now = DT_DAYS(3);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_false(last);
        assert_int_equal(now - DT_DAYS(3), at[i]);
        now = dt_dae_schedule_sent(&s, now, 0, &last);
    }
    assert_true(last);
    assert_int_equal(now - DT_DAYS(3), 30000);
}

static void it_ends_whatever_the_jitter(void **state)
{
    (void)state;
    for (int jitter = -DT_DAE_JITTER; jitter <= DT_DAE_JITTER; jitter += DT_DAE_JITTER) {
        dt_dae_schedule s = {0};
        dt_time now = 0, before = 0;
        bool last = false;

        for (int i = 0; !last; i++) {
            assert_true(i < DT_DAE_MRC);
            before = now;
            now = dt_dae_schedule_sent(&s, now, jitter, &last);
            assert_true(now > before);
            assert_true(now - before <= DT_DAE_MRT + DT_DAE_MRT / 10);
        }
        assert_true(now <= DT_DAE_MRD);
        assert_true(s.sent <= DT_DAE_MRC);
    }
}

/* --- which section ----------------------------------------------------------------------------- */

#define TABLE_MAX 8
typedef struct world {
    dt_config config;
    dt_config_nas nas[TABLE_MAX];
    dt_nas_table *table;
} world;

static world *world_of(dt_config_nas const *nas, size_t count)
{
    world *w = calloc(1, sizeof(*w));
    dt_error e = {0};

    assert_non_null(w);
    for (size_t i = 0; i < count; i++) {
        w->nas[i] = nas[i];
        w->config.nases[i] = &w->nas[i];
    }
    w->config.nas_count = count;
    if (dt_nas_table_new(&w->config, &w->table, &e) != DT_OK)
        fail_msg("%s", e.text);
    return w;
}

static void world_free(world **w)
{
    dt_nas_table_free(&(*w)->table);
    free(*w);
    *w = NULL;
}

static void sections_are_found(void **state)
{
    static dt_config_nas const nas[] = {
        {.name = "one",
         .address = (char *)"192.0.2.10",
         .identifier = (char *)"",
         .send_to = (char *)""},
        {.name = "net",
         .address = (char *)"198.51.100.0/24, 2001:db8:1::/64",
         .identifier = (char *)"",
         .send_to = (char *)""},
        {.name = "named",
         .address = (char *)"",
         .identifier = (char *)"AP-7",
         .send_to = (char *)"203.0.113.9"},
        {.name = "both",
         .address = (char *)"203.0.113.0/24",
         .identifier = (char *)"gw",
         .send_to = (char *)""},
    };
    static struct {
        char const *ip, *ip6, *source, *identifier, *name, *target;
    } const rows[] = {
        {"192.0.2.10", "", "192.0.2.10", "x", "one", "192.0.2.10"},
        {"198.51.100.77", "", "10.0.0.1", "", "net", "198.51.100.77"},
        {"", "2001:db8:1::5", "", "", "net", "2001:db8:1::5"},
        {"10.0.0.1", "", "198.51.100.3", "", "net",
         "198.51.100.3"}, /* by where its packets come from */
        {"192.0.2.10", "", "198.51.100.3", "", "one",
         "192.0.2.10"}, /* what it says of itself first */
        {"10.9.9.9", "", "10.9.9.9", "AP-7", "named", "203.0.113.9"},
        {"203.0.113.1", "", "203.0.113.1", "gw", "both", "203.0.113.1"},
        {"203.0.113.1", "", "203.0.113.1", "other", NULL, NULL},
        {"203.0.113.1", "", "203.0.113.1", "", NULL, NULL},
        {"192.0.2.11", "", "192.0.2.11", "", NULL, NULL},
        {"", "", "", "", NULL, NULL},
        {"0.0.0.0", "", "", "AP-7", NULL, NULL},
        {"255.255.255.255", "", "", "AP-7", NULL, NULL},
        {"rubbish", "", "", "AP-7", NULL, NULL},
    };
    world *w = world_of(nas, 4);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_nas_session s = {0};
        dt_ip target = {.set = false};
        char text[DT_IP_PLAIN_MAX];
        dt_nas const *found;

        strcpy(s.ip_address, rows[i].ip);
        strcpy(s.ipv6_address, rows[i].ip6);
        strcpy(s.source, rows[i].source);
        strcpy(s.identifier, rows[i].identifier);
        found = dt_nas_table_find(w->table, &s, &target);
        if (rows[i].name == NULL) {
            if (found != NULL)
                fail_msg("row %zu: %s", i, found->config->name);
            continue;
        }
        if (found == NULL)
            fail_msg("row %zu", i);
        assert_string_equal(found->config->name, rows[i].name);
        dt_ip_text(&target, text);
        assert_string_equal(text, rows[i].target);
    }
    assert_null(dt_nas_table_find(NULL, &(dt_nas_session){0}, &(dt_ip){.set = false}));
    world_free(&w);
}

/* A section without both is refused when it is read; here it is for nobody. */
static void a_section_for_nobody(void **state)
{
    static dt_config_nas const nas[] = {{.name = "none",
                                         .address = (char *)"",
                                         .identifier = (char *)"",
                                         .send_to = (char *)"203.0.113.9"}};
    world *w = world_of(nas, 1);
    dt_nas_session s = whole();
    dt_ip target;

    (void)state;
    assert_null(dt_nas_table_find(w->table, &s, &target));
    world_free(&w);
}

static void kinds_have_rules(void **state)
{
    (void)state;
    for (int i = 0; i < DT_NAS_KIND_COUNT; i++) {
        dt_nas_rules const *r = dt_nas_rules_of((dt_nas_kind)i);
        dt_config_nas c = {.kind = (dt_nas_kind)i};

        assert_true(r->any_of != 0);
        assert_int_equal(r->any_of & ~(r->sends | r->otherwise), 0);
        assert_true(r->port > 0);
        assert_true(dt_nas_again_of(&c) != DT_NAS_AGAIN_BY_KIND);
        c.reauthenticate = DT_NAS_AGAIN_DISCONNECT;
        assert_int_equal(dt_nas_again_of(&c), DT_NAS_AGAIN_DISCONNECT);
    }
    assert_ptr_equal(dt_nas_rules_of((dt_nas_kind)99), dt_nas_rules_of(DT_NAS_GENERIC));
    assert_int_equal(dt_nas_rules_of(DT_NAS_CISCO)->port, 1700);
    assert_true(dt_nas_rules_of(DT_NAS_STRONGSWAN)->ends_all);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(each_kind_gets_what_it_takes),
        cmocka_unit_test(nothing_is_sent_without_a_name),
        cmocka_unit_test(values_arrive_as_they_were),
        cmocka_unit_test(requests_are_signed),
        cmocka_unit_test(values_that_are_none_are_refused),
        cmocka_unit_test(long_values_fit),
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(a_reply_counts_whole_or_not),
        cmocka_unit_test(others_are_not_heard),
        cmocka_unit_test(attributes_must_be_whole),
        cmocka_unit_test(a_request_for_coa_takes_its_replies),
        cmocka_unit_test(causes_have_words),
        cmocka_unit_test(it_is_sent_five_times_in_thirty_seconds),
        cmocka_unit_test(it_ends_whatever_the_jitter),
        cmocka_unit_test(sections_are_found),
        cmocka_unit_test(a_section_for_nobody),
        cmocka_unit_test(kinds_have_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
