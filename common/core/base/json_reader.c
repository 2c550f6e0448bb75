/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict reading of the JSON files that an administrator writes. */
#include "core/base/json_reader.h"

#include <stdio.h>
#include <string.h>

#define DT_SHOWN_MAX 80       /* of a member's name in a pointer */
#define DT_WORDS_TEXT_MAX 400 /* of the list of accepted words in a message */
#define DT_FIELDS_MAX 16      /* most members of any object that is read here */

void dt_json_reader_init(dt_json_reader *r, dt_json_source const *source, dt_error *e)
{
    memset(r, 0, sizeof(*r));
    r->source = *source;
    r->e = e;
}

/* "file:line#pointer: ", the pointer as a fragment, RFC 6901 section 6, so that the root shows as
 * well. */
static void put_place(dt_json_reader const *r, dt_buf *b)
{
    size_t line = dt_json_line(r->source.text, r->pointer);

    dt_buf_puts(b, r->source.file);
    if (line > 0) {
        dt_buf_putc(b, ':');
        dt_buf_put_int(b, (int64_t)line);
    }
    dt_buf_putc(b, '#');
    dt_buf_puts(b, r->pointer);
    dt_buf_puts(b, ": ");
}

int dt_json_reader_fail(dt_json_reader *r, char const *fmt, ...)
{
    char text[DT_ERROR_TEXT_MAX], shown[DT_ERROR_TEXT_MAX], place[DT_ERROR_TEXT_MAX];
    dt_buf b = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dt_buf_init_fixed(&b, place, sizeof(place));
    put_place(r, &b);
    return dt_error_set(r->e, DT_E_INVALID, "%s%s", place,
                        dt_str_escape(shown, sizeof(shown), text));
}

void dt_json_reader_warning(dt_json_reader const *r, char out[DT_ERROR_TEXT_MAX], char const *fmt,
                            ...)
{
    char text[DT_ERROR_TEXT_MAX];
    dt_buf b;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dt_buf_init_fixed(&b, out, DT_ERROR_TEXT_MAX);
    put_place(r, &b);
    dt_buf_put_escaped(&b, dt_bytes_str(text));
}

int dt_json_reader_nomem(dt_json_reader *r)
{
    return dt_error_set(r->e, DT_E_NOMEM, "%s: out of memory", r->source.file);
}

/* --- where we are ------------------------------------------------------------------------------ */

size_t dt_json_reader_enter(dt_json_reader *r, char const *member)
{
    char shown[DT_SHOWN_MAX];
    size_t mark = r->len;
    dt_buf b;

    dt_buf_init_fixed(&b, r->pointer + r->len, sizeof(r->pointer) - r->len);
    dt_buf_putc(&b, '/');
    for (char const *s = dt_str_escape(shown, sizeof(shown), member); *s != '\0'; s++) {
        /* RFC 6901 section 3 */
        if (*s == '~' || *s == '/')
            dt_buf_puts(&b, *s == '~' ? "~0" : "~1");
        else
            dt_buf_putc(&b, *s);
    }
    if (dt_buf_error(&b) == DT_OK)
        r->len += b.len;
    r->pointer[r->len] = '\0';
    return mark;
}

size_t dt_json_reader_enter_at(dt_json_reader *r, size_t index)
{
    char name[24];
    (void)snprintf(name, sizeof(name), "%zu", index);
    return dt_json_reader_enter(r, name);
}

void dt_json_reader_leave(dt_json_reader *r, size_t mark)
{
    r->len = mark;
    r->pointer[mark] = '\0';
}

int dt_json_reader_keep(dt_json_reader *r, size_t mark, int rc)
{
    dt_json_reader_leave(r, mark);
    return dt_faults_keep(r->source.faults, r->e, rc);
}

size_t dt_json_reader_faults(dt_json_reader const *r)
{
    return dt_faults_count(r->source.faults);
}

int dt_json_reader_end(dt_json_reader const *r, size_t before, int rc)
{
    return dt_faults_end(r->source.faults, before, rc);
}

/* --- what a value must be ---------------------------------------------------------------------- */

static char const *type_name(dt_json const *v)
{
    static char const *const names[] = {"missing",    "null",     "a boolean", "an integer",
                                        "a fraction", "a string", "an array",  "an object"};
    dt_json_type t = dt_json_typeof(v);
    return (size_t)t < sizeof(names) / sizeof(names[0]) ? names[t] : "unknown";
}

static bool is_field(dt_json_field const *fields, char const *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return true;
    return false;
}

static int fail_unknown_member(dt_json_reader *r, char const *name, dt_json_field const *fields)
{
    char words[DT_WORDS_TEXT_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, words, sizeof(words));
    for (dt_json_field const *f = fields; f->name != NULL; f++) {
        dt_buf_puts(&b, f == fields ? "" : ", ");
        dt_buf_puts(&b, f->name);
    }
    return dt_json_reader_fail(r, "unknown member \"%.80s\"; known members: %s", name, words);
}

/* Looks at no more members than the fields and one: the parser refuses duplicates, so among more
 * members than fields is one that is not known. */
static int refuse_unknown_members(dt_json_reader *r, dt_json const *v, dt_json_field const *fields)
{
    size_t n = dt_json_size(v);
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < n && i <= DT_FIELDS_MAX; i++) {
        char const *name = NULL;
        (void)dt_json_member(v, i, &name);
        if (name != NULL && !is_field(fields, name))
            rc = dt_json_reader_keep(r, r->len, fail_unknown_member(r, name, fields));
    }
    return rc;
}

int dt_json_reader_object(dt_json_reader *r, dt_json const *v, dt_json_field const *fields)
{
    size_t before;
    int rc;

    if (dt_json_typeof(v) != DT_JSON_OBJECT)
        return dt_json_reader_fail(r, "must be an object, not %s", type_name(v));
    rc = refuse_unknown_members(r, v, fields);
    before = dt_json_reader_faults(r);
    for (dt_json_field const *f = fields; rc == DT_OK && f->name != NULL; f++)
        if (f->required && dt_json_get(v, f->name) == NULL)
            rc = dt_json_reader_keep(r, r->len,
                                     dt_json_reader_fail(r, "member \"%s\" is missing", f->name));
    return dt_json_reader_end(r, before, rc);
}

int dt_json_reader_array(dt_json_reader *r, dt_json const *v, size_t min, size_t max)
{
    size_t n = dt_json_size(v);
    if (dt_json_typeof(v) != DT_JSON_ARRAY)
        return dt_json_reader_fail(r, "must be an array, not %s", type_name(v));
    if (n < min)
        return dt_json_reader_fail(r, "must have at least %zu element%s", min, min == 1 ? "" : "s");
    if (n > max)
        return dt_json_reader_fail(r, "has %zu elements, at most %zu are allowed", n, max);
    return DT_OK;
}

int dt_json_reader_text(dt_json_reader *r, dt_json const *v, size_t max, char const **out)
{
    char const *s = dt_json_string(v);
    size_t len;

    if (s == NULL)
        return dt_json_reader_fail(r, "must be a string, not %s", type_name(v));
    len = strlen(s);
    if (len == 0 || len >= max)
        return dt_json_reader_fail(r, "must have 1 to %zu bytes, has %zu", max - 1, len);
    if (s[0] == ' ' || s[len - 1] == ' ')
        return dt_json_reader_fail(r, "must not begin or end with a space");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return dt_json_reader_fail(r, "must not contain control characters");
    *out = s;
    return DT_OK;
}

int dt_json_reader_word(dt_json_reader *r, dt_json const *v, dt_config_word const *words, int *out)
{
    char const *s = dt_json_string(v);
    char known[DT_WORDS_TEXT_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, known, sizeof(known));
    for (dt_config_word const *w = words; w->word != NULL; w++) {
        if (s != NULL && strcmp(s, w->word) == 0) {
            *out = w->value;
            return DT_OK;
        }
        dt_buf_puts(&b, w == words ? "" : ", ");
        dt_buf_puts(&b, w->word);
    }
    if (s == NULL)
        return dt_json_reader_fail(r, "must be one of %s; found %s", known, type_name(v));
    return dt_json_reader_fail(r, "must be one of %s; found \"%.80s\"", known, s);
}

int dt_json_reader_member_text(dt_json_reader *r, dt_json const *v, char const *member, size_t max,
                               char const **out)
{
    dt_json const *m = dt_json_get(v, member);
    size_t mark;
    int rc;

    if (m == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(r, member);
    rc = dt_json_reader_text(r, m, max, out);
    dt_json_reader_leave(r, mark);
    return rc;
}

int dt_json_reader_member_word(dt_json_reader *r, dt_json const *v, char const *member,
                               dt_config_word const *words, int *out)
{
    dt_json const *m = dt_json_get(v, member);
    size_t mark;
    int rc;

    if (m == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(r, member);
    rc = dt_json_reader_word(r, m, words, out);
    dt_json_reader_leave(r, mark);
    return rc;
}
