/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer for each open challenge, on the driver's loop. See unanswered.h. */
#include "rlm_devtrust/unanswered.h"

#include "edge/host.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

typedef struct challenge {
    dt_unanswered *owner;
    struct event *timer;
    LIST_ENTRY(challenge) all;
    dt_challenge_open open;
} challenge;

struct dt_unanswered {
    dt_driver *driver;
    pthread_mutex_t lock; /* over the two below */
    bool closed;
    size_t count;
    LIST_HEAD(, challenge) challenges; /* the loop's */
};

dt_unanswered *dt_unanswered_new(dt_driver *d)
{
    dt_unanswered *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return NULL;
    u->driver = d;
    pthread_mutex_init(&u->lock, NULL);
    LIST_INIT(&u->challenges);
    return u;
}

static void drop(challenge *c)
{
    dt_unanswered *u = c->owner;
    if (c->timer != NULL) {
        event_free(c->timer);
        LIST_REMOVE(c, all);
    }
    pthread_mutex_lock(&u->lock);
    u->count--;
    pthread_mutex_unlock(&u->lock);
    free(c);
}

static void on_overdue(evutil_socket_t fd, short what, void *ctx)
{
    challenge *c = ctx;
    (void)fd;
    (void)what;
    dt_challenge_end(c->owner->driver, &c->open);
    drop(c);
}

/* By a length of time, which is bounded where the clock was set. */
static struct timeval wait_of(dt_challenge_open const *open)
{
    dt_time most = open->lifetime + DT_CHALLENGE_OVERDUE;
    dt_time left = open->expires + DT_CHALLENGE_OVERDUE - dt_host_now();
    left = left < 0 ? 0 : left > most ? most : left;
    return (struct timeval){(time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000)};
}

static void start(void *ctx)
{
    challenge *c = ctx;
    dt_unanswered *u = c->owner;
    struct timeval wait = wait_of(&c->open);
    pthread_mutex_lock(&u->lock);
    bool closed = u->closed;
    pthread_mutex_unlock(&u->lock);
    c->timer = closed ? NULL : evtimer_new(dt_driver_base(u->driver), on_overdue, c);
    if (c->timer != NULL)
        LIST_INSERT_HEAD(&u->challenges, c, all);
    if (c->timer == NULL || evtimer_add(c->timer, &wait) != 0)
        drop(c);
}

void dt_unanswered_expect(dt_unanswered *u, dt_challenge_open const *open)
{
    challenge *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return;
    c->owner = u;
    c->open = *open;
    pthread_mutex_lock(&u->lock);
    bool taken = !u->closed && u->count < DT_UNANSWERED_MAX;
    if (taken) {
        u->count++;
        taken = dt_driver_post(u->driver, start, c) == 0;
        if (!taken)
            u->count--;
    }
    pthread_mutex_unlock(&u->lock);
    if (!taken)
        free(c);
}

void dt_unanswered_close(dt_unanswered *u)
{
    pthread_mutex_lock(&u->lock);
    u->closed = true;
    pthread_mutex_unlock(&u->lock);
    while (!LIST_EMPTY(&u->challenges))
        drop(LIST_FIRST(&u->challenges));
}

void dt_unanswered_free(dt_unanswered *u)
{
    if (u == NULL)
        return;
    pthread_mutex_destroy(&u->lock);
    free(u);
}
