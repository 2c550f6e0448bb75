/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ruleset/ruleset.h"

bool dt_ruleset_needs_groups(dt_ruleset const *ruleset)
{
    return (ruleset->policy && dt_policy_needs_groups(ruleset->policy)) ||
           (ruleset->org && dt_policy_needs_groups(ruleset->org));
}

bool dt_ruleset_names_group(dt_ruleset const *ruleset, char const *group)
{
    return (ruleset->policy && dt_policy_names_group(ruleset->policy, group)) ||
           (ruleset->org && dt_policy_names_group(ruleset->org, group));
}

bool dt_ruleset_keeps_group(dt_ruleset const *ruleset, dt_bytes kept, size_t count,
                            char const *group)
{
    if (count < DT_GROUPS_KEPT_FREELY) /* cheap, and nearly everybody */
        return dt_ruleset_names_group(ruleset, group);
    return (ruleset->policy && dt_policy_group_is_relevant(ruleset->policy, kept, group)) ||
           (ruleset->org && dt_policy_group_is_relevant(ruleset->org, kept, group));
}

bool dt_ruleset_names_names(dt_ruleset const *ruleset)
{
    return dt_policy_names_names(ruleset->policy) || dt_policy_names_names(ruleset->org);
}

bool dt_ruleset_names_ids(dt_ruleset const *ruleset)
{
    return dt_policy_names_ids(ruleset->policy) || dt_policy_names_ids(ruleset->org);
}

/* Only Okta knows groups by id; where no rule names a group by name, no other source is needed. */
unsigned dt_ruleset_groups_from(dt_ruleset const *ruleset)
{
    unsigned from = ruleset->config->policy.groups_from;

    if (!dt_ruleset_names_ids(ruleset))
        return from;
    return dt_ruleset_names_names(ruleset) ? from | DT_GROUPS_FROM_OKTA : DT_GROUPS_FROM_OKTA;
}

bool dt_ruleset_is_report_only(dt_ruleset const *ruleset)
{
    if (ruleset->policy == NULL || ruleset->config == NULL)
        return false;
    /* There nobody but us checks the password: what is only reported would be open to everybody. */
    if (dt_config_okta_password(ruleset->config, dt_policy_application(ruleset->policy)))
        return false;
    switch (dt_policy_report(ruleset->policy)) {
    case DT_REPORT_YES:
        return true;
    case DT_REPORT_NO:
        return false;
    case DT_REPORT_UNSET:
        break;
    }
    return ruleset->config->policy.report_only;
}
