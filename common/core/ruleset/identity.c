/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a name to an identity. The forms that are known are NAME, NAME@REALM, REALM\NAME and those of
 * machines; every other is refused, since somebody else's directory or Okta might read it otherwise. */
#include "core/ruleset/identity.h"

#include "core/ruleset/identity_internal.h"
#include "core/base/unicode.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 200 /* as much of a name as a message repeats, escaped */
#define HOST_PREFIX "host/"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void fold_text(char *s)
{
    for (; *s != '\0'; s++)
        *s = fold(*s);
}

static int refuse(dt_error *e, char const *name, char const *why)
{
    char shown[SHOWN_MAX];

    return dt_error_set(e, DT_E_INVALID, "the user name \"%s\" %s",
                        dt_str_escape(shown, sizeof(shown), name), why);
}

/* --- characters ---------------------------------------------------------------------------------- */

static int refuse_character(dt_error *e, char const *name, uint32_t c)
{
    char why[128];

    if (c > ' ' && c < 0x7f)
        snprintf(why, sizeof(why), "contains the character %c, which no user name has", (char)c);
    else if (c == ' ')
        snprintf(why, sizeof(why), "contains a space");
    else if (c < ' ' || (c >= 0x7f && c < 0xa0))
        snprintf(why, sizeof(why), "contains the control character U+%04X", (unsigned)c);
    else
        snprintf(why, sizeof(why),
                 "contains U+%04X, which is not a lower-case letter, mark or digit in Unicode's "
                 "normalization form NFKC",
                 (unsigned)c);
    return refuse(e, name, why);
}

/* What has no meaning in paths, queries, patterns and other forms of names. */
static bool may_stand_in_name(unsigned char c)
{
    return c >= 0x80 || (c != '\0' && strchr(LETTERS DIGITS "!\"#%&'+,-.=^_{|}~", c) != NULL);
}

/* `part` is of the name `whole`, which messages show. */
static int check_local(char const *part, char const *whole, dt_error *e)
{
    if (*part == '.' || *part == '-')
        return refuse(e, whole, "begins with a dot or a dash");
    for (char const *p = part; *p != '\0'; p++) {
        if (!may_stand_in_name((unsigned char)*p))
            return refuse_character(e, whole, (unsigned char)*p);
    }
    return *part != '\0' ? DT_OK : refuse(e, whole, "consists of a realm alone");
}

static bool is_realm(char const *s)
{
    size_t len = strlen(s);

    return len > 0 && len < DT_REALM_MAX && s[strspn(s, LETTERS DIGITS "-._")] == '\0' &&
           s[0] != '.' && s[len - 1] != '.' && strstr(s, "..") == NULL;
}

/* What no part of any form may hold. */
static int check_whole(char const *name, dt_error *e)
{
    size_t len = strlen(name);
    uint32_t bad = 0;
    int rc;

    if (len == 0)
        return dt_error_set(e, DT_E_INVALID, "the user name is empty");
    if (len >= DT_USER_MAX)
        return dt_error_set(e, DT_E_INVALID, "the user name is longer than %d bytes",
                            DT_USER_MAX - 1);
    if (name[0] == ' ' || name[len - 1] == ' ')
        return refuse(e, name, "begins or ends with a space");
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return refuse_character(e, name, (unsigned char)name[i]);
    }
    rc = dt_unicode_check(dt_bytes_str(name), &bad);
    if (rc == DT_E_PARSE)
        return refuse(e, name, "is not UTF-8");
    if (rc == DT_E_INVALID)
        return refuse_character(e, name, bad);
    return rc < 0 ? dt_error_set(e, rc, "the user name could not be checked") : DT_OK;
}

/* --- realms --------------------------------------------------------------------------------------- */

/* The next "REALM -> @SUFFIX" of a list. False at its end; *why is set when it is of another form. */
static bool next_realm(char const **rest, char realm[DT_REALM_MAX], char suffix[DT_REALM_MAX + 1],
                       char const **why)
{
    char item[2 * DT_REALM_MAX + 16];
    char *arrow;
    size_t len = strcspn(*rest, ",");
    char const *p = *rest;

    if (*p == '\0')
        return false;
    *rest = p + len + (p[len] == ',' ? 1 : 0);
    *why = "is not a list of realms with their suffixes; use the form EXAMPLE -> @example.com, "
           "corp.example.com -> @example.com";
    while (len > 0 && *p == ' ') {
        p++;
        len--;
    }
    while (len > 0 && p[len - 1] == ' ')
        len--;
    if (dt_str_copy_bytes(item, sizeof(item), dt_bytes_of(p, len)) < 0 ||
        (arrow = strstr(item, "->")) == NULL)
        return true;
    for (p = arrow + 2; *p == ' '; p++)
        ;
    while (arrow > item && arrow[-1] == ' ')
        arrow--;
    *arrow = '\0';
    if (dt_str_copy(realm, DT_REALM_MAX, item) < 0 ||
        dt_str_copy(suffix, DT_REALM_MAX + 1, p) < 0 || !is_realm(realm) ||
        dt_user_suffix_fault(suffix) != NULL || *suffix == '\0')
        return true;
    fold_text(realm);
    fold_text(suffix);
    *why = NULL;
    return true;
}

char const *dt_user_suffix_fault(char const *suffix)
{
    if (*suffix == '\0' || (*suffix == '@' && is_realm(suffix + 1)))
        return NULL;
    return "is not a login suffix; it begins with the at sign, as in @example.com";
}

/* The suffix that the list has for a realm; false when it has none. */
static bool find_realm(char const *realms, char const *realm, char suffix[DT_REALM_MAX + 1])
{
    char name[DT_REALM_MAX];
    char const *why = NULL;

    while (next_realm(&realms, name, suffix, &why)) {
        if (why == NULL && dt_str_equal_nocase(name, realm))
            return true;
    }
    return false;
}

char const *dt_user_realms_fault(char const *realms)
{
    char name[DT_REALM_MAX], suffix[DT_REALM_MAX + 1], other[DT_REALM_MAX + 1];
    char const *why = NULL;

    while (next_realm(&realms, name, suffix, &why)) {
        if (why != NULL)
            return why;
        if (find_realm(realms, name, other))
            return "lists a realm twice; list each once";
    }
    return NULL;
}

/* --- parts ---------------------------------------------------------------------------------------- */

/* A name taken apart. */
typedef struct parts {
    char local[DT_USER_MAX]; /* lower case, and as it came in `as_given` */
    char as_given[DT_USER_MAX];
    char realm[DT_REALM_MAX];      /* as dt_identity has it; of one that is not known, its name */
    char suffix[DT_REALM_MAX + 1]; /* of the login */
    bool known;
    bool machine;
} parts;

static int take_apart(char const *name, parts *p, char given_realm[DT_REALM_MAX], dt_error *e)
{
    char const *back = strchr(name, '\\'), *at = strchr(name, '@');
    dt_bytes local = dt_bytes_str(name), realm = dt_bytes_of("", 0);

    given_realm[0] = '\0';
    if ((back != NULL && at != NULL) || (back != NULL && strchr(back + 1, '\\') != NULL) ||
        (at != NULL && strchr(at + 1, '@') != NULL))
        return refuse(e, name, "has more than one realm");
    if (back != NULL) {
        realm = dt_bytes_of(name, (size_t)(back - name));
        local = dt_bytes_str(back + 1);
    } else if (at != NULL) {
        local = dt_bytes_of(name, (size_t)(at - name));
        realm = dt_bytes_str(at + 1);
    }
    if (dt_str_copy_bytes(p->as_given, sizeof(p->as_given), local) < 0)
        return refuse(e, name, "is too long");
    if ((back != NULL || at != NULL) &&
        (dt_str_copy_bytes(given_realm, DT_REALM_MAX, realm) < 0 || !is_realm(given_realm)))
        return refuse(e, name, "has a malformed realm");
    fold_text(given_realm);
    return DT_OK;
}

/* `realm` is "" where none was given. */
static void resolve_realm(dt_config const *c, char const *realm, parts *p)
{
    char const *own = c->user_name.login_suffix;

    p->known = true;
    (void)!dt_str_copy(p->suffix, sizeof(p->suffix), own);
    fold_text(p->suffix);
    if (*realm == '\0' || (*own == '@' && dt_str_equal_nocase(own + 1, realm)))
        return;
    p->known = find_realm(c->user_name.realms, realm, p->suffix);
    if (!p->known)
        (void)!dt_str_copy(p->realm, sizeof(p->realm), realm);
    else if (!dt_str_equal_nocase(p->suffix, own))
        (void)!dt_str_copy(p->realm, sizeof(p->realm), p->suffix + 1);
}

/* host/NAME, as Windows calls itself, and NAME$, as it is in the directory. */
static bool take_machine(char const *whole, parts *p)
{
    size_t len = strlen(p->local);
    char name[DT_USER_MAX];

    if (strncmp(p->local, HOST_PREFIX, sizeof(HOST_PREFIX) - 1) == 0 && strchr(whole, '\\') == NULL)
        p->machine = is_realm(p->local + sizeof(HOST_PREFIX) - 1);
    else if (len > 1 && p->local[len - 1] == '$' &&
             dt_str_copy_bytes(name, sizeof(name), dt_bytes_of(p->local, len - 1)) == DT_OK)
        p->machine = is_realm(name);
    return p->machine;
}

static int read_name(dt_config const *c, char const *name, parts *p, dt_error *e)
{
    char realm[DT_REALM_MAX] = "";
    int rc = check_whole(name, e);

    memset(p, 0, sizeof(*p));
    if (rc == DT_OK)
        rc = take_apart(name, p, realm, e);
    if (rc < 0)
        return rc;
    memcpy(p->local, p->as_given, sizeof(p->local));
    fold_text(p->local);
    resolve_realm(c, realm, p);
    return take_machine(name, p) ? DT_OK : check_local(p->local, name, e);
}

int dt_user_name_read(dt_config const *c, char const *name, char local[DT_USER_MAX],
                      char realm[DT_REALM_MAX], dt_error *e)
{
    parts p;
    int rc = read_name(c, name, &p, e);

    if (rc < 0)
        return rc;
    memcpy(local, p.local, DT_USER_MAX);
    memcpy(realm, p.realm, DT_REALM_MAX);
    return DT_OK;
}

int dt_user_login_read(char const *text, char out[DT_LOGIN_MAX], dt_error *e)
{
    char local[DT_USER_MAX];
    char const *at = strchr(text, '@');
    int rc = check_whole(text, e);

    if (rc < 0)
        return rc;
    if (at != NULL && !is_realm(at + 1))
        return refuse(e, text, "is not an Okta login; use the form ann@example.com");
    if (dt_str_copy_bytes(local, sizeof(local),
                          dt_bytes_of(text, at != NULL ? (size_t)(at - text) : strlen(text))) < 0)
        return refuse(e, text, "is too long");
    rc = check_local(local, text, e);
    if (rc < 0)
        return rc;
    (void)!dt_str_copy(out, DT_LOGIN_MAX, text);
    fold_text(out);
    return DT_OK;
}

/* --- the identity --------------------------------------------------------------------------------- */

static int refuse_realm(char const *name, parts const *p, dt_error *e)
{
    char why[DT_REALM_MAX + 160];

    snprintf(why, sizeof(why),
             "has the realm %s, which is not known; if it is yours, add it to [user_name] realms, "
             "or add the name to the table",
             p->realm);
    return refuse(e, name, why);
}

static int make_login(dt_user_table const *t, parts const *p, char const *name,
                      char out[DT_LOGIN_MAX], dt_error *e)
{
    char const *listed = dt_user_table_find(t, p->local, p->realm);

    if (listed != NULL)
        return dt_str_copy(out, DT_LOGIN_MAX, listed);
    if (!p->known)
        return refuse_realm(name, p, e);
    if ((size_t)snprintf(out, DT_LOGIN_MAX, "%s%s", p->local, p->suffix) >= DT_LOGIN_MAX)
        return refuse(e, name, "is too long with its suffix");
    return DT_OK;
}

int dt_identity_make(dt_config const *c, dt_user_table const *t, dt_user_name const *n,
                     dt_identity *out, dt_error *e)
{
    parts p;
    int rc = read_name(c, n->text != NULL ? n->text : "", &p, e);
    dt_identity id = {.kind = p.machine ? DT_IDENTITY_MACHINE : DT_IDENTITY_PERSON};

    memset(out, 0, sizeof(*out));
    if (rc == DT_OK && !p.machine)
        rc = make_login(t, &p, n->text, id.login, e);
    if (rc == DT_OK && p.machine && !p.known)
        rc = refuse_realm(n->text, &p, e);
    if (rc < 0)
        return rc;
    memcpy(id.local, p.as_given, sizeof(id.local));
    memcpy(id.realm, p.realm, sizeof(id.realm));
    *out = id;
    return DT_OK;
}

bool dt_user_is_listed(dt_config const *c, dt_user_table const *t, char const *name)
{
    char local[DT_USER_MAX], realm[DT_REALM_MAX];
    dt_error e = {0};

    return dt_user_name_read(c, name, local, realm, &e) == DT_OK &&
           dt_user_table_find(t, local, realm) != NULL;
}

void dt_identity_short(dt_config const *c, dt_identity const *id, char out[DT_LOGIN_MAX])
{
    char const *suffix = c->user_name.login_suffix;
    size_t len = strlen(id->login), end = strlen(suffix);

    out[0] = '\0';
    if (end > 0 && len > end && dt_str_equal_nocase(id->login + len - end, suffix))
        (void)!dt_str_copy_bytes(out, DT_LOGIN_MAX, dt_bytes_of(id->login, len - end));
}

/* No part can hold a blank. */
void dt_identity_key(dt_identity const *id, char out[DT_IDENTITY_KEY_MAX])
{
    char local[DT_USER_MAX];

    memcpy(local, id->local, sizeof(local));
    fold_text(local);
    snprintf(out, DT_IDENTITY_KEY_MAX, "%d %s %s %s", (int)id->kind, local, id->realm, id->login);
}

bool dt_identity_equal(dt_identity const *a, dt_identity const *b)
{
    return a->kind != DT_IDENTITY_NONE && a->kind == b->kind &&
           dt_str_equal_nocase(a->local, b->local) && strcmp(a->realm, b->realm) == 0 &&
           strcmp(a->login, b->login) == 0;
}
