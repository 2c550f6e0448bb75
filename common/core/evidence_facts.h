/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What evidence.c and verdict.c share and nobody else needs: how a set of evidence is read. */
#ifndef DT_CORE_EVIDENCE_FACTS_H
#define DT_CORE_EVIDENCE_FACTS_H

#include "core/evidence.h"

/* Sources that count only when a key was used in this very sign-on. */
#define DT_SOURCES_WITH_KEY                                                                        \
    (DT_SOURCE_CERTIFICATE | DT_SOURCE_SSH_KEY | DT_SOURCE_SSH_CERTIFICATE | DT_SOURCE_SSH_AGENT)
/* Sources that are asked about a device that others name: no answer is UNKNOWN. */
#define DT_SOURCES_LOOKED_UP (DT_SOURCE_INTUNE | DT_SOURCE_OKTA_DEVICE | DT_SOURCE_REGISTRY)
/* Those among them that a service is asked about, whose answers are cached. */
#define DT_SOURCES_ASKED (DT_SOURCE_INTUNE | DT_SOURCE_OKTA_DEVICE)
/* Every source there is: a set with another bit never holds. */
#define DT_SOURCES_ALL                                                                             \
    (DT_SOURCES_WITH_KEY | DT_SOURCES_LOOKED_UP | DT_SOURCE_VPN_CLIENT | DT_SOURCE_MANAGEMENT_HINT)
/* Sources that speak of this host and name no device. */
#define DT_SOURCES_OF_HOST DT_SOURCE_MANAGEMENT_HINT

/* Items to look at; never more than there is room for, whatever `count` says. */
size_t dt_evidence_count(dt_evidence_set const *set);
/* A key was used in this sign-on. What a look-up or a client's word calls proved is not. */
bool dt_evidence_is_proved(dt_evidence const *e);
/* The one device that proved evidence names, whatever it finds; NULL when it names none. False when
 * it names two. Borrowed from the set. */
bool dt_evidence_proved_device(dt_evidence_set const *set, dt_guid const **device);

#endif
