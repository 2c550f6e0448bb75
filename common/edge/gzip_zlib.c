/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed files by zlib. */
#include "edge/gzip_zlib.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct dt_gzip {
    gzFile file;
    bool begun;
};

int dt_gzip_open(int fd, dt_gzip **out, dt_error *e)
{
    dt_gzip *g = calloc(1, sizeof(*g));

    *out = NULL;
    if (g != NULL)
        g->file = gzdopen(fd, "rb");
    if (g == NULL || g->file == NULL) {
        close(fd);
        free(g);
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    *out = g;
    return DT_OK;
}

static int fail(dt_gzip *g, dt_error *e)
{
    int number = 0;
    char const *text = gzerror(g->file, &number);

    if (number == Z_ERRNO)
        return dt_error_set(e, DT_E_IO, "%s", strerror(errno));
    if (number == Z_BUF_ERROR)
        return dt_error_set(e, DT_E_PARSE, "the compressed file ends too early");
    return dt_error_set(e, DT_E_PARSE, "the compressed file is damaged: %s", text);
}

int dt_gzip_read(dt_gzip *g, void *into, size_t max, dt_error *e)
{
    int n = gzread(g->file, into, max > INT_MAX ? INT_MAX : (unsigned)max), number = Z_OK;

    /* zlib hands on as it is what is not compressed. */
    if (!g->begun && n > 0 && gzdirect(g->file) != 0)
        return dt_error_set(e, DT_E_PARSE, "it is not compressed by gzip");
    g->begun = true;
    (void)gzerror(g->file, &number);
    return n < 0 || (n == 0 && number != Z_OK) ? fail(g, e) : n;
}

void dt_gzip_free(dt_gzip **g)
{
    if (*g == NULL)
        return;
    (void)gzclose((*g)->file);
    free(*g);
    *g = NULL;
}
