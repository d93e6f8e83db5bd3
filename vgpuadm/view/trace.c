/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - a program's trace, into a file */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"
#include "common/util.h"
#include "vgpuadm/out/chrome.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

#define FOR_MS 5000u

struct tracing {
	struct chrome chrome;
	bool begun; /* the daemon has begun to trace: there is something to keep */
	const char *path;
};

/* The file is made first, so that nothing is traced for which there is no place. */
static FILE *open_file(const char *path, struct fail *fail)
{
	FILE *out;
	int fd;

	if (strcmp(path, "-") == 0)
		return stdout;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (out)
		return out;
	if (errno == EEXIST)
		fail_set(fail, ADMIN_ERROR_REFUSED,
			 "%s: it is there already (--file names another, - is standard output)",
			 path);
	else
		fail_set(fail, ADMIN_ERROR_REFUSED, "%s: %s (--file names another)", path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void close_file(FILE *out, const char *path, struct fail *fail)
{
	bool failed = fflush(out) != 0 || ferror(out);

	if (out != stdout)
		failed |= fclose(out) != 0;
	if (failed && fail->status == 0)
		fail_set(fail, ADMIN_ERROR_REFUSED, "%s: cannot be written as a whole: %s", path,
			 strerror(errno));
}

static void on_row(void *context, json_t *row)
{
	struct tracing *tracing = context;

	tracing->begun = true;
	chrome_row(&tracing->chrome, row);
}

static json_t *summary(const struct tracing *tracing, const json_t *end)
{
	static const char *const keys[] = { "program", "vm",	 "name", "pid",	  "begun_unix_ns",
					    "took_ns", "events", "lost", "ended", "limited" };
	json_t *row = json_pack("{s:s, s:I}", "file", tracing->path, "gaps",
				(json_int_t)tracing->chrome.gaps);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(end, keys[i]);

		json_object_set(row, keys[i], value ? value : json_null());
	}
	return row;
}

/* How long the daemon may be silent: the trace's time beside what it may be otherwise. */
static int patience_ms(const struct view *view, const char *text)
{
	uint64_t ms = FOR_MS;

	if (text)
		units_parse_seconds(text, &ms); /* the daemon judges it */
	if (view->target.timeout_ms == CLIENT_WAIT_FOR_EVER ||
	    ms > (uint64_t)(INT_MAX - view->target.timeout_ms))
		return CLIENT_WAIT_FOR_EVER;
	return view->target.timeout_ms + (int)ms;
}

/* Return: the daemon's "end"; NULL: fail says why. */
static json_t *ask(struct view *view, struct tracing *tracing, struct fail *fail)
{
	const char *seconds = pattern_value(&view->args, "for");
	json_t *args = json_pack("{s:s, s:s*}", "id", pattern_value(&view->args, "id"), "for",
				 seconds);
	json_t *end = NULL;

	client_set_timeout(view->client, patience_ms(view, seconds));
	client_call(view->client, "trace", args, on_row, tracing, &end, fail);
	json_decref(args);
	return end;
}

/* Return: the daemon's "end"; NULL: fail says why, and the file has gone unless there is something in it. */
static json_t *write_file(struct view *view, struct tracing *tracing, struct fail *fail)
{
	FILE *out = open_file(tracing->path, fail);
	uint64_t program = 0;
	json_t *end;

	if (!out)
		return NULL;
	util_parse_u64(pattern_value(&view->args, "id"), 1, INT64_MAX, &program);
	if (chrome_begin(&tracing->chrome, out, (json_int_t)program) != 0) {
		fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
		close_file(out, tracing->path, fail);
		return NULL;
	}
	end = ask(view, tracing, fail);
	/* What came before an interruption is a trace too. */
	chrome_end(&tracing->chrome, end);
	close_file(out, tracing->path, fail);
	if (fail->status != 0 && !tracing->begun && out != stdout)
		unlink(tracing->path);
	return end;
}

int view_trace(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_TRACE, &view->args);
	const char *file = pattern_value(&view->args, "file");
	char standard[48];
	struct tracing tracing = { .path = file ? file : standard };
	json_t *end, *rows;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	snprintf(standard, sizeof(standard), "trace-%s.json", pattern_value(&view->args, "id"));
	if (view_connect(view, fail) != 0)
		return fail->status;
	end = write_file(view, &tracing, fail);
	if (fail->status == 0 && strcmp(tracing.path, "-") != 0) {
		rows = json_pack("[o]", summary(&tracing, end));
		view_write(view, &shape, rows, NULL, fail);
		json_decref(rows);
	}
	json_decref(end);
	return fail->status;
}
