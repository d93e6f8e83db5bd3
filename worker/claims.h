/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claims.h - a worker's claim in the page of its VM's memory */

#ifndef VGPU_WORKER_CLAIMS_H
#define VGPU_WORKER_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/quota_page.h"

/* The page may be written by other workers at any time, and hold anything. */
struct claims {
	struct quota_page *page;
	uint32_t slot; /* this worker's, from 0 */
};

enum claims_result {
	CLAIMS_TAKEN,
	CLAIMS_OVER,   /* the quota has no room for it */
	CLAIMS_ENDING, /* the same, and what a killed program holds will soon be free */
	CLAIMS_STUCK   /* another worker keeps the lock */
};

/* Return: the quota in bytes; QUOTA_NONE: there is none; 0: the page makes no sense. */
uint64_t claims_quota(const struct claims *claims);

/* Return: the sum of all slots, of this worker's own as well; at most UINT64_MAX. */
uint64_t claims_sum(const struct claims *claims);

/*
 * Sets what this worker claims, in bytes. Less than before is always taken. It may sleep while another
 * worker, which a signal may have stopped, has the lock: a second at most.
 */
enum claims_result claims_set(const struct claims *claims, uint64_t bytes);

#endif
