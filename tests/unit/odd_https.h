/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For unit tests: starts tests/lib/odd_https.py, a server that misbehaves on request, and is a small
 * loop around dt_http to speak with it. */
#ifndef TESTS_ODD_HTTPS_H
#define TESTS_ODD_HTTPS_H

#include "edge/http_curl.h"

#include <poll.h>
#include <sys/types.h>

#define ODD_PORTS_MAX 24
#define ODD_WATCHES_MAX 256
#define ODD_PATIENCE 120000 /* milliseconds that a condition may take to come true */
#define ODD_SOON 30000      /* and one that must not wait for a time-out */

typedef struct odd_https {
    pid_t pid;
    int in;
    char dir[64];
    char ca_file[96];
    dt_tls_anchors *anchors; /* what is in it */
    struct {
        char name[24];
        int port;
    } ports[ODD_PORTS_MAX];
    int count;
} odd_https;

/* Fails the test when it does not start. */
void odd_https_start(odd_https *o);
void odd_https_stop(odd_https *o);
int odd_https_port(odd_https const *o, char const *name);
int64_t odd_mono(void);

/* What became of a call. */
typedef struct odd_reply {
    bool done;
    int times;          /* that the callback came */
    dt_http_response r; /* body, error and next_link are those below */
    char body[4096];
    size_t body_len;
    char error[1024];
    char next_link[DT_URL_MAX];
} odd_reply;

/* A loop of poll(2) around one dt_http. */
typedef struct odd_loop {
    dt_http *http;
    struct pollfd watches[ODD_WATCHES_MAX];
    int count;
    int64_t timer; /* when to call dt_http_timeout; -1 = not at all */
} odd_loop;

void odd_loop_open(odd_loop *l);
void odd_loop_close(odd_loop *l);
/* One round; waits at most `milliseconds`. */
void odd_loop_once(odd_loop *l, int milliseconds);
/* Until the reply is there; fails the test after ODD_PATIENCE. */
void odd_loop_wait(odd_loop *l, odd_reply const *reply);
/* The callback for dt_http_start; ctx is an odd_reply. */
void odd_done(void *ctx, dt_http_response const *r);
/* https://localhost:PORT + path. */
dt_http_request odd_request(odd_https const *o, char const *port, char const *path);
/* GET of a path on the good port, to its end. */
void odd_get(odd_loop *l, odd_https const *o, char const *path, odd_reply *reply);
/* What /control/... answers, as a number. */
int odd_control(odd_loop *l, odd_https const *o, char const *path);

#endif
