/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sign-on pays for looking a device up in the cache: the hot store's GET and the reading of the
 * record, with few and with many devices in it, measured in turns.
 *
 *     device_cache DIRECTORY FEW MANY ROUNDS
 *
 * prints for each round the microseconds of one look-up with few devices and with many. */
#include "core/intune/intune.h"
#include "edge/host.h"
#include "edge/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKUPS 20000 /* of one measurement */

typedef struct cache {
    dt_store *store;
    long devices;
} cache;

static void fail(char const *what, char const *why)
{
    (void)fprintf(stderr, "device_cache: %s: %s\n", what, why);
    exit(1);
}

static void device_of(long number, dt_guid *out)
{
    char text[DT_GUID_LEN + 1];

    (void)snprintf(text, sizeof(text), "%08lx-0000-4000-8000-%012lx",
                   number * 2654435761L & 0xffffffffL, number);
    if (dt_guid_parse(dt_bytes_str(text), out) < 0)
        fail(text, "no GUID");
}

static void put(cache *c, long number, dt_time now, dt_buf *scratch)
{
    dt_intune_device d = {.enrolled = true,
                          .managed = true,
                          .compliance = DT_COMPLIANCE_COMPLIANT,
                          .platform = DT_PLATFORM_WINDOWS,
                          .last_sync = now,
                          .fetched = now,
                          .device_name = "LAPTOP",
                          .user = "ann@example.com"};
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_PUT, .expires = DT_TIME_NEVER};
    char record[DT_INTUNE_RECORD_MAX + 1];
    dt_store_result r;
    dt_buf b;

    device_of(number, &d.device_id);
    dt_buf_init_fixed(&b, record, sizeof(record));
    if (dt_intune_pack(&d, &b) < 0)
        fail("record", "cannot be made");
    dt_intune_store_key(&d.device_id, op.key);
    op.value = dt_buf_bytes(&b);
    dt_store_do(c->store, &op, now, scratch, &r);
    if (r.status != DT_STORE_OK)
        fail("put", r.error);
}

static void get(cache *c, long number, dt_time now, dt_buf *scratch)
{
    dt_store_op op = {.table = DT_TABLE_LOOKUP, .verb = DT_STORE_GET};
    dt_store_result r;
    dt_intune_device d;
    dt_guid device;

    device_of(number, &device);
    dt_intune_store_key(&device, op.key);
    dt_store_do(c->store, &op, now, scratch, &r);
    if (r.status != DT_STORE_OK || dt_intune_unpack(r.value, &d) < 0 ||
        !dt_guid_equal(&d.device_id, &device))
        fail("get", "the device is not found");
}

static double lookup_us(cache *c, dt_buf *scratch)
{
    struct timespec a, b;
    dt_time now = dt_host_now();

    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < LOOKUPS; i++)
        get(c, i * 7919 % c->devices, now, scratch);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    return ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / LOOKUPS;
}

static void open_cache(cache *c, char const *directory, char const *name, long devices,
                       dt_buf *scratch)
{
    char path[1024];
    dt_error e = {0};
    dt_time now = dt_host_now();

    (void)snprintf(path, sizeof(path), "%s/%s.db", directory, name);
    if (dt_store_open(path, DT_STORE_SIZE_DEFAULT, &c->store, &e) < 0)
        fail(path, e.text);
    c->devices = devices;
    for (long i = 0; i < devices; i++)
        put(c, i, now, scratch);
    (void)lookup_us(c, scratch); /* into memory */
}

int main(int argc, char **argv)
{
    cache few, many;
    dt_buf scratch;

    if (argc != 5)
        fail("usage", "device_cache DIRECTORY FEW MANY ROUNDS");
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    open_cache(&few, argv[1], "few", strtol(argv[2], NULL, 10), &scratch);
    open_cache(&many, argv[1], "many", strtol(argv[3], NULL, 10), &scratch);
    for (long i = 0; i < strtol(argv[4], NULL, 10); i++) {
        double a = lookup_us(&few, &scratch), b = lookup_us(&many, &scratch);
        (void)printf("%.4f %.4f\n", a, b);
    }
    dt_store_close(&few.store);
    dt_store_close(&many.store);
    dt_buf_free(&scratch);
    return 0;
}
