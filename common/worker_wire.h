/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker_wire.h - what broker and worker process say to each other */

#ifndef VGPU_COMMON_WORKER_WIRE_H
#define VGPU_COMMON_WORKER_WIRE_H

#include <stdint.h>

#include "common/library.h"
#include "common/wire/vgpu_proto.h"

/*
 * Both ends come out of the same file, so structures travel as they lie in memory, one to a message
 * of a SOCK_SEQPACKET pair. First the worker sends one worker_hello. Then the broker sends
 * worker_jobs and the worker answers each with a worker_done, in order, before it looks at the
 * next: so when a worker dies, the first job without an answer is the one that it was running. Jobs
 * and answers travel without the unused end of their msg.
 *
 * The broker does not trust a worker: a request may have taken the process over. An answer counts
 * only with the random id of its job, which the worker can know from the job's message alone.
 */

#define WORKER_SOCKET "requests" /* the name of the worker's end of the pair: spawn_fd() */
#define WORKER_NAME_LEN 96
#define WORKER_WHY_SIZE 256

/* The device that an executor runs on, as DEVICE_INFO tells it. */
struct worker_info {
	uint32_t executor; /* enum vgpu_executor */
	uint32_t cc_major; /* compute capability */
	uint32_t cc_minor;
	uint32_t memory_mib;
	uint32_t multiprocessors;
	uint32_t driver_version;
	char name[WORKER_NAME_LEN];   /* of the device */
	struct library_stamp library; /* of a program's worker: the driver's, as it loaded it */
};

struct worker_hello {
	/*
	 * 0: ready; else -errno, and why says it in words. Of a program's worker: -ENODEV there is no
	 * such GPU; -EPERM kernels could reach all of the worker's memory; -ELIBBAD the driver's
	 * library and its kernel module are of different versions.
	 */
	int32_t error;
	struct worker_info info;
	/* With error 0: what `auto` could not use, or what of the sandbox is weaker; or empty. */
	char why[WORKER_WHY_SIZE];
};

/* One request to run. */
struct worker_job {
	uint64_t id;	       /* a random number */
	uint32_t busy_poll_us; /* how long to poll for the next job at most, before sleeping */
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* a request message that proto_check_request() accepted */
};

/* One request that ran. */
struct worker_done {
	uint64_t id;	  /* of the job */
	uint64_t exec_ns; /* what the worker measured: the broker's clock bounds it */
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* its response message */
};

/* --- workers of programs ----------------------------------------------------------------- */

/*
 * A program's worker says hello as above once its GPU's context is ready: then it is a spare. BIND,
 * with the descriptors that enum program_fd tells, makes it a program's. Then the worker sends STATES,
 * until it ends. The broker answers MEMORY, which softgpu's workers alone send, with GRANT, and MODULE_ASKED
 * with MODULE. That comes with a descriptor unless it is NONE, which a worker that reads nothing gets. LEASE says
 * that the lease page (common/lease_page.h) has changed: it wakes a worker that sleeps. The worker ends
 * when the broker closes the socket.
 *
 * The process that fills in the first pages of windows ("describe") says hello when it knows the GPU,
 * and answers each DESCRIBE, which comes with the descriptor of a window, with a STATE.
 */
enum program_order_what {
	PROGRAM_BIND = 1,
	PROGRAM_DESCRIBE,
	PROGRAM_GRANT,
	PROGRAM_LEASE,
	PROGRAM_MODULE
};

/* What the VM has of a compiled module. */
enum program_module {
	PROGRAM_MODULE_NONE, /* nothing, and it keeps nothing now */
	PROGRAM_MODULE_KEPT, /* the descriptor is of its code, to be read */
	PROGRAM_MODULE_BLANK /* the descriptor is of an empty file, to be filled: MODULE_MADE */
};

#define MODULE_KEY_BYTES 32u /* a SHA-256: worker/module_key.h */

/* The descriptors that come with BIND, in this order; DESCRIBE has the window's alone. */
enum program_fd {
	PROGRAM_FD_WINDOW,
	PROGRAM_FD_KICK,
	PROGRAM_FD_CALL,
	PROGRAM_FD_REPORT, /* a page, as common/report_page.h has it */
	PROGRAM_FD_MEMORY, /* a page, as common/quota_page.h has it */
	PROGRAM_FD_LEASE,  /* its lease page, and */
	PROGRAM_FD_CLAIMS, /* what it answers, as common/lease_page.h has them */
	PROGRAM_FD_NUM
};

struct program_order {
	uint32_t what;
	uint32_t vm_id;
	uint64_t window_bytes;
	uint64_t control_at; /* BIND: of the control page, a multiple of VGPU_PAGE */
	uint32_t channel;    /* BIND */
	uint32_t generation; /* DESCRIBE */
	uint32_t flags;	     /* VGPU_WINDOW_OF_PROGRAM */
	uint32_t poll_us;    /* BIND: how long to poll the ring before sleeping */
	/*
	 * BIND: the worker's slot in the page of its VM's memory. DESCRIBE: memory_bytes is the VM's
	 * quota, 0: none. GRANT: what the worker has of softgpu's memory from now on, what is left of
	 * it for any program, whether a killed worker still has some, and which question this answers.
	 */
	uint32_t memory_slot;
	uint32_t memory_question;
	uint64_t memory_bytes;
	uint64_t memory_left_bytes;
	uint32_t memory_ending;
	uint32_t module; /* MODULE: enum program_module, and which question this answers */
	uint32_t module_question;
	uint32_t unused;
};

enum program_state_what {
	PROGRAM_BOUND = 1, /* commands of the ring are run from now on */
	PROGRAM_ENDED,	   /* why says why; the process ends */
	PROGRAM_DESCRIBED, /* end NONE: the window's first pages are written */
	PROGRAM_MEMORY,	   /* memory_bytes is what it wants of softgpu's memory, in all */

	/* About the lease: the last two fields alone count. */
	PROGRAM_WANTS,	  /* something is held back */
	PROGRAM_RETURNED, /* nothing is to be done, and others want it */
	PROGRAM_ACKED,	  /* asked back: nothing is submitted any more */
	PROGRAM_DRAINED,  /* asked back, or draining: nothing is in flight any more */
	PROGRAM_DRAINING, /* nothing is submitted any more, and what is in flight ends in a moment */

	/* About compiled modules. */
	PROGRAM_MODULE_ASKED, /* module_key's is wanted */
	PROGRAM_MODULE_MADE   /* that question's file is filled; 0 bytes: it will not be */
};

/* A claim: shown, never believed. */
struct program_state {
	uint32_t what;
	uint32_t end;	/* enum vgpu_end */
	int32_t result; /* CUresult that made it end, or 0 */
	uint32_t pid;	/* of the program, as it says itself */
	char name[64];	/* of the program, as it says itself */
	char why[WORKER_WHY_SIZE];
	uint64_t memory_bytes; /* MEMORY */
	/* MEMORY: a number that GRANT bears; 0: it gives back, without GRANT. */
	uint32_t memory_question;
	uint32_t module_question; /* MODULE_*: a number that MODULE bears */
	uint64_t lease;		  /* its number */
	uint64_t tail_ns;	  /* RETURNED: for so long nothing has been to be done */
	uint64_t module_bytes;	  /* MODULE_MADE */
	uint8_t module_key[MODULE_KEY_BYTES];
};

#endif
