/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - the worker process of one program */

#include "vgpud/exec/program.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

#define UNREAD_MOST_BYTES 8192 /* as the kernel counts them: about ten orders */

/* A guest can provoke these messages: one a second of all programs together passes. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	static struct log_limit limit;
	unsigned held_back;
	char text[WORKER_WHY_SIZE + 64];
	va_list args;

	if (!log_limit_pass(&limit, util_now_ns(), &held_back))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (held_back > 0)
		log_warning("%s (and %u more such messages)", text, held_back);
	else
		log_warning("%s", text);
}

struct program {
	struct program_config config;
	enum program_phase phase;
	struct process *process; /* until it is reaped */
	sd_event_source *timer;	 /* of STARTING and BINDING; of ENDING, once it is reaped */
	bool was_spare;		 /* the worker, which has not said anything to the program yet */
};

static void free_program(struct program *program)
{
	sd_event_source_disable_unref(program->timer);
	free(program);
}

/* --- the end --- */

static void on_buried(struct process *process, void *arg)
{
	struct program *program = arg;

	(void)process;
	program->config.handler->reaped(program->config.arg);
	free_program(program);
}

static void expect(struct program *program, uint64_t within_ns)
{
	sd_event_source_set_time_relative(program->timer, within_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(program->timer, SD_EVENT_ONESHOT);
}

/*
 * Kills the worker. One that was reaped before is told from the loop as well: the caller may be in the midst
 * of other programs, and end this one by what it does to them.
 */
static void end_worker(struct program *program)
{
	program->phase = PROGRAM_ENDING;
	sd_event_source_set_enabled(program->timer, SD_EVENT_OFF);
	if (process_close(program->process))
		return;
	program->process = NULL;
	expect(program, 0);
}

/* The worker's side ended it. why: what the program is told. */
static void lose(struct program *program, enum vgpu_end why, int32_t result)
{
	program->config.handler->ending(program->config.arg, why, result);
	end_worker(program);
}

void program_wake(struct program *program)
{
	const struct program_order order = { .what = PROGRAM_LEASE };

	/* A worker whose socket is full has not read the last one: it will look at the page then. */
	if (program->phase == PROGRAM_RUNNING)
		process_send(program->process, &order, sizeof(order), NULL, 0);
}

int program_freeze(struct program *program, bool frozen)
{
	return program->process != NULL ? process_freeze(program->process, frozen) : -ESRCH;
}

void program_end(struct program *program)
{
	if (program->phase != PROGRAM_ENDING)
		end_worker(program);
}

void program_abandon(struct program *program)
{
	if (program->process != NULL)
		process_abandon(program->process);
	free_program(program);
}

/* --- what the worker says --- */

/* A text that a worker sent: ends it, and leaves no character that a terminal would act on. */
static void tame(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

/* Return: why a worker may say that it ended; WORKER_LOST: it may not say this. */
static enum vgpu_end claimed_end(uint32_t end)
{
	switch (end) {
	case VGPU_END_WINDOW_FULL:
	case VGPU_END_WINDOW_BAD:
	case VGPU_END_NO_DEVICE:
	case VGPU_END_DRIVER_MISMATCH:
	case VGPU_END_GPU_NOT_READY:
	case VGPU_END_HUNG:
	case VGPU_END_BAD_COMMAND:
	case VGPU_END_LAYOUT:
	case VGPU_END_NO_ADDRESSES:
		return (enum vgpu_end)end;
	default:
		return VGPU_END_WORKER_LOST;
	}
}

/* A worker that does not take its answers, of which it waits for each, ends. */
static void answer_memory(struct program *program, const struct program_state *state)
{
	struct program_order grant = { .what = PROGRAM_GRANT,
				       .memory_question = state->memory_question };

	program->config.handler->memory(program->config.arg, state->memory_bytes, &grant);
	/* Other failures are told by heard(). */
	if (state->memory_question != 0 &&
	    process_send(program->process, &grant, sizeof(grant), NULL, 0) == -EAGAIN)
		lose(program, VGPU_END_WORKER_LOST, 0);
}

/*
 * A descriptor that its receiver has not read counts against a limit of vgpud's user, and beyond it no
 * worker can be started or given a program. So one whose socket holds more than some orders gets none.
 * A worker waits for this answer only for a moment: one that cannot be sent is left out.
 */
static void answer_module(struct program *program, const struct program_state *state)
{
	const struct program_handler *handler = program->config.handler;
	struct program_order answer = { .what = PROGRAM_MODULE,
					.module = PROGRAM_MODULE_NONE,
					.module_question = state->module_question };
	struct program_state unsent = { .what = PROGRAM_MODULE_MADE,
					.module_question = state->module_question };
	int fd = -1;

	if (process_unread_bytes(program->process) <= UNREAD_MOST_BYTES)
		fd = handler->module_asked(program->config.arg, state, &answer);
	if (process_send(program->process, &answer, sizeof(answer), &fd, fd >= 0) != 0 && fd >= 0)
		handler->module_made(program->config.arg, &unsent);
}

static bool is_within(uint32_t what, enum program_state_what first, enum program_state_what last)
{
	return what >= (uint32_t)first && what <= (uint32_t)last;
}

static void take_state(struct program *program, struct program_state *state)
{
	tame(state->name, sizeof(state->name));
	tame(state->why, sizeof(state->why));
	if (state->what == PROGRAM_BOUND && program->phase == PROGRAM_BINDING) {
		program->phase = PROGRAM_RUNNING;
		sd_event_source_set_enabled(program->timer, SD_EVENT_OFF);
		program->config.handler->bound(program->config.arg, state);
	} else if (state->what == PROGRAM_MEMORY && program->phase == PROGRAM_RUNNING) {
		answer_memory(program, state);
	} else if (is_within(state->what, PROGRAM_WANTS, PROGRAM_DRAINING) &&
		   program->phase == PROGRAM_RUNNING) {
		program->config.handler->lease(program->config.arg, state);
	} else if (state->what == PROGRAM_MODULE_ASKED && program->phase == PROGRAM_RUNNING) {
		answer_module(program, state);
	} else if (state->what == PROGRAM_MODULE_MADE && program->phase == PROGRAM_RUNNING) {
		program->config.handler->module_made(program->config.arg, state);
	} else if (state->what == PROGRAM_ENDED) {
		if (state->why[0] != '\0')
			complain("worker %d of a program ended: %s", program->process->pid,
				 state->why);
		lose(program, claimed_end(state->end), state->result);
	} else {
		complain("worker %d of a program sent what it must not send now; killing it",
			 program->process->pid);
		lose(program, VGPU_END_WORKER_LOST, 0);
	}
}

static bool replace_spare(struct program *program);

/* Return: whether there was something. */
static bool on_state(struct program *program)
{
	struct program_state state;
	int result = process_receive(program->process, &state, sizeof(state));

	if (result == 0)
		return false;
	if (result > 0) {
		take_state(program, &state);
		return true;
	}
	if (result == -EPROTO)
		complain("worker %d of a program sent a malformed message; killing it",
			 program->process->pid);
	if (result != -EPROTO && program->phase == PROGRAM_BINDING && replace_spare(program))
		return true;
	lose(program,
	     program->phase == PROGRAM_RUNNING || result == -EPROTO ? VGPU_END_WORKER_LOST
								    : VGPU_END_WORKER_NOT_STARTED,
	     0);
	return true;
}

bool program_listen(struct program *program)
{
	return program->phase == PROGRAM_RUNNING && on_state(program);
}

/* The worker is ready: gives it the program. */
static void bind_worker(struct program *program)
{
	const struct program_config *config = &program->config;

	program->phase = PROGRAM_BINDING;
	config->handler->binding(config->arg, program->process->pid);
	expect(program, config->bind_deadline_ns);
	/*
	 * The socket of a worker that was told nothing has room. Other failures are told by heard().
	 * Not lose() at once: program_start() may not have returned yet.
	 */
	if (process_send(program->process, &config->order, sizeof(config->order), config->fds,
			 PROGRAM_FD_NUM) == -EAGAIN)
		expect(program, 0);
}

static void on_hello(struct program *program)
{
	struct worker_hello hello;
	int result = process_greet(program->process, &hello);

	if (result == 0)
		return;
	if (result > 0) {
		bind_worker(program);
		return;
	}
	tame(hello.why, sizeof(hello.why));
	complain("worker %d of a program cannot run: %s", program->process->pid, hello.why);
	lose(program, process_end_of(result), 0);
}

static void on_heard(struct process *process, void *arg)
{
	struct program *program = arg;

	(void)process;
	if (program->phase == PROGRAM_STARTING)
		on_hello(program);
	else
		on_state(program);
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct program *program = arg;
	enum program_phase before = program->phase;

	(void)source;
	(void)usec;
	if (before == PROGRAM_ENDING) {
		on_buried(NULL, program);
		return 0;
	}
	/* What came while the loop itself was held up is in time. */
	if (before == PROGRAM_STARTING) {
		struct worker_hello hello;
		int result = process_greet(program->process, &hello);

		if (result > 0) {
			bind_worker(program);
			return 0;
		}
	} else if (on_state(program)) {
		return 0;
	}
	complain("worker %d of a program was not %s in time; killing it", program->process->pid,
		 before == PROGRAM_STARTING ? "ready" : "bound");
	lose(program, VGPU_END_WORKER_NOT_STARTED, 0);
	return 0;
}

/* --- the start --- */

/* Return: 0 or -errno. */
static int get_worker(struct program *program)
{
	const struct program_config *config = &program->config;

	program->process = spares_take(config->spares);
	program->was_spare = program->process != NULL;
	if (program->was_spare) {
		process_give(program->process, on_buried, program);
		return 0;
	}
	return process_start(&program->process, config->event, SPAWN_PROGRAM,
			     spares_argument(config->spares), on_buried, program);
}

/*
 * A spare may have died just before it was taken. The program is not to blame and gets another worker,
 * once, which is no spare: those may all have died. Return: whether one was started.
 */
static bool replace_spare(struct program *program)
{
	const struct program_config *config = &program->config;
	struct process *dead = program->process;

	if (!program->was_spare)
		return false;
	program->was_spare = false;
	if (process_start(&program->process, config->event, SPAWN_PROGRAM,
			  spares_argument(config->spares), on_buried, program) != 0) {
		program->process = dead;
		return false;
	}
	complain("spare worker %d died before a program came to it; starting another", dead->pid);
	spares_bury(config->spares, dead);
	program->phase = PROGRAM_STARTING;
	expect(program, config->start_deadline_ns);
	process_listen(program->process, on_heard, program);
	return true;
}

int program_start(struct program **out, const struct program_config *config)
{
	struct program *program = calloc(1, sizeof(*program));
	int err;

	if (program == NULL)
		return -ENOMEM;
	program->config = *config;
	err = sd_event_add_time_relative(config->event, &program->timer, CLOCK_MONOTONIC,
					 config->start_deadline_ns / UTIL_NS_PER_US + 1, 0, on_late,
					 program);
	if (err >= 0)
		err = get_worker(program);
	if (err < 0) {
		free_program(program);
		return err;
	}
	*out = program;
	process_listen(program->process, on_heard, program);
	if (program->was_spare)
		bind_worker(program);
	return 0;
}

pid_t program_pid(const struct program *program)
{
	return program->process != NULL ? program->process->pid : 0;
}

enum program_phase program_phase(const struct program *program)
{
	return program->phase;
}
