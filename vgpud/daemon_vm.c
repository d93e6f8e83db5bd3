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
#include "vgpud/daemon_settings.h"

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

/* make_dirs() has checked at the start that the path fits. */
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

int daemon_open_port(struct daemon *daemon, struct vm *vm, char *why, size_t why_size)
{
	const char *connect = vm->settings.connect;
	char path[SOCK_PATH_SIZE];
	struct port_config config = {
		.event = daemon->event,
		.path = connect[0] != '\0' ? connect : path,
		.listen = connect[0] == '\0',
		.held = true,
		.name = vm->name,
		.vm = { .id = vm->id,
			.pool = vm->sched.pool,
			.priority = vm->sched.priority,
			.local = vm->settings.local != 0 },
		.handler = &broker_port_handler,
		.arg = &daemon->broker,
		.programs = &programs_port_handler,
		.programs_arg = daemon->programs,
		.handler_vm = vm,
	};
	int err;

	socket_path(daemon, vm->name, path);
	if (config.path[0] == '\0') {
		snprintf(why, why_size,
			 "its socket's path in %s/vm would have more than %d bytes; give it a "
			 "shorter name, or vgpud a shorter --runtime-dir",
			 daemon->conf->runtime_dir, SOCK_PATH_SIZE - 1);
		return -ENAMETOOLONG;
	}
	err = port_open(&vm->port, &config);
	if (err != 0)
		snprintf(why, why_size, "cannot open %s: %s", config.path, daemon_port_error(err));
	return err;
}

/* --- recorded changes --- */

static void on_changed(void *arg, struct vm *vm, const struct vm_settings *old)
{
	daemon_settings_apply(arg, vm, old);
}

static void on_added(void *arg, struct vm *vm)
{
	struct daemon *daemon = arg;

	TAILQ_INSERT_TAIL(&daemon->broker.vms, vm, link);
	daemon_settings_apply(daemon, vm, NULL);
	port_begin(vm->port);
}

static unsigned on_dropped(void *arg, struct vm *vm)
{
	struct daemon *daemon = arg;

	if (vm_find_id(&daemon->broker.vms, vm->id) == vm) {
		vm_past_add(&daemon->past, vm->name, vm->id);
		programs_vm_removed(daemon->programs, vm);
		return broker_remove_vm(&daemon->broker, vm);
	}
	port_close(vm->port); /* adding it has failed */
	vm_free(vm);
	return 0;
}

#define RETRY_USEC 1000000ull

static int on_retry(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	(void)usec;
	recording_retry(&daemon->recording);
	return 0;
}

static void retry_later(void *arg)
{
	struct daemon *daemon = arg;
	int on = SD_EVENT_OFF;

	sd_event_source_get_enabled(daemon->record_retry, &on);
	if (on != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(daemon->record_retry, RETRY_USEC);
	sd_event_source_set_enabled(daemon->record_retry, SD_EVENT_ONESHOT);
}

/* Off until it is needed, when there may be no memory to make it. */
static int add_retry(struct daemon *daemon)
{
	int err = sd_event_add_time(daemon->event, &daemon->record_retry, CLOCK_MONOTONIC, 0, 0,
				    on_retry, daemon);

	if (err >= 0)
		err = sd_event_source_set_enabled(daemon->record_retry, SD_EVENT_OFF);
	return err < 0 ? err : 0;
}

static const struct recording_handler recording_handler = {
	.changed = on_changed,
	.added = on_added,
	.dropped = on_dropped,
	.retry_later = retry_later,
};

/* --- the VMs at the start --- */

/*
 * Adds a VM at the start. A VM whose port cannot be opened is logged and left out, so that the
 * others work.
 */
static struct vm *add_vm(struct daemon *daemon, const char *name, uint32_t id,
			 const struct vm_settings *settings)
{
	struct vm *vm = vm_new(name, id, settings);
	char why[256];

	if (vm == NULL) {
		log_error("%s: out of memory", name);
		return NULL;
	}
	if (daemon_open_port(daemon, vm, why, sizeof(why)) != 0) {
		log_error("%s: %s", name, why);
		vm_free(vm);
		return NULL;
	}
	on_added(daemon, vm);
	return vm;
}

/* A VM from the database. */
static void add_stored_vm(void *arg, const struct ledger_vm *stored)
{
	struct daemon *daemon = arg;
	struct vm_settings settings = stored->settings;

	if (stored->removed) {
		vm_past_add(&daemon->past, stored->name, stored->id);
		return;
	}
	if (!vm_name_ok(stored->name)) {
		log_warning("the database has a VM %u with an invalid name; it is left out",
			    stored->id);
		return;
	}
	if (!daemon->conf->pool[settings.pool].exists) {
		log_warning(
			"%s: its pool %c is not in the configuration any more; it is in pool A now",
			stored->name, name_pool((unsigned)settings.pool));
		settings.pool = 0;
	}
	add_vm(daemon, stored->name, stored->id, &settings);
}

/* A command line may name more VMs than the ledger has room for at a time: then wait for it. */
static int keep_vm(struct daemon *daemon, const struct ledger_vm *stored)
{
	struct ledger *ledger = daemon->broker.ledger;
	int err = ledger_vm_put(ledger, stored, NULL, NULL, NULL);

	if (err == -ENOBUFS && ledger_wait(ledger, LEDGER_WAIT_MS) == 0)
		err = ledger_vm_put(ledger, stored, NULL, NULL, NULL);
	if (err != 0)
		log_error("%s: cannot be stored: %s", stored->name, strerror(-err));
	return err;
}

/* Adds a VM from the command line. If the database has it, the settings there count. */
static int add_option_vm(struct daemon *daemon, const struct conf_vm *conf)
{
	struct vm_list *vms = &daemon->broker.vms;
	struct vm *other = vm_find_id(vms, conf->id), *vm = vm_find(vms, conf->name);
	struct ledger_vm stored = { .id = conf->id, .name = conf->name };

	vm_settings_standard(&stored.settings);
	stored.settings.pool = conf->pool;
	stored.settings.priority = conf->priority;
	snprintf(stored.settings.connect, sizeof(stored.settings.connect), "%s",
		 conf->connect != NULL ? conf->connect : "");
	if (vm != NULL) {
		log_info("%s: known already, as pool %c, priority %s; --vm changes nothing",
			 vm->name, name_pool(vm->sched.pool), name_priority(vm->sched.priority));
		return 0;
	}
	if (other != NULL) {
		log_error("%s: its number %u is that of %s in the database; give another, as in "
			  "--vm %s:%c:%s:NUMBER",
			  conf->name, conf->id, other->name, conf->name, name_pool(conf->pool),
			  name_priority(conf->priority));
		return -EEXIST;
	}
	if (!vm_id_is_free(vms, &daemon->past, conf->name, conf->id)) {
		log_error(
			"%s: its number %u was that of a VM that was removed, and its records bear it; "
			"give another, as in --vm %s:%c:%s:NUMBER",
			conf->name, conf->id, conf->name, name_pool(conf->pool),
			name_priority(conf->priority));
		return -EEXIST;
	}
	if (add_vm(daemon, conf->name, conf->id, &stored.settings) == NULL)
		return -EIO;
	return keep_vm(daemon, &stored);
}

int daemon_add_vms(struct daemon *daemon)
{
	int err = add_retry(daemon);

	if (err != 0)
		return err;
	recording_init(&daemon->recording, daemon->broker.ledger, &daemon->broker.vms,
		       &recording_handler, daemon);
	ledger_vm_each(daemon->broker.ledger, add_stored_vm, daemon);
	for (unsigned i = 0; err == 0 && i < daemon->conf->vm_num; i++)
		err = add_option_vm(daemon, &daemon->conf->vm[i]);
	return err;
}
