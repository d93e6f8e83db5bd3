/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain.c - when what a program has in flight will have ended */

#include "worker/drain.h"

#include "worker/flight.h"
#include "worker/program.h"

/*
 * Theory of operation. A lease that passes on when its work has ended leaves the GPU without work for as
 * long as that takes: three processes have to hear of it, and the GPU changes contexts only then. So
 * the broker is told a moment before the end, which has to be guessed.
 *
 * A program that submits quicker than the GPU works has a bound of kernels in flight, and it is known
 * what each of them takes (flight.c). One that submits, waits and rests has turns that last about
 * equally long each: after some such turns the next one will, too. A turn counts from the moment at which
 * the GPU had nothing of others to do any more.
 *
 * A guess that is too early does no harm but to the program itself: it is charged until its work
 * has drained, whatever the next one does meanwhile.
 */

#define STEADY_RUNS 3u
#define STEADY_PART 8 /* of a run: runs that differ by more are not alike */

static uint64_t distance(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? b_ns - a_ns : a_ns - b_ns;
}

/* Return: since when the GPU has worked for the program in this turn; 0: not known. */
static uint64_t begun_ns(const struct lease *lease)
{
	uint64_t clear_ns = lease_page_load(&lease->page->clear_ns);

	if (clear_ns == 0 || lease->turns.since_ns == 0)
		return 0;
	return clear_ns > lease->turns.since_ns ? clear_ns : lease->turns.since_ns;
}

void drain_learn(struct lease *lease, uint64_t ended_ns)
{
	uint64_t from_ns = begun_ns(lease), run_ns = ended_ns - from_ns;

	lease->turns.since_ns = 0;
	if (from_ns == 0 || ended_ns < from_ns)
		return;
	if (distance(run_ns, lease->turns.run_ns) > lease->turns.run_ns / STEADY_PART) {
		lease->turns.steady_runs = 0;
		lease->turns.run_ns = run_ns;
		return;
	}
	if (lease->turns.steady_runs < STEADY_RUNS)
		lease->turns.steady_runs++;
	lease->turns.run_ns = (3 * lease->turns.run_ns + run_ns) / 4;
}

void drain_forget(struct lease *lease)
{
	lease->turns.steady_runs = 0;
}

static uint64_t left_of_run_ns(const struct lease *lease, uint64_t now_ns)
{
	uint64_t from_ns = begun_ns(lease), end_ns = from_ns + lease->turns.run_ns;

	if (from_ns == 0 || lease->turns.steady_runs < STEADY_RUNS ||
	    now_ns > end_ns + lease->turns.run_ns / STEADY_PART)
		return UINT64_MAX;
	return end_ns > now_ns ? end_ns - now_ns : 0;
}

uint64_t drain_left_ns(struct program *program, uint64_t now_ns)
{
	uint64_t left_ns = flight_left_ns(program, now_ns);

	return left_ns != UINT64_MAX ? left_ns : left_of_run_ns(&program->lease, now_ns);
}
