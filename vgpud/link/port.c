/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.c - a VM's socket: the device in its QEMU connects to it, or is connected to */

#include "vgpud/link/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sock.h"
#include "proc/descriptors.h"
#include "vgpud/link/attached.h"
#include "vgpud/link/frames.h"
#include "vgpud/link/port_log.h"
#include "vgpud/link/refuse.h"

/*
 * Theory of operation: a port has one peer or none. A second device is told DENIED and closed; it
 * cannot displace the first. Before that, the port checks whether the first has hung up, so that a
 * restarted QEMU is not refused because of its own dead predecessor.
 *
 * A local tenant's port has up to peers_max peers, which are programs. One too many is told
 * TOO_MANY_PROGRAMS. They send no requests, so the request handler never hears of them.
 *
 * A refused connection lingers until it has been told why (refuse.h). Those that linger are bounded:
 * beyond that number, connections wait in the backlog, as they do when descriptors run short.
 *
 * When descriptors run short, devices wait in the backlog, so that administrators can still connect
 * (descriptors.h). The port looks again ten times a second: its socket is readable all the time, and
 * the loop would spin on a connection that it cannot accept.
 */

#define CONNECT_RETRY_USEC 1000000ull
#define ACCEPT_RETRY_USEC 100000ull /* while descriptors run short */

struct port {
	struct port_config config; /* but path */
	char path[SOCK_PATH_SIZE];
	int listen_fd; /* or -1 */
	sd_event_source *listen_io;
	sd_event_source *retry; /* connect, or accept, again; off while there is no need */
	TAILQ_HEAD(port_peer_list, port_peer) peers;
	unsigned peer_num; /* in the list */
	struct port_counts counts;
	struct port_log log;
};

/* The timer is made with the port: when it is needed, there may be no memory for one. */
static void retry_after(struct port *port, uint64_t usec)
{
	sd_event_source_set_time_relative(port->retry, usec);
	sd_event_source_set_enabled(port->retry, SD_EVENT_ONESHOT);
}

#define HELD_REASON "workers of programs that it had before have not ended yet"

/* Return: whether a device that comes now has to wait. */
static bool is_held(const struct port *port)
{
	return !port->config.vm.local && port->peer_num == 0 &&
	       port->config.programs->holds(port->config.programs_arg, port->config.handler_vm);
}

static unsigned peers_max(const struct port *port)
{
	return port->config.vm.local ? port->config.peers_max : 1;
}

static void count_and_say(struct port *port, enum peer_end end, const char *why)
{
	switch (end) {
	case PEER_HUNG_UP:
		break;
	case PEER_BROKE:
		port->counts.broke++;
		port_log_complain(&port->log, "closed the connection to its device: %s", why);
		break;
	case PEER_REFUSED:
		port->counts.refused++;
		port_log_complain(&port->log, "refused a device: %s", why);
		break;
	case PEER_SILENT:
		port->counts.refused++;
		port_log_complain(&port->log, "closed a connection that never said hello");
		break;
	case PEER_UNREAD:
		/* Not held back like complaints: no other line tells why this device is gone. */
		log_warning("%s: its device does not read its answers: %s; closing the connection",
			    port->config.name, why);
		break;
	}
}

/* --- events of the peer --- */

static void on_greeted(void *arg)
{
	struct port_peer *peer = arg;
	struct port *port = peer->port;

	port->counts.connects++;
	port_log_change(&port->log, true);
	if (!port->config.vm.local)
		port->config.handler->connected(port->config.arg, port->config.handler_vm);
}

static void on_request(void *arg, const struct vgpu_frame_header *h, const uint8_t *msg)
{
	struct port *port = ((struct port_peer *)arg)->port;

	port->config.handler->request(port->config.arg, port->config.handler_vm, h, msg);
}

static void on_cancel(void *arg, uint64_t sequence)
{
	struct port *port = ((struct port_peer *)arg)->port;

	port->config.handler->cancel(port->config.arg, port->config.handler_vm, sequence);
}

static void on_window(void *arg, const struct vgpu_window_frame *window, int fd)
{
	struct port_peer *peer = arg;
	const struct port_config *config = &peer->port->config;

	config->programs->window(config->programs_arg, config->handler_vm, peer, window, fd);
}

static void on_channel_open(void *arg, const struct vgpu_channel_open *open, const int *fds)
{
	struct port_peer *peer = arg;
	const struct port_config *config = &peer->port->config;

	config->programs->channel_open(config->programs_arg, peer, open, fds);
}

static void on_channel_close(void *arg, uint32_t channel)
{
	struct port_peer *peer = arg;
	const struct port_config *config = &peer->port->config;

	config->programs->channel_close(config->programs_arg, peer, channel);
}

static void on_runstate(void *arg, bool running)
{
	struct port_peer *peer = arg;
	const struct port_config *config = &peer->port->config;

	peer->stopped = !running;
	if (peer->tenant != NULL)
		config->programs->runstate(config->programs_arg, peer);
}

/* Frees the connection, and tells the programs' handler. */
static void drop_peer(struct port_peer *peer)
{
	struct port *port = peer->port;

	if (peer->tenant != NULL)
		port->config.programs->gone(port->config.programs_arg, peer);
	TAILQ_REMOVE(&port->peers, peer, link);
	port->peer_num--;
	peer_free(peer->peer);
	free(peer);
}

static void on_ended(void *arg, enum peer_end end, const char *why)
{
	struct port_peer *peer = arg;
	struct port *port = peer->port;
	bool was_connected = peer_greeted(peer->peer);

	count_and_say(port, end, why);
	drop_peer(peer);
	if (!port->config.listen)
		retry_after(port, CONNECT_RETRY_USEC);
	if (!was_connected)
		return;
	port_log_change(&port->log, false);
	if (!port->config.vm.local)
		port->config.handler->gone(port->config.arg, port->config.handler_vm);
}

static const struct peer_handler peer_handler = {
	.greeted = on_greeted,
	.request = on_request,
	.cancel = on_cancel,
	.window = on_window,
	.channel_open = on_channel_open,
	.channel_close = on_channel_close,
	.runstate = on_runstate,
	.ended = on_ended,
};

/* fd: becomes the peer's. Return: 0 or -errno. */
static int add_peer(struct port *port, int fd)
{
	struct port_peer *peer = calloc(1, sizeof(*peer));
	int err;

	if (peer == NULL) {
		attached_hang_up(fd);
		return -ENOMEM;
	}
	peer->port = port;
	err = peer_new(&peer->peer, port->config.event, fd, &port->config.vm, &peer_handler, peer);
	if (err < 0) {
		free(peer);
		return err;
	}
	TAILQ_INSERT_TAIL(&port->peers, peer, link);
	port->peer_num++;
	return 0;
}

/* Ends the peers that have hung up. */
static void look_at_peers(struct port *port)
{
	struct port_peer *peer, *next;

	for (peer = TAILQ_FIRST(&port->peers); peer != NULL; peer = next) {
		next = TAILQ_NEXT(peer, link);
		peer_look(peer->peer);
	}
}

/* Return: whether all are there that may be, without those that have hung up. */
static bool peers_max_reached(struct port *port)
{
	if (port->peer_num >= peers_max(port))
		look_at_peers(port);
	return port->peer_num >= peers_max(port);
}

/* --- listening --- */

static void refuse_one_more(struct port *port, int fd)
{
	uint8_t frame[VGPU_FRAME_MAX];
	uint32_t status = VGPU_ERR_DENIED;

	port->counts.refused++;
	if (port->config.vm.local) {
		status = VGPU_END_TOO_MANY_PROGRAMS;
		port_log_complain(
			&port->log,
			"refused a program: %u are connected already (vgpuadm set-max-programs)",
			port->peer_num);
	} else {
		port_log_complain(&port->log, "refused a second device: one is connected already");
	}
	refuse_connection(port->config.event, fd, frame,
			  frames_hello(frame, &port->config.vm, status));
}

/*
 * There is no descriptor for the device that connects. It stays in the backlog, for which epoll
 * would wake the loop without end, so the socket is not watched for a while.
 */
static void accept_later(struct port *port, const char *why)
{
	port_log_complain(&port->log, "cannot accept a device: %s", why);
	sd_event_source_set_enabled(port->listen_io, SD_EVENT_OFF);
	retry_after(port, ACCEPT_RETRY_USEC);
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct port *port = arg;
	int fd;

	(void)source;
	(void)revents;
	if (!descriptors_left(listen_fd, DESCRIPTORS_OF_HOST)) {
		accept_later(port, DESCRIPTORS_REMEDY "; it waits until another one has gone");
		return 0;
	}
	if (is_held(port)) {
		accept_later(port, HELD_REASON);
		return 0;
	}
	if (peers_max_reached(port) && !refuse_has_room()) {
		accept_later(port, "many are being refused already");
		return 0;
	}
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* After any other error the device has hung up before it was accepted. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			accept_later(port, strerror(errno));
		return 0;
	}
	if (peers_max_reached(port))
		refuse_one_more(port, fd);
	else if (add_peer(port, fd) < 0)
		port_log_complain(&port->log,
				  "cannot serve a device: out of memory or descriptors");
	return 0;
}

static int start_listening(struct port *port)
{
	int err;

	if (!descriptors_left(sd_event_get_fd(port->config.event), DESCRIPTORS_OF_HOST))
		return -EMFILE;
	/* The right to connect is the VM's identity: only owner and group, QEMU's user, have it. */
	port->listen_fd = sock_listen(port->path, 0660);
	if (port->listen_fd < 0)
		return port->listen_fd;
	err = sd_event_add_io(port->config.event, &port->listen_io, port->listen_fd, EPOLLIN,
			      on_accept, port);
	if (err >= 0 && port->config.held)
		err = sd_event_source_set_enabled(port->listen_io, SD_EVENT_OFF);
	return err;
}

/* --- connecting --- */

static void try_to_connect(struct port *port)
{
	int fd = -EMFILE;

	if (is_held(port))
		port_log_complain(&port->log, "does not connect to its device: " HELD_REASON);
	else if (descriptors_left(sd_event_get_fd(port->config.event), DESCRIPTORS_OF_HOST))
		fd = sock_connect(port->path);
	else
		port_log_complain(&port->log, "cannot connect to its device: " DESCRIPTORS_REMEDY
					      "; trying again each second");
	if (fd < 0 || add_peer(port, fd) < 0)
		retry_after(port, CONNECT_RETRY_USEC);
}

/* --- its life --- */

static int on_retry(sd_event_source *source, uint64_t usec, void *arg)
{
	struct port *port = arg;

	(void)source;
	(void)usec;
	if (port->config.listen)
		sd_event_source_set_enabled(port->listen_io, SD_EVENT_ON);
	else
		try_to_connect(port);
	return 0;
}

static int add_retry(struct port *port)
{
	int err = sd_event_add_time(port->config.event, &port->retry, CLOCK_MONOTONIC, 0, 0,
				    on_retry, port);

	return err < 0 ? err : sd_event_source_set_enabled(port->retry, SD_EVENT_OFF);
}

int port_open(struct port **out, const struct port_config *config)
{
	struct port *port = calloc(1, sizeof(*port));
	int err;

	if (port == NULL)
		return -ENOMEM;
	port->config = *config;
	port->listen_fd = -1;
	TAILQ_INIT(&port->peers);
	port->log = (struct port_log){ .event = config->event,
				       .name = config->name,
				       .of_programs = config->vm.local };
	err = snprintf(port->path, sizeof(port->path), "%s", config->path);
	err = (size_t)err >= sizeof(port->path) ? -ENAMETOOLONG : add_retry(port);
	if (err >= 0 && config->listen)
		err = start_listening(port);
	else if (err >= 0 && !config->held)
		retry_after(port, 0);
	if (err < 0) {
		port_close(port);
		return err;
	}
	*out = port;
	return 0;
}

void port_begin(struct port *port)
{
	if (!port->config.held)
		return;
	port->config.held = false;
	if (port->config.listen)
		sd_event_source_set_enabled(port->listen_io, SD_EVENT_ON);
	else
		retry_after(port, 0);
}

void port_close(struct port *port)
{
	struct port_peer *peer;

	if (port == NULL)
		return;
	while ((peer = TAILQ_FIRST(&port->peers)) != NULL)
		drop_peer(peer);
	sd_event_source_disable_unref(port->retry);
	port_log_end(&port->log);
	sd_event_source_disable_unref(port->listen_io);
	if (port->listen_fd >= 0) {
		unlink(port->path);
		close(port->listen_fd);
	}
	free(port);
}

const char *port_path(const struct port *port)
{
	return port->path;
}

bool port_listens(const struct port *port)
{
	return port->config.listen;
}

unsigned port_peers(const struct port *port)
{
	const struct port_peer *peer;
	unsigned num = 0;

	if (port == NULL)
		return 0;
	TAILQ_FOREACH(peer, &port->peers, link)
		num += peer_greeted(peer->peer);
	return num;
}

bool port_connected(const struct port *port)
{
	return port_peers(port) > 0;
}

void port_set_peers_max(struct port *port, unsigned peers_max)
{
	port->config.peers_max = peers_max;
}

const struct port_counts *port_counts(const struct port *port)
{
	return &port->counts;
}

/* --- to the device --- */

void port_send_config(struct port *port, uint8_t pool, uint8_t priority)
{
	const struct port_peer *peer;

	port->config.vm.pool = pool;
	port->config.vm.priority = priority;
	TAILQ_FOREACH(peer, &port->peers, link)
		if (peer_greeted(peer->peer))
			peer_send_config(peer->peer);
}

void port_send_response(struct port *port, uint64_t sequence, uint32_t request_id,
			const uint8_t *msg, uint32_t len_bytes)
{
	peer_send_response(TAILQ_FIRST(&port->peers)->peer, sequence, request_id, msg, len_bytes);
}
