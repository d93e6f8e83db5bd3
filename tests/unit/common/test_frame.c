/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_frame.c - the frame parser: any cut of the stream, each type's bounds, malformed headers */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/vgpu_frame.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define GUARD 0xa5

/* The frames that the link allows, written out again: type, least and most bytes of payload. */
static const struct {
	uint8_t type;
	uint32_t least, most;
} bounds[] = {
	{ 1, 16, 1024 }, { 2, 16, 1024 },  { 3, 1, 1024 },   { 4, 32, 1024 },
	{ 5, 0, 0 },	 { 6, 16, 1024 },  { 7, 16, 1024 },  { 8, 16, 1024 },
	{ 9, 16, 1024 }, { 10, 16, 1024 }, { 11, 16, 1024 },
};

/* A frame of that type with a recognisable payload. Return: its bytes. */
static uint32_t put_frame(uint8_t *at, uint8_t type, uint32_t length, uint64_t sequence)
{
	struct vgpu_frame_header h = { .vm_id = 7,
				       .request_id = 0x01020304,
				       .length = length,
				       .pool_id = 'B',
				       .priority = 2,
				       .type = type,
				       .sequence = sequence };

	vgpu_frame_put_header(at, &h);
	for (uint32_t i = 0; i < length; i++)
		at[VGPU_FRAME_HEADER_LEN + i] = (uint8_t)(sequence + i);
	return VGPU_FRAME_HEADER_LEN + length;
}

/* The frame that is READY is exactly the one put_frame() made. */
static void check_frame(struct vgpu_frame_parser *p, uint8_t type, uint32_t length,
			uint64_t sequence)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(p, &h);

	assert_int_equal(h.vm_id, 7);
	assert_int_equal(h.request_id, 0x01020304);
	assert_int_equal(h.pool_id, 'B');
	assert_int_equal(h.priority, 2);
	assert_int_equal(h.type, type);
	assert_int_equal(h.flags, 0);
	assert_int_equal(h.length, length);
	assert_true(h.sequence == sequence);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(payload[i], (uint8_t)(sequence + i));
}

static void the_header_on_the_wire(void **state)
{
	static const uint8_t wire[24] = { 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05,
					  0x0c, 0x0b, 0x0a, 0x09, 0x41, 0x02, 0x03, 0x80,
					  0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11 };
	uint8_t out[24];
	struct vgpu_frame_header h;

	(void)state;
	vgpu_frame_get_header(wire, &h);
	assert_int_equal(h.vm_id, 0x01020304);
	assert_int_equal(h.request_id, 0x05060708);
	assert_int_equal(h.length, 0x090a0b0c);
	assert_int_equal(h.pool_id, 0x41);
	assert_int_equal(h.priority, 2);
	assert_int_equal(h.type, 3);
	assert_int_equal(h.flags, 0x80);
	assert_true(h.sequence == 0x1112131415161718);
	vgpu_frame_put_header(out, &h);
	assert_memory_equal(out, wire, sizeof(wire));
}

/* Feeds a header alone. Return: whether the parser refused it. */
static bool header_is_refused(const struct vgpu_frame_header *h)
{
	struct vgpu_frame_parser p;
	uint8_t wire[VGPU_FRAME_HEADER_LEN];
	uint32_t used = 0;
	enum vgpu_frame_result result;

	vgpu_frame_reset(&p);
	vgpu_frame_put_header(wire, h);
	result = vgpu_frame_feed(&p, wire, sizeof(wire), &used);
	assert_int_equal(used, sizeof(wire));
	assert_int_equal(result == VGPU_FRAME_BAD, !vgpu_frame_header_ok(h));
	if (result != VGPU_FRAME_BAD)
		assert_int_equal(result, h->length ? VGPU_FRAME_MORE : VGPU_FRAME_READY);
	return result == VGPU_FRAME_BAD;
}

static void each_types_bounds(void **state)
{
	static const uint32_t lengths[] = { 0,	  1,	      15,	  16,	     17,   31,
					    32,	  33,	      1023,	  1024,	     1025, 1048,
					    4096, 0x80000000, 0xffffffe8, 0xffffffff };

	(void)state;
	assert_int_equal(LEN(bounds), VGPU_FRAME_TYPE_NUM - 1);
	for (uint32_t type = 0; type < 256; type++) {
		for (size_t i = 0; i < LEN(lengths); i++) {
			struct vgpu_frame_header h = { .length = lengths[i],
						       .type = (uint8_t)type };
			bool good = type >= 1 && type <= LEN(bounds) &&
				    h.length >= bounds[type - 1].least &&
				    h.length <= bounds[type - 1].most;

			if (header_is_refused(&h) == good)
				fail_msg("type %u, length %u: %s", type, h.length,
					 good ? "refused" : "taken");
		}
	}
}

static void flags_must_be_zero(void **state)
{
	(void)state;
	for (uint32_t flags = 0; flags < 256; flags++) {
		struct vgpu_frame_header h = { .length = 40, .type = 3, .flags = (uint8_t)flags };

		assert_int_equal(header_is_refused(&h), flags != 0);
	}
}

/* Of a stream with a bad header, no byte behind the header is taken or stored. */
static void an_oversized_frame_is_not_taken(void **state)
{
	struct {
		struct vgpu_frame_parser p;
		uint8_t guard[64];
	} m;
	uint8_t wire[VGPU_FRAME_HEADER_LEN + 2048];
	uint32_t used = 0;

	(void)state;
	memset(&m, GUARD, sizeof(m));
	vgpu_frame_reset(&m.p);
	put_frame(wire, VGPU_FRAME_REQUEST, 1025, 1);
	assert_int_equal(vgpu_frame_feed(&m.p, wire, sizeof(wire), &used), VGPU_FRAME_BAD);
	assert_int_equal(used, VGPU_FRAME_HEADER_LEN);
	for (size_t i = VGPU_FRAME_HEADER_LEN; i < sizeof(m.p.buf); i++)
		assert_int_equal(m.p.buf[i], GUARD);
	for (size_t i = 0; i < sizeof(m.guard); i++)
		assert_int_equal(m.guard[i], GUARD);

	/* After a reset the parser is as new. */
	vgpu_frame_reset(&m.p);
	put_frame(wire, VGPU_FRAME_REQUEST, 40, 2);
	assert_int_equal(vgpu_frame_feed(&m.p, wire, 64, &used), VGPU_FRAME_READY);
	check_frame(&m.p, VGPU_FRAME_REQUEST, 40, 2);
}

static void byte_by_byte(void **state)
{
	struct vgpu_frame_parser p;
	uint8_t wire[VGPU_FRAME_MAX];

	(void)state;
	vgpu_frame_reset(&p);
	for (size_t b = 0; b < LEN(bounds); b++) {
		uint32_t len = put_frame(wire, bounds[b].type, bounds[b].most, 100 + b);

		for (uint32_t i = 0; i < len; i++) {
			uint32_t used = 99;
			enum vgpu_frame_result result;

			/* Never asks for more than the frame still lacks. */
			assert_int_equal(vgpu_frame_room(&p), i < 24 ? 24 - i : len - i);
			result = vgpu_frame_feed(&p, wire + i, 1, &used);
			assert_int_equal(used, 1);
			assert_int_equal(result, i + 1 == len ? VGPU_FRAME_READY : VGPU_FRAME_MORE);
		}
		assert_int_equal(vgpu_frame_room(&p), 0);
		check_frame(&p, bounds[b].type, bounds[b].most, 100 + b);
		assert_int_equal(vgpu_frame_room(&p), VGPU_FRAME_HEADER_LEN);
	}
}

/* Several frames in one read: each feed ends with its frame and leaves the next one alone. */
static void several_frames_at_once(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t length;
	} sent[] = { { 1, 16 }, { 3, 1 }, { 5, 0 }, { 5, 0 }, { 3, 1024 }, { 4, 32 }, { 2, 16 } };
	struct vgpu_frame_parser p;
	uint8_t wire[LEN(sent) * VGPU_FRAME_MAX];
	uint32_t total = 0, at = 0;

	(void)state;
	for (size_t i = 0; i < LEN(sent); i++)
		total += put_frame(wire + total, sent[i].type, sent[i].length, i);
	vgpu_frame_reset(&p);
	for (size_t i = 0; i < LEN(sent); i++) {
		uint32_t used = 0;

		assert_int_equal(vgpu_frame_feed(&p, wire + at, total - at, &used),
				 VGPU_FRAME_READY);
		assert_int_equal(used, VGPU_FRAME_HEADER_LEN + sent[i].length);
		at += used;
		check_frame(&p, sent[i].type, sent[i].length, i);
	}
	assert_int_equal(at, total);
}

/* A caller that has not yet taken the frame cannot lose it by feeding on. */
static void a_ready_frame_stays_until_taken(void **state)
{
	struct vgpu_frame_parser p;
	uint8_t wire[VGPU_FRAME_MAX], next[VGPU_FRAME_MAX];
	uint32_t len = put_frame(wire, VGPU_FRAME_REQUEST, 40, 5), used = 0;

	(void)state;
	put_frame(next, VGPU_FRAME_REQUEST, 1024, 6);
	vgpu_frame_reset(&p);
	assert_int_equal(vgpu_frame_feed(&p, wire, len, &used), VGPU_FRAME_READY);
	assert_int_equal(vgpu_frame_feed(&p, next, sizeof(next), &used), VGPU_FRAME_READY);
	assert_int_equal(used, 0);
	check_frame(&p, VGPU_FRAME_REQUEST, 40, 5);
	assert_int_equal(vgpu_frame_room(&p), VGPU_FRAME_HEADER_LEN);
}

static void every_cut_in_two(void **state)
{
	struct vgpu_frame_parser p;
	uint8_t wire[2 * VGPU_FRAME_MAX];
	uint32_t first = put_frame(wire, VGPU_FRAME_REQUEST, 40, 1);
	uint32_t total = first + put_frame(wire + first, VGPU_FRAME_CANCEL, 0, 2);

	(void)state;
	for (uint32_t cut = 0; cut <= total; cut++) {
		const uint32_t end[2] = { cut, total };
		uint32_t at = 0, frames = 0;

		vgpu_frame_reset(&p);
		for (int part = 0; part < 2; part++) {
			while (at < end[part]) {
				uint32_t used = 0;

				if (vgpu_frame_feed(&p, wire + at, end[part] - at, &used) ==
				    VGPU_FRAME_READY) {
					check_frame(&p, frames ? 5 : 3, frames ? 0 : 40,
						    frames + 1);
					frames++;
				} else {
					assert_int_equal(at + used, end[part]);
				}
				at += used;
			}
		}
		assert_int_equal(frames, 2);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void random_frames_in_random_pieces(void **state)
{
	static uint8_t wire[64 * VGPU_FRAME_MAX];
	struct {
		uint8_t type;
		uint32_t length;
	} sent[64];

	(void)state;
	for (uint32_t seed0 = 1; seed0 <= 300; seed0++) {
		struct vgpu_frame_parser p;
		uint32_t seed = seed0, total = 0, at = 0, frames = 0;

		for (size_t i = 0; i < LEN(sent); i++) {
			size_t b = next_random(&seed) % LEN(bounds);
			uint32_t span = bounds[b].most - bounds[b].least + 1;

			sent[i].type = bounds[b].type;
			sent[i].length = bounds[b].least + next_random(&seed) % span;
			total += put_frame(wire + total, sent[i].type, sent[i].length, i);
		}
		vgpu_frame_reset(&p);
		while (at < total) {
			uint32_t piece = 1 + next_random(&seed) % (seed0 % 2 ? 40 : 3000), used;

			if (piece > total - at)
				piece = total - at;
			if (vgpu_frame_feed(&p, wire + at, piece, &used) == VGPU_FRAME_READY) {
				check_frame(&p, sent[frames].type, sent[frames].length, frames);
				frames++;
			} else if (used != piece) {
				fail_msg("seed %u: at byte %u %u of %u bytes taken", seed0, at,
					 used, piece);
			}
			at += used;
		}
		if (frames != LEN(sent))
			fail_msg("seed %u: %u frames of %zu", seed0, frames, LEN(sent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_on_the_wire),
		cmocka_unit_test(each_types_bounds),
		cmocka_unit_test(flags_must_be_zero),
		cmocka_unit_test(an_oversized_frame_is_not_taken),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(several_frames_at_once),
		cmocka_unit_test(a_ready_frame_stays_until_taken),
		cmocka_unit_test(every_cut_in_two),
		cmocka_unit_test(random_frames_in_random_pieces),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
