/* SPDX-License-Identifier: MIT */
/* vgpu_cmds.h - the commands that a program's ring carries: one table */

#ifndef VGPU_CMDS_H
#define VGPU_CMDS_H

#include <stdint.h>

#include "vgpu_channel.h"

/*
 * X(number, NAME, name, WAY, WORK, ANSWER, most bytes of the tail, fields)
 *
 * Append only: numbers and fields never change (tests/unit/wire/commands.golden).
 *
 * WAY  ISSUE: the worker's issuing thread runs it and never blocks; BLOCK: it may wait for the GPU, and
 *      a helper thread of the worker runs it; WAIT: the GPU itself writes the reply's `done`.
 * WORK GPU: it submits work to the GPU; COPY: it submits a copy between host and device; IDLE: neither.
 * ANSWER  ALWAYS: it needs a reply slot; ASKED: it is answered if it names one. An error of a command
 *      without a slot goes to the control page.
 * fields: F(type, name, KIND), in their order, without padding between them.
 *
 * KIND says how a field is judged before the command is carried out:
 *   NUMBER     the handler judges it
 *   ADDRESS    a device address, or one in the program's pieces
 *   STREAM, EVENT, MODULE, FUNCTION, POOL   a handle of that kind; STREAM also takes 0, the legacy
 *      stream, and POOL 0, the default pool
 *   NEW_STREAM, ...  a handle that is free; the program chooses its number
 *   READ_AT, READ_LEN    position in the window and bytes that the worker reads
 *   WRITE_AT, WRITE_LEN  the same, that the worker writes; at most so many bytes
 *   PIECES_AT, PIECES_LEN  the same, in whole pieces
 * Bytes at a position must lie in pieces of the program; a length of 0 needs no position.
 *
 * Values of replies stand behind each. A reply's result is the CUresult.
 */
#define VGPU_COMMAND_TABLE(X)                                                                                \
	/* Does nothing, in its turn. */                                                                     \
	X(1, NOP, nop, ISSUE, IDLE, ASKED, 0, )                                                              \
	/* Waits for all work: of the context, a stream, an event. */                                        \
	X(2, CONTEXT_SYNCHRONIZE, context_synchronize, BLOCK, IDLE, ALWAYS, 0, )                             \
	X(3, STREAM_SYNCHRONIZE, stream_synchronize, WAIT, IDLE, ALWAYS, 0,                                  \
	  F(uint32_t, stream, STREAM))                                                                       \
	X(4, EVENT_SYNCHRONIZE, event_synchronize, WAIT, IDLE, ALWAYS, 0,                                    \
	  F(uint32_t, event, EVENT))                                                                         \
	/* CUlimit. LIMIT_GET answers the value. */                                                          \
	X(5, LIMIT_SET, limit_set, BLOCK, IDLE, ALWAYS, 0,                                                   \
	  F(uint32_t, limit, NUMBER) F(uint32_t, reserved, NUMBER) F(uint64_t, value, NUMBER))               \
	X(6, LIMIT_GET, limit_get, ISSUE, IDLE, ALWAYS, 0, F(uint32_t, limit, NUMBER))                       \
	/* What kernels printed, while the control page's `text` says that some waits. Writes a run of one \
	 * kind; answers its bytes, its kind (1 stdout, 2 stderr), the bytes that still wait. */ \
	X(7, TEXT_TAKE, text_take, ISSUE, IDLE, ALWAYS, 0,                                                   \
	  F(uint64_t, at, WRITE_AT) F(uint64_t, bytes, WRITE_LEN))                                           \
	/* The program was refused a function so many times. Tail: its name, with its NUL. */                \
	X(8, REFUSED, refused, ISSUE, IDLE, ASKED, 64, F(uint32_t, times, NUMBER))                           \
                                                                                                             \
	/* MEMORY_ALLOC and _ASYNC answer the address; MEMORY_INFO free and total bytes. */                  \
	X(10, MEMORY_ALLOC, memory_alloc, ISSUE, IDLE, ALWAYS, 0, F(uint64_t, bytes, NUMBER))                \
	X(11, MEMORY_FREE, memory_free, BLOCK, IDLE, ALWAYS, 0, F(uint64_t, address, NUMBER))                \
	X(12, MEMORY_INFO, memory_info, ISSUE, IDLE, ALWAYS, 0, )                                            \
	/* pool 0: the default pool */                                                                       \
	X(13, MEMORY_ALLOC_ASYNC, memory_alloc_async, ISSUE, IDLE, ALWAYS, 0,                                \
	  F(uint64_t, bytes, NUMBER) F(uint32_t, stream, STREAM) F(uint32_t, pool, POOL))                    \
	X(14, MEMORY_FREE_ASYNC, memory_free_async, ISSUE, GPU, ASKED, 0,                                    \
	  F(uint64_t, address, NUMBER) F(uint32_t, stream, STREAM))                                          \
	/* Lets the GPU use pieces, at the address that they have in the program. */                         \
	X(15, HOST_MAP, host_map, ISSUE, IDLE, ALWAYS, 0,                                                    \
	  F(uint64_t, at, PIECES_AT) F(uint64_t, bytes, PIECES_LEN))                                         \
	X(16, HOST_UNMAP, host_unmap, BLOCK, IDLE, ALWAYS, 0,                                                \
	  F(uint64_t, at, PIECES_AT) F(uint64_t, bytes, PIECES_LEN))                                         \
                                                                                                             \
	/* The tail's bytes go to device memory. */                                                          \
	X(20, COPY_IN, copy_in, ISSUE, COPY, ASKED, 32768,                                                   \
	  F(uint64_t, to, ADDRESS) F(uint32_t, stream, STREAM))                                              \
	/* kind: which of the two are host memory, VGPU_COPY_*; both in device or window memory. */          \
	X(21, COPY, copy, ISSUE, COPY, ASKED, 0,                                                             \
	  F(uint64_t, to, ADDRESS) F(uint64_t, from, ADDRESS) F(uint64_t, bytes, NUMBER)                     \
		  F(uint32_t, kind, NUMBER) F(uint32_t, stream, STREAM))                                     \
	/* As COPY, then the GPU writes `done`: a copy whose end the program waits for. */                   \
	X(22, COPY_WAIT, copy_wait, WAIT, COPY, ALWAYS, 0,                                                   \
	  F(uint64_t, to, ADDRESS) F(uint64_t, from, ADDRESS) F(uint64_t, bytes, NUMBER)                     \
		  F(uint32_t, kind, NUMBER) F(uint32_t, stream, STREAM))                                     \
	/* A box of width_bytes x rows x planes, as CUDA_MEMCPY3D has it, whose x, y and z the program \
	 * has added. pitch_bytes: from a row to the next; height: rows from a plane to the next. */     \
	X(23, COPY_BOX, copy_box, ISSUE, COPY, ASKED, 0,                                                     \
	  F(uint64_t, to, ADDRESS) F(uint64_t, to_pitch_bytes, NUMBER)                                       \
		  F(uint64_t, to_height, NUMBER) F(uint64_t, from, ADDRESS)                                  \
			  F(uint64_t, from_pitch_bytes, NUMBER) F(uint64_t, from_height, NUMBER)             \
				  F(uint64_t, width_bytes, NUMBER) F(uint64_t, rows, NUMBER)                 \
					  F(uint64_t, planes, NUMBER) F(uint32_t, kind, NUMBER)              \
						  F(uint32_t, stream, STREAM))                               \
	/* Elements of 1, 2 or 4 bytes; width in elements. rows 1: pitch_bytes does not count. */            \
	X(24, SET, set, ISSUE, GPU, ASKED, 0,                                                                \
	  F(uint64_t, address, ADDRESS) F(uint64_t, pitch_bytes, NUMBER)                                     \
		  F(uint64_t, width, NUMBER) F(uint64_t, rows, NUMBER)                                       \
			  F(uint32_t, element_bytes, NUMBER) F(uint32_t, value, NUMBER)                      \
				  F(uint32_t, stream, STREAM))                                               \
                                                                                                             \
	/* max_bytes 0: any. attribute: CUmemPool_attribute; POOL_GET answers its value. */                  \
	X(25, POOL_CREATE, pool_create, BLOCK, IDLE, ALWAYS, 0,                                              \
	  F(uint64_t, max_bytes, NUMBER) F(uint32_t, pool, NEW_POOL))                                        \
	X(26, POOL_DESTROY, pool_destroy, BLOCK, IDLE, ALWAYS, 0, F(uint32_t, pool, POOL))                   \
	X(27, POOL_TRIM, pool_trim, BLOCK, IDLE, ALWAYS, 0,                                                  \
	  F(uint64_t, keep_bytes, NUMBER) F(uint32_t, pool, POOL))                                           \
	X(28, POOL_SET, pool_set, BLOCK, IDLE, ALWAYS, 0,                                                    \
	  F(uint64_t, value, NUMBER) F(uint32_t, pool, POOL) F(uint32_t, attribute, NUMBER))                 \
	X(29, POOL_GET, pool_get, BLOCK, IDLE, ALWAYS, 0,                                                    \
	  F(uint32_t, pool, POOL) F(uint32_t, attribute, NUMBER))                                            \
                                                                                                             \
	/* The image: PTX, cubin or fatbin. Tail: struct vgpu_load_option, as many as there are. \
	 * log_at: gets u32 bytes of the JIT's error log, u32 of its information log, then both, \
	 * without NUL. Answers the number of functions. */           \
	X(30, MODULE_LOAD, module_load, BLOCK, IDLE, ALWAYS, 4096,                                           \
	  F(uint64_t, at, READ_AT) F(uint64_t, bytes, READ_LEN) F(uint64_t, log_at, WRITE_AT)                \
		  F(uint64_t, log_bytes, WRITE_LEN) F(uint32_t, module, NEW_MODULE))                         \
	X(31, MODULE_UNLOAD, module_unload, BLOCK, IDLE, ALWAYS, 0, F(uint32_t, module, MODULE))             \
	/* Tail: the name, with its NUL. at: gets a struct vgpu_function_info and its parameters. */         \
	X(32, MODULE_FUNCTION, module_function, BLOCK, IDLE, ALWAYS, 4096,                                   \
	  F(uint64_t, at, WRITE_AT) F(uint64_t, bytes, WRITE_LEN) F(uint32_t, module, MODULE)                \
		  F(uint32_t, function, NEW_FUNCTION))                                                       \
	/* Answers address and bytes of a variable. */                                                       \
	X(33, MODULE_GLOBAL, module_global, BLOCK, IDLE, ALWAYS, 4096,                                       \
	  F(uint32_t, module, MODULE))                                                                       \
	/* Names of the module's functions from index `first` on, each with its NUL, as many as \
	 * fit. Answers how many, and their bytes. */            \
	X(34, MODULE_NAMES, module_names, BLOCK, IDLE, ALWAYS, 0,                                            \
	  F(uint64_t, at, WRITE_AT) F(uint64_t, bytes, WRITE_LEN) F(uint32_t, module, MODULE)                \
		  F(uint32_t, first, NUMBER))                                                                \
	X(35, FUNCTION_SET, function_set, ISSUE, IDLE, ALWAYS, 0,                                            \
	  F(uint32_t, function, FUNCTION) F(uint32_t, attribute, NUMBER)                                     \
		  F(int32_t, value, NUMBER))                                                                 \
	/* Answers the blocks that one multiprocessor holds at once. */                                      \
	X(36, OCCUPANCY, occupancy, ISSUE, IDLE, ALWAYS, 0,                                                  \
	  F(uint64_t, shared_bytes, NUMBER) F(uint32_t, function, FUNCTION)                                  \
		  F(uint32_t, block_threads, NUMBER) F(uint32_t, flags, NUMBER))                             \
	X(37, FUNCTION_FREE, function_free, ISSUE, IDLE, ASKED, 0,                                           \
	  F(uint32_t, function, FUNCTION))                                                                   \
                                                                                                             \
	X(40, STREAM_CREATE, stream_create, ISSUE, IDLE, ALWAYS, 0,                                          \
	  F(uint32_t, stream, NEW_STREAM) F(uint32_t, flags, NUMBER) F(int32_t, priority, NUMBER))           \
	X(41, STREAM_DESTROY, stream_destroy, ISSUE, IDLE, ASKED, 0, F(uint32_t, stream, STREAM))            \
	X(42, STREAM_QUERY, stream_query, ISSUE, IDLE, ALWAYS, 0, F(uint32_t, stream, STREAM))               \
	X(43, STREAM_WAIT_EVENT, stream_wait_event, ISSUE, GPU, ASKED, 0,                                    \
	  F(uint32_t, stream, STREAM) F(uint32_t, event, EVENT) F(uint32_t, flags, NUMBER))                  \
	/* A word of 4 or 8 bytes. flags: CUstreamWriteValue_flags, CUstreamWaitValue_flags. */              \
	X(44, STREAM_WRITE_VALUE, stream_write_value, ISSUE, GPU, ASKED, 0,                                  \
	  F(uint64_t, address, ADDRESS) F(uint64_t, value, NUMBER) F(uint32_t, bytes, NUMBER)                \
		  F(uint32_t, flags, NUMBER) F(uint32_t, stream, STREAM))                                    \
	X(45, STREAM_WAIT_VALUE, stream_wait_value, ISSUE, GPU, ASKED, 0,                                    \
	  F(uint64_t, address, ADDRESS) F(uint64_t, value, NUMBER) F(uint32_t, bytes, NUMBER)                \
		  F(uint32_t, flags, NUMBER) F(uint32_t, stream, STREAM))                                    \
	/* flags: CUevent_flags. EVENT_ELAPSED answers the bits of a float, in ms. */                        \
	X(50, EVENT_CREATE, event_create, ISSUE, IDLE, ASKED, 0,                                             \
	  F(uint32_t, event, NEW_EVENT) F(uint32_t, flags, NUMBER))                                          \
	X(51, EVENT_DESTROY, event_destroy, ISSUE, IDLE, ASKED, 0, F(uint32_t, event, EVENT))                \
	X(52, EVENT_RECORD, event_record, ISSUE, GPU, ASKED, 0,                                              \
	  F(uint32_t, event, EVENT) F(uint32_t, stream, STREAM) F(uint32_t, flags, NUMBER))                  \
	X(53, EVENT_QUERY, event_query, ISSUE, IDLE, ALWAYS, 0, F(uint32_t, event, EVENT))                   \
	X(54, EVENT_ELAPSED, event_elapsed, ISSUE, IDLE, ALWAYS, 0,                                          \
	  F(uint32_t, start, EVENT) F(uint32_t, end, EVENT))                                                 \
                                                                                                             \
	/* Tail: the parameters as the function's layout has them. flags: VGPU_LAUNCH_*. */                  \
	X(60, LAUNCH, launch, ISSUE, GPU, ASKED, 32764,                                                      \
	  F(uint32_t, function, FUNCTION) F(uint32_t, stream, STREAM) F(uint32_t, grid_x, NUMBER)            \
		  F(uint32_t, grid_y, NUMBER) F(uint32_t, grid_z, NUMBER)                                    \
			  F(uint32_t, block_x, NUMBER) F(uint32_t, block_y, NUMBER)                          \
				  F(uint32_t, block_z, NUMBER) F(uint32_t, shared_bytes, NUMBER)             \
					  F(uint32_t, flags, NUMBER))

#define VGPU_OP_ENUM(number, NAME, name, WAY, WORK, ANSWER, tail, fields) \
	VGPU_CMD_##NAME = (number),
enum vgpu_op { VGPU_COMMAND_TABLE(VGPU_OP_ENUM) VGPU_CMD_END };
#undef VGPU_OP_ENUM
#define VGPU_CMD_MOST 64u /* numbers are below this */

/* struct vgpu_cmd_launch and so on: the arguments, as they lie behind the struct vgpu_command. */
#define F(type, name, kind) type name;
#define VGPU_CMD_STRUCT(number, NAME, name, WAY, WORK, ANSWER, tail, fields) \
	struct vgpu_cmd_##name {                                             \
		fields                                                       \
	} __attribute__((packed));
VGPU_COMMAND_TABLE(VGPU_CMD_STRUCT)
#undef VGPU_CMD_STRUCT
#undef F

/* Streams without a handle: CUDA's legacy default stream. Per-thread ones have handles as others. */
#define VGPU_STREAM_LEGACY 0u

/* Handles of a kind are numbers from 1 to this; the program chooses among those that are free. */
#define VGPU_HANDLES_MOST 65535u

/* COPY, COPY_WAIT, COPY_BOX: what each end is; the driver checks it (CUmemorytype's order). */
#define VGPU_COPY_TO_WINDOW 1u /* else: device memory, or any address */
#define VGPU_COPY_FROM_WINDOW 2u

/*
 * STREAM_WRITE_VALUE: the word says how far the stream has come, and the program can ask the stream
 * instead. On a GPU that cannot write values such a command does nothing.
 */
#define VGPU_WRITE_MARK 0x80000000u

/* LAUNCH */
#define VGPU_LAUNCH_COOPERATIVE 1u

/* MODULE_LOAD's tail, or nothing: CUjit_option and value pairs that the host's compiler gets. */
struct vgpu_load_option {
	uint32_t option;
	uint32_t value;
};
#define VGPU_LOAD_OPTIONS_MOST 64u

/*
 * MODULE_LOAD's image may be a bundle of images that the host links to one: this head, then a struct
 * vgpu_bundle_part for each of its parts, then their bytes, each part's filled up to a multiple of 8.
 */
#define VGPU_BUNDLE_MAGIC 0x4b4e4cffu /* no text, no ELF file, no fatbin begins so */
#define VGPU_BUNDLE_PARTS_MOST 64u
struct vgpu_bundle {
	uint32_t magic;
	uint32_t part_num; /* 1 to VGPU_BUNDLE_PARTS_MOST */
};
struct vgpu_bundle_part {
	uint64_t bytes; /* PTX: with its NUL */
	uint32_t type;	/* CUjitInputType: 0 cubin, 1 PTX, 2 fatbin, 3 object, 4 library */
	uint32_t reserved;
};

/* What MODULE_FUNCTION writes: then parameter_num pairs of u32, offset and bytes. */
#define VGPU_FUNCTION_ATTRIBUTES 16u
#define VGPU_PARAMETERS_MOST 4096u
struct vgpu_function_info {
	int32_t attributes[VGPU_FUNCTION_ATTRIBUTES]; /* indexed by CUfunction_attribute */
	uint32_t parameter_num;
	uint32_t parameter_bytes; /* of all, laid out */
};

#endif
