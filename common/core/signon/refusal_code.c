/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/signon/refusal_code.h"

#include "core/signon/outcome.h"

#include <string.h>

#define DIGITS 8 /* of the code */
#define BITS 5   /* of a digit */
#define ID_DIGITS (DIGITS * BITS / 4)
#define MIDDLE (DIGITS / 2)

static char const digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void write_digits(char const values[DIGITS], char out[DT_REFUSAL_CODE_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < DIGITS; i++) {
        if (i == MIDDLE)
            out[n++] = '-';
        out[n++] = values[i];
    }
    out[n] = '\0';
}

void dt_refusal_code_make(char const *id, char out[DT_REFUSAL_CODE_MAX])
{
    static char const hex[] = "0123456789abcdef";
    char values[DIGITS];
    uint64_t bits = 0;

    out[0] = '\0';
    if (id == NULL || strlen(id) != DT_SIGNON_ID_LEN || strspn(id, hex) != DT_SIGNON_ID_LEN)
        return;
    for (size_t i = 0; i < ID_DIGITS; i++)
        bits = bits << 4 | (uint64_t)(strchr(hex, id[i]) - hex);
    for (size_t i = 0; i < DIGITS; i++)
        values[i] = digits[bits >> (BITS * (DIGITS - 1 - i)) & ((1u << BITS) - 1)];
    write_digits(values, out);
}

/* The digit that somebody meant; NUL when it is none. */
static char digit_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - ('a' - 'A'));
    if (c == 'I' || c == 'L')
        return '1';
    if (c == 'O')
        return '0';
    return c != '\0' && strchr(digits, c) != NULL ? c : '\0';
}

int dt_refusal_code_read(char const *text, char out[DT_REFUSAL_CODE_MAX])
{
    char values[DIGITS];
    size_t n = 0;

    out[0] = '\0';
    for (; *text != '\0'; text++) {
        char const c = digit_of(*text);

        if (*text == ' ' || *text == '-')
            continue;
        if (c == '\0' || n == DIGITS)
            return DT_E_PARSE;
        values[n++] = c;
    }
    if (n != DIGITS)
        return DT_E_PARSE;
    write_digits(values, out);
    return DT_OK;
}
