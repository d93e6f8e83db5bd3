/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wake.c - how the loop thread wakes the writer, without a system call for each record */

/*
 * The writer says at which head it wants to be woken: at the next record when it is idle, at a
 * batch's worth while it lets one gather. The loop thread makes a system call only when its record
 * reaches that head.
 *
 * No wake-up is lost, since each side stores its own word before it reads the other's, and all four
 * accesses are sequentially consistent: the loop thread stores the ring's head (ring.c), then reads
 * wake->head; the writer stores wake->head, then reads the ring's head. In the one order that all
 * four have, at least one side sees what the other stored.
 */

#include "vgpud/ledger/wake.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int ledger_wake_open(struct ledger_wake *wake)
{
	atomic_init(&wake->head, UINT64_MAX);
	wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return wake->fd < 0 ? -errno : 0;
}

void ledger_wake_close(struct ledger_wake *wake)
{
	if (wake->fd >= 0)
		close(wake->fd);
	wake->fd = -1;
}

void ledger_wake_now(struct ledger_wake *wake)
{
	uint64_t one = 1;

	/* It fails only when the counter is full, and then the writer wakes anyway. */
	if (write(wake->fd, &one, sizeof(one)) < 0)
		return;
}

void ledger_wake_record(struct ledger_wake *wake, const struct ring *ring)
{
	/* The exchange decides which of several records makes the one system call. */
	if (ring_head(ring) >= atomic_load(&wake->head) &&
	    atomic_exchange(&wake->head, UINT64_MAX) != UINT64_MAX)
		ledger_wake_now(wake);
}

void ledger_wake_sleep(struct ledger_wake *wake, const struct ring *ring, uint64_t head,
		       int timeout_ms)
{
	struct pollfd pfd = { .fd = wake->fd, .events = POLLIN };
	uint64_t count;

	atomic_store(&wake->head, head);
	if (ring_head(ring) < head)
		poll(&pfd, 1, timeout_ms);
	atomic_store(&wake->head, UINT64_MAX);
	if (read(wake->fd, &count, sizeof(count)) < 0)
		return; /* timeout */
}
