/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes changed files without a restart. A thread of its own looks at the files every few seconds, so
 * that neither a large policy nor a file system that hangs holds up the loop. What it finds changed it
 * loads whole, and puts in force whole; what is broken leaves everything as it was, and is said.
 *
 * Files are judged only once they have been at rest from one look to the next, and once more after
 * they were read: nobody is to be decided by half of what an administrator is writing. */
#include "driver/internal.h"

#include "core/signon/audit_ocsf.h"
#include "edge/host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOTE_MAX (DT_ERROR_TEXT_MAX + 512)

/* What one try came to. */
typedef struct outcome_of_try {
    int rc; /* DT_E_STATE with `moving`: the files changed while they were read */
    bool moving;
    dt_live_site *fresh; /* NULL: they do not load */
    dt_site_mark before, content;
    dt_error why;
} outcome_of_try;

/* --- saying it -------------------------------------------------------------------------------- */

static void put_event(dt_driver *d, bool taken, char const *text, uint64_t generation,
                      dt_time loaded)
{
    char event[DT_AUDIT_OCSF_EVENT_MAX + 1];
    dt_buf line;
    dt_metrics_count_reload(&d->metrics, taken);
    dt_buf_init_fixed(&line, event, sizeof(event));
    dt_audit_reload_facts const facts = {
        .taken = taken, .text = text, .host = d->host, .generation = generation, .loaded = loaded};
    (d->audit_format == DT_AUDIT_AS_OCSF ? dt_audit_ocsf_reload : dt_audit_reload)(&line, &facts,
                                                                                   dt_host_now());
    if (!d->quiet && dt_buf_error(&line) == 0)
        dt_driver_audit_put(d, dt_buf_bytes(&line), taken, NULL);
}

static void notify(dt_driver *d, dt_notice notice, char const *text)
{
    if (d->options.notify != NULL)
        d->options.notify(d->options.watch_ctx, notice, text);
}

/* The same fault is repeated now and then, and whenever somebody asked for the try. */
static void report_fault(dt_driver *d, dt_error const *why, bool asked)
{
    dt_reload *r = &d->reload;
    int64_t mono = dt_driver_mono();
    bool again = strcmp(r->said, why->text) == 0 && mono - r->logged_at < DT_RELOAD_SAY_AGAIN;
    if (again && !asked)
        return;
    dt_live_site *l = dt_live_site_current(d);
    char text[NOTE_MAX], since[25];
    dt_buf b;
    memcpy(r->said, why->text, sizeof(r->said));
    r->logged_at = mono;
    dt_time_format(since, dt_site_loaded(l->files));
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(
        &b, "the changed configuration was NOT applied; generation %llu of %s stays in force: ",
        (unsigned long long)dt_site_generation(l->files), since);
    dt_buf_put_escaped(&b, dt_bytes_str(why->text));
    put_event(d, false, text, dt_site_generation(l->files), dt_site_loaded(l->files));
    dt_live_site_release(l);
    notify(d, DT_NOTICE_FAULT, text);
}

static void log_reload(dt_driver *d, dt_site const *files, char const *fixed)
{
    char text[NOTE_MAX];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "generation %llu of the configuration is in force",
                  (unsigned long long)dt_site_generation(files));
    if (fixed[0] != '\0')
        dt_buf_printf(&b, "; changes that need a restart: %s", fixed);
    put_event(d, true, text, dt_site_generation(files), dt_site_loaded(files));
    notify(d, fixed[0] != '\0' ? DT_NOTICE_FAULT : DT_NOTICE_NEWS, text);
}

/* --- one try ---------------------------------------------------------------------------------- */

/* An application whose policy has gone would let nobody in. Whoever means that restarts. */
static int check_none_gone(dt_driver *d, dt_site const *fresh, dt_error *e)
{
    dt_live_site *l = dt_live_site_current(d);
    int rc = DT_OK;
    for (size_t i = 0; rc == DT_OK && i < dt_site_policy_count(l->files); i++) {
        char const *name = dt_policy_application(dt_site_policy_at(l->files, i));
        if (dt_site_policy(fresh, name) == NULL)
            rc = dt_error_set(e, DT_E_NOT_FOUND,
                              "the policy of \"%s\" is missing: restore %s/%s.json, or restart to "
                              "continue without it",
                              name, dt_site_config(fresh)->policy.directory, name);
    }
    dt_live_site_release(l);
    return rc;
}

static int check_fresh(dt_driver *d, dt_site const *fresh, dt_error *e)
{
    int rc = check_none_gone(d, fresh, e);
    if (rc == DT_OK && d->options.accept != NULL)
        rc = d->options.accept(d->options.watch_ctx, fresh, e);
    return rc;
}

/* Loads the files, and makes sure that they were at rest meanwhile. */
static void try_load(dt_reload *r, outcome_of_try *t)
{
    dt_config *config = NULL;
    dt_site_mark after;
    memset(t, 0, sizeof(*t));
    t->rc = dt_site_config_read(r->config_path, &config, &t->why);
    if (config != NULL) { /* from now on these files are watched, also when they are broken */
        dt_config_free(&r->watched);
        r->watched = config;
    }
    int marked =
        r->watched == NULL ? DT_OK : dt_site_mark_stat(r->config_path, r->watched, &t->before);
    if (t->rc == DT_OK)
        t->rc = marked;
    if (t->rc == DT_OK)
        t->rc = dt_live_site_load(r->config_path, &t->fresh, &t->why);
    if (t->rc == DT_OK)
        t->rc = dt_site_mark_content(r->config_path, r->watched, &t->content);
    if (r->watched != NULL && marked == DT_OK &&
        dt_site_mark_stat(r->config_path, r->watched, &after) == DT_OK &&
        !dt_site_mark_equal(&t->before, &after)) {
        t->moving = true;
        t->rc = DT_E_STATE;
    }
    if (t->rc != DT_OK && t->why.code == 0)
        (void)dt_error_set(&t->why, t->rc, "the files cannot be compared: %s", dt_err_name(t->rc));
}

/* Puts what was loaded in force. */
static int use_new_site(dt_driver *d, outcome_of_try *t)
{
    dt_reload *r = &d->reload;
    char storage[NOTE_MAX / 2];
    dt_buf fixed;
    dt_buf_init_fixed(&fixed, storage, sizeof(storage));
    dt_live_site *old = dt_live_site_current(d);
    int rc = dt_site_keep_fixed(t->fresh->files, old->config, &fixed);
    dt_live_site_release(old);
    if (rc != DT_OK)
        return dt_error_set(&t->why, rc, "out of memory");
    dt_site const *files = t->fresh->files; /* this thread alone frees what was in force */
    dt_site_set_generation(t->fresh->files, ++r->generation, dt_host_now());
    dt_live_site_publish(d, t->fresh);
    t->fresh = NULL;
    r->content = t->content;
    log_reload(d, files, fixed.len > 0 ? (char const *)fixed.p : "");
    return DT_OK;
}

/* The files are in order. */
static int take_changed(dt_driver *d, outcome_of_try *t, bool asked)
{
    dt_reload *r = &d->reload;
    if (!dt_site_mark_equal(&t->content, &r->content))
        return use_new_site(d, t);
    if (r->failed)
        notify(d, DT_NOTICE_NEWS, "the configuration is valid again, and the same as before");
    else if (asked)
        notify(d, DT_NOTICE_NEWS, "nothing has changed in the configuration");
    return DT_OK;
}

/* For whoever wrote the files and waits until they count: they were read after `began`. */
static void report_status(dt_driver *d, bool applied, int64_t began)
{
    char text[NOTE_MAX];
    dt_live_site *l;

    if (d->options.status == NULL)
        return;
    l = dt_live_site_current(d);
    (void)snprintf(text, sizeof(text), "configuration %llu in force%s; files read at %lld ms",
                   (unsigned long long)dt_site_generation(l->files),
                   applied ? "" : ", the changed one was NOT applied", (long long)began);
    dt_live_site_release(l);
    d->options.status(d->options.watch_ctx, text);
}

static void attempt(dt_driver *d, bool asked)
{
    int64_t began = dt_driver_mono();
    dt_reload *r = &d->reload;
    outcome_of_try *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return; /* at the next look again: `judged` is as it was */
    try_load(r, t);
    if (t->moving) {
        if (asked)
            notify(d, DT_NOTICE_NEWS,
                   "the configuration is being written; it is read when that is done");
        memset(&r->judged, 0, sizeof(r->judged));
    } else {
        r->judged = r->last = t->before;
        if (t->rc == DT_OK)
            t->rc = check_fresh(d, t->fresh->files, &t->why);
        if (t->rc == DT_OK)
            t->rc = take_changed(d, t, asked);
        r->failed = t->rc != DT_OK;
        r->retry_at = dt_driver_mono() + DT_RELOAD_RETRY;
        if (r->failed)
            report_fault(d, &t->why, asked);
        else
            r->said[0] = '\0';
        report_status(d, !r->failed, began);
    }
    dt_live_site_free(&t->fresh);
    free(t);
}

/* --- what ends soon --------------------------------------------------------------------------- */

static void warn_of_end(void *ctx, dt_expiry const *x)
{
    dt_driver *d = ctx;
    char text[DT_EXPIRY_TEXT_MAX];
    dt_time now = dt_host_now();
    dt_expiry_state state = dt_expiry_judge(x, now);

    if (state != DT_EXPIRY_FAR)
        notify(d, state == DT_EXPIRY_PAST ? DT_NOTICE_FAULT : DT_NOTICE_WARNING,
               dt_expiry_text(text, x, now));
}

/* At the start, for each new site, and once a day. */
static void warn_of_ends(dt_driver *d)
{
    dt_reload *r = &d->reload;
    int64_t mono = dt_driver_mono();

    if (r->warned_of == r->generation && mono < r->warn_at)
        return;
    r->warned_of = r->generation;
    r->warn_at = mono + DT_EXPIRY_SAY_AGAIN;
    dt_driver_expiries(d, warn_of_end, d);
}

/* --- watching --------------------------------------------------------------------------------- */

static void look(dt_driver *d, bool asked)
{
    dt_reload *r = &d->reload;
    dt_site_mark now;
    dt_live_site_reclaim(d);
    if (asked) {
        attempt(d, true);
        return;
    }
    if (r->watched == NULL || dt_site_mark_stat(r->config_path, r->watched, &now) != DT_OK)
        return;
    bool changed = !dt_site_mark_equal(&now, &r->judged);
    bool at_rest = dt_site_mark_equal(&now, &r->last);
    r->last = now;
    if (changed ? at_rest : r->failed && dt_driver_mono() >= r->retry_at)
        attempt(d, false);
}

/* Waits for the next look; false when it is over. */
static bool wait_for_look(dt_reload *r, bool *asked)
{
    int64_t at = dt_driver_mono() + DT_RELOAD_CHECK;
    struct timespec until = {.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000};
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (rc == 0 && !r->wanted && !r->stop)
        rc = pthread_cond_clockwait(&r->wake, &r->lock, CLOCK_MONOTONIC, &until);
    *asked = r->wanted;
    r->wanted = false;
    bool on = !r->stop;
    pthread_mutex_unlock(&r->lock);
    return on;
}

static void *watch_main(void *ctx)
{
    dt_driver *d = ctx;
    bool asked = false;
    do {
        warn_of_ends(d);
    } while (wait_for_look(&d->reload, &asked) && (look(d, asked), true));
    return NULL;
}

int dt_reload_watch(dt_driver *d, dt_error *e)
{
    dt_reload *r = &d->reload;
    sigset_t all, before;
    sigfillset(&all); /* the process's signals are for its other threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&r->thread, NULL, watch_main, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return dt_error_set(e, DT_E_IO, "no thread to watch the files: %s", strerror(rc));
    r->started = true;
    (void)pthread_setname_np(r->thread, "devtrust-watch");
    return DT_OK;
}

void dt_driver_reload(dt_driver *d)
{
    dt_reload *r = &d->reload;
    if (!dt_driver_is_usable(d))
        return;
    pthread_mutex_lock(&r->lock);
    r->wanted = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

void dt_reload_stop(dt_driver *d)
{
    dt_reload *r = &d->reload;
    if (!r->started)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    r->started = false;
}

void dt_reload_free(dt_driver *d)
{
    dt_reload *r = &d->reload;
    dt_config_free(&r->watched);
    free(r->config_path);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
}

/* --- the start -------------------------------------------------------------------------------- */

/* Files that are being written right now are tried a few times; what they then hold counts, and the
 * watch will look at it once more. */
static int load_watched(dt_driver *d, dt_live_site **out, dt_error *e)
{
    dt_reload *r = &d->reload;
    outcome_of_try *t = calloc(1, sizeof(*t));
    int rc = DT_E_NOMEM;
    for (int i = 0; t != NULL && i < DT_RELOAD_START_TRIES; i++) {
        dt_live_site_free(&t->fresh);
        try_load(r, t);
        if (!t->moving)
            break;
    }
    if (t == NULL)
        return dt_error_set(e, rc, "out of memory");
    rc = t->moving && t->fresh != NULL ? DT_OK : t->rc;
    if (rc == DT_OK) {
        *out = t->fresh;
        r->content = t->content;
        if (!t->moving)
            r->judged = r->last = t->before;
    } else {
        dt_live_site_free(&t->fresh);
        if (e != NULL)
            *e = t->why;
    }
    free(t);
    return rc;
}

int dt_reload_start(dt_driver *d, char const *config_path, dt_error *e)
{
    dt_reload *r = &d->reload;
    dt_live_site *first = NULL;
    if ((r->config_path = strdup(config_path)) == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int rc =
        d->options.watch ? load_watched(d, &first, e) : dt_live_site_load(config_path, &first, e);
    if (rc != DT_OK)
        return rc;
    r->generation = 1;
    dt_site_set_generation(first->files, r->generation, dt_host_now());
    dt_live_site_publish(d, first);
    return DT_OK;
}
