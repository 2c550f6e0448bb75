/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a command line by a table of options. Not by getopt_long, which takes abbreviations, empty values and
 * what is given twice: the checks around it would be as long as this. */
#include "devtrustctl/options.h"

#include "core/base/nearest.h"

#include <string.h>

#define SHOWN_MAX 128 /* as much of an argument as a message repeats */

static int refuse(dt_error *e, char const *argument, char const *why)
{
    char shown[SHOWN_MAX];

    return dt_error_set(e, DT_E_INVALID, "%s %s", dt_str_escape(shown, sizeof(shown), argument),
                        why);
}

/* The option that an argument names; *value is what follows its "=", or NULL. */
static dt_option const *find(dt_option const *options, char const *argument, char const **value)
{
    char const *equals = strchr(argument, '=');
    size_t len = equals != NULL ? (size_t)(equals - argument) : strlen(argument);

    *value = equals != NULL ? equals + 1 : NULL;
    for (dt_option const *o = options; o->name != NULL; o++) {
        if (strlen(o->name) == len && strncmp(o->name, argument, len) == 0)
            return o;
        if (o->letter != NULL && strcmp(o->letter, argument) == 0)
            return o;
    }
    return NULL;
}

static int refuse_unknown(dt_option const *options, char const *argument, dt_error *e)
{
    dt_nearest near = dt_nearest_begin(argument);
    char shown[SHOWN_MAX];

    for (dt_option const *o = options; o->name != NULL; o++)
        dt_nearest_offer(&near, o->name);
    if (near.best == NULL)
        return refuse(e, argument, "is not an option of this command");
    return dt_error_set(e, DT_E_INVALID, "%s is not an option of this command; did you mean %s?",
                        dt_str_escape(shown, sizeof(shown), argument), near.best);
}

static int take_flag(dt_option const *o, char const *value, dt_error *e)
{
    if (value != NULL)
        return refuse(e, o->name, "takes no value");
    if (*o->flag)
        return refuse(e, o->name, "is given twice");
    *o->flag = true;
    return DT_OK;
}

static int take_value(dt_option const *o, char const *value, dt_error *e)
{
    if (value == NULL || *value == '\0')
        return refuse(e, o->name, "needs a value");
    if (*o->value != NULL)
        return refuse(e, o->name, "is given twice");
    if (strlen(value) > DT_ARGUMENT_MAX)
        return refuse(e, o->name, "has a value that is too long");
    *o->value = value;
    return DT_OK;
}

int dt_options_parse(dt_option const *options, int argc, char **argv, char const **rest,
                     size_t *rest_count, dt_error *e)
{
    bool only_rest = false;
    int rc = DT_OK;

    *rest_count = 0;
    for (int i = 0; i < argc && rc == DT_OK; i++) {
        char const *argument = argv[i];
        char const *value = NULL;
        dt_option const *o;

        /* "-" alone is a name: standard input. */
        if (only_rest || argument[0] != '-' || argument[1] == '\0') {
            rest[(*rest_count)++] = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_rest = true;
            continue;
        }
        o = find(options, argument, &value);
        if (o == NULL)
            rc = refuse_unknown(options, argument, e);
        else if (o->value == NULL)
            rc = take_flag(o, value, e);
        else
            rc = take_value(o, value != NULL ? value : (i + 1 < argc ? argv[++i] : NULL), e);
    }
    return rc;
}
