/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_options.h - the command line of vgpu-run --kernel */

#ifndef RUN_KERNEL_OPTIONS_H
#define RUN_KERNEL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/kernel_argument.h"

#define KERNEL_ARGUMENTS_MOST 1024u

struct kernel_options {
	const char *image; /* file: PTX, cubin or fatbin */
	const char *entry; /* NULL: the only kernel there is */
	uint32_t grid[3], block[3];
	uint32_t shared_bytes;
	bool cooperative;
	struct kernel_argument arguments[KERNEL_ARGUMENTS_MOST];
	uint32_t argument_num;
};

/* Reads the command line; ends the process for --help, --version and what is wrong. */
void kernel_options_parse(struct kernel_options *options, int argc, char **argv);

#endif
