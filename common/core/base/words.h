/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that every layer uses: sources of evidence, platforms, factors, and the reasons of a verdict. */
#ifndef DT_CORE_WORDS_H
#define DT_CORE_WORDS_H

#include "core/base/bytes.h"

/* A word of a configuration or a policy, and what it stands for. */
typedef struct dt_config_word {
    char const *word;
    int value;
} dt_config_word;

/* Where evidence comes from; a bit each, so that a set of sources is one number. */
typedef enum dt_source {
    DT_SOURCE_NONE = 0,
    DT_SOURCE_CERTIFICATE = 1 << 0,
    DT_SOURCE_SSH_KEY = 1 << 1,
    DT_SOURCE_INTUNE = 1 << 2,
    DT_SOURCE_VPN_CLIENT = 1 << 3,
    DT_SOURCE_SSH_CERTIFICATE = 1 << 4,
    DT_SOURCE_SSH_AGENT = 1 << 5,
    DT_SOURCE_OKTA_DEVICE = 1 << 6,
    DT_SOURCE_MANAGEMENT_HINT = 1 << 7,
    DT_SOURCE_REGISTRY = 1 << 8,
} dt_source;
/* "certificate", "ssh-key", "intune", "vpn-client", ...; NULL for anything else. */
char const *dt_source_name(dt_source s);

typedef enum dt_platform {
    DT_PLATFORM_UNKNOWN = 0,
    DT_PLATFORM_WINDOWS = 1 << 0,
    DT_PLATFORM_MACOS = 1 << 1,
    DT_PLATFORM_LINUX = 1 << 2,
    DT_PLATFORM_CHROMEOS = 1 << 3,
    DT_PLATFORM_OTHER_DESKTOP = 1 << 4,
    DT_PLATFORM_IOS = 1 << 5,
    DT_PLATFORM_ANDROID = 1 << 6,
    DT_PLATFORM_OTHER_MOBILE = 1 << 7,
} dt_platform;
#define DT_PLATFORM_ANY_DESKTOP 0x1f
#define DT_PLATFORM_ANY_MOBILE 0xe0
/* What the word OTHER of a platform condition means; of a desktop Okta's console shows it as "Other
 * desktop (such as Linux)", so a rule for it holds for Linux, too. */
#define DT_PLATFORM_OTHER_OF_OKTA                                                                  \
    (DT_PLATFORM_OTHER_DESKTOP | DT_PLATFORM_OTHER_MOBILE | DT_PLATFORM_LINUX)
/* "windows", ... lower case; "unknown" for 0. */
char const *dt_platform_name(dt_platform p);
/* True for a single platform, or DT_PLATFORM_UNKNOWN; false for a set of them, and for any other
 * number. */
bool dt_platform_is_one(int64_t p);
/* From an inventory's free text ("Windows", "macOS", "Linux (ubuntu)", "iPadOS", "Android"). */
dt_platform dt_platform_from_text(char const *os);
bool dt_platform_is_mobile(dt_platform p);

/* What a factor is: Okta's factorType and provider together; a bit each. A provider that is not here is
 * another factor, which this version does not do. Bit 1 was a TOTP of whatever provider in records of
 * earlier versions: it stays nothing. Each has a name, its bit, Okta's factorType and provider, what people call
 * it, and the row that asks for it (core/signon/conversation.h). Of several that a person has, what comes first
 * here is asked for first. */
#define DT_FACTORS(X)                                                                              \
    X(PUSH, 0, "push", "OKTA", "Okta Verify", push)                                                \
    X(TOTP, 2, "token:software:totp", "OKTA", "Okta Verify", passcode)                             \
    X(TOTP_GOOGLE, 3, "token:software:totp", "GOOGLE", "Google Authenticator", passcode)           \
    X(HOTP, 4, "token:hotp", "CUSTOM", "Token", passcode)                                          \
    X(SYMANTEC, 5, "token", "SYMANTEC", "Symantec VIP", passcode)                                  \
    X(YUBIKEY, 6, "token:hardware", "YUBICO", "YubiKey", yubikey)                                  \
    X(RSA, 7, "token", "RSA", "RSA SecurID", token)                                                \
    X(SMS, 8, "sms", "OKTA", "SMS", code)                                                          \
    X(CALL, 9, "call", "OKTA", "phone call", code)                                                 \
    X(EMAIL, 10, "email", "OKTA", "email", code)                                                   \
    X(QUESTION, 11, "question", "OKTA", "security question", question)                             \
    X(BROWSER, 12, "browser", "OKTA", "browser", push)
/* The words that stand for a factorType of every provider. */
#define DT_FACTOR_KINDS(X)                                                                         \
    X("push", DT_FACTOR_PUSH)                                                                      \
    X("token:software:totp", DT_FACTOR_TOTPS)                                                      \
    X("token:hotp", DT_FACTOR_HOTP)                                                                \
    X("token", DT_FACTOR_SYMANTEC | DT_FACTOR_RSA)                                                 \
    X("token:hardware", DT_FACTOR_YUBIKEY)                                                         \
    X("sms", DT_FACTOR_SMS)                                                                        \
    X("call", DT_FACTOR_CALL)                                                                      \
    X("email", DT_FACTOR_EMAIL)                                                                    \
    X("question", DT_FACTOR_QUESTION)                                                              \
    X("browser", DT_FACTOR_BROWSER)

/* The words by which a person chooses one: "password,sms", and at the menu. With a digit, "push2", the second one of
 * them. */
#define DT_FACTOR_CHOICES(X)                                                                       \
    X("push", DT_FACTOR_PUSH)                                                                      \
    X("sms", DT_FACTOR_SMS)                                                                        \
    X("call", DT_FACTOR_CALL)                                                                      \
    X("phone", DT_FACTOR_CALL)                                                                     \
    X("email", DT_FACTOR_EMAIL)

typedef enum dt_factor_type {
    DT_FACTOR_NONE = 0,
#define X(NAME, bit, type, provider, app, row) DT_FACTOR_##NAME = 1 << (bit),
    DT_FACTORS(X)
#undef X
#define X(NAME, bit, type, provider, app, row) | DT_FACTOR_##NAME
        DT_FACTOR_ALL = 0 DT_FACTORS(X),
#undef X
} dt_factor_type;
#define DT_FACTOR_TOTPS (DT_FACTOR_TOTP | DT_FACTOR_TOTP_GOOGLE)
/* What a rule takes that names none: something that the person has. A security question is something that the
 * person knows, as the password is, so a rule has to name it. */
#define DT_FACTOR_POSSESSION ((unsigned)DT_FACTOR_ALL & ~(unsigned)DT_FACTOR_QUESTION)
/* Factors that are approved elsewhere, while Okta is polled. The browser is not in Okta's list of a person's factors:
 * it is what okta_way = browser asks for, and only that. */
#define DT_FACTOR_APPROVED ((unsigned)(DT_FACTOR_PUSH | DT_FACTOR_BROWSER))
#define DT_FACTOR_LISTED ((unsigned)DT_FACTOR_ALL & ~(unsigned)DT_FACTOR_BROWSER)
/* Factors for which a code is sent. */
#define DT_FACTOR_CODES (DT_FACTOR_SMS | DT_FACTOR_CALL | DT_FACTOR_EMAIL)
/* Okta's factorType: "push", "token:software:totp"; NULL for anything else. */
char const *dt_factor_name(dt_factor_type f);
/* Okta's provider: "OKTA", "GOOGLE"; NULL for anything else. */
char const *dt_factor_provider(dt_factor_type f);
/* What people call it: "Okta Verify", "Google Authenticator"; NULL for anything else. */
char const *dt_factor_app(dt_factor_type f);
/* The factor that has both; DT_FACTOR_NONE when none has, or one of them is NULL. */
dt_factor_type dt_factor_of(char const *type, char const *provider);
/* The words of configurations and policies: a factorType for those of every provider, or with "/" and
 * the provider one of them alone. Ends with NULL. */
extern dt_config_word const dt_factor_words[];
/* The bits of such a word; 0 for any other. */
unsigned dt_factor_word_bits(char const *word);
/* Takes out of *bits what the shortest word for some of them says, and returns it; NULL when there is
 * none left. */
char const *dt_factor_word_next(unsigned *bits);

/* Sources that count only when a key was used in this very sign-on. */
#define DT_SOURCES_WITH_KEY                                                                        \
    (DT_SOURCE_CERTIFICATE | DT_SOURCE_SSH_KEY | DT_SOURCE_SSH_CERTIFICATE | DT_SOURCE_SSH_AGENT)
/* Sources that are asked about a device that others name: no answer is UNKNOWN. */
#define DT_SOURCES_LOOKED_UP (DT_SOURCE_INTUNE | DT_SOURCE_OKTA_DEVICE | DT_SOURCE_REGISTRY)
/* Those among them that a service is asked about, whose answers are cached. */
#define DT_SOURCES_ASKED (DT_SOURCE_INTUNE | DT_SOURCE_OKTA_DEVICE)
/* Every source there is: a set with another bit never holds. */
#define DT_SOURCES_ALL                                                                             \
    (DT_SOURCES_WITH_KEY | DT_SOURCES_LOOKED_UP | DT_SOURCE_VPN_CLIENT | DT_SOURCE_MANAGEMENT_HINT)
/* Sources that speak of this host and name no device. */
#define DT_SOURCES_OF_HOST DT_SOURCE_MANAGEMENT_HINT

/* Why a device is what it is. 0 is "no reason known", which never goes with TRUSTED. */
typedef enum dt_reason {
    DT_REASON_NONE = 0,
    DT_REASON_TRUSTED,
    DT_REASON_NO_CERTIFICATE,
    DT_REASON_CERTIFICATE_EXPIRED,
    DT_REASON_CERTIFICATE_NOT_YET_VALID,
    DT_REASON_CERTIFICATE_REVOKED,
    DT_REASON_CERTIFICATE_INVALID, /* unreadable, wrong key usage, weak key, no device id */
    DT_REASON_UNTRUSTED_ISSUER,
    DT_REASON_WRONG_TENANT,
    DT_REASON_NO_PROOF_OF_POSSESSION,
    DT_REASON_NOT_ENROLLED,
    DT_REASON_NOT_COMPLIANT,
    DT_REASON_IN_GRACE_PERIOD,
    DT_REASON_NOT_MANAGED,
    DT_REASON_DEVICE_DEACTIVATED,
    DT_REASON_MANAGEMENT_HINT_MISMATCH,
    DT_REASON_PLATFORM_NOT_ENABLED,
    DT_REASON_STALE,
    DT_REASON_LOOKUP_UNAVAILABLE,
    DT_REASON_KEY_NOT_HARDWARE, /* ssh_require_hardware_key, and the key is not an sk- key */
    DT_REASON_NOT_OWNER, /* require_owner, and Intune names another user of the device, or none */
    DT_REASON_COUNT,     /* not a reason */
} dt_reason;
/* "NO_CERTIFICATE", ...; "NONE" for 0. Never NULL. */
char const *dt_reason_name(dt_reason r);

#endif
