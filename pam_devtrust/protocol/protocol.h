/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pam_devtrust.so and devtrustd say to each other: one message per SOCK_SEQPACKET packet, laid
 * out as pam_devtrust/PROTOCOL says. Both sides link this file; it needs libc and nothing else, and
 * of the core only the list of error codes. Nothing here keeps state: thread safe.
 * socket.c defines what sends and receives messages, and dt_lock_screen_path. */
#ifndef DT_PAM_PROTOCOL_H
#define DT_PAM_PROTOCOL_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DT_PROTOCOL_VERSION 1
#define DT_PROTOCOL_HEADER 8 /* version, type, two zero bytes, length of the fields */

/* Longest values, their NUL not counted. */
#define DT_PROTOCOL_START_MAX 31                  /* of a PAM_RHOST that is too long */
#define DT_PROTOCOL_NAME_MAX 255                  /* user, ruser, rhost, tty */
#define DT_PROTOCOL_SERVICE_MAX 63                /* an application's name */
#define DT_PROTOCOL_SSH_AUTH_INFO_MAX (64 * 1024) /* DT_SSH_AUTH_INFO_MAX */
#define DT_PROTOCOL_TEXT_MAX 511                  /* a prompt, a message */
#define DT_PROTOCOL_ANSWER_MAX 511                /* PAM_MAX_RESP_SIZE */
#define DT_PROTOCOL_PASSWORD_MAX 511
#define DT_PROTOCOL_PASSCODE_MAX 48 /* its digits, what a YubiKey types, or the word for a factor */
#define DT_PROTOCOL_CAUSE_MAX 47
#define DT_PROTOCOL_LOGIN_SESSION_MAX 63
#define DT_PROTOCOL_PROMPTS_MAX 10000 /* highest number of a prompt */
#define DT_PROTOCOL_SIDE_MAX 1000 /* columns or rows of a terminal; a larger one counts as this */

/* Longest packets: to the daemon, and from it. */
#define DT_PROTOCOL_REQUEST_MAX (72 * 1024)
#define DT_PROTOCOL_REPLY_MAX 2048

typedef enum dt_message_type {
    DT_MESSAGE_NONE = 0,
    DT_MESSAGE_REQUEST, /* module: who wants in where */
    DT_MESSAGE_PROMPT,  /* daemon: show this */
    DT_MESSAGE_ANSWER,  /* module: what the person typed */
    DT_MESSAGE_CANCEL,  /* module: the person left */
    DT_MESSAGE_RESULT,  /* daemon: the outcome, and the end */
    DT_MESSAGE_SESSION, /* module: a session was opened or closed; there is no answer */
    DT_MESSAGE_TYPES,
} dt_message_type;

typedef enum dt_pam_phase {
    DT_PAM_NO_PHASE = 0,
    DT_PAM_AUTH,
    DT_PAM_ACCOUNT,
    DT_PAM_SESSION, /* sshd's: the key is known, and nothing can be asked */
    DT_PAM_EARLY,   /* account of sshd, which reports the key at the session: that decides */
} dt_pam_phase;

typedef enum dt_prompt_style {
    DT_PROMPT_NO_STYLE = 0,
    DT_PROMPT_HIDDEN, /* what is typed is not shown */
    DT_PROMPT_SHOWN,
    DT_PROMPT_INFO, /* no answer is wanted */
} dt_prompt_style;

/* What a SESSION says. */
typedef enum dt_session_line_said {
    DT_SESSION_LINE_NONE = 0,
    DT_SESSION_LINE_OPENED,
    DT_SESSION_LINE_CLOSED,
} dt_session_line_said;

/* 0 is not valid on the wire: a missing value is refused. */
typedef enum dt_answer_result {
    DT_RESULT_NONE = 0,
    DT_RESULT_ALLOW,
    DT_RESULT_DENY,
    DT_RESULT_PASS,  /* neither: only reported; see DT_REPORT_ONLY_AFTER_KEY */
    DT_RESULT_LATER, /* to EARLY alone: the session decides */
} dt_answer_result;

/* The cause of a PASS to AUTH where sshd has verified the person's key: that was the first factor, and no other module
 * of such a stack succeeds. */
#define DT_REPORT_ONLY_AFTER_KEY "REPORT_ONLY_AFTER_KEY"

/* Whether the prompts of a REQUEST reach the person. */
typedef enum dt_pam_shown {
    DT_PAM_SHOWN = 0,
    DT_PAM_SHOWN_UNPROVEN, /* it may be that nobody sees and answers any */
    DT_PAM_SHOWN_NOT,      /* nobody sees them, though they may be answered */
} dt_pam_shown;

/* One message. Texts are borrowed: from the caller when it is encoded, from the packet when it is
 * decoded. A text that is not there is "" (never NULL) after decoding; NULL encodes as "". */
typedef struct dt_message {
    dt_message_type type;
    /* REQUEST */
    uint32_t phase; /* dt_pam_phase */
    uint32_t pid;   /* of the caller; for the log only */
    uint32_t shown; /* dt_pam_shown */
    /* The terminal on which the person sees prompts, as the program shows them. 0: not known, and then none of the
     * three is sent: an older daemon refuses a request that names them. */
    uint32_t columns, rows;
    uint32_t utf8; /* 1: it shows UTF-8 */
    char const *service;
    char const *user;
    char const *rhost;
    char const *rhost_start; /* of one that is longer than a name may be, which is not in `rhost` */
    char const *tty;
    char const *ruser;
    /* As the name service of the caller's process gives them; "" = it gives none. */
    char const *account; /* pw_name of `user` */
    char const *owner;   /* the name that its uid has; another one where a uid has several */
    char const *caller;  /* the name of the real uid */
    char const
        *ruser_account;   /* the name that the uid of `ruser` has; only where the real uid is 0 */
    char const *password; /* the person's, for Okta to check; wipe the packet after use */
    char const *passcode; /* that came after the password; wipe the packet after use */
    char const *ssh_auth_info; /* SSH_AUTH_INFO_0; the daemon decides whether it counts */
    /* SESSION, which has service, user, tty and who of REQUEST, too */
    uint32_t what;             /* dt_session_line_said */
    char const *login_session; /* XDG_SESSION_ID, which pam_systemd sets */
    /* PROMPT, ANSWER */
    uint32_t number; /* prompts are counted from 1; an answer repeats its prompt's number */
    uint32_t style;  /* dt_prompt_style */
    char const *text;
    char const *answer; /* wipe the packet after use: it may be a passcode */
    /* RESULT */
    uint32_t result;   /* dt_answer_result */
    char const *cause; /* dt_cause_name() */
    char const *message;
} dt_message;

/* Bytes the message takes as a packet; 0 when it is not a valid message. */
size_t dt_message_size(dt_message const *m);

/* Writes the packet into `out` of `cap` bytes and sets *len. DT_E_INVALID for a value that is out of
 * bounds or missing, DT_E_LIMIT when it does not fit. */
DT_MUST_USE int dt_message_encode(dt_message const *m, uint8_t *out, size_t cap, size_t *len);

/* Reads one whole packet. Strict: another version, an unknown type or field, a field given twice,
 * missing, too long, with a NUL inside or with a number out of range, a length that does not fit,
 * bytes left over are all DT_E_PARSE, and *out is then zero. Texts in *out point into `packet`. */
DT_MUST_USE int dt_message_decode(uint8_t const *packet, size_t len, dt_message *out);

/* Encodes and sends without waiting and without SIGPIPE; the copy is wiped. DT_E_GONE when the other
 * side has left or takes nothing more, DT_E_INVALID, DT_E_NOMEM, DT_E_IO. */
DT_MUST_USE int dt_message_send(int fd, dt_message const *m);

/* The same, and passes the descriptor along (-1: none), which stays the caller's. */
DT_MUST_USE int dt_message_send_passing(int fd, dt_message const *m, int passed);

/* Takes one packet that is there already, without waiting, into `buf` of `cap` bytes and reads it.
 * 0; DT_E_NOT_FOUND when none is there; DT_E_GONE at the end; DT_E_PARSE for a packet that is
 * longer than `cap` or not valid; DT_E_IO. */
DT_MUST_USE int dt_message_receive(int fd, uint8_t *buf, size_t cap, dt_message *out);
/* The same, and takes a descriptor that was passed along, which is the caller's then; *passed is -1
 * when there was none, or with an error. More than one is DT_E_PARSE. dt_message_receive takes none:
 * the kernel closes what was passed. */
DT_MUST_USE int dt_message_receive_passed(int fd, uint8_t *buf, size_t cap, dt_message *out,
                                          int *passed);
/* Takes one packet that is there already and sends it on as it is, but for descriptors: those are
 * closed, by the kernel and in this thread. What was in `buf`, of `cap` bytes, is wiped. 0;
 * DT_E_NOT_FOUND when none is there; DT_E_GONE at the end, or when the other side takes nothing more;
 * DT_E_PARSE for one that is longer than `cap`; DT_E_IO. */
DT_MUST_USE int dt_message_pass_on(int from, int to, uint8_t *buf, size_t cap);

#define DT_SOCKET_PATH_MAX 108 /* of struct sockaddr_un, unix(7), with its NUL */

/* Where modules of callers other than root ask: lock-screen.sock, beside the daemon's socket. DT_E_INVALID
 * for a path that is not absolute or does not fit. */
DT_MUST_USE int dt_lock_screen_path(char const *socket, char out[DT_SOCKET_PATH_MAX]);

#endif
