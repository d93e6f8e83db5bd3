/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - one connection to the admin socket: lines in, answers out */

#include "vgpud/admin/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/admin/access.h"
#include "vgpud/admin/line.h"
#include "vgpud/admin/turn.h"
#include "vgpud/link/attached.h"

/*
 * Theory of operation: a client's lines are answered one after the other. The next line is read
 * when the client has taken the last answer, so vgpud keeps at most one line and one answer for a
 * client. Another process writes a query's answer straight into the client's socket; until that
 * process has ended, vgpud only watches whether the client is still there.
 *
 * The loop serves VMs in between: a dispatch answers one line, or makes one part of a long answer.
 * The rest follows in later turns, which readers get as their budget allows (budget.h). All of it has a
 * priority below the devices' (turn.h), but not for ever: one busy guest could else keep every
 * administrator out.
 *
 * Everything that a client can hold is bounded: its line, its answer, the time from one whole line
 * to the next, and the time to take an answer.
 */

#define OUT_MAX (16u << 20) /* bytes of an answer's rows that wait for the client */
#define FLUSH_AT 65536u

struct admin_client {
	TAILQ_ENTRY(admin_client) link;
	struct admin_clients *clients;
	int fd;
	sd_event_source *io;
	sd_event_source *idle;
	sd_event_source *turn; /* on while there is work without new input */
	struct ucred peer;
	enum admin_role role;
	struct admin_call *call; /* being answered */
	bool at_end;		 /* it sends nothing more */
	bool full;		 /* its socket takes nothing more until the loop says so */
	size_t in_len;
	size_t out_len, out_size;
	char *out;
	char in[ADMIN_LINE_MAX];
};

/* --- the end of a client --- */

void admin_client_free(struct admin_client *client)
{
	struct admin_call *call = client->call;

	TAILQ_REMOVE(&client->clients->list, client, link);
	client->clients->num--;
	sd_event_source_disable_unref(client->turn);
	sd_event_source_disable_unref(client->idle);
	sd_event_source_disable_unref(client->io);
	attached_hang_up(client->fd);
	free(client->out);
	free(client);
	if (call == NULL)
		return;
	call->client = NULL;
	if (call->gone != NULL)
		call->gone(call);
}

/* --- the next step --- */

/* Return: bytes of the first whole line, newline included; 0: there is none. */
static size_t whole_line(const struct admin_client *client)
{
	const char *newline = memchr(client->in, '\n', client->in_len);

	return newline != NULL ? (size_t)(newline - client->in) + 1 : 0;
}

/* Return: whether the client has all its answers and has closed its sending side. */
static bool is_done(const struct admin_client *client)
{
	return client->at_end && client->call == NULL && client->out_len == 0 &&
	       whole_line(client) == 0;
}

/* Return: whether a turn has work: a line, the next part of an answer, the end. */
static bool wants_turn(const struct admin_client *client)
{
	if (client->out_len > 0)
		return false;
	if (client->call != NULL)
		return client->call->part != NULL;
	return client->at_end || whole_line(client) > 0;
}

static uint64_t turn_due_ns(const struct admin_client *client)
{
	return client->role == ADMIN_ROLE_CHANGE
		       ? 0
		       : admin_budget_due_ns(&client->clients->budget, client->peer.uid);
}

/* Sets what the loop waits for. Each function that changes the client's state ends with it. */
static void watch(struct admin_client *client)
{
	bool turn = wants_turn(client);
	uint32_t events = 0;

	if (client->out_len > 0)
		events |= EPOLLOUT;
	else if (client->call == NULL && !turn)
		events |= EPOLLIN;
	sd_event_source_set_io_events(client->io, events);
	if (turn)
		sd_event_source_set_time(client->turn, turn_due_ns(client) / UTIL_NS_PER_US);
	sd_event_source_set_enabled(client->turn, turn ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* --- to the client --- */

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

/* Without memory for its answer, a client's socket is shut down; the loop then ends it. */
static void put(struct admin_client *client, const char *bytes, size_t len)
{
	size_t needed = client->out_len + len;

	if (needed > client->out_size) {
		size_t size = needed < FLUSH_AT ? FLUSH_AT : needed * 2;
		char *out = realloc(client->out, size);

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

static bool has_room(const struct admin_client *client)
{
	return client->out_len <= OUT_MAX;
}

static sd_event *event_of(const struct admin_client *client)
{
	return client->clients->event;
}

static int fd_of(const struct admin_client *client)
{
	return client->fd;
}

static void shut(struct admin_client *client)
{
	shutdown(client->fd, SHUT_RDWR);
}

static void want_part(struct admin_client *client)
{
	watch(client);
}

static void answered(struct admin_client *client)
{
	client->call = NULL;
	if (flush(client) < 0)
		shutdown(client->fd, SHUT_RDWR);
	watch(client);
}

static const struct admin_client_ops ops = {
	.put = put,
	.has_room = has_room,
	.event = event_of,
	.fd = fd_of,
	.shut = shut,
	.part = want_part,
	.answered = answered,
};

/* --- from the client --- */

static void deny(struct admin_call *call, const struct admin_cmd *cmd)
{
	char takes[ADMIN_ACCESS_TEXT_SIZE];

	admin_access_takes(call->client->clients->conf, cmd->role, takes, sizeof(takes));
	admin_fail(call, ADMIN_ERROR_DENIED, "%s: uid %u may not: %s", cmd->name, call->peer.uid,
		   takes);
}

static void run_call(struct admin_call *call, const struct admin_line *line)
{
	admin_handler *const *handlers = call->client->clients->handlers;
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
	call->ops = &ops;
	call->daemon = client->clients->daemon;
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
	uint64_t usec = client->clients->conf->idle_timeout_s * UTIL_NS_PER_S / UTIL_NS_PER_US;

	sd_event_source_set_time_relative(client->idle, usec);
	sd_event_source_set_enabled(client->idle, SD_EVENT_ONESHOT);
}

/* Answers the first line, or makes the next part of an answer. */
static void work(struct admin_client *client)
{
	const uint64_t began_ns = util_now_ns();
	size_t len = client->call == NULL ? whole_line(client) : 0;
	uint64_t now_ns;

	expect_activity(client); /* only a whole line counts as activity */
	if (client->call != NULL) {
		client->call->part(client->call);
	} else if (len > 0) {
		take_line(client, client->in, len - 1);
		client->in_len -= len;
		memmove(client->in, client->in + len, client->in_len);
	}
	now_ns = util_now_ns();
	if (client->role != ADMIN_ROLE_CHANGE)
		admin_budget_charge(&client->clients->budget, client->peer.uid, now_ns,
				    now_ns - began_ns);
}

/* Return: whether the client stays. */
static bool settle(struct admin_client *client)
{
	if (flush(client) < 0 || is_done(client))
		return false;
	watch(client);
	return true;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_client *client = arg;

	(void)usec;
	admin_turn_lower(source);
	/* Other readers' work may have moved this reader's turn since it was set. */
	if (wants_turn(client) && util_now_ns() >= turn_due_ns(client))
		work(client);
	if (!settle(client))
		admin_client_free(client);
	return 0;
}

/* Return: whether the client stays. */
static bool client_read(struct admin_client *client)
{
	struct attached dropped;
	ssize_t len = attached_receive(client->fd, client->in + client->in_len,
				       sizeof(client->in) - client->in_len, &dropped);

	attached_close(&dropped);
	if (len < 0)
		return len == -EAGAIN || len == -EINTR;
	if (len == 0)
		client->at_end = true;
	client->in_len += (size_t)len;
	if (client->in_len == sizeof(client->in) && whole_line(client) == 0) {
		admin_put_object(&ops, client,
				 admin_error_object(0, ADMIN_ERROR_USAGE, "the line is too long"));
		flush(client);
		return false;
	}
	/* At once, since a client may send a line and hang up. */
	if (whole_line(client) > 0 && util_now_ns() >= turn_due_ns(client))
		work(client);
	return true;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct admin_client *client = arg;
	bool stays = true;

	(void)fd;
	admin_turn_lower(source);
	if (revents & EPOLLIN)
		stays = client_read(client);
	else if (revents & (EPOLLHUP | EPOLLERR))
		stays = false;
	if (!stays || !settle(client))
		admin_client_free(client);
	return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_client *client = arg;
	bool waits_for_us = client->call != NULL || wants_turn(client);

	(void)source;
	(void)usec;
	if (waits_for_us && client->out_len == 0)
		expect_activity(client);
	else
		admin_client_free(client);
	return 0;
}

/* --- its life --- */

static void greet(struct admin_client *client)
{
	const struct conf *conf = client->clients->conf;

	admin_put_object(&ops, client,
			 json_pack("{s:s, s:i, s:i, s:s, s:I, s:s, s:s}", "vgpud", VGPU_VERSION,
				   "protocol", ADMIN_PROTOCOL_VERSION, "schema",
				   ADMIN_SCHEMA_VERSION, "role",
				   client->role == ADMIN_ROLE_CHANGE ? "change" : "read", "uid",
				   (json_int_t)client->peer.uid, "runtime_dir", conf->runtime_dir,
				   "state_dir", conf->state_dir));
}

static int add_sources(struct admin_client *client)
{
	sd_event *event = client->clients->event;
	int err = sd_event_add_io(event, &client->io, client->fd, EPOLLIN, on_client, client);

	/* sd-event takes an accuracy of 0 for its default, a quarter of a second. */
	if (err >= 0)
		err = sd_event_add_time(event, &client->turn, CLOCK_MONOTONIC, 0, 1, on_turn,
					client);
	if (err >= 0)
		err = sd_event_add_time(event, &client->idle, CLOCK_MONOTONIC, 0,
					UTIL_NS_PER_S / UTIL_NS_PER_US, on_idle, client);
	if (err >= 0)
		err = admin_turn_lower(client->io);
	if (err >= 0)
		err = admin_turn_lower(client->turn);
	return err;
}

int admin_client_new(struct admin_clients *clients, int fd, const struct ucred *peer,
		     enum admin_role role)
{
	struct admin_client *client = calloc(1, sizeof(*client));
	int err;

	if (client == NULL) {
		attached_hang_up(fd);
		return -ENOMEM;
	}
	client->clients = clients;
	client->fd = fd;
	client->peer = *peer;
	client->role = role;
	TAILQ_INSERT_TAIL(&clients->list, client, link);
	clients->num++;
	err = add_sources(client);
	if (err < 0) {
		admin_client_free(client);
		return err;
	}
	expect_activity(client);
	greet(client);
	if (!settle(client))
		admin_client_free(client);
	return 0;
}

void admin_clients_raise(const struct admin_clients *clients)
{
	struct admin_client *client;

	TAILQ_FOREACH(client, &clients->list, link) {
		admin_turn_raise(client->io);
		admin_turn_raise(client->turn);
	}
}

enum admin_role admin_client_role(const struct admin_client *client)
{
	return client->role;
}

uid_t admin_client_uid(const struct admin_client *client)
{
	return client->peer.uid;
}

const struct admin_client *admin_client_next(const struct admin_client *client)
{
	return TAILQ_NEXT(client, link);
}

void admin_client_refuse(int fd, enum admin_error error, const char *text)
{
	json_t *object = admin_error_object(0, error, text);
	char *line = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (line != NULL) {
		dprintf(fd, "%s\n", line); /* it is non-blocking, and has room for that */
		free(line);
	}
	attached_hang_up(fd);
}
