/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of devtrust.conf as they are written: one parser per type. What stands in a message of the
 * value itself is a single word of a list; a path or a text is never repeated, since somebody may
 * have put a secret where its file's name belongs. */
#include "core/config/config_value.h"

#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64    /* longest word of a list, its NUL included */
#define SERVICE_MAX 64 /* longest PAM service name */

/* `base` is what the key's offset counts from: a dt_config, a dt_config_ca, a dt_config_message. */
static void *field(void *base, dt_config_key const *k)
{
    return (char *)base + k->offset;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* --- numbers and times ------------------------------------------------------------------------ */

/* Decimal digits only. Returns what follows them, NULL when there are none or too many. */
static char const *digits_parse(char const *s, int64_t *out)
{
    int64_t n = 0;

    if (!is_digit(*s))
        return NULL;
    for (; is_digit(*s); s++) {
        if (n > (INT64_MAX - 9) / 10)
            return NULL;
        n = n * 10 + (*s - '0');
    }
    *out = n;
    return s;
}

int dt_duration_parse(char const *text, int64_t *out)
{
    static struct {
        char const *unit;
        int64_t milliseconds;
    } const units[] = {{"ms", 1},
                       {"s", DT_SECONDS(1)},
                       {"m", DT_MINUTES(1)},
                       {"h", DT_HOURS(1)},
                       {"d", DT_DAYS(1)}};
    int64_t n = 0;
    char const *rest = text == NULL ? NULL : digits_parse(text, &n);

    if (rest == NULL)
        return DT_E_INVALID;
    if (*rest == '\0' && n == 0) {
        *out = 0;
        return DT_OK;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(rest, units[i].unit) != 0)
            continue;
        if (n > INT64_MAX / units[i].milliseconds)
            return DT_E_INVALID;
        *out = n * units[i].milliseconds;
        return DT_OK;
    }
    return DT_E_INVALID;
}

/* The largest unit that writes the time whole. */
static void put_duration(dt_buf *b, int64_t ms)
{
    static struct {
        char const *unit;
        int64_t milliseconds;
    } const units[] = {{"d", DT_DAYS(1)},
                       {"h", DT_HOURS(1)},
                       {"m", DT_MINUTES(1)},
                       {"s", DT_SECONDS(1)},
                       {"ms", 1}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms % units[i].milliseconds == 0 && ms != 0) {
            dt_buf_printf(b, "%lld%s", (long long)(ms / units[i].milliseconds), units[i].unit);
            return;
        }
    }
    dt_buf_puts(b, "0");
}

static int set_duration(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    int64_t ms = 0;
    int error = dt_duration_parse(value, &ms);

    if (error == DT_OK && ms >= k->min && ms <= k->max) {
        *(dt_time *)field(base, k) = ms;
        return DT_OK;
    }
    dt_buf_puts(why,
                error < 0
                    ? "is not a duration; write a whole number and a unit (ms, s, m, h, d), from "
                    : "is out of range; write a time from ");
    put_duration(why, k->min);
    dt_buf_puts(why, " to ");
    put_duration(why, k->max);
    return DT_E_INVALID;
}

static int set_int(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    int64_t n = 0;
    char const *rest = digits_parse(value, &n);

    if (rest != NULL && *rest == '\0' && n >= k->min && n <= k->max) {
        *(int *)field(base, k) = (int)n;
        return DT_OK;
    }
    dt_buf_printf(why, "is %s; write a whole number from %lld to %lld",
                  rest == NULL || *rest != '\0' ? "not a number" : "out of range",
                  (long long)k->min, (long long)k->max);
    return DT_E_INVALID;
}

static int set_bool(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    bool yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0) {
        dt_buf_puts(why, "is neither yes nor no");
        return DT_E_INVALID;
    }
    *(bool *)field(base, k) = yes;
    return DT_OK;
}

/* --- words ------------------------------------------------------------------------------------ */

static dt_config_word const *word_find(dt_config_key const *k, char const *word)
{
    for (dt_config_word const *w = k->words; w->word != NULL; w++) {
        if (strcmp(w->word, word) == 0)
            return w;
    }
    return NULL;
}

static void put_words(dt_buf *why, dt_config_key const *k)
{
    for (dt_config_word const *w = k->words; w->word != NULL; w++)
        dt_buf_printf(why, "%s%s", w == k->words ? "" : ", ", w->word);
}

static int refuse_word(dt_buf *why, dt_config_key const *k, char const *word)
{
    dt_buf_putc(why, '"');
    dt_buf_put_escaped(why, dt_bytes_str(word));
    dt_buf_puts(why, "\" is not a valid value; use one of: ");
    put_words(why, k);
    return DT_E_INVALID;
}

static int set_enum(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    dt_config_word const *w = word_find(k, value);

    if (w == NULL) {
        dt_buf_puts(why, "is not a valid value; use one of: ");
        put_words(why, k);
        return DT_E_INVALID;
    }
    *(int *)field(base, k) = w->value;
    return DT_OK;
}

/* Takes the next member of a list off *rest: what stands before `separator`, without the white space
 * around it. False at the end. A member that does not fit is DT_E_LIMIT in *error. */
static bool list_next(char const **rest, char separator, char *word, size_t size, int *error)
{
    char const *start = *rest;
    char const *end;

    if (start == NULL)
        return false;
    end = strchr(start, separator);
    *rest = end == NULL ? NULL : end + 1;
    if (end == NULL)
        end = start + strlen(start);
    while (start < end && *start == ' ')
        start++;
    while (end > start && end[-1] == ' ')
        end--;
    *error = dt_str_copy_bytes(word, size, dt_bytes_of(start, (size_t)(end - start)));
    return true;
}

static int set_bits(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    unsigned bits = 0;
    char const *rest = value;
    char word[WORD_MAX];
    int error = DT_OK;

    while (list_next(&rest, ',', word, sizeof(word), &error)) {
        dt_config_word const *w = word_find(k, word);
        if (error < 0 || w == NULL)
            return refuse_word(why, k, error < 0 ? "..." : word);
        if ((bits & (unsigned)w->value) != 0) {
            dt_buf_printf(why, "lists \"%s\" twice; list each word once", word);
            return DT_E_INVALID;
        }
        bits |= (unsigned)w->value;
    }
    *(unsigned *)field(base, k) = bits;
    return DT_OK;
}

/* --- trusted_when ----------------------------------------------------------------------------- */

static int alternative_parse(dt_config_key const *k, char const *text, unsigned *out, dt_buf *why)
{
    char const *rest = text;
    char word[WORD_MAX];
    int error = DT_OK;

    *out = 0;
    while (list_next(&rest, '+', word, sizeof(word), &error)) {
        dt_config_word const *w = word_find(k, word);
        if (error < 0 || w == NULL)
            return refuse_word(why, k, error < 0 ? "..." : word);
        if ((*out & (unsigned)w->value) != 0) {
            dt_buf_printf(why, "names \"%s\" twice in one alternative; name each source once",
                          word);
            return DT_E_INVALID;
        }
        *out |= (unsigned)w->value;
    }
    if ((*out & ~(unsigned)DT_SOURCES_ASKED) == 0) {
        char const *alone = (*out & DT_SOURCE_INTUNE) != 0 ? "intune" : "okta-device";
        dt_buf_printf(why,
                      "has \"%s\" alone, which does not identify a device; combine it with another "
                      "source, as in certificate+%s",
                      alone, alone);
        return DT_E_INVALID;
    }
    if ((*out & DT_SOURCE_OKTA_DEVICE) != 0 &&
        (*out & (DT_SOURCES_WITH_KEY | DT_SOURCE_VPN_CLIENT)) == 0) {
        dt_buf_puts(why, "has \"okta-device\" without a source that identifies the device; combine "
                         "it with one, as in certificate+okta-device");
        return DT_E_INVALID;
    }
    if ((*out & DT_SOURCE_REGISTRY) != 0 && (*out & DT_SOURCES_WITH_KEY) == 0) {
        dt_buf_puts(why, "has \"registry\" without a source that proves a key; combine it with "
                         "one, as in ssh-key+registry");
        return DT_E_INVALID;
    }
    return DT_OK;
}

static int trusted_when_add(unsigned *sets, size_t *count, unsigned set, dt_buf *why)
{
    for (size_t i = 0; i < *count; i++) {
        if (sets[i] == set) {
            dt_buf_puts(why, "lists the same alternative twice; list each once");
            return DT_E_INVALID;
        }
    }
    if (*count == DT_TRUST_ALTERNATIVES_MAX) {
        dt_buf_printf(why, "has too many alternatives; at most %d are allowed",
                      DT_TRUST_ALTERNATIVES_MAX);
        return DT_E_INVALID;
    }
    sets[(*count)++] = set;
    return DT_OK;
}

static int set_trusted_when(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    unsigned sets[DT_TRUST_ALTERNATIVES_MAX] = {0};
    size_t count = 0;
    char const *rest = value;
    char text[DT_CONFIG_VALUE_MAX];
    int error = DT_OK;

    while (list_next(&rest, ',', text, sizeof(text), &error)) {
        unsigned set = 0;
        if (error < 0 || (error = alternative_parse(k, text, &set, why)) < 0 ||
            (error = trusted_when_add(sets, &count, set, why)) < 0)
            return error;
    }
    dt_config *c = base; /* dt_config_ca has no such field */
    memcpy(c->device_trust.trusted_when, sets, sizeof(sets));
    c->device_trust.trusted_when_count = count;
    return DT_OK;
}

/* --- texts ------------------------------------------------------------------------------------ */

static int store_string(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    char **slot = field(base, k);
    char *copy = strdup(value);

    if (copy == NULL) {
        dt_buf_puts(why, "out of memory");
        return DT_E_NOMEM;
    }
    free(*slot);
    *slot = copy;
    return DT_OK;
}

static int check_length(dt_config_key const *k, char const *value, dt_buf *why)
{
    size_t len = strlen(value);

    if ((int64_t)len < k->min) {
        dt_buf_puts(why, "is empty; set a value, or remove the key to use its default");
        return DT_E_INVALID;
    }
    if ((int64_t)len > k->max) {
        dt_buf_printf(why, "is too long; at most %lld bytes are allowed", (long long)k->max);
        return DT_E_INVALID;
    }
    return DT_OK;
}

static int set_string(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    int error = check_length(k, value, why);

    return error < 0 ? error : store_string(base, k, value, why);
}

/* A path must say where it leads: no empty, "." or ".." component, nothing after the name. */
static bool path_is_plain(char const *p)
{
    if (*p != '/')
        return false;
    while (*p == '/') {
        size_t len = strcspn(++p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
    }
    return true;
}

static int refuse_credential(dt_config_key const *k, dt_buf *why)
{
    if (!k->secret)
        dt_buf_puts(why, "is not a secret, and only secrets can be credentials; use a path");
    else
        dt_buf_puts(why, "does not name a credential; use credential:NAME, where NAME is made of "
                         "letters, digits, ., _ and -, and does not begin with a dot");
    return DT_E_INVALID;
}

static bool is_credential(char const *value)
{
    return strncmp(value, DT_CONFIG_CREDENTIAL, sizeof(DT_CONFIG_CREDENTIAL) - 1) == 0;
}

static bool names_credential(char const *value)
{
    char const *name = value + sizeof(DT_CONFIG_CREDENTIAL) - 1;
    size_t len = strlen(name), i = 0;

    while (i < len && (is_alnum(name[i]) || strchr("._-", name[i]) != NULL))
        i++;
    return len > 0 && len <= DT_CONFIG_CREDENTIAL_NAME_MAX && i == len && name[0] != '.';
}

static int set_path(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    int error = check_length(k, value, why);

    if (error < 0)
        return error;
    if (is_credential(value))
        return k->secret && names_credential(value) ? store_string(base, k, value, why)
                                                    : refuse_credential(k, why);
    if (*value != '\0' && !path_is_plain(value)) {
        dt_buf_puts(why, "is not a plain absolute path; use one that begins with / and has no "
                         "empty, . or .. parts");
        return DT_E_INVALID;
    }
    return store_string(base, k, value, why);
}

static int set_guid(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    dt_guid guid = {{0}};

    if (*value != '\0' && dt_guid_parse(dt_bytes_str(value), &guid) < 0) {
        dt_buf_puts(why, "is not a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301");
        return DT_E_INVALID;
    }
    *(dt_guid *)field(base, k) = guid;
    return DT_OK;
}

/* Kept in the field itself, as a key of an application may own nothing. */
static int set_okta_id(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    static char const allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t len = strlen(value);

    if (len >= DT_OKTA_ID_MAX || strspn(value, allowed) != len) {
        dt_buf_puts(why, "is not an id of Okta, such as 0oa1b2c3d4e5f6g7h8i9; copy it from the "
                         "URL of the application's page in the admin console");
        return DT_E_INVALID;
    }
    memset(field(base, k), 0, DT_OKTA_ID_MAX);
    memcpy(field(base, k), value, len);
    return DT_OK;
}

/* --- URLs ------------------------------------------------------------------------------------- */

/* The host of a URL: a name or an IPv4 address, or an IPv6 address in brackets. Returns its end. */
static char const *host_end(char const *s)
{
    char const *p = s;

    if (*p == '[') {
        size_t len = strspn(++p, "0123456789abcdefABCDEF:.");
        return len > 1 && p[len] == ']' ? p + len + 1 : NULL;
    }
    while (is_alnum(*p) || *p == '-' || *p == '.')
        p++;
    if (p == s || *s == '.' || *s == '-' || p[-1] == '-' || strstr(s, "..") != NULL)
        return NULL;
    return p;
}

static char const *port_end(char const *s)
{
    int64_t port = 0;
    char const *end;

    if (*s != ':')
        return s;
    end = digits_parse(s + 1, &port);
    return end != NULL && s[1] != '0' && port <= 65535 ? end : NULL;
}

static bool url_path_is_plain(char const *p)
{
    while (*p == '/') {
        size_t len = strcspn(++p, "/");
        if (len == 0 && *p != '\0')
            return false;
        for (size_t i = 0; i < len; i++) {
            if (!is_alnum(p[i]) && strchr("-._~", p[i]) == NULL)
                return false;
        }
        if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
    }
    return *p == '\0';
}

static void lower(char *p, char const *end)
{
    for (; p < end; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    }
}

/* Brings a URL into the one form that links are compared with: lower case up to the path (RFC 3986
 * section 6.2.2.1), no default port (section 6.2.3), no slash at the end. */
static int url_normalise(char *url)
{
    static char const scheme[] = "https://";
    char *host = url + sizeof(scheme) - 1;
    char *port;
    char *path;
    char const *end;

    if (strlen(url) < sizeof(scheme) || strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return DT_E_INVALID;
    end = host_end(host);
    if (end == NULL)
        return DT_E_INVALID;
    port = host + (end - host);
    lower(host, port);
    end = port_end(port);
    if (end == NULL || !url_path_is_plain(end))
        return DT_E_INVALID;
    path = port + (end - port);
    if (path - port == 4 && strncmp(port, ":443", 4) == 0) {
        memmove(port, path, strlen(path) + 1);
        path = port;
    }
    for (size_t len = strlen(path); len > 0 && path[len - 1] == '/'; len--)
        path[len - 1] = '\0';
    return DT_OK;
}

static int set_url(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    char url[DT_CONFIG_VALUE_MAX];
    int error = check_length(k, value, why);

    if (error < 0)
        return error;
    error = dt_str_copy(url, sizeof(url), value);
    if (error == DT_OK && *url != '\0')
        error = url_normalise(url);
    if (error < 0) {
        dt_buf_puts(why, "is not a valid URL here; write https://HOST, with :PORT or /PATH if "
                         "needed, without user, query and fragment");
        return DT_E_INVALID;
    }
    return store_string(base, k, url, why);
}

/* --- lists of PAM services -------------------------------------------------------------------- */

static void list_free(dt_string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (dt_string_list){0};
}

static bool list_has(dt_string_list const *list, char const *word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], word) == 0)
            return true;
    }
    return false;
}

/* libpam makes the names of services lower case before anybody sees them (pam_start(3)), so an upper
 * case one would never be met. */
static bool is_service_name(char const *s)
{
    if (!is_alnum(*s))
        return false;
    for (; *s != '\0'; s++) {
        if ((!is_alnum(*s) && strchr("-._@", *s) == NULL) || (*s >= 'A' && *s <= 'Z'))
            return false;
    }
    return true;
}

static int list_add(dt_string_list *list, char const *word, dt_buf *why)
{
    if (!is_service_name(word)) {
        dt_buf_puts(why, "is not a list of PAM services or accounts; use lower-case letters, "
                         "digits and - . _ @, "
                         "separated by commas");
        return DT_E_INVALID;
    }
    if (list_has(list, word)) {
        dt_buf_printf(why, "lists \"%s\" twice; list each name once", word);
        return DT_E_INVALID;
    }
    if (list->count == DT_CONFIG_LIST_MAX) {
        dt_buf_printf(why, "has too many names; at most %d are allowed", DT_CONFIG_LIST_MAX);
        return DT_E_INVALID;
    }
    list->items[list->count] = strdup(word);
    if (list->items[list->count] == NULL) {
        dt_buf_puts(why, "out of memory");
        return DT_E_NOMEM;
    }
    list->count++;
    return DT_OK;
}

static int set_list(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    dt_string_list list = {.items = calloc(DT_CONFIG_LIST_MAX, sizeof(char *))};
    char const *rest = *value == '\0' ? NULL : value;
    char word[SERVICE_MAX + 1];
    int error = DT_OK;

    if (list.items == NULL) {
        dt_buf_puts(why, "out of memory");
        return DT_E_NOMEM;
    }
    while (list_next(&rest, ',', word, sizeof(word), &error)) {
        error = list_add(&list, error < 0 ? "" : word, why);
        if (error < 0) {
            list_free(&list);
            return error;
        }
    }
    list_free(field(base, k));
    *(dt_string_list *)field(base, k) = list;
    return DT_OK;
}

/* --- all types -------------------------------------------------------------------------------- */

/* Only what may be shown on a terminal: values end up in messages. */
static int check_bytes(char const *value, dt_buf *why)
{
    char escaped[4 * DT_CONFIG_VALUE_MAX + 1];

    if (strlen(value) >= DT_CONFIG_VALUE_MAX) {
        dt_buf_printf(why, "is too long; at most %d bytes are allowed", DT_CONFIG_VALUE_MAX - 1);
        return DT_E_INVALID;
    }
    if (strcmp(dt_str_escape(escaped, sizeof(escaped), value), value) != 0) {
        dt_buf_puts(why, "contains a control character or invalid UTF-8; use plain text");
        return DT_E_INVALID;
    }
    return DT_OK;
}

int dt_config_value_set(void *base, dt_config_key const *k, char const *value, dt_buf *why)
{
    static int (*const set[])(void *, dt_config_key const *, char const *, dt_buf *) = {
        [DT_CONFIG_STRING] = set_string,   [DT_CONFIG_URL] = set_url,
        [DT_CONFIG_PATH] = set_path,       [DT_CONFIG_GUID] = set_guid,
        [DT_CONFIG_OKTA_ID] = set_okta_id, [DT_CONFIG_BOOL] = set_bool,
        [DT_CONFIG_INT] = set_int,         [DT_CONFIG_DURATION] = set_duration,
        [DT_CONFIG_ENUM] = set_enum,       [DT_CONFIG_BITS] = set_bits,
        [DT_CONFIG_LIST] = set_list,       [DT_CONFIG_TRUSTED_WHEN] = set_trusted_when,
    };
    int error = check_bytes(value, why);

    return error < 0 ? error : set[k->type](base, k, value, why);
}

void dt_config_value_free(void *base, dt_config_key const *k)
{
    char **text;

    switch (k->type) {
    case DT_CONFIG_STRING:
    case DT_CONFIG_URL:
    case DT_CONFIG_PATH:
        text = field(base, k);
        free(*text);
        *text = NULL;
        return;
    case DT_CONFIG_LIST:
        list_free(field(base, k));
        return;
    default:
        return;
    }
}

/* --- from one configuration to another -------------------------------------------------------- */

/* Bytes of a field that owns nothing; 0 for others. */
static size_t plain_size(dt_config_type type)
{
    switch (type) {
    case DT_CONFIG_GUID:
        return sizeof(dt_guid);
    case DT_CONFIG_OKTA_ID:
        return DT_OKTA_ID_MAX;
    case DT_CONFIG_BOOL:
        return sizeof(bool);
    case DT_CONFIG_INT:
    case DT_CONFIG_ENUM:
        return sizeof(int);
    case DT_CONFIG_BITS:
        return sizeof(unsigned);
    case DT_CONFIG_DURATION:
        return sizeof(dt_time);
    default:
        return 0;
    }
}

static void copy_trusted_when(dt_config *c, dt_config const *from, bool *differed)
{
    *differed = c->device_trust.trusted_when_count != from->device_trust.trusted_when_count ||
                memcmp(c->device_trust.trusted_when, from->device_trust.trusted_when,
                       sizeof(c->device_trust.trusted_when)) != 0;
    memcpy(c->device_trust.trusted_when, from->device_trust.trusted_when,
           sizeof(c->device_trust.trusted_when));
    c->device_trust.trusted_when_count = from->device_trust.trusted_when_count;
}

static int copy_text(dt_config *c, dt_config const *from, dt_config_key const *k, bool *differed)
{
    char **slot = field(c, k);
    char const *wanted = dt_config_text(from, k);
    char *copy;

    *differed = strcmp(*slot, wanted) != 0;
    if (!*differed)
        return DT_OK;
    copy = strdup(wanted);
    if (copy == NULL)
        return DT_E_NOMEM;
    free(*slot);
    *slot = copy;
    return DT_OK;
}

int dt_config_value_copy(dt_config *c, dt_config const *from, dt_config_key const *k,
                         bool *differed)
{
    size_t size = plain_size(k->type);
    void const *wanted = (char const *)from + k->offset;

    if (size > 0) {
        *differed = memcmp(field(c, k), wanted, size) != 0;
        memcpy(field(c, k), wanted, size);
        return DT_OK;
    }
    *differed = false;
    if (k->type == DT_CONFIG_TRUSTED_WHEN) {
        copy_trusted_when(c, from, differed);
        return DT_OK;
    }
    if (k->type != DT_CONFIG_STRING && k->type != DT_CONFIG_URL && k->type != DT_CONFIG_PATH)
        return DT_E_STATE;
    return copy_text(c, from, k, differed);
}
