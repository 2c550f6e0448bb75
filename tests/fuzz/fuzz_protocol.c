/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets between pam_devtrust.so and devtrustd: whatever is taken is within its bounds, and is the
 * same when it is written and read again. */
#include "pam_devtrust/protocol/protocol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void same(char const *a, char const *b)
{
    check(strcmp(a, b) == 0);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_message m, again;
    size_t len = 0;

    if (dt_message_decode(data, size, &m) != DT_OK) {
        check(m.type == DT_MESSAGE_NONE && m.user == NULL);
        return 0;
    }
    uint8_t *packet = malloc(size);

    check(packet != NULL);
    check(dt_message_size(&m) == size);
    check(dt_message_encode(&m, packet, size, &len) == DT_OK && len == size);
    check(dt_message_decode(packet, len, &again) == DT_OK);
    check(again.type == m.type && again.phase == m.phase && again.pid == m.pid &&
          again.number == m.number && again.style == m.style && again.result == m.result);
    same(again.service, m.service);
    same(again.user, m.user);
    same(again.rhost, m.rhost);
    same(again.tty, m.tty);
    same(again.ruser, m.ruser);
    same(again.ssh_auth_info, m.ssh_auth_info);
    same(again.text, m.text);
    same(again.answer, m.answer);
    same(again.cause, m.cause);
    same(again.message, m.message);
    check(strlen(m.user) <= DT_PROTOCOL_NAME_MAX && strlen(m.answer) <= DT_PROTOCOL_ANSWER_MAX);
    free(packet);
    return 0;
}
