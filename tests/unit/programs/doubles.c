/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doubles.c - what stands around vgpud/programs in its test: workers, the describer, peers, the host */

#include "tests/unit/programs/doubles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proc/confine.h"
#include "proc/descriptors.h"
#include "proc/spawn.h"
#include "vgpud/exec/describe.h"
#include "vgpud/exec/executors.h"

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
