/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What identity.c and user_table.c share. */
#ifndef DT_CORE_IDENTITY_INTERNAL_H
#define DT_CORE_IDENTITY_INTERNAL_H

#include "core/ruleset/identity.h"

/* Takes a name apart as dt_identity_make does, whether its realm is known or not. DT_E_INVALID. */
DT_MUST_USE int dt_user_name_read(dt_config const *c, char const *name, char local[DT_USER_MAX],
                                  char realm[DT_REALM_MAX], dt_error *e);
/* An Okta login as somebody wrote it, in lower case. DT_E_INVALID. */
DT_MUST_USE int dt_user_login_read(char const *text, char out[DT_LOGIN_MAX], dt_error *e);

#endif
