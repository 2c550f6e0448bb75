/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The raw client certificate of the TLS session that the server handles for a request.
 *
 * FreeRADIUS hands out a certificate's text attributes only, also after a failed verification, and
 * without SAN URIs before 3.2.7. The certificate itself is in the SSL object, which no module is
 * given. But the server notes in each SSL, under a fixed index, which request it works on. So: an
 * ex_data index of our own makes OpenSSL tell us of every SSL that is made and freed, and the one
 * whose note names our request is ours for the moment, on this very thread.
 *
 * The index is for being told only; nothing is kept under it. FreeRADIUS uses indexes 10 to 17 without
 * asking for them, and one that belongs to another class of object (fr_tls_ex_index_certs): whatever
 * it overwrites must not be ours. */
#include "rlm_devtrust/rlm_devtrust.h"

#include <freeradius/tls.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Slots given to every SSL at once, so that none is ever added while another thread looks. */
#define SLOTS 32
#define BUCKETS 1024 /* a power of two */

typedef struct session {
    SSL *ssl;
    struct session *next;
} session;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static session *sessions[BUCKETS];
static int own_index = -1;

static session **bucket(SSL const *ssl)
{
    uintptr_t address = (uintptr_t)ssl >> 4; /* malloc aligns to 16 */
    return &sessions[(address ^ address >> 10) & (BUCKETS - 1)];
}

static void on_new(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)value;
    (void)index;
    (void)l;
    (void)p;
    session *s = calloc(1, sizeof *s);
    /* A session that cannot be noted has no certificate for us, and so no trust. */
    if (s == NULL || CRYPTO_set_ex_data(data, SLOTS - 1, NULL) != 1) {
        free(s);
        return;
    }
    s->ssl = parent;
    pthread_mutex_lock(&lock);
    session **at = bucket(parent);
    s->next = *at;
    *at = s;
    pthread_mutex_unlock(&lock);
}

static void on_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)value;
    (void)data;
    (void)index;
    (void)l;
    (void)p;
    pthread_mutex_lock(&lock);
    session **at = bucket(parent);
    while (*at != NULL && (*at)->ssl != parent)
        at = &(*at)->next;
    session *gone = *at;
    if (gone != NULL)
        *at = gone->next;
    pthread_mutex_unlock(&lock);
    free(gone);
}

int dt_tls_peer_start(dt_error *e)
{
    if (own_index >= 0)
        return 0;
    own_index = SSL_get_ex_new_index(0, NULL, on_new, NULL, on_free);
    return own_index >= 0 ? 0 : dt_error_set(e, DT_E_NOMEM, "OpenSSL gives no ex_data index");
}

/* The SSL whose note names `request`. Holding the lock keeps every noted SSL from being freed. */
static SSL *find_ssl(REQUEST const *request)
{
    SSL *found = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS && found == NULL; i++) {
        for (session *s = sessions[i]; s != NULL && found == NULL; s = s->next) {
            if (SSL_get_ex_data(s->ssl, FR_TLS_EX_INDEX_REQUEST) == (void const *)request)
                found = s->ssl;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static int encode(X509 *certificate, dt_bytes *out)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    if (len <= 0)
        return DT_E_PARSE;
    if (len > DT_CERTIFICATE_MAX) {
        OPENSSL_free(der);
        return DT_E_LIMIT;
    }
    *out = dt_bytes_of(der, (size_t)len);
    return 0;
}

/* What the client sent besides its own certificate; a resumed session has none of it. */
static void take_chain(SSL *ssl, dt_tls_peer *out)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    int count = chain == NULL ? 0 : sk_X509_num(chain);
    for (int i = 0; i < count && out->chain_count < DT_CHAIN_MAX; i++) {
        if (encode(sk_X509_value(chain, i), &out->chain[out->chain_count]) == 0)
            out->chain_count++;
    }
}

bool dt_tls_peer_get(REQUEST const *request, dt_tls_peer *out)
{
    memset(out, 0, sizeof *out);
    SSL *ssl = own_index < 0 ? NULL : find_ssl(request);
    X509 *certificate = ssl == NULL ? NULL : SSL_get0_peer_certificate(ssl);
    if (certificate == NULL || encode(certificate, &out->certificate) != 0)
        return false;
    take_chain(ssl, out);
    out->proved = SSL_is_server(ssl) == 1 && SSL_is_init_finished(ssl) == 1 &&
                  SSL_get_verify_result(ssl) == X509_V_OK;
    return true;
}

static void free_bytes(dt_bytes *b)
{
    OPENSSL_free((void *)(uintptr_t)b->p);
    *b = dt_bytes_of(NULL, 0);
}

void dt_tls_peer_free(dt_tls_peer *p)
{
    free_bytes(&p->certificate);
    for (size_t i = 0; i < p->chain_count; i++)
        free_bytes(&p->chain[i]);
    p->chain_count = 0;
    p->proved = false;
}
