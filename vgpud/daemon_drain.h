/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_drain.h - a drain, which outlives restarts until an administrator ends it */

#ifndef VGPUD_DAEMON_DRAIN_H
#define VGPUD_DAEMON_DRAIN_H

#include "vgpud/daemon.h"

/* At the start: goes on with a drain that was not ended. */
void daemon_drain_load(struct daemon *daemon);

/* Begins or ends a drain, kept first. Return: 0, or -errno: it could not be kept, nothing changed. */
int daemon_drain_set(struct daemon *daemon, bool on, int64_t uid);

#endif
