// SPDX-License-Identifier: GPL-2.0-or-later
// graphs.cu - graphs, trees, hash tables: pointers, locks, recursion, queues

extern "C" __global__ void bfs_level(const int *row, const int *column, int *distance, int level,
				     const int *frontier, int count, int *next, int *next_count)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= count)
		return;
	int node = frontier[i];
	for (int e = row[node]; e < row[node + 1]; e++) {
		int to = column[e];

		if (atomicCAS(&distance[to], -1, level + 1) == -1)
			next[atomicAdd(next_count, 1)] = to;
	}
}

extern "C" __global__ void relax(const int *from, const int *to, const int *weight, int edges,
				 int *distance, int *changed)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= edges || distance[from[i]] == 0x7fffffff)
		return;
	int through = distance[from[i]] + weight[i];
	if (atomicMin(&distance[to[i]], through) > through)
		*changed = 1;
}

// Union-find with hooking and path halving, all edges at once.
extern "C" __global__ void components(const int *from, const int *to, int edges, int *parent)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= edges)
		return;
	int a = from[i], b = to[i];
	for (;;) {
		while (a != ((volatile int *)parent)[a])
			a = ((volatile int *)parent)[a];
		while (b != ((volatile int *)parent)[b])
			b = ((volatile int *)parent)[b];
		if (a == b)
			break;
		int high = max(a, b), low = min(a, b);
		if (atomicCAS(&parent[high], high, low) == high)
			break;
	}
}

struct tree {
	int key;
	tree *left, *right;
};

static __device__ __noinline__ int depth(const tree *t)
{
	return t ? 1 + max(depth(t->left), depth(t->right)) : 0;
}

static __device__ __noinline__ void walk(const tree *t, int *out, int *at)
{
	if (!t)
		return;
	walk(t->left, out, at);
	out[(*at)++] = t->key;
	walk(t->right, out, at);
}

static __device__ __noinline__ tree *insert(tree *root, tree *added)
{
	if (!root)
		return added;
	if (added->key < root->key)
		root->left = insert(root->left, added);
	else
		root->right = insert(root->right, added);
	return root;
}

static __device__ void hang(tree **root, tree *added)
{
	while (*root)
		root = added->key < (*root)->key ? &(*root)->left : &(*root)->right;
	*root = added;
}

extern "C" __global__ void search_trees(tree *nodes, const int *keys, int each, int *sorted, int *depths)
{
	int t = blockIdx.x * blockDim.x + threadIdx.x, at = 0;
	tree *root = nullptr, *mine = nodes + t * each;

	for (int i = 0; i < each; i++) {
		mine[i].key = keys[t * each + i];
		mine[i].left = mine[i].right = nullptr;
		hang(&root, &mine[i]);
	}
	depths[t] = depth(root);
	walk(root, sorted + t * each, &at);
}

extern "C" __global__ void insert_trees(tree *nodes, const int *keys, int each, int *sorted, int *depths)
{
	int t = blockIdx.x * blockDim.x + threadIdx.x, at = 0;
	tree *root = nullptr, *mine = nodes + t * each;

	for (int i = 0; i < each; i++) {
		mine[i].key = keys[t * each + i];
		mine[i].left = mine[i].right = nullptr;
		root = insert(root, &mine[i]);
	}
	depths[t] = depth(root);
	walk(root, sorted + t * each, &at);
}

struct entry {
	unsigned key, value;
	entry *next;
};

// Chains under a lock for each bucket.
extern "C" __global__ void hash_insert(const unsigned *keys, entry *entries, entry **buckets,
				       int *locks, int buckets_count, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= n)
		return;
	unsigned at = keys[i] * 2654435761u % buckets_count;
	entries[i].key = keys[i];
	entries[i].value = i;
	for (bool done = false; !done;) {
		if (atomicCAS(&locks[at], 0, 1) == 0) {
			__threadfence();
			entries[i].next = *(entry * volatile *)&buckets[at];
			__threadfence();
			*(entry * volatile *)&buckets[at] = &entries[i];
			__threadfence();
			atomicExch(&locks[at], 0);
			done = true;
		}
	}
}

extern "C" __global__ void hash_count(const unsigned *keys, entry *const *buckets, int buckets_count,
				      int *counts, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x, count = 0;

	if (i >= n)
		return;
	for (const entry *e = buckets[keys[i] * 2654435761u % buckets_count]; e; e = e->next)
		count += e->key == keys[i];
	counts[i] = count;
}

// Open addressing without locks: 64-bit compare-and-swap of key and value together.
extern "C" __global__ void open_table(const unsigned *keys, unsigned long long *table, unsigned mask,
				      int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= n)
		return;
	unsigned at = keys[i] * 2246822519u & mask;
	for (;;) {
		unsigned long long seen = table[at];

		if (seen == 0 || (unsigned)(seen >> 32) == keys[i]) {
			unsigned long long next = seen == 0 ? (unsigned long long)keys[i] << 32 | 1 : seen + 1;
			if (atomicCAS(&table[at], seen, next) == seen)
				return;
		} else {
			at = (at + 1) & mask;
		}
	}
}

// A work queue that feeds itself: threads take tasks until all are done.
extern "C" __global__ void queue_of_tasks(int *queue, int *tail, int *head, int *done,
					  unsigned long long *sum)
{
	for (;;) {
		if (*(volatile int *)done == *(volatile int *)tail)
			return;
		int at = *(volatile int *)head;
		if (at >= *(volatile int *)tail || atomicCAS(head, at, at + 1) != at)
			continue;
		int task;
		while ((task = ((volatile int *)queue)[at]) == 0)
			;
		atomicAdd(sum, (unsigned long long)task * task);
		if (task > 1) {
			int to = atomicAdd(tail, 2);
			((volatile int *)queue)[to] = task / 2;
			((volatile int *)queue)[to + 1] = task - task / 2;
		}
		__threadfence();
		atomicAdd(done, 1);
	}
}

// Longest common subsequence by waves over anti-diagonals.
extern "C" __global__ void lcs(const char *a, const char *b, int *table, int n)
{
	int w = n + 1;

	for (int d = 2; d <= 2 * n; d++) {
		for (int i = max(1, d - n) + threadIdx.x; i <= min(n, d - 1); i += blockDim.x) {
			int j = d - i;

			table[i * w + j] = a[i - 1] == b[j - 1] ?
						   table[(i - 1) * w + j - 1] + 1 :
						   max(table[(i - 1) * w + j], table[i * w + j - 1]);
		}
		__syncthreads();
	}
}
