/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers of devices, in the one form in which two of them are compared. */
#include "core/hardware_serial.h"

#include <string.h>

#define SERIAL_LEN_MIN 4

static bool is_placeholder(char const *serial)
{
    /* As they look once blanks and dashes are out. */
    static char const *const words[] = {"TOBEFILLEDBYO.E.M.",
                                        "DEFAULTSTRING",
                                        "SYSTEMSERIALNUMBER",
                                        "NOTSPECIFIED",
                                        "NOTAPPLICABLE",
                                        "NONE",
                                        "UNKNOWN",
                                        "INVALID",
                                        "CHASSISSERIALNUMBER",
                                        "123456789",
                                        "0123456789",
                                        "1234567890"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(serial, words[i]) == 0)
            return true;
    return serial[strspn(serial, (char const[]){serial[0], '\0'})] == '\0';
}

bool dt_hardware_serial(dt_bytes text, char out[DT_HARDWARE_SERIAL_MAX])
{
    size_t n = 0;
    bool fine = true;
    for (size_t i = 0; i < text.len && fine; i++) {
        char ch = (char)text.p[i];
        if (ch == ' ' || ch == '-')
            continue;
        if (ch >= 'a' && ch <= 'z')
            ch = (char)(ch - 'a' + 'A');
        fine = ch > ' ' && ch < 0x7f && ch != ':' && n + 1 < DT_HARDWARE_SERIAL_MAX;
        if (fine)
            out[n++] = ch;
    }
    out[n] = '\0';
    if (fine && n >= SERIAL_LEN_MIN && !is_placeholder(out))
        return true;
    out[0] = '\0';
    return false;
}
