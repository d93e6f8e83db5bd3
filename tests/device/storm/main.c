/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - random accesses to a vgpu-stub by the million, beside a daemon that is no better than
 * the guest */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/device/storm/storm.h"

#define HANGS_MS 60000

static uint64_t seed;

void storm_fault(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "storm: seed %" PRIu64 ", after %" PRIu64 " accesses: ", seed,
		guest_counts.accesses);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void run(uint64_t count)
{
	while (guest_counts.accesses < count) {
		guest_put_accesses();
		qtest_flush();
		qtest_read(HANGS_MS, peer_fd());
		guest_take_answers();
		peer_serve();
		guest_maybe_disturb();
	}
	while (!guest_take_answers())
		qtest_read(HANGS_MS, -1);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: storm QTEST_FD LINK_PATH SEED ACCESSES\n");
		return 2;
	}
	seed = strtoull(argv[3], NULL, 10);
	qtest_open((int)strtol(argv[1], NULL, 10));
	peer_open(argv[2], seed);
	guest_open(seed);
	run(strtoull(argv[4], NULL, 10));
	printf("{\"accesses\": %" PRIu64 ", \"commands\": %" PRIu64 ", \"checked\": %" PRIu64
	       ", \"responses\": %" PRIu64 ", \"resets\": %" PRIu64 ", \"connects\": %" PRIu64
	       ", \"requests\": %" PRIu64 ", \"answers\": %" PRIu64 ", \"malformed\": %" PRIu64
	       ", \"poisoned\": %" PRIu64 ", \"windows\": %" PRIu64 ", \"opens\": %" PRIu64
	       ", \"closes\": %" PRIu64 ", \"calls\": %" PRIu64 "}\n",
	       guest_counts.accesses, qtest_commands, guest_counts.checked, guest_counts.responses,
	       guest_counts.resets, peer_counts.connects, peer_counts.requests, peer_counts.answers,
	       peer_counts.malformed, peer_counts.poisoned, peer_counts.windows, peer_counts.opens,
	       peer_counts.closes, peer_counts.calls);
	return 0;
}
