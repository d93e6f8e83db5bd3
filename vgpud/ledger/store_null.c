/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_null.c - a ledger that keeps nothing: the baseline of what the real one costs */

#include <stdlib.h>

#include "vgpud/ledger/store.h"

static int null_accepted(struct store *store, const struct store_request *request)
{
	(void)store;
	(void)request;
	return 0;
}

static void null_finished(struct store *store, const struct store_request *request)
{
	(void)store;
	(void)request;
}

static void null_event(struct store *store, const struct store_event *event)
{
	(void)store;
	(void)event;
}

static void null_close(struct store *store)
{
	free(store);
}

static const struct store_ops null_ops = {
	.accepted = null_accepted,
	.finished = null_finished,
	.event = null_event,
	.close = null_close,
};

struct store *store_null_open(void)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->ops = &null_ops;
	store->next_id = 1;
	return store;
}
