/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustd: options, and the order in which it starts. It takes its sockets first, then becomes its
 * own user, then reads its configuration; when that fails, it refuses instead of keeping silent. */
#include "pam_devtrust/daemon/daemon.h"

#include "core/version.h"
#include "edge/host.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

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

/* The socket that somebody else has opened for us; -1 when we make our own. */
static int take_socket(options const *o, int *fd, dt_error *e)
{
    if (!o->one)
        return dt_socket_inherited(fd, e);
    *fd = DT_DAEMON_FD;
    return dt_socket_check_connected(*fd, e);
}

static char *socket_path(options const *o, dt_driver *driver, bool *for_all)
{
    dt_site site;
    char *path;

    dt_driver_hold(driver, NULL, &site);
    path = strdup(o->socket != NULL ? o->socket : site.config->daemon.socket);
    *for_all = site.config->daemon.lock_screen_services.count > 0;
    dt_driver_leave(&site);
    return path;
}

static int serve(options const *o, dt_driver *driver, int fd, dt_error *e)
{
    char *path = NULL; /* our own: the configuration may be another one at the end */
    bool for_all = false;
    int rc = DT_OK;

    if (fd < 0) {
        path = socket_path(o, driver, &for_all);
        rc = path != NULL ? dt_socket_listen(path, for_all, &fd, e)
                          : dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    if (rc == DT_OK)
        rc = dt_daemon_serve(driver, fd, o->one, e);
    if (path != NULL && fd >= 0)
        unlink(path);
    free(path);
    return rc;
}

/* On the driver's watching thread. */
static void on_told(void *ctx, bool fault, char const *text)
{
    (void)ctx;
    dt_log(fault ? LOG_ERR : LOG_NOTICE, "%s", text);
}

static int start(options const *o, dt_error *e)
{
    dt_driver_options driver_options = {
        .config_path = o->config, .watch = !o->one, .told = on_told};
    dt_driver *driver = NULL;
    int fd = -1;
    int rc = take_socket(o, &fd, e);

    if (rc == DT_OK && o->one)
        rc = dt_process_detach(e);
    if (rc < 0)
        return rc;
    rc = dt_process_settle(o->user, e);
    if (rc == DT_OK)
        rc = dt_driver_new(&driver_options, &driver, e);
    if (rc < 0) {
        dt_log(LOG_ERR, "refusing every sign-on: %s", e->text);
        if (fd >= 0)
            dt_refuse(fd, !o->one);
        return rc;
    }
    rc = serve(o, driver, fd, e);
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
