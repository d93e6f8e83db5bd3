/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the command line of softgpu-run */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "softgpu/run/fail.h"
#include "softgpu/run/options.h"

static const char help[] =
	"usage: softgpu-run PTX... [--entry NAME] --grid X[,Y,Z] --block X[,Y,Z] [options] ARG...\n"
	"       softgpu-run --check|--list|--print PTX...\n"
	"       softgpu-run --table\n"
	"Runs a kernel from PTX text on this machine's processors.\n"
	"\n"
	"ARG is a value, as i32:5 u64:9 f32:2.5 (i8 u8 i16 u16 i32 u32 i64 u64 f32 f64), or memory:\n"
	"in:FILE holds the file's bytes, out:FILE:BYTES is zeroed and written to the file afterwards,\n"
	"inout:FILE is read from it and written back, zero:BYTES is zeroed.\n"
	"\n"
	"  -e, --entry NAME       which kernel (default: the only one)\n"
	"  -g, --grid X[,Y,Z]     blocks\n"
	"  -b, --block X[,Y,Z]    threads in a block\n"
	"  -s, --shared BYTES     dynamic shared memory of a block (default 0)\n"
	"      --cooperative      all blocks are resident at once\n"
	"      --races            report races in shared memory on standard error\n"
	"  -m, --memory SIZE      the device's memory (default 1G; K, M, G)\n"
	"  -p, --processors N     threads that run blocks (default: one for each online processor)\n"
	"      --switch SWITCH    imitate a real device: block-free, queue=N, fault-late[=MS],\n"
	"                         slow-copy[=MIB], no-write-values\n"
	"      --stats            print time and instructions on standard error\n"
	"      --check            load the PTX and say nothing if it is good\n"
	"      --list             print the kernels with their parameters\n"
	"      --print            print the PTX as it was read\n"
	"      --table            print which PTX instructions there are, refused and missing\n"
	"  -h, --help             print this and exit\n"
	"  -V, --version          print the version and exit\n"
	"\n"
	"Exit: 0 ok, 1 the kernel faulted, 2 usage, 3 a file, 4 the PTX is refused, 5 the device.\n";

enum {
	OPT_COOPERATIVE = 256,
	OPT_RACES,
	OPT_SWITCH,
	OPT_STATS,
	OPT_CHECK,
	OPT_LIST,
	OPT_PRINT,
	OPT_TABLE,
};

static const struct option long_options[] = {
	{ "entry", required_argument, NULL, 'e' },
	{ "grid", required_argument, NULL, 'g' },
	{ "block", required_argument, NULL, 'b' },
	{ "shared", required_argument, NULL, 's' },
	{ "cooperative", no_argument, NULL, OPT_COOPERATIVE },
	{ "races", no_argument, NULL, OPT_RACES },
	{ "memory", required_argument, NULL, 'm' },
	{ "processors", required_argument, NULL, 'p' },
	{ "switch", required_argument, NULL, OPT_SWITCH },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "print", no_argument, NULL, OPT_PRINT },
	{ "table", no_argument, NULL, OPT_TABLE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static struct softgpu_dim parse_dim(const char *option, const char *text)
{
	uint32_t sizes[3];

	if (kernel_argument_parse_dim(text, sizes) < 0)
		fail(EXIT_STATUS_USAGE,
		     "--%s %s: not one to three numbers from 1 (as 64 or 16,16 or 8,8,4)", option,
		     text);
	return (struct softgpu_dim){ sizes[0], sizes[1], sizes[2] };
}

static uint64_t parse_size(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t bytes;

	if (kernel_argument_parse_size(text, least, most, &bytes) < 0)
		fail(EXIT_STATUS_USAGE, "--%s %s: not a size from %llu to %llu bytes (as 512M)",
		     option, text, (unsigned long long)least, (unsigned long long)most);
	return bytes;
}

static uint32_t parse_processors(const char *text)
{
	uint64_t number;

	if (util_parse_u64(text, 1, 256, &number) < 0)
		fail(EXIT_STATUS_USAGE, "--processors %s: not a number from 1 to 256", text);
	return (uint32_t)number;
}

static void parse_switch(struct options *options, const char *text)
{
	int err = softgpu_switch_parse(&options->config.switches, text);

	if (err == -ERANGE)
		fail(EXIT_STATUS_USAGE,
		     "--switch %s: the number is out of bounds (the manual page "
		     "has them)",
		     text);
	if (err < 0)
		fail(EXIT_STATUS_USAGE,
		     "--switch %s: no such switch (block-free, queue=N, "
		     "fault-late[=MS], slow-copy[=MIB], "
		     "no-write-values)",
		     text);
}

static void set_mode(struct options *options, enum options_mode mode)
{
	if (options->mode != OPTIONS_RUN && options->mode != mode)
		fail(EXIT_STATUS_USAGE, "--check, --list, --print and --table exclude one another");
	options->mode = mode;
}

static void take_option(struct options *options, int option, const char *text)
{
	switch (option) {
	case 'e':
		options->entry = text;
		break;
	case 'g':
		options->grid = parse_dim("grid", text);
		break;
	case 'b':
		options->block = parse_dim("block", text);
		break;
	case 's':
		options->shared_bytes = (uint32_t)parse_size("shared", text, 0, 227 << 10);
		break;
	case OPT_COOPERATIVE:
		options->cooperative = true;
		break;
	case OPT_RACES:
		options->config.races = true;
		break;
	case 'm':
		options->config.memory_bytes = parse_size("memory", text, 1u << 20, 1ull << 40);
		break;
	case 'p':
		options->config.processors = parse_processors(text);
		break;
	case OPT_SWITCH:
		parse_switch(options, text);
		break;
	case OPT_STATS:
		options->stats = true;
		break;
	case 'h':
		fputs(help, stdout);
		exit(EXIT_STATUS_OK);
	case 'V':
		puts("softgpu-run " VGPU_VERSION);
		exit(EXIT_STATUS_OK);
	case '?':
		fail(EXIT_STATUS_USAGE, "softgpu-run --help lists the options");
	default:
		set_mode(options, OPTIONS_CHECK + (option - OPT_CHECK));
		break;
	}
}

/* A word that is no option: an argument of the kernel, or a PTX file. */
static void take_word(struct options *options, const char *text)
{
	char why[KERNEL_ARGUMENT_WHY_LEN];

	if (kernel_argument_is_one(text)) {
		if (options->argument_count == OPTIONS_ARGUMENTS_MAX)
			fail(EXIT_STATUS_USAGE, "%s: more than %u arguments", text,
			     OPTIONS_ARGUMENTS_MAX);
		if (kernel_argument_parse(&options->arguments[options->argument_count++], text,
					  why) < 0)
			fail(EXIT_STATUS_USAGE, "%s", why);
		return;
	}
	if (options->argument_count > 0)
		fail(EXIT_STATUS_USAGE,
		     "%s: not an argument (as i32:5, f32:2.5, in:FILE, "
		     "out:FILE:BYTES); PTX files come before all arguments",
		     text);
	if (options->image_count == OPTIONS_IMAGES_MAX)
		fail(EXIT_STATUS_USAGE, "%s: more than %u PTX files", text, OPTIONS_IMAGES_MAX);
	options->images[options->image_count++] = text;
}

static void judge(const struct options *options)
{
	if (options->mode == OPTIONS_TABLE) {
		if (options->image_count > 0)
			fail(EXIT_STATUS_USAGE, "%s: --table takes no files", options->images[0]);
		return;
	}
	if (options->image_count == 0)
		fail(EXIT_STATUS_USAGE, "no PTX file is given (softgpu-run --help)");
	if (options->mode != OPTIONS_RUN) {
		if (options->argument_count > 0)
			fail(EXIT_STATUS_USAGE, "%s: no kernel runs, so it takes no arguments",
			     options->arguments[0].text);
		return;
	}
	if (options->grid.x == 0)
		fail(EXIT_STATUS_USAGE, "how many blocks? give --grid X[,Y,Z]");
	if (options->block.x == 0)
		fail(EXIT_STATUS_USAGE, "how many threads in a block? give --block X[,Y,Z]");
}

void options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){ .config = { .memory_bytes = 1u << 30 } };
	/* Options may stand anywhere: getopt moves words behind them. */
	while ((option = getopt_long(argc, argv, "e:g:b:s:m:p:hV", long_options, NULL)) != -1)
		take_option(options, option, optarg);
	for (int i = optind; i < argc; i++)
		take_word(options, argv[i]);
	judge(options);
}
