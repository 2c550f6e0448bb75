/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The property list port by libplist. The one file that knows it. */
#include "core/base/plist.h"

#include <plist/plist.h>
#include <string.h>

static bool begins_with(dt_bytes text, char const *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.p, prefix, len) == 0;
}

bool dt_plist_is(dt_bytes text)
{
    return begins_with(text, "bplist00") || begins_with(text, "<?xml") ||
           begins_with(text, "<plist");
}

/* libplist goes down nested containers by recursion, so what it is given is bounded beforehand. */

/* How a tag changes the depth: containers open and close, all else stands still. */
static int depth_change(dt_bytes tag)
{
    if (begins_with(tag, "<dict") || begins_with(tag, "<array")) {
        uint8_t const *end = memchr(tag.p, '>', tag.len);
        return end != NULL && end[-1] == '/' ? 0 : 1;
    }
    return begins_with(tag, "</dict") || begins_with(tag, "</array") ? -1 : 0;
}

/* Entities of its own are refused: nothing honest brings any. */
static int check_xml(dt_bytes text, dt_error *e)
{
    int depth = 0;

    if (memchr(text.p, '\0', text.len) != NULL)
        return dt_error_set(e, DT_E_PARSE, "it contains a NUL");
    for (size_t i = 0; i < text.len; i++) {
        dt_bytes tag = dt_bytes_of(text.p + i, text.len - i);

        if (text.p[i] != '<')
            continue;
        if (begins_with(tag, "<!ENTITY"))
            return dt_error_set(e, DT_E_PARSE, "it defines an entity, which is not allowed");
        depth += depth_change(tag);
        if (depth > DT_PLIST_DEPTH_MAX)
            return dt_error_set(e, DT_E_LIMIT, "it is nested deeper than %d", DT_PLIST_DEPTH_MAX);
    }
    return DT_OK;
}

/* The trailer: 32 bytes, in which the number of objects is a big-endian number at byte 8. */
static int check_binary(dt_bytes text, dt_error *e)
{
    enum { HEADER = 8, TRAILER = 32, COUNT_AT = 8, COUNT_LEN = 8 };
    uint64_t objects = 0;

    if (text.len < HEADER + TRAILER)
        return dt_error_set(e, DT_E_PARSE, "it is truncated");
    for (size_t i = 0; i < COUNT_LEN; i++)
        objects = objects << 8 | text.p[text.len - TRAILER + COUNT_AT + i];
    if (objects > DT_PLIST_OBJECTS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "it contains more than %d objects",
                            DT_PLIST_OBJECTS_MAX);
    return DT_OK;
}

/* libplist hands out a pointer into its node, and has no way to wipe one. */
static void wipe_string(plist_t node)
{
    uint64_t len = 0;
    char const *text = plist_get_string_ptr(node, &len);

    if (text != NULL && len > 0)
        explicit_bzero((void *)(uintptr_t)text, len);
}

static int give_string(char const *key, plist_t node, dt_plist_string_fn *fn, void *ctx,
                       dt_error *e)
{
    uint64_t len = 0;
    char const *text = NULL;

    if (plist_get_node_type(node) == PLIST_STRING)
        text = plist_get_string_ptr(node, &len);
    if (text == NULL || strlen(text) != len)
        return dt_error_set(e, DT_E_PARSE, "%s is not a string, or contains a NUL", key);
    return fn(ctx, key, text);
}

/* Members are asked for by name: walking them with libplist ends the process at a key that holds a
 * NUL. All are looked at also after a failure, so that all are wiped. */
static int look_up(plist_t root, char const *const *keys, dt_plist_string_fn *fn, void *ctx,
                   dt_error *e)
{
    int rc = DT_OK;

    for (; *keys != NULL; keys++) {
        plist_t node = plist_dict_get_item(root, *keys);

        if (node == NULL)
            continue;
        if (rc == DT_OK)
            rc = give_string(*keys, node, fn, ctx, e);
        if (plist_get_node_type(node) == PLIST_STRING)
            wipe_string(node);
    }
    return rc;
}

int dt_plist_strings(dt_bytes text, char const *const *keys, dt_plist_string_fn *fn, void *ctx,
                     dt_error *e)
{
    bool binary = begins_with(text, "bplist00");
    plist_t root = NULL;
    int rc;

    if (text.len > DT_PLIST_MAX)
        return dt_error_set(e, DT_E_LIMIT, "it is larger than %d bytes", DT_PLIST_MAX);
    if (!dt_plist_is(text))
        return dt_error_set(e, DT_E_PARSE, "it is not a property list");
    rc = binary ? check_binary(text, e) : check_xml(text, e);
    if (rc < 0)
        return rc;
    if (binary)
        plist_from_bin((char const *)text.p, (uint32_t)text.len, &root);
    else
        plist_from_xml((char const *)text.p, (uint32_t)text.len, &root);
    if (root == NULL)
        return dt_error_set(e, DT_E_PARSE, "it is not a complete property list");
    if (plist_get_node_type(root) != PLIST_DICT)
        rc = dt_error_set(e, DT_E_PARSE, "its root is not a dictionary");
    else
        rc = look_up(root, keys, fn, ctx, e);
    plist_free(root);
    return rc;
}
