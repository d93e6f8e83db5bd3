/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - cuLink*: puts images together that the host links when they are loaded */

#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/image.h"
#include "guest/libcuda/module.h"

/*
 * Theory of operation. What cuLinkComplete gives is no cubin but the images themselves, as a bundle
 * (struct vgpu_bundle) with its linker's options in a trailer, or a single cubin or fatbin as it was
 * added. The host's compiler and linker take either when it is loaded. So that errors and logs come at
 * the calls that CUDA's manual names, an image is loaded once when it is added, and all of them together
 * once by cuLinkComplete. An image that names what another one has cannot be loaded alone; if it fails,
 * cuLinkComplete finds out why.
 */

/* Those of a program's options that the host's compiler gets. */
struct host_options {
	struct vgpu_load_option option[VGPU_LOAD_OPTIONS_MOST];
	uint32_t num;
};

struct link {
	struct table_object object;
	pthread_mutex_t lock;
	struct part {
		void *data;
		uint64_t bytes;
		CUjitInputType type;
		bool loads; /* alone */
		struct host_options options;
	} parts[VGPU_BUNDLE_PARTS_MOST];
	unsigned part_num;
	struct image linked; /* by cuLinkComplete; data: to be freed unless it is a part's */
	/* The program's arrays: it keeps them until cuLinkDestroy. Logs' sizes are written back to them, */
	struct image_options options;
	void **given; /* so what it gave first is kept */
	struct host_options host_options;
};

/* --- loading, to find errors --- */

/* Loads an image once. options: NULL for those of the link. */
static CUresult try_image(const struct link *link, const struct image *image,
			  const struct image_options *options)
{
	struct module *module;
	CUresult result;

	if (!options && link->options.num > 0)
		memcpy(link->options.values, link->given, link->options.num * sizeof(*link->given));
	result = module_make(image, options ? options : &link->options, link->object.context,
			     &module);
	return result == CUDA_SUCCESS ? module_unload(module) : result;
}

/* Whether an image may need others: text that declares what it does not have, or what is no text. */
static bool may_need_others(const struct part *part)
{
	return part->type != CU_JIT_INPUT_PTX || strstr(part->data, ".extern") != NULL;
}

/* Writes the trailer of a bundle, and has the image tell of it. */
static void put_trailer(struct image *image, uint8_t *at, const struct host_options *options)
{
	const struct image_trailer trailer = { .magic = IMAGE_TRAILER_MAGIC,
					       .option_num = options->num };

	memcpy(at, &trailer, sizeof(trailer));
	memcpy(at + sizeof(trailer), options->option, options->num * sizeof(options->option[0]));
	image->linked_with = at + sizeof(trailer);
	image->linked_with_num = options->num;
}

/* Puts parts into a bundle; *image: to be freed. */
static CUresult bundle(const struct part *parts, unsigned num, const struct host_options *options,
		       struct image *image)
{
	struct vgpu_bundle head = { .magic = VGPU_BUNDLE_MAGIC, .part_num = num };
	struct vgpu_bundle_part part;
	uint64_t at = sizeof(head) + num * sizeof(part);
	uint8_t *data;

	*image = (struct image){ .bytes = at };
	for (unsigned i = 0; i < num; i++)
		image->bytes += image_padded(parts[i].bytes);
	image->data = data =
		calloc(1, image->bytes + sizeof(struct image_trailer) + sizeof(options->option));
	if (!data)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(data, &head, sizeof(head));
	for (unsigned i = 0; i < num; i++) {
		part = (struct vgpu_bundle_part){ .bytes = parts[i].bytes, .type = parts[i].type };
		memcpy(data + sizeof(head) + i * sizeof(part), &part, sizeof(part));
		memcpy(data + at, parts[i].data, part.bytes);
		at += image_padded(part.bytes);
	}
	put_trailer(image, data + image->bytes, options);
	return CUDA_SUCCESS;
}

/*
 * What linking the parts comes to. One part of machine code is loaded as it is; text is linked by the
 * host also if it is alone, as natively. *image: to be freed, unless it is the part's.
 */
static CUresult image_of(const struct part *parts, unsigned num, const struct host_options *options,
			 struct image *image)
{
	if (num > 1 || parts->type == CU_JIT_INPUT_PTX || parts->type > CU_JIT_INPUT_FATBINARY)
		return bundle(parts, num, options, image);
	*image = (struct image){ .data = parts->data, .bytes = parts->bytes };
	return CUDA_SUCCESS;
}

static void free_image(const struct part *parts, const struct image *image)
{
	if (image->data != parts->data)
		free((void *)image->data);
}

/* --- adding --- */

/* A copy with a NUL behind it, which counts for PTX: there it may be missing. */
static CUresult copy_part(CUjitInputType type, const struct image *image, struct part *part)
{
	uint8_t *data = calloc(1, image->bytes + 8);

	if (!data)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(data, image->data, image->bytes);
	*part = (struct part){ .data = data, .bytes = image->bytes, .type = type };
	if (type == CU_JIT_INPUT_PTX)
		part->bytes = strlen((char *)data) + 1;
	return CUDA_SUCCESS;
}

static CUresult add_part(struct link *link, struct part *part, const struct image_options *more)
{
	CUresult result = CUDA_SUCCESS;
	struct image image;

	if (link->linked.data)
		return CUDA_ERROR_INVALID_VALUE;
	if (link->part_num == VGPU_BUNDLE_PARTS_MOST)
		return CUDA_ERROR_OUT_OF_MEMORY;
	part->options = link->host_options;
	if (more->num > 0 && !image_host_options(more, part->options.option, &part->options.num))
		return CUDA_ERROR_INVALID_VALUE;
	if (part->type <= CU_JIT_INPUT_FATBINARY) {
		result = image_of(part, 1, &part->options, &image);
		if (result != CUDA_SUCCESS)
			return result;
		result = try_image(link, &image, more->num > 0 ? more : NULL);
		free_image(part, &image);
	}
	part->loads = part->type <= CU_JIT_INPUT_FATBINARY && result == CUDA_SUCCESS;
	if (result != CUDA_SUCCESS && (core_lost() != CUDA_SUCCESS || !may_need_others(part)))
		return result;
	link->parts[link->part_num++] = *part;
	return CUDA_SUCCESS;
}

static CUresult add(CUlinkState state, CUjitInputType type, const struct image *image,
		    const struct image_options *more)
{
	struct link *link = table_get(TABLE_LINK, state);
	struct part part;
	CUresult result;

	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	if (type > CU_JIT_INPUT_LIBRARY)
		return CUDA_ERROR_INVALID_VALUE;
	result = copy_part(type, image, &part);
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&link->lock);
	result = add_part(link, &part, more);
	pthread_mutex_unlock(&link->lock);
	if (result != CUDA_SUCCESS)
		free(part.data);
	return result;
}

/* --- completing --- */

/* The caller holds the lock. */
static CUresult complete(struct link *link)
{
	const struct part *first = &link->parts[0];
	struct image linked;
	CUresult result;

	if (link->linked.data)
		return CUDA_SUCCESS;
	if (link->part_num == 0)
		return CUDA_ERROR_INVALID_VALUE;
	/* A part that is alone keeps what was said of it when it was added. */
	result = image_of(link->parts, link->part_num,
			  link->part_num == 1 ? &first->options : &link->host_options, &linked);
	if (result != CUDA_SUCCESS)
		return result;
	if (link->part_num > 1 || !first->loads)
		result = try_image(link, &linked, NULL);
	if (result != CUDA_SUCCESS)
		free_image(link->parts, &linked);
	if (result == CUDA_SUCCESS)
		link->linked = linked;
	return result;
}

static void empty(struct link *link)
{
	free_image(link->parts, &link->linked);
	for (unsigned i = 0; i < link->part_num; i++)
		free(link->parts[i].data);
	free(link->given);
	link->linked.data = NULL;
	link->part_num = 0;
}

/* --- the API --- */

static bool good_options(unsigned num, const CUjit_option *names, void *const *values)
{
	return num == 0 || (num <= VGPU_LOAD_OPTIONS_MOST && names && values);
}

CUresult cuLinkCreate_v2(unsigned numOptions, CUjit_option *options, void **optionValues,
			 CUlinkState *stateOut)
{
	struct link *link;
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!stateOut || !good_options(numOptions, options, optionValues))
		return CUDA_ERROR_INVALID_VALUE;
	link = table_new(TABLE_LINK, sizeof(*link), context);
	if (!link)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_init(&link->lock, NULL);
	if (numOptions > 0) {
		link->given = malloc(numOptions * sizeof(*link->given));
		if (!link->given) {
			table_delete(link);
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		memcpy(link->given, optionValues, numOptions * sizeof(*link->given));
		link->options = (struct image_options){ numOptions, options, optionValues };
		/* Those that are none are told when an image is loaded with them. */
		if (!image_host_options(&link->options, link->host_options.option,
					&link->host_options.num))
			link->host_options.num = 0;
	}
	*stateOut = table_handle(link);
	return CUDA_SUCCESS;
}

CUresult cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size,
			  const char *name, unsigned numOptions, CUjit_option *options,
			  void **optionValues)
{
	const struct image_options more = { numOptions, options, optionValues };
	const struct image image = { .data = data, .bytes = size };
	uint64_t context;

	(void)name;
	CONTEXT_ENTER(&context);
	if (!data || size == 0 || size > UINT32_MAX ||
	    !good_options(numOptions, options, optionValues))
		return CUDA_ERROR_INVALID_VALUE;
	return add(state, type, &image, &more);
}

CUresult cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path,
			  unsigned numOptions, CUjit_option *options, void **optionValues)
{
	const struct image_options more = { numOptions, options, optionValues };
	struct image image;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!path || !good_options(numOptions, options, optionValues))
		return CUDA_ERROR_INVALID_VALUE;
	result = image_read(path, &image);
	if (result != CUDA_SUCCESS)
		return result;
	result = add(state, type, &image, &more);
	free((void *)image.data);
	return result;
}

CUresult cuLinkComplete(CUlinkState state, void **cubinOut, size_t *sizeOut)
{
	struct link *link;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	link = table_get(TABLE_LINK, state);
	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!cubinOut)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&link->lock);
	result = complete(link);
	if (result == CUDA_SUCCESS) {
		*cubinOut = (void *)link->linked.data;
		if (sizeOut)
			*sizeOut = image_whole_bytes(&link->linked);
	}
	pthread_mutex_unlock(&link->lock);
	return result;
}

CUresult cuLinkDestroy(CUlinkState state)
{
	struct link *link;
	uint64_t context;

	CONTEXT_ENTER(&context);
	link = table_get(TABLE_LINK, state);
	if (!link)
		return CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_lock(&link->lock);
	if (table_delete(link))
		empty(link);
	pthread_mutex_unlock(&link->lock);
	return CUDA_SUCCESS;
}

/* --- as the first release of these functions had them --- */

CUresult cuLinkCreate(unsigned numOptions, CUjit_option *options, void **optionValues,
		      CUlinkState *stateOut) SAME_AS(cuLinkCreate_v2);

CUresult cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t size,
		       const char *name, unsigned numOptions, CUjit_option *options,
		       void **optionValues) SAME_AS(cuLinkAddData_v2);

CUresult cuLinkAddFile(CUlinkState state, CUjitInputType type, const char *path,
		       unsigned numOptions, CUjit_option *options, void **optionValues)
	SAME_AS(cuLinkAddFile_v2);
