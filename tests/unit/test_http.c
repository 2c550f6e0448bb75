/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP client against a server that does all that a server may do wrong, and the reading of
 * response headers. */
#include "odd_https.h"

#include "core/base/version.h"
#include "edge/http_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MANY 300

static odd_https server;
static odd_loop loop;

/* --- a dead DNS: libcurl's resolver threads call this instead of libc's ----------------------------- */

static atomic_bool dns_is_dead;
static atomic_int dns_waiting;
static pthread_mutex_t dns_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t dns_alive = PTHREAD_COND_INITIALIZER;

/* Leaves this process without a descriptor to open, or gives them back. */
static void limit_descriptors(bool limited)
{
    static struct rlimit usual;
    struct rlimit none;
    if (usual.rlim_cur == 0)
        getrlimit(RLIMIT_NOFILE, &usual);
    none = usual;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, limited ? &none : &usual);
}

int getaddrinfo(char const *node, char const *service, struct addrinfo const *hints,
                struct addrinfo **out)
{
    if (strcmp(node, "dead.example") == 0) {
        pthread_mutex_lock(&dns_lock);
        atomic_fetch_add(&dns_waiting, 1);
        while (dns_is_dead)
            pthread_cond_wait(&dns_alive, &dns_lock);
        atomic_fetch_sub(&dns_waiting, 1);
        pthread_mutex_unlock(&dns_lock);
        return EAI_AGAIN;
    }
    if (strcmp(node, "nobody.example") == 0)
        return EAI_NONAME;
    if (strcmp(node, "starved.example") == 0) { /* when it looked, there was nothing left to open */
        limit_descriptors(true);
        return EAI_AGAIN;
    }
    /* "localhost", as the tests' certificates say. */
    (void)hints;
    struct sockaddr_in *a = calloc(1, sizeof(*a) + sizeof(struct addrinfo));
    struct addrinfo *r = (struct addrinfo *)(a + 1);
    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->sin_port = htons((uint16_t)atoi(service));
    *r = (struct addrinfo){.ai_family = AF_INET,
                           .ai_socktype = SOCK_STREAM,
                           .ai_protocol = IPPROTO_TCP,
                           .ai_addrlen = sizeof(*a),
                           .ai_addr = (struct sockaddr *)a};
    *out = r;
    return 0;
}

void freeaddrinfo(struct addrinfo *r)
{
    free((struct sockaddr_in *)r - 1);
}

/* --- a system that fails: libcurl's and our own calls come here ------------------------------------ */

static atomic_int connect_error, socket_error;
static atomic_bool no_threads;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_pthread_create(pthread_t *thread, pthread_attr_t const *attributes,
                          void *(*start)(void *), void *ctx);
int __wrap_pthread_create(pthread_t *thread, pthread_attr_t const *attributes,
                          void *(*start)(void *), void *ctx);

int __wrap_socket(int domain, int type, int protocol)
{
    if (socket_error == 0 || domain != AF_INET)
        return __real_socket(domain, type, protocol);
    errno = socket_error;
    return -1;
}

int __wrap_pthread_create(pthread_t *thread, pthread_attr_t const *attributes,
                          void *(*start)(void *), void *ctx)
{
    return no_threads ? EAGAIN : __real_pthread_create(thread, attributes, start, ctx);
}

/* In place of libc's, for libcurl. */
int connect(int fd, struct sockaddr const *address, socklen_t len)
{
    static int (*real)(int, struct sockaddr const *, socklen_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "connect");
    if (connect_error == 0)
        return real(fd, address, len);
    errno = connect_error;
    return -1;
}

/* --- a clock that can be put forward --------------------------------------------------------------- */

static int64_t clock_ahead; /* seconds */

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = __real_clock_gettime(clock, t);
    if (clock == CLOCK_MONOTONIC)
        t->tv_sec += clock_ahead;
    return rc;
}

static int group_setup(void **state)
{
    (void)state;
    odd_https_start(&server);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    odd_https_stop(&server);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    odd_loop_open(&loop);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    odd_loop_close(&loop);
    return 0;
}

static void get(char const *port, char const *path, dt_tls_anchors const *anchors, dt_time timeout,
                odd_reply *reply)
{
    dt_http_request r = odd_request(&server, port, path);
    dt_http_call *call = NULL;
    r.timeout = timeout;
    memset(reply, 0, sizeof(*reply));
    assert_int_equal(
        dt_http_start(loop.http, &r, &(dt_http_way){.anchors = anchors}, odd_done, reply, &call),
        0);
    assert_false(reply->done);
    odd_loop_wait(&loop, reply);
    assert_int_equal(reply->times, 1);
}

static void assert_fails(odd_reply const *reply, dt_http_failure failure)
{
    if (reply->r.failure != failure)
        print_error("%d: %s\n", reply->r.failure, reply->error);
    assert_int_equal(reply->r.failure, failure);
    assert_int_equal(reply->r.status, 0);
    assert_int_equal(reply->body_len, 0);
    assert_non_null(strstr(reply->error, "https://localhost"));
}

/* --- what works --------------------------------------------------------------------------------- */

static void test_get(void **state)
{
    (void)state;
    odd_reply reply;
    odd_get(&loop, &server, "/ok", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_OK);
    assert_int_equal(reply.r.status, 200);
    assert_string_equal(reply.body, "fine");
    assert_string_equal(reply.error, "");
    assert_int_equal(reply.r.date, 0);
    assert_int_equal(reply.r.rate_limit, -1);
    assert_int_equal(reply.r.rate_remaining, -1);
    assert_int_equal(reply.r.rate_reset, 0);
    assert_int_equal(reply.r.retry_after, 0);
    assert_string_equal(reply.next_link, "");
}

static void test_statuses_are_not_failures(void **state)
{
    (void)state;
    odd_reply reply;
    static int const statuses[] = {201, 202, 400, 401, 403, 404, 409, 410, 423, 429, 500, 503};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char path[32];
        snprintf(path, sizeof(path), "/status/%d", statuses[i]);
        odd_get(&loop, &server, path, &reply);
        assert_int_equal(reply.r.failure, DT_HTTP_OK);
        assert_int_equal(reply.r.status, statuses[i]);
    }
    odd_get(&loop, &server, "/empty", &reply);
    assert_int_equal(reply.r.status, 204);
    assert_int_equal(reply.body_len, 0);
}

static void send_it(dt_http_method method, char const *body, bool form, dt_secret const *secret,
                    odd_reply *reply)
{
    dt_http_request r = odd_request(&server, "good", "/echo");
    dt_http_call *call = NULL;
    r.method = method;
    r.form = form;
    r.body_len = strlen(body);
    memcpy(r.body, body, r.body_len);
    memset(reply, 0, sizeof(*reply));
    assert_int_equal(
        dt_http_start(loop.http, &r,
                      &(dt_http_way){.anchors = server.anchors, .authorization = secret}, odd_done,
                      reply, &call),
        0);
    odd_loop_wait(&loop, reply);
    assert_int_equal(reply->r.status, 200);
}

static void test_what_is_sent(void **state)
{
    (void)state;
    odd_reply reply;
    dt_secret *secret = NULL;
    assert_int_equal(dt_secret_new(dt_bytes_str("SSWS 00abc"), &secret), 0);
    send_it(DT_HTTP_POST, "{\"passCode\":\"123456\"}", false, secret, &reply);
    assert_non_null(strstr(reply.body, "\"method\": \"POST\""));
    assert_non_null(strstr(reply.body, "\"authorization\": \"SSWS 00abc\""));
    assert_non_null(strstr(reply.body, "\"content-type\": \"application/json\""));
    assert_non_null(strstr(reply.body, "\"accept\": \"application/json\""));
    assert_non_null(strstr(reply.body, "Mozilla/5.0 (Linux) devtrust/" DT_VERSION));
    assert_non_null(strstr(reply.body, "{\\\"passCode\\\":\\\"123456\\\"}"));
    assert_null(strstr(reply.body, "expect"));
    send_it(DT_HTTP_POST, "a=b", true, NULL, &reply);
    assert_non_null(strstr(reply.body, "application/x-www-form-urlencoded"));
    assert_null(strstr(reply.body, "authorization"));
    /* A POST without a body says so, or Okta answers 411. */
    send_it(DT_HTTP_POST, "", false, NULL, &reply);
    assert_non_null(strstr(reply.body, "\"content-length\": \"0\""));
    send_it(DT_HTTP_DELETE, "", false, secret, &reply);
    assert_non_null(strstr(reply.body, "\"method\": \"DELETE\""));
    send_it(DT_HTTP_GET, "", false, secret, &reply);
    assert_non_null(strstr(reply.body, "\"method\": \"GET\""));
    assert_null(strstr(reply.body, "content-type"));
    dt_secret_free(&secret);
}

static void test_connection_is_kept(void **state)
{
    (void)state;
    int first = odd_control(&loop, &server, "/connection");
    for (int i = 0; i < 5; i++)
        assert_int_equal(odd_control(&loop, &server, "/connection"), first);
}

static void test_headers(void **state)
{
    (void)state;
    odd_reply reply;
    odd_get(&loop, &server, "/headers", &reply);
    assert_int_equal(reply.r.date, DT_SECONDS(784111777));
    assert_int_equal(reply.r.rate_limit, 600);
    assert_int_equal(reply.r.rate_remaining, 599);
    assert_int_equal(reply.r.rate_reset, DT_SECONDS(1700000060));
    assert_string_equal(reply.next_link, "https://localhost/next?a=1,2");
    odd_get(&loop, &server, "/retry-seconds", &reply);
    assert_int_equal(reply.r.retry_after, DT_SECONDS(7));
    odd_get(&loop, &server, "/retry-date", &reply);
    assert_int_equal(reply.r.retry_after, DT_SECONDS(60));
    odd_get(&loop, &server, "/retry-nonsense", &reply);
    assert_int_equal(reply.r.status, 503);
    assert_int_equal(reply.r.retry_after, 0);
    assert_int_equal(reply.r.rate_limit, -1);
    assert_int_equal(reply.r.rate_remaining, -1);
    assert_int_equal(reply.r.rate_reset, 0);
    assert_int_equal(reply.r.date, 0);
    assert_string_equal(reply.next_link, "");
    odd_get(&loop, &server, "/interim", &reply);
    assert_int_equal(reply.r.status, 200);
    assert_string_equal(reply.body, "late");
    assert_int_equal(reply.r.rate_limit, -1);
}

/* --- what does not ------------------------------------------------------------------------------ */

static void test_redirect_is_not_followed(void **state)
{
    (void)state;
    odd_reply reply;
    static char const *const targets[] = {"https://localhost:1/elsewhere", "http://localhost/plain",
                                          "/ok"};
    static int const statuses[] = {301, 302, 303, 307, 308};
    int asked = odd_control(&loop, &server, "/control/count/GET-ok");
    for (int i = 0; i < 15; i++) {
        char path[32], words[64];
        snprintf(path, sizeof(path), "/redirect/%d/%d", statuses[i % 5], i / 5);
        odd_get(&loop, &server, path, &reply);
        assert_fails(&reply, DT_HTTP_BROKEN);
        snprintf(words, sizeof(words), "HTTP %d leads to ", statuses[i % 5]);
        assert_non_null(strstr(reply.error, words));
        assert_non_null(strstr(reply.error, targets[i / 5]));
        assert_non_null(strstr(reply.error, "[okta] org_url"));
        assert_null(strstr(reply.error, "secret"));
    }
    odd_get(&loop, &server, "/status/304", &reply);
    assert_fails(&reply, DT_HTTP_BROKEN);
    assert_int_equal(odd_control(&loop, &server, "/control/count/GET-ok"), asked);
}

static void test_broken_replies(void **state)
{
    (void)state;
    odd_reply reply;
    static char const *const paths[] = {"/truncated",  "/huge",      "/huge-unannounced",
                                        "/garbage",    "/http09",    "/bad-chunk",
                                        "/cut-chunk",  "/reset",     "/close",
                                        "/bad-status", "/long-link", "/endless-headers",
                                        "/late-reset"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bool silent = strcmp(paths[i], "/reset") == 0 || strcmp(paths[i], "/close") == 0;
        dt_http_failure wanted = silent ? DT_HTTP_RESET : DT_HTTP_BROKEN;
        odd_get(&loop, &server, paths[i], &reply);
        if (reply.r.failure != wanted)
            print_error("%s: %d, %s\n", paths[i], reply.r.failure, reply.error);
        assert_fails(&reply, wanted);
        /* And the next call is none the worse. */
        odd_get(&loop, &server, "/ok", &reply);
        assert_string_equal(reply.body, "fine");
    }
}

static void test_timeouts(void **state)
{
    (void)state;
    odd_reply reply;
    static char const *const paths[] = {"/stall", "/drip"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int64_t start = odd_mono();
        get("good", paths[i], server.anchors, 300, &reply);
        assert_fails(&reply, DT_HTTP_TIMEOUT);
        assert_true(odd_mono() - start >= 290);
        assert_true(odd_mono() - start < ODD_SOON);
    }
}

static void test_bad_servers(void **state)
{
    (void)state;
    odd_reply reply;
    static struct {
        char const *port, *words;
    } const bad[] = {
        {"wrong_name", "for another host; correct the host in [okta] org_url"},
        {"expired", "has expired; renew the server's certificate"},
        {"not_yet_valid", "not yet valid; set this host's clock"},
        {"self_signed", "add its CA to [okta] ca_file"},
        {"foreign", "add its CA to [okta] ca_file"},
        {"for_clients", "give the server one with serverAuth"},
        {"small_key", "stronger keys"},
        {"tls_1_1", "no TLS 1.2 or newer"},
        {"downgrade", "no TLS 1.2 or newer"},
        {"no_encryption", "no cipher that this host accepts"},
        {"anonymous", "no cipher that this host accepts"},
        {"plain", "does not speak TLS; correct the port in [okta] org_url"},
        {"cut_record", "the TLS handshake was broken off"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        get(bad[i].port, "/ok?with=a-query", server.anchors, DT_SECONDS(20), &reply);
        if (strstr(reply.error, bad[i].words) == NULL)
            print_error("%s: %d, %s\n", bad[i].port, reply.r.failure, reply.error);
        assert_fails(&reply, DT_HTTP_UNTRUSTED);
        assert_non_null(strstr(reply.error, bad[i].words));
        assert_null(strstr(reply.error, "a-query"));
    }
    get("closed", "/ok", server.anchors, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_REFUSED);
    /* It takes the connection and says nothing, or breaks it off, where TLS should begin. */
    get("mute", "/ok", server.anchors, 300, &reply);
    assert_fails(&reply, DT_HTTP_TIMEOUT);
    get("abort", "/ok", server.anchors, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_RESET);
}

/* The system's own CAs know nothing of the tests' CA. */
static void test_ca_files(void **state)
{
    (void)state;
    odd_reply reply;
    get("good", "/ok", NULL, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_UNTRUSTED);
    get("good", "/ok", server.anchors, DT_SECONDS(20), &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_OK);
    /* A kept connection is not lent to a call that trusts others. */
    get("good", "/ok", NULL, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_UNTRUSTED);
}

/* A file that was read anew and says the same keeps the connections; another one does not. */
static void test_changed_ca_file(void **state)
{
    (void)state;
    odd_reply reply;
    dt_tls_anchors *foreign = NULL, *same = NULL;
    char path[128];
    assert_int_equal(dt_tls_anchors_read(server.ca_file, &same, NULL), DT_OK);
    snprintf(path, sizeof(path), "%s/foreign-ca.pem", server.dir);
    assert_int_equal(dt_tls_anchors_read(path, &foreign, NULL), DT_OK);
    int before = odd_control(&loop, &server, "/connection");
    get("good", "/connection", same, DT_SECONDS(20), &reply);
    assert_int_equal(atoi(reply.body), before);
    get("good", "/connection", foreign, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_UNTRUSTED);
    get("foreign", "/ok", foreign, DT_SECONDS(20), &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_OK);
    get("foreign", "/ok", same, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_UNTRUSTED);
    dt_tls_anchors_free(&foreign);
    dt_tls_anchors_free(&same);
}

/* --- whose fault it is --------------------------------------------------------------------------- */

/* To localhost, whose address this process makes up itself. */
static void get_anew(odd_reply *reply)
{
    odd_loop_close(&loop); /* no kept connection */
    odd_loop_open(&loop);
    get("good", "/ok", server.anchors, DT_SECONDS(20), reply);
}

static void test_no_connection(void **state)
{
    (void)state;
    static struct {
        int number;
        dt_http_failure failure;
    } const rows[] = {{ECONNREFUSED, DT_HTTP_REFUSED},  {ENETUNREACH, DT_HTTP_NO_ROUTE},
                      {EHOSTUNREACH, DT_HTTP_NO_ROUTE}, {ENETDOWN, DT_HTTP_NO_ROUTE},
                      {EHOSTDOWN, DT_HTTP_NO_ROUTE},    {ECONNRESET, DT_HTTP_RESET},
                      {ETIMEDOUT, DT_HTTP_TIMEOUT},     {EADDRNOTAVAIL, DT_HTTP_LOCAL},
                      {EACCES, DT_HTTP_LOCAL},          {EPERM, DT_HTTP_LOCAL},
                      {EMFILE, DT_HTTP_LOCAL},          {ENOBUFS, DT_HTTP_LOCAL},
                      {ENOMEM, DT_HTTP_LOCAL},          {EAFNOSUPPORT, DT_HTTP_LOCAL},
                      {EINVAL, DT_HTTP_LOCAL}};
    odd_reply reply;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        connect_error = rows[i].number;
        get_anew(&reply);
        connect_error = 0;
        if (reply.r.failure != rows[i].failure)
            print_error("%s: %d, %s\n", strerror(rows[i].number), reply.r.failure, reply.error);
        assert_fails(&reply, rows[i].failure);
    }
    get_anew(&reply);
    assert_int_equal(reply.r.failure, DT_HTTP_OK);
}

static void test_no_socket(void **state)
{
    (void)state;
    static int const numbers[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EPERM};
    odd_reply reply;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        socket_error = numbers[i];
        get_anew(&reply);
        socket_error = 0;
        assert_fails(&reply, DT_HTTP_LOCAL);
    }
    odd_loop_close(&loop);
    odd_loop_open(&loop);
    limit_descriptors(true); /* and not made up */
    get("good", "/ok", server.anchors, DT_SECONDS(20), &reply);
    limit_descriptors(false);
    assert_fails(&reply, DT_HTTP_LOCAL);
    assert_non_null(strstr(reply.error, "LimitNOFILE"));
}

static void look_up(char const *name, odd_reply *reply)
{
    dt_http_request r = {.timeout = DT_SECONDS(20)};
    dt_http_call *call = NULL;
    snprintf(r.url, sizeof(r.url), "https://%s/", name);
    memset(reply, 0, sizeof(*reply));
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, reply, &call),
                     0);
    odd_loop_wait(&loop, reply);
}

/* A name that is not there is one thing, a resolver that cannot work is another. */
static void test_no_name(void **state)
{
    (void)state;
    odd_reply reply;
    look_up("nobody.example", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_NO_NAME);
    limit_descriptors(true);
    look_up("nobody.example", &reply);
    limit_descriptors(false);
    assert_int_equal(reply.r.failure, DT_HTTP_LOCAL);
    look_up("starved.example", &reply);
    limit_descriptors(false);
    assert_int_equal(reply.r.failure, DT_HTTP_LOCAL);
    no_threads = true;
    look_up("nobody.example", &reply);
    no_threads = false;
    assert_int_equal(reply.r.failure, DT_HTTP_LOCAL);
    look_up("nobody.example", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_NO_NAME);
}

/* A loop that was held up past the call's time does not know whether an answer was there in time. */
static void test_held_up(void **state)
{
    (void)state;
    odd_reply reply = {0};
    dt_http_request r = odd_request(&server, "good", "/stall");
    dt_http_call *call = NULL;
    r.timeout = DT_SECONDS(1);
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &reply, &call),
                     0);
    odd_loop_once(&loop, 50);
    struct timespec held = {.tv_sec = 4};
    nanosleep(&held, NULL);
    odd_loop_wait(&loop, &reply);
    assert_fails(&reply, DT_HTTP_LOCAL);
    assert_non_null(strstr(reply.error, "delayed"));
}

static void test_environment_has_no_say(void **state)
{
    (void)state;
    odd_reply reply;
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("SSL_CERT_FILE", server.ca_file, 1);
    setenv("CURL_CA_BUNDLE", server.ca_file, 1);
    odd_get(&loop, &server, "/ok", &reply);
    assert_string_equal(reply.body, "fine");
    get("good", "/ok", NULL, DT_SECONDS(20), &reply);
    assert_fails(&reply, DT_HTTP_UNTRUSTED);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
}

static void assert_not_started(char const *url, dt_secret const *secret, size_t body_len)
{
    dt_http_request r;
    memset(&r, 0, sizeof(r));
    r.timeout = 1000;
    r.method = DT_HTTP_POST;
    r.body_len = body_len;
    snprintf(r.url, sizeof(r.url), "%s", url);
    dt_http_call *call = NULL;
    odd_reply reply = {0};
    assert_int_not_equal(
        dt_http_start(loop.http, &r,
                      &(dt_http_way){.anchors = server.anchors, .authorization = secret}, odd_done,
                      &reply, &call),
        0);
    assert_null(call);
    assert_false(reply.done);
}

static void test_requests_that_are_not_sent(void **state)
{
    (void)state;
    static char const *const urls[] = {
        "",          "http://localhost/", "HTTPS://localhost/", "file:///etc/passwd",
        "localhost", "ftp://localhost/",  "https:/localhost"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_not_started(urls[i], NULL, 0);
    assert_not_started("https://localhost/", NULL, DT_HTTP_BODY_MAX + 1);
    static char const *const secrets[] = {"", "SSWS a\nX-Evil: 1", "SSWS a\rb"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        dt_secret *s = NULL;
        assert_int_equal(dt_secret_new(dt_bytes_str(secrets[i]), &s), 0);
        assert_not_started("https://localhost/", s, 0);
        dt_secret_free(&s);
    }
}

/* --- OCSP responders ------------------------------------------------------------------------------ */

static void ask_ocsp(char const *scheme, char const *port, char const *path, odd_reply *reply)
{
    dt_http_request r = odd_request(&server, port, path);
    dt_http_call *call = NULL;
    r.service = DT_HTTP_OCSP;
    r.method = DT_HTTP_POST;
    r.timeout = DT_SECONDS(20);
    r.body_len = 3;
    memcpy(r.body, "0\0x", 3);
    snprintf(r.url, sizeof(r.url), "%s://localhost:%d%s", scheme, odd_https_port(&server, port),
             path);
    memset(reply, 0, sizeof(*reply));
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, reply, &call),
                     0);
    odd_loop_wait(&loop, reply);
}

/* They alone are asked by http, without a credential; and they are given less room. */
static void test_ocsp(void **state)
{
    (void)state;
    odd_reply reply;
    ask_ocsp("https", "good", "/echo", &reply);
    assert_int_equal(reply.r.status, 200);
    assert_non_null(strstr(reply.body, "\"content-type\": \"application/ocsp-request\""));
    assert_non_null(strstr(reply.body, "\"accept\": \"application/ocsp-response\""));
    assert_non_null(strstr(reply.body, "\"content-length\": \"3\""));
    assert_null(strstr(reply.body, "authorization"));
    ask_ocsp("https", "good", "/redirect/302/0", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_BROKEN);
    assert_non_null(strstr(reply.error, "set ocsp_url to the service itself"));
    ask_ocsp("https", "good", "/huge", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_BROKEN);
    assert_non_null(strstr(reply.error, "larger than 65536 bytes"));
    ask_ocsp("http", "plain", "/", &reply);
    assert_int_equal(reply.r.status, 400);
    ask_ocsp("https", "foreign", "/ok", &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_UNTRUSTED);
    assert_non_null(strstr(reply.error, "update-ca-certificates"));
}

static void test_only_ocsp_goes_by_http(void **state)
{
    (void)state;
    dt_secret *secret = NULL;
    odd_reply reply = {0};
    dt_http_call *call = NULL;
    dt_http_request r = {.timeout = 1000, .url = "http://localhost:1/"};
    assert_int_equal(dt_secret_new(dt_bytes_str("SSWS 00abc"), &secret), 0);
    for (int service = DT_HTTP_OKTA; service <= DT_HTTP_OCSP; service++) {
        r.service = (dt_http_service)service;
        assert_int_equal(dt_http_start(loop.http, &r,
                                       &(dt_http_way){.anchors = NULL, .authorization = secret},
                                       odd_done, &reply, &call),
                         DT_E_INVALID);
        if (service != DT_HTTP_OCSP)
            assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = NULL}, odd_done,
                                           &reply, &call),
                             DT_E_INVALID);
    }
    dt_secret_free(&secret);
}

/* A kept connection closes instead of answering: what may be asked twice is, a POST is not. */
static void test_post_is_not_repeated(void **state)
{
    (void)state;
    odd_reply reply;
    odd_control(&loop, &server, "/control/reset");
    dt_http_request r = odd_request(&server, "good", "/close");
    dt_http_call *call = NULL;
    r.method = DT_HTTP_POST;
    for (size_t i = 0; i < 2; i++) {
        r.body_len = i * 2;
        memcpy(r.body, "{}", i * 2);
        odd_get(&loop, &server, "/ok", &reply); /* so that there is a kept connection */
        memset(&reply, 0, sizeof(reply));
        assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                       odd_done, &reply, &call),
                         0);
        odd_loop_wait(&loop, &reply);
        assert_fails(&reply, DT_HTTP_RESET);
        assert_non_null(strstr(reply.error, "not repeated"));
    }
    assert_int_equal(odd_control(&loop, &server, "/control/count/POST-close"), 2);
    odd_get(&loop, &server, "/close", &reply);
    assert_fails(&reply, DT_HTTP_RESET);
    assert_int_equal(odd_control(&loop, &server, "/control/count/GET-close"), 2);
}

/* --- many, cancelled, abandoned ------------------------------------------------------------------ */

static void test_many_at_once(void **state)
{
    (void)state;
    odd_reply *replies = calloc(MANY, sizeof(*replies));
    dt_http_request r = odd_request(&server, "good", "/connection");
    for (int i = 0; i < MANY; i++) {
        dt_http_call *call = NULL;
        assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                       odd_done, &replies[i], &call),
                         0);
    }
    int low = INT32_MAX, high = 0;
    for (int i = 0; i < MANY; i++) {
        odd_loop_wait(&loop, &replies[i]);
        assert_int_equal(replies[i].times, 1);
        assert_int_equal(replies[i].r.status, 200);
        int connection = atoi(replies[i].body);
        low = connection < low ? connection : low;
        high = connection > high ? connection : high;
    }
    assert_true(high - low < DT_HTTP_CONNECTIONS_PER_HOST_MAX);
    free(replies);
}

/* As many calls as a service may have at once, none of which is answered. Each has its connection before the
 * next one starts: a busy machine does not shake 32 hands within DT_HTTP_CONNECT_TIMEOUT_MS. */
static void stall_all(odd_reply *replies, dt_http_call **calls, dt_time timeout)
{
    dt_http_request r = odd_request(&server, "good", "/stall");
    odd_loop aside;
    r.timeout = timeout;
    odd_loop_open(&aside);
    int stalled = odd_control(&aside, &server, "/control/count/GET-stall");
    for (int i = 0; i < DT_HTTP_CONNECTIONS_PER_HOST_MAX; i++) {
        assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                       odd_done, &replies[i], &calls[i]),
                         0);
        while (odd_control(&aside, &server, "/control/count/GET-stall") <= stalled + i) {
            assert_false(replies[i].done);
            odd_loop_once(&loop, 10);
        }
    }
    odd_loop_close(&aside);
}

static void start_ok(dt_http_service service, dt_time timeout, odd_reply *reply)
{
    dt_http_request r = odd_request(&server, "good", "/ok");
    dt_http_call *call = NULL;
    r.service = service;
    r.timeout = timeout;
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, reply, &call),
                     0);
}

/* The time of a call runs from when it has its turn. */
static void test_queue(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, queued[5] = {{0}};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX];
    stall_all(stalled, calls, DT_SECONDS(5));
    for (int i = 0; i < 5; i++)
        start_ok(DT_HTTP_OKTA, DT_SECONDS(5), &queued[i]);
    for (int i = 0; i < 5; i++) {
        odd_loop_wait(&loop, &queued[i]);
        assert_int_equal(queued[i].r.status, 200);
        assert_int_equal(queued[i].times, 1);
    }
    for (int i = 0; i < DT_HTTP_CONNECTIONS_PER_HOST_MAX; i++) {
        odd_loop_wait(&loop, &stalled[i]);
        assert_int_equal(stalled[i].r.failure, DT_HTTP_TIMEOUT);
    }
}

/* A call that is cancelled gives its turn to the next, and a queued one is cancelled like any. */
static void test_queue_moves_on_after_cancelling(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, first = {0}, second = {0};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX], *queued = NULL;
    stall_all(stalled, calls, DT_SECONDS(60));
    dt_http_request r = odd_request(&server, "good", "/ok");
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &first, &queued),
                     0);
    start_ok(DT_HTTP_OKTA, DT_SECONDS(20), &second);
    dt_http_cancel(loop.http, queued);
    odd_loop_once(&loop, 50);
    assert_int_equal(second.times, 0);
    dt_http_cancel(loop.http, calls[7]);
    assert_int_equal(second.times, 0);
    odd_loop_wait(&loop, &second);
    assert_int_equal(second.r.status, 200);
    assert_int_equal(first.times, 0);
    assert_int_equal(stalled[7].times, 0);
    odd_loop_close(&loop);
}

static dt_http_call *start_as(char const *nas, char const *identity, odd_reply *reply)
{
    dt_http_request r = odd_request(&server, "good", "/ok");
    dt_http_call *call = NULL;
    r.timeout = DT_SECONDS(60);
    r.nas = nas;
    r.identity = identity;
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, reply, &call),
                     0);
    assert_true(dt_http_is_queued(call));
    return call;
}

/* Nobody waits behind somebody else's crowd: with one connection, turns go round. */
static void test_queue_is_fair(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, other = {0}, far = {0};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX];
    odd_reply *crowd = calloc(MANY, sizeof(*crowd));
    stall_all(stalled, calls, DT_SECONDS(60));
    for (int i = 0; i < MANY; i++)
        start_as("gateway", "eve@example.com", &crowd[i]);
    start_as("gateway", "ann@example.com", &other);
    start_as("controller", "eve@example.com", &far);
    dt_http_cancel(loop.http, calls[0]);
    odd_loop_wait(&loop, &far);
    odd_loop_wait(&loop, &other);
    assert_true(crowd[0].done);
    assert_false(crowd[10].done);
    for (int i = 0; i < MANY; i++) {
        odd_loop_wait(&loop, &crowd[i]);
        assert_int_equal(crowd[i].r.status, 200);
        assert_true(i == 0 || crowd[i - 1].done);
    }
    odd_loop_close(&loop);
    free(crowd);
}

/* A full queue refuses whoever has most in it, whether that is the newcomer or not. */
static void test_full_queue(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, ann = {0}, again = {0}, bob = {0};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX], *call = NULL;
    int const many = DT_HTTP_CALLS_MAX - DT_HTTP_CONNECTIONS_PER_HOST_MAX;
    odd_reply *crowd = calloc((size_t)many, sizeof(*crowd));
    stall_all(stalled, calls, DT_SECONDS(60));
    start_as("gateway", "ann@example.com", &ann);
    for (int i = 1; i < many; i++)
        call = start_as("gateway", "eve@example.com", &crowd[i]);
    dt_http_request r = odd_request(&server, "good", "/ok");
    r.nas = "gateway";
    r.identity = "eve@example.com";
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &again, &call),
                     DT_E_LIMIT);
    assert_int_equal(dt_http_start_failure(DT_E_LIMIT), DT_HTTP_QUEUED);
    start_as("gateway", "ann@example.com", &again);
    start_as("controller", "bob@example.com", &bob);
    assert_int_equal(crowd[many - 1].times, 0); /* not from within the start */
    odd_loop_wait(&loop, &crowd[many - 1]);
    odd_loop_wait(&loop, &crowd[many - 2]);
    assert_fails(&crowd[many - 1], DT_HTTP_QUEUED);
    assert_fails(&crowd[many - 2], DT_HTTP_QUEUED);
    assert_int_equal(crowd[many - 3].times, 0);
    dt_http_cancel(loop.http, calls[0]);
    odd_loop_wait(&loop, &ann);
    odd_loop_wait(&loop, &again);
    odd_loop_wait(&loop, &bob);
    assert_int_equal(ann.r.status + again.r.status + bob.r.status, 600);
    odd_loop_close(&loop);
    free(crowd);
}

static void test_queue_is_left_after_a_while(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, queued[2] = {{0}};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX];
    stall_all(stalled, calls, DT_SECONDS(60));
    for (int i = 0; i < 2; i++)
        start_ok(DT_HTTP_OKTA, DT_SECONDS(60), &queued[i]);
    odd_loop_once(&loop, 50);
    assert_int_equal(queued[0].times, 0);
    clock_ahead = DT_HTTP_QUEUE_WAIT_MS / 1000 + 1;
    for (int i = 0; i < 2; i++) {
        odd_loop_wait(&loop, &queued[i]);
        assert_fails(&queued[i], DT_HTTP_QUEUED);
        assert_non_null(strstr(queued[i].error, "too many calls"));
    }
    assert_int_equal(stalled[0].times, 0);
    odd_loop_close(&loop); /* the stalled ones, too, are told */
    clock_ahead = 0;
    for (int i = 0; i < DT_HTTP_CONNECTIONS_PER_HOST_MAX; i++)
        assert_int_equal(stalled[i].r.failure, DT_HTTP_ABANDONED);
}

static void test_free_abandons_the_queue(void **state)
{
    (void)state;
    odd_reply stalled[DT_HTTP_CONNECTIONS_PER_HOST_MAX] = {{0}}, queued[3] = {{0}};
    dt_http_call *calls[DT_HTTP_CONNECTIONS_PER_HOST_MAX];
    stall_all(stalled, calls, DT_SECONDS(60));
    for (int i = 0; i < 3; i++)
        start_ok(DT_HTTP_OKTA, DT_SECONDS(60), &queued[i]);
    odd_loop_close(&loop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(queued[i].times, 1);
        assert_fails(&queued[i], DT_HTTP_ABANDONED);
    }
}

/* Of a process that has just begun, too: nobody waits for the first call's reply. */
static void test_a_slow_call_holds_nobody(void **state)
{
    (void)state;
    odd_loop fresh;
    odd_loop_open(&fresh);
    odd_reply stalled = {0}, others[8] = {{0}};
    dt_http_request r = odd_request(&server, "good", "/stall");
    dt_http_way const way = {.anchors = server.anchors};
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(fresh.http, &r, &way, odd_done, &stalled, &call), 0);
    r = odd_request(&server, "good", "/ok");
    for (int i = 0; i < 8; i++) {
        dt_http_call *other = NULL;
        assert_int_equal(dt_http_start(fresh.http, &r, &way, odd_done, &others[i], &other), 0);
    }
    for (int i = 0; i < 8; i++) {
        odd_loop_wait(&fresh, &others[i]);
        assert_int_equal(others[i].r.status, 200);
    }
    assert_int_equal(stalled.times, 0);
    dt_http_cancel(fresh.http, call);
    odd_loop_close(&fresh);
}

/* Sockets that are made for eight calls of a process that has just begun, as soon as there is one. */
static void test_the_first_call_connects_alone(void **state)
{
    (void)state;
    enum { CALLS = 8, A_MOMENT = 200 };
    odd_loop fresh;
    odd_loop_open(&fresh);
    odd_reply replies[CALLS] = {{0}};
    dt_http_request r = odd_request(&server, "mute", "/ok");
    dt_http_way const way = {.anchors = server.anchors};
    for (int i = 0; i < CALLS; i++) {
        dt_http_call *call = NULL;
        assert_int_equal(dt_http_start(fresh.http, &r, &way, odd_done, &replies[i], &call), 0);
    }
    int64_t const start = odd_mono();
    while (odd_mono() - start < A_MOMENT)
        odd_loop_once(&fresh, 10);
    assert_true(fresh.count < CALLS);
    while (fresh.count < CALLS) { /* the others do not wait for it forever */
        assert_true(odd_mono() - start < ODD_PATIENCE);
        odd_loop_once(&fresh, 100);
    }
    odd_loop_close(&fresh);
}

/* A host that does not answer at all holds the others of its service for a moment only. */
static void test_a_dead_host_holds_nobody(void **state)
{
    (void)state;
    odd_loop fresh;
    odd_loop_open(&fresh);
    odd_reply silent = {0}, other = {0};
    dt_http_request r = odd_request(&server, "mute", "/ok");
    dt_http_way const way = {.anchors = server.anchors};
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(fresh.http, &r, &way, odd_done, &silent, &call), 0);
    odd_get(&fresh, &server, "/ok", &other);
    assert_int_equal(other.r.status, 200);
    assert_int_equal(silent.times, 0);
    odd_loop_close(&fresh);
}

static void test_cancel(void **state)
{
    (void)state;
    odd_reply stalled = {0}, other = {0};
    dt_http_request r = odd_request(&server, "good", "/stall");
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &stalled, &call),
                     0);
    odd_get(&loop, &server, "/ok", &other);
    dt_http_cancel(loop.http, call);
    odd_get(&loop, &server, "/ok", &other);
    assert_int_equal(stalled.times, 0);
    /* Before it has begun, too. */
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &stalled, &call),
                     0);
    dt_http_cancel(loop.http, call);
    assert_int_equal(stalled.times, 0);
}

typedef struct chain {
    dt_http_call *to_cancel;
    odd_reply second;
    int times;
} chain;

static void on_chain(void *ctx, dt_http_response const *r)
{
    chain *c = ctx;
    c->times++;
    assert_int_equal(r->status, 200);
    dt_http_cancel(loop.http, c->to_cancel);
    c->to_cancel = NULL;
    dt_http_request next = odd_request(&server, "good", "/ok");
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(loop.http, &next, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &c->second, &call),
                     0);
}

/* A callback may start a call and end another. */
static void test_callback_starts_and_cancels(void **state)
{
    (void)state;
    chain c = {0};
    odd_reply never = {0};
    dt_http_request r = odd_request(&server, "good", "/ok");
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   on_chain, &c, &call),
                     0);
    r = odd_request(&server, "good", "/stall");
    assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, &never, &c.to_cancel),
                     0);
    odd_loop_wait(&loop, &c.second);
    assert_int_equal(c.times, 1);
    assert_int_equal(c.second.r.status, 200);
    assert_int_equal(never.times, 0);
}

static void on_abandoned(void *ctx, dt_http_response const *r)
{
    odd_done(ctx, r);
    /* Nothing new can be begun from here. */
    dt_http_request next = odd_request(&server, "good", "/ok");
    dt_http_call *call = NULL;
    assert_int_equal(dt_http_start(loop.http, &next, &(dt_http_way){.anchors = server.anchors},
                                   odd_done, ctx, &call),
                     DT_E_STATE);
}

static void test_free_abandons(void **state)
{
    (void)state;
    odd_reply replies[3] = {{0}};
    dt_http_request r = odd_request(&server, "good", "/stall");
    for (int i = 0; i < 3; i++) {
        dt_http_call *call = NULL;
        assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                       on_abandoned, &replies[i], &call),
                         0);
    }
    odd_loop_once(&loop, 100);
    odd_loop_close(&loop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(replies[i].times, 1);
        assert_fails(&replies[i], DT_HTTP_ABANDONED);
    }
}

/* Neither the call nor the end of all waits for the resolver. */
static void test_dead_dns(void **state)
{
    (void)state;
    dns_is_dead = true;
    odd_reply replies[4] = {{0}};
    dt_http_request r;
    memset(&r, 0, sizeof(r));
    r.timeout = 300;
    strcpy(r.url, "https://dead.example/");
    int64_t start = odd_mono();
    for (int i = 0; i < 4; i++) {
        dt_http_call *call = NULL;
        assert_int_equal(dt_http_start(loop.http, &r, &(dt_http_way){.anchors = server.anchors},
                                       odd_done, &replies[i], &call),
                         0);
    }
    odd_reply other;
    odd_get(&loop, &server, "/ok", &other);
    assert_string_equal(other.body, "fine");
    for (int i = 0; i < 4; i++) {
        odd_loop_wait(&loop, &replies[i]);
        assert_int_equal(replies[i].r.failure, DT_HTTP_TIMEOUT);
    }
    odd_loop_close(&loop);
    assert_true(odd_mono() - start < ODD_SOON);
    assert_true(dns_waiting > 0);
    pthread_mutex_lock(&dns_lock);
    dns_is_dead = false;
    pthread_cond_broadcast(&dns_alive);
    pthread_mutex_unlock(&dns_lock);
    while (dns_waiting > 0)
        assert_true(odd_mono() - start < ODD_PATIENCE);
}

static void test_sockets_are_not_inherited(void **state)
{
    (void)state;
    odd_reply reply;
    odd_get(&loop, &server, "/ok", &reply);
    int sockets = 0;
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof(a);
        if (getpeername(fd, (struct sockaddr *)&a, &len) != 0 || a.ss_family != AF_INET)
            continue;
        sockets++;
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    assert_true(sockets > 0);
}

/* --- headers, without a server --------------------------------------------------------------------- */

static void add(dt_http_headers *h, char const *line)
{
    assert_int_equal(dt_http_headers_add(h, dt_bytes_str(line)), 0);
}

static void test_link_forms(void **state)
{
    (void)state;
    static char const *const next[] = {
        "Link: <https://a/n>; rel=\"next\"\r\n",
        "link:<https://a/n>;rel=next\r\n",
        "LINK: <https://a/s>; rel=\"self\", <https://a/n>; rel=\"next\"\r\n",
        "Link: <https://a/s>; title=\"a, <b>; rel=next\"; rel=\"self\", <https://a/n>; "
        "REL=\"Next\"",
        "Link: <https://a/n>; title=x; rel=\"next\"; x=y\r\n",
    };
    static char const *const none[] = {
        "Link: <https://a/n>; rel=\"nextish\"",
        "Link: <https://a/n>",
        "Link: https://a/n; rel=next",
        "Link: <https://a/n; rel=\"next\"",
        "Link:",
        "Link: <",
        "Link: <>; xrel=\"next\"",
        "Linkx: <https://a/n>; rel=\"next\"",
    };
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        dt_http_headers h;
        dt_http_headers_init(&h);
        add(&h, next[i]);
        if (i != 3)
            assert_string_equal(h.next_link, "https://a/n");
    }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        dt_http_headers h;
        dt_http_headers_init(&h);
        add(&h, none[i]);
        assert_string_equal(h.next_link, "");
    }
}

static void test_dates(void **state)
{
    (void)state;
    dt_time t;
    static char const *const bad[] = {"",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun Nov  6 08:49:37 1994",
                                      "Sun, 06 Xyz 1994 08:49:37 GMT",
                                      "Sun, 36 Nov 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1969 08:49:37 GMT",
                                      "Sun, 06 Nov 0001 08:49:37 GMT",
                                      "Sun, 06 Nov 0099 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "SUN, 06 NOV 1994 08:49:37 GMT",
                                      "EST, 06 Nov 1994 08:49:37 GMT",
                                      "Sun,  6 Nov 1994 08:49:37 GMT",
                                      "Sun, +6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dt_http_date_parse(dt_bytes_str(bad[i]), &t), DT_E_PARSE);
    struct {
        char const *text;
        int64_t seconds;
    } const good[] = {{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                      {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
                      {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
                      {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
                      {"Fri, 01 Mar 2024 00:00:00 GMT", 1709251200}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(dt_http_date_parse(dt_bytes_str(good[i].text), &t), 0);
        assert_int_equal(t, DT_SECONDS(good[i].seconds));
    }
}

static void test_header_limits(void **state)
{
    (void)state;
    dt_http_headers h;
    dt_http_headers_init(&h);
    char line[1024];
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 64; i++)
        assert_int_equal(dt_http_headers_add(&h, dt_bytes_of(line, sizeof(line))), 0);
    assert_int_equal(dt_http_headers_add(&h, dt_bytes_of(line, 1)), DT_E_LIMIT);
    /* Interim responses do not reset the count of bytes. */
    assert_int_equal(dt_http_headers_add(&h, dt_bytes_str("HTTP/1.1 103 x\r\n")), DT_E_LIMIT);
}

static void test_retry_after(void **state)
{
    (void)state;
    dt_http_headers h;
    dt_http_headers_init(&h);
    assert_int_equal(dt_http_headers_retry_after(&h, 0), 0);
    add(&h, "Retry-After: 99999999999");
    assert_int_equal(dt_http_headers_retry_after(&h, 0), DT_HOURS(24));
    dt_http_headers_init(&h);
    add(&h, "retry-after: -5");
    assert_int_equal(dt_http_headers_retry_after(&h, 0), 0);
    dt_http_headers_init(&h);
    add(&h, "Retry-After: Thu, 01 Jan 1970 00:01:00 GMT");
    assert_int_equal(dt_http_headers_retry_after(&h, DT_SECONDS(50)), DT_SECONDS(10));
    assert_int_equal(dt_http_headers_retry_after(&h, DT_SECONDS(70)), 0);
    add(&h, "Date: Thu, 01 Jan 1970 00:00:30 GMT");
    assert_int_equal(dt_http_headers_retry_after(&h, DT_SECONDS(9999)), DT_SECONDS(30));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    struct CMUnitTest const tests[] = {
        T(test_get),
        T(test_statuses_are_not_failures),
        T(test_what_is_sent),
        T(test_connection_is_kept),
        T(test_headers),
        T(test_redirect_is_not_followed),
        T(test_broken_replies),
        T(test_timeouts),
        T(test_bad_servers),
        T(test_ca_files),
        T(test_changed_ca_file),
        T(test_no_connection),
        T(test_no_socket),
        T(test_no_name),
        T(test_held_up),
        T(test_environment_has_no_say),
        T(test_requests_that_are_not_sent),
        T(test_ocsp),
        T(test_only_ocsp_goes_by_http),
        T(test_post_is_not_repeated),
        T(test_many_at_once),
        T(test_queue),
        T(test_queue_moves_on_after_cancelling),
        T(test_queue_is_fair),
        T(test_full_queue),
        T(test_queue_is_left_after_a_while),
        T(test_free_abandons_the_queue),
        T(test_a_slow_call_holds_nobody),
        T(test_the_first_call_connects_alone),
        T(test_a_dead_host_holds_nobody),
        T(test_cancel),
        T(test_callback_starts_and_cancels),
        T(test_free_abandons),
        T(test_dead_dns),
        T(test_sockets_are_not_inherited),
        cmocka_unit_test(test_link_forms),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_header_limits),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
