/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker.h - a request's life: it arrives, waits, runs, ends, and is answered */

#ifndef VGPUD_REQUEST_BROKER_H
#define VGPUD_REQUEST_BROKER_H

#include <systemd/sd-event.h>

#include "common/busy_poll.h"
#include "vgpud/conf/conf.h"
#include "vgpud/exec/executors.h"
#include "vgpud/exec/seat.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/link/port.h"
#include "vgpud/request/request.h"
#include "vgpud/sched/sched.h"
#include "vgpud/vm/vm.h"

struct broker;

/* Called from the event loop, never from within a call of broker.h but for broker_remove_vm(). */
struct broker_handler {
	void (*settled)(void *arg);		  /* executors_settled() may have changed */
	void (*drained)(void *arg);		  /* draining, and the last request has ended */
	void (*paused)(void *arg, struct vm *vm); /* the broker paused a VM that killed workers */
};

/*
 * Where requests share a GPU with programs, each has to have a turn (vgpud/sched/lease.h, rule 8). Neither
 * function calls the broker back: broker_turn() is called from the event loop.
 */
struct broker_gate {
	/*
	 * A request of the VM is about to begin. *turn: what it has of the GPU, NULL: it needs
	 * nothing. Return: whether it begins; false: broker_turn() will be called.
	 */
	bool (*ask)(void *arg, struct vm *vm, void **turn);
	/* A request that had this turn has ended, or did not begin. */
	void (*over)(void *arg, void *turn);
};

struct broker {
	const struct conf *conf;
	sd_event *event;
	struct ledger *ledger;
	struct executors *executors;
	struct seat_set *seats;
	struct sched sched;
	struct vm_list vms;
	struct seat *pool_seat[SCHED_POOL_MAX]; /* with a worker for each pool */
	unsigned gpus;				/* queues in use */
	uint64_t next_id;			/* of requests, in the ledger */
	struct request_list unused;		/* requests to use again */
	sd_event_source *expiry;
	uint64_t expiry_ns;		/* when the timer is set to fire */
	sd_event_source *last_ended;	/* calls drained() from the loop */
	sd_event_source *leaving;	/* retires seats of devices that did not come back */
	unsigned live;			/* requests that have not ended */
	struct busy_poll poll;		/* for requests and answers */
	const struct broker_gate *gate; /* NULL: none */
	void *gate_arg;
	bool draining; /* new requests are answered PAUSED */
	const struct broker_handler *handler;
	void *arg;
};

/*
 * ledger: becomes the broker's. conf must outlive it.
 * Return: 0 or -errno.
 */
int broker_init(struct broker *broker, const struct conf *conf, sd_event *event,
		struct ledger *ledger, const struct broker_handler *handler, void *arg);

/* gate: NULL: there is none any more, and no turn either. */
void broker_set_gate(struct broker *broker, const struct broker_gate *gate, void *arg);

/* The VM's requests may be tried again. */
void broker_turn(struct broker *broker, struct vm *vm);

/* Return: whether to poll for the next message, rather than sleep until it comes. */
bool broker_look(struct broker *broker);

/* Answers the requests that have not ended with BACKEND_LOST, and ends workers and ledger. */
void broker_close(struct broker *broker);

/* Takes over the settings of *conf that may change while the broker runs. */
void broker_conf_changed(struct broker *broker);

/* For port_open(), with the broker as its argument. */
extern const struct port_handler broker_port_handler;

/* A request as it arrives. */
struct broker_arrival {
	const struct request_origin *origin;
	uint64_t sequence;	 /* the origin's own number, for its answer */
	uint32_t request_id;	 /* the guest's */
	const uint8_t *msg;	 /* len_bytes of a request message, well-formed or not */
	uint32_t len_bytes;	 /* at most VGPU_MSG_MAX */
	enum vgpu_error refused; /* not OK: the request is recorded and ends with this, unjudged */
};

/*
 * Takes a request; it is answered through its origin, perhaps before this returns.
 * Return: 0, or -ENOMEM: it is neither recorded nor answered.
 */
int broker_submit(struct broker *broker, struct vm *vm, const struct broker_arrival *arrival);

/*
 * Applies the pool, priority, pause and limit of a new or changed VM to its queued requests, and
 * tells the guest.
 */
void broker_vm_changed(struct broker *broker, struct vm *vm);

/* Ends the VM's requests, closes its port, and frees it. Return: how many requests that ended. */
unsigned broker_remove_vm(struct broker *broker, struct vm *vm);

/* Return: the request with this ledger id that has not ended yet, NULL: there is none. */
struct request *broker_find(struct broker *broker, uint64_t id);

/* Ends a waiting request with CANCELLED. */
void broker_cancel(struct broker *broker, struct request *request);

#endif
