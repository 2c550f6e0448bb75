/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures by a key in a token or a TPM: on a thread of their own, one after the other, since such a
 * device takes its time and may hang for good. The loop goes on meanwhile; a sign-on waits for
 * DT_SIGN_LIMIT_MS and then goes on without: what is not signed is not known.
 *
 * A thread that hangs in a device cannot be ended. So it owns nothing but the signer, which it and the
 * driver share and whoever leaves last frees. */
#include "driver/internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SIGNER_STACK (512 * 1024)

struct dt_sign_job {
    dt_post done; /* to the loop */
    dt_run *run;  /* the loop's only; NULL once it no longer waits */
    dt_sign_request request;
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_sign_result result;
    dt_signer *signer; /* result's certificates are borrowed from its key */
    dt_sign_job *next;
};

struct dt_signer {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    dt_driver *driver; /* of the sign-ons that ask */
    bool closed;       /* `driver` may be gone */
    dt_host_key *key;
    dt_sign_job *first, *last;
    int waiting;
    bool started;
    int users;
};

/* With the lock held, which is given up. */
static void release_signer(dt_signer *s)
{
    bool const last = --s->users == 0;

    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    dt_host_key_free(&s->key);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void job_free(dt_sign_job *job)
{
    pthread_mutex_lock(&job->signer->lock);
    release_signer(job->signer);
    free(job);
}

int dt_signer_new(dt_host_key *key, dt_signer **out)
{
    dt_signer *s = calloc(1, sizeof(*s));

    *out = s;
    if (s == NULL)
        return DT_E_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->key = key;
    s->users = 1;
    return DT_OK;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* With the lock held: the next job, or NULL when there will be none. */
static dt_sign_job *take_job(dt_signer *s)
{
    while (!s->closed && s->first == NULL)
        pthread_cond_wait(&s->wake, &s->lock);
    dt_sign_job *job = s->closed ? NULL : s->first;

    if (job != NULL) {
        s->first = job->next;
        s->last = s->first != NULL ? s->last : NULL;
        s->waiting--;
    }
    return job;
}

static void *sign_all(void *ctx)
{
    dt_signer *s = ctx;
    dt_sign_job *job;

    pthread_mutex_lock(&s->lock);
    while ((job = take_job(s)) != NULL) {
        pthread_mutex_unlock(&s->lock);
        dt_host_key_sign(s->key, &job->request, job->storage, &job->result);
        pthread_mutex_lock(&s->lock);
        if (!s->closed && dt_driver_enqueue(s->driver, &job->done) == DT_OK)
            continue;
        s->users--; /* the job's: the thread's own is left */
        free(job);
    }
    release_signer(s);
    return NULL;
}

/* With the lock held. No signal is the thread's. */
static bool start_thread(dt_signer *s)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    if (s->started)
        return true;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->users++;
    s->started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                 pthread_attr_setstacksize(&attributes, SIGNER_STACK) == 0 &&
                 pthread_create(&thread, &attributes, sign_all, s) == 0;
    if (!s->started)
        s->users--;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return s->started;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_signed(void *ctx)
{
    dt_sign_job *job = ctx;

    if (job->run != NULL)
        dt_run_signed(job->run, &job->result);
    job_free(job);
}

dt_sign_job *dt_signer_start(dt_signer *s, dt_run *run, dt_sign_request const *r)
{
    dt_sign_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->done = (dt_post){.fn = on_signed, .ctx = job};
    job->run = run;
    job->request = *r;
    job->signer = s;
    pthread_mutex_lock(&s->lock);
    if (s->waiting >= DT_SIGN_QUEUE_MAX || !start_thread(s)) {
        pthread_mutex_unlock(&s->lock);
        free(job);
        return NULL;
    }
    s->driver = run->driver;
    s->users++;
    s->waiting++;
    *(s->last != NULL ? &s->last->next : &s->first) = job;
    s->last = job;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return job;
}

void dt_signer_forget(dt_sign_job *job)
{
    job->run = NULL;
}

void dt_signer_close(dt_signer **signer)
{
    dt_signer *s = *signer;

    *signer = NULL;
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    for (dt_sign_job *job = s->first, *next; job != NULL; job = next) {
        next = job->next;
        s->users--;
        free(job);
    }
    s->first = s->last = NULL;
    pthread_cond_signal(&s->wake);
    release_signer(s);
}
