/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the texts that a request brings is the address the person comes from. */
#include "core/policy/client_address.h"

#include "core/device/vpn_claims.h"

#include <string.h>

static void set_text(dt_client_address *a, dt_bytes value)
{
    if (dt_str_copy_bytes(a->text, sizeof(a->text), value) != DT_OK)
        memcpy(a->text, "(unreadable)", sizeof("(unreadable)"));
}

static void mark_unreadable(dt_client_address *a, char const *text)
{
    a->known = false;
    a->unreadable = true;
    set_text(a, dt_bytes_str(text));
}

void dt_client_address_value(dt_client_address *a, dt_bytes value)
{
    char mac[DT_VPN_MAC_TEXT], text[DT_ADDRESS_MAX];
    dt_ip ip;

    if (a->unreadable || value.len == 0)
        return;
    if (dt_mac_parse(value, mac) == DT_OK) {
        if (!a->known)
            set_text(a, value);
        return;
    }
    if (dt_str_copy_bytes(text, sizeof(text), value) != DT_OK) {
        mark_unreadable(a, "(unreadable)");
        return;
    }
    if (dt_ip_parse(text, &ip) != DT_OK || !dt_ip_is_of_a_host(&ip)) {
        mark_unreadable(a, text);
        return;
    }
    if (a->known && memcmp(&a->ip, &ip, sizeof(ip)) != 0) {
        mark_unreadable(a, "(several addresses)");
        return;
    }
    a->known = true;
    a->ip = ip;
    set_text(a, value);
}

void dt_client_address_garbled(dt_client_address *a)
{
    mark_unreadable(a, "(unreadable)");
}

bool dt_client_address_is_settled(dt_client_address const *a)
{
    return a->known || a->unreadable;
}
