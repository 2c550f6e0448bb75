/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What evidence.c and verdict.c share and nobody else needs: how a set of evidence is read. */
#ifndef DT_CORE_EVIDENCE_FACTS_H
#define DT_CORE_EVIDENCE_FACTS_H

#include "core/device/evidence.h"

/* Items to look at; never more than there is room for, whatever `count` says. */
size_t dt_evidence_count(dt_evidence_set const *set);
/* A key was used in this sign-on. What a look-up or a client's word calls proved is not. */
bool dt_evidence_is_proved(dt_evidence const *e);
/* The one device that proved evidence names, whatever it finds; NULL when it names none. False when
 * it names two. Borrowed from the set. */
bool dt_evidence_proved_device(dt_evidence_set const *set, dt_guid const **device);

#endif
