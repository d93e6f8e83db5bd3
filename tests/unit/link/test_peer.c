/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_peer.c - a device's connection over a socketpair: what it says, what it is told, how it ends */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/wire/vgpu_frame.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/link/peer.h"

#define TURNS_MOST 1000
#define PATIENCE_USEC 20000000ull

/* The linker puts it in the place of systemd's (tests.mk): it keeps the last timer that was made. */
static sd_event_time_handler_t on_time;
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
	on_time = callback;
	return __real_sd_event_add_time_relative(event, out, clock, usec, accuracy_usec, callback,
						 arg);
}

/* One peer with its other end, and what it told of. */
struct link {
	sd_event *event;
	struct peer *peer; /* NULL once it has ended */
	struct frames_vm vm;
	int device;
	int socket;			 /* the peer's, to see and set what it is like */
	struct vgpu_frame_parser parser; /* of what the device reads */
	unsigned greeted, requests, cancels, ends;
	uint64_t sequence; /* of the last request or cancel */
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t msg_len;
	enum peer_end end;
	char why[128];
	unsigned windows, opens, closes, runstates;
	struct vgpu_window_frame window;
	struct vgpu_channel_open open;
	uint32_t closed;
	bool running;
	ino_t inode[2];	      /* of the descriptors that came with the last frame */
	unsigned descriptors; /* that this process had open at the start */
};

/* Return: how many descriptors this process has open. */
static unsigned count_descriptors(void)
{
	unsigned num = 0;

	for (int fd = 0; fd < 1024; fd++)
		num += fcntl(fd, F_GETFD) >= 0;
	return num;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Takes a descriptor from the peer: it must be closed on exec. */
static ino_t take(int fd)
{
	ino_t inode = inode_of(fd);

	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	return inode;
}

static void on_greeted(void *arg)
{
	struct link *link = arg;

	link->greeted++;
}

static void on_request(void *arg, const struct vgpu_frame_header *h, const uint8_t *msg)
{
	struct link *link = arg;

	link->requests++;
	link->sequence = h->sequence;
	link->msg_len = h->length;
	memcpy(link->msg, msg, h->length);
}

static void on_cancel(void *arg, uint64_t sequence)
{
	struct link *link = arg;

	link->cancels++;
	link->sequence = sequence;
}

static void on_ended(void *arg, enum peer_end end, const char *why)
{
	struct link *link = arg;

	link->ends++;
	link->end = end;
	snprintf(link->why, sizeof(link->why), "%s", why != NULL ? why : "");
	peer_free(link->peer);
	link->peer = NULL;
}

static void on_window(void *arg, const struct vgpu_window_frame *window, int fd)
{
	struct link *link = arg;

	link->windows++;
	link->window = *window;
	link->inode[0] = take(fd);
}

static void on_channel_open(void *arg, const struct vgpu_channel_open *open, const int *fds)
{
	struct link *link = arg;

	link->opens++;
	link->open = *open;
	link->inode[0] = take(fds[0]);
	link->inode[1] = take(fds[1]);
	if (open->channel == 99)
		peer_break(link->peer, "it names channel 99");
}

static void on_channel_close(void *arg, uint32_t channel)
{
	struct link *link = arg;

	link->closes++;
	link->closed = channel;
}

static void on_runstate(void *arg, bool running)
{
	struct link *link = arg;

	link->runstates++;
	link->running = running;
}

static const struct peer_handler handler = {
	.window = on_window,
	.channel_open = on_channel_open,
	.channel_close = on_channel_close,
	.runstate = on_runstate,
	.greeted = on_greeted,
	.request = on_request,
	.cancel = on_cancel,
	.ended = on_ended,
};

static int setup(void **state)
{
	struct link *link = test_calloc(1, sizeof(*link));
	int pair[2];

	link->vm = (struct frames_vm){ .id = 7, .pool = 1, .priority = VGPU_PRIORITY_HIGH };
	link->descriptors = count_descriptors();
	assert_int_equal(sd_event_new(&link->event), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	link->device = pair[1];
	link->socket = pair[0];
	assert_int_equal(peer_new(&link->peer, link->event, pair[0], &link->vm, &handler, link), 0);
	*state = link;
	return 0;
}

static int teardown(void **state)
{
	struct link *link = *state;

	if (link->peer != NULL)
		peer_free(link->peer);
	if (link->device >= 0)
		close(link->device);
	/* A connection that was refused lingers until its other end has gone. */
	for (int turn = 0; turn < TURNS_MOST && sd_event_run(link->event, 0) > 0; turn++)
		;
	sd_event_unref(link->event);
	assert_int_equal(count_descriptors(), link->descriptors);
	test_free(link);
	return 0;
}

/* Lets the loop do all that can be done now. */
static void settle(struct link *link)
{
	int turn = 0;

	while (sd_event_run(link->event, 0) > 0)
		assert_in_range(++turn, 1, TURNS_MOST);
}

static void say(struct link *link, const void *bytes, size_t len)
{
	assert_int_equal(send(link->device, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	settle(link);
}

/* Return: bytes of the frame. */
static size_t make(uint8_t *frame, uint8_t type, uint32_t vm_id, uint64_t sequence,
		   const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = vm_id, .length = len, .type = type, .sequence = sequence
	};

	vgpu_frame_put_header(frame, &h);
	if (len > 0)
		memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	return VGPU_FRAME_HEADER_LEN + len;
}

static void say_frame(struct link *link, uint8_t type, uint32_t vm_id, uint64_t sequence,
		      const uint8_t *payload, uint32_t len)
{
	uint8_t frame[VGPU_FRAME_MAX];

	say(link, frame, make(frame, type, vm_id, sequence, payload, len));
}

static void say_hello(struct link *link, uint32_t vm_id, uint32_t version)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, version);
	vgpu_put_le32(hello + 4, version);
	say_frame(link, VGPU_FRAME_HELLO, vm_id, 0, hello, sizeof(hello));
}

/* Reads one frame. Return: its payload. */
static const uint8_t *hear(struct link *link, struct vgpu_frame_header *h)
{
	for (;;) {
		uint8_t byte;
		uint32_t used;

		if (recv(link->device, &byte, 1, 0) != 1) { /* the next part waits for room */
			settle(link);
			assert_int_equal(recv(link->device, &byte, 1, 0), 1);
		}
		switch (vgpu_frame_feed(&link->parser, &byte, 1, &used)) {
		case VGPU_FRAME_READY:
			return vgpu_frame_take(&link->parser, h);
		case VGPU_FRAME_MORE:
			break;
		case VGPU_FRAME_BAD:
			fail_msg("a frame is malformed");
		}
	}
}

static void hears_nothing(struct link *link)
{
	char byte;

	assert_int_equal(recv(link->device, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void hears_hello(struct link *link, uint32_t status)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = hear(link, &h);

	assert_int_equal(h.type, VGPU_FRAME_HELLO);
	assert_int_equal(h.vm_id, 7);
	assert_int_equal(vgpu_get_le32(payload + 8), status);
}

static void hears_config(struct link *link, char pool, uint32_t priority)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = hear(link, &h);

	assert_int_equal(h.type, VGPU_FRAME_CONFIG);
	assert_int_equal(vgpu_get_le32(payload), 7);
	assert_int_equal(vgpu_get_le32(payload + 4), pool);
	assert_int_equal(vgpu_get_le32(payload + 8), priority);
	assert_int_equal(h.pool_id, pool);
	assert_int_equal(h.priority, priority);
}

static void greet(struct link *link)
{
	say_hello(link, 7, VGPU_LINK_VERSION);
	hears_hello(link, VGPU_ERR_OK);
	hears_config(link, 'B', VGPU_PRIORITY_HIGH);
	hears_nothing(link);
}

static void has_ended(const struct link *link, enum peer_end end)
{
	assert_null(link->peer);
	assert_int_equal(link->ends, 1);
	assert_int_equal(link->end, end);
	assert_int_equal(link->why[0] == '\0', end == PEER_HUNG_UP);
}

/* --- the conversation --- */

static void a_greeting_is_answered_with_hello_and_config(void **state)
{
	struct link *link = *state;

	assert_false(peer_greeted(link->peer));
	greet(link);
	assert_true(peer_greeted(link->peer));
	assert_int_equal(link->greeted, 1);
	assert_int_equal(link->ends, 0);
}

static void a_config_tells_what_the_vm_is_now(void **state)
{
	struct link *link = *state;

	greet(link);
	link->vm.pool = 25;
	link->vm.priority = VGPU_PRIORITY_LOW;
	peer_send_config(link->peer);
	hears_config(link, 'Z', VGPU_PRIORITY_LOW);
}

static void requests_and_cancels_come_through(void **state)
{
	struct link *link = *state;
	uint8_t msg[VGPU_MSG_MAX];

	memset(msg, 0x5a, sizeof(msg));
	greet(link);
	say_frame(link, VGPU_FRAME_REQUEST, 7, 3, msg, sizeof(msg));
	assert_int_equal(link->requests, 1);
	assert_int_equal(link->sequence, 3);
	assert_int_equal(link->msg_len, sizeof(msg));
	assert_memory_equal(link->msg, msg, sizeof(msg));
	say_frame(link, VGPU_FRAME_CANCEL, 7, 2, NULL, 0);
	assert_int_equal(link->cancels, 1);
	assert_int_equal(link->sequence, 2);
	assert_int_equal(link->ends, 0);
}

static void frames_may_be_cut_anywhere(void **state)
{
	struct link *link = *state;
	uint8_t bytes[3 * VGPU_FRAME_MAX], msg[40] = { 1 };
	size_t len = 0;

	greet(link);
	for (uint64_t sequence = 1; sequence <= 3; sequence++)
		len += make(bytes + len, VGPU_FRAME_REQUEST, 7, sequence, msg, sizeof(msg));
	for (size_t i = 0; i < len; i++) {
		say(link, bytes + i, 1);
		assert_int_equal(link->requests, (i + 1) / (VGPU_FRAME_HEADER_LEN + sizeof(msg)));
	}
	for (uint64_t sequence = 1; sequence <= 3; sequence++)
		make(bytes + (sequence - 1) * len / 3, VGPU_FRAME_REQUEST, 7, 3 + sequence, msg,
		     sizeof(msg));
	say(link, bytes, len);
	assert_int_equal(link->requests, 6);
}

static void a_response_goes_out_as_it_is(void **state)
{
	struct link *link = *state;
	struct vgpu_frame_header h;
	uint8_t msg[36] = { 9, 8, 7 };
	const uint8_t *payload;

	greet(link);
	peer_send_response(link->peer, UINT64_MAX, 0xfffffffe, msg, sizeof(msg));
	payload = hear(link, &h);
	assert_int_equal(h.type, VGPU_FRAME_RESPONSE);
	assert_true(h.sequence == UINT64_MAX);
	assert_int_equal(h.request_id, 0xfffffffe);
	assert_int_equal(h.length, sizeof(msg));
	assert_memory_equal(payload, msg, sizeof(msg));
}

/* --- link version 2: frames with descriptors --- */

static void greet_two(struct link *link)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, 1);
	vgpu_put_le32(hello + 4, 2);
	say_frame(link, VGPU_FRAME_HELLO, 7, 0, hello, sizeof(hello));
	hears_hello(link, VGPU_ERR_OK);
	hears_config(link, 'B', VGPU_PRIORITY_HIGH);
	assert_int_equal(peer_version(link->peer), 2);
}

#define FDS_MOST 4
/* One sendmsg(), without a turn of the loop. */
static void send_with(struct link *link, const void *bytes, size_t len, const int *fds,
		      unsigned num)
{
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(FDS_MOST * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };

	if (num > 0) {
		control.first = (struct cmsghdr){ .cmsg_len = CMSG_LEN(num * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.first), fds, num * sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(num * sizeof(int));
	}
	assert_int_equal(sendmsg(link->device, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static size_t make_window(uint8_t *frame)
{
	uint8_t payload[VGPU_WINDOW_LEN] = { 0 };

	vgpu_put_le64(payload, 64ull << 20);
	vgpu_put_le32(payload + 12, VGPU_WINDOW_OF_PROGRAM);
	return make(frame, VGPU_FRAME_WINDOW, 7, 0, payload, sizeof(payload));
}

static size_t make_open(uint8_t *frame, uint32_t channel)
{
	uint8_t payload[VGPU_CHANNEL_OPEN_LEN] = { 0 };

	vgpu_put_le32(payload, channel);
	vgpu_put_le32(payload + 4, 512);
	return make(frame, VGPU_FRAME_CHANNEL_OPEN, 7, 0, payload, sizeof(payload));
}

/* Descriptors of different files, so that they can be told apart. */
static void make_fds(int *fds, unsigned num)
{
	for (unsigned i = 0; i < num; i++)
		assert_true((fds[i] = memfd_create("test", MFD_CLOEXEC)) >= 0);
}

static void close_fds(const int *fds, unsigned num)
{
	for (unsigned i = 0; i < num; i++)
		close(fds[i]);
}

static void give_window(struct link *link)
{
	uint8_t frame[VGPU_FRAME_MAX];
	int fd;

	greet_two(link);
	make_fds(&fd, 1);
	send_with(link, frame, make_window(frame), &fd, 1);
	settle(link);
	assert_int_equal(link->windows, 1);
	assert_int_equal(link->inode[0], inode_of(fd));
	assert_true(link->window.size_bytes == 64ull << 20);
	close(fd);
}

static void frames_of_version_2_come_through(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX], payload[16] = { 3 };
	struct vgpu_frame_header h;
	const uint8_t *said;
	int fds[2];

	give_window(link);
	make_fds(fds, 2);
	send_with(link, frame, make_open(frame, 3), fds, 2);
	settle(link);
	assert_int_equal(link->opens, 1);
	assert_int_equal(link->open.channel, 3);
	assert_int_equal(link->open.control_page, 512);
	assert_int_equal(link->inode[0], inode_of(fds[0]));
	assert_int_equal(link->inode[1], inode_of(fds[1]));
	close_fds(fds, 2);
	say_frame(link, VGPU_FRAME_CHANNEL_CLOSE, 7, 0, payload, sizeof(payload));
	assert_int_equal(link->closed, 3);
	payload[0] = 1;
	say_frame(link, VGPU_FRAME_RUNSTATE, 7, 0, payload, sizeof(payload));
	assert_int_equal(link->runstates, 1);
	assert_true(link->running);
	peer_send_window_status(link->peer, false, VGPU_END_PROGRAMS_OFF);
	said = hear(link, &h);
	assert_int_equal(h.type, VGPU_FRAME_WINDOW_STATUS);
	assert_int_equal(vgpu_get_le32(said), 0);
	assert_int_equal(vgpu_get_le32(said + 4), VGPU_END_PROGRAMS_OFF);
	peer_send_channel_status(link->peer, 3, VGPU_CHANNEL_LOST, VGPU_END_KILLED);
	said = hear(link, &h);
	assert_int_equal(h.type, VGPU_FRAME_CHANNEL_STATUS);
	assert_int_equal(vgpu_get_le32(said), 3);
	assert_int_equal(vgpu_get_le32(said + 4), VGPU_CHANNEL_LOST);
	assert_int_equal(vgpu_get_le32(said + 8), VGPU_END_KILLED);
	assert_int_equal(peer_who(link->peer)->pid, getpid());
	assert_int_equal(peer_who(link->peer)->uid, getuid());
}

/* Frames without descriptors before and behind one with them, read in as few calls as the kernel gives. */
static void descriptors_among_other_frames(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX], msg[40] = { 1 };
	uint64_t sequence = 1;
	int fds[2];

	give_window(link);
	for (unsigned round = 1; round <= 20; round++) {
		make_fds(fds, 2);
		for (unsigned i = 0; i < round; i++)
			send_with(link, frame,
				  make(frame, VGPU_FRAME_REQUEST, 7, sequence++, msg, sizeof(msg)),
				  NULL, 0);
		send_with(link, frame, make_open(frame, round), fds, 2);
		for (unsigned i = 0; i < round; i++)
			send_with(link, frame,
				  make(frame, VGPU_FRAME_REQUEST, 7, sequence++, msg, sizeof(msg)),
				  NULL, 0);
		settle(link);
		assert_int_equal(link->opens, round);
		assert_int_equal(link->requests, sequence - 1);
		assert_int_equal(link->inode[0], inode_of(fds[0]));
		assert_int_equal(link->inode[1], inode_of(fds[1]));
		close_fds(fds, 2);
	}
}

/* 16 KiB are read at a time: the frame is cut there, and its descriptors come with the first part. */
static void descriptors_of_a_frame_that_is_cut_by_the_reader(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX], msg[VGPU_MSG_MAX] = { 1 };
	uint64_t sequence = 1;
	int fds[2];

	for (uint32_t rest = 1; rest < VGPU_FRAME_HEADER_LEN + 16; rest++) {
		size_t len = 0;

		if (link->windows == 0)
			give_window(link);
		make_fds(fds, 2);
		while (len < 16384 - rest) {
			uint32_t room = (uint32_t)(16384 - rest - len);
			uint32_t most = VGPU_FRAME_MAX, part = room < most ? room : most;

			/* The rest must be room for a frame, or nothing. */
			if (room > part && room - part <= VGPU_FRAME_HEADER_LEN)
				part -= 2 * VGPU_FRAME_HEADER_LEN;
			send_with(link, frame,
				  make(frame, VGPU_FRAME_REQUEST, 7, sequence++, msg,
				       part - VGPU_FRAME_HEADER_LEN),
				  NULL, 0);
			len += part;
		}
		send_with(link, frame, make_open(frame, 3), fds, 2);
		settle(link);
		assert_int_equal(link->ends, 0);
		assert_int_equal(link->opens, rest);
		assert_int_equal(link->requests, sequence - 1);
		assert_int_equal(link->inode[0], inode_of(fds[0]));
		assert_int_equal(link->inode[1], inode_of(fds[1]));
		close_fds(fds, 2);
	}
}

/* A sender may send a frame in parts, and its descriptors with any of them, or one with each. */
static void descriptors_of_a_frame_in_parts(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX];
	size_t len = make_open(frame, 3);
	int fds[2];

	give_window(link);
	for (unsigned round = 0; round < 6; round++) {
		make_fds(fds, 2);
		send_with(link, frame, 10, fds, round % 3);
		if (round < 3)
			settle(link); /* else the kernel has both parts when we read */
		send_with(link, frame + 10, len - 10, fds + round % 3, 2 - round % 3);
		settle(link);
		assert_int_equal(link->opens, round + 1);
		assert_int_equal(link->inode[0], inode_of(fds[0]));
		assert_int_equal(link->inode[1], inode_of(fds[1]));
		close_fds(fds, 2);
	}
}

/* count: of a CHANNEL_OPEN's descriptors, not 2. */
static void wrong_count(struct link *link, unsigned count)
{
	uint8_t frame[VGPU_FRAME_MAX];
	int fds[FDS_MOST];

	give_window(link);
	make_fds(fds, count);
	send_with(link, frame, make_open(frame, 3), fds, count);
	close_fds(fds, count);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->opens, 0);
}

static void no_descriptor(void **state)
{
	wrong_count(*state, 0);
}

static void one_too_few(void **state)
{
	wrong_count(*state, 1);
}

static void one_too_many(void **state)
{
	wrong_count(*state, 3);
}

static void two_too_many(void **state)
{
	wrong_count(*state, 4);
}

static void too_many_in_parts(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX];
	size_t len = make_open(frame, 3);
	int fds[4];

	give_window(link);
	make_fds(fds, 4);
	send_with(link, frame, 10, fds, 2);
	send_with(link, frame + 10, 10, fds + 2, 2);
	send_with(link, frame + 20, len - 20, NULL, 0);
	close_fds(fds, 4);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->opens, 0);
}

/* With another frame in the same sendmsg(), the descriptors are that one's. */
static void a_frame_that_is_not_sent_alone(void **state)
{
	struct link *link = *state;
	uint8_t bytes[2 * VGPU_FRAME_MAX], msg[40] = { 1 };
	size_t len = make_open(bytes, 3);
	int fds[2];

	give_window(link);
	len += make(bytes + len, VGPU_FRAME_REQUEST, 7, 1, msg, sizeof(msg));
	make_fds(fds, 2);
	send_with(link, bytes, len, fds, 2);
	close_fds(fds, 2);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->opens, 0);
}

static void a_descriptor_with_a_request(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX], msg[40] = { 1 };
	int fd;

	greet(link); /* also of a peer of version 1 */
	make_fds(&fd, 1);
	send_with(link, frame, make(frame, VGPU_FRAME_REQUEST, 7, 1, msg, sizeof(msg)), &fd, 1);
	close(fd);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->requests, 0);
}

static void a_descriptor_with_bytes_that_are_no_frame(void **state)
{
	struct link *link = *state;
	uint8_t bytes[VGPU_FRAME_HEADER_LEN];
	int fds[2];

	memset(bytes, 0xff, sizeof(bytes));
	greet_two(link);
	make_fds(fds, 2);
	send_with(link, bytes, sizeof(bytes), fds, 2);
	close_fds(fds, 2);
	settle(link);
	has_ended(link, PEER_BROKE);
}

static void hanging_up_within_a_frame_with_descriptors(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX];
	int fds[2];

	give_window(link);
	make_open(frame, 3);
	make_fds(fds, 2);
	send_with(link, frame, 10, fds, 2);
	close_fds(fds, 2);
	settle(link);
	close(link->device);
	link->device = -1;
	settle(link);
	has_ended(link, PEER_HUNG_UP);
}

static void a_window_from_a_peer_of_version_1(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX];
	int fd;

	greet(link);
	make_fds(&fd, 1);
	send_with(link, frame, make_window(frame), &fd, 1);
	close(fd);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->windows, 0);
}

/* The handler judged it: what came behind in the same bytes is ignored, descriptors too. */
static void a_peer_that_the_handler_breaks(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX];
	int fds[2];

	give_window(link);
	make_fds(fds, 2);
	send_with(link, frame, make_open(frame, 99), fds, 2);
	send_with(link, frame, make_open(frame, 4), fds, 2);
	close_fds(fds, 2);
	settle(link);
	has_ended(link, PEER_BROKE);
	assert_string_equal(link->why, "it names channel 99");
	assert_int_equal(link->opens, 1);
}

/* --- its end --- */

static void hanging_up_is_the_end(void **state)
{
	struct link *link = *state;

	greet(link);
	close(link->device);
	link->device = -1;
	settle(link);
	has_ended(link, PEER_HUNG_UP);
}

static void what_was_said_before_hanging_up_is_taken(void **state)
{
	struct link *link = *state;
	uint8_t frame[VGPU_FRAME_MAX], msg[40] = { 0 };
	size_t len = make(frame, VGPU_FRAME_REQUEST, 7, 1, msg, sizeof(msg));

	greet(link);
	peer_look(link->peer);
	assert_int_equal(link->ends, 0); /* it is still there */
	assert_int_equal(send(link->device, frame, len, 0), (ssize_t)len);
	close(link->device);
	link->device = -1;
	peer_look(link->peer); /* without a turn of the loop */
	assert_int_equal(link->requests, 1);
	has_ended(link, PEER_HUNG_UP);
}

static void bytes_that_are_no_frame(void **state)
{
	struct link *link = *state;
	uint8_t bytes[VGPU_FRAME_HEADER_LEN];

	memset(bytes, 0xff, sizeof(bytes));
	greet(link);
	say(link, bytes, sizeof(bytes));
	has_ended(link, PEER_BROKE);
}

static void a_frame_out_of_order(void **state)
{
	struct link *link = *state;

	say_frame(link, VGPU_FRAME_CANCEL, 7, 0, NULL, 0);
	has_ended(link, PEER_BROKE);
	assert_int_equal(link->cancels, 0);
}

static void another_vms_device_is_told_so(void **state)
{
	struct link *link = *state;
	char byte;

	say_hello(link, 8, VGPU_LINK_VERSION);
	has_ended(link, PEER_REFUSED);
	hears_hello(link, VGPU_ERR_DENIED);
	assert_int_equal(recv(link->device, &byte, 1, 0), 0);
}

static void a_device_of_another_version_is_told_so_whatever_else_it_says(void **state)
{
	struct link *link = *state;

	say_hello(link, 7, VGPU_LINK_VERSION_PROGRAMS + 1);
	say(link, "what is not read must not lose the HELLO", 8);
	has_ended(link, PEER_REFUSED);
	hears_hello(link, VGPU_ERR_BAD_VERSION);
}

static void answers_wait_for_a_slow_device_in_order(void **state)
{
	struct link *link = *state;
	uint8_t msg[VGPU_MSG_MAX] = { 0 };
	struct vgpu_frame_header h;
	const int small = 4096;
	int in_socket;
	uint64_t sequence;

	greet(link);
	assert_int_equal(setsockopt(link->socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (sequence = 1; sequence <= 40; sequence++)
		peer_send_response(link->peer, sequence, 0, msg, sizeof(msg));
	assert_int_equal(ioctl(link->device, FIONREAD, &in_socket), 0);
	assert_in_range(in_socket, 1, 39 * VGPU_FRAME_MAX); /* the others wait in the peer */
	for (sequence = 1; sequence <= 40; sequence++) {
		hear(link, &h);
		assert_true(h.sequence == sequence);
	}
	hears_nothing(link);
	assert_int_equal(link->ends, 0);
}

static void a_device_that_never_reads_is_closed(void **state)
{
	struct link *link = *state;
	uint8_t msg[VGPU_MSG_MAX] = { 0 };

	greet(link);
	for (uint64_t sequence = 1; link->peer != NULL; sequence++) {
		assert_in_range(sequence, 1, 100000);
		peer_send_response(link->peer, sequence, 0, msg, sizeof(msg));
		assert_non_null(link->peer); /* a send ends no one: its caller may use it still */
		settle(link);
	}
	has_ended(link, PEER_UNREAD);
	assert_non_null(strstr(link->why, "bytes of them wait here"));
}

static void waits_for_the_end(struct link *link)
{
	while (link->ends == 0)
		assert_int_not_equal(sd_event_run(link->event, PATIENCE_USEC), 0);
}

static void a_connection_that_never_says_hello(void **state)
{
	struct link *link = *state;

	waits_for_the_end(link);
	has_ended(link, PEER_SILENT);
}

static void a_frame_that_is_begun_and_not_ended(void **state)
{
	struct link *link = *state;

	greet(link);
	say(link, "\1", 1);
	waits_for_the_end(link);
	has_ended(link, PEER_BROKE);
}

/* The time is over, but what was awaited lies in the socket. */
static void what_lies_unread_came_in_time(void **state)
{
	const struct vgpu_frame_header hello_h = { .vm_id = 7,
						   .length = VGPU_HELLO_LEN,
						   .type = VGPU_FRAME_HELLO };
	uint8_t hello[VGPU_FRAME_HEADER_LEN + VGPU_HELLO_LEN] = { 0 }, frame[VGPU_FRAME_MAX];
	struct link *link = *state;
	size_t len = make(frame, VGPU_FRAME_CANCEL, 7, 0, NULL, 0);

	vgpu_frame_put_header(hello, &hello_h);
	vgpu_put_le32(hello + VGPU_FRAME_HEADER_LEN, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + VGPU_FRAME_HEADER_LEN + 4, VGPU_LINK_VERSION);
	assert_int_equal(send(link->device, hello, sizeof(hello), 0), sizeof(hello));
	on_time(NULL, 0, link->peer);
	assert_int_equal(link->greeted, 1);
	say(link, frame, 5);
	assert_int_equal(send(link->device, frame + 5, len - 5, 0), (ssize_t)len - 5);
	assert_int_equal(send(link->device, frame, 5, 0), 5); /* of the next one */
	on_time(NULL, 0, link->peer);
	assert_int_equal(link->cancels, 1);
	assert_int_equal(link->ends, 0);
	assert_int_equal(send(link->device, frame + 5, 1, 0), 1);
	on_time(NULL, 0, link->peer);
	has_ended(link, PEER_BROKE);
}

int main(void)
{
#define PEER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		PEER_TEST(a_greeting_is_answered_with_hello_and_config),
		PEER_TEST(a_config_tells_what_the_vm_is_now),
		PEER_TEST(requests_and_cancels_come_through),
		PEER_TEST(frames_may_be_cut_anywhere),
		PEER_TEST(a_response_goes_out_as_it_is),
		PEER_TEST(frames_of_version_2_come_through),
		PEER_TEST(descriptors_among_other_frames),
		PEER_TEST(descriptors_of_a_frame_that_is_cut_by_the_reader),
		PEER_TEST(descriptors_of_a_frame_in_parts),
		PEER_TEST(no_descriptor),
		PEER_TEST(one_too_few),
		PEER_TEST(one_too_many),
		PEER_TEST(two_too_many),
		PEER_TEST(too_many_in_parts),
		PEER_TEST(a_frame_that_is_not_sent_alone),
		PEER_TEST(a_descriptor_with_a_request),
		PEER_TEST(a_descriptor_with_bytes_that_are_no_frame),
		PEER_TEST(hanging_up_within_a_frame_with_descriptors),
		PEER_TEST(a_window_from_a_peer_of_version_1),
		PEER_TEST(a_peer_that_the_handler_breaks),
		PEER_TEST(hanging_up_is_the_end),
		PEER_TEST(what_was_said_before_hanging_up_is_taken),
		PEER_TEST(bytes_that_are_no_frame),
		PEER_TEST(a_frame_out_of_order),
		PEER_TEST(another_vms_device_is_told_so),
		PEER_TEST(a_device_of_another_version_is_told_so_whatever_else_it_says),
		PEER_TEST(answers_wait_for_a_slow_device_in_order),
		PEER_TEST(a_device_that_never_reads_is_closed),
		PEER_TEST(a_connection_that_never_says_hello),
		PEER_TEST(a_frame_that_is_begun_and_not_ended),
		PEER_TEST(what_lies_unread_came_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
