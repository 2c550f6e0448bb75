/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver with real sign-ons against a server that plays Okta, Entra and Graph: one and by the
 * thousand, cut short in every way, from many threads. */
#include "odd_https.h"

#include "driver/driver.h"
#include "driver/internal.h"
#include "edge/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY 1000
#define THREADS 4
#define THREAD_RUNS 300
#define WAIT_LIMIT DT_SECONDS(110)
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_start = odd_mono();                                                          \
        while (!(condition)) {                                                                     \
            assert_true(odd_mono() - until_start < ODD_PATIENCE);                                  \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

static odd_https server;
static odd_loop loop; /* for the server's control paths only */
static dt_driver *driver;
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
    char beside[160];
    unlink(audit_path);
    unlink(store_path);
    snprintf(beside, sizeof(beside), "%s-wal", store_path);
    unlink(beside);
    snprintf(beside, sizeof(beside), "%s-shm", store_path);
    unlink(beside);
}

static int try_driver(bool own_thread, int runs_max, dt_error *e)
{
    dt_driver_options o = {
        .config_path = config_path, .own_thread = own_thread, .runs_max = runs_max};
    return dt_driver_new(&o, &driver, e);
}

static void open_driver(bool own_thread, int runs_max)
{
    dt_error e = {0};
    int rc = try_driver(own_thread, runs_max, &e);
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
    open_driver(true, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dt_driver_free(&driver);
    odd_loop_close(&loop);
    return 0;
}

/* --- sign-ons ----------------------------------------------------------------------------------- */

/* What doors were told; counted under a lock, since the loop's thread tells. */
typedef struct told {
    pthread_mutex_t lock;
    int done, lost, allowed, trusted, prompts, suspended;
    int causes[DT_CAUSE_COUNT];
    dt_outcome last;
    dt_prompt prompt;
    dt_run *run;
    dt_signon *saved;
    bool answer_at_once;
} told;

#define TOLD_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

static int locked(told *t, int const *n)
{
    pthread_mutex_lock(&t->lock);
    int v = *n;
    pthread_mutex_unlock(&t->lock);
    return v;
}

static void on_done(void *ctx, dt_outcome const *o, dt_signon const *machine)
{
    told *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->lost += machine == NULL;
    t->done++;
    t->allowed += o->result == DT_ALLOW;
    t->trusted += o->verdict.trust == DT_TRUST_TRUSTED;
    t->causes[o->cause]++;
    t->last = *o;
    pthread_mutex_unlock(&t->lock);
}

static void on_prompt(void *ctx, dt_run *run, dt_prompt const *prompt)
{
    told *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->prompts++;
    t->prompt = *prompt;
    t->run = run;
    bool answer = t->answer_at_once && !prompt->info;
    pthread_mutex_unlock(&t->lock);
    if (answer)
        dt_run_answer(run, dt_bytes_str(""));
}

static void on_suspend(void *ctx, dt_run *run, dt_signon const *machine, dt_prompt const *prompt)
{
    told *t = ctx;
    assert_non_null(run);
    pthread_mutex_lock(&t->lock);
    t->suspended++;
    t->prompt = *prompt;
    dt_signon_copy(t->saved, machine);
    pthread_mutex_unlock(&t->lock);
}

static dt_door const door = {
    .name = "radius", .prompt = on_prompt, .suspend = on_suspend, .done = on_done};

static char const *device_of(int number)
{
    static _Thread_local char text[64];
    snprintf(text, sizeof(text), "aaaaaaaa-0000-4000-8000-%012x", (unsigned)number);
    return text;
}

/* A machine for a user; with a device number of 0 or more the VPN client names a device. */
static dt_signon *machine_of(char const *user, int device, dt_conversation c, bool explain)
{
    dt_signon *m = dt_driver_machine_new();
    dt_ruleset ruleset = dt_site_ruleset(dt_driver_site(driver), "vpn");
    char id[DT_SIGNON_ID_LEN + 1];
    assert_int_equal(dt_host_random_id(id), 0);
    dt_request r = {
        .id = id,
        .application = "vpn",
        .user = user,
        .client_ip = "192.0.2.1",
        .nas = "nas",
        .station = "station",
        .tty = "",
        .vpn_device_id = device >= 0 ? device_of(device) : "",
        .conversation = c,
        .push_prompt = c == DT_CONVERSATION_CHALLENGE,
        .explain = explain,
        .passcode = "",
        .push_key = id,
        .wait_limit = WAIT_LIMIT,
    };
    assert_int_equal(dt_host_random(r.random, sizeof(r.random)), 0);
    dt_signon_begin(m, &ruleset, &r, dt_host_now());
    return m;
}

static int submit_as(told *t, char const *user, int device, dt_conversation c, bool explain,
                     dt_run **run)
{
    dt_signon *m = machine_of(user, device, c, explain);
    int rc = dt_driver_submit(driver, m, &door, t, run);
    dt_driver_machine_free(&m);
    return rc;
}

static void submit(told *t, char const *user, int device)
{
    assert_int_equal(submit_as(t, user, device, DT_CONVERSATION_NONE, false, NULL), 0);
}

/* Verdict and decision only: no MFA. */
static void explain(told *t, int device)
{
    assert_int_equal(submit_as(t, "ann", device, DT_CONVERSATION_NONE, true, NULL), 0);
}

static void wait_done(told *t, int n)
{
    UNTIL(locked(t, &t->done) >= n);
    assert_int_equal(locked(t, &t->done), n);
}

static int audit_lines(char const *with)
{
    char line[DT_AUDIT_EVENT_MAX + 1];
    int lines = 0;
    FILE *f = fopen(audit_path, "r");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        assert_int_equal(line[strlen(line) - 1], '\n');
        lines += strstr(line, with) != NULL;
    }
    fclose(f);
    return lines;
}

static int sign_on_events(void)
{
    return audit_lines("\"interface\":\"radius\"") - audit_lines("Authentication of device");
}

/* --- queues ------------------------------------------------------------------------------------- */

typedef struct gate {
    pthread_mutex_t lock;
    atomic_bool entered;
    atomic_int passed;
} gate;

static void hold_the_loop(void *ctx)
{
    gate *g = ctx;
    atomic_store(&g->entered, true);
    pthread_mutex_lock(&g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void pass_the_gate(void *ctx)
{
    atomic_fetch_add(&((gate *)ctx)->passed, 1);
}

static void test_posts_are_bounded(void **state)
{
    (void)state;
    gate g = {.lock = PTHREAD_MUTEX_INITIALIZER};
    int taken = 0, rc;
    pthread_mutex_lock(&g.lock);
    assert_int_equal(dt_driver_post(driver, hold_the_loop, &g), 0);
    UNTIL(atomic_load(&g.entered));
    while ((rc = dt_driver_post(driver, pass_the_gate, &g)) == 0 && taken <= DT_DRIVER_POSTS_MAX)
        taken++;
    pthread_mutex_unlock(&g.lock);
    assert_int_equal(rc, DT_E_LIMIT);
    assert_int_equal(taken, DT_DRIVER_POSTS_MAX);
    UNTIL(atomic_load(&g.passed) == taken);
}

/* What does not fit is counted, whole, and what came before stays whole. */
static void test_lost_audit_events_are_counted(void **state)
{
    (void)state;
    static char line[64 * 1024];
    dt_audit_sink *sink = NULL;
    dt_audit_queue *q = NULL;
    dt_error e = {0};
    unsigned taken = 0;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(dt_audit_sink_open(audit_path, false, &sink, &e), 0);
    assert_int_equal(dt_audit_queue_new(sink, &q, &e), 0);
    for (; dt_audit_queue_dropped(q) == 0; taken++) {
        assert_true(taken <= DT_AUDIT_QUEUE_MAX / sizeof(line));
        (void)dt_audit_queue_put(q, dt_bytes_of(line, sizeof(line)), true, "note");
    }
    assert_int_equal(dt_audit_queue_dropped(q), 1);
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    dt_audit_queue_free(&q);
    struct stat s;
    assert_int_equal(stat(audit_path, &s), 0);
    assert_int_equal(s.st_size, (taken - 1) * sizeof(line));
}

/* --- trusted devices ---------------------------------------------------------------------------- */

static void test_trusted(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    submit(&t, "ann", 1);
    wait_done(&t, 1);
    assert_int_equal(t.last.result, DT_ALLOW);
    assert_int_equal(t.last.cause, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_TRUSTED);
    assert_int_equal(t.last.graph_calls, 1);
    assert_int_equal(t.last.okta_calls, 0);
    assert_int_equal(control("count/token"), 1);
    assert_int_equal(control("count/device"), 1);
    /* From now on no thread waits, and nobody is asked. */
    for (int i = 0; i < 10; i++) {
        dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
        assert_true(dt_driver_run_inline(driver, m, "radius"));
        assert_int_equal(dt_signon_outcome(m)->result, DT_ALLOW);
        assert_int_equal(dt_signon_outcome(m)->graph_calls, 0);
        dt_driver_machine_free(&m);
    }
    assert_int_equal(control("count/device"), 1);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), 11);
    assert_int_equal(audit_lines("Authentication of device"), 11);
}

static void test_inline_stops_where_it_must_wait(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    dt_signon *m = machine_of("ann", 7, DT_CONVERSATION_NONE, false);
    assert_false(dt_driver_run_inline(driver, m, "radius"));
    assert_false(dt_signon_is_done(m));
    assert_false(dt_driver_run_inline(driver, m, "radius"));
    assert_int_equal(control("count/device"), 0);
    assert_int_equal(dt_driver_submit(driver, m, &door, &t, NULL), 0);
    dt_driver_machine_free(&m); /* it was copied */
    wait_done(&t, 1);
    assert_int_equal(t.allowed, 1);
}

static void test_not_compliant(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/compliance/noncompliant");
    explain(&t, 1);
    wait_done(&t, 1);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_NOT_TRUSTED);
    assert_int_equal(t.last.verdict.reason, DT_REASON_NOT_COMPLIANT);
}

/* --- the token ---------------------------------------------------------------------------------- */

static void test_token_is_fetched_once_for_all(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/token_delay/0.5");
    for (int i = 0; i < 100; i++)
        submit(&t, "ann", i);
    wait_done(&t, 100);
    assert_int_equal(t.allowed, 100);
    assert_int_equal(control("count/token"), 1);
    assert_int_equal(control("count/device"), 100);
    assert_int_equal(control("count/device_unauthorized"), 0);
}

static void assert_no_token(char const *mode)
{
    told t = TOLD_INIT;
    char set[64];
    snprintf(set, sizeof(set), "set/token_mode/%s", mode);
    control(set);
    for (int i = 0; i < 50; i++)
        explain(&t, i);
    wait_done(&t, 50);
    /* One after the other: none of them may be worth a question to Entra of its own. */
    for (int i = 0; i < 50; i++) {
        explain(&t, i);
        wait_done(&t, 51 + i);
    }
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(t.last.verdict.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_int_equal(control("count/device"), 0);
    assert_in_range(control("count/token"), 1, 3);
}

static void test_token_refused(void **state)
{
    (void)state;
    assert_no_token("refuse");
}

static void test_token_garbage(void **state)
{
    (void)state;
    assert_no_token("garbage");
}

static void test_tokens_that_expire_at_once(void **state)
{
    (void)state;
    control("set/token_life/1");
    assert_no_token("ok");
}

/* Entra comes back: so do the sign-ons, after a pause that is short at first. */
static void test_token_recovers(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/token_mode/refuse");
    explain(&t, 1);
    wait_done(&t, 1);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    control("set/token_mode/ok");
    int64_t start = odd_mono();
    do {
        assert_true(odd_mono() - start < ODD_PATIENCE);
        int before = locked(&t, &t.done);
        explain(&t, 1);
        wait_done(&t, before + 1);
    } while (t.last.verdict.trust != DT_TRUST_TRUSTED);
    assert_int_equal(control("count/token"), 2);
}

static void test_token_is_renewed_after_a_401(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    submit(&t, "ann", 0);
    wait_done(&t, 1);
    control("revoke");
    for (int i = 1; i <= 20; i++)
        submit(&t, "ann", i);
    wait_done(&t, 21);
    assert_int_equal(t.allowed, 21);
    assert_int_equal(control("count/token"), 2);
    assert_in_range(control("count/device_unauthorized"), 1, 20);
}

/* The refusals of one token come together, and the next is not there yet: nobody goes without. */
static void test_refusals_that_come_together(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    explain(&t, 0);
    wait_done(&t, 1);
    control("revoke");
    control("set/token_delay/0.5");
    for (int i = 1; i <= 20; i++)
        explain(&t, i);
    wait_done(&t, 21);
    assert_int_equal(t.trusted, 21);
    assert_int_equal(control("count/token"), 2);
}

/* A Graph that refuses every token: each call once more at most, and Entra is left in peace. */
static void test_graph_refuses_always(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/graph_mode/unauthorized");
    for (int i = 0; i < 20; i++)
        explain(&t, i);
    wait_done(&t, 20);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    assert_in_range(control("count/token"), 1, 2);
    assert_in_range(control("count/device"), 20, 40);
}

/* Behind its time a token is none, also when there is no other. */
static void test_expired_token_is_not_used(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    int i = 0;
    control("set/token_life/6");
    explain(&t, i++);
    wait_done(&t, i);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_TRUSTED);
    control("set/token_mode/refuse");
    int64_t start = odd_mono();
    do {
        assert_true(odd_mono() - start < ODD_PATIENCE);
        usleep(100000);
        explain(&t, i++);
        wait_done(&t, i);
    } while (t.last.verdict.trust == DT_TRUST_TRUSTED);
    int asked = control("count/device");
    explain(&t, i++);
    wait_done(&t, i);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(control("count/device"), asked);
}

/* One after the other: no new token for each of them. */
static void test_refusals_do_not_hammer_entra(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    int64_t start = odd_mono();
    control("set/graph_mode/unauthorized");
    for (int i = 0; i < 15; i++) {
        explain(&t, i);
        wait_done(&t, i + 1);
    }
    int64_t intervals = (odd_mono() - start) / DT_TOKEN_DROP_INTERVAL;
    assert_true(control("count/token") <= 2 + intervals);
}

/* The same of a Graph that takes its time: the second refusal is the answer, however old the first. */
static void test_graph_refuses_slowly(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/graph_mode/unauthorized");
    control("set/unauthorized_delay/6"); /* longer than a token is kept in spite of a refusal */
    explain(&t, 1);
    wait_done(&t, 1);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(control("count/device"), 2);
}

static void test_token_is_renewed_early(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/token_life/8"); /* to be renewed at half of it, being so short */
    int64_t start = odd_mono();
    int i = 0;
    do {
        assert_true(odd_mono() - start < ODD_PATIENCE);
        explain(&t, i);
        wait_done(&t, ++i);
        assert_int_equal(t.last.verdict.trust, DT_TRUST_TRUSTED);
    } while (control("count/token") < 2);
}

/* --- push --------------------------------------------------------------------------------------- */

static void test_push(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/polls_wanted/2");
    submit(&t, "ann", -1);
    wait_done(&t, 1);
    assert_int_equal(t.last.result, DT_ALLOW);
    assert_int_equal(t.last.cause, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(control("count/verify"), 1);
    assert_int_equal(control("count/poll"), 2);
    assert_int_equal(control("count/cancel"), 0);
}

/* The org takes no poll for now. */
static void on_close_polls(void *ctx)
{
    driver->budget.windows[DT_OKTA_KIND_POLL].closed_until = dt_driver_mono() + DT_HOURS(1);
    atomic_store((atomic_bool *)ctx, true);
}

typedef struct poll_line {
    atomic_bool there;
    bool waits;
} poll_line;

static void on_look_at_line(void *ctx)
{
    poll_line *l = ctx;
    l->waits = driver->poll_first != NULL;
    atomic_store(&l->there, true);
}

static bool somebody_waits_to_poll(void)
{
    poll_line l = {0};
    assert_int_equal(dt_driver_post(driver, on_look_at_line, &l), 0);
    UNTIL(atomic_load(&l.there));
    return l.waits;
}

/* A poll that is due waits for its turn, however often the loop comes round; who needs none is not held up. */
static void test_polls_wait_for_their_turn(void **state)
{
    (void)state;
    told t = TOLD_INIT, other = TOLD_INIT;
    atomic_bool closed = false;
    control("set/polls_wanted/1");
    assert_int_equal(dt_driver_post(driver, on_close_polls, &closed), 0);
    UNTIL(atomic_load(&closed));
    submit(&t, "ann", -1);
    UNTIL(somebody_waits_to_poll());
    for (int device = 1; device <= 5; device++) {
        explain(&other, device);
        wait_done(&other, device);
    }
    assert_true(somebody_waits_to_poll());
    assert_int_equal(control("count/verify"), 1);
    assert_int_equal(control("count/poll"), 0);
    assert_int_equal(locked(&t, &t.done), 0);
    dt_driver_close(driver);
    assert_int_equal(locked(&t, &t.done), 1);
}

static void test_thousands_of_pushes(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/polls_wanted/2");
    for (int i = 0; i < MANY; i++) {
        char user[32];
        snprintf(user, sizeof(user), "user%d", i);
        submit(&t, user, -1);
    }
    dt_driver_stats stats;
    dt_driver_stats_get(driver, &stats);
    assert_int_equal(stats.runs, MANY);
    assert_true(stats.runs_under_way > 0);
    wait_done(&t, MANY);
    assert_int_equal(t.allowed, MANY);
    assert_int_equal(control("count/verify"), MANY);
    UNTIL((dt_driver_stats_get(driver, &stats), stats.runs_under_way == 0));
    assert_int_equal(stats.audit_dropped, 0);
    assert_true(stats.http_calls >= MANY * 4);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), MANY);
}

/* What the loop's runs are kept by. */
typedef struct kept {
    atomic_bool there;
    int waiting, packed;
    size_t most; /* bytes of one machine */
    size_t rooms;
    bool traces; /* somebody's name is in a room in which nobody is driven */
} kept;

static void on_look(void *ctx)
{
    kept *k = ctx;
    for (dt_run *run = driver->runs; run != NULL; run = run->next) {
        k->waiting++;
        k->packed += run->machine == NULL;
        if (run->packed.len > k->most)
            k->most = run->packed.len;
    }
    k->rooms = driver->room_count;
    for (size_t i = 0; i < driver->room_count; i++)
        k->traces =
            k->traces || memmem(driver->rooms[i], dt_signon_size() + dt_signon_scratch_size(),
                                "user", 4) != NULL;
    atomic_store(&k->there, true);
}

static kept look_at_runs(void)
{
    kept k = {0};
    assert_int_equal(dt_driver_post(driver, on_look, &k), 0);
    UNTIL(atomic_load(&k.there));
    return k;
}

/* However many wait, for a push or for a reply: each has its packed form, and no room. */
static void test_who_waits_is_small(void **state)
{
    (void)state;
    enum { WAITING = 300 };
    told t = TOLD_INIT;
    control("set/polls_wanted/1000000");
    for (int i = 0; i < WAITING; i++) {
        char user[32];
        snprintf(user, sizeof(user), "user%d", i);
        submit(&t, user, -1);
    }
    for (int i = 0; i < 20; i++) { /* in whatever they wait for at the time */
        kept k = look_at_runs();
        assert_int_equal(k.packed, k.waiting);
        assert_true(k.most < 4096);
        assert_false(k.traces);
        usleep(20000);
    }
    UNTIL(control("count/poll") >= WAITING);
    kept k = look_at_runs();
    assert_int_equal(k.waiting, WAITING);
    assert_int_equal(k.packed, WAITING);
    assert_in_range(k.most, 500, 4095);
    assert_in_range(k.rooms, 1, DT_DRIVER_ROOMS);
    assert_true(sizeof(dt_run) < 512);
    dt_driver_close(driver);
    assert_int_equal(locked(&t, &t.done), WAITING);
    assert_int_equal(t.causes[DT_CAUSE_BUSY], WAITING);
}

static void on_lose(void *ctx)
{
    dt_run *run = ctx;
    run->packed.len = 10;
    dt_run_step(run);
}

/* As where there is no memory for its room: nobody is let in, and the door hears of it. */
static void test_a_machine_that_is_lost(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    dt_run *run = NULL;
    control("set/polls_wanted/1000000");
    assert_int_equal(submit_as(&t, "ann", -1, DT_CONVERSATION_NONE, false, &run), 0);
    UNTIL(control("count/poll") > 0);
    UNTIL(look_at_runs().packed == 1);
    assert_int_equal(dt_driver_post(driver, on_lose, run), 0);
    wait_done(&t, 1);
    assert_int_equal(t.lost, 1);
    assert_int_equal(t.last.result, DT_DENY);
    assert_int_equal(t.last.cause, DT_CAUSE_INTERNAL);
    UNTIL(audit_lines("no memory for a sign-on that waited") == 1);
    UNTIL(look_at_runs().waiting == 0);
    submit(&t, "eve", -1); /* the next one is none the worse for it */
    control("set/polls_wanted/1");
    wait_done(&t, 2);
    assert_int_equal(t.last.cause, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(t.lost, 1);
}

typedef struct act {
    dt_run *run;
    dt_cause cause;
    bool detach;
} act;

static void on_act(void *ctx)
{
    act *a = ctx;
    if (a->detach)
        dt_run_detach(a->run, a->cause);
    else
        dt_run_abandon(a->run, a->cause);
}

static dt_run *start_push_that_nobody_answers(told *t)
{
    dt_run *run = NULL;
    control("set/polls_wanted/1000000");
    assert_int_equal(submit_as(t, "ann", -1, DT_CONVERSATION_NONE, false, &run), 0);
    assert_non_null(run);
    UNTIL(control("count/poll") > 0);
    return run;
}

static void test_abandon(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    act a = {start_push_that_nobody_answers(&t), DT_CAUSE_CLIENT_GONE, false};
    assert_int_equal(dt_driver_post(driver, on_act, &a), 0);
    wait_done(&t, 1);
    assert_int_equal(t.last.result, DT_DENY);
    assert_int_equal(t.last.cause, DT_CAUSE_CLIENT_GONE);
    assert_int_equal(control("count/cancel"), 1);
}

static void test_detach(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    act a = {start_push_that_nobody_answers(&t), DT_CAUSE_CLIENT_GONE, true};
    assert_int_equal(dt_driver_post(driver, on_act, &a), 0);
    UNTIL(control("count/cancel") == 1);
    UNTIL(sign_on_events() == 1);
    assert_int_equal(locked(&t, &t.done), 0);
    assert_int_equal(audit_lines("CLIENT_GONE") > 0, 1);
}

/* The client leaves while its request waits for the token, or for the reply. */
static void leave_during(char const *setting, bool detach)
{
    told t = TOLD_INIT;
    dt_run *run = NULL;
    control(setting);
    assert_int_equal(submit_as(&t, "ann", 1, DT_CONVERSATION_NONE, false, &run), 0);
    UNTIL(control("count/token") == 1);
    if (strstr(setting, "graph") != NULL)
        UNTIL(control("count/device") == 1);
    act a = {run, DT_CAUSE_CLIENT_GONE, detach};
    assert_int_equal(dt_driver_post(driver, on_act, &a), 0);
    UNTIL(sign_on_events() == 1);
    UNTIL(locked(&t, &t.done) == !detach);
    assert_int_equal(t.allowed, 0);
    assert_int_equal(audit_lines("CLIENT_GONE") > 0, 1);
}

static void test_abandon_while_the_token_comes(void **state)
{
    (void)state;
    leave_during("set/token_delay/0.5", false);
}

static void test_abandon_while_the_reply_comes(void **state)
{
    (void)state;
    leave_during("set/graph_delay/0.5", false);
}

static void test_detach_while_the_reply_comes(void **state)
{
    (void)state;
    leave_during("set/graph_delay/0.5", true);
}

/* --- one question for all ----------------------------------------------------------------------- */

static void test_one_question_per_device(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/graph_delay/0.5");
    for (int i = 0; i < 500; i++)
        explain(&t, 7);
    explain(&t, 8);
    wait_done(&t, 501);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_TRUSTED);
    assert_int_equal(control("count/device"), 2);
}

/* All get the answer, also when it is none. */
static void test_one_failure_for_all(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/graph_mode/unauthorized");
    control("set/unauthorized_delay/0.3");
    for (int i = 0; i < 100; i++)
        explain(&t, 7);
    wait_done(&t, 100);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(t.allowed, 0);
    /* Once with the token there was, once with a new one. */
    assert_int_equal(control("count/device"), 2);
    assert_int_equal(control("count/token"), 2);
}

/* Who asked first leaves, and the others still get its answer; when all leave, so does the call. */
static void test_the_first_to_ask_leaves(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    dt_run *runs[3] = {NULL};
    control("set/graph_delay/0.5");
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit_as(&t, "ann", 7, DT_CONVERSATION_NONE, false, &runs[i]), 0);
    UNTIL(control("count/device") == 1);
    act first = {runs[0], DT_CAUSE_CLIENT_GONE, false};
    assert_int_equal(dt_driver_post(driver, on_act, &first), 0);
    wait_done(&t, 3);
    assert_int_equal(t.allowed, 2);
    assert_int_equal(control("count/device"), 1);

    told all = TOLD_INIT;
    act each[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit_as(&all, "ann", 9, DT_CONVERSATION_NONE, false, &runs[i]), 0);
    UNTIL(control("count/device") == 2);
    for (int i = 0; i < 3; i++) {
        each[i] = (act){runs[i], DT_CAUSE_CLIENT_GONE, false};
        assert_int_equal(dt_driver_post(driver, on_act, &each[i]), 0);
    }
    wait_done(&all, 3);
    assert_int_equal(all.allowed, 0);
    /* The next one asks anew. */
    explain(&t, 9);
    wait_done(&t, 4);
    assert_int_equal(t.last.verdict.trust, DT_TRUST_TRUSTED);
    assert_int_equal(control("count/device"), 3);
}

/* --- prompts ------------------------------------------------------------------------------------ */

static void test_prompt_answered_from_within(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/number/42");
    t.answer_at_once = true;
    assert_int_equal(submit_as(&t, "ann", -1, DT_CONVERSATION_LIVE, false, NULL), 0);
    wait_done(&t, 1);
    assert_int_equal(t.last.cause, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(t.prompts, 1);
    assert_non_null(strstr(t.prompt.text, "42"));
}

static void on_prompt_leave(void *ctx, dt_run *run, dt_prompt const *prompt)
{
    (void)prompt;
    pthread_mutex_lock(&((told *)ctx)->lock);
    ((told *)ctx)->prompts++;
    pthread_mutex_unlock(&((told *)ctx)->lock);
    dt_run_detach(run, DT_CAUSE_CLIENT_GONE);
}

/* The client leaves while it is being asked: the door forgets the run from within the callback. */
static void test_detach_from_within(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/number/42");
    dt_door const leaver = {.name = "radius", .prompt = on_prompt_leave, .done = on_done};
    dt_signon *m = machine_of("ann", -1, DT_CONVERSATION_LIVE, false);
    assert_int_equal(dt_driver_submit(driver, m, &leaver, &t, NULL), 0);
    dt_driver_machine_free(&m);
    UNTIL(sign_on_events() == 1);
    assert_int_equal(locked(&t, &t.prompts), 1);
    assert_int_equal(locked(&t, &t.done), 0);
    assert_int_equal(control("count/cancel"), 1);
}

static void on_done_again(void *ctx, dt_outcome const *o, dt_signon const *machine)
{
    told *t = ctx;
    on_done(ctx, o, machine);
    if (locked(t, &t->done) < 5)
        submit(t, "ann", -1);
    if (t->run != NULL)
        dt_run_abandon(t->run, DT_CAUSE_CLIENT_GONE);
    t->run = NULL;
}

/* The end of one run begins another and ends a third. */
static void test_done_starts_and_ends_others(void **state)
{
    (void)state;
    told t = TOLD_INIT, third = TOLD_INIT;
    t.run = start_push_that_nobody_answers(&third);
    dt_door const again = {.name = "radius", .done = on_done_again};
    dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    assert_int_equal(dt_driver_submit(driver, m, &again, &t, NULL), 0);
    dt_driver_machine_free(&m);
    wait_done(&third, 1);
    assert_int_equal(third.last.cause, DT_CAUSE_CLIENT_GONE);
    UNTIL(control("count/verify") == 2);
    control("set/polls_wanted/1");
    wait_done(&t, 2);
    assert_int_equal(t.allowed, 2);
}

static void on_late_answer(void *ctx)
{
    told *t = ctx;
    char long_answer[DT_ANSWER_MAX + 10];
    memset(long_answer, '1', sizeof(long_answer));
    dt_run_answer(t->run, dt_bytes_of(long_answer, sizeof(long_answer)));
}

static void test_prompt_answered_later(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/number/42");
    control("set/polls_wanted/1000000");
    assert_int_equal(submit_as(&t, "ann", -1, DT_CONVERSATION_LIVE, false, NULL), 0);
    UNTIL(locked(&t, &t.prompts) == 1);
    assert_int_equal(dt_driver_post(driver, on_late_answer, &t), 0);
    control("set/polls_wanted/1");
    wait_done(&t, 1);
    assert_int_equal(t.last.cause, DT_CAUSE_MFA_SUCCESS);
}

/* A CHALLENGE conversation ends here and goes on with another request. */
static void test_suspend(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    t.saved = dt_driver_machine_new();
    control("set/number/42");
    assert_int_equal(submit_as(&t, "ann", -1, DT_CONVERSATION_CHALLENGE, false, NULL), 0);
    UNTIL(locked(&t, &t.suspended) == 1);
    assert_int_equal(t.done, 0);
    dt_driver_stats stats;
    UNTIL((dt_driver_stats_get(driver, &stats), stats.runs_under_way == 0));

    dt_buf text;
    dt_buf_init(&text, DT_SIGNON_SAVED_MAX);
    dt_ruleset ruleset = dt_site_ruleset(dt_driver_site(driver), "vpn");
    assert_int_equal(dt_signon_save(t.saved, &text), 0);
    assert_int_equal(dt_signon_load(t.saved, &ruleset, dt_buf_bytes(&text)), 0);
    dt_buf_free(&text);
    dt_signon_answer(t.saved, dt_bytes_str(""), dt_host_now());
    assert_int_equal(dt_driver_submit(driver, t.saved, &door, &t, NULL), 0);
    wait_done(&t, 1);
    assert_int_equal(t.last.cause, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(control("count/verify"), 1);
    dt_driver_machine_free(&t.saved);
    UNTIL(sign_on_events() == 1);
}

static void test_suspend_without_a_taker(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/number/42");
    dt_door const no_suspend = {.name = "radius", .done = on_done};
    dt_signon *m = machine_of("ann", -1, DT_CONVERSATION_CHALLENGE, false);
    assert_int_equal(dt_driver_submit(driver, m, &no_suspend, &t, NULL), 0);
    dt_driver_machine_free(&m);
    wait_done(&t, 1);
    assert_int_equal(t.last.result, DT_DENY);
}

/* --- holding a thread --------------------------------------------------------------------------- */

static void test_blocking(void **state)
{
    (void)state;
    dt_outcome o;
    dt_signon *m = machine_of("ann", 3, DT_CONVERSATION_NONE, false);
    assert_int_equal(dt_driver_run_blocking(driver, m, "radius", WAIT_LIMIT, &o), 0);
    assert_int_equal(o.result, DT_ALLOW);
    assert_true(dt_signon_is_done(m));
    assert_int_equal(dt_signon_outcome(m)->verdict.trust, DT_TRUST_TRUSTED);
    dt_driver_machine_free(&m);
}

static void test_blocking_limit(void **state)
{
    (void)state;
    dt_outcome o;
    control("set/polls_wanted/1000000");
    dt_signon *m = machine_of("ann", -1, DT_CONVERSATION_NONE, false);
    int64_t start = odd_mono();
    assert_int_equal(dt_driver_run_blocking(driver, m, "radius", 1500, &o), 0);
    assert_true(odd_mono() - start >= 1500);
    assert_true(odd_mono() - start < ODD_SOON);
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_MFA_TIMEOUT);
    dt_driver_machine_free(
        &m); /* the run goes on by itself, and cancels the push if there was one */
    dt_driver_stats stats;
    UNTIL((dt_driver_stats_get(driver, &stats), stats.runs_under_way == 0));
    assert_int_equal(control("count/cancel"), control("count/verify"));
}

static void on_blocking_from_loop(void *ctx)
{
    dt_outcome o = {.result = DT_ALLOW};
    dt_signon *m = machine_of("ann", 3, DT_CONVERSATION_NONE, false);
    *(atomic_int *)ctx = dt_driver_run_blocking(driver, m, "radius", 1000, &o);
    assert_int_equal(o.result, DT_DENY);
    dt_driver_machine_free(&m);
}

static void test_blocking_from_the_loop(void **state)
{
    (void)state;
    atomic_int rc = 1;
    assert_int_equal(dt_driver_post(driver, on_blocking_from_loop, &rc), 0);
    UNTIL(rc != 1);
    assert_int_equal(rc, DT_E_STATE);
}

/* A person has one push at a time, so each of them is somebody else. */
typedef struct blocked_login {
    char user[16];
    dt_cause cause;
} blocked_login;

static void *block(void *ctx)
{
    blocked_login *b = ctx;
    dt_outcome o;
    dt_signon *m = machine_of(b->user, -1, DT_CONVERSATION_NONE, false);
    assert_int_equal(dt_driver_run_blocking(driver, m, "radius", WAIT_LIMIT, &o), 0);
    assert_int_equal(o.result, DT_DENY);
    b->cause = o.cause;
    dt_driver_machine_free(&m);
    return NULL;
}

/* The driver stops: whoever waits is let go. */
static void test_blocking_ends_with_the_driver(void **state)
{
    (void)state;
    blocked_login waiting[THREADS] = {0};
    pthread_t threads[THREADS];
    control("set/polls_wanted/1000000");
    for (int i = 0; i < THREADS; i++) {
        snprintf(waiting[i].user, sizeof(waiting[i].user), "user%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, block, &waiting[i]), 0);
    }
    UNTIL(control("count/poll") > 0);
    dt_driver_close(driver);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiting[i].cause, DT_CAUSE_BUSY);
    }
    assert_int_equal(control("count/cancel"), control("count/verify"));
}

/* --- refreshes ---------------------------------------------------------------------------------- */

static void test_refresh(void **state)
{
    (void)state;
    dt_guid g;
    dt_driver_stats stats;
    assert_int_equal(dt_guid_parse(dt_bytes_str(device_of(5)), &g), 0);
    control("set/graph_delay/0.3");
    for (int i = 0; i < 50; i++)
        dt_driver_refresh(driver, &g);
    UNTIL((dt_driver_stats_get(driver, &stats), stats.runs_under_way == 0));
    dt_driver_refresh(driver, &g); /* a moment ago */
    UNTIL((dt_driver_stats_get(driver, &stats), stats.runs_under_way == 0));
    assert_int_equal(control("count/device"), 1);
    dt_guid nobody = {""};
    dt_driver_refresh(driver, &nobody);
    /* Its answer is there: no thread has to wait. */
    dt_signon *m = machine_of("ann", 5, DT_CONVERSATION_NONE, false);
    assert_true(dt_driver_run_inline(driver, m, "radius"));
    dt_driver_machine_free(&m);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), 1); /* a refresh is no sign-on */
}

/* --- the end ------------------------------------------------------------------------------------ */

static void stop_with(int pushes, int stalled)
{
    told t = TOLD_INIT;
    control("set/polls_wanted/1000000");
    for (int i = 0; i < pushes; i++) {
        char user[32];
        snprintf(user, sizeof(user), "user%d", i);
        submit(&t, user, -1);
    }
    UNTIL(control("count/verify") == pushes);
    control("set/graph_delay/1000");
    for (int i = 0; i < stalled; i++)
        submit(&t, "ann", i);
    int64_t start = odd_mono();
    dt_driver_close(driver);
    assert_true(odd_mono() - start < ODD_SOON);
    assert_int_equal(t.done, pushes + stalled);
    assert_int_equal(t.allowed, 0);
    assert_int_equal(t.causes[DT_CAUSE_BUSY], pushes + stalled);
    assert_int_equal(control("count/cancel"), pushes);
    assert_int_equal(sign_on_events(), pushes + stalled);
    assert_int_equal(submit_as(&t, "ann", 1, DT_CONVERSATION_NONE, false, NULL), DT_E_STATE);
    assert_int_equal(dt_driver_post(driver, on_act, NULL), DT_E_STATE);
    dt_driver_close(driver);
    dt_driver_free(&driver);
    assert_null(driver);
}

static void test_stop_with_everything_in_flight(void **state)
{
    (void)state;
    stop_with(100, 60);
}

/* Okta does not even answer the cancelling: the end comes all the same. */
static void test_stop_with_a_dead_okta(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    control("set/polls_wanted/1000000");
    submit(&t, "ann", -1);
    UNTIL(control("count/poll") > 0);
    control("set/okta_delay/1000");
    int64_t start = odd_mono();
    dt_driver_free(&driver);
    assert_true(odd_mono() - start < ODD_SOON);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.last.result, DT_DENY);
    assert_int_equal(sign_on_events(), 1);
}

static void test_stop_at_once(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    for (int i = 0; i < 50; i++)
        submit(&t, "ann", i);
    dt_driver_free(&driver);
    assert_int_equal(t.done, 50);
    assert_int_equal(sign_on_events(), 50);
}

static void test_limit(void **state)
{
    (void)state;
    dt_driver_free(&driver);
    open_driver(true, 5);
    told t = TOLD_INIT;
    control("set/polls_wanted/1000000");
    for (int i = 0; i < 5; i++)
        submit(&t, "ann", -1);
    dt_run *run = (dt_run *)&t;
    assert_int_equal(submit_as(&t, "ann", -1, DT_CONVERSATION_NONE, false, &run), DT_E_LIMIT);
    assert_null(run);
    dt_driver_close(driver);
    assert_int_equal(t.done, 5);
}

/* --- the caller's own loop ------------------------------------------------------------------------ */

static void on_stop(void *ctx)
{
    (*(int *)ctx)++;
    dt_driver_stop(driver);
}

static void on_done_stop(void *ctx, dt_outcome const *o, dt_signon const *machine)
{
    on_done(ctx, o, machine);
    dt_driver_stop(driver);
}

static void test_callers_loop(void **state)
{
    (void)state;
    int count = 0;
    told t = TOLD_INIT;
    open_driver(false, 0);
    assert_non_null(dt_driver_base(driver));
    assert_int_equal(dt_driver_post(driver, on_stop, &count), 0);
    assert_int_equal(dt_driver_run(driver), 0);
    assert_int_equal(count, 1);
    dt_driver_close(driver);
    assert_int_equal(dt_driver_run(driver), DT_E_STATE);
    dt_driver_free(&driver);

    open_driver(false, 0);
    dt_door const stopper = {.name = "cli", .done = on_done_stop};
    dt_signon *m = machine_of("ann", 2, DT_CONVERSATION_NONE, false);
    assert_int_equal(dt_driver_submit(driver, m, &stopper, &t, NULL), 0);
    dt_driver_machine_free(&m);
    assert_int_equal(t.done, 0);
    assert_int_equal(dt_driver_run(driver), 0);
    assert_int_equal(t.allowed, 1);
}

static void test_own_thread_is_not_run(void **state)
{
    (void)state;
    assert_int_equal(dt_driver_run(driver), DT_E_STATE);
}

/* --- a forked child ------------------------------------------------------------------------------- */

static int child(void)
{
    told t = TOLD_INIT;
    dt_outcome o;
    dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    if (dt_driver_run_inline(driver, m, "radius") ||
        dt_driver_submit(driver, m, &door, &t, NULL) != DT_E_STATE ||
        dt_driver_post(driver, on_act, NULL) != DT_E_STATE ||
        dt_driver_run_blocking(driver, m, "radius", 100, &o) != DT_E_STATE || o.result != DT_DENY)
        return 1;
    dt_driver_audit(driver, dt_signon_outcome(m), m, "radius", NULL);
    dt_driver_close(driver);
    dt_driver_free(&driver);
    dt_driver_machine_free(&m);
    return driver == NULL && t.done == 0 ? 0 : 2;
}

static void test_forked_child(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    submit(&t, "ann", 1);
    wait_done(&t, 1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child());
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    submit(&t, "ann", 2);
    wait_done(&t, 2);
    assert_int_equal(t.allowed, 2);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), 2);
}

/* --- many threads --------------------------------------------------------------------------------- */

static void *sign_on_inline(void *ctx)
{
    atomic_int *allowed = ctx;
    for (int i = 0; i < THREAD_RUNS; i++) {
        dt_signon *m = machine_of("ann", i % 3, DT_CONVERSATION_NONE, false);
        if (dt_driver_run_inline(driver, m, "radius"))
            atomic_fetch_add(allowed, dt_signon_outcome(m)->result == DT_ALLOW);
        dt_driver_machine_free(&m);
    }
    return NULL;
}

static void *sign_on_by_loop(void *ctx)
{
    for (int i = 0; i < THREAD_RUNS / 10; i++)
        submit(ctx, "ann", 10 + i);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    atomic_int allowed = 0;
    for (int i = 0; i < 3; i++)
        submit(&t, "ann", i);
    wait_done(&t, 3);
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[2 * i], NULL, sign_on_inline, &allowed), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, sign_on_by_loop, &t), 0);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    wait_done(&t, 3 + THREADS * (THREAD_RUNS / 10));
    assert_int_equal(allowed, THREADS * THREAD_RUNS);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), 3 + THREADS * (THREAD_RUNS / 10) + THREADS * THREAD_RUNS);
}

/* --- in somebody else's process -------------------------------------------------------------------- */

/* The loop's thread takes none of the server's signals. */
static void test_signals_are_blocked(void **state)
{
    (void)state;
    glob_t tasks;
    int found = 0;
    assert_int_equal(glob("/proc/self/task/*/status", 0, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        char line[256], name[32] = "";
        unsigned long long blocked = 0;
        FILE *f = fopen(tasks.gl_pathv[i], "r");
        while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
            (void)sscanf(line, "Name: %31s", name);
            (void)sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (f != NULL)
            fclose(f);
        if (strcmp(name, "devtrust") != 0)
            continue;
        found++;
        for (int s = 1; s <= 31; s++) {
            if (s != SIGKILL && s != SIGSTOP)
                assert_true((blocked >> (s - 1) & 1) != 0);
        }
    }
    globfree(&tasks);
    assert_int_equal(found, 1);
}

static bool is_unnamed_socket(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof(a);
    return getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.ss_family == AF_UNIX;
}

static void test_descriptors_are_not_inherited(void **state)
{
    (void)state;
    bool before[1024] = {false};
    dt_driver_free(&driver);
    for (int fd = 0; fd < 1024; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    open_driver(true, 0);
    told t = TOLD_INIT;
    submit(&t, "ann", 1);
    wait_done(&t, 1);
    int seen = 0;
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        /* libcurl's own wake-up pair is one that carries nothing, and cannot be reached. */
        if (before[fd] || flags < 0 || is_unnamed_socket(fd))
            continue;
        seen++;
        assert_true((flags & FD_CLOEXEC) != 0);
    }
    assert_true(seen >= 4);
}

/* --- files that are not as they should be ---------------------------------------------------------- */

static void assert_no_driver(int code, char const *says)
{
    dt_error e = {0};
    int rc = try_driver(true, 0, &e);
    assert_null(driver);
    if (rc != code || strstr(e.text, says) == NULL)
        print_error("%s: %s\n", dt_err_name(rc), e.text);
    assert_int_equal(rc, code);
    assert_non_null(strstr(e.text, says));
}

static void test_faults_of_configuration(void **state)
{
    (void)state;
    char path[160], good[sizeof(config_path)];
    memcpy(good, config_path, sizeof(good));
    snprintf(config_path, sizeof(config_path), "/no/such/devtrust.conf");
    assert_no_driver(DT_E_NOT_FOUND, "does not exist");
    memcpy(config_path, good, sizeof(good));
    static char const *const secrets[] = {"graph.key", "okta.token", "state.key"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", server.dir, secrets[i]);
        assert_int_equal(chmod(path, 0644), 0);
        assert_no_driver(DT_E_PERMISSION, secrets[i]);
        assert_int_equal(chmod(path, 0600), 0);
    }
    snprintf(path, sizeof(path), "%s/graph.pem", server.dir);
    assert_int_equal(chmod(path, 0666), 0);
    assert_no_driver(DT_E_PERMISSION, "graph.pem");
    assert_int_equal(chmod(path, 0644), 0);
    snprintf(path, sizeof(path), "%s/state", server.dir);
    assert_int_equal(chmod(path, 0777), 0);
    assert_no_driver(DT_E_PERMISSION, "state");
    assert_int_equal(chmod(path, 0700), 0);
    unlink(audit_path);
    assert_int_equal(mkdir(audit_path, 0700), 0);
    dt_error e = {0};
    assert_int_not_equal(try_driver(true, 0, &e), 0);
    assert_non_null(strstr(e.text, "audit.log"));
    assert_int_equal(rmdir(audit_path), 0);
    open_driver(true, 0);
}

/* A store that is broken costs what was remembered, no more: sign-ons go on. */
static void test_broken_store(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    FILE *f = fopen(store_path, "w");
    fputs("this is no database, and yet it is as long as the head of one would have to be to be "
          "looked at; more than a hundred bytes",
          f);
    fclose(f);
    assert_int_equal(chmod(store_path, 0600), 0);
    open_driver(true, 0);
    submit(&t, "ann", 1);
    wait_done(&t, 1);
    assert_int_equal(t.allowed, 1);
    dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    assert_false(dt_driver_run_inline(driver, m, "radius"));
    dt_driver_machine_free(&m);
    char storage[64];
    dt_buf scratch;
    dt_store_result r;
    dt_store_op op = {.table = DT_TABLE_STATE, .verb = DT_STORE_TAKE, .key = "k"};
    dt_buf_init_fixed(&scratch, storage, sizeof(storage));
    dt_driver_store_do(driver, &op, &scratch, &r);
    assert_int_equal(r.status, DT_STORE_ERROR);
    assert_non_null(strstr(r.error, "not a store"));
    /* Moved away, as the message says: it comes back without a restart. */
    unlink(store_path);
    UNTIL((dt_driver_store_do(driver, &op, &scratch, &r), r.status == DT_STORE_NOT_FOUND));
}

/* --- audit ---------------------------------------------------------------------------------------- */

static void test_audit_of_a_refusal_before_any_machine(void **state)
{
    (void)state;
    dt_outcome o = {0};
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_PRIMARY_MISSING);
    dt_audit_context c = {.id = "0123456789abcdef0123456789abcdef",
                          .application = "vpn",
                          .user = "ann\n\x1b[31m\"",
                          .login = "",
                          .client_ip = "192.0.2.1",
                          .nas = "nas",
                          .station = "",
                          .policy_hash = ""};
    dt_driver_audit(driver, &o, NULL, "radius", &c);
    UNTIL(sign_on_events() == 1); /* written without anybody asking */
    assert_int_equal(audit_lines("PRIMARY_MISSING"), 1);
    assert_int_equal(audit_lines("\x1b"), 0);
    dt_driver_audit(driver, &o, NULL, "radius", &c);
    dt_driver_free(&driver);
    assert_int_equal(sign_on_events(), 2);
}

/* Nobody is let in whose event no sink took: neither on the loop nor inline nor by a thread that waits.
 * Written, once it can be, is the refusal alone. */
static void test_no_event_no_entry(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    dt_outcome o;
    submit(&t, "ann", 1); /* the answer about the device is kept from now on */
    wait_done(&t, 1);
    assert_int_equal(t.allowed, 1);
    dt_driver_free(&driver);
    unlink(audit_path);
    dt_driver_options options = {.config_path = config_path, .own_thread = true, .kernel_log = -1};
    assert_int_equal(dt_driver_new(&options, &driver, NULL), 0);
    unlink(audit_path);
    assert_int_equal(mkdir(audit_path, 0700), 0);
    submit(&t, "ann", 1);
    wait_done(&t, 2);
    assert_int_equal(t.causes[DT_CAUSE_AUDIT_FAILED], 1);
    assert_non_null(strstr(t.last.detail, "audit file"));
    dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    assert_true(dt_driver_run_inline(driver, m, "radius"));
    assert_int_equal(dt_signon_outcome(m)->result, DT_DENY);
    assert_int_equal(dt_signon_outcome(m)->cause, DT_CAUSE_AUDIT_FAILED);
    dt_driver_machine_free(&m);
    m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    assert_int_equal(dt_driver_run_blocking(driver, m, "radius", WAIT_LIMIT, &o), 0);
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_AUDIT_FAILED);
    dt_driver_machine_free(&m);
    assert_int_equal(rmdir(audit_path), 0);
    UNTIL(sign_on_events() == 3);
    assert_int_equal(audit_lines("AUDIT_FAILED"), 3);
    assert_int_equal(audit_lines("RULE_ALLOW"), 0);
}

/* The event is there before the answer is. */
static void test_event_before_the_answer(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    submit(&t, "ann", 1);
    wait_done(&t, 1);
    assert_int_equal(sign_on_events(), 1);
    dt_signon *m = machine_of("ann", 1, DT_CONVERSATION_NONE, false);
    assert_true(dt_driver_run_inline(driver, m, "radius"));
    assert_int_equal(sign_on_events(), 2);
    dt_driver_machine_free(&m);
}

static void test_quiet(void **state)
{
    (void)state;
    dt_driver_free(&driver);
    unlink(audit_path);
    dt_driver_options o = {.config_path = config_path, .own_thread = true, .quiet = true};
    assert_int_equal(dt_driver_new(&o, &driver, NULL), 0);
    told t = TOLD_INIT;
    explain(&t, 1);
    wait_done(&t, 1);
    dt_driver_free(&driver);
    assert_int_not_equal(access(audit_path, F_OK), 0);
}

/* --- the API token is used now and then ----------------------------------------------------------- */

static void test_keep_alive_is_due(void **state)
{
    static struct {
        int64_t used, asked, now;
        bool due;
    } const rows[] = {
        {0, 0, 1, false},
        {0, 0, 1 + DT_KEEP_ALIVE_FIRST - 1, false},
        {0, 0, 1 + DT_KEEP_ALIVE_FIRST, true},
        {100, 0, 100 + DT_KEEP_ALIVE_AFTER - 1, false},
        {100, 0, 100 + DT_KEEP_ALIVE_AFTER, true},
        {0, 100, 100 + DT_KEEP_ALIVE_AFTER - 1, false},
        {100, 200, 199 + DT_KEEP_ALIVE_AFTER, false},
        {200, 100, 199 + DT_KEEP_ALIVE_AFTER, false},
        {200, 100, 200 + DT_KEEP_ALIVE_AFTER, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_keep_alive k = {.began = 1, .used_at = rows[i].used, .asked_at = rows[i].asked};
        assert_int_equal(dt_keep_alive_is_due(&k, rows[i].now), rows[i].due);
    }
}

static _Atomic(int64_t) look_ahead; /* how much later it is for the next look */
static atomic_int looks;

static void look_later(void *ctx)
{
    (void)ctx;
    dt_keep_alive_look(driver, dt_driver_mono() + atomic_load(&look_ahead));
    atomic_fetch_add(&looks, 1);
}

static uint64_t calls_after(int64_t ahead)
{
    dt_driver_stats stats;
    int before = atomic_load(&looks);

    atomic_store(&look_ahead, ahead);
    assert_int_equal(dt_driver_post(driver, look_later, NULL), 0);
    UNTIL(atomic_load(&looks) > before);
    dt_driver_stats_get(driver, &stats);
    return stats.http_calls;
}

static void test_the_token_is_used_once_a_day(void **state)
{
    dt_driver_options o = {.config_path = config_path, .own_thread = true, .watch = true};

    (void)state;
    dt_driver_free(&driver);
    assert_int_equal(dt_driver_new(&o, &driver, NULL), 0);
    assert_int_equal(calls_after(0), 0);
    assert_int_equal(calls_after(DT_KEEP_ALIVE_FIRST + 1000), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(calls_after(DT_KEEP_ALIVE_FIRST + DT_HOURS(1)), 1);
    UNTIL(calls_after(DT_KEEP_ALIVE_FIRST + 1000 + DT_KEEP_ALIVE_AFTER + 1000) == 2);
    assert_int_equal(calls_after(DT_KEEP_ALIVE_AFTER + DT_HOURS(1)), 2);
    dt_driver_free(&driver); /* perhaps while it is under way */
}

/* One login, or explain: they end soon. */
static void test_who_does_not_stay_keeps_nothing_alive(void **state)
{
    (void)state;
    assert_int_equal(calls_after(0), 0); /* the time since the start is counted from here */
    assert_int_equal(calls_after(DT_DAYS(3)), 0);
}

/* No secret is in what was written. */
static void test_no_secret_in_the_trail(void **state)
{
    (void)state;
    told t = TOLD_INIT;
    submit(&t, "ann", 1);
    submit(&t, "bob", -1);
    wait_done(&t, 2);
    control("set/graph_mode/unauthorized");
    explain(&t, 9);
    wait_done(&t, 3);
    dt_driver_free(&driver);
    assert_true(sign_on_events() >= 2);
    assert_int_equal(audit_lines("00secrettoken"), 0);
    assert_int_equal(audit_lines("token-"), 0);
    assert_int_equal(audit_lines("eyJ"), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define BARE(fn) cmocka_unit_test_setup_teardown(fn, setup_bare, teardown)
    struct CMUnitTest const tests[] = {
        T(test_trusted),
        T(test_inline_stops_where_it_must_wait),
        T(test_not_compliant),
        T(test_token_is_fetched_once_for_all),
        T(test_token_refused),
        T(test_token_garbage),
        T(test_tokens_that_expire_at_once),
        T(test_token_recovers),
        T(test_token_is_renewed_after_a_401),
        T(test_graph_refuses_always),
        T(test_refusals_do_not_hammer_entra),
        T(test_expired_token_is_not_used),
        T(test_posts_are_bounded),
        T(test_lost_audit_events_are_counted),
        T(test_graph_refuses_slowly),
        T(test_token_is_renewed_early),
        T(test_push),
        T(test_polls_wait_for_their_turn),
        T(test_thousands_of_pushes),
        T(test_who_waits_is_small),
        T(test_a_machine_that_is_lost),
        T(test_abandon),
        T(test_detach),
        T(test_abandon_while_the_token_comes),
        T(test_abandon_while_the_reply_comes),
        T(test_detach_while_the_reply_comes),
        T(test_refusals_that_come_together),
        T(test_one_question_per_device),
        T(test_one_failure_for_all),
        T(test_the_first_to_ask_leaves),
        T(test_prompt_answered_from_within),
        T(test_prompt_answered_later),
        T(test_detach_from_within),
        T(test_done_starts_and_ends_others),
        T(test_suspend),
        T(test_suspend_without_a_taker),
        T(test_blocking),
        T(test_blocking_limit),
        T(test_blocking_from_the_loop),
        T(test_blocking_ends_with_the_driver),
        T(test_refresh),
        T(test_stop_with_everything_in_flight),
        T(test_stop_with_a_dead_okta),
        T(test_stop_at_once),
        T(test_limit),
        BARE(test_callers_loop),
        T(test_own_thread_is_not_run),
        T(test_forked_child),
        T(test_threads),
        T(test_signals_are_blocked),
        T(test_descriptors_are_not_inherited),
        BARE(test_faults_of_configuration),
        BARE(test_broken_store),
        T(test_audit_of_a_refusal_before_any_machine),
        T(test_no_event_no_entry),
        T(test_event_before_the_answer),
        T(test_quiet),
        T(test_no_secret_in_the_trail),
        T(test_the_token_is_used_once_a_day),
        T(test_who_does_not_stay_keeps_nothing_alive),
        T(test_keep_alive_is_due),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
