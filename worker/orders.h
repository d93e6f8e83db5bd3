/* SPDX-License-Identifier: GPL-2.0-or-later */
/* orders.h - what the broker tells the worker of a program, and what it is told */

#ifndef VGPU_WORKER_ORDERS_H
#define VGPU_WORKER_ORDERS_H

#include <stdbool.h>

#include "common/worker_wire.h"

#define ORDERS_FDS_MOST ((unsigned)PROGRAM_FD_NUM)

struct orders {
	struct program_order order;
	int fds[ORDERS_FDS_MOST]; /* fd_num of them, close-on-exec; the receiver's to close */
	unsigned fd_num;
};

/*
 * For a role's main(): takes the socket, and sets up what all workers of programs have in common: they
 * die with the broker, leave no core and heed no signals of the terminal.
 * Return: the socket.
 */
int orders_begin(const char *role);

/*
 * Closes the process in for good, once its GPU's features were used. soft: its GPU is softgpu. What the
 * broker shall know of it goes into hello->why.
 */
void orders_confine(bool soft, struct worker_hello *hello);

/* Return: whether the broker still listens. */
bool orders_greet(int fd, const struct worker_hello *hello);

/* Waits for the next order. Return: 1, 0 the broker has gone, -1 it sent what it never does. */
int orders_receive(int fd, struct orders *orders);

/* Return: the last descriptor, now the caller's; -1: there is none. */
int orders_take_fd(struct orders *orders);

void orders_close_fds(struct orders *orders);

/* Return: whether the broker still listens. */
bool orders_answer(int fd, const struct program_state *state);

#endif
