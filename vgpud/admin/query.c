/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.c - the process that answers one query from the database */

#include "vgpud/admin/query.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "common/cmd/admin.h"
#include "common/cmd/suggest.h"
#include "common/log.h"
#include "common/names.h"
#include "common/timeexpr.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/memory.h"
#include "proc/spawn_wire.h"
#include "vgpud/admin/query_private.h"

#define QUERY_NICE 10
#define SPELL_SIZE 32
/* Most answers are read and written in pieces; stats --blame needs the most memory, 192 MiB. */
#define QUERY_MEMORY_BYTES (UINT64_C(512) << 20)

const char *query_arg(const struct query *q, const char *key)
{
	return json_string_value(json_object_get(q->args, key));
}

/* --- the window --- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * UTIL_NS_PER_S + now.tv_nsec;
}

/* vgpud has checked the form, so this fails only for a time that does not exist or is not known. */
static int parse_time(struct query *q, const char *option, const char *text, int64_t *out_ns)
{
	const struct timeexpr_base base = {
		.now_ns = q->now_ns,
		.boot_ns = q->now_ns - clock_ns(CLOCK_BOOTTIME),
		.start_ns = q->start_ns,
	};

	if (timeexpr_parse(text, &base, out_ns) == 0)
		return 0;
	query_fail(q, "usage", "--%s: %s: no such time; it is one of %s", option, text,
		   TIMEEXPR_FORMS);
	return -EINVAL;
}

static int keep_start(void *arg, const struct ledger_query_session *session)
{
	*(int64_t *)arg = session->started_ns;
	return 0;
}

int query_window_from_first(struct query *q)
{
	if (query_arg(q, "since") != NULL)
		return 0;
	/* Newest first: the one that stays is the oldest. */
	return query_check(q, ledger_query_sessions(q->ledger, keep_start, &q->filter.since_ns));
}

/*
 * The user's "2099-01-01" comes as the seconds that vgpuadm made of it, which say little to him.
 * out: SPELL_SIZE bytes. Return: out, or text.
 */
static const char *spell(const char *text, int64_t ns, char *out)
{
	time_t seconds = (time_t)(ns / UTIL_NS_PER_S);
	struct tm utc;

	if (text[0] != '@' || gmtime_r(&seconds, &utc) == NULL ||
	    strftime(out, SPELL_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return text;
	return out;
}

int query_window(struct query *q)
{
	const char *since = query_arg(q, "since"), *until = query_arg(q, "until");
	char since_text[SPELL_SIZE], until_text[SPELL_SIZE];

	q->filter.since_ns = 0;
	q->filter.until_ns = INT64_MAX;
	if (since != NULL && parse_time(q, "since", since, &q->filter.since_ns) != 0)
		return -EINVAL;
	if (until != NULL && parse_time(q, "until", until, &q->filter.until_ns) != 0)
		return -EINVAL;
	if (until != NULL && json_is_true(json_object_get(q->args, "follow"))) {
		query_fail(q, "usage",
			   "--follow goes on for ever, --until does not: give one of them");
		return -EINVAL;
	}
	if (q->filter.since_ns < (until != NULL ? q->filter.until_ns : q->now_ns))
		return 0;
	if (until == NULL && since != NULL && q->filter.since_ns == q->now_ns)
		return 0;
	query_fail(q, "usage",
		   until != NULL ? "--since %s is not before --until %s"
				 : "--since %s is not before %s, the end of the window",
		   since != NULL ? spell(since, q->filter.since_ns, since_text) : "the beginning",
		   until != NULL ? spell(until, q->filter.until_ns, until_text) : "now");
	return -EINVAL;
}

json_t *query_window_row(const struct query *q)
{
	int64_t until_ns = q->filter.until_ns;
	char since_text[TIMEEXPR_TEXT_SIZE], until_text[TIMEEXPR_TEXT_SIZE];

	if (until_ns == INT64_MAX)
		until_ns = q->now_ns;
	timeexpr_format(since_text, sizeof(since_text), q->filter.since_ns, 0);
	timeexpr_format(until_text, sizeof(until_text), until_ns, 0);
	return json_pack("{s:I, s:I, s:s, s:s}", "since_unix_ns", (json_int_t)q->filter.since_ns,
			 "until_unix_ns", (json_int_t)until_ns, "since_text", since_text,
			 "until_text", until_text);
}

/* --- what requests --- */

struct find_vm {
	const char *name;
	int64_t id, removed_id;
	struct suggest near;
	char nearest[SUGGEST_WORD_MAX + 1];
};

static int match_vm(void *arg, const struct ledger_query_vm *vm)
{
	struct find_vm *find = arg;

	suggest_offer(&find->near, vm->name);
	if (find->near.best == vm->name) {
		/* The name is gone with its row. */
		snprintf(find->nearest, sizeof(find->nearest), "%s", vm->name);
		find->near.best = find->nearest;
	}
	if (strcmp(vm->name, find->name) != 0)
		return 0;
	if (vm->removed)
		find->removed_id = vm->id;
	else
		find->id = vm->id;
	return 0;
}

/* A VM that was removed still has its records. Return: 0, or -ENOENT after having failed. */
static int find_vm(struct query *q, const char *name, int64_t *id)
{
	struct find_vm find = {
		.name = name, .id = -1, .removed_id = -1, .near = suggest_begin(name)
	};

	if (query_check(q, ledger_query_vms(q->ledger, match_vm, &find)) != 0)
		return -EIO;
	*id = find.id >= 0 ? find.id : find.removed_id;
	if (*id >= 0)
		return 0;
	query_fail(q, "not-found", "%s: no such vm (vgpuadm list shows them)%s", name,
		   suggest_question(&find.near));
	return -ENOENT;
}

static int64_t index_of(const struct query *q, const char *key, enum pattern_type type)
{
	const char *text = query_arg(q, key);

	return text != NULL ? pattern_type_index(type, text) : LEDGER_QUERY_ANY;
}

/*
 * Without --until a window ends now: else entries dated in the future, by a clock that was once
 * ahead, would count as the last hour's. With --follow it has no end.
 */
static void end_window_now(struct query *q)
{
	bool follows = json_is_true(json_object_get(q->args, "follow"));

	if (query_arg(q, "since") != NULL && q->filter.until_ns == INT64_MAX && !follows)
		q->filter.until_ns = q->now_ns + 1;
}

int query_filter(struct query *q)
{
	const char *vm = query_arg(q, "vm"), *pool = query_arg(q, "pool");
	const char *opcode = query_arg(q, "opcode");

	q->filter = (struct ledger_query_filter)LEDGER_QUERY_FILTER_ALL;
	if (query_window(q) != 0)
		return -EINVAL;
	end_window_now(q);
	if (vm != NULL && find_vm(q, vm, &q->filter.vm_id) != 0)
		return -ENOENT;
	if (pool != NULL)
		q->filter.pool = (unsigned char)pool[0];
	q->filter.status = index_of(q, "status", PATTERN_STATUS);
	if (opcode != NULL)
		q->filter.opcode = name_to_opcode(opcode);
	return 0;
}

int query_filter_vm(struct query *q, const char *name)
{
	return find_vm(q, name, &q->filter.vm_id);
}

int query_check(struct query *q, int err)
{
	if (err != 0 && !q->failed)
		query_fail(q, "refused", "cannot read the database: %s",
			   ledger_query_error(q->ledger));
	return err;
}

/* --- main --- */

static const struct {
	const char *cmd;
	void (*answer)(struct query *q);
} answers[] = {
	{ "stats", query_stats },
	{ "requests", query_requests },
	{ "request", query_request },
	{ "events", query_events },
	{ "rates", query_rates },
	{ "programs", query_programs },
	{ "usage", query_usage },
	{ "program", query_program },
	{ "submissions", query_submissions },
	{ "submission", query_submission },
};

static void answer(struct query *q)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(answers[i].cmd, q->cmd) == 0)
			answers[i].answer(q);
}

/* Return: 0, or -EINVAL: this is not what admin/ask.c writes. */
static int read_query(struct query *q, json_t *object, const char **db)
{
	q->id = json_integer_value(json_object_get(object, "id"));
	q->cmd = json_string_value(json_object_get(object, "cmd"));
	q->args = json_object_get(object, "args");
	q->pools = json_string_value(json_object_get(object, "pools"));
	q->start_ns = json_integer_value(json_object_get(object, "start_ns"));
	q->now_ns = json_integer_value(json_object_get(object, "now_ns"));
	q->patience_s = (unsigned)json_integer_value(json_object_get(object, "patience_s"));
	*db = json_string_value(json_object_get(object, "db"));
	return q->cmd != NULL && *db != NULL && json_is_object(q->args) ? 0 : -EINVAL;
}

int query_main(const char *text)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	static struct query q;
	const char *db;
	char why[256];

	log_init(spawn_name[SPAWN_QUERY], false);
	/* One that waits in its log holds the database's log open. */
	log_never_wait();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	/* Queries run at low priority: broker and workers need the processors. */
	memory_limit(QUERY_MEMORY_BYTES);
	setpriority(PRIO_PROCESS, 0, QUERY_NICE);
	confine(CONFINE_QUERY);
	if (read_query(&q, object, &db) != 0) {
		json_decref(object);
		return 2;
	}
	if (ledger_query_open(&q.ledger, db, why, sizeof(why)) != 0) {
		query_fail(&q, "refused", "%s", why);
	} else {
		answer(&q);
		ledger_query_close(q.ledger);
	}
	json_decref(object);
	return query_flush(&q) == 0 ? 0 : 1;
}
