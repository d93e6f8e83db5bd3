/* SPDX-License-Identifier: GPL-2.0-or-later */
/* null.c - a ledger that keeps nothing: the baseline of what the real one costs */

#include <errno.h>
#include <stdlib.h>

#include "common/util.h"
#include "vgpud/ledger/changes.h"

struct ledger_null {
	struct ledger ledger;
	struct ledger_changes changes; /* without a writer: each is done at once */
};

static struct ledger_null *self(const struct ledger *ledger)
{
	return (struct ledger_null *)ledger;
}

static int null_accepted(struct ledger *ledger, const struct ledger_request *request)
{
	(void)ledger;
	(void)request;
	return 0;
}

static void null_finished(struct ledger *ledger, const struct ledger_request *request)
{
	(void)ledger;
	(void)request;
}

static int null_program_begun(struct ledger *ledger, const struct ledger_program *program)
{
	(void)ledger;
	(void)program;
	return 0;
}

static void null_program_ended(struct ledger *ledger, const struct ledger_program *program)
{
	(void)ledger;
	(void)program;
}

/* done() is called from the loop, as with the other instance, never from within the call. */
static int change(struct ledger *ledger, enum ledger_change_type type, ledger_done *done, void *arg)
{
	struct ledger_changes *changes = &self(ledger)->changes;
	struct ledger_change_list list;
	int err = ledger_changes_add(changes, type, NULL, NULL, 0, done, arg);

	if (err)
		return err;
	ledger_changes_take(changes, &list);
	ledger_changes_hand_back(changes, &list, 0, 0);
	return 0;
}

static int null_program_claims(struct ledger *ledger, const struct ledger_program *program,
			       const char *names, ledger_done *done, void *arg)
{
	(void)program;
	(void)names;
	return change(ledger, LEDGER_CHANGE_CLAIMS, done, arg);
}

static int null_program_used(struct ledger *ledger, const struct ledger_program *program,
			     uint64_t at_ns)
{
	(void)ledger;
	(void)program;
	(void)at_ns;
	return 0;
}

static int null_submissions(struct ledger *ledger, const struct ledger_submissions *taken,
			    ledger_done *done, void *arg)
{
	(void)taken;
	return change(ledger, LEDGER_CHANGE_SUBMISSIONS, done, arg);
}

static int null_waits(struct ledger *ledger, const struct ledger_wait *waits, unsigned num)
{
	(void)ledger;
	(void)waits;
	(void)num;
	return 0;
}

static void null_event(struct ledger *ledger, const struct ledger_event *event)
{
	(void)ledger;
	(void)event;
}

static void null_clock_stepped(struct ledger *ledger, int64_t step_ns)
{
	(void)ledger;
	(void)step_ns;
}

static int null_vm_put(struct ledger *ledger, const struct ledger_vm *vm,
		       const struct ledger_event *event, ledger_done *done, void *arg)
{
	(void)vm;
	(void)event;
	return change(ledger, LEDGER_CHANGE_VM_PUT, done, arg);
}

static int null_vm_delete(struct ledger *ledger, uint32_t id, const struct ledger_event *event,
			  ledger_done *done, void *arg)
{
	(void)id;
	(void)event;
	return change(ledger, LEDGER_CHANGE_VM_DELETE, done, arg);
}

static void null_vm_each(const struct ledger *ledger,
			 void (*each)(void *arg, const struct ledger_vm *vm), void *arg)
{
	(void)ledger;
	(void)each;
	(void)arg;
}

static int null_flush(struct ledger *ledger, ledger_done *done, void *arg)
{
	(void)ledger;
	(void)done;
	(void)arg;
	return -EOPNOTSUPP;
}

static int null_fd(const struct ledger *ledger)
{
	return self(ledger)->changes.notify_fd;
}

static bool null_dispatch(struct ledger *ledger)
{
	ledger_changes_dispatch(&self(ledger)->changes);
	return false;
}

static int null_wait(struct ledger *ledger, int timeout_ms)
{
	return ledger_changes_wait(&self(ledger)->changes, timeout_ms);
}

static void null_stats(const struct ledger *ledger, struct ledger_stats *stats)
{
	(void)ledger;
	*stats = (struct ledger_stats){ .state = LEDGER_OFF };
}

static void null_close(struct ledger *ledger)
{
	ledger_changes_dispatch(&self(ledger)->changes);
	ledger_changes_close(&self(ledger)->changes);
	free(self(ledger));
}

static const struct ledger_ops null_ops = {
	.accepted = null_accepted,
	.finished = null_finished,
	.program_begun = null_program_begun,
	.program_ended = null_program_ended,
	.program_claims = null_program_claims,
	.program_used = null_program_used,
	.submissions = null_submissions,
	.waits = null_waits,
	.event = null_event,
	.clock_stepped = null_clock_stepped,
	.vm_put = null_vm_put,
	.vm_delete = null_vm_delete,
	.vm_each = null_vm_each,
	.flush = null_flush,
	.fd = null_fd,
	.dispatch = null_dispatch,
	.wait = null_wait,
	.stats = null_stats,
	.close = null_close,
};

struct ledger *ledger_null_open(void)
{
	struct ledger_null *null = calloc(1, sizeof(*null));

	if (!null)
		return NULL;
	null->ledger = (struct ledger){
		.ops = &null_ops,
		.next_id = 1,
		.next_program_id = 1,
		.wall_offset_ns = util_wall_ns() - (int64_t)util_now_ns(),
	};
	if (ledger_changes_open(&null->changes) == 0)
		return &null->ledger;
	null_close(&null->ledger);
	return NULL;
}
