/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files are believed: owners, modes, links, directories on the way, sizes. What needs another
 * owner or another user runs as root only. */
#include "edge/file.h"
#include "edge/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOMEBODY 54321 /* an uid and gid that nobody has */
#define ANOTHER 54322

static char g_dir[64];

static char const *path_of(char const *name)
{
    static char path[4][PATH_MAX];
    static int next;
    char *p = path[next++ % 4];

    assert_true(snprintf(p, PATH_MAX, "%s/%s", g_dir, name) < PATH_MAX);
    return p;
}

static void file_make(char const *name, char const *text, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(g_dir, "/tmp/dt-test-file-XXXXXX");
    umask(022);
    if (mkdtemp(g_dir) == NULL || chmod(g_dir, 0755) != 0)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", g_dir);
    return system(command);
}

/* Reads a file of at most 100 bytes. */
static int try_read(char const *path, dt_file_kind kind, dt_error *e)
{
    dt_buf b;
    int error;

    *e = (dt_error){0};
    dt_buf_init(&b, 100);
    error = dt_file_read(path, kind, 100, &b, e);
    if (error < 0) {
        assert_int_equal(b.len, 0);
        assert_int_equal(e->code, error);
        assert_true(strlen(e->text) > 10);
    }
    dt_buf_free(&b);
    return error;
}

static void expect(char const *name, dt_file_kind kind, int wanted, char const *text)
{
    dt_error e;
    int error = try_read(path_of(name), kind, &e);

    if (error != wanted || (text != NULL && strstr(e.text, text) == NULL))
        fail_msg("%s: wanted %s \"%s\", got %s \"%s\"", name, dt_err_name(wanted),
                 text == NULL ? "" : text, dt_err_name(error), e.text);
}

static void needs_root(void)
{
    if (geteuid() != 0)
        skip();
}

/* --- what is read ------------------------------------------------------------------------------ */

static void content(void **state)
{
    dt_buf b;
    dt_error e = {0};

    (void)state;
    file_make("f", "hello\n", 0644);
    dt_buf_init(&b, 100);
    dt_buf_puts(&b, "before ");
    assert_int_equal(dt_file_read(path_of("f"), DT_FILE_TRUSTED, 6, &b, &e), DT_OK);
    assert_string_equal((char *)b.p, "before hello\n");
    assert_int_equal(dt_file_read(path_of("f"), DT_FILE_TRUSTED, 5, &b, &e), DT_E_LIMIT);
    assert_string_equal((char *)b.p, "before hello\n");
    assert_non_null(strstr(e.text, "larger than 5 bytes"));
    dt_buf_free(&b);
    /* A buffer that is smaller than what may be read says so, too. */
    dt_buf_init(&b, 3);
    assert_int_equal(dt_file_read(path_of("f"), DT_FILE_TRUSTED, 100, &b, &e), DT_E_LIMIT);
    assert_int_equal(b.len, 0);
    dt_buf_free(&b);
    file_make("empty", "", 0600);
    expect("empty", DT_FILE_SECRET, DT_OK, NULL);
}

static void large_file(void **state)
{
    size_t const size = 3 * 1024 * 1024 + 17;
    char *text = malloc(size + 1);
    dt_buf b;

    (void)state;
    assert_non_null(text);
    memset(text, 'z', size);
    text[size] = '\0';
    file_make("large", text, 0644);
    dt_buf_init(&b, size);
    assert_int_equal(dt_file_read(path_of("large"), DT_FILE_TRUSTED, size, &b, NULL), DT_OK);
    assert_int_equal(b.len, size);
    dt_buf_free(&b);
    dt_buf_init(&b, size);
    assert_int_equal(dt_file_read(path_of("large"), DT_FILE_TRUSTED, size - 1, &b, NULL),
                     DT_E_LIMIT);
    dt_buf_free(&b);
    free(text);
}

/* A device, endless to read(2); and a file below a link that each process has its own of. */
static void endless_file(void **state)
{
    dt_error e;

    (void)state;
    assert_int_equal(try_read("/dev/zero", DT_FILE_TRUSTED, &e), DT_E_PERMISSION);
    assert_int_equal(try_read("/proc/self/status", DT_FILE_TRUSTED, &e), DT_E_PERMISSION);
}

/* --- modes ------------------------------------------------------------------------------------- */

static void modes_of_trusted(void **state)
{
    static struct {
        mode_t mode;
        int wanted;
    } const rows[] = {
        {0644, DT_OK},           {0444, DT_OK},           {0600, DT_OK},
        {0400, DT_OK},           {0640, DT_OK},           {0755, DT_OK},
        {0664, DT_E_PERMISSION}, {0646, DT_E_PERMISSION}, {0666, DT_E_PERMISSION},
        {0620, DT_E_PERMISSION}, {0602, DT_E_PERMISSION}, {01666, DT_E_PERMISSION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file_make("m", "x", rows[i].mode);
        expect("m", DT_FILE_TRUSTED, rows[i].wanted, rows[i].wanted < 0 ? "chmod go-w" : NULL);
    }
}

static void modes_of_secret(void **state)
{
    static struct {
        mode_t mode;
        int wanted;
        char const *text;
    } const rows[] = {
        {0600, DT_OK, NULL},
        {0400, DT_OK, NULL},
        {0700, DT_OK, NULL},
        {0604, DT_E_PERMISSION, "; run: ch"},
        {0644, DT_E_PERMISSION, "; run: ch"},
        {0601, DT_E_PERMISSION, "; run: ch"},
        {0602, DT_E_PERMISSION, "chmod go-w"},
        {0660, DT_E_PERMISSION, "chmod go-w"},
        {0666, DT_E_PERMISSION, "chmod go-w"},
        {0444, DT_E_PERMISSION, "; run: ch"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file_make("m", "x", rows[i].mode);
        expect("m", DT_FILE_SECRET, rows[i].wanted, rows[i].text);
        expect("m", DT_FILE_TRUSTED, (rows[i].mode & 022) != 0 ? DT_E_PERMISSION : DT_OK, NULL);
    }
}

static void group_of_secret(void **state)
{
    (void)state;
    needs_root();
    file_make("g", "x", 0640);
    assert_int_equal(chown(path_of("g"), 0, getegid()), 0);
    expect("g", DT_FILE_SECRET, DT_OK, NULL);
    assert_int_equal(chown(path_of("g"), 0, SOMEBODY), 0);
    expect("g", DT_FILE_SECRET, DT_E_PERMISSION, "by its group (gid 54321)");
    expect("g", DT_FILE_TRUSTED, DT_OK, NULL);
    /* Execute alone is access, too. */
    assert_int_equal(chmod(path_of("g"), 0610), 0);
    expect("g", DT_FILE_SECRET, DT_E_PERMISSION, "by its group");
    assert_int_equal(chmod(path_of("g"), 0600), 0);
    expect("g", DT_FILE_SECRET, DT_OK, NULL);
}

/* --- owners ------------------------------------------------------------------------------------ */

static void other_owner(void **state)
{
    (void)state;
    needs_root();
    file_make("o", "x", 0600);
    assert_int_equal(chown(path_of("o"), SOMEBODY, 0), 0);
    expect("o", DT_FILE_TRUSTED, DT_E_PERMISSION, "another user (uid 54321)");
    expect("o", DT_FILE_SECRET, DT_E_PERMISSION, "another user (uid 54321)");
}

/* Root reads what belongs to a service: here FreeRADIUS's user, where there is one. */
static void service_owner(void **state)
{
    /* cppcheck-suppress getpwnamCalled */
    struct passwd *pw = getpwnam("freerad");

    (void)state;
    needs_root();
    if (pw == NULL)
        skip();
    file_make("s", "x", 0600);
    assert_int_equal(chown(path_of("s"), pw->pw_uid, pw->pw_gid), 0);
    expect("s", DT_FILE_SECRET, DT_OK, NULL);
    assert_int_equal(chown(path_of("s"), 0, pw->pw_gid), 0);
    assert_int_equal(chmod(path_of("s"), 0640), 0);
    expect("s", DT_FILE_SECRET, DT_OK, NULL);
    /* The group only of root's files: its owner could give it to any group. */
    assert_int_equal(chown(path_of("s"), pw->pw_uid, pw->pw_gid), 0);
    expect("s", DT_FILE_SECRET, DT_E_PERMISSION, "by its group");
}

/* Types what the error says to type. */
static void follow(char const *name, dt_file_kind kind)
{
    dt_error e;
    char const *advice;

    assert_int_equal(try_read(path_of(name), kind, &e), DT_E_PERMISSION);
    advice = strstr(e.text, "run: ");
    assert_non_null(advice);
    assert_int_equal(system(advice + strlen("run: ")), 0);
}

/* Each advice leads to a file that is accepted, and that the service can read where root owns it. */
static void advice_works(void **state)
{
    static struct {
        mode_t mode;
        uid_t owner;
        gid_t group;
        dt_file_kind kind;
        int steps; /* faults that are named one after the other */
    } const rows[] = {
        {0644, 0, 0, DT_FILE_SECRET, 1},         {0444, 0, SOMEBODY, DT_FILE_SECRET, 1},
        {0640, 0, SOMEBODY, DT_FILE_SECRET, 1},  {0602, 0, 0, DT_FILE_SECRET, 1},
        {0600, SOMEBODY, 0, DT_FILE_SECRET, 1},  {0666, 0, 0, DT_FILE_TRUSTED, 1},
        {0644, SOMEBODY, 0, DT_FILE_TRUSTED, 1}, {0644, SOMEBODY, 0, DT_FILE_SECRET, 2},
    };
    /* cppcheck-suppress getgrnamCalled */
    char const *name = getgrnam("devtrust") != NULL ? "devtrust" : "freerad";
    /* cppcheck-suppress getgrnamCalled */
    struct group const *service = getgrnam(name);
    struct stat st;

    (void)state;
    needs_root();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file_make("a", "x", rows[i].mode);
        assert_int_equal(chown(path_of("a"), rows[i].owner, rows[i].group), 0);
        assert_int_equal(chmod(path_of("a"), rows[i].mode), 0);
        for (int step = 0; step < rows[i].steps; step++)
            follow("a", rows[i].kind);
        expect("a", rows[i].kind, DT_OK, NULL);
    }
    assert_int_equal(stat(path_of("a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, service != NULL ? 0640 : 0600);
    if (service != NULL)
        assert_int_equal(st.st_gid, service->gr_gid);
    assert_int_equal(mkdir(path_of("wide"), 0755), 0);
    file_make("wide/f", "x", 0600);
    assert_int_equal(chmod(path_of("wide"), 0777), 0);
    follow("wide/f", DT_FILE_SECRET);
    expect("wide/f", DT_FILE_SECRET, DT_OK, NULL);
    assert_int_equal(chown(path_of("wide"), SOMEBODY, 0), 0);
    follow("wide/f", DT_FILE_SECRET);
    expect("wide/f", DT_FILE_SECRET, DT_OK, NULL);
}

/* Names that a shell would read as something else are quoted: the advice touches that file and no other. */
static void advice_is_quoted(void **state)
{
    static char const *const names[] = {
        "two words",   "it's",         "a;exit 7",   "$(exit 7)", "`exit 7`", "a&b",
        "a|b",         "\\back",       "\"double\"", "~",         "#comment", "*",
        "a\xc3\xa4 b", "'; exit 7; '", "-R",         "a>b"};
    char path[64];

    (void)state;
    needs_root();
    assert_int_equal(mkdir(path_of("odd"), 0755), 0);
    file_make("odd/bystander", "x", 0644);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "odd/%s", names[i]);
        file_make(path, "x", 0644);
        follow(path, DT_FILE_SECRET);
        expect(path, DT_FILE_SECRET, DT_OK, NULL);
    }
    expect("odd/bystander", DT_FILE_SECRET, DT_E_PERMISSION, "read by others");
}

/* Runs `check` as somebody without rights; its result is the exit status. */
static int as_somebody(int (*check)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)
            _exit(99);
        _exit(-check());
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static int read_secret_u(void)
{
    dt_error e;

    return try_read(path_of("u"), DT_FILE_SECRET, &e);
}

static int read_trusted_u(void)
{
    dt_error e;

    return try_read(path_of("u"), DT_FILE_TRUSTED, &e);
}

static void own_user(void **state)
{
    (void)state;
    needs_root();
    file_make("u", "x", 0600);
    assert_int_equal(as_somebody(read_trusted_u), DT_E_PERMISSION);
    assert_int_equal(chmod(path_of("u"), 0644), 0);
    assert_int_equal(as_somebody(read_trusted_u), DT_OK);
    assert_int_equal(as_somebody(read_secret_u), DT_E_PERMISSION);
    assert_int_equal(chmod(path_of("u"), 0640), 0);
    assert_int_equal(chown(path_of("u"), 0, SOMEBODY), 0);
    assert_int_equal(as_somebody(read_secret_u), DT_OK);
    assert_int_equal(chmod(path_of("u"), 0600), 0);
    assert_int_equal(chown(path_of("u"), SOMEBODY, SOMEBODY), 0);
    assert_int_equal(as_somebody(read_secret_u), DT_OK);
    assert_int_equal(chmod(path_of("u"), 0640), 0);
    assert_int_equal(as_somebody(read_secret_u), DT_E_PERMISSION);
    assert_int_equal(chmod(path_of("u"), 0644), 0);
    assert_int_equal(chown(path_of("u"), ANOTHER, ANOTHER), 0);
    assert_int_equal(as_somebody(read_trusted_u), DT_E_PERMISSION);
}

static char const *wanted_text; /* what the error of the next reader must say */
static char const *wanted_file;

static int says_wanted(void)
{
    dt_error e;
    int rc = try_read(path_of(wanted_file), DT_FILE_SECRET, &e);

    return rc == DT_E_PERMISSION && strstr(e.text, wanted_text) != NULL ? DT_E_PERMISSION
                                                                        : DT_E_STATE;
}

static void expect_as_somebody(char const *text)
{
    wanted_text = text;
    int const rc = as_somebody(says_wanted);
    wanted_text = NULL;
    assert_int_equal(rc, DT_E_PERMISSION);
}

/* As the user who cannot read it: the directory is named where that is in the way, and whoever is no service
 * user is told to be root. */
static void unreadable(void **state)
{
    char text[1024];

    (void)state;
    needs_root();
    assert_int_equal(mkdir(path_of("shut"), 0700), 0);
    file_make("shut/f", "x", 0600);
    wanted_file = "shut/f";
    snprintf(text, sizeof(text), "the directory %s/shut cannot be searched", g_dir);
    expect_as_somebody(text);
    expect_as_somebody("run this as root");
    snprintf(text, sizeof(text), "run: chgrp %d %s/shut && chmod g+rx %s/shut", SOMEBODY, g_dir,
             g_dir);
    expect_as_somebody(text);
    assert_int_equal(system(text + strlen("run: ")), 0);
    snprintf(text, sizeof(text), "run: chown root:%d %s/shut/f && chmod 640 %s/shut/f", SOMEBODY,
             g_dir, g_dir);
    expect_as_somebody(text);
    assert_int_equal(system(text + strlen("run: ")), 0);
    assert_int_equal(rename(path_of("shut/f"), path_of("u")), 0);
    assert_int_equal(as_somebody(read_secret_u), DT_OK);
}

/* --- what is not a file ------------------------------------------------------------------------- */

static void links(void **state)
{
    (void)state;
    file_make("real", "x", 0600);
    assert_int_equal(symlink("real", path_of("link")), 0);
    expect("link", DT_FILE_TRUSTED, DT_E_PERMISSION, "symbolic link");
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    expect("dangling", DT_FILE_TRUSTED, DT_E_PERMISSION, "symbolic link");
    assert_int_equal(mkdir(path_of("dir"), 0755), 0);
    file_make("dir/f", "x", 0600);
    expect("dir/f", DT_FILE_SECRET, DT_OK, NULL);
    assert_int_equal(symlink("dir", path_of("dirlink")), 0);
    expect("dirlink/f", DT_FILE_SECRET, DT_E_PERMISSION, "dirlink is a symbolic link");
}

static void not_files(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(mkdir(path_of("d"), 0755), 0);
    expect("d", DT_FILE_TRUSTED, DT_E_PERMISSION, "not a regular file");
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    expect("fifo", DT_FILE_TRUSTED, DT_E_PERMISSION, "not a regular file");
    strncpy(a.sun_path, path_of("sock"), sizeof(a.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    expect("sock", DT_FILE_TRUSTED, DT_E_IO, NULL);
    close(fd);
}

static void paths(void **state)
{
    dt_error e;
    char cwd[PATH_MAX];
    char deep[DT_FILE_DEPTH_MAX * 2 + 8] = "";
    char *longest = malloc(PATH_MAX + 2);

    (void)state;
    file_make("f", "x", 0600);
    expect("absent", DT_FILE_TRUSTED, DT_E_NOT_FOUND, "absent does not exist");
    expect("absent/f", DT_FILE_TRUSTED, DT_E_NOT_FOUND, "absent does not exist");
    expect("f/g", DT_FILE_TRUSTED, DT_E_NOT_FOUND, "not a directory");
    expect("../f", DT_FILE_TRUSTED, DT_E_INVALID, "without ..");
    expect("..", DT_FILE_TRUSTED, DT_E_INVALID, NULL);
    expect("", DT_FILE_TRUSTED, DT_E_INVALID, NULL);
    expect("./f", DT_FILE_TRUSTED, DT_OK, NULL);
    expect("/f", DT_FILE_TRUSTED, DT_OK, NULL);
    assert_int_equal(try_read("", DT_FILE_TRUSTED, &e), DT_E_INVALID);
    assert_int_equal(try_read("/", DT_FILE_TRUSTED, &e), DT_E_INVALID);
    for (int i = 0; i <= DT_FILE_DEPTH_MAX; i++)
        strcat(deep, "/.");
    strcat(deep, "/x");
    assert_int_equal(try_read(deep, DT_FILE_TRUSTED, &e), DT_E_INVALID);
    assert_non_null(longest);
    memset(longest, '/', PATH_MAX + 1);
    longest[PATH_MAX + 1] = '\0';
    assert_int_equal(try_read(longest, DT_FILE_TRUSTED, &e), DT_E_INVALID);
    free(longest);
    /* A relative path counts from here. */
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(g_dir), 0);
    assert_int_equal(try_read("f", DT_FILE_TRUSTED, &e), DT_OK);
    assert_int_equal(chdir(cwd), 0);
    /* A name that would write to the terminal does not. */
    expect("\x1b[2J", DT_FILE_TRUSTED, DT_E_NOT_FOUND, "\\x1b[2J");
}

/* --- directories on the way ---------------------------------------------------------------------- */

static void directories(void **state)
{
    static struct {
        mode_t mode;
        int wanted;
    } const rows[] = {
        {0755, DT_OK},           {0700, DT_OK},           {0711, DT_OK},
        {01777, DT_OK},          {01775, DT_OK},          {0775, DT_E_PERMISSION},
        {0757, DT_E_PERMISSION}, {0777, DT_E_PERMISSION}, {02775, DT_E_PERMISSION},
    };

    (void)state;
    assert_int_equal(mkdir(path_of("up"), 0755), 0);
    assert_int_equal(mkdir(path_of("up/down"), 0755), 0);
    file_make("up/f", "x", 0600);
    file_make("up/down/f", "x", 0600);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(chmod(path_of("up"), rows[i].mode), 0);
        expect("up/f", DT_FILE_SECRET, rows[i].wanted, rows[i].wanted < 0 ? "chmod" : NULL);
        expect("up/down/f", DT_FILE_TRUSTED, rows[i].wanted, NULL);
    }
}

static void directories_of_others(void **state)
{
    (void)state;
    needs_root();
    assert_int_equal(mkdir(path_of("mine"), 0755), 0);
    assert_int_equal(mkdir(path_of("mine/theirs"), 0755), 0);
    file_make("mine/theirs/f", "x", 0600);
    expect("mine/theirs/f", DT_FILE_SECRET, DT_OK, NULL);
    assert_int_equal(chown(path_of("mine/theirs"), SOMEBODY, 0), 0);
    expect("mine/theirs/f", DT_FILE_SECRET, DT_E_PERMISSION, "another user (uid 54321)");
    /* Sticky, but the directory below is somebody's own: they may rename it. */
    assert_int_equal(chmod(path_of("mine"), 01777), 0);
    expect("mine/theirs/f", DT_FILE_SECRET, DT_E_PERMISSION, "another user (uid 54321)");
    assert_int_equal(chown(path_of("mine/theirs"), 0, 0), 0);
    expect("mine/theirs/f", DT_FILE_SECRET, DT_OK, NULL);
}

/* --- secrets ------------------------------------------------------------------------------------ */

static void expect_secret(char const *text, bool is_text, char const *wanted)
{
    dt_secret *s = NULL;
    dt_error e = {0};
    int error;

    file_make("secret", text, 0600);
    error = dt_file_read_secret(path_of("secret"), is_text, &s, &e);
    if (wanted == NULL) {
        assert_int_equal(error, DT_E_INVALID);
        assert_null(s);
        assert_non_null(strstr(e.text, "is empty"));
        return;
    }
    assert_int_equal(error, DT_OK);
    assert_true(dt_secret_equal(s, dt_bytes_str(wanted)));
    dt_secret_free(&s);
}

static void secrets(void **state)
{
    char text[DT_SECRET_MAX + 2];
    dt_secret *s = NULL;
    dt_error e = {0};

    (void)state;
    expect_secret("token\n", true, "token");
    expect_secret("token\r\n", true, "token");
    expect_secret("token", true, "token");
    expect_secret("token\n\n", true, "token\n");
    expect_secret("token\n", false, "token\n");
    expect_secret("\n", true, NULL);
    expect_secret("", true, NULL);
    expect_secret("", false, NULL);
    memset(text, 's', sizeof(text));
    text[DT_SECRET_MAX + 1] = '\0';
    file_make("secret", text, 0600);
    assert_int_equal(dt_file_read_secret(path_of("secret"), true, &s, &e), DT_E_LIMIT);
    assert_null(s);
    text[DT_SECRET_MAX] = '\0';
    expect_secret(text, true, text);
    file_make("secret", "x", 0644);
    assert_int_equal(dt_file_read_secret(path_of("secret"), true, &s, &e), DT_E_PERMISSION);
    assert_null(s);
    assert_int_equal(dt_file_read_secret(path_of("absent"), true, &s, &e), DT_E_NOT_FOUND);
    assert_int_equal(dt_file_read_secret(path_of("absent"), true, &s, NULL), DT_E_NOT_FOUND);
}

/* No descriptor stays open, whatever happens. */
static void expect_credential(char const *name, int wanted, char const *text)
{
    dt_secret *s = NULL;
    dt_error e = {0};
    int error = dt_file_read_secret(name, true, &s, &e);

    if (error != wanted || (text != NULL && strstr(e.text, text) == NULL))
        fail_msg("%s: wanted %s, got %s \"%s\"", name, dt_err_name(wanted), dt_err_name(error),
                 e.text);
    if (error == DT_OK)
        assert_true(dt_secret_equal(s, dt_bytes_str("token")));
    dt_secret_free(&s);
}

static void credentials(void **state)
{
    (void)state;
    needs_root();
    file_make("okta", "token\n", 0400);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", g_dir, 1), 0);
    expect_credential("credential:okta", DT_OK, NULL);
    assert_int_equal(chmod(path_of("okta"), 0440), 0); /* as an ACL for the service shows */
    expect_credential("credential:okta", DT_OK, NULL);
    assert_int_equal(chown(path_of("okta"), 0, SOMEBODY), 0); /* no ACL: a group of people */
    expect_credential("credential:okta", DT_E_PERMISSION, "gid 54321");
    assert_int_equal(chown(path_of("okta"), SOMEBODY, 0), 0);
    expect_credential("credential:okta", DT_E_PERMISSION, "uid 54321");
    assert_int_equal(chown(path_of("okta"), 0, 0), 0);
    assert_int_equal(chmod(path_of("okta"), 0444), 0);
    expect_credential("credential:okta", DT_E_PERMISSION, "read by others");
    assert_int_equal(chmod(path_of("okta"), 0460), 0);
    expect_credential("credential:okta", DT_E_PERMISSION, NULL);
    assert_int_equal(chmod(path_of("okta"), 0440), 0);
    expect(path_of("okta") + strlen(g_dir) + 1, DT_FILE_SECRET, DT_OK, NULL); /* group 0 is ours */
    assert_int_equal(chmod(g_dir, 0777), 0);
    expect_credential("credential:okta", DT_E_PERMISSION, "by others");
    assert_int_equal(chmod(g_dir, 0755), 0);
    expect_credential("credential:absent", DT_E_NOT_FOUND, "LoadCredential=absent:");
    expect_credential("credential:..", DT_E_INVALID, NULL);
    assert_int_equal(symlink(path_of("okta"), path_of("link")), 0);
    expect_credential("credential:link", DT_E_PERMISSION, NULL);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
    expect_credential("credential:okta", DT_E_NOT_FOUND, DT_FILE_CREDENTIALS);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    expect_credential("credential:okta", DT_E_NOT_FOUND, DT_FILE_CREDENTIALS);
}

static void no_descriptors_leak(void **state)
{
    dt_error e;
    int before = dup(0);
    int after;

    (void)state;
    close(before);
    file_make("f", "x", 0666);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(try_read(path_of("f"), DT_FILE_SECRET, &e), DT_E_PERMISSION);
        assert_int_equal(try_read(path_of("absent"), DT_FILE_SECRET, &e), DT_E_NOT_FOUND);
        assert_int_equal(try_read(path_of("f/f"), DT_FILE_SECRET, &e), DT_E_NOT_FOUND);
        assert_int_equal(try_read(path_of("../f"), DT_FILE_SECRET, &e), DT_E_INVALID);
    }
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

/* --- the host ----------------------------------------------------------------------------------- */

static void clock_and_random(void **state)
{
    dt_time now = dt_host_now();
    uint8_t a[300] = {0};
    uint8_t b[300] = {0};
    char id[33];
    char other[33];

    (void)state;
    assert_true(now > DT_DAYS(365) * 50);
    assert_true(dt_host_now() - now < DT_MINUTES(1));
    assert_int_equal(dt_host_random(a, sizeof(a)), DT_OK);
    assert_int_equal(dt_host_random(b, sizeof(b)), DT_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(dt_host_random(a, 0), DT_OK);
    assert_int_equal(dt_host_random_id(id), DT_OK);
    assert_int_equal(dt_host_random_id(other), DT_OK);
    assert_int_equal(strlen(id), 32);
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    assert_string_not_equal(id, other);
}

static void host_name(void **state)
{
    char name[65];
    char tiny[3];

    (void)state;
    dt_host_name(name, sizeof(name));
    assert_true(strlen(name) > 0);
    dt_host_name(tiny, sizeof(tiny));
    assert_true(strlen(tiny) <= 2);
}

static bool has_group(dt_buf const *b, size_t count, char const *wanted)
{
    char const *p = (char const *)b->p;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(p, wanted) == 0)
            return true;
        p += strlen(p) + 1;
    }
    return false;
}

static void accounts_by_name(void **state)
{
    char name[DT_HOST_USER_MAX], owner[DT_HOST_USER_MAX], longest[600];
    uid_t uid = 1;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_host_account("root", name, owner, &uid, &e), DT_OK);
    assert_string_equal(name, "root");
    assert_string_equal(owner, "root");
    assert_int_equal(uid, 0);
    assert_int_equal(dt_host_account("no-such-user-here", name, owner, &uid, &e), DT_E_NOT_FOUND);
    assert_string_equal(name, "");
    assert_int_equal(dt_host_account("", name, owner, &uid, &e), DT_E_NOT_FOUND);
    assert_int_equal(dt_host_account(NULL, name, owner, &uid, &e), DT_E_NOT_FOUND);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_not_equal(dt_host_account(longest, name, owner, &uid, &e), DT_OK);
}

static void groups(void **state)
{
    dt_buf b;
    size_t count = 99;
    dt_error e = {0};
    char huge[5000];

    (void)state;
    dt_buf_init(&b, 64 * 1024);
    assert_int_equal(dt_host_groups("root", NULL, NULL, &b, &count, &e), DT_OK);
    assert_true(count >= 1);
    assert_true(has_group(&b, count, "root"));
    assert_false(has_group(&b, count, "nogroup"));
    dt_buf_reset(&b);
    assert_int_equal(dt_host_groups("no-such-user-here", NULL, NULL, &b, &count, &e),
                     DT_E_NOT_FOUND);
    assert_int_equal(count, 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(dt_host_groups("", NULL, NULL, &b, &count, &e), DT_E_NOT_FOUND);
    assert_int_equal(dt_host_groups(NULL, NULL, NULL, &b, &count, &e), DT_E_NOT_FOUND);
    memset(huge, 'u', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    assert_int_equal(dt_host_groups(huge, NULL, NULL, &b, &count, &e), DT_E_NOT_FOUND);
    dt_buf_free(&b);
    /* No room for the names: no names at all. */
    dt_buf_init(&b, 2);
    assert_int_equal(dt_host_groups("root", NULL, NULL, &b, &count, &e), DT_E_LIMIT);
    assert_int_equal(count, 0);
    assert_int_equal(b.len, 0);
    dt_buf_free(&b);
}

static void hardened(void **state)
{
    int status = -1;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct rlimit r = {1, 1};
        bool fine = dt_host_harden(NULL) == DT_OK && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                    getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0;
        _exit(fine ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        TEST(content),
        TEST(large_file),
        TEST(endless_file),
        TEST(modes_of_trusted),
        TEST(modes_of_secret),
        TEST(group_of_secret),
        TEST(other_owner),
        TEST(service_owner),
        TEST(own_user),
        TEST(advice_works),
        TEST(advice_is_quoted),
        TEST(unreadable),
        TEST(links),
        TEST(not_files),
        TEST(paths),
        TEST(directories),
        TEST(directories_of_others),
        TEST(secrets),
        TEST(credentials),
        TEST(no_descriptors_leak),
        cmocka_unit_test(clock_and_random),
        cmocka_unit_test(host_name),
        cmocka_unit_test(accounts_by_name),
        cmocka_unit_test(groups),
        cmocka_unit_test(hardened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
