/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that says which version this is. */
#ifndef DT_CORE_VERSION_H
#define DT_CORE_VERSION_H

#define DT_VERSION "0.1.0"

#endif
