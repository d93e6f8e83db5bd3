/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_client.h - asks the broker for code that a program of the VM has compiled before */

#ifndef VGPU_WORKER_MODULE_CLIENT_H
#define VGPU_WORKER_MODULE_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/worker_wire.h"

struct module_client {
	int fd;		      /* to the broker */
	uint64_t patience_ns; /* how long to wait for an answer */
	pthread_mutex_t turn; /* one thread asks at a time; taken before `lock` */
	pthread_mutex_t lock; /* guards the fields below */
	pthread_cond_t came;
	uint32_t asked, answered; /* numbers of questions */
	bool waits;		  /* a thread waits for the answer to `asked` */
	uint32_t module;	  /* enum program_module, of that answer */
	int file;		  /* that came with it; -1: none */
};

/* fd: the worker's socket, which stays the caller's. It lives as long as the process. */
void module_client_init(struct module_client *client, int fd);

/*
 * Asks for a key. Where the broker does not answer soon, or has not answered the last question yet, the
 * answer is NONE: no load waits long for it.
 * file: gets the descriptor, the caller's; -1 with NONE. question: for module_client_made().
 */
enum program_module module_client_ask(struct module_client *client, const uint8_t *key, int *file,
				      uint32_t *question);

/* After BLANK: the file has so many bytes, 0: it will not be filled. */
void module_client_made(const struct module_client *client, uint32_t question, uint64_t bytes);

/* The broker's answer has come. file: the descriptor with it, -1: none; it is taken over. */
void module_client_answered(struct module_client *client, const struct program_order *order,
			    int file);

#endif
