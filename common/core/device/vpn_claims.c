/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what VPN clients say of their devices. */
#include "core/device/vpn_claims.h"

#include "core/device/hardware_serial.h"

#include <string.h>

#define TLV "mdm-tlv="

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The separators must stand where one of the usual notations has them, and all be the same. */
static bool separators_fit(dt_bytes text)
{
    size_t every = text.len == 17 ? 3 : text.len == 14 ? 5 : text.len == 13 ? 7 : 0;

    if (every == 0)
        return text.len == 12;
    for (size_t i = 0; i < text.len; i++) {
        bool here = i % every == every - 1;
        if (here && (text.p[i] != text.p[every - 1] ||
                     strchr(every == 3 ? ":-" : ".:-", text.p[i]) == NULL))
            return false;
        if (!here && !is_hex(text.p[i]))
            return false;
    }
    return true;
}

bool dt_mac_digits(dt_bytes text, char out[DT_VPN_MAC_TEXT])
{
    size_t n = 0;

    out[0] = '\0';
    if (!separators_fit(text))
        return false;
    for (size_t i = 0; i < text.len && n < DT_VPN_MAC_TEXT - 1; i++) {
        if (is_hex(text.p[i]))
            out[n++] = lower(text.p[i]);
    }
    out[n == DT_VPN_MAC_TEXT - 1 ? n : 0] = '\0';
    return out[0] != '\0';
}

int dt_mac_parse(dt_bytes text, char out[DT_VPN_MAC_TEXT])
{
    static char const none[] = "000000000000", all[] = "ffffffffffff";

    /* The lowest bit of the first octet says that a group is meant (IEEE 802, clause 8.2). */
    if (dt_mac_digits(text, out) && strchr("02468ace", out[1]) != NULL && strcmp(out, none) != 0 &&
        strcmp(out, all) != 0)
        return DT_OK;
    out[0] = '\0';
    return DT_E_PARSE;
}

int dt_mac_of_device(dt_bytes text, char out[DT_VPN_MAC_TEXT])
{
    int rc = dt_mac_parse(text, out);

    if (rc == DT_OK && dt_mac_identifies_nothing(out)) {
        out[0] = '\0';
        rc = DT_E_INVALID;
    }
    return rc;
}

/* --- platforms ----------------------------------------------------------------------------------- */

static bool starts_with(char const *text, char const *prefix)
{
    while (*prefix != '\0' && lower((uint8_t)*text) == *prefix) {
        text++;
        prefix++;
    }
    return *prefix == '\0';
}

dt_platform dt_vpn_platform(char const *text)
{
    static struct {
        char const *prefix;
        dt_platform platform;
    } const own[] = {
        {"win-phone", DT_PLATFORM_OTHER_MOBILE},
        {"microsoft windows", DT_PLATFORM_WINDOWS},
        {"win", DT_PLATFORM_WINDOWS},
        {"mac-", DT_PLATFORM_MACOS},
        {"apple mac", DT_PLATFORM_MACOS},
        {"apple-ios", DT_PLATFORM_IOS},
        {"apple ios", DT_PLATFORM_IOS},
        {"google android", DT_PLATFORM_ANDROID},
        {"google chrome", DT_PLATFORM_CHROMEOS},
        {"chrome", DT_PLATFORM_CHROMEOS},
    };
    dt_platform known = dt_platform_from_text(text);

    if (text == NULL || known != DT_PLATFORM_UNKNOWN)
        return known;
    while (*text == ' ')
        text++;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (starts_with(text, own[i].prefix))
            return own[i].platform;
    }
    return DT_PLATFORM_UNKNOWN;
}

/* --- claims -------------------------------------------------------------------------------------- */

static void take_platform(dt_vpn_claims *c, dt_bytes value)
{
    char text[64];

    if (c->platform == DT_PLATFORM_UNKNOWN && dt_str_copy_bytes(text, sizeof(text), value) == DT_OK)
        c->platform = dt_vpn_platform(text);
}

static void take_mac(dt_vpn_claims *c, dt_bytes value)
{
    char mac[DT_VPN_MAC_TEXT];

    if (c->mac_count >= DT_VPN_MACS_MAX || dt_mac_of_device(value, mac) < 0)
        return;
    for (size_t i = 0; i < c->mac_count; i++) {
        if (strcmp(c->macs[i], mac) == 0)
            return;
    }
    memcpy(c->macs[c->mac_count++], mac, sizeof(mac));
}

/* Words of a name: what a hash, a serial number or a host name is made of. */
static void take_name(char *dst, size_t size, dt_bytes value)
{
    if (dst[0] != '\0' || value.len == 0 || value.len >= size)
        return;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.p[i];
        bool word = is_hex(c) || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') ||
                    (c != '\0' && strchr("-_.:{}", c) != NULL);
        if (!word) {
            dst[0] = '\0';
            return;
        }
        dst[i] = lower(c);
    }
    dst[value.len] = '\0';
    if (dt_identifies_nothing(dst))
        dst[0] = '\0';
}

static bool key_is(dt_bytes key, char const *name)
{
    return dt_bytes_equal(key, dt_bytes_str(name));
}

void dt_vpn_claims_add_pair(dt_vpn_claims *c, dt_bytes value)
{
    size_t prefix = sizeof(TLV) - 1;
    uint8_t const *equals;

    if (c->pairs >= DT_VPN_PAIRS_MAX)
        return;
    c->pairs++;
    if (value.len >= prefix && memcmp(value.p, TLV, prefix) == 0)
        value = dt_bytes_of(value.p + prefix, value.len - prefix);
    equals = value.len > 0 ? memchr(value.p, '=', value.len) : NULL;
    if (equals == NULL)
        return;
    dt_bytes key = dt_bytes_of(value.p, (size_t)(equals - value.p));
    dt_bytes text = dt_bytes_trim(dt_bytes_of(equals + 1, value.len - key.len - 1), " ");

    if (key_is(key, "device-platform"))
        take_platform(c, text);
    else if (key_is(key, "device-mac") || key_is(key, "device-public-mac"))
        take_mac(c, text);
    else if (key_is(key, "device-uid"))
        take_name(c->uids[0], sizeof(c->uids[0]), text);
    else if (key_is(key, "device-uid-global"))
        take_name(c->uids[1], sizeof(c->uids[1]), text);
}

void dt_vpn_claims_set_host_name(dt_vpn_claims *c, char const *text)
{
    take_name(c->host_name, sizeof(c->host_name), dt_bytes_trim(dt_bytes_str(text), " "));
}

/* --- names --------------------------------------------------------------------------------------- */

static bool put_name(char out[DT_VPN_NAME_MAX], char const *kind, char const *name)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_VPN_NAME_MAX);
    dt_buf_puts(&b, kind);
    dt_buf_puts(&b, name);
    return dt_buf_error(&b) == DT_OK;
}

bool dt_vpn_claims_name(dt_vpn_claims const *c, size_t i, char out[DT_VPN_NAME_MAX])
{
    for (size_t u = 0; u < 2; u++) {
        if (c->uids[u][0] == '\0')
            continue;
        if (i-- == 0)
            return put_name(out, "uid:", c->uids[u]);
    }
    if (i < c->mac_count)
        return put_name(out, "mac:", c->macs[i]);
    i -= c->mac_count;
    if (c->host_name[0] != '\0' && i == 0)
        return put_name(out, "name:", c->host_name);
    return false;
}

bool dt_vpn_name_of(char const *kind, char const *text, char out[DT_VPN_NAME_MAX])
{
    char mac[DT_VPN_MAC_TEXT];
    char word[DT_VPN_UID_MAX] = "";
    bool is_uid = strcmp(kind, "uid:") == 0;

    out[0] = '\0';
    if (strcmp(kind, "mac:") == 0)
        return dt_mac_of_device(dt_bytes_str(text), mac) == DT_OK && put_name(out, kind, mac);
    if (!is_uid && strcmp(kind, "name:") != 0)
        return false;
    take_name(word, is_uid ? DT_VPN_UID_MAX : DT_DEVICE_NAME_MAX, dt_bytes_str(text));
    return word[0] != '\0' && put_name(out, kind, word);
}
