/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of vgpu-run */

#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/wait.h"
#include "guest/vgpu-run/file_transport.h"

#define OPTIONS_COUNT_MAX 10000000u
#define OPTIONS_OPERANDS_MAX 8

enum options_transport {
	TRANSPORT_DEVICE,
	TRANSPORT_FILE,
	TRANSPORT_AUTO /* the device if it is there and its link up, else files */
};

struct options {
	enum options_transport transport;
	struct file_transport file; /* its timeout_ns and stop are the caller's to fill in */
	uint32_t opcode;
	const char *raw; /* file to send as it is; or NULL */
	uint32_t count;
	uint64_t timeout_ns; /* 0: none */
	enum wait_mode wait;
	bool json, verbose, crc;
	bool file_given; /* one of the file transport's options was */
	struct device_where where;
	char *operands[OPTIONS_OPERANDS_MAX];
	size_t operand_count;
};

/*
 * Reads the command line; --help and --version print and end the process, as does a usage error,
 * with a message and exit code 2.
 */
void options_parse(struct options *options, int argc, char **argv);

/* Ends the process as a usage error does. */
void options_refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Ends the process unless the operation is one that goes by file. */
void options_check_file(const struct options *options);

/* The name of a wait mode as --wait takes it. */
const char *options_wait_name(enum wait_mode mode);

#endif
