/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the sign-ons of some days, counted in tables: by application, verdict, reason, rule, factor; whom
 * report-only mode would refuse; which devices are about to lose trust. Any number of events goes through in constant
 * memory. Pure, but for memory. html.c defines dt_report_html. */
#ifndef DT_CTL_REPORT_H
#define DT_CTL_REPORT_H

#include "devtrustctl/audit_event.h"

#define DT_REPORT_ROWS_MAX 200 /* values that a table holds; further ones are counted as others */
#define DT_REPORT_TEXT_MAX 200 /* bytes of a text that a table holds */
#define DT_REPORT_NAMES_MAX 4  /* columns with texts */
#define DT_REPORT_AHEAD DT_DAYS(30) /* a certificate that ends within it is about to */

/* Each bin is a tenth wider than the one before: a percentile is at most a tenth too high. */
#define DT_REPORT_BINS 160

/* How long sign-ons took. */
typedef struct dt_report_waits {
    uint64_t count;
    uint32_t bins[DT_REPORT_BINS];
} dt_report_waits;

typedef struct dt_report_row {
    char names[DT_REPORT_NAMES_MAX][DT_REPORT_TEXT_MAX];
    uint64_t hash;
    uint64_t sign_ons, allowed, refused, reported;
    dt_report_waits waits; /* of sign-ons in which a factor was asked for */
    dt_time last;
} dt_report_row;

/* id, title, what its numbers are, heads of the text columns (NULL: none) */
#define DT_REPORT_TABLES(X)                                                                        \
    X(APPLICATIONS, "applications", "By application", true, "Application", NULL, NULL, NULL)       \
    X(VERDICTS, "verdicts", "By verdict on the device", true, "Verdict", "Reason", NULL, NULL)     \
    X(CAUSES, "causes", "By how they ended", true, "Result", "Cause", NULL, NULL)                  \
    X(RULES, "rules", "By rule", true, "Application", "Rule", NULL, NULL)                          \
    X(FACTORS, "factors", "By factor", true, "Factor", NULL, NULL, NULL)                           \
    X(WOULD, "wouldDeny", "What enforcing would refuse", false, "Person", "Device", "Application", \
      "Cause")                                                                                     \
    X(LOSING, "losingTrust", "Devices about to lose trust", false, "Device", "Name", "Person",     \
      "Why")

typedef enum dt_report_kind {
#define DT_REPORT_KIND(kind, ...) DT_REPORT_##kind,
    DT_REPORT_TABLES(DT_REPORT_KIND)
#undef DT_REPORT_KIND
        DT_REPORT_KINDS
} dt_report_kind;

typedef struct dt_report_table {
    char const *id, *title;
    bool outcomes; /* how many were let in and refused, and how long they took, means something */
    char const *heads[DT_REPORT_NAMES_MAX];
    dt_report_row *rows; /* after dt_report_finish the largest first */
    size_t count;
    dt_report_row others; /* what found no room; its names are empty */
} dt_report_table;

typedef struct dt_report_data {
    dt_report_table tables[DT_REPORT_KINDS];
    dt_report_row all;
    dt_time first, last; /* of the events that were counted; 0: none was */
} dt_report_data;

/* NULL without memory. Free with dt_report_free. */
dt_report_data *dt_report_new(void);
void dt_report_free(dt_report_data **r);
/* Counts an event; those that end no sign-on (of devices, of reloads) count for devices alone. */
void dt_report_add(dt_report_data *r, dt_audit_event const *event);
/* A certificate that is enrolled and ends soon, or has ended. */
void dt_report_add_certificate(dt_report_data *r, char const *device, char const *name,
                               dt_time not_after, dt_time now);
/* Sorts the tables. */
void dt_report_finish(dt_report_data *r);
/* The wait that so many of a hundred did not exceed, in milliseconds; -1 where none was counted. */
int64_t dt_report_percentile(dt_report_waits const *w, unsigned percent);

/* One page of HTML, appended. Every text of an event is escaped. `now` and `since` stand in its head. */
void dt_report_html(dt_report_data const *r, dt_time since, dt_time until, char const *notes,
                    dt_time now, dt_buf *out);

#endif
