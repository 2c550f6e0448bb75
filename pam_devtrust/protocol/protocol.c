/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets: one table of the fields each message has, and an encoder and a strict decoder that walk
 * it. Whatever comes from the other side goes through here before anybody looks at it. */
#include "pam_devtrust/protocol/protocol.h"

#include <stdbool.h>
#include <string.h>

#define FIELD_HEADER 5 /* tag, length */

typedef enum field_kind { TEXT, NUMBER } field_kind;

typedef struct field {
    dt_message_type type;
    uint8_t tag; /* unique within the type; below 32 */
    field_kind kind;
    bool required; /* a text must not be empty */
    uint32_t min,
        max; /* of a number, which is left out when it is 0 and below min; max of a text's length */
    size_t offset; /* into dt_message */
} field;

#define AT(name) offsetof(dt_message, name)
static field const fields[] = {
    {DT_MESSAGE_REQUEST, 1, NUMBER, true, DT_PAM_AUTH, DT_PAM_EARLY, AT(phase)},
    {DT_MESSAGE_REQUEST, 2, NUMBER, true, 1, INT32_MAX, AT(pid)},
    {DT_MESSAGE_REQUEST, 3, TEXT, true, 0, DT_PROTOCOL_SERVICE_MAX, AT(service)},
    {DT_MESSAGE_REQUEST, 4, TEXT, true, 0, DT_PROTOCOL_NAME_MAX, AT(user)},
    {DT_MESSAGE_REQUEST, 5, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(rhost)},
    {DT_MESSAGE_REQUEST, 6, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(tty)},
    {DT_MESSAGE_REQUEST, 7, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(ruser)},
    {DT_MESSAGE_REQUEST, 8, TEXT, false, 0, DT_PROTOCOL_SSH_AUTH_INFO_MAX, AT(ssh_auth_info)},
    {DT_MESSAGE_REQUEST, 9, TEXT, false, 0, DT_PROTOCOL_PASSWORD_MAX, AT(password)},
    {DT_MESSAGE_REQUEST, 10, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(account)},
    {DT_MESSAGE_REQUEST, 11, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(owner)},
    {DT_MESSAGE_REQUEST, 12, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(caller)},
    {DT_MESSAGE_REQUEST, 13, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(ruser_account)},
    {DT_MESSAGE_REQUEST, 14, TEXT, false, 0, DT_PROTOCOL_PASSCODE_MAX, AT(passcode)},
    {DT_MESSAGE_REQUEST, 15, TEXT, false, 0, DT_PROTOCOL_START_MAX, AT(rhost_start)},
    {DT_MESSAGE_REQUEST, 16, NUMBER, false, DT_PAM_SHOWN, DT_PAM_SHOWN_NOT, AT(shown)},
    {DT_MESSAGE_REQUEST, 17, NUMBER, false, 1, DT_PROTOCOL_SIDE_MAX, AT(columns)},
    {DT_MESSAGE_REQUEST, 18, NUMBER, false, 1, DT_PROTOCOL_SIDE_MAX, AT(rows)},
    {DT_MESSAGE_REQUEST, 19, NUMBER, false, 1, 1, AT(utf8)},
    {DT_MESSAGE_PROMPT, 1, NUMBER, true, 1, DT_PROTOCOL_PROMPTS_MAX, AT(number)},
    {DT_MESSAGE_PROMPT, 2, NUMBER, true, DT_PROMPT_HIDDEN, DT_PROMPT_INFO, AT(style)},
    {DT_MESSAGE_PROMPT, 3, TEXT, true, 0, DT_PROTOCOL_TEXT_MAX, AT(text)},
    {DT_MESSAGE_ANSWER, 1, NUMBER, true, 1, DT_PROTOCOL_PROMPTS_MAX, AT(number)},
    {DT_MESSAGE_ANSWER, 2, TEXT, false, 0, DT_PROTOCOL_ANSWER_MAX, AT(answer)},
    {DT_MESSAGE_RESULT, 1, NUMBER, true, DT_RESULT_ALLOW, DT_RESULT_LATER, AT(result)},
    {DT_MESSAGE_RESULT, 2, TEXT, true, 0, DT_PROTOCOL_CAUSE_MAX, AT(cause)},
    {DT_MESSAGE_RESULT, 3, TEXT, false, 0, DT_PROTOCOL_TEXT_MAX, AT(message)},
    {DT_MESSAGE_SESSION, 1, NUMBER, true, DT_SESSION_LINE_OPENED, DT_SESSION_LINE_CLOSED, AT(what)},
    {DT_MESSAGE_SESSION, 2, NUMBER, true, 1, INT32_MAX, AT(pid)},
    {DT_MESSAGE_SESSION, 3, TEXT, true, 0, DT_PROTOCOL_SERVICE_MAX, AT(service)},
    {DT_MESSAGE_SESSION, 4, TEXT, true, 0, DT_PROTOCOL_NAME_MAX, AT(user)},
    {DT_MESSAGE_SESSION, 6, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(tty)},
    {DT_MESSAGE_SESSION, 10, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(account)},
    {DT_MESSAGE_SESSION, 11, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(owner)},
    {DT_MESSAGE_SESSION, 12, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(caller)},
    {DT_MESSAGE_SESSION, 13, TEXT, false, 0, DT_PROTOCOL_NAME_MAX, AT(ruser_account)},
    {DT_MESSAGE_SESSION, 17, TEXT, false, 0, DT_PROTOCOL_LOGIN_SESSION_MAX, AT(login_session)},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool is_type(unsigned type)
{
    return type > DT_MESSAGE_NONE && type < DT_MESSAGE_TYPES;
}

static field const *field_find(dt_message_type type, uint8_t tag)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].type == type && fields[i].tag == tag)
            return &fields[i];
    }
    return NULL;
}

static uint32_t number_get(dt_message const *m, field const *f)
{
    uint32_t value;

    memcpy(&value, (char const *)m + f->offset, sizeof(value));
    return value;
}

static void number_set(dt_message *m, field const *f, uint32_t value)
{
    memcpy((char *)m + f->offset, &value, sizeof(value));
}

static char const *text_get(dt_message const *m, field const *f)
{
    char const *value;

    memcpy(&value, (char const *)m + f->offset, sizeof(value));
    return value != NULL ? value : "";
}

static void text_set(dt_message *m, field const *f, char const *value)
{
    memcpy((char *)m + f->offset, &value, sizeof(value));
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static uint32_t get32(uint8_t const *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* --- encoding --------------------------------------------------------------------------------- */

/* Bytes of the field's value; 0 = left out, SIZE_MAX = not valid. */
static size_t value_size(dt_message const *m, field const *f)
{
    if (f->kind == NUMBER) {
        uint32_t value = number_get(m, f);

        if (value == 0 && f->min > 0 && !f->required)
            return 0;
        return value >= f->min && value <= f->max ? sizeof(uint32_t) : SIZE_MAX;
    }
    size_t len = strnlen(text_get(m, f), (size_t)f->max + 1);

    if (len == 0)
        return f->required ? SIZE_MAX : 0;
    return len <= f->max ? len + 1 : SIZE_MAX;
}

size_t dt_message_size(dt_message const *m)
{
    size_t total = DT_PROTOCOL_HEADER;

    if (!is_type(m->type))
        return 0;
    for (size_t i = 0; i < FIELDS; i++) {
        size_t size = fields[i].type == m->type ? value_size(m, &fields[i]) : 0;

        if (size == SIZE_MAX)
            return 0;
        total += size > 0 ? FIELD_HEADER + size : 0;
    }
    return total;
}

static uint8_t *put_field(uint8_t *p, dt_message const *m, field const *f, size_t size)
{
    p[0] = f->tag;
    put32(p + 1, (uint32_t)size);
    p += FIELD_HEADER;
    if (f->kind == NUMBER)
        put32(p, number_get(m, f));
    else
        memcpy(p, text_get(m, f), size);
    return p + size;
}

int dt_message_encode(dt_message const *m, uint8_t *out, size_t cap, size_t *len)
{
    size_t total = dt_message_size(m);
    uint8_t *p = out + DT_PROTOCOL_HEADER;

    *len = 0;
    if (total == 0)
        return DT_E_INVALID;
    if (total > cap || total > DT_PROTOCOL_REQUEST_MAX)
        return DT_E_LIMIT;
    memset(out, 0, DT_PROTOCOL_HEADER);
    out[0] = DT_PROTOCOL_VERSION;
    out[1] = (uint8_t)m->type;
    put32(out + 4, (uint32_t)(total - DT_PROTOCOL_HEADER));
    for (size_t i = 0; i < FIELDS; i++) {
        size_t size = fields[i].type == m->type ? value_size(m, &fields[i]) : 0;

        if (size > 0)
            p = put_field(p, m, &fields[i], size);
    }
    *len = total;
    return DT_OK;
}

/* --- decoding --------------------------------------------------------------------------------- */

static bool take_number(dt_message *m, field const *f, uint8_t const *p, size_t size)
{
    uint32_t value = size == sizeof(uint32_t) ? get32(p) : 0;

    if (size != sizeof(uint32_t) || value < f->min || value > f->max)
        return false;
    number_set(m, f, value);
    return true;
}

/* The NUL is on the wire, so that the text can be used where it lies. It stands at the end alone. */
static bool take_text(dt_message *m, field const *f, uint8_t const *p, size_t size)
{
    if (size < 2 || size - 1 > f->max || memchr(p, '\0', size) != p + size - 1)
        return false;
    text_set(m, f, (char const *)p);
    return true;
}

/* Reads one field at *p; false when it is not one of the type's, or came before. */
static bool take_field(dt_message *m, uint8_t const **p, uint8_t const *end, uint32_t *seen)
{
    if (end - *p < FIELD_HEADER)
        return false;
    field const *f = field_find(m->type, (*p)[0]);
    size_t size = get32(*p + 1);

    *p += FIELD_HEADER;
    if (f == NULL || size > (size_t)(end - *p) || (*seen & 1u << f->tag) != 0)
        return false;
    *seen |= 1u << f->tag;
    bool ok = f->kind == NUMBER ? take_number(m, f, *p, size) : take_text(m, f, *p, size);

    *p += size;
    return ok;
}

static bool has_all(dt_message const *m, uint32_t seen)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].type == m->type && fields[i].required && (seen & 1u << fields[i].tag) == 0)
            return false;
    }
    return true;
}

int dt_message_decode(uint8_t const *packet, size_t len, dt_message *out)
{
    dt_message m = {.service = "",
                    .user = "",
                    .rhost = "",
                    .rhost_start = "",
                    .tty = "",
                    .ruser = "",
                    .account = "",
                    .owner = "",
                    .caller = "",
                    .ruser_account = "",
                    .ssh_auth_info = "",
                    .password = "",
                    .text = "",
                    .answer = "",
                    .cause = "",
                    .message = "",
                    .login_session = ""};
    uint32_t seen = 0;

    memset(out, 0, sizeof(*out));
    if (len < DT_PROTOCOL_HEADER || len > DT_PROTOCOL_REQUEST_MAX ||
        packet[0] != DT_PROTOCOL_VERSION || !is_type(packet[1]) || packet[2] != 0 ||
        packet[3] != 0 || get32(packet + 4) != len - DT_PROTOCOL_HEADER)
        return DT_E_PARSE;
    m.type = (dt_message_type)packet[1];
    uint8_t const *p = packet + DT_PROTOCOL_HEADER;
    uint8_t const *end = packet + len;

    while (p < end) {
        if (!take_field(&m, &p, end, &seen))
            return DT_E_PARSE;
    }
    if (!has_all(&m, seen))
        return DT_E_PARSE;
    *out = m;
    return DT_OK;
}
