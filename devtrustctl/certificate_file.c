/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the certificates in files that an administrator names. The files may come from anywhere, so
 * what is read is bounded, and only the certificates' judgement counts. */
#include "devtrustctl/certificate_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN_MAX 200 /* as much of a path as a message repeats */
#define LABEL_MAX 64  /* longest label of a PEM block */
#define PATH_BYTES_MAX 4096
#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* --- PEM -------------------------------------------------------------------------------------- */

typedef struct pem_reader {
    dt_bytes rest;
    size_t line;           /* of the one read last, from 1 */
    char label[LABEL_MAX]; /* of the open block; "" outside */
    size_t opened;         /* the line of its BEGIN */
    dt_buf base64;         /* its lines, joined */
    size_t certificates;
    dt_certificate_fn *fn;
    void *ctx;
    dt_error *e;
} pem_reader;

static int set_line_error(pem_reader *r, char const *why)
{
    return dt_error_set(r->e, DT_E_PARSE, "line %zu: %s", r->line, why);
}

/* The next line without its end and without blanks after it. */
static dt_bytes next_line(pem_reader *r)
{
    uint8_t const *end = memchr(r->rest.p, '\n', r->rest.len);
    size_t len = end != NULL ? (size_t)(end - r->rest.p) : r->rest.len;
    size_t used = end != NULL ? len + 1 : len;
    dt_bytes line = dt_bytes_of(r->rest.p, len);

    r->rest = dt_bytes_of(r->rest.p + used, r->rest.len - used);
    r->line++;
    while (line.len > 0 && (line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t' ||
                            line.p[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* "-----BEGIN LABEL-----" */
static bool is_boundary(dt_bytes line, char const *kind, char label[LABEL_MAX])
{
    size_t head = strlen(kind), tail = sizeof(DASHES) - 1;

    if (line.len <= head + tail || memcmp(line.p, kind, head) != 0 ||
        memcmp(line.p + line.len - tail, DASHES, tail) != 0)
        return false;
    return dt_str_copy_bytes(label, LABEL_MAX,
                             dt_bytes_of(line.p + head, line.len - head - tail)) == DT_OK;
}

static bool starts_with(dt_bytes line, char const *text)
{
    size_t len = strlen(text);

    return line.len >= len && memcmp(line.p, text, len) == 0;
}

static int give_certificate(pem_reader *r)
{
    dt_buf der;
    int rc;

    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    rc = dt_base64_decode(&der, dt_buf_bytes(&r->base64));
    if (rc == DT_OK && der.len == 0)
        rc = DT_E_PARSE;
    if (rc == DT_OK)
        rc = r->fn(r->ctx, ++r->certificates, dt_buf_bytes(&der));
    else if (rc == DT_E_PARSE)
        rc = set_line_error(r, "the certificate that ends here is not base64");
    else
        rc = dt_error_set(r->e, rc, "line %zu: the certificate that ends here is too large",
                          r->line);
    dt_buf_free(&der);
    return rc;
}

static int close_block(pem_reader *r, char const *label)
{
    bool certificate = strcmp(r->label, "CERTIFICATE") == 0;

    if (strcmp(label, r->label) != 0)
        return set_line_error(r, "END with another label than BEGIN");
    r->label[0] = '\0';
    return certificate ? give_certificate(r) : DT_OK;
}

static int read_line(pem_reader *r, dt_bytes line)
{
    char label[LABEL_MAX];

    if (is_boundary(line, BEGIN, label)) {
        if (r->label[0] != '\0')
            return set_line_error(r, "BEGIN before the END of the block above");
        memcpy(r->label, label, sizeof(label));
        r->opened = r->line;
        dt_buf_reset(&r->base64);
        return DT_OK;
    }
    if (is_boundary(line, END, label))
        return r->label[0] != '\0' ? close_block(r, label)
                                   : set_line_error(r, "END without a BEGIN");
    /* A certificate after a garbled line would be missing without a word. */
    if (starts_with(line, "-----"))
        return set_line_error(r, "a malformed BEGIN or END");
    if (r->label[0] == '\0' || strcmp(r->label, "CERTIFICATE") != 0)
        return DT_OK;
    dt_buf_put(&r->base64, line.p, line.len);
    if (dt_buf_error(&r->base64) < 0)
        return dt_error_set(r->e, DT_E_LIMIT, "line %zu: the certificate is too large", r->opened);
    return DT_OK;
}

static int each_pem(dt_bytes text, dt_certificate_fn *fn, void *ctx, dt_error *e)
{
    pem_reader r = {.rest = text, .fn = fn, .ctx = ctx, .e = e};
    int rc = DT_OK;

    dt_buf_init(&r.base64, 2 * DT_CERTIFICATE_MAX);
    while (rc == DT_OK && r.rest.len > 0)
        rc = read_line(&r, next_line(&r));
    dt_buf_free(&r.base64);
    if (rc == DT_OK && r.label[0] != '\0')
        return dt_error_set(e, DT_E_PARSE, "the block that begins on line %zu has no END",
                            r.opened);
    if (rc == DT_OK && r.certificates == 0)
        return dt_error_set(e, DT_E_PARSE, "contains no certificate, neither in PEM nor in DER");
    return rc;
}

/* A certificate in DER is a SEQUENCE whose length needs more than one byte (X.690 section 8.1.3). */
static bool is_der(dt_bytes text)
{
    return text.len > 2 && text.p[0] == 0x30 && text.p[1] >= 0x81 && text.p[1] <= 0x84;
}

int dt_certificates_each(dt_bytes text, dt_certificate_fn *fn, void *ctx, dt_error *e)
{
    if (!is_der(text))
        return each_pem(text, fn, ctx, e);
    if (text.len > DT_CERTIFICATE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "is larger than the %d bytes of a certificate",
                            DT_CERTIFICATE_MAX);
    return fn(ctx, 1, text);
}

/* --- files ------------------------------------------------------------------------------------ */

static int fail_errno(dt_error *e, char const *path)
{
    char shown[SHOWN_MAX];

    return dt_error_set(e, errno == ENOENT ? DT_E_NOT_FOUND : DT_E_IO, "%s: %s",
                        dt_str_escape(shown, sizeof(shown), path), strerror(errno));
}

static int read_all(int fd, char const *path, dt_buf *out, dt_error *e)
{
    uint8_t chunk[16384];
    char shown[SHOWN_MAX];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(e, path);
        if (n == 0)
            return DT_OK;
        dt_buf_put(out, chunk, (size_t)n);
        if (dt_buf_error(out) < 0)
            return dt_error_set(e, dt_buf_error(out), "%s is larger than %zu bytes",
                                dt_str_escape(shown, sizeof(shown), path), out->max);
    }
}

int dt_plain_file_read(char const *path, dt_buf *out, dt_error *e)
{
    char shown[SHOWN_MAX];
    struct stat st;
    int rc;
    /* O_NONBLOCK: a FIFO without a writer must not hold us up. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return fail_errno(e, path);
    if (fstat(fd, &st) != 0)
        rc = fail_errno(e, path);
    else if (!S_ISREG(st.st_mode))
        rc = dt_error_set(e, DT_E_INVALID, "%s is not a regular file",
                          dt_str_escape(shown, sizeof(shown), path));
    else
        rc = read_all(fd, path, out, e);
    close(fd);
    return rc;
}

int dt_certificate_file_each(char const *path, dt_certificate_fn *fn, void *ctx, dt_error *e)
{
    char shown[SHOWN_MAX];
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_CERTIFICATE_FILE_MAX);
    rc = dt_plain_file_read(path, &text, e);
    if (rc == DT_OK) {
        rc = dt_certificates_each(dt_buf_bytes(&text), fn, ctx, e);
        if (rc < 0 && e != NULL && e->code != 0)
            (void)dt_error_prefix(e, "%s", dt_str_escape(shown, sizeof(shown), path));
    }
    dt_buf_free(&text);
    return rc;
}

#define STOP 1

static int keep_first(void *ctx, size_t index, dt_bytes der)
{
    (void)index;
    dt_buf_put(ctx, der.p, der.len);
    return STOP;
}

int dt_certificate_file_first(char const *path, dt_buf *der, dt_error *e)
{
    int rc = dt_certificate_file_each(path, keep_first, der, e);

    if (rc == STOP)
        rc = dt_buf_error(der);
    if (rc < 0 && e != NULL && e->code == 0)
        (void)dt_error_set(e, rc, "%s", dt_err_name(rc));
    return rc;
}

/* --- folders ---------------------------------------------------------------------------------- */

bool dt_path_is_folder(char const *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_certificate_ending(char const *name)
{
    static char const *const endings[] = {".pem", ".crt", ".cer", ".der"};
    char const *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (dt_str_equal_nocase(dot, endings[i]))
            return true;
    }
    return false;
}

static int add_path(dt_folder *f, size_t *room, char const *folder, char const *name, dt_error *e)
{
    char path[PATH_BYTES_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

    if (n < 0 || (size_t)n >= sizeof(path) || f->count >= DT_CERTIFICATE_FOLDER_MAX)
        return dt_error_set(e, DT_E_LIMIT,
                            "contains more than %d files, or names that are too long",
                            DT_CERTIFICATE_FOLDER_MAX);
    if (f->count == *room) {
        size_t more = *room == 0 ? 64 : 2 * *room;
        char **paths = reallocarray(f->paths, more, sizeof(*paths));
        if (paths == NULL)
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
        f->paths = paths;
        *room = more;
    }
    f->paths[f->count] = strdup(path);
    if (f->paths[f->count] == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    f->count++;
    return DT_OK;
}

static int compare_paths(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dt_folder_list(char const *path, dt_folder *out, dt_error *e)
{
    char shown[SHOWN_MAX];
    size_t room = 0;
    struct dirent *entry;
    int rc = DT_OK;
    DIR *d = opendir(path);

    *out = (dt_folder){0};
    if (d == NULL)
        return fail_errno(e, path);
    /* cppcheck-suppress readdirCalled */
    while (rc == DT_OK && (errno = 0, entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (has_certificate_ending(entry->d_name) && entry->d_type != DT_DIR)
            rc = add_path(out, &room, path, entry->d_name, e);
        else
            out->passed_over++;
    }
    if (rc == DT_OK && errno != 0)
        rc = fail_errno(e, path);
    else if (rc < 0)
        (void)dt_error_prefix(e, "%s", dt_str_escape(shown, sizeof(shown), path));
    closedir(d);
    if (rc < 0) {
        dt_folder_free(out);
        return rc;
    }
    if (out->count > 0)
        qsort(out->paths, out->count, sizeof(*out->paths), compare_paths);
    return DT_OK;
}

void dt_folder_free(dt_folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->paths[i]);
    free(f->paths);
    *f = (dt_folder){0};
}
