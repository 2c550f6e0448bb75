/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl doctor, from facts to findings: each fact has a finding with a name that the manual has, and whatever is
 * not in order says what, why and what to do; what a server prints of itself, and who listens; a person at Okta. */
#include "devtrustctl/doctor/judge.h"
#include "devtrustctl/doctor/raddb.h"
#include "devtrustctl/doctor/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void each_fact_has_its_words(void **state)
{
    (void)state;
    for (dt_fact_id id = 0; id < DT_FACT_COUNT; id++) {
        for (int systemd = 0; systemd < 2; systemd++) {
            dt_facts f = {.systemd = systemd != 0};
            dt_diagnosis d;

            assert_false(dt_doctor_judge(&f, id, &d)); /* was not asked */
            dt_fact_set(&f, id, DT_FACT_YES, "%s", "the thing");
            assert_true(dt_doctor_judge(&f, id, &d));
            assert_int_equal(d.status, DT_FINDING_OK);
            assert_true(d.what[0] != '\0' && d.why[0] == '\0' && d.todo[0] == '\0');
            assert_string_equal(d.check, dt_doctor_check_name(id));
            dt_fact_set(&f, id, DT_FACT_NO, "%s", "the thing");
            assert_true(dt_doctor_judge(&f, id, &d));
            assert_true(d.status == DT_FINDING_FAULT || d.status == DT_FINDING_WARNING);
            assert_true(d.what[0] != '\0' && d.why[0] != '\0' && d.todo[0] != '\0');
            assert_null(strchr(d.what, '@'));
            assert_non_null(strstr(d.what, "the thing"));
            dt_fact_set(&f, id, DT_FACT_UNSEEN, "%s", "why it was not seen");
            assert_true(dt_doctor_judge(&f, id, &d));
            assert_int_equal(d.status, DT_FINDING_UNSEEN);
            assert_string_equal(d.what, "why it was not seen");
        }
    }
}

/* Without systemd nobody is told to type systemctl. */
static void advice_fits_the_host(void **state)
{
    (void)state;
    for (dt_fact_id id = 0; id < DT_FACT_COUNT; id++) {
        dt_facts f = {.systemd = false};
        dt_diagnosis d;

        if (id == DT_FACT_DAEMON_BOOT || id == DT_FACT_RADIUS_BOOT)
            continue; /* are asked where systemd runs */
        dt_fact_set(&f, id, DT_FACT_NO, "%s", "x");
        assert_true(dt_doctor_judge(&f, id, &d));
        assert_null(strstr(d.todo, "systemctl"));
        assert_null(strstr(d.todo, "timedatectl"));
    }
}

static void the_manual_has_each_name(void **state)
{
    char *text = calloc(1, 1 << 20);
    char const *root = getenv("DEVTRUST_ROOT");
    char path[1024];
    FILE *f;

    (void)state;
    snprintf(path, sizeof(path), "%s/man/devtrustctl.8", root != NULL ? root : ".");
    f = fopen(path, "r");
    assert_non_null(text);
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    for (dt_fact_id id = 0; id < DT_FACT_COUNT; id++) {
        char row[128];

        snprintf(row, sizeof(row), "\n.It %s Ta ", dt_doctor_check_name(id));
        if (strstr(text, row) == NULL)
            fail_msg("man/devtrustctl.8 has no row for %s", dt_doctor_check_name(id));
        for (dt_fact_id other = 0; other < id; other++)
            assert_string_not_equal(dt_doctor_check_name(id), dt_doctor_check_name(other));
    }
    free(text);
}

/* --- FreeRADIUS ---------------------------------------------------------------------------------- */

static void listeners(void **state)
{
    static char const output[] =
        "main {\n \tlibdir = \"/usr/lib/freeradius\"\n}\n"
        "   \tcertificate_file = \"/etc/a.pem\"\n"
        "   \tcertificate_file = \"/etc/a.pem\"\n"
        "listen {\n  \ttype = \"auth\"\n  \tipaddr = *\n  \tport = 0\n"
        "   limit {\n   \tport = 7\n   }\n}\n"
        "listen {\n  \ttype = \"acct\"\n  \tport = 1899\n}\n"
        "listen {\n\ttype = \"auth+acct\"\n\tproto = \"tcp\"\n\tport = 2083\n}\n"
        "listen {\n\ttype = \"status\"\n\tport = 18121\n}\n"
        "listen {\n\ttype = \"auth\"\n\tport = 99999\n}\n"
        "listen {\n\ttype = \"auth\"\n\tport = 4";
    dt_raddb c;

    (void)state;
    dt_raddb_read(dt_bytes_str(output), &c);
    assert_string_equal(c.libdir, "/usr/lib/freeradius");
    assert_int_equal(c.certificate_count, 1);
    assert_string_equal(c.certificates[0], "/etc/a.pem");
    assert_int_equal(c.listener_count, 5); /* not the one that is cut off */
    assert_int_equal(c.listeners[0].port, 1812);
    assert_false(c.listeners[0].acct || c.listeners[0].tcp);
    assert_int_equal(c.listeners[1].port, 1899);
    assert_true(c.listeners[1].acct);
    assert_true(c.listeners[2].tcp && !c.listeners[2].acct && c.listeners[2].port == 2083);
    assert_true(c.listeners[3].tcp && c.listeners[3].acct);
    assert_int_equal(c.listeners[4].port, 1812);
}

static void strange_output(void **state)
{
    static char const *const texts[] = {"",
                                        "\n\n",
                                        "}",
                                        "}\n}\n}\n",
                                        "listen {",
                                        "listen {\n}\n",
                                        "listen {\nlisten {\n}\n}\n",
                                        "port = 1812\n",
                                        "listen {\ntype = \"\nport = \n}\n"};
    dt_raddb c;
    dt_buf many;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dt_raddb_read(dt_bytes_str(texts[i]), &c);
        assert_int_equal(c.listener_count, 0);
    }
    dt_buf_init(&many, 1 << 20);
    for (int i = 0; i < 100; i++)
        dt_buf_printf(&many, "certificate_file = \"/%d\"\nlisten {\ntype = \"auth\"\nport = 1\n}\n",
                      i);
    dt_raddb_read(dt_buf_bytes(&many), &c);
    assert_int_equal(c.listener_count, DT_LISTENERS_MAX);
    assert_int_equal(c.certificate_count, DT_RADIUS_FILES_MAX);
    dt_buf_free(&many);
}

static void sockets(void **state)
{
    static char const udp[] =
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode ref pointer drops\n"
        "  123: 0100007F:0714 00000000:0000 07 00000000:00000000 00:00000000 00000000   102        "
        "0 "
        "4711 2 0000000000000000 0\n"
        " 124: 00000000000000000000000000000000:0715 00000000000000000000000000000000:0000 07 "
        "00000000:00000000 00:00000000 00000000   102        0 4712 2 0 0\n";
    static char const tcp[] = "   0: 0100007F:0823 00000000:0000 06 00000000:00000000 00:00000000 "
                              "00000000     0        0 1 "
                              "1 0\n"
                              "   1: 0100007F:0823 00000000:0000 0A 00000000:00000000 00:00000000 "
                              "00000000     0        0 2 "
                              "1 0\n";

    (void)state;
    assert_int_equal(dt_socket_listening(dt_bytes_str(udp), 1812, false), 4711);
    assert_int_equal(dt_socket_listening(dt_bytes_str(udp), 1813, false), 4712);
    assert_int_equal(dt_socket_listening(dt_bytes_str(udp), 1814, false), 0);
    assert_int_equal(dt_socket_listening(dt_bytes_str(tcp), 2083, true), 2);
    assert_int_equal(dt_socket_listening(dt_bytes_str("garbage\n: :\n"), 1812, false), 0);
    assert_int_equal(dt_socket_listening(dt_bytes_str(""), 0, false), 0);
}

/* --- a person ------------------------------------------------------------------------------------- */

static char g_said[2048];

static void said(void *ctx, dt_finding_status status, char const *check, char const *what,
                 char const *why, char const *todo)
{
    size_t len = strlen(g_said);

    (void)ctx;
    assert_true((status == DT_FINDING_OK) == (why[0] == '\0' && todo[0] == '\0'));
    assert_true(what[0] != '\0');
    snprintf(g_said + len, sizeof(g_said) - len, "%s %d %s; %s\n", check, status, what, todo);
}

static char const *person(char const *status, unsigned factors, size_t unusable, unsigned allowed)
{
    dt_person_facts p = {.login = "ann@example.com",
                         .factors = factors,
                         .unusable = unusable,
                         .allowed = allowed,
                         .org_url = "https://example.okta.com"};

    assert_int_equal(dt_str_copy(p.status, sizeof(p.status), status), 0);
    g_said[0] = '\0';
    dt_person_judge(&p, said, NULL);
    return g_said;
}

static void people(void **state)
{
    static char const *const shut[] = {"STAGED",    "PROVISIONED", "DEPROVISIONED",
                                       "SUSPENDED", "LOCKED_OUT",  "RECOVERY"};
    char const *text;

    (void)state;
    text = person("ACTIVE", DT_FACTOR_PUSH, 0, DT_FACTOR_PUSH);
    assert_non_null(strstr(text, "user.okta 0 "));
    assert_non_null(strstr(text, "user.factors 0 can use push"));
    for (size_t i = 0; i < sizeof(shut) / sizeof(shut[0]); i++)
        assert_non_null(strstr(person(shut[i], DT_FACTOR_PUSH, 0, DT_FACTOR_PUSH), "user.okta 2 "));
    text = person("", 0, 0, DT_FACTOR_PUSH);
    assert_non_null(strstr(text, "user.okta 2 Okta knows no login ann@example.com"));
    assert_null(strstr(text, "user.factors"));
    text = person("ACTIVE", 0, 0, DT_FACTOR_PUSH);
    assert_non_null(strstr(text, "user.factors 2 "));
    assert_non_null(strstr(text, "set up one of push at https://example.okta.com"));
    assert_non_null(strstr(person("ACTIVE", DT_FACTOR_SMS, 0, DT_FACTOR_PUSH), "has sms"));
    assert_non_null(strstr(person("ACTIVE", 0, 2, DT_FACTOR_PUSH), "devtrust does not do"));
    assert_non_null(strstr(person("ACTIVE", DT_FACTOR_PUSH, 0, 0), "user.factors 2 "));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(each_fact_has_its_words),
        cmocka_unit_test(advice_fits_the_host),
        cmocka_unit_test(the_manual_has_each_name),
        cmocka_unit_test(listeners),
        cmocka_unit_test(strange_output),
        cmocka_unit_test(sockets),
        cmocka_unit_test(people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
