/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ring_model.c - the ring on memory that delays and reorders: no command is lost, nobody oversleeps */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Theory of operation. Program and worker are two coroutines. Each has a store buffer: what it writes
 * reaches memory later, in any order that the fences allow (that of write-combining memory, where stores
 * overtake each other). At each access the model may let stores through, and may switch to the other
 * side. A side that sleeps runs again only when it was woken. If both sleep, all stores have come
 * through and there is still work to do, a wake-up was lost.
 *
 * The model is worth what it finds: with any one of the fences left out it must find the loss.
 *
 * RING_STEPS=N: so many accesses (1,000,000). RING_SEED=N: another order of events.
 */

#define VGPU_RING_MODEL
#define STORES_MOST 256u
#define LAZY_COMMANDS 100u /* so many in a row while stores seldom come through, then as many not */
#define LONG_COMMANDS 50u  /* so many long ones in a row, of LONG_OF */
#define LONG_OF 400u
#define MUTANT_STEPS 20000000u
#define CHUNK 8u /* bytes of bulk data that are stored at once */

struct store {
	uint8_t *at;
	uint8_t bytes[CHUNK];
	uint32_t len;
	uint32_t epoch; /* stores of an earlier one come first */
};

struct side {
	ucontext_t context;
	struct store stores[STORES_MOST];
	uint32_t store_num, epoch;
	bool sleeps, woken;
};

enum { PROGRAM, WORKER };
static struct side sides[2];
static int running;
static ucontext_t test_context;
static bool runs;	   /* the two sides do */
static const char *broken; /* what does not hold: it ends the run */
/* Functions whose fences do nothing, whose publications have no order; NULL: none. */
static const char *left_out, *unordered;
static uint64_t taken, put;
static uint64_t steps, steps_most, seed;

static uint32_t pick(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Ends the run. Returns only to sides that do not run. */
static void __attribute__((noreturn)) give_up(const char *what)
{
	broken = what;
	for (;;)
		swapcontext(&sides[running].context, &test_context);
}

#define HOLDS(condition)                     \
	do {                                 \
		if (!(condition))            \
			give_up(#condition); \
	} while (0)

/* Return: whether the store may reach memory now: none of an earlier epoch waits, and none before it to
 * the same place. */
static bool may_come(const struct side *side, uint32_t which)
{
	const struct store *store = &side->stores[which];

	for (uint32_t i = 0; i < side->store_num; i++) {
		const struct store *other = &side->stores[i];

		if (other->epoch < store->epoch)
			return false;
		if (i < which && other->at < store->at + store->len &&
		    store->at < other->at + other->len)
			return false;
	}
	return true;
}

static void let_through(struct side *side, uint32_t which)
{
	memcpy(side->stores[which].at, side->stores[which].bytes, side->stores[which].len);
	side->store_num--;
	memmove(&side->stores[which], &side->stores[which + 1],
		(side->store_num - which) * sizeof(side->stores[0]));
}

static void let_one_through(struct side *side)
{
	uint32_t which;

	if (side->store_num == 0)
		return;
	do
		which = pick(side->store_num);
	while (!may_come(side, which));
	let_through(side, which);
}

static void let_all_through(struct side *side)
{
	while (side->store_num > 0)
		let_one_through(side);
}

static void switch_to(int which)
{
	int from = running;

	running = which;
	swapcontext(&sides[from].context, &sides[which].context);
}

/* Between two accesses anything may happen. */
static void step(void)
{
	int other = !running;

	if (!runs)
		return;
	if (++steps >= steps_most)
		swapcontext(&sides[running].context, &test_context);
	if (pick(put / LAZY_COMMANDS % 2 == 0 ? 4 : 64) == 0)
		let_one_through(&sides[pick(2)]);
	if (pick(3) == 0 && (!sides[other].sleeps || sides[other].woken))
		switch_to(other);
}

static void add_store(void *at, const void *bytes, uint32_t len)
{
	struct side *side = &sides[running];

	if (side->store_num == STORES_MOST)
		let_one_through(side);
	side->stores[side->store_num] =
		(struct store){ .at = at, .len = len, .epoch = side->epoch };
	memcpy(side->stores[side->store_num++].bytes, bytes, len);
}

/* What the side itself wrote it sees, whether memory has it or not. */
static uint32_t vgpu_ring_load(const volatile uint32_t *at)
{
	const struct side *side = &sides[running];

	step();
	for (uint32_t i = side->store_num; i-- > 0;) {
		uint32_t value;

		if (side->stores[i].at != (const uint8_t *)at)
			continue;
		memcpy(&value, side->stores[i].bytes, sizeof(value));
		return value;
	}
	return *at;
}

static void vgpu_ring_store(volatile uint32_t *at, uint32_t value)
{
	step();
	add_store((void *)at, &value, sizeof(value));
}

static bool is(const char *wanted, const char *function)
{
	return wanted != NULL && strcmp(wanted, function) == 0;
}

static void model_publish(volatile uint32_t *at, uint32_t value, const char *function)
{
	step();
	if (!is(unordered, function))
		sides[running].epoch++;
	add_store((void *)at, &value, sizeof(value));
}

static uint32_t vgpu_ring_consume(const volatile uint32_t *at)
{
	return vgpu_ring_load(at);
}

static void model_fence(const char *function)
{
	step();
	if (!is(left_out, function))
		let_all_through(&sides[running]);
}

/* Each is known by the function that it stands in. */
#define vgpu_ring_publish(at, value) model_publish(at, value, __func__)
#define vgpu_ring_fence() model_fence(__func__)

/* The system calls that wake: a side is named by its number instead of a descriptor. */
static ssize_t model_write(int side, const void *bytes, size_t len)
{
	(void)bytes;
	sides[side].woken = true;
	return (ssize_t)len;
}

static ssize_t model_read(int side, void *bytes, size_t len)
{
	memset(bytes, 0, len);
	sides[side].woken = false;
	return (ssize_t)len;
}

#define write model_write
#define read model_read
#include "worker/channel.c" /* NOLINT(bugprone-suspicious-include): its own reads and writes */
#undef write
#undef read

/* The running side sleeps until it is woken. */
static void fall_asleep(void)
{
	struct side *me = &sides[running], *other = &sides[!running];

	me->sleeps = true;
	while (!me->woken) {
		/* Stores do come through in the end. */
		let_all_through(me);
		if (other->sleeps && !other->woken) {
			let_all_through(other);
			give_up("a side is awake");
		}
		switch_to(!running);
	}
	me->sleeps = false;
	me->woken = false;
}

/* --- the two sides ------------------------------------------------------------------------------ */

static uint8_t piece[VGPU_PIECE] __attribute__((aligned(4096)));
static struct vgpu_channel_control *const control = (struct vgpu_channel_control *)piece;
static struct vgpu_reply *const replies = (struct vgpu_reply *)(piece + VGPU_CHANNEL_REPLIES);
static struct channel channel;

/* The byte of a command that is told by its number and its place: both sides know it. */
static uint8_t byte_of(uint32_t number, uint32_t at)
{
	return (uint8_t)(number * 31 + at * 7);
}

/* The number of commands so far is the sequence. Most are short, a few as long as they may be. */
static uint32_t length_of(uint32_t number)
{
	uint32_t mixed = number * 2654435761u >> 16;

	/* Where all are long, four fill the ring: then the last one's room counts. */
	return number % 16 == 0 || number % LONG_OF < LONG_COMMANDS
		       ? VGPU_COMMAND_MOST - mixed % 200
		       : (uint32_t)sizeof(struct vgpu_command) + mixed % 300;
}

static void check_command(const struct vgpu_command *command)
{
	const uint8_t *bytes = (const uint8_t *)command;

	taken++;
	HOLDS(command->sequence == (uint32_t)taken);
	HOLDS(command->bytes == length_of(command->sequence));
	for (uint32_t at = sizeof(*command); at < command->bytes; at += at < 300 ? 1 : 977)
		HOLDS(bytes[at] == byte_of(command->sequence, at));
}

static void worker(void)
{
	static uint8_t bytes[VGPU_COMMAND_MOST] __attribute__((aligned(16)));
	struct vgpu_command *command = (struct vgpu_command *)bytes;
	const uint64_t values[7] = { 0 };

	for (;;) {
		int result = channel_take(&channel, command);

		HOLDS(result >= 0);
		if (result == 1) {
			check_command(command);
			if (command->reply != VGPU_NO_REPLY)
				channel_reply(&channel, command, (int32_t)command->sequence,
					      values);
		} else if (channel_park(&channel)) {
			fall_asleep();
			channel_unpark(&channel);
		}
	}
}

/* Sleeps until `ready` holds, as a program has to: seen events, fence, another look. */
static void sleep_until(bool (*ready)(uint32_t what), uint32_t what)
{
	while (!ready(what)) {
		uint32_t seen = vgpu_ring_load(&control->events);

		if (ready(what))
			return;
		vgpu_ring_store(&control->events_park, seen);
		vgpu_ring_fence();
		if (vgpu_ring_load(&control->events) == seen && !ready(what))
			fall_asleep();
	}
}

static uint32_t tail;

static bool has_room(uint32_t units)
{
	return VGPU_RING_UNITS - (tail - vgpu_ring_load(&control->head)) >= units;
}

static bool is_answered(uint32_t sequence)
{
	return vgpu_ring_consume(&replies[0].done) == sequence;
}

static void put_command(uint32_t number, uint32_t slot)
{
	static uint8_t bytes[VGPU_COMMAND_MOST + VGPU_RING_UNIT];
	const struct vgpu_command head = { 1, 0, length_of(number), slot, number };
	uint32_t units = (head.bytes + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT, old = tail;
	const uint64_t one = 1;

	if (!has_room(units)) {
		vgpu_ring_store(&control->wants_room, 1);
		sleep_until(has_room, units);
		vgpu_ring_store(&control->wants_room, 0);
	}
	memcpy(bytes, &head, sizeof(head));
	for (uint32_t at = sizeof(head); at < head.bytes; at++)
		bytes[at] = byte_of(number, at);
	/* All of a short one's bytes, but of a long one only what is compared, go through the buffer. */
	for (uint32_t at = 0; at < units * VGPU_RING_UNIT; at += CHUNK) {
		uint8_t *to = piece + VGPU_CHANNEL_RING +
			      (tail % VGPU_RING_UNITS * VGPU_RING_UNIT + at) % VGPU_RING_LEN;

		if (at < 320) /* what check_command() looks at closely */
			add_store(to, bytes + at, CHUNK);
		else
			memcpy(to, bytes + at, CHUNK);
	}
	tail += units;
	vgpu_ring_publish(&control->tail, tail);
	vgpu_ring_fence();
	if (vgpu_ring_passed(vgpu_ring_load(&control->park), old, tail))
		model_write(WORKER, &one, sizeof(one));
}

static void program(void)
{
	for (;;) {
		uint32_t number = (uint32_t)++put;
		/* It waits often, or so seldom that the ring fills up. */
		bool asks = pick(number / 1000 % 2 == 0 ? 8 : 1000) == 0;

		put_command(number, asks ? 0 : VGPU_NO_REPLY);
		if (!asks)
			continue;
		for (uint32_t spins = pick(20); spins > 0 && !is_answered(number); spins--)
			;
		sleep_until(is_answered, number);
		HOLDS(vgpu_ring_load((uint32_t *)&replies[0].result) == number);
	}
}

static void start_side(int which, void (*body)(void), void *stack, size_t bytes)
{
	getcontext(&sides[which].context);
	sides[which].context.uc_stack.ss_sp = stack;
	sides[which].context.uc_stack.ss_size = bytes;
	sides[which].context.uc_link = &test_context;
	makecontext(&sides[which].context, body, 0);
}

/* Return: the environment's number, or the usual one. */
static uint64_t setting(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : usual;
}

/* Runs both sides until `most` accesses, or until something does not hold. */
static void run(uint64_t most, uint64_t first_seed)
{
	static uint8_t stacks[2][1 << 18];

	memset(sides, 0, sizeof(sides));
	memset(piece, 0, sizeof(piece));
	steps = taken = put = tail = 0;
	steps_most = most;
	seed = first_seed;
	broken = NULL;
	channel_init(&channel, piece, WORKER, PROGRAM);
	start_side(PROGRAM, program, stacks[PROGRAM], sizeof(stacks[PROGRAM]));
	start_side(WORKER, worker, stacks[WORKER], sizeof(stacks[WORKER]));
	running = PROGRAM;
	runs = true;
	swapcontext(&test_context, &sides[PROGRAM].context);
	runs = false;
	channel_end(&channel);
}

static void test_model(void **state)
{
	(void)state;
	run(setting("RING_STEPS", 1000000), setting("RING_SEED", 1));
	printf("# %llu steps: %llu commands put, %llu taken, %llu sleeps of the worker, %llu wakes\n",
	       (unsigned long long)steps, (unsigned long long)put, (unsigned long long)taken,
	       (unsigned long long)channel.sleeps, (unsigned long long)channel.wakes);
	if (broken != NULL)
		fail_msg("step %llu of seed %llu: does not hold: %s", (unsigned long long)steps,
			 (unsigned long long)setting("RING_SEED", 1), broken);
	assert_true(taken > steps_most / 1000);
	assert_true(channel.sleeps > 0 && channel.wakes > 0);
}

/* Each fence is needed: without it the model finds a side that nothing wakes. */
static void test_each_fence(void **state)
{
	static const char *const functions[] = { "channel_park", "give_room", "count_event",
						 "put_command", "sleep_until" };

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		left_out = functions[i];
		run(MUTANT_STEPS, 1);
		printf("# without the fence of %s: step %llu: %s\n", left_out,
		       (unsigned long long)steps, broken != NULL ? broken : "nothing found");
		assert_non_null(broken);
		assert_string_equal(broken, "a side is awake");
	}
	left_out = NULL;
}

/* So is the order of what says that all before it is written. */
static void test_each_publication(void **state)
{
	static const char *const functions[] = { "channel_reply", "put_command" };

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		unordered = functions[i];
		run(MUTANT_STEPS, 1);
		printf("# without the order of %s: step %llu: %s\n", unordered,
		       (unsigned long long)steps, broken != NULL ? broken : "nothing found");
		assert_non_null(broken);
	}
	unordered = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model),
					    cmocka_unit_test(test_each_fence),
					    cmocka_unit_test(test_each_publication) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
