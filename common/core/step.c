/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of what a step may ask for. */
#include "core/step.h"

char const *dt_store_table_name(dt_store_table t)
{
    switch (t) {
    case DT_TABLE_DEVICE:
        return "device";
    case DT_TABLE_LOOKUP:
        return "lookup";
    case DT_TABLE_REMEMBERED:
        return "remembered";
    case DT_TABLE_PUSH:
        return "push";
    case DT_TABLE_PUSH_COUNT:
        return "push_count";
    case DT_TABLE_STATE:
        return "state";
    case DT_TABLE_NONE:
    case DT_TABLE_COUNT:
        break;
    }
    return "none";
}
