/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON port by jansson. The one file that knows it: a dt_json is a json_t by another name. */
#include "core/base/json.h"
#include "core/base/utf8.h"

#include <jansson.h>
#include <string.h>

/* jansson reads through a non-const pointer in some getters; none of those used here writes. */
static json_t *value_of(dt_json const *v)
{
    return (json_t *)(uintptr_t)v;
}

static dt_json const *borrowed(json_t const *v)
{
    return (dt_json const *)(void const *)v;
}

/* Bounds nesting and the number of arrays and objects before anything is allocated. Strings are
 * skipped; bad syntax is jansson's to find. */
static int check_size(dt_bytes text, dt_error *e)
{
    size_t depth = 0, containers = 0;
    size_t most = DT_JSON_CONTAINERS_FREE + text.len / DT_JSON_CONTAINER_BYTES;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if ((c == ']' || c == '}') && depth > 0)
            depth--;
        if (c != '[' && c != '{')
            continue;
        if (++depth > DT_JSON_DEPTH_MAX)
            return dt_error_set(e, DT_E_LIMIT, "JSON nested deeper than %d", DT_JSON_DEPTH_MAX);
        if (++containers > most)
            return dt_error_set(e, DT_E_LIMIT, "JSON with more than %zu arrays and objects", most);
    }
    return DT_OK;
}

/* jansson's text without the piece of the input that it quotes, which may be part of a secret. */
static int parse_failed(json_error_t *error, dt_error *e)
{
    /* Where an allocation failed most of jansson says nothing at all. */
    if (error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory)
        return dt_error_set(e, DT_E_NOMEM, "out of memory while reading JSON");
    char *quoted = strstr(error->text, " near '");
    if (quoted != NULL)
        *quoted = '\0';
    char what[sizeof(error->text)];
    return dt_error_set(e, DT_E_PARSE, "line %d, column %d: %s", error->line, error->column,
                        dt_str_escape(what, sizeof(what), error->text));
}

int dt_json_parse(dt_bytes text, dt_json **out, dt_error *e)
{
    *out = NULL;
    if (text.len == 0)
        return dt_error_set(e, DT_E_PARSE, "line 1, column 1: not JSON: the text is empty");
    char const *encoding = dt_text_encoding_fault(text);
    if (encoding != NULL)
        return dt_error_set(e, DT_E_PARSE, "line 1, column 1: %s", encoding);
    int rc = check_size(text, e);
    if (rc != DT_OK)
        return rc;
    json_error_t error;
    json_t *root = json_loadb((char const *)text.p, text.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL)
        return parse_failed(&error, e);
    *out = (dt_json *)(void *)root;
    return DT_OK;
}

void dt_json_free(dt_json **root)
{
    if (root == NULL || *root == NULL)
        return;
    json_decref(value_of(*root));
    *root = NULL;
}

/* Recursion ends at DT_JSON_DEPTH_MAX, which the parser enforced. */
static void wipe_strings(json_t *v)
{
    if (json_is_string(v))
        explicit_bzero((void *)(uintptr_t)json_string_value(v), json_string_length(v));
    for (size_t i = 0; i < json_array_size(v); i++)
        wipe_strings(json_array_get(v, i));
    for (void *m = json_object_iter(v); m != NULL; m = json_object_iter_next(v, m))
        wipe_strings(json_object_iter_value(m));
}

void dt_json_free_wiped(dt_json **root)
{
    if (root == NULL || *root == NULL)
        return;
    wipe_strings(value_of(*root));
    dt_json_free(root);
}

dt_json_type dt_json_typeof(dt_json const *v)
{
    if (v == NULL)
        return DT_JSON_NONE;
    switch (json_typeof(value_of(v))) {
    case JSON_NULL:
        return DT_JSON_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return DT_JSON_BOOL;
    case JSON_INTEGER:
        return DT_JSON_INTEGER;
    case JSON_REAL:
        return DT_JSON_REAL;
    case JSON_STRING:
        return DT_JSON_STRING;
    case JSON_ARRAY:
        return DT_JSON_ARRAY;
    case JSON_OBJECT:
        return DT_JSON_OBJECT;
    default:
        return DT_JSON_NONE;
    }
}

dt_json const *dt_json_get(dt_json const *v, char const *name)
{
    return borrowed(json_object_get(value_of(v), name));
}

dt_json const *dt_json_path(dt_json const *v, ...)
{
    va_list names;
    va_start(names, v);
    for (char const *name = va_arg(names, char const *); name != NULL && v != NULL;
         name = va_arg(names, char const *))
        v = dt_json_get(v, name);
    va_end(names);
    return v;
}

size_t dt_json_size(dt_json const *v)
{
    json_t *value = value_of(v);
    return json_is_object(value) ? json_object_size(value) : json_array_size(value);
}

dt_json const *dt_json_at(dt_json const *v, size_t i)
{
    return borrowed(json_array_get(value_of(v), i));
}

dt_json const *dt_json_member(dt_json const *v, size_t i, char const **name)
{
    json_t *object = value_of(v);
    *name = NULL;
    if (i >= json_object_size(object))
        return NULL;
    void *member = json_object_iter(object);
    while (member != NULL && i-- > 0)
        member = json_object_iter_next(object, member);
    if (member == NULL)
        return NULL;
    *name = json_object_iter_key(member);
    return borrowed(json_object_iter_value(member));
}

char const *dt_json_string(dt_json const *v)
{
    return json_string_value(value_of(v));
}

bool dt_json_integer(dt_json const *v, int64_t *out)
{
    if (!json_is_integer(value_of(v)))
        return false;
    *out = json_integer_value(value_of(v));
    return true;
}

bool dt_json_bool(dt_json const *v, bool *out)
{
    if (!json_is_boolean(value_of(v)))
        return false;
    *out = json_is_true(value_of(v));
    return true;
}

static int append(char const *text, size_t len, void *ctx)
{
    dt_buf *b = ctx;
    dt_buf_put(b, text, len);
    return dt_buf_error(b) == DT_OK ? 0 : -1;
}

void dt_json_put_value(dt_buf *b, dt_json const *v, unsigned indent)
{
    size_t flags = JSON_ENCODE_ANY | (indent > 0 ? JSON_INDENT(indent) : JSON_COMPACT);
    /* Only what does not fit can fail, and that sticks to the buffer; but for memory of its own. */
    if (v == NULL || (json_dump_callback(value_of(v), append, b, flags) != 0 && b->error == 0))
        b->error = DT_E_NOMEM;
}
