/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doubles.c - what stands around vgpud/programs in its test: workers, the describer, peers, the host */

#include "tests/unit/programs/doubles.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proc/child.h"
#include "proc/confine.h"
#include "proc/descriptors.h"
#include "proc/spawn.h"
#include "vgpud/exec/describe.h"
#include "vgpud/exec/executors.h"
#include "vgpud/exec/nvml.h"
#include "vgpud/lease/arbiter.h"

struct doubles doubles;

static TAILQ_HEAD(job_list, describe_job) jobs = TAILQ_HEAD_INITIALIZER(jobs);

void doubles_reset(void)
{
	doubles = (struct doubles){ .sandbox_parts = SANDBOX_ALL,
				    .sandbox_why = "",
				    .confine_state = "yes",
				    .executor = VGPU_EXECUTOR_CPU };
	TAILQ_INIT(&jobs);
}

/* --- the one timer: systemd/sd-event.h --- */

int sd_event_add_time_relative(sd_event *e, sd_event_source **s, clockid_t clock, uint64_t usec,
			       uint64_t accuracy, sd_event_time_handler_t callback, void *userdata)
{
	(void)e;
	(void)accuracy;
	assert_int_equal(clock, CLOCK_MONOTONIC);
	assert_null(doubles.tick);
	doubles.tick = callback;
	doubles.tick_arg = userdata;
	doubles.tick_us = usec;
	*s = (sd_event_source *)&doubles.tick;
	return 0;
}

/* No earlier vgpud has left a worker. */
int child_watch(sd_event *event, sd_event_source **source, pid_t pid, sd_event_io_handler_t handler,
		void *arg)
{
	(void)event;
	(void)source;
	(void)pid;
	(void)handler;
	(void)arg;
	return -ESRCH;
}

int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	assert_ptr_equal(source, &doubles.tick);
	doubles.tick_us = usec;
	return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
	assert_ptr_equal(source, &doubles.tick);
	assert_int_equal(enabled, SD_EVENT_ONESHOT);
	return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
	if (source != NULL)
		doubles.tick = NULL;
	return NULL;
}

void tick_comes(void)
{
	assert_non_null(doubles.tick);
	assert_true(doubles.tick((sd_event_source *)&doubles.tick, 0, doubles.tick_arg) >= 0);
}

/* --- workers: exec/program.h, exec/spares.h --- */

int program_start(struct program **out, const struct program_config *config)
{
	struct program *worker = NULL;

	if (doubles.start_error != 0)
		return doubles.start_error;
	for (unsigned i = 0; i < WORKERS_MAX && worker == NULL; i++)
		if (!doubles.worker[i].in_use)
			worker = &doubles.worker[i];
	assert_non_null(worker);
	*worker = (struct program){ .config = *config,
				    .in_use = true,
				    .num = ++doubles.started,
				    .pid = (pid_t)(1000 + doubles.started) };
	*out = worker;
	return 0;
}

void worker_is_reaped(struct program *worker)
{
	struct program_config config = worker->config;

	assert_true(worker->in_use && worker->ended);
	worker->in_use = false;
	doubles.reaped++;
	config.handler->reaped(config.arg);
}

int program_freeze(struct program *program, bool frozen)
{
	(void)program;
	(void)frozen;
	return 0;
}

bool program_listen(struct program *program)
{
	(void)program;
	return false;
}

void program_wake(struct program *program)
{
	assert_true(program->in_use && !program->ended);
}

void program_end(struct program *program)
{
	assert_true(program->in_use);
	if (program->ended)
		return;
	program->ended = true;
	if (doubles.reaped_at_once)
		worker_is_reaped(program);
}

void program_abandon(struct program *program)
{
	assert_true(program->in_use);
	program->in_use = false;
	doubles.reaped++;
}

pid_t program_pid(const struct program *program)
{
	return program->pid;
}

void worker_binds(struct program *worker)
{
	const struct program_state claim = { .what = PROGRAM_BOUND, .pid = 4711, .name = "test" };

	assert_false(worker->ended);
	worker->config.handler->bound(worker->config.arg, &claim);
}

void worker_fails(struct program *worker, enum vgpu_end why)
{
	assert_false(worker->ended);
	worker->ended = true;
	worker->config.handler->ending(worker->config.arg, why, 719);
}

struct program *worker_last(void)
{
	struct program *last = NULL;

	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (doubles.worker[i].in_use && (last == NULL || doubles.worker[i].num > last->num))
			last = &doubles.worker[i];
	return last;
}

struct spares {
	char argument[SPARES_ARGUMENT_SIZE];
};

int spares_new(struct spares **out, sd_event *event, const char *argument,
	       const struct spares_settings *settings)
{
	(void)event;
	(void)settings;
	*out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	snprintf((*out)->argument, sizeof((*out)->argument), "%s", argument);
	return 0;
}

void spares_free(struct spares *spares)
{
	free(spares);
}

void spares_want(struct spares *spares, bool wanted)
{
	(void)spares;
	doubles.spares_wanted = wanted;
}

unsigned spares_ready(const struct spares *spares)
{
	(void)spares;
	return 0;
}

const char *spares_trouble(const struct spares *spares)
{
	(void)spares;
	return NULL;
}

enum vgpu_end spares_trouble_end(const struct spares *spares)
{
	(void)spares;
	return VGPU_END_NONE;
}

const char *spares_remark(const struct spares *spares)
{
	(void)spares;
	return NULL;
}

bool spares_has(const struct spares *spares, pid_t pid)
{
	(void)spares;
	return doubles.spare_pid != 0 && pid == doubles.spare_pid;
}

/* --- exec/nvml.h --- */

struct nvml {
	const struct nvml_settings *settings;
	nvml_looked *looked;
	void *arg;
};

static struct nvml *the_nvml;

int nvml_new(struct nvml **out, sd_event *event, const char *argument,
	     const struct nvml_settings *settings, nvml_looked *looked, void *arg)
{
	(void)event;
	(void)argument;
	the_nvml = *out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	**out = (struct nvml){ settings, looked, arg };
	return 0;
}

void nvml_free(struct nvml *nvml)
{
	free(nvml);
}

void nvml_want(struct nvml *nvml, bool wanted)
{
	(void)nvml;
	doubles.nvml_wanted = wanted;
}

void nvml_follow(struct nvml *nvml)
{
	doubles.nvml_pause_ns = nvml->settings->pause_ns;
}

uint32_t nvml_num(const struct nvml *nvml)
{
	(void)nvml;
	return doubles.nvml_num;
}

const struct nvml_gpu *nvml_gpu(const struct nvml *nvml, uint32_t index)
{
	(void)nvml;
	return &doubles.nvml[index];
}

void nvml_answers(void)
{
	the_nvml->looked(the_nvml->arg);
}

/* --- exec/describe.h --- */

struct describe {
	int unused;
};

int describe_new(struct describe **out, sd_event *event, const char *argument,
		 const struct describe_settings *settings)
{
	(void)event;
	(void)argument;
	(void)settings;
	*out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	return 0;
}

void describe_free(struct describe *describe)
{
	free(describe);
}

void describe_begin(struct describe *describe, struct describe_job *job)
{
	assert_null(job->describe);
	job->describe = describe;
	TAILQ_INSERT_TAIL(&jobs, job, link);
	doubles.jobs++;
}

void describe_cancel(struct describe_job *job)
{
	if (job->describe == NULL)
		return;
	TAILQ_REMOVE(&jobs, job, link);
	job->describe = NULL;
	doubles.jobs--;
}

void describer_ends(enum vgpu_end end)
{
	struct describe_job *job = TAILQ_FIRST(&jobs);

	assert_non_null(job);
	describe_cancel(job);
	job->done(job, end);
}

const char *describe_trouble(const struct describe *describe)
{
	(void)describe;
	return NULL;
}

enum vgpu_end describe_trouble_end(const struct describe *describe)
{
	(void)describe;
	return VGPU_END_NONE;
}

/* --- link/peer.h --- */

static void note(struct told told)
{
	assert_in_range(doubles.told_num, 0, TOLD_MAX - 1);
	doubles.told[doubles.told_num++] = told;
}

void peer_send_window_status(struct peer *peer, bool ready, enum vgpu_end error)
{
	note((struct told){ .peer = peer, .window = true, .state = ready, .end = error });
}

void peer_send_channel_status(struct peer *peer, uint32_t channel, enum vgpu_channel_state state,
			      enum vgpu_end error)
{
	note((struct told){ .peer = peer, .channel = channel, .state = state, .end = error });
}

void peer_break(struct peer *peer, const char *why)
{
	peer->broke = why;
}

const struct ucred *peer_who(const struct peer *peer)
{
	return &peer->who;
}

/* --- the executors of requests, and the host --- */

const struct worker_info *executors_info(const struct executors *executors, const char *spec)
{
	static struct worker_info info;

	(void)executors;
	(void)spec;
	info.executor = doubles.executor;
	return &info;
}

const char *executors_trouble(const struct executors *executors, const char *spec)
{
	(void)executors;
	(void)spec;
	return doubles.executor_trouble;
}

unsigned spawn_sandbox(const char **why)
{
	*why = doubles.sandbox_why;
	return doubles.sandbox_parts;
}

const char *confine_state(void)
{
	return doubles.confine_state;
}

const char *confine_name(enum confine_mode mode)
{
	return mode == CONFINE_NO ? "no" : "log";
}

bool descriptors_left(int like, unsigned kept)
{
	assert_true(like >= 0);
	assert_int_equal(kept, DESCRIPTORS_OF_HOST);
	return !doubles.descriptors_short;
}

/* --- leases: lease/arbiter.h; no program waits for one here --- */

int arbiter_new(struct arbiter **out, sd_event *event, const struct lease_settings *settings,
		void (*on_turn)(void *arg, uint32_t vm_id), void *arg)
{
	(void)event;
	(void)settings;
	(void)on_turn;
	(void)arg;
	*out = NULL;
	return 0;
}

void arbiter_free(struct arbiter *arbiter)
{
	(void)arbiter;
}

void arbiter_set(struct arbiter *arbiter, const struct lease_settings *settings)
{
	(void)arbiter;
	(void)settings;
}

void arbiter_set_vm(struct arbiter *arbiter, uint32_t vm_id,
		    const struct lease_vm_settings *settings)
{
	(void)arbiter;
	(void)vm_id;
	(void)settings;
}

int arbiter_join(struct arbiter *arbiter, struct arbiter_program *program, uint32_t vm_id,
		 const struct lease_vm_settings *settings, const struct arbiter_handler *handler,
		 void *arg)
{
	(void)arbiter;
	(void)vm_id;
	assert_in_range(settings->share, 1, LEASE_SHARE_MOST);
	*program = (struct arbiter_program){ .fds = { -1, -1 }, .handler = handler, .arg = arg };
	return 0;
}

void arbiter_keep(struct arbiter_program *program, uint64_t *at)
{
	program->kept_ns = at;
}

void arbiter_close_fds(struct arbiter_program *program)
{
	(void)program;
}

void arbiter_hear(struct arbiter_program *program, const struct program_state *state)
{
	(void)program;
	(void)state;
}

void arbiter_stop(struct arbiter_program *program, bool stopped)
{
	(void)program;
	(void)stopped;
}

void arbiter_end(struct arbiter_program *program)
{
	(void)program;
}

/* Until a program has left, the real one may give it the lease, and wake it. */
void arbiter_leave(struct arbiter_program *program)
{
	if (program->handler != NULL)
		program->handler->wake(program->arg);
	program->handler = NULL;
}

struct arbiter_time arbiter_time(struct arbiter *arbiter)
{
	(void)arbiter;
	return (struct arbiter_time){ .idle_ns = 1, .elapsed_ns = 1 };
}

void arbiter_watch(struct arbiter_program *program, struct arbiter_watch *watch)
{
	(void)program;
	(void)watch;
}

bool arbiter_turn_waits(struct arbiter *arbiter, uint32_t vm_id, struct arbiter_turn *out)
{
	(void)arbiter;
	(void)vm_id;
	(void)out;
	return false;
}

bool arbiter_vm_waited(const struct arbiter *arbiter, unsigned index, struct arbiter_vm_waited *out)
{
	(void)arbiter;
	(void)index;
	(void)out;
	return false;
}

void arbiter_count(struct arbiter *arbiter)
{
	(void)arbiter;
}

/* --- requests of version 1: they need no turns here --- */

bool arbiter_ask(struct arbiter *arbiter, uint32_t vm_id, const struct lease_vm_settings *settings,
		 struct arbiter_vm **turn)
{
	(void)arbiter;
	(void)vm_id;
	(void)settings;
	*turn = NULL;
	return true;
}

void arbiter_adopt(struct arbiter *arbiter, uint32_t vm_id,
		   const struct lease_vm_settings *settings, struct arbiter_vm **turn)
{
	(void)arbiter_ask(arbiter, vm_id, settings, turn);
}

void arbiter_turn_over(struct arbiter_vm *turn)
{
	(void)turn;
}

void arbiter_remove_vm(struct arbiter *arbiter, uint32_t vm_id)
{
	(void)arbiter;
	(void)vm_id;
}

bool arbiter_has_programs(const struct arbiter *arbiter)
{
	(void)arbiter;
	return true;
}

void broker_set_gate(struct broker *broker, const struct broker_gate *gate, void *arg)
{
	broker->gate = gate;
	broker->gate_arg = arg;
}

void broker_turn(struct broker *broker, struct vm *vm)
{
	(void)broker;
	(void)vm;
}
