/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/faults.h"

#include <string.h>

size_t dt_faults_count(dt_faults const *f)
{
    return f != NULL ? f->count : 0;
}

int dt_faults_keep(dt_faults *f, dt_error *e, int rc)
{
    if (f == NULL || rc == DT_OK || rc == DT_E_NOMEM)
        return rc;
    if (e->code != 0) { /* else it is on the list: see dt_faults_end */
        if (f->count < DT_FAULTS_MAX)
            f->kept[f->count] = *e;
        f->count++;
    }
    memset(e, 0, sizeof(*e));
    return DT_OK;
}

int dt_faults_end(dt_faults const *f, size_t before, int rc)
{
    if (rc != DT_OK || dt_faults_count(f) == before)
        return rc;
    return before < DT_FAULTS_MAX ? f->kept[before].code : DT_E_INVALID;
}
