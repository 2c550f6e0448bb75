/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts that people read at a sign-on, each with a name: [message NAME] of devtrust.conf gives another
 * one, as in another language. Pure; thread safe. */
#ifndef DT_CORE_MESSAGES_H
#define DT_CORE_MESSAGES_H

#include "core/config/config.h"

#define DT_WORDS_MAX 253       /* bytes of a text, as one Reply-Message has room for */
#define DT_WORDS_NUMBER_MAX 30 /* bytes before {number}: the number stands on the first line */

/* Prompts end without their colon. A refusal has the name of its cause, or of one of several. */
#define DT_WORDS(X)                                                                                \
    X(NONE, "")                                                                                    \
    X(PROMPT_NUMBER, "Choose the number {number} in Okta Verify, then press Enter")                \
    X(PROMPT_PUSH, "Approve the push in Okta Verify (press Enter here to see its number, if "      \
                   "any), then press Enter")                                                       \
    X(PROMPT_OFFER, "Press Enter to be sent a push by Okta Verify")                                \
    X(PROMPT_BROWSER_CODE, "Enter the code {code}") /* before PROMPT_BROWSER */                    \
    X(PROMPT_BROWSER, "at {url} in a browser and sign in, then press Enter")                       \
    X(PROMPT_OFFER_BROWSER, "Press Enter to sign in to Okta with a browser")                       \
    X(PROMPT_OR_PASSCODE, "(or type a passcode)") /* follows one of these */                       \
    X(PROMPT_PASSCODE, "{app} passcode")                                                           \
    X(PROMPT_CODE, "Code sent by {app} (or press Enter for a new one)")                            \
    X(PROMPT_OFFER_CODE, "Press Enter to be sent a code by {app}")                                 \
    X(PROMPT_QUESTION, "{question}")                                                               \
    X(PROMPT_MENU, "Type a number, or press Enter for 1") /* after these lines */                  \
    X(PROMPT_MENU_PUSH, "Push to {app}")                                                           \
    X(PROMPT_MENU_PASSCODE, "{app} passcode")                                                      \
    X(PROMPT_MENU_CODE, "Code by {app}")                                                           \
    X(PROMPT_MENU_QUESTION, "Security question")                                                   \
    X(PROMPT_APP_OR, "or") /* between two authenticators */                                        \
    X(NOTE_NOT_A_PASSCODE, "That is not a passcode, which has 6 to 8 digits.")                     \
    X(NOTE_NOT_A_YUBIKEY, "That is not a passcode of a YubiKey: touch the key here.")              \
    X(NOTE_NOT_A_TOKEN_CODE, "That is not a passcode of a token: 4 to 32 letters and digits.")     \
    X(NOTE_NOT_AN_ANSWER, "An answer has at least 4 characters.")                                  \
    X(NOTE_ANSWER_WRONG, "That answer was not accepted.")                                          \
    X(NOTE_CODE_AGAIN, "A new code was sent; earlier ones are no longer good.")                    \
    X(NOTE_CODE_TOO_SOON, "A code was sent a moment ago: type that one, or wait half a minute.")   \
    X(NOTE_ENROLL, "(Set one up at {url})") /* after MFA_NO_FACTOR and PRIMARY_ENROLL */           \
    X(NOTE_BROWSER, "The code signs on to {app}. If somebody else asks for it, do not enter it.")  \
    X(NOTE_BROWSER_REJECTED, "The sign-on was rejected in the browser.") /* for MFA_REJECTED */    \
    X(NOTE_NOT_A_CHOICE, "That is not a number of the list.")                                      \
    X(NOTE_NO_MORE_CODES, "No more codes are sent for now.")                                       \
    X(NOTE_NO_PASSCODE, "No passcode can be used here.")                                           \
    X(NOTE_PASSCODE_WRONG, "That passcode was not accepted.")                                      \
    X(NOTE_NEXT_CODE, "Okta wants one more: wait for the next code, and type that.")               \
    X(NOTE_PASSCODE_LIMIT, "Too many wrong passcodes. No passcode is accepted at the moment.")     \
    X(NOTE_PUSH_PENDING,                                                                           \
      "No push was sent: another sign-on in your name is waiting for your answer.")                \
    X(NOTE_PUSH_PAUSED, "No push was sent: your last one was denied.")                             \
    X(NOTE_PUSH_SPENT, "Only one push is sent per connection.")                                    \
    X(NOTE_PUSH_LIMIT, "No push was sent: you have had too many.")                                 \
    X(MFA_REJECTED, "The sign-on was rejected in Okta Verify.")                                    \
    X(MFA_OTHER_PERSON,                                                                            \
      "Somebody else signed in with the browser. Sign in there as yourself, or tell your "         \
      "administrator if you did not enter the code.")                                              \
    X(MFA_TOO_WEAK,                                                                                \
      "Okta did not verify you anew in the browser by something that you have. Sign out there "    \
      "and try again, or tell your administrator.")                                                \
    X(MFA_TIMEOUT, "The verification was not answered in time.")                                   \
    X(MFA_FAILED, "The passcode was not accepted.")                                                \
    X(MFA_NO_FACTOR, "No verification method you have set up in Okta can be used here.")           \
    X(MFA_CODE_SENT, "A code was sent to you. Sign on again with your password, a comma and the "  \
                     "code.")                                                                      \
    X(MFA_PUSH_LIMIT, "Too many verification requests were sent to you. Try again later.")         \
    X(MFA_PASSCODE_LIMIT,                                                                          \
      "Too many wrong passcodes. No passcode is accepted at the moment. Sign on with a "           \
      "push, or ask your help desk.")                                                              \
    X(MFA_PUSH_PENDING,                                                                            \
      "Another sign-on in your name is waiting for your answer. Deny it if it is "                 \
      "not yours.")                                                                                \
    X(MFA_PUSH_PAUSED,                                                                             \
      "Your last push was denied, so none is sent for a few minutes. Try again later.")            \
    X(MFA_PUSH_SPENT, "Only one push is sent per connection. Connect again.")                      \
    X(MFA_NO_PROMPT, "Verification with Okta is required, but no prompt can be shown here. Sign "  \
                     "on where one can be shown, or from a trusted device.")                       \
    X(MFA_PROVIDER_FAILED, "This verification method does not work at the moment. Try again "      \
                           "later, or use another one.")                                           \
    X(MFA_LOCKED, "Your Okta account is locked. Unlock it in a browser, or ask your help desk.")   \
    X(RULE_DENY, "Your company's sign-on policy does not allow this sign-on.")                     \
    X(DEVICE_UNKNOWN, "The state of this device could not be checked. Try again later.")           \
    X(GROUPS_UNKNOWN, "Your group membership could not be checked. Try again later.")              \
    X(NETWORK_UNKNOWN,                                                                             \
      "It could not be determined whether the sign-on policy allows this sign-on. "                \
      "Tell your administrator.")                                                                  \
    X(OKTA_UNAVAILABLE, "Okta cannot be reached at the moment. Try again later.")                  \
    X(OKTA_ANSWER_UNUSABLE, "Okta's answer could not be used. Try again later, or tell your "      \
                            "administrator.")                                                      \
    X(OKTA_REFUSED, "Okta does not accept this account.")                                          \
    X(OKTA_USER_UNKNOWN, "Okta has no account for this user name. Ask your help desk.")            \
    X(OKTA_USER_SUSPENDED, "Your Okta account is suspended. Ask your help desk.")                  \
    X(OKTA_USER_DEACTIVATED, "Your Okta account is deactivated. Ask your help desk.")              \
    X(OKTA_USER_NOT_ACTIVATED, "Your Okta account is not activated yet. Use the link in the "      \
                               "activation e-mail, or ask your help desk.")                        \
    X(APP_NOT_ASSIGNED,                                                                            \
      "Your account is not assigned to this application in Okta. Ask your help desk.")             \
    X(USER_NAME_INVALID,                                                                           \
      "This user name cannot be used here. Sign in with your own user name, or tell "              \
      "your administrator.")                                                                       \
    X(MACHINE_ACCOUNT, "A machine account cannot be verified with Okta.")                          \
    X(BREAK_GLASS, "This is an emergency account. Its use has been reported.")                     \
    X(STATE_INVALID, "This verification is no longer valid. Start again.")                         \
    X(BUSY, "Too many sign-ons are waiting. Try again in a minute.")                               \
    X(PRIMARY_EXPIRED, "Your Okta password must be changed. Sign in to Okta in a browser and "     \
                       "set a new one.")                                                           \
    X(PRIMARY_ENROLL,                                                                              \
      "Okta requires you to set up a verification method first. Sign in to Okta in "               \
      "a browser.")                                                                                \
    X(PRIMARY_RATE_LIMITED, "Okta accepts no more sign-ons at the moment. Try again in a minute.") \
    X(CONFIG, "The sign-on could not be checked. Tell your administrator.")

typedef enum dt_words {
#define X(NAME, text) DT_WORDS_##NAME,
    DT_WORDS(X)
#undef X
        DT_WORDS_COUNT,
} dt_words;

/* The one of that name, DT_WORDS_NONE when there is none. */
dt_words dt_words_find(char const *name);
/* The text as the configuration has it, else ours; `c` may be NULL. Borrowed from it, or static. It may hold
 * placeholders. */
char const *dt_words_text(dt_config const *c, dt_words w);
/* NULL when the text may stand for `w`; else why not, and what to write. Static. */
char const *dt_words_fault(dt_words w, char const *text);
/* Appends the text, escaped, with `value` in place of its placeholder ({number}, {app}, {question} or {url}). */
void dt_words_put(dt_config const *c, dt_words w, char const *value, dt_buf *out);

#endif
