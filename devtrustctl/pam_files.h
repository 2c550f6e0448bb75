/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PAM services of a system as its files have them: pam.d with everything that is included, or
 * pam.conf. Reads as libpam does; nothing is loaded or run. */
#ifndef DT_CTL_PAM_FILES_H
#define DT_CTL_PAM_FILES_H

#include "devtrustctl/pam_stack.h"

#define DT_PAM_FILE_MAX (256 * 1024) /* longest file */
#define DT_PAM_SERVICES_MAX 512      /* most services of a system */
#define DT_PAM_TEXTS_MAX 8192        /* paths, controls, modules and arguments of one service */
#define DT_PAM_PATH_MAX 1024

typedef enum dt_pam_kind {
    DT_PAM_AUTH = 0,
    DT_PAM_ACCOUNT,
    DT_PAM_SESSION,
    DT_PAM_PASSWORD,
    DT_PAM_KINDS,
} dt_pam_kind;
/* "auth", ... */
char const *dt_pam_kind_name(dt_pam_kind k);

typedef struct dt_pam_service {
    dt_pam_stack stacks[DT_PAM_KINDS];
    /* An @include that cannot be read, with which libpam refuses everything: file:line; "" = none. */
    char broken[DT_PAM_PATH_MAX];
    bool of_other[DT_PAM_KINDS];   /* the service has no such line: libpam takes those of "other" */
    char *texts[DT_PAM_TEXTS_MAX]; /* what the lines point into */
    size_t text_count;
} dt_pam_service;

/* Names of the services below root ("" = this system), sorted, without files that are only included.
 * Each is the caller's to free. DT_E_NOT_FOUND, DT_E_IO, DT_E_LIMIT with the directory. */
DT_MUST_USE int dt_pam_services(char const *root, char *names[DT_PAM_SERVICES_MAX], size_t *count,
                                dt_error *e);

/* Reads one service. A service without a file of its own is that of "other". DT_E_NOT_FOUND where there is
 * nothing at all; DT_E_IO, DT_E_LIMIT, DT_E_PARSE with file and line. Free it in any case. */
DT_MUST_USE int dt_pam_service_read(char const *root, char const *name, dt_pam_service **out,
                                    dt_error *e);
void dt_pam_service_free(dt_pam_service **s);

#endif
