/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.c - what memory of its GPU a program has held, as its worker's page says */

#include "vgpud/programs/held.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "common/util.h"

#define PEAK_MOST (UINT64_C(1) << 50) /* more than any GPU has */
#define COPIES 8		      /* that are tried, until one is of one moment */
#define SUM_MOST ((unsigned __int128)INT64_MAX)

static bool read_turn(int fd, uint64_t *turn)
{
	return pread(fd, turn, sizeof(*turn), offsetof(struct report_page, memory.turn)) ==
	       (ssize_t)sizeof(*turn);
}

/* Return: whether they could be read as they were at one moment. */
static bool read_memory(int fd, struct report_memory *told)
{
	struct report_memory state[2];
	uint64_t before, after;

	for (unsigned i = 0; i < COPIES; i++) {
		if (!read_turn(fd, &before) ||
		    pread(fd, state, sizeof(state), offsetof(struct report_page, memory.state)) !=
			    (ssize_t)sizeof(state) ||
		    !read_turn(fd, &after))
			return false;
		*told = state[before % 2];
		/* Before the next turn the worker does not touch that state. */
		if (after == before)
			return true;
	}
	return false;
}

void held_record(int fd, uint64_t now_ns, struct ledger_program *program)
{
	struct report_memory told;
	unsigned __int128 byte_s, most;

	if (!read_memory(fd, &told))
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

static const struct report_memory *memory_of(const struct report_page *page)
{
	return &page->memory.state[page->memory.turn % 2];
}

/* Return: the latest time, CLOCK_MONOTONIC, of which the page tells. */
static uint64_t last_of(const struct report_page *page)
{
	const struct report_submission *newest =
		&page->ring[(page->head + REPORT_RING - 1) % REPORT_RING];
	uint64_t last_ns = memory_of(page)->since_ns;

	if (page->head > 0 && newest->ended_ns > last_ns)
		last_ns = newest->ended_ns;
	return page->open_since_ns > last_ns ? page->open_since_ns : last_ns;
}

void held_left(const struct report_page *page, struct ledger_program *program)
{
	const struct report_memory *told = memory_of(page);
	uint64_t peak_bytes = told->peak_bytes < PEAK_MOST ? told->peak_bytes : PEAK_MOST;
	uint64_t bytes = told->bytes < peak_bytes ? told->bytes : peak_bytes;
	unsigned __int128 byte_s = told->byte_s;

	byte_s += (unsigned __int128)bytes * (last_of(page) - told->since_ns) / UTIL_NS_PER_S;
	program->memory_peak_bytes = peak_bytes;
	program->memory_byte_s = (uint64_t)(byte_s < SUM_MOST ? byte_s : SUM_MOST);
}
