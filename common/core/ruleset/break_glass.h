/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Break-glass accounts: named accounts that get in without policy, device and MFA, at a terminal of this host and
 * until a given time, and nowhere else. For the day on which Okta, the network or the policy itself is broken.
 * Pure; thread safe. */
#ifndef DT_CORE_BREAK_GLASS_H
#define DT_CORE_BREAK_GLASS_H

#include "core/config/config.h"
#include "core/ruleset/identity.h"

typedef enum dt_break_glass {
    DT_BREAK_GLASS_REFUSED = 0, /* a break-glass account, here or now of no use */
    DT_BREAK_GLASS_ALLOWED,
    DT_BREAK_GLASS_NO_ACCOUNT, /* not a break-glass account: the policy decides */
} dt_break_glass;

/* Reads [break_glass] until: an ISO 8601 time with "Z" or an offset. DT_E_PARSE for any other text. */
DT_MUST_USE int dt_break_glass_until(char const *text, dt_time *out);

/* True for the local name of a break-glass account. */
bool dt_break_glass_is_account(dt_config const *c, char const *local);

/* `at_terminal`: the door has found that the person sits at a terminal of this host. *why gets, for a refusal, the
 * reason for the administrator; static. */
dt_break_glass dt_break_glass_judge(dt_config const *c, dt_identity const *who, bool at_terminal,
                                    dt_time now, char const **why);

/* What is wrong with [break_glass], in words that follow the key *key; NULL when nothing is. */
char const *dt_break_glass_fault(dt_config const *c, char const **key);

#endif
