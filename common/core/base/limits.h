/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lengths of what travels through all layers, each with its NUL. */
#ifndef DT_CORE_LIMITS_H
#define DT_CORE_LIMITS_H

#define DT_MESSAGE_MAX 512        /* a text for the person, or for the administrator */
#define DT_USER_MAX 256           /* a user name as it was typed */
#define DT_LOGIN_MAX 320          /* an Okta login: RFC 5321 section 4.5.3.1, 64 + 1 + 255 */
#define DT_APPLICATION_MAX 64     /* the name of an application, or of a group of them */
#define DT_ADDRESS_MAX 64         /* an IP address as text, with its scope */
#define DT_OKTA_ID_MAX 64         /* an id of Okta's own form */
#define DT_HARDWARE_SERIAL_MAX 64 /* a serial number that is compared */

#endif
