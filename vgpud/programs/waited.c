/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waited.c - for whom programs waited for the GPU, into the ledger's minutes */

/*
 * Theory of operation. The arbiter counts for each VM of a GPU for what its programs waited, and
 * beside them its requests of version 1 for their turns. Those sums only grow until the VM has
 * neither there. What is new in them since the last look goes to the ledger ten times a second, and
 * before a program leaves its arbiter. The sums that were taken are kept here, under the number
 * that the arbiter gave the VM when it came.
 *
 * It says why a VM waited; it is no bill. A kill -9 loses what came since the last look, and so
 * does a VM that goes between two looks without a program of its own.
 */

#include <errno.h>
#include <stdlib.h>

#include "common/util.h"
#include "vgpud/programs/programs_private.h"

/* A sum of a VM at an arbiter, as it was taken last. */
struct waited_sum {
	enum ledger_wait_cause cause;
	uint32_t by_vm_id;
	uint64_t ns;
};

struct waited {
	SLIST_ENTRY(waited) link;
	uint64_t number; /* the arbiter's, for the VM */
	uint32_t vm_id;
	struct waited_sum sum[LEDGER_WAITS_MOST];
	unsigned num;
	bool seen; /* in this look */
};

static struct waited *find(struct waited_list *list, const struct arbiter_vm_waited *now)
{
	struct waited *waited;

	SLIST_FOREACH(waited, list, link)
		if (waited->number == now->number)
			return waited;
	waited = calloc(1, sizeof(*waited));
	if (waited == NULL)
		return NULL;
	waited->number = now->number;
	waited->vm_id = now->vm_id;
	SLIST_INSERT_HEAD(list, waited, link);
	return waited;
}

static const enum ledger_wait_cause causes[ARBITER_CAUSE_NUM] = {
	[ARBITER_CAUSE_VM] = LEDGER_WAIT_VM,
	[ARBITER_CAUSE_OTHERS] = LEDGER_WAIT_OTHERS,
	[ARBITER_CAUSE_CAP] = LEDGER_WAIT_CAP,
	[ARBITER_CAUSE_PAUSED] = LEDGER_WAIT_PAUSED,
};

/* Return: how much of it was taken before, and where that stands; NULL: there is no room for it. */
static struct waited_sum *sum_of(struct waited *waited, const struct arbiter_waited *now)
{
	struct waited_sum *sum;

	for (unsigned i = 0; i < waited->num; i++) {
		sum = &waited->sum[i];
		if (sum->cause == causes[now->cause] && sum->by_vm_id == now->vm_id)
			return sum;
	}
	if (waited->num == LEDGER_WAITS_MOST)
		return NULL;
	sum = &waited->sum[waited->num++];
	*sum = (struct waited_sum){ .cause = causes[now->cause], .by_vm_id = now->vm_id };
	return sum;
}

/* Takes what is new for a VM. If the ledger has no room, the next look takes it. */
static void take(struct waited *waited, struct ledger *ledger, const struct arbiter_vm_waited *now)
{
	struct ledger_wait waits[LEDGER_WAITS_MOST];
	struct waited before = *waited;
	unsigned num = 0;

	for (unsigned i = 0; i < now->num; i++) {
		const struct arbiter_waited *one = &now->waited[i];
		struct waited_sum *sum = sum_of(waited, one);
		uint64_t more_ns;

		if (sum == NULL)
			break;
		more_ns = one->ns >= sum->ns ? one->ns - sum->ns : one->ns;
		sum->ns = one->ns;
		if (more_ns == 0)
			continue;
		waits[num++] = (struct ledger_wait){
			.vm_id = waited->vm_id,
			.cause = sum->cause,
			.by_vm_id = sum->by_vm_id,
			.ns = more_ns,
			.at_ns = ledger_wall_ns(ledger, util_now_ns()),
		};
	}
	if (num > 0 && ledger_waits(ledger, waits, num) != 0) {
		before.link = waited->link;
		*waited = before;
	}
}

void waited_take(struct waited_list *list, struct ledger *ledger, struct arbiter *arbiter)
{
	struct arbiter_vm_waited now;
	struct waited *waited;

	arbiter_count(arbiter);
	for (unsigned i = 0; arbiter_vm_waited(arbiter, i, &now); i++) {
		waited = find(list, &now);
		if (waited == NULL)
			continue;
		take(waited, ledger, &now);
		waited->seen = true;
	}
}

void waited_looked(struct waited_list *list)
{
	struct waited *waited, *next, **at = &SLIST_FIRST(list);

	for (waited = *at; waited != NULL; waited = next) {
		next = SLIST_NEXT(waited, link);
		if (waited->seen) {
			waited->seen = false;
			at = &SLIST_NEXT(waited, link);
			continue;
		}
		*at = next; /* it has gone */
		free(waited);
	}
}

void waited_forget(struct waited_list *list)
{
	struct waited *waited;

	while ((waited = SLIST_FIRST(list)) != NULL) {
		SLIST_REMOVE_HEAD(list, link);
		free(waited);
	}
}
