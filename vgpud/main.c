/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpud, and the roles that its file can be started as */

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/log.h"
#include "proc/confine.h"
#include "proc/inherit.h"
#include "proc/memory.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"
#include "proc/starter.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/admin/query.h"
#include "vgpud/conf/conf.h"
#include "vgpud/conf/names.h"
#include "vgpud/conf/options.h"
#include "vgpud/conf/settings.h"
#include "vgpud/daemon.h"
#include "vgpud/files/scan.h"

#define EXIT_USAGE 2 /* the command line or the configuration is wrong */

static void report(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "vgpud: %s\n", sentence);
}

struct command_line {
	int argc;
	char **argv;
};

/* For the daemon, which reads its configuration again, in one thread or in several. */
static int read_again(void *arg, struct conf *wanted, conf_report *say, void *say_arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* getopt() has but one state */
	const struct command_line *line = arg;
	enum conf_action action;
	int err;

	pthread_mutex_lock(&lock);
	err = conf_options_read(wanted, line->argc, line->argv, &action, say, say_arg);
	pthread_mutex_unlock(&lock);
	return err != 0 ? err : conf_names_check(wanted, say, say_arg);
}

/* Runs the starter with the arguments that spawn.c gives it. */
static int starter(char **argv)
{
	const struct spawn_fixed fixed = {
		.confine = argv[2],
		.files = argv[3],
		.command = argv[4],
		.user = argv[5],
		.hide = argv[6],
		.memory = argv[7],
		.uids = argv[8],
	};

	return starter_main(&fixed);
}

/*
 * Runs the role that vgpud had this process started for. It keeps only the descriptors of the role,
 * and none that the caller of vgpud left open.
 * Return: its exit status, or -1: the process is vgpud itself.
 */
static int run_role(int argc, char **argv)
{
	static int (*const role_main[SPAWN_ROLE_NUM])(const char *argument) = {
		[SPAWN_WORKER] = role_worker,	  [SPAWN_PROGRAM] = role_program,
		[SPAWN_DESCRIBE] = role_describe, [SPAWN_QUERY] = query_main,
		[SPAWN_FILES] = file_scan_main,	  [SPAWN_NVML] = role_nvml,
	};

	/* A process with a larger score is ended sooner for want of memory. The broker has the
	 * requests of all VMs, a worker those of its VMs, a program's worker one program of one VM, a
	 * query one administrator's answer; NVML's process has nothing. */
	static const int expendable[SPAWN_ROLE_NUM] = {
		[SPAWN_QUERY] = 500,	[SPAWN_PROGRAM] = 300, [SPAWN_FILES] = 200,
		[SPAWN_DESCRIBE] = 200, [SPAWN_WORKER] = 100,  [SPAWN_NVML] = 500,
	};

	for (unsigned role = 0; argc > 1 && role < SPAWN_ROLE_NUM; role++) {
		bool is_starter = role == SPAWN_STARTER;

		if (argc != (is_starter ? 9 : 4) || strcmp(argv[1], spawn_name[role]) != 0 ||
		    (!is_starter && role_main[role] == NULL))
			continue;
		prctl(PR_SET_NAME, spawn_name[role]);
		if (is_starter) {
			inherit_close_others();
			inherit_usual_layout();
			return starter(argv);
		}
		inherit_role();
		if (role == SPAWN_WORKER || role == SPAWN_PROGRAM || role == SPAWN_DESCRIBE)
			inherit_worker();
		memory_expendable(expendable[role]);
		confine_set_mode(confine_mode(argv[3]));
		return role_main[role](argv[2]);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct command_line line = { argc, argv };
	const struct admin_server_config admin = {
		.handlers = admin_handlers,
	};
	static struct conf conf;
	enum conf_action action;
	int status;

	inherit_standard_descriptors();
	status = run_role(argc, argv);
	if (status >= 0)
		return status;
	inherit_no_signals();
	inherit_no_alarms();
	if (conf_options_read(&conf, argc, argv, &action, report, NULL) != 0 ||
	    (action != CONF_HELP && action != CONF_VERSION &&
	     conf_names_check(&conf, report, NULL) != 0))
		return EXIT_USAGE;
	switch (action) {
	case CONF_HELP:
		fputs(conf_options_help, stdout);
		return 0;
	case CONF_VERSION:
		puts("vgpud " VGPU_VERSION);
		return 0;
	case CONF_CHECK:
		fputs("vgpud: the configuration is right\n", stderr);
		return 0;
	case CONF_PRINT:
		conf_settings_print(&conf, stdout);
		return 0;
	case CONF_RUN:
		break;
	}
	inherit_close_strangers();
	log_init("vgpud", conf.verbose);
	log_never_wait();
	return daemon_run(&conf, read_again, &line, &admin);
}
