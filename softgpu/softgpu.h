/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu.h - a CUDA device in software: the library's public interface */

/*
 * A `struct softgpu` is one device with its one context, shaped like the part of the CUDA driver
 * API that a program's worker needs. Kernels come as PTX text and run on the host's processors.
 * Memory, copies and pools are in softgpu_memory.h.
 *
 * Threads: every call may be made from any thread at any time, but for softgpu_close. Order is
 * CUDA's: what one call submitted comes before what a call submits that began after the first
 * returned.
 *
 * Handles (streams, events, modules, functions, pools) are numbers in a table that wear a pointer's
 * type. A handle that was destroyed, never made, or is of another kind is answered with
 * INVALID_HANDLE; it is never dereferenced. NULL for a result is INVALID_VALUE.
 *
 * Errors: what a call can judge it returns. A kernel, copy or wait that fails later makes the
 * context's error: then nothing more runs, and every call but those marked [after error] returns
 * that code until softgpu_close. Text about it: softgpu_fault_text.
 *
 * Calls marked [waits] may wait for work of the device; the others never do, but for a launch or
 * copy on a stream whose queue is full. In a host function, calls that would wait return
 * NOT_PERMITTED and all others work. Calls marked [block-free] wait for all work of the context
 * when that switch is on, as a real driver's do.
 *
 * Driver API objects that have no object here: a CUlibrary is a module, a CUkernel is a function.
 * Not there, each to be refused by the caller: graphs and stream capture, arrays and textures,
 * managed memory, virtual memory management, IPC, peers, clusters.
 */

#ifndef SOFTGPU_SOFTGPU_H
#define SOFTGPU_SOFTGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum softgpu_result {
#define RESULT(name, number, sentence) SOFTGPU_##name = (number),
#include "softgpu/softgpu.def"
#undef RESULT
};

/* Return: "ILLEGAL_ADDRESS" and so on, without a prefix; NULL for a number that is no result. */
const char *softgpu_result_name(int result);
/* Return: a sentence; NULL for a number that is no result. */
const char *softgpu_result_text(int result);

struct softgpu;
struct softgpu_stream;
struct softgpu_event;
struct softgpu_module;
struct softgpu_function;

/* --- what the caller gives --------------------------------------------------------------- */

enum softgpu_output {
	SOFTGPU_OUTPUT_PRINTF, /* text of vprintf, as it was formatted */
	SOFTGPU_OUTPUT_ASSERT, /* one line for each failed assertion */
	SOFTGPU_OUTPUT_RACE,   /* one line for each race in shared memory, with config.races */
};

/* The device's surroundings. All functions are required; several threads call them. */
struct softgpu_host {
	void *owner; /* first argument of each function */
	/* Return: a clock that never goes back, in ns: for events, kernels and the switches. */
	uint64_t (*now_ns)(void *owner);
	/* Text that kernels wrote, `bytes` long, without a NUL. It must not call softgpu. */
	void (*output)(void *owner, enum softgpu_output kind, const char *text, size_t bytes);
	/*
	 * Starts a thread that runs body(argument). Names are at most 15 bytes.
	 * Return: 0 with a token for thread_join in *thread, or -errno.
	 */
	int (*thread_start)(void *owner, const char *name, void *(*body)(void *argument),
			    void *argument, uint64_t *thread);
	/* Waits until that thread's body has returned, and frees what belongs to it. */
	void (*thread_join)(void *owner, uint64_t thread);
};

/* The ready instance: CLOCK_MONOTONIC, pthreads, printf to stdout, all else to stderr. */
const struct softgpu_host *softgpu_host_default(void);

/* Imitations of what is hard about a real device, for tests. All off: zeros. */
struct softgpu_switches {
	bool block_free; /* [block-free] calls wait for all work of the context */
	/* Launches on one stream beyond which a launch waits; 0: 1,020, as a real driver. */
	uint32_t queue;
	/* A fault shows only that long after it happened; its kernel runs on meanwhile. */
	uint32_t fault_late_ms;
	/* Copies and sets move at most that much in a second, all together. */
	uint32_t slow_copy_mib_s;
	/* [no-write-values] stream_write_value and stream_wait_value are NOT_SUPPORTED, as on old GPUs. */
	bool no_write_values;
};

/*
 * Reads one switch as a command line has it: "block-free", "no-write-values", "queue=N" (1 to
 * 1,000,000), "fault-late" (50 ms) or "fault-late=MS" (1 to 60,000), "slow-copy" (100 MiB/s) or
 * "slow-copy=MIB" (1 to 1,000,000). Return: 0, -EINVAL no such switch, -ERANGE its number is
 * outside of the bounds.
 */
int softgpu_switch_parse(struct softgpu_switches *switches, const char *text);

struct softgpu_config {
	uint64_t memory_bytes; /* device memory, 1 MiB to 1 TiB; pages are taken when first used */
	/* Threads that run blocks: its multiprocessors; 0: as many as the host's, 256 at most. */
	uint32_t processors;
	bool races; /* report races in shared memory through host->output */
	struct softgpu_switches switches;
	const struct softgpu_host *host; /* must stay valid until softgpu_close */
};

/* --- device and context ------------------------------------------------------------------ */

/* Bytes of a buffer that any of softgpu's messages fits, with its NUL. */
#define SOFTGPU_TEXT_LEN 1024

/*
 * Makes a device and its context, and starts its threads.
 * Return: SUCCESS, INVALID_VALUE a figure of config is out of bounds, OUT_OF_MEMORY no address
 * range of that size, OPERATING_SYSTEM a thread could not be started.
 */
enum softgpu_result softgpu_open(const struct softgpu_config *config, struct softgpu **out);

/* Stops all work, joins the threads, frees all. No other call may be running or follow. */
void softgpu_close(struct softgpu *gpu);

/*
 * Ends all work in the middle: kernels stop at their next branch at the latest, queued work is
 * dropped, waiting calls return. The context's error is DEINITIALIZED from then on, unless there is
 * one already. Does not wait. [after error]
 */
void softgpu_stop(struct softgpu *gpu);

/* [after error] Return: the context's error, SUCCESS while there is none. Never waits. */
enum softgpu_result softgpu_error(struct softgpu *gpu);

/*
 * [after error] The text of the context's error: kernel, block, thread, instruction, address and
 * nearest allocation. Return: SUCCESS with "" while there is none.
 */
enum softgpu_result softgpu_fault_text(struct softgpu *gpu, char text[static SOFTGPU_TEXT_LEN]);

struct softgpu_device_info {
	char name[64];
	uint8_t uuid[16];
	uint64_t memory_bytes;
};

/* [after error] */
enum softgpu_result softgpu_device_info(struct softgpu *gpu, struct softgpu_device_info *info);

/*
 * [after error] One attribute, by CUdevice_attribute's number (1 to 147). What the device does not
 * have is 0. Return: SUCCESS, INVALID_VALUE no such attribute.
 */
enum softgpu_result softgpu_device_attribute(struct softgpu *gpu, int attribute, int *value);

/* Priorities of streams: 0 is the lowest, -5 the highest. */
#define SOFTGPU_PRIORITY_LEAST 0
#define SOFTGPU_PRIORITY_GREATEST (-5)

/* [waits] Until all work that was submitted before has ended. Writes out what kernels printed. */
enum softgpu_result softgpu_synchronize(struct softgpu *gpu);

/* CUlimit's numbers. Others of it are UNSUPPORTED_LIMIT, and what is none of it INVALID_VALUE. */
enum softgpu_limit {
	SOFTGPU_LIMIT_STACK_BYTES =
		0, /* local memory of calls in one thread, 1 KiB unless set, to 512 KiB */
	SOFTGPU_LIMIT_PRINTF_BYTES = 1, /* printf buffer, 1 MiB unless set, 512 KiB to 256 MiB */
	/* Kernels' malloc, 8 MiB unless set. INVALID_VALUE while something is allocated there. */
	SOFTGPU_LIMIT_MALLOC_HEAP_BYTES = 2,
	SOFTGPU_LIMIT_NUM,
	SOFTGPU_LIMIT_NAMES = 10 /* that CUlimit has */
};

/*
 * As a driver does: too small a value becomes the least, too large a one is INVALID_VALUE.
 * STACK_BYTES is [block-free].
 */
enum softgpu_result softgpu_limit_set(struct softgpu *gpu, enum softgpu_limit limit,
				      uint64_t value);
enum softgpu_result softgpu_limit_get(struct softgpu *gpu, enum softgpu_limit limit,
				      uint64_t *value);

/* --- streams ----------------------------------------------------------------------------- */

/*
 * NULL is the legacy stream: its work waits for all earlier work of blocking streams, and theirs
 * for all its earlier work. Streams with NON_BLOCKING take no part in that. PER_THREAD is a
 * blocking stream of the calling thread.
 */
#define SOFTGPU_STREAM_LEGACY ((struct softgpu_stream *)0x1)
#define SOFTGPU_STREAM_PER_THREAD ((struct softgpu_stream *)0x2)
#define SOFTGPU_STREAM_NON_BLOCKING 1u

/* flags: 0 or NON_BLOCKING; priority is moved into the range. Return: SUCCESS, INVALID_VALUE,
 * OUT_OF_MEMORY (65,536). */
enum softgpu_result softgpu_stream_create(struct softgpu *gpu, uint32_t flags, int priority,
					  struct softgpu_stream **handle);
/* Returns at once; work on it still runs to its end. The two defaults cannot be destroyed:
 * INVALID_HANDLE. */
enum softgpu_result softgpu_stream_destroy(struct softgpu *gpu, struct softgpu_stream *handle);
/* Return: SUCCESS all work on it has ended, NOT_READY. */
enum softgpu_result softgpu_stream_query(struct softgpu *gpu, struct softgpu_stream *handle);
/* [waits] */
enum softgpu_result softgpu_stream_synchronize(struct softgpu *gpu, struct softgpu_stream *handle);
enum softgpu_result softgpu_stream_flags(struct softgpu *gpu, struct softgpu_stream *handle,
					 uint32_t *flags);
enum softgpu_result softgpu_stream_priority(struct softgpu *gpu, struct softgpu_stream *handle,
					    int *priority);
/* A number that no other stream of the device ever has. */
enum softgpu_result softgpu_stream_id(struct softgpu *gpu, struct softgpu_stream *handle,
				      uint64_t *id);
/* Later work on the stream waits for what the event's last record before this call covers; nothing
 * if never recorded. */
enum softgpu_result softgpu_stream_wait_event(struct softgpu *gpu,
					      struct softgpu_stream *stream_handle,
					      struct softgpu_event *handle);
/*
 * function(argument) runs in a thread of the device once all earlier work of the stream has ended;
 * later work waits for it. One runs at a time. It is not called once the context has an error.
 */
enum softgpu_result softgpu_stream_host_function(struct softgpu *gpu, struct softgpu_stream *handle,
						 void (*function)(void *argument), void *argument);

/* CUstreamWaitValue_flags' numbers. */
enum softgpu_wait {
	SOFTGPU_WAIT_GEQ = 0,
	SOFTGPU_WAIT_EQ = 1,
	SOFTGPU_WAIT_AND = 2,
	SOFTGPU_WAIT_NOR = 3
};

/* The word at a multiple of value_bytes (4 or 8) in device or registered memory is written, or
 * waited for. */
enum softgpu_result softgpu_stream_write_value(struct softgpu *gpu, struct softgpu_stream *handle,
					       uint64_t address, uint64_t value,
					       uint32_t value_bytes);
enum softgpu_result softgpu_stream_wait_value(struct softgpu *gpu, struct softgpu_stream *handle,
					      uint64_t address, uint64_t value,
					      uint32_t value_bytes, enum softgpu_wait condition);

/* --- events ------------------------------------------------------------------------------ */

#define SOFTGPU_EVENT_BLOCKING_SYNC 1u
#define SOFTGPU_EVENT_DISABLE_TIMING 2u

enum softgpu_result softgpu_event_create(struct softgpu *gpu, uint32_t flags,
					 struct softgpu_event **handle);
enum softgpu_result softgpu_event_destroy(struct softgpu *gpu, struct softgpu_event *handle);
enum softgpu_result softgpu_event_record(struct softgpu *gpu, struct softgpu_event *handle,
					 struct softgpu_stream *stream_handle);
/* Return: SUCCESS what the last record covers has ended, or never recorded; NOT_READY. */
enum softgpu_result softgpu_event_query(struct softgpu *gpu, struct softgpu_event *handle);
/* [waits] */
enum softgpu_result softgpu_event_synchronize(struct softgpu *gpu, struct softgpu_event *handle);
/* Time from start to end. Return: SUCCESS, NOT_READY, INVALID_HANDLE never recorded or without
 * timing. */
enum softgpu_result softgpu_event_elapsed(struct softgpu *gpu, struct softgpu_event *start_handle,
					  struct softgpu_event *end_handle, float *elapsed_ms);

/* --- modules and functions --------------------------------------------------------------- */

/* A PTX text. bytes may count a NUL at the end. */
struct softgpu_image {
	const void *data;
	uint64_t bytes;
};

/* Where texts about a load go, as CU_JIT_ERROR_LOG_BUFFER. NULL or 0 bytes: nowhere. */
struct softgpu_log {
	char *text; /* always ends in NUL */
	uint32_t bytes;
};

/*
 * [block-free] Compiles and links the images to one module, places its variables and fills them.
 * log: NULL or where errors are told: "line 12: wgmma.mma_async: tensor-core instructions are not
 * supported by softgpu". Return: SUCCESS, INVALID_VALUE no image, INVALID_IMAGE no PTX text,
 * NO_BINARY_FOR_GPU a fatbin or cubin, INVALID_PTX, UNSUPPORTED_PTX_VERSION,
 * SHARED_OBJECT_SYMBOL_NOT_FOUND, OUT_OF_MEMORY.
 */
enum softgpu_result softgpu_module_load(struct softgpu *gpu, const struct softgpu_image *images,
					uint32_t image_count, const struct softgpu_log *log,
					struct softgpu_module **handle);
/* [block-free] Its functions and variables are gone. Kernels of it that run or wait still run to
 * their end. */
enum softgpu_result softgpu_module_unload(struct softgpu *gpu, struct softgpu_module *handle);
/* What its variables take of the device's memory. */
enum softgpu_result softgpu_module_bytes(struct softgpu *gpu, struct softgpu_module *handle,
					 uint64_t *bytes);
enum softgpu_result softgpu_module_function_count(struct softgpu *gpu,
						  struct softgpu_module *handle, uint32_t *count);
/* By index from 0 in the order of the text. Return: SUCCESS, INVALID_VALUE. The handle stays the
 * same each time. */
enum softgpu_result softgpu_module_function_at(struct softgpu *gpu, struct softgpu_module *handle,
					       uint32_t index, struct softgpu_function **function);
/* Return: SUCCESS, NOT_FOUND. */
enum softgpu_result softgpu_module_function(struct softgpu *gpu, struct softgpu_module *handle,
					    const char *name, struct softgpu_function **function);
/* A variable in global or constant memory. Return: SUCCESS, NOT_FOUND. */
enum softgpu_result softgpu_module_global(struct softgpu *gpu, struct softgpu_module *handle,
					  const char *name, uint64_t *address, uint64_t *bytes);

/* The name lives as long as the module. */
enum softgpu_result softgpu_function_name(struct softgpu *gpu, struct softgpu_function *handle,
					  const char **name);
enum softgpu_result softgpu_function_module(struct softgpu *gpu, struct softgpu_function *handle,
					    struct softgpu_module **module);

/* CUfunction_attribute's numbers. Others up to 15 (clusters) are 0. */
enum softgpu_function_attribute {
	SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK = 0,
	SOFTGPU_FUNCTION_SHARED_BYTES = 1, /* static */
	SOFTGPU_FUNCTION_CONST_BYTES = 2,
	SOFTGPU_FUNCTION_LOCAL_BYTES = 3, /* for each thread */
	SOFTGPU_FUNCTION_REGISTERS = 4,	  /* for each thread, an estimate: at most 255 */
	SOFTGPU_FUNCTION_PTX_VERSION = 5, /* of the .target: 90 is sm_90 */
	SOFTGPU_FUNCTION_BINARY_VERSION = 6,
	SOFTGPU_FUNCTION_CACHE_MODE_CA = 7,
	SOFTGPU_FUNCTION_MAX_DYNAMIC_SHARED_BYTES =
		8,			      /* may be set: static + dynamic at most 227 KiB */
	SOFTGPU_FUNCTION_SHARED_CARVEOUT = 9, /* may be set: -1 to 100, no effect */
};

enum softgpu_result softgpu_function_attribute_get(struct softgpu *gpu,
						   struct softgpu_function *handle, int which,
						   int *value);
enum softgpu_result softgpu_function_attribute_set(struct softgpu *gpu,
						   struct softgpu_function *handle, int which,
						   int value);
/* Offset and size of a kernel's parameter in the blob, in bytes. Return: SUCCESS, INVALID_VALUE no
 * such index. */
enum softgpu_result softgpu_function_parameter(struct softgpu *gpu, struct softgpu_function *handle,
					       uint32_t index, uint64_t *offset_bytes,
					       uint64_t *bytes);

/* --- launch ------------------------------------------------------------------------------ */

struct softgpu_dim {
	uint32_t x, y, z; /* each at least 1 */
};

/*
 * A kernel's launch. Parameters: either `parameters`, one pointer for each, or `blob` laid out by
 * softgpu_function_parameter's offsets (longer than needed is fine); all bytes are taken before the
 * call returns.
 */
struct softgpu_launch {
	struct softgpu_function *function;
	struct softgpu_dim grid, block;
	uint32_t shared_bytes; /* dynamic */
	bool cooperative;      /* all blocks resident at once */
	struct softgpu_stream *stream;
	const void *const *parameters;
	const void *blob;
	uint64_t blob_bytes;
};

/*
 * Return: SUCCESS queued, INVALID_VALUE (zero or too large dimensions, more threads or shared
 * memory than a block may have, parameters missing or a blob too short), INVALID_HANDLE,
 * LAUNCH_OUT_OF_RESOURCES more registers than there are,
 * COOPERATIVE_LAUNCH_TOO_LARGE, OUT_OF_MEMORY.
 */
enum softgpu_result softgpu_launch(struct softgpu *gpu, const struct softgpu_launch *launch);

/* Blocks of the function that one multiprocessor holds at once; 0: a block is too large. */
enum softgpu_result softgpu_occupancy(struct softgpu *gpu, struct softgpu_function *handle,
				      uint32_t block_threads, uint64_t shared_bytes,
				      uint32_t *blocks);
/*
 * The block size with the most threads resident (the largest among equals) and the grid that fills
 * the device. shared_bytes(threads), NULL: none; limit_threads 0: none.
 */
enum softgpu_result softgpu_occupancy_block(struct softgpu *gpu, struct softgpu_function *handle,
					    uint64_t (*shared_bytes)(int block_threads),
					    uint32_t limit_threads, uint32_t *grid_blocks,
					    uint32_t *block_threads);
/* Dynamic shared memory that a block may have while `blocks` of them are resident on one
 * multiprocessor. */
enum softgpu_result softgpu_occupancy_shared(struct softgpu *gpu, struct softgpu_function *handle,
					     uint32_t blocks, uint32_t block_threads,
					     uint64_t *shared_bytes);

/* --- figures, for tests and benchmarks --------------------------------------------------- */

struct softgpu_counts {
	uint64_t instructions; /* of threads: one instruction of a full warp counts 32 */
	uint64_t kernels;      /* ended */
	uint64_t blocks;       /* ended */
	uint32_t running;      /* kernels now on the processors or ready for them */
};

/* [after error] */
enum softgpu_result softgpu_counts(struct softgpu *gpu, struct softgpu_counts *counts);

#endif
