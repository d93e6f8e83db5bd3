/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.c - all about one VM; the story of a request, program or submission */

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

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
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

/* Return: the rows of a command that takes an id; NULL: fail says why. */
static json_t *ask_id(struct view *view, const char *command, const char *id, struct fail *fail)
{
	json_t *args = json_pack("{s:s}", "id", id);
	json_t *rows = view_rows(view, command, args, NULL, fail);

	json_decref(args);
	return rows;
}

/* ---- a program ---- */

/* Adds what vgpud knows of a program that runs, where the ledger will know it at its end. */
static void add_live(struct view *view, json_t *program)
{
	const json_t *id = json_object_get(program, "id");
	struct fail ignored;
	json_t *rows = view_rows(view, "programs", NULL, NULL, &ignored), *row, *value;
	const char *key;
	size_t i;

	json_array_foreach(rows, i, row) {
		if (!json_equal(json_object_get(row, "id"), id))
			continue;
		json_object_foreach(row, key, value) {
			if (json_is_null(json_object_get(program, key)) ||
			    !json_object_get(program, key))
				json_object_set(program, key, value);
		}
	}
	json_decref(rows);
}

/* Return: the rows; NULL: fail says why. */
static json_t *ask_program(struct view *view, const char *id, struct fail *fail)
{
	json_t *rows = ask_id(view, "program", id, fail);
	json_t *row = json_array_get(rows, 0);

	if (row && !*field_string(row, "end"))
		add_live(view, row);
	return rows;
}

/* ---- what a number means ---- */

static int write_rows(struct view *view, struct output_shape *shape, json_t *rows,
		      struct fail *fail)
{
	if (rows && view_choose_columns(view, shape, fail) == 0)
		view_write(view, shape, rows, NULL, fail);
	json_decref(rows);
	return fail->status;
}

static int show_program(struct view *view, const char *id, struct fail *fail)
{
	struct output_shape shape = view_shape_program();

	return write_rows(view, &shape, ask_program(view, id, fail), fail);
}

static int show_submission(struct view *view, const char *id, struct fail *fail)
{
	struct output_shape shape = view_shape_submission();

	return write_rows(view, &shape, ask_id(view, "submission", id, fail), fail);
}

/*
 * A request that has ended is in the ledger, one that has not is in the queue. Requests and programs are counted
 * apart: if no request has the number, a program may.
 */
static int show_number(struct view *view, const char *id, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_SHOW, &view->args);
	json_t *rows = ask_id(view, "request", id, fail);

	if (!rows && fail->status == ADMIN_ERROR_NOT_FOUND) {
		shape = view_shape_queued();
		rows = find_queued(view, id);
	}
	if (!rows && fail->status == ADMIN_ERROR_NOT_FOUND) {
		shape = view_shape_program();
		rows = ask_program(view, id, fail);
	}
	/* An earlier vgpud knows no such command. */
	if (!rows && (fail->status == ADMIN_ERROR_NOT_FOUND || fail->status == ADMIN_ERROR_USAGE))
		return fail_set(fail, ADMIN_ERROR_NOT_FOUND,
				"%s: no such vm, request or program (vgpuadm list, queue, requests "
				"and programs --since 7d show them; show --submission tells of "
				"submissions)",
				id);
	return write_rows(view, &shape, rows, fail);
}

/* Return: whether a VM is called so; a number may be. */
static bool is_vm(struct view *view, const char *name)
{
	struct fail ignored = { 0 };
	json_t *vm = view_vm(view, name, &ignored);

	json_decref(vm);
	return vm != NULL;
}

/* With --program or --submission. */
static int show_chosen(struct view *view, const struct pattern_arg *target, struct fail *fail)
{
	bool program = pattern_find(&view->args, "program") != NULL;

	if (program && pattern_find(&view->args, "submission"))
		return fail_set(fail, ADMIN_ERROR_USAGE,
				"--program and --submission: give one of them");
	if (target->type != PATTERN_ID)
		return fail_set(fail, ADMIN_ERROR_USAGE, "%s: expected a number with --%s",
				target->value, program ? "program" : "submission");
	return program ? show_program(view, target->value, fail)
		       : show_submission(view, target->value, fail);
}

/*
 * Digits mean a VM of that name if there is one; `request` means a request whatever VMs there are.
 */
int view_show(struct view *view, struct fail *fail)
{
	const struct pattern_arg *target = pattern_find(&view->args, "target");

	if (pattern_find(&view->args, "program") || pattern_find(&view->args, "submission"))
		return show_chosen(view, target, fail);
	if (target->type == PATTERN_ID && !is_vm(view, target->value))
		return show_number(view, target->value, fail);
	return show_vm(view, target->value, fail);
}
