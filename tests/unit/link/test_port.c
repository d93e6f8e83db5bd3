/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_port.c - a VM's socket: one device at a time, whichever side listens */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sock.h"
#include "common/util.h"
#include "common/wire/vgpu_frame.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/scratch.h"
#include "vgpud/link/foreign.h"
#include "vgpud/link/port.h"

#define TURNS_MOST 1000
#define PATIENCE_USEC 20000000ull
#define TURN_USEC 20000ull
#define LATE_NUM 80 /* more than may linger after their refusal */

struct house {
	sd_event *event;
	char dir[64];
	char path[SOCK_PATH_SIZE];
	struct port *port;
	unsigned connected, gone, requests, cancels;
	unsigned windows, programs_gone;
	bool stopped;
	bool held; /* workers of the last device are still there */
};

static void on_request(void *arg, struct vm *vm, const struct vgpu_frame_header *h,
		       const uint8_t *msg)
{
	struct house *house = arg;

	assert_ptr_equal(vm, house); /* what port_config.handler_vm was */
	assert_non_null(msg);
	house->requests++;
	port_send_response(house->port, h->sequence, h->request_id, msg, h->length);
}

static void on_cancel(void *arg, struct vm *vm, uint64_t sequence)
{
	struct house *house = arg;

	(void)vm;
	(void)sequence;
	house->cancels++;
}

static void on_connected(void *arg, struct vm *vm)
{
	struct house *house = arg;

	(void)vm;
	assert_true(port_connected(house->port));
	house->connected++;
}

static void on_gone(void *arg, struct vm *vm)
{
	struct house *house = arg;

	(void)vm;
	assert_false(port_connected(house->port));
	house->gone++;
}

static const struct port_handler handler = {
	.request = on_request,
	.cancel = on_cancel,
	.connected = on_connected,
	.gone = on_gone,
};

static bool on_holds(void *arg, const struct vm *vm)
{
	const struct house *house = arg;

	(void)vm;
	return house->held;
}

static void on_window(void *arg, struct vm *vm, struct port_peer *peer,
		      const struct vgpu_window_frame *window, int fd)
{
	struct house *house = arg;

	assert_ptr_equal(vm, house);
	assert_int_equal(window->flags, VGPU_WINDOW_OF_PROGRAM);
	foreign_close(fd);
	house->windows++;
	peer->tenant = house; /* from now on gone() is called */
}

static void on_runstate(void *arg, struct port_peer *peer)
{
	struct house *house = arg;

	house->stopped = peer->stopped;
}

static void on_program_gone(void *arg, struct port_peer *peer)
{
	struct house *house = arg;

	(void)peer;
	house->programs_gone++;
}

static const struct port_program_handler programs = {
	.holds = on_holds,
	.window = on_window,
	.runstate = on_runstate,
	.gone = on_program_gone,
};

static int setup(void **state)
{
	struct house *house = test_calloc(1, sizeof(*house));

	assert_int_equal(sd_event_new(&house->event), 0);
	snprintf(house->dir, sizeof(house->dir), "/tmp/vgpu-port.XXXXXX");
	assert_non_null(mkdtemp(house->dir));
	snprintf(house->path, sizeof(house->path), "%s/vm7.sock", house->dir);
	*state = house;
	return 0;
}

static int teardown(void **state)
{
	struct house *house = *state;

	port_close(house->port);
	for (int turn = 0; turn < TURNS_MOST && sd_event_run(house->event, 0) > 0; turn++)
		;
	sd_event_unref(house->event);
	scratch_remove(house->dir);
	test_free(house);
	return 0;
}

/* programs: how many may connect; 0: the port is a VM's. */
static int open_with(struct house *house, const char *path, bool listen, unsigned programs_max)
{
	const struct port_config config = {
		.peers_max = programs_max,
		.event = house->event,
		.path = path,
		.listen = listen,
		.name = "vm7",
		.vm = { .id = 7, .priority = VGPU_PRIORITY_MEDIUM, .local = programs_max > 0 },
		.handler = &handler,
		.arg = house,
		.programs = &programs,
		.programs_arg = house,
		.handler_vm = (struct vm *)house,
	};

	return port_open(&house->port, &config);
}

static int open_at(struct house *house, const char *path, bool listen)
{
	return open_with(house, path, listen, 0);
}

static void settle(struct house *house)
{
	int turn = 0;

	while (sd_event_run(house->event, 0) > 0)
		assert_in_range(++turn, 1, TURNS_MOST);
}

/* --- a device --- */

static int device_connect(struct house *house)
{
	int fd = sock_connect(house->path);

	assert_true(fd >= 0);
	settle(house);
	return fd;
}

static void device_says(struct house *house, int fd, uint8_t type, uint64_t sequence,
			const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = 7, .length = len, .type = type, .sequence = sequence
	};
	uint8_t frame[VGPU_FRAME_MAX];

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	assert_int_equal(send(fd, frame, VGPU_FRAME_HEADER_LEN + len, MSG_NOSIGNAL),
			 VGPU_FRAME_HEADER_LEN + len);
	settle(house);
}

static void device_greets(struct house *house, int fd)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION);
	device_says(house, fd, VGPU_FRAME_HELLO, 0, hello, sizeof(hello));
}

/* Takes one frame of that type. out: its payload's first words. */
static void device_hears(int fd, uint8_t type, uint32_t *out, unsigned words)
{
	uint8_t frame[VGPU_FRAME_MAX];
	struct vgpu_frame_header h;

	assert_int_equal(recv(fd, frame, VGPU_FRAME_HEADER_LEN, 0), VGPU_FRAME_HEADER_LEN);
	vgpu_frame_get_header(frame, &h);
	assert_int_equal(h.type, type);
	assert_int_equal(recv(fd, frame, h.length, 0), h.length);
	for (unsigned i = 0; i < words; i++)
		out[i] = vgpu_get_le32(frame + 4 * i);
}

static void device_is_welcome(int fd)
{
	uint32_t words[3];

	device_hears(fd, VGPU_FRAME_HELLO, words, 3);
	assert_int_equal(words[2], VGPU_ERR_OK);
	device_hears(fd, VGPU_FRAME_CONFIG, words, 3);
	assert_int_equal(words[0], 7);
	assert_int_equal(words[1], 'A');
}

static void device_is_denied(int fd)
{
	uint32_t words[3];
	char byte;

	device_hears(fd, VGPU_FRAME_HELLO, words, 3);
	assert_int_equal(words[2], VGPU_ERR_DENIED);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* --- programs --- */

/* Return: a program's connection that has greeted. */
static int program_connect(struct house *house)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };
	int fd = device_connect(house);

	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION_PROGRAMS);
	device_says(house, fd, VGPU_FRAME_HELLO, 0, hello, sizeof(hello));
	return fd;
}

static void program_gives_window(struct house *house, int fd)
{
	struct vgpu_frame_header h = { .vm_id = 7,
				       .length = VGPU_WINDOW_LEN,
				       .type = VGPU_FRAME_WINDOW };
	uint8_t frame[VGPU_FRAME_HEADER_LEN + VGPU_WINDOW_LEN] = { 0 };
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .first = { .cmsg_len = CMSG_LEN(sizeof(int)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct iovec part = { frame, sizeof(frame) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	int memory = memfd_create("window", MFD_CLOEXEC);

	vgpu_frame_put_header(frame, &h);
	vgpu_put_le32(frame + VGPU_FRAME_HEADER_LEN + 12, VGPU_WINDOW_OF_PROGRAM);
	memcpy(CMSG_DATA(&control.first), &memory, sizeof(int));
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), sizeof(frame));
	close(memory);
	settle(house);
}

static void several_programs_of_a_local_tenant(void **state)
{
	struct house *house = *state;
	uint8_t running[VGPU_RUNSTATE_LEN] = { 0 };
	uint32_t words[3];
	int fd[3], late;

	assert_int_equal(open_with(house, house->path, true, 3), 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = program_connect(house);
		device_is_welcome(fd[i]);
		program_gives_window(house, fd[i]);
	}
	assert_int_equal(house->windows, 3);
	assert_int_equal(port_peers(house->port), 3);
	device_says(house, fd[1], VGPU_FRAME_RUNSTATE, 0, running, sizeof(running));
	assert_true(house->stopped);
	port_send_config(house->port, 1, VGPU_PRIORITY_LOW);
	for (int i = 0; i < 3; i++) {
		device_hears(fd[i], VGPU_FRAME_CONFIG, words, 2);
		assert_int_equal(words[1], 'B');
	}
	late = device_connect(house);
	device_hears(late, VGPU_FRAME_HELLO, words, 3);
	assert_int_equal(words[2], VGPU_END_TOO_MANY_PROGRAMS);
	close(late);
	assert_int_equal(port_counts(house->port)->refused, 1);
	/* One has hung up, which the loop has not seen yet: the next one must not be refused for it. */
	close(fd[0]);
	late = program_connect(house);
	settle(house);
	assert_int_equal(house->programs_gone, 1);
	assert_int_equal(port_peers(house->port), 3);
	port_set_peers_max(house->port, 4);
	fd[0] = program_connect(house);
	assert_int_equal(port_peers(house->port), 4);
	/* The handler of requests hears nothing of all this. */
	assert_int_equal(house->connected + house->gone + house->requests, 0);
	port_close(house->port); /* tells of those that gave a window */
	house->port = NULL;
	assert_int_equal(house->programs_gone, 3);
	close(late);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

static void a_local_tenant_takes_no_requests(void **state)
{
	struct house *house = *state;
	uint8_t msg[40] = { 0 };
	char byte;
	int fd;

	assert_int_equal(open_with(house, house->path, true, 3), 0);
	fd = program_connect(house);
	device_is_welcome(fd);
	device_says(house, fd, VGPU_FRAME_REQUEST, 1, msg, sizeof(msg));
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(port_counts(house->port)->broke, 1);
	assert_int_equal(house->requests, 0);
	close(fd);
}

/* A VM's next device is answered when the workers of the last one have gone. */
static void a_device_waits_for_its_predecessors_workers(void **state)
{
	struct house *house = *state;
	char byte;
	int fd;

	assert_int_equal(open_at(house, house->path, true), 0);
	house->held = true;
	fd = device_connect(house);
	device_greets(house, fd);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_false(port_connected(house->port));
	house->held = false;
	while (!port_connected(house->port))
		assert_int_not_equal(sd_event_run(house->event, PATIENCE_USEC), 0);
	device_is_welcome(fd);
	close(fd);
}

/* --- descriptors from outside --- */

static void what_is_an_eventfd(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC), memory = memfd_create("[eventfd]", MFD_CLOEXEC);
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(foreign_is_eventfd(event));
	assert_false(foreign_is_eventfd(memory));
	assert_false(foreign_is_eventfd(ends[0]));
	assert_false(foreign_is_eventfd(-1));
	foreign_close(event);
	foreign_close(memory);
	foreign_close(ends[0]);
	foreign_close(ends[1]);
	assert_int_equal(foreign_closing(), 0); /* all of them at once */
}

/* The linker puts it in the place of the library's (tests.mk). */
static unsigned threads;
static bool no_threads;
static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER; /* threads begin when it is free */
static void *(*held_run)(void *arg);

static void *run_when_let(void *arg)
{
	pthread_mutex_lock(&hold);
	pthread_mutex_unlock(&hold);
	return held_run(arg);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	if (no_threads)
		return EAGAIN;
	threads++;
	held_run = run;
	return __real_pthread_create(thread, attr, run_when_let, arg);
}

static void wait_for_closes(void)
{
	for (uint64_t until_ns = util_now_ns() + 30 * UTIL_NS_PER_S;
	     foreign_closing() > 0 && util_now_ns() < until_ns;)
		sched_yield();
	assert_int_equal(foreign_closing(), 0);
}

/* Return: memory, with so much of it there. */
static int make_memory(off_t bytes)
{
	int fd = memfd_create("window", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(posix_fallocate(fd, 0, bytes), 0);
	return fd;
}

/* The kernel frees a window with its last descriptor, which takes long: the loop does not wait for it. */
static void much_memory_is_closed_beside_the_loop(void **state)
{
	int fd = make_memory(1 << 20);

	(void)state;
	threads = 0;
	foreign_close(fd);
	assert_int_equal(threads, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = make_memory(32 << 20);
	foreign_close(fd);
	assert_int_equal(threads, 1);
	wait_for_closes();
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = make_memory(32 << 20);
	no_threads = true;
	foreign_close(fd);
	no_threads = false;
	assert_int_equal(foreign_closing(), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* A message may bring hundreds, and closing them may take long: all are closed in the end. */
static void more_than_there_are_threads(void **state)
{
	int fds[3 * FOREIGN_MAX];
	const unsigned num = sizeof(fds) / sizeof(fds[0]);

	(void)state;
	for (unsigned i = 0; i < num; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
	}
	threads = 0;
	no_threads = true;
	foreign_close(fds[0]);
	no_threads = false;
	pthread_mutex_lock(&hold);
	for (unsigned i = 1; i < num; i++)
		foreign_close(fds[i]);
	assert_int_equal(threads, FOREIGN_MAX);
	assert_int_equal(foreign_closing(), FOREIGN_MAX);
	pthread_mutex_unlock(&hold);
	wait_for_closes();
	for (unsigned i = 0; i < num; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
}

/* A socket may linger, and a file may lie on a server: the loop does not wait for their close. */
static void what_is_closed_beside_the_loop(void **state)
{
	const struct house *house = *state;
	char path[96];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), file;

	snprintf(path, sizeof(path), "%s/memfd:window (deleted)", house->dir);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && file >= 0);
	foreign_close(fd);
	foreign_close(file);
	wait_for_closes();
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	unlink(path);
}

/* --- tests --- */

static void a_device_comes_works_and_goes(void **state)
{
	struct house *house = *state;
	uint8_t msg[40] = { 0 };
	int fd;

	assert_int_equal(open_at(house, house->path, true), 0);
	assert_string_equal(port_path(house->port), house->path);
	assert_true(port_listens(house->port));
	fd = device_connect(house);
	assert_false(port_connected(house->port)); /* it has not said hello */
	device_greets(house, fd);
	device_is_welcome(fd);
	assert_int_equal(house->connected, 1);
	device_says(house, fd, VGPU_FRAME_REQUEST, 1, msg, sizeof(msg));
	device_hears(fd, VGPU_FRAME_RESPONSE, NULL, 0);
	device_says(house, fd, VGPU_FRAME_CANCEL, 1, msg, 0);
	assert_int_equal(house->requests, 1);
	assert_int_equal(house->cancels, 1);
	close(fd);
	settle(house);
	assert_int_equal(house->gone, 1);
	assert_int_equal(port_counts(house->port)->connects, 1);
	assert_int_equal(port_counts(house->port)->refused, 0);
	assert_int_equal(port_counts(house->port)->broke, 0);
}

static void only_owner_and_group_may_connect(void **state)
{
	struct house *house = *state;
	struct stat st;

	assert_int_equal(open_at(house, house->path, true), 0);
	assert_int_equal(stat(house->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

/* Return: whether something can be read there; the loop runs for so long at most. */
static bool hears_within(struct house *house, int fd, uint64_t usec)
{
	uint64_t end_ns = util_now_ns() + usec * UTIL_NS_PER_US;
	char byte;

	while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
		if (util_now_ns() >= end_ns)
			return false;
		assert_true(sd_event_run(house->event, TURN_USEC) >= 0);
	}
	return true;
}

/*
 * However many programs come at once, and however late they say hello, each that is one too many
 * learns why: none finds a connection that was closed without a word.
 */
static void each_program_too_many_learns_why(void **state)
{
	struct house *house = *state;
	uint8_t hello[VGPU_HELLO_LEN] = { 1, 0, 0, 0, 2 };
	int fd[LATE_NUM], first, heard = 0;
	uint32_t words[3];

	assert_int_equal(open_with(house, house->path, true, 1), 0);
	first = program_connect(house);
	device_is_welcome(first);
	for (int i = 0; i < LATE_NUM; i++)
		fd[i] = device_connect(house);
	while (heard < LATE_NUM && hears_within(house, fd[heard], 0))
		heard++;
	assert_in_range(heard, 1, LATE_NUM - 1); /* the others wait in the backlog */
	for (int i = 0; i < LATE_NUM; i++) {
		assert_true(hears_within(house, fd[i], PATIENCE_USEC));
		device_says(house, fd[i], VGPU_FRAME_HELLO, 0, hello, sizeof(hello));
		device_hears(fd[i], VGPU_FRAME_HELLO, words, 3);
		assert_int_equal(words[2], VGPU_END_TOO_MANY_PROGRAMS);
		close(fd[i]);
	}
	assert_int_equal(port_counts(house->port)->refused, LATE_NUM);
	assert_int_equal(port_peers(house->port), 1);
	close(first);
}

static void a_second_device_does_not_displace_the_first(void **state)
{
	struct house *house = *state;
	int first, second;

	assert_int_equal(open_at(house, house->path, true), 0);
	first = device_connect(house);
	device_greets(house, first);
	device_is_welcome(first);
	second = device_connect(house);
	device_is_denied(second);
	assert_true(port_connected(house->port));
	assert_int_equal(house->gone, 0);
	assert_int_equal(port_counts(house->port)->refused, 1);
	close(second);
	port_send_config(house->port, 1, VGPU_PRIORITY_LOW);
	device_hears(first, VGPU_FRAME_CONFIG, NULL, 0);
	close(first);
}

static void a_restarted_qemu_does_not_find_its_predecessor(void **state)
{
	struct house *house = *state;
	int first, second;

	assert_int_equal(open_at(house, house->path, true), 0);
	first = device_connect(house);
	device_greets(house, first);
	/* Both happen before the loop's next turn, so that it may see either first. */
	close(first);
	second = sock_connect(house->path);
	assert_true(second >= 0);
	settle(house);
	device_greets(house, second);
	device_is_welcome(second);
	assert_int_equal(house->gone, 1);
	assert_int_equal(house->connected, 2);
	assert_int_equal(port_counts(house->port)->refused, 0);
	close(second);
}

static void a_change_is_told_now_and_to_who_comes_later(void **state)
{
	struct house *house = *state;
	uint32_t words[3];
	int fd;

	assert_int_equal(open_at(house, house->path, true), 0);
	port_send_config(house->port, 2, VGPU_PRIORITY_HIGH);
	fd = device_connect(house);
	device_greets(house, fd);
	device_hears(fd, VGPU_FRAME_HELLO, NULL, 0);
	device_hears(fd, VGPU_FRAME_CONFIG, words, 3);
	assert_int_equal(words[1], 'C');
	assert_int_equal(words[2], VGPU_PRIORITY_HIGH);
	port_send_config(house->port, 3, VGPU_PRIORITY_LOW);
	device_hears(fd, VGPU_FRAME_CONFIG, words, 3);
	assert_int_equal(words[1], 'D');
	assert_int_equal(words[2], VGPU_PRIORITY_LOW);
	close(fd);
}

static void a_device_that_breaks_the_stream_is_counted(void **state)
{
	struct house *house = *state;
	int fd;

	assert_int_equal(open_at(house, house->path, true), 0);
	fd = device_connect(house);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 36, 0), 36);
	settle(house);
	assert_int_equal(port_counts(house->port)->broke, 1);
	assert_int_equal(house->gone, 0); /* it never was a device */
	close(fd);
}

/* Return: the port's next connection to that listener. */
static int connection_of_port(struct house *house, int listener)
{
	int fd = -1;

	while (fd < 0) {
		assert_int_not_equal(sd_event_run(house->event, PATIENCE_USEC), 0);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	return fd;
}

static void where_qemu_listens_we_connect_until_it_does(void **state)
{
	struct house *house = *state;
	int listener, fd;

	assert_int_equal(open_at(house, house->path, false), 0);
	assert_false(port_listens(house->port));
	settle(house); /* the first try, which finds no socket */
	listener = sock_listen(house->path, 0600);
	assert_true(listener >= 0);
	fd = connection_of_port(house, listener);
	device_greets(house, fd);
	device_is_welcome(fd);
	close(fd);
	fd = connection_of_port(house, listener);
	assert_int_equal(house->gone, 1);
	close(fd);
	close(listener);
}

/* The linker puts it in the place of systemd's (tests.mk). */
static bool no_memory;
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg);

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg)
{
	if (no_memory)
		return -ENOMEM;
	return __real_sd_event_add_time_relative(event, out, clock, usec, accuracy_usec, callback,
						 arg);
}

static void without_memory_we_connect_later(void **state)
{
	struct house *house = *state;
	int listener = sock_listen(house->path, 0600), fd;
	char byte;

	assert_true(listener >= 0);
	assert_int_equal(open_at(house, house->path, false), 0);
	no_memory = true;
	fd = connection_of_port(house, listener);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	no_memory = false;
	fd = connection_of_port(house, listener);
	device_greets(house, fd);
	device_is_welcome(fd);
	close(fd);
	close(listener);
}

static void a_socket_goes_with_its_port(void **state)
{
	struct house *house = *state;

	assert_int_equal(open_at(house, house->path, true), 0);
	port_close(house->port);
	house->port = NULL;
	assert_int_equal(access(house->path, F_OK), -1);
	assert_false(port_connected(NULL));
	port_close(NULL);
}

static void paths_that_will_not_do(void **state)
{
	struct house *house = *state;
	char longer[SOCK_PATH_SIZE + 1];
	FILE *file;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(open_at(house, longer, true), -ENAMETOOLONG);
	assert_int_equal(open_at(house, longer, false), -ENAMETOOLONG);
	file = fopen(house->path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(open_at(house, house->path, true), -EEXIST);
	assert_null(house->port);
	assert_int_equal(access(house->path, F_OK), 0); /* and is left alone */
}

int main(void)
{
#define PORT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		PORT_TEST(a_device_comes_works_and_goes),
		PORT_TEST(only_owner_and_group_may_connect),
		PORT_TEST(a_second_device_does_not_displace_the_first),
		PORT_TEST(a_restarted_qemu_does_not_find_its_predecessor),
		PORT_TEST(a_change_is_told_now_and_to_who_comes_later),
		PORT_TEST(a_device_that_breaks_the_stream_is_counted),
		PORT_TEST(where_qemu_listens_we_connect_until_it_does),
		PORT_TEST(without_memory_we_connect_later),
		PORT_TEST(several_programs_of_a_local_tenant),
		PORT_TEST(each_program_too_many_learns_why),
		PORT_TEST(a_local_tenant_takes_no_requests),
		PORT_TEST(a_device_waits_for_its_predecessors_workers),
		PORT_TEST(what_is_an_eventfd),
		PORT_TEST(what_is_closed_beside_the_loop),
		PORT_TEST(much_memory_is_closed_beside_the_loop),
		PORT_TEST(more_than_there_are_threads),
		PORT_TEST(a_socket_goes_with_its_port),
		PORT_TEST(paths_that_will_not_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
