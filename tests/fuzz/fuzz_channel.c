/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_channel.c - any commands in a program's ring: its worker goes on or ends, and touches nothing else */

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "tests/fuzz/channel_guest.h"
#include "tests/fuzz/channel_record.h"
#include "tests/fuzz/fuzz.h"
#include "worker/waits.h"

/* The input is records (channel_record.h). After each the worker takes what is in the ring. */

static const struct channel_record *record; /* that is carried out */
static uint32_t next_slot;

#define PICK(table, which) (table)[(which) % (sizeof(table) / sizeof((table)[0]))]

/* --- commands --------------------------------------------------------------------------------------- */

/* Return: bytes of the tail, at most 256. */
static uint32_t build_tail(const struct guest *guest, uint32_t tail_most, uint8_t *to)
{
	uint64_t parameter = channel_record_address(guest,
						    record->any[0] < 250 ? 0 : record->any[1]);
	uint32_t bytes = tail_most < record->tail ? tail_most : record->tail;

	if (tail_most == 0)
		return 0;
	for (uint32_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)channel_record_any(record, i);
	if (record->tail != 0)
		return bytes;
	switch (record->number) {
	case VGPU_CMD_LAUNCH:
		memcpy(to, &parameter, sizeof(parameter));
		return sizeof(parameter);
	case VGPU_CMD_MODULE_FUNCTION:
		memcpy(to, "k", 2);
		return 2;
	case VGPU_CMD_MODULE_GLOBAL:
		memcpy(to, "word", 5);
		return 5;
	case VGPU_CMD_COPY_IN:
		memset(to, 0x5a, 8);
		return 8;
	default:
		return 0;
	}
}

static uint32_t slot_of(void)
{
	static const uint32_t wrong[] = { VGPU_NO_REPLY, VGPU_NO_REPLY, VGPU_NO_REPLY, VGPU_REPLIES,
					  UINT32_MAX - 1 };

	if (record->reply == 0)
		return next_slot++ % VGPU_REPLIES;
	return record->reply < 240 ? record->reply % VGPU_REPLIES : PICK(wrong, record->reply);
}

static uint32_t length_of(uint32_t right)
{
	const uint32_t wrong[] = { right + 1,
				   right - 1,
				   right + 64,
				   0,
				   15,
				   16,
				   VGPU_COMMAND_MOST,
				   VGPU_COMMAND_MOST + 1,
				   UINT32_MAX,
				   UINT32_MAX - 62 };

	return record->length < 200 ? right : PICK(wrong, record->length);
}

/* Moves the ring's tail; the worker has always taken what came before. */
static void put(struct guest *guest, const uint8_t *bytes, uint32_t len)
{
	uint8_t *ring = guest->view + guest->control_at + VGPU_CHANNEL_RING;

	memcpy(ring + guest->tail % VGPU_RING_UNITS * VGPU_RING_UNIT, bytes, len);
	guest->tail += (len + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT;
	vgpu_ring_publish(&guest->control->tail, guest->tail);
}

static void put_command(struct guest *guest)
{
	static uint8_t bytes[512] __attribute__((aligned(16)));
	const struct cmds_entry *entry = cmds_find(record->number);
	struct vgpu_command head = { .op = record->number, .thread = record->thread % 4 };
	uint32_t at = sizeof(head), index = 0;

	if (entry == NULL)
		entry = cmds_find(VGPU_CMD_NOP);
	for (const struct cmds_field *field = entry->fields; field->kind != CMDS_END; field++) {
		uint64_t value = channel_record_value(record, guest, field, index++);

		memcpy(bytes + at, &value, field->bytes);
		at += field->bytes;
	}
	at += build_tail(guest, entry->tail_most, bytes + at);
	head.reply = slot_of();
	if (head.reply < VGPU_REPLIES)
		head.sequence = ++guest->sequences[head.reply];
	head.bytes = length_of(at);
	memcpy(bytes, &head, sizeof(head));
	put(guest, bytes, at);
}

/* --- what else a program does -------------------------------------------------------------------------- */

/* A thread of the program that writes where it likes while the worker reads. */
static struct {
	sem_t go, done;
	struct guest *guest;
	uint64_t seed;
	bool is_there, runs;
} scribbler;

static void scribble_once(struct guest *guest, uint32_t random)
{
	uint8_t *control = (uint8_t *)guest->control;
	uint8_t value = (uint8_t)(random >> 8);
	uint32_t at = random >> 16;

	switch (random % 8) {
	case 0:
		control[at % sizeof(*guest->control)] = value;
		break;
	case 1:
		control[VGPU_CHANNEL_REPLIES + at % (VGPU_REPLIES * 64)] = value;
		break;
	case 2: /* the owner of a piece that may change it */
		guest->view[VGPU_WINDOW_OWNERS + CHANNEL_PIECE_CHANGES] = CHANNEL_NUMBER + 1 +
									  value % 2;
		break;
	case 3: /* an image that is being loaded */
		guest->view[CHANNEL_TEXT_AT + at % 512] = value;
		break;
	default: /* commands */
		control[VGPU_CHANNEL_RING + at % 1024] = value;
		break;
	}
}

static void *scribble(void *argument)
{
	(void)argument;
	for (;;) {
		uint32_t random;

		sem_wait(&scribbler.go);
		random = (uint32_t)scribbler.seed | 1;
		for (uint32_t i = 0; i < 256; i++) {
			random = random * 1664525 + 1013904223;
			scribble_once(scribbler.guest, random);
		}
		sem_post(&scribbler.done);
	}
	return NULL;
}

static void start_scribbler(struct guest *guest)
{
	pthread_t thread;

	if (scribbler.runs)
		return;
	if (!scribbler.is_there) {
		sem_init(&scribbler.go, 0, 0);
		sem_init(&scribbler.done, 0, 0);
		REQUIRE(pthread_create(&thread, NULL, scribble, NULL) == 0);
		scribbler.is_there = true;
	}
	scribbler.guest = guest;
	scribbler.seed = channel_record_any(record, 0);
	scribbler.runs = true;
	sem_post(&scribbler.go);
}

static void stop_scribbler(void)
{
	if (scribbler.runs)
		sem_wait(&scribbler.done);
	scribbler.runs = false;
}

static void carry_out(struct guest *guest)
{
	uint32_t at;

	switch (record->number % CHANNEL_WHAT_NUM) {
	case CHANNEL_RAW:
		put(guest, record->which, 1 + record->length % (CHANNEL_FIELDS_MOST + 16));
		return;
	case CHANNEL_CONTROL:
		at = record->which[0] % (sizeof(struct vgpu_channel_control) / 4);
		vgpu_ring_store((uint32_t *)guest->control + at,
				(uint32_t)channel_record_any(record, 0));
		return;
	case CHANNEL_OWNER:
		guest->view[VGPU_WINDOW_OWNERS + CHANNEL_PIECE_CHANGES] = CHANNEL_NUMBER +
									  record->which[0] % 3;
		return;
	case CHANNEL_SCRIBBLE:
		start_scribbler(guest);
		return;
	default:
		put_command(guest);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct guest *guest = channel_guest_begin();
	struct channel_record copy;
	int result = 1;

	next_slot = 0;
	for (uint32_t i = 0; i < CHANNEL_RECORDS_MOST && len_bytes >= sizeof(copy) && result >= 0;
	     i++) {
		memcpy(&copy, input, sizeof(copy));
		input += sizeof(copy);
		len_bytes -= sizeof(copy);
		copy.number %= CHANNEL_WHAT_NUM;
		record = &copy;
		carry_out(guest);
		/* The control page may say that there are more. */
		for (uint32_t turns = 0; turns < 8 && result == 1; turns++)
			result = serve_turn(guest->program);
		result = result < 0 ? result : 1;
		waits_look(guest->program, (uint64_t)i << 40);
	}
	stop_scribbler();
	channel_guest_end();
	return 0;
}

/* --- mutation --------------------------------------------------------------------------------------------- */

static uint32_t mix(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 12;
}

/*
 * A lost context and work that never ends cost as much as a thousand other inputs: mostly a launch writes
 * where it may, and a wait for a value is over at once.
 */
static void calm(struct channel_record *made)
{
	if (made->number == VGPU_CMD_LAUNCH) {
		memset(made->which + 2, 0, sizeof(made->which) - 2);
		made->tail = 0;
		made->any[0] = 0;
	} else if (made->number == VGPU_CMD_STREAM_WAIT_VALUE) {
		made->which[1] = 0;
		made->which[3] = 0;
	}
}

/* A right command, or one with a field or two that may be wrong. */
static struct channel_record new_record(unsigned *seed)
{
	struct channel_record made = { 0 };

	do
		made.number = (uint8_t)(mix(seed) % CHANNEL_WHAT_NUM);
	while (made.number < VGPU_CMD_MOST && cmds_find(made.number) == NULL &&
	       mix(seed) % 16 != 0);
	for (size_t i = 0; i < sizeof(made.any); i++)
		made.any[i] = (uint8_t)mix(seed);
	if (mix(seed) % 2 == 0)
		made.which[mix(seed) % CHANNEL_FIELDS_MOST] = (uint8_t)mix(seed);
	if (mix(seed) % 4 == 0)
		made.which[mix(seed) % CHANNEL_FIELDS_MOST] = (uint8_t)mix(seed);
	if (mix(seed) % 16 == 0)
		made.reply = (uint8_t)mix(seed);
	if (mix(seed) % 64 == 0)
		made.length = (uint8_t)mix(seed);
	if (mix(seed) % 16 == 0)
		made.tail = (uint8_t)mix(seed);
	made.thread = (uint8_t)(mix(seed) % 4);
	if (mix(seed) % 16 != 0)
		calm(&made);
	return made;
}

/* Compiling takes as long as a hundred other commands: most loads become commands that do nothing. */
static void thin_out_loads(uint8_t *input, size_t len_bytes, unsigned *seed)
{
	for (size_t at = 0; at < len_bytes; at += sizeof(struct channel_record))
		if (input[at] == VGPU_CMD_MODULE_LOAD && mix(seed) % 8 != 0)
			input[at] = VGPU_CMD_NOP;
}

/* Changes whole records: one more, one less, another; now and then any bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t len_bytes, size_t room_bytes, unsigned seed)
{
	const size_t size = sizeof(struct channel_record);

	for (uint32_t edits = 1 + mix(&seed) % 4; edits > 0; edits--) {
		size_t num = len_bytes / size, at = mix(&seed) % (num + 1);
		struct channel_record made = new_record(&seed);

		switch (mix(&seed) % 8) {
		case 0:
			if (at < num) {
				memmove(input + at * size, input + (at + 1) * size,
					len_bytes - (at + 1) * size);
				len_bytes -= size;
			}
			break;
		case 1:
			if (at < num)
				input[at * size + mix(&seed) % size] = (uint8_t)mix(&seed);
			break;
		case 2:
			if (mix(&seed) % 8 == 0)
				return LLVMFuzzerMutate(input, len_bytes, room_bytes);
			break;
		default:
			if (len_bytes + size > room_bytes || num >= CHANNEL_RECORDS_MOST)
				break;
			memmove(input + (at + 1) * size, input + at * size, len_bytes - at * size);
			memcpy(input + at * size, &made, size);
			len_bytes += size;
			break;
		}
	}
	thin_out_loads(input, len_bytes, &seed);
	return len_bytes;
}
