/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies, and what Okta and sshd say, as several of the test_signon_*.c use them. */
#ifndef TESTS_SIGNON_POLICIES_H
#define TESTS_SIGNON_POLICIES_H

/* A rule about the device's trust; one about people. */
#define RULE(name, priority, trust, action)                                                        \
    "{\"name\":\"" name "\",\"priority\":" priority ",\"status\":\"ACTIVE\","                      \
    "\"conditions\":{\"device\":{\"trust\":\"" trust "\"}},\"actions\":{\"appSignOn\":" action     \
    "}}"
#define PEOPLE(name, priority, people, action)                                                     \
    "{\"name\":\"" name "\",\"priority\":" priority ",\"status\":\"ACTIVE\",\"conditions\":{"      \
    "\"people\":" people "},\"actions\":{\"appSignOn\":" action "}}"
#define ALLOW "{\"access\":\"ALLOW\"}"
#define DENY "{\"access\":\"DENY\"}"
#define MFA(frequency)                                                                             \
    "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"" frequency "\",\"factors\":"      \
    "[\"push\",\"token:software:totp\"]}}"
#define CATCH_ALL                                                                                  \
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},"                  \
    "\"actions\":{\"appSignOn\":" DENY "}}"
#define POLICY(rules)                                                                              \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" rules "," CATCH_ALL "]}"

extern char const GUIDE[]; /* a trusted device gets in, one that is not is asked every time */
extern char const DAILY[]; /* both are asked once a day */
extern char const ONLY_TRUSTED[]; /* nobody else gets in */
extern char const GROUPS[];       /* whoever is in Staff gets in */

extern char const SSH_INFO[];          /* SSH_AUTH_INFO_0 with one key */
extern char const OKTA_FACTORS_MANY[]; /* two pushes, three authenticators */

/* A link to a transaction of ann's push, and one to somebody else's. */
#define TRANSACTION "https://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/t"
#define STRANGERS "https://example.okta.com/api/v1/users/00u2/factors/opf9/transactions/t"

#endif
