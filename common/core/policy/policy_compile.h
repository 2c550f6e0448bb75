/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the policy compiler share: policy_parse.c, policy_conditions.c,
 * policy_actions.c. */
#ifndef DT_CORE_POLICY_COMPILE_H
#define DT_CORE_POLICY_COMPILE_H

#include "core/base/json_reader.h"
#include "core/policy/policy_rules.h"

/* A group that contains others: policy_groups.c. */
typedef struct dt_group_node dt_group_node;

/* One policy being compiled. */
typedef struct dt_compiler {
    dt_json_reader r;
    dt_policy *p;
    size_t names_cap, replies_cap, zone_ids_cap, spans_cap;
    dt_group_node *groups; /* sorted by name */
    size_t group_count;
    bool org; /* the rules are the org's, see dt_org_policy_parse */
} dt_compiler;

int dt_compiler_nomem(dt_compiler *c);
/* Keeps a copy for the life of the policy; NULL when memory is out. */
char *dt_compiler_keep(dt_policy *p, char const *s);
/* Makes room for one more element of an array that doubles; *items, which is NULL at first, moves. */
DT_MUST_USE int dt_compiler_grow(dt_compiler *c, void **items, size_t count, size_t *cap,
                                 size_t size);

/* Reads which groups are within which, which may be NULL; before the rules. */
DT_MUST_USE int dt_compiler_groups_parse(dt_compiler *c, dt_json const *v);
/* Adds to a rule's groups all that are within those that its names and patterns mean. */
DT_MUST_USE int dt_compiler_groups_within(dt_compiler *c, dt_name_list *names,
                                          dt_name_list patterns);
/* Reads a rule's conditions into it. */
DT_MUST_USE int dt_rule_conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule);
/* Reads one member of them, such as "people". */
DT_MUST_USE int dt_compiler_condition_parse(dt_compiler *c, char const *member, dt_json const *v,
                                            dt_rule *rule);
/* Reads a rule's actions into it. */
DT_MUST_USE int dt_rule_actions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule);
/* Like dt_rule_conditions_parse and dt_rule_actions_parse, for a rule of the org. */
DT_MUST_USE int dt_org_conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule);
DT_MUST_USE int dt_org_actions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule);
/* Keeps a group's id, as it is, with the name that people know it by, and pushes it. */
DT_MUST_USE int dt_compiler_id_add(dt_compiler *c, char const *id, char const *name);
/* Keeps a name, folded, and pushes it. */
DT_MUST_USE int dt_compiler_name_add(dt_compiler *c, char const *s);
/* What deciding needs of rules that were read: which groups they name, and the screens. */
DT_MUST_USE int dt_compiler_rules_end(dt_compiler *c);
/* A name as dt_policy.names has them: folded. */
DT_MUST_USE int dt_compiler_name_push(dt_compiler *c, dt_folded_name name);
/* Sorts the list and looks for a name that is there twice; NULL when there is none. */
char const *dt_compiler_list_sort(dt_policy *p, dt_name_list list);
/* Ends a list whose names were pushed since out->first: sorted, and none of them twice. */
DT_MUST_USE int dt_compiler_list_end(dt_compiler *c, dt_name_list *out);
int dt_folded_name_compare(void const *a, void const *b);
/* True when the rule holds for everybody, from everywhere, on every device. */
bool dt_rule_is_unconditional(dt_rule const *r);

#endif
