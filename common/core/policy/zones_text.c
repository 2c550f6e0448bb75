/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones from the text of their file. A tree of a million networks is ten times as large as the text,
 * and there is one at each reload, in each process: so the long lists are cut out, what is left is
 * parsed as ever, and the lists are parsed some thousand networks at a time. Every byte goes through
 * the JSON parser once, so nothing is taken that the whole text would be refused for. Where anything
 * at all is wrong the whole text is read again in the plain way, which knows the line and the words. */
#include "core/policy/zones_text.h"

#include "core/base/json_walk.h"

#include <stdlib.h>

#define PIECE_BYTES (64 * 1024) /* of a list, parsed at a time; one value may be longer */

/* --- a list in pieces -------------------------------------------------------------------------- */

static int piece_read(dt_buf *piece, dt_bytes values, int (*take)(void *, dt_json const *),
                      void *ctx)
{
    dt_json *tree = NULL;
    int rc;

    dt_buf_reset(piece);
    dt_buf_putc(piece, '[');
    dt_buf_put(piece, values.p, values.len);
    dt_buf_putc(piece, ']');
    rc = dt_buf_error(piece);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(piece), &tree, NULL);
    if (rc == DT_OK && dt_json_size(tree) == 0)
        rc = DT_E_PARSE; /* after a comma, or there is no list */
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(tree); i++)
        rc = take(ctx, dt_json_at(tree, i));
    dt_json_free(&tree);
    return rc;
}

int dt_zone_cut_read(dt_bytes list, int (*take)(void *ctx, dt_json const *v), void *ctx)
{
    dt_json_walk w = {.p = list.p, .end = list.p + list.len};
    dt_buf piece;
    bool more = true;
    int rc = DT_OK;

    dt_buf_init(&piece, list.len + 2);
    while (rc == DT_OK && more) {
        uint8_t const *first = w.p;
        do
            more = dt_json_walk_next(&w);
        while (more && w.p - first < PIECE_BYTES);
        /* Without the comma, which the walk went past with the blanks after it. */
        size_t len = (size_t)(w.p - first);
        while (more && len > 0 && first[len - 1] != ',')
            len--;
        rc = piece_read(&piece, dt_bytes_of(first, more ? len - 1 : len), take, ctx);
    }
    dt_buf_free(&piece);
    return rc != DT_OK || w.p == w.end ? rc : DT_E_PARSE;
}

/* --- cutting the lists out --------------------------------------------------------------------- */

/* What is left of the text, with the lists empty. */
typedef struct cutter {
    dt_json_walk w;
    dt_zone_cuts *cuts;
    dt_buf rest;
    uint8_t const *copied; /* up to here */
} cutter;

/* At the "[" of a zone's networks: goes past them. */
static void list_cut(cutter *c, size_t zone)
{
    uint8_t const *first = c->w.p + 1, *last;

    dt_json_walk_value(&c->w);
    last = c->w.p - 1;
    if (last <= first || *last != ']')
        return; /* empty, or no list: left to the parser */
    dt_buf_put(&c->rest, c->copied, (size_t)(first - c->copied));
    c->copied = last;
    c->cuts->lists[zone] = dt_bytes_of(first, (size_t)(last - first));
}

/* After the comma; false at the end of what ends with `close`, the walk then after that, and where
 * the text is wrong. */
static bool more_in(cutter *c, char close)
{
    dt_json_walk_blank(&c->w);
    if (!dt_json_walk_at(&c->w, ',')) {
        if (dt_json_walk_at(&c->w, close))
            c->w.p++;
        return false;
    }
    c->w.p++;
    dt_json_walk_blank(&c->w);
    return true;
}

/* Past the value that begins here; of an object, the lists that are called `name` are handed to `at`.
 * Where the text is wrong it stops somewhere, and the parser finds what is wrong. */
static void members_walk(cutter *c, char const *name, void (*at)(cutter *, size_t), size_t index)
{
    dt_bytes found;

    if (!dt_json_walk_at(&c->w, '{')) {
        dt_json_walk_value(&c->w);
        return;
    }
    c->w.p++;
    dt_json_walk_blank(&c->w);
    do {
        if (!dt_json_walk_name(&c->w, &found))
            return;
        if (dt_json_walk_at(&c->w, '[') && dt_bytes_equal(found, dt_bytes_str(name)))
            at(c, index);
        else
            dt_json_walk_value(&c->w);
    } while (more_in(c, '}'));
}

/* At the "[" of the zones; a second time, too, in a text that will be refused for that. */
static void zones_walk(cutter *c, size_t unused)
{
    (void)unused;
    c->w.p++;
    dt_json_walk_blank(&c->w);
    for (bool more = true; more && c->cuts->zones < DT_ZONES_MAX; more = more_in(c, ']'))
        members_walk(c, "gateways", list_cut, c->cuts->zones++);
}

static int cut_parse(dt_json_source const *source, dt_zone_cuts *cuts, dt_zones **out)
{
    dt_json_source left = {.file = source->file};
    cutter c = {.cuts = cuts, .copied = source->text.p};
    dt_json *root = NULL;
    int rc;

    c.w = (dt_json_walk){.p = source->text.p, .end = source->text.p + source->text.len};
    dt_buf_init(&c.rest, source->text.len);
    dt_json_walk_blank(&c.w);
    members_walk(&c, "zones", zones_walk, 0);
    dt_buf_put(&c.rest, c.copied, (size_t)(c.w.end - c.copied));
    rc = dt_buf_error(&c.rest);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&c.rest), &root, NULL);
    dt_buf_free(&c.rest);
    if (rc == DT_OK)
        rc = dt_zones_compile(root, &left, cuts, out, NULL);
    dt_json_free(&root);
    return rc;
}

int dt_zones_parse_cut(dt_json_source const *source, dt_zones **out)
{
    dt_zone_cuts *cuts = calloc(1, sizeof(*cuts));
    int rc = DT_E_NOMEM;

    *out = NULL;
    if (source->text.len == 0)
        rc = DT_E_PARSE; /* also where there is no text at all */
    else if (cuts != NULL)
        rc = cut_parse(source, cuts, out);
    free(cuts);
    return rc;
}

/* --- the file ---------------------------------------------------------------------------------- */

static int whole_parse(dt_json_source const *source, dt_zones **out, dt_error *e)
{
    dt_json *root = NULL;
    int rc = dt_json_parse(source->text, &root, e);

    if (rc != DT_OK)
        dt_error_prefix(e, "%s", source->file);
    else
        rc = dt_zones_compile(root, source, NULL, out, e);
    dt_json_free(&root);
    return rc;
}

int dt_zones_parse_text(dt_json_source const *source, dt_zones **out, dt_error *e)
{
    return dt_zones_parse_cut(source, out) == DT_OK ? DT_OK : whole_parse(source, out, e);
}
