/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking Intune's Compliance Retrieval service about the device: where the service is, which the cache
 * keeps and Graph tells, and then the question. What comes of the answer is signon_evidence.c's. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* As found so long ago that it is looked up before it is used, and used when Graph tells no other. */
#define DOUBTED ((dt_time)1)

void dt_signon_intune_ask(dt_signon *s)
{
    bool graph = s->site.config->intune.service != DT_INTUNE_BY_COMPLIANCE;

    dt_signon_set_phase(s, graph ? DT_PHASE_INTUNE_HTTP : DT_PHASE_SERVICE_GET);
}

static void look_up(dt_signon *s)
{
    s->service_asked = true;
    s->service_pages = 0;
    s->scratch->next_url[0] = '\0';
    dt_signon_set_phase(s, DT_PHASE_SERVICE_HTTP);
}

static void got_address(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_time age;

    s->service_known =
        r->status == DT_STORE_OK &&
        dt_compliance_unpack(s->site.config, r->value, &s->scratch->service) == DT_OK;
    age = s->service_known ? now - s->scratch->service.found : -1;
    if (age >= 0 && age < DT_COMPLIANCE_ADDRESS_TTL)
        dt_signon_set_phase(s, DT_PHASE_COMPLIANCE_HTTP);
    else
        look_up(s);
}

/* True when there is another page, and it will be asked for. */
static bool next_page(dt_signon *s, char const *next)
{
    if (++s->service_pages < DT_COMPLIANCE_PAGES_MAX &&
        dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), next) == DT_OK)
        return true;
    s->scratch->next_url[0] = '\0';
    return false;
}

static void service_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_compliance_address found;
    char next[DT_URL_MAX];
    dt_error err = {0};
    dt_intune_answer a = dt_compliance_read_endpoints(s->site.config, r, now, &found, next, &err);

    if (a == DT_INTUNE_OK && found.url[0] == '\0') {
        if (next_page(s, next))
            return; /* the same phase again */
        a = DT_INTUNE_UNUSABLE;
        (void)dt_error_set(&err, DT_E_LIMIT, "Graph lists more endpoints than are read");
    }
    if (a == DT_INTUNE_OK) {
        s->scratch->service = found;
        s->service_known = true;
        s->scratch->next_url[0] = '\0';
        dt_signon_set_phase(s, DT_PHASE_SERVICE_PUT);
        return;
    }
    if (s->service_known) { /* where it was is better than nowhere */
        dt_signon_detail(s, "Intune: %s", err.text);
        s->scratch->next_url[0] = '\0';
        dt_signon_set_phase(s, DT_PHASE_COMPLIANCE_HTTP);
        return;
    }
    dt_signon_lookup_failed(s, a, r, &err, now);
}

/* The kept address may be the cause: the tenant may have moved. Not of a limit, which is the service's
 * own word, not of a failure of ours, and not of an address that Graph told a moment ago. */
static bool is_to_blame(dt_signon const *s, dt_intune_answer a, dt_time now)
{
    dt_time age = now - s->scratch->service.found;

    return a != DT_INTUNE_RATE_LIMITED && a != DT_INTUNE_LOCAL && !s->service_asked &&
           (age < 0 || age >= DT_COMPLIANCE_ADDRESS_AGAIN);
}

/* Looks the address up again, where there is time for that: else whoever comes next does. */
static void doubt_address(dt_signon *s, dt_http_response const *r, dt_error const *e)
{
    dt_signon_detail(s, "Intune: %s", e->text);
    if (r->failure == DT_HTTP_TIMEOUT || s->intune_cached) {
        s->scratch->service.found = DOUBTED;
        dt_signon_set_phase(s, DT_PHASE_SERVICE_PUT);
        return;
    }
    s->service_known = false;
    look_up(s);
}

static void answer_done(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_intune_device device;
    dt_error err = {0};
    dt_intune_answer a = dt_compliance_read_device(r, &s->lookup_id, now, &device, &err);

    if (a == DT_INTUNE_OK || a == DT_INTUNE_NOT_ENROLLED) {
        s->intune = device;
        dt_signon_set_phase(s, DT_PHASE_INTUNE_PUT);
    } else if (is_to_blame(s, a, now)) {
        doubt_address(s, r, &err);
    } else {
        dt_signon_lookup_failed(s, a, r, &err, now);
    }
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    dt_compliance_store_key(s->site.config, s->scratch->store.key);
    return DT_OK;
}

static int render_search(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_compliance_list_endpoints(s->site.config, s->scratch->next_url, &s->scratch->http);
}

static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    int rc = dt_compliance_pack(s->site.config, &s->scratch->service, value);

    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_PUT);
    dt_compliance_store_key(s->site.config, s->scratch->store.key);
    return rc < 0 ? rc : dt_signon_store_value(s, value, now + DT_COMPLIANCE_ADDRESS_KEPT);
}

/* An address that could not be kept is still an address. */
static void put_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    if (s->scratch->service.found == DOUBTED)
        dt_signon_intune_unavailable(s, NULL, now);
    else
        dt_signon_set_phase(s, DT_PHASE_COMPLIANCE_HTTP);
}

static int render_question(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_compliance_get_device(s->site.config, &s->scratch->service, &s->lookup_id,
                                    &s->scratch->http);
}

static bool has_address(dt_signon const *s)
{
    return s->service_known && s->scratch->service.found > 0 && dt_guid_is_set(&s->lookup_id);
}

dt_phase_row const dt_row_service_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_get,
    .store_done = got_address,
};
dt_phase_row const dt_row_service_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .retried = true,
    .render = render_search,
    .http_done = service_done,
};
dt_phase_row const dt_row_service_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_put,
    .store_done = put_done,
    .has_fields = has_address,
};
dt_phase_row const dt_row_compliance_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .retried = true,
    .render = render_question,
    .http_done = answer_done,
    .has_fields = has_address,
};
