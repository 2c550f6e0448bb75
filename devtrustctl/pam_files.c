/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/pam_files.h"

#include "devtrustctl/certificate_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEVTRUST "pam_devtrust.so"
#define OTHER "other"
#define ANY DT_PAM_KINDS

static char const *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
static char const conf_file[] = "/etc/pam.conf";

char const *dt_pam_kind_name(dt_pam_kind k)
{
    static char const *const names[DT_PAM_KINDS] = {"auth", "account", "session", "password"};

    return k < DT_PAM_KINDS ? names[k] : "";
}

/* --- reading one service ----------------------------------------------------------------------- */

typedef struct reading {
    char const *root;
    dt_pam_service *s;
    dt_error *e;
} reading;

/* Where a file is that is being read. */
typedef struct place {
    char const *path;    /* as it is printed */
    char const *service; /* whose lines count, where the first word names one; NULL in pam.d */
    int number;
    int kind; /* of the lines that are wanted, or ANY */
    int depth;
    int level;
} place;

static char const *keep(reading *r, dt_bytes text)
{
    char *copy = r->s->text_count < sizeof(r->s->texts) / sizeof(r->s->texts[0])
                     ? strndup((char const *)text.p, text.len)
                     : NULL;

    if (copy != NULL)
        r->s->texts[r->s->text_count++] = copy;
    return copy;
}

static int read_file(reading *r, place const *p);

static bool is_file(char const *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The file of a name, as libpam looks for it, without the root before it. */
static bool find_file(char const *root, char const *name, char out[DT_PAM_PATH_MAX])
{
    char full[2 * DT_PAM_PATH_MAX];

    if (name[0] == '/') {
        snprintf(full, sizeof(full), "%s%s", root, name);
        return dt_str_copy(out, DT_PAM_PATH_MAX, name) == DT_OK && is_file(full);
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        int len = snprintf(out, DT_PAM_PATH_MAX, "%s/%s", directories[i], name);

        snprintf(full, sizeof(full), "%s%s", root, out);
        if (len > 0 && len < DT_PAM_PATH_MAX && is_file(full))
            return true;
    }
    return false;
}

/* --- words ------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* The next word, ended by a NUL; what stands in [...] is one, without the brackets. NULL at the end. */
static char *next_word(char **at)
{
    char *from = *at, *to, *end;

    while (is_blank(*from))
        from++;
    if (*from == '\0')
        return NULL;
    if (*from != '[') {
        for (end = from; *end != '\0' && !is_blank(*end); end++)
            ;
        *at = *end != '\0' ? end + 1 : end;
        *end = '\0';
        return from;
    }
    for (to = end = ++from; *end != '\0' && *end != ']'; end++) {
        if (end[0] == '\\' && end[1] == ']')
            end++;
        *to++ = *end;
    }
    *at = *end != '\0' ? end + 1 : end;
    *to = '\0';
    return from;
}

/* --- what a module may answer ------------------------------------------------------------------ */

#define BIT(code) (UINT32_C(1) << (code))

static char const *base_name(char const *path)
{
    char const *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* A line that takes a passcode off after the password, and decides nothing. */
static bool only_takes(char const *arguments)
{
    static char const word[] = "take_passcode";

    for (char const *at = arguments; *at != '\0'; at += strspn(at, " \t")) {
        size_t len = strcspn(at, " \t");

        if (len == strlen(word) && strncmp(at, word, len) == 0)
            return true;
        at += len;
    }
    return false;
}

/* devtrust's own refusals are all codes but these; elsewhere only what cannot be otherwise is left out. */
static uint32_t codes_of(char const *module, bool is_devtrust)
{
    char const *name = base_name(module);

    if (strcmp(name, DEVTRUST) == 0 && !is_devtrust)
        return ~(BIT(DT_PAM_SUCCESS) | BIT(DT_PAM_NEW_AUTHTOK_REQD) | BIT(DT_PAM_INCOMPLETE));

    if (is_devtrust)
        return ~(BIT(DT_PAM_IGNORE) | BIT(DT_PAM_NEW_AUTHTOK_REQD) | BIT(DT_PAM_INCOMPLETE));
    if (strcmp(name, "pam_permit.so") == 0)
        return BIT(DT_PAM_SUCCESS);
    if (strcmp(name, "pam_deny.so") == 0)
        return BIT(DT_PAM_AUTH_ERR) | BIT(DT_PAM_PERM_DENIED);
    if (strcmp(name, "pam_warn.so") == 0)
        return BIT(DT_PAM_IGNORE);
    return ~BIT(DT_PAM_INCOMPLETE);
}

/* --- lines ------------------------------------------------------------------------------------- */

static int add_line(reading *r, place const *p, int kind, dt_pam_line line)
{
    dt_pam_stack *stack = &r->s->stacks[kind];

    if (stack->count == DT_PAM_LINES_MAX)
        return dt_error_set(r->e, DT_E_LIMIT, "%s:%d: more than %d lines of kind %s in one service",
                            p->path, p->number, DT_PAM_LINES_MAX,
                            dt_pam_kind_name((dt_pam_kind)kind));
    line.file = p->path;
    line.number = p->number;
    line.level = p->level;
    line.module = line.module != NULL ? line.module : "";
    line.arguments = line.arguments != NULL ? line.arguments : "";
    line.control = line.control != NULL ? line.control : "";
    line.is_devtrust = line.what == DT_PAM_MODULE &&
                       strcmp(base_name(line.module), DEVTRUST) == 0 && !only_takes(line.arguments);
    line.codes = codes_of(line.module, line.is_devtrust);
    stack->lines[stack->count++] = line;
    return DT_OK;
}

static int add_failing(reading *r, place const *p, int kind, char const *control)
{
    dt_pam_line line = {.what = DT_PAM_MUST_FAIL, .control = control};

    dt_pam_control_parse(control, line.actions);
    return add_line(r, p, kind, line);
}

/* What is included cannot be read. libpam puts a line there that fails; at an @include it gives up, or, in
 * a file that is included itself, takes the actions of some line before. */
static int cannot_include(reading *r, place const *p, int kind, bool whole)
{
    if (!whole)
        return add_failing(r, p, kind, "required");
    if (r->s->broken[0] == '\0')
        snprintf(r->s->broken, sizeof(r->s->broken), "%s:%d", p->path, p->number);
    return DT_OK;
}

/* `whole`: all kinds that are wanted, as @include has it. */
static int include(reading *r, place const *p, int kind, char const *name, bool whole,
                   bool substack)
{
    char path[DT_PAM_PATH_MAX];
    place inner = {.kind = kind, .depth = p->depth + 1, .level = p->level + substack};
    dt_pam_line line = {.what = DT_PAM_SUBSTACK, .module = name};
    int rc = substack ? add_line(r, p, kind, line) : DT_OK;

    if (rc < 0)
        return rc;
    if (name == NULL || inner.depth >= DT_PAM_LEVELS_MAX || !find_file(r->root, name, path))
        return cannot_include(r, p, kind, whole);
    inner.path = keep(r, dt_bytes_str(path));
    if (inner.path == NULL)
        return dt_error_set(r->e, DT_E_LIMIT, "%s: too many files and lines", path);
    return read_file(r, &inner);
}

static int kind_of(char const *word)
{
    word += word[0] == '-';
    for (int k = 0; k < DT_PAM_KINDS; k++) {
        if (dt_str_equal_nocase(word, dt_pam_kind_name((dt_pam_kind)k)))
            return k;
    }
    return -1;
}

static int add_module(reading *r, place const *p, int kind, char const *control, char *rest)
{
    char *module = next_word(&rest);
    dt_pam_line line = {.what = module != NULL ? DT_PAM_MODULE : DT_PAM_MUST_FAIL};

    while (is_blank(*rest))
        rest++;
    line.control = keep(r, dt_bytes_str(control));
    line.module = module != NULL ? keep(r, dt_bytes_str(module)) : NULL;
    line.arguments = keep(r, dt_bytes_str(rest));
    dt_pam_control_parse(control, line.actions);
    return add_line(r, p, kind, line);
}

/* A line with something on it, without its comment; changed while it is read. */
static int take_line(reading *r, place const *p, char *text)
{
    char *word, *control;
    int kind;

    if (p->service != NULL &&
        ((word = next_word(&text)) == NULL || !dt_str_equal_nocase(word, p->service)))
        return DT_OK;
    word = next_word(&text);
    if (word == NULL)
        return add_failing(r, p, p->kind != ANY ? p->kind : DT_PAM_AUTH, "required");
    if (dt_str_equal_nocase(word, "@include")) /* Debian's own */
        return include(r, p, p->kind, next_word(&text), true, false);
    kind = kind_of(word);
    if (kind < 0)
        return add_failing(r, p, p->kind != ANY ? p->kind : DT_PAM_AUTH, "required");
    if (p->kind != ANY && kind != p->kind)
        return DT_OK;
    control = next_word(&text);
    if (control == NULL)
        return add_failing(r, p, kind, "");
    if (dt_str_equal_nocase(control, "include") || dt_str_equal_nocase(control, "substack"))
        return include(r, p, kind, next_word(&text), false,
                       dt_str_equal_nocase(control, "substack"));
    return add_module(r, p, kind, control, text);
}

/* --- files ------------------------------------------------------------------------------------- */

/* Puts together what backslashes at the ends of lines continue, cuts what follows a #. Gives the
 * end of what it read. */
static char *assemble(char *at, int *number, dt_buf *out)
{
    bool goes_on = true;

    dt_buf_reset(out);
    while (goes_on && *at != '\0') {
        size_t len = strcspn(at, "\n");
        size_t text = strcspn(at, "#\n");

        goes_on = false;
        while (text == len && text > 0 && is_blank(at[text - 1]))
            text--;
        if (text > 0 && at[text - 1] == '\\' && at[strcspn(at, "#\n")] != '#') {
            goes_on = true;
            text--;
        }
        dt_buf_put(out, at, text);
        dt_buf_putc(out, ' ');
        at += len + (at[len] == '\n');
        (*number)++;
    }
    return at;
}

static int take_text(reading *r, place const *p, char *text)
{
    dt_buf line;
    int number = 0, rc = DT_OK;
    place here = *p;

    dt_buf_init(&line, DT_PAM_FILE_MAX);
    while (rc == DT_OK && *text != '\0') {
        here.number = number + 1;
        text = assemble(text, &number, &line);
        if (dt_buf_error(&line) < 0)
            rc = dt_error_set(r->e, DT_E_LIMIT, "%s:%d: too long", p->path, here.number);
        else if (line.len > 0 && strspn((char *)line.p, " \t") < line.len)
            rc = take_line(r, &here, (char *)line.p);
    }
    dt_buf_free(&line);
    return rc;
}

static int read_file(reading *r, place const *p)
{
    char full[2 * DT_PAM_PATH_MAX];
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_PAM_FILE_MAX);
    snprintf(full, sizeof(full), "%s%s", r->root, p->path);
    rc = dt_plain_file_read(full, &text, r->e);
    if (rc == DT_OK && text.len > 0 && memchr(text.p, '\0', text.len) != NULL)
        rc = dt_error_set(r->e, DT_E_PARSE, "%s: contains a NUL byte", p->path);
    if (rc == DT_OK && text.len > 0)
        rc = take_text(r, p, (char *)text.p);
    dt_buf_free(&text);
    return rc;
}

static bool has_directory(char const *root)
{
    char full[2 * DT_PAM_PATH_MAX];
    struct stat st;

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        snprintf(full, sizeof(full), "%s%s", root, directories[i]);
        if (stat(full, &st) == 0 && S_ISDIR(st.st_mode))
            return true;
    }
    return false;
}

static int read_named(reading *r, char const *name)
{
    char path[DT_PAM_PATH_MAX];
    place p = {.kind = ANY};

    if (!has_directory(r->root)) {
        p.path = conf_file;
        p.service = name;
        return read_file(r, &p);
    }
    if (!find_file(r->root, name, path))
        return DT_OK;
    p.path = keep(r, dt_bytes_str(path));
    return p.path != NULL ? read_file(r, &p) : DT_E_NOMEM;
}

/* Kinds that the service does not have are those of "other". */
static int take_other(reading *r)
{
    dt_pam_service *own = r->s, *other = calloc(1, sizeof(*other));
    int rc;

    if (other == NULL)
        return dt_error_set(r->e, DT_E_NOMEM, "out of memory");
    r->s = other;
    rc = read_named(r, OTHER);
    r->s = own;
    for (int k = 0; rc == DT_OK && k < DT_PAM_KINDS; k++) {
        if (own->stacks[k].count > 0)
            continue;
        own->stacks[k] = other->stacks[k];
        own->of_other[k] = true;
    }
    for (size_t i = 0; i < other->text_count; i++) {
        if (rc == DT_OK && own->text_count < sizeof(own->texts) / sizeof(own->texts[0]))
            own->texts[own->text_count++] = other->texts[i];
        else
            rc = rc < 0 ? rc : dt_error_set(r->e, DT_E_LIMIT, "too many files and lines");
    }
    if (own->broken[0] == '\0')
        memcpy(own->broken, other->broken, sizeof(own->broken));
    free(other);
    return rc;
}

int dt_pam_service_read(char const *root, char const *name, dt_pam_service **out, dt_error *e)
{
    reading r = {.root = root, .e = e};
    int rc;

    *out = r.s = calloc(1, sizeof(*r.s));
    if (r.s == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    rc = read_named(&r, name);
    return rc == DT_OK ? take_other(&r) : rc;
}

void dt_pam_service_free(dt_pam_service **s)
{
    if (*s == NULL)
        return;
    for (size_t i = 0; i < (*s)->text_count; i++)
        free((*s)->texts[i]);
    free(*s);
    *s = NULL;
}

/* --- which services there are ------------------------------------------------------------------ */

/* Files that services include, and what editors and packages leave behind. libpam makes a service's name
 * lower case, so that another is never found. */
static bool is_service(char const *name)
{
    static char const *const parts[] = {
        "system-auth",     "system-auth-ac",  "password-auth",      "password-auth-ac",
        "postlogin",       "postlogin-ac",    "fingerprint-auth",   "smartcard-auth",
        "system-account",  "system-login",    "system-local-login", "system-remote-login",
        "system-services", "system-password", "system-session",     "config-util"};

    if (name[0] == '.' || strncmp(name, "common-", 7) == 0 ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] != '\0')
        return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(name, parts[i]) == 0)
            return false;
    }
    return strstr(name, ".dpkg-") == NULL && strstr(name, ".rpm") == NULL &&
           strstr(name, ".pam-old") == NULL && strstr(name, ".bak") == NULL &&
           strstr(name, ".orig") == NULL;
}

static int add_name(char const *name, char *names[DT_PAM_SERVICES_MAX], size_t *count, dt_error *e)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0)
            return DT_OK;
    }
    if (*count == DT_PAM_SERVICES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "more than %d PAM services", DT_PAM_SERVICES_MAX);
    names[*count] = strdup(name);
    if (names[*count] == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    (*count)++;
    return DT_OK;
}

static int list_directory(char const *path, char *names[DT_PAM_SERVICES_MAX], size_t *count,
                          dt_error *e)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int rc = DT_OK;

    if (d == NULL)
        return errno == ENOENT ? DT_OK : dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (rc == DT_OK && (entry = readdir(d)) != NULL) {
        if (is_service(entry->d_name))
            rc = add_name(entry->d_name, names, count, e);
    }
    closedir(d);
    return rc;
}

/* The first words of pam.conf. */
static int list_conf(char const *root, char *names[DT_PAM_SERVICES_MAX], size_t *count, dt_error *e)
{
    char full[2 * DT_PAM_PATH_MAX];
    dt_buf text, line;
    int number = 0;
    int rc;

    dt_buf_init(&text, DT_PAM_FILE_MAX);
    dt_buf_init(&line, DT_PAM_FILE_MAX);
    snprintf(full, sizeof(full), "%s%s", root, conf_file);
    rc = dt_plain_file_read(full, &text, e);
    for (char *at = (char *)text.p; rc == DT_OK && text.len > 0 && *at != '\0';) {
        char *word, *rest;

        at = assemble(at, &number, &line);
        rest = (char *)line.p;
        word = rest != NULL ? next_word(&rest) : NULL;
        if (word != NULL && is_service(word))
            rc = add_name(word, names, count, e);
    }
    dt_buf_free(&line);
    dt_buf_free(&text);
    return rc;
}

static int compare(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dt_pam_services(char const *root, char *names[DT_PAM_SERVICES_MAX], size_t *count, dt_error *e)
{
    char full[2 * DT_PAM_PATH_MAX];
    int rc = DT_OK;

    *count = 0;
    if (!has_directory(root))
        rc = list_conf(root, names, count, e);
    else
        for (size_t i = 0; rc == DT_OK && i < sizeof(directories) / sizeof(directories[0]); i++) {
            snprintf(full, sizeof(full), "%s%s", root, directories[i]);
            rc = list_directory(full, names, count, e);
        }
    qsort(names, *count, sizeof(*names), compare);
    return rc;
}
