/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_log.h - what the log tells of a VM's device, however often it comes and goes */

#ifndef VGPUD_LINK_PORT_LOG_H
#define VGPUD_LINK_PORT_LOG_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/log.h"

/*
 * Messages that a device can provoke are logged at most once a second. A device that connects and
 * hangs up in a loop is logged as a summary. Set the first three fields; the rest begins with zeros.
 */
struct port_log {
	sd_event *event;
	const char *name; /* of the VM; outlives this */
	bool of_programs; /* of a local tenant: its programs' beginning and end are told, with their names */
	bool connected; /* as was told last, or counted */
	struct log_limit complaints;
	struct log_flood changes;
	sd_event_source *sum; /* its timer prints their summary; or NULL */
};

/* Something that a device did wrong, or could not have. */
void port_log_complain(struct port_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A device, or a program, has connected or has gone. */
void port_log_change(struct port_log *log, bool connected);

void port_log_end(struct port_log *log);

#endif
