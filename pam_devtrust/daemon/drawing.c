/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts for the person, and links that are drawn as QR codes, where the terminal is known and has room. A drawing is
 * information like any other, of whole lines, in as many packets as it takes. */
#include "pam_devtrust/daemon/daemon.h"

#include "core/base/qr.h"

#include <string.h>

/* sshd knows no terminal while it authenticates. With qr_code = always this one is supposed, which most have. */
static dt_terminal const supposed = {.columns = 80, .rows = 24, .utf8 = true};

dt_terminal dt_terminal_of(dt_message const *m, dt_config const *config, bool sshd)
{
    dt_qr_code wanted = config != NULL ? config->mfa.qr_code : DT_QR_CODE_NEVER;

    if (wanted == DT_QR_CODE_NEVER)
        return (dt_terminal){0};
    if (m->columns == 0 && sshd && wanted == DT_QR_CODE_ALWAYS)
        return supposed;
    return (dt_terminal){.columns = m->columns, .rows = m->rows, .utf8 = m->utf8 != 0};
}

bool dt_conn_send_text(dt_conn *c, dt_prompt_style style, char const *text)
{
    char wrapped[DT_PROMPT_TEXT_MAX];
    dt_message m = {
        .type = DT_MESSAGE_PROMPT, .number = ++c->number, .style = style, .text = wrapped};

    if (dt_str_copy(wrapped, sizeof(wrapped), text) < 0)
        return false;
    dt_text_wrap(wrapped);
    return dt_message_send(c->fd, &m) == DT_OK;
}

static size_t count_lines(char const *text)
{
    size_t lines = 1;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* Code and address of the text must be seen together with the drawing. The module may have to show the first words of
 * a prompt once more, below it. */
static bool has_room(dt_terminal const *t, char const *drawing, char const *text)
{
    char wrapped[DT_PROMPT_TEXT_MAX];

    if (dt_str_copy(wrapped, sizeof(wrapped), text) < 0)
        return false;
    dt_text_wrap(wrapped);
    return count_lines(drawing) + count_lines(wrapped) <= t->rows;
}

/* The last newline of the first DT_PROTOCOL_TEXT_MAX bytes; a line has fewer. */
static char *last_line_end(char *text)
{
    char *end = text + strnlen(text, DT_PROTOCOL_TEXT_MAX + 1) - 1;

    while (end > text && *end != '\n')
        end--;
    return end;
}

static bool send_lines(dt_conn *c, char *drawing)
{
    while (*drawing != '\0') {
        char *end = last_line_end(drawing);

        if (end == drawing)
            return false;
        *end = '\0';
        if (!dt_conn_send_text(c, DT_PROMPT_INFO, drawing))
            return false;
        drawing = end + 1;
    }
    return true;
}

bool dt_conn_draw(dt_conn *c, char const *link, char const *text)
{
    char drawing[DT_DAEMON_DRAWING_MAX];
    dt_buf b;

    if (c->drawn || link[0] == '\0' || !c->terminal.utf8 || c->terminal.columns == 0)
        return true;
    dt_buf_init_fixed(&b, drawing, sizeof(drawing));
    /* What cannot be drawn is in the text as well. */
    if (dt_qr_draw(link, c->terminal.columns, &b) < 0 || !has_room(&c->terminal, drawing, text))
        return true;
    c->drawn = true;
    return send_lines(c, drawing);
}
