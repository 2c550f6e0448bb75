/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/daemon_state.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 512

/* Copies the value of "name=value"; false where there is no such line, or it is empty. */
static bool find_value(char const *shown, char const *name, char out[LINE_MAX_LEN])
{
    size_t len = strlen(name);

    for (char const *line = shown; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == '=')
            return dt_str_copy_bytes(out, LINE_MAX_LEN,
                                     dt_bytes_of(line + len + 1, strcspn(line + len + 1, "\n"))) ==
                       DT_OK &&
                   *out != '\0';
    }
    return false;
}

/* A whole number; -1 where it is none. */
static int64_t number_of(char const *text)
{
    char *end = NULL;
    long long n = strtoll(text, &end, 10);

    return end != text && n >= 0 ? n : -1;
}

dt_daemon_state dt_daemon_state_of(char const *shown, int64_t since)
{
    static char const read_at[] = "files read at ";
    char text[LINE_MAX_LEN];
    char const *at;

    if (!find_value(shown, "ActiveState", text))
        return DT_DAEMON_BEHIND;
    if (strcmp(text, "inactive") == 0 || strcmp(text, "failed") == 0)
        return DT_DAEMON_CURRENT;
    if (strcmp(text, "active") != 0)
        return DT_DAEMON_BEHIND; /* it is starting, or ending */
    if (find_value(shown, "ExecMainStartTimestampMonotonic", text) &&
        number_of(text) / 1000 >= since && number_of(text) > 0)
        return DT_DAEMON_CURRENT;
    if (!find_value(shown, "StatusText", text) || (at = strstr(text, read_at)) == NULL ||
        number_of(at + sizeof(read_at) - 1) < since)
        return DT_DAEMON_BEHIND;
    return strstr(text, "NOT applied") != NULL ? DT_DAEMON_REFUSES : DT_DAEMON_CURRENT;
}
