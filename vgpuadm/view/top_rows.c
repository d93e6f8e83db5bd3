/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_rows.c - the rows of the live view */

#include "vgpuadm/view/top_rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util.h"

#define STATS_WINDOW "1m" /* the shortest window that minutes' histograms answer well */

/* ---- one look ---- */

static const json_t *find_group(const json_t *stats, const char *vm)
{
	const json_t *row;
	size_t i;

	json_array_foreach(stats, i, row) {
		if (strcmp(field_string(row, "group"), vm) == 0)
			return row;
	}
	return NULL;
}

/* Requests a second since the last look; null the first time, and when the daemon began anew. */
static json_t *rate_of(const struct top_rows *rows, const char *vm, json_int_t requests,
		       uint64_t now_ns)
{
	const json_t *before = json_object_get(rows->seen, vm);
	json_int_t more = requests - json_integer_value(before);

	if (!before || more < 0 || now_ns <= rows->seen_ns)
		return json_null();
	return json_real((double)more * 1e9 / (double)(now_ns - rows->seen_ns));
}

/* What its programs have of their GPUs, in their last second; null: it has none, or vgpud does not say. */
static json_t *programs_share(const json_t *programs, const char *vm)
{
	bool any = false;
	double sum = 0;
	json_t *row;
	size_t i;

	json_array_foreach(programs, i, row) {
		const json_t *share = json_object_get(row, "gpu_share");

		if (strcmp(field_string(row, "vm"), vm) != 0 || !json_is_number(share))
			continue;
		sum += json_number_value(share);
		any = true;
	}
	return any ? json_real(sum) : json_null();
}

static void copy(json_t *to, const json_t *from, const char *const *keys)
{
	for (; *keys; keys++) {
		json_t *value = json_object_get(from, *keys);

		json_object_set(to, *keys, value ? value : json_null());
	}
}

static json_t *make_rows(struct top_rows *rows, const json_t *vms, const json_t *stats,
			 const json_t *programs)
{
	static const char *const of_vm[] = { "vm",	     "pool",   "priority",  "queued",
					     "running",	     "paused", "connected", "last_error",
					     "programs_now", NULL };
	static const char *const of_stats[] = { "wait_p50_ns", "wait_p99_ns", "gpu_share", NULL };
	json_t *made = json_array(), *seen = json_object(), *vm;
	uint64_t now_ns = util_now_ns();
	struct timespec wall;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &wall);
	json_array_foreach(vms, i, vm) {
		const char *name = field_string(vm, "vm");
		json_int_t requests = json_integer_value(json_object_get(vm, "requests"));
		json_t *row = json_pack("{s:I}", "time_unix_ns",
					(json_int_t)wall.tv_sec * (json_int_t)UTIL_NS_PER_S +
						wall.tv_nsec);

		copy(row, vm, of_vm);
		copy(row, find_group(stats, name), of_stats);
		json_object_set_new(row, "rate_per_s", rate_of(rows, name, requests, now_ns));
		json_object_set_new(row, "programs_gpu_share", programs_share(programs, name));
		json_object_set_new(seen, name, json_integer(requests));
		json_array_append_new(made, row);
	}
	json_decref(rows->seen);
	rows->seen = seen;
	rows->seen_ns = now_ns;
	return made;
}

/* What is shown if it can be had: without a ledger there are no statistics. */
static json_t *ask_for(struct view *view, const char *command, json_t *args)
{
	struct fail fail = { 0 };
	json_t *rows = view_rows(view, command, args, NULL, &fail);

	if (fail.status == ADMIN_ERROR_UNREACHABLE || fail.status == ADMIN_ERROR_TIMED_OUT ||
	    fail.status == FAIL_INTERRUPTED)
		view_disconnect(view);
	return rows;
}

json_t *top_rows_look(struct top_rows *rows, struct view *view, json_t **status, struct fail *fail)
{
	json_t *args = json_pack("{s:s, s:s}", "since", STATS_WINDOW, "by", "vm");
	json_t *vms = view_rows(view, "list", NULL, NULL, fail), *daemon = NULL;
	json_t *made = NULL;

	*status = NULL;
	if (vms)
		daemon = view_rows(view, "status", NULL, NULL, fail);
	if (daemon) {
		json_t *stats = ask_for(view, "stats", args);
		json_t *programs = ask_for(view, "programs", NULL);

		*status = json_incref(json_array_get(daemon, 0));
		made = top_rows_sorted(make_rows(rows, vms, stats, programs), "vm");
		json_decref(programs);
		json_decref(stats);
	}
	json_decref(daemon);
	json_decref(vms);
	json_decref(args);
	return made;
}

void top_rows_free(struct top_rows *rows)
{
	json_decref(rows->seen);
	*rows = (struct top_rows){ 0 };
}

/* ---- sorting ---- */

static int compare(const void *a, const void *b, void *key)
{
	const json_t *left = json_object_get(*(json_t *const *)a, key);
	const json_t *right = json_object_get(*(json_t *const *)b, key);
	double x = json_is_number(left) ? json_number_value(left) : -1;
	double y = json_is_number(right) ? json_number_value(right) : -1;
	int order = (x < y) - (x > y);

	if (json_is_string(left) && json_is_string(right))
		order = strverscmp(json_string_value(left), json_string_value(right));
	if (order == 0)
		order = strverscmp(field_string(*(json_t *const *)a, "vm"),
				   field_string(*(json_t *const *)b, "vm"));
	return order;
}

json_t *top_rows_sorted(json_t *rows, const char *key)
{
	size_t count = json_array_size(rows);
	json_t **list = calloc(count + 1, sizeof(*list)), *sorted = json_array();

	for (size_t i = 0; list && i < count; i++)
		list[i] = json_array_get(rows, i);
	if (list)
		qsort_r(list, count, sizeof(*list), compare, (char *)key);
	for (size_t i = 0; list && i < count; i++)
		json_array_append(sorted, list[i]);
	free(list);
	json_decref(rows);
	return sorted;
}
