/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta's replies: every one is read as if it were forged. okta.c builds the requests. */
#include "core/okta/oauth_reply.h"
#include "core/okta/okta.h"

#include "core/base/utf8.h"
#include "core/base/json.h"
#include "core/base/time_text.h"
#include "core/policy/policy.h"

#include <string.h>

#define SHOWN_MAX 200    /* of Okta's text in a message for the administrator, bytes */
#define ERROR_CODE_LEN 8 /* "E0000068" */

/* --- errors ----------------------------------------------------------------------------------- */

/* What a reply is, before its content is looked at. */
typedef struct reply {
    dt_json *root;                       /* NULL when the body is not JSON */
    char error_code[ERROR_CODE_LEN + 1]; /* "" when none has the right form */
    char summary[SHOWN_MAX];             /* errorSummary, escaped */
} reply;

static bool is_error_code(char const *code)
{
    return code != NULL && strlen(code) == ERROR_CODE_LEN && code[0] == 'E' &&
           strspn(code + 1, "0123456789") == ERROR_CODE_LEN - 1;
}

static bool has_code(reply const *p, char const *code)
{
    return strcmp(p->error_code, code) == 0;
}

static void read_error_object(reply *p)
{
    char const *code = dt_json_string(dt_json_get(p->root, "errorCode"));
    if (!is_error_code(code))
        return;
    memcpy(p->error_code, code, ERROR_CODE_LEN + 1);
    (void)dt_str_escape(p->summary, sizeof(p->summary),
                        dt_json_string(dt_json_get(p->root, "errorSummary")));
}

/* Says in `e` what Okta answered. Never quotes more of the body than errorCode and errorSummary. */
static void set_reply_error(dt_error *e, int code, dt_http_response const *r, reply const *p,
                            char const *advice)
{
    if (p->error_code[0] != '\0')
        (void)dt_error_set(e, code, "Okta answered HTTP %d, %s: %s%s", r->status, p->error_code,
                           p->summary, advice);
    else
        (void)dt_error_set(e, code, "Okta answered HTTP %d%s", r->status, advice);
}

static dt_okta_answer unusable(dt_error *e, dt_http_response const *r, char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer (HTTP %d) cannot be used: %s", r->status,
                       what);
    return DT_OKTA_UNUSABLE;
}

bool dt_okta_is_unavailable(dt_okta_answer a)
{
    return a == DT_OKTA_UNREACHABLE || a == DT_OKTA_SERVER_ERROR;
}

bool dt_okta_is_local(dt_okta_answer a)
{
    return a == DT_OKTA_UNTRUSTED || a == DT_OKTA_OVERLOADED || a == DT_OKTA_LOCAL;
}

/* No HTTP status came. */
static dt_okta_answer answer_of_failure(dt_http_response const *r, dt_error *e)
{
    char shown[DT_HTTP_SHOWN_MAX];
    (void)dt_str_escape(shown, sizeof(shown), r->error);
    if (dt_http_is_unavailable(r->failure, 0)) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta cannot be reached: %s", shown);
        return DT_OKTA_UNREACHABLE;
    }
    switch (r->failure) {
    case DT_HTTP_BROKEN:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer cannot be used: %s", shown);
        return DT_OKTA_UNUSABLE;
    case DT_HTTP_NO_CREDENTIALS:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "no credentials for Okta: %s", shown);
        return DT_OKTA_UNAUTHORIZED;
    case DT_HTTP_PROXY_REFUSED:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta was not asked: %s", shown);
        return DT_OKTA_UNAUTHORIZED;
    case DT_HTTP_UNTRUSTED:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "the server could not be authenticated as Okta: %s",
                           shown);
        return DT_OKTA_UNTRUSTED;
    case DT_HTTP_QUEUED:
    case DT_HTTP_ABANDONED:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta was not asked: %s", shown);
        return DT_OKTA_OVERLOADED;
    default:
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "the request to Okta failed on this host: %s",
                           shown);
        return DT_OKTA_LOCAL;
    }
}

/* Codes that Okta answers when the service behind one factor fails, with 504, 500 and 503. */
static bool is_of_provider(reply const *p)
{
    return has_code(p, "E0000067") || has_code(p, "E0000138") || has_code(p, "E0000139");
}

/* The statuses that mean the same whatever was asked. OK: it is for the caller to judge. */
static dt_okta_answer answer_of_status(dt_http_response const *r, reply const *p, dt_error *e)
{
    if (r->status == 429 && r->error != NULL && r->error[0] != '\0') { /* the driver's own */
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s", r->error);
        return DT_OKTA_RATE_LIMITED;
    }
    if (r->status == 429) {
        set_reply_error(e, DT_E_UNAVAILABLE, r, p, "; the rate limit is exhausted");
        return DT_OKTA_RATE_LIMITED;
    }
    if (dt_http_is_unavailable(r->failure, r->status)) {
        set_reply_error(e, DT_E_UNAVAILABLE, r, p, "");
        return is_of_provider(p) ? DT_OKTA_PROVIDER_FAILED : DT_OKTA_SERVER_ERROR;
    }
    if (r->status == 401 || (r->status == 403 && has_code(p, "E0000006"))) {
        set_reply_error(
            e, DT_E_PERMISSION, r, p,
            "; check [okta] api_token_file, or client_id and its scopes, and the administrator "
            "role");
        return DT_OKTA_UNAUTHORIZED;
    }
    if (r->status == 410 || (r->status == 404 && has_code(p, "E0000007"))) {
        set_reply_error(e, DT_E_NOT_FOUND, r, p, "");
        return DT_OKTA_NOT_FOUND;
    }
    if (r->status == 423) {
        set_reply_error(e, DT_E_PERMISSION, r, p, "");
        return DT_OKTA_NOT_ACTIVE;
    }
    return DT_OKTA_OK;
}

/* Opens a reply; with any answer but OK there is nothing in it to read. Close with reply_close. */
static dt_okta_answer reply_open_by(int (*parse)(dt_bytes, dt_json **, dt_error *), reply *p,
                                    dt_http_response const *r, dt_error *e)
{
    *p = (reply){0};
    if (r->failure != DT_HTTP_OK)
        return answer_of_failure(r, e);
    dt_error why = {0};
    int rc = parse(r->body, &p->root, &why);
    read_error_object(p);
    dt_okta_answer answer = answer_of_status(r, p, e);
    if (answer == DT_OKTA_OK && rc != DT_OK)
        return unusable(e, r, why.text);
    return answer;
}

static dt_okta_answer reply_open(reply *p, dt_http_response const *r, dt_error *e)
{
    return reply_open_by(dt_json_parse, p, r, e);
}

static void reply_close(reply *p)
{
    dt_json_free(&p->root);
}

/* A 403 without a word that can be read is a no all the same, and no outage. */
static bool is_mute_refusal(dt_http_response const *r, dt_okta_answer answer)
{
    return answer == DT_OKTA_UNUSABLE && r->failure == DT_HTTP_OK && r->status == 403;
}

/* Opens the reply to a look-up, which is usable with 200 only. */
static dt_okta_answer lookup_open(reply *p, dt_http_response const *r, dt_error *e)
{
    /* One odd text of one element does not end the list: see dt_json_parse_list. */
    dt_okta_answer answer = reply_open_by(dt_json_parse_list, p, r, e);
    if (is_mute_refusal(r, answer))
        answer = DT_OKTA_OK;
    if (answer != DT_OKTA_OK || r->status == 200)
        return answer;
    if (r->status == 403) {
        set_reply_error(e, DT_E_PERMISSION, r, p, "; check the role of the API token's owner");
        return DT_OKTA_UNAUTHORIZED;
    }
    if (r->status >= 400 && r->status <= 499 && p->error_code[0] != '\0') {
        set_reply_error(e, DT_E_PERMISSION, r, p, "");
        return DT_OKTA_NOT_ACTIVE;
    }
    return unusable(e, r, "an unexpected status");
}

/* --- users, groups, factors ------------------------------------------------------------------- */

/* Ids go into paths, so they must be of Okta's own form. */
static bool copy_id(char dst[DT_OKTA_ID_MAX], dt_json const *v)
{
    char const *id = dt_json_string(v);
    if (id == NULL || dt_str_copy(dst, DT_OKTA_ID_MAX, id) != DT_OK || id[0] == '\0')
        return false;
    for (; *id != '\0'; id++) {
        bool fine = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
                    (*id >= '0' && *id <= '9') || *id == '-' || *id == '_';
        if (!fine) {
            dst[0] = '\0';
            return false;
        }
    }
    return true;
}

/* A time that is missing, null or of another form is not reported: 0. */
static dt_time read_time(dt_json const *v)
{
    char const *text = dt_json_string(v);
    dt_time t = 0;
    return text != NULL && dt_time_parse(text, &t) == DT_OK && t > 0 && t < DT_TIME_NEVER ? t : 0;
}

static dt_okta_user_state user_state(char const *status)
{
    static struct {
        char const *word;
        dt_okta_user_state state;
    } const states[] = {
        {"ACTIVE", DT_OKTA_USER_ACTIVE},
        {"SUSPENDED", DT_OKTA_USER_SUSPENDED},
        {"DEPROVISIONED", DT_OKTA_USER_DEPROVISIONED},
        {"STAGED", DT_OKTA_USER_NOT_ACTIVATED},
        {"PROVISIONED", DT_OKTA_USER_NOT_ACTIVATED},
        {"ACTIVATING", DT_OKTA_USER_NOT_ACTIVATED},
        {"PASSWORD_EXPIRED", DT_OKTA_USER_PASSWORD_EXPIRED},
        {"RECOVERY", DT_OKTA_USER_PASSWORD_EXPIRED},
        {"LOCKED_OUT", DT_OKTA_USER_LOCKED_OUT},
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(status, states[i].word) == 0)
            return states[i].state;
    return DT_OKTA_USER_OTHER;
}

dt_okta_answer dt_okta_read_user(dt_http_response const *r, dt_okta_user *out, dt_error *e)
{
    reply p;
    dt_okta_user user = {0};
    *out = user;
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer != DT_OKTA_OK)
        goto out;
    char const *status = dt_json_string(dt_json_get(p.root, "status"));
    char const *login = dt_json_string(dt_json_path(p.root, "profile", "login", NULL));
    if (!copy_id(user.id, dt_json_get(p.root, "id")) || status == NULL) {
        answer = unusable(e, r, "a user without id or status");
        goto out;
    }
    if (dt_str_copy(user.login, sizeof(user.login), login) != DT_OK) {
        answer = unusable(e, r, "a user whose login is too long");
        goto out;
    }
    user.state = user_state(status);
    user.active = user.state == DT_OKTA_USER_ACTIVE;
    (void)dt_str_escape(user.status, sizeof(user.status), status);
    user.password_changed = read_time(dt_json_get(p.root, "passwordChanged"));
    user.status_changed = read_time(dt_json_get(p.root, "statusChanged"));
    *out = user;
out:
    reply_close(&p);
    return answer;
}

/* The states of an app's user in which the app may be used. Whatever else there is, or will be, is none. */
static bool may_use_app(char const *status)
{
    return strcmp(status, "ACTIVE") == 0 || strcmp(status, "PROVISIONED") == 0 ||
           strcmp(status, "IMPLICIT") == 0;
}

dt_okta_answer dt_okta_read_assignment(dt_http_response const *r, char const *user_id,
                                       bool *assigned, dt_error *e)
{
    char shown[32];
    reply p;
    *assigned = false;
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer != DT_OKTA_OK)
        goto out;
    char const *id = dt_json_string(dt_json_get(p.root, "id"));
    char const *status = dt_json_string(dt_json_get(p.root, "status"));
    if (id == NULL || status == NULL)
        answer = unusable(e, r, "an app's user without id or status");
    else if (strcmp(id, user_id) != 0)
        answer = unusable(e, r, "an app's user that is another person");
    else
        *assigned = may_use_app(status);
    if (answer == DT_OKTA_OK && !*assigned) {
        (void)dt_str_escape(shown, sizeof(shown), status);
        (void)dt_error_set(e, DT_E_INVALID, "the assignment to the app has status %s", shown);
    }
out:
    reply_close(&p);
    return answer;
}

static void put_wanted(dt_okta_group_filter const *filter, char const *group, bool sure,
                       dt_buf *groups)
{
    if (!filter->wants(filter->ctx, group))
        return;
    if (!sure)
        dt_buf_putc(groups, DT_GROUP_UNSURE_MARK);
    dt_buf_put(groups, group, strlen(group) + 1);
}

/* Okta lets no two groups of its own have one name. */
static bool is_own(dt_json const *group)
{
    char const *type = dt_json_string(dt_json_get(group, "type"));
    return type != NULL && (strcmp(type, "OKTA_GROUP") == 0 || strcmp(type, "BUILT_IN") == 0);
}

/* Appends what is wanted of one page; NULL, or what is wrong with it. */
static char const *put_groups(dt_json const *page, dt_okta_group_filter const *filter,
                              dt_buf *groups)
{
    if (dt_json_typeof(page) != DT_JSON_ARRAY)
        return "the groups are not an array";
    size_t count = dt_json_size(page);
    if (count > DT_OKTA_GROUPS_PER_PAGE)
        return "too many groups in one answer";
    for (size_t i = 0; i < count; i++) {
        dt_json const *one = dt_json_at(page, i);
        char const *name = dt_json_string(dt_json_path(one, "profile", "name", NULL));
        char id[DT_GROUP_ID_MAX];
        if (dt_json_typeof(one) != DT_JSON_OBJECT)
            return "a malformed group";
        if (filter->ids && !dt_group_of_id(dt_json_string(dt_json_get(one, "id")), id))
            return "a group without an id";
        if (filter->ids)
            put_wanted(filter, id, true, groups);
        if (!filter->names)
            continue;
        if (name == NULL || name[0] == '\0' || dt_group_is_id(name) ||
            name[0] == DT_GROUP_UNSURE_MARK)
            return "a group without a name";
        put_wanted(filter, name, is_own(one), groups);
    }
    return dt_buf_error(groups) == DT_OK ? NULL : "too many groups";
}

/* The link to the next page, or "" at the end; NULL, or what is wrong with it. */
static char const *take_next(dt_config const *c, dt_http_response const *r,
                             char next_url[DT_URL_MAX])
{
    char const *next = r->next_link == NULL ? "" : r->next_link;
    if (next[0] != '\0' &&
        (!dt_okta_link_is_ours(c, next) || dt_str_copy(next_url, DT_URL_MAX, next) != DT_OK)) {
        next_url[0] = '\0';
        return "the link to the next page leads to another host";
    }
    return NULL;
}

dt_okta_answer dt_okta_read_groups(dt_config const *c, dt_http_response const *r,
                                   dt_okta_group_filter const *filter, dt_buf *groups,
                                   char next_url[DT_URL_MAX], dt_error *e)
{
    reply p;
    size_t before = groups->len;
    next_url[0] = '\0';
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer != DT_OKTA_OK)
        goto out;
    char const *wrong = put_groups(p.root, filter, groups);
    if (wrong == NULL)
        wrong = take_next(c, r, next_url);
    if (wrong != NULL) {
        answer = unusable(e, r, wrong);
        dt_buf_truncate(groups, before);
    }
out:
    reply_close(&p);
    return answer;
}

/* Counts into *count; NULL, or what is wrong with the page. */
static char const *count_named(dt_json const *page, char const *wanted, int *count)
{
    if (dt_json_typeof(page) != DT_JSON_ARRAY)
        return "the groups are not an array";
    for (size_t i = 0; i < dt_json_size(page); i++) {
        dt_json const *one = dt_json_at(page, i);
        char const *name = dt_json_string(dt_json_path(one, "profile", "name", NULL));
        char id[DT_GROUP_ID_MAX];
        if (!dt_group_of_id(dt_json_string(dt_json_get(one, "id")), id))
            return "a group without an id";
        if (name == NULL) /* it may be one of that name */
            return "a group without a name";
        *count += dt_str_equal_nocase(name, wanted);
    }
    return NULL;
}

dt_okta_answer dt_okta_count_named_groups(dt_config const *c, dt_http_response const *r,
                                          char const *name, int *count, char next_url[DT_URL_MAX],
                                          dt_error *e)
{
    reply p;
    int found = 0;
    next_url[0] = '\0';
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer == DT_OKTA_OK) {
        char const *wrong = count_named(p.root, name, &found);
        if (wrong == NULL)
            wrong = take_next(c, r, next_url);
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
        else
            *count += found;
    }
    reply_close(&p);
    return answer;
}

dt_okta_answer dt_okta_read_json(dt_config const *c, dt_http_response const *r, dt_json **root,
                                 char *next_url, dt_error *e)
{
    char const *next = next_url == NULL || r->next_link == NULL ? "" : r->next_link;
    reply p;
    *root = NULL;
    if (next_url != NULL)
        next_url[0] = '\0';
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer == DT_OKTA_OK && next[0] != '\0' &&
        (!dt_okta_link_is_ours(c, next) || dt_str_copy(next_url, DT_URL_MAX, next) != DT_OK)) {
        answer = unusable(e, r, "the link to the next page leads to another host");
        next_url[0] = '\0';
    }
    if (answer == DT_OKTA_OK) {
        *root = p.root;
        p.root = NULL;
    }
    reply_close(&p);
    return answer;
}

/* Keeps a factor; when the list is full, one that we can use takes the place of one we cannot. */
static void keep_factor(dt_okta_factors *list, dt_okta_factor const *f)
{
    if (list->count < DT_OKTA_FACTORS_MAX) {
        list->items[list->count++] = *f;
        return;
    }
    for (size_t i = 0; i < list->count && f->type != DT_FACTOR_NONE; i++) {
        if (list->items[i].type == DT_FACTOR_NONE) {
            list->items[i] = *f;
            return;
        }
    }
}

/* "+1-555-415-1337" as "...1337": enough for the person to know it. */
static void put_phone(dt_buf *b, char const *number)
{
    size_t len = strlen(number);
    dt_buf_puts(b, "...");
    dt_buf_put_escaped(b, dt_bytes_str(number + (len > 4 ? len - 4 : 0)));
}

/* "ann@example.com" as "a...@example.com". */
static void put_address(dt_buf *b, char const *address)
{
    char const *at = strrchr(address, '@');
    uint32_t first;
    size_t n = dt_utf8_decode((uint8_t const *)address, strlen(address), &first);
    dt_buf_put_escaped(b, dt_bytes_of(address, at != NULL && at > address ? n : 0));
    dt_buf_puts(b, "...");
    dt_buf_put_escaped(b, dt_bytes_str(at != NULL ? at : ""));
}

/* What tells this factor from others: see dt_okta_read_factors. */
static void read_name(dt_json const *profile, char dst[DT_OKTA_FACTOR_NAME_MAX])
{
    char const *name = dt_json_string(dt_json_get(profile, "name"));
    char const *phone = dt_json_string(dt_json_get(profile, "phoneNumber"));
    char const *address = dt_json_string(dt_json_get(profile, "email"));
    char const *question = dt_json_string(dt_json_get(profile, "questionText"));
    dt_buf b;
    dt_buf_init_fixed(&b, dst, DT_OKTA_FACTOR_NAME_MAX);
    if (phone != NULL)
        put_phone(&b, phone);
    else if (address != NULL)
        put_address(&b, address);
    else if (question != NULL)
        dt_buf_put_escaped(&b, dt_bytes_str(question));
    else if (name != NULL)
        dt_buf_put_escaped(&b, dt_bytes_str(name));
}

/* One element of the list. False when it is not one. */
static bool read_factor(dt_json const *v, dt_okta_factors *list)
{
    dt_okta_factor f = {0};
    char const *status = dt_json_string(dt_json_get(v, "status"));
    char const *type = dt_json_string(dt_json_get(v, "factorType"));
    if (status == NULL || type == NULL)
        return false;
    if (strcmp(status, "ACTIVE") != 0)
        return true;
    f.type = dt_factor_of(type, dt_json_string(dt_json_get(v, "provider")));
    f.created = read_time(dt_json_get(v, "created"));
    read_name(dt_json_get(v, "profile"), f.name);
    if (!copy_id(f.id, dt_json_get(v, "id")))
        return f.type == DT_FACTOR_NONE; /* what we do not use may look as it likes */
    keep_factor(list, &f);
    return true;
}

dt_okta_answer dt_okta_read_factors(dt_http_response const *r, dt_okta_factors *out, dt_error *e)
{
    reply p;
    memset(out, 0, sizeof(*out));
    dt_okta_answer answer = lookup_open(&p, r, e);
    if (answer != DT_OKTA_OK)
        goto out;
    bool good = dt_json_typeof(p.root) == DT_JSON_ARRAY;
    for (size_t i = 0; good && i < dt_json_size(p.root); i++)
        good = read_factor(dt_json_at(p.root, i), out);
    if (!good) {
        memset(out, 0, sizeof(*out));
        answer = unusable(e, r, "the factors are not a list");
    }
out:
    reply_close(&p);
    return answer;
}

/* --- verification ----------------------------------------------------------------------------- */

typedef struct result_word {
    char const *word;
    dt_okta_result result;
} result_word;

/* factorResult; what is not here, CHALLENGE, ERROR and FAILED among it, is not a success. */
static result_word const factor_results[] = {
    {"SUCCESS", DT_OKTA_RESULT_SUCCESS},
    {"WAITING", DT_OKTA_RESULT_WAITING},
    {"REJECTED", DT_OKTA_RESULT_REJECTED},
    {"TIMEOUT", DT_OKTA_RESULT_TIMEOUT},
    {"EXPIRED", DT_OKTA_RESULT_TIMEOUT},
    {"CANCELLED", DT_OKTA_RESULT_CANCELLED},
    {"CANCELED", DT_OKTA_RESULT_CANCELLED},
    {"PASSCODE_REPLAYED", DT_OKTA_RESULT_REPLAYED},
    {"TIME_WINDOW_EXCEEDED", DT_OKTA_RESULT_OUTSIDE_WINDOW},
    {"LOCKED_OUT", DT_OKTA_RESULT_LOCKED},
    {NULL, DT_OKTA_RESULT_NONE},
};

/* errorCode of a 4xx reply to a verification. */
static result_word const error_results[] = {
    {"E0000068", DT_OKTA_RESULT_WRONG_CODE},
    {"E0000069", DT_OKTA_RESULT_LOCKED},
    {"E0000073", DT_OKTA_RESULT_REJECTED},
    {"E0000082", DT_OKTA_RESULT_REPLAYED},
    {"E0000083", DT_OKTA_RESULT_OUTSIDE_WINDOW},
    {"E0000119", DT_OKTA_RESULT_LOCKED},
    {NULL, DT_OKTA_RESULT_NONE},
};

static dt_okta_result result_of(result_word const *table, char const *word)
{
    while (table->word != NULL && strcmp(table->word, word) != 0)
        table++;
    return table->result;
}

/* errorCode of a request to send a code that was refused, with 429 or, in an older form, 403. */
static struct {
    char const *code;
    dt_okta_not_sent why;
} const not_sent_codes[] = {
    {"E0000109", DT_OKTA_NOT_SENT_TOO_SOON}, {"E0000118", DT_OKTA_NOT_SENT_TOO_SOON},
    {"E0000133", DT_OKTA_NOT_SENT_TOO_SOON}, {"E0000150", DT_OKTA_NOT_SENT_TOO_SOON},
    {"E0000151", DT_OKTA_NOT_SENT_TOO_SOON}, {"E0000204", DT_OKTA_NOT_SENT_TOO_SOON},
    {"E0000205", DT_OKTA_NOT_SENT_TOO_SOON}, {"E0000146", DT_OKTA_NOT_SENT_QUOTA},
    {"E0000147", DT_OKTA_NOT_SENT_QUOTA},    {"E0000186", DT_OKTA_NOT_SENT_QUOTA},
};

static dt_okta_not_sent why_not_sent(dt_http_response const *r, reply const *p)
{
    if (r->status != 429 && r->status != 403)
        return DT_OKTA_NOT_SENT_NONE;
    for (size_t i = 0; i < sizeof(not_sent_codes) / sizeof(not_sent_codes[0]); i++)
        if (has_code(p, not_sent_codes[i].code))
            return not_sent_codes[i].why;
    return DT_OKTA_NOT_SENT_NONE;
}

/* _links.{name}.href. NULL, or what is wrong with it; *dst is "" when there is no such link. */
static char const *copy_link(dt_config const *c, dt_json const *root, char const *name,
                             char dst[DT_URL_MAX])
{
    dt_json const *link = dt_json_path(root, "_links", name, NULL);
    dst[0] = '\0';
    if (dt_json_typeof(link) == DT_JSON_NONE || dt_json_typeof(link) == DT_JSON_NULL)
        return NULL;
    char const *href = dt_json_string(dt_json_get(link, "href"));
    if (href == NULL)
        return "a link without a URL";
    if (!dt_okta_link_is_ours(c, href))
        return "a link that leads outside [okta] org_url";
    return dt_str_copy(dst, DT_URL_MAX, href) == DT_OK ? NULL : "a link that is too long";
}

/* The number that the phone will ask for; -1 when the reply has none. */
static int number_of(dt_json const *root)
{
    int64_t n = -1;
    dt_json const *v = dt_json_path(root, "_embedded", "challenge", "correctAnswer", NULL);
    return dt_json_integer(v, &n) && n >= 0 && n <= DT_OKTA_NUMBER_MAX ? (int)n : -1;
}

/* A reply of 200 or 201. NULL, or what is wrong with it. */
static char const *read_result(dt_config const *c, dt_http_response const *r, dt_json const *root,
                               dt_okta_verification *v, dt_error *e)
{
    char const *word = dt_json_string(dt_json_get(root, "factorResult"));
    char const *status = dt_json_string(dt_json_get(root, "status"));
    /* The state of a transaction, where the reply has one, outweighs what the factor says. */
    if (status != NULL && strcmp(status, "LOCKED_OUT") == 0)
        word = status;
    if (word == NULL)
        return "no factorResult";
    char const *wrong = copy_link(c, root, "poll", v->poll_url);
    if (wrong == NULL)
        wrong = copy_link(c, root, "cancel", v->cancel_url);
    if (wrong != NULL)
        return wrong;
    v->result = result_of(factor_results, word);
    /* 201 says that a push was made, never that somebody approved it. */
    if (v->result == DT_OKTA_RESULT_SUCCESS && r->status != 200)
        v->result = DT_OKTA_RESULT_NONE;
    v->challenged = r->status == 200 && strcmp(word, "CHALLENGE") == 0;
    v->number = number_of(root);
    char const *expires = dt_json_string(dt_json_get(root, "expiresAt"));
    if (expires == NULL || dt_time_parse(expires, &v->expires) != DT_OK)
        v->expires = 0;
    if (v->result != DT_OKTA_RESULT_SUCCESS && v->result != DT_OKTA_RESULT_WAITING) {
        char shown[64];
        (void)dt_error_set(e, DT_E_PERMISSION, "Okta answered HTTP %d, factorResult %s", r->status,
                           dt_str_escape(shown, sizeof(shown), word));
    }
    return NULL;
}

/* A reply whose errorCode says how the verification went. */
static dt_okta_answer read_refusal(dt_http_response const *r, reply const *p,
                                   dt_okta_verification *v, dt_error *e)
{
    if (r->status == 202 && has_code(p, "E0000070")) {
        v->result = DT_OKTA_RESULT_WAITING;
        return DT_OKTA_OK;
    }
    if (r->status < 400 || r->status > 499 || p->error_code[0] == '\0')
        return unusable(e, r, "an unexpected status");
    if (r->status == 403)
        v->result = result_of(error_results, p->error_code);
    else if (r->status == 409 && has_code(p, "E0000113"))
        v->result = DT_OKTA_RESULT_NEXT_CODE;
    set_reply_error(e, DT_E_PERMISSION, r, p, "");
    return DT_OKTA_OK;
}

static dt_okta_verification const nothing_verified = {.number = -1};

/* What the reply says after all, when it was read as `answer`. */
static dt_okta_answer finish_verification(dt_okta_answer answer, dt_http_response const *r,
                                          reply *p, dt_okta_verification *out)
{
    if (answer != DT_OKTA_OK)
        *out = nothing_verified;
    if (answer == DT_OKTA_OK || answer == DT_OKTA_RATE_LIMITED)
        out->not_sent = why_not_sent(r, p);
    if (is_mute_refusal(r, answer))
        answer = DT_OKTA_OK;
    reply_close(p);
    return answer;
}

dt_okta_answer dt_okta_read_verification(dt_config const *c, dt_http_response const *r,
                                         dt_okta_verification *out, dt_error *e)
{
    reply p;
    *out = nothing_verified;
    dt_okta_answer answer = reply_open(&p, r, e);
    if (answer == DT_OKTA_OK && (r->status == 200 || r->status == 201)) {
        char const *wrong = read_result(c, r, p.root, out, e);
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
    } else if (answer == DT_OKTA_OK) {
        answer = read_refusal(r, &p, out, e);
    }
    return finish_verification(answer, r, &p, out);
}

/* --- a transaction of the Authn API --------------------------------------------------------------- */

/* What ends it; every other word is REFUSED. */
static result_word const transaction_ends[] = {
    {"LOCKED_OUT", DT_OKTA_RESULT_LOCKED},
    {"PASSWORD_EXPIRED", DT_OKTA_RESULT_PASSWORD_EXPIRED},
    {"PASSWORD_RESET", DT_OKTA_RESULT_PASSWORD_EXPIRED},
    {"MFA_ENROLL", DT_OKTA_RESULT_ENROLL},
    {"MFA_ENROLL_ACTIVATE", DT_OKTA_RESULT_ENROLL},
    {NULL, DT_OKTA_RESULT_REFUSED},
};

static bool is_string(dt_json const *v, char const *text)
{
    char const *s = dt_json_string(v);
    return s != NULL && strcmp(s, text) == 0;
}

/* Not there, or exactly this text. */
static bool is_string_if_there(dt_json const *v, char const *text)
{
    return dt_json_typeof(v) == DT_JSON_NONE || is_string(v, text);
}

/* Okta names the person of a transaction by id and by login: both must be those of the sign-on. */
static bool is_of_person(dt_json const *root, dt_okta_transaction const *t)
{
    dt_okta_user user = {0};
    dt_json const *shown = dt_json_path(root, "_embedded", "user", NULL);
    char const *login = dt_json_string(dt_json_path(shown, "profile", "login", NULL));
    return t->user_id[0] != '\0' && is_string(dt_json_get(shown, "id"), t->user_id) &&
           login != NULL && dt_str_copy(user.login, sizeof(user.login), login) == DT_OK &&
           dt_okta_user_is(&user, t->login);
}

/* The link of the next poll. After REJECTED and TIMEOUT `next` leads to another push, so only one that is named
 * "poll" is taken. */
static char const *copy_poll_link(dt_config const *c, dt_json const *root, dt_okta_verification *v)
{
    return is_string(dt_json_path(root, "_links", "next", "name", NULL), "poll")
               ? copy_link(c, root, "next", v->poll_url)
               : NULL;
}

/* MFA_CHALLENGE: how it is with the factor. Nothing in it is a success. */
static char const *read_challenge(dt_config const *c, dt_json const *root,
                                  dt_okta_transaction const *t, dt_okta_verification *v)
{
    dt_json const *factor = dt_json_path(root, "_embedded", "factor", NULL);
    dt_json const *said = dt_json_get(root, "factorResult");
    char const *word = dt_json_string(said);
    if (!is_string(dt_json_get(root, "stateToken"), t->state_token))
        return "it is about another transaction";
    if (!is_string(dt_json_get(factor, "id"), t->factor_id))
        return "it is about another factor";
    if (word == NULL && dt_json_typeof(said) != DT_JSON_NONE &&
        dt_json_typeof(said) != DT_JSON_NULL)
        return "its factorResult is not a text";
    v->open = true;
    v->challenged = word == NULL || strcmp(word, "CHALLENGE") == 0;
    v->result = word == NULL ? DT_OKTA_RESULT_NONE : result_of(factor_results, word);
    if (v->result == DT_OKTA_RESULT_SUCCESS)
        v->result = DT_OKTA_RESULT_NONE;
    if (v->result != DT_OKTA_RESULT_WAITING)
        return NULL;
    v->number = number_of(factor);
    char const *wrong = copy_poll_link(c, root, v);
    return wrong != NULL ? wrong : copy_link(c, root, "cancel", v->cancel_url);
}

/* A 200. NULL, or what is wrong with it. */
static char const *read_step(dt_config const *c, dt_json const *root, dt_okta_transaction const *t,
                             dt_okta_verification *v, dt_error *e)
{
    char shown[64], result[64];
    char const *status = dt_json_string(dt_json_get(root, "status"));
    char const *word = dt_json_string(dt_json_get(root, "factorResult"));
    char const *wrong = NULL;
    if (status == NULL)
        return "no status";
    if (strcmp(status, "SUCCESS") == 0) {
        if (!is_of_person(root, t))
            return "it is about another person";
        if (!is_string_if_there(dt_json_get(root, "stateToken"), t->state_token))
            return "it is about another transaction";
        if (is_string_if_there(dt_json_get(root, "factorResult"), "SUCCESS"))
            v->result = DT_OKTA_RESULT_SUCCESS;
    } else if (strcmp(status, "MFA_CHALLENGE") == 0) {
        wrong = read_challenge(c, root, t, v);
    } else if (strcmp(status, "MFA_REQUIRED") == 0) {
        if (!is_of_person(root, t))
            return "it is about another person";
        if (!is_string(dt_json_get(root, "stateToken"), t->state_token))
            return "it is about another transaction";
        v->result = DT_OKTA_RESULT_REQUIRED;
    } else {
        v->result = result_of(transaction_ends, status);
    }
    if (v->result != DT_OKTA_RESULT_SUCCESS && v->result != DT_OKTA_RESULT_WAITING)
        (void)dt_error_set(e, DT_E_PERMISSION, "Okta answered status %s, factorResult %s",
                           dt_str_escape(shown, sizeof(shown), status),
                           dt_str_escape(result, sizeof(result), word != NULL ? word : "none"));
    return wrong;
}

/* A 401 is about our token but for the codes that are about the transaction. */
static bool read_transaction_end(dt_http_response const *r, reply const *p, dt_okta_verification *v,
                                 dt_error *e)
{
    bool over = r->status == 401 && has_code(p, "E0000011");
    bool refused = (r->status == 401 && has_code(p, "E0000004")) ||
                   (r->status == 403 && has_code(p, "E0000079"));
    if (r->failure != DT_HTTP_OK || (!over && !refused))
        return false;
    v->result = over ? DT_OKTA_RESULT_OVER : DT_OKTA_RESULT_REFUSED;
    set_reply_error(e, DT_E_PERMISSION, r, p,
                    over ? "; the transaction has expired, or the API token is not valid" : "");
    return true;
}

dt_okta_answer dt_okta_read_transaction(dt_config const *c, dt_http_response const *r,
                                        dt_okta_transaction const *t, dt_okta_verification *out,
                                        dt_error *e)
{
    reply p;
    *out = nothing_verified;
    dt_okta_answer answer = reply_open(&p, r, e);
    if (read_transaction_end(r, &p, out, e)) {
        answer = DT_OKTA_OK;
    } else if (answer == DT_OKTA_OK && r->status == 200) {
        char const *wrong = read_step(c, p.root, t, out, e);
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
    } else if (answer == DT_OKTA_OK) {
        answer = read_refusal(r, &p, out, e);
    }
    return finish_verification(answer, r, &p, out);
}

/* --- the password ----------------------------------------------------------------------------- */

typedef struct password_word {
    char const *word;
    dt_okta_password result;
} password_word;

/* `status` of a transaction; what is not here (RECOVERY, UNAUTHENTICATED, ...) is not a sign-on. */
static password_word const authn_statuses[] = {
    {"SUCCESS", DT_OKTA_PASSWORD_VERIFIED},           {"MFA_REQUIRED", DT_OKTA_PASSWORD_MFA},
    {"MFA_CHALLENGE", DT_OKTA_PASSWORD_MFA},          {"PASSWORD_WARN", DT_OKTA_PASSWORD_MFA},
    {"PASSWORD_EXPIRED", DT_OKTA_PASSWORD_EXPIRED},   {"PASSWORD_RESET", DT_OKTA_PASSWORD_EXPIRED},
    {"LOCKED_OUT", DT_OKTA_PASSWORD_LOCKED},          {"MFA_ENROLL", DT_OKTA_PASSWORD_ENROLL},
    {"MFA_ENROLL_ACTIVATE", DT_OKTA_PASSWORD_ENROLL}, {NULL, DT_OKTA_PASSWORD_NONE},
};

/* errorCode of a 401 or 403 that is about the person and not about our token. */
static password_word const authn_errors[] = {
    {"E0000004", DT_OKTA_PASSWORD_WRONG},   {"E0000207", DT_OKTA_PASSWORD_WRONG},
    {"E0000064", DT_OKTA_PASSWORD_EXPIRED}, {"E0000069", DT_OKTA_PASSWORD_LOCKED},
    {"E0000119", DT_OKTA_PASSWORD_LOCKED},  {NULL, DT_OKTA_PASSWORD_NONE},
};

static password_word const *password_find(password_word const *table, char const *word)
{
    while (table->word != NULL && strcmp(table->word, word) != 0)
        table++;
    return table;
}

/* Of the form that state tokens have; anything else is not sent back. */
static bool is_state_token(char const *token)
{
    static char const allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~";
    return token != NULL && token[0] != '\0' && token[strspn(token, allowed)] == '\0';
}

/* A 200. NULL, or what is wrong with it. */
static char const *read_transaction(dt_http_response const *r, dt_json const *root,
                                    char const *login, dt_okta_authn *out, dt_error *e)
{
    char shown[64];
    dt_okta_user user = {0};
    char const *token = dt_json_string(dt_json_get(root, "stateToken"));
    char const *word = dt_json_string(dt_json_get(root, "status"));
    if (word == NULL)
        return "no status";
    dt_okta_password result = password_find(authn_statuses, word)->result;
    char const *name =
        dt_json_string(dt_json_path(root, "_embedded", "user", "profile", "login", NULL));
    bool right = result == DT_OKTA_PASSWORD_VERIFIED || result == DT_OKTA_PASSWORD_MFA;
    /* Okta also finds people by a short login: it must be the person that was asked about. */
    if (right && (name == NULL || dt_str_copy(user.login, sizeof(user.login), name) != DT_OK ||
                  !dt_okta_user_is(&user, login)))
        return "it is about another person";
    if (is_state_token(token))
        (void)!dt_str_copy(out->state_token, sizeof(out->state_token), token);
    out->result = result;
    if (result != DT_OKTA_PASSWORD_VERIFIED)
        (void)dt_error_set(e, DT_E_PERMISSION, "Okta answered HTTP %d, status %s", r->status,
                           dt_str_escape(shown, sizeof(shown), word));
    return NULL;
}

/* A 401 or 403 whose code speaks of the person. */
static bool read_password_error(dt_http_response const *r, reply const *p, dt_okta_authn *out,
                                dt_error *e)
{
    password_word const *found = password_find(authn_errors, p->error_code);
    if (r->failure != DT_HTTP_OK || (r->status != 401 && r->status != 403) || found->word == NULL)
        return false;
    out->result = found->result;
    set_reply_error(e, DT_E_PERMISSION, r, p, "");
    return true;
}

dt_okta_answer dt_okta_read_authn(dt_http_response const *r, char const *login, dt_okta_authn *out,
                                  dt_error *e)
{
    reply p;
    memset(out, 0, sizeof(*out));
    dt_okta_answer answer = reply_open(&p, r, e);
    if (read_password_error(r, &p, out, e)) {
        answer = DT_OKTA_OK;
    } else if (answer == DT_OKTA_OK && r->status == 200) {
        char const *wrong = read_transaction(r, p.root, login, out, e);
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
    } else if (answer == DT_OKTA_OK && r->status >= 400 && r->status <= 499) {
        set_reply_error(e, DT_E_PERMISSION, r, &p, ""); /* a no of another kind */
    } else if (answer == DT_OKTA_OK) {
        answer = unusable(e, r, "an unexpected status");
    }
    if (is_mute_refusal(r, answer))
        answer = DT_OKTA_OK;
    if (answer != DT_OKTA_OK)
        explicit_bzero(out, sizeof(*out));
    reply_close(&p);
    return answer;
}

/* --- OAuth ------------------------------------------------------------------------------------------ */

/* Errors that say that the app is not known, or may not do what was asked. */
static char const *const app_errors[] = {"invalid_client", "unauthorized_client",
                                         "unsupported_grant_type", "invalid_scope"};

static bool is_app_error(char const *error)
{
    for (size_t i = 0; i < sizeof(app_errors) / sizeof(app_errors[0]); i++)
        if (strcmp(app_errors[i], error) == 0)
            return true;
    return false;
}

static bool quotes_a_secret(char const *text, char const *const *secrets)
{
    for (; *secrets != NULL; secrets++)
        if (**secrets != '\0' && strstr(text, *secrets) != NULL)
            return true;
    return false;
}

static void set_oauth_error(dt_error *e, dt_http_response const *r, dt_oauth_reply const *p,
                            char const *const *secrets, char const *advice)
{
    char shown[SHOWN_MAX];
    char const *text = dt_json_string(dt_json_get(p->root, "error_description"));
    if (text == NULL || quotes_a_secret(text, secrets))
        text = "";
    (void)dt_error_set(e, DT_E_PERMISSION, "Okta answered HTTP %d, %s%s%s%s", r->status, p->error,
                       *text != '\0' ? ": " : "", dt_str_escape(shown, sizeof(shown), text),
                       advice);
}

static void read_oauth_error(dt_oauth_reply *p)
{
    char const *error = dt_json_string(dt_json_get(p->root, "error"));
    if (error == NULL || strlen(error) >= sizeof(p->error) ||
        error[strspn(error, "abcdefghijklmnopqrstuvwxyz_")] != '\0')
        return;
    memcpy(p->error, error, strlen(error) + 1);
}

dt_okta_answer dt_oauth_reply_open(dt_oauth_reply *p, dt_http_response const *r,
                                   char const *const *secrets, dt_error *e)
{
    static char const advice[] = "; check [okta] native_client_id, and the grants that the app "
                                 "allows at Okta (Applications, the app, General)";
    reply plain;
    memset(p, 0, sizeof(*p));
    dt_okta_answer answer = reply_open(&plain, r, e);
    p->root = plain.root;
    read_oauth_error(p);
    if (r->failure != DT_HTTP_OK || r->status < 400 || r->status > 499 ||
        answer == DT_OKTA_RATE_LIMITED)
        return answer;
    if (p->error[0] == '\0') {
        if (answer == DT_OKTA_OK)
            set_reply_error(e, DT_E_PERMISSION, r, &plain, "");
        return answer;
    }
    bool ours = r->status == 401 || is_app_error(p->error);
    set_oauth_error(e, r, p, secrets, ours ? advice : "");
    return ours ? DT_OKTA_UNAUTHORIZED : DT_OKTA_OK;
}

void dt_oauth_reply_close(dt_oauth_reply *p)
{
    dt_json_free_wiped(&p->root);
}

bool dt_oauth_reply_is(dt_oauth_reply const *p, dt_http_response const *r, int status,
                       char const *error)
{
    return r->status == status && strcmp(p->error, error) == 0;
}
