/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_owner.c - whom each VM's socket lets in: names become numbers, beside the loop */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vgpud/aside.h"
#include "vgpud/daemon_private.h"
#include "vgpud/link/access.h"
#include "vgpud/link/port.h"

/*
 * An owner is kept as it was given, since a name's number may change from one start to the next. Its
 * number is looked up when it is set, at the start, and at a reload where it was not found. A socket
 * whose owner is not known yet is for vgpud's own user alone.
 */

#define SEARCHES_MAX 4 /* at once; the others of ASIDE_MAX are for administrators */

struct search {
	uint32_t vm_id;
	char of[VM_SETTING_TEXT_SIZE];
	struct vm_owner owner;
	int err;
};

static void give(struct vm *vm)
{
	int err = access_give(port_path(vm->port), &vm->socket.owner);

	if (err != 0)
		log_warning("%s: cannot let %s into %s: %s", vm->name,
			    vm->socket.of[0] != '\0' ? vm->socket.of : "its own user alone",
			    port_path(vm->port), strerror(-err));
}

/* --- searches --- */

static void run_search(void *data)
{
	struct search *search = data;

	search->err = access_find(search->of, &search->owner);
}

static void search_all(struct daemon *daemon);

static void take_found(struct vm *vm, const struct search *search)
{
	if (search->err == 0) {
		vm->socket.state = VM_OWNER_FOUND;
		vm->socket.owner = search->owner;
		give(vm);
		return;
	}
	vm->socket.state = VM_OWNER_MISSING;
	if (search->err == -ENOENT)
		log_warning("%s: its owner %s is no user or group of this host any more; see "
			    "vgpuadm set-owner",
			    vm->name, search->of);
	else
		log_warning("%s: its owner %s cannot be looked up: %s; a reload tries again",
			    vm->name, search->of, strerror(-search->err));
}

static void on_found(void *arg, void *data)
{
	struct daemon *daemon = arg;
	const struct search *search = data;
	struct vm *vm = vm_find_id(&daemon->broker.vms, search->vm_id);

	daemon->owner_searches--;
	/* Meanwhile it may have gone, or have got another owner. */
	if (vm != NULL && vm->socket.state == VM_OWNER_SOUGHT &&
	    strcmp(vm->socket.of, search->of) == 0)
		take_found(vm, search);
	search_all(daemon);
	daemon_looked_up(daemon);
}

static const struct aside_work work = { .run = run_search, .done = on_found, .drop = free };

/* Return: 0 or -errno. */
static int begin_search(struct daemon *daemon, struct vm *vm)
{
	struct search *search = calloc(1, sizeof(*search));
	int err;

	if (search == NULL)
		return -ENOMEM;
	search->vm_id = vm->id;
	memcpy(search->of, vm->socket.of, sizeof(search->of));
	err = aside_begin(NULL, daemon->event, &work, search, daemon);
	if (err != 0)
		return err;
	vm->socket.state = VM_OWNER_SOUGHT;
	daemon->owner_searches++;
	daemon->lookups++;
	return 0;
}

/* Begins as many searches as may be under way. */
static void search_all(struct daemon *daemon)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link) {
		int err;

		if (daemon->owner_searches >= SEARCHES_MAX)
			return;
		if (vm->socket.state != VM_OWNER_WANTED)
			continue;
		err = begin_search(daemon, vm);
		if (err == 0)
			continue;
		vm->socket.state = VM_OWNER_MISSING;
		log_warning("%s: its owner %s cannot be looked up: %s; a reload tries again",
			    vm->name, vm->socket.of, strerror(-err));
	}
}

/* --- what others say --- */

void daemon_owner_known(struct vm *vm, const char *of, const struct vm_owner *owner)
{
	snprintf(vm->socket.of, sizeof(vm->socket.of), "%s", of);
	vm->socket.owner = *owner;
	vm->socket.state = VM_OWNER_FOUND;
}

void daemon_owner_apply(struct daemon *daemon, struct vm *vm)
{
	const char *of = vm->settings.owner;

	if (vm->port == NULL || !port_listens(vm->port))
		return;
	if (vm->socket.state == VM_OWNER_NONE || strcmp(vm->socket.of, of) != 0) {
		struct vm_owner owner;

		if (access_number(of, &owner)) {
			daemon_owner_known(vm, of, &owner);
		} else {
			snprintf(vm->socket.of, sizeof(vm->socket.of), "%s", of);
			vm->socket.state = VM_OWNER_WANTED;
		}
	}
	if (vm->socket.state == VM_OWNER_FOUND)
		give(vm);
	else
		search_all(daemon);
}

void daemon_owner_again(struct daemon *daemon)
{
	struct vm *vm;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		if (vm->socket.state == VM_OWNER_MISSING)
			vm->socket.state = VM_OWNER_WANTED;
	search_all(daemon);
}
