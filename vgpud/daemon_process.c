/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_process.c - the user and directories of vgpud, and the rights that it gives up */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "proc/confine.h"
#include "proc/identity.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "vgpud/daemon_private.h"
#include "vgpud/files/server.h"

/* --- user and directories --- */

/* Gives a new directory its owner and its mode, which the caller's umask may have cut. */
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

/* owner: of a new directory. Return: 0, or -errno after having said what is wrong. */
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
	if (conf_state_dir(conf) == NULL)
		return 0;
	return make_dir(conf->state_dir, 0700, "--state-dir", owner);
}

/* An existing directory may belong to another user. Then the administrator decides: root must not
 * change it here. */
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
 * The group whose QEMUs may connect must not read the ledger. A directory that an older vgpud made
 * lets it in. A directory without a ledger may serve another purpose too, and is left alone.
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

/* Finds the user to become, and makes its directories. */
static int prepare_user(const struct conf *conf, struct identity *who)
{
	int err = 0;

	/* In captive mode the daemon keeps its caller's user. */
	*who = (struct identity){ .change = false };
	if (conf->run == NULL)
		err = identity_find(who, conf->user);
	return err == 0 ? make_dirs(conf, who) : err;
}

/* Call it before there is a thread or a socket, and after the starter, which keeps its rights. */
static int become_user(const struct conf *conf, const struct identity *who)
{
	int err = identity_take(who);

	if (err == 0)
		err = check_dir(conf->runtime_dir, who);
	if (err == 0 && conf_state_dir(conf) != NULL) {
		err = check_dir(conf->state_dir, who);
		if (err == 0)
			tighten_state_dir(conf);
	}
	/* A daemon that stays root keeps its capabilities; another had them only for the starter.
	 */
	if (err == 0 && geteuid() != 0 && sandbox_drop_capabilities() != 0)
		err = -errno;
	return err;
}

/* --- the starter, and what is given up --- */

/* Logs once which parts of the sandbox workers have. */
static void say_sandbox(const struct conf *conf)
{
	const char *why;
	unsigned parts = spawn_sandbox(&why);

	if (parts == SANDBOX_ALL)
		log_info("workers have namespaces, a cgroup and a user of their own");
	else if (conf->confine != CONFINE_NO && why[0] != '\0')
		log_warning("the sandbox of workers lacks parts: %s; vgpud(8) says what a "
			    "start needs",
			    why);
}

static_assert(CONF_WORKER_UIDS == SANDBOX_WORKERS_MAX, "a worker has a user of its own");

/* Call it before there are threads, sockets and filters, which the starter must not inherit. */
static int open_starter(struct daemon *daemon, const struct identity *who)
{
	const struct conf *conf = daemon->conf;
	char files[FILE_SERVER_TASK_SIZE];
	char user[IDENTITY_TEXT_SIZE], hide[2 * PATH_MAX] = "", memory[48], uids[16];
	const struct spawn_fixed fixed = {
		.user = user,
		.hide = hide,
		.memory = memory,
		.uids = uids,
		.confine = confine_name((enum confine_mode)conf->confine),
		.files = files,
		.command = conf->run != NULL ? conf->run : "",
	};
	int err;

	file_server_task(files, conf);
	identity_to_text(who, user);
	snprintf(memory, sizeof(memory), "%" PRIu64 " %" PRIu64, conf->worker_memory,
		 conf_softgpu_memory(conf));
	snprintf(uids, sizeof(uids), "%u", conf->worker_uids);
	if (conf->confine != CONFINE_NO && sandbox_is_built())
		snprintf(hide, sizeof(hide), "%s\n%s", conf->runtime_dir,
			 conf_state_dir(conf) != NULL ? conf->state_dir : "");
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
 * Landlock does not cover changes of mode and owner; read-only mounts do. Without the right to
 * mount, vgpud has none to change another user's file either, and the unit's ProtectSystem= does
 * the same.
 */
static void close_mounts(const struct conf *conf)
{
	const char *const dirs[] = { conf->runtime_dir, conf_state_dir(conf), NULL };
	int err;

	if (conf->confine != CONFINE_YES || !sandbox_is_built())
		return;
	err = confine_mounts(dirs);
	if (err != 0 && geteuid() == 0)
		log_warning("vgpud runs as root and can change modes and owners of any file (%s)",
			    strerror(-err));
}

void daemon_confine(const struct conf *conf)
{
	const char *const dirs[] = { conf->runtime_dir, conf_state_dir(conf), NULL };
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

int daemon_become(struct daemon *daemon)
{
	struct identity who;

	if (prepare_user(daemon->conf, &who) != 0 || open_starter(daemon, &who) != 0)
		return -EIO;
	close_mounts(daemon->conf);
	return become_user(daemon->conf, &who) == 0 ? 0 : -EIO;
}
