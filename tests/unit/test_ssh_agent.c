/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of an SSH agent, and what is signed: its form, and all that it is bound to. */
#include "core/device/ssh_agent.h"

#include "core/device/ssh_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static uint8_t const NONCE[DT_NONCE_LEN] = {1, 2, 3};

static dt_agent_proof proof_of(void)
{
    return (dt_agent_proof){.nonce = dt_bytes_of(NONCE, sizeof(NONCE)),
                            .id = "0123456789abcdef0123456789abcdef",
                            .application = "sudo",
                            .user = "ann",
                            .host = "server"};
}

static void put(dt_agent_proof const *p, uint8_t out[DT_AGENT_PROOF_MAX], size_t *len)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_AGENT_PROOF_MAX);
    assert_int_equal(dt_agent_proof_put(p, &b), 0);
    *len = b.len;
}

/* Signed by everything that a key may be used for, ours must be ours alone. */
static void test_the_proof_is_a_signature_of_our_name_space(void **state)
{
    uint8_t bytes[DT_AGENT_PROOF_MAX];
    dt_agent_proof const p = proof_of();
    dt_bytes rest, part;
    size_t len;

    (void)state;
    put(&p, bytes, &len);
    rest = dt_bytes_of(bytes, len);
    assert_false(dt_ssh_take_string(&rest, &part)); /* no session identifier: no userauth */
    assert_memory_equal(bytes, "SSHSIG", 6);
    rest = dt_bytes_of(bytes + 6, len - 6);
    assert_true(dt_ssh_take_string(&rest, &part));
    assert_true(dt_bytes_equal(part, dt_bytes_str(DT_AGENT_NAMESPACE)));
    assert_true(dt_ssh_take_string(&rest, &part));
    assert_int_equal(part.len, 0);
    assert_true(dt_ssh_take_string(&rest, &part));
    assert_true(dt_bytes_equal(part, dt_bytes_str("sha256")));
    assert_true(dt_ssh_take_string(&rest, &part));
    assert_int_equal(part.len, DT_SHA256_LEN);
    assert_int_equal(rest.len, 0);
}

static void test_the_proof_is_bound_to_all_that_names_the_sign_on(void **state)
{
    uint8_t const other_nonce[DT_NONCE_LEN] = {1, 2, 4};
    uint8_t first[DT_AGENT_PROOF_MAX], bytes[DT_AGENT_PROOF_MAX];
    size_t first_len, len;
    dt_agent_proof const p = proof_of();
    dt_agent_proof others[6] = {p, p, p, p, p, p};

    (void)state;
    others[0].nonce = dt_bytes_of(other_nonce, sizeof(other_nonce));
    others[1].id = "0123456789abcdef0123456789abcdee";
    others[2].application = "su";
    others[3].user = "bob";
    others[4].host = "other";
    others[5].user = "anns"; /* not to be had by moving a letter from one to the next */
    others[5].host = "erver";
    put(&p, first, &first_len);
    for (size_t i = 0; i < 6; i++) {
        put(&others[i], bytes, &len);
        assert_int_equal(len, first_len);
        assert_memory_not_equal(bytes, first, len);
    }
    others[0].nonce = dt_bytes_of(NONCE, DT_NONCE_LEN - 1);
    dt_buf b;
    dt_buf_init_fixed(&b, bytes, sizeof(bytes));
    assert_int_equal(dt_agent_proof_put(&others[0], &b), DT_E_INVALID);
}

static void test_requests_have_the_form_of_the_draft(void **state)
{
    static uint8_t const list[] = {0, 0, 0, 1, 11};
    static uint8_t const sign[] = {0, 0, 0, 16, 13,  0,   0, 0, 1, 'k',
                                   0, 0, 0, 2,  'd', 'd', 0, 0, 0, 4};
    uint8_t bytes[64];
    dt_buf b;

    (void)state;
    dt_buf_init_fixed(&b, bytes, sizeof(bytes));
    dt_agent_list_put(&b);
    assert_int_equal(b.len, sizeof(list));
    assert_memory_equal(bytes, list, sizeof(list));
    dt_buf_init_fixed(&b, bytes, sizeof(bytes));
    dt_agent_sign_put(dt_bytes_str("k"), dt_bytes_str("dd"), &b);
    assert_int_equal(b.len, sizeof(sign));
    assert_memory_equal(bytes, sign, sizeof(sign));
}

static bool count(void *ctx, dt_bytes blob)
{
    (void)blob;
    ++*(int *)ctx;
    return true;
}

/* `count` identities of one byte each; `said` is how many the list says it has. */
static dt_bytes list_of(dt_buf *b, uint32_t said, int identities)
{
    dt_buf_reset(b);
    dt_buf_putc(b, 12);
    dt_ssh_put_u32(b, said);
    for (int i = 0; i < identities; i++) {
        dt_ssh_put_string(b, dt_bytes_str("k"));
        dt_ssh_put_string(b, dt_bytes_str("comment"));
    }
    return dt_buf_bytes(b);
}

static void test_lists_are_read_to_the_end_and_no_further(void **state)
{
    static struct {
        uint32_t said;
        int given, rc, seen;
    } const lists[] = {
        {0, 0, 0, 0},          {1, 1, 0, 1},
        {64, 64, 0, 64},       {65, 65, 0, 64},
        {500, 500, 0, 64},     {2, 1, DT_E_PARSE, 0},
        {1, 2, DT_E_PARSE, 0}, {0xffffffff, 3, DT_E_PARSE, 0},
    };
    dt_buf b;

    (void)state;
    dt_buf_init(&b, 64 * 1024);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        int seen = 0;
        dt_bytes reply = list_of(&b, lists[i].said, lists[i].given);

        assert_int_equal(dt_agent_list_read(reply, count, &seen, NULL), lists[i].rc);
        assert_int_equal(seen, lists[i].seen);
    }
    dt_bytes whole = list_of(&b, 2, 2);

    for (size_t cut = 0; cut < whole.len; cut++) {
        int seen = 0;

        assert_int_equal(dt_agent_list_read(dt_bytes_of(whole.p, cut), count, &seen, NULL),
                         DT_E_PARSE);
        assert_int_equal(seen, 0);
    }
    dt_buf_free(&b);
}

static void test_other_answers_are_none(void **state)
{
    static uint8_t const failure[] = {5}, success[] = {6}, other[] = {12 + 64, 0, 0, 0, 0};
    int seen = 0;
    dt_bytes signature;

    (void)state;
    assert_int_equal(dt_agent_list_read(dt_bytes_of(failure, 1), count, &seen, NULL),
                     DT_E_NOT_FOUND);
    assert_int_equal(dt_agent_list_read(dt_bytes_of(success, 1), count, &seen, NULL), DT_E_PARSE);
    assert_int_equal(dt_agent_list_read(dt_bytes_of(other, 5), count, &seen, NULL), DT_E_PARSE);
    assert_int_equal(dt_agent_list_read(dt_bytes_of(NULL, 0), count, &seen, NULL), DT_E_PARSE);
    assert_int_equal(seen, 0);
    assert_int_equal(dt_agent_signature_read(dt_bytes_of(failure, 1), &signature, NULL),
                     DT_E_PERMISSION);
    assert_int_equal(dt_agent_signature_read(dt_bytes_of(success, 1), &signature, NULL),
                     DT_E_PARSE);
    assert_int_equal(dt_agent_signature_read(dt_bytes_of(NULL, 0), &signature, NULL), DT_E_PARSE);
}

static void test_a_signature_is_the_whole_answer(void **state)
{
    static uint8_t const good[] = {14, 0, 0, 0, 2, 's', 's'};
    static uint8_t const more[] = {14, 0, 0, 0, 2, 's', 's', 's'};
    dt_bytes signature;

    (void)state;
    assert_int_equal(dt_agent_signature_read(dt_bytes_of(good, sizeof(good)), &signature, NULL), 0);
    assert_true(dt_bytes_equal(signature, dt_bytes_str("ss")));
    for (size_t cut = 0; cut < sizeof(good); cut++) {
        assert_int_equal(dt_agent_signature_read(dt_bytes_of(good, cut), &signature, NULL),
                         DT_E_PARSE);
        assert_int_equal(signature.len, 0);
    }
    assert_int_equal(dt_agent_signature_read(dt_bytes_of(more, sizeof(more)), &signature, NULL),
                     DT_E_PARSE);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_the_proof_is_a_signature_of_our_name_space),
        cmocka_unit_test(test_the_proof_is_bound_to_all_that_names_the_sign_on),
        cmocka_unit_test(test_requests_have_the_form_of_the_draft),
        cmocka_unit_test(test_lists_are_read_to_the_end_and_no_further),
        cmocka_unit_test(test_other_answers_are_none),
        cmocka_unit_test(test_a_signature_is_the_whole_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
