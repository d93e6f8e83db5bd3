/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda_driver.c - the host's CUDA driver, loaded when it is wanted */

#include "worker/cuda_driver.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

/* A function of the library, and where its address is stored. */
struct symbol {
	const char *name;
	size_t offset; /* in the structure of calls */
	int version;   /* of CUDA, that brought it */
};

static const struct symbol symbols[] = {
#define SYMBOL(field, name, suffix, version, arguments) \
	{ #name #suffix, offsetof(struct cuda_calls, field), version },
	CUDA_CALLS(SYMBOL)
#undef SYMBOL
};

static const struct symbol program_symbols[] = {
#define SYMBOL(field, name, suffix, version, arguments) \
	{ #name #suffix, offsetof(struct cuda_program_calls, field), version },
	CUDA_PROGRAM_CALLS(SYMBOL)
#undef SYMBOL
};

/* need: the CUDA version that has them all, in words. */
static int load(void *calls, const struct symbol *wanted, size_t num, const char *need, char *why,
		size_t why_size)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		snprintf(why, why_size, "no NVIDIA driver here (%s)", dlerror());
		return -ENOENT;
	}
	for (size_t i = 0; i < num; i++) {
		void *address = dlsym(library, wanted[i].name);

		if (address == NULL) {
			snprintf(why, why_size,
				 "the NVIDIA driver is too old: libcuda.so.1 has no %s (CUDA "
				 "%d.%d; need %s)",
				 wanted[i].name, wanted[i].version / 1000,
				 wanted[i].version % 1000 / 10, need);
			return -ENOENT;
		}
		*(void **)((char *)calls + wanted[i].offset) = address;
	}
	return 0;
}

int cuda_driver_load(struct cuda_calls *calls, char *why, size_t why_size)
{
	return load(calls, symbols, sizeof(symbols) / sizeof(symbols[0]), "CUDA 11 or later", why,
		    why_size);
}

int cuda_driver_load_program(struct cuda_program_calls *calls, char *why, size_t why_size)
{
	return load(calls, program_symbols, sizeof(program_symbols) / sizeof(program_symbols[0]),
		    "driver 550 or later", why, why_size);
}

void cuda_driver_file(struct library_stamp *out)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	const struct link_map *map = NULL;

	*out = (struct library_stamp){ 0 };
	if (library == NULL)
		return;
	if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
		library_stamp(out, map->l_name);
	dlclose(library);
}

unsigned cuda_driver_branch(void)
{
	FILE *file = fopen("/proc/driver/nvidia/version", "re");
	char word[64];
	unsigned branch = 0;

	/* "NVRM version: NVIDIA UNIX ... Kernel Module for x86_64  580.159.04  Release Build ..." */
	while (file != NULL && branch == 0 && fscanf(file, "%63s", word) == 1) {
		char *end;
		unsigned long number = strtoul(word, &end, 10);

		if (end != word && *end == '.' && isdigit((unsigned char)end[1]) && number < 10000)
			branch = (unsigned)number;
	}
	if (file != NULL)
		fclose(file);
	return branch;
}

const char *cuda_driver_error(const struct cuda_calls *calls, CUresult result, char *text,
			      size_t size)
{
	const char *name = NULL, *words = NULL;

	calls->error_name(result, &name);
	calls->error_text(result, &words);
	snprintf(text, size, "%s (%s)", name ? name : "unknown CUDA error", words ? words : "?");
	return text;
}
