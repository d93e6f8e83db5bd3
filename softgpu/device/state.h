/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - what a device and each of its parts keep */

/*
 * All structs stand here, so that parts see one another's state without knowing one another's
 * functions. Each struct has one owner, the part that it is named after; others only read it, but
 * for streams' and commands' links.
 */

#ifndef VGPU_SOFTGPU_DEVICE_STATE_H
#define VGPU_SOFTGPU_DEVICE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "softgpu/device/handle.h"
#include "softgpu/device/occupancy.h"
#include "softgpu/device/print_buffer.h"
#include "softgpu/device/transfer.h"
#include "softgpu/machine/cta.h"
#include "softgpu/machine/memory.h"
#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

struct sg_program;
struct sg_stream;

/* --- marks of events --------------------------------------------------------------------- */

/*
 * One record of an event. An event points to its last one; a stream that waits keeps the one that
 * was the last when it was told to wait, so that a later record on another stream does not let it
 * go too early. The device's lock guards it.
 */
struct sg_mark {
	uint32_t references;
	bool reached;
	uint64_t time_ns; /* when it was reached */
};

/* --- commands ---------------------------------------------------------------------------- */

enum sg_command_kind {
	SG_COMMAND_LAUNCH,	  /* the engine's processors run it */
	SG_COMMAND_TRANSFER,	  /* a copier runs it, or the calling thread */
	SG_COMMAND_HOST_FUNCTION, /* the callback thread runs it */
	SG_COMMAND_WAIT_VALUE,	  /* the watch looks at its word */
	SG_COMMAND_WAIT_MARK,	  /* nothing to run: it cannot start before the mark is reached */
	SG_COMMAND_RECORD, /* this one and those below take no time and run when they start */
	SG_COMMAND_WRITE_VALUE,
	SG_COMMAND_FREE,
	SG_COMMAND_KIND_NUM,
};

struct sg_command_value {
	uint64_t address;
	uint64_t value;
	uint32_t bytes; /* 4 or 8 */
	enum softgpu_wait condition;
};

/* A calling thread that waits until it may run its own command; it owns this. */
struct sg_command_caller {
	bool started; /* run it and end it */
	bool dropped; /* the command is freed: the context has an error */
};

/*
 * Life: made by a call, appended to its stream, started once it is the first there and its
 * conditions hold, ended by sg_device_command_ended, which frees it. A started command belongs to
 * the part that runs it; the device's lock guards its links.
 */
struct sg_command {
	TAILQ_ENTRY(sg_command) in_stream;
	TAILQ_ENTRY(sg_command) in_queue; /* of the part that runs it */
	struct sg_stream *stream;
	uint64_t number; /* counts all commands of the device in the order of their submission */
	enum sg_command_kind kind;
	bool started;
	struct sg_command_caller *caller; /* TRANSFER: the thread that runs it; NULL: a copier */
	union {
		struct sg_grid *grid;
		struct sg_transfer transfer;
		struct {
			void (*function)(void *argument);
			void *argument;
		} host;
		struct sg_command_value value;
		struct sg_mark *mark; /* RECORD, WAIT_MARK: one reference */
		uint64_t address;     /* FREE */
	};
};

TAILQ_HEAD(sg_command_list, sg_command);

/* --- streams ----------------------------------------------------------------------------- */

#define SG_STREAM_MAX 65536u	  /* live streams of a device */
#define SG_STREAM_LAUNCHES 1020u  /* launches on one stream beyond which a real driver waits */
#define SG_STREAM_COMMANDS 65536u /* commands on one stream beyond which any call waits */

struct sg_stream {
	TAILQ_ENTRY(sg_stream) in_busy;	 /* while it has commands */
	struct sg_command_list commands; /* the first may be started, no other is */
	uint32_t command_count, launch_count;
	uint64_t id;
	uint32_t flags;
	int priority;
	uint32_t references; /* its handle, its commands together, each waiting call */
	bool stuck;	     /* it has commands, the first of which may not start yet */
	pthread_t thread;    /* of a per-thread stream */
	TAILQ_ENTRY(sg_stream) in_per_thread;
};

TAILQ_HEAD(sg_stream_list, sg_stream);

/* All streams of a device; the device's lock guards them. */
struct sg_streams {
	struct sg_stream legacy;
	struct sg_stream_list busy;	  /* streams with commands */
	struct sg_stream_list per_thread; /* default streams of single threads, to the end */
	uint32_t count;
	uint32_t stuck;	      /* streams whose first command may not start yet */
	uint64_t last_number; /* of a command */
	uint64_t last_id;     /* of a stream */
	bool advancing;	    /* this thread is starting commands already, further out on its stack */
	bool advance_again; /* meanwhile a command ended */
};

/* --- kernels and processors -------------------------------------------------------------- */

/*
 * A kernel that was launched. Blocks are taken in order by `next_block`; a processor that took one
 * keeps it resident until it ends. All processors together hold `resident` slots of it.
 */
struct sg_grid {
	TAILQ_ENTRY(sg_grid) in_engine; /* in the order of priority, then of their start */
	struct sg_command *command;	/* that it is of; NULL before it is submitted */
	struct sg_program *program;	/* one reference */
	struct sg_launch launch;
	unsigned char *params;
	struct sg_footprint footprint; /* of one block */
	int priority;
	bool cooperative;
	uint64_t blocks;
	atomic_uint_fast64_t next_block; /* blocks and above: all are taken */
	uint32_t resident;		 /* slots; the device's lock guards it */
	bool faulted;			 /* it does not end any more but with the context */
};

TAILQ_HEAD(sg_grid_list, sg_grid);

/* Slots of one processor: as many as it may hold blocks. */
struct sg_slot {
	struct sg_grid *grid; /* NULL: the slot is empty */
	struct sg_cta *cta;   /* NULL: it could not be made, and state is FAULT */
	enum sg_cta_state state;
	uint64_t warp_insns, lane_insns; /* of the slot's blocks that were counted already */
};

struct sg_processor {
	struct softgpu *gpu;
	uint32_t index;
	uint64_t thread;
	struct sg_slot slots[SG_OCCUPANCY_BLOCKS];
	struct sg_footprint used; /* by its slots together */
	bool stalled;		  /* no block ended in the last round: one more may be needed */
	bool in_round;		  /* it runs blocks without the lock */
	uint64_t rounds;
};

/* The device's lock guards it but for the atomics. */
struct sg_engine {
	struct sg_grid_list grids; /* started, not ended */
	struct sg_processor *processors;
	uint32_t processor_count;
	pthread_cond_t work;	     /* grids came, or the end */
	struct sg_grid *cooperative; /* the one that is being made resident or runs */
	uint64_t last_grid_id;
	uint32_t grid_count;
	uint64_t kernels_ended;
	/* Processors look at these between two steps, without the lock. */
	atomic_bool abort;	 /* let go of all blocks: the context has an error */
	atomic_uint attention;	 /* calls that wait until processors have left their round */
	atomic_int best_waiting; /* the highest priority (lowest number) of blocks not taken */
	atomic_uint_fast64_t lane_instructions;
	atomic_uint_fast64_t blocks_ended;
};

/* --- copiers ----------------------------------------------------------------------------- */

#define SG_COPIER_NUM 2u /* one for each direction, as a real device has */

/* The device's lock guards it. */
struct sg_copiers {
	struct sg_command_list queue;
	pthread_cond_t work;
	uint64_t threads[SG_COPIER_NUM];
	uint32_t started;
	/*
	 * Threads that move a part now, without the lock, by the phase in which they began it: a
	 * call that waits for all of them begins a new phase, and waits for the old one's.
	 */
	uint32_t in_part[2];
	uint32_t phase;
	uint64_t next_free_ns; /* slow-copy: when the imitated link is free again */
};

/* --- host functions ---------------------------------------------------------------------- */

/* The device's lock guards it. */
struct sg_callbacks {
	struct sg_command_list queue;
	pthread_cond_t work;
	uint64_t thread;
	bool started; /* with the first host function: most programs have none */
};

/* --- the watch --------------------------------------------------------------------------- */

/* The device's lock guards it. */
struct sg_watch {
	struct sg_command_list waiting; /* started commands of kind WAIT_VALUE */
	pthread_cond_t work;
	uint64_t thread;
	bool started;
	uint64_t looks_in_vain; /* since one was last met: the pauses grow with it */
	/* fault-late: the first fault, and when it shows; none while result is SUCCESS. */
	enum softgpu_result late_result;
	uint64_t late_ns;
	char late_text[SOFTGPU_TEXT_LEN];
};

/* --- pools ------------------------------------------------------------------------------- */

struct sg_pool {
	struct softgpu_pool *handle;
	uint64_t max_bytes; /* 0: no bound */
	uint64_t used_bytes, used_high_bytes;
	uint64_t reserved_bytes, reserved_high_bytes; /* the same in whole granules */
	uint64_t release_threshold;
	uint64_t reuse[SOFTGPU_POOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES + 1]; /* kept and read back */
	uint32_t references; /* its handle and each block */
};

/* The device's lock guards it. */
struct sg_pools {
	struct sg_pool standard; /* the default pool */
};

/* --- allocations ------------------------------------------------------------------------- */

/* Device memory that a call allocated. */
struct sg_block {
	uint64_t address;
	uint64_t bytes;
	struct sg_pool *pool; /* it counts there; NULL: none */
	bool freeing;	      /* a call has freed it, work before that may still use it */
	uint64_t number; /* freed by softgpu_mem_free: goes when commands up to this have ended */
	TAILQ_ENTRY(sg_block) in_due;
};

TAILQ_HEAD(sg_block_list, sg_block);

/* The device's lock guards it. */
struct sg_heap {
	void *blocks;		  /* tree (search.h) of struct sg_block by address */
	struct sg_block_list due; /* freed blocks in the order of their number */
	void *host_blocks;	  /* tree of host memory that softgpu_host_alloc made */
};

/* --- the device -------------------------------------------------------------------------- */

/*
 * What a part tells of, for parts that stand above it and that it does not know. Called with the
 * device's lock held.
 */
struct sg_reactions {
	/* A started command has ended; it is freed. */
	void (*command_ended)(struct softgpu *gpu, struct sg_command *command);
	/* The context has got an error: all work ends. */
	void (*failed)(struct softgpu *gpu);
};

/*
 * Theory of operation. Calls append commands to streams (stream.c). The first command of a stream
 * starts once its conditions hold; then one of these threads runs it, each kind its own: processors
 * (engine.c), copiers, the callback thread, the watch, or it is done at once. Its end lets others
 * start. One lock guards all of it. No thread holds it while it runs blocks, moves many bytes,
 * calls a host function or the caller's output; so calls never wait long for it.
 *
 * Lock order: `lock`, then the locks inside of memory (softgpu/machine/memory.h) and of print_buffer; none
 * of those is held when another is taken.
 */
struct softgpu {
	const struct sg_reactions *reactions; /* constant */
	pthread_mutex_t lock; /* guards everything below but `config`, `memory`, `print` */
	/* Broadcast when something happened that calls wait for: an end, a round, an error. */
	pthread_cond_t changed;
	struct softgpu_config config; /* constant */
	struct sg_memory *memory;     /* has its own lock */
	struct sg_print_buffer print; /* has its own lock */
	struct sg_cta_hooks hooks;    /* constant */

	enum softgpu_result error; /* the context's; stays once set */
	char error_text[SOFTGPU_TEXT_LEN];
	bool closing;

	struct sg_handles handles;
	struct sg_streams streams;
	struct sg_engine engine;
	struct sg_copiers copiers;
	struct sg_callbacks callbacks;
	struct sg_watch watch;
	struct sg_pools pools;
	struct sg_heap heap;
	uint64_t limits[SOFTGPU_LIMIT_NUM];
	struct sg_cta_heap kernel_heap; /* of malloc in kernels */
};

#endif
