/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the export of metrics: export.c, with the textfile, and export_socket.c. On the loop's thread, but for
 * opening, which comes before it runs, and closing, which comes after. */
#ifndef DT_DRIVER_EXPORT_H
#define DT_DRIVER_EXPORT_H

#include "driver/internal.h"

#define DT_EXPORT_FIRST_MS 200   /* from the start to the first file and the socket */
#define DT_EXPORT_CLIENTS_MAX 8  /* at a time; others wait in the kernel's queue */
#define DT_EXPORT_BACKLOG 16     /* of that queue; beyond it, connecting fails */
#define DT_EXPORT_CLIENT_MS 5000 /* from connecting until all is sent; then it is cut off */
#define DT_EXPORT_SILENT_MS 500  /* who has asked nothing for so long gets the text without HTTP */
#define DT_EXPORT_REQUEST_MAX 8192

/* Where metrics go. */
typedef struct dt_export_output {
    char *path;                   /* "" = nowhere */
    char const *key;              /* of [metrics] */
    int lock;                     /* held while the output is ours; -1: it is not */
    char said[DT_ERROR_TEXT_MAX]; /* the fault that was reported last; "" = none */
} dt_export_output;

typedef struct dt_export_socket dt_export_socket;

struct event_base *dt_export_base(dt_export *x);
/* All metrics, appended. DT_E_NOMEM, DT_E_LIMIT. */
DT_MUST_USE int dt_export_text(dt_export *x, dt_metrics_format format, dt_buf *out);
/* Nobody else writes there as long as this process lives. DT_E_EXISTS where somebody does, DT_E_IO. */
DT_MUST_USE int dt_export_lock(dt_export_output *o, dt_error *e);

/* --- export_socket.c --- */
/* Listens at the path of `o`, with mode 0660. */
DT_MUST_USE int dt_export_socket_open(dt_export *x, dt_export_output *o, dt_export_socket **out,
                                      dt_error *e);
/* Takes clients again, after descriptors had run out. */
void dt_export_socket_resume(dt_export_socket *s);
/* Ends all clients, and removes the socket. Nulls. */
void dt_export_socket_close(dt_export_socket **s);

#endif
