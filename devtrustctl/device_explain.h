/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device explain: the verdict on files that devices could show. */
#ifndef DT_CTL_DEVICE_EXPLAIN_H
#define DT_CTL_DEVICE_EXPLAIN_H

#include "devtrustctl/ctl.h"

#include "edge/site.h"
#include "edge/store.h"

/* What the caller says that the files are. */
typedef enum dt_explain_as {
    DT_EXPLAIN_AS_SHOWN = 0, /* an X.509 certificate with its intermediates after it, PEM or DER, or
                                 an OpenSSH certificate's line */
    DT_EXPLAIN_AS_MANAGED,   /* managed app configurations of this host */
    DT_EXPLAIN_AS_CLAIMS,    /* attributes of a VPN client (dt_vpn_attributes_read) */
} dt_explain_as;

/* All is borrowed. */
typedef struct dt_explain_files {
    dt_site const *files;
    dt_store *store; /* of AS_CLAIMS: where the aliases are; read only */
    dt_explain_as as;
    char const *user; /* of AS_MANAGED: who signs on, as typed */
    char const
        *ocsp_answer; /* a file with an OCSP responder's answer (DER), as if it had come where
                                one would be asked; NULL: none */
    dt_time now;
    bool json;
} dt_explain_files;

/* Judges each file as it were shown at `now`, by a device that has proved its key, and prints the
 * verdict, the reason and the device id, in text or as one JSON object a line. YES when all are trusted;
 * NO; FAULT when a file could not be read. Nobody is asked. */
dt_ctl_exit dt_device_explain(dt_explain_files const *x, char const *const *paths, size_t count);

#endif
