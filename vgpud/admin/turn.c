/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn.c - when an administrator's client gets its turn: after the devices, but it gets it */

#include "vgpud/admin/turn.h"

/* Higher numbers come later; workers' messages come last, at 100. */
#define PRIORITY_BELOW_DEVICES 10

int admin_turn_lower(sd_event_source *source)
{
	return sd_event_source_set_priority(source, PRIORITY_BELOW_DEVICES);
}

void admin_turn_raise(sd_event_source *source)
{
	if (sd_event_source_get_pending(source) > 0)
		sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL);
}
