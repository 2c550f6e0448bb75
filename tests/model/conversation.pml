/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MFA conversation of one person: what may happen to pushes, States and passcodes when sign-ons meet,
 * packets are lost and repeated, nodes restart, and clocks step. For Spin: `make model`.
 *
 * Three machines (dt_signon) share one store and one person:
 *   0 and 1   are the same sign-on, sent again to another node;
 *   2         is another sign-on under the same name: perhaps of somebody who knows the password.
 * A label is a phase of the machine, and GO is a move of it. table.txt names all of both; a test compares it
 * with this file and with the code.
 *
 * What is checked:
 *   approval    nobody is let in without an approval, or a right passcode, of this very sign-on;
 *   one push    while a push waits for the person's answer and may let somebody in, no other one is sent;
 *   one use     no State is taken twice.
 * WITH_RETRANSMIT adds machine 1, WITH_STATES sign-ons that are kept behind a State (RADIUS). Both at once have
 * too many states to be gone through in seconds, and what they have to do with each other is the store's row
 * alone. FAULT_* plants a fault that must be found. */

#define MACHINES 3
#define SIGN_ON(m) ((m) == 2)
#ifndef CRASHES
#define CRASHES 1
#endif

/* dt_push_state */
#define NONE 0
#define STARTING 1
#define WAITING 2
#define APPROVED 3
#define REJECTED 4
#define OVER 5

#define NOBODY 7

/* The person's row of DT_TABLE_PUSH: an owner's id is never used twice, so state and owner are its text. */
byte row_state = NONE, row_owner = NOBODY;
/* What Okta has of the push that machine m sent: NONE, WAITING, APPROVED, REJECTED, OVER. */
byte okta[MACHINES];
/* Rows of DT_TABLE_STATE, and answers that came for them. */
bool state_row[MACHINES], state_sent[MACHINES], resume[MACHINES];
byte deliveries[MACHINES];
byte crashes = CRASHES;
/* The deadline is past. Any row runs out after the deadline of whoever had claimed a push before it was
 * written: a claim lasts longer than the deadline, a denial for push_pause. */
bool late[MACHINES], claimed[MACHINES];

/* What the properties speak of; no machine reads them. */
bool may_let_in[MACHINES]; /* the push that m sent */
#define IS_OPEN(m) (may_let_in[m] && okta[m] == WAITING)
byte taken[MACHINES];      /* States */
#define IS_APPROVED(m) (SIGN_ON(m) == 0 && (okta[0] == APPROVED || okta[1] == APPROVED) ||                 \
                        SIGN_ON(m) == 1 && okta[2] == APPROVED)

#define JOINED (owner != m)
#ifdef WITHOUT_PASSCODES
#define TYPED false
#else
#define TYPED true
#endif
#define GO(from, to) goto to
/* Where code counts (attempts, tries, retries), any number is possible here. */
/* A node may stop, and what it had in memory is gone: before each step that others see, or that waits; at
 * other places it comes to the same. */
#define STEP                                                                                       \
    if                                                                                             \
    :: true                                                                                        \
    :: crashes > 0 -> crashes--; goto gone                                                         \
    fi
#define IS_EXPECTED (row_state == seen_state && row_owner == seen_owner)
#define WRITE(state, who) row_state = state; row_owner = who; seen_state = state; seen_owner = who
#define IS_OF_THIS_SIGN_ON (row_owner != NOBODY && SIGN_ON(row_owner) == SIGN_ON(m))

proctype machine(byte m)
{
    byte seen_state = NONE, seen_owner = NOBODY; /* `expected` */
    byte push = NONE, owner = m;                 /* s->push.state, .owner; JOINED: .joined */
    bool blocked = false, allowed = false, cancel_tried = false;
    bool unjudged = false, mfa_done = false, cleared = false;
    bool code = false; /* what is sent is a code: nobody lets in by it but who types it */

    atomic {
        if
        :: goto PUSH_CLAIM
        :: goto PUSH_OFFER         /* first it is found out whether somebody is there */
        :: TYPED -> goto TRIED_GET /* it came along */
        :: TYPED -> goto ANSWER_WAIT      /* no push is enrolled, or allowed */
        :: TYPED -> code = true; goto SEND_COUNT
        :: TYPED -> code = true; goto PUSH_OFFER
        fi
    }

PUSH_OFFER:
    atomic {
        if
        :: GO(PUSH_OFFER, FINISH)
        :: !code -> GO(PUSH_OFFER, PUSH_CLAIM) /* Enter */
        :: code -> GO(PUSH_OFFER, SEND_COUNT)
        :: code -> GO(PUSH_OFFER, ANSWER_WAIT) /* message_limit = 0: another factor */
        :: TYPED -> GO(PUSH_OFFER, TRIED_GET)
        fi
    }

PUSH_CLAIM:
    STEP;
    atomic {
        if
#ifdef FAULT_CLAIM_BLIND
        :: true ->
#else
        :: row_state == NONE ->
#endif
            WRITE(STARTING, m);
            claimed[m] = true;
            push = STARTING; owner = m;
            if
            :: GO(PUSH_CLAIM, PUSH_CONNECTION)
            :: GO(PUSH_CLAIM, SEND_COUNT)
            :: blocked = true; push = OVER; GO(PUSH_CLAIM, PUSH_RECORD) /* push_limit = 0 */
            fi
        :: row_state == REJECTED ->
            if
            :: IS_OF_THIS_SIGN_ON -> GO(PUSH_CLAIM, FINISH)
            :: TYPED -> blocked = true; GO(PUSH_CLAIM, ANSWER_WAIT)
            :: GO(PUSH_CLAIM, FINISH) /* no passcode is possible */
            fi
#ifdef FAULT_JOIN_ANY
        :: row_state == STARTING || row_state == WAITING ->
#else
        :: (row_state == STARTING || row_state == WAITING) && IS_OF_THIS_SIGN_ON ->
#endif
            owner = row_owner; push = row_state;
            seen_state = NONE; seen_owner = NOBODY;
            GO(PUSH_CLAIM, POLL_WAIT)
        :: (row_state == STARTING || row_state == WAITING) && !IS_OF_THIS_SIGN_ON ->
            if
            :: TYPED -> blocked = true; GO(PUSH_CLAIM, ANSWER_WAIT)
            :: GO(PUSH_CLAIM, FINISH)
            fi
        :: row_state == APPROVED || row_state == OVER ->
#ifdef FAULT_APPROVED_AGAIN
            if
            :: row_state == APPROVED -> allowed = true; mfa_done = true;
                GO(PUSH_CLAIM, FINISH)
            :: else
            fi;
#endif
            if
            :: blocked = true; push = OVER; GO(PUSH_CLAIM, PUSH_RECORD) /* too many tries */
            :: seen_state = row_state; seen_owner = row_owner;
                GO(PUSH_CLAIM, PUSH_RECLAIM)
            fi
        :: TYPED -> blocked = true; GO(PUSH_CLAIM, ANSWER_WAIT) /* the store does not answer */
        fi
    }

PUSH_RECLAIM:
    STEP;
    atomic {
        if
        :: IS_EXPECTED ->
            WRITE(STARTING, m);
            claimed[m] = true;
            push = STARTING; owner = m;
            if
            :: GO(PUSH_RECLAIM, PUSH_CONNECTION)
            :: GO(PUSH_RECLAIM, SEND_COUNT)
            :: blocked = true; push = OVER; GO(PUSH_RECLAIM, PUSH_RECORD)
            fi
        :: !IS_EXPECTED -> GO(PUSH_RECLAIM, PUSH_CLAIM) /* somebody was quicker: look again */
        :: TYPED -> blocked = true; GO(PUSH_RECLAIM, ANSWER_WAIT)
        :: GO(PUSH_RECLAIM, FINISH)
        fi
    }

PUSH_CONNECTION:
    atomic {
        if
        :: GO(PUSH_CONNECTION, SEND_COUNT)
        :: blocked = true; push = OVER; GO(PUSH_CONNECTION, PUSH_RECORD)
        fi
    }

SEND_COUNT:
    STEP;
    atomic {
        if
#ifdef FAULT_SENT_LATE
        :: GO(SEND_COUNT, SEND_HTTP)
#else
        :: !late[m] -> GO(SEND_COUNT, SEND_HTTP)
#endif
        :: !code -> blocked = true; push = OVER; GO(SEND_COUNT, PUSH_RECORD)
        :: code -> GO(SEND_COUNT, ANSWER_WAIT) /* the code before is good still; or another factor */
        :: code -> GO(SEND_COUNT, FINISH)
        fi
    }

/* At once, so that what SEND_COUNT has seen of the clock holds; a wait in a queue of ours ends with the
 * deadline. */
SEND_HTTP:
    atomic {
        if
        :: GO(SEND_HTTP, RETRY_WAIT) /* 429: nothing was sent */
        :: GO(SEND_HTTP, FINISH)                           /* or the token is refused */
        :: code -> GO(SEND_HTTP, ANSWER_WAIT)
        :: code -> GO(SEND_HTTP, SEND_COUNT) /* it cannot be sent: another one */
#ifdef FAULT_SENT_LATE
        :: !code ->
#else
        :: !code && !late[m] ->
#endif
            /* one push: none other on the phone that may still let somebody in */
            assert(!(IS_OPEN(0) && m != 0) && !(IS_OPEN(1) && m != 1) && !(IS_OPEN(2) && m != 2));
            okta[m] = WAITING;
            may_let_in[m] = true;
            if
            :: push = WAITING; GO(SEND_HTTP, PUSH_RECORD)
            :: blocked = true; push = OVER; may_let_in[m] = false; /* its answer is lost */
                GO(SEND_HTTP, PUSH_RECORD)
            fi
        fi
    }

RETRY_WAIT:
    atomic {
        if
        :: code || push == STARTING -> GO(RETRY_WAIT, SEND_HTTP)
        :: push != STARTING -> GO(RETRY_WAIT, ANSWER_HTTP)
        :: GO(RETRY_WAIT, FINISH)
        fi
    }

PUSH_RECORD:
    STEP;
    atomic {
        if
#ifdef FAULT_WRITE_BLIND
        :: true ->
#else
        :: IS_EXPECTED ->
#endif
            WRITE(push, m)
        :: !IS_EXPECTED
        :: true /* the store does not take it */
        fi;
        if
        :: !blocked -> GO(PUSH_RECORD, POLL_WAIT)
        :: TYPED && blocked -> GO(PUSH_RECORD, ANSWER_WAIT)
        :: TYPED && blocked -> code = true; GO(PUSH_RECORD, SEND_COUNT)
        :: blocked -> GO(PUSH_RECORD, FINISH)
        fi
    }

POLL_WAIT:
    STEP;
    atomic {
        if
        :: GO(POLL_WAIT, FINISH) /* the deadline, a step of the clock, or the person has left */
        :: JOINED && !late[m] -> GO(POLL_WAIT, PUSH_JOINED_GET)
        :: !JOINED && !late[m] -> GO(POLL_WAIT, POLL_HTTP)
        :: TYPED -> GO(POLL_WAIT, TRIED_GET) /* typed at an open prompt */
#ifdef WITH_STATES
        :: !state_sent[m] -> state_sent[m] = true; state_row[m] = true; /* suspended: Access-Challenge */
            goto end_kept_push
#endif
        fi
    }
end_kept_push:
    atomic {
        resume[m] -> resume[m] = false; late[m] = false; /* a new round trip has its own patience */
        if
        :: JOINED -> GO(POLL_WAIT, PUSH_JOINED_GET) /* Enter: look at once */
        :: !JOINED -> GO(POLL_WAIT, POLL_HTTP)
        :: TYPED -> GO(POLL_WAIT, TRIED_GET)
        fi
    }

PUSH_JOINED_GET:
    STEP;
    atomic {
        if
#ifdef FAULT_JOINED_UNCHECKED
        :: row_state == NONE -> push = OVER; GO(PUSH_JOINED_GET, FINISH)
        :: row_state != NONE ->
#else
        :: row_state == NONE || row_owner != owner -> push = OVER; GO(PUSH_JOINED_GET, FINISH)
        :: row_state != NONE && row_owner == owner ->
#endif
            push = row_state; seen_state = row_state; seen_owner = row_owner; owner = row_owner;
            if
            :: row_state == STARTING -> GO(PUSH_JOINED_GET, POLL_WAIT)
            :: row_state == WAITING -> GO(PUSH_JOINED_GET, POLL_HTTP)
            :: row_state == APPROVED -> allowed = true; mfa_done = true;
                seen_state = NONE; GO(PUSH_JOINED_GET, FINISH)
            :: row_state == REJECTED || row_state == OVER -> seen_state = NONE;
                GO(PUSH_JOINED_GET, FINISH)
            fi
        :: push == WAITING -> GO(PUSH_JOINED_GET, POLL_HTTP) /* the store does not answer */
        fi
    }

POLL_HTTP:
    STEP;
    atomic {
        if
        :: okta[owner] == APPROVED -> push = APPROVED; allowed = true; mfa_done = true;
            GO(POLL_HTTP, FINISH)
        :: okta[owner] == REJECTED -> push = REJECTED; GO(POLL_HTTP, FINISH)
        :: okta[owner] == WAITING -> GO(POLL_HTTP, POLL_WAIT)
        :: okta[owner] == OVER -> push = OVER; GO(POLL_HTTP, FINISH)
        :: GO(POLL_HTTP, POLL_WAIT) /* the answer is lost */
        :: GO(POLL_HTTP, FINISH)    /* too many are */
        :: TYPED -> GO(POLL_HTTP, TRIED_GET) /* typed meanwhile */
        fi
    }

ANSWER_WAIT:
    STEP;
    atomic {
        if
        :: GO(ANSWER_WAIT, FINISH)
        :: code -> GO(ANSWER_WAIT, SEND_COUNT) /* Enter: another code */
        :: GO(ANSWER_WAIT, TRIED_GET)
#ifdef WITH_STATES
        :: !state_sent[m] -> state_sent[m] = true; state_row[m] = true; goto end_kept_passcode
#endif
        fi
    }
end_kept_passcode:
    atomic {
        resume[m] -> resume[m] = false;
        if
        :: GO(ANSWER_WAIT, FINISH)
        :: code -> GO(ANSWER_WAIT, SEND_COUNT) /* Enter: another code */
        :: GO(ANSWER_WAIT, TRIED_GET)
        fi
    }

TRIED_GET:
    atomic {
        if
        :: GO(TRIED_GET, ANSWER_COUNT)
        :: push == WAITING -> GO(TRIED_GET, POLL_WAIT) /* wrong a moment ago */
        :: push != WAITING -> GO(TRIED_GET, ANSWER_WAIT)
        :: push == NONE && !blocked -> GO(TRIED_GET, PUSH_OFFER)
        :: push != WAITING -> GO(TRIED_GET, FINISH)
        fi
    }

ANSWER_COUNT:
    atomic {
        if
        :: GO(ANSWER_COUNT, ANSWER_HTTP)
        :: push == WAITING -> GO(ANSWER_COUNT, POLL_WAIT)
        :: GO(ANSWER_COUNT, FINISH)
        fi
    }

ANSWER_HTTP:
    atomic {
        if
        :: mfa_done = true; GO(ANSWER_HTTP, FINISH) /* right, in this very sign-on */
        :: GO(ANSWER_HTTP, TRIED_PUT)
        :: GO(ANSWER_HTTP, ANSWER_COUNT) /* the other authenticator */
        :: push != STARTING -> GO(ANSWER_HTTP, RETRY_WAIT)
        :: unjudged = true; GO(ANSWER_HTTP, FINISH)
        fi
    }

TRIED_PUT:
    atomic {
        if
        :: push == WAITING -> GO(TRIED_PUT, POLL_WAIT)
        :: push != WAITING -> GO(TRIED_PUT, ANSWER_WAIT)
        :: push == NONE && !blocked -> GO(TRIED_PUT, PUSH_OFFER)
        :: GO(TRIED_PUT, FINISH)
        fi
    }

FINISH:
    atomic {
        if
        :: push == WAITING && !JOINED && !cancel_tried -> cancel_tried = true;
            GO(FINISH, CANCEL_HTTP)
        :: else ->
            if
            :: push != NONE && (!JOINED || (seen_state != NONE &&
                                            (push == APPROVED || push == REJECTED))) ->
                if
                :: push == WAITING || push == STARTING -> push = OVER
                :: else
                fi;
                GO(FINISH, PUSH_FINISH)
            :: else ->
                if
                :: unjudged -> unjudged = false; GO(FINISH, ANSWER_UNCOUNT)
                :: else ->
                    if
                    :: mfa_done && !cleared -> cleared = true; GO(FINISH, LIMITS_CLEAR)
                    :: mfa_done && cleared -> mfa_done = false; GO(FINISH, REMEMBERED_PUT)
                    :: else -> GO(FINISH, DONE)
                    fi
                fi
            fi
        fi
    }

CANCEL_HTTP:
    atomic {
        if
        :: okta[m] == WAITING -> okta[m] = OVER
        :: true /* lost, or too late */
        fi;
        GO(CANCEL_HTTP, FINISH)
    }

PUSH_FINISH:
    STEP;
    atomic {
        if
        :: push == REJECTED -> row_state = REJECTED; row_owner = owner
#ifdef FAULT_WRITE_BLIND
        :: push != REJECTED -> row_state = push; row_owner = owner
#else
        :: push != REJECTED && IS_EXPECTED -> row_state = push; row_owner = owner
        :: push != REJECTED && !IS_EXPECTED
#endif
        :: true /* the store does not take it */
        fi;
        push = NONE;
        /* The one that sent it will not look at it again; who joined it looks at the row first. */
        may_let_in[owner] = may_let_in[owner] && owner != m;
        GO(PUSH_FINISH, FINISH)
    }

ANSWER_UNCOUNT:
    GO(ANSWER_UNCOUNT, FINISH);

LIMITS_CLEAR:
    GO(LIMITS_CLEAR, FINISH);

REMEMBERED_PUT:
    GO(REMEMBERED_PUT, FINISH);

DONE:
    /* approval: whom a push lets in, its own sign-on was approved */
    assert(!allowed || IS_APPROVED(m));
gone:
    atomic {
        seen_state = NONE; seen_owner = NOBODY; push = NONE; owner = NOBODY; blocked = false;
        allowed = false; cancel_tried = false; unjudged = false; mfa_done = false; cleared = false
    }
}

/* Answers to challenges: a State is delivered to any node, more than once, late, or never (which is what one
 * that has expired comes to). */
#define DELIVER(s)                                                                                 \
    atomic {                                                                                       \
        state_sent[s] && deliveries[s] < 2 -> deliveries[s]++;                                     \
        if                                                                                         \
        :: state_row[s] -> TAKE(s); taken[s]++; assert(taken[s] <= 1); resume[s] = true            \
        :: else /* "State was used before", or has expired */                                      \
        fi                                                                                         \
    }
#ifdef FAULT_STATE_KEPT
#define TAKE(s) skip
#else
#define TAKE(s) state_row[s] = false
#endif

proctype network()
{
end_network:
    do
    :: DELIVER(0)
    :: DELIVER(1)
    :: DELIVER(2)
    od
}

/* Approves or denies what is on the phone, whoever caused it. */
#define DECIDE(p)                                                                                  \
    atomic {                                                                                       \
        okta[p] == WAITING ->                                                                      \
        if                                                                                         \
        :: okta[p] = APPROVED                                                                      \
        :: okta[p] = REJECTED                                                                      \
        fi                                                                                         \
    }

proctype person()
{
end_person:
    do
    :: DECIDE(0)
    :: DECIDE(1)
    :: DECIDE(2)
    od
}

/* Time passes, by steps of any size: rows run out. A push that nobody can look at any more because its row
 * has run out does not let anybody in; whoever sent it gives it up at its deadline, which is before. */
proctype clock()
{
end_clock:
    do
    :: atomic {
        row_state != NONE -> row_state = NONE; row_owner = NOBODY;
        late[0] = claimed[0]; late[1] = claimed[1]; late[2] = claimed[2];
        may_let_in[0] = false; may_let_in[1] = false; may_let_in[2] = false
    }
    od
}

init {
    atomic {
        run machine(0);
        run machine(2);
#ifdef WITH_RETRANSMIT
        run machine(1);
#endif
#ifdef WITH_STATES
        run network();
#endif
        run person();
        run clock()
    }
}
