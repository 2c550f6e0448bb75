/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of pam_devtrust.so. It runs in other people's processes (sshd, su, sudo, a screen
 * locker), so it links libpam and libc alone, keeps no global state, changes no signal handler, no
 * environment and no working directory, and never waits past its deadline. Whatever it does not
 * understand is a refusal. */
#ifndef DT_PAM_MODULE_H
#define DT_PAM_MODULE_H

#include "core/base/err.h"
#include "pam_devtrust/protocol/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION
#define PAM_SM_PASSWORD
#include <security/pam_modules.h>

#define DT_PAM_SOCKET_PATH "/run/devtrust/devtrustd.sock"
#define DT_PAM_SERVICE_USER "devtrust"
#define DT_PAM_TIMEOUT_DEFAULT 60 /* seconds: the daemon itself gives up after mfa.wait_pam */
#define DT_PAM_TIMEOUT_MAX 120
#define DT_PAM_FAIL_DELAY_US 2000000 /* after a password that did not let in, as pam_unix has it */
#define DT_PAM_STEP_MS 250       /* longest time between two looks at the client and at signals */
#define DT_PAM_CONNECT_MS 2000   /* longest wait while the daemon's queue of connections is full */
#define DT_PAM_SESSION_MS 500    /* longest wait for a daemon that is to hear of a session */
#define DT_PAM_GRACE_MS 5000     /* left to the daemon after each prompt, however late it is */
#define DT_PAM_PROMPTS_MAX 64    /* of one sign-on */
#define DT_PAM_TAKE_OVER_MS 5000 /* how old a success may be that a second line takes over */
#define DT_PAM_FDS_MAX 4096      /* descriptors looked at for the client's socket */
#define DT_PAM_INFO_MAX 12288 /* bytes of information that waits for the next prompt: a drawing */
#define DT_PAM_SHOWN_AT_ONCE 511 /* bytes of one message to the application: PAM_MAX_MSG_SIZE */
#define DT_PAM_REAP_MS 500       /* for the short-lived parent of `devtrustd --one` */

/* --- args.c: what follows the module's name in the PAM file ------------------------------- */
typedef enum dt_pam_password {
    DT_PAM_NO_PASSWORD = 0,
    DT_PAM_ASK_PASSWORD,   /* password */
    DT_PAM_TRY_FIRST_PASS, /* the one that a module before took; else ask */
    DT_PAM_USE_FIRST_PASS, /* that one, or none */
} dt_pam_password;
typedef struct dt_pam_args {
    dt_pam_password password;
    bool take_passcode; /* only that, and decide nothing */
    char const *socket; /* borrowed from argv */
    char const *daemon;
    int timeout; /* seconds */
} dt_pam_args;
/* False, after a line in syslog, when an argument is unknown or out of bounds. */
DT_MUST_USE bool dt_pam_args_parse(pam_handle_t *pamh, int argc, char const **argv,
                                   dt_pam_args *out);

/* --- link.c: the way to the daemon --------------------------------------------------------------- */
typedef struct dt_link {
    int fd;
    pid_t child; /* that was started for this login, until it is reaped; else 0 */
} dt_link;
/* Connects, or starts `devtrustd --one` where nobody listens and the caller is root. DT_E_UNAVAILABLE
 * or DT_E_PERMISSION after a line in syslog; *out is then closed. */
DT_MUST_USE int dt_link_open(pam_handle_t *pamh, dt_pam_args const *a, int64_t deadline,
                             dt_link *out);
/* Connects, and starts nothing. DT_E_NOT_FOUND where nobody listens. */
DT_MUST_USE int dt_link_find(pam_handle_t *pamh, dt_pam_args const *a, int64_t deadline,
                             dt_link *out);
void dt_link_close(dt_link *l);
/* Monotonic milliseconds. */
int64_t dt_pam_mono(void);

/* --- agent.c: the person's SSH agent --------------------------------------------------------------- */
/* Connected to the agent that SSH_AUTH_SOCK names, which belongs to who called (PAM_RUSER); -1 where
 * there is none. The caller's to close. DT_E_PERMISSION when the process could not become root again:
 * nothing must go on then. */
int dt_agent_connect(pam_handle_t *pamh);

/* --- watch.c: whether the person is still there --------------------------------------------------- */
/* The descriptor of the client's TCP connection that this process has inherited from sshd, or -1. Only
 * where PAM_TTY is "ssh". It stays the caller's. */
int dt_watch_client(pam_handle_t *pamh);
/* A signal that asks to end waits behind a mask, as ^C does in sudo. */
bool dt_watch_signals(void);

/* --- signon.c ------------------------------------------------------------------------------------- */
/* One sign-on: asks the daemon, carries its prompts. `password`: the person's, for Okta to check; ""
 * where another module checks it. Gives a PAM code; PAM_SUCCESS only when the daemon said so in
 * full. */
int dt_pam_signon(pam_handle_t *pamh, dt_pam_phase phase, int flags, dt_pam_args const *a,
                  char const *password);

/* Says that a session was opened or closed, where a daemon runs that may want to know. Never waits long, and nothing
 * depends on it. */
void dt_pam_say_session(pam_handle_t *pamh, dt_pam_args const *a, dt_session_line_said what);

/* --- session_line.c ------------------------------------------------------------------------------- */
/* Whether the first session line of the service is one of ours that can refuse. */
bool dt_pam_session_decides(char const *service);

/* --- password.c ----------------------------------------------------------------------------------- */
/* The password as the arguments say, borrowed from the handle (PAM_AUTHTOK, where it is set for the
 * modules after); *out is "" where none is wanted. A PAM code. */
int dt_pam_password_get(pam_handle_t *pamh, dt_pam_args const *a, char const **out);

/* --- passcode.c ----------------------------------------------------------------------------------- */
/* take_passcode: of "password,123456" leaves the password to the modules behind (PAM_AUTHTOK), and the
 * passcode to our own line. Decides nothing: PAM_IGNORE, or why there is no password. */
int dt_pam_passcode_take(pam_handle_t *pamh);
/* The digits that were taken, wiped with the handle or by dt_pam_passcode_forget; "" = none. */
char const *dt_pam_passcode_get(pam_handle_t *pamh);
void dt_pam_passcode_forget(pam_handle_t *pamh);

/* --- shown.c -------------------------------------------------------------------------------------- */
/* Whether prompts reach the person, as far as the program's options and descriptors say. For sudo
 * (`is_sudo`: its service or its name), and for programs that are called su; of others nothing is known, and
 * their prompts count as shown. `has_answered`: somebody has answered a prompt of another module. */
dt_pam_shown dt_pam_look_whether_shown(bool is_sudo, bool has_answered);

/* True when sudo asks at the terminal, and neither a program nor standard input answers for it. */
bool dt_pam_sudo_asks_at_terminal(void);

/* --- terminal.c ----------------------------------------------------------------------------------- */
/* The terminal on which the program shows its prompts; all zero where there is none, or its size is not known. */
typedef struct dt_pam_terminal {
    uint32_t columns, rows; /* at most DT_PROTOCOL_SIDE_MAX */
    bool utf8;              /* it shows UTF-8 */
} dt_pam_terminal;
/* Known of sudo (`is_sudo`), su and login alone, which show texts as they are, where the person types. */
dt_pam_terminal dt_pam_terminal_look(bool is_sudo);

/* --- pam_code.c ----------------------------------------------------------------------------------- */
/* The one place where an outcome becomes a PAM code. `result` and `cause` as in RESULT. */
int dt_pam_code(uint32_t result, char const *cause);

#endif
