/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_vm.c - the VMs at the daemon's start, and their ports */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "vgpud/daemon_private.h"
#include "vgpud/daemon_record.h"

#define LEDGER_WAIT_MS 60000

const char *daemon_port_error(int err)
{
	if (err == -EADDRINUSE)
		return "another vgpud listens there; stop it, or name another --runtime-dir";
	if (err == -EEXIST)
		return "a file that is no socket is there; remove it";
	if (err == -EMFILE)
		return DESCRIPTORS_REMEDY;
	return strerror(-err);
}

/* That the name fits, make_dirs() saw to at the start. */
void daemon_path(const struct daemon *daemon, const char *name, char *path)
{
	if (snprintf(path, SOCK_PATH_SIZE, "%s/%s", daemon->conf->runtime_dir, name) >=
	    SOCK_PATH_SIZE)
		path[0] = '\0';
}

/* path: SOCK_PATH_SIZE bytes. */
static void socket_path(const struct daemon *daemon, const char *vm_name, char *path)
{
	char name[VM_NAME_SIZE + 16];

	snprintf(name, sizeof(name), "vm/%s.sock", vm_name);
	daemon_path(daemon, name, path);
}

int daemon_open_port(struct daemon *daemon, struct vm *vm, const char *connect, char *why,
		     size_t why_size)
{
	char path[SOCK_PATH_SIZE];
	struct port_config config = {
		.event = daemon->event,
		.path = connect != NULL ? connect : path,
		.listen = connect == NULL,
		.name = vm->name,
		.vm = { .id = vm->id, .pool = vm->sched.pool, .priority = vm->sched.priority },
		.handler = &broker_port_handler,
		.arg = &daemon->broker,
		.handler_vm = vm,
	};
	int err;

	socket_path(daemon, vm->name, path);
	err = port_open(&vm->port, &config);
	if (err != 0)
		snprintf(why, why_size, "cannot open %s: %s", config.path, daemon_port_error(err));
	return err;
}

/*
 * Adds a VM at the start. One that cannot be opened is logged and left out: the others must not
 * suffer for it.
 */
static struct vm *add_vm(struct daemon *daemon, const char *name, uint32_t id, uint8_t pool,
			 uint8_t priority, bool paused, const char *connect)
{
	struct vm *vm = vm_new(&daemon->broker.vms, name, id, pool, priority, paused);
	char why[256];

	if (vm == NULL) {
		log_error("%s: out of memory", name);
		return NULL;
	}
	if (daemon_open_port(daemon, vm, connect, why, sizeof(why)) != 0) {
		log_error("%s: %s", name, why);
		broker_remove_vm(&daemon->broker, vm);
		return NULL;
	}
	broker_vm_changed(&daemon->broker, vm);
	return vm;
}

/* A number of the database, which anybody's hands may have been at. */
static uint32_t limited(uint32_t number, uint32_t most)
{
	return number == 0 ? 1 : number < most ? number : most;
}

/* A VM from the database. */
static void add_stored_vm(void *arg, const struct ledger_vm *stored)
{
	struct daemon *daemon = arg;
	unsigned pool = stored->pool - 'A';
	struct vm *vm;

	if (stored->removed) {
		vm_past_add(&daemon->past, stored->name, stored->id);
		return;
	}
	if (!vm_name_ok(stored->name)) {
		log_warning("the database has a VM %u whose name is none; it is left out",
			    stored->id);
		return;
	}
	if (pool >= SCHED_POOL_MAX || !daemon->conf->pool[pool].exists) {
		log_warning(
			"%s: its pool %c is not in the configuration any more; it is in pool A now",
			stored->name, stored->pool);
		pool = 0;
	}
	vm = add_vm(daemon, stored->name, stored->id, (uint8_t)pool, stored->priority,
		    stored->paused, stored->connect);
	if (vm == NULL)
		return;
	if (stored->limit_per_s > 0)
		sched_vm_limit(&vm->sched, limited(stored->limit_per_s, LIMIT_RATE_MOST),
			       limited(stored->limit_burst, LIMIT_BURST_MOST), util_now_ns());
	daemon_record_known(vm);
}

/* A command line may name more than the ledger takes at once: then it gets the time it needs. */
static int keep_vm(struct daemon *daemon, const struct ledger_vm *stored)
{
	struct ledger *ledger = daemon->broker.ledger;
	int err = ledger_vm_put(ledger, stored, NULL, NULL);

	if (err == -ENOBUFS && ledger_wait(ledger, LEDGER_WAIT_MS) == 0)
		err = ledger_vm_put(ledger, stored, NULL, NULL);
	if (err != 0)
		log_error("%s: cannot be stored: %s", stored->name, strerror(-err));
	return err;
}

/* A VM from the command line, unless the database has it: then the administrator's word holds. */
static int add_option_vm(struct daemon *daemon, const struct conf_vm *conf)
{
	struct vm_list *vms = &daemon->broker.vms;
	struct vm *other = vm_find_id(vms, conf->id), *vm = vm_find(vms, conf->name);
	struct ledger_vm stored = {
		.id = conf->id,
		.name = conf->name,
		.pool = (uint8_t)('A' + conf->pool),
		.priority = conf->priority,
		.connect = conf->connect,
	};

	if (vm != NULL) {
		log_info("%s: known already, as pool %c, priority %s; --vm changes nothing",
			 vm->name, 'A' + vm->sched.pool, name_priority(vm->sched.priority));
		return 0;
	}
	if (other != NULL) {
		log_error("%s: its number %u is that of %s in the database; give another, as in "
			  "--vm %s:%c:%s:NUMBER",
			  conf->name, conf->id, other->name, conf->name, 'A' + conf->pool,
			  name_priority(conf->priority));
		return -EEXIST;
	}
	if (!vm_id_is_free(vms, &daemon->past, conf->name, conf->id)) {
		log_error(
			"%s: its number %u was that of a VM that was removed, and its records bear it; "
			"give another, as in --vm %s:%c:%s:NUMBER",
			conf->name, conf->id, conf->name, 'A' + conf->pool,
			name_priority(conf->priority));
		return -EEXIST;
	}
	vm = add_vm(daemon, conf->name, conf->id, conf->pool, conf->priority, false, conf->connect);
	if (vm == NULL)
		return -EIO;
	daemon_record_known(vm);
	return keep_vm(daemon, &stored);
}

int daemon_add_vms(struct daemon *daemon)
{
	int err = 0;

	ledger_vm_each(daemon->broker.ledger, add_stored_vm, daemon);
	for (unsigned i = 0; err == 0 && i < daemon->conf->vm_num; i++)
		err = add_option_vm(daemon, &daemon->conf->vm[i]);
	return err;
}

struct ledger_vm daemon_stored_vm(const struct vm *vm)
{
	return (struct ledger_vm){
		.id = vm->id,
		.name = vm->name,
		.pool = (uint8_t)('A' + vm->sched.pool),
		.priority = vm->sched.priority,
		.paused = vm->sched.paused,
		.connect = port_listens(vm->port) ? NULL : port_path(vm->port),
		.limit_per_s = vm->sched.limit.rate_per_s,
		.limit_burst = vm->sched.limit.burst,
	};
}
