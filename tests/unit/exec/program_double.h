/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program_double.h - a program's worker, or the process that describes windows, that does as a test says */

#ifndef TESTS_UNIT_EXEC_PROGRAM_DOUBLE_H
#define TESTS_UNIT_EXEC_PROGRAM_DOUBLE_H

#include <sys/mman.h>

#include "common/library.h"
#include "common/wire/vgpu_ends.h"
#include "tests/unit/exec/double.h"

/*
 * How one behaves is its argument:
 *   good          does all that it shall
 *   refuses, ends, hangs   as in double.h
 *   nodev         its hello says that there is no GPU
 *   hmm, mismatch   and that kernels reach its memory, that the driver's parts do not match
 *   not-ready       and that the GPU is not ready
 *   library=PATH  good; it has loaded that file
 *   early         says BOUND before it has a program
 *   unbound       is told of a program and says nothing
 *   dies-bound    dies when it is told of one; a describer: with each window
 *   dies-once     a describer: dies with a window that has not killed one before
 *   dies-later    says BOUND and dies
 *   forks         says BOUND, with the pid of a child that holds its socket open as the result
 *   short, long, nonsense   what it says when it is told of one
 *   twice         says BOUND twice
 *   bad-command   says BOUND, then that the program's commands are bad
 *   memory        says BOUND, asks for 7 bytes of memory, and, if it gets them, ends for BAD_COMMAND
 *   memory-early  asks for it before it says BOUND
 *   module        says BOUND, asks for a module, says that it made 5 bytes of what came, and ends for
 *                 BAD_COMMAND with the number of descriptors that came
 *   module-deaf   says BOUND, asks for DOUBLE_QUESTIONS modules, reads no answer, and ends for BAD_COMMAND
 *   module-early  asks for it before it says BOUND
 *   killed        says BOUND, then what only the administrator may say
 *   unsolicited   a describer: answers twice
 */
#define DOUBLE_RESULT 719

static inline void program_double_say(int fd, uint32_t what, uint32_t end, int32_t result)
{
	struct program_state state = {
		.what = what, .end = end, .result = result, .pid = 4711, .name = "do\x1b[2Jit"
	};

	send(fd, &state, sizeof(state), MSG_NOSIGNAL);
}

static inline void program_double_ask(int fd, uint64_t bytes)
{
	const struct program_state state = { .what = PROGRAM_MEMORY,
					     .memory_bytes = bytes,
					     .memory_question = 11 };

	send(fd, &state, sizeof(state), MSG_NOSIGNAL);
}

#define DOUBLE_QUESTION 12
#define DOUBLE_QUESTIONS 64u
#define DOUBLE_KEY 0xa5

static inline void program_double_module(int fd, uint32_t what, uint64_t bytes)
{
	struct program_state state = { .what = what,
				       .module_question = DOUBLE_QUESTION,
				       .module_bytes = bytes };

	state.module_key[MODULE_KEY_BYTES - 1] = DOUBLE_KEY;
	send(fd, &state, sizeof(state), MSG_NOSIGNAL);
}

/* Return: how many descriptors came with the order, -1: the broker has gone. */
static inline int program_double_hear(int fd, struct program_order *order, int *fds)
{
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = { order, sizeof(*order) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *with;

	if (recvmsg(fd, &msg, 0) <= 0)
		return -1;
	with = CMSG_FIRSTHDR(&msg);
	if (with == NULL)
		return 0;
	memcpy(fds, CMSG_DATA(with), with->cmsg_len - CMSG_LEN(0));
	return (int)((with->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

/* Return: the pid of a child that has what this process has open, for a minute at most. */
static inline pid_t program_double_fork(void)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	alarm(60);
	for (;;)
		pause();
}

static inline void program_double_bound(int fd, const char *how, int fd_num)
{
	static const char bytes[sizeof(struct program_state) + 1];

	if (strcmp(how, "forks") == 0)
		fd_num = program_double_fork();
	if (strcmp(how, "unbound") == 0)
		return;
	if (strcmp(how, "dies-bound") == 0)
		_exit(1);
	if (strcmp(how, "short") == 0)
		send(fd, bytes, sizeof(bytes) - 2, MSG_NOSIGNAL);
	if (strcmp(how, "long") == 0)
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
	if (strcmp(how, "nonsense") == 0)
		program_double_say(fd, 77, 0, 0);
	if (strcmp(how, "memory-early") == 0)
		program_double_ask(fd, 7);
	if (strcmp(how, "module-early") == 0)
		program_double_module(fd, PROGRAM_MODULE_ASKED, 0);
	/* The result tells how many descriptors it got. */
	program_double_say(fd, PROGRAM_BOUND, 0, fd_num);
	if (strcmp(how, "twice") == 0)
		program_double_say(fd, PROGRAM_BOUND, 0, fd_num);
	if (strcmp(how, "dies-later") == 0)
		_exit(1);
	if (strcmp(how, "bad-command") == 0)
		program_double_say(fd, PROGRAM_ENDED, VGPU_END_BAD_COMMAND, DOUBLE_RESULT);
	if (strcmp(how, "memory") == 0)
		program_double_ask(fd, 7);
	if (strcmp(how, "module") == 0)
		program_double_module(fd, PROGRAM_MODULE_ASKED, 0);
	if (strcmp(how, "module-deaf") == 0) {
		for (unsigned i = 0; i < DOUBLE_QUESTIONS; i++)
			program_double_module(fd, PROGRAM_MODULE_ASKED, 0);
		program_double_say(fd, PROGRAM_ENDED, VGPU_END_BAD_COMMAND, DOUBLE_RESULT);
		pause();
	}
	if (strcmp(how, "killed") == 0)
		program_double_say(fd, PROGRAM_ENDED, VGPU_END_KILLED, DOUBLE_RESULT);
}

static inline void program_double_describe(int fd, const char *how, int window)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, window, 0);
	bool first = page[0] == 0;

	page[0] = 'd';
	munmap(page, 4096);
	if (strcmp(how, "dies-bound") == 0 || (first && strcmp(how, "dies-once") == 0))
		_exit(1);
	if (strcmp(how, "unbound") == 0)
		return;
	program_double_say(fd, strcmp(how, "nonsense") == 0 ? 77 : PROGRAM_DESCRIBED, 0, 0);
	if (strcmp(how, "unsolicited") == 0)
		program_double_say(fd, PROGRAM_DESCRIBED, 0, 0);
}

static inline void program_double_got_module(int fd, int fd_num)
{
	if (fd_num > 0) {
		program_double_module(fd, PROGRAM_MODULE_MADE, 5);
	}
	program_double_say(fd, PROGRAM_ENDED, VGPU_END_BAD_COMMAND, fd_num);
}

static inline int program_double_main(const char *how)
{
	int fd = inherit_fd(WORKER_SOCKET), fds[SPAWN_FDS_MAX], num;
	struct worker_hello hello = { .info = { .executor = VGPU_EXECUTOR_CPU, .name = "double" } };
	struct program_order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(how, DOUBLE_ENDS) == 0)
		return 1;
	while (strcmp(how, DOUBLE_HANGS) == 0)
		pause();
	if (strcmp(how, DOUBLE_REFUSES) == 0)
		hello.error = -EIO;
	if (strcmp(how, "nodev") == 0)
		hello.error = -ENODEV;
	if (strcmp(how, "hmm") == 0)
		hello.error = -EPERM;
	if (strcmp(how, "mismatch") == 0)
		hello.error = -ELIBBAD;
	if (strcmp(how, "not-ready") == 0)
		hello.error = -EHOSTDOWN;
	if (strncmp(how, "library=", 8) == 0)
		library_stamp(&hello.info.library, how + 8);
	snprintf(hello.why, sizeof(hello.why), "%s", hello.error != 0 ? "it does not want to" : "");
	send(fd, &hello, sizeof(hello), MSG_NOSIGNAL);
	if (strcmp(how, "early") == 0)
		program_double_say(fd, PROGRAM_BOUND, 0, 0);
	while ((num = program_double_hear(fd, &order, fds)) >= 0) {
		if (order.what == PROGRAM_BIND)
			program_double_bound(fd, how, num);
		else if (order.what == PROGRAM_GRANT && order.memory_question == 11)
			program_double_say(fd, PROGRAM_ENDED, VGPU_END_BAD_COMMAND,
					   (int32_t)order.memory_bytes);
		else if (order.what == PROGRAM_MODULE)
			program_double_got_module(fd, num);
		else if (num == 1)
			program_double_describe(fd, how, fds[0]);
		for (int i = 0; i < num; i++)
			close(fds[i]);
	}
	return 0;
}

/* From main(). Return: the exit status of a role, -1: it is the test itself. */
static inline int program_double_role(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], spawn_name[SPAWN_STARTER]) == 0)
		return double_role(argc, argv);
	inherit_close_others();
	return program_double_main(argv[2]);
}

#endif
