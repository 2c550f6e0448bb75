/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH's binary form (RFC 4251 section 5): what is taken from the front of bytes, and what is put
 * after others. Shared by the readers of keys, certificates, signatures and agents' replies. */
#ifndef DT_CORE_SSH_WIRE_H
#define DT_CORE_SSH_WIRE_H

#include "core/base/bytes.h"

/* Each takes one value from the front of *rest; false, and *rest as it was, when it is not whole. What
 * a string gives is borrowed from *rest. */
DT_MUST_USE bool dt_ssh_take_byte(dt_bytes *rest, uint8_t *out);
DT_MUST_USE bool dt_ssh_take_u32(dt_bytes *rest, uint32_t *out);
DT_MUST_USE bool dt_ssh_take_u64(dt_bytes *rest, uint64_t *out);
DT_MUST_USE bool dt_ssh_take_string(dt_bytes *rest, dt_bytes *out);
/* A positive "mpint" in its only right form; gives its bytes without the zero in front. */
DT_MUST_USE bool dt_ssh_take_positive(dt_bytes *rest, dt_bytes *out);

void dt_ssh_put_u32(dt_buf *b, uint32_t v);
void dt_ssh_put_string(dt_buf *b, dt_bytes s);

#endif
