/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line on which a JSON pointer's value begins: only where something is wrong with that value is
 * the text walked once more, so nothing has to be remembered while it is parsed. */
#include "core/json_reader.h"

#include <string.h>

typedef struct walk {
    uint8_t const *p, *end;
    size_t line;
} walk;

static bool at_end(walk const *w)
{
    return w->p >= w->end;
}

static bool is_at(walk const *w, char c)
{
    return !at_end(w) && *w->p == (uint8_t)c;
}

static void skip_blank(walk *w)
{
    while (is_at(w, ' ') || is_at(w, '\t') || is_at(w, '\r') || is_at(w, '\n')) {
        w->line += *w->p == '\n';
        w->p++;
    }
}

/* Past a string that begins here. Gives its raw content without the quotes. */
static dt_bytes skip_string(walk *w)
{
    uint8_t const *first = ++w->p;

    while (!at_end(w) && *w->p != '"')
        w->p += *w->p == '\\' && w->end - w->p > 1 ? 2 : 1;
    if (at_end(w))
        return dt_bytes_of(first, 0);
    return dt_bytes_of(first, (size_t)(w->p++ - first));
}

/* Past a whole value: brackets are counted, for the text is known to be JSON. */
static void skip_value(walk *w)
{
    size_t depth = 0;

    do {
        skip_blank(w);
        if (is_at(w, '"')) {
            (void)skip_string(w);
            continue;
        }
        if (is_at(w, '{') || is_at(w, '['))
            depth++;
        else if ((is_at(w, '}') || is_at(w, ']')) && depth > 0)
            depth--;
        if (!at_end(w))
            w->p++;
    } while (!at_end(w) && (depth > 0 || strchr(",}] \t\r\n", *w->p) == NULL));
}

/* One token of a pointer, RFC 6901 section 3; false when it is too long for any member we know. */
static bool token_take(char const **pointer, char *out, size_t size)
{
    size_t n = 0;
    char const *p = *pointer + 1;

    for (; *p != '\0' && *p != '/'; p++) {
        char c = *p;
        if (c == '~' && (p[1] == '0' || p[1] == '1'))
            c = *++p == '0' ? '~' : '/';
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    *pointer = p;
    return true;
}

/* Behind the comma, when there is one. */
static bool next_item(walk *w)
{
    skip_value(w);
    skip_blank(w);
    if (!is_at(w, ','))
        return false;
    w->p++;
    skip_blank(w);
    return true;
}

/* From a "{" to the member's value. Names with escapes are not compared: none of ours has any. */
static bool enter_member(walk *w, char const *name)
{
    w->p++;
    skip_blank(w);
    while (is_at(w, '"')) {
        dt_bytes found = skip_string(w);
        skip_blank(w);
        if (!is_at(w, ':'))
            return false;
        w->p++;
        skip_blank(w);
        if (dt_bytes_equal(found, dt_bytes_str(name)))
            return true;
        if (!next_item(w))
            return false;
    }
    return false;
}

/* From a "[" to the element. */
static bool enter_element(walk *w, char const *index)
{
    size_t n = 0;

    for (; *index >= '0' && *index <= '9' && n < SIZE_MAX / 16; index++)
        n = n * 10 + (size_t)(*index - '0');
    w->p++;
    skip_blank(w);
    for (; n > 0; n--)
        if (!next_item(w))
            return false;
    return !is_at(w, ']');
}

size_t dt_json_line(dt_bytes text, char const *pointer)
{
    walk w = {.p = text.p, .end = text.p + text.len, .line = 1};
    char token[DT_JSON_POINTER_MAX];
    size_t line;

    if (text.len == 0)
        return 0;
    skip_blank(&w);
    line = w.line;
    while (*pointer == '/' && token_take(&pointer, token, sizeof(token))) {
        bool found =
            is_at(&w, '{') ? enter_member(&w, token) : is_at(&w, '[') && enter_element(&w, token);
        if (!found || at_end(&w))
            break;
        line = w.line;
    }
    return line;
}
