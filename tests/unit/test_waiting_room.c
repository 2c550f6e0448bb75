/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The waiting room over a real driver and real sockets: a server of the test's own proxies its
 * packets there. Every order in which request, packet, connection and sign-on may come and go; what
 * strangers send; many threads at once. */
#include "odd_https.h"

#include "driver/driver.h"
#include "edge/host.h"
#include "rlm_devtrust/challenge.h"
#include "rlm_devtrust/waiting_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT DT_RADIUS_ACCESS_ACCEPT
#define REJECT DT_RADIUS_ACCESS_REJECT
#define CHALLENGE DT_RADIUS_ACCESS_CHALLENGE
#define MAC_LEN 16
#define PARKED_MAX 200
#define THREADS 4
#define THREAD_LOGINS 100
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_start = odd_mono();                                                          \
        while (!(condition)) {                                                                     \
            assert_true(odd_mono() - until_start < ODD_PATIENCE);                                  \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

static odd_https server;
static odd_loop loop;
static dt_driver *driver;
static dt_waiting_room *room;
static char config_path[128], audit_path[128], store_path[128];

/* --- fixtures ----------------------------------------------------------------------------------- */

static int group_setup(void **state)
{
    (void)state;
    odd_https_start(&server);
    snprintf(config_path, sizeof(config_path), "%s/devtrust.conf", server.dir);
    snprintf(audit_path, sizeof(audit_path), "%s/audit.log", server.dir);
    snprintf(store_path, sizeof(store_path), "%s/state/state.db", server.dir);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    odd_https_stop(&server);
    return 0;
}

static int control(char const *path)
{
    char full[128];
    snprintf(full, sizeof(full), "/control/%s", path);
    return odd_control(&loop, &server, full);
}

static void remove_state(void)
{
    static char const *const suffixes[] = {"", "-wal", "-shm"};
    char path[160];
    unlink(audit_path);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", store_path, suffixes[i]);
        unlink(path);
    }
}

static void open_room(dt_time answer_within, int runs_max)
{
    dt_driver_options o = {.config_path = config_path, .own_thread = true, .runs_max = runs_max};
    dt_room_options r = {.parked_max = PARKED_MAX, .answer_within = answer_within};
    dt_error e = {0};
    int rc = dt_driver_new(&o, &driver, &e);
    if (rc == 0)
        rc = dt_waiting_room_open(driver, &r, &room, &e);
    if (rc != 0)
        print_error("%s\n", e.text);
    assert_int_equal(rc, 0);
}

static int setup_bare(void **state)
{
    (void)state;
    odd_loop_open(&loop);
    remove_state();
    control("reset");
    return 0;
}

static int setup(void **state)
{
    setup_bare(state);
    open_room(DT_SECONDS(55), 0);
    return 0;
}

/* As the module does it. */
static void close_all(void)
{
    if (room != NULL)
        dt_waiting_room_close(room);
    dt_driver_free(&driver);
    dt_waiting_room_free(&room);
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    odd_loop_close(&loop);
    return 0;
}

static int audit_lines(char const *with)
{
    char line[DT_AUDIT_EVENT_MAX + 1];
    int lines = 0;
    FILE *f = fopen(audit_path, "r");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof(line), f) != NULL)
        lines += strstr(line, with) != NULL;
    fclose(f);
    return lines;
}

static size_t parked_now(void)
{
    dt_room_stats s;
    dt_waiting_room_stats(room, &s);
    return s.parked;
}

static uint64_t refused(void)
{
    dt_room_stats s;
    dt_waiting_room_stats(room, &s);
    return s.refused;
}

static uint64_t under_way(void)
{
    dt_driver_stats s;
    dt_driver_stats_get(driver, &s);
    return s.runs_under_way;
}

/* --- sign-ons ----------------------------------------------------------------------------------- */

static bool only_looks_up; /* what machines are begun for */

static void machine_begin(dt_signon *m, char const *user, int device, dt_conversation c)
{
    char id[DT_SIGNON_ID_LEN + 1], device_id[64] = "";
    dt_ruleset ruleset = dt_site_ruleset(dt_driver_site(driver), "vpn");
    if (device >= 0)
        snprintf(device_id, sizeof(device_id), "aaaaaaaa-0000-4000-8000-%012x", (unsigned)device);
    assert_int_equal(dt_host_random_id(id), 0);
    dt_request r = {.id = id,
                    .application = "vpn",
                    .user = user,
                    .client_ip = "192.0.2.1",
                    .nas = "nas",
                    .station = "station",
                    .tty = "",
                    .vpn_device_id = device_id,
                    .conversation = c,
                    .push_prompt = c == DT_CONVERSATION_CHALLENGE,
                    .passcode = "",
                    .push_key = id,
                    .only_looks_up = only_looks_up,
                    .wait_limit = DT_SECONDS(50)};
    assert_int_equal(dt_host_random(r.random, sizeof(r.random)), 0);
    dt_signon_begin(m, &ruleset, &r, dt_host_now());
}

static int try_park(char const *user, int device, dt_conversation c, dt_parked **out)
{
    dt_signon *m = dt_driver_machine_new();
    machine_begin(m, user, device, c);
    int rc = dt_waiting_room_park(room, m, dt_bytes_str("luggage"), out);
    dt_driver_machine_free(&m);
    return rc;
}

/* A device number of 0 or more is trusted, once it was looked up; -1 is asked by push. */
static dt_parked *park(char const *user, int device)
{
    dt_parked *p = NULL;
    assert_int_equal(try_park(user, device, DT_CONVERSATION_NONE, &p), 0);
    assert_non_null(p);
    return p;
}

/* Somebody whose phone is asked and who does nothing. */
static dt_parked *park_ignored(void)
{
    int before = control("count/verify");
    control("set/polls_wanted/100000");
    dt_parked *p = park("ann", -1);
    UNTIL(control("count/verify") > before);
    return p;
}

static bool has_outcome(dt_parked *p, dt_outcome *o)
{
    bool suspended = false;
    return dt_parked_outcome(p, o, &suspended);
}

/* --- the server's side -------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(dt_waiting_room_port(room)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

typedef struct packet {
    uint8_t b[DT_RADIUS_PACKET_MAX];
    size_t len;
} packet;

static void put(packet *p, uint8_t type, void const *value, size_t len)
{
    assert_true(p->len + len + 2 <= sizeof(p->b));
    p->b[p->len] = type;
    p->b[p->len + 1] = (uint8_t)(len + 2);
    memcpy(p->b + p->len + 2, value, len);
    p->len += len + 2;
}

static void sign(packet *p, char const *secret, size_t mac_at)
{
    unsigned len = MAC_LEN;
    p->b[2] = (uint8_t)(p->len >> 8);
    p->b[3] = (uint8_t)p->len;
    memset(p->b + mac_at, 0, MAC_LEN);
    assert_non_null(
        HMAC(EVP_md5(), secret, (int)strlen(secret), p->b, p->len, p->b + mac_at, &len));
}

/* What the server proxies: `states` times the ticket, and `echo` bytes of Proxy-State. */
static void make(packet *p, uint8_t id, dt_bytes ticket, char const *secret, int states,
                 size_t echo)
{
    uint8_t filler[253] = {0};
    memset(p, 0, sizeof(*p));
    p->b[0] = DT_RADIUS_ACCESS_REQUEST;
    p->b[1] = id;
    assert_int_equal(dt_host_random(p->b + 4, 16), 0);
    p->len = DT_RADIUS_HEADER_LEN;
    put(p, 80, filler, MAC_LEN);
    for (int i = 0; i < states; i++)
        put(p, 24, ticket.p, ticket.len);
    for (; echo > 0; echo -= echo < 250 ? echo : 250)
        put(p, 33, filler, echo < 250 ? echo : 250);
    sign(p, secret, DT_RADIUS_HEADER_LEN + 2);
}

static void send_all(int fd, void const *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void proxy(int fd, uint8_t id, dt_parked const *p)
{
    packet q;
    make(&q, id, dt_parked_ticket(p), dt_waiting_room_secret(room), 1, 4);
    send_all(fd, q.b, q.len);
}

static bool read_exactly(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        struct pollfd w = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&w, 1, (int)ODD_PATIENCE), 1);
        ssize_t n = recv(fd, to, len, 0);
        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
    }
    return true;
}

/* The next answer, 0 when the connection was closed instead. */
static int answer(int fd, uint8_t *id, packet *a)
{
    packet own;
    a = a != NULL ? a : &own;
    memset(a, 0, sizeof(*a));
    if (!read_exactly(fd, a->b, 4))
        return 0;
    a->len = (size_t)a->b[2] << 8 | a->b[3];
    assert_in_range(a->len, DT_RADIUS_HEADER_LEN, sizeof(a->b));
    assert_true(read_exactly(fd, a->b + 4, a->len - 4));
    if (id != NULL)
        *id = a->b[1];
    return a->b[0];
}

static int answer_to(int fd, uint8_t id)
{
    uint8_t got = 0;
    int code = answer(fd, &got, NULL);
    if (code != 0)
        assert_int_equal(got, id);
    return code;
}

/* Nothing is on its way: a packet of an unknown ticket, sent now, is answered first. */
static void assert_silent(int fd)
{
    uint8_t nobody[DT_RADIUS_TICKET_LEN] = {0};
    packet q;
    make(&q, 255, dt_bytes_of(nobody, sizeof(nobody)), dt_waiting_room_secret(room), 1, 0);
    send_all(fd, q.b, q.len);
    assert_int_equal(answer_to(fd, 255), REJECT);
}

static bool holds_attribute(packet const *a, uint8_t type)
{
    for (size_t at = DT_RADIUS_HEADER_LEN; at < a->len; at += a->b[at + 1]) {
        if (a->b[at] == type)
            return true;
    }
    return false;
}

static int closed_by_now(int const *fds, int count)
{
    int closed = 0;
    for (int i = 0; i < count; i++) {
        struct pollfd w = {.fd = fds[i], .events = POLLIN};
        closed += poll(&w, 1, 0) == 1;
    }
    return closed;
}

/* --- the usual way ------------------------------------------------------------------------------ */

static void test_accept(void **state)
{
    (void)state;
    dt_outcome o;
    packet a;
    dt_parked *p = park("ann", 1);
    int fd = dial();
    proxy(fd, 7, p);
    assert_int_equal(answer(fd, NULL, &a), ACCEPT);
    assert_true(holds_attribute(&a, 80) && holds_attribute(&a, 33) && !holds_attribute(&a, 24));
    assert_true(has_outcome(p, &o));
    assert_int_equal(o.result, DT_ALLOW);
    dt_parked_release(&p);
    assert_null(p);
    UNTIL(parked_now() == 0);
    assert_silent(fd);
    close(fd);
}

/* Nobody is let in by it, nor refused. */
static void test_look_up(void **state)
{
    (void)state;
    dt_outcome o;
    packet a;
    bool suspended = false;
    only_looks_up = true;
    dt_parked *p = park("ann", 1);
    only_looks_up = false;
    int fd = dial();
    proxy(fd, 7, p);
    assert_int_equal(answer(fd, NULL, &a), CHALLENGE);
    assert_false(holds_attribute(&a, 24) || holds_attribute(&a, 18));
    assert_true(dt_parked_outcome(p, &o, &suspended));
    assert_true(suspended);
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_NONE);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
    close(fd);
}

static void test_reject(void **state)
{
    (void)state;
    dt_outcome o;
    control("set/poll_result/REJECTED");
    dt_parked *p = park("ann", -1);
    int fd = dial();
    proxy(fd, 8, p);
    assert_int_equal(answer_to(fd, 8), REJECT);
    assert_true(has_outcome(p, &o));
    assert_int_equal(o.result, DT_DENY);
    dt_parked_release(&p);
    close(fd);
}

/* The sign-on ends before the packet comes. */
static void test_outcome_first(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = park("ann", 1);
    UNTIL(has_outcome(p, &o));
    int fd = dial();
    proxy(fd, 9, p);
    assert_int_equal(answer_to(fd, 9), ACCEPT);
    dt_parked_release(&p);
    close(fd);
}

/* What waits is denied as long as nothing else is known. */
static void test_no_outcome_while_waiting(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = park_ignored();
    assert_false(has_outcome(p, &o));
    int fd = dial();
    proxy(fd, 1, p);
    assert_silent(fd);
    assert_false(has_outcome(p, &o));
    dt_parked_release(&p);
    close(fd);
}

static void test_challenge(void **state)
{
    (void)state;
    dt_outcome o;
    bool suspended = false;
    packet a;
    dt_parked *p = NULL;
    control("set/polls_wanted/100000");
    assert_int_equal(try_park("ann", -1, DT_CONVERSATION_CHALLENGE, &p), 0);
    int fd = dial();
    proxy(fd, 3, p);
    int code = answer(fd, NULL, &a);
    assert_true(dt_parked_outcome(p, &o, &suspended));
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(code, CHALLENGE);
    assert_true(suspended && holds_attribute(&a, 24) && holds_attribute(&a, 18));
    dt_parked_release(&p);
    close(fd);
}

static int keep_and_take(dt_signon *m, dt_error *e)
{
    char token[DT_STATE_TOKEN_MAX];
    dt_buf token_buf;
    dt_ruleset ruleset;
    char user[DT_RLM_BINDING_MAX];
    dt_audit_context ctx = {0};

    dt_signon_audit_context(m, &ctx);
    dt_challenge_user(dt_signon_identity(m), ctx.name, user);
    dt_state_binding who = {user, ctx.nas, ctx.application, ctx.station};
    dt_signon *taken = dt_driver_machine_new();
    dt_buf reply;

    dt_driver_acquire(driver, "vpn", &ruleset);
    dt_buf_init(&reply, DT_STORE_VALUE_MAX);
    dt_buf_init_fixed(&token_buf, token, sizeof(token));
    assert_int_equal(dt_challenge_keep(driver, m, (dt_bytes){0}, &token_buf, NULL, e), 0);
    int rc = dt_challenge_take(driver, &ruleset, dt_buf_bytes(&token_buf), &who, taken, &reply, e);
    dt_driver_machine_free(&taken);
    dt_buf_free(&reply);
    dt_driver_release(&ruleset);
    return rc;
}

/* Only a sign-on that waits for an answer is taken from the store. One that has ended there, and allows,
 * was put there by somebody else: it would let in whoever has its State. */
static void test_kept_sign_on_that_has_ended(void **state)
{
    (void)state;
    dt_error e = {0};
    dt_signon *m = dt_driver_machine_new();
    dt_outcome o;
    machine_begin(m, "ann", 1, DT_CONVERSATION_CHALLENGE);
    assert_int_equal(dt_driver_run_blocking(driver, m, "radius", DT_SECONDS(50), &o), 0);
    assert_int_equal(o.result, DT_ALLOW);
    machine_begin(m, "ann", 1, DT_CONVERSATION_CHALLENGE); /* the device is known by now */
    assert_true(dt_driver_run_inline(driver, m, "radius"));
    assert_int_equal(dt_signon_outcome(m)->result, DT_ALLOW);
    assert_int_equal(keep_and_take(m, &e), DT_E_PARSE);
    assert_non_null(strstr(e.text, "ended"));
    machine_begin(m, "ann", -1, DT_CONVERSATION_CHALLENGE);
    assert_false(dt_driver_run_inline(driver, m, "radius"));
    assert_int_equal(keep_and_take(m, &e), 0); /* one that goes on */
    dt_driver_machine_free(&m);
}

/* --- answers to challenges that come again ------------------------------------------------------ */

static dt_parked *answer_again(uint8_t number, bool *first)
{
    uint8_t key[DT_SHA256_LEN] = {number, 7};
    dt_parked *p = NULL;
    assert_int_equal(dt_waiting_room_answer(room, key, &p, first), 0);
    assert_non_null(p);
    return p;
}

static dt_parked *answer_first(uint8_t number)
{
    bool first = false;
    dt_parked *p = answer_again(number, &first);
    assert_true(first);
    return p;
}

static dt_parked *answer_joining(uint8_t number)
{
    bool first = true;
    dt_parked *p = answer_again(number, &first);
    assert_false(first);
    return p;
}

static void start(dt_parked *p, int device)
{
    dt_signon *m = dt_driver_machine_new();
    machine_begin(m, "ann", device, DT_CONVERSATION_NONE);
    assert_int_equal(dt_waiting_room_start(p, m, dt_bytes_str("luggage")), 0);
    dt_driver_machine_free(&m);
}

/* While the first is looked into, and after: one sign-on, one event, the same answer and luggage. */
static void test_a_repeated_answer_joins(void **state)
{
    (void)state;
    dt_outcome o;
    char id[DT_SIGNON_ID_LEN + 1], other[DT_SIGNON_ID_LEN + 1];
    dt_parked *p = answer_first(1), *before = answer_joining(1);
    int fd = dial();
    proxy(fd, 1, before);
    assert_false(has_outcome(before, &o));
    start(p, 1);
    proxy(fd, 2, p);
    int codes = answer(fd, NULL, NULL);
    assert_int_equal(codes, ACCEPT);
    assert_int_equal(answer(fd, NULL, NULL), ACCEPT);
    dt_parked *after = answer_joining(1);
    assert_true(has_outcome(after, &o) && o.result == DT_ALLOW);
    proxy(fd, 3, after);
    assert_int_equal(answer_to(fd, 3), ACCEPT);
    dt_parked *const all[] = {p, before, after};
    dt_parked_id(p, id);
    assert_int_equal(strlen(id), DT_SIGNON_ID_LEN);
    for (size_t i = 0; i < 3; i++) {
        dt_parked *q = all[i];
        assert_true(has_outcome(q, &o) && o.result == DT_ALLOW);
        dt_bytes luggage = dt_parked_luggage(q);
        assert_int_equal(luggage.len, strlen("luggage"));
        assert_memory_equal(luggage.p, "luggage", luggage.len);
        dt_parked_id(q, other);
        assert_string_equal(other, id);
        dt_parked_release(&q);
    }
    assert_int_equal(audit_lines("RULE_ALLOW"), 1);
    close(fd);
}

/* Of the same State, too: the digest is of both. */
static void test_another_answer_joins_nobody(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = answer_first(1), *q = answer_first(2);
    start(p, 1);
    UNTIL(has_outcome(p, &o));
    assert_false(has_outcome(q, &o));
    dt_outcome denied = {0};
    dt_outcome_set(&denied, DT_DENY, DT_CAUSE_STATE_INVALID);
    dt_waiting_room_cancel(&q, &denied);
    assert_null(q);
    dt_parked_release(&p);
}

/* A State that was used before: who had joined is refused as well, and who comes later is a first one. */
static void test_a_first_that_does_not_go_on(void **state)
{
    (void)state;
    dt_outcome o, denied = {0};
    dt_parked *p = answer_first(1), *q = answer_joining(1);
    int fd = dial();
    proxy(fd, 1, q);
    dt_outcome_set(&denied, DT_DENY, DT_CAUSE_STATE_INVALID);
    dt_waiting_room_cancel(&p, &denied);
    dt_parked *later = answer_first(1);
    assert_int_equal(answer_to(fd, 1), REJECT);
    assert_true(has_outcome(q, &o));
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_STATE_INVALID);
    assert_false(has_outcome(later, &o));
    dt_waiting_room_cancel(&later, &denied);
    dt_parked_release(&q);
    UNTIL(parked_now() == 0);
    close(fd);
}

/* The first one's request dies: who has joined still gets what becomes of the answer. */
static void test_the_first_leaves(void **state)
{
    (void)state;
    dt_outcome o;
    control("set/polls_wanted/3");
    dt_parked *p = answer_first(1), *q = answer_joining(1);
    int fd = dial();
    proxy(fd, 1, q);
    start(p, -1);
    dt_parked_release(&p);
    assert_int_equal(answer_to(fd, 1), ACCEPT);
    assert_true(has_outcome(q, &o) && o.result == DT_ALLOW);
    dt_parked_release(&q);
    close(fd);
}

/* All leave: it ends, and is told to nobody. */
static void test_all_leave(void **state)
{
    (void)state;
    control("set/polls_wanted/100000");
    dt_parked *p = answer_first(1), *q = answer_joining(1), *r = answer_joining(1);
    start(p, -1);
    dt_parked_release(&q);
    dt_parked_release(&p);
    dt_parked_release(&r);
    UNTIL(under_way() == 0);
    UNTIL(parked_now() == 0);
    UNTIL(audit_lines("CLIENT_GONE") == 1);
    p = answer_first(1);
    dt_outcome denied = {0};
    dt_outcome_set(&denied, DT_DENY, DT_CAUSE_STATE_INVALID);
    dt_waiting_room_cancel(&p, &denied);
}

/* Some seconds, and no longer. */
static void test_an_answer_is_forgotten(void **state)
{
    (void)state;
    dt_outcome o, denied = {0};
    bool first = false;
    dt_parked *p = answer_first(1);
    start(p, 1);
    UNTIL(has_outcome(p, &o));
    dt_parked_release(&p);
    int64_t since = odd_mono();
    while (!first) {
        assert_true(odd_mono() - since < DT_SECONDS(DT_ROOM_REPEAT_SECONDS) + ODD_PATIENCE);
        p = answer_again(1, &first);
        if (!first)
            dt_parked_release(&p);
        usleep(50000);
    }
    assert_true(odd_mono() - since > DT_SECONDS(DT_ROOM_REPEAT_SECONDS) / 2);
    dt_outcome_set(&denied, DT_DENY, DT_CAUSE_STATE_INVALID);
    dt_waiting_room_cancel(&p, &denied);
    UNTIL(parked_now() == 0);
}

/* The room closes while an answer is remembered, and while somebody waits for a first one. */
static void test_closing_with_answers(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = answer_first(1), *q = answer_first(2), *r = answer_joining(2);
    start(p, 1);
    UNTIL(has_outcome(p, &o));
    control("set/polls_wanted/100000");
    start(q, -1);
    close_all();
    dt_parked_release(&p);
    dt_parked_release(&q);
    dt_parked_release(&r);
}

/* --- who goes first ----------------------------------------------------------------------------- */

static void test_request_dies_first(void **state)
{
    (void)state;
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 4, p);
    assert_silent(fd);
    int64_t start = odd_mono();
    dt_parked_release(&p);
    /* Its place is free at once, the push is cancelled, and whoever still listens hears no. */
    assert_int_equal(answer_to(fd, 4), REJECT);
    UNTIL(parked_now() == 0 && under_way() == 0);
    assert_true(odd_mono() - start < DT_SECONDS(40)); /* not by the deadline, that is */
    assert_int_equal(control("count/cancel"), 1);
    close(fd);
    close_all();
    assert_int_equal(audit_lines("CLIENT_GONE"), 1);
}

static void test_request_dies_before_its_packet(void **state)
{
    (void)state;
    dt_parked *p = park_ignored();
    packet q;
    make(&q, 5, dt_parked_ticket(p), dt_waiting_room_secret(room), 1, 0);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
    uint64_t before = refused();
    int fd = dial();
    send_all(fd, q.b, q.len);
    assert_int_equal(answer_to(fd, 5), REJECT);
    assert_int_equal(refused(), before + 1);
    close(fd);
}

static void test_leaving_nothing(void **state)
{
    (void)state;
    dt_parked *none = NULL;
    dt_parked_release(&none);
    assert_int_equal(parked_now(), 0);
}

/* The connection is reset while people wait; the packet comes again by another. */
static void test_connection_dies(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 6, p);
    assert_silent(fd);
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    fd = dial();
    proxy(fd, 61, p);
    assert_silent(fd);
    assert_false(has_outcome(p, &o));
    control("set/polls_wanted/1");
    assert_int_equal(answer_to(fd, 61), ACCEPT);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
    close(fd);
}

static void test_connection_dies_for_good(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 6, p);
    assert_silent(fd);
    close(fd);
    control("set/polls_wanted/1");
    UNTIL(has_outcome(p, &o));
    assert_int_equal(o.result, DT_ALLOW);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
}

/* The same request again: by the same connection under another id, and by another connection. Only the
 * newest packet is answered, and there is one push. */
static void test_retransmits(void **state)
{
    (void)state;
    dt_parked *p = park_ignored();
    int first = dial(), second = dial();
    proxy(first, 1, p);
    proxy(first, 2, p);
    assert_silent(first);
    proxy(second, 3, p);
    assert_silent(second);
    control("set/polls_wanted/1");
    assert_int_equal(answer_to(second, 3), ACCEPT);
    assert_silent(first);
    assert_int_equal(control("count/verify"), 1);
    /* Once more after the answer: the same answer. */
    proxy(first, 4, p);
    assert_int_equal(answer_to(first, 4), ACCEPT);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
    close(first);
    close(second);
}

static void test_deadline(void **state)
{
    (void)state;
    dt_outcome o;
    open_room(DT_SECONDS(2), 0);
    control("set/polls_wanted/100000");
    dt_parked *p = park("ann", -1);
    int fd = dial();
    proxy(fd, 2, p);
    assert_int_equal(answer_to(fd, 2), REJECT);
    assert_true(has_outcome(p, &o));
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_MFA_TIMEOUT);
    UNTIL(control("count/cancel") == 1);
    /* What the person does now no longer matters. */
    control("set/polls_wanted/1");
    UNTIL(under_way() == 0);
    assert_true(has_outcome(p, &o));
    assert_int_equal(o.result, DT_DENY);
    proxy(fd, 3, p);
    assert_int_equal(answer_to(fd, 3), REJECT);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
    close(fd);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void test_driver_stops(void **state)
{
    (void)state;
    dt_outcome o;
    dt_parked *waiting = park_ignored(), *unpaired = park("bob", -1), *gone = park("cid", -1);
    int fd = dial();
    proxy(fd, 2, waiting);
    assert_silent(fd);
    dt_parked_release(&gone);
    close_all();
    assert_int_equal(answer(fd, NULL, NULL), 0);
    close(fd);
    /* The server frees its requests after its modules: nobody was let in. */
    assert_true(has_outcome(waiting, &o));
    assert_int_equal(o.result, DT_DENY);
    assert_true(has_outcome(unpaired, &o));
    assert_int_equal(o.result, DT_DENY);
    dt_parked_release(&waiting);
    dt_parked_release(&unpaired);
    assert_int_equal(audit_lines("\"result\":\"ALLOW\""), 0);
}

static void test_parking_when_it_is_over(void **state)
{
    (void)state;
    dt_signon *m = dt_driver_machine_new();
    dt_parked *p = NULL;
    machine_begin(m, "ann", 1, DT_CONVERSATION_NONE);
    dt_waiting_room_close(room);
    dt_driver_close(driver);
    assert_true(dt_waiting_room_park(room, m, dt_bytes_of(NULL, 0), &p) < 0);
    assert_null(p);
    assert_int_equal(parked_now(), 0);
    dt_driver_machine_free(&m);
}

static void test_port_in_use(void **state)
{
    (void)state;
    dt_error e = {0};
    dt_waiting_room *second = NULL;
    dt_room_options o = {.port = dt_waiting_room_port(room), .parked_max = 1};
    assert_int_equal(dt_waiting_room_open(driver, &o, &second, &e), DT_E_IO);
    assert_null(second);
    assert_non_null(strstr(e.text, "waiting_room_port"));
}

/* --- limits ------------------------------------------------------------------------------------- */

static void test_room_full(void **state)
{
    (void)state;
    dt_parked *all[PARKED_MAX], *more = NULL;
    control("set/polls_wanted/100000");
    for (int i = 0; i < PARKED_MAX; i++)
        all[i] = park("ann", -1);
    assert_int_equal(try_park("ann", -1, DT_CONVERSATION_NONE, &more), DT_E_LIMIT);
    assert_null(more);
    assert_int_equal(parked_now(), PARKED_MAX);
    dt_parked_release(&all[0]);
    UNTIL(parked_now() == PARKED_MAX - 1);
    all[0] = park("ann", -1);
    for (int i = 0; i < PARKED_MAX; i++)
        dt_parked_release(&all[i]);
    UNTIL(parked_now() == 0);
}

static void test_driver_full(void **state)
{
    (void)state;
    dt_parked *more = NULL;
    open_room(DT_SECONDS(55), 1);
    dt_parked *p = park_ignored();
    assert_int_equal(try_park("bob", -1, DT_CONVERSATION_NONE, &more), DT_E_LIMIT);
    assert_null(more);
    assert_int_equal(parked_now(), 1);
    dt_parked_release(&p);
}

static void test_too_many_connections(void **state)
{
    (void)state;
    enum { STRANGERS = DT_ROOM_CONNECTIONS_MAX + 20 };
    static int strangers[STRANGERS];
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 1, p);
    assert_silent(fd);
    for (int i = 0; i < STRANGERS; i++)
        strangers[i] = dial();
    /* The room is full of people who say nothing: they go, who waits stays. */
    int late = dial();
    proxy(late, 2, p);
    assert_silent(late);
    control("set/polls_wanted/1");
    assert_int_equal(answer_to(late, 2), ACCEPT);
    assert_true(closed_by_now(strangers, STRANGERS) >= STRANGERS + 2 - DT_ROOM_CONNECTIONS_MAX);
    /* Nobody who proved themselves goes for the next one, and never for being silent. */
    int next = dial();
    assert_silent(next);
    assert_silent(late);
    assert_silent(fd);
    int last = dial();
    for (int i = 0; i < STRANGERS; i++) {
        assert_int_equal(answer(strangers[i], NULL, NULL), 0);
        close(strangers[i]);
    }
    assert_int_equal(answer(last, NULL, NULL), 0);
    assert_silent(fd);
    dt_parked_release(&p);
    close(fd);
    close(late);
    close(next);
    close(last);
}

/* --- strangers ---------------------------------------------------------------------------------- */

static void test_strangers_are_cut_off(void **state)
{
    (void)state;
    static char const guessed[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    dt_parked *p = park_ignored();
    for (int kind = 0; kind < 6; kind++) {
        packet q;
        int fd = dial();
        char const *secret = kind == 0 ? guessed : dt_waiting_room_secret(room);
        make(&q, 1, dt_parked_ticket(p), secret,
             kind == 1   ? 0
             : kind == 2 ? 2
                         : 1,
             kind == 3 ? 600 : 0);
        if (kind == 4)
            q.b[0] = ACCEPT; /* no request */
        if (kind == 5)
            q.b[3] = 19; /* shorter than a header */
        uint64_t before = refused();
        int silent = dial(); /* is closed for its silence: later */
        send_all(fd, q.b, q.len);
        assert_int_equal(answer(fd, NULL, NULL), 0);
        assert_int_equal(closed_by_now(&silent, 1), 0);
        close(silent);
        assert_true(kind == 5 || refused() == before + 1);
        close(fd);
    }
    dt_parked_release(&p);
}

/* All of a ticket counts, not only what finds its place in the table. */
static void test_nearly_the_ticket(void **state)
{
    (void)state;
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 1, p);
    for (size_t i = 0; i < DT_RADIUS_TICKET_LEN; i++) {
        uint8_t near[DT_RADIUS_TICKET_LEN];
        packet q;
        memcpy(near, dt_parked_ticket(p).p, sizeof(near));
        near[i] ^= 0x40;
        make(&q, 2, dt_bytes_of(near, sizeof(near)), dt_waiting_room_secret(room), 1, 0);
        send_all(fd, q.b, q.len);
        assert_int_equal(answer_to(fd, 2), REJECT);
    }
    control("set/polls_wanted/1");
    assert_int_equal(answer_to(fd, 1), ACCEPT);
    dt_parked_release(&p);
    close(fd);
}

/* On a connection that proved itself the same costs nobody else their answer. */
static void test_odd_packets_among_good_ones(void **state)
{
    (void)state;
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 1, p);
    assert_silent(fd);
    for (int kind = 0; kind < 4; kind++) {
        packet q;
        uint64_t before = refused();
        make(&q, 9, dt_parked_ticket(p), kind == 0 ? "guessed" : dt_waiting_room_secret(room),
             kind == 1   ? 0
             : kind == 2 ? 2
                         : 1,
             kind == 3 ? 600 : 0);
        send_all(fd, q.b, q.len);
        UNTIL(refused() == before + 1);
    }
    control("set/polls_wanted/1");
    assert_int_equal(answer_to(fd, 1), ACCEPT);
    dt_parked_release(&p);
    close(fd);
}

/* Without its frame nothing that follows can be read. */
static void test_broken_frame_ends_the_connection(void **state)
{
    (void)state;
    static uint8_t const broken[4] = {1, 1, 0xff, 0xff};
    dt_parked *p = park_ignored();
    int fd = dial();
    proxy(fd, 1, p);
    assert_silent(fd);
    send_all(fd, broken, sizeof(broken));
    assert_int_equal(answer(fd, NULL, NULL), 0);
    close(fd);
    dt_parked_release(&p);
    UNTIL(parked_now() == 0);
}

static void test_packet_in_pieces(void **state)
{
    (void)state;
    packet q;
    dt_parked *p = park("ann", 1);
    make(&q, 1, dt_parked_ticket(p), dt_waiting_room_secret(room), 1, 0);
    int fd = dial(), on = 1;
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    for (size_t i = 0; i < q.len; i++)
        send_all(fd, q.b + i, 1);
    assert_int_equal(answer_to(fd, 1), ACCEPT);
    dt_parked_release(&p);
    close(fd);
}

/* --- threads ------------------------------------------------------------------------------------ */

/* Workers park, ask, leave early or late, while the loop answers. */
static void *worker(void *ctx)
{
    int number = *(int const *)ctx;
    int fd = dial();
    for (int i = 0; i < THREAD_LOGINS; i++) {
        dt_outcome o;
        dt_parked *p = park("ann", i % 7);
        if (i % 3 == number % 3) { /* the request dies, at about any time */
            if (i % 2 == 0)
                proxy(fd, (uint8_t)i, p);
            (void)has_outcome(p, &o);
            dt_parked_release(&p);
            if (i % 2 == 0)
                assert_int_not_equal(answer_to(fd, (uint8_t)i), 0);
            continue;
        }
        proxy(fd, (uint8_t)i, p);
        assert_int_equal(answer_to(fd, (uint8_t)i), ACCEPT);
        assert_true(has_outcome(p, &o));
        assert_int_equal(o.result, DT_ALLOW);
        dt_parked_release(&p);
    }
    close(fd);
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    UNTIL(parked_now() == 0 && under_way() == 0);
}

/* Workers give requests back while everything is being torn down. */
static void *leaver(void *ctx)
{
    dt_parked **all = ctx;
    for (int i = 0; i < PARKED_MAX / THREADS; i++)
        dt_parked_release(&all[i]);
    return NULL;
}

static void test_leaving_while_the_room_closes(void **state)
{
    (void)state;
    static dt_parked *all[PARKED_MAX];
    pthread_t threads[THREADS];
    control("set/polls_wanted/100000");
    for (int i = 0; i < PARKED_MAX; i++)
        all[i] = park("ann", -1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, leaver, all + i * (PARKED_MAX / THREADS));
    dt_waiting_room_close(room);
    dt_driver_close(driver);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    UNTIL(parked_now() == 0);
}

#define USUAL(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_setup_teardown(name, setup_bare, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        USUAL(test_accept),
        USUAL(test_look_up),
        USUAL(test_reject),
        USUAL(test_outcome_first),
        USUAL(test_no_outcome_while_waiting),
        USUAL(test_challenge),
        USUAL(test_kept_sign_on_that_has_ended),
        USUAL(test_a_repeated_answer_joins),
        USUAL(test_another_answer_joins_nobody),
        USUAL(test_a_first_that_does_not_go_on),
        USUAL(test_the_first_leaves),
        USUAL(test_all_leave),
        USUAL(test_an_answer_is_forgotten),
        USUAL(test_closing_with_answers),
        USUAL(test_request_dies_first),
        USUAL(test_request_dies_before_its_packet),
        USUAL(test_leaving_nothing),
        USUAL(test_connection_dies),
        USUAL(test_connection_dies_for_good),
        USUAL(test_retransmits),
        OWN(test_deadline),
        USUAL(test_driver_stops),
        USUAL(test_parking_when_it_is_over),
        USUAL(test_port_in_use),
        USUAL(test_room_full),
        OWN(test_driver_full),
        USUAL(test_too_many_connections),
        USUAL(test_strangers_are_cut_off),
        USUAL(test_nearly_the_ticket),
        USUAL(test_odd_packets_among_good_ones),
        USUAL(test_broken_frame_ends_the_connection),
        USUAL(test_packet_in_pieces),
        USUAL(test_many_threads),
        USUAL(test_leaving_while_the_room_closes),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
