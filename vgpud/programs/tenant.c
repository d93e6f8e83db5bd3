/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tenant.c - one connection that gave its window, and what it asks for */

#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "vgpud/link/foreign.h"
#include "vgpud/programs/programs_private.h"
#include "vgpud/programs/window.h"

/*
 * Theory of operation. A window is judged once, when it comes. It is ready when programs are on for
 * the VM, the host can confine them, and the window's first pages tell of the GPU of the VM's pool.
 * WINDOW_STATUS tells the peer, first when that is known, and again whenever it changes. A program's
 * own window stays with the GPU that it was described for: a program sees one GPU. A VM's window
 * lives as long as its QEMU, so it is described anew when the VM moves to another pool.
 */

static struct tenant *tenant_of_job(struct describe_job *job)
{
	return (struct tenant *)((char *)job - offsetof(struct tenant, job));
}

static bool is_of_program(const struct tenant *tenant)
{
	return (tenant->frame.flags & VGPU_WINDOW_OF_PROGRAM) != 0;
}

/* --- is the window ready --- */

static void tell(struct tenant *tenant, bool ready, enum vgpu_end error)
{
	if (tenant->told && tenant->told_ready == ready && tenant->told_error == error)
		return;
	tenant->told = true;
	tenant->told_ready = ready;
	tenant->told_error = error;
	peer_send_window_status(tenant->peer->peer, ready, error);
}

static void try_channels(struct tenant *tenant)
{
	struct channel *channel, *next;

	for (channel = TAILQ_FIRST(&tenant->channels); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, of_tenant);
		channel_try_start(channel);
	}
}

static void end_channels(struct tenant *tenant, enum vgpu_end why)
{
	struct channel *channel, *next;

	for (channel = TAILQ_FIRST(&tenant->channels); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, of_tenant);
		programs_end(channel, why);
	}
}

static void on_described(struct describe_job *job, enum vgpu_end end)
{
	struct tenant *tenant = tenant_of_job(job);

	tenant->described = end == VGPU_END_NONE;
	if (end == VGPU_END_WINDOW_BAD)
		tenant->bad = end;
	if (end != VGPU_END_NONE) {
		end_channels(tenant, end);
		tell(tenant, false, end);
		return;
	}
	tenant_update(tenant);
	try_channels(tenant);
}

/* Has the window described. Return: NONE, or why it cannot be. */
static enum vgpu_end describe(struct tenant *tenant)
{
	enum vgpu_end end;

	if (tenant->job.describe != NULL)
		return VGPU_END_NONE;
	if (tenant->gear == NULL)
		tenant->gear = gears_of(tenant->programs, tenant->vm, &end);
	if (tenant->gear == NULL)
		return end;
	tenant->job.window = tenant->window;
	tenant->job.order = (struct program_order){ .what = PROGRAM_DESCRIBE,
						    .vm_id = tenant->vm->id,
						    .window_bytes = tenant->frame.size_bytes,
						    .generation = tenant->frame.generation,
						    .flags = tenant->frame.flags,
						    .memory_bytes = tenant->vm->settings.memory };
	tenant->described_quota = tenant->vm->settings.memory;
	tenant->job.done = on_described;
	describe_begin(tenant->gear->describe, &tenant->job);
	return VGPU_END_NONE;
}

void tenant_update(struct tenant *tenant)
{
	enum vgpu_end end = tenant->bad;

	/* As programs_judge() has it: what the VM's own administrator can mend comes first. */
	if (end == VGPU_END_NONE && !tenant->vm->settings.programs)
		end = VGPU_END_PROGRAMS_OFF;
	if (end == VGPU_END_NONE && programs_refusal(tenant->programs) != NULL)
		end = VGPU_END_NO_CONFINEMENT;
	if (end == VGPU_END_NONE && !tenant->described) {
		end = describe(tenant);
		if (end == VGPU_END_NONE)
			return; /* on_described() goes on, or has done so */
	}
	tell(tenant, end == VGPU_END_NONE, end);
}

void tenant_moved(struct tenant *tenant)
{
	enum vgpu_end end;
	struct gear *gear;

	if (is_of_program(tenant) || tenant->gear == NULL)
		return;
	gear = gears_of(tenant->programs, tenant->vm, &end);
	if (gear == NULL ||
	    (gear == tenant->gear && tenant->described_quota == tenant->vm->settings.memory))
		return;
	describe_cancel(&tenant->job);
	tenant->gear = gear;
	tenant->described = false;
}

/* --- what the peer asks for --- */

/* Return: NULL: no memory. */
static struct tenant *new_tenant(struct programs *programs, struct vm *vm, struct port_peer *peer)
{
	struct tenant *tenant = calloc(1, sizeof(*tenant));

	if (tenant == NULL)
		return NULL;
	tenant->programs = programs;
	tenant->vm = vm;
	tenant->peer = peer;
	tenant->window = -1;
	TAILQ_INIT(&tenant->channels);
	TAILQ_INSERT_TAIL(&programs->tenants, tenant, link);
	peer->tenant = tenant;
	return tenant;
}

/* Forgets the window that a device had before its reset; no channel is open. */
static void forget_window(struct tenant *tenant)
{
	describe_cancel(&tenant->job);
	if (tenant->window >= 0)
		foreign_close(tenant->window);
	tenant->window = -1;
	tenant->bad = VGPU_END_NONE;
	tenant->described = tenant->told = false;
	tenant->gear = NULL;
}

/* fd: becomes the tenant's. */
static void take_window(struct tenant *tenant, const struct vgpu_window_frame *window, int fd)
{
	const char *wrong = window_refusal(fd, window->size_bytes);

	tenant->frame = *window;
	if (wrong != NULL) {
		log_debug("%s: a window is refused: it %s", tenant->vm->name, wrong);
		tenant->bad = VGPU_END_WINDOW_BAD;
		foreign_close(fd);
	} else {
		tenant->window = fd;
	}
	tenant_update(tenant);
}

static void on_window(void *arg, struct vm *vm, struct port_peer *peer,
		      const struct vgpu_window_frame *window, int fd)
{
	struct tenant *tenant = peer->tenant;

	if (tenant == NULL)
		tenant = new_tenant(arg, vm, peer);
	if (tenant == NULL || !TAILQ_EMPTY(&tenant->channels)) {
		foreign_close(fd);
		peer_break(peer->peer, tenant == NULL
					       ? "there is no memory for its window"
					       : "it gave another window while a channel was open");
		return;
	}
	forget_window(tenant);
	take_window(tenant, window, fd);
}

/* Return: NULL: it may try to open this channel; else what is wrong with that. */
static const char *wrong_open(const struct tenant *tenant, const struct vgpu_channel_open *open,
			      const int *fds)
{
	if (tenant == NULL)
		return "it has no window";
	if (channel_find(tenant, open->channel) != NULL)
		return "it opened a channel that is not closed";
	if (!foreign_is_eventfd(fds[0]) || !foreign_is_eventfd(fds[1]))
		return "it opened a channel without eventfds";
	return NULL;
}

bool programs_left(const struct programs *programs, const struct vm *vm)
{
	return left_holds(&programs->left, vm->id);
}

static bool on_holds(void *arg, const struct vm *vm)
{
	const struct programs *programs = arg;
	const struct channel *channel;

	TAILQ_FOREACH(channel, &programs->channels, link)
		if (channel->vm == vm)
			return true;
	return programs_left(programs, vm);
}

static void on_channel_open(void *arg, struct port_peer *peer, const struct vgpu_channel_open *open,
			    const int *fds)
{
	struct tenant *tenant = peer->tenant;
	const char *wrong = wrong_open(tenant, open, fds);
	enum vgpu_end end;

	(void)arg;
	if (wrong != NULL) {
		foreign_close(fds[0]);
		foreign_close(fds[1]);
		peer_break(peer->peer, wrong);
		return;
	}
	end = channel_open(tenant, open, fds);
	if (end != VGPU_END_NONE)
		peer_send_channel_status(peer->peer, open->channel, VGPU_CHANNEL_LOST, end);
}

static void on_channel_close(void *arg, struct port_peer *peer, uint32_t number)
{
	struct tenant *tenant = peer->tenant;
	struct channel *channel = tenant != NULL ? channel_find(tenant, number) : NULL;

	(void)arg;
	if (channel != NULL)
		channel_close(channel);
	else
		peer_send_channel_status(peer->peer, number, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
}

static void on_runstate(void *arg, struct port_peer *peer)
{
	struct tenant *tenant = peer->tenant;
	struct channel *channel, *next;

	(void)arg;
	if (tenant == NULL)
		return;
	for (channel = TAILQ_FIRST(&tenant->channels); channel != NULL; channel = next) {
		next = TAILQ_NEXT(channel, of_tenant);
		arbiter_stop(&channel->lease, peer->stopped);
	}
}

void tenant_free(struct tenant *tenant)
{
	struct channel *channel;

	while ((channel = TAILQ_FIRST(&tenant->channels)) != NULL)
		channel_abandon(channel);
	describe_cancel(&tenant->job);
	TAILQ_REMOVE(&tenant->programs->tenants, tenant, link);
	if (tenant->window >= 0)
		foreign_close(tenant->window);
	tenant->peer->tenant = NULL;
	free(tenant);
}

static void on_gone(void *arg, struct port_peer *peer)
{
	(void)arg;
	tenant_free(peer->tenant);
}

const struct port_program_handler programs_port_handler = {
	.holds = on_holds,
	.window = on_window,
	.channel_open = on_channel_open,
	.channel_close = on_channel_close,
	.runstate = on_runstate,
	.gone = on_gone,
};
