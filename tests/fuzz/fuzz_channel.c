/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_channel.c - any commands in a program's ring: its worker goes on or ends, and touches nothing else */

#include <poll.h>
#include <sched.h>
#include <stdbool.h>

#include "common/wire/cmds_check.h"
#include "softgpu/softgpu.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/worker/guest.h"
#include "worker/gpu_soft.h"
#include "worker/waits.h"

/*
 * An input is a row of commands. Of each: a byte for its number, one for slot and thread, then for each
 * of its fields a byte that chooses a value likely to matter, or says that the value's bytes follow; then a
 * byte for the length of its tail, and that tail. Two numbers stand for raw bytes in the ring and for a
 * change of the control page. What libFuzzer changes so stays deep in the worker.
 */

#define SPEC "cpu memory=8M processors=1"
#define COMMANDS_MOST 64u
#define RAW VGPU_CMD_MOST
#define CONTROL (VGPU_CMD_MOST + 1)
#define NUMBERS (VGPU_CMD_MOST + 2)
#define FIRST_PAGES (3 * VGPU_PAGE)
#define PATIENCE_MS 2
#define TEXT_AT (GUEST_BULK_AT + 65536)

static const char text[] =
	".version 7.0\n.target sm_75\n.address_size 64\n"
	".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 v);\n"
	".global .align 4 .u32 word;\n"
	".visible .entry k(.param .u64 to)\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<2>;\n"
	"ld.param.u64 %rd1, [to]; mov.u32 %r1, %tid.x; st.global.u32 [%rd1], %r1; ret;\n}\n";

struct reader {
	const uint8_t *at, *end;
};

static uint8_t next_byte(struct reader *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static uint64_t next_bytes(struct reader *in, uint32_t num)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < num; i++)
		value |= (uint64_t)next_byte(in) << (8 * i);
	return value;
}

/* Where and how much: what is good, and what is just beyond. */
static uint64_t known_value(const struct guest *guest, uint8_t which, uint64_t device)
{
	const uint64_t values[] = {
		0,
		1,
		2,
		3,
		4,
		8,
		16,
		64,
		4096,
		VGPU_PIECE,
		2 * VGPU_PIECE,
		GUEST_WINDOW_BYTES,
		UINT32_MAX,
		UINT64_MAX,
		device,
		device + 8,
		device + 4096,
		guest->address,
		guest->address + GUEST_CONTROL_AT,
		guest->address + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS,
		guest->address + GUEST_CONTROL_AT + VGPU_CHANNEL_FREE,
		guest->address + GUEST_BULK_AT,
		guest->address + GUEST_WINDOW_BYTES - 16,
		GUEST_CONTROL_AT,
		GUEST_BULK_AT,
		GUEST_BULK_AT + VGPU_PIECE,
		TEXT_AT,
		sizeof(text) - 1,
		GUEST_WINDOW_BYTES - 16,
		(uintptr_t)guest->program,
		1ull << 40,
		1ull << 63,
	};

	return values[which % (sizeof(values) / sizeof(values[0]))];
}

/* Builds one command. Return: its bytes. */
static uint32_t build(struct guest *guest, struct reader *in, uint8_t number, uint64_t device,
		      uint8_t *to)
{
	const struct cmds_entry *entry = cmds_find(number);
	uint8_t whose = next_byte(in), tail;
	struct vgpu_command head = { .op = number, .thread = whose >> 6, .reply = whose % 72 };
	uint32_t at = sizeof(head);

	if (entry == NULL)
		entry = cmds_find(VGPU_CMD_NOP);
	for (const struct cmds_field *field = entry->fields; field->kind != CMDS_END; field++) {
		uint8_t which = next_byte(in);
		uint64_t value = which >= 128 ? next_bytes(in, field->bytes)
					      : known_value(guest, which, device);

		memcpy(to + at, &value, field->bytes);
		at += field->bytes;
	}
	tail = entry->tail_most > 0 ? next_byte(in) : 0;
	for (uint32_t i = 0; i < tail; i++)
		to[at++] = next_byte(in);
	head.bytes = at;
	if (head.reply >= VGPU_REPLIES)
		head.reply = head.reply == VGPU_REPLIES + 1 ? VGPU_REPLIES : VGPU_NO_REPLY;
	else
		head.sequence = ++guest->sequences[head.reply];
	memcpy(to, &head, sizeof(head));
	return at;
}

/* Writes one thing into the ring, or the control page. */
static void put(struct guest *guest, struct reader *in, uint64_t device)
{
	static uint8_t bytes[8192] __attribute__((aligned(16)));
	uint8_t number = next_byte(in) % NUMBERS;

	if (number == RAW) {
		uint32_t len = 1 + next_byte(in);

		for (uint32_t i = 0; i < len; i++)
			bytes[i] = next_byte(in);
		guest_put(guest, bytes, len);
	} else if (number == CONTROL) {
		uint32_t at = next_byte(in) % (sizeof(struct vgpu_channel_control) / 4);

		/* Where the head is this side must know to put anything. */
		if ((uint32_t *)guest->control + at != &guest->control->head)
			vgpu_ring_store((uint32_t *)guest->control + at,
					(uint32_t)next_bytes(in, 4));
	} else {
		guest_put(guest, bytes, build(guest, in, number, device, bytes));
	}
}

static bool is_quiet(struct guest *guest)
{
	bool busy = false;

	pthread_mutex_lock(&guest->program->channel.lock);
	for (uint32_t slot = 0; slot < VGPU_REPLIES; slot++)
		busy = busy || guest->program->channel.busy[slot];
	pthread_mutex_unlock(&guest->program->channel.lock);
	return !busy;
}

/* What a helper runs takes microseconds: no time to sleep. */
static void wait_for(struct guest *guest, uint32_t slot)
{
	while (!guest_is_done(guest, slot))
		sched_yield();
	REQUIRE(guest->replies[slot].result == CUDA_SUCCESS);
}

/* Commands that every program begins with, so that the input's have something to work on. */
static uint64_t begin(struct guest *guest)
{
	uint64_t device;

	memcpy(guest->view + TEXT_AT, text, sizeof(text));
	SEND(guest, 0, MEMORY_ALLOC, memory_alloc, .bytes = 4096);
	REQUIRE(serve_turn(guest->program) == 1);
	device = guest->replies[0].value[0];
	SEND(guest, 1, STREAM_CREATE, stream_create, .stream = 1, .flags = 1);
	SEND(guest, 2, EVENT_CREATE, event_create, .event = 1);
	SEND(guest, 3, MODULE_LOAD, module_load, .at = TEXT_AT, .bytes = sizeof(text) - 1,
	     .module = 1);
	for (int i = 0; i < 3; i++)
		REQUIRE(serve_turn(guest->program) == 1);
	wait_for(guest, 3);
	guest_send(guest, VGPU_CMD_MODULE_FUNCTION, 0, 4,
		   &(struct vgpu_cmd_module_function){
			   .at = GUEST_BULK_AT, .bytes = 4096, .module = 1, .function = 1 },
		   sizeof(struct vgpu_cmd_module_function), "k", 2);
	REQUIRE(serve_turn(guest->program) == 1);
	wait_for(guest, 4);
	return device;
}

static void let_it_finish(struct guest *guest)
{
	for (int ms = 0; ms < PATIENCE_MS && !is_quiet(guest); ms++) {
		poll(NULL, 0, 1);
		waits_look(guest->program, UINT64_MAX / 2);
	}
	/* A kernel that never ends, a value that never comes: the broker would kill the process. */
	softgpu_stop(((struct gpu_soft *)guest->gpu)->device);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	static uint8_t first_pages[FIRST_PAGES];
	struct reader in = { input, input + len_bytes };
	struct guest guest;
	uint64_t device;
	int result = 1;

	guest_open(&guest, SPEC, 2);
	memset(first_pages, 0xa5, sizeof(first_pages));
	memcpy(guest.view, first_pages, sizeof(first_pages));
	device = begin(&guest);
	for (uint32_t i = 0; i < COMMANDS_MOST && in.at < in.end && result >= 0; i++) {
		put(&guest, &in, device);
		/* The control page may say that there are more. */
		for (uint32_t turns = 0; turns < 8 && result == 1; turns++)
			result = serve_turn(guest.program);
		result = result < 0 ? result : 1;
		waits_look(guest.program, (uint64_t)i << 40);
	}
	let_it_finish(&guest);
	REQUIRE(memcmp(guest.view, first_pages, sizeof(first_pages)) == 0);
	guest_close(&guest);
	return 0;
}

/* Now and then a whole command more; else any change. */
size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t len_bytes, size_t room_bytes, unsigned seed)
{
	uint8_t command[32];
	size_t len = 2 + seed % (sizeof(command) - 2);

	if (seed % 4 != 0 || len_bytes + len > room_bytes)
		return LLVMFuzzerMutate(input, len_bytes, room_bytes);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		command[i] = (uint8_t)(seed >> 16);
		/* Most fields are known values. */
		if (i >= 2 && (seed >> 28) != 0)
			command[i] &= 127;
	}
	memcpy(input + len_bytes, command, len);
	return len_bytes + len;
}
