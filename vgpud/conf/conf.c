/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.c - the daemon's configuration */

#include "vgpud/conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/names.h"
#include "common/util.h"

#define FIELD_SIZE 64

/* Copies the text up to the next colon, and moves *text behind it. Return: false: too long. */
static bool next_field(const char **text, char *field)
{
	size_t len = strcspn(*text, ":");

	if (len >= FIELD_SIZE)
		return false;
	memcpy(field, *text, len);
	field[len] = '\0';
	*text += len + ((*text)[len] == ':');
	return true;
}

static int parse_pool(const struct conf *conf, const char *text, uint8_t *pool)
{
	int index = name_to_pool(text[0]);

	if (index < 0 || text[1] != '\0' || !conf->pool[index].exists)
		return -EINVAL;
	*pool = (uint8_t)index;
	return 0;
}

/* The optional end of a VM's text: a number, and how the sockets meet. */
static int parse_vm_tail(struct conf_vm *vm, const char *text, char *why, size_t why_size)
{
	char field[FIELD_SIZE];
	uint64_t id;

	if (text[0] != '\0' && strncmp(text, "connect=", 8) != 0) {
		if (!next_field(&text, field) || util_parse_u64(field, 1, UINT32_MAX, &id) != 0) {
			snprintf(why, why_size, "%s: a VM's number is 1 to %u", vm->name,
				 UINT32_MAX);
			return -EINVAL;
		}
		vm->id = (uint32_t)id;
	}
	if (text[0] == '\0')
		return 0;
	if (strncmp(text, "connect=/", 9) != 0) {
		snprintf(why, why_size, "%s: %s: expected connect=/PATH", vm->name, text);
		return -EINVAL;
	}
	vm->connect = text + 8;
	return 0;
}

int conf_add_vm(struct conf *conf, const char *text, char *why, size_t why_size)
{
	struct conf_vm *vm = &conf->vm[conf->vm_num];
	char name[FIELD_SIZE], pool[FIELD_SIZE], priority[FIELD_SIZE];
	const char *rest = text;
	int level;

	if (conf->vm_num == CONF_VM_MAX) {
		snprintf(why, why_size, "%s: there are %d VMs already", text, CONF_VM_MAX);
		return -EINVAL;
	}
	if (!next_field(&rest, name) || !next_field(&rest, pool) || !next_field(&rest, priority) ||
	    pool[0] == '\0' || priority[0] == '\0') {
		snprintf(why, why_size, "%s: expected NAME:POOL:PRIORITY, as in vm3:B:high", text);
		return -EINVAL;
	}
	if (!vm_name_ok(name)) {
		snprintf(why, why_size, "%s: a VM's name is " VM_NAME_FORM, name);
		return -EINVAL;
	}
	if (parse_pool(conf, pool, &vm->pool) != 0) {
		snprintf(why, why_size,
			 "%s: %s: no such pool (A and B are there, others by a section [pool C])",
			 name, pool);
		return -EINVAL;
	}
	level = name_to_priority(priority);
	if (level < 0) {
		snprintf(why, why_size, "%s: %s: no such priority (low, medium, high)", name,
			 priority);
		return -EINVAL;
	}
	vm->priority = (uint8_t)level;
	memcpy(vm->name, name, strlen(name) + 1);
	vm->id = vm_name_id(name);
	if (parse_vm_tail(vm, rest, why, why_size) != 0)
		return -EINVAL;
	if (vm->id == 0) {
		snprintf(why, why_size,
			 "%s: its name ends in no number: give one, as in %s:%s:%s:7", name, name,
			 pool, priority);
		return -EINVAL;
	}
	conf->vm_num++;
	return 0;
}

int conf_gpu_index(const char *executor)
{
	uint64_t device;

	if (strcmp(executor, "cpu") == 0)
		return CONF_GPU_CPU;
	if (strncmp(executor, "cuda:", 5) != 0 ||
	    util_parse_u64(executor + 5, 0, CONF_CUDA_MAX - 1, &device) != 0)
		return -1;
	return (int)device;
}

void conf_gpu_name(unsigned index, char out[CONF_GPU_NAME_SIZE])
{
	if (index == CONF_GPU_CPU)
		snprintf(out, CONF_GPU_NAME_SIZE, "cpu");
	else
		snprintf(out, CONF_GPU_NAME_SIZE, "%u", index);
}

int conf_gpu_find(const char *name)
{
	char same[CONF_GPU_NAME_SIZE];

	/* Compared as text: "00" is no second name of GPU 0. */
	for (unsigned i = 0; i < CONF_GPU_NUM; i++) {
		conf_gpu_name(i, same);
		if (strcmp(name, same) == 0)
			return (int)i;
	}
	return -1;
}

bool conf_executor_ok(const char *text)
{
	return strlen(text) < CONF_EXECUTOR_SIZE &&
	       (strcmp(text, "auto") == 0 || conf_gpu_index(text) >= 0);
}

int conf_set_executor(struct conf *conf, const char *text, char *why, size_t why_size)
{
	bool one = name_to_pool(text[0]) >= 0 && text[1] == '=';
	const char *executor = one ? text + 2 : text;

	if (!conf_executor_ok(executor)) {
		snprintf(why, why_size, "%s: no such executor (auto, cpu, cuda:N)", executor);
		return -EINVAL;
	}
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		struct conf_pool *pool = &conf->pool[i];

		if (one ? i != (unsigned)name_to_pool(text[0]) : !pool->exists)
			continue;
		pool->exists = true;
		snprintf(pool->executor, sizeof(pool->executor), "%s", executor);
	}
	return 0;
}

/* `auto` may choose cuda:0, and a GPU must not get two queues by two names. */
static int check_executors(const struct conf *conf, char *why, size_t why_size)
{
	int has_auto = -1, has_cuda = -1;

	for (int i = 0; i < SCHED_POOL_MAX; i++) {
		if (!conf->pool[i].exists)
			continue;
		if (strcmp(conf->pool[i].executor, "auto") == 0)
			has_auto = i;
		else if (strncmp(conf->pool[i].executor, "cuda:", 5) == 0)
			has_cuda = i;
	}
	if (has_auto < 0 || has_cuda < 0)
		return 0;
	snprintf(why, why_size,
		 "pool %c's executor is auto and pool %c's %s, which may be one and the same GPU; "
		 "name the executor of each, as in %s for pool %c",
		 name_pool((unsigned)has_auto), name_pool((unsigned)has_cuda),
		 conf->pool[has_cuda].executor, conf->pool[has_cuda].executor,
		 name_pool((unsigned)has_auto));
	return -EINVAL;
}

int conf_check(const struct conf *conf, char *why, size_t why_size)
{
	for (unsigned i = 0; i < conf->vm_num; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct conf_vm *a = &conf->vm[j], *b = &conf->vm[i];

			if (strcmp(a->name, b->name) == 0) {
				snprintf(why, why_size, "%s: this VM is there twice", a->name);
				return -EINVAL;
			}
			if (a->id == b->id) {
				snprintf(
					why, why_size,
					"%s and %s have the same number %u: give one another, as in "
					"%s:%c:%s:NUMBER",
					a->name, b->name, a->id, b->name, name_pool(b->pool),
					name_priority(b->priority));
				return -EINVAL;
			}
		}
	}
	return check_executors(conf, why, why_size);
}

const char *conf_state_dir(const struct conf *conf)
{
	return conf->ledger ? conf->state_dir : NULL;
}

uint64_t conf_softgpu_memory(const struct conf *conf)
{
	const uint64_t most = UINT64_C(8) << 30;
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t quarter = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 : most;

	if (conf->softgpu_memory != 0)
		return conf->softgpu_memory;
	return quarter < most ? quarter : most;
}
