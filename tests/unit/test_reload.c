/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver takes changed files while sign-ons run: whole, and never under anybody's feet. */
#include "pki.h"

#include "driver/driver.h"
#include "driver/internal.h"
#include "edge/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE DT_SECONDS(60)
#define THREADS 4
#define HELD 20
#define RELOADS 30
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_start = dt_driver_mono();                                                    \
        while (!(condition)) {                                                                     \
            assert_true(dt_driver_mono() - until_start < PATIENCE);                                \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

static char dir[64];
static char ca[8192];
static dt_driver *driver;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static char told_text[DT_ERROR_TEXT_MAX + 512];
static char told_trouble[DT_ERROR_TEXT_MAX + 512]; /* no mere news */
static int told_count;
static atomic_int told_faults, told_warnings;
static atomic_bool refuse;

/* The administrator writes on while the files are read: before the look that comes after. */
static atomic_int write_at_look;
static void put_policy(int number);
int __real_dt_site_mark_stat(char const *config_path, dt_config const *c, dt_site_mark *out);
int __wrap_dt_site_mark_stat(char const *config_path, dt_config const *c, dt_site_mark *out);

int __wrap_dt_site_mark_stat(char const *config_path, dt_config const *c, dt_site_mark *out)
{
    if (atomic_load(&write_at_look) > 0 && atomic_fetch_sub(&write_at_look, 1) == 1)
        put_policy(77);
    return __real_dt_site_mark_stat(config_path, c, out);
}

/* --- fixtures ----------------------------------------------------------------------------------- */

static char const *path_of(char const *name)
{
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* Whole or not at all. */
static void put(char const *name, char const *text, mode_t mode)
{
    char fresh[PATH_MAX];
    snprintf(fresh, sizeof(fresh), "%s/fresh", dir);
    FILE *f = fopen(fresh, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(fresh, mode), 0);
    assert_int_equal(rename(fresh, path_of(name)), 0);
}

static void put_policy(int number)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"rule %d\","
             "\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":"
             "{\"access\":\"ALLOW\"}}}]}",
             number);
    put("policies/vpn.json", text, 0644);
}

static void put_config(char const *more)
{
    char text[4096];
    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\napi_token_file = %s/okta.token\n"
             "[store]\npath = %s/state/state.db\nstate_key_file = %s/state.key\n"
             "[policy]\ndirectory = %s/policies\nzones_file = %s/zones.json\n"
             "[audit]\nfile = %s/audit.log\nsyslog = no\n"
             "[device_trust]\ntrusted_when = certificate\nca_file = %s/ca.pem\n%s",
             dir, dir, dir, dir, dir, dir, dir, more);
    put("devtrust.conf", text, 0644);
}

static void on_notice(void *ctx, dt_notice notice, char const *text)
{
    (void)ctx;
    pthread_mutex_lock(&told_lock);
    snprintf(told_text, sizeof(told_text), "%s", text);
    if (notice != DT_NOTICE_NEWS)
        snprintf(told_trouble, sizeof(told_trouble), "%s", text);
    told_count++;
    atomic_fetch_add(&told_faults, notice == DT_NOTICE_FAULT);
    atomic_fetch_add(&told_warnings, notice == DT_NOTICE_WARNING);
    pthread_mutex_unlock(&told_lock);
}

static int on_accept(void *ctx, dt_site const *files, dt_error *e)
{
    (void)ctx;
    assert_non_null(files);
    return atomic_load(&refuse) ? dt_error_set(e, DT_E_INVALID, "the door cannot") : DT_OK;
}

static int told(void)
{
    pthread_mutex_lock(&told_lock);
    int n = told_count;
    pthread_mutex_unlock(&told_lock);
    return n;
}

static bool read_groups_lookup(char const *part)
{
    pthread_mutex_lock(&told_lock);
    bool has = strstr(told_text, part) != NULL;
    pthread_mutex_unlock(&told_lock);
    return has;
}

/* A CA that ends in so many days from now, on. */
static void make_ca(int days, char pem[8192])
{
    long const end = (long)time(NULL) - CERT_NOW + 86400L * days;
    cert_spec spec = {.cn = "test CA",
                      .key = cert_key("P-256"),
                      .starts = -86400,
                      .ends = end,
                      .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                     {"keyUsage", "critical,keyCertSign"},
                                     {"subjectKeyIdentifier", "hash"}}};
    X509 *x = cert_make(&spec);
    dt_buf b;
    dt_buf_init_fixed(&b, pem, 8192);
    cert_pem(x, &b);
    pem[b.len] = '\0';
    X509_free(x);
    EVP_PKEY_free(spec.key);
}

static int group_setup(void **state)
{
    (void)state;
    umask(022);
    make_ca(400, ca);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/dt-test-reload-XXXXXX");
    if (mkdtemp(dir) == NULL || mkdir(path_of("policies"), 0755) != 0 ||
        mkdir(path_of("state"), 0700) != 0)
        return -1;
    put_config("");
    put("okta.token", "00QnG8aXk-example_token.0123456789\n", 0600);
    put("state.key", "0123456789abcdeffedcba98765432100112233445566778899aabbccddeeff0\n", 0600);
    put("zones.json", "{\"zones\":[]}", 0644);
    put("ca.pem", ca, 0644);
    put_policy(1);
    told_count = 0;
    atomic_store(&told_faults, 0);
    atomic_store(&told_warnings, 0);
    told_text[0] = '\0';
    atomic_store(&refuse, false);
    dt_driver_options o = {.config_path = path_of("devtrust.conf"),
                           .own_thread = true,
                           .watch = true,
                           .accept = on_accept,
                           .notify = on_notice};
    dt_error e = {0};
    int rc = dt_driver_new(&o, &driver, &e);
    if (rc != 0)
        print_error("%s\n", e.text);
    return rc;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    dt_driver_free(&driver);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* --- looking ------------------------------------------------------------------------------------ */

static uint64_t generation(void)
{
    dt_ruleset ruleset;
    dt_driver_acquire(driver, "vpn", &ruleset);
    uint64_t g = ruleset.generation;
    dt_driver_release(&ruleset);
    assert_null(ruleset.owner);
    return g;
}

/* Asks for a look, and waits until something was said of it. */
static void reload(void)
{
    int before = told();
    dt_driver_reload(driver);
    UNTIL(told() > before);
}

static int events(char const *with)
{
    char line[DT_AUDIT_EVENT_MAX + 1];
    int n = 0;
    FILE *f = fopen(path_of("audit.log"), "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        n += strstr(line, with) != NULL;
    if (f != NULL)
        fclose(f);
    return n;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void a_change_is_taken(void **state)
{
    (void)state;
    assert_int_equal(generation(), 1);
    put_policy(2);
    reload();
    assert_int_equal(generation(), 2);
    UNTIL(events("Reload of configuration and policies") == 1);
    assert_int_equal(events("\"policyGeneration\":2"), 1);
    assert_int_equal(atomic_load(&told_faults), 0);
}

static void a_change_is_seen(void **state)
{
    (void)state;
    put_policy(2);
    UNTIL(generation() == 2);
}

static void what_is_the_same_is_not_new(void **state)
{
    (void)state;
    put_policy(1);
    reload();
    assert_true(read_groups_lookup("nothing has changed"));
    assert_int_equal(generation(), 1);
    UNTIL(events("Reload of") == 0);
}

/* Each way of breaking it; all of it stays as it was, and is good again when it is mended. */
static void what_is_broken_is_not_taken(void **state)
{
    static struct {
        char const *name, *text;
        mode_t mode;
        char const *says;
    } const harms[] = {
        {"policies/vpn.json", "{", 0644, "vpn.json"},
        {"policies/vpn.json", "{}", 0644, "vpn.json"},
        {"policies/vpn.json", "{}", 0666, "chmod"},
        {"zones.json", "[]", 0644, "zones.json"},
        {"ca.pem", "nothing", 0644, "ca.pem"},
        {"okta.token", "x", 0600, "okta.token"},
        {"okta.token", "00QnG8aXk-example_token.0123456789\n", 0644, "okta.token"},
        {"state.key", "short", 0600, "state.key"},
        {"devtrust.conf", "[okta]\nnonsense = 1\n", 0644, "nonsense"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
        int faults = atomic_load(&told_faults);
        put_policy(100 + (int)i); /* a good change that must not come alone */
        put(harms[i].name, harms[i].text, harms[i].mode);
        reload();
        assert_true(read_groups_lookup("NOT applied; generation 1 of "));
        assert_true(read_groups_lookup(harms[i].says));
        assert_int_equal(atomic_load(&told_faults), faults + 1);
        assert_int_equal(generation(), 1);
        put_config("");
        put("okta.token", "00QnG8aXk-example_token.0123456789\n", 0600);
        put("state.key", "0123456789abcdeffedcba98765432100112233445566778899aabbccddeeff0\n",
            0600);
        put("zones.json", "{\"zones\":[]}", 0644);
        put("ca.pem", ca, 0644);
        put_policy(1);
        reload();
        assert_int_equal(atomic_load(&told_faults), faults + 1);
    }
    UNTIL(events("\"FAILURE\"") == (int)(sizeof(harms) / sizeof(harms[0])));
    assert_int_equal(generation(), 1);
}

static void a_policy_that_has_gone(void **state)
{
    (void)state;
    put("policies/ssh.json",
        "{\"name\":\"ssh\",\"application\":\"ssh\",\"rules\":[{\"name\":\"all\",\"priority\":1,"
        "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":"
        "\"ALLOW\"}}}]}",
        0644);
    reload();
    assert_int_equal(generation(), 2);
    unlink(path_of("policies/ssh.json"));
    reload();
    assert_true(read_groups_lookup("the policy of \"ssh\" is missing"));
    assert_int_equal(generation(), 2);
}

static void the_door_has_a_say(void **state)
{
    (void)state;
    atomic_store(&refuse, true);
    put_policy(2);
    reload();
    assert_true(read_groups_lookup("the door cannot"));
    assert_int_equal(generation(), 1);
    atomic_store(&refuse, false);
    reload();
    assert_int_equal(generation(), 2);
}

/* What was read may be half of the one and half of the other: it is not taken, and no fault either. */
static void files_that_change_while_they_are_read(void **state)
{
    (void)state;
    put_policy(2);
    atomic_store(&write_at_look, 2); /* the one after the load */
    reload();
    assert_true(read_groups_lookup("being written"));
    assert_int_equal(generation(), 1);
    UNTIL(generation() == 2);
    assert_int_equal(atomic_load(&told_faults), 0);
    dt_ruleset ruleset;
    dt_driver_acquire(driver, "vpn", &ruleset);
    dt_decision d;
    dt_policy_input in = {.user = "ann", .trust = DT_TRUST_TRUSTED};
    dt_policy_decide(ruleset.policy, &in, &d);
    assert_string_equal(d.rule, "rule 77");
    dt_driver_release(&ruleset);
}

static void what_only_a_restart_takes(void **state)
{
    dt_ruleset ruleset;
    (void)state;
    put_config("[daemon]\nmax_sign_ons = 7\n[mfa]\nwait_vpn = 7s\n");
    reload();
    assert_true(read_groups_lookup("changes that need a restart: [daemon] max_sign_ons"));
    dt_driver_acquire(driver, "vpn", &ruleset);
    assert_int_equal(ruleset.generation, 2);
    assert_int_equal(ruleset.config->daemon.max_sign_ons, 512);
    assert_int_equal(ruleset.config->mfa.wait_vpn, DT_SECONDS(7));
    dt_driver_release(&ruleset);
}

static int former_sites(void)
{
    int n = 0;
    pthread_mutex_lock(&driver->live_lock);
    for (dt_live_site const *l = driver->former; l != NULL; l = l->next)
        n++;
    pthread_mutex_unlock(&driver->live_lock);
    return n;
}

/* What is held stays whole, however often files change meanwhile; it goes when nobody holds it. */
static void many_sites_are_held(void **state)
{
    dt_ruleset held[HELD];
    (void)state;
    for (int i = 0; i < HELD; i++) {
        dt_driver_acquire(driver, "vpn", &held[i]);
        assert_int_equal(held[i].generation, i + 1);
        put_policy(2 + i);
        reload();
        assert_int_equal(generation(), i + 2);
    }
    assert_int_equal(former_sites(), HELD);
    for (int i = 0; i < HELD; i++)
        assert_string_equal(dt_policy_application(held[i].policy), "vpn");
    dt_driver_release(&held[3]);
    reload(); /* the thread that frees has looked */
    UNTIL(former_sites() == HELD - 1);
    for (int i = 0; i < HELD; i++)
        dt_driver_release(&held[i]);
    UNTIL(former_sites() == 0);
}

static atomic_bool over;
static atomic_int allowed, others;

static void *sign_on(void *ctx)
{
    dt_signon *m = dt_driver_machine_new();
    (void)ctx;
    while (!atomic_load(&over)) {
        dt_ruleset ruleset;
        char id[DT_SIGNON_ID_LEN + 1], rule[64];
        dt_driver_acquire(driver, "vpn", &ruleset);
        dt_request r = {.id = id,
                        .application = "vpn",
                        .user = "ann",
                        .client_ip = "192.0.2.1",
                        .nas = "",
                        .station = "",
                        .tty = "",
                        .vpn_device_id = "",
                        .passcode = "",
                        .push_key = "ann",
                        .wait_limit = DT_SECONDS(5)};
        assert_int_equal(dt_host_random_id(id), 0);
        dt_signon_begin(m, &ruleset, &r, dt_host_now());
        bool done = dt_driver_run_inline(driver, m, "radius");
        /* Rule and generation are of one and the same site. */
        snprintf(rule, sizeof(rule), "rule %d", (int)ruleset.generation);
        bool right = done && dt_signon_outcome(m)->result == DT_ALLOW &&
                     strcmp(dt_signon_outcome(m)->decision.rule, rule) == 0;
        atomic_fetch_add(right ? &allowed : &others, 1);
        dt_driver_release(&ruleset);
    }
    dt_driver_machine_free(&m);
    return NULL;
}

static void logins_go_on(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    atomic_store(&over, false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_on, NULL), 0);
    for (int i = 2; i <= RELOADS; i++) {
        int before = atomic_load(&allowed);
        put_policy(i);
        reload();
        assert_int_equal(generation(), i);
        UNTIL(atomic_load(&allowed) > before || atomic_load(&others) > 0);
    }
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&others), 0);
    assert_true(atomic_load(&allowed) >= RELOADS - 1);
}

static bool has_warned(char const *of)
{
    pthread_mutex_lock(&told_lock);
    bool has = strstr(told_trouble, of) != NULL;
    pthread_mutex_unlock(&told_lock);
    return has;
}

static void put_ca(int days)
{
    char pem[8192];
    make_ca(days, pem);
    put("ca.pem", pem, 0644);
    reload();
}

/* Each end once, not at each look; of the site in force only. */
static void what_ends_is_warned_of(void **state)
{
    (void)state;
    put_ca(31);
    put_policy(2);
    reload();
    assert_int_equal(atomic_load(&told_warnings), 0);
    put_ca(29);
    UNTIL(atomic_load(&told_warnings) == 1);
    assert_true(has_warned("[device_trust] ca_file: CN=test CA expires on 2"));
    reload(); /* nothing has changed */
    reload();
    assert_int_equal(atomic_load(&told_warnings), 1);
    put_policy(3); /* a new site */
    reload();
    UNTIL(atomic_load(&told_warnings) == 2);
    assert_int_equal(atomic_load(&told_faults), 0);
    put_ca(-1);
    UNTIL(atomic_load(&told_faults) == 1);
    assert_true(has_warned("CN=test CA expired on 2"));
    put_ca(400);
    put_policy(4);
    reload();
    assert_int_equal(atomic_load(&told_warnings), 2);
    assert_int_equal(atomic_load(&told_faults), 1);
}

static void marks(void **state)
{
    dt_config *c = NULL;
    dt_site_mark a, b;
    (void)state;
    char config[PATH_MAX];
    snprintf(config, sizeof(config), "%s", path_of("devtrust.conf"));
    assert_int_equal(dt_site_config_read(config, &c, NULL), 0);
    assert_int_equal(dt_site_mark_content(config, c, &a), 0);
    put_policy(1);
    assert_int_equal(dt_site_mark_content(config, c, &b), 0);
    assert_true(dt_site_mark_equal(&a, &b));
    assert_int_equal(dt_site_mark_stat(config, c, &a), 0);
    assert_int_equal(chmod(path_of("okta.token"), 0640), 0);
    assert_int_equal(dt_site_mark_stat(config, c, &b), 0);
    assert_false(dt_site_mark_equal(&a, &b));
    unlink(path_of("ca.pem"));
    assert_int_equal(dt_site_mark_stat(config, c, &a), 0);
    assert_false(dt_site_mark_equal(&a, &b));
    assert_int_equal(mkfifo(path_of("ca.pem"), 0644), 0); /* nobody is held up by it */
    assert_int_equal(dt_site_mark_content(config, c, &b), 0);
    dt_config_free(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    struct CMUnitTest const tests[] = {
        T(a_change_is_taken),
        T(a_change_is_seen),
        T(what_is_the_same_is_not_new),
        T(what_is_broken_is_not_taken),
        T(a_policy_that_has_gone),
        T(the_door_has_a_say),
        T(files_that_change_while_they_are_read),
        T(what_only_a_restart_takes),
        T(many_sites_are_held),
        T(logins_go_on),
        T(what_ends_is_warned_of),
        T(marks),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
