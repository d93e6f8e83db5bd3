/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spawn.c - the starter: whose children they are, what they get, what it refuses */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util.h"
#include "proc/inherit.h"
#include "proc/spawn.h"
#include "proc/starter.h"

#define ROUNDS 200
#define REPORT "report" /* the descriptor where a role writes its report */

/* The report of a role of this test's own about itself. */
struct report {
	pid_t pid, parent;
	size_t argument_len;
	char argument[64], confine[8];
	int blocked;	 /* signals */
	int descriptors; /* besides the standard ones and those with a name */
	int other;	 /* the one with the name "other" */
};

static pid_t starter;

static int report_main(char **argv)
{
	struct report report = { .pid = getpid(),
				 .parent = getppid(),
				 .argument_len = strlen(argv[2]) };
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < NSIG; i++)
		report.blocked += sigismember(&mask, i) == 1;
	for (int fd = SPAWN_FD_FIRST + 1 + (inherit_fd("other") >= 0); fd < 256; fd++)
		report.descriptors += fcntl(fd, F_GETFD) >= 0;
	report.other = inherit_fd("other");
	snprintf(report.argument, sizeof(report.argument), "%s", argv[2]);
	snprintf(report.confine, sizeof(report.confine), "%s", argv[3]);
	if (write(inherit_fd(REPORT), &report, sizeof(report)) != sizeof(report))
		return 1;
	if (strcmp(argv[2], "wait") == 0)
		pause();
	return 7;
}

static void open_starter(const char *command)
{
	const struct spawn_fixed fixed = { "log", "1000:p:/srv/requests", command, "", "", "", "" };

	assert_int_equal(spawn_open(&starter, &fixed), 0);
}

static void close_starter(void)
{
	int status;

	spawn_close();
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int exit_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Starts the role, reads its report, and reaps it. */
static void start(enum spawn_role role, const char *argument, struct report *report)
{
	pid_t pid;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
		spawn_start(&pid, role, argument, &(struct spawn_fd){ REPORT, pair[1] }, 1), 0);
	close(pair[1]);
	assert_int_equal(recv(pair[0], report, sizeof(*report), 0), sizeof(*report));
	close(pair[0]);
	assert_int_equal(report->pid, pid);
	assert_int_equal(exit_status(pid), 7);
}

static void test_whose_child(void **arg)
{
	struct report report;

	(void)arg;
	open_starter("");
	start(SPAWN_WORKER, "cpu", &report);
	assert_int_equal(report.parent, getpid());
	assert_string_equal(report.argument, "cpu");
	assert_string_equal(report.confine, "log");
	assert_int_equal(report.blocked, 0);
	assert_int_equal(report.descriptors, 0);
	close_starter();
}

static void test_what_is_fixed(void **arg)
{
	struct report report;
	pid_t pid;

	(void)arg;
	open_starter("exit 5");
	start(SPAWN_FILES, "1:p:/etc", &report);
	assert_string_equal(report.argument, "1000:p:/srv/requests");
	assert_int_equal(spawn_start(&pid, SPAWN_COMMAND, "exit 6", NULL, 0), 0);
	assert_int_equal(exit_status(pid), 5);
	close_starter();
}

static void test_what_is_refused(void **arg)
{
	pid_t pid;

	(void)arg;
	open_starter("");
	assert_int_equal(spawn_start(&pid, SPAWN_COMMAND, "exit 6", NULL, 0), -EINVAL);
	assert_int_equal(spawn_start(&pid, SPAWN_STARTER, "yes", NULL, 0), -EINVAL);
	assert_int_equal(spawn_start(&pid, SPAWN_ROLE_NUM, "yes", NULL, 0), -EINVAL);
	assert_int_equal(spawn_start(&pid, (enum spawn_role) - 1, "yes", NULL, 0), -EINVAL);
	assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "", NULL, 0), -EINVAL);
	close_starter();
}

/* As long as execve() takes it. */
static void test_length(void **arg)
{
	char *text = malloc(STARTER_ARGUMENT_MAX + 1);
	struct report report;
	pid_t pid;

	(void)arg;
	assert_non_null(text);
	memset(text, 'q', STARTER_ARGUMENT_MAX);
	text[STARTER_ARGUMENT_MAX] = '\0';
	open_starter("");
	assert_int_equal(spawn_start(&pid, SPAWN_QUERY, text, NULL, 0), -E2BIG);
	text[STARTER_ARGUMENT_MAX - 1] = '\0';
	start(SPAWN_QUERY, text, &report);
	assert_int_equal(report.argument_len, STARTER_ARGUMENT_MAX - 1);
	close_starter();
	free(text);
}

/* Each is what its name says, in whatever order they come and whatever their numbers are. */
static void test_descriptors_by_name(void **arg)
{
	int report_pair[2], other_pair[2];
	struct report report;
	pid_t pid;

	(void)arg;
	open_starter("");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report_pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, other_pair), 0);
	for (int turned = 0; turned < 2; turned++) {
		struct spawn_fd fds[2];

		fds[turned] = (struct spawn_fd){ REPORT, report_pair[1] };
		fds[!turned] = (struct spawn_fd){ "other", other_pair[1] };
		assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", fds, 2), 0);
		assert_int_equal(recv(report_pair[0], &report, sizeof(report), 0), sizeof(report));
		assert_int_equal(report.other, SPAWN_FD_FIRST + !turned);
		assert_int_equal(report.descriptors, 0);
		assert_int_equal(exit_status(pid), 7);
	}
	for (int i = 0; i < 2; i++) {
		close(report_pair[i]);
		close(other_pair[i]);
	}
	close_starter();
}

/* The caller's mistakes are told, and start nothing. */
static void test_bad_descriptors(void **arg)
{
	const struct spawn_fd many[SPAWN_FDS_MAX + 1] = { { "a", 0 } };
	const struct spawn_fd long_name = { "abcdefghijklmnop", 0 };
	pid_t pid;

	(void)arg;
	open_starter("");
	assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", many, SPAWN_FDS_MAX + 1), -EINVAL);
	assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", &long_name, 1), -EINVAL);
	close_starter();
}

static void test_names(void **arg)
{
	(void)arg;
	setenv(INHERIT_FD_NAMES, "one:three:t", 1);
	assert_int_equal(inherit_fd("one"), SPAWN_FD_FIRST);
	assert_int_equal(inherit_fd("three"), SPAWN_FD_FIRST + 1);
	assert_int_equal(inherit_fd("t"), SPAWN_FD_FIRST + 2);
	assert_int_equal(inherit_fd("th"), -1);
	assert_int_equal(inherit_fd(""), -1);
	setenv(INHERIT_FD_NAMES, "", 1);
	assert_int_equal(inherit_fd("one"), -1);
	unsetenv(INHERIT_FD_NAMES);
	assert_int_equal(inherit_fd("one"), -1);
}

static void test_it_dies(void **arg)
{
	pid_t pid;

	(void)arg;
	open_starter("");
	kill(starter, SIGKILL);
	assert_int_equal(exit_status(starter), -SIGKILL);
	assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", NULL, 0), -EPIPE);
	spawn_close();
}

/* It is waited for, but not for ever; then it is gone. */
static void test_it_hangs(void **arg)
{
	pid_t pid;

	(void)arg;
	open_starter("");
	kill(starter, SIGSTOP);
	assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", NULL, 0), -ETIMEDOUT);
	assert_int_equal(exit_status(starter), -SIGKILL);
	spawn_close();
}

/* Signals to everybody are for vgpud. */
static void test_signals(void **arg)
{
	struct report report;

	(void)arg;
	open_starter("");
	kill(starter, SIGTERM);
	kill(starter, SIGINT);
	kill(starter, SIGHUP);
	start(SPAWN_WORKER, "cpu", &report);
	close_starter();
}

/* At the bound of descriptors, here and there. */
static void test_no_descriptors(void **arg)
{
	struct rlimit before, few;
	struct report report;
	int pair[2];
	pid_t pid;

	(void)arg;
	getrlimit(RLIMIT_NOFILE, &before);
	open_starter("");
	start(SPAWN_WORKER, "cpu", &report); /* so that it is there, and needs none to start */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	few = before;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	/* One that could not be watched is not started. */
	assert_int_equal(
		spawn_start(&pid, SPAWN_WORKER, "cpu", &(struct spawn_fd){ REPORT, pair[1] }, 1),
		-EMFILE);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(prlimit(starter, RLIMIT_NOFILE, &few, NULL), 0);
	assert_int_equal(
		spawn_start(&pid, SPAWN_WORKER, "cpu", &(struct spawn_fd){ REPORT, pair[1] }, 1),
		-EMFILE);
	assert_int_equal(prlimit(starter, RLIMIT_NOFILE, &before, NULL), 0);
	close(pair[0]);
	close(pair[1]);
	start(SPAWN_WORKER, "cpu", &report);
	close_starter();
}

/* As it would be without a starter. Return: nanoseconds. */
static uint64_t baseline_ns(void)
{
	char *const argv[] = { (char *)"baseline", (char *)"baseline", (char *)"cpu", (char *)"yes",
			       NULL };
	uint64_t before_ns = util_now_ns(), took_ns;
	pid_t pid;

	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL), 0);
	took_ns = util_now_ns() - before_ns;
	exit_status(pid);
	return took_ns;
}

/* Without a cgroup by a signal, which its parent sees. */
static void test_a_worker_is_frozen(void **arg)
{
	struct report report;
	int pair[2], status;
	pid_t pid;

	(void)arg;
	open_starter("");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
		spawn_start(&pid, SPAWN_WORKER, "wait", &(struct spawn_fd){ REPORT, pair[1] }, 1),
		0);
	assert_int_equal(recv(pair[0], &report, sizeof(report), 0), sizeof(report));
	assert_int_equal(spawn_freeze(starter, true), -ESRCH); /* it is no worker */
	assert_int_equal(spawn_freeze(pid, true), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(spawn_freeze(pid, false), 0);
	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_true(WIFCONTINUED(status));
	assert_int_equal(spawn_freeze(pid, true), 0);
	assert_int_equal(spawn_kill(pid), 0); /* also while it is frozen */
	assert_int_equal(exit_status(pid), -SIGKILL);
	close(pair[0]);
	close(pair[1]);
	close_starter();
}

/* The caller's loop waits for it, so it must be short; this only prints how short. */
static void test_how_long(void **arg)
{
	uint64_t sum_ns = 0, most_ns = 0, direct_ns = 0;
	pid_t pid;

	(void)arg;
	open_starter("");
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before_ns = util_now_ns(), took_ns;

		assert_int_equal(spawn_start(&pid, SPAWN_WORKER, "cpu", NULL, 0), 0);
		took_ns = util_now_ns() - before_ns;
		sum_ns += took_ns;
		if (took_ns > most_ns)
			most_ns = took_ns;
		exit_status(pid);
		direct_ns += baseline_ns();
	}
	print_message(
		"# %d starts: %llu us on average, %llu us at most; %llu us by posix_spawn()\n",
		ROUNDS, (unsigned long long)(sum_ns / ROUNDS / 1000),
		(unsigned long long)(most_ns / 1000),
		(unsigned long long)(direct_ns / ROUNDS / 1000));
	close_starter();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_child),
		cmocka_unit_test(test_what_is_fixed),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_descriptors_by_name),
		cmocka_unit_test(test_bad_descriptors),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_it_dies),
		cmocka_unit_test(test_it_hangs),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_a_worker_is_frozen),
		cmocka_unit_test(test_how_long),
	};

	if (argc == 9 && strcmp(argv[1], spawn_name[SPAWN_STARTER]) == 0) {
		const struct spawn_fixed fixed = { argv[2], argv[3], argv[4], argv[5],
						   argv[6], argv[7], argv[8] };

		inherit_close_others();
		return starter_main(&fixed);
	}
	if (argc == 4)
		return strcmp(argv[1], "baseline") == 0 ? 7 : report_main(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
