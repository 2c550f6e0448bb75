/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into radiusd by the tests of sanitizer builds. FreeRADIUS opens its modules with
 * RTLD_DEEPBIND, which AddressSanitizer refuses; this takes the flag away. It must stand before
 * libasan in LD_PRELOAD, so that RTLD_NEXT is libasan's own dlopen. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

void *dlopen(char const *file, int mode)
{
    void *(*next)(char const *, int);
    void *symbol = dlsym(RTLD_NEXT, "dlopen");

    if (!symbol)
        return NULL;
    memcpy(&next, &symbol, sizeof(next)); /* ISO C has no cast from object to function pointer */
    return next(file, mode & ~RTLD_DEEPBIND);
}
