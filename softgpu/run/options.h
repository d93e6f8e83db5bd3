/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of softgpu-run */

#ifndef SOFTGPU_RUN_OPTIONS_H
#define SOFTGPU_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/kernel_argument.h"
#include "softgpu/softgpu.h"

#define OPTIONS_IMAGES_MAX 64u
#define OPTIONS_ARGUMENTS_MAX 1024u

enum options_mode {
	OPTIONS_RUN,   /* a kernel */
	OPTIONS_CHECK, /* load the texts, no more */
	OPTIONS_LIST,  /* the kernels in them */
	OPTIONS_PRINT, /* the texts as they were read */
	OPTIONS_TABLE, /* of instructions */
};

struct options {
	enum options_mode mode;
	const char *images[OPTIONS_IMAGES_MAX]; /* files */
	uint32_t image_count;
	const char *entry; /* NULL: the only one there is */
	struct softgpu_dim grid, block;
	uint32_t shared_bytes;
	bool cooperative;
	bool stats;
	struct softgpu_config config; /* but for the host */
	struct kernel_argument arguments[OPTIONS_ARGUMENTS_MAX];
	uint32_t argument_count;
};

/* Reads the command line; ends the process for --help, --version and what is wrong. */
void options_parse(struct options *options, int argc, char **argv);

#endif
