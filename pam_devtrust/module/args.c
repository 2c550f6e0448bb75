/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's arguments. There is no configuration here: what decides is the daemon's, so the
 * arguments only say where it is and how long it may take. A word that is not known refuses the
 * login: it may have been meant to make it stricter. */
#include "pam_devtrust/module/module.h"

#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>

#define ARGUMENT_MAX 4096

/* The value after "name=", or NULL. */
static char const *value_of(char const *argument, char const *name)
{
    size_t len = strlen(name);

    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static bool take_path(char const *value, size_t max, char const **out)
{
    if (value[0] != '/' || strnlen(value, max + 1) > max)
        return false;
    *out = value;
    return true;
}

static bool take_seconds(char const *value, int *out)
{
    char *end = NULL;
    long seconds;

    if (value[0] < '0' || value[0] > '9')
        return false;
    seconds = strtol(value, &end, 10);
    if (*end != '\0' || seconds < 1 || seconds > DT_PAM_TIMEOUT_MAX)
        return false;
    *out = (int)seconds;
    return true;
}

/* Two of these would contradict each other. */
static bool take_password(dt_pam_password how, dt_pam_args *out)
{
    bool first = out->password == DT_PAM_NO_PASSWORD;

    out->password = how;
    return first;
}

static bool read_argument(char const *argument, dt_pam_args *out)
{
    char const *value;

    if (strcmp(argument, "take_passcode") == 0) {
        out->take_passcode = true;
        return true;
    }
    if (strcmp(argument, "password") == 0)
        return take_password(DT_PAM_ASK_PASSWORD, out);
    if (strcmp(argument, "try_first_pass") == 0)
        return take_password(DT_PAM_TRY_FIRST_PASS, out);
    if (strcmp(argument, "use_first_pass") == 0)
        return take_password(DT_PAM_USE_FIRST_PASS, out);
    if ((value = value_of(argument, "socket")) != NULL)
        return take_path(value, sizeof(((struct sockaddr_un *)0)->sun_path) - 1, &out->socket);
    if ((value = value_of(argument, "daemon")) != NULL)
        return take_path(value, ARGUMENT_MAX, &out->daemon);
    if ((value = value_of(argument, "timeout")) != NULL)
        return take_seconds(value, &out->timeout);
    return false;
}

bool dt_pam_args_parse(pam_handle_t *pamh, int argc, char const **argv, dt_pam_args *out)
{
    *out = (dt_pam_args){
        .socket = DT_PAM_SOCKET_PATH, .daemon = DT_DAEMON_PATH, .timeout = DT_PAM_TIMEOUT_DEFAULT};
    for (int i = 0; i < argc; i++) {
        if (argv[i] == NULL || !read_argument(argv[i], out) ||
            (out->take_passcode && out->password != DT_PAM_NO_PASSWORD)) {
            pam_syslog(pamh, LOG_ERR,
                       "unknown argument \"%s\"; known are socket=/PATH, daemon=/PATH, "
                       "timeout=SECONDS (1 to %d) and one of password, try_first_pass, "
                       "use_first_pass, take_passcode: the login is refused",
                       argv[i] != NULL ? argv[i] : "", DT_PAM_TIMEOUT_MAX);
            return false;
        }
    }
    return true;
}
