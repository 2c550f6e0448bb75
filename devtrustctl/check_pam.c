/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/check_pam.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"
#include "devtrustctl/pam_files.h"
#include "devtrustctl/site.h"
#include "devtrustctl/sshd_options.h"

#include "core/base/json.h"
#include "core/ruleset/service.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SSHD_PROGRAM "/usr/sbin/sshd"
#define SMALL_FILE_MAX (256 * 1024) /* sudoers, login.defs */
#define LOGIN_TIMEOUT_DEFAULT 60
#define WAY_STEPS_SHOWN 12

char const *dt_pam_verdict_name(dt_pam_verdict v)
{
    switch (v) {
    case DT_PAM_PROTECTED:
        return "protected";
    case DT_PAM_NOT_PROTECTED:
        return "not protected";
    case DT_PAM_CANNOT_WORK:
        return "cannot work";
    case DT_PAM_BYPASS:
        return "can be bypassed";
    default:
        return "note";
    }
}

/* --- what services are ------------------------------------------------------------------------- */

typedef struct service_kind {
    char const *name;
    char const *gives;
    bool always_authenticates; /* the program never runs the account lines without the auth lines */
    bool no_account_line;      /* devtrust's account line would do harm */
} service_kind;

static char const shell[] = "a shell", rights[] = "root's rights", screen[] = "an open screen";
static char const mail[] = "mail";
static char const for_root[] = "nothing that root does not have", nobody[] = "nobody signs on";
static char const changes[] = "a change of one's own account", unknown[] = "not known";

static service_kind const kinds[] = {
    {"sshd", shell, false, false},
    {"login", shell, false, false},
    {"remote", shell, false, false},
    {"su", shell, true, false},
    {"su-l", shell, true, false},
    {"sudo", rights, true, true},
    {"sudo-i", rights, true, true},
    {"doas", rights, true, true},
    {"polkit-1", rights, true, false},
    {"gdm-password", shell, false, false},
    {"gdm-autologin", shell, false, false},
    {"gdm-fingerprint", shell, false, false},
    {"gdm-smartcard", shell, false, false},
    {"lightdm", shell, false, false},
    {"lightdm-autologin", shell, false, false},
    {"sddm", shell, false, false},
    {"sddm-autologin", shell, false, false},
    {"xdm", shell, false, false},
    {"lxdm", shell, false, false},
    {"greetd", shell, false, false},
    {"cockpit", shell, false, false},
    {"xrdp-sesman", shell, false, false},
    {"rlogin", shell, false, false},
    {"rsh", shell, false, false},
    {"vsftpd", "files", false, false},
    {"proftpd", "files", false, false},
    {"pure-ftpd", "files", false, false},
    {"ftp", "files", false, false},
    {"samba", "files", false, false},
    {"dovecot", mail, false, false},
    {"imap", mail, false, false},
    {"pop3", mail, false, false},
    {"smtp", mail, false, false},
    {"vlock", screen, true, false},
    {"i3lock", screen, true, false},
    {"swaylock", screen, true, false},
    {"waylock", screen, true, false},
    {"xsecurelock", screen, true, false},
    {"mate-screensaver", screen, true, false},
    {"cinnamon-screensaver", screen, true, false},
    {"gnome-screensaver", screen, true, false},
    {"kde", screen, true, false},
    {"xscreensaver", screen, true, false},
    {"xlock", screen, true, false},
    {"runuser", for_root, true, true},
    {"runuser-l", for_root, true, true},
    {"cron", nobody, true, true},
    {"crond", nobody, true, true},
    {"atd", nobody, true, true},
    {"systemd-user", nobody, true, true},
    {"gdm-launch-environment", nobody, true, true},
    {"lightdm-greeter", nobody, true, true},
    {"sddm-greeter", nobody, true, true},
    {"passwd", changes, true, false},
    {"chpasswd", for_root, true, false},
    {"newusers", for_root, true, false},
    {"chfn", changes, true, false},
    {"chsh", changes, true, false},
};

static service_kind const *kind_of(char const *service)
{
    static service_kind const other = {"", unknown, false, false};
    char const *base = dt_service_base(service);

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, service) == 0)
            return &kinds[i];
    }
    return base != NULL ? kind_of(base) : &other;
}

static bool has_sample(char const *service)
{
    static char const *const names[] = {"sshd",
                                        "login",
                                        "sudo",
                                        "sudo-i",
                                        "su",
                                        "su-l",
                                        "lightdm",
                                        "gdm-password",
                                        "sddm",
                                        "polkit-1",
                                        "cockpit",
                                        "vsftpd",
                                        "dovecot",
                                        "i3lock",
                                        "swaylock",
                                        "xsecurelock",
                                        "xscreensaver",
                                        "mate-screensaver",
                                        "cinnamon-screensaver",
                                        "kde"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], service) == 0)
            return true;
    }
    return false;
}

/* --- findings ---------------------------------------------------------------------------------- */

typedef struct checking {
    dt_pam_check const *c;
    dt_pam_report *r;
    dt_pam_service *s;
    service_kind const *kind;
    dt_pam_findings *auth, *account, *session; /* session: of sshd alone */
    dt_error *e;
} checking;

static dt_pam_finding *find(checking *k, dt_pam_verdict v, char const *fmt, ...) DT_PRINTF(3, 4);
static dt_pam_finding *find(checking *k, dt_pam_verdict v, char const *fmt, ...)
{
    dt_pam_report *r = k->r;
    dt_pam_finding *f = &r->findings[r->count < DT_PAM_FINDINGS_MAX ? r->count++ : r->count - 1];
    va_list args;

    memset(f, 0, sizeof(*f));
    f->verdict = v;
    if (v > r->verdict)
        r->verdict = v;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    return f;
}

static void set_write(dt_pam_finding *f, char const *fmt, ...) DT_PRINTF(2, 3);
static void set_write(dt_pam_finding *f, char const *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(f->write, sizeof(f->write), fmt, args);
    va_end(args);
}

static void set_place(dt_pam_finding *f, dt_pam_line const *line)
{
    (void)snprintf(f->place, sizeof(f->place), "%s:%d", line->file, line->number);
}

/* --- ways around ------------------------------------------------------------------------------- */

static char const *base_name(char const *path)
{
    char const *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static bool is_module(dt_pam_line const *line, char const *name)
{
    return strcmp(base_name(line->module), name) == 0;
}

/* "pam_unix.so success, pam_permit.so success" */
static void put_way(dt_pam_finding *f, dt_pam_stack const *p, dt_pam_way const *way)
{
    dt_buf b;
    size_t shown = 0;

    dt_buf_init_fixed(&b, f->way, sizeof(f->way));
    for (size_t i = 0; i < way->count; i++) {
        dt_pam_line const *line = &p->lines[way->steps[i]];

        if (line->what != DT_PAM_MODULE)
            continue;
        if (shown++ == WAY_STEPS_SHOWN) {
            dt_buf_puts(&b, ", ...");
            break;
        }
        dt_buf_printf(&b, "%s%s %s", shown > 1 ? ", " : "", base_name(line->module),
                      dt_pam_code_name(way->codes[i]));
    }
}

static dt_pam_line const *first_devtrust(dt_pam_stack const *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->lines[i].is_devtrust)
            return &p->lines[i];
    }
    return NULL;
}

/* Who has root's rights already is not asked: su, runuser. */
static bool is_for_root(dt_pam_line const *line)
{
    return is_module(line, "pam_rootok.so");
}

static void print_way(checking *k, dt_pam_kind kind, dt_pam_way const *way)
{
    dt_pam_stack const *p = &k->s->stacks[kind];
    dt_pam_line const *line = &p->lines[way->line], *ours = first_devtrust(p);
    char const *name = dt_pam_kind_name(kind), *code = dt_pam_code_name(way->code);
    dt_pam_finding *f;

    if (is_for_root(line)) {
        f = find(k, DT_PAM_NOTE, "%s: root itself is not asked, as intended", name);
        set_place(f, line);
        return;
    }
    switch (way->kind) {
    case DT_PAM_WAY_ENDS:
        f = find(k, DT_PAM_BYPASS,
                 "%s: %s ends the stack when it answers %s, and %s:%d is not asked", name,
                 base_name(line->module), code, ours->file, ours->number);
        set_write(f,
                  kind == DT_PAM_AUTH
                      ? "a control that does not end the stack in line %d (required; in Fedora's "
                        "files: substack instead of include)"
                      : "the line of pam_devtrust.so before line %d, or before its @include",
                  line->number);
        break;
    case DT_PAM_WAY_JUMPS:
        f = find(k, DT_PAM_BYPASS, "%s: %s jumps over %s:%d when it answers %s", name,
                 base_name(line->module), ours->file, ours->number, code);
        set_write(f,
                  "a smaller number of lines to jump, or the line of pam_devtrust.so after them");
        break;
    case DT_PAM_WAY_OVERRULED:
        f = find(k, DT_PAM_BYPASS,
                 "%s: the control \"%s\" of pam_devtrust.so lets its refusal (%s) pass", name,
                 line->control, code);
        set_write(f, "%s required pam_devtrust.so", name);
        break;
    default:
        f = find(k, DT_PAM_BYPASS, "%s: %s forgets the refusal of %s:%d when it answers %s", name,
                 base_name(line->module), ours->file, ours->number, code);
        set_write(f, "a control without reset in line %d", line->number);
        break;
    }
    set_place(f, line);
    put_way(f, p, way);
}

static void print_ways(checking *k, dt_pam_kind kind, dt_pam_findings const *found)
{
    dt_pam_line const *ours = first_devtrust(&k->s->stacks[kind]);
    dt_pam_finding *f;

    for (size_t i = 0; i < found->way_count; i++)
        print_way(k, kind, &found->ways[i]);
    if (found->too_large) {
        f = find(k, DT_PAM_BYPASS,
                 "%s: there are too many ways through these lines to look at them all",
                 dt_pam_kind_name(kind));
        set_write(f, "fewer lines with jumps");
    } else if (found->asks && !found->can_succeed) {
        f = find(k, DT_PAM_CANNOT_WORK, "%s: nobody gets in, whatever devtrust says",
                 dt_pam_kind_name(kind));
        set_place(f, ours);
    }
    if (found->asks && ours->actions[DT_PAM_SUCCESS] == DT_PAM_DO_DONE &&
        ours != &k->s->stacks[kind].lines[k->s->stacks[kind].count - 1]) {
        f = find(
            k, DT_PAM_BYPASS,
            "%s: the control \"%s\" of pam_devtrust.so ends the stack, and the lines after it are "
            "not asked",
            dt_pam_kind_name(kind), ours->control);
        set_place(f, ours);
        set_write(f, "%s required pam_devtrust.so", dt_pam_kind_name(kind));
    }
}

/* --- the lines of one service ------------------------------------------------------------------ */

static void check_first_factor(checking *k)
{
    dt_pam_stack const *p = &k->s->stacks[DT_PAM_AUTH];
    dt_pam_finding *f;

    if (!k->auth->asks_after_wrong_password)
        return;
    f = find(k, DT_PAM_NOTE, "auth: somebody with a wrong password is sent a push");
    set_place(f, &p->lines[k->auth->asked_line]);
    set_write(
        f, "requisite before it, or (in Debian's common-auth) \"auth requisite pam_deny.so\" after "
           "the modules that check passwords");
}

static bool is_sshd(checking const *k)
{
    return strcmp(k->r->service, "sshd") == 0;
}

/* The first of all that libpam runs of the kind; NULL = none. */
static dt_pam_line const *first_module(dt_pam_stack const *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->lines[i].what == DT_PAM_MODULE)
            return &p->lines[i];
    }
    return NULL;
}

static bool comes_first(checking const *k)
{
    dt_pam_line const *line = first_module(&k->s->stacks[DT_PAM_SESSION]);

    return line != NULL && line->is_devtrust;
}

/* sshd reports the key to the session lines; a line before ours may report another. */
static void check_session(checking *k)
{
    dt_pam_stack const *p = &k->s->stacks[DT_PAM_SESSION];
    dt_pam_finding *f;

    if (!k->session->asks)
        return;
    print_ways(k, DT_PAM_SESSION, k->session);
    for (size_t i = 0; i < p->count && !p->lines[i].is_devtrust; i++) {
        if (!is_module(&p->lines[i], "pam_env.so") ||
            strstr(p->lines[i].arguments, "user_readenv=1") == NULL)
            continue;
        f = find(k, DT_PAM_BYPASS,
                 "session: pam_env.so lets people set SSH_AUTH_INFO_0 themselves, and with it the "
                 "key that %s:%d sees",
                 first_devtrust(p)->file, first_devtrust(p)->number);
        set_place(f, &p->lines[i]);
        set_write(f, "the line of pam_devtrust.so before all other session lines");
    }
}

/* Who comes without the auth lines is decided about by it. */
static bool session_decides(checking const *k)
{
    return k->session->asks && k->session->way_count == 0 && !k->session->too_large;
}

/* auth protects, and nothing asks where auth is not run. */
static void check_account(checking *k)
{
    dt_pam_stack const *p = &k->s->stacks[DT_PAM_ACCOUNT];
    dt_pam_finding *f;

    if (k->account->asks && k->kind->no_account_line) {
        f = find(
            k, DT_PAM_CANNOT_WORK,
            "account: %s runs the account lines at every command, even where it does not ask for a "
            "password again: each asks for MFA",
            k->r->service);
        set_place(f, first_devtrust(p));
        set_write(f, "no account line of pam_devtrust.so");
    }
    if (k->account->asks || k->kind->always_authenticates || session_decides(k))
        return;
    f = find(k, DT_PAM_BYPASS,
             "account: no line asks devtrust, and somebody who is let in without the auth lines "
             "(login -f, an SSH key, an automatic login) is not asked at all");
    set_write(f, "account required pam_devtrust.so, before what is included there");
}

static void check_password_lines(checking *k)
{
    dt_pam_line const *line = first_devtrust(&k->s->stacks[DT_PAM_PASSWORD]);
    dt_pam_finding *f;

    if (line == NULL)
        return;
    f = find(k, DT_PAM_CANNOT_WORK, "password: pam_devtrust.so changes no passwords, and fails");
    set_place(f, line);
    set_write(f, "no password line of pam_devtrust.so");
}

static void report_unprotected(checking *k)
{
    bool other = k->s->of_other[DT_PAM_AUTH];
    dt_pam_finding *f = find(k, DT_PAM_NOT_PROTECTED, "no line asks devtrust%s",
                             other ? ": \"other\" is used" : "");

    if (has_sample(k->r->service))
        set_write(f,
                  "/usr/share/devtrust/pam.d/%s-devtrust, or two lines of pam_devtrust.so as there",
                  k->r->service);
}

static bool asks(checking const *k)
{
    return k->auth->asks || k->account->asks || k->session->asks;
}

static void check_lines(checking *k)
{
    dt_pam_finding *f;

    if (k->s->broken[0] != '\0') {
        f = find(k, DT_PAM_CANNOT_WORK,
                 "@include of a file that cannot be read: libpam refuses everybody, or behaves "
                 "unpredictably");
        (void)dt_str_copy(f->place, sizeof(f->place), k->s->broken);
    }
    if (!asks(k)) {
        report_unprotected(k);
        return;
    }
    k->r->verdict = k->r->verdict > DT_PAM_PROTECTED ? k->r->verdict : DT_PAM_PROTECTED;
    if (k->auth->asks) {
        print_ways(k, DT_PAM_AUTH, k->auth);
        check_first_factor(k);
    } else if (!is_sshd(k)) {
        (void)find(k, DT_PAM_NOTE, "auth: no line asks devtrust; the account lines do");
    }
    if (k->account->asks && !k->kind->no_account_line)
        print_ways(k, DT_PAM_ACCOUNT, k->account);
    check_session(k);
    check_account(k);
    check_password_lines(k);
}

/* --- sshd -------------------------------------------------------------------------------------- */

static char const *way_text(dt_sshd_way const *w, char *out, size_t size)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, size);
    for (size_t i = 0; i < w->count; i++)
        dt_buf_printf(&b, "%s%s", i > 0 ? "," : "", w->methods[i]);
    return out;
}

#define METHODS_WRITE "AuthenticationMethods publickey,keyboard-interactive:pam"
#define SESSION_WRITE "session required pam_devtrust.so, before all other session lines"

static dt_pam_finding *find_option(checking *k, dt_pam_verdict v, char const *option,
                                   char const *text)
{
    dt_pam_finding *f = find(k, v, "%s", text);

    (void)snprintf(f->place, sizeof(f->place), "sshd: %s", option);
    return f;
}

/* There is a way on which people are asked. */
static bool converses(dt_sshd_options const *o)
{
    char const *option = NULL;

    for (size_t i = 0; i < o->way_count; i++) {
        if (dt_sshd_way_is_open(o, &o->ways[i], &option) &&
            dt_sshd_way_has(&o->ways[i], "keyboard-interactive"))
            return true;
    }
    return false;
}

/* PAM has nothing but its account and session lines there. */
static void check_sshd_without_conversation(checking *k, dt_sshd_options const *o,
                                            dt_sshd_way const *w, char const *option)
{
    bool key = dt_sshd_way_has(w, "publickey");
    dt_pam_finding *f;

    if (!k->account->asks && !k->session->asks) {
        f = find_option(
            k, DT_PAM_BYPASS, option,
            "sshd then runs no auth line, and no account or session line asks devtrust");
        set_write(f, METHODS_WRITE ", and account required pam_devtrust.so; or " SESSION_WRITE);
    } else if (!key) {
        f = find_option(k, DT_PAM_CANNOT_WORK, option,
                        "sshd then runs only the account lines, and they see no key: every device "
                        "is unknown, and nobody can be asked");
        set_write(f, METHODS_WRITE);
    } else if (!k->session->asks) {
        f = find_option(k, DT_PAM_CANNOT_WORK, option,
                        "sshd then runs only the account lines, which see no key and can show no "
                        "prompt: every device is unknown, and nobody can be asked");
        set_write(f, METHODS_WRITE "; or, for programs that cannot be asked, " SESSION_WRITE);
    } else if (k->account->asks && session_decides(k) && !comes_first(k)) {
        f = find_option(k, DT_PAM_CANNOT_WORK, option,
                        "the session line of pam_devtrust.so is not the first one: the account "
                        "line passes nothing to it, and refuses everybody");
        set_write(f, SESSION_WRITE);
    } else if (converses(o)) {
        f = find_option(k, DT_PAM_CANNOT_WORK, option,
                        "everybody with a key logs in this way: on a device that is not trusted "
                        "people are refused, and never asked for MFA");
        set_write(f, METHODS_WRITE ", and publickey in a Match block for programs alone");
    } else {
        (void)find_option(k, DT_PAM_NOTE, option,
                          "nobody can be asked: a trusted device is let in, any other is refused");
    }
}

/* One way to log in that can be completed. */
static void check_sshd_way(checking *k, dt_sshd_options const *o, dt_sshd_way const *w)
{
    char text[256], option[300];
    dt_pam_finding *f;

    (void)snprintf(option, sizeof(option), "AuthenticationMethods %s (%s)", o->any ? "any" : "...",
                   way_text(w, text, sizeof(text)));
    if (dt_sshd_way_has(w, "keyboard-interactive")) {
        if (dt_sshd_way_has(w, "publickey") && strcmp(w->methods[0], "publickey") != 0)
            find_option(k, DT_PAM_NOTE, option,
                        "the key comes after devtrust was asked, and is not evidence then");
        return;
    }
    if (dt_sshd_way_has(w, "password")) {
        f = find_option(
            k, DT_PAM_CANNOT_WORK, option,
            "in the method \"password\" sshd shows no prompt: nobody can be asked for MFA, and "
            "what devtrust asks for is answered with the password");
        set_write(f, "PasswordAuthentication no, KbdInteractiveAuthentication yes");
        return;
    }
    check_sshd_without_conversation(k, o, w, option);
}

static void check_sshd_ways(checking *k, dt_sshd_options const *o)
{
    char const *option = NULL;
    dt_pam_finding *f;
    size_t open = 0;

    for (size_t i = 0; i < o->way_count; i++) {
        if (!dt_sshd_way_is_open(o, &o->ways[i], &option))
            continue;
        open++;
        check_sshd_way(k, o, &o->ways[i]);
    }
    if (open > 0)
        return;
    f = find_option(k, DT_PAM_CANNOT_WORK, "AuthenticationMethods",
                    "each list has a method that is switched off: nobody can log in");
    set_write(f, "%s", option != NULL ? option : METHODS_WRITE);
}

/* root passes the conversation, and is refused after it. */
static void check_sshd_root(checking *k, dt_sshd_options const *o)
{
    char const *option = NULL;
    bool asked = false;
    char name[64];
    dt_pam_finding *f;

    for (size_t i = 0; i < o->way_count; i++)
        asked |= dt_sshd_way_is_open(o, &o->ways[i], &option) &&
                 (dt_sshd_way_has(&o->ways[i], "keyboard-interactive") ||
                  dt_sshd_way_has(&o->ways[i], "password"));
    if (!asked || strcmp(o->root_login, "yes") == 0 || strcmp(o->root_login, "no") == 0)
        return;
    (void)snprintf(name, sizeof(name), "PermitRootLogin %s",
                   strcmp(o->root_login, "without-password") == 0 ? "prohibit-password"
                                                                  : o->root_login);
    f = find_option(
        k, DT_PAM_CANNOT_WORK, name,
        "sshd refuses root after keyboard-interactive, whatever PAM says: root approves a push, "
        "the event says ALLOW, and root is not let in");
    set_write(
        f,
        "PermitRootLogin yes (AuthenticationMethods still demands the key), or PermitRootLogin no");
}

static dt_time wait_of(checking const *k)
{
    return k->c->site != NULL ? dt_site_config(k->c->site)->mfa.wait_pam : DT_SECONDS(55);
}

static void check_sshd_rest(checking *k, dt_sshd_options const *o)
{
    dt_pam_finding *f;

    if (o->grace > 0 && DT_SECONDS(o->grace) <= wait_of(k)) {
        f = find_option(
            k, DT_PAM_CANNOT_WORK, "LoginGraceTime",
            "it ends before wait_pam: sshd closes the connection while a push is waited for");
        set_write(f, "LoginGraceTime 120, or a shorter [mfa] wait_pam");
    }
    if (k->session->asks && o->tunnel != NULL && strcmp(o->tunnel, "no") != 0) {
        f = find_option(
            k, DT_PAM_BYPASS, "PermitTunnel",
            "sshd opens tunnels (ssh -w) even in a connection whose session PAM refused");
        set_write(f, "PermitTunnel no");
    }
    if (dt_sshd_is_on(o->empty_passwords)) {
        f = find_option(k, DT_PAM_NOTE, "PermitEmptyPasswords yes",
                        "an empty password is a first factor");
        set_write(f, "PermitEmptyPasswords no");
    }
    if (dt_sshd_is_on(o->use_dns)) {
        f = find_option(
            k, DT_PAM_NOTE, "UseDNS yes",
            "PAM_RHOST is a name instead of the client's address: rules with zones refuse");
        set_write(f, "UseDNS no");
    }
}

static void check_sshd_for(checking *k, char const *user, bool root)
{
    char const *program = k->c->sshd != NULL ? k->c->sshd : SSHD_PROGRAM;
    dt_sshd_options o;
    dt_error e = {0};
    dt_pam_finding *f;

    if (dt_sshd_options_read(program, k->c->sshd_config, user, &o, &e) < 0) {
        f = find(k, DT_PAM_CANNOT_WORK, "sshd's options could not be read: %s", e.text);
        set_write(
            f, "what sshd asks for; run this as root, with --sshd and --sshd-config where they are "
               "elsewhere");
    } else if (!dt_sshd_is_on(o.use_pam)) {
        f = find_option(k, DT_PAM_BYPASS, "UsePAM no", "sshd does not ask PAM at all");
        set_write(f, "UsePAM yes");
    } else if (root) {
        check_sshd_root(k, &o);
    } else {
        check_sshd_ways(k, &o);
        check_sshd_rest(k, &o);
    }
    dt_sshd_options_free(&o);
}

static void check_sshd(checking *k)
{
    size_t before = k->r->count;

    if (k->c->skip_sshd || !asks(k) || !is_sshd(k))
        return;
    check_sshd_for(k, k->c->user != NULL ? k->c->user : "nobody", false);
    if (k->r->count == before || k->r->findings[k->r->count - 1].verdict != DT_PAM_BYPASS)
        check_sshd_for(k, "root", true);
}

/* --- sudo and login ---------------------------------------------------------------------------- */

typedef void line_fn(checking *k, char const *path, int number, char *line);

/* Each line without its comment. A file that is not there has none. */
static void each_line(checking *k, char const *path, line_fn *fn)
{
    char full[2 * DT_PAM_PATH_MAX], *save = NULL, *at;
    dt_error e = {0};
    dt_buf text;
    int number = 0;

    (void)snprintf(full, sizeof(full), "%s%s", k->c->root, path);
    dt_buf_init(&text, SMALL_FILE_MAX);
    if (dt_plain_file_read(full, &text, &e) == DT_OK && text.len > 0) {
        /* strtok_r would pass over empty lines, and the count with them. */
        for (at = (char *)text.p; at != NULL && *at != '\0'; at = save) {
            save = strchr(at, '\n');
            if (save != NULL)
                *save++ = '\0';
            fn(k, path, ++number, at);
        }
    } else if (e.code < 0 && e.code != DT_E_NOT_FOUND) {
        find(k, DT_PAM_NOTE, "%s", e.text);
    }
    dt_buf_free(&text);
}

static void check_sudoers_line(checking *k, char const *path, int number, char *line)
{
    static struct {
        char const *word, *text;
        dt_pam_verdict verdict;
        char const *write; /* NULL = nothing */
    } const words[] = {
        {"NOPASSWD", "sudo runs no auth line for these commands: devtrust is not asked",
         DT_PAM_BYPASS, NULL},
        {"!authenticate", "sudo runs no auth line: devtrust is not asked", DT_PAM_BYPASS, NULL},
        {"exempt_group", "sudo runs no auth line for this group: devtrust is not asked",
         DT_PAM_BYPASS, NULL},
        {"pam_service", "sudo uses a PAM service of another name: look for it in this list",
         DT_PAM_NOTE, NULL},
        {"pam_login_service",
         "sudo -i uses a PAM service of another name: look for it in this list", DT_PAM_NOTE, NULL},
        {"pam_rhost",
         "PAM_RHOST is this host's name: whoever sits here counts as elsewhere, this host's own "
         "certificate does not count, and rules with zones refuse",
         DT_PAM_NOTE, "Defaults !pam_rhost"},
        {"targetpw", "sudo asks for the password of the target user", DT_PAM_NOTE, NULL},
        {"rootpw", "sudo asks for root's password", DT_PAM_NOTE, NULL},
        {"runaspw", "sudo asks for the password of runas_default", DT_PAM_NOTE, NULL},
    };
    char *save = NULL;

    line[strcspn(line, "#")] = '\0';
    for (char *w = strtok_r(line, " \t,=:", &save); w != NULL;
         w = strtok_r(NULL, " \t,=:", &save)) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (strcmp(w, words[i].word) != 0)
                continue;
            dt_pam_finding *f = find(k, words[i].verdict, "%s: %s", w, words[i].text);

            (void)snprintf(f->place, sizeof(f->place), "%s:%d", path, number);
            if (words[i].write != NULL)
                set_write(f, "%s", words[i].write);
        }
    }
}

static void check_sudoers(checking *k)
{
    static char const directory[] = "/etc/sudoers.d";
    char path[DT_PAM_PATH_MAX];
    struct dirent *entry;
    DIR *d;

    if (!asks(k) || (strcmp(k->r->service, "sudo") != 0 && strcmp(k->r->service, "sudo-i") != 0))
        return;
    each_line(k, "/etc/sudoers", check_sudoers_line);
    (void)snprintf(path, sizeof(path), "%s%s", k->c->root, directory);
    d = opendir(path);
    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (d != NULL && (entry = readdir(d)) != NULL) {
        /* As sudo reads it: no names with a dot or a tilde at the end. */
        if (strchr(entry->d_name, '.') != NULL || entry->d_name[strlen(entry->d_name) - 1] == '~')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        each_line(k, path, check_sudoers_line);
    }
    if (d != NULL)
        closedir(d);
}

static void check_login_line(checking *k, char const *path, int number, char *line)
{
    static char const name[] = "LOGIN_TIMEOUT";
    dt_pam_finding *f;
    long seconds;

    line += strspn(line, " \t");
    if (strncmp(line, name, sizeof(name) - 1) != 0)
        return;
    seconds = strtol(line + sizeof(name) - 1, NULL, 10);
    if (seconds <= 0 || DT_SECONDS(seconds) > wait_of(k))
        return;
    f = find(k, DT_PAM_CANNOT_WORK, "login gives up after %ld s, before wait_pam", seconds);
    (void)snprintf(f->place, sizeof(f->place), "%s:%d", path, number);
    set_write(f, "LOGIN_TIMEOUT %d, or a shorter [mfa] wait_pam", LOGIN_TIMEOUT_DEFAULT);
}

static void check_login(checking *k)
{
    if (asks(k) && strcmp(k->r->service, "login") == 0)
        each_line(k, "/etc/login.defs", check_login_line);
}

/* --- devtrust's own configuration -------------------------------------------------------------- */

static bool takes_password(checking const *k)
{
    dt_pam_line const *line = first_devtrust(&k->s->stacks[DT_PAM_AUTH]);
    char const *a = line != NULL ? line->arguments : "";

    return strstr(a, "try_first_pass") != NULL || strstr(a, "use_first_pass") != NULL ||
           strcmp(a, "password") == 0 || strncmp(a, "password ", 9) == 0 ||
           strstr(a, " password ") != NULL ||
           (strlen(a) > 9 && strcmp(a + strlen(a) - 9, " password") == 0);
}

static bool takes_passcode(checking const *k)
{
    dt_pam_stack const *auth = &k->s->stacks[DT_PAM_AUTH];

    for (size_t i = 0; i < auth->count; i++) {
        if (strstr(auth->lines[i].arguments, "take_passcode") != NULL)
            return true;
    }
    return false;
}

/* Of programs that show no prompts. */
static void check_blind(checking *k, dt_config const *c)
{
    bool blind = dt_service_is_in(&c->daemon.no_prompt_services, k->r->service);
    dt_pam_finding *f;

    if (!k->auth->asks || !blind || takes_passcode(k))
        return;
    f = find(k, DT_PAM_NOTE,
             "%s is one of no_prompt_services, and no line takes a passcode from the end of the "
             "password: only a push works",
             k->r->service);
    set_write(f, "auth required pam_devtrust.so take_passcode, before what checks the password");
}

static void check_site(checking *k)
{
    dt_site const *site = k->c->site;
    char const *application, *service = k->r->service;
    dt_pam_finding *f;

    if (site == NULL)
        return;
    application = dt_site_application_of(site, service);
    if (!asks(k)) {
        if (dt_site_policy(site, service) != NULL)
            find(k, DT_PAM_NOTE, "%s has a policy, but no line asks devtrust", service);
        return;
    }
    if (dt_site_policy(site, application) == NULL) {
        f = find(k, DT_PAM_CANNOT_WORK, "%s has no policy: nobody gets in", application);
        set_write(f, "%s/%s.json", dt_site_config(site)->policy.directory, application);
        return;
    }
    if (k->auth->asks &&
        takes_password(k) != dt_config_okta_password(dt_site_config(site), application)) {
        f = find(
            k, DT_PAM_CANNOT_WORK,
            takes_password(k)
                ? "the line takes the Okta password, but [primary] okta_password does not name %s"
                : "[primary] okta_password names %s, but the line does not take the Okta password",
            application);
        set_place(f, first_devtrust(&k->s->stacks[DT_PAM_AUTH]));
        set_write(f,
                  takes_password(k) ? "[primary] okta_password = %s"
                                    : "the argument password after pam_devtrust.so, for %s",
                  application);
    }
    check_blind(k, dt_site_config(site));
    dt_ruleset of = dt_site_ruleset(site, application);
    if (dt_ruleset_is_report_only(&of))
        find(k, DT_PAM_NOTE, "REPORT ONLY: nothing of the policy %s is enforced", application);
}

/* --- variants ---------------------------------------------------------------------------------- */

static int service_asks(checking const *k, char const *name, bool *out)
{
    dt_pam_service *s = NULL;
    int rc = dt_pam_service_read(k->c->root, name, &s, k->e);

    *out = false;
    for (int i = DT_PAM_AUTH; rc == DT_OK && i <= DT_PAM_ACCOUNT; i++)
        *out |= first_devtrust(&s->stacks[i]) != NULL;
    dt_pam_service_free(&s);
    return rc;
}

static int check_variant(checking *k)
{
    char const *base = dt_service_base(k->r->service);
    bool base_asks = false;
    dt_pam_finding *f;
    int rc;

    if (base == NULL || asks(k) || kind_of(k->r->service)->gives == for_root)
        return DT_OK;
    rc = service_asks(k, base, &base_asks);
    if (rc < 0 || !base_asks)
        return rc;
    f = find(k, DT_PAM_BYPASS,
             "%s asks devtrust, and %s, another way to call the same program, does not", base,
             k->r->service);
    set_write(f, "the lines of pam_devtrust.so as in %s", base);
    return DT_OK;
}

/* --- everything -------------------------------------------------------------------------------- */

static int check_service(checking *k)
{
    int rc = dt_pam_service_read(k->c->root, k->r->service, &k->s, k->e);

    if (rc == DT_OK)
        rc = dt_pam_stack_examine(&k->s->stacks[DT_PAM_AUTH], false, k->auth);
    if (rc == DT_OK)
        rc = dt_pam_stack_examine(&k->s->stacks[DT_PAM_ACCOUNT], true, k->account);
    memset(k->session, 0, sizeof(*k->session));
    if (rc == DT_OK && is_sshd(k))
        rc = dt_pam_stack_examine(&k->s->stacks[DT_PAM_SESSION], false, k->session);
    if (rc == DT_OK) {
        check_lines(k);
        check_sshd(k);
        check_sudoers(k);
        check_login(k);
        check_site(k);
        rc = check_variant(k);
    }
    dt_pam_service_free(&k->s);
    return rc;
}

static int check_services(dt_pam_check const *c, char *const *names, size_t count,
                          void (*fn)(void *ctx, dt_pam_report const *r), void *ctx, dt_error *e)
{
    checking k = {.c = c, .e = e};
    int rc = DT_OK;

    k.r = calloc(1, sizeof(*k.r));
    k.auth = calloc(1, sizeof(*k.auth));
    k.account = calloc(1, sizeof(*k.account));
    k.session = calloc(1, sizeof(*k.session));
    if (k.r == NULL || k.auth == NULL || k.account == NULL || k.session == NULL)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == DT_OK && i < count; i++) {
        k.kind = kind_of(names[i]);
        k.r->service = names[i];
        k.r->gives = k.kind->gives;
        k.r->verdict = DT_PAM_NOTE;
        k.r->count = 0;
        rc = check_service(&k);
        if (rc == DT_OK)
            fn(ctx, k.r);
    }
    free(k.r);
    free(k.auth);
    free(k.account);
    free(k.session);
    return rc;
}

int dt_pam_check_run(dt_pam_check const *c, void (*fn)(void *ctx, dt_pam_report const *r),
                     void *ctx, dt_error *e)
{
    char *names[DT_PAM_SERVICES_MAX];
    size_t count = 0;
    int rc = dt_pam_services(c->root, names, &count, e);

    if (rc == DT_OK)
        rc = check_services(c, names, count, fn, ctx, e);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------- */

typedef struct printing {
    bool json;
    char const *only; /* one service, or NULL */
    size_t counts[DT_PAM_BYPASS + 1];
    size_t seen;
} printing;

static void print_text(dt_pam_report const *r)
{
    dt_out_line("%-20s %s%s%s", r->service, dt_pam_verdict_name(r->verdict),
                r->verdict == DT_PAM_NOT_PROTECTED ? "; gives " : "",
                r->verdict == DT_PAM_NOT_PROTECTED ? r->gives : "");
    for (size_t i = 0; i < r->count; i++) {
        dt_pam_finding const *f = &r->findings[i];

        if (f->verdict == DT_PAM_NOT_PROTECTED && f->write[0] == '\0')
            continue;
        dt_out_line("  %s: %s%s%s", dt_pam_verdict_name(f->verdict), f->place,
                    f->place[0] != '\0' ? ": " : "", f->text);
        if (f->way[0] != '\0')
            dt_out_line("    by: %s", f->way);
        if (f->write[0] != '\0')
            dt_out_line("    write: %s", f->write);
    }
}

static void print_json(dt_pam_report const *r)
{
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_putc(&b, '{');
    dt_out_member(&b, "service", r->service);
    dt_out_member(&b, "verdict", dt_pam_verdict_name(r->verdict));
    dt_out_member(&b, "gives", r->gives);
    dt_buf_puts(&b, ",\"findings\":[");
    for (size_t i = 0; i < r->count; i++) {
        dt_pam_finding const *f = &r->findings[i];

        dt_buf_puts(&b, i > 0 ? ",{" : "{");
        dt_out_member(&b, "verdict", dt_pam_verdict_name(f->verdict));
        dt_out_member(&b, "place", f->place);
        dt_out_member(&b, "text", f->text);
        dt_out_member(&b, "by", f->way);
        dt_out_member(&b, "write", f->write);
        dt_buf_putc(&b, '}');
    }
    dt_buf_puts(&b, "]}");
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static void print_report(void *ctx, dt_pam_report const *r)
{
    printing *p = ctx;

    if (p->only != NULL && strcmp(p->only, r->service) != 0)
        return;
    p->seen++;
    p->counts[r->verdict]++;
    if (p->json)
        print_json(r);
    else
        print_text(r);
}

static dt_ctl_exit end(printing const *p)
{
    if (p->only != NULL && p->seen == 0) {
        dt_err_line("unknown PAM service \"%s\"", p->only);
        return DT_CTL_FAULT;
    }
    if (!p->json)
        dt_out_line(
            "PAM services: %zu protected, %zu not protected, %zu cannot work, %zu can be bypassed",
            p->counts[DT_PAM_PROTECTED], p->counts[DT_PAM_NOT_PROTECTED],
            p->counts[DT_PAM_CANNOT_WORK], p->counts[DT_PAM_BYPASS]);
    return p->counts[DT_PAM_CANNOT_WORK] + p->counts[DT_PAM_BYPASS] > 0 ? DT_CTL_NO : DT_CTL_YES;
}

/* Where none was named and there is none, only the files of PAM and sshd are looked at. */
static int load_site(char const *config, dt_site **out, dt_error *e)
{
    if (config == NULL && access(DT_CONFIG_DEFAULT_PATH, F_OK) != 0)
        return DT_OK;
    return dt_ctl_site_load(config, out, e);
}

dt_ctl_exit dt_ctl_check_pam(dt_ctl_command const *self, int argc, char **argv)
{
    char const *config = NULL, *root = NULL;
    printing p = {0};
    dt_pam_check c = {0};
    dt_site *site = NULL;
    dt_option const options[] = {
        {"--config", "-c", &config, NULL}, {"--root", NULL, &root, NULL},
        {"--sshd", NULL, &c.sshd, NULL},   {"--sshd-config", NULL, &c.sshd_config, NULL},
        {"--user", NULL, &c.user, NULL},   {"--no-sshd", NULL, NULL, &c.skip_sshd},
        {"--json", NULL, NULL, &p.json},   {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_error e = {0};
    size_t count = 0;
    int rc = rest != NULL ? DT_OK : dt_error_set(&e, DT_E_NOMEM, "out of memory");

    if (rc == DT_OK)
        rc = dt_options_parse(options, argc, argv, rest, &count, &e);
    if (rc == DT_OK && count > 1)
        rc = dt_error_set(&e, DT_E_INVALID, "takes one service, or none for all");
    p.only = rc == DT_OK && count == 1 ? rest[0] : NULL;
    free(rest);
    if (rc < 0)
        return dt_err_usage(self, &e);
    c.root = root != NULL ? root : "";
    rc = load_site(config, &site, &e);
    c.site = site;
    if (rc == DT_OK)
        rc = dt_pam_check_run(&c, print_report, &p, &e);
    dt_site_free(&site);
    return rc < 0 ? dt_err_fault(&e) : end(&p);
}
