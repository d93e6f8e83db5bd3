/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks_memory.c - whether GPUs have the memory that VMs were promised */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/units.h"
#include "vgpud/admin/checks.h"
#include "vgpud/conf/conf.h"
#include "vgpud/daemon_private.h"

/* Return: what a pool's GPU has, in bytes; 0: it is not known. */
static uint64_t memory_of_pool(const struct daemon *daemon, unsigned pool)
{
	const char *executor = daemon->conf->pool[pool].executor;
	const struct worker_info *info = executors_info(daemon->broker.executors, executor);

	if (info->executor == VGPU_EXECUTOR_CPU)
		return conf_softgpu_memory(daemon->conf);
	return info->executor == VGPU_EXECUTOR_CUDA ? (uint64_t)info->memory_mib << 20 : 0;
}

/* Return: whether both pools' programs run on one GPU. */
static bool is_same(const struct daemon *daemon, unsigned a, unsigned b)
{
	return strcmp(daemon->conf->pool[a].executor, daemon->conf->pool[b].executor) == 0;
}

/* Return: the quotas of all VMs that may have programs on the pool's GPU, added up. */
static uint64_t promised(const struct daemon *daemon, unsigned pool, unsigned *vm_num)
{
	const struct vm *vm;
	uint64_t sum = 0;

	*vm_num = 0;
	TAILQ_FOREACH(vm, &daemon->broker.vms, link) {
		if (!vm->settings.programs || vm->settings.memory == 0 ||
		    !is_same(daemon, vm->sched.pool, pool))
			continue;
		(*vm_num)++;
		sum += vm->settings.memory; /* 1P each: thousands of them fit */
	}
	return sum;
}

/* Return: whether a pool before this one has the same GPU. */
static bool was_looked_at(const struct daemon *daemon, unsigned pool)
{
	for (unsigned i = 0; i < pool; i++)
		if (daemon->conf->pool[i].exists && is_same(daemon, i, pool))
			return true;
	return false;
}

void checks_memory(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;

	for (unsigned pool = 0; pool < SCHED_POOL_MAX; pool++) {
		char sum_text[UNITS_TEXT_SIZE], has_text[UNITS_TEXT_SIZE], text[200];
		uint64_t has, sum;
		unsigned vm_num;

		if (!daemon->conf->pool[pool].exists || was_looked_at(daemon, pool))
			continue;
		has = memory_of_pool(daemon, pool);
		sum = promised(daemon, pool, &vm_num);
		if (has == 0 || sum <= has)
			continue;
		units_format_size(sum_text, sizeof(sum_text), sum);
		units_format_size(has_text, sizeof(has_text), has >> 20 << 20);
		snprintf(text, sizeof(text),
			 "%u VMs may have %s of the GPU of pool %c together, which has %s", vm_num,
			 sum_text, name_pool(pool), has_text);
		checks_row(call, "memory quotas", CHECK_WARNING, text,
			   "vgpuadm set-memory VM SIZE, or set-pool; until then who comes first "
			   "has it");
	}
}
