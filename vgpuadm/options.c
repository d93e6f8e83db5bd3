/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the options that every command takes */

#include "vgpuadm/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cmd/pattern.h"
#include "common/units.h"
#include "common/util.h"
#include "vgpuadm/client.h"

const char options_help[] =
	"  -s, --socket PATH    vgpud's admin socket (default: $VGPUADM_SOCKET, else\n"
	"                       " ADMIN_SOCKET_DEFAULT ")\n"
	"      --json           JSON: one object, or one a line with --follow\n"
	"      --csv            CSV: the fields of the table, as they are in JSON\n"
	"      --no-headings    no line of headings\n"
	"  -o, --columns KEYS   these columns in this order, by their keys in JSON: vm,queued\n"
	"      --timeout SECS   how long to wait while vgpud says nothing (default 10; 0: for ever)\n"
	"      --color WHEN     auto, always or never\n"
	"  -h, --help           what vgpuadm, or the command, takes\n"
	"  -V, --version        the version\n";

const struct admin_cmd options_every = {
	.name = "",
	.pattern = "[-s|--socket <path>] [--json] [--csv] [--no-headings] [-o|--columns <keys>] "
		   "[--timeout <seconds>] [--color <when>] [-h|--help] [-V|--version]",
};

struct options options_default(void)
{
	const char *path = getenv("VGPUADM_SOCKET");

	return (struct options){
		.socket = path && *path ? path : ADMIN_SOCKET_DEFAULT,
		.timeout_ms = OPTIONS_TIMEOUT_MS,
	};
}

/* Sets what one option says. Values have the form of their types. */
static void apply(struct options *options, const struct pattern_arg *arg)
{
	uint64_t ms = 0;

	if (strcmp(arg->key, "socket") == 0) {
		options->socket = arg->value;
	} else if (strcmp(arg->key, "json") == 0) {
		options->format = OUTPUT_JSON;
	} else if (strcmp(arg->key, "csv") == 0) {
		options->format = OUTPUT_CSV;
	} else if (strcmp(arg->key, "no_headings") == 0) {
		options->no_headings = true;
	} else if (strcmp(arg->key, "columns") == 0) {
		options->columns = arg->value;
	} else if (strcmp(arg->key, "timeout") == 0) {
		units_parse_seconds(arg->value, &ms);
		options->timeout_ms = ms > 0 ? (int)ms : CLIENT_WAIT_FOR_EVER;
		options->timeout_given = true;
	} else if (strcmp(arg->key, "color") == 0) {
		options->colour = (enum options_colour)pattern_type_index(PATTERN_WHEN, arg->value);
	} else if (strcmp(arg->key, "help") == 0) {
		options->help = true;
	} else if (strcmp(arg->key, "version") == 0) {
		options->version = true;
	}
}

int options_take(struct options *options, int *argc, char **argv, struct fail *fail)
{
	const struct admin_cmd *command = NULL;
	struct pattern_args args = { 0 };
	bool named = false;
	int kept = 0, i = 0;

	for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		char why[PATTERN_WHY_SIZE];
		int taken = 0;

		/* A command's own option of the same name stands behind the command's. */
		if (!command || !pattern_knows_option(command, argv[i]))
			taken = pattern_take_option(&options_every, *argc, argv, &i, &args, why,
						    sizeof(why));
		if (taken < 0 || (taken == 0 && !named && argv[i][0] == '-'))
			return fail_set(fail, ADMIN_ERROR_USAGE, "%s", why);
		if (taken > 0)
			continue;
		if (!named && admin_cmd_find(argv[i]) >= 0)
			command = &admin_cmds[admin_cmd_find(argv[i])];
		named = true;
		argv[kept++] = argv[i];
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	*argc = kept;
	argv[kept] = NULL;
	for (unsigned j = 0; j < args.num; j++)
		apply(options, &args.arg[j]);
	return 0;
}

/* https://no-color.org: set and not empty means no. */
static bool wants_colours(const struct options *options, int fd)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	if (options->colour != COLOUR_AUTO)
		return options->colour == COLOUR_ALWAYS;
	return isatty(fd) && !(no && *no) && terminal && strcmp(terminal, "dumb") != 0;
}

/* Return: the terminal's columns; $COLUMNS goes first, as for ps(1). 0: no bound. */
static unsigned width(void)
{
	const char *given = getenv("COLUMNS");
	struct winsize size;
	uint64_t columns;

	if (given && util_parse_u64(given, 1, 10000, &columns) == 0)
		return (unsigned)columns;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

struct output_style options_style(const struct options *options)
{
	return (struct output_style){
		.format = options->format,
		.headings = !options->no_headings,
		.colours = wants_colours(options, STDOUT_FILENO),
		.terminal = isatty(STDOUT_FILENO),
		.width = width(),
		.columns = options->columns,
	};
}

bool options_error_colours(const struct options *options)
{
	return wants_colours(options, STDERR_FILENO);
}
