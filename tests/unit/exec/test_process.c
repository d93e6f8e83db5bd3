/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_process.c - a worker process: hello, jobs, what it may send, and each way to end */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/exec/double.h"
#include "vgpud/exec/process.h"

static int heard, buried;

static void on_heard(struct process *process, void *arg)
{
	(void)process;
	assert_ptr_equal(arg, &heard);
	heard++;
}

static void on_buried(struct process *process, void *arg)
{
	(void)process;
	assert_ptr_equal(arg, &buried);
	buried++;
}

static struct process *start(const char *spec)
{
	struct process *process = NULL;

	heard = buried = 0;
	assert_int_equal(
		process_start(&process, double_event, SPAWN_WORKER, spec, on_buried, &buried), 0);
	process_listen(process, on_heard, &heard);
	return process;
}

/* Return: what process_greet() says in the end. */
static int greet(struct process *process, struct worker_hello *hello)
{
	int result;

	assert_true(DOUBLE_UNTIL((result = process_greet(process, hello)) != 0));
	return result;
}

static struct process *start_good(void)
{
	struct process *process = start(DOUBLE_GOOD);
	struct worker_hello hello;

	assert_int_equal(greet(process, &hello), 1);
	assert_string_equal(hello.info.name, "double");
	return process;
}

static struct worker_job job(uint64_t id, enum double_deed deed)
{
	return (struct worker_job){ .id = id, .busy_poll_us = deed, .len_bytes = 40 };
}

static void give(struct process *process, uint64_t id, enum double_deed deed)
{
	const struct worker_job one = job(id, deed);

	assert_int_equal(process_submit(process, &one), 0);
}

/* Return: what process_reap() says in the end. */
static int reap(struct process *process, struct worker_done *done)
{
	int result;

	assert_true(DOUBLE_UNTIL((result = process_reap(process, done)) != 0));
	return result;
}

/* Closes one that has not ended, and sees its end. */
static void bury(struct process *process)
{
	assert_true(process_close(process));
	assert_true(DOUBLE_UNTIL(buried == 1));
}

static void test_hello_and_answers(void **arg)
{
	struct process *process = start_good();
	struct worker_done done;

	(void)arg;
	assert_int_equal(process_reap(process, &done), 0);
	for (uint64_t id = 1; id <= 3; id++)
		give(process, id, DOUBLE_ANSWERS);
	for (uint64_t id = 1; id <= 3; id++) {
		assert_int_equal(reap(process, &done), 1);
		assert_int_equal(done.id, id);
		assert_int_equal(done.exec_ns, 7);
		assert_int_equal(done.len_bytes, 40);
	}
	assert_true(heard > 0);
	bury(process);
}

static void test_it_refuses(void **arg)
{
	struct process *process = start(DOUBLE_REFUSES);
	struct worker_hello hello;

	(void)arg;
	assert_int_equal(greet(process, &hello), -ENOENT);
	assert_string_equal(hello.why, "it does not want to");
	bury(process);
}

static void test_it_ends_without_a_hello(void **arg)
{
	struct process *process = start(DOUBLE_ENDS);
	struct worker_hello hello;

	(void)arg;
	assert_int_equal(greet(process, &hello), -EPIPE);
	assert_string_equal(hello.why, "the worker process ended as it started");
	assert_true(DOUBLE_UNTIL(process->ended));
	assert_false(process_close(process));
}

static void test_its_last_answer_comes_before_its_end(void **arg)
{
	struct process *process = start_good();
	struct worker_done done;

	(void)arg;
	give(process, 1, DOUBLE_LAST_ANSWER);
	assert_true(DOUBLE_UNTIL(process->ended));
	assert_int_equal(process_reap(process, &done), 1);
	assert_int_equal(done.id, 1);
	assert_int_equal(process_reap(process, &done), -EPIPE);
	assert_false(process_close(process));
	assert_int_equal(buried, 0);
}

/* Its end is told again and again until it is closed, so that nothing hangs on one event. */
static void test_its_end_is_told_until_it_is_closed(void **arg)
{
	struct process *process = start_good();

	(void)arg;
	give(process, 1, DOUBLE_DIES);
	assert_true(DOUBLE_UNTIL(process->ended));
	heard = 0;
	assert_true(DOUBLE_UNTIL(heard >= 5));
	assert_false(process_close(process));
}

/* The socket is still open then: its end is seen by its pid alone. */
static void test_a_child_of_it_holds_the_socket(void **arg)
{
	struct process *process = start_good();
	struct worker_done done;
	pid_t escaped;

	(void)arg;
	give(process, 1, DOUBLE_FORKS);
	assert_int_equal(reap(process, &done), 1);
	escaped = (pid_t)done.exec_ns;
	assert_true(DOUBLE_UNTIL(process->ended));
	assert_int_equal(kill(escaped, 0), 0);
	assert_int_equal(process_reap(process, &done), -EPIPE);
	const struct worker_job more = job(2, DOUBLE_ANSWERS);
	assert_int_equal(process_submit(process, &more), -EPIPE); /* its child is not asked */
	assert_false(process_close(process));
	kill(escaped, SIGKILL);
}

/* As a process that is stuck in the driver: its end is seen by its socket alone. */
static void test_it_closes_the_socket_and_lives_on(void **arg)
{
	struct process *process = start_good();
	struct worker_done done;

	(void)arg;
	give(process, 1, DOUBLE_CLOSES);
	assert_int_equal(reap(process, &done), -EPIPE);
	assert_false(process->ended);
	bury(process);
}

static void test_messages_of_a_wrong_length(void **arg)
{
	static const struct {
		enum double_deed deed;
		int result;
	} wrong[] = { { DOUBLE_SHORT, -EPROTO },
		      { DOUBLE_LONG, -EPROTO },
		      { DOUBLE_EMPTY, -EPIPE } };

	(void)arg;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct process *process = start_good();
		struct worker_done done;

		give(process, 1, wrong[i].deed);
		assert_int_equal(reap(process, &done), wrong[i].result);
		bury(process);
	}
}

static void test_a_full_socket(void **arg)
{
	struct process *process = start_good();
	struct worker_job one = job(1, DOUBLE_WAITS);
	int submitted = 0, result;

	(void)arg;
	while ((result = process_submit(process, &one)) == 0)
		submitted++;
	assert_true(submitted > 10);
	assert_int_equal(result, -EAGAIN);
	bury(process);
}

/* Everything that a worker writes is a line of ours, few of them, and names it. */
static void test_its_output(void **arg)
{
	char path[] = "/tmp/vgpu-output-XXXXXX", line[512], want[64];
	int file = mkstemp(path), before = dup(STDERR_FILENO), lines = 0, named = 0;
	bool counted = false;
	struct process *process;
	struct worker_done done;
	FILE *log;

	(void)arg;
	assert_true(file >= 0);
	unlink(path);
	dup2(file, STDERR_FILENO);
	process = start_good();
	snprintf(want, sizeof(want), "vgpu: worker %d (good): ", process->pid);
	give(process, 1, DOUBLE_WRITES);
	assert_int_equal(reap(process, &done), 1);
	bury(process);
	dup2(before, STDERR_FILENO);
	close(before);
	log = fdopen(file, "r");
	rewind(log);
	while (fgets(line, sizeof(line), log) != NULL) {
		lines++;
		named += strncmp(line, want, strlen(want)) == 0;
		counted |= strstr(line, "more lines in") != NULL;
		for (const char *at = line; *at != '\n' && *at != '\0'; at++)
			assert_true(*at >= ' ' && *at <= '~');
		if (lines == 1)
			assert_string_equal(line + strlen(want),
					    "<3>vgpud: forged\\x1b[2J \\xff0\n");
	}
	fclose(log);
	assert_true(lines > 3 && lines < 30);
	assert_int_equal(named, lines);
	assert_true(counted);
}

/* What a debugger does: it has the worker's end first, and lets go some time later. */
static void trace(pid_t pid, int told, int go)
{
	char byte;
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || write(told, "", 1) != 1 ||
	    read(go, &byte, 1) != 1 || waitpid(pid, &status, __WALL) != pid)
		_exit(1);
	_exit(0);
}

static void test_it_dies_under_a_debugger(void **arg)
{
	struct process *process = start_good();
	int told[2], go[2], status;
	pid_t tracer;
	char byte;

	(void)arg;
	assert_int_equal(pipe2(told, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	tracer = fork();
	if (tracer == 0)
		trace(process->pid, told[1], go[0]);
	close(told[1]);
	if (read(told[0], &byte, 1) != 1) { /* no process may be traced here */
		bury(process);
		assert_int_equal(waitpid(tracer, NULL, 0), tracer);
		close(told[0]);
		close(go[0]);
		close(go[1]);
		return;
	}
	assert_true(process_close(process)); /* kills it */
	for (int i = 0; i < 5; i++) {
		assert_true(sd_event_run(double_event, 10000) >= 0);
		assert_int_equal(buried, 0);
	}
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
	assert_true(DOUBLE_UNTIL(buried == 1));
	close(told[0]);
	close(go[0]);
	close(go[1]);
}

static void test_abandoned_without_a_word(void **arg)
{
	struct process *process = start_good();

	(void)arg;
	process_abandon(process);
	sd_event_run(double_event, 0);
	assert_int_equal(buried, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_and_answers),
		cmocka_unit_test(test_it_refuses),
		cmocka_unit_test(test_it_ends_without_a_hello),
		cmocka_unit_test(test_its_last_answer_comes_before_its_end),
		cmocka_unit_test(test_its_end_is_told_until_it_is_closed),
		cmocka_unit_test(test_a_child_of_it_holds_the_socket),
		cmocka_unit_test(test_it_closes_the_socket_and_lives_on),
		cmocka_unit_test(test_messages_of_a_wrong_length),
		cmocka_unit_test(test_a_full_socket),
		cmocka_unit_test(test_its_output),
		cmocka_unit_test(test_it_dies_under_a_debugger),
		cmocka_unit_test(test_abandoned_without_a_word),
	};
	int status = double_role(argc, argv);

	if (status >= 0)
		return status;
	return cmocka_run_group_tests_name("process", tests, double_set_up, double_tear_down);
}
