/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections of devtrust.conf that have a name, as in [application vpn]. There may be several of a
 * kind; each is opened once, in the order of the file, before its keys are set. */
#include "core/config/config_section.h"
#include "core/base/nearest.h"

#include "core/config/config_value.h"
#include "core/config/messages.h"

#include <stdlib.h>
#include <string.h>

#define APPLICATION "application"
#define CA "ca"
#define NAS "nas"
#define MESSAGE "message"
#define TRANSMITTER "transmitter"

/* A kind of section: opens one of a name that was looked at, finds the place of a key in one. */
typedef struct section_kind {
    char const *word;
    int (*open)(dt_config *c, char const *file, int line, char const *name, dt_error *e);
    bool (*place)(dt_config const *c, char const *section_name, char const *name,
                  dt_config_place *out);
} section_kind;

/* The NAME of "KIND NAME"; NULL when the section is of another kind or has none. */
static char const *name_of(char const *section, char const *kind)
{
    size_t len = strlen(kind);

    return strncmp(section, kind, len) == 0 && section[len] == ' ' ? section + len + 1 : NULL;
}

/* What the names of applications are made of (devtrust-policy(5)), and room for the longest. */
static bool is_name(char const *s)
{
    size_t n = 0;

    for (; s[n] != '\0'; n++) {
        bool word = (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') ||
                    (s[n] >= '0' && s[n] <= '9') || s[n] == '_';
        if (!word && (n == 0 || (s[n] != '.' && s[n] != '-')))
            return false;
    }
    return n > 0 && n < DT_CONFIG_NAME_MAX;
}

static int refuse_twice(char const *file, int line, dt_error *e)
{
    return dt_error_set(e, DT_E_INVALID, "%s:%d: duplicate section; merge the two", file, line);
}

static int refuse_more(char const *file, int line, char const *word, int most, dt_error *e)
{
    return dt_error_set(e, DT_E_INVALID,
                        "%s:%d: too many sections [%s NAME]; at most %d are allowed", file, line,
                        word, most);
}

/* --- [application NAME] ------------------------------------------------------------------------ */

dt_config_application *dt_config_application_find(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->application_count; i++) {
        if (strcmp(c->applications[i]->name, name) == 0)
            return c->applications[i];
    }
    return NULL;
}

static int open_application(dt_config *c, char const *file, int line, char const *name, dt_error *e)
{
    dt_config_application *a;

    if (dt_config_application_find(c, name) != NULL)
        return refuse_twice(file, line, e);
    if (c->application_count == DT_CONFIG_APPLICATIONS_MAX)
        return refuse_more(file, line, APPLICATION, DT_CONFIG_APPLICATIONS_MAX, e);
    a = calloc(1, sizeof(*a));
    if (a == NULL || dt_str_copy(a->name, sizeof(a->name), name) < 0) {
        free(a);
        return dt_error_set(e, DT_E_NOMEM, "%s:%d: out of memory", file, line);
    }
    a->line = line;
    c->applications[c->application_count++] = a;
    return DT_OK;
}

static bool place_of_application(dt_config const *c, char const *section_name, char const *name,
                                 dt_config_place *out)
{
    dt_config_application *a = dt_config_application_find(c, section_name);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; a != NULL && i < count; i++) {
        if (keys[i].per_application && strcmp(keys[i].name, name) == 0)
            *out = (dt_config_place){.base = &a->own, .key = &keys[i], .line = &a->own.lines[i]};
    }
    return a != NULL;
}

bool dt_config_for(dt_config const *c, char const *application, dt_config *out)
{
    dt_config_application const *a = dt_config_application_find(c, application);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    if (a == NULL)
        return false;
    *out = *c;
    for (size_t i = 0; i < count; i++) {
        bool differed;

        /* Of the types that may stand here none can fail: see tests/unit/test_config.c. */
        if (a->own.lines[i] != 0 && dt_config_value_copy(out, &a->own, &keys[i], &differed) < 0)
            return false;
    }
    return true;
}

/* --- [ca NAME] ---------------------------------------------------------------------------------- */

static dt_config_ca *ca_find(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->ca_count; i++) {
        if (strcmp(c->cas[i]->name, name) == 0)
            return c->cas[i];
    }
    return NULL;
}

static int open_ca(dt_config *c, char const *file, int line, char const *name, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);
    dt_config_ca *ca;
    int error = DT_OK;

    if (ca_find(c, name) != NULL)
        return refuse_twice(file, line, e);
    if (c->ca_count == DT_CONFIG_CAS_MAX)
        return refuse_more(file, line, CA, DT_CONFIG_CAS_MAX, e);
    ca = calloc(1, sizeof(*ca));
    if (ca == NULL || dt_str_copy(ca->name, sizeof(ca->name), name) < 0) {
        free(ca);
        return dt_error_set(e, DT_E_NOMEM, "%s:%d: out of memory", file, line);
    }
    ca->line = line;
    c->cas[c->ca_count++] = ca; /* who frees c frees it */
    for (size_t i = 0; error == DT_OK && i < count; i++)
        error = dt_config_set_default(ca, &keys[i], e);
    return error;
}

static bool place_of_ca(dt_config const *c, char const *section_name, char const *name,
                        dt_config_place *out)
{
    dt_config_ca *ca = ca_find(c, section_name);
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);

    for (size_t i = 0; ca != NULL && i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            *out = (dt_config_place){.base = ca, .key = &keys[i], .line = &ca->lines[i]};
    }
    return ca != NULL;
}

/* Keys without a default. */
static int finish_keys(dt_config_key const *keys, size_t count, int const *lines, char const *word,
                       char const *name, char const *file, int line, dt_error *e)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].fallback == NULL && lines[i] == 0)
            return dt_error_set(e, DT_E_INVALID,
                                "%s:%d: [%s %s] %s: is missing and has no default; set it", file,
                                line, word, name, keys[i].name);
    }
    return DT_OK;
}

static int finish_ca(dt_config_ca const *ca, char const *file, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);

    return finish_keys(keys, count, ca->lines, CA, ca->name, file, ca->line, e);
}

static void ca_free(dt_config_ca *ca)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);

    for (size_t i = 0; i < count; i++)
        dt_config_value_free(ca, &keys[i]);
    free(ca);
}

/* --- [transmitter NAME] ------------------------------------------------------------------------- */

static dt_config_transmitter *transmitter_find(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->transmitter_count; i++) {
        if (strcmp(c->transmitters[i]->name, name) == 0)
            return c->transmitters[i];
    }
    return NULL;
}

static int open_transmitter(dt_config *c, char const *file, int line, char const *name, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);
    dt_config_transmitter *t;
    int error = DT_OK;

    if (transmitter_find(c, name) != NULL)
        return refuse_twice(file, line, e);
    if (c->transmitter_count == DT_CONFIG_TRANSMITTERS_MAX)
        return refuse_more(file, line, TRANSMITTER, DT_CONFIG_TRANSMITTERS_MAX, e);
    t = calloc(1, sizeof(*t));
    if (t == NULL || dt_str_copy(t->name, sizeof(t->name), name) < 0) {
        free(t);
        return dt_error_set(e, DT_E_NOMEM, "%s:%d: out of memory", file, line);
    }
    t->line = line;
    c->transmitters[c->transmitter_count++] = t; /* who frees c frees it */
    for (size_t i = 0; error == DT_OK && i < count; i++)
        error = dt_config_set_default(t, &keys[i], e);
    return error;
}

static bool place_of_transmitter(dt_config const *c, char const *section_name, char const *name,
                                 dt_config_place *out)
{
    dt_config_transmitter *t = transmitter_find(c, section_name);
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);

    for (size_t i = 0; t != NULL && i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            *out = (dt_config_place){.base = t, .key = &keys[i], .line = &t->lines[i]};
    }
    return t != NULL;
}

static int finish_transmitter(dt_config_transmitter const *t, char const *file, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);

    return finish_keys(keys, count, t->lines, TRANSMITTER, t->name, file, t->line, e);
}

static void transmitter_free(dt_config_transmitter *t)
{
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);

    for (size_t i = 0; i < count; i++)
        dt_config_value_free(t, &keys[i]);
    free(t);
}

/* --- [nas NAME] ---------------------------------------------------------------------------------- */

static dt_config_nas *nas_find(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->nas_count; i++) {
        if (strcmp(c->nases[i]->name, name) == 0)
            return c->nases[i];
    }
    return NULL;
}

static int open_nas(dt_config *c, char const *file, int line, char const *name, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);
    dt_config_nas *nas;
    int error = DT_OK;

    if (nas_find(c, name) != NULL)
        return refuse_twice(file, line, e);
    if (c->nas_count == DT_CONFIG_NAS_MAX)
        return refuse_more(file, line, NAS, DT_CONFIG_NAS_MAX, e);
    nas = calloc(1, sizeof(*nas));
    if (nas == NULL || dt_str_copy(nas->name, sizeof(nas->name), name) < 0) {
        free(nas);
        return dt_error_set(e, DT_E_NOMEM, "%s:%d: out of memory", file, line);
    }
    nas->line = line;
    c->nases[c->nas_count++] = nas; /* who frees c frees it */
    for (size_t i = 0; error == DT_OK && i < count; i++)
        error = dt_config_set_default(nas, &keys[i], e);
    return error;
}

static bool place_of_nas(dt_config const *c, char const *section_name, char const *name,
                         dt_config_place *out)
{
    dt_config_nas *nas = nas_find(c, section_name);
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);

    for (size_t i = 0; nas != NULL && i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            *out = (dt_config_place){.base = nas, .key = &keys[i], .line = &nas->lines[i]};
    }
    return nas != NULL;
}

static int finish_nas(dt_config_nas const *nas, char const *file, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);

    return finish_keys(keys, count, nas->lines, NAS, nas->name, file, nas->line, e);
}

static void nas_free(dt_config_nas *nas)
{
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);

    for (size_t i = 0; i < count; i++)
        dt_config_value_free(nas, &keys[i]);
    free(nas);
}

/* --- [message REASON] --------------------------------------------------------------------------- */

_Static_assert(DT_REASON_COUNT + DT_WORDS_COUNT <= DT_CONFIG_MESSAGES_MAX,
               "raise DT_CONFIG_MESSAGES_MAX");

static dt_config_message *message_find(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->message_count; i++) {
        if (strcmp(c->messages[i]->name, name) == 0)
            return c->messages[i];
    }
    return NULL;
}

/* A reason why a device is not trusted, or ANY; or one of dt_words. */
static bool is_message(char const *name)
{
    for (int r = DT_REASON_TRUSTED + 1; r < DT_REASON_COUNT; r++) {
        if (strcmp(dt_reason_name((dt_reason)r), name) == 0)
            return true;
    }
    return strcmp(name, DT_CONFIG_MESSAGE_ANY) == 0 || dt_words_find(name) != DT_WORDS_NONE;
}

static int open_message(dt_config *c, char const *file, int line, char const *name, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);
    dt_config_message *m;
    int error = DT_OK;

    if (!is_message(name))
        return dt_error_set(e, DT_E_INVALID,
                            "%s:%d: [" MESSAGE
                            " %s]: unknown reason; see devtrust.conf(5), for example [" MESSAGE
                            " NOT_COMPLIANT], or [" MESSAGE " " DT_CONFIG_MESSAGE_ANY "]",
                            file, line, name);
    if (message_find(c, name) != NULL)
        return refuse_twice(file, line, e);
    m = calloc(1, sizeof(*m));
    if (m == NULL || dt_str_copy(m->name, sizeof(m->name), name) < 0) {
        free(m);
        return dt_error_set(e, DT_E_NOMEM, "%s:%d: out of memory", file, line);
    }
    m->line = line;
    c->messages[c->message_count++] =
        m; /* who frees c frees it; each reason once, so there is room */
    for (size_t i = 0; error == DT_OK && i < count; i++)
        error = dt_config_set_default(m, &keys[i], e);
    return error;
}

static bool place_of_message(dt_config const *c, char const *section_name, char const *name,
                             dt_config_place *out)
{
    dt_config_message *m = message_find(c, section_name);
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);

    for (size_t i = 0; m != NULL && i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            *out = (dt_config_place){.base = m, .key = &keys[i], .line = &m->lines[i]};
    }
    return m != NULL;
}

static void message_free(dt_config_message *m)
{
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);

    for (size_t i = 0; i < count; i++)
        dt_config_value_free(m, &keys[i]);
    free(m);
}

/* --- all kinds --------------------------------------------------------------------------------- */

static section_kind const kinds[] = {{APPLICATION, open_application, place_of_application},
                                     {CA, open_ca, place_of_ca},
                                     {NAS, open_nas, place_of_nas},
                                     {TRANSMITTER, open_transmitter, place_of_transmitter},
                                     {MESSAGE, open_message, place_of_message}};

bool dt_config_place_find(dt_config const *c, char const *section, char const *name,
                          dt_config_place *out)
{
    *out = (dt_config_place){0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char const *section_name = name_of(section, kinds[i].word);

        if (section_name != NULL)
            return kinds[i].place(c, section_name, name, out);
    }
    return false;
}

char const *dt_config_section_like(char const *section)
{
    dt_nearest near = dt_nearest_begin(section);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++)
        dt_nearest_offer(&near, keys[i].section);
    return near.best;
}

static int refuse_section(char const *file, int line, char const *section, dt_error *e)
{
    char const *like = dt_config_section_like(section);

    if (like != NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "%s:%d: unknown section; did you mean \"%s\"? See devtrust.conf(5)",
                            file, line, like);
    return dt_error_set(e, DT_E_INVALID, "%s:%d: unknown section; see devtrust.conf(5)", file,
                        line);
}

int dt_config_open_section(dt_config *c, char const *file, int line, char const *section,
                           dt_error *e)
{
    if (dt_config_has_section(section))
        return DT_OK;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char const *name = name_of(section, kinds[i].word);

        if (name == NULL && strcmp(section, kinds[i].word) != 0)
            continue;
        if (name == NULL || !is_name(name))
            return dt_error_set(
                e, DT_E_INVALID,
                "%s:%d: a section [%s] needs a name after one space: at most %d letters, digits "
                "and _, after the first character also . and -; write [%s NAME]",
                file, line, kinds[i].word, DT_CONFIG_NAME_MAX - 1, kinds[i].word);
        return kinds[i].open(c, file, line, name, e);
    }
    return refuse_section(file, line, section, e);
}

static bool gives_nothing(int const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lines[i] != 0)
            return false;
    }
    return true;
}

int dt_config_sections_finish(dt_config const *c, char const *file, dt_error *e)
{
    for (size_t i = 0; i < c->application_count; i++) {
        dt_config_application const *a = c->applications[i];

        if (gives_nothing(a->own.lines, DT_CONFIG_KEYS_MAX))
            return dt_error_set(e, DT_E_INVALID,
                                "%s:%d: [" APPLICATION " %s]: is empty; set a key that differs for "
                                "this application, or remove the section",
                                file, a->line, a->name);
    }
    for (size_t i = 0; i < c->message_count; i++) {
        if (gives_nothing(c->messages[i]->lines, DT_CONFIG_MESSAGE_TEXTS))
            return dt_error_set(
                e, DT_E_INVALID,
                "%s:%d: [" MESSAGE
                " %s]: is empty; set text, or the text of a platform, or remove the section",
                file, c->messages[i]->line, c->messages[i]->name);
    }
    for (size_t i = 0; i < c->ca_count; i++) {
        int error = finish_ca(c->cas[i], file, e);

        if (error < 0)
            return error;
    }
    for (size_t i = 0; i < c->nas_count; i++) {
        int error = finish_nas(c->nases[i], file, e);

        if (error < 0)
            return error;
    }
    for (size_t i = 0; i < c->transmitter_count; i++) {
        int error = finish_transmitter(c->transmitters[i], file, e);

        if (error < 0)
            return error;
    }
    return DT_OK;
}

void dt_config_sections_free(dt_config *c)
{
    for (size_t i = 0; i < c->ca_count; i++)
        ca_free(c->cas[i]);
    c->ca_count = 0;
    for (size_t i = 0; i < c->nas_count; i++)
        nas_free(c->nases[i]);
    c->nas_count = 0;
    for (size_t i = 0; i < c->transmitter_count; i++)
        transmitter_free(c->transmitters[i]);
    c->transmitter_count = 0;
    for (size_t i = 0; i < c->message_count; i++)
        message_free(c->messages[i]);
    c->message_count = 0;
    for (size_t i = 0; i < c->application_count; i++)
        free(c->applications[i]);
    c->application_count = 0;
}
