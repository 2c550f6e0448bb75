/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes names and tables of names. The first byte chooses: a name or a table. An identity that is made holds together, and making it again of its own login gives the same
 * login. */
#include "core/ruleset/identity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static dt_config *config;

static void set(char const *key, char const *value)
{
    dt_error e = {0};
    if (dt_config_set(config, "fuzz", 1, "user_name", key, value, &e) < 0)
        abort();
}

static void check_text(char const *s, size_t size)
{
    if (strnlen(s, size) == size)
        abort();
    for (; *s != '\0'; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '\\' || (*s >= 'A' && *s <= 'Z'))
            abort();
}

static void check_name(char const *text)
{
    dt_user_name n = {.text = text}, again;
    char key[DT_IDENTITY_KEY_MAX], short_login[DT_LOGIN_MAX];
    dt_identity id, other;
    dt_error e = {0};
    int rc = dt_identity_make(config, NULL, &n, &id, &e);

    if ((rc == 0) != (id.kind != DT_IDENTITY_NONE) || (rc < 0 && e.text[0] == '\0'))
        abort();
    if (rc < 0)
        return;
    check_text(id.realm, sizeof(id.realm));
    check_text(id.login, sizeof(id.login));
    dt_identity_key(&id, key);
    dt_identity_short(config, &id, short_login);
    if ((id.kind == DT_IDENTITY_MACHINE) != (id.login[0] == '\0') || id.local[0] == '\0')
        abort();
    again = (dt_user_name){.text = id.login};
    if (id.kind == DT_IDENTITY_PERSON && strlen(id.login) < DT_USER_MAX &&
        (dt_identity_make(config, NULL, &again, &other, &e) < 0 || !dt_identity_equal(&id, &other)))
        abort();
}

static void check_table(dt_bytes text)
{
    dt_user_table *t = NULL;
    dt_error e = {0};
    int rc = dt_user_table_parse(config, "fuzz", text, &t, &e);

    if ((rc == 0) != (t != NULL))
        abort();
    (void)dt_user_table_find(t, "ann", "");
    dt_user_table_free(&t);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    char *text;
    dt_error e = {0};

    if (config == NULL) {
        if (dt_config_new(&config, &e) < 0)
            abort();
        set("login_suffix", "@example.com");
        /* Each suffix is a realm of its own, so that a login is a name. */
        set("realms", "EXAMPLE -> @example.com, PARTNER -> @partner.example, partner.example -> "
                      "@partner.example");
    }
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        check_table(dt_bytes_of(data + 1, size - 1));
        return 0;
    }
    text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    check_name(text);
    free(text);
    return 0;
}
