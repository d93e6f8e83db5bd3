/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - what of a flood passes, that its sum leaves none out, and that nothing waits */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

#define S UINT64_C(1000000000)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define FIRST (5 * S)

/* The result of a flood. */
struct told {
	unsigned passed, sums, summed;
};

/* Messages, each_ns apart, for as long; sums are told as a timer would. */
static struct told flood_for(struct log_flood *flood, uint64_t from_ns, uint64_t for_ns,
			     uint64_t each_ns)
{
	struct told told = { 0 };
	unsigned over_s;

	for (uint64_t now_ns = from_ns; now_ns < from_ns + for_ns; now_ns += each_ns) {
		while (log_flood_due_ns(flood) <= now_ns) {
			told.sums++;
			told.summed += log_flood_sum(flood, now_ns, &over_s);
			assert_in_range(over_s, 1, 62);
		}
		told.passed += log_flood_pass(flood, now_ns);
	}
	return told;
}

static void a_few_pass(void **state)
{
	struct log_flood flood = { 0 };

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(log_flood_pass(&flood, FIRST));
	assert_int_equal(log_flood_due_ns(&flood), UINT64_MAX);
	assert_false(log_flood_pass(&flood, FIRST));
	assert_int_equal(log_flood_due_ns(&flood), FIRST + S);
}

static void a_flood_is_a_line_a_minute_and_none_is_left_out(void **state)
{
	struct log_flood flood = { 0 };
	struct told told = flood_for(&flood, FIRST, HOUR, S / 1000);

	(void)state;
	assert_int_equal(told.passed, 8);
	assert_in_range(told.sums, 60, 66);
	assert_int_equal(told.passed + told.summed + flood.held_back, HOUR / (S / 1000));
}

static void what_comes_seldom_passes(void **state)
{
	struct log_flood flood = { 0 };

	(void)state;
	assert_int_equal(flood_for(&flood, FIRST, HOUR, 10 * S).passed, HOUR / (10 * S));
}

static void after_a_minute_of_quiet_messages_pass_again(void **state)
{
	struct log_flood flood = { 0 };
	uint64_t end_ns = FIRST + MINUTE;
	unsigned over_s;

	(void)state;
	flood_for(&flood, FIRST, MINUTE, S / 10);
	log_flood_sum(&flood, end_ns, &over_s);
	assert_false(log_flood_pass(&flood, end_ns + MINUTE / 2));
	log_flood_sum(&flood, end_ns + MINUTE, &over_s);
	assert_true(log_flood_pass(&flood, end_ns + 2 * MINUTE));
}

/* --- a reader that does not read --- */

#define MESSAGES 3000u

struct reader {
	int fd;
	char line[256];
	size_t len;
	unsigned next; /* number of the message that comes next */
	unsigned lost, came;
};

static void take_line(struct reader *reader)
{
	unsigned number, lost;

	if (sscanf(reader->line, "vgpu: message %u", &number) == 1) {
		assert_int_equal(number, reader->next); /* in order; a gap is told where it is */
		reader->next++;
		reader->came++;
		return;
	}
	assert_int_equal(sscanf(reader->line, "vgpu: %u messages are lost here", &lost), 1);
	reader->next += lost;
	reader->lost += lost;
}

/* Takes what is there. */
static void read_all(struct reader *reader)
{
	char byte;

	while (read(reader->fd, &byte, 1) == 1) {
		assert_true(reader->len < sizeof(reader->line) - 1);
		if (byte != '\n') {
			reader->line[reader->len++] = byte;
			continue;
		}
		reader->line[reader->len] = '\0';
		reader->len = 0;
		take_line(reader);
	}
}

/* Logs into one end while the other is not read, then reads. pair: its read end first. */
static void nothing_waits_and_what_is_lost_is_told(int pair[2])
{
	struct reader reader = { .fd = pair[0] };
	int saved = dup(STDERR_FILENO);
	bool kept;

	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
	close(pair[1]);
	log_never_wait();
	for (unsigned i = 0; i < MESSAGES; i++)
		log_info("message %u of so many that no buffer between the two takes them all", i);
	kept = log_flush();
	do
		read_all(&reader);
	while (log_flush());
	read_all(&reader);
	log_info("message %u", MESSAGES);
	read_all(&reader);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pair[0]);
	assert_true(kept);
	assert_in_range(reader.lost, 1, MESSAGES - 1);
	assert_int_equal(reader.came + reader.lost, MESSAGES + 1);
}

static void a_pipe_that_is_not_read(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	nothing_waits_and_what_is_lost_is_told(pair);
}

static void a_socket_that_is_not_read(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	nothing_waits_and_what_is_lost_is_told(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_pass),
		cmocka_unit_test(a_flood_is_a_line_a_minute_and_none_is_left_out),
		cmocka_unit_test(what_comes_seldom_passes),
		cmocka_unit_test(after_a_minute_of_quiet_messages_pass_again),
		cmocka_unit_test(a_pipe_that_is_not_read),
		cmocka_unit_test(a_socket_that_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
