/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.h - what becomes of a request, whatever happens to it and in whatever order */

#ifndef VGPUD_REQUEST_LIFE_H
#define VGPUD_REQUEST_LIFE_H

#include <stdint.h>

/*
 * A request ends once: its record is finished, and whoever waits for it is told. Most end when they
 * are over; one that a worker still has when its deadline passes ends at once, and is over only
 * when the worker has given it back.
 *
 * Pure: no I/O, no clock, no memory of its own.
 */

enum life_state {
	LIFE_WAITING,  /* for its turn */
	LIFE_STARTED,  /* a worker has it */
	LIFE_UNWANTED, /* likewise, but nobody waits for its answer any more */
	LIFE_LATE,     /* likewise, and it has ended already */
	LIFE_OVER,
	LIFE_STATE_NUM
};

enum life_event {
	LIFE_START,    /* a worker got it */
	LIFE_UNSTART,  /* that worker is gone before it began */
	LIFE_RETURN,   /* the worker is done with it, or gone while it ran */
	LIFE_EXPIRE,   /* its deadline is over */
	LIFE_ABANDON,  /* nobody waits for it any more */
	LIFE_TURN_OUT, /* it does not get its turn: refused, cancelled, no device, the daemon ends
			*/
	LIFE_EVENT_NUM
};

enum life_end {
	LIFE_NO_END,   /* not now */
	LIFE_END_TOLD, /* with the event's status */
	LIFE_END_MUTE  /* with CANCELLED, and nobody is told */
};

struct life_step {
	enum life_state next;
	enum life_end end;
	uint32_t status; /* enum vgpu_error, of an end */
};

/*
 * status: what the request would end with by this event, enum vgpu_error.
 * Return: what it comes to. An event that cannot be in this state leaves the request as it is.
 */
struct life_step life_step(enum life_state state, enum life_event event, uint32_t status);

#endif
