/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Managed app configuration of any form: facts that hold together, or none and a reason that gives
 * nothing of the secret away. */
#include "core/device/managed_config.h"

#include <stdlib.h>
#include <string.h>

#define KEY "fuzzedSecretKey-0123456789"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    static dt_managed_hints hints;
    dt_managed_hints other;
    dt_managed_facts f;
    dt_error e = {0};

    if (hints.count == 0)
        require(dt_managed_hints_parse(dt_bytes_str(KEY), &hints, NULL) == DT_OK);
    int rc = dt_managed_config_read(dt_bytes_of(data, size), &hints, &f, &e);
    require(rc <= 0 && (rc == 0) == (e.text[0] == '\0'));
    require(!f.hint_matches || f.hint_given);
    require(!f.hint_matches || size >= sizeof(KEY) - 1); /* it was in the text */
    require(rc == 0 || (!f.hint_given && f.site[0] == '\0' && f.username[0] == '\0'));
    require(memchr(f.site, '\0', sizeof(f.site)) && memchr(f.username, '\0', sizeof(f.username)));
    if (rc < 0)
        require(strstr(e.text, KEY) == NULL);
    rc = dt_managed_hints_parse(dt_bytes_of(data, size), &other, &e);
    require((rc == DT_OK) == (other.count > 0) && other.count <= DT_MANAGED_HINTS_MAX);
    dt_managed_hints_free(&other);
    return 0;
}
