/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a machine is while it is driven, and where while it waits. Nearly all sign-ons that are under way wait: for
 * a person, or for an answer. Such a one has its machine in the packed form, some 2 KB; a room for a machine and
 * its scratch, 50 KB, is the loop's, and for whichever run it drives. */
#include "driver/internal.h"

#include <stddef.h>
#include <stdlib.h>

dt_signon *dt_driver_machine_new(void)
{
    size_t const align = _Alignof(max_align_t);
    size_t const size = (dt_signon_size() + align - 1) / align * align;
    char *block = calloc(1, size + dt_signon_scratch_size());
    if (block == NULL)
        return NULL;
    dt_signon *machine = (dt_signon *)(void *)block;
    dt_signon_attach(machine, (dt_signon_scratch *)(void *)(block + size));
    return machine;
}

void dt_driver_machine_free(dt_signon **machine)
{
    if (*machine != NULL)
        dt_signon_wipe(*machine);
    free(*machine);
    *machine = NULL;
}

/* --- rooms: on the loop's thread --------------------------------------------------------------- */

static dt_signon *room_take(dt_driver *d)
{
    return d->room_count > 0 ? d->rooms[--d->room_count] : dt_driver_machine_new();
}

static void room_give(dt_driver *d, dt_signon **room)
{
    if (d->room_count == DT_DRIVER_ROOMS) {
        dt_driver_machine_free(room);
        return;
    }
    dt_signon_wipe(*room);
    d->rooms[d->room_count++] = *room;
    *room = NULL;
}

/* As many as runs are driven at a time, so that none of them needs memory to go on. */
int dt_rooms_make(dt_driver *d)
{
    while (d->room_count < DT_DRIVER_ROOMS) {
        dt_signon *room = dt_driver_machine_new();
        if (room == NULL)
            return DT_E_NOMEM;
        d->rooms[d->room_count++] = room;
    }
    return DT_OK;
}

void dt_rooms_free(dt_driver *d)
{
    while (d->room_count > 0)
        dt_driver_machine_free(&d->rooms[--d->room_count]);
}

/* --- the machine of a run ----------------------------------------------------------------------- */

/* Takes just as much memory as it needs. */
static int pack(dt_run *run, dt_signon const *machine)
{
    dt_buf work;
    dt_buf_init(&work, DT_SIGNON_PACKED_MAX);
    int rc = dt_signon_pack(machine, &work);
    if (rc == DT_OK) {
        dt_buf_init(&run->packed, work.len);
        dt_buf_put(&run->packed, work.p, work.len);
        rc = dt_buf_error(&run->packed);
    }
    dt_buf_free(&work);
    if (rc != DT_OK)
        dt_buf_free(&run->packed);
    return rc;
}

dt_run *dt_run_new(dt_driver *d, dt_live_site *live, dt_signon const *machine)
{
    dt_run *run = calloc(1, sizeof(*run));
    if (run == NULL || pack(run, machine) != DT_OK) {
        free(run);
        return NULL;
    }
    run->driver = d;
    run->live = dt_live_site_acquire(live);
    run->start = (dt_post){.fn = dt_run_begin, .ctx = run};
    atomic_fetch_add(&d->runs_now, 1);
    return run;
}

dt_signon *dt_run_machine(dt_run *run)
{
    if (run->machine != NULL)
        return run->machine;
    dt_signon *room = room_take(run->driver);
    if (room == NULL)
        return NULL;
    if (dt_signon_unpack(room, dt_buf_bytes(&run->packed)) != DT_OK) {
        room_give(run->driver, &room);
        return NULL;
    }
    dt_buf_free(&run->packed);
    run->machine = room;
    return room;
}

/* Without memory for the packed form it stays where it is. */
void dt_run_rest(dt_run *run)
{
    if (!run->stepping && run->machine != NULL && pack(run, run->machine) == DT_OK)
        room_give(run->driver, &run->machine);
}

void dt_run_forget_machine(dt_run *run)
{
    dt_buf_free(&run->packed);
    if (run->machine != NULL) /* on the loop's thread: elsewhere none is driven */
        room_give(run->driver, &run->machine);
}
