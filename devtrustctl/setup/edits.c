/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/edits.h"

#include "core/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define DIFF_CELLS_MAX (8 * 1024 * 1024) /* beyond it the middle of a file is shown as replaced */
#define AROUND 3                         /* lines shown beside a change */

void dt_node_init(dt_node *n)
{
    memset(n, 0, sizeof(*n));
    dt_buf_init(&n->content, DT_EDIT_FILE_MAX);
}

void dt_node_free(dt_node *n)
{
    dt_buf_free(&n->content);
    n->type = DT_NODE_ABSENT;
}

static int digest_of(dt_node const *n, char out[65])
{
    uint8_t digest[DT_SHA256_LEN];
    int rc = DT_OK;

    if (n->digest[0] != '\0') {
        memcpy(out, n->digest, sizeof(n->digest));
        return DT_OK;
    }
    rc = dt_crypto_sha256(dt_buf_bytes(&n->content), digest);
    if (rc == DT_OK)
        dt_hex(out, digest, sizeof(digest));
    return rc;
}

int dt_node_forget(dt_node *n)
{
    char digest[65];
    int rc = digest_of(n, digest);

    if (rc == DT_OK && n->type != DT_NODE_ABSENT) {
        memcpy(n->digest, digest, sizeof(digest));
        dt_buf_free(&n->content);
    }
    return rc;
}

static bool same_content(dt_node const *a, dt_node const *b)
{
    char da[65], db[65];

    if (a->digest[0] == '\0' && b->digest[0] == '\0')
        return dt_bytes_equal(dt_buf_bytes(&a->content), dt_buf_bytes(&b->content));
    return digest_of(a, da) == DT_OK && digest_of(b, db) == DT_OK && strcmp(da, db) == 0;
}

bool dt_node_equal(dt_node const *a, dt_node const *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == DT_NODE_ABSENT)
        return true;
    if (!same_content(a, b))
        return false;
    return (a->type == DT_NODE_LINK || a->mode == b->mode) && a->uid == b->uid && a->gid == b->gid;
}

int dt_node_copy(dt_node *to, dt_node const *from)
{
    dt_buf_reset(&to->content);
    dt_buf_put(&to->content, from->content.p, from->content.len);
    to->type = from->type;
    to->mode = from->mode;
    to->uid = from->uid;
    to->gid = from->gid;
    memcpy(to->digest, from->digest, sizeof(to->digest));
    return dt_buf_error(&to->content);
}

int dt_edits_init(dt_edits *l, dt_error *e)
{
    l->count = 0;
    l->items = calloc(DT_EDITS_MAX, sizeof(*l->items));
    return l->items != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");
}

void dt_edits_free(dt_edits *l)
{
    for (size_t i = 0; l->items != NULL && i < l->count; i++) {
        dt_node_free(&l->items[i].before);
        dt_node_free(&l->items[i].after);
    }
    free(l->items);
    l->items = NULL;
    l->count = 0;
}

dt_edit *dt_edits_find(dt_edits const *l, char const *path)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].path, path) == 0)
            return &l->items[i];
    }
    return NULL;
}

dt_edit *dt_edits_add(dt_edits *l, char const *path)
{
    dt_edit *edit = l->count < DT_EDITS_MAX ? &l->items[l->count] : NULL;

    if (edit == NULL || dt_str_copy(edit->path, sizeof(edit->path), path) < 0)
        return NULL;
    dt_node_init(&edit->before);
    dt_node_init(&edit->after);
    l->count++;
    return edit;
}

void dt_edits_drop_equal(dt_edits *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (dt_node_equal(&l->items[i].before, &l->items[i].after)) {
            dt_node_free(&l->items[i].before);
            dt_node_free(&l->items[i].after);
        } else {
            l->items[kept++] = l->items[i];
        }
    }
    l->count = kept;
}

/* --- diff ------------------------------------------------------------------------------------- */

typedef struct lines {
    dt_bytes *items;
    size_t count;
} lines;

static bool split(dt_bytes text, lines *out)
{
    size_t room = 1;

    for (size_t i = 0; i < text.len; i++)
        room += text.p[i] == '\n';
    out->items = calloc(room, sizeof(*out->items));
    out->count = 0;
    while (out->items != NULL && text.len > 0) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;

        out->items[out->count++] = dt_bytes_of(text.p, len);
        len += end != NULL;
        text = dt_bytes_of(text.p + len, text.len - len);
    }
    return out->items != NULL;
}

/* For each line whether it stays: by the longest common subsequence of what lies between `head` equal lines at the
 * start and `tail` at the end. */
static void mark_common(lines const *a, lines const *b, size_t head, size_t tail, bool *stays_a,
                        bool *stays_b)
{
    size_t n = a->count - head - tail, m = b->count - head - tail, i = 0, j = 0;
    uint32_t *t;

    if (n == 0 || m == 0 || (n + 1) > DIFF_CELLS_MAX / (m + 1) ||
        (t = calloc((n + 1) * (m + 1), sizeof(*t))) == NULL)
        return;
    for (i = n; i-- > 0;) {
        for (j = m; j-- > 0;) {
            uint32_t down = t[(i + 1) * (m + 1) + j], right = t[i * (m + 1) + j + 1];
            t[i * (m + 1) + j] = dt_bytes_equal(a->items[head + i], b->items[head + j])
                                     ? t[(i + 1) * (m + 1) + j + 1] + 1
                                     : (down > right ? down : right);
        }
    }
    for (i = j = 0; i < n && j < m;) {
        if (dt_bytes_equal(a->items[head + i], b->items[head + j]))
            stays_a[head + i++] = stays_b[head + j++] = true;
        else if (t[(i + 1) * (m + 1) + j] >= t[i * (m + 1) + j + 1])
            i++;
        else
            j++;
    }
    free(t);
}

static void mark_all(lines const *a, lines const *b, bool *stays_a, bool *stays_b)
{
    size_t head = 0, tail = 0;

    while (head < a->count && head < b->count && dt_bytes_equal(a->items[head], b->items[head])) {
        stays_a[head] = stays_b[head] = true;
        head++;
    }
    while (tail < a->count - head && tail < b->count - head &&
           dt_bytes_equal(a->items[a->count - tail - 1], b->items[b->count - tail - 1])) {
        stays_a[a->count - tail - 1] = stays_b[b->count - tail - 1] = true;
        tail++;
    }
    mark_common(a, b, head, tail, stays_a, stays_b);
}

static void put_marked(dt_buf *out, char mark, dt_bytes line)
{
    dt_buf_putc(out, mark);
    dt_buf_put(out, line.p, line.len);
    dt_buf_putc(out, '\n');
}

/* Whether a change is within `AROUND` lines of line i of a. */
static bool is_near(size_t i, bool const *near, size_t count)
{
    size_t from = i > AROUND ? i - AROUND : 0;

    for (size_t k = from; k <= i + AROUND && k < count; k++) {
        if (near[k])
            return true;
    }
    return false;
}

/* near[i]: something changes at line i of a. */
static void put_changes(dt_buf *out, lines const *a, lines const *b, bool const *stays_a,
                        bool const *stays_b, bool *near)
{
    size_t i = 0, j = 0;
    bool shown = true;

    for (; i < a->count || j < b->count; i++, j++) {
        while (i < a->count && !stays_a[i])
            near[i++] = true;
        if (j < b->count && !stays_b[j])
            near[i] = true;
        while (j < b->count && !stays_b[j])
            j++;
        if (i >= a->count)
            break;
    }
    for (i = j = 0; i < a->count || j < b->count;) {
        if (i < a->count && !stays_a[i]) {
            put_marked(out, '-', a->items[i++]);
        } else if (j < b->count && !stays_b[j]) {
            put_marked(out, '+', b->items[j++]);
        } else {
            bool is = is_near(i, near, a->count + 1);
            if (is && !shown)
                dt_buf_printf(out, "@@ -%zu +%zu @@\n", i + 1, j + 1);
            if (is)
                put_marked(out, ' ', a->items[i]);
            shown = is;
            i++;
            j++;
        }
    }
}

void dt_diff_put(dt_buf *out, char const *path, dt_bytes before, dt_bytes after)
{
    lines a = {0}, b = {0};
    bool *flags = NULL;

    dt_buf_printf(out, "--- %s\n+++ %s\n", before.len > 0 ? path : "/dev/null",
                  after.len > 0 ? path : "/dev/null");
    if (split(before, &a) && split(after, &b))
        flags = calloc(2 * a.count + b.count + 1, sizeof(*flags));
    if (flags != NULL) {
        mark_all(&a, &b, flags, flags + a.count);
        put_changes(out, &a, &b, flags, flags + a.count, flags + a.count + b.count);
    }
    free(flags);
    free(a.items);
    free(b.items);
}
