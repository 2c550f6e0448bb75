/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/pam_stack.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE (4 * DT_PAM_STATES_MAX) /* a power of two */

/* By the number of the return value (pam(3)); also the words of a [...] control. */
static char const *const code_names[DT_PAM_CODES] = {"success",
                                                     "open_err",
                                                     "symbol_err",
                                                     "service_err",
                                                     "system_err",
                                                     "buf_err",
                                                     "perm_denied",
                                                     "auth_err",
                                                     "cred_insufficient",
                                                     "authinfo_unavail",
                                                     "user_unknown",
                                                     "maxtries",
                                                     "new_authtok_reqd",
                                                     "acct_expired",
                                                     "session_err",
                                                     "cred_unavail",
                                                     "cred_expired",
                                                     "cred_err",
                                                     "no_module_data",
                                                     "conv_err",
                                                     "authtok_err",
                                                     "authtok_recover_err",
                                                     "authtok_lock_busy",
                                                     "authtok_disable_aging",
                                                     "try_again",
                                                     "ignore",
                                                     "abort",
                                                     "authtok_expired",
                                                     "module_unknown",
                                                     "bad_item",
                                                     "conv_again",
                                                     "incomplete"};

char const *dt_pam_code_name(int code)
{
    return code >= 0 && code < DT_PAM_CODES ? code_names[code] : "";
}

/* --- control values ---------------------------------------------------------------------------- */

#define NOT_SET 0x7fff
#define JUMP_MAX 100000 /* further than any stack is long */

static void set_unset(int actions[DT_PAM_CODES], int action)
{
    for (int i = 0; i < DT_PAM_CODES; i++) {
        if (actions[i] == NOT_SET)
            actions[i] = action;
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(char const **at)
{
    while (is_space(**at))
        (*at)++;
}

static bool skip_word(char const **at, char const *word)
{
    size_t len = strlen(word);

    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* A code's number, DT_PAM_CODES for "default", -1. */
static int read_code(char const **at)
{
    for (int i = 0; i < DT_PAM_CODES; i++) {
        if (skip_word(at, code_names[i]))
            return i;
    }
    return skip_word(at, "default") ? DT_PAM_CODES : -1;
}

static bool read_action(char const **at, int *out)
{
    static char const *const words[] = {"ignore", "ok", "done", "bad", "die", "reset"};
    int jump = 0;

    for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++) {
        if (skip_word(at, words[i])) {
            *out = -i;
            return true;
        }
    }
    for (; **at >= '0' && **at <= '9'; (*at)++)
        jump = jump < JUMP_MAX ? jump * 10 + (**at - '0') : JUMP_MAX;
    *out = jump;
    return jump > 0;
}

static bool read_pair(char const **at, int actions[DT_PAM_CODES])
{
    int code = read_code(at), action;

    skip_space(at);
    if (code < 0 || !skip_word(at, "="))
        return false;
    skip_space(at);
    if (!read_action(at, &action))
        return false;
    if (code < DT_PAM_CODES)
        actions[code] = action;
    else
        set_unset(actions, action);
    return true;
}

static void parse_pairs(char const *at, int actions[DT_PAM_CODES])
{
    for (skip_space(&at); *at != '\0'; skip_space(&at)) {
        if (!read_pair(&at, actions)) {
            for (int i = 0; i < DT_PAM_CODES; i++)
                actions[i] = DT_PAM_DO_BAD;
            return;
        }
    }
}

void dt_pam_control_parse(char const *control, int actions[DT_PAM_CODES])
{
    static struct {
        char const *word;
        dt_pam_action success, ignore, other;
    } const known[] = {
        {"required", DT_PAM_DO_OK, DT_PAM_DO_IGNORE, DT_PAM_DO_BAD},
        {"requisite", DT_PAM_DO_OK, DT_PAM_DO_IGNORE, DT_PAM_DO_DIE},
        {"optional", DT_PAM_DO_OK, DT_PAM_DO_IGNORE, DT_PAM_DO_IGNORE},
        {"sufficient", DT_PAM_DO_DONE, DT_PAM_DO_IGNORE, DT_PAM_DO_IGNORE},
    };

    for (int i = 0; i < DT_PAM_CODES; i++)
        actions[i] = NOT_SET;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!dt_str_equal_nocase(control, known[i].word))
            continue;
        actions[DT_PAM_SUCCESS] = actions[DT_PAM_NEW_AUTHTOK_REQD] = known[i].success;
        actions[DT_PAM_IGNORE] = known[i].ignore;
        set_unset(actions, known[i].other);
        return;
    }
    parse_pairs(control, actions);
    set_unset(actions, DT_PAM_DO_BAD);
}

/* --- libpam's walk ----------------------------------------------------------------------------- */

typedef enum impression { NONE_YET = 0, POSITIVE, NEGATIVE } impression;

typedef struct opinion {
    uint8_t impression;
    uint8_t status;
} opinion;

/* Where the walk is. Compared as bytes: every member is set, and what does not count is 0. */
typedef struct state {
    uint16_t at;      /* the next line; the count at the end */
    uint8_t level;    /* of the line before */
    uint8_t devtrust; /* 0: not asked; 1: it has let in; 2: it has refused */
    opinion now;
    opinion saved[DT_PAM_LEVELS_MAX]; /* at the entry of each substack that is open */
} state;

enum { NOT_ASKED = 0, LET_IN, REFUSED };

static state state_first(void)
{
    state s;

    memset(&s, 0, sizeof(s));
    s.now.status = DT_PAM_PERM_DENIED;
    s.saved[0] = s.now;
    return s;
}

/* The last line of a group: `at` itself, or the end of the substack that begins there. */
static size_t group_end(dt_pam_stack const *p, size_t at, int level)
{
    while (at + 1 < p->count && p->lines[at + 1].level > level)
        at++;
    return at;
}

/* The last line that is passed over; *left is what could not be jumped within the stack. */
static size_t jump(dt_pam_stack const *p, size_t at, int *left)
{
    int level = p->lines[at].level;

    while (*left > 0 && at + 1 < p->count && p->lines[at + 1].level >= level) {
        at = group_end(p, at + 1, level);
        (*left)--;
    }
    return at;
}

/* Past all that belongs to this stack, or to this substack. */
static size_t last_of_level(dt_pam_stack const *p, size_t at)
{
    int level = p->lines[at].level;

    while (at + 1 < p->count && p->lines[at + 1].level >= level)
        at++;
    return at;
}

static void take_good(opinion *o, int code)
{
    if (o->impression == NONE_YET || (o->impression == POSITIVE && o->status == DT_PAM_SUCCESS)) {
        o->impression = POSITIVE;
        o->status = (uint8_t)code;
    }
}

static void take_bad(opinion *o, int code)
{
    if (o->impression == NEGATIVE)
        return;
    o->impression = NEGATIVE;
    o->status = (uint8_t)(code == DT_PAM_IGNORE ? DT_PAM_PERM_DENIED : code);
}

static size_t act(dt_pam_stack const *p, state *s, size_t at, int code)
{
    int action = p->lines[at].actions[code];

    switch (action) {
    case DT_PAM_DO_IGNORE:
        return at;
    case DT_PAM_DO_OK:
    case DT_PAM_DO_DONE:
        take_good(&s->now, code);
        return action == DT_PAM_DO_DONE && s->now.impression == POSITIVE ? last_of_level(p, at)
                                                                         : at;
    case DT_PAM_DO_BAD:
    case DT_PAM_DO_DIE:
        take_bad(&s->now, code);
        return action == DT_PAM_DO_DIE ? last_of_level(p, at) : at;
    case DT_PAM_DO_RESET:
        s->now = s->saved[p->lines[at].level];
        return at;
    default:
        at = jump(p, at, &action);
        if (action != 0)
            s->now = (opinion){NEGATIVE, DT_PAM_PERM_DENIED};
        return at;
    }
}

/* One line, which answers `code`. */
static state next_state(dt_pam_stack const *p, state s, int code)
{
    size_t at = s.at;
    dt_pam_line const *line = &p->lines[at];
    int level = line->level;

    if (s.level < level)
        s.saved[level] = s.now;
    if (line->is_devtrust && line->what == DT_PAM_MODULE)
        s.devtrust = code == DT_PAM_SUCCESS || s.devtrust == LET_IN ? LET_IN : REFUSED;
    if (line->what != DT_PAM_SUBSTACK && code == DT_PAM_INCOMPLETE) {
        s.now = (opinion){NEGATIVE, DT_PAM_INCOMPLETE};
        at = p->count - 1;
    } else if (line->what != DT_PAM_SUBSTACK) {
        at = act(p, &s, at, line->what == DT_PAM_MUST_FAIL ? DT_PAM_PERM_DENIED : code);
    }
    s.at = (uint16_t)(at + 1);
    s.level = (uint8_t)level;
    return s;
}

static int result_of(state const *s)
{
    if (s->now.status == DT_PAM_SUCCESS && s->now.impression != POSITIVE)
        return DT_PAM_PERM_DENIED;
    return s->now.status;
}

int dt_pam_stack_run(dt_pam_stack const *p, int const *codes)
{
    state s = state_first();

    while (s.at < p->count)
        s = next_state(p, s, codes[s.at]);
    return result_of(&s);
}

/* --- all walks --------------------------------------------------------------------------------- */

typedef struct node {
    state s;
    uint32_t parent; /* its index */
    uint8_t code;    /* with which the parent led here */
} node;

typedef struct walk {
    dt_pam_stack const *p;
    uint32_t codes[DT_PAM_LINES_MAX]; /* what each line may answer in this walk */
    node *nodes;
    size_t count;
    uint32_t *table; /* of indexes + 1 */
    bool too_large;
} walk;

/* Lists the likely answers first, so that the way that is shown is one that happens. */
static uint8_t const order[DT_PAM_CODES] = {0,  7,  12, 25, 10, 9,  6,  8,  11, 13, 26,
                                            4,  3,  5,  1,  2,  14, 15, 16, 17, 18, 19,
                                            20, 21, 22, 23, 24, 27, 28, 29, 30, 31};

/* What the status is beyond these makes no difference to the walk. What substacks that have ended
 * remember makes none either. */
static void simplify(state *s, dt_pam_stack const *p)
{
    int level = s->at < p->count ? p->lines[s->at].level : 0;

    if (s->now.status != DT_PAM_SUCCESS && s->now.status != DT_PAM_NEW_AUTHTOK_REQD)
        s->now.status = DT_PAM_PERM_DENIED;
    if (level > s->level)
        level = s->level;
    for (int i = level + 1; i < DT_PAM_LEVELS_MAX; i++)
        s->saved[i] = (opinion){0, 0};
}

static uint32_t hash_of(state const *s)
{
    uint8_t const *p = (uint8_t const *)s;
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < sizeof(*s); i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static void add(walk *w, state s, uint32_t parent, uint8_t code)
{
    simplify(&s, w->p);
    uint32_t slot = hash_of(&s) & (TABLE_SIZE - 1);

    for (; w->table[slot] != 0; slot = (slot + 1) & (TABLE_SIZE - 1)) {
        if (memcmp(&w->nodes[w->table[slot] - 1].s, &s, sizeof(s)) == 0)
            return;
    }
    if (w->count == DT_PAM_STATES_MAX) {
        w->too_large = true;
        return;
    }
    w->nodes[w->count] = (node){s, parent, code};
    w->table[slot] = (uint32_t)++w->count;
}

static void walk_all(walk *w)
{
    w->count = 0;
    w->too_large = false;
    memset(w->table, 0, TABLE_SIZE * sizeof(*w->table));
    add(w, state_first(), 0, 0);
    for (size_t i = 0; i < w->count && !w->too_large; i++) {
        state s = w->nodes[i].s;

        if (s.at >= w->p->count)
            continue;
        for (int k = 0; k < DT_PAM_CODES; k++) {
            uint8_t code = order[k];

            if ((w->codes[s.at] & (UINT32_C(1) << code)) != 0)
                add(w, next_state(w->p, s, code), (uint32_t)i, code);
            if (w->p->lines[s.at].what != DT_PAM_MODULE)
                break;
        }
    }
}

static bool ends_in_success(walk const *w, state const *s, bool account)
{
    int result = result_of(s);

    return s->at >= w->p->count &&
           (result == DT_PAM_SUCCESS || (account && result == DT_PAM_NEW_AUTHTOK_REQD));
}

/* --- which line is at fault -------------------------------------------------------------------- */

static void trace(walk const *w, size_t index, dt_pam_way *out)
{
    size_t n = 0;

    for (size_t i = index; i != 0; i = w->nodes[i].parent)
        n++;
    out->count = n;
    for (size_t i = index; i != 0; i = w->nodes[i].parent) {
        n--;
        out->steps[n] = w->nodes[w->nodes[i].parent].s.at;
        out->codes[n] = w->nodes[i].code;
    }
}

static size_t next_of(dt_pam_way const *way, size_t i, size_t count)
{
    return i + 1 < way->count ? way->steps[i + 1] : count;
}

static bool skips_devtrust(dt_pam_stack const *p, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++) {
        if (p->lines[i].is_devtrust)
            return true;
    }
    return false;
}

static void set_fault(dt_pam_stack const *p, dt_pam_way *way, dt_pam_way_kind kind, size_t i)
{
    (void)p;
    way->kind = kind;
    way->line = way->steps[i];
    way->code = way->codes[i];
}

/* Where devtrust refused and its control did not mind, or something forgot it later; else the last line
 * that led past it. */
static void find_fault(dt_pam_stack const *p, dt_pam_way *way)
{
    bool refused = false;

    for (size_t i = 0; i < way->count; i++) {
        dt_pam_line const *line = &p->lines[way->steps[i]];
        int action = line->actions[way->codes[i]];

        if (line->is_devtrust && line->what == DT_PAM_MODULE) {
            if (action != DT_PAM_DO_BAD && action != DT_PAM_DO_DIE) {
                set_fault(p, way, DT_PAM_WAY_OVERRULED, i);
                return;
            }
            refused = true;
        } else if (refused && action == DT_PAM_DO_RESET && line->what == DT_PAM_MODULE) {
            set_fault(p, way, DT_PAM_WAY_RESETS, i);
            return;
        }
    }
    for (size_t i = way->count; i-- > 0;) {
        if (!skips_devtrust(p, way->steps[i], next_of(way, i, p->count)))
            continue;
        bool jumps = p->lines[way->steps[i]].actions[way->codes[i]] > 0;

        set_fault(p, way, jumps ? DT_PAM_WAY_JUMPS : DT_PAM_WAY_ENDS, i);
        return;
    }
}

/* The line does that no more in the walks that follow, so that they find another way. */
static void close_way(walk *w, dt_pam_way const *way)
{
    dt_pam_line const *line = &w->p->lines[way->line];

    for (int code = 0; code < DT_PAM_CODES; code++) {
        if (line->actions[code] == line->actions[way->code])
            w->codes[way->line] &= ~(UINT32_C(1) << code);
    }
}

/* One way more. */
static bool find_way(walk *w, bool account, dt_pam_findings *out)
{
    walk_all(w);
    if (w->too_large) {
        out->too_large = true;
        return false;
    }
    for (size_t i = 0; i < w->count; i++) {
        state const *s = &w->nodes[i].s;
        dt_pam_way *way = &out->ways[out->way_count];

        if (!ends_in_success(w, s, account) || s->devtrust == LET_IN)
            continue;
        *way = (dt_pam_way){0};
        trace(w, i, way);
        find_fault(w->p, way);
        close_way(w, way);
        out->way_count++;
        return out->way_count < DT_PAM_WAYS_MAX;
    }
    return false;
}

/* --- the first factor -------------------------------------------------------------------------- */

/* Modules that check a password, by the end of their path. */
static bool checks_password(dt_pam_line const *line)
{
    static char const *const names[] = {
        "pam_unix.so",    "pam_sss.so",    "pam_ldap.so",  "pam_krb5.so",     "pam_winbind.so",
        "pam_pwdfile.so", "pam_userdb.so", "pam_mysql.so", "pam_ecryptfs.so", "pam_himmelblau.so"};
    char const *slash = strrchr(line->module, '/');
    char const *name = slash != NULL ? slash + 1 : line->module;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Whether devtrust is asked where every password was wrong. */
static void try_wrong_password(walk *w, dt_pam_findings *out)
{
    bool checked = false;

    for (size_t i = 0; i < w->p->count; i++) {
        w->codes[i] = w->p->lines[i].codes;
        if (checks_password(&w->p->lines[i])) {
            w->codes[i] = UINT32_C(1) << DT_PAM_AUTH_ERR;
            checked = true;
        }
    }
    if (!checked)
        return;
    walk_all(w);
    for (size_t i = 0; i < w->count; i++) {
        if (w->nodes[i].s.devtrust == NOT_ASKED)
            continue;
        dt_pam_way way = {0};

        trace(w, i, &way);
        for (size_t k = 0; k < way.count; k++)
            out->asks_after_wrong_password |= checks_password(&w->p->lines[way.steps[k]]);
        out->asked_line = way.steps[way.count - 1];
        if (out->asks_after_wrong_password)
            return;
    }
}

/* --- everything -------------------------------------------------------------------------------- */

static void examine(walk *w, bool account, dt_pam_findings *out)
{
    for (size_t i = 0; i < w->p->count; i++) {
        w->codes[i] = w->p->lines[i].codes;
        out->asks |= w->p->lines[i].is_devtrust;
    }
    if (!out->asks)
        return;
    walk_all(w);
    for (size_t i = 0; i < w->count; i++)
        out->can_succeed |=
            w->nodes[i].s.devtrust == LET_IN && ends_in_success(w, &w->nodes[i].s, account);
    while (find_way(w, account, out))
        ;
    if (!account && !out->too_large)
        try_wrong_password(w, out);
}

int dt_pam_stack_examine(dt_pam_stack const *p, bool account, dt_pam_findings *out)
{
    walk *w = calloc(1, sizeof(*w));
    int rc = DT_E_NOMEM;

    memset(out, 0, sizeof(*out));
    if (w == NULL)
        return rc;
    w->p = p;
    w->nodes = calloc(DT_PAM_STATES_MAX, sizeof(*w->nodes));
    w->table = calloc(TABLE_SIZE, sizeof(*w->table));
    if (w->nodes != NULL && w->table != NULL) {
        examine(w, account, out);
        rc = DT_OK;
    }
    free(w->nodes);
    free(w->table);
    free(w);
    return rc;
}
