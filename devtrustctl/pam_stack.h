/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of one kind (auth, account...) of a PAM service, as libpam walks them: what it gives for
 * known answers of the modules, and whether some answers make it succeed without devtrust. Pure.
 *
 * Source of the rules: pam.conf(5), and what libpam 1.5 does, against which a test holds this. */
#ifndef DT_CTL_PAM_STACK_H
#define DT_CTL_PAM_STACK_H

#include "core/base/bytes.h"

#define DT_PAM_LINES_MAX 512    /* of one kind in one service, with all that it includes */
#define DT_PAM_LEVELS_MAX 16    /* substacks in each other; libpam's own limit */
#define DT_PAM_CODES 32         /* return values that modules have */
#define DT_PAM_STATES_MAX 65536 /* looked at for one stack */
#define DT_PAM_WAYS_MAX 16      /* different ways around devtrust that are reported of one stack */

#define DT_PAM_SUCCESS 0
#define DT_PAM_PERM_DENIED 6
#define DT_PAM_AUTH_ERR 7
#define DT_PAM_NEW_AUTHTOK_REQD 12
#define DT_PAM_IGNORE 25
#define DT_PAM_INCOMPLETE 31

/* What libpam does at an answer; a number above 0 jumps over that many lines. */
typedef enum dt_pam_action {
    DT_PAM_DO_IGNORE = 0,
    DT_PAM_DO_OK = -1,
    DT_PAM_DO_DONE = -2,
    DT_PAM_DO_BAD = -3,
    DT_PAM_DO_DIE = -4,
    DT_PAM_DO_RESET = -5,
} dt_pam_action;

typedef enum dt_pam_what {
    DT_PAM_MODULE = 0,
    DT_PAM_MUST_FAIL, /* libpam does not understand the line, and lets it fail */
    DT_PAM_SUBSTACK,  /* the lines after it that have a higher level */
} dt_pam_what;

typedef struct dt_pam_line {
    dt_pam_what what;
    int level; /* 0, or how deep in substacks */
    int actions[DT_PAM_CODES];
    uint32_t codes; /* a bit for each answer that the module may give */
    bool is_devtrust;
    char const *module; /* as written, or "" */
    char const *arguments;
    char const *control; /* as written */
    char const *file;    /* where it stands */
    int number;
} dt_pam_line;

typedef struct dt_pam_stack {
    dt_pam_line lines[DT_PAM_LINES_MAX];
    size_t count;
} dt_pam_stack;

/* Fills the 32 actions from a control value: required, requisite, optional, sufficient, or the inside
 * of [...]. What is not understood makes every answer bad, as in libpam. */
void dt_pam_control_parse(char const *control, int actions[DT_PAM_CODES]);

/* "auth_err" of 7; "" outside of 0 to 31. */
char const *dt_pam_code_name(int code);

/* What libpam gives when line i answers codes[i]. */
int dt_pam_stack_run(dt_pam_stack const *s, int const *codes);

/* How a stack succeeds although devtrust has not let in. */
typedef enum dt_pam_way_kind {
    DT_PAM_WAY_ENDS = 0,  /* the line ends the stack before devtrust's */
    DT_PAM_WAY_JUMPS,     /* it jumps over devtrust's */
    DT_PAM_WAY_OVERRULED, /* devtrust's own control lets its refusal pass */
    DT_PAM_WAY_RESETS,    /* it forgets devtrust's refusal */
} dt_pam_way_kind;

typedef struct dt_pam_way {
    dt_pam_way_kind kind;
    size_t line; /* at fault */
    int code;    /* its answer */
    size_t steps[DT_PAM_LINES_MAX];
    uint8_t codes[DT_PAM_LINES_MAX]; /* of the steps */
    size_t count;
} dt_pam_way;

typedef struct dt_pam_findings {
    bool asks;        /* devtrust has a line */
    bool can_succeed; /* somebody whom devtrust lets in gets in */
    /* devtrust is asked although every module that checks passwords said no */
    bool asks_after_wrong_password;
    size_t asked_line;
    bool too_large; /* DT_PAM_STATES_MAX was not enough: nothing else here is set */
    dt_pam_way ways[DT_PAM_WAYS_MAX];
    size_t way_count;
} dt_pam_findings;

/* Looks for all ways, each other module answering whatever its line's codes allow. `account`: a password
 * that must be changed lets in, too, once it was changed. DT_E_NOMEM. */
DT_MUST_USE int dt_pam_stack_examine(dt_pam_stack const *s, bool account, dt_pam_findings *out);

#endif
