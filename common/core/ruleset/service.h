/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variants of a PAM service. A program may use another service for another way to call it: `sudo -i`
 * uses sudo-i, `su -` uses su-l. Both ways open the same account, so what is configured for the base
 * (sudo, su) holds for a variant that is not configured itself. Pure; thread safe. */
#ifndef DT_CORE_SERVICE_H
#define DT_CORE_SERVICE_H

#include "core/config/config.h"

/* The base of a variant, as "sudo" of "sudo-i"; NULL for any other name. A base is not a variant itself.
 * Static. */
char const *dt_service_base(char const *service);
/* The i-th variant that is known, with its base; NULL after the last. Static. */
char const *dt_service_variant(size_t i, char const **base);
/* True when the list names the service, or the base of which it is a variant. */
bool dt_service_is_in(dt_string_list const *list, char const *service);
/* True for services by which somebody who is signed on becomes another: su, sudo and their variants. */
bool dt_service_becomes(char const *service);
/* Like dt_service_becomes, for local_services: a variant for people elsewhere (remote, as `login -h` uses it) is
 * not local because its base is. */
bool dt_service_is_local(dt_string_list const *list, char const *service);
/* True when some service is in both lists, by its name or as a variant. */
bool dt_service_lists_overlap(dt_string_list const *a, dt_string_list const *b);

#endif
