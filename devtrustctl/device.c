/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl device: the registry of the devices that SSH keys belong to. Enrolling does not make a device
 * trusted: its certificate is judged here so that the administrator sees the result at once, and again at every
 * sign-on. */
#include "devtrustctl/certificate_file.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/device_alias.h"
#include "devtrustctl/device_cache.h"
#include "devtrustctl/device_explain.h"
#include "devtrustctl/options.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/site.h"

#include "core/base/json.h"
#include "core/signon/outcome.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 200 /* as much of an argument as a message repeats */
#define SSH_KEY_FILE_MAX (64 * 1024)

/* What the three commands work with. */
typedef struct registry {
    dt_site *files;
    dt_store *store;
    dt_time now;
    bool json;
    bool fault;  /* something could not be done, and was said on standard error */
    bool broken; /* so is the store: nothing more can be done */
    size_t added, unchanged, refused, removed;
    /* what was asked of `add` */
    char const *ssh_key, *id, *name;
    bool trusted;
    char const *at;       /* of `explain`: the time to judge for, or NULL */
    char const *ocsp;     /* of `explain`: a file with an OCSP answer, or NULL */
    bool managed, claims; /* of `explain`: what the files are, when no certificates */
    char const *user;     /* of `explain`: whose managed app configuration it has to be */
    char const *path;     /* of the file that is read */
    dt_guid wanted;       /* of the device to remove */
} registry;

static dt_trust_store const *anchors(registry const *r)
{
    return dt_site_anchors(r->files);
}

static dt_guid const *tenant(registry const *r)
{
    return &dt_site_config(r->files)->device_trust.tenant_id;
}

static void report_fault(registry *r, dt_error const *e)
{
    (void)dt_err_fault(e);
    r->fault = true;
}

static int report_broken(registry *r, int rc, dt_error const *e)
{
    report_fault(r, e);
    r->broken = true;
    return rc;
}

static int no_memory(registry *r)
{
    dt_error e = {0};
    int rc = dt_error_set(&e, DT_E_NOMEM, "out of memory");

    return report_broken(r, rc, &e);
}

/* --- trusted devices ---------------------------------------------------------------------------- */

static int trust(registry *r, dt_guid const *device, char const *name)
{
    dt_trusted_record record = {.added = r->now, .device_id = *device};
    dt_error e = {0};
    dt_buf b;
    int rc;

    dt_buf_init_fixed(&b, record.name, sizeof(record.name));
    dt_buf_put_escaped(&b, dt_bytes_str(name));
    rc = dt_registry_trust(r->store, &record, r->now, &e);
    if (rc < 0)
        return report_broken(r, rc, &e);
    if (r->json)
        dt_out_object((dt_out_text const[]){
            {"done", "trusted"}, {"deviceId", device->text}, {"name", record.name}, {NULL, NULL}});
    else
        dt_out_line("trusted    %s  %s", device->text, record.name);
    return DT_OK;
}

/* --- add -------------------------------------------------------------------------------------- */

static int refuse(registry *r, size_t index, char const *reason, char const *why)
{
    r->refused++;
    if (r->json)
        dt_out_object((dt_out_text const[]){{"done", "refused"},
                                            {"file", r->path},
                                            {"reason", reason},
                                            {"why", why},
                                            {NULL, NULL}});
    else if (index > 1)
        dt_out_line("refused    %s, certificate %zu: %s: %s", r->path, index, reason, why);
    else
        dt_out_line("refused    %s: %s: %s", r->path, reason, why);
    return DT_OK;
}

static void print_device_line(registry const *r, char const *done, dt_certificate const *c,
                              dt_fingerprint const *f, char const *remark)
{
    char day[DT_DAY_TEXT_MAX], until[25];

    if (r->json) {
        dt_time_format(until, c->not_after);
        dt_out_object((dt_out_text const[]){{"done", done},
                                            {"deviceId", c->device_id.text},
                                            {"fingerprint", f->text},
                                            {"notAfter", until},
                                            {"name", c->subject},
                                            {"remark", *remark != '\0' ? remark + 1 : NULL},
                                            {NULL, NULL}});
        return;
    }
    dt_out_line("%-10s %s  %s  until %s  %s%s", done, c->device_id.text, f->text,
                dt_day_text(day, c->not_after), c->subject, remark);
}

static int enrol(registry *r, dt_bytes der, dt_certificate const *c, dt_fingerprint const *f,
                 char const *remark)
{
    dt_device_record *record = calloc(1, sizeof(*record));
    dt_error e = {0};
    dt_buf name;
    int rc;

    if (record == NULL)
        return no_memory(r);
    record->added = r->now;
    dt_buf_init_fixed(&name, record->name, sizeof(record->name));
    dt_buf_put_escaped(&name, dt_bytes_str(c->subject));
    memcpy(record->der, der.p, der.len);
    record->der_len = der.len;
    rc = dt_registry_put(r->store, f, record, r->now, &e);
    free(record);
    if (rc < 0)
        return report_broken(r, rc, &e);
    r->added++;
    print_device_line(r, "added", c, f, remark);
    return DT_OK;
}

/* The key is enrolled already. With the same certificate, or one that is good for longer, all is
 * well; with that of another device, one of the two is not what it says. */
static int enrol_again(registry *r, size_t index, dt_bytes der, dt_certificate const *c,
                       dt_fingerprint const *f, dt_enrolment const *old)
{
    char why[128];
    dt_buf b;

    if (dt_bytes_equal(der, dt_bytes_of(old->record.der, old->record.der_len))) {
        r->unchanged++;
        print_device_line(r, "unchanged", c, f, "");
        return DT_OK;
    }
    if (dt_guid_is_set(&old->certificate.device_id) &&
        !dt_guid_equal(&old->certificate.device_id, &c->device_id)) {
        dt_buf_init_fixed(&b, why, sizeof(why));
        dt_buf_printf(&b, "the same key is enrolled for device %s; remove that first",
                      old->certificate.device_id.text);
        return refuse(r, index, "KEY_OF_ANOTHER_DEVICE", why);
    }
    if (old->state == DT_ENROLMENT_JUDGED && old->reason == DT_REASON_TRUSTED &&
        old->certificate.not_after >= c->not_after) {
        r->unchanged++;
        print_device_line(r, "unchanged", &old->certificate, f,
                          " (the enrolled one is valid longer)");
        return DT_OK;
    }
    return enrol(r, der, c, f, " (renewed)");
}

static int enrol_fingerprint(registry *r, size_t index, dt_bytes der, dt_certificate const *c,
                             dt_fingerprint const *f)
{
    char key[DT_STORE_KEY_MAX];
    dt_enrolment *old = calloc(1, sizeof(*old));
    dt_error e = {0};
    dt_bytes value;
    dt_buf scratch;
    int rc;

    if (old == NULL)
        return no_memory(r);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = dt_registry_get(r->store, f, r->now, &scratch, &value, &e);
    if (rc == DT_OK) {
        dt_device_store_key(f->hex, key);
        dt_enrolment_judge(anchors(r), tenant(r), r->now, key, value, old);
        rc = enrol_again(r, index, der, c, f, old);
    } else if (rc == DT_E_NOT_FOUND) {
        rc = enrol(r, der, c, f, "");
    } else {
        rc = report_broken(r, rc, &e);
    }
    dt_buf_free(&scratch);
    free(old);
    return rc;
}

static int add_certificate(void *ctx, size_t index, dt_bytes der)
{
    registry *r = ctx;
    dt_certificate c;
    dt_fingerprint f;
    dt_error e = {0};
    dt_reason reason =
        dt_certificate_judge_alone(anchors(r), der, NULL, 0, tenant(r), r->now, &c, &e);

    if (reason != DT_REASON_TRUSTED)
        return refuse(r, index, dt_reason_name(reason), e.text);
    if (!dt_guid_is_set(&c.device_id))
        return refuse(r, index, dt_reason_name(DT_REASON_CERTIFICATE_INVALID),
                      "the certificate names only the Entra device id");
    if (dt_fingerprint_of(der, &f, &e) < 0)
        return refuse(r, index, dt_reason_name(DT_REASON_CERTIFICATE_INVALID), e.text);
    size_t const refused = r->refused;
    int rc = enrol_fingerprint(r, index, der, &c, &f);

    if (rc == DT_OK && r->trusted && r->refused == refused)
        rc = trust(r, &c.device_id, r->name != NULL ? r->name : c.subject);
    return rc;
}

/* Anything but 0 ends the whole: that was said already. */
static int add_file(registry *r, char const *path)
{
    dt_error e = {0};
    int rc;

    r->path = path;
    rc = dt_certificate_file_each(path, add_certificate, r, &e);
    if (rc == DT_OK || r->broken)
        return rc;
    if (rc == DT_E_PARSE || rc == DT_E_LIMIT) {
        r->refused++;
        if (r->json)
            dt_out_object((dt_out_text const[]){
                {"done", "refused"}, {"file", path}, {"why", e.text}, {NULL, NULL}});
        else
            dt_out_line("refused    %s", e.text);
        return DT_OK;
    }
    report_fault(r, &e);
    return DT_OK;
}

static int add_folder(registry *r, char const *path)
{
    dt_error e = {0};
    dt_folder folder;
    int rc = dt_folder_list(path, &folder, &e);

    if (rc == DT_OK && folder.count == 0)
        rc = dt_error_set(&e, DT_E_NOT_FOUND, "%s contains no .pem, .crt, .cer or .der file", path);
    if (rc < 0) {
        report_fault(r, &e);
        return DT_OK;
    }
    if (folder.passed_over > 0)
        dt_err_line("%s: %zu entries skipped that do not end in .pem, .crt, .cer or .der", path,
                    folder.passed_over);
    for (size_t i = 0; rc == DT_OK && i < folder.count; i++)
        rc = add_file(r, folder.paths[i]);
    dt_folder_free(&folder);
    return rc;
}

static dt_ctl_exit add_all(registry *r, char const *const *paths, size_t count)
{
    int rc = DT_OK;
    dt_buf b;

    for (size_t i = 0; rc == DT_OK && i < count; i++)
        rc = dt_path_is_folder(paths[i]) ? add_folder(r, paths[i]) : add_file(r, paths[i]);
    if (r->json) {
        dt_out_begin(&b);
        dt_out_member_int(&b, "added", (int64_t)r->added);
        dt_out_member_int(&b, "unchanged", (int64_t)r->unchanged);
        dt_out_member_int(&b, "refused", (int64_t)r->refused);
        dt_out_finish(&b);
    } else {
        dt_out_line("%zu added, %zu unchanged, %zu refused", r->added, r->unchanged, r->refused);
    }
    return r->fault ? DT_CTL_FAULT : r->refused > 0 ? DT_CTL_NO : DT_CTL_YES;
}

/* --- add, of a key without a certificate --------------------------------------------------------- */

static void fill_key_record(registry const *r, dt_bytes blob, dt_guid const *device,
                            dt_device_record *out)
{
    dt_buf b;

    out->added = r->now;
    dt_buf_init_fixed(&b, out->name, sizeof(out->name));
    dt_buf_put_escaped(&b, dt_bytes_str(r->name != NULL ? r->name : ""));
    memcpy(out->key, blob.p, blob.len);
    out->key_len = blob.len;
    out->device_id = *device;
}

/* A key that another device is enrolled with is not given away; the same again only renames. */
static bool key_is_free(registry *r, dt_fingerprint const *f, dt_guid const *device)
{
    char key[DT_STORE_KEY_MAX];
    dt_enrolment *old = calloc(1, sizeof(*old));
    dt_error e = {0};
    dt_bytes value;
    dt_buf scratch;
    int rc;

    if (old == NULL)
        return no_memory(r) == DT_OK;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = dt_registry_get(r->store, f, r->now, &scratch, &value, &e);
    if (rc == DT_OK) {
        dt_device_store_key(f->hex, key);
        dt_enrolment_judge(anchors(r), tenant(r), r->now, key, value, old);
        if (!dt_guid_equal(&old->certificate.device_id, device)) {
            (void)refuse(r, 0, "KEY_OF_ANOTHER_DEVICE",
                         "the same key is enrolled for another device; remove that first");
            rc = DT_E_EXISTS;
        } else if (old->record.der_len > 0) {
            (void)refuse(r, 0, "KEY_OF_A_CERTIFICATE",
                         "the key is enrolled with the device's certificate, which contains more; "
                         "remove that first");
            rc = DT_E_EXISTS;
        }
    } else if (rc != DT_E_NOT_FOUND) {
        rc = report_broken(r, rc, &e);
    }
    dt_buf_free(&scratch);
    free(old);
    return rc == DT_OK || rc == DT_E_NOT_FOUND;
}

static int enrol_key(registry *r, dt_bytes blob, dt_guid const *device)
{
    dt_fingerprint f;
    dt_error e = {0};
    dt_device_record *record;
    int rc = dt_fingerprint_of_key(blob, &f);

    if (rc < 0 || !key_is_free(r, &f, device))
        return rc;
    record = calloc(1, sizeof(*record));
    if (record == NULL)
        return no_memory(r);
    fill_key_record(r, blob, device, record);
    rc = dt_registry_put(r->store, &f, record, r->now, &e);
    if (rc == DT_OK) {
        r->added++;
        if (r->json)
            dt_out_object((dt_out_text const[]){{"done", "added"},
                                                {"deviceId", device->text},
                                                {"fingerprint", f.text},
                                                {"name", record->name},
                                                {NULL, NULL}});
        else
            dt_out_line("added      %s  %s  %s", device->text, f.text, record->name);
    }
    free(record);
    return rc < 0 ? report_broken(r, rc, &e) : DT_OK;
}

static int add_key_file(registry *r, dt_guid const *device)
{
    dt_ssh_public key;
    dt_error e = {0};
    dt_buf text, blob;
    int rc;

    r->path = r->ssh_key;
    dt_buf_init(&text, SSH_KEY_FILE_MAX);
    dt_buf_init(&blob, DT_SSH_KEY_MAX);
    rc = dt_plain_file_read(r->ssh_key, &text, &e);
    if (rc < 0)
        report_fault(r, &e);
    else if (dt_ssh_public_line(dt_buf_bytes(&text), &blob, &key) < 0)
        rc = refuse(r, 0, "KEY_INVALID",
                    "not an OpenSSH public key that a device could have; give the .pub file");
    else
        rc = enrol_key(r, dt_buf_bytes(&blob), device);
    dt_buf_free(&blob);
    dt_buf_free(&text);
    return rc;
}

/* With --id: the administrator says which device it is. */
static dt_ctl_exit add_device(registry *r)
{
    dt_guid device;

    if (dt_guid_parse(dt_bytes_str(r->id), &device) < 0)
        return DT_CTL_FAULT; /* check_add has refused it */
    if (r->ssh_key != NULL)
        (void)!add_key_file(r, &device);
    if (r->trusted && !r->fault && r->refused == 0)
        (void)!trust(r, &device, r->name != NULL ? r->name : "");
    return r->fault ? DT_CTL_FAULT : r->refused > 0 ? DT_CTL_NO : DT_CTL_YES;
}

/* --- list ------------------------------------------------------------------------------------- */

static void list_text(dt_enrolment const *row)
{
    char day[DT_DAY_TEXT_MAX];

    if (row->state == DT_ENROLMENT_UNREADABLE) {
        dt_out_line("%-36s  %s  %-10s  %s", "-", row->fingerprint.text, "-",
                    dt_enrolment_state_name(row));
        return;
    }
    dt_out_line("%-36s  %s  %-10s  %s  %s", row->certificate.device_id.text, row->fingerprint.text,
                row->record.der_len > 0 ? dt_day_text(day, row->certificate.not_after) : "-",
                dt_enrolment_state_name(row), row->record.name);
}

static void put_time_member(dt_buf *b, char const *name, dt_time t)
{
    char text[25];

    dt_time_format(text, t);
    dt_buf_printf(b, ",\"%s\":\"%s\"", name, text);
}

static void list_json(dt_enrolment const *row)
{
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{\"fingerprint\":");
    dt_json_put_string(&b, row->fingerprint.text);
    dt_buf_puts(&b, ",\"state\":");
    dt_json_put_string(&b, dt_enrolment_state_name(row));
    if (row->state != DT_ENROLMENT_UNREADABLE) {
        dt_buf_puts(&b, ",\"deviceId\":");
        dt_json_put_string(&b, row->certificate.device_id.text);
        dt_buf_puts(&b, ",\"name\":");
        dt_json_put_string(&b, row->record.name);
        if (row->record.der_len > 0) {
            dt_buf_puts(&b, ",\"issuer\":");
            dt_json_put_string(&b, row->certificate.issuer);
            put_time_member(&b, "notBefore", row->certificate.not_before);
            put_time_member(&b, "notAfter", row->certificate.not_after);
        }
        put_time_member(&b, "added", row->record.added);
    }
    dt_buf_puts(&b, "}");
    dt_out_buf(&b);
    dt_buf_free(&b);
}

/* Judges a row on the heap: it holds a whole certificate. */
static dt_enrolment *judge_row(registry const *r, char const *key, dt_bytes value)
{
    dt_enrolment *row = calloc(1, sizeof(*row));

    if (row != NULL)
        dt_enrolment_judge(anchors(r), tenant(r), r->now, key, value, row);
    return row;
}

static int list_trusted(registry const *r, dt_trusted_record const *t)
{
    char const *state = dt_guid_is_set(&t->device_id) ? "TRUSTED" : "UNREADABLE";
    dt_buf b;

    if (!r->json) {
        dt_out_line("%-36s  %-50s  %-10s  %s  %s",
                    dt_guid_is_set(&t->device_id) ? t->device_id.text : "-", "-", "-", state,
                    t->name);
        return DT_OK;
    }
    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_puts(&b, "{\"state\":");
    dt_json_put_string(&b, state);
    dt_buf_puts(&b, ",\"deviceId\":");
    dt_json_put_string(&b, t->device_id.text);
    dt_buf_puts(&b, ",\"name\":");
    dt_json_put_string(&b, t->name);
    put_time_member(&b, "added", t->added);
    dt_buf_puts(&b, "}");
    dt_out_buf(&b);
    dt_buf_free(&b);
    return DT_OK;
}

static int list_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    registry *r = ctx;
    dt_trusted_record trusted;
    dt_enrolment *row;

    (void)expires;
    if (dt_device_alias_is_row(key)) /* a list of its own */
        return DT_OK;
    if (dt_registry_is_trusted_row(key, value, &trusted))
        return list_trusted(r, &trusted);
    row = judge_row(r, key, value);
    if (row == NULL)
        return no_memory(r);
    if (r->json)
        list_json(row);
    else
        list_text(row);
    free(row);
    return DT_OK;
}

static dt_ctl_exit list_all(registry *r)
{
    dt_error e = {0};
    int rc = dt_store_each(r->store, DT_TABLE_DEVICE, r->now, list_row, r, &e);

    if (rc < 0 && !r->broken)
        report_fault(r, &e);
    return rc == DT_OK ? DT_CTL_YES : DT_CTL_FAULT;
}

/* --- remove ----------------------------------------------------------------------------------- */

static int remove_key(registry *r, dt_fingerprint const *f, char const *device)
{
    dt_error e = {0};
    int rc = dt_registry_remove(r->store, f, r->now, &e);

    if (rc == DT_E_NOT_FOUND)
        return DT_OK;
    if (rc < 0)
        return report_broken(r, rc, &e);
    r->removed++;
    if (r->json)
        dt_out_object((dt_out_text const[]){
            {"done", "removed"}, {"deviceId", device}, {"fingerprint", f->text}, {NULL, NULL}});
    else
        dt_out_line("removed    %s  %s", device, f->text);
    return DT_OK;
}

static int distrust(registry *r)
{
    dt_error e = {0};
    int rc = dt_registry_distrust(r->store, &r->wanted, r->now, &e);

    if (rc == DT_E_NOT_FOUND)
        return DT_OK;
    if (rc < 0)
        return report_broken(r, rc, &e);
    r->removed++;
    if (r->json)
        dt_out_object((dt_out_text const[]){
            {"done", "no longer trusted"}, {"deviceId", r->wanted.text}, {NULL, NULL}});
    else
        dt_out_line("removed    %s  from the trusted devices", r->wanted.text);
    return DT_OK;
}

static int remove_if_wanted(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    registry *r = ctx;
    dt_trusted_record trusted;
    dt_enrolment *row;
    int rc = DT_OK;

    (void)expires;
    if (dt_device_alias_is_row(key) || dt_registry_is_trusted_row(key, value, &trusted))
        return DT_OK; /* those by `alias remove`, the latter by its key, at the end */
    row = judge_row(r, key, value);
    if (row == NULL)
        return no_memory(r);
    if (dt_guid_equal(&row->certificate.device_id, &r->wanted))
        rc = remove_key(r, &row->fingerprint, r->wanted.text);
    free(row);
    return rc;
}

static int remove_certificate(void *ctx, size_t index, dt_bytes der)
{
    registry *r = ctx;
    dt_certificate c;
    dt_fingerprint f;
    dt_error e = {0};

    if (dt_fingerprint_of(der, &f, &e) < 0) {
        (void)dt_error_prefix(&e, "%s, certificate %zu", r->path, index);
        report_fault(r, &e);
        return DT_OK;
    }
    /* Its key may be removed whatever it says; its name is only shown. */
    if (dt_x509_read(der, &c, NULL) < 0)
        c.device_id = (dt_guid){0};
    return remove_key(r, &f, dt_guid_is_set(&c.device_id) ? c.device_id.text : "-");
}

static int find_and_remove(registry *r, char const *what, dt_error *e)
{
    char shown[SHOWN_MAX];
    dt_fingerprint f;
    int rc;

    if (dt_guid_parse(dt_bytes_str(what), &r->wanted) == DT_OK) {
        rc = dt_store_each(r->store, DT_TABLE_DEVICE, r->now, remove_if_wanted, r, e);
        return rc == DT_OK ? distrust(r) : rc;
    }
    if (dt_fingerprint_parse(what, &f) == DT_OK)
        return remove_key(r, &f, "-");
    r->path = what;
    rc = dt_certificate_file_each(what, remove_certificate, r, e);
    if (rc == DT_E_NOT_FOUND)
        (void)dt_error_set(e, rc, "%s is not a device id, a fingerprint (SHA256:...) or a file",
                           dt_str_escape(shown, sizeof(shown), what));
    return rc;
}

static dt_ctl_exit remove_all(registry *r, char const *const *what, size_t count)
{
    for (size_t i = 0; !r->broken && i < count; i++) {
        size_t before = r->removed;
        dt_error e = {0};
        int rc = find_and_remove(r, what[i], &e);

        if (rc < 0 && !r->broken) {
            report_fault(r, &e);
        } else if (rc == DT_OK && r->removed == before) {
            if (r->json)
                dt_out_object(
                    (dt_out_text const[]){{"done", "not found"}, {"what", what[i]}, {NULL, NULL}});
            else
                dt_out_line("not enrolled: %s", what[i]);
            r->refused++;
        }
    }
    if (!r->json)
        dt_out_line("%zu removed", r->removed);
    return r->fault ? DT_CTL_FAULT : r->refused > 0 ? DT_CTL_NO : DT_CTL_YES;
}

/* --- the command ------------------------------------------------------------------------------ */

typedef enum device_verb {
    VERB_NONE = 0,
    VERB_ADD,
    VERB_EXPLAIN,
    VERB_LIST,
    VERB_REMOVE
} device_verb;

static device_verb verb_of(char const *word)
{
    if (strcmp(word, "add") == 0)
        return VERB_ADD;
    if (strcmp(word, "explain") == 0)
        return VERB_EXPLAIN;
    if (strcmp(word, "list") == 0)
        return VERB_LIST;
    return strcmp(word, "remove") == 0 ? VERB_REMOVE : VERB_NONE;
}

/* Options of `add`, and what goes with them. */
static int check_add(registry const *r, size_t count, dt_error *e)
{
    dt_guid device;

    if (r->ssh_key != NULL && r->id == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "--ssh-key needs --id, because a key does not name its device");
    if (r->id == NULL)
        return count > 0 ? DT_OK : dt_error_set(e, DT_E_INVALID, "add what?");
    if (count > 0)
        return dt_error_set(e, DT_E_INVALID,
                            "--id cannot be used with certificates, which name their device");
    if (r->ssh_key == NULL && !r->trusted)
        return dt_error_set(e, DT_E_INVALID, "--id needs --ssh-key, --trusted, or both");
    if (dt_guid_parse(dt_bytes_str(r->id), &device) < 0)
        return dt_error_set(e, DT_E_INVALID, "--id is not a device id (a GUID)");
    return DT_OK;
}

/* Options of `explain`, and what goes with them. */
static int check_explain(registry const *r, device_verb verb, dt_error *e)
{
    if (verb != VERB_EXPLAIN && r->at != NULL)
        return dt_error_set(e, DT_E_INVALID, "--at can only be used with explain");
    if (verb != VERB_EXPLAIN && r->ocsp != NULL)
        return dt_error_set(e, DT_E_INVALID, "--ocsp-answer can only be used with explain");
    if (verb != VERB_EXPLAIN && (r->managed || r->claims || r->user != NULL))
        return dt_error_set(e, DT_E_INVALID,
                            "--managed-config, --claims and --user can only be used with explain");
    if (r->managed && r->claims)
        return dt_error_set(e, DT_E_INVALID, "use either --managed-config or --claims");
    if (r->managed != (r->user != NULL))
        return dt_error_set(
            e, DT_E_INVALID,
            "--managed-config and --user must be used together: a configuration belongs to a user");
    if (r->user != NULL && strlen(r->user) >= DT_USER_MAX)
        return dt_error_set(e, DT_E_INVALID, "--user is longer than %d bytes", DT_USER_MAX - 1);
    if ((r->managed || r->claims) && r->ocsp != NULL)
        return dt_error_set(e, DT_E_INVALID, "--ocsp-answer can only be used with certificates");
    return DT_OK;
}

static int check_arguments(registry const *r, device_verb verb, size_t count, dt_error *e)
{
    bool adds = r->ssh_key != NULL || r->id != NULL || r->name != NULL || r->trusted;

    if (verb == VERB_NONE)
        return dt_error_set(e, DT_E_INVALID,
                            "add, explain, list, remove, alias, show, refresh, forget, sync?");
    if (verb == VERB_LIST && count > 0)
        return dt_error_set(e, DT_E_INVALID, "list takes no arguments");
    if (verb != VERB_ADD && adds)
        return dt_error_set(e, DT_E_INVALID,
                            "--ssh-key, --id, --name and --trusted can only be used with add");
    if (verb == VERB_REMOVE && count == 0)
        return dt_error_set(e, DT_E_INVALID, "remove what?");
    if (verb == VERB_EXPLAIN && count == 0)
        return dt_error_set(e, DT_E_INVALID, "explain what?");
    if (check_explain(r, verb, e) < 0)
        return e->code;
    return verb == VERB_ADD ? check_add(r, count, e) : DT_OK;
}

static dt_ctl_exit perform(registry *r, device_verb verb, char const *const *names, size_t count)
{
    switch (verb) {
    case VERB_ADD:
        return r->id != NULL ? add_device(r) : add_all(r, names, count);
    case VERB_LIST:
        return list_all(r);
    case VERB_REMOVE:
        return remove_all(r, names, count);
    case VERB_EXPLAIN: /* needs no store */
    case VERB_NONE:
        break;
    }
    return DT_CTL_FAULT;
}

/* The site is enough, and for claims the aliases in the store: nothing is looked up elsewhere, and
 * nothing is written. */
static dt_ctl_exit explain(registry *r, char const *config, char const *const *paths, size_t count)
{
    dt_error e = {0};
    dt_ctl_exit x;

    if (r->at != NULL && dt_time_parse(r->at, &r->now) < 0) {
        dt_err_line("device: --at is not a time such as 2026-08-20T10:11:12Z");
        return DT_CTL_FAULT;
    }
    if ((r->claims ? dt_ctl_store_open(config, &r->files, &r->store, &e)
                   : dt_ctl_site_load(config, &r->files, &e)) < 0)
        return dt_err_fault(&e);
    dt_explain_files const asked = {.files = r->files,
                                    .store = r->store,
                                    .as = r->managed  ? DT_EXPLAIN_AS_MANAGED
                                          : r->claims ? DT_EXPLAIN_AS_CLAIMS
                                                      : DT_EXPLAIN_AS_SHOWN,
                                    .user = r->user,
                                    .ocsp_answer = r->ocsp,
                                    .now = r->now,
                                    .json = r->json};
    x = dt_device_explain(&asked, paths, count);
    dt_ctl_store_close(&r->files, &r->store);
    return x;
}

static dt_ctl_exit run(dt_ctl_command const *self, int argc, char **argv, char const **rest)
{
    char const *config = NULL;
    registry r = {.now = dt_host_now()};
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--json", NULL, NULL, &r.json},
                                 {"--ssh-key", NULL, &r.ssh_key, NULL},
                                 {"--id", NULL, &r.id, NULL},
                                 {"--name", NULL, &r.name, NULL},
                                 {"--trusted", NULL, NULL, &r.trusted},
                                 {"--at", NULL, &r.at, NULL},
                                 {"--ocsp-answer", NULL, &r.ocsp, NULL},
                                 {"--managed-config", NULL, NULL, &r.managed},
                                 {"--claims", NULL, NULL, &r.claims},
                                 {"--user", NULL, &r.user, NULL},
                                 {NULL, NULL, NULL, NULL}};
    dt_error e = {0};
    size_t count = 0;
    dt_ctl_exit x;
    device_verb verb;

    if (dt_options_parse(options, argc, argv, rest, &count, &e) < 0)
        return dt_err_usage(self, &e);
    verb = count > 0 ? verb_of(rest[0]) : VERB_NONE;
    if (check_arguments(&r, verb, count - (count > 0), &e) < 0)
        return dt_err_usage(self, &e);
    if (verb == VERB_EXPLAIN)
        return explain(&r, config, rest + 1, count - 1);
    if (dt_ctl_store_open(config, &r.files, &r.store, &e) < 0)
        return dt_err_fault(&e);
    x = perform(&r, verb, rest + 1, count - 1);
    dt_ctl_store_close(&r.files, &r.store);
    return x;
}

dt_ctl_exit dt_ctl_device(dt_ctl_command const *self, int argc, char **argv)
{
    char const **rest;
    dt_ctl_exit x = DT_CTL_FAULT;

    if (argc > 0 && strcmp(argv[0], "alias") == 0)
        return dt_ctl_device_alias(self, argc, argv);
    if (argc > 0 && dt_ctl_is_cache_verb(argv[0]))
        return dt_ctl_device_cache(self, argc, argv);
    rest = calloc((size_t)argc + 1, sizeof(*rest));
    if (rest == NULL)
        dt_err_line("out of memory");
    else
        x = run(self, argc, argv, rest);
    free(rest);
    return x;
}
