/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the step of a phase by its row, and holds what the rows make their steps with. */
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

/* --- for the rows ------------------------------------------------------------------------------ */

void dt_signon_store(dt_signon *s, dt_store_table table, dt_store_verb verb)
{
    memset(&s->scratch->store, 0, sizeof(s->scratch->store));
    s->scratch->store.table = table;
    s->scratch->store.verb = verb;
    s->scratch->store.expires = DT_TIME_NEVER;
}

int dt_signon_store_key(dt_signon *s, char const *kind, char const *name)
{
    int n = snprintf(s->scratch->store.key, sizeof(s->scratch->store.key), "%s:%s", kind, name);

    return n > 0 && (size_t)n < sizeof(s->scratch->store.key) ? DT_OK : DT_E_LIMIT;
}

int dt_signon_limit_key(dt_signon *s, char const *kind)
{
    int rc = dt_signon_store_key(s, kind, s->who.login);

    for (char *p = s->scratch->store.key; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    }
    return rc;
}

int dt_signon_store_value(dt_signon *s, dt_buf *value, dt_time expires)
{
    s->scratch->store.value = dt_buf_bytes(value);
    s->scratch->store.expires = expires;
    return dt_buf_error(value);
}

void dt_signon_store_count(dt_signon *s, dt_store_table table, int64_t most, dt_time expires)
{
    dt_signon_store(s, table, DT_STORE_COUNT);
    s->scratch->store.most = most;
    s->scratch->store.expires = expires;
}

int dt_signon_page(dt_signon *s, int rc)
{
    if (rc == DT_OK && s->scratch->next_url[0])
        rc = dt_str_copy(s->scratch->http.url, sizeof(s->scratch->http.url), s->scratch->next_url);
    return rc;
}

/* --- the step ---------------------------------------------------------------------------------- */

/* A machine that only fills the cache is nobody's: there each device, or certificate, has its turn. */
static char const *queue_identity(dt_signon const *s)
{
    if (s->who.login[0] != '\0')
        return s->who.login;
    if (s->who.local[0] != '\0')
        return s->who.local;
    return s->lookup.question == DT_QUESTION_OCSP ? s->scratch->ocsp.key : s->lookup_id.text;
}

/* Nobody waits for an answer longer than for the person. */
static void limit_request(dt_signon *s, dt_time now)
{
    dt_time margin = s->person.on && !s->explain ? DT_SIGNON_PERSON_MARGIN : DT_SECONDS(1);
    dt_time most = (s->deadline > now ? s->deadline - now : 0) + margin;

    s->scratch->http.nas = s->nas;
    s->scratch->http.identity = queue_identity(s);
    if (dt_phase_row_of(s->phase)->part != DT_PART_END && s->scratch->http.timeout > most)
        s->scratch->http.timeout = most;
    s->asked_for = s->scratch->http.timeout;
}

static void fill_step(dt_signon *s, dt_phase_kind kind, dt_time now, dt_step *out)
{
    switch (kind) {
    case DT_PHASE_IS_STORE:
        out->kind = DT_STEP_STORE;
        out->store = &s->scratch->store;
        break;
    case DT_PHASE_IS_HTTP:
        limit_request(s, now);
        out->kind = DT_STEP_HTTP;
        out->http = &s->scratch->http;
        break;
    case DT_PHASE_IS_SIGN:
        out->kind = DT_STEP_SIGN;
        out->sign = &s->scratch->sign;
        break;
    case DT_PHASE_IS_MANAGED:
        out->kind = DT_STEP_MANAGED;
        out->managed = s->ruleset.managed;
        break;
    case DT_PHASE_IS_AGENT:
        out->kind = DT_STEP_AGENT;
        out->agent = &s->scratch->agent_request;
        break;
    case DT_PHASE_IS_DONE:
    case DT_PHASE_IS_WAIT: /* the machine's own, see dt_signon_next */
        break;
    }
}

bool dt_signon_render(dt_signon *s, dt_time now, dt_step *out)
{
    dt_phase_row const *row = dt_phase_row_of(s->phase);
    dt_buf value;
    int rc;

    dt_buf_init_fixed(&value, s->scratch->value, sizeof(s->scratch->value));
    rc = row->render != NULL ? row->render(s, &value, now) : DT_E_STATE;
    fill_step(s, row->kind, now, out);
    if (rc < 0)
        dt_signon_detail(s, "a request could not be made: %s", dt_err_name(rc));
    return rc == DT_OK;
}
