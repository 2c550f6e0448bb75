/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all parts of devtrustctl share: the form of a command, its exit codes, its output.
 *
 * Whatever is printed may hold names from certificates, Graph or the audit file. So every line goes
 * out through one place that escapes it as a whole: nothing can move the cursor, forge a line or turn
 * the direction of writing. */
#ifndef DT_CTL_CTL_H
#define DT_CTL_CTL_H

#include "core/base/bytes.h"

#define DT_CTL_LINE_MAX (64 * 1024) /* longest line for people; what is longer is cut */

/* The plural's "s" after a count. */
#define DT_S(n) ((n) == 1 ? "" : "s")

typedef enum dt_ctl_exit {
    DT_CTL_YES = 0,       /* done, or: the answer is yes */
    DT_CTL_NO = 1,        /* the answer is no: denied, refused, not found */
    DT_CTL_FAULT = 2,     /* wrong usage, or something is broken */
    DT_CTL_OPEN = 3,      /* neither yes nor no: not everything could be seen */
    DT_CTL_DISAGREES = 4, /* policy prove: the prover and the evaluator do not agree */
    DT_CTL_UNKNOWN = 5, /* explain: there is an answer, but nobody knows such a person; sessions: no
                             such session */
} dt_ctl_exit;

/* A row of the table in main.c. */
typedef struct dt_ctl_command dt_ctl_command;
struct dt_ctl_command {
    char const *name;
    /* argv[0] is the first argument after the command's name. */
    dt_ctl_exit (*run)(dt_ctl_command const *self, int argc, char **argv);
    char const *summary; /* one line */
    char const *usage;   /* what follows the name */
    char const *options; /* lines that explain the arguments */
};

dt_ctl_exit dt_ctl_check_config(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_check_pam(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_explain(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_forget(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_sessions(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_device(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_policy(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_doctor(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_setup(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_log(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_report(dt_ctl_command const *self, int argc, char **argv);
dt_ctl_exit dt_ctl_signals(dt_ctl_command const *self, int argc, char **argv);

/* --- output (output.c) ------------------------------------------------------------------------ */

/* One line to standard output, escaped; the newline is added. */
void dt_out_line(char const *fmt, ...) DT_PRINTF(1, 2);
/* Like dt_out_line, after `head`, which is in this colour (SGR, 0: none) and all our own words. */
void dt_out_coloured(int colour, char const *head, char const *fmt, ...) DT_PRINTF(3, 4);
/* Like dt_out_line, for what is in a buffer. */
void dt_out_buf(dt_buf const *b);
/* Like dt_out_buf; where standard output is a terminal, in lines that fit it, those after the first indented. */
void dt_out_folded(dt_buf const *b);
/* Columns of the terminal that is standard output, by COLUMNS or as it says; 0 where it is not one. */
size_t dt_out_columns(void);
/* Begins an object of JSON for one line of output: --json has one object a line, everywhere. */
void dt_out_begin(dt_buf *b);
/* Appends a member of a JSON object, with a comma before it unless it is the first. */
void dt_out_member(dt_buf *b, char const *name, char const *text);
void dt_out_member_int(dt_buf *b, char const *name, int64_t value);
void dt_out_member_bool(dt_buf *b, char const *name, bool value);
/* A whole object of texts: the list ends with a member without a name; one whose text is NULL is left out. */
typedef struct dt_out_text {
    char const *name, *text;
} dt_out_text;
void dt_out_object(dt_out_text const *members);
/* Ends the object, prints it and frees it. */
void dt_out_finish(dt_buf *b);
/* One line to standard error: "devtrustctl: ...". */
void dt_err_line(char const *fmt, ...) DT_PRINTF(1, 2);
/* The error's text, and DT_CTL_FAULT. */
dt_ctl_exit dt_err_fault(dt_error const *e);
/* Like dt_err_fault, for a wrong command line: also says how to get help. */
dt_ctl_exit dt_err_usage(dt_ctl_command const *self, dt_error const *e);
/* A bar on standard error where that is a terminal, drawn over the one before; `total` below 1 is not
 * known. False, and nothing is written, where it is not a terminal. */
bool dt_err_progress(int64_t done, int64_t total, char const *what);
/* The bar stays as it is, and its line ends. */
void dt_err_progress_end(void);
/* Writes out what is left. DT_CTL_FAULT when standard output did not take everything, else `x`. */
dt_ctl_exit dt_out_end(dt_ctl_exit x);

/* "2026-11-23" of a time, UTC; "never" for DT_TIME_NEVER. Returns out. */
#define DT_DAY_TEXT_MAX 16
char *dt_day_text(char out[DT_DAY_TEXT_MAX], dt_time t);

#endif
