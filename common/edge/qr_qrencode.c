/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QR port with libqrencode. */
#include "core/base/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <string.h>

/* True for a dark module. The margin and what is beyond it are light. */
static bool is_dark(QRcode const *code, int x, int y)
{
    x -= DT_QR_MARGIN;
    y -= DT_QR_MARGIN;
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1) != 0;
}

static void draw(QRcode const *code, dt_buf *out)
{
    /* By whether the upper module is dark, and whether the lower one is. */
    static char const *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    int side = code->width + 2 * DT_QR_MARGIN;

    for (int y = 0; y < side; y += 2) {
        for (int x = 0; x < side; x++) {
            /* Below the last row of an odd number there is no module to draw. */
            bool lower = y + 1 >= side || is_dark(code, x, y + 1);

            dt_buf_puts(out, blocks[is_dark(code, x, y)][lower]);
        }
        dt_buf_puts(out, "\n");
    }
}

int dt_qr_draw(char const *text, size_t columns, dt_buf *out)
{
    size_t before = out->len;
    QRcode *code;
    int rc = DT_OK;

    if (text[0] == '\0')
        return DT_E_INVALID;
    if (strlen(text) > DT_QR_TEXT_MAX)
        return DT_E_LIMIT;
    errno = 0;
    /* The least correction makes the smallest code: a screen has no scratches. */
    code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (code == NULL)
        return errno == ERANGE ? DT_E_LIMIT : DT_E_NOMEM;
    if ((size_t)code->width + 2 * DT_QR_MARGIN > columns) {
        rc = DT_E_LIMIT;
    } else {
        draw(code, out);
        rc = dt_buf_error(out);
    }
    QRcode_free(code);
    if (rc < 0)
        dt_buf_truncate(out, before);
    return rc;
}
