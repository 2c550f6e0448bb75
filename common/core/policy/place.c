/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One form for the many ways in which stations and servers are written. See place.h. */
#include "core/policy/place.h"

#include "core/policy/network.h"
#include "core/device/vpn_claims.h"

#include <string.h>

/* Pairs of digits in upper case with hyphens between them. */
static void write_mac(char const digits[DT_VPN_MAC_TEXT], char *out)
{
    for (size_t i = 0; digits[i] != '\0'; i++) {
        if (i > 0 && i % 2 == 0)
            *out++ = '-';
        *out++ = (char)(digits[i] >= 'a' ? digits[i] - 'a' + 'A' : digits[i]);
    }
    *out = '\0';
}

static void read_mac(char const digits[DT_VPN_MAC_TEXT], dt_place *out)
{
    out->text[0] = '\0';
    if (strspn(digits, "0") == DT_VPN_MAC_TEXT - 1 || strspn(digits, "f") == DT_VPN_MAC_TEXT - 1)
        return;
    out->kind = DT_PLACE_MAC;
    write_mac(digits, out->text);
}

static void read_address(dt_ip const *ip, dt_place *out)
{
    out->text[0] = '\0';
    if (!dt_ip_is_of_a_host(ip))
        return;
    out->kind = DT_PLACE_ADDRESS;
    dt_ip_text(ip, out->text);
}

int dt_place_read(dt_bytes text, dt_place *out)
{
    char digits[DT_VPN_MAC_TEXT];
    dt_ip ip;

    out->kind = DT_PLACE_NONE;
    text = dt_bytes_trim(text, " \t\r\n");
    int rc = dt_str_copy_bytes(out->text, sizeof(out->text), text);
    if (rc != DT_OK) {
        out->text[0] = '\0';
        return rc;
    }
    if (dt_mac_digits(text, digits))
        read_mac(digits, out);
    else if (dt_ip_parse(out->text, &ip) == DT_OK)
        read_address(&ip, out);
    else if (out->text[0] != '\0')
        out->kind = DT_PLACE_NAME;
    return DT_OK;
}
