/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config/messages.h"

#include <string.h>

#define NUMBER "{number}"
#define APP "{app}"
#define QUESTION "{question}"
#define URL "{url}"
#define CODE "{code}"

typedef struct row {
    char const *name, *text;
} row;

static row const rows[] = {
#define X(NAME, text) {#NAME, text},
    DT_WORDS(X)
#undef X
};

dt_words dt_words_find(char const *name)
{
    for (int w = DT_WORDS_NONE + 1; w < DT_WORDS_COUNT; w++) {
        if (strcmp(rows[w].name, name) == 0)
            return (dt_words)w;
    }
    return DT_WORDS_NONE;
}

char const *dt_words_text(dt_config const *c, dt_words w)
{
    if (w <= DT_WORDS_NONE || w >= DT_WORDS_COUNT)
        return "";
    for (size_t i = 0; c != NULL && i < c->message_count; i++) {
        if (strcmp(c->messages[i]->name, rows[w].name) == 0 && *c->messages[i]->texts[0] != '\0')
            return c->messages[i]->texts[0];
    }
    return rows[w].text;
}

static char const *placeholder(dt_words w)
{
    switch (w) {
    case DT_WORDS_PROMPT_NUMBER:
        return NUMBER;
    case DT_WORDS_PROMPT_PASSCODE:
    case DT_WORDS_PROMPT_CODE:
    case DT_WORDS_PROMPT_OFFER_CODE:
    case DT_WORDS_PROMPT_MENU_PUSH:
    case DT_WORDS_PROMPT_MENU_PASSCODE:
    case DT_WORDS_PROMPT_MENU_CODE:
    case DT_WORDS_NOTE_BROWSER:
        return APP;
    case DT_WORDS_PROMPT_QUESTION:
        return QUESTION;
    case DT_WORDS_NOTE_ENROLL:
    case DT_WORDS_PROMPT_BROWSER:
        return URL;
    case DT_WORDS_PROMPT_BROWSER_CODE:
        return CODE;
    default:
        return "";
    }
}

static bool has_other_braces(char const *text, char const *allowed)
{
    for (text += strcspn(text, "{}"); *text != '\0'; text += strcspn(text, "{}")) {
        if (*allowed == '\0' || strncmp(text, allowed, strlen(allowed)) != 0)
            return true;
        text += strlen(allowed);
    }
    return false;
}

char const *dt_words_fault(dt_words w, char const *text)
{
    char const *number = strstr(text, NUMBER), *code = strstr(text, CODE);

    if (has_other_braces(text, placeholder(w)))
        return "contains an unknown placeholder; only {number} in PROMPT_NUMBER, {app} in "
               "PROMPT_PASSCODE, PROMPT_CODE, PROMPT_OFFER_CODE, PROMPT_MENU_* and NOTE_BROWSER, "
               "{question} in PROMPT_QUESTION, {code} in PROMPT_BROWSER_CODE and {url} in "
               "PROMPT_BROWSER and NOTE_ENROLL are known";
    if (w == DT_WORDS_PROMPT_NUMBER && *text != '\0' &&
        (number == NULL || number - text > DT_WORDS_NUMBER_MAX))
        return "must contain {number} within its first 30 bytes: later text may be off the screen";
    if (w == DT_WORDS_PROMPT_BROWSER_CODE && *text != '\0' &&
        (code == NULL || code - text > DT_WORDS_NUMBER_MAX))
        return "must contain {code} within its first 30 bytes: later text may be off the screen";
    if (w == DT_WORDS_PROMPT_BROWSER && *text != '\0' && strstr(text, URL) == NULL)
        return "must contain {url}: without it nobody knows where to enter the code";
    if (strlen(text) > DT_WORDS_MAX)
        return "is too long; at most 253 bytes are allowed";
    return NULL;
}

void dt_words_put(dt_config const *c, dt_words w, char const *value, dt_buf *out)
{
    char const *text = dt_words_text(c, w);
    char const *at = *placeholder(w) != '\0' ? strstr(text, placeholder(w)) : NULL;

    if (at == NULL) {
        dt_buf_put_escaped(out, dt_bytes_str(text));
        return;
    }
    dt_buf_put_escaped(out, dt_bytes_of(text, (size_t)(at - text)));
    dt_buf_put_escaped(out, dt_bytes_str(value));
    dt_buf_put_escaped(out, dt_bytes_str(at + strlen(placeholder(w))));
}
