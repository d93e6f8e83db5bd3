/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_nvml.c - the process that asks NVML, from the broker's side: looks, lies, deaths and pauses */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/nvml_wire.h"
#include "tests/unit/exec/double.h"
#include "vgpud/exec/nvml.h"

/* --- the process, as its argument says --- */

static bool is(const char *how, const char *what)
{
	return strcmp(how, what) == 0;
}

static void say(int fd, const char *how, uint32_t look, uint32_t index)
{
	static struct nvml_gpu gpu;
	size_t size = sizeof(gpu);

	gpu = (struct nvml_gpu){ .look = look, .index = index, .num = 2 };
	memset(gpu.name, 'x', sizeof(gpu.name)); /* without an end */
	snprintf(gpu.uuid, sizeof(gpu.uuid), "a\"b\\c\nd");
	if (is(how, "other-look"))
		gpu.look++;
	if (is(how, "other-index"))
		gpu.index++;
	if (is(how, "many-gpus"))
		gpu.num = NVML_GPUS_MOST + 1;
	if (is(how, "many-processes"))
		gpu.process_num = NVML_PROCESSES_MOST + 1;
	if (is(how, "too-busy")) {
		gpu.process_num = 1;
		gpu.process[0].busy_percent = 101;
	}
	if (is(how, "no-gpu"))
		gpu = (struct nvml_gpu){ .look = look, .why = "it sees none" };
	if (is(how, "short"))
		size--;
	send(fd, &gpu, size, MSG_NOSIGNAL);
}

static int be_nvml(const char *how)
{
	struct worker_hello hello = { .error = 0 };
	int fd = inherit_fd(WORKER_SOCKET);
	struct nvml_order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (is(how, DOUBLE_ENDS))
		return 1;
	while (is(how, DOUBLE_HANGS))
		pause();
	if (is(how, DOUBLE_REFUSES)) {
		hello.error = -ENOENT;
		snprintf(hello.why, sizeof(hello.why), "there is no library");
	}
	send(fd, &hello, sizeof(hello), MSG_NOSIGNAL);
	if (is(how, "unasked"))
		say(fd, how, 0, 0);
	while (recv(fd, &order, sizeof(order), 0) == sizeof(order)) {
		while (is(how, "silent"))
			pause();
		say(fd, how, order.look, 0);
		if (is(how, "dies-between"))
			return 1;
		if (!is(how, "no-gpu"))
			say(fd, how, order.look, 1);
		if (is(how, "thrice"))
			say(fd, how, order.look, 1);
	}
	return 0;
}

/* --- the broker's side --- */

static struct nvml_settings settings;
static unsigned looks;

static void on_looked(void *arg)
{
	assert_ptr_equal(arg, &looks);
	looks++;
}

static struct nvml *begin(const char *how)
{
	struct nvml *nvml;

	looks = 0;
	settings = (struct nvml_settings){ .start_deadline_ns = 60 * UTIL_NS_PER_S,
					   .deadline_ns = 60 * UTIL_NS_PER_S,
					   .pause_ns = 10 * UTIL_NS_PER_MS };
	assert_int_equal(nvml_new(&nvml, double_event, how, &settings, on_looked, &looks), 0);
	return nvml;
}

static void gpus_are_told_again_and_again(void **state)
{
	struct nvml *nvml = begin("good");

	(void)state;
	assert_false(nvml_wanted(nvml));
	nvml_want(nvml, true);
	nvml_want(nvml, true); /* one process is enough */
	assert_true(DOUBLE_UNTIL(looks == 3));
	assert_int_equal(nvml_num(nvml), 2);
	assert_int_equal(nvml_gpu(nvml, 1)->index, 1);
	assert_int_equal(strlen(nvml_gpu(nvml, 0)->name), NVML_NAME_SIZE - 1);
	assert_string_equal(nvml_gpu(nvml, 0)->uuid, "a?b?c?d");
	assert_null(nvml_trouble(nvml));
	nvml_want(nvml, false);
	assert_int_equal(nvml_num(nvml), 0); /* nothing that is out of date */
	nvml_want(nvml, true);
	assert_true(DOUBLE_UNTIL(looks == 4));
	for (int i = 0; i < NVML_END_NUM; i++)
		assert_int_equal(nvml_ends(nvml, (enum nvml_end)i), 0);
	nvml_free(nvml);
}

static void a_shorter_pause_holds_at_once(void **state)
{
	struct nvml *nvml = begin("good");

	(void)state;
	settings.pause_ns = 3600 * UTIL_NS_PER_S;
	nvml_want(nvml, true);
	assert_true(DOUBLE_UNTIL(looks == 1));
	settings.pause_ns = UTIL_NS_PER_MS;
	nvml_follow(nvml);
	assert_true(DOUBLE_UNTIL(looks == 3));
	nvml_free(nvml);
}

static void what_goes_wrong_is_told_and_tried_again(void **state)
{
	static const struct {
		const char *how;
		enum nvml_end end;
		const char *why;
	} rows[] = {
		{ DOUBLE_ENDS, NVML_END_DIED, "ended as it started" },
		{ DOUBLE_REFUSES, NVML_END_FAILED, "there is no library" },
		{ "no-gpu", NVML_END_FAILED, "it sees none" },
		{ "dies-between", NVML_END_DIED, "died" },
		{ "other-look", NVML_END_MISBEHAVED, "nonsense" },
		{ "other-index", NVML_END_MISBEHAVED, "nonsense" },
		{ "many-gpus", NVML_END_MISBEHAVED, "nonsense" },
		{ "many-processes", NVML_END_MISBEHAVED, "nonsense" },
		{ "too-busy", NVML_END_MISBEHAVED, "nonsense" },
		{ "short", NVML_END_MISBEHAVED, "nonsense" },
		{ "unasked", NVML_END_MISBEHAVED, "nonsense" },
		{ "thrice", NVML_END_MISBEHAVED, "nonsense" },
		{ DOUBLE_HANGS, NVML_END_HUNG, "not answer in time" },
		{ "silent", NVML_END_HUNG, "not answer in time" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nvml *nvml = begin(rows[i].how);
		uint64_t first_ns;

		if (rows[i].end == NVML_END_HUNG)
			settings.start_deadline_ns = settings.deadline_ns = 50 * UTIL_NS_PER_MS;
		nvml_want(nvml, true);
		assert_true(DOUBLE_UNTIL(nvml_ends(nvml, rows[i].end) == 1));
		first_ns = util_now_ns();
		assert_non_null(strstr(nvml_trouble(nvml), rows[i].why));
		assert_int_equal(nvml_num(nvml), 0);
		/* Not in a loop: the next try comes a second later, or after more. */
		assert_true(DOUBLE_UNTIL(nvml_ends(nvml, rows[i].end) == 2));
		assert_true(util_now_ns() - first_ns >= UTIL_NS_PER_S);
		nvml_free(nvml);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpus_are_told_again_and_again),
		cmocka_unit_test(a_shorter_pause_holds_at_once),
		cmocka_unit_test(what_goes_wrong_is_told_and_tried_again),
	};

	if (argc >= 4 && strcmp(argv[1], spawn_name[SPAWN_STARTER]) != 0) {
		inherit_close_others();
		return be_nvml(argv[2]);
	}
	if (argc >= 4)
		return double_role(argc, argv);
	return cmocka_run_group_tests(tests, double_set_up, double_tear_down);
}
