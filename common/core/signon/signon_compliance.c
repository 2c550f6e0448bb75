/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where Intune's Compliance Retrieval service is, which the cache keeps and Graph returns. What the service is
 * asked is signon_intune.c's. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* As found so long ago that it is looked up before it is used, and used when Graph returns no other. */
#define DOUBTED ((dt_time)1)

bool dt_signon_compliance_is_doubted(dt_signon const *s)
{
    return s->scratch->service.found == DOUBTED;
}

bool dt_signon_compliance_has_address(dt_signon const *s)
{
    return s->service_known && s->scratch->service.found > 0;
}

/* The kept address may be the cause: the tenant may have moved. Not of a limit, which is the service's
 * own word, not of a failure of ours, and not of an address that Graph returned a moment ago. */
static bool is_to_blame(dt_signon const *s, dt_intune_answer a, dt_time now)
{
    dt_time age = now - s->scratch->service.found;

    return a != DT_INTUNE_RATE_LIMITED && a != DT_INTUNE_LOCAL && !s->service_asked &&
           (age < 0 || age >= DT_COMPLIANCE_ADDRESS_AGAIN);
}

bool dt_signon_compliance_doubt(dt_signon *s, dt_intune_answer a, dt_http_response const *r,
                                dt_error const *e, dt_time now, dt_lookup_reply *out)
{
    if (!is_to_blame(s, a, now))
        return false;
    dt_signon_detail(s, "Intune: %s", e->text);
    out->kind = DT_REPLY_INNER;
    out->inner = DT_QUESTION_SERVICE;
    if (r->failure == DT_HTTP_TIMEOUT || dt_lookup_has_stale(s, DT_QUESTION_INTUNE)) {
        s->scratch->service.found = DOUBTED; /* there is no time: whoever comes next looks it up */
        out->inner_step = DT_LOOKUP_KEEP;
    } else {
        s->service_known = false;
        dt_lookup_forget_stale(s, DT_QUESTION_SERVICE);
        out->inner_step = DT_LOOKUP_ASK;
    }
    return true;
}

/* --- the question ------------------------------------------------------------------------------- */

static int key(dt_signon *s)
{
    dt_compliance_store_key(s->ruleset.config, s->scratch->store.key);
    return DT_OK;
}

/* However old: where it was is better than nowhere. */
static dt_freshness unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_time age;

    s->service_known = dt_compliance_unpack(s->ruleset.config, kept, &s->scratch->service) == DT_OK;
    if (!s->service_known)
        return DT_TOO_OLD;
    age = now - s->scratch->service.found;
    return age >= 0 && age < DT_COMPLIANCE_ADDRESS_TTL ? DT_FRESH : DT_STALE;
}

static bool may_ask(dt_signon *s)
{
    s->service_asked = true;
    return true;
}

static int request(dt_signon *s)
{
    return dt_compliance_list_endpoints(s->ruleset.config, s->scratch->next_url, &s->scratch->http);
}

/* The old address is only an address: it is used whatever kept us from asking for the new one. */
static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_compliance_address found;
    dt_error e = {0};
    dt_intune_answer a =
        dt_compliance_read_endpoints(s->ruleset.config, r, now, &found, out->next, &e);

    out->kind = DT_REPLY_ANSWER;
    if (a != DT_INTUNE_OK) {
        dt_signon_intune_failed(a, r, &e, out);
        out->no_old = out->no_old && !dt_lookup_has_stale(s, DT_QUESTION_SERVICE);
    } else if (found.url[0] != '\0') {
        s->scratch->service = found;
        s->service_known = true;
        out->next[0] = '\0';
    }
}

static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    *expires = now + DT_COMPLIANCE_ADDRESS_KEPT;
    return dt_compliance_pack(s->ruleset.config, &s->scratch->service, out);
}

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    return step != DT_LOOKUP_KEEP || dt_signon_compliance_has_address(s);
}

dt_question_row const dt_question_service = {
    .service = "Intune",
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .only_inner = true,
    .key = key,
    .unpack = unpack,
    .may_ask = may_ask,
    .request = request,
    .read = read_reply,
    .pages = DT_COMPLIANCE_PAGES_MAX,
    .endless = "Graph lists too many endpoints",
    .pack = pack,
    .has_fields = has_fields,
};
