/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - a request on its way through the daemon */

#ifndef VGPUD_REQUEST_REQUEST_H
#define VGPUD_REQUEST_REQUEST_H

#include <stdbool.h>
#include <sys/queue.h>

#include "vgpud/ledger/ledger.h"
#include "vgpud/request/request_life.h"
#include "vgpud/sched/sched.h"
#include "vgpud/vm/vm.h"
#include "worker/exec.h"

struct request;
struct seat;

/* A way by which requests come, and their answers go. */
struct request_origin {
	enum ledger_transport transport;
	/* Called once, after the request's end is in the ledger, unless nobody waits for it. */
	void (*answer)(const struct request *request, const uint8_t *msg, uint32_t len_bytes);
};

/*
 * From the moment that its last byte has come until its end is in the ledger. The daemon owns it;
 * scheduler and seats hold it in their lists meanwhile.
 */
struct request {
	struct sched_item
		item; /* the scheduler's part; first, so that one pointer leads to the other */
	TAILQ_ENTRY(request) vm_link;	/* among its VM's requests */
	TAILQ_ENTRY(request) seat_link; /* among what its seat's worker has, while started */
	struct vm *vm;
	struct seat *seat; /* where it runs, while started */
	const struct request_origin *origin;
	uint64_t sequence; /* the origin's own number for it */
	enum life_state life;
	bool with_crc;		   /* the answer needs a checksum too */
	struct ledger_request row; /* what the ledger will know */
	struct exec_job job;	   /* its message; job.id is row.id */
};

static inline struct request *request_of(struct sched_item *item)
{
	return (struct request *)item;
}

#endif
