/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From facts to findings. Pure. */
#ifndef DT_DOCTOR_JUDGE_H
#define DT_DOCTOR_JUDGE_H

#include "devtrustctl/doctor/facts.h"
#include "devtrustctl/finding.h"

#define DT_DOCTOR_TEXT_MAX 1024

/* A finding with texts of its own; those that are "" are left out. */
typedef struct dt_diagnosis {
    dt_finding_status status;
    char const *check; /* static */
    char what[DT_DOCTOR_TEXT_MAX], why[DT_DOCTOR_TEXT_MAX], todo[DT_DOCTOR_TEXT_MAX];
} dt_diagnosis;

/* What a fact comes to. False where there is nothing to say. */
bool dt_doctor_judge(dt_facts const *f, dt_fact_id id, dt_diagnosis *out);
/* The name of a fact's finding, such as "pam.module". */
char const *dt_doctor_check_name(dt_fact_id id);

#endif
