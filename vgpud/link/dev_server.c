/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dev_server.c - the sockets that QEMU's devices connect to, one for each VM */

#include "vgpud/link/dev_server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sock.h"
#include "common/util.h"
#include "common/wire/vgpu_frame.h"
#include "proc/descriptors.h"
#include "vgpud/link/dev_door.h"
#include "vgpud/link/dev_refuse.h"
#include "vgpud/link/session.h"

/*
 * Theory of operation: bytes go through the frame parser, frames through the session, and what the
 * session says is done here. Nothing waits: what the socket does not take is kept, up to OUT_MAX
 * bytes; a peer that lets more than that pile up is closed, since a device has no use for answers
 * that it does not read. A device may be silent for as long as it likes, but not in the middle of a
 * frame.
 *
 * Where descriptors run short, those who come wait at the door until another one goes
 * (dev_door.h), so that administrators can still come in (descriptors.h).
 *
 * A second peer is told DENIED and closed. It cannot displace the first; but the first is looked at
 * before, so that a QEMU that was just restarted does not find its own dead predecessor there.
 */

#define OUT_MAX (64u * 1024) /* bytes kept for a peer that does not read */
#define IN_CHUNK 16384	     /* bytes taken at a time */
#define HELLO_TIMEOUT_USEC 5000000ull
#define FRAME_TIMEOUT_USEC 5000000ull /* from a frame's first byte to its last */
#define CONNECT_RETRY_USEC 1000000ull

struct dev_peer {
	int fd; /* -1: dev_refuse() has it */
	sd_event_source *io;
	sd_event_source *hello_timer; /* until it said hello */
	sd_event_source *frame_timer; /* NULL, or on while a frame lacks some bytes */
	bool greeted;		      /* it did */
	struct session session;
	struct vgpu_frame_parser parser;
	uint8_t *out; /* OUT_MAX bytes, NULL until the socket is full for the first time */
	uint32_t out_len;
};

struct dev_port {
	struct vm *vm;
	sd_event *event;
	const struct dev_handler *handler;
	void *arg;
	bool listens;
	int listen_fd; /* or -1 */
	sd_event_source *listen_io;
	struct dev_door door;
	sd_event_source *timer; /* connect again */
	struct dev_peer *peer;
	struct log_limit complaints;
	struct log_flood comings; /* and goings */
	sd_event_source *sum;	  /* of them, is told when it fires; or NULL */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void connect_later(struct dev_port *port);

__attribute__((format(printf, 2, 3))) static void complain(struct dev_port *port,
							   const char *format, ...)
{
	unsigned held_back;
	char text[256];
	va_list args;

	if (!log_limit_pass(&port->complaints, util_now_ns(), &held_back))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (held_back > 0)
		log_warning("%s: %s (and %u more messages)", port->vm->name, text, held_back);
	else
		log_warning("%s: %s", port->vm->name, text);
}

static int on_sum(sd_event_source *source, uint64_t usec, void *arg)
{
	struct dev_port *port = arg;
	unsigned over_s, times = log_flood_sum(&port->comings, util_now_ns(), &over_s);

	(void)source;
	(void)usec;
	port->sum = sd_event_source_disable_unref(port->sum);
	log_info("%s: its device connected or disconnected %u times more in the last %u s, and is "
		 "%s now",
		 port->vm->name, times, over_s,
		 dev_port_connected(port->vm) ? "connected" : "not connected");
	return 0;
}

/* Whoever connects and hangs up in a circle does not fill the log with that. */
static void say_comes_or_goes(struct dev_port *port, const char *what)
{
	if (log_flood_pass(&port->comings, util_now_ns()))
		log_info("%s: its device %s", port->vm->name, what);
	else if (port->sum == NULL)
		sd_event_add_time(port->event, &port->sum, CLOCK_MONOTONIC,
				  log_flood_due_ns(&port->comings) / UTIL_NS_PER_US, 0, on_sum,
				  port);
}

static void peer_free(struct dev_peer *peer)
{
	sd_event_source_disable_unref(peer->hello_timer);
	sd_event_source_disable_unref(peer->frame_timer);
	sd_event_source_disable_unref(peer->io);
	if (peer->fd >= 0) {
		close(peer->fd);
		dev_door_freed();
	}
	free(peer->out);
	free(peer);
}

/* Ends the connection and, if it was one, the session. */
static void drop_peer(struct dev_port *port)
{
	bool had_said_hello = dev_port_connected(port->vm);

	peer_free(port->peer);
	port->peer = NULL;
	if (!port->listens)
		connect_later(port);
	if (!had_said_hello)
		return;
	say_comes_or_goes(port, "disconnected");
	port->handler->gone(port->arg, port->vm);
}

/* --- to the peer --- */

/* Return: bytes that the socket took, 0 if it is full, -errno if the peer has gone. */
static ssize_t send_some(struct dev_peer *peer, const uint8_t *bytes, uint32_t len)
{
	ssize_t sent = send(peer->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* Keeps what the socket did not take. Return: 0, -ENOBUFS too much, -ENOMEM. */
static int keep(struct dev_peer *peer, const uint8_t *bytes, uint32_t len)
{
	if (peer->out == NULL && (peer->out = malloc(OUT_MAX)) == NULL)
		return -ENOMEM;
	if (len > OUT_MAX - peer->out_len)
		return -ENOBUFS;
	memcpy(peer->out + peer->out_len, bytes, len);
	peer->out_len += len;
	return sd_event_source_set_io_events(peer->io, EPOLLIN | EPOLLOUT);
}

/* Not held back as complaints are: it is the one line that tells why the device is then gone. */
static void say_unsent(const struct dev_port *port, uint32_t unsent_bytes, int err)
{
	if (err == -ENOBUFS)
		log_warning("%s: its device does not read its answers: %u bytes of them wait here, "
			    "behind a full socket, and no more are kept; closing the connection",
			    port->vm->name, unsent_bytes);
	else
		log_warning("%s: cannot keep %u bytes of answers that its device has not read yet: "
			    "%s; closing the connection",
			    port->vm->name, unsent_bytes, strerror(-err));
}

/*
 * A send that fails does not drop the peer here, deep inside of a caller's work: the shut socket
 * makes the loop find it.
 */
static void peer_send(struct dev_port *port, const uint8_t *bytes, uint32_t len)
{
	struct dev_peer *peer = port->peer;
	ssize_t sent = 0;
	int err = 0;

	if (peer->out_len == 0)
		sent = send_some(peer, bytes, len);
	if (sent >= 0 && (uint32_t)sent < len)
		err = keep(peer, bytes + sent, len - (uint32_t)sent);
	if (sent < 0 || err < 0) {
		if (err < 0)
			say_unsent(port, peer->out_len + len - (uint32_t)sent, err);
		peer->out_len = 0;
		shutdown(peer->fd, SHUT_RDWR);
	}
}

/* frame: VGPU_FRAME_MAX bytes. Return: bytes of the frame. */
static uint32_t make_frame(uint8_t *frame, const struct vm *vm, uint8_t type, uint64_t sequence,
			   uint32_t request_id, const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = vm->id,
		.request_id = request_id,
		.length = len,
		.pool_id = (uint8_t)('A' + vm->sched.pool),
		.priority = vm->sched.priority,
		.type = type,
		.sequence = sequence,
	};

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	return VGPU_FRAME_HEADER_LEN + len;
}

static uint32_t make_hello(uint8_t *frame, const struct vm *vm, enum vgpu_error status)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 8, status);
	return make_frame(frame, vm, VGPU_FRAME_HELLO, 0, 0, hello, sizeof(hello));
}

void dev_port_send_config(struct vm *vm)
{
	uint8_t config[VGPU_CONFIG_LEN] = { 0 };
	uint8_t frame[VGPU_FRAME_MAX];

	if (!dev_port_connected(vm))
		return;
	vgpu_put_le32(config, vm->id);
	vgpu_put_le32(config + 4, (uint32_t)('A' + vm->sched.pool));
	vgpu_put_le32(config + 8, vm->sched.priority);
	peer_send(vm->port, frame,
		  make_frame(frame, vm, VGPU_FRAME_CONFIG, 0, 0, config, sizeof(config)));
}

void dev_port_send_response(struct vm *vm, uint64_t sequence, uint32_t request_id,
			    const uint8_t *msg, uint32_t len_bytes)
{
	uint8_t frame[VGPU_FRAME_MAX];

	peer_send(vm->port, frame,
		  make_frame(frame, vm, VGPU_FRAME_RESPONSE, sequence, request_id, msg, len_bytes));
}

/* --- from the peer --- */

/* Return: whether the peer stays. */
static bool take_frame(struct dev_port *port)
{
	uint8_t frame[VGPU_FRAME_MAX];
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(&port->peer->parser, &h);
	struct session_step step = session_frame(&port->peer->session, &h, payload);

	switch (step.act) {
	case SESSION_IGNORE:
		break;
	case SESSION_GREET:
		port->peer->hello_timer = sd_event_source_disable_unref(port->peer->hello_timer);
		port->peer->greeted = true;
		port->vm->figures.connects++;
		peer_send(port, frame, make_hello(frame, port->vm, VGPU_ERR_OK));
		dev_port_send_config(port->vm);
		say_comes_or_goes(port, "connected");
		port->handler->connected(port->arg, port->vm);
		break;
	case SESSION_SUBMIT:
		port->handler->request(port->arg, port->vm, &h, payload);
		break;
	case SESSION_CANCEL:
		port->handler->cancel(port->arg, port->vm, h.sequence);
		break;
	case SESSION_REFUSE:
		port->vm->figures.refused_peers++;
		complain(port, "refused a device: %s", step.why);
		port->peer->io = sd_event_source_disable_unref(port->peer->io);
		dev_refuse(port->event, port->peer->fd, frame,
			   make_hello(frame, port->vm, step.status));
		port->peer->fd = -1;
		return false;
	case SESSION_CLOSE:
		port->vm->figures.bad_frames++;
		complain(port, "closed the connection to its device: %s", step.why);
		return false;
	}
	return true;
}

static int on_frame_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct dev_port *port = arg;

	(void)source;
	(void)usec;
	port->vm->figures.bad_frames++;
	complain(port, "closed the connection to its device: a frame was begun and not ended");
	drop_peer(port);
	return 0;
}

/* The last frame that was begun lacks some bytes: from now on there is a bound for the rest. */
static void expect_rest(struct dev_port *port)
{
	struct dev_peer *peer = port->peer;
	int on = SD_EVENT_OFF;

	if (!peer->greeted || peer->parser.have == 0)
		return;
	if (peer->frame_timer == NULL) {
		sd_event_add_time_relative(port->event, &peer->frame_timer, CLOCK_MONOTONIC,
					   FRAME_TIMEOUT_USEC, 0, on_frame_timeout, port);
		return;
	}
	sd_event_source_get_enabled(peer->frame_timer, &on);
	if (on != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(peer->frame_timer, FRAME_TIMEOUT_USEC);
	sd_event_source_set_enabled(peer->frame_timer, SD_EVENT_ONESHOT);
}

/* Return: whether the peer stays. */
static bool take_bytes(struct dev_port *port, const uint8_t *bytes, uint32_t len)
{
	while (len > 0) {
		uint32_t used;

		switch (vgpu_frame_feed(&port->peer->parser, bytes, len, &used)) {
		case VGPU_FRAME_BAD:
			port->vm->figures.bad_frames++;
			complain(port, "closed the connection to its device: a frame is malformed");
			return false;
		case VGPU_FRAME_MORE:
			expect_rest(port);
			return true;
		case VGPU_FRAME_READY:
			if (port->peer->frame_timer != NULL)
				sd_event_source_set_enabled(port->peer->frame_timer, SD_EVENT_OFF);
			if (!take_frame(port))
				return false;
			break;
		}
		bytes += used;
		len -= used;
	}
	return true;
}

/* Return: whether the peer stays. */
static bool peer_read(struct dev_port *port)
{
	uint8_t bytes[IN_CHUNK];
	ssize_t len = recv(port->peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	return len > 0 && take_bytes(port, bytes, (uint32_t)len);
}

/* Return: whether the peer stays. */
static bool peer_write(struct dev_port *port)
{
	struct dev_peer *peer = port->peer;
	ssize_t sent = send_some(peer, peer->out, peer->out_len);

	if (sent < 0)
		return false;
	peer->out_len -= (uint32_t)sent;
	memmove(peer->out, peer->out + sent, peer->out_len);
	return peer->out_len > 0 || sd_event_source_set_io_events(peer->io, EPOLLIN) >= 0;
}

static int on_peer(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct dev_port *port = arg;
	bool stays = true;

	(void)source;
	(void)fd;
	if ((revents & EPOLLOUT) && port->peer->out_len > 0)
		stays = peer_write(port);
	if (stays && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		stays = peer_read(port);
	if (!stays)
		drop_peer(port);
	return 0;
}

static int on_hello_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct dev_port *port = arg;

	(void)source;
	(void)usec;
	port->vm->figures.refused_peers++;
	complain(port, "closed a connection that never said hello");
	drop_peer(port);
	return 0;
}

/* --- connections --- */

/* Takes fd over, whatever the result. Return: 0 or -errno. */
static int add_peer(struct dev_port *port, int fd)
{
	struct dev_peer *peer = calloc(1, sizeof(*peer));
	int err;

	if (peer == NULL) {
		close(fd);
		return -ENOMEM;
	}
	peer->fd = fd;
	session_init(&peer->session, port->vm->id);
	err = sd_event_add_io(port->event, &peer->io, fd, EPOLLIN, on_peer, port);
	if (err >= 0)
		err = sd_event_add_time_relative(port->event, &peer->hello_timer, CLOCK_MONOTONIC,
						 HELLO_TIMEOUT_USEC, 0, on_hello_timeout, port);
	if (err < 0) {
		peer_free(peer);
		return err;
	}
	port->peer = peer;
	return 0;
}

/* Tells the one at the door that somebody is in already. */
static void refuse_second(struct dev_port *port, int fd)
{
	uint8_t frame[VGPU_FRAME_MAX];

	port->vm->figures.refused_peers++;
	complain(port, "refused a second device: one is connected already");
	dev_refuse(port->event, fd, frame, make_hello(frame, port->vm, VGPU_ERR_DENIED));
}

/* There is no descriptor for the one who came. */
static void shut_door(struct dev_port *port, const char *why)
{
	complain(port, "cannot accept a device: %s; it waits until another one has gone", why);
	dev_door_shut(&port->door, port->listen_io);
}

static bool has_hung_up(const struct dev_peer *peer)
{
	struct pollfd end = { .fd = peer->fd, .events = 0 };

	return poll(&end, 1, 0) == 1;
}

/*
 * Drops a peer that has gone, at once: its socket says so even while there are still bytes in it,
 * which are read first, and are not many, as there will be no more.
 */
static void drop_if_gone(struct dev_port *port)
{
	bool stays = true;

	while (stays && has_hung_up(port->peer))
		stays = peer_read(port);
	if (!stays)
		drop_peer(port);
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct dev_port *port = arg;
	int fd;

	(void)source;
	(void)revents;
	if (!descriptors_left(listen_fd, DESCRIPTORS_OF_HOST)) {
		shut_door(port, DESCRIPTORS_REMEDY);
		return 0;
	}
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			shut_door(port, strerror(errno));
		return 0;
	}
	if (port->peer != NULL)
		drop_if_gone(port);
	if (port->peer != NULL)
		refuse_second(port, fd);
	else if (add_peer(port, fd) < 0)
		complain(port, "cannot serve a device: out of memory or descriptors");
	return 0;
}

static int on_connect(sd_event_source *source, uint64_t usec, void *arg)
{
	struct dev_port *port = arg;
	int fd = -EMFILE;

	(void)source;
	(void)usec;
	port->timer = sd_event_source_disable_unref(port->timer);
	if (descriptors_left(sd_event_get_fd(port->event), DESCRIPTORS_OF_HOST))
		fd = sock_connect(port->path);
	else
		complain(port, "cannot connect to its device: " DESCRIPTORS_REMEDY
			       "; trying again each second");
	if (fd < 0 || add_peer(port, fd) < 0)
		connect_later(port);
	return 0;
}

static void connect_later(struct dev_port *port)
{
	sd_event_add_time_relative(port->event, &port->timer, CLOCK_MONOTONIC, CONNECT_RETRY_USEC,
				   0, on_connect, port);
}

static int start_listening(struct dev_port *port)
{
	if (!descriptors_left(sd_event_get_fd(port->event), DESCRIPTORS_OF_HOST))
		return -EMFILE;
	/* Whoever may connect is the VM: QEMU's user gets there by owner or group, nobody else. */
	port->listen_fd = sock_listen(port->path, 0660);
	if (port->listen_fd < 0)
		return port->listen_fd;
	return sd_event_add_io(port->event, &port->listen_io, port->listen_fd, EPOLLIN, on_accept,
			       port);
}

int dev_port_open(struct vm *vm, sd_event *event, const char *path, bool listen,
		  const struct dev_handler *handler, void *arg)
{
	struct dev_port *port = calloc(1, sizeof(*port));
	int err;

	if (port == NULL)
		return -ENOMEM;
	port->vm = vm;
	port->event = event;
	port->handler = handler;
	port->arg = arg;
	port->listens = listen;
	port->listen_fd = -1;
	vm->port = port;
	err = snprintf(port->path, sizeof(port->path), "%s", path);
	if ((size_t)err >= sizeof(port->path))
		err = -ENAMETOOLONG;
	else if (listen)
		err = start_listening(port);
	else
		err = sd_event_add_time_relative(event, &port->timer, CLOCK_MONOTONIC, 0, 0,
						 on_connect, port);
	if (err < 0) {
		dev_port_close(vm);
		return err;
	}
	return 0;
}

void dev_port_close(struct vm *vm)
{
	struct dev_port *port = vm->port;

	if (port == NULL)
		return;
	if (port->peer != NULL)
		peer_free(port->peer);
	dev_door_drop(&port->door);
	sd_event_source_disable_unref(port->timer);
	sd_event_source_disable_unref(port->sum);
	sd_event_source_disable_unref(port->listen_io);
	if (port->listen_fd >= 0) {
		unlink(port->path);
		close(port->listen_fd);
		dev_door_freed();
	}
	free(port);
	vm->port = NULL;
}

bool dev_port_connected(const struct vm *vm)
{
	return vm->port != NULL && vm->port->peer != NULL && vm->port->peer->greeted;
}

const char *dev_port_path(const struct vm *vm)
{
	return vm->port->path;
}

bool dev_port_listens(const struct vm *vm)
{
	return vm->port->listens;
}
