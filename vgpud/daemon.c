/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.c - puts the rooms together and runs them */

#include "vgpud/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/identity.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "vgpud/admin/server.h"
#include "vgpud/conf/reload.h"
#include "vgpud/daemon_private.h"
#include "vgpud/files/server.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/link/port.h"
#include "vgpud/request/broker.h"

#define LOG_END_MS 1000 /* for the last messages to leave */

/* --- start --- */

/* A directory that is new gets its mode whatever our caller's umask, and its owner. */
static int give_dir(const char *path, mode_t mode, const struct identity *owner)
{
	int err;

	if (chmod(path, mode) == 0 && (!owner->change || lchown(path, owner->uid, owner->gid) == 0))
		return 0;
	err = errno;
	log_error("cannot give the directory %s its mode and owner%s%s: %s", path,
		  owner->change ? ", the user " : "", owner->change ? owner->name : "",
		  strerror(err));
	return -EACCES;
}

/* owner: of what is made. Return: 0, or -errno after having said what is wrong. */
static int make_dir(const char *path, mode_t mode, const char *option, const struct identity *owner)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return give_dir(path, mode, owner);
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	log_error("cannot make the directory %s: %s; start as root, or name another with %s", path,
		  errno == EEXIST ? "something else is there" : strerror(errno), option);
	return -EACCES;
}

static int make_dirs(const struct conf *conf, const struct identity *owner)
{
	char path[SOCK_PATH_SIZE];
	int len = snprintf(path, sizeof(path), "%s/vm", conf->runtime_dir);

	if (len < 0 || (size_t)len > sizeof(path) - sizeof("/.sock") - CONF_NAME_ROOM) {
		log_error(
			"%s is too long a path: a socket's is at most %zu bytes; name another with "
			"--runtime-dir",
			conf->runtime_dir, sizeof(path) - 1);
		return -ENAMETOOLONG;
	}
	if (make_dir(conf->runtime_dir, 0755, "--runtime-dir", owner) != 0 ||
	    make_dir(path, 0755, "--runtime-dir", owner) != 0)
		return -EACCES;
	return conf->ledger ? make_dir(conf->state_dir, 0700, "--state-dir", owner) : 0;
}

/* One that was there already may belong to somebody else; that is not for root to change. */
static int check_dir(const char *path, const struct identity *who)
{
	if (!who->change || access(path, R_OK | W_OK | X_OK) == 0)
		return 0;
	log_error("the user %s cannot use the directory %s: %s; chown -R %s: %s, or say user = "
		  "root",
		  who->name, path, strerror(errno), who->name, path);
	return -EACCES;
}

/*
 * The group that lets QEMUs connect must not come to the ledger. A directory that an older vgpud
 * made let it in; one in which no ledger is yet may have another purpose too, and is left alone.
 */
static void tighten_state_dir(const struct conf *conf)
{
	char database[PATH_MAX];
	struct stat st;

	if (stat(conf->state_dir, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) == 0)
		return;
	snprintf(database, sizeof(database), "%s/vgpud.db", conf->state_dir);
	if (access(database, F_OK) != 0)
		return;
	if (chmod(conf->state_dir, 0700) != 0)
		log_warning("%s: others than vgpud's user can look into it, and it cannot be "
			    "closed to them: %s; chmod 0700 it",
			    conf->state_dir, strerror(errno));
	else
		log_info("%s: was open to others, its mode is 0700 now", conf->state_dir);
}

/* Whom to become, and directories that are its own. */
static int prepare_user(const struct conf *conf, struct identity *who)
{
	int err = 0;

	/* The captive command is its caller's, who remains who he is. */
	*who = (struct identity){ .change = false };
	if (conf->run == NULL)
		err = identity_find(who, conf->user);
	return err == 0 ? make_dirs(conf, who) : err;
}

/* Before there is a thread or a socket; the starter has its rights by then, and keeps them. */
static int become_user(const struct conf *conf, const struct identity *who)
{
	int err = identity_take(who);

	if (err == 0)
		err = check_dir(conf->runtime_dir, who);
	if (err == 0 && conf->ledger)
		err = check_dir(conf->state_dir, who);
	if (err == 0 && conf->ledger)
		tighten_state_dir(conf);
	/* Root without a user to become was told to be root; any other is given rights to pass on. */
	if (err == 0 && geteuid() != 0 && sandbox_drop_capabilities() != 0)
		err = -errno;
	return err;
}

static void say_of_ledger(const char *sentence)
{
	log_warning("ledger: %s", sentence);
}

static int open_ledger(const struct conf *conf, struct ledger **ledger)
{
	struct ledger_config config = {
		.ring_records = conf->ring_records,
		.batch_ms = conf->batch_ms,
		.retention_days = conf->retention_days,
		.minute_days = conf->minute_days,
		.max_bytes = conf->ledger_max_bytes,
		.lossy = conf->ledger_lossy,
		.version = VGPU_VERSION,
		.say = say_of_ledger,
	};
	char db[PATH_MAX], ring[PATH_MAX], why[512];

	if (!conf->ledger) {
		*ledger = ledger_null_open();
		log_warning("no ledger is kept (--no-ledger): requests leave no record");
		return *ledger != NULL ? 0 : -ENOMEM;
	}
	snprintf(db, sizeof(db), "%s/vgpud.db", conf->state_dir);
	snprintf(ring, sizeof(ring), "%s/vgpud.ring", conf->state_dir);
	config.db_path = db;
	config.ring_path = ring;
	if (ledger_sqlite_open(ledger, &config, why, sizeof(why)) == 0)
		return 0;
	log_error("%s", why);
	return -EIO;
}

/* --- captive mode --- */

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
	pid_t pid;
	int err;

	err = -spawn_start(&pid, SPAWN_COMMAND, NULL, NULL, 0);
	if (err == 0)
		err = -sd_event_add_child(daemon->event, NULL, pid, WEXITED, on_command_exit,
					  daemon);
	if (err > 0) {
		log_error("cannot run %s: %s", daemon->conf->run, strerror(err));
		sd_event_exit(daemon->event, 1);
	}
}

/* --- what happens meanwhile --- */

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

/* Ready is when guests can connect and it is known what will run their requests. */
static void on_settled(void *arg)
{
	struct daemon *daemon = arg;
	unsigned vms = 0;
	const struct vm *vm;

	if (daemon->ready || !executors_settled(daemon->broker.executors))
		return;
	daemon->ready = true;
	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		vms++;
	log_info("ready: %u VMs, sockets in %s/vm", vms, daemon->conf->runtime_dir);
	daemon_tell(daemon, "start", NULL, "version " VGPU_VERSION " is ready");
	sd_notify(0, "READY=1");
	if (daemon->conf->run != NULL)
		run_command(daemon);
}

static void on_drained(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->drained == NULL)
		return;
	log_info("drained: no request is here any more");
	daemon->drained(daemon);
}

/* The broker paused a VM; that must outlive a restart, as an administrator's pause does. */
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

/* The event is written once the ledger can be. */
static void tell_ledger_state(struct daemon *daemon, const struct ledger_stats *stats)
{
	const struct ledger_event event = {
		.kind = "ledger-state",
		.old_value = ledger_state_name((enum ledger_state)daemon->ledger_state),
		.new_value = ledger_state_name(stats->state),
		.text = stats->state == LEDGER_OK ? "it takes records again" : stats->error,
		.uid = -1,
		.pid = -1,
	};

	ledger_event(daemon->broker.ledger, &event);
}

static int on_ledger(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct daemon *daemon = arg;
	struct ledger_stats stats;

	(void)source;
	(void)fd;
	(void)revents;
	if (!ledger_dispatch(daemon->broker.ledger))
		return 0;
	ledger_stats(daemon->broker.ledger, &stats);
	if (stats.state == daemon->ledger_state)
		return 0;
	tell_ledger_state(daemon, &stats);
	daemon->ledger_state = stats.state;
	if (stats.state == LEDGER_OK)
		log_info("the ledger takes records again");
	else
		log_error("the ledger does not take records: %s; vgpuadm doctor says what helps",
			  stats.error);
	return 0;
}

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

static void say_change(void *arg, const struct conf_change *change)
{
	(void)arg;
	log_info("reload: [%s] %s: %s, was %s%s", change->section, change->key, change->to,
		 change->from, change->live ? "" : "; this needs a restart, and waits for it");
}

/* Who forgot to switch it off shall find it in the log. */
static void say_test_opcodes(const struct conf *conf)
{
	if (conf->test_opcodes)
		log_warning(
			"test_opcodes = yes: any guest may make the GPU fault or hang; switch it off "
			"when you have seen what happens");
}

static void end_reload(struct daemon *daemon)
{
	if (daemon->ready)
		sd_notify(0, "READY=1");
}

/* The last that a reload waits for: its groups are known. */
static void on_groups_found(void *arg)
{
	struct daemon *daemon = arg;

	log_info("reload: done, %u settings differ", daemon->reload_changes);
	daemon_tell(daemon, "reload", NULL, "the configuration was read again");
	end_reload(daemon);
}

/* All or nothing: a configuration with a mistake in it changes nothing. */
static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *daemon = arg;
	struct conf *wanted = calloc(1, sizeof(*wanted));

	(void)source;
	(void)si;
	if (daemon->ready) /* else READY=1 below would say what is not so yet */
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			   (unsigned long long)(util_now_ns() / UTIL_NS_PER_US));
	if (wanted == NULL || daemon->read_again(daemon->read_again_arg, wanted) != 0) {
		log_error("reload: the configuration was not taken; all stays as it was");
		daemon_tell(
			daemon, "reload-refused", NULL,
			"the configuration has a mistake, which the log names; all stays as it was");
		end_reload(daemon);
	} else {
		daemon->reload_changes = conf_reload_diff(daemon->conf, wanted, say_change, NULL);
		conf_reload_apply(daemon->conf, wanted);
		broker_conf_changed(&daemon->broker);
		say_test_opcodes(daemon->conf);
		admin_server_find_groups(daemon->admin, on_groups_found, daemon);
	}
	free(wanted);
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
		err = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_reload, daemon);
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

/* Without it no worker can be replaced: rather a new vgpud, which systemd starts. */
static int on_starter_exit(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	log_error("the process that starts all others (%d) has ended (%s %d): ending too, to be "
		  "started again",
		  (int)si->si_pid, si->si_code == CLD_EXITED ? "status" : "signal", si->si_status);
	sd_event_exit(daemon->event, 1);
	return 0;
}

/* What of a sandbox workers have is said aloud once. */
static void say_sandbox(const struct conf *conf)
{
	const char *why;
	unsigned parts = spawn_sandbox(&why);

	if (parts == SANDBOX_ALL)
		log_info("workers have namespaces, a cgroup and a user of their own");
	else if (conf->confine != CONFINE_NO && why[0] != '\0')
		log_warning("workers are shut in less than they could be: %s; vgpud(8) says what a "
			    "start needs",
			    why);
}

/* Before there are threads, sockets, and what is refused from then on. */
static int open_starter(struct daemon *daemon, const struct identity *who)
{
	const struct conf *conf = daemon->conf;
	char files[FILE_SERVER_TASK_SIZE];
	char user[128] = "", hide[2 * PATH_MAX] = "";
	const struct spawn_fixed fixed = {
		.user = user,
		.hide = hide,
		.confine = confine_name((enum confine_mode)conf->confine),
		.files = files,
		.command = conf->run != NULL ? conf->run : "",
	};
	int err;

	file_server_task(files, conf);
	if (who->change)
		snprintf(user, sizeof(user), "%u:%u:%s", who->uid, who->gid, who->name);
	if (conf->confine != CONFINE_NO && sandbox_is_built())
		snprintf(hide, sizeof(hide), "%s\n%s", conf->runtime_dir,
			 conf->ledger ? conf->state_dir : "");
	if (conf->run != NULL) {
		setenv("VGPUD_RUNTIME_DIR", conf->runtime_dir, 1);
		setenv("VGPUD_STATE_DIR", conf->state_dir, 1);
	}
	err = spawn_open(&daemon->starter, &fixed);
	if (err != 0)
		log_error("cannot start the process that starts all others: %s", strerror(-err));
	else
		say_sandbox(conf);
	return err;
}

/*
 * A mode or an owner is outside of Landlock. Where vgpud has no right to mount, it has none to change
 * another user's file either, and the unit's ProtectSystem= does the same.
 */
static void close_mounts(const struct conf *conf)
{
	const char *const dirs[] = { conf->runtime_dir, conf->ledger ? conf->state_dir : NULL,
				     NULL };
	int err;

	if (conf->confine != CONFINE_YES || !sandbox_is_built())
		return;
	err = confine_mounts(dirs);
	if (err != 0 && geteuid() == 0)
		log_warning("vgpud runs as root and can change modes and owners of any file (%s)",
			    strerror(-err));
}

/* Guests, devices and administrators are heard only afterwards. */
static void confine_broker(const struct conf *conf)
{
	const char *const dirs[] = { conf->runtime_dir, conf->ledger ? conf->state_dir : NULL,
				     NULL };
	int err;

	confine_set_mode((enum confine_mode)conf->confine);
	if (conf->confine == CONFINE_YES) {
		err = confine_changes(dirs);
		if (err != 0)
			log_info("vgpud can write wherever its user can: no Landlock (%s)",
				 strerror(-err));
	}
	err = confine(CONFINE_BROKER);
	if (err != 0)
		log_warning("cannot confine itself (%s), and goes on without: this kernel has no "
			    "filter for system calls, or the unit's SystemCallFilter= lacks "
			    "seccomp; confine = no says that it is meant",
			    strerror(-err));
	else if (strcmp(confine_state(), "log") == 0)
		log_warning("confine = log: system calls are not refused, the kernel's log tells "
			    "which would be");
	else if (strcmp(confine_state(), "no") == 0)
		log_warning("confine = no: vgpud and its processes may use every system call");
}

/* What needs the loop but not the ledger. */
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
		err = sd_event_add_child(daemon->event, NULL, daemon->starter, WEXITED,
					 on_starter_exit, daemon);
	if (err < 0)
		log_error("cannot start the event loop: %s", strerror(-err));
	return err < 0 ? err : 0;
}

static int start(struct daemon *daemon, const struct admin_server_config *admin)
{
	struct identity who;
	struct ledger *ledger;
	int err;

	if (prepare_user(daemon->conf, &who) != 0 || open_starter(daemon, &who) != 0)
		return -EIO;
	close_mounts(daemon->conf);
	if (become_user(daemon->conf, &who) != 0 || start_loop(daemon) != 0)
		return -EIO;
	umask(0027); /* sockets and the ledger set their own modes */
	confine_broker(daemon->conf);
	if (open_ledger(daemon->conf, &ledger) != 0)
		return -EIO;
	err = broker_init(&daemon->broker, daemon->conf, daemon->event, ledger, &broker_callbacks,
			  daemon);
	if (err == 0)
		err = sd_event_add_io(daemon->event, NULL, ledger_fd(ledger), EPOLLIN, on_ledger,
				      daemon);
	if (err < 0)
		log_error("cannot start: %s", strerror(-err));
	if (err >= 0)
		err = open_admin(daemon, *admin);
	if (err >= 0)
		err = daemon_add_vms(daemon);
	if (err >= 0)
		daemon_drain_load(daemon);
	if (err >= 0)
		err = file_server_open(&daemon->files, daemon->event, &daemon->broker);
	return err < 0 ? err : 0;
}

/* Return: the status that somebody ended the loop with, or -errno. */
static int run(struct daemon *daemon)
{
	int err = 0, status = 0;

	while (err >= 0 && sd_event_get_state(daemon->event) != SD_EVENT_FINISHED) {
		bool look = broker_look(&daemon->broker);

		err = sd_event_run(daemon->event, look ? 0 : UINT64_MAX);
	}
	if (err >= 0)
		err = sd_event_get_exit_code(daemon->event, &status);
	return err < 0 ? err : status;
}

/* Ends whatever start() began. */
static void end(struct daemon *daemon)
{
	if (daemon->admin != NULL)
		admin_server_close(daemon->admin);
	if (daemon->broker.ledger != NULL) {
		daemon->record_retry = sd_event_source_disable_unref(daemon->record_retry);
		if (daemon->recording.handler != NULL)
			recording_close(&daemon->recording);
		broker_close(&daemon->broker);
	}
	file_server_close(daemon->files); /* through which some of that is answered */
	spawn_close();
	vm_past_free(&daemon->past);
	if (daemon->clock_fd >= 0)
		close(daemon->clock_fd);
	sd_event_unref(daemon->event);
}

int daemon_run(struct conf *conf, int (*read_again)(void *arg, struct conf *wanted), void *arg,
	       const struct admin_server_config *admin)
{
	struct daemon daemon = {
		.conf = conf,
		.read_again = read_again,
		.read_again_arg = arg,
		.started_ns = util_now_ns(),
		.wall_offset_ns = daemon_wall_offset_ns(),
		.clock_fd = -1,
	};
	int status = 1;

	daemon.clock_offset_ns = daemon.wall_offset_ns;
	TAILQ_INIT(&daemon.drains);
	log_info("version " VGPU_VERSION " starting");
	say_test_opcodes(conf);
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
