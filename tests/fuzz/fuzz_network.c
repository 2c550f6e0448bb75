/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks of any text: what is read as an address lies in the network of that one
 * address, and in a network that was read lies at least one. What all the lines say together is the
 * same of a sealed set, whose look-ups are quick, and of one that is not, which looks at every network.
 *
 * Input: lines; each is added as a network if it is one, and looked up if it is an address. */
#include "core/policy/network.h"

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
    for (int sealed = 0; sealed < 2; sealed++) {
        must(tagged(one, &ip, OTHER_TAG));
        ip.octets[15] ^= 1;
        must(!tagged(one, &ip, OTHER_TAG));
        ip.octets[15] ^= 1;
        must(dt_network_set_seal(one) == DT_OK);
    }
    dt_network_set_free(&one);
}

static bool same_tags(dt_network_set const *a, dt_network_set const *b, dt_ip const *ip)
{
    dt_tag_set x, y;

    memset(&x, 0, sizeof(x));
    memset(&y, 0, sizeof(y));
    dt_network_set_lookup(a, ip, &x);
    dt_network_set_lookup(b, ip, &y);
    return memcmp(&x, &y, sizeof(x)) == 0;
}

/* Around the first address that a line names, whatever else it says. */
static void compare_at(dt_network_set const *a, dt_network_set const *b, char const *line)
{
    char first[LINE_MAX_LEN];
    dt_ip ip;

    strcpy(first, line);
    first[strcspn(first, "/-")] = '\0';
    if (dt_ip_parse(first, &ip) != DT_OK)
        return;
    for (int bit = 0; bit < 128; bit++) {
        dt_ip near = ip;
        near.octets[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        must(same_tags(a, b, &near));
    }
    must(same_tags(a, b, &ip));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    char lines[LINES_MAX][LINE_MAX_LEN];
    dt_network_set *all = NULL, *sealed = NULL, *listed = NULL;
    uint8_t const *end = data + size;
    uint32_t count = 0;

    must(dt_network_set_new(&all) == DT_OK && dt_network_set_new(&sealed) == DT_OK &&
         dt_network_set_new(&listed) == DT_OK);
    for (int i = 0; i < LINES_MAX && data < end; i++) {
        uint8_t const *stop = memchr(data, '\n', (size_t)(end - data));
        size_t len = (size_t)((stop == NULL ? end : stop) - data);
        if (len < LINE_MAX_LEN) {
            memcpy(lines[count], data, len);
            lines[count][len] = '\0';
            one_line(all, lines[count]);
            must(dt_network_set_add(sealed, lines[count], count, NULL) ==
                 dt_network_set_add(listed, lines[count], count, NULL));
            count++;
        }
        data += len + (stop != NULL);
    }
    must(dt_network_set_seal(sealed) == DT_OK);
    for (uint32_t i = 0; i < count; i++)
        compare_at(sealed, listed, lines[i]);
    dt_network_set_free(&all);
    dt_network_set_free(&sealed);
    dt_network_set_free(&listed);
    return 0;
}
