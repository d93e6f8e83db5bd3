/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.h - the daemon's configuration */

#ifndef VGPUD_CONF_CONF_H
#define VGPUD_CONF_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sock.h"
#include "vgpud/sched/sched.h"
#include "vgpud/vm/vm.h"

#define CONF_EXECUTOR_SIZE 32
#define CONF_VM_MAX 1024
#define CONF_PATH_SIZE 1024
#define CONF_GROUP_SIZE 33
#define CONF_SWITCHES_SIZE 128
#define CONF_WORKER_UIDS 1024	   /* how many users workers have */
#define CONF_CUDA_MAX 64	   /* GPUs that executors can name: cuda:0 to cuda:63 */
#define CONF_GPU_CPU CONF_CUDA_MAX /* index of softgpu, the executor cpu */
#define CONF_GPU_NUM (CONF_CUDA_MAX + 1)

/*
 * A socket's path is RUNTIME-DIR/vm/NAME.sock. A runtime directory must leave room for names of
 * this many bytes; a longer name is refused if it does not fit.
 */
#define CONF_NAME_ROOM 32
#define CONF_RUNTIME_DIR_SIZE (SOCK_PATH_SIZE - sizeof("/vm/.sock") - CONF_NAME_ROOM + 1)

struct conf_pool {
	bool exists;
	char executor[CONF_EXECUTOR_SIZE]; /* "auto", "cpu", "cuda:0" */
	unsigned window;
	unsigned deadline_ms;
	unsigned exec_deadline_ms;
};

/* A GPU, whichever pools run on it: its index is N of cuda:N, or CONF_GPU_CPU. */
struct conf_gpu {
	bool named;	 /* it is 0 or cpu, or the file has a section of it */
	unsigned spares; /* workers that are ready for programs */
	/* Of its leases: vgpud/sched/lease.h has the rules. */
	unsigned lease_ms;
	unsigned yield_ms;
	unsigned in_flight_us;
	unsigned idle_us;
	unsigned max_kernel_s; /* 0: none */
};

/* A VM from the command line. */
struct conf_vm {
	char name[VM_NAME_SIZE];
	uint8_t pool; /* index */
	uint8_t priority;
	uint32_t id;
	const char *connect; /* QEMU's listening socket, NULL: we listen */
};

struct conf {
	char runtime_dir[CONF_RUNTIME_DIR_SIZE]; /* sockets */
	char state_dir[CONF_PATH_SIZE];		 /* database and ring */
	const char *run;			 /* captive mode: a shell command, or NULL */
	bool verbose;
	bool isolation_vm; /* a worker for each VM instead of each pool */
	unsigned vm_queue_max;
	unsigned aging_ms;    /* 0: strict priorities */
	unsigned fault_limit; /* pause a VM whose jobs kill this many workers, 0: never */
	unsigned fault_window_s;
	unsigned start_deadline_ms; /* of a worker: until it is ready */
	unsigned busy_poll_us;	    /* longest polling, see busy_poll.h; 0: never */
	bool test_opcodes;	    /* guests may send opcodes that make an executor fail */
	unsigned confine;	    /* enum confine_mode */
	char user[CONF_GROUP_SIZE]; /* the user to become when started as root */

	bool programs_unconfined; /* let programs run where their workers cannot be confined */
	bool allow_hmm; /* run programs although a kernel can reach all of its worker's memory */
	unsigned worker_poll_us;    /* how long a program's worker polls before it sleeps */
	unsigned ledger_rows_per_s; /* of submissions, for each VM */
	unsigned worker_uids;	    /* the first of the users that workers get */
	uint64_t worker_memory;	    /* bytes of the host's memory that one worker may use */
	uint64_t softgpu_memory;    /* bytes of device memory that the executor cpu has */
	uint64_t module_cache; /* bytes that a VM's compiled modules may take; 0: none is kept */
	char softgpu_switches[CONF_SWITCHES_SIZE]; /* what softgpu imitates, for tests */

	bool ledger;	   /* keep a ledger; the other fields are as in struct ledger_config */
	bool ledger_lossy; /* full: run requests unrecorded instead of refusing them */
	unsigned retention_days;
	unsigned minute_days;
	uint64_t ledger_max_bytes;
	unsigned ring_records;
	unsigned batch_ms;

	char admin_group[CONF_GROUP_SIZE]; /* may change things; "": root alone */
	char read_group[CONF_GROUP_SIZE];  /* may look */
	unsigned max_clients;		   /* connections to the admin socket at the same time */
	unsigned idle_timeout_s;	   /* of a client */

	char file_dir[CONF_PATH_SIZE]; /* of the file transport; "": it is off */
	unsigned file_poll_interval_ms;
	bool file_inotify; /* look at a directory at once when a file in it changes */

	struct conf_pool pool[SCHED_POOL_MAX];
	struct conf_gpu gpu[CONF_GPU_NUM];
	struct conf_vm vm[CONF_VM_MAX];
	unsigned vm_num;
};

/*
 * "vm3:B:high", "vm3:B:high:7", "vm3:B:high:connect=/run/qemu/vm3.sock", both in this order.
 * text: stays the caller's; it must outlive conf.
 * why: on failure a sentence that names the thing and the remedy.
 * Return: 0 or -EINVAL.
 */
int conf_add_vm(struct conf *conf, const char *text, char *why, size_t why_size);

/* Return: whether it is "auto", "cpu" or "cuda:N". */
bool conf_executor_ok(const char *text);

/*
 * executor: "cpu" or "cuda:N", as conf_executor_ok() has them. Return: the GPU's index in
 * conf->gpu; -1: it is another word.
 */
int conf_gpu_index(const char *executor);

#define CONF_GPU_NAME_SIZE 16

/* Writes the name that its section has behind "gpu ": "0", "cpu". index: below CONF_GPU_NUM. */
void conf_gpu_name(unsigned index, char out[CONF_GPU_NAME_SIZE]);

/* Return: the index of the GPU of that name, as conf_gpu_name() writes it; -1: there is none. */
int conf_gpu_find(const char *name);

/*
 * Sets the executor of all pools ("cuda:0"), or of one ("B=cuda:1"), which then exists. why and
 * Return: as conf_add_vm() has them.
 */
int conf_set_executor(struct conf *conf, const char *text, char *why, size_t why_size);

/* Checks settings against each other, once all are set. why and Return: as conf_add_vm(). */
int conf_check(const struct conf *conf, char *why, size_t why_size);

/* Return: bytes of device memory that the executor cpu has on this host. */
uint64_t conf_softgpu_memory(const struct conf *conf);

/* Return: the directory of the ledger; NULL: none is kept. */
const char *conf_state_dir(const struct conf *conf);

#endif
