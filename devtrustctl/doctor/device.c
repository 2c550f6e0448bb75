/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/doctor/subject.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/graph_client.h"
#include "devtrustctl/registry.h"

#include "core/base/expiry.h"
#include "core/intune/intune.h"
#include "edge/host.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024
#define CHECK_ACCESS                                                                               \
    "fix what Company Portal names at Devices, this device, then choose Check access there; an "   \
    "answer takes 5 to 10 minutes or more"

static void report(dt_findings *f, dt_finding_status status, char const *check, char const *what,
                   char const *why, char const *todo)
{
    dt_finding_report(
        f, &(dt_ctl_finding){
               .status = status, .check = check, .what = what, .why = why, .todo = todo});
}

/* --- the certificate ----------------------------------------------------------------------------- */

typedef struct advice {
    dt_reason reason;
    char const *todo;
} advice;

static char const *advice_for(dt_reason reason)
{
    static advice const rows[] = {
        {DT_REASON_CERTIFICATE_EXPIRED,
         "have the MDM renew it: sync the device in Company Portal or in Intune"},
        {DT_REASON_CERTIFICATE_REVOKED, "have the MDM issue another one"},
        {DT_REASON_UNTRUSTED_ISSUER,
         "add the CA that signed it to ca_file or a section [ca NAME] of devtrust.conf, or to "
         "shared_ca_file if it is Microsoft's; Intune's own is \"Microsoft Intune MDM Device CA\""},
        {DT_REASON_WRONG_TENANT,
         "compare tenant_id in devtrust.conf with the tenant that enrolled the device"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].reason == reason)
            return rows[i].todo;
    }
    return "see devtrustctl device explain FILE, and have the MDM issue another one";
}

/* False when it names no device that could be asked about. */
static bool check_certificate(dt_site const *site, char const *path, dt_time now, dt_findings *f,
                              dt_guid *device)
{
    dt_certificate c;
    dt_error e = {0};
    char what[TEXT_MAX], day[DT_DAY_TEXT_MAX];
    dt_reason reason;
    dt_buf der;

    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    if (dt_certificate_file_first(path, &der, &e) < 0) {
        report(f, DT_FINDING_FAULT, "device.certificate", e.text,
               "without it nothing shows which device it is",
               "export the device's certificate as PEM or DER, and name that file");
        dt_buf_free(&der);
        return false;
    }
    reason = dt_certificate_judge_alone(dt_site_anchors(site), dt_buf_bytes(&der), NULL, 0,
                                        &dt_site_config(site)->device_trust.tenant_id, now, &c, &e);
    dt_buf_free(&der);
    if (reason == DT_REASON_TRUSTED) {
        (void)snprintf(what, sizeof(what), "%s, by %s, until %s", c.subject, c.issuer,
                       dt_day_text(day, c.not_after));
        report(f, c.not_after - now <= DT_EXPIRY_WARNS_FOR ? DT_FINDING_WARNING : DT_FINDING_OK,
               "device.certificate", what,
               c.not_after - now <= DT_EXPIRY_WARNS_FOR ? "it ends soon" : "",
               c.not_after - now <= DT_EXPIRY_WARNS_FOR ? advice_for(DT_REASON_CERTIFICATE_EXPIRED)
                                                        : "");
    } else {
        (void)snprintf(what, sizeof(what), "%s: %s: %s", c.subject, dt_reason_name(reason), e.text);
        report(f, DT_FINDING_FAULT, "device.certificate", what,
               "a device that shows it is not trusted", advice_for(reason));
    }
    *device = c.device_id;
    return dt_guid_is_set(device);
}

/* --- Intune --------------------------------------------------------------------------------------- */

static void judge_compliance(dt_intune_device const *d, dt_evidence const *ev, dt_findings *f)
{
    char what[TEXT_MAX], day[DT_DAY_TEXT_MAX];

    (void)snprintf(what, sizeof(what), "%s: %s, last seen by Intune on %s", d->device_name,
                   dt_reason_name(ev->reason), dt_day_text(day, d->last_sync));
    if (ev->finding == DT_FINDING_FOR) {
        (void)snprintf(what, sizeof(what),
                       "%s meets the company's compliance policies; last seen by Intune on %s",
                       d->device_name, dt_day_text(day, d->last_sync));
        report(f, DT_FINDING_OK, "device.compliance", what, "", "");
    } else if (ev->reason == DT_REASON_STALE) {
        report(f, DT_FINDING_FAULT, "device.compliance", what,
               "max_sync_age in devtrust.conf is over", "sync the device in Company Portal");
    } else {
        report(f, DT_FINDING_FAULT, "device.compliance", what,
               "the device does not meet the company's compliance and security policies",
               CHECK_ACCESS);
    }
}

static void ask_intune(dt_site const *site, dt_guid const *device, dt_findings *f)
{
    dt_config const *c = dt_site_config(site);
    dt_graph_client *client = NULL;
    dt_intune_device d;
    dt_evidence ev;
    dt_error e = {0};
    char what[TEXT_MAX];
    int rc = dt_graph_client_new(site, &client, &e);

    if (rc == DT_OK)
        rc = dt_graph_client_device(client, device, &d, &e);
    dt_graph_client_free(&client);
    if (rc != DT_OK) {
        report(f, DT_FINDING_UNSEEN, "device.enrolment", e.text, "", "");
        return;
    }
    if (!d.enrolled) {
        (void)snprintf(what, sizeof(what), "Intune knows no device %s", device->text);
        report(
            f, DT_FINDING_FAULT, "device.enrolment", what,
            "a device that is not enrolled is not trusted",
            c->device_trust.enrollment_url[0] != '\0'
                ? c->device_trust.enrollment_url
                : "enrol it with Company Portal; if it is enrolled, compare the Intune device id, "
                  "which is not the Entra device id");
        return;
    }
    (void)snprintf(what, sizeof(what), "%s is enrolled, for %s", d.device_name,
                   d.user[0] != '\0' ? d.user : "nobody by name");
    report(f, DT_FINDING_OK, "device.enrolment", what, "", "");
    dt_intune_evidence(&d, c, dt_host_now(), false, &ev);
    judge_compliance(&d, &ev, f);
}

void dt_doctor_device(dt_site const *site, char const *device, dt_time now, dt_findings *f)
{
    dt_guid id;
    bool known = dt_guid_parse(dt_bytes_str(device), &id) == DT_OK;

    if (!known)
        known = check_certificate(site, device, now, f, &id);
    if (known && dt_site_config(site)->intune.client_id[0] != '\0')
        ask_intune(site, &id, f);
    else if (known)
        report(f, DT_FINDING_UNSEEN, "device.enrolment",
               "[intune] is not configured: who is enrolled and compliant is not known", "", "");
}
