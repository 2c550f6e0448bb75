/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the texts that a request brings is the address the person comes from. The administrator
 * names the places to look in, in order; the first that says something decides, also when nobody can
 * read what it says: another place, which the person may be able to fill in, never replaces it. */
#ifndef DT_CORE_CLIENT_ADDRESS_H
#define DT_CORE_CLIENT_ADDRESS_H

#include "core/policy/network.h"
#include "core/base/limits.h"

/* Zero: nothing was looked at. */
typedef struct dt_client_address {
    char text
        [DT_ADDRESS_MAX]; /* the address, or for the log what stands in its place; "" = nothing */
    bool known;           /* `text` is an address */
    bool unreadable;      /* there is one, but it is not clear which */
    dt_ip ip;             /* while `known` */
} dt_client_address;

/* One of the values in the place that is looked at now. A MAC address, which 802.1X has there, says
 * nothing about the address and is passed over, as is an empty value; two different addresses, and
 * whatever else is not one, cannot be read. */
void dt_client_address_value(dt_client_address *a, dt_bytes value);
/* That there is a value which cannot even be looked at. */
void dt_client_address_garbled(dt_client_address *a);
/* True when the place that was looked at decides, and no other is to be. */
bool dt_client_address_is_settled(dt_client_address const *a);

#endif
