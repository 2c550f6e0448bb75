/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A RADIUS client for measuring: radclient makes a process's worth of work of each request and would
 * be what is measured. Packets are made beforehand, with a Message-Authenticator; replies are checked.
 *
 *   radius_load load ... --concurrency C --seconds S [--rate R]
 *     C sockets, each with one request under way: as fast as they are answered, or R a second in all.
 *     Prints one line: requests/s, answers by code, percentiles in microseconds.
 *   radius_load park ... --count N
 *     One request each of the users PREFIX00000... ; then waits until standard input ends, and prints
 *     how many were answered meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define PACKET_MAX 1024
#define VALUE_MAX 253 /* bytes of an attribute's value, RFC 2865 section 5 */
#define PAIRS_MAX 4   /* Cisco-AVPair attributes */
#define IDS 64        /* identifiers of one socket: the server remembers each for cleanup_delay */
#define ROUNDS 2      /* packets per identifier, so that no request is a retransmit of the last */
#define SLOTS_MAX 256
#define SAMPLES_MAX (8 * 1024 * 1024)
#define LOST_AFTER 5000000000LL /* ns; a request that is not answered by then is counted as lost */
#define PARK_PER_SOCKET 200
#define PARK_PAUSE 500000L /* ns between two parked requests: a burst would overrun the server */
#define REPLY_ACCEPT 2
#define REPLY_REJECT 3
#define REPLY_CHALLENGE 11
#define ATTRIBUTE_USER_NAME 1
#define ATTRIBUTE_USER_PASSWORD 2
#define ATTRIBUTE_VENDOR_SPECIFIC 26
#define ATTRIBUTE_CALLING_STATION_ID 31
#define ATTRIBUTE_NAS_IDENTIFIER 32
#define ATTRIBUTE_MESSAGE_AUTHENTICATOR 80
#define HEAD 20
#define MD5_LEN 16

typedef struct options {
    int port;
    char const *secret;
    char const *user;
    char const *password;
    char const *nas;
    char const *station;
    char const *pairs[PAIRS_MAX];
    int pair_count;
    int concurrency;
    double seconds;
    double rate;
    int count;
} options;

typedef struct packet {
    uint8_t data[PACKET_MAX];
    size_t len;
} packet;

typedef struct slot {
    int fd;
    int id;
    int round;
    bool waiting;
    int64_t sent;
    int64_t due; /* when the next one may go */
    packet (*packets)[IDS];
} slot;

typedef struct tally {
    uint32_t *samples; /* microseconds */
    size_t answered;
    size_t accepts, rejects, challenges, others, lost, forged;
} tally;

static void die(char const *what)
{
    fprintf(stderr, "radius_load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- packets ---------------------------------------------------------------------------------- */

static void md5_of(uint8_t const *a, size_t a_len, void const *b, size_t b_len, uint8_t *out)
{
    uint8_t text[PACKET_MAX + VALUE_MAX];

    if (a_len > PACKET_MAX || b_len > VALUE_MAX)
        exit(EXIT_FAILURE);
    memcpy(text, a, a_len);
    memcpy(text + a_len, b, b_len);
    EVP_Digest(text, a_len + b_len, out, NULL, EVP_md5(), NULL);
}

static void put(packet *p, int type, void const *value, size_t len)
{
    if (len > VALUE_MAX || p->len + len + 2 > PACKET_MAX) {
        fprintf(stderr, "radius_load: attribute %d is too long\n", type);
        exit(EXIT_FAILURE);
    }
    p->data[p->len++] = (uint8_t)type;
    p->data[p->len++] = (uint8_t)(len + 2);
    memcpy(p->data + p->len, value, len);
    p->len += len;
}

static void put_text(packet *p, int type, char const *text)
{
    if (text)
        put(p, type, text, strlen(text));
}

/* RFC 2865 section 5.2; passwords of one block are enough here. */
static void put_password(packet *p, options const *o)
{
    uint8_t hidden[MD5_LEN] = {0};
    uint8_t mask[MD5_LEN];
    size_t len = strlen(o->password);

    memcpy(hidden, o->password, len < MD5_LEN ? len : MD5_LEN);
    md5_of((uint8_t const *)o->secret, strlen(o->secret), p->data + 4, MD5_LEN, mask);
    for (int i = 0; i < MD5_LEN; i++)
        hidden[i] ^= mask[i];
    put(p, ATTRIBUTE_USER_PASSWORD, hidden, sizeof(hidden));
}

static void put_pair(packet *p, char const *text)
{
    uint8_t value[VALUE_MAX] = {0, 0, 0, 9, 1}; /* Cisco, Cisco-AVPair */
    size_t len = strlen(text);

    if (len > VALUE_MAX - 6)
        exit(EXIT_FAILURE);
    value[5] = (uint8_t)(len + 2);
    memcpy(value + 6, text, len);
    put(p, ATTRIBUTE_VENDOR_SPECIFIC, value, len + 6);
}

static void make_packet(options const *o, char const *user, int id, packet *p)
{
    uint8_t mac[EVP_MAX_MD_SIZE] = {0};
    unsigned mac_len = 0;

    p->data[0] = 1; /* Access-Request */
    p->data[1] = (uint8_t)id;
    p->len = HEAD;
    if (RAND_bytes(p->data + 4, MD5_LEN) != 1)
        die("RAND_bytes");
    put_text(p, ATTRIBUTE_USER_NAME, user);
    put_password(p, o);
    put_text(p, ATTRIBUTE_NAS_IDENTIFIER, o->nas);
    put_text(p, ATTRIBUTE_CALLING_STATION_ID, o->station);
    for (int i = 0; i < o->pair_count; i++)
        put_pair(p, o->pairs[i]);
    put(p, ATTRIBUTE_MESSAGE_AUTHENTICATOR, mac, MD5_LEN);
    p->data[2] = (uint8_t)(p->len >> 8);
    p->data[3] = (uint8_t)p->len;
    HMAC(EVP_md5(), o->secret, (int)strlen(o->secret), p->data, p->len, mac, &mac_len);
    memcpy(p->data + p->len - MD5_LEN, mac, MD5_LEN);
}

/* Whether the reply is the server's, to this request: RFC 2865 section 3. */
static bool is_genuine(options const *o, packet const *request, uint8_t const *reply, size_t len)
{
    uint8_t text[PACKET_MAX];
    uint8_t wanted[EVP_MAX_MD_SIZE];

    if (len < HEAD || len > PACKET_MAX || reply[1] != request->data[1])
        return false;
    memcpy(text, reply, len);
    memcpy(text + 4, request->data + 4, MD5_LEN);
    md5_of(text, len, o->secret, strlen(o->secret), wanted);
    return memcmp(wanted, reply + 4, MD5_LEN) == 0;
}

static int connected_socket(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("socket");
    return fd;
}

static void send_packet(int fd, packet const *p)
{
    if (send(fd, p->data, p->len, 0) != (ssize_t)p->len)
        die("send");
}

/* --- load ------------------------------------------------------------------------------------- */

static void open_slot(options const *o, slot *s, int epoll, uint32_t index)
{
    struct epoll_event want = {.events = EPOLLIN, .data.u32 = index};

    s->fd = connected_socket(o->port);
    s->packets = calloc(ROUNDS, sizeof(*s->packets));
    if (s->packets == NULL)
        die("memory");
    for (int round = 0; round < ROUNDS; round++) {
        for (int id = 0; id < IDS; id++)
            make_packet(o, o->user, id, &s->packets[round][id]);
    }
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &want) != 0)
        die("epoll_ctl");
}

static void next_packet(slot *s, int64_t now)
{
    if (++s->id == IDS) {
        s->id = 0;
        s->round = (s->round + 1) % ROUNDS;
    }
    s->waiting = true;
    s->sent = now;
    send_packet(s->fd, &s->packets[s->round][s->id]);
}

static void count_code(tally *t, int code)
{
    if (code == REPLY_ACCEPT)
        t->accepts++;
    else if (code == REPLY_REJECT)
        t->rejects++;
    else if (code == REPLY_CHALLENGE)
        t->challenges++;
    else
        t->others++;
}

static void take_reply(options const *o, slot *s, tally *t)
{
    uint8_t reply[PACKET_MAX];
    ssize_t len = recv(s->fd, reply, sizeof(reply), 0);
    int64_t now = now_ns();

    if (len < 0 || !s->waiting)
        return;
    if (!is_genuine(o, &s->packets[s->round][s->id], reply, (size_t)len)) {
        t->forged++;
        return;
    }
    if (t->answered < SAMPLES_MAX)
        t->samples[t->answered++] = (uint32_t)((now - s->sent) / 1000);
    count_code(t, reply[0]);
    s->waiting = false;
}

/* Sends what is due, and gives the time until something is. */
static int64_t send_due(options const *o, slot *slots, tally *t, int64_t now, int64_t period)
{
    int64_t wait = 100000000;

    for (int i = 0; i < o->concurrency; i++) {
        slot *s = &slots[i];

        if (s->waiting && now - s->sent > LOST_AFTER) {
            t->lost++;
            s->waiting = false;
        }
        if (s->waiting)
            continue;
        if (s->due <= now) {
            s->due = period > 0 ? (s->due + period > now ? s->due + period : now) : 0;
            next_packet(s, now);
        } else if (s->due - now < wait) {
            wait = s->due - now;
        }
    }
    return wait;
}

static void run_slots(options const *o, slot *slots, int epoll, tally *t)
{
    struct epoll_event events[SLOTS_MAX];
    int64_t start = now_ns();
    int64_t end = start + (int64_t)(o->seconds * 1e9);
    int64_t period = o->rate > 0 ? (int64_t)(1e9 * o->concurrency / o->rate) : 0;

    for (int i = 0; i < o->concurrency; i++)
        slots[i].due = start + period * i / o->concurrency;
    for (int64_t now = start; now < end; now = now_ns()) {
        int64_t wait = send_due(o, slots, t, now, period);
        struct timespec patience = {.tv_sec = 0, .tv_nsec = wait};
        int n = epoll_pwait2(epoll, events, SLOTS_MAX, &patience, NULL);

        for (int i = 0; i < n; i++)
            take_reply(o, &slots[events[i].data.u32], t);
    }
}

static int compare(void const *a, void const *b)
{
    uint32_t x = *(uint32_t const *)a;
    uint32_t y = *(uint32_t const *)b;

    return (x > y) - (x < y);
}

static unsigned percentile(tally const *t, size_t per_mille)
{
    return t->answered > 0 ? t->samples[(t->answered - 1) * per_mille / 1000] : 0;
}

static void load(options const *o)
{
    slot *slots = calloc((size_t)o->concurrency, sizeof(*slots));
    tally t = {.samples = malloc(SAMPLES_MAX * sizeof(uint32_t))};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int64_t start;
    double took;

    if (slots == NULL || t.samples == NULL || epoll < 0)
        die("memory");
    for (int i = 0; i < o->concurrency; i++)
        open_slot(o, &slots[i], epoll, (uint32_t)i);
    start = now_ns();
    run_slots(o, slots, epoll, &t);
    took = (double)(now_ns() - start) / 1e9;
    qsort(t.samples, t.answered, sizeof(uint32_t), compare);
    printf("{\"rate\": %.1f, \"answered\": %zu, \"accepts\": %zu, \"rejects\": %zu, "
           "\"challenges\": %zu, \"others\": %zu, \"lost\": %zu, \"forged\": %zu, "
           "\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
           (double)t.answered / took, t.answered, t.accepts, t.rejects, t.challenges, t.others,
           t.lost, t.forged, percentile(&t, 500), percentile(&t, 990), percentile(&t, 1000));
    for (int i = 0; i < o->concurrency; i++) {
        close(slots[i].fd);
        free(slots[i].packets);
    }
    close(epoll);
    free(slots);
    free(t.samples);
}

/* --- park ------------------------------------------------------------------------------------- */

static void park_all(options const *o, struct pollfd *fds)
{
    struct timespec pause = {.tv_sec = 0, .tv_nsec = PARK_PAUSE};
    packet p;
    char user[VALUE_MAX];

    for (int i = 0; i < o->count; i++) {
        snprintf(user, sizeof(user), "%s%05d", o->user, i);
        make_packet(o, user, i % PARK_PER_SOCKET, &p);
        send_packet(fds[1 + i / PARK_PER_SOCKET].fd, &p);
        nanosleep(&pause, NULL);
    }
}

static void wait_for_end(struct pollfd *fds, int n, tally *t)
{
    uint8_t data[PACKET_MAX];

    for (;;) {
        if (poll(fds, (nfds_t)n, -1) < 0)
            die("poll");
        for (int i = 1; i < n; i++) {
            if ((fds[i].revents & POLLIN) && recv(fds[i].fd, data, sizeof(data), 0) > 0) {
                t->answered++;
                count_code(t, data[0]);
            }
        }
        if (fds[0].revents && read(fds[0].fd, data, sizeof(data)) <= 0)
            return;
    }
}

static void park(options const *o)
{
    int sockets = (o->count + PARK_PER_SOCKET - 1) / PARK_PER_SOCKET;
    struct pollfd *fds = calloc((size_t)sockets + 1, sizeof(*fds));
    tally t = {0};

    if (fds == NULL)
        die("memory");
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (int i = 1; i <= sockets; i++)
        fds[i] = (struct pollfd){.fd = connected_socket(o->port), .events = POLLIN};
    park_all(o, fds);
    printf("{\"sent\": %d}\n", o->count);
    fflush(stdout);
    wait_for_end(fds, sockets + 1, &t);
    printf("{\"answered\": %zu, \"accepts\": %zu, \"rejects\": %zu}\n", t.answered, t.accepts,
           t.rejects);
    free(fds);
}

/* --- options ---------------------------------------------------------------------------------- */

static struct option const long_options[] = {
    {"port", required_argument, NULL, 'P'},    {"secret", required_argument, NULL, 's'},
    {"user", required_argument, NULL, 'u'},    {"password", required_argument, NULL, 'w'},
    {"nas", required_argument, NULL, 'n'},     {"station", required_argument, NULL, 'S'},
    {"avpair", required_argument, NULL, 'a'},  {"concurrency", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 't'}, {"rate", required_argument, NULL, 'r'},
    {"count", required_argument, NULL, 'N'},   {NULL, 0, NULL, 0},
};

static void usage(void)
{
    fputs("usage: radius_load load|park --port P --secret S --user U --password W [--nas N]\n"
          "         [--station S] [--avpair TEXT]... [--concurrency C] [--seconds T] [--rate R]\n"
          "         [--count N]\n",
          stderr);
    exit(2);
}

static void take_option(int option, options *o)
{
    switch (option) {
    case 'P':
        o->port = atoi(optarg);
        return;
    case 's':
        o->secret = optarg;
        return;
    case 'u':
        o->user = optarg;
        return;
    case 'w':
        o->password = optarg;
        return;
    case 'n':
        o->nas = optarg;
        return;
    case 'S':
        o->station = optarg;
        return;
    case 'c':
        o->concurrency = atoi(optarg);
        return;
    case 't':
        o->seconds = atof(optarg);
        return;
    case 'r':
        o->rate = atof(optarg);
        return;
    case 'N':
        o->count = atoi(optarg);
        return;
    case 'a':
        if (o->pair_count < PAIRS_MAX) {
            o->pairs[o->pair_count++] = optarg;
            return;
        }
        break;
    default:
        break;
    }
    usage();
}

int main(int argc, char **argv)
{
    options o = {.concurrency = 32, .seconds = 2};
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        take_option(option, &o);
    if (optind != argc - 1 || o.port <= 0 || !o.secret || !o.user || !o.password ||
        o.concurrency < 1 || o.concurrency > SLOTS_MAX || strlen(o.password) > MD5_LEN)
        usage();
    if (strcmp(argv[optind], "load") == 0)
        load(&o);
    else if (strcmp(argv[optind], "park") == 0)
        park(&o);
    else
        usage();
    return EXIT_SUCCESS;
}
