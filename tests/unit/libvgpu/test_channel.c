/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_channel.c - libvgpu against a double of vgpud and worker */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/libvgpu/vgpu.h"
#include "tests/unit/libvgpu/double.h"

#define SMALL VGPU_WINDOW_LEAST

/* Answers LIMIT_GET with three times its limit, and checks the pattern of COPY_IN's tail. */
static bool run(struct double_host *host, const struct vgpu_command *head, const uint8_t *args,
		struct vgpu_reply *reply)
{
	(void)host;
	if (head->op == VGPU_CMD_LIMIT_GET) {
		struct vgpu_cmd_limit_get get;

		memcpy(&get, args, sizeof(get));
		reply->value[0] = 3ull * get.limit;
		reply->value[6] = head->thread;
	}
	if (head->op == VGPU_CMD_COPY_IN) {
		uint32_t bytes = head->bytes - (uint32_t)sizeof(*head) -
				 (uint32_t)sizeof(struct vgpu_cmd_copy_in);

		for (uint32_t i = 0; i < bytes; i++)
			if (args[sizeof(struct vgpu_cmd_copy_in) + i] != (uint8_t)(bytes + i))
				reply->result = 1;
	}
	return true;
}

static struct vgpu *open_program(struct double_host *host, uint32_t spin_us)
{
	struct vgpu_options options = {
		.socket = host->path, .name = "test", .window_bytes = SMALL, .spin_us = spin_us
	};
	struct vgpu *vgpu = NULL;
	char why[VGPU_WHY];

	if (!host->run)
		host->run = run;
	double_start(host);
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_NONE);
	return vgpu;
}

static enum vgpu_end ask_limit(struct vgpu *vgpu, uint32_t limit, struct vgpu_reply *reply)
{
	struct vgpu_cmd_limit_get args = { .limit = limit };
	struct vgpu_order order = { .op = VGPU_CMD_LIMIT_GET,
				    .args = &args,
				    .args_bytes = sizeof(args) };

	return vgpu_call(vgpu, &order, reply);
}

/* --- open --- */

static void test_device_before_channel(void **state)
{
	struct double_host host = { .device = { .driver_version = 13000, .name = "double" } };
	struct vgpu *vgpu = open_program(&host, 30);
	struct vgpu_device_page page;

	(void)state;
	vgpu_device(vgpu, &page);
	assert_int_equal(page.driver_version, 13000);
	assert_string_equal(page.name, "double");
	assert_false(host.worker_runs);
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	assert_true(host.program_window >= VGPU_WINDOW_BAND_FIRST);
	assert_int_equal(host.program_window % SMALL, 0);
	assert_int_equal(host.control->pid, getpid());
	assert_string_equal(host.control->name, "test");
	vgpu_close(vgpu);
	double_stop(&host);
}

static void refused(struct double_host *host, enum vgpu_end opens, enum vgpu_end starts)
{
	struct vgpu_options options = { .socket = host->path, .window_bytes = SMALL };
	struct vgpu *vgpu;
	char why[VGPU_WHY];

	host->run = run;
	double_start(host);
	assert_int_equal(vgpu_open(&options, &vgpu, why), opens);
	if (opens == VGPU_END_NONE) {
		assert_int_equal(vgpu_start(vgpu), starts);
		vgpu_close(vgpu);
	}
	double_stop(host);
}

static void test_refusals(void **state)
{
	struct vgpu_options options = { .socket = "/nonexistent/t.sock", .window_bytes = SMALL };
	struct vgpu *vgpu;
	char why[VGPU_WHY];

	(void)state;
	refused(&(struct double_host){ .link_version = 1 }, VGPU_END_LINK_OLD, 0);
	refused(&(struct double_host){ .window_end = VGPU_END_PROGRAMS_OFF }, VGPU_END_PROGRAMS_OFF,
		0);
	refused(&(struct double_host){ .bad_layout = true }, VGPU_END_LAYOUT, 0);
	refused(&(struct double_host){ .channel_end = VGPU_END_TOO_MANY_PROGRAMS }, VGPU_END_NONE,
		VGPU_END_TOO_MANY_PROGRAMS);
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_NO_VGPU);
	options.window_bytes = SMALL + 1;
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_WINDOW_BAD);
}

/* What keeps it from the socket is not always that nobody is there. */
static void test_why_it_cannot_connect(void **state)
{
	char dir[] = "/tmp/vgpu-channel-XXXXXX", path[64], why[VGPU_WHY] = "";
	struct vgpu_options options = { .socket = path, .window_bytes = SMALL };
	struct rlimit before, few;
	struct vgpu *vgpu;
	uid_t user = geteuid();
	int lowest;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.sock", dir);
	assert_int_equal(chmod(dir, 0), 0);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_NO_PERMISSION);
	assert_non_null(strstr(why, "Permission denied (on the host: vgpuadm set-owner VM USER"));
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = dup(STDERR_FILENO);
	close(lowest);
	few = before;
	few.rlim_cur = (rlim_t)lowest + 1; /* room for the window alone */
	why[0] = '\0';
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(vgpu_open(&options, &vgpu, why), VGPU_END_NO_MEMORY);
	assert_string_equal(why, "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* --- commands --- */

static void calls(uint32_t spin_us, bool lazy)
{
	struct double_host host = { .lazy = lazy };
	struct vgpu *vgpu = open_program(&host, spin_us);
	struct vgpu_reply reply;

	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	for (uint32_t i = 1; i < 500; i++) {
		assert_int_equal(ask_limit(vgpu, i, &reply), VGPU_END_NONE);
		assert_int_equal(reply.value[0], 3 * i);
	}
	vgpu_close(vgpu);
	double_stop(&host);
	assert_int_equal(host.counts[VGPU_CMD_LIMIT_GET], 499);
}

static void test_calls(void **state)
{
	(void)state;
	calls(30, false);
	calls(0, false);
	calls(0, true);
}

/* Commands of every length go round the ring's end many times, more than it holds. */
static void test_round_the_ring(void **state)
{
	struct double_host host = { 0 };
	struct vgpu *vgpu = open_program(&host, 0);
	static uint8_t tail[32768];
	uint32_t asked = 0, sent = 0;

	(void)state;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	for (uint32_t bytes = 0; bytes <= sizeof(tail); bytes += 1 + bytes / 9) {
		struct vgpu_cmd_copy_in args = { .to = 1 };
		struct vgpu_order order = { .op = VGPU_CMD_COPY_IN,
					    .args = &args,
					    .args_bytes = sizeof(args),
					    .tail = tail,
					    .tail_bytes = bytes };
		struct vgpu_reply reply;

		for (uint32_t i = 0; i < bytes; i++)
			tail[i] = (uint8_t)(bytes + i);
		for (int i = 0; i < 12; i++, sent++)
			assert_int_equal(vgpu_submit(vgpu, &order), VGPU_END_NONE);
		assert_int_equal(vgpu_call(vgpu, &order, &reply), VGPU_END_NONE);
		assert_int_equal(reply.result, 0);
		asked++;
	}
	vgpu_close(vgpu);
	double_stop(&host);
	assert_int_equal(host.counts[VGPU_CMD_COPY_IN], asked + sent);
}

#define THREADS 80 /* more than there are reply slots */
static void *caller(void *argument)
{
	struct vgpu *vgpu = argument;
	uint64_t mine = 0;

	for (uint32_t i = 0; i < 60; i++) {
		struct vgpu_reply reply;

		if (ask_limit(vgpu, i, &reply) != VGPU_END_NONE || reply.value[0] != 3ull * i)
			return (void *)1;
		if (mine != 0 && reply.value[6] != mine)
			return (void *)2;
		mine = reply.value[6];
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct double_host host = { 0 };
	struct vgpu *vgpu = open_program(&host, 0);
	pthread_t threads[THREADS];
	struct vgpu_figures figures;

	(void)state;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, caller, vgpu), 0);
	for (int i = 0; i < THREADS; i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	vgpu_figures(vgpu, &figures);
	assert_int_equal(figures.commands, THREADS * 60);
	vgpu_close(vgpu);
	double_stop(&host);
}

/* --- loss --- */

/* Takes commands and answers none; CONTEXT_SYNCHRONIZE says that a program waits. */
static bool run_silent(struct double_host *host, const struct vgpu_command *head,
		       const uint8_t *args, struct vgpu_reply *reply)
{
	(void)args;
	(void)reply;
	if (head->op == VGPU_CMD_CONTEXT_SYNCHRONIZE) {
		enum vgpu_end end = (enum vgpu_end)(intptr_t)host->owner;

		if (end == VGPU_END_BAD_COMMAND)
			vgpu_ring_publish(&host->control->ended, end);
		else if (end == VGPU_END_HOST_LOST)
			shutdown(host->peer_fd, SHUT_RDWR);
		else
			double_lose(host, end);
	}
	return false;
}

static void *waiter(void *argument)
{
	struct vgpu_order order = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE };
	struct vgpu_reply reply;

	return (void *)(intptr_t)vgpu_call(argument, &order, &reply);
}

static void lose(enum vgpu_end end)
{
	struct double_host host = { .run = run_silent, .owner = (void *)(intptr_t)end };
	struct vgpu *vgpu = open_program(&host, 0);
	struct vgpu_order order = { .op = VGPU_CMD_NOP };
	pthread_t threads[4];

	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, waiter, vgpu), 0);
	for (int i = 0; i < 4; i++) {
		void *got;

		pthread_join(threads[i], &got);
		assert_int_equal((intptr_t)got, end);
	}
	assert_int_equal(vgpu_submit(vgpu, &order), end);
	assert_int_equal(vgpu_ended(vgpu), end);
	vgpu_close(vgpu);
	double_stop(&host);
}

static void test_loss(void **state)
{
	(void)state;
	lose(VGPU_END_WORKER_LOST);
	lose(VGPU_END_KILLED);
	lose(VGPU_END_BAD_COMMAND);
	lose(VGPU_END_HOST_LOST);
}

/* A program that only submits finds a full ring in the end, and the loss. */
static bool run_dead(struct double_host *host, const struct vgpu_command *head, const uint8_t *args,
		     struct vgpu_reply *reply)
{
	(void)head;
	(void)args;
	(void)reply;
	double_lose(host, VGPU_END_WORKER_LOST);
	while (__atomic_load_n(&host->stop, __ATOMIC_RELAXED) == 0)
		poll(NULL, 0, 1);
	return false;
}

static void test_loss_with_full_ring(void **state)
{
	struct double_host host = { .run = run_dead };
	struct vgpu *vgpu = open_program(&host, 0);
	struct vgpu_order order = { .op = VGPU_CMD_NOP };
	enum vgpu_end end;

	(void)state;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	do
		end = vgpu_submit(vgpu, &order);
	while (end == VGPU_END_NONE);
	assert_int_equal(end, VGPU_END_WORKER_LOST);
	vgpu_close(vgpu);
	double_stop(&host);
}

/* --- fork --- */

static void test_fork(void **state)
{
	struct double_host host = { 0 };
	struct vgpu *vgpu = open_program(&host, 0);
	struct vgpu_reply reply;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	child = fork();
	if (child == 0) {
		struct vgpu_order order = { .op = VGPU_CMD_NOP };
		struct vgpu_device_page page;
		uint64_t at;

		vgpu_device(vgpu, &page);
		_exit(vgpu_ended(vgpu) == VGPU_END_FORKED &&
				      vgpu_submit(vgpu, &order) == VGPU_END_FORKED &&
				      vgpu_call(vgpu, &order, &reply) == VGPU_END_FORKED &&
				      vgpu_start(vgpu) == VGPU_END_FORKED &&
				      vgpu_pieces_take(vgpu, 1, &at) == VGPU_END_FORKED &&
				      vgpu_sticky(vgpu) == 0 && page.name[0] == '\0'
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ask_limit(vgpu, 5, &reply), VGPU_END_NONE);
	assert_int_equal(reply.value[0], 15);
	vgpu_close(vgpu);
	double_stop(&host);
}

/* --- memory --- */

static void test_pieces(void **state)
{
	struct double_host host = { 0 };
	struct vgpu *vgpu = open_program(&host, 0);
	uint64_t at[8], offset;
	int num = 0;
	uint8_t *bytes;

	(void)state;
	assert_int_equal(vgpu_start(vgpu), VGPU_END_NONE);
	while (vgpu_pieces_take(vgpu, 1, &at[num]) == VGPU_END_NONE)
		num++;
	assert_int_equal(num, SMALL / VGPU_PIECE - 2);
	bytes = vgpu_window_address(vgpu, at[2]);
	bytes[5] = 9;
	assert_true(vgpu_window_has(vgpu, bytes, VGPU_PIECE, &offset));
	assert_int_equal(offset, at[2]);
	assert_false(vgpu_window_has(vgpu, bytes, SMALL, &offset));
	assert_false(vgpu_window_has(vgpu, &offset, 1, &offset));
	vgpu_pieces_give(vgpu, at[2], VGPU_PIECE);
	vgpu_pieces_give(vgpu, at[3], VGPU_PIECE);
	assert_int_equal(vgpu_pieces_take(vgpu, 3 * VGPU_PIECE, &offset), VGPU_END_WINDOW_FULL);
	assert_int_equal(vgpu_pieces_take(vgpu, VGPU_PIECE + 1, &offset), VGPU_END_NONE);
	assert_int_equal(offset, at[2]);
	assert_int_equal(bytes[5], 0);
	vgpu_close(vgpu);
	double_stop(&host);
}

static int try_range(struct vgpu *vgpu, uint64_t address, uint64_t bytes)
{
	return vgpu_reserve(vgpu, &(struct vgpu_range){ address, bytes, address + 1 });
}

static bool is_mapped(uint64_t page)
{
	void *wanted = (void *)(uintptr_t)page;
	void *got = mmap(wanted, VGPU_PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == wanted)
		munmap(got, VGPU_PAGE);
	return got != wanted;
}

static void test_ranges(void **state)
{
	struct double_host host = { 0 };
	struct vgpu *vgpu = open_program(&host, 0);
	const uint64_t base = 0x567800000000;
	struct vgpu_range range;

	(void)state;
	assert_int_equal(try_range(vgpu, base + 0x100, 0x100), 0);
	assert_int_equal(try_range(vgpu, base + 0x400, 0x2000), 0);
	assert_int_equal(try_range(vgpu, base + 0x200, 0x100), 0);
	assert_int_equal(try_range(vgpu, base + 0x200, 0x10), -EINVAL);
	assert_int_equal(try_range(vgpu, base + 0x3ff, 2), -EINVAL);
	assert_int_equal(try_range(vgpu, base, 0), -EINVAL);
	assert_int_equal(try_range(vgpu, UINT64_MAX - 4096, 8192), -EINVAL);
	assert_int_equal(try_range(vgpu, (uintptr_t)&range & ~4095ull, 4096), -EEXIST);
	assert_true(vgpu_reserved(vgpu, base + 0x23ff, &range));
	assert_int_equal(range.address, base + 0x400);
	assert_int_equal(range.tag, base + 0x401);
	assert_false(vgpu_reserved(vgpu, base + 0x2400, &range));
	assert_true(is_mapped(base));
	assert_int_equal(vgpu_release(vgpu, base + 0x400), 0);
	assert_true(is_mapped(base));
	assert_false(is_mapped(base + 0x1000));
	assert_int_equal(vgpu_release(vgpu, base + 0x100), 0);
	assert_true(is_mapped(base));
	assert_int_equal(vgpu_release(vgpu, base + 0x201), -ENOENT);
	assert_int_equal(vgpu_release(vgpu, base + 0x200), 0);
	assert_false(is_mapped(base));
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(try_range(vgpu, base + i * 512, 512), 0);
	vgpu_close(vgpu);
	assert_false(is_mapped(base));
	double_stop(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_before_channel),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_why_it_cannot_connect),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_round_the_ring),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_with_full_ring),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
