/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.h - the guests' programs: who may have one, and what became of it */

#ifndef VGPUD_PROGRAMS_PROGRAMS_H
#define VGPUD_PROGRAMS_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "common/vm_name.h"
#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"
#include "common/worker_wire.h"
#include "vgpud/lease/arbiter.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/programs/underbill.h"
#include "vgpud/request/broker.h"

struct bill_page;
struct harvest_under_way;
struct nvml;
struct program;
struct programs;
struct tenant;

#define PROGRAMS_NAME_SIZE 64
#define PROGRAMS_EXECUTOR_SIZE 32

/* How fast a program's commands come, as its worker says: of the last second, or somewhat more. */
struct channel_rate {
	uint64_t at_ns, commands; /* when they were counted last; 0: never */
	double per_s;		  /* below 0: not known */
};

/* What a program had used when its counters were looked at last; at_ns: CLOCK_MONOTONIC. */
struct channel_used {
	uint64_t at_ns, billed_ns, memory_byte_s, commands;
};

/*
 * One program: a channel that a device or a local program has opened, and its worker. It lives until
 * its worker has been reaped, which may be long after its end: a driver can hold a process. Only
 * vgpud/programs writes the fields.
 */
struct channel {
	TAILQ_ENTRY(channel) link;	/* of all, the oldest first */
	TAILQ_ENTRY(channel) of_tenant; /* of its connection */
	struct programs *programs;
	struct tenant *tenant; /* NULL: its connection has gone */
	struct vm *vm;	       /* NULL: it was removed */
	uint64_t id;	       /* for the administrator and the ledger; grows over all starts */
	uint32_t vm_id;
	char vm_name[VM_NAME_SIZE];
	uint32_t number;     /* of the channel in its window */
	uint64_t control_at; /* where its first piece lies in the window */
	enum vgpu_channel_state state;
	enum vgpu_end end; /* why it is LOST or CLOSING; NONE: its program closed it, or left */
	bool close_asked;  /* the peer is to be told CLOSED */
	struct program *program; /* NULL: it waits for its turn to start, or was reaped */
	int kick, call;		 /* until its worker has them; -1 then */
	char executor[PROGRAMS_EXECUTOR_SIZE];
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	struct ucred peer; /* who connected, as peer_who() has it */
	uint32_t pid;	   /* what the program says of itself: 0 and "" before it has */
	char name[PROGRAMS_NAME_SIZE];
	struct ledger_program record; /* as the ledger has it; id 0: it does not */
	bool recorded;		      /* it had it: its page may be settled */
	int report;		      /* its worker's page: harvest.h */
	/* What the ledger is recording of it; NULL: nothing. */
	struct harvest_under_way *harvesting;
	uint64_t harvested_turn; /* of the page that was recorded last; 0: none */
	uint64_t counted_ns;	 /* when its counters were looked at last; 0: never */
	struct channel_rate rate;
	struct channel_used used;
	bool traced;		     /* an administrator has all that it does told: tracing.h */
	bool distrusted;	     /* its page said what cannot be, and is not read any more */
	struct allowance *allowance; /* its VM's, of memory, while it has a slot there */
	unsigned slot;
	uint64_t granted_bytes; /* of softgpu's memory */
	struct modules_of_channel {
		int blank; /* the file that its worker fills; -1: none */
		uint32_t question;
		uint8_t key[MODULE_KEY_BYTES];
	} modules;		      /* modules.c's */
	struct bill_page *bill;	      /* NULL: none */
	struct underbill underbill;   /* what NVML says beside its bill */
	struct arbiter_program lease; /* of its GPU; member.billed_ns is its GPU time */
};

/* Called from the loop. */
struct programs_handler {
	void (*emptied)(void *arg); /* the last channel has gone */
};

/* broker and its configuration must outlive it. Return: 0 or -ENOMEM. */
int programs_new(struct programs **out, struct broker *broker,
		 const struct programs_handler *handler, void *arg);

/* Ends all programs and workers, without waiting. Call it before the ports are closed. */
void programs_close(struct programs *programs);

/* For port_open(), with the programs as its argument. */
extern const struct port_program_handler programs_port_handler;

/* Applies what has changed: a VM's settings, what the executors run on, the configuration. */
void programs_vm_changed(struct programs *programs, struct vm *vm);
void programs_executors_changed(struct programs *programs);
void programs_conf_changed(struct programs *programs);

/* The VM is about to be freed: ends its programs and forgets it. Its port is closed after that. */
void programs_vm_removed(struct programs *programs, struct vm *vm);

/* Ends a program for this reason; its peer is told. It may be freed when this returns. */
void programs_end(struct channel *channel, enum vgpu_end why);

/* Return: the channel after this; of NULL the first; NULL: it was the last. */
struct channel *programs_next(const struct programs *programs, const struct channel *channel);

/*
 * Return: memory of its GPU that a program claims to hold; by how much all programs of a VM are above
 * the VM's quota.
 */
uint64_t channel_memory(const struct channel *channel);
uint64_t programs_memory_over(const struct vm *vm);

/* Return: the channel with that id, NULL: there is none. */
struct channel *programs_find(const struct programs *programs, uint64_t id);

/*
 * Return: how many there are; of a VM, those that have not ended; those that ended so, by
 * name_end_at()'s index; those that began. */
unsigned programs_num(const struct programs *programs);
unsigned programs_of_vm(const struct programs *programs, const struct vm *vm);
uint64_t programs_ended(const struct programs *programs, unsigned index);
uint64_t programs_started(const struct programs *programs);

/* Return: how many of a VM's programs use another GPU than its pool has now. */
unsigned programs_elsewhere(const struct programs *programs, const struct vm *vm);

/* Return: why this host runs no programs: what their workers' confinement lacks; NULL: it does. */
const char *programs_refusal(const struct programs *programs);

/* Return: whether the VM's device waits for a worker that an earlier vgpud left. */
bool programs_left(const struct programs *programs, const struct vm *vm);

/* Return: whether programs run although their workers are not confined as they should be. */
bool programs_unconfined(const struct programs *programs);

/* Return: whether its VM is paused or stopped, as the device says; false: it runs, or has gone. */
bool channel_is_stopped(const struct channel *channel);

/* Counts the GPUs' time until now: see channel->lease.member. */
void programs_count(const struct programs *programs);

/* Where the time of an executor's GPU went since programs came there first; no number ever falls. */
struct programs_gpu_time {
	const char *executor; /* "cpu", "cuda:0" */
	struct arbiter_time time;
};

/* index: from 0. Return: false: there are no more. */
bool programs_gpu_time(const struct programs *programs, unsigned index,
		       struct programs_gpu_time *out);

/*
 * Why the VM's requests of version 1 wait for their turn beside programs. Return: whether they do; false: no program is
 * at their GPU, or they wait for something else.
 */
bool programs_turn_waits(const struct programs *programs, const struct vm *vm,
			 struct arbiter_turn *out);

/* "opening", "running", "ending". */
const char *channel_state_name(const struct channel *channel);

/* About an executor that programs have used. */
struct programs_trouble {
	const char *executor; /* "cpu", "cuda:0" */
	const char *why;      /* no worker can start there; NULL: one can */
	enum vgpu_end end;    /* what programs are told for it */
	const char *remark;   /* what of the workers' sandbox is weaker; NULL: nothing */
};

/* index: from 0. Return: false: there are no more. */
bool programs_trouble(const struct programs *programs, unsigned index,
		      struct programs_trouble *out);

/*
 * Whether a GPU, by its index in conf->gpu, takes no new programs; those that run there go on. It
 * needs no spares then.
 */
void programs_drain_gpu(struct programs *programs, unsigned gpu, bool drained);
bool programs_gpu_drained(const struct programs *programs, unsigned gpu);

/* Return: whether programs of the pool's VMs run on that GPU. */
bool programs_pool_is_on(const struct programs *programs, unsigned pool, unsigned gpu);

/* Return: programs on that GPU that have not ended. */
unsigned programs_of_gpu(const struct programs *programs, unsigned gpu);

/*
 * Takes what the program has submitted up to now into the ledger: ten times a second, and whenever a lease
 * begins or ends. Return: whether there was something new.
 */
bool harvest_now(struct channel *channel);

/* What a VM's programs have done since vgpud began, those that run too: their workers' claims. */
struct programs_work {
	uint64_t submissions, launches, copy_bytes, refused;
	uint64_t billed_ns;    /* GPU time: measured by vgpud */
	uint64_t memory_bytes; /* that they hold now */
};

struct programs_work programs_work_of(const struct programs *programs, const struct vm *vm);

/* Return: how many programs' workers claimed submissions that cannot be. */
uint64_t programs_distrusted(const struct programs *programs);
/* Return: what NVML says of the host's GPUs. */
const struct nvml *programs_nvml(const struct programs *programs);

/* Return: programs on GPUs that run, where NVML names the worker of none; else 0. */
unsigned programs_unseen(const struct programs *programs);

/* Return: how many spares are ready for programs, of all executors. */
unsigned programs_spares(const struct programs *programs);

#endif
