/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources of groups, one by one, by the functions that their modules have for glibc ("Extending
 * NSS" in its manual). "files" glibc has inside, so /etc/group is read here. */
#include "edge/name_service.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWITCH_FILE "/etc/nsswitch.conf"
#define GROUP_FILE "/etc/group"
#define LINE_MAX_BYTES 4096
#define SOURCES_MAX 16
#define SOURCE_NAME_MAX 32
#define SYMBOL_MAX (SOURCE_NAME_MAX + 32)
#define GIDS_FIRST 64
#define ENTRY_FIRST 4096
#define ENTRY_MAX (4 * 1024 * 1024) /* a group's entry lists all its members */
#define STATUSES 4                  /* TRYAGAIN -2, UNAVAIL -1, NOTFOUND 0, SUCCESS 1 */

typedef enum nss_status initgroups_fn(char const *user, gid_t skipped, long *start, long *size,
                                      gid_t **gids, long limit, int *number);
typedef enum nss_status getgrgid_fn(gid_t gid, struct group *gr, char *buf, size_t size,
                                    int *number);
typedef enum nss_status setgrent_fn(int stay_open);
typedef enum nss_status getgrent_fn(struct group *gr, char *buf, size_t size, int *number);
typedef enum nss_status endgrent_fn(void);

typedef struct source {
    char name[SOURCE_NAME_MAX];
    bool ends[STATUSES]; /* with this status no further source is asked: [status=return] */
} source;

typedef struct sources {
    source all[SOURCES_MAX];
    size_t count;
    bool strict; /* a line "initgroups": success ends the search, too, as it says */
} sources;

/* A module's position in a list of its groups is its own: one thread at a time. */
static pthread_mutex_t listing = PTHREAD_MUTEX_INITIALIZER;

/* --- nsswitch.conf ---------------------------------------------------------------------------- */

static size_t index_of(enum nss_status status)
{
    int i = (int)status - (int)NSS_STATUS_TRYAGAIN;

    return i < 0 ? 0 : i >= STATUSES ? STATUSES - 1 : (size_t)i;
}

static int fail_line(char const *database, dt_error *e)
{
    return dt_error_set(e, DT_E_UNAVAILABLE,
                        SWITCH_FILE ": the line \"%s\" cannot be read; see nsswitch.conf(5)",
                        database);
}

/* "NOTFOUND=return", "!UNAVAIL=continue". */
static bool parse_action(char *text, source *s)
{
    static struct {
        char const *word;
        enum nss_status status;
    } const words[STATUSES] = {{"SUCCESS", NSS_STATUS_SUCCESS},
                               {"NOTFOUND", NSS_STATUS_NOTFOUND},
                               {"UNAVAIL", NSS_STATUS_UNAVAIL},
                               {"TRYAGAIN", NSS_STATUS_TRYAGAIN}};
    bool others = *text == '!', known = false;
    char *value = strchr(text, '=');

    if (value == NULL)
        return false;
    *value++ = '\0';
    text += others ? 1 : 0;
    for (size_t i = 0; i < STATUSES; i++)
        known = known || strcasecmp(text, words[i].word) == 0;
    for (size_t i = 0; i < STATUSES; i++) {
        if ((strcasecmp(text, words[i].word) == 0) != others)
            s->ends[index_of(words[i].status)] = strcasecmp(value, "return") == 0;
    }
    return known && (strcasecmp(value, "return") == 0 || strcasecmp(value, "continue") == 0 ||
                     strcasecmp(value, "merge") == 0);
}

/* What stands in brackets, about the source before. */
static bool parse_actions(char *text, sources *out)
{
    char *rest = NULL;

    if (out->count == 0)
        return false;
    for (char *a = strtok_r(text, " \t", &rest); a != NULL; a = strtok_r(NULL, " \t", &rest)) {
        if (!parse_action(a, &out->all[out->count - 1]))
            return false;
    }
    return true;
}

static bool parse_name(char const *text, size_t len, sources *out)
{
    source s = {.ends = {[STATUSES - 1] = true}};

    if (out->count == SOURCES_MAX ||
        dt_str_copy_bytes(s.name, sizeof(s.name), dt_bytes_of(text, len)) < 0 ||
        strchr(s.name, '/') != NULL)
        return false;
    out->all[out->count++] = s;
    return true;
}

static bool parse_sources(char *text, sources *out)
{
    out->count = 0;
    for (;;) {
        text += strspn(text, " \t\n");
        if (*text == '\0')
            return true;
        if (*text == '[') {
            char *end = strchr(text, ']');
            if (end == NULL)
                return false;
            *end = '\0';
            if (!parse_actions(text + 1, out))
                return false;
            text = end + 1;
            continue;
        }
        size_t len = strcspn(text, " \t\n[");
        if (!parse_name(text, len, out))
            return false;
        text += len;
    }
}

/* The last line of the database counts, as for glibc. DT_E_NOT_FOUND when there is none. */
static int read_database(FILE *f, char const *database, sources *out, dt_error *e)
{
    char line[LINE_MAX_BYTES];
    size_t len = strlen(database);
    int rc = DT_E_NOT_FOUND;

    rewind(f);
    while (rc != DT_E_UNAVAILABLE && fgets(line, sizeof(line), f) != NULL) {
        char *at = line + strspn(line, " \t");
        if (strncmp(at, database, len) != 0)
            continue;
        at += len;
        at += strspn(at, " \t");
        if (*at != ':')
            continue;
        if (strlen(line) == sizeof(line) - 1)
            return fail_line(database, e);
        at[strcspn(at, "#")] = '\0';
        rc = parse_sources(at + 1, out) ? DT_OK : fail_line(database, e);
    }
    return ferror(f) != 0 ? fail_line(database, e) : rc;
}

static int read_sources(bool for_user, sources *out, dt_error *e)
{
    FILE *f = fopen(SWITCH_FILE, "re");
    int rc = DT_E_NOT_FOUND;

    *out = (sources){0};
    if (f == NULL && errno != ENOENT)
        return dt_error_set(e, DT_E_UNAVAILABLE, SWITCH_FILE ": %s", strerror(errno));
    if (f != NULL && for_user) {
        rc = read_database(f, "initgroups", out, e);
        out->strict = rc == DT_OK;
    }
    if (f != NULL && rc == DT_E_NOT_FOUND)
        rc = read_database(f, "group", out, e);
    if (f != NULL)
        fclose(f);
    if (rc == DT_E_NOT_FOUND) /* what glibc does then */
        rc = parse_name("files", strlen("files"), out) ? DT_OK : fail_line("group", e);
    return rc;
}

/* --- one source ------------------------------------------------------------------------------- */

static bool is_files(source const *s)
{
    return strcmp(s->name, "files") == 0;
}

/* The module stays loaded, as it does for glibc. */
static void *load_module(source const *s)
{
    char file[SYMBOL_MAX];

    (void)snprintf(file, sizeof(file), "libnss_%s.so.2", s->name);
    return dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

/* A function of the module; by this detour ISO C lets a pointer to data become one to a function. */
static bool find_function(void *module, source const *s, char const *name, void *function)
{
    char symbol[SYMBOL_MAX];
    void *found;

    (void)snprintf(symbol, sizeof(symbol), "_nss_%s_%s", s->name, name);
    found = dlsym(module, symbol);
    memcpy(function, &found, sizeof(found));
    return found != NULL;
}

/* The groups found so far, as the modules want to have them. */
typedef struct found_groups {
    char const *user;
    gid_t primary;
    gid_t *gids;
    long count, size;
} found_groups;

static bool add_gid(found_groups *g, gid_t gid)
{
    if (g->count == g->size) {
        gid_t *more = realloc(g->gids, 2 * (size_t)g->size * sizeof(*more));
        if (more == NULL)
            return false;
        g->gids = more;
        g->size *= 2;
    }
    g->gids[g->count++] = gid;
    return true;
}

static bool is_member(struct group const *gr, char const *user)
{
    for (size_t i = 0; gr->gr_mem != NULL && gr->gr_mem[i] != NULL; i++) {
        if (strcmp(gr->gr_mem[i], user) == 0)
            return true;
    }
    return false;
}

/* Goes through all entries. `next` is asked again with more room after ERANGE. */
static enum nss_status walk_entries(found_groups *g,
                                    enum nss_status (*next)(void *from, struct group *gr, char *buf,
                                                            size_t size, int *number),
                                    void *from)
{
    enum nss_status status = NSS_STATUS_SUCCESS;
    size_t size = ENTRY_FIRST;
    char *buf = malloc(size);

    while (buf != NULL && status == NSS_STATUS_SUCCESS && g->count <= DT_NAME_SERVICE_GROUPS_MAX) {
        struct group gr;
        int number = 0;

        status = next(from, &gr, buf, size, &number);
        if (status == NSS_STATUS_SUCCESS && is_member(&gr, g->user) && !add_gid(g, gr.gr_gid))
            status = NSS_STATUS_TRYAGAIN;
        if (status == NSS_STATUS_TRYAGAIN && number == ERANGE && size < ENTRY_MAX) {
            free(buf);
            size *= 4;
            buf = malloc(size);
            status = NSS_STATUS_SUCCESS;
        }
    }
    free(buf);
    return buf == NULL ? NSS_STATUS_TRYAGAIN : status;
}

static enum nss_status next_of_file(void *from, struct group *gr, char *buf, size_t size,
                                    int *number)
{
    struct group *found = NULL;
    long at = ftell(from);

    *number = fgetgrent_r(from, gr, buf, size, &found);
    if (*number == 0)
        return NSS_STATUS_SUCCESS;
    if (*number == ERANGE)
        return fseek(from, at, SEEK_SET) == 0 ? NSS_STATUS_TRYAGAIN : NSS_STATUS_UNAVAIL;
    return *number == ENOENT && ferror((FILE *)from) == 0 ? NSS_STATUS_NOTFOUND
                                                          : NSS_STATUS_UNAVAIL;
}

static enum nss_status groups_of_file(found_groups *g)
{
    FILE *f = fopen(GROUP_FILE, "re");
    enum nss_status status;

    if (f == NULL)
        return NSS_STATUS_UNAVAIL;
    status = walk_entries(g, next_of_file, f);
    fclose(f);
    return status;
}

static enum nss_status next_of_module(void *from, struct group *gr, char *buf, size_t size,
                                      int *number)
{
    return (*(getgrent_fn **)from)(gr, buf, size, number);
}

/* Modules that only list: as glibc does with them. */
static enum nss_status groups_by_listing(source const *s, void *module, found_groups *g)
{
    enum nss_status status = NSS_STATUS_SUCCESS;
    setgrent_fn *set = NULL;
    getgrent_fn *get = NULL;
    endgrent_fn *end = NULL;

    if (!find_function(module, s, "getgrent_r", &get))
        return NSS_STATUS_UNAVAIL;
    pthread_mutex_lock(&listing);
    if (find_function(module, s, "setgrent", &set))
        status = set(0);
    if (status == NSS_STATUS_SUCCESS)
        status = walk_entries(g, next_of_module, &get);
    if (find_function(module, s, "endgrent", &end))
        (void)end();
    pthread_mutex_unlock(&listing);
    return status;
}

/* nss-systemd(8) puts it so where no service of this host has users or groups of its own, as on every
 * host without systemd-homed: there is nobody whom it could not ask. */
static bool says_no_by_errno(source const *s, int number)
{
    return strcmp(s->name, "systemd") == 0 && number == ESRCH;
}

static enum nss_status groups_of(source const *s, found_groups *g)
{
    initgroups_fn *ask = NULL;
    enum nss_status status;
    void *module;
    int number = 0;

    if (is_files(s))
        return groups_of_file(g);
    module = load_module(s);
    if (module == NULL)
        return NSS_STATUS_UNAVAIL;
    if (!find_function(module, s, "initgroups_dyn", &ask))
        return groups_by_listing(s, module, g);
    status = ask(g->user, g->primary, &g->count, &g->size, &g->gids, DT_NAME_SERVICE_GROUPS_MAX + 1,
                 &number);
    return status == NSS_STATUS_UNAVAIL && says_no_by_errno(s, number) ? NSS_STATUS_NOTFOUND
                                                                       : status;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int not_answering(source const *s, dt_error *e)
{
    if (is_files(s))
        return dt_error_set(e, DT_E_UNAVAILABLE, GROUP_FILE " cannot be read: %s", strerror(errno));
    return dt_error_set(e, DT_E_UNAVAILABLE,
                        "the name service \"%s\" does not answer; start it, or remove it from "
                        "\"group\" in " SWITCH_FILE,
                        s->name);
}

static bool has_answered(enum nss_status status)
{
    return status == NSS_STATUS_SUCCESS || status == NSS_STATUS_NOTFOUND;
}

static int compare_gids(void const *a, void const *b)
{
    gid_t x = *(gid_t const *)a, y = *(gid_t const *)b;

    return x < y ? -1 : x > y;
}

/* Leaves the first where it is. */
static size_t drop_repeated(gid_t *gids, size_t count)
{
    size_t kept = 1;

    qsort(gids + 1, count - 1, sizeof(*gids), compare_gids);
    for (size_t i = 1; i < count; i++) {
        if (gids[i] != gids[0] && (kept == 1 || gids[i] != gids[kept - 1]))
            gids[kept++] = gids[i];
    }
    return kept;
}

static int ask_sources(sources const *all, found_groups *g, dt_error *e)
{
    for (size_t i = 0; i < all->count; i++) {
        source const *s = &all->all[i];
        enum nss_status status = groups_of(s, g);

        if (!has_answered(status))
            return not_answering(s, e);
        if (g->count > DT_NAME_SERVICE_GROUPS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "the user is in more than %d groups",
                                DT_NAME_SERVICE_GROUPS_MAX);
        if ((all->strict || status != NSS_STATUS_SUCCESS) && s->ends[index_of(status)])
            break;
    }
    return DT_OK;
}

int dt_name_service_groups(char const *user, gid_t primary, gid_t **gids, size_t *count,
                           dt_error *e)
{
    found_groups g = {.user = user, .primary = primary, .size = GIDS_FIRST};
    sources all;
    int rc = read_sources(true, &all, e);

    *gids = NULL;
    *count = 0;
    if (rc < 0)
        return rc;
    g.gids = malloc(GIDS_FIRST * sizeof(*g.gids));
    if (g.gids == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    g.gids[g.count++] = primary;
    rc = ask_sources(&all, &g, e);
    if (rc < 0) {
        free(g.gids);
        return rc;
    }
    *gids = g.gids;
    *count = drop_repeated(g.gids, (size_t)g.count);
    return DT_OK;
}

/* --- names ------------------------------------------------------------------------------------ */

static enum nss_status look_for_gid(source const *s, gid_t gid)
{
    enum nss_status status = NSS_STATUS_TRYAGAIN;
    getgrgid_fn *ask = NULL;
    void *module = load_module(s);
    int number = ERANGE;

    if (module == NULL)
        return NSS_STATUS_UNAVAIL;
    if (!find_function(module, s, "getgrgid_r", &ask))
        return NSS_STATUS_NOTFOUND;
    for (size_t size = ENTRY_FIRST;
         status == NSS_STATUS_TRYAGAIN && number == ERANGE && size <= ENTRY_MAX; size *= 4) {
        struct group gr;
        char *buf = malloc(size);

        if (buf == NULL)
            return NSS_STATUS_TRYAGAIN;
        status = ask(gid, &gr, buf, size, &number);
        free(buf);
    }
    return status;
}

int dt_name_service_is_nameless(gid_t gid, dt_error *e)
{
    sources all;
    int rc = read_sources(false, &all, e);

    for (size_t i = 0; rc == DT_OK && i < all.count; i++) {
        /* Whether /etc/group can be read has shown when the user was looked for in it. */
        enum nss_status status =
            is_files(&all.all[i]) ? NSS_STATUS_NOTFOUND : look_for_gid(&all.all[i], gid);

        if (status != NSS_STATUS_NOTFOUND)
            rc = not_answering(&all.all[i], e);
        else if (all.all[i].ends[index_of(status)])
            break;
    }
    return rc;
}
