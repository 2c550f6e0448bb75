/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FreeRADIUS: its configuration as it prints it itself, and who listens on its ports. */
#include "devtrustctl/doctor/gather.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/doctor/raddb.h"
#include "devtrustctl/setup/programs.h"

#include "core/base/expiry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_FILE_MAX (1024 * 1024)
#define INSTANCES_MAX 32
#define NAME_MAX_BYTES 64
#define LINE_MAX_BYTES 1024

/* Of Debian, then of others. */
static struct {
    char const *folder, *program, *unit, *libdir;
} const servers[] = {
    {"/etc/freeradius/3.0", "/usr/sbin/freeradius", "freeradius.service", "/usr/lib/freeradius"},
    {"/etc/raddb", "/usr/sbin/radiusd", "radiusd.service", "/usr/lib64/freeradius"},
};

/* --- which files name devtrust ------------------------------------------------------------------- */

typedef struct names {
    char all[INSTANCES_MAX][NAME_MAX_BYTES];
    size_t count;
    bool asked; /* a site has a line with one of them */
} names;

typedef void word_fn(names *n, char const *first, char const *second);

/* "devtrust {" or "devtrust NAME {" */
static void take_instance(names *n, char const *first, char const *second)
{
    char const *name = strcmp(second, "{") == 0 ? first : second;

    if (strcmp(first, "devtrust") == 0 && *second != '\0' && n->count < INSTANCES_MAX &&
        dt_str_copy(n->all[n->count], NAME_MAX_BYTES, name) == DT_OK)
        n->count++;
}

static void look_for_call(names *n, char const *first, char const *second)
{
    for (size_t i = 0; *second == '\0' && i < n->count; i++)
        n->asked = n->asked || strcmp(first, n->all[i]) == 0;
}

static void each_line(char const *path, names *n, word_fn *fn)
{
    char line[LINE_MAX_BYTES], first[NAME_MAX_BYTES], second[NAME_MAX_BYTES];
    FILE *f = fopen(path, "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        first[0] = second[0] = '\0';
        if (sscanf(line, "%63s %63s", first, second) >= 1)
            fn(n, first, second);
    }
    if (f != NULL)
        (void)fclose(f);
}

/* errno where the folder cannot be read. */
static int each_file(char const *folder, char const *below, names *n, word_fn *fn)
{
    char path[DT_FACT_TEXT_MAX];
    struct dirent const *d;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, below);
    dir = opendir(path);
    if (dir == NULL)
        return errno;
    /* cppcheck-suppress readdirCalled */
    while ((d = readdir(dir)) != NULL) {
        if (d->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s/%s", folder, below, d->d_name);
        each_line(path, n, fn);
    }
    closedir(dir);
    return 0;
}

/* --- who listens --------------------------------------------------------------------------------- */

static unsigned long listening(dt_listener const *l)
{
    char const *const tables[2][2] = {{"/proc/net/udp", "/proc/net/udp6"},
                                      {"/proc/net/tcp", "/proc/net/tcp6"}};
    unsigned long inode = 0;

    for (int i = 0; inode == 0 && i < 2; i++) {
        dt_buf text;

        dt_buf_init(&text, SMALL_FILE_MAX);
        if (dt_plain_file_read(tables[l->tcp][i], &text, NULL) == DT_OK)
            inode = dt_socket_listening(dt_buf_bytes(&text), l->port, l->tcp);
        dt_buf_free(&text);
    }
    return inode;
}

static bool has_socket(char const *pid, unsigned long inode)
{
    char path[NAME_MAX_BYTES + 32], wanted[64], target[64];
    struct dirent const *d;
    bool has = false;
    DIR *dir;

    (void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    (void)snprintf(path, sizeof(path), "/proc/%.32s/fd", pid);
    dir = opendir(path);
    /* cppcheck-suppress readdirCalled */
    while (!has && dir != NULL && (d = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);

        if (n > 0) {
            target[n] = '\0';
            has = strcmp(target, wanted) == 0;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return has;
}

/* "freeradius (process 123)"; "" when it is not seen. *is_radius: it is FreeRADIUS. */
static void name_owner(unsigned long inode, char out[DT_FACT_TEXT_MAX], bool *is_radius)
{
    char path[64], name[NAME_MAX_BYTES] = "";
    struct dirent const *d;
    DIR *dir = opendir("/proc");

    out[0] = '\0';
    /* cppcheck-suppress readdirCalled */
    while (out[0] == '\0' && dir != NULL && (d = readdir(dir)) != NULL) {
        FILE *f;

        if (d->d_name[0] < '0' || d->d_name[0] > '9' || !has_socket(d->d_name, inode))
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%.32s/comm", d->d_name);
        f = fopen(path, "re");
        if (f == NULL || fgets(name, sizeof(name), f) == NULL)
            name[0] = '\0';
        if (f != NULL)
            (void)fclose(f);
        name[strcspn(name, "\n")] = '\0';
        *is_radius = strcmp(name, "freeradius") == 0 || strcmp(name, "radiusd") == 0;
        (void)snprintf(out, DT_FACT_TEXT_MAX, "%s (process %.32s)", name, d->d_name);
    }
    if (dir != NULL)
        closedir(dir);
}

static void set_owner(dt_facts *f, dt_fact_id id, dt_listener const *l, unsigned long inode)
{
    char owner[DT_FACT_TEXT_MAX];
    bool is_radius = false;

    if (f->all[id].state == DT_FACT_NO)
        return;
    name_owner(inode, owner, &is_radius);
    if (owner[0] == '\0')
        dt_fact_set(f, id, DT_FACT_UNSEEN, "who listens on port %u", l->port);
    else
        dt_fact_set(f, id, is_radius ? DT_FACT_YES : DT_FACT_NO, "%.300s listens on port %u", owner,
                    l->port);
}

/* Of several listeners one that nobody serves, or that another serves, counts. */
static void gather_port(dt_listener const *l, dt_facts *f)
{
    dt_fact_id port = l->acct ? DT_FACT_RADIUS_ACCT_PORT : DT_FACT_RADIUS_AUTH_PORT;
    dt_fact_id owner = l->acct ? DT_FACT_RADIUS_ACCT_OWNER : DT_FACT_RADIUS_AUTH_OWNER;
    unsigned long inode = listening(l);

    if (f->all[port].state == DT_FACT_NO)
        return;
    dt_fact_set(f, port, inode != 0 ? DT_FACT_YES : DT_FACT_NO, "%s port %u",
                l->tcp ? "TCP" : "UDP", l->port);
    if (inode != 0)
        set_owner(f, owner, l, inode);
}

static void gather_ports(dt_raddb const *c, dt_facts *f)
{
    for (size_t i = 0; i < c->listener_count; i++)
        gather_port(&c->listeners[i], f);
    if (f->all[DT_FACT_RADIUS_AUTH_PORT].state == DT_FACT_NOT_ASKED)
        dt_fact_set(f, DT_FACT_RADIUS_AUTH_PORT, DT_FACT_NO,
                    "UDP port 1812: no site has a listen section with type = auth");
    if (f->all[DT_FACT_RADIUS_ACCT_PORT].state == DT_FACT_NOT_ASKED)
        dt_fact_set(f, DT_FACT_RADIUS_ACCT_PORT, DT_FACT_NO,
                    "UDP port 1813: no site has a listen section with type = acct");
}

/* --- its certificates ---------------------------------------------------------------------------- */

typedef struct certificate_walk {
    dt_facts *f;
    dt_time now;
    char const *path;
} certificate_walk;

static int look_at_certificate(void *ctx, size_t index, dt_bytes der)
{
    certificate_walk const *w = ctx;
    dt_certificate c;
    dt_expiry x = {.warns_for = DT_EXPIRY_WARNS_FOR};
    char day[DT_DAY_TEXT_MAX];
    bool ends;

    (void)index;
    if ((dt_x509_read(der, &c, NULL) < 0 && c.not_after == 0) ||
        w->f->all[DT_FACT_RADIUS_CERTIFICATE].state == DT_FACT_NO)
        return DT_OK;
    x.end = c.not_after;
    ends = dt_expiry_judge(&x, w->now) != DT_EXPIRY_FAR;
    dt_fact_set(w->f, DT_FACT_RADIUS_CERTIFICATE, ends ? DT_FACT_NO : DT_FACT_YES, "%s: %s %s %s",
                w->path, c.subject, x.end <= w->now ? "expired on" : "until",
                dt_day_text(day, c.not_after));
    return DT_OK;
}

static void gather_certificates(dt_raddb const *c, dt_time now, dt_facts *f)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        certificate_walk w = {.f = f, .now = now, .path = c->certificates[i]};

        if (dt_certificate_file_each(w.path, look_at_certificate, &w, NULL) < 0 &&
            f->all[DT_FACT_RADIUS_CERTIFICATE].state == DT_FACT_NOT_ASKED)
            dt_fact_set(f, DT_FACT_RADIUS_CERTIFICATE, DT_FACT_UNSEEN, "%s cannot be read", w.path);
    }
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void gather_module(char const *libdir, dt_facts *f)
{
    char path[DT_FACT_TEXT_MAX + 32];

    (void)snprintf(path, sizeof(path), "%.500s/rlm_devtrust.so", libdir);
    dt_fact_set(f, DT_FACT_RADIUS_MODULE, access(path, F_OK) == 0 ? DT_FACT_YES : DT_FACT_NO, "%s",
                path);
}

/* It starts all modules, as the server's user, and ends. */
static void gather_config(size_t which, dt_time now, dt_facts *f)
{
    char const *const argv[] = {servers[which].program, "-XC", NULL};
    dt_raddb *c = calloc(1, sizeof(*c));
    dt_error e = {0};
    dt_buf out;
    int rc;

    if (c == NULL)
        return;
    dt_buf_init(&out, DT_PROGRAM_OUTPUT_MAX);
    rc = dt_program_run(argv, &out, &e);
    dt_raddb_read(dt_buf_bytes(&out), c);
    dt_buf_free(&out);
    dt_fact_set(f, DT_FACT_RADIUS_CONFIG, rc == DT_OK ? DT_FACT_YES : DT_FACT_NO, "%s", e.text);
    gather_module(c->libdir[0] != '\0' ? c->libdir : servers[which].libdir, f);
    gather_certificates(c, now, f);
    if (rc == DT_OK)
        gather_ports(c, f);
    free(c);
}

static void gather_server(size_t which, dt_time now, dt_facts *f)
{
    char const *folder = servers[which].folder;
    names n = {.count = 0};
    int error = each_file(folder, "mods-enabled", &n, take_instance);

    if (error != 0) {
        dt_fact_set(f, DT_FACT_RADIUS_CONFIG, DT_FACT_UNSEEN,
                    "whether FreeRADIUS asks devtrust: %s/mods-enabled: %s", folder,
                    strerror(error));
        return;
    }
    if (n.count == 0)
        return;
    (void)each_file(folder, "sites-enabled", &n, look_for_call);
    dt_fact_set(f, DT_FACT_RADIUS_SITE, n.asked ? DT_FACT_YES : DT_FACT_NO, "%s/sites-enabled",
                folder);
    if (f->systemd)
        dt_fact_set(f, DT_FACT_RADIUS_BOOT,
                    dt_doctor_unit_is_enabled(servers[which].unit) ? DT_FACT_YES : DT_FACT_NO, "%s",
                    servers[which].unit);
    if (geteuid() == 0)
        gather_config(which, now, f);
    else
        dt_fact_set(f, DT_FACT_RADIUS_CONFIG, DT_FACT_UNSEEN,
                    "only root can have FreeRADIUS check its configuration");
}

bool dt_doctor_gather_radius(dt_time now, dt_facts *out)
{
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        if (access(servers[i].program, X_OK) != 0)
            continue;
        gather_server(i, now, out);
        return out->all[DT_FACT_RADIUS_SITE].state != DT_FACT_NOT_ASKED;
    }
    return false;
}
