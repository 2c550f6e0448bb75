/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/text_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"
#define MARK "# devtrustctl setup"
#define MODULE "pam_devtrust.so"

/* --- lines ------------------------------------------------------------------------------------ */

/* The next line, without its newline; false at the end. */
static bool next_line(dt_bytes *text, dt_bytes *line)
{
    uint8_t const *end = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - text->p) : text->len;

    if (text->len == 0)
        return false;
    *line = dt_bytes_of(text->p, len);
    len += end != NULL;
    *text = dt_bytes_of(text->p + len, text->len - len);
    return true;
}

static void put_line(dt_buf *out, dt_bytes line)
{
    dt_buf_put(out, line.p, line.len);
    dt_buf_putc(out, '\n');
}

static bool begins(dt_bytes line, char const *with)
{
    size_t len = strlen(with);

    return line.len >= len && memcmp(line.p, with, len) == 0;
}

static bool is_text(dt_bytes line, char const *text)
{
    return dt_bytes_equal(line, dt_bytes_str(text));
}

/* Whether the line holds the text somewhere. */
static bool holds(dt_bytes line, char const *text)
{
    return memmem(line.p, line.len, text, strlen(text)) != NULL;
}

/* What stands before a comment. */
static dt_bytes without_comment(dt_bytes line)
{
    uint8_t const *hash = line.len > 0 ? memchr(line.p, '#', line.len) : NULL;

    return dt_bytes_trim(hash != NULL ? dt_bytes_of(line.p, (size_t)(hash - line.p)) : line,
                         BLANKS);
}

/* Whether a line is "key = ...". */
static bool is_key(dt_bytes line, char const *key)
{
    line = dt_bytes_trim(line, BLANKS);
    if (!begins(line, key))
        return false;
    line = dt_bytes_trim(dt_bytes_of(line.p + strlen(key), line.len - strlen(key)), BLANKS);
    return begins(line, "=");
}

static int done(dt_buf *out, dt_error *e)
{
    return dt_buf_error(out) < 0 ? dt_error_set(e, dt_buf_error(out), "a file has become too long")
                                 : DT_OK;
}

/* --- devtrust.conf ---------------------------------------------------------------------------- */

typedef enum key_line { KEY_NONE = 0, KEY_COMMENTED, KEY_ACTIVE } key_line;

static key_line key_line_of(dt_bytes line, char const *key)
{
    if (is_key(line, key))
        return KEY_ACTIVE;
    return begins(line, "#") && line.len > 1 && line.p[1] != ' ' &&
                   is_key(dt_bytes_of(line.p + 1, line.len - 1), key)
               ? KEY_COMMENTED
               : KEY_NONE;
}

static bool is_section(dt_bytes line, char const *section)
{
    line = dt_bytes_trim(line, BLANKS);
    return line.len == strlen(section) + 2 && line.p[0] == '[' && line.p[line.len - 1] == ']' &&
           is_text(dt_bytes_of(line.p + 1, line.len - 2), section);
}

/* Numbers of the section's line and of the key's line, from 1; 0 = none. */
static key_line find_key(dt_bytes text, char const *section, char const *key, size_t *head,
                         size_t *at)
{
    key_line best = KEY_NONE;
    bool inside = false;
    dt_bytes line;

    *head = *at = 0;
    for (size_t number = 1; next_line(&text, &line); number++) {
        if (begins(line, "[")) {
            inside = is_section(line, section);
            *head = inside && *head == 0 ? number : *head;
            continue;
        }
        /* What follows are examples of sections that may come more than once. */
        if (begins(line, "#["))
            inside = false;
        if (inside && key_line_of(line, key) > best) {
            best = key_line_of(line, key);
            *at = number;
        }
    }
    return best;
}

static void put_key(dt_buf *out, char const *key, char const *value, dt_bytes old)
{
    if (value != NULL && *value != '\0')
        dt_buf_printf(out, "%s = %s\n", key, value);
    else if (value != NULL)
        dt_buf_printf(out, "%s =\n", key);
    else if (begins(old, "#"))
        put_line(out, old);
    else {
        dt_buf_putc(out, '#');
        put_line(out, old);
    }
}

int dt_edit_conf(dt_buf *text, char const *section, char const *key, char const *value, dt_error *e)
{
    size_t head, at;
    key_line found = find_key(dt_buf_bytes(text), section, key, &head, &at);
    dt_bytes rest = dt_buf_bytes(text), line = {NULL, 0};
    dt_buf out;
    int rc;

    if (value == NULL && found != KEY_ACTIVE)
        return DT_OK;
    dt_buf_init(&out, DT_EDIT_TEXT_MAX);
    for (size_t number = 1; next_line(&rest, &line); number++) {
        if (number == at)
            put_key(&out, key, value, line);
        else
            put_line(&out, line);
        if (number == head && found == KEY_NONE)
            put_key(&out, key, value, line);
    }
    if (head == 0) {
        dt_buf_printf(&out, "%s[%s]\n", out.len > 0 ? "\n" : "", section);
        put_key(&out, key, value, line);
    }
    rc = done(&out, e);
    if (rc == DT_OK) {
        dt_buf_reset(text);
        dt_buf_put(text, out.p, out.len);
        rc = done(text, e);
    }
    dt_buf_free(&out);
    return rc;
}

/* --- PAM -------------------------------------------------------------------------------------- */

/* The file as it was before setup: its lines are taken out, and what it made a comment is a line again. */
static void restore(dt_bytes text, dt_buf *out)
{
    static char const was[] = MARK " was: ";
    dt_bytes line;

    while (next_line(&text, &line)) {
        if (begins(line, was))
            put_line(out, dt_bytes_of(line.p + sizeof(was) - 1, line.len - (sizeof(was) - 1)));
        else if (!holds(line, MARK))
            put_line(out, line);
    }
}

static bool is_include(dt_bytes line, char const *name)
{
    static char const word[] = "@include";

    line = without_comment(line);
    if (!begins(line, word))
        return false;
    return is_text(
        dt_bytes_trim(dt_bytes_of(line.p + sizeof(word) - 1, line.len - (sizeof(word) - 1)),
                      BLANKS),
        name);
}

static bool is_kind(dt_bytes line, char const *kind)
{
    line = without_comment(line);
    if (begins(line, "-"))
        line = dt_bytes_of(line.p + 1, line.len - 1);
    return begins(line, kind) && line.len > strlen(kind) &&
           strchr(" \t", line.p[strlen(kind)]) != NULL;
}

bool dt_pam_has_include(dt_bytes text, char const *name)
{
    static char const was[] = MARK " was: ";
    dt_bytes line;

    while (next_line(&text, &line)) {
        if (begins(line, was))
            line = dt_bytes_of(line.p + sizeof(was) - 1, line.len - (sizeof(was) - 1));
        if (is_include(line, name))
            return true;
    }
    return false;
}

bool dt_edit_pam_remove(dt_bytes text, dt_buf *out)
{
    restore(text, out);
    return memmem(text.p, text.len, MARK, strlen(MARK)) != NULL;
}

bool dt_pam_names_devtrust(dt_bytes text)
{
    dt_bytes line;

    while (next_line(&text, &line)) {
        if (holds(without_comment(line), MODULE))
            return true;
    }
    return false;
}

bool dt_pam_only_includes(dt_bytes text)
{
    dt_bytes line;
    size_t count = 0;

    while (next_line(&text, &line)) {
        line = without_comment(line);
        if (line.len == 0)
            continue;
        if (!is_kind(line, "auth") || !holds(line, "include") || holds(line, "@"))
            return false;
        count++;
    }
    return count > 0;
}

typedef struct pam_seen {
    size_t auth, account; /* lines to stand beside */
} pam_seen;

static int look_at_pam(dt_bytes text, char const *path, pam_seen *seen, dt_error *e)
{
    dt_bytes line;

    for (size_t number = 1; next_line(&text, &line); number++) {
        if (line.len > 0 && memchr(line.p, '\0', line.len) != NULL)
            return dt_error_set(e, DT_E_INVALID, "%s:%zu: contains a NUL byte", path, number);
        if (line.len > 0 && line.p[line.len - 1] == '\\')
            return dt_error_set(
                e, DT_E_INVALID,
                "%s:%zu: ends with a backslash; write the two lines as one, or take "
                "the service out of applications and write its lines by hand",
                path, number);
        if (holds(without_comment(line), MODULE))
            return dt_error_set(e, DT_E_INVALID,
                                "%s:%zu: has a line of pam_devtrust.so that setup did not write; "
                                "remove it, or take the service out of applications",
                                path, number);
        seen->auth += is_include(line, "common-auth");
        seen->account += is_include(line, "common-account");
    }
    return DT_OK;
}

static int refuse_pam(char const *path, char const *include, size_t count, dt_error *e)
{
    return dt_error_set(e, DT_E_INVALID,
                        "%s: has %zu lines \"@include %s\" instead of one; write the lines of "
                        "pam_devtrust.so by hand, as in /usr/share/devtrust/pam.d, and take the "
                        "service out of applications",
                        path, count, include);
}

#define PAM_LINE(kind, control, arguments) kind control " " MODULE arguments "  " MARK "\n"

static void put_auth(dt_buf *out, dt_bytes line, dt_pam_shape const *shape)
{
    if (shape->take_passcode)
        dt_buf_puts(out, PAM_LINE("auth       ", "required  ", " take_passcode"));
    if (shape->key_only) {
        dt_buf_puts(out, MARK " was: ");
        put_line(out, line);
    } else {
        put_line(out, line);
    }
    dt_buf_puts(out, PAM_LINE("auth       ", "required  ", ""));
}

static void put_account(dt_buf *out, dt_bytes line, dt_pam_shape const *shape)
{
    if (shape->rootok)
        dt_buf_puts(out, "account    [success=1 default=ignore] pam_rootok.so  " MARK "\n");
    dt_buf_puts(out, PAM_LINE("account    ", "required  ", ""));
    put_line(out, line);
}

/* A lock screen that includes another service's lines gets lines of its own, and keeps the others as comments. */
static int put_screen(dt_bytes old, dt_pam_shape const *shape, dt_buf *out, dt_error *e)
{
    dt_bytes line;

    while (next_line(&old, &line)) {
        if (without_comment(line).len > 0)
            dt_buf_puts(out, MARK " was: ");
        put_line(out, line);
    }
    if (shape->take_passcode)
        dt_buf_puts(out, PAM_LINE("auth       ", "required  ", " take_passcode"));
    dt_buf_puts(out, "@include common-auth  " MARK "\n");
    dt_buf_puts(out, PAM_LINE("auth       ", "required  ", ""));
    dt_buf_puts(out, PAM_LINE("account    ", "required  ", ""));
    dt_buf_puts(out, "@include common-account  " MARK "\n");
    return done(out, e);
}

/* Writes the lines beside the includes of a file that look_at_pam has accepted. */
static void put_service(dt_bytes old, dt_pam_shape const *shape, dt_buf *out)
{
    bool session_due = shape->session;
    dt_bytes line;

    while (next_line(&old, &line)) {
        if (session_due && (is_kind(line, "session") || is_include(line, "common-session"))) {
            dt_buf_puts(out, PAM_LINE("session    ", "required  ", ""));
            session_due = false;
        }
        if (is_include(line, "common-auth"))
            put_auth(out, line, shape);
        else if (shape->account && is_include(line, "common-account"))
            put_account(out, line, shape);
        else
            put_line(out, line);
    }
    if (session_due)
        dt_buf_puts(out, PAM_LINE("session    ", "required  ", ""));
}

int dt_edit_pam(dt_bytes text, char const *path, dt_pam_shape const *shape, dt_buf *out,
                dt_error *e)
{
    pam_seen seen = {0};
    dt_buf old;
    int rc;

    dt_buf_init(&old, DT_EDIT_TEXT_MAX);
    restore(text, &old);
    rc = done(&old, e);
    if (rc == DT_OK)
        rc = look_at_pam(dt_buf_bytes(&old), path, &seen, e);
    if (rc == DT_OK && dt_pam_only_includes(dt_buf_bytes(&old))) {
        rc = put_screen(dt_buf_bytes(&old), shape, out, e);
        goto out;
    }
    if (rc == DT_OK && seen.auth != 1)
        rc = refuse_pam(path, "common-auth", seen.auth, e);
    if (rc == DT_OK && shape->account && seen.account != 1)
        rc = refuse_pam(path, "common-account", seen.account, e);
    if (rc == DT_OK) {
        put_service(dt_buf_bytes(&old), shape, out);
        rc = done(out, e);
    }
out:
    dt_buf_free(&old);
    return rc;
}

/* --- FreeRADIUS ------------------------------------------------------------------------------- */

static long seconds_of(dt_bytes line)
{
    uint8_t const *equals = memchr(line.p, '=', line.len);
    char text[16];

    if (equals == NULL ||
        dt_str_copy_bytes(
            text, sizeof(text),
            dt_bytes_trim(dt_bytes_of(equals + 1, line.len - (size_t)(equals + 1 - line.p)),
                          BLANKS)) < 0 ||
        text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return -1;
    return strtol(text, NULL, 10);
}

static bool includes_file(dt_bytes line, char const *name)
{
    static char const word[] = "$INCLUDE";

    line = without_comment(line);
    return begins(line, word) && is_text(dt_bytes_trim(dt_bytes_of(line.p + sizeof(word) - 1,
                                                                   line.len - (sizeof(word) - 1)),
                                                       BLANKS),
                                         name);
}

int dt_edit_radiusd(dt_bytes text, char const *path, int seconds, char const *include, dt_buf *out,
                    dt_error *e)
{
    size_t times = 0, clients = 0, ours = 0;
    dt_bytes line, rest = text;

    while (next_line(&rest, &line))
        ours += include != NULL && includes_file(line, include);
    while (next_line(&text, &line)) {
        if (is_key(line, "max_request_time")) {
            times++;
            if (seconds_of(without_comment(line)) < seconds) {
                dt_buf_printf(out, "max_request_time = %d\n", seconds);
                continue;
            }
        }
        put_line(out, line);
        if (includes_file(line, "clients.conf")) {
            clients++;
            if (include != NULL && ours == 0)
                dt_buf_printf(out, "$INCLUDE %s\n", include);
        }
    }
    if (times != 1)
        return dt_error_set(
            e, DT_E_INVALID,
            "%s: has %zu lines \"max_request_time = ...\" instead of one; write one, "
            "of %d seconds or more",
            path, times, seconds);
    if (include != NULL && ours == 0 && clients != 1)
        return dt_error_set(e, DT_E_INVALID,
                            "%s: has %zu lines \"$INCLUDE clients.conf\" instead of one; write "
                            "\"$INCLUDE %s\" where clients are read",
                            path, clients, include);
    return done(out, e);
}

void dt_edit_values(dt_bytes text, char const *key, char const *value, dt_buf *out)
{
    dt_bytes line;

    while (next_line(&text, &line)) {
        size_t indent = 0;

        while (indent < line.len && strchr(" \t", line.p[indent]) != NULL)
            indent++;
        if (!is_key(line, key)) {
            put_line(out, line);
            continue;
        }
        dt_buf_put(out, line.p, indent);
        dt_buf_printf(out, "%s = %s\n", key, value);
    }
}

/* --- groups ----------------------------------------------------------------------------------- */

/* The last field of the line: members with commas between them. */
static dt_bytes members_of(dt_bytes line)
{
    uint8_t const *colon = memrchr(line.p, ':', line.len);

    return dt_bytes_of(colon + 1, line.len - (size_t)(colon + 1 - line.p));
}

static void put_members(dt_buf *out, dt_bytes members, char const *member, bool there)
{
    size_t count = 0;
    bool seen = false;

    while (members.len > 0) {
        uint8_t const *comma = memchr(members.p, ',', members.len);
        size_t len = comma != NULL ? (size_t)(comma - members.p) : members.len;
        dt_bytes one = dt_bytes_of(members.p, len);
        bool is = is_text(one, member);

        seen = seen || is;
        if (!is || there) {
            if (count++ > 0)
                dt_buf_putc(out, ',');
            dt_buf_put(out, one.p, one.len);
        }
        len += comma != NULL;
        members = dt_bytes_of(members.p + len, members.len - len);
    }
    if (there && !seen)
        dt_buf_printf(out, "%s%s", count > 0 ? "," : "", member);
}

int dt_edit_member(dt_bytes text, char const *group, char const *member, bool there, dt_buf *out,
                   dt_error *e)
{
    char head[64];
    dt_bytes line;
    bool found = false;

    (void)snprintf(head, sizeof(head), "%s:", group);
    while (next_line(&text, &line)) {
        if (!begins(line, head)) {
            put_line(out, line);
            continue;
        }
        found = true;
        dt_buf_put(out, line.p, line.len - members_of(line).len);
        put_members(out, members_of(line), member, there);
        dt_buf_putc(out, '\n');
    }
    if (!found)
        return dt_error_set(e, DT_E_NOT_FOUND,
                            "there is no group %s; install the package of devtrust, or run "
                            "systemd-sysusers",
                            group);
    return done(out, e);
}
