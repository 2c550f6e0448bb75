/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver as a whole: what it is made of, its loop, how other threads reach it, how it ends. */
#include "driver/session_internal.h"

#include "core/policy/policy_explain.h"
#include "core/policy/policy_record.h"
#include "edge/host.h"
#include "core/signon/audit_ocsf.h"
#include "edge/kernel_log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WATCHES_STEP 64

int64_t dt_driver_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool dt_driver_is_usable(dt_driver const *d)
{
    return d->pid == getpid();
}

struct event_base *dt_driver_base(dt_driver *d)
{
    return d->base;
}

/* --- posts ------------------------------------------------------------------------------------ */

void dt_driver_wake(dt_driver *d)
{
    uint64_t one = 1;
    /* Full (EAGAIN) means that the loop is about to wake anyway. */
    ssize_t n = write(d->wake_fd, &one, sizeof(one));
    (void)n;
}

int dt_driver_enqueue(dt_driver *d, dt_post *p)
{
    p->next = NULL;
    pthread_mutex_lock(&d->post_lock);
    int rc = d->closed ? DT_E_STATE : p->owned && d->posts >= DT_DRIVER_POSTS_MAX ? DT_E_LIMIT : 0;
    bool first = d->post_first == NULL;
    if (rc == 0) {
        *(d->post_last != NULL ? &d->post_last->next : &d->post_first) = p;
        d->post_last = p;
        d->posts += p->owned;
        /* Within the lock: once it is open, the driver may be gone before we are. */
        if (first)
            dt_driver_wake(d);
    }
    pthread_mutex_unlock(&d->post_lock);
    return rc;
}

int dt_driver_post(dt_driver *d, void (*fn)(void *ctx), void *ctx)
{
    if (!dt_driver_is_usable(d))
        return DT_E_STATE;
    dt_post *p = malloc(sizeof(*p));
    if (p == NULL)
        return DT_E_NOMEM;
    *p = (dt_post){.fn = fn, .ctx = ctx, .owned = true};
    int rc = dt_driver_enqueue(d, p);
    if (rc != 0)
        free(p);
    return rc;
}

static void run_posts(dt_driver *d)
{
    pthread_mutex_lock(&d->post_lock);
    dt_post *p = d->post_first;
    d->post_first = d->post_last = NULL;
    d->posts = 0;
    pthread_mutex_unlock(&d->post_lock);
    while (p != NULL) {
        dt_post now = *p; /* it may be gone once its function has run */
        if (now.owned)
            free(p);
        now.fn(now.ctx);
        p = now.next;
    }
}

/* --- events of the loop ----------------------------------------------------------------------- */

static void set_timer(struct event *timer, int64_t milliseconds)
{
    struct timeval tv = {.tv_sec = milliseconds / 1000, .tv_usec = (milliseconds % 1000) * 1000};
    event_add(timer, &tv);
}

static void flush(dt_driver *d)
{
    int again = dt_audit_queue_flush(d->audit, dt_driver_mono());
    if (again > 0)
        set_timer(d->flush_timer, again);
}

static void on_flush(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    flush(ctx);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    dt_driver *d = ctx;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n;
    if (atomic_exchange(&d->flush_wanted, false) && !evtimer_pending(d->flush_timer, NULL))
        set_timer(d->flush_timer, DT_AUDIT_FLUSH_MS);
    if (atomic_exchange(&d->flush_now, false))
        flush(d);
    run_posts(d);
    if (atomic_load(&d->stop))
        event_base_loopbreak(d->base);
}

static void open_store_again(dt_driver *d)
{
    int64_t now = dt_driver_mono();
    if (now - d->store_tried < DT_DRIVER_STORE_RETRY)
        return;
    d->store_tried = now;
    dt_store *store = NULL;
    if (dt_store_open(d->store_path, d->store_size, &store, NULL) != 0)
        return;
    dt_store_use_spare(store, d->spare);
    atomic_store(&d->store, store);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_driver *d = ctx;
    dt_store *store = atomic_load(&d->store);
    if (store != NULL)
        dt_store_tick(store, dt_host_now());
    else
        open_store_again(d);
    dt_keep_alive_look(d, dt_driver_mono());
}

static void on_http_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_http_timeout(((dt_driver *)ctx)->http);
}

static void on_http_ready(evutil_socket_t fd, short what, void *ctx)
{
    dt_driver *d = ctx;
    dt_http_ready(d->http, fd, ((what & EV_READ) != 0 ? 1 : 0) | ((what & EV_WRITE) != 0 ? 2 : 0));
}

static bool watches_reach(dt_driver *d, size_t fd)
{
    if (fd < d->watch_count)
        return true;
    size_t count = fd + WATCHES_STEP;
    struct event **watches = realloc(d->watches, count * sizeof(*watches));
    if (watches == NULL)
        return false;
    memset(watches + d->watch_count, 0, (count - d->watch_count) * sizeof(*watches));
    d->watches = watches;
    d->watch_count = count;
    return true;
}

/* Without memory the descriptor goes unwatched, and the call ends by its time-out. */
static void watch_http(void *ctx, int fd, int what)
{
    dt_driver *d = ctx;
    if (fd < 0 || !watches_reach(d, (size_t)fd))
        return;
    if (d->watches[fd] != NULL)
        event_free(d->watches[fd]);
    d->watches[fd] = NULL;
    short bits = (short)(((what & 1) != 0 ? EV_READ : 0) | ((what & 2) != 0 ? EV_WRITE : 0));
    if (bits == 0)
        return;
    d->watches[fd] = event_new(d->base, fd, (short)(bits | EV_PERSIST), on_http_ready, d);
    if (d->watches[fd] != NULL)
        event_add(d->watches[fd], NULL);
}

static void time_http(void *ctx, long milliseconds)
{
    dt_driver *d = ctx;
    if (milliseconds < 0)
        evtimer_del(d->http_timer);
    else
        set_timer(d->http_timer, milliseconds);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void loop(dt_driver *d)
{
    while (!atomic_load(&d->stop)) {
        if (event_base_loop(d->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            break;
    }
}

static void on_drain_over(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    *(bool *)ctx = true;
}

/* Lets the runs cancel their pushes, for a while. */
static void wait_for_ending(dt_driver *d)
{
    bool over = false;
    struct event *limit = evtimer_new(d->base, on_drain_over, &over);
    if (limit == NULL)
        return;
    set_timer(limit, DT_DRIVER_DRAIN_MS);
    while ((d->runs != NULL || d->ending != NULL) && !over)
        event_base_loop(d->base, EVLOOP_ONCE);
    event_free(limit);
}

/* A slow log daemon gets some time, a disk that refuses one more try. */
static void flush_at_end(dt_driver *d)
{
    int again = DT_AUDIT_NOTES_RETRY_MS;
    for (int i = 0; i < DT_AUDIT_LAST_TRIES && again == DT_AUDIT_NOTES_RETRY_MS; i++)
        again = dt_audit_queue_flush(d->audit, dt_driver_mono());
    if (again != 0)
        (void)dt_audit_queue_flush(d->audit, dt_driver_mono());
}

/* On the loop's thread, or on the caller's when there is none any more. */
static void drain(dt_driver *d)
{
    pthread_mutex_lock(&d->post_lock);
    d->closed = true;
    pthread_mutex_unlock(&d->post_lock);
    run_posts(d);
    dt_runs_abandon_all(d);
    wait_for_ending(d);
    dt_dae_close(d);
    dt_http_free(&d->http); /* calls under way end as abandoned */
    dt_runs_end_all(d);
    flush_at_end(d);
    d->drained = true;
}

static void *thread_main(void *ctx)
{
    dt_driver *d = ctx;
    loop(d);
    drain(d);
    return NULL;
}

/* OpenSSL writes by write(2): a peer that left must not end the process that lends us its thread. */
static void block_sigpipe(sigset_t *before)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, before);
}

/* Takes away what came meanwhile, or it would strike now. */
static void restore_sigpipe(sigset_t const *before)
{
    sigset_t pipe_only;
    struct timespec at_once = {0};
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (sigismember(before, SIGPIPE) == 0) {
        while (sigtimedwait(&pipe_only, NULL, &at_once) > 0)
            ;
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int dt_driver_run(dt_driver *d)
{
    if (!dt_driver_is_usable(d) || d->own_thread || d->drained)
        return DT_E_STATE;
    sigset_t before;
    block_sigpipe(&before);
    loop(d);
    restore_sigpipe(&before);
    return DT_OK;
}

void dt_driver_stop(dt_driver *d)
{
    atomic_store(&d->stop, true);
    dt_driver_wake(d);
}

/* --- audit ------------------------------------------------------------------------------------ */

static void audit_hurry(dt_driver *d, dt_audit_urgency urgency)
{
    switch (urgency) {
    case DT_AUDIT_NOTHING:
        return;
    case DT_AUDIT_SOON:
        atomic_store(&d->flush_wanted, true);
        break;
    case DT_AUDIT_NOW:
        atomic_store(&d->flush_now, true);
        break;
    }
    dt_driver_wake(d);
}

void dt_driver_audit_put(dt_driver *d, dt_bytes lines, bool success, char const *note)
{
    audit_hurry(d, dt_audit_queue_put(d->audit, lines, success, note));
}

static bool outcome_allows(dt_outcome const *o)
{
    return o->result == DT_ALLOW && dt_cause_allows(o->cause);
}

static void audit_alert(dt_driver *d, char const *note)
{
    char text[DT_AUDIT_NOTE_MAX + DT_AUDIT_FIELDS_MAX + 32];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "BREAK-GLASS ACCOUNT: %s", note);
    dt_audit_queue_alert(d->audit, text);
}

/* False when the outcome allows, and no sink has its event. */
static bool audit_give(dt_driver *d, dt_outcome const *o, dt_bytes lines, char const *note)
{
    dt_audit_urgency urgency = DT_AUDIT_NOTHING;

    if (dt_outcome_alarms(o))
        audit_alert(d, note);
    if (!outcome_allows(o)) {
        dt_driver_audit_put(d, lines, false, note);
        return true;
    }
    bool taken = dt_audit_queue_accept(d->audit, lines, note, dt_driver_mono(), &urgency);
    audit_hurry(d, urgency);
    return taken;
}

static void put_events(dt_driver *d, dt_buf *lines, dt_outcome const *o, dt_signon const *machine,
                       dt_audit_context const *c, dt_time now)
{
    bool const ocsf = d->audit_format == DT_AUDIT_AS_OCSF;

    if (machine != NULL && c->device_event)
        (ocsf ? dt_audit_ocsf_device : dt_audit_device)(lines, o, dt_signon_evidence(machine), c,
                                                        now);
    (ocsf ? dt_audit_ocsf_signon : dt_audit_signon)(lines, o, c, now);
}

/* As audit_give. */
static bool audit(dt_driver *d, dt_outcome const *o, dt_signon const *machine,
                  char const *door_name, dt_audit_context const *ctx)
{
    if (d->quiet)
        return true;
    if (!dt_driver_is_usable(d))
        return !outcome_allows(o);
    dt_audit_context c = {0};
    if (machine != NULL)
        dt_signon_audit_context(machine, &c);
    else if (ctx != NULL)
        c = *ctx;
    c.host = c.host != NULL && machine == NULL ? c.host : d->host;
    c.door = door_name != NULL ? door_name : c.door;

    char events[2 * DT_AUDIT_OCSF_EVENT_MAX + 1];
    char note[DT_AUDIT_NOTE_MAX + DT_AUDIT_FIELDS_MAX];
    char why[DT_EXPLAIN_EVENT_MAX + 1], decided_on[DT_POLICY_RECORD_MAX + 1];
    dt_buf lines, line, fields, explanation, record;
    dt_time now = dt_host_now();
    dt_buf_init_fixed(&lines, events, sizeof(events));
    dt_buf_init_fixed(&explanation, why, sizeof(why));
    if (machine != NULL) {
        dt_signon_explain(machine, &explanation);
        if (dt_buf_error(&explanation) == 0 && explanation.len > 0)
            c.explanation = why;
        dt_buf_init_fixed(&record, decided_on, sizeof(decided_on));
        dt_signon_policy_record(machine, &record);
        if (dt_buf_error(&record) == 0 && record.len > 0)
            c.policy_input = decided_on;
    }
    put_events(d, &lines, o, machine, &c, now);
    dt_buf_init_fixed(&line, note, DT_AUDIT_NOTE_MAX);
    dt_audit_line(&line, o, &c); /* cut when it is too long: the file has it all */
    dt_buf_init_fixed(&fields, note + line.len, DT_AUDIT_FIELDS_MAX);
    if (d->audit_fields)
        dt_audit_fields(&fields, o, &c);
    if (dt_buf_error(&lines) != 0) {
        dt_buf_reset(&lines);
        dt_audit_queue_drop(d->audit, 1);
    }
    if (!audit_give(d, o, dt_buf_bytes(&lines), note))
        return false;
    dt_metrics_count_signon(&d->metrics, o, c.application,
                            c.started > 0 && c.started < now ? now - c.started : 0);
    return true;
}

void dt_driver_audit(dt_driver *d, dt_outcome const *o, dt_signon const *machine,
                     char const *door_name, dt_audit_context const *ctx)
{
    (void)audit(d, o, machine, door_name, ctx);
}

void dt_driver_audit_machine(dt_driver *d, dt_signon *machine, char const *door_name)
{
    if (dt_signon_outcome(machine)->cause == DT_CAUSE_SESSION_DECIDES)
        return; /* the sign-on that decides has one */
    if (audit(d, dt_signon_outcome(machine), machine, door_name, NULL))
        return;
    dt_signon_withdraw(machine, DT_CAUSE_AUDIT_FAILED,
                       "neither the audit file nor the system log nor the kernel's log accepted "
                       "the event of this sign-on; check the disk and the log daemon");
    dt_driver_audit(d, dt_signon_outcome(machine), machine, door_name, NULL);
}

void dt_driver_stats_get(dt_driver *d, dt_driver_stats *out)
{
    int now = atomic_load(&d->runs_now);
    *out = (dt_driver_stats){
        .runs = atomic_load(&d->runs_total),
        .runs_under_way = now < 0 ? 0 : (uint64_t)now,
        .http_calls = atomic_load(&d->http_total),
        .audit_dropped = dt_audit_queue_dropped(d->audit),
    };
}

/* --- making ----------------------------------------------------------------------------------- */

/* What the sign-ons go on without. To the system log, and to the door's own. */
static void report_output_fault(dt_driver *d, dt_audit_sink *sink, char const *section,
                                char const *name, char const *what, char const *until)
{
    dt_error e = {0};
    (void)dt_error_set(&e, DT_E_IO, "%s; until then %s", what, until);
    (void)dt_config_blame(dt_site_config(dt_driver_site(d)), section, name, &e, DT_E_IO);
    (void)dt_audit_sink_alarm(sink, e.text);
    if (d->options.notify != NULL)
        d->options.notify(d->options.watch_ctx, DT_NOTICE_FAULT, e.text);
}

/* A file that others can reach is a fault of configuration: refused. One that is broken, or whose
 * directory is missing, is not: the
 * sign-ons then go on without what was remembered, and say so. */
static int open_store(dt_driver *d, dt_audit_sink *sink, dt_error *e)
{
    dt_store *store = NULL;
    dt_error why = {0};
    int rc = dt_spare_new(&d->spare);
    if (rc == 0)
        rc = dt_spare_new(&d->tried);
    if (rc == 0)
        rc = dt_host_random(d->tried_key, sizeof(d->tried_key));
    if (rc != 0)
        return dt_error_set(e, rc, "no memory or randomness for limits");
    rc = dt_store_open(d->store_path, d->store_size, &store, &why);
    if (rc == DT_E_PERMISSION || rc == DT_E_INVALID || rc == DT_E_NOMEM) {
        (void)dt_error_set(e, rc, "%s", why.text);
        return dt_config_blame(dt_site_config(dt_driver_site(d)), "store", "path", e, rc);
    }
    d->store_tried = dt_driver_mono();
    if (rc != 0) {
        memcpy(d->store_error, why.text, sizeof(d->store_error));
        report_output_fault(d, sink, "store", "path", why.text, "nothing is remembered");
    }
    if (store != NULL)
        dt_store_use_spare(store, d->spare);
    atomic_store(&d->store, store);
    return DT_OK;
}

static int open_outputs(dt_driver *d, dt_error *e)
{
    dt_audit_sink *sink = NULL;
    dt_config const *config = dt_site_config(dt_driver_site(d));
    char const *file = d->quiet ? "" : config->audit.file;
    if ((d->store_path = strdup(config->store.path)) == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    d->store_size = config->store.size_limit;
    d->audit_format = config->audit.format;
    int rc = dt_audit_sink_open(file, !d->quiet && config->audit.syslog, &sink, e);
    if (rc != 0)
        return dt_config_blame(config, "audit", "file", e, rc);
    d->audit_fields = dt_audit_sink_takes_fields(sink);
    if (!d->quiet)
        dt_audit_sink_set_kernel_log(sink, d->options.kernel_log != 0 ? d->options.kernel_log
                                                                      : dt_kernel_log_open());
    if (dt_audit_sink_fault(sink) != NULL)
        report_output_fault(d, sink, "audit", "file", dt_audit_sink_fault(sink),
                            "only the system log has the events");
    rc = open_store(d, sink, e);
    if (rc == 0)
        rc = dt_audit_queue_new(sink, &d->audit, e);
    if (rc != 0)
        dt_audit_sink_close(&sink);
    return rc;
}

static int make_base(dt_driver *d, dt_error *e)
{
    /* Only the loop's thread touches the base, so it needs no locks; and the environment of a server
     * that we are a module of has no say. */
    struct event_config *config = event_config_new();
    if (config != NULL) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
        d->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->base == NULL || d->wake_fd < 0)
        return dt_error_set(e, DT_E_IO, "no event loop: %s", strerror(errno));
    return DT_OK;
}

static int make_events(dt_driver *d, dt_error *e)
{
    d->wake_event = event_new(d->base, d->wake_fd, EV_READ | EV_PERSIST, on_wake, d);
    d->http_timer = evtimer_new(d->base, on_http_timer, d);
    d->flush_timer = evtimer_new(d->base, on_flush, d);
    d->tick_timer = event_new(d->base, -1, EV_PERSIST, on_tick, d);
    if (d->wake_event == NULL || d->http_timer == NULL || d->flush_timer == NULL ||
        d->tick_timer == NULL || dt_pace_open(d) != DT_OK)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    event_add(d->wake_event, NULL);
    set_timer(d->tick_timer, DT_DRIVER_STORE_TICK_MS);
    return DT_OK;
}

/* The server's signals are for the server's threads. */
static int start_thread(dt_driver *d, dt_error *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&d->thread, NULL, thread_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return dt_error_set(e, DT_E_IO, "no thread for the event loop: %s", strerror(rc));
    d->thread_started = true;
    (void)pthread_setname_np(d->thread, "devtrust");
    return DT_OK;
}

static int driver_init(dt_driver *d, dt_driver_options const *o, dt_error *e)
{
    d->refreshes = calloc(DT_REFRESH_SLOTS, sizeof(*d->refreshes));
    if (d->refreshes == NULL || dt_rooms_make(d) != DT_OK)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int rc = dt_reload_start(d, o->config_path, e);
    if (rc != 0)
        return rc;
    if ((rc = open_outputs(d, e)) != 0 || (rc = make_base(d, e)) != 0 ||
        (rc = make_events(d, e)) != 0 ||
        (rc = dt_http_new(watch_http, time_http, d, &d->http, e)) != 0)
        return rc;
    if (dt_sessions_open(d) != DT_OK)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    if ((rc = dt_export_open(d, e)) != 0 || (o->own_thread && (rc = start_thread(d, e)) != 0))
        return rc;
    return o->watch ? dt_reload_watch(d, e) : DT_OK;
}

int dt_driver_new(dt_driver_options const *o, dt_driver **out, dt_error *e)
{
    *out = NULL;
    dt_driver *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    d->pid = getpid();
    d->wake_fd = -1;
    d->options = *o;
    d->options.config_path = NULL;
    d->quiet = o->quiet;
    d->own_thread = o->own_thread;
    d->runs_max = o->runs_max > 0 ? o->runs_max : DT_DRIVER_RUNS_MAX;
    pthread_mutex_init(&d->live_lock, NULL);
    pthread_mutex_init(&d->post_lock, NULL);
    pthread_mutex_init(&d->refresh_lock, NULL);
    pthread_mutex_init(&d->reload.lock, NULL);
    pthread_cond_init(&d->reload.wake, NULL);
    dt_host_name(d->host, sizeof(d->host));
    int rc = driver_init(d, o, e);
    if (rc != 0) {
        d->drained = !d->thread_started; /* else something has begun */
        dt_driver_free(&d);
        return rc;
    }
    *out = d;
    return DT_OK;
}

/* --- ending ----------------------------------------------------------------------------------- */

void dt_driver_close(dt_driver *d)
{
    if (!dt_driver_is_usable(d))
        return;
    dt_reload_stop(d);
    dt_driver_stop(d);
    if (d->thread_started) {
        pthread_join(d->thread, NULL);
        d->thread_started = false;
    } else if (!d->drained) {
        sigset_t before;
        block_sigpipe(&before);
        drain(d);
        restore_sigpipe(&before);
    }
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void free_loop(dt_driver *d)
{
    dt_keep_alive_close(d);
    dt_sessions_close(d);
    dt_http_free(&d->http);
    free_event(d->wake_event);
    free_event(d->http_timer);
    free_event(d->flush_timer);
    free_event(d->tick_timer);
    dt_pace_close(d);
    for (size_t i = 0; i < d->watch_count; i++)
        free_event(d->watches[i]);
    free(d->watches);
    if (d->base != NULL)
        event_base_free(d->base);
    if (d->wake_fd >= 0)
        close(d->wake_fd);
}

void dt_driver_free(dt_driver **driver)
{
    if (driver == NULL || *driver == NULL)
        return;
    dt_driver *d = *driver;
    *driver = NULL;
    if (!dt_driver_is_usable(d))
        return;
    if (!d->drained)
        dt_driver_close(d);
    dt_export_close(d);
    free_loop(d);
    dt_audit_queue_free(&d->audit);
    dt_store *store = atomic_load(&d->store);
    dt_store_close(&store);
    dt_spare_free(&d->spare);
    dt_spare_free(&d->tried);
    explicit_bzero(d->tried_key, sizeof(d->tried_key));
    dt_reload_free(d);
    dt_live_sites_free(d);
    free(d->store_path);
    free(d->refreshes);
    dt_rooms_free(d);
    pthread_mutex_destroy(&d->live_lock);
    pthread_mutex_destroy(&d->post_lock);
    pthread_mutex_destroy(&d->refresh_lock);
    free(d);
}
