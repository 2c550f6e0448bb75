/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What doctor sees of a host, apart from what it says about it: gather.c and raddb_gather.c fill the facts, judge.c
 * judges them. A fact is YES when all is well. */
#ifndef DT_DOCTOR_FACTS_H
#define DT_DOCTOR_FACTS_H

#include "core/base/bytes.h"

#define DT_FACT_TEXT_MAX 512

typedef enum dt_fact_state {
    DT_FACT_NOT_ASKED = 0, /* it does not matter here */
    DT_FACT_UNSEEN,        /* this user may not see it, or it could not be read */
    DT_FACT_YES,
    DT_FACT_NO,
} dt_fact_state;

typedef struct dt_fact {
    dt_fact_state state;
    char about[DT_FACT_TEXT_MAX]; /* which file or port; of UNSEEN why it was not seen */
} dt_fact;

typedef enum dt_fact_id {
    DT_FACT_PAM_MODULE = 0,    /* it is where libpam looks for it */
    DT_FACT_DAEMON_PROGRAM,    /* devtrustd is installed */
    DT_FACT_SERVICE_USER,      /* the user devtrust exists */
    DT_FACT_DAEMON_SOCKET,     /* devtrustd answers */
    DT_FACT_DAEMON_BOOT,       /* and will after the next boot */
    DT_FACT_RADIUS_MODULE,     /* rlm_devtrust.so is installed */
    DT_FACT_RADIUS_SITE,       /* a site that is enabled asks devtrust */
    DT_FACT_RADIUS_CONFIG,     /* freeradius -XC is content */
    DT_FACT_RADIUS_AUTH_PORT,  /* somebody listens where requests are awaited */
    DT_FACT_RADIUS_AUTH_OWNER, /* and that is FreeRADIUS */
    DT_FACT_RADIUS_ACCT_PORT,  /* the same for accounting */
    DT_FACT_RADIUS_ACCT_OWNER,
    DT_FACT_RADIUS_CERTIFICATE, /* the server's certificates for EAP do not end soon */
    DT_FACT_RADIUS_BOOT,
    DT_FACT_SIGNALS, /* devtrust-signals hears those whom the configuration names */
    DT_FACT_CLOCK,   /* something keeps the clock right */
    DT_FACT_COUNT,
} dt_fact_id;

typedef struct dt_facts {
    bool systemd; /* runs here: its commands are what to type */
    dt_fact all[DT_FACT_COUNT];
} dt_facts;

void dt_fact_set(dt_facts *f, dt_fact_id id, dt_fact_state state, char const *fmt, ...)
    DT_PRINTF(4, 5);

#endif
