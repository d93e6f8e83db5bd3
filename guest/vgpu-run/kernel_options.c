/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_options.c - the command line of vgpu-run --kernel */

#include "guest/vgpu-run/kernel_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest/tool/exit_code.h"
#include "guest/vgpu-run/options.h"

#define SHARED_BYTES_MOST (1u << 20) /* the GPU's own limit is below, and judges */

static const char help[] =
	"usage: vgpu-run --kernel FILE [--entry NAME] --grid X[,Y,Z] --block X[,Y,Z] [options] ARG...\n"
	"Runs a kernel through libcuda.so.1: this VM's, or a driver's where there is a GPU.\n"
	"\n"
	"ARG is a value, as i32:5 u64:9 f32:2.5 (" KERNEL_ARGUMENT_LIST "), or memory:\n"
	"in:FILE holds the file's bytes, out:FILE:BYTES is zeroed and written to the file afterwards,\n"
	"inout:FILE is read from it and written back, zero:BYTES is zeroed.\n"
	"\n"
	"      --kernel FILE      PTX text, or machine code (cubin, fatbin)\n"
	"  -e, --entry NAME       which kernel (default: the only one)\n"
	"  -g, --grid X[,Y,Z]     blocks\n"
	"  -b, --block X[,Y,Z]    threads in a block\n"
	"  -s, --shared BYTES     dynamic shared memory of a block (default 0)\n"
	"      --cooperative      all blocks run at once\n"
	"  -h, --help             print this and exit\n"
	"  -V, --version          print the version and exit\n"
	"\n"
	"VGPU_LIBCUDA=FILE names the library (default: /usr/lib/vgpu/libcuda.so.1, else libcuda.so.1).\n"
	"\n"
	"Exit: 0 ok, 2 usage or a file that cannot be read, 10 no GPU or no library, 12 refused,\n"
	"13 the kernel failed or its results could not be written.\n";

enum { OPT_KERNEL = 256, OPT_COOPERATIVE };

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "entry", required_argument, NULL, 'e' },
	{ "grid", required_argument, NULL, 'g' },
	{ "block", required_argument, NULL, 'b' },
	{ "shared", required_argument, NULL, 's' },
	{ "cooperative", no_argument, NULL, OPT_COOPERATIVE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void __attribute__((noreturn)) print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_CODE_OK);
}

static void parse_dim(const char *option, const char *text, uint32_t sizes[static 3])
{
	if (kernel_argument_parse_dim(text, sizes) < 0)
		options_refuse("--%s %s: not one to three numbers from 1 (as 64 or 16,16 or 8,8,4)",
			       option, text);
}

static uint32_t parse_shared(const char *text)
{
	uint64_t bytes;

	if (kernel_argument_parse_size(text, 0, SHARED_BYTES_MOST, &bytes) < 0)
		options_refuse("--shared %s: not a size from 0 to 1M bytes (as 4096 or 48K)", text);
	return (uint32_t)bytes;
}

static void take_option(struct kernel_options *options, int option)
{
	switch (option) {
	case OPT_KERNEL:
		options->image = optarg;
		break;
	case 'e':
		options->entry = optarg;
		break;
	case 'g':
		parse_dim("grid", optarg, options->grid);
		break;
	case 'b':
		parse_dim("block", optarg, options->block);
		break;
	case 's':
		options->shared_bytes = parse_shared(optarg);
		break;
	case OPT_COOPERATIVE:
		options->cooperative = true;
		break;
	case 'h':
		print_and_exit(help);
	case 'V':
		print_and_exit("vgpu-run " VGPU_VERSION "\n");
	default:
		fputs("vgpu-run: vgpu-run --kernel FILE --help lists the options\n", stderr);
		exit(EXIT_CODE_USAGE);
	}
}

static void take_argument(struct kernel_options *options, const char *text)
{
	char why[KERNEL_ARGUMENT_WHY_LEN];

	if (options->argument_num == KERNEL_ARGUMENTS_MOST)
		options_refuse("%s: more than %u arguments", text, KERNEL_ARGUMENTS_MOST);
	if (kernel_argument_parse(&options->arguments[options->argument_num], text, why) < 0)
		options_refuse("%s", why);
	options->argument_num++;
}

void kernel_options_parse(struct kernel_options *options, int argc, char **argv)
{
	static char name[] = "vgpu-run";
	int option;

	*options = (struct kernel_options){ 0 };
	argv[0] = name; /* getopt's messages begin with it, whatever the path */
	while ((option = getopt_long(argc, argv, "-e:g:b:s:hV", long_options, NULL)) != -1) {
		if (option == 1)
			take_argument(options, optarg);
		else
			take_option(options, option);
	}
	for (; optind < argc; optind++)
		take_argument(options, argv[optind]);
	if (options->grid[0] == 0)
		options_refuse("--kernel: how many blocks? give --grid X[,Y,Z]");
	if (options->block[0] == 0)
		options_refuse("--kernel: how many threads in a block? give --block X[,Y,Z]");
}
