/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl, the administrator's command: one table of commands, and the help made of it. */
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"

#include "core/base/nearest.h"
#include "core/base/version.h"
#include "edge/host.h"
#include "edge/site.h"

#include <string.h>

static dt_ctl_exit run_version(dt_ctl_command const *self, int argc, char **argv);
static dt_ctl_exit run_help(dt_ctl_command const *self, int argc, char **argv);

#define HELP_WORDS_MAX 2 /* a command, and what it is to do */
#define OPTION_CONFIG "  -c, --config FILE      instead of /etc/devtrust/devtrust.conf\n"

static dt_ctl_command const commands[] = {
    {"check-config", dt_ctl_check_config,
     "load everything as the modules would, and report what is wrong",
     "[--online] [--user NAME] [--json] [-c FILE] [--root DIR]",
     "  --root DIR             the PAM services below DIR instead of this system's\n"
     "  --user NAME            try everything as this user, as root\n"
     "  --online               ask Okta and Microsoft, too: credential, rights, clock\n"
     "  --json                 one JSON object a finding\n" OPTION_CONFIG
     "Reads the configuration, zones, policies, CA certificates, secrets, keys and\nthe store, and "
     "warns of settings that are risky.\n"},
    {"check-pam", dt_ctl_check_pam, "which PAM services ask devtrust, and the ways around it",
     "[options] [SERVICE]",
     "  --root DIR             the files below DIR instead of this system's\n"
     "  --sshd PROGRAM         instead of /usr/sbin/sshd, which is asked by its -T\n"
     "  --sshd-config FILE     instead of its own\n"
     "  --user NAME            whose options of sshd count (Match), instead of nobody's\n"
     "  --no-sshd              do not ask sshd\n"
     "  --json                 one JSON object a service\n" OPTION_CONFIG
     "Of each service: protected, not protected, can be bypassed (by which line), cannot\n"
     "work (because of which option), and what to write. Ends with 1 when one can be\n"
     "bypassed or cannot work. Nothing is run but sshd -T.\n"},
    {"doctor", dt_ctl_doctor,
     "examine this host, a device or a person: what is wrong, and what to do",
     "[--device ID|FILE] [--user NAME] [--offline] [--json] [-c FILE]",
     "  --device ID            this device, too: enrolled, compliant? Its Intune device id\n"
     "  --device FILE          or its certificate\n"
     "  --user NAME            this person, too: account and factors at Okta\n"
     "  --offline              ask neither Okta nor Microsoft\n"
     "  --json                 one JSON object a finding\n" OPTION_CONFIG
     "Each finding has a name, what is so, why it matters and what to type; the names are in\n"
     "devtrustctl(8), DOCTOR. Changes nothing. Ends with 1 when something keeps people out or\n"
     "lets them in around devtrust, with 3 when nothing does and not everything could be seen.\n"},
    {"explain", dt_ctl_explain, "who, where, which device: verdict, rule and reason",
     "--user USER --application NAME [options]",
     "  --user USER            who signs on\n"
     "  --application NAME     at which application: the name of a policy\n"
     "  --ip ADDRESS           from where\n"
     "  --groups A,B           the person's groups; by default those this host knows\n"
     "  --platform WORD        what the device says it is: windows, macos, linux, chromeos,\n"
     "                         ios, android, ...\n"
     "  --certificate FILE     the device shows this certificate\n"
     "  --ssh-key FILE.pub     sshd has verified this key\n"
     "  --device GUID          a VPN client says it is this device; with --assume-proof, the\n"
     "                         device's certificate is taken from the registry\n"
     "  --device-trust WORD    instead of a device: TRUSTED, NOT_TRUSTED or UNKNOWN\n"
     "  --reason WORD          and why, such as NOT_COMPLIANT\n"
     "  --time TIME            at this moment, as 2026-03-02T09:30 or 2026-03-02T08:30Z: for\n"
     "                         rules with hours and weekdays\n"
     "  --this-host            the device is this host, with its own certificate and key\n"
     "  --assume-proof         take it that the certificate's key was used in this sign-on\n"
     "  --online               ask Okta, too, whether the person exists and may use the\n"
     "                         application, and has a factor that the rule takes\n"
     "  --json                 one JSON object\n" OPTION_CONFIG
     "Nobody is signed on: no push, no passcode, no audit event. Intune is asked where its\n"
     "answer is not in the cache. Ends with 1 when the sign-on would be denied; with --online\n"
     "with 5 when Okta knows no such person, and with 3 when it did not say.\n"},
    {"device", dt_ctl_device, "devices: explain certificates; the registry; Intune's answers",
     "explain|add|list|remove|alias|show|refresh|forget|sync [OPTION]... ARG...",
     "  explain FILE...        the verdict on each certificate (with its intermediates behind\n"
     "                         it), or OpenSSH certificate, as if its key had been used\n"
     "  --at TIME              explain: as it was or will be at 2026-08-20T10:11:12Z\n"
     "  --ocsp-answer FILE     explain: with this answer of an OCSP responder, in DER\n"
     "  --managed-config       explain: the files are managed app configurations of this host,\n"
     "  --user USER            explain: for the one who signs on\n"
     "  --claims               explain: the files hold what VPN clients say, an attribute a\n"
     "                         line, as radclient(1) takes them\n"
     "  add CERTIFICATE...     enrol the keys of device certificates: PEM or DER files, or\n"
     "                         folders of them; each is judged first\n"
     "  --id GUID              add: the device, where no certificate names it\n"
     "  --ssh-key FILE.pub     add: an SSH key of that device\n"
     "  --trusted              add: put the device on the list of trusted ones (registry)\n"
     "  --name TEXT            add: what the device is called\n"
     "  list                   what is enrolled, and each certificate as judged now\n"
     "  remove DEVICE...       by device id, by fingerprint (SHA256:...), or by certificate\n"
     "  alias add NAME DEVICE  a name by which a VPN client calls a device: mac:ADDRESS,\n"
     "                         uid:TEXT or name:HOST\n"
     "  alias list             all such names\n"
     "  alias remove NAME...   drop them\n"
     "  show DEVICE...         the cached answers about these device ids, and their verdicts\n"
     "  refresh DEVICE...      ask Intune now, keep the answer, show it\n"
     "  forget DEVICE...       drop the answer: the next sign-on asks\n"
     "  sync                   ask Intune for all devices, page by page; goes on where an\n"
     "                         earlier sync was interrupted\n"
     "  --aliases              sync: file Wi-Fi MAC addresses and names of the devices, too\n"
     "  --page-size N          sync: devices in one request, 1 to 500 (500)\n"
     "  --restart              sync: from the beginning\n"
     "  --quiet                sync: no progress\n"
     "  --json                 one JSON object a line\n" OPTION_CONFIG},
    {"policy", dt_ctl_policy, "policies: import them from Okta, compare, test, prove",
     "fetch ... | import ... | diff ... | test FILE | prove FILE | replay ...",
     "  fetch --save FILE      what the org has: policies, rules, zones, names\n"
     "  import                 an ACCESS_POLICY becomes the application's policy and zones\n"
     "  diff                   the same against the policy that is here\n"
     "  test FILE              a table of cases against the policy that it names\n"
     "  prove FILE             whether a policy keeps its properties for every sign-on\n"
     "  replay                 the sign-ons of the audit log under another policy\n"
     "  --application NAME     import, diff: the PAM service or RADIUS application; prove: its\n"
     "                         policy, zones and settings of the configuration, without FILE\n"
     "  --policy NAME          the org's policy, by id or name; test, replay: the policy's file\n"
     "  --app NAME             or that of an app, by id or label\n"
     "  --org-sign-on          import: the org's own sign-on rules (OKTA_SIGN_ON, as for RADIUS)\n"
     "  --from FILE            what fetch or --save has saved, instead of the org\n"
     "  --save FILE            keep what was fetched\n"
     "  --replace              import: replace a policy, or zones, that are there\n"
     "  --tighten              deny where a rule cannot be kept, instead of refusing\n"
     "  --skip-zones A,B       do without these zones of the org\n"
     "  --dry-run              import: write nothing\n"
     "  --simulate             import: compare with the org's own simulation, write nothing\n"
     "  --max-cases N          import: cases that are simulated at most (200)\n"
     "  --directory DIR        import: where policies are; diff: --policy-file FILE\n"
     "  --zones FILE           the zones file\n"
     "  --org FILE             test, prove, replay: the org's own sign-on rules, before the "
     "policy\n"
     "  --since TIME           replay: as log; also --user USER, --application NAME, -f FILE\n"
     "  --examples N           replay: sign-ons to show of each change (3)\n"
     "  --application-only     test, prove: the policy alone, without them\n"
     "  --properties FILE      test, prove: properties of your own; prove takes\n"
     "                         NAME.properties.json beside NAME.json by itself\n"
     "  --against OLD          prove: that no sign-on gets more than with the policy OLD\n"
     "  --against-zones FILE   prove: the zones of OLD, where they are others\n"
     "  --against-org FILE     prove: the org's rules before OLD, where they are others\n"
     "  --unknown-device-as W  prove: deny or not_trusted, as configured; without it, both\n"
     "  --org-mfa WORD         prove: enforce or unless_trusted; without it, both\n"
     "  --skip A,B             prove: not these of mfa, outsiders, blocklist, decided, findings\n"
     "  --seconds N            prove: undecided after this time (60)\n"
     "  --json                 one JSON object\n" OPTION_CONFIG
     "import names each piece that was refused, changed, left out or kept; it ends with 1\n"
     "when one was refused, and then writes nothing. diff ends with 1 when something\n"
     "differs, test when a case fails, prove when a property is refuted, replay when a\n"
     "sign-on would get something else; with 3 when a property is undecided, or a sign-on\n"
     "could not be decided again; prove with 4 when it and the evaluator do not agree.\n"},
    {"forget", dt_ctl_forget, "end remembered MFA",
     "[--groups|--limits] --user USER | --application NAME | --device ID | --all",
     "  --user USER            of this person: name or Okta login\n"
     "  --application NAME     at this application, or of this group of applications\n"
     "  --device ID            given on this device: its id, or the SHA-256 of its key in hex\n"
     "  --all                  everything\n"
     "  --groups               instead, Okta's answers about groups: the next sign-on asks "
     "it\n"
     "  --limits               instead, wrong passcodes, wrong passwords, pushes, and the pause\n"
     "                         after a denied push: limits count from the beginning\n"
     "  --json                 one JSON object\n" OPTION_CONFIG
     "Several together: what fits all of them. Modules that run see it within a second. Ends\n"
     "with 1 when there was nothing to forget.\n"},
    {"sessions", dt_ctl_sessions, "open sessions: list, explain, end",
     "[list] [options] | explain ID | end ID",
     "  list                   the sessions that are open, one a line\n"
     "  explain ID             why it was let in, and whether it would be now\n"
     "  end ID                 end it, at its NAS or on its host\n"
     "  --reauthenticate       end: have the person sign on again instead\n"
     "  --user USER            list: of this person: name or Okta login\n"
     "  --application NAME     list: at this application\n"
     "  --device ID            list: of this device: its id, or the SHA-256 of its key in hex\n"
     "  --json                 one JSON object a session\n" OPTION_CONFIG
     "list ends with 1 when no session fits. explain ends with 1 when the session would not be\n"
     "let in now, with 3 when that is not known, with 5 when there is no such session.\n"
     "end asks the process that looks after the session, within 10 seconds.\n"},
    {"log", dt_ctl_log, "search the audit events", "[options]",
     "  --query TEXT           events that hold this text, in any case\n"
     "  --since TIME           an age such as 2h or 7d, today, yesterday, 2026-11-23,\n"
     "                         2026-11-23T08:00 (local time), or with Z or +01:00\n"
     "  --until TIME           before that time; of a day alone, to its end\n"
     "  --user USER            of this person: name or Okta login\n"
     "  --application NAME     at this application\n"
     "  --result WORD          with this outcome, such as FAILURE or ALLOW\n"
     "  --id ID                of this sign-on\n"
     "  --code CODE            with the code that a refused person was shown\n"
     "  --explain              with each rule: which condition failed, and the values compared\n"
     "  --report-only          only what was reported and not enforced\n"
     "  -n, --last N           only the last N of them\n"
     "  --json                 the events as they are, one per line\n"
     "  -f, --follow           the last 10, then each event as it comes; ^C ends\n"
     "  --file FILE            this file alone; - for standard input\n" OPTION_CONFIG
     "Reads [audit] file and what was rotated away from it (audit.log.1, audit.log-20261123)\n"
     "compressed by gzip or not. Ends with 1 when no event fits.\n"},
    {"report", dt_ctl_report, "count the sign-ons of some days; as a page with --html", "[options]",
     "  --since TIME           as of log; without it 7d\n"
     "  --until TIME           before that time\n"
     "  --application NAME     at this application\n"
     "  --user USER            of this person: name or Okta login\n"
     "  --html FILE            write one page that needs nothing else, readable by its owner "
     "alone\n"
     "  --json                 one JSON object per row\n"
     "  --file FILE            this audit file alone; - for standard input\n" OPTION_CONFIG
     "By application, verdict, outcome, rule and factor; what enforcing would refuse; devices "
     "about\n"
     "to lose trust. Ends with 1 when no sign-on fits.\n"},
    {"setup", dt_ctl_setup, "configure this host: devtrust, PAM and FreeRADIUS",
     "[--answers FILE] [options]",
     "  --answers FILE         lines \"key = value\"; each key is an option, too, such as\n"
     "                         --org-url URL; what neither answers is asked at the terminal\n"
     "  --enforce              enforce the policies from now on\n"
     "  --report-only          evaluate and log only, as in the beginning\n"
     "  --undo                 put every file back as it was before the first run\n"
     "  --force                undo: also files that were changed since\n"
     "  --dry-run              show what would change, and write nothing\n"
     "  --yes                  do not ask before writing\n"
     "  --offline              do not ask Okta and Microsoft\n"
     "  --root DIR             the system below DIR, such as an image; starts nothing\n"
     "  --json                 one JSON object\n"
     "Shows what changes, checks it, and writes all or nothing; when it is run again it writes\n"
     "what is still missing. Begins in report-only mode. Keys of the answer file:\n"
     "devtrustctl(8), SETUP.\n"},
    {"signals", dt_ctl_signals, "what devtrust-signals hears: its state, and its news",
     "status|news [--json] [-c FILE]",
     "  status                 each transmitter, its stream and what came; Okta's event hooks\n"
     "  news                   the news of the last while, oldest first\n"
     "  --json                 one JSON object a line\n" OPTION_CONFIG
     "status ends with 1 when something is wrong, news when there is none.\n"},
    {"version", run_version, "print the version", "[--json]",
     "  --json                 one JSON object\n"},
    {"help", run_help, "this list, or what a command takes", "[--json] [COMMAND]",
     "  --json                 one JSON object a command\n"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static dt_ctl_command const *find(char const *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static dt_ctl_exit no_such_command(char const *name)
{
    dt_nearest near = dt_nearest_begin(name);

    for (size_t i = 0; i < COMMANDS; i++)
        dt_nearest_offer(&near, commands[i].name);
    if (near.best != NULL)
        dt_err_line("unknown command \"%s\"; did you mean \"%s\"? See: devtrustctl help", name,
                    near.best);
    else
        dt_err_line("unknown command \"%s\"; see: devtrustctl help", name);
    return DT_CTL_FAULT;
}

static void put_lines(char const *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        dt_out_line("%.*s", (int)len, text);
        text += len + (text[len] == '\n' ? 1 : 0);
    }
}

static dt_ctl_exit help_of(dt_ctl_command const *c)
{
    dt_out_line("usage: devtrustctl %s %s", c->name, c->usage);
    dt_out_line("%s", c->summary);
    put_lines(c->options);
    return DT_CTL_YES;
}

static dt_ctl_exit help_of_all(void)
{
    dt_out_line("usage: devtrustctl [--radius] COMMAND [arguments]");
    for (size_t i = 0; i < COMMANDS; i++)
        dt_out_line("  %-14s %s", commands[i].name, commands[i].summary);
    dt_out_line(
        "--radius: with the store and the audit log of FreeRADIUS, as [radius] names them.");
    dt_out_line("--json, with every command: one JSON object a line, for programs.");
    dt_out_line("Ends with 0: done or yes; 1: no, denied, refused, not found; 2: usage or fault;");
    dt_out_line("3: undecided; 4: prover and evaluator disagree; 5: no such person.");
    return DT_CTL_YES;
}

static void help_json(dt_ctl_command const *c)
{
    dt_buf b;

    dt_out_begin(&b);
    dt_out_member(&b, "command", c->name);
    dt_out_member(&b, "summary", c->summary);
    dt_out_member(&b, "usage", c->usage);
    dt_out_member(&b, "options", c->options);
    dt_out_finish(&b);
}

static dt_ctl_exit help_json_of_all(void)
{
    for (size_t i = 0; i < COMMANDS; i++)
        help_json(&commands[i]);
    return DT_CTL_YES;
}

/* The arguments of a command that takes --json and some names. */
static int read_names(int argc, char **argv, char const *names[], size_t max, size_t *count,
                      bool *json, dt_error *e)
{
    dt_option const options[] = {{"--json", NULL, NULL, json}, {NULL, NULL, NULL, NULL}};

    if (argc > (int)max + 1)
        return dt_error_set(e, DT_E_INVALID, max > 0 ? "takes one command" : "takes no arguments");
    int rc = dt_options_parse(options, argc, argv, names, count, e);

    return rc == DT_OK && *count > max ? dt_error_set(e, DT_E_INVALID, "takes one command") : rc;
}

static dt_ctl_exit run_help(dt_ctl_command const *self, int argc, char **argv)
{
    char const *names[HELP_WORDS_MAX + 1] = {NULL};
    dt_ctl_command const *c;
    bool json = false;
    size_t count = 0;
    dt_error e = {0};

    if (read_names(argc, argv, names, HELP_WORDS_MAX, &count, &json, &e) < 0)
        return dt_err_usage(self, &e);
    if (count == 0)
        return json ? help_json_of_all() : help_of_all();
    c = find(names[0]);
    if (c == NULL)
        return no_such_command(names[0]);
    if (!json)
        return help_of(c);
    help_json(c);
    return DT_CTL_YES;
}

static dt_ctl_exit run_version(dt_ctl_command const *self, int argc, char **argv)
{
    char const *names[1] = {NULL};
    bool json = false;
    size_t count = 0;
    dt_error e = {0};
    dt_buf b;
    int rc = read_names(argc, argv, names, 0, &count, &json, &e);

    if (rc == DT_OK && count > 0)
        rc = dt_error_set(&e, DT_E_INVALID, "takes no arguments");
    if (rc < 0)
        return dt_err_usage(self, &e);
    if (!json) {
        dt_out_line("devtrust %s", DT_VERSION);
        return DT_CTL_YES;
    }
    dt_out_begin(&b);
    dt_out_member(&b, "version", DT_VERSION);
    dt_out_finish(&b);
    return DT_CTL_YES;
}

static bool is_word(char const *argument, char const *a, char const *b)
{
    return strcmp(argument, a) == 0 || strcmp(argument, b) == 0;
}

static dt_ctl_exit dispatch(int argc, char **argv)
{
    dt_ctl_command const *c;

    /* One configuration may serve both doors; then this one's store, audit log and state key are meant. */
    if (argc > 1 && strcmp(argv[1], "--radius") == 0) {
        dt_site_set_door(DT_SITE_DOOR_RADIUS);
        argc--;
        argv++;
    }
    if (argc < 2) {
        dt_err_line("which command? see: devtrustctl help");
        return DT_CTL_FAULT;
    }
    if (is_word(argv[1], "--help", "-h"))
        return help_of_all();
    if (is_word(argv[1], "--version", "-V"))
        return run_version(find("version"), argc - 2, argv + 2);
    c = find(argv[1]);
    if (c == NULL)
        return no_such_command(argv[1]);
    /* Also after the word for what a command is to do: devtrustctl device add --help. */
    if (argc >= 3 && argc <= 4 && is_word(argv[argc - 1], "--help", "-h") &&
        (argc == 3 || argv[2][0] != '-'))
        return help_of(c);
    return c->run(c, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    dt_error e = {0};

    /* We hold the site's secrets while we run. */
    if (dt_host_harden(&e) < 0)
        return (int)dt_err_fault(&e);
    dt_host_exit((int)dt_out_end(dispatch(argc, argv)));
}
