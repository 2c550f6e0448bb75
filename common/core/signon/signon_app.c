/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a sign-on that asks Okta whether the person is assigned to the app of okta_app, directly or by a
 * group. It comes after the first factor, so that a stranger learns nothing, and before the MFA, so that nobody's
 * phone rings for somebody who may not sign on. A trusted device does not replace it. */
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

static char const *app_of(dt_signon const *s)
{
    return s->ruleset.config != NULL ? s->ruleset.config->policy.okta_app : "";
}

bool dt_signon_app_is_assigned(dt_signon const *s)
{
    return app_of(s)[0] == '\0' || (s->app_assigned && strcmp(s->app, app_of(s)) == 0);
}

static void refuse(dt_signon *s, dt_time now)
{
    if (s->app_asked != now) /* else Okta's own words are there */
        dt_signon_detail(s,
                         "Okta: %s is not assigned to the app %s; assign the person, or one of "
                         "the person's groups, in the admin console",
                         s->who.login, s->app);
    dt_signon_finish(s, DT_DENY, DT_CAUSE_APP_NOT_ASSIGNED, now);
}

bool dt_signon_app_begin(dt_signon *s, dt_time now)
{
    if (dt_signon_app_is_assigned(s))
        return false;
    if (s->who.kind != DT_IDENTITY_PERSON) {
        dt_signon_detail(s, "okta_app: an app is assigned to people, and this is a machine");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MACHINE_ACCOUNT, now);
        return true;
    }
    memcpy(s->app, app_of(s), sizeof(s->app));
    s->app_assigned = false;
    s->app_asked = 0;
    dt_lookup_begin(s, DT_QUESTION_OKTA_APP, now);
    return true;
}

/* --- the kept answer -------------------------------------------------------------------------- */

static int key(dt_signon *s)
{
    int n = snprintf(s->scratch->store.key, sizeof(s->scratch->store.key), "okta-app:%s:%s", s->app,
                     s->who.login);

    return n > 0 && (size_t)n < sizeof(s->scratch->store.key) ? DT_OK : DT_E_LIMIT;
}

static dt_time not_assigned_kept(dt_signon const *s)
{
    dt_time most = s->ruleset.config->okta.user_ttl;

    return most < DT_SIGNON_NOT_ASSIGNED_KEPT ? most : DT_SIGNON_NOT_ASSIGNED_KEPT;
}

/* That somebody was assigned may be used while Okta is unavailable; that somebody was not may not. */
static dt_freshness freshness(dt_signon const *s, bool assigned, dt_time age)
{
    dt_config const *c = s->ruleset.config;

    if (!assigned)
        return age < not_assigned_kept(s) ? DT_FRESH : DT_TOO_OLD;
    if (age < c->okta.user_ttl)
        return DT_FRESH;
    return age < c->okta.stale_limit ? DT_STALE : DT_TOO_OLD;
}

static dt_freshness unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;
    dt_json *root = NULL;
    bool assigned = false;
    dt_time at;

    if (dt_record_parse(kept, &root) < 0)
        return DT_TOO_OLD;
    if (dt_record_integer(root, "at", 0, now, &at) &&
        dt_json_bool(dt_json_get(root, "assigned"), &assigned))
        f = freshness(s, assigned, now - at);
    if (f != DT_TOO_OLD) {
        s->app_assigned = assigned;
        s->app_asked = at;
    }
    dt_json_free(&root);
    return f;
}

static int pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    dt_config const *c = s->ruleset.config;
    dt_time longest =
        c->okta.user_ttl > c->okta.stale_limit ? c->okta.user_ttl : c->okta.stale_limit;

    (void)now;
    dt_buf_printf(out, "{\"v\":%d,\"at\":%lld,\"assigned\":%s}", DT_SIGNON_RECORD_VERSION,
                  (long long)s->app_asked, s->app_assigned ? "true" : "false");
    *expires = s->app_asked + (s->app_assigned ? longest : not_assigned_kept(s));
    return dt_buf_error(out);
}

/* --- Okta ------------------------------------------------------------------------------------- */

static dt_question needs(dt_signon *s, dt_lookup_step step, dt_lookup_step *with)
{
    (void)s;
    (void)with;
    return step == DT_LOOKUP_ASK ? DT_QUESTION_USER : DT_QUESTION_NONE;
}

static void resume(dt_signon *s, dt_question inner, dt_lookup_end e, dt_lookup_reply const *why,
                   dt_time now)
{
    (void)inner;
    if (e == DT_LOOKUP_FRESH)
        dt_lookup_go(s, DT_LOOKUP_ASK, now);
    else
        dt_lookup_end_without(s, why, now);
}

static int request(dt_signon *s)
{
    return dt_okta_get_assignment(s->ruleset.config, s->app, s->user_id, &s->scratch->http);
}

static void read_reply(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_error err = {0};
    bool assigned = false;
    dt_okta_answer a = dt_okta_read_assignment(r, s->user_id, &assigned, &err);

    if (a == DT_OKTA_NOT_FOUND && s->user_cached) {
        /* The id we remembered may no longer be anybody's: ask who the login is now, once. */
        out->kind = DT_REPLY_INNER;
        out->inner = DT_QUESTION_USER;
        out->inner_step = DT_LOOKUP_ASK;
        return;
    }
    if (a == DT_OKTA_NOT_FOUND)
        a = DT_OKTA_OK;
    if (!dt_signon_okta_is_ok(s, a, r, &err, now, out))
        return;
    if (!assigned) {
        s->negative = true;
        dt_signon_detail(s, "Okta: okta_app %s: %s", s->app, err.text);
    }
    s->app_assigned = assigned;
    s->app_asked = now;
    dt_lookup_forget_stale(s, DT_QUESTION_OKTA_APP);
}

static void answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    s->outcome.stale = s->outcome.stale || e == DT_LOOKUP_STALE;
    if (e == DT_LOOKUP_NONE) {
        s->app_assigned = false;
        dt_signon_end_without_okta(s, why, DT_OKTA_UNUSABLE, now);
    } else if (!s->app_assigned) {
        refuse(s, now);
    } else {
        dt_signon_go(s, DT_STAGE_PRIMARY);
    }
}

static bool has_fields(dt_signon const *s, dt_lookup_step step)
{
    if (!dt_okta_is_id(s->app))
        return false;
    return step == DT_LOOKUP_GET    ? true
           : step == DT_LOOKUP_KEEP ? s->app_asked > 0
                                    : s->user_id[0] != '\0';
}

dt_question_row const dt_question_okta_app = {
    .service = "Okta",
    .part = DT_PART_APP,
    .inner = DT_QUESTION_BIT(DT_QUESTION_USER),
    .needs = needs,
    .resume = resume,
    .key = key,
    .unpack = unpack,
    .request = request,
    .read = read_reply,
    .pack = pack,
    .answered = answered,
    .has_fields = has_fields,
};
