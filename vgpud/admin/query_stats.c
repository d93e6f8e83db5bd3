/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_stats.c - the commands that add requests up */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "common/util.h"
#include "vgpud/admin/query_private.h"

#define RATES_DEFAULT_MINUTES 60
#define RATES_MOST_MINUTES (7 * 24 * 60)

/* --- names of groups --- */

struct vm_name {
	uint32_t id;
	char *name;
};

/* All VMs by id, and what the groups are. */
struct groups {
	struct query *q;
	enum ledger_query_by by;
	struct vm_name *vms;
	size_t vms_num;
	json_t *rows;
	json_t *by_key; /* the same rows, by the group's key as a text */
	double window_s;
};

static int keep_vm(void *arg, const struct ledger_query_vm *vm)
{
	struct groups *groups = arg;
	struct vm_name *vms = reallocarray(groups->vms, groups->vms_num + 1, sizeof(*vms));
	char *name = strdup(vm->name);

	if (vms != NULL)
		groups->vms = vms;
	if (vms == NULL || name == NULL) {
		free(name);
		return -ENOMEM;
	}
	vms[groups->vms_num++] = (struct vm_name){ .id = vm->id, .name = name };
	return 0;
}

static void forget_vms(struct groups *groups)
{
	for (size_t i = 0; i < groups->vms_num; i++)
		free(groups->vms[i].name);
	free(groups->vms);
}

/* Return: a JSON string. */
static json_t *vm_name(const struct groups *groups, int64_t id)
{
	char number[24];

	for (size_t i = 0; i < groups->vms_num; i++)
		if (groups->vms[i].id == id)
			return json_string(groups->vms[i].name);
	snprintf(number, sizeof(number), "#%lld", (long long)id);
	return json_string(number);
}

static json_t *group_name(const struct groups *groups, int64_t key)
{
	char letter[2] = { (char)key, '\0' };

	switch (groups->by) {
	case LEDGER_QUERY_BY_NOTHING:
		break;
	case LEDGER_QUERY_BY_VM:
		return vm_name(groups, key);
	case LEDGER_QUERY_BY_POOL:
		return json_string(letter);
	case LEDGER_QUERY_BY_PRIORITY:
		return json_string(name_priority((uint32_t)key));
	case LEDGER_QUERY_BY_OPCODE:
		return json_string(key >= 0 ? name_opcode((uint32_t)key) : "unknown");
	case LEDGER_QUERY_BY_PROGRAM: /* not of stats */
		break;
	}
	return json_string("all");
}

/* --- stats --- */

/* Keys "wait_p50_ns" and so on; all null when nothing is known. */
static void add_times(json_t *row, const char *name, const struct ledger_query_times *times)
{
	const struct {
		const char *what;
		int64_t ns;
	} values[] = {
		{ "p50", times->p50_ns },   { "p90", times->p90_ns }, { "p99", times->p99_ns },
		{ "p999", times->p999_ns }, { "max", times->max_ns },
	};
	char key[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s_ns", name, values[i].what);
		json_object_set_new(row, key,
				    times->count > 0 ? json_integer(values[i].ns) : json_null());
	}
}

static void set_requests(json_t *row, const struct ledger_query_stats *stats)
{
	json_object_set_new(row, "count", json_integer((json_int_t)stats->count));
	json_object_set_new(row, "errors", json_integer((json_int_t)stats->errors));
	add_times(row, "wait", &stats->wait);
	add_times(row, "exec", &stats->exec);
	add_times(row, "total", &stats->total);
	json_object_set_new(row, "requests_gpu_time_ns", json_integer(stats->exec.sum_ns));
}

static void set_submissions(json_t *row, const struct ledger_query_submissions *found)
{
	json_object_set_new(row, "submissions",
			    json_integer((json_int_t)(found->count + found->open)));
	json_object_set_new(row, "submissions_open", json_integer((json_int_t)found->open));
	json_object_set_new(row, "submission_time_ns", json_integer(found->latency.sum_ns));
	add_times(row, "submission", &found->latency);
}

/* Return: the row of a group, borrowed, a new one if there was none; NULL: no memory. */
static json_t *row_of(struct groups *groups, int64_t key)
{
	static const struct ledger_query_stats no_requests;
	static const struct ledger_query_submissions no_submissions;
	static const char *const of_programs[] = { "submissions", "submissions_open",
						   "submission_time_ns", "programs_gpu_time_ns" };
	char text[24];
	json_t *row;

	snprintf(text, sizeof(text), "%lld", (long long)key);
	row = json_object_get(groups->by_key, text);
	if (row != NULL)
		return row;
	row = json_pack("{s:o}", "group", group_name(groups, key));
	set_requests(row, &no_requests);
	set_submissions(row, &no_submissions);
	json_object_set_new(row, "programs_gpu_time_ns", json_integer(0));
	/* They have no opcode. */
	for (size_t i = 0; i < 4 && groups->by == LEDGER_QUERY_BY_OPCODE; i++)
		json_object_set_new(row, of_programs[i], json_null());
	json_object_set_new(groups->by_key, text, row);
	return json_array_append(groups->rows, row) == 0 ? row : NULL;
}

static int keep_group(void *arg, const struct ledger_query_stats *stats)
{
	struct groups *groups = arg;
	json_t *row = row_of(groups, stats->key);

	if (row == NULL)
		return -ENOMEM;
	set_requests(row, stats);
	return 0;
}

static int keep_submissions(void *arg, const struct ledger_query_submissions *found)
{
	json_t *row = row_of(arg, found->key);

	if (row == NULL)
		return -ENOMEM;
	set_submissions(row, found);
	return 0;
}

static int keep_used(void *arg, const struct ledger_query_used *used)
{
	json_t *row;

	if (used->billed_ns == LEDGER_UNKNOWN)
		return 0;
	row = row_of(arg, used->key);
	return row != NULL ? json_object_set_new(row, "programs_gpu_time_ns",
						 json_integer((json_int_t)used->billed_ns))
			   : -ENOMEM;
}

static json_int_t number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* Return: the GPU time of all groups, in ns. */
static json_int_t add_gpu_times(json_t **rows, size_t num)
{
	json_int_t all_ns = 0;

	for (size_t i = 0; i < num; i++) {
		json_int_t gpu_ns = number(rows[i], "requests_gpu_time_ns") +
				    number(rows[i], "programs_gpu_time_ns");

		json_object_set_new(rows[i], "gpu_time_ns", json_integer(gpu_ns));
		all_ns += gpu_ns;
	}
	return all_ns;
}

static int by_group(const void *a, const void *b)
{
	const json_t *const *left = a, *const *right = b;

	return strverscmp(json_string_value(json_object_get(*left, "group")),
			  json_string_value(json_object_get(*right, "group")));
}

/* Shares need the sum of all groups, so rows are shown last. vm10 sorts after vm9. */
static void show_groups(struct groups *groups)
{
	size_t num = json_array_size(groups->rows);
	json_t **rows = calloc(num + 1, sizeof(json_t *));
	json_int_t all_ns;

	if (rows == NULL) {
		query_fail(groups->q, "refused", "out of memory");
		return;
	}
	for (size_t i = 0; i < num; i++)
		rows[i] = json_array_get(groups->rows, i);
	if (groups->by == LEDGER_QUERY_BY_VM)
		qsort(rows, num, sizeof(json_t *), by_group);
	all_ns = add_gpu_times(rows, num);
	for (size_t i = 0; i < num; i++) {
		json_object_set_new(rows[i], "rate_per_s",
				    json_real((double)number(rows[i], "count") / groups->window_s));
		json_object_set_new(rows[i], "gpu_share",
				    all_ns > 0 ? json_real((double)number(rows[i], "gpu_time_ns") /
							   (double)all_ns)
					       : json_null());
		query_row(groups->q, json_incref(rows[i]));
	}
	free(rows);
}

static enum ledger_query_by by_word(const char *word)
{
	if (word == NULL)
		return LEDGER_QUERY_BY_NOTHING;
	return LEDGER_QUERY_BY_VM + (enum ledger_query_by)pattern_type_index(PATTERN_GROUP, word);
}

/* The window as it was used. */
static void use_window(struct groups *groups, const struct ledger_query_window *window)
{
	int64_t until_ns = window->until_ns;

	groups->q->filter.since_ns = window->since_ns;
	if (until_ns == INT64_MAX)
		until_ns = groups->q->now_ns;
	groups->q->filter.until_ns = until_ns;
	groups->window_s = (double)(until_ns - window->since_ns) / (double)UTIL_NS_PER_S;
}

static void blame(struct query *q, struct groups *groups);

/* Blame is exact with --exact and without. Return: 0, or -EINVAL after having failed. */
static int check_blame(struct query *q)
{
	if (query_arg(q, "blame") == NULL || query_arg(q, "by") == NULL)
		return 0;
	query_fail(q, "usage", "--blame is by VM: leave --by out");
	return -EINVAL;
}

void query_stats(struct query *q)
{
	bool exact = json_is_true(json_object_get(q->args, "exact"));
	struct groups groups = { .q = q,
				 .by = by_word(query_arg(q, "by")),
				 .rows = json_array(),
				 .by_key = json_object() };
	struct ledger_query_window window;
	json_t *end;

	if (check_blame(q) == 0 && query_filter(q) == 0 && query_window_from_first(q) == 0 &&
	    query_check(q, ledger_query_vms(q->ledger, keep_vm, &groups)) == 0) {
		if (query_arg(q, "blame") != NULL) {
			blame(q, &groups);
		} else if (query_check(q,
				       ledger_query_stats(q->ledger, &q->filter, groups.by, exact,
							  &window, keep_group, &groups)) == 0 &&
			   query_check(q, ledger_query_submissions(q->ledger, &q->filter, groups.by,
								   keep_submissions, &groups)) ==
				   0 &&
			   query_check(q, ledger_query_used(q->ledger, &q->filter, groups.by,
							    keep_used, &groups)) == 0) {
			use_window(&groups, &window);
			show_groups(&groups);
			end = query_window_row(q);
			json_object_set_new(end, "exact", json_boolean(exact));
			json_object_set_new(end, "widened", json_boolean(window.widened));
			query_end(q, end);
		}
	}
	json_decref(groups.rows);
	json_decref(groups.by_key);
	forget_vms(&groups);
}

/* --- blame --- */

/* programs_ns: for what the programs of the VM waited, but for other programs: those are in the rows. */
struct shares {
	struct groups *groups;
	json_t *rows;
	int64_t idle_ns;
	json_int_t programs_total_ns, programs_ns[LEDGER_WAIT_NUM];
};

/* Return: the row of a VM, borrowed; a new one if there was none; NULL: no memory. */
static json_t *share_row(struct shares *shares, int64_t vm_id)
{
	json_t *name = vm_name(shares->groups, vm_id), *row;
	size_t i;

	json_array_foreach(shares->rows, i, row) {
		if (json_equal(json_object_get(row, "group"), name)) {
			json_decref(name);
			return row;
		}
	}
	row = json_pack("{s:o, s:i, s:i}", "group", name, "blocked_ns", 0, "programs_blocked_ns",
			0);
	return json_array_append_new(shares->rows, row) == 0 ? row : NULL;
}

static int keep_share(void *arg, const struct ledger_query_share *share)
{
	struct shares *shares = arg;
	json_t *row;

	if (share->vm_id == LEDGER_QUERY_NOBODY) {
		shares->idle_ns = share->ns;
		return 0;
	}
	row = share_row(shares, share->vm_id);
	return row != NULL ? json_object_set_new(row, "blocked_ns", json_integer(share->ns))
			   : -ENOMEM;
}

static int keep_wait(void *arg, const struct ledger_wait *wait)
{
	struct shares *shares = arg;
	json_int_t ns = (json_int_t)wait->ns;
	json_t *row;

	shares->programs_total_ns += ns;
	if (wait->cause != LEDGER_WAIT_VM) {
		if (wait->cause < LEDGER_WAIT_NUM)
			shares->programs_ns[wait->cause] += ns;
		return 0;
	}
	row = share_row(shares, wait->by_vm_id);
	return row != NULL ? json_object_set_new(row, "programs_blocked_ns", json_integer(ns))
			   : -ENOMEM;
}

/* Return: which part of the whole, null of nothing. */
static json_t *part_of(json_int_t ns, json_int_t whole_ns)
{
	return whole_ns > 0 ? json_real((double)ns / (double)whole_ns) : json_null();
}

static void show_shares(struct shares *shares, json_int_t wait_ns)
{
	json_t *row;
	size_t i;

	json_array_foreach(shares->rows, i, row) {
		json_object_set_new(
			row, "share",
			part_of(json_integer_value(json_object_get(row, "blocked_ns")), wait_ns));
		json_object_set_new(
			row, "programs_share",
			part_of(json_integer_value(json_object_get(row, "programs_blocked_ns")),
				shares->programs_total_ns));
		query_row(shares->groups->q, json_incref(row));
	}
}

static void blame(struct query *q, struct groups *groups)
{
	struct shares shares = { .groups = groups, .rows = json_array() };
	struct ledger_query_blame total;
	json_t *end;
	int err = query_filter_vm(q, query_arg(q, "blame"));

	if (err == 0) {
		err = ledger_query_blame(q->ledger, &q->filter, q->pools, &total, keep_share,
					 &shares);
		if (err == -E2BIG)
			query_fail(q, "refused", "%s", ledger_query_error(q->ledger));
		else
			query_check(q, err);
	}
	if (err == 0)
		err = query_check(q, ledger_query_waits(q->ledger, &q->filter, keep_wait, &shares));
	if (err == 0) {
		show_shares(&shares, total.wait_ns);
		end = query_window_row(q);
		json_object_set_new(end, "vm", json_string(query_arg(q, "blame")));
		json_object_set_new(end, "waited", json_integer((json_int_t)total.waited));
		json_object_set_new(end, "wait_total_ns", json_integer(total.wait_ns));
		json_object_set_new(end, "idle_ns", json_integer(shares.idle_ns));
		json_object_set_new(end, "limited_ns", json_integer(total.limited_ns));
		json_object_set_new(end, "programs_wait_total_ns",
				    json_integer(shares.programs_total_ns));
		json_object_set_new(end, "programs_others_ns",
				    json_integer(shares.programs_ns[LEDGER_WAIT_OTHERS]));
		json_object_set_new(end, "programs_cap_ns",
				    json_integer(shares.programs_ns[LEDGER_WAIT_CAP]));
		json_object_set_new(end, "programs_paused_ns",
				    json_integer(shares.programs_ns[LEDGER_WAIT_PAUSED]));
		query_end(q, end);
	}
	json_decref(shares.rows);
}

/* --- rates --- */

struct minute {
	struct query *q;
	int64_t start_ns;
	bool seen;
};

static json_t *minute_row(int64_t start_ns, uint64_t count, uint64_t errors, json_t *p99)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "minute_unix_ns", (json_int_t)start_ns, "count",
			 (json_int_t)count, "errors", (json_int_t)errors, "total_p99_ns", p99);
}

static int show_minute(void *arg, const struct ledger_query_stats *stats)
{
	struct minute *minute = arg;

	minute->seen = true;
	return query_row(minute->q,
			 minute_row(minute->start_ns, stats->count, stats->errors,
				    stats->total.count > 0 ? json_integer(stats->total.p99_ns)
							   : json_null()));
}

void query_rates(struct query *q)
{
	int64_t at_ns, until_ns;

	if (query_filter(q) != 0)
		return;
	until_ns = q->filter.until_ns < q->now_ns ? q->filter.until_ns : q->now_ns;
	at_ns = q->filter.since_ns;
	if (query_arg(q, "since") == NULL)
		at_ns = until_ns - RATES_DEFAULT_MINUTES * UTIL_NS_PER_MINUTE;
	if ((until_ns - at_ns) / UTIL_NS_PER_MINUTE > RATES_MOST_MINUTES) {
		query_fail(q, "usage", "the window has more than %d minutes, which is a week",
			   RATES_MOST_MINUTES);
		return;
	}
	for (at_ns -= at_ns % UTIL_NS_PER_MINUTE; at_ns < until_ns; at_ns += UTIL_NS_PER_MINUTE) {
		struct minute minute = { .q = q, .start_ns = at_ns };
		struct ledger_query_window window;

		q->filter.since_ns = at_ns;
		q->filter.until_ns = at_ns + UTIL_NS_PER_MINUTE;
		if (query_check(q,
				ledger_query_stats(q->ledger, &q->filter, LEDGER_QUERY_BY_NOTHING,
						   false, &window, show_minute, &minute)) != 0)
			return;
		if (!minute.seen && query_row(q, minute_row(at_ns, 0, 0, json_null())) != 0)
			return;
	}
	query_end(q, NULL);
}
