/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h - a VM's socket: the device in its QEMU connects to it, or is connected to */

#ifndef VGPUD_LINK_PORT_H
#define VGPUD_LINK_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/link/peer.h"

/*
 * One VM's socket, with at most one live peer. The socket that a frame comes by identifies the VM.
 */
struct port;
struct vm;

/* Called from the event loop. vm: passed through. All functions are required. */
struct port_handler {
	/* A request came; msg, h->length bytes, is valid during the call. */
	void (*request)(void *arg, struct vm *vm, const struct vgpu_frame_header *h,
			const uint8_t *msg);
	/* The device no longer waits for the request with this sequence. */
	void (*cancel)(void *arg, struct vm *vm, uint64_t sequence);
	/* A device said hello, and was told the VM's configuration. */
	void (*connected)(void *arg, struct vm *vm);
	/* The device has gone: it does not wait for any of its requests. */
	void (*gone)(void *arg, struct vm *vm);
};

struct port_config {
	sd_event *event;
	const char *path;  /* of the socket; copied */
	bool listen;	   /* false: QEMU listens there, and we connect until it answers */
	bool held;	   /* a device that connects waits until port_begin() */
	const char *name;  /* of the VM, for the log; outlives the port */
	struct peer_vm vm; /* what the device is told */
	const struct port_handler *handler;
	void *arg;	       /* for the handler */
	struct vm *handler_vm; /* for the handler */
};

/* Since the port was opened. */
struct port_counts {
	uint64_t connects;
	uint64_t refused; /* second devices, and devices without a valid HELLO */
	uint64_t broke;	  /* connections closed for a malformed frame */
};

/* Return: 0; -EMFILE no descriptor is left; else -errno as sock_listen() has them. */
int port_open(struct port **out, const struct port_config *config);

/* Serves the device of a port that was opened as held. */
void port_begin(struct port *port);

/*
 * Closes port and peer without a call of the handler, and removes the socket file. port: or NULL.
 */
void port_close(struct port *port);

/* Return: the socket's path; whether vgpud listens there, rather than QEMU. */
const char *port_path(const struct port *port);
bool port_listens(const struct port *port);

/* port: or NULL. Return: whether a device that said hello is there. */
bool port_connected(const struct port *port);

const struct port_counts *port_counts(const struct port *port);

/* Sets the VM's pool (index) and priority, and tells the device if one is connected. */
void port_send_config(struct port *port, uint8_t pool, uint8_t priority);

/* Answers the device, which is connected. msg: a response message. */
void port_send_response(struct port *port, uint64_t sequence, uint32_t request_id,
			const uint8_t *msg, uint32_t len_bytes);

#endif
