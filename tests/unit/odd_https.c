/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The odd server's process, and a loop to speak with it. */
#include "odd_https.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALL_TIMEOUT DT_SECONDS(20)

int64_t odd_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void run_server(odd_https const *o, int in, int out)
{
    char const *root = getenv("DEVTRUST_ROOT");
    char script[512];
    snprintf(script, sizeof(script), "%s/tests/lib/odd_https.py", root != NULL ? root : ".");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsetenv("LD_PRELOAD");
    dup2(in, 0);
    dup2(out, 1);
    /* By its whole name: it looks for its library beside what argv[0] finds in PATH. */
    execl("/usr/bin/python3", "/usr/bin/python3", script, o->dir, (char *)NULL);
    _exit(127);
}

static void read_ports(odd_https *o, FILE *from)
{
    char name[24];
    int port;
    while (fscanf(from, "%23s %d", name, &port) == 2) {
        if (strcmp(name, "ready") == 0)
            return;
        assert_true(o->count < ODD_PORTS_MAX);
        memcpy(o->ports[o->count].name, name, sizeof(name));
        o->ports[o->count++].port = port;
    }
    fail_msg("tests/lib/odd_https.py did not start");
}

void odd_https_start(odd_https *o)
{
    memset(o, 0, sizeof(*o));
    strcpy(o->dir, "/tmp/dt-odd-XXXXXX");
    assert_non_null(mkdtemp(o->dir));
    snprintf(o->ca_file, sizeof(o->ca_file), "%s/ca.pem", o->dir);
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    o->pid = fork();
    assert_true(o->pid >= 0);
    if (o->pid == 0)
        run_server(o, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    o->in = in[1];
    FILE *from = fdopen(out[0], "r");
    assert_non_null(from);
    read_ports(o, from);
    fclose(from);
    assert_int_equal(dt_tls_anchors_read(o->ca_file, &o->anchors, NULL), 0);
}

void odd_https_stop(odd_https *o)
{
    dt_tls_anchors_free(&o->anchors);
    close(o->in);
    kill(o->pid, SIGKILL);
    waitpid(o->pid, NULL, 0);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", o->dir);
    assert_int_equal(system(command), 0);
}

int odd_https_port(odd_https const *o, char const *name)
{
    for (int i = 0; i < o->count; i++) {
        if (strcmp(o->ports[i].name, name) == 0)
            return o->ports[i].port;
    }
    fail_msg("no port %s", name);
    return 0;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void on_watch(void *ctx, int fd, int what)
{
    odd_loop *l = ctx;
    int i = 0;
    while (i < l->count && l->watches[i].fd != fd)
        i++;
    assert_true(i < ODD_WATCHES_MAX);
    if (i == l->count)
        l->count++;
    short events = (short)(((what & 1) != 0 ? POLLIN : 0) | ((what & 2) != 0 ? POLLOUT : 0));
    l->watches[i] = (struct pollfd){.fd = fd, .events = events};
    if (what == 0)
        l->watches[i] = l->watches[--l->count];
}

static void on_timer(void *ctx, long milliseconds)
{
    odd_loop *l = ctx;
    l->timer = milliseconds < 0 ? -1 : odd_mono() + milliseconds;
}

void odd_loop_open(odd_loop *l)
{
    dt_error e = {0};
    memset(l, 0, sizeof(*l));
    l->timer = -1;
    assert_int_equal(dt_http_new(on_watch, on_timer, l, &l->http, &e), 0);
}

void odd_loop_close(odd_loop *l)
{
    dt_http_free(&l->http);
}

void odd_loop_once(odd_loop *l, int milliseconds)
{
    if (l->timer >= 0) {
        int64_t left = l->timer - odd_mono();
        milliseconds = left < 0 ? 0 : left < milliseconds ? (int)left : milliseconds;
    }
    struct pollfd seen[ODD_WATCHES_MAX];
    int count = l->count;
    memcpy(seen, l->watches, (size_t)count * sizeof(seen[0]));
    poll(seen, (nfds_t)count, milliseconds);
    if (l->timer >= 0 && odd_mono() >= l->timer) {
        l->timer = -1;
        dt_http_timeout(l->http);
    }
    for (int i = 0; i < count; i++) {
        int bits = ((seen[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? 1 : 0) |
                   ((seen[i].revents & (POLLOUT | POLLERR)) != 0 ? 2 : 0);
        if (bits != 0)
            dt_http_ready(l->http, seen[i].fd, bits);
    }
}

void odd_loop_wait(odd_loop *l, odd_reply const *reply)
{
    int64_t start = odd_mono();
    while (!reply->done) {
        assert_true(odd_mono() - start < ODD_PATIENCE);
        odd_loop_once(l, 1000);
    }
}

void odd_done(void *ctx, dt_http_response const *r)
{
    odd_reply *reply = ctx;
    reply->done = true;
    reply->times++;
    reply->r = *r;
    reply->body_len = r->body.len;
    size_t kept = r->body.len < sizeof(reply->body) ? r->body.len : sizeof(reply->body) - 1;
    if (kept > 0)
        memcpy(reply->body, r->body.p, kept);
    reply->body[kept] = '\0';
    snprintf(reply->error, sizeof(reply->error), "%s", r->error);
    snprintf(reply->next_link, sizeof(reply->next_link), "%s", r->next_link);
}

dt_http_request odd_request(odd_https const *o, char const *port, char const *path)
{
    dt_http_request r;
    memset(&r, 0, sizeof(r));
    r.timeout = CALL_TIMEOUT;
    snprintf(r.url, sizeof(r.url), "https://localhost:%d%s", odd_https_port(o, port), path);
    return r;
}

void odd_get(odd_loop *l, odd_https const *o, char const *path, odd_reply *reply)
{
    dt_http_request r = odd_request(o, "good", path);
    dt_http_call *call = NULL;
    memset(reply, 0, sizeof(*reply));
    assert_int_equal(
        dt_http_start(l->http, &r, &(dt_http_way){.anchors = o->anchors}, odd_done, reply, &call),
        0);
    assert_non_null(call);
    odd_loop_wait(l, reply);
}

int odd_control(odd_loop *l, odd_https const *o, char const *path)
{
    odd_reply reply;
    odd_get(l, o, path, &reply);
    assert_int_equal(reply.r.failure, DT_HTTP_OK);
    assert_int_equal(reply.r.status, 200);
    return atoi(reply.body);
}
