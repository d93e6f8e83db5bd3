/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu_soft_open.c - the door to softgpu: opens it, and tells what it is */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"
#include "common/util.h"
#include "softgpu/softgpu_memory.h"
#include "worker/gpu_soft.h"
#include "worker/output.h"

#define MEMORY_MOST (UINT64_C(8) << 30) /* unless the words say more */
#define WORD_SIZE LIBRARY_PATH_SIZE
#define DRIVER_VERSION 13000
#define IMAGE_MOST (UINT64_C(33) << 20) /* 32 MiB of text, and what a bundle adds to it */

struct pretence {
	bool hmm, mismatch, not_ready;
	struct library_stamp library;
};

static void on_output(void *owner, enum softgpu_output kind, const char *text, size_t bytes)
{
	const struct gpu_soft *soft = owner;

	output_add(soft->output, kind == SOFTGPU_OUTPUT_PRINTF ? OUTPUT_STDOUT : OUTPUT_STDERR,
		   text, bytes);
}

/* softgpu hands its host's owner to every function: the ready ones do not look at it. */
static const struct softgpu_host *surroundings(struct gpu_soft *soft)
{
	soft->host = *softgpu_host_default();
	soft->host.owner = soft;
	soft->host.output = on_output;
	return &soft->host;
}

static uint64_t usual_memory_bytes(void)
{
	uint64_t host_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	return host_bytes / 4 < MEMORY_MOST ? host_bytes / 4 : MEMORY_MOST;
}

static int read_word(struct softgpu_config *config, const char *word)
{
	uint64_t number;
	int err;

	if (strncmp(word, "memory=", 7) == 0)
		return units_parse_size(word + 7, &config->memory_bytes);
	if (strncmp(word, "processors=", 11) == 0) {
		err = util_parse_u64(word + 11, 1, 256, &number);
		if (err == 0)
			config->processors = (uint32_t)number;
		return err;
	}
	return softgpu_switch_parse(&config->switches, word);
}

/* What a worker on a real GPU may find, for tests. Return: 0, or -EINVAL: it is no such word. */
static int read_pretence(struct pretence *pretence, const char *word)
{
	if (strcmp(word, "hmm") == 0)
		pretence->hmm = true;
	else if (strcmp(word, "mismatch") == 0)
		pretence->mismatch = true;
	else if (strcmp(word, "not-ready") == 0)
		pretence->not_ready = true;
	else if (strncmp(word, "library=", 8) == 0)
		library_stamp(&pretence->library, word + 8);
	else
		return -EINVAL;
	return 0;
}

/* words: each with a blank before it. */
static int read_words(struct softgpu_config *config, struct pretence *pretence, const char *words,
		      char *why, size_t why_size)
{
	char word[WORD_SIZE];

	while (*(words += strspn(words, " ")) != '\0') {
		size_t len = strcspn(words, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		if (len >= sizeof(word) ||
		    (read_pretence(pretence, word) != 0 && read_word(config, word) != 0)) {
			snprintf(why, why_size,
				 "%s: softgpu has no such switch (memory=, processors=, "
				 "block-free, queue=, fault-late, slow-copy, no-write-values, "
				 "hmm, mismatch, not-ready, library=)",
				 word);
			return -EINVAL;
		}
		words += len;
	}
	if (pretence->mismatch) {
		snprintf(why, why_size, "softgpu shall imitate a driver whose parts do not match");
		return -ELIBBAD;
	}
	if (pretence->not_ready) {
		snprintf(why, why_size, "softgpu shall imitate a GPU that is not ready");
		return -EHOSTDOWN;
	}
	return 0;
}

static void tell(struct softgpu *device, struct worker_info *info)
{
	struct softgpu_device_info about;
	int major = 0, minor = 0, processors = 0;

	softgpu_device_info(device, &about);
	softgpu_device_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major);
	softgpu_device_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor);
	softgpu_device_attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &processors);
	*info = (struct worker_info){
		.executor = VGPU_EXECUTOR_CPU,
		.cc_major = (uint32_t)major,
		.cc_minor = (uint32_t)minor,
		.memory_mib = (uint32_t)(about.memory_bytes >> 20),
		.multiprocessors = (uint32_t)processors,
		.driver_version = DRIVER_VERSION,
	};
	snprintf(info->name, sizeof(info->name), "%s", about.name);
}

int gpu_soft_open(struct gpu **out, const char *words, bool allow_hmm, struct output *output,
		  char *why, size_t why_size)
{
	struct pretence pretence = { 0 };
	struct softgpu_config config = { .memory_bytes = usual_memory_bytes() };
	struct gpu_soft *soft = calloc(1, sizeof(*soft));
	enum softgpu_result result;
	int err;

	if (soft == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	soft->gpu.ops = &gpu_soft_ops;
	soft->gpu.memory = (struct gpu_memory){
		.granule = SOFTGPU_MEMORY_GRANULE,
		.small_granule = SOFTGPU_MEMORY_GRANULE,
		.of_host = true,
	};
	soft->gpu.image_most = IMAGE_MOST;
	soft->output = output;
	config.host = surroundings(soft);
	err = read_words(&config, &pretence, words, why, why_size);
	soft->gpu.writes_values = !config.switches.no_write_values;
	soft->gpu.links_as_loads = true;
	if (err == 0 && pretence.hmm && !allow_hmm)
		err = gpu_refuse_hmm(why, why_size);
	if (err == 0) {
		result = softgpu_open(&config, &soft->device);
		if (result == SOFTGPU_SUCCESS) {
			tell(soft->device, &soft->gpu.info);
			soft->gpu.info.library = pretence.library;
			*out = &soft->gpu;
			return 0;
		}
		snprintf(why, why_size, "softgpu cannot start: %s", softgpu_result_text(result));
		err = -EIO;
	}
	free(soft);
	return err;
}

static void describe(struct softgpu *device, struct vgpu_device_page *page)
{
	struct softgpu_device_info about;

	softgpu_device_info(device, &about);
	page->executor = VGPU_EXECUTOR_CPU;
	page->driver_version = DRIVER_VERSION;
	page->memory_bytes = about.memory_bytes;
	memcpy(page->uuid, about.uuid, sizeof(page->uuid));
	snprintf(page->name, sizeof(page->name), "%s", about.name);
	page->priority_least = SOFTGPU_PRIORITY_LEAST;
	page->priority_greatest = SOFTGPU_PRIORITY_GREATEST;
	for (int i = 1; i < (int)VGPU_DEVICE_ATTRIBUTES; i++)
		if (softgpu_device_attribute(device, i, &page->attributes[i]) == SOFTGPU_SUCCESS)
			page->attribute_num = (uint32_t)i + 1;
}

int gpu_soft_describe(const char *words, struct vgpu_device_page *page, struct worker_info *info,
		      char *why, size_t why_size)
{
	struct softgpu_config config = {
		.memory_bytes = usual_memory_bytes(),
		.host = softgpu_host_default(),
	};
	struct pretence pretence = { 0 };
	struct softgpu *device;
	enum softgpu_result result;
	int err = read_words(&config, &pretence, words, why, why_size);

	if (err != 0)
		return err;
	result = softgpu_open(&config, &device);
	if (result != SOFTGPU_SUCCESS) {
		snprintf(why, why_size, "softgpu cannot start: %s", softgpu_result_text(result));
		return -EIO;
	}
	describe(device, page);
	tell(device, info);
	page->attributes[GPU_ATTRIBUTE_PAGEABLE_ACCESS] = pretence.hmm;
	info->library = pretence.library;
	softgpu_close(device);
	return 0;
}
