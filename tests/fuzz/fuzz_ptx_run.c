/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ptx_run.c - short programs of any instructions, run for a bounded number of steps */

/*
 * The input's bytes choose instructions from the table, forms, registers, addresses and branches;
 * the text that comes of it is loaded as any other. Whatever a program does, nothing outside of
 * what it may write changes, and the block ends in one of its states.
 */

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/ptx_program.h"
#include "tests/unit/softgpu/machine.h"

#define INSNS_MAX 40
#define THREADS 48
#define SHORT_BYTES 64
#define MEMORY_RUNS 4096 /* programs that have one memory, one after the other */

/* What a program needs where its body has a word: most have few of them, and loading takes time. */
static const struct ptx_part parts[] = {
	{ "", ".version 9.0\n.target sm_100\n.address_size 64\n" },
	{ "[co", ".const .align 16 .b8 co[128] = {1, 2, 3};\n" },
	{ "[sh|%d10", ".shared .align 16 .b8 sh[256];\n" },
	{ "vprintf", ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n" },
	{ "malloc", ".extern .func (.param .b64 r) malloc(.param .b64 n);\n" },
	{ "free", ".extern .func free(.param .b64 p);\n" },
	{ " f,|%d11",
	  ".func (.reg .b32 o) f(.reg .b32 n)\n{ .reg .pred p; .reg .b32 t; setp.gt.u32 p, n, 40;\n"
	  "mov.u32 o, n; @p ret; add.u32 t, n, 7; call (t), f, (t); xor.b32 o, t, n; ret; }\n" },
	{ "",
	  ".visible .entry k(.param .u64 a)\n{ .reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<4>;\n"
	  ".reg .b64 %d<12>;\n" },
	{ "%q", ".reg .b128 %q<4>;\n" },
	{ "[lo|lo;", ".local .align 16 .b8 lo[128];\n" },
	{ "proto", "proto: .callprototype (.reg .b32 _) _ (.reg .b32 _);\n" },
	{ "",
	  "ld.param.u64 %d8, [a]; mov.u32 %r0, %tid.x; mul.wide.u32 %d9, %r0, 8; add.s64 %d9, %d8, %d9;\n"
	  "ld.global.v2.b32 {%r1, %r2}, [%d9];\n" },
	{ "%d10", "mov.u64 %d10, sh; cvta.shared.u64 %d10, %d10;\n" },
	{ "%d11", "mov.u64 %d11, f;\n" },
	{ "%d0|%d1|%q", "mov.b64 %d0, {%r1, %r2}; mov.b64 %d1, {%r2, %r0};\n" },
	{ "%d2|%d3", "mov.u64 %d2, 8; mov.u64 %d3, 1;\n" },
	{ "%h", "mov.b32 {%h0, %h1}, %r1; mov.b32 {%h2, %h3}, %r2;\n" },
	{ "%r3", "mov.u32 %r3, 3;\n" },
	{ "%p", "setp.lt.u32 %p1, %r0, 17; setp.lt.u32 %p2, %r1, %r2;\n" },
	{ "%q", "mov.b128 %q0, {%d0, %d1};\n" },
};

/* A format for vprintf: what conversions are made of, and other letters. */
static void put_format(struct ptx_text *t, const struct ptx_source *s)
{
	static const char letters[] = "%%%%dsfxXcluhgaip.*0123456789-+# nq";
	uint32_t state = 1;

	for (size_t n = 0; n < s->left; n++)
		state = state * 31 + s->at[n];
	ptx_put(t, ".global .b8 fmt[24] = {");
	for (unsigned n = 0; n < 23; n++) {
		state = state * 1664525 + 1013904223;
		ptx_put(t, "%u,", (unsigned char)letters[(state >> 16) % (sizeof(letters) - 1)]);
	}
	ptx_put(t, "0};\n");
}

static void put_program(struct ptx_text *t, struct ptx_source *s)
{
	static struct ptx_text body;
	struct ptx_source whole = *s;

	body.used = 0;
	ptx_put_body(&body, s, 1 + ptx_take(s, INSNS_MAX));
	ptx_put_part(t, &parts[0], "");
	if (strstr(body.bytes, "fmt"))
		put_format(t, &whole);
	for (size_t n = 1; n < sizeof(parts) / sizeof(parts[0]); n++)
		ptx_put_part(t, &parts[n], body.bytes);
	ptx_put(t, "%sret; }\n", body.bytes);
}

static void run(struct machine *m, const struct ptx_source *s)
{
	uint64_t buffer = machine_alloc(m, PTX_BUFFER_BYTES);
	unsigned char *host = machine_host(m, buffer);

	for (size_t n = 0; n < PTX_BUFFER_BYTES; n++)
		host[n] = (unsigned char)(n * 37 + (s->left ? s->at[n % s->left] : 0));
	m->steps_left = 4;
	m->budget = 300;
	m->resident = 2;
	m->races = s->left & 1;
	machine_run(m, "k", 2, THREADS, &buffer, sizeof(buffer));
	/* The gap behind the buffer belongs to nothing. */
	for (size_t n = PTX_BUFFER_BYTES; n < PTX_BUFFER_BYTES + SG_MEMORY_ALIGN; n++)
		REQUIRE(host[n] == 0);
	REQUIRE(sg_memory_release(m->memory, buffer) == 0);
}

/*
 * libFuzzer's name and types. The first byte says how many instructions there are: nearly always few.
 * Return: the input's new length.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t len_bytes, size_t room_bytes, unsigned seed)
{
	if (seed % 32 == 0 || room_bytes < SHORT_BYTES)
		return LLVMFuzzerMutate(input, len_bytes, room_bytes);
	len_bytes = LLVMFuzzerMutate(input, len_bytes > SHORT_BYTES ? SHORT_BYTES : len_bytes,
				     SHORT_BYTES);
	/* As good as any found: all of it is anew. */
	if (seed % 2)
		for (len_bytes = 0; len_bytes < SHORT_BYTES; len_bytes++)
			input[len_bytes] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	if (len_bytes)
		input[0] %= 5;
	return len_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct ptx_source s = { .at = input, .left = len_bytes };
	static struct ptx_text t;
	static struct sg_memory *memory; /* to map it takes longer than to run a short program */
	static unsigned used;
	uint64_t free_bytes = 0, total_bytes = 0;
	static struct machine m;
	int err;

	t.used = 0;
	put_program(&t, &s);
	err = machine_load_into(&m, memory, t.bytes, t.used);
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%s%d: line %u: %s\n", t.bytes, err, m.error.line, m.error.text);
	/* What the table lets through has a handler. */
	REQUIRE(err != -ENOTSUP || m.error.text[0]);
	if (err == 0)
		run(&m, &s);
	memory = machine_take_memory(&m);
	/*
	 * Addresses are not used again at once, so that its pages get more; and what a kernel did not
	 * free stays.
	 */
	if (memory)
		sg_memory_info(memory, &free_bytes, &total_bytes);
	if (++used % MEMORY_RUNS == 0 || free_bytes < total_bytes / 2) {
		sg_memory_free(memory);
		memory = NULL;
	}
	return 0;
}
