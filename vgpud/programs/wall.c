/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wall.c - what NVML says from outside of programs: the memory that they hold, and how long their kernels run */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/units.h"
#include "common/util.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/programs/allowance.h"
#include "vgpud/programs/programs_private.h"

/*
 * Theory of operation. Workers claim memory before they take it (share.c), and belong to their
 * tenants. NVML tells from outside what each process holds. Once a second the sum of a VM's workers is
 * compared with its quota: overuse.c says how; the program that holds most ends.
 *
 * NVML also tells for how long kernels of a process ran. Where that is much more than its program
 * was billed, an event says so (underbill.c).
 *
 * What a context alone takes is seen at the spares, which have nothing else. Until one was seen
 * CONTEXT_UNKNOWN is allowed for.
 */

#define CONTEXT_UNKNOWN (UINT64_C(1) << 30)
#define PAUSE_NS UTIL_NS_PER_S		   /* while programs use a GPU */
#define IDLE_PAUSE_NS (10 * UTIL_NS_PER_S) /* for metrics alone */

static bool has_ended(const struct channel *channel)
{
	return channel->state != VGPU_CHANNEL_OPENING && channel->state != VGPU_CHANNEL_OPEN;
}

static bool uses_gpu(const struct channel *channel)
{
	return channel->program != NULL && program_pid(channel->program) > 0 &&
	       strncmp(channel->executor, "cuda:", 5) == 0;
}

static bool any_uses_gpu(const struct programs *programs)
{
	const struct channel *channel;

	TAILQ_FOREACH(channel, &programs->channels, link)
		if (uses_gpu(channel))
			return true;
	return false;
}

/* --- what NVML says of a process --- */

struct found {
	bool any;      /* NVML names it */
	bool is_known; /* and all that it holds */
	uint64_t bytes;
};

/* On all GPUs: a process that has no context on one is not named there. */
static struct found find(const struct nvml *nvml, pid_t pid)
{
	struct found found = { .is_known = true };

	for (uint32_t i = 0; i < nvml_num(nvml); i++) {
		const struct nvml_gpu *gpu = nvml_gpu(nvml, i);

		found.is_known &= (gpu->known & NVML_KNOWS_PROCESSES) != 0;
		for (uint32_t n = 0; n < gpu->process_num; n++) {
			if (gpu->process[n].pid != (uint32_t)pid)
				continue;
			found.any = true;
			if (__builtin_add_overflow(found.bytes, gpu->process[n].used_bytes,
						   &found.bytes) ||
			    gpu->process[n].used_bytes == NVML_BYTES_UNKNOWN)
				found.is_known = false;
		}
	}
	found.is_known &= found.any;
	return found;
}

static void learn_contexts(struct programs *programs)
{
	struct wall *wall = &programs->wall;
	const struct gear *gear;
	uint64_t most = 0;

	SLIST_FOREACH(gear, &programs->gears, link)
		for (uint32_t i = 0; i < nvml_num(wall->nvml); i++) {
			const struct nvml_gpu *gpu = nvml_gpu(wall->nvml, i);

			for (uint32_t n = 0; n < gpu->process_num; n++)
				if (spares_has(gear->spares, (pid_t)gpu->process[n].pid) &&
				    gpu->process[n].used_bytes != NVML_BYTES_UNKNOWN &&
				    gpu->process[n].used_bytes > most)
					most = gpu->process[n].used_bytes;
		}
	if (most > 0)
		wall->context_bytes = most;
}

/* --- who has to end --- */

/* What the programs of a VM hold together. */
struct held {
	uint64_t bytes, contexts_bytes, most_bytes;
	struct channel *most; /* the one that holds most, of those that have not ended */
};

static struct held hold(const struct programs *programs, const struct vm *vm)
{
	uint64_t context_bytes = programs->wall.context_bytes;
	struct held held = { 0 };
	struct channel *channel;

	if (context_bytes == 0)
		context_bytes = CONTEXT_UNKNOWN;
	TAILQ_FOREACH(channel, &programs->channels, link) {
		struct found found;

		if (channel->vm != vm || !uses_gpu(channel))
			continue;
		found = find(programs->wall.nvml, program_pid(channel->program));
		if (!found.is_known)
			continue;
		held.bytes += found.bytes;
		held.contexts_bytes += context_bytes;
		if (!has_ended(channel) && found.bytes > held.most_bytes) {
			held.most_bytes = found.bytes;
			held.most = channel;
		}
	}
	return held;
}

static void tell(const struct vm *vm, const struct held *held)
{
	char has[UNITS_TEXT_SIZE], quota[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE], text[256];
	const struct ledger_event event = {
		.kind = "over-quota",
		.subject = vm->name,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	units_format_size(has, sizeof(has), held->bytes >> 20 << 20);
	units_format_size(quota, sizeof(quota), vm->settings.memory);
	units_format_size(most, sizeof(most), held->most_bytes >> 20 << 20);
	snprintf(text, sizeof(text),
		 "its programs hold %s of the GPU by NVML's account, contexts included, and may "
		 "have %s: program %" PRIu64 ", which holds %s, is ended",
		 has, quota, held->most->id, most);
	log_warning("%s: %s", vm->name, text);
	ledger_event(held->most->programs->broker->ledger, &event);
}

static void judge(struct programs *programs, struct vm *vm)
{
	struct allowance *allowance = vm->programs.allowance;
	struct held held;

	if (allowance == NULL || vm->settings.memory == 0)
		return;
	held = hold(programs, vm);
	if (!overuse_look(allowance_overuse(allowance), vm->settings.memory, held.bytes,
			  held.contexts_bytes) ||
	    held.most == NULL)
		return;
	tell(vm, &held);
	programs_end(held.most, VGPU_END_OVER_QUOTA);
}

/* --- whose work goes on when it is not billed any more --- */

/* What NVML says of a process's kernels. Return: whether it says something. */
static bool find_busy(const struct nvml *nvml, pid_t pid, uint32_t *percent, uint64_t *period_us)
{
	for (uint32_t i = 0; i < nvml_num(nvml); i++) {
		const struct nvml_gpu *gpu = nvml_gpu(nvml, i);

		if ((gpu->known & NVML_KNOWS_BUSY_PROCESSES) == 0)
			continue;
		for (uint32_t n = 0; n < gpu->process_num; n++) {
			if (gpu->process[n].pid != (uint32_t)pid)
				continue;
			*percent = gpu->process[n].busy_percent;
			*period_us = gpu->busy_period_us;
			return true;
		}
	}
	return false;
}

/* Says so, and nothing more: NVML's figures are no bill. */
static void tell_underbilled(const struct channel *channel, const struct underbill_found *found)
{
	char billed[24], seen[24], text[320];
	const struct ledger_event event = {
		.kind = "gpu-time-doubt",
		.subject = channel->vm_name,
		.old_value = billed,
		.new_value = seen,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	snprintf(billed, sizeof(billed), "%.2f s", (double)found->billed_ns / UTIL_NS_PER_S);
	snprintf(seen, sizeof(seen), "%.2f s", (double)found->seen_ns / UTIL_NS_PER_S);
	snprintf(text, sizeof(text),
		 "program %" PRIu64 " \"%s\" (pid %u): of %.0f s NVML saw its kernels run for %s, "
		 "and it was billed for %s: its worker may say too early that its work is done "
		 "(vgpuadm kill-program %" PRIu64 " ends it)",
		 channel->id, channel->name, channel->pid, (double)found->window_ns / UTIL_NS_PER_S,
		 seen, billed, channel->id);
	log_warning("%s: %s", channel->vm_name, text);
	ledger_event(channel->programs->broker->ledger, &event);
}

static void judge_bill(struct programs *programs, struct channel *channel)
{
	struct underbill_found found;
	uint64_t period_us = 0;
	uint32_t percent = 0;

	if (!uses_gpu(channel) || has_ended(channel) ||
	    !find_busy(programs->wall.nvml, program_pid(channel->program), &percent, &period_us))
		return;
	if (underbill_look(&channel->underbill, percent, period_us, channel->lease.member.billed_ns,
			   &found))
		tell_underbilled(channel, &found);
}

static void count_unseen(struct programs *programs)
{
	struct wall *wall = &programs->wall;
	const struct channel *channel;

	wall->seen = wall->unseen = 0;
	TAILQ_FOREACH(channel, &programs->channels, link) {
		if (!uses_gpu(channel) || channel->state != VGPU_CHANNEL_OPEN)
			continue;
		if (find(wall->nvml, program_pid(channel->program)).any)
			wall->seen++;
		else
			wall->unseen++;
	}
}

static void on_looked(void *arg)
{
	struct programs *programs = arg;
	struct channel *channel;
	struct vm *vm;

	learn_contexts(programs);
	count_unseen(programs);
	programs_count(programs);
	TAILQ_FOREACH(channel, &programs->channels, link)
		judge_bill(programs, channel);
	TAILQ_FOREACH(vm, &programs->broker->vms, link)
		judge(programs, vm);
	wall_follow(programs);
}

/* --- whether NVML is asked --- */

static bool any_gpu(const struct broker *broker)
{
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		const struct conf_pool *pool = &broker->conf->pool[i];

		if (pool->exists && (strncmp(pool->executor, "cuda:", 5) == 0 ||
				     executors_info(broker->executors, pool->executor)->executor ==
					     VGPU_EXECUTOR_CUDA))
			return true;
	}
	return false;
}

void wall_follow(struct programs *programs)
{
	struct wall *wall = &programs->wall;
	uint64_t deadline_ns = programs->broker->conf->start_deadline_ms * UTIL_NS_PER_MS;

	wall->settings = (struct nvml_settings){
		.start_deadline_ns = deadline_ns,
		.deadline_ns = deadline_ns,
		.pause_ns = any_uses_gpu(programs) ? PAUSE_NS : IDLE_PAUSE_NS,
	};
	nvml_want(wall->nvml, any_gpu(programs->broker));
	nvml_follow(wall->nvml);
}

int wall_begin(struct programs *programs)
{
	return nvml_new(&programs->wall.nvml, programs->broker->event, "gpus",
			&programs->wall.settings, on_looked, programs);
}

void wall_end(struct programs *programs)
{
	nvml_free(programs->wall.nvml);
}

/* --- figures --- */

const struct nvml *programs_nvml(const struct programs *programs)
{
	return programs->wall.nvml;
}

unsigned programs_unseen(const struct programs *programs)
{
	return programs->wall.seen == 0 ? programs->wall.unseen : 0;
}
