/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a sign-on, and whose calls its outcome counts: what phases and questions are sorted by. */
#ifndef DT_CORE_PART_H
#define DT_CORE_PART_H

/* To what part of a sign-on a phase or a question belongs, and so when a saved machine may be in it. */
typedef enum dt_phase_part {
    DT_PART_NONE = 0,
    DT_PART_LOOKUP, /* the part of the question that is asked */
    DT_PART_EVIDENCE,
    DT_PART_GROUPS,         /* for the decision */
    DT_PART_PASSWORD,       /* is being asked about */
    DT_PART_PASSWORD_RIGHT, /* was found right */
    DT_PART_APP,            /* the first factor is verified; may the person use the app? */
    DT_PART_MFA,
    DT_PART_END, /* what is left to do once the outcome is known */
} dt_phase_part;

/* Whose calls an outcome counts. */
typedef enum dt_called {
    DT_CALLED_OKTA = 0,
    DT_CALLED_OKTA_POLL,
    DT_CALLED_GRAPH,
    DT_CALLED_OCSP,
} dt_called;

#endif
