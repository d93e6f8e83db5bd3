/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pingpong.c - the baseline: 64 bytes there and back between two blocking processes, by Unix socket
 */

#include <stdbool.h>
#include <sys/socket.h>
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

int main(int argc, char **argv)
{
	char message[MESSAGE_LEN] = { 0 };
	uint64_t rounds = 20000, *sample_ns;
	int pair[2];

	if (argc > 2 || (argc == 2 && util_parse_u64(argv[1], 1, 10000000, &rounds) != 0)) {
		fputs("usage: bench-pingpong [ROUNDS]\n", stderr);
		return 2;
	}
	sample_ns = calloc(rounds, sizeof(*sample_ns));
	if (sample_ns == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
		perror("bench-pingpong");
		return 1;
	}
	if (fork() == 0) {
		close(pair[0]);
		echo(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	for (uint64_t i = 0; i < rounds + WARM_UP; i++) {
		uint64_t before_ns = util_now_ns();

		if (send(pair[0], message, sizeof(message), MSG_NOSIGNAL) < 0 ||
		    !take(pair[0], message)) {
			perror("bench-pingpong");
			return 1;
		}
		if (i >= WARM_UP)
			sample_ns[i - WARM_UP] = util_now_ns() - before_ns;
	}
	samples_print("pingpong", sample_ns, rounds);
	return 0;
}
