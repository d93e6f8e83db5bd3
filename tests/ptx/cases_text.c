/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_text.c - strings, printf, malloc in kernels */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/text_model.h"

struct text_results {
	int length, compared, found, distance, matches, calculated;
	long long number;
	char reversed[32], printed[72], moved[32];
};

static void expect_strings(const char (*words)[32], const char (*sums)[32], int i, int n,
			   struct text_results *r)
{
	struct text_parser p = { sums[i] };

	r->length = text_length(words[i]);
	r->compared = text_compare(words[i], words[(i + 1) % n]);
	r->found = text_find(words[i], "an");
	r->distance = text_distance(words[i], words[(i * 5 + 2) % n]);
	r->matches = text_matches("*a?*n*", words[i]);
	r->calculated = text_sum(&p);
	r->number = text_number(sums[i]);
	text_from_number(r->number * INT64_C(1234567890123), 2 + i % 35, r->printed);
	memcpy(r->reversed, words[i], 32);
	memcpy(r->moved, words[i], 32);
	text_reverse(r->reversed);
	text_caesar(r->moved, i % 26);
}

static void strings(struct trial *t)
{
	enum { N = 72 };
	static const char *const some_words[] = { "banana",
						  "a",
						  "",
						  "Pandemonium",
						  "zzzz",
						  "an",
						  "manhattan plan",
						  "The quick brown fox" };
	static const char *const some_sums[] = { "1+2*3",	    "-(4-5)*12",
						 "100/7/2",	    "((((8))))",
						 "2*(3+4*(5-6))-7", "123456",
						 "9-8-7",	    "1/0+3" };
	char(*words)[32] = trial_buffer(t, "words", N * 32),
	(*sums)[32] = trial_buffer(t, "sums", N * 32);
	struct text_results *out = trial_buffer(t, "out", N * sizeof(*out));
	static struct text_results expected[N];

	for (int i = 0; i < N; i++) {
		snprintf(words[i], 32, "%s%.*s", some_words[i % 8], i / 8, "nanotubes");
		snprintf(sums[i], 32, "%.*s%s", i / 8 % 2 * 2, "7-", some_sums[i % 8]);
	}
	for (int i = 0; i < N; i++)
		expect_strings((const char(*)[32])words, (const char(*)[32])sums, i, N,
			       &expected[i]);
	trial_limits(t, 16384, 8 << 20);
	if (trial_load(t, "text.ptx") &&
	    trial_launch(t, "strings", SHAPE(2, N / 2), BUF(words), BUF(sums), BUF(out), I32(N)))
		trial_equal_bytes(t, "out", out, expected, sizeof(expected));
}

static void expect_text(struct trial *t, const char *expected)
{
	const char *got = trial_output(t);

	if (strcmp(got, expected) != 0)
		trial_fail(t, "printed <<%s>>, not <<%s>>", got, expected);
}

static void print_formats(struct trial *t)
{
	char *word = trial_buffer(t, "word", 16);

	snprintf(word, 16, "from memory");
	if (!trial_load(t, "text.ptx"))
		return;
	trial_output(t);
	if (trial_launch(t, "print_formats", SHAPE(1, 1), I32(77), BUF(word)))
		expect_text(
			t, "plain\n"
			   "-77 77 77 4d 4D 115 Z|\n"
			   "   77|77   |00077|+77| 77|077|\n"
			   "-1234567890123 18446744073709551615 feedfacecafebeef -5\n"
			   "3.250000 2.72   -1.500 0.1      | 1.234568e+04 1.000E-09 0.0001 1E+20\n"
			   "text|     right|left  |cu|\n"
			   "from memory 50% 77 77\n"
			   "0x1p+0 -0X1.4P-3\n"
			   "0xff 010     42|\n"
			   "inf -inf 0.000000\n");
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines of different threads come in any order, but each one whole. */
static void print_each(struct trial *t)
{
	enum { N = 100 };
	char *text, *line, *rest = NULL, *lines[N + 1], expected[N][64], *sorted[N];
	int count = 0;

	if (!trial_load(t, "text.ptx"))
		return;
	trial_output(t);
	if (!trial_launch(t, "print_each", SHAPE(4, 32), I32(N)))
		return;
	text = strdup(trial_output(t));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (count <= N)
			lines[count < N ? count : N] = line;
		count++;
	}
	if (count != N) {
		trial_fail(t, "%d lines, not %d", count, N);
		free(text);
		return;
	}
	for (int i = 0; i < N; i++) {
		snprintf(expected[i], 64, "thread %d of block %d: %d", i % 32, i / 32, i * i);
		sorted[i] = expected[i];
	}
	qsort(lines, N, sizeof(*lines), compare_lines);
	qsort(sorted, N, sizeof(*sorted), compare_lines);
	for (int i = 0; i < N; i++) {
		if (strcmp(lines[i], sorted[i]) != 0)
			trial_fail(t, "printed \"%s\", not \"%s\"", lines[i], sorted[i]);
	}
	free(text);
}

/* The programming guide: printf returns the number of arguments, not of characters. */
static void print_returns(struct trial *t)
{
	int *out = trial_buffer(t, "out", 8);
	const int expected[2] = { 0, 3 };

	if (!trial_load(t, "text.ptx") || !trial_launch(t, "print_returns", SHAPE(1, 1), BUF(out)))
		return;
	trial_equal_u32(t, "out", out, expected, 2);
	expect_text(t, "no arguments\n1 and 2.000000 and three\n");
}

static void lists(struct trial *t)
{
	enum { N = 96, LENGTH = 40 };
	int64_t *out = trial_buffer(t, "out", N * 8), expected[N] = { 0 };

	for (int i = 0; i < N; i++) {
		for (int k = LENGTH - 1; k >= 0; k--)
			expected[i] = (int64_t)((uint64_t)expected[i] * 3 + (uint64_t)(i * k));
	}
	if (trial_load(t, "text.ptx") &&
	    trial_launch(t, "lists", SHAPE(3, N / 3), BUF(out), I32(LENGTH)))
		trial_equal_u64(t, "out", out, expected, N);
}

static void heap(struct trial *t)
{
	enum { BLOCKS = 10, WORDS = 700 };
	int *out = trial_buffer(t, "out", BLOCKS * 4), expected[BLOCKS];
	int *odd = trial_buffer(t, "odd", 8), *aligned = trial_buffer(t, "aligned", 32);
	const int odd_expected[2] = { 1, 7 }, aligned_expected[8] = { 0 };

	for (int i = 0; i < BLOCKS; i++)
		expected[i] = i * (WORDS * (WORDS - 1) / 2);
	if (!trial_load(t, "text.ptx"))
		return;
	/* What one kernel allocates, the next one may use and free. */
	if (trial_launch(t, "heap_keep", SHAPE(BLOCKS, 64), I32(WORDS)) &&
	    trial_launch(t, "heap_sum", SHAPE(BLOCKS, 1), BUF(out), I32(WORDS)))
		trial_equal_u32(t, "out", out, expected, BLOCKS);
	if (trial_launch(t, "heap_exhausted", SHAPE(1, 1), BUF(odd)))
		trial_equal_u32(t, "odd", odd, odd_expected, 2);
	if (trial_launch(t, "heap_alignment", SHAPE(1, 1), BUF(aligned)))
		trial_equal_u32(t, "aligned", aligned, aligned_expected, 8);
}

const struct ptx_case cases_text[] = {
	{ .name = "text.strings", .run = strings },
	{ .name = "text.print_formats", .run = print_formats },
	{ .name = "text.print_each", .run = print_each },
	{ .name = "text.print_returns", .run = print_returns },
	{ .name = "text.lists", .run = lists },
	{ .name = "text.heap", .run = heap },
	{ .name = NULL },
};
