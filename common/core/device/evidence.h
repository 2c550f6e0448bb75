/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evidence: what is known about the device; and the verdict made of it. */
#ifndef DT_CORE_EVIDENCE_H
#define DT_CORE_EVIDENCE_H

#include "core/config/config.h"

#define DT_EVIDENCE_MAX 16 /* most facts about one device in one sign-on */
#define DT_DEVICE_NAME_MAX 128

/* How sure a fact is. ASSERTED is 0: somebody said so, nothing was proved. */
typedef enum dt_assurance { DT_ASSERTED = 0, DT_PROVED = 1 } dt_assurance;

/* How old a kept answer of a look-up is: as good as new, to be used only for want of a better one, or
 * not to be used. */
typedef enum dt_freshness { DT_TOO_OLD = 0, DT_STALE, DT_FRESH } dt_freshness;

/* What one piece of evidence says for the device. 0 says nothing good. */
typedef enum dt_finding {
    DT_FINDING_AGAINST = 0, /* looked, and it is not so; `reason` says why */
    DT_FINDING_UNKNOWN,     /* could not look */
    DT_FINDING_FOR,
} dt_finding;

typedef struct dt_evidence {
    dt_source source;
    dt_assurance assurance; /* PROVED: its key was used in this sign-on */
    dt_finding finding;
    dt_reason reason;     /* why AGAINST or UNKNOWN; or IN_GRACE_PERIOD, STALE with FOR */
    dt_guid device_id;    /* Intune device id, when the source names one */
    dt_guid entra_id;     /* Entra device id, when the source names one */
    dt_platform platform; /* hint; 0 when the source says nothing */
    char device_name[DT_DEVICE_NAME_MAX];
    char key_id[65]; /* names the proved key: hex SHA-256 of its SubjectPublicKeyInfo, or of its SSH
                         blob where no X.509 certificate holds it; "" when none */
    char serial
        [DT_HARDWARE_SERIAL_MAX]; /* hardware serial number that the proved certificate names, as
                                            dt_hardware_serial writes it; "" when none */
    dt_time observed;             /* when the fact was learnt (cache age = now - observed) */
} dt_evidence;

typedef struct dt_evidence_set {
    dt_evidence items[DT_EVIDENCE_MAX];
    size_t count;
} dt_evidence_set;

/* Adds a copy. DT_E_LIMIT when full. */
DT_MUST_USE int dt_evidence_add(dt_evidence_set *set, dt_evidence const *e);
/* The Intune device id to look up: that of proved evidence FOR a device; else, where no proof names
 * any, that of vpn-client evidence if some alternative of trusted_when names this source (what a key
 * should have proved and did not is not looked up). NULL when there is none, or when two proved pieces
 * name different devices (then the verdict is NOT_TRUSTED, NO_PROOF_OF_POSSESSION). */
dt_guid const *dt_evidence_device_id(dt_evidence_set const *set, dt_config const *c);
/* Hex key id of a key proved in this sign-on, or "" (also when two devices were proved). */
char const *dt_evidence_proved_key(dt_evidence_set const *set);

typedef enum dt_trust {
    DT_TRUST_UNKNOWN = 0, /* a look-up failed: never the same as NOT_TRUSTED */
    DT_TRUST_NOT_TRUSTED,
    DT_TRUST_TRUSTED,
} dt_trust;
/* "UNKNOWN", "NOT_TRUSTED", "TRUSTED". */
char const *dt_trust_name(dt_trust t);

typedef struct dt_verdict {
    dt_trust trust;
    dt_reason reason;
    unsigned sources; /* the alternative of trusted_when that held; 0 unless TRUSTED */
    dt_guid device_id;
    dt_platform platform;
    char device_name[DT_DEVICE_NAME_MAX];
    char key_id[65]; /* proved key, "" when none */
    dt_time oldest;  /* when the oldest fact it rests on was learnt */
} dt_verdict;

/* Judges the evidence by [device_trust]. Pure: the same evidence gives the same verdict. TRUSTED only when for all
 * sources of one alternative there is evidence FOR the same device id and none AGAINST it (AGAINST without a
 * device id counts against every device; `management-hint` FOR names none and speaks of this host: alone, or
 * beside its certificate), each member that is a key is PROVED, the device is the one that proved evidence names,
 * if any does, and each platform that a member gives is enabled (an unknown platform counts as not enabled only if
 * `platforms` does not hold every platform). FOR counts only with the reason NONE, TRUSTED, STALE or, where it is
 * allowed, IN_GRACE_PERIOD; of `intune` and `okta-device` also only up to stale_limit. UNKNOWN when no alternative
 * holds but one could, had an UNKNOWN finding been FOR; a missing answer of a look-up (`intune`, `okta-device`,
 * `registry`) is such a finding. `registry` counts only beside a proved key. `reason` goes with TRUSTED as
 * TRUSTED, STALE or IN_GRACE_PERIOD; else it is that of the alternative that came nearest. device_id, name and
 * platform are those of a proved device, or of a claimed one that trusted_when allows; never those of a
 * certificate that was not good. */
void dt_verdict_judge(dt_evidence_set const *set, dt_config const *c, dt_time now, dt_verdict *out);

#endif
