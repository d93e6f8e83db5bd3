/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - the administrator's socket: who may say what, one JSON object a line */

#include "vgpud/admin/server.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sock.h"
#include "common/util.h"
#include "proc/descriptors.h"
#include "proc/spawn.h"
#include "vgpud/admin/line.h"
#include "vgpud/admin/query.h"

/*
 * Theory of operation: a client's lines are answered one after the other. The next line is looked
 * at when the answer to the last has been taken off our hands, so what one client can make us keep
 * is one line and one answer. A query's answer is written by another process straight into the
 * client's socket; until that process has ended we only watch whether the client is still there.
 *
 * Everything that a client can hold is bounded: its line, its answer, how long it may take from one
 * whole line to the next and to take an answer, and how many clients there are. A quarter of the
 * places is for those who may change things, so that readers keep no administrator out, and one
 * reader has at most half of the others, so that it keeps out no other reader. Likewise the last
 * descriptors: devices, workers and readers leave them (descriptors.h).
 *
 * The host's groups are looked up at the start and at a reload, never when a client comes: where
 * they are in a directory on the network, an answer may take long.
 */

#define OUT_MAX (16u << 20) /* bytes of one answer */
#define FLUSH_AT 65536u
#define GROUPS_MAX 256
#define NO_GROUP ((gid_t)-1)

struct admin_client {
	TAILQ_ENTRY(admin_client) link;
	struct admin_server *server;
	int fd;
	sd_event_source *io;
	sd_event_source *idle;
	struct ucred peer;
	enum admin_role role;
	struct admin_call *call; /* being answered */
	bool in_lines;		 /* take_lines() is on the stack */
	bool at_end;		 /* it sends nothing more */
	bool full;		 /* its socket takes nothing more until the loop says so */
	size_t in_len;
	size_t out_len, out_size;
	char *out;
	char in[ADMIN_LINE_MAX];
};

struct admin_server {
	struct admin_server_config config;
	int fd;
	sd_event_source *io;
	sd_event_source *pause;	   /* while there are no descriptors left */
	gid_t admin_gid, read_gid; /* NO_GROUP: there is no such group */
	unsigned clients_num;
	TAILQ_HEAD(admin_client_list, admin_client) clients;
	struct log_limit complaints;
	char path[SOCK_PATH_SIZE];
};

static void take_lines(struct admin_client *client);

static const struct conf *conf_of(const struct admin_server *server)
{
	return server->config.conf;
}

/* --- the end of a client --- */

static void client_free(struct admin_client *client)
{
	struct admin_call *call = client->call;

	TAILQ_REMOVE(&client->server->clients, client, link);
	client->server->clients_num--;
	sd_event_source_disable_unref(client->idle);
	sd_event_source_disable_unref(client->io);
	close(client->fd);
	free(client->out);
	free(client);
	if (call == NULL)
		return;
	call->client = NULL;
	if (call->gone != NULL)
		call->gone(call);
}

/* --- to the client --- */

static void watch(struct admin_client *client)
{
	uint32_t events = 0;

	if (client->out_len > 0)
		events |= EPOLLOUT;
	else if (client->call == NULL)
		events |= EPOLLIN;
	sd_event_source_set_io_events(client->io, events);
}

/* Return: 0, or -errno: the client has gone. */
static int flush(struct admin_client *client)
{
	ssize_t sent;

	if (client->out_len == 0)
		return 0;
	sent = send(client->fd, client->out, client->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	client->full = sent < 0 && errno == EAGAIN;
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->out_len -= (size_t)sent;
	memmove(client->out, client->out + sent, client->out_len);
	return 0;
}

/* Keeps bytes to be sent. A client for whom there is no room is shut; the loop then finds it. */
static void put(struct admin_client *client, const char *bytes, size_t len)
{
	size_t needed = client->out_len + len;

	if (needed > client->out_size) {
		size_t size = needed < FLUSH_AT ? FLUSH_AT : needed * 2;
		char *out = needed > OUT_MAX ? NULL : realloc(client->out, size);

		if (out == NULL) {
			shutdown(client->fd, SHUT_RDWR);
			return;
		}
		client->out = out;
		client->out_size = size;
	}
	memcpy(client->out + client->out_len, bytes, len);
	client->out_len = needed;
	if (client->out_len < FLUSH_AT || client->full)
		return; /* trying for each piece of a long answer would take seconds */
	if (flush(client) < 0)
		shutdown(client->fd, SHUT_RDWR);
	else if (client->full)
		watch(client);
}

static int put_json(const char *bytes, size_t len, void *client)
{
	put(client, bytes, len);
	return 0;
}

/* Takes object over. */
static void put_object(struct admin_client *client, json_t *object)
{
	json_dump_callback(object, put_json, client, JSON_COMPACT);
	put(client, "\n", 1);
	json_decref(object);
}

/* --- calls --- */

const char *admin_arg(const struct admin_call *call, const char *key)
{
	return json_string_value(json_object_get(call->args, key));
}

bool admin_flag(const struct admin_call *call, const char *key)
{
	return json_is_true(json_object_get(call->args, key));
}

void admin_row(struct admin_call *call, json_t *row)
{
	call->rows++;
	if (call->client != NULL)
		put_object(call->client, json_pack("{s:I, s:o}", "id", call->id, "row", row));
	else
		json_decref(row);
}

/* Frees the call and lets the client's next line be looked at. */
static void call_free(struct admin_call *call)
{
	struct admin_client *client = call->client;

	json_decref(call->args);
	free(call);
	if (client == NULL)
		return;
	client->call = NULL;
	if (!client->in_lines)
		take_lines(client);
}

void admin_end(struct admin_call *call, json_t *extra)
{
	if (extra == NULL)
		extra = json_object();
	json_object_set_new(extra, "rows", json_integer(call->rows));
	if (call->client != NULL)
		put_object(call->client, json_pack("{s:I, s:o}", "id", call->id, "end", extra));
	else
		json_decref(extra);
	call_free(call);
}

static const char *error_code(enum admin_error error)
{
#define ADMIN_ERROR_CASE(name, text, status) \
	case ADMIN_ERROR_##name:             \
		return text;
	switch (error) {
		ADMIN_ERROR_TABLE(ADMIN_ERROR_CASE)
	case ADMIN_OK:
		break;
	}
#undef ADMIN_ERROR_CASE
	return "refused";
}

static json_t *error_object(json_int_t id, enum admin_error error, const char *text)
{
	return json_pack("{s:I, s:{s:s, s:s}}", "id", id, "error", "code", error_code(error),
			 "text", text);
}

void admin_fail(struct admin_call *call, enum admin_error error, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (call->client != NULL)
		put_object(call->client, error_object(call->id, error, text));
	call_free(call);
}

/* --- a query's process --- */

static int on_query_exit(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct admin_call *call = arg;

	sd_event_source_set_floating(source, false); /* which drops the last reference */
	if (call->client != NULL && (si->si_code != CLD_EXITED || si->si_status != 0)) {
		log_warning("the process of a query ended by %s %d",
			    si->si_code == CLD_EXITED ? "status" : "signal", si->si_status);
		/* Its answer may be cut off in the middle of a line: nothing can follow it. */
		shutdown(call->client->fd, SHUT_RDWR);
	}
	return 0;
}

/* The process has ended, or nobody will see it end as the daemon itself does. */
static void on_query_forgotten(void *arg)
{
	call_free(arg);
}

static void kill_query(struct admin_call *call)
{
	kill((pid_t)(intptr_t)call->data, SIGKILL);
}

void admin_hand_over(struct admin_call *call, const char *query)
{
	sd_event_source *child = NULL;
	pid_t pid;
	int err = -EPIPE;

	if (call->client != NULL) {
		const struct spawn_fd client = { QUERY_SOCKET, call->client->fd };

		err = spawn_start(&pid, SPAWN_QUERY, query, &client, 1);
	}
	if (err == 0) {
		err = sd_event_add_child(call->client->server->config.event, &child, pid, WEXITED,
					 on_query_exit, call);
		if (err < 0)
			spawn_abandon(pid);
	}
	if (err < 0 || child == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "cannot start a process for the query: %s",
			   strerror(-err));
		return;
	}
	/* From here on the loop owns the call, until the process ends or the loop does. */
	sd_event_source_set_destroy_callback(child, on_query_forgotten);
	sd_event_source_set_floating(child, true);
	sd_event_source_unref(child);
	call->data = (void *)(intptr_t)pid;
	call->gone = kill_query;
}

/* --- from the client --- */

/* " (usermod -aG GROUP USER, then log in again)", nothing where there is no such group to join. */
static void describe_group(const char *group, char *out, size_t size)
{
	out[0] = '\0';
	if (group[0] != '\0')
		snprintf(out, size, " (usermod -aG %s USER, then log in again)", group);
}

/* What a client without the role is told. */
static void deny(struct admin_call *call, const struct admin_cmd *cmd)
{
	const char *group = cmd->role == ADMIN_ROLE_CHANGE
				    ? conf_of(call->client->server)->admin_group
				    : conf_of(call->client->server)->read_group;
	char help[160];

	describe_group(group, help, sizeof(help));
	admin_fail(call, ADMIN_ERROR_DENIED, "%s: uid %u may not: it takes root%s%s%s", cmd->name,
		   call->peer.uid, group[0] != '\0' ? " or the group " : "", group, help);
}

static void run_call(struct admin_call *call, const struct admin_line *line)
{
	admin_handler *const *handlers = call->client->server->config.handlers;
	char why[512];

	if (line->cmd < 0 || handlers[line->cmd] == NULL) {
		admin_fail(call, ADMIN_ERROR_USAGE, "%s: no such command", line->name);
		return;
	}
	call->cmd = (enum admin_cmd_id)line->cmd;
	if (call->client->role < admin_cmds[line->cmd].role)
		deny(call, &admin_cmds[line->cmd]);
	else if (admin_line_check(&admin_cmds[line->cmd], call->args, why, sizeof(why)) != 0)
		admin_fail(call, ADMIN_ERROR_USAGE, "%s", why);
	else
		handlers[line->cmd](call);
}

/* line: len bytes, without the newline. */
static void take_line(struct admin_client *client, const char *line, size_t len)
{
	struct admin_call *call = calloc(1, sizeof(*call));
	struct admin_line parsed;

	if (call == NULL) {
		shutdown(client->fd, SHUT_RDWR);
		return;
	}
	client->call = call;
	call->client = client;
	call->daemon = client->server->config.daemon;
	call->peer = client->peer;
	if (admin_line_read(line, len, &parsed) == 0) {
		call->id = parsed.id;
		call->args = parsed.args;
		run_call(call, &parsed);
	} else {
		call->id = parsed.id;
		admin_fail(call, ADMIN_ERROR_USAGE,
			   "expected a line {\"id\":NUMBER,\"cmd\":\"NAME\",\"args\":{...}}");
	}
}

/* Starts the client's idle time anew. */
static void expect_activity(struct admin_client *client)
{
	uint64_t usec = conf_of(client->server)->idle_timeout_s * UTIL_NS_PER_S / UTIL_NS_PER_US;

	sd_event_source_set_time_relative(client->idle, usec);
	sd_event_source_set_enabled(client->idle, SD_EVENT_ONESHOT);
}

/* Answers lines as long as there are whole ones and nothing is under way. */
static void take_lines(struct admin_client *client)
{
	client->in_lines = true;
	while (client->call == NULL && flush(client) == 0 && client->out_len == 0) {
		char *newline = memchr(client->in, '\n', client->in_len);
		size_t len;

		if (newline == NULL)
			break;
		len = (size_t)(newline - client->in) + 1;
		expect_activity(client); /* a part of a line is none */
		take_line(client, client->in, len - 1);
		client->in_len -= len;
		memmove(client->in, client->in + len, client->in_len);
	}
	client->in_lines = false;
	watch(client);
}

/* Return: whether the client stays. */
static bool client_read(struct admin_client *client)
{
	ssize_t len = recv(client->fd, client->in + client->in_len,
			   sizeof(client->in) - client->in_len, MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	if (len == 0)
		client->at_end = true;
	client->in_len += (size_t)len;
	take_lines(client);
	if (client->in_len < sizeof(client->in))
		return true;
	put_object(client, error_object(0, ADMIN_ERROR_USAGE, "the line is too long"));
	flush(client);
	return false;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct admin_client *client = arg;
	bool stays = true;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT) {
		stays = flush(client) == 0;
		if (stays && client->out_len == 0)
			take_lines(client);
	}
	if (stays && (revents & EPOLLIN))
		stays = client_read(client);
	else if (revents & (EPOLLHUP | EPOLLERR))
		stays = false;
	if (stays && client->at_end && client->call == NULL && client->out_len == 0)
		stays = false;
	if (!stays)
		client_free(client);
	return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_client *client = arg;

	(void)source;
	(void)usec;
	if (client->call != NULL && client->out_len == 0) /* it waits for us, or follows */
		expect_activity(client);
	else
		client_free(client);
	return 0;
}

/* --- who is it --- */

static void complain(struct admin_server *server, const char *what)
{
	unsigned held_back;

	if (log_limit_pass(&server->complaints, util_now_ns(), &held_back))
		log_warning("admin socket: %s", what);
}

static gid_t find_group(const char *name)
{
	const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;

	return group != NULL ? group->gr_gid : NO_GROUP;
}

void admin_server_find_groups(struct admin_server *server)
{
	server->admin_gid = find_group(conf_of(server)->admin_group);
	server->read_gid = find_group(conf_of(server)->read_group);
}

static bool in_group(gid_t group, gid_t primary, const gid_t *groups, size_t groups_num)
{
	if (group == NO_GROUP)
		return false;
	if (group == primary)
		return true;
	for (size_t i = 0; i < groups_num; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Fills in peer and role. Return: 0 or -errno. */
static int identify(struct admin_client *client)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(client->peer);
	size_t groups_num = 0;

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &size) < 0)
		return -errno;
	size = sizeof(groups);
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		groups_num = size / sizeof(groups[0]);
	client->role = ADMIN_ROLE_NONE;
	if (client->peer.uid == 0 || client->peer.uid == geteuid() ||
	    in_group(client->server->admin_gid, client->peer.gid, groups, groups_num))
		client->role = ADMIN_ROLE_CHANGE;
	else if (in_group(client->server->read_gid, client->peer.gid, groups, groups_num))
		client->role = ADMIN_ROLE_READ;
	return 0;
}

/* Who may not even read is told so, and not kept: nobody's connections take nobody's place. */
static void turn_away(struct admin_client *client)
{
	const struct conf *conf = conf_of(client->server);
	char text[320], help[160], reads[80] = "";

	if (conf->read_group[0] != '\0')
		snprintf(reads, sizeof(reads), ", or to read, the group %s", conf->read_group);
	describe_group(conf->read_group[0] != '\0' ? conf->read_group : conf->admin_group, help,
		       sizeof(help));
	snprintf(text, sizeof(text), "uid %u may not talk to vgpud: it takes root%s%s%s%s",
		 client->peer.uid, conf->admin_group[0] != '\0' ? ", the group " : "",
		 conf->admin_group, reads, help);
	put_object(client, error_object(0, ADMIN_ERROR_DENIED, text));
	flush(client);
}

/*
 * Return: whether there is a place for the client, which is counted already; else it was told.
 */
static bool has_place(struct admin_client *client)
{
	struct admin_server *server = client->server;
	unsigned places = conf_of(server)->max_clients, for_readers = places - places / 4;
	unsigned readers = 0, own = 0;
	const struct admin_client *other;
	char text[160] = "";

	TAILQ_FOREACH(other, &server->clients, link) {
		readers += other->role == ADMIN_ROLE_READ;
		own += other->role == ADMIN_ROLE_READ && other->peer.uid == client->peer.uid;
	}
	if (server->clients_num > places)
		snprintf(text, sizeof(text), "too many are connected: %u (max_clients)", places);
	else if (client->role == ADMIN_ROLE_READ && readers > for_readers)
		snprintf(text, sizeof(text), "too many readers are connected: %u of %u places",
			 for_readers, places);
	else if (client->role == ADMIN_ROLE_READ && own > (for_readers + 1) / 2)
		snprintf(text, sizeof(text), "uid %u has %u connections, and may have no more",
			 client->peer.uid, own - 1);
	else if (client->role == ADMIN_ROLE_READ &&
		 !descriptors_left(client->fd, DESCRIPTORS_OF_ADMINS))
		snprintf(text, sizeof(text), "no reader is let in: %s", DESCRIPTORS_REMEDY);
	if (text[0] == '\0')
		return true;
	complain(server, text);
	put_object(client, error_object(0, ADMIN_ERROR_REFUSED, text));
	flush(client);
	return false;
}

static void greet(struct admin_client *client)
{
	const struct conf *conf = conf_of(client->server);

	put_object(client,
		   json_pack("{s:s, s:i, s:i, s:s, s:I, s:s, s:s}", "vgpud", VGPU_VERSION,
			     "protocol", ADMIN_PROTOCOL_VERSION, "schema", ADMIN_SCHEMA_VERSION,
			     "role", client->role == ADMIN_ROLE_CHANGE ? "change" : "read", "uid",
			     (json_int_t)client->peer.uid, "runtime_dir", conf->runtime_dir,
			     "state_dir", conf->state_dir));
	take_lines(client);
}

/* Takes fd over. Return: 0 or -errno. */
static int add_client(struct admin_server *server, int fd)
{
	struct admin_client *client = calloc(1, sizeof(*client));
	uint64_t idle_usec = conf_of(server)->idle_timeout_s * UTIL_NS_PER_S / UTIL_NS_PER_US;
	int err;

	if (client == NULL) {
		close(fd);
		return -ENOMEM;
	}
	client->server = server;
	client->fd = fd;
	TAILQ_INSERT_TAIL(&server->clients, client, link);
	server->clients_num++;
	err = identify(client);
	if (err == 0 && client->role == ADMIN_ROLE_NONE) {
		turn_away(client);
		client_free(client);
		return 0;
	}
	if (err == 0 && !has_place(client)) {
		client_free(client);
		return 0;
	}
	if (err == 0)
		err = sd_event_add_io(server->config.event, &client->io, fd, EPOLLIN, on_client,
				      client);
	if (err >= 0)
		err = sd_event_add_time_relative(server->config.event, &client->idle,
						 CLOCK_MONOTONIC, idle_usec,
						 UTIL_NS_PER_S / UTIL_NS_PER_US, on_idle, client);
	if (err < 0) {
		client_free(client);
		return err;
	}
	greet(client);
	return 0;
}

/* --- connections --- */

static int on_resume(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_server *server = arg;

	(void)source;
	(void)usec;
	server->pause = sd_event_source_disable_unref(server->pause);
	sd_event_source_set_enabled(server->io, SD_EVENT_ON);
	return 0;
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct admin_server *server = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (fd < 0) {
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
			return 0;
		complain(server,
			 "no descriptor or memory left for a client; trying again each second");
		sd_event_source_set_enabled(server->io, SD_EVENT_OFF);
		sd_event_add_time_relative(server->config.event, &server->pause, CLOCK_MONOTONIC,
					   UTIL_NS_PER_S / UTIL_NS_PER_US, 0, on_resume, server);
	} else if (add_client(server, fd) < 0) {
		complain(server, "cannot serve a client: out of memory or descriptors");
	}
	return 0;
}

int admin_server_open(struct admin_server **out, const struct admin_server_config *config)
{
	struct admin_server *server = calloc(1, sizeof(*server));
	int err;

	if (server == NULL)
		return -ENOMEM;
	server->config = *config;
	TAILQ_INIT(&server->clients);
	snprintf(server->path, sizeof(server->path), "%s", config->path);
	admin_server_find_groups(server);
	/* Anybody may knock: SO_PEERCRED decides, and a denial can say what would help. */
	server->fd = sock_listen(server->path, 0666);
	err = server->fd < 0 ? server->fd
			     : sd_event_add_io(config->event, &server->io, server->fd, EPOLLIN,
					       on_accept, server);
	if (err < 0) {
		if (server->fd >= 0)
			close(server->fd);
		free(server);
		return err;
	}
	*out = server;
	return 0;
}

void admin_server_close(struct admin_server *server)
{
	while (!TAILQ_EMPTY(&server->clients))
		client_free(TAILQ_FIRST(&server->clients));
	sd_event_source_disable_unref(server->pause);
	sd_event_source_disable_unref(server->io);
	unlink(server->path);
	close(server->fd);
	free(server);
}

unsigned admin_server_clients(const struct admin_server *server)
{
	return server->clients_num;
}
