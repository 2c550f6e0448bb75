/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may break the glass, where, and until when. Every test refuses unless it is passed. */
#include "core/ruleset/break_glass.h"

#include "core/base/time_text.h"

#include <string.h>

int dt_break_glass_until(char const *text, dt_time *out)
{
    int offset = 0;
    bool given = false;
    int rc = dt_time_parse_local(text, out, &offset, &given);

    return rc == DT_OK && !given ? DT_E_PARSE : rc;
}

bool dt_break_glass_is_account(dt_config const *c, char const *local)
{
    for (size_t i = 0; i < c->break_glass.users.count; i++)
        if (dt_str_equal_nocase(c->break_glass.users.items[i], local))
            return true;
    return false;
}

/* An account of another realm that is called the same is somebody else's. */
static bool is_account(dt_config const *c, dt_identity const *who)
{
    return who->kind == DT_IDENTITY_PERSON && who->realm[0] == '\0' &&
           dt_break_glass_is_account(c, who->local);
}

dt_break_glass dt_break_glass_judge(dt_config const *c, dt_identity const *who, bool at_terminal,
                                    dt_time now, char const **why)
{
    dt_time until;

    *why = "";
    if (!is_account(c, who))
        return DT_BREAK_GLASS_NO_ACCOUNT;
    if (!at_terminal) {
        *why = "a break-glass account may sign on at a terminal of this host only, in a service of "
               "[daemon] local_services";
        return DT_BREAK_GLASS_REFUSED;
    }
    if (dt_break_glass_until(c->break_glass.until, &until) < 0 || now <= 0 || now >= until) {
        *why = "the break-glass account has expired; set [break_glass] until to a later time";
        return DT_BREAK_GLASS_REFUSED;
    }
    return DT_BREAK_GLASS_ALLOWED;
}

char const *dt_break_glass_fault(dt_config const *c, char const **key)
{
    dt_time until;

    *key = "users";
    for (size_t i = 0; i < c->break_glass.users.count; i++)
        if (strchr(c->break_glass.users.items[i], '@') != NULL)
            return "names a login; use the local name of the account, without a realm";
    *key = "until";
    if (c->break_glass.users.count == 0)
        return *c->break_glass.until == '\0' ? NULL
                                             : "is set, but users is empty; list the accounts in "
                                               "users, or remove until";
    if (*c->break_glass.until == '\0')
        return "is missing; set the time at which the accounts in users expire, such as "
               "2027-01-31T18:00Z";
    if (dt_break_glass_until(c->break_glass.until, &until) < 0)
        return "is not a time; write it with Z or an offset from UTC, such as 2027-01-31T18:00Z "
               "or 2027-01-31T18:00+01:00";
    return NULL;
}
