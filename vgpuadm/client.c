/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - asks vgpud over its admin socket */

#include "vgpuadm/client.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sock.h"
#include "common/util.h"
#include "vgpuadm/refusal.h"

#define LINE_MAX_BYTES (1u << 20) /* of a line; vgpud sends no longer ones */
#define LINE_FIRST_BYTES 8192u
#define RETRY_MS 10 /* while the daemon's queue of new connections is full */

struct client {
	struct client_target target;
	int fd;
	unsigned last_id;
	json_t *greeting;
	char *buffer;
	size_t capacity, begin, end; /* what was read and not taken yet is buffer[begin..end) */
};

/* ---- waiting ---- */

static uint64_t deadline_ns(const struct client *client)
{
	if (client->target.timeout_ms < 0)
		return UINT64_MAX;
	return util_now_ns() + (uint64_t)client->target.timeout_ms * UTIL_NS_PER_MS;
}

/* Return: milliseconds until then, as poll takes them. */
static int left_ms(uint64_t until_ns)
{
	uint64_t now_ns = util_now_ns();

	if (until_ns == UINT64_MAX)
		return -1;
	return now_ns >= until_ns ? 0 : (int)((until_ns - now_ns) / UTIL_NS_PER_MS) + 1;
}

static int fail_timeout(const struct client *client, struct fail *fail)
{
	return fail_set(fail, ADMIN_ERROR_TIMED_OUT,
			"vgpud said nothing for %g s (--timeout SECONDS waits longer)",
			client->target.timeout_ms / 1000.0);
}

/*
 * Standard output is a pipe whose reader has gone, as behind `| grep -m 1`. With nothing to write
 * the process would wait for ever, so it ends as the next write would have ended it.
 */
static void stdout_gone(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

static int wait_for(struct client *client, short events, uint64_t until_ns, struct fail *fail)
{
	struct pollfd fds[] = {
		{ .fd = client->fd, .events = events },
		{ .fd = client->target.wake_fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
	};

	for (;;) {
		int ready = poll(fds, 3, left_ms(until_ns));

		if (ready < 0 && errno != EINTR)
			return fail_set(fail, ADMIN_ERROR_UNREACHABLE, "poll: %s", strerror(errno));
		if (ready > 0 && fds[1].revents)
			return fail_set(fail, FAIL_INTERRUPTED, "interrupted");
		if (ready > 0 && fds[0].revents)
			return 0;
		if (ready > 0 && fds[2].revents & POLLERR)
			stdout_gone();
		if (left_ms(until_ns) == 0)
			return fail_timeout(client, fail);
	}
}

/* ---- lines ---- */

static int fail_lost(const struct client *client, int error, struct fail *fail)
{
	return fail_set(fail, ADMIN_ERROR_UNREACHABLE,
			"%s: lost vgpud: %s (did it stop? systemctl status vgpud)",
			client->target.socket,
			error ? strerror(error) : "it closed the connection");
}

static int send_all(struct client *client, const char *data, size_t len, struct fail *fail)
{
	uint64_t until_ns = deadline_ns(client);

	while (len > 0) {
		ssize_t sent = send(client->fd, data, len, MSG_NOSIGNAL);

		if (sent > 0) {
			data += sent;
			len -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (wait_for(client, POLLOUT, until_ns, fail) != 0)
				return fail->status;
		} else if (errno == EPIPE) {
			/* vgpud may have sent the reason before it closed: read on. */
			return 0;
		} else if (errno != EINTR) {
			return fail_lost(client, errno, fail);
		}
	}
	return 0;
}

/* Makes room behind what is in the buffer. */
static int make_room(struct client *client, struct fail *fail)
{
	char *larger;

	if (client->begin > 0) {
		memmove(client->buffer, client->buffer + client->begin,
			client->end - client->begin);
		client->end -= client->begin;
		client->begin = 0;
	}
	if (client->end < client->capacity)
		return 0;
	if (client->capacity >= LINE_MAX_BYTES)
		return fail_set(fail, ADMIN_ERROR_REFUSED,
				"%s: an answer of more than %u bytes in a line: no vgpud does that",
				client->target.socket, LINE_MAX_BYTES);
	larger = realloc(client->buffer, client->capacity * 2);
	if (!larger)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
	client->buffer = larger;
	client->capacity *= 2;
	return 0;
}

static int receive_more(struct client *client, uint64_t until_ns, struct fail *fail)
{
	ssize_t got;

	if (make_room(client, fail) != 0)
		return fail->status;
	for (;;) {
		got = recv(client->fd, client->buffer + client->end, client->capacity - client->end,
			   0);
		if (got > 0) {
			client->end += (size_t)got;
			return 0;
		}
		if (got == 0)
			return fail_lost(client, 0, fail);
		if (errno != EAGAIN && errno != EINTR)
			return fail_lost(client, errno, fail);
		if (wait_for(client, POLLIN, until_ns, fail) != 0)
			return fail->status;
	}
}

/* The next line as an object, the caller's to decref. */
static int receive_object(struct client *client, json_t **object, struct fail *fail)
{
	uint64_t until_ns = deadline_ns(client);
	size_t searched = 0;

	for (;;) {
		char *from = client->buffer + client->begin;
		size_t len = client->end - client->begin;
		char *newline = memchr(from + searched, '\n', len - searched);

		if (newline) {
			client->begin += (size_t)(newline - from) + 1;
			*object = json_loadb(from, (size_t)(newline - from), 0, NULL);
			break;
		}
		searched = len;
		if (receive_more(client, until_ns, fail) != 0)
			return fail->status;
	}
	if (json_is_object(*object))
		return 0;
	json_decref(*object);
	*object = NULL;
	return fail_set(fail, ADMIN_ERROR_REFUSED,
			"%s: the answer is no JSON object: no vgpud listens there",
			client->target.socket);
}

/* ---- the connection ---- */

static int fail_from(const json_t *error, struct fail *fail)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "text"));

	return fail_set(fail, fail_status(code ? code : ""), "%s", text ? text : "no reason given");
}

static int check_greeting(struct client *client, struct fail *fail)
{
	const json_t *error = json_object_get(client->greeting, "error");
	const json_t *protocol = json_object_get(client->greeting, "protocol");
	const char *version = json_string_value(json_object_get(client->greeting, "vgpud"));

	if (error)
		return fail_from(error, fail);
	if (!version || !json_is_integer(protocol))
		return fail_set(fail, ADMIN_ERROR_REFUSED, "%s: no vgpud listens there",
				client->target.socket);
	if (json_integer_value(protocol) != ADMIN_PROTOCOL_VERSION)
		return fail_set(fail, ADMIN_ERROR_REFUSED,
				"vgpud %s speaks admin protocol %" JSON_INTEGER_FORMAT
				", this vgpuadm %s speaks %d (install both from one release)",
				version, json_integer_value(protocol), VGPU_VERSION,
				ADMIN_PROTOCOL_VERSION);
	return 0;
}

static int connect_to(struct client *client, struct fail *fail)
{
	uint64_t until_ns = deadline_ns(client);

	for (;;) {
		client->fd = sock_connect(client->target.socket);
		if (client->fd >= 0)
			return 0;
		if (client->fd != -EAGAIN)
			return refusal_explain(client->target.socket, -client->fd, fail);
		if (left_ms(until_ns) == 0)
			return fail_timeout(client, fail);
		poll(NULL, 0, RETRY_MS);
	}
}

struct client *client_open(const struct client_target *target, struct fail *fail)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client)
		client->buffer = malloc(LINE_FIRST_BYTES);
	if (!client || !client->buffer) {
		free(client);
		fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
		return NULL;
	}
	client->target = *target;
	client->capacity = LINE_FIRST_BYTES;
	if (connect_to(client, fail) != 0 || receive_object(client, &client->greeting, fail) != 0 ||
	    check_greeting(client, fail) != 0) {
		client_close(client);
		return NULL;
	}
	return client;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	json_decref(client->greeting);
	free(client->buffer);
	free(client);
}

const json_t *client_greeting(const struct client *client)
{
	return client->greeting;
}

void client_set_timeout(struct client *client, int timeout_ms)
{
	client->target.timeout_ms = timeout_ms;
}

/* ---- a command ---- */

static int send_request(struct client *client, const char *command, json_t *args, struct fail *fail)
{
	json_t *request = json_pack("{s:i, s:s, s:O*}", "id", (int)++client->last_id, "cmd",
				    command, "args", args);
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len = line ? strlen(line) : 0;

	json_decref(request);
	if (!line)
		return fail_set(fail, ADMIN_ERROR_USAGE, "%s: an argument is not valid UTF-8 text",
				command);
	if (len + 1 > ADMIN_LINE_MAX) {
		fail_set(fail, ADMIN_ERROR_USAGE, "%s: more than %d bytes of arguments", command,
			 ADMIN_LINE_MAX);
	} else {
		line[len] = '\n'; /* replaces the terminator: the line is sent by its length */
		send_all(client, line, len + 1, fail);
	}
	free(line);
	return fail->status;
}

/* Return: true: that was the last answer to the command. */
static bool take_answer(const struct client *client, json_t *answer, client_row_fn row,
			void *context, json_t **end, struct fail *fail)
{
	const json_t *error = json_object_get(answer, "error");
	json_t *row_object = json_object_get(answer, "row");
	json_t *end_object = json_object_get(answer, "end");
	json_int_t id = json_integer_value(json_object_get(answer, "id"));

	if (error) {
		fail_from(error, fail);
		return true;
	}
	if (id != (json_int_t)client->last_id || !(row_object || end_object)) {
		fail_set(fail, ADMIN_ERROR_REFUSED, "%s: an answer to something never asked",
			 client->target.socket);
		return true;
	}
	if (row_object) {
		row(context, row_object);
		return false;
	}
	if (end)
		*end = json_incref(end_object);
	return true;
}

int client_call(struct client *client, const char *command, json_t *args, client_row_fn row,
		void *context, json_t **end, struct fail *fail)
{
	bool last = false;

	*fail = (struct fail){ 0 };
	if (end)
		*end = NULL;
	if (send_request(client, command, args, fail) != 0)
		return fail->status;
	while (!last) {
		json_t *answer;

		if (receive_object(client, &answer, fail) != 0)
			return fail->status;
		last = take_answer(client, answer, row, context, end, fail);
		json_decref(answer);
	}
	return fail->status;
}
