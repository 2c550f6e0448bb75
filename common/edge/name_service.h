/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks each source of nsswitch.conf(5) about groups, and distinguishes a source that says no from one that does
 * not answer. getgrouplist(3) leaves out what it could not ask about without a word; a person without
 * their groups would pass a rule that was written for them. */
#ifndef DT_EDGE_NAME_SERVICE_H
#define DT_EDGE_NAME_SERVICE_H

#include "core/base/bytes.h"

#include <sys/types.h>

#define DT_NAME_SERVICE_GROUPS_MAX 65536 /* of one user: more the kernel gives to no process */

/* The numbers of all groups that the user is in, `primary` first, each once. *gids is yours to free(3),
 * NULL after a failure. DT_E_UNAVAILABLE when a source could not be asked, which `e` names, or
 * nsswitch.conf cannot be read; DT_E_LIMIT; DT_E_NOMEM. May block as long as a source does. Thread
 * safe. */
DT_MUST_USE int dt_name_service_groups(char const *user, gid_t primary, gid_t **gids, size_t *count,
                                       dt_error *e);
/* Whether a group without a name has none: DT_OK when each source of "group" says so, DT_E_UNAVAILABLE
 * as above when one could not be asked, or has a name after all. For what getgrgid_r(3) did not find.
 * Thread safe. */
DT_MUST_USE int dt_name_service_is_nameless(gid_t gid, dt_error *e);

#endif
