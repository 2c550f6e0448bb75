/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devtrustctl setup writes into files of others, and the list of edits that answers make: the smallest change,
 * the same when it is made again, and a refusal where a file is not as expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "devtrustctl/setup/plan.h"
#include "devtrustctl/setup/text_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- devtrust.conf ----------------------------------------------------------------------------- */

static char const *conf_of(dt_buf *b, char const *text, char const *section, char const *key,
                           char const *value)
{
    dt_error e = {0};

    dt_buf_reset(b);
    dt_buf_puts(b, text);
    assert_int_equal(dt_edit_conf(b, section, key, value, &e), DT_OK);
    return (char const *)b->p;
}

static void sets_keys_in_their_place(void **state)
{
    static struct {
        char const *before, *section, *key, *value, *after;
    } const rows[] = {
        {"[okta]\nkey = a\n", "okta", "key", "b", "[okta]\nkey = b\n"},
        {"[okta]\n#key = a\n# key of old\n", "okta", "key", "b", "[okta]\nkey = b\n# key of old\n"},
        {"[okta]\nother = a\n", "okta", "key", "b", "[okta]\nkey = b\nother = a\n"},
        {"[a]\nkey = 1\n[okta]\nkey = 2\n", "okta", "key", "b", "[a]\nkey = 1\n[okta]\nkey = b\n"},
        {"[a]\n", "okta", "key", "b", "[a]\n\n[okta]\nkey = b\n"},
        {"", "okta", "key", "b", "[okta]\nkey = b\n"},
        {"[okta]\nkey = a\n", "okta", "key", NULL, "[okta]\n#key = a\n"},
        {"[okta]\n#key = a\n", "okta", "key", NULL, "[okta]\n#key = a\n"},
        {"[okta]\nkey = a\n", "okta", "key", "", "[okta]\nkey =\n"},
        {"[okta]\nkeyring = a\n", "okta", "key", "b", "[okta]\nkey = b\nkeyring = a\n"},
        /* An example of a section that may come several times is not the section before it. */
        {"[okta]\n#[ca x]\n#key = z\n", "okta", "key", "b", "[okta]\nkey = b\n#[ca x]\n#key = z\n"},
        {"[okta]\n#key = a\nkey = c\n", "okta", "key", "b", "[okta]\n#key = a\nkey = b\n"},
    };
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *once;

        assert_string_equal(
            conf_of(&b, rows[i].before, rows[i].section, rows[i].key, rows[i].value),
            rows[i].after);
        once = strdup((char const *)b.p);
        assert_string_equal(conf_of(&b, once, rows[i].section, rows[i].key, rows[i].value), once);
        free(once);
    }
    dt_buf_free(&b);
}

/* --- PAM -------------------------------------------------------------------------------------- */

static char const sshd[] = "# ssh\n@include common-auth\naccount    required     pam_nologin.so\n"
                           "@include common-account\nsession    required     pam_loginuid.so\n"
                           "@include common-session\n@include common-password\n";
static char const su[] =
    "auth       sufficient pam_rootok.so\nsession    optional   pam_mail.so nopen\n"
    "@include common-auth\n@include common-account\n@include common-session\n";

static int pam_of(dt_buf *b, char const *text, dt_pam_shape shape, dt_error *e)
{
    dt_buf_reset(b);
    return dt_edit_pam(dt_bytes_str(text), "/etc/pam.d/x", &shape, b, e);
}

static void writes_lines_beside_the_includes(void **state)
{
    dt_error e = {0};
    dt_buf b, back;
    char *report, *enforced;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    dt_buf_init(&back, DT_EDIT_TEXT_MAX);
    assert_int_equal(pam_of(&b, sshd, (dt_pam_shape){.account = true, .session = true}, &e), DT_OK);
    report = strdup((char const *)b.p);
    assert_string_equal(
        report,
        "# ssh\n@include common-auth\n"
        "auth       required   pam_devtrust.so  # devtrustctl setup\n"
        "account    required     pam_nologin.so\n"
        "account    required   pam_devtrust.so  # devtrustctl setup\n@include common-account\n"
        "session    required   pam_devtrust.so  # devtrustctl setup\n"
        "session    required     pam_loginuid.so\n@include common-session\n"
        "@include common-password\n");
    assert_int_equal(
        pam_of(&b, report, (dt_pam_shape){.account = true, .session = true, .key_only = true}, &e),
        DT_OK);
    enforced = strdup((char const *)b.p);
    /* The key was the first factor: no password is asked for, and devtrust stands alone. */
    assert_non_null(strstr(enforced, "# devtrustctl setup was: @include common-auth\n"
                                     "auth       required   pam_devtrust.so"));
    assert_int_equal(pam_of(&b, enforced, (dt_pam_shape){.account = true, .session = true}, &e),
                     DT_OK);
    assert_string_equal((char const *)b.p, report);
    assert_true(dt_edit_pam_remove(dt_bytes_str(enforced), &back));
    assert_string_equal((char const *)back.p, sshd);
    free(report);
    free(enforced);
    dt_buf_free(&b);
    dt_buf_free(&back);
}

static void leaves_root_alone_at_su(void **state)
{
    dt_error e = {0};
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    assert_int_equal(pam_of(&b, su, (dt_pam_shape){.account = true, .rootok = true}, &e), DT_OK);
    assert_non_null(
        strstr((char const *)b.p,
               "account    [success=1 default=ignore] pam_rootok.so  # devtrustctl setup\n"
               "account    required   pam_devtrust.so  # devtrustctl setup\n"
               "@include common-account\n"));
    dt_buf_free(&b);
}

static void gives_a_lock_screen_lines_of_its_own(void **state)
{
    static char const screen[] = "#\n# PAM\n#\nauth include login\n";
    dt_error e = {0};
    dt_buf b, back;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    dt_buf_init(&back, DT_EDIT_TEXT_MAX);
    assert_int_equal(pam_of(&b, screen, (dt_pam_shape){.account = true, .take_passcode = true}, &e),
                     DT_OK);
    assert_non_null(strstr((char const *)b.p, "# devtrustctl setup was: auth include login\n"));
    assert_non_null(strstr((char const *)b.p, "pam_devtrust.so take_passcode"));
    assert_true(dt_edit_pam_remove(dt_buf_bytes(&b), &back));
    assert_string_equal((char const *)back.p, screen);
    dt_buf_free(&b);
    dt_buf_free(&back);
}

static void refuses_a_service_that_it_does_not_understand(void **state)
{
    static struct {
        char const *text, *says;
    } const rows[] = {
        {"auth required pam_unix.so\n", "0 lines \"@include common-auth\""},
        {"@include common-auth\n@include common-auth\n@include common-account\n", "2 lines"},
        {"@include common-auth\n", "common-account"},
        {"@include common-auth \\\n@include common-account\n", "backslash"},
        {"@include common-auth\nauth required pam_devtrust.so\n@include common-account\n",
         "setup did not write"},
        {"@include common-auth\n-auth required /lib/security/pam_devtrust.so\n@include "
         "common-account\n",
         "setup did not write"},
        {"", "0 lines"},
    };
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_error e = {0};

        assert_int_equal(pam_of(&b, rows[i].text, (dt_pam_shape){.account = true}, &e),
                         DT_E_INVALID);
        if (strstr(e.text, rows[i].says) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", e.text, rows[i].says);
    }
    dt_buf_free(&b);
}

/* --- FreeRADIUS and groups ---------------------------------------------------------------------- */

static void grants_a_person_the_time(void **state)
{
    static struct {
        char const *before, *after;
    } const rows[] = {
        {"max_request_time = 30\n$INCLUDE clients.conf\n",
         "max_request_time = 65\n$INCLUDE clients.conf\n$INCLUDE ours\n"},
        {"max_request_time = 90\n$INCLUDE clients.conf\n$INCLUDE ours\n",
         "max_request_time = 90\n$INCLUDE clients.conf\n$INCLUDE ours\n"},
        {"#max_request_time = 30\n$INCLUDE clients.conf\n", NULL},
        {"max_request_time = 30\n", NULL},
        {"max_request_time = 30\nmax_request_time = 30\n$INCLUDE clients.conf\n", NULL},
    };
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_error e = {0};
        int rc;

        dt_buf_reset(&b);
        rc = dt_edit_radiusd(dt_bytes_str(rows[i].before), "radiusd.conf", 65, "ours", &b, &e);
        assert_int_equal(rc, rows[i].after != NULL ? DT_OK : DT_E_INVALID);
        if (rows[i].after != NULL)
            assert_string_equal((char const *)b.p, rows[i].after);
    }
    dt_buf_free(&b);
}

static void adds_and_takes_one_member(void **state)
{
    static struct {
        char const *without, *with;
    } const rows[] = {
        {"devtrust:x:9:\n", "devtrust:x:9:freerad\n"},
        {"a:x:1:freerad\ndevtrust:x:9:ann\n", "a:x:1:freerad\ndevtrust:x:9:ann,freerad\n"},
        {"devtrust:!::\n", "devtrust:!::freerad\n"},
        {"devtrust:x:9:freeradius\n", "devtrust:x:9:freeradius,freerad\n"},
    };
    dt_error e = {0};
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_EDIT_TEXT_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char const *const texts[] = {rows[i].without, rows[i].with};

        for (size_t k = 0; k < 4; k++) {
            dt_buf_reset(&b);
            assert_int_equal(
                dt_edit_member(dt_bytes_str(texts[k / 2]), "devtrust", "freerad", k % 2, &b, &e),
                DT_OK);
            assert_string_equal((char const *)b.p, texts[k % 2]);
        }
    }
    dt_buf_reset(&b);
    assert_int_equal(
        dt_edit_member(dt_bytes_str("devtrust2:x:1:\n"), "devtrust", "freerad", true, &b, &e),
        DT_E_NOT_FOUND);
    dt_buf_free(&b);
}

/* --- plans ------------------------------------------------------------------------------------- */

#define FILES_MAX 128
typedef struct world {
    struct {
        char path[DT_EDIT_PATH_MAX];
        dt_node node;
    } files[FILES_MAX];
    size_t count;
} world;

static dt_node *node_of(world *w, char const *path)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->files[i].path, path) == 0)
            return &w->files[i].node;
    }
    return NULL;
}

static dt_node *add(world *w, char const *path, dt_node_type type, unsigned mode, char const *text)
{
    dt_node *n = node_of(w, path);

    if (n == NULL) {
        assert_true(w->count < FILES_MAX);
        assert_int_equal(dt_str_copy(w->files[w->count].path, DT_EDIT_PATH_MAX, path), DT_OK);
        n = &w->files[w->count++].node;
        dt_node_init(n);
    }
    n->type = type;
    n->mode = mode;
    dt_buf_reset(&n->content);
    dt_buf_puts(&n->content, text);
    return n;
}

static int look(void *ctx, char const *path, dt_node *out, dt_error *e)
{
    dt_node *n = node_of(ctx, path);

    (void)e;
    dt_buf_reset(&out->content);
    out->type = DT_NODE_ABSENT;
    return n != NULL ? dt_node_copy(out, n) : DT_OK;
}

static world *make_world(void)
{
    static char const *const files[][2] = {
        {"/etc/pam.d/sshd", sshd},
        {"/etc/pam.d/su", su},
        {"/etc/pam.d/su-l", "auth include su\naccount include su\nsession include su\n"},
        {"/etc/pam.d/sudo", "@include common-auth\n@include common-account\n"},
        {"/etc/pam.d/sudo-i", "@include common-auth\n@include common-account\n"},
        {"/etc/pam.d/i3lock", "auth include login\n"},
        {"/usr/share/devtrust/devtrust.conf", "[okta]\norg_url = https://example.okta.com\n"},
        {"/usr/share/devtrust/policies/sudo.json", "{\"application\": \"sudo\"}\n"},
        {"/usr/share/devtrust/policies/sshd.json", "{\"application\": \"sshd\"}\n"},
        {"/usr/share/devtrust/policies/vpn.json", "{\"application\": \"vpn\"}\n"},
        {"/usr/share/devtrust/policies/wifi.json", "{\"application\": \"wifi\"}\n"},
        {"/usr/share/devtrust/sshd/devtrust.conf", "UsePAM yes\n"},
        {"/usr/share/devtrust/raddb/mods-available/devtrust", "devtrust {\n\tconfig = /etc/x\n}\n"},
        {"/usr/share/devtrust/raddb/mods-available/eap_devtrust", "eap {\n}\n"},
        {"/usr/share/devtrust/raddb/sites-available/devtrust-vpn", "server vpn {\n}\n"},
        {"/usr/share/devtrust/raddb/sites-available/devtrust-wifi", "server wifi {\n}\n"},
        {"/etc/freeradius/3.0/radiusd.conf", "max_request_time = 30\n$INCLUDE clients.conf\n"},
        {"/etc/group", "freerad:x:7:\ndevtrust:x:8:\n"},
    };
    world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        add(w, files[i][0], DT_NODE_FILE, 0644, files[i][1]);
    add(w, "/etc/devtrust", DT_NODE_DIRECTORY, 0755, "");
    add(w, "/etc/freeradius/3.0/sites-enabled/default", DT_NODE_LINK, 0,
        "../sites-available/default");
    return w;
}

static void free_world(world *w)
{
    for (size_t i = 0; i < w->count; i++)
        dt_node_free(&w->files[i].node);
    free(w);
}

/* Plans for the world, and carries the plan out in it; *count is of edits. */
static int plan_and_carry_out(world *w, char const *applications, bool enforce, size_t *count,
                              dt_error *e)
{
    static char const answers[] =
        "org_url = https://corp.okta.com\nlogin_suffix = @corp.com\n"
        "api_token_file = /root/token\n"
        "tenant_id = a1111111-1111-2222-3333-444444444444\n"
        "intune_client_id = b1111111-1111-2222-3333-444444444444\n"
        "intune_client_secret_file = /root/secret\n"
        "company_ca_file = /root/ca.pem\n"
        "radius_certificate_file = /root/r.pem\nradius_key_file = /root/r.key\n";
    dt_answers *a = calloc(1, sizeof(*a));
    dt_node files[DT_ANSWER_COUNT];
    dt_setup_input in = {
        .answers = a, .files = files, .look = look, .ctx = w, .devtrust = 8, .freerad = 7};
    dt_edits l;
    int rc;

    assert_non_null(a);
    assert_int_equal(dt_answers_parse(dt_bytes_str(answers), "answers", a, e), DT_OK);
    assert_int_equal(dt_answers_set(a, "test", "applications", applications, e), DT_OK);
    assert_int_equal(dt_answers_set(a, "test", "enforce", enforce ? "yes" : "no", e), DT_OK);
    assert_int_equal(dt_answers_check(a, e), DT_OK);
    memset(in.state_key, 'a', sizeof(in.state_key) - 1);
    for (size_t i = 0; i < DT_ANSWER_COUNT; i++) {
        dt_node_init(&files[i]);
        dt_buf_printf(&files[i].content, "content of %s\n", dt_answer_row_of((dt_answer_id)i)->key);
    }
    assert_int_equal(dt_edits_init(&l, e), DT_OK);
    rc = dt_setup_plan(&in, &l, e);
    *count = l.count;
    for (size_t i = 0; rc == DT_OK && i < l.count; i++)
        assert_int_equal(
            dt_node_copy(add(w, l.items[i].path, DT_NODE_FILE, 0, ""), &l.items[i].after), DT_OK);
    dt_edits_free(&l);
    for (size_t i = 0; i < DT_ANSWER_COUNT; i++)
        dt_node_free(&files[i]);
    free(a);
    return rc;
}

static char const *content(world *w, char const *path)
{
    dt_node *n = node_of(w, path);

    assert_non_null(n);
    assert_int_not_equal(n->type, DT_NODE_ABSENT);
    return (char const *)n->content.p;
}

/* Whatever is wanted, after whatever was wanted before: a second plan has nothing to do. */
static void a_second_plan_is_empty(void **state)
{
    static char const *const wanted[] = {"sshd",
                                         "sudo",
                                         "su, sshd",
                                         "lock-screen",
                                         "vpn",
                                         "wifi",
                                         "sshd, sudo, su, lock-screen, vpn, wifi"};
    world *w = make_world();
    size_t count;
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(wanted) / sizeof(wanted[0]); i++) {
        char const *applications = wanted[i % (sizeof(wanted) / sizeof(wanted[0]))];

        assert_int_equal(plan_and_carry_out(w, applications, i % 3 == 1, &count, &e), DT_OK);
        assert_true(count > 0);
        assert_int_equal(plan_and_carry_out(w, applications, i % 3 == 1, &count, &e), DT_OK);
        assert_int_equal(count, 0);
    }
    free_world(w);
}

static void begins_in_report_only_mode(void **state)
{
    world *w = make_world();
    size_t count;
    dt_error e = {0};

    (void)state;
    assert_int_equal(plan_and_carry_out(w, "sshd, vpn", false, &count, &e), DT_OK);
    assert_non_null(strstr(content(w, "/etc/devtrust/devtrust.conf"), "report_only = yes\n"));
    /* Whoever got in by a password still does, and sshd's own rules are as they were. */
    assert_non_null(strstr(content(w, "/etc/pam.d/sshd"), "\n@include common-auth\n"));
    assert_null(node_of(w, "/etc/ssh/sshd_config.d/devtrust.conf"));
    assert_int_equal(plan_and_carry_out(w, "sshd, vpn", true, &count, &e), DT_OK);
    assert_non_null(strstr(content(w, "/etc/devtrust/devtrust.conf"), "report_only = no\n"));
    assert_null(strstr(content(w, "/etc/pam.d/sshd"), "\n@include common-auth\n"));
    assert_string_equal(content(w, "/etc/ssh/sshd_config.d/devtrust.conf"), "UsePAM yes\n");
    free_world(w);
}

static void gives_secrets_their_owners(void **state)
{
    static struct {
        char const *path;
        unsigned mode, gid;
    } const rows[] = {
        {"/etc/devtrust/okta.token", 0640, 8},       {"/etc/devtrust/graph.secret", 0640, 8},
        {"/etc/devtrust/radius-state.key", 0640, 7}, {"/etc/devtrust/radius-server.key", 0640, 7},
        {"/etc/devtrust/device-ca.pem", 0644, 0},    {"/etc/devtrust/setup.answers", 0600, 0}};
    world *w = make_world();
    size_t count;
    dt_error e = {0};

    (void)state;
    /* One with wrong rights is put right. */
    add(w, "/etc/devtrust/okta.token", DT_NODE_FILE, 0666, "content of api_token_file\n");
    assert_int_equal(plan_and_carry_out(w, "sshd, wifi", false, &count, &e), DT_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_node *n = node_of(w, rows[i].path);

        assert_non_null(n);
        assert_int_equal(n->mode, rows[i].mode);
        assert_int_equal(n->uid, 0);
        assert_int_equal(n->gid, rows[i].gid);
    }
    /* FreeRADIUS reads the same secrets by its group. */
    assert_non_null(strstr(content(w, "/etc/group"), "devtrust:x:8:freerad"));
    assert_non_null(strstr(content(w, "/etc/freeradius/3.0/mods-available/devtrust"),
                           "config = /etc/devtrust/devtrust.conf"));
    free_world(w);
}

static void names_only_what_is_named(void **state)
{
    world *w = make_world();
    size_t count;
    dt_error e = {0};

    (void)state;
    assert_int_equal(plan_and_carry_out(w, "sudo", false, &count, &e), DT_OK);
    assert_string_equal(content(w, "/etc/pam.d/sshd"), sshd);
    assert_string_equal(content(w, "/etc/pam.d/su"), su);
    assert_true(dt_pam_names_devtrust(dt_bytes_str(content(w, "/etc/pam.d/sudo-i"))));
    assert_null(node_of(w, "/etc/devtrust/policies/sshd.json"));
    assert_null(node_of(w, "/etc/freeradius/3.0/mods-enabled/devtrust"));
    /* What is no longer named is as it was. */
    assert_int_equal(plan_and_carry_out(w, "su", false, &count, &e), DT_OK);
    assert_false(dt_pam_names_devtrust(dt_bytes_str(content(w, "/etc/pam.d/sudo"))));
    assert_false(dt_pam_names_devtrust(dt_bytes_str(content(w, "/etc/pam.d/sudo-i"))));
    assert_string_equal(content(w, "/etc/devtrust/policies/su.json"),
                        "{\"application\": \"su\"}\n");
    free_world(w);
}

static void keeps_what_others_wrote(void **state)
{
    world *w = make_world();
    size_t count;
    dt_error e = {0};

    (void)state;
    add(w, "/etc/devtrust/devtrust.conf", DT_NODE_FILE, 0600,
        "[okta]\n# ours\ntimeout = 3s\n[daemon]\nmax_sign_ons = 7\n");
    add(w, "/etc/devtrust/policies/vpn.json", DT_NODE_FILE, 0644, "{\"mine\": 1}\n");
    add(w, "/etc/freeradius/3.0/sites-available/devtrust-vpn", DT_NODE_FILE, 0640, "mine\n");
    assert_int_equal(plan_and_carry_out(w, "vpn", false, &count, &e), DT_OK);
    assert_non_null(strstr(content(w, "/etc/devtrust/devtrust.conf"), "# ours\ntimeout = 3s\n"));
    assert_non_null(strstr(content(w, "/etc/devtrust/devtrust.conf"), "max_sign_ons = 7\n"));
    assert_int_equal(node_of(w, "/etc/devtrust/devtrust.conf")->mode, 0600);
    assert_string_equal(content(w, "/etc/devtrust/policies/vpn.json"), "{\"mine\": 1}\n");
    assert_string_equal(content(w, "/etc/freeradius/3.0/sites-available/devtrust-vpn"), "mine\n");
    assert_int_equal(node_of(w, "/etc/freeradius/3.0/sites-enabled/default")->type, DT_NODE_ABSENT);
    free_world(w);
}

static void refuses_what_is_not_as_expected(void **state)
{
    static struct {
        char const *path;
        dt_node_type type;
        char const *text, *applications, *says;
    } const rows[] = {
        {"/etc/pam.d/sshd", DT_NODE_LINK, "/tmp/x", "sshd", "symbolic link"},
        {"/etc/devtrust/devtrust.conf", DT_NODE_LINK, "/tmp/x", "sshd", "symbolic link"},
        {"/etc/devtrust/okta.token", DT_NODE_LINK, "/tmp/x", "sshd", "symbolic link"},
        {"/etc/devtrust/okta.token", DT_NODE_DIRECTORY, "", "sshd", "is a directory"},
        {"/etc/devtrust", DT_NODE_FILE, "", "sshd", "is not a directory"},
        {"/etc/pam.d/sudo", DT_NODE_FILE, "auth required pam_unix.so\n", "sudo", "common-auth"},
        {"/etc/group", DT_NODE_FILE, "root:x:0:\n", "vpn", "no group devtrust"},
        {"/etc/freeradius/3.0/mods-enabled/devtrust", DT_NODE_FILE, "x", "vpn",
         "not a symbolic link"},
        {"/etc/freeradius/3.0/radiusd.conf", DT_NODE_FILE, "x\n", "vpn", "max_request_time"},
        {"/etc/x", DT_NODE_FILE, "", "gdm-password", "/etc/pam.d/gdm-password does not exist"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world *w = make_world();
        dt_error e = {0};
        size_t count;

        add(w, rows[i].path, rows[i].type, 0644, rows[i].text);
        assert_true(plan_and_carry_out(w, rows[i].applications, true, &count, &e) < 0);
        if (strstr(e.text, rows[i].says) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].path, e.text, rows[i].says);
        free_world(w);
    }
}

/* --- the diff ----------------------------------------------------------------------------------- */

static void shows_what_changes(void **state)
{
    dt_buf b;

    (void)state;
    dt_buf_init(&b, 4096);
    dt_diff_put(&b, "/f", dt_bytes_str("1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
                dt_bytes_str("1\n2\n3\n4\n5\nsix\n7\n8\n9\n"));
    assert_string_equal((char const *)b.p,
                        "--- /f\n+++ /f\n@@ -3 +3 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n");
    dt_buf_reset(&b);
    dt_diff_put(&b, "/f", dt_bytes_str(""), dt_bytes_str("a\n"));
    assert_string_equal((char const *)b.p, "--- /dev/null\n+++ /f\n+a\n");
    dt_buf_free(&b);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(sets_keys_in_their_place),
        cmocka_unit_test(writes_lines_beside_the_includes),
        cmocka_unit_test(leaves_root_alone_at_su),
        cmocka_unit_test(gives_a_lock_screen_lines_of_its_own),
        cmocka_unit_test(refuses_a_service_that_it_does_not_understand),
        cmocka_unit_test(grants_a_person_the_time),
        cmocka_unit_test(adds_and_takes_one_member),
        cmocka_unit_test(a_second_plan_is_empty),
        cmocka_unit_test(begins_in_report_only_mode),
        cmocka_unit_test(gives_secrets_their_owners),
        cmocka_unit_test(names_only_what_is_named),
        cmocka_unit_test(keeps_what_others_wrote),
        cmocka_unit_test(refuses_what_is_not_as_expected),
        cmocka_unit_test(shows_what_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
