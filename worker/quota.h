/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quota.h - how much of the GPU's memory a program holds, and whether it may have more */

#ifndef VGPU_WORKER_QUOTA_H
#define VGPU_WORKER_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cuda/cuda_abi.h"
#include "common/report_page.h"
#include "worker/budget.h"
#include "worker/claims.h"
#include "worker/gpu.h"

/*
 * A program's memory is claimed before the GPU is asked for it, and given back after the GPU has it
 * back. So the claims of a VM's programs never sum up to less than what they hold.
 */

/* What a program holds memory for. */
enum quota_part {
	QUOTA_LARGE, /* allocations of their own granules */
	QUOTA_SMALL, /* allocations that share granules */
	QUOTA_POOLS,
	QUOTA_MODULES,
	QUOTA_LIMITS, /* stacks, local memory, kernels' malloc and printf, above what a context has */
	QUOTA_PART_NUM
};

struct quota_config {
	const struct gpu_memory *rule;
	struct quota_page *page; /* of the VM, mapped; NULL: there is no quota */
	uint32_t slot;		 /* the worker's, from 0 */
	struct budget *budget;	 /* NULL: the memory is the GPU's own */
};

struct quota {
	struct quota_config config;
	struct report_memories *report;

	pthread_mutex_t lock; /* guards the fields below, and the report's about memory */
	uint64_t parts[QUOTA_PART_NUM];
	uint64_t total_bytes;
	uint64_t rest_byte_ns; /* of the report's byte_s: below a byte-second */

	/* Held while pools are looked at and charged: two threads must not overtake each other. */
	pthread_mutex_t pool_lock;
	uint64_t default_pool_bytes; /* that the default pool is charged with */
	bool pools_spare;	     /* atomic: a pool may give something back */
	unsigned pool_looks; /* atomic: how often to look for that although nothing is done */

	pthread_mutex_t limit_lock; /* guards the fields below; held while limits are changed */
	uint64_t stack_bytes, stack_base_bytes; /* of a thread */
	uint64_t heap_bytes, heap_base_bytes;
	uint64_t text_bytes, text_base_bytes;
	uint64_t local_bytes;  /* atomic: of a thread: the most that a launched kernel needs */
	uint64_t heap_to_come; /* charged, and not taken before the next module is loaded */
};

/*
 * Return: the page in a descriptor that the broker sent, mapped; NULL: it is none. The descriptor is not
 * needed any more.
 */
struct quota_page *quota_map(int fd);

/* report: where the figures are told; it outlives the quota. */
void quota_begin(struct quota *quota, const struct quota_config *config,
		 struct report_memories *report);
void quota_end(struct quota *quota);

/* Return: what an allocation takes, and in *part of which part. */
uint64_t quota_allocation(const struct gpu_memory *rule, uint64_t bytes, enum quota_part *part);

/*
 * Claims bytes. While a killed program of the VM still holds what would be enough, it waits, at most
 * two seconds. Return: CUDA_SUCCESS, CUDA_ERROR_OUT_OF_MEMORY.
 */
CUresult quota_take(struct quota *quota, enum quota_part part, uint64_t bytes);

void quota_give(struct quota *quota, enum quota_part part, uint64_t bytes);

/* Changes what the program sees of the GPU's memory to what it may have of it. */
void quota_info(struct quota *quota, uint64_t *free_bytes, uint64_t *total_bytes);

/* Return: whether the program may be refused memory that the GPU has. */
bool quota_is_bounded(const struct quota *quota);

#endif
