/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_key.c - the number by which compiled code is found again */

#include "worker/module_key.h"

#include <assert.h>
#include <nettle/sha2.h>
#include <string.h>

#include "worker/module_file.h"

static_assert(MODULE_KEY_BYTES == SHA256_DIGEST_SIZE, "a key is a SHA-256");

static void add(struct sha256_ctx *context, const void *bytes, size_t num)
{
	sha256_update(context, num, bytes);
}

static void add_number(struct sha256_ctx *context, uint64_t number)
{
	add(context, &number, sizeof(number));
}

/* With its length, so that no two texts in a row can be taken for two others. */
static void add_text(struct sha256_ctx *context, const char *text)
{
	add_number(context, strlen(text));
	add(context, text, strlen(text));
}

/* cuDriverGetVersion() is the same for a whole branch, so the library's file counts as well. */
static void add_gpu(struct sha256_ctx *context, const struct worker_info *info)
{
	add_number(context, info->executor);
	add_number(context, info->cc_major);
	add_number(context, info->cc_minor);
	add_number(context, info->driver_version);
	add_text(context, info->name);
	add_text(context, info->library.path);
	add_number(context, info->library.device);
	add_number(context, info->library.inode);
	add_number(context, (uint64_t)info->library.changed_ns);
}

static void add_options(struct sha256_ctx *context, const struct gpu_image *image)
{
	add_number(context, image->option_num);
	for (uint32_t i = 0; i < image->option_num; i++) {
		const struct vgpu_load_option *option = &image->options[i];

		/* A program gives the address or the size of its log, which code does not depend on. */
		add_number(context, option->option);
		add_number(context, gpu_option_is_log(option->option) ? 0 : option->value);
	}
}

void module_key(const struct worker_info *info, const struct gpu_image *image,
		uint8_t key[MODULE_KEY_BYTES])
{
	struct sha256_ctx context;

	sha256_init(&context);
	add_number(&context, MODULE_FILE_LAYOUT);
	add_gpu(&context, info);
	add_options(&context, image);
	add_number(&context, image->part_num);
	for (uint32_t i = 0; i < image->part_num; i++) {
		add_number(&context, image->parts[i].type);
		add_number(&context, image->parts[i].bytes);
		add(&context, image->parts[i].data, image->parts[i].bytes);
	}
	if (image->part_num == 0) {
		add_number(&context, image->bytes);
		add(&context, image->data, image->bytes);
	}
	sha256_digest(&context, MODULE_KEY_BYTES, key);
}
