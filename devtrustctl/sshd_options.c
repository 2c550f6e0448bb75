/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/sshd_options.h"

#include "edge/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char const *const methods[] = {"publickey", "password", "keyboard-interactive",
                                      "gssapi-with-mic", "hostbased"};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

/* --- parsing ----------------------------------------------------------------------------------- */

static void set_value(dt_sshd_options *o, char const *name, char const *value)
{
    struct {
        char const *name;
        char const **at;
    } const known[] = {{"usepam", &o->use_pam},
                       {"kbdinteractiveauthentication", &o->kbd_interactive},
                       {"challengeresponseauthentication", &o->kbd_interactive}, /* before 8.7 */
                       {"passwordauthentication", &o->password},
                       {"pubkeyauthentication", &o->public_key},
                       {"gssapiauthentication", &o->gssapi},
                       {"hostbasedauthentication", &o->host_based},
                       {"permitrootlogin", &o->root_login},
                       {"permitemptypasswords", &o->empty_passwords},
                       {"usedns", &o->use_dns},
                       {"permittunnel", &o->tunnel},
                       {"authenticationmethods", &o->methods}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) == 0)
            *known[i].at = value;
    }
    if (strcmp(name, "logingracetime") == 0)
        o->grace = strtol(value, NULL, 10);
}

static void read_lines(dt_sshd_options *o)
{
    char *save = NULL;

    for (char *line = strtok_r((char *)o->text.p, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');

        if (space == NULL)
            continue;
        *space = '\0';
        set_value(o, line, space + 1);
    }
}

bool dt_sshd_is_on(char const *value)
{
    return value != NULL && strcmp(value, "yes") == 0;
}

static bool is_enabled(dt_sshd_options const *o, char const *method, char const **option)
{
    struct {
        char const *method, *value, *option;
    } const known[] = {
        {"publickey", o->public_key, "PubkeyAuthentication yes"},
        {"password", o->password, "PasswordAuthentication yes"},
        {"keyboard-interactive", o->kbd_interactive, "KbdInteractiveAuthentication yes"},
        {"gssapi-with-mic", o->gssapi, "GSSAPIAuthentication yes"},
        {"hostbased", o->host_based, "HostbasedAuthentication yes"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(method, known[i].method) == 0) {
            *option = known[i].option;
            return dt_sshd_is_on(known[i].value);
        }
    }
    *option = "AuthenticationMethods";
    return false;
}

bool dt_sshd_way_is_open(dt_sshd_options const *o, dt_sshd_way const *w, char const **option)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!is_enabled(o, w->methods[i], option))
            return false;
    }
    return w->count > 0;
}

bool dt_sshd_way_has(dt_sshd_way const *w, char const *method)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->methods[i], method) == 0)
            return true;
    }
    return false;
}

/* "publickey,keyboard-interactive:pam" */
static int read_way(char *text, dt_sshd_way *out, dt_error *e)
{
    char *save = NULL;

    out->count = 0;
    for (char *m = strtok_r(text, ",", &save); m != NULL; m = strtok_r(NULL, ",", &save)) {
        if (out->count == DT_SSHD_METHODS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "sshd -T: AuthenticationMethods: too many methods");
        m[strcspn(m, ":")] = '\0';
        out->methods[out->count++] = m;
    }
    return DT_OK;
}

static int read_ways(dt_sshd_options *o, dt_error *e)
{
    char *save = NULL;
    char const *option;
    int rc = DT_OK;

    if (strcmp(o->methods, "any") == 0) {
        o->any = true;
        for (size_t i = 0; i < METHODS; i++) {
            if (is_enabled(o, methods[i], &option))
                o->ways[o->way_count++] = (dt_sshd_way){.methods = {methods[i]}, .count = 1};
        }
        return DT_OK;
    }
    /* The text is the buffer's, which is this one's. */
    for (char *w = strtok_r((char *)o->text.p + (o->methods - (char const *)o->text.p), " ", &save);
         rc == DT_OK && w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (o->way_count == DT_SSHD_WAYS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "sshd -T: AuthenticationMethods: too many lists");
        rc = read_way(w, &o->ways[o->way_count++], e);
    }
    return rc;
}

int dt_sshd_options_parse(dt_buf *text, dt_sshd_options *out, dt_error *e)
{
    memset(out, 0, sizeof(*out));
    out->text = *text;
    *text = (dt_buf){0};
    if (out->text.len > 0)
        read_lines(out);
    if (out->use_pam == NULL || out->kbd_interactive == NULL || out->password == NULL ||
        out->public_key == NULL || out->root_login == NULL || out->methods == NULL)
        return dt_error_set(e, DT_E_PARSE,
                            "sshd -T does not name UsePAM, KbdInteractiveAuthentication, "
                            "PasswordAuthentication, PubkeyAuthentication, PermitRootLogin and "
                            "AuthenticationMethods");
    return read_ways(out, e);
}

void dt_sshd_options_free(dt_sshd_options *o)
{
    dt_buf_free(&o->text);
}

/* --- running sshd ------------------------------------------------------------------------------ */

/* What it writes until it ends. DT_E_LIMIT, DT_E_BUSY when it takes too long. */
static int read_all(int fd, dt_buf *out)
{
    dt_time limit = dt_host_now() + DT_SSHD_WAIT;
    char part[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        dt_time left = limit - dt_host_now();
        ssize_t n;

        if (left <= 0 || (poll(&p, 1, (int)left) == 0))
            return DT_E_UNAVAILABLE;
        n = read(fd, part, sizeof(part));
        if (n == 0)
            return dt_buf_error(out);
        if (n < 0 && errno != EINTR)
            return DT_E_IO;
        if (n > 0)
            dt_buf_put(out, part, (size_t)n);
        if (dt_buf_error(out) < 0)
            return DT_E_LIMIT;
    }
}

static int spawn(char *const argv[], int out, pid_t *pid)
{
    static char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, out, 2);
    if (error == 0)
        error = posix_spawn(pid, argv[0], &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int run(char *const argv[], dt_buf *text, dt_error *e)
{
    int ends[2], status = 0, rc, error;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", argv[0], strerror(errno));
    error = spawn(argv, ends[1], &pid);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return dt_error_set(e, DT_E_IO, "%s: %s", argv[0], strerror(error));
    }
    rc = read_all(ends[0], text);
    close(ends[0]);
    if (rc < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        return dt_error_set(e, rc, "%s -T: its answer is too long or takes too long", argv[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        size_t line = text->len > 0 ? strcspn((char *)text->p, "\r\n") : 0;

        return dt_error_set(e, DT_E_IO, "%s -T: %.*s", argv[0], (int)line,
                            text->len > 0 ? (char *)text->p : "");
    }
    return DT_OK;
}

int dt_sshd_options_read(char const *program, char const *config, char const *user,
                         dt_sshd_options *out, dt_error *e)
{
    char connection[256], path[1024], file[1024];
    char test[] = "-T", with[] = "-C", from[] = "-f";
    char *argv[] = {path, test, with, connection, config != NULL ? from : NULL, file, NULL};
    dt_buf text;
    int rc;

    memset(out, 0, sizeof(*out));
    if (dt_str_copy(path, sizeof(path), program) < 0 || dt_str_copy(file, sizeof(file), config) < 0)
        return dt_error_set(e, DT_E_LIMIT, "the path of sshd or of its file is too long");
    rc = snprintf(connection, sizeof(connection),
                  "user=%s,host=localhost,addr=192.0.2.1,laddr=192.0.2.2,lport=22", user);
    if (rc < 0 || (size_t)rc >= sizeof(connection) || strchr(user, ',') != NULL)
        return dt_error_set(e, DT_E_INVALID, "\"%s\" is not a user's name", user);
    dt_buf_init(&text, DT_SSHD_OUTPUT_MAX);
    rc = run(argv, &text, e);
    if (rc == DT_OK)
        rc = dt_sshd_options_parse(&text, out, e);
    dt_buf_free(&text);
    return rc;
}
