/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_out.c - writes a query's answer into the client's socket */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/inherit.h"
#include "vgpud/admin/query.h"
#include "vgpud/admin/query_private.h"

#define PATIENCE_MOST_S 60u

/*
 * Writes all bytes; gives up a client that needs more than patience_s to take them. The socket is
 * non-blocking, since the daemon needs that. Return: 0 or -EPIPE.
 */
static int write_all(const char *bytes, size_t len, unsigned patience_s)
{
	struct pollfd ready = { .fd = inherit_fd(QUERY_SOCKET), .events = POLLOUT };
	uint64_t end_ns = util_now_ns() + patience_s * UTIL_NS_PER_S;

	while (len > 0) {
		ssize_t sent = send(inherit_fd(QUERY_SOCKET), bytes, len, MSG_NOSIGNAL);
		uint64_t now_ns = util_now_ns();

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -EPIPE;
		if (sent < (ssize_t)len && now_ns >= end_ns) {
			log_warning("gave up a client that does not take its answer");
			return -EPIPE;
		}
		if (sent < 0)
			poll(&ready, 1, (int)((end_ns - now_ns) / UTIL_NS_PER_MS) + 1);
		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
		}
	}
	return 0;
}

int query_flush(struct query *q)
{
	unsigned patience_s = q->patience_s < PATIENCE_MOST_S ? q->patience_s : PATIENCE_MOST_S;

	if (!q->broken && write_all(q->out, q->out_len, patience_s) != 0)
		q->broken = true;
	q->out_len = 0;
	return q->broken ? -EPIPE : 0;
}

static int put(const char *bytes, size_t len, void *arg)
{
	struct query *q = arg;

	while (len > 0) {
		size_t n = sizeof(q->out) - q->out_len;

		if (n > len)
			n = len;
		memcpy(q->out + q->out_len, bytes, n);
		q->out_len += n;
		bytes += n;
		len -= n;
		if (q->out_len == sizeof(q->out) && query_flush(q) != 0)
			return -1;
	}
	return 0;
}

/* Takes object over. */
static void put_line(struct query *q, json_t *object)
{
	json_dump_callback(object, put, q, JSON_COMPACT);
	put("\n", 1, q);
	json_decref(object);
}

int query_row(struct query *q, json_t *row)
{
	q->rows++;
	put_line(q, json_pack("{s:I, s:o}", "id", q->id, "row", row));
	return q->broken ? -EPIPE : 0;
}

void query_end(struct query *q, json_t *extra)
{
	if (extra == NULL)
		extra = json_object();
	json_object_set_new(extra, "rows", json_integer(q->rows));
	put_line(q, json_pack("{s:I, s:o}", "id", q->id, "end", extra));
}

void query_fail(struct query *q, const char *code, const char *format, ...)
{
	char text[512];
	va_list args;

	if (q->failed)
		return;
	q->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_line(q, json_pack("{s:I, s:{s:s, s:s}}", "id", q->id, "error", "code", code, "text",
			      text));
}

bool query_client_stays(const struct query *q, int timeout_ms)
{
	struct pollfd gone = { .fd = inherit_fd(QUERY_SOCKET), .events = 0 };

	return !q->broken && poll(&gone, 1, timeout_ms) == 0;
}
