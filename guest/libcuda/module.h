/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.h - modules and libraries, and the functions in them */

#ifndef VGPU_GUEST_LIBCUDA_MODULE_H
#define VGPU_GUEST_LIBCUDA_MODULE_H

#include <pthread.h>
#include <stdatomic.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/image.h"
#include "guest/libcuda/table.h"

struct function;

/* A CUmodule or a CUlibrary: the worker knows no difference. */
struct module {
	struct table_object object;
	bool library;		    /* belongs to no context */
	uint32_t function_num;	    /* that the image has, as the host says */
	struct function *functions; /* those that were asked for */
	struct module_global *globals;
};

struct parameter {
	uint32_t offset, bytes;
};

#define FUNCTION_JUDGED_NUM 8u

/* What was asked about occupancy, with the answer. */
struct occupancy {
	uint64_t shared_bytes;
	uint32_t block_threads, flags, blocks;
};
#define FUNCTION_OCCUPANCY_NUM 32u

/* A CUfunction or a CUkernel. */
struct function {
	struct table_object object;
	struct function *next; /* of the module */
	struct module *module;
	char *name;
	int32_t attributes[VGPU_FUNCTION_ATTRIBUTES];
	uint32_t parameter_num, parameter_bytes;
	struct parameter *parameters;
	/* Launches that the worker has judged already, as launch.c writes them: others need no answer. */
	atomic_ullong judged[FUNCTION_JUDGED_NUM];
	atomic_uint judged_num; /* that were ever noted: the oldest makes room */
	/* Under module_cache_lock. */
	struct occupancy occupancy[FUNCTION_OCCUPANCY_NUM];
	uint32_t occupancy_num; /* as judged_num */
};

/* Guards what functions remember. Nothing waits under it. */
extern pthread_mutex_t module_cache_lock;

/* Loads an image. context: that owns it; 0: a library. Return: SUCCESS, or as the driver says. */
CUresult module_make(const struct image *image, const struct image_options *options,
		     uint64_t context, struct module **module);

/* Unloads it; functions and globals go with it. */
CUresult module_unload(struct module *module);

/* Finds a function by name. Return: SUCCESS, INVALID_VALUE, NOT_FOUND. */
CUresult module_function(struct module *module, const char *name, struct function **function);

/* Finds a variable. address, bytes: either may be NULL. */
CUresult module_global(struct module *module, const char *name, CUdeviceptr *address,
		       size_t *bytes);

/* Finds the functions by their index, and writes up to `num` handles. */
CUresult module_list(struct module *module, unsigned num, void **handles);

/* Return: the live function of a CUfunction or CUkernel, or NULL. */
struct function *module_function_of(const void *handle);

#endif
