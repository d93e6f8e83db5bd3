/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_faults.c - kernels that break a rule: the result, and on softgpu the sentence about it */

#include <stdio.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

/* Thread 37 of block 2 is the one that breaks the rule. */
#define GRID SHAPE(4, 64)

static const char *hexadecimal(uint64_t address)
{
	static char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	return text;
}

static int *begin(struct trial *t)
{
	int *out = trial_buffer(t, "out", 4096);

	trial_varies(t, out, "a fault leaves memory in any state");
	return trial_load(t, "faults.ptx") ? out : NULL;
}

static void read_null(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "read_null", GRID, GPU_ILLEGAL_ADDRESS,
			    WORDS("read_null", "0xc", "37", "ld.global"), U64(0), BUF(out));
}

static void write_null(struct trial *t)
{
	if (begin(t))
		trial_fault(t, "write_null", GRID, GPU_ILLEGAL_ADDRESS,
			    WORDS("write_null", "0xc", "37", "st.global"), U64(0));
}

/* One word behind the end: a real GPU notices whole pages only. */
static void write_beyond(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "write_at", GRID, GPU_ILLEGAL_ADDRESS,
			    WORDS("write_at", hexadecimal(trial_address(t, out) + 4096), "4096"),
			    BUF(out), U64(1024));
}

static void write_before(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "write_at", GRID, GPU_ILLEGAL_ADDRESS,
			    WORDS(hexadecimal(trial_address(t, out) - 4)), BUF(out), U64(-1));
}

static void write_far(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "write_at", GRID, GPU_ILLEGAL_ADDRESS, WORDS("write_at"), BUF(out),
			    U64(1ull << 44));
}

/* The last byte is inside, the one behind it is not. */
static void read_edge(struct trial *t)
{
	int *out = begin(t);
	char *odd = trial_buffer(t, "odd", 1001);

	odd[1000] = 55;
	trial_varies(t, odd, "a fault leaves memory in any state");
	if (!out || !trial_launch(t, "read_at", GRID, BUF(odd), U64(1000), BUF(out)))
		return;
	trial_expect(t, out[0] == 55, "the last byte is read");
	trial_fault(t, "read_at", GRID, GPU_ILLEGAL_ADDRESS,
		    WORDS("read_at", hexadecimal(trial_address(t, odd) + 1001)), BUF(odd),
		    U64(1001), BUF(out));
}

static void misaligned(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "misaligned", GRID, GPU_MISALIGNED_ADDRESS,
			    WORDS("misaligned", hexadecimal(trial_address(t, out) + 2), "37"),
			    BUF(out));
}

static void misaligned_wide(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "misaligned_wide", GRID, GPU_MISALIGNED_ADDRESS,
			    WORDS("misaligned_wide", hexadecimal(trial_address(t, out) + 8)),
			    BUF(out));
}

static void misaligned_atomic(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "misaligned_atomic", GRID, GPU_MISALIGNED_ADDRESS,
			    WORDS("misaligned_atomic", hexadecimal(trial_address(t, out) + 1)),
			    BUF(out));
}

static void traps(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "traps", GRID, GPU_LAUNCH_FAILED, WORDS("traps", "trap", "37"),
			    BUF(out));
}

static void asserts(struct trial *t)
{
	int *in = begin(t);

	if (!in)
		return;
	if (trial_launch(t, "asserts", SHAPE(1, 64), BUF(in))) {
		in[40] = 100;
		trial_fault(t, "asserts", SHAPE(1, 64), GPU_ASSERT, WORDS("asserts"), BUF(in));
	}
}

static void shared_beyond(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "shared_beyond", SHAPE(1, 64), GPU_ILLEGAL_ADDRESS,
			    WORDS("shared_beyond", "shared"), BUF(out), I32(70));
}

static void local_beyond(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "local_beyond", SHAPE(1, 1), GPU_ILLEGAL_ADDRESS,
			    WORDS("local_beyond", "local"), BUF(out), I32(1 << 24));
}

static void recursion(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "recursion", SHAPE(1, 1), GPU_STACK_ERROR,
			    WORDS("recursion", "stack"), BUF(out));
}

static void bad_pointer(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "bad_pointer", GRID, GPU_INVALID_PC, WORDS("bad_pointer", "call"),
			    U64(0x123450), BUF(out));
}

/* No fault: hashcat clears tables of constants so before it fills them. */
static void write_constant(struct trial *t)
{
	int fixed[4] = { 0 };
	size_t bytes;

	if (!begin(t))
		return;
	trial_launch(t, "write_constant", GRID, U64(trial_global_address(t, "fixed", &bytes)));
	trial_global_read(t, "fixed", fixed, sizeof(fixed));
	trial_expect(t, fixed[0] == 5, "the constant has been written");
}

static void barrier_missed(struct trial *t)
{
	int *out = begin(t);

	if (out)
		trial_fault(t, "barrier_missed", SHAPE(1, 64), GPU_LAUNCH_FAILED,
			    WORDS("barrier_missed", "barrier"), BUF(out));
}

/* After a fault every call answers with it: the context is lost, as on a real GPU. */
static void error_stays(struct trial *t)
{
	int *out = begin(t);

	if (!out)
		return;
	trial_fault(t, "write_null", GRID, GPU_ILLEGAL_ADDRESS, WORDS("write_null"), U64(0));
	trial_stays_lost(t, "after", GPU_ILLEGAL_ADDRESS);
}

/* The manual leaves the result of a division by zero open; it does not fault. */
static void divide(struct trial *t)
{
	int *a = trial_buffer(t, "a", 128), *b = trial_buffer(t, "b", 128);
	int *out = trial_buffer(t, "quotients", 256), expected[64];

	for (int i = 0; i < 32; i++) {
		a[i] = i * 1000 - 7;
		b[i] = i % 4 == 3 ? 0 : i - 10 == 0 ? 1 : i - 10;
		expected[i] = b[i] ? a[i] / b[i] : 0;
		expected[32 + i] = b[i] ? a[i] % b[i] : 0;
	}
	trial_varies(t, out, "the manual leaves the result of a division by zero open");
	if (!trial_load(t, "faults.ptx") ||
	    !trial_launch(t, "divide", SHAPE(1, 32), BUF(a), BUF(b), BUF(out)))
		return;
	for (int i = 0; i < 64; i++) {
		if (!b[i % 32])
			out[i] = 0;
	}
	trial_equal_u32(t, "quotients", out, expected, 64);
}

const struct ptx_case cases_faults[] = {
	{ .name = "faults.read_null", .run = read_null, .faults = true },
	{ .name = "faults.write_null", .run = write_null, .faults = true },
	{ .name = "faults.write_beyond",
	  .run = write_beyond,
	  .faults = true,
	  .softgpu_only = true },
	{ .name = "faults.write_before",
	  .run = write_before,
	  .faults = true,
	  .softgpu_only = true },
	{ .name = "faults.write_far", .run = write_far, .faults = true },
	{ .name = "faults.read_edge", .run = read_edge, .faults = true, .softgpu_only = true },
	{ .name = "faults.misaligned", .run = misaligned, .faults = true },
	{ .name = "faults.misaligned_wide", .run = misaligned_wide, .faults = true },
	{ .name = "faults.misaligned_atomic", .run = misaligned_atomic, .faults = true },
	{ .name = "faults.traps", .run = traps, .faults = true },
	{ .name = "faults.asserts", .run = asserts, .faults = true },
	{ .name = "faults.shared_beyond",
	  .run = shared_beyond,
	  .faults = true,
	  .softgpu_only = true },
	{ .name = "faults.local_beyond",
	  .run = local_beyond,
	  .faults = true,
	  .softgpu_only = true },
	{ .name = "faults.recursion", .run = recursion, .faults = true, .softgpu_only = true },
	{ .name = "faults.bad_pointer", .run = bad_pointer, .faults = true, .softgpu_only = true },
	{ .name = "faults.write_constant", .run = write_constant, .softgpu_only = true },
	{ .name = "faults.barrier_missed",
	  .run = barrier_missed,
	  .faults = true,
	  .softgpu_only = true },
	{ .name = "faults.error_stays", .run = error_stays, .faults = true },
	{ .name = "faults.divide", .run = divide },
	{ .name = NULL },
};
