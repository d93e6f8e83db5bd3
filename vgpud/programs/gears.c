/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gears.c - what each executor needs for programs: spares, a describing process, an arbiter */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "vgpud/programs/programs_private.h"

#define DESCRIBE_DEADLINE_NS (30 * UTIL_NS_PER_S)
#define DRIVER_LOOK_NS (3 * UTIL_NS_PER_S)

static void follow_gpu(struct gear *gear, const struct conf *conf)
{
	gear->spares_settings = (struct spares_settings){
		.num = conf->gpu[gear->gpu].spares,
		.start_deadline_ns = conf->start_deadline_ms * UTIL_NS_PER_MS,
		.look_ns = DRIVER_LOOK_NS,
	};
}

/*
 * How long a worker may take to acknowledge. On a GPU it looks at its page between two commands. Where
 * kernels run on the processor they take it from the worker, too.
 */
#define ACK_NS (20 * UTIL_NS_PER_MS)
#define ACK_CPU_NS (1 * UTIL_NS_PER_S)
#define ACK_REPEAT_NS (60 * UTIL_NS_PER_S)
#define STUCK_NS (1 * UTIL_NS_PER_S)

static struct lease_settings lease_settings_of(const struct conf *conf, const struct gear *gear)
{
	const struct conf_gpu *gpu = &conf->gpu[gear->gpu];

	return (struct lease_settings){
		.turn_ns = gpu->lease_ms * UTIL_NS_PER_MS,
		.idle_ns = gpu->idle_us * UTIL_NS_PER_US,
		.yield_ns = gpu->yield_ms * UTIL_NS_PER_MS,
		.ack_ns = gear->gpu == CONF_GPU_CPU ? ACK_CPU_NS : ACK_NS,
		.repeat_ns = ACK_REPEAT_NS,
		.stuck_ns = STUCK_NS,
		.kernel_ns = gpu->max_kernel_s * UTIL_NS_PER_S,
		.aging_ns = conf->aging_ms * UTIL_NS_PER_MS,
		.in_flight_ns = gpu->in_flight_us * UTIL_NS_PER_US,
	};
}

void gears_follow(struct programs *programs)
{
	const struct conf *conf = programs->broker->conf;
	struct lease_settings settings;
	uint64_t start_ns = conf->start_deadline_ms * UTIL_NS_PER_MS;
	struct gear *gear;

	SLIST_FOREACH(gear, &programs->gears, link) {
		follow_gpu(gear, conf);
		settings = lease_settings_of(conf, gear);
		arbiter_set(gear->arbiter, &settings);
	}
	programs->describe_settings = (struct describe_settings){
		.start_deadline_ns = start_ns,
		.deadline_ns = DESCRIBE_DEADLINE_NS,
	};
}

/* The argument of the roles vgpud-program and vgpud-describe: worker/program.c reads it. */
static void make_argument(const struct conf *conf, const char *executor, char *out, size_t size)
{
	const char *allow = conf->allow_hmm ? " allow-hmm" : "";

	if (strcmp(executor, "cpu") == 0)
		snprintf(out, size, "%s memory=%" PRIu64 "%s%s%s", executor,
			 conf_softgpu_memory(conf), conf->softgpu_switches[0] != '\0' ? " " : "",
			 conf->softgpu_switches, allow);
	else
		snprintf(out, size, "%s%s", executor, allow);
}

static void free_one(struct gear *gear)
{
	spares_free(gear->spares);
	describe_free(gear->describe);
	arbiter_free(gear->arbiter);
	free(gear);
}

static struct gear *find_gear(const struct programs *programs, const char *executor)
{
	struct gear *gear;

	SLIST_FOREACH(gear, &programs->gears, link)
		if (strcmp(gear->executor, executor) == 0)
			return gear;
	return NULL;
}

static struct gear *get_gear(struct programs *programs, const char *executor)
{
	struct gear *gear = find_gear(programs, executor);
	struct lease_settings leases;
	char argument[SPARES_ARGUMENT_SIZE];

	if (gear != NULL)
		return gear;
	gear = calloc(1, sizeof(*gear));
	if (gear == NULL)
		return NULL;
	snprintf(gear->executor, sizeof(gear->executor), "%s", executor);
	gear->gpu = (unsigned)conf_gpu_index(executor);
	follow_gpu(gear, programs->broker->conf);
	make_argument(programs->broker->conf, executor, argument, sizeof(argument));
	leases = lease_settings_of(programs->broker->conf, gear);
	if (arbiter_new(&gear->arbiter, programs->broker->event, &leases, gate_on_turn, programs) !=
		    0 ||
	    spares_new(&gear->spares, programs->broker->event, argument, &gear->spares_settings) !=
		    0 ||
	    describe_new(&gear->describe, programs->broker->event, argument,
			 &programs->describe_settings) != 0) {
		free_one(gear);
		return NULL;
	}
	SLIST_INSERT_HEAD(&programs->gears, gear, link);
	return gear;
}

/* Return: "cpu", "cuda:N"; NULL with *end as gears_of() has it. */
static const char *executor_of_pool(const struct programs *programs, unsigned pool,
				    enum vgpu_end *end)
{
	const struct broker *broker = programs->broker;
	const char *wanted = broker->conf->pool[pool].executor;

	*end = VGPU_END_NONE;
	if (strcmp(wanted, "auto") != 0)
		return wanted;
	switch (executors_info(broker->executors, wanted)->executor) {
	case VGPU_EXECUTOR_CUDA:
		return "cuda:0"; /* which is what `auto` tries: worker/main.c */
	case VGPU_EXECUTOR_CPU:
		return "cpu";
	default:
		if (executors_trouble(broker->executors, wanted) != NULL)
			*end = VGPU_END_NO_DEVICE;
		return NULL;
	}
}

static const char *executor_of(const struct programs *programs, const struct vm *vm,
			       enum vgpu_end *end)
{
	return executor_of_pool(programs, vm->sched.pool, end);
}

bool programs_pool_is_on(const struct programs *programs, unsigned pool, unsigned gpu)
{
	enum vgpu_end end;
	const char *executor = programs->broker->conf->pool[pool].exists
				       ? executor_of_pool(programs, pool, &end)
				       : NULL;

	return executor != NULL && conf_gpu_index(executor) == (int)gpu;
}

unsigned programs_elsewhere(const struct programs *programs, const struct vm *vm)
{
	const struct channel *channel;
	enum vgpu_end end;
	const char *executor = executor_of(programs, vm, &end);
	unsigned num = 0;

	TAILQ_FOREACH(channel, &programs->channels, link)
		num += channel->vm == vm && executor != NULL &&
		       (channel->state == VGPU_CHANNEL_OPENING ||
			channel->state == VGPU_CHANNEL_OPEN) &&
		       strcmp(channel->executor, executor) != 0;
	return num;
}

struct gear *gears_of(struct programs *programs, const struct vm *vm, enum vgpu_end *end)
{
	const char *executor = executor_of(programs, vm, end);
	struct gear *gear;

	if (executor == NULL)
		return NULL;
	gear = get_gear(programs, executor);
	if (gear == NULL)
		*end = VGPU_END_WORKER_NOT_STARTED;
	return gear;
}

struct gear *gears_known(const struct programs *programs, const struct vm *vm)
{
	enum vgpu_end end;
	const char *executor = executor_of(programs, vm, &end);

	return executor != NULL ? find_gear(programs, executor) : NULL;
}

void gears_want_spares(struct programs *programs)
{
	const struct vm *vm;
	struct gear *gear;
	enum vgpu_end end;

	SLIST_FOREACH(gear, &programs->gears, link) {
		bool wanted = false;

		TAILQ_FOREACH(vm, &programs->broker->vms, link) {
			const char *executor = executor_of(programs, vm, &end);

			wanted |= vm->settings.programs && executor != NULL &&
				  strcmp(executor, gear->executor) == 0;
		}
		spares_want(gear->spares, wanted && programs->refusal[0] == '\0' &&
						  !programs->drained[gear->gpu]);
	}
}

void gears_free(struct programs *programs)
{
	struct gear *gear;

	while ((gear = SLIST_FIRST(&programs->gears)) != NULL) {
		SLIST_REMOVE_HEAD(&programs->gears, link);
		free_one(gear);
	}
}
