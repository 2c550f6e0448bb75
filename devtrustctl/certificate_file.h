/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The certificates in what an administrator names: PEM or DER files, bundles, folders of them. */
#ifndef DT_CTL_CERTIFICATE_FILE_H
#define DT_CTL_CERTIFICATE_FILE_H

#include "core/device/x509.h"

#define DT_CERTIFICATE_FILE_MAX (8 * 1024 * 1024) /* a bundle of some thousand certificates */
#define DT_CERTIFICATE_FOLDER_MAX 100000          /* entries of one folder */

/* One certificate in DER, borrowed during the call; `index` counts from 1. 0 goes on; anything else
 * ends the walk and is returned. */
typedef int dt_certificate_fn(void *ctx, size_t index, dt_bytes der);

/* Walks the certificates of a text: one in DER, or any number in PEM (RFC 7468, strictly: one label,
 * base64 with its padding, an END of the same label). Text between blocks and blocks of other labels
 * are passed over. Says nothing about what is in them. DT_E_PARSE with the line, and where there is
 * no certificate at all; DT_E_LIMIT for one larger than DT_CERTIFICATE_MAX. */
DT_MUST_USE int dt_certificates_each(dt_bytes text, dt_certificate_fn *fn, void *ctx, dt_error *e);

/* Reads a regular file of at most max bytes (the ceiling of `out`). Nobody's rights are looked at:
 * for files whose content is judged by itself. DT_E_NOT_FOUND, DT_E_INVALID (no regular file),
 * DT_E_IO, DT_E_LIMIT. */
DT_MUST_USE int dt_plain_file_read(char const *path, dt_buf *out, dt_error *e);

/* Walks the certificates of a file. The error names the path. */
DT_MUST_USE int dt_certificate_file_each(char const *path, dt_certificate_fn *fn, void *ctx,
                                         dt_error *e);
/* The first certificate of a file, appended to `der`. */
DT_MUST_USE int dt_certificate_file_first(char const *path, dt_buf *der, dt_error *e);

/* The certificate files of a folder, by their ending (.pem, .crt, .cer, .der), without hidden ones
 * and without folders below, in the order of their names. */
typedef struct dt_folder {
    char **paths;
    size_t count;
    size_t passed_over; /* entries that have another ending */
} dt_folder;
DT_MUST_USE int dt_folder_list(char const *path, dt_folder *out, dt_error *e);
void dt_folder_free(dt_folder *f);
/* False also when it cannot be looked at. */
bool dt_path_is_folder(char const *path);

#endif
