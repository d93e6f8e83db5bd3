/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the options that every command takes */

#include "vgpuadm/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cmd/suggest.h"
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

enum option {
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_CSV,
	OPTION_NO_HEADINGS,
	OPTION_COLUMNS,
	OPTION_TIMEOUT,
	OPTION_COLOUR,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_NUM
};

static const struct {
	const char *name;
	char letter;
	bool has_value;
} table[OPTION_NUM] = {
	[OPTION_SOCKET] = { "--socket", 's', true },
	[OPTION_JSON] = { "--json", 0, false },
	[OPTION_CSV] = { "--csv", 0, false },
	[OPTION_NO_HEADINGS] = { "--no-headings", 0, false },
	[OPTION_COLUMNS] = { "--columns", 'o', true },
	[OPTION_TIMEOUT] = { "--timeout", 0, true },
	[OPTION_COLOUR] = { "--color", 0, true },
	[OPTION_HELP] = { "--help", 'h', false },
	[OPTION_VERSION] = { "--version", 'V', false },
};

struct options options_default(void)
{
	const char *path = getenv("VGPUADM_SOCKET");

	return (struct options){
		.socket = path && *path ? path : ADMIN_SOCKET_DEFAULT,
		.timeout_ms = OPTIONS_TIMEOUT_MS,
	};
}

const char *options_name(unsigned index)
{
	return index < OPTION_NUM ? table[index].name : NULL;
}

/*
 * Which option a word is, and the value in it, if any.
 * Return: OPTION_NUM: none of ours.
 */
static enum option find(const char *word, const char **value)
{
	*value = NULL;
	for (int i = 0; i < OPTION_NUM; i++) {
		size_t len = strlen(table[i].name);

		if (strncmp(word, table[i].name, len) == 0 && (!word[len] || word[len] == '=')) {
			*value = word[len] ? word + len + 1 : NULL;
			return (enum option)i;
		}
		if (word[0] == '-' && word[1] && word[1] == table[i].letter &&
		    (!word[2] || table[i].has_value)) {
			*value = word[2] ? word + 2 : NULL;
			return (enum option)i;
		}
	}
	return OPTION_NUM;
}

bool options_has_value(const char *name)
{
	const char *value;
	enum option option = find(name, &value);

	return option != OPTION_NUM && table[option].has_value && !value;
}

static int take_timeout(struct options *options, const char *value, struct fail *fail)
{
	uint64_t ms;

	if (units_parse_seconds(value, &ms) != 0)
		return fail_set(fail, ADMIN_ERROR_USAGE,
				"--timeout %s: not a number of seconds (as 10 or 0.5; 0: for ever)",
				value);
	options->timeout_ms = ms > 0 ? (int)ms : CLIENT_WAIT_FOR_EVER;
	options->timeout_given = true;
	return 0;
}

static int take_colour(struct options *options, const char *value, struct fail *fail)
{
	static const char *const whens[] = { "auto", "always", "never" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(value, whens[i]) == 0) {
			options->colour = (enum options_colour)i;
			return 0;
		}
	}
	return fail_set(fail, ADMIN_ERROR_USAGE, "--color %s: takes auto, always or never", value);
}

static int take(struct options *options, enum option option, const char *value, struct fail *fail)
{
	switch (option) {
	case OPTION_SOCKET:
		options->socket = value;
		break;
	case OPTION_JSON:
		options->format = OUTPUT_JSON;
		break;
	case OPTION_CSV:
		options->format = OUTPUT_CSV;
		break;
	case OPTION_NO_HEADINGS:
		options->no_headings = true;
		break;
	case OPTION_COLUMNS:
		options->columns = value;
		break;
	case OPTION_TIMEOUT:
		return take_timeout(options, value, fail);
	case OPTION_COLOUR:
		return take_colour(options, value, fail);
	case OPTION_HELP:
		options->help = true;
		break;
	default:
		options->version = true;
	}
	return 0;
}

/* Return: whether the command that was named has an option of its own with this one's name. */
static bool is_commands_own(const char *command, enum option option)
{
	int id = command ? admin_cmd_find(command) : -1;
	char item[32];

	if (id < 0)
		return false;
	snprintf(item, sizeof(item), "[%s ", table[option].name);
	return strstr(admin_cmds[id].pattern, item) != NULL;
}

/* An option before the command is ours or wrong: the command's own follow its name. */
static int fail_unknown(const char *word, struct fail *fail)
{
	struct suggest suggest = suggest_begin(word);

	for (int i = 0; i < OPTION_NUM; i++)
		suggest_offer(&suggest, table[i].name);
	if (suggest.best)
		return fail_set(fail, ADMIN_ERROR_USAGE, "%s: no such option (did you mean %s?)",
				word, suggest.best);
	return fail_set(fail, ADMIN_ERROR_USAGE,
			"%s: no such option before a command (vgpuadm help lists them)", word);
}

int options_take(struct options *options, int *argc, char **argv, struct fail *fail)
{
	const char *command = NULL;
	int kept = 0, i = 0;

	for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		const char *value;
		enum option option = find(argv[i], &value);

		if (option == OPTION_NUM || is_commands_own(command, option)) {
			if (!command && argv[i][0] == '-')
				return fail_unknown(argv[i], fail);
			if (!command)
				command = argv[i];
			argv[kept++] = argv[i];
			continue;
		}
		if (table[option].has_value && !value && ++i < *argc)
			value = argv[i];
		if (table[option].has_value != (value != NULL))
			return fail_set(fail, ADMIN_ERROR_USAGE, "%s: takes %s value",
					table[option].name, value ? "no" : "a");
		if (take(options, option, value ? value : "", fail) != 0)
			return fail->status;
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	*argc = kept;
	argv[kept] = NULL;
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

/* Columns that there are to write in; $COLUMNS counts more, as for ps(1). 0: no bound. */
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
