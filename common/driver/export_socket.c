/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics on a Unix socket, for whoever may connect: the service's own user and the group of the socket, which is the
 * directory's where that has the set-group-ID bit. HTTP as far as one GET needs it: a server of libevent's would
 * bring much more, and no limit on the whole time of a client. A client has a few seconds for everything, and there
 * are few at a time. */
#include "driver/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_MODE 0660

typedef struct client {
    struct client *next;
    dt_export_socket *socket;
    int fd;
    struct event *event; /* of the descriptor */
    struct event *limit, *silent;
    char request[DT_EXPORT_REQUEST_MAX + 1];
    size_t request_len;
    dt_buf answer; /* empty until it is known */
    size_t sent;
} client;

struct dt_export_socket {
    dt_export *export;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    ino_t inode;
    int fd;
    struct event *event;
    client *clients;
    size_t count;
};

static struct timeval milliseconds(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void event_drop(struct event *e)
{
    if (e != NULL)
        event_free(e);
}

/* --- a client's end ------------------------------------------------------------------------------- */

static void client_free(client *c)
{
    event_drop(c->event);
    event_drop(c->limit);
    event_drop(c->silent);
    close(c->fd);
    dt_buf_free(&c->answer);
    free(c);
}

static void client_gone(client *c)
{
    dt_export_socket *s = c->socket;
    client **at = &s->clients;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    s->count--;
    client_free(c);
    dt_export_socket_resume(s);
}

static void on_limit(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    client_gone(ctx);
}

/* --- the answer ----------------------------------------------------------------------------------- */

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    client *c = ctx;
    ssize_t n = send(fd, c->answer.p + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (c->sent += (size_t)n) == c->answer.len)
        client_gone(c);
}

static void send_answer(client *c)
{
    event_drop(c->event);
    event_drop(c->silent);
    c->silent = NULL;
    c->event =
        event_new(dt_export_base(c->socket->export), c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
    if (dt_buf_error(&c->answer) != 0 || c->event == NULL || event_add(c->event, NULL) != 0)
        client_gone(c);
}

static void answer_status(client *c, char const *status)
{
    dt_buf_printf(&c->answer,
                  "HTTP/1.1 %s\r\nContent-Length: 0\r\nAllow: GET\r\nConnection: close\r\n\r\n",
                  status);
    send_answer(c);
}

static void answer_text(client *c, dt_metrics_format format, bool http)
{
    dt_buf text;

    dt_buf_init(&text, DT_METRICS_TEXT_MAX);
    if (dt_export_text(c->socket->export, format, &text) != DT_OK) {
        dt_buf_free(&text);
        client_gone(c);
        return;
    }
    if (http)
        dt_buf_printf(&c->answer,
                      "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                      "Connection: close\r\n\r\n",
                      format == DT_METRICS_OPENMETRICS ? DT_METRICS_TYPE_OPENMETRICS
                                                       : DT_METRICS_TYPE_PROMETHEUS,
                      text.len);
    dt_buf_put(&c->answer, text.p, text.len);
    dt_buf_free(&text);
    send_answer(c);
}

/* Who names the older format alone gets it, everybody else OpenMetrics. */
static dt_metrics_format wanted_format(char const *request)
{
    char const *accept = strcasestr(request, "\naccept:");
    char line[512];

    if (accept == NULL)
        return DT_METRICS_OPENMETRICS;
    accept += strlen("\naccept:");
    size_t len = strcspn(accept, "\r\n");
    len = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
    memcpy(line, accept, len);
    line[len] = '\0';
    return strcasestr(line, "openmetrics") == NULL && strcasestr(line, "text/plain") != NULL
               ? DT_METRICS_PROMETHEUS
               : DT_METRICS_OPENMETRICS;
}

static bool asks_for(char const *request, char const *path)
{
    size_t len = strlen(path);

    request += strlen("GET ");
    return strncmp(request, path, len) == 0 && strchr(" ?\r\n", request[len]) != NULL;
}

static void answer_request(client *c)
{
    if (strncmp(c->request, "GET ", strlen("GET ")) != 0)
        answer_status(c, "405 Method Not Allowed");
    else if (!asks_for(c->request, "/metrics") && !asks_for(c->request, "/"))
        answer_status(c, "404 Not Found");
    else
        answer_text(c, wanted_format(c->request), true);
}

/* --- the request ---------------------------------------------------------------------------------- */

static void on_silent(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    client *c = ctx;

    if (c->request_len == 0)
        answer_text(c, DT_METRICS_OPENMETRICS, false);
}

static bool is_whole(client const *c)
{
    return strstr(c->request, "\r\n\r\n") != NULL || strstr(c->request, "\n\n") != NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    client *c = ctx;
    ssize_t n = recv(fd, c->request + c->request_len, DT_EXPORT_REQUEST_MAX - c->request_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 0 && c->request_len == 0) { /* "socat - UNIX-CONNECT:... </dev/null" */
        answer_text(c, DT_METRICS_OPENMETRICS, false);
        return;
    }
    if (n <= 0) {
        client_gone(c);
        return;
    }
    c->request_len += (size_t)n;
    c->request[c->request_len] = '\0';
    if (memchr(c->request, '\0', c->request_len) != NULL)
        answer_status(c, "400 Bad Request");
    else if (is_whole(c))
        answer_request(c);
    else if (c->request_len == DT_EXPORT_REQUEST_MAX)
        answer_status(c, "431 Request Header Fields Too Large");
}

static void client_new(dt_export_socket *s, int fd)
{
    struct event_base *base = dt_export_base(s->export);
    struct timeval const limit = milliseconds(DT_EXPORT_CLIENT_MS);
    struct timeval const silent = milliseconds(DT_EXPORT_SILENT_MS);
    client *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        close(fd);
        return;
    }
    c->socket = s;
    c->fd = fd;
    dt_buf_init(&c->answer, DT_METRICS_TEXT_MAX + DT_EXPORT_REQUEST_MAX);
    c->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->limit = evtimer_new(base, on_limit, c);
    c->silent = evtimer_new(base, on_silent, c);
    if (c->event == NULL || c->limit == NULL || c->silent == NULL ||
        event_add(c->event, NULL) != 0 || event_add(c->limit, &limit) != 0 ||
        event_add(c->silent, &silent) != 0) {
        client_free(c);
        return;
    }
    c->next = s->clients;
    s->clients = c;
    s->count++;
}

/* --- listening ------------------------------------------------------------------------------------ */

/* Without descriptors, taking clients rests until one has gone, or the next file is written. */
static void on_connection(evutil_socket_t listen_fd, short what, void *ctx)
{
    (void)what;
    dt_export_socket *s = ctx;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        client_new(s, fd);
    else if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    if (fd < 0 || s->count >= DT_EXPORT_CLIENTS_MAX)
        event_del(s->event);
}

void dt_export_socket_resume(dt_export_socket *s)
{
    if (s->event != NULL && s->count < DT_EXPORT_CLIENTS_MAX)
        event_add(s->event, NULL);
}

/* Whoever holds the lock owns what is left there. */
static int remove_former(char const *path, dt_error *e)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return DT_OK;
    if (!S_ISSOCK(st.st_mode))
        return dt_error_set(e, DT_E_EXISTS, "%s exists and is not a socket", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    return DT_OK;
}

/* Linux makes the socket with the mode of its descriptor, less the umask, so that it never has another one. */
static int listen_at(dt_export_socket *s, dt_error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    memcpy(address.sun_path, s->path, sizeof(address.sun_path));
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || fchmod(s->fd, SOCKET_MODE) != 0 ||
        bind(s->fd, (struct sockaddr const *)&address, sizeof(address)) != 0 ||
        chmod(s->path, SOCKET_MODE) != 0 || listen(s->fd, DT_EXPORT_BACKLOG) != 0 ||
        lstat(s->path, &st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", s->path, strerror(errno));
    s->inode = st.st_ino;
    return DT_OK;
}

int dt_export_socket_open(dt_export *x, dt_export_output *o, dt_export_socket **out, dt_error *e)
{
    *out = NULL;
    dt_export_socket *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    s->export = x;
    s->fd = -1;
    int rc = dt_str_copy(s->path, sizeof(s->path), o->path);
    if (rc != DT_OK)
        (void)dt_error_set(e, rc, "%s: longer than a socket's path may be", o->path);
    if (rc == DT_OK)
        rc = dt_export_lock(o, e);
    if (rc == DT_OK)
        rc = remove_former(s->path, e);
    if (rc == DT_OK)
        rc = listen_at(s, e);
    if (rc == DT_OK) {
        s->event = event_new(dt_export_base(x), s->fd, EV_READ | EV_PERSIST, on_connection, s);
        if (s->event == NULL || event_add(s->event, NULL) != 0)
            rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    if (rc != DT_OK)
        dt_export_socket_close(&s);
    *out = s;
    return rc;
}

void dt_export_socket_close(dt_export_socket **socket)
{
    dt_export_socket *s = *socket;
    struct stat st;

    *socket = NULL;
    if (s == NULL)
        return;
    event_drop(s->event);
    s->event = NULL; /* no client is taken any more */
    while (s->clients != NULL)
        client_gone(s->clients);
    if (s->inode != 0 && lstat(s->path, &st) == 0 && st.st_ino == s->inode)
        (void)unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}
