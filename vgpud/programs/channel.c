/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - one program: its channel, from its opening to the death of its worker */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "common/wire/vgpu_channel.h"
#include "proc/descriptors.h"
#include "vgpud/programs/allowance.h"
#include "vgpud/programs/bill.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/programs_private.h"

/*
 * Theory of operation.
 *
 *   OPENING -----> OPEN -----> LOST ----> (reaped) freed
 *      |            |  \        ^
 *      |            |   \______/   the worker died, or the administrator ended the program
 *      |            v
 *      +--------> CLOSING ------> (reaped) CLOSED, freed
 *                 the peer closes it, or has gone
 *
 * A channel whose VM is paused, or whose window is not described yet, stays OPENING without a
 * worker. The peer is told CLOSED only when the worker has been reaped, since until then it may write
 * to the window. A channel that is LOST and reaped is forgotten: its close is answered at once.
 *
 * A VM may have max_programs channels that are OPENING or OPEN. Ended ones whose workers are still
 * there count separately: a program must be able to start while the last one's worker is being
 * reaped, but workers that a driver holds must not pile up.
 */

#define ENDING_MAX 48 /* of one VM */
#define BIND_DEADLINE_NS (30 * UTIL_NS_PER_S)

/* --- small things --- */

static void close_fds(struct channel *channel)
{
	if (channel->kick >= 0)
		close(channel->kick);
	if (channel->call >= 0)
		close(channel->call);
	channel->kick = channel->call = -1;
}

static bool has_ended(const struct channel *channel)
{
	return channel->state != VGPU_CHANNEL_OPENING && channel->state != VGPU_CHANNEL_OPEN;
}

static void tell_peer(const struct channel *channel, enum vgpu_channel_state state,
		      enum vgpu_end end)
{
	if (channel->tenant != NULL)
		peer_send_channel_status(channel->tenant->peer->peer, channel->number, state, end);
}

static void leave_tenant(struct channel *channel)
{
	if (channel->tenant != NULL)
		TAILQ_REMOVE(&channel->tenant->channels, channel, of_tenant);
	channel->tenant = NULL;
}

static void free_channel(struct channel *channel)
{
	struct programs *programs = channel->programs;

	close_fds(channel);
	modules_end(channel);
	harvest_forget(channel);
	if (channel->lease.arbiter != NULL)
		waited_take(&programs->waited, programs->broker->ledger, channel->lease.arbiter);
	arbiter_leave(&channel->lease); /* counts the last of its time */
	if (programs->closing)
		record_leave(channel);
	else
		record_settle(channel);
	share_end(channel);
	leave_tenant(channel);
	TAILQ_REMOVE(&programs->channels, channel, link);
	programs->channel_num--;
	free(channel);
	if (programs->channel_num == 0 && !programs->closing)
		programs->handler->emptied(programs->arg);
}

/* It has no worker, or that was reaped. */
static void finish(struct channel *channel)
{
	if (channel->close_asked)
		tell_peer(channel, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
	free_channel(channel);
}

/* Its worker submits nothing more, though it may take its time to die. */
static void let_go(struct channel *channel)
{
	close_fds(channel);
	modules_end(channel);
	share_ends(channel);
	arbiter_end(&channel->lease);
}

/* It is told of and counted, and the worker goes. It may be freed when this returns. */
static void end_channel(struct channel *channel, enum vgpu_channel_state state, enum vgpu_end why)
{
	struct program *program = channel->program;

	channel->state = state;
	channel->end = why;
	let_go(channel);
	tell_peer(channel, state, why);
	programs_tell_end(channel);
	if (program != NULL)
		program_end(program);
	else
		finish(channel);
}

/* --- what its worker does --- */

static void on_binding(void *arg, pid_t worker)
{
	const struct channel *channel = arg;

	/* A program's own window goes with it. */
	if ((channel->tenant->frame.flags & VGPU_WINDOW_OF_PROGRAM) == 0)
		left_note(conf_state_dir(channel->programs->broker->conf), channel->id,
			  channel->vm_id, worker);
}

static void on_bound(void *arg, const struct program_state *claim)
{
	struct channel *channel = arg;

	close_fds(channel);
	arbiter_close_fds(&channel->lease);
	channel->state = VGPU_CHANNEL_OPEN;
	channel->pid = claim->pid;
	memcpy(channel->name, claim->name, sizeof(channel->name));
	channel->name[sizeof(channel->name) - 1] = '\0';
	if (programs_tell_start(channel))
		tell_peer(channel, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
	else
		programs_end(channel, VGPU_END_LEDGER_FULL);
}

/* The worker is being ended by program.c, which calls on_reaped() later. */
static void on_ending(void *arg, enum vgpu_end why, int32_t result)
{
	struct channel *channel = arg;

	(void)result;
	channel->state = VGPU_CHANNEL_LOST;
	channel->end = why;
	let_go(channel);
	tell_peer(channel, VGPU_CHANNEL_LOST, why);
	programs_tell_end(channel);
}

static void on_memory(void *arg, uint64_t bytes, struct program_order *grant)
{
	share_ask(arg, bytes, grant);
}

static void on_reaped(void *arg)
{
	struct channel *channel = arg;

	channel->program = NULL;
	left_forget(conf_state_dir(channel->programs->broker->conf), channel->id);
	finish(channel);
}

static void on_lease(void *arg, const struct program_state *state)
{
	struct channel *channel = arg;

	arbiter_hear(&channel->lease, state);
}

static int on_module_asked(void *arg, const struct program_state *state,
			   struct program_order *answer)
{
	return modules_asked(arg, state, answer);
}

static void on_module_made(void *arg, const struct program_state *state)
{
	modules_made(arg, state);
}

static const struct program_handler program_handler = {
	.binding = on_binding,
	.bound = on_bound,
	.lease = on_lease,
	.ending = on_ending,
	.memory = on_memory,
	.module_asked = on_module_asked,
	.module_made = on_module_made,
	.reaped = on_reaped,
};

/* --- its lease --- */

static void on_wake(void *arg)
{
	struct channel *channel = arg;

	if (channel->program != NULL)
		program_wake(channel->program);
}

static bool on_listen(void *arg)
{
	struct channel *channel = arg;

	return channel->program != NULL && program_listen(channel->program);
}

static void on_must_end(void *arg, enum vgpu_end why)
{
	programs_end(arg, why);
}

static void on_freeze(void *arg, bool frozen)
{
	const struct channel *channel = arg;
	int err = channel->program != NULL ? program_freeze(channel->program, frozen) : -ESRCH;

	programs_tell_frozen(channel, frozen);
	/* Then it goes on, as what it has on the GPU does in any case; the second time it ends. */
	if (err != 0 && err != -ESRCH)
		log_warning("%s: the worker of program %" PRIu64 " cannot be %s: %s",
			    channel->vm_name, channel->id, frozen ? "frozen" : "thawed",
			    strerror(-err));
}

static const struct arbiter_handler arbiter_handler = {
	.freeze = on_freeze,
	.wake = on_wake,
	.listen = on_listen,
	.end = on_must_end,
};

static int join_arbiter(struct channel *channel, const struct gear *gear)
{
	struct lease_vm_settings settings = programs_lease_settings(channel->vm);
	int err;

	gate_close(channel->programs, gear);
	err = arbiter_join(gear->arbiter, &channel->lease, channel->vm_id, &settings,
			   &arbiter_handler, channel);
	if (err != 0)
		return err;
	channel->bill = bill_make(conf_state_dir(channel->programs->broker->conf), channel->id);
	if (channel->bill != NULL)
		arbiter_keep(&channel->lease, &channel->bill->billed_ns);
	arbiter_stop(&channel->lease, channel_is_stopped(channel));
	return 0;
}

/* --- its opening --- */

void channel_try_start(struct channel *channel)
{
	const struct tenant *tenant = channel->tenant;
	const struct conf *conf = channel->programs->broker->conf;
	struct program_config config = {
		.event = channel->programs->broker->event,
		.order = { .what = PROGRAM_BIND,
			   .vm_id = channel->vm_id,
			   .control_at = channel->control_at,
			   .channel = channel->number,
			   .poll_us = conf->worker_poll_us },
		.fds = { [PROGRAM_FD_KICK] = channel->kick, [PROGRAM_FD_CALL] = channel->call },
		.start_deadline_ns = conf->start_deadline_ms * UTIL_NS_PER_MS,
		.bind_deadline_ns = BIND_DEADLINE_NS,
		.handler = &program_handler,
		.arg = channel,
	};
	int err;

	if (channel->state != VGPU_CHANNEL_OPENING || channel->program != NULL || tenant == NULL ||
	    !tenant->described || channel->vm->settings.paused)
		return;
	config.spares = tenant->gear->spares;
	channel->report = harvest_make(conf_state_dir(conf), channel->id,
				       channel->programs->broker->ledger->wall_offset_ns);
	config.fds[PROGRAM_FD_WINDOW] = tenant->window;
	config.fds[PROGRAM_FD_REPORT] = channel->report;
	config.order.window_bytes = tenant->frame.size_bytes;
	config.order.flags = tenant->frame.flags;
	config.order.generation = tenant->frame.generation;
	memcpy(channel->executor, tenant->gear->executor, sizeof(channel->executor));
	err = channel->report < 0 ? channel->report : share_begin(channel);
	if (err == 0)
		err = join_arbiter(channel, tenant->gear);
	if (err == 0) {
		config.fds[PROGRAM_FD_MEMORY] = allowance_fd(channel->allowance);
		config.fds[PROGRAM_FD_LEASE] = channel->lease.fds[0];
		config.fds[PROGRAM_FD_CLAIMS] = channel->lease.fds[1];
		config.order.memory_slot = channel->slot;
		err = program_start(&channel->program, &config);
	}
	if (err == 0) {
		wall_follow(channel->programs);
		return;
	}
	channel->program = NULL;
	log_error("%s: cannot start a worker for a program: %s", channel->vm_name,
		  err == -EMFILE ? DESCRIPTORS_REMEDY : strerror(-err));
	end_channel(channel, VGPU_CHANNEL_LOST, VGPU_END_WORKER_NOT_STARTED);
}

static unsigned ending_of_vm(const struct programs *programs, const struct vm *vm)
{
	const struct channel *channel;
	unsigned num = 0;

	TAILQ_FOREACH(channel, &programs->channels, link)
		num += channel->vm == vm && has_ended(channel);
	return num;
}

/* Return: whether the channel's own memory begins at a piece of the window, and not at the first. */
static bool control_ok(const struct tenant *tenant, uint32_t control_page)
{
	uint64_t at = (uint64_t)control_page * VGPU_PAGE;

	return at % VGPU_PIECE == 0 && at >= VGPU_PIECE &&
	       at + VGPU_PIECE <= tenant->frame.size_bytes;
}

static enum vgpu_end judge(const struct tenant *tenant, const struct vgpu_channel_open *open)
{
	const struct programs *programs = tenant->programs;
	bool of_program = (tenant->frame.flags & VGPU_WINDOW_OF_PROGRAM) != 0;
	enum vgpu_end end = programs_judge(programs, tenant->vm);

	if (open->channel >= (of_program ? 1 : VGPU_CHANNELS))
		return VGPU_END_NO_CHANNEL;
	if (tenant->bad != VGPU_END_NONE)
		return tenant->bad;
	if (end == VGPU_END_NONE && tenant->told && !tenant->told_ready)
		end = tenant->told_error; /* there is nothing that it could wait for */
	if (end == VGPU_END_NONE && tenant->gear != NULL &&
	    programs_gpu_drained(programs, tenant->gear->gpu))
		end = VGPU_END_GPU_DRAINING;
	if (end != VGPU_END_NONE)
		return end;
	if (!control_ok(tenant, open->control_page))
		return VGPU_END_BAD_COMMAND;
	if (programs_of_vm(programs, tenant->vm) >= tenant->vm->settings.max_programs)
		return VGPU_END_TOO_MANY_PROGRAMS;
	if (ending_of_vm(programs, tenant->vm) >= ENDING_MAX ||
	    !descriptors_left(tenant->window, DESCRIPTORS_OF_HOST))
		return VGPU_END_WORKER_NOT_STARTED;
	return VGPU_END_NONE;
}

enum vgpu_end channel_open(struct tenant *tenant, const struct vgpu_channel_open *open,
			   const int *fds)
{
	struct programs *programs = tenant->programs;
	enum vgpu_end end = judge(tenant, open);
	struct channel *channel = NULL;

	if (end == VGPU_END_NONE) {
		channel = calloc(1, sizeof(*channel));
		end = channel != NULL ? VGPU_END_NONE : VGPU_END_WORKER_NOT_STARTED;
	}
	if (channel == NULL) {
		close(fds[0]);
		close(fds[1]);
		return end;
	}
	channel->programs = programs;
	channel->tenant = tenant;
	channel->vm = tenant->vm;
	channel->vm_id = tenant->vm->id;
	memcpy(channel->vm_name, tenant->vm->name, sizeof(channel->vm_name));
	channel->id = programs->next_id++;
	channel->number = open->channel;
	channel->control_at = (uint64_t)open->control_page * VGPU_PAGE;
	channel->state = VGPU_CHANNEL_OPENING;
	channel->report = -1;
	modules_begin(channel);
	channel->kick = fds[0];
	channel->call = fds[1];
	channel->since_ns = util_now_ns();
	channel->peer = *peer_who(tenant->peer->peer);
	TAILQ_INSERT_TAIL(&programs->channels, channel, link);
	TAILQ_INSERT_TAIL(&tenant->channels, channel, of_tenant);
	programs->channel_num++;
	harvest_watch(programs);
	tell_peer(channel, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	channel_try_start(channel);
	return VGPU_END_NONE;
}

/* --- its end --- */

void programs_end(struct channel *channel, enum vgpu_end why)
{
	if (!has_ended(channel))
		end_channel(channel, VGPU_CHANNEL_LOST, why);
}

void channel_close(struct channel *channel)
{
	channel->close_asked = true;
	if (!has_ended(channel))
		end_channel(channel, VGPU_CHANNEL_CLOSING, VGPU_END_NONE);
	else
		tell_peer(channel, VGPU_CHANNEL_CLOSING, channel->end);
}

void channel_abandon(struct channel *channel)
{
	leave_tenant(channel);
	if (!has_ended(channel))
		end_channel(channel, VGPU_CHANNEL_CLOSING, VGPU_END_NONE);
}

void channel_drop(struct channel *channel)
{
	if (!has_ended(channel)) {
		channel->end = VGPU_END_HOST_LOST;
		channel->state = VGPU_CHANNEL_LOST;
		programs_tell_end(channel);
	}
	if (channel->program != NULL)
		program_abandon(channel->program);
	channel->program = NULL; /* the arbiter may turn to the channel until it has left */
	harvest_now(channel);
	free_channel(channel);
}

struct channel *channel_find(const struct tenant *tenant, uint32_t number)
{
	struct channel *channel;

	TAILQ_FOREACH(channel, &tenant->channels, of_tenant)
		if (channel->number == number)
			return channel;
	return NULL;
}

bool channel_is_stopped(const struct channel *channel)
{
	return channel->tenant != NULL && channel->tenant->peer->stopped;
}

const char *channel_state_name(const struct channel *channel)
{
	if (has_ended(channel))
		return "ending";
	return channel->state == VGPU_CHANNEL_OPEN ? "running" : "opening";
}
