/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_device.c - libvgpu by the device: against a double of vgpu.ko and a worker */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/libvgpu/vgpu.h"
#include "tests/unit/libvgpu/device_double.h"

/* Answers LIMIT_GET with three times its limit; CONTEXT_SYNCHRONIZE never. */
static bool run(struct double_host *host, const struct vgpu_command *head, const uint8_t *args,
		struct vgpu_reply *reply)
{
	struct vgpu_cmd_limit_get get;

	(void)host;
	if (head->op == VGPU_CMD_CONTEXT_SYNCHRONIZE)
		return false;
	memcpy(&get, args, sizeof(get));
	reply->value[0] = 3ull * get.limit;
	return true;
}

static enum vgpu_end try_open(struct vgpu **vgpu, char *why)
{
	struct vgpu_options options = { .device = device.path, .name = "test" };

	return vgpu_open(&options, vgpu, why);
}

static struct vgpu *open_program(void)
{
	char why[VGPU_WHY];
	struct vgpu *vgpu = NULL;

	device.host.run = run;
	device_start();
	assert_int_equal(try_open(&vgpu, why), VGPU_END_NONE);
	assert_string_equal(why, "");
	return vgpu;
}

static struct vgpu *start_program(void)
{
	struct vgpu *vgpu = open_program();

	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	return vgpu;
}

static void end_program(struct vgpu *vgpu)
{
	vgpu_close(vgpu);
	device_stop();
}

static enum vgpu_end ask_limit(struct vgpu *vgpu, uint32_t limit, uint64_t *answer)
{
	struct vgpu_cmd_limit_get args = { .limit = limit };
	struct vgpu_order order = { .op = VGPU_CMD_LIMIT_GET,
				    .args = &args,
				    .args_bytes = sizeof(args) };
	struct vgpu_reply reply;
	enum vgpu_end end = vgpu_call(vgpu, &order, &reply);

	*answer = reply.value[0];
	return end;
}

static void check_works(struct vgpu *vgpu)
{
	uint64_t answer;

	assert_int_equal(ask_limit(vgpu, 7, &answer), VGPU_END_NONE);
	assert_int_equal(answer, 21);
}

/* --- open --- */

static void test_device_before_channel(void **state)
{
	struct vgpu_device_page page;
	struct slot slot;
	char where[SLOT_TEXT_LEN];
	struct vgpu *vgpu;

	(void)state;
	device.host.device = (struct vgpu_device_page){ .driver_version = 13000, .name = "double" };
	vgpu = open_program();
	vgpu_device(vgpu, &page);
	assert_int_equal(page.driver_version, 13000);
	assert_string_equal(page.name, "double");
	vgpu_slot(vgpu, &slot);
	slot_format(&slot, where);
	assert_string_equal(where, "10000:21:1e.5");
	assert_int_equal(vgpu_window_bytes(vgpu), VGPU_WINDOW_LEAST);
	assert_false(device.host.worker_runs);
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	assert_true(device.host.program_window >= VGPU_WINDOW_BAND_FIRST);
	assert_int_equal(device.host.program_window % VGPU_WINDOW_LEAST, 0);
	assert_int_equal(device.host.control->pid, getpid());
	assert_int_equal(device.opens, 1);
	check_works(vgpu);
	end_program(vgpu);
}

static void test_waits_for_vgpud_to_look_at_the_window(void **state)
{
	struct vgpu *vgpu;

	(void)state;
	device.silent_infos = 5;
	vgpu = open_program();
	assert_int_equal(device.silent_infos, 0);
	end_program(vgpu);
}

/* contains: of the sentence, "" for none. */
static void refused(enum vgpu_end wanted, const char *contains)
{
	char why[VGPU_WHY];
	struct vgpu *vgpu = NULL;

	device_start();
	assert_int_equal(try_open(&vgpu, why), wanted);
	assert_null(vgpu);
	assert_non_null(strstr(why, contains));
	assert_int_equal(why[0] == '\0', contains[0] == '\0');
	device_stop();
}

static void test_refusals(void **state)
{
	static const enum vgpu_end said[] = { VGPU_END_PROGRAMS_OFF, VGPU_END_NO_DEVICE,
					      VGPU_END_DRAINING, VGPU_END_LINK_OLD,
					      VGPU_END_NO_CONFINEMENT };

	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		device.window_status = said[i] << VGPU_WINDOW_END_SHIFT;
		refused(said[i], "");
	}
	device.window_status = VGPU_END_HOST_LOST << VGPU_WINDOW_END_SHIFT;
	refused(VGPU_END_HOST_LOST, "no vgpud is connected");
	device.layout = 0x30000;
	refused(VGPU_END_LAYOUT, "version 0x30000, this library reads version 0x20000");
	device.open_errno = EACCES;
	refused(VGPU_END_NO_PERMISSION, "Permission denied (be a member of its group");
	device.open_errno = EMFILE;
	refused(VGPU_END_NO_MEMORY, "");
	device.unplugged = true;
	refused(VGPU_END_UNPLUGGED, "");
}

static void test_another_file(void **state)
{
	struct vgpu_options options = { .device = "/dev/null" };
	char why[VGPU_WHY];
	struct vgpu *vgpu;

	(void)state;
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_NO_VGPU);
	assert_string_equal(why, "/dev/null is no device of vgpu.ko");
}

/* --- start --- */

static void test_start_again_after_a_refusal(void **state)
{
	struct vgpu *vgpu = open_program();

	(void)state;
	device.refusal = VGPU_END_TOO_MANY_PROGRAMS;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_TOO_MANY_PROGRAMS);
	assert_int_equal(vgpu_ended(vgpu), VGPU_END_NONE);
	device.hold_errno = ENOSPC;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_WINDOW_FULL);
	device.hold_errno = EBUSY;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NO_CHANNEL);
	device.hold_errno = 0;
	device.window_status = VGPU_END_PROGRAMS_OFF << VGPU_WINDOW_END_SHIFT;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_PROGRAMS_OFF);
	device.window_status = VGPU_WINDOW_READY;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	assert_int_equal(device.opens, 2);
	assert_int_equal(device.host.control_at, 4 * VGPU_PIECE);
	check_works(vgpu);
	end_program(vgpu);
}

static void test_signals_while_it_opens(void **state)
{
	sigset_t before, after;
	struct vgpu *vgpu = open_program();

	(void)state;
	device.interrupts = 3;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(device.interrupts, 0);
	for (int i = 1; i < SIGRTMAX; i++)
		assert_int_equal(sigismember(&after, i), sigismember(&before, i));
	check_works(vgpu);
	end_program(vgpu);
}

static void test_unplugged_before_the_start(void **state)
{
	struct vgpu *vgpu = open_program();

	(void)state;
	device.unplugged = true;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_UNPLUGGED);
	assert_int_equal(vgpu_ended(vgpu), VGPU_END_UNPLUGGED);
	end_program(vgpu);
}

/* --- commands --- */

static void test_kicks_only_a_worker_that_sleeps(void **state)
{
	struct vgpu_figures figures;
	struct vgpu *vgpu;

	(void)state;
	device.host.lazy = true;
	vgpu = start_program();
	for (int i = 0; i < 50; i++)
		check_works(vgpu);
	vgpu_figures(vgpu, &figures);
	assert_int_equal(figures.commands, 50);
	assert_int_equal(figures.kicks, device.kicks);
	assert_true(device.kicks > 0);
	end_program(vgpu);
}

static void *caller(void *argument)
{
	for (uint32_t i = 0; i < 60; i++) {
		uint64_t answer;

		if (ask_limit(argument, i, &answer) != VGPU_END_NONE || answer != 3ull * i)
			return argument;
	}
	return NULL;
}

/* A wake-up that the worker's events explain asks the device nothing. */
static void test_threads(void **state)
{
	struct vgpu *vgpu = start_program();
	pthread_t threads[16];
	struct vgpu_figures figures;
	uint32_t states;

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, caller, vgpu), 0);
	for (int i = 0; i < 16; i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	vgpu_figures(vgpu, &figures);
	states = __atomic_load_n(&device.states, __ATOMIC_RELAXED);
	assert_true(states <= figures.sleeps + 2);
	end_program(vgpu);
}

/* --- loss --- */

static void *waiter(void *argument)
{
	struct vgpu_order order = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE };
	struct vgpu_reply reply;

	return (void *)(intptr_t)vgpu_call(argument, &order, &reply);
}

/* Threads wait when the channel goes; all see why, and so does the next call. */
static void lose(uint32_t status, enum vgpu_end said, enum vgpu_end wanted)
{
	struct vgpu *vgpu = start_program();
	struct vgpu_order order = { .op = VGPU_CMD_NOP };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, waiter, vgpu), 0);
	if (wanted == VGPU_END_UNPLUGGED)
		__atomic_store_n(&device.unplugged, true, __ATOMIC_RELEASE);
	else
		device_lose(status, said);
	for (int i = 0; i < 4; i++) {
		void *got;

		pthread_join(threads[i], &got);
		assert_int_equal((intptr_t)got, wanted);
	}
	assert_int_equal(vgpu_submit(vgpu, &order), wanted);
	assert_int_equal(vgpu_ended(vgpu), wanted);
	end_program(vgpu);
}

static void test_loss(void **state)
{
	(void)state;
	lose(VGPU_CHANNEL_LOST, VGPU_END_KILLED, VGPU_END_KILLED);
	lose(VGPU_CHANNEL_LOST, VGPU_END_HOST_LOST, VGPU_END_HOST_LOST);
	lose(VGPU_CHANNEL_LOST, VGPU_END_NONE, VGPU_END_WORKER_LOST);
	lose(VGPU_CHANNEL_LOST, VGPU_END_MIGRATING, VGPU_END_MIGRATING);
	lose(VGPU_CHANNEL_CLOSED, VGPU_END_RESET, VGPU_END_RESET);
	lose(VGPU_CHANNEL_CLOSING, VGPU_END_RESET, VGPU_END_RESET);
	lose(0, 0, VGPU_END_UNPLUGGED);
}

/* --- pieces --- */

static void test_pieces(void **state)
{
	struct vgpu *vgpu = start_program();
	uint64_t at;
	uint8_t *bytes;

	(void)state;
	assert_int_equal(vgpu_pieces_take(vgpu, VGPU_PIECE + 1, &at), VGPU_END_NONE);
	assert_int_equal(at, 6 * VGPU_PIECE);
	bytes = vgpu_window_address(vgpu, at);
	bytes[9] = 4;
	assert_int_equal(device.host.window[at + 9], 4);
	vgpu_pieces_give(vgpu, at, VGPU_PIECE + 1);
	assert_int_equal(device.given_first, 6);
	assert_int_equal(device.given_count, 2);
	device.take_errno = ENOSPC;
	assert_int_equal(vgpu_pieces_take(vgpu, 1, &at), VGPU_END_WINDOW_FULL);
	device.take_errno = EINVAL;
	assert_int_equal(vgpu_pieces_take(vgpu, 1, &at), VGPU_END_WINDOW_FULL);
	device.take_errno = ENODEV;
	assert_int_equal(vgpu_pieces_take(vgpu, 1, &at), VGPU_END_UNPLUGGED);
	end_program(vgpu);
}

/* --- fork --- */

static void test_fork(void **state)
{
	struct vgpu *vgpu = start_program();
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		struct vgpu_order order = { .op = VGPU_CMD_NOP };
		bool closed = true;
		uint64_t at;

		for (int fd = 0; fd < DEVICE_FILES; fd++)
			closed = closed && !device.files[fd];
		_exit(closed && vgpu_submit(vgpu, &order) == VGPU_END_FORKED &&
				      vgpu_start(vgpu) == VGPU_END_FORKED &&
				      vgpu_pieces_take(vgpu, 1, &at) == VGPU_END_FORKED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	check_works(vgpu);
	end_program(vgpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_before_channel),
		cmocka_unit_test(test_waits_for_vgpud_to_look_at_the_window),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_start_again_after_a_refusal),
		cmocka_unit_test(test_signals_while_it_opens),
		cmocka_unit_test(test_unplugged_before_the_start),
		cmocka_unit_test(test_kicks_only_a_worker_that_sleeps),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
