/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of RFC 5176 and their replies. See dae.h. */
#include "core/dae/dae.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define VENDOR_CISCO 9
#define CISCO_AVPAIR 1
#define VENDOR_FORTINET 12356
#define FORTINET_HOST_PORT_AVPAIR 42

/* --- what names a session --------------------------------------------------------------------- */

typedef enum form { TEXT = 0, IPV4, IPV6, HEX, NUMBER } form;

typedef struct item {
    dt_dae_item bit;
    uint8_t type;
    form form;
    size_t offset; /* into dt_nas_session */
    char const *name;
} item;
#define ITEM(bit, type, form, field, name)                                                         \
    {                                                                                              \
        bit, type, form, offsetof(dt_nas_session, field), name                                     \
    }
static item const items[] = {
    ITEM(DT_DAE_USER_NAME, DT_ATTR_USER_NAME, TEXT, user_name, "User-Name"),
    ITEM(DT_DAE_NAS_ADDRESS, DT_ATTR_NAS_IP_ADDRESS, IPV4, ip_address, "NAS-IP-Address"),
    ITEM(DT_DAE_NAS_ADDRESS, DT_ATTR_NAS_IPV6_ADDRESS, IPV6, ipv6_address, "NAS-IPv6-Address"),
    ITEM(DT_DAE_NAS_IDENTIFIER, DT_ATTR_NAS_IDENTIFIER, TEXT, identifier, "NAS-Identifier"),
    ITEM(DT_DAE_SESSION_ID, DT_ATTR_ACCT_SESSION_ID, TEXT, session_id, "Acct-Session-Id"),
    ITEM(DT_DAE_MULTI_SESSION_ID, DT_ATTR_ACCT_MULTI_SESSION_ID, TEXT, multi_session_id,
         "Acct-Multi-Session-Id"),
    ITEM(DT_DAE_STATION, DT_ATTR_CALLING_STATION_ID, TEXT, station, "Calling-Station-Id"),
    ITEM(DT_DAE_CHARGEABLE_ID, DT_ATTR_CHARGEABLE_USER_IDENTITY, HEX, chargeable_id,
         "Chargeable-User-Identity"),
    ITEM(DT_DAE_NAS_PORT, DT_ATTR_NAS_PORT, NUMBER, port, "NAS-Port"),
    ITEM(DT_DAE_NAS_PORT_ID, DT_ATTR_NAS_PORT_ID, TEXT, port_id, "NAS-Port-Id"),
    ITEM(DT_DAE_FRAMED_IP, DT_ATTR_FRAMED_IP_ADDRESS, IPV4, framed_ip, "Framed-IP-Address"),
};
#define ITEMS (sizeof(items) / sizeof(items[0]))

static char const *text_of(item const *i, dt_nas_session const *s)
{
    return (char const *)s + i->offset;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower-case digits, as the row of a session has them. */
static int put_hex(dt_buf *out, uint8_t type, char const *text)
{
    uint8_t value[DT_RADIUS_TEXT_LONGEST];
    size_t len = strlen(text) / 2;

    if (strlen(text) % 2 != 0 || len > sizeof(value))
        return DT_E_PARSE;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return DT_E_PARSE;
        value[i] = (uint8_t)(high << 4 | low);
    }
    dt_packet_put(out, type, dt_bytes_of(value, len));
    return DT_OK;
}

static void put_u32(dt_buf *out, uint8_t type, uint32_t n)
{
    uint8_t const value[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                              (uint8_t)n};

    dt_packet_put(out, type, dt_bytes_of(value, sizeof(value)));
}

static int put_number(dt_buf *out, uint8_t type, char const *text)
{
    uint64_t n = 0;

    for (char const *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || n > UINT32_MAX)
            return DT_E_PARSE;
        n = n * 10 + (uint64_t)(*c - '0');
    }
    if (n > UINT32_MAX)
        return DT_E_PARSE;
    put_u32(out, type, (uint32_t)n);
    return DT_OK;
}

static int put_address(dt_buf *out, uint8_t type, int family, char const *text)
{
    uint8_t value[16];

    if (inet_pton(family, text, value) != 1)
        return DT_E_PARSE;
    dt_packet_put(out, type, dt_bytes_of(value, family == AF_INET ? 4 : 16));
    return DT_OK;
}

static int put_item(dt_buf *out, item const *i, dt_nas_session const *s, dt_error *e)
{
    char const *text = text_of(i, s);
    int rc = DT_OK;

    switch (i->form) {
    case TEXT:
        dt_packet_put(out, i->type, dt_bytes_str(text));
        break;
    case IPV4:
        rc = put_address(out, i->type, AF_INET, text);
        break;
    case IPV6:
        rc = put_address(out, i->type, AF_INET6, text);
        break;
    case HEX:
        rc = put_hex(out, i->type, text);
        break;
    case NUMBER:
        rc = put_number(out, i->type, text);
        break;
    }
    return rc == DT_OK
               ? DT_OK
               : dt_error_set(e, DT_E_INVALID,
                              "the session's %s is not of its form, so the NAS cannot be asked",
                              i->name);
}

/* --- requests --------------------------------------------------------------------------------- */

static unsigned known_items(dt_nas_session const *s)
{
    unsigned known = 0;

    for (size_t i = 0; i < ITEMS; i++)
        known |= *text_of(&items[i], s) != '\0' ? items[i].bit : 0;
    return known;
}

static int refuse_unknown(dt_nas_rules const *r, dt_error *e)
{
    char text[DT_ERROR_TEXT_MAX];
    dt_buf names;

    dt_buf_init_fixed(&names, text, sizeof(text));
    for (size_t i = 0; i < ITEMS; i++) {
        if ((r->any_of & items[i].bit) != 0)
            dt_buf_printf(&names, "%s%s", names.len > 0 ? " or " : "", items[i].name);
    }
    return dt_error_set(
        e, DT_E_INVALID,
        "a NAS of the kind %s knows a session by %s, and this NAS has sent none; have it send "
        "accounting",
        r->name, text);
}

static void put_again(dt_buf *out, dt_nas_again again)
{
    switch (again) {
    case DT_NAS_AGAIN_CISCO:
        dt_packet_put_vendor(out, VENDOR_CISCO, CISCO_AVPAIR, "subscriber:command=reauthenticate");
        return;
    case DT_NAS_AGAIN_CISCO_BOUNCE:
        dt_packet_put_vendor(out, VENDOR_CISCO, CISCO_AVPAIR,
                             "subscriber:command=bounce-host-port");
        return;
    case DT_NAS_AGAIN_FORTINET:
        dt_packet_put_vendor(out, VENDOR_FORTINET, FORTINET_HOST_PORT_AVPAIR, "action=reauth-port");
        return;
    case DT_NAS_AGAIN_BY_KIND:
    case DT_NAS_AGAIN_DISCONNECT:
        return;
    }
}

int dt_dae_make(dt_dae_question const *q, dt_bytes secret, dt_buf *out, dt_error *e)
{
    dt_nas_rules const *r = dt_nas_rules_of(q->kind);
    dt_nas_again const again = q->again == DT_NAS_AGAIN_BY_KIND ? r->again : q->again;
    unsigned const known = known_items(q->session);
    unsigned const sends = r->sends | ((known & DT_DAE_SESSION_ID) == 0 ? r->otherwise : 0);
    int rc = DT_OK;

    if ((known & r->any_of) == 0)
        return refuse_unknown(r, e);
    dt_packet_begin(
        out, again == DT_NAS_AGAIN_DISCONNECT ? DT_DAE_DISCONNECT_REQUEST : DT_DAE_COA_REQUEST,
        q->identifier);
    for (size_t i = 0; rc == DT_OK && i < ITEMS; i++) {
        if ((sends & items[i].bit) != 0 && *text_of(&items[i], q->session) != '\0')
            rc = put_item(out, &items[i], q->session, e);
    }
    if (rc != DT_OK)
        return rc;
    if ((sends & DT_DAE_EVENT_TIMESTAMP) != 0)
        put_u32(out, DT_ATTR_EVENT_TIMESTAMP, (uint32_t)(q->now / DT_SECONDS(1)));
    put_again(out, again);
    rc = dt_packet_sign_request(out, secret);
    return rc == DT_OK ? DT_OK
                       : dt_error_set(e, rc, "the request to the NAS could not be made (%s)",
                                      dt_err_name(rc));
}

/* --- replies ---------------------------------------------------------------------------------- */

static int read_cause(dt_bytes packet, unsigned *out)
{
    size_t at = DT_RADIUS_HEAD_LEN;
    dt_attribute a;
    int rc;

    while ((rc = dt_attribute_next(packet, &at, &a)) > 0) {
        if (a.type != DT_ATTR_ERROR_CAUSE)
            continue;
        if (a.value.len != 4 || *out != 0)
            return DT_E_PARSE;
        *out = (unsigned)a.value.p[0] << 24 | (unsigned)a.value.p[1] << 16 |
               (unsigned)a.value.p[2] << 8 | a.value.p[3];
    }
    return rc;
}

int dt_dae_read(dt_bytes reply, dt_bytes request, dt_bytes secret, dt_dae_reply *out)
{
    size_t length = 0;
    unsigned cause = 0;
    int rc = dt_packet_check_reply(reply, request, secret, &length);

    *out = (dt_dae_reply){false, 0};
    if (rc != DT_OK)
        return rc;
    /* ACK and NAK follow the request's code. */
    if (reply.p[0] != request.p[0] + 1 && reply.p[0] != request.p[0] + 2)
        return DT_E_PARSE;
    rc = read_cause(dt_bytes_of(reply.p, length), &cause);
    if (rc != DT_OK)
        return rc;
    *out = (dt_dae_reply){reply.p[0] == request.p[0] + 1, cause};
    return DT_OK;
}

char const *dt_dae_cause_text(unsigned error_cause)
{
    static struct {
        unsigned cause;
        char const *text;
    } const causes[] = {
        {0, "it gave no reason"},
        {201, "the session had ended already"},
        {202, "it received an EAP message that it did not expect"},
        {401, "it does not support an attribute of the request; check kind in devtrust.conf"},
        {402, "an attribute is missing from the request; check kind in devtrust.conf"},
        {403, "the request names another NAS; check its NAS-IP-Address and NAS-Identifier"},
        {404, "it takes the request for invalid, for example because its clock differs"},
        {405, "it does not support this service; check kind and reauthenticate in devtrust.conf"},
        {406, "it does not support this kind of request; check reauthenticate in devtrust.conf"},
        {407, "a value of the request is invalid; check kind in devtrust.conf"},
        {501, "its configuration forbids such requests; allow them there"},
        {502, "a proxy does not know the way to the NAS; check send_to in devtrust.conf"},
        {DT_DAE_CAUSE_SESSION_NOT_FOUND, "it has no such session"},
        {504, "it cannot end this session"},
        {505, "a proxy on the way failed"},
        {506, "it lacks resources; it may work later"},
        {DT_DAE_CAUSE_REQUEST_INITIATED, "it has the person sign on again"},
        {508, "several sessions fit, and it does not end several at once"},
    };

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].cause == error_cause)
            return causes[i].text;
    }
    return "its reason has no meaning in RFC 5176";
}

/* --- when to send again ------------------------------------------------------------------------ */

dt_time dt_dae_schedule_sent(dt_dae_schedule *s, dt_time now, int jitter, bool *last)
{
    dt_time base = s->sent == 0 ? DT_DAE_IRT : 2 * s->interval;
    dt_time end;

    if (s->sent++ == 0)
        s->began = now;
    if (base > DT_DAE_MRT)
        base = DT_DAE_MRT;
    s->interval = base + base * jitter / 1000;
    end = s->began + DT_DAE_MRD;
    *last = s->sent >= DT_DAE_MRC || now + s->interval >= end;
    return now + s->interval < end ? now + s->interval : end;
}
