/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers of devices, as firmware has them and inventories repeat them. */
#ifndef DT_CORE_HARDWARE_SERIAL_H
#define DT_CORE_HARDWARE_SERIAL_H

#include "core/evidence.h"

/* A serial number in the one form that is compared: letters in upper case, without the blanks and
 * dashes that firmware and hypervisors put in. False, and "", for one that names no device: empty, of
 * fewer than 4 characters, of one character only, longer than fits, or a word that makers leave
 * in ("To be filled by O.E.M."). */
bool dt_hardware_serial(dt_bytes text, char out[DT_HARDWARE_SERIAL_MAX]);

#endif
