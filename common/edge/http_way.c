/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which proxy a service is reached by, and what is sent to that proxy and to no other. */
#include "edge/http_way.h"

#include "edge/file.h"

#include <stdlib.h>
#include <string.h>

/* The keys of one place that names a proxy. */
typedef struct place {
    char const *section, *name, *secret;     /* for the configuration */
    char const *key, *key_secret;            /* for messages */
    char const *url, *credentials, *ca_file; /* their values */
} place;

static place place_common(dt_config const *c)
{
    return (place){"http",
                   "proxy",
                   "proxy_credentials_file",
                   "[http] proxy",
                   "[http] proxy_credentials_file",
                   c->http.proxy,
                   c->http.proxy_credentials_file,
                   c->http.proxy_ca_file};
}

static place place_own(dt_config const *c, dt_http_service service)
{
    switch (service) {
    case DT_HTTP_OKTA:
        return (place){"okta",
                       "proxy",
                       "proxy_credentials_file",
                       "[okta] proxy",
                       "[okta] proxy_credentials_file",
                       c->okta.proxy,
                       c->okta.proxy_credentials_file,
                       c->http.proxy_ca_file};
    case DT_HTTP_OCSP:
        return (place){"device_trust",
                       "ocsp_proxy",
                       "ocsp_proxy_credentials_file",
                       "[device_trust] ocsp_proxy",
                       "[device_trust] ocsp_proxy_credentials_file",
                       c->device_trust.ocsp_proxy,
                       c->device_trust.ocsp_proxy_credentials_file,
                       c->http.proxy_ca_file};
    case DT_HTTP_SIGNALS:
        return (place){"signals",
                       "proxy",
                       "proxy_credentials_file",
                       "[signals] proxy",
                       "[signals] proxy_credentials_file",
                       c->signals.proxy,
                       c->signals.proxy_credentials_file,
                       c->http.proxy_ca_file};
    case DT_HTTP_GRAPH:
    case DT_HTTP_ENTRA:
    case DT_HTTP_COMPLIANCE:
        break;
    }
    return (place){"intune",
                   "proxy",
                   "proxy_credentials_file",
                   "[intune] proxy",
                   "[intune] proxy_credentials_file",
                   c->intune.proxy,
                   c->intune.proxy_credentials_file,
                   c->http.proxy_ca_file};
}

/* They are encoded as they are: nothing but printable ASCII, and a colon that ends the name. */
static int check_credentials(dt_secret const *s, char const *path, dt_error *e)
{
    dt_bytes b = dt_secret_bytes(s);
    uint8_t const *colon = memchr(b.p, ':', b.len);
    bool fine = colon != NULL && colon != b.p && colon - b.p < DT_PROXY_NAME_MAX &&
                b.len - (size_t)(colon - b.p) - 1 < DT_PROXY_PASSWORD_MAX;

    for (size_t i = 0; fine && i < b.len; i++)
        fine = b.p[i] > ' ' && b.p[i] < 0x7f;
    if (fine)
        return DT_OK;
    return dt_error_set(e, DT_E_INVALID,
                        "%s does not match the credentials of a proxy; write USER:PASSWORD on one "
                        "line, in printable ASCII without blanks",
                        path);
}

static int load_credentials(dt_config const *c, place const *at, dt_http_proxy *p, dt_error *e)
{
    int rc;

    if (*at->credentials == '\0')
        return DT_OK;
    rc = dt_file_read_secret(at->credentials, true, &p->credentials, e);
    if (rc == DT_OK)
        rc = check_credentials(p->credentials, at->credentials, e);
    return rc < 0 ? dt_config_blame(c, at->section, at->secret, e, rc) : DT_OK;
}

static int load_anchors(dt_config const *c, place const *at, dt_http_proxy *p, dt_error *e)
{
    int rc;

    if (!p->tls || *at->ca_file == '\0')
        return DT_OK;
    rc = dt_tls_anchors_read(at->ca_file, &p->anchors, e);
    return rc < 0 ? dt_config_blame(c, "http", "proxy_ca_file", e, rc) : DT_OK;
}

int dt_http_proxy_load(dt_config const *c, dt_http_service service, dt_http_proxy **out,
                       dt_error *e)
{
    place at = place_own(c, service);
    int rc;

    *out = NULL;
    if (*at.url == '\0')
        at = place_common(c);
    if (*at.url == '\0' || strcmp(at.url, DT_PROXY_NONE) == 0)
        return DT_OK;
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    **out = (dt_http_proxy){.url = at.url,
                            .key = at.key,
                            .key_secret = at.key_secret,
                            .tls = strncmp(at.url, "https://", 8) == 0};
    rc = load_credentials(c, &at, *out, e);
    if (rc == DT_OK)
        rc = load_anchors(c, &at, *out, e);
    if (rc < 0)
        dt_http_proxy_free(out);
    return rc;
}

void dt_http_proxy_free(dt_http_proxy **p)
{
    if (*p == NULL)
        return;
    dt_secret_free(&(*p)->credentials);
    dt_tls_anchors_free(&(*p)->anchors);
    free(*p);
    *p = NULL;
}

void dt_http_proxy_split(dt_http_proxy const *p, char user[DT_PROXY_NAME_MAX],
                         char password[DT_PROXY_PASSWORD_MAX])
{
    dt_bytes b = p->credentials != NULL ? dt_secret_bytes(p->credentials) : dt_bytes_str("");
    uint8_t const *colon = b.len > 0 ? memchr(b.p, ':', b.len) : NULL;
    size_t name = colon != NULL ? (size_t)(colon - b.p) : b.len;

    user[0] = password[0] = '\0';
    if (colon == NULL || dt_str_copy_bytes(user, DT_PROXY_NAME_MAX, dt_bytes_of(b.p, name)) < 0)
        return;
    if (dt_str_copy_bytes(password, DT_PROXY_PASSWORD_MAX,
                          dt_bytes_of(colon + 1, b.len - name - 1)) < 0)
        user[0] = '\0';
}
