/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs in through libpam and nothing else, as the smallest program that authenticates; and measures
 * what such a process takes with one PAM configuration and another, in turns.
 *
 *   pam_login login CONFDIR SERVICE USER SSH_AUTH_INFO
 *   pam_login rate SECONDS SERVICE USER SSH_AUTH_INFO CONFDIR CLIENTS
 *     So many processes log in one time after another; prints the logins of all of them, per second.
 *   pam_login time RUNS SERVICE USER SSH_AUTH_INFO CONFDIR...
 *     Prints one line for each directory: the median wall time of the whole process, milliseconds. */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_appl.h>

#define RUNS_MAX 10000
#define DIRECTORIES_MAX 4
#define CLIENTS_MAX 1024

extern char **environ;

/* Nobody is there to be asked: a login that is not silent fails. */
static int refuse(int n, struct pam_message const **messages, struct pam_response **out, void *data)
{
    (void)n;
    (void)messages;
    (void)out;
    (void)data;
    return PAM_CONV_ERR;
}

static int login(char const *directory, char const *service, char const *user, char const *info)
{
    struct pam_conv conversation = {.conv = refuse};
    pam_handle_t *pam = NULL;
    char setting[8192];
    int status = pam_start_confdir(service, user, &conversation, directory, &pam);

    if (status != PAM_SUCCESS)
        return status;
    snprintf(setting, sizeof(setting), "SSH_AUTH_INFO_0=%s\n", info);
    status = pam_putenv(pam, setting);
    if (status == PAM_SUCCESS)
        status = pam_authenticate(pam, 0);
    if (status == PAM_SUCCESS)
        status = pam_acct_mgmt(pam, 0);
    pam_end(pam, status);
    return status;
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds from before the process is made until it is gone; negative when it was refused. */
static int64_t time_one(char *const *argv)
{
    int64_t start = now_ns();
    int status = 0;
    pid_t pid;

    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? now_ns() - start : -1;
}

static int compare(void const *a, void const *b)
{
    int64_t x = *(int64_t const *)a;
    int64_t y = *(int64_t const *)b;

    return (x > y) - (x < y);
}

static int time_all(int runs, char **what, char **directories, int n)
{
    static int64_t took[DIRECTORIES_MAX][RUNS_MAX];
    static char self[] = "pam_login";
    static char verb[] = "login";

    for (int run = 0; run < runs; run++) {
        for (int i = 0; i < n; i++) {
            char *argv[] = {self, verb, directories[i], what[0], what[1], what[2], NULL};

            took[i][run] = time_one(argv);
            if (took[i][run] < 0) {
                fprintf(stderr, "pam_login: %s: refused\n", directories[i]);
                return EXIT_FAILURE;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        qsort(took[i], (size_t)runs, sizeof(int64_t), compare);
        int64_t median = took[i][runs / 2];

        printf("%s %.4f\n", directories[i], (double)median / 1e6);
    }
    return EXIT_SUCCESS;
}

/* One client: logs in until the time is over, and writes how many logins that were; -1 when one was refused. */
static void be_client(int64_t end, char **what, int out)
{
    long count = 0;

    while (count >= 0 && now_ns() < end)
        count = login(what[3], what[0], what[1], what[2]) == PAM_SUCCESS ? count + 1 : -1;
    _exit(write(out, &count, sizeof(count)) == sizeof(count) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int rate(int seconds, char **what, int clients)
{
    int64_t const end = now_ns() + (int64_t)seconds * 1000000000;
    long all = 0, count;
    int ends[2];

    if (clients < 1 || clients > CLIENTS_MAX || pipe(ends) != 0)
        return EXIT_FAILURE;
    for (int i = 0; i < clients; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return EXIT_FAILURE;
        if (pid == 0)
            be_client(end, what, ends[1]);
    }
    for (int i = 0; i < clients; i++) {
        if (read(ends[0], &count, sizeof(count)) != sizeof(count) || count < 0) {
            fputs("pam_login: a login was refused\n", stderr);
            return EXIT_FAILURE;
        }
        all += count;
    }
    while (wait(NULL) > 0) {
    }
    printf("rate %.1f\n", (double)all / seconds);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[2]) : 0;

    if (argc == 6 && strcmp(argv[1], "login") == 0)
        return login(argv[2], argv[3], argv[4], argv[5]) == PAM_SUCCESS ? EXIT_SUCCESS
                                                                        : EXIT_FAILURE;
    if (argc > 6 && argc - 6 <= DIRECTORIES_MAX && strcmp(argv[1], "time") == 0 && runs > 0 &&
        runs <= RUNS_MAX)
        return time_all(runs, argv + 3, argv + 6, argc - 6);
    if (argc == 8 && strcmp(argv[1], "rate") == 0 && runs > 0)
        return rate(runs, argv + 3, atoi(argv[7]));
    fputs("usage: pam_login login CONFDIR SERVICE USER SSH_AUTH_INFO\n"
          "       pam_login rate SECONDS SERVICE USER SSH_AUTH_INFO CONFDIR CLIENTS\n"
          "       pam_login time RUNS SERVICE USER SSH_AUTH_INFO CONFDIR...\n",
          stderr);
    return 2;
}
