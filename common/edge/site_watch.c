/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks of a site's files. Every file becomes a few lines of text, and the hash of all lines is the
 * mark. Secrets' files are among them: their content is hashed and wiped. */
#include "edge/file.h"
#include "edge/site_watch.h"

#include "edge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX (4 * 1024 * 1024) /* of all files: some hundreds of a few hundred bytes each */
#define READ_PIECE (256 * 1024)

typedef struct marking {
    dt_buf lines;
    bool content;
} marking;

bool dt_site_mark_equal(dt_site_mark const *a, dt_site_mark const *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* --- one file --------------------------------------------------------------------------------- */

static void put_stat(marking *m, struct stat const *st)
{
    dt_buf_printf(&m->lines, " %llu %llu %o %u %u %lld %lld.%09ld %lld.%09ld",
                  (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
                  (unsigned)st->st_mode, (unsigned)st->st_uid, (unsigned)st->st_gid,
                  (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                  (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static int read_all(int fd, dt_buf *out)
{
    uint8_t *piece = malloc(READ_PIECE);
    ssize_t n = piece != NULL ? 1 : -1;

    while (n > 0) {
        do
            n = read(fd, piece, READ_PIECE);
        while (n < 0 && errno == EINTR);
        if (n > 0)
            dt_buf_put(out, piece, (size_t)n);
        if (dt_buf_error(out) < 0)
            n = -1;
    }
    if (piece != NULL)
        explicit_bzero(piece, READ_PIECE);
    free(piece);
    return n < 0 ? DT_E_IO : DT_OK;
}

/* The hash of what is in it. False when that cannot be said. */
static bool put_content(marking *m, int fd)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    dt_buf text;
    bool ok;

    dt_buf_init(&text, DT_SITE_WATCH_FILE_MAX);
    ok = read_all(fd, &text) == DT_OK && dt_crypto_sha256(dt_buf_bytes(&text), digest) == DT_OK;
    dt_buf_free(&text);
    if (!ok)
        return false;
    dt_hex(hex, digest, sizeof(digest));
    dt_buf_putc(&m->lines, ' ');
    dt_buf_puts(&m->lines, hex);
    return true;
}

static void put_read(marking *m, char const *path, struct stat const *st)
{
    /* O_NONBLOCK: whoever puts a FIFO there must not hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || !put_content(m, fd))
        put_stat(m, st);
    if (fd >= 0)
        close(fd);
}

static void put_file(marking *m, char const *path)
{
    char located[DT_FILE_PATH_MAX];
    struct stat st;

    if (*path == '\0')
        return;
    dt_file_locate(path, located);
    path = located;
    dt_buf_puts(&m->lines, path);
    if (lstat(path, &st) != 0)
        dt_buf_printf(&m->lines, " missing %d", errno);
    else if (m->content && S_ISREG(st.st_mode))
        put_read(m, path, &st);
    else
        put_stat(m, &st);
    dt_buf_putc(&m->lines, '\n');
}

/* --- all files -------------------------------------------------------------------------------- */

static void put_policies(marking *m, char const *directory)
{
    char *names[DT_SITE_POLICIES_MAX];
    size_t count = 0;
    dt_error e = {0};
    int rc = dt_site_list_policies(directory, names, &count, &e);

    if (rc < 0)
        dt_buf_printf(&m->lines, "%s unreadable %d\n", directory, rc);
    for (size_t i = 0; i < count; i++) {
        dt_buf path;

        dt_buf_init(&path, DT_CONFIG_VALUE_MAX + 512);
        dt_buf_printf(&path, "%s/%s", directory, names[i]);
        if (dt_buf_error(&path) == DT_OK)
            put_file(m, (char const *)path.p);
        dt_buf_free(&path);
        free(names[i]);
    }
}

static void put_ca_files(marking *m, dt_config const *c)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);

    for (size_t i = 0; i < c->ca_count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (keys[k].type == DT_CONFIG_PATH)
                put_file(m, dt_config_text(c->cas[i], &keys[k]));
        }
    }
}

static void put_nas_files(marking *m, dt_config const *c)
{
    for (size_t i = 0; i < c->nas_count; i++)
        put_file(m, c->nases[i]->secret_file);
}

/* The table knows which keys name files: one that is added is watched as well. */
static void put_files(marking *m, char const *config_path, dt_config const *c)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    put_file(m, config_path);
    for (size_t i = 0; i < count; i++) {
        if (keys[i].type != DT_CONFIG_PATH || !keys[i].reloadable)
            continue;
        if (strcmp(keys[i].section, "policy") == 0 && strcmp(keys[i].name, "directory") == 0)
            put_policies(m, dt_config_text(c, &keys[i]));
        else
            put_file(m, dt_config_text(c, &keys[i]));
    }
    put_ca_files(m, c);
    put_nas_files(m, c);
}

static int make_mark(char const *config_path, dt_config const *c, bool content, dt_site_mark *out)
{
    marking m = {.content = content};
    int rc;

    dt_buf_init(&m.lines, LINES_MAX);
    put_files(&m, config_path, c);
    rc = dt_buf_error(&m.lines);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(&m.lines), out->bytes);
    dt_buf_free(&m.lines);
    return rc;
}

int dt_site_mark_stat(char const *config_path, dt_config const *c, dt_site_mark *out)
{
    return make_mark(config_path, c, false, out);
}

int dt_site_mark_content(char const *config_path, dt_config const *c, dt_site_mark *out)
{
    return make_mark(config_path, c, true, out);
}
