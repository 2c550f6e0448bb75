/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Background look-ups, of Intune and Okta about a device and of OCSP responders about a certificate: at most one
 * for each at a time, and not again for a short while. The table is a direct-mapped one: a refresh is
 * an optimisation, so whoever's place is taken by a busy one goes without. */
#include "driver/internal.h"

#include "edge/host.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Wakes the threads in dt_driver_refresh_wait, of any driver: some refresh has ended. */
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

/* What is to be asked: about a device, or about a certificate. */
typedef struct refresh {
    char name[DT_REFRESH_NAME_MAX];
    dt_guid device;
    dt_ocsp_question const *ocsp; /* NULL: about the device */
    dt_signon const *of;          /* Okta, about this machine's device and person; NULL: Intune */
} refresh;

static refresh refresh_of_device(dt_guid const *device)
{
    refresh r = {.device = *device};

    memcpy(r.name, device->text, sizeof(device->text));
    return r;
}

static refresh refresh_of_certificate(dt_ocsp_question const *q)
{
    refresh r = {.ocsp = q};

    memcpy(r.name, q->key, sizeof(q->key));
    return r;
}

static refresh refresh_of_person(dt_guid const *device, char const *login, dt_signon const *of)
{
    refresh r = {.device = *device, .of = of};
    dt_buf b;

    dt_buf_init_fixed(&b, r.name, sizeof(r.name));
    dt_buf_puts(&b, device->text);
    dt_buf_putc(&b, ' ');
    dt_buf_puts(&b, login);
    return r;
}

static unsigned slot_of(char const *name)
{
    unsigned x = 2166136261u;
    for (; *name != '\0'; name++)
        x = (x ^ (uint8_t)*name) * 16777619u;
    return (x ^ (x >> 16)) % DT_REFRESH_SLOTS;
}

/* True when the place is ours now. */
static bool claim(dt_driver *d, char const *name, unsigned slot)
{
    int64_t now = dt_driver_mono();
    pthread_mutex_lock(&d->refresh_lock);
    dt_refresh_slot *s = &d->refreshes[slot];
    bool recent =
        s->started != 0 && now - s->started < DT_REFRESH_PAUSE && strcmp(s->name, name) == 0;
    bool mine = !s->busy && !recent;
    if (mine) {
        *s = (dt_refresh_slot){.started = now, .busy = true};
        memcpy(s->name, name, strlen(name) + 1);
    }
    pthread_mutex_unlock(&d->refresh_lock);
    return mine;
}

void dt_refresh_ended(dt_driver *d, unsigned slot)
{
    pthread_mutex_lock(&d->refresh_lock);
    d->refreshes[slot].busy = false;
    pthread_mutex_unlock(&d->refresh_lock);
    pthread_mutex_lock(&ended_lock);
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&ended_lock);
}

/* NULL without memory. */
static dt_run *run_of(dt_driver *d, dt_live_site *live, refresh const *r)
{
    dt_signon *machine = dt_driver_machine_new();
    if (machine == NULL)
        return NULL;
    if (r->ocsp != NULL)
        dt_signon_begin_ocsp(machine, &live->bare_ruleset, r->ocsp, dt_host_now());
    else if (r->of != NULL)
        dt_signon_begin_device_refresh(machine, &live->bare_ruleset, r->of, dt_host_now());
    else
        dt_signon_begin_refresh(machine, &live->bare_ruleset, &r->device, dt_host_now());
    dt_run *run = dt_run_new(d, live, machine);
    dt_driver_machine_free(&machine);
    return run;
}

static void refresh_by(dt_driver *d, dt_live_site *live, refresh const *r)
{
    unsigned slot = slot_of(r->name);
    if (!claim(d, r->name, slot))
        return;
    dt_run *run = run_of(d, live, r);
    if (run == NULL) {
        dt_refresh_ended(d, slot);
        return;
    }
    run->is_refresh = true;
    run->refresh_slot = slot;
    if (dt_driver_enqueue(d, &run->start) != 0)
        dt_run_free(run);
}

static void refresh_start(dt_driver *d, refresh const *r)
{
    dt_live_site *live = dt_live_site_current(d);
    if (r->ocsp != NULL || r->of != NULL || dt_token_is_configured(live))
        refresh_by(d, live, r);
    dt_live_site_release(live);
}

void dt_driver_refresh(dt_driver *d, dt_guid const *device_id)
{
    if (!dt_driver_is_usable(d) || !dt_guid_is_set(device_id))
        return;
    refresh r = refresh_of_device(device_id);
    refresh_start(d, &r);
}

static bool is_under_way(dt_driver *d, char const *name)
{
    pthread_mutex_lock(&d->refresh_lock);
    dt_refresh_slot const *s = &d->refreshes[slot_of(name)];
    bool busy = s->busy && strcmp(s->name, name) == 0;
    pthread_mutex_unlock(&d->refresh_lock);
    return busy;
}

static void refresh_wait(dt_driver *d, refresh const *r, dt_time limit)
{
    int64_t at = dt_driver_mono() + (limit < 0 ? 0 : limit);
    struct timespec until = {.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000};
    if (!dt_driver_is_usable(d) || (d->own_thread && pthread_equal(pthread_self(), d->thread)))
        return;
    refresh_start(d, r);
    int rc = 0;
    pthread_mutex_lock(&ended_lock);
    while (rc == 0 && is_under_way(d, r->name))
        rc = pthread_cond_clockwait(&ended, &ended_lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&ended_lock);
}

void dt_driver_refresh_wait(dt_driver *d, dt_guid const *device_id, dt_time limit)
{
    if (!dt_guid_is_set(device_id))
        return;
    refresh r = refresh_of_device(device_id);
    refresh_wait(d, &r, limit);
}

void dt_driver_ocsp_wait(dt_driver *d, dt_ocsp_question const *question, dt_time limit)
{
    refresh r = refresh_of_certificate(question);
    refresh_wait(d, &r, limit);
}

void dt_refresh_hinted(dt_driver *d, dt_signon const *machine)
{
    dt_guid const *device = dt_signon_refresh_hint(machine);
    dt_ocsp_question const *question = dt_signon_ocsp_hint(machine);
    char const *login;
    if (device != NULL)
        dt_driver_refresh(d, device);
    if (question != NULL && dt_driver_is_usable(d)) {
        refresh r = refresh_of_certificate(question);
        refresh_start(d, &r);
    }
    if (dt_signon_device_refresh_hint(machine, &device, &login) && dt_driver_is_usable(d)) {
        refresh r = refresh_of_person(device, login, machine);
        refresh_start(d, &r);
    }
}
