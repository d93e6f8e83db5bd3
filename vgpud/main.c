/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpud, and what else its file can be started as */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vgpud/admin_handlers.h"
#include "vgpud/conf.h"
#include "vgpud/conf_options.h"
#include "vgpud/conf_settings.h"
#include "vgpud/daemon.h"
#include "vgpud/file_scan.h"
#include "vgpud/query.h"
#include "vgpud/spawn.h"
#include "vgpud/worker.h"

#define EXIT_USAGE 2 /* the command line or the configuration is wrong */

static void report(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "vgpud: %s\n", sentence);
}

static void log_sentence(void *arg, const char *sentence)
{
	(void)arg;
	log_error("%s", sentence);
}

struct command_line {
	int argc;
	char **argv;
};

/* For the daemon, when it is told to read its configuration again. */
static int read_again(void *arg, struct conf *wanted)
{
	const struct command_line *line = arg;
	enum conf_action action;

	return conf_options_read(wanted, line->argc, line->argv, &action, log_sentence, NULL);
}

/*
 * Return: whether spawn_self() started this process as that role; it then keeps no descriptor but
 * those that the role has, whatever vgpud's own starter left open.
 */
static bool is_role(int argc, char **argv, const char *role)
{
	if (argc != 2 || strcmp(argv[0], role) != 0)
		return false;
	close_range(SPAWN_FD + 1, ~0u, 0);
	return true;
}

int main(int argc, char **argv)
{
	struct command_line line = { argc, argv };
	const struct admin_server_config admin = {
		.handlers = admin_handlers,
	};
	static struct conf conf;
	enum conf_action action;

	if (is_role(argc, argv, WORKER_ARGV0))
		return worker_main(argv[1]);
	if (is_role(argc, argv, FILE_ARGV0))
		return file_scan_main(argv[1]);
	if (is_role(argc, argv, QUERY_ARGV0))
		return query_main(argv[1]);
	if (conf_options_read(&conf, argc, argv, &action, report, NULL) != 0)
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
	log_init("vgpud", conf.verbose);
	return daemon_run(&conf, read_again, &line, &admin);
}
