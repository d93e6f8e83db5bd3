/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the command line of vgpu-run */

#include "guest/vgpu-run/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "common/vgpu_proto.h"
#include "guest/lib/exit_code.h"
#include "guest/lib/slot.h"

static const char help[] =
	"usage: vgpu-run [options] A B\n"
	"       vgpu-run [options] --op vector-add A,A,... B,B,...\n"
	"       vgpu-run [options] --op nop|info\n"
	"       vgpu-run [options] --raw FILE\n"
	"Runs a job on the host's GPU through this machine's vgpu device, and prints the answer.\n"
	"\n"
	"  -o, --op NAME          add (default), vector-add, nop or info\n"
	"      --raw FILE         send the file's bytes as the request, right or wrong\n"
	"  -c, --count N          repeat, check each answer, report percentiles on stderr\n"
	"  -t, --timeout SECONDS  give up waiting after this long (default: the device's own bound)\n"
	"  -w, --wait MODE        poll (default), spin or irq\n"
	"      --crc              add a checksum to the request, check the answer's\n"
	"  -d, --device SLOT      which device, as 0000:00:04.0 (default: the first)\n"
	"      --device-file FILE use a file of 4096 bytes in place of a device, for tests\n"
	"  -j, --json             print one JSON object\n"
	"  -v, --verbose          report latency, execution time and accesses on stderr\n"
	"  -h, --help             print this and exit\n"
	"  -V, --version          print the version and exit\n"
	"\n"
	"Exit: 0 ok, 2 usage, 10 no device, 11 link down, 12 refused, 13 failed, 14 timed out.\n";

enum { OPT_RAW = 256, OPT_CRC, OPT_DEVICE_FILE };

static const struct option long_options[] = {
	{ "op", required_argument, NULL, 'o' },
	{ "raw", required_argument, NULL, OPT_RAW },
	{ "count", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ "wait", required_argument, NULL, 'w' },
	{ "crc", no_argument, NULL, OPT_CRC },
	{ "device", required_argument, NULL, 'd' },
	{ "device-file", required_argument, NULL, OPT_DEVICE_FILE },
	{ "json", no_argument, NULL, 'j' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const char *const wait_names[] = {
	[WAIT_POLL] = "poll",
	[WAIT_SPIN] = "spin",
	[WAIT_IRQ] = "irq",
};

const char *options_wait_name(enum wait_mode mode)
{
	return wait_names[mode];
}

static void __attribute__((noreturn)) end_usage(void)
{
	fputs("vgpu-run: vgpu-run --help lists the options\n", stderr);
	exit(EXIT_CODE_USAGE);
}

void options_refuse(const char *format, ...)
{
	va_list args;

	fputs("vgpu-run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	end_usage();
}

static uint32_t parse_op(const char *text)
{
	int opcode = name_to_opcode(text);

	if (opcode < 0)
		options_refuse("--op %s: no such operation; there are add, vector-add, nop, info",
			       text);
	return (uint32_t)opcode;
}

static uint32_t parse_count(const char *text)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < 1 ||
	    number > OPTIONS_COUNT_MAX)
		options_refuse("--count %s: must be a number from 1 to %u", text,
			       OPTIONS_COUNT_MAX);
	return (uint32_t)number;
}

static uint64_t parse_timeout_ns(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0.001 || seconds > 1e6)
		options_refuse("--timeout %s: must be seconds from 0.001 to 1000000", text);
	return (uint64_t)(seconds * 1e9);
}

static enum wait_mode parse_wait(const char *text)
{
	for (size_t i = 0; i < sizeof(wait_names) / sizeof(wait_names[0]); i++) {
		if (strcmp(text, wait_names[i]) == 0)
			return (enum wait_mode)i;
	}
	options_refuse("--wait %s: no such mode; there are poll, spin, irq", text);
}

static void __attribute__((noreturn)) print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_CODE_OK);
}

/* Return: whether the option was one that names an operation. */
static bool take_option(struct options *options, int option)
{
	switch (option) {
	case 'o':
		options->opcode = parse_op(optarg);
		return true;
	case OPT_RAW:
		options->raw = optarg;
		break;
	case 'c':
		options->count = parse_count(optarg);
		break;
	case 't':
		options->timeout_ns = parse_timeout_ns(optarg);
		break;
	case 'w':
		options->wait = parse_wait(optarg);
		break;
	case OPT_CRC:
		options->crc = true;
		break;
	case 'd':
		options->where.slot = optarg;
		break;
	case OPT_DEVICE_FILE:
		options->where.file = optarg;
		break;
	case 'j':
		options->json = true;
		break;
	case 'v':
		options->verbose = true;
		break;
	case 'h':
		print_and_exit(help);
	case 'V':
		print_and_exit("vgpu-run " VGPU_VERSION "\n");
	default:
		end_usage();
	}
	return false;
}

/* A minus before a digit is a number, not an option: vgpu-run -5 7 is 2. */
static bool is_operand(const char *text)
{
	return text[0] != '-' || text[1] == '\0' || (text[1] >= '0' && text[1] <= '9');
}

static void take_operand(struct options *options, char *text)
{
	if (options->operand_count == OPTIONS_OPERANDS_MAX)
		options_refuse("%s: too many operands", text);
	options->operands[options->operand_count++] = text;
}

void options_parse(struct options *options, int argc, char **argv)
{
	static char name[] = "vgpu-run";
	bool op_given = false, operands_only = false;
	struct slot slot;

	*options = (struct options){ .opcode = VGPU_OP_CUDA_KERNEL, .count = 1 };
	argv[0] = name; /* getopt's messages begin with it, whatever the path */
	while (optind < argc) {
		int option;

		if (operands_only || is_operand(argv[optind])) {
			take_operand(options, argv[optind++]);
			continue;
		}
		/* It stops at "--" only, since every other operand was taken above. */
		option = getopt_long(argc, argv, "+o:c:t:w:d:jvhV", long_options, NULL);
		if (option == -1)
			operands_only = true;
		else
			op_given |= take_option(options, option);
	}
	if (options->raw && (op_given || options->crc || options->operand_count > 0))
		options_refuse("--raw sends a file as it is: no --op, --crc or operands with it");
	if (options->where.slot && slot_parse(options->where.slot, &slot) < 0)
		options_refuse("--device %s: not a PCI slot (they look like 0000:00:04.0)",
			       options->where.slot);
	if (options->where.slot && options->where.file)
		options_refuse("--device and --device-file exclude each other");
}
