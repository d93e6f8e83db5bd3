/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - cuLink*: takes one image, and gives it back as the linked one */

#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/image.h"
#include "guest/libcuda/module.h"
#include "guest/libcuda/refuse.h"

/*
 * The host's compiler turns an image into machine code when it is loaded, so a link of one image has
 * nothing to do. It is loaded once when it is added, so that errors and logs come at the call that
 * CUDA's manual names. More than one image cannot be linked, and is refused.
 */
struct link {
	struct table_object object;
	void *image;
	uint64_t bytes;
	struct image_options options; /* the program's arrays: it keeps them until cuLinkDestroy */
};

static CUresult try_image(struct link *link, const struct image *image,
			  const struct image_options *more)
{
	const struct image_options *options = more->num > 0 ? more : &link->options;
	struct module *module;
	CUresult result = module_make(image, options, link->object.context, &module);

	if (result != CUDA_SUCCESS)
		return result;
	link->image = malloc(image->bytes + 8);
	if (!link->image) {
		(void)module_unload(module);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	memcpy(link->image, image->data, image->bytes);
	memset((uint8_t *)link->image + image->bytes, 0, 8);
	link->bytes = image->bytes;
	return module_unload(module);
}

static CUresult add(CUlinkState state, const struct image *image, const struct image_options *more)
{
	struct link *link = table_get(TABLE_LINK, state);

	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	if (link->image) {
		refuse("cuLinkAddData of a second image");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	return try_image(link, image, more);
}

/* Objects and libraries need a linker; cubin, PTX and fatbin are images by themselves. */
static CUresult check_type(CUjitInputType type)
{
	if (type <= CU_JIT_INPUT_FATBINARY)
		return CUDA_SUCCESS;
	refuse("cuLinkAddData of an object or a library");
	return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult cuLinkCreate_v2(unsigned numOptions, CUjit_option *options, void **optionValues,
			 CUlinkState *stateOut)
{
	struct link *link;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!stateOut || (numOptions > 0 && (!options || !optionValues)))
		return CUDA_ERROR_INVALID_VALUE;
	link = table_new(TABLE_LINK, sizeof(*link), context);
	if (!link)
		return CUDA_ERROR_OUT_OF_MEMORY;
	link->options = (struct image_options){ numOptions, options, optionValues };
	*stateOut = table_handle(link);
	return CUDA_SUCCESS;
}

CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size,
			  const char *name, unsigned numOptions, CUjit_option *options,
			  void **optionValues)
{
	struct image_options more = { numOptions, options, optionValues };
	struct image image = { .data = data, .bytes = size };
	uint8_t *text = NULL;
	uint64_t context;
	CUresult result;

	(void)name;
	CONTEXT_ENTER(&context);
	if (!data || size == 0 || (numOptions > 0 && (!options || !optionValues)))
		return CUDA_ERROR_INVALID_VALUE;
	result = check_type(type);
	if (result != CUDA_SUCCESS)
		return result;
	if (type == CU_JIT_INPUT_PTX) { /* its NUL may be missing */
		text = malloc(size + 1);
		if (!text)
			return CUDA_ERROR_OUT_OF_MEMORY;
		memcpy(text, data, size);
		text[size] = '\0';
		image = (struct image){ .data = text, .bytes = strlen((char *)text) + 1 };
	}
	result = add(state, &image, &more);
	free(text);
	return result;
}

CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path,
			  unsigned numOptions, CUjit_option *options, void **optionValues)
{
	struct image_options more = { numOptions, options, optionValues };
	struct image image;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!path || (numOptions > 0 && (!options || !optionValues)))
		return CUDA_ERROR_INVALID_VALUE;
	result = check_type(type);
	if (result == CUDA_SUCCESS)
		result = image_read(path, &image);
	if (result != CUDA_SUCCESS)
		return result;
	result = add(state, &image, &more);
	free((void *)image.data);
	return result;
}

CUresult cuLinkComplete(CUlinkState state, void **cubinOut, size_t *sizeOut)
{
	const struct link *link;
	uint64_t context;

	CONTEXT_ENTER(&context);
	link = table_get(TABLE_LINK, state);
	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!cubinOut || !link->image)
		return CUDA_ERROR_INVALID_VALUE;
	*cubinOut = link->image;
	if (sizeOut)
		*sizeOut = link->bytes;
	return CUDA_SUCCESS;
}

CUresult cuLinkDestroy(CUlinkState state)
{
	struct link *link;
	uint64_t context;

	CONTEXT_ENTER(&context);
	link = table_get(TABLE_LINK, state);
	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	if (table_delete(link)) {
		free(link->image);
		link->image = NULL;
	}
	return CUDA_SUCCESS;
}
