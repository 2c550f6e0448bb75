/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sign-on tells the person: prompts, and the message that goes with the outcome. */
#include "core/device/device_help.h"
#include "core/signon/signon_internal.h"
#include "core/signon/texts.h"

#include <stdio.h>
#include <string.h>

/* The way out for a person whose device is not trusted. */
static void put_device_help(dt_signon const *s, dt_buf *b)
{
    size_t before = b->len;

    dt_device_help(s->site.config, &s->outcome.verdict, s->platform_hint, b);
    if (b->len > before)
        dt_buf_puts(b, " ");
}

/* Why the verification with Okta let nobody in; NULL for a cause of another kind. */
static char const *mfa_text(dt_cause c)
{
    switch (c) {
    case DT_CAUSE_MFA_REJECTED:
        return "The sign-on was rejected in Okta Verify.";
    case DT_CAUSE_MFA_TIMEOUT:
        return "Nobody answered the verification in time.";
    case DT_CAUSE_MFA_FAILED:
        return "The passcode was not accepted.";
    case DT_CAUSE_MFA_NO_FACTOR:
        return "No verification method you have set up in Okta can be used here.";
    case DT_CAUSE_MFA_LIMIT:
        return "Too many verification requests were sent to you. Try again later.";
    case DT_CAUSE_MFA_PASSCODE_LIMIT:
        return "Too many passcodes were wrong, and none is taken now. Sign on with a push, or ask "
               "your help desk.";
    case DT_CAUSE_MFA_PUSH_PENDING:
        return "Another sign-on with your name waits for your answer. Deny it if it is not yours.";
    case DT_CAUSE_MFA_PUSH_PAUSED:
        return "Your last push was denied, so none is sent for some minutes. Try again later.";
    case DT_CAUSE_MFA_PUSH_SPENT:
        return "No second push is sent in one connection. Connect again.";
    case DT_CAUSE_MFA_NO_PROMPT:
        return DT_TEXT_NO_PROMPT;
    default:
        return NULL;
    }
}

static char const *cause_text(dt_cause c)
{
    char const *mfa = mfa_text(c);

    if (mfa != NULL)
        return mfa;
    switch (c) {
    case DT_CAUSE_RULE_DENY:
    case DT_CAUSE_NO_RULE:
    case DT_CAUSE_ORG_RULE_DENY:
        return "Your company's sign-on policy does not allow this sign-on.";
    case DT_CAUSE_DEVICE_UNKNOWN:
        return "The state of this device could not be checked. Try again later.";
    case DT_CAUSE_GROUPS_UNKNOWN:
        return "Your group membership could not be checked. Try again later.";
    case DT_CAUSE_NETWORK_UNKNOWN:
    case DT_CAUSE_PLATFORM_UNKNOWN:
    case DT_CAUSE_TIME_UNKNOWN:
        return "It could not be told whether the sign-on policy allows this sign-on. Tell your "
               "administrator.";
    case DT_CAUSE_BLOCKED_ZONE:
        return "Your company's sign-on policy does not allow this sign-on.";
    case DT_CAUSE_MFA_RATE_LIMITED:
    case DT_CAUSE_OKTA_UNAVAILABLE:
        return "Okta cannot be reached at the moment. Try again later.";
    case DT_CAUSE_OKTA_ANSWER_UNUSABLE:
    case DT_CAUSE_OKTA_UNTRUSTED:
        return "Okta's answer could not be used. Try again later, or tell your administrator.";
    case DT_CAUSE_MFA_PROVIDER_FAILED:
        return "This verification method does not work at the moment. Try again later, or use "
               "another one.";
    case DT_CAUSE_OKTA_REFUSED:
        return "Okta does not accept this account.";
    case DT_CAUSE_USER_NAME:
        return "This user name cannot be used here. Sign in with your own user name, or tell your "
               "administrator.";
    case DT_CAUSE_MACHINE_MFA:
        return "A machine cannot be verified with Okta.";
    case DT_CAUSE_STATE_INVALID:
        return "This verification is no longer valid. Start again.";
    case DT_CAUSE_BUSY:
    case DT_CAUSE_OVERLOADED:
        return "Too many sign-ons are waiting. Try again in a minute.";
    case DT_CAUSE_PRIMARY_FAILED:
    case DT_CAUSE_PRIMARY_REFUSED:
    case DT_CAUSE_PRIMARY_LIMIT:
        return DT_TEXT_REFUSED;
    case DT_CAUSE_PRIMARY_EXPIRED:
        return "Your Okta password has to be changed. Sign in to Okta in a browser and set a new "
               "one.";
    case DT_CAUSE_PRIMARY_LOCKED:
    case DT_CAUSE_MFA_LOCKED:
        return "Your Okta account is locked. Unlock it in a browser, or ask your help desk.";
    case DT_CAUSE_PRIMARY_ENROLL:
        return "Okta wants you to set up a verification method first. Sign in to Okta in a "
               "browser.";
    case DT_CAUSE_PRIMARY_RATE_LIMITED:
        return "Okta takes no more sign-ons at the moment. Try again in a minute.";
    case DT_CAUSE_CONFIG:
    case DT_CAUSE_LOCAL_FAULT:
    case DT_CAUSE_LIMITS_UNAVAILABLE:
    case DT_CAUSE_PRIMARY_MISSING:
    case DT_CAUSE_INTERNAL:
    case DT_CAUSE_AUDIT_FAILED:
        return "The sign-on could not be checked. Tell your administrator.";
    default:
        return "";
    }
}

void dt_signon_tell_cause(dt_signon *s)
{
    dt_buf b;

    char const *told = dt_policy_message(s->site.policy, &s->outcome.decision);

    dt_buf_init_fixed(&b, s->outcome.message, sizeof(s->outcome.message));
    if (s->outcome.result != DT_ALLOW && dt_signon_primary_is_mute(s)) {
        dt_buf_puts(&b, DT_TEXT_REFUSED);
        return;
    }
    if (s->outcome.cause == DT_CAUSE_RULE_DENY && *told != '\0')
        dt_buf_puts(&b, told); /* the rule's own words */
    else if (s->outcome.result != DT_ALLOW)
        dt_buf_puts(&b, cause_text(s->outcome.cause));
    if (s->outcome.cause == DT_CAUSE_CONFIG || s->outcome.cause == DT_CAUSE_INTERNAL ||
        !s->site.config)
        return;
    if (b.len > 0)
        dt_buf_puts(&b, " ");
    put_device_help(s, &b);
    while (b.len > 0 && b.p[b.len - 1] == ' ')
        b.p[--b.len] = '\0';
}

static void begin_prompt(dt_signon *s, dt_buf *b, char const *note)
{
    dt_buf n;

    memset(&s->prompt, 0, sizeof(s->prompt));
    dt_buf_init_fixed(b, s->prompt.text, sizeof(s->prompt.text));
    dt_buf_init_fixed(&n, s->prompt.note, sizeof(s->prompt.note));
    dt_buf_puts(&n, note);
    if (s->attempts == 0 && !s->push_prompted &&
        dt_device_help_goes_with_prompt(s->site.config, &s->outcome.verdict, s->platform_hint))
        put_device_help(s, &n);
    while (n.len > 0 && n.p[n.len - 1] == ' ')
        n.p[--n.len] = '\0';
    s->prompt_state = DT_PROMPT_TO_SHOW;
}

char const *dt_signon_no_push_text(dt_cause c)
{
    switch (c) {
    case DT_CAUSE_MFA_PUSH_PENDING:
        return "No push was sent: another sign-on with your name waits for your answer. ";
    case DT_CAUSE_MFA_PUSH_PAUSED:
        return "No push was sent: your last one was denied. ";
    case DT_CAUSE_MFA_PUSH_SPENT:
        return "No second push is sent in one connection. ";
    case DT_CAUSE_MFA_LIMIT:
        return "No push was sent: you had too many. ";
    default:
        return "";
    }
}

/* The number comes first: what stands behind it may be off the screen. */
static void put_push(dt_signon *s, dt_buf *b)
{
    s->prompt_takes_passcode = s->totp_count > 0 && !s->passcode_locked;
    if (s->push.number != DT_SIGNON_NUMBER_NONE) {
        dt_buf_printf(b, "Choose the number %d in Okta Verify, then press Enter", s->push.number);
        s->number_shown = true;
    } else {
        dt_buf_puts(b,
                    "Approve the push in Okta Verify (press Enter here to see its number, if any), "
                    "then press Enter");
    }
    dt_buf_puts(b, s->prompt_takes_passcode ? " (or type a passcode): " : ": ");
}

void dt_signon_push_prompt(dt_signon *s)
{
    dt_buf b;

    begin_prompt(s, &b, "");
    put_push(s, &b);
    s->push_prompted = true;
}

void dt_signon_offer_prompt(dt_signon *s, char const *note)
{
    dt_buf b;

    begin_prompt(s, &b, note);
    s->prompt_takes_passcode = s->totp_count > 0 && !s->passcode_locked;
    dt_buf_puts(&b, "Press Enter to be sent a push by Okta Verify");
    dt_buf_puts(&b, s->prompt_takes_passcode ? " (or type a passcode): " : ": ");
}

/* "Okta Verify or Google Authenticator": whose passcodes are taken. */
static void put_apps(dt_signon const *s, dt_buf *b)
{
    for (size_t i = 0; i < s->totp_count; i++) {
        char const *app = dt_factor_app(s->totp_type[i]);
        if (app == NULL || (i > 0 && s->totp_type[i] == s->totp_type[i - 1]))
            continue;
        dt_buf_puts(b, i > 0 ? " or " : "");
        dt_buf_puts(b, app);
    }
}

char const *dt_signon_stray_text(dt_signon const *s)
{
    if (s->totp_count == 0)
        return "No passcode can be used here. ";
    if (s->passcode_locked)
        return "Too many passcodes were wrong, and none is taken now. ";
    return "That is not a passcode, which has 6 to 8 digits. ";
}

void dt_signon_passcode_prompt(dt_signon *s, char const *note)
{
    dt_buf b;

    begin_prompt(s, &b, note);
    if (s->push.state == DT_PUSH_WAITING) {
        put_push(s, &b);
        return;
    }
    s->prompt_takes_passcode = s->totp_count > 0 && !s->passcode_locked;
    put_apps(s, &b);
    dt_buf_puts(&b, " passcode: ");
}
