/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.c - puts the rooms together and runs them */

#include "vgpud/daemon.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/broker.h"
#include "vgpud/dev_server.h"
#include "vgpud/store_sqlite.h"

extern char **environ;

struct daemon {
	struct broker broker; /* first: broker_settled() gets back from it */
	const struct conf *conf;
	sd_event *event;
	bool ready;
};

/* --- start
 * ----------------------------------------------------------------------------------------- */

/* Return: 0, or -errno after having said what is wrong. */
static int make_dir(const char *path, mode_t mode, const char *option)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	log_error("cannot make the directory %s: %s; start as root, or name another with %s", path,
		  errno == EEXIST ? "something else is there" : strerror(errno), option);
	return -EACCES;
}

static int make_dirs(const struct conf *conf)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int len = snprintf(path, sizeof(path), "%s/vm", conf->runtime_dir);

	if (len < 0 || (size_t)len >= sizeof(path) - VM_NAME_SIZE) {
		log_error(
			"%s is too long a path: a socket's is at most %zu bytes; name another with "
			"--runtime-dir",
			conf->runtime_dir, sizeof(path) - 1);
		return -ENAMETOOLONG;
	}
	if (make_dir(conf->runtime_dir, 0755, "--runtime-dir") != 0 ||
	    make_dir(path, 0755, "--runtime-dir") != 0)
		return -EACCES;
	return conf->ledger ? make_dir(conf->state_dir, 0750, "--state-dir") : 0;
}

static int open_ledger(const struct conf *conf, struct store **store)
{
	struct store_sqlite_config config = { .version = VGPU_VERSION };
	char db[PATH_MAX], ring[PATH_MAX], why[512];

	if (!conf->ledger) {
		*store = store_null_open();
		log_warning("no ledger is kept (--no-ledger): requests leave no record");
		return *store != NULL ? 0 : -ENOMEM;
	}
	snprintf(db, sizeof(db), "%s/vgpud.db", conf->state_dir);
	snprintf(ring, sizeof(ring), "%s/vgpud.ring", conf->state_dir);
	config.db_path = db;
	config.ring_path = ring;
	if (store_sqlite_open(store, &config, why, sizeof(why)) == 0)
		return 0;
	log_error("cannot open the ledger: %s", why);
	return -EIO;
}

static const char *port_error(int err)
{
	if (err == -EADDRINUSE)
		return "another vgpud listens there; stop it, or name another --runtime-dir";
	if (err == -EEXIST)
		return "a file that is no socket is there; remove it";
	return strerror(-err);
}

static int open_vm(struct daemon *daemon, const struct conf_vm *conf)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct vm *vm = vm_new(&daemon->broker.vms, conf->name, conf->id, conf->pool,
			       conf->priority, false);
	int err;

	if (vm == NULL) {
		log_error("out of memory");
		return -ENOMEM;
	}
	snprintf(path, sizeof(path), "%s/vm/%s.sock", daemon->conf->runtime_dir, conf->name);
	err = dev_port_open(vm, daemon->event, conf->connect ? conf->connect : path,
			    conf->connect == NULL, &broker_dev_handler, &daemon->broker);
	if (err != 0) {
		log_error("%s: cannot open %s: %s", conf->name,
			  conf->connect ? conf->connect : path, port_error(err));
		return err;
	}
	broker_vm_changed(&daemon->broker, vm);
	return 0;
}

/* --- captive mode
 * ---------------------------------------------------------------------------------- */

static int on_command_exit(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	sd_event_exit(daemon->event,
		      si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status);
	return 0;
}

static void run_command(struct daemon *daemon)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)daemon->conf->run, NULL };
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int err;

	setenv("VGPUD_RUNTIME_DIR", daemon->conf->runtime_dir, 1);
	setenv("VGPUD_STATE_DIR", daemon->conf->state_dir, 1);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn(&pid, "/bin/sh", NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	if (err == 0)
		err = -sd_event_add_child(daemon->event, NULL, pid, WEXITED, on_command_exit,
					  daemon);
	if (err > 0) {
		log_error("cannot run %s: %s", daemon->conf->run, strerror(err));
		sd_event_exit(daemon->event, 1);
	}
}

/* --- run
 * ------------------------------------------------------------------------------------------- */

/* Ready is when guests can connect and it is known what will run their requests. */
static void broker_settled(struct broker *broker)
{
	struct daemon *daemon = (struct daemon *)broker;

	if (daemon->ready || !executors_settled(broker->executors))
		return;
	daemon->ready = true;
	log_info("ready: %u VMs, sockets in %s/vm", daemon->conf->vm_num,
		 daemon->conf->runtime_dir);
	sd_notify(0, "READY=1");
	if (daemon->conf->run != NULL)
		run_command(daemon);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	log_info("stopping on %s", si->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
	sd_notify(0, "STOPPING=1");
	sd_event_exit(daemon->event, 0);
	return 0;
}

/* All threads inherit the mask, so it is set before there is a second one. */
static int watch_signals(struct daemon *daemon)
{
	sigset_t mask;
	int err;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	err = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_stop, daemon);
	if (err >= 0)
		err = sd_event_add_signal(daemon->event, NULL, SIGINT, on_stop, daemon);
	return err < 0 ? err : 0;
}

static int start(struct daemon *daemon)
{
	struct store *store;
	int err = sd_event_new(&daemon->event);

	if (err >= 0)
		err = watch_signals(daemon);
	if (err < 0) {
		log_error("cannot start the event loop: %s", strerror(-err));
		return err;
	}
	if (make_dirs(daemon->conf) != 0 || open_ledger(daemon->conf, &store) != 0)
		return -EIO;
	err = broker_init(&daemon->broker, daemon->conf, daemon->event, store, broker_settled);
	if (err != 0)
		log_error("cannot start: %s", strerror(-err));
	for (unsigned i = 0; err == 0 && i < daemon->conf->vm_num; i++)
		err = open_vm(daemon, &daemon->conf->vm[i]);
	if (err != 0)
		broker_close(&daemon->broker);
	return err;
}

int daemon_run(const struct conf *conf)
{
	struct daemon daemon = { .conf = conf };
	int status = 1;

	log_info("version " VGPU_VERSION " starting");
	if (start(&daemon) == 0) {
		status = sd_event_loop(daemon.event);
		if (status < 0) {
			log_error("the event loop failed: %s", strerror(-status));
			status = 1;
		}
		broker_close(&daemon.broker);
	}
	sd_event_unref(daemon.event);
	return status;
}
