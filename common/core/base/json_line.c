/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line on which a JSON pointer's value begins: only where something is wrong with that value is
 * the text walked once more, so nothing has to be remembered while it is parsed. */
#include "core/base/json_reader.h"
#include "core/base/json_walk.h"

#include <string.h>

typedef dt_json_walk walk;

static bool at_end(walk const *w)
{
    return w->p >= w->end;
}

void dt_json_walk_blank(walk *w)
{
    while (dt_json_walk_at(w, ' ') || dt_json_walk_at(w, '\t') || dt_json_walk_at(w, '\r') ||
           dt_json_walk_at(w, '\n')) {
        w->line += *w->p == '\n';
        w->p++;
    }
}

dt_bytes dt_json_walk_string(walk *w)
{
    uint8_t const *first = ++w->p;

    while (!at_end(w) && *w->p != '"')
        w->p += *w->p == '\\' && w->end - w->p > 1 ? 2 : 1;
    if (at_end(w))
        return dt_bytes_of(first, 0);
    return dt_bytes_of(first, (size_t)(w->p++ - first));
}

void dt_json_walk_value(walk *w)
{
    size_t depth = 0;

    do {
        dt_json_walk_blank(w);
        if (dt_json_walk_at(w, '"')) {
            (void)dt_json_walk_string(w);
            continue;
        }
        if (dt_json_walk_at(w, '{') || dt_json_walk_at(w, '['))
            depth++;
        else if ((dt_json_walk_at(w, '}') || dt_json_walk_at(w, ']')) && depth > 0)
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

bool dt_json_walk_next(walk *w)
{
    dt_json_walk_value(w);
    dt_json_walk_blank(w);
    if (!dt_json_walk_at(w, ','))
        return false;
    w->p++;
    dt_json_walk_blank(w);
    return true;
}

bool dt_json_walk_name(walk *w, dt_bytes *name)
{
    if (!dt_json_walk_at(w, '"'))
        return false;
    *name = dt_json_walk_string(w);
    dt_json_walk_blank(w);
    if (!dt_json_walk_at(w, ':'))
        return false;
    w->p++;
    dt_json_walk_blank(w);
    return true;
}

/* From a "{" to the member's value. Names with escapes are not compared: none of ours has any. */
static bool enter_member(walk *w, char const *name)
{
    dt_bytes found;

    w->p++;
    dt_json_walk_blank(w);
    while (dt_json_walk_name(w, &found)) {
        if (dt_bytes_equal(found, dt_bytes_str(name)))
            return true;
        if (!dt_json_walk_next(w))
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
    dt_json_walk_blank(w);
    for (; n > 0; n--)
        if (!dt_json_walk_next(w))
            return false;
    return !dt_json_walk_at(w, ']');
}

size_t dt_json_line(dt_bytes text, char const *pointer)
{
    char token[DT_JSON_POINTER_MAX];
    size_t line;
    walk w;

    if (text.len == 0)
        return 0; /* also where there is no text at all */
    w = (walk){.p = text.p, .end = text.p + text.len, .line = 1};
    dt_json_walk_blank(&w);
    line = w.line;
    while (*pointer == '/' && token_take(&pointer, token, sizeof(token))) {
        bool found = dt_json_walk_at(&w, '{')
                         ? enter_member(&w, token)
                         : dt_json_walk_at(&w, '[') && enter_element(&w, token);
        if (!found || at_end(&w))
            break;
        line = w.line;
    }
    return line;
}
