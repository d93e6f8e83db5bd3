/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.h - the states of a request, and what each event makes of it */

#ifndef VGPUD_REQUEST_LIFE_H
#define VGPUD_REQUEST_LIFE_H

#include <stdint.h>

/*
 * A request ends once: then its record is finished and its origin gets the answer. It is over when
 * no worker has it any more. Both mostly happen together. But a request that runs past its deadline
 * ends at once, and is over only when the worker has given it back.
 *
 * Pure: no I/O, no clock, no memory of its own.
 */

enum life_state {
	LIFE_WAITING,  /* in its VM's queue */
	LIFE_STARTED,  /* a worker has it */
	LIFE_UNWANTED, /* a worker has it, but the guest does not wait for it any more */
	LIFE_LATE,     /* a worker has it, but it has ended already */
	LIFE_OVER,
	LIFE_STATE_NUM
};

enum life_event {
	LIFE_START,    /* a worker got it */
	LIFE_UNSTART,  /* the worker died before it began */
	LIFE_RETURN,   /* the worker has run it, or died while it ran */
	LIFE_EXPIRE,   /* its deadline is over */
	LIFE_ABANDON,  /* the guest does not wait for it any more */
	LIFE_TURN_OUT, /* it does not get its turn: refused, cancelled, no device, the daemon ends
			*/
	LIFE_EVENT_NUM
};

enum life_end {
	LIFE_NO_END,   /* it does not end now */
	LIFE_END_TOLD, /* it ends with the event's status, and its origin is answered */
	LIFE_END_MUTE  /* it ends CANCELLED, without an answer */
};

struct life_step {
	enum life_state next;
	enum life_end end;
	uint32_t status; /* enum vgpu_error, of an end */
};

/*
 * status: what the request ends with if this event ends it, enum vgpu_error.
 * Return: its next state and its end. An event that cannot happen in a state changes nothing.
 */
struct life_step life_step(enum life_state state, enum life_event event, uint32_t status);

#endif
