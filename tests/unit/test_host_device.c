/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host keys in a PKCS#11 token (SoftHSM) and in a TPM 2.0 (swtpm): real ones, with what goes wrong with
 * such devices: absent, gone and back, another PIN, another key. */
#include "core/device/x509.h"
#include "edge/host_key.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "24681357"

static char g_dir[] = "/tmp/dt-test-host-device-XXXXXX";
static pid_t g_tpm;
static int g_port;

static void run(char const *fmt, ...)
{
    char command[4096];
    va_list args;
    va_start(args, fmt);
    assert_true(vsnprintf(command, sizeof(command), fmt, args) < (int)sizeof(command));
    va_end(args);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void write_file(char const *name, char const *text, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", g_dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_token(char const *label)
{
    run("softhsm2-util --init-token --free --label %s --so-pin 1234 --pin " PIN " >/dev/null 2>&1",
        label);
}

static void import(char const *token, char const *name, char const *id)
{
    run("openssl pkcs8 -topk8 -nocrypt -in %s/%s.key -out %s/import.pem", pki_dir(), name, g_dir);
    run("softhsm2-util --import %s/import.pem --token %s --label %s --id %s --pin " PIN
        " >/dev/null 2>&1",
        g_dir, token, name, id);
}

static int set_up(void **state)
{
    char text[PATH_MAX];
    (void)state;
    assert_non_null(mkdtemp(g_dir));
    run("mkdir %s/tokens %s/tpm", g_dir, g_dir);
    snprintf(text, sizeof(text), "directories.tokendir = %s/tokens\nlog.level = ERROR\n", g_dir);
    write_file("softhsm2.conf", text, 0600);
    snprintf(text, sizeof(text), "%s/softhsm2.conf", g_dir);
    assert_int_equal(setenv("SOFTHSM2_CONF", text, 1), 0);
    write_file("pin", PIN "\n", 0600);
    write_file("wrong-pin", "00000000\n", 0600);
    write_file("open-pin", PIN "\n", 0644);
    make_token("dev");
    import("dev", "host", "01");
    import("dev", "host-p256", "02");
    import("dev", "device-p384", "03");
    return 0;
}

static void end_tpm(void)
{
    if (g_tpm <= 0)
        return;
    assert_int_equal(kill(g_tpm, SIGKILL), 0);
    assert_int_equal(waitpid(g_tpm, NULL, 0), g_tpm);
    g_tpm = 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_tpm();
    run("rm -rf %s", g_dir);
    pki_forget();
    return 0;
}

/* --- opening and signing ------------------------------------------------------------------------ */

static void set(dt_config *c, char const *name, char const *fmt, ...)
{
    char value[DT_CONFIG_VALUE_MAX];
    dt_error e = {0};
    va_list args;
    va_start(args, fmt);
    assert_true(vsnprintf(value, sizeof(value), fmt, args) < (int)sizeof(value));
    va_end(args);
    if (dt_config_set(c, "t.conf", 1, "device_trust", name, value, &e) != 0)
        fail_msg("%s", e.text);
}

static dt_config *config(char const *certificate, char const *key)
{
    dt_config *c = NULL;
    assert_int_equal(dt_config_new(&c, NULL), 0);
    set(c, "host_certificate_file", "%s", certificate);
    set(c, "host_key", "%s", key);
    set(c, "pkcs11_module", MODULE);
    set(c, "tpm_tcti", "swtpm:host=127.0.0.1,port=%d", g_port);
    return c;
}

/* With a certificate of the PKI and a key of the token. */
static dt_config *token_config(char const *certificate, char const *uri, char const *pin)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.pem", pki_dir(), certificate);
    dt_config *c = config(path, uri);
    if (pin != NULL)
        set(c, "host_key_pin_file", "%s/%s", g_dir, pin);
    return c;
}

static dt_host_key *open_good(dt_config *c)
{
    dt_host_key *k = NULL;
    dt_error e = {0};
    if (dt_host_key_open(c, &k, &e) != 0)
        fail_msg("%s", e.text);
    assert_non_null(k);
    assert_true(dt_host_key_is_slow(k));
    return k;
}

/* Signs; what was signed must hold by the certificate, and by it alone over these very bytes. */
static int try_sign(dt_host_key *k, char text[DT_ERROR_TEXT_MAX])
{
    dt_sign_request r = {.nonce = {3, 1, 4, 1, 5}};
    dt_sign_result out;
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_host_key_sign(k, &r, storage, &out);
    snprintf(text, DT_ERROR_TEXT_MAX, "%s", out.text);
    assert_int_equal(out.error == 0, out.text[0] == '\0');
    if (out.error != 0) {
        assert_int_equal(out.signature.len, 0);
        return out.error;
    }
    int const rc =
        dt_x509_verify(out.certificate, dt_bytes_of(r.nonce, sizeof(r.nonce)), out.signature);
    r.nonce[0] ^= 1;
    assert_int_equal(
        dt_x509_verify(out.certificate, dt_bytes_of(r.nonce, sizeof(r.nonce)), out.signature),
        DT_E_CRYPTO);
    return rc;
}

static void expect_good(dt_host_key *k)
{
    char text[DT_ERROR_TEXT_MAX];
    int const rc = try_sign(k, text);
    if (rc != 0)
        fail_msg("%d: %s", rc, text);
}

static void expect_bad(dt_host_key *k, int error, char const *part)
{
    char text[DT_ERROR_TEXT_MAX];
    int const rc = try_sign(k, text);
    if (rc != error || strstr(text, part) == NULL)
        fail_msg("%d: %s", rc, text);
    assert_null(strstr(text, PIN));
}

/* --- PKCS#11 ------------------------------------------------------------------------------------ */

static void a_token_signs_what_the_core_takes(void **state)
{
    (void)state;
    static struct {
        char const *certificate, *uri;
    } const rows[] = {
        {"host", "pkcs11:token=dev;object=host;type=private"},
        {"host-p256", "pkcs11:token=dev;object=host-p256"},
        {"device-p384", "pkcs11:token=dev;id=%03"},
        {"host", "pkcs11:id=%01"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_config *c = token_config(rows[i].certificate, rows[i].uri, "pin");
        dt_host_key *k = open_good(c);
        for (int n = 0; n < 3; n++)
            expect_good(k);
        dt_host_key_free(&k);
        dt_config_free(&c);
    }
}

static void another_key_is_no_proof(void **state)
{
    (void)state;
    char text[DT_ERROR_TEXT_MAX];
    dt_config *c = token_config("host-p256", "pkcs11:token=dev;id=%03", "pin");
    dt_host_key *k = open_good(c);
    assert_int_equal(try_sign(k, text), DT_E_CRYPTO);
    dt_host_key_free(&k);
    dt_config_free(&c);
}

static void uris_that_are_not_taken(void **state)
{
    (void)state;
    static struct {
        char const *uri, *part;
    } const rows[] = {
        {"pkcs11:token=dev;object=host?pin-value=" PIN, "host_key_pin_file"},
        {"pkcs11:token=dev;object=host?pin-source=/etc/pin", "host_key_pin_file"},
        {"pkcs11:token=dev;object=host?module-path=/tmp/m.so", "pkcs11_module"},
        {"pkcs11:token=dev;object=host?module-name=m", "pkcs11_module"},
        {"pkcs11:token=dev", "names no key"},
        {"pkcs11:", "names no key"},
        {"pkcs11:token=dev;object=host;colour=red", "unknown attribute"},
        {"pkcs11:token=%zz;object=host", "cannot be read"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_config *c = token_config("host", rows[i].uri, "pin");
        dt_host_key *k = NULL;
        dt_error e = {0};
        assert_int_equal(dt_host_key_open(c, &k, &e), DT_E_INVALID);
        assert_null(k);
        if (strstr(e.text, rows[i].part) == NULL || strstr(e.text, PIN) != NULL)
            fail_msg("%s: %s", rows[i].uri, e.text);
        dt_config_free(&c);
    }
}

static void faults_of_configuration_are_told_at_once(void **state)
{
    (void)state;
    dt_host_key *k = NULL;
    dt_error e = {0};
    dt_config *c = token_config("host", "pkcs11:token=dev;object=host", "open-pin");
    assert_int_equal(dt_host_key_open(c, &k, &e), DT_E_PERMISSION);
    assert_non_null(strstr(e.text, "open-pin"));
    dt_config_free(&c);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/host.pem", pki_dir());
    assert_int_equal(dt_config_new(&c, NULL), 0);
    set(c, "host_certificate_file", "%s", path);
    set(c, "host_key", "pkcs11:token=dev;object=host");
    set(c, "pkcs11_module", "%s/none.so", g_dir);
    assert_int_equal(dt_host_key_open(c, &k, &e), DT_E_NOT_FOUND);
    assert_non_null(strstr(e.text, "none.so"));
    dt_config_free(&c);
    c = token_config("nobody", "pkcs11:token=dev;object=host", "pin");
    assert_int_not_equal(dt_host_key_open(c, &k, &e), 0);
    assert_null(k);
    dt_config_free(&c);
}

static void faults_of_the_token(void **state)
{
    (void)state;
    static struct {
        char const *uri, *pin;
        int error;
        char const *part;
    } const rows[] = {
        {"pkcs11:token=other;object=host", "pin", DT_E_UNAVAILABLE, "no PKCS#11 token"},
        {"pkcs11:token=dev;object=other", "pin", DT_E_UNAVAILABLE, "no private key"},
        {"pkcs11:token=dev;object=host", NULL, DT_E_PERMISSION, "requires a PIN"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_config *c = token_config("host", rows[i].uri, rows[i].pin);
        dt_host_key *k = open_good(c);
        expect_bad(k, rows[i].error, rows[i].part);
        dt_host_key_free(&k);
        dt_config_free(&c);
    }
}

/* A token locks after a few wrong PINs, so one is never tried twice. */
static void a_refused_pin_is_not_tried_again(void **state)
{
    (void)state;
    dt_config *c = token_config("host", "pkcs11:token=dev;object=host", "wrong-pin");
    dt_host_key *k = open_good(c);
    expect_bad(k, DT_E_PERMISSION, "rejects the PIN");
    for (int i = 0; i < 20; i++)
        expect_bad(k, DT_E_PERMISSION, "not tried again");
    dt_host_key_free(&k);
    dt_config_free(&c);
    a_token_signs_what_the_core_takes(state);
}

/* It was not there at the start, it goes while a session is open, it comes back. */
static void a_token_comes_and_goes(void **state)
{
    (void)state;
    dt_config *c = token_config("host-p256", "pkcs11:token=late;object=host-p256", "pin");
    dt_host_key *k = open_good(c);
    expect_bad(k, DT_E_UNAVAILABLE, "no PKCS#11 token");
    dt_host_key_free(&k);
    make_token("late");
    import("late", "host-p256", "01");
    k = open_good(c);
    expect_good(k);
    run("softhsm2-util --delete-token --token late >/dev/null 2>&1");
    char text[DT_ERROR_TEXT_MAX];
    assert_int_not_equal(try_sign(k, text), 0);
    make_token("late");
    import("late", "host-p256", "01");
    dt_host_key_free(&k);
    k = open_good(c);
    expect_good(k);
    dt_host_key_free(&k);
    dt_config_free(&c);
    c = token_config("host-p256", "pkcs11:object=host-p256", "pin");
    k = open_good(c);
    expect_bad(k, DT_E_INVALID, "several PKCS#11 tokens");
    dt_host_key_free(&k);
    dt_config_free(&c);
    run("softhsm2-util --delete-token --token late >/dev/null 2>&1");
}

/* --- TPM ---------------------------------------------------------------------------------------- */

static bool answers(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int const fd = socket(AF_INET, SOCK_STREAM, 0);
    bool const yes = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return yes;
}

/* Two ports next to each other that nobody has. */
static int free_ports(void)
{
    for (int port = 20000 + (int)(getpid() % 5000) * 2; port < 32000; port += 2) {
        if (!answers(port) && !answers(port + 1))
            return port;
    }
    fail_msg("no ports");
    return 0;
}

static void start_tpm(void)
{
    char state[PATH_MAX], server[64], control[64];
    if (g_port == 0) {
        g_port = free_ports();
        run("swtpm_setup --tpm2 --tpmstate %s/tpm --overwrite >/dev/null 2>&1", g_dir);
    }
    snprintf(state, sizeof(state), "dir=%s/tpm", g_dir);
    snprintf(server, sizeof(server), "type=tcp,port=%d,bindaddr=127.0.0.1", g_port);
    snprintf(control, sizeof(control), "type=tcp,port=%d,bindaddr=127.0.0.1", g_port + 1);
    g_tpm = fork();
    if (g_tpm == 0) {
        execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
               "--ctrl", control, "--flags", "not-need-init,startup-clear", NULL);
        _exit(127);
    }
    assert_true(g_tpm > 0);
    for (int i = 0; i < 1000 && !answers(g_port + 1); i++)
        assert_int_equal(poll(NULL, 0, 10), 0);
    assert_true(answers(g_port + 1));
}

static void make_tpm_keys(void)
{
    char environment[256];
    start_tpm();
    snprintf(environment, sizeof(environment), "swtpm:host=127.0.0.1,port=%d", g_port);
    assert_int_equal(setenv("TPM2TOOLS_TCTI", environment, 1), 0);
    assert_int_equal(setenv("TPM2OPENSSL_TCTI", environment, 1), 0);
    static char const provider[] = "-provider tpm2 -provider default -propquery ?provider=tpm2";
    run("cd %s && umask 077 && openssl genpkey %s -algorithm EC -pkeyopt group:P-256 -out ec.tss2 "
        "2>/dev/null && openssl req -x509 -new %s -key ec.tss2 -subj /CN=tpm -out ec.pem "
        "2>/dev/null",
        g_dir, provider, provider);
    run("cd %s && umask 077 && openssl genpkey %s -algorithm RSA -pkeyopt bits:2048 -out rsa.tss2 "
        "2>/dev/null && openssl req -x509 -new %s -key rsa.tss2 -subj /CN=tpm -out rsa.pem "
        "2>/dev/null",
        g_dir, provider, provider);
    run("cd %s && tpm2_createprimary -Q -C o -c primary && tpm2_flushcontext -t && tpm2_create -Q "
        "-C primary -G ecc256 -u pub -r priv -a "
        "'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign' && tpm2_flushcontext -t "
        "&& "
        "tpm2_load -Q -C primary -u pub -r priv -c key && tpm2_flushcontext -t && "
        "tpm2_evictcontrol -Q -C o -c key 0x81000010 && tpm2_flushcontext -t && "
        "openssl req -x509 -new %s -key handle:0x81000010 -subj /CN=tpm -out handle.pem "
        "2>/dev/null",
        g_dir, provider);
    /* What is tested gets it from tpm_tcti, and not from here. */
    assert_int_equal(unsetenv("TPM2TOOLS_TCTI"), 0);
    assert_int_equal(unsetenv("TPM2OPENSSL_TCTI"), 0);
}

static dt_config *tpm_config(char const *certificate, char const *key)
{
    char path[PATH_MAX], place[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.pem", g_dir, certificate);
    snprintf(place, sizeof(place), "%s/%s", g_dir, key);
    return config(path, strchr(key, ':') != NULL ? key : place);
}

static void a_tpm_signs_what_the_core_takes(void **state)
{
    (void)state;
    static char const *const rows[][2] = {
        {"ec", "ec.tss2"}, {"rsa", "rsa.tss2"}, {"handle", "handle:0x81000010"}};
    make_tpm_keys();
    for (size_t i = 0; i < 3; i++) {
        dt_config *c = tpm_config(rows[i][0], rows[i][1]);
        dt_host_key *k = open_good(c);
        for (int n = 0; n < 3; n++)
            expect_good(k);
        dt_host_key_free(&k);
        dt_config_free(&c);
    }
}

static void a_tpm_that_is_away_is_told_and_comes_back(void **state)
{
    (void)state;
    /* A key that the TPM had been given to hold, and forgot. First of all: a TPM that is cut off counts
     * that against such keys, and soon refuses them. */
    dt_config *c = tpm_config("ec", "ec.tss2");
    dt_host_key *k = open_good(c);
    expect_good(k);
    end_tpm();
    start_tpm();
    expect_good(k);
    dt_host_key_free(&k);
    dt_config_free(&c);
    c = tpm_config("handle", "handle:0x81000010");
    k = open_good(c);
    expect_good(k);
    end_tpm();
    expect_bad(k, DT_E_UNAVAILABLE, "TPM: ");
    expect_bad(k, DT_E_UNAVAILABLE, "TPM: ");
    start_tpm();
    expect_good(k);
    end_tpm();
    start_tpm(); /* gone and back between two signatures */
    expect_good(k);
    dt_host_key_free(&k);
    dt_config_free(&c);
    c = tpm_config("handle", "handle:0x81000011"); /* no such key */
    k = open_good(c);
    expect_bad(k, DT_E_UNAVAILABLE, "host_key cannot be loaded");
    dt_host_key_free(&k);
    dt_config_free(&c);
    c = tpm_config("ec", "rsa.tss2"); /* another's certificate */
    k = open_good(c);
    char text[DT_ERROR_TEXT_MAX];
    assert_int_not_equal(try_sign(k, text), 0);
    dt_host_key_free(&k);
    dt_config_free(&c);
}

/* Plain files go on as they did, by either key. */
static void a_file_is_not_slow(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/host.key", pki_dir());
    dt_config *c = token_config("host", path, NULL);
    dt_host_key *k = NULL;
    assert_int_equal(dt_host_key_open(c, &k, NULL), 0);
    assert_false(dt_host_key_is_slow(k));
    expect_good(k);
    dt_host_key_free(&k);
    dt_config_free(&c);
    assert_int_equal(dt_config_new(&c, NULL), 0);
    assert_int_equal(dt_host_key_open(c, &k, NULL), 0);
    assert_null(k);
    assert_false(dt_host_key_is_slow(k));
    dt_config_free(&c);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_token_signs_what_the_core_takes),
        cmocka_unit_test(another_key_is_no_proof),
        cmocka_unit_test(uris_that_are_not_taken),
        cmocka_unit_test(faults_of_configuration_are_told_at_once),
        cmocka_unit_test(faults_of_the_token),
        cmocka_unit_test(a_refused_pin_is_not_tried_again),
        cmocka_unit_test(a_token_comes_and_goes),
        cmocka_unit_test(a_tpm_signs_what_the_core_takes),
        cmocka_unit_test(a_tpm_that_is_away_is_told_and_comes_back),
        cmocka_unit_test(a_file_is_not_slow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
