/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of names that do not follow the rules of [user_name]: `asmith -> anna.smith@example.com`.
 * Sorted once, so that a look-up in the largest table takes 16 comparisons. */
#include "core/ruleset/identity_internal.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 1024
#define ARROW "->"

typedef struct entry {
    char *local, *realm, *login; /* one allocation, which begins at `local` */
    size_t line;
} entry;

struct dt_user_table {
    entry *entries;
    size_t count, room;
};

static int compare_names(char const *local, char const *realm, entry const *b)
{
    int order = strcmp(local, b->local);

    return order != 0 ? order : strcmp(realm, b->realm);
}

static int compare_entries(void const *a, void const *b)
{
    entry const *x = a, *y = b;
    int order = compare_names(x->local, x->realm, y);

    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int add(dt_user_table *t, char const *local, char const *realm, char const *login,
               size_t line)
{
    size_t a = strlen(local) + 1, b = strlen(realm) + 1, c = strlen(login) + 1;
    char *text;

    if (t->count == t->room) {
        size_t room = t->room == 0 ? 64 : 2 * t->room;
        entry *more = reallocarray(t->entries, room, sizeof(*more));

        if (more == NULL)
            return DT_E_NOMEM;
        t->entries = more;
        t->room = room;
    }
    text = malloc(a + b + c);
    if (text == NULL)
        return DT_E_NOMEM;
    memcpy(text, local, a);
    memcpy(text + a, realm, b);
    memcpy(text + a + b, login, c);
    t->entries[t->count++] =
        (entry){.local = text, .realm = text + a, .login = text + a + b, .line = line};
    /* cppcheck-suppress memleak -- the table owns it */
    return DT_OK;
}

static char *trim(char *s)
{
    dt_bytes trimmed = dt_bytes_trim(dt_bytes_str(s), " \t\r");
    size_t at = (size_t)(trimmed.p - (uint8_t const *)s);

    s[at + trimmed.len] = '\0';
    return s + at;
}

static int take_line(dt_config const *c, dt_user_table *t, dt_bytes text, size_t number,
                     dt_error *e)
{
    char line[LINE_BYTES], local[DT_USER_MAX], realm[DT_REALM_MAX], login[DT_LOGIN_MAX];
    char *at, *name;
    int rc;

    if (dt_str_copy_bytes(line, sizeof(line), text) < 0)
        return dt_error_set(e, DT_E_INVALID, "is longer than %d bytes, or contains a NUL",
                            LINE_BYTES - 1);
    name = trim(line);
    if (*name == '\0' || *name == '#')
        return DT_OK;
    at = strstr(name, ARROW);
    if (at == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "has no \"" ARROW "\"; use the form asmith " ARROW
                            " anna.smith@example.com");
    *at = '\0';
    rc = dt_user_name_read(c, trim(name), local, realm, e);
    if (rc == DT_OK)
        rc = dt_user_login_read(trim(at + sizeof(ARROW) - 1), login, e);
    if (rc < 0)
        return rc;
    if (t->count == DT_USER_TABLE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "is one too many; at most %d are allowed",
                            DT_USER_TABLE_MAX);
    rc = add(t, local, realm, login, number);
    return rc < 0 ? dt_error_set(e, rc, "out of memory") : DT_OK;
}

static int refuse_twice(dt_user_table const *t, char const *file, dt_error *e)
{
    for (size_t i = 1; i < t->count; i++) {
        entry const *a = &t->entries[i - 1], *b = &t->entries[i];

        if (compare_names(a->local, a->realm, b) == 0)
            return dt_error_set(e, DT_E_INVALID,
                                "%s:%zu: %s%s%s is already in line %zu; list each name once", file,
                                b->line, b->local, *b->realm != '\0' ? "@" : "", b->realm, a->line);
    }
    return DT_OK;
}

int dt_user_table_parse(dt_config const *c, char const *file, dt_bytes text, dt_user_table **out,
                        dt_error *e)
{
    dt_user_table *t = calloc(1, sizeof(*t));
    size_t line = 0;
    int rc = t != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "%s: out of memory", file);

    *out = NULL;
    while (rc == DT_OK && text.len > 0) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;

        rc = take_line(c, t, dt_bytes_of(text.p, len), ++line, e);
        if (rc < 0)
            dt_error_prefix(e, "%s:%zu", file, line);
        len += end != NULL ? 1 : 0;
        text = dt_bytes_of(text.p + len, text.len - len);
    }
    if (rc == DT_OK && t->count > 0) {
        qsort(t->entries, t->count, sizeof(*t->entries), compare_entries);
        rc = refuse_twice(t, file, e);
    }
    if (rc < 0)
        dt_user_table_free(&t);
    *out = t;
    return rc;
}

void dt_user_table_free(dt_user_table **t)
{
    if (*t == NULL)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        free((*t)->entries[i].local);
    free((*t)->entries);
    free(*t);
    *t = NULL;
}

size_t dt_user_table_count(dt_user_table const *t)
{
    return t != NULL ? t->count : 0;
}

char const *dt_user_table_find(dt_user_table const *t, char const *local, char const *realm)
{
    size_t low = 0, high = dt_user_table_count(t);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(local, realm, &t->entries[middle]);

        if (order == 0)
            return t->entries[middle].login;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
