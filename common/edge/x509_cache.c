/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps certificates that were parsed, by their bytes: OpenSSL 3.0 takes some 0.3 ms to decode the
 * public key of one, most of what judging it costs, and the same devices come again and again. What
 * is kept is the parsed form alone: everything that trust rests on is judged anew each time. */
#include "edge/x509_internal.h"

#include <openssl/x509v3.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Certificates kept at most; one that falls on another's slot takes it. */
#define DT_PARSED_SLOTS 256

typedef struct parsed {
    uint8_t *der;
    size_t len;
    X509 *x;
} parsed;

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static parsed g_slots[DT_PARSED_SLOTS];

/* FNV-1a. Who finds two certificates for one slot makes both slower, and nothing else: the bytes
 * are compared. */
static parsed *slot_of(dt_bytes der)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < der.len; i++)
        hash = (hash ^ der.p[i]) * 0x100000001b3u;
    return &g_slots[(hash ^ hash >> 32) % DT_PARSED_SLOTS];
}

static X509 *find(parsed const *slot, dt_bytes der)
{
    X509 *x = NULL;
    pthread_mutex_lock(&g_lock);
    if (slot->x != NULL && slot->len == der.len && memcmp(slot->der, der.p, der.len) == 0 &&
        X509_up_ref(slot->x) == 1)
        x = slot->x;
    pthread_mutex_unlock(&g_lock);
    return x;
}

static void keep(parsed *slot, dt_bytes der, X509 *x)
{
    parsed fresh = {.der = malloc(der.len), .len = der.len, .x = x};
    if (fresh.der == NULL || X509_up_ref(x) != 1) {
        free(fresh.der);
        return;
    }
    memcpy(fresh.der, der.p, der.len);
    /* Has the extensions parsed now, by one thread. */
    (void)X509_check_purpose(x, -1, 0);
    pthread_mutex_lock(&g_lock);
    parsed const old = *slot;
    *slot = fresh;
    pthread_mutex_unlock(&g_lock);
    free(old.der);
    X509_free(old.x);
}

int dt_x509_parse_kept(dt_bytes der, X509 **out, dt_error *e)
{
    *out = NULL;
    if (der.len == 0 || der.len > DT_CERTIFICATE_MAX)
        return dt_x509_parse(der, out, e);
    parsed *slot = slot_of(der);
    *out = find(slot, der);
    if (*out != NULL)
        return 0;
    int const rc = dt_x509_parse(der, out, e);
    if (rc == 0)
        keep(slot, der, *out);
    return rc;
}
