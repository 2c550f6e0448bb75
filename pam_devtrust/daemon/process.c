/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devtrustd makes of its own process before it reads any file. */
#include "pam_devtrust/daemon/daemon.h"

#include "edge/host.h"
#include "pam_devtrust/protocol/inherited.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOLVER_OPTIONS "timeout:2" /* seconds for each name server: resolv.conf(5) */

int dt_process_begin(bool one, dt_error *e)
{
    static char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    int error = 0;

    if (one && geteuid() == 0) {
        /* The module has done the same. It is done again for whoever else starts us so. */
        error = dt_inherited_reset();
        if (clearenv() != 0 || putenv(search) != 0)
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
    } else {
        dt_inherited_reset_signals();
    }
    /* A name server that does not answer is given up before the call is (DT_HTTP_CONNECT_TIMEOUT_MS), so that the
     * next one in resolv.conf can answer; by itself the C library waits for 5 s. */
    (void)setenv("RES_OPTIONS", RESOLVER_OPTIONS, 0);
    if (error == 0)
        error = dt_inherited_fill_standard_files();
    return error == 0 ? DT_OK
                      : dt_error_set(e, DT_E_IO, "the inherited state cannot be reset: %s",
                                     strerror(error));
}

int dt_process_detach(dt_error *e)
{
    pid_t child = fork();

    if (child < 0)
        return dt_error_set(e, DT_E_IO, "fork: %s", strerror(errno));
    if (child > 0)
        _exit(0); /* nobody reads this status */
    return DT_OK;
}

/* Real, effective and saved, so that none of them can be had back; where a setuid program started us,
 * its caller's real uid could otherwise send us signals. */
static int become_user(char const *name, uid_t uid, gid_t gid, dt_error *e)
{
    uid_t r, f, s;

    if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0 || getresuid(&r, &f, &s) != 0 || r != uid || f != uid ||
        s != uid)
        return dt_error_set(e, DT_E_PERMISSION, "cannot become user %s: %s", name, strerror(errno));
    return DT_OK;
}

static int change_user(char const *user, dt_error *e)
{
    struct passwd const *pw;

    if (geteuid() != 0)
        return user == NULL ? DT_OK
                            : dt_error_set(e, DT_E_PERMISSION, "only root can use --user %s", user);
    /* There is no second thread yet. */
    /* cppcheck-suppress getpwnamCalled */
    pw = getpwnam(user != NULL ? user : DT_DAEMON_SERVICE_USER);
    if (pw != NULL)
        return become_user(pw->pw_name, pw->pw_uid, pw->pw_gid, e);
    if (user != NULL)
        return dt_error_set(e, DT_E_NOT_FOUND, "--user %s: unknown user", user);
    return become_user("root", 0, 0, e);
}

bool dt_thread_start(void *(*fn)(void *), void *ctx)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ok = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
              pthread_attr_setstacksize(&attributes, DT_DAEMON_THREAD_STACK) == 0 &&
              pthread_create(&thread, &attributes, fn, ctx) == 0;

    pthread_attr_destroy(&attributes);
    return ok;
}

int dt_process_settle(char const *user, dt_error *e)
{
    struct rlimit files;
    int rc = change_user(user, e);

    if (rc < 0)
        return rc;
    umask(077);
    if (chdir("/") != 0)
        return dt_error_set(e, DT_E_IO, "chdir: %s", strerror(errno));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* fewer sign-ons at a time, then */
    }
    return dt_host_harden(e);
}
