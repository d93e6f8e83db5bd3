/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.h - the ledger's door: what the daemon tells it, whatever keeps it */

#ifndef VGPUD_LEDGER_STORE_H
#define VGPUD_LEDGER_STORE_H

#include <stdint.h>

/* What the ledger keeps of one request. Times are CLOCK_MONOTONIC nanoseconds or differences of it.
 */
struct store_request {
	uint64_t id;	      /* ledger id: unique, and grows with received_ns */
	uint64_t received_ns; /* when its last byte came; never before that of a lower id */
	uint64_t wait_ns;     /* received to start of execution, or to its end if it never ran */
	uint64_t limited_ns;  /* of that, while its VM's limit had no token for it */
	uint64_t exec_ns;     /* on the executor; 0 if it never ran */
	uint64_t total_ns;    /* received to answered */
	uint32_t vm_id;
	uint32_t guest_request_id; /* REQUEST_ID of the guest */
	uint32_t opcode;
	uint32_t status; /* enum vgpu_error */
	uint16_t request_bytes;
	uint16_t response_bytes;
	uint8_t pool;	   /* 'A', 'B' */
	uint8_t priority;  /* enum vgpu_priority */
	uint8_t executor;  /* enum vgpu_executor: what ran it */
	uint8_t transport; /* enum store_transport */
};

/* X(value, NAME, "name") */
#define STORE_TRANSPORT_TABLE(X) X(0, DEVICE, "device") X(1, FILE, "file")
#define STORE_TRANSPORT_ENUM(value, name, text) STORE_TRANSPORT_##name = value,
enum store_transport { STORE_TRANSPORT_TABLE(STORE_TRANSPORT_ENUM) STORE_TRANSPORT_NUM };
#undef STORE_TRANSPORT_ENUM

/* Return: "device"; "?": this vgpud knows none of that number. */
static inline const char *store_transport_name(unsigned transport)
{
#define STORE_TRANSPORT_NAME(value, name, text) \
	if (transport == (value))               \
		return text;
	STORE_TRANSPORT_TABLE(STORE_TRANSPORT_NAME)
#undef STORE_TRANSPORT_NAME
	return "?";
}

/* One line of the audit trail. Strings may be NULL: unknown. */
struct store_event {
	const char *kind;    /* a short fixed word: "start", "set-priority", "worker-died" */
	const char *subject; /* what it is about: a VM's or a pool's name */
	const char *old_value;
	const char *new_value;
	const char *text; /* one sentence for people */
	int64_t uid;	  /* who, -1: the daemon itself */
	int64_t pid;
};

struct store;

/*
 * accepted: the request is known and will have exactly one end. Its status is what that will be, as
 *	far as it is known: while there is little room, what will fail anyway is not to take it from
 *	others, nor is one VM to take more of it than it leaves. Return: 0, or -ENOSPC when the
 *ledger cannot promise to record its end too: answer LEDGER_FULL. finished: the end of a request
 *accepted before; room for it was reserved, so it cannot fail. Once it returns, a kill -9 of the
 *daemon no longer loses the record. event: best effort, never blocks. close: writes what is pending
 *and frees the store. All are called by the loop thread alone, and none makes it wait for the
 *database.
 */
struct store_ops {
	int (*accepted)(struct store *store, const struct store_request *request);
	void (*finished)(struct store *store, const struct store_request *request);
	void (*event)(struct store *store, const struct store_event *event);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	uint64_t next_id; /* the first ledger id that is free, set at open; the caller counts on */
};

/* A ledger that keeps nothing, for measuring what the real one costs. Return: NULL: no memory. */
struct store *store_null_open(void);

#endif
