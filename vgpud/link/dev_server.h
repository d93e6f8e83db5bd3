/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dev_server.h - the sockets that QEMU's devices connect to, one for each VM */

#ifndef VGPUD_LINK_DEV_SERVER_H
#define VGPUD_LINK_DEV_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/vm/vm.h"

/*
 * A port is one VM's socket, and at most one live peer on it: the device in the VM's QEMU. Which
 * socket a frame comes by says whose it is.
 */
struct dev_port;

/* Called from the event loop. */
struct dev_handler {
	/* A request came; msg, len_bytes of it, is valid during the call. */
	void (*request)(void *arg, struct vm *vm, const struct vgpu_frame_header *h,
			const uint8_t *msg);
	/* Nobody waits any more for the request with this sequence. */
	void (*cancel)(void *arg, struct vm *vm, uint64_t sequence);
	/* The peer said hello, and was told the VM's configuration. */
	void (*connected)(void *arg, struct vm *vm);
	/* The peer has gone; nobody waits for any of its requests. */
	void (*gone)(void *arg, struct vm *vm);
};

/*
 * Opens the VM's port and sets vm->port.
 * path: of the socket. listen: true, listen there; false, QEMU listens there and we connect, again
 * and again until it answers.
 * Return: 0 or -errno as sock_listen() has them.
 */
int dev_port_open(struct vm *vm, sd_event *event, const char *path, bool listen,
		  const struct dev_handler *handler, void *arg);

/* Closes the port and its peer without calling the handler, and removes the socket file. */
void dev_port_close(struct vm *vm);

/* Return: the socket's path, and whether it is we who listen there. The port is open. */
const char *dev_port_path(const struct vm *vm);
bool dev_port_listens(const struct vm *vm);

/* Return: whether a peer that said hello is there. */
bool dev_port_connected(const struct vm *vm);

/* Tells the peer, if any, what pool and priority the VM has now. */
void dev_port_send_config(struct vm *vm);

/* Answers the peer, which is there. msg: a response message. */
void dev_port_send_response(struct vm *vm, uint64_t sequence, uint32_t request_id,
			    const uint8_t *msg, uint32_t len_bytes);

#endif
