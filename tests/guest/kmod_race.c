/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod_race.c - a process that is killed in OPEN, beside another of the same memory that uses what it was given so far */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_ioctl.h"

/*
 * Usage: kmod-race ROUNDS. Prints how often a piece could be read after the channel that it was of
 * had ended.
 *
 * The opener shares the memory of the process, but is none of its threads, so that SIGKILL ends it
 * alone. It is of the least priority on a processor that another process keeps busy: it stands
 * still in the middle of OPEN now and then.
 */

#define CPU_OPENER 1
#define STACK_BYTES 65536
#define BURST_MS 5
#define PAUSE_US 200
#define PATIENCE_MS 500

static int fd;
static sigjmp_buf faulted;

static void on_fault(int signal)
{
	siglongjmp(faulted, signal);
}

static void run_on(int cpu, int policy)
{
	const struct sched_param none = { 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0 ||
	    sched_setscheduler(0, policy, &none) != 0)
		perror("kmod-race: a processor of its own");
}

static int opener(void *unused)
{
	struct vgpu_ioctl_open opened;

	(void)unused;
	run_on(CPU_OPENER, SCHED_IDLE);
	ioctl(fd, VGPU_IOCTL_OPEN, &opened);
	while (pause() < 0)
		; /* until it is killed */
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pid_t start_hog(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		run_on(CPU_OPENER, SCHED_OTHER);
		for (;;) {
			const int64_t until_ms = now_ms() + BURST_MS;

			while (now_ms() < until_ms)
				;
			usleep(PAUSE_US); /* the opener goes on a little */
		}
	}
	return pid;
}

/* Return: a page of a piece that the channel has, which was written to; NULL: there is none. */
static volatile uint32_t *take_page(void)
{
	struct vgpu_ioctl_pieces pieces = { .count = 1 };
	const int64_t until_ms = now_ms() + PATIENCE_MS;
	volatile uint32_t *page;

	while (ioctl(fd, VGPU_IOCTL_TAKE, &pieces) < 0)
		if (now_ms() >= until_ms)
			return NULL;
	page = mmap(NULL, VGPU_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)(pieces.first * VGPU_PIECE));
	if (page == MAP_FAILED)
		return NULL;
	if (sigsetjmp(faulted, 1) != 0)
		return NULL;
	*page = 77;
	return page;
}

static bool can_read(volatile uint32_t *page)
{
	if (sigsetjmp(faulted, 1) != 0)
		return false;
	(void)*page;
	return true;
}

/* Return: whether a piece was reached that the process has no channel for. */
static bool try_once(char *stack)
{
	struct vgpu_ioctl_state state;
	volatile uint32_t *page;
	bool reached = false;
	pid_t hog = start_hog(), pid;

	fd = open("/dev/vgpu0", O_RDWR | O_CLOEXEC);
	pid = clone(opener, stack + STACK_BYTES, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	if (fd < 0 || hog < 0 || pid < 0) {
		perror("kmod-race");
		exit(1);
	}
	page = take_page();
	kill(pid, SIGKILL);
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	waitpid(pid, NULL, 0);
	if (page && ioctl(fd, VGPU_IOCTL_STATE, &state) < 0 && errno == EBADF)
		reached = can_read(page);
	if (page)
		munmap((void *)page, VGPU_PAGE);
	close(fd);
	return reached;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0, reached = 0;
	char *stack = malloc(STACK_BYTES);

	if (rounds < 1 || !stack) {
		fprintf(stderr, "usage: kmod-race ROUNDS\n");
		return 2;
	}
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (long i = 0; i < rounds; i++)
		reached += try_once(stack);
	printf("%ld rounds, %ld pieces reached without a channel\n", rounds, reached);
	free(stack);
	return 0;
}
