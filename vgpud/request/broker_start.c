/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_start.c - the broker's start and end, and what the configuration changes meanwhile */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "vgpud/request/broker_private.h"

/* Called from the loop itself, since the handler may do anything, even remove a VM. */
static int on_last_ended(sd_event_source *source, void *arg)
{
	struct broker *broker = arg;

	(void)source;
	if (broker->draining && broker->live == 0)
		broker->handler->drained(broker->arg);
	return 0;
}

/* One queue for each executor: pools on the same GPU share it. Return: the pool's. */
static unsigned gpu_of(const struct broker *broker, unsigned pool)
{
	unsigned gpus = 0;

	for (unsigned i = 0; i < pool; i++) {
		if (!broker->conf->pool[i].exists)
			continue;
		if (strcmp(broker->conf->pool[i].executor, broker->conf->pool[pool].executor) == 0)
			return broker->sched.pool[i].gpu;
		if (broker->sched.pool[i].gpu >= gpus)
			gpus = broker->sched.pool[i].gpu + 1;
	}
	return gpus;
}

void broker_conf_changed(struct broker *broker)
{
	const struct conf *conf = broker->conf;

	broker->sched.vm_queue_max = conf->vm_queue_max;
	broker->sched.aging_ns = conf->aging_ms * UTIL_NS_PER_MS;
	executors_set_start_deadline(broker->executors, conf->start_deadline_ms * UTIL_NS_PER_MS);
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		struct sched_pool *pool = &broker->sched.pool[i];

		pool->window = conf->pool[i].window;
		pool->deadline_ns = conf->pool[i].deadline_ms * UTIL_NS_PER_MS;
		pool->exec_deadline_ns = conf->pool[i].exec_deadline_ms * UTIL_NS_PER_MS;
	}
	broker_expect_expiry(broker, sched_next_expiry_ns(&broker->sched));
	broker_dispatch(broker);
}

static int open_pool(struct broker *broker, unsigned i)
{
	const struct conf_pool *conf = &broker->conf->pool[i];

	broker->sched.pool[i].exists = true;
	broker->sched.pool[i].gpu = gpu_of(broker, i);
	if (broker->sched.pool[i].gpu >= SCHED_GPU_MAX)
		return -E2BIG;
	if (broker->sched.pool[i].gpu >= broker->gpus)
		broker->gpus = broker->sched.pool[i].gpu + 1;
	if (broker->conf->isolation_vm)
		return executors_get(broker->executors, conf->executor) != NULL ? 0 : -ENOMEM;
	broker->pool_seat[i] = seat_new(broker->seats, conf->executor);
	return broker->pool_seat[i] != NULL ? 0 : -ENOMEM;
}

/* All are off until they are needed, when there may be no memory to make one. */
static int add_sources(struct broker *broker)
{
	sd_event *event = broker->event;
	/* Accuracy of 1 us: with a small bucket, the time that a token is taken late is lost. */
	int err = sd_event_add_time(event, &broker->expiry, CLOCK_MONOTONIC, UINT64_MAX, 1,
				    broker_on_expiry, broker);

	if (err >= 0)
		err = sd_event_source_set_enabled(broker->expiry, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_time(event, &broker->leaving, CLOCK_MONOTONIC, UINT64_MAX, 0,
					broker_on_leaving, broker);
	if (err >= 0)
		err = sd_event_source_set_enabled(broker->leaving, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_defer(event, &broker->last_ended, on_last_ended, broker);
	if (err >= 0)
		err = sd_event_source_set_enabled(broker->last_ended, SD_EVENT_OFF);
	return err;
}

int broker_init(struct broker *broker, const struct conf *conf, sd_event *event,
		struct ledger *ledger, const struct broker_handler *handler, void *arg)
{
	int err;

	*broker = (struct broker){
		.conf = conf,
		.event = event,
		.ledger = ledger,
		.next_id = ledger->next_id,
		.expiry_ns = SCHED_NEVER,
		.handler = handler,
		.arg = arg,
	};
	TAILQ_INIT(&broker->vms);
	TAILQ_INIT(&broker->unused);
	sched_init(&broker->sched, conf->vm_queue_max, conf->aging_ms * UTIL_NS_PER_MS);
	err = add_sources(broker);
	if (err >= 0)
		err = executors_new(&broker->executors, event,
				    conf->start_deadline_ms * UTIL_NS_PER_MS,
				    &broker_executors_handler, broker);
	if (err >= 0)
		broker->seats = seat_set_new(broker->executors, &broker_seat_handler, broker);
	if (err >= 0 && broker->seats == NULL)
		err = -ENOMEM;
	for (unsigned i = 0; err >= 0 && i < SCHED_POOL_MAX; i++)
		if (conf->pool[i].exists)
			err = open_pool(broker, i);
	if (err >= 0)
		broker_conf_changed(broker);
	return err < 0 ? err : 0;
}

/* Ends started requests, whose workers have gone. A removed VM is freed with its last request. */
static void end_all_started(struct broker *broker)
{
	struct sched_item *item;

	while ((item = TAILQ_FIRST(&broker->sched.started)) != NULL)
		broker_advance(broker, request_of(item), LIFE_RETURN, VGPU_ERR_BACKEND_LOST);
}

void broker_close(struct broker *broker)
{
	struct request *request;
	struct vm *vm;

	broker->draining = false;
	if (broker->seats != NULL)
		seat_set_free(broker->seats);
	if (broker->executors != NULL)
		executors_free(broker->executors);
	end_all_started(broker);
	while ((vm = TAILQ_FIRST(&broker->vms)) != NULL) {
		broker_end_queued(broker, vm, VGPU_ERR_BACKEND_LOST);
		port_close(vm->port);
		TAILQ_REMOVE(&broker->vms, vm, link);
		vm_free(vm);
	}
	while ((request = TAILQ_FIRST(&broker->unused)) != NULL) {
		TAILQ_REMOVE(&broker->unused, request, vm_link);
		free(request);
	}
	sd_event_source_disable_unref(broker->last_ended);
	sd_event_source_disable_unref(broker->leaving);
	sd_event_source_disable_unref(broker->expiry);
	ledger_close(broker->ledger);
}
