/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.h - counters and histograms since the start, as Prometheus wants them */

#ifndef VGPUD_VM_STATS_H
#define VGPUD_VM_STATS_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/ledger/ledger.h"

/* Upper bounds of the buckets, in nanoseconds; one more counts what is above the last. */
#define STATS_BOUND_NUM 18
extern const uint64_t stats_bound_ns[STATS_BOUND_NUM];

struct stats_histogram {
	uint64_t count[STATS_BOUND_NUM + 1]; /* each bucket by itself, not added up */
	uint64_t sum_ns;
};

/* One VM's requests in one pool at one priority. Counters never go down. */
struct stats_series {
	SLIST_ENTRY(stats_series) link;
	uint8_t pool; /* 'A' */
	uint8_t priority;
	uint64_t ended[VGPU_ERROR_NUM]; /* requests by status */
	struct stats_histogram wait, exec, total;
};

SLIST_HEAD(stats, stats_series);

void stats_init(struct stats *stats);
void stats_free(struct stats *stats);

/* Counts a request that has ended; one that finds no memory for a new series is not counted. */
void stats_count(struct stats *stats, const struct ledger_request *row);

#endif
