/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link between module instances and the one driver (thread, store, connections, caches) of a
 * devtrust.conf. Instances for VPN and Wi-Fi over the same file share it, so that they share one
 * cache and one polling budget. Used while the server starts and ends, by one thread. */
#include "rlm_devtrust/rlm_devtrust.h"

#include "edge/host.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the name of a realm, which nobody may guess: realms are found by what comes after the @ of a
 * User-Name, and who could name ours would send the room what is not for it. */
#define REALM_RANDOM_LEN 16

static dt_rlm_link *links;

static void destroy(dt_rlm_link *l)
{
    if (l->room != NULL)
        dt_waiting_room_close(l->room);
    dt_driver_free(&l->driver);
    dt_waiting_room_free(&l->room);
    pthread_mutex_destroy(&l->lock);
    free(l->config_path);
    free(l);
}

static int open_room(dt_rlm_link *l, dt_error *e)
{
    dt_room_options options = {
        .port = l->port, .parked_max = l->parked_max, .answer_within = l->answer_within};
    int rc = dt_waiting_room_open(l->driver, &options, &l->room, e);
    if (rc != 0)
        return rc;
    uint8_t raw[REALM_RANDOM_LEN];
    char text[2 * REALM_RANDOM_LEN + 1];
    if ((rc = dt_host_random(raw, sizeof(raw))) != 0)
        return dt_error_set(e, rc, "no random bytes for the waiting room's name");
    dt_hex(text, raw, sizeof(raw));
    snprintf(l->realm, sizeof(l->realm), "devtrust-%s", text);
    return dt_rlm_home_server_add(l->realm, dt_waiting_room_port(l->room),
                                  dt_waiting_room_secret(l->room), l->parked_max, e);
}

/* On the driver's watching thread: every instance has to be able to work with the new site. */
static int on_accept(void *ctx, dt_site const *files, dt_error *e)
{
    dt_rlm_link *l = ctx;
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    for (rlm_devtrust_t *i = l->instances; rc == 0 && i != NULL; i = i->next)
        rc = dt_rlm_check_site(i, files, e);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static void on_notice(void *ctx, dt_notice notice, char const *text)
{
    (void)ctx;
    if (notice == DT_NOTICE_FAULT)
        ERROR("devtrust: %s", text);
    else if (notice == DT_NOTICE_WARNING)
        WARN("devtrust: %s", text);
    else
        INFO("devtrust: %s", text);
}

static void instances_add(dt_rlm_link *l, rlm_devtrust_t *inst)
{
    pthread_mutex_lock(&l->lock);
    inst->next = l->instances;
    l->instances = inst;
    pthread_mutex_unlock(&l->lock);
}

static void instances_remove(dt_rlm_link *l, rlm_devtrust_t *inst)
{
    pthread_mutex_lock(&l->lock);
    rlm_devtrust_t **at = &l->instances;
    while (*at != inst)
        at = &(*at)->next;
    *at = inst->next;
    pthread_mutex_unlock(&l->lock);
}

static int create(rlm_devtrust_t const *inst, dt_rlm_link **out, dt_error *e)
{
    dt_rlm_link *l = calloc(1, sizeof(*l));
    if (l == NULL || (l->config_path = strdup(inst->config_path)) == NULL) {
        free(l);
        return dt_error_set(e, DT_E_NOMEM, "no memory");
    }
    pthread_mutex_init(&l->lock, NULL);
    dt_driver_options options = {.config_path = inst->config_path,
                                 .own_thread = true,
                                 .watch = true,
                                 .accept = on_accept,
                                 .notify = on_notice,
                                 .export_door = "radius",
                                 .sessions = DT_SESSION_RADIUS,
                                 .watch_ctx = l};
    l->port = inst->port;
    l->parked_max = inst->max_parked;
    l->answer_within = DT_SECONDS(dt_rlm_response_window()) - DT_RLM_ANSWER_MARGIN;
    dt_site_set_door(DT_SITE_DOOR_RADIUS);
    int rc = dt_driver_new(&options, &l->driver, e);
    if (rc == 0)
        rc = open_room(l, e);
    if (rc != 0) {
        destroy(l);
        return rc;
    }
    *out = l;
    return 0;
}

int dt_rlm_link_get(rlm_devtrust_t *inst, dt_rlm_link **out, dt_error *e)
{
    dt_rlm_link *l = links;
    while (l != NULL && strcmp(l->config_path, inst->config_path) != 0)
        l = l->next;
    if (l == NULL) {
        int rc = create(inst, &l, e);
        if (rc != 0)
            return rc;
        l->next = links;
        links = l;
    } else if (l->port != inst->port || l->parked_max != inst->max_parked) {
        return dt_error_set(e, DT_E_INVALID,
                            "instances over the same \"config\" share one waiting room: give them "
                            "the same waiting_room_port and max_parked");
    }
    l->users++;
    instances_add(l, inst);
    *out = l;
    return 0;
}

void dt_rlm_link_put(rlm_devtrust_t *inst)
{
    dt_rlm_link *l = inst->link;
    inst->link = NULL;
    if (l == NULL)
        return;
    instances_remove(l, inst);
    if (--l->users > 0)
        return;
    dt_rlm_link **at = &links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    destroy(l);
}
