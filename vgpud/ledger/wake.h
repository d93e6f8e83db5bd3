/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wake.h - how the loop thread wakes the writer, without a system call for each record */

#ifndef VGPUD_LEDGER_WAKE_H
#define VGPUD_LEDGER_WAKE_H

#include <stdatomic.h>
#include <stdint.h>

#include "vgpud/ledger/ring.h"

struct ledger_wake {
	int fd;
	/* The head of the ring at which the writer wants to be woken; UINT64_MAX: it is awake. */
	_Atomic uint64_t head;
};

/* Return: 0 or -errno. */
int ledger_wake_open(struct ledger_wake *wake);

/* Also right after a failed ledger_wake_open(). */
void ledger_wake_close(struct ledger_wake *wake);

/* Loop thread: there is work of another kind than records. */
void ledger_wake_now(struct ledger_wake *wake);

/* Loop thread: a record was put into the ring. */
void ledger_wake_record(struct ledger_wake *wake, const struct ring *ring);

/*
 * Writer: sleeps until the ring's head has reached head, ledger_wake_now() is called, or the time
 * is over. timeout_ms: -1: there is none.
 */
void ledger_wake_sleep(struct ledger_wake *wake, const struct ring *ring, uint64_t head,
		       int timeout_ms);

#endif
