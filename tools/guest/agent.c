/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent.c - runs commands in the guest for the host, over a serial line */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/*
 * Theory of operation: the host sends lines "ID BASE64", an id and a shell command. The answers are
 * "started ID PID" at once, and when the command has ended "done ID STATUS OUT ERR", both streams
 * in base64, "-" for an empty one. Commands run side by side, each in a session of its own, so that
 * the host can kill all of one.
 *
 * It is C, and no script, since a test sends hundreds of commands: an emulated processor takes a
 * hundredth of a second for each process that a script starts to run one.
 */
#define JOBS_MAX 256
#define LINE_MAX_BYTES 4096 /* what the serial line takes at a time */
#define STATUS_FAILED 126   /* the command was not started, as shells have it */
#define STATUS_SIGNAL 128   /* and the signal's number */

extern char **environ;

struct job {
	char id[16];
	pid_t pid;	/* 0: the place is free */
	int streams[2]; /* what it writes to standard output and error */
};

static struct job jobs[JOBS_MAX];
static int line_fd, children_fd;

static void die(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void answer(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(line_fd, text, len);

		if (written < 0)
			die("the serial line");
		text += written;
		len -= (size_t)written;
	}
}

/* Answers " BASE64", and closes the stream. */
static void answer_stream(int fd)
{
	struct stat found;
	void *data = NULL;
	char *text;
	size_t len, room;
	int length;

	if (fstat(fd, &found) != 0)
		die("a stream");
	len = (size_t)found.st_size;
	if (len == 0) {
		answer(" -", 2);
		close(fd);
		return;
	}
	data = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	room = (len + 2) / 3 * 4 + 1;
	text = malloc(room);
	if (data == MAP_FAILED || !text)
		die("memory for a stream");
	length = b64_ntop(data, len, text, room);
	if (length < 0)
		die("a stream's text");
	answer(" ", 1);
	answer(text, (size_t)length);
	free(text);
	munmap(data, len);
	close(fd);
}

static void say(const char *format, const char *id, int number)
{
	char text[64];
	int len = snprintf(text, sizeof(text), format, id, number);

	answer(text, (size_t)len);
}

static void end(struct job *job, int status)
{
	job->pid = 0;
	say("done %s %d", job->id,
	    WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status));
	for (int at = 0; at < 2; at++)
		answer_stream(job->streams[at]);
	answer("\n", 1);
}

/* Starts a shell with the command. Return: 0 or -errno. */
static int start(struct job *job, char *command)
{
	char *argv[] = { (char *)"sh", (char *)"-c", command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawnattr_init(&how);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, job->streams[0], 1);
	posix_spawn_file_actions_adddup2(&files, job->streams[1], 2);
	err = posix_spawn(&job->pid, "/bin/sh", &files, &how, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	return -err;
}

static struct job *free_place(void)
{
	for (size_t at = 0; at < JOBS_MAX; at++)
		if (jobs[at].pid == 0)
			return &jobs[at];
	return NULL;
}

/* A command that cannot be started ends at once, with what the reason is on its standard error. */
static void refuse(const char *id, const char *why)
{
	char text[128];
	int len = b64_ntop((const unsigned char *)why, strlen(why), text, sizeof(text));

	say("started %s %d\n", id, 0);
	say("done %s %d - ", id, STATUS_FAILED);
	answer(text, (size_t)len);
	answer("\n", 1);
}

static void begin(char *line)
{
	unsigned char command[LINE_MAX_BYTES];
	char *space = strchr(line, ' ');
	struct job *job = free_place();
	int len, err;

	if (!space || (size_t)(space - line) >= sizeof(job->id))
		return; /* what a reset has cut off */
	*space = '\0';
	len = b64_pton(space + 1, command, sizeof(command) - 1);
	if (len < 0 || !job) {
		refuse(line, len < 0 ? "agent: the command is no base64\n"
				     : "agent: 256 commands run already\n");
		return;
	}
	command[len] = '\0';
	snprintf(job->id, sizeof(job->id), "%s", line);
	for (int at = 0; at < 2; at++) {
		job->streams[at] = memfd_create("stream", MFD_CLOEXEC);
		if (job->streams[at] < 0)
			die("a stream");
	}
	err = start(job, (char *)command);
	if (err < 0) {
		close(job->streams[0]);
		close(job->streams[1]);
		job->pid = 0;
		refuse(line, "agent: the shell does not start\n");
		return;
	}
	say("started %s %d\n", job->id, job->pid);
}

/* Takes what the serial line has; a line may come in parts. */
static void take(void)
{
	static char buffer[2 * LINE_MAX_BYTES];
	static size_t used;
	ssize_t got = read(line_fd, buffer + used, sizeof(buffer) - used);
	char *from = buffer, *end;

	if (got <= 0)
		die("the serial line");
	used += (size_t)got;
	while ((end = memchr(from, '\n', used - (size_t)(from - buffer)))) {
		*end = '\0';
		begin(from);
		from = end + 1;
	}
	used -= (size_t)(from - buffer);
	memmove(buffer, from, used);
	if (used == sizeof(buffer))
		used = 0; /* no line of ours is so long */
}

static void reap(void)
{
	struct signalfd_siginfo unused;
	pid_t pid;
	int status;

	if (read(children_fd, &unused, sizeof(unused)) < 0)
		die("ends of commands");
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t at = 0; at < JOBS_MAX; at++)
			if (jobs[at].pid == pid)
				end(&jobs[at], status);
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct termios raw;
	sigset_t children;

	if (argc != 2) {
		fprintf(stderr, "usage: agent LINE\n");
		return 2;
	}
	line_fd = open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (line_fd < 0 || tcgetattr(line_fd, &raw) != 0)
		die(argv[1]);
	cfmakeraw(&raw);
	tcsetattr(line_fd, TCSANOW, &raw);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	children_fd = signalfd(-1, &children, SFD_CLOEXEC);
	if (children_fd < 0)
		die("signalfd");
	answer("\nready\n", 7); /* the first byte ends what a reset may have cut off */
	fds[0].fd = line_fd;
	fds[1].fd = children_fd;
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[1].revents)
			reap();
		if (fds[0].revents)
			take();
	}
}
