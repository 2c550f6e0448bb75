/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl doctor: everything that stands between people and their sign-ons, in one report. Its own are the host's
 * programs, services, ports and clock, devices and people; configuration, services and PAM are those of check-config
 * and check-pam. */
#include "devtrustctl/check_config.h"
#include "devtrustctl/check_pam.h"
#include "devtrustctl/doctor/gather.h"
#include "devtrustctl/doctor/judge.h"
#include "devtrustctl/doctor/subject.h"
#include "devtrustctl/options.h"

#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct doctor {
    char const *config_path, *device, *user;
    bool offline;
    dt_time now;
    dt_site *site; /* NULL: it does not load */
    dt_facts facts;
    bool radius;
    size_t services; /* of PAM that ask devtrust */
    dt_findings findings;
} doctor;

static void report(doctor *k, dt_finding_status status, char const *check, char const *what,
                   char const *why, char const *todo)
{
    dt_finding_report(
        &k->findings,
        &(dt_ctl_finding){
            .status = status, .check = check, .what = what, .why = why, .todo = todo});
}

/* --- the parts ----------------------------------------------------------------------------------- */

static void check_configuration(doctor *k)
{
    (void)dt_config_check_run(k->config_path, NULL, !k->offline, &k->findings, &k->site);
}

static void judge_facts(doctor *k, dt_fact_id from, dt_fact_id to)
{
    for (dt_fact_id id = from; id <= to; id++) {
        dt_diagnosis d;

        if (dt_doctor_judge(&k->facts, id, &d))
            report(k, d.status, d.check, d.what, d.why, d.todo);
    }
}

static void check_host(doctor *k)
{
    dt_doctor_gather_host(k->site != NULL ? dt_site_config(k->site) : NULL, &k->facts);
    judge_facts(k, DT_FACT_PAM_MODULE, DT_FACT_DAEMON_BOOT);
    judge_facts(k, DT_FACT_SIGNALS, DT_FACT_CLOCK);
}

static void check_radius(doctor *k)
{
    k->radius = dt_doctor_gather_radius(k->now, &k->facts);
    judge_facts(k, DT_FACT_RADIUS_MODULE, DT_FACT_RADIUS_BOOT);
}

static void report_service(void *ctx, dt_pam_report const *r)
{
    doctor *k = ctx;
    char what[2 * DT_PAM_TEXT_MAX + 256], todo[DT_PAM_TEXT_MAX + 16];

    k->services += r->verdict != DT_PAM_NOTE && r->verdict != DT_PAM_NOT_PROTECTED;
    if (r->verdict == DT_PAM_PROTECTED)
        report(k, DT_FINDING_OK, "pam.service", r->service, "", "");
    for (size_t i = 0; i < r->count; i++) {
        dt_pam_finding const *f = &r->findings[i];
        bool bypass = f->verdict == DT_PAM_BYPASS;

        if (f->verdict < DT_PAM_CANNOT_WORK)
            continue;
        (void)snprintf(what, sizeof(what), "%s: %s%s%s", r->service, f->place,
                       f->place[0] != '\0' ? ": " : "", f->text);
        (void)snprintf(todo, sizeof(todo), "%s%s", f->write[0] != '\0' ? "write: " : "",
                       f->write[0] != '\0' ? f->write : "see devtrustctl check-pam");
        report(k, DT_FINDING_FAULT, bypass ? "pam.bypass" : "pam.cannot_work", what,
               bypass ? "people get in around devtrust" : "sign-ons there fail", todo);
    }
}

static void check_pam(doctor *k)
{
    dt_pam_check const c = {.root = "", .skip_sshd = geteuid() != 0, .site = k->site};
    dt_error e = {0};

    if (dt_pam_check_run(&c, report_service, k, &e) < 0)
        report(k, DT_FINDING_UNSEEN, "pam.service", e.text, "", "");
    else if (k->services == 0 && !k->radius)
        report(k, DT_FINDING_WARNING, "pam.service",
               "neither PAM nor FreeRADIUS asks devtrust here", "nothing on this host is protected",
               "devtrustctl setup");
    if (geteuid() != 0)
        report(k, DT_FINDING_UNSEEN, "pam.sshd", "only root can ask sshd for its options", "", "");
}

static void check_subjects(doctor *k)
{
    if (k->device != NULL && k->site != NULL)
        dt_doctor_device(k->site, k->device, k->now, &k->findings);
    if (k->user != NULL && k->site != NULL)
        dt_doctor_person(k->site, k->user, &k->findings);
}

/* In this order: later parts use what earlier ones found. */
static void (*const parts[])(doctor *k) = {check_configuration, check_host, check_radius, check_pam,
                                           check_subjects};

/* --- the command --------------------------------------------------------------------------------- */

/* The last line counts. */
static dt_ctl_exit report_result(doctor const *k)
{
    dt_findings const *f = &k->findings;
    dt_ctl_exit x = f->faults > 0 ? DT_CTL_NO : f->unseen > 0 ? DT_CTL_OPEN : DT_CTL_YES;
    dt_buf b;

    if (f->json) {
        dt_out_begin(&b);
        dt_out_member(&b, "check", "doctor");
        dt_out_member(&b, "status", f->faults > 0 ? "fault" : f->unseen > 0 ? "unseen" : "ok");
        dt_out_member_int(&b, "faults", (int64_t)f->faults);
        dt_out_member_int(&b, "warnings", (int64_t)f->warnings);
        dt_out_member_int(&b, "unseen", (int64_t)f->unseen);
        dt_out_finish(&b);
        return x;
    }
    dt_out_line("%zu fault%s, %zu warning%s, %zu not seen, %zu in order%s", f->faults,
                DT_S(f->faults), f->warnings, DT_S(f->warnings), f->unseen, f->good,
                f->unseen > 0 && geteuid() != 0 ? "; run it as root to see all" : "");
    return x;
}

static int read_options(doctor *k, int argc, char **argv, dt_error *e)
{
    dt_option const options[] = {
        {"--config", "-c", &k->config_path, NULL}, {"--device", NULL, &k->device, NULL},
        {"--user", NULL, &k->user, NULL},          {"--offline", NULL, NULL, &k->offline},
        {"--json", NULL, NULL, &k->findings.json}, {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    size_t count = 0;
    int rc = rest != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");

    if (rc == DT_OK)
        rc = dt_options_parse(options, argc, argv, rest, &count, e);
    free(rest);
    if (rc == DT_OK && count > 0)
        rc = dt_error_set(e, DT_E_INVALID, "takes no arguments; see --device and --user");
    if (rc == DT_OK && k->offline && (k->device != NULL || k->user != NULL))
        rc =
            dt_error_set(e, DT_E_INVALID, "--device and --user ask Okta and Intune: not --offline");
    return rc;
}

dt_ctl_exit dt_ctl_doctor(dt_ctl_command const *self, int argc, char **argv)
{
    doctor *k = calloc(1, sizeof(*k));
    dt_error e = {0};
    dt_ctl_exit x;

    if (k == NULL) {
        dt_err_line("out of memory");
        return DT_CTL_FAULT;
    }
    k->now = dt_host_now();
    if (read_options(k, argc, argv, &e) < 0) {
        free(k);
        return dt_err_usage(self, &e);
    }
    if (k->config_path == NULL)
        k->config_path = DT_CONFIG_DEFAULT_PATH;
    k->findings.report = true;
    k->findings.colour = dt_findings_want_colour();
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        parts[i](k);
    x = report_result(k);
    dt_site_free(&k->site);
    free(k);
    return x;
}
