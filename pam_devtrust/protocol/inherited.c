/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls alone, and those of the C library that are no more than that: between fork and exec of
 * a process with several threads, nothing else may be used (signal-safety(7)). */
#include "pam_devtrust/protocol/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define LAST_STANDARD_FILE 2
#define TIMER_SLACK_NS 50000UL /* what init starts with: prctl(2), PR_SET_TIMERSLACK */
#define IO_PRIORITY_OF_PROCESS 1
#define OWN_MASK 077

#define FILES_MAX 1024
#define FILES_NEEDED 64
#define STACK_BYTES (8UL * 1024 * 1024)
#define STACK_NEEDED (512UL * 1024)
#define MEMLOCK_BYTES (8UL * 1024 * 1024)
#define QUEUE_BYTES 819200UL
#define NO_LIMIT RLIM_INFINITY

typedef struct own_limit {
    int resource;
    rlim_t soft, hard;
    rlim_t needed;    /* below this, a sign-on could end half done */
    char const *name; /* as prlimit(1) has it */
} own_limit;

/* Those of a process that systemd starts, except that nothing of ours dumps core. */
static own_limit const own_limits[] = {
    {RLIMIT_AS, NO_LIMIT, NO_LIMIT, NO_LIMIT, "as"},
    {RLIMIT_CORE, 0, 0, 0, "core"},
    {RLIMIT_CPU, NO_LIMIT, NO_LIMIT, NO_LIMIT, "cpu"},
    {RLIMIT_DATA, NO_LIMIT, NO_LIMIT, NO_LIMIT, "data"},
    {RLIMIT_FSIZE, NO_LIMIT, NO_LIMIT, NO_LIMIT, "fsize"},
    {RLIMIT_LOCKS, NO_LIMIT, NO_LIMIT, 0, "locks"},
    {RLIMIT_MEMLOCK, MEMLOCK_BYTES, MEMLOCK_BYTES, 0, "memlock"},
    {RLIMIT_MSGQUEUE, QUEUE_BYTES, QUEUE_BYTES, 0, "msgqueue"},
    {RLIMIT_NICE, 0, 0, 0, "nice"},
    {RLIMIT_NOFILE, FILES_MAX, FILES_MAX, FILES_NEEDED, "nofile"},
    {RLIMIT_NPROC, NO_LIMIT, NO_LIMIT, 0, "nproc"},
    {RLIMIT_RSS, NO_LIMIT, NO_LIMIT, 0, "rss"},
    {RLIMIT_RTPRIO, 0, 0, 0, "rtprio"},
    {RLIMIT_RTTIME, NO_LIMIT, NO_LIMIT, 0, "rttime"},
    {RLIMIT_SIGPENDING, NO_LIMIT, NO_LIMIT, 0, "sigpending"},
    {RLIMIT_STACK, STACK_BYTES, NO_LIMIT, STACK_NEEDED, "stack"},
};
#define OWN_LIMITS (sizeof(own_limits) / sizeof(own_limits[0]))

/* Where the hard limit cannot be lifted, at least all of it is used. */
static void reset_limit(own_limit const *own)
{
    struct rlimit now;
    struct rlimit wanted = {.rlim_cur = own->soft, .rlim_max = own->hard};

    if (setrlimit(own->resource, &wanted) == 0 || getrlimit(own->resource, &now) != 0)
        return;
    now.rlim_cur = own->soft < now.rlim_max ? own->soft : now.rlim_max;
    (void)setrlimit(own->resource, &now);
}

char const *dt_inherited_limit_in_the_way(void)
{
    struct rlimit now;

    for (size_t i = 0; i < OWN_LIMITS; i++) {
        if (getrlimit(own_limits[i].resource, &now) != 0 || now.rlim_cur < own_limits[i].needed)
            return own_limits[i].name;
    }
    return NULL;
}

void dt_inherited_reset_signals(void)
{
    static int const ignored[] = {SIGPIPE, SIGXFSZ};
    static int const timers[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    struct itimerval const off = {0};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
        (void)setitimer(timers[i], &off, NULL);
    for (int number = 1; number <= SIGRTMAX; number++)
        (void)sigaction(number, &action, NULL); /* SIGKILL, SIGSTOP: never anything else */
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)sigaction(ignored[i], &action, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As system calls: the C library's functions would speak to threads that a forked child does not have.
 * The real uid goes too: its owner could send us signals. */
static int reset_ids(void)
{
    if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, 0, 0, 0) != 0 ||
        syscall(SYS_setresuid, 0, 0, 0) != 0)
        return errno;
    return 0;
}

/* How eagerly the kernel runs us, wakes us, and picks us when memory runs out. None of it can let
 * anybody in, so what fails is passed over. */
static void reset_scheduling(void)
{
    struct sched_param const ordinary = {0};
    int fd;

    (void)sched_setscheduler(0, SCHED_OTHER, &ordinary);
    (void)setpriority(PRIO_PROCESS, 0, 0);
    (void)syscall(SYS_ioprio_set, IO_PRIORITY_OF_PROCESS, 0, 0);
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    (void)personality(PER_LINUX);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

int dt_inherited_reset(void)
{
    int error = reset_ids();

    if (error != 0)
        return error;
    dt_inherited_reset_signals();
    for (size_t i = 0; i < OWN_LIMITS; i++)
        reset_limit(&own_limits[i]);
    reset_scheduling();
    (void)umask(OWN_MASK);
    return chdir("/") == 0 ? 0 : errno;
}

int dt_inherited_fill_standard_files(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return errno;
    } while (fd <= LAST_STANDARD_FILE);
    close(fd);
    return 0;
}
