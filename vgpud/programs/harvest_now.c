/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harvest_now.c - takes what programs have submitted into the ledger while they run */

/*
 * Theory of operation. Ten times a second each program's page is copied, if it has changed. What is new
 * goes to the ledger as totals and rows, and only when that is committed the worker is told that the ring's
 * entries may be used again. So nothing is on its way that the page does not have, and a vgpud that is killed at
 * any moment loses nothing: the next one reads the page (harvest_rest()). While the ledger cannot be
 * written, or its VM has had its rows of this second, entries stay where they are; a worker whose ring is
 * full adds to the newest one.
 *
 * While nothing changes for a second, pages are looked at once a second.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/programs_private.h"

#define TICK_NS (100 * UTIL_NS_PER_MS)
#define IDLE_TICKS 10

/* What the ledger is recording of a program. */
struct harvest_under_way {
	struct channel *channel; /* NULL: it has gone */
	uint64_t to;
};

/* --- rows of a VM --- */

/* Return: how many rows the VM may have now; what it did not use counts for a second. */
static unsigned rows_of(const struct vm *vm, uint64_t row_ns, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - UTIL_NS_PER_S;

	if (vm == NULL) /* it is being removed */
		return 1;
	if (vm->programs.rows_ns > since_ns)
		since_ns = vm->programs.rows_ns;
	return since_ns < now_ns ? (unsigned)((now_ns - since_ns) / row_ns) : 0;
}

static void spend_rows(struct vm *vm, uint64_t row_ns, uint64_t now_ns, unsigned num)
{
	uint64_t since_ns = now_ns - UTIL_NS_PER_S;

	if (vm == NULL)
		return;
	if (vm->programs.rows_ns < since_ns)
		vm->programs.rows_ns = since_ns;
	vm->programs.rows_ns += num * row_ns;
}

/* --- one program --- */

/* For ledger_submissions(). arg: a struct harvest_under_way. */
static void on_recorded(void *arg, int err)
{
	struct harvest_under_way *way = arg;

	if (way->channel != NULL) {
		way->channel->harvesting = NULL;
		if (err == 0)
			harvest_took(way->channel->report, way->to);
		else
			way->channel->harvested_turn = 0; /* all of it again */
	}
	free(way);
}

void harvest_forget(struct channel *channel)
{
	if (channel->harvesting != NULL)
		channel->harvesting->channel = NULL;
	channel->harvesting = NULL;
}

/* A page that says what cannot be: its program's worker is not to be asked again. */
static void distrust(struct channel *channel)
{
	channel->distrusted = true;
	channel->programs->distrusted++;
	log_warning("%s: program %" PRIu64 " \"%s\": its worker claims more submissions than there "
		    "can be; they are not recorded",
		    channel->vm_name, channel->id, channel->name);
}

static void record(struct channel *channel, const struct harvest_taken *taken)
{
	struct harvest_under_way *way = calloc(1, sizeof(*way));

	if (way == NULL)
		return;
	*way = (struct harvest_under_way){ .channel = channel, .to = taken->to };
	if (ledger_submissions(channel->programs->broker->ledger, &taken->taken, on_recorded,
			       way) == 0)
		channel->harvesting = way;
	else
		free(way); /* the next tick tries again */
}

/* Return: whether the page has something new. */
static bool is_due(const struct channel *channel)
{
	uint64_t turn;

	if (!channel->recorded || channel->report < 0 || channel->distrusted ||
	    channel->harvesting != NULL)
		return false;
	if (pread(channel->report, &turn, sizeof(turn), offsetof(struct report_page, turn)) !=
	    (ssize_t)sizeof(turn))
		return false;
	return turn != channel->harvested_turn;
}

static void take_rate(struct channel_rate *rate, uint64_t commands, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - rate->at_ns;

	/* A claim that falls is none. */
	if (rate->at_ns == 0)
		rate->per_s = -1;
	else
		rate->per_s = commands > rate->commands
				      ? (double)(commands - rate->commands) *
						(double)UTIL_NS_PER_S / (double)passed_ns
				      : 0;
	rate->at_ns = now_ns;
	rate->commands = commands;
}

/* Once a second, whether there are submissions for the ledger or not. */
static void take_counters(struct channel *channel, uint64_t now_ns)
{
	static struct harvest harvest;
	bool known;

	if (channel->counted_ns != 0 && now_ns - channel->counted_ns < UTIL_NS_PER_S)
		return;
	channel->counted_ns = now_ns;
	known = channel->report >= 0 && harvest_read(channel->report, channel->id, &harvest);
	if (known)
		take_rate(&channel->rate, harvest.commands, now_ns);
	record_used(channel, known ? &harvest : NULL, now_ns);
}

bool harvest_now(struct channel *channel)
{
	static struct report_page page;
	static struct harvest_taken taken;
	const struct broker *broker = channel->programs->broker;
	uint64_t now_ns = util_now_ns(), row_ns = UTIL_NS_PER_S / broker->conf->ledger_rows_per_s;
	struct harvest_how how = {
		.rows_most = rows_of(channel->vm, row_ns, now_ns),
		.wall_offset_ns = broker->ledger->wall_offset_ns,
	};

	if (!is_due(channel) || harvest_copy(channel->report, channel->id, &page) != 0)
		return false;
	if (how.rows_most > REPORT_RING)
		how.rows_most = REPORT_RING;
	/* vgpud may have been stopped before the copy: what that says was possible by now. */
	now_ns = util_now_ns();
	how.now_ns = ledger_wall_ns(broker->ledger, now_ns);
	harvest_take(&page, channel->id, &how, &taken);
	if (!ledger_submissions_possible(&taken.taken, now_ns - channel->since_ns)) {
		distrust(channel);
		return false;
	}
	record(channel, &taken);
	if (channel->harvesting == NULL)
		return true;
	spend_rows(channel->vm, row_ns, now_ns, taken.taken.row_num);
	/* Entries that are left are taken at a later tick, though nothing more is submitted. */
	if (taken.to == page.head)
		channel->harvested_turn = page.turn;
	return true;
}

/* --- all of them --- */

static int on_tick(sd_event_source *source, uint64_t due_ns, void *arg)
{
	struct programs *programs = arg;
	struct channel *channel;
	struct gear *gear;
	bool changed = false;

	(void)due_ns;
	TAILQ_FOREACH(channel, &programs->channels, link) {
		take_counters(channel, util_now_ns());
		changed |= harvest_now(channel);
	}
	SLIST_FOREACH(gear, &programs->gears, link)
		waited_take(&programs->waited, programs->broker->ledger, gear->arbiter);
	waited_looked(&programs->waited);
	programs->idle_ticks = changed ? 0 : programs->idle_ticks + 1;
	if (programs->channel_num == 0) {
		programs->tick = sd_event_source_disable_unref(source);
		return 0;
	}
	sd_event_source_set_time_relative(
		source,
		(programs->idle_ticks < IDLE_TICKS ? TICK_NS : UTIL_NS_PER_S) / UTIL_NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void harvest_watch(struct programs *programs)
{
	programs->idle_ticks = 0;
	if (programs->tick == NULL &&
	    sd_event_add_time_relative(programs->broker->event, &programs->tick, CLOCK_MONOTONIC,
				       TICK_NS / UTIL_NS_PER_US, 0, on_tick, programs) < 0)
		log_warning("submissions of programs are recorded at their ends alone: no timer");
}

void harvest_unwatch(struct programs *programs)
{
	programs->tick = sd_event_source_disable_unref(programs->tick);
}
