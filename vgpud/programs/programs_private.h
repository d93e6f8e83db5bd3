/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs_private.h - what the files of programs share */

#ifndef VGPUD_PROGRAMS_PROGRAMS_PRIVATE_H
#define VGPUD_PROGRAMS_PROGRAMS_PRIVATE_H

#include "common/names.h"
#include "proc/sandbox.h"
#include "vgpud/exec/describe.h"
#include "vgpud/exec/nvml.h"
#include "vgpud/exec/program.h"
#include "vgpud/exec/spares.h"
#include "vgpud/programs/left.h"
#include "vgpud/programs/programs.h"

struct harvest;

TAILQ_HEAD(channel_list, channel);
TAILQ_HEAD(tenant_list, tenant);
SLIST_HEAD(waited_list, waited); /* waited.c's */

/* What programs of one executor need. */
struct gear {
	SLIST_ENTRY(gear) link;
	char executor[PROGRAMS_EXECUTOR_SIZE]; /* "cpu", "cuda:0" */
	unsigned gpu;			       /* of its settings: index in conf->gpu */
	struct spares_settings spares_settings;
	struct spares *spares;
	struct describe *describe;
	struct arbiter *arbiter;
	struct arbiter_time told; /* to the metrics: what is refunded later does not lower it */
};

/* wall.c's. */
struct wall {
	struct nvml *nvml;
	struct nvml_settings settings;
	uint64_t context_bytes; /* of a worker without a program; 0: none was seen */
	unsigned seen, unseen;	/* workers of programs on GPUs, whether NVML names them */
};

struct programs {
	struct broker *broker;
	const struct programs_handler *handler;
	void *arg;
	struct channel_list channels;
	unsigned channel_num;
	struct tenant_list tenants;
	SLIST_HEAD(gear_list, gear) gears;
	struct describe_settings describe_settings;
	uint64_t next_id;
	uint64_t started;
	uint64_t ended[NAME_ENDS];
	uint8_t seen[SCHED_POOL_MAX]; /* what the pools ran on, when that was looked at last */
	bool drained[CONF_GPU_NUM];   /* GPUs that take no new programs */
	sd_event_source *tick;	      /* of harvest_now.c; NULL while there are no channels */
	struct waited_list waited;    /* taken with it */
	unsigned idle_ticks;	      /* how often nothing had changed */
	uint64_t distrusted;	      /* programs whose page said what cannot be */
	uint64_t granted_bytes;	      /* of softgpu's memory, to all programs */
	struct wall wall;
	struct left_list left;
	bool closing;
	bool said_confinement; /* the log has it: what an administrator should know of `lacking` */
	char lacking[SANDBOX_WHY_SIZE]; /* parts of the workers' confinement; "": none */
	char refusal[SANDBOX_WHY_SIZE]; /* why programs are refused for that; "": they are not */
};

/* A connection that gave its window. */
struct tenant {
	TAILQ_ENTRY(tenant) link;
	struct programs *programs;
	struct vm *vm;
	struct port_peer *peer;
	struct vgpu_window_frame frame;
	int window;	   /* its descriptor; -1: it was bad */
	enum vgpu_end bad; /* why it cannot be used; NONE: it can */
	bool described;	   /* its first pages are filled in, for `gear` and this quota */
	uint64_t described_quota;
	struct gear *gear;	 /* NULL: it is not known yet what the VM's pool runs on */
	struct describe_job job; /* while the pages are being filled in */
	bool told;		 /* WINDOW_STATUS was sent, and these were in it */
	bool told_ready;
	enum vgpu_end told_error;
	struct channel_list channels;
};

/* gears.c */

/* Takes what the configuration says now. */
void gears_follow(struct programs *programs);

/*
 * What the VM's pool runs programs on. Return: NULL, with *end: NONE: it is not known yet; else why
 * there is nothing.
 */
struct gear *gears_of(struct programs *programs, const struct vm *vm, enum vgpu_end *end);

/* As gears_of(), but makes none. Return: NULL: nothing there has been used by programs. */
struct gear *gears_known(const struct programs *programs, const struct vm *vm);

/* Spares cost memory, on a GPU much: they are kept where a VM may have programs. */
void gears_want_spares(struct programs *programs);

void gears_free(struct programs *programs);

/* programs.c */

/* Return: why the VM may open no channel now, whatever its window; NONE: it may. */
enum vgpu_end programs_judge(const struct programs *programs, const struct vm *vm);

/* What a VM's settings mean for its leases. */
struct lease_vm_settings programs_lease_settings(const struct vm *vm);

/*
 * Records that a program began, and notes it in log and audit trail.
 * Return: false: the ledger has no room for it, and it may not run.
 */
bool programs_tell_start(struct channel *channel);

/* As programs_tell_start(), for its end; one that never began is noted, not recorded. */
void programs_tell_end(struct channel *channel);

/* Its worker did not acknowledge the end of its lease, and was stopped; false: it goes on. */
void programs_tell_frozen(const struct channel *channel, bool frozen);

/* record.c */

/*
 * Records that a program began. Return: false: the ledger has no room for it, and it may not run.
 */
bool record_begin(struct channel *channel);

/*
 * Records what it has used until now, if its beginning was recorded and there is something new: so what it
 * uses counts in the minute when it does. harvest: what its page says; NULL: not known.
 */
void record_used(struct channel *channel, const struct harvest *harvest, uint64_t now_ns);

/* Records its end, if its beginning was recorded. */
void record_end(struct channel *channel);

/* Its worker is no more: what its page says last goes into its row, and the page goes. */
void record_settle(struct channel *channel);

/* vgpud ends, and does not wait for its worker: the next start takes what the page says last. */
void record_leave(struct channel *channel);

/* harvest_now.c */

/* Looks at the programs' pages from now on. */
void harvest_watch(struct programs *programs);
void harvest_unwatch(struct programs *programs);

/* The channel goes; what the ledger is recording of it goes on. */
void harvest_forget(struct channel *channel);
/* share.c */

/* Gives the channel a slot in the page of its VM's memory. Return: 0 or -errno. */
int share_begin(struct channel *channel);

/* Its worker was killed, and holds what it holds until share_end(): it was reaped. */
void share_ends(struct channel *channel);
void share_end(struct channel *channel);

/* As program_handler.memory has it. */
void share_ask(struct channel *channel, uint64_t bytes, struct program_order *grant);

/* The VM's settings may have changed; the VM is about to be freed. */
void share_follow(struct vm *vm);
void share_forget(struct vm *vm);

/* modules.c: compiled modules, of which each VM keeps some */

/* As program_handler has them. */
int modules_asked(struct channel *channel, const struct program_state *state,
		  struct program_order *answer);
void modules_made(struct channel *channel, const struct program_state *state);

/* A new channel's; its worker asks no more. */
void modules_begin(struct channel *channel);
void modules_end(struct channel *channel);

/* The configuration may have changed; the VM is about to be freed. */
void modules_follow(const struct programs *programs);
void modules_forget(struct vm *vm);

/* wall.c */

/* Return: 0 or -ENOMEM. */
int wall_begin(struct programs *programs);
void wall_end(struct programs *programs);

/* What the pools run on may have changed, the configuration, or whether programs use a GPU. */
void wall_follow(struct programs *programs);

/* waited.c: for whom programs waited for the GPU, into the ledger's minutes */

/* Takes what is new for each VM of a GPU: in a look, and before a program leaves it. */
void waited_take(struct waited_list *list, struct ledger *ledger, struct arbiter *arbiter);

/* Ends a look: all GPUs were asked. VMs that are at none any more are forgotten. */
void waited_looked(struct waited_list *list);

/* vgpud ends. */
void waited_forget(struct waited_list *list);

/* tenant.c */

/* Finds out again whether its window is ready, and tells its peer when that has changed. */
void tenant_update(struct tenant *tenant);

/* The VM's pool may run on something else now. */
void tenant_moved(struct tenant *tenant);

/* The connection has gone. */
void tenant_free(struct tenant *tenant);

/* gate.c */

/* For broker_set_gate(), with the programs as its argument. */
extern const struct broker_gate gate_of_programs;

/* For arbiter_new(), with the same argument. */
void gate_on_turn(void *arg, uint32_t vm_id);

/* A program is about to come to this GPU: if it is the first, requests that run there are turns now. */
void gate_close(const struct programs *programs, const struct gear *gear);

/* channel.c */

/*
 * Opens a channel. fds: kick and call, which become its. open->channel is not in use.
 * Return: NONE, or why it was refused; then the descriptors are closed.
 */
enum vgpu_end channel_open(struct tenant *tenant, const struct vgpu_channel_open *open,
			   const int *fds);

/* Starts its worker, if nothing holds it back any more. */
void channel_try_start(struct channel *channel);

/* Its peer closes it. */
void channel_close(struct channel *channel);

/* Ends it without a word to its peer, which has gone. It may be freed when this returns. */
void channel_abandon(struct channel *channel);

/* Frees it at the daemon's end, worker and all. */
void channel_drop(struct channel *channel);

/* Return: the tenant's channel of that number that has not been reaped, NULL: there is none. */
struct channel *channel_find(const struct tenant *tenant, uint32_t number);

#endif
