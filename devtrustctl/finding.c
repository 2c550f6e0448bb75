/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/finding.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DT_PARAGRAPH_HEAD_MAX 128

static char const *status_name(dt_finding_status s)
{
    static char const *const words[] = {"ok", "warning", "fault", "unseen"};

    return words[s];
}

/* The length of the file's name in a text that begins with "FILE:LINE:" or "FILE:LINE#"; 0 where it does not. */
static size_t find_place(char const *text, long *line)
{
    for (char const *p = strchr(text, ':'); p != NULL; p = strchr(p + 1, ':')) {
        char *end = NULL;

        if (!isdigit((unsigned char)p[1]))
            continue;
        *line = strtol(p + 1, &end, 10);
        if ((*end == ':' || *end == '#') && text[0] == '/' && *line > 0)
            return (size_t)(p - text);
    }
    return 0;
}

static void put_place(dt_buf *b, char const *what)
{
    char file[DT_ERROR_TEXT_MAX];
    long line = 0;
    size_t len = find_place(what, &line);

    if (len == 0 || dt_str_copy_bytes(file, sizeof(file), dt_bytes_of(what, len)) < 0)
        return;
    dt_out_member(b, "file", file);
    dt_out_member_int(b, "line", line);
}

static void print_json(dt_ctl_finding const *x)
{
    dt_buf b;

    dt_out_begin(&b);
    dt_out_member(&b, "check", x->check);
    dt_out_member(&b, "status", status_name(x->status));
    dt_out_member(&b, "what", x->what);
    dt_out_member(&b, "why", x->why != NULL ? x->why : "");
    dt_out_member(&b, "do", x->todo != NULL ? x->todo : "");
    put_place(&b, x->what);
    dt_out_finish(&b);
}

static void print_text(dt_ctl_finding const *x)
{
    char const *name = x->label == NULL ? x->check : "";
    char const *after_name = x->label == NULL ? ": " : "";
    char const *why = x->why != NULL ? x->why : "", *todo = x->todo != NULL ? x->todo : "";
    char const *before_why = *why != '\0' ? ": " : "", *before_todo = *todo != '\0' ? "; " : "";

    if (x->status == DT_FINDING_FAULT)
        dt_err_line("%s%s%s%s%s%s%s", name, after_name, x->what, before_why, why, before_todo,
                    todo);
    else if (x->status == DT_FINDING_WARNING)
        dt_out_line("%-13s %s%s%s%s%s%s%s", "warning", name, after_name, x->what, before_why, why,
                    before_todo, todo);
    else
        dt_out_line("%-13s %s%s%s", x->label != NULL ? x->label : "online", name, after_name,
                    x->what);
}

bool dt_findings_want_colour(void)
{
    char const *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

/* The name of the check comes first, so that what is wrong can be looked up in the manual. */
static void print_paragraph(dt_findings const *f, dt_ctl_finding const *x)
{
    static int const colours[] = {32, 33, 31, 36};
    bool labelled = x->label != NULL && x->label[0] != '\0';
    char head[DT_PARAGRAPH_HEAD_MAX];

    (void)snprintf(head, sizeof(head), "%-7s %-22s ", status_name(x->status), x->check);
    dt_out_coloured(f->colour ? colours[x->status] : 0, head, "%s%s%s", labelled ? x->label : "",
                    labelled ? ": " : "", x->what);
    if (x->why != NULL && x->why[0] != '\0')
        dt_out_line("        why: %s", x->why);
    if (x->todo != NULL && x->todo[0] != '\0')
        dt_out_line("        do:  %s", x->todo);
}

void dt_finding_report(dt_findings *f, dt_ctl_finding const *x)
{
    f->good += x->status == DT_FINDING_OK;
    f->warnings += x->status == DT_FINDING_WARNING;
    f->faults += x->status == DT_FINDING_FAULT;
    f->unseen += x->status == DT_FINDING_UNSEEN;
    if (f->json)
        print_json(x);
    else if (f->report)
        print_paragraph(f, x);
    else
        print_text(x);
}

void dt_finding_report_text(dt_findings *f, dt_finding_status status, dt_ctl_finding const *x)
{
    char const *end = strstr(x->what, "; ");
    dt_ctl_finding whole = *x;
    char *fact = end != NULL ? strndup(x->what, (size_t)(end - x->what)) : NULL;

    whole.status = status;
    if (fact != NULL) {
        whole.what = fact;
        whole.todo = end + 2;
    }
    dt_finding_report(f, &whole);
    free(fact);
}
