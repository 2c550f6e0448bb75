/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor --device and --user: what stands between one device, or one person, and a sign-on. */
#ifndef DT_DOCTOR_SUBJECT_H
#define DT_DOCTOR_SUBJECT_H

#include "devtrustctl/finding.h"

#include "edge/site.h"

#define DT_DOCTOR_FACTORS_MAX 32

/* What the org says of a person, and what doctor judges of it. */
typedef struct dt_person_facts {
    char login[DT_LOGIN_MAX];
    char status[32];  /* Okta's word, such as ACTIVE; "" = the org does not know them */
    unsigned factors; /* that are active and known to us: dt_factor_type bits */
    size_t unusable;  /* active ones that devtrust does not do */
    unsigned allowed; /* by [mfa] factors */
    char const *org_url;
} dt_person_facts;

typedef void dt_subject_say(void *ctx, dt_finding_status status, char const *check,
                            char const *what, char const *why, char const *todo);
/* Pure: the findings "user.okta" and "user.factors". */
void dt_person_judge(dt_person_facts const *p, dt_subject_say *say, void *ctx);

/* `device`: an id, or the path of a certificate. */
void dt_doctor_device(dt_site const *site, char const *device, dt_time now, dt_findings *f);
void dt_doctor_person(dt_site const *site, char const *user, dt_findings *f);

#endif
