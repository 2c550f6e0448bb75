/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit events of a sign-on, as JSON lines in the shape of Okta's System Log, and as one line for
 * people. Written by appending, without printf and without a tree: this is on the way of every login.
 * Whatever comes from outside is escaped and cut, so that nobody can forge a line or make one that
 * does not fit. */
#include "core/json.h"
#include "core/outcome.h"

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

#define PUT(b, literal) dt_buf_put((b), "" literal, sizeof(literal) - 1)

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

/* A JSON string; NULL is "". */
static void put_text(dt_buf *b, char const *s, size_t cap)
{
    char cut[DT_CUT_LARGEST + 1];
    size_t n;

    if (s == NULL || strnlen(s, cap) <= cap / DT_ESCAPED_MAX) {
        dt_json_put_string(b, s);
        return;
    }
    n = cut_length(s, cap);
    memcpy(cut, s, n);
    cut[n] = '\0';
    dt_json_put_string(b, cut);
}

static void put_text_or_null(dt_buf *b, char const *s, size_t cap)
{
    if (s == NULL || *s == '\0')
        PUT(b, "null");
    else
        put_text(b, s, cap);
}

/* Text that is safe as it stands: one of our own words. */
static void put_plain(dt_buf *b, char const *s)
{
    dt_buf_putc(b, '"');
    dt_buf_puts(b, s);
    dt_buf_putc(b, '"');
}

static void put_plain_or_null(dt_buf *b, char const *s)
{
    if (*s == '\0')
        PUT(b, "null");
    else
        put_plain(b, s);
}

/* Whole seconds since `then`; null when that is not known. */
static void put_age(dt_buf *b, dt_time then, dt_time now)
{
    if (then <= 0 || then > now)
        PUT(b, "null");
    else
        dt_buf_put_int(b, (now - then) / 1000);
}

/* "certificate+intune" */
static void put_sources(dt_buf *b, unsigned sources)
{
    bool first = true;
    dt_buf_putc(b, '"');
    for (unsigned bit = 1; bit != 0 && bit <= sources; bit <<= 1) {
        char const *name = sources & bit ? dt_source_name((dt_source)bit) : NULL;
        if (name == NULL)
            continue;
        if (!first)
            dt_buf_putc(b, '+');
        dt_buf_puts(b, name);
        first = false;
    }
    dt_buf_putc(b, '"');
}

/* --- the parts that all events have ------------------------------------------------------------ */

/* A UUID of version 8 (RFC 9562 section 5.8) made of the sign-on's id: the two events of one sign-on
 * differ in the variant's free bits. null when the id is not of its form. */
static void put_uuid(dt_buf *b, char const *id, event_kind kind)
{
    char out[DT_GUID_LEN + 1];
    size_t n = 0;

    if (id == NULL || strlen(id) != DT_SIGNON_ID_LEN ||
        strspn(id, "0123456789abcdef") != DT_SIGNON_ID_LEN) {
        PUT(b, "null");
        return;
    }
    for (size_t i = 0; i < DT_SIGNON_ID_LEN; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[n++] = '-';
        out[n++] = id[i];
    }
    out[14] = '8';
    out[19] = kind == EVENT_DEVICE ? '9' : '8';
    out[n] = '\0';
    put_plain(b, out);
}

static char const *client_device(dt_platform p)
{
    if (p == DT_PLATFORM_UNKNOWN)
        return "Unknown";
    return dt_platform_is_mobile(p) ? "Mobile" : "Computer";
}

static void put_head(dt_buf *b, event_head const *h, dt_audit_context const *ctx, dt_time now)
{
    char published[25];

    dt_time_format(published, now);
    PUT(b, "{\"uuid\":");
    put_uuid(b, ctx->id, h->kind);
    PUT(b, ",\"published\":");
    put_plain(b, published);
    PUT(b, ",\"eventType\":");
    put_plain(b, h->type);
    PUT(b, ",\"version\":\"0\",\"severity\":");
    put_plain(b, h->severity);
    PUT(b, ",\"displayMessage\":\"");
    dt_buf_puts(b, h->message);
    dt_buf_puts(b, h->message_object);
    PUT(b, "\",\"outcome\":{\"result\":");
    put_plain(b, h->result);
    PUT(b, ",\"reason\":");
    put_plain(b, h->reason);
    PUT(b, "}");
}

static void put_who(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(b, ",\"actor\":{\"id\":null,\"type\":\"User\",\"alternateId\":");
    put_text_or_null(b, ctx->login, DT_CUT_USER);
    PUT(b, ",\"displayName\":");
    put_text_or_null(b, ctx->user, DT_CUT_USER);
    PUT(b, "},\"client\":{\"device\":");
    put_plain(b, client_device(o->verdict.platform));
    PUT(b, ",\"ipAddress\":");
    put_text_or_null(b, ctx->client_ip, DT_CUT_SHORT);
    PUT(b, "}");
}

/* The application, the device where one is known, the rule where one decided. */
static void put_targets(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(b, ",\"target\":[{\"id\":null,\"type\":\"AppInstance\",\"alternateId\":");
    put_text_or_null(b, ctx->application, DT_CUT_LABEL);
    PUT(b, ",\"displayName\":");
    put_text_or_null(b, ctx->application, DT_CUT_LABEL);
    PUT(b, "}");
    if (o->verdict.device_id.text[0] != '\0' || o->verdict.device_name[0] != '\0') {
        PUT(b, ",{\"id\":");
        put_text_or_null(b, o->verdict.device_id.text, DT_CUT_SHORT);
        PUT(b, ",\"type\":\"Device\",\"alternateId\":null,\"displayName\":");
        put_text_or_null(b, o->verdict.device_name, DT_CUT_LABEL);
        PUT(b, "}");
    }
    if (o->decision.rule[0] != '\0') {
        PUT(b, ",{\"id\":null,\"type\":\"Rule\",\"alternateId\":null,\"displayName\":");
        put_text(b, o->decision.rule, DT_CUT_RULE);
        PUT(b, "}");
    }
    PUT(b, "]");
}

static void put_transaction(dt_buf *b, dt_audit_context const *ctx)
{
    PUT(b, ",\"transaction\":{\"type\":\"WEB\",\"id\":");
    put_text_or_null(b, ctx->id, DT_CUT_SHORT);
    PUT(b, "},\"authenticationContext\":{\"interface\":");
    put_text_or_null(b, ctx->door, DT_CUT_SHORT);
    PUT(b, "}");
}

/* Opens debugData with what all events have in it. */
static void put_debug_where(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    PUT(b, ",\"debugContext\":{\"debugData\":{\"application\":");
    put_text_or_null(b, ctx->application, DT_CUT_LABEL);
    PUT(b, ",\"host\":");
    put_text_or_null(b, ctx->host, DT_CUT_LABEL);
    PUT(b, ",\"nas\":");
    put_text_or_null(b, ctx->nas, DT_CUT_LABEL);
    PUT(b, ",\"station\":");
    put_text_or_null(b, ctx->station, DT_CUT_LABEL);
    PUT(b, ",\"verdict\":");
    put_plain(b, dt_trust_name(o->verdict.trust));
    PUT(b, ",\"deviceReason\":");
    put_plain(b, dt_reason_name(o->verdict.reason));
    PUT(b, ",\"platform\":");
    put_plain(b, dt_platform_name(o->verdict.platform));
}

/* --- the sign-on ------------------------------------------------------------------------------- */

/* Whether a second factor was asked for, or would have been, in this sign-on. */
static bool is_mfa_event(dt_outcome const *o)
{
    return o->decision.access == DT_ACCESS_ALLOW_AFTER_MFA && o->cause != DT_CAUSE_MFA_REMEMBERED &&
           o->cause != DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;
}

static char const *signon_severity(dt_outcome const *o)
{
    if (o->cause == DT_CAUSE_CONFIG || o->cause == DT_CAUSE_INTERNAL || o->cause == DT_CAUSE_NONE)
        return "ERROR";
    if (o->result != DT_ALLOW || o->stale || o->cause == DT_CAUSE_OKTA_UNAVAILABLE_ALLOW)
        return "WARN";
    return "INFO";
}

static event_head signon_head(dt_outcome const *o)
{
    bool mfa = is_mfa_event(o), allow = o->result == DT_ALLOW;
    return (event_head){
        .kind = EVENT_SIGN_ON,
        .type = mfa ? "user.authentication.auth_via_mfa" : "policy.evaluate_sign_on",
        .message = mfa ? "Authentication of user via MFA" : "Evaluation of sign-on policy",
        .message_object = "",
        .severity = signon_severity(o),
        .result = mfa ? (allow ? "SUCCESS" : "FAILURE") : (allow ? "ALLOW" : "DENY"),
        .reason = dt_cause_name(o->cause),
    };
}

static char const *access_name(dt_access a)
{
    switch (a) {
    case DT_ACCESS_ALLOW:
        return "ALLOW";
    case DT_ACCESS_ALLOW_AFTER_MFA:
        return "ALLOW_AFTER_MFA";
    case DT_ACCESS_DENY:
        break;
    }
    return "DENY";
}

static void put_debug_device(dt_buf *b, dt_outcome const *o, dt_time now)
{
    PUT(b, ",\"evidence\":");
    put_sources(b, o->verdict.sources);
    PUT(b, ",\"keyId\":");
    put_text_or_null(b, o->verdict.key_id, DT_CUT_HASH);
    PUT(b, ",\"cacheAge\":");
    put_age(b, o->verdict.oldest, now);
    if (o->stale)
        PUT(b, ",\"stale\":true");
    else
        PUT(b, ",\"stale\":false");
}

static void put_debug_decision(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    char const *factor = dt_factor_name(o->factor);

    PUT(b, ",\"access\":");
    put_plain(b, access_name(o->decision.access));
    PUT(b, ",\"rule\":");
    put_text_or_null(b, o->decision.rule, DT_CUT_RULE);
    if (o->decision.access == DT_ACCESS_ALLOW_AFTER_MFA) {
        PUT(b, ",\"frequency\":");
        put_plain(b, dt_frequency_name(o->decision.frequency));
    }
    PUT(b, ",\"policyHash\":");
    put_text_or_null(b, ctx->policy_hash, DT_CUT_HASH);
    PUT(b, ",\"cause\":");
    put_plain(b, dt_cause_name(o->cause));
    PUT(b, ",\"factor\":");
    put_plain_or_null(b, factor == NULL ? "" : factor);
}

static void put_debug_effort(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx,
                             dt_time now)
{
    PUT(b, ",\"oktaCalls\":");
    dt_buf_put_int(b, o->okta_calls);
    PUT(b, ",\"graphCalls\":");
    dt_buf_put_int(b, o->graph_calls);
    PUT(b, ",\"polls\":");
    dt_buf_put_int(b, o->polls);
    PUT(b, ",\"durationMs\":");
    dt_buf_put_int(b, ctx->started > 0 && ctx->started < now ? now - ctx->started : 0);
    PUT(b, ",\"message\":");
    put_text_or_null(b, o->message, DT_CUT_PROSE);
    PUT(b, ",\"detail\":");
    put_text_or_null(b, o->detail, DT_CUT_PROSE);
}

void dt_audit_signon(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx, dt_time now)
{
    event_head const h = signon_head(o);

    put_head(out, &h, ctx, now);
    put_who(out, o, ctx);
    put_targets(out, o, ctx);
    put_transaction(out, ctx);
    put_debug_where(out, o, ctx);
    put_debug_device(out, o, now);
    put_debug_decision(out, o, ctx);
    put_debug_effort(out, o, ctx, now);
    PUT(out, "}}}\n");
}

/* --- the device -------------------------------------------------------------------------------- */

static bool is_key_source(dt_source s)
{
    return s == DT_SOURCE_CERTIFICATE || s == DT_SOURCE_SSH_KEY;
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

static void put_evidence(dt_buf *b, dt_evidence const *e, dt_time now)
{
    char const *source = dt_source_name(e->source);

    PUT(b, "{\"source\":");
    put_plain_or_null(b, source == NULL ? "" : source);
    if (e->assurance == DT_PROVED)
        PUT(b, ",\"proved\":true,\"finding\":");
    else
        PUT(b, ",\"proved\":false,\"finding\":");
    put_plain(b, finding_name(e->finding));
    PUT(b, ",\"reason\":");
    put_plain(b, dt_reason_name(e->reason));
    PUT(b, ",\"deviceId\":");
    put_text_or_null(b, e->device_id.text, DT_CUT_SHORT);
    PUT(b, ",\"keyId\":");
    put_text_or_null(b, e->key_id, DT_CUT_HASH);
    PUT(b, ",\"age\":");
    put_age(b, e->observed, now);
    PUT(b, "}");
}

void dt_audit_device(dt_buf *out, dt_outcome const *o, dt_evidence_set const *evidence,
                     dt_audit_context const *ctx, dt_time now)
{
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
    put_debug_device(out, o, now);
    PUT(out, ",\"facts\":[");
    for (size_t i = 0; i < evidence->count && i < DT_EVIDENCE_MAX; i++) {
        if (i > 0)
            PUT(out, ",");
        put_evidence(out, &evidence->items[i], now);
    }
    PUT(out, "]}}}\n");
}

/* --- for people -------------------------------------------------------------------------------- */

/* ` name="text"`, quoted as JSON is, so that no text can pass for another field. */
static void put_pair(dt_buf *b, char const *name, char const *text, size_t cap)
{
    if (text == NULL || *text == '\0')
        return;
    dt_buf_putc(b, ' ');
    dt_buf_puts(b, name);
    dt_buf_putc(b, '=');
    put_text(b, text, cap);
}

void dt_audit_line(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx)
{
    dt_buf_puts(out, o->result == DT_ALLOW ? "allowed" : "denied");
    PUT(out, " cause=");
    dt_buf_puts(out, dt_cause_name(o->cause));
    PUT(out, " device=");
    dt_buf_puts(out, dt_trust_name(o->verdict.trust));
    PUT(out, " reason=");
    dt_buf_puts(out, dt_reason_name(o->verdict.reason));
    put_pair(out, "user", ctx->user, DT_CUT_USER);
    put_pair(out, "login", ctx->login, DT_CUT_USER);
    put_pair(out, "application", ctx->application, DT_CUT_LABEL);
    put_pair(out, "from", ctx->client_ip, DT_CUT_SHORT);
    put_pair(out, "nas", ctx->nas, DT_CUT_LABEL);
    put_pair(out, "rule", o->decision.rule, DT_CUT_RULE);
    put_pair(out, "detail", o->detail, DT_CUT_PROSE);
    put_pair(out, "id", ctx->id, DT_CUT_SHORT);
}
