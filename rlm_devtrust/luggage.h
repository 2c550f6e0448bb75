/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server had said of a sign-on before it had to wait: the reply (addresses, filters, VLANs, keys)
 * and what control holds for later (Simultaneous-Use, Session-Type). The server drops the reply of a
 * proxied request and knows nothing of a request that was challenged; a restriction that is missing then is
 * missing for exactly those who are not trusted. So it goes along with the sign-on, as bytes.
 *
 * Bytes of this build on this host: what is neither text nor octets is kept as the server holds it. */
#ifndef DT_RLM_LUGGAGE_H
#define DT_RLM_LUGGAGE_H

#include <freeradius/radiusd.h>

#include "core/policy/policy.h"

/* Attribute of control that holds what is kept of the first round's password (first_password.c); not named
 * "password", which stays behind. */
#define DT_RLM_FIRST_PASSWORD "DevTrust-First-Round"

/* Both lists together; whoever has more is refused. A RADIUS packet holds 4096 bytes. */
#define DT_LUGGAGE_MAX (32 * 1024)

/* Appends the reply of `request`, and its control where `control` is set, to `out`, which dt_luggage_init
 * has made. Left behind are passwords, which are for checking the first factor alone, what says how the
 * server is to handle this very packet, and the `group_count` attributes `groups` of control, of which the
 * sign-on has what it needs. DT_E_LIMIT and DT_E_INVALID name the attribute and say what to do. */
DT_MUST_USE int dt_luggage_pack(REQUEST *request, bool control, DICT_ATTR const *const *groups,
                                size_t group_count, dt_buf *out, dt_error *e);
void dt_luggage_init(dt_buf *b);
/* Appends what of an Access-Accept of EAP a resumption of its TLS session has to bring as well: the reply without
 * the conversation itself (EAP-Message, its keys, names that the server restores by itself), and without
 * what `rule` names, which is given anew. */
DT_MUST_USE int dt_luggage_pack_accept(REQUEST *request, dt_reply_attribute const *rule,
                                       size_t count, dt_buf *out, dt_error *e);

/* Puts it back, in the order it had: into `reply`, the list of `ctx`, and into the control of `request`. What
 * stands there under the same names is replaced. DT_E_PARSE, DT_E_NOMEM: nothing was changed then. */
DT_MUST_USE int dt_luggage_unpack(REQUEST *request, dt_bytes luggage, TALLOC_CTX *ctx,
                                  VALUE_PAIR **reply);

#endif
