/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ssf.h. */
#include "core/signals/ssf.h"

#include "core/base/url.h"

#include <string.h>

#define HTTPS "https://"
#define WELL_KNOWN "/.well-known/ssf-configuration"
#define POLL_URN "urn:ietf:rfc:8936"
#define PUSH_URN "urn:ietf:rfc:8935"
#define OLD_POLL_URN "https://schemas.openid.net/secevent/risc/delivery-method/poll"
#define OLD_PUSH_URN "https://schemas.openid.net/secevent/risc/delivery-method/push"
#define DESCRIPTION "devtrust"
#define POLL_TAIL 64 /* bytes that end a poll's body after its acknowledgements */

/* What is asked for: everything that can be news. */
static char const *const events_requested[] = {
#define CAEP "https://schemas.openid.net/secevent/caep/event-type/"
#define RISC "https://schemas.openid.net/secevent/risc/event-type/"
    CAEP "session-revoked",
    CAEP "token-claims-change",
    CAEP "credential-change",
    CAEP "assurance-level-change",
    CAEP "device-compliance-change",
    CAEP "risk-level-change",
    RISC "account-credential-change-required",
    RISC "account-purged",
    RISC "account-disabled",
    RISC "account-enabled",
    RISC "identifier-changed",
    RISC "credential-compromise",
};

/* --- metadata -------------------------------------------------------------------------------------- */

int dt_ssf_metadata_url(char const *issuer, char out[DT_URL_MAX])
{
    dt_buf b;
    size_t len = strlen(issuer);
    while (len > strlen(HTTPS) && issuer[len - 1] == '/')
        len--;
    size_t const host = strlen(HTTPS) + strcspn(issuer + strlen(HTTPS), "/");
    size_t const end = host < len ? host : len;
    dt_buf_init_fixed(&b, out, DT_URL_MAX);
    dt_buf_put(&b, issuer, end);
    dt_buf_puts(&b, WELL_KNOWN);
    dt_buf_put(&b, issuer + end, len - end);
    return dt_buf_error(&b);
}

/* A member that may be missing; false when it is there and is not a URL. */
static bool read_url(dt_json const *root, char const *member, char out[DT_URL_MAX])
{
    dt_json const *v = dt_json_get(root, member);
    char const *url = dt_json_string(v);
    if (dt_json_typeof(v) == DT_JSON_NONE || dt_json_typeof(v) == DT_JSON_NULL)
        return true;
    dt_url parts;
    return url != NULL && dt_url_parse(url, &parts) == DT_OK &&
           dt_str_copy(out, DT_URL_MAX, url) == DT_OK;
}

static unsigned delivery_of(char const *method)
{
    if (method == NULL)
        return 0;
    if (strcmp(method, POLL_URN) == 0 || strcmp(method, OLD_POLL_URN) == 0)
        return DT_SSF_POLL;
    return strcmp(method, PUSH_URN) == 0 || strcmp(method, OLD_PUSH_URN) == 0 ? DT_SSF_PUSH : 0;
}

static char const *read_metadata(dt_json const *root, char const *issuer, dt_ssf_metadata *out)
{
    char const *iss = dt_json_string(dt_json_get(root, "issuer"));
    dt_json const *methods = dt_json_get(root, "delivery_methods_supported");
    if (iss == NULL || strcmp(iss, issuer) != 0)
        return "its issuer is not the configured one; compare the two, the slash at the end too";
    if (!read_url(root, "jwks_uri", out->jwks_uri) ||
        !read_url(root, "configuration_endpoint", out->configuration_endpoint) ||
        !read_url(root, "status_endpoint", out->status_endpoint) ||
        !read_url(root, "verification_endpoint", out->verification_endpoint))
        return "one of its endpoints is not an https URL";
    if (out->jwks_uri[0] == '\0')
        return "it has no jwks_uri, so no event can be verified";
    for (size_t i = 0; i < dt_json_size(methods); i++)
        out->deliveries |= delivery_of(dt_json_string(dt_json_at(methods, i)));
    return NULL;
}

/* The root of a reply: an object, or a list. */
static int parse(dt_bytes text, dt_json **root, dt_error *e)
{
    *root = NULL;
    if (text.len > DT_SSF_TEXT_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the reply is more than %d bytes", DT_SSF_TEXT_MAX);
    return dt_json_parse(text, root, e);
}

int dt_ssf_metadata_read(dt_bytes text, char const *issuer, dt_ssf_metadata *out, dt_error *e)
{
    dt_json *root;
    memset(out, 0, sizeof(*out));
    int rc = parse(text, &root, e);
    char const *wrong = rc == DT_OK ? read_metadata(root, issuer, out) : NULL;
    if (wrong != NULL)
        rc = dt_error_set(e, DT_E_PARSE, "the transmitter's metadata cannot be used: %s", wrong);
    dt_json_free(&root);
    if (rc != DT_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* --- streams --------------------------------------------------------------------------------------- */

static bool is_wanted(dt_json const *s, dt_ssf_wanted const *w)
{
    char const *id = dt_json_string(dt_json_get(s, "stream_id"));
    char const *url = dt_json_string(dt_json_path(s, "delivery", "endpoint_url", NULL));
    if (id == NULL || (w->id[0] != '\0' && strcmp(id, w->id) != 0))
        return false;
    if (delivery_of(dt_json_string(dt_json_path(s, "delivery", "method", NULL))) !=
        (unsigned)w->delivery)
        return false;
    return w->delivery != DT_SSF_PUSH || w->push_url[0] == '\0' || w->id[0] != '\0' ||
           (url != NULL && strcmp(url, w->push_url) == 0);
}

static bool add_audience(dt_json const *v, dt_ssf_stream *out)
{
    char const *text = dt_json_string(v);
    return text != NULL && text[0] != '\0' && out->audience_count < DT_SET_AUDIENCES_MAX &&
           dt_str_copy(out->audiences[out->audience_count++], DT_SSF_AUDIENCE_MAX, text) == DT_OK;
}

static bool read_audiences(dt_json const *aud, dt_ssf_stream *out)
{
    if (dt_json_typeof(aud) == DT_JSON_NONE)
        return true; /* the configuration has to name it */
    if (dt_json_typeof(aud) != DT_JSON_ARRAY)
        return add_audience(aud, out);
    for (size_t i = 0; i < dt_json_size(aud); i++)
        if (!add_audience(dt_json_at(aud, i), out))
            return false;
    return true;
}

static char const *read_stream(dt_json const *s, dt_ssf_wanted const *w, dt_ssf_stream *out)
{
    char const *iss = dt_json_string(dt_json_get(s, "iss"));
    dt_json const *interval = dt_json_get(s, "min_verification_interval");
    int64_t seconds = 0;
    if (dt_str_copy(out->id, sizeof(out->id), dt_json_string(dt_json_get(s, "stream_id"))) !=
            DT_OK ||
        out->id[0] == '\0')
        return "its stream_id is too long, or empty";
    if (iss != NULL && strcmp(iss, w->issuer) != 0)
        return "it is of another issuer (iss)";
    if (!read_audiences(dt_json_get(s, "aud"), out))
        return "its aud is not a text or a list of them";
    if (!read_url(dt_json_get(s, "delivery"), "endpoint_url", out->endpoint_url) ||
        (w->delivery == DT_SSF_POLL && out->endpoint_url[0] == '\0'))
        return "its endpoint_url is not an https URL";
    out->delivery = w->delivery;
    if (dt_json_integer(interval, &seconds) && seconds > 0)
        out->min_verification_interval =
            seconds < DT_DAYS(1) / 1000 ? DT_SECONDS(seconds) : DT_DAYS(1);
    return NULL;
}

static dt_json const *find_stream(dt_json const *root, dt_ssf_wanted const *w)
{
    if (dt_json_typeof(root) != DT_JSON_ARRAY)
        return is_wanted(root, w) ? root : NULL;
    for (size_t i = 0; i < dt_json_size(root) && i < DT_SSF_STREAMS_MAX; i++)
        if (is_wanted(dt_json_at(root, i), w))
            return dt_json_at(root, i);
    return NULL;
}

int dt_ssf_stream_read(dt_bytes text, dt_ssf_wanted const *w, dt_ssf_stream *out, dt_error *e)
{
    dt_json *root;
    memset(out, 0, sizeof(*out));
    int rc = parse(text, &root, e);
    dt_json const *s = rc == DT_OK ? find_stream(root, w) : NULL;
    if (rc == DT_OK && s == NULL)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "the transmitter has no stream of this receiver%s%s",
                          w->id[0] != '\0' ? " with the id " : "", w->id);
    char const *wrong = s != NULL ? read_stream(s, w, out) : NULL;
    if (wrong != NULL)
        rc = dt_error_set(e, DT_E_PARSE, "the stream cannot be used: %s", wrong);
    dt_json_free(&root);
    if (rc != DT_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

dt_stream_status dt_ssf_status_read(dt_bytes text, char const *stream_id)
{
    dt_json *root;
    dt_stream_status s = DT_STREAM_UNKNOWN;
    if (parse(text, &root, NULL) == DT_OK) {
        char const *id = dt_json_string(dt_json_get(root, "stream_id"));
        if (id == NULL || strcmp(id, stream_id) == 0)
            s = dt_stream_status_of(dt_json_string(dt_json_get(root, "status")));
    }
    dt_json_free(&root);
    return s;
}

int dt_ssf_put_create(dt_ssf_wanted const *w, dt_secret const *authorization, dt_buf *out)
{
    size_t const count = sizeof(events_requested) / sizeof(events_requested[0]);
    dt_buf_puts(out, "{\"delivery\":{\"method\":");
    dt_json_put_string(out, w->delivery == DT_SSF_POLL ? POLL_URN : PUSH_URN);
    if (w->delivery == DT_SSF_PUSH) {
        dt_buf_puts(out, ",\"endpoint_url\":");
        dt_json_put_string(out, w->push_url);
    }
    if (w->delivery == DT_SSF_PUSH && authorization != NULL) {
        dt_bytes const header = dt_secret_bytes(authorization);
        dt_buf_puts(out, ",\"authorization_header\":\"");
        for (size_t i = 0; i < header.len;
             i++) { /* visible ASCII: it was checked when it was read */
            dt_buf_puts(out, header.p[i] == '"' || header.p[i] == '\\' ? "\\" : "");
            dt_buf_putc(out, (char)header.p[i]);
        }
        dt_buf_puts(out, "\"");
    }
    dt_buf_puts(out, "},\"events_requested\":[");
    for (size_t i = 0; i < count; i++) {
        dt_buf_puts(out, i > 0 ? "," : "");
        dt_json_put_string(out, events_requested[i]);
    }
    dt_buf_puts(out, "],\"description\":\"" DESCRIPTION "\"}");
    return dt_buf_error(out);
}

int dt_ssf_put_verify(char const *stream_id, char const *state, dt_buf *out)
{
    dt_buf_puts(out, "{\"stream_id\":");
    dt_json_put_string(out, stream_id);
    dt_buf_puts(out, ",\"state\":");
    dt_json_put_string(out, state);
    dt_buf_puts(out, "}");
    return dt_buf_error(out);
}

/* --- polling --------------------------------------------------------------------------------------- */

/* Appends one acknowledgement, or nothing and false when there is no room for it and the end. */
static bool put_ack(dt_buf *out, dt_ssf_ack const *a, bool first)
{
    char storage[6 * DT_JTI_MAX + 128];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    if (!first)
        dt_buf_putc(&b, ',');
    dt_json_put_string(&b, a->jti);
    if (a->fault != DT_SET_FAULT_NONE)
        dt_buf_printf(&b, ":{\"err\":\"%s\",\"description\":\"the token was refused\"}",
                      dt_set_fault_word(a->fault));
    if (dt_buf_error(&b) != DT_OK || out->len + b.len + POLL_TAIL > out->max)
        return false;
    dt_buf_put(out, b.p, b.len);
    return true;
}

size_t dt_ssf_put_poll(dt_ssf_ack const *acks, size_t count, int events, bool at_once, dt_buf *out)
{
    size_t taken = 0, n = 0, used = 0;
    dt_buf_printf(out, "{\"maxEvents\":%d,\"returnImmediately\":%s,\"ack\":[", events,
                  at_once || events == 0 ? "true" : "false");
    /* In their order, so that the first `used` of them are done with: those taken, then those refused. */
    for (; used < count && acks[used].fault == DT_SET_FAULT_NONE; used++)
        if (!put_ack(out, &acks[used], taken++ == 0))
            break;
    dt_buf_puts(out, "]");
    if (used < count && acks[used].fault != DT_SET_FAULT_NONE) {
        dt_buf_puts(out, ",\"setErrs\":{");
        for (; used < count && acks[used].fault != DT_SET_FAULT_NONE; used++)
            if (!put_ack(out, &acks[used], n++ == 0))
                break;
        dt_buf_puts(out, "}");
    }
    dt_buf_puts(out, "}");
    return used;
}

int dt_ssf_reply_read(dt_bytes text, dt_ssf_reply *out, dt_error *e)
{
    memset(out, 0, sizeof(*out));
    if (text.len > DT_HTTP_RESPONSE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the reply is too long");
    int rc = dt_json_parse(text, &out->root, e);
    dt_json const *sets = dt_json_get(out->root, "sets");
    dt_json const *more = dt_json_get(out->root, "moreAvailable");
    if (rc != DT_OK)
        return rc;
    if (dt_json_typeof(sets) != DT_JSON_OBJECT ||
        (dt_json_typeof(more) != DT_JSON_NONE && !dt_json_bool(more, &out->more))) {
        dt_ssf_reply_free(out);
        return dt_error_set(e, DT_E_PARSE, "the reply to a poll has no sets");
    }
    out->count = dt_json_size(sets);
    if (out->count > DT_SSF_POLL_SETS_MAX) { /* the rest is not acknowledged, so it comes again */
        out->count = DT_SSF_POLL_SETS_MAX;
        out->more = true;
    }
    return DT_OK;
}

void dt_ssf_reply_at(dt_ssf_reply const *r, size_t i, char const **jti, char const **token)
{
    dt_json const *v = dt_json_member(dt_json_get(r->root, "sets"), i, jti);
    *token = dt_json_string(v);
    if (*token == NULL)
        *token = "";
}

void dt_ssf_reply_free(dt_ssf_reply *r)
{
    dt_json_free(&r->root);
    memset(r, 0, sizeof(*r));
}

dt_time dt_ssf_wait(unsigned failures, dt_time retry_after, unsigned random)
{
    dt_time wait = DT_SSF_WAIT_MIN;
    for (unsigned i = 1; i < failures && wait < DT_SSF_WAIT_MAX; i++)
        wait *= 2;
    if (wait > DT_SSF_WAIT_MAX)
        wait = DT_SSF_WAIT_MAX;
    wait = wait / 2 + wait / 2 * (dt_time)(random & 0xffff) / 0xffff;
    dt_time const asked =
        retry_after < DT_SSF_RETRY_AFTER_MAX ? retry_after : DT_SSF_RETRY_AFTER_MAX;
    return asked > wait ? asked : wait;
}
