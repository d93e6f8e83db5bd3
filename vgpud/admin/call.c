/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call.c - a command that is being answered */

#include "vgpud/admin/call.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "common/log.h"
#include "proc/child.h"
#include "proc/spawn.h"
#include "vgpud/admin/query.h"

/* --- lines --- */

/* The client that a line is written to. */
struct line_end {
	const struct admin_client_ops *ops;
	struct admin_client *client;
};

static int put_json(const char *bytes, size_t len, void *arg)
{
	const struct line_end *end = arg;

	end->ops->put(end->client, bytes, len);
	return 0;
}

void admin_put_object(const struct admin_client_ops *ops, struct admin_client *client,
		      json_t *object)
{
	struct line_end end = { ops, client };

	json_dump_callback(object, put_json, &end, JSON_COMPACT);
	ops->put(client, "\n", 1);
	json_decref(object);
}

/* --- rows and ends --- */

const char *admin_arg(const struct admin_call *call, const char *key)
{
	return json_string_value(json_object_get(call->args, key));
}

bool admin_flag(const struct admin_call *call, const char *key)
{
	return json_is_true(json_object_get(call->args, key));
}

/* Whether a row can be kept for the client; its answer ends with an error otherwise. */
static bool row_fits(struct admin_call *call)
{
	call->rows++;
	if (call->client == NULL)
		return false;
	call->cut |= !call->ops->has_room(call->client);
	return !call->cut;
}

void admin_row(struct admin_call *call, json_t *row)
{
	if (row_fits(call))
		admin_put_object(call->ops, call->client,
				 json_pack("{s:I, s:o}", "id", call->id, "row", row));
	else
		json_decref(row);
}

void admin_row_text(struct admin_call *call, const char *text)
{
	char line[1200];
	size_t len;

	if (!row_fits(call))
		return;
	len = (size_t)snprintf(line, 64, "{\"id\":%" JSON_INTEGER_FORMAT ",\"row\":{\"text\":\"",
			       call->id);
	for (; *text != '\0' && len < sizeof(line) - 8; text++) {
		if (*text == '"' || *text == '\\')
			line[len++] = '\\';
		line[len++] = *text;
	}
	len += (size_t)snprintf(line + len, sizeof(line) - len, "\"}}\n");
	call->ops->put(call->client, line, len);
}

void admin_in_parts(struct admin_call *call, void (*part)(struct admin_call *call))
{
	call->part = part;
	if (call->client != NULL)
		call->ops->part(call->client);
}

/* Frees the call and lets the client's next line be looked at. */
static void call_free(struct admin_call *call)
{
	const struct admin_client_ops *ops = call->ops;
	struct admin_client *client = call->client;

	json_decref(call->args);
	free(call);
	if (client != NULL)
		ops->answered(client);
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

json_t *admin_error_object(json_int_t id, enum admin_error error, const char *text)
{
	return json_pack("{s:I, s:{s:s, s:s}}", "id", id, "error", "code", error_code(error),
			 "text", text);
}

/* error, text: what ends the call. */
static void end_with(struct admin_call *call, enum admin_error error, const char *text)
{
	if (call->client != NULL)
		admin_put_object(call->ops, call->client,
				 admin_error_object(call->id, error, text));
	call_free(call);
}

void admin_end(struct admin_call *call, json_t *extra)
{
	if (call->cut) {
		json_decref(extra);
		end_with(
			call, ADMIN_ERROR_REFUSED,
			"the answer is larger than 16 MiB and is cut here: ask for less, or take it "
			"as it comes");
		return;
	}
	if (extra == NULL)
		extra = json_object();
	json_object_set_new(extra, "rows", json_integer(call->rows));
	if (call->client != NULL)
		admin_put_object(call->ops, call->client,
				 json_pack("{s:I, s:o}", "id", call->id, "end", extra));
	else
		json_decref(extra);
	call_free(call);
}

void admin_fail(struct admin_call *call, enum admin_error error, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	end_with(call, error, text);
}

/* --- a query's process --- */

static int on_query_exit(sd_event_source *source, int pidfd, uint32_t revents, void *arg)
{
	struct admin_call *call = arg;
	pid_t pid = (pid_t)(intptr_t)call->data;
	siginfo_t si;

	(void)pidfd;
	(void)revents;
	if (!child_has_ended(pid, &si))
		return 0;
	child_reap(pid);
	sd_event_source_set_floating(source, false); /* drops the last reference */
	if (call->client != NULL && (si.si_code != CLD_EXITED || si.si_status != 0)) {
		log_warning("the process of a query ended by %s %d",
			    si.si_code == CLD_EXITED ? "status" : "signal", si.si_status);
		/* Its answer may be cut off in the middle of a line: nothing can follow it. */
		call->ops->shut(call->client);
	}
	return 0;
}

/* The process has ended, or the loop goes first, at the daemon's end. */
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
		const struct spawn_fd client = { QUERY_SOCKET, call->ops->fd(call->client) };

		err = spawn_start(&pid, SPAWN_QUERY, query, &client, 1);
	}
	if (err == 0) {
		err = child_watch(call->ops->event(call->client), &child, pid, on_query_exit, call);
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
