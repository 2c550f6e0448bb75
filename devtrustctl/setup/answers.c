/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/answers.h"

#include "core/base/guid.h"
#include "core/base/utf8.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 96 /* as much of what was typed as a message repeats */
#define WORD_MAX 64  /* longest word that is compared with others */
#define BLANKS " \t\r"
#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"

static dt_answer_row const rows[] = {
#define X(id, key, type, question) {key, DT_ANSWER_##type, question},
    DT_ANSWERS(X)
#undef X
};

dt_answer_row const *dt_answer_row_of(dt_answer_id id)
{
    return &rows[id];
}

/* --- did you mean ----------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be changed, added or left out. */
static size_t distance(char const *a, char const *b)
{
    size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j];
            row[j] = least(least(row[j], row[j - 1]) + 1, corner + (a[i - 1] != b[j - 1]));
            corner = up;
        }
    }
    return row[lb];
}

char const *dt_did_you_mean(char const *typed, char const *const *words)
{
    char const *best = NULL;
    size_t most = strlen(typed) / 3 + 1; /* further away it is another word */

    for (; *words != NULL; words++) {
        size_t d = distance(typed, *words);
        if (d <= most) {
            best = *words;
            most = d - (d > 0);
        }
    }
    return best;
}

/* --- applications ----------------------------------------------------------------------------- */

static dt_app const apps[] = {
    {.name = "sshd", .account = true},
    {.name = "sudo", .variant = "sudo-i"},
    {.name = "su", .account = true, .variant = "su-l"},
    {.name = "login", .account = true},
    {.name = "gdm-password", .account = true},
    {.name = "lightdm", .account = true},
    {.name = "sddm", .account = true, .blind = true},
    {.name = "polkit-1", .account = true},
    {.name = "cockpit", .account = true},
    {.name = "vsftpd", .account = true, .blind = true},
    {.name = "dovecot", .account = true, .blind = true},
    {.name = "i3lock", .account = true, .screen = true, .blind = true},
    {.name = "swaylock", .account = true, .screen = true, .blind = true},
    {.name = "xsecurelock", .account = true, .screen = true},
    {.name = "xscreensaver", .account = true, .screen = true},
    {.name = "mate-screensaver", .account = true, .screen = true},
    {.name = "cinnamon-screensaver", .account = true, .screen = true},
    {.name = "kde", .account = true, .screen = true},
    {.name = "vpn", .door = DT_APP_RADIUS},
    {.name = "wifi", .door = DT_APP_RADIUS},
};
#define APPS (sizeof(apps) / sizeof(apps[0]))
static char const all_screens[] = "lock-screen";

dt_app const *dt_app_at(size_t i)
{
    return i < APPS ? &apps[i] : NULL;
}

static dt_app const *find_app(char const *name)
{
    for (size_t i = 0; i < APPS; i++) {
        if (strcmp(apps[i].name, name) == 0)
            return &apps[i];
    }
    return NULL;
}

/* The next member of a list with commas; false at the end. An empty member is "". */
static bool next_member(char const **at, char *out, size_t size)
{
    size_t len = strcspn(*at, ",");
    dt_bytes member = dt_bytes_trim(dt_bytes_of(*at, len), BLANKS);

    if (**at == '\0')
        return false;
    if (dt_str_copy_bytes(out, size, member) < 0)
        out[0] = '\0';
    *at += len + ((*at)[len] == ',');
    return true;
}

int dt_apps_each(char const *answer, int (*fn)(void *ctx, dt_app const *app, bool named), void *ctx)
{
    char word[WORD_MAX];
    int rc = DT_OK;

    while (rc >= 0 && next_member(&answer, word, sizeof(word))) {
        if (strcmp(word, all_screens) != 0) {
            dt_app const *app = find_app(word);
            rc = app != NULL ? fn(ctx, app, true) : DT_E_INVALID;
            continue;
        }
        for (size_t i = 0; rc >= 0 && i < APPS; i++) {
            if (apps[i].screen)
                rc = fn(ctx, &apps[i], false);
        }
    }
    return rc;
}

bool dt_apps_have(char const *answer, char const *name)
{
    char word[WORD_MAX];

    while (next_member(&answer, word, sizeof(word))) {
        if (strcmp(word, name) == 0)
            return true;
    }
    return false;
}

/* --- values ----------------------------------------------------------------------------------- */

typedef struct place {
    char const *where, *key;
    dt_error *e;
} place;

static int refuse(place const *p, char const *value, char const *why)
{
    char shown[SHOWN_MAX];

    return dt_error_set(p->e, DT_E_INVALID, "%s: %s = %s: %s", p->where, p->key,
                        dt_str_escape(shown, sizeof(shown), value), why);
}

/* What no value may hold: it goes into configuration files, a line each. */
static int check_text(place const *p, char const *value)
{
    for (char const *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return refuse(p, value, "contains a control character; remove it");
        if (strchr("#;\"'\\`$", *c) != NULL)
            return refuse(
                p, value,
                "contains a character that configuration files give a meaning (one of # ; "
                "\" ' \\ ` $); write comments on lines of their own, and values without "
                "quotes");
    }
    for (size_t at = 0, len = strlen(value); at < len;) {
        uint32_t c;
        size_t n = dt_utf8_decode((uint8_t const *)value + at, len - at, &c);

        if (n == 0 || !dt_utf8_is_shown(c))
            return refuse(p, value, "is not readable text in UTF-8");
        at += n;
    }
    return DT_OK;
}

static int check_url(place const *p, char const *value, bool org)
{
    static char const scheme[] = "https://";
    char const *host = value + sizeof(scheme) - 1;
    size_t len;

    if (strncmp(value, scheme, sizeof(scheme) - 1) != 0)
        return refuse(p, value, "write it with https:// in front");
    len = strspn(host, HOST_CHARS);
    if (len == 0 || (host[len] != '\0' && strcmp(host + len, "/") != 0))
        return refuse(p, value, "write https:// and the host name, and nothing after it");
    if (org && strstr(host, "-admin.") != NULL)
        return refuse(p, value, "is the address for administrators; write it without \"-admin\"");
    if (org && (strncmp(host, "example.", 8) == 0 || strncmp(host, "YOUR-", 5) == 0))
        return refuse(p, value, "is a placeholder; write the address of your own org");
    return DT_OK;
}

static int check_guid(place const *p, char const *value)
{
    dt_guid guid;

    if (dt_guid_parse(dt_bytes_str(value), &guid) < 0)
        return refuse(p, value, "is not an id of the form 01234567-89ab-cdef-0123-456789abcdef");
    if (strcmp(guid.text, "00000000-1111-2222-3333-444444444444") == 0 ||
        strcmp(guid.text, "55555555-6666-7777-8888-999999999999") == 0)
        return refuse(p, value, "is a placeholder; write your own");
    return DT_OK;
}

static int check_path(place const *p, char const *value)
{
    if (value[0] != '/')
        return refuse(p, value, "write the path from / on");
    if (strstr(value, "/../") != NULL || strstr(value, "//") != NULL || strlen(value) > 250 ||
        value[strlen(value) - 1] == '/')
        return refuse(p, value,
                      "write the path of a file, without .. and without //, at most 250 "
                      "bytes long");
    return DT_OK;
}

static int check_suffix(place const *p, char const *value)
{
    if (value[0] != '@' || value[1] == '\0' || strspn(value + 1, WORD_CHARS) != strlen(value) - 1)
        return refuse(p, value,
                      "write @ and the domain of the Okta logins, as in @YOUR-DOMAIN.com");
    if (strcmp(value, "@example.com") == 0)
        return refuse(p, value, "is a placeholder; write the domain of your own logins");
    return DT_OK;
}

static int refuse_app(place const *p, char const *word)
{
    char const *names[APPS + 2], *near;
    char text[160];

    for (size_t i = 0; i < APPS; i++)
        names[i] = apps[i].name;
    names[APPS] = all_screens;
    names[APPS + 1] = NULL;
    near = dt_did_you_mean(word, names);
    (void)snprintf(text, sizeof(text), "unknown application%s%s%s",
                   near != NULL ? "; did you mean "
                                : "; see devtrustctl(8) for those that there are",
                   near != NULL ? near : "", near != NULL ? "?" : "");
    return refuse(p, word, text);
}

static int check_apps(place const *p, char const *value)
{
    char const *at = value;
    char word[WORD_MAX];
    bool seen[APPS + 1] = {false};
    size_t count = 0;

    while (next_member(&at, word, sizeof(word))) {
        dt_app const *app = find_app(word);
        size_t i = app != NULL ? (size_t)(app - apps) : APPS;

        if (app == NULL && strcmp(word, all_screens) != 0)
            return refuse_app(p, word);
        if (seen[i])
            return refuse(p, word, "is named twice");
        seen[i] = true;
        count++;
    }
    return count > 0 ? DT_OK : refuse(p, value, "name at least one application");
}

static bool is_address(char const *text)
{
    char address[64];
    char const *slash = strchr(text, '/');
    uint8_t bytes[16];
    bool v4;
    long bits = 0;

    if (dt_str_copy_bytes(
            address, sizeof(address),
            dt_bytes_of(text, slash != NULL ? (size_t)(slash - text) : strlen(text))) < 0)
        return false;
    v4 = inet_pton(AF_INET, address, bytes) == 1;
    if (!v4 && inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    if (slash == NULL)
        return true;
    if (slash[1] == '\0' || strlen(slash + 1) > 3 ||
        strspn(slash + 1, "0123456789") != strlen(slash + 1))
        return false;
    bits = strtol(slash + 1, NULL, 10);
    return bits >= 1 && bits <= (v4 ? 32 : 128);
}

static int parse_client(char *text, dt_radius_client *out)
{
    char *save = NULL;
    char const *name = strtok_r(text, " \t", &save), *address = strtok_r(NULL, " \t", &save);
    char const *file = strtok_r(NULL, " \t", &save), *more = strtok_r(NULL, " \t", &save);

    if (file == NULL || more != NULL)
        return DT_E_INVALID;
    if (strspn(name, WORD_CHARS) != strlen(name) || !is_address(address) || file[0] != '/' ||
        strstr(file, "/../") != NULL)
        return DT_E_INVALID;
    if (dt_str_copy(out->name, sizeof(out->name), name) < 0 ||
        dt_str_copy(out->address, sizeof(out->address), address) < 0 ||
        dt_str_copy(out->secret_file, sizeof(out->secret_file), file) < 0)
        return DT_E_LIMIT;
    return DT_OK;
}

int dt_radius_clients_parse(char const *answer, dt_radius_client clients[DT_SETUP_CLIENTS_MAX],
                            size_t *count, dt_error *e)
{
    char text[DT_SETUP_ANSWER_MAX];

    *count = 0;
    while (next_member(&answer, text, sizeof(text))) {
        char shown[SHOWN_MAX];

        (void)dt_str_escape(shown, sizeof(shown), text);
        if (*count == DT_SETUP_CLIENTS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "more than %d RADIUS clients", DT_SETUP_CLIENTS_MAX);
        if (parse_client(text, &clients[*count]) < 0)
            return dt_error_set(e, DT_E_INVALID,
                                "\"%s\" is not of the form NAME ADDRESS SECRET-FILE, as in gateway "
                                "192.0.2.1 /root/gateway.secret",
                                shown);
        for (size_t i = 0; i < *count; i++) {
            if (strcmp(clients[i].name, clients[*count].name) == 0)
                return dt_error_set(e, DT_E_INVALID, "%s is named twice", clients[i].name);
        }
        (*count)++;
    }
    return DT_OK;
}

static int check_clients(place const *p, char const *value)
{
    dt_radius_client *clients = calloc(DT_SETUP_CLIENTS_MAX, sizeof(*clients));
    size_t count = 0;
    dt_error why = {0};
    int rc;

    if (clients == NULL)
        return dt_error_set(p->e, DT_E_NOMEM, "out of memory");
    rc = dt_radius_clients_parse(value, clients, &count, &why);
    free(clients);
    return rc < 0 ? refuse(p, value, why.text) : DT_OK;
}

static int check_word(place const *p, char const *value)
{
    return strspn(value, WORD_CHARS) == strlen(value)
               ? DT_OK
               : refuse(p, value, "may hold letters, digits, and . _ - only");
}

static int check_yesno(place const *p, char const *value)
{
    return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0
               ? DT_OK
               : refuse(p, value, "write yes or no");
}

static int check_value(place const *p, dt_answer_type type, char const *value)
{
    int rc = check_text(p, value);

    if (rc < 0 || *value == '\0')
        return rc;
    switch (type) {
    case DT_ANSWER_ORG:
        return check_url(p, value, true);
    case DT_ANSWER_URL:
        return check_url(p, value, false);
    case DT_ANSWER_WORD:
        return check_word(p, value);
    case DT_ANSWER_GUID:
        return check_guid(p, value);
    case DT_ANSWER_SUFFIX:
        return check_suffix(p, value);
    case DT_ANSWER_YESNO:
        return check_yesno(p, value);
    case DT_ANSWER_FILE:
    case DT_ANSWER_SECRET:
    case DT_ANSWER_PEM:
        return check_path(p, value);
    case DT_ANSWER_APPS:
        return check_apps(p, value);
    case DT_ANSWER_CLIENTS:
        return check_clients(p, value);
    }
    return DT_E_INVALID;
}

static int refuse_key(char const *where, char const *key, dt_error *e)
{
    char const *names[DT_ANSWER_COUNT + 1], *near;
    char shown[SHOWN_MAX];

    for (size_t i = 0; i < DT_ANSWER_COUNT; i++)
        names[i] = rows[i].key;
    names[DT_ANSWER_COUNT] = NULL;
    near = dt_did_you_mean(key, names);
    (void)dt_str_escape(shown, sizeof(shown), key);
    if (near != NULL)
        return dt_error_set(e, DT_E_INVALID, "%s: unknown key \"%s\"; did you mean %s?", where,
                            shown, near);
    return dt_error_set(e, DT_E_INVALID, "%s: unknown key \"%s\"; see SETUP in devtrustctl(8)",
                        where, shown);
}

int dt_answers_set(dt_answers *a, char const *where, char const *key, char const *value,
                   dt_error *e)
{
    place const p = {where, key, e};
    size_t id = 0;
    int rc;

    while (id < DT_ANSWER_COUNT && strcmp(rows[id].key, key) != 0)
        id++;
    if (id == DT_ANSWER_COUNT)
        return refuse_key(where, key, e);
    if (a->given[id])
        return refuse(&p, value, "is answered twice; keep one of the two lines");
    if (strlen(value) >= DT_SETUP_ANSWER_MAX)
        return dt_error_set(e, DT_E_LIMIT, "%s: %s is longer than %d bytes", where, key,
                            DT_SETUP_ANSWER_MAX - 1);
    rc = check_value(&p, rows[id].type, value);
    if (rc < 0)
        return rc;
    a->given[id] = true;
    (void)dt_str_copy(a->values[id], DT_SETUP_ANSWER_MAX, value);
    if ((rows[id].type == DT_ANSWER_ORG || rows[id].type == DT_ANSWER_URL) && *value != '\0' &&
        value[strlen(value) - 1] == '/')
        a->values[id][strlen(value) - 1] = '\0';
    return DT_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static int take_line(dt_bytes line, char const *where, dt_answers *a, dt_error *e)
{
    char key[WORD_MAX], value[4 * DT_SETUP_ANSWER_MAX];
    uint8_t const *equals;

    line = dt_bytes_trim(line, BLANKS);
    if (line.len == 0 || line.p[0] == '#')
        return DT_OK;
    equals = memchr(line.p, '=', line.len);
    if (equals == NULL)
        return dt_error_set(e, DT_E_PARSE, "%s: is not of the form key = value", where);
    if (dt_str_copy_bytes(key, sizeof(key),
                          dt_bytes_trim(dt_bytes_of(line.p, (size_t)(equals - line.p)), BLANKS)) <
        0)
        return dt_error_set(e, DT_E_PARSE, "%s: the key is too long", where);
    if (dt_str_copy_bytes(
            value, sizeof(value),
            dt_bytes_trim(dt_bytes_of(equals + 1, line.len - (size_t)(equals + 1 - line.p)),
                          BLANKS)) < 0)
        return dt_error_set(e, DT_E_LIMIT, "%s: the value is too long, or contains a NUL byte",
                            where);
    return dt_answers_set(a, where, key, value, e);
}

int dt_answers_parse(dt_bytes text, char const *name, dt_answers *a, dt_error *e)
{
    int rc = DT_OK;
    size_t number = 1;

    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        return dt_error_set(
            e, DT_E_PARSE,
            "%s:1: begins with a byte order mark (BOM); save it as UTF-8 without one", name);
    for (; rc == DT_OK && text.len > 0; number++) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;
        char where[300];

        (void)snprintf(where, sizeof(where), "%.250s:%zu", name, number);
        rc = take_line(dt_bytes_of(text.p, len), where, a, e);
        len += end != NULL;
        text = dt_bytes_of(text.p + len, text.len - len);
    }
    return rc;
}

void dt_answers_put(dt_answers const *a, dt_buf *out)
{
    for (size_t i = 0; i < DT_ANSWER_COUNT; i++) {
        if (a->values[i][0] != '\0')
            dt_buf_printf(out, "%s = %s\n", rows[i].key, a->values[i]);
    }
}

bool dt_answer_is_yes(dt_answers const *a, dt_answer_id id)
{
    return strcmp(a->values[id], "yes") == 0;
}

/* --- what belongs together -------------------------------------------------------------------- */

static bool has(dt_answers const *a, dt_answer_id id)
{
    return a->values[id][0] != '\0';
}

static int missing(dt_answer_id id, char const *why, dt_error *e)
{
    return dt_error_set(e, DT_E_INVALID, "%s is not answered: %s", rows[id].key, why);
}

static int check_okta(dt_answers const *a, dt_error *e)
{
    if (!has(a, DT_ANSWER_ORG_URL))
        return missing(DT_ANSWER_ORG_URL, "devtrust asks an Okta org", e);
    if (has(a, DT_ANSWER_API_TOKEN_FILE) && has(a, DT_ANSWER_CLIENT_ID))
        return dt_error_set(e, DT_E_INVALID,
                            "api_token_file and client_id are two credentials; answer one of them");
    if (!has(a, DT_ANSWER_API_TOKEN_FILE) && !has(a, DT_ANSWER_CLIENT_ID))
        return missing(DT_ANSWER_CLIENT_ID,
                       "answer client_id and key_file of a service app, or api_token_file", e);
    if (has(a, DT_ANSWER_CLIENT_ID) && !has(a, DT_ANSWER_KEY_FILE))
        return missing(DT_ANSWER_KEY_FILE, "a service app signs with its private key", e);
    if (!has(a, DT_ANSWER_CLIENT_ID) && (has(a, DT_ANSWER_KEY_FILE) || has(a, DT_ANSWER_KEY_ID) ||
                                         dt_answer_is_yes(a, DT_ANSWER_DPOP)))
        return missing(DT_ANSWER_CLIENT_ID, "key_file, key_id and dpop are of a service app", e);
    return DT_OK;
}

static int check_intune(dt_answers const *a, dt_error *e)
{
    bool certificate = has(a, DT_ANSWER_INTUNE_CERTIFICATE_FILE);

    if (!has(a, DT_ANSWER_TENANT_ID))
        return missing(DT_ANSWER_TENANT_ID, "Intune is asked whether devices are compliant", e);
    if (!has(a, DT_ANSWER_INTUNE_CLIENT_ID))
        return missing(DT_ANSWER_INTUNE_CLIENT_ID, "Intune is asked as an app registration", e);
    if (certificate == has(a, DT_ANSWER_INTUNE_CLIENT_SECRET_FILE))
        return missing(DT_ANSWER_INTUNE_CERTIFICATE_FILE,
                       "answer intune_certificate_file and intune_key_file, or "
                       "intune_client_secret_file",
                       e);
    if (certificate != has(a, DT_ANSWER_INTUNE_KEY_FILE))
        return missing(DT_ANSWER_INTUNE_KEY_FILE, "a certificate and its key belong together", e);
    return DT_OK;
}

static int check_radius(dt_answers const *a, dt_error *e)
{
    bool wifi = dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "wifi");
    bool radius = wifi || dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "vpn");

    if (wifi && !has(a, DT_ANSWER_RADIUS_CERTIFICATE_FILE))
        return missing(DT_ANSWER_RADIUS_CERTIFICATE_FILE, "Wi-Fi clients check the server by it",
                       e);
    if (wifi && !has(a, DT_ANSWER_RADIUS_KEY_FILE))
        return missing(DT_ANSWER_RADIUS_KEY_FILE, "a certificate and its key belong together", e);
    if (!radius && has(a, DT_ANSWER_RADIUS_CLIENTS))
        return missing(DT_ANSWER_APPLICATIONS, "radius_clients are for vpn or wifi", e);
    return DT_OK;
}

int dt_answers_check(dt_answers const *a, dt_error *e)
{
    int rc = check_okta(a, e);

    if (rc == DT_OK)
        rc = check_intune(a, e);
    if (rc == DT_OK && !has(a, DT_ANSWER_COMPANY_CA_FILE) && !has(a, DT_ANSWER_SHARED_CA_FILE))
        rc = missing(
            DT_ANSWER_COMPANY_CA_FILE,
            "answer company_ca_file, shared_ca_file or both: without CAs no device is trusted", e);
    if (rc == DT_OK && !has(a, DT_ANSWER_APPLICATIONS))
        rc = missing(DT_ANSWER_APPLICATIONS, "name at least one, such as sshd", e);
    return rc == DT_OK ? check_radius(a, e) : rc;
}
