/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the groups that the server's own directory modules left in control are all of a person's: else a rule
 * that denies a group would be passed over. rlm_ldap reads none unless configured to, and at most 64 of those that
 * a person's entry names, without a word about further ones. */
#include "rlm_devtrust/rlm_devtrust.h"

#include <stdio.h>
#include <string.h>

/* LDAP_MAX_CACHEABLE of the server's sources. */
#define RLM_LDAP_ENTRY_GROUPS_MAX 64

static char const *value_of(CONF_SECTION const *section, char const *name)
{
    CONF_PAIR *pair = section == NULL ? NULL : cf_pair_find(section, name);
    char const *value = pair == NULL ? NULL : cf_pair_value(pair);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_on(CONF_SECTION const *section, char const *name)
{
    char const *value = value_of(section, name);
    return value != NULL && (strcmp(value, "yes") == 0 || strcmp(value, "on") == 0);
}

/* As rlm_ldap names the attribute: "LDAP-Group", "NAME-LDAP-Group" of the instance NAME, or what
 * cache_attribute says. */
static DICT_ATTR const *groups_of_ldap(CONF_SECTION const *ldap, CONF_SECTION const *group)
{
    char name[DICT_ATTR_MAX_NAME_LEN + 1];
    char const *own = value_of(group, "cache_attribute"), *instance = cf_section_name2(ldap);
    if (own != NULL)
        return dict_attrbyname(own);
    if (instance == NULL)
        return dict_attrbyname("LDAP-Group");
    snprintf(name, sizeof(name), "%s-LDAP-Group", instance);
    return dict_attrbyname(name);
}

/* Of one instance of ldap: its attribute stays behind, and may have been cut. */
static int add_directory(rlm_devtrust_t *inst, CONF_SECTION const *ldap, dt_error *e)
{
    CONF_SECTION *group = cf_section_sub_find(ldap, "group");
    DICT_ATTR const *da = groups_of_ldap(ldap, group);
    if (da == NULL)
        return 0;
    if (inst->directory_count == DT_RLM_DIRECTORIES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "there are more than %d instances of ldap",
                            DT_RLM_DIRECTORIES_MAX);
    inst->directories[inst->directory_count++] = (dt_rlm_directory){
        .name = cf_section_name2(ldap) != NULL ? cf_section_name2(ldap) : "ldap",
        .groups = da,
        .reads_groups = is_on(group, "cacheable_name") || is_on(group, "cacheable_dn"),
        .of_entry = value_of(group, "membership_attribute"),
        .filter = value_of(group, "membership_filter")};
    inst->group_attributes[inst->group_attribute_count++] = da;
    return 0;
}

int dt_rlm_directories_find(rlm_devtrust_t *inst, dt_error *e)
{
    vp_tmpl_t const *groups = inst->inputs[DT_RLM_GROUPS].attribute;
    CONF_SECTION *modules = cf_section_find("modules"), *ldap = NULL;
    int rc = 0;
    if (groups != NULL)
        inst->group_attributes[inst->group_attribute_count++] = groups->tmpl_da;
    while (rc == 0 && (ldap = cf_subsection_find_next(modules, ldap, "ldap")) != NULL)
        rc = add_directory(inst, ldap, e);
    return rc;
}

static size_t count_of(REQUEST *request, DICT_ATTR const *da)
{
    size_t count = 0;
    vp_cursor_t cursor;
    fr_cursor_init(&cursor, &request->config);
    while (fr_cursor_next_by_da(&cursor, da, TAG_ANY) != NULL)
        count++;
    return count;
}

/* The entry may name more than were read. */
static bool may_be_cut(REQUEST *request, dt_rlm_directory const *d)
{
    if (d->of_entry == NULL || count_of(request, d->groups) < RLM_LDAP_ENTRY_GROUPS_MAX)
        return false;
    RERROR("%s reads at most %d groups of \"%s\", and the person may be in more: in its section "
           "group comment out membership_attribute and set membership_filter",
           d->name, RLM_LDAP_ENTRY_GROUPS_MAX, d->of_entry);
    return true;
}

static VALUE_PAIR const *typed_name(REQUEST *request)
{
    VALUE_PAIR *stripped =
        fr_pair_find_by_num(request->packet->vps, PW_STRIPPED_USER_NAME, 0, TAG_ANY);
    return stripped != NULL ? stripped
                            : fr_pair_find_by_num(request->packet->vps, PW_USER_NAME, 0, TAG_ANY);
}

/* A directory finds a person by other forms of the name, too, which no group has (memberUid): a search by
 * one of these finds nothing. */
static bool was_asked_by_own_name(REQUEST *request, dt_rlm_directory const *d)
{
    VALUE_PAIR const *typed = typed_name(request);
    VALUE_PAIR const *own = fr_pair_find_by_da(request->config, dt_rlm_user_attribute(), TAG_ANY);
    if (d->filter == NULL || strstr(d->filter, "User-Name") == NULL)
        return true;
    if (typed != NULL && own != NULL &&
        (strcmp(typed->vp_strvalue, own->vp_strvalue) == 0 ||
         (strstr(d->filter, "caseIgnore") != NULL &&
          dt_str_equal_nocase(typed->vp_strvalue, own->vp_strvalue))))
        return true;
    RERROR("%s searched for groups by a name that is not the person's own there "
           "(control:DevTrust-User)",
           d->name);
    return false;
}

/* Whether what a directory has left, or is said to have left, can be all groups of the person. */
static bool can_answer(REQUEST *request, dt_rlm_directory const *d)
{
    if (!d->reads_groups)
        RERROR("control:DevTrust-Directory is \"%s\", which reads no groups: set "
               "cacheable_name = 'yes' in its section group",
               d->name);
    return d->reads_groups && !may_be_cut(request, d) && was_asked_by_own_name(request, d);
}

static bool is_named(REQUEST *request, dt_rlm_directory const *d)
{
    vp_cursor_t cursor;
    fr_cursor_init(&cursor, &request->config);
    for (VALUE_PAIR *vp;
         (vp = fr_cursor_next_by_da(&cursor, dt_rlm_directory_attribute(), TAG_ANY)) != NULL;) {
        if (strcmp(vp->vp_strvalue, d->name) == 0)
            return true;
    }
    return false;
}

bool dt_rlm_groups_are_known(rlm_devtrust_t const *inst, REQUEST *request, bool some)
{
    vp_cursor_t cursor;
    bool known = some;
    for (size_t i = 0; i < inst->directory_count; i++) {
        dt_rlm_directory const *d = &inst->directories[i];
        if ((is_named(request, d) || count_of(request, d->groups) > 0) && !can_answer(request, d))
            return false;
    }
    fr_cursor_init(&cursor, &request->config);
    for (VALUE_PAIR *vp;
         (vp = fr_cursor_next_by_da(&cursor, dt_rlm_directory_attribute(), TAG_ANY)) != NULL;) {
        if (vp->vp_length == 0) /* one of several did not answer */
            return false;
        known = true;
    }
    return known;
}
