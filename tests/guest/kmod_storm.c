/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod_storm.c - processes and threads that make random calls of /dev/vgpuN, and look whose memory they see */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_ioctl.h"

/*
 * Usage: kmod-storm COUNT SEED [DEVICE]. Prints how many calls were made, and how many words it saw
 * that no process of its own had written. A word that a process writes bears a mark of that
 * process; it may see its own marks and zeros, nothing else. The host must write nothing into
 * pieces but the control page's head, which is not looked at.
 */

#define PROCESSES 4
#define THREADS 3
#define FILES 3	      /* of a process, shared by its threads */
#define MAPS 4	      /* of a thread */
#define LIFE_MOST 800 /* calls of a process before it is killed, at most */

static struct shared {
	atomic_ulong calls, answered, touches, seen, foreign;
} * shared;

static const char *path = "/dev/vgpu0";
static uint64_t window_bytes;

static _Thread_local sigjmp_buf faulted;
static _Thread_local uint64_t state;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11) % below;
}

static void on_fault(int signal)
{
	siglongjmp(faulted, signal);
}

struct file {
	atomic_int fd;
	uint32_t mark;
};

static struct file files[FILES];
static atomic_uint next_mark;

struct map {
	uint8_t *at;
	uint64_t first, bytes;
	uint32_t mark; /* of the descriptor that it is of */
};

/* --- one call each --- */

static struct file *any_file(void)
{
	return &files[pick(FILES)];
}

static void count(long result)
{
	atomic_fetch_add(&shared->calls, 1);
	if (result >= 0)
		atomic_fetch_add(&shared->answered, 1);
}

/* A right argument, or one that is no memory. */
static void *argument(void *right)
{
	return pick(20) ? right : (void *)(uintptr_t)pick(3);
}

static uint32_t any_number(void)
{
	return pick(10) ? pick(12) : (uint32_t)state;
}

/* Another descriptor in the place of one; other threads may be in a call of the old one. */
static void reopen(void)
{
	struct file *file = any_file();
	int fd = open(path, O_RDWR | O_NONBLOCK | (pick(2) ? O_CLOEXEC : 0)), old;

	count(fd);
	old = atomic_exchange(&file->fd, -1);
	if (old >= 0)
		close(old);
	file->mark = (uint32_t)getpid() << 8 | (atomic_fetch_add(&next_mark, 1) & 0xff);
	atomic_store(&file->fd, fd);
}

static void call(void)
{
	struct vgpu_ioctl_pieces pieces = { any_number(), any_number() };
	struct vgpu_ioctl_wait wait = { pick(3), pick(3) };
	union {
		struct vgpu_ioctl_info info;
		struct vgpu_ioctl_open open;
		struct vgpu_ioctl_state state;
	} answer;
	uint64_t events;
	int fd = any_file()->fd;

	switch (pick(13)) {
	case 0:
		return count(ioctl(fd, VGPU_IOCTL_INFO, argument(&answer)));
	case 1:
	case 2:
		return count(ioctl(fd, VGPU_IOCTL_OPEN, argument(&answer)));
	case 3:
		return count(ioctl(fd, VGPU_IOCTL_START));
	case 4:
		return count(ioctl(fd, VGPU_IOCTL_KICK));
	case 5:
		return count(ioctl(fd, VGPU_IOCTL_STATE, argument(&answer)));
	case 6:
	case 7:
		pieces.count = pick(4) ? 1 + pick(2) : any_number();
		return count(ioctl(fd, VGPU_IOCTL_TAKE, argument(&pieces)));
	case 8:
	case 9:
		return count(ioctl(fd, VGPU_IOCTL_GIVE, argument(&pieces)));
	case 10:
		return count(ioctl(fd, VGPU_IOCTL_WAIT_V1, argument(&wait)));
	case 11:
		return count(read(fd, argument(&events), pick(16)));
	default:
		return count(ioctl(fd, pick(2) ? any_number() : VGPU_IOCTL_MAGIC << 8 | pick(16),
				   any_number()));
	}
}

static void wait_a_moment(void)
{
	struct pollfd ready = { .fd = any_file()->fd, .events = POLLIN };

	count(poll(&ready, 1, (int)pick(2)));
}

/* --- memory --- */

static void map_some(struct map *map)
{
	const uint64_t pages = window_bytes / VGPU_PAGE;
	struct file *file = any_file();
	uint64_t first = pick(4) ? VGPU_PIECE / VGPU_PAGE : pick((uint32_t)pages);
	uint64_t bytes = pick(4) ? window_bytes - first * VGPU_PAGE : (1 + pick(600)) * VGPU_PAGE;
	void *at;

	if (map->at)
		munmap(map->at, map->bytes);
	*map = (struct map){ .first = first * VGPU_PAGE, .bytes = bytes, .mark = file->mark };
	at = mmap(NULL, bytes, PROT_READ | (pick(8) ? PROT_WRITE : 0),
		  pick(8) ? MAP_SHARED : MAP_PRIVATE, file->fd, (off_t)map->first);
	count(at == MAP_FAILED ? -1 : 0);
	if (at != MAP_FAILED)
		map->at = at;
}

static void judge(uint64_t at, uint32_t value)
{
	atomic_fetch_add(&shared->seen, 1);
	if (value == 0 || value >> 8 == (uint32_t)getpid())
		return;
	atomic_fetch_add(&shared->foreign, 1);
	fprintf(stderr, "kmod-storm: process %d saw %#x at %#lx\n", (int)getpid(), value,
		(unsigned long)at);
}

/* Return: a word's place in a mapping; UINT64_MAX for one where a control page may be. */
static uint64_t any_word(const struct map *map)
{
	uint64_t at = pick((uint32_t)(map->bytes / 4)) * 4ull;

	if (pick(2)) /* where pieces are more likely taken */
		at %= 6 * VGPU_PIECE;
	if ((map->first + at) % VGPU_PIECE < VGPU_PAGE || map->first + at < VGPU_PIECE)
		return UINT64_MAX;
	return at;
}

/* A function of its own: what a signal leaves keeps no variable in a register. */
static void __attribute__((noinline)) touch_word(const struct map *map, uint64_t at)
{
	volatile uint32_t *word = (volatile uint32_t *)(map->at + at);

	atomic_fetch_add(&shared->touches, 1);
	if (sigsetjmp(faulted, 1) != 0)
		return;
	judge(map->first + at, *word);
	if (pick(2))
		*word = map->mark;
}

static void touch(const struct map *map)
{
	const uint64_t at = map->at ? any_word(map) : UINT64_MAX;

	if (at != UINT64_MAX)
		touch_word(map, at);
}

static void unmap_some(struct map *map)
{
	uint64_t at;

	if (!map->at)
		return;
	at = pick((uint32_t)(map->bytes / VGPU_PAGE)) * (uint64_t)VGPU_PAGE;
	count(munmap(map->at + at, map->bytes - at));
	if (at == 0)
		map->at = NULL;
	map->bytes = at;
}

/* --- threads and processes --- */

static void fork_once(struct map *maps)
{
	pid_t child = (pid_t)syscall(SYS_fork); /* other threads hold locks of libc */
	int status;

	count(child);
	if (child > 0) {
		waitpid(child, &status, 0);
		return;
	}
	if (child < 0)
		return;
	for (uint32_t i = pick(8); i > 0; i--)
		call();
	/* What the parent has mapped is not here: a signal ends the access, not the child. */
	if (maps[0].at && sigsetjmp(faulted, 1) == 0 && maps[0].first >= VGPU_PIECE) {
		(void)*(volatile uint32_t *)maps[0].at;
		atomic_fetch_add(&shared->foreign, 1);
	}
	_exit(0);
}

static void *run_thread(void *seed)
{
	struct map maps[MAPS] = { 0 };

	state = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
	for (;;) {
		struct map *map = &maps[pick(MAPS)];
		uint32_t what = pick(100);

		if (what < 5)
			reopen();
		else if (what < 50)
			call();
		else if (what < 52)
			wait_a_moment();
		else if (what < 60)
			map_some(map);
		else if (what < 96)
			touch(map);
		else if (what < 99)
			unmap_some(map);
		else
			fork_once(maps);
	}
	return NULL;
}

static void run_process(uint32_t seed)
{
	const struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	pthread_t thread;

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < FILES; i++)
		files[i].fd = -1;
	for (uint32_t i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, run_thread, (void *)(uintptr_t)(seed * THREADS + i));
	run_thread((void *)(uintptr_t)(seed * THREADS));
}

static pid_t start_process(uint32_t seed)
{
	pid_t child = fork();

	if (child == 0)
		run_process(seed);
	return child;
}

/* Kills one process after the other, in the middle of whatever it does, and starts another. */
static void run(unsigned long wanted, uint32_t seed)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t children[PROCESSES];
	unsigned long next = 0;
	int status;

	state = seed;
	for (uint32_t i = 0; i < PROCESSES; i++)
		children[i] = start_process(seed + i);
	for (uint32_t i = PROCESSES; shared->calls < wanted; i++) {
		pid_t *victim = &children[pick(PROCESSES)];

		next += 1 + pick(LIFE_MOST);
		while (shared->calls < next && shared->calls < wanted)
			nanosleep(&pause, NULL);
		kill(*victim, SIGKILL);
		waitpid(*victim, &status, 0);
		*victim = start_process(seed + i);
	}
	for (uint32_t i = 0; i < PROCESSES; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], &status, 0);
	}
}

int main(int argc, char **argv)
{
	struct vgpu_ioctl_info info;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: kmod-storm COUNT SEED [DEVICE]\n");
		return 2;
	}
	path = argc > 3 ? argv[3] : path;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, VGPU_IOCTL_INFO, &info) < 0) {
		fprintf(stderr, "kmod-storm: %s: %s\n", path, strerror(errno));
		return 1;
	}
	close(fd);
	window_bytes = info.window_bytes;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	run(strtoul(argv[1], NULL, 10), (uint32_t)strtoul(argv[2], NULL, 10));
	printf("%lu calls, %lu answered, %lu touches, %lu words seen, %lu foreign\n", shared->calls,
	       shared->answered, shared->touches, shared->seen, shared->foreign);
	return shared->foreign != 0;
}
