/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever is in a certificate file or an audit file, devtrustctl reads it within its bounds, and
 * what it prints is harmless. The first byte says which of the two the rest is. */
#include "devtrustctl/audit_event.h"
#include "devtrustctl/certificate_file.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/report/report.h"

#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int see(void *ctx, size_t index, dt_bytes der)
{
    dt_fingerprint f, again;
    dt_certificate c;
    size_t *last = ctx;

    must(index == ++*last && der.len > 0 && der.len <= DT_CERTIFICATE_MAX);
    if (dt_x509_read(der, &c, NULL) == DT_OK && dt_fingerprint_of(der, &f, NULL) == DT_OK)
        must(dt_fingerprint_parse(f.text, &again) == DT_OK && strcmp(f.hex, again.hex) == 0);
    return DT_OK;
}

static void certificates(dt_bytes text)
{
    dt_error e = {0};
    size_t last = 0;
    int rc = dt_certificates_each(text, see, &last, &e);

    must(rc == DT_OK ? last > 0 : e.code == rc && e.text[0] != '\0');
}

static void is_harmless(dt_buf const *b)
{
    uint32_t point = 0;

    for (size_t i = 0, n; i < b->len; i += n) {
        n = dt_utf8_decode(b->p + i, b->len - i, &point);
        must(n > 0 && dt_utf8_is_shown(point));
    }
}

static void shown(dt_audit_event const *v)
{
    dt_audit_event again;
    dt_buf text, json;

    dt_buf_init(&text, 1 << 20);
    dt_buf_init(&json, 1 << 20);
    dt_audit_event_print(v, &text);
    dt_audit_event_print_json(v, &json);
    must(dt_buf_error(&text) == DT_OK && dt_buf_error(&json) == DT_OK);
    is_harmless(&text);
    is_harmless(&json);
    must(dt_audit_event_read(dt_buf_bytes(&json), &again, NULL) == DT_OK);
    must(strcmp(again.message, v->message) == 0 && strcmp(again.rule, v->rule) == 0 &&
         strcmp(again.login, v->login) == 0 && again.at == v->at);
    dt_audit_event_free(&again);
    dt_buf_free(&json);
    dt_buf_free(&text);
}

/* Whatever it says, it is one sign-on or none, and no tag of the page is its own. */
static void reported(dt_audit_event const *v)
{
    dt_report_data *r = dt_report_new();
    dt_buf page;

    must(r != NULL);
    dt_report_add(r, v);
    must(r->all.sign_ons <= 1 &&
         r->all.allowed + r->all.refused + r->all.reported == r->all.sign_ons);
    dt_report_finish(r);
    dt_buf_init(&page, 1 << 20);
    dt_report_html(r, 0, 0, v->detail, v->at, &page);
    must(dt_buf_error(&page) == DT_OK && strstr((char *)page.p, "<script") == NULL);
    dt_buf_free(&page);
    dt_report_free(&r);
}

static void audit(dt_bytes line)
{
    dt_audit_filter filter = {
        .query = "device \"x\"", .user = "alice", .code = "04HM-ASW9", .until = DT_TIME_NEVER};
    dt_audit_event v;
    dt_error e = {0};

    if (line.len > DT_AUDIT_LINE_MAX)
        return;
    if (dt_audit_event_read(line, &v, &e) < 0) {
        must(e.text[0] != '\0' && v.root == NULL);
        return;
    }
    (void)dt_audit_event_matches(&v, &filter);
    shown(&v);
    reported(&v);
    dt_audit_event_free(&v);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        certificates(dt_bytes_of(data + 1, size - 1));
    else
        audit(dt_bytes_of(data + 1, size - 1));
    return 0;
}
