/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - the VMs that the daemon knows */

#include "vgpud/vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vm *vm_new(const char *name, uint32_t id, const struct vm_settings *settings)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (vm == NULL)
		return NULL;
	vm->settings = *settings;
	sched_vm_init(&vm->sched, (uint8_t)settings->pool, (uint8_t)settings->priority,
		      settings->paused);
	STAILQ_INIT(&vm->recording.queue);
	TAILQ_INIT(&vm->requests);
	stats_init(&vm->figures.stats);
	vm->id = id;
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	return vm;
}

void vm_free(struct vm *vm)
{
	stats_free(&vm->figures.stats);
	free(vm);
}

struct vm *vm_find(const struct vm_list *list, const char *name)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, list, link)
		if (strcmp(vm->name, name) == 0)
			return vm;
	return NULL;
}

struct vm *vm_find_id(const struct vm_list *list, uint32_t id)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, list, link)
		if (vm->id == id)
			return vm;
	return NULL;
}

void vm_past_add(struct vm_past_list *list, const char *name, uint32_t id)
{
	struct vm_past *past = calloc(1, sizeof(*past));

	if (past == NULL)
		return;
	past->id = id;
	snprintf(past->name, sizeof(past->name), "%s", name);
	SLIST_INSERT_HEAD(list, past, link);
}

void vm_past_free(struct vm_past_list *list)
{
	struct vm_past *past;

	while ((past = SLIST_FIRST(list)) != NULL) {
		SLIST_REMOVE_HEAD(list, link);
		free(past);
	}
}

bool vm_id_is_free(const struct vm_list *list, const struct vm_past_list *past, const char *name,
		   uint32_t id)
{
	const struct vm_past *other;

	if (vm_find_id(list, id) != NULL)
		return false;
	SLIST_FOREACH(other, past, link)
		if (other->id == id)
			return strcmp(other->name, name) == 0; /* the latest VM with that id */
	return true;
}

bool vm_fault(struct vm *vm, uint64_t now_ns, unsigned limit, uint64_t window_ns)
{
	uint64_t oldest_ns;

	vm->exec.fault_ns[vm->exec.faults++ % VM_FAULTS_MAX] = now_ns;
	if (limit == 0 || vm->exec.faults < limit)
		return false;
	oldest_ns = vm->exec.fault_ns[(vm->exec.faults - limit) % VM_FAULTS_MAX];
	return now_ns - oldest_ns < window_ns;
}
