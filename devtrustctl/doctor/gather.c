/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/doctor/gather.h"

#include "devtrustctl/pam_files.h"
#include "devtrustctl/setup/programs.h"
#include "devtrustctl/signals.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE_USER "devtrust"
#define MODULE "pam_devtrust.so"
#define SYSTEMD_RUNS "/run/systemd/system"
#define SYSTEMCTL "/usr/bin/systemctl"
#define OUTPUT_MAX 4096

/* --- PAM --------------------------------------------------------------------------------------- */

static char const *module_of(dt_pam_service const *s)
{
    for (int k = 0; k < DT_PAM_KINDS; k++) {
        for (size_t i = 0; i < s->stacks[k].count; i++) {
            char const *module = s->stacks[k].lines[i].module;
            char const *slash = strrchr(module, '/');

            if (strcmp(slash != NULL ? slash + 1 : module, MODULE) == 0)
                return module;
        }
    }
    return NULL;
}

/* What the first service that names the module calls it. False: none does. */
static bool find_module(char out[DT_PAM_PATH_MAX])
{
    char *names[DT_PAM_SERVICES_MAX];
    size_t count = 0;
    bool found = false;

    if (dt_pam_services("", names, &count, NULL) < 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        dt_pam_service *s = NULL;
        char const *module =
            !found && dt_pam_service_read("", names[i], &s, NULL) == DT_OK ? module_of(s) : NULL;

        if (module != NULL)
            found = dt_str_copy(out, DT_PAM_PATH_MAX, module) == DT_OK;
        dt_pam_service_free(&s);
        free(names[i]);
    }
    return found;
}

/* False where no service names the module. */
static bool gather_pam(dt_facts *f)
{
    char module[DT_PAM_PATH_MAX], path[DT_PAM_PATH_MAX + sizeof(DT_PAM_FOLDER) + 1];

    if (!find_module(module))
        return false;
    (void)snprintf(path, sizeof(path), "%s%s%s", module[0] != '/' ? DT_PAM_FOLDER : "",
                   module[0] != '/' ? "/" : "", module);
    dt_fact_set(f, DT_FACT_PAM_MODULE, access(path, F_OK) == 0 ? DT_FACT_YES : DT_FACT_NO, "%s",
                path);
    return true;
}

/* --- the daemon -------------------------------------------------------------------------------- */

bool dt_doctor_unit_is_enabled(char const *unit)
{
    char const *const argv[] = {SYSTEMCTL, "is-enabled", "--quiet", unit, NULL};
    dt_buf out;
    int rc;

    dt_buf_init(&out, OUTPUT_MAX);
    rc = dt_program_run(argv, &out, NULL);
    dt_buf_free(&out);
    return rc == DT_OK;
}

/* 0, or errno. */
static int try_socket(char const *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;

    if (fd < 0)
        return errno;
    if (dt_str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
        error = ENAMETOOLONG;
    else if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        error = errno;
    close(fd);
    return error;
}

static void gather_socket(dt_config const *c, dt_facts *f)
{
    char const *path = c->daemon.socket;
    int error = try_socket(path);

    if (error == EACCES || error == EPERM)
        dt_fact_set(f, DT_FACT_DAEMON_SOCKET, DT_FACT_UNSEEN,
                    "only root can see whether devtrustd answers at %s", path);
    else if (error == 0 || error == EAGAIN) /* it is busy */
        dt_fact_set(f, DT_FACT_DAEMON_SOCKET, DT_FACT_YES, "%s", path);
    else
        dt_fact_set(f, DT_FACT_DAEMON_SOCKET, DT_FACT_NO, "%s (%s)", path, strerror(error));
}

static void gather_daemon(dt_config const *c, dt_facts *f)
{
    bool boots;

    dt_fact_set(f, DT_FACT_DAEMON_PROGRAM,
                access(DT_DAEMON_PATH, X_OK) == 0 ? DT_FACT_YES : DT_FACT_NO, "%s", DT_DAEMON_PATH);
    /* There is no second thread. */
    /* cppcheck-suppress getpwnamCalled */
    dt_fact_set(f, DT_FACT_SERVICE_USER, getpwnam(SERVICE_USER) != NULL ? DT_FACT_YES : DT_FACT_NO,
                "%s", SERVICE_USER);
    if (c != NULL)
        gather_socket(c, f);
    if (!f->systemd)
        return;
    boots = dt_doctor_unit_is_enabled("devtrustd.socket") ||
            dt_doctor_unit_is_enabled("devtrustd.service");
    dt_fact_set(f, DT_FACT_DAEMON_BOOT, boots ? DT_FACT_YES : DT_FACT_NO, "devtrustd");
}

/* --- signals ------------------------------------------------------------------------------------ */

static void gather_signals(dt_config const *c, dt_facts *f)
{
    static dt_fact_state const states[] = {[DT_SIGNALS_NOT_ASKED] = DT_FACT_NOT_ASKED,
                                           [DT_SIGNALS_UNSEEN] = DT_FACT_UNSEEN,
                                           [DT_SIGNALS_FINE] = DT_FACT_YES,
                                           [DT_SIGNALS_WRONG] = DT_FACT_NO};
    char about[DT_SIGNALS_ABOUT_MAX];
    dt_signals_state const state = dt_signals_look(c, about);

    dt_fact_set(f, DT_FACT_SIGNALS, states[state], "%s", about);
}

/* --- the clock --------------------------------------------------------------------------------- */

/* The kernel knows whether something disciplines its clock (adjtimex(2), STA_UNSYNC). */
static void gather_clock(dt_facts *f)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);

    if (state < 0)
        dt_fact_set(f, DT_FACT_CLOCK, DT_FACT_UNSEEN, "the state of the clock: %s",
                    strerror(errno));
    else if (state == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
        dt_fact_set(f, DT_FACT_CLOCK, DT_FACT_NO, "the kernel calls it not synchronized");
    else
        dt_fact_set(f, DT_FACT_CLOCK, DT_FACT_YES, "%s", "");
}

void dt_doctor_gather_host(dt_config const *c, dt_facts *out)
{
    out->systemd = access(SYSTEMD_RUNS, F_OK) == 0 && access(SYSTEMCTL, X_OK) == 0;
    if (gather_pam(out))
        gather_daemon(c, out);
    if (c != NULL)
        gather_signals(c, out);
    gather_clock(out);
}
