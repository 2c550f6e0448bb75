/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers of devices, in the one form in which two of them are compared. */
#include "core/device/hardware_serial.h"

#include <string.h>

#define SERIAL_LEN_MIN 4

/* One character all along, or such runs with dots and the like between: zeros, ones, "xxxx". A host may
 * well be called by one letter. */
static bool is_one_character(char const *word)
{
    char only = '\0';

    if (word[0] != '\0' && word[0] != '0' && word[1] == '\0')
        return false;

    for (; *word != '\0'; word++) {
        if (strchr("-:._{} ", *word) != NULL)
            continue;
        if (only != '\0' && *word != only)
            return false;
        only = *word;
    }
    return true;
}

bool dt_identifies_nothing(char const *word)
{
    /* As they look in upper case, once blanks and dashes are out. */
    static char const *const words[] = {"TOBEFILLEDBYO.E.M.",
                                        "DEFAULTSTRING",
                                        "SYSTEMSERIALNUMBER",
                                        "NOTSPECIFIED",
                                        "NOTAPPLICABLE",
                                        "NONE",
                                        "UNKNOWN",
                                        "INVALID",
                                        "TOBEFILLEDBYOEM",
                                        "TOBEFILLEDBYO.E.M",
                                        "NOTAVAILABLE",
                                        "N/A",
                                        "NA",
                                        "NULL",
                                        "EMPTY",
                                        "DEFAULT",
                                        "OEM",
                                        "O.E.M.",
                                        "SERIAL",
                                        "SERIALNUMBER",
                                        "BASEBOARDSERIALNUMBER",
                                        "ASSETTAG",
                                        "LOCALHOST",
                                        "LOCALHOST.LOCALDOMAIN",
                                        "UNDEFINED",
                                        "CHASSISSERIALNUMBER",
                                        "123456789",
                                        "0123456789",
                                        "1234567890"};
    char plain[DT_HARDWARE_SERIAL_MAX];
    size_t n = 0;

    if (word[0] == '\0' || is_one_character(word))
        return true;
    for (char const *w = word; *w != '\0'; w++) {
        if (*w == ' ' || *w == '-' || *w == '_')
            continue;
        if (n + 1 == sizeof(plain))
            return false; /* longer than any of these */
        plain[n++] = (char)(*w >= 'a' && *w <= 'z' ? *w - 'a' + 'A' : *w);
    }
    plain[n] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(plain, words[i]) == 0)
            return true;
    return false;
}

bool dt_mac_identifies_nothing(char const mac[DT_VPN_MAC_TEXT])
{
    /* Of adapters that software makes, the same on every computer: Windows' dial-up, PPPoE and PPTP, the
     * adapters of Cisco's VPN clients; and of examples. */
    static char const *const constants[] = {"444553545442", "444553540000", "005345000000",
                                            "00059a3c7800", "00059a3c7a00", "00a0c6000000",
                                            "001122334455", "8000600fe800"};
    /* Of the first octet (IEEE 802, clause 8.2) the lowest bit says that a group is meant, the next one
     * that the address was made up where it is used: for a container, a guest, a network, a moment. */
    bool universal = strchr("048c", mac[1]) != NULL;

    if (mac[0] == '\0' || !universal || is_one_character(mac))
        return true;
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        if (strcmp(mac, constants[i]) == 0)
            return true;
    return false;
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
    if (fine && n >= SERIAL_LEN_MIN && !dt_identifies_nothing(out))
        return true;
    out[0] = '\0';
    return false;
}
