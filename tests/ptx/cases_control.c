/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_control.c - the control-flow zoo, calls of every kind, locks between lanes and blocks */

#include <stdio.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/kernels/control_model.h"

static void zoo_one(struct trial *t)
{
	enum { N = 500 };
	uint32_t *in = trial_buffer(t, "in", N * sizeof(*in));
	uint32_t *out = trial_buffer(t, "out", N * sizeof(*out));
	uint32_t expected[N];
	char what[32];
	uint64_t seed = 31;

	for (int i = 0; i < N; i++)
		in[i] = (uint32_t)(trial_random(&seed) >> (32 + i % 24));
	trial_limits(t, 16384, 8 << 20);
	if (!trial_load(t, "control.ptx"))
		return;
	for (uint32_t animal = 0; animal < ZOO_ANIMALS; animal++) {
		for (int i = 0; i < N; i++)
			expected[i] = zoo(animal, in[i]);
		snprintf(what, sizeof(what), "animal %u", animal);
		if (!trial_launch(t, "zoo_one", SHAPE(5, 100), U32(animal), BUF(in), BUF(out)))
			return;
		trial_equal_u32(t, what, out, expected, N);
	}
}

static void zoo_mixed(struct trial *t)
{
	enum { N = 1500 };
	uint32_t *in = trial_buffer(t, "in", N * sizeof(*in));
	uint32_t *out = trial_buffer(t, "out", N * sizeof(*out));
	uint32_t expected[N];
	uint64_t seed = 32;

	for (uint32_t i = 0; i < N; i++) {
		in[i] = (uint32_t)(trial_random(&seed) >> 40);
		expected[i] = zoo(i * 7 % ZOO_ANIMALS, in[i]);
	}
	trial_limits(t, 16384, 8 << 20);
	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "zoo_mixed", SHAPE(15, 100), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void by_pointer(struct trial *t)
{
	enum { N = 320, LENGTH = 23 };
	uint32_t *program = trial_buffer(t, "program", LENGTH * sizeof(*program));
	uint32_t *data = trial_buffer(t, "data", N * sizeof(*data)), expected[N];
	uint64_t seed = 33;

	for (int k = 0; k < LENGTH; k++)
		program[k] = (uint32_t)trial_random(&seed) & 3;
	for (int i = 0; i < N; i++) {
		uint32_t x = data[i] = (uint32_t)trial_random(&seed);

		for (int k = 0; k < LENGTH; k++) {
			uint32_t op = program[(i + k) % LENGTH];

			x = op == 0 ? 2 * x : op == 1 ? x + 1 : op == 2 ? x * x : ~x;
		}
		expected[i] = x;
	}
	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "by_pointer", SHAPE(5, 64), BUF(program), BUF(data), I32(LENGTH)))
		trial_equal_u32(t, "data", data, expected, N);
}

static void virtual_calls(struct trial *t)
{
	enum { N = 200 };
	int *out = trial_buffer(t, "out", N * sizeof(*out)), expected[N];

	for (int i = 0; i < N; i++) {
		int area = i % 3 ? i * (i + 1) : i * i;

		expected[i] = area + area * (i % 5) - (i % 3 ? 1 : 0);
	}
	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "virtual_calls", SHAPE(4, 50), BUF(out)))
		trial_equal_u32(t, "out", out, expected, N);
}

static void spin_lock(struct trial *t)
{
	int *lock = trial_buffer(t, "lock", sizeof(*lock));
	int *counter = trial_buffer(t, "counter", sizeof(*counter));
	const int expected = 6 * 64 * 3 + 4 * 96;

	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "spin_lock", SHAPE(6, 64), BUF(lock), BUF(counter), I32(3)) &&
	    trial_launch(t, "spin_lock_done_flag", SHAPE(4, 96), BUF(lock), BUF(counter)))
		trial_equal_u32(t, "counter", counter, &expected, 1);
}

static void ticket_lock(struct trial *t)
{
	enum { N = 128 };
	uint32_t *next = trial_buffer(t, "next", sizeof(*next));
	uint32_t *serving = trial_buffer(t, "serving", sizeof(*serving));
	uint32_t *order = trial_buffer(t, "order", N * sizeof(*order)), expected[N];
	uint32_t *at = trial_buffer(t, "at", sizeof(*at));

	for (uint32_t i = 0; i < N; i++)
		expected[i] = i;
	if (trial_load(t, "control.ptx") && trial_launch(t, "ticket_lock", SHAPE(2, 64), BUF(next),
							 BUF(serving), BUF(order), BUF(at)))
		trial_equal_u32(t, "order", order, expected, N);
}

static void relays(struct trial *t)
{
	enum { LANES = 64, BLOCKS = 8, ROUNDS = 5 };
	int *turn = trial_buffer(t, "turn", sizeof(*turn));
	int *out = trial_buffer(t, "out", 3 * LANES * sizeof(*out)), expected[3 * LANES];
	int *flag = trial_buffer(t, "flag", sizeof(*flag)),
	    *sum = trial_buffer(t, "sum", sizeof(*sum));
	uint32_t sum_expected = 0;

	for (int i = 0; i < 3 * LANES; i++)
		expected[i] = i / LANES * LANES + LANES - 1 - i % LANES;
	for (uint32_t i = 0; i < BLOCKS * ROUNDS; i++)
		sum_expected = sum_expected * 3 + i % BLOCKS;
	if (!trial_load(t, "control.ptx"))
		return;
	if (trial_launch(t, "lane_relay", SHAPE(1, LANES), BUF(turn), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 3 * LANES);
	if (trial_launch(t, "block_relay", SHAPE(BLOCKS, 40), BUF(flag), BUF(sum), I32(ROUNDS)))
		trial_equal_u32(t, "sum", sum, &sum_expected, 1);
}

static void early_exit(struct trial *t)
{
	enum { N = 450 };
	int *out = trial_buffer(t, "out", 512 * sizeof(*out)), expected[512] = { 0 };

	for (int i = 0; i < N; i++)
		expected[i] = i % 5 == 3 ? -1 : i;
	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "early_exit", SHAPE(4, 128), BUF(out), I32(N)))
		trial_equal_u32(t, "out", out, expected, 512);
}

static void divergent_shuffle(struct trial *t)
{
	int *in = trial_buffer(t, "in", 32 * sizeof(*in)),
	    *out = trial_buffer(t, "out", 32 * sizeof(*out));
	int value[32], expected[32];

	for (int i = 0; i < 32; i++)
		in[i] = i * i * 13 + 7;
	for (int i = 0; i < 32; i++)
		value[i] = i & 1 ? in[31] + in[i ^ 2] : in[0] - in[i + 2 > 31 ? i : i + 2];
	for (int i = 0; i < 32; i++)
		expected[i] = value[i ? i - 1 : 0];
	if (trial_load(t, "control.ptx") &&
	    trial_launch(t, "divergent_shuffle", SHAPE(1, 32), BUF(in), BUF(out)))
		trial_equal_u32(t, "out", out, expected, 32);
}

const struct ptx_case cases_control[] = {
	{ .name = "control.zoo_one", .run = zoo_one },
	{ .name = "control.zoo_mixed", .run = zoo_mixed },
	{ .name = "control.by_pointer", .run = by_pointer },
	{ .name = "control.virtual_calls", .run = virtual_calls },
	{ .name = "control.spin_lock", .run = spin_lock },
	{ .name = "control.ticket_lock", .run = ticket_lock },
	{ .name = "control.relays", .run = relays },
	{ .name = "control.early_exit", .run = early_exit },
	{ .name = "control.divergent_shuffle", .run = divergent_shuffle },
	{ .name = NULL },
};
