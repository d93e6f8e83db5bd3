/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu.h - the door to a program's GPU: the CUDA driver, or softgpu */

#ifndef VGPU_WORKER_GPU_H
#define VGPU_WORKER_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cuda/cuda_abi.h"
#include "common/wire/vgpu_cmds.h"
#include "common/worker_wire.h"

/*
 * A struct gpu is one device with its one context. Its functions are shaped as the CUDA driver's and
 * return its results; all are required. Handles are those of the instance behind the door, under the
 * driver's names. Every function may be called from any thread that has called attach().
 *
 * [blocks]: may wait for work of the GPU, so only a helper thread calls it. The others return soon.
 */

struct gpu;
struct output;

struct gpu_copy {
	uint64_t to, from;
	bool to_host, from_host; /* else device memory */
	/* Rows of width_bytes; from a row to the next, and rows from a plane to the next. */
	uint64_t to_pitch_bytes, to_height, from_pitch_bytes, from_height;
	uint64_t width_bytes, rows, planes; /* rows and planes 1: the pitches do not count */
};

struct gpu_set {
	uint64_t address, pitch_bytes;
	uint64_t width, rows;	/* in elements; rows 1: pitch_bytes does not count */
	uint32_t element_bytes; /* 1, 2 or 4 */
	uint32_t value;
};

#define GPU_IMAGE_END 8u /* zeros behind an image */

/* One of several images that are linked. */
struct gpu_part {
	const void *data;
	uint64_t bytes;
	uint32_t type; /* CUjitInputType */
};

struct gpu_image {
	const struct gpu_part *parts; /* of data, which are to be linked */
	uint32_t part_num;	      /* 0: data is an image by itself */
	const void *data; /* ends in GPU_IMAGE_END zeros, which do not count: PTX is a C string */
	uint64_t bytes;
	const struct vgpu_load_option *options;
	uint32_t option_num;
	char *error_log, *info_log; /* of log_size bytes, end in NUL; both or none */
	uint32_t log_size;
};

/* What an image was compiled to: for this GPU and driver alone. */
struct gpu_code {
	void *data; /* malloc'd */
	uint64_t bytes;
};

struct gpu_launch {
	CUfunction function;
	CUstream stream;
	uint32_t grid[3], block[3];
	uint32_t shared_bytes;
	bool cooperative;
	const void *parameters; /* laid out */
	size_t parameter_bytes;
};

/* How memory is taken of the GPU, as far as that can be told beforehand. All in bytes. */
struct gpu_memory {
	uint64_t granule;	/* an allocation takes a multiple of this, */
	uint64_t small_below;	/* but smaller ones share granules, */
	uint64_t small_granule; /* of which each takes a multiple of this; so in pools */
	/* That local memory and stacks are taken for; 0: the host has them. */
	uint64_t resident_threads;
	uint64_t kept_back; /* of what is free, which a program with a quota is not told of */
	bool text_counts;   /* the buffer of kernels' printf is the GPU's */
	bool heap_comes_late; /* memory of kernels' malloc is taken by the next module that is loaded */
	bool of_host;	      /* it is the host's, and the broker grants it */
};

struct gpu_ops {
	/* Makes the context that of the calling thread. */
	CUresult (*attach)(struct gpu *gpu);
	void (*close)(struct gpu *gpu);
	/* Hands what kernels printed, as far as the instance has it, to the struct output. */
	void (*drain)(struct gpu *gpu);

	CUresult (*synchronize)(struct gpu *gpu);				/* [blocks] */
	CUresult (*limit_set)(struct gpu *gpu, uint32_t limit, uint64_t value); /* [blocks] */
	CUresult (*limit_get)(struct gpu *gpu, uint32_t limit, uint64_t *value);

	CUresult (*memory_alloc)(struct gpu *gpu, uint64_t bytes, uint64_t *address);
	CUresult (*memory_free)(struct gpu *gpu, uint64_t address); /* [blocks] */
	CUresult (*memory_info)(struct gpu *gpu, uint64_t *free_bytes, uint64_t *total_bytes);
	/* pool NULL: the default pool */
	CUresult (*memory_alloc_async)(struct gpu *gpu, uint64_t bytes, CUmemoryPool pool,
				       CUstream stream, uint64_t *address);
	CUresult (*memory_free_async)(struct gpu *gpu, uint64_t address, CUstream stream);
	/* The GPU uses the memory by its own address in this process. */
	CUresult (*host_register)(struct gpu *gpu, void *host, uint64_t bytes);
	CUresult (*host_unregister)(struct gpu *gpu, void *host); /* [blocks] */

	CUresult (*pool_create)(struct gpu *gpu, uint64_t max_bytes,
				CUmemoryPool *pool);		      /* [blocks] */
	CUresult (*pool_destroy)(struct gpu *gpu, CUmemoryPool pool); /* [blocks] */
	CUresult (*pool_trim)(struct gpu *gpu, CUmemoryPool pool,
			      uint64_t keep_bytes); /* [blocks] */
	CUresult (*pool_set)(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute,
			     uint64_t value);
	CUresult (*pool_get)(struct gpu *gpu, CUmemoryPool pool, uint32_t attribute,
			     uint64_t *value);

	CUresult (*copy)(struct gpu *gpu, const struct gpu_copy *copy, CUstream stream);
	/* bytes at most 32 KiB, of any memory of this process; they are taken before it returns. */
	CUresult (*copy_in)(struct gpu *gpu, uint64_t to, const void *from, size_t bytes,
			    CUstream stream);
	CUresult (*set)(struct gpu *gpu, const struct gpu_set *set, CUstream stream);

	/* taken_bytes: what it has taken of the GPU's memory, at least about. [blocks] */
	CUresult (*module_load)(struct gpu *gpu, const struct gpu_image *image, CUmodule *module,
				uint64_t *taken_bytes);
	/*
	 * Compiles an image with logs, either a text by itself or parts that are linked, to what
	 * code_load() takes. It takes nothing of the GPU. code: the caller's to free.
	 */
	CUresult (*compile)(struct gpu *gpu, const struct gpu_image *image, struct gpu_code *code);
	/*
	 * As module_load(). code: may be another worker's, and then nonsense; ends as images do.
	 * [blocks]
	 */
	CUresult (*code_load)(struct gpu *gpu, const struct gpu_code *code, CUmodule *module,
			      uint64_t *taken_bytes);
	CUresult (*module_unload)(struct gpu *gpu, CUmodule module); /* [blocks] */
	/* [blocks] */
	CUresult (*module_function)(struct gpu *gpu, CUmodule module, const char *name,
				    CUfunction *function);
	CUresult (*module_global)(struct gpu *gpu, CUmodule module, const char *name,
				  uint64_t *address, uint64_t *bytes);
	CUresult (*module_function_num)(struct gpu *gpu, CUmodule module, uint32_t *num);
	/* names: num pointers, valid as long as the module. */
	CUresult (*module_names)(struct gpu *gpu, CUmodule module, uint32_t num,
				 const char **names);
	CUresult (*function_get)(struct gpu *gpu, CUfunction function, uint32_t attribute,
				 int *value);
	CUresult (*function_set)(struct gpu *gpu, CUfunction function, uint32_t attribute,
				 int value);
	/* Return: CUDA_ERROR_INVALID_VALUE behind the last parameter. */
	CUresult (*function_parameter)(struct gpu *gpu, CUfunction function, uint32_t index,
				       uint64_t *offset_bytes, uint64_t *bytes);
	CUresult (*occupancy)(struct gpu *gpu, CUfunction function, uint32_t block_threads,
			      uint64_t shared_bytes, uint32_t flags, uint32_t *blocks);
	CUresult (*launch)(struct gpu *gpu, const struct gpu_launch *launch);

	CUresult (*stream_create)(struct gpu *gpu, uint32_t flags, int priority, CUstream *stream);
	CUresult (*stream_destroy)(struct gpu *gpu, CUstream stream);
	CUresult (*stream_query)(struct gpu *gpu, CUstream stream);
	CUresult (*stream_synchronize)(struct gpu *gpu, CUstream stream); /* [blocks] */
	CUresult (*stream_wait_event)(struct gpu *gpu, CUstream stream, CUevent event,
				      uint32_t flags);
	CUresult (*stream_write_value)(struct gpu *gpu, CUstream stream, uint64_t address,
				       uint64_t value, uint32_t bytes, uint32_t flags);
	CUresult (*stream_wait_value)(struct gpu *gpu, CUstream stream, uint64_t address,
				      uint64_t value, uint32_t bytes, uint32_t flags);

	CUresult (*event_create)(struct gpu *gpu, uint32_t flags, CUevent *event);
	CUresult (*event_destroy)(struct gpu *gpu, CUevent event);
	CUresult (*event_record)(struct gpu *gpu, CUevent event, CUstream stream, uint32_t flags);
	CUresult (*event_query)(struct gpu *gpu, CUevent event);
	CUresult (*event_synchronize)(struct gpu *gpu, CUevent event); /* [blocks] */
	CUresult (*event_elapsed)(struct gpu *gpu, CUevent start, CUevent end, float *elapsed_ms);
};

/* The initialiser of an instance whose file has a static function of each name. */
#define GPU_OPS                                                                                   \
	{                                                                                         \
		.attach = attach, .close = close_gpu, .drain = drain, .synchronize = synchronize, \
		.limit_set = limit_set, .limit_get = limit_get, .memory_alloc = memory_alloc,     \
		.memory_free = memory_free, .memory_info = memory_info,                           \
		.memory_alloc_async = memory_alloc_async, .memory_free_async = memory_free_async, \
		.host_register = host_register, .host_unregister = host_unregister,               \
		.pool_create = pool_create, .pool_destroy = pool_destroy, .pool_trim = pool_trim, \
		.pool_set = pool_set, .pool_get = pool_get, .copy = copy, .copy_in = copy_in,     \
		.set = set, .module_load = module_load, .compile = compile,                       \
		.code_load = code_load, .module_unload = module_unload,                           \
		.module_function = module_function, .module_global = module_global,               \
		.module_function_num = module_function_num, .module_names = module_names,         \
		.function_get = function_get, .function_set = function_set,                       \
		.function_parameter = function_parameter, .occupancy = occupancy,                 \
		.launch = launch, .stream_create = stream_create,                                 \
		.stream_destroy = stream_destroy, .stream_query = stream_query,                   \
		.stream_synchronize = stream_synchronize, .stream_wait_event = stream_wait_event, \
		.stream_write_value = stream_write_value, .stream_wait_value = stream_wait_value, \
		.event_create = event_create, .event_destroy = event_destroy,                     \
		.event_record = event_record, .event_query = event_query,                         \
		.event_synchronize = event_synchronize, .event_elapsed = event_elapsed,           \
	}

struct gpu {
	const struct gpu_ops *ops;
	struct worker_info info;
	struct gpu_memory memory;
	bool writes_values;  /* the GPU can write a word in a stream's order */
	bool links_as_loads; /* the linker's code of one text is what loading that text gives */
	uint64_t image_most; /* bytes of an image that is looked at; 0: any */
};

/*
 * Opens the GPU of a program's worker, with its context, and uses each feature once, so that no later
 * use needs a file. spec: "cuda:N", or "cpu" with switches behind it, one blank before each: those
 * of softgpu_switch_parse(), "memory=SIZE" (1M to 1T) and "processors=N"; for tests "hmm" (reaches
 * the host's memory), "mismatch" (-ELIBBAD), "not-ready" (-EHOSTDOWN), "library=PATH" (claims to have
 * loaded that). A GPU that reaches the host's memory is refused, unless the last word is GPU_ALLOW_HMM.
 * output: where the text of kernels goes. why: a sentence on failure. Return: 0 or -errno, as
 * worker_hello has it.
 */
#define GPU_ALLOW_HMM "allow-hmm"
int gpu_open(struct gpu **out, const char *spec, struct output *output, char *why, size_t why_size);

/* Return: whether spec is "cpu", alone or with words behind it. */
bool gpu_is_soft(const char *spec);

/*
 * Fills in what programs are told about the GPU, all but the page's sequence, without taking a context.
 * Return: 0 or -errno, with a sentence in why.
 */
int gpu_describe(const char *spec, struct vgpu_device_page *page, struct worker_info *info,
		 char *why, size_t why_size);

/* The instances; gpu_open() and gpu_describe() choose. words: what stands behind "cpu". */
int gpu_soft_open(struct gpu **out, const char *words, bool allow_hmm, struct output *output,
		  char *why, size_t why_size);
int gpu_soft_describe(const char *words, struct vgpu_device_page *page, struct worker_info *info,
		      char *why, size_t why_size);
int gpu_cuda_open(struct gpu **out, int device, bool allow_hmm, struct output *output, char *why,
		  size_t why_size);
int gpu_cuda_describe(int device, struct vgpu_device_page *page, struct worker_info *info,
		      char *why, size_t why_size);

/* CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR */
#define GPU_ATTRIBUTE_THREADS_OF_PROCESSOR 39
#define GPU_FUNCTION_LOCAL_BYTES 3	 /* CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES */
#define GPU_ATTRIBUTE_PAGEABLE_ACCESS 88 /* CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS */

/* For the instances: says in why that the GPU reaches the host's memory. Return: -EPERM. */
int gpu_refuse_hmm(char *why, size_t why_size);

/* Return: whether a CUjit_option says where a log goes: those are the worker's own. */
bool gpu_option_is_log(uint32_t option);

/* Return: whether the result says that the context is lost for good. */
bool gpu_is_sticky(CUresult result);

#endif
