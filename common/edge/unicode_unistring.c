/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Unicode port with GNU libunistring. */
#include "core/base/unicode.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>
#include <uniwidth.h>

static bool may_stand(ucs4_t c)
{
    if (c < 0x80)
        return true;
    return uc_tolower(c) == c &&
           (uc_is_general_category(c, UC_CATEGORY_L) || uc_is_general_category(c, UC_CATEGORY_M) ||
            uc_is_general_category(c, UC_CATEGORY_Nd));
}

/* The first character at or after the byte `at` that is not of ASCII: those are in their normal form, and
 * only what follows makes another of them. 0 where there is none. */
static ucs4_t foreign_after(dt_bytes text, size_t at)
{
    ucs4_t c = 0;

    for (size_t i = 0; i < text.len;) {
        int n = u8_mbtoucr(&c, text.p + i, text.len - i);

        i += (size_t)n;
        if (c >= 0x80 && i > at)
            return c;
    }
    return 0;
}

static int check_characters(dt_bytes text, uint32_t *bad)
{
    ucs4_t c;

    for (size_t i = 0; i < text.len;) {
        int n = u8_mbtoucr(&c, text.p + i, text.len - i);

        if (n <= 0)
            return DT_E_PARSE;
        if (!may_stand(c)) {
            *bad = c;
            return DT_E_INVALID;
        }
        i += (size_t)n;
    }
    return DT_OK;
}

/* Its normal form must be the text itself. */
static int check_form(dt_bytes text, uint32_t *bad)
{
    uint8_t form[4 * DT_UNICODE_TEXT_MAX];
    size_t len = sizeof(form), same = 0;
    /* Gives `form`, or memory of its own where that is too small. */
    uint8_t *made = u8_normalize(UNINORM_NFKC, text.p, text.len, form, &len);

    if (made == NULL)
        return DT_E_NOMEM;
    while (made == form && same < len && same < text.len && form[same] == text.p[same])
        same++;
    if (made != form) {
        free(made);
        return DT_E_LIMIT;
    }
    if (same == len && same == text.len)
        return DT_OK;
    *bad = foreign_after(text, same);
    return DT_E_INVALID;
}

int dt_unicode_check(dt_bytes text, uint32_t *bad)
{
    int rc;

    *bad = 0;
    if (text.len > DT_UNICODE_TEXT_MAX)
        return DT_E_LIMIT;
    rc = check_characters(text, bad);
    return rc < 0 ? rc : check_form(text, bad);
}

unsigned dt_unicode_columns(uint32_t point)
{
    int const width = uc_width(point, "UTF-8");

    return width < 0 ? 0 : (unsigned)width;
}
