/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - a program's beginning and end, for the ledger */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"
#include "common/util.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/programs/bill.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/held.h"
#include "vgpud/programs/programs_private.h"

/* "cpu", "cuda:N". */
static void name_executor_of(const struct channel *channel, struct ledger_program *record)
{
	unsigned device = 0;

	if (strcmp(channel->executor, "cpu") == 0) {
		record->executor = VGPU_EXECUTOR_CPU;
		return;
	}
	record->executor = VGPU_EXECUTOR_CUDA;
	if (sscanf(channel->executor, "cuda:%u", &device) == 1)
		record->device = (uint8_t)device;
}

bool record_begin(struct channel *channel)
{
	struct ledger_program record = {
		.id = channel->id,
		.begun_ns = util_now_ns(),
		.vm_id = channel->vm_id,
		.uid = channel->peer.uid,
		.pid = channel->pid,
		.pool = (uint8_t)(name_pool(channel->vm->sched.pool)),
		.priority = (uint8_t)channel->vm->sched.priority,
		.ended_ns = LEDGER_UNKNOWN,
		.billed_ns = LEDGER_UNKNOWN,
		LEDGER_FIGURES_UNKNOWN,
	};
	int result;

	name_executor_of(channel, &record);
	memcpy(record.name, channel->name, sizeof(record.name));
	result = ledger_program_begun(channel->programs->broker->ledger, &record);
	channel->recorded = result == 0;
	if (channel->recorded)
		channel->record = record;
	channel->used = (struct channel_used){ .at_ns = record.begun_ns };
	return result >= 0;
}

static uint64_t grown(uint64_t before, uint64_t now)
{
	if (before == LEDGER_UNKNOWN)
		before = 0;
	return now > before ? now - before : 0;
}

/* Of a program that has ended; its VM's counters go on. before: what they have of it. */
static void add_work(struct vm *vm, const struct ledger_program *before,
		     const struct harvest *harvest)
{
	vm->programs.submissions += grown(before->submissions, harvest->submissions);
	vm->programs.launches += grown(before->launches, harvest->launches);
	vm->programs.copy_bytes += grown(before->copy_bytes, harvest->copy_bytes);
	vm->programs.refused += grown(before->refused, harvest->refused);
}

/*
 * Return: the GPU time of the program until then. What its worker takes to die is the GPU's loss, as the
 * arbiter counts it, but not the program's: no row has more than the time that it ran.
 */
static uint64_t billed_ns(const struct channel *channel, uint64_t until_ns)
{
	uint64_t ran_ns = until_ns - channel->record.begun_ns;
	uint64_t ns = channel->lease.member.billed_ns;

	return ns < ran_ns ? ns : ran_ns;
}

struct programs_work programs_work_of(const struct programs *programs, const struct vm *vm)
{
	struct programs_work work = {
		.submissions = vm->programs.submissions,
		.launches = vm->programs.launches,
		.copy_bytes = vm->programs.copy_bytes,
		.refused = vm->programs.refused,
		.billed_ns = vm->programs.billed_ns,
	};
	const struct channel *channel = NULL;
	struct harvest harvest;

	while ((channel = programs_next(programs, channel)) != NULL) {
		if (channel->vm != vm || channel->record.id == 0)
			continue;
		work.billed_ns += billed_ns(channel, util_now_ns());
		work.memory_bytes += channel_memory(channel);
		if (!harvest_read(channel->report, channel->id, &harvest))
			continue;
		work.submissions += harvest.submissions;
		work.launches += harvest.launches;
		work.copy_bytes += harvest.copy_bytes;
		work.refused += harvest.refused;
	}
	return work;
}

/* Return: what a figure had between two looks at it, until_ns of all_ns after the first, if it grew evenly. */
static uint64_t figure_at(uint64_t before, uint64_t now, uint64_t until_ns, uint64_t all_ns)
{
	if (now <= before || before == LEDGER_UNKNOWN || now == LEDGER_UNKNOWN)
		return before;
	return before + (uint64_t)((unsigned __int128)(now - before) * until_ns / all_ns);
}

/* Tells of a minute that ended after the last look. into_ns: so long ago. Return: 0 or -errno. */
static int tell_last_minute(struct channel *channel, const struct ledger_program *now,
			    uint64_t now_ns, uint64_t into_ns)
{
	const struct channel_used *used = &channel->used;
	uint64_t all_ns = now_ns - used->at_ns, until_ns = all_ns - into_ns;
	struct ledger_program then = channel->record;

	then.billed_ns = figure_at(used->billed_ns, now->billed_ns, until_ns, all_ns);
	then.memory_byte_s = figure_at(used->memory_byte_s, now->memory_byte_s, until_ns, all_ns);
	return ledger_program_used(channel->programs->broker->ledger, &then, now_ns - into_ns - 1);
}

void record_used(struct channel *channel, const struct harvest *harvest, uint64_t now_ns)
{
	struct ledger *ledger = channel->programs->broker->ledger;
	struct channel_used *used = &channel->used;
	struct ledger_program now = channel->record;
	uint64_t into_ns = (uint64_t)(ledger_wall_ns(ledger, now_ns) % UTIL_NS_PER_MINUTE);
	bool minute_ended = into_ns < now_ns - used->at_ns, is_new;

	if (now.id == 0 || now_ns <= used->at_ns)
		return;
	if (harvest != NULL)
		harvest_record(harvest, &now);
	held_record(channel->report, now_ns, &now);
	now.billed_ns = billed_ns(channel, now_ns);
	/* What grows because memory is held is written once in each minute. */
	is_new = now.billed_ns != used->billed_ns || now.commands != used->commands ||
		 (minute_ended && now.memory_byte_s != used->memory_byte_s);
	if (is_new && minute_ended && tell_last_minute(channel, &now, now_ns, into_ns) != 0)
		return; /* the next look says all of it */
	if (is_new && ledger_program_used(ledger, &now, now_ns) != 0)
		return;
	*used = (struct channel_used){ now_ns, now.billed_ns, now.memory_byte_s, now.commands };
}

void record_end(struct channel *channel)
{
	struct harvest harvest;

	if (channel->record.id == 0)
		return;
	if (harvest_read(channel->report, channel->id, &harvest)) {
		if (channel->vm != NULL)
			add_work(channel->vm, &channel->record, &harvest);
		harvest_record(&harvest, &channel->record);
	}
	held_record(channel->report, util_now_ns(), &channel->record);
	channel->record.ended_ns = util_now_ns();
	channel->record.billed_ns = billed_ns(channel, channel->record.ended_ns);
	if (channel->vm != NULL)
		channel->vm->programs.billed_ns += channel->record.billed_ns;
	channel->record.why = channel->end;
	ledger_program_ended(channel->programs->broker->ledger, &channel->record);
	channel->record.id = 0;
}

void record_settle(struct channel *channel)
{
	const struct broker *broker = channel->programs->broker;
	const char *state_dir = conf_state_dir(broker->conf);
	static struct report_page page;
	uint64_t ns = billed_ns(channel, channel->record.ended_ns);
	struct harvest harvest;

	if (channel->report < 0)
		return;
	/* Arbiter and worker have counted on until now: its row and its VM's counters get the rest. */
	if (channel->recorded && channel->vm != NULL) {
		channel->vm->programs.billed_ns += grown(channel->record.billed_ns, ns);
		if (harvest_read(channel->report, channel->id, &harvest))
			add_work(channel->vm, &channel->record, &harvest);
	}
	if (channel->recorded)
		harvest_settle(
			broker->ledger, state_dir, channel->id,
			harvest_copy(channel->report, channel->id, &page) == 0 ? &page : NULL, ns);
	else
		harvest_remove(state_dir, channel->id);
	record_leave(channel);
}

void record_leave(struct channel *channel)
{
	bill_close(channel->bill);
	channel->bill = NULL;
	if (channel->report >= 0)
		close(channel->report);
	channel->report = -1;
}
