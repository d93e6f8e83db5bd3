/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_turn.c - clients come behind devices, and come all the same */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vgpud/admin/turn.h"

#define ROUNDS 100

struct fixture {
	sd_event *event;
	int fd; /* readable for ever */
	unsigned device, client, timer;
};

static int count(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	++*(unsigned *)arg;
	return 0;
}

static int count_client(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	assert_return_code(admin_turn_lower(source), 0);
	return count(source, fd, revents, arg);
}

static int count_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)usec;
	assert_return_code(admin_turn_lower(source), 0);
	++*(unsigned *)arg;
	return 0;
}

static void run(struct fixture *f)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		assert_return_code(sd_event_run(f->event, 0), 0);
}

static void a_busy_device_comes_first_and_a_client_that_was_raised_once(void **state)
{
	struct fixture f = { .fd = eventfd(1, EFD_CLOEXEC) };
	sd_event_source *device, *client, *timer;
	int fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	assert_return_code(sd_event_new(&f.event), 0);
	assert_return_code(
		sd_event_add_io(f.event, &client, f.fd, EPOLLIN, count_client, &f.client), 0);
	assert_return_code(
		sd_event_add_time(f.event, &timer, CLOCK_MONOTONIC, 0, 1, count_timer, &f.timer),
		0);
	assert_return_code(admin_turn_lower(client), 0);
	assert_return_code(admin_turn_lower(timer), 0);
	assert_return_code(sd_event_add_io(f.event, &device, fd, EPOLLIN, count, &f.device), 0);
	run(&f);
	assert_int_equal(f.device, ROUNDS);
	assert_int_equal(f.client + f.timer, 0);
	for (unsigned turn = 1; turn < 4; turn++) {
		admin_turn_raise(client);
		run(&f);
		assert_int_equal(f.client, turn); /* once, and then it is behind again */
	}
	admin_turn_raise(timer);
	run(&f);
	assert_int_equal(f.timer, 1);
	/* A device that has nothing to say keeps no client waiting. */
	sd_event_source_set_enabled(device, SD_EVENT_OFF);
	run(&f);
	assert_int_equal(f.client, 3 + ROUNDS);
	sd_event_source_disable_unref(timer);
	sd_event_source_disable_unref(device);
	sd_event_source_disable_unref(client);
	close(fd);
	close(f.fd);
	sd_event_unref(f.event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_device_comes_first_and_a_client_that_was_raised_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
