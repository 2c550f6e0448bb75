/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SSH agent that came along with a sign-on: sends it a message, reads the answer, on the loop. The
 * agent is the client's: it may send too much, too little, or nothing, and gets no more than the time
 * that the machine gives it and no more memory than one answer may take. */
#include "driver/internal.h"

#include "edge/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_SIZE 4
#define READ_SIZE 4096

struct dt_agent_link {
    int fd; /* -1: nothing more is said over it */
    struct event *event;
    dt_buf out; /* the message under way; empty between two */
    size_t sent;
    dt_buf in; /* the answer with its length */
    bool busy;
    int64_t until; /* monotonic milliseconds */
};

typedef enum progress { PENDING = 0, COMPLETE, FAILED } progress;

static void hang_up(dt_agent_link *a)
{
    if (a->event != NULL)
        event_free(a->event);
    if (a->fd >= 0)
        close(a->fd);
    a->event = NULL;
    a->fd = -1;
}

void dt_agent_close(dt_agent_link **agent)
{
    dt_agent_link *a = *agent;

    *agent = NULL;
    if (a == NULL)
        return;
    hang_up(a);
    dt_buf_free(&a->out);
    dt_buf_free(&a->in);
    free(a);
}

void dt_run_take_agent(dt_run *run, int fd)
{
    dt_agent_link *a = calloc(1, sizeof(*a));

    dt_agent_close(&run->agent);
    if (a == NULL) { /* then it has none */
        close(fd);
        return;
    }
    a->fd = fd;
    dt_buf_init(&a->out, DT_STORE_VALUE_MAX);
    dt_buf_init(&a->in, LENGTH_SIZE + DT_AGENT_REPLY_MAX);
    run->agent = a;
}

/* --- the conversation ------------------------------------------------------------------------- */

static progress after_error(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? PENDING : FAILED;
}

static progress send_rest(dt_agent_link *a)
{
    while (a->sent < a->out.len) {
        ssize_t n =
            send(a->fd, a->out.p + a->sent, a->out.len - a->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return after_error();
        a->sent += (size_t)n;
    }
    return COMPLETE;
}

/* Bytes that the answer still lacks; SIZE_MAX for one that is too long, or empty. */
static size_t missing(dt_agent_link const *a)
{
    uint8_t const *p = (uint8_t const *)a->in.p;
    size_t len;

    if (a->in.len < LENGTH_SIZE)
        return LENGTH_SIZE - a->in.len;
    len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len == 0 || len > DT_AGENT_REPLY_MAX)
        return SIZE_MAX;
    return LENGTH_SIZE + len - a->in.len;
}

/* Takes no byte after the answer's end. */
static progress read_rest(dt_agent_link *a)
{
    uint8_t chunk[READ_SIZE];
    size_t left;

    while ((left = missing(a)) != 0) {
        if (left == SIZE_MAX)
            return FAILED;
        ssize_t n = recv(a->fd, chunk, left < sizeof(chunk) ? left : sizeof(chunk), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return after_error();
        if (n == 0)
            return FAILED;
        dt_buf_put(&a->in, chunk, (size_t)n);
        if (dt_buf_error(&a->in) < 0)
            return FAILED;
    }
    return COMPLETE;
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_run_step(ctx);
}

static bool watch(dt_run *run, dt_agent_link *a)
{
    short what = a->sent < a->out.len ? EV_WRITE : EV_READ;

    if (a->event != NULL)
        event_free(a->event);
    a->event = event_new(run->driver->base, a->fd, what, on_ready, run);
    return a->event != NULL && event_add(a->event, NULL) == 0;
}

static void begin(dt_agent_link *a, dt_agent_request const *r)
{
    a->busy = true;
    a->until = dt_driver_mono() + r->timeout;
    a->sent = 0;
    dt_buf_reset(&a->out);
    dt_buf_reset(&a->in);
    dt_buf_put(&a->out, r->message.p, r->message.len);
}

/* --- for the run ------------------------------------------------------------------------------ */

static dt_agent_answer feed(dt_run *run, int error, char const *text, dt_bytes reply)
{
    dt_agent_result const r = {.error = error, .text = text, .reply = reply};

    dt_signon_agent_done(run->machine, &r, dt_host_now());
    return DT_AGENT_FED;
}

/* Whatever it says from now on could be the answer to something else. */
static dt_agent_answer fail(dt_run *run, int error, char const *text)
{
    hang_up(run->agent);
    run->agent->busy = false;
    return feed(run, error, text, dt_bytes_of(NULL, 0));
}

dt_agent_answer dt_agent_ask(dt_run *run, dt_agent_request const *r, int64_t *until)
{
    dt_agent_link *a = run->agent;
    progress p;

    if (a == NULL)
        return feed(run, DT_E_NOT_FOUND, "no agent was passed on", dt_bytes_of(NULL, 0));
    if (a->fd < 0)
        return feed(run, DT_E_UNAVAILABLE, "the agent closed the connection", dt_bytes_of(NULL, 0));
    if (!a->busy)
        begin(a, r);
    p = dt_buf_error(&a->out) < 0 ? FAILED : send_rest(a);
    if (p == COMPLETE)
        p = read_rest(a);
    if (p == COMPLETE) {
        a->busy = false;
        return feed(run, DT_OK, "",
                    dt_bytes_of((uint8_t const *)a->in.p + LENGTH_SIZE, a->in.len - LENGTH_SIZE));
    }
    if (p == FAILED)
        return fail(run, DT_E_UNAVAILABLE,
                    "the agent closed the connection, or its answer has a wrong length");
    if (dt_driver_mono() >= a->until)
        return fail(run, DT_E_UNAVAILABLE, "the agent did not answer in time");
    if (!watch(run, a))
        return fail(run, DT_E_NOMEM, "out of memory");
    *until = a->until;
    return DT_AGENT_WAITS;
}
