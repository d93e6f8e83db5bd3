/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - commands that the database answers, by a process of their own */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"
#include "common/util.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/ledger/ledger.h"

/*
 * A query may read millions of rows, or follow new ones for hours, and must not hold up the loop.
 * So a process of its own reads the database and writes the answer; a crash ends only that process.
 * It starts once all records made before the command are in the database.
 */

/* Letters of the pools that share a GPU with the VM whose waiting is asked about; null: of all. */
static json_t *sharing_pools(const struct admin_call *call)
{
	const struct sched *sched = &call->daemon->broker.sched;
	const char *name = admin_arg(call, "blame");
	const struct vm *vm = name != NULL ? vm_find(&call->daemon->broker.vms, name) : NULL;
	char letters[SCHED_POOL_MAX + 1] = "";
	size_t n = 0;

	if (vm == NULL)
		return json_null();
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++)
		if (sched->pool[i].exists && sched->pool[i].gpu == sched->pool[vm->sched.pool].gpu)
			letters[n++] = name_pool(i);
	return json_string(letters);
}

/* Return: the process's argument, one JSON text, which the caller frees. */
static char *make_query(const struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	char path[PATH_MAX];
	json_t *object;
	char *text;

	snprintf(path, sizeof(path), "%s/vgpud.db", daemon->conf->state_dir);
	object = json_pack(
		"{s:I, s:s, s:O, s:s, s:I, s:I, s:i, s:o}", "id", call->id, "cmd",
		admin_cmds[call->cmd].name, "args", call->args, "db", path, "start_ns",
		(json_int_t)ledger_wall_ns(daemon->broker.ledger, daemon->started_ns), "now_ns",
		(json_int_t)ledger_wall_ns(daemon->broker.ledger, util_now_ns()), "patience_s",
		(int)daemon->conf->idle_timeout_s, "pools", sharing_pools(call));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

static void on_flushed(void *arg, int err)
{
	struct admin_call *call = arg;
	char *query = make_query(call);

	/* If the flush failed, the database can still be read, without the latest records. */
	(void)err;
	if (query == NULL)
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
	else
		admin_hand_over(call, query);
	free(query);
}

void admin_query(struct admin_call *call)
{
	int err = ledger_flush(call->daemon->broker.ledger, on_flushed, call);

	if (err == -EOPNOTSUPP)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "no ledger is kept (vgpud was started with --no-ledger)");
	else if (err != 0)
		on_flushed(call, err);
}
