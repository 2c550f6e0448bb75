/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches names by patterns. All patterns are followed side by side, one character after the other:
 * where each of them can be in its text is a state, and a state is looked at once. So the search ends,
 * and the first name that it finds is a shortest. */
#include "devtrustctl/prove/prove_pattern.h"

#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX 256
#define SYMBOL_BYTES 4
#define REALM_SYMBOLS "abcdefghijklmnopqrstuvwxyz0123456789.-"

typedef struct symbol {
    char bytes[SYMBOL_BYTES];
    uint8_t len;
} symbol;

typedef struct seen {
    size_t from; /* the state before */
    uint16_t symbol;
    uint16_t length; /* bytes of the name so far */
    bool login;      /* after the at sign */
    size_t name_end; /* bytes of the name, when after it */
} seen;

typedef struct search {
    dt_pattern_question const *q;
    symbol symbols[SYMBOLS_MAX];
    size_t symbol_count;
    size_t positions, words; /* of a state */
    size_t *first;           /* position of each pattern's beginning */
    uint64_t *states;        /* words each */
    seen *seen;
    size_t count;
    uint32_t *table; /* hash table of states */
    size_t table_size;
    bool limit;
} search;

/* --- characters -------------------------------------------------------------------------------- */

static size_t character(char const *text)
{
    size_t n = 1;

    while (n < SYMBOL_BYTES && ((unsigned char)text[0] & 0xc0) == 0xc0 &&
           ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void symbol_add(search *s, char const *text, size_t len)
{
    for (size_t i = 0; i < s->symbol_count; i++)
        if (s->symbols[i].len == len && memcmp(s->symbols[i].bytes, text, len) == 0)
            return;
    if (s->symbol_count == SYMBOLS_MAX) {
        s->limit = true;
        return;
    }
    memcpy(s->symbols[s->symbol_count].bytes, text, len);
    s->symbols[s->symbol_count++].len = (uint8_t)len;
}

/* Characters that patterns have, and one letter that none has: it stands for all others. */
static void symbols_collect(search *s)
{
    static char const letters[] = "xyzqjkwvabcdefghilmnoprstu0123456789_-.";
    char const *fresh = letters;

    for (size_t i = 0; i < s->q->count; i++)
        for (char const *p = s->q->patterns[i]; *p != '\0'; p += character(p))
            if (*p != '*' && *p != '?')
                symbol_add(s, p, character(p));
    for (; *fresh != '\0'; fresh++) {
        bool used = false;
        for (size_t i = 0; i < s->symbol_count; i++)
            used = used || s->symbols[i].bytes[0] == *fresh;
        if (!used)
            break;
    }
    if (*fresh == '\0')
        s->limit = true;
    else
        symbol_add(s, fresh, 1);
    if (s->q->login != NULL)
        symbol_add(s, "@", 1);
}

/* --- states ------------------------------------------------------------------------------------ */

static bool has(uint64_t const *state, size_t position)
{
    return (state[position / 64] >> position % 64 & 1) != 0;
}

/* Marks a place of a pattern, and those after the stars there: a star may stand for nothing. */
static void mark(search const *s, uint64_t *state, size_t pattern, size_t at)
{
    char const *text = s->q->patterns[pattern];

    for (;; at++) {
        size_t position = s->first[pattern] + at;
        state[position / 64] |= UINT64_C(1) << position % 64;
        if (text[at] != '*')
            return;
    }
}

static void advance(search const *s, uint64_t const *from, symbol const *c, uint64_t *to)
{
    memset(to, 0, s->words * sizeof(*to));
    for (size_t p = 0; p < s->q->count; p++) {
        char const *text = s->q->patterns[p];
        size_t len = strlen(text);
        for (size_t at = 0; at < len; at++) {
            if (!has(from, s->first[p] + at))
                continue;
            if (text[at] == '*')
                mark(s, to, p, at);
            else if (text[at] == '?')
                mark(s, to, p, at + 1);
            else if (strncmp(text + at, c->bytes, c->len) == 0)
                mark(s, to, p, at + c->len);
        }
    }
}

static bool state_is_wanted(search const *s, uint64_t const *state, uint8_t const *want)
{
    for (size_t p = 0; p < s->q->count; p++) {
        bool like = has(state, s->first[p] + strlen(s->q->patterns[p]));
        if ((want[p] == DT_LIKE_YES && !like) || (want[p] == DT_LIKE_NO && like))
            return false;
    }
    return true;
}

/* No end of this name is like a pattern that it has to be like. */
static bool is_lost(search const *s, uint64_t const *state, uint8_t const *want)
{
    for (size_t p = 0; p < s->q->count; p++) {
        bool any = false;
        for (size_t at = 0; want[p] == DT_LIKE_YES && !any && at <= strlen(s->q->patterns[p]); at++)
            any = has(state, s->first[p] + at);
        if (want[p] == DT_LIKE_YES && !any)
            return true;
    }
    return false;
}

static uint64_t *state_at(search const *s, size_t i)
{
    return s->states + i * s->words;
}

/* Adds the state after the last, unless it was seen. */
static void state_keep(search *s, seen how)
{
    uint64_t const *state = state_at(s, s->count);
    uint64_t h = how.login;
    size_t at;

    for (size_t i = 0; i < s->words; i++)
        h = (h ^ state[i]) * UINT64_C(0x9e3779b97f4a7c15), h ^= h >> 30;
    for (at = h & (s->table_size - 1); s->table[at] != 0; at = (at + 1) & (s->table_size - 1)) {
        size_t other = s->table[at] - 1;
        if (s->seen[other].login == how.login &&
            memcmp(state_at(s, other), state, s->words * sizeof(*state)) == 0)
            return;
    }
    s->table[at] = (uint32_t)s->count + 1;
    s->seen[s->count++] = how;
}

/* --- the search -------------------------------------------------------------------------------- */

static bool may_be_in_realm(symbol const *c)
{
    return c->len == 1 && c->bytes[0] != '\0' && strchr(REALM_SYMBOLS, c->bytes[0]) != NULL;
}

static void expand(search *s, size_t i)
{
    seen const from = s->seen[i];
    uint8_t const *want = s->q->login != NULL ? s->q->login : s->q->name;
    bool name_fits = s->q->begin == NULL && !from.login && from.length > 0 &&
                     state_is_wanted(s, state_at(s, i), s->q->name);

    for (size_t c = 0; c < s->symbol_count && !s->limit; c++) {
        symbol const *with = &s->symbols[c];
        bool at_sign = with->len == 1 && with->bytes[0] == '@';
        seen next = {i, (uint16_t)c, (uint16_t)(from.length + with->len), from.login,
                     from.name_end};
        if (next.length >= DT_GROUP_NAME_MAX - 1 || (from.login && !may_be_in_realm(with)))
            continue;
        if (s->q->login != NULL && at_sign && !from.login) {
            if (!name_fits)
                continue;
            next.login = true;
            next.name_end = from.length;
        }
        if (s->count == DT_PATTERN_STATES) {
            s->limit = true;
            return;
        }
        advance(s, state_at(s, i), with, state_at(s, s->count));
        if (!is_lost(s, state_at(s, s->count), want))
            state_keep(s, next);
    }
}

static bool is_end(search const *s, size_t i)
{
    seen const *n = &s->seen[i];

    if (s->q->login == NULL)
        return n->length > 0 && state_is_wanted(s, state_at(s, i), s->q->name);
    return n->login && n->length > n->name_end + 1 &&
           state_is_wanted(s, state_at(s, i), s->q->login);
}

static void text_make(search const *s, size_t i, char name[DT_GROUP_NAME_MAX],
                      char login[DT_GROUP_NAME_MAX])
{
    size_t end = s->seen[i].name_end, len = s->seen[i].length;
    char *out = s->q->login != NULL ? login : name;

    out[len] = '\0';
    for (size_t at = len; s->seen[i].length > 0 && s->seen[i].from != i; i = s->seen[i].from) {
        symbol const *c = &s->symbols[s->seen[i].symbol];
        at -= c->len;
        memcpy(out + at, c->bytes, c->len);
    }
    if (s->q->begin != NULL)
        memcpy(login, s->q->begin, strlen(s->q->begin)), login[strlen(s->q->begin)] = '@';
    else if (s->q->login != NULL) {
        memcpy(name, login, end);
        name[end] = '\0';
    }
}

/* The state before the first character, or after the name that is given. */
static void begin(search *s)
{
    seen first = {0};

    memset(state_at(s, 0), 0, s->words * sizeof(uint64_t));
    for (size_t p = 0; p < s->q->count; p++)
        mark(s, state_at(s, 0), p, 0);
    if (s->q->begin != NULL) {
        char const *text = s->q->begin;
        symbol at_sign = {"@", 1};
        for (size_t n; *text != '\0'; text += n) {
            symbol c = {.len = (uint8_t)character(text)};
            n = c.len;
            memcpy(c.bytes, text, n);
            advance(s, state_at(s, 0), &c, state_at(s, 1));
            memcpy(state_at(s, 0), state_at(s, 1), s->words * sizeof(uint64_t));
        }
        advance(s, state_at(s, 0), &at_sign, state_at(s, 1));
        memcpy(state_at(s, 0), state_at(s, 1), s->words * sizeof(uint64_t));
        first.login = true;
        first.name_end = strlen(s->q->begin);
        first.length = (uint16_t)(first.name_end + 1);
    }
    state_keep(s, first);
}

static bool room_make(search *s)
{
    s->first = calloc(s->q->count + 1, sizeof(*s->first));
    for (size_t i = 0; s->first != NULL && i < s->q->count; i++) {
        s->first[i] = s->positions;
        s->positions += strlen(s->q->patterns[i]) + 1;
    }
    if (s->first == NULL || s->q->count > DT_PATTERN_NAMES_MAX ||
        s->positions > DT_PATTERN_POSITIONS)
        return false;
    s->words = s->positions / 64 + 1;
    s->table_size = 32768;
    _Static_assert(2 * DT_PATTERN_STATES < 32768, "the table is never full");
    s->states = calloc((DT_PATTERN_STATES + 1) * s->words, sizeof(*s->states));
    s->seen = calloc(DT_PATTERN_STATES + 1, sizeof(*s->seen));
    s->table = calloc(s->table_size, sizeof(*s->table));
    return s->states != NULL && s->seen != NULL && s->table != NULL;
}

static dt_pattern_answer run(search *s, char name[DT_GROUP_NAME_MAX], char login[DT_GROUP_NAME_MAX])
{
    symbols_collect(s);
    begin(s);
    for (size_t i = 0; i < s->count && !s->limit; i++) {
        if (is_end(s, i)) {
            text_make(s, i, name, login);
            return DT_PATTERN_FOUND;
        }
        expand(s, i);
    }
    return s->limit ? DT_PATTERN_LIMIT : DT_PATTERN_NONE;
}

dt_pattern_answer dt_pattern_find(dt_pattern_question const *q, char name[DT_GROUP_NAME_MAX],
                                  char login[DT_GROUP_NAME_MAX])
{
    search *s = calloc(1, sizeof(*s));
    dt_pattern_answer answer = DT_PATTERN_LIMIT;

    if (s == NULL)
        return answer;
    s->q = q;
    if (room_make(s))
        answer = run(s, name, login);
    free(s->first);
    free(s->states);
    free(s->seen);
    free(s->table);
    free(s);
    return answer;
}
