/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - one device's connection: bytes in, frames out */

#include "vgpud/link/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/wire/vgpu_frame.h"
#include "vgpud/link/attached.h"
#include "vgpud/link/frames.h"
#include "vgpud/link/refuse.h"
#include "vgpud/link/session.h"

/*
 * Theory of operation: bytes go through the frame parser, frames through the session, and this file
 * does what the session says. Nothing blocks: bytes that the socket does not take are kept, up to
 * OUT_MAX. A device that lets more pile up does not read its answers and is closed. A device may be
 * silent for as long as it likes, but not in the middle of a frame.
 *
 * Descriptors belong to the frame in which the last of the bytes lies that they came with
 * (attached.h). They wait in the peer until that frame is whole. A frame that then has more or fewer
 * than its type needs ends the connection.
 *
 * The handler's ended() may free the peer. Therefore it is called last in each event. A function
 * that may find the end returns whether the peer stays; after a false the peer must not be touched.
 */

#define OUT_MAX (64u * 1024) /* bytes kept for a peer that does not read */
#define IN_CHUNK 16384	     /* bytes taken at a time */
#define HELLO_TIMEOUT_USEC 5000000ull
#define FRAME_TIMEOUT_USEC 5000000ull /* from a frame's first byte to its last */

struct peer {
	int fd; /* -1: refuse_connection() has it */
	sd_event *event;
	const struct frames_vm *vm;
	const struct peer_handler *handler;
	void *arg;
	sd_event_source *io;
	sd_event_source *hello_timer; /* until it said hello */
	sd_event_source *frame_timer; /* NULL, or on while a frame lacks some bytes */
	bool late;		      /* its time is over */
	bool greeted;
	struct session session;
	struct vgpu_frame_parser parser;
	struct attached attached; /* to the frame in the parser */
	struct ucred who;
	uint8_t *out; /* OUT_MAX bytes, NULL until the socket is full for the first time */
	uint32_t out_len;
	const char *broke; /* why peer_break() was called, or NULL */
	char unread[96];   /* why sending has failed; "" while it works */
};

/* Return: false, the peer does not stay. */
static bool end(struct peer *peer, enum peer_end how, const char *why)
{
	peer->handler->ended(peer->arg, how, why);
	return false;
}

/* --- to the peer --- */

/* Return: bytes that the socket took, 0 if it is full, -errno if the peer has gone. */
static ssize_t send_some(struct peer *peer, const uint8_t *bytes, uint32_t len)
{
	ssize_t sent = send(peer->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* Keeps what the socket did not take. Return: 0, -ENOBUFS too much, -ENOMEM. */
static int keep(struct peer *peer, const uint8_t *bytes, uint32_t len)
{
	if (peer->out == NULL && (peer->out = malloc(OUT_MAX)) == NULL)
		return -ENOMEM;
	if (len > OUT_MAX - peer->out_len)
		return -ENOBUFS;
	memcpy(peer->out + peer->out_len, bytes, len);
	peer->out_len += len;
	return sd_event_source_set_io_events(peer->io, EPOLLIN | EPOLLOUT);
}

static void note_unread(struct peer *peer, uint32_t unsent_bytes, int err)
{
	if (err == -ENOBUFS)
		snprintf(peer->unread, sizeof(peer->unread),
			 "%u bytes of them wait here, behind a full socket, and no more are kept",
			 unsent_bytes);
	else
		snprintf(peer->unread, sizeof(peer->unread), "%u bytes of them cannot be kept: %s",
			 unsent_bytes, strerror(-err));
}

/*
 * A failed send does not end the peer here, where a caller is still working with it: the socket is
 * shut down, and the loop then finds the end.
 */
static void peer_send(struct peer *peer, const uint8_t *bytes, uint32_t len)
{
	ssize_t sent = 0;
	int err = 0;

	if (peer->out_len == 0)
		sent = send_some(peer, bytes, len);
	if (sent >= 0 && (uint32_t)sent < len)
		err = keep(peer, bytes + sent, len - (uint32_t)sent);
	if (sent >= 0 && err >= 0)
		return;
	if (err < 0 && peer->unread[0] == '\0')
		note_unread(peer, peer->out_len + len - (uint32_t)sent, err);
	peer->out_len = 0;
	shutdown(peer->fd, SHUT_RDWR);
}

void peer_send_config(struct peer *peer)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer_send(peer, frame, frames_config(frame, peer->vm));
}

void peer_send_response(struct peer *peer, uint64_t sequence, uint32_t request_id,
			const uint8_t *msg, uint32_t len_bytes)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer_send(peer, frame,
		  frames_response(frame, peer->vm, sequence, request_id, msg, len_bytes));
}

void peer_send_window_status(struct peer *peer, bool ready, enum vgpu_end error)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer_send(peer, frame, frames_window_status(frame, peer->vm, ready, error));
}

void peer_send_channel_status(struct peer *peer, uint32_t channel, enum vgpu_channel_state state,
			      enum vgpu_end error)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer_send(peer, frame, frames_channel_status(frame, peer->vm, channel, state, error));
}

/* --- from the peer --- */

static void greet(struct peer *peer)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer->hello_timer = sd_event_source_disable_unref(peer->hello_timer);
	peer->greeted = true;
	peer_send(peer, frame, frames_hello(frame, peer->vm, VGPU_ERR_OK));
	peer_send_config(peer);
	peer->handler->greeted(peer->arg);
}

/* Return: whether the peer stays. */
static bool refuse(struct peer *peer, enum vgpu_error status, const char *why)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer->io = sd_event_source_disable_unref(peer->io);
	refuse_connection(peer->event, peer->fd, frame, frames_hello(frame, peer->vm, status));
	peer->fd = -1;
	return end(peer, PEER_REFUSED, why);
}

/*
 * A frame for programs. Its descriptors are the handler's from now on.
 * Return: whether the session's step was one of these.
 */
static bool take_program_frame(struct peer *peer, const struct session_step *step)
{
	switch (step->act) {
	case SESSION_WINDOW:
		peer->attached.num = 0;
		peer->handler->window(peer->arg, &step->window, peer->attached.fds[0]);
		return true;
	case SESSION_OPEN_ONE:
		peer->attached.num = 0;
		peer->handler->channel_open(peer->arg, &step->channel, peer->attached.fds);
		return true;
	case SESSION_CLOSE_ONE:
		peer->handler->channel_close(peer->arg, step->channel.channel);
		return true;
	case SESSION_RUNSTATE:
		peer->handler->runstate(peer->arg, step->running);
		return true;
	default:
		return false;
	}
}

/* Return: whether the peer stays. */
static bool take_frame(struct peer *peer)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(&peer->parser, &h);
	struct session_step step;

	if (peer->attached.num != vgpu_frame_fds(h.type))
		return end(peer, PEER_BROKE,
			   "a frame came without its descriptor, or with one too many");
	step = session_frame(&peer->session, &h, payload);
	if (take_program_frame(peer, &step))
		return true;
	switch (step.act) {
	case SESSION_GREET:
		greet(peer);
		break;
	case SESSION_SUBMIT:
		peer->handler->request(peer->arg, &h, payload);
		break;
	case SESSION_CANCEL:
		peer->handler->cancel(peer->arg, h.sequence);
		break;
	case SESSION_REFUSE:
		return refuse(peer, step.status, step.why);
	case SESSION_CLOSE:
		return end(peer, PEER_BROKE, step.why);
	default:
		attached_close(&peer->attached);
		break;
	}
	return true;
}

static int on_frame_timeout(sd_event_source *source, uint64_t usec, void *arg);

/* A frame has begun and lacks some bytes: starts the time limit for the rest. */
static void expect_rest(struct peer *peer)
{
	int on = SD_EVENT_OFF;

	if (!peer->greeted || peer->parser.have == 0)
		return;
	if (peer->frame_timer == NULL) {
		sd_event_add_time_relative(peer->event, &peer->frame_timer, CLOCK_MONOTONIC,
					   FRAME_TIMEOUT_USEC, 0, on_frame_timeout, peer);
		return;
	}
	sd_event_source_get_enabled(peer->frame_timer, &on);
	if (on != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(peer->frame_timer, FRAME_TIMEOUT_USEC);
	sd_event_source_set_enabled(peer->frame_timer, SD_EVENT_ONESHOT);
}

/* The parser's frame is whole. Return: whether the peer stays. */
static bool end_frame(struct peer *peer)
{
	if (peer->frame_timer != NULL)
		sd_event_source_set_enabled(peer->frame_timer, SD_EVENT_OFF);
	peer->late = false;
	return take_frame(peer);
}

/*
 * Takes what one recvmsg() gave.
 * with: descriptors, which belong to the frame that has the last of the bytes; empty afterwards.
 * Return: whether the peer stays.
 */
static bool take_bytes(struct peer *peer, const uint8_t *bytes, uint32_t len, struct attached *with)
{
	enum vgpu_frame_result result;
	uint32_t used;

	for (; len > 0; bytes += used, len -= used) {
		result = vgpu_frame_feed(&peer->parser, bytes, len, &used);
		if (used == len && result != VGPU_FRAME_BAD &&
		    !attached_move(&peer->attached, with))
			return end(peer, PEER_BROKE, "a frame has a descriptor too many");
		if (result == VGPU_FRAME_MORE) {
			expect_rest(peer);
			return true;
		}
		if (result == VGPU_FRAME_READY && end_frame(peer))
			continue;
		attached_close(with);
		return result == VGPU_FRAME_BAD ? end(peer, PEER_BROKE, "a frame is malformed")
						: false;
	}
	return true;
}

/* The connection has ended. Return: whether the peer stays. */
static bool hung_up(struct peer *peer)
{
	if (peer->broke != NULL)
		return end(peer, PEER_BROKE, peer->broke);
	if (peer->unread[0] != '\0') /* we shut it down ourselves */
		return end(peer, PEER_UNREAD, peer->unread);
	return end(peer, PEER_HUNG_UP, NULL);
}

/* Return: whether the peer stays. */
static bool peer_read(struct peer *peer)
{
	uint8_t bytes[IN_CHUNK];
	struct attached with;
	ssize_t len = attached_receive(peer->fd, bytes, sizeof(bytes), &with);

	if (len > 0)
		return take_bytes(peer, bytes, (uint32_t)len, &with);
	if (len == -EAGAIN || len == -EINTR)
		return true;
	if (len == -E2BIG)
		return end(peer, PEER_BROKE,
			   "more descriptors came with a frame than it may have, or than are left");
	return hung_up(peer);
}

/* Return: whether the peer stays. */
static bool peer_write(struct peer *peer)
{
	ssize_t sent = send_some(peer, peer->out, peer->out_len);

	if (sent < 0)
		return hung_up(peer);
	peer->out_len -= (uint32_t)sent;
	memmove(peer->out, peer->out + sent, peer->out_len);
	if (peer->out_len > 0 || sd_event_source_set_io_events(peer->io, EPOLLIN) >= 0)
		return true;
	return hung_up(peer);
}

static int on_peer(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct peer *peer = arg;

	(void)source;
	(void)fd;
	if ((revents & EPOLLOUT) && peer->out_len > 0 && !peer_write(peer))
		return 0;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		peer_read(peer);
	return 0;
}

/* What came while the loop itself was held up is in time. */
static int on_frame_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct peer *peer = arg;

	(void)source;
	(void)usec;
	peer->late = true;
	if (peer_read(peer) && peer->late)
		end(peer, PEER_BROKE, "a frame was begun and not ended");
	return 0;
}

static int on_hello_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct peer *peer = arg;

	(void)source;
	(void)usec;
	if (peer_read(peer) && !peer->greeted)
		end(peer, PEER_SILENT, "it never said hello");
	return 0;
}

static bool has_hung_up(const struct peer *peer)
{
	struct pollfd at_end = { .fd = peer->fd, .events = 0 };

	return poll(&at_end, 1, 0) == 1;
}

/*
 * The socket reports the other end's close even while it still holds bytes. Those are taken first;
 * they are bounded by the socket's buffer, since no more can come.
 */
void peer_look(struct peer *peer)
{
	while (has_hung_up(peer))
		if (!peer_read(peer))
			return;
}

/* --- its life --- */

static void find_who(struct peer *peer)
{
	socklen_t len = sizeof(peer->who);

	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &peer->who, &len) < 0)
		peer->who = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
}

int peer_new(struct peer **out, sd_event *event, int fd, const struct frames_vm *vm,
	     const struct peer_handler *handler, void *arg)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int err;

	if (peer == NULL) {
		attached_hang_up(fd);
		return -ENOMEM;
	}
	peer->fd = fd;
	peer->event = event;
	peer->vm = vm;
	peer->handler = handler;
	peer->arg = arg;
	session_init(&peer->session, vm->id, vm->local);
	find_who(peer);
	err = sd_event_add_io(event, &peer->io, fd, EPOLLIN, on_peer, peer);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &peer->hello_timer, CLOCK_MONOTONIC,
						 HELLO_TIMEOUT_USEC, 0, on_hello_timeout, peer);
	if (err < 0) {
		peer_free(peer);
		return err;
	}
	*out = peer;
	return 0;
}

void peer_free(struct peer *peer)
{
	sd_event_source_disable_unref(peer->hello_timer);
	sd_event_source_disable_unref(peer->frame_timer);
	sd_event_source_disable_unref(peer->io);
	if (peer->fd >= 0)
		attached_hang_up(peer->fd);
	attached_close(&peer->attached);
	free(peer->out);
	free(peer);
}

void peer_break(struct peer *peer, const char *why)
{
	if (peer->broke == NULL)
		peer->broke = why;
	peer->session.state = SESSION_CLOSED;
	shutdown(peer->fd, SHUT_RDWR);
}

const struct ucred *peer_who(const struct peer *peer)
{
	return &peer->who;
}

uint32_t peer_version(const struct peer *peer)
{
	return peer->greeted ? peer->session.version : 0;
}

bool peer_greeted(const struct peer *peer)
{
	return peer->greeted;
}
