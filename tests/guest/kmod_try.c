/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod_try.c - does to /dev/vgpuN what its arguments say, one after the other, and prints what came of it */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
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
 * Usage: kmod-try STEP... A step is a name with numbers: take:2, map:512:512:rw. Each prints one line: its
 * name, then "ok" and what it answers, or the name of the error. Memory is named by its place in the
 * window; the last mapping that has it is meant.
 */

#define FILES_MAX 64
#define MAPS_MAX 32
#define PATIENCE_S 120 /* of a step that waits for the host */

struct map {
	uint8_t *at;
	uint64_t first, bytes; /* in the window */
};

static struct {
	const char *path;
	int files[FILES_MAX];
	int file_num, file; /* file: the one that is meant */
	struct map maps[MAPS_MAX];
	int map_num;
} all = { .path = "/dev/vgpu0" };

static sigjmp_buf faulted;

static void on_fault(int signal)
{
	siglongjmp(faulted, signal);
}

static int fd(void)
{
	return all.files[all.file];
}

static void print_result(const char *name, int result)
{
	printf("%s %s", name, result < 0 ? strerrorname_np(errno) : "ok");
}

/* Return: the address of a byte of the window, NULL where nothing is mapped. */
static uint8_t *address(uint64_t at)
{
	for (int i = all.map_num - 1; i >= 0; i--) {
		const struct map *map = &all.maps[i];

		if (at >= map->first && at - map->first < map->bytes)
			return map->at + (at - map->first);
	}
	return NULL;
}

/* --- calls --- */

static void step_device(const uint64_t *numbers, const char *text)
{
	int opened = open(all.path, O_RDWR | (numbers[0] ? O_NONBLOCK : 0));

	(void)text;
	if (opened >= 0 && all.file_num < FILES_MAX) {
		all.file = all.file_num;
		all.files[all.file_num++] = opened;
	}
	print_result("device", opened);
}

static void step_use(const uint64_t *numbers, const char *text)
{
	(void)text;
	all.file = (int)(numbers[0] % FILES_MAX);
	print_result("use", 0);
}

static void step_close(const uint64_t *numbers, const char *text)
{
	(void)numbers, (void)text;
	print_result("close", close(fd()));
}

static void step_info(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_info info = { 0 };
	int result = ioctl(fd(), VGPU_IOCTL_INFO, &info);

	(void)numbers, (void)text;
	print_result("info", result);
	if (result == 0)
		printf(" %" PRIu64 " %u %u %u %u %u %u", info.window_bytes, info.generation,
		       info.window_status, info.channels, info.pieces_free, info.pci_domain,
		       info.pci_function);
}

static void step_open(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_open opened = { 0 };
	int result = ioctl(fd(), VGPU_IOCTL_OPEN, &opened);

	(void)numbers, (void)text;
	print_result("open", result);
	if (result == 0)
		printf(" %u %u", opened.channel, opened.piece);
}

static void step_start(const uint64_t *numbers, const char *text)
{
	(void)numbers, (void)text;
	print_result("start", ioctl(fd(), VGPU_IOCTL_START));
}

static void step_kick(const uint64_t *numbers, const char *text)
{
	(void)numbers, (void)text;
	print_result("kick", ioctl(fd(), VGPU_IOCTL_KICK));
}

static void step_state(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_state state = { 0 };
	int result = ioctl(fd(), VGPU_IOCTL_STATE, &state);

	(void)numbers, (void)text;
	print_result("state", result);
	if (result == 0)
		printf(" %u %u", state.status, state.error);
}

static void step_take(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_pieces pieces = { .count = (uint32_t)numbers[0] };
	int result = ioctl(fd(), VGPU_IOCTL_TAKE, &pieces);

	(void)text;
	print_result("take", result);
	if (result == 0)
		printf(" %u", pieces.first);
}

static void step_give(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_pieces pieces = { .first = (uint32_t)numbers[0],
					    .count = (uint32_t)numbers[1] };

	(void)text;
	print_result("give", ioctl(fd(), VGPU_IOCTL_GIVE, &pieces));
}

static void step_wait(const uint64_t *numbers, const char *text)
{
	struct vgpu_ioctl_wait wait = { .count = (uint32_t)numbers[0],
					.timeout_ms = (uint32_t)numbers[1] };
	int result = ioctl(fd(), VGPU_IOCTL_WAIT_V1, &wait);

	(void)text;
	print_result("wait", result);
	if (result == 0)
		printf(" %u", wait.count);
}

/* Any call with any number as its argument: an address that is none, say. */
static void step_call(const uint64_t *numbers, const char *text)
{
	(void)text;
	print_result("call", ioctl(fd(), numbers[0], numbers[1]));
}

static void step_read(const uint64_t *numbers, const char *text)
{
	uint64_t count = 0;
	ssize_t got = read(fd(), &count, numbers[0] ? numbers[0] : sizeof(count));

	(void)text;
	print_result("read", (int)got);
	if (got >= 0)
		printf(" %" PRIu64, count);
}

/* Waits for an event of the channel. */
static void step_poll(const uint64_t *numbers, const char *text)
{
	struct pollfd ready = { .fd = fd(), .events = POLLIN };
	int result = poll(&ready, 1, (int)numbers[0]);

	(void)text;
	print_result("poll", result);
	printf("%s%s%s", ready.revents & POLLIN ? " in" : "", ready.revents & POLLERR ? " err" : "",
	       ready.revents & POLLHUP ? " hup" : "");
}

/* --- memory --- */

/* Page, pages, and letters: r, w, x, p (private). */
static void step_map(const uint64_t *numbers, const char *text)
{
	const uint64_t bytes = numbers[1] * VGPU_PAGE, first = numbers[0] * VGPU_PAGE;
	void *at = mmap(NULL, bytes,
			PROT_READ | (strchr(text, 'w') ? PROT_WRITE : 0) |
				(strchr(text, 'x') ? PROT_EXEC : 0),
			strchr(text, 'p') ? MAP_PRIVATE : MAP_SHARED, fd(), (off_t)first);

	print_result("map", at == MAP_FAILED ? -1 : 0);
	if (at != MAP_FAILED && all.map_num < MAPS_MAX)
		all.maps[all.map_num++] = (struct map){ at, first, bytes };
}

/* What else a program could try with its last mapping. */
static void step_change(const uint64_t *numbers, const char *text)
{
	struct map *map = &all.maps[all.map_num - 1];
	void *moved;
	int result = -1;

	(void)numbers;
	errno = EINVAL;
	if (strcmp(text, "write") == 0)
		result = mprotect(map->at, map->bytes, PROT_READ | PROT_WRITE);
	else if (strcmp(text, "exec") == 0)
		result = mprotect(map->at, map->bytes, PROT_READ | PROT_EXEC);
	else if (strcmp(text, "fork") == 0)
		result = madvise(map->at, map->bytes, MADV_DOFORK);
	else if (strcmp(text, "unmap") == 0)
		result = munmap(map->at, map->bytes);
	else if (strcmp(text, "half") == 0)
		result = munmap(map->at, map->bytes / 2);
	else if (strcmp(text, "grow") == 0)
		result = mremap(map->at, map->bytes, map->bytes * 2, MREMAP_MAYMOVE) == MAP_FAILED
				 ? -1
				 : 0;
	if (strcmp(text, "move") == 0) {
		void *hole = mmap(NULL, map->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		moved = mremap(map->at, map->bytes, map->bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			       hole);
		result = moved == MAP_FAILED ? -1 : 0;
		if (result == 0)
			map->at = moved;
	}
	print_result("change", result);
}

/* Return: whether the access went without a signal; else its name is printed. */
static bool touch(const char *name, uint64_t at, uint32_t *value, bool writes)
{
	volatile uint32_t *word = (volatile uint32_t *)address(at);
	int signal;

	if (!word) {
		printf("%s unmapped", name);
		return false;
	}
	signal = sigsetjmp(faulted, 1);
	if (signal != 0) {
		printf("%s SIG%s", name, sigabbrev_np(signal));
		return false;
	}
	if (writes)
		*word = *value;
	else
		*value = *word;
	return true;
}

static void step_peek(const uint64_t *numbers, const char *text)
{
	uint32_t value = 0;

	(void)text;
	if (touch("peek", numbers[0], &value, false))
		printf("peek ok %u", value);
}

static void step_poke(const uint64_t *numbers, const char *text)
{
	uint32_t value = (uint32_t)numbers[1];

	(void)text;
	if (touch("poke", numbers[0], &value, true))
		printf("poke ok");
}

/* Return: the first word of some pieces, all of them in one mapping; else says that they are not. */
static volatile uint32_t *words_of(const char *name, const uint64_t *numbers)
{
	const uint64_t at = numbers[0] * VGPU_PIECE, last = at + numbers[1] * VGPU_PIECE - 1;

	if (address(at) && address(last) == address(at) + (last - at))
		return (volatile uint32_t *)address(at);
	printf("%s unmapped", name);
	return NULL;
}

/* Every word of some pieces: piece, count, value. */
static void step_fill(const uint64_t *numbers, const char *text)
{
	volatile uint32_t *words = words_of("fill", numbers);
	int signal;

	(void)text;
	if (!words)
		return;
	signal = sigsetjmp(faulted, 1);
	if (signal != 0) {
		printf("fill SIG%s", sigabbrev_np(signal));
		return;
	}
	for (uint64_t i = 0; i < numbers[1] * VGPU_PIECE / 4; i++)
		words[i] = (uint32_t)numbers[2];
	printf("fill ok");
}

/* How many words of some pieces differ from a value: piece, count, value. */
static void step_count(const uint64_t *numbers, const char *text)
{
	volatile uint32_t *words = words_of("count", numbers);
	uint32_t differ = 0;
	int signal;

	(void)text;
	if (!words)
		return;
	signal = sigsetjmp(faulted, 1);
	if (signal != 0) {
		printf("count SIG%s", sigabbrev_np(signal));
		return;
	}
	for (uint64_t i = 0; i < numbers[1] * VGPU_PIECE / 4; i++)
		differ += words[i] != (uint32_t)numbers[2];
	printf("count ok %u", differ);
}

/* Waits until a word of the window is a value. */
static void step_await(const uint64_t *numbers, const char *text)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint32_t value = 0;

	(void)text;
	for (int i = 0; i < PATIENCE_S * 1000; i++) {
		if (!touch("await", numbers[0], &value, false))
			return;
		if (value == numbers[1]) {
			printf("await ok");
			return;
		}
		nanosleep(&pause, NULL);
	}
	printf("await ETIMEDOUT");
}

/* Waits until a call says that the device is gone. */
static void step_gone(const uint64_t *numbers, const char *text)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct vgpu_ioctl_info info;

	(void)numbers, (void)text;
	for (int i = 0; i < PATIENCE_S * 1000; i++) {
		if (ioctl(fd(), VGPU_IOCTL_INFO, &info) < 0) {
			print_result("gone", -1);
			return;
		}
		nanosleep(&pause, NULL);
	}
	printf("gone ETIMEDOUT");
}

/* --- processes --- */

static void step_user(const uint64_t *numbers, const char *text)
{
	(void)text;
	print_result("user", setgid((gid_t)numbers[0]) | setuid((uid_t)numbers[0]));
}

static void step_die(const uint64_t *numbers, const char *text)
{
	(void)numbers, (void)text;
	fflush(stdout);
	raise(SIGKILL);
}

struct step {
	const char *name;
	void (*run)(const uint64_t *numbers, const char *text);
};

static const struct step steps[] = {
	{ "await", step_await }, { "call", step_call },	  { "change", step_change },
	{ "close", step_close }, { "count", step_count }, { "device", step_device },
	{ "die", step_die },	 { "fill", step_fill },	  { "give", step_give },
	{ "gone", step_gone },	 { "info", step_info },	  { "kick", step_kick },
	{ "map", step_map },	 { "open", step_open },	  { "peek", step_peek },
	{ "poke", step_poke },	 { "poll", step_poll },	  { "read", step_read },
	{ "start", step_start }, { "state", step_state }, { "take", step_take },
	{ "use", step_use },	 { "user", step_user },	  { "wait", step_wait },
};

static void run_step(const char *step)
{
	const size_t len = strcspn(step, ":");
	uint64_t numbers[4] = { 0 };
	const char *text = step + len;

	for (int i = 0; i < 4 && *text == ':' && text[1] >= '0' && text[1] <= '9'; i++) {
		char *end;

		numbers[i] = strtoull(text + 1, &end, 0);
		text = end;
	}
	text += *text == ':';
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strlen(steps[i].name) == len && strncmp(step, steps[i].name, len) == 0) {
			steps[i].run(numbers, text);
			printf("\n");
			fflush(stdout);
			return;
		}
	}
	fprintf(stderr, "kmod-try: no step %s\n", step);
	exit(2);
}

/*
 * fork: a child does the steps up to "join", then the parent those behind it. leave: the same, but the
 * parent ends at once, and the child goes on by itself.
 */
static char **branch(char **argv, bool leaves)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		exit(2);
	if (leaves) {
		if (child > 0)
			_exit(0);
		return argv;
	}
	if (child == 0)
		return argv;
	while (*argv && strcmp(*argv, "join") != 0)
		argv++;
	waitpid(child, &status, 0);
	printf("join %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
	return *argv ? argv + 1 : argv;
}

/* The same program again, with the descriptor that is meant, and no mapping. */
static void again(char **argv)
{
	char name[] = "kmod-try", option[] = "--file", number[16];
	char *arguments[64] = { name, option, number };

	snprintf(number, sizeof(number), "%d", fd());
	for (int i = 0; i < 60 && argv[i]; i++)
		arguments[3 + i] = argv[i];
	execv("/proc/self/exe", arguments);
	exit(2);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	argv++;
	if (argc > 2 && strcmp(argv[0], "--file") == 0) {
		all.files[all.file_num++] = (int)strtol(argv[1], NULL, 10);
		argv += 2;
	}
	if (*argv && (*argv)[0] == '/')
		all.path = *argv++;
	while (*argv) {
		const char *step = *argv++;

		fflush(stdout);
		if (strcmp(step, "fork") == 0)
			argv = branch(argv, false);
		else if (strcmp(step, "leave") == 0)
			argv = branch(argv, true);
		else if (strcmp(step, "exec") == 0)
			again(argv);
		else if (strcmp(step, "join") == 0)
			_exit(0);
		else
			run_step(step);
	}
	return 0;
}
