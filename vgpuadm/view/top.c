/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top.c - a live view of the VMs */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"
#include "common/util.h"
#include "vgpuadm/out/text.h"
#include "vgpuadm/screen.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/top_rows.h"
#include "vgpuadm/view/view_private.h"

#define INTERVAL_MS 2000
#define SEPARATION 2u /* columns between two fields */

/* What a screen leaves out that is too narrow for all, in this order: a field that is cut would lose digits. */
static const char *const least_wanted[] = {
	"wait_p50_ns",	"pool",	       "running",    "last_error", "priority",		"queued",
	"programs_now", "wait_p99_ns", "rate_per_s", "gpu_share",  "programs_gpu_share"
};

/* The keys, and the columns that they sort by. */
static const struct {
	char key;
	const char *field, *name;
} sorts[] = {
	{ 'n', "vm", "name" },	     { 'r', "rate_per_s", "rate" },
	{ 'u', "queued", "queue" },  { 'w', "wait_p99_ns", "wait" },
	{ 'g', "gpu_share", "GPU" }, { 'p', "programs_gpu_share", "progs" },
};

#define SORT_NUM (sizeof(sorts) / sizeof(sorts[0]))

struct top {
	struct view *view;
	struct top_rows rows;
	struct output_shape shape;
	json_t *shown, *status; /* of the last look */
	struct fail fail;	/* of the last look */
	size_t sort;
	int interval_ms;
};

static void look(struct top *top)
{
	json_t *rows, *status;

	top->fail = (struct fail){ 0 };
	rows = top_rows_look(&top->rows, top->view, &status, &top->fail);
	if (!rows) {
		/* The screen keeps the last rows; the next look connects anew. */
		view_disconnect(top->view);
		json_decref(status);
		return;
	}
	json_decref(top->shown);
	json_decref(top->status);
	top->shown = rows;
	top->status = status;
}

static void top_free(struct top *top)
{
	top_rows_free(&top->rows);
	json_decref(top->shown);
	json_decref(top->status);
}

/* ---- the screen ---- */

/* A line that is no wider than the screen, and the rest of it cleared. */
static void put_line(const char *text, int columns, const char *colour)
{
	printf("%s%.*s%s\033[K\n", colour ? colour : "", columns, text, colour ? "\033[0m" : "");
}

static void put_summary(const struct top *top, int columns)
{
	static const struct {
		const char *words, *key;
		enum field_kind kind;
	} parts[] = {
		{ "vgpud ", "version", FIELD_TEXT },
		{ ", up ", "uptime_ns", FIELD_DURATION },
		{ "; VMs: ", "vms", FIELD_COUNT },
		{ ", connected ", "vms_connected", FIELD_COUNT },
		{ "; waiting ", "queued", FIELD_COUNT },
		{ ", running ", "running", FIELD_COUNT },
		{ "; programs ", "programs", FIELD_COUNT },
		{ "; ledger ", "ledger", FIELD_TEXT },
	};
	char *line = NULL;
	size_t size, used = 0;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *text = field_text(parts[i].kind, json_object_get(top->status, parts[i].key));

		used += strlen(parts[i].words) + (text ? strlen(text) : 0);
		if (text && used <= (size_t)columns)
			fprintf(out, "%s%s", parts[i].words, text);
		free(text);
	}
	if (fclose(out) == 0)
		put_line(line, columns, NULL);
	free(line);
}

/* How wide the columns are that the screen has; 0: it has no room for one. */
struct layout {
	unsigned width[OUTPUT_FIELDS_MOST];
};

static unsigned total_width(const struct layout *layout)
{
	unsigned sum = 0;

	for (size_t i = 0; i < OUTPUT_FIELDS_MOST; i++)
		sum += layout->width[i] > 0 ? layout->width[i] + SEPARATION : 0;
	return sum;
}

/* Without -o the time stays out: it is the same for all rows. */
static bool is_shown(const struct top *top, const struct field *field)
{
	return field->heading && (top->view->style.columns || field->kind != FIELD_TIME);
}

/* The names decide how wide their column is: a UUID is one, too. */
static unsigned width_of(const struct top *top, const struct field *field)
{
	size_t width = field->width > strlen(field->heading) ? field->width
							     : strlen(field->heading);
	json_t *row;
	size_t i;

	json_array_foreach(top->shown, i, row) {
		size_t len = field->kind == FIELD_TEXT ? strlen(field_string(row, field->key)) : 0;

		width = len > width ? len : width;
	}
	return (unsigned)width;
}

static void leave_out(const struct top *top, struct layout *layout, const char *key)
{
	for (size_t i = 0; top->shape.fields[i].key; i++)
		if (strcmp(top->shape.fields[i].key, key) == 0)
			layout->width[i] = 0;
}

static struct layout lay_out(const struct top *top, unsigned columns)
{
	struct layout layout = { 0 };

	for (size_t i = 0; top->shape.fields[i].key; i++)
		if (is_shown(top, &top->shape.fields[i]))
			layout.width[i] = width_of(top, &top->shape.fields[i]);
	for (size_t i = 0; i < sizeof(least_wanted) / sizeof(least_wanted[0]) &&
			   total_width(&layout) > columns + SEPARATION;
	     i++)
		leave_out(top, &layout, least_wanted[i]);
	return layout;
}

/* row: NULL: the headings. */
static void put_row(const struct top *top, const struct layout *layout, const json_t *row,
		    int columns)
{
	bool colours = top->view->style.colours;
	const char *colour = NULL;
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return;
	for (size_t i = 0; top->shape.fields[i].key; i++) {
		const struct field *field = &top->shape.fields[i];
		char *text;

		if (layout->width[i] == 0)
			continue;
		text = row ? field_text(field->kind, json_object_get(row, field->key))
			   : strdup(field->heading);
		fprintf(out, field->kind == FIELD_TEXT ? "%-*s  " : "%*s  ", (int)layout->width[i],
			text ? text : "");
		free(text);
	}
	if (colours && !row)
		colour = "\033[7m";
	else if (colours && json_is_true(json_object_get(row, "paused")))
		colour = "\033[33m";
	else if (colours && json_is_false(json_object_get(row, "connected")))
		colour = "\033[2m";
	if (fclose(out) == 0)
		put_line(line, columns, colour);
	free(line);
}

static void put_keys(const struct top *top, int columns)
{
	char line[160];
	int len = snprintf(line, sizeof(line),
			   "q quit  + - interval (%g s)  sort:", top->interval_ms / 1000.0);

	for (size_t i = 0; i < SORT_NUM; i++)
		len += snprintf(line + len, sizeof(line) - (size_t)len,
				i == top->sort ? " [%c %s]" : " %c %s", sorts[i].key,
				sorts[i].name);
	put_line(line, columns, NULL);
}

static void draw(struct top *top)
{
	struct screen_size size = screen_size();
	size_t most = size.lines > 5 ? (size_t)size.lines - 5 : 1, i;
	struct layout layout;
	json_t *row;

	if (top->shown)
		top->shown = top_rows_sorted(top->shown, sorts[top->sort].field);
	layout = lay_out(top, (unsigned)size.columns);
	fputs("\033[H", stdout);
	put_summary(top, size.columns);
	put_keys(top, size.columns);
	put_row(top, &layout, NULL, size.columns);
	json_array_foreach(top->shown, i, row) {
		if (i < most)
			put_row(top, &layout, row, size.columns);
	}
	if (json_array_size(top->shown) > most)
		printf("and %zu more\033[K\n", json_array_size(top->shown) - most);
	fputs("\033[J", stdout);
	if (top->fail.status != 0 && top->fail.status != FAIL_INTERRUPTED)
		text_put(stdout, top->fail.text);
	fflush(stdout);
}

/* Return: false: the user wants to leave. */
static bool take_key(struct top *top, int key)
{
	for (size_t i = 0; i < SORT_NUM; i++)
		if (sorts[i].key == key)
			top->sort = i;
	if (key == '+' && top->interval_ms * 2 <= (int)PATTERN_SPAN_MOST_MS)
		top->interval_ms *= 2;
	if (key == '-' && top->interval_ms / 2 >= (int)PATTERN_SPAN_LEAST_MS)
		top->interval_ms /= 2;
	return key != 'q' && key != 'Q' && key != SCREEN_END;
}

/* Return: how long until then, as poll takes it. */
static int until(uint64_t at_ns)
{
	uint64_t now_ns = util_now_ns();

	return now_ns >= at_ns ? 0 : (int)((at_ns - now_ns) / UTIL_NS_PER_MS) + 1;
}

static int run_screen(struct top *top, struct fail *fail)
{
	struct client_target before = top->view->target;
	bool stay = true;

	if (screen_enter(fail) != 0)
		return fail->status;
	top->view->target.wake_fd = screen_wake_fd();
	while (stay) {
		uint64_t looked_ns = util_now_ns();
		int event = 0;

		look(top);
		while (stay && event != SCREEN_TIMEOUT) {
			draw(top);
			event = screen_wait(
				until(looked_ns + (uint64_t)top->interval_ms * UTIL_NS_PER_MS));
			stay = take_key(top, event);
		}
	}
	view_disconnect(top->view);
	top->view->target = before;
	screen_leave();
	return 0;
}

/* ---- not a screen: the rows, over and over ---- */

/* Return: true: the user wants to leave. */
static bool rest(const struct top *top)
{
	struct pollfd fds[] = {
		{ .fd = top->view->target.wake_fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 }, /* POLLERR: its reader has gone */
	};

	return poll(fds, 2, top->interval_ms) > 0;
}

static int run_plain(struct top *top, struct fail *fail)
{
	struct output *output = output_begin(&top->view->style, &top->shape, true);
	json_t *row;
	size_t i;

	if (!output)
		return fail_set(fail, ADMIN_ERROR_REFUSED, "out of memory");
	for (;;) {
		look(top);
		if (top->fail.status != 0)
			break;
		json_array_foreach(top->shown, i, row) {
			output_row(output, row);
		}
		if (ferror(stdout) || rest(top))
			break;
	}
	*fail = top->fail;
	output_end(output, NULL, fail);
	return fail->status;
}

int view_top(struct view *view, struct fail *fail)
{
	const char *interval = pattern_value(&view->args, "interval");
	struct top top = { .view = view,
			   .shape = view_shape(ADMIN_CMD_TOP, &view->args),
			   .interval_ms = INTERVAL_MS };
	uint64_t ms = INTERVAL_MS;

	if (interval)
		units_parse_seconds(interval, &ms); /* its form was checked */
	top.interval_ms = (int)ms;
	if (view_choose_columns(view, &top.shape, fail) != 0)
		return fail->status;
	/* Without a daemon, fail as any other command does. */
	if (view_connect(view, fail) == 0) {
		if (view->style.format == OUTPUT_TABLE && view->style.terminal &&
		    isatty(STDIN_FILENO))
			run_screen(&top, fail);
		else
			run_plain(&top, fail);
	}
	top_free(&top);
	return fail->status;
}
