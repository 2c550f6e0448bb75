/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads SSH_AUTH_INFO_0, the only way sshd tells PAM which keys were used in this login. sshd
 * writes it, but part of what it writes was chosen by the client: nothing in it is believed beyond
 * its form, and one bad line makes the whole text worthless. */
#include "core/ssh.h"

#include "core/crypto.h"

#include <string.h>

#define DT_SSH_TYPE_MAX 64   /* longest name of a key type; RFC 4251 section 6 */
#define DT_SSH_LENGTH_SIZE 4 /* of the length before each field; RFC 4251 section 5 */

static int malformed(dt_error *e, size_t line, char const *what)
{
    return dt_error_set(e, DT_E_PARSE, "SSH_AUTH_INFO_0 line %zu: %s", line, what);
}

/* Takes everything up to the first `stop`, which is dropped, from the front of *rest. */
static dt_bytes take_until(dt_bytes *rest, char stop)
{
    uint8_t const *end = rest->len > 0 ? memchr(rest->p, stop, rest->len) : NULL;
    size_t const len = end == NULL ? rest->len : (size_t)(end - rest->p);
    dt_bytes const taken = dt_bytes_of(rest->p, len);
    size_t const used = end == NULL ? len : len + 1;
    *rest = dt_bytes_of(rest->p + used, rest->len - used);
    return taken;
}

/* Takes one length-prefixed field of a key blob; false when it does not fit. */
static bool take_field(dt_bytes *rest, dt_bytes *field)
{
    if (rest->len < DT_SSH_LENGTH_SIZE)
        return false;
    uint8_t const *p = rest->p;
    size_t const len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len > rest->len - DT_SSH_LENGTH_SIZE)
        return false;
    *field = dt_bytes_of(p + DT_SSH_LENGTH_SIZE, len);
    *rest = dt_bytes_of(field->p + len, rest->len - DT_SSH_LENGTH_SIZE - len);
    return true;
}

/* How many fields follow the type: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4.
 * 0 for types that devices do not have, of which only the form is looked at. */
static size_t field_count(dt_bytes type)
{
    static struct {
        char const *name;
        size_t fields;
    } const types[] = {
        {"ssh-rsa", 2},
        {"ssh-ed25519", 1},
        {"ecdsa-sha2-nistp256", 2},
        {"ecdsa-sha2-nistp384", 2},
        {"ecdsa-sha2-nistp521", 2},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (dt_bytes_equal(type, dt_bytes_str(types[i].name)))
            return types[i].fields;
    }
    return 0;
}

/* A plain key's blob is its type and then length-prefixed fields to the very end. */
static bool is_plain_blob(dt_bytes type, dt_bytes rest)
{
    size_t const expected = field_count(type);
    size_t fields = 0;
    for (; rest.len > 0; fields++) {
        dt_bytes field;
        if (!take_field(&rest, &field))
            return false;
    }
    return expected > 0 ? fields == expected : fields > 0;
}

/* The names sshd knows are letters, digits and "-.@". */
static bool is_type_name(dt_bytes type)
{
    if (type.len == 0 || type.len > DT_SSH_TYPE_MAX)
        return false;
    for (size_t i = 0; i < type.len; i++) {
        uint8_t const c = type.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '.' || c == '@'))
            return false;
    }
    return true;
}

static bool is_certificate_type(dt_bytes type)
{
    static char const suffix[] = "-cert-v01@openssh.com";
    size_t const len = sizeof(suffix) - 1;
    return type.len >= len && memcmp(type.p + type.len - len, suffix, len) == 0;
}

/* Adds the key of a decoded blob that says of itself what its line says of it. */
static int add_blob(dt_bytes type, dt_bytes blob, size_t line, dt_ssh_keys *out, dt_error *e)
{
    dt_bytes rest = blob, own_type;
    if (!take_field(&rest, &own_type) || !dt_bytes_equal(own_type, type))
        return malformed(e, line, "the key is not of the type that the line names");
    if (is_certificate_type(type))
        return 0;
    if (!is_plain_blob(type, rest))
        return malformed(e, line, "the key is cut off or has bytes behind its end");
    if (out->count == DT_SSH_KEYS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "SSH_AUTH_INFO_0 holds more than %d keys",
                            DT_SSH_KEYS_MAX);
    uint8_t digest[DT_SHA256_LEN];
    int const rc = dt_crypto_sha256(blob, digest);
    if (rc != 0)
        return dt_error_set(e, rc, "SHA-256 is not available");
    dt_hex(out->items[out->count++].fingerprint, digest, sizeof(digest));
    return 0;
}

/* `rest` is what follows "publickey ": the type, one space, the blob in base64. */
static int add_key(dt_bytes rest, size_t line, dt_ssh_keys *out, dt_error *e)
{
    dt_bytes const type = take_until(&rest, ' ');
    if (!is_type_name(type) || rest.len == 0)
        return malformed(e, line, "expected \"publickey TYPE BASE64\"");
    dt_buf blob;
    dt_buf_init(&blob, DT_SSH_AUTH_INFO_MAX);
    int rc = dt_base64_decode(&blob, rest);
    if (rc == 0)
        rc = add_blob(type, dt_buf_bytes(&blob), line, out, e);
    else
        rc = malformed(e, line, "the key is not base64");
    dt_buf_free(&blob);
    return rc;
}

/* Lines of other methods ("password", "keyboard-interactive/pam", "hostbased KEY ...") are passed
 * over: a host's key is not the person's. */
static int read_line(dt_bytes text, size_t line, dt_ssh_keys *out, dt_error *e)
{
    if (text.len == 0)
        return malformed(e, line, "empty");
    dt_bytes rest = text;
    dt_bytes const method = take_until(&rest, ' ');
    if (!dt_bytes_equal(method, dt_bytes_str("publickey")))
        return 0;
    return add_key(rest, line, out, e);
}

int dt_ssh_auth_info_parse(dt_bytes text, dt_ssh_keys *out, dt_error *e)
{
    *out = (dt_ssh_keys){0};
    if (text.len > DT_SSH_AUTH_INFO_MAX)
        return dt_error_set(e, DT_E_LIMIT, "SSH_AUTH_INFO_0 is longer than %d bytes",
                            DT_SSH_AUTH_INFO_MAX);
    if (text.len > 0 &&
        (memchr(text.p, '\0', text.len) != NULL || memchr(text.p, '\r', text.len) != NULL))
        return dt_error_set(e, DT_E_PARSE, "SSH_AUTH_INFO_0 holds a NUL or a carriage return");
    dt_bytes rest = text;
    int rc = 0;
    for (size_t line = 1; rc == 0 && rest.len > 0; line++)
        rc = read_line(take_until(&rest, '\n'), line, out, e);
    if (rc != 0)
        *out = (dt_ssh_keys){0};
    return rc;
}
