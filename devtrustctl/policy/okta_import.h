/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turning an Okta org's application sign-on policy (ACCESS_POLICY, its rules, the network zones) into
 * a policy and zones of ours. Pure: it reads a document of what Okta answered and gives JSON texts
 * and a report. Source of the shapes: Okta management API reference, Policy and NetworkZone.
 *
 * The result is never more permissive than the org's policy. What cannot be evaluated here is taken in
 * a stricter form where there is one, or refused by name; nothing is dropped without a word. A rule of
 * which only a part of the conditions can be evaluated holds for more sign-ons, or for fewer, than in
 * the org; which of the two is safe depends on what the rules after it give:
 * - to more (the condition is dropped): when no rule after gives less than it does; a rule that
 *   denies always may;
 * - to fewer (the rule is dropped, or kept in a narrower form): when no rule after gives more.
 * Else the rule is refused; with `tighten` it denies instead, which always is safe.
 *
 * okta_import_conditions.c defines dt_okta_platform_bits. */
#ifndef DT_CORE_OKTA_IMPORT_H
#define DT_CORE_OKTA_IMPORT_H

#include "core/base/json.h"

#define DT_OKTA_DOCUMENT_FORMAT "devtrust-okta-policies-1"
#define DT_OKTA_DOCUMENT_MAX (32 * 1024 * 1024)
#define DT_OKTA_POLICIES_MAX 1000
#define DT_OKTA_RULES_MAX 5000     /* of one policy */
#define DT_OKTA_ZONES_MAX 2000     /* of an org; as many as ours may have can be used */
#define DT_OKTA_NAMES_MAX 20000    /* groups, and users, whose names are known */
#define DT_IMPORT_TEXT_MAX 256     /* longest text of one note */
#define DT_IMPORT_POINTER_MAX 256  /* longest JSON pointer into the document */
#define DT_IMPORT_SKIPPED_ZONES 64 /* zones that the administrator leaves out by name */

/* What became of a piece. 0 is the one that stops the import. */
typedef enum dt_import_kind {
    DT_IMPORT_REFUSED = 0,
    DT_IMPORT_CHANGED,  /* kept in another form, nowhere more permissive */
    DT_IMPORT_LEFT_OUT, /* means nothing here, or is never reached */
    DT_IMPORT_KEPT,
    DT_IMPORT_KINDS, /* not a kind */
} dt_import_kind;
/* "refused", "changed", "left-out", "kept". */
char const *dt_import_kind_name(dt_import_kind k);

/* One piece: borrowed for the call. `rule` is "" for what belongs to no rule; `pointer` is a JSON
 * pointer into the document. Texts hold what Okta said: escape them before they are shown. */
typedef struct dt_import_note {
    dt_import_kind kind;
    char const *rule, *pointer, *text;
} dt_import_note;

typedef struct dt_import_options {
    char const *file;        /* the document's name, for messages */
    char const *application; /* whose policy it becomes: a PAM service or a RADIUS application */
    bool org; /* take the org's own sign-on rules (OKTA_SIGN_ON, as for RADIUS) instead, for
                 dt_org_policy_parse: no application, no choice */
    char const *policy; /* id or exact name of an ACCESS_POLICY; or */
    char const *app;    /* id of the Okta app it is mapped to; both NULL: the only one */
    char const *skip_zones[DT_IMPORT_SKIPPED_ZONES]; /* names; the list ends with NULL */
    bool tighten; /* what would be refused for a rule makes that rule deny */
    void (*report)(void *ctx, dt_import_note const *note); /* may be NULL */
    void *ctx;
} dt_import_options;

typedef struct dt_import_counts {
    size_t of[DT_IMPORT_KINDS];
    size_t rules; /* of the policy that was made */
} dt_import_counts;

/* The entry of the document's "policies" that the options choose: {"policy","rules","mappings"}.
 * Borrowed from the tree. DT_E_INVALID for a document of another form, DT_E_NOT_FOUND when none or
 * more than one fits; `e` names those that there are. `index`, if not NULL, is its place. */
DT_MUST_USE int dt_okta_document_policy(dt_json const *document, char const *policy,
                                        char const *app, dt_json const **entry, size_t *index,
                                        dt_error *e);

/* Converts. DT_OK also when pieces were refused: then counts->of[DT_IMPORT_REFUSED] > 0 and both
 * texts are empty. Else `policy` holds a policy by policy.schema.json and `zones` a zones file with
 * exactly the zones that it names and those that block; neither is indented. The buffers are the
 * caller's, empty, with ceilings (DT_POLICY_TEXT_MAX is enough for the policy).
 * DT_E_INVALID for a document of another form or past a limit, with `e` naming it; DT_E_NOT_FOUND as
 * above; DT_E_LIMIT when a text does not fit; DT_E_NOMEM. Thread safe. */
DT_MUST_USE int dt_okta_import(dt_json const *document, dt_import_options const *o, dt_buf *policy,
                               dt_buf *zones, dt_import_counts *counts, dt_error *e);

/* The dt_platform bits that a "platform" condition, Okta's or ours, leaves; what is unclear is
 * taken in. */
unsigned dt_okta_platform_bits(dt_json const *platform);

#endif
