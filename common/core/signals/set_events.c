/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events of a Security Event Token: one row for each that is known. */
#include "core/signals/set_internal.h"

#include <string.h>

#define CAEP "https://schemas.openid.net/secevent/caep/event-type/"
#define RISC "https://schemas.openid.net/secevent/risc/event-type/"
#define OAUTH "https://schemas.openid.net/secevent/oauth/event-type/"
#define SSF "https://schemas.openid.net/secevent/ssf/event-type/"
#define OKTA "https://schemas.okta.com/secevent/okta/event-type/"

#define MILLISECONDS_FROM                                                                          \
    100000000000 /* a number of seconds above it would be after the year 5000 */

/* What an event says, and the members of it that must be there as texts. */
typedef struct event_kind {
    char const *uri;
    dt_set_kind kind;
    dt_news_what what; /* 0: it says nothing about trust that was given */
    char const *texts[2];
    char const *object; /* a member that must be there as an object */
} event_kind;

#define EVENT DT_SET_KIND_EVENT

/* CAEP 1.0 section 3, RISC 1.0 section 2, SSF 1.0 section 8.1.4; Okta's own, and Google's. */
static event_kind const kinds[] = {
    {CAEP "session-revoked", EVENT, DT_NEWS_SESSION_REVOKED, {0}, NULL},
    {CAEP "token-claims-change", EVENT, DT_NEWS_LIFECYCLE, {0}, "claims"},
    {CAEP "credential-change", EVENT, DT_NEWS_CREDENTIAL, {"credential_type", "change_type"}, NULL},
    {CAEP "assurance-level-change",
     EVENT,
     DT_NEWS_CREDENTIAL,
     {"namespace", "current_level"},
     NULL},
    {CAEP "device-compliance-change", EVENT, DT_NEWS_COMPLIANCE, {"current_status"}, NULL},
    {CAEP "risk-level-change", EVENT, DT_NEWS_LIFECYCLE, {"principal", "current_level"}, NULL},
    {CAEP "session-established", EVENT, DT_NEWS_WHAT_NONE, {0}, NULL},
    {CAEP "session-presented", EVENT, DT_NEWS_WHAT_NONE, {0}, NULL},
    {RISC "account-credential-change-required", EVENT, DT_NEWS_CREDENTIAL, {0}, NULL},
    {RISC "credential-compromise", EVENT, DT_NEWS_CREDENTIAL, {"credential_type"}, NULL},
    {RISC "account-purged", EVENT, DT_NEWS_LIFECYCLE, {0}, NULL},
    {RISC "account-disabled", EVENT, DT_NEWS_LIFECYCLE, {0}, NULL},
    {RISC "account-enabled", EVENT, DT_NEWS_LIFECYCLE, {0}, NULL},
    {RISC "identifier-changed", EVENT, DT_NEWS_LIFECYCLE, {0}, NULL},
    {RISC "identifier-recycled", EVENT, DT_NEWS_LIFECYCLE, {0}, NULL},
    {RISC "sessions-revoked", EVENT, DT_NEWS_SESSION_REVOKED, {0}, NULL},
    {OAUTH "tokens-revoked", EVENT, DT_NEWS_SESSION_REVOKED, {0}, NULL},
    {OAUTH "token-revoked", EVENT, DT_NEWS_SESSION_REVOKED, {0}, NULL},
    {OKTA "device-risk-change", EVENT, DT_NEWS_COMPLIANCE, {"current_level"}, NULL},
    {OKTA "user-risk-change", EVENT, DT_NEWS_LIFECYCLE, {"current_level"}, NULL},
    {OKTA "ip-change", EVENT, DT_NEWS_WHAT_NONE, {0}, NULL},
    {SSF "verification", DT_SET_KIND_VERIFICATION, DT_NEWS_WHAT_NONE, {0}, NULL},
    {RISC "verification", DT_SET_KIND_VERIFICATION, DT_NEWS_WHAT_NONE, {0}, NULL},
    {SSF "stream-updated", DT_SET_KIND_STREAM_UPDATED, DT_NEWS_WHAT_NONE, {"status"}, NULL},
};

static event_kind const *kind_of(char const *uri)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].uri, uri) == 0)
            return &kinds[i];
    return NULL;
}

static char const *const status_words[] = {NULL, "enabled", "paused", "disabled"};

dt_stream_status dt_stream_status_of(char const *word)
{
    for (int i = DT_STREAM_ENABLED; i <= DT_STREAM_DISABLED; i++)
        if (word != NULL && strcmp(word, status_words[i]) == 0)
            return (dt_stream_status)i;
    return DT_STREAM_UNKNOWN;
}

char const *dt_stream_status_word(dt_stream_status s)
{
    return s >= DT_STREAM_ENABLED && s <= DT_STREAM_DISABLED ? status_words[s] : "unknown";
}

static bool is_there(dt_json const *v)
{
    return dt_json_typeof(v) != DT_JSON_NONE;
}

/* Seconds by CAEP; milliseconds by Okta's examples. */
static char const *read_timestamp(dt_json const *event, dt_time *out)
{
    dt_json const *v = dt_json_get(event, "event_timestamp");
    int64_t n;
    if (!is_there(v) || dt_json_typeof(v) == DT_JSON_REAL)
        return NULL;
    if (!dt_json_integer(v, &n) || n <= 0 || n >= MILLISECONDS_FROM * 1000)
        return "its event_timestamp is not a time";
    *out = n > MILLISECONDS_FROM ? n : DT_SECONDS(n);
    return NULL;
}

/* What all events of CAEP have, and what this kind must have. */
static char const *check_members(event_kind const *k, dt_json const *event)
{
    dt_json const *by = dt_json_get(event, "initiating_entity");
    if (is_there(by) && dt_json_string(by) == NULL)
        return "its initiating_entity is not a text";
    for (size_t i = 0; i < sizeof(k->texts) / sizeof(k->texts[0]); i++)
        if (k->texts[i] != NULL && dt_json_string(dt_json_get(event, k->texts[i])) == NULL)
            return "an event lacks a member that its kind has, or it is not a text";
    if (k->object != NULL && dt_json_typeof(dt_json_get(event, k->object)) != DT_JSON_OBJECT)
        return "an event lacks a member that its kind has, or it is not an object";
    return NULL;
}

/* The subject of an event: that of the token, or the event's own, or both. */
static char const *read_subjects(dt_json const *claims, dt_json const *event, dt_set *out)
{
    dt_json const *outer = dt_json_get(claims, "sub_id"), *inner = dt_json_get(event, "subject");
    if (!is_there(outer) && !is_there(inner))
        return "it names no subject (sub_id)";
    char const *wrong = is_there(outer) ? dt_subject_read(outer, &out->news) : NULL;
    if (wrong == NULL && is_there(inner))
        wrong = dt_subject_read(inner, &out->news);
    return wrong;
}

/* Verification and stream-updated are about the stream itself. */
static char const *check_stream(dt_json const *claims, dt_set_expected const *x)
{
    dt_json const *subject = dt_json_get(claims, "sub_id");
    char const *id = dt_json_string(dt_json_get(subject, "id"));
    if (!is_there(subject))
        return NULL; /* of earlier drafts */
    if (id == NULL)
        return "its subject is not a stream";
    return x->stream_id != NULL && strcmp(id, x->stream_id) != 0 ? "it is about another stream"
                                                                 : NULL;
}

static char const *read_stream_event(dt_json const *claims, dt_json const *event,
                                     dt_set_expected const *x, dt_set *out)
{
    dt_json const *state = dt_json_get(event, "state");
    char const *wrong = check_stream(claims, x);
    if (wrong != NULL)
        return wrong;
    if (out->kind == DT_SET_KIND_STREAM_UPDATED) {
        out->status = dt_stream_status_of(dt_json_string(dt_json_get(event, "status")));
        return out->status != DT_STREAM_UNKNOWN ? NULL : "its status is not one";
    }
    if (is_there(state) &&
        (dt_json_string(state) == NULL ||
         dt_str_copy(out->state, sizeof(out->state), dt_json_string(state)) != DT_OK))
        return "its state is not a text, or too long";
    return NULL;
}

static char const *read_event(dt_json const *claims, char const *uri, dt_json const *event,
                              dt_set_expected const *x, dt_set *out)
{
    event_kind const *k = kind_of(uri);
    if (dt_json_typeof(event) != DT_JSON_OBJECT)
        return "an event is not an object";
    if (k == NULL)
        return NULL;
    char const *wrong = check_members(k, event);
    if (wrong == NULL)
        wrong = read_timestamp(event, &out->event_at);
    if (wrong != NULL)
        return wrong;
    if (out->is_known && k->kind != out->kind)
        return "its events are of kinds that do not go together";
    out->is_known = true;
    out->kind = k->kind;
    if (k->kind != DT_SET_KIND_EVENT)
        return read_stream_event(claims, event, x, out);
    out->news.what = k->what;
    return k->what != DT_NEWS_WHAT_NONE ? read_subjects(claims, event, out) : NULL;
}

char const *dt_set_read_events(dt_json const *claims, dt_set_expected const *x, dt_set *out)
{
    dt_json const *events = dt_json_get(claims, "events");
    char const *uri = NULL, *wrong = NULL;
    size_t const n = dt_json_size(events);
    if (dt_json_typeof(events) != DT_JSON_OBJECT || n == 0 || n > DT_SET_EVENTS_MAX)
        return "it has no events, or too many";
    out->kind = DT_SET_KIND_EVENT;
    for (size_t i = 0; i < n && wrong == NULL; i++) {
        dt_json const *event = dt_json_member(events, i, &uri);
        if (out->event[0] == '\0')
            (void)dt_str_escape(out->event, sizeof(out->event), uri);
        wrong = read_event(claims, uri, event, x, out);
    }
    if (out->event_at == 0)
        out->event_at = out->issued_at;
    return wrong;
}
