/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends sessions as the product does, for tests: asks the NAS that the configuration names, or this host's logind.
 *
 *   end_session CONFIG [disconnect|reauthenticate|terminate|lock NAME=VALUE...]...
 *
 * Prints one line for each request, in the order in which they end: its number, outcome, Error-Cause, packets, whether
 * the person signs on again, whether to try again, and the text. Ends with 0 when all have ended. */
#include "driver/dae.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    dt_driver *driver;
    int left;
} g;

static void say(void *ctx, dt_end_result const *r)
{
    printf("%d %s %u %u %d %d %s\n", (int)(intptr_t)ctx, dt_end_outcome_name(r->outcome),
           r->error_cause, r->packets, r->reauthenticates, r->retry, r->text);
    fflush(stdout);
    if (--g.left == 0)
        dt_driver_stop(g.driver);
}

#define NAS(field)                                                                                 \
    {                                                                                              \
#field, offsetof(dt_nas_session, field), sizeof(((dt_nas_session *)0)->field)              \
    }
static struct {
    char const *name;
    size_t offset, size;
} const nas_fields[] = {NAS(source),        NAS(ip_address), NAS(ipv6_address),     NAS(identifier),
                        NAS(user_name),     NAS(session_id), NAS(multi_session_id), NAS(station),
                        NAS(chargeable_id), NAS(port),       NAS(port_id),          NAS(framed_ip)};

static void set(dt_nas_session *nas, dt_session_at_host *host, char *pair)
{
    char *value = strchr(pair, '=');

    if (value == NULL)
        exit(2);
    *value++ = '\0';
    for (size_t i = 0; i < sizeof(nas_fields) / sizeof(nas_fields[0]); i++) {
        if (strcmp(nas_fields[i].name, pair) == 0 &&
            dt_str_copy((char *)nas + nas_fields[i].offset, nas_fields[i].size, value) == 0)
            return;
    }
    if (strcmp(pair, "leader") == 0)
        host->leader = strtoll(value, NULL, 10);
    else if (strcmp(pair, "leader_start") == 0)
        host->leader_start = strtoll(value, NULL, 10);
    else if ((strcmp(pair, "boot") == 0 &&
              dt_str_copy(host->boot, sizeof(host->boot), value) == 0) ||
             (strcmp(pair, "id") == 0 && dt_str_copy(host->id, sizeof(host->id), value) == 0) ||
             (strcmp(pair, "service") == 0 &&
              dt_str_copy(host->service, sizeof(host->service), value) == 0))
        return;
    else
        exit(2);
}

static void ask(char const *what, dt_nas_session const *nas, dt_session_at_host const *host,
                int number)
{
    void *ctx = (void *)(intptr_t)number;
    dt_dae_request r = {.session = *nas};
    int rc;

    if (strcmp(what, "terminate") == 0 || strcmp(what, "lock") == 0)
        rc = dt_login_end(g.driver, host, *what == 'l' ? DT_LOGIN_LOCK : DT_LOGIN_TERMINATE, say,
                          ctx);
    else {
        r.ask = *what == 'r' ? DT_DAE_REAUTHENTICATE : DT_DAE_DISCONNECT;
        rc = dt_dae_end(g.driver, &r, say, ctx);
    }
    if (rc != 0) {
        printf("%d error %s\n", number, dt_err_name(rc));
        g.left--;
    }
}

int main(int argc, char **argv)
{
    dt_driver_options const o = {.config_path = argc > 1 ? argv[1] : "", .quiet = true};
    dt_error e = {0};
    int at = 2, rc;

    rc = dt_driver_new(&o, &g.driver, &e);
    if (rc != 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    for (int i = at; i < argc; i++)
        g.left += strchr(argv[i], '=') == NULL ? 1 : 0;
    for (int number = 0; at < argc; number++) {
        char const *what = argv[at++];
        dt_nas_session nas = {0};
        dt_session_at_host host = {0};

        while (at < argc && strchr(argv[at], '=') != NULL)
            set(&nas, &host, argv[at++]);
        ask(what, &nas, &host, number);
    }
    rc = g.left > 0 ? dt_driver_run(g.driver) : 0;
    dt_driver_free(&g.driver);
    return rc == 0 ? 0 : 1;
}
