/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carries edits out, all or none, and takes them back.
 *
 * Below the root, in /var/backups/devtrust (of root alone), are two records. "setup.json" has every path that runs of
 * setup have changed, with what was there before the first of them: --undo goes by it. "pending.json" is there while
 * a run is under way; whoever finds it takes the half-done run back first, so a run that was killed at any moment
 * leaves everything as it was before it, or as it is after it. */
#ifndef DT_SETUP_JOURNAL_H
#define DT_SETUP_JOURNAL_H

#include "devtrustctl/setup/tree.h"

#define DT_JOURNAL_DIRECTORY "/var/backups/devtrust"
#define DT_JOURNAL_FILE_MAX (8 * 1024 * 1024) /* longest record, bytes */

/* Makes the directory and locks it until dt_journal_close. DT_E_STATE while another setup runs. */
typedef struct dt_journal {
    dt_tree const *tree;
    int lock;
} dt_journal;
DT_MUST_USE int dt_journal_open(dt_journal *j, dt_tree const *t, dt_error *e);
void dt_journal_close(dt_journal *j);

/* Takes back a run that was killed; *did says whether there was one. DT_E_STATE with the path when somebody has
 * changed a file of it meanwhile. */
DT_MUST_USE int dt_journal_recover(dt_journal *j, bool *did, dt_error *e);
/* Whether there is a half-done run. Looks only. */
bool dt_journal_is_pending(dt_tree const *t);

/* Carries out the edits in their order, then calls `check` (may be NULL). When an edit or the check fails everything is
 * taken back, and the error is theirs. */
typedef int dt_journal_check(void *ctx, dt_error *e);
DT_MUST_USE int dt_journal_apply(dt_journal *j, dt_edits *edits, dt_journal_check *check, void *ctx,
                                 dt_error *e);

/* Plans the way back: the edits of all runs, reversed. DT_E_NOT_FOUND when there is nothing to undo; DT_E_STATE, naming
 * the files, when some have changed since, unless `force`. `l` was initialised. */
DT_MUST_USE int dt_journal_plan_undo(dt_tree const *t, bool force, dt_edits *l, dt_error *e);
/* Carries them out and forgets the record. */
DT_MUST_USE int dt_journal_undo(dt_journal *j, dt_edits *l, dt_error *e);

#endif
