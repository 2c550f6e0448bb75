/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The site in force and those before it, for as long as sign-ons use them. Every sign-on takes hold of the one
 * in force on its way: 0.04 us under a mutex, with 1 to 16 threads, of the 60 that a sign-on takes. */
#include "driver/internal.h"

#include "edge/expiry.h"

#include <stdlib.h>
#include <string.h>

/* --- what belongs to a site ------------------------------------------------------------------- */

static int load_okta_authorization(dt_live_site *l, dt_error *e)
{
    dt_secret const *token = dt_site_okta_token(l->files);
    if (token == NULL)
        return DT_OK;
    char storage[DT_SECRET_MAX + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_bytes value = dt_secret_bytes(token);
    dt_buf_puts(&b, "SSWS ");
    dt_buf_put(&b, value.p, value.len);
    int rc = dt_buf_error(&b);
    if (rc == 0)
        rc = dt_secret_new(dt_buf_bytes(&b), &l->okta_authorization);
    explicit_bzero(storage, sizeof(storage));
    return rc == 0 ? DT_OK : dt_error_set(e, rc, "no memory for the Okta API token");
}

static int load_keys(dt_live_site *l, dt_error *e)
{
    int rc = load_okta_authorization(l, e);
    if (rc == 0)
        rc = dt_token_load_key(l, e);
    if (rc == 0)
        rc = dt_okta_credentials_load(l->config, &l->okta, e);
    if (rc == 0)
        rc = dt_host_key_open(l->config, &l->host_key, e);
    if (rc == 0 && dt_host_key_is_slow(l->host_key) &&
        dt_signer_new(l->host_key, &l->signer) != DT_OK)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    return rc;
}

static int read_expiries(dt_live_site *l, dt_error *e)
{
    l->expiries = calloc(1, sizeof(*l->expiries));
    if (l->expiries == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_expiries_read(l->config, dt_site_anchors(l->files), l->expiries);
    return DT_OK;
}

int dt_live_site_load(char const *config_path, dt_live_site **out, dt_error *e)
{
    dt_live_site *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int rc = dt_site_load(config_path, &l->files, e);
    if (rc == 0) {
        l->config = dt_site_config(l->files);
        l->bare_ruleset =
            (dt_ruleset){.config = l->config, .anchors = dt_site_anchors(l->files), .owner = l};
        rc = load_keys(l, e);
    }
    if (rc == 0)
        rc = read_expiries(l, e);
    if (rc == 0)
        *out = l;
    else
        dt_live_site_free(&l);
    return rc;
}

void dt_live_site_free(dt_live_site **live)
{
    dt_live_site *l = *live;

    *live = NULL;
    if (l == NULL)
        return;
    dt_token_close(l);
    if (l->signer != NULL)
        dt_signer_close(&l->signer);
    else
        dt_host_key_free(&l->host_key);
    dt_secret_free(&l->okta_authorization);
    dt_site_free(&l->files);
    free(l->expiries);
    free(l);
}

/* --- who uses which --------------------------------------------------------------------------- */

/* Not held: for who is the only user of the driver. */
static dt_live_site *in_force(dt_driver *d)
{
    pthread_mutex_lock(&d->live_lock);
    dt_live_site *l = d->current;
    pthread_mutex_unlock(&d->live_lock);
    return l;
}

dt_live_site *dt_live_site_current(dt_driver *d)
{
    pthread_mutex_lock(&d->live_lock);
    dt_live_site *l = d->current;
    l->users++;
    pthread_mutex_unlock(&d->live_lock);
    return l;
}

dt_live_site *dt_live_site_acquire(dt_live_site *l)
{
    pthread_mutex_lock(&l->driver->live_lock);
    l->users++;
    pthread_mutex_unlock(&l->driver->live_lock);
    return l;
}

void dt_live_site_release(dt_live_site *l)
{
    pthread_mutex_t *lock = &l->driver->live_lock; /* without a user, l may go at any time */

    pthread_mutex_lock(lock);
    l->users--;
    pthread_mutex_unlock(lock);
}

void dt_live_site_publish(dt_driver *d, dt_live_site *l)
{
    l->driver = d;
    pthread_mutex_lock(&d->live_lock);
    if (d->current != NULL) {
        d->current->next = d->former;
        d->former = d->current;
    }
    d->current = l;
    pthread_mutex_unlock(&d->live_lock);
}

/* Takes those that nobody uses out of the list. */
static dt_live_site *take_unused(dt_driver *d)
{
    dt_live_site *unused = NULL;

    pthread_mutex_lock(&d->live_lock);
    for (dt_live_site **link = &d->former; *link != NULL;) {
        dt_live_site *l = *link;
        if (l->users > 0) {
            link = &l->next;
            continue;
        }
        *link = l->next;
        l->next = unused;
        unused = l;
    }
    pthread_mutex_unlock(&d->live_lock);
    return unused;
}

static void free_list(dt_live_site *first)
{
    for (dt_live_site *l = first, *next; l != NULL; l = next) {
        next = l->next;
        dt_live_site_free(&l);
    }
}

void dt_live_site_reclaim(dt_driver *d)
{
    free_list(take_unused(d));
}

void dt_live_sites_free(dt_driver *d)
{
    free_list(d->former);
    d->former = NULL;
    dt_live_site_free(&d->current);
}

dt_live_site *dt_live_site_of(dt_driver *d, dt_signon const *machine)
{
    dt_live_site *l = dt_signon_ruleset(machine)->owner;
    return l != NULL ? l : in_force(d);
}

/* --- for the doors ---------------------------------------------------------------------------- */

void dt_driver_acquire(dt_driver *d, char const *application, dt_ruleset *out)
{
    dt_live_site *l = dt_live_site_current(d);
    *out = dt_site_ruleset(l->files, application);
    out->owner = l;
}

char const *dt_driver_acquire_service(dt_driver *d, char const *service, dt_ruleset *out)
{
    dt_live_site *l = dt_live_site_current(d);
    char const *application = dt_site_application_of(l->files, service);

    *out = dt_site_ruleset(l->files, application);
    out->owner = l;
    return application;
}

void dt_driver_release(dt_ruleset *ruleset)
{
    if (ruleset->owner != NULL)
        dt_live_site_release(ruleset->owner);
    *ruleset = (dt_ruleset){0};
}

dt_site const *dt_driver_site(dt_driver *d)
{
    return in_force(d)->files;
}

dt_site const *dt_driver_files(dt_ruleset const *ruleset)
{
    return ((dt_live_site *)ruleset->owner)->files;
}

void dt_driver_expiries(dt_driver *d, void (*fn)(void *ctx, dt_expiry const *x), void *ctx)
{
    dt_live_site *l = dt_live_site_current(d);

    for (size_t i = 0; i < l->expiries->count; i++)
        fn(ctx, &l->expiries->items[i]);
    dt_live_site_release(l);
}
