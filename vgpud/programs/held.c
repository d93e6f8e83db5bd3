/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.c - what memory of its GPU a program has held, as its worker's page says */

#include "vgpud/programs/held.h"

#include <stddef.h>
#include <unistd.h>

#include "common/util.h"

#define PEAK_MOST (UINT64_C(1) << 50) /* more than any GPU has */
#define SUM_MOST ((unsigned __int128)INT64_MAX)

void held_record(int fd, uint64_t now_ns, struct ledger_program *program)
{
	struct report_memory told;
	unsigned __int128 byte_s, most;

	if (pread(fd, &told, sizeof(told), offsetof(struct report_page, memory)) !=
	    (ssize_t)sizeof(told))
		return;
	if (told.peak_bytes > PEAK_MOST)
		told.peak_bytes = PEAK_MOST;
	if (told.bytes > told.peak_bytes)
		told.bytes = told.peak_bytes;
	if (told.since_ns < program->begun_ns || told.since_ns > now_ns)
		told.since_ns = now_ns;
	byte_s = told.byte_s +
		 (unsigned __int128)told.bytes * (now_ns - told.since_ns) / UTIL_NS_PER_S;
	most = (unsigned __int128)told.peak_bytes * (now_ns - program->begun_ns) / UTIL_NS_PER_S;
	if (most > SUM_MOST)
		most = SUM_MOST;
	program->memory_peak_bytes = told.peak_bytes;
	program->memory_byte_s = (uint64_t)(byte_s < most ? byte_s : most);
}

/* Return: the latest time, CLOCK_MONOTONIC, of which the page tells. */
static uint64_t last_of(const struct report_page *page)
{
	const struct report_submission *newest =
		&page->ring[(page->head + REPORT_RING - 1) % REPORT_RING];
	uint64_t last_ns = page->memory.since_ns;

	if (page->head > 0 && newest->ended_ns > last_ns)
		last_ns = newest->ended_ns;
	return page->open_since_ns > last_ns ? page->open_since_ns : last_ns;
}

void held_left(const struct report_page *page, struct ledger_program *program)
{
	const struct report_memory *told = &page->memory;
	uint64_t peak_bytes = told->peak_bytes < PEAK_MOST ? told->peak_bytes : PEAK_MOST;
	uint64_t bytes = told->bytes < peak_bytes ? told->bytes : peak_bytes;
	unsigned __int128 byte_s = told->byte_s;

	byte_s += (unsigned __int128)bytes * (last_of(page) - told->since_ns) / UTIL_NS_PER_S;
	program->memory_peak_bytes = peak_bytes;
	program->memory_byte_s = (uint64_t)(byte_s < SUM_MOST ? byte_s : SUM_MOST);
}
