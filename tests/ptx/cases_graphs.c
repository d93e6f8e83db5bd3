/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_graphs.c - graphs, trees, hash tables, queues */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

enum { NODES = 700, EDGES = 2100 };

static int compare_i32(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void make_graph(int *from, int *to, int *weight)
{
	uint64_t seed = 91;

	for (int e = 0; e < EDGES; e++) {
		from[e] = e / 3;
		to[e] = (int)(trial_random(&seed) % NODES);
		weight[e] = (int)(trial_random(&seed) % 50) + 1;
	}
}

/* Bellman and Ford; with all weights 1 the distance in steps. */
static void expect_distances(const int *from, const int *to, const int *weight, int *distance)
{
	bool changed = true;

	for (int i = 0; i < NODES; i++)
		distance[i] = i ? INT_MAX : 0;
	while (changed) {
		changed = false;
		for (int e = 0; e < EDGES; e++) {
			int w = weight ? weight[e] : 1;

			if (distance[from[e]] != INT_MAX &&
			    distance[from[e]] + w < distance[to[e]]) {
				distance[to[e]] = distance[from[e]] + w;
				changed = true;
			}
		}
	}
}

static void bfs(struct trial *t)
{
	int from[EDGES], weight[EDGES], expected[NODES];
	int *to = trial_buffer(t, "to", sizeof(from)),
	    *row = trial_buffer(t, "row", (NODES + 1) * 4);
	int *distance = trial_buffer(t, "distance", NODES * 4);
	int *frontier = trial_buffer(t, "frontier", NODES * 4),
	    *next = trial_buffer(t, "next", NODES * 4);
	int *count = trial_buffer(t, "count", 4);

	make_graph(from, to, weight);
	for (int i = 0; i <= NODES; i++)
		row[i] = 3 * i;
	for (int i = 1; i < NODES; i++)
		distance[i] = -1;
	trial_varies(t, frontier, "threads append in the order in which they come");
	trial_varies(t, next, "threads append in the order in which they come");
	if (!trial_load(t, "graphs.ptx"))
		return;
	for (int level = 0, size = 1; size > 0; level++) {
		*count = 0;
		if (!trial_launch(t, "bfs_level", SHAPE((unsigned)size / 64 + 1, 64), BUF(row),
				  BUF(to), BUF(distance), I32(level), BUF(frontier), I32(size),
				  BUF(next), BUF(count)))
			return;
		size = *count;
		memcpy(frontier, next, NODES * 4);
	}
	expect_distances(from, to, NULL, expected);
	for (int i = 0; i < NODES; i++)
		expected[i] = expected[i] == INT_MAX ? -1 : expected[i];
	trial_equal_u32(t, "distance", distance, expected, NODES);
}

static void shortest_paths(struct trial *t)
{
	int *from = trial_buffer(t, "from", EDGES * 4), *to = trial_buffer(t, "to", EDGES * 4);
	int *weight = trial_buffer(t, "weight", EDGES * 4),
	    *changed = trial_buffer(t, "changed", 4);
	int *distance = trial_buffer(t, "distance", NODES * 4), expected[NODES];

	make_graph(from, to, weight);
	expect_distances(from, to, weight, expected);
	for (int i = 1; i < NODES; i++)
		distance[i] = INT_MAX;
	if (!trial_load(t, "graphs.ptx"))
		return;
	do {
		*changed = 0;
		if (!trial_launch(t, "relax", SHAPE(EDGES / 128 + 1, 128), BUF(from), BUF(to),
				  BUF(weight), I32(EDGES), BUF(distance), BUF(changed)))
			return;
	} while (*changed);
	trial_equal_u32(t, "distance", distance, expected, NODES);
}

static int root_of(const int *parent, int i)
{
	while (parent[i] != i)
		i = parent[i];
	return i;
}

static void components(struct trial *t)
{
	enum { FEW = 600 };
	int from[EDGES], to[EDGES], weight[EDGES], expected[NODES];
	int *a = trial_buffer(t, "a", FEW * 4), *b = trial_buffer(t, "b", FEW * 4);
	int *parent = trial_buffer(t, "parent", NODES * 4);

	make_graph(from, to, weight);
	for (int i = 0; i < NODES; i++)
		parent[i] = expected[i] = i;
	for (int e = 0; e < FEW; e++) {
		int x, y;

		a[e] = to[e];
		b[e] = to[e + FEW];
		x = root_of(expected, a[e]);
		y = root_of(expected, b[e]);
		expected[x > y ? x : y] = x > y ? y : x;
	}
	trial_varies(t, parent, "trees of one component may differ, their roots do not");
	if (!trial_load(t, "graphs.ptx") || !trial_launch(t, "components", SHAPE(FEW / 96 + 1, 96),
							  BUF(a), BUF(b), I32(FEW), BUF(parent)))
		return;
	for (int i = 0; i < NODES; i++)
		trial_expect(t, root_of(parent, i) == root_of(expected, i), "the same component");
}

static int depth_of(const int *keys, int count)
{
	int left[64], right[64], l = 0, r = 0, a, b;

	if (count == 0)
		return 0;
	for (int i = 1; i < count; i++) {
		if (keys[i] < keys[0])
			left[l++] = keys[i];
		else
			right[r++] = keys[i];
	}
	a = depth_of(left, l);
	b = depth_of(right, r);
	return 1 + (a > b ? a : b);
}

static void trees(struct trial *t)
{
	enum { THREADS = 64, EACH = 50, N = THREADS * EACH };
	int *keys = trial_buffer(t, "keys", N * 4), *sorted = trial_buffer(t, "sorted", N * 4);
	void *nodes = trial_buffer(t, "nodes", N * 24);
	int *depths = trial_buffer(t, "depths", THREADS * 4), expected[N], depths_expected[THREADS];
	uint64_t seed = 92;

	for (int i = 0; i < N; i++)
		expected[i] = keys[i] = (int)trial_random(&seed);
	for (int i = 0; i < THREADS; i++) {
		depths_expected[i] = depth_of(keys + i * EACH, EACH);
		qsort(expected + i * EACH, EACH, 4, compare_i32);
	}
	trial_varies(t, nodes, "pointers are addresses of this device");
	trial_limits(t, 32768, 8 << 20);
	if (trial_load(t, "graphs.ptx") &&
	    trial_launch(t, trial_argument(t), SHAPE(2, THREADS / 2), BUF(nodes), BUF(keys),
			 I32(EACH), BUF(sorted), BUF(depths))) {
		trial_equal_u32(t, "sorted", sorted, expected, N);
		trial_equal_u32(t, "depths", depths, depths_expected, THREADS);
	}
}

static void hash_chains(struct trial *t)
{
	enum { N = 2000, BUCKETS = 61 };
	uint32_t *keys = trial_buffer(t, "keys", N * 4);
	void *entries = trial_buffer(t, "entries", N * 16),
	     *buckets = trial_buffer(t, "buckets", BUCKETS * 8);
	int *locks = trial_buffer(t, "locks", BUCKETS * 4),
	    *counts = trial_buffer(t, "counts", N * 4);
	int expected[N] = { 0 }, free_locks[BUCKETS] = { 0 };
	uint64_t seed = 93;

	for (int i = 0; i < N; i++)
		keys[i] = (uint32_t)(trial_random(&seed) % 500) * 7919;
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++)
			expected[i] += keys[i] == keys[j];
	}
	trial_varies(t, entries, "pointers are addresses of this device");
	trial_varies(t, buckets, "pointers are addresses of this device");
	if (trial_load(t, "graphs.ptx") &&
	    trial_launch(t, "hash_insert", SHAPE(N / 125, 125), BUF(keys), BUF(entries),
			 BUF(buckets), BUF(locks), I32(BUCKETS), I32(N)) &&
	    trial_launch(t, "hash_count", SHAPE(N / 125, 125), BUF(keys), BUF(buckets),
			 I32(BUCKETS), BUF(counts), I32(N))) {
		trial_equal_u32(t, "counts", counts, expected, N);
		trial_equal_u32(t, "locks", locks, free_locks, BUCKETS);
	}
}

static void open_table(struct trial *t)
{
	enum { N = 3000, SLOTS = 1024 };
	uint32_t *keys = trial_buffer(t, "keys", N * 4), counts[400] = { 0 }, got[400] = { 0 };
	uint64_t *table = trial_buffer(t, "table", SLOTS * 8), seed = 94;

	for (int i = 0; i < N; i++) {
		keys[i] = (uint32_t)(trial_random(&seed) % 399) + 1;
		counts[keys[i]]++;
	}
	trial_varies(t, table, "places depend on who came first");
	if (!trial_load(t, "graphs.ptx") ||
	    !trial_launch(t, "open_table", SHAPE(N / 100, 100), BUF(keys), BUF(table),
			  U32(SLOTS - 1), I32(N)))
		return;
	for (int i = 0; i < SLOTS; i++) {
		if (table[i] >> 32 < 400)
			got[table[i] >> 32] += (uint32_t)table[i];
	}
	trial_equal_u32(t, "counts", got, counts, 400);
}

static uint64_t expect_tasks(uint64_t task)
{
	return task * task +
	       (task > 1 ? expect_tasks(task / 2) + expect_tasks(task - task / 2) : 0);
}

static void queue_of_tasks(struct trial *t)
{
	enum { TASKS_MAX = 2 * 300 };
	int *queue = trial_buffer(t, "queue", TASKS_MAX * 4), *tail = trial_buffer(t, "tail", 4);
	int *head = trial_buffer(t, "head", 4), *done = trial_buffer(t, "done", 4);
	uint64_t *sum = trial_buffer(t, "sum", 8), expected = expect_tasks(300);

	queue[0] = 300;
	*tail = 1;
	trial_varies(t, queue, "tasks come in any order");
	if (trial_load(t, "graphs.ptx") &&
	    trial_launch(t, "queue_of_tasks", SHAPE(3, 64), BUF(queue), BUF(tail), BUF(head),
			 BUF(done), BUF(sum)))
		trial_equal_u64(t, "sum", sum, &expected, 1);
}

static void lcs(struct trial *t)
{
	enum { N = 150, W = N + 1 };
	char *a = trial_buffer(t, "a", N), *b = trial_buffer(t, "b", N);
	int *table = trial_buffer(t, "table", W * W * 4);
	static int expected[W * W];
	uint64_t seed = 95;

	for (int i = 0; i < N; i++) {
		a[i] = (char)('a' + trial_random(&seed) % 4);
		b[i] = (char)('a' + trial_random(&seed) % 4);
	}
	for (int i = W; i < W * W; i++) {
		int up = expected[i - W], left = i % W ? expected[i - 1] : 0;

		if (i % W == 0)
			expected[i] = 0;
		else if (a[i / W - 1] == b[i % W - 1])
			expected[i] = expected[i - W - 1] + 1;
		else
			expected[i] = up > left ? up : left;
	}
	if (trial_load(t, "graphs.ptx") &&
	    trial_launch(t, "lcs", SHAPE(1, 96), BUF(a), BUF(b), BUF(table), I32(N)))
		trial_equal_u32(t, "table", table, expected, W * W);
}

const struct ptx_case cases_graphs[] = {
	{ .name = "graphs.bfs", .run = bfs },
	{ .name = "graphs.shortest_paths", .run = shortest_paths },
	{ .name = "graphs.components", .run = components },
	{ .name = "graphs.search_trees", .run = trees, .argument = "search_trees" },
	/*
	 * The recursive insertion that returns the root: driver 580's compiler drops most of them
	 * at its default level, and is right at level 0, so a real GPU is not asked.
	 */
	{ .name = "graphs.insert_trees",
	  .run = trees,
	  .argument = "insert_trees",
	  .softgpu_only = true },
	{ .name = "graphs.hash_chains", .run = hash_chains },
	{ .name = "graphs.open_table", .run = open_table },
	{ .name = "graphs.queue_of_tasks", .run = queue_of_tasks },
	{ .name = "graphs.lcs", .run = lcs },
	{ .name = NULL },
};
