/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.c - commands about the guests' programs */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/worker_wire.h"
#include "proc/sandbox.h"
#include "vgpud/admin/checks.h"
#include "vgpud/admin/figures.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/exec/program.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/held.h"
#include "vgpud/programs/programs.h"

static json_t *number_or_null(json_int_t number)
{
	return number > 0 ? json_integer(number) : json_null();
}

/* What it used up to now, and what its worker has counted: claims. */
static void add_figures(json_t *row, const struct channel *channel)
{
	struct ledger_program figures = {
		.billed_ns = LEDGER_UNKNOWN,
		LEDGER_FIGURES_UNKNOWN,
	};
	struct harvest harvest = { 0 };
	bool is_known = channel->report >= 0 &&
			harvest_read(channel->report, channel->id, &harvest);

	if (channel->record.id != 0)
		figures = channel->record;
	figures.billed_ns = channel->lease.member.billed_ns;
	if (is_known && channel->record.id != 0)
		held_record(channel->report, util_now_ns(), &figures);
	if (is_known)
		harvest_record(&harvest, &figures);
	else
		harvest.latency = (struct ledger_latency){ LEDGER_UNKNOWN, LEDGER_UNKNOWN,
							   LEDGER_UNKNOWN };
	figures_set(row, &figures, &harvest.latency);
	json_object_set_new(row, "commands_per_s",
			    channel->rate.at_ns != 0 && channel->rate.per_s >= 0
				    ? json_real(channel->rate.per_s)
				    : json_null());
	json_object_set_new(row, "memory_bytes", json_integer((json_int_t)channel_memory(channel)));
	json_object_set_new(
		row, "memory_quota_bytes",
		number_or_null(channel->vm != NULL ? (json_int_t)channel->vm->settings.memory : 0));
	json_object_set_new(
		row, "refused_names",
		admin_string(harvest.refused_names[0] != '\0' ? harvest.refused_names : NULL));
}

/* Return: how long it has waited for its GPU, for whatever reason. */
static uint64_t waited_ns(const struct channel *channel)
{
	uint64_t sum_ns = 0;

	for (int why = 0; why < LEASE_WHY_NUM; why++)
		sum_ns += channel->lease.member.waited_ns[why];
	return sum_ns;
}

/* Return: a word for the cause, or who it was; NULL: a VM that was removed. */
static const char *cause_text(const struct daemon *daemon, const struct arbiter_waited *waited)
{
	static const char *const words[ARBITER_CAUSE_NUM] = {
		[ARBITER_CAUSE_OTHERS] = "other VMs",
		[ARBITER_CAUSE_CAP] = "cap",
		[ARBITER_CAUSE_PAUSED] = "paused",
	};
	const struct vm *vm;

	if (waited->cause == ARBITER_CAUSE_VM)
		TAILQ_FOREACH(vm, &daemon->broker.vms, link)
			if (vm->id == waited->vm_id)
				return vm->name;
	return words[waited->cause];
}

/* Of the time that programs of its VM waited. */
static json_t *waited_for(const struct daemon *daemon, const struct channel *channel)
{
	struct figures_waits waits = { 0 };
	struct arbiter_waited waited;
	uint64_t sum_ns = 0;

	for (unsigned i = 0; arbiter_waited(&channel->lease, i, &waited); i++)
		sum_ns += waited.ns;
	for (unsigned i = 0; arbiter_waited(&channel->lease, i, &waited); i++)
		figures_add_wait(&waits, cause_text(daemon, &waited), waited.ns, sum_ns);
	return figures_waits(&waits);
}

/* Return: when it began, as the ledger has it; before that, when its channel was asked for. CLOCK_MONOTONIC. */
static uint64_t since_ns(const struct channel *channel)
{
	return channel->record.id != 0 ? channel->record.begun_ns : channel->since_ns;
}

/* What a program says of itself (name, pid) was made printable when its worker sent it. */
static json_t *program_row(const struct daemon *daemon, const struct channel *channel)
{
	pid_t worker = channel->program != NULL ? program_pid(channel->program) : 0;
	bool paused = channel->vm != NULL && channel->vm->settings.paused;

	return json_pack(
		"{s:I, s:s, s:I, s:o, s:o, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:i, s:b, s:b, s:I, s:I, s:o}",
		"id", (json_int_t)channel->id, "vm", channel->vm_name, "vm_id",
		(json_int_t)channel->vm_id, "name",
		admin_string(channel->name[0] != '\0' ? channel->name : NULL), "pid",
		number_or_null(channel->pid), "state", channel_state_name(channel), "executor",
		admin_string(channel->executor[0] != '\0' ? channel->executor : NULL), "age_ns",
		(json_int_t)(util_now_ns() - since_ns(channel)), "since_unix_ns",
		admin_wall(daemon, since_ns(channel)), "worker_pid", number_or_null(worker),
		"peer_pid", number_or_null(channel->peer.pid), "peer_uid",
		channel->peer.uid != UINT32_MAX ? json_integer(channel->peer.uid) : json_null(),
		"end", admin_string(channel->end != VGPU_END_NONE ? name_end(channel->end) : NULL),
		"channel", (int)channel->number, "stopped", channel_is_stopped(channel), "paused",
		paused, "waited_ns", (json_int_t)waited_ns(channel), "turns",
		(json_int_t)channel->lease.member.grants, "lease",
		admin_string(arbiter_state(&channel->lease)));
}

void admin_programs(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;
	const struct channel *channel = NULL;
	const struct vm *only = NULL;

	if (admin_arg(call, "since") != NULL || admin_arg(call, "until") != NULL) {
		admin_query(call); /* those of the ledger */
		return;
	}
	if (admin_arg(call, "limit") != NULL) {
		admin_fail(call, ADMIN_ERROR_USAGE,
			   "programs: --limit goes with --since or --until: those that run are "
			   "all shown");
		return;
	}
	if (admin_arg(call, "vm") != NULL && (only = admin_vm_arg(call)) == NULL)
		return;
	programs_count(programs);
	while ((channel = programs_next(programs, channel)) != NULL) {
		json_t *row;

		if (only != NULL && channel->vm != only)
			continue;
		row = program_row(call->daemon, channel);
		json_object_set_new(row, "gpu_share", json_real(channel->lease.share));
		json_object_set_new(row, "waited_for", waited_for(call->daemon, channel));
		add_figures(row, channel);
		admin_row(call, row);
	}
	admin_end(call, NULL);
}

void admin_kill_program(struct admin_call *call)
{
	struct channel *channel;
	uint64_t id = 0;
	char text[160];

	util_parse_u64(admin_arg(call, "id"), 1, UINT64_MAX, &id);
	channel = programs_find(call->daemon->programs, id);
	if (channel == NULL) {
		admin_fail(call, ADMIN_ERROR_NOT_FOUND,
			   "%s: no such program (vgpuadm programs shows them)",
			   admin_arg(call, "id"));
		return;
	}
	if (channel->state != VGPU_CHANNEL_OPENING && channel->state != VGPU_CHANNEL_OPEN) {
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: it has ended already; its worker is not gone yet",
			   admin_arg(call, "id"));
		return;
	}
	snprintf(text, sizeof(text), "program %" PRIu64 " \"%s\" (pid %u)", id, channel->name,
		 channel->pid);
	admin_event(call, "kill-program", channel->vm_name, NULL, NULL, text);
	log_info("%s: %s is killed (uid %u)", channel->vm_name, text, call->peer.uid);
	admin_row(call, program_row(call->daemon, channel));
	programs_end(channel, VGPU_END_KILLED);
	admin_end(call, NULL);
}

/* Return: the letters of the pools of a GPU, null: no pool uses it. */
static json_t *pools_of(const struct programs *programs, unsigned gpu)
{
	char letters[SCHED_POOL_MAX + 1];
	size_t num = 0;

	for (unsigned i = 0; i < SCHED_POOL_MAX; i++)
		if (programs_pool_is_on(programs, i, gpu))
			letters[num++] = name_pool(i);
	letters[num] = '\0';
	return admin_string(num > 0 ? letters : NULL);
}

void admin_drain_gpu(struct admin_call *call)
{
	struct programs *programs = call->daemon->programs;
	const char *name = admin_arg(call, "gpu");
	bool drain = !admin_flag(call, "off");
	int gpu = conf_gpu_find(name), err;
	bool changed;

	if (gpu < 0) {
		admin_fail(call, ADMIN_ERROR_NOT_FOUND,
			   "%s: no such GPU (its number from 0 to %d, or cpu for softgpu)", name,
			   CONF_CUDA_MAX - 1);
		return;
	}
	changed = programs_gpu_drained(programs, (unsigned)gpu) != drain;
	if (changed) {
		err = daemon_drain_gpu(call->daemon, (unsigned)gpu, drain);
		if (err != 0) {
			admin_fail(call, ADMIN_ERROR_REFUSED,
				   "%s: cannot record it beside the database, nothing has changed: "
				   "%s",
				   name, strerror(-err));
			return;
		}
		admin_event(call, "drain-gpu", name, drain ? "off" : "on", drain ? "on" : "off",
			    NULL);
		log_info("GPU %s: %s (uid %u)", name,
			 drain ? "takes no new programs (vgpuadm drain-gpu GPU --off ends that)"
			       : "takes programs again",
			 call->peer.uid);
	}
	admin_row(call, json_pack("{s:s, s:b, s:i, s:o, s:b}", "gpu", name, "draining", drain,
				  "programs", (int)programs_of_gpu(programs, (unsigned)gpu),
				  "pools", pools_of(programs, (unsigned)gpu), "changed", changed));
	admin_end(call, NULL);
}

/* --- what doctor says of them --- */

static bool any_allowed(const struct broker *broker)
{
	const struct vm *vm;

	TAILQ_FOREACH(vm, &broker->vms, link)
		if (vm->settings.programs)
			return true;
	return false;
}

static const char *remedy_of(enum vgpu_end end)
{
	switch (end) {
	case VGPU_END_HMM:
		return "options nvidia_uvm uvm_disable_hmm=1 in /etc/modprobe.d, and load the "
		       "module again; or allow_hmm = yes (vgpud.conf(5)), where all programs may "
		       "see each other's data";
	case VGPU_END_DRIVER_MISMATCH:
		return "unload the kernel modules nvidia_uvm and nvidia and load them again, or "
		       "reboot";
	case VGPU_END_GPU_NOT_READY:
		return "systemctl start nvidia-fabricmanager, of the driver's version, and see "
		       "dmesg";
	default:
		return "see vgpud's log; vgpuadm pools tells whether requests run there";
	}
}

static void check_workers(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;
	struct programs_trouble trouble;

	for (unsigned i = 0; programs_trouble(programs, i, &trouble); i++) {
		char text[WORKER_WHY_SIZE + 64];

		if (trouble.remark != NULL)
			checks_row(call, "programs' workers", CHECK_WARNING, trouble.remark,
				   "a newer vgpu may know that driver");
		if (trouble.why == NULL)
			continue;
		snprintf(text, sizeof(text), "no worker can start on %s: %s", trouble.executor,
			 trouble.why);
		checks_row(call, "programs' workers", CHECK_ERROR, text, remedy_of(trouble.end));
	}
}

static void check_drained(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;

	for (unsigned gpu = 0; gpu < CONF_GPU_NUM; gpu++) {
		char name[CONF_GPU_NAME_SIZE], text[80], remedy[80];

		if (!programs_gpu_drained(programs, gpu))
			continue;
		conf_gpu_name(gpu, name);
		snprintf(text, sizeof(text), "GPU %s takes no new programs, %u run there", name,
			 programs_of_gpu(programs, gpu));
		snprintf(remedy, sizeof(remedy), "vgpuadm drain-gpu %s --off ends that", name);
		checks_row(call, "drained GPU", CHECK_WARNING, text, remedy);
	}
}

void checks_programs(struct admin_call *call)
{
	const struct programs *programs = call->daemon->programs;
	const char *refusal = programs_refusal(programs);
	bool allowed = any_allowed(&call->daemon->broker);
	char text[SANDBOX_WHY_SIZE + 64];

	if (refusal != NULL) {
		snprintf(text, sizeof(text), "none run here, their workers cannot be confined: %s",
			 refusal);
		checks_row(call, "programs", allowed ? CHECK_ERROR : CHECK_OK, text,
			   allowed ? "start vgpud by its unit, or as root with a user = of its own "
				     "(vgpud(8)); programs_unconfined = yes runs them all the same"
				   : NULL);
	} else if (programs_unconfined(programs) && allowed) {
		checks_row(
			call, "programs", CHECK_WARNING,
			"they run in workers that are not confined as they should be: a program "
			"may reach what this user of the host can",
			"programs_unconfined = no (vgpud.conf(5)), confine = yes, and a start by the "
			"unit");
	} else {
		snprintf(text, sizeof(text), "%u run, %u spares are ready", programs_num(programs),
			 programs_spares(programs));
		checks_row(call, "programs", CHECK_OK, text, NULL);
	}
	check_workers(call);
	check_drained(call);
}
