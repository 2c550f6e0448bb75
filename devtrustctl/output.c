/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place where devtrustctl prints. */
#include "devtrustctl/ctl.h"

#include "devtrustctl/fold.h"

#include "core/base/json.h"
#include "core/signon/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ESCAPED_MAX 4 /* what a byte becomes at most */
#define COLUMNS_USUAL 80
#define COLUMNS_MIN 20 /* a narrower terminal breaks lines by itself */
#define COLUMNS_MAX 10000
#define INDENT "    " /* of what goes on on another line */

static void put_line(FILE *to, char const *prefix, dt_bytes text)
{
    dt_buf line;

    dt_buf_init(&line, strlen(prefix) + ESCAPED_MAX * text.len);
    dt_buf_puts(&line, prefix);
    dt_buf_put_escaped(&line, text);
    if (line.len > 0)
        (void)fwrite(line.p, 1, line.len, to);
    (void)fputc('\n', to);
    dt_buf_free(&line);
}

static void put_formatted(FILE *to, char const *prefix, char const *fmt, va_list args)
    DT_PRINTF(3, 0);
static void put_formatted(FILE *to, char const *prefix, char const *fmt, va_list args)
{
    char text[DT_CTL_LINE_MAX];

    if (vsnprintf(text, sizeof(text), fmt, args) >= 0)
        put_line(to, prefix, dt_bytes_str(text));
}

void dt_out_line(char const *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_formatted(stdout, "", fmt, args);
    va_end(args);
}

void dt_out_coloured(int colour, char const *head, char const *fmt, ...)
{
    va_list args;

    if (colour != 0)
        (void)printf("\033[%dm%s\033[0m", colour, head);
    va_start(args, fmt);
    put_formatted(stdout, colour != 0 ? "" : head, fmt, args);
    va_end(args);
}

void dt_out_buf(dt_buf const *b)
{
    put_line(stdout, "", dt_buf_bytes(b));
}

size_t dt_out_columns(void)
{
    char const *text = getenv("COLUMNS");
    struct winsize size = {0};
    size_t n = 0;

    if (isatty(STDOUT_FILENO) != 1)
        return 0;
    for (; text != NULL && *text >= '0' && *text <= '9' && n <= COLUMNS_MAX; text++)
        n = 10 * n + (size_t)(*text - '0');
    if ((text == NULL || *text != '\0' || n == 0) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        n = size.ws_col;
    if (n == 0)
        n = COLUMNS_USUAL;
    return n < COLUMNS_MIN ? COLUMNS_MIN : n > COLUMNS_MAX ? COLUMNS_MAX : n;
}

void dt_out_folded(dt_buf const *b)
{
    size_t const columns = dt_out_columns();
    dt_bytes rest;
    dt_buf safe;

    if (columns == 0) {
        dt_out_buf(b);
        return;
    }
    dt_buf_init(&safe, ESCAPED_MAX * b->len);
    dt_buf_put_escaped(&safe, dt_buf_bytes(b)); /* what is escaped takes up more columns */
    rest = dt_buf_bytes(&safe);
    for (bool first = true; first || rest.len > 0; first = false) {
        size_t next = 0;
        size_t const indent = first ? 0 : sizeof(INDENT) - 1;
        size_t const n = rest.len > 0 ? dt_fold(rest, columns - indent, &next) : 0;

        put_line(stdout, first ? "" : INDENT, dt_bytes_of(rest.p, n));
        rest = dt_bytes_of(rest.p + next, rest.len - next);
    }
    dt_buf_free(&safe);
}

void dt_err_line(char const *fmt, ...)
{
    va_list args;

    /* What was printed before stays before, also where both go to one place. */
    (void)fflush(stdout);
    dt_err_progress_end();
    va_start(args, fmt);
    put_formatted(stderr, "devtrustctl: ", fmt, args);
    va_end(args);
}

static bool progress_is_open;

bool dt_err_progress(int64_t done, int64_t total, char const *what)
{
    static char const full[] = "########################################";
    int const width = (int)sizeof(full) - 1;

    if (isatty(STDERR_FILENO) != 1)
        return false;
    if (total > 0) {
        int64_t part = done >= total ? width : done * width / total;
        (void)fprintf(stderr, "\r[%-*.*s] %lld of %lld %s ", width, (int)part, full,
                      (long long)done, (long long)total, what);
    } else {
        (void)fprintf(stderr, "\r%lld %s ", (long long)done, what);
    }
    (void)fflush(stderr);
    progress_is_open = true;
    return true;
}

void dt_err_progress_end(void)
{
    if (progress_is_open)
        (void)fputc('\n', stderr);
    progress_is_open = false;
}

dt_ctl_exit dt_err_fault(dt_error const *e)
{
    dt_err_line("%s", e->text[0] != '\0' ? e->text : dt_err_name(e->code));
    return DT_CTL_FAULT;
}

dt_ctl_exit dt_err_usage(dt_ctl_command const *self, dt_error const *e)
{
    dt_err_line("%s: %s; see: devtrustctl help %s", self->name, e->text, self->name);
    return DT_CTL_FAULT;
}

void dt_out_begin(dt_buf *b)
{
    dt_buf_init(b, DT_CTL_LINE_MAX);
    dt_buf_putc(b, '{');
}

static void put_name(dt_buf *b, char const *name)
{
    dt_buf_puts(b, b->len > 0 && b->p[b->len - 1] != '{' ? "," : "");
    dt_json_put_string(b, name);
    dt_buf_putc(b, ':');
}

void dt_out_member(dt_buf *b, char const *name, char const *text)
{
    put_name(b, name);
    dt_json_put_string(b, text);
}

void dt_out_member_int(dt_buf *b, char const *name, int64_t value)
{
    put_name(b, name);
    dt_buf_put_int(b, value);
}

void dt_out_member_bool(dt_buf *b, char const *name, bool value)
{
    put_name(b, name);
    dt_buf_puts(b, value ? "true" : "false");
}

void dt_out_finish(dt_buf *b)
{
    dt_buf_putc(b, '}');
    dt_out_buf(b);
    dt_buf_free(b);
}

void dt_out_object(dt_out_text const *members)
{
    dt_buf b;

    dt_out_begin(&b);
    for (; members->name != NULL; members++) {
        if (members->text != NULL)
            dt_out_member(&b, members->name, members->text);
    }
    dt_out_finish(&b);
}

dt_ctl_exit dt_out_end(dt_ctl_exit x)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return x;
    dt_err_line("the output could not be written: %s", strerror(errno));
    return DT_CTL_FAULT;
}

char *dt_day_text(char out[DT_DAY_TEXT_MAX], dt_time t)
{
    char full[25];

    if (t == DT_TIME_NEVER) {
        memcpy(out, "never", sizeof("never"));
        return out;
    }
    dt_time_format(full, t);
    memcpy(out, full, 10);
    out[10] = '\0';
    return out;
}
