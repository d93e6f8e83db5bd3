/* SPDX-License-Identifier: GPL-2.0-or-later */
/* double.h - a worker that does as a test says, in a process that the test's own file becomes */

#ifndef TESTS_UNIT_EXEC_DOUBLE_H
#define TESTS_UNIT_EXEC_DOUBLE_H

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/util.h"
#include "common/worker_wire.h"
#include "proc/inherit.h"
#include "proc/spawn.h"
#include "proc/starter.h"

/* How a double starts: its spec. */
#define DOUBLE_GOOD "good"
#define DOUBLE_REFUSES "refuses" /* its hello says why it cannot run */
#define DOUBLE_ENDS "ends"	 /* without a hello */
#define DOUBLE_HANGS "hangs"	 /* without a hello */

/* Its behaviour for a job is passed as busy_poll_us. The test reads its answers' exec_ns. */
enum double_deed {
	DOUBLE_ANSWERS,	    /* exec_ns: 7 */
	DOUBLE_WAITS,	    /* and answers nothing, until it is killed */
	DOUBLE_DIES,	    /* without an answer */
	DOUBLE_LAST_ANSWER, /* answers, and ends */
	DOUBLE_CLOSES,	    /* its socket, and lives on; exec_ns of no answer */
	DOUBLE_SHUTS,	    /* answers, takes no job any more, and lives on */
	DOUBLE_FORKS,	    /* answers (exec_ns: a child's pid), and ends; the child takes jobs */
	DOUBLE_TWICE,	    /* answers twice */
	DOUBLE_WRONG_ID,    /* answers another job */
	DOUBLE_EARLY,	    /* answers, and the next one too, which it has not looked at */
	DOUBLE_SHORT,	    /* sends too few bytes */
	DOUBLE_LONG,	    /* or too many */
	DOUBLE_EMPTY,	    /* or none */
	DOUBLE_WRITES,	    /* lines to its standard error, shuts that, and answers */
	DOUBLE_LIES,	    /* says that it took UINT64_MAX ns */
	DOUBLE_DEED_NUM
};

static inline void double_say(int fd, const struct worker_job *job, uint64_t id, uint64_t exec_ns)
{
	struct worker_done done = { .id = id, .exec_ns = exec_ns, .len_bytes = job->len_bytes };

	memcpy(done.msg, job->msg, job->len_bytes);
	send(fd, &done, offsetof(struct worker_done, msg) + done.len_bytes, MSG_NOSIGNAL);
}

static inline void double_fork(int fd, const struct worker_job *job)
{
	pid_t child = fork();

	if (child == 0)
		return; /* until the test hangs up: nothing is left behind */
	double_say(fd, job, job->id, (uint64_t)child);
	_exit(0);
}

static inline void double_do(int fd, const struct worker_job *job)
{
	static const char bytes[sizeof(struct worker_done) + 1];

	switch ((enum double_deed)job->busy_poll_us) {
	case DOUBLE_WAITS:
		for (;;)
			pause();
	case DOUBLE_DIES:
		_exit(1);
	case DOUBLE_LAST_ANSWER:
		double_say(fd, job, job->id, 7);
		_exit(0);
	case DOUBLE_CLOSES:
		close(fd);
		for (;;)
			pause();
	case DOUBLE_SHUTS:
		double_say(fd, job, job->id, 7);
		shutdown(fd, SHUT_RD);
		for (;;)
			pause();
	case DOUBLE_FORKS:
		double_fork(fd, job);
		break;
	case DOUBLE_TWICE:
		double_say(fd, job, job->id, 7);
		double_say(fd, job, job->id, 7);
		break;
	case DOUBLE_WRONG_ID:
		double_say(fd, job, job->id + 100, 7);
		break;
	case DOUBLE_EARLY:
		double_say(fd, job, job->id, 7);
		double_say(fd, job, job->id + 1, 7);
		for (;;)
			pause();
	case DOUBLE_SHORT:
		send(fd, bytes, 3, MSG_NOSIGNAL);
		break;
	case DOUBLE_LONG:
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		break;
	case DOUBLE_EMPTY:
		send(fd, bytes, 0, MSG_NOSIGNAL);
		break;
	case DOUBLE_WRITES:
		for (int i = 0; i < 1000; i++)
			dprintf(STDERR_FILENO, "<3>vgpud: forged\x1b[2J \xff%d%c", i,
				i < 999 ? 10 : 0);
		shutdown(STDERR_FILENO, SHUT_RDWR);
		double_say(fd, job, job->id, 7);
		break;
	case DOUBLE_LIES:
		double_say(fd, job, job->id, UINT64_MAX);
		break;
	default:
		double_say(fd, job, job->id, 7);
	}
}

static inline int double_main(const char *spec)
{
	int fd = inherit_fd(WORKER_SOCKET);
	struct worker_hello hello = { .info = { .executor = VGPU_EXECUTOR_CPU, .name = "double" } };
	struct worker_job job;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(spec, DOUBLE_ENDS) == 0)
		return 1;
	while (strcmp(spec, DOUBLE_HANGS) == 0)
		pause();
	if (strcmp(spec, DOUBLE_REFUSES) == 0) {
		hello.error = -ENOENT;
		snprintf(hello.why, sizeof(hello.why), "it does not want to");
	}
	send(fd, &hello, sizeof(hello), MSG_NOSIGNAL);
	while (recv(fd, &job, sizeof(job), 0) > 0)
		double_do(fd, &job);
	return 0;
}

/* From main(). Return: the exit status of a role, -1: it is the test itself. */
static inline int double_role(int argc, char **argv)
{
	if (argc < 4)
		return -1;
	inherit_close_others();
	if (strcmp(argv[1], spawn_name[SPAWN_STARTER]) == 0) {
		const struct spawn_fixed fixed = { argv[2], "", "", "", "", "", "" };

		return starter_main(&fixed);
	}
	return double_main(argv[2]);
}

/* --- the test's side --- */

static sd_event *double_event;
static pid_t double_starter;

static inline int double_set_up(void **state)
{
	const struct spawn_fixed fixed = { "no", "", "", "", "", "", "" };
	sigset_t mask;

	(void)state;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return sd_event_new(&double_event) < 0 || spawn_open(&double_starter, &fixed) != 0;
}

/* Return: nothing is left of what was started. */
static inline int double_tear_down(void **state)
{
	(void)state;
	spawn_close();
	sd_event_unref(double_event);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return 0;
}

/* Runs the loop until this is true, half a minute at most. Return: whether it came true. */
#define DOUBLE_UNTIL(condition)                                           \
	({                                                                \
		uint64_t until_ns = util_now_ns() + 30 * UTIL_NS_PER_S;   \
		bool came;                                                \
                                                                          \
		while (!(came = (condition)) && util_now_ns() < until_ns) \
			assert(sd_event_run(double_event, 100000) >= 0);  \
		came;                                                     \
	})

#endif
