/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text for people on a device that is not trusted: what is wrong with it, and the way out. By the
 * sections [message REASON] of devtrust.conf, and by words of our own where they say nothing. */
#ifndef DT_CORE_DEVICE_HELP_H
#define DT_CORE_DEVICE_HELP_H

#include "core/device/evidence.h"

/* Longest configured text, its placeholders replaced: what fits one RADIUS Reply-Message (RFC 2865
 * section 5.18). Bytes, without the NUL. */
#define DT_DEVICE_HELP_MAX 253
/* As much of a device's name as is shown, bytes. */
#define DT_DEVICE_HELP_NAME_MAX 40

/* Appends what goes with the verdict; nothing for a trusted device, and where there is nothing to say.
 * The platform is that of the verdict, else `platform`, which the request hints at. The most specific
 * text counts: of [message REASON] that of the platform, then `text`; check_access_text where it is
 * about compliance; of [message ANY] that of the platform, then `text`; at last our own, which speaks
 * of devices known to be NOT_TRUSTED only. Remote text is escaped. A name is shown only to a person who proved
 * a key of the device. Pure. */
void dt_device_help(dt_config const *c, dt_verdict const *v, dt_platform platform, dt_buf *out);
/* True when it is to be shown with the first prompt, too, and not with a refusal alone: it is about a
 * device that the person can fix, or the administrator wrote a text for this very reason. */
bool dt_device_help_goes_with_prompt(dt_config const *c, dt_verdict const *v, dt_platform platform);
/* Why a configured text cannot be used, as "is ...; write ..."; NULL when it can. `link` is
 * enrollment_url. */
char const *dt_device_help_fault(char const *text, char const *link);

#endif
