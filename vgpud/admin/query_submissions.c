/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_submissions.c - the commands about programs' submissions */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/util.h"
#include "vgpud/admin/query_private.h"

static json_t *submission_row(const struct ledger_query_submission *s)
{
	const struct ledger_submission *one = &s->submission;
	uint64_t count = one->count > 0 ? one->count : 1;
	char number[16];

	snprintf(number, sizeof(number), "#%u", s->vm_id);
	return json_pack("{s:I, s:s, s:I, s:I, s:o, s:I, s:I, s:b, s:I, s:o, s:o, s:o, s:o, s:I}",
			 "id", (json_int_t)s->id, "vm", s->vm_name != NULL ? s->vm_name : number,
			 "vm_id", (json_int_t)s->vm_id, "program", (json_int_t)s->program_id,
			 "name", query_text(s->program_name), "first", (json_int_t)one->first,
			 "count", (json_int_t)one->count, "open", one->open, "begun_unix_ns",
			 (json_int_t)one->begun_ns, "ended_unix_ns",
			 query_number(!one->open, (uint64_t)one->ended_ns), "took_ns",
			 query_number(!one->open, one->took_ns), "mean_ns",
			 query_number(!one->open, one->took_ns / count), "most_ns",
			 query_number(!one->open, one->most_ns), "commands",
			 (json_int_t)one->commands);
}

/* Return: of which program submissions are asked for; 0: of any. */
static uint64_t program_id(const struct query *q)
{
	uint64_t id = 0;

	if (query_arg(q, "program") != NULL)
		util_parse_u64(query_arg(q, "program"), 1, UINT64_MAX, &id);
	return id;
}

static int keep_id(void *arg, const struct ledger_query_submission *submission)
{
	return query_keep_id(arg, submission->id);
}

/* Newest first, as they come. */
static int collect(void *arg, const struct ledger_query_submission *submission)
{
	return json_array_insert_new(arg, 0, submission_row(submission));
}

/* For query_show_ids(). */
static int show_some(struct query *q, uint64_t after_id, uint64_t last_id)
{
	json_t *rows = json_array();
	int err = query_check(q, ledger_query_submission_rows(q->ledger, &q->filter, program_id(q),
							      after_id, last_id, QUERY_ROWS_AT_ONCE,
							      collect, rows));

	query_show_rows(q, rows);
	return err;
}

/* Shows rows behind *last_id, and updates it. Return: 0, or -errno after having failed. */
static int show(struct query *q, uint64_t *last_id, uint64_t most)
{
	struct query_ids list = { 0 };
	int err = query_check(q, ledger_query_submission_rows(q->ledger, &q->filter, program_id(q),
							      *last_id, UINT64_MAX, most, keep_id,
							      &list));

	if (list.num > 0)
		*last_id = list.id[0];
	if (err == 0)
		err = query_show_ids(q, &list, show_some);
	q->cut_off = list.num == most;
	free(list.id);
	return err;
}

static int ignore(void *arg, const struct ledger_query_program *program)
{
	(void)arg;
	(void)program;
	return 0;
}

/* Return: 0, or -errno after having failed: no program has that number. */
static int check_program(struct query *q)
{
	int err = program_id(q) == 0 ? 0
				     : ledger_query_program(q->ledger, program_id(q), ignore, NULL);

	if (err == -ENOENT)
		query_fail(q, "not-found",
			   "%s: no such program (vgpuadm programs shows those that run, with "
			   "--since 7d those that have ended too)",
			   query_arg(q, "program"));
	return err == -ENOENT ? err : query_check(q, err);
}

void query_submissions(struct query *q)
{
	uint64_t last_id = 0;

	if (query_filter(q) != 0 || check_program(q) != 0 || show(q, &last_id, query_limit(q)) != 0)
		return;
	if (!query_follows(q)) {
		query_end(q, json_pack("{s:b}", "limited", q->cut_off));
		return;
	}
	while (query_flush(q) == 0 && query_client_stays(q, QUERY_FOLLOW_MS))
		if (show(q, &last_id, QUERY_LIMIT_MOST) != 0)
			return;
}

static int show_one(void *arg, const struct ledger_query_submission *submission)
{
	return query_row(arg, submission_row(submission));
}

void query_submission(struct query *q)
{
	uint64_t id = 0;
	int err;

	util_parse_u64(query_arg(q, "id"), 1, UINT64_MAX, &id);
	err = ledger_query_submission(q->ledger, id, show_one, q);
	if (err == -ENOENT)
		query_fail(q, "not-found",
			   "%s: no such submission (vgpuadm submissions shows them; it may be so "
			   "old that its row was removed)",
			   query_arg(q, "id"));
	else if (query_check(q, err) == 0)
		query_end(q, NULL);
}
