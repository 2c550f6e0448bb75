/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An open session: its row, its key, its facts, and whether it still meets its rule. See session.h. */
#include "core/session/session.h"

#include "core/base/crypto.h"
#include "core/base/record_walk.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "dtO1"
#define KEY_BEGIN "session:"
#define HEX_DIGEST_LEN (2 * DT_SHA256_LEN)

static char const *const door_names[DT_SESSION_DOORS] = {
    [DT_SESSION_NO_DOOR] = "none", [DT_SESSION_RADIUS] = "radius", [DT_SESSION_HOST] = "host"};

static char const *const state_names[DT_SESSION_STATES] = {
    [DT_SESSION_NONE] = "none", [DT_SESSION_PENDING] = "pending", [DT_SESSION_OPEN] = "open",
    [DT_SESSION_LOST] = "lost", [DT_SESSION_ACTED] = "acted",
};

char const *dt_session_door_name(dt_session_door d)
{
    return (unsigned)d < DT_SESSION_DOORS ? door_names[d] : door_names[0];
}

char const *dt_session_state_name(dt_session_state s)
{
    return (unsigned)s < DT_SESSION_STATES ? state_names[s] : state_names[0];
}

char const *dt_session_now_name(dt_session_now n)
{
    return n == DT_SESSION_MEETS ? "meets" : n == DT_SESSION_NO_LONGER ? "lost" : "unknown";
}

/* --- keys ------------------------------------------------------------------------------------------------------ */

/* With its length before it, so that no two lists of parts are one text. */
static void put_part(dt_buf *b, char const *part)
{
    dt_buf_put_int(b, (int64_t)strlen(part));
    dt_buf_putc(b, ':');
    dt_buf_puts(b, part);
}

static int key_of(dt_buf const *name, char out[DT_STORE_KEY_MAX])
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[HEX_DIGEST_LEN + 1];
    int rc = dt_buf_error(name);

    out[0] = '\0';
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(name), digest);
    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    snprintf(out, DT_STORE_KEY_MAX, KEY_BEGIN "%s", hex);
    return DT_OK;
}

int dt_session_key_by_station(dt_session const *s, char out[DT_STORE_KEY_MAX])
{
    char storage[2048];
    dt_buf b;

    out[0] = '\0';
    if (s->door != DT_SESSION_RADIUS || s->nas[0] == '\0' ||
        (s->station[0] == '\0' && s->at_nas.user_name[0] == '\0'))
        return DT_E_INVALID;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "station:");
    put_part(&b, s->nas);
    put_part(&b, s->station);
    /* A person without a station has one session for each port. */
    if (s->station[0] == '\0') {
        put_part(&b, s->at_nas.user_name);
        put_part(&b, s->at_nas.port);
    }
    return key_of(&b, out);
}

static int key_at_host(dt_session const *s, char out[DT_STORE_KEY_MAX])
{
    char storage[1024];
    dt_buf b;

    if (s->at_host.boot[0] == '\0' || s->at_host.leader <= 0)
        return DT_E_INVALID;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "host:");
    put_part(&b, s->node);
    put_part(&b, s->at_host.boot);
    dt_buf_put_int(&b, s->at_host.leader);
    dt_buf_putc(&b, ':');
    dt_buf_put_int(&b, s->at_host.leader_start);
    dt_buf_putc(&b, ':');
    put_part(&b, s->at_host.service);
    put_part(&b, s->user); /* one process may serve several people */
    return key_of(&b, out);
}

int dt_session_key(dt_session const *s, char out[DT_STORE_KEY_MAX])
{
    char storage[1024];
    dt_buf b;

    out[0] = '\0';
    if (s->door == DT_SESSION_HOST)
        return key_at_host(s, out);
    if (s->door != DT_SESSION_RADIUS || s->nas[0] == '\0')
        return DT_E_INVALID;
    if (s->at_nas.session_id[0] == '\0')
        return dt_session_key_by_station(s, out);
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "nas:");
    put_part(&b, s->nas);
    put_part(&b, s->at_nas.session_id);
    return key_of(&b, out);
}

bool dt_session_is_key(char const *key)
{
    return strncmp(key, KEY_BEGIN, sizeof(KEY_BEGIN) - 1) == 0 &&
           strlen(key) == sizeof(KEY_BEGIN) - 1 + HEX_DIGEST_LEN;
}

void dt_session_id(char const *key, char out[DT_SESSION_ID_LEN + 1])
{
    out[0] = '\0';
    if (!dt_session_is_key(key))
        return;
    memcpy(out, key + sizeof(KEY_BEGIN) - 1, DT_SESSION_ID_LEN);
    out[DT_SESSION_ID_LEN] = '\0';
}

/* --- the row: one walk for both directions ----------------------------------------------------------------------- */

static void walk_guid(dt_walk *w, dt_guid *g)
{
    dt_guid parsed;

    DT_WALK_TEXT(w, g->text);
    if (!w->out && g->text[0] != '\0' &&
        (dt_guid_parse(dt_bytes_str(g->text), &parsed) < 0 || strcmp(parsed.text, g->text) != 0))
        w->broken = true;
}

static void walk_who(dt_walk *w, dt_session *s)
{
    DT_WALK_TEXT(w, s->signon);
    DT_WALK_TEXT(w, s->login);
    DT_WALK_TEXT(w, s->application);
    DT_WALK_NUMBER(w, s->cause, DT_CAUSE_COUNT - 1);
    DT_WALK_NUMBER(w, s->access, DT_ACCESS_ALLOW_AFTER_MFA);
    DT_WALK_TEXT(w, s->rule);
    DT_WALK_NUMBER(w, s->trust, DT_TRUST_TRUSTED);
    DT_WALK_NUMBER(w, s->reason, DT_REASON_COUNT - 1);
    walk_guid(w, &s->device_id);
    DT_WALK_TEXT(w, s->device_name);
    DT_WALK_TEXT(w, s->key_id);
    DT_WALK_NUMBER(w, s->factor, DT_FACTOR_ALL);
    DT_WALK_TEXT(w, s->okta_user_id);
}

static void walk_groups(dt_walk *w, dt_session *s)
{
    size_t names = 0;

    DT_WALK_NUMBER(w, s->group_knowledge, DT_GROUPS_KNOWN);
    DT_WALK_NUMBER(w, s->groups_len, sizeof(s->groups));
    DT_WALK_NUMBER(w, s->group_count, DT_GROUPS_MAX);
    dt_walk_raw(w, s->groups, s->groups_len);
    for (size_t i = 0; i < s->groups_len; i++)
        names += s->groups[i] == '\0';
    if (names != s->group_count || (s->groups_len > 0 && s->groups[s->groups_len - 1] != '\0'))
        w->broken = true;
}

static void walk_vpn(dt_walk *w, dt_vpn_claims *v)
{
    DT_WALK_NUMBER(w, v->platform, DT_PLATFORM_OTHER_MOBILE);
    DT_WALK_TEXT(w, v->uids[0]);
    DT_WALK_TEXT(w, v->uids[1]);
    DT_WALK_NUMBER(w, v->mac_count, DT_VPN_MACS_MAX);
    for (size_t i = 0; i < v->mac_count && i < DT_VPN_MACS_MAX; i++)
        DT_WALK_TEXT(w, v->macs[i]);
    DT_WALK_TEXT(w, v->host_name);
}

/* With the NUL at its end, and no other. */
static bool is_text_or_nothing(dt_bytes b)
{
    return b.len == 0 || memchr(b.p, '\0', b.len) == b.p + b.len - 1;
}

static void walk_proof(dt_walk *w, dt_session *s)
{
    DT_WALK_FLAG(w, s->proof_left_out);
    dt_walk_bytes(w, &s->certificate, DT_SESSION_PROOF_MAX);
    DT_WALK_NUMBER(w, s->chain_count, DT_CHAIN_MAX);
    for (size_t i = 0; i < s->chain_count && i < DT_CHAIN_MAX; i++)
        dt_walk_bytes(w, &s->chain[i], DT_SESSION_PROOF_MAX);
    dt_walk_bytes(w, &s->ssh_auth_info, DT_SESSION_PROOF_MAX);
    if (!w->out && !is_text_or_nothing(s->ssh_auth_info))
        w->broken = true;
}

static void walk_request(dt_walk *w, dt_session *s)
{
    DT_WALK_TEXT(w, s->user);
    DT_WALK_TEXT(w, s->client_ip);
    DT_WALK_TEXT(w, s->nas);
    DT_WALK_TEXT(w, s->station);
    DT_WALK_TEXT(w, s->session);
    DT_WALK_TEXT(w, s->vpn_device_id);
    DT_WALK_FLAG(w, s->has_vpn);
    if (s->has_vpn)
        walk_vpn(w, &s->vpn);
    DT_WALK_NUMBER(w, s->platform_hint, DT_PLATFORM_OTHER_MOBILE);
    DT_WALK_NUMBER(w, s->primary, DT_PRIMARY_COUNT - 1);
    DT_WALK_FLAG(w, s->local);
    DT_WALK_FLAG(w, s->address_wanted);
    DT_WALK_FLAG(w, s->host_evidence);
    DT_WALK_FLAG(w, s->agent);
    walk_groups(w, s);
    walk_proof(w, s);
}

static void walk_at_nas(dt_walk *w, dt_nas_session *n)
{
    DT_WALK_TEXT(w, n->source);
    DT_WALK_TEXT(w, n->ip_address);
    DT_WALK_TEXT(w, n->ipv6_address);
    DT_WALK_TEXT(w, n->identifier);
    DT_WALK_TEXT(w, n->user_name);
    DT_WALK_TEXT(w, n->session_id);
    DT_WALK_TEXT(w, n->multi_session_id);
    DT_WALK_TEXT(w, n->station);
    DT_WALK_TEXT(w, n->chargeable_id);
    DT_WALK_TEXT(w, n->port);
    DT_WALK_TEXT(w, n->port_id);
    DT_WALK_TEXT(w, n->framed_ip);
}

static void walk_at_host(dt_walk *w, dt_session_at_host *h)
{
    DT_WALK_TEXT(w, h->boot);
    DT_WALK_TEXT(w, h->id);
    DT_WALK_NUMBER(w, h->leader, INT32_MAX);
    DT_WALK_NUMBER(w, h->leader_start, INT64_MAX);
    DT_WALK_TEXT(w, h->tty);
    DT_WALK_TEXT(w, h->service);
}

static void walk_loss(dt_walk *w, dt_session *s)
{
    DT_WALK_TIME(w, s->lost);
    DT_WALK_TEXT(w, s->lost_cause);
    DT_WALK_NUMBER(w, s->tries, 1000);
    DT_WALK_TIME(w, s->acted);
    DT_WALK_NUMBER(w, s->want, DT_SESSION_WANTS - 1);
    DT_WALK_FLAG(w, s->reported);
}

static void walk_all(dt_walk *w, dt_session *s)
{
    DT_WALK_NUMBER(w, s->door, DT_SESSION_DOORS - 1);
    DT_WALK_NUMBER(w, s->state, DT_SESSION_STATES - 1);
    DT_WALK_TEXT(w, s->node);
    DT_WALK_TIME(w, s->started);
    DT_WALK_TIME(w, s->seen);
    DT_WALK_TIME(w, s->limit);
    DT_WALK_TIME(w, s->expires);
    walk_who(w, s);
    walk_request(w, s);
    if (s->door == DT_SESSION_RADIUS)
        walk_at_nas(w, &s->at_nas);
    else
        walk_at_host(w, &s->at_host);
    walk_loss(w, s);
}

/* What no sign-on of ours leaves behind: nobody in particular, let in by nothing, begun never. */
static bool is_whole(dt_session const *s)
{
    return s->door != DT_SESSION_NO_DOOR && s->state != DT_SESSION_NONE && s->started > 0 &&
           s->seen > 0 && s->expires > s->started && s->user[0] != '\0' &&
           s->application[0] != '\0' && dt_cause_allows(s->cause) &&
           (s->lost > 0) == (s->lost_cause[0] != '\0');
}

int dt_session_pack(dt_session const *s, dt_buf *out)
{
    dt_session copy = *s;
    dt_walk w = {.out = out};

    if (!is_whole(s) || s->chain_count > DT_CHAIN_MAX || s->vpn.mac_count > DT_VPN_MACS_MAX ||
        s->groups_len > sizeof(s->groups))
        return DT_E_INVALID;
    dt_buf_puts(out, MAGIC);
    walk_all(&w, &copy);
    return w.broken ? DT_E_INVALID : dt_buf_error(out);
}

int dt_session_unpack(dt_bytes row, dt_session *s)
{
    size_t const magic = sizeof(MAGIC) - 1;
    dt_walk w;

    memset(s, 0, sizeof(*s));
    if (row.len < magic || row.len > DT_SESSION_ROW_MAX || memcmp(row.p, MAGIC, magic) != 0)
        return DT_E_PARSE;
    w = (dt_walk){.in = dt_bytes_of(row.p + magic, row.len - magic)};
    walk_all(&w, s);
    if (!w.broken && w.in.len == 0 && is_whole(s))
        return DT_OK;
    memset(s, 0, sizeof(*s));
    return DT_E_PARSE;
}

/* --- facts of a request ------------------------------------------------------------------------------------------ */

static size_t proof_length(dt_request const *r)
{
    size_t len = r->certificate.len + (r->ssh_auth_info != NULL ? strlen(r->ssh_auth_info) : 0);

    for (size_t i = 0; i < r->chain_count && i < DT_CHAIN_MAX; i++)
        len += r->chain[i].len;
    return len;
}

static void take_proof(dt_session *s, dt_request const *r)
{
    s->proof_left_out = proof_length(r) >= DT_SESSION_PROOF_MAX;
    if (s->proof_left_out)
        return;
    if (r->handshake_finished) {
        s->certificate = r->certificate;
        s->chain_count = r->chain_count < DT_CHAIN_MAX ? r->chain_count : DT_CHAIN_MAX;
        memcpy(s->chain, r->chain, s->chain_count * sizeof(s->chain[0]));
    }
    if (r->ssh_auth_info != NULL && r->ssh_auth_info[0] != '\0')
        s->ssh_auth_info = dt_bytes_of(r->ssh_auth_info, strlen(r->ssh_auth_info) + 1);
}

/* With more groups than fit, none is known. */
static void take_groups(dt_session *s, dt_request const *r)
{
    s->group_knowledge = r->group_knowledge;
    for (size_t i = 0; i < r->group_count; i++) {
        size_t len = strlen(r->groups[i]) + 1;

        if (len > sizeof(s->groups) - s->groups_len || s->group_count >= DT_GROUPS_MAX) {
            s->group_knowledge = DT_GROUPS_UNKNOWN;
            s->group_count = s->groups_len = 0;
            return;
        }
        memcpy(s->groups + s->groups_len, r->groups[i], len);
        s->groups_len += len;
        s->group_count++;
    }
}

int dt_session_of_request(dt_session *s, dt_request const *r)
{
    struct {
        char *dst;
        size_t size;
        char const *src;
    } const texts[] = {
        {s->application, sizeof(s->application), r->application},
        {s->user, sizeof(s->user), r->user},
        {s->client_ip, sizeof(s->client_ip), r->client_ip},
        {s->nas, sizeof(s->nas), r->nas},
        {s->station, sizeof(s->station), r->station},
        {s->session, sizeof(s->session), r->session},
        {s->vpn_device_id, sizeof(s->vpn_device_id), r->vpn_device_id},
    };
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
        rc = dt_str_copy(texts[i].dst, texts[i].size, texts[i].src);
    s->has_vpn = r->vpn != NULL;
    if (r->vpn != NULL)
        s->vpn = *r->vpn;
    s->platform_hint = r->platform_hint;
    s->primary = r->primary;
    s->local = r->local;
    s->address_wanted = r->address_wanted;
    s->host_evidence = r->host_evidence;
    s->agent = r->agent;
    take_groups(s, r);
    take_proof(s, r);
    return rc;
}

void dt_session_of_outcome(dt_session *s, dt_outcome const *o, char const *signon,
                           char const *login)
{
    (void)!dt_str_copy(s->signon, sizeof(s->signon), signon);
    (void)!dt_str_copy(s->login, sizeof(s->login), login);
    s->cause = o->cause;
    s->access = o->decision.access;
    memcpy(s->rule, o->decision.rule, sizeof(s->rule));
    s->trust = o->verdict.trust;
    s->reason = o->verdict.reason;
    s->device_id = o->verdict.device_id;
    memcpy(s->device_name, o->verdict.device_name, sizeof(s->device_name));
    memcpy(s->key_id, o->verdict.key_id, sizeof(s->key_id));
    s->factor = o->mfa.factor;
    memcpy(s->okta_user_id, o->mfa.user_id, sizeof(s->okta_user_id));
}

static void give_groups(dt_session const *s, char const *groups[], dt_request *out)
{
    size_t count = 0;

    for (size_t at = 0; at < s->groups_len && count < s->group_count;
         at += strlen(s->groups + at) + 1)
        groups[count++] = s->groups + at;
    out->groups = groups;
    out->group_count = count;
    out->group_knowledge = s->group_knowledge;
}

void dt_session_request(dt_session const *s, char const *groups[], dt_request *out)
{
    *out = (dt_request){
        .application = s->application,
        .user = s->user,
        .client_ip = s->client_ip,
        .nas = s->nas,
        .station = s->station,
        .session = s->session,
        .vpn_device_id = s->vpn_device_id,
        .vpn = s->has_vpn ? &s->vpn : NULL,
        .platform_hint = s->platform_hint,
        .primary = s->primary,
        .local = s->local,
        .address_wanted = s->address_wanted,
        .host_evidence = s->host_evidence,
        .certificate = s->certificate,
        .chain_count = s->chain_count,
        .handshake_finished = s->certificate.len > 0,
        .handshake_resumed = s->certificate.len > 0,
        .ssh_auth_info = s->ssh_auth_info.len > 0 ? (char const *)s->ssh_auth_info.p : NULL,
        .conversation = DT_CONVERSATION_NONE,
        .passcode = "",
        .password = "",
        .push_key = "session",
        .explain = true,
    };
    memcpy(out->chain, s->chain, s->chain_count * sizeof(s->chain[0]));
    give_groups(s, groups, out);
}

/* --- the judgement ----------------------------------------------------------------------------------------------- */

static void judge(dt_session_judgement *j, dt_session_now now, char const *cause)
{
    j->now = now;
    (void)!dt_str_copy(j->cause, sizeof(j->cause), cause);
}

/* A device of which nothing can be found out, or only what was known before. */
static bool is_device_in_doubt(dt_outcome const *o)
{
    return o->decision.cause == DT_DECISION_UNKNOWN_DEVICE ||
           o->verdict.trust == DT_TRUST_UNKNOWN || o->verdict.reason == DT_REASON_STALE;
}

static void judge_refusal(dt_outcome const *o, dt_session_judgement *j)
{
    bool const org = o->org.cause == DT_DECISION_RULE && o->org.access == DT_ACCESS_DENY;

    if (org) {
        judge(j, DT_SESSION_NO_LONGER, dt_cause_name(DT_CAUSE_ORG_RULE_DENY));
        return;
    }
    switch (o->decision.cause) {
    case DT_DECISION_RULE:
        judge(j, DT_SESSION_NO_LONGER, dt_cause_name(DT_CAUSE_RULE_DENY));
        break;
    case DT_DECISION_BLOCKED_ZONE:
        judge(j, DT_SESSION_NO_LONGER, dt_cause_name(DT_CAUSE_BLOCKED_ZONE));
        break;
    default: /* NO_RULE too: a policy has a rule for everybody, so nothing was decided */
        judge(j, DT_SESSION_NOT_KNOWN, dt_decision_cause_name(o->decision.cause));
        break;
    }
}

/* MFA that was given is good for as long as the rule takes its factor. Who was let in because Okta was not there
 * gave none, and none is asked for in the middle of a session. */
static bool has_mfa(dt_session const *s, dt_outcome const *o)
{
    if (s->cause == DT_CAUSE_OKTA_UNAVAILABLE_ALLOW)
        return true;
    return s->factor != 0 && (o->decision.factors == 0 || (o->decision.factors & s->factor) != 0);
}

/* The account at Okta is not one that may sign on. */
static bool is_person_refused(dt_person_at_okta const *p)
{
    switch (p->cause) {
    case DT_CAUSE_OKTA_USER_UNKNOWN:
    case DT_CAUSE_OKTA_USER_SUSPENDED:
    case DT_CAUSE_OKTA_USER_DEACTIVATED:
    case DT_CAUSE_OKTA_USER_NOT_ACTIVATED:
    case DT_CAUSE_OKTA_PASSWORD_EXPIRED:
    case DT_CAUSE_OKTA_REFUSED:
    case DT_CAUSE_MFA_LOCKED:
        return p->known;
    default:
        return false;
    }
}

/* What the machine refuses before it decides. */
static bool ended_early(dt_outcome const *o, dt_session_judgement *j)
{
    if (o->cause == DT_CAUSE_USER_NAME_INVALID)
        judge(j, DT_SESSION_NO_LONGER, dt_cause_name(o->cause));
    else if (o->cause != DT_CAUSE_NONE && o->decision.cause == DT_DECISION_NO_RULE)
        judge(j, DT_SESSION_NOT_KNOWN, dt_cause_name(o->cause));
    else
        return false;
    return true;
}

void dt_session_judge(dt_session const *s, dt_outcome const *now, dt_person_at_okta const *person,
                      dt_session_judgement *out)
{
    bool const lets_in = now->decision.cause == DT_DECISION_RULE &&
                         now->decision.access != DT_ACCESS_DENY &&
                         !(now->org.cause == DT_DECISION_RULE && now->org.access == DT_ACCESS_DENY);

    memset(out, 0, sizeof(*out));
    if (is_person_refused(person)) {
        judge(out, DT_SESSION_NO_LONGER, dt_cause_name(person->cause));
        return;
    }
    if (!lets_in && ended_early(now, out))
        return;
    if (lets_in && (now->decision.access == DT_ACCESS_ALLOW || has_mfa(s, now)))
        judge(out, DT_SESSION_MEETS, "MEETS");
    else if (is_device_in_doubt(now))
        judge(out, DT_SESSION_NOT_KNOWN, "DEVICE_UNKNOWN");
    else if (s->proof_left_out || s->agent)
        judge(out, DT_SESSION_NOT_KNOWN, "PROOF_NOT_KEPT");
    else if (lets_in)
        judge(out, DT_SESSION_NO_LONGER, "MFA_DUE");
    else
        judge_refusal(now, out);
}
