/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures what the verdict on a device certificate takes, and what OpenSSL alone takes to verify the
 * same chain, in turns.
 *
 *   x509_verdict ROUNDS ANCHORS.pem CHAIN.pem TENANT
 *     CHAIN.pem: the device's certificate and its intermediates. Prints the median of the rounds:
 *     microseconds of a verdict, of a plain verification, and the ratio. */
#include "core/device/x509.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS_MAX 1000
#define TIMES 200 /* of each, in one round */
#define PEM_MAX (1024 * 1024)

typedef struct papers {
    dt_trust_store *anchors;
    X509_STORE *store;
    X509 *leaf;
    STACK_OF(X509) *above;
    unsigned char *der[1 + DT_CHAIN_MAX];
    dt_bytes bytes[1 + DT_CHAIN_MAX];
    size_t count;
    dt_guid tenant;
    dt_time now;
} papers;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool read_text(char const *path, dt_buf *out)
{
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "re");

    while (f != NULL && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        dt_buf_put(out, chunk, n);
    bool read = f != NULL && ferror(f) == 0 && dt_buf_error(out) == 0;
    if (f != NULL)
        fclose(f);
    return read;
}

static bool load_anchors(papers *p, char const *path)
{
    dt_error e = {0};
    dt_buf pem;
    bool done;

    dt_buf_init(&pem, PEM_MAX);
    p->store = X509_STORE_new();
    done = p->store != NULL && read_text(path, &pem) && dt_trust_store_new(&p->anchors) == 0 &&
           dt_trust_store_add_pem(p->anchors, dt_buf_bytes(&pem), true, &e) == 0 &&
           X509_STORE_load_file(p->store, path) == 1;
    dt_buf_free(&pem);
    return done;
}

static bool load_chain(papers *p, char const *path)
{
    FILE *f = fopen(path, "re");
    X509 *x;

    p->above = sk_X509_new_null();
    while (f != NULL && p->count <= DT_CHAIN_MAX &&
           (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
        int len = i2d_X509(x, &p->der[p->count]);
        p->bytes[p->count] = dt_bytes_of(p->der[p->count], len > 0 ? (size_t)len : 0);
        if (p->count++ == 0)
            p->leaf = x;
        else
            (void)sk_X509_push(p->above, x);
    }
    if (f != NULL)
        fclose(f);
    return p->leaf != NULL;
}

static bool judge(papers const *p)
{
    dt_certificate c;
    dt_error e = {0};

    return dt_x509_judge(p->anchors, p->bytes[0], p->bytes + 1, p->count - 1, &p->tenant, p->now,
                         &c, &e) == DT_REASON_TRUSTED;
}

/* Everything parsed before: the least that OpenSSL can do. */
static bool verify(papers const *p)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = ctx != NULL && X509_STORE_CTX_init(ctx, p->store, p->leaf, p->above) == 1 &&
                X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    return good;
}

/* Microseconds of one call; negative when one of them failed. */
static double measure(bool (*fn)(papers const *), papers const *p)
{
    int64_t start = now_ns();
    bool good = true;

    for (int i = 0; i < TIMES; i++)
        good = fn(p) && good;
    return good ? (double)(now_ns() - start) / 1000 / TIMES : -1;
}

static int compare(void const *a, void const *b)
{
    double x = *(double const *)a, y = *(double const *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static int run(papers const *p, size_t rounds)
{
    static double ours[ROUNDS_MAX], plain[ROUNDS_MAX], ratio[ROUNDS_MAX];

    for (size_t i = 0; i < rounds; i++) {
        if (i % 2 == 0)
            ours[i] = measure(judge, p);
        plain[i] = measure(verify, p);
        if (i % 2 != 0)
            ours[i] = measure(judge, p);
        if (ours[i] < 0 || plain[i] < 0) {
            fprintf(stderr, "x509_verdict: the certificate is not trusted\n");
            return 1;
        }
        ratio[i] = ours[i] / plain[i];
    }
    printf("%.3f %.3f %.3f\n", median(ours, rounds), median(plain, rounds), median(ratio, rounds));
    return 0;
}

int main(int argc, char **argv)
{
    static papers p;
    long rounds = argc == 5 ? strtol(argv[1], NULL, 10) : 0;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: x509_verdict ROUNDS ANCHORS.pem CHAIN.pem TENANT\n");
        return 2;
    }
    p.now = DT_SECONDS(time(NULL));
    if (!load_anchors(&p, argv[2]) || !load_chain(&p, argv[3]) ||
        dt_guid_parse(dt_bytes_str(argv[4]), &p.tenant) != 0) {
        fprintf(stderr, "x509_verdict: a file or the tenant cannot be read\n");
        return 2;
    }
    return run(&p, (size_t)rounds);
}
