/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The waiting room: a listener on 127.0.0.1, on the driver's loop, that is a home server to the very
 * FreeRADIUS that loaded us. A request whose sign-on must wait is proxied there and so parked by the
 * server without a thread; the room sends the one answer when the sign-on has its outcome.
 *
 * One parked request is a ticket (random, known to us and the proxied packet only), a sign-on under
 * way in the driver, and the packet that waits for the answer. Knows nothing of FreeRADIUS. */
#ifndef DT_RLM_WAITING_ROOM_H
#define DT_RLM_WAITING_ROOM_H

#include "core/base/crypto.h"
#include "driver/driver.h"
#include "rlm_devtrust/radius_packet.h"

#define DT_ROOM_PARKED_MAX 60000    /* ceiling on the setting */
#define DT_ROOM_CONNECTIONS_MAX 272 /* the server opens up to 250, of 256 packets each */
#define DT_ROOM_UNPROVEN_SECONDS 5  /* a connection without one authentic packet is closed */
#define DT_ROOM_REPEAT_SECONDS                                                                     \
    10 /* how long the result of an answer is given again to its repeats */
#define DT_ROOM_REPEATS_MAX 4096  /* answers of which that is kept at a time */
#define DT_ROOM_WATCH_SECONDS 1   /* between two looks at what gateways repeat */
#define DT_ROOM_SILENCE_SECONDS 2 /* longer than twice its longest pause: a gateway is silent */
#define DT_ROOM_CLOSE_SECONDS 10  /* longest wait for the loop when closing */

typedef struct dt_waiting_room dt_waiting_room;
typedef struct dt_parked dt_parked;

typedef struct dt_room_options {
    uint16_t port;         /* 0 = the kernel chooses */
    size_t parked_max;     /* requests waiting at once; more are refused with DT_E_LIMIT */
    dt_time answer_within; /* every parked request is answered by then, counted from parking */
} dt_room_options;

/* Listens. `d` must have its own thread and outlive dt_waiting_room_close. DT_E_IO with the port and
 * what to do, DT_E_NOMEM. */
DT_MUST_USE int dt_waiting_room_open(dt_driver *d, dt_room_options const *o, dt_waiting_room **out,
                                     dt_error *e);
uint16_t dt_waiting_room_port(dt_waiting_room const *r);
/* Made at start, printable; borrowed from the room. */
char const *dt_waiting_room_secret(dt_waiting_room const *r);
/* Stops listening and closes all connections. Before dt_driver_free, never on the loop's thread. Who
 * is still parked gets no answer. */
void dt_waiting_room_close(dt_waiting_room *r);
/* After dt_driver_free. Memory goes when the last parked request has left. */
void dt_waiting_room_free(dt_waiting_room **r);

/* Hands a machine to the loop, and keeps a copy of its luggage: for dt_parked_luggage, and with the machine
 * if that is suspended. On success *out is the caller's share of the parked request, given
 * back with dt_parked_release. DT_E_LIMIT (parked_max, or the driver is full), DT_E_NOMEM, DT_E_IO (no
 * random bytes). Thread safe.
 * One that only looks up is answered with Access-Challenge when it has ended, however it ended, or its time is
 * over: by itself that lets nobody in. */
DT_MUST_USE int dt_waiting_room_park(dt_waiting_room *r, dt_signon const *machine, dt_bytes luggage,
                                     dt_parked **out);

/* Ends the sign-on of this challenge when nobody answers it in its time. Thread safe. */
struct dt_challenge_open;
void dt_waiting_room_expect(dt_waiting_room *r, struct dt_challenge_open const *open);

/* The answer to a challenge, which a gateway may send again by another packet while the first is looked
 * into, or soon after: only the first goes on with the sign-on, and whoever repeats it gets what became of that.
 * `key` is a keyed digest of the State and the answer, so that another answer to it joins nobody.
 * On success *out is the caller's share of a parked request. *first: go on with dt_waiting_room_start or
 * dt_waiting_room_cancel; else it is answered with the first one. DT_E_LIMIT, DT_E_NOMEM, DT_E_IO as above.
 * Thread safe. */
DT_MUST_USE int dt_waiting_room_answer(dt_waiting_room *r, uint8_t const key[DT_SHA256_LEN],
                                       dt_parked **out, bool *first);
/* Hands over the machine of a first one, as dt_waiting_room_park does. The share stays the caller's, also
 * on an error: cancel it then. */
DT_MUST_USE int dt_waiting_room_start(dt_parked *p, dt_signon const *machine, dt_bytes luggage);
/* A first one does not go on: whoever has joined it is refused with this outcome, which denies, and nobody joins
 * it any more. Takes the share; nulls the pointer. */
void dt_waiting_room_cancel(dt_parked **p, dt_outcome const *o);

/* `repeats` counts the packets that the gateway of this request sent again, of this request or of others, and
 * is there for as long as the request. A gateway that has repeated some and then falls silent for longer than it
 * ever paused may have given up: the event says so, since nobody may be there to be let in. */
void dt_parked_watch(dt_parked *p, uint64_t const *repeats);
/* The id of the sign-on; "" before it is known, which it is once there is an outcome. */
void dt_parked_id(dt_parked *p, char out[DT_SIGNON_ID_LEN + 1]);
/* Borrowed from the parked request; of one that joined, once there is an outcome. */
dt_bytes dt_parked_luggage(dt_parked const *p);
/* What the proxied packet must carry as its State. */
dt_bytes dt_parked_ticket(dt_parked const *p);
/* Copies the outcome once there is one; false before. A suspended sign-on has the outcome it had so
 * far, which denies, and *suspended is true. Thread safe. */
bool dt_parked_outcome(dt_parked *p, dt_outcome *out, bool *suspended);
/* The server forgot the request: its sign-on is given up unless it has been answered. Thread safe;
 * nulls the pointer. */
void dt_parked_release(dt_parked **p);

typedef struct dt_room_stats {
    size_t parked;
    uint64_t answered, refused; /* refused: packets that were not ours */
} dt_room_stats;
void dt_waiting_room_stats(dt_waiting_room *r, dt_room_stats *out);

/* The message for the person: the outcome's own, or one that says no more than it must; and a refusal's code. */
void dt_room_message(dt_outcome const *o, char out[DT_MESSAGE_MAX]);

#endif
