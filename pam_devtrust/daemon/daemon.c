/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's life on the driver's loop: accepting, signals, the end. */
#include "pam_devtrust/daemon/daemon.h"

#include "pam_devtrust/protocol/inherited.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

int64_t dt_daemon_mono(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timeval dt_daemon_time(int milliseconds)
{
    return (struct timeval){.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
}

/* --- accepting --------------------------------------------------------------------------------------- */

static bool is_full(dt_daemon const *d)
{
    return d->count >= d->max_sign_ons + DT_DAEMON_SPARE;
}

static void accept_again(dt_daemon *d)
{
    if (d->listen_event != NULL && !d->stopping && !is_full(d))
        event_add(d->listen_event, NULL);
}

static void on_pause_over(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    accept_again(ctx);
}

/* Connections wait in the kernel's queue meanwhile. */
static void pause_accepting(dt_daemon *d)
{
    struct timeval time = dt_daemon_time(DT_DAEMON_PAUSE_MS);

    event_del(d->listen_event);
    event_add(d->pause_timer, &time);
}

static void on_connection(evutil_socket_t listen_fd, short what, void *ctx)
{
    (void)what;
    dt_daemon *d = ctx;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        dt_conn_open(d, fd);
        if (is_full(d))
            event_del(d->listen_event);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    dt_log(LOG_ERR, "no connection can be accepted: %s", strerror(errno));
    pause_accepting(d);
}

void dt_daemon_conn_gone(dt_daemon *d)
{
    if ((d->one || d->stopping || d->retiring) && d->count == 0)
        dt_driver_stop(d->driver);
    else
        accept_again(d);
}

/* --- the end ----------------------------------------------------------------------------------------- */

/* Gives every sign-on up: pushes are cancelled, modules answered, events written. */
static void stop(dt_daemon *d)
{
    struct timeval limit = dt_daemon_time(DT_DAEMON_STOP_MS);
    dt_conn *next;

    if (d->stopping)
        return;
    if (!d->draining)
        dt_notify("STOPPING=1");
    d->stopping = true;
    if (d->listen_event != NULL)
        event_del(d->listen_event);
    event_add(d->stop_timer, &limit);
    for (dt_conn *c = d->first; c != NULL; c = next) {
        next = c->next;
        if (c->run != NULL)
            dt_run_abandon(c->run, DT_CAUSE_BUSY);
        else if (c->lookup == NULL)
            dt_conn_release(c);
    }
    if (d->count == 0)
        dt_driver_stop(d->driver);
}

/* Another version was installed: it takes over as soon as no login waits for this one. Until then this one takes
 * new logins, too: they would wait for those that wait for a phone. What connects in the last moment stays in
 * systemd's queue, which starts the other. */
static void retire(dt_daemon *d)
{
    d->retiring = true;
    if (d->count == 0)
        dt_driver_stop(d->driver);
}

static void on_stop_limit(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_daemon *d = ctx;

    if (d->stopping)
        dt_driver_stop(d->driver);
    else
        stop(d);
}

/* A restart, or the host's end: who waits for a phone is answered first, as by retire, and not waited for without end.
 * At the host's end programs that wait are ended themselves, and hang up. */
static void drain(dt_daemon *d)
{
    struct timeval limit = dt_daemon_time(DT_DAEMON_DRAIN_MS);

    if (d->draining || d->stopping)
        return;
    d->draining = true;
    dt_notify("STOPPING=1");
    event_add(d->stop_timer, &limit);
    retire(d);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    (void)what;
    dt_daemon *d = ctx;

    if (number == SIGHUP)
        dt_driver_reload(d->driver);
    else if (number == SIGUSR1)
        retire(d);
    else if (number == SIGTERM && !d->draining)
        drain(d);
    else
        stop(d);
}

/* --- the service manager's watchdog ------------------------------------------------------------------ */

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    dt_notify("WATCHDOG=1");
}

/* Milliseconds between two signs of life, which are half of what the service manager waits for
 * (sd_watchdog_enabled(3)); 0: it does not wait for any. */
static int watchdog_interval(void)
{
    char const *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");
    char *end = NULL;
    long long us = usec != NULL ? strtoll(usec, &end, 10) : 0;

    if (usec == NULL || end == usec || *end != '\0' || us <= 0 ||
        us > (long long)DT_DAEMON_WATCHDOG_MAX_MS * 1000 ||
        (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    return us < 4000 ? 2 : (int)(us / 2000);
}

/* Only on the loop: while it stands still, nothing is sent. */
static bool begin_watchdog(dt_daemon *d, struct event_base *base)
{
    int const interval = watchdog_interval();
    struct timeval const time = dt_daemon_time(interval);

    if (interval == 0)
        return true;
    d->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, d);
    return d->watchdog != NULL && event_add(d->watchdog, &time) == 0;
}

/* --- life -------------------------------------------------------------------------------------------- */

static bool watch_signals(dt_daemon *d, struct event_base *base)
{
    static int const numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        d->signals[i] = evsignal_new(base, numbers[i], on_signal, d);
        if (d->signals[i] == NULL || event_add(d->signals[i], NULL) != 0)
            return false;
    }
    return true;
}

/* What a lock screen asks, and nobody hears, would look like a host that does not work. */
static void serve_lock_screens(dt_daemon *d, int listen_fd)
{
    dt_ruleset ruleset;

    dt_driver_acquire(d->driver, NULL, &ruleset);
    bool wanted = dt_lock_screens_wanted(&ruleset);
    dt_driver_release(&ruleset);
    if (listen_fd >= 0)
        d->has_lock_screens = dt_lock_screen_serve(d, listen_fd) == DT_OK;
    if (wanted && !d->has_lock_screens && !d->one)
        dt_log(LOG_ERR,
               listen_fd >= 0
                   ? "no lock screen is served: no thread can be started"
                   : "no lock screen is served: lock_screen_services have policies, and their "
                     "socket was not passed (systemctl enable --now devtrustd-lock-screen.socket)");
}

static bool prepare(dt_daemon *d)
{
    struct event_base *base = dt_driver_base(d->driver);

    d->packet = calloc(1, DT_PROTOCOL_REQUEST_MAX);
    d->pause_timer = evtimer_new(base, on_pause_over, d);
    d->stop_timer = evtimer_new(base, on_stop_limit, d);
    if (d->packet == NULL || d->pause_timer == NULL || d->stop_timer == NULL ||
        !watch_signals(d, base) || !begin_watchdog(d, base))
        return false;
    if (d->one) {
        dt_conn_open(d, d->listen_fd);
        return d->count > 0;
    }
    d->listen_event = event_new(base, d->listen_fd, EV_READ | EV_PERSIST, on_connection, d);
    return d->listen_event != NULL && event_add(d->listen_event, NULL) == 0;
}

static void event_drop(struct event *e)
{
    if (e != NULL)
        event_free(e);
}

static void release(dt_daemon *d)
{
    struct event *listening = d->listen_event;

    d->stopping = true;
    d->listen_event = NULL;
    pthread_mutex_lock(&d->post_lock);
    d->posts_end = true;
    pthread_mutex_unlock(&d->post_lock);
    dt_conns_drop(d);
    event_drop(listening);
    event_drop(d->pause_timer);
    event_drop(d->stop_timer);
    event_drop(d->watchdog);
    for (size_t i = 0; i < sizeof(d->signals) / sizeof(d->signals[0]); i++) {
        if (d->signals[i] == NULL)
            continue;
        int number = event_get_signal(d->signals[i]);

        event_drop(d->signals[i]);
        (void)signal(number, SIG_IGN); /* another must not cut short the writing of events */
    }
    free(d->packet);
}

int dt_daemon_serve(dt_driver *driver, dt_sockets const *sockets, bool one, dt_error *e)
{
    dt_daemon *d = calloc(1, sizeof(*d));
    dt_ruleset ruleset;
    int rc = DT_E_NOMEM;

    if (d == NULL || pthread_mutex_init(&d->post_lock, NULL) != 0) {
        free(d);
        return dt_error_set(e, rc, "out of memory");
    }
    d->driver = driver;
    dt_driver_acquire(driver, NULL, &ruleset);
    d->max_sign_ons = ruleset.config->daemon.max_sign_ons; /* only a restart takes another */
    dt_driver_release(&ruleset);
    d->one = one;
    d->limit = one ? dt_inherited_limit_in_the_way() : NULL;
    d->listen_fd = sockets->main;
    if (prepare(d)) {
        serve_lock_screens(d, sockets->lock_screen);
        dt_notify("READY=1");
        rc = dt_driver_run(driver);
    }
    release(d);
    if (d->lookups == 0 &&
        !d->has_lock_screens) { /* else threads still point to it; the process ends anyway */
        pthread_mutex_destroy(&d->post_lock);
        free(d);
    }
    return rc < 0 ? dt_error_set(e, rc, "the loop cannot run: %s", dt_err_name(rc)) : DT_OK;
}
