/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts that more than one program shows people, in the same words. Includes nothing. */
#ifndef DT_CORE_TEXTS_H
#define DT_CORE_TEXTS_H

/* Every refusal of somebody who has not shown their Okta password, whatever refused: account, rule,
 * device or password. */
#define DT_TEXT_REFUSED "The sign-on was refused. Check your user name and your Okta password."

/* The daemon cannot be asked: shown by the PAM module itself. */
#define DT_TEXT_UNREACHABLE                                                                        \
    "The sign-on could not be checked: devtrust cannot be reached. Your password is not the "      \
    "reason. Try again later, or tell your administrator."

/* MFA is due where nobody can be asked: no terminal, no conversation, a key alone. */
#define DT_TEXT_NO_PROMPT                                                                          \
    "Verification with Okta is required, but no prompt can be shown here. Sign on where one can "  \
    "be "                                                                                          \
    "shown, or from a trusted device."

#endif
