/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A circuit breaker (core/base/breaker.h) for each host that calls go to. The loop's. */
#include "driver/internal.h"

#include "core/base/crypto.h"
#include "edge/host.h"

#include <string.h>

/* "https://host:port" of a URL; what does not fit is cut, and shares a breaker with what is cut to the same. */
static dt_bytes host_of(char const *url)
{
    char const *host = strstr(url, "://");
    size_t scheme = host != NULL ? (size_t)(host - url) + 3 : 0;
    size_t len = scheme + strcspn(url + scheme, "/?#");

    return dt_bytes_of(url, len < DT_CIRCUIT_HOST_MAX ? len : DT_CIRCUIT_HOST_MAX - 1);
}

static bool is_of_host(dt_circuit const *c, dt_bytes host)
{
    return strlen(c->host) == host.len && memcmp(c->host, host.p, host.len) == 0;
}

/* Where there are more hosts than rows, the one that was asked longest ago gives way. */
static dt_circuit *circuit_of(dt_driver *d, dt_bytes host)
{
    dt_circuit *oldest = &d->circuits[0];

    for (size_t i = 0; i < DT_CIRCUITS_MAX; i++) {
        dt_circuit *c = &d->circuits[i];

        if (is_of_host(c, host))
            return c;
        oldest = c->used < oldest->used ? c : oldest;
    }
    memset(oldest, 0, sizeof(*oldest));
    memcpy(oldest->host, host.p, host.len);
    return oldest;
}

/* Keyed, so that nobody can choose a name that counts as another one's. */
static uint64_t person_of(dt_driver const *d, dt_http_request const *r)
{
    uint8_t text[sizeof(d->tried_key) + DT_SHA256_LEN], digest[DT_SHA256_LEN];
    uint64_t person = 0;

    if (r->identity == NULL || r->identity[0] == '\0')
        return 0;
    memcpy(text, d->tried_key, sizeof(d->tried_key));
    if (dt_crypto_sha256(dt_bytes_str(r->identity), text + sizeof(d->tried_key)) < 0 ||
        dt_crypto_sha256(dt_bytes_of(text, sizeof(text)), digest) < 0)
        return 0;
    memcpy(&person, digest, sizeof(person));
    return person;
}

static dt_time full_time(dt_config const *c, dt_http_service service)
{
    dt_time own = service == DT_HTTP_OKTA   ? c->okta.timeout
                  : service == DT_HTTP_OCSP ? c->device_trust.ocsp_timeout
                                            : c->intune.timeout;

    return own < DT_CIRCUIT_FAIR_TIME ? own : DT_CIRCUIT_FAIR_TIME;
}

bool dt_circuit_admits(dt_driver *d, dt_config const *config, dt_http_request const *r,
                       dt_circuit_call *out)
{
    dt_circuit *c = circuit_of(d, host_of(r->url));
    dt_time now = dt_driver_mono();

    c->used = now;
    *out =
        (dt_circuit_call){.circuit = c, .short_time = r->timeout < full_time(config, r->service)};
    memcpy(out->host, c->host, sizeof(out->host));
    if (!dt_breaker_admits(&c->breaker, now, &out->probe))
        return false;
    out->person = person_of(d, r);
    return true;
}

static void write_down(dt_driver *d, dt_circuit const *c, dt_breaker_change change, char const *why)
{
    char text[DT_AUDIT_NOTE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_put_escaped(&b, dt_bytes_str(c->host));
    if (change == DT_BREAKER_OPENED)
        dt_buf_printf(&b,
                      " is not there: %d calls have failed one after another, the last one: %s. It "
                      "is not asked "
                      "for a while, but for single probes, and counts as unavailable",
                      DT_BREAKER_FAILURES, why != NULL ? why : "");
    else
        dt_buf_puts(&b, " answers again");
    dt_driver_audit_put(d, dt_bytes_of(NULL, 0), change != DT_BREAKER_OPENED, text);
}

void dt_circuit_ended(dt_driver *d, dt_circuit_call *call, dt_http_response const *r)
{
    dt_circuit *c = call->circuit;
    dt_time now = dt_driver_mono();
    uint32_t random = 0;

    call->circuit = NULL;
    if (c == NULL || strcmp(c->host, call->host) != 0) /* its row is another host's by now */
        return;
    if (r == NULL) {
        dt_breaker_dropped(&c->breaker, call->probe, now);
        return;
    }
    (void)dt_host_random(&random, sizeof(random));
    dt_breaker_change change = dt_breaker_ended(&c->breaker,
                                                &(dt_breaker_end){.failure = r->failure,
                                                                  .reached = r->reached,
                                                                  .short_time = call->short_time,
                                                                  .long_wait = dt_http_was_long(r),
                                                                  .person = call->person,
                                                                  .probe = call->probe},
                                                random, now);
    if (change != DT_BREAKER_SAME)
        write_down(d, c, change, r->error);
}
