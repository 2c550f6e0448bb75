/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The saved form of a dt_signon: a magic word, a version, then every field in one fixed order. One walk
 * serves both directions, so what is written and what is read cannot drift apart. Reading checks
 * every length and every range: the bytes come from a store that others may write. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"

#include <string.h>

#define SAVED_MAGIC 0x64745331u /* "dtS1" */
#define SAVED_VERSION 22
#define SAVED_TIME_MIN (-DT_DAYS(1))
#define SAVED_TIME_MAX 253402300799999 /* 9999-12-31T23:59:59.999Z */
#define SAVED_COUNT_MAX (4 * DT_SIGNON_STEPS_MAX)

typedef struct codec {
    dt_buf *out;               /* writing when set */
    dt_bytes in;               /* reading else */
    dt_ruleset const *ruleset; /* that it is loaded for */
    bool broken;
} codec;

static void raw(codec *c, void *p, size_t len)
{
    if (c->out) {
        dt_buf_put(c->out, p, len);
        return;
    }
    if (c->broken || c->in.len < len) {
        c->broken = true;
        memset(p, 0, len);
        return;
    }
    memcpy(p, c->in.p, len);
    c->in.p += len;
    c->in.len -= len;
}

/* Big-endian, eight bytes: the same on every host. */
static int64_t number(codec *c, int64_t value, int64_t min, int64_t max)
{
    uint8_t b[8];
    uint64_t u = (uint64_t)value;

    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(u >> (56 - 8 * i));
    raw(c, b, sizeof(b));
    if (c->out)
        return value;
    u = 0;
    for (int i = 0; i < 8; i++)
        u = u << 8 | b[i];
    value = (int64_t)u;
    if (value < min || value > max) {
        c->broken = true;
        return min;
    }
    return value;
}

#define NUMBER(field, min, max)                                                                    \
    ((field) = (__typeof__(field))number(c, (int64_t)(field), (int64_t)(min), (int64_t)(max)))
#define FLAG(field) NUMBER(field, 0, 1)
/* Bounded so that no sum of two times overflows. */
#define TIME(field) NUMBER(field, SAVED_TIME_MIN, SAVED_TIME_MAX)
/* Counts steps or what a step does. */
#define COUNTER(field) NUMBER(field, 0, SAVED_COUNT_MAX)

static void text(codec *c, char *p, size_t size)
{
    size_t len = c->out ? strlen(p) : 0;

    NUMBER(len, 0, size - 1);
    if (c->broken)
        len = 0;
    raw(c, p, len);
    p[len] = '\0';
    if (strlen(p) != len)
        c->broken = true;
}
#define TEXT(field) text(c, (field), sizeof(field))

static void guid(codec *c, dt_guid *g)
{
    dt_guid parsed;

    TEXT(g->text);
    if (!c->out && g->text[0] &&
        (dt_guid_parse(dt_bytes_str(g->text), &parsed) < 0 || strcmp(parsed.text, g->text) != 0))
        c->broken = true;
}

static void evidence(codec *c, dt_evidence *e)
{
    NUMBER(e->source, 1, DT_SOURCES_ALL);
    NUMBER(e->assurance, DT_ASSERTED, DT_PROVED);
    NUMBER(e->finding, DT_FINDING_AGAINST, DT_FINDING_FOR);
    NUMBER(e->reason, 0, DT_REASON_COUNT - 1);
    guid(c, &e->device_id);
    guid(c, &e->entra_id);
    NUMBER(e->platform, 0, DT_PLATFORM_OTHER_MOBILE);
    TEXT(e->device_name);
    TEXT(e->key_id);
    TEXT(e->serial);
    TIME(e->observed);
}

static void verdict(codec *c, dt_verdict *v)
{
    NUMBER(v->trust, DT_TRUST_UNKNOWN, DT_TRUST_TRUSTED);
    NUMBER(v->reason, 0, DT_REASON_COUNT - 1);
    NUMBER(v->sources, 0, DT_SOURCES_ALL);
    guid(c, &v->device_id);
    NUMBER(v->platform, 0, DT_PLATFORM_OTHER_MOBILE);
    TEXT(v->device_name);
    TEXT(v->key_id);
    TIME(v->oldest);
}

static void decision(codec *c, dt_decision *d)
{
    NUMBER(d->access, DT_ACCESS_DENY, DT_ACCESS_ALLOW_AFTER_MFA);
    NUMBER(d->cause, 0, DT_DECISION_CAUSE_COUNT - 1);
    NUMBER(d->unknown, 0, (1u << DT_CONDITION_COUNT) - 1);
    NUMBER(d->frequency, 0, DT_FREQUENCY_COUNT - 1);
    NUMBER(d->lifetime, 0, DT_TIME_NEVER);
    NUMBER(d->factors, 0, DT_FACTOR_ALL);
    NUMBER(d->remember_by, 0, DT_REMEMBER_BY_ALL);
    NUMBER(d->rule_index, 0, DT_POLICY_RULES_MAX - 1);
    NUMBER(d->policy_stamp, INT64_MIN, INT64_MAX);
    NUMBER(d->priority, INT32_MIN, INT32_MAX);
    TEXT(d->rule);
}

static void outcome(codec *c, dt_outcome *o)
{
    NUMBER(o->result, DT_DENY, DT_ALLOW);
    NUMBER(o->cause, 0, DT_CAUSE_COUNT - 1);
    verdict(c, &o->verdict);
    decision(c, &o->decision);
    NUMBER(o->primary, 0, DT_PRIMARY_COUNT - 1);
    decision(c, &o->org);
    FLAG(o->org_mfa);
    NUMBER(o->factor, 0, DT_FACTOR_ALL);
    COUNTER(o->okta_calls);
    COUNTER(o->graph_calls);
    COUNTER(o->ocsp_calls);
    NUMBER(o->revocation, 0, DT_REVOCATION_BY_COUNT - 1);
    TIME(o->revocation_at);
    COUNTER(o->polls);
    FLAG(o->stale);
    TEXT(o->message);
    FLAG(o->links_org);
    TEXT(o->detail);
}

static void keys_presented(codec *c, dt_key_presented keys[DT_KEYS_PRESENTED_MAX])
{
    for (size_t i = 0; i < DT_KEYS_PRESENTED_MAX; i++) {
        NUMBER(keys[i].source, 0, DT_SOURCES_ALL);
        TEXT(keys[i].name);
    }
}

/* By what the sign-on was decided: it may be loaded when something else is in force. */
static void decided_by(codec *c, dt_signon *s)
{
    dt_ruleset const *ruleset = c->out ? &s->ruleset : c->ruleset;
    struct {
        char const *now;
        unsigned bit;
    } const parts[] = {
        {ruleset->policy ? dt_policy_hash(ruleset->policy) : "", DT_OUTDATED_POLICY},
        {ruleset->org ? dt_policy_hash(ruleset->org) : "", DT_OUTDATED_POLICY},
        {ruleset->config_hash, DT_OUTDATED_CONFIG},
        {ruleset->ca_hash, DT_OUTDATED_CA},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char const *now = parts[i].now ? parts[i].now : "";
        char then[2 * DT_SHA256_LEN + 1] = "";

        if (c->out && dt_str_copy(then, sizeof(then), now) < 0)
            c->broken = true;
        TEXT(then);
        if (!c->out && strcmp(then, now) != 0)
            s->outdated |= parts[i].bit;
    }
}

static void save_identity(codec *c, dt_signon *s)
{
    TEXT(s->id);
    TEXT(s->application);
    NUMBER(s->who.kind, DT_IDENTITY_NONE, DT_IDENTITY_MACHINE);
    TEXT(s->who.local);
    TEXT(s->who.realm);
    TEXT(s->who.login);
    TEXT(s->name);
    TEXT(s->client_ip);
    TEXT(s->nas);
    TEXT(s->station);
    TEXT(s->session);
    TEXT(s->push_key);
    TEXT(s->connection);
    NUMBER(s->groups_len, 0, sizeof(s->scratch->groups));
    raw(c, s->scratch->groups, s->groups_len);
    NUMBER(s->group_count, 0, DT_SIGNON_GROUPS_MAX);
    NUMBER(s->request_groups_len, 0, s->groups_len);
    NUMBER(s->request_group_count, 0, s->group_count);
    FLAG(s->okta_groups_missing);
    FLAG(s->decided_apart);
    NUMBER(s->group_knowledge, DT_GROUPS_UNKNOWN, DT_GROUPS_KNOWN);
    NUMBER(s->unsure_names, INT64_MIN, INT64_MAX);
    NUMBER(s->name_at, 0, s->group_count);
    NUMBER(s->names_asked, 0, DT_SIGNON_GROUP_NAMES_MAX);
    NUMBER(s->named, 0, INT32_MAX);
    TIME(s->groups_learnt);
    TEXT(s->scratch->next_url);
    NUMBER(s->platform_hint, 0, DT_PLATFORM_OTHER_MOBILE);
    FLAG(s->local);
    FLAG(s->address_wanted);
    NUMBER(s->utc_offset, -DT_UTC_OFFSET_MAX, DT_UTC_OFFSET_MAX);
    FLAG(s->utc_offset_known);
    TIME(s->decided);
    FLAG(s->what_if.device);
    NUMBER(s->what_if.trust, DT_TRUST_UNKNOWN, DT_TRUST_TRUSTED);
    NUMBER(s->what_if.reason, DT_REASON_NONE, DT_REASON_COUNT - 1);
    TIME(s->what_if.time);
    raw(c, s->random, sizeof(s->random));
}

static void ssh_key(codec *c, dt_ssh_key *k)
{
    TEXT(k->fingerprint);
    FLAG(k->hardware);
}

/* What a VPN client said, as far as the device it means is still looked for. */
static void vpn(codec *c, dt_signon *s)
{
    FLAG(s->vpn_search);
    NUMBER(s->vpn_at, 0, DT_VPN_NAMES_MAX);
    NUMBER(s->scratch->vpn.platform, 0, DT_PLATFORM_OTHER_MOBILE);
    if (!s->vpn_search)
        return;
    TEXT(s->scratch->vpn.uids[0]);
    TEXT(s->scratch->vpn.uids[1]);
    NUMBER(s->scratch->vpn.mac_count, 0, DT_VPN_MACS_MAX);
    for (size_t i = 0; i < s->scratch->vpn.mac_count; i++)
        TEXT(s->scratch->vpn.macs[i]);
    TEXT(s->scratch->vpn.host_name);
}

static void ocsp_answer(codec *c, dt_ocsp_answer *a)
{
    NUMBER(a->status, DT_OCSP_NO_ANSWER, DT_OCSP_GOOD);
    TIME(a->this_update);
    TIME(a->next_update);
    TIME(a->fetched);
    TIME(a->until);
}

/* A certificate whose OCSP answer is waited for. */
static void ocsp(codec *c, dt_signon *s)
{
    dt_ocsp_question *q = &s->scratch->ocsp;

    FLAG(s->ocsp_waits);
    FLAG(s->ocsp_from_cache);
    if (!s->ocsp_waits || c->broken)
        return;
    evidence(c, &s->scratch->ocsp_evidence);
    ocsp_answer(c, &s->ocsp_answer);
    TEXT(s->scratch->ocsp_detail);
    FLAG(q->open);
    NUMBER(q->otherwise, 0, DT_REASON_COUNT - 1);
    FLAG(q->unchecked);
    FLAG(q->above_unchecked);
    FLAG(q->listed);
    TEXT(q->key);
    TEXT(q->url);
    NUMBER(q->serial_len, 1, sizeof(q->serial));
    raw(c, q->serial, q->serial_len);
    NUMBER(q->issuer_len, 1, sizeof(q->issuer));
    raw(c, q->issuer, q->issuer_len);
}

/* An agent that is being asked. Its descriptor is not kept: whoever goes on has none, and says so. */
static void agent(codec *c, dt_signon *s)
{
    dt_agent_state *a = &s->agent;

    FLAG(a->wanted);
    FLAG(a->certificate);
    FLAG(a->proved);
    NUMBER(a->count, 0, DT_AGENT_IDENTITIES_MAX);
    NUMBER(a->at, 0, a->count);
    NUMBER(a->blob_len, 0, DT_AGENT_BLOB_MAX);
    NUMBER(a->asked, 0, DT_SIGNON_AGENT_SIGNATURES_MAX);
    NUMBER(a->failed, 0, DT_REASON_COUNT - 1);
    TIME(a->until);
    TEXT(s->scratch->host);
    for (size_t i = 0; i < a->count; i++) {
        raw(c, s->scratch->agent_keys[i].digest, sizeof(s->scratch->agent_keys[i].digest));
        FLAG(s->scratch->agent_keys[i].hardware);
    }
    raw(c, s->scratch->agent_blob, a->blob_len);
}

static void compliance_service(codec *c, dt_signon *s)
{
    FLAG(s->service_known);
    FLAG(s->service_asked);
    if (!s->service_known || c->broken)
        return;
    TEXT(s->scratch->service.url);
    TIME(s->scratch->service.found);
}

static void save_facts(codec *c, dt_signon *s)
{
    FLAG(s->host_evidence);
    FLAG(s->host_managed);
    vpn(c, s);
    FLAG(s->refresh_only);
    NUMBER(s->scratch->ssh.count, 0, DT_SSH_KEYS_MAX);
    for (size_t i = 0; i < s->scratch->ssh.count; i++)
        ssh_key(c, &s->scratch->ssh.items[i]);
    NUMBER(s->ssh_at, 0, s->scratch->ssh.count);
    agent(c, s);
    NUMBER(s->collector, 0, DT_SIGNON_COLLECTORS);
    FLAG(s->registry_asked);
    NUMBER(s->scratch->evidence.count, 0, DT_EVIDENCE_MAX);
    for (size_t i = 0; i < s->scratch->evidence.count; i++)
        evidence(c, &s->scratch->evidence.items[i]);
    ocsp(c, s);
    guid(c, &s->lookup_id);
    guid(c, &s->lookup_name.entra_id);
    TEXT(s->lookup_name.serial);
    NUMBER(s->lookup_found, 0, 2);
    compliance_service(c, s);
}

/* The Intune answer goes in as the record that the cache would hold. */
static void intune(codec *c, dt_signon *s)
{
    char record[DT_INTUNE_RECORD_MAX + 1] = "";
    bool has = dt_guid_is_set(&s->intune.device_id);
    dt_buf b;

    FLAG(has);
    if (!has || c->broken)
        return;
    dt_buf_init_fixed(&b, record, sizeof(record));
    if (c->out && dt_intune_pack(&s->intune, &b) < 0)
        c->broken = true;
    TEXT(record);
    if (!c->out && !c->broken && dt_intune_unpack(dt_bytes_str(record), &s->intune) < 0)
        c->broken = true;
}

static void okta_device(codec *c, dt_okta_device *d)
{
    guid(c, &d->device_id);
    TEXT(d->serial);
    TEXT(d->user_id);
    NUMBER(d->state, 0, DT_OKTA_DEVICE_STATE_COUNT - 1);
    TEXT(d->id);
    NUMBER(d->platform, 0, DT_PLATFORM_OTHER_MOBILE);
    TIME(d->fetched);
    TEXT(d->name);
}

static void device_at_okta(codec *c, dt_signon *s)
{
    okta_device(c, &s->okta_device);
    okta_device(c, &s->okta_device_kept);
}

static void conversation(codec *c, dt_signon *s)
{
    NUMBER(s->conversation, DT_CONVERSATION_NONE, DT_CONVERSATION_LIVE);
    FLAG(s->prompts_unproven);
    FLAG(s->prompts_unseen);
    FLAG(s->push_prompt);
    FLAG(s->explain);
    FLAG(s->only_looks_up);
    FLAG(s->abandoned);
    NUMBER(s->abandon_cause, 0, DT_CAUSE_COUNT - 1);
    TEXT(s->prompt.text);
    TEXT(s->prompt.note);
    TIME(s->prompt.until);
    FLAG(s->prompt.echo);
    FLAG(s->prompt.info);
    NUMBER(s->prompt_state, DT_PROMPT_NONE, DT_PROMPT_OPEN);
    NUMBER(s->prompt_takes, 0, DT_FACTOR_ALL);
    FLAG(s->push_offered);
    COUNTER(s->codes_sent);
    FLAG(s->menu);
    NUMBER(s->word_types, 0, DT_FACTOR_ALL);
    NUMBER(s->word_which, 0, 9);
    NUMBER(s->chosen, 0, DT_SIGNON_FACTORS_MAX);
    NUMBER(s->awaited, 0, DT_SIGNON_FACTORS_MAX);
    FLAG(s->push_prompted);
    FLAG(s->number_shown);
    COUNTER(s->attempts);
    FLAG(s->stray_answer);
    COUNTER(s->stray_answers);
}

static void earlier(codec *c, dt_mfa_given *e)
{
    TIME(e->at);
    NUMBER(e->factor, 0, DT_FACTOR_ALL);
    TEXT(e->user_id);
    TIME(e->password_changed);
    TIME(e->status_changed);
    TEXT(e->factor_stamp);
}

static void enrolled(codec *c, dt_enrolled *f)
{
    NUMBER(f->type, 1, DT_FACTOR_ALL);
    TIME(f->created);
    TEXT(f->id);
    TEXT(f->name);
    FLAG(f->several);
    if (dt_factor_row(f->type) == NULL || dt_factor_name(f->type) == NULL)
        c->broken = true;
}

static void okta(codec *c, dt_signon *s)
{
    TEXT(s->scratch->secrets.transaction);
    TEXT(s->scratch->secrets.oob_code);
    NUMBER(s->poll_every, 0, DT_DIRECT_INTERVAL_MAX);
    TIME(s->poll_from);
    TIME(s->oob_expires);
    TEXT(s->user_id);
    TEXT(s->app);
    TIME(s->app_asked);
    FLAG(s->app_assigned);
    FLAG(s->user_cached);
    FLAG(s->factors_known);
    NUMBER(s->person.enrolled, 0, DT_FACTOR_ALL);
    FLAG(s->okta_unreachable);
    TIME(s->user_fetched);
    TIME(s->password_changed);
    TIME(s->status_changed);
    earlier(c, &s->earlier);
    NUMBER(s->enrolled_count, 0, DT_SIGNON_FACTORS_MAX);
    for (size_t i = 0; i < s->enrolled_count; i++)
        enrolled(c, &s->enrolled[i]);
    NUMBER(s->in_use, 0, DT_SIGNON_FACTORS_MAX - 1);
    NUMBER(s->answer_at, 0, DT_SIGNON_FACTORS_MAX - 1);
    FLAG(s->negative);
    NUMBER(s->blocked, 0, DT_FACTOR_ALL);
    NUMBER(s->block_cause, 0, DT_CAUSE_COUNT - 1);
    NUMBER(s->push.state, DT_PUSH_NONE, DT_PUSH_LOCKED);
    FLAG(s->push.joined);
    NUMBER(s->push.number, DT_SIGNON_NUMBER_NONE, INT32_MAX);
    TEXT(s->push.owner);
    NUMBER(s->push.at, 0, SAVED_TIME_MAX);
    TEXT(s->push.poll_url);
    TEXT(s->push.cancel_url);
    TEXT(s->scratch->browser.user_code);
    TEXT(s->scratch->browser.url);
    TEXT(s->scratch->browser.link);
    NUMBER(s->scratch->browser.interval, 0, DT_BROWSER_INTERVAL_MAX);
    TIME(s->scratch->browser.expires);
    COUNTER(s->early_polls);
    COUNTER(s->poll_failures);
    NUMBER(s->final_result, DT_DENY, DT_ALLOW);
    NUMBER(s->final_cause, 0, DT_CAUSE_COUNT - 1);
    FLAG(s->finishing);
    FLAG(s->cancel_tried);
    FLAG(s->mfa_done);
    FLAG(s->limits_cleared);
    FLAG(s->answer_unjudged);
    FLAG(s->answers_locked);
    FLAG(s->next_code);
    FLAG(s->person_exists);
    NUMBER(s->expected_len, 0, sizeof(s->scratch->expected));
    raw(c, s->scratch->expected, s->expected_len);
}

static void lookup(codec *c, dt_lookup *l)
{
    unsigned const any = DT_QUESTION_BIT(DT_QUESTION_COUNT) - 1;

    NUMBER(l->question, DT_QUESTION_NONE, DT_QUESTION_COUNT - 1);
    NUMBER(l->outer, DT_QUESTION_NONE, DT_QUESTION_COUNT - 1);
    NUMBER(l->asked, 0, any);
    NUMBER(l->stale, 0, any);
    NUMBER(l->ageing, 0, any);
    NUMBER(l->part, 0, DT_LOOKUP_PARTS_MAX - 1);
    NUMBER(l->pages, 0, DT_LOOKUP_PAGES_MAX);
}

static void walk(codec *c, dt_signon *s)
{
    uint32_t magic = SAVED_MAGIC, version = SAVED_VERSION;

    NUMBER(magic, SAVED_MAGIC, SAVED_MAGIC);
    NUMBER(version, SAVED_VERSION, SAVED_VERSION);
    if (c->broken)
        return;
    NUMBER(s->phase, DT_PHASE_DONE, DT_PHASE_COUNT - 1);
    NUMBER(s->retry_phase, DT_PHASE_DONE, DT_PHASE_COUNT - 1);
    COUNTER(s->steps);
    COUNTER(s->retries);
    TIME(s->started);
    TIME(s->deadline);
    NUMBER(s->wait_limit, 0, DT_SIGNON_WAIT_MAX);
    TIME(s->until);
    lookup(c, &s->lookup);
    decided_by(c, s);
    save_identity(c, s);
    save_facts(c, s);
    intune(c, s);
    device_at_okta(c, s);
    conversation(c, s);
    okta(c, s);
    outcome(c, &s->outcome);
    keys_presented(c, s->scratch->keys);
}

int dt_signon_save(dt_signon const *s, dt_buf *out)
{
    codec c = {.out = out};
    dt_signon copy = *s; /* the walk goes both ways, so it wants something it could change */

    if (s->scratch == NULL)
        return DT_E_STATE;
    walk(&c, &copy);
    if (c.broken)
        return DT_E_INVALID;
    return dt_buf_error(out);
}

/* So many names, each ended, are in so many bytes. */
static bool has_name_list(char const *packed, size_t len, size_t count)
{
    size_t names = 0;

    for (size_t i = 0; i < len; i++)
        names += packed[i] == '\0';
    return names == count && (len == 0 || packed[len - 1] == '\0');
}

static bool groups_are_consistent(dt_signon const *s)
{
    return has_name_list(s->scratch->groups, s->groups_len, s->group_count) &&
           has_name_list(s->scratch->groups, s->request_groups_len, s->request_group_count);
}

/* A device that a name was found to be of is the one that the answer is about. */
static bool entra_is_consistent(dt_signon const *s)
{
    if (dt_guid_is_set(&s->lookup_name.entra_id) && s->lookup_name.serial[0] != '\0')
        return false;
    if (!dt_intune_name_is_set(&s->lookup_name))
        return s->lookup_found == 0;
    return s->lookup_found != 1 || dt_intune_has_name(&s->intune, &s->lookup_name);
}

/* Evidence comes of one source each; what it says of several would be read in several ways. */
static bool evidence_is_consistent(dt_signon const *s)
{
    for (size_t i = 0; i < s->scratch->evidence.count; i++) {
        unsigned source = s->scratch->evidence.items[i].source;

        if ((source & (source - 1)) != 0 || (source & ~(unsigned)DT_SOURCES_ALL) != 0)
            return false;
    }
    if (s->ocsp_waits &&
        (s->lookup.question != DT_QUESTION_OCSP ||
         (s->scratch->ocsp_evidence.source & (s->scratch->ocsp_evidence.source - 1)) != 0))
        return false;
    return entra_is_consistent(s);
}

/* The password is asked about once a rule lets in, and what comes after it once it is right. */
static bool password_is_consistent(dt_signon const *s, dt_primary wanted)
{
    return s->outcome.decision.cause == DT_DECISION_RULE &&
           s->outcome.decision.access != DT_ACCESS_DENY && s->outcome.primary == wanted;
}

/* A rule asked for MFA, and the password, if it is ours to ask, was found right. */
static bool mfa_is_consistent(dt_signon const *s)
{
    return s->outcome.decision.cause == DT_DECISION_RULE &&
           s->outcome.decision.access == DT_ACCESS_ALLOW_AFTER_MFA &&
           dt_signon_primary_is_verified(s);
}

/* May the machine be in this part, with its decision? */
static bool part_is_consistent(dt_signon const *s, dt_phase_part part)
{
    if (part == DT_PART_EVIDENCE)
        return true;
    if (s->refresh_only)
        return false;
    switch (part) {
    case DT_PART_GROUPS:
        return s->outcome.decision.cause == DT_DECISION_UNKNOWN_GROUPS || mfa_is_consistent(s);
    case DT_PART_PASSWORD:
        return password_is_consistent(s, DT_PRIMARY_OKTA_PENDING);
    case DT_PART_PASSWORD_RIGHT:
        return password_is_consistent(s, DT_PRIMARY_OKTA_VERIFIED);
    case DT_PART_APP:
        return s->outcome.decision.cause == DT_DECISION_RULE &&
               s->outcome.decision.access != DT_ACCESS_DENY && dt_signon_primary_is_verified(s);
    case DT_PART_MFA:
    case DT_PART_END:
        return mfa_is_consistent(s);
    case DT_PART_NONE:
    case DT_PART_LOOKUP:
    case DT_PART_EVIDENCE:
        break;
    }
    return false;
}

/* An earlier MFA is looked into only where the rule remembers, and before the person is asked. */
static bool earlier_is_consistent(dt_signon const *s)
{
    if (s->earlier.at == 0)
        return s->earlier.factor == 0;
    return s->earlier.at > 0 && s->earlier.factor != 0 && s->earlier.factor_stamp[0] &&
           s->earlier.user_id[0] && s->push.state == DT_PUSH_NONE && s->attempts == 0;
}

static bool phase_is_consistent(dt_signon const *s)
{
    bool retry = s->phase == DT_PHASE_RETRY_WAIT;
    dt_phase_row const *row = dt_phase_row_of(dt_signon_phase(s));

    if (retry ? !row->retried : s->retry_phase != DT_PHASE_DONE)
        return false;
    if (row->kind == DT_PHASE_IS_DONE)
        return dt_lookup_is_consistent(s);
    return s->finishing == (row->part == DT_PART_END) && part_is_consistent(s, dt_signon_part(s)) &&
           dt_lookup_is_consistent(s) && (row->has_fields == NULL || row->has_fields(s));
}

/* What a machine that did not come from dt_signon_save could claim: an outcome that allows without
 * the machine having come to its end, or without a rule that lets it. */
static bool outcome_is_consistent(dt_signon const *s)
{
    bool allows = s->outcome.result == DT_ALLOW, will = s->final_result == DT_ALLOW;

    if (s->abandoned && dt_cause_allows(s->abandon_cause))
        return false;
    if (allows && (s->phase != DT_PHASE_DONE || !dt_signon_may_allow(s, s->outcome.cause)))
        return false;
    if (will && (!s->finishing || !dt_signon_may_allow(s, s->final_cause)))
        return false;
    return !s->mfa_done || s->finishing;
}

static bool is_consistent(dt_signon const *s)
{
    return groups_are_consistent(s) && evidence_is_consistent(s) && earlier_is_consistent(s) &&
           phase_is_consistent(s) && outcome_is_consistent(s);
}

int dt_signon_load(dt_signon *s, dt_ruleset const *ruleset, dt_bytes saved)
{
    codec c = {.in = saved, .ruleset = ruleset};
    void (*loaded)(dt_signon * s);

    dt_signon_clear(s, ruleset);
    if (s->scratch == NULL)
        return DT_E_STATE;
    memset(s->scratch, 0, sizeof(*s->scratch)); /* the walk looks at a field before it sets it */
    walk(&c, s);
    if (c.broken || c.in.len != 0 || !is_consistent(s)) {
        dt_signon_clear(s, ruleset);
        return DT_E_PARSE;
    }
    if (!ruleset->policy && !s->refresh_only && s->phase != DT_PHASE_DONE)
        dt_signon_fail(s, DT_CAUSE_CONFIG, "the policy of this application was removed");
    dt_refusal_code_make(s->id, s->outcome.code);
    loaded = dt_phase_row_of(dt_signon_phase(s))->loaded;
    if (loaded != NULL)
        loaded(s);
    return DT_OK;
}
