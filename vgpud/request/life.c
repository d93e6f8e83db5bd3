/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.c - the states of a request, and what each event makes of it */

#include "vgpud/request/life.h"

#include "common/wire/vgpu_proto.h"

/* clang-format off */
#define STEP(state, end) { LIFE_##state, end, 0 }
#define STAYS(state)     STEP(state, LIFE_NO_END)
#define GOES(state)      STEP(state, LIFE_NO_END)
#define TOLD(state)      STEP(state, LIFE_END_TOLD)
#define MUTE(state)      STEP(state, LIFE_END_MUTE)

/* Indexed by state and event. */
static const struct life_step steps[LIFE_STATE_NUM][LIFE_EVENT_NUM] = {
	[LIFE_WAITING] = {
		[LIFE_START]    = GOES(STARTED),
		[LIFE_UNSTART]  = STAYS(WAITING),
		[LIFE_RETURN]   = STAYS(WAITING),
		[LIFE_EXPIRE]   = TOLD(OVER),
		[LIFE_ABANDON]  = MUTE(OVER),
		[LIFE_TURN_OUT] = TOLD(OVER),
	},
	[LIFE_STARTED] = {
		[LIFE_START]    = STAYS(STARTED),
		[LIFE_UNSTART]  = GOES(WAITING),
		[LIFE_RETURN]   = TOLD(OVER),
		[LIFE_EXPIRE]   = TOLD(LATE),
		[LIFE_ABANDON]  = GOES(UNWANTED),
		[LIFE_TURN_OUT] = STAYS(STARTED),
	},
	[LIFE_UNWANTED] = {
		[LIFE_START]    = STAYS(UNWANTED),
		[LIFE_UNSTART]  = MUTE(OVER),
		[LIFE_RETURN]   = MUTE(OVER),
		[LIFE_EXPIRE]   = MUTE(LATE),
		[LIFE_ABANDON]  = STAYS(UNWANTED),
		[LIFE_TURN_OUT] = STAYS(UNWANTED),
	},
	[LIFE_LATE] = {
		[LIFE_START]    = STAYS(LATE),
		[LIFE_UNSTART]  = GOES(OVER),
		[LIFE_RETURN]   = GOES(OVER),
		[LIFE_EXPIRE]   = STAYS(LATE),
		[LIFE_ABANDON]  = STAYS(LATE),
		[LIFE_TURN_OUT] = STAYS(LATE),
	},
	[LIFE_OVER] = {
		[LIFE_START]    = STAYS(OVER),
		[LIFE_UNSTART]  = STAYS(OVER),
		[LIFE_RETURN]   = STAYS(OVER),
		[LIFE_EXPIRE]   = STAYS(OVER),
		[LIFE_ABANDON]  = STAYS(OVER),
		[LIFE_TURN_OUT] = STAYS(OVER),
	},
};
/* clang-format on */

struct life_step life_step(enum life_state state, enum life_event event, uint32_t status)
{
	struct life_step step = steps[state][event];

	step.status = step.end == LIFE_END_MUTE ? VGPU_ERR_CANCELLED : status;
	return step;
}
