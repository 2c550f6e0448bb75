/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to Okta, and which of Okta's links may be followed. okta_reply.c reads the replies. */
#include "core/okta/okta_request.h"

#include "core/base/oauth.h"
#include "core/base/json.h"
#include "core/policy/network.h"
#include "core/policy/policy.h"
#include "core/base/url.h"
#include "core/base/utf8.h"

#include <string.h>

#define API_PREFIX "/api/v1/"

bool dt_okta_is_id(char const *id)
{
    static char const allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t n = id == NULL ? 0 : strlen(id);
    return n > 0 && n < DT_OKTA_ID_MAX && strspn(id, allowed) == n;
}

/* A login that can stand in a path and means one person. "." and ".." would be resolved on the way;
 * "me" is the owner of our API token. */
bool dt_okta_is_login(char const *login)
{
    dt_bytes text = dt_bytes_str(login);
    if (login == NULL || text.len == 0 || text.len >= DT_OKTA_LOGIN_MAX)
        return false;
    if (strcmp(login, ".") == 0 || strcmp(login, "..") == 0 || dt_str_equal_nocase(login, "me"))
        return false;
    for (size_t i = 0; i < text.len;) {
        uint32_t cp = 0;
        size_t n = dt_utf8_decode(text.p + i, text.len - i, &cp);
        if (n == 0 || !dt_utf8_is_shown(cp) || cp == '/' || cp == '\\')
            return false;
        i += n;
    }
    return true;
}

/* Begins a request: everything but the body. `url` must be complete and without an error. */
static int finish_request(dt_config const *c, dt_http_method method, dt_buf const *url,
                          dt_http_request *out)
{
    if (dt_buf_error(url) != DT_OK) {
        memset(out, 0, sizeof(*out));
        return DT_E_LIMIT;
    }
    out->service = DT_HTTP_OKTA;
    out->method = method;
    out->timeout = c->okta.timeout;
    return DT_OK;
}

static void begin_url_of(dt_config const *c, char const *what, dt_http_request *out, dt_buf *url)
{
    memset(out, 0, sizeof(*out));
    dt_buf_init_fixed(url, out->url, sizeof(out->url));
    dt_buf_puts(url, c->okta.org_url);
    dt_buf_puts(url, API_PREFIX);
    dt_buf_puts(url, what);
}

static void begin_url(dt_config const *c, dt_http_request *out, dt_buf *url)
{
    begin_url_of(c, "users/", out, url);
}

int dt_okta_get_user(dt_config const *c, char const *login, dt_http_request *out)
{
    dt_buf url;
    begin_url(c, out, &url);
    if (!dt_okta_is_login(login)) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    dt_url_put_segment(&url, login);
    return finish_request(c, DT_HTTP_GET, &url, out);
}

/* GET users/{user_id}/{what} */
static int get_of_user(dt_config const *c, char const *user_id, char const *what,
                       dt_http_request *out)
{
    dt_buf url;
    begin_url(c, out, &url);
    if (!dt_okta_is_id(user_id)) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    dt_buf_puts(&url, user_id);
    dt_buf_putc(&url, '/');
    dt_buf_puts(&url, what);
    return finish_request(c, DT_HTTP_GET, &url, out);
}

int dt_okta_get_groups(dt_config const *c, char const *user_id, dt_http_request *out)
{
    return get_of_user(c, user_id, "groups", out);
}

void dt_okta_put_group_search(dt_buf *b, char const *name)
{
    dt_buf_puts(b, "profile.name eq \"");
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            dt_buf_putc(b, '\\');
        dt_buf_putc(b, *name);
    }
    dt_buf_putc(b, '"');
}

int dt_okta_find_groups(dt_config const *c, char const *name, dt_http_request *out)
{
    char expression[2 * DT_GROUP_NAME_MAX + 32];
    dt_buf url, search;

    begin_url_of(c, "groups", out, &url);
    dt_buf_init_fixed(&search, expression, sizeof(expression));
    dt_okta_put_group_search(&search, name);
    dt_buf_putc(&search, '\0');
    dt_buf_printf(&url, "?limit=%d&search=", DT_OKTA_NAMED_GROUPS_PER_PAGE);
    dt_url_put_segment(&url, expression);
    return dt_buf_error(&search) < 0 ? DT_E_LIMIT : finish_request(c, DT_HTTP_GET, &url, out);
}

int dt_okta_get_factors(dt_config const *c, char const *user_id, dt_http_request *out)
{
    return get_of_user(c, user_id, "factors", out);
}

int dt_okta_get_assignment(dt_config const *c, char const *app, char const *user_id,
                           dt_http_request *out)
{
    dt_buf url;
    begin_url_of(c, "apps/", out, &url);
    if (!dt_okta_is_id(app) || !dt_okta_is_id(user_id)) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    dt_buf_puts(&url, app);
    dt_buf_puts(&url, "/users/");
    dt_buf_puts(&url, user_id);
    return finish_request(c, DT_HTTP_GET, &url, out);
}

/* POST users/{user_id}/factors/{factor_id}/verify, without a body yet. */
static int post_verify(dt_config const *c, char const *user_id, char const *factor_id,
                       dt_http_request *out)
{
    dt_buf url;
    begin_url(c, out, &url);
    if (!dt_okta_is_id(user_id) || !dt_okta_is_id(factor_id)) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    dt_buf_puts(&url, user_id);
    dt_buf_puts(&url, "/factors/");
    dt_buf_puts(&url, factor_id);
    dt_buf_puts(&url, "/verify");
    return finish_request(c, DT_HTTP_POST, &url, out);
}

int dt_okta_send(dt_config const *c, char const *user_id, char const *factor_id, bool number,
                 dt_http_request *out)
{
    int rc = post_verify(c, user_id, factor_id, out);
    if (rc != DT_OK || !number)
        return rc;
    static char const body[] = "{\"useNumberMatchingChallenge\":true}";
    memcpy(out->body, body, sizeof(body));
    out->body_len = sizeof(body) - 1;
    return DT_OK;
}

static bool is_passcode(char const *passcode)
{
    size_t n = passcode == NULL ? 0 : strlen(passcode);
    if (n == 0 || n > DT_OKTA_PASSCODE_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (passcode[i] < 0x21 || passcode[i] > 0x7e)
            return false;
    return true;
}

static int post_answer(dt_config const *c, char const *user_id, char const *factor_id,
                       char const *member, char const *answer, dt_http_request *out)
{
    int rc = post_verify(c, user_id, factor_id, out);
    dt_buf body;
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    if (rc == DT_OK) {
        dt_buf_puts(&body, "{\"");
        dt_buf_puts(&body, member);
        dt_buf_puts(&body, "\":");
        dt_json_put_string(&body, answer);
        dt_buf_putc(&body, '}');
        rc = dt_buf_error(&body);
    }
    if (rc != DT_OK)
        explicit_bzero(out, sizeof(*out));
    else
        out->body_len = body.len;
    return rc;
}

static int refuse_answer(dt_http_request *out)
{
    explicit_bzero(out, sizeof(*out));
    return DT_E_INVALID;
}

int dt_okta_passcode(dt_config const *c, char const *user_id, char const *factor_id,
                     char const *passcode, dt_http_request *out)
{
    return is_passcode(passcode) ? post_answer(c, user_id, factor_id, "passCode", passcode, out)
                                 : refuse_answer(out);
}

/* UTF-8 without controls: *characters of it. */
static bool is_plain_text(char const *text, size_t *characters)
{
    size_t len = text == NULL ? 0 : strlen(text);
    *characters = 0;
    for (size_t i = 0; i < len; ++*characters) {
        uint32_t cp = 0;
        size_t n = dt_utf8_decode((uint8_t const *)text + i, len - i, &cp);
        if (n == 0 || cp < 0x20 || cp == 0x7f)
            return false;
        i += n;
    }
    return true;
}

static bool is_question_answer(char const *answer)
{
    size_t characters;
    return is_plain_text(answer, &characters) && characters >= DT_OKTA_ANSWER_MIN;
}

int dt_okta_answer_question(dt_config const *c, char const *user_id, char const *factor_id,
                            char const *answer, dt_http_request *out)
{
    return is_question_answer(answer) ? post_answer(c, user_id, factor_id, "answer", answer, out)
                                      : refuse_answer(out);
}

/* --- the password --------------------------------------------------------------------------- */

bool dt_okta_is_password(char const *password)
{
    size_t characters;
    return is_plain_text(password, &characters) && characters > 0;
}

static int post_authn(dt_config const *c, char const *path, dt_http_request *out)
{
    dt_buf url;
    memset(out, 0, sizeof(*out));
    dt_buf_init_fixed(&url, out->url, sizeof(out->url));
    dt_buf_puts(&url, c->okta.org_url);
    dt_buf_puts(&url, API_PREFIX);
    dt_buf_puts(&url, path);
    return finish_request(c, DT_HTTP_POST, &url, out);
}

/* An address in the form that X-Forwarded-For has it in; this host's own address is not sent to Okta. */
static void put_forwarded_for(char const *client_ip, char out[46])
{
    dt_ip ip;
    out[0] = '\0';
    if (client_ip == NULL || dt_ip_parse(client_ip, &ip) != DT_OK || !ip.set ||
        dt_ip_is_loopback(&ip) || dt_str_copy(out, 46, client_ip) != DT_OK)
        return;
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'F')
            *p = (char)(*p + 32);
    if (out[strspn(out, "0123456789abcdef.:")] != '\0')
        out[0] = '\0';
}

void dt_okta_forward_for(dt_http_request *out, char const *client_ip)
{
    put_forwarded_for(client_ip, out->forwarded_for);
}

int dt_okta_put_url(dt_config const *c, char const *path, char out[DT_URL_MAX])
{
    dt_buf url;
    dt_buf_init_fixed(&url, out, DT_URL_MAX);
    dt_buf_puts(&url, c->okta.org_url);
    dt_buf_puts(&url, path);
    if (dt_buf_error(&url) != DT_OK)
        out[0] = '\0';
    return dt_buf_error(&url);
}

int dt_okta_begin_form(dt_config const *c, char const *path, char const *client_ip,
                       dt_http_request *out, dt_buf *body)
{
    memset(out, 0, sizeof(*out));
    int rc = dt_okta_put_url(c, path, out->url);
    out->service = DT_HTTP_OKTA;
    out->method = DT_HTTP_POST;
    out->timeout = c->okta.timeout;
    out->form = true;
    out->anonymous = true;
    put_forwarded_for(client_ip, out->forwarded_for);
    dt_buf_init_fixed(body, out->body, sizeof(out->body));
    if (rc == DT_OK && c->okta.native_client_id[0] == '\0')
        rc = DT_E_INVALID;
    dt_oauth_put_field(body, "client_id", c->okta.native_client_id);
    return rc;
}

int dt_okta_end_body(int rc, dt_buf const *body, dt_http_request *out)
{
    if (rc == DT_OK)
        rc = dt_buf_error(body);
    if (rc == DT_OK)
        out->body_len = body->len;
    else
        explicit_bzero(out, sizeof(*out));
    return rc;
}

int dt_okta_authn_start(dt_config const *c, char const *login, char const *password,
                        char const *client_ip, dt_http_request *out)
{
    int rc = post_authn(c, "authn", out);
    if (rc == DT_OK && (!dt_okta_is_login(login) || !dt_okta_is_password(password)))
        rc = DT_E_INVALID;
    if (rc == DT_OK && strlen(password) >= DT_PASSWORD_MAX)
        rc = DT_E_LIMIT;
    dt_buf body;
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    if (rc == DT_OK) {
        put_forwarded_for(client_ip, out->forwarded_for);
        dt_buf_puts(&body, "{\"username\":");
        dt_json_put_string(&body, login);
        dt_buf_puts(&body, ",\"password\":");
        dt_json_put_string(&body, password);
        dt_buf_putc(&body, '}');
    }
    return dt_okta_end_body(rc, &body, out);
}

static int post_state_token(dt_config const *c, char const *path, char const *state_token,
                            dt_http_request *out)
{
    int rc = post_authn(c, path, out);
    if (rc == DT_OK && (state_token == NULL || state_token[0] == '\0'))
        rc = DT_E_INVALID;
    dt_buf body;
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    if (rc == DT_OK) {
        dt_buf_puts(&body, "{\"stateToken\":");
        dt_json_put_string(&body, state_token);
        dt_buf_putc(&body, '}');
    }
    return dt_okta_end_body(rc, &body, out);
}

int dt_okta_authn_end(dt_config const *c, char const *state_token, dt_http_request *out)
{
    return post_state_token(c, "authn/cancel", state_token, out);
}

int dt_okta_authn_previous(dt_config const *c, char const *state_token, dt_http_request *out)
{
    return post_state_token(c, "authn/previous", state_token, out);
}

/* authn/factors/{factor_id}{what} with the state token and one more member, if there is one. */
static int post_transaction(dt_config const *c, dt_okta_transaction const *t, char const *what,
                            char const *member, char const *value, dt_http_request *out)
{
    char path[sizeof("authn/factors/") + DT_OKTA_ID_MAX + sizeof("/verify/resend")];
    dt_buf b, body;
    if (!dt_okta_is_id(t->factor_id) || t->state_token == NULL || t->state_token[0] == '\0')
        return refuse_answer(out);
    dt_buf_init_fixed(&b, path, sizeof(path));
    dt_buf_puts(&b, "authn/factors/");
    dt_buf_puts(&b, t->factor_id);
    dt_buf_puts(&b, what);
    int rc = dt_buf_error(&b) != DT_OK ? dt_buf_error(&b) : post_authn(c, path, out);
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    if (rc == DT_OK) {
        put_forwarded_for(t->client_ip, out->forwarded_for);
        dt_buf_puts(&body, "{\"stateToken\":");
        dt_json_put_string(&body, t->state_token);
        if (member != NULL) {
            dt_buf_puts(&body, member);
            dt_json_put_string(&body, value);
        }
        dt_buf_putc(&body, '}');
    }
    return dt_okta_end_body(rc, &body, out);
}

int dt_okta_authn_verify(dt_config const *c, dt_okta_transaction const *t, dt_http_request *out)
{
    return post_transaction(c, t, "/verify", NULL, NULL, out);
}

int dt_okta_authn_resend(dt_config const *c, dt_okta_transaction const *t, dt_http_request *out)
{
    return post_transaction(c, t, "/verify/resend", NULL, NULL, out);
}

int dt_okta_authn_passcode(dt_config const *c, dt_okta_transaction const *t, char const *passcode,
                           dt_http_request *out)
{
    return is_passcode(passcode)
               ? post_transaction(c, t, "/verify", ",\"passCode\":", passcode, out)
               : refuse_answer(out);
}

int dt_okta_authn_question(dt_config const *c, dt_okta_transaction const *t, char const *answer,
                           dt_http_request *out)
{
    return is_question_answer(answer)
               ? post_transaction(c, t, "/verify", ",\"answer\":", answer, out)
               : refuse_answer(out);
}

static int follow(dt_config const *c, dt_http_method method, char const *link, dt_http_request *out)
{
    dt_buf url;
    memset(out, 0, sizeof(*out));
    if (!dt_okta_link_is_ours(c, link))
        return DT_E_INVALID;
    dt_buf_init_fixed(&url, out->url, sizeof(out->url));
    dt_buf_puts(&url, link);
    return finish_request(c, method, &url, out);
}

int dt_okta_poll(dt_config const *c, char const *poll_url, dt_http_request *out)
{
    return follow(c, DT_HTTP_GET, poll_url, out);
}

int dt_okta_cancel(dt_config const *c, char const *cancel_url, dt_http_request *out)
{
    return follow(c, DT_HTTP_DELETE, cancel_url, out);
}

static bool take_prefix(dt_bytes *text, char const *prefix)
{
    size_t n = strlen(prefix);
    if (text->len < n || memcmp(text->p, prefix, n) != 0)
        return false;
    *text = dt_bytes_of(text->p + n, text->len - n);
    return true;
}

/* Parses `link` when it is ours; *path is then what follows the API's prefix. */
static bool parse_ours(dt_config const *c, char const *link, dt_url *url, dt_bytes *path)
{
    dt_url org;
    if (dt_url_parse(link, url) != DT_OK || dt_url_parse(c->okta.org_url, &org) != DT_OK)
        return false;
    *path = url->path;
    return dt_url_same_origin(url, &org) && take_prefix(path, API_PREFIX);
}

bool dt_okta_link_is_ours(dt_config const *c, char const *link)
{
    dt_url url;
    dt_bytes path;
    return parse_ours(c, link, &url, &path);
}

/* One segment that no server reads as two: no slash, not percent-encoded either. */
static bool is_transaction(dt_bytes id)
{
    return id.len > 0 && memchr(id.p, '/', id.len) == NULL && memchr(id.p, '%', id.len) == NULL;
}

bool dt_okta_link_belongs(dt_config const *c, char const *link, char const *user_id,
                          char const *factor_id)
{
    dt_url url;
    dt_bytes rest;
    if (!dt_okta_is_id(user_id) || !dt_okta_is_id(factor_id) || !parse_ours(c, link, &url, &rest))
        return false;
    if (!take_prefix(&rest, "users/") || !take_prefix(&rest, user_id) ||
        !take_prefix(&rest, "/factors/") || !take_prefix(&rest, factor_id) ||
        !take_prefix(&rest, "/transactions/"))
        return false;
    return is_transaction(rest) && url.query.len == 0;
}

bool dt_okta_authn_link_belongs(dt_config const *c, char const *link, char const *factor_id)
{
    dt_url url;
    dt_bytes rest;
    if (!dt_okta_is_id(factor_id) || !parse_ours(c, link, &url, &rest) || url.query.len > 0 ||
        !take_prefix(&rest, "authn/"))
        return false;
    if (dt_bytes_equal(rest, dt_bytes_str("cancel")))
        return true;
    return take_prefix(&rest, "factors/") && take_prefix(&rest, factor_id) &&
           dt_bytes_equal(rest, dt_bytes_str("/verify"));
}

bool dt_okta_user_is(dt_okta_user const *u, char const *login)
{
    if (login == NULL || login[0] == '\0' || u->login[0] == '\0')
        return false;
    if (dt_str_equal_nocase(u->login, login))
        return true;
    char const *at = strrchr(u->login, '@');
    char name[DT_OKTA_LOGIN_MAX];
    if (at == NULL || at == u->login || strchr(login, '@') != NULL)
        return false;
    if (dt_str_copy_bytes(name, sizeof(name), dt_bytes_of(u->login, (size_t)(at - u->login))) != 0)
        return false;
    return dt_str_equal_nocase(name, login);
}
