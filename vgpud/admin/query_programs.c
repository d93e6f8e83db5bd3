/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_programs.c - the commands about programs that the database answers: past ones, usage */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cmd/pattern_types.h"
#include "common/names.h"
#include "common/util.h"
#include "vgpud/admin/figures.h"
#include "vgpud/admin/query_private.h"

#define SECONDS_PER_HOUR 3600
#define DAYS_MOST 1000 /* rows of usage --by day */
#define LIMIT_DEFAULT 10000
#define LIMIT_MOST 100000

/* --- one program, programs --since --- */

static json_t *program_row(const struct ledger_query_program *p, int64_t now_ns)
{
	const struct ledger_program *program = &p->program;
	char number[16], pool[2] = { (char)program->pool, '\0' };
	bool known_end = program->ended_ns != LEDGER_UNKNOWN;
	int64_t until_ns = known_end ? (int64_t)program->ended_ns : now_ns;
	bool known_age = known_end || p->runs;
	json_t *row;

	snprintf(number, sizeof(number), "#%u", program->vm_id);
	row = json_pack(
		"{s:I, s:s, s:I, s:o, s:I, s:s, s:s, s:s, s:i, s:o, s:I, s:o, s:o, s:o, s:o}", "id",
		(json_int_t)program->id, "vm", p->vm_name != NULL ? p->vm_name : number, "vm_id",
		(json_int_t)program->vm_id, "name", query_text(p->name), "pid",
		(json_int_t)program->pid, "pool", pool, "priority",
		name_priority(program->priority), "executor", name_executor(program->executor),
		"device", (int)program->device, "end",
		p->runs ? json_null() : json_string(name_end((enum vgpu_end)program->why)),
		"since_unix_ns", (json_int_t)program->begun_ns, "ended_unix_ns",
		figures_number(program->ended_ns), "age_ns",
		known_age ? json_integer(until_ns - (int64_t)program->begun_ns) : json_null(),
		"peer_uid", program->uid != UINT32_MAX ? json_integer(program->uid) : json_null(),
		"refused_names", query_text(p->refused_names));
	figures_set(row, program, &p->latency);
	return row;
}

struct listing {
	struct query *q;
	json_t *rows; /* newest first */
};

static int keep_program(void *arg, const struct ledger_query_program *p)
{
	struct listing *listing = arg;

	return json_array_append_new(listing->rows, program_row(p, listing->q->now_ns));
}

void query_programs(struct query *q)
{
	struct listing listing = { .q = q, .rows = json_array() };
	uint64_t most = LIMIT_DEFAULT;
	size_t num;

	if (query_arg(q, "limit") != NULL)
		util_parse_u64(query_arg(q, "limit"), 1, UINT32_MAX, &most);
	if (most > LIMIT_MOST)
		most = LIMIT_MOST;
	if (query_filter(q) == 0 &&
	    query_check(q, ledger_query_programs(q->ledger, &q->filter, most, keep_program,
						 &listing)) == 0) {
		num = json_array_size(listing.rows);
		for (size_t i = num; i > 0; i--)
			query_row(q, json_incref(json_array_get(listing.rows, i - 1)));
		query_end(q, json_pack("{s:b}", "limited", num == most));
	}
	json_decref(listing.rows);
}

/* --- a program's story --- */

/* VMs' names by their number as a text. */
static int keep_name(void *arg, const struct ledger_query_vm *vm)
{
	char key[24];

	snprintf(key, sizeof(key), "%u", vm->id);
	return json_object_set_new(arg, key, json_string(vm->name));
}

/* A program, and for what programs of its VM waited meanwhile. */
struct story {
	struct query *q;
	json_t *row, *names;
	int64_t begun_ns, until_ns; /* until_ns 0: not known */
	json_int_t waited_ns;
	json_t *waits; /* [who or what, ns], the longest first */
};

static int keep_story(void *arg, const struct ledger_query_program *p)
{
	struct story *story = arg;

	story->q->filter.vm_id = p->program.vm_id;
	story->begun_ns = (int64_t)p->program.begun_ns;
	if (p->runs)
		story->until_ns = story->q->now_ns + 1;
	else if (p->program.ended_ns != LEDGER_UNKNOWN)
		story->until_ns = (int64_t)p->program.ended_ns + 1;
	story->row = program_row(p, story->q->now_ns);
	return story->row != NULL ? 0 : -ENOMEM;
}

static int keep_story_wait(void *arg, const struct ledger_wait *wait)
{
	static const char *const causes[LEDGER_WAIT_NUM] = {
		[LEDGER_WAIT_OTHERS] = "other VMs",
		[LEDGER_WAIT_CAP] = "cap",
		[LEDGER_WAIT_PAUSED] = "paused",
	};
	struct story *story = arg;
	const char *what = wait->cause < LEDGER_WAIT_NUM ? causes[wait->cause] : NULL;
	char key[24];

	snprintf(key, sizeof(key), "%u", wait->by_vm_id);
	if (what == NULL)
		what = json_string_value(json_object_get(story->names, key));
	story->waited_ns += (json_int_t)wait->ns;
	return json_array_append_new(story->waits,
				     json_pack("[s?, I]", what, (json_int_t)wait->ns));
}

static json_t *waited_for(const struct story *story)
{
	struct figures_waits waits = { 0 };
	json_t *wait;
	size_t i;

	json_array_foreach(story->waits, i, wait)
		figures_add_wait(&waits, json_string_value(json_array_get(wait, 0)),
				 (uint64_t)json_integer_value(json_array_get(wait, 1)),
				 (uint64_t)story->waited_ns);
	return figures_waits(&waits);
}

/* Adds for what programs of its VM waited in the minutes of its life. Return: 0, or -errno after having failed. */
static int add_waits(struct story *story)
{
	struct query *q = story->q;
	bool known = story->until_ns > 0;
	int err = 0;

	q->filter.since_ns = story->begun_ns;
	q->filter.until_ns = story->until_ns;
	if (known)
		err = query_check(q, ledger_query_vms(q->ledger, keep_name, story->names));
	if (known && err == 0)
		err = query_check(
			q, ledger_query_waits(q->ledger, &q->filter, keep_story_wait, story));
	json_object_set_new(story->row, "vm_waited_ns",
			    query_number(known, (uint64_t)story->waited_ns));
	json_object_set_new(story->row, "vm_waited_for", waited_for(story));
	return err;
}

void query_program(struct query *q)
{
	struct story story = { .q = q, .names = json_object(), .waits = json_array() };
	uint64_t id = 0;
	int err;

	q->filter = (struct ledger_query_filter)LEDGER_QUERY_FILTER_ALL;
	util_parse_u64(query_arg(q, "id"), 1, UINT64_MAX, &id);
	err = ledger_query_program(q->ledger, id, keep_story, &story);
	if (err == -ENOENT)
		query_fail(q, "not-found",
			   "%s: no such program (vgpuadm programs shows those that run, with "
			   "--since 7d those that have ended too)",
			   query_arg(q, "id"));
	else if (query_check(q, err) == 0 && add_waits(&story) == 0 &&
		 query_row(q, json_incref(story.row)) == 0)
		query_end(q, NULL);
	json_decref(story.row);
	json_decref(story.names);
	json_decref(story.waits);
}

/* --- usage --- */

enum account { ACCOUNT_VM, ACCOUNT_POOL, ACCOUNT_PROGRAM, ACCOUNT_DAY, ACCOUNT_ALL };

struct usage {
	struct query *q;
	enum ledger_query_by by;
	const char *label; /* of the one group; NULL: by its key */
	json_t *rows;	   /* by the group's key as a text */
};

static json_t *new_row(const char *group)
{
	json_t *row = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "group", group, "programs",
				0, "program_time_ns", 0, "gpu_time_ns", 0, "requests", 0, "errors",
				0, "requests_gpu_time_ns", 0);
	static const char *const unknown[] = { "programs_gpu_time_ns",
					       "memory_byte_h",
					       "submissions",
					       "commands",
					       "launches",
					       "copies",
					       "copy_bytes",
					       "refused" };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		json_object_set_new(row, unknown[i], json_null());
	return row;
}

/* Return: the row of a group, borrowed; a new one if there was none. */
static json_t *row_of(struct usage *usage, int64_t key)
{
	char name[24];
	json_t *row;

	snprintf(name, sizeof(name), "%lld", (long long)key);
	row = json_object_get(usage->rows, name);
	if (row != NULL)
		return row;
	row = new_row("");
	json_object_set_new(usage->rows, name, row);
	return row;
}

static int add_lived(void *arg, const struct ledger_query_lived *lived)
{
	json_t *row = row_of(arg, lived->key);

	json_object_set_new(row, "programs", json_integer((json_int_t)lived->programs));
	json_object_set_new(row, "program_time_ns", json_integer(lived->program_ns));
	return 0;
}

static int add_used(void *arg, const struct ledger_query_used *used)
{
	json_t *row = row_of(arg, used->key);
	uint64_t byte_s = used->memory_byte_s;

	json_object_set_new(row, "programs_gpu_time_ns", figures_number(used->billed_ns));
	json_object_set_new(
		row, "memory_byte_h",
		figures_number(byte_s == LEDGER_UNKNOWN ? byte_s : byte_s / SECONDS_PER_HOUR));
	json_object_set_new(row, "submissions", figures_number(used->submissions));
	json_object_set_new(row, "commands", figures_number(used->commands));
	json_object_set_new(row, "launches", figures_number(used->launches));
	json_object_set_new(row, "copies", figures_number(used->copies));
	json_object_set_new(row, "copy_bytes", figures_number(used->copy_bytes));
	json_object_set_new(row, "refused", figures_number(used->refused));
	return 0;
}

static int add_requests(void *arg, const struct ledger_query_stats *stats)
{
	json_t *row = row_of(arg, stats->key);

	json_object_set_new(row, "requests", json_integer((json_int_t)stats->count));
	json_object_set_new(row, "errors", json_integer((json_int_t)stats->errors));
	json_object_set_new(row, "requests_gpu_time_ns", json_integer(stats->exec.sum_ns));
	return 0;
}

/* The name of a group of that key; the programs' have theirs already, if it is known. No program has number 0. */
static json_t *name_group(const struct usage *usage, const json_t *names, const char *key,
			  const json_t *row)
{
	const json_t *known = usage->by == LEDGER_QUERY_BY_PROGRAM ? json_object_get(row, "group")
			      : usage->by == LEDGER_QUERY_BY_VM	   ? json_object_get(names, key)
								   : NULL;
	char text[32];

	if (known != NULL && json_string_length(known) > 0)
		return json_incref((json_t *)known);
	if (usage->label != NULL)
		snprintf(text, sizeof(text), "%s", usage->label);
	else if (usage->by == LEDGER_QUERY_BY_POOL)
		snprintf(text, sizeof(text), "%c", (char)strtol(key, NULL, 10));
	else if (usage->by == LEDGER_QUERY_BY_PROGRAM && strcmp(key, "0") == 0)
		snprintf(text, sizeof(text), "requests");
	else
		snprintf(text, sizeof(text), usage->by == LEDGER_QUERY_BY_VM ? "#%s" : "%s", key);
	return json_string(text);
}

/* Names a row, and adds up its GPU time. */
static void finish_row(const struct usage *usage, const json_t *names, const char *key, json_t *row)
{
	json_object_set_new(row, "group", name_group(usage, names, key, row));
	/* Of programs whose GPU time was not measured, none is in the sum. */
	json_object_set_new(
		row, "gpu_time_ns",
		json_integer(json_integer_value(json_object_get(row, "programs_gpu_time_ns")) +
			     json_integer_value(json_object_get(row, "requests_gpu_time_ns"))));
}

static int by_group(const void *a, const void *b)
{
	const json_t *const *left = a, *const *right = b;

	return strverscmp(json_string_value(json_object_get(*left, "group")),
			  json_string_value(json_object_get(*right, "group")));
}

/* By name, vm10 after vm9. */
static void show_sorted(struct query *q, json_t *rows)
{
	size_t num = 0;
	json_t **sorted = calloc(json_object_size(rows) + 1, sizeof(json_t *)), *row;
	const char *key;

	if (sorted == NULL) {
		query_fail(q, "refused", "out of memory");
		return;
	}
	json_object_foreach(rows, key, row) {
		sorted[num++] = row;
	}
	qsort(sorted, num, sizeof(json_t *), by_group);
	for (size_t i = 0; i < num; i++)
		query_row(q, json_incref(sorted[i]));
	free(sorted);
}

/* Adds up one window, and gives its rows. Return: 0, or -errno after having failed. */
static int show_window(struct usage *usage)
{
	struct query *q = usage->q;
	struct ledger_query_window window;
	json_t *names = json_object(), *row;
	const char *key;
	int err;

	usage->rows = json_object();
	err = query_check(q, ledger_query_vms(q->ledger, keep_name, names));
	if (err == 0)
		err = query_check(q, ledger_query_lived(q->ledger, &q->filter, usage->by, q->now_ns,
							add_lived, usage));
	if (err == 0)
		err = query_check(
			q, ledger_query_used(q->ledger, &q->filter, usage->by, add_used, usage));
	if (err == 0)
		err = query_check(q, ledger_query_stats(q->ledger, &q->filter, usage->by, false,
							&window, add_requests, usage));
	if (err == 0) {
		json_object_foreach(usage->rows, key, row) {
			finish_row(usage, names, key, row);
		}
		show_sorted(q, usage->rows);
	}
	json_decref(usage->rows);
	json_decref(names);
	return err;
}

/* One row for each day (UTC) of the window. */
static int show_days(struct usage *usage)
{
	struct query *q = usage->q;
	struct ledger_query_filter whole = q->filter;
	int64_t until_ns = whole.until_ns < q->now_ns ? whole.until_ns : q->now_ns;
	int64_t day_ns = whole.since_ns - whole.since_ns % UTIL_NS_PER_DAY;
	int err = 0;

	if ((until_ns - day_ns) / UTIL_NS_PER_DAY >= DAYS_MOST) {
		query_fail(q, "usage", "the window has more than %d days", DAYS_MOST);
		return -EINVAL;
	}
	for (; err == 0 && day_ns < until_ns; day_ns += UTIL_NS_PER_DAY) {
		time_t seconds = (time_t)(day_ns / UTIL_NS_PER_S);
		char label[16];
		struct tm utc;

		if (gmtime_r(&seconds, &utc) == NULL ||
		    strftime(label, sizeof(label), "%Y-%m-%d", &utc) == 0)
			return -EINVAL;
		usage->label = label;
		q->filter.since_ns = day_ns > whole.since_ns ? day_ns : whole.since_ns;
		q->filter.until_ns = day_ns + UTIL_NS_PER_DAY < until_ns ? day_ns + UTIL_NS_PER_DAY
									 : until_ns;
		err = show_window(usage);
		usage->label = NULL; /* it ends with this turn */
	}
	q->filter = whole;
	return err;
}

/* By program, whose row gives the group its name. */
static int keep_lived(void *arg, const struct ledger_query_program *p)
{
	struct usage *usage = arg;
	const struct query *q = usage->q;
	int64_t begun_ns = (int64_t)p->program.begun_ns, until_ns = q->now_ns;
	struct ledger_query_lived lived = { .key = (int64_t)p->program.id, .programs = 1 };
	char label[128];

	if (!p->runs)
		until_ns = p->seen_to_ns;
	if (until_ns > q->filter.until_ns)
		until_ns = q->filter.until_ns;
	if (begun_ns < q->filter.since_ns)
		begun_ns = q->filter.since_ns;
	lived.program_ns = until_ns > begun_ns ? until_ns - begun_ns : 0;
	add_lived(usage, &lived);
	snprintf(label, sizeof(label), "%llu %s", (unsigned long long)p->program.id,
		 p->name != NULL ? p->name : "");
	json_object_set_new(row_of(usage, lived.key), "group", json_string(label));
	return 0;
}

/* One row for each program, and one for requests, which belong to none. */
static int show_programs(struct usage *usage)
{
	struct query *q = usage->q;
	struct ledger_query_window window;
	const char *key;
	json_t *row;
	int err;

	usage->rows = json_object();
	err = query_check(
		q, ledger_query_programs(q->ledger, &q->filter, LIMIT_MOST + 1, keep_lived, usage));
	/* Minutes may be kept for longer than the rows of their programs. */
	if (err == 0)
		err = query_check(
			q, ledger_query_used(q->ledger, &q->filter, usage->by, add_used, usage));
	/* A bill does not leave any out. */
	if (err == 0 && json_object_size(usage->rows) > LIMIT_MOST) {
		query_fail(q, "usage", "the window has more than %d programs", LIMIT_MOST);
		err = -EINVAL;
	}
	if (err == 0)
		err = query_check(q,
				  ledger_query_stats(q->ledger, &q->filter, LEDGER_QUERY_BY_NOTHING,
						     false, &window, add_requests, usage));
	if (err == 0) {
		json_object_foreach(usage->rows, key, row) {
			finish_row(usage, NULL, key, row);
		}
		show_sorted(q, usage->rows);
	}
	json_decref(usage->rows);
	return err;
}

/* Programs are counted by minutes, so a window is made of whole ones. */
static void widen(struct query *q)
{
	int64_t *until_ns = &q->filter.until_ns;

	q->filter.since_ns -= q->filter.since_ns % UTIL_NS_PER_MINUTE;
	if (*until_ns < q->now_ns && *until_ns % UTIL_NS_PER_MINUTE != 0)
		*until_ns += UTIL_NS_PER_MINUTE - *until_ns % UTIL_NS_PER_MINUTE;
	if (*until_ns > q->now_ns)
		*until_ns = q->now_ns + 1;
}

void query_usage(struct query *q)
{
	static const enum ledger_query_by bys[] = { [ACCOUNT_VM] = LEDGER_QUERY_BY_VM,
						    [ACCOUNT_POOL] = LEDGER_QUERY_BY_POOL,
						    [ACCOUNT_PROGRAM] = LEDGER_QUERY_BY_PROGRAM,
						    [ACCOUNT_DAY] = LEDGER_QUERY_BY_NOTHING,
						    [ACCOUNT_ALL] = LEDGER_QUERY_BY_NOTHING };
	const char *by = query_arg(q, "by");
	int account = by != NULL ? pattern_type_index(PATTERN_ACCOUNT, by) : ACCOUNT_ALL;
	struct usage usage = { .q = q };
	int err = query_filter(q);

	if (err == 0)
		err = query_window_from_first(q);
	if (err != 0)
		return;
	widen(q);
	usage.by = bys[account];
	if (account == ACCOUNT_PROGRAM)
		err = show_programs(&usage);
	else if (account == ACCOUNT_DAY)
		err = show_days(&usage);
	else {
		usage.label = account == ACCOUNT_ALL ? "all" : NULL;
		err = show_window(&usage);
	}
	if (err == 0)
		query_end(q, query_window_row(q));
}
