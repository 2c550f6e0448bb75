/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sign-on as the module sees it: a request to the daemon, prompts from it that are shown, answers
 * that go back, a result. Meanwhile it looks at the clock, at the client and at signals. */
#include "pam_devtrust/module/module.h"

#include "core/base/text_wrap.h"
#include "core/okta/passcode.h"
#include "core/signon/texts.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define INFO_JOINED_MAX 1024 /* of information that goes with the result as one text */
#define USER_SHOWN_MAX 64
#define BLANKS " \t\r\n"

typedef struct login {
    pam_handle_t *pamh;
    bool silent;
    dt_pam_phase phase;
    dt_link link;
    int client;        /* descriptor of the client's connection, or -1 */
    int64_t deadline;  /* monotonic milliseconds */
    unsigned prompts;  /* so far */
    bool heard;        /* the daemon has said something */
    bool may_be_older; /* it ended at a request with fields that an older one does not know */
    dt_pam_terminal terminal;
    uint32_t number; /* of the last prompt */
    uint32_t style;  /* of the prompt that is still to be shown; 0 = none */
    char text[DT_PROTOCOL_TEXT_MAX + 1];
    char info[DT_PAM_INFO_MAX];
    char user[USER_SHOWN_MAX]; /* for the log */
    char const *account;       /* that will be opened; libpam's */
} login;

/* --- the request ------------------------------------------------------------------------------------ */

static char const *item(pam_handle_t *pamh, int type)
{
    void const *value = NULL;

    return pam_get_item(pamh, type, &value) == PAM_SUCCESS && value != NULL ? value : "";
}

/* What only serves the log and the network condition may be missing, never cut. */
static char const *bounded(char const *value)
{
    return strnlen(value, DT_PROTOCOL_NAME_MAX + 1) <= DT_PROTOCOL_NAME_MAX ? value : "";
}

/* Somebody whose host's name is too long is not at this host. */
static char const *start_of_long(char const *value, char out[DT_PROTOCOL_START_MAX + 1])
{
    out[0] = '\0';
    if (bounded(value)[0] == '\0' && value[0] != '\0')
        snprintf(out, DT_PROTOCOL_START_MAX + 1, "%s", value);
    return out;
}

/* Okta does not look at the case of a login: of two accounts that differ only in case, nobody could
 * say whose it is. */
static bool is_ambiguous(pam_handle_t *pamh, char const *name)
{
    char lower[DT_PROTOCOL_NAME_MAX + 1];
    struct passwd const *pw, *other;
    size_t i;

    for (i = 0; i < DT_PROTOCOL_NAME_MAX && name[i] != '\0'; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    lower[i] = '\0';
    if (strcmp(lower, name) == 0)
        return false;
    pw = pam_modutil_getpwnam(pamh, name);
    other = pam_modutil_getpwnam(pamh, lower);
    return other != NULL && (pw == NULL || other->pw_uid != pw->pw_uid);
}

/* The name of a uid's account; "" where it has none of its own. */
static char const *name_of(pam_handle_t *pamh, uid_t uid)
{
    struct passwd const *pw = pam_modutil_getpwuid(pamh, uid);

    return pw != NULL && !is_ambiguous(pamh, pw->pw_name) ? bounded(pw->pw_name) : "";
}

/* Who called is the real uid. sudo has none but root's: there the application says it. */
static char const *ruser_account(pam_handle_t *pamh)
{
    char const *ruser = item(pamh, PAM_RUSER);
    struct passwd const *pw =
        getuid() == 0 && ruser[0] != '\0' ? pam_modutil_getpwnam(pamh, ruser) : NULL;

    return pw != NULL ? name_of(pamh, pw->pw_uid) : "";
}

static char const *owner_of(pam_handle_t *pamh, char const *account)
{
    struct passwd const *pw = pam_modutil_getpwnam(pamh, account);

    return pw != NULL ? name_of(pamh, pw->pw_uid) : "";
}

/* With -p, and with Defaults passprompt_override, sudo shows its own prompt instead of each of ours, and
 * that is unknown here. Information it always shows. */
static bool is_sudo(pam_handle_t *pamh)
{
    char const *service = item(pamh, PAM_SERVICE);
    char const *program = program_invocation_short_name;

    return strcmp(service, "sudo") == 0 || strcmp(service, "sudo-i") == 0 ||
           strcmp(program, "sudo") == 0 || strcmp(program, "sudoedit") == 0;
}

static bool replaces_prompts(login const *l)
{
    return is_sudo(l->pamh);
}

static int send_request(login *l, dt_pam_phase phase, char const *password)
{
    char const *keys = pam_getenv(l->pamh, "SSH_AUTH_INFO_0");
    char start[DT_PROTOCOL_START_MAX + 1];
    dt_message m = {.type = DT_MESSAGE_REQUEST,
                    .phase = phase,
                    .pid = (uint32_t)getpid(),
                    .shown = dt_pam_look_whether_shown(replaces_prompts(l),
                                                       item(l->pamh, PAM_AUTHTOK)[0] != '\0'),
                    .columns = l->terminal.columns,
                    .rows = l->terminal.rows,
                    .utf8 = l->terminal.utf8 ? 1 : 0,
                    .service = item(l->pamh, PAM_SERVICE),
                    .user = item(l->pamh, PAM_USER),
                    .rhost = bounded(item(l->pamh, PAM_RHOST)),
                    .rhost_start = start_of_long(item(l->pamh, PAM_RHOST), start),
                    .tty = bounded(item(l->pamh, PAM_TTY)),
                    .ruser = bounded(item(l->pamh, PAM_RUSER)),
                    .account = bounded(l->account),
                    .owner = owner_of(l->pamh, l->account),
                    .caller = name_of(l->pamh, getuid()),
                    .ruser_account = ruser_account(l->pamh),
                    .password = password,
                    .passcode = phase == DT_PAM_AUTH ? dt_pam_passcode_get(l->pamh) : "",
                    .ssh_auth_info = keys};

    int agent = phase == DT_PAM_AUTH ? dt_agent_connect(l->pamh) : -1;
    int rc = agent < -1 ? agent : dt_message_send_passing(l->link.fd, &m, agent);

    if (agent >= 0)
        close(agent);
    return rc;
}

/* --- words of our own ------------------------------------------------------------------------------- */

static bool is_program(char const *name)
{
    return strcmp(program_invocation_short_name, name) == 0;
}

/* lightdm's GTK greeter puts "Your password is incorrect" in the place of an error, and leaves information. */
static int refusal_style(void)
{
    return is_program("lightdm") ? PAM_TEXT_INFO : PAM_ERROR_MSG;
}

/* xsecurelock draws a text on one line, and a line's end as a box. */
static bool draws_one_line(void)
{
    return is_program("authproto_pam");
}

static void join_lines(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            *text = ' ';
    }
}

/* Two lines of ours go into one of xsecurelock's at 1024 pixels: of more, each two are a text of their own. */
static int show_by_twos(login *l, int style, char *text)
{
    int code = PAM_SUCCESS;

    while (code == PAM_SUCCESS && *text != '\0') {
        size_t len = strcspn(text, "\n");

        len += text[len] != '\0' ? 1 + strcspn(text + len + 1, "\n") : 0;
        char *next = text + len + (text[len] != '\0');

        text[len] = '\0';
        join_lines(text);
        code = pam_prompt(l->pamh, style, NULL, "%s", text);
        text = next;
    }
    return code;
}

/* A sentence begins a line: what it says stays together where it can. */
static void break_sentences(char *text)
{
    for (char *end = strstr(text, ". "); end != NULL; end = strstr(end + 1, ". "))
        end[1] = '\n';
}

/* Programs may have no more room for one message than libpam promises: a long text comes as several, of whole
 * lines. */
static int show_pieces(login const *l, int style, char *text)
{
    while (strlen(text) > DT_PAM_SHOWN_AT_ONCE) {
        size_t cut = DT_PAM_SHOWN_AT_ONCE;

        while (cut > 0 && text[cut] != '\n')
            cut--;
        if (cut == 0) /* one line of more bytes than that: no terminal is so wide */
            break;
        text[cut] = '\0';
        int code = pam_prompt(l->pamh, style, NULL, "%s", text);

        if (code != PAM_SUCCESS)
            return code;
        text += cut + 1;
    }
    return pam_prompt(l->pamh, style, NULL, "%s", text);
}

/* Shows a text that wants no answer, in lines that fit; `text` is used up. Cockpit puts a refusal into JSON as
 * it is, where a line's end is an error, and its page breaks lines by itself. */
static int show(login *l, int style, char *text)
{
    if (is_program("cockpit-session")) {
        join_lines(text);
        return pam_prompt(l->pamh, style, NULL, "%s", text);
    }
    if (strlen(text) > DT_TEXT_COLUMNS)
        break_sentences(text);
    dt_text_wrap(text);
    return draws_one_line() ? show_by_twos(l, style, text) : show_pieces(l, style, text);
}

/* The text for the person where no daemon answers, so that no program says "wrong password". */
static void show_text(login *l, char const *text)
{
    char copy[DT_PROTOCOL_TEXT_MAX + 1];

    snprintf(copy, sizeof(copy), "%s", text);
    if (!l->silent)
        (void)show(l, refusal_style(), copy);
}

/* --- prompts ---------------------------------------------------------------------------------------- */

/* sshd shows information only along with a prompt, so it waits for the next one. It belongs to it: PAM_SILENT, which
 * sudo always sets unless sudoers has !pam_silent, says nothing about prompts. */
static void keep_info(login *l, char const *text)
{
    size_t len = strlen(l->info);

    if (len + strlen(text) + 2 < sizeof(l->info))
        snprintf(l->info + len, sizeof(l->info) - len, "%s%s", len > 0 ? "\n" : "", text);
}

/* False for a prompt that breaks the protocol. Of several, the last is the one that counts. */
static bool take_prompt(login *l, dt_message const *m)
{
    if (m->number <= l->number || ++l->prompts > DT_PAM_PROMPTS_MAX)
        return false;
    l->number = m->number;
    if (m->style == DT_PROMPT_INFO) {
        keep_info(l, m->text);
        return true;
    }
    l->style = m->style;
    memcpy(l->text, m->text, strlen(m->text) + 1);
    if (draws_one_line())
        join_lines(l->text);
    return true;
}

static int send_answer(login *l, char const *answer)
{
    dt_message m = {.type = DT_MESSAGE_ANSWER, .number = l->number, .answer = answer};
    int rc = dt_message_send(l->link.fd, &m);

    /* The daemon may have ended meanwhile, and its result be waiting for us. */
    return rc == DT_E_GONE ? DT_OK : rc;
}

static void cancel(login *l)
{
    dt_message m = {.type = DT_MESSAGE_CANCEL};
    int rc = dt_message_send(l->link.fd, &m);

    (void)rc; /* closing says the same */
}

/* Without blanks at its ends. The module links nothing that has dt_bytes_trim. */
static size_t trim(char const **text)
{
    size_t len;

    *text += strspn(*text, BLANKS);
    len = strlen(*text);
    while (len > 0 && strchr(BLANKS, (*text)[len - 1]) != NULL)
        len--;
    return len;
}

/* What would be sent for it: the digits of a passcode, or the text without blanks at its ends. */
static size_t read_typed(char const **text, char digits[DT_PASSCODE_DIGITS_MAX + 1])
{
    dt_bytes typed = {.p = (uint8_t const *)*text, .len = strlen(*text)};

    if (dt_passcode_read(typed, digits) == DT_TYPED_PASSCODE)
        *text = digits;
    return trim(text);
}

/* In a time that does not depend on what is in them. "123-456" and "123 456" are the same passcode. */
static bool is_same(char const *a, char const *b)
{
    char a_digits[DT_PASSCODE_DIGITS_MAX + 1], b_digits[DT_PASSCODE_DIGITS_MAX + 1];
    size_t a_len = read_typed(&a, a_digits);
    size_t b_len = read_typed(&b, b_digits);
    unsigned char volatile differ = a_len != b_len;

    for (size_t i = 0; i < a_len && i < b_len; i++)
        differ |= (unsigned char)a[i] ^ (unsigned char)b[i];
    explicit_bzero(a_digits, sizeof(a_digits));
    explicit_bzero(b_digits, sizeof(b_digits));
    return a_len > 0 && differ == 0;
}

/* Programs that show no prompts (i3lock, swaylock, dovecot) answer each with the password. It is not
 * ours to send anywhere, and at Okta it would be a wrong passcode: it counts as Enter. */
static bool is_password(login const *l, char const *answer)
{
    return is_same(answer, item(l->pamh, PAM_AUTHTOK)) ||
           is_same(answer, item(l->pamh, PAM_OLDAUTHTOK));
}

static void forget(char *answer)
{
    if (answer != NULL)
        explicit_bzero(answer, strlen(answer));
    free(answer);
}

/* sudo writes PAM_TEXT_INFO to its standard output, where it would be taken for what the command wrote. */
static int info_style(login const *l)
{
    return replaces_prompts(l) ? PAM_ERROR_MSG : PAM_TEXT_INFO;
}

/* What came before is information of its own, so that it does not push the prompt off a narrow screen; sshd
 * puts it in front. */
static int show_info(login *l)
{
    int code = l->info[0] != '\0' ? show(l, info_style(l), l->info) : PAM_SUCCESS;

    l->info[0] = '\0';
    return code;
}

/* The whole of a prompt as information, and its first words, with the number in them, as the prompt. */
static int prompt_below_information(login *l, int style, char **answer)
{
    size_t len = strlen(l->text), first = strcspn(l->text, "(,:\n");
    int code;

    while (len > 0 && strchr(": ", l->text[len - 1]) != NULL)
        len--;
    while (first > 0 && l->text[first - 1] == ' ')
        first--;
    code = pam_prompt(l->pamh, info_style(l), NULL, "%.*s.", (int)len, l->text);
    return code == PAM_SUCCESS ? pam_prompt(l->pamh, style, answer, "%.*s: ", (int)first, l->text)
                               : code;
}

static int prompt_person(login *l, char **answer)
{
    int style = l->style == DT_PROMPT_SHOWN ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF;
    int code = show_info(l);

    if (code != PAM_SUCCESS)
        return code;
    if (replaces_prompts(l))
        return prompt_below_information(l, style, answer);
    return pam_prompt(l->pamh, style, answer, "%s", l->text);
}

/* Shows the prompt and sends the answer; the daemon goes on meanwhile. PAM_SUCCESS, or a refusal. */
static int show_prompt(login *l)
{
    char *answer = NULL;
    int code = prompt_person(l, &answer);
    int64_t least = dt_pam_mono() + DT_PAM_GRACE_MS;

    l->style = DT_PROMPT_NO_STYLE;
    l->deadline = l->deadline > least ? l->deadline : least;
    if (code == PAM_SUCCESS && answer != NULL &&
        send_answer(l, is_password(l, answer) ? "" : answer) == DT_OK) {
        forget(answer);
        return PAM_SUCCESS;
    }
    forget(answer);
    cancel(l);
    pam_syslog(l->pamh, LOG_NOTICE, "user %s: refused: the prompt was not answered", l->user);
    if (l->phase != DT_PAM_ACCOUNT)
        return PAM_CONV_ERR;
    show_text(l, DT_TEXT_NO_PROMPT);
    return PAM_PERM_DENIED;
}

/* --- waiting ---------------------------------------------------------------------------------------- */

typedef enum event { DAEMON_SPEAKS, NOTHING_YET, PERSON_LEFT, TIME_IS_UP } event;

/* Waits for the next thing to happen, at most `limit` milliseconds. */
static event wait_step(login *l, int limit)
{
    struct pollfd fds[2] = {{.fd = l->link.fd, .events = POLLIN},
                            {.fd = l->client, .events = POLLRDHUP}};
    int n = poll(fds, 2, limit);

    if ((n > 0 && fds[1].revents != 0) || dt_watch_signals())
        return PERSON_LEFT;
    if (n > 0 && fds[0].revents != 0)
        return DAEMON_SPEAKS;
    return dt_pam_mono() >= l->deadline ? TIME_IS_UP : NOTHING_YET;
}

static event wait_for_daemon(login *l)
{
    event e = wait_step(l, 0);

    /* What is there already comes first: a result makes the prompt before it needless. */
    while (e == NOTHING_YET && l->style == DT_PROMPT_NO_STYLE) {
        int64_t left = l->deadline - dt_pam_mono();

        e = wait_step(l, left > DT_PAM_STEP_MS ? DT_PAM_STEP_MS : left > 0 ? (int)left : 0);
    }
    return e;
}

/* --- the result ------------------------------------------------------------------------------------- */

/* An account line that asked early goes on, to the session line. */
static bool is_left_to_session(login const *l, dt_message const *m)
{
    return l->phase == DT_PAM_EARLY && m->result == DT_RESULT_LATER &&
           strcmp(m->cause, "SESSION_DECIDES") == 0;
}

/* Nothing is enforced, and sshd has verified a key: without devtrust this would have been enough. */
static bool is_reported_after_key(login const *l, dt_message const *m)
{
    return l->phase == DT_PAM_AUTH && m->result == DT_RESULT_PASS &&
           strcmp(m->cause, DT_REPORT_ONLY_AFTER_KEY) == 0;
}

static int take_result(login *l, dt_message const *m)
{
    bool reported = is_reported_after_key(l, m);
    int code =
        is_left_to_session(l, m) || reported ? PAM_SUCCESS : dt_pam_code(m->result, m->cause);
    /* What a session says comes where the command writes: nothing, unless there is no command. */
    bool quiet = l->silent || (l->phase == DT_PAM_SESSION && code == PAM_SUCCESS);
    char const *message = quiet ? "" : m->message;
    char text[INFO_JOINED_MAX + DT_PROTOCOL_TEXT_MAX + 2];

    if (code == PAM_IGNORE || reported)
        pam_syslog(l->pamh, LOG_WARNING, "user %s: not decided: report_only is on", l->user);
    else if (code != PAM_SUCCESS)
        pam_syslog(l->pamh, LOG_NOTICE, "user %s: refused: %s", l->user, m->cause);
    if (l->silent)
        l->info[0] = '\0';
    if (strlen(l->info) >= INFO_JOINED_MAX)
        (void)show_info(l);
    snprintf(text, sizeof(text), "%s%s%s", l->info, l->info[0] && message[0] ? "\n" : "", message);
    if (text[0] != '\0')
        (void)show(l, code == PAM_SUCCESS ? PAM_TEXT_INFO : refusal_style(), text);
    return code;
}

/* One message of the daemon. True when the sign-on is over, with *code set. */
static bool take_message(login *l, int *code)
{
    uint8_t packet[DT_PROTOCOL_REPLY_MAX];
    dt_message m;
    int rc = dt_message_receive(l->link.fd, packet, sizeof(packet), &m);

    if (rc == DT_E_NOT_FOUND)
        return false;
    if (rc == DT_E_GONE && !l->heard && l->terminal.columns > 0) {
        l->may_be_older = true;
        *code = PAM_AUTHINFO_UNAVAIL;
        return true;
    }
    l->heard = true;
    if (rc == DT_OK && m.type == DT_MESSAGE_PROMPT && take_prompt(l, &m))
        return false;
    if (rc == DT_OK && m.type == DT_MESSAGE_RESULT) {
        *code = take_result(l, &m);
        return true;
    }
    *code = rc == DT_E_GONE || rc == DT_E_IO ? PAM_AUTHINFO_UNAVAIL : PAM_SYSTEM_ERR;
    pam_syslog(l->pamh, LOG_ERR, "user %s: refused: devtrustd %s", l->user,
               rc == DT_E_GONE || rc == DT_E_IO ? "ended without an answer"
                                                : "sent a malformed message");
    show_text(l, DT_TEXT_UNREACHABLE);
    return true;
}

static int converse(login *l)
{
    int code = PAM_AUTH_ERR;

    for (;;) {
        switch (wait_for_daemon(l)) {
        case DAEMON_SPEAKS:
            if (take_message(l, &code))
                return code;
            break;
        case NOTHING_YET:
            code = show_prompt(l);
            if (code != PAM_SUCCESS)
                return code;
            break;
        case PERSON_LEFT:
            cancel(l);
            pam_syslog(l->pamh, LOG_NOTICE, "user %s: refused: the client left", l->user);
            return PAM_ABORT;
        case TIME_IS_UP:
            cancel(l);
            pam_syslog(l->pamh, LOG_ERR, "user %s: refused: devtrustd did not answer in time",
                       l->user);
            show_text(l, DT_TEXT_UNREACHABLE);
            return PAM_AUTHINFO_UNAVAIL;
        }
    }
}

/* A name that somebody typed must not write the log's lines. */
static void show_user(login *l, char const *user)
{
    size_t i;

    for (i = 0; user[i] != '\0' && i + 1 < sizeof(l->user); i++)
        l->user[i] = user[i] > ' ' && user[i] < 0x7f ? user[i] : '?';
    l->user[i] = '\0';
}

/* Nobody is asked, and no push is sent, for an account that this host does not have. */
static int check_names(login *l, char const *user)
{
    struct passwd const *pw =
        user[0] != '\0' && strnlen(user, DT_PROTOCOL_NAME_MAX + 1) <= DT_PROTOCOL_NAME_MAX
            ? pam_modutil_getpwnam(l->pamh, user)
            : NULL;

    if (pw == NULL) {
        pam_syslog(l->pamh, LOG_NOTICE, "user %s: refused: no such account here", l->user);
        return PAM_USER_UNKNOWN;
    }
    if (is_ambiguous(l->pamh, pw->pw_name)) {
        pam_syslog(l->pamh, LOG_NOTICE,
                   "user %s: refused: another account differs from it by upper case only, and both "
                   "would have the same Okta login; rename one",
                   l->user);
        return PAM_PERM_DENIED;
    }
    l->account = pw->pw_name;
    return PAM_SUCCESS;
}

/* One request, and what comes of it. */
static int ask_daemon(login *l, dt_pam_args const *a, char const *password)
{
    int code, rc;

    if (dt_link_open(l->pamh, a, l->deadline, &l->link) != DT_OK) {
        show_text(l, DT_TEXT_UNREACHABLE);
        return PAM_AUTHINFO_UNAVAIL;
    }
    rc = send_request(l, l->phase, password);
    if (rc == DT_OK || rc == DT_E_GONE) {
        code = converse(l);
    } else {
        pam_syslog(l->pamh, LOG_ERR, "user %s: refused: the request could not be made (%d)",
                   l->user, rc);
        show_text(l, DT_TEXT_UNREACHABLE);
        code = PAM_SYSTEM_ERR;
    }
    dt_link_close(&l->link);
    return code;
}

/* A daemon of before an upgrade ends the connection at the fields of the terminal, without a word: it is asked once
 * more, without them. */
static int ask(login *l, dt_pam_args const *a, char const *password)
{
    int code = ask_daemon(l, a, password);

    if (!l->may_be_older)
        return code;
    pam_syslog(l->pamh, LOG_NOTICE,
               "user %s: devtrustd ended without an answer, and is asked once more; if it is older "
               "than pam_devtrust.so, restart it",
               l->user);
    l->terminal = (dt_pam_terminal){0};
    return ask_daemon(l, a, password);
}

void dt_pam_say_session(pam_handle_t *pamh, dt_pam_args const *a, dt_session_line_said what)
{
    char const *user = item(pamh, PAM_USER), *session = pam_getenv(pamh, "XDG_SESSION_ID");
    struct passwd const *pw = user[0] != '\0' ? pam_modutil_getpwnam(pamh, user) : NULL;
    char const *account = pw != NULL ? bounded(pw->pw_name) : "";
    dt_message m = {.type = DT_MESSAGE_SESSION,
                    .what = what,
                    .pid = (uint32_t)getpid(),
                    .service = item(pamh, PAM_SERVICE),
                    .user = user,
                    .tty = bounded(item(pamh, PAM_TTY)),
                    .account = account,
                    .owner = owner_of(pamh, account),
                    .caller = name_of(pamh, getuid()),
                    .ruser_account = ruser_account(pamh),
                    .login_session = session};
    dt_link link = {.fd = -1};

    if (pw == NULL || dt_link_find(pamh, a, dt_pam_mono() + DT_PAM_SESSION_MS, &link) != DT_OK)
        return;
    if (dt_message_send(link.fd, &m) != DT_OK)
        pam_syslog(pamh, LOG_NOTICE, "devtrustd did not take the news of a session");
    dt_link_close(&link);
}

int dt_pam_signon(pam_handle_t *pamh, dt_pam_phase phase, int flags, dt_pam_args const *a,
                  char const *password)
{
    login l = {.pamh = pamh,
               .silent = (flags & PAM_SILENT) != 0,
               .phase = phase,
               .link = {.fd = -1},
               .client = dt_watch_client(pamh),
               .terminal = dt_pam_terminal_look(is_sudo(pamh)),
               .deadline = dt_pam_mono() + (int64_t)a->timeout * 1000};
    char const *user = item(pamh, PAM_USER);
    int code;

    show_user(&l, user);
    code = check_names(&l, user);
    if (code != PAM_SUCCESS && a->password != DT_PAM_NO_PASSWORD)
        show_text(&l, DT_TEXT_REFUSED);
    if (code != PAM_SUCCESS)
        return code;
    code = ask(&l, a, password);
    dt_pam_passcode_forget(pamh); /* it is good for one sign-on */
    return code;
}
