/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the session line of this service will decide, for an account line that comes too early to know the
 * device. The proof is the file that libpam itself goes by: its first session line, with all that is included
 * before it, must be ours and must be one whose refusal counts. Whatever is not understood proves nothing. */
#include "pam_devtrust/module/module.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_LINES_MAX 1024
#define LINE_MAX_LEN 1024
#define INCLUDES_MAX 8 /* in each other */
#define PATH_MAX_LEN 512
#define SESSION "session"
#define BLANKS " \t\r\n"

typedef enum found { NOTHING = 0, OURS, SOMETHING_ELSE } found;

static found read_service(char const *service, int depth);

/* libpam looks there first. */
static FILE *open_service(char const *service)
{
    static char const *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
    char path[PATH_MAX_LEN];
    FILE *f = NULL;

    if (service[0] == '\0' || strchr(service, '/') != NULL)
        return NULL;
    for (size_t i = 0; f == NULL && i < sizeof(directories) / sizeof(directories[0]); i++) {
        int n = snprintf(path, sizeof(path), "%s/%s", directories[i], service);

        if (n > 0 && (size_t)n < sizeof(path))
            f = fopen(path, "re");
    }
    return f;
}

static bool is_ours(char const *module)
{
    char const *slash = strrchr(module, '/');

    return strcmp(slash != NULL ? slash + 1 : module, "pam_devtrust.so") == 0;
}

/* "session required pam_devtrust.so", or anything else of that kind. `rest` is what follows the type. */
static found read_session_line(char *rest, int depth)
{
    char *save = NULL;
    char const *control = strtok_r(rest, BLANKS, &save), *module = strtok_r(NULL, BLANKS, &save);

    if (control == NULL || module == NULL)
        return SOMETHING_ELSE;
    if (strcasecmp(control, "include") == 0 || strcasecmp(control, "substack") == 0)
        return read_service(module, depth + 1);
    return (strcasecmp(control, "required") == 0 || strcasecmp(control, "requisite") == 0) &&
                   is_ours(module)
               ? OURS
               : SOMETHING_ELSE;
}

static found read_line(char *line, int depth)
{
    char *save = NULL, *type;
    size_t len = strcspn(line, "#\n");

    if (line[len] == '\0' || (len > 0 && line[len] == '\n' && line[len - 1] == '\\'))
        return SOMETHING_ELSE; /* it is too long, or goes on: nobody writes the lines in question so */
    line[len] = '\0';
    type = strtok_r(line, BLANKS, &save);
    if (type == NULL)
        return NOTHING;
    if (strcasecmp(type, "@include") == 0) {
        char const *name = strtok_r(NULL, BLANKS, &save);

        return name != NULL ? read_service(name, depth + 1) : SOMETHING_ELSE;
    }
    return strcasecmp(type + (type[0] == '-'), SESSION) == 0 ? read_session_line(save, depth)
                                                             : NOTHING;
}

static found read_service(char const *service, int depth)
{
    char line[LINE_MAX_LEN];
    found so_far = NOTHING;
    FILE *f = depth < INCLUDES_MAX ? open_service(service) : NULL;

    if (f == NULL)
        return SOMETHING_ELSE;
    for (int i = 0; so_far == NOTHING && fgets(line, sizeof(line), f) != NULL; i++)
        so_far = i < FILE_LINES_MAX ? read_line(line, depth) : SOMETHING_ELSE;
    if (ferror(f))
        so_far = SOMETHING_ELSE;
    (void)fclose(f);
    return so_far;
}

bool dt_pam_session_decides(char const *service)
{
    return read_service(service, 0) == OURS;
}
