/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - the worker process of one program */

#ifndef VGPUD_EXEC_PROGRAM_H
#define VGPUD_EXEC_PROGRAM_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"
#include "vgpud/exec/spares.h"

/*
 *   STARTING -hello-> BINDING -bound-> RUNNING
 *        \_______________|________________/
 *                        | it dies, lies, is late, says that it ended, or program_end()
 *                        v
 *                     ENDING -reaped-> gone
 *
 * A program that gets a spare begins in BINDING. What its worker says is a claim: a guest's program
 * may have taken the process over. A message that it may not send now ends it.
 */
enum program_phase { PROGRAM_STARTING, PROGRAM_BINDING, PROGRAM_RUNNING, PROGRAM_ENDING };

struct program;

/* All are required. They are called from the loop; reaped() never within a call of program.h. */
struct program_handler {
	/* The worker is about to get the program's window. Called within program_start(), too. */
	void (*binding)(void *arg, pid_t worker);
	/* The worker runs the program's commands from now on. claim: what the program says of itself. */
	void (*bound)(void *arg, const struct program_state *claim);
	/* What the worker says about its lease: a claim. */
	void (*lease)(void *arg, const struct program_state *state);
	/* The worker has ended or was killed, and has not been reaped. why: never NONE. */
	void (*ending)(void *arg, enum vgpu_end why, int32_t result);
	/*
	 * The worker of softgpu wants so many bytes of its memory, in all. Fills in GRANT's figures of
	 * the order, where the worker asked and does not only give back.
	 */
	void (*memory)(void *arg, uint64_t bytes, struct program_order *grant);
	/*
	 * The worker asks for a compiled module. Fills in MODULE's figures of the order.
	 * Return: the descriptor that goes with it, which stays the handler's; -1: none.
	 */
	int (*module_asked)(void *arg, const struct program_state *state,
			    struct program_order *answer);
	/* The worker is done with the file that it was to fill: a claim. */
	void (*module_made)(void *arg, const struct program_state *state);
	/* The worker is no more: nothing of it writes to the window. Frees the program afterwards. */
	void (*reaped)(void *arg);
};

struct program_config {
	sd_event *event;
	struct spares *spares;	    /* of its executor; used until bound() or ending() */
	struct program_order order; /* BIND */
	int fds[PROGRAM_FD_NUM];    /* copied into the worker, by program_bound() */
	uint64_t start_deadline_ns; /* longest time until a worker of its own is ready */
	uint64_t bind_deadline_ns;  /* and until it is bound */
	const struct program_handler *handler;
	void *arg;
};

/*
 * Gives the program a spare, or starts a worker for it.
 * The descriptors stay the caller's, open until bound() or ending().
 * Return: 0, or -errno: no worker could be started, and no handler is called.
 */
int program_start(struct program **out, const struct program_config *config);

/* Wakes its worker, which looks at its lease page then. */
void program_wake(struct program *program);

/*
 * Takes one message that its worker has sent and the loop has not heard. Return: whether there was one, or the
 * worker's end.
 */
bool program_listen(struct program *program);

/* Stops its worker, or lets it go on. Return: 0 or -errno. */
int program_freeze(struct program *program, bool frozen);

/* Kills its worker; ending() is not called. Does nothing to one that is ending already. */
void program_end(struct program *program);

/* Kills its worker and frees it, without a call of the handler: for the daemon's end. */
void program_abandon(struct program *program);

/* Return: its worker's; 0: it has ended. */
pid_t program_pid(const struct program *program);

enum program_phase program_phase(const struct program *program);

#endif
