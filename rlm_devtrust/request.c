/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a RADIUS request to what the core wants to know: evaluates the configured expressions, each
 * bounded and free of NULs, and makes the key by which one person's logins share one push. */
#include "rlm_devtrust/rlm_devtrust.h"

#include "core/base/crypto.h"
#include "core/policy/network.h"
#include "core/okta/passcode.h"
#include "core/okta/scrv1.h"
#include "core/policy/place.h"
#include "edge/host.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_ETHERNET 15
#define PORT_WIRELESS 19

/* --- expressions ---------------------------------------------------------------------------- */

int dt_rlm_compile(TALLOC_CTX *ctx, char const *name, dt_rlm_expression *x, dt_error *e)
{
    if (x->text == NULL || x->text[0] == '\0')
        return 0;
    if (x->text[0] == '&') {
        if (tmpl_afrom_attr_str(ctx, &x->attribute, x->text, REQUEST_CURRENT, PAIR_LIST_REQUEST,
                                false, false) <= 0)
            return dt_error_set(e, DT_E_INVALID, "%s = \"%s\": %s", name, x->text, fr_strerror());
        if (x->attribute->type != TMPL_TYPE_ATTR)
            return dt_error_set(e, DT_E_INVALID, "%s = \"%s\": unknown attribute", name, x->text);
        return 0;
    }
    char const *why = NULL;
    char *text = talloc_strdup(ctx, x->text); /* cut into pieces, and kept */
    if (text == NULL)
        return dt_error_set(e, DT_E_NOMEM, "no memory");
    ssize_t rc = xlat_tokenize(ctx, text, &x->xlat, &why);
    if (rc < 0)
        return dt_error_set(e, DT_E_INVALID, "%s = \"%s\": at character %zd: %s", name, x->text,
                            -rc, why != NULL ? why : "not an expression");
    return 0;
}

int dt_rlm_value_text(VALUE_PAIR const *vp, char *dst, size_t size)
{
    if (vp->da->type == PW_TYPE_STRING)
        return dt_str_copy_bytes(dst, size, dt_bytes_of(vp->vp_strvalue, vp->vp_length));
    size_t len = vp_prints_value(dst, size, vp, '\0');
    if (len < size)
        return 0;
    dst[0] = '\0';
    return DT_E_LIMIT;
}

static int attribute_text(REQUEST *request, vp_tmpl_t const *attribute, char *dst, size_t size)
{
    VALUE_PAIR *vp = NULL;
    if (tmpl_find_vp(&vp, request, attribute) != 0 || vp == NULL)
        return 0;
    return dt_rlm_value_text(vp, dst, size);
}

/* Values go in as they are. Without a function of its own for that, the server would put backslashes
 * into names with quotes in them. */
static size_t as_is(UNUSED REQUEST *request, char *out, size_t size, char const *in,
                    UNUSED void *arg)
{
    return strlcpy(out, in, size);
}

int dt_rlm_evaluate(REQUEST *request, dt_rlm_expression const *x, char *dst, size_t size)
{
    dst[0] = '\0';
    if (x->attribute != NULL)
        return attribute_text(request, x->attribute, dst, size);
    if (x->xlat == NULL)
        return 0;
    ssize_t len = radius_xlat_struct(dst, size, request, x->xlat, as_is, NULL);
    if (len < 0)
        dst[0] = '\0';
    if (len < 0 || (size_t)len < size)
        return 0;
    dst[0] = '\0';
    return DT_E_LIMIT;
}

/* --- groups --------------------------------------------------------------------------------- */

/* Keeps a group that some rule names; false when there are too many of them. */
static bool add_group(dt_rlm_inputs *in, size_t *used, char *name)
{
    size_t len = strlen(name) + 1;
    if (len == 1 ||
        !dt_ruleset_keeps_group(in->ruleset, dt_bytes_of(in->groups, *used), in->group_count, name))
        return true;
    if (in->group_count >= DT_GROUPS_MAX || len > sizeof(in->groups) - *used)
        return false;
    memcpy(in->groups + *used, name, len);
    in->group_list[in->group_count++] = in->groups + *used;
    *used += len;
    return true;
}

/* All values of an attribute, one group each. Returns how many that are not empty, or negative. */
static int groups_of_attribute(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    vp_tmpl_t const *attribute = inst->inputs[DT_RLM_GROUPS].attribute;
    char name[DT_RLM_GROUP_TEXT_MAX];
    vp_cursor_t cursor;
    size_t used = 0;
    int err = 0, seen = 0;
    for (VALUE_PAIR *vp = tmpl_cursor_init(&err, &cursor, request, attribute); vp != NULL;
         vp = tmpl_cursor_next(&cursor, attribute)) {
        seen += vp->vp_length > 0;
        if (dt_rlm_value_text(vp, name, sizeof(name)) != 0 || !add_group(in, &used, name))
            return DT_E_LIMIT;
    }
    return seen;
}

/* A list with commas, as "%{control:LDAP-Group[*]}" gives it. */
static int groups_of_list(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    char *list = NULL, *rest, *name;
    size_t used = 0;
    int seen = 0;
    ssize_t len =
        radius_axlat_struct(&list, request, inst->inputs[DT_RLM_GROUPS].xlat, as_is, NULL);
    if (len < 0 || len > DT_RLM_GROUP_LIST_MAX)
        seen = DT_E_LIMIT;
    rest = list;
    while (seen >= 0 && (name = strsep(&rest, ",")) != NULL) {
        while (*name == ' ')
            name++;
        seen = !add_group(in, &used, name) ? DT_E_LIMIT : seen + (*name != '\0');
    }
    talloc_free(list);
    return seen;
}

/* No group at all is taken for "not known", and a rule that names groups then denies instead of being passed
 * over: a directory that did not answer looks the same. Only where the virtual server says that it did
 * answer is a person without groups in none. */
static void read_groups(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    dt_rlm_expression const *x = &inst->inputs[DT_RLM_GROUPS];
    int seen = 0;
    if (!dt_ruleset_needs_groups(in->ruleset))
        return;
    if (x->attribute != NULL)
        seen = groups_of_attribute(inst, request, in);
    else if (x->xlat != NULL)
        seen = groups_of_list(inst, request, in);
    bool known = seen >= 0 && dt_rlm_groups_are_known(inst, request, seen > 0);
    in->group_knowledge = known ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
    if (!known)
        in->group_count = 0;
}

/* --- what a VPN client says --------------------------------------------------------------------- */

/* All values of an attribute, or the one that an expression gives. */
static void read_vpn_pairs(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    dt_rlm_expression const *x = &inst->inputs[DT_RLM_VPN_PAIRS];
    vp_cursor_t cursor;
    int err = 0;
    if (x->attribute == NULL) {
        char pair[DT_RLM_INPUT_MAX];
        if (dt_rlm_evaluate(request, x, pair, sizeof(pair)) == 0 && pair[0] != '\0')
            dt_vpn_claims_add_pair(&in->vpn, dt_bytes_str(pair));
        return;
    }
    for (VALUE_PAIR *vp = tmpl_cursor_init(&err, &cursor, request, x->attribute);
         vp != NULL && in->vpn.pairs < DT_VPN_PAIRS_MAX;
         vp = tmpl_cursor_next(&cursor, x->attribute)) {
        if (vp->da->type == PW_TYPE_STRING)
            dt_vpn_claims_add_pair(&in->vpn, dt_bytes_of(vp->vp_strvalue, vp->vp_length));
    }
}

static void read_vpn(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    char name[DT_RLM_INPUT_MAX];
    memset(&in->vpn, 0, sizeof(in->vpn));
    read_vpn_pairs(inst, request, in);
    if (dt_rlm_evaluate(request, &inst->inputs[DT_RLM_VPN_HOST_NAME], name, sizeof(name)) == 0)
        dt_vpn_claims_set_host_name(&in->vpn, name);
}

/* --- all inputs ----------------------------------------------------------------------------- */

/* Expansions are C strings: a name with a NUL in it would be cut to somebody else's. */
static bool has_nul(REQUEST *request, unsigned attribute)
{
    VALUE_PAIR *vp = fr_pair_find_by_num(request->packet->vps, attribute, 0, TAG_ANY);
    return vp != NULL && memchr(vp->vp_strvalue, '\0', vp->vp_length) != NULL;
}

static VALUE_PAIR *string_pair(VALUE_PAIR *list, unsigned attribute)
{
    VALUE_PAIR *vp = fr_pair_find_by_num(list, attribute, 0, TAG_ANY);
    return vp != NULL && vp->da->type == PW_TYPE_STRING ? vp : NULL;
}

/* A realm that was stripped off says whose name it is: OTHER\ann is not ann. */
static int keep_realm(REQUEST *request, dt_rlm_inputs *in)
{
    VALUE_PAIR *stripped = string_pair(request->packet->vps, PW_STRIPPED_USER_NAME);
    VALUE_PAIR *whole = string_pair(request->packet->vps, PW_USER_NAME);
    if (stripped == NULL || whole == NULL || !dt_str_equal_nocase(stripped->vp_strvalue, in->user))
        return 0;
    return dt_rlm_value_text(whole, in->user, sizeof(in->user));
}

/* Whoever is known without the realm answers a challenge by either form. */
static int read_stripped(REQUEST *request, dt_rlm_inputs *in)
{
    VALUE_PAIR *stripped = string_pair(request->packet->vps, PW_STRIPPED_USER_NAME);
    VALUE_PAIR *whole = string_pair(request->packet->vps, PW_USER_NAME);
    if (stripped == NULL || whole == NULL || strcmp(whole->vp_strvalue, in->user) != 0)
        return 0;
    return dt_rlm_value_text(stripped, in->stripped, sizeof(in->stripped));
}

static bool has_several_names(REQUEST *request)
{
    DICT_ATTR const *da = dt_rlm_user_attribute();
    size_t count = 0;
    vp_cursor_t cursor;
    fr_cursor_init(&cursor, &request->config);
    while (fr_cursor_next_by_da(&cursor, da, TAG_ANY) != NULL)
        count++;
    return count > 1;
}

static int read_user(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in, dt_error *e)
{
    int rc = dt_rlm_evaluate(request, &inst->inputs[DT_RLM_USER], in->user, sizeof(in->user));
    if (rc == 0)
        rc = keep_realm(request, in);
    if (rc == 0)
        rc = read_stripped(request, in);
    if (rc != 0)
        return dt_error_set(e, rc, "the user name is longer than %zu bytes or contains a NUL",
                            sizeof(in->user) - 1);
    if (has_nul(request, PW_USER_NAME) || has_nul(request, PW_STRIPPED_USER_NAME))
        return dt_error_set(e, DT_E_PARSE, "the user name contains a NUL");
    if (has_several_names(request)) {
        VALUE_PAIR *typed = string_pair(request->packet->vps, PW_USER_NAME);
        if (typed == NULL || dt_rlm_value_text(typed, in->user, sizeof(in->user)) != 0)
            in->user[0] = '\0';
        return dt_error_set(e, DT_E_INVALID,
                            "control:DevTrust-User has several values: make the directory return "
                            "one name per person");
    }
    return 0;
}

static REQUEST *outermost(REQUEST *request)
{
    while (request->parent != NULL)
        request = request->parent;
    return request;
}

/* The request from the network says where a person is: what is inside a tunnel the person's own software
 * wrote. An expression that names "outer" itself was written to be evaluated inside. */
static int read_place(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_input which,
                      dt_place *out)
{
    dt_rlm_expression const *x = &inst->inputs[which];
    char text[DT_USER_MAX];
    bool inside = x->text != NULL && strstr(x->text, "outer.") != NULL;

    memset(out, 0, sizeof(*out));
    int rc = dt_rlm_evaluate(inside ? request : outermost(request), x, text, sizeof(text));
    return rc != 0 ? rc : dt_place_read(dt_bytes_str(text), out);
}

/* A server that calls itself 127.0.0.1 has not said which one it is. */
static bool read_server_address(fr_ipaddr_t const *address, dt_place *out)
{
    char text[INET6_ADDRSTRLEN];
    dt_ip ip;

    return inet_ntop(address->af, &address->ipaddr, text, sizeof(text)) != NULL &&
           dt_ip_parse(text, &ip) == 0 && dt_place_read(dt_bytes_str(text), out) == 0 &&
           out->kind == DT_PLACE_ADDRESS && !dt_ip_is_loopback(&ip);
}

static bool read_server_attribute(REQUEST const *request, unsigned attribute, dt_place *out)
{
    fr_ipaddr_t address = {0};
    VALUE_PAIR *vp = fr_pair_find_by_num(request->packet->vps, attribute, 0, TAG_ANY);

    if (vp == NULL)
        return false;
    if (vp->da->type == PW_TYPE_IPV4_ADDR) {
        address.af = AF_INET;
        address.ipaddr.ip4addr.s_addr = vp->vp_ipaddr;
    } else if (vp->da->type == PW_TYPE_IPV6_ADDR) {
        address.af = AF_INET6;
        address.ipaddr.ip6addr = vp->vp_ipv6addr;
    }
    return read_server_address(&address, out);
}

/* Every server has a name: what `nas` gives, NAS-IP-Address, NAS-IPv6-Address (RFC 3162 section 2.1), or
 * where its packets come from. Two without one would be taken for the same. */
static int read_nas(rlm_devtrust_t const *inst, REQUEST *request, dt_place *out)
{
    REQUEST const *outer = outermost(request);
    int rc = read_place(inst, request, DT_RLM_NAS, out);

    if (rc != 0 || out->kind != DT_PLACE_NONE ||
        read_server_attribute(outer, PW_NAS_IP_ADDRESS, out) ||
        read_server_attribute(outer, PW_NAS_IPV6_ADDRESS, out))
        return rc;
    (void)read_server_address(&outer->packet->src_ipaddr, out); /* 127.0.0.1 too */
    return 0;
}

static int read_station(rlm_devtrust_t const *inst, REQUEST *request, dt_place *out)
{
    return read_place(inst, request, DT_RLM_STATION, out);
}

static int read_who(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in, dt_error *e)
{
    struct {
        int (*read)(rlm_devtrust_t const *inst, REQUEST *request, dt_place *out);
        char const *name;
        char *dst;
    } const wanted[] = {{read_nas, "nas", in->nas}, {read_station, "station", in->station}};
    REQUEST *outer = outermost(request);
    int rc = read_user(inst, request, in, e);
    in->user_is_wrong = rc != 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        dt_place place;
        int one = wanted[i].read(inst, request, &place);
        memcpy(wanted[i].dst, place.text, sizeof(place.text));
        if (one != 0)
            rc = dt_error_set(e, one, "\"%s\" is longer than %d bytes or contains a NUL",
                              wanted[i].name, DT_USER_MAX - 1);
    }
    if (has_nul(outer, PW_CALLING_STATION_ID) || has_nul(outer, PW_NAS_IDENTIFIER))
        rc = dt_error_set(e, DT_E_PARSE, "a name in the request contains a NUL");
    return rc;
}

static void put_part(dt_buf *b, char const *part)
{
    dt_buf_put_int(b, (int64_t)strlen(part));
    dt_buf_putc(b, ':');
    dt_buf_puts(b, part);
}

/* Which requests are of one sign-on, and share its push: those of one application and station, by whatever NAS
 * they come; the machine adds whose they are. Where nothing distinguishes the person's places, nobody may join:
 * somebody else's login would ride on the person's approval. */
static int make_push_key(rlm_devtrust_t const *inst, dt_rlm_inputs *in)
{
    char const *place = in->station[0] != '\0'   ? in->station
                        : in->client_ip_is_known ? in->client_ip
                                                 : "";
    dt_buf b;
    dt_buf_init_fixed(&b, in->push_key, sizeof(in->push_key));
    put_part(&b, inst->application);
    put_part(&b, place[0] != '\0' ? place : in->id);
    return dt_buf_error(&b);
}

/* One system call for all the randomness of a request. */
static int draw(dt_rlm_inputs *in)
{
    uint8_t raw[DT_SIGNON_ID_LEN / 2 + sizeof(in->random)];
    int rc = dt_host_random(raw, sizeof(raw));
    if (rc != 0)
        return rc;
    dt_hex(in->id, raw, DT_SIGNON_ID_LEN / 2);
    memcpy(in->random, raw + DT_SIGNON_ID_LEN / 2, sizeof(in->random));
    return 0;
}

/* The session is named by the NAS: what is inside a tunnel the person's own software wrote, so the
 * request that came from the network is asked. Whatever makes it doubtful makes it none. */
static void read_session(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    char text[DT_RLM_INPUT_MAX], parts[DT_RLM_INPUT_MAX + DT_USER_MAX + 32];
    char hex[2 * DT_SHA256_LEN + 1];
    uint8_t digest[DT_SHA256_LEN];
    dt_buf b, name;
    in->session[0] = '\0';
    if (dt_rlm_evaluate(outermost(request), &inst->inputs[DT_RLM_SESSION], text, sizeof(text)) !=
            0 ||
        text[0] == '\0' || in->nas[0] == '\0')
        return;
    dt_buf_init_fixed(&b, parts, sizeof(parts));
    put_part(&b, in->nas);
    put_part(&b, text);
    if (dt_buf_error(&b) != 0 || dt_crypto_sha256(dt_buf_bytes(&b), digest) != 0)
        return;
    dt_hex(hex, digest, sizeof(digest));
    dt_buf_init_fixed(&name, in->session, sizeof(in->session));
    dt_buf_puts(&name, "radius:");
    dt_buf_puts(&name, hex);
}

/* What Okta would be sent of it: "123 456" and 123456 are the same. */
static bool is_same_secret(char const *passcode, dt_bytes password)
{
    char a[DT_PASSCODE_DIGITS_MAX + 1], b[DT_PASSCODE_DIGITS_MAX + 1];
    dt_bytes one = dt_bytes_str(passcode), other = password;
    if (dt_passcode_read(one, a) == DT_TYPED_PASSCODE)
        one = dt_bytes_str(a);
    if (dt_passcode_read(password, b) == DT_TYPED_PASSCODE)
        other = dt_bytes_str(b);
    bool same = one.len == other.len && one.len > 0 && dt_const_time_equal(one.p, other.p, one.len);
    explicit_bzero(a, sizeof(a));
    explicit_bzero(b, sizeof(b));
    return same;
}

/* A person's password is nothing to send to Okta as a passcode, however it got there. Where the administrator
 * has set passcode = &User-Password, no password is in that. */
static void drop_password_as_passcode(rlm_devtrust_t const *inst, REQUEST *request,
                                      dt_rlm_inputs *in)
{
    char const *from = inst->inputs[DT_RLM_PASSCODE].text;
    VALUE_PAIR *sent = from != NULL && strstr(from, "User-Password") != NULL
                           ? NULL
                           : string_pair(request->packet->vps, PW_USER_PASSWORD);
    if (is_same_secret(in->passcode, dt_bytes_str(in->password)) ||
        (sent != NULL &&
         is_same_secret(in->passcode, dt_bytes_of(sent->vp_strvalue, sent->vp_length))))
        explicit_bzero(in->passcode, sizeof(in->passcode));
}

/* "password,123456", "password,123 456" or "password,sms": what follows the last comma when it is a passcode or the
 * word for a factor. */
static bool split_passcode(char *password, char passcode[DT_ANSWER_MAX])
{
    char answer[DT_TYPED_MAX];
    char *comma = strrchr(password, ',');
    if (comma == NULL || !dt_passcode_read_along(dt_bytes_str(comma + 1), answer))
        return false;
    memcpy(passcode, answer, sizeof(answer));
    explicit_bzero(answer, sizeof(answer));
    explicit_bzero(comma, strlen(comma));
    return true;
}

/* Both forms in which a passcode comes along with a password. DT_E_NOT_FOUND: neither; DT_E_PARSE. */
static int take_apart(bool append_passcode, char password[DT_PASSWORD_MAX],
                      char passcode[DT_ANSWER_MAX])
{
    char inside[DT_PASSWORD_MAX], answer[DT_ANSWER_MAX];
    int rc = DT_E_NOT_FOUND;
    switch (dt_scrv1_read(dt_bytes_str(password), inside, sizeof(inside), answer, sizeof(answer))) {
    case DT_SCRV1_READ:
        memcpy(password, inside, sizeof(inside));
        memcpy(passcode, answer, sizeof(answer));
        rc = DT_OK;
        break;
    case DT_SCRV1_NONE:
        if (append_passcode && split_passcode(password, passcode))
            rc = DT_OK;
        break;
    default:
        rc = DT_E_PARSE;
        break;
    }
    explicit_bzero(inside, sizeof(inside));
    explicit_bzero(answer, sizeof(answer));
    return rc;
}

static int put_passcode(REQUEST *request, char const *passcode)
{
    DICT_ATTR const *da = dt_rlm_passcode_attribute();
    fr_pair_delete_by_num(&request->packet->vps, da->attr, da->vendor, TAG_ANY);
    if (passcode[0] == '\0')
        return 0;
    VALUE_PAIR *vp = fr_pair_afrom_da(request->packet, da);
    if (vp == NULL)
        return DT_E_NOMEM;
    fr_pair_value_bstrncpy(vp, passcode, strlen(passcode));
    fr_pair_add(&request->packet->vps, vp);
    return 0;
}

int dt_rlm_passcode_take(rlm_devtrust_t const *inst, REQUEST *request)
{
    char password[DT_PASSWORD_MAX] = "", passcode[DT_ANSWER_MAX] = "";
    VALUE_PAIR *sent = string_pair(request->packet->vps, PW_USER_PASSWORD);
    if (sent == NULL || dt_rlm_value_text(sent, password, sizeof(password)) != 0)
        return DT_E_NOT_FOUND; /* with a NUL in it, or too long: a password as any other */
    int rc = take_apart(inst->append_passcode, password, passcode);
    if (rc == DT_OK)
        rc = put_passcode(request, passcode);
    if (rc == DT_OK)
        fr_pair_value_bstrncpy(sent, password, strlen(password));
    explicit_bzero(password, sizeof(password));
    explicit_bzero(passcode, sizeof(passcode));
    return rc;
}

/* One that does not fit, holds a NUL, or is a broken SCRV1, is nobody's: it counts as not given. */
static void read_password(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in)
{
    if (dt_rlm_evaluate(request, &inst->inputs[DT_RLM_PASSWORD], in->password,
                        sizeof(in->password)) != 0 ||
        take_apart(inst->append_passcode, in->password, in->passcode) == DT_E_PARSE)
        explicit_bzero(in->password, sizeof(in->password));
}

int dt_rlm_inputs_read(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in, dt_error *e)
{
    /* Not the big arrays: this is on every request's way. */
    in->user[0] = in->stripped[0] = in->client_ip[0] = in->nas[0] = in->station[0] = '\0';
    in->platform[0] = in->vpn_device_id[0] = in->passcode[0] = in->push_key[0] = '\0';
    in->password[0] = '\0';
    in->client_ip_is_known = in->user_is_wrong = false;
    in->group_count = 0;
    in->group_knowledge = DT_GROUPS_UNKNOWN;
    in->id[0] = '\0';
    int rc = draw(in);
    if (rc != 0)
        return dt_error_set(e, rc, "no random bytes");
    in->client_ip_is_known = dt_rlm_address_read(&inst->address, request, in->client_ip);
    rc = read_who(inst, request, in, e);
    if (rc != 0)
        return rc;
    /* What a client only asserts counts as not said when it is not well-formed. */
    (void)!dt_rlm_evaluate(request, &inst->inputs[DT_RLM_PLATFORM], in->platform,
                           sizeof(in->platform));
    (void)!dt_rlm_evaluate(request, &inst->inputs[DT_RLM_VPN_DEVICE_ID], in->vpn_device_id,
                           sizeof(in->vpn_device_id));
    read_vpn(inst, request, in);
    (void)!dt_rlm_evaluate(request, &inst->inputs[DT_RLM_PASSCODE], in->passcode,
                           sizeof(in->passcode));
    if (inst->primary == DT_RLM_PRIMARY_OKTA)
        read_password(inst, request, in);
    drop_password_as_passcode(inst, request, in);
    read_groups(inst, request, in);
    read_session(inst, request, in);
    rc = make_push_key(inst, in);
    return rc == 0 ? 0 : dt_error_set(e, rc, "no key can be made for the push");
}

void dt_rlm_inputs_wipe(dt_rlm_inputs *in)
{
    explicit_bzero(in->password, sizeof(in->password));
    explicit_bzero(in->passcode, sizeof(in->passcode));
}

/* How long the person may take: what the configuration grants the way they came, and never so long
 * that the waiting room would have to answer first. */
static dt_time wait_limit(rlm_devtrust_t const *inst, dt_config const *config, bool eap)
{
    dt_time granted = eap ? config->mfa.wait_wifi : config->mfa.wait_vpn;
    dt_time room = inst->link->answer_within - DT_RLM_END_MARGIN;
    return granted < room ? granted : room;
}

/* RFC 2865 section 5.41: a port that 802.1X guards, by Ethernet or Wi-Fi. Behind any other, such as the
 * virtual ones of a VPN, there is no supplicant that gives up after 30 seconds. */
static bool has_port(REQUEST const *request)
{
    VALUE_PAIR *type = fr_pair_find_by_num(request->packet->vps, PW_NAS_PORT_TYPE, 0, TAG_ANY);
    return dt_rlm_is_eap(request) && type != NULL &&
           (type->vp_integer == PORT_ETHERNET || type->vp_integer == PORT_WIRELESS);
}

void dt_rlm_request_fill(rlm_devtrust_t const *inst, REQUEST const *request,
                         dt_rlm_inputs const *in, dt_request *out)
{
    bool eap = dt_rlm_is_eap(request);
    memset(out, 0, sizeof(*out));
    out->id = in->id;
    out->application = inst->application;
    out->user = in->user;
    out->client_ip = in->client_ip;
    out->address_hint = "client_ip of rlm_devtrust says where the address is";
    out->address_wanted = dt_rlm_address_is_wanted(&inst->address);
    out->nas = in->nas;
    out->station = in->station;
    out->session = in->session;
    out->tty = "";
    out->groups = in->group_list;
    out->group_count = in->group_count;
    out->group_knowledge = in->group_knowledge;
    out->platform_hint = in->platform[0] ? dt_vpn_platform(in->platform) : DT_PLATFORM_UNKNOWN;
    out->vpn_device_id = in->vpn_device_id;
    out->vpn = &in->vpn;
    out->passcode = in->passcode;
    out->password = in->password;
    out->primary =
        inst->primary == DT_RLM_PRIMARY_CERTIFICATE ? DT_PRIMARY_HANDSHAKE : DT_PRIMARY_STACK;
    out->push_key = in->push_key;
    /* EAP has no place for a question of ours, and inside a tunnel supplicants refuse a challenge. */
    out->conversation =
        eap || inst->wait == DT_RLM_WAIT_PARK ? DT_CONVERSATION_NONE : DT_CONVERSATION_CHALLENGE;
    out->push_prompt = inst->wait == DT_RLM_WAIT_CHALLENGE;
    out->wait_limit =
        wait_limit(inst, in->ruleset->config, request->parent != NULL || has_port(request));
    memcpy(out->random, in->random, sizeof(out->random));
}
