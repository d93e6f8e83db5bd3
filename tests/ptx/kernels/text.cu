// SPDX-License-Identifier: GPL-2.0-or-later
// text.cu - strings, printf, assert, malloc in kernels, trap

#include <assert.h>
#include <stdio.h>

#include "text_model.h"

struct text_results {
	int length, compared, found, distance, matches, calculated;
	long long number;
	char reversed[32], printed[72], moved[32];
};

extern "C" __global__ void strings(const char (*words)[32], const char (*sums)[32],
				   struct text_results *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	struct text_results *r = out + i;
	struct text_parser p = { sums[i] };

	r->length = text_length(words[i]);
	r->compared = text_compare(words[i], words[(i + 1) % n]);
	r->found = text_find(words[i], "an");
	r->distance = text_distance(words[i], words[(i * 5 + 2) % n]);
	r->matches = text_matches("*a?*n*", words[i]);
	r->calculated = text_sum(&p);
	r->number = text_number(sums[i]);
	text_from_number(r->number * 1234567890123ll, 2 + i % 35, r->printed);
	memcpy(r->reversed, words[i], 32);
	memcpy(r->moved, words[i], 32);
	text_reverse(r->reversed);
	text_caesar(r->moved, i % 26);
}

extern "C" __global__ void print_formats(int number, const char *word)
{
	printf("plain\n");
	printf("%d %i %u %x %X %o %c|\n", -number, number, number, number, number, number, 'Z');
	printf("%5d|%-5d|%05d|%+d|% d|%.3d|\n", number, number, number, number, number, number);
	printf("%lld %llu %llx %ld\n", -1234567890123ll, 18446744073709551615ull,
	       0xfeedfacecafebeefull, -5l);
	printf("%f %.2f %8.3f %-9.1f| %e %.3E %g %G\n", 3.25, 2.71828, -1.5, 0.05, 12345.678, 1e-9,
	       0.0001, 1e20);
	printf("%s|%10s|%-6s|%.2s|\n", "text", "right", "left", "cut off");
	printf("%s %d%% %hd %d\n", word, 50, (short)number, (char)number);
	printf("%a %A\n", 1.0, -0.15625);
	printf("%#x %#o %*d|\n", 255, 8, 6, 42);
	printf("%f %f %f\n", 1.0 / 0.0, -1.0 / 0.0, 0.0);
}

extern "C" __global__ void print_each(int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		printf("thread %d of block %d: %d\n", threadIdx.x, blockIdx.x, i * i);
}

extern "C" __global__ void print_returns(int *out)
{
	out[0] = printf("no arguments\n");
	out[1] = printf("%d and %f and %s\n", 1, 2.0, "three");
}

extern "C" __global__ void asserts(const int *in)
{
	assert(in[threadIdx.x] < 100 && "small");
}

struct node {
	int value;
	node *next;
};

// Each thread builds a list, walks and frees it.
extern "C" __global__ void lists(long long *out, int length)
{
	int t = blockIdx.x * blockDim.x + threadIdx.x;
	node *head = nullptr;
	long long sum = 0;

	for (int i = 0; i < length; i++) {
		node *n = (node *)malloc(sizeof(node));
		if (!n)
			break;
		n->value = t * i;
		n->next = head;
		head = n;
	}
	for (node *n = head; n;) {
		node *next = n->next;
		sum = sum * 3 + n->value;
		free(n);
		n = next;
	}
	out[t] = sum;
}

// The block's memory: one thread asks, all use it, another one frees.
__device__ int *shared_heap[64];

extern "C" __global__ void heap_keep(int words)
{
	__shared__ int *p;

	if (threadIdx.x == 0)
		p = new int[words];
	__syncthreads();
	for (int i = threadIdx.x; i < words; i += blockDim.x)
		p[i] = blockIdx.x * i;
	if (threadIdx.x == 0)
		shared_heap[blockIdx.x] = p;
}

extern "C" __global__ void heap_sum(int *out, int words)
{
	int *p = shared_heap[blockIdx.x], sum = 0;

	for (int i = 0; i < words; i++)
		sum += p[i];
	out[blockIdx.x] = sum;
	delete[] p;
}

extern "C" __global__ void heap_exhausted(int *out)
{
	void *p = malloc(1ull << 40);

	out[0] = p == nullptr;
	p = malloc(0);
	free(p);
	free(nullptr);
	out[1] = 7;
}

extern "C" __global__ void heap_alignment(int *out)
{
	for (int i = 0; i < 8; i++) {
		void *p = malloc(i * 5 + 1);
		out[i] = p ? (int)((unsigned long long)p % 16) : -1;
		free(p);
	}
}
