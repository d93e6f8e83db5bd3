/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.h - runs a program: takes its commands, sleeps when there are none */

#ifndef VGPU_WORKER_SERVE_H
#define VGPU_WORKER_SERVE_H

#include "common/wire/vgpu_ends.h"
#include "worker/program.h"

struct serve_config {
	struct gpu *gpu;
	struct output *output;
	const struct window *window;
	struct report_page *report; /* mapped; NULL: nothing is told */
	struct quota_page *quota;   /* of the VM, mapped; NULL: there is no quota */
	uint32_t quota_slot;	    /* below QUOTA_SLOTS */
	struct budget *budget; /* where the GPU's memory is the host's; NULL: it needs no grant */
	struct module_client *modules; /* NULL: all is compiled anew */
	int kick, call;
	int broker; /* readable when the lease page has changed; -1: none. It is not read */
	uint32_t helper_num;
	uint32_t poll_us; /* how long to look for commands before sleeping */
	/* See lease_begin(). */
	const struct lease_page *lease_page;
	struct lease_claims *lease_claims;
	void (*say)(const struct program_state *state);
};

/*
 * Takes the window over, lets the GPU use its first piece and starts the helpers. The GPU and the
 * descriptors stay the caller's. Return: CUDA_SUCCESS, or why there is no program.
 */
CUresult serve_start(struct program *program, const struct serve_config *config);

/* Ends the helpers, which may have to wait for the GPU, and unmaps the window. */
void serve_end(struct program *program);

/*
 * Takes the next command and runs it, has it run, or holds it back for want of a lease.
 * Return: 1; 0 there is none; -EPROTO it makes no sense, and the program ends.
 */
int serve_turn(struct program *program);

/*
 * Runs commands until one makes no sense, or memory of the worker is not as it left it. Return: why the
 * program ends: BAD_COMMAND or WORKER_LOST.
 */
enum vgpu_end serve_run(struct program *program);

#endif
