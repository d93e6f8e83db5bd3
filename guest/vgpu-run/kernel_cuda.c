/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_cuda.c - libcuda.so.1, loaded when vgpu-run wants it */

#include "guest/vgpu-run/kernel_cuda.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define OWN_LIBRARY "/usr/lib/vgpu/libcuda.so.1"

struct symbol {
	const char *name;
	size_t offset; /* in struct kernel_cuda */
};

static const struct symbol symbols[] = {
#define SYMBOL(field, name, suffix, version, arguments) \
	{ #name #suffix, offsetof(struct kernel_cuda, calls.field) },
	CUDA_CALLS(SYMBOL)
#undef SYMBOL
#define SYMBOL(field, name, suffix, version, arguments) \
	{ #name #suffix, offsetof(struct kernel_cuda, more.field) },
		CUDA_PROGRAM_CALLS(SYMBOL)
#undef SYMBOL
};

static void *open_library(char *why, size_t why_len)
{
	const char *named = getenv("VGPU_LIBCUDA");
	void *library;

	if (named && *named != '\0') {
		library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
		if (!library)
			(void)snprintf(why, why_len, "VGPU_LIBCUDA=%s: %s", named, dlerror());
		return library;
	}
	library = dlopen(OWN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		(void)snprintf(why, why_len,
			       "no libcuda.so.1 here: install vgpu's (make install-guest), or name "
			       "one with VGPU_LIBCUDA=FILE (%s)",
			       dlerror());
	return library;
}

int kernel_cuda_load(struct kernel_cuda *cuda, char *why, size_t why_len)
{
	void *library = open_library(why, why_len);

	if (!library)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *address = dlsym(library, symbols[i].name);

		if (!address) {
			(void)snprintf(why, why_len,
				       "libcuda.so.1 has no %s: it is too old (CUDA 12.4 or later "
				       "is needed)",
				       symbols[i].name);
			return -ENOTSUP;
		}
		*(void **)((char *)cuda + symbols[i].offset) = address;
	}
	return 0;
}

const char *kernel_cuda_words(const struct kernel_cuda *cuda, CUresult result, char *text,
			      size_t len)
{
	const char *name = NULL, *words = NULL;

	(void)cuda->calls.error_name(result, &name);
	(void)cuda->calls.error_text(result, &words);
	if (name)
		(void)snprintf(text, len, "%s (%s)", name, words ? words : "no text");
	else
		(void)snprintf(text, len, "CUDA error %d", (int)result);
	return text;
}
