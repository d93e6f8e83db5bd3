/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - a request on its way through the daemon */

#ifndef VGPUD_REQUEST_REQUEST_H
#define VGPUD_REQUEST_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "vgpud/exec/seat.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/request/life.h"
#include "vgpud/sched/sched.h"
#include "vgpud/vm/vm.h"

/* Where requests come from and their answers go: the device, or the file transport. */
struct request_origin {
	enum ledger_transport transport;
	/* Called once, after the request's end is in the ledger, if the guest still waits. */
	void (*answer)(const struct request *request, const uint8_t *msg, uint32_t len_bytes);
};

/*
 * Exists from the moment that the last byte has come until the request is over (life.h). The broker
 * owns it; the lists of scheduler and seats link it meanwhile.
 */
struct request {
	struct sched_item item;	      /* the scheduler's part */
	struct seat_job job;	      /* its seat's part, and its message */
	TAILQ_ENTRY(request) vm_link; /* among its VM's requests */
	struct vm *vm;
	const struct request_origin *origin;
	uint64_t sequence; /* the origin's own number for it */
	enum life_state life;
	void *turn;		   /* of the GPU, while it runs: broker.h; NULL: it needs none */
	bool with_crc;		   /* the answer needs a checksum too */
	struct ledger_request row; /* its row for the ledger, filled in on the way */
};

static inline struct request *request_of(struct sched_item *item)
{
	return (struct request *)((char *)item - offsetof(struct request, item));
}

static inline struct request *request_of_job(struct seat_job *job)
{
	return (struct request *)((char *)job - offsetof(struct request, job));
}

#endif
