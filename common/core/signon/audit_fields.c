/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sign-on's event as fields of the journal (systemd.journal-fields(7)): what people search and count by. */
#include "core/signon/outcome.h"

#include <string.h>

#define CUT_SHORT 64
#define CUT_NAME 160 /* users, rules, hosts: escaped, as in the line for people */

/* "\nNAME=value", escaped, so that no value can end its line and forge a field; not there when it is not known. */
static void put(dt_buf *out, char const *name, char const *value, size_t cut)
{
    char text[CUT_NAME + 1];
    dt_buf b;

    if (value == NULL || *value == '\0')
        return;
    dt_buf_init_fixed(&b, text, cut + 1);
    dt_buf_put_escaped(&b, dt_bytes_str(value));
    dt_buf_putc(out, '\n');
    dt_buf_puts(out, name);
    dt_buf_putc(out, '=');
    dt_buf_put(out, b.p, b.len);
}

void dt_audit_fields(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx)
{
    bool const reported = dt_outcome_is_report_only(o);
    bool const allowed = o->result == DT_ALLOW && dt_cause_allows(o->cause);

    dt_buf_puts(out, DT_AUDIT_FIELDS_BEGIN);
    put(out, "DEVTRUST_ID", ctx->id, CUT_SHORT);
    put(out, "DEVTRUST_CODE", dt_outcome_code(o), CUT_SHORT);
    put(out, "DEVTRUST_RESULT",
        reported  ? "report_only"
        : allowed ? "allowed"
                  : "denied",
        CUT_SHORT);
    put(out, "DEVTRUST_CAUSE",
        reported && o->would_cause != DT_CAUSE_NONE ? dt_cause_name(o->would_cause)
                                                    : dt_cause_name(o->cause),
        CUT_SHORT);
    put(out, "DEVTRUST_WOULD", reported ? dt_would_name(o->would) : NULL, CUT_SHORT);
    put(out, "DEVTRUST_VERDICT", dt_trust_name(o->verdict.trust), CUT_SHORT);
    put(out, "DEVTRUST_REASON", dt_reason_name(o->verdict.reason), CUT_SHORT);
    put(out, "DEVTRUST_DEVICE_ID", o->verdict.device_id.text, CUT_SHORT);
    put(out, "DEVTRUST_DEVICE", o->verdict.device_name, CUT_NAME);
    put(out, "DEVTRUST_USER", ctx->user, CUT_NAME);
    put(out, "DEVTRUST_LOGIN", ctx->login, CUT_NAME);
    put(out, "DEVTRUST_ACCOUNT", ctx->account, CUT_NAME);
    put(out, "DEVTRUST_CALLER", ctx->caller, CUT_NAME);
    put(out, "DEVTRUST_APPLICATION", ctx->application, CUT_NAME);
    put(out, "DEVTRUST_SERVICE", ctx->service, CUT_NAME);
    put(out, "DEVTRUST_DOOR", ctx->door, CUT_SHORT);
    put(out, "DEVTRUST_CLIENT_IP", ctx->client_ip, CUT_SHORT);
    put(out, "DEVTRUST_STATION", ctx->station, CUT_NAME);
    put(out, "DEVTRUST_NAS", ctx->nas, CUT_NAME);
    put(out, "DEVTRUST_TTY", ctx->tty, CUT_SHORT);
    put(out, "DEVTRUST_RULE", o->decision.rule, CUT_NAME);
    put(out, "DEVTRUST_FACTOR", dt_factor_name(o->factor), CUT_SHORT);
}
