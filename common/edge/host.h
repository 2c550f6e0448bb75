/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only the host knows: clock, randomness, names, groups. */
#ifndef DT_EDGE_HOST_H
#define DT_EDGE_HOST_H

#include "core/base/bytes.h"

#include <sys/types.h>

/* Wall clock in milliseconds. */
dt_time dt_host_now(void);
/* Fresh random bytes from getrandom(2); DT_E_IO when it fails. */
DT_MUST_USE int dt_host_random(void *out, size_t len);
/* 32 random hex digits and a NUL. */
DT_MUST_USE int dt_host_random_id(char out[33]);
/* Ends the process with what stdio holds written out, and without the exit handlers of libraries: those of
 * a PKCS#11 module or TPM may wait for a lock that a thread hanging in the device, or ended in it, holds
 * for ever. For the end of main. */
_Noreturn void dt_host_exit(int status);
/* Minutes that local time is east of UTC at `at`, daylight saving included. DT_E_IO when the time zone
 * is not known. Thread safe. */
DT_MUST_USE int dt_host_utc_offset(dt_time at, int *minutes);
/* The host's name, at most size - 1 characters; "localhost" when unknown. */
void dt_host_name(char *out, size_t size);
/* The account that is opened for a name, by NSS: its name (pw_name) and uid. sssd and others know one by
 * several. `owner` is the name that its uid has, which is another where a uid has several accounts.
 * DT_E_NOT_FOUND, DT_E_UNAVAILABLE, DT_E_LIMIT for one that is longer than DT_HOST_USER_MAX - 1. */
#define DT_HOST_USER_MAX 256
DT_MUST_USE int dt_host_account(char const *user, char account[DT_HOST_USER_MAX],
                                char owner[DT_HOST_USER_MAX], uid_t *uid, dt_error *e);
/* Whether a group is worth keeping, beside the *count names that `kept` has already. */
typedef bool dt_host_group_fn(void *ctx, dt_bytes kept, size_t count, char const *name);
/* The user's groups by NSS: names, NUL-terminated one after another, in `out`; *count of them: those that
 * `keep` wants, or all where it is NULL. All that were looked for are known on DT_OK, whatever was kept.
 * DT_E_NOT_FOUND when the user is unknown, DT_E_UNAVAILABLE when NSS, or a single one of its sources,
 * could not be asked; DT_E_LIMIT when what is kept does not fit. */
DT_MUST_USE int dt_host_groups(char const *user, dt_host_group_fn *keep, void *ctx, dt_buf *out,
                               size_t *count, dt_error *e);
/* Names the login session that a process is in, by what the kernel keeps of it (pam_loginuid(8)): this
 * boot, the audit session's number and its login uid. No process but one with CAP_AUDIT_CONTROL can
 * choose or change that. DT_E_NOT_FOUND when the process is in none, or the kernel keeps none;
 * DT_E_IO; DT_E_LIMIT. */
DT_MUST_USE int dt_host_session_name(pid_t pid, char *out, size_t size);
/* Names the network connection that a server process such as sshd serves, by its first process: this boot,
 * that process's pid and when it started. Every process that the server makes for the connection has the
 * same name, since it is of the same session, runs the same program and shows the same title ("sshd: ...");
 * nothing that the module says goes into it. DT_E_NOT_FOUND when the process is gone; DT_E_IO; DT_E_LIMIT. */
DT_MUST_USE int dt_host_connection(pid_t pid, char *out, size_t size);
/* A process that cannot be taken for another one with its pid: this boot, and when it started, in clock ticks since the
 * boot. DT_E_NOT_FOUND, DT_E_IO, DT_E_LIMIT. */
DT_MUST_USE int dt_host_process(pid_t pid, char *boot, size_t size, int64_t *started);
/* Does that for the first process of a network connection (dt_host_connection), which *pid becomes. */
DT_MUST_USE int dt_host_connection_process(pid_t *pid, char *boot, size_t size, int64_t *started);
/* False only when that process is known to be no more. */
bool dt_host_process_is(char const *boot, pid_t pid, int64_t started);
/* Becomes a user for good: real, effective and saved ids, and groups. Before any thread. DT_E_NOT_FOUND,
 * DT_E_PERMISSION. */
DT_MUST_USE int dt_host_become(char const *user, dt_error *e);
/* No core dumps, no ptrace by others: prctl(PR_SET_DUMPABLE, 0), RLIMIT_CORE 0. For processes of our
 * own, never for a server we are a module of. */
DT_MUST_USE int dt_host_harden(dt_error *e);

#endif
