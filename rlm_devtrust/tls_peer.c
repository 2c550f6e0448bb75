/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The raw client certificate of the TLS session that the server handles for a request.
 *
 * FreeRADIUS hands out a certificate's text attributes only, also after a failed verification, and without SAN
 * URIs before 3.2.7. The certificate itself is in the SSL object, which no module is given. But the server notes
 * in each SSL, under a fixed index, which request it works on. So: an ex_data index of our own makes OpenSSL call
 * us for every SSL that is made and freed, and the one whose note names our request is ours for the moment, on
 * this very thread.
 *
 * A session that is resumed brings no chain, and in TTLS and PEAP no inner round. So each session gets a memory,
 * which OpenSSL keeps and caches with it (the application data of tickets, which is there without tickets as
 * well): a secret that names it, and the intermediates that were shown. It is written and read where the server
 * puts sessions into its cache and takes them out, by callbacks around the server's own; there, too, the
 * conversation's session-state records which session it is, since by the end of the conversation the server has
 * dropped the SSL.
 *
 * A certificate that the server has just verified is noted with the request that brought it (the handshake ends in
 * the same round, with the proof of the key): what is to be looked up about it need not wait for the last round.
 *
 * The index is for the callbacks only; nothing is kept under it. FreeRADIUS uses indexes 10 to 17 without asking
 * for them, and one that belongs to another class of object (fr_tls_ex_index_certs): whatever it overwrites must
 * not be ours. */
#include "rlm_devtrust/rlm_devtrust.h"

#include "edge/host.h"

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
    uint64_t number; /* never used again, unlike the address */
    struct session *next;
} session;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static session *sessions[BUCKETS];
static int own_index = -1;
static uint64_t last_number; /* under the lock */
static _Thread_local SSL
    *newest; /* made on this thread, whose context was not known yet: see on_bio */

static session **bucket(SSL const *ssl)
{
    uintptr_t address = (uintptr_t)ssl >> 4; /* malloc aligns to 16 */
    return &sessions[(address ^ address >> 10) & (BUCKETS - 1)];
}

/* --- the memory of a session ------------------------------------------------------------------- */

/* Version, flags, secret; then each intermediate after its length in three bytes. */
#define MEMORY_VERSION 1
#define MEMORY_HEAD (2 + DT_SESSION_SECRET_LEN)
#define MEMORY_MAX (MEMORY_HEAD + DT_TLS_CHAIN_KEPT_MAX)
#define FLAG_VERIFIED 1 /* the server verified the certificate of the full handshake */
#define FLAG_RESUMED 2  /* of a note alone */
#define LENGTH_LEN 3

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

static void free_bytes(dt_bytes *b)
{
    OPENSSL_free((void *)(uintptr_t)b->p);
    *b = dt_bytes_of(NULL, 0);
}

static void put_der(dt_buf *b, dt_bytes der)
{
    uint8_t const head[LENGTH_LEN] = {(uint8_t)(der.len >> 16), (uint8_t)(der.len >> 8),
                                      (uint8_t)der.len};
    dt_buf_put(b, head, sizeof(head));
    dt_buf_put(b, der.p, der.len);
}

static bool take_der(dt_bytes *in, dt_bytes *out)
{
    if (in->len < LENGTH_LEN)
        return false;
    size_t len = (size_t)in->p[0] << 16 | (size_t)in->p[1] << 8 | in->p[2];
    if (len > in->len - LENGTH_LEN)
        return false;
    *out = dt_bytes_of(in->p + LENGTH_LEN, len);
    in->p += LENGTH_LEN + len;
    in->len -= LENGTH_LEN + len;
    return true;
}

/* A chain that is too long is left out as a whole: half of one is no better than none. */
static void put_chain(dt_buf *b, SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    int count = chain == NULL ? 0 : sk_X509_num(chain);
    size_t begin = b->len;
    bool fits = count <= DT_CHAIN_MAX;
    for (int i = 0; i < count && fits; i++) {
        dt_bytes der = {0};
        fits = encode(sk_X509_value(chain, i), &der) == 0 &&
               b->len + LENGTH_LEN + der.len <= MEMORY_MAX;
        if (fits)
            put_der(b, der);
        free_bytes(&der);
    }
    if (!fits)
        dt_buf_truncate(b, begin);
}

static bool memory_of(SSL_SESSION *s, dt_bytes *out)
{
    void *data = NULL;
    size_t len = 0;
    if (s == NULL || SSL_SESSION_get0_ticket_appdata(s, &data, &len) != 1 || data == NULL ||
        len < MEMORY_HEAD || len > MEMORY_MAX || *(uint8_t const *)data != MEMORY_VERSION)
        return false;
    *out = dt_bytes_of(data, len);
    return true;
}

/* Of a session that was just made; one that has a memory keeps it. */
static void make_memory(SSL *ssl, SSL_SESSION *s)
{
    dt_buf b;
    dt_bytes had;
    uint8_t head[MEMORY_HEAD] = {MEMORY_VERSION};
    if (memory_of(s, &had) || dt_host_random(head + 2, DT_SESSION_SECRET_LEN) != 0)
        return;
    if (SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK)
        head[1] = FLAG_VERIFIED;
    dt_buf_init(&b, MEMORY_MAX);
    dt_buf_put(&b, head, sizeof(head));
    put_chain(&b, ssl);
    if (dt_buf_error(&b) == 0)
        (void)SSL_SESSION_set1_ticket_appdata(s, b.p, b.len);
    dt_buf_free(&b);
    explicit_bzero(head, sizeof(head));
}

/* --- the note in session-state ------------------------------------------------------------------ */

static void write_note(REQUEST *request, dt_bytes certificate, dt_bytes memory, bool resumed)
{
    dt_buf b;
    dt_buf_init(&b, 1 + LENGTH_LEN + DT_CERTIFICATE_MAX + MEMORY_MAX);
    dt_buf_putc(&b, resumed ? FLAG_RESUMED : 0);
    put_der(&b, certificate);
    dt_buf_put(&b, memory.p, memory.len);
    VALUE_PAIR *vp = dt_buf_error(&b) != 0
                         ? NULL
                         : fr_pair_afrom_da(request->state_ctx, dt_rlm_session_attribute());
    if (vp != NULL) {
        fr_pair_value_memcpy(vp, b.p, b.len);
        fr_pair_add(&request->state, vp);
    }
    dt_buf_free(&b);
}

/* Which session the conversation runs in: flags, the client's certificate, the session's memory. Only EAP
 * has a handler: other TLS of the server's is about no request. */
static void note(SSL *ssl, SSL_SESSION *s, bool resumed)
{
    REQUEST *request = SSL_get_ex_data(ssl, FR_TLS_EX_INDEX_REQUEST);
    DICT_ATTR const *da = dt_rlm_session_attribute();
    dt_bytes memory, certificate = {0};
    if (request == NULL || SSL_get_ex_data(ssl, FR_TLS_EX_INDEX_HANDLER) == NULL)
        return;
    fr_pair_delete_by_num(&request->state, da->attr, da->vendor, TAG_ANY);
    X509 *peer = SSL_SESSION_get0_peer(s);
    if (!memory_of(s, &memory) || (peer != NULL && encode(peer, &certificate) != 0))
        return;
    write_note(request, certificate, memory, resumed);
    free_bytes(&certificate);
}

/* --- around the server's cache ------------------------------------------------------------------ */

typedef int made_cb(SSL *, SSL_SESSION *);
typedef SSL_SESSION *wanted_cb(SSL *, unsigned char const *, int, int *);

/* The server's own callbacks of a context; NULL where it caches no sessions. */
typedef struct cache_calls {
    made_cb *made;
    wanted_cb *wanted;
} cache_calls;

static int calls_index = -1;

static cache_calls const *calls_of(SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), calls_index);
}

static int on_made(SSL *ssl, SSL_SESSION *s)
{
    make_memory(ssl, s);
    note(ssl, s, SSL_session_reused(ssl) == 1);
    return calls_of(ssl)->made(ssl, s);
}

static SSL_SESSION *on_wanted(SSL *ssl, unsigned char const *id, int len, int *copy)
{
    SSL_SESSION *s = calls_of(ssl)->wanted(ssl, id, len, copy);
    if (s != NULL)
        note(ssl, s, true);
    return s;
}

static void free_calls(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)l;
    (void)p;
    free(value);
}

/* --- a certificate that was just verified --------------------------------------------------------- */

/* Kept with the request in which the certificate came. */
typedef struct shown {
    SSL *ssl; /* to find the session; it may be gone */
    uint64_t number;
} shown;

static char shown_key; /* its address is the key */

/* The number of a session that is in the table; 0: of none. */
static uint64_t number_of(SSL *ssl)
{
    pthread_mutex_lock(&lock);
    session const *s = *bucket(ssl);
    while (s != NULL && s->ssl != ssl)
        s = s->next;
    uint64_t number = s != NULL ? s->number : 0;
    pthread_mutex_unlock(&lock);
    return number;
}

/* Only EAP has a handler: a certificate of other TLS of the server's is about no request. */
static void note_shown(SSL *ssl)
{
    REQUEST *request = ssl != NULL ? SSL_get_ex_data(ssl, FR_TLS_EX_INDEX_REQUEST) : NULL;
    if (request == NULL || SSL_get_ex_data(ssl, FR_TLS_EX_INDEX_HANDLER) == NULL)
        return;
    shown *note = talloc_zero(request, shown);
    if (note == NULL)
        return;
    *note = (shown){.ssl = ssl, .number = number_of(ssl)};
    if (request_data_add(request, &shown_key, 0, note, true) != 0)
        talloc_free(note);
}

/* In place of X509_verify_cert, which it calls: the server's own checks are in the store's callback. */
static int on_verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    int ok = X509_verify_cert(store) == 1;
    if (ok && X509_STORE_CTX_get_error(store) == X509_V_OK)
        note_shown(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return ok;
}

/* With the lock held, before the first handshake of a context: nobody reads its callbacks meanwhile. Only
 * the server's own contexts have a callback for certificates; those of our own clients are left alone. */
static void wrap_context(SSL_CTX *ctx)
{
    if (ctx == NULL || calls_index < 0 || SSL_CTX_get_verify_callback(ctx) == NULL ||
        SSL_CTX_get_ex_data(ctx, calls_index) != NULL)
        return;
    cache_calls *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return;
    c->made = SSL_CTX_sess_get_new_cb(ctx);
    c->wanted = SSL_CTX_sess_get_get_cb(ctx);
    if (SSL_CTX_set_ex_data(ctx, calls_index, c) != 1) {
        free(c);
        return;
    }
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
    if (c->made != NULL && c->wanted != NULL) {
        SSL_CTX_sess_set_new_cb(ctx, on_made);
        SSL_CTX_sess_set_get_cb(ctx, on_wanted);
    }
}

/* --- the table of SSLs -------------------------------------------------------------------------- */

static void on_new(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)value;
    (void)index;
    (void)l;
    (void)p;
    session *s = calloc(1, sizeof(*s));
    /* A session that cannot be noted has no certificate for us, and so no trust. */
    if (s == NULL || CRYPTO_set_ex_data(data, SLOTS - 1, NULL) != 1) {
        free(s);
        return;
    }
    s->ssl = parent;
    pthread_mutex_lock(&lock);
    session **at = bucket(parent);
    s->number = ++last_number;
    s->next = *at;
    *at = s;
    wrap_context(SSL_get_SSL_CTX(parent));
    pthread_mutex_unlock(&lock);
    newest = SSL_get_SSL_CTX(parent) == NULL ? parent : NULL;
}

/* From OpenSSL 3.2 on an SSL has no context yet when on_new is called. The server gives each of its SSLs memory
 * BIOs before the handshake, on the thread that made it: whoever makes a BIO calls this. */
static void on_bio(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)parent;
    (void)value;
    (void)data;
    (void)index;
    (void)l;
    (void)p;
    SSL_CTX *ctx = newest != NULL ? SSL_get_SSL_CTX(newest) : NULL;
    if (ctx == NULL)
        return;
    newest = NULL;
    pthread_mutex_lock(&lock);
    wrap_context(ctx);
    pthread_mutex_unlock(&lock);
}

static void on_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    (void)value;
    (void)data;
    (void)index;
    (void)l;
    (void)p;
    if (newest == parent)
        newest = NULL;
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
    calls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_calls);
    return own_index >= 0 && calls_index >= 0 &&
                   BIO_get_ex_new_index(0, NULL, on_bio, NULL, NULL) >= 0
               ? 0
               : dt_error_set(e, DT_E_NOMEM, "OpenSSL gives no ex_data index");
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

static int copy_of(dt_bytes der, dt_bytes *out)
{
    uint8_t *copy = OPENSSL_memdup(der.p, der.len);
    if (copy == NULL)
        return DT_E_NOMEM;
    *out = dt_bytes_of(copy, der.len);
    return 0;
}

/* Reads a session's memory; its chain where the handshake brought none. */
static void take_memory(dt_bytes memory, dt_tls_peer *out)
{
    dt_bytes der;
    memcpy(out->secret, memory.p + 2, sizeof(out->secret));
    out->known = true;
    dt_bytes rest = dt_bytes_of(memory.p + MEMORY_HEAD, memory.len - MEMORY_HEAD);
    bool wanted = out->chain_count == 0;
    while (wanted && out->chain_count < DT_CHAIN_MAX && take_der(&rest, &der) &&
           copy_of(der, &out->chain[out->chain_count]) == 0)
        out->chain_count++;
}

/* What the client sent besides its own certificate; nothing in a resumed session. */
static void take_chain(SSL *ssl, dt_tls_peer *out)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    int count = chain == NULL ? 0 : sk_X509_num(chain);
    for (int i = 0; i < count && out->chain_count < DT_CHAIN_MAX; i++) {
        if (encode(sk_X509_value(chain, i), &out->chain[out->chain_count]) == 0)
            out->chain_count++;
    }
}

static bool fill(SSL *ssl, dt_tls_peer *out)
{
    dt_bytes memory;
    out->resumed = SSL_session_reused(ssl) == 1;
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    bool have = certificate != NULL && encode(certificate, &out->certificate) == 0;
    if (have)
        take_chain(ssl, out);
    if (memory_of(SSL_get_session(ssl), &memory))
        take_memory(memory, out);
    out->proved = have && SSL_is_server(ssl) == 1 && SSL_is_init_finished(ssl) == 1 &&
                  SSL_get_verify_result(ssl) == X509_V_OK;
    return have;
}

bool dt_tls_peer_get(REQUEST const *request, dt_tls_peer *out)
{
    memset(out, 0, sizeof(*out));
    SSL *ssl = own_index < 0 ? NULL : find_ssl(request);
    return ssl != NULL && fill(ssl, out);
}

bool dt_tls_peer_shown(REQUEST *request, dt_tls_peer *out)
{
    memset(out, 0, sizeof(*out));
    shown *note = request_data_get(request, &shown_key, 0);
    if (note == NULL)
        return false;
    /* The server may give the conversation up on another thread: the lock keeps it until it was read. */
    pthread_mutex_lock(&lock);
    session const *s = *bucket(note->ssl);
    while (s != NULL && (s->ssl != note->ssl || s->number != note->number))
        s = s->next;
    bool proved = s != NULL && fill(s->ssl, out) && out->proved;
    pthread_mutex_unlock(&lock);
    talloc_free(note);
    if (!proved)
        dt_tls_peer_free(out);
    return proved;
}

bool dt_tls_peer_noted(REQUEST const *request, dt_tls_peer *out)
{
    dt_bytes certificate;
    memset(out, 0, sizeof(*out));
    VALUE_PAIR *vp = fr_pair_find_by_da(request->state, dt_rlm_session_attribute(), TAG_ANY);
    if (vp == NULL || vp->vp_length < 1)
        return false;
    dt_bytes rest = dt_bytes_of(vp->vp_octets + 1, vp->vp_length - 1);
    if (!take_der(&rest, &certificate) || rest.len < MEMORY_HEAD)
        return false;
    out->resumed = (vp->vp_octets[0] & FLAG_RESUMED) != 0;
    take_memory(rest, out);
    if (certificate.len > 0 && copy_of(certificate, &out->certificate) == 0)
        out->proved = (rest.p[1] & FLAG_VERIFIED) != 0;
    return true;
}

void dt_tls_peer_free(dt_tls_peer *p)
{
    free_bytes(&p->certificate);
    for (size_t i = 0; i < p->chain_count; i++)
        free_bytes(&p->chain[i]);
    p->chain_count = 0;
    p->proved = p->known = false;
    explicit_bzero(p->secret, sizeof(p->secret));
}
