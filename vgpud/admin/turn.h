/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn.h - when an administrator's client gets its turn: after the devices, but it gets it */

#ifndef VGPUD_ADMIN_TURN_H
#define VGPUD_ADMIN_TURN_H

#include <systemd/sd-event.h>

/*
 * The loop dispatches by priority, and devices, workers and deadlines have the normal one. A client's
 * source has a lower one, so that whatever clients ask, a VM's message comes first. A guest that keeps
 * the loop busy would so keep out the administrator who is to pause it. Hence those that wait are
 * raised to the devices' priority now and then; each is lowered again as it is dispatched.
 */
#define ADMIN_TURN_NS UINT64_C(20000000) /* from one raising to the next */

/* Return: 0 or -errno. */
int admin_turn_lower(sd_event_source *source);

/* Raises the source if it waits to be dispatched. */
void admin_turn_raise(sd_event_source *source);

#endif
