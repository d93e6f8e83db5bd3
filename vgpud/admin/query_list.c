/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_list.c - what the commands that list rows of the ledger share */

#include <errno.h>
#include <stdlib.h>

#include "common/util.h"
#include "vgpud/admin/query_private.h"

#define LIMIT_DEFAULT 20      /* rows, when no window is given */
#define LIMIT_OF_WINDOW 10000 /* when one is */

uint64_t query_limit(const struct query *q)
{
	bool windowed = query_arg(q, "since") != NULL || query_arg(q, "until") != NULL;
	uint64_t rows = windowed ? LIMIT_OF_WINDOW : LIMIT_DEFAULT;

	if (query_arg(q, "limit") != NULL)
		util_parse_u64(query_arg(q, "limit"), 1, UINT32_MAX, &rows);
	return rows < QUERY_LIMIT_MOST ? rows : QUERY_LIMIT_MOST;
}

bool query_follows(const struct query *q)
{
	return json_is_true(json_object_get(q->args, "follow"));
}

json_t *query_text(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

json_t *query_number(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

int query_keep_id(struct query_ids *list, uint64_t id)
{
	if (list->num == list->max) {
		size_t max = list->max > 0 ? 2 * list->max : 64;
		uint64_t *more = reallocarray(list->id, max, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		list->id = more;
		list->max = max;
	}
	list->id[list->num++] = id;
	return 0;
}

int query_show_ids(struct query *q, const struct query_ids *list,
		   int (*show)(struct query *q, uint64_t after_id, uint64_t last_id))
{
	for (size_t left = list->num; left > 0;) {
		size_t n = left < QUERY_ROWS_AT_ONCE ? left : QUERY_ROWS_AT_ONCE;
		int err = show(q, list->id[left - 1] - 1, list->id[left - n]);

		if (err != 0)
			return err;
		if (q->broken)
			return 0;
		left -= n;
	}
	return 0;
}

void query_show_rows(struct query *q, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		query_row(q, json_incref(row));
	json_decref(rows);
}
