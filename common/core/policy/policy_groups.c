/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups within groups: a policy's member "groups" says which groups contain others, for sources that
 * tell direct membership only. It is worked out here, once: a rule that names a group gets the names of
 * all groups within it, so that deciding knows nothing of it. */
#include "core/policy/policy_compile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum visit { VISIT_NEW = 0, VISIT_UNDER_WAY, VISIT_DONE } visit;

/* A group that contains others. */
struct dt_group_node {
    dt_folded_name name;
    dt_name_list members; /* as the file has them, then with all that is within these */
    uint32_t origin;      /* index in the file */
    visit state;
    int height; /* 1: contains only groups that contain none */
};

/* --- reading ----------------------------------------------------------------------------------- */

static int one_name(dt_compiler *c, dt_json const *v, char const **out)
{
    int rc = dt_json_reader_text(&c->r, v, DT_GROUP_NAME_MAX, out);

    if (rc == DT_OK && strpbrk(*out, "*?") != NULL)
        rc = dt_json_reader_fail(&c->r, "must name one group: no \"*\" and no \"?\" here");
    return rc;
}

static int members_read(dt_compiler *c, dt_json const *v, dt_name_list *out)
{
    char const *name = NULL;
    int rc = dt_json_reader_array(&c->r, v, 1, DT_POLICY_LIST_MAX);

    out->first = (uint32_t)c->p->name_count;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        rc = one_name(c, dt_json_at(v, i), &name);
        if (rc == DT_OK)
            rc = dt_compiler_name_add(c, name);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc == DT_OK ? dt_compiler_list_end(c, out) : rc;
}

static int node_read(dt_compiler *c, dt_json const *v, dt_group_node *node)
{
    static dt_json_field const fields[] = {{"name", true}, {"contains", true}, {NULL, false}};
    char const *name = NULL;
    int rc = dt_json_reader_object(&c->r, v, fields);
    size_t mark;

    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&c->r, "name");
    rc = one_name(c, dt_json_get(v, "name"), &name);
    if (rc == DT_OK)
        rc = dt_compiler_name_add(c, name);
    if (rc != DT_OK)
        return rc;
    node->name = c->p->names[--c->p->name_count];
    dt_json_reader_leave(&c->r, mark);
    mark = dt_json_reader_enter(&c->r, "contains");
    rc = members_read(c, dt_json_get(v, "contains"), &node->members);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int node_compare(void const *a, void const *b)
{
    return dt_folded_name_compare(&((dt_group_node const *)a)->name,
                                  &((dt_group_node const *)b)->name);
}

static dt_group_node *node_find(dt_compiler const *c, dt_folded_name name)
{
    dt_group_node wanted = {.name = name};

    return c->group_count == 0
               ? NULL
               : bsearch(&wanted, c->groups, c->group_count, sizeof(wanted), node_compare);
}

/* --- all that is within ------------------------------------------------------------------------ */

static int fail_at(dt_compiler *c, dt_group_node const *node, char const *fmt, ...) DT_PRINTF(3, 4);
static int fail_at(dt_compiler *c, dt_group_node const *node, char const *fmt, ...)
{
    char text[DT_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)dt_json_reader_enter_at(&c->r, node->origin);
    return dt_json_reader_fail(&c->r, "%s", text);
}

/* Begins a list at the end of the names; ends it, sorted and each name once. */
static int push_all(dt_compiler *c, dt_name_list of)
{
    int rc = DT_OK;

    for (uint32_t i = 0; rc == DT_OK && i < of.count; i++)
        rc = dt_compiler_name_push(c, c->p->names[of.first + i]);
    return rc;
}

static dt_name_list list_end(dt_compiler *c, size_t first)
{
    dt_folded_name *names = c->p->names + first;
    dt_name_list list = {(uint32_t)first, (uint32_t)(c->p->name_count - first)};
    uint32_t kept = 0;

    (void)dt_compiler_list_sort(c->p, list);
    for (uint32_t i = 0; i < list.count; i++)
        if (kept == 0 || dt_folded_name_compare(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    list.count = kept;
    c->p->name_count = first + kept;
    return list;
}

static int expand_members(dt_compiler *c, dt_group_node *node, int depth);

static int close_member(dt_compiler *c, dt_group_node *node, dt_group_node *member, int depth)
{
    int rc;

    if (member->state == VISIT_UNDER_WAY)
        return fail_at(c, node, "\"%.80s\" contains itself, through \"%.80s\"", member->name.text,
                       node->name.text);
    rc = expand_members(c, member, depth + 1);
    if (rc == DT_OK && member->height >= node->height)
        node->height = member->height + 1;
    return rc;
}

/* Replaces the members by all that are within. Goes down DT_GROUP_DEPTH_MAX calls at most. */
static int expand_members(dt_compiler *c, dt_group_node *node, int depth)
{
    size_t first;
    int rc = DT_OK;

    if (node->state == VISIT_DONE)
        return DT_OK;
    if (depth > DT_GROUP_DEPTH_MAX)
        return fail_at(c, node, "groups are nested more than %d deep", DT_GROUP_DEPTH_MAX);
    node->state = VISIT_UNDER_WAY;
    node->height = 1;
    for (uint32_t i = 0; rc == DT_OK && i < node->members.count; i++) {
        dt_group_node *member = node_find(c, c->p->names[node->members.first + i]);
        if (member != NULL)
            rc = close_member(c, node, member, depth);
    }
    if (rc == DT_OK && node->height > DT_GROUP_DEPTH_MAX)
        rc = fail_at(c, node, "groups are nested more than %d deep", DT_GROUP_DEPTH_MAX);
    if (rc != DT_OK)
        return rc;
    first = c->p->name_count;
    rc = push_all(c, node->members);
    for (uint32_t i = 0; rc == DT_OK && i < node->members.count; i++) {
        dt_group_node const *member = node_find(c, c->p->names[node->members.first + i]);
        if (member != NULL)
            rc = push_all(c, member->members);
    }
    if (rc != DT_OK)
        return rc;
    node->members = list_end(c, first);
    node->state = VISIT_DONE;
    if (node->members.count > DT_POLICY_LIST_MAX)
        return fail_at(c, node, "it contains more than %d groups", DT_POLICY_LIST_MAX);
    return c->p->name_count > DT_GROUPS_WITHIN_MAX
               ? fail_at(c, node, "more than %d groups are nested", DT_GROUPS_WITHIN_MAX)
               : DT_OK;
}

int dt_compiler_groups_parse(dt_compiler *c, dt_json const *v)
{
    int rc = DT_OK;

    if (v == NULL)
        return DT_OK;
    rc = dt_json_reader_array(&c->r, v, 0, DT_POLICY_GROUPS_MAX);
    if (rc != DT_OK || dt_json_size(v) == 0)
        return rc;
    c->groups = calloc(dt_json_size(v), sizeof(*c->groups));
    if (c->groups == NULL)
        return dt_compiler_nomem(c);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        c->groups[i].origin = (uint32_t)i;
        rc = node_read(c, dt_json_at(v, i), &c->groups[i]);
        if (rc == DT_OK)
            dt_json_reader_leave(&c->r, mark);
    }
    if (rc != DT_OK)
        return rc;
    c->group_count = dt_json_size(v);
    qsort(c->groups, c->group_count, sizeof(*c->groups), node_compare);
    for (size_t i = 1; i < c->group_count; i++)
        if (node_compare(&c->groups[i - 1], &c->groups[i]) == 0)
            return fail_at(c, &c->groups[i], "\"%.80s\" occurs twice", c->groups[i].name.text);
    for (size_t i = 0; rc == DT_OK && i < c->group_count; i++)
        rc = expand_members(c, &c->groups[i], 1);
    return rc;
}

/* --- what a rule names ------------------------------------------------------------------------- */

static bool is_like(dt_policy const *p, dt_name_list patterns, dt_folded_name group)
{
    for (uint32_t i = 0; i < patterns.count; i++)
        if (dt_pattern_matches(p->names[patterns.first + i].text, group.text))
            return true;
    return false;
}

/* What is within the groups that the names mean, and within those that the patterns mean. */
static int push_within(dt_compiler *c, dt_name_list names, dt_name_list patterns, bool *any)
{
    int rc = DT_OK;

    for (uint32_t i = 0; rc == DT_OK && i < names.count; i++) {
        dt_group_node const *node = node_find(c, c->p->names[names.first + i]);
        *any = *any || node != NULL;
        if (node != NULL)
            rc = push_all(c, node->members);
    }
    for (size_t i = 0; rc == DT_OK && patterns.count > 0 && i < c->group_count; i++) {
        if (!is_like(c->p, patterns, c->groups[i].name))
            continue;
        *any = true;
        rc = push_all(c, c->groups[i].members);
    }
    return rc;
}

int dt_compiler_groups_within(dt_compiler *c, dt_name_list *names, dt_name_list patterns)
{
    size_t first = c->p->name_count;
    bool any = false;
    int rc = DT_OK;

    if (c->group_count == 0 || names->count + patterns.count == 0)
        return DT_OK;
    rc = push_all(c, *names);
    if (rc == DT_OK)
        rc = push_within(c, *names, patterns, &any);
    if (rc != DT_OK)
        return rc;
    if (!any) {
        c->p->name_count = first;
        return DT_OK;
    }
    *names = list_end(c, first);
    return names->count > DT_POLICY_LIST_MAX
               ? dt_json_reader_fail(&c->r, "more than %d groups, including nested ones",
                                     DT_POLICY_LIST_MAX)
               : DT_OK;
}
