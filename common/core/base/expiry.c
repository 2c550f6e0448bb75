/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of what ends, and the words for it. */
#include "core/base/expiry.h"

#include "core/base/time_text.h"

#include <stdio.h>
#include <string.h>

void dt_expiries_add(dt_expiries *list, dt_expiry const *x)
{
    size_t at = list->count;

    while (at > 0 && list->items[at - 1].end > x->end)
        at--;
    if (list->count == DT_EXPIRIES_MAX) {
        list->left_out++;
        if (at == DT_EXPIRIES_MAX)
            return;
        list->count--;
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(list->items[0]));
    list->items[at] = *x;
    list->count++;
}

dt_expiry_state dt_expiry_judge(dt_expiry const *x, dt_time now)
{
    if (x->end <= now)
        return DT_EXPIRY_PAST;
    return x->end - now <= x->warns_for ? DT_EXPIRY_NEAR : DT_EXPIRY_FAR;
}

static char const *expiry_verb(dt_expiry const *x, dt_time now)
{
    return dt_expiry_judge(x, now) == DT_EXPIRY_PAST ? "expired" : "expires";
}

char *dt_expiry_fact(char out[DT_EXPIRY_TEXT_MAX], dt_expiry const *x, dt_time now)
{
    char day[25];

    dt_time_format(day, x->end);
    (void)snprintf(out, DT_EXPIRY_TEXT_MAX, "%s%s%s %s on %.10s", x->key,
                   x->name[0] != '\0' ? ": " : "", x->name, expiry_verb(x, now), day);
    return out;
}

char *dt_expiry_text(char out[DT_EXPIRY_TEXT_MAX], dt_expiry const *x, dt_time now)
{
    char fact[DT_EXPIRY_TEXT_MAX];

    (void)snprintf(out, DT_EXPIRY_TEXT_MAX, "%.500s; after that, %s; %s",
                   dt_expiry_fact(fact, x, now), x->then, x->to_do);
    return out;
}
