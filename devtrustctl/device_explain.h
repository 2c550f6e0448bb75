/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device explain: the verdict on files that devices could show. */
#ifndef DT_CTL_DEVICE_EXPLAIN_H
#define DT_CTL_DEVICE_EXPLAIN_H

#include "devtrustctl/ctl.h"

#include "core/signon.h"

/* Judges each file as it were shown at `now`, by a device that has proved its key, and prints the
 * verdict, the reason and the device id, in text or as one JSON object a line. A file holds an X.509
 * certificate with its intermediates behind it, PEM or DER, or an OpenSSH certificate's line. YES when
 * all are trusted; NO; FAULT when a file could not be read. `ocsp_answer`: a file with an OCSP responder's answer (DER), as if it had
 * come where one would be asked; NULL: none. Nobody is asked. */
dt_ctl_exit dt_device_explain(dt_site const *site, char const *const *paths, size_t count,
                              dt_time now, char const *ocsp_answer, bool json);

#endif
