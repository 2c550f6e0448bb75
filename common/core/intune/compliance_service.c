/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Compliance Retrieval service: finding it, asking it, reading its answer. */
#include "core/intune/compliance_service.h"

#include "core/base/record_text.h"
#include "core/base/url.h"
#include "core/base/xml.h"

#include <string.h>

#define SERVICE "the Compliance Retrieval service"
#define PROVIDER "ComplianceRetrievalService" /* its name among Intune's endpoints */
/* The service principal of Intune, which has the same application id in every tenant. */
#define ENDPOINTS_PATH                                                                             \
    "/v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints"
#define READS_ENDPOINTS "Application.Read.All"

/* --- the clouds ------------------------------------------------------------------------------- */

typedef struct cloud {
    char const *graph, *resource, *host;
} cloud;

/* Names of "Microsoft Intune API", the service principal, in Entra. No public source names those of
 * the cloud in China. */
static cloud const *cloud_of(dt_config const *c)
{
    static cloud const clouds[] = {
        {"https://graph.microsoft.com", "https://api.manage.microsoft.com", "manage.microsoft.com"},
        {"https://graph.microsoft.us", "https://api.manage.microsoft.us", "manage.microsoft.us"},
        {"https://dod-graph.microsoft.us", "https://api.manage.microsoft.us",
         "manage.microsoft.us"},
    };
    dt_url ours, known;
    if (dt_url_parse(c->intune.graph_url, &ours) != DT_OK)
        return NULL;
    for (size_t i = 0; i < sizeof(clouds) / sizeof(clouds[0]); i++)
        if (dt_url_parse(clouds[i].graph, &known) == DT_OK && dt_url_same_origin(&ours, &known))
            return &clouds[i];
    return NULL;
}

char const *dt_compliance_resource(dt_config const *c)
{
    cloud const *known = cloud_of(c);
    if (c->intune.compliance_resource[0] != '\0')
        return c->intune.compliance_resource;
    return known == NULL ? NULL : known->resource;
}

char const *dt_compliance_host(dt_config const *c)
{
    cloud const *known = cloud_of(c);
    if (c->intune.compliance_host[0] != '\0')
        return c->intune.compliance_host;
    return known == NULL ? NULL : known->host;
}

bool dt_compliance_is_allowed(dt_config const *c, char const *url)
{
    char const *allowed = dt_compliance_host(c);
    size_t len = allowed == NULL ? 0 : strlen(allowed);
    char host[DT_COMPLIANCE_URL_MAX];
    dt_url at;
    if (len == 0 || dt_url_parse(url, &at) != DT_OK || at.literal || at.host.len < len ||
        dt_str_copy_bytes(host, sizeof(host), at.host) != DT_OK)
        return false;
    return dt_str_equal_nocase(host + at.host.len - len, allowed) &&
           (at.host.len == len || host[at.host.len - len - 1] == '.');
}

/* --- where it is ------------------------------------------------------------------------------ */

int dt_compliance_list_endpoints(dt_config const *c, char const *next, dt_http_request *out)
{
    dt_buf url;
    int rc = dt_graph_list_begin(c, ENDPOINTS_PATH, next, out, &url);
    return rc == DT_OK ? dt_intune_finish_get(c, DT_HTTP_GRAPH, &url, out) : rc;
}

static dt_intune_answer unusable(dt_error *e, dt_http_response const *r, char const *who,
                                 char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s's answer (HTTP %d) cannot be used: %s", who,
                       r->status, what);
    return DT_INTUNE_UNUSABLE;
}

/* Its slash at the end is ours to write. NULL, or what is wrong with it. */
static char const *take_address(dt_config const *c, char const *url, dt_compliance_address *out)
{
    char text[DT_COMPLIANCE_URL_MAX];
    dt_url parts;
    dt_bytes whole = dt_bytes_str(url);
    while (whole.len > 0 && whole.p[whole.len - 1] == '/')
        whole.len--;
    if (url == NULL || dt_str_copy_bytes(text, sizeof(text), whole) != DT_OK)
        return "the service's URL is missing or too long";
    if (dt_url_parse(text, &parts) != DT_OK || strchr(text, '?') != NULL)
        return "the service's URL is not an https URL";
    if (!dt_compliance_is_allowed(c, text))
        return "the service's URL is not within [intune] compliance_host";
    if (out->url[0] != '\0' && strcmp(out->url, text) != 0)
        return "it names two URLs of the service";
    memcpy(out->url, text, sizeof(out->url));
    return NULL;
}

/* The page's link to the next. NULL, or what is wrong. */
static char const *take_next(dt_config const *c, dt_json const *root, char next[DT_URL_MAX])
{
    dt_json const *link = dt_json_get(root, "@odata.nextLink");
    char const *text = dt_json_string(link);
    if (text == NULL)
        return link == NULL || dt_json_typeof(link) == DT_JSON_NULL
                   ? "it does not name the service: " PROVIDER
                   : "malformed next link";
    if (!dt_graph_is_link(c, ENDPOINTS_PATH, text))
        return "the next link leads to another host";
    return dt_str_copy(next, DT_URL_MAX, text) == DT_OK ? NULL : "the next link is too long";
}

/* NULL, or what is wrong. */
static char const *read_endpoints(dt_config const *c, dt_json const *root,
                                  dt_compliance_address *out, char next[DT_URL_MAX])
{
    dt_json const *list = dt_json_get(root, "value");
    if (dt_json_typeof(list) != DT_JSON_ARRAY)
        return "no list of endpoints";
    for (size_t i = 0; i < dt_json_size(list); i++) {
        dt_json const *one = dt_json_at(list, i);
        char const *name = dt_json_string(dt_json_get(one, "providerName"));
        char const *wrong = NULL;
        if (name != NULL && strcmp(name, PROVIDER) == 0)
            wrong = take_address(c, dt_json_string(dt_json_get(one, "uri")), out);
        if (wrong != NULL)
            return wrong;
    }
    return out->url[0] != '\0' ? NULL : take_next(c, root, next);
}

dt_intune_answer dt_compliance_read_endpoints(dt_config const *c, dt_http_response const *r,
                                              dt_time now, dt_compliance_address *out,
                                              char next[DT_URL_MAX], dt_error *e)
{
    dt_json *root = NULL;
    char const *wrong = NULL;
    memset(out, 0, sizeof(*out));
    next[0] = '\0';
    dt_intune_answer answer = dt_graph_read(r, READS_ENDPOINTS, &root, e);
    if (answer == DT_INTUNE_NOT_ENROLLED) /* a 404: nothing about any device */
        answer = DT_INTUNE_UNUSABLE;
    else if (answer == DT_INTUNE_OK && (wrong = read_endpoints(c, root, out, next)) != NULL)
        answer = unusable(e, r, "Graph", wrong);
    if (answer != DT_INTUNE_OK)
        memset(out, 0, sizeof(*out));
    else if (out->url[0] != '\0')
        out->found = now;
    dt_json_free(&root);
    return answer;
}

/* --- the question ----------------------------------------------------------------------------- */

int dt_compliance_get_device(dt_config const *c, dt_compliance_address const *at,
                             dt_guid const *device_id, dt_http_request *out)
{
    dt_buf url;
    memset(out, 0, sizeof(*out));
    if (!dt_guid_is_set(device_id) || !dt_compliance_is_allowed(c, at->url))
        return DT_E_INVALID;
    dt_buf_init_fixed(&url, out->url, sizeof(out->url));
    dt_buf_puts(&url, at->url);
    dt_buf_puts(&url, "/cisco/devices/?paging=0&querycriteria=guid&value=");
    dt_buf_puts(&url, device_id->text);
    dt_buf_puts(&url, "&filter=all");
    return dt_intune_finish_get(c, DT_HTTP_COMPLIANCE, &url, out);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Every element that is read, each at its one place; whatever else is there is passed over with all
 * that is in it. */
typedef enum node {
    NODE_OTHER = 0,
    NODE_ROOT,
    NODE_NAME,
    NODE_VERSION,
    NODE_LIST,
    NODE_DEVICE,
    NODE_ID,
    NODE_ATTRIBUTES,
    NODE_INNER_ID,
    NODE_REGISTERED,
    NODE_COMPLIANCE,
    NODE_STATUS,
    NODE_COUNT,
} node;

static struct {
    char const *name;
    node parent;
} const nodes[NODE_COUNT] = {
    [NODE_ROOT] = {"ise_api", NODE_OTHER},
    [NODE_NAME] = {"name", NODE_ROOT},
    [NODE_VERSION] = {"api_version", NODE_ROOT},
    [NODE_LIST] = {"deviceList", NODE_ROOT},
    [NODE_DEVICE] = {"device", NODE_LIST},
    [NODE_ID] = {"guid", NODE_DEVICE},
    [NODE_ATTRIBUTES] = {"Attributes", NODE_DEVICE},
    [NODE_INNER_ID] = {"guid", NODE_ATTRIBUTES},
    [NODE_REGISTERED] = {"register_status", NODE_ATTRIBUTES},
    [NODE_COMPLIANCE] = {"Compliance", NODE_ATTRIBUTES},
    [NODE_STATUS] = {"status", NODE_COMPLIANCE},
};

#define VALUE_MAX 64 /* longer than any value that is looked for */

typedef struct reading {
    dt_error *e;
    char space[DT_XML_SPACE_MAX]; /* the root's: what is in another is not part of this */
    node at[DT_XML_DEPTH_MAX + 1];
    bool seen[NODE_COUNT];
    char values[NODE_COUNT][VALUE_MAX];
} reading;

static node node_of(node parent, bool is_root, char const *name)
{
    if (!is_root && parent == NODE_OTHER)
        return NODE_OTHER;
    for (int n = NODE_ROOT; n < NODE_COUNT; n++)
        if (nodes[n].parent == parent && strcmp(nodes[n].name, name) == 0)
            return (node)n;
    return NODE_OTHER;
}

static int open_element(void *ctx, int depth, char const *space, char const *name)
{
    reading *w = ctx;
    bool is_root = depth == 0;
    node n = node_of(is_root ? NODE_OTHER : w->at[depth - 1], is_root, name);
    if (is_root && (n != NODE_ROOT || dt_str_copy(w->space, sizeof(w->space), space) != DT_OK))
        return dt_error_set(w->e, DT_E_PARSE, "it is not an ise_api document");
    if (strcmp(w->space, space) != 0)
        n = NODE_OTHER;
    w->at[depth] = n;
    if (n != NODE_OTHER && w->seen[n])
        return dt_error_set(w->e, DT_E_PARSE,
                            n == NODE_DEVICE ? "it is about more than one device"
                                             : "%s occurs twice",
                            nodes[n].name);
    w->seen[n] = true;
    return DT_OK;
}

static int close_element(void *ctx, int depth, char const *text)
{
    reading *w = ctx;
    node n = w->at[depth];
    if (n != NODE_OTHER && dt_str_copy(w->values[n], sizeof(w->values[n]), text) != DT_OK)
        w->values[n][0] = '\0'; /* too long to be any value that is known */
    return DT_OK;
}

/* As .NET writes a boolean, and in no other form. False when it is not one. */
static bool boolean_of(reading const *w, node n, bool *out)
{
    *out = strcmp(w->values[n], "true") == 0;
    return w->seen[n] && (*out || strcmp(w->values[n], "false") == 0);
}

static bool names(reading const *w, node n, dt_guid const *asked)
{
    dt_guid id;
    return dt_guid_parse(dt_bytes_str(w->values[n]), &id) == DT_OK && dt_guid_equal(&id, asked);
}

/* NULL, or what is wrong with it. */
static char const *judge(reading const *w, dt_guid const *asked, dt_intune_device *d)
{
    bool compliant = false;
    if (strcmp(w->values[NODE_NAME], "attributes") != 0 ||
        strcmp(w->values[NODE_VERSION], "3") != 0)
        return "it is not an attribute list of API version 3";
    if (!w->seen[NODE_LIST])
        return "no list of devices";
    d->device_id = *asked;
    if (!w->seen[NODE_DEVICE])
        return NULL; /* the list is there, and the device is not in it */
    if (!names(w, NODE_ID, asked) || (w->seen[NODE_INNER_ID] && !names(w, NODE_INNER_ID, asked)))
        return "it is about another device";
    if (!boolean_of(w, NODE_REGISTERED, &d->enrolled))
        return "register_status is neither true nor false";
    if (!d->enrolled)
        return NULL;
    if (!boolean_of(w, NODE_STATUS, &compliant))
        return "the Compliance status is neither true nor false";
    d->managed = true;
    d->compliance = compliant ? DT_COMPLIANCE_COMPLIANT : DT_COMPLIANCE_NOT_COMPLIANT;
    return NULL;
}

static dt_intune_answer answer_of_status(dt_http_response const *r, dt_error *e)
{
    bool refused = r->status == 401 || r->status == 403;
    (void)dt_error_set(e, DT_E_UNAVAILABLE, SERVICE " answered HTTP %d%s", r->status,
                       refused ? "; check the app's get_device_compliance of Microsoft Intune API"
                               : "");
    if (r->status == 429)
        return DT_INTUNE_RATE_LIMITED;
    if (dt_http_is_unavailable(r->failure, r->status))
        return DT_INTUNE_SERVER_ERROR;
    return refused ? DT_INTUNE_UNAUTHORIZED : DT_INTUNE_UNUSABLE;
}

dt_intune_answer dt_compliance_read_device(dt_http_response const *r, dt_guid const *asked,
                                           dt_time now, dt_intune_device *out, dt_error *e)
{
    static dt_xml_handler const handler = {.open = open_element, .close = close_element};
    dt_error why = {0};
    reading w = {.e = &why};
    char const *wrong;
    memset(out, 0, sizeof(*out));
    if (r->failure != DT_HTTP_OK)
        return dt_intune_no_status(r, SERVICE, e);
    if (r->status != 200)
        return answer_of_status(r, e);
    wrong = dt_xml_walk(r->body, &handler, &w, &why) == DT_OK ? judge(&w, asked, out) : why.text;
    if (wrong != NULL) {
        memset(out, 0, sizeof(*out));
        return unusable(e, r, SERVICE, wrong);
    }
    out->fetched = now;
    return out->enrolled ? DT_INTUNE_OK : DT_INTUNE_NOT_ENROLLED;
}

/* --- the address in the cache ----------------------------------------------------------------- */

#define RECORD_PREFIX "dt-compliance-service 1 "
#define KEY_PREFIX "compliance-service:"

void dt_compliance_store_key(dt_config const *c, char out[DT_STORE_KEY_MAX])
{
    size_t n = sizeof(KEY_PREFIX) - 1;
    memcpy(out, KEY_PREFIX, n);
    memcpy(out + n, c->intune.tenant_id.text, sizeof(c->intune.tenant_id.text));
}

int dt_compliance_pack(dt_config const *c, dt_compliance_address const *a, dt_buf *out)
{
    if (a->found <= 0 || !dt_compliance_is_allowed(c, a->url))
        return DT_E_INVALID;
    dt_buf_puts(out, RECORD_PREFIX);
    dt_buf_put_int(out, a->found);
    dt_buf_putc(out, ' ');
    dt_buf_puts(out, a->url);
    dt_buf_putc(out, '\n');
    return dt_buf_error(out);
}

int dt_compliance_unpack(dt_config const *c, dt_bytes record, dt_compliance_address *out)
{
    size_t n = sizeof(RECORD_PREFIX) - 1;
    dt_bytes rest, url;
    memset(out, 0, sizeof(*out));
    if (record.len > DT_COMPLIANCE_RECORD_MAX || record.len < n ||
        memcmp(record.p, RECORD_PREFIX, n) != 0)
        return DT_E_PARSE;
    rest = dt_bytes_of(record.p + n, record.len - n);
    if (!dt_record_take_number(&rest, ' ', INT64_MAX, &out->found) || out->found <= 0 ||
        !dt_record_take(&rest, '\n', &url) || rest.len != 0 ||
        dt_str_copy_bytes(out->url, sizeof(out->url), url) != DT_OK ||
        !dt_compliance_is_allowed(c, out->url)) {
        memset(out, 0, sizeof(*out));
        return DT_E_PARSE;
    }
    return DT_OK;
}
