/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room base: what every other room is written in.
 *
 * It knows nothing of devices, policies or Okta. Begin with err.h (functions return 0 or a negative DT_E_*; a
 * dt_error carries the message for the administrator) and bytes.h (dt_bytes is borrowed, dt_buf grows up to a
 * ceiling, dt_secret is wiped; dt_time is milliseconds). limits.h has the lengths of what travels through all
 * layers, words.h the sources, platforms, factors and reasons with their words, version.h the version.
 *
 * Forms of text: text_wrap.h, utf8.h, nearest.h, time_text.h, url.h, guid.h, and record_text.h and
 * record_walk.h for what the store keeps.
 * faults.h gathers all faults of a file for whoever checks it.
 * JSON: json.h is the tree, json_reader.h reads an administrator's file strictly, json_walk.h goes over long lists
 * without a tree.
 *
 * step.h is what a machine of the core may ask for, such as an HTTPS request (dt_http_request) or a store
 * operation (dt_store_op). json.h, xml.h, plist.h, unicode.h, qr.h and crypto.h are ports: pure functions that an
 * edge implements with an outside library.
 *
 * This header brings what nearly every file needs; include the others one by one. oauth.h: what all token services
 * have in common. jwt.h: the form of signed tokens. expiry.h: what of a site ends, and when. breaker.h: a service that is not there is not waited for by
 * everybody. */
#ifndef DT_CORE_BASE_H
#define DT_CORE_BASE_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/limits.h"
#include "core/base/words.h"

#endif
