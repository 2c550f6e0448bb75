/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log as a place for our last words. */
#include "edge/kernel_log.h"

#include "core/base/bytes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define KERNEL_LOG "/dev/kmsg"
#define KERNEL_LOG_SWITCH "/proc/sys/kernel/printk_devkmsg"
#define NAME "devtrust"
#define MEMORY_DEVICES 1 /* major and minor number, the kernel's admin-guide/devices.txt */
#define KMSG 11

/* Where a container has another file in its place, a line is not kept by writing it there. */
static bool is_kernel_log(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == MEMORY_DEVICES &&
           minor(st.st_rdev) == KMSG;
}

int dt_kernel_log_open(void)
{
    int fd = open(KERNEL_LOG, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 || is_kernel_log(fd))
        return fd;
    close(fd);
    return -1;
}

/* With "off" the kernel takes every line and keeps none. */
static bool is_off(void)
{
    char word[16] = "";
    int fd = open(KERNEL_LOG_SWITCH, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, word, sizeof(word) - 1) : 0;

    if (fd >= 0)
        close(fd);
    return n > 0 && strncmp(word, "off", strlen("off")) == 0;
}

static bool is_too_soon(dt_kernel_log const *l, int64_t mono)
{
    return l->written >= DT_KERNEL_LOG_BURST &&
           mono - l->at[l->written % DT_KERNEL_LOG_BURST] < DT_KERNEL_LOG_WINDOW;
}

bool dt_kernel_log_write(dt_kernel_log *l, int priority, char const *line, int64_t mono)
{
    char text[DT_KERNEL_LOG_LINE_MAX];
    dt_buf b;

    if (l->fd <= 0 || is_too_soon(l, mono) || is_off())
        return false;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "<%d>" NAME "[%d]: %.*s", priority, (int)getpid(),
                  DT_KERNEL_LOG_LINE_MAX - 48, line);
    if (dt_buf_error(&b) != 0 || write(l->fd, b.p, b.len) != (ssize_t)b.len)
        return false;
    l->at[l->written++ % DT_KERNEL_LOG_BURST] = mono;
    return true;
}
