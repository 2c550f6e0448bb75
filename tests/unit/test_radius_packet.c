/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets of the hop to the waiting room: what is read from a socket, and what goes back. */
#include "rlm_devtrust/radius_packet.h"

#include <openssl/evp.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECRET "a shared secret"
#define MAC_LEN 16

static uint8_t const ticket[DT_RADIUS_TICKET_LEN] = "0123456789abcde";

static dt_bytes secret(void)
{
    return dt_bytes_str(SECRET);
}

/* A packet under construction. */
typedef struct packet {
    uint8_t p[DT_RADIUS_PACKET_MAX + 300];
    size_t len;
    size_t mac_at;
} packet;

static void start(packet *k, uint8_t code)
{
    memset(k, 0, sizeof(*k));
    k->p[0] = code;
    k->p[1] = 77;
    memset(k->p + 4, 0xa5, DT_RADIUS_AUTHENTICATOR_LEN);
    k->len = DT_RADIUS_HEADER_LEN;
}

static void put(packet *k, uint8_t type, void const *value, size_t len)
{
    k->p[k->len] = type;
    k->p[k->len + 1] = (uint8_t)(len + 2);
    memcpy(k->p + k->len + 2, value, len);
    if (type == 80)
        k->mac_at = k->len + 2;
    k->len += len + 2;
}

static void put_mac(packet *k)
{
    static uint8_t const zeros[MAC_LEN];
    put(k, 80, zeros, sizeof(zeros));
}

static void hmac(void const *p, size_t len, uint8_t out[MAC_LEN])
{
    size_t made = 0;
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, SECRET, strlen(SECRET), p, len, out,
                              MAC_LEN, &made));
    assert_int_equal(made, MAC_LEN);
}

static dt_bytes finish(packet *k)
{
    k->p[2] = (uint8_t)(k->len >> 8);
    k->p[3] = (uint8_t)k->len;
    if (k->mac_at != 0)
        hmac(k->p, k->len, k->p + k->mac_at);
    return dt_bytes_of(k->p, k->len);
}

static dt_bytes usual(packet *k)
{
    start(k, DT_RADIUS_ACCESS_REQUEST);
    put(k, 33, "12", 2);
    put(k, 24, ticket, sizeof(ticket));
    put_mac(k);
    put(k, 33, "other", 5);
    return finish(k);
}

static int read_it(dt_bytes b)
{
    dt_radius_query q;
    return dt_radius_read(b, secret(), &q);
}

static void test_reads_a_request(void **state)
{
    (void)state;
    packet k;
    dt_radius_query q;
    assert_int_equal(dt_radius_read(usual(&k), secret(), &q), 0);
    assert_int_equal(q.id, 77);
    assert_memory_equal(q.ticket, ticket, sizeof(ticket));
    assert_memory_equal(q.authenticator, k.p + 4, DT_RADIUS_AUTHENTICATOR_LEN);
    assert_int_equal(q.echo_len, 4 + 7);
    assert_memory_equal(q.echo,
                        "\x21\x04"
                        "12\x21\x07other",
                        q.echo_len);
}

static void test_refuses_another_secret(void **state)
{
    (void)state;
    packet k;
    dt_radius_query q;
    dt_bytes b = usual(&k);
    assert_int_equal(dt_radius_read(b, dt_bytes_str("another"), &q), DT_E_CRYPTO);
    assert_int_equal(dt_radius_read(b, dt_bytes_of(NULL, 0), &q), DT_E_CRYPTO);
}

static void test_refuses_every_change(void **state)
{
    (void)state;
    packet k;
    for (size_t i = 0; i < 20 + 4 + 18 + 18 + 7; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            dt_bytes b = usual(&k);
            k.p[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(read_it(b), 0);
        }
    }
}

static void test_refuses_every_cut_and_extension(void **state)
{
    (void)state;
    packet k;
    dt_bytes b = usual(&k);
    for (size_t len = 0; len < b.len; len++)
        assert_int_not_equal(read_it(dt_bytes_of(b.p, len)), 0);
    assert_int_not_equal(read_it(dt_bytes_of(b.p, b.len + 1)), 0);
}

static void test_refuses_other_codes(void **state)
{
    (void)state;
    packet k;
    for (unsigned code = 0; code < 256; code++) {
        start(&k, (uint8_t)code);
        put(&k, 24, ticket, sizeof(ticket));
        put_mac(&k);
        int rc = read_it(finish(&k));
        assert_int_equal(rc, code == DT_RADIUS_ACCESS_REQUEST ? 0 : DT_E_PARSE);
    }
}

static void test_demands_one_message_authenticator(void **state)
{
    (void)state;
    packet k;
    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put(&k, 24, ticket, sizeof(ticket));
    assert_int_equal(read_it(finish(&k)), DT_E_PARSE);

    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put(&k, 24, ticket, sizeof(ticket));
    put_mac(&k);
    put_mac(&k);
    assert_int_equal(read_it(finish(&k)), DT_E_PARSE);

    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put(&k, 24, ticket, sizeof(ticket));
    put(&k, 80, "short", 5);
    k.mac_at = 0;
    assert_int_equal(read_it(finish(&k)), DT_E_PARSE);
}

static void test_demands_one_ticket(void **state)
{
    (void)state;
    packet k;
    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put_mac(&k);
    assert_int_equal(read_it(finish(&k)), DT_E_PARSE);

    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put_mac(&k);
    put(&k, 24, ticket, sizeof(ticket));
    put(&k, 24, ticket, sizeof(ticket));
    assert_int_equal(read_it(finish(&k)), DT_E_PARSE);

    for (size_t len = 0; len < 32; len++) {
        uint8_t other[32] = {0};
        start(&k, DT_RADIUS_ACCESS_REQUEST);
        put_mac(&k);
        put(&k, 24, other, len);
        assert_int_equal(read_it(finish(&k)), len == DT_RADIUS_TICKET_LEN ? 0 : DT_E_PARSE);
    }
}

/* Whoever knows the secret is not believed about lengths either. */
static void test_lengths_that_lie(void **state)
{
    (void)state;
    packet k;
    for (unsigned more = 1; more < 200; more += 13) {
        start(&k, DT_RADIUS_ACCESS_REQUEST);
        put(&k, 24, ticket, sizeof(ticket));
        put_mac(&k);
        size_t last = k.len;
        put(&k, 33, "12", 2);
        k.p[last + 1] = (uint8_t)(k.p[last + 1] + more);
        assert_int_equal(read_it(finish(&k)), DT_E_PARSE);
    }
    for (int off = -3; off <= 3; off++) {
        start(&k, DT_RADIUS_ACCESS_REQUEST);
        put(&k, 24, ticket, sizeof(ticket));
        put_mac(&k);
        put(&k, 33, "12345678", 8);
        k.p[3] = (uint8_t)((int)k.len + off);
        hmac(k.p, k.len, k.p + k.mac_at);
        assert_int_equal(read_it(dt_bytes_of(k.p, k.len)), off == 0 ? 0 : DT_E_PARSE);
    }
}

static void test_bounds_what_is_echoed(void **state)
{
    (void)state;
    packet k;
    uint8_t value[253] = {0};
    start(&k, DT_RADIUS_ACCESS_REQUEST);
    put_mac(&k);
    put(&k, 24, ticket, sizeof(ticket));
    put(&k, 33, value, 253);
    put(&k, 33, value, 253);
    assert_int_equal(read_it(finish(&k)), 0);
    put(&k, 33, value, 1);
    assert_int_equal(read_it(finish(&k)), DT_E_LIMIT);
}

static void test_refuses_broken_attributes(void **state)
{
    (void)state;
    packet k;
    for (unsigned len = 0; len < 256; len++) {
        dt_bytes b = usual(&k);
        k.p[21] = (uint8_t)len; /* of the first attribute; right is 4 */
        hmac(k.p, k.len, k.p + k.mac_at);
        if (len != 4)
            assert_int_not_equal(read_it(b), 0);
    }
}

static void test_frames(void **state)
{
    (void)state;
    size_t length = 0;
    uint8_t head[4] = {1, 2, 0, 0};
    for (size_t len = 0; len < 4; len++)
        assert_int_equal(dt_radius_frame(dt_bytes_of(head, len), &length), DT_E_STATE);
    for (unsigned want = 0; want < 65536; want++) {
        head[2] = (uint8_t)(want >> 8);
        head[3] = (uint8_t)want;
        bool fits = want >= DT_RADIUS_HEADER_LEN && want <= DT_RADIUS_PACKET_MAX;
        assert_int_equal(dt_radius_frame(dt_bytes_of(head, 4), &length), fits ? 0 : DT_E_PARSE);
        if (fits)
            assert_int_equal(length, want);
    }
}

/* Checks both signatures of an answer; its authenticator is overwritten by the request's. */
static void check_answer(dt_buf *b, dt_radius_query const *q)
{
    uint8_t sum[MAC_LEN], claimed[MAC_LEN], mac[MAC_LEN];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    memcpy(claimed, b->p + 4, sizeof(claimed));
    memcpy(b->p + 4, q->authenticator, sizeof(q->authenticator));
    assert_int_equal(EVP_DigestInit_ex(md, EVP_md5(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(md, b->p, b->len), 1);
    assert_int_equal(EVP_DigestUpdate(md, SECRET, strlen(SECRET)), 1);
    assert_int_equal(EVP_DigestFinal_ex(md, sum, NULL), 1);
    EVP_MD_CTX_free(md);
    assert_memory_equal(sum, claimed, sizeof(sum));
    assert_int_equal(b->p[20], 80);
    memcpy(mac, b->p + 22, sizeof(mac));
    memset(b->p + 22, 0, sizeof(mac));
    hmac(b->p, b->len, sum);
    assert_memory_equal(sum, mac, sizeof(mac));
}

static dt_radius_query asked(void)
{
    packet k;
    dt_radius_query q;
    assert_int_equal(dt_radius_read(usual(&k), secret(), &q), 0);
    return q;
}

static void test_answers(void **state)
{
    (void)state;
    dt_radius_query q = asked();
    dt_buf b;
    dt_buf_init(&b, DT_RADIUS_PACKET_MAX);
    assert_int_equal(dt_radius_write(&q, secret(), DT_RADIUS_ACCESS_CHALLENGE,
                                     "Passcode: ", dt_bytes_str("state!"), &b),
                     0);
    assert_int_equal(b.p[0], DT_RADIUS_ACCESS_CHALLENGE);
    assert_int_equal(b.p[1], 77);
    assert_int_equal(b.p[2] << 8 | b.p[3], b.len);
    check_answer(&b, &q);
    assert_int_equal(b.len, 20 + 18 + q.echo_len + 12 + 8);
    assert_memory_equal(b.p + 38, q.echo, q.echo_len);
    assert_memory_equal(b.p + 38 + q.echo_len,
                        "\x12\x0c"
                        "Passcode: \x18\x08"
                        "state!",
                        20);
    dt_buf_free(&b);
}

/* All Reply-Messages of an answer put together; each of them is whole UTF-8. */
static void collect(dt_buf const *b, char *out)
{
    for (size_t at = DT_RADIUS_HEADER_LEN; at < b->len; at += b->p[at + 1]) {
        if (b->p[at] != 18)
            continue;
        size_t len = b->p[at + 1] - 2u;
        assert_true(len > 0 && len <= DT_RADIUS_VALUE_MAX);
        assert_false((b->p[at + 2] & 0xc0) == 0x80);
        memcpy(out, b->p + at + 2, len);
        out += len;
    }
    *out = '\0';
}

static void test_long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    dt_radius_query q = asked();
    static char const *const letters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    char text[1024], again[DT_RADIUS_PACKET_MAX];
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        for (size_t pad = 0; pad < 5; pad++) {
            memset(text, 'x', pad);
            text[pad] = '\0';
            while (strlen(text) + strlen(letters[i]) < 900)
                strcat(text, letters[i]);
            dt_buf b;
            dt_buf_init(&b, DT_RADIUS_PACKET_MAX);
            assert_int_equal(dt_radius_write(&q, secret(), DT_RADIUS_ACCESS_REJECT, text,
                                             dt_bytes_of(NULL, 0), &b),
                             0);
            collect(&b, again);
            assert_string_equal(again, text);
            dt_buf_free(&b);
        }
    }
}

/* A word, and so a link, is whole unless it is longer than an attribute. */
static void test_long_messages_are_cut_between_words(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof(text));
    assert_int_equal(dt_radius_message_part(text, 253), 253);
    assert_int_equal(dt_radius_message_part(text, 254), 253);
    text[200] = ' ';
    assert_int_equal(dt_radius_message_part(text, 253), 253);
    assert_int_equal(dt_radius_message_part(text, 254), 201);
    text[252] = '\n';
    assert_int_equal(dt_radius_message_part(text, 254), 253);
    text[252] = 'x';
    text[253] = ' '; /* the blank that does not fit: the last one that does */
    assert_int_equal(dt_radius_message_part(text, 600), 201);
    text[200] = 'x';
    text[20] = ' '; /* one word, and then a very long one */
    assert_int_equal(dt_radius_message_part(text, 600), 253);
    memcpy(text + 251, "\xe2\x82\xac", 3);
    assert_int_equal(dt_radius_message_part(text, 600), 251);
    assert_int_equal(dt_radius_message_part("", 0), 0);
}

static void test_what_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    dt_radius_query q = asked();
    char text[2 * DT_RADIUS_PACKET_MAX];
    uint8_t big[DT_RADIUS_VALUE_MAX + 1] = {0};
    dt_buf b;
    dt_buf_init(&b, 2 * DT_RADIUS_PACKET_MAX);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(
        dt_radius_write(&q, secret(), DT_RADIUS_ACCESS_REJECT, text, dt_bytes_of(NULL, 0), &b),
        DT_E_LIMIT);
    assert_int_equal(dt_radius_write(&q, secret(), DT_RADIUS_ACCESS_CHALLENGE, "",
                                     dt_bytes_of(big, sizeof(big)), &b),
                     DT_E_LIMIT);
    assert_int_equal(b.len, 0);
    assert_int_equal(dt_radius_write(&q, secret(), DT_RADIUS_ACCESS_CHALLENGE, "",
                                     dt_bytes_of(big, sizeof(big) - 1), &b),
                     0);
    check_answer(&b, &q);
    dt_buf_free(&b);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_reads_a_request),
        cmocka_unit_test(test_refuses_another_secret),
        cmocka_unit_test(test_refuses_every_change),
        cmocka_unit_test(test_refuses_every_cut_and_extension),
        cmocka_unit_test(test_refuses_other_codes),
        cmocka_unit_test(test_demands_one_message_authenticator),
        cmocka_unit_test(test_demands_one_ticket),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_bounds_what_is_echoed),
        cmocka_unit_test(test_refuses_broken_attributes),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_long_messages_are_cut_between_characters),
        cmocka_unit_test(test_long_messages_are_cut_between_words),
        cmocka_unit_test(test_what_does_not_fit_is_not_cut),
    };
    return cmocka_run_group_tests_name("radius_packet", tests, NULL, NULL);
}
