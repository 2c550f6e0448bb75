/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a sign-on comes from: its station (RFC 2865 section 5.31) and its NAS, each in one form, however
 * a server writes it. Only this form binds a thing to a place, or compares places. */
#ifndef DT_CORE_PLACE_H
#define DT_CORE_PLACE_H

#include "core/base/bytes.h"
#include "core/base/limits.h"

typedef enum dt_place_kind {
    DT_PLACE_NONE = 0, /* nothing, or a value that many places share; equals nothing */
    DT_PLACE_ADDRESS,  /* "198.51.100.7", "2001:db8::7": without port, brackets and zone */
    DT_PLACE_MAC,      /* "02-00-5E-10-00-07", as RFC 3580 section 3.21 has it */
    DT_PLACE_NAME,     /* anything else, without the blanks around it */
} dt_place_kind;

/* Zero: no place. */
typedef struct dt_place {
    dt_place_kind kind;
    char text[DT_USER_MAX]; /* "" if and only if the kind is NONE */
} dt_place;

/* Reads an address with or without a port ("198.51.100.7:51234", "198.51.100.7[4500]", "[2001:db8::7]:4500"), a
 * MAC address in any of the usual notations and either case, or a name. What identifies nothing (an unspecified or
 * multicast address, a MAC address of zeros or of ones) is not a place. Reading the form again gives the same.
 * DT_E_LIMIT for a text that does not fit, DT_E_PARSE for a NUL in it; *out is not a place then. Pure. */
DT_MUST_USE int dt_place_read(dt_bytes text, dt_place *out);

#endif
