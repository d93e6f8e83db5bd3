/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.c - sets the daemon up from its parts and runs it */

#include "vgpud/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/child.h"
#include "proc/spawn.h"
#include "vgpud/admin/server.h"
#include "vgpud/aside.h"
#include "vgpud/daemon_private.h"
#include "vgpud/files/server.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/link/refuse.h"
#include "vgpud/request/broker.h"

#define LOG_END_MS 1000 /* for writing the last messages */
#define LOOKUP_PATIENCE_USEC 5000000ull

/* --- captive mode --- */

static int on_command_exit(sd_event_source *source, int pidfd, uint32_t revents, void *arg)
{
	struct daemon *daemon = arg;
	siginfo_t si;

	(void)source;
	(void)pidfd;
	(void)revents;
	if (!child_has_ended(daemon->command, &si))
		return 0;
	child_reap(daemon->command);
	sd_event_exit(daemon->event, si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status);
	return 0;
}

static void run_command(struct daemon *daemon)
{
	int err = -spawn_start(&daemon->command, SPAWN_COMMAND, NULL, NULL, 0);

	if (err == 0)
		err = -child_watch(daemon->event, NULL, daemon->command, on_command_exit, daemon);
	if (err > 0) {
		log_error("cannot run %s: %s", daemon->conf->run, strerror(err));
		sd_event_exit(daemon->event, 1);
	}
}

/* --- events of the broker and the ledger --- */

void daemon_tell(struct daemon *daemon, const char *kind, const char *subject, const char *text)
{
	struct ledger *ledger = daemon->broker.ledger;
	struct ledger_event event = {
		.kind = kind,
		.subject = subject,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	ledger_event(ledger, &event);
}

/*
 * The daemon is ready when guests can connect, each executor has started or failed, and it is known
 * who may connect, unless that takes too long.
 */
static void settle(struct daemon *daemon)
{
	unsigned vms = 0;
	const struct vm *vm;

	if (daemon->ready || !executors_settled(daemon->broker.executors) ||
	    (daemon->lookups > 0 && !daemon->impatient))
		return;
	daemon->ready = true;
	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		vms++;
	log_info("ready: %u VM%s, sockets in %s/vm", vms, vms == 1 ? "" : "s",
		 daemon->conf->runtime_dir);
	daemon_tell(daemon, "start", NULL, "version " VGPU_VERSION " is ready");
	sd_notify(0, "READY=1");
	if (daemon->conf->run != NULL)
		run_command(daemon);
}

static void on_settled(void *arg)
{
	struct daemon *daemon = arg;

	programs_executors_changed(daemon->programs);
	settle(daemon);
}

void daemon_looked_up(struct daemon *daemon)
{
	daemon->lookups--;
	settle(daemon);
}

static int on_impatient(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	(void)usec;
	if (daemon->lookups > 0)
		log_warning("the host's users and groups do not answer (%u questions): users and "
			    "groups that are looked up may connect once they are known",
			    daemon->lookups);
	daemon->impatient = true;
	settle(daemon);
	return 0;
}

static void on_drained(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->drained == NULL || daemon_live(daemon) > 0)
		return;
	log_info("drained: no request and no program is here any more");
	daemon->drained(daemon);
}

/* The last program has ended. */
static void on_emptied(void *arg)
{
	const struct daemon *daemon = arg;

	if (daemon->broker.draining)
		on_drained(arg);
}

static const struct programs_handler programs_callbacks = { .emptied = on_emptied };

unsigned daemon_live(const struct daemon *daemon)
{
	return daemon->broker.live + programs_num(daemon->programs);
}

/* The broker paused a VM. The pause must outlive a restart, as an administrator's pause does. */
static void on_paused(void *arg, struct vm *vm)
{
	struct daemon *daemon = arg;

	recording_pause(&daemon->recording, vm);
}

static const struct broker_handler broker_callbacks = {
	.settled = on_settled,
	.drained = on_drained,
	.paused = on_paused,
};

/* --- run --- */

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	log_info("stopping on %s", si->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
	sd_notify(0, "STOPPING=1");
	sd_event_exit(daemon->event, 0);
	return 0;
}

/* Threads inherit the mask, so it is set before there is a second one. */
static int watch_signals(struct daemon *daemon)
{
	sigset_t mask;
	int err;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error like a full disk */
	err = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_stop, daemon);
	if (err >= 0)
		err = sd_event_add_signal(daemon->event, NULL, SIGINT, on_stop, daemon);
	if (err >= 0)
		err = sd_event_add_signal(daemon->event, NULL, SIGHUP, daemon_on_reload, daemon);
	return err < 0 ? err : 0;
}

static int open_admin(struct daemon *daemon, struct admin_server_config config)
{
	char path[SOCK_PATH_SIZE];
	int err;

	daemon_path(daemon, "admin.sock", path);
	config.event = daemon->event;
	config.path = path;
	config.conf = daemon->conf;
	config.daemon = daemon;
	err = admin_server_open(&daemon->admin, &config);
	if (err != 0)
		log_error("cannot open %s: %s", path, daemon_port_error(err));
	return err;
}

/* Without the starter no worker can be replaced: vgpud ends, and systemd starts it again. */
static int on_starter_exit(sd_event_source *source, int pidfd, uint32_t revents, void *arg)
{
	struct daemon *daemon = arg;
	siginfo_t si;

	(void)source;
	(void)pidfd;
	(void)revents;
	if (!child_has_ended(daemon->starter, &si))
		return 0;
	log_error("the process that starts all others (%d) has ended (%s %d): ending too, to be "
		  "started again",
		  (int)si.si_pid, si.si_code == CLD_EXITED ? "status" : "signal", si.si_status);
	child_reap(daemon->starter);
	sd_event_exit(daemon->event, 1);
	return 0;
}

/* Starts the parts that need the loop but not the ledger. */
static int start_loop(struct daemon *daemon)
{
	int err = sd_event_new(&daemon->event);

	if (err >= 0)
		err = watch_signals(daemon);
	if (err >= 0)
		err = sd_event_set_watchdog(daemon->event, true); /* WatchdogSec= of the unit */
	if (err >= 0)
		err = daemon_watch_log(daemon);
	if (err >= 0)
		err = daemon_watch_clock(daemon);
	if (err >= 0)
		err = child_watch(daemon->event, NULL, daemon->starter, on_starter_exit, daemon);
	if (err < 0)
		log_error("cannot start the event loop: %s", strerror(-err));
	return err < 0 ? err : 0;
}

/* The look-ups of the VMs' owners have begun by now. Return: 0 or -errno. */
static int begin_lookups(struct daemon *daemon)
{
	daemon_find_groups(daemon);
	return sd_event_add_time_relative(daemon->event, NULL, CLOCK_MONOTONIC,
					  LOOKUP_PATIENCE_USEC, 0, on_impatient, daemon);
}

static int start(struct daemon *daemon, const struct admin_server_config *admin)
{
	struct ledger *ledger;
	int err;

	if (daemon_become(daemon) != 0 || start_loop(daemon) != 0)
		return -EIO;
	umask(0027); /* sockets and the ledger set their own modes */
	daemon_confine(daemon->conf);
	if (daemon_open_ledger(daemon->conf, &ledger) != 0)
		return -EIO;
	err = broker_init(&daemon->broker, daemon->conf, daemon->event, ledger, &broker_callbacks,
			  daemon);
	if (err == 0)
		err = programs_new(&daemon->programs, &daemon->broker, &programs_callbacks, daemon);
	if (err == 0)
		err = daemon_watch_ledger(daemon);
	if (err < 0)
		log_error("cannot start: %s", strerror(-err));
	if (err >= 0)
		err = open_admin(daemon, *admin);
	if (err >= 0)
		err = daemon_add_vms(daemon);
	if (err >= 0)
		err = begin_lookups(daemon);
	if (err >= 0)
		daemon_drain_load(daemon);
	if (err >= 0)
		err = file_server_open(&daemon->files, daemon->event, &daemon->broker);
	return err < 0 ? err : 0;
}

/* Return: the status with which the loop was ended, or -errno. */
static int run(struct daemon *daemon)
{
	int err = 0, status = 0;

	while (err >= 0 && sd_event_get_state(daemon->event) != SD_EVENT_FINISHED) {
		bool look = broker_look(&daemon->broker);

		err = sd_event_run(daemon->event, look ? 0 : UINT64_MAX);
		admin_server_age(daemon->admin, util_now_ns());
	}
	if (err >= 0)
		err = sd_event_get_exit_code(daemon->event, &status);
	return err < 0 ? err : status;
}

/* Ends the parts that start() began. */
static void end(struct daemon *daemon)
{
	if (daemon->admin != NULL)
		admin_server_close(daemon->admin);
	if (daemon->broker.ledger != NULL) {
		daemon->record_retry = sd_event_source_disable_unref(daemon->record_retry);
		if (daemon->recording.handler != NULL)
			recording_close(&daemon->recording);
		programs_close(daemon->programs);
		broker_close(&daemon->broker);
	}
	file_server_close(daemon->files); /* after broker_close(), whose answers it still writes */
	spawn_close();
	refuse_end_all();
	aside_end_all();
	vm_past_free(&daemon->past);
	if (daemon->clock_fd >= 0)
		close(daemon->clock_fd);
	sd_event_unref(daemon->event);
}

int daemon_run(struct conf *conf, daemon_read_again_fn *read_again, void *arg,
	       const struct admin_server_config *admin)
{
	struct daemon daemon = {
		.conf = conf,
		.read_again = read_again,
		.read_again_arg = arg,
		.started_ns = util_now_ns(),
		.clock_offset_ns = daemon_wall_offset_ns(),
		.clock_fd = -1,
	};
	int status = 1;

	TAILQ_INIT(&daemon.drains);
	log_info("version " VGPU_VERSION " starting");
	daemon_say_test_opcodes(conf);
	if (start(&daemon, admin) == 0) {
		status = run(&daemon);
		if (status < 0) {
			log_error("the event loop failed: %s", strerror(-status));
			status = 1;
		}
	}
	end(&daemon);
	log_end(LOG_END_MS);
	return status;
}
