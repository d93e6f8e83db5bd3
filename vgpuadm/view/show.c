/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.c - all about one VM, or one request's story */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/sparkline.h"
#include "vgpuadm/view/view_private.h"

#define MINUTES 60 /* that sparklines and statistics look back */

/* ---- a VM ---- */

/* The parts of the answer: the VM itself, its minutes, and its statistics with their window. */
struct about {
	json_t *rows, *rates, *stats, *stats_end;
};

static void about_free(struct about *about)
{
	json_decref(about->rows);
	json_decref(about->rates);
	json_decref(about->stats);
	json_decref(about->stats_end);
}

static int about_ask(struct view *view, const char *vm, struct about *about, struct fail *fail)
{
	json_t *args = json_pack("{s:s, s:s}", "vm", vm, "since", "1h");
	json_t *row = view_vm(view, vm, fail);

	*about = (struct about){ 0 };
	if (row) {
		about->rows = json_pack("[o]", row);
		about->rates = view_rows(view, "rates", args, NULL, fail);
	}
	if (about->rates)
		about->stats = view_rows(view, "stats", args, &about->stats_end, fail);
	json_object_del(about->stats_end, "rows"); /* their number, which is plain to see */
	json_decref(args);
	return fail->status;
}

/* Puts each minute into its place; where the daemon has no row nothing happened. */
static void fill_minutes(const json_t *rates, int64_t last_minute, double *rate, double *p99_ns)
{
	json_t *row;
	size_t i;

	for (int m = 0; m < MINUTES; m++) {
		rate[m] = 0;
		p99_ns[m] = -1;
	}
	json_array_foreach(rates, i, row) {
		int64_t minute = json_integer_value(json_object_get(row, "minute_unix_ns")) /
				 UTIL_NS_PER_MINUTE;
		int64_t m = minute - last_minute + MINUTES - 1;
		const json_t *p99 = json_object_get(row, "total_p99_ns");

		if (m < 0 || m >= MINUTES)
			continue;
		rate[m] = json_number_value(json_object_get(row, "count")) / 60;
		if (json_is_number(p99))
			p99_ns[m] = json_number_value(p99);
	}
}

static void put_highest(double highest, enum field_kind kind)
{
	json_t *value = kind == FIELD_RATE ? json_real(highest) : json_integer((json_int_t)highest);

	fputs("  up to ", stdout);
	field_put(stdout, kind, value);
	puts(kind == FIELD_RATE ? "/s" : "");
	json_decref(value);
}

static void put_sparklines(const struct about *about)
{
	double rate[MINUTES], p99_ns[MINUTES];
	int64_t until_ns = json_integer_value(json_object_get(about->stats_end, "until_unix_ns"));

	if (until_ns == 0 || json_array_size(about->rates) == 0)
		return;
	fill_minutes(about->rates, (until_ns - 1) / UTIL_NS_PER_MINUTE, rate, p99_ns);
	puts("\nthe last hour, minute by minute");
	fputs("rate       ", stdout);
	put_highest(sparkline_put(stdout, rate, MINUTES), FIELD_RATE);
	fputs("total p99  ", stdout);
	put_highest(sparkline_put(stdout, p99_ns, MINUTES), FIELD_DURATION);
}

static int show_vm(struct view *view, const char *vm, struct fail *fail)
{
	struct output_shape shape = view_shape_vm();
	struct output_shape stats_shape = view_shape(ADMIN_CMD_STATS, &view->args);
	struct about about;
	json_t *extras;

	if (about_ask(view, vm, &about, fail) == 0) {
		extras = json_pack("{s:O, s:O, s:O*}", "rates", about.rates, "stats", about.stats,
				   "stats_window", about.stats_end);
		view_write(view, &shape, about.rows, extras, fail);
		json_decref(extras);
	}
	if (fail->status == 0 && view->style.format == OUTPUT_TABLE) {
		if (view->style.terminal)
			put_sparklines(&about);
		putchar('\n');
		view_write(view, &stats_shape, about.stats, about.stats_end, fail);
	}
	about_free(&about);
	return fail->status;
}

/* ---- a request ---- */

/* The queue's row of a request that has not ended, as an array. Return: NULL: there is none. */
static json_t *find_queued(struct view *view, const char *id)
{
	struct fail ignored;
	json_t *rows = view_rows(view, "queue", NULL, NULL, &ignored), *found = NULL, *row;
	char text[32];
	size_t i;

	json_array_foreach(rows, i, row) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(row, "id")));
		if (!found && strcmp(text, id) == 0)
			found = json_pack("[O]", row);
	}
	json_decref(rows);
	return found;
}

static int show_request(struct view *view, const char *id, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_SHOW, &view->args);
	json_t *args = json_pack("{s:s}", "id", id);
	json_t *rows = view_rows(view, "request", args, NULL, fail);

	/* The ledger knows those that ended; perhaps it has not. */
	if (!rows && fail->status == ADMIN_ERROR_NOT_FOUND) {
		rows = find_queued(view, id);
		if (rows)
			shape = view_shape_queued();
	}
	if (rows)
		view_write(view, &shape, rows, NULL, fail);
	json_decref(args);
	json_decref(rows);
	return fail->status;
}

/* Return: whether a VM is called so; a number may be. */
static bool is_vm(struct view *view, const char *name)
{
	struct fail ignored = { 0 };
	json_t *vm = view_vm(view, name, &ignored);

	json_decref(vm);
	return vm != NULL;
}

/*
 * Digits mean a VM of that name if there is one; `request` means a request whatever VMs there are.
 */
int view_show(struct view *view, struct fail *fail)
{
	const struct pattern_arg *target = pattern_find(&view->args, "target");

	if (target->type == PATTERN_ID && !is_vm(view, target->value))
		return show_request(view, target->value, fail);
	return show_vm(view, target->value, fail);
}
