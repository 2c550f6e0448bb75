/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration: made of defaults, filled pair by pair, finished once. Knows the table and nothing
 * of any single key; see config_table.c, config_value.c, config_section.c, config_check.c. */
#include "core/config/config.h"

#include "core/base/nearest.h"
#include "core/config/config_section.h"
#include "core/config/config_value.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define WHY_MAX 400 /* longest "what is wrong; what to write instead" */
#define FAULTY_ENTRY_MAX (DT_CONFIG_SECTION_MAX + 64)
#define NAME_MAX 64 /* as much of a foreign section or key as a message repeats */

/* The row of a key, or the number of rows. */
static size_t key_find(char const *section, char const *name)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return i;
    }
    return count;
}

bool dt_config_okta_password(dt_config const *c, char const *application)
{
    for (size_t i = 0; i < c->primary.okta_password.count; i++) {
        if (strcmp(c->primary.okta_password.items[i], application) == 0)
            return true;
    }
    return false;
}

bool dt_config_lacks_password(dt_config const *c, char const *application)
{
    static bool const takes_password[DT_OKTA_WAY_COUNT] = {
#define X(NAME, word, takes) takes,
        DT_OKTA_WAYS(X)
#undef X
    };
    bool has = application != NULL ? dt_config_okta_password(c, application)
                                   : c->primary.okta_password.count > 0;

    return takes_password[c->mfa.okta_way] && !has;
}

bool dt_config_has_section(char const *section)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0)
            return true;
    }
    return false;
}

int dt_config_line(dt_config const *c, char const *section, char const *name)
{
    dt_config_place p;
    size_t i;

    if (dt_config_place_find(c, section, name, &p))
        return p.key == NULL ? 0 : *p.line;
    if (dt_config_has_section(section)) {
        size_t count;

        i = key_find(section, name);
        (void)dt_config_keys(&count);
        return i < count ? c->lines[i] : 0;
    }
    return 0;
}

int dt_config_blame(dt_config const *c, char const *section, char const *name, dt_error *e,
                    int error)
{
    int line = dt_config_line(c, section, name);

    if (e != NULL && e->code == 0)
        (void)dt_error_set(e, error, "%s", dt_err_name(error));
    if (c->file == NULL)
        (void)dt_error_prefix(e, "[%s] %s", section, name);
    else if (line > 0)
        (void)dt_error_prefix(e, "%s:%d: [%s] %s", c->file, line, section, name);
    else
        (void)dt_error_prefix(e, "%s: [%s] %s", c->file, section, name);
    return error;
}

int dt_config_refuse(dt_config const *c, char const *file, char const *section, char const *name,
                     dt_error *e, char const *why)
{
    int line = dt_config_line(c, section, name);

    if (line > 0)
        return dt_error_set(e, DT_E_INVALID, "%s:%d: [%s] %s: %s", file, line, section, name, why);
    return dt_error_set(e, DT_E_INVALID, "%s: [%s] %s: %s", file, section, name, why);
}

/* A key of the table needs no default: until the file gives it, its text is empty like any other. */
int dt_config_set_default(void *base, dt_config_key const *k, dt_error *e)
{
    char storage[WHY_MAX];
    dt_buf why;
    dt_config_key lenient = *k;
    int error;

    dt_buf_init_fixed(&why, storage, sizeof(storage));
    if (k->fallback == NULL)
        lenient.min = 0;
    error = dt_config_value_set(base, &lenient, k->fallback == NULL ? "" : k->fallback, &why);
    if (error < 0)
        return dt_error_set(e, error, "the default of [%s] %s: %s", k->section, k->name, storage);
    return DT_OK;
}

int dt_config_new(dt_config **out, dt_error *e)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);
    dt_config *c = calloc(1, sizeof(*c));

    *out = NULL;
    if (c == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int error = dt_config_set_default(c, &keys[i], e);
        if (error < 0) {
            dt_config_free(&c);
            return error;
        }
    }
    *out = c;
    return DT_OK;
}

void dt_config_free(dt_config **c)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    if (*c == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        dt_config_value_free(*c, &keys[i]);
    dt_config_sections_free(*c);
    free((*c)->file);
    free(*c);
    *c = NULL;
}

static int *line_of(dt_config *c, char const *section, char const *name)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return &c->lines[i];
    }
    return NULL;
}

/* The value of a key of [radius], where there is one, changes places with that of the other key. */
static void use_radius_key(dt_config *c, char **radius, char const *radius_name, char **other,
                           char const *section, char const *name)
{
    int *from = line_of(c, "radius", radius_name), *to = line_of(c, section, name);
    char *value = *radius;

    if (**radius == '\0')
        return;
    *radius = *other;
    *other = value;
    if (from != NULL && to != NULL)
        *to = *from;
}

void dt_config_use_radius(dt_config *c)
{
    use_radius_key(c, &c->radius.store_path, "store_path", &c->store.path, "store", "path");
    use_radius_key(c, &c->radius.audit_file, "audit_file", &c->audit.file, "audit", "file");
    use_radius_key(c, &c->radius.state_key_file, "state_key_file", &c->store.state_key_file,
                   "store", "state_key_file");
    use_radius_key(c, &c->radius.metrics_socket, "metrics_socket", &c->metrics.socket, "metrics",
                   "socket");
    use_radius_key(c, &c->radius.metrics_textfile, "metrics_textfile", &c->metrics.textfile,
                   "metrics", "textfile");
}

char const *dt_config_key_like(char const *section, char const *name)
{
    dt_nearest near = dt_nearest_begin(name);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0)
            dt_nearest_offer(&near, keys[i].name);
    }
    return near.best;
}

/* Says where a key belongs that is not where it was found. */
static int refuse_unknown(char const *file, int line, char const *section, char const *name,
                          dt_error *e)
{
    char shown_section[NAME_MAX];
    char shown_name[NAME_MAX];
    char const *like = dt_config_key_like(section, name);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    dt_str_escape(shown_section, sizeof(shown_section), section);
    dt_str_escape(shown_name, sizeof(shown_name), name);
    if (!dt_config_has_section(section))
        return dt_error_set(e, DT_E_INVALID, "%s:%d: [%s]: unknown section; see devtrust.conf(5)",
                            file, line, shown_section);
    for (size_t i = 0; i < count; i++) {
        if (dt_str_equal_nocase(keys[i].name, name))
            return dt_error_set(
                e, DT_E_INVALID, "%s:%d: [%s] %s: unknown key here; use \"%s\" in the section [%s]",
                file, line, shown_section, shown_name, keys[i].name, keys[i].section);
    }
    if (like != NULL)
        return dt_error_set(
            e, DT_E_INVALID,
            "%s:%d: [%s] %s: unknown key; did you mean \"%s\"? See devtrust.conf(5)", file, line,
            shown_section, shown_name, like);
    return dt_error_set(e, DT_E_INVALID, "%s:%d: [%s] %s: unknown key; see devtrust.conf(5)", file,
                        line, shown_section, shown_name);
}

/* Takes a pair into its place. */
static int set_value(dt_config_place const *p, char const *file, int line, char const *section,
                     char const *value, dt_error *e)
{
    char storage[WHY_MAX];
    dt_buf why;
    int error;

    if (*p->line != 0)
        return dt_error_set(e, DT_E_INVALID, "%s:%d: [%s] %s: duplicate key, first set in line %d",
                            file, line, section, p->key->name, *p->line);
    dt_buf_init_fixed(&why, storage, sizeof(storage));
    error = dt_config_value_set(p->base, p->key, value, &why);
    if (error < 0)
        return dt_error_set(e, error, "%s:%d: [%s] %s: %s", file, line, section, p->key->name,
                            storage);
    *p->line = line > 0 ? line : 1;
    return DT_OK;
}

int dt_config_set(dt_config *c, char const *file, int line, char const *section, char const *name,
                  char const *value, dt_error *e)
{
    char shown[NAME_MAX];
    dt_config_place p;
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);
    size_t i = key_find(section, name);

    if (dt_config_place_find(c, section, name, &p)) {
        if (p.key == NULL)
            return dt_error_set(e, DT_E_INVALID,
                                "%s:%d: [%s] %s: unknown key here; see devtrust.conf(5)", file,
                                line, section, dt_str_escape(shown, sizeof(shown), name));
        return set_value(&p, file, line, section, value, e);
    }
    if (i == count)
        return refuse_unknown(file, line, section, name, e);
    p = (dt_config_place){.base = c, .key = &keys[i], .line = &c->lines[i]};
    return set_value(&p, file, line, section, value, e);
}

/* The list is "[okta timeout][policy ]": a key, or a whole section. */
static void faulty_entry(char out[FAULTY_ENTRY_MAX], char const *section, char const *key,
                         char const *end)
{
    (void)snprintf(out, FAULTY_ENTRY_MAX, "[%.*s %s%s", (int)strcspn(section, " "), section, key,
                   end);
}

void dt_config_set_faulty(dt_config *c, char const *section, char const *key)
{
    char entry[FAULTY_ENTRY_MAX];
    size_t used = strlen(c->faulty);

    faulty_entry(entry, section, key, "]");
    if (strstr(c->faulty, entry) == NULL && used + strlen(entry) < sizeof(c->faulty))
        memcpy(c->faulty + used, entry, strlen(entry) + 1);
}

bool dt_config_is_faulty(dt_config const *c, char const *what)
{
    char section[DT_CONFIG_SECTION_MAX], entry[FAULTY_ENTRY_MAX];
    char const *dot = strchr(what, '.');
    size_t len = dot != NULL ? (size_t)(dot - what) : strlen(what);

    if (*c->faulty == '\0')
        return false;
    if (strstr(c->faulty, "[ ]") != NULL ||
        dt_str_copy_bytes(section, sizeof(section), dt_bytes_of(what, len)) < 0)
        return true;
    faulty_entry(entry, section, "", "]");
    if (strstr(c->faulty, entry) != NULL)
        return true;
    faulty_entry(entry, section, dot != NULL ? dot + 1 : "", dot != NULL ? "]" : "");
    return strstr(c->faulty, entry) != NULL;
}

static bool is_key_faulty(dt_config const *c, dt_config_key const *k)
{
    char what[FAULTY_ENTRY_MAX];

    (void)snprintf(what, sizeof(what), "%s.%s", k->section, k->name);
    return dt_config_is_faulty(c, what);
}

int dt_config_finish(dt_config *c, char const *file, dt_error *e)
{
    size_t count, before = dt_faults_count(c->faults);
    dt_config_key const *keys = dt_config_keys(&count);
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < count; i++) {
        if (keys[i].fallback == NULL && c->lines[i] == 0 && !is_key_faulty(c, &keys[i]))
            rc = dt_faults_keep(c->faults, e,
                                dt_config_refuse(c, file, keys[i].section, keys[i].name, e,
                                                 "is missing and has no default; set it"));
    }
    if (rc != DT_OK)
        return rc;
    free(c->file);
    if ((c->file = strdup(file)) == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (!dt_guid_is_set(&c->device_trust.tenant_id))
        c->device_trust.tenant_id = c->intune.tenant_id;
    return dt_faults_end(c->faults, before, dt_config_sections_finish(c, file, e));
}

char const *dt_config_text(void const *base, dt_config_key const *k)
{
    char *const *slot = (char *const *)((char const *)base + k->offset);

    return *slot != NULL ? *slot : "";
}

int dt_config_keep_fixed(dt_config *c, dt_config const *old, dt_buf *names)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        bool differed = false;
        int rc;

        if (keys[i].reloadable)
            continue;
        rc = dt_config_value_copy(c, old, &keys[i], &differed);
        if (rc < 0)
            return rc;
        if (differed)
            dt_buf_printf(names, "%s[%s] %s", names->len > 0 ? ", " : "", keys[i].section,
                          keys[i].name);
    }
    return DT_OK;
}
