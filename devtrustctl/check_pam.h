/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether devtrust is asked at each PAM service of a system, and how somebody could get around it. */
#ifndef DT_CTL_CHECK_PAM_H
#define DT_CTL_CHECK_PAM_H

#include "edge/site.h"

#define DT_PAM_FINDINGS_MAX 64 /* of one service */
#define DT_PAM_TEXT_MAX 1024

/* From the best to the worst; a service is as bad as the worst that was found. */
typedef enum dt_pam_verdict {
    DT_PAM_NOTE = 0, /* of a finding: it changes nothing */
    DT_PAM_PROTECTED,
    DT_PAM_NOT_PROTECTED,
    DT_PAM_CANNOT_WORK,
    DT_PAM_BYPASS,
} dt_pam_verdict;
/* "protected", "not protected", "cannot work", "can be bypassed"; "note". */
char const *dt_pam_verdict_name(dt_pam_verdict v);

typedef struct dt_pam_finding {
    dt_pam_verdict verdict;
    char place[DT_PAM_TEXT_MAX]; /* file:line, or an option; "" = nowhere */
    char text[DT_PAM_TEXT_MAX];  /* what is so */
    char way[DT_PAM_TEXT_MAX];   /* the answers of modules that lead past devtrust; "" = none */
    char write[DT_PAM_TEXT_MAX]; /* what to write; "" = nothing */
} dt_pam_finding;

typedef struct dt_pam_report {
    char const *service;
    char const *gives; /* what a sign-on there gives */
    dt_pam_verdict verdict;
    dt_pam_finding findings[DT_PAM_FINDINGS_MAX];
    size_t count;
} dt_pam_report;

typedef struct dt_pam_check {
    char const *root;        /* before all paths; "" = this system */
    char const *sshd;        /* the program; NULL: /usr/sbin/sshd */
    char const *sshd_config; /* NULL: its own */
    char const *user;        /* whose sshd options count, beside root's; NULL: nobody */
    bool skip_sshd;
    dt_site const *site; /* or NULL */
} dt_pam_check;

/* Hands each service's report to `fn`, sorted by name. DT_E_* where the files could not be read. */
DT_MUST_USE int dt_pam_check_run(dt_pam_check const *c,
                                 void (*fn)(void *ctx, dt_pam_report const *r), void *ctx,
                                 dt_error *e);

#endif
