/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit events of a sign-on, as JSON lines in the shape of Okta's System Log, and as one line for
 * people. This is on the way of every login, so a line is put together by copying, without printf and without
 * a tree. Whatever comes from outside is escaped and cut, so
 * that nobody can forge a line or make one that does not fit. */
#include "core/device/evidence_facts.h"
#include "core/base/json.h"
#include "core/signon/outcome.h"

#include <string.h>

/* Most bytes of a text in an event, escaped, without its quotes. With all texts at their longest an
 * event stays below DT_AUDIT_EVENT_MAX. */
#define DT_CUT_USER 384
#define DT_CUT_LABEL 160 /* application, NAS, station, host, device name */
#define DT_CUT_SHORT 64  /* address, door, id */
#define DT_CUT_HASH 64
#define DT_CUT_RULE 384
#define DT_CUT_PROSE 1024 /* message, detail */
#define DT_CUT_LARGEST DT_CUT_PROSE
/* A byte becomes at most so many in a JSON string. */
#define DT_ESCAPED_MAX 6

#define PUT(l, literal) put((l), "" literal, sizeof(literal) - 1)

typedef enum event_kind { EVENT_SIGN_ON = 0, EVENT_DEVICE } event_kind;

/* What the two kinds of event say differently in their common part. */
typedef struct event_head {
    event_kind kind;
    char const *type;
    char const *message;
    char const *message_object; /* appended to message; "" = nothing */
    char const *severity;
    char const *result;
    char const *reason;
} event_head;

/* --- the event under way ----------------------------------------------------------------------- */

/* dt_buf_put, inlined: an event is some 200 pieces, most of a length that the compiler knows. With copy_plain
 * it saves 2 us of the 3.5 that the two events and the line of a sign-on take, of its 65. */
static inline void put(dt_buf *l, void const *p, size_t n)
{
    if (!l->fixed || n >= l->cap - l->len) {
        dt_buf_put(l, p, n);
        return;
    }
    memcpy(l->p + l->len, p, n);
    l->len += n;
}

static void put_word(dt_buf *l, char const *s)
{
    put(l, s, strlen(s));
}

/* Half a line would break the reader of the next one, so it is all or nothing. The caps above leave room for
 * every event; were one wrong, the line would be refused. */
static void end_event(dt_buf *out, size_t start)
{
    dt_buf_puts(out, "}}}\n");
    if (out->error == DT_OK && out->len - start > DT_AUDIT_EVENT_MAX)
        out->error = DT_E_LIMIT;
    if (out->error != DT_OK)
        out->len = start;
}

/* As much as fits, not ending within a UTF-8 sequence: for the line that people read. */
static void put_cut(dt_buf *out, dt_bytes line)
{
    size_t room = out->len < out->max ? out->max - out->len : 0;
    size_t n = line.len;

    if (n > room) {
        n = room;
        while (n > 0 && (line.p[n] & 0xc0) == 0x80)
            n--;
    }
    dt_buf_put(out, line.p, n);
}

/* --- values ------------------------------------------------------------------------------------ */

/* What a byte may cost in a JSON string, at most. */
static size_t byte_cost(unsigned char c)
{
    if (c < 0x20 || c == 0x7f)
        return DT_ESCAPED_MAX;
    if (c >= 0x80)
        return 3; /* U+FFFD for a stray byte; half of \uNNNN for a two-byte sequence */
    return c == '"' || c == '\\' ? 2 : 1;
}

/* The longest prefix that costs at most `cap` and does not end within a UTF-8 sequence. */
static size_t cut_length(char const *s, size_t cap)
{
    size_t n = 0, cost = 0;
    for (; s[n] != '\0'; n++) {
        cost += byte_cost((unsigned char)s[n]);
        if (cost > cap)
            break;
    }
    while (s[n] != '\0' && n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return n;
}

size_t dt_audit_text_length(char const *text, size_t cap)
{
    return cut_length(text, cap);
}

size_t dt_audit_rule_length(char const *rule)
{
    return cut_length(rule, DT_CUT_RULE);
}

/* Appends a JSON string as long as nothing in it needs an escape; nearly all are like that. */
static bool copy_plain(dt_buf *l, char const *s, size_t cap)
{
    uint8_t *to = l->p + l->len;
    size_t room = l->cap - l->len, n = 0;

    if (!l->fixed || room < cap + 3)
        return false;
    *to++ = '"';
    for (; byte_cost((unsigned char)s[n]) == 1; n++) {
        if (n == cap)
            return false;
        to[n] = (uint8_t)s[n];
    }
    if (s[n] != '\0')
        return false;
    to[n] = '"';
    l->len += n + 2;
    return true;
}

/* A JSON string, cut where it is too long; NULL is "". */
static void put_text(dt_buf *l, char const *s, size_t cap)
{
    char cut[DT_CUT_LARGEST + 1];

    if (s == NULL)
        s = "";
    if (copy_plain(l, s, cap))
        return;
    size_t n = cut_length(s, cap);
    memcpy(cut, s, n);
    cut[n] = '\0';
    dt_json_put_string(l, cut);
}

static void put_text_or_null(dt_buf *l, char const *s, size_t cap)
{
    if (s == NULL || *s == '\0')
        PUT(l, "null");
    else
        put_text(l, s, cap);
}

/* Text that is safe as it stands: one of our own words. */
static void put_plain(dt_buf *l, char const *s)
{
    PUT(l, "\"");
    put_word(l, s);
    PUT(l, "\"");
}

static void put_plain_or_null(dt_buf *l, char const *s)
{
    if (*s == '\0')
        PUT(l, "null");
    else
        put_plain(l, s);
}

/* Whole seconds since `then`; null when that is not known. */
static void put_age(dt_buf *l, dt_time then, dt_time now)
{
    if (then <= 0 || then > now)
        PUT(l, "null");
    else
        dt_buf_put_int(l, (now - then) / 1000);
}

/* "certificate+intune" */
static void put_sources(dt_buf *l, unsigned sources)
{
    bool first = true;
    PUT(l, "\"");
    for (unsigned bit = 1; bit != 0 && bit <= sources; bit <<= 1) {
        char const *name = sources & bit ? dt_source_name((dt_source)bit) : NULL;
        if (name == NULL)
            continue;
        if (!first)
            PUT(l, "+");
        put_word(l, name);
        first = false;
    }
    PUT(l, "\"");
}

/* --- the parts that all events have ------------------------------------------------------------ */

bool dt_audit_uuid(char out[DT_GUID_LEN + 1], char const *id, bool device)
{
    size_t n = 0;

    if (id == NULL || strlen(id) != DT_SIGNON_ID_LEN ||
        strspn(id, "0123456789abcdef") != DT_SIGNON_ID_LEN)
        return false;
    for (size_t i = 0; i < DT_SIGNON_ID_LEN; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[n++] = '-';
        out[n++] = id[i];
    }
    out[14] = '8';
    out[19] = device ? '9' : '8';
    out[n] = '\0';
    return true;
}

/* null when the id is not of its form. */
static void put_uuid(dt_buf *l, char const *id, event_kind kind)
{
    char uuid[DT_GUID_LEN + 1];

    if (dt_audit_uuid(uuid, id, kind == EVENT_DEVICE))
        put_plain(l, uuid);
    else
        PUT(l, "null");
}

static char const *client_device(dt_platform p)
{
    if (p == DT_PLATFORM_UNKNOWN)
        return "Unknown";
    return dt_platform_is_mobile(p) ? "Mobile" : "Computer";
}

static void put_head(dt_buf *l, event_head const *h, dt_audit_context const *ctx, dt_time now)
{
    char published[25];

    dt_time_format(published, now);
    PUT(l, "{\"uuid\":");
    put_uuid(l, ctx->id, h->kind);
    PUT(l, ",\"published\":");
    put_plain(l, published);
    PUT(l, ",\"eventType\":");
    put_plain(l, h->type);
    PUT(l, ",\"version\":\"0\",\"severity\":");
    put_plain(l, h->severity);
    PUT(l, ",\"displayMessage\":\"");
    put_word(l, h->message);
    put_word(l, h->message_object);
    PUT(l, "\",\"outcome\":{\"result\":");
    put_plain(l, h->result);
    PUT(l, ",\"reason\":");
    put_plain(l, h->reason);
    PUT(l, "}");
}

static void put_who(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(l, ",\"actor\":{\"id\":null,\"type\":");
    put_plain(l, ctx->machine ? "Machine" : "User");
    PUT(l, ",\"alternateId\":");
    put_text_or_null(l, ctx->login, DT_CUT_USER);
    PUT(l, ",\"displayName\":");
    put_text_or_null(l, ctx->user, DT_CUT_USER);
    PUT(l, "},\"client\":{\"device\":");
    put_plain(l, client_device(o->verdict.platform));
    PUT(l, ",\"ipAddress\":");
    put_text_or_null(l, ctx->client_ip, DT_CUT_SHORT);
    PUT(l, "}");
}

/* The application, the account where it is not the actor's, the device where one is known, the rule where
 * one decided. */
static void put_targets(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(l, ",\"target\":[{\"id\":null,\"type\":\"AppInstance\",\"alternateId\":");
    put_text_or_null(l, ctx->application, DT_CUT_LABEL);
    PUT(l, ",\"displayName\":");
    put_text_or_null(l, ctx->application, DT_CUT_LABEL);
    PUT(l, "}");
    if (ctx->account != NULL && *ctx->account != '\0') {
        PUT(l, ",{\"id\":null,\"type\":\"User\",\"alternateId\":null,\"displayName\":");
        put_text(l, ctx->account, DT_CUT_LABEL);
        PUT(l, "}");
    }
    if (o->verdict.device_id.text[0] != '\0' || o->verdict.device_name[0] != '\0') {
        PUT(l, ",{\"id\":");
        put_text_or_null(l, o->verdict.device_id.text, DT_CUT_SHORT);
        PUT(l, ",\"type\":\"Device\",\"alternateId\":null,\"displayName\":");
        put_text_or_null(l, o->verdict.device_name, DT_CUT_LABEL);
        PUT(l, "}");
    }
    if (o->decision.rule[0] != '\0') {
        PUT(l, ",{\"id\":null,\"type\":\"Rule\",\"alternateId\":null,\"displayName\":");
        put_text(l, o->decision.rule, DT_CUT_RULE);
        PUT(l, "}");
    }
    PUT(l, "]");
}

static void put_transaction(dt_buf *l, dt_audit_context const *ctx)
{
    PUT(l, ",\"transaction\":{\"type\":\"WEB\",\"id\":");
    put_text_or_null(l, ctx->id, DT_CUT_SHORT);
    PUT(l, "},\"authenticationContext\":{\"interface\":");
    put_text_or_null(l, ctx->door, DT_CUT_SHORT);
    PUT(l, "}");
}

static void put_debug_text(dt_buf *l, char const *name, char const *text)
{
    if (text == NULL || *text == '\0')
        return;
    PUT(l, ",\"");
    put_word(l, name);
    PUT(l, "\":");
    put_text(l, text, DT_CUT_LABEL);
}

static bool differs(char const *a, char const *b)
{
    return a != NULL && (b == NULL || strcmp(a, b) != 0);
}

/* What the actor does not say: of which realm, under which name they came, and who became whom. */
static void put_debug_who(dt_buf *l, dt_audit_context const *ctx)
{
    put_debug_text(l, "realm", ctx->realm);
    if (differs(ctx->name, ctx->user))
        put_debug_text(l, "name", ctx->name);
    put_debug_text(l, "account", ctx->account);
    put_debug_text(l, "caller", ctx->caller);
    if (differs(ctx->ruser, ctx->caller))
        put_debug_text(l, "ruser", ctx->ruser);
    put_debug_text(l, "tty", ctx->tty);
    put_debug_text(l, "seat", ctx->seat);
    put_debug_text(l, "place", ctx->place);
}

/* Opens debugData with what all events have in it. */
static void put_debug_where(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(l, ",\"debugContext\":{\"debugData\":{\"application\":");
    put_text_or_null(l, ctx->application, DT_CUT_LABEL);
    if (ctx->service != NULL && ctx->service[0] != '\0') {
        PUT(l, ",\"service\":");
        put_text_or_null(l, ctx->service, DT_CUT_LABEL);
    }
    PUT(l, ",\"host\":");
    put_text_or_null(l, ctx->host, DT_CUT_LABEL);
    PUT(l, ",\"nas\":");
    put_text_or_null(l, ctx->nas, DT_CUT_LABEL);
    PUT(l, ",\"station\":");
    put_text_or_null(l, ctx->station, DT_CUT_LABEL);
    put_debug_who(l, ctx);
    put_debug_text(l, "code", dt_outcome_code(o));
    PUT(l, ",\"verdict\":");
    put_plain(l, dt_trust_name(o->verdict.trust));
    PUT(l, ",\"deviceReason\":");
    put_plain(l, dt_reason_name(o->verdict.reason));
    PUT(l, ",\"platform\":");
    put_plain(l, dt_platform_name(o->verdict.platform));
}

/* --- the sign-on ------------------------------------------------------------------------------- */

/* Whether a second factor was asked for, or would have been, in this sign-on. */
static bool is_mfa_event(dt_outcome const *o)
{
    return o->decision.access == DT_ACCESS_ALLOW_AFTER_MFA &&
           o->primary != DT_PRIMARY_OKTA_PENDING && o->cause != DT_CAUSE_MFA_REMEMBERED &&
           o->cause != DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;
}

/* Whether the sign-on ended with the Okta password, which some rule would have let in with. */
static bool is_password_event(dt_outcome const *o)
{
    return o->primary == DT_PRIMARY_OKTA_PENDING && o->decision.cause == DT_DECISION_RULE &&
           o->decision.access != DT_ACCESS_DENY;
}

static char const *signon_severity(dt_outcome const *o)
{
    if (o->cause == DT_CAUSE_CONFIG || o->cause == DT_CAUSE_INTERNAL || o->cause == DT_CAUSE_NONE ||
        dt_outcome_alarms(o))
        return "ERROR";
    if (o->result != DT_ALLOW || o->stale || o->cause == DT_CAUSE_OKTA_UNAVAILABLE_ALLOW)
        return "WARN";
    return "INFO";
}

static event_head signon_head(dt_outcome const *o)
{
    bool password = is_password_event(o);
    bool mfa = is_mfa_event(o) || password, allow = o->result == DT_ALLOW;
    return (event_head){
        .kind = EVENT_SIGN_ON,
        .type = password ? "user.session.start"
                : mfa    ? "user.authentication.auth_via_mfa"
                         : "policy.evaluate_sign_on",
        .message = password ? "Authentication of user via Okta password"
                   : mfa    ? "Authentication of user via MFA"
                            : "Evaluation of sign-on policy",
        .message_object = "",
        .severity = signon_severity(o),
        .result = dt_outcome_is_report_only(o) ? "SKIPPED"
                  : mfa                        ? (allow ? "SUCCESS" : "FAILURE")
                                               : (allow ? "ALLOW" : "DENY"),
        .reason = dt_cause_name(o->cause),
    };
}

/* What was presented, trusted or not. */
static void put_debug_keys(dt_buf *l, dt_audit_context const *ctx)
{
    if (ctx->keys == NULL || ctx->keys[0].name[0] == '\0')
        return;
    PUT(l, ",\"keysPresented\":[");
    for (size_t i = 0; i < DT_KEYS_PRESENTED_MAX && ctx->keys[i].name[0] != '\0'; i++) {
        char const *source = dt_source_name(ctx->keys[i].source);

        if (i > 0)
            PUT(l, ",");
        PUT(l, "{\"source\":");
        put_plain_or_null(l, source == NULL ? "" : source);
        PUT(l, ",\"name\":");
        put_text(l, ctx->keys[i].name, DT_CUT_LABEL);
        PUT(l, "}");
    }
    PUT(l, "]");
}

static void put_debug_device(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx,
                             dt_time now)
{
    PUT(l, ",\"evidence\":");
    put_sources(l, o->verdict.sources);
    PUT(l, ",\"keyId\":");
    put_text_or_null(l, o->verdict.key_id, DT_CUT_HASH);
    PUT(l, ",\"cacheAge\":");
    put_age(l, o->verdict.oldest, now);
    if (o->stale)
        PUT(l, ",\"stale\":true");
    else
        PUT(l, ",\"stale\":false");
    put_debug_keys(l, ctx);
    if (o->revocation == DT_REVOCATION_BY_UNASKED)
        return;
    PUT(l, ",\"revocation\":");
    put_plain(l, dt_revocation_by_name(o->revocation));
    if (o->revocation_at > 0) {
        PUT(l, ",\"revocationAge\":");
        put_age(l, o->revocation_at, now);
    }
}

/* Which of the sites that the process has used so far decided, and since when it was used. */
static void put_debug_generation(dt_buf *l, dt_audit_context const *ctx)
{
    char loaded[25];

    PUT(l, ",\"policyGeneration\":");
    if (ctx->generation == 0) {
        PUT(l, "null,\"policyLoaded\":null");
        return;
    }
    dt_buf_put_int(l, (int64_t)ctx->generation);
    dt_time_format(loaded, ctx->loaded);
    PUT(l, ",\"policyLoaded\":");
    put_plain(l, loaded);
}

/* JSON already, and bounded: each rule that was passed over, what it wanted and what it got. */
static void put_debug_explanation(dt_buf *l, dt_audit_context const *ctx)
{
    PUT(l, ",\"groupsFrom\":");
    put_plain_or_null(l, ctx->groups_from == NULL ? "" : ctx->groups_from);
    PUT(l, ",\"explanation\":");
    put_word(l, ctx->explanation == NULL || *ctx->explanation == '\0' ? "null" : ctx->explanation);
}

/* JSON already, and bounded: what the policy was asked about. */
static void put_debug_input(dt_buf *l, dt_audit_context const *ctx)
{
    PUT(l, ",\"policyInput\":");
    put_word(l,
             ctx->policy_input == NULL || *ctx->policy_input == '\0' ? "null" : ctx->policy_input);
}

/* Every event says whether it was enforced. */
static void put_debug_report(dt_buf *l, dt_outcome const *o)
{
    if (!o->report_only) {
        PUT(l, ",\"reportOnly\":false");
        return;
    }
    PUT(l, ",\"reportOnly\":true,\"would\":");
    put_plain(l, dt_would_name(o->would));
    PUT(l, ",\"wouldCause\":");
    put_plain_or_null(l, o->would_cause == DT_CAUSE_NONE ? "" : dt_cause_name(o->would_cause));
}

static void put_debug_decision(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx)
{
    char const *factor = dt_factor_name(o->factor);
    char frequency[DT_DURATION_TEXT_MAX];

    PUT(l, ",\"access\":");
    put_plain(l, dt_access_name(o->decision.access));
    PUT(l, ",\"rule\":");
    put_text_or_null(l, o->decision.rule, DT_CUT_RULE);
    if (o->decision.access == DT_ACCESS_ALLOW_AFTER_MFA) {
        PUT(l, ",\"frequency\":");
        put_plain(l, dt_decision_frequency_text(frequency, &o->decision));
    }
    PUT(l, ",\"primary\":");
    put_plain(l, dt_primary_name(o->primary));
    if (o->org.rule[0] != '\0') {
        PUT(l, ",\"orgRule\":");
        put_text(l, o->org.rule, DT_CUT_RULE);
        PUT(l, ",\"orgAccess\":");
        put_plain(l, dt_access_name(o->org.access));
    }
    if (o->org_mfa)
        PUT(l, ",\"orgMfa\":true");
    PUT(l, ",\"policyHash\":");
    put_text_or_null(l, ctx->policy_hash, DT_CUT_HASH);
    put_debug_generation(l, ctx);
    put_debug_report(l, o);
    put_debug_explanation(l, ctx);
    put_debug_input(l, ctx);
    PUT(l, ",\"cause\":");
    put_plain(l, dt_cause_name(o->cause));
    PUT(l, ",\"factor\":");
    put_plain_or_null(l, factor == NULL ? "" : factor);
    if (factor != NULL) {
        PUT(l, ",\"factorProvider\":");
        put_plain(l, dt_factor_provider(o->factor));
    }
}

static void put_debug_effort(dt_buf *l, dt_outcome const *o, dt_audit_context const *ctx,
                             dt_time now)
{
    PUT(l, ",\"oktaCalls\":");
    dt_buf_put_int(l, o->okta_calls);
    PUT(l, ",\"graphCalls\":");
    dt_buf_put_int(l, o->graph_calls);
    PUT(l, ",\"ocspCalls\":");
    dt_buf_put_int(l, o->ocsp_calls);
    PUT(l, ",\"polls\":");
    dt_buf_put_int(l, o->polls);
    PUT(l, ",\"durationMs\":");
    dt_buf_put_int(l, ctx->started > 0 && ctx->started < now ? now - ctx->started : 0);
    PUT(l, ",\"message\":");
    put_text_or_null(l, o->message, DT_CUT_PROSE);
    PUT(l, ",\"detail\":");
    put_text_or_null(l, o->detail, DT_CUT_PROSE);
}

void dt_audit_signon(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx, dt_time now)
{
    size_t const start = out->len;
    event_head const h = signon_head(o);

    put_head(out, &h, ctx, now);
    put_who(out, o, ctx);
    put_targets(out, o, ctx);
    put_transaction(out, ctx);
    put_debug_where(out, o, ctx);
    put_debug_device(out, o, ctx, now);
    put_debug_decision(out, o, ctx);
    put_debug_effort(out, o, ctx, now);
    end_event(out, start);
}

/* --- the device -------------------------------------------------------------------------------- */

static bool is_key_source(dt_source s)
{
    return (s & DT_SOURCES_WITH_KEY) != 0;
}

/* What the device was known by: a key if there was one, else whatever there was. A device that showed
 * nothing is one without a certificate. */
static char const *device_via(dt_outcome const *o, dt_evidence_set const *set)
{
    dt_source any = DT_SOURCE_NONE, key = DT_SOURCE_NONE;
    char const *name;

    for (size_t i = 0; i < set->count && i < DT_EVIDENCE_MAX; i++) {
        dt_source s = set->items[i].source;
        bool used = o->verdict.trust != DT_TRUST_TRUSTED || (o->verdict.sources & s) != 0;
        if (key == DT_SOURCE_NONE && used && is_key_source(s))
            key = s;
        if (any == DT_SOURCE_NONE && used)
            any = s;
    }
    name = dt_source_name(key != DT_SOURCE_NONE ? key : any);
    return name == NULL ? "certificate" : name;
}

static char const *finding_name(dt_finding f)
{
    switch (f) {
    case DT_FINDING_FOR:
        return "FOR";
    case DT_FINDING_UNKNOWN:
        return "UNKNOWN";
    case DT_FINDING_AGAINST:
        break;
    }
    return "AGAINST";
}

static void put_evidence(dt_buf *l, dt_evidence const *e, dt_time now)
{
    char const *source = dt_source_name(e->source);

    PUT(l, "{\"source\":");
    put_plain_or_null(l, source == NULL ? "" : source);
    if (e->assurance == DT_PROVED)
        PUT(l, ",\"proved\":true,\"finding\":");
    else
        PUT(l, ",\"proved\":false,\"finding\":");
    put_plain(l, finding_name(e->finding));
    PUT(l, ",\"reason\":");
    put_plain(l, dt_reason_name(e->reason));
    PUT(l, ",\"deviceId\":");
    put_text_or_null(l, e->device_id.text, DT_CUT_SHORT);
    PUT(l, ",\"keyId\":");
    put_text_or_null(l, e->key_id, DT_CUT_HASH);
    PUT(l, ",\"age\":");
    put_age(l, e->observed, now);
    PUT(l, "}");
}

void dt_audit_device(dt_buf *out, dt_outcome const *o, dt_evidence_set const *evidence,
                     dt_audit_context const *ctx, dt_time now)
{
    size_t const start = out->len;
    bool trusted = o->verdict.trust == DT_TRUST_TRUSTED;
    event_head const h = {
        .kind = EVENT_DEVICE,
        .type = "user.authentication.authenticate",
        .message = "Authentication of device via ",
        .message_object = device_via(o, evidence),
        .severity = trusted ? "INFO" : "WARN",
        .result = trusted ? "SUCCESS" : "FAILURE",
        .reason = dt_reason_name(o->verdict.reason),
    };

    put_head(out, &h, ctx, now);
    put_who(out, o, ctx);
    put_targets(out, o, ctx);
    put_transaction(out, ctx);
    put_debug_where(out, o, ctx);
    put_debug_device(out, o, ctx, now);
    PUT(out, ",\"facts\":[");
    for (size_t i = 0; i < evidence->count && i < DT_EVIDENCE_MAX; i++) {
        if (i > 0)
            PUT(out, ",");
        put_evidence(out, &evidence->items[i], now);
    }
    PUT(out, "]");
    end_event(out, start);
}

/* --- a session ---------------------------------------------------------------------------------- */

void dt_audit_session(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                      dt_audit_session_facts const *f, dt_time now)
{
    size_t const start = out->len;
    event_head const h = {
        .kind = EVENT_SIGN_ON,
        .type = "policy.auth_reevaluate.fail",
        .message = "Session no longer meets the rule that let it in",
        .message_object = "",
        .severity = "WARN",
        .result = "FAILURE",
        .reason = f->cause,
    };

    put_head(out, &h, ctx, now);
    put_who(out, o, ctx);
    put_targets(out, o, ctx);
    put_transaction(out, ctx);
    put_debug_where(out, o, ctx);
    PUT(out, ",\"access\":");
    put_plain(out, dt_access_name(o->decision.access));
    PUT(out, ",\"rule\":");
    put_text_or_null(out, o->decision.rule, DT_CUT_RULE);
    PUT(out, ",\"letInBy\":");
    put_text_or_null(out, f->rule, DT_CUT_RULE);
    put_debug_text(out, "session", f->session);
    put_debug_text(out, "signOn", f->signon);
    put_debug_text(out, "source", f->source);
    put_debug_text(out, "reference", f->reference);
    put_debug_text(out, "onLoss", f->action);
    PUT(out, ",\"result\":");
    put_text(out, f->result, DT_CUT_PROSE);
    PUT(out, ",\"ended\":");
    put_word(out, f->ended ? "true" : "false");
    PUT(out, ",\"cause\":");
    put_plain(out, f->cause);
    PUT(out, ",\"detail\":");
    put_text_or_null(out, o->detail, DT_CUT_PROSE);
    end_event(out, start);
}

/* --- the configuration ------------------------------------------------------------------------- */

void dt_audit_reload(dt_buf *out, dt_audit_reload_facts const *f, dt_time now)
{
    size_t const start = out->len;
    dt_audit_context const ctx = {.generation = f->generation, .loaded = f->loaded};
    char published[25];

    dt_time_format(published, now);
    PUT(out, "{\"uuid\":null,\"published\":");
    put_plain(out, published);
    PUT(out, ",\"eventType\":\"policy.lifecycle.update\",\"version\":\"0\",\"severity\":");
    put_plain(out, f->taken ? "INFO" : "ERROR");
    PUT(out,
        ",\"displayMessage\":\"Reload of configuration and policies\",\"outcome\":{\"result\":");
    put_plain(out, f->taken ? "SUCCESS" : "FAILURE");
    PUT(out, ",\"reason\":");
    put_text(out, f->text, DT_CUT_PROSE);
    PUT(out, "},\"actor\":{\"id\":null,\"type\":\"SystemPrincipal\",\"alternateId\":null,"
             "\"displayName\":\"devtrust\"},\"debugContext\":{\"debugData\":{\"host\":");
    put_text_or_null(out, f->host, DT_CUT_LABEL);
    put_debug_generation(out, &ctx);
    end_event(out, start);
}

/* --- for people -------------------------------------------------------------------------------- */

/* ` name="text"`, quoted as JSON is, so that no text can pass for another field. */
static void put_pair(dt_buf *l, char const *name, char const *text, size_t cap)
{
    if (text == NULL || *text == '\0')
        return;
    PUT(l, " ");
    put_word(l, name);
    PUT(l, "=");
    put_text(l, text, cap);
}

void dt_audit_line(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx)
{

    char storage[DT_AUDIT_EVENT_MAX + 1];
    dt_buf l;

    dt_buf_init_fixed(&l, storage, sizeof(storage));
    if (dt_outcome_is_report_only(o)) {
        PUT(&l, "REPORT ONLY, not enforced: would=");
        put_word(&l, dt_would_name(o->would));
        PUT(&l, " cause=");
        put_word(&l, o->would_cause == DT_CAUSE_NONE ? "MFA" : dt_cause_name(o->would_cause));
    } else {
        put_word(&l, o->result == DT_ALLOW ? "allowed" : "denied");
        PUT(&l, " cause=");
        put_word(&l, dt_cause_name(o->cause));
    }
    PUT(&l, " device=");
    put_word(&l, dt_trust_name(o->verdict.trust));
    PUT(&l, " reason=");
    put_word(&l, dt_reason_name(o->verdict.reason));
    put_pair(&l, "user", ctx->user, DT_CUT_USER);
    put_pair(&l, "login", ctx->login, DT_CUT_USER);
    put_pair(&l, "account", ctx->account, DT_CUT_USER);
    put_pair(&l, "caller", ctx->caller, DT_CUT_USER);
    put_pair(&l, "application", ctx->application, DT_CUT_LABEL);
    put_pair(&l, "from", ctx->client_ip, DT_CUT_SHORT);
    put_pair(&l, "tty", ctx->tty, DT_CUT_SHORT);
    put_pair(&l, "nas", ctx->nas, DT_CUT_LABEL);
    put_pair(&l, "rule", o->decision.rule, DT_CUT_RULE);
    put_pair(&l, "org_rule", o->org.rule, DT_CUT_RULE);
    put_pair(&l, "code", dt_outcome_code(o), DT_CUT_SHORT);
    put_pair(&l, "id", ctx->id, DT_CUT_SHORT);
    put_pair(&l, "detail", o->detail, DT_CUT_PROSE); /* last: it is the longest */
    put_cut(out, dt_buf_bytes(&l));
}
