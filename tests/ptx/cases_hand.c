/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_hand.c - PTX that compilers write seldom, by hand; linked texts; debug builds; asynchronous
 * copies */

#include <string.h>

#include "tests/ptx/case_tables.h"

#include "tests/ptx/kernels/control_model.h"
#include "tests/ptx/kernels/integers_model.h"

static void jump_table(struct trial *t)
{
	uint32_t *out = trial_buffer(t, "out", 96 * 4), expected[96];

	for (uint32_t i = 0; i < 96; i++) {
		expected[i] = i % 4 == 0 ? 110 : i % 4 == 2 ? 7 : 10;
		for (uint32_t k = 0; i % 4 == 2 && k < i / 4; k++)
			expected[i] = expected[i] * 3 + 1;
	}
	if (trial_load(t, "../hand/flow.ptx") &&
	    trial_launch(t, "jump_table", SHAPE(1, 96), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 96);
}

static uint32_t called(uint32_t which, uint32_t x)
{
	return which == 0 ? x + 1 : which == 1 ? 2 * x : x == 0 ? 77 : 0u - x;
}

static void calls(struct trial *t)
{
	uint32_t *out = trial_buffer(t, "out", 96 * 4), expected[96];

	for (uint32_t i = 0; i < 96; i++)
		expected[i] = 2 * called(i % 3, called(i % 3, i)) + (i & 1);
	if (trial_load(t, "../hand/flow.ptx") && trial_launch(t, "calls", SHAPE(1, 96), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 96);
}

static void scopes(struct trial *t)
{
	uint32_t *out = trial_buffer(t, "out", 64 * 4), expected[64];

	for (uint32_t i = 0; i < 64; i++)
		expected[i] = i >= 16 ? (5 + 1000) * 3 + 1000 + 1 : i;
	if (trial_load(t, "../hand/flow.ptx") && trial_launch(t, "scopes", SHAPE(1, 64), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 64);
}

static uint32_t high_word(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, 8);
	return (uint32_t)(bits >> 32);
}

/* Shuffles and votes without masks: on a real GPU from sm_70 on they are not for new programs. */
static void legacy(struct trial *t)
{
	enum { LANES = 64 };
	uint32_t *out = trial_buffer(t, "out", LANES * 32), expected[LANES][8];
	const uint32_t pair[2] = { 3, 40 };
	struct gpu_shape shape = SHAPE_SHARED(1, LANES, LANES * 4);

	for (uint32_t i = 0; i < LANES; i++) {
		uint32_t up = i % 32 < 3 ? i : i - 3, mirrored = (63 - i) ^ 1;
		float f = (float)i;

		expected[i][0] = up;
		expected[i][1] = 0xfffffff8;
		expected[i][2] = i < 32 || i / 32 * 32 < 40;
		expected[i][3] = 0;
		memcpy(&expected[i][4], &f, 4);
		expected[i][5] = high_word((double)(f * 0.5f + 1.0f));
		expected[i][6] = mirrored << 16;
		expected[i][7] = 9;
	}
	if (trial_load(t, "../hand/legacy.ptx") &&
	    trial_launch(t, "lanes", shape, BUF(out), REF(pair)))
		trial_equal_u32(t, "out", out, expected, LANES * 8);
}

static void variables(struct trial *t)
{
	uint32_t *out = trial_buffer(t, "out", 128), expected[26] = { 1, 0x22, 033, 5, 2, 0, 6 };
	const float floats[2] = { 1.5f, -2e3f };
	const double number = 3.14159265358979311600;

	expected[7] = (uint32_t)-14;
	memcpy(expected + 8, floats, 8);
	expected[10] = 0x7f800000;
	expected[11] = 9;
	expected[12] = 0x22;
	expected[13] = 033;
	expected[14] = 5;
	expected[15] = 4;
	memcpy(expected + 16, &number, 8);
	expected[20] = expected[21] = 0;
	expected[22] = (uint32_t)-2;
	expected[23] = 20;
	expected[24] = 0;
	if (trial_load(t, "../hand/variables.ptx") &&
	    trial_launch(t, "read", SHAPE(1, 1), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 26);
}

static void linked(struct trial *t)
{
	enum { N = 100 };
	static const char *const files[] = { "link_a.ptx", "link_b.ptx", NULL };
	static const char *const turned[] = { "link_b.ptx", "link_a.ptx", NULL };
	int *out = trial_buffer(t, "out", N * 4), expected[N], count;
	const int factors[4] = { 2, 3, 5, 7 };

	for (int i = 0; i < N; i++)
		expected[i] = (i % 4 == 3 ? i * 1000 : i * factors[i % 4]) + factors[(i + 1) % 4] +
			      i + 9;
	for (int round = 0; round < 2; round++) {
		if (!trial_load_linked(t, round ? turned : files) ||
		    !trial_launch(t, "linked", SHAPE(2, N / 2), BUF(out)))
			return;
		trial_equal_u32(t, "out", out, expected, N);
		trial_global_read(t, "counter", &count, sizeof(count));
		trial_expect(t, count == 200, "counter is 200");
		if (trial_launch(t, "read_counter", SHAPE(1, 1), BUF(out)))
			trial_expect(t, out[0] == 200, "the other text's kernel sees it");
	}
}

static void debugged(struct trial *t)
{
	enum { N = 300 };
	uint32_t *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", N * 4),
		 expected[N];
	uint64_t seed = 141;

	for (uint32_t i = 0; i < N; i++) {
		in[i] = (uint32_t)(trial_random(&seed) >> 42);
		expected[i] = zoo(i * 7 % ZOO_ANIMALS, in[i]);
	}
	trial_limits(t, 32768, 8 << 20);
	if (trial_load(t, "debugged.ptx") &&
	    trial_launch(t, "zoo_debugged", SHAPE(3, N / 3), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void lines(struct trial *t)
{
	enum { N = 128 };
	model_u64 *a = trial_buffer(t, "a", N * 8), *b = trial_buffer(t, "b", N * 8);
	model_u64 *out = trial_buffer(t, "out", N * INTEGERS_OUT * 8);
	static model_u64 expected[N * INTEGERS_OUT];
	uint64_t seed = 142;

	for (int i = 0; i < N; i++) {
		a[i] = trial_random(&seed) >> (i % 50);
		b[i] = trial_random(&seed) >> (i % 47);
		integers_of(a[i], b[i], expected + INTEGERS_OUT * i);
	}
	if (trial_load(t, "lines.ptx") &&
	    trial_launch(t, "operators_lines", SHAPE(1, N), BUF(a), BUF(b), BUF(out)))
		trial_equal_u64(t, "out", out, expected, N * INTEGERS_OUT);
}

static void copy_async(struct trial *t)
{
	enum { VALID = 24 };
	int *in = trial_buffer(t, "in", 128 * 4), *out = trial_buffer(t, "out", 128 * 4),
	    expected[128];

	for (int i = 0; i < 128; i++)
		in[i] = i * i + 1;
	for (int i = 0; i < 64; i++) {
		expected[i] = in[63 - i];
		expected[64 + i] = i / 4 * 4 < VALID ? in[64 + i] : 0;
	}
	if (trial_load(t, "asynchronous.ptx") &&
	    trial_launch(t, "copy_async", SHAPE(1, 64), BUF(in), BUF(out), I32(VALID)))
		trial_equal_u32(t, "out", out, expected, 128);
}

static void mbarriers(struct trial *t)
{
	enum { ROUNDS = 11, N = ROUNDS * 32 };
	int *in = trial_buffer(t, "in", N * 4), *out = trial_buffer(t, "out", N * 4), expected[N];

	for (int i = 0; i < N; i++)
		in[i] = i * 5 - 3;
	for (int i = 0; i < N; i++)
		expected[i] = in[i / 32 * 32 + 31 - i % 32] * 3;
	if (trial_load(t, "asynchronous.ptx") &&
	    trial_launch(t, "mbarriers", SHAPE(1, 64), BUF(in), BUF(out), I32(ROUNDS)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void elected(struct trial *t)
{
	int *out = trial_buffer(t, "out", 64 * 4), leaders[2] = { 0 };

	trial_varies(t, out, "the manual leaves open which lane is elected");
	if (!trial_load(t, "asynchronous.ptx") ||
	    !trial_launch(t, "elected", SHAPE(1, 64), BUF(out)))
		return;
	for (int i = 0; i < 64; i++) {
		leaders[i / 32] += out[i] / 10 % 10;
		trial_expect(t, out[i] / 100 == 1 && out[i] % 10 == 1, "one lane is elected");
	}
	trial_expect(t, leaders[0] == 1 && leaders[1] == 1, "the elected lane is the one named");
}

static void special(struct trial *t)
{
	int *out = trial_buffer(t, "out", 3 * 64 * 8 * 4), expected[64 * 8];

	for (int i = 0; i < 64 * 8; i++)
		expected[i] = 1;
	if (trial_load(t, "asynchronous.ptx") &&
	    trial_launch(t, "special", SHAPE_SHARED(3, 64, 512), BUF(out), I32(512)))
		trial_equal_u32(t, "out", out, expected, 64 * 8);
}

/* Fences, cache policies and their like change nothing that one can see: the kernel has to run. */
static void ordered(struct trial *t)
{
	uint32_t *data = trial_buffer(t, "data", 64 * 4), *out = trial_buffer(t, "out", 64 * 4);
	uint32_t expected[64];

	for (uint32_t i = 0; i < 64; i++) {
		data[i] = i * 77;
		expected[i] = i * 77 + 1;
	}
	if (trial_load(t, "../hand/rare.ptx") &&
	    trial_launch(t, "ordered", SHAPE(1, 64), BUF(data), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 64);
}

static void stacks(struct trial *t)
{
	uint64_t *out = trial_buffer(t, "out", 40 * 8), expected[40];

	for (int i = 0; i < 40; i++)
		expected[i] = 999 * 1000 / 2;
	trial_limits(t, 16384, 8 << 20);
	if (trial_load(t, "../hand/rare.ptx") && trial_launch(t, "stacks", SHAPE(1, 40), BUF(out)))
		trial_equal_u64(t, "out", out, expected, 40);
}

static void states(struct trial *t)
{
	uint32_t *in = trial_buffer(t, "in", 64 * 4), *out = trial_buffer(t, "out", 64 * 4);
	uint32_t expected[64];

	for (uint32_t i = 0; i < 64; i++) {
		in[i] = i * i;
		expected[i] = i * i * 1000 + 66;
	}
	if (trial_load(t, "../hand/rare.ptx") &&
	    trial_launch(t, "states", SHAPE(1, 64), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 64);
}

const struct ptx_case cases_hand[] = {
	{ .name = "hand.jump_table", .run = jump_table },
	{ .name = "hand.calls", .run = calls },
	{ .name = "hand.scopes", .run = scopes },
	{ .name = "hand.legacy", .run = legacy },
	/* NVIDIA's assembler runs nested lists together; the manual fills up each row, as C does. */
	{ .name = "hand.variables", .run = variables, .softgpu_only = true },
	{ .name = "hand.linked", .run = linked },
	{ .name = "hand.debugged", .run = debugged },
	{ .name = "hand.lines", .run = lines },
	{ .name = "hand.copy_async", .run = copy_async },
	{ .name = "hand.mbarriers", .run = mbarriers },
	{ .name = "hand.elected", .run = elected },
	{ .name = "hand.special", .run = special },
	{ .name = "hand.ordered", .run = ordered },
	{ .name = "hand.stacks", .run = stacks },
	{ .name = "hand.states", .run = states },
	{ .name = NULL },
};
