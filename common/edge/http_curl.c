/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTPS by libcurl's multi_socket interface.
 *
 * What of a secret cannot be wiped: libcurl copies header lines and bodies into buffers of its own
 * (the connection's send buffer, OpenSSL's records) and frees them unwiped. Ours are wiped. */
#include "edge/http_curl.h"

#include "core/device/ocsp.h"
#include "core/base/version.h"
#include "edge/fair_queue.h"
#include "edge/host.h"
#include "edge/http_header.h"
#include "edge/tls_advice.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SYSTEM_CA_DIRECTORY "/etc/ssl/certs"
#define SERVICES_MAX 6 /* as many as dt_http_service has */
#define CALL_TIMEOUT_MAX DT_SECONDS(60)
#define CONNECTION_IDLE_MAX 55 /* seconds; servers and firewalls drop idle ones after a minute */
#define POST_IDLE_MAX 5        /* the same for a POST: see on_request */
#define AUTHORIZATION_MAX (DT_SECRET_MAX + 32)
#define FIRST_ALONE_MS 1000          /* see lane */
#define LATE_MAX_MS 2000             /* a timeout seen later than that is our own: see is_late */
#define URL_SHOWN_MAX 200            /* of a URL in a message, bytes */
#define RESOLVER_DESCRIPTORS 8       /* that a look-up of a name may need at once */
#define RESOLVER_MEMORY (256 * 1024) /* the same, bytes */

/* A form Okta parses: Mozilla/5.0 (<system>) <platform> (<details>) <extensions>. */
static char const user_agent[] =
    "Mozilla/5.0 (Linux) devtrust/" DT_VERSION " (FreeRADIUS or PAM) libcurl";

/* What a call needs once it has its turn. Thousands may wait for theirs, so it is made only then. */
typedef struct turn {
    CURL *easy;
    dt_http_headers headers;
    dt_buf body;
    char local[128]; /* what of ours failed: no descriptor for a socket, no memory; "" = nothing */
    char error[CURL_ERROR_SIZE];
    bool too_large;
    bool has_begun; /* the service's answer: not what a proxy says before */
    int sent_times; /* that the request was about to be sent */
} turn;

struct dt_http_call {
    dt_http *http;
    struct dt_http_call *previous, *next; /* all calls */
    struct lane *lane;
    bool queued;
    dt_fair_item item; /* in the lane's queue */
    bool refused;      /* dropped from a full queue; its caller is still to be called */
    struct dt_http_call *next_refused; /* of those */
    int64_t queued_at, run_at;         /* monotonic milliseconds */
    dt_time timeout;
    turn *turn;               /* NULL while it waits for its turn */
    struct curl_slist *lines; /* our request headers; the Authorization line is wiped at the end */
    dt_http_done_fn *done;
    void *ctx;
    dt_http_service service;
    dt_http_method method;
    bool is_post;
    bool http_too;
    dt_tls_anchors const *anchors;
    dt_http_proxy const *proxy;
    char *url;
    char *sent; /* the body; it may hold a passcode or an assertion: wiped */
    size_t sent_len;
};

/* The calls to one service. libcurl could queue them too, but would let their time run meanwhile.
 *
 * The first call of all runs alone until its connection is made: the others then share that connection, if it
 * speaks HTTP/2, rather than make their own. It is not left to libcurl (CURLOPT_PIPEWAIT), because 8.14 lets
 * whoever waits for a connection that turns out to speak HTTP/1.1 wait until the call on it ends. */
typedef struct lane {
    int running;
    dt_fair_queue *queue;
    bool open;        /* the first call is no longer alone */
    int64_t opens_at; /* at the latest, monotonic milliseconds; 0 = no call has begun */
    bool http2;       /* as the last reply came */
} lane;

struct dt_http {
    CURLM *multi;
    lane lanes[SERVICES_MAX];
    int64_t curl_at;  /* when libcurl wants to be called; -1 = not at all */
    int64_t armed_at; /* what the caller's timer was set to; -1 = not at all */
    bool pump_soon;   /* a turn has become free outside of the loop's calls */
    dt_http_watch_fn *watch;
    dt_http_timer_fn *timer;
    void *ctx;
    dt_http_call *calls, *refused;
    int count, refused_count;
    bool ending;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

/* Never undone: we may be a module in a process that uses libcurl itself. */
static void global_init(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- the one timer: libcurl's and the queues' ----------------------------------------------------- */

static int64_t mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void lower_to(int64_t *at, int64_t other)
{
    if (*at < 0 || other < *at)
        *at = other;
}

static dt_http_call *call_of(dt_fair_item *item)
{
    return item == NULL ? NULL
                        : (dt_http_call *)(void *)((char *)item - offsetof(dt_http_call, item));
}

static dt_http_call *oldest(lane const *l)
{
    return call_of(dt_fair_queue_oldest(l->queue));
}

static void arm(dt_http *h)
{
    int64_t now = mono_now(), at = h->curl_at;
    for (int i = 0; i < SERVICES_MAX; i++) {
        lane const *l = &h->lanes[i];
        dt_http_call const *c = oldest(l);
        if (c == NULL)
            continue;
        lower_to(&at, c->queued_at + DT_HTTP_QUEUE_WAIT_MS);
        if (!l->open)
            lower_to(&at, l->opens_at);
    }
    if (h->pump_soon)
        lower_to(&at, now);
    if (at == h->armed_at)
        return;
    h->armed_at = at;
    h->timer(h->ctx, at < 0 ? -1 : at <= now ? 0 : (long)(at - now));
}

/* --- libcurl's callbacks ------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    (void)easy;
    (void)unused;
    dt_http const *h = ctx;
    int bits = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        bits |= 1;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        bits |= 2;
    h->watch(h->ctx, fd, bits);
    return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *ctx)
{
    (void)multi;
    dt_http *h = ctx;
    h->curl_at = milliseconds < 0 ? -1 : mono_now() + milliseconds;
    arm(h);
    return 0;
}

/* libcurl's own would not close the socket in a program that the server starts, and would not report
 * that there was none to be had. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    dt_http_call *c = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd >= 0) {
        /* A kept connection whose other end can no longer be reached, as after a change of networks, is not waited
         * for longer than a new one. */
        unsigned const limit = DT_HTTP_CONNECT_TIMEOUT_MS;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
        return fd;
    }
    if (errno != EAFNOSUPPORT) /* a host without IPv6 has no such address family */
        snprintf(c->turn->local, sizeof(c->turn->local), "no socket: %s", strerror(errno));
    return CURL_SOCKET_BAD;
}

/* True when as many descriptors as the resolver may need can be had. It opens its files and sockets out
 * of our sight, and calls a name unknown when it cannot. */
static bool has_descriptors(void)
{
    int fds[RESOLVER_DESCRIPTORS], count = 0;
    while (count < RESOLVER_DESCRIPTORS &&
           (fds[count] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0)
        count++;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return count == RESOLVER_DESCRIPTORS;
}

static void *do_nothing(void *unused)
{
    return unused;
}

/* Whether a resolver can have the thread and the memory that it needs. */
static bool has_thread_and_memory(void)
{
    pthread_t thread;
    void *memory = malloc(RESOLVER_MEMORY);
    bool ok = memory != NULL && pthread_create(&thread, NULL, do_nothing, NULL) == 0;
    free(memory);
    if (ok)
        pthread_join(thread, NULL);
    return ok;
}

/* Before a name is looked up. Anything but 0 ends the call. */
static int on_resolver_start(void *resolver, void *unused, void *ctx)
{
    (void)resolver;
    (void)unused;
    dt_http_call *c = ctx;
    if (has_descriptors())
        return 0;
    (void)dt_str_copy(c->turn->local, sizeof(c->turn->local),
                      "too few descriptors to look up the name");
    return 1;
}

/* libcurl sends a request again when a kept connection closes before any reply. The server may have
 * done the first one all the same, so for a POST (a push!) that is not for it to decide. To make it
 * rare, a POST goes over a connection only that was used a moment ago. */
static int on_request(void *ctx, char *address, char *local_address, int port, int local_port)
{
    (void)address;
    (void)local_address;
    (void)port;
    (void)local_port;
    dt_http_call *c = ctx;
    c->turn->sent_times++;
    c->lane->open = true; /* whoever waits has its turn when the loop's call ends: see pump */
    return c->is_post && c->turn->sent_times > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    dt_http_call *c = ctx;
    c->turn->has_begun = true;
    if (dt_http_headers_add(&c->turn->headers, dt_bytes_of(p, size * n)) == 0)
        return size * n;
    c->turn->too_large = true;
    return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    dt_http_call *c = ctx;
    dt_buf_put(&c->turn->body, p, size * n);
    if (dt_buf_error(&c->turn->body) == 0)
        return size * n;
    if (dt_buf_error(&c->turn->body) == DT_E_NOMEM)
        (void)dt_str_copy(c->turn->local, sizeof(c->turn->local), "no memory for the reply");
    else
        c->turn->too_large = true;
    return 0;
}

/* --- a call's life ------------------------------------------------------------------------------ */

static void wipe_lines(struct curl_slist *lines)
{
    for (struct curl_slist *l = lines; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(lines);
}

static void queue_remove(dt_http_call *c)
{
    dt_fair_queue_remove(c->lane->queue, &c->item);
    c->queued = false;
}

static char const *name_or_none(char const *name)
{
    return name != NULL ? name : "";
}

static int queue_add(dt_http_call *c, dt_http_request const *r)
{
    int rc = dt_fair_queue_add(c->lane->queue, &c->item, name_or_none(r->nas),
                               name_or_none(r->identity));
    c->queued = rc == DT_OK;
    c->queued_at = mono_now();
    return rc;
}

static void refused_remove(dt_http_call *c)
{
    dt_http_call **at = &c->http->refused;
    while (*at != c)
        at = &(*at)->next_refused;
    *at = c->next_refused;
    c->http->refused_count--;
    c->refused = false;
}

/* Off all lists; its turn goes to the next in the queue (see pump). */
static void call_detach(dt_http_call *c)
{
    dt_http *h = c->http;
    *(c->previous != NULL ? &c->previous->next : &h->calls) = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    h->count--;
    if (c->queued)
        queue_remove(c);
    if (c->refused)
        refused_remove(c);
    if (c->turn != NULL) {
        c->lane->running--;
        c->lane->open = true;
        curl_multi_remove_handle(h->multi, c->turn->easy);
    }
}

static void turn_free(turn *t)
{
    if (t == NULL)
        return;
    curl_easy_cleanup(t->easy);
    dt_buf_free(&t->body);
    explicit_bzero(t, sizeof(*t));
    free(t);
}

static void call_free(dt_http_call *c)
{
    turn_free(c->turn);
    wipe_lines(c->lines);
    if (c->sent != NULL)
        explicit_bzero(c->sent, c->sent_len);
    free(c->sent);
    free(c->url);
    free(c);
}

static void call_link(dt_http_call *c)
{
    dt_http *h = c->http;
    c->next = h->calls;
    if (c->next != NULL)
        c->next->previous = c;
    h->calls = c;
    h->count++;
}

static bool add_line(dt_http_call *c, char const *line)
{
    struct curl_slist *lines = curl_slist_append(c->lines, line);
    if (lines != NULL)
        c->lines = lines;
    return lines != NULL;
}

static bool add_authorization(dt_http_call *c, dt_secret const *authorization)
{
    if (authorization == NULL)
        return true;
    static char const name[] = "Authorization: ";
    char line[sizeof(name) + AUTHORIZATION_MAX];
    dt_bytes value = dt_secret_bytes(authorization);
    /* A line end in the value would be another header. */
    bool fits = value.len > 0 && value.len < AUTHORIZATION_MAX &&
                memchr(value.p, '\n', value.len) == NULL &&
                memchr(value.p, '\r', value.len) == NULL &&
                memchr(value.p, '\0', value.len) == NULL;
    if (fits) {
        memcpy(line, name, sizeof(name) - 1);
        memcpy(line + sizeof(name) - 1, value.p, value.len);
        line[sizeof(name) - 1 + value.len] = '\0';
        fits = add_line(c, line);
    }
    explicit_bzero(line, sizeof(line));
    return fits;
}

static char const *content_type(dt_http_request const *r)
{
    return r->service == DT_HTTP_OCSP ? "Content-Type: application/ocsp-request"
           : r->form                  ? "Content-Type: application/x-www-form-urlencoded"
                                      : "Content-Type: application/json";
}

static char const *accepted(dt_http_request const *r)
{
    return r->service == DT_HTTP_OCSP         ? "Accept: application/ocsp-response"
           : r->service == DT_HTTP_COMPLIANCE ? "Accept: application/xml"
                                              : "Accept: application/json";
}

static bool add_proof(dt_http_call *c, char const *proof)
{
    char line[sizeof("DPoP: ") + DT_PROOF_MAX];
    if (proof == NULL)
        return true;
    int n = snprintf(line, sizeof(line), "DPoP: %s", proof);
    return n > 0 && (size_t)n < sizeof(line) && add_line(c, line);
}

static bool set_lines(dt_http_call *c, dt_http_request const *r, dt_http_way const *way)
{
    bool ok = add_line(c, accepted(r)) && add_line(c, "Expect:");
    if (ok && r->method == DT_HTTP_POST)
        ok = add_line(c, content_type(r));
    /* What is said of a token that was refused is in a language (RFC 8936 section 2.4). */
    if (ok && r->method == DT_HTTP_POST && r->service == DT_HTTP_SIGNALS)
        ok = add_line(c, "Content-Language: en");
    if (ok && r->forwarded_for[0] != '\0') {
        char line[sizeof("X-Forwarded-For: ") + sizeof(r->forwarded_for)];
        snprintf(line, sizeof(line), "X-Forwarded-For: %s", r->forwarded_for);
        /* Nothing but what addresses are made of can be in it. */
        ok = r->forwarded_for[strspn(r->forwarded_for, "0123456789abcdef.:")] == '\0' &&
             add_line(c, line);
    }
    if (r->anonymous)
        return ok; /* whatever the caller has */
    return ok && add_proof(c, way->proof) && add_authorization(c, way->authorization);
}

/* libcurl's setters differ in type, so they cannot stand in a table. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(c->turn->easy, option, value);                                   \
    } while (0)

/* After libcurl has made the context, before it connects. */
static CURLcode on_ssl_context(CURL *easy, void *ssl_ctx, void *anchors)
{
    (void)easy;
    dt_tls_anchors_use(anchors, ssl_ctx);
    return CURLE_OK;
}

static struct curl_blob blob_of(dt_tls_anchors const *anchors)
{
    dt_bytes pem = dt_tls_anchors_pem(anchors);
    return (struct curl_blob){
        .data = (void *)(uintptr_t)pem.p, .len = pem.len, .flags = CURL_BLOB_NOCOPY};
}

/* Without anchors of our own the system's count. Debian's default is the whole bundle: 30 ms to load;
 * the hashed directory takes none. With anchors of our own the directory is a mere name, in which
 * nothing can be: libcurl lends a kept connection, or a session to resume, only where it is the same.
 * on_ssl_context is called for the context of a proxy as well as for the server's, and cannot distinguish
 * them: where both are TLS, libcurl reads the certificates itself. */
static CURLcode set_anchors(dt_http_call *c, dt_tls_anchors const *anchors)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, anchors == NULL ? SYSTEM_CA_DIRECTORY : dt_tls_anchors_name(anchors));
    if (anchors != NULL && c->proxy != NULL && c->proxy->tls) {
        struct curl_blob pem = blob_of(anchors);
        SET(CURLOPT_CAINFO_BLOB, &pem);
    } else if (anchors != NULL) {
        SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
        SET(CURLOPT_SSL_CTX_DATA, anchors);
    }
    return rc;
}

/* The TLS of the connection to the proxy itself. */
static CURLcode set_proxy_tls(dt_http_call *c)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_PROXY_CAINFO, NULL);
    SET(CURLOPT_PROXY_CAPATH,
        c->proxy->anchors == NULL ? SYSTEM_CA_DIRECTORY : dt_tls_anchors_name(c->proxy->anchors));
    if (c->proxy->anchors != NULL) {
        struct curl_blob pem = blob_of(c->proxy->anchors);
        SET(CURLOPT_PROXY_CAINFO_BLOB, &pem);
    }
    return rc;
}

static CURLcode set_proxy_credentials(dt_http_call *c)
{
    char user[DT_PROXY_NAME_MAX], password[DT_PROXY_PASSWORD_MAX];
    CURLcode rc = CURLE_OK;
    dt_http_proxy_split(c->proxy, user, password);
    SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_PROXYUSERNAME, user);
    SET(CURLOPT_PROXYPASSWORD, password);
    explicit_bzero(user, sizeof(user));
    explicit_bzero(password, sizeof(password));
    return rc;
}

/* An empty CURLOPT_PROXY and an empty CURLOPT_NOPROXY keep libcurl from the environment's. A tunnel is
 * asked for with every scheme; our header lines go to the service alone, never into the CONNECT. */
static CURLcode set_proxy(dt_http_call *c)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PROXY, c->proxy != NULL ? c->proxy->url : "");
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (c->proxy == NULL)
        return rc;
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    if (rc == CURLE_OK && c->proxy->tls)
        rc = set_proxy_tls(c);
    return rc == CURLE_OK && c->proxy->credentials != NULL ? set_proxy_credentials(c) : rc;
}

static CURLcode set_method(dt_http_call *c)
{
    CURLcode rc = CURLE_OK;
    switch (c->method) {
    case DT_HTTP_GET:
        SET(CURLOPT_HTTPGET, 1L);
        break;
    case DT_HTTP_DELETE:
        SET(CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    case DT_HTTP_POST:
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE, (long)c->sent_len);
        SET(CURLOPT_POSTFIELDS, c->sent);
        break;
    }
    return rc;
}

static CURLcode set_safety(dt_http_call *c)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, c->http_too ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    /* One connection for all calls of a service, where it speaks HTTP/2. Where it did so a moment ago, a call
     * waits for a connection that is being made, rather than make another one. */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_PIPEWAIT, c->lane->http2 ? 1L : 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* Without it the end of a call waits for a resolver thread that still asks a dead DNS. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    if (rc == CURLE_OK)
        rc = set_proxy(c);
    return rc == CURLE_OK ? set_anchors(c, c->anchors) : rc;
}

static CURLcode set_call(dt_http_call *c)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_HTTPHEADER, c->lines);
    SET(CURLOPT_URL, c->url);
    SET(CURLOPT_USERAGENT, user_agent);
    SET(CURLOPT_PRIVATE, c);
    SET(CURLOPT_ERRORBUFFER, c->turn->error);
    SET(CURLOPT_TIMEOUT_MS, (long)c->timeout);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)DT_HTTP_CONNECT_TIMEOUT_MS);
    SET(CURLOPT_MAXAGE_CONN, c->is_post ? (long)POST_IDLE_MAX : (long)CONNECTION_IDLE_MAX);
    SET(CURLOPT_PREREQFUNCTION, on_request);
    SET(CURLOPT_PREREQDATA, c);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, c);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolver_start);
    SET(CURLOPT_RESOLVER_START_DATA, c);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, c);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, c);
    return rc;
}
#undef SET

static turn *turn_new(dt_http_service service)
{
    turn *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    dt_http_headers_init(&t->headers);
    dt_buf_init(&t->body, service == DT_HTTP_OCSP ? DT_OCSP_RESPONSE_MAX : DT_HTTP_RESPONSE_MAX);
    t->easy = curl_easy_init();
    return t;
}

/* Its turn has come. DT_E_NOMEM, DT_E_INVALID: it cannot be sent, and has no turn then. */
static int call_run(dt_http_call *c)
{
    c->turn = turn_new(c->service);
    CURLcode rc = c->turn != NULL && c->turn->easy != NULL ? set_safety(c) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK)
        rc = set_call(c);
    if (rc == CURLE_OK)
        rc = set_method(c);
    if (rc == CURLE_OK && curl_multi_add_handle(c->http->multi, c->turn->easy) != CURLM_OK)
        rc = CURLE_OUT_OF_MEMORY;
    if (rc != CURLE_OK) {
        turn_free(c->turn);
        c->turn = NULL;
        return rc == CURLE_OUT_OF_MEMORY ? DT_E_NOMEM : DT_E_INVALID;
    }
    c->run_at = mono_now();
    c->lane->running++;
    if (c->lane->opens_at == 0)
        c->lane->opens_at = c->run_at + FIRST_ALONE_MS;
    return DT_OK;
}

/* Keeps what has to be sent, in as much memory as it takes. */
static int keep_request(dt_http_call *c, dt_http_request const *r)
{
    c->service = r->service;
    c->method = r->method;
    c->timeout = r->timeout < 1 ? 1 : r->timeout > CALL_TIMEOUT_MAX ? CALL_TIMEOUT_MAX : r->timeout;
    c->url = strdup(r->url);
    c->sent = malloc(r->body_len + 1);
    if (c->url == NULL || c->sent == NULL)
        return DT_E_NOMEM;
    memcpy(c->sent, r->body, r->body_len);
    c->sent_len = r->body_len;
    return DT_OK;
}

static int call_setup(dt_http_call *c, dt_http_request const *r, dt_http_way const *way)
{
    if (r->body_len > sizeof(r->body) || memchr(r->url, '\0', sizeof(r->url)) == NULL)
        return DT_E_INVALID;
    c->http_too = r->service == DT_HTTP_OCSP && way->authorization == NULL;
    if ((unsigned)r->service >= SERVICES_MAX ||
        (strncmp(r->url, "https://", 8) != 0 &&
         (!c->http_too || strncmp(r->url, "http://", 7) != 0)))
        return DT_E_INVALID;
    c->is_post = r->method == DT_HTTP_POST && r->service != DT_HTTP_OCSP; /* which only asks */
    c->anchors = way->anchors;
    c->proxy = way->proxy;
    int rc = keep_request(c, r);
    if (rc != DT_OK)
        return rc;
    return set_lines(c, r, way) ? DT_OK : DT_E_INVALID;
}

/* --- a full queue ------------------------------------------------------------------------------- */

static dt_http_call *heaviest(dt_http const *h, size_t *count)
{
    dt_http_call *found = NULL;
    *count = 0;
    for (int i = 0; i < SERVICES_MAX; i++) {
        size_t n = 0;
        dt_fair_item *item = dt_fair_queue_heaviest(h->lanes[i].queue, &n);
        if (n > *count) {
            found = call_of(item);
            *count = n;
        }
    }
    return found;
}

/* Makes room for a call of the request's identity: the newest of whoever has most calls waiting is
 * refused in its place. False when that would be this identity itself. */
static bool make_room(dt_http *h, dt_http_request const *r)
{
    size_t most = 0;
    dt_http_call *c = heaviest(h, &most);
    size_t own = dt_fair_queue_waiting(h->lanes[r->service].queue, name_or_none(r->nas),
                                       name_or_none(r->identity));
    if (c == NULL || most <= own + 1)
        return false;
    queue_remove(c);
    c->refused = true;
    c->next_refused = h->refused;
    h->refused = c;
    h->refused_count++;
    h->pump_soon = true; /* pump() calls it back */
    return true;
}

/* Whether one more call may run. */
static bool has_turn(lane *l)
{
    if (!l->open && l->opens_at != 0)
        l->open = mono_now() >= l->opens_at;
    return l->running < (l->open ? DT_HTTP_CONNECTIONS_PER_HOST_MAX : 1);
}

/* Runs the call, or queues it. */
static int call_begin(dt_http_call *c, dt_http_request const *r)
{
    dt_http *h = c->http;
    c->lane = &h->lanes[r->service];
    if (dt_fair_queue_count(c->lane->queue) == 0 && has_turn(c->lane))
        return call_run(c);
    if (h->count - h->refused_count >= DT_HTTP_CALLS_MAX && !make_room(h, r))
        return DT_E_LIMIT;
    return queue_add(c, r);
}

int dt_http_start(dt_http *h, dt_http_request const *r, dt_http_way const *way,
                  dt_http_done_fn *done, void *ctx, dt_http_call **out)
{
    *out = NULL;
    if (h->ending)
        return DT_E_STATE;
    dt_http_call *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return DT_E_NOMEM;
    c->http = h;
    c->done = done;
    c->ctx = ctx;
    int rc = call_setup(c, r, way);
    if (rc == 0)
        rc = call_begin(c, r);
    if (rc != 0) {
        call_free(c);
        return rc;
    }
    call_link(c);
    arm(h);
    *out = c;
    return DT_OK;
}

dt_http_failure dt_http_start_failure(int rc)
{
    return rc == DT_E_LIMIT ? DT_HTTP_QUEUED : rc == DT_E_STATE ? DT_HTTP_ABANDONED : DT_HTTP_LOCAL;
}

bool dt_http_is_queued(dt_http_call const *call)
{
    return call->queued;
}

void dt_http_cancel(dt_http *h, dt_http_call *call)
{
    if (call == NULL)
        return;
    call_detach(call);
    call_free(call);
    /* The next one's turn; not from here, where its failure could not be reported. */
    h->pump_soon = true;
    arm(h);
}

/* --- the end of a call -------------------------------------------------------------------------- */

/* What an error number of a connection means; LOCAL for one that is not listed. */
static dt_http_failure failure_of_errno(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return DT_HTTP_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return DT_HTTP_NO_ROUTE;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return DT_HTTP_RESET;
    case ETIMEDOUT:
        return DT_HTTP_TIMEOUT;
    default:
        return DT_HTTP_LOCAL;
    }
}

static bool error_contains(dt_http_call const *c, char const *words)
{
    return strstr(c->turn->error, words) != NULL;
}

/* How an established connection was lost. libcurl reports it in its text alone, with the
 * system's own words for the error number. */
static dt_http_failure failure_of_loss(dt_http_call const *c)
{
    static int const numbers[] = {ECONNRESET, EPIPE,        ECONNABORTED,
                                  ETIMEDOUT,  EHOSTUNREACH, ENETUNREACH};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (error_contains(c, strerror(numbers[i])))
            return failure_of_errno(numbers[i]);
    return DT_HTTP_LOCAL;
}

/* Like failure_of_loss, for one over which a request has gone out. Closed without a word counts as well, of which
 * "Connection died, tried 5 times" stands for several kept ones, one after another. */
static dt_http_failure failure_of_silence(dt_http_call const *c)
{
    return error_contains(c, "unexpected eof") || error_contains(c, "Connection died") ||
                   error_contains(c, "CONNECT aborted")
               ? DT_HTTP_RESET
               : failure_of_loss(c);
}

static bool has_begun_to_answer(dt_http_call const *c)
{
    long status = 0;
    curl_easy_getinfo(c->turn->easy, CURLINFO_RESPONSE_CODE, &status);
    return status != 0 || c->turn->has_begun || c->turn->body.len > 0;
}

static dt_http_failure failure_to_connect(dt_http_call const *c)
{
    long number = 0;
    curl_easy_getinfo(c->turn->easy, CURLINFO_OS_ERRNO, &number);
    return failure_of_errno((int)number);
}

/* The loop itself came too late to see an answer that may have been there in time: held up, or out of
 * breath. */
static bool is_late(dt_http_call const *c)
{
    int64_t due = c->run_at + c->timeout;
    if (c->turn->sent_times == 0 && c->timeout > DT_HTTP_CONNECT_TIMEOUT_MS)
        due = c->run_at + DT_HTTP_CONNECT_TIMEOUT_MS;
    return mono_now() - due > LATE_MAX_MS;
}

/* What the proxy said to CONNECT; 0: nothing, or there was no need to ask it. */
static long connect_status(dt_http_call const *c)
{
    long status = 0;
    curl_easy_getinfo(c->turn->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status;
}

/* It did not come as far as a tunnel through the proxy. */
static bool failed_at_proxy(dt_http_call const *c)
{
    long status = connect_status(c);
    return c->proxy != NULL && c->turn->sent_times == 0 && (status < 200 || status > 299);
}

/* A proxy's no. It stands for no answer of the service. */
static dt_http_failure failure_of_proxy(dt_http_call const *c)
{
    long status = connect_status(c);
    return status >= 500 && status <= 599 ? DT_HTTP_PROXY_FAILED : DT_HTTP_PROXY_REFUSED;
}

/* No service that devtrust asks leads elsewhere by itself, so a redirect is not an answer, and to follow it would carry
 * credentials to whoever is there. */
static long redirect_status(dt_http_call const *c)
{
    long status = 0;
    curl_easy_getinfo(c->turn->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 300 && status <= 399 ? status : 0;
}

/* The enumeration of core/base/step.h: what is not listed is ours. */
static dt_http_failure failure_of(dt_http_call const *c, CURLcode code)
{
    if (code == CURLE_OK)
        return redirect_status(c) != 0 ? DT_HTTP_BROKEN : DT_HTTP_OK;
    if (c->turn->local[0] != '\0')
        return DT_HTTP_LOCAL;
    if (failed_at_proxy(c) && connect_status(c) != 0)
        return failure_of_proxy(c);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return is_late(c) ? DT_HTTP_LOCAL : DT_HTTP_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_contains(c, "Could not resolve ") && has_descriptors() &&
                       has_thread_and_memory()
                   ? DT_HTTP_NO_NAME
                   : DT_HTTP_LOCAL;
    case CURLE_COULDNT_CONNECT:
        return failure_to_connect(c);
    case CURLE_SSL_CONNECT_ERROR:
        return failure_of_loss(c) == DT_HTTP_LOCAL ? DT_HTTP_UNTRUSTED : failure_of_loss(c);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CIPHER:
        return DT_HTTP_UNTRUSTED;
    case CURLE_GOT_NOTHING:
        return has_begun_to_answer(c) ? DT_HTTP_BROKEN : DT_HTTP_RESET;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return has_begun_to_answer(c) ? DT_HTTP_BROKEN : failure_of_silence(c);
    case CURLE_ABORTED_BY_CALLBACK: /* on_request: the connection ended before any reply */
        return DT_HTTP_RESET;
    case CURLE_HTTP2: /* what a server says by a frame is an answer */
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: /* on_header, on_body */
        return DT_HTTP_BROKEN;
    default:
        return DT_HTTP_LOCAL;
    }
}

/* Where the administrator set what the calls to a service depend on. The system's CAs count at OCSP responders. */
static dt_tls_keys keys_of(dt_http_service service)
{
    static dt_tls_keys const keys[SERVICES_MAX] = {
        [DT_HTTP_OKTA] = {"[okta] ca_file", "[okta] org_url"},
        [DT_HTTP_ENTRA] = {"[intune] ca_file", "[intune] login_url"},
        [DT_HTTP_GRAPH] = {"[intune] ca_file", "[intune] graph_url"},
        [DT_HTTP_COMPLIANCE] = {"[intune] ca_file", "[intune] compliance_host"},
        [DT_HTTP_OCSP] = {SYSTEM_CA_DIRECTORY " (update-ca-certificates)", "ocsp_url"},
        [DT_HTTP_SIGNALS] = {"ca_file of the [transmitter]", "the address of the [transmitter]"},
    };
    return keys[service];
}

/* What an administrator can do about a proxy. `reason` is libcurl's, escaped. */
static void describe_proxy(dt_http_call const *c, dt_http_failure failure, char const *reason,
                           dt_buf *b)
{
    dt_http_proxy const *p = c->proxy;
    long status = connect_status(c);
    bool wants_credentials =
        status == 407 || status == 401; /* which tinyproxy says of wrong ones */
    dt_buf_printf(b, ": the proxy %s (%s) ", p->url, p->key);
    if (wants_credentials && p->credentials == NULL)
        dt_buf_printf(b, "asks for credentials (%ld); set %s", status, p->key_secret);
    else if (wants_credentials)
        dt_buf_printf(b, "does not accept the credentials of %s (%ld)", p->key_secret, status);
    else if (failure == DT_HTTP_PROXY_REFUSED)
        dt_buf_printf(b, "refuses the connection (%ld); let it allow CONNECT to that host and port",
                      status);
    else if (failure == DT_HTTP_PROXY_FAILED)
        dt_buf_printf(b, "does not reach it (%ld)", status);
    else if (failure == DT_HTTP_UNTRUSTED) {
        dt_buf_printf(b, "is not trusted (see [http] proxy_ca_file): %s", reason);
        dt_tls_put_advice(b, reason, &(dt_tls_keys){"[http] proxy_ca_file", p->key});
    } else
        dt_buf_printf(b, "cannot be used: %s", reason);
}

/* The query stays out: it is long, and not what failed. */
static void put_url(dt_buf *b, char const *url)
{
    char part[DT_URL_MAX], shown[URL_SHOWN_MAX];
    (void)dt_str_copy_bytes(part, sizeof(part), dt_bytes_of(url, strcspn(url, "?")));
    dt_buf_puts(b, dt_str_escape(shown, sizeof(shown), part));
}

static void describe_redirect(dt_http_call const *c, dt_buf *b)
{
    char *location = NULL;
    dt_buf_printf(b, ": HTTP %ld", redirect_status(c));
    curl_easy_getinfo(c->turn->easy, CURLINFO_REDIRECT_URL, &location);
    if (location != NULL) {
        dt_buf_puts(b, " leads to ");
        put_url(b, location);
    }
    dt_buf_printf(b,
                  "; redirects are not followed; set %s to the service itself, and look for a "
                  "portal or proxy in between",
                  keys_of(c->service).url);
}

/* "https://host/path: what failed". What the server said in it is escaped. */
static void describe(dt_http_call const *c, CURLcode code, dt_http_failure failure, char *out,
                     size_t size)
{
    char reason[CURL_ERROR_SIZE];
    dt_buf b;
    dt_buf_init_fixed(&b, out, size);
    dt_str_escape(reason, sizeof(reason),
                  c->turn->error[0] != '\0' ? c->turn->error : curl_easy_strerror(code));
    put_url(&b, c->url);
    if (c->turn->local[0] != '\0')
        dt_buf_printf(&b, ": %s; raise this process's limits (LimitNOFILE of its unit)",
                      c->turn->local);
    else if (failed_at_proxy(c))
        describe_proxy(c, failure, reason, &b);
    else if (c->turn->too_large)
        dt_buf_printf(&b, ": the reply is larger than %zu bytes, or its headers are",
                      c->turn->body.max);
    else if (c->is_post && c->turn->sent_times > 1)
        dt_buf_puts(&b, ": the connection was lost before a reply; the request is not repeated, "
                        "because it may have been carried out");
    else if (code == CURLE_OK && redirect_status(c) != 0)
        describe_redirect(c, &b);
    else
        dt_buf_printf(&b, ": %s", reason);
    if (failure == DT_HTTP_UNTRUSTED && !failed_at_proxy(c)) {
        dt_tls_keys keys = keys_of(c->service);
        dt_tls_put_advice(&b, reason, &keys);
    }
    if (failure == DT_HTTP_LOCAL && code == CURLE_OPERATION_TIMEDOUT)
        dt_buf_puts(&b, "; but this process was delayed, or this host is overloaded");
}

static void call_end(dt_http_call *c, dt_http_response const *r)
{
    call_detach(c); /* before the callback, which may start and cancel other calls */
    c->done(c->ctx, r);
    call_free(c);
}

/* Without a reply, whether it had its turn or not. */
static void call_give_up(dt_http_call *c, dt_http_failure failure, char const *why)
{
    char text[1024];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    put_url(&b, c->url);
    dt_buf_printf(&b, ": %s", why);
    call_end(c, &(dt_http_response){.failure = failure,
                                    .error = text,
                                    .rate_limit = -1,
                                    .rate_remaining = -1,
                                    .next_link = "",
                                    .dpop_nonce = ""});
}

static void call_finish(dt_http_call *c, CURLcode code, dt_http_failure failure)
{
    turn const *t = c->turn;
    char text[1024] = "";
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (failure == DT_HTTP_OK && (status < 100 || status > 999))
        failure = DT_HTTP_BROKEN;
    if (failure != DT_HTTP_OK)
        describe(c, code, failure, text, sizeof(text));
    call_end(c, &(dt_http_response){
                    .failure = failure,
                    .error = text,
                    .reached = t->sent_times > 0,
                    .took = mono_now() - c->run_at,
                    .status = failure == DT_HTTP_OK ? (int)status : 0,
                    .body = failure == DT_HTTP_OK ? dt_buf_bytes(&t->body) : dt_bytes_of(NULL, 0),
                    .date = t->headers.date,
                    .rate_limit = t->headers.rate_limit,
                    .rate_remaining = t->headers.rate_remaining,
                    .rate_reset = t->headers.rate_reset,
                    .retry_after = dt_http_headers_retry_after(&t->headers, dt_host_now()),
                    .next_link = t->headers.next_link,
                    .dpop_nonce = t->headers.dpop_nonce,
                });
}

/* Whoever waited too long. */
static void expire_queued(lane *l)
{
    dt_http_call *c;
    while ((c = oldest(l)) != NULL && mono_now() - c->queued_at >= DT_HTTP_QUEUE_WAIT_MS)
        call_give_up(c, DT_HTTP_QUEUED,
                     "too many calls of this NAS or person were waiting for a connection");
}

static void finish_refused(dt_http *h)
{
    while (h->refused != NULL)
        call_give_up(h->refused, DT_HTTP_QUEUED,
                     "too many calls are waiting, most of them for this person");
}

static void run_queued(lane *l)
{
    while (has_turn(l)) {
        dt_http_call *c = call_of(dt_fair_queue_take(l->queue));
        if (c == NULL)
            return;
        c->queued = false;
        if (call_run(c) != DT_OK)
            call_give_up(c, DT_HTTP_LOCAL, "there is no memory to send the request");
    }
}

static void pump(dt_http *h)
{
    h->pump_soon = false;
    finish_refused(h);
    for (int i = 0; i < SERVICES_MAX; i++) {
        expire_queued(&h->lanes[i]);
        run_queued(&h->lanes[i]);
    }
    arm(h);
}

/* OCSP responders and transmitters are many hosts, which have nothing to share. */
static void learn_version(dt_http_call *c, CURLcode code)
{
    long version = CURL_HTTP_VERSION_NONE;
    if (code == CURLE_OK && c->service != DT_HTTP_OCSP && c->service != DT_HTTP_SIGNALS &&
        curl_easy_getinfo(c->turn->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
        c->lane->http2 = version == CURL_HTTP_VERSION_2_0;
}

static void finish_ended(dt_http *h)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        if (m->msg != CURLMSG_DONE)
            continue;
        dt_http_call *c = NULL;
        CURLcode code = m->data.result; /* m is gone once its handle is removed */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        learn_version(c, code);
        call_finish(c, code, failure_of(c, code));
    }
}

void dt_http_ready(dt_http *h, int fd, int what)
{
    int running;
    int bits = ((what & 1) != 0 ? CURL_CSELECT_IN : 0) | ((what & 2) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(h->multi, fd, bits, &running);
    finish_ended(h);
    pump(h);
}

void dt_http_timeout(dt_http *h)
{
    int running;
    h->armed_at = -1;
    if (h->curl_at >= 0 && mono_now() >= h->curl_at) {
        h->curl_at = -1;
        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        finish_ended(h);
    }
    pump(h);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static bool lanes_open(dt_http *h)
{
    for (int i = 0; i < SERVICES_MAX; i++)
        if (dt_fair_queue_new(&h->lanes[i].queue) != DT_OK)
            return false;
    return true;
}

static void http_dispose(dt_http *h)
{
    if (h == NULL)
        return;
    for (int i = 0; i < SERVICES_MAX; i++)
        dt_fair_queue_free(&h->lanes[i].queue);
    if (h->multi != NULL)
        curl_multi_cleanup(h->multi);
    free(h);
}

int dt_http_new(dt_http_watch_fn *watch, dt_http_timer_fn *timer, void *ctx, dt_http **out,
                dt_error *e)
{
    *out = NULL;
    pthread_once(&global_once, global_init);
    if (global_result != CURLE_OK)
        return dt_error_set(e, DT_E_UNAVAILABLE, "libcurl cannot be initialized: %s",
                            curl_easy_strerror(global_result));
    dt_http *h = calloc(1, sizeof(*h));
    if (h != NULL)
        h->multi = curl_multi_init();
    if (h == NULL || h->multi == NULL || !lanes_open(h)) {
        http_dispose(h);
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    h->watch = watch;
    h->timer = timer;
    h->ctx = ctx;
    h->curl_at = h->armed_at = -1;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)DT_HTTP_CONNECTIONS_PER_HOST_MAX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      (long)DT_HTTP_CONNECTIONS_PER_HOST_MAX * SERVICES_MAX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
                      (long)DT_HTTP_CONNECTIONS_PER_HOST_MAX * SERVICES_MAX);
    *out = h;
    return DT_OK;
}

void dt_http_free(dt_http **http)
{
    if (http == NULL || *http == NULL)
        return;
    dt_http *h = *http;
    h->ending = true;
    while (h->calls != NULL)
        call_give_up(h->calls, DT_HTTP_ABANDONED, "devtrust is stopping");
    http_dispose(h);
    *http = NULL;
}
