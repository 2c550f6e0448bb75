/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust.conf's text, by inih, without its habits: it cuts long lines, takes an indented line for
 * more of the value above, drops what follows " ;" or "]", and stops at a NUL byte, all in silence.
 * Here a reader of our own stands before it, counts the lines and refuses each of these by number. */
#include "edge/ini.h"

#include "core/base/utf8.h"
#include "core/config/config_section.h"
#include "core/ruleset/config_check.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define INI_LINE_MAX (DT_CONFIG_VALUE_MAX + 128) /* longest line: a key and its longest value */
#define INI_LINES_MAX 20000
#define INI_SECTIONS_MAX 128

/* Where a distribution's inih lets its limit of 200 bytes be raised, we do; where it does not, the
 * reader has the limit and reports it. */
#pragma weak ini_max_line

typedef struct ini_source {
    dt_bytes text;
    size_t at;
    int line;
    char const *name;
    dt_config *c;
    dt_error *e;
    int error;    /* the first one; nothing is read after it */
    bool refused; /* the line at hand; with a list of faults, the next one is read all the same */
    bool skipped; /* the section at hand: its head was refused */
    char sections[INI_SECTIONS_MAX][DT_CONFIG_SECTION_MAX];
    size_t section_count;
} ini_source;

/* The result of something about the line; `key` is whose, "" where that cannot be said. */
static void end_line(ini_source *s, char const *key, int rc)
{
    char const *section =
        s->section_count > 0 && !s->skipped ? s->sections[s->section_count - 1] : "";
    char const *like = dt_config_key_like(section, key);

    s->error = dt_faults_keep(s->c->faults, s->e, rc);
    s->refused = rc != DT_OK;
    if (!s->refused || s->error != DT_OK)
        return;
    /* Below a section's name stand a few keys of its own, and their names do not count here. */
    if (*key == '\0' || strchr(section, ' ') != NULL)
        dt_config_set_faulty(s->c, section, "");
    else if (like != NULL)
        dt_config_set_faulty(s->c, section, like);
}

/* One that nobody could have meant for another leaves the others as they are. */
static void end_section(ini_source *s, char const *name, int rc)
{
    char const *like = dt_config_section_like(name);

    s->error = dt_faults_keep(s->c->faults, s->e, rc);
    s->refused = rc != DT_OK;
    s->skipped = s->refused;
    if (s->refused && like != NULL)
        dt_config_set_faulty(s->c, like, "");
}

static void refuse(ini_source *s, char const *why)
{
    if (s->error == DT_OK)
        end_line(s, "", dt_error_set(s->e, DT_E_INVALID, "%s:%d: %s", s->name, s->line, why));
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A section's head: known, alone on its line, and not there already. */
static void check_section(ini_source *s, dt_bytes line)
{
    char name[DT_CONFIG_SECTION_MAX];

    s->skipped = true;
    if (line.len < 3 || line.p[line.len - 1] != ']') {
        refuse(s, "a section is not closed; write [NAME] alone on its line");
        return;
    }
    if (dt_str_copy_bytes(name, sizeof(name), dt_bytes_of(line.p + 1, line.len - 2)) < 0) {
        refuse(s, "unknown section; see devtrust.conf(5)");
        return;
    }
    for (size_t i = 0; i < s->section_count; i++) {
        if (strcmp(s->sections[i], name) == 0) {
            refuse(s, "duplicate section; merge the two");
            return;
        }
    }
    if (s->section_count == INI_SECTIONS_MAX) {
        refuse(s, "too many sections");
        return;
    }
    end_section(s, name, dt_config_open_section(s->c, s->name, s->line, name, s->e));
    if (!s->refused)
        memcpy(s->sections[s->section_count++], name, sizeof(name));
}

/* A line with a key: not indented, a name before the equals sign, no comment after the value. */
static void check_pair(ini_source *s, dt_bytes raw, dt_bytes line)
{
    uint8_t const *equals = memchr(line.p, '=', line.len);
    dt_bytes key;

    if (s->skipped) {
        s->refused = true;
        return;
    }
    if (is_space(raw.p[0])) {
        refuse(s, "this line is indented like a continuation of the one above; write each key with "
                  "its whole value on one line, beginning in the first column");
        return;
    }
    key =
        dt_bytes_trim(dt_bytes_of(line.p, equals == NULL ? 0 : (size_t)(equals - line.p)), " \t\r");
    if (key.len == 0 || memchr(key.p, ':', key.len) != NULL) {
        refuse(s, "this is neither a comment, nor a section, nor a key; write KEY = VALUE");
        return;
    }
    if (s->section_count == 0) {
        refuse(s, "a key before any section; write the section's [NAME] first");
        return;
    }
    for (uint8_t const *p = equals + 1; p < line.p + line.len; p++) {
        if (*p == ';' && is_space(p[-1])) {
            refuse(s, "a value must not contain a semicolon after a space; write comments on lines "
                      "of their own");
            return;
        }
    }
}

/* Everything that inih would do in silence is found here. */
static void check_line(ini_source *s, dt_bytes raw, size_t room)
{
    dt_bytes line = dt_bytes_trim(raw, " \t\r");

    if (raw.len > room || raw.len > INI_LINE_MAX) {
        end_line(s, "",
                 dt_error_set(s->e, DT_E_INVALID,
                              "%s:%d: the line is too long; at most %zu bytes are allowed", s->name,
                              s->line, room < INI_LINE_MAX ? room : (size_t)INI_LINE_MAX));
    } else if (memchr(raw.p, '\0', raw.len) != NULL) {
        refuse(s, "the file contains a NUL byte; use plain text");
    } else if (s->line > INI_LINES_MAX) {
        s->error =
            dt_error_set(s->e, DT_E_LIMIT, "%s:%d: there are too many lines", s->name, s->line);
    } else if (line.len == 0 || line.p[0] == '#' || line.p[0] == ';') {
        return;
    } else if (line.p[0] == '[') {
        check_section(s, line);
    } else {
        check_pair(s, raw, line);
    }
}

/* inih's fgets: one line of at most size - 1 bytes, or NULL at the end. After an error there is
 * nothing more to read. Comments are handed on as empty lines. */
static char *ini_read_line(char *out, int size, void *stream)
{
    ini_source *s = stream;
    dt_bytes rest = dt_bytes_of(s->text.p + s->at, s->text.len - s->at);
    uint8_t const *end;
    dt_bytes line;

    if (s->error < 0 || rest.len == 0 || size < 3)
        return NULL;
    end = memchr(rest.p, '\n', rest.len);
    line = dt_bytes_of(rest.p, end == NULL ? rest.len : (size_t)(end - rest.p));
    s->at += line.len + (end == NULL ? 0 : 1);
    s->line++;
    s->refused = false;
    check_line(s, line, (size_t)size - 2);
    if (s->error < 0)
        return NULL;
    if (s->refused)
        line.len = 0;
    line = dt_bytes_trim(line, " \t\r");
    if (line.len > 0 && (line.p[0] == '#' || line.p[0] == ';'))
        line.len = 0;
    memcpy(out, line.p, line.len);
    memcpy(out + line.len, "\n", 2);
    return out;
}

/* One pair. inih calls this right after it read the line, so the count is that of the pair. */
static int ini_take_pair(void *user, char const *section, char const *name, char const *value
#if INI_HANDLER_LINENO
                         ,
                         int line
#endif
)
{
    ini_source *s = user;
#if INI_HANDLER_LINENO
    (void)line;
#endif
    (void)section; /* inih cuts long ones */
    if (s->error == DT_OK)
        end_line(s, name,
                 dt_config_set(s->c, s->name, s->line, s->sections[s->section_count - 1], name,
                               value == NULL ? "" : value, s->e));
    return s->error == DT_OK;
}

int dt_ini_parse(dt_bytes text, char const *name, dt_config *c, dt_error *e)
{
    ini_source s = {.text = text, .name = name, .c = c, .e = e};
    int kept = &ini_max_line != NULL ? ini_max_line : 0;
    char const *encoding = dt_text_encoding_fault(text);
    size_t before = dt_faults_count(c->faults);
    int status;

    if (encoding != NULL)
        return dt_error_set(e, DT_E_INVALID, "%s:1: %s", name, encoding);

    if (kept > 0)
        ini_max_line = INI_LINE_MAX + 3;
    status = ini_parse_stream(ini_read_line, &s, ini_take_pair, &s);
    if (kept > 0)
        ini_max_line = kept;
    if (s.error < 0)
        return s.error;
    if (status != 0 || s.at != s.text.len)
        return dt_error_set(e, DT_E_INVALID, "%s:%d: this line cannot be read; write KEY = VALUE",
                            name, status > 0 ? status : s.line);
    status = dt_faults_keep(c->faults, e, dt_config_finish(c, name, e));
    /* Rules between keys have a meaning only where each key has its value. */
    if (status == DT_OK && dt_faults_count(c->faults) == before)
        status = dt_config_check(c, name, e);
    return dt_faults_end(c->faults, before, status);
}
