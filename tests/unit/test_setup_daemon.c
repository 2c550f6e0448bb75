/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When setup may reload sshd: what systemctl says of devtrustd, and whether it goes by the files of now. */
#include "devtrustctl/setup/daemon_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define STARTED "\nExecMainStartTimestampMonotonic="
#define STATUS "\nStatusText=configuration 2 in force"

static void states(void **state)
{
    static struct {
        char const *shown;
        dt_daemon_state expected;
    } const rows[] = {
        /* it read the files at or after 5000 ms */
        {"ActiveState=active" STARTED "9000000" STATUS "; files read at 12\n", DT_DAEMON_CURRENT},
        {"ActiveState=active" STARTED "1000000" STATUS "; files read at 5000 ms\n",
         DT_DAEMON_CURRENT},
        {"ActiveState=active" STARTED "1000000" STATUS "; files read at 70000 ms\n",
         DT_DAEMON_CURRENT},
        {"StatusText=x; files read at 6000 ms\nActiveState=active\n", DT_DAEMON_CURRENT},
        /* the next login starts it */
        {"ActiveState=inactive" STARTED "0\nStatusText=\n", DT_DAEMON_CURRENT},
        {"ActiveState=failed" STARTED "1000000\nStatusText=\n", DT_DAEMON_CURRENT},
        /* before */
        {"ActiveState=active" STARTED "1000000" STATUS "; files read at 4999 ms\n",
         DT_DAEMON_BEHIND},
        {"ActiveState=active" STARTED "4999999" STATUS "; files read at 4999 ms\n",
         DT_DAEMON_BEHIND},
        {"ActiveState=active" STARTED "1000000\nStatusText=\n", DT_DAEMON_BEHIND},
        {"ActiveState=active" STARTED "\nStatusText=files read at \n", DT_DAEMON_BEHIND},
        {"ActiveState=active" STARTED "0" STATUS "\n", DT_DAEMON_BEHIND},
        {"ActiveState=active" STARTED "-7000000" STATUS "; files read at -6000 ms\n",
         DT_DAEMON_BEHIND},
        {"ActiveState=activating" STARTED "9000000" STATUS "; files read at 6000 ms\n",
         DT_DAEMON_BEHIND},
        {"ActiveState=deactivating" STARTED "9000000\n", DT_DAEMON_BEHIND},
        {"ActiveState=reloading" STARTED "1000000" STATUS "; files read at 6000 ms\n",
         DT_DAEMON_BEHIND},
        {"ActiveState=\n", DT_DAEMON_BEHIND},
        {"", DT_DAEMON_BEHIND},
        {"Unit not found\n", DT_DAEMON_BEHIND},
        {"XActiveState=inactive\n", DT_DAEMON_BEHIND},
        /* what it read is not in force */
        {"ActiveState=active" STARTED "1000000" STATUS
         ", the changed one was NOT applied; files read at 6000 ms\n",
         DT_DAEMON_REFUSES},
        {"ActiveState=active" STARTED "1000000" STATUS
         ", the changed one was NOT applied; files read at 4000 ms\n",
         DT_DAEMON_BEHIND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (dt_daemon_state_of(rows[i].shown, 5000) != rows[i].expected)
            fail_msg("row %zu: %s", i, rows[i].shown);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {cmocka_unit_test(states)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
