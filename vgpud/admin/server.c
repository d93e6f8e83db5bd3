/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - the admin socket, and which clients get a place at it */

#include "vgpud/admin/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sock.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "vgpud/admin/access.h"
#include "vgpud/admin/client.h"
#include "vgpud/admin/turn.h"
#include "vgpud/link/attached.h"

/*
 * Theory of operation: the number of clients is bounded. A quarter of the places is reserved for
 * administrators, so that readers cannot keep them out. One reader gets at most half of the other
 * places, so that it cannot keep out other readers. The last descriptors are reserved in the same
 * way (descriptors.h).
 *
 * The host's groups are looked up beside the loop, at the start and at a reload, never when a client
 * connects: a group database on the network may answer slowly.
 */

struct admin_server {
	struct admin_clients clients;
	struct admin_access access;
	int fd;
	sd_event_source *io;
	sd_event_source *pause; /* on while there are no descriptors left */
	uint64_t aged_ns;	/* admin_server_age() looked last */
	struct log_limit complaints;
	char path[SOCK_PATH_SIZE];
};

static void complain(struct admin_server *server, const char *what)
{
	unsigned held_back;

	if (log_limit_pass(&server->complaints, util_now_ns(), &held_back))
		log_warning("admin socket: %s", what);
}

void admin_server_set_access(struct admin_server *server, const struct admin_access *access)
{
	server->access = *access;
}

const struct admin_access *admin_server_access(const struct admin_server *server)
{
	return &server->access;
}

/* Return: whether there is a place for one more; else text says why not. */
static bool has_place(const struct admin_server *server, const struct ucred *peer,
		      enum admin_role role, char *text, size_t size)
{
	unsigned places = server->clients.conf->max_clients, for_readers = places - places / 4;
	const struct admin_client *client = TAILQ_FIRST(&server->clients.list);
	unsigned readers = 0, own = 0;

	for (; client != NULL; client = admin_client_next(client)) {
		bool reads = admin_client_role(client) == ADMIN_ROLE_READ;

		readers += reads;
		own += reads && admin_client_uid(client) == peer->uid;
	}
	text[0] = '\0';
	if (server->clients.num >= places)
		snprintf(text, size, "too many are connected: %u (max_clients)", places);
	else if (role == ADMIN_ROLE_READ && readers >= for_readers)
		snprintf(text, size, "too many readers are connected: %u of %u places", for_readers,
			 places);
	else if (role == ADMIN_ROLE_READ && own >= (for_readers + 1) / 2)
		snprintf(text, size, "uid %u has %u connections, and may have no more", peer->uid,
			 own);
	else if (role == ADMIN_ROLE_READ && !descriptors_left(server->fd, DESCRIPTORS_OF_ADMINS))
		snprintf(text, size, "no reader is let in: %s", DESCRIPTORS_REMEDY);
	return text[0] == '\0';
}

/* Takes fd over. Return: 0 or -errno. */
static int add_client(struct admin_server *server, int fd)
{
	char text[ADMIN_ACCESS_TEXT_SIZE];
	enum admin_role role;
	struct ucred peer;
	int err = admin_access_identify(&server->access, fd, &peer, &role);

	if (err != 0) {
		attached_hang_up(fd);
		return err;
	}
	/* A user without any role gets an error and takes no place. */
	if (role == ADMIN_ROLE_NONE) {
		admin_access_turned_away(server->clients.conf, peer.uid, text, sizeof(text));
		admin_client_refuse(fd, ADMIN_ERROR_DENIED, text);
		return 0;
	}
	if (!has_place(server, &peer, role, text, sizeof(text))) {
		complain(server, text);
		admin_client_refuse(fd, ADMIN_ERROR_REFUSED, text);
		return 0;
	}
	return admin_client_new(&server->clients, fd, &peer, role);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_server *server = arg;

	(void)source;
	(void)usec;
	sd_event_source_set_enabled(server->io, SD_EVENT_ON);
	return 0;
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct admin_server *server = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	admin_turn_lower(source);
	if (fd < 0) {
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
			return 0;
		complain(server,
			 "no descriptor or memory left for a client; trying again each second");
		sd_event_source_set_enabled(server->io, SD_EVENT_OFF);
		sd_event_source_set_time_relative(server->pause, UTIL_NS_PER_S / UTIL_NS_PER_US);
		sd_event_source_set_enabled(server->pause, SD_EVENT_ONESHOT);
	} else if (add_client(server, fd) < 0) {
		complain(server, "cannot serve a client: out of memory or descriptors");
	}
	return 0;
}

/* The pause is made now: when it is needed, there may be no memory for it. */
static int add_sources(struct admin_server *server)
{
	sd_event *event = server->clients.event;
	int err = sd_event_add_io(event, &server->io, server->fd, EPOLLIN, on_accept, server);

	if (err >= 0)
		err = sd_event_add_time(event, &server->pause, CLOCK_MONOTONIC, 0, 0, on_resume,
					server);
	if (err >= 0)
		err = sd_event_source_set_enabled(server->pause, SD_EVENT_OFF);
	return err < 0 ? err : admin_turn_lower(server->io);
}

int admin_server_open(struct admin_server **out, const struct admin_server_config *config)
{
	struct admin_server *server = calloc(1, sizeof(*server));
	int err;

	if (server == NULL)
		return -ENOMEM;
	server->clients = (struct admin_clients){
		.event = config->event,
		.conf = config->conf,
		.daemon = config->daemon,
		.handlers = config->handlers,
	};
	TAILQ_INIT(&server->clients.list);
	snprintf(server->path, sizeof(server->path), "%s", config->path);
	server->access = (struct admin_access){ ADMIN_ACCESS_NO_GROUP, ADMIN_ACCESS_NO_GROUP };
	/* Any user may connect: SO_PEERCRED decides, and a refusal can name the remedy. */
	server->fd = sock_listen(server->path, 0666);
	err = server->fd < 0 ? server->fd : add_sources(server);
	if (err < 0) {
		sd_event_source_disable_unref(server->pause);
		sd_event_source_disable_unref(server->io);
		if (server->fd >= 0)
			close(server->fd);
		free(server);
		return err;
	}
	*out = server;
	return 0;
}

void admin_server_age(struct admin_server *server, uint64_t now_ns)
{
	if (now_ns - server->aged_ns < ADMIN_TURN_NS)
		return;
	server->aged_ns = now_ns;
	admin_turn_raise(server->io);
	admin_clients_raise(&server->clients);
}

void admin_server_close(struct admin_server *server)
{
	while (!TAILQ_EMPTY(&server->clients.list))
		admin_client_free(TAILQ_FIRST(&server->clients.list));
	sd_event_source_disable_unref(server->pause);
	sd_event_source_disable_unref(server->io);
	unlink(server->path);
	close(server->fd);
	free(server);
}

unsigned admin_server_clients(const struct admin_server *server)
{
	return server->clients.num;
}
