/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devtrustd says about itself. What it decides goes into the audit log, by the driver. */
#include "pam_devtrust/daemon/daemon.h"

#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

void dt_log_open(bool also_stderr)
{
    openlog("devtrustd", LOG_PID | (also_stderr ? LOG_PERROR : 0), LOG_AUTHPRIV);
}

void dt_log(int priority, char const *fmt, ...)
{
    char text[DT_ERROR_TEXT_MAX];
    char safe[DT_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    syslog(priority, "%s", dt_str_escape(safe, sizeof(safe), text));
}
