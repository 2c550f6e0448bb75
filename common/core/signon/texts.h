/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people are told by more than one program, in the same words. Needs nothing. */
#ifndef DT_CORE_TEXTS_H
#define DT_CORE_TEXTS_H

/* Every refusal of somebody who has not shown their Okta password, whatever refused: account, rule,
 * device or password. */
#define DT_TEXT_REFUSED "The sign-on was refused. Check your user name and your Okta password."

#endif
