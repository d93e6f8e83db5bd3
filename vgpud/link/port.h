/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h - a VM's socket: the device in its QEMU connects to it, or is connected to */

#ifndef VGPUD_LINK_PORT_H
#define VGPUD_LINK_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/link/peer.h"

/*
 * One VM's socket, with at most one live peer, its device. Or that of a local tenant, whose peers are
 * programs of this host, several at a time. The socket that a frame comes by identifies the VM.
 */
struct port;
struct vm;

/* A connection of a port. Only port.c writes the fields, except tenant. */
struct port_peer {
	TAILQ_ENTRY(port_peer) link;
	struct port *port;
	struct peer *peer;
	bool stopped; /* the VM is paused or stopped, as the device says */
	void *tenant; /* the program handler's; NULL: gone() is not called */
};

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

/*
 * The same for link version 2. A descriptor is the handler's from now on, to be closed with
 * foreign_close().
 */
struct port_program_handler {
	/*
	 * Return: whether workers of the VM's last device are still there. The next one is answered
	 * when they have gone: it takes its window for free of them then.
	 */
	bool (*holds)(void *arg, const struct vm *vm);
	/*
	 * A device, or a program, gave its window, before all that follows; a device again after a
	 * reset.
	 */
	void (*window)(void *arg, struct vm *vm, struct port_peer *peer,
		       const struct vgpu_window_frame *window, int fd);
	/* It opens or closes a channel. fds: kick and call. channel: any number. */
	void (*channel_open)(void *arg, struct port_peer *peer,
			     const struct vgpu_channel_open *open, const int *fds);
	void (*channel_close)(void *arg, struct port_peer *peer, uint32_t channel);
	/* peer->stopped has changed, or was told again. */
	void (*runstate)(void *arg, struct port_peer *peer);
	/* A peer has gone, or its port is being closed. The struct is freed when this returns. */
	void (*gone)(void *arg, struct port_peer *peer);
};

struct port_config {
	sd_event *event;
	const char *path;    /* of the socket; copied */
	bool listen;	     /* false: QEMU listens there, and we connect until it answers */
	bool held;	     /* a device that connects waits until port_begin() */
	const char *name;    /* of the VM, for the log; outlives the port */
	struct frames_vm vm; /* what the device is told */
	const struct port_handler *handler; /* not called by a local tenant's port */
	void *arg;			    /* for the handler */
	const struct port_program_handler *programs;
	void *programs_arg;
	struct vm *handler_vm; /* for both */
	unsigned peers_max;    /* of a local tenant; others have one */
};

/* Since the port was opened. */
struct port_counts {
	uint64_t connects;
	uint64_t refused; /* one device or program too many, and those without a valid HELLO */
	uint64_t broke;	  /* connections closed for a malformed frame */
};

/* Return: 0; -EMFILE no descriptor is left; else -errno as sock_listen() has them. */
int port_open(struct port **out, const struct port_config *config);

/* Serves the device of a port that was opened as held. */
void port_begin(struct port *port);

/*
 * Closes port and peers, and removes the socket file. Of the handlers only the programs' gone() is
 * called. port: or NULL.
 */
void port_close(struct port *port);

/* Return: the socket's path; whether vgpud listens there, rather than QEMU. */
const char *port_path(const struct port *port);
bool port_listens(const struct port *port);

/* port: or NULL. Return: how many devices or programs that said hello are there. */
unsigned port_peers(const struct port *port);
bool port_connected(const struct port *port);

/* Sets how many programs may be connected to a local tenant's port at the same time. */
void port_set_peers_max(struct port *port, unsigned peers_max);

const struct port_counts *port_counts(const struct port *port);

/* Sets the VM's pool (index) and priority, and tells those who are connected. */
void port_send_config(struct port *port, uint8_t pool, uint8_t priority);

/* Answers the device, which is connected. msg: a response message. */
void port_send_response(struct port *port, uint64_t sequence, uint32_t request_id,
			const uint8_t *msg, uint32_t len_bytes);

#endif
