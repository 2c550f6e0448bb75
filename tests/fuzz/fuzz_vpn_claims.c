/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VPN client says, one pair a line, and as attributes in text: names that are safe to look up,
 * and no more than fit. */
#include "core/device/vpn_evidence.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(dt_vpn_claims const *c)
{
    char name[DT_VPN_NAME_MAX];
    size_t n = 0;

    require(c->mac_count <= DT_VPN_MACS_MAX && c->pairs <= DT_VPN_PAIRS_MAX);
    for (; dt_vpn_claims_name(c, n, name); n++) {
        for (char const *p = name; *p != '\0'; p++)
            require(*p > 0x20 && *p < 0x7f && (*p < 'A' || *p > 'Z'));
    }
    require(n <= DT_VPN_NAMES_MAX);
}

static void check_text(dt_bytes text)
{
    dt_vpn_claims c = {0};
    dt_evidence ev;
    dt_error e = {0};
    int rc = dt_vpn_attributes_read(text, &c, &e);

    require((rc == 0) == (e.text[0] == '\0'));
    check(&c);
    require(!dt_vpn_uid_evidence(&c, 0, &ev) ||
            (ev.assurance == DT_ASSERTED && dt_guid_is_set(&ev.device_id)));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_vpn_claims c = {0};

    check_text(dt_bytes_of(data, size));
    while (size > 0) {
        uint8_t const *end = memchr(data, '\n', size);
        size_t len = end != NULL ? (size_t)(end - data) : size;
        dt_vpn_claims_add_pair(&c, dt_bytes_of(data, len));
        if (len < 100) {
            char text[100] = "";
            memcpy(text, data, len);
            dt_vpn_claims_set_host_name(&c, text);
            (void)dt_vpn_platform(text);
        }
        len += end != NULL;
        data += len;
        size -= len;
    }
    check(&c);
    return 0;
}
