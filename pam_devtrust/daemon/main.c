/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustd: options, and the order in which it starts. It takes its sockets first, then becomes its
 * own user, then reads its configuration; when that fails, it refuses instead of keeping silent. */
#include "pam_devtrust/daemon/daemon.h"

#include "core/base/version.h"
#include "edge/host.h"
#include "edge/kernel_log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define STATUS_MAX 1024 /* for the service manager */

typedef struct options {
    char const *config;
    char const *socket; /* NULL: as configured */
    char const *user;
    bool one;
    bool foreground;
} options;

static char const usage[] =
    "usage: devtrustd [--config FILE] [--socket PATH] [--user NAME] [--foreground]\n"
    "       devtrustd --one [--config FILE] [--user NAME]\n"
    "       devtrustd --version | --help\n";

static struct option const long_options[] = {
    {"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 's'},
    {"user", required_argument, NULL, 'u'},   {"one", no_argument, NULL, '1'},
    {"foreground", no_argument, NULL, 'f'},   {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static void take_option(int option, options *o)
{
    switch (option) {
    case 'c':
        o->config = optarg;
        return;
    case 's':
        o->socket = optarg;
        return;
    case 'u':
        o->user = optarg;
        return;
    case '1':
        o->one = true;
        return;
    case 'f':
        o->foreground = true;
        return;
    case 'V':
        puts("devtrustd " DT_VERSION);
        exit(EXIT_SUCCESS);
    case 'h':
        fputs(usage, stdout);
        exit(EXIT_SUCCESS);
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void take_options(int argc, char **argv, options *o)
{
    int option;

    *o = (options){.config = DT_CONFIG_DEFAULT_PATH};
    while ((option = getopt_long(argc, argv, "c:s:u:1fVh", long_options, NULL)) != -1)
        take_option(option, o);
    if (optind < argc || (o->one && o->socket != NULL)) {
        fputs(usage, stderr);
        exit(2);
    }
}

/* The sockets that somebody else has opened for us; -1 where we make our own. */
static int take_sockets(options const *o, dt_sockets *s, dt_error *e)
{
    if (!o->one)
        return dt_socket_inherited(s, e);
    *s = (dt_sockets){.main = DT_DAEMON_FD, .lock_screen = -1};
    return dt_socket_check_connected(s->main, e);
}

/* Where our own sockets are: the configuration may be another one at the end. */
typedef struct paths {
    char main[DT_SOCKET_PATH_MAX];
    char lock_screen[DT_SOCKET_PATH_MAX]; /* "" = there are no lock screens */
    dt_socket_place made, lock_screen_made;
} paths;

static int choose_paths(options const *o, dt_driver *driver, paths *p, dt_error *e)
{
    dt_ruleset ruleset;
    char const *path;
    int rc = DT_OK;

    dt_driver_acquire(driver, NULL, &ruleset);
    path = o->socket != NULL ? o->socket : ruleset.config->daemon.socket;
    if (dt_str_copy(p->main, sizeof(p->main), path) < 0 ||
        (dt_lock_screens_wanted(&ruleset) && dt_lock_screen_path(path, p->lock_screen) < 0))
        rc = dt_error_set(e, DT_E_INVALID, "%s: not an absolute path of at most %d bytes", path,
                          DT_SOCKET_PATH_MAX - 1);
    dt_driver_release(&ruleset);
    return rc;
}

static int make_sockets(options const *o, dt_driver *driver, paths *p, dt_sockets *s, dt_error *e)
{
    int rc = choose_paths(o, driver, p, e);

    if (rc == DT_OK)
        rc = dt_socket_listen(p->main, false, &s->main, &p->made, e);
    if (rc == DT_OK && p->lock_screen[0] != '\0')
        rc = dt_socket_listen(p->lock_screen, true, &s->lock_screen, &p->lock_screen_made, e);
    return rc;
}

static int serve(options const *o, dt_driver *driver, dt_sockets *s, dt_error *e)
{
    bool ours = s->main < 0;
    paths p = {0};
    int rc = ours ? make_sockets(o, driver, &p, s, e) : DT_OK;

    if (rc == DT_OK)
        rc = dt_daemon_serve(driver, s, o->one, e);
    dt_socket_remove(p.main, &p.made);
    dt_socket_remove(p.lock_screen, &p.lock_screen_made);
    return rc;
}

static void on_status(void *ctx, char const *text)
{
    char state[STATUS_MAX];

    (void)ctx;
    if (snprintf(state, sizeof(state), "STATUS=%s", text) > 0)
        dt_notify(state);
}

/* On the driver's watching thread. */
static void on_notice(void *ctx, dt_notice notice, char const *text)
{
    (void)ctx;
    static int const priorities[] = {[DT_NOTICE_NEWS] = LOG_NOTICE,
                                     [DT_NOTICE_WARNING] = LOG_WARNING,
                                     [DT_NOTICE_FAULT] = LOG_ERR};

    dt_log(priorities[notice], "%s", text);
}

static int start(options const *o, dt_error *e)
{
    dt_driver_options driver_options = {
        .config_path = o->config,
        .watch = !o->one,
        .notify = on_notice,
        .status = on_status,
        .sessions = o->one ? DT_SESSION_NO_DOOR : DT_SESSION_HOST,
        .export_door = o->one ? NULL : "pam"}; /* --one ends before anybody could look */
    dt_driver *driver = NULL;
    dt_sockets sockets = {-1, -1};
    int rc = dt_process_begin(o->one, e);

    if (rc == DT_OK) {
        driver_options.kernel_log = dt_kernel_log_open();
        rc = take_sockets(o, &sockets, e);
    }
    if (rc == DT_OK && o->one)
        rc = dt_process_detach(e);
    if (rc < 0) {
        dt_log(LOG_ERR, "%s", e->text);
        return rc;
    }
    rc = dt_process_settle(o->user, e);
    if (rc == DT_OK)
        rc = dt_driver_new(&driver_options, &driver, e);
    if (rc < 0) {
        dt_log(LOG_ERR, "refusing every sign-on: %s", e->text);
        if (sockets.main >= 0)
            dt_refuse(&sockets, o->one);
        return rc;
    }
    rc = serve(o, driver, &sockets, e);
    if (rc < 0)
        dt_log(LOG_ERR, "%s", e->text);
    dt_driver_free(&driver);
    return rc;
}

int main(int argc, char **argv)
{
    options o;
    dt_error e = {0};

    take_options(argc, argv, &o);
    dt_log_open(o.foreground);
    if (start(&o, &e) == DT_OK)
        dt_host_exit(EXIT_SUCCESS);
    if (!o.foreground)
        fprintf(stderr, "devtrustd: %s\n", e.text);
    dt_host_exit(EXIT_FAILURE);
}
