/* SPDX-License-Identifier: GPL-2.0-or-later */
/* figures.c - a program's figures in a row, whether it runs or is in the ledger */

#include "vgpud/admin/figures.h"

#include <stdio.h>

json_t *figures_number(uint64_t figure)
{
	if (figure == LEDGER_UNKNOWN)
		return json_null();
	return json_integer(figure > INT64_MAX ? INT64_MAX : (json_int_t)figure);
}

void figures_set(json_t *row, const struct ledger_program *program,
		 const struct ledger_latency *latency)
{
	const struct {
		const char *key;
		uint64_t figure;
	} figures[] = {
		{ "gpu_time_ns", program->billed_ns },
		{ "memory_peak_bytes", program->memory_peak_bytes },
		{ "memory_byte_s", program->memory_byte_s },
		{ "submissions", program->submissions },
		{ "latency_p50_ns", latency->p50_ns },
		{ "latency_p99_ns", latency->p99_ns },
		{ "latency_max_ns", latency->max_ns },
		{ "commands", program->commands },
		{ "launches", program->launches },
		{ "copies", program->copies },
		{ "copy_bytes", program->copy_bytes },
		{ "refused", program->refused },
	};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		json_object_set_new(row, figures[i].key, figures_number(figures[i].figure));
}

void figures_add_wait(struct figures_waits *waits, const char *what, uint64_t ns, uint64_t whole_ns)
{
	char *end = waits->text + waits->used;
	size_t room = sizeof(waits->text) - waits->used;
	int len;

	if (waits->full)
		return;
	len = snprintf(end, room, "%s%s %.0f %%", waits->used > 0 ? ", " : "",
		       what != NULL ? what : "a removed VM", (double)ns * 100 / (double)whole_ns);
	waits->full = len < 0 || (size_t)len >= room;
	if (waits->full)
		*end = '\0';
	else
		waits->used += (size_t)len;
}

json_t *figures_waits(const struct figures_waits *waits)
{
	return waits->used > 0 ? json_string(waits->text) : json_null();
}
