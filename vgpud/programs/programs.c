/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.c - the guests' programs: who may have one, and what became of it */

#include "vgpud/programs/programs.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/sandbox.h"
#include "proc/sandbox_cgroup.h"
#include "proc/spawn.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/programs_private.h"

/* Makes what the VM's programs will need, so that a spare is ready when the first one comes. */
static void warm_up(struct programs *programs, const struct vm *vm)
{
	enum vgpu_end end;

	if (programs->refusal[0] == '\0')
		gears_of(programs, vm, &end);
}

struct lease_vm_settings programs_lease_settings(const struct vm *vm)
{
	return (struct lease_vm_settings){
		.priority = (uint8_t)vm->settings.priority,
		.paused = vm->settings.paused,
		.share = (uint32_t)vm->settings.share,
		.cap_percent = (uint32_t)vm->settings.cap,
	};
}

/* --- who may have one --- */

/*
 * Finds out what the confinement of workers lacks. With confine = no or log, the administrator wants
 * less than all of it; with programs_unconfined, programs without it.
 */
static void judge_confinement(struct programs *programs)
{
	const struct conf *conf = programs->broker->conf;
	const char *why;
	unsigned parts = spawn_sandbox(&why);

	programs->lacking[0] = programs->refusal[0] = '\0';
	if (conf->confine != CONFINE_YES)
		snprintf(programs->lacking, sizeof(programs->lacking), "confine = %s",
			 confine_name((enum confine_mode)conf->confine));
	else if (parts != SANDBOX_ALL)
		snprintf(programs->lacking, sizeof(programs->lacking), "%s",
			 why[0] != '\0' ? why : "this build has no sandbox for workers");
	else if (strcmp(confine_state(), "yes") != 0)
		snprintf(programs->lacking, sizeof(programs->lacking),
			 "no filter for system calls (seccomp)");
	if (conf->confine == CONFINE_YES && !conf->programs_unconfined)
		memcpy(programs->refusal, programs->lacking, sizeof(programs->refusal));
}

bool programs_unconfined(const struct programs *programs)
{
	return programs->lacking[0] != '\0' && programs->refusal[0] == '\0';
}

/* A VM may have programs: logs once what that means on this host. */
static void say_confinement(struct programs *programs)
{
	if (programs->said_confinement)
		return;
	programs->said_confinement = true;
	if (programs->refusal[0] != '\0')
		log_warning("no programs of guests run here, their workers cannot be confined: %s "
			    "(programs_unconfined = yes lets them run all the same)",
			    programs->refusal);
	else if (programs->lacking[0] != '\0')
		log_warning("programs of guests may run without all of their confinement: %s",
			    programs->lacking);
}

const char *programs_refusal(const struct programs *programs)
{
	return programs->refusal[0] != '\0' ? programs->refusal : NULL;
}

enum vgpu_end programs_judge(const struct programs *programs, const struct vm *vm)
{
	if (!vm->settings.programs)
		return VGPU_END_PROGRAMS_OFF;
	if (programs->refusal[0] != '\0')
		return VGPU_END_NO_CONFINEMENT;
	if (programs->broker->draining)
		return VGPU_END_DRAINING;
	return VGPU_END_NONE;
}

/* --- what is told of them --- */

/*
 * A guest can begin and end programs in a loop: of a VM so many a second are told, one by one; the
 * counters have all.
 */
#define TOLD_A_SECOND 20

static bool may_tell(struct vm *vm)
{
	uint64_t now_ns = util_now_ns();

	if (vm == NULL) /* it is being removed */
		return true;
	if (now_ns - vm->programs.second_ns >= UTIL_NS_PER_S) {
		if (vm->programs.left_out > 0)
			log_warning("%s: %" PRIu64
				    " beginnings and ends of programs were not told, "
				    "they come too fast",
				    vm->name, vm->programs.left_out);
		vm->programs.second_ns = now_ns;
		vm->programs.told = 0;
		vm->programs.left_out = 0;
	}
	if (vm->programs.told++ < TOLD_A_SECOND)
		return true;
	vm->programs.left_out++;
	return false;
}

static void tell(const struct channel *channel, const char *kind, const char *new_value)
{
	char text[160];
	struct ledger_event event = {
		.kind = kind,
		.subject = channel->vm_name,
		.new_value = new_value,
		.text = text,
		.uid = channel->peer.uid != UINT32_MAX ? (int64_t)channel->peer.uid : -1,
		.pid = channel->peer.pid != 0 ? channel->peer.pid : -1,
	};
	pid_t worker = channel->program != NULL ? program_pid(channel->program) : 0;

	snprintf(text, sizeof(text), "program %" PRIu64 " \"%s\" (pid %u) on %s, worker %d",
		 channel->id, channel->name, channel->pid,
		 channel->executor[0] != '\0' ? channel->executor : "nothing yet", (int)worker);
	ledger_event(channel->programs->broker->ledger, &event);
}

bool programs_tell_start(struct channel *channel)
{
	if (!record_begin(channel))
		return false;
	channel->programs->started++;
	if (channel->vm != NULL)
		channel->vm->programs.started++;
	if (!may_tell(channel->vm))
		return true;
	log_debug("%s: program %" PRIu64 " runs: \"%s\", its pid %u, worker %d", channel->vm_name,
		  channel->id, channel->name, channel->pid, (int)program_pid(channel->program));
	tell(channel, "program-start", NULL);
	return true;
}

void programs_tell_end(struct channel *channel)
{
	record_end(channel);
	channel->programs->ended[name_end_index(channel->end)]++;
	if (!may_tell(channel->vm))
		return;
	if (channel->end != VGPU_END_NONE)
		log_info("%s: program %" PRIu64 " \"%s\" ended: %s", channel->vm_name, channel->id,
			 channel->name, name_end_text(channel->end));
	tell(channel, "program-end",
	     channel->end != VGPU_END_NONE ? name_end(channel->end) : "closed");
}

void programs_tell_frozen(const struct channel *channel, bool frozen)
{
	if (!may_tell(channel->vm))
		return;
	if (frozen)
		log_warning("%s: program %" PRIu64 " \"%s\" did not give the GPU back in time: its "
			    "worker is frozen for its next turn",
			    channel->vm_name, channel->id, channel->name);
	tell(channel, frozen ? "program-frozen" : "program-thawed", NULL);
}

/* --- changes --- */

static void update_tenants(struct programs *programs, const struct vm *only)
{
	struct tenant *tenant;

	TAILQ_FOREACH(tenant, &programs->tenants, link)
		if (only == NULL || tenant->vm == only) {
			tenant_moved(tenant);
			tenant_update(tenant);
		}
}

/* Return: whether programs that run may go on. */
static bool may_stay(const struct programs *programs, const struct vm *vm)
{
	return vm->settings.programs && programs->refusal[0] == '\0';
}

void programs_vm_changed(struct programs *programs, struct vm *vm)
{
	struct lease_vm_settings leases = programs_lease_settings(vm);
	struct channel *channel, *next;
	struct gear *gear;

	share_follow(vm);
	SLIST_FOREACH(gear, &programs->gears, link)
		arbiter_set_vm(gear->arbiter, vm->id, &leases);
	for (channel = TAILQ_FIRST(&programs->channels); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, link);
		if (channel->vm != vm)
			continue;
		if (!may_stay(programs, vm))
			programs_end(channel, VGPU_END_SWITCHED_OFF);
		else
			channel_try_start(channel);
	}
	if (vm->settings.programs) {
		say_confinement(programs);
		warm_up(programs, vm);
	}
	gears_want_spares(programs);
	update_tenants(programs, vm);
}

/* Return: whether a pool runs on something else than at the last call, or has begun or ceased to. */
static bool pools_have_changed(struct programs *programs)
{
	const struct broker *broker = programs->broker;
	bool changed = false;

	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		const char *executor = broker->conf->pool[i].executor;
		uint8_t now;

		if (!broker->conf->pool[i].exists)
			continue;
		now = (uint8_t)(executors_info(broker->executors, executor)->executor << 1 |
				(executors_trouble(broker->executors, executor) != NULL));
		changed |= now != programs->seen[i];
		programs->seen[i] = now;
	}
	return changed;
}

void programs_executors_changed(struct programs *programs)
{
	struct vm *vm;

	/* The executors tell of every worker that comes or goes. */
	if (!pools_have_changed(programs))
		return;
	TAILQ_FOREACH(vm, &programs->broker->vms, link)
		if (vm->settings.programs)
			warm_up(programs, vm);
	gears_want_spares(programs);
	wall_follow(programs);
	update_tenants(programs, NULL);
}

void programs_conf_changed(struct programs *programs)
{
	gears_follow(programs);
	modules_follow(programs);
	judge_confinement(programs);
	programs->said_confinement = false;
	gears_want_spares(programs);
	wall_follow(programs);
	update_tenants(programs, NULL);
}

void programs_vm_removed(struct programs *programs, struct vm *vm)
{
	struct channel *channel, *next;
	struct gear *gear;

	for (channel = TAILQ_FIRST(&programs->channels); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, link);
		if (channel->vm != vm)
			continue;
		channel->vm = NULL;
		programs_end(channel, VGPU_END_KILLED);
	}
	share_forget(vm);
	modules_forget(vm);
	SLIST_FOREACH(gear, &programs->gears, link)
		arbiter_remove_vm(gear->arbiter, vm->id);
}

/* --- figures --- */

void programs_count(const struct programs *programs)
{
	const struct gear *gear;

	SLIST_FOREACH(gear, &programs->gears, link)
		arbiter_count(gear->arbiter);
}

struct channel *programs_next(const struct programs *programs, const struct channel *channel)
{
	return channel == NULL ? TAILQ_FIRST(&programs->channels) : TAILQ_NEXT(channel, link);
}

struct channel *programs_find(const struct programs *programs, uint64_t id)
{
	struct channel *channel;

	TAILQ_FOREACH(channel, &programs->channels, link)
		if (channel->id == id)
			return channel;
	return NULL;
}

unsigned programs_num(const struct programs *programs)
{
	return programs->channel_num;
}

unsigned programs_of_vm(const struct programs *programs, const struct vm *vm)
{
	const struct channel *channel;
	unsigned num = 0;

	TAILQ_FOREACH(channel, &programs->channels, link)
		num += channel->vm == vm && (channel->state == VGPU_CHANNEL_OPENING ||
					     channel->state == VGPU_CHANNEL_OPEN);
	return num;
}

void programs_drain_gpu(struct programs *programs, unsigned gpu, bool drained)
{
	programs->drained[gpu] = drained;
	gears_want_spares(programs);
}

bool programs_gpu_drained(const struct programs *programs, unsigned gpu)
{
	return programs->drained[gpu];
}

unsigned programs_of_gpu(const struct programs *programs, unsigned gpu)
{
	const struct channel *channel;
	unsigned num = 0;

	TAILQ_FOREACH(channel, &programs->channels, link)
		num += conf_gpu_index(channel->executor) == (int)gpu &&
		       (channel->state == VGPU_CHANNEL_OPENING ||
			channel->state == VGPU_CHANNEL_OPEN);
	return num;
}

uint64_t programs_ended(const struct programs *programs, unsigned index)
{
	return programs->ended[index];
}

uint64_t programs_started(const struct programs *programs)
{
	return programs->started;
}

uint64_t programs_distrusted(const struct programs *programs)
{
	return programs->distrusted;
}

unsigned programs_spares(const struct programs *programs)
{
	const struct gear *gear;
	unsigned num = 0;

	SLIST_FOREACH(gear, &programs->gears, link)
		num += spares_ready(gear->spares);
	return num;
}

bool programs_trouble(const struct programs *programs, unsigned index, struct programs_trouble *out)
{
	const struct gear *gear;

	SLIST_FOREACH(gear, &programs->gears, link)
		if (index-- == 0)
			break;
	if (gear == NULL)
		return false;
	out->executor = gear->executor;
	out->why = spares_trouble(gear->spares);
	out->end = spares_trouble_end(gear->spares);
	out->remark = spares_remark(gear->spares);
	if (out->why == NULL) {
		out->why = describe_trouble(gear->describe);
		out->end = describe_trouble_end(gear->describe);
	}
	return true;
}

static uint64_t grown(uint64_t told_ns, uint64_t now_ns)
{
	return told_ns > now_ns ? told_ns : now_ns;
}

bool programs_gpu_time(const struct programs *programs, unsigned index,
		       struct programs_gpu_time *out)
{
	struct arbiter_time now;
	struct gear *gear;

	SLIST_FOREACH(gear, &programs->gears, link)
		if (index-- == 0)
			break;
	if (gear == NULL)
		return false;
	now = arbiter_time(gear->arbiter);
	gear->told = (struct arbiter_time){
		.billed_ns = grown(gear->told.billed_ns, now.billed_ns),
		.idle_ns = grown(gear->told.idle_ns, now.idle_ns),
		.overhead_ns = grown(gear->told.overhead_ns, now.overhead_ns),
		.elapsed_ns = now.elapsed_ns,
	};
	*out = (struct programs_gpu_time){ .executor = gear->executor, .time = gear->told };
	return true;
}

/* --- their life --- */

static void find_left(struct programs *programs)
{
	const struct broker *broker = programs->broker;
	char groups[PATH_MAX];
	bool has_groups = sandbox_cgroup_find(groups) == 0;

	left_find(&programs->left, broker->event, conf_state_dir(broker->conf),
		  has_groups ? groups : NULL);
}

int programs_new(struct programs **out, struct broker *broker,
		 const struct programs_handler *handler, void *arg)
{
	struct programs *programs = calloc(1, sizeof(*programs));

	if (programs == NULL)
		return -ENOMEM;
	programs->broker = broker;
	if (wall_begin(programs) != 0) {
		free(programs);
		return -ENOMEM;
	}
	programs->handler = handler;
	programs->arg = arg;
	programs->next_id = broker->ledger->next_program_id;
	find_left(programs);
	harvest_rest(broker->ledger, conf_state_dir(broker->conf));
	TAILQ_INIT(&programs->channels);
	TAILQ_INIT(&programs->tenants);
	gears_follow(programs);
	judge_confinement(programs);
	wall_follow(programs);
	broker_set_gate(broker, &gate_of_programs, programs);
	*out = programs;
	return 0;
}

void programs_close(struct programs *programs)
{
	struct channel *channel;
	struct tenant *tenant;
	struct vm *vm;

	if (programs == NULL)
		return;
	programs->closing = true;
	harvest_unwatch(programs);
	broker_set_gate(programs->broker, NULL, NULL);
	while ((channel = TAILQ_FIRST(&programs->channels)) != NULL)
		channel_drop(channel);
	while ((tenant = TAILQ_FIRST(&programs->tenants)) != NULL)
		tenant_free(tenant);
	TAILQ_FOREACH(vm, &programs->broker->vms, link) {
		share_forget(vm);
		modules_forget(vm);
	}
	waited_forget(&programs->waited);
	gears_free(programs);
	wall_end(programs);
	left_free(&programs->left);
	free(programs);
}
