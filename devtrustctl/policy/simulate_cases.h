/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons at the edges of an org's rules: each group and user that a rule names and nobody of them, the
 * first and last address of each network and those beside them, each platform, each state of a device. Pure:
 * made of the document that was fetched. */
#ifndef DT_CTL_SIMULATE_CASES_H
#define DT_CTL_SIMULATE_CASES_H

#include "core/base/json.h"
#include "core/policy/policy.h"

#define DT_SIMULATE_VALUES_MAX 500 /* of one kind */
#define DT_SIMULATE_CASES_MAX 1000

typedef struct dt_simulate_person {
    char const *group; /* an id; or */
    char const *user;  /* an id; both NULL: in no group that a rule names */
} dt_simulate_person;

/* A sign-on: which of the values below. */
typedef struct dt_simulate_case {
    uint16_t person, address, platform, device;
} dt_simulate_case;

/* Texts are borrowed from the document. */
typedef struct dt_simulate_cases {
    dt_simulate_person people[DT_SIMULATE_VALUES_MAX];
    dt_ip addresses[DT_SIMULATE_VALUES_MAX];
    size_t people_count, address_count;
    dt_simulate_case items[DT_SIMULATE_CASES_MAX];
    size_t count;
    size_t left_out; /* cases beyond `most` */
    bool values_left_out;
} dt_simulate_cases;

/* The words of platforms that the API takes, and what they are here; NULL past the last. */
char const *dt_simulate_platform(size_t i, dt_platform *out);
/* Not registered; registered; registered and managed. False past the last. */
bool dt_simulate_device(size_t i, bool *registered, bool *managed);

/* `entry` is the policy's in `document`. At most `most` cases are made. */
void dt_simulate_cases_make(dt_json const *document, dt_json const *entry, size_t most,
                            dt_simulate_cases *out);

#endif
