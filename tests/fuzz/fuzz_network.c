/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks of any text: what is read as an address lies in the network of that one
 * address, and in a network that was read lies at least one.
 *
 * Input: lines; each is added as a network if it is one, and looked up if it is an address. */
#include "core/network.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 160
#define LINES_MAX 64
#define TAG 0
#define OTHER_TAG (DT_NETWORK_TAGS_MAX - 1)

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool tagged(dt_network_set const *s, dt_ip const *ip, uint32_t tag)
{
    dt_tag_set tags;

    memset(&tags, 0, sizeof(tags));
    dt_network_set_lookup(s, ip, &tags);
    for (uint32_t i = 0; i < DT_NETWORK_TAGS_MAX; i++)
        must((tags.words[i / 64] >> i % 64 & 1) == 0 || i == tag);
    return (tags.words[tag / 64] >> tag % 64 & 1) != 0;
}

static void one_line(dt_network_set *all, char const *line)
{
    dt_network_set *one = NULL;
    dt_error e = {0};
    dt_ip ip;
    int rc = dt_network_set_add(all, line, TAG, &e);

    must(rc == DT_OK || (rc == DT_E_INVALID && e.text[0] != '\0'));
    if (dt_ip_parse(line, &ip) != DT_OK) {
        must(!ip.set);
        return;
    }
    must(ip.set);
    if (rc != DT_OK)
        return; /* brackets, a port or a zone */
    must(tagged(all, &ip, TAG));
    must(dt_network_set_new(&one) == DT_OK &&
         dt_network_set_add(one, line, OTHER_TAG, NULL) == DT_OK);
    must(tagged(one, &ip, OTHER_TAG));
    ip.octets[15] ^= 1;
    must(!tagged(one, &ip, OTHER_TAG));
    dt_network_set_free(&one);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_network_set *all = NULL;
    uint8_t const *end = data + size;

    must(dt_network_set_new(&all) == DT_OK);
    for (int i = 0; i < LINES_MAX && data < end; i++) {
        uint8_t const *stop = memchr(data, '\n', (size_t)(end - data));
        size_t len = (size_t)((stop == NULL ? end : stop) - data);
        char line[LINE_MAX_LEN];
        if (len < sizeof(line)) {
            memcpy(line, data, len);
            line[len] = '\0';
            one_line(all, line);
        }
        data += len + (stop != NULL);
    }
    dt_network_set_free(&all);
    return 0;
}
