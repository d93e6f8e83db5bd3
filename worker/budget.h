/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.h - has the broker grant memory of softgpu, which all workers of the host share */

#ifndef VGPU_WORKER_BUDGET_H
#define VGPU_WORKER_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/worker_wire.h"

/*
 * softgpu's memory is the host's, and one budget for the programs of all VMs. So no page that
 * tenants share can keep it: the broker does. A worker asks it for each change of what it holds.
 */
struct budget {
	int fd;		      /* to the broker */
	pthread_mutex_t lock; /* guards the fields below */
	pthread_cond_t came;
	uint32_t asked, answered; /* numbers of questions */
	uint64_t granted_bytes, left_bytes;
	bool ending;
};

/* fd: the worker's socket, which stays the caller's. It lives as long as the process. */
void budget_init(struct budget *budget, int fd);

struct budget_answer {
	uint64_t granted_bytes; /* what was asked for, or what the worker had before */
	uint64_t left_bytes;	/* of the host, for any program */
	bool ending;		/* what a killed program holds will soon be free */
};

/* Asks for so much in all, and waits for the answer. One thread at a time. */
struct budget_answer budget_ask(struct budget *budget, uint64_t bytes);

/* Gives back all above that, without waiting. */
void budget_lower(struct budget *budget, uint64_t bytes);

/* The broker's answer has come. */
void budget_answered(struct budget *budget, const struct program_order *order);

#endif
