/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial.h - one case's run on one GPU: its modules, buffers, launches and what they are compared
 * with */

#ifndef PTX_TRIAL_H
#define PTX_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/ptx/gpu.h"

struct trial;

enum trial_arg_kind { TRIAL_ARG_BUFFER, TRIAL_ARG_BYTES, TRIAL_ARG_ADDRESS };

/* One kernel parameter. A buffer is named by its host copy; an offset inside it is allowed. */
struct trial_arg {
	enum trial_arg_kind kind;
	const void *at;
	uint64_t address;
};

#define BUF(host) ((struct trial_arg){ .kind = TRIAL_ARG_BUFFER, .at = (host) })
#define I32(value) VAL(int32_t, value)
#define U32(value) VAL(uint32_t, value)
#define U64(value) VAL(uint64_t, value)
#define F32(value) VAL(float, value)
#define F64(value) VAL(double, value)
#define VAL(type, value) ((struct trial_arg){ .kind = TRIAL_ARG_BYTES, .at = &(type){ value } })
#define REF(object) ((struct trial_arg){ .kind = TRIAL_ARG_BYTES, .at = &(object) })

#define SHAPE(grid_x, block_x)                                          \
	(struct gpu_shape)                                              \
	{                                                               \
		.grid = { (grid_x), 1, 1 }, .block = {(block_x), 1, 1 } \
	}
#define SHAPE_SHARED(grid_x, block_x, bytes)                                                      \
	(struct gpu_shape)                                                                        \
	{                                                                                         \
		.grid = { (grid_x), 1, 1 }, .block = { (block_x), 1, 1 }, .shared_bytes = (bytes) \
	}
#define SHAPE_2D(grid_x, grid_y, block_x, block_y)                                     \
	(struct gpu_shape)                                                             \
	{                                                                              \
		.grid = { (grid_x), (grid_y), 1 }, .block = {(block_x), (block_y), 1 } \
	}

/* Where a trial reads PTX from, and what it does with the bytes that come out. */
struct trial_options {
	const struct gpu *gpu;
	const char *ptx_dir;
	/* Folders for --dump and --compare, or NULL. */
	const char *dump_dir;
	const char *compare_dir;
};

/* argument: of cases that share a function, else NULL. Both strings must outlive the trial. */
struct trial *trial_new(const struct trial_options *options, const char *case_name,
			const char *argument);
const char *trial_argument(const struct trial *trial);

/* Frees the trial and what it holds on the GPU. Return: true when every check held. */
bool trial_end(struct trial *trial);

/* Whether the GPU is softgpu: its texts are compared, a real GPU's are not. */
bool trial_is_softgpu(const struct trial *trial);

/*
 * Loads the named PTX file of the PTX directory; later launches and globals refer to it.
 * A NULL-ended list links several files. A failure fails the trial.
 */
bool trial_load(struct trial *trial, const char *file);
bool trial_load_linked(struct trial *trial, const char *const *files);
bool trial_load_text(struct trial *trial, const char *text, size_t text_bytes);

/* The name of the first entry in the text that was loaded last. Return: false, and the trial fails.
 */
bool trial_only_entry(struct trial *trial, char *entry, size_t entry_bytes);

/* The same, but a refusal does not fail the trial; trial_log() has the loader's words then. */
bool trial_try_text(struct trial *trial, const char *text, size_t text_bytes);
const char *trial_log(const struct trial *trial);

/*
 * After a refusal of a form of the table. softgpu fails by it; ptxas does not take a few forms that
 * the table admits, and those are counted. Return: 1.
 */
unsigned trial_not_loaded(struct trial *trial, const char *form);

/* Unloads all modules that the trial loaded. */
void trial_unload(struct trial *trial);

/* Loads a text that has to be refused. On softgpu the log must be message exactly. */
void trial_refused(struct trial *trial, const char *text, const char *message);

/*
 * Memory on the GPU with a copy on the host: the case writes the copy, a launch uploads all buffers
 * and downloads them again. name stands in messages and in names of dumped files.
 * Return: the host copy, zeroed, which the trial owns.
 */
void *trial_buffer(struct trial *trial, const char *name, size_t bytes);

/* Return: the address on the GPU of a buffer, for structs and pointers that a kernel follows. */
uint64_t trial_address(struct trial *trial, const void *host);

/*
 * Says that the content depends on the order of execution, or that the manual allows several
 * results: the buffer is left out of --dump and --compare. reason is a sentence of the list of
 * exceptions.
 */
void trial_varies(struct trial *trial, const void *host, const char *reason);

/* From now on launches move at most so many bytes of each buffer to and fro. */
void trial_limit_buffers(struct trial *trial, size_t bytes);

/*
 * Keeps two numbers under a name for --dump. With --compare the first has to be the same on the
 * other GPU; where only the second differs is counted and told. Names that the other GPU lacks do
 * not count.
 */
void trial_note(struct trial *trial, const char *name, uint64_t number, uint64_t detail);

/* A global of the loaded module: copies bytes from or to it. */
void trial_global_read(struct trial *trial, const char *symbol, void *to, size_t bytes);
void trial_global_write(struct trial *trial, const char *symbol, const void *from, size_t bytes);
uint64_t trial_global_address(struct trial *trial, const char *symbol, size_t *bytes);

/* Launches and waits. A result other than success fails the trial. Return: whether it succeeded. */
bool trial_launch_args(struct trial *trial, const char *entry, struct gpu_shape shape,
		       const struct trial_arg *args, unsigned count);
#define trial_launch(trial, entry, shape, ...)                                            \
	trial_launch_args(trial, entry, shape, (const struct trial_arg[]){ __VA_ARGS__ }, \
			  sizeof((const struct trial_arg[]){ __VA_ARGS__ }) /             \
				  sizeof(struct trial_arg))

/*
 * Launches a kernel that has to fail with the given result. On softgpu every word of the NULL-ended
 * list must stand in the sentence about the fault.
 */
void trial_fault_args(struct trial *trial, const char *entry, struct gpu_shape shape, int expected,
		      const char *const *words, const struct trial_arg *args, unsigned count);
#define trial_fault(trial, entry, shape, result, words, ...)                                   \
	trial_fault_args(                                                                      \
		trial, entry, shape, result, words, (const struct trial_arg[]){ __VA_ARGS__ }, \
		sizeof((const struct trial_arg[]){ __VA_ARGS__ }) / sizeof(struct trial_arg))
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* After a fault: allocating, copying, launching and waiting answer with the same result. */
void trial_stays_lost(struct trial *trial, const char *entry, int expected);

/* What the kernels printed since the last call; the trial owns the text until the next call. */
const char *trial_output(struct trial *trial);

/* Limits of stack and heap, before the launch that needs them. */
void trial_limits(struct trial *trial, size_t stack_bytes, size_t heap_bytes);

/* Checks. Each notes the first difference and goes on. */
void trial_fail(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trial_expect(struct trial *trial, bool held, const char *what);
void trial_equal_u32(struct trial *trial, const char *what, const void *got, const void *expected,
		     size_t count);
void trial_equal_u64(struct trial *trial, const char *what, const void *got, const void *expected,
		     size_t count);
void trial_equal_bytes(struct trial *trial, const char *what, const void *got, const void *expected,
		       size_t bytes);
void trial_near_f32(struct trial *trial, const char *what, const float *got, const double *expected,
		    size_t count, double relative, double absolute);
void trial_near_f64(struct trial *trial, const char *what, const double *got,
		    const double *expected, size_t count, double relative, double absolute);

/* Pseudo-random numbers that are the same everywhere: xorshift64*. The state must not be 0. */
uint64_t trial_random(uint64_t *state);

#endif
