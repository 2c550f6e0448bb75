/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device show and forget: what the cache holds of the Okta Devices API's answers. There may be
 * several of one device, for each person one. */
#ifndef DT_CTL_DEVICE_OKTA_H
#define DT_CTL_DEVICE_OKTA_H

#include "core/okta/okta_device.h"
#include "edge/store.h"

/* Prints each answer about the device, as a sign-on would take it now: a line, or with `json` an object.
 * *count is how many there are. DT_E_UNAVAILABLE when the store fails. */
DT_MUST_USE int dt_okta_answers_show(dt_store *s, dt_config const *c, dt_guid const *device,
                                     bool json, size_t *count, dt_error *e);
/* Drops them, unreadable ones included. *count is how many there were. DT_E_UNAVAILABLE, DT_E_NOMEM. */
DT_MUST_USE int dt_okta_answers_forget(dt_store *s, dt_guid const *device, size_t *count,
                                       dt_error *e);

#endif
