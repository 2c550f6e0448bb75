/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `freeradius -XC` prints of a server's configuration, as far as doctor asks about it; and the kernel's list of
 * sockets. Pure. */
#ifndef DT_DOCTOR_RADDB_H
#define DT_DOCTOR_RADDB_H

#include "core/base/bytes.h"

#define DT_LISTENERS_MAX 32
#define DT_RADIUS_FILES_MAX 16
#define DT_RADIUS_PATH_MAX 512
#define DT_RADIUS_AUTH_PORT 1812 /* where port = 0 (RFC 2865 section 3) */
#define DT_RADIUS_ACCT_PORT 1813 /* RFC 2866 section 3 */

typedef struct dt_listener {
    bool acct, tcp;
    unsigned port;
} dt_listener;

typedef struct dt_raddb {
    char libdir[DT_RADIUS_PATH_MAX]; /* "" = not said */
    dt_listener listeners[DT_LISTENERS_MAX];
    size_t listener_count;
    char certificates[DT_RADIUS_FILES_MAX][DT_RADIUS_PATH_MAX]; /* certificate_file, each once */
    size_t certificate_count;
} dt_raddb;

/* Reads the output; what does not fit, or is not understood, is passed over. A listener for both (type = auth+acct)
 * becomes two. */
void dt_raddb_read(dt_bytes output, dt_raddb *out);

/* The inode of the socket that listens on a port, by the text of /proc/net/udp, udp6, tcp or tcp6; 0: none. */
unsigned long dt_socket_listening(dt_bytes table, unsigned port, bool tcp);

#endif
