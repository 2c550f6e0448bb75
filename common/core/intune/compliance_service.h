/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Compliance Retrieval service of Intune, which network access control products ask instead of
 * Graph: where it is, what it is asked, what its answer says. It knows devices by their Intune id alone
 * and says whether one is enrolled and whether it is compliant, nothing else.
 *
 * No public page specifies it. Sources: Microsoft, "Network access control integration with Intune";
 * the requests and replies of Cisco ISE as public tools reproduce them (API version 3); Microsoft Graph
 * v1.0, servicePrincipal endpoints. */
#ifndef DT_CORE_COMPLIANCE_SERVICE_H
#define DT_CORE_COMPLIANCE_SERVICE_H

#include "core/intune/intune.h"

#define DT_COMPLIANCE_URL_MAX 512              /* room for the service's address */
#define DT_COMPLIANCE_PAGES_MAX 5              /* of Intune's endpoints, that are read for it */
#define DT_COMPLIANCE_ADDRESS_TTL DT_HOURS(24) /* then it is looked up again */
#define DT_COMPLIANCE_ADDRESS_KEPT                                                                 \
    DT_DAYS(30) /* used so long while Graph does not return another */
#define DT_COMPLIANCE_ADDRESS_AGAIN                                                                \
    DT_MINUTES(1) /* younger than this, a failure is not blamed on it */

/* Where Intune answers for this tenant. */
typedef struct dt_compliance_address {
    char url[DT_COMPLIANCE_URL_MAX]; /* without a slash at its end; "" = not known */
    dt_time found;                   /* when Graph named it; 0: not known */
} dt_compliance_address;

/* The resource that tokens for the service are of, without the slash it ends in: [intune]
 * compliance_resource, else that of the cloud graph_url belongs to; NULL for a cloud whose is not
 * known. */
char const *dt_compliance_resource(dt_config const *c);
/* The host that the service may be at, or below: [intune] compliance_host, else that of the cloud; NULL
 * the same. */
char const *dt_compliance_host(dt_config const *c);
/* An https address at this host, or at one below it. Every request is checked by it before a
 * token goes along: others supplied the service's address. */
bool dt_compliance_is_allowed(dt_config const *c, char const *url);

/* Intune's endpoints as Graph lists them. `next` is the link that the page before gave, or "". DT_E_INVALID
 * for one that leads anywhere but to this list at the configured Graph: the token goes with it. */
DT_MUST_USE int dt_compliance_list_endpoints(dt_config const *c, char const *next,
                                             dt_http_request *out);
/* With OK either the address is there, or `next` is the next page's link. UNUSABLE when the last page
 * does not name the service, when a page names it at two places, or at one where it may not be. */
dt_intune_answer dt_compliance_read_endpoints(dt_config const *c, dt_http_response const *r,
                                              dt_time now, dt_compliance_address *out,
                                              char next[DT_URL_MAX], dt_error *e);

/* DT_E_INVALID when the address is not one that is allowed. */
DT_MUST_USE int dt_compliance_get_device(dt_config const *c, dt_compliance_address const *at,
                                         dt_guid const *device_id, dt_http_request *out);
/* With OK and NOT_ENROLLED *out is filled, to be packed as Graph's answers are; with all else it is
 * zero. UNUSABLE unless the reply is about exactly the device that was asked for, and says of it in
 * the words known here whether it is enrolled and, if so, whether it is compliant. A list without any
 * device is NOT_ENROLLED; a 404 is not, since it may be the address that is wrong. */
dt_intune_answer dt_compliance_read_device(dt_http_response const *r, dt_guid const *asked,
                                           dt_time now, dt_intune_device *out, dt_error *e);

/* The address as the cache keeps it in DT_TABLE_LOOKUP, for each tenant. */
#define DT_COMPLIANCE_RECORD_MAX (DT_COMPLIANCE_URL_MAX + 64)
void dt_compliance_store_key(dt_config const *c, char out[DT_STORE_KEY_MAX]);
/* DT_E_INVALID for an address that is not known, or not allowed. */
DT_MUST_USE int dt_compliance_pack(dt_config const *c, dt_compliance_address const *a, dt_buf *out);
/* DT_E_PARSE for anything it did not write itself, and for an address that is not allowed (any more). */
DT_MUST_USE int dt_compliance_unpack(dt_config const *c, dt_bytes record,
                                     dt_compliance_address *out);

#endif
