/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust-signals: options, the order in which it starts, and its end. */
#include "devtrust_signals/receiver.h"

#include "core/base/version.h"
#include "edge/file.h"
#include "edge/host.h"
#include "edge/site.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define SIGNALS 4 /* that are handled */

static char const usage[] = "usage: devtrust-signals [--config FILE] [--foreground]\n"
                            "       devtrust-signals --version | --help\n";

static struct option const long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"foreground", no_argument, NULL, 'f'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* --- the log ------------------------------------------------------------------------------------- */

void dt_signals_log(int priority, char const *fmt, ...)
{
    char text[DT_ERROR_TEXT_MAX], safe[DT_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    syslog(priority, "%s", dt_str_escape(safe, sizeof(safe), text));
}

void dt_signals_log_refusal(dt_receiver *r, char const *who, char const *why)
{
    int64_t const minute = dt_loop_mono() / DT_MINUTES(1);

    if (minute != r->log_minute) {
        if (r->logged > DT_SIGNALS_LOG_MAX)
            dt_signals_log(LOG_WARNING, "%u more refusals were not logged",
                           r->logged - DT_SIGNALS_LOG_MAX);
        r->log_minute = minute;
        r->logged = 0;
    }
    if (r->logged++ < DT_SIGNALS_LOG_MAX)
        dt_signals_log(LOG_WARNING, "%s: %s", who, why);
}

/* --- what it is made of -------------------------------------------------------------------------- */

static bool is_header_value(dt_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        bool const inner = i > 0 && i + 1 < b.len;
        if ((b.p[i] < 0x21 || b.p[i] > 0x7e) && !(inner && b.p[i] == ' '))
            return false;
    }
    return b.len >= DT_SIGNALS_SECRET_MIN;
}

int dt_signals_header_secret(dt_config const *c, char const *section, char const *key,
                             char const *path, dt_secret **out, dt_error *e)
{
    *out = NULL;
    if (*path == '\0')
        return DT_OK;
    int rc = dt_file_read_secret(path, true, out, e);
    if (rc == DT_OK && !is_header_value(dt_secret_bytes(*out)))
        rc = dt_error_set(
            e, DT_E_INVALID,
            "%s does not hold the value of a header: one line of at least %d printable "
            "ASCII characters; make one: openssl rand -hex 32",
            path, DT_SIGNALS_SECRET_MIN);
    return rc == DT_OK ? DT_OK : dt_config_blame(c, section, key, e, rc);
}

static int open_news(dt_receiver *r, dt_error *e)
{
    char const *path = r->config->signals.news;
    int rc = *path != '\0'
                 ? dt_news_writer_open(path, DT_NEWS_FILE_MAX, &r->news, e)
                 : dt_error_set(e, DT_E_INVALID, "is empty, so news has nowhere to go; set a path");

    return rc == DT_OK ? DT_OK : dt_config_blame(r->config, "signals", "news", e, rc);
}

static bool listens(dt_config const *c)
{
    return *c->signals.listen != '\0';
}

static int check_work(dt_config const *c, dt_error *e)
{
    if (c->transmitter_count > 0 || (listens(c) && *c->signals.okta_hook_secret_file != '\0'))
        return DT_OK;
    return dt_error_set(
        e, DT_E_INVALID,
        "%s: nothing to listen to: add a section [transmitter NAME], or set [signals] "
        "listen and okta_hook_secret_file",
        c->file != NULL ? c->file : "the configuration");
}

static int start_transmitters(dt_receiver *r, dt_error *e)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < r->config->transmitter_count; i++) {
        rc = dt_transmitter_new(r, r->config->transmitters[i], &r->transmitters[i], e);
        r->transmitter_count += rc == DT_OK ? 1 : 0;
    }
    return rc;
}

static int receiver_start(dt_receiver *r, char const *path, dt_error *e)
{
    int rc = dt_site_config_read(path, &r->config, e);

    if (rc == DT_OK)
        rc = check_work(r->config, e);
    if (rc == DT_OK)
        rc = dt_signals_header_secret(r->config, "signals", "okta_hook_secret_file",
                                      r->config->signals.okta_hook_secret_file, &r->hook_secret, e);
    if (rc == DT_OK)
        rc = dt_http_proxy_load(r->config, DT_HTTP_SIGNALS, &r->proxy, e);
    if (rc == DT_OK)
        rc = open_news(r, e);
    if (rc == DT_OK && dt_seen_new(DT_SEEN_MAX, &r->seen) != DT_OK)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == DT_OK)
        rc = dt_loop_new(&r->loop, e);
    if (rc == DT_OK)
        rc = start_transmitters(r, e);
    if (rc == DT_OK && listens(r->config))
        rc = dt_listener_new(r, &r->listener, e);
    return rc == DT_OK ? dt_status_start(r, e) : rc;
}

static void receiver_end(dt_receiver *r)
{
    r->stopping = true;
    dt_status_stop(r);
    dt_listener_free(&r->listener);
    if (r->loop != NULL) { /* the requests end before what they borrow */
        for (size_t i = 0; i < r->transmitter_count; i++) {
            if (r->transmitters[i]->call != NULL)
                dt_http_cancel(dt_loop_http(r->loop), r->transmitters[i]->call);
        }
    }
    for (size_t i = 0; i < r->transmitter_count; i++)
        dt_transmitter_free(&r->transmitters[i]);
    dt_loop_free(&r->loop);
    dt_seen_free(&r->seen);
    dt_news_writer_close(&r->news);
    dt_http_proxy_free(&r->proxy);
    dt_secret_free(&r->hook_secret);
    dt_config_free(&r->config);
}

/* --- its life ------------------------------------------------------------------------------------ */

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    dt_receiver *r = ctx;

    (void)what;
    if (number == SIGHUP) {
        dt_signals_log(LOG_NOTICE, "the configuration is read at the start: restart the service");
        return;
    }
    if (number != SIGUSR1) {
        dt_loop_stop(r->loop);
        return;
    }
    for (size_t i = 0; i < r->transmitter_count; i++)
        dt_transmitter_verify(r->transmitters[i]);
}

static int run(dt_receiver *r, dt_error *e)
{
    static int const numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct event *events[SIGNALS] = {0};
    int rc = DT_OK;

    for (size_t i = 0; i < SIGNALS && rc == DT_OK; i++) {
        events[i] = evsignal_new(dt_loop_base(r->loop), numbers[i], on_signal, r);
        if (events[i] == NULL || event_add(events[i], NULL) != 0)
            rc = dt_error_set(e, DT_E_NOMEM, "signals cannot be handled");
    }
    for (size_t i = 0; rc == DT_OK && i < r->transmitter_count; i++)
        dt_transmitter_advance(r->transmitters[i]);
    if (rc == DT_OK) {
        dt_signals_log(LOG_NOTICE, "started: %zu transmitters, %s", r->transmitter_count,
                       r->listener != NULL ? r->config->signals.listen : "not listening");
        dt_loop_run(r->loop);
        dt_signals_log(LOG_NOTICE, "stopped");
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        if (events[i] != NULL)
            event_free(events[i]);
    }
    return rc;
}

typedef struct options {
    char const *config;
    bool foreground;
} options;

static void read_options(int argc, char **argv, options *o)
{
    int option;

    *o = (options){.config = DT_CONFIG_DEFAULT_PATH};
    while ((option = getopt_long(argc, argv, "c:fVh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            o->config = optarg;
            break;
        case 'f':
            o->foreground = true;
            break;
        case 'V':
            puts("devtrust-signals " DT_VERSION);
            exit(EXIT_SUCCESS);
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

/* A program that reads what strangers send does not do so as root. */
static int settle(dt_error *e)
{
    int rc = geteuid() == 0 ? dt_host_become(DT_SIGNALS_USER, e) : DT_OK;

    (void)umask(027);
    if (rc == DT_OK && chdir("/") != 0)
        rc = dt_error_set(e, DT_E_IO, "chdir: /");
    return rc == DT_OK ? dt_host_harden(e) : rc;
}

int main(int argc, char **argv)
{
    static dt_receiver receiver;
    dt_error e = {0};
    options o;

    read_options(argc, argv, &o);
    openlog("devtrust-signals", LOG_PID | (o.foreground ? LOG_PERROR : 0), LOG_DAEMON);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = settle(&e);
    if (rc == DT_OK)
        rc = receiver_start(&receiver, o.config, &e);
    if (rc == DT_OK)
        rc = run(&receiver, &e);
    receiver_end(&receiver);
    if (rc == DT_OK)
        dt_host_exit(EXIT_SUCCESS);
    dt_signals_log(LOG_ERR, "%s", e.text);
    if (!o.foreground)
        fprintf(stderr, "devtrust-signals: %s\n", e.text);
    dt_host_exit(EXIT_FAILURE);
}
