/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See subject.h. */
#include "core/signals/subject.h"

#include "core/base/guid.h"
#include "core/okta/okta.h"

#include <string.h>

#define OKTA_USER_PREFIX "00u" /* of Okta's own ids */
#define OKTA_DEVICE_PREFIX "guo"
#define ACCOUNT_PREFIX "acct:" /* RFC 7565 */

/* As what a subject is given. */
typedef enum role { ROLE_ANY = 0, ROLE_USER, ROLE_DEVICE } role;

bool dt_news_list_add(dt_news_list *l, dt_news_about about, char const *id)
{
    dt_news n;
    if (dt_news_make(l->source, about, id, l->what, l->reference, l->at, &n) != DT_OK)
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].about == n.about && l->items[i].what == n.what &&
            strcmp(l->items[i].id, n.id) == 0)
            return true;
    if (l->count == DT_SUBJECT_NEWS_MAX)
        return false;
    l->items[l->count++] = n;
    return true;
}

static bool starts_with(char const *text, char const *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* An id by itself: what it is, its form says. A login has an "@"; without one it may be anything. */
static void add_id(dt_news_list *l, char const *id, role as)
{
    if (as != ROLE_USER) {
        (void)dt_news_list_add(l, DT_NEWS_ENTRA_DEVICE, id);
        (void)dt_news_list_add(l, DT_NEWS_INTUNE_DEVICE, id);
        if (starts_with(id, OKTA_DEVICE_PREFIX))
            (void)dt_news_list_add(l, DT_NEWS_OKTA_DEVICE, id);
    }
    if (as == ROLE_DEVICE)
        return;
    if (starts_with(id, OKTA_USER_PREFIX))
        (void)dt_news_list_add(l, DT_NEWS_OKTA_USER, id);
    if (strchr(id, '@') != NULL)
        (void)dt_news_list_add(l, DT_NEWS_LOGIN, id);
}

/* A member that has to be there as a text that is not empty; NULL else. */
static char const *text_of(dt_json const *subject, char const *member)
{
    char const *text = dt_json_string(dt_json_get(subject, member));
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static char const *read_opaque(dt_json const *subject, role as, dt_news_list *l)
{
    char const *id = text_of(subject, "id");
    if (id == NULL)
        return "a subject of the format opaque has no id";
    add_id(l, id, as);
    return NULL;
}

static char const *read_email(dt_json const *subject, role as, dt_news_list *l)
{
    char const *email = text_of(subject, "email");
    (void)as;
    if (email == NULL || strchr(email, '@') == NULL)
        return "a subject of the format email has no email";
    (void)dt_news_list_add(l, DT_NEWS_LOGIN, email);
    return NULL;
}

static char const *read_account(dt_json const *subject, role as, dt_news_list *l)
{
    char const *uri = text_of(subject, "uri");
    (void)as;
    if (uri == NULL || !starts_with(uri, ACCOUNT_PREFIX) || strchr(uri, '@') == NULL)
        return "a subject of the format account has no acct: URI";
    (void)dt_news_list_add(l, DT_NEWS_LOGIN, uri + strlen(ACCOUNT_PREFIX));
    return NULL;
}

static bool is_issuer(char const *iss, char const *url)
{
    size_t const n = url != NULL ? strlen(url) : 0;
    return n > 0 && strncmp(iss, url, n) == 0 && (iss[n] == '\0' || strcmp(iss + n, "/") == 0);
}

static char const *read_iss_sub(dt_json const *subject, role as, dt_news_list *l)
{
    char const *iss = text_of(subject, "iss"), *sub = text_of(subject, "sub");
    if (iss == NULL || sub == NULL)
        return "a subject of the format iss_sub has no iss or no sub";
    if (as != ROLE_DEVICE && is_issuer(iss, l->okta_issuer) && strchr(sub, '@') == NULL)
        (void)dt_news_list_add(l, DT_NEWS_OKTA_USER, sub);
    else
        add_id(l, sub, as);
    return NULL;
}

/* Known formats that name nobody whom devtrust knows; each has a member that must be there. */
static char const *check_other(dt_json const *subject, char const *format)
{
    static struct {
        char const *format, *member;
        dt_json_type type;
    } const others[] = {
        {"phone_number", "phone_number", DT_JSON_STRING},
        {"did", "url", DT_JSON_STRING},
        {"uri", "uri", DT_JSON_STRING},
        {"jwt_id", "jti", DT_JSON_STRING},
        {"saml_assertion_id", "assertion_id", DT_JSON_STRING},
        {"ip-addresses", "ip-addresses", DT_JSON_ARRAY},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(format, others[i].format) == 0 &&
            dt_json_typeof(dt_json_get(subject, others[i].member)) != others[i].type)
            return "a subject lacks the member that its format has";
    return NULL;
}

static char const *read_simple(dt_json const *subject, char const *format, role as, dt_news_list *l)
{
    static struct {
        char const *format;
        char const *(*read)(dt_json const *subject, role as, dt_news_list *l);
    } const formats[] = {
        {"opaque", read_opaque},   {"email", read_email},     {"account", read_account},
        {"iss_sub", read_iss_sub}, {"iss-sub", read_iss_sub}, /* Google's older word */
    };
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(format, formats[i].format) == 0)
            return formats[i].read(subject, as, l);
    return check_other(subject, format);
}

/* The format of a subject; "" when it has none. NULL when it is not a subject. Older transmitters say subject_type. */
static char const *format_of(dt_json const *subject)
{
    dt_json const *format = dt_json_get(subject, "format");
    if (dt_json_typeof(subject) != DT_JSON_OBJECT)
        return NULL;
    if (dt_json_typeof(format) == DT_JSON_NONE)
        format = dt_json_get(subject, "subject_type");
    return dt_json_typeof(format) == DT_JSON_NONE ? "" : dt_json_string(format);
}

/* Identifiers of one subject (RFC 9493 section 3.2.8), none of which is a list again. */
static char const *read_aliases(dt_json const *subject, role as, dt_news_list *l)
{
    dt_json const *list = dt_json_get(subject, "identifiers");
    size_t const n = dt_json_size(list);
    if (dt_json_typeof(list) != DT_JSON_ARRAY || n == 0 || n > DT_SUBJECT_ALIASES_MAX)
        return "a subject of the format aliases has no list of identifiers, or too many";
    for (size_t i = 0; i < n; i++) {
        char const *format = format_of(dt_json_at(list, i));
        if (format == NULL || format[0] == '\0' || strcmp(format, "aliases") == 0 ||
            strcmp(format, "complex") == 0)
            return "a subject of the format aliases has something else among its identifiers";
        char const *wrong = read_simple(dt_json_at(list, i), format, as, l);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static char const *read_part(dt_json const *part, role as, dt_news_list *l)
{
    char const *format = format_of(part);
    if (format == NULL || format[0] == '\0' || strcmp(format, "complex") == 0)
        return "a part of a subject is not a simple subject";
    return strcmp(format, "aliases") == 0 ? read_aliases(part, as, l)
                                          : read_simple(part, format, as, l);
}

/* Okta's events have user and device without a format around them. What else is there (session, tenant, group ...)
 * must be a subject as well, and names nobody by itself. */
static char const *read_complex(dt_json const *subject, dt_news_list *l)
{
    static char const *const others[] = {"session", "application", "tenant", "org_unit", "group"};
    dt_json const *user = dt_json_get(subject, "user"), *device = dt_json_get(subject, "device");
    char const *wrong = NULL;
    bool any = user != NULL || device != NULL;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && wrong == NULL; i++) {
        dt_json const *part = dt_json_get(subject, others[i]);
        char const *format = format_of(part);
        any = any || part != NULL;
        if (part != NULL && (format == NULL || format[0] == '\0'))
            wrong = "a part of a subject is not a simple subject";
    }
    if (wrong == NULL && user != NULL)
        wrong = read_part(user, ROLE_USER, l);
    if (wrong == NULL && device != NULL)
        wrong = read_part(device, ROLE_DEVICE, l);
    return wrong != NULL || any ? wrong : "a subject has no format and no parts";
}

char const *dt_subject_read(dt_json const *subject, dt_news_list *l)
{
    char const *format = format_of(subject);
    size_t const before = l->count;
    char const *wrong;
    if (format == NULL)
        wrong = "the subject is not an object with a format";
    else if (format[0] == '\0' || strcmp(format, "complex") == 0)
        wrong = read_complex(subject, l);
    else if (strcmp(format, "aliases") == 0)
        wrong = read_aliases(subject, ROLE_ANY, l);
    else
        wrong = read_simple(subject, format, ROLE_ANY, l);
    if (wrong != NULL)
        l->count = before;
    return wrong;
}
