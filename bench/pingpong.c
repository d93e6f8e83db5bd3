/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pingpong.c - the baseline: 64 bytes there and back between two processes, by Unix socket */

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/samples.h"
#include "common/util.h"

#define MESSAGE_LEN 64
#define WARM_UP 1000

/* Return: whether the whole message came. */
static bool take(int fd, char *message)
{
	return recv(fd, message, MESSAGE_LEN, MSG_WAITALL) == MESSAGE_LEN;
}

static void echo(int fd)
{
	char message[MESSAGE_LEN];

	while (take(fd, message))
		if (send(fd, message, sizeof(message), MSG_NOSIGNAL) < 0)
			return;
}

/* which: of the processors that we may use, 0 the first. Return: whether there is such a one. */
static bool pin(unsigned which)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return false;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || which-- > 0)
			continue;
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof(one), &one) == 0;
	}
	return false;
}

/* Return: 0 or -errno. */
static int play(int fd, uint64_t *sample_ns, uint64_t rounds)
{
	char message[MESSAGE_LEN] = { 0 };

	for (uint64_t i = 0; i < rounds + WARM_UP; i++) {
		uint64_t before_ns = util_now_ns();

		if (send(fd, message, sizeof(message), MSG_NOSIGNAL) < 0 || !take(fd, message))
			return -errno;
		if (i >= WARM_UP)
			sample_ns[i - WARM_UP] = util_now_ns() - before_ns;
	}
	return 0;
}

/* cpus: 1, both processes on one processor, or 2, each on its own. Return: 0 or -errno. */
static int measure(const char *name, unsigned cpus, uint64_t *sample_ns, uint64_t rounds)
{
	int pair[2], err;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		close(pair[0]);
		pin(cpus - 1);
		echo(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	err = child < 0 || !pin(0) ? -errno : play(pair[0], sample_ns, rounds);
	close(pair[0]);
	waitpid(child, NULL, 0);
	if (err == 0)
		samples_print(name, sample_ns, rounds);
	return err;
}

int main(int argc, char **argv)
{
	uint64_t rounds = 20000, *sample_ns;
	cpu_set_t all;
	int err;

	if (argc > 2 || (argc == 2 && util_parse_u64(argv[1], 1, 10000000, &rounds) != 0)) {
		fputs("usage: bench-pingpong [ROUNDS]\n", stderr);
		return 2;
	}
	sample_ns = calloc(rounds, sizeof(*sample_ns));
	sched_getaffinity(0, sizeof(all), &all);
	err = sample_ns == NULL ? -ENOMEM : measure("pingpong", 2, sample_ns, rounds);
	sched_setaffinity(0, sizeof(all), &all);
	if (err == 0)
		err = measure("pingpong-one-cpu", 1, sample_ns, rounds);
	if (err != 0)
		fprintf(stderr, "bench-pingpong: %s\n", strerror(-err));
	free(sample_ns);
	return err == 0 ? 0 : 1;
}
