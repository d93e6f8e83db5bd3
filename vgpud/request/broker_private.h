/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_private.h - what the broker's files share */

#ifndef VGPUD_REQUEST_BROKER_PRIVATE_H
#define VGPUD_REQUEST_BROKER_PRIVATE_H

#include "vgpud/request/broker.h"

/* broker.c */

/* Tells the busy poll that a request or an answer has come. */
void broker_message_came(struct broker *broker, uint64_t now_ns);

/* Return: a request to fill in, NULL: no memory. */
struct request *broker_request_take(struct broker *broker);
void broker_request_put(struct broker *broker, struct request *request);

/* msg: VGPU_MSG_MAX bytes, which get a response of the status alone. Return: its length in bytes.
 */
uint32_t broker_make_error(uint8_t *msg, uint32_t status, bool with_crc);

/*
 * An event of a request that the ledger has accepted; the request may be freed afterwards.
 * status: what it ends with if this event ends it, enum vgpu_error.
 */
void broker_advance(struct broker *broker, struct request *request, enum life_event event,
		    uint32_t status);

/* A worker has given the request back with this answer, well-formed and of this status. */
void broker_returned(struct broker *broker, struct request *request, uint32_t status,
		     const uint8_t *msg, uint32_t len_bytes);

/* The request does not run any more: its turn of the GPU goes on to others. */
void broker_end_turn(struct broker *broker, struct request *request);

/* Makes sure that deadlines and tokens are checked at at_ns or before. */
void broker_expect_expiry(struct broker *broker, uint64_t at_ns);

/* Ends all waiting requests of the VM. */
void broker_end_queued(struct broker *broker, struct vm *vm, uint32_t status);

/* broker_run.c */

/* Starts what may start now, on each GPU. */
void broker_dispatch(struct broker *broker);

/* The timer's: ends what is past its deadline. */
int broker_on_expiry(sd_event_source *source, uint64_t usec, void *arg);
int broker_on_leaving(sd_event_source *source, uint64_t usec, void *arg);

extern const struct seat_handler broker_seat_handler;
extern const struct executors_handler broker_executors_handler;

/* broker_arrival.c, broker_vm.c */

/* Return: whether waiting for a worker is pointless: none can start. */
bool broker_has_no_device(const struct vm *vm);

/* Checks again which seat runs the VM's requests; ends them if no worker can start. */
void broker_refresh_vm(struct broker *broker, struct vm *vm);

/* Of struct port_handler. */
void broker_on_connected(void *arg, struct vm *vm);
void broker_on_gone(void *arg, struct vm *vm);

#endif
