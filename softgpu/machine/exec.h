/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.h - the machine's inside: what a block, its warps and their groups of lanes are made of */

/*
 * Theory of operation
 *
 * The lanes of a warp that stand at the same instruction of the same call form a *group*. A warp
 * starts with one group; a branch that lanes take differently splits one in two; groups that meet
 * again at the same instruction of the same call are joined. One group of a warp runs at a time: of
 * those that can, the one in the deepest call, there the one with the lowest program counter, since
 * the code that others have still to come to is then above it. That alone would let a loop that
 * waits for another lane starve that lane. So each warp counts a quantum; when it is used up, the
 * group that has not run for longest runs alone for a while.
 *
 * A *call* holds the registers of the lanes that made a call together: they share its memory, as
 * each lane has its own place in every register. Lanes that come to the same call later join it
 * while it lasts, so that they can be joined again inside.
 *
 * Handlers run an instruction for the lanes in `mask` and return what is to happen next.
 */

#ifndef VGPU_SOFTGPU_MACHINE_EXEC_H
#define VGPU_SOFTGPU_MACHINE_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "softgpu/machine/block.h"
#include "softgpu/machine/memory.h"
#include "softgpu/ptx/code.h"

#define SG_EXEC_ALL UINT32_MAX
#define SG_EXEC_BARRIERS 16

/* What a handler returns. */
enum sg_exec_next {
	SG_EXEC_GO,    /* go on with the next instruction */
	SG_EXEC_JUMP,  /* warp->jump is the next instruction of all lanes in mask: the guard was on
			*/
	SG_EXEC_TURN,  /* the group's list or states have changed: choose a group again */
	SG_EXEC_FAULT, /* the block's fault is filled in */
};

struct sg_exec_warp;
struct sg_cta;

/*
 * insn: to run. frame: the registers of the group's call. mask: lanes, at least one.
 * Handlers of arithmetic touch nothing but the frame: warp may then be NULL.
 */
typedef int sg_exec_handler(struct sg_exec_warp *warp, const struct sg_code_insn *insn,
			    unsigned char *frame, uint32_t mask);

/* An active call: registers for all lanes of a warp that are in it. */
struct sg_exec_call {
	LIST_ENTRY(sg_exec_call) siblings; /* of the parent's children; or in the block's spares */
	LIST_HEAD(sg_exec_children, sg_exec_call) children;
	struct sg_exec_call *parent; /* NULL: the kernel itself */
	const struct sg_code_function *function;
	const struct sg_code_call *site; /* where the results go */
	uint32_t return_pc;
	uint32_t lanes;		  /* that are in it or in a call from it */
	uint32_t depth;		  /* 0: the kernel */
	uint32_t local_base;	  /* of its frame in each lane's local memory */
	uint32_t local_top;	  /* end of it, alloca included */
	uint32_t capacity;	  /* bytes of registers that fit */
	unsigned char *registers; /* aligned to 64, constants in place */
};

enum sg_exec_wait {
	SG_EXEC_READY,
	SG_EXEC_AT_BARRIER, /* of the block: number in group.barrier */
	SG_EXEC_AT_SYNC,    /* of the warp: waits for other lanes named in a mask */
	SG_EXEC_ASLEEP,	    /* until group.wake_ns */
};

struct sg_exec_group {
	struct sg_exec_call *call;
	uint32_t pc;
	uint32_t mask; /* its lanes, never 0 */
	enum sg_exec_wait wait;
	uint32_t barrier;
	uint64_t wake_ns;
	uint64_t turn; /* when it ran last, by the warp's count of turns */
};

struct sg_exec_warp {
	struct sg_cta *cta;
	uint32_t number;
	uint32_t threads; /* lanes that exist */
	uint32_t live;	  /* lanes that have not exited */
	uint32_t group_count;
	uint32_t current; /* index of the group that runs */
	uint32_t jump;
	int32_t quantum; /* points left until another group must have a turn */
	bool alone;	 /* the current group's turn lasts until its quantum ends */
	uint64_t turns;
	uint32_t carry;		   /* the condition code's carry flag of each lane */
	uint64_t epoch;		   /* counts synchronisations of the warp, for race reports */
	struct sg_exec_call *root; /* of the kernel itself, while a lane lives */
	unsigned char *local;	   /* SG_LANES times local_capacity bytes */
	uint32_t local_capacity;
	struct sg_exec_group groups[SG_LANES];
	uint32_t tid[3][SG_LANES];
};

/* A barrier of the block. */
struct sg_exec_barrier {
	uint32_t expected; /* threads; 0: all that live */
	uint32_t arrived;  /* threads */
	uint32_t popc;	   /* of predicates, for bar.red */
	uint32_t voters;
};

/*
 * From sm_80 on a block has 1 KiB of shared memory that belongs to the system: cooperative groups
 * keep the barriers of tiles of several warps there, and find it by %reserved_smem_offset_1. It lies
 * far behind what a kernel may have, so that an overrun does not end in it.
 */
#define SG_EXEC_RESERVED_AT 0x100000u
#define SG_EXEC_RESERVED_BYTES 1024u

struct sg_cta {
	const struct sg_launch *launch;
	uint32_t index[3];
	uint32_t sm;
	uint32_t threads, live; /* of the block; those that have not exited */
	uint32_t warp_count;
	uint32_t next_warp; /* to have its turn at the next step */
	uint32_t shared_bytes;
	unsigned char *shared; /* shared_bytes, then from `reserved` on the system's */
	uint32_t reserved;     /* offset from `shared` */
	struct sg_memory_cache cache;
	struct sg_exec_barrier barriers[SG_EXEC_BARRIERS];
	struct sg_exec_children spares; /* calls that are not in use */
	uint32_t spare_count;
	struct sg_exec_race *race; /* NULL: not asked for */
	bool sleepers;		   /* a group may be asleep */
	uint64_t wake_ns;
	uint64_t start_ns;
	uint64_t warp_insns, lane_insns;
	struct sg_fault fault;
	struct sg_exec_warp *warps;
};

#define SG_EXEC_LANES(frame, slot, T) ((T *)(void *)((frame) + (slot)))

static inline struct sg_exec_group *sg_exec_group(struct sg_exec_warp *w)
{
	return &w->groups[w->current];
}

/* exec_call.c: calls and their registers. */

/* Return: a call of a function with constants in place, lanes 0; NULL no memory. */
struct sg_exec_call *sg_exec_call_new(struct sg_cta *cta, const struct sg_code_function *function);
/* Put a call and those made from it among the spares. */
void sg_exec_call_end(struct sg_cta *cta, struct sg_exec_call *call);
/*
 * Make room for `top` bytes of local memory in each lane. insn: what asks for it, NULL: the start.
 * Return: false with the block's fault.
 */
bool sg_exec_call_local(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint64_t top);
sg_exec_handler sg_exec_call, sg_exec_ret, sg_exec_exit, sg_exec_alloca, sg_exec_stacksave,
	sg_exec_stackrestore;

/* exec_group.c: splitting, joining and choosing groups. */

/* Choose the group that runs next. Return: false if none can. */
bool sg_exec_choose(struct sg_exec_warp *w);
/* Take lanes out of the current group into one of its own at pc. The rest keeps its place. */
struct sg_exec_group *sg_exec_split(struct sg_exec_warp *w, uint32_t lanes, uint32_t pc);
void sg_exec_drop_group(struct sg_exec_warp *w, uint32_t index);
/* Where the current group's straight run ends: the lowest pc of others that it may come to. */
uint32_t sg_exec_stop_pc(const struct sg_exec_warp *w);
sg_exec_handler sg_exec_bra, sg_exec_brx, sg_exec_nanosleep;

/* exec_fault.c: what went wrong, in words. */

/*
 * Fill in the block's fault, for one lane; the first one stays.
 * insn: NULL when none is to blame. what: a clause, lower case. Return: SG_EXEC_FAULT.
 */
int sg_exec_fault(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		  enum sg_fault_code code, const char *what, ...)
	__attribute__((format(printf, 5, 6)));
/* The same for an access to memory; text names the address, its space and what lies nearest. */
int sg_exec_fault_access(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			 enum sg_fault_code code, uint64_t addr, uint32_t bytes, const char *what);
/* "kernel k, block (0,0,0), thread (1,0,0)". */
void sg_exec_where(const struct sg_exec_warp *w, unsigned lane, char *text, size_t text_bytes);
sg_exec_handler sg_exec_trap, sg_exec_brkpt;

/* exec_memory.c: where addresses lead; lanes_memory.h has ld and st. */

/*
 * Check one lane's access in an instruction's space.
 * Return: the host pointer, or NULL with the block's fault.
 */
unsigned char *sg_exec_at(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			  uint64_t addr, uint32_t bytes, bool write);
/* Check one lane's access by its generic address. faults: report it, else just return NULL. */
unsigned char *sg_exec_generic(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			       unsigned lane, uint64_t addr, uint64_t bytes, bool write,
			       bool faults);
/*
 * Check every lane of mask by itself, for an instruction in any space.
 * at: host addresses; lanes outside of mask repeat another one's.
 * Return: false with the block's fault.
 */
bool sg_exec_aim_each(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint32_t mask,
		      const uint64_t addr[SG_LANES], uint32_t bytes, bool write,
		      uintptr_t at[SG_LANES]);
/*
 * Check a range that holds several lanes' accesses.
 * Return: the host address of its start; NULL if not all of it may be accessed, or if lanes of this
 * space have memory of their own: ask for each lane then.
 */
unsigned char *sg_exec_aim_range(struct sg_exec_warp *w, const struct sg_code_insn *insn,
				 uint64_t low, uint64_t bytes, bool write);
sg_exec_handler *sg_exec_memory_bind(const struct sg_code_insn *insn);

/* The other families: each gives the handler of an instruction, or NULL. */
sg_exec_handler *sg_exec_atomic_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_warp_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_barrier_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_mbarrier_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_move_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_convert_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_slow_bind(const struct sg_code_insn *insn);
sg_exec_handler *sg_exec_video_bind(const struct sg_code_insn *insn);

/* exec_warp.c: releases what waited for lanes that have exited. */
void sg_exec_warp_left(struct sg_exec_warp *w);

/* exec_barrier.c: completes barriers that wait for no other thread any more. */
void sg_exec_barrier_left(struct sg_cta *cta);

/* exec_print.c: functions that the machine has in itself. */
int sg_exec_builtin(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask, const struct sg_code_call *site);

/* exec_race.c: conflicting accesses to shared memory. */
int sg_exec_race_new(struct sg_cta *cta);
void sg_exec_race_free(struct sg_cta *cta);
void sg_exec_race_reset(struct sg_cta *cta);
void sg_exec_race_access(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			 uint32_t offset, uint32_t bytes, bool write, bool atomic);
/* All threads of the block have met at a barrier. */
void sg_exec_race_barrier(struct sg_cta *cta);

#endif
