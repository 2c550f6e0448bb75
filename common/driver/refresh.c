/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Background refreshes of Intune answers: at most one per device at a time, and not again for a
 * short while. The table is a direct-mapped one: a refresh is an optimisation, so a device whose
 * place is taken by a busy one goes without. */
#include "driver/internal.h"

#include "edge/host.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Tells threads in dt_driver_refresh_wait, of whatever driver, that some refresh has ended. */
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static unsigned slot_of(dt_guid const *g)
{
    unsigned x = 2166136261u;
    for (size_t i = 0; i < DT_GUID_LEN; i++)
        x = (x ^ (uint8_t)g->text[i]) * 16777619u;
    return (x ^ (x >> 16)) % DT_REFRESH_SLOTS;
}

/* True when the place is ours now. */
static bool claim(dt_driver *d, dt_guid const *device, unsigned slot)
{
    int64_t now = dt_driver_mono();
    pthread_mutex_lock(&d->refresh_lock);
    dt_refresh_slot *s = &d->refreshes[slot];
    bool recent =
        s->started != 0 && now - s->started < DT_REFRESH_PAUSE && dt_guid_equal(&s->device, device);
    bool mine = !s->busy && !recent;
    if (mine)
        *s = (dt_refresh_slot){.device = *device, .started = now, .busy = true};
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

static void refresh_by(dt_driver *d, dt_live *live, dt_guid const *device_id)
{
    unsigned slot = slot_of(device_id);
    if (!claim(d, device_id, slot))
        return;
    dt_run *run = dt_run_new(d, live);
    if (run == NULL) {
        dt_refresh_ended(d, slot);
        return;
    }
    run->is_refresh = true;
    run->refresh_slot = slot;
    dt_signon_begin_refresh(run->machine, &live->has.bare_site, device_id, dt_host_now());
    if (dt_driver_enqueue(d, &run->start) != 0)
        dt_run_free(run);
}

void dt_driver_refresh(dt_driver *d, dt_guid const *device_id)
{
    if (!dt_driver_is_usable(d) || !dt_guid_is_set(device_id))
        return;
    dt_live *live = dt_live_current(d);
    if (dt_token_is_configured(&live->has.token))
        refresh_by(d, live, device_id);
    dt_live_leave(live);
}

static bool is_under_way(dt_driver *d, dt_guid const *device)
{
    pthread_mutex_lock(&d->refresh_lock);
    dt_refresh_slot const *s = &d->refreshes[slot_of(device)];
    bool busy = s->busy && dt_guid_equal(&s->device, device);
    pthread_mutex_unlock(&d->refresh_lock);
    return busy;
}

void dt_driver_refresh_wait(dt_driver *d, dt_guid const *device_id, dt_time limit)
{
    int64_t at = dt_driver_mono() + (limit < 0 ? 0 : limit);
    struct timespec until = {.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000};
    if (d->own_thread && pthread_equal(pthread_self(), d->thread))
        return;
    dt_driver_refresh(d, device_id);
    int rc = 0;
    pthread_mutex_lock(&ended_lock);
    while (rc == 0 && dt_guid_is_set(device_id) && is_under_way(d, device_id))
        rc = pthread_cond_clockwait(&ended, &ended_lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&ended_lock);
}

void dt_refresh_hinted(dt_driver *d, dt_signon const *machine)
{
    dt_guid const *device = dt_signon_refresh_hint(machine);
    if (device != NULL)
        dt_driver_refresh(d, device);
}
