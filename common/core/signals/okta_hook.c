/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See okta_hook.h. */
#include "core/signals/okta_hook.h"

#include <string.h>

#define HOOK_TYPE "com.okta.event_hook"

/* What the types of events say. A row that ends with a dot stands for all that begin so; the first that fits counts. */
static struct {
    char const *type;
    dt_news_what what;
} const types[] = {
    {"device.lifecycle.", DT_NEWS_LIFECYCLE},
    {"device.enrollment.", DT_NEWS_LIFECYCLE},
    {"device.user.", DT_NEWS_LIFECYCLE},
    {"user.lifecycle.", DT_NEWS_LIFECYCLE},
    {"user.session.end", DT_NEWS_SESSION_REVOKED},
    {"user.session.clear", DT_NEWS_SESSION_REVOKED},
    {"user.authentication.universal_logout", DT_NEWS_SESSION_REVOKED},
    {"user.mfa.factor.", DT_NEWS_CREDENTIAL},
    {"user.account.reset_password", DT_NEWS_CREDENTIAL},
    {"user.account.update_password", DT_NEWS_CREDENTIAL},
    {"user.account.", DT_NEWS_LIFECYCLE},
    {"user.risk.", DT_NEWS_LIFECYCLE},
    {"policy.auth_reevaluate.fail", DT_NEWS_SESSION_REVOKED},
    {"group.user_membership.", DT_NEWS_LIFECYCLE},
    {"application.user_membership.", DT_NEWS_LIFECYCLE},
};

static dt_news_what what_of(char const *type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t const n = strlen(types[i].type);
        bool const all = types[i].type[n - 1] == '.';
        if (all ? strncmp(type, types[i].type, n) == 0 : strcmp(type, types[i].type) == 0)
            return types[i].what;
    }
    return DT_NEWS_WHAT_NONE;
}

static char const *text_of(dt_json const *v, char const *member)
{
    char const *text = dt_json_string(dt_json_get(v, member));
    return text != NULL ? text : "";
}

/* A user by both names, a device by its id. Groups and apps are nobody. */
static void add_party(dt_json const *party, dt_news_list *l)
{
    char const *type = text_of(party, "type");
    if (strcmp(type, "User") == 0) {
        (void)dt_news_list_add(l, DT_NEWS_OKTA_USER, text_of(party, "id"));
        (void)dt_news_list_add(l, DT_NEWS_LOGIN, text_of(party, "alternateId"));
    } else if (strcmp(type, "Device") == 0) {
        (void)dt_news_list_add(l, DT_NEWS_OKTA_DEVICE, text_of(party, "id"));
    }
}

/* Whom an event is about: its targets; of those that have none (the end of a session), whoever acted. */
static void add_parties(dt_json const *event, dt_news_list *l)
{
    dt_json const *targets = dt_json_get(event, "target");
    size_t const n = dt_json_size(targets);
    for (size_t i = 0; i < n && i < DT_OKTA_HOOK_TARGETS_MAX; i++)
        add_party(dt_json_at(targets, i), l);
    if (l->count == 0)
        add_party(dt_json_get(event, "actor"), l);
}

static bool is_id(char const *text)
{
    return text[0] != '\0' && strlen(text) < DT_OKTA_HOOK_ID_MAX;
}

static char const *check_event(dt_json const *event)
{
    dt_json const *targets = dt_json_get(event, "target");
    if (dt_json_typeof(event) != DT_JSON_OBJECT || !is_id(text_of(event, "uuid")))
        return "an event has no uuid";
    if (!is_id(text_of(event, "eventType")))
        return "an event has no eventType";
    if (dt_json_typeof(targets) != DT_JSON_NONE && dt_json_typeof(targets) != DT_JSON_NULL &&
        dt_json_typeof(targets) != DT_JSON_ARRAY)
        return "the target of an event is not a list";
    return NULL;
}

static char const *check_hook(dt_json const *root)
{
    dt_json const *events = dt_json_path(root, "data", "events", NULL);
    char const *wrong = NULL;
    if (strcmp(text_of(root, "eventType"), HOOK_TYPE) != 0)
        return "its eventType is not " HOOK_TYPE;
    if (!is_id(text_of(root, "eventId")))
        return "it has no eventId";
    if (dt_json_typeof(events) != DT_JSON_ARRAY || dt_json_size(events) == 0 ||
        dt_json_size(events) > DT_OKTA_HOOK_EVENTS_MAX)
        return "it has no events, or too many";
    for (size_t i = 0; i < dt_json_size(events) && wrong == NULL; i++)
        wrong = check_event(dt_json_at(events, i));
    return wrong;
}

static bool hand_over(dt_json const *event, dt_time now, dt_okta_hook_take *take, void *ctx)
{
    dt_okta_hook_event out = {.uuid = text_of(event, "uuid"), .type = text_of(event, "eventType")};
    out.news.source = DT_NEWS_OKTA_HOOK;
    out.news.what = what_of(out.type);
    out.news.reference = out.uuid;
    out.news.at = now;
    if (out.news.what != DT_NEWS_WHAT_NONE)
        add_parties(event, &out.news);
    return take(ctx, &out);
}

int dt_okta_hook_read(dt_bytes body, dt_time now, dt_okta_hook_take *take, void *ctx, dt_error *e)
{
    dt_json *root = NULL;
    if (body.len > DT_OKTA_HOOK_BODY_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the event hook is more than %d bytes",
                            DT_OKTA_HOOK_BODY_MAX);
    int rc = dt_json_parse(body, &root, e);
    char const *wrong = rc == DT_OK ? check_hook(root) : NULL;
    if (wrong != NULL)
        rc = dt_error_set(e, DT_E_PARSE, "the event hook cannot be used: %s", wrong);
    dt_json const *events = dt_json_path(root, "data", "events", NULL);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(events); i++)
        if (!hand_over(dt_json_at(events, i), now, take, ctx))
            rc = DT_E_STATE;
    dt_json_free(&root);
    return rc;
}

int dt_okta_hook_put_verification(char const *challenge, dt_buf *out)
{
    size_t const n = challenge != NULL ? strlen(challenge) : 0;
    for (size_t i = 0; i < n; i++)
        if (challenge[i] < 0x21 || challenge[i] > 0x7e)
            return DT_E_INVALID;
    if (n == 0 || n >= DT_OKTA_HOOK_CHALLENGE_MAX)
        return DT_E_INVALID;
    dt_buf_puts(out, "{\"verification\":");
    dt_json_put_string(out, challenge);
    dt_buf_puts(out, "}");
    return dt_buf_error(out);
}
