/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See audit_ocsf.h. Source of classes, attributes and numbers: ocsf-schema 1.8.0 (class authentication, profiles host
 * and security_control, objects user, device, network_endpoint, auth_factor, authorization, observable). */
#include "core/signon/audit_ocsf.h"

#include "core/base/json.h"
#include "core/base/version.h"

#include <string.h>

/* Most bytes of a text, escaped: with all of them at their longest an event stays below DT_AUDIT_OCSF_EVENT_MAX. */
#define CUT_USER 384
#define CUT_LABEL 160
#define CUT_SHORT 64
#define CUT_RULE 384
#define CUT_PROSE 1024

#define OTHER 99 /* of every enumeration of OCSF */
#define CLASS_AUTHENTICATION 3002
#define CATEGORY_IAM 3
#define OBSERVABLES_MAX 6

typedef enum ocsf_activity {
    ACTIVITY_LOGON = 1,
    ACTIVITY_LOGOFF = 2,
    ACTIVITY_ACCOUNT_SWITCH = 7,
    ACTIVITY_DEVICE = OTHER, /* OCSF has none for the authentication of a device */
} ocsf_activity;

/* What sign-on and device say differently. */
typedef struct ocsf_head {
    ocsf_activity activity;
    bool of_device;
    bool revokes; /* of a session: it ends */
    char const *activity_name, *message;
    int severity_id, status_id;
    char const *severity, *status, *status_code;
} ocsf_head;

/* --- values ------------------------------------------------------------------------------------- */

/* A comma, unless it is the first of its object or list. */
static void separate(dt_buf *b)
{
    if (b->len > 0 && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
        dt_buf_putc(b, ',');
}

static void put_name(dt_buf *b, char const *name)
{
    separate(b);
    dt_buf_putc(b, '"');
    dt_buf_puts(b, name);
    dt_buf_puts(b, "\":");
}

static bool is_known(char const *text)
{
    return text != NULL && *text != '\0';
}

/* Nothing where it is not known. */
static void put_text(dt_buf *b, char const *name, char const *text, size_t cut)
{
    char copy[CUT_PROSE + 1];

    if (text == NULL || *text == '\0')
        return;
    size_t n = dt_audit_text_length(text, cut);
    memcpy(copy, text, n);
    copy[n] = '\0';
    put_name(b, name);
    dt_json_put_string(b, copy);
}

static void put_number(dt_buf *b, char const *name, int64_t n)
{
    put_name(b, name);
    dt_buf_put_int(b, n);
}

static void put_bool(dt_buf *b, char const *name, bool value)
{
    put_name(b, name);
    dt_buf_puts(b, value ? "true" : "false");
}

static void begin(dt_buf *b, char const *name)
{
    put_name(b, name);
    dt_buf_putc(b, '{');
}

static void end(dt_buf *b)
{
    dt_buf_putc(b, '}');
}

/* --- the frame ------------------------------------------------------------------------------------ */

static void put_metadata(dt_buf *b, char const *id, bool of_device, char const *code)
{
    char uid[DT_GUID_LEN + 1];

    begin(b, "metadata");
    put_text(b, "version", DT_AUDIT_OCSF_VERSION, CUT_SHORT);
    begin(b, "product");
    put_text(b, "name", "devtrust", CUT_SHORT);
    put_text(b, "vendor_name", "devtrust", CUT_SHORT);
    put_text(b, "version", DT_VERSION, CUT_SHORT);
    end(b);
    if (dt_audit_uuid(uid, id, of_device))
        put_text(b, "uid", uid, CUT_SHORT);
    put_text(b, "correlation_uid", id, CUT_SHORT);
    put_text(b, "event_code", code, CUT_SHORT);
    put_text(b, "log_name", "devtrust", CUT_SHORT);
    if (id != NULL)
        dt_buf_puts(b, ",\"profiles\":[\"host\",\"security_control\"]");
    end(b);
}

static void put_class(dt_buf *b, int category, int class_uid, int activity, char const *name)
{
    put_number(b, "category_uid", category);
    put_number(b, "class_uid", class_uid);
    put_number(b, "activity_id", activity);
    put_text(b, "activity_name", name, CUT_SHORT);
    put_number(b, "type_uid", (int64_t)class_uid * 100 + activity);
}

/* Ends the event with the other form of it, or takes all back. */
static void put_unmapped(dt_buf *b, size_t start, dt_buf const *native)
{
    if (b->error == DT_OK)
        b->error = dt_buf_error(native);
    dt_buf_puts(b, ",\"unmapped\":{\"devtrust\":");
    dt_buf_put(b, native->p, native->len > 0 ? native->len - 1 : 0); /* without its newline */
    dt_buf_puts(b, "}}\n");
    if (b->error == DT_OK && b->len - start > DT_AUDIT_OCSF_EVENT_MAX)
        b->error = DT_E_LIMIT;
    if (b->error != DT_OK)
        b->len = start;
}

/* --- who ------------------------------------------------------------------------------------------- */

/* `account`: that is opened, where it is somebody else's. */
static void put_user(dt_buf *b, char const *name, char const *login, char const *account,
                     bool machine)
{
    bool const nobody = !is_known(name) && !is_known(login);

    begin(b, "user");
    put_text(b, "name", is_known(name) ? name : nobody ? "unknown" : login, CUT_USER);
    put_text(b, "uid", login, CUT_USER);
    put_number(b, "type_id", machine ? 3 : 1);
    put_text(b, "type", machine ? "System" : "User", CUT_SHORT);
    if (is_known(account)) {
        begin(b, "account");
        put_text(b, "name", account, CUT_USER);
        end(b);
    }
    end(b);
}

static char const *decision_name(dt_outcome const *o)
{
    return o->decision.access == DT_ACCESS_DENY ? "Deny" : "Allow";
}

/* The rule that decided, and who called where that is somebody else. */
static void put_actor(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    bool const has_rule = is_known(o->decision.rule);

    if (!has_rule && !is_known(ctx->caller))
        return;
    begin(b, "actor");
    if (is_known(ctx->caller))
        put_user(b, ctx->caller, NULL, NULL, false);
    if (has_rule) {
        put_name(b, "authorizations");
        dt_buf_puts(b, "[{");
        put_text(b, "decision", decision_name(o), CUT_SHORT);
        begin(b, "policy");
        put_text(b, "name", o->decision.rule, CUT_RULE);
        put_text(b, "uid", ctx->policy_hash, CUT_SHORT);
        put_bool(b, "is_applied", !dt_outcome_is_report_only(o));
        end(b);
        dt_buf_puts(b, "}]");
    }
    end(b);
}

/* --- the device ------------------------------------------------------------------------------------ */

static void put_os(dt_buf *b, dt_platform p)
{
    static struct {
        char const *name;
        dt_platform platform;
        int type_id;
    } const list[] = {
        {"Windows", DT_PLATFORM_WINDOWS, 100}, {"macOS", DT_PLATFORM_MACOS, 300},
        {"Linux", DT_PLATFORM_LINUX, 200},     {"ChromeOS", DT_PLATFORM_CHROMEOS, OTHER},
        {"iOS", DT_PLATFORM_IOS, 301},         {"Android", DT_PLATFORM_ANDROID, 201},
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (list[i].platform != p)
            continue;
        begin(b, "os");
        put_text(b, "name", list[i].name, CUT_SHORT);
        put_number(b, "type_id", list[i].type_id);
        end(b);
    }
}

/* Only what the verdict says: a reason stands for one finding, and says nothing of the others. */
static void put_state(dt_buf *b, dt_verdict const *v)
{
    bool const trusted = v->trust == DT_TRUST_TRUSTED;
    bool const by_intune = trusted && (v->sources & DT_SOURCE_INTUNE) != 0;

    if (v->trust != DT_TRUST_UNKNOWN)
        put_bool(b, "is_trusted", trusted);
    if (by_intune || v->reason == DT_REASON_NOT_COMPLIANT)
        put_bool(b, "is_compliant", by_intune);
    if (by_intune || v->reason == DT_REASON_NOT_MANAGED || v->reason == DT_REASON_NOT_ENROLLED)
        put_bool(b, "is_managed", by_intune);
}

static void put_device(dt_buf *b, dt_verdict const *v)
{
    bool const mobile = v->platform != DT_PLATFORM_UNKNOWN && dt_platform_is_mobile(v->platform);

    begin(b, "device");
    put_number(b, "type_id", mobile ? 5 : 0); /* desktop or laptop is not known */
    put_text(b, "type", mobile ? "Mobile" : "Unknown", CUT_SHORT);
    put_text(b, "uid", v->device_id.text, CUT_SHORT);
    put_text(b, "name", v->device_name, CUT_LABEL);
    put_os(b, v->platform);
    put_state(b, v);
    end(b);
}

/* --- where ----------------------------------------------------------------------------------------- */

static bool is_radius(dt_audit_context const *ctx)
{
    return ctx->door != NULL && strcmp(ctx->door, "radius") == 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A Calling-Station-Id may be anything; six bytes with a separator each are a MAC address. */
static bool is_mac(char const *s)
{
    for (int i = 0; i < 17; i++) {
        if (i % 3 == 2 ? s[i] != '-' && s[i] != ':' : !is_hex(s[i]))
            return false;
    }
    return s[17] == '\0';
}

static void put_places(dt_buf *b, dt_audit_context const *ctx)
{
    bool const has_mac = is_known(ctx->station) && is_mac(ctx->station);

    if (is_known(ctx->client_ip) || has_mac || is_known(ctx->tty)) {
        begin(b, "src_endpoint");
        put_text(b, "ip", ctx->client_ip, CUT_SHORT);
        if (has_mac)
            put_text(b, "mac", ctx->station, CUT_SHORT);
        put_text(b, "name", is_known(ctx->client_ip) ? NULL : ctx->tty, CUT_LABEL);
        end(b);
    }
    begin(b, "dst_endpoint");
    put_text(b, "hostname", is_known(ctx->host) ? ctx->host : "unknown", CUT_LABEL);
    put_text(b, "name", ctx->nas, CUT_LABEL); /* the gateway or access point, which RADIUS names */
    end(b);
    begin(b, "service");
    put_text(b, "name", is_known(ctx->application) ? ctx->application : "unknown", CUT_LABEL);
    end(b);
}

static void put_way_in(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    bool const radius = is_radius(ctx), remote = is_known(ctx->client_ip);
    int const logon = radius ? 3 : remote ? 10 : is_known(ctx->tty) ? 2 : 0;
    int const protocol = o->primary == DT_PRIMARY_HANDSHAKE ? 9 : radius ? 10 : OTHER;

    put_number(b, "auth_protocol_id", protocol);
    put_text(b, "auth_protocol", protocol == 9 ? "EAP" : radius ? "RADIUS" : "PAM", CUT_SHORT);
    put_number(b, "logon_type_id", logon);
    if (radius || remote || is_known(ctx->tty))
        put_bool(b, "is_remote", radius || remote);
}

/* --- factors ---------------------------------------------------------------------------------------- */

static void put_factor(dt_buf *b, int type_id, char const *type, char const *provider)
{
    separate(b);
    dt_buf_putc(b, '{');
    put_number(b, "factor_type_id", type_id);
    put_text(b, "factor_type", type, CUT_SHORT);
    put_text(b, "provider", provider, CUT_SHORT);
    end(b);
}

static int factor_type_id(dt_factor_type f)
{
    switch ((int)f) {
    case DT_FACTOR_PUSH:
        return 5;
    case DT_FACTOR_SMS:
        return 1;
    case DT_FACTOR_QUESTION:
        return 2;
    case DT_FACTOR_CALL:
        return 3;
    case DT_FACTOR_YUBIKEY:
        return 6;
    case DT_FACTOR_EMAIL:
        return 8;
    case DT_FACTOR_TOTP:
    case DT_FACTOR_TOTP_GOOGLE:
    case DT_FACTOR_HOTP:
    case DT_FACTOR_SYMANTEC:
    case DT_FACTOR_RSA:
        return 7;
    default:
        return OTHER;
    }
}

/* What devtrust itself saw: the first factor is the stack's or the server's, unless Okta checked the password. */
static void put_factors(dt_buf *b, dt_outcome const *o)
{
    bool const password = o->primary == DT_PRIMARY_OKTA_VERIFIED;
    char const *factor = dt_factor_name(o->factor);

    put_bool(b, "is_mfa", factor != NULL);
    if (!password && factor == NULL)
        return;
    put_name(b, "auth_factors");
    dt_buf_putc(b, '[');
    if (password)
        put_factor(b, 11, "Password", "OKTA");
    if (factor != NULL)
        put_factor(b, factor_type_id(o->factor), factor, dt_factor_provider(o->factor));
    dt_buf_putc(b, ']');
}

/* --- observables ------------------------------------------------------------------------------------ */

static void put_observable(dt_buf *b, char const *name, int type_id, char const *type,
                           char const *value, size_t cut)
{
    if (!is_known(value))
        return;
    separate(b);
    dt_buf_putc(b, '{');
    put_text(b, "name", name, CUT_SHORT);
    put_number(b, "type_id", type_id);
    put_text(b, "type", type, CUT_SHORT);
    put_text(b, "value", value, cut);
    end(b);
}

static void put_observables(dt_buf *b, dt_outcome const *o, dt_audit_context const *ctx)
{
    put_name(b, "observables");
    dt_buf_putc(b, '[');
    put_observable(b, "dst_endpoint.hostname", 1, "Hostname", ctx->host, CUT_LABEL);
    put_observable(b, "src_endpoint.ip", 2, "IP Address", ctx->client_ip, CUT_SHORT);
    if (is_known(ctx->station) && is_mac(ctx->station))
        put_observable(b, "src_endpoint.mac", 3, "MAC Address", ctx->station, CUT_SHORT);
    put_observable(b, "user.name", 4, "User Name", ctx->user, CUT_USER);
    put_observable(b, "device.uid", 10, "Resource UID", o->verdict.device_id.text, CUT_SHORT);
    dt_buf_putc(b, ']');
}

/* --- events ----------------------------------------------------------------------------------------- */

static void put_status(dt_buf *b, ocsf_head const *h, dt_outcome const *o)
{
    put_number(b, "severity_id", h->severity_id);
    put_text(b, "severity", h->severity, CUT_SHORT);
    put_number(b, "status_id", h->status_id);
    put_text(b, "status", h->status, CUT_SHORT);
    put_text(b, "status_code", h->status_code, CUT_SHORT);
    put_text(b, "status_detail", o->detail, CUT_PROSE);
    put_text(b, "message", h->message, CUT_PROSE);
}

/* Of the profile security_control. Nothing of a device alone is allowed or denied. */
static void put_action(dt_buf *b, ocsf_head const *h, dt_outcome const *o)
{
    bool const session = h->activity == ACTIVITY_LOGOFF;
    bool const observed = h->of_device || dt_outcome_is_report_only(o) || (session && !h->revokes);
    bool const allowed = o->result == DT_ALLOW && dt_cause_allows(o->cause);

    put_number(b, "action_id", observed ? 3 : allowed ? 1 : 2);
    put_text(b, "action", observed ? "Observed" : allowed ? "Allowed" : "Denied", CUT_SHORT);
    if (!observed && session) {
        put_number(b, "disposition_id", 24);
        put_text(b, "disposition", "Access Revoked", CUT_SHORT);
    } else if (!observed) {
        put_number(b, "disposition_id", allowed ? 1 : 2);
        put_text(b, "disposition", allowed ? "Allowed" : "Blocked", CUT_SHORT);
    }
}

static void put_event(dt_buf *out, ocsf_head const *h, dt_outcome const *o,
                      dt_audit_context const *ctx, dt_buf const *native, dt_time now)
{
    size_t const start = out->len;
    bool const timed = ctx->started > 0 && ctx->started <= now;

    dt_buf_putc(out, '{');
    put_metadata(out, ctx->id == NULL ? "" : ctx->id, h->of_device, h->status_code);
    put_class(out, CATEGORY_IAM, CLASS_AUTHENTICATION, (int)h->activity, h->activity_name);
    put_text(out, "class_name", "Authentication", CUT_SHORT);
    put_number(out, "time", now);
    if (timed) {
        put_number(out, "start_time", ctx->started);
        put_number(out, "duration", now - ctx->started);
    }
    put_status(out, h, o);
    put_action(out, h, o);
    put_user(out, ctx->user, ctx->login, ctx->account, ctx->machine);
    put_actor(out, o, ctx);
    put_device(out, &o->verdict);
    put_places(out, ctx);
    put_way_in(out, o, ctx);
    put_factors(out, o);
    put_observables(out, o, ctx);
    put_unmapped(out, start, native);
}

static void set_severity(ocsf_head *h, dt_outcome const *o, bool good)
{
    bool const fault =
        o->cause == DT_CAUSE_CONFIG || o->cause == DT_CAUSE_INTERNAL || o->cause == DT_CAUSE_NONE;

    h->severity_id = dt_outcome_alarms(o) ? 5 : fault ? 4 : good ? 1 : 2;
    h->severity = dt_outcome_alarms(o) ? "Critical"
                  : fault              ? "High"
                  : good               ? "Informational"
                                       : "Low";
}

static bool switches_account(dt_audit_context const *ctx)
{
    return is_known(ctx->account) && (!is_known(ctx->user) || strcmp(ctx->account, ctx->user) != 0);
}

void dt_audit_ocsf_signon(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                          dt_time now)
{
    char storage[DT_AUDIT_EVENT_MAX + 1];
    bool const allowed = o->result == DT_ALLOW && dt_cause_allows(o->cause);
    bool const reported = dt_outcome_is_report_only(o), switches = switches_account(ctx);
    dt_buf native;
    ocsf_head h = {
        .activity = switches ? ACTIVITY_ACCOUNT_SWITCH : ACTIVITY_LOGON,
        .activity_name = switches ? "Account Switch" : "Logon",
        .message = reported  ? "Sign-on evaluated, not enforced"
                   : allowed ? "Sign-on allowed"
                             : "Sign-on denied",
        .status_id = reported  ? OTHER
                     : allowed ? 1
                               : 2,
        .status = reported  ? "Not enforced"
                  : allowed ? "Success"
                            : "Failure",
        .status_code = dt_cause_name(o->cause),
    };

    set_severity(&h, o, allowed || reported);
    dt_buf_init_fixed(&native, storage, sizeof(storage));
    dt_audit_signon(&native, o, ctx, now);
    put_event(out, &h, o, ctx, &native, now);
}

void dt_audit_ocsf_device(dt_buf *out, dt_outcome const *o, dt_evidence_set const *evidence,
                          dt_audit_context const *ctx, dt_time now)
{
    char storage[DT_AUDIT_EVENT_MAX + 1];
    bool const trusted = o->verdict.trust == DT_TRUST_TRUSTED;
    dt_buf native;
    ocsf_head const h = {
        .activity = ACTIVITY_DEVICE,
        .of_device = true,
        .activity_name = "Device Authentication",
        .message = trusted ? "Device trusted" : "Device not trusted",
        .severity_id = trusted ? 1 : 2,
        .severity = trusted ? "Informational" : "Low",
        .status_id = trusted ? 1 : 2,
        .status = trusted ? "Success" : "Failure",
        .status_code = dt_reason_name(o->verdict.reason),
    };

    dt_buf_init_fixed(&native, storage, sizeof(storage));
    dt_audit_device(&native, o, evidence, ctx, now);
    put_event(out, &h, o, ctx, &native, now);
}

void dt_audit_ocsf_session(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                           dt_audit_session_facts const *f, dt_time now)
{
    char storage[DT_AUDIT_EVENT_MAX + 1];
    dt_buf native;
    ocsf_head const h = {
        .activity = ACTIVITY_LOGOFF,
        .revokes = f->ended,
        .activity_name = "Logoff",
        .message = f->result,
        .severity_id = 3,
        .severity = "Medium",
        .status_id = f->ended ? 1 : OTHER,
        .status = f->ended ? "Success" : "Session still open",
        .status_code = f->cause,
    };

    dt_buf_init_fixed(&native, storage, sizeof(storage));
    dt_audit_session(&native, o, ctx, f, now);
    put_event(out, &h, o, ctx, &native, now);
}

/* A base event: no class of OCSF 1.8 is about the configuration of a product that decides. */
void dt_audit_ocsf_reload(dt_buf *out, dt_audit_reload_facts const *f, dt_time now)
{
    char storage[DT_AUDIT_EVENT_MAX + 1];
    size_t const start = out->len;
    dt_buf native;

    dt_buf_init_fixed(&native, storage, sizeof(storage));
    dt_audit_reload(&native, f, now);
    dt_buf_putc(out, '{');
    put_metadata(out, NULL, false, "RELOAD");
    put_class(out, 0, 0, OTHER, "Reload of configuration and policies");
    put_text(out, "class_name", "Base Event", CUT_SHORT);
    put_number(out, "time", now);
    put_number(out, "severity_id", f->taken ? 1 : 4);
    put_text(out, "severity", f->taken ? "Informational" : "High", CUT_SHORT);
    put_number(out, "status_id", f->taken ? 1 : 2);
    put_text(out, "status", f->taken ? "Success" : "Failure", CUT_SHORT);
    put_text(out, "message", f->text, CUT_PROSE);
    put_unmapped(out, start, &native);
}
