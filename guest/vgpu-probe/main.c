/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpu-probe: shows, watches and checks the vgpu devices of this machine */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/slot.h"
#include "guest/tool/exit_code.h"
#include "guest/tool/gone.h"
#include "guest/vgpu-probe/channels.h"
#include "guest/vgpu-probe/check.h"
#include "guest/vgpu-probe/cuda.h"
#include "guest/vgpu-probe/list.h"
#include "guest/vgpu-probe/view.h"
#include "guest/vgpu-probe/watch.h"

static const char help[] =
	"usage: vgpu-probe [options]\n"
	"Shows the registers of this machine's vgpu device.\n"
	"\n"
	"  -l, --list             list the devices, a line each\n"
	"  -w, --watch            go on, and show what changes as it changes\n"
	"  -c, --check            try whether the device behaves as it must; writes to it\n"
	"  -p, --programs         show its window, its channels, and which programs have them\n"
	"  -C, --cuda             say which libcuda.so.1 programs find, and whether they have a GPU\n"
	"  -d, --device SLOT      which device, as 0000:00:04.0 (default: the first)\n"
	"      --device-file FILE use a file of 4096 bytes in place of a device, for tests\n"
	"  -j, --json             print JSON\n"
	"  -h, --help             print this and exit\n"
	"  -V, --version          print the version and exit\n"
	"\n"
	"Exit: 0 ok, 2 usage, 10 no device, 13 a check failed, 15 used by another process, 16 no permission.\n";

enum { OPT_DEVICE_FILE = 256 };

static const struct option long_options[] = {
	{ "list", no_argument, NULL, 'l' },
	{ "watch", no_argument, NULL, 'w' },
	{ "check", no_argument, NULL, 'c' },
	{ "programs", no_argument, NULL, 'p' },
	{ "cuda", no_argument, NULL, 'C' },
	{ "device", required_argument, NULL, 'd' },
	{ "device-file", required_argument, NULL, OPT_DEVICE_FILE },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct options {
	int mode; /* 'l', 'w', 'c', 'p', 'C', or 0: show once */
	bool json;
	struct device_where where;
};

static atomic_int stop;

static void on_stop(int signal_number)
{
	(void)signal_number;
	stop = 1;
}

static void __attribute__((noreturn)) end_usage(const char *message)
{
	if (message)
		fprintf(stderr, "vgpu-probe: %s\n", message);
	fputs("vgpu-probe: vgpu-probe --help lists the options\n", stderr);
	exit(EXIT_CODE_USAGE);
}

static void __attribute__((noreturn)) print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(EXIT_CODE_OK);
}

static void take_option(struct options *options, int option)
{
	switch (option) {
	case 'l':
	case 'w':
	case 'c':
	case 'p':
	case 'C':
		if (options->mode && options->mode != option)
			end_usage("--list, --watch, --check, --programs and --cuda exclude each "
				  "other");
		options->mode = option;
		return;
	case 'd':
		options->where.slot = optarg;
		return;
	case OPT_DEVICE_FILE:
		options->where.file = optarg;
		return;
	case 'j':
		options->json = true;
		return;
	case 'h':
		print_and_exit(help);
	case 'V':
		print_and_exit("vgpu-probe " VGPU_VERSION "\n");
	default:
		end_usage(NULL);
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	static char name[] = "vgpu-probe";
	struct slot slot;
	int option;

	*options = (struct options){ 0 };
	argv[0] = name; /* getopt's messages begin with it, whatever the path */
	while ((option = getopt_long(argc, argv, "lwcpCd:jhV", long_options, NULL)) != -1)
		take_option(options, option);
	if (optind < argc)
		end_usage("takes no operands (-d SLOT chooses a device)");
	if (options->where.slot && slot_parse(options->where.slot, &slot) < 0)
		end_usage("--device: not a PCI slot (they look like 0000:00:04.0)");
	if (options->where.slot && options->where.file)
		end_usage("--device and --device-file exclude each other");
	if (options->mode == 'l' && (options->where.slot || options->where.file))
		end_usage("--list shows all devices: no --device or --device-file with it");
	if (options->mode == 'C' && (options->where.slot || options->where.file))
		end_usage(
			"--cuda does as a program would (VGPU_DEVICE, VGPU_SOCKET): no --device or "
			"--device-file with it");
}

static enum exit_code report(const struct fail *fail)
{
	fprintf(stderr, "vgpu-probe: %s\n", fail->text);
	return exit_code_of_fail(fail->kind);
}

static void show(struct vgpu_device *device, bool json)
{
	struct regs regs;

	regs_read(&device->bar, &regs);
	if (json)
		view_json(device->name, &regs);
	else
		view_table(device->name, &regs, NULL, NULL);
}

static enum exit_code watch(struct vgpu_device *device, bool json)
{
	const struct sigaction action = { .sa_handler = on_stop };
	struct fail fail;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (watch_run(device, json, &stop) == 0)
		return EXIT_CODE_OK;
	device_fail_gone(device, &fail);
	return report(&fail);
}

static enum exit_code use_device(const struct options *options)
{
	const enum device_access access = options->mode == 'c' ? DEVICE_CHECK : DEVICE_READ;
	enum exit_code code = EXIT_CODE_OK;
	struct vgpu_device device;
	struct fail fail;

	if (device_open(&device, &options->where, access, &fail) < 0)
		return report(&fail);
	if (device.decoding_enabled)
		fprintf(stderr, "vgpu-probe: %s: memory decoding was off and is on now\n",
			device.name);
	if (options->mode == 'w')
		code = watch(&device, options->json);
	else if (options->mode == 'c')
		code = check_run(&device, options->json) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
	else if (options->mode == 'p')
		code = channels_show(&device, options->json) ? EXIT_CODE_OK : EXIT_CODE_NO_DEVICE;
	else
		show(&device, options->json);
	device_close(&device);
	return code;
}

int main(int argc, char **argv)
{
	struct options options;
	enum exit_code code;
	struct fail fail;

	parse(&options, argc, argv);
	gone_catch("vgpu-probe");
	if (options.mode == 'l')
		code = list_devices(options.json, &fail) < 0 ? report(&fail) : EXIT_CODE_OK;
	else if (options.mode == 'C')
		code = cuda_show(options.json) ? EXIT_CODE_OK : EXIT_CODE_NO_DEVICE;
	else
		code = use_device(&options);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "vgpu-probe: cannot write: %s\n", strerror(errno));
		return EXIT_CODE_FAILED;
	}
	return (int)code;
}
