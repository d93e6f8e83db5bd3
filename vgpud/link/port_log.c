/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_log.c - what the log tells of a VM's device, however often it comes and goes */

#include "vgpud/link/port_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/util.h"

void port_log_complain(struct port_log *log, const char *format, ...)
{
	unsigned held_back;
	char text[256];
	va_list args;

	if (!log_limit_pass(&log->complaints, util_now_ns(), &held_back))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (held_back > 0)
		log_warning("%s: %s (and %u more messages)", log->name, text, held_back);
	else
		log_warning("%s: %s", log->name, text);
}

static int on_sum(sd_event_source *source, uint64_t usec, void *arg)
{
	struct port_log *log = arg;
	unsigned over_s, times = log_flood_sum(&log->changes, util_now_ns(), &over_s);

	(void)source;
	(void)usec;
	log->sum = sd_event_source_disable_unref(log->sum);
	log_info("%s: its device connected or disconnected %u times more in the last %u s, and is "
		 "%s now",
		 log->name, times, over_s, log->connected ? "connected" : "not connected");
	return 0;
}

void port_log_change(struct port_log *log, bool connected)
{
	const char *what = connected ? "connected" : "disconnected";

	log->connected = connected;
	if (log->of_programs)
		log_debug("%s: a program %s", log->name, what);
	else if (log_flood_pass(&log->changes, util_now_ns()))
		log_info("%s: its device %s", log->name, what);
	else if (log->sum == NULL)
		sd_event_add_time(log->event, &log->sum, CLOCK_MONOTONIC,
				  log_flood_due_ns(&log->changes) / UTIL_NS_PER_US, 0, on_sum, log);
}

void port_log_end(struct port_log *log)
{
	log->sum = sd_event_source_disable_unref(log->sum);
}
