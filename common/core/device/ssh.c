/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads SSH_AUTH_INFO_0, the only way PAM learns from sshd which keys were used in this login. sshd
 * writes it, but part of what it writes was chosen by the client: nothing in it is believed beyond
 * its form, and one bad line makes the whole text worthless. */
#include "core/device/ssh.h"

#include "core/base/crypto.h"
#include "core/device/ssh_key.h"
#include "core/device/ssh_wire.h"

#include <string.h>

#define DT_SSH_TYPE_MAX 64 /* longest name of a key type; RFC 4251 section 6 */

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
        {"sk-ssh-ed25519@openssh.com", 2},
        {"sk-ecdsa-sha2-nistp256@openssh.com", 3},
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
        if (!dt_ssh_take_string(&rest, &field))
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

/* Where the keys of a text go, and the certificates. */
typedef struct reading {
    dt_ssh_keys *keys;
    size_t certificates;
    dt_ssh_certificate_fn *fn; /* NULL: they are only counted */
    void *ctx;
} reading;

static int add_certificate(reading *r, dt_bytes blob, dt_error *e)
{
    if (r->certificates == DT_SSH_KEYS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "SSH_AUTH_INFO_0 contains more than %d certificates",
                            DT_SSH_KEYS_MAX);
    r->certificates++;
    if (r->fn != NULL)
        r->fn(r->ctx, blob);
    return 0;
}

static int add_plain(reading *r, dt_bytes type, dt_bytes blob, dt_error *e)
{
    uint8_t digest[DT_SHA256_LEN];

    if (r->keys->count == DT_SSH_KEYS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "SSH_AUTH_INFO_0 contains more than %d keys",
                            DT_SSH_KEYS_MAX);
    int const rc = dt_crypto_sha256(blob, digest);

    if (rc != 0)
        return dt_error_set(e, rc, "SHA-256 is not available");
    dt_ssh_key *key = &r->keys->items[r->keys->count++];

    dt_hex(key->fingerprint, digest, sizeof(digest));
    key->hardware = dt_ssh_is_hardware_type(type);
    return 0;
}

/* Adds the key of a decoded blob that says of itself what its line says of it. */
static int add_blob(reading *r, dt_bytes type, dt_bytes blob, size_t line, dt_error *e)
{
    dt_bytes rest = blob, own_type;
    if (!dt_ssh_take_string(&rest, &own_type) || !dt_bytes_equal(own_type, type))
        return malformed(e, line, "the key is not of the type named before it");
    if (dt_ssh_is_certificate_type(type))
        return add_certificate(r, blob, e);
    if (!is_plain_blob(type, rest))
        return malformed(e, line, "the key is truncated or has trailing data");
    return add_plain(r, type, blob, e);
}

/* `rest` is what follows "publickey ": the type, one space, the blob in base64. */
static int add_key(reading *r, dt_bytes rest, size_t line, dt_error *e)
{
    dt_bytes const type = take_until(&rest, ' ');
    if (!is_type_name(type) || rest.len == 0)
        return malformed(e, line, "expected \"publickey TYPE BASE64\"");
    dt_buf blob;
    dt_buf_init(&blob, DT_SSH_AUTH_INFO_MAX);
    int rc = dt_base64_decode(&blob, rest);
    if (rc == 0)
        rc = add_blob(r, type, dt_buf_bytes(&blob), line, e);
    else
        rc = malformed(e, line, "the key is not base64");
    dt_buf_free(&blob);
    return rc;
}

/* Lines of other methods ("password", "keyboard-interactive/pam", "hostbased KEY ...") are passed
 * over: a host's key is not the person's. */
static int read_line(reading *r, dt_bytes text, size_t line, dt_error *e)
{
    if (text.len == 0)
        return malformed(e, line, "empty");
    dt_bytes rest = text;
    dt_bytes const method = take_until(&rest, ' ');
    if (!dt_bytes_equal(method, dt_bytes_str("publickey")))
        return 0;
    return add_key(r, rest, line, e);
}

static int read_all(reading *r, dt_bytes text, dt_error *e)
{
    int rc = 0;

    for (size_t line = 1; rc == 0 && text.len > 0; line++)
        rc = read_line(r, take_until(&text, '\n'), line, e);
    return rc;
}

int dt_ssh_auth_info_parse(dt_bytes text, dt_ssh_keys *out, dt_error *e)
{
    *out = (dt_ssh_keys){0};
    if (text.len > DT_SSH_AUTH_INFO_MAX)
        return dt_error_set(e, DT_E_LIMIT, "SSH_AUTH_INFO_0 is longer than %d bytes",
                            DT_SSH_AUTH_INFO_MAX);
    if (text.len > 0 &&
        (memchr(text.p, '\0', text.len) != NULL || memchr(text.p, '\r', text.len) != NULL))
        return dt_error_set(e, DT_E_PARSE, "SSH_AUTH_INFO_0 contains a NUL or a carriage return");
    reading r = {.keys = out};
    int const rc = read_all(&r, text, e);
    if (rc != 0)
        *out = (dt_ssh_keys){0};
    return rc;
}

void dt_ssh_auth_info_certificates(dt_bytes text, dt_ssh_certificate_fn *fn, void *ctx)
{
    dt_ssh_keys keys = {0};
    reading r = {.keys = &keys, .fn = fn, .ctx = ctx};

    (void)!read_all(&r, text, NULL);
}

static void count_certificate(void *ctx, dt_bytes blob)
{
    (void)blob;
    ++*(size_t *)ctx;
}

bool dt_ssh_auth_info_has_key(dt_bytes text)
{
    dt_ssh_keys keys;
    size_t certificates = 0;

    if (dt_ssh_auth_info_parse(text, &keys, NULL) < 0)
        return false;
    dt_ssh_auth_info_certificates(text, count_certificate, &certificates);
    return keys.count + certificates > 0;
}
