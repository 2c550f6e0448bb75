/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/doctor/raddb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024
#define TCP_LISTEN 0x0AU /* include/net/tcp_states.h of Linux */

/* The next line without blanks around it, cut to fit. False at the end. */
static bool next_line(dt_bytes *rest, char line[LINE_MAX_BYTES])
{
    uint8_t const *end;
    dt_bytes one;

    if (rest->len == 0)
        return false;
    end = memchr(rest->p, '\n', rest->len);
    one = dt_bytes_of(rest->p, end != NULL ? (size_t)(end - rest->p) : rest->len);
    *rest = dt_bytes_of(rest->p + one.len + (end != NULL), rest->len - one.len - (end != NULL));
    one = dt_bytes_trim(one, " \t\r");
    if (one.len >= LINE_MAX_BYTES)
        one.len = LINE_MAX_BYTES - 1;
    memcpy(line, one.p, one.len);
    line[one.len] = '\0';
    return true;
}

/* The value of "NAME = VALUE", without its quotes; NULL for any other line. */
static char *value_of(char *line, char const *name)
{
    size_t len = strlen(name);
    char *value;

    if (strncmp(line, name, len) != 0 || strncmp(line + len, " = ", 3) != 0)
        return NULL;
    value = line + len + 3;
    if (*value == '"') {
        value++;
        value[strcspn(value, "\"")] = '\0';
    }
    return value;
}

/* One listen section while it is read. */
typedef struct open_section {
    int depth; /* of braces; 0 = none is open */
    bool auth, acct, tcp;
    unsigned port;
} open_section;

static void add(dt_raddb *out, open_section const *s, bool acct)
{
    unsigned standard = acct ? DT_RADIUS_ACCT_PORT : DT_RADIUS_AUTH_PORT;

    if (out->listener_count == DT_LISTENERS_MAX)
        return;
    out->listeners[out->listener_count++] =
        (dt_listener){.acct = acct, .tcp = s->tcp, .port = s->port != 0 ? s->port : standard};
}

static void close_section(dt_raddb *out, open_section const *s)
{
    if (s->auth)
        add(out, s, false);
    if (s->acct)
        add(out, s, true);
}

static void read_listen(open_section *s, char *line)
{
    char const *value;

    if (s->depth != 1)
        return;
    if ((value = value_of(line, "type")) != NULL) {
        s->auth = strcmp(value, "auth") == 0 || strcmp(value, "auth+acct") == 0;
        s->acct = strcmp(value, "acct") == 0 || strcmp(value, "auth+acct") == 0;
    } else if ((value = value_of(line, "port")) != NULL) {
        unsigned long port = strtoul(value, NULL, 10);
        s->port = port <= 65535 ? (unsigned)port : 0;
    } else if ((value = value_of(line, "proto")) != NULL) {
        s->tcp = strcmp(value, "tcp") == 0;
    }
}

static void add_certificate(dt_raddb *out, char const *path)
{
    for (size_t i = 0; i < out->certificate_count; i++) {
        if (strcmp(out->certificates[i], path) == 0)
            return;
    }
    if (out->certificate_count < DT_RADIUS_FILES_MAX &&
        dt_str_copy(out->certificates[out->certificate_count], DT_RADIUS_PATH_MAX, path) == DT_OK)
        out->certificate_count++;
}

static void read_outside(dt_raddb *out, char *line)
{
    char const *value;

    if ((value = value_of(line, "certificate_file")) != NULL)
        add_certificate(out, value);
    else if (out->libdir[0] == '\0' && (value = value_of(line, "libdir")) != NULL &&
             dt_str_copy(out->libdir, sizeof(out->libdir), value) < 0)
        out->libdir[0] = '\0';
}

void dt_raddb_read(dt_bytes output, dt_raddb *out)
{
    open_section s = {.depth = 0};
    char line[LINE_MAX_BYTES];

    *out = (dt_raddb){.libdir = ""};
    while (next_line(&output, line)) {
        size_t len = strlen(line);

        if (s.depth == 0 && strcmp(line, "listen {") == 0) {
            s = (open_section){.depth = 1};
        } else if (s.depth > 0 && len > 0 && line[len - 1] == '{') {
            s.depth++;
        } else if (s.depth > 0 && strcmp(line, "}") == 0) {
            if (--s.depth == 0)
                close_section(out, &s);
        } else if (s.depth > 0) {
            read_listen(&s, line);
        } else {
            read_outside(out, line);
        }
    }
}

unsigned long dt_socket_listening(dt_bytes table, unsigned port, bool tcp)
{
    char line[LINE_MAX_BYTES];

    while (next_line(&table, line)) {
        unsigned at = 0, state = 0;
        unsigned long inode = 0;

        /* sl local_address rem_address st queues tr:tm retrnsmt uid timeout inode */
        if (sscanf(line, "%*[0-9]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
                   &at, &state, &inode) == 3 &&
            at == port && (!tcp || state == TCP_LISTEN))
            return inode;
    }
    return 0;
}
