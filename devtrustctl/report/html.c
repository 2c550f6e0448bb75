/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report as one page of HTML that needs nothing else: no script, no font, no picture, no address. Whatever came
 * from an event goes through put_text alone. */
#include "devtrustctl/report/report.h"

#include <string.h>

static char const head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta name=\"referrer\" content=\"no-referrer\">\n"
    "<title>devtrust: sign-ons</title>\n<style>\n"
    ":root{color-scheme:light dark;--ground:#fff;--text:#1b1b1b;--quiet:#4a4a4a;--line:#767676;"
    "--link:#0b57d0;--bad:#a50e0e;--row:#f3f3f3}\n"
    "@media (prefers-color-scheme:dark){:root{--ground:#161616;--text:#ececec;--quiet:#bdbdbd;"
    "--line:#8c8c8c;--link:#a8c7fa;--bad:#ffb4ab;--row:#232323}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--ground);color:var(--text);"
    "font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "a{color:var(--link)}\n"
    "a:focus-visible,.wide:focus-visible{outline:3px solid var(--link);outline-offset:2px}\n"
    ".skip{position:absolute;left:-100vw}.skip:focus{position:static}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;list-style:none}\n"
    "nav a{display:inline-block;padding:.25rem 0}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.5rem;margin:0}\n"
    "dt{color:var(--quiet)}dd{margin:0;font-size:1.5rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "caption{text-align:left;color:var(--quiet);padding:.25rem 0}\n"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;"
    "border-bottom:1px solid var(--line)}\n"
    "tbody th{font-weight:400;min-width:7rem;max-width:24rem}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "tbody tr:nth-child(even){background:var(--row)}\n"
    ".bad{color:var(--bad);font-weight:600}\n"
    ".note{color:var(--quiet)}\n"
    "@media print{nav,.skip{display:none}.wide{overflow:visible}}\n"
    "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#summary\">Skip to the summary</a>\n"
    "<header>\n<h1>Sign-ons</h1>\n";

/* What a reader of HTML could take for its own is written as a reference; what must not be shown at all (control
 * characters, changes of direction), as \xNN. */
static void put_text(dt_buf *out, char const *text)
{
    dt_buf safe;

    dt_buf_init(&safe, 4 * strlen(text) + 1);
    dt_buf_put_escaped(&safe, dt_bytes_str(text));
    for (size_t i = 0; i < safe.len; i++) {
        switch (safe.p[i]) {
        case '&':
            dt_buf_puts(out, "&amp;");
            break;
        case '<':
            dt_buf_puts(out, "&lt;");
            break;
        case '>':
            dt_buf_puts(out, "&gt;");
            break;
        case '"':
            dt_buf_puts(out, "&quot;");
            break;
        case '\'':
            dt_buf_puts(out, "&#39;");
            break;
        default:
            dt_buf_putc(out, (char)safe.p[i]);
        }
    }
    if (dt_buf_error(&safe) < 0 && out->error == DT_OK)
        out->error = dt_buf_error(&safe);
    dt_buf_free(&safe);
}

static void put_time(dt_buf *out, dt_time t)
{
    char text[25];

    dt_time_format(text, t);
    dt_buf_printf(out, "<time datetime=\"%s\">%.10s %.5s</time>", text, text, text + 11);
}

static void put_number(dt_buf *out, uint64_t n, bool bad)
{
    dt_buf_printf(out, "<td class=\"n%s\">%llu</td>", bad && n > 0 ? " bad" : "",
                  (unsigned long long)n);
}

static void put_wait(dt_buf *out, dt_report_waits const *w, unsigned percent)
{
    int64_t const ms = dt_report_percentile(w, percent);

    if (ms < 0)
        dt_buf_puts(out, "<td class=\"n\">&ndash;</td>");
    else
        dt_buf_printf(out, "<td class=\"n\">%lld.%lld&nbsp;s</td>", (long long)(ms / 1000),
                      (long long)(ms % 1000 / 100));
}

static void put_numbers(dt_buf *out, dt_report_table const *t, dt_report_row const *row)
{
    put_number(out, row->sign_ons, false);
    if (t->outcomes) {
        put_number(out, row->allowed, false);
        put_number(out, row->refused, true);
        put_number(out, row->reported, false);
        put_wait(out, &row->waits, 50);
        put_wait(out, &row->waits, 95);
    }
    dt_buf_puts(out, "<td class=\"n\">");
    if (row->last > 0)
        put_time(out, row->last);
    else
        dt_buf_puts(out, "&ndash;");
    dt_buf_puts(out, "</td></tr>\n");
}

static void put_row(dt_buf *out, dt_report_table const *t, dt_report_row const *row)
{
    dt_buf_puts(out, "<tr>");
    for (size_t i = 0; i < DT_REPORT_NAMES_MAX && t->heads[i] != NULL; i++) {
        dt_buf_puts(out, i == 0 ? "<th scope=\"row\">" : "<td>");
        put_text(out, row->names[i]);
        dt_buf_puts(out, i == 0 ? "</th>" : "</td>");
    }
    put_numbers(out, t, row);
}

static void put_others(dt_buf *out, dt_report_table const *t)
{
    size_t columns = 0;

    while (columns < DT_REPORT_NAMES_MAX && t->heads[columns] != NULL)
        columns++;
    dt_buf_printf(out, "<tr><th scope=\"row\" colspan=\"%zu\">others: only %d are listed</th>",
                  columns, DT_REPORT_ROWS_MAX);
    put_numbers(out, t, &t->others);
}

static void put_heads(dt_buf *out, dt_report_table const *t)
{
    dt_buf_puts(out, "<thead><tr>");
    for (size_t i = 0; i < DT_REPORT_NAMES_MAX && t->heads[i] != NULL; i++)
        dt_buf_printf(out, "<th scope=\"col\">%s</th>", t->heads[i]);
    dt_buf_puts(out, "<th scope=\"col\" class=\"n\">Sign-ons</th>");
    if (t->outcomes)
        dt_buf_puts(out, "<th scope=\"col\" class=\"n\">Let in</th>"
                         "<th scope=\"col\" class=\"n\">Refused</th>"
                         "<th scope=\"col\" class=\"n\">Report only</th>"
                         "<th scope=\"col\" class=\"n\">Wait, median</th>"
                         "<th scope=\"col\" class=\"n\">Wait, 95&nbsp;%</th>");
    dt_buf_puts(out, "<th scope=\"col\" class=\"n\">Last (UTC)</th></tr></thead>\n<tbody>\n");
}

static void put_table(dt_buf *out, dt_report_table const *t)
{
    dt_buf_printf(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", t->id, t->id,
                  t->title);
    if (t->count == 0) {
        dt_buf_puts(out, "<p class=\"note\">None.</p>\n</section>\n");
        return;
    }
    /* It can be scrolled by keyboard, so it has to be reached by it. */
    dt_buf_printf(out,
                  "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-labelledby=\"%s\">\n"
                  "<table>\n<caption>%s, the most frequent first</caption>\n",
                  t->id, t->title);
    put_heads(out, t);
    for (size_t i = 0; i < t->count; i++)
        put_row(out, t, &t->rows[i]);
    if (t->others.sign_ons > 0)
        put_others(out, t);
    dt_buf_puts(out, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void put_summary(dt_buf *out, dt_report_data const *r)
{
    struct {
        char const *name;
        uint64_t value;
    } const items[] = {{"Sign-ons", r->all.sign_ons},
                       {"Let in", r->all.allowed},
                       {"Refused", r->all.refused},
                       {"Report only", r->all.reported}};

    dt_buf_puts(out,
                "<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">Summary</h2>\n<dl>\n");
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        dt_buf_printf(out, "<div><dt>%s</dt><dd>%llu</dd></div>\n", items[i].name,
                      (unsigned long long)items[i].value);
    dt_buf_puts(
        out,
        "</dl>\n<p class=\"note\">Waits are of sign-ons in which a factor was asked for, from the "
        "request to the answer.</p>\n</section>\n");
}

void dt_report_html(dt_report_data const *r, dt_time since, dt_time until, char const *notes,
                    dt_time now, dt_buf *out)
{
    dt_buf_puts(out, head);
    dt_buf_puts(out, "<p>From ");
    put_time(out, since);
    dt_buf_puts(out, " to ");
    put_time(out, until > 0 ? until : now);
    dt_buf_puts(out, " UTC, made by devtrust ");
    put_time(out, now);
    dt_buf_puts(out, " UTC. It names people and devices: keep it as you keep the audit log.</p>\n");
    if (notes[0] != '\0') {
        dt_buf_puts(out, "<p class=\"bad\">");
        put_text(out, notes);
        dt_buf_puts(out, "</p>\n");
    }
    dt_buf_puts(out, "<nav aria-label=\"Tables\"><ul>\n");
    for (size_t i = 0; i < DT_REPORT_KINDS; i++)
        dt_buf_printf(out, "<li><a href=\"#%s\">%s</a></li>\n", r->tables[i].id,
                      r->tables[i].title);
    dt_buf_puts(out, "</ul></nav>\n</header>\n<main>\n");
    put_summary(out, r);
    for (size_t i = 0; i < DT_REPORT_KINDS; i++)
        put_table(out, &r->tables[i]);
    dt_buf_puts(out, "</main>\n</body>\n</html>\n");
}
