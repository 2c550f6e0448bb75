/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets between pam_devtrust.so and devtrustd: what goes in comes out, and nothing that is not
 * exactly a packet is taken, whatever the other side does. */
#include "pam_devtrust/protocol/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MAX DT_PROTOCOL_REQUEST_MAX

static uint8_t packet[PACKET_MAX + 1];

/* A text of `len` bytes. */
static char *text_of(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static dt_message request(void)
{
    return (dt_message){.type = DT_MESSAGE_REQUEST,
                        .phase = DT_PAM_AUTH,
                        .pid = 42,
                        .service = "sshd",
                        .user = "alice",
                        .rhost = "192.0.2.1",
                        .tty = "ssh",
                        .ruser = "root",
                        .ssh_auth_info = "publickey ssh-ed25519 AAAA\n"};
}

static dt_message prompt(void)
{
    return (dt_message){
        .type = DT_MESSAGE_PROMPT, .number = 7, .style = DT_PROMPT_SHOWN, .text = "Code: "};
}

static dt_message answer(void)
{
    return (dt_message){.type = DT_MESSAGE_ANSWER, .number = 7, .answer = "123456"};
}

static dt_message result(void)
{
    return (dt_message){.type = DT_MESSAGE_RESULT,
                        .result = DT_RESULT_DENY,
                        .cause = "RULE_DENY",
                        .message = "No."};
}

static dt_message session(void)
{
    return (dt_message){.type = DT_MESSAGE_SESSION,
                        .what = DT_SESSION_LINE_OPENED,
                        .pid = 77,
                        .service = "sshd",
                        .user = "ann",
                        .account = "ann",
                        .tty = "ssh",
                        .login_session = "c3"};
}

static size_t encode(dt_message const *m)
{
    size_t len = 0;

    assert_int_equal(dt_message_encode(m, packet, sizeof(packet), &len), DT_OK);
    assert_int_equal(len, dt_message_size(m));
    return len;
}

static void assert_refused(size_t len)
{
    dt_message m;
    dt_message const zero = {0};

    memset(&m, 0xff, sizeof(m));
    assert_int_equal(dt_message_decode(packet, len, &m), DT_E_PARSE);
    assert_memory_equal(&m, &zero, sizeof(m));
}

static void assert_not_encoded(dt_message const *m)
{
    size_t len = 99;

    assert_int_equal(dt_message_size(m), 0);
    assert_int_equal(dt_message_encode(m, packet, sizeof(packet), &len), DT_E_INVALID);
    assert_int_equal(len, 0);
}

/* --- what goes in comes out ---------------------------------------------------------------------- */

static void test_request(void **state)
{
    (void)state;
    dt_message in = request();
    dt_message out;

    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.type, DT_MESSAGE_REQUEST);
    assert_int_equal(out.phase, DT_PAM_AUTH);
    assert_int_equal(out.pid, 42);
    assert_string_equal(out.service, "sshd");
    assert_string_equal(out.user, "alice");
    assert_string_equal(out.rhost, "192.0.2.1");
    assert_string_equal(out.tty, "ssh");
    assert_string_equal(out.ruser, "root");
    assert_string_equal(out.ssh_auth_info, "publickey ssh-ed25519 AAAA\n");
    assert_string_equal(out.answer, "");
    assert_string_equal(out.message, "");
}

/* Left out where it is not known: an older daemon refuses a field that it does not know. */
static void test_terminal(void **state)
{
    static dt_message const bad[] = {{.columns = DT_PROTOCOL_SIDE_MAX + 1, .rows = 24},
                                     {.columns = 80, .rows = DT_PROTOCOL_SIDE_MAX + 1},
                                     {.columns = 80, .rows = 24, .utf8 = 2}};
    dt_message in = request(), out;
    size_t without = dt_message_size(&in);

    (void)state;
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.columns, 0);
    assert_int_equal(out.utf8, 0);
    in.columns = 80;
    in.rows = 24;
    assert_int_equal(dt_message_size(&in), without + 2 * 9);
    in.columns = in.rows = DT_PROTOCOL_SIDE_MAX;
    in.utf8 = 1;
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.columns, DT_PROTOCOL_SIDE_MAX);
    assert_int_equal(out.rows, DT_PROTOCOL_SIDE_MAX);
    assert_int_equal(out.utf8, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        in.columns = bad[i].columns;
        in.rows = bad[i].rows;
        in.utf8 = bad[i].utf8;
        assert_not_encoded(&in);
    }
}

static void test_other_types(void **state)
{
    (void)state;
    dt_message in = prompt();
    dt_message out;

    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.number, 7);
    assert_int_equal(out.style, DT_PROMPT_SHOWN);
    assert_string_equal(out.text, "Code: ");
    in = answer();
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.type, DT_MESSAGE_ANSWER);
    assert_string_equal(out.answer, "123456");
    in = (dt_message){.type = DT_MESSAGE_CANCEL};
    assert_int_equal(encode(&in), DT_PROTOCOL_HEADER);
    assert_int_equal(dt_message_decode(packet, DT_PROTOCOL_HEADER, &out), DT_OK);
    assert_int_equal(out.type, DT_MESSAGE_CANCEL);
    in = result();
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_int_equal(out.result, DT_RESULT_DENY);
    assert_string_equal(out.cause, "RULE_DENY");
    assert_string_equal(out.message, "No.");
}

static void test_texts_that_are_not_there(void **state)
{
    (void)state;
    dt_message in = answer();
    dt_message out;

    in.answer = NULL;
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_string_equal(out.answer, "");
    in.answer = "";
    assert_int_equal(dt_message_decode(packet, encode(&in), &out), DT_OK);
    assert_string_equal(out.answer, "");
}

/* --- what is too much for a field ------------------------------------------------------------------ */

#define TRY_LENGTH(make, name, max)                                                                \
    do {                                                                                           \
        dt_message m = make();                                                                     \
        for (int over = 0; over <= 1; over++) {                                                    \
            char *text = text_of((max) + (size_t)over);                                            \
            dt_message out;                                                                        \
            m.name = text;                                                                         \
            if (over)                                                                              \
                assert_not_encoded(&m);                                                            \
            else                                                                                   \
                assert_int_equal(dt_message_decode(packet, encode(&m), &out), DT_OK);              \
            free(text);                                                                            \
        }                                                                                          \
    } while (0)

static void test_lengths(void **state)
{
    (void)state;
    TRY_LENGTH(request, service, DT_PROTOCOL_SERVICE_MAX);
    TRY_LENGTH(request, user, DT_PROTOCOL_NAME_MAX);
    TRY_LENGTH(request, rhost, DT_PROTOCOL_NAME_MAX);
    TRY_LENGTH(request, rhost_start, DT_PROTOCOL_START_MAX);
    TRY_LENGTH(request, tty, DT_PROTOCOL_NAME_MAX);
    TRY_LENGTH(request, ruser, DT_PROTOCOL_NAME_MAX);
    TRY_LENGTH(request, ssh_auth_info, DT_PROTOCOL_SSH_AUTH_INFO_MAX);
    TRY_LENGTH(prompt, text, DT_PROTOCOL_TEXT_MAX);
    TRY_LENGTH(answer, answer, DT_PROTOCOL_ANSWER_MAX);
    TRY_LENGTH(result, cause, DT_PROTOCOL_CAUSE_MAX);
    TRY_LENGTH(result, message, DT_PROTOCOL_TEXT_MAX);
}

static void test_largest_fit(void **state)
{
    (void)state;
    char *name = text_of(DT_PROTOCOL_NAME_MAX);
    char *keys = text_of(DT_PROTOCOL_SSH_AUTH_INFO_MAX);
    char *text = text_of(DT_PROTOCOL_TEXT_MAX);
    dt_message m = request();

    m.user = m.rhost = m.tty = m.ruser = name;
    m.ssh_auth_info = keys;
    assert_true(encode(&m) <= DT_PROTOCOL_REQUEST_MAX);
    m = prompt();
    m.text = text;
    assert_true(encode(&m) <= DT_PROTOCOL_REPLY_MAX);
    m = result();
    m.message = text;
    assert_true(encode(&m) <= DT_PROTOCOL_REPLY_MAX);
    free(name);
    free(keys);
    free(text);
}

static void test_encoding_refuses(void **state)
{
    (void)state;
    dt_message m = request();
    size_t len = 0;

    m.phase = 0;
    assert_not_encoded(&m);
    m.phase = DT_PAM_EARLY + 1;
    assert_not_encoded(&m);
    m = request();
    m.pid = 0;
    assert_not_encoded(&m);
    m = request();
    m.user = "";
    assert_not_encoded(&m);
    m = request();
    m.service = NULL;
    assert_not_encoded(&m);
    m = prompt();
    m.number = 0;
    assert_not_encoded(&m);
    m = prompt();
    m.style = DT_PROMPT_INFO + 1;
    assert_not_encoded(&m);
    m = result();
    m.result = DT_RESULT_NONE;
    assert_not_encoded(&m);
    m = result();
    m.cause = "";
    assert_not_encoded(&m);
    m = session();
    m.what = DT_SESSION_LINE_NONE;
    assert_not_encoded(&m);
    m = session();
    m.what = DT_SESSION_LINE_CLOSED + 1;
    assert_not_encoded(&m);
    m = session();
    m.service = "";
    assert_not_encoded(&m);
    m.type = DT_MESSAGE_NONE;
    assert_not_encoded(&m);
    m.type = DT_MESSAGE_TYPES;
    assert_not_encoded(&m);
    m = request();
    assert_int_equal(dt_message_encode(&m, packet, dt_message_size(&m) - 1, &len), DT_E_LIMIT);
    assert_int_equal(len, 0);
}

static void a_session_there_and_back(void **state)
{
    dt_message m = session(), out;

    (void)state;
    assert_int_equal(dt_message_decode(packet, encode(&m), &out), DT_OK);
    assert_int_equal(out.type, DT_MESSAGE_SESSION);
    assert_int_equal(out.what, DT_SESSION_LINE_OPENED);
    assert_string_equal(out.login_session, "c3");
    assert_string_equal(out.service, "sshd");
    assert_string_equal(out.owner, "");
    assert_string_equal(out.password, "");
    m.login_session = "";
    assert_int_equal(dt_message_decode(packet, encode(&m), &out), DT_OK);
    assert_string_equal(out.login_session, "");
}

/* --- broken packets ---------------------------------------------------------------------------------- */

static void test_every_cut(void **state)
{
    (void)state;
    dt_message (*const make[])(void) = {request, prompt, answer, result};

    for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++) {
        dt_message m = make[i]();
        size_t len = encode(&m);

        for (size_t cut = 0; cut < len; cut++)
            assert_refused(cut);
        packet[len] = 0;
        assert_refused(len + 1);
    }
}

/* A cut whose header was made to fit: whole fields may go missing, but no required one. */
static void test_every_cut_with_its_length(void **state)
{
    (void)state;
    dt_message m = request();
    size_t len = encode(&m);
    size_t taken = 0;

    for (size_t cut = DT_PROTOCOL_HEADER; cut < len; cut++) {
        size_t left = cut - DT_PROTOCOL_HEADER;
        dt_message out;

        packet[4] = packet[5] = 0;
        packet[6] = (uint8_t)(left >> 8);
        packet[7] = (uint8_t)left;
        if (dt_message_decode(packet, cut, &out) == DT_OK) {
            taken++;
            assert_string_equal(out.user, "alice");
        }
    }
    assert_int_equal(taken, 5); /* without shown; and keys; and ruser; and tty; and rhost */
}

static void test_header(void **state)
{
    (void)state;
    dt_message m = answer();
    struct {
        size_t at;
        uint8_t value;
    } const changes[] = {{0, 0},
                         {0, 2},
                         {0, 255},
                         {1, DT_MESSAGE_NONE},
                         {1, DT_MESSAGE_TYPES},
                         {1, 255},
                         {1, DT_MESSAGE_CANCEL},
                         {1, DT_MESSAGE_REQUEST},
                         {2, 1},
                         {3, 1},
                         {4, 1},
                         {4, 255},
                         {7, 0},
                         {7, 255}};

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        size_t len = encode(&m);

        packet[changes[i].at] = changes[i].value;
        assert_refused(len);
    }
}

/* Puts fields behind a header of the type. */
static size_t build(dt_message_type type, uint8_t const *fields, size_t len)
{
    memset(packet, 0, DT_PROTOCOL_HEADER);
    packet[0] = DT_PROTOCOL_VERSION;
    packet[1] = (uint8_t)type;
    packet[6] = (uint8_t)(len >> 8);
    packet[7] = (uint8_t)len;
    memcpy(packet + DT_PROTOCOL_HEADER, fields, len);
    return DT_PROTOCOL_HEADER + len;
}

#define BUILD(type, ...)                                                                           \
    build(type, (uint8_t const[]){__VA_ARGS__}, sizeof((uint8_t const[]){__VA_ARGS__}))
#define NUMBER_7 1, 0, 0, 0, 4, 0, 0, 0, 7

static void test_fields(void **state)
{
    (void)state;
    dt_message out;

    assert_int_equal(
        dt_message_decode(packet, BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 2, 'a', 0), &out),
        DT_OK);
    /* the order does not matter */
    assert_int_equal(
        dt_message_decode(packet, BUILD(DT_MESSAGE_ANSWER, 2, 0, 0, 0, 2, 'a', 0, NUMBER_7), &out),
        DT_OK);
    assert_string_equal(out.answer, "a");
    /* given twice */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, NUMBER_7));
    assert_refused(
        BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 2, 'a', 0, 2, 0, 0, 0, 2, 'a', 0));
    /* unknown tags, 32 and up as well, which no bit stands for */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 0, 0, 0, 0, 2, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 3, 0, 0, 0, 2, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 34, 0, 0, 0, 2, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 255, 0, 0, 0, 2, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_CANCEL, NUMBER_7));
    /* required, not there */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, 2, 0, 0, 0, 2, 'a', 0));
    assert_refused(build(DT_MESSAGE_ANSWER, (uint8_t const *)"", 0));
    assert_refused(build(DT_MESSAGE_RESULT, (uint8_t const *)"", 0));
    /* numbers of another size, or out of range */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, 1, 0, 0, 0, 1, 7));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, 1, 0, 0, 0, 5, 0, 0, 0, 7, 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, 1, 0, 0, 0, 4, 0, 0, 0, 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, 1, 0, 0, 0, 4, 255, 255, 255, 255));
    assert_refused(BUILD(DT_MESSAGE_RESULT, 1, 0, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0, 0, 2, 'X', 0));
    assert_refused(BUILD(DT_MESSAGE_RESULT, 1, 0, 0, 0, 4, 0, 0, 0, 5, 2, 0, 0, 0, 2, 'X', 0));
    /* lengths beyond the end */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 3, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 255, 255, 255, 255, 'a', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0));
}

static void test_texts(void **state)
{
    (void)state;
    /* empty, without its NUL, with one inside, with two, nothing but a NUL */
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 2, 'a', 'b'));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 4, 'a', 0, 'b', 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 3, 'a', 0, 0));
    assert_refused(BUILD(DT_MESSAGE_ANSWER, NUMBER_7, 2, 0, 0, 0, 1, 0));
}

static void test_text_too_long(void **state)
{
    (void)state;
    static uint8_t fields[9 + 5 + DT_PROTOCOL_ANSWER_MAX + 2] = {NUMBER_7, 2};
    size_t size = DT_PROTOCOL_ANSWER_MAX + 2;
    dt_message out;

    fields[12] = (uint8_t)(size >> 8);
    fields[13] = (uint8_t)size;
    memset(fields + 14, 'x', size - 1);
    assert_refused(build(DT_MESSAGE_ANSWER, fields, sizeof(fields)));
    fields[13]--;
    fields[14 + size - 2] = 0;
    assert_int_equal(
        dt_message_decode(packet, build(DT_MESSAGE_ANSWER, fields, sizeof(fields) - 1), &out),
        DT_OK);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    dt_message m = result();
    size_t len = encode(&m);

    for (size_t bit = 0; bit < len * 8; bit++) {
        dt_message out;

        (void)encode(&m);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (dt_message_decode(packet, len, &out) == DT_OK) {
            /* whatever it now says, it says within bounds */
            assert_true(out.type == DT_MESSAGE_RESULT);
            assert_in_range(out.result, DT_RESULT_ALLOW, DT_RESULT_LATER);
            assert_in_range(strlen(out.cause), 1, DT_PROTOCOL_CAUSE_MAX);
        }
    }
}

/* --- over a socket ------------------------------------------------------------------------------------ */

typedef struct ends {
    int a, b;
} ends;

static ends open_ends(void)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    return (ends){pair[0], pair[1]};
}

static void test_socket(void **state)
{
    (void)state;
    ends e = open_ends();
    char *keys = text_of(DT_PROTOCOL_SSH_AUTH_INFO_MAX);
    dt_message in = request();
    dt_message out;

    in.ssh_auth_info = keys;
    assert_int_equal(dt_message_receive(e.b, packet, PACKET_MAX, &out), DT_E_NOT_FOUND);
    assert_int_equal(dt_message_send(e.a, &in), DT_OK);
    in = answer();
    assert_int_equal(dt_message_send(e.a, &in), DT_OK);
    assert_int_equal(dt_message_receive(e.b, packet, PACKET_MAX, &out), DT_OK);
    assert_string_equal(out.ssh_auth_info, keys);
    assert_int_equal(dt_message_receive(e.b, packet, PACKET_MAX, &out), DT_OK);
    assert_string_equal(out.answer, "123456");
    in.answer = NULL;
    in.number = 0;
    assert_int_equal(dt_message_send(e.a, &in), DT_E_INVALID);
    close(e.a);
    assert_int_equal(dt_message_receive(e.b, packet, PACKET_MAX, &out), DT_E_GONE);
    in = answer();
    assert_int_equal(dt_message_send(e.b, &in), DT_E_GONE); /* and no SIGPIPE */
    close(e.b);
    free(keys);
}

static void test_socket_garbage(void **state)
{
    (void)state;
    ends e = open_ends();
    static uint8_t big[DT_PROTOCOL_REPLY_MAX + 1];
    dt_message out;

    assert_int_equal(send(e.a, big, sizeof(big), 0), sizeof(big));
    assert_int_equal(dt_message_receive(e.b, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_E_PARSE);
    assert_int_equal(send(e.a, "x", 1, 0), 1);
    assert_int_equal(dt_message_receive(e.b, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_E_PARSE);
    /* an empty packet cannot be told from the end, and counts as it */
    assert_int_equal(send(e.a, "", 0, 0), 0);
    assert_int_equal(dt_message_receive(e.b, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_E_GONE);
    assert_int_equal(dt_message_receive(-1, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_E_IO);
    close(e.a);
    close(e.b);
}

/* The result is there, though its sender left with an answer of ours unread. */
static void test_result_behind_a_reset(void **state)
{
    (void)state;
    ends e = open_ends();
    dt_message m = answer();
    dt_message out;

    assert_int_equal(dt_message_send(e.b, &m), DT_OK);
    m = result();
    assert_int_equal(dt_message_send(e.a, &m), DT_OK);
    close(e.a);
    assert_int_equal(dt_message_receive(e.b, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_OK);
    assert_string_equal(out.cause, "RULE_DENY");
    assert_int_equal(dt_message_receive(e.b, packet, DT_PROTOCOL_REPLY_MAX, &out), DT_E_GONE);
    close(e.b);
}

static void test_nobody_reads(void **state)
{
    (void)state;
    ends e = open_ends();
    dt_message m = prompt();
    int rc = DT_OK;

    for (int i = 0; i < 100000 && rc == DT_OK; i++)
        rc = dt_message_send(e.a, &m);
    assert_int_equal(rc, DT_E_GONE);
    close(e.a);
    close(e.b);
}

/* --- a descriptor that is passed along --------------------------------------------------------------- */

/* Descriptors that this process has open. */
static int open_count(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Sends a packet with `count` copies of one descriptor. */
static void send_with(int to, uint8_t *bytes, size_t len, int fd, size_t count)
{
    _Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room};
    struct cmsghdr *c = (struct cmsghdr *)room;
    int fds[4] = {fd, fd, fd, fd};

    m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    assert_int_equal(sendmsg(to, &m, 0), (ssize_t)len);
}

static void test_descriptor_comes_along(void **state)
{
    (void)state;
    ends e = open_ends(), other = open_ends();
    dt_message m = request();
    dt_message out;
    int passed = 99;

    assert_int_equal(dt_message_send_passing(e.a, &m, other.a), DT_OK);
    assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed), DT_OK);
    assert_true(passed >= 0 && passed != other.a);
    assert_int_equal(fcntl(passed, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(passed, "x", 1), 1); /* it is that very socket */
    assert_int_equal(read(other.b, packet, 8), 1);
    close(passed);
    assert_int_equal(dt_message_send(e.a, &m), DT_OK);
    assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed), DT_OK);
    assert_int_equal(passed, -1);
    assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed),
                     DT_E_NOT_FOUND);
    assert_int_equal(passed, -1);
    close(e.a);
    assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed), DT_E_GONE);
    close(e.b);
    close(other.a);
    close(other.b);
}

/* Where none is wanted, with nonsense, or too many of them: none stays open. */
static void test_descriptors_that_nobody_wants_are_closed(void **state)
{
    static uint8_t nonsense[] = {1, 2, 3};
    uint8_t bytes[PACKET_MAX];
    size_t len;
    dt_message out;
    int passed = 99;

    (void)state;
    ends e = open_ends();
    int const before = open_count();
    dt_message m = request();

    assert_int_equal(dt_message_encode(&m, bytes, sizeof(bytes), &len), DT_OK);
    send_with(e.a, bytes, len, e.a, 1);
    assert_int_equal(dt_message_receive(e.b, packet, PACKET_MAX, &out), DT_OK);
    assert_int_equal(open_count(), before);
    send_with(e.a, nonsense, sizeof(nonsense), e.a, 1);
    assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed), DT_E_PARSE);
    assert_int_equal(passed, -1);
    assert_int_equal(open_count(), before);
    for (size_t count = 2; count <= 4; count++) {
        send_with(e.a, bytes, len, e.a, count);
        assert_int_equal(dt_message_receive_passed(e.b, packet, PACKET_MAX, &out, &passed),
                         DT_E_PARSE);
        assert_int_equal(passed, -1);
        assert_int_equal(open_count(), before);
    }
    close(e.a);
    close(e.b);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_session_there_and_back),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_texts_that_are_not_there),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_largest_fit),
        cmocka_unit_test(test_encoding_refuses),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_cut_with_its_length),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_text_too_long),
        cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_socket_garbage),
        cmocka_unit_test(test_result_behind_a_reset),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_descriptor_comes_along),
        cmocka_unit_test(test_descriptors_that_nobody_wants_are_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
