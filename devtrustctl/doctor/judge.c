/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of what doctor says about each fact. "@" stands for what the fact is about. */
#include "devtrustctl/doctor/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RADIUS_RESTART "systemctl restart freeradius"
#define RADIUS_START_PLAIN "start the server: freeradius"

typedef struct rule {
    char const *check;
    dt_finding_status otherwise; /* of NO */
    char const *good, *bad, *why, *todo;
    char const *todo_plain; /* without systemd; NULL: the same */
} rule;

static rule const rules[DT_FACT_COUNT] = {
    [DT_FACT_PAM_MODULE] = {"pam.module", DT_FINDING_FAULT, "@", "@ is missing",
                            "PAM services name it, and refuse every sign-on without it",
                            "apt-get install --reinstall libpam-devtrust; built from source: make "
                            "install",
                            NULL},
    [DT_FACT_DAEMON_PROGRAM] = {"daemon.program", DT_FINDING_FAULT, "@", "@ is missing",
                                "the PAM module asks it at every sign-on, and refuses without it",
                                "apt-get install --reinstall libpam-devtrust; built from source: "
                                "make install",
                                NULL},
    [DT_FACT_SERVICE_USER] = {"daemon.user", DT_FINDING_FAULT, "the user @ exists",
                              "there is no user @",
                              "devtrustd runs as that user, and ends without it",
                              "systemd-sysusers /usr/lib/sysusers.d/devtrust.conf", NULL},
    [DT_FACT_DAEMON_SOCKET] = {"daemon.socket", DT_FINDING_WARNING, "devtrustd answers at @",
                               "nobody listens at @",
                               "each login starts a devtrustd of its own, and lock screens are "
                               "refused",
                               "systemctl enable --now devtrustd.socket",
                               "have the system start it at boot: devtrustd"},
    [DT_FACT_DAEMON_BOOT] = {"daemon.boot", DT_FINDING_WARNING, "@ is started at boot",
                             "@ is not started at boot",
                             "after the next boot each login starts a devtrustd of its own",
                             "systemctl enable devtrustd.socket", NULL},
    [DT_FACT_RADIUS_MODULE] = {"radius.module", DT_FINDING_FAULT, "@", "@ is missing",
                               "FreeRADIUS's configuration names it, and the server does not start",
                               "apt-get install --reinstall freeradius-devtrust; built from "
                               "source: make install",
                               NULL},
    [DT_FACT_RADIUS_SITE] = {"radius.site", DT_FINDING_WARNING, "a site of @ asks devtrust",
                             "no enabled site asks devtrust: @",
                             "the module is loaded, and RADIUS requests are decided without it",
                             "devtrustctl setup, or see rlm_devtrust(5) for the lines of a site",
                             NULL},
    [DT_FACT_RADIUS_CONFIG] = {"radius.config", DT_FINDING_FAULT, "freeradius -XC is content",
                               "FreeRADIUS refuses its configuration: @",
                               "the server does not start with it",
                               "correct what it names, then: " RADIUS_RESTART,
                               "correct what it names, then " RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_AUTH_PORT] = {"radius.port.auth", DT_FINDING_FAULT, "somebody listens on @",
                                  "nobody listens on @",
                                  "gateways and access points get no answer, and nobody gets in",
                                  "systemctl restart freeradius", RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_AUTH_OWNER] = {"radius.owner.auth", DT_FINDING_FAULT, "@",
                                   "not FreeRADIUS but @",
                                   "another program answers the gateways, or nobody does",
                                   "end that program, then: " RADIUS_RESTART,
                                   "end that program, then " RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_ACCT_PORT] =
        {"radius.port.acct", DT_FINDING_WARNING, "somebody listens on @", "nobody listens on @",
         "accounting gets no answer: gateways repeat it, and sessions "
         "that have ended are not known",
         "give a site a listen section with type = acct and port = 1813, "
         "as sites-available/devtrust-vpn has it, then: " RADIUS_RESTART,
         "give a site a listen section with type = acct and port = 1813, "
         "as sites-available/devtrust-vpn has it, then " RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_ACCT_OWNER] = {"radius.owner.acct", DT_FINDING_WARNING, "@",
                                   "not FreeRADIUS but @", "another program gets the accounting",
                                   "end that program, then: " RADIUS_RESTART,
                                   "end that program, then " RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_CERTIFICATE] = {"radius.certificate", DT_FINDING_WARNING, "@", "@",
                                    "supplicants refuse a server whose certificate has expired: "
                                    "nobody gets into the Wi-Fi then",
                                    "replace the file, then: " RADIUS_RESTART,
                                    "replace the file, then " RADIUS_START_PLAIN},
    [DT_FACT_RADIUS_BOOT] = {"radius.boot", DT_FINDING_WARNING, "@ is started at boot",
                             "@ is not started at boot",
                             "after the next boot gateways and access points get no answer",
                             "systemctl enable freeradius", NULL},
    [DT_FACT_SIGNALS] = {"signals.status", DT_FINDING_WARNING, "devtrust-signals hears",
                         "devtrust-signals does not hear all: @",
                         "open sessions of a lost device end at the next recheck only",
                         "devtrustctl signals status", NULL},
    [DT_FACT_CLOCK] = {"clock.synchronized", DT_FINDING_WARNING, "something keeps the clock right",
                       "nothing keeps this host's clock right: @",
                       "passcodes, certificates and assertions go by the time",
                       "timedatectl set-ntp true", "run chrony or another NTP client"},
};

void dt_fact_set(dt_facts *f, dt_fact_id id, dt_fact_state state, char const *fmt, ...)
{
    va_list args;

    f->all[id].state = state;
    va_start(args, fmt);
    (void)vsnprintf(f->all[id].about, sizeof(f->all[id].about), fmt, args);
    va_end(args);
}

static void fill(char out[DT_DOCTOR_TEXT_MAX], char const *form, char const *about)
{
    char const *at = strchr(form, '@');

    if (at == NULL)
        (void)snprintf(out, DT_DOCTOR_TEXT_MAX, "%s", form);
    else
        (void)snprintf(out, DT_DOCTOR_TEXT_MAX, "%.*s%s%s", (int)(at - form), form, about, at + 1);
}

char const *dt_doctor_check_name(dt_fact_id id)
{
    return rules[id].check;
}

bool dt_doctor_judge(dt_facts const *f, dt_fact_id id, dt_diagnosis *out)
{
    rule const *r = &rules[id];
    dt_fact const *fact = &f->all[id];

    *out = (dt_diagnosis){.check = r->check, .status = DT_FINDING_OK};
    switch (fact->state) {
    case DT_FACT_NOT_ASKED:
        return false;
    case DT_FACT_UNSEEN:
        out->status = DT_FINDING_UNSEEN;
        (void)snprintf(out->what, sizeof(out->what), "%s", fact->about);
        return true;
    case DT_FACT_YES:
        fill(out->what, r->good, fact->about);
        return true;
    case DT_FACT_NO:
        break;
    }
    out->status = r->otherwise;
    fill(out->what, r->bad, fact->about);
    fill(out->why, r->why, fact->about);
    fill(out->todo, !f->systemd && r->todo_plain != NULL ? r->todo_plain : r->todo, fact->about);
    return true;
}
