/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See news.h. */
#include "core/signals/news.h"

#include "core/base/guid.h"
#include "core/base/json.h"
#include "core/base/time_text.h"
#include "core/base/utf8.h"
#include "core/okta/okta.h"

#include <string.h>

#define LINE_VERSION 1
#define LINE_MEMBERS 7

#define DT_NEWS_WORD(NAME, word) {word, DT_NEWS_##NAME},
static dt_config_word const sources[] = {DT_NEWS_SOURCES(DT_NEWS_WORD){NULL, 0}};
static dt_config_word const abouts[] = {DT_NEWS_ABOUTS(DT_NEWS_WORD){NULL, 0}};
static dt_config_word const whats[] = {DT_NEWS_WHATS(DT_NEWS_WORD){NULL, 0}};
#undef DT_NEWS_WORD

static char const *word_of(dt_config_word const *words, int value)
{
    for (; words->word != NULL; words++)
        if (words->value == value)
            return words->word;
    return NULL;
}

static int value_of(dt_config_word const *words, char const *word)
{
    for (; words->word != NULL && word != NULL; words++)
        if (strcmp(words->word, word) == 0)
            return words->value;
    return 0;
}

char const *dt_news_source_word(dt_news_source s)
{
    return word_of(sources, (int)s);
}

char const *dt_news_about_word(dt_news_about a)
{
    return word_of(abouts, (int)a);
}

char const *dt_news_what_word(dt_news_what w)
{
    return word_of(whats, (int)w);
}

/* A login that names one person: visible text without blanks, which is not cut. */
static bool is_login(char const *id)
{
    size_t const len = strnlen(id, DT_LOGIN_MAX);
    uint32_t point = 0;
    for (size_t i = 0; i < len;) {
        size_t const n = dt_utf8_decode((uint8_t const *)id + i, len - i, &point);
        if (n == 0 || point == ' ' || !dt_utf8_is_shown(point))
            return false;
        i += n;
    }
    return len > 0 && len < DT_LOGIN_MAX;
}

static int set_id(dt_news *n, char const *id)
{
    dt_guid guid;
    switch (n->about) {
    case DT_NEWS_ENTRA_DEVICE:
    case DT_NEWS_INTUNE_DEVICE:
        if (dt_guid_parse(dt_bytes_str(id), &guid) != DT_OK)
            return DT_E_INVALID;
        return dt_str_copy(n->id, sizeof(n->id), guid.text);
    case DT_NEWS_OKTA_DEVICE:
    case DT_NEWS_OKTA_USER:
        return dt_okta_is_id(id) ? dt_str_copy(n->id, sizeof(n->id), id) : DT_E_INVALID;
    case DT_NEWS_LOGIN:
        return is_login(id) ? dt_str_copy(n->id, sizeof(n->id), id) : DT_E_INVALID;
    case DT_NEWS_ABOUT_NONE:
        break;
    }
    return DT_E_INVALID;
}

/* A time that RFC 3339 can say with four digits of a year. */
static bool is_time(dt_time t)
{
    return t > 0 && t < DT_SECONDS(253370764800); /* the beginning of the year 9999 */
}

int dt_news_make(dt_news_source source, dt_news_about about, char const *id, dt_news_what what,
                 char const *reference, dt_time at, dt_news *out)
{
    memset(out, 0, sizeof(*out));
    dt_news n = {.at = at, .source = source, .about = about, .what = what};
    if (!is_time(at) || dt_news_source_word(source) == NULL || dt_news_what_word(what) == NULL ||
        id == NULL || set_id(&n, id) != DT_OK)
        return DT_E_INVALID;
    (void)dt_str_escape(n.reference, sizeof(n.reference), reference != NULL ? reference : "");
    *out = n;
    return DT_OK;
}

static void put_member(dt_buf *out, char const *name, char const *text)
{
    dt_buf_puts(out, ",\"");
    dt_buf_puts(out, name);
    dt_buf_puts(out, "\":");
    dt_json_put_string(out, text);
}

/* Whether this is what dt_news_make made: fields that somebody set otherwise do not leave this process. */
static bool is_whole(dt_news const *n)
{
    dt_news again;
    return memchr(n->id, '\0', sizeof(n->id)) != NULL &&
           memchr(n->reference, '\0', sizeof(n->reference)) != NULL &&
           dt_news_make(n->source, n->about, n->id, n->what, n->reference, n->at, &again) ==
               DT_OK &&
           strcmp(again.id, n->id) == 0;
}

int dt_news_put_line(dt_news const *n, dt_buf *out)
{
    char at[25];
    if (!is_whole(n))
        return DT_E_INVALID;
    size_t const before = out->len;
    dt_time_format(at, n->at);
    dt_buf_puts(out, "{\"v\":");
    dt_buf_put_int(out, LINE_VERSION);
    put_member(out, "at", at);
    put_member(out, "source", dt_news_source_word(n->source));
    put_member(out, "about", dt_news_about_word(n->about));
    put_member(out, "id", n->id);
    put_member(out, "what", dt_news_what_word(n->what));
    put_member(out, "ref", n->reference);
    dt_buf_puts(out, "}\n");
    if (dt_buf_error(out) != DT_OK)
        dt_buf_truncate(out, before);
    return dt_buf_error(out);
}

static int read_members(dt_json const *root, dt_news *out)
{
    int64_t version = 0;
    dt_time at = 0;
    char const *time = dt_json_string(dt_json_get(root, "at"));
    char const *reference = dt_json_string(dt_json_get(root, "ref"));
    if (dt_json_typeof(root) != DT_JSON_OBJECT || dt_json_size(root) != LINE_MEMBERS ||
        !dt_json_integer(dt_json_get(root, "v"), &version) || version != LINE_VERSION ||
        time == NULL || dt_time_parse(time, &at) != DT_OK || reference == NULL ||
        strlen(reference) >= DT_NEWS_REFERENCE_MAX)
        return DT_E_PARSE;
    int const rc =
        dt_news_make((dt_news_source)value_of(sources, dt_json_string(dt_json_get(root, "source"))),
                     (dt_news_about)value_of(abouts, dt_json_string(dt_json_get(root, "about"))),
                     dt_json_string(dt_json_get(root, "id")),
                     (dt_news_what)value_of(whats, dt_json_string(dt_json_get(root, "what"))),
                     reference, at, out);
    return rc == DT_OK ? DT_OK : DT_E_PARSE;
}

int dt_news_read_line(dt_bytes line, dt_news *out)
{
    dt_json *root = NULL;
    memset(out, 0, sizeof(*out));
    int rc = line.len > DT_NEWS_LINE_MAX ? DT_E_LIMIT : dt_json_parse(line, &root, NULL);
    if (rc == DT_OK)
        rc = read_members(root, out);
    dt_json_free(&root);
    return rc;
}
