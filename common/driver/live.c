/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The site in force and those before it, for as long as sign-ons use them.
 *
 * Every sign-on takes hold of the site in force on its way, so that must cost next to nothing: it
 * counts itself in at the place that is in force, and looks whether it still is. If so the place
 * cannot be freed before it counts itself out, because whoever frees puts another in force first and
 * then looks at the count: of the two each sees what the other did before (both are sequentially
 * consistent). If not, it has touched nothing but the count, and places are never freed. */
#include "driver/internal.h"

#include <stdlib.h>
#include <string.h>

/* --- what belongs to a site ------------------------------------------------------------------- */

static int load_okta_authorization(dt_live_parts *p, dt_error *e)
{
    dt_secret const *token = dt_site_okta_token(p->files);
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
        rc = dt_secret_new(dt_buf_bytes(&b), &p->okta_authorization);
    explicit_bzero(storage, sizeof(storage));
    return rc == 0 ? DT_OK : dt_error_set(e, rc, "the Okta API token cannot be held");
}

static int load_keys(dt_live_parts *p, dt_error *e)
{
    int rc = load_okta_authorization(p, e);
    if (rc == 0)
        rc = dt_token_load_key(p, e);
    if (rc == 0)
        rc = dt_host_key_open(p->config, &p->host_key, e);
    if (rc == 0 && dt_host_key_is_slow(p->host_key) &&
        dt_signer_new(p->host_key, &p->signer) != DT_OK)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    return rc;
}

int dt_live_load(char const *config_path, dt_live_parts *out, dt_error *e)
{
    dt_live_parts p = {0};
    int rc = dt_site_load(config_path, &p.files, e);
    if (rc != 0)
        return rc;
    p.config = dt_site_config(p.files);
    p.bare_site = (dt_site){.config = p.config, .anchors = dt_site_anchors(p.files)};
    rc = load_keys(&p, e);
    if (rc != 0) {
        dt_live_parts_free(&p);
        return rc;
    }
    *out = p;
    return DT_OK;
}

void dt_live_parts_free(dt_live_parts *p)
{
    if (p->files == NULL)
        return;
    dt_token_close(p);
    if (p->signer != NULL)
        dt_signer_close(&p->signer);
    else
        dt_host_key_free(&p->host_key);
    dt_secret_free(&p->okta_authorization);
    dt_site_free(&p->files);
    *p = (dt_live_parts){0};
}

/* --- places ----------------------------------------------------------------------------------- */

dt_live *dt_live_current(dt_driver *d)
{
    for (;;) {
        dt_live *l = atomic_load(&d->current);
        atomic_fetch_add(&l->users, 1);
        if (atomic_load(&d->current) == l)
            return l;
        atomic_fetch_sub(&l->users, 1);
    }
}

dt_live *dt_live_hold(dt_live *l)
{
    atomic_fetch_add(&l->users, 1);
    return l;
}

void dt_live_leave(dt_live *l)
{
    atomic_fetch_sub(&l->users, 1);
}

dt_live *dt_live_of(dt_driver *d, dt_signon const *machine)
{
    dt_live *l = dt_signon_site(machine)->owner;
    return l != NULL ? l : atomic_load(&d->current);
}

static bool is_idle(dt_driver *d, dt_live *l)
{
    return atomic_load(&d->current) != l && atomic_load(&l->users) == 0;
}

void dt_live_reclaim(dt_driver *d)
{
    for (size_t i = 0; i < DT_DRIVER_LIVES_MAX; i++) {
        if (is_idle(d, &d->lives[i]))
            dt_live_parts_free(&d->lives[i].has);
    }
}

int dt_live_publish(dt_driver *d, dt_live_parts *parts)
{
    dt_live_reclaim(d);
    for (size_t i = 0; i < DT_DRIVER_LIVES_MAX; i++) {
        dt_live *l = &d->lives[i];
        /* Somebody too late may still count itself in and out here; that is all it does. */
        if (atomic_load(&d->current) == l || l->has.files != NULL)
            continue;
        l->driver = d;
        l->has = *parts;
        l->has.bare_site.owner = l;
        *parts = (dt_live_parts){0};
        atomic_store(&d->current, l);
        return DT_OK;
    }
    return DT_E_LIMIT;
}

void dt_lives_free(dt_driver *d)
{
    for (size_t i = 0; i < DT_DRIVER_LIVES_MAX; i++)
        dt_live_parts_free(&d->lives[i].has);
}

/* --- for the doors ---------------------------------------------------------------------------- */

void dt_driver_hold(dt_driver *d, char const *application, dt_site *out)
{
    dt_live *l = dt_live_current(d);
    *out = dt_site_for(l->has.files, application);
    out->owner = l;
}

char const *dt_driver_hold_service(dt_driver *d, char const *service, dt_site *out)
{
    dt_live *l = dt_live_current(d);
    char const *application = dt_site_application_of(l->has.files, service);

    *out = dt_site_for(l->has.files, application);
    out->owner = l;
    return application;
}

void dt_driver_leave(dt_site *site)
{
    if (site->owner != NULL)
        dt_live_leave(site->owner);
    *site = (dt_site){0};
}

dt_site_files const *dt_driver_files(dt_site const *site)
{
    return ((dt_live *)site->owner)->has.files;
}
