/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk through a PAM stack, held against libpam itself over random stacks; the search for ways around
 * devtrust, held against trying every answer of every module. */
#include "devtrustctl/pam_files.h"

#include <security/pam_appl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASES 4000
#define SEARCHES 3000
#define FILES 4 /* that include each other */

static char root[] = "/tmp/devtrust-stack-XXXXXX";
static char confdir[128];
static unsigned seed = 20261130;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* --- random files ------------------------------------------------------------------------------ */

/* Those that make a difference, often; every other one, sometimes. */
static int random_code(void)
{
    static int const often[] = {0, 0, 0, 0, 7, 7, 25, 12, 10, 6, 9, 28};
    unsigned n = below(20);

    return n < 12 ? often[n] : (int)below(DT_PAM_INCOMPLETE);
}

static void put_control(FILE *f)
{
    static char const *const words[] = {"required", "requisite", "optional", "sufficient",
                                        "REQUIRED"};
    static char const *const actions[] = {"ignore", "ok", "done", "bad", "die", "reset",
                                          "1",      "2",  "3",    "1",   "1",   "12"};
    static char const *const odd[] = {"[]",
                                      "[default]",
                                      "[success=0]",
                                      "[ success = ok  default=die]",
                                      "[nonsense=ok]",
                                      "[success=ok default=sometimes]",
                                      "sometimes",
                                      "[default=ok success=bad]",
                                      "[success=1 success=ok default=bad]"};
    unsigned n = below(12);

    if (n < 5) {
        fputs(words[n], f);
    } else if (n == 5) {
        fputs(odd[below(sizeof(odd) / sizeof(odd[0]))], f);
    } else {
        fputc('[', f);
        for (unsigned i = below(4); i > 0; i--)
            fprintf(f, "%s=%s ", dt_pam_code_name(random_code()), actions[below(12)]);
        fprintf(f, "default=%s]", actions[below(12)]);
    }
}

static void put_random_line(FILE *f, int index)
{
    static char const *const kinds[] = {"auth", "auth", "auth", "account", "AUTH", "-auth"};
    static char const *const bad[] = {"auth\n",
                                      "auth required\n",
                                      "nonsense required pam_permit.so\n",
                                      "@include nowhere\n",
                                      "auth substack nowhere\n",
                                      "# nothing\n",
                                      "auth include nowhere\n",
                                      "\n",
                                      "   # auth required pam_deny.so\n"};
    char const *kind = kinds[below(6)];
    unsigned n = below(16);

    /* Only later files, so that there is an end to it. */
    if (n < 3 && index + 1 < FILES) {
        char const *how = n == 0 ? "include" : "substack";
        fprintf(f, "%s %s %s/part%u\n", kind, how, confdir,
                (unsigned)index + 1 + below((unsigned)(FILES - index - 1)));
    } else if (n == 3 && index + 1 < FILES) {
        fprintf(f, "@include %s/part%u\n", confdir,
                (unsigned)index + 1 + below((unsigned)(FILES - index - 1)));
    } else if (n == 4) {
        char const *line = bad[below(sizeof(bad) / sizeof(bad[0]))];

        /* In a file that is included, libpam does as some line before would. */
        fputs(index > 0 && line[0] == '@' ? "\n" : line, f);
    } else {
        fprintf(f, "%s ", kind);
        put_control(f);
        fprintf(f, "%s pam_debug.so auth=%s acct=%s%s\n", below(9) == 0 ? " \\\n\t" : "",
                dt_pam_code_name(random_code()), dt_pam_code_name(random_code()),
                below(9) == 0 ? " # a comment" : "");
    }
}

static FILE *open_file(char const *name)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", confdir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static void write_random_files(void)
{
    char name[16];

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), i == 0 ? "tested" : "part%d", i);
        FILE *f = open_file(name);

        for (unsigned k = below(i == 0 ? 8 : 5); k > 0; k--)
            put_random_line(f, i);
        fclose(f);
    }
    FILE *f = open_file("other");

    if (below(2) == 0)
        fputs("auth required pam_debug.so auth=success\naccount required pam_debug.so "
              "acct=acct_expired\n",
              f);
    fclose(f);
}

/* --- libpam ------------------------------------------------------------------------------------ */

static int no_conversation(int n, struct pam_message const **m, struct pam_response **r, void *ctx)
{
    (void)n;
    (void)m;
    (void)r;
    (void)ctx;
    return PAM_CONV_ERR;
}

static int ask_libpam(bool account)
{
    struct pam_conv conv = {no_conversation, NULL};
    pam_handle_t *h = NULL;
    int code;

    code = pam_start_confdir("tested", "root", &conv, confdir, &h);
    if (code != PAM_SUCCESS)
        return code;
    code = account ? pam_acct_mgmt(h, PAM_SILENT) : pam_authenticate(h, PAM_SILENT);
    (void)pam_end(h, code);
    return code;
}

/* What pam_debug was told to answer. */
static int told(dt_pam_line const *line, char const *name)
{
    char want[64];

    for (int code = 0; code < DT_PAM_CODES; code++) {
        int len = snprintf(want, sizeof(want), "%s=%s", name, dt_pam_code_name(code));
        char const *at = strstr(line->arguments, want);

        if (at != NULL && (at[len] == '\0' || at[len] == ' '))
            return code;
    }
    return DT_PAM_SUCCESS;
}

static int ask_own(bool account)
{
    dt_pam_service *s = NULL;
    dt_error e = {0};
    int codes[DT_PAM_LINES_MAX];
    int result;

    assert_int_equal(dt_pam_service_read(root, "tested", &s, &e), DT_OK);
    dt_pam_stack const *stack = &s->stacks[account ? DT_PAM_ACCOUNT : DT_PAM_AUTH];

    for (size_t i = 0; s->broken[0] == '\0' && i < stack->count; i++)
        codes[i] = told(&stack->lines[i], account ? "acct" : "auth");
    result = s->broken[0] != '\0' ? PAM_ABORT : dt_pam_stack_run(stack, codes);
    dt_pam_service_free(&s);
    return result;
}

static void print_files(void)
{
    char command[256];

    snprintf(command, sizeof(command), "cd %s && tail -n +1 tested part* other >&2", confdir);
    (void)!system(command);
}

static void test_walk_is_libpams(void **state)
{
    unsigned successes = 0;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        bool account = below(4) == 0;
        write_random_files();
        int theirs = ask_libpam(account), ours = ask_own(account);

        if (theirs != ours) {
            print_files();
            fail_msg("case %d, %s: libpam gives %s, we %s", i, account ? "account" : "auth",
                     dt_pam_code_name(theirs), dt_pam_code_name(ours));
        }
        successes += theirs == PAM_SUCCESS;
    }
    /* Both answers are there often enough for the comparison to mean something. */
    assert_in_range(successes, CASES / 10, CASES * 9 / 10);
}

/* --- the search -------------------------------------------------------------------------------- */

static int const tried[] = {DT_PAM_SUCCESS, DT_PAM_AUTH_ERR, DT_PAM_IGNORE,
                            DT_PAM_NEW_AUTHTOK_REQD};
#define TRIED 4

static uint32_t mask_of(int const *codes, size_t count)
{
    uint32_t mask = 0;

    for (size_t i = 0; i < count; i++)
        mask |= UINT32_C(1) << codes[i];
    return mask;
}

static void random_stack(dt_pam_stack *s)
{
    static char const *const controls[] = {"required",
                                           "requisite",
                                           "optional",
                                           "sufficient",
                                           "success=1 default=ignore",
                                           "success=2 default=ignore",
                                           "success=1 new_authtok_reqd=done default=ignore",
                                           "success=ok ignore=reset default=bad",
                                           "default=die",
                                           "default=reset",
                                           "success=done default=die",
                                           "auth_err=1 default=ok"};
    size_t devtrust = below(5);
    int level = 0;

    s->count = 5;
    for (size_t i = 0; i < s->count; i++) {
        dt_pam_line *line = &s->lines[i];

        *line = (dt_pam_line){.module = "",
                              .arguments = "",
                              .control = "",
                              .file = "x",
                              .number = (int)i + 1,
                              .level = level};
        dt_pam_control_parse(controls[below(12)], line->actions);
        line->codes = mask_of(tried, TRIED);
        if (i == devtrust) {
            line->is_devtrust = true;
            line->codes = mask_of(tried, 2);
        } else if (i + 1 < s->count && below(6) == 0) {
            line->what = DT_PAM_SUBSTACK;
            level++;
            continue;
        }
        if (level > 0 && below(3) == 0)
            level--;
    }
}

/* Whether devtrust's line is walked in this run: an answer that no module gives tells it. */
static bool is_way(dt_pam_stack const *s, int const *codes, bool account)
{
    int result = dt_pam_stack_run(s, codes);
    bool in = result == DT_PAM_SUCCESS || (account && result == DT_PAM_NEW_AUTHTOK_REQD);
    int other[DT_PAM_LINES_MAX];

    if (!in)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        if (!s->lines[i].is_devtrust || codes[i] != DT_PAM_SUCCESS)
            continue;
        /* It let in, unless it was never asked. An incomplete answer ends every walk that gets there. */
        memcpy(other, codes, s->count * sizeof(*codes));
        other[i] = DT_PAM_INCOMPLETE;
        return dt_pam_stack_run(s, other) != DT_PAM_INCOMPLETE;
    }
    return true;
}

static bool try_everything(dt_pam_stack const *s, bool account)
{
    int codes[DT_PAM_LINES_MAX];

    for (unsigned n = 0; n < 1u << (2 * s->count); n++) {
        bool allowed = true;

        for (size_t i = 0; i < s->count; i++) {
            codes[i] = tried[(n >> (2 * i)) & 3];
            allowed = allowed && (s->lines[i].codes & (UINT32_C(1) << codes[i])) != 0;
        }
        if (allowed && is_way(s, codes, account))
            return true;
    }
    return false;
}

/* The way that is told is one: run with its answers it succeeds. */
static void check_way(dt_pam_stack const *s, dt_pam_way const *way, bool account)
{
    int codes[DT_PAM_LINES_MAX] = {0};

    for (size_t i = 0; i < way->count; i++)
        codes[way->steps[i]] = way->codes[i];
    assert_true(is_way(s, codes, account));
    assert_true(way->line < s->count);
}

static void test_search_finds_what_there_is(void **state)
{
    static dt_pam_stack s;
    static dt_pam_findings f;
    unsigned found = 0;

    (void)state;
    for (int i = 0; i < SEARCHES; i++) {
        bool account = below(2) == 0;

        random_stack(&s);
        bool there = try_everything(&s, account);

        assert_int_equal(dt_pam_stack_examine(&s, account, &f), DT_OK);
        assert_false(f.too_large);
        assert_true(f.asks);
        if (there != (f.way_count > 0))
            fail_msg("search %d: %s", i, there ? "a way was not found" : "there is no such way");
        for (size_t k = 0; k < f.way_count; k++)
            check_way(&s, &f.ways[k], account);
        found += there;
    }
    assert_in_range(found, SEARCHES / 10, SEARCHES * 9 / 10);
}

/* What libpam leaves behind where a service cannot be started is not ours. */
char const *__lsan_default_suppressions(void);
char const *__lsan_default_suppressions(void)
{
    return "leak:libpam.so.0";
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    /* libpam looks for what is included in /etc/pam.d, whatever the service's own directory is; so the
     * files name each other by their whole path, and below the root that is the same file. */
    snprintf(confdir, sizeof(confdir), "%s/tmp", root);
    if (symlink("/tmp", confdir) != 0)
        return -1;
    snprintf(confdir, sizeof(confdir), "%s/etc", root);
    if (mkdir(confdir, 0755) != 0)
        return -1;
    snprintf(confdir, sizeof(confdir), "%s/etc/pam.d", root);
    return mkdir(confdir, 0755);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk_is_libpams),
                                       cmocka_unit_test(test_search_finds_what_there_is)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
