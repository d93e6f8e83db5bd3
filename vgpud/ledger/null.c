/* SPDX-License-Identifier: GPL-2.0-or-later */
/* null.c - a ledger that keeps nothing: the baseline of what the real one costs */

#include <stdlib.h>

#include "vgpud/ledger/ledger.h"

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

static void null_event(struct ledger *ledger, const struct ledger_event *event)
{
	(void)ledger;
	(void)event;
}

static void null_close(struct ledger *ledger)
{
	free(ledger);
}

static const struct ledger_ops null_ops = {
	.accepted = null_accepted,
	.finished = null_finished,
	.event = null_event,
	.close = null_close,
};

struct ledger *ledger_null_open(void)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return NULL;
	ledger->ops = &null_ops;
	ledger->next_id = 1;
	return ledger;
}
