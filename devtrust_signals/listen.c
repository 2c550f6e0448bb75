/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listener behind the site's reverse proxy, by libmicrohttpd: pushes of transmitters (RFC 8935) and Okta's event
 * hooks. Who does not send the header that was agreed is refused before the body is read. */
#include "devtrust_signals/receiver.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define CONNECTIONS_MAX 128           /* at a time; the reverse proxy waits with the rest */
#define CONNECTION_MEMORY (16 * 1024) /* of request line and headers */
#define CONNECTION_TIMEOUT 5          /* seconds without a byte */
#define WAITING_MAX 64                /* pushes that wait for keys */
#define RETRY_AFTER "10"              /* seconds, in a 503 */
#define PUSH_PATH "/ssf/"
#define HOOK_PATH "/okta/events"
#define SET_TYPE "application/secevent+jwt"
#define JSON_TYPE "application/json"
#define CHALLENGE "X-Okta-Verification-Challenge"
#define ANSWER_MAX 1024

typedef enum kind { KIND_PUSH = 1, KIND_HOOK, KIND_CHALLENGE } kind;

/* One request, from its headers to its answer. */
typedef struct request {
    kind kind;
    dt_transmitter *transmitter; /* of a push */
    dt_buf body;
    unsigned refused; /* a status that is sent instead once the body is over; 0: none */
    struct MHD_Connection *connection;
    struct request *next; /* of those that wait for keys */
    bool waits;           /* suspended */
    bool final;           /* the keys were read again: what is not known now is refused */
    bool no_keys;         /* they could not be */
} request;

struct dt_listener {
    dt_receiver *receiver;
    struct MHD_Daemon *daemon;
    struct event *event, *timer;
    request *waiting;
    size_t waiting_count;
};

/* --- answers ------------------------------------------------------------------------------------- */

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, char const *type,
                                 char const *text, char const *header, char const *value)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                             MHD_RESPMEM_MUST_COPY);
    enum MHD_Result sent = MHD_NO;

    if (r == NULL)
        return MHD_NO;
    if (*text != '\0')
        (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (header != NULL)
        (void)MHD_add_response_header(r, header, value);
    sent = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return sent;
}

static enum MHD_Result send_status(struct MHD_Connection *c, unsigned status)
{
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        return send_text(c, status, "", "", MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        return send_text(c, status, "", "", MHD_HTTP_HEADER_ALLOW, "POST");
    return send_text(c, status, "", "", NULL, NULL);
}

/* RFC 8935 section 2.3. */
static enum MHD_Result send_fault(struct MHD_Connection *c, dt_set_fault fault,
                                  char const *description)
{
    char text[ANSWER_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "{\"err\":\"%s\",\"description\":", dt_set_fault_word(fault));
    dt_json_put_string(&b, description);
    dt_buf_puts(&b, "}");
    if (dt_buf_error(&b) != DT_OK)
        return send_status(c, MHD_HTTP_BAD_REQUEST);
    return send_text(c, MHD_HTTP_BAD_REQUEST, JSON_TYPE, text, MHD_HTTP_HEADER_CONTENT_LANGUAGE,
                     "en");
}

/* --- whose request it is ------------------------------------------------------------------------- */

static dt_transmitter *find_transmitter(dt_receiver *r, char const *name)
{
    for (size_t i = 0; i < r->transmitter_count; i++) {
        if (r->transmitters[i]->config->delivery == DT_SIGNALS_BY_PUSH &&
            strcmp(r->transmitters[i]->config->name, name) == 0)
            return r->transmitters[i];
    }
    return NULL;
}

static char const *header_of(struct MHD_Connection *c, char const *name)
{
    char const *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

    return value != NULL ? value : "";
}

/* In constant time; nothing equals a secret that is not there. */
static bool has_secret(struct MHD_Connection *c, dt_secret const *secret)
{
    return dt_secret_equal(secret, dt_bytes_str(header_of(c, MHD_HTTP_HEADER_AUTHORIZATION)));
}

/* A type without its parameters. */
static bool is_type(struct MHD_Connection *c, char const *type)
{
    char const *given = header_of(c, MHD_HTTP_HEADER_CONTENT_TYPE);
    char word[64];
    size_t const n = strcspn(given, "; \t");

    if (n >= sizeof(word))
        return false;
    memcpy(word, given, n);
    word[n] = '\0';
    return dt_str_equal_nocase(word, type);
}

static unsigned check_push(request *q, struct MHD_Connection *c)
{
    dt_secret const *secret = q->transmitter->push_secret;

    if (secret != NULL && !has_secret(c, secret)) {
        q->transmitter->counts.refused++;
        dt_signals_log_refusal(q->transmitter->receiver, q->transmitter->config->name,
                               "a push without the secret of push_secret_file");
        return MHD_HTTP_UNAUTHORIZED;
    }
    return is_type(c, SET_TYPE) ? 0 : MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

static unsigned check_hook(dt_receiver *r, struct MHD_Connection *c)
{
    if (!has_secret(c, r->hook_secret)) {
        r->hooks.refused++;
        dt_signals_log_refusal(r, "okta hook",
                               "an event hook without the secret of okta_hook_secret_file");
        return MHD_HTTP_UNAUTHORIZED;
    }
    return is_type(c, JSON_TYPE) ? 0 : MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

/* Fills the kind of a request; 0, or the status by which it is refused. */
static unsigned sort(dt_listener *l, request *q, struct MHD_Connection *c, char const *url,
                     char const *method)
{
    bool const post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

    if (strcmp(url, HOOK_PATH) == 0) {
        if (l->receiver->hook_secret == NULL)
            return MHD_HTTP_NOT_FOUND;
        q->kind = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ? KIND_CHALLENGE : KIND_HOOK;
        if (q->kind == KIND_CHALLENGE)
            return 0;
        return post ? check_hook(l->receiver, c) : MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (strncmp(url, PUSH_PATH, strlen(PUSH_PATH)) != 0)
        return MHD_HTTP_NOT_FOUND;
    q->kind = KIND_PUSH;
    q->transmitter = find_transmitter(l->receiver, url + strlen(PUSH_PATH));
    if (q->transmitter == NULL)
        return MHD_HTTP_NOT_FOUND;
    return post ? check_push(q, c) : MHD_HTTP_METHOD_NOT_ALLOWED;
}

/* --- whole requests ------------------------------------------------------------------------------ */

/* Keeps the push until the keys were read; false when there are too many, or the keys take longer. */
static bool wait_for_keys(dt_listener *l, request *q)
{
    if (l->waiting_count == WAITING_MAX || !dt_transmitter_want_keys(q->transmitter))
        return false;
    q->waits = true;
    q->next = l->waiting;
    l->waiting = q;
    l->waiting_count++;
    MHD_suspend_connection(q->connection);
    return true;
}

static enum MHD_Result answer_push(dt_listener *l, request *q)
{
    dt_set_fault fault;
    dt_error e = {0};

    if (q->no_keys)
        return send_status(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    switch (dt_take_token(q->transmitter, dt_bytes_trim(dt_buf_bytes(&q->body), "\r\n"), NULL,
                          &fault, &e)) {
    case DT_TAKEN_OK:
        return send_status(q->connection, MHD_HTTP_ACCEPTED);
    case DT_TAKEN_NOT_WRITTEN:
        dt_signals_log_refusal(l->receiver, q->transmitter->config->name, e.text);
        return send_status(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    case DT_TAKEN_KEY:
        if (!q->final && wait_for_keys(l, q))
            return MHD_YES;
        if (!q->final)
            return send_status(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE);
        q->transmitter->counts.refused++;
        dt_signals_log_refusal(l->receiver, q->transmitter->config->name, e.text);
        break;
    case DT_TAKEN_REFUSED:
        break;
    }
    return send_fault(q->connection, fault, e.text);
}

/* Okta tries once more after 5xx and never after 4xx. */
static enum MHD_Result answer_hook(dt_listener *l, request *q)
{
    dt_error e = {0};

    switch (dt_take_hook(l->receiver, dt_buf_bytes(&q->body), &e)) {
    case DT_TAKEN_OK:
        return send_status(q->connection, MHD_HTTP_NO_CONTENT);
    case DT_TAKEN_REFUSED:
        return send_status(q->connection, MHD_HTTP_BAD_REQUEST);
    case DT_TAKEN_KEY:
    case DT_TAKEN_NOT_WRITTEN:
        break;
    }
    dt_signals_log_refusal(l->receiver, "okta hook", e.text);
    return send_status(q->connection, MHD_HTTP_INTERNAL_SERVER_ERROR);
}

static enum MHD_Result answer_challenge(request *q)
{
    char text[2 * DT_OKTA_HOOK_CHALLENGE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    if (dt_okta_hook_put_verification(header_of(q->connection, CHALLENGE), &b) != DT_OK)
        return send_status(q->connection, MHD_HTTP_BAD_REQUEST);
    dt_signals_log(LOG_NOTICE, "okta hook: answered the verification of an event hook");
    return send_text(q->connection, MHD_HTTP_OK, JSON_TYPE, text, NULL, NULL);
}

static enum MHD_Result answer(dt_listener *l, request *q)
{
    if (q->refused != 0)
        return send_status(q->connection, q->refused);
    switch (q->kind) {
    case KIND_PUSH:
        return answer_push(l, q);
    case KIND_HOOK:
        return answer_hook(l, q);
    case KIND_CHALLENGE:
        return answer_challenge(q);
    }
    return MHD_NO;
}

/* --- libmicrohttpd ------------------------------------------------------------------------------- */

static enum MHD_Result begin(dt_listener *l, struct MHD_Connection *c, char const *url,
                             char const *method, void **state)
{
    request *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return MHD_NO;
    q->connection = c;
    *state = q;
    unsigned const status = sort(l, q, c, url, method);
    dt_buf_init(&q->body, q->kind == KIND_HOOK   ? DT_OKTA_HOOK_BODY_MAX
                          : q->kind == KIND_PUSH ? DT_SET_MAX + 2
                                                 : 1);
    if (status == 0)
        return MHD_YES;
    q->refused = status;
    return send_status(c, status); /* and the connection ends: no body is read */
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, char const *url,
                                  char const *method, char const *version, char const *data,
                                  size_t *size, void **state)
{
    dt_listener *l = ctx;
    request *q = *state;

    (void)version;
    if (q == NULL)
        return begin(l, c, url, method, state);
    if (*size > 0) {
        if (q->refused == 0)
            dt_buf_put(&q->body, data, *size);
        if (q->refused == 0 && dt_buf_error(&q->body) != DT_OK) {
            dt_buf_free(&q->body);
            q->refused = MHD_HTTP_CONTENT_TOO_LARGE;
        }
        *size = 0;
        return MHD_YES;
    }
    return answer(l, q);
}

static void stop_waiting(dt_listener *l, request *q)
{
    for (request **at = &l->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == q) {
            *at = q->next;
            l->waiting_count--;
            return;
        }
    }
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode end)
{
    request *q = *state;

    (void)c;
    (void)end;
    if (q == NULL)
        return;
    if (q->waits)
        stop_waiting(ctx, q);
    dt_buf_free(&q->body);
    free(q);
    *state = NULL;
}

/* --- on the loop --------------------------------------------------------------------------------- */

static void run(dt_listener *l)
{
    MHD_UNSIGNED_LONG_LONG milliseconds = 0;

    (void)MHD_run(l->daemon);
    if (MHD_get_timeout(l->daemon, &milliseconds) == MHD_YES) {
        struct timeval const time =
            dt_loop_time(milliseconds < 60000 ? (dt_time)milliseconds : 60000);
        (void)event_add(l->timer, &time);
    }
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    run(ctx);
}

void dt_listener_go_on(dt_listener *l, dt_transmitter *t)
{
    struct timeval const soon = {0};
    bool const read = t->failures == 0;

    for (request **at = &l->waiting; *at != NULL;) {
        request *q = *at;
        if (q->transmitter != t) {
            at = &q->next;
            continue;
        }
        *at = q->next;
        l->waiting_count--;
        q->waits = false;
        q->final = true;
        q->no_keys = !read;
        MHD_resume_connection(q->connection);
    }
    (void)event_add(l->timer, &soon);
}

/* "127.0.0.1:8931" or "[::1]:8931"; the configuration was checked. */
static void read_address(char const *listen, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in_port_t const port = htons((in_port_t)strtoul(strrchr(listen, ':') + 1, NULL, 10));

    memset(out, 0, sizeof(*out));
    if (listen[0] == '[') {
        in6->sin6_family = AF_INET6;
        in6->sin6_addr = in6addr_loopback;
        in6->sin6_port = port;
    } else {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in->sin_port = port;
    }
}

static int start_daemon(dt_listener *l, dt_error *e)
{
    struct sockaddr_storage address;
    char const *listen = l->receiver->config->signals.listen;

    read_address(listen, &address);
    l->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (listen[0] == '[' ? MHD_USE_IPv6 : 0), 0, NULL,
        NULL, on_request, l, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, l, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (l->daemon == NULL) {
        (void)dt_error_set(e, DT_E_IO, "nothing can listen at %s; look who does already: ss -ltnp",
                           listen);
        return dt_config_blame(l->receiver->config, "signals", "listen", e, DT_E_IO);
    }
    return DT_OK;
}

static int watch_daemon(dt_listener *l, dt_error *e)
{
    union MHD_DaemonInfo const *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct event_base *base = dt_loop_base(l->receiver->loop);

    l->timer = evtimer_new(base, on_event, l);
    if (info != NULL)
        l->event = event_new(base, info->epoll_fd, EV_READ | EV_PERSIST, on_event, l);
    if (l->timer == NULL || l->event == NULL || event_add(l->event, NULL) != 0)
        return dt_error_set(e, DT_E_NOMEM, "the listener cannot be watched");
    run(l);
    return DT_OK;
}

int dt_listener_new(dt_receiver *r, dt_listener **out, dt_error *e)
{
    dt_listener *l = calloc(1, sizeof(*l));

    *out = NULL;
    if (l == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    l->receiver = r;
    int rc = start_daemon(l, e);
    if (rc == DT_OK)
        rc = watch_daemon(l, e);
    if (rc != DT_OK)
        dt_listener_free(&l);
    *out = l;
    return rc;
}

/* Pushes that wait are answered by nobody: they come again. */
static void release_waiting(dt_listener *l)
{
    while (l->waiting != NULL) {
        request *q = l->waiting;
        l->waiting = q->next;
        q->waits = false;
        q->no_keys = true;
        MHD_resume_connection(q->connection);
    }
    l->waiting_count = 0;
}

void dt_listener_free(dt_listener **l)
{
    if (*l == NULL)
        return;
    if ((*l)->event != NULL)
        event_free((*l)->event);
    if ((*l)->timer != NULL)
        event_free((*l)->timer);
    release_waiting(*l);
    if ((*l)->daemon != NULL)
        MHD_stop_daemon((*l)->daemon);
    free(*l);
    *l = NULL;
}
