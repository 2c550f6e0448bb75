/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the person is. Each rule may say that they are elsewhere; who is said to be here must have passed
 * all of them. */
#include "core/config/presence.h"

#include <stddef.h>
#include <string.h>

#define DEV "/dev/"
#define VIRTUAL_TERMINAL "tty"
#define UNIX_DISPLAY "unix"
#define DIGITS "0123456789"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

char const *dt_presence_name(dt_presence p)
{
    switch (p) {
    case DT_PRESENCE_HERE:
        return "here";
    case DT_PRESENCE_REMOTE:
        return "remote";
    case DT_PRESENCE_UNKNOWN:
        break;
    }
    return "unknown";
}

static bool is_number(char const *s)
{
    return *s != '\0' && s[strspn(s, DIGITS)] == '\0';
}

/* A virtual terminal is a keyboard and a screen of this host: tty1, tty2 and so on. ttyS0 is a line to
 * wherever, and so is "console", which may be one. */
static bool is_virtual_terminal(char const *tty)
{
    if (strncmp(tty, DEV, strlen(DEV)) == 0)
        tty += strlen(DEV);
    if (strncmp(tty, VIRTUAL_TERMINAL, strlen(VIRTUAL_TERMINAL)) != 0)
        return false;
    tty += strlen(VIRTUAL_TERMINAL);
    return is_number(tty) && *tty != '0';
}

bool dt_presence_is_display(char const *tty)
{
    char const *colon = strchr(tty, ':');

    if (colon == NULL)
        return false;
    if (colon != tty && ((size_t)(colon - tty) != strlen(UNIX_DISPLAY) ||
                         strncmp(tty, UNIX_DISPLAY, strlen(UNIX_DISPLAY)) != 0))
        return false;
    size_t number = strspn(colon + 1, DIGITS);

    return number > 0 && (colon[1 + number] == '\0' ||
                          (colon[1 + number] == '.' && is_number(colon + 2 + number)));
}

/* "ssh" is what sshd says; with a colon in it, what is not a display of this host is one of another. */
static bool tty_is_elsewhere(char const *tty)
{
    return strcmp(tty, "ssh") == 0 || (strchr(tty, ':') != NULL && !dt_presence_is_display(tty));
}

/* A terminal program of a local session may be looked at from a remote one of the same person (tmux,
 * screen): that is unknown then. */
static dt_presence by_session(dt_presence_facts const *f)
{
    if (f->session_remote)
        return DT_PRESENCE_REMOTE;
    if (!f->session_has_seat || (f->also_remote && !is_virtual_terminal(f->tty)))
        return DT_PRESENCE_UNKNOWN;
    return DT_PRESENCE_HERE;
}

/* Before there is a session, as at a login: where the terminal is. */
static dt_presence by_terminal(dt_presence_facts const *f)
{
    if (is_virtual_terminal(f->tty) || (dt_presence_is_display(f->tty) && f->display_has_seat))
        return DT_PRESENCE_HERE;
    return DT_PRESENCE_UNKNOWN;
}

dt_presence dt_presence_judge(dt_presence_by by, dt_presence_facts const *f)
{
    if (f->rhost == NULL || f->tty == NULL)
        return DT_PRESENCE_UNKNOWN;
    if (*f->rhost != '\0' || tty_is_elsewhere(f->tty))
        return DT_PRESENCE_REMOTE;
    if (by == DT_PRESENCE_BY_SERVICE)
        return DT_PRESENCE_HERE;
    if (f->in_session)
        return by_session(f);
    if (f->below_network_daemon)
        return DT_PRESENCE_REMOTE;
    if (by == DT_PRESENCE_BY_AUTO && !f->seats_kept)
        return DT_PRESENCE_HERE;
    return by_terminal(f);
}

/* ttyS0, ttyUSB0, ttyAMA0: a line with its own name. */
static bool is_serial_line(char const *tty)
{
    size_t kind;

    if (strncmp(tty, DEV, strlen(DEV)) == 0)
        tty += strlen(DEV);
    if (strncmp(tty, VIRTUAL_TERMINAL, strlen(VIRTUAL_TERMINAL)) != 0)
        return false;
    tty += strlen(VIRTUAL_TERMINAL);
    kind = strspn(tty, CAPITALS);
    return kind > 0 && is_number(tty + kind);
}

bool dt_presence_at_terminal(dt_presence_facts const *f)
{
    if (f->rhost == NULL || f->tty == NULL || *f->rhost != '\0' || f->session_remote ||
        f->below_network_daemon)
        return false;
    if (is_virtual_terminal(f->tty))
        return !f->in_session || f->session_has_seat;
    return is_serial_line(f->tty); /* a session of it has no seat */
}
