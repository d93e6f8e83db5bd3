/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - runs a program: takes its commands, sleeps when there are none */

#include "worker/serve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "common/util.h"
#include "worker/charge.h"
#include "worker/commands.h"
#include "worker/lease.h"
#include "worker/waits.h"

/* Waits are looked at even while commands never cease to come. */
#define TURNS_PER_LOOK 32u

static void attach(void *owner)
{
	struct program *program = owner;

	program->gpu->ops->attach(program->gpu);
}

static void run_job(void *owner, const struct helpers_job *job)
{
	commands_run_job(owner, job);
}

CUresult serve_start(struct program *program, const struct serve_config *config)
{
	const struct quota_config quota = {
		.rule = &config->gpu->memory,
		.page = config->quota,
		.slot = config->quota_slot,
		.budget = config->gpu->memory.of_host ? config->budget : NULL,
	};
	uint8_t *first_piece = config->window->base + config->window->control_at;
	CUresult result;

	memset(program, 0, sizeof(*program));
	program->gpu = config->gpu;
	program->output = config->output;
	program->modules = config->modules;
	program->window = *config->window;
	report_begin(&program->report, config->report);
	quota_begin(&program->quota, &quota, &program->report.page->memory);
	charge_begin(program);
	program->broker = config->broker;
	program->poll_ns = config->poll_us * UTIL_NS_PER_US;
	pthread_mutex_init(&program->names_lock, NULL);
	pthread_mutex_init(&program->lock, NULL);
	handles_init(&program->handles);
	memory_init(&program->memory, (uintptr_t)config->window->base, config->window->bytes);
	channel_init(&program->channel, first_piece, config->kick, config->call);
	if (lease_begin(&program->lease, config->lease_page, config->lease_claims, config->say) !=
	    0)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = program->gpu->ops->host_register(program->gpu, first_piece, VGPU_PIECE);
	if (result != CUDA_SUCCESS)
		return result;
	memory_map(&program->memory, config->window->control_at, VGPU_PIECE);
	return helpers_start(&program->helpers, config->helper_num, attach, run_job, program) == 0
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_OPERATING_SYSTEM;
}

void serve_end(struct program *program)
{
	struct memory *memory = &program->memory;

	helpers_end(&program->helpers);
	waits_end(program);
	lease_finish(program);
	for (uint64_t i = 0; i < program->window.bytes / VGPU_PIECE; i++)
		if (memory->span_num[i] != 0)
			program->gpu->ops->host_unregister(program->gpu,
							   program->window.base + i * VGPU_PIECE);
	channel_end(&program->channel);
	memory_end(memory);
	handles_end(&program->handles);
	trace_end(&program->report.trace);
	quota_end(&program->quota);
	pthread_mutex_destroy(&program->lock);
	pthread_mutex_destroy(&program->names_lock);
	window_unmap(&program->window);
}

int serve_turn(struct program *program)
{
	struct vgpu_command *command = (struct vgpu_command *)program->command;
	int taken;

	if (program->lease.held.first != NULL && lease_release(program, command))
		return commands_run(program, command) == 0 ? 1 : -EPROTO;
	if (lease_is_full(&program->lease))
		return 0;
	taken = channel_take(&program->channel, command);
	if (taken < 0)
		*command = (struct vgpu_command){ .op = 0 }; /* the last one is not to blame */
	if (taken <= 0)
		return taken;
	if (!lease_admit(program, command))
		return 1;
	return commands_run(program, command) == 0 ? 1 : -EPROTO;
}

/* How long a worker sleeps that has given memory of a pool back, and may soon see it go. */
#define POOLS_PAUSE_NS (5 * UTIL_NS_PER_MS)

/*
 * Sleeps until the program or the broker kicks, or something has to be looked at. The broker's message is
 * another thread's to read, which then kicks as well: this one need not wait for that.
 */
static void sleep_until_kicked(struct program *program)
{
	struct pollfd kicks[] = {
		{ .fd = program->channel.kick, .events = POLLIN },
		{ .fd = program->broker, .events = POLLIN },
	};
	uint64_t now_ns = util_now_ns(), pause_ns = waits_pause_ns(&program->waits, now_ns);
	uint64_t lease_ns = lease_pause_ns(&program->lease, now_ns);
	bool look_again = charge_look_at_pools(program);
	struct timespec pause;

	if (lease_ns < pause_ns)
		pause_ns = lease_ns;
	if (look_again && pause_ns > POOLS_PAUSE_NS)
		pause_ns = POOLS_PAUSE_NS;
	pause.tv_sec = (time_t)(pause_ns / UTIL_NS_PER_S);
	pause.tv_nsec = (long)(pause_ns % UTIL_NS_PER_S);
	/* With too much held back the ring is not read on, whatever comes. */
	if (!channel_park(&program->channel) && !lease_is_full(&program->lease))
		return;
	if (ppoll(kicks, 2, pause_ns == UINT64_MAX ? NULL : &pause, NULL) > 0 &&
	    kicks[0].revents != 0)
		channel_unpark(&program->channel);
	/* A submission that became too long meanwhile has none of the commands that come now. */
	report_look(&program->report, util_now_ns());
}

/* While the worker does not sleep, looking costs next to nothing, and the program may sleep. */
#define LOOK_AWAKE_NS (1 * UTIL_NS_PER_US)

/* looked_ns: when it was done last. */
static void look_at_waits(struct program *program, uint64_t now_ns, uint64_t *looked_ns)
{
	if (program->waits.num == 0 || now_ns - *looked_ns < LOOK_AWAKE_NS)
		return;
	*looked_ns = now_ns;
	waits_look(program, now_ns);
}

enum vgpu_end serve_run(struct program *program)
{
	uint64_t busy_ns = util_now_ns(), looked_ns = 0, now_ns;
	unsigned turns = 0;
	bool had_any;
	int taken;

	while ((taken = serve_turn(program)) >= 0) {
		if (taken > 0 && ++turns % TURNS_PER_LOOK != 0)
			continue;
		now_ns = util_now_ns();
		if (taken > 0 || turns > 0)
			busy_ns = now_ns;
		had_any = turns > 0;
		if (taken == 0)
			turns = 0;
		look_at_waits(program, now_ns, &looked_ns);
		report_look(&program->report, now_ns);
		lease_look(program, now_ns, taken > 0 || had_any);
		if (!lease_is_sound(&program->lease))
			return VGPU_END_WORKER_LOST;
		if (taken == 0 && now_ns - busy_ns >= program->poll_ns &&
		    !lease_is_soon(&program->lease, now_ns))
			sleep_until_kicked(program);
		else if (taken == 0)
			__builtin_ia32_pause();
	}
	return VGPU_END_BAD_COMMAND;
}
