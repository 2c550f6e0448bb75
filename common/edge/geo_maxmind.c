/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an address is, by libmaxminddb. The one file that knows it. Whatever a database does not say,
 * or says in another form, is not known. */
#include "edge/geo_maxmind.h"

#include "edge/file.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct dt_geo {
    MMDB_s asn, location;
    bool has_asn, has_location;
    unsigned kinds;
};

/* Types of database as they call themselves: "GeoLite2-City", "GeoIP2-Enterprise", "DBIP-Country-Lite",
 * "GeoLite2-ASN", "GeoIP2-ISP". */
static unsigned kinds_of(char const *type)
{
    if (strstr(type, "ASN") != NULL || strstr(type, "ISP") != NULL)
        return DT_GEO_ASN;
    if (strstr(type, "City") != NULL || strstr(type, "Enterprise") != NULL)
        return DT_GEO_COUNTRY | DT_GEO_REGION;
    return strstr(type, "Country") != NULL ? DT_GEO_COUNTRY : 0;
}

/* A copy in memory, so that a file that is cut short while it is in use ends nobody (SIGBUS). */
static int copy_to_memory(int from, char const *path, int *out, dt_error *e)
{
    char block[64 * 1024];
    size_t total = 0;
    ssize_t n;

    *out = memfd_create("devtrust-geo", MFD_CLOEXEC);
    if (*out < 0)
        return dt_error_set(e, DT_E_IO, "%s: no memory for a copy", path);
    while ((n = read(from, block, sizeof(block))) > 0 && (total += (size_t)n) <= DT_GEO_FILE_MAX)
        if (write(*out, block, (size_t)n) != n)
            break;
    if (n == 0)
        return DT_OK;
    close(*out);
    *out = -1;
    return dt_error_set(e, DT_E_IO, "%s cannot be read completely", path);
}

static int open_one(char const *path, unsigned wanted, MMDB_s *db, unsigned *kinds, dt_error *e)
{
    char judged[32]; /* what was judged is what is mapped */
    unsigned found;
    int fd = -1, copy = -1, error = dt_file_open(path, DT_FILE_TRUSTED, DT_GEO_FILE_MAX, &fd, e);

    if (error < 0)
        return error;
    error = copy_to_memory(fd, path, &copy, e);
    close(fd);
    if (error < 0)
        return error;
    (void)snprintf(judged, sizeof(judged), "/proc/self/fd/%d", copy);
    error = MMDB_open(judged, MMDB_MODE_MMAP, db);
    close(copy);
    if (error != MMDB_SUCCESS)
        return dt_error_set(e, DT_E_PARSE, "%s is not a MaxMind database: %s", path,
                            MMDB_strerror(error));
    found = kinds_of(db->metadata.database_type) & wanted;
    if (found == 0) {
        char type[64];
        dt_str_escape(type, sizeof(type), db->metadata.database_type);
        MMDB_close(db);
        return dt_error_set(e, DT_E_INVALID, "%s is a database of another type (\"%s\")", path,
                            type);
    }
    *kinds |= found;
    return DT_OK;
}

int dt_geo_open(dt_config const *c, dt_geo **out, dt_error *e)
{
    char const *asn = c->policy.asn_database, *location = c->policy.location_database;
    dt_geo *g;
    int rc = DT_OK;

    *out = NULL;
    if (*asn == '\0' && *location == '\0')
        return DT_OK;
    g = calloc(1, sizeof(*g));
    if (g == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (*asn != '\0') {
        rc = open_one(asn, DT_GEO_ASN, &g->asn, &g->kinds, e);
        g->has_asn = rc == DT_OK;
        rc = rc < 0 ? dt_config_blame(c, "policy", "asn_database", e, rc) : rc;
    }
    if (rc == DT_OK && *location != '\0') {
        rc = open_one(location, DT_GEO_COUNTRY | DT_GEO_REGION, &g->location, &g->kinds, e);
        g->has_location = rc == DT_OK;
        rc = rc < 0 ? dt_config_blame(c, "policy", "location_database", e, rc) : rc;
    }
    if (rc < 0)
        dt_geo_free(&g);
    *out = g;
    return rc;
}

void dt_geo_free(dt_geo **g)
{
    if (*g == NULL)
        return;
    if ((*g)->has_asn)
        MMDB_close(&(*g)->asn);
    if ((*g)->has_location)
        MMDB_close(&(*g)->location);
    free(*g);
    *g = NULL;
}

unsigned dt_geo_kinds(dt_geo const *g)
{
    return g == NULL ? 0 : g->kinds;
}

/* --- look-ups ----------------------------------------------------------------------------------- */

/* A database of IPv4 alone cannot be asked for IPv6; such an address is then not known. */
static bool find(MMDB_s const *db, dt_ip const *ip, MMDB_lookup_result_s *out)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    int error = MMDB_SUCCESS;

    memcpy(address.sin6_addr.s6_addr, ip->octets, sizeof(ip->octets));
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        memcpy(&v4.sin_addr, ip->octets + 12, 4);
        *out = MMDB_lookup_sockaddr(db, (struct sockaddr const *)&v4, &error);
    } else {
        *out = MMDB_lookup_sockaddr(db, (struct sockaddr const *)&address, &error);
    }
    return error == MMDB_SUCCESS && out->found_entry;
}

static bool get_code(MMDB_lookup_result_s *r, char const *const *path, char *dst, size_t min,
                     size_t max)
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(&r->entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size < min || data.data_size > max)
        return false;
    for (uint32_t i = 0; i < data.data_size; i++) {
        char c = data.utf8_string[i];
        if (!((c >= 'A' && c <= 'Z') || (max > 2 && c >= '0' && c <= '9')))
            return false;
    }
    memcpy(dst, data.utf8_string, data.data_size);
    dst[data.data_size] = '\0';
    return true;
}

static void look_up_asn(dt_geo const *g, dt_ip const *ip, dt_geo_place *out)
{
    static char const *const number[] = {"autonomous_system_number", NULL};
    MMDB_lookup_result_s r;
    MMDB_entry_data_s data;

    if (!g->has_asn || !find(&g->asn, ip, &r) ||
        MMDB_aget_value(&r.entry, &data, number) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UINT32 || data.uint32 == 0)
        return;
    out->asn = data.uint32;
    out->known |= DT_GEO_ASN;
}

static void look_up_location(dt_geo const *g, dt_ip const *ip, dt_geo_place *out)
{
    static char const *const country[] = {"country", "iso_code", NULL};
    static char const *const region[] = {"subdivisions", "0", "iso_code", NULL};
    MMDB_lookup_result_s r;

    if (!g->has_location || !find(&g->location, ip, &r) ||
        !get_code(&r, country, out->country, 2, 2))
        return;
    out->known |= DT_GEO_COUNTRY;
    if ((g->kinds & DT_GEO_REGION) != 0 && get_code(&r, region, out->region, 1, 3))
        out->known |= DT_GEO_REGION;
}

void dt_geo_lookup(dt_geo const *g, dt_ip const *ip, dt_geo_place *out)
{
    memset(out, 0, sizeof(*out));
    if (g == NULL || !ip->set)
        return;
    look_up_asn(g, ip, out);
    look_up_location(g, ip, out);
}
