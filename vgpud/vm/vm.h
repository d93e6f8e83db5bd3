/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.h - the VMs that the daemon knows */

#ifndef VGPUD_VM_VM_H
#define VGPUD_VM_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/vm_name.h"
#include "common/vm_settings.h"
#include "common/wire/vgpu_proto.h"
#include "vgpud/sched/sched.h"
#include "vgpud/vm/stats.h"

#define VM_FAULTS_MAX 16

struct port;
struct recording_change;
struct request;
struct seat;

TAILQ_HEAD(request_list, request);

/* Counts since the daemon's start. */
struct vm_figures {
	uint64_t received;		/* requests */
	uint64_t ended[VGPU_ERROR_NUM]; /* by status */
	uint64_t refused_files;		/* request files that are no valid requests */
	uint64_t limited;		/* requests that waited for a token of the VM's limit */
	uint32_t last_error;		/* status of the latest request that failed, 0: none did */
	uint64_t last_error_ns;
	struct stats stats;
};

/* Where the VM's requests run, and when they killed workers. */
struct vm_exec {
	struct seat *seat;	/* NULL: nowhere yet */
	uint64_t seat_until_ns; /* until then the seat is kept for a device that may come back */
	bool by_file;		/* requests have come by file: they need a seat without a device */
	uint64_t fault_ns[VM_FAULTS_MAX]; /* when its latest requests killed a worker */
	unsigned faults;
};

/* Its programs: vgpud/programs' alone. */
struct vm_programs {
	uint64_t second_ns; /* since when `told` counts */
	unsigned told;	    /* beginnings and ends of programs that were told in that second */
	uint64_t started, left_out; /* programs that began; what was not told */
	/* What workers of programs that have ended counted: claims. */
	uint64_t submissions, launches, copy_bytes, refused;
	uint64_t billed_ns; /* GPU time of those that have ended */
	uint64_t rows_ns;   /* CLOCK_MONOTONIC up to which the rows of its submissions are spent */
	struct allowance *allowance;  /* of memory; NULL: no program has asked for any yet */
	struct module_cache *modules; /* compiled ones; NULL: no program has asked for one yet */
};

/* Whom the VM's socket lets in, as numbers. */
struct vm_owner {
	bool user, group; /* which of these is meant */
	uid_t uid;
	gid_t gid;
};

enum vm_owner_state {
	VM_OWNER_NONE,	 /* no one has asked */
	VM_OWNER_WANTED, /* to be looked up */
	VM_OWNER_SOUGHT, /* under way */
	VM_OWNER_FOUND,
	VM_OWNER_MISSING /* this host has none such, or cannot be asked */
};

/* daemon_owner.c's alone. */
struct vm_socket {
	enum vm_owner_state state;
	char of[VM_SETTING_TEXT_SIZE]; /* what it was or is looked up for: settings.owner */
	struct vm_owner owner;
};

/* Its changes on their way to the database; only recording.c uses this. */
struct vm_recording {
	STAILQ_HEAD(recording_queue, recording_change) queue; /* in the order in which they came */
	bool under_way;					      /* the ledger has the first of them */
	bool busy;					      /* advance() runs */
	bool failed;					      /* the last change failed */
	unsigned pauses, pauses_recorded;		      /* by the broker */
	bool pause_late; /* the log has said that a pause is not recorded yet */
};

/*
 * A VM, in parts. Each part is written by its owner alone: settings and recording by recording.c,
 * sched by vgpud/sched and by what applies a setting, socket by daemon_owner.c, port by vgpud/link,
 * requests, figures and exec by vgpud/request, programs by vgpud/programs.
 */
struct vm {
	TAILQ_ENTRY(vm) link;
	uint32_t id;
	char name[VM_NAME_SIZE];
	bool removed; /* it is in no list any more, and is freed with the last of its requests */
	struct vm_settings settings; /* in force */
	struct sched_vm sched;
	struct port *port;
	struct vm_socket socket;
	struct request_list requests; /* not yet ended */
	struct vm_exec exec;
	struct vm_figures figures;
	struct vm_programs programs;
	struct vm_recording recording;
};

TAILQ_HEAD(vm_list, vm);

/* A VM that was removed: no other VM gets its number, since its records have it. */
struct vm_past {
	SLIST_ENTRY(vm_past) link;
	uint32_t id;
	char name[VM_NAME_SIZE];
};

SLIST_HEAD(vm_past_list, vm_past);

/*
 * Return: a new VM with these settings, in no list yet, none of them applied; NULL: no memory. The
 * caller has checked name and id.
 */
struct vm *vm_new(const char *name, uint32_t id, const struct vm_settings *settings);

/* The VM is in no list and has no requests any more. */
void vm_free(struct vm *vm);

/* Return: NULL: there is none. */
struct vm *vm_find(const struct vm_list *list, const char *name);
struct vm *vm_find_id(const struct vm_list *list, uint32_t id);

/* Remembers a removed VM, if there is memory for it. */
void vm_past_add(struct vm_past_list *list, const char *name, uint32_t id);
void vm_past_free(struct vm_past_list *list);

/* Return: whether a VM of that name may have this id: no VM has it, and no other VM had it. */
bool vm_id_is_free(const struct vm_list *list, const struct vm_past_list *past, const char *name,
		   uint32_t id);

/*
 * Notes that a request of the VM killed its worker.
 * Return: whether that makes limit times within window_ns; limit is at most VM_FAULTS_MAX, 0 never.
 */
bool vm_fault(struct vm *vm, uint64_t now_ns, unsigned limit, uint64_t window_ns);

#endif
