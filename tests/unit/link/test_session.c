/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_session.c - every frame in every state, bad order, replays, wrong VM, versions */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vgpud/link/session.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A request's bytes are not the session's to look at. */
static const uint8_t payload_zero[VGPU_FRAME_PAYLOAD_MAX];

static struct session_step hello(struct session *session, uint32_t vm_id, uint32_t version_min,
				 uint32_t version_max)
{
	struct vgpu_frame_header h = { .vm_id = vm_id,
				       .length = VGPU_HELLO_LEN,
				       .type = VGPU_FRAME_HELLO };
	uint8_t payload[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(payload, version_min);
	vgpu_put_le32(payload + 4, version_max);
	return session_frame(session, &h, payload);
}

static struct session_step frame(struct session *session, uint8_t type, uint32_t vm_id,
				 uint64_t sequence)
{
	struct vgpu_frame_header h = { .vm_id = vm_id,
				       .length = type == VGPU_FRAME_CANCEL ? 0 : 40,
				       .type = type,
				       .sequence = sequence };

	return session_frame(session, &h, payload_zero);
}

/* A session of VM 7 that has said hello. */
static void open_one(struct session *session)
{
	session_init(session, 7, false);
	assert_int_equal(session->state, SESSION_GREETING);
	assert_int_equal(hello(session, 7, 1, 1).act, SESSION_GREET);
	assert_int_equal(session->state, SESSION_OPEN);
}

/* The connection ends here: with a reason for the log, and deaf to all that follows. */
static void closes(struct session *session, struct session_step step)
{
	assert_int_equal(step.act, SESSION_CLOSE);
	assert_non_null(step.why);
	assert_true(strlen(step.why) > 0);
	assert_int_equal(session->state, SESSION_CLOSED);
	assert_int_equal(hello(session, 7, 1, 1).act, SESSION_IGNORE);
	assert_int_equal(frame(session, VGPU_FRAME_REQUEST, 7, 1000).act, SESSION_IGNORE);
	assert_int_equal(session->state, SESSION_CLOSED);
}

static void refuses(struct session *session, struct session_step step, enum vgpu_error status)
{
	assert_int_equal(step.act, SESSION_REFUSE);
	assert_int_equal(step.status, status);
	step.act = SESSION_CLOSE;
	closes(session, step);
}

/* The table in session.h, each cell of it. */
#define G SESSION_GREETING
#define O SESSION_OPEN
#define C SESSION_CLOSED
static void every_frame_in_every_state(void **state)
{
	static const struct {
		uint8_t type;
		enum session_state before;
		enum session_act act;
		enum session_state after;
	} table[] = {
		{ VGPU_FRAME_HELLO, G, SESSION_GREET, O },
		{ VGPU_FRAME_CONFIG, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_REQUEST, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_RESPONSE, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_CANCEL, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_HELLO, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_CONFIG, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_REQUEST, O, SESSION_SUBMIT, O },
		{ VGPU_FRAME_RESPONSE, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_CANCEL, O, SESSION_CANCEL, O },
		{ VGPU_FRAME_HELLO, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_CONFIG, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_REQUEST, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_RESPONSE, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_CANCEL, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_WINDOW, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_WINDOW_STATUS, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_OPEN, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_CLOSE, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_STATUS, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_RUNSTATE, G, SESSION_CLOSE, C },
		{ VGPU_FRAME_WINDOW, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_WINDOW_STATUS, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_OPEN, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_CLOSE, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_CHANNEL_STATUS, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_RUNSTATE, O, SESSION_CLOSE, C },
		{ VGPU_FRAME_WINDOW, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_WINDOW_STATUS, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_CHANNEL_OPEN, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_CHANNEL_CLOSE, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_CHANNEL_STATUS, C, SESSION_IGNORE, C },
		{ VGPU_FRAME_RUNSTATE, C, SESSION_IGNORE, C },
	};

	(void)state;
	assert_int_equal(LEN(table), 3 * (VGPU_FRAME_TYPE_NUM - 1));
	for (size_t i = 0; i < LEN(table); i++) {
		struct session session;
		struct session_step step;

		session_init(&session, 7, false);
		if (table[i].before != G)
			hello(&session, 7, 1, 1);
		if (table[i].before == O)
			frame(&session, VGPU_FRAME_REQUEST, 7, 4); /* so that 4 can be cancelled */
		if (table[i].before == C)
			hello(&session, 7, 1, 1);
		assert_int_equal(session.state, table[i].before);
		if (table[i].type == VGPU_FRAME_HELLO)
			step = hello(&session, 7, 1, 1);
		else
			step = frame(&session, table[i].type, 7,
				     table[i].type == VGPU_FRAME_CANCEL ? 4 : 5);
		if (step.act != table[i].act || session.state != table[i].after)
			fail_msg("type %u in state %d: act %d, then state %d", table[i].type,
				 table[i].before, step.act, session.state);
		if (step.act == SESSION_CLOSE)
			assert_non_null(step.why);
	}
}

/* --- link version 2 --- */

static struct session_step say_window(struct session *session, uint32_t flags)
{
	struct vgpu_frame_header h = { .vm_id = 7,
				       .length = VGPU_WINDOW_LEN,
				       .type = VGPU_FRAME_WINDOW };
	uint8_t payload[VGPU_WINDOW_LEN];

	vgpu_put_le64(payload, 1ull << 30);
	vgpu_put_le32(payload + 8, 5);
	vgpu_put_le32(payload + 12, flags);
	return session_frame(session, &h, payload);
}

static void open_two(struct session *session, bool local)
{
	session_init(session, 7, local);
	assert_int_equal(hello(session, 7, 1, 2).act, SESSION_GREET);
	assert_int_equal(session->version, 2);
}

/* The rows OPEN and WINDOWED of the table in session.h, for a peer of version 2. */
static void every_frame_of_a_peer_with_programs(void **state)
{
	static const struct {
		uint8_t type;
		enum session_act opened, windowed;
	} table[] = {
		{ VGPU_FRAME_HELLO, SESSION_CLOSE, SESSION_CLOSE },
		{ VGPU_FRAME_CONFIG, SESSION_CLOSE, SESSION_CLOSE },
		{ VGPU_FRAME_REQUEST, SESSION_SUBMIT, SESSION_SUBMIT },
		{ VGPU_FRAME_RESPONSE, SESSION_CLOSE, SESSION_CLOSE },
		{ VGPU_FRAME_CANCEL, SESSION_CANCEL, SESSION_CANCEL },
		{ VGPU_FRAME_WINDOW, SESSION_WINDOW, SESSION_WINDOW },
		{ VGPU_FRAME_WINDOW_STATUS, SESSION_CLOSE, SESSION_CLOSE },
		{ VGPU_FRAME_CHANNEL_OPEN, SESSION_CLOSE, SESSION_OPEN_ONE },
		{ VGPU_FRAME_CHANNEL_CLOSE, SESSION_CLOSE, SESSION_CLOSE_ONE },
		{ VGPU_FRAME_CHANNEL_STATUS, SESSION_CLOSE, SESSION_CLOSE },
		{ VGPU_FRAME_RUNSTATE, SESSION_RUNSTATE, SESSION_RUNSTATE },
	};

	(void)state;
	assert_int_equal(LEN(table), VGPU_FRAME_TYPE_NUM - 1);
	for (size_t i = 0; i < 2 * LEN(table); i++) {
		bool windowed = i % 2 == 1;
		enum session_act want = windowed ? table[i / 2].windowed : table[i / 2].opened;
		struct session session;
		struct session_step step;

		open_two(&session, false);
		frame(&session, VGPU_FRAME_REQUEST, 7, 4);
		if (windowed)
			assert_int_equal(say_window(&session, 0).act, SESSION_WINDOW);
		step = frame(&session, table[i / 2].type, 7,
			     table[i / 2].type == VGPU_FRAME_CANCEL ? 4 : 5);
		if (step.act != want)
			fail_msg("type %u, windowed %d: act %d", table[i / 2].type, windowed,
				 step.act);
		if (want == SESSION_CLOSE)
			closes(&session, step);
	}
}

static void what_a_window_says(void **state)
{
	struct session session;
	struct session_step step;

	(void)state;
	open_two(&session, false);
	step = say_window(&session, VGPU_WINDOW_OF_PROGRAM);
	assert_int_equal(step.act, SESSION_WINDOW);
	assert_true(step.window.size_bytes == 1ull << 30);
	assert_int_equal(step.window.generation, 5);
	assert_int_equal(step.window.flags, VGPU_WINDOW_OF_PROGRAM);
	open_two(&session, false);
	closes(&session, say_window(&session, 2));
	open_two(&session, false);
	closes(&session, say_window(&session, 0x80000001));
}

static void what_a_channel_and_a_runstate_say(void **state)
{
	struct vgpu_frame_header h = { .vm_id = 7, .length = 16 };
	uint8_t payload[16] = { 0 };
	struct session session;
	struct session_step step;

	(void)state;
	open_two(&session, false);
	say_window(&session, 0);
	vgpu_put_le32(payload, 47);
	vgpu_put_le32(payload + 4, 512);
	h.type = VGPU_FRAME_CHANNEL_OPEN;
	step = session_frame(&session, &h, payload);
	assert_int_equal(step.act, SESSION_OPEN_ONE);
	assert_int_equal(step.channel.channel, 47);
	assert_int_equal(step.channel.control_page, 512);
	h.type = VGPU_FRAME_RUNSTATE;
	closes(&session, session_frame(&session, &h, payload)); /* 47 is no state */
	for (uint32_t running = 0; running < 2; running++) {
		open_two(&session, false);
		vgpu_put_le32(payload, running);
		step = session_frame(&session, &h, payload);
		assert_int_equal(step.act, SESSION_RUNSTATE);
		assert_int_equal(step.running, running);
	}
}

static void a_local_tenants_socket_takes_programs_alone(void **state)
{
	struct session session;

	(void)state;
	open_two(&session, true);
	closes(&session, frame(&session, VGPU_FRAME_REQUEST, 7, 1));
	open_two(&session, true);
	closes(&session, frame(&session, VGPU_FRAME_CANCEL, 7, 0));
	open_two(&session, true);
	closes(&session, say_window(&session, 0));
	open_two(&session, true);
	assert_int_equal(say_window(&session, VGPU_WINDOW_OF_PROGRAM).act, SESSION_WINDOW);
	closes(&session, say_window(&session, VGPU_WINDOW_OF_PROGRAM));
}

static void types_that_do_not_exist(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 256; type++) {
		struct session session;

		if (type >= 1 && type < VGPU_FRAME_TYPE_NUM)
			continue;
		open_one(&session);
		closes(&session, frame(&session, (uint8_t)type, 7, 1));
		session_init(&session, 7, false);
		closes(&session, frame(&session, (uint8_t)type, 7, 1));
	}
}

static void who_says_hello(void **state)
{
	struct session session;

	(void)state;
	/* A device that does not know its number yet is told it. */
	session_init(&session, 7, false);
	assert_int_equal(hello(&session, 0, 1, 1).act, SESSION_GREET);
	/* From then on it must use it. */
	closes(&session, frame(&session, VGPU_FRAME_REQUEST, 0, 1));

	session_init(&session, 7, false);
	refuses(&session, hello(&session, 8, 1, 1), VGPU_ERR_DENIED);
	session_init(&session, 7, false);
	refuses(&session, hello(&session, 0x07000000, 1, 1), VGPU_ERR_DENIED);
	session_init(&session, 7, false);
	refuses(&session, hello(&session, 0xffffffff, 1, 1), VGPU_ERR_DENIED);
}

static void the_range_of_versions(void **state)
{
	static const struct {
		uint32_t min, max;
		bool ok;
	} ranges[] = {
		{ 1, 1, true },		  { 0, 1, true },
		{ 1, 2, true },		  { 0, 0xffffffff, true },
		{ 0, 0, false },	  { 2, 2, true },
		{ 2, 0xffffffff, true },  { 2, 1, false },
		{ 1, 0, false },	  { 0x01000000, 0x01000000, false },
		{ 2, 0, false },	  { 3, 3, false },
		{ 3, 0xffffffff, false },
	};

	(void)state;
	assert_int_equal(VGPU_LINK_VERSION, 1);
	assert_int_equal(VGPU_LINK_VERSION_PROGRAMS, 2);
	for (size_t i = 0; i < LEN(ranges); i++) {
		struct session session;
		struct session_step step;

		session_init(&session, 7, false);
		step = hello(&session, 7, ranges[i].min, ranges[i].max);
		if (ranges[i].ok != (step.act == SESSION_GREET))
			fail_msg("versions %u to %u: act %d", ranges[i].min, ranges[i].max,
				 step.act);
		if (!ranges[i].ok)
			refuses(&session, step, VGPU_ERR_BAD_VERSION);
		else
			assert_int_equal(session.version, ranges[i].max >= 2 ? 2 : 1);
	}
}

/* A later device may say more in its hello; what is behind the known part does not count. */
static void a_longer_hello(void **state)
{
	struct vgpu_frame_header h = { .vm_id = 7, .length = 64, .type = VGPU_FRAME_HELLO };
	uint8_t payload[64];
	struct session session;

	(void)state;
	memset(payload, 0xff, sizeof(payload));
	vgpu_put_le32(payload, 1);
	vgpu_put_le32(payload + 4, 3);
	session_init(&session, 7, false);
	assert_int_equal(session_frame(&session, &h, payload).act, SESSION_GREET);
}

static void a_frame_in_anothers_name(void **state)
{
	static const uint32_t others[] = { 0, 6, 8, 0x07000000, 0xffffffff };
	struct session session;

	(void)state;
	for (size_t i = 0; i < LEN(others); i++) {
		open_one(&session);
		closes(&session, frame(&session, VGPU_FRAME_REQUEST, others[i], 1));
		open_one(&session);
		frame(&session, VGPU_FRAME_REQUEST, 7, 1);
		closes(&session, frame(&session, VGPU_FRAME_CANCEL, others[i], 1));
	}
}

static void sequences_only_rise(void **state)
{
	static const struct {
		uint64_t first, second;
		enum session_act act;
	} pairs[] = {
		{ 1, 2, SESSION_SUBMIT },
		{ 1, 1, SESSION_CLOSE },
		{ 2, 1, SESSION_CLOSE },
		{ 1, 100, SESSION_SUBMIT },
		{ 5, 0, SESSION_CLOSE },
		{ 0xffffffff, 0x100000000, SESSION_SUBMIT },
		{ 0x100000000, 0xffffffff, SESSION_CLOSE },
		{ 0x100000001, 1, SESSION_CLOSE },
		{ UINT64_MAX - 1, UINT64_MAX, SESSION_SUBMIT },
		{ UINT64_MAX, UINT64_MAX, SESSION_CLOSE },
		{ UINT64_MAX, 1, SESSION_CLOSE },
	};
	struct session session;

	(void)state;
	for (size_t i = 0; i < LEN(pairs); i++) {
		struct session_step step;

		open_one(&session);
		assert_int_equal(frame(&session, VGPU_FRAME_REQUEST, 7, pairs[i].first).act,
				 SESSION_SUBMIT);
		step = frame(&session, VGPU_FRAME_REQUEST, 7, pairs[i].second);
		if (step.act != pairs[i].act)
			fail_msg("pair %zu: act %d", i, step.act);
	}
	/* 0 is no number of a request, not even of the first. */
	open_one(&session);
	closes(&session, frame(&session, VGPU_FRAME_REQUEST, 7, 0));
}

static void cancelling(void **state)
{
	struct session session;

	(void)state;
	open_one(&session);
	closes(&session, frame(&session, VGPU_FRAME_CANCEL, 7, 1)); /* nothing was sent */

	open_one(&session);
	frame(&session, VGPU_FRAME_REQUEST, 7, 10);
	assert_int_equal(frame(&session, VGPU_FRAME_CANCEL, 7, 10).act, SESSION_CANCEL);
	/* Twice, or for one that ended long ago: the device could not know. */
	assert_int_equal(frame(&session, VGPU_FRAME_CANCEL, 7, 10).act, SESSION_CANCEL);
	assert_int_equal(frame(&session, VGPU_FRAME_CANCEL, 7, 9).act, SESSION_CANCEL);
	/* A cancel takes no number: the next request may have the next one, and no old one. */
	assert_int_equal(frame(&session, VGPU_FRAME_REQUEST, 7, 11).act, SESSION_SUBMIT);
	closes(&session, frame(&session, VGPU_FRAME_CANCEL, 7, 12));
}

/* After a reconnect the device counts on or begins anew: both are a new session's good right. */
static void a_new_session_forgets_the_old(void **state)
{
	struct session session;

	(void)state;
	open_one(&session);
	frame(&session, VGPU_FRAME_REQUEST, 7, 1000);
	open_one(&session);
	assert_int_equal(frame(&session, VGPU_FRAME_REQUEST, 7, 1).act, SESSION_SUBMIT);
	open_one(&session);
	assert_int_equal(frame(&session, VGPU_FRAME_REQUEST, 7, 1001).act, SESSION_SUBMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_in_every_state),
		cmocka_unit_test(every_frame_of_a_peer_with_programs),
		cmocka_unit_test(what_a_window_says),
		cmocka_unit_test(what_a_channel_and_a_runstate_say),
		cmocka_unit_test(a_local_tenants_socket_takes_programs_alone),
		cmocka_unit_test(types_that_do_not_exist),
		cmocka_unit_test(who_says_hello),
		cmocka_unit_test(the_range_of_versions),
		cmocka_unit_test(a_longer_hello),
		cmocka_unit_test(a_frame_in_anothers_name),
		cmocka_unit_test(sequences_only_rise),
		cmocka_unit_test(cancelling),
		cmocka_unit_test(a_new_session_forgets_the_old),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
