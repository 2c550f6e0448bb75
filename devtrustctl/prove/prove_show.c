/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Showing a sign-on. */
#include "devtrustctl/prove/prove_show.h"

#include "devtrustctl/ctl.h"

#include "core/base/json.h"

#include <string.h>

#define LINE_TEXT_MAX 4096
#define TIME_TEXT_MAX 32

/* "2026-03-02T09:30+01:00" */
static char *time_text(dt_policy_input const *in, char out[TIME_TEXT_MAX])
{
    char utc[25];
    int offset = in->utc_offset_known ? in->utc_offset : 0;
    dt_buf b;

    dt_time_format(utc, in->now + DT_MINUTES(offset));
    dt_buf_init_fixed(&b, out, TIME_TEXT_MAX);
    dt_buf_put(&b, utc, strlen("2026-03-02T09:30"));
    if (!in->utc_offset_known || offset == 0)
        dt_buf_putc(&b, 'Z');
    else
        dt_buf_printf(&b, "%c%02d:%02d", offset < 0 ? '-' : '+',
                      (offset < 0 ? -offset : offset) / 60, (offset < 0 ? -offset : offset) % 60);
    return out;
}

/* --- lines ------------------------------------------------------------------------------------- */

static void show_person(dt_policy_input const *in)
{
    if (in->machine)
        dt_out_line("  who       a machine, called %s", in->user);
    else if (in->login[0] == '\0')
        dt_out_line("  who       %s", in->user);
    else
        dt_out_line("  who       %s, at Okta %s%s%s", in->user, in->login,
                    in->short_login[0] != '\0' ? ", for short " : "", in->short_login);
}

static void show_groups(dt_prover const *v, dt_policy_input const *in)
{
    char text[LINE_TEXT_MAX], shown[DT_GROUP_SHOWN_MAX];
    dt_buf b;

    if (in->group_knowledge != DT_GROUPS_KNOWN) {
        dt_out_line("  groups    not known");
        return;
    }
    dt_buf_init_fixed(&b, text, sizeof(text));
    for (size_t i = 0; i < in->group_count; i++) {
        dt_buf_puts(&b, i > 0 ? ", " : "");
        dt_buf_puts(&b, dt_policy_group_shown(v->sides[0].app, in->groups[i], shown));
    }
    dt_out_line("  groups    %s", in->group_count > 0 ? text : "none that a rule names");
}

static void put_zones(dt_prover const *v, dt_policy_input const *in, dt_buf *b)
{
    dt_zones const *z = v->sides[0].app->zones;
    dt_tag_set have, maybe;
    bool any = false;

    if (z == NULL || !in->ip.set)
        return;
    dt_zones_locate(z, &in->ip, in->place, &have, &maybe);
    for (uint32_t i = 0; i < z->count; i++) {
        if (!dt_tag_set_has(&have, i) && !dt_tag_set_has(&maybe, i))
            continue;
        dt_buf_printf(b, "%s%s%s", any ? ", " : ", in zone ", z->zones[i].name,
                      dt_tag_set_has(&have, i) ? "" : " (or not: not known)");
        any = true;
    }
    if (!any)
        dt_buf_puts(b, ", in no zone");
}

/* Where no zone is about places, there is nothing to say of them. */
static bool places_count(dt_prover const *v, dt_policy_input const *in)
{
    dt_zones const *z = v->sides[0].app->zones;

    return z != NULL && z->any_dynamic && in->ip.set && !dt_ip_is_private(&in->ip);
}

static void show_address(dt_prover const *v, dt_policy_input const *in)
{
    char text[LINE_TEXT_MAX], ip[DT_IP_PLAIN_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_ip_text(&in->ip, ip);
    dt_buf_puts(&b, in->ip.set                        ? ip
                    : in->address == DT_ADDRESS_LOCAL ? "this host itself"
                    : in->address == DT_ADDRESS_ABSENT
                        ? "an address that the request does not contain"
                        : "an address that is not known");
    put_zones(v, in, &b);
    if (places_count(v, in)) {
        dt_geo_place const *at = in->place;
        dt_buf_printf(&b, ", %s%s%s",
                      (at->known & DT_GEO_COUNTRY) != 0 ? "country " : "no known country",
                      at->country, (at->known & DT_GEO_REGION) != 0 ? "-" : "");
        dt_buf_puts(&b, at->region);
        if ((at->known & DT_GEO_ASN) != 0)
            dt_buf_printf(&b, ", AS%u", (unsigned)at->asn);
    }
    dt_out_line("  from      %s", text);
}

static void show_device(dt_policy_input const *in, bool org_waives, bool org)
{
    char const *reason = in->reason == DT_REASON_NONE || in->reason == DT_REASON_TRUSTED
                             ? NULL
                             : dt_reason_name(in->reason);

    dt_out_line("  device    %s%s%s; platform %s", dt_trust_name(in->trust),
                reason != NULL ? ", " : "", reason != NULL ? reason : "",
                dt_platform_name(in->platform));
    if (in->trust == DT_TRUST_UNKNOWN)
        dt_out_line("  where     unknown_device_as = %s",
                    in->unknown_as == DT_UNKNOWN_DENY ? "deny" : "not_trusted");
    if (org && org_waives)
        dt_out_line("  where     org_mfa = unless_trusted");
}

static void show_time(dt_policy_input const *in)
{
    static char const *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    char text[TIME_TEXT_MAX];

    if (in->now <= 0)
        dt_out_line("  when      the time is not known");
    else
        dt_out_line("  when      %s, a %s%s", time_text(in, text),
                    days[dt_minute_of_week(in, !in->utc_offset_known) / DT_MINUTES_OF_DAY],
                    in->utc_offset_known ? "" : "; the local time is not known");
}

static void show_decision(char const *what, dt_prove_side const *side, dt_prove_decision const *d)
{
    dt_decision const *own = &d->own;

    if (own->cause == DT_DECISION_RULE)
        dt_out_line("  %-9s %s, by rule \"%s\"", what, dt_access_name(d->both.access), own->rule);
    else
        dt_out_line("  %-9s %s, %s", what, dt_access_name(d->both.access),
                    dt_decision_cause_name(own->cause));
    if (side->org == NULL)
        return;
    if (d->org.cause == DT_DECISION_RULE)
        dt_out_line("  org       %s, by the org's rule \"%s\"", dt_access_name(d->org.access),
                    d->org.rule);
    else
        dt_out_line("  org       %s, %s", dt_access_name(d->org.access),
                    dt_decision_cause_name(d->org.cause));
}

void dt_prove_show(dt_prover const *v, dt_prove_decision const *d, dt_prove_decision const *old)
{
    dt_policy_input const *in = &v->request->in;

    show_person(in);
    show_groups(v, in);
    show_address(v, in);
    show_device(in, v->request->org_waives, v->sides[0].org != NULL);
    if (v->s->uses_utc || v->s->uses_local)
        show_time(in);
    show_decision("decision", &v->sides[0], d);
    if (old != NULL)
        show_decision("before", &v->sides[1], old);
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void put_groups_json(dt_policy_input const *in, dt_buf *out)
{
    dt_buf_puts(out, ",\"groups\":");
    if (in->group_knowledge != DT_GROUPS_KNOWN) {
        dt_buf_puts(out, "null");
        return;
    }
    dt_buf_putc(out, '[');
    for (size_t i = 0; i < in->group_count; i++) {
        dt_buf_puts(out, i > 0 ? "," : "");
        dt_json_put_string(out, in->groups[i] + (dt_group_is_id(in->groups[i]) ? 1 : 0));
    }
    dt_buf_putc(out, ']');
}

static void put_address_json(dt_prover const *v, dt_policy_input const *in, dt_buf *out)
{
    char ip[DT_IP_PLAIN_MAX];

    if (!in->ip.set) {
        dt_out_member(out, "address",
                      in->address == DT_ADDRESS_LOCAL    ? "local"
                      : in->address == DT_ADDRESS_ABSENT ? "absent"
                                                         : "unknown");
        return;
    }
    dt_ip_text(&in->ip, ip);
    dt_out_member(out, "ip", ip);
    if (!places_count(v, in))
        return;
    if ((in->place->known & DT_GEO_COUNTRY) != 0)
        dt_out_member(out, "country", in->place->country);
    else
        dt_buf_puts(out, ",\"country\":null");
    if ((in->place->known & DT_GEO_REGION) != 0)
        dt_out_member(out, "region", in->place->region);
    if ((in->place->known & DT_GEO_ASN) != 0)
        dt_buf_printf(out, ",\"asn\":%u", (unsigned)in->place->asn);
}

static void put_rest_json(dt_prover const *v, dt_policy_input const *in, dt_buf *out)
{
    char text[TIME_TEXT_MAX];

    dt_out_member(out, "platform", dt_platform_name(in->platform));
    dt_out_member(out, "device", dt_trust_name(in->trust));
    if (in->reason == DT_REASON_NONE)
        dt_buf_puts(out, ",\"reason\":null");
    else
        dt_out_member(out, "reason", dt_reason_name(in->reason));
    if (in->now > 0)
        dt_out_member(out, "time", time_text(in, text));
    else
        dt_buf_puts(out, ",\"time\":null");
    if (in->now > 0 && !in->utc_offset_known)
        dt_buf_puts(out, ",\"offsetKnown\":false");
    dt_out_member(out, "unknownDeviceAs",
                  in->unknown_as == DT_UNKNOWN_DENY ? "deny" : "not_trusted");
    if (v->sides[0].org != NULL)
        dt_out_member(out, "orgMfa", v->request->org_waives ? "unless_trusted" : "enforce");
}

void dt_prove_put_json(dt_prover const *v, dt_prove_decision const *d, dt_buf *out)
{
    dt_policy_input const *in = &v->request->in;

    dt_buf_puts(out, ",\"signOn\":{");
    dt_out_member(out, "user", in->user);
    if (in->login[0] != '\0')
        dt_out_member(out, "login", in->login);
    if (in->short_login[0] != '\0')
        dt_out_member(out, "shortLogin", in->short_login);
    if (in->machine)
        dt_buf_puts(out, ",\"machine\":true");
    put_groups_json(in, out);
    put_address_json(v, in, out);
    put_rest_json(v, in, out);
    dt_buf_putc(out, '}');
    dt_out_member(out, "access", dt_access_name(d->both.access));
    dt_out_member(out, "cause", dt_decision_cause_name(d->both.cause));
    dt_out_member(out, "rule", d->own.rule);
    dt_out_member(out, "orgRule", d->org.rule);
}
