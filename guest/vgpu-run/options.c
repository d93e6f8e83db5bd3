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
#include "common/wire/vgpu_proto.h"
#include "guest/libvgpu/slot.h"
#include "guest/tool/exit_code.h"

static const char help[] =
	"usage: vgpu-run [options] A B\n"
	"       vgpu-run [options] --op vector-add A,A,... B,B,...\n"
	"       vgpu-run [options] --op nop|info|test-fault|test-hang\n"
	"       vgpu-run [options] --raw FILE\n"
	"       vgpu-run --kernel FILE ...   (vgpu-run --kernel FILE --help says more)\n"
	"Runs a job on the host's GPU through this machine's vgpu device, and prints the answer.\n"
	"\n"
	"  -o, --op NAME          add (default), vector-add, nop or info; and to see what the host does\n"
	"                         about faults, if it allows them, test-fault or test-hang\n"
	"      --raw FILE         send the file's bytes as the request, right or wrong\n"
	"  -c, --count N          repeat, check each answer, report percentiles on stderr\n"
	"  -t, --timeout SECONDS  give up waiting after this long (default: the device's own bound)\n"
	"      --wait-turn SECONDS\n"
	"                         wait for a process that uses the device, for at most so long\n"
	"  -w, --wait MODE        poll (default), spin or irq\n"
	"      --crc              add a checksum to the request, check the answer's\n"
	"  -d, --device SLOT      which device, as 0000:00:04.0 (default: the first)\n"
	"      --transport NAME   device (default), file, or auto: device if its link is up, else file\n"
	"      --dir DIR          the directory shared with the host, for transport file\n"
	"      --vm NAME          this VM's directory in it (default: the hostname, or the only one)\n"
	"      --pool LETTER      the pool that a request by file names (default A)\n"
	"      --priority LEVEL   priority that the request names: low (default), medium or high\n"
	"      --poll-ms N        longest pause between two looks for an answer by file (100)\n"
	"      --device-file FILE use a file of 4096 bytes in place of a device, for tests\n"
	"  -j, --json             print one JSON object\n"
	"  -v, --verbose          report latency, execution time and accesses on stderr\n"
	"  -h, --help             print this and exit\n"
	"  -V, --version          print the version and exit\n"
	"\n"
	"Exit: 0 ok, 2 usage, 10 no device, 11 link down, 12 refused, 13 failed, 14 timed out,\n"
	"15 used by another process, 16 no permission.\n";

enum {
	OPT_RAW = 256,
	OPT_CRC,
	OPT_DEVICE_FILE,
	OPT_TRANSPORT,
	OPT_DIR,
	OPT_VM,
	OPT_POOL,
	OPT_PRIORITY,
	OPT_POLL_MS,
	OPT_WAIT_TURN
};

static const struct option long_options[] = {
	{ "op", required_argument, NULL, 'o' },
	{ "raw", required_argument, NULL, OPT_RAW },
	{ "count", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ "wait-turn", required_argument, NULL, OPT_WAIT_TURN },
	{ "wait", required_argument, NULL, 'w' },
	{ "crc", no_argument, NULL, OPT_CRC },
	{ "device", required_argument, NULL, 'd' },
	{ "device-file", required_argument, NULL, OPT_DEVICE_FILE },
	{ "transport", required_argument, NULL, OPT_TRANSPORT },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "vm", required_argument, NULL, OPT_VM },
	{ "pool", required_argument, NULL, OPT_POOL },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "poll-ms", required_argument, NULL, OPT_POLL_MS },
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
		options_refuse("--op %s: no such operation; there are add, vector-add, nop, info, "
			       "test-fault, test-hang",
			       text);
	return (uint32_t)opcode;
}

static uint32_t parse_number(const char *option, const char *text, uint32_t most)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < 1 || number > most)
		options_refuse("%s %s: must be a number from 1 to %u", option, text, most);
	return (uint32_t)number;
}

static uint64_t parse_seconds_ns(const char *option, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0.001 || seconds > 1e6)
		options_refuse("%s %s: must be seconds from 0.001 to 1000000", option, text);
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

static enum options_transport parse_transport(const char *text)
{
	static const char *const names[] = { "device", "file", "auto" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum options_transport)i;
	}
	options_refuse("--transport %s: no such transport; there are device, file, auto", text);
}

/* A VM is one directory within --dir: a name with a slash could lead elsewhere. */
static const char *parse_vm(const char *text)
{
	if (text[0] == '\0' || text[0] == '.' || strchr(text, '/') != NULL)
		options_refuse("--vm '%s': must be a VM's name, as vgpuadm list shows it", text);
	return text;
}

static char parse_pool(const char *text)
{
	if (name_to_pool(text[0]) < 0 || text[1] != '\0')
		options_refuse("--pool %s: must be a letter from A to Z", text);
	return text[0];
}

static uint32_t parse_priority(const char *text)
{
	int priority = name_to_priority(text);

	if (priority < 0)
		options_refuse("--priority %s: no such priority; there are low, medium, high",
			       text);
	return (uint32_t)priority;
}

/* Return: whether the option was one of the file transport. */
static bool take_file_option(struct options *options, int option)
{
	switch (option) {
	case OPT_DIR:
		options->file.dir = optarg;
		return true;
	case OPT_VM:
		options->file.vm = parse_vm(optarg);
		return true;
	case OPT_POOL:
		options->file.pool = parse_pool(optarg);
		return true;
	case OPT_PRIORITY:
		options->file.priority = parse_priority(optarg);
		return true;
	case OPT_POLL_MS:
		options->file.poll_ms = parse_number("--poll-ms", optarg, 60000);
		return true;
	default:
		return false;
	}
}

static void __attribute__((noreturn)) print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_CODE_OK);
}

/* Return: whether the option was one that names an operation. */
static bool take_option(struct options *options, int option)
{
	if (take_file_option(options, option)) {
		options->file_given = true;
		return false;
	}
	switch (option) {
	case OPT_TRANSPORT:
		options->transport = parse_transport(optarg);
		break;
	case 'o':
		options->opcode = parse_op(optarg);
		return true;
	case OPT_RAW:
		options->raw = optarg;
		break;
	case 'c':
		options->count = parse_number("--count", optarg, OPTIONS_COUNT_MAX);
		break;
	case 't':
		options->timeout_ns = parse_seconds_ns("--timeout", optarg);
		break;
	case OPT_WAIT_TURN:
		options->where.turn_ns = parse_seconds_ns("--wait-turn", optarg);
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

void options_check_file(const struct options *options)
{
	if (options->raw || options->crc || options->opcode != VGPU_OP_CUDA_KERNEL)
		options_refuse("only --op add goes by file, and without --crc; all else needs "
			       "--transport device");
}

static void check_transport(const struct options *options)
{
	if (options->transport == TRANSPORT_DEVICE) {
		if (options->file_given)
			options_refuse("--dir, --vm, --pool, --priority and --poll-ms are for "
				       "--transport file or auto");
		return;
	}
	if (!options->file.dir)
		options_refuse("--transport file and auto need the shared directory: --dir DIR");
	if (options->transport == TRANSPORT_AUTO)
		return;
	if (options->where.turn_ns > 0)
		options_refuse("--wait-turn is for --transport device or auto");
	if (options->where.slot || options->where.file)
		options_refuse("--device and --device-file are for --transport device or auto");
	options_check_file(options);
}

void options_parse(struct options *options, int argc, char **argv)
{
	static char name[] = "vgpu-run";
	bool op_given = false, operands_only = false;
	struct slot slot;

	*options = (struct options){ .opcode = VGPU_OP_CUDA_KERNEL,
				     .count = 1,
				     .file = { .pool = 'A', .poll_ms = FILE_TRANSPORT_POLL_MS } };
	argv[0] = name; /* getopt's messages begin with it, whatever the path */
	while (optind < argc) {
		int option;

		if (operands_only || is_operand(argv[optind])) {
			take_operand(options, argv[optind++]);
			continue;
		}
		/* getopt_long() stops at "--" only: the loop takes every other operand. */
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
	check_transport(options);
}
