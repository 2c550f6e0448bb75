/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads from the files of a configuration when what is in them ends. x509_expiry.c defines it. */
#ifndef DT_EDGE_EXPIRY_H
#define DT_EDGE_EXPIRY_H

#include "core/base/expiry.h"
#include "core/config/config.h"
#include "core/device/x509.h"

/* Fills *out with all whose end is known: certificates of CAs, of OCSP responders, of the app registration and
 * of this host, the break-glass accounts, and, with `anchors`, the revocation lists. Of a file of CAs that vouch
 * for servers only the certificate that ends last counts: with it, the connection ends. A file that cannot be read
 * has no entry: whoever loads the site says so. `anchors` may be NULL. Thread safe. */
void dt_expiries_read(dt_config const *c, dt_trust_store const *anchors, dt_expiries *out);

#endif
