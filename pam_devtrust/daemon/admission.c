/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who was let in within an SSH connection, from the auth or account lines until the session line asks about the
 * same connection: in sshd that is another process, which knows nothing of the first. Kept in the store, since
 * without a daemon each of the two has one of its own, and once only: a connection has one session line. */
#include "pam_devtrust/daemon/daemon.h"

#include "edge/host.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

static void perform(dt_daemon *d, dt_store_verb verb, char const *key, dt_bytes value,
                    uint8_t *storage, size_t size, dt_store_result *out)
{
    dt_store_op op = {.table = DT_TABLE_PUSH_COUNT,
                      .verb = verb,
                      .value = value,
                      .expires = dt_host_now() + DT_DAEMON_ADMITTED_KEPT};
    dt_buf scratch;

    memset(out, 0, sizeof(*out));
    dt_buf_init_fixed(&scratch, storage, size);
    (void)!dt_str_copy(op.key, sizeof(op.key), key);
    dt_driver_store_do(d->driver, &op, &scratch, out);
}

bool dt_admission_key(char const *connection, char const *service, char const *account,
                      char out[DT_STORE_KEY_MAX])
{
    int n = snprintf(out, DT_STORE_KEY_MAX, "admitted:%s:%s:%s", connection, service, account);
    bool fits = connection[0] != '\0' && account[0] != '\0' && n > 0 && n < DT_STORE_KEY_MAX;

    if (!fits)
        out[0] = '\0';
    return fits;
}

void dt_admission_keep(dt_daemon *d, char const *key, dt_cause cause)
{
    uint8_t storage[DT_DAEMON_ADMITTED_BYTES];
    dt_store_result result;

    perform(d, DT_STORE_PUT, key, dt_bytes_str(dt_cause_name(cause)), storage, sizeof(storage),
            &result);
    if (result.status != DT_STORE_OK)
        dt_log(LOG_WARNING,
               "the record that a connection was let in cannot be stored, so its session line will "
               "decide again: %s",
               result.error);
}

bool dt_admission_take(dt_daemon *d, char const *key, dt_outcome *out)
{
    uint8_t storage[DT_DAEMON_ADMITTED_BYTES], none[DT_DAEMON_ADMITTED_BYTES];
    dt_store_result result, dropped;

    perform(d, DT_STORE_GET, key, dt_bytes_of(NULL, 0), storage, sizeof(storage), &result);
    if (result.status != DT_STORE_OK)
        return false;
    perform(d, DT_STORE_DELETE, key, dt_bytes_of(NULL, 0), none, sizeof(none), &dropped);
    for (int c = 0; c < DT_CAUSE_COUNT; c++) {
        if (dt_cause_allows((dt_cause)c) &&
            dt_bytes_equal(result.value, dt_bytes_str(dt_cause_name((dt_cause)c))))
            dt_outcome_set(out, DT_ALLOW, (dt_cause)c);
    }
    return out->result == DT_ALLOW;
}
