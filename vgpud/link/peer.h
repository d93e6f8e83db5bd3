/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.h - one device's connection: bytes in, frames out */

#ifndef VGPUD_LINK_PEER_H
#define VGPUD_LINK_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"
#include "vgpud/link/frames.h"

struct peer;

enum peer_end {
	PEER_HUNG_UP, /* it closed the connection */
	PEER_BROKE,   /* it sent a malformed frame: the rest of the stream cannot be parsed */
	PEER_REFUSED, /* a HELLO told it why it is refused */
	PEER_SILENT,  /* it never said hello */
	PEER_UNREAD   /* it does not read its answers */
};

/* Called from the event loop. All functions are required. */
struct peer_handler {
	/* It said hello, and was told the VM's configuration. */
	void (*greeted)(void *arg);
	/* A request came; msg, h->length bytes, is valid during the call. */
	void (*request)(void *arg, const struct vgpu_frame_header *h, const uint8_t *msg);
	/* The device no longer waits for the request with this sequence. */
	void (*cancel)(void *arg, uint64_t sequence);
	/*
	 * Link version 2. It gave its window, before all that follows; a device gives it again after a
	 * reset. fd: of its memory, the handler's from now on, to be closed with foreign_close();
	 * neither it nor the size is judged.
	 */
	void (*window)(void *arg, const struct vgpu_window_frame *window, int fd);
	/* It opens or closes a channel. fds: kick and call, the handler's; channel: any number. */
	void (*channel_open)(void *arg, const struct vgpu_channel_open *open, const int *fds);
	void (*channel_close)(void *arg, uint32_t channel);
	/* The VM runs, or is stopped. */
	void (*runstate)(void *arg, bool running);
	/*
	 * The connection has ended; peer_free() is the only call that remains, and may be made
	 * here.
	 * why: a phrase for the log, valid during the call; NULL with PEER_HUNG_UP.
	 */
	void (*ended)(void *arg, enum peer_end end, const char *why);
};

/*
 * Serves a connection.
 * fd: a stream socket; the peer's from now on, whatever the result.
 * vm, handler, arg: must outlive the peer.
 * Return: 0 or -errno.
 */
int peer_new(struct peer **out, sd_event *event, int fd, const struct frames_vm *vm,
	     const struct peer_handler *handler, void *arg);

/* Closes the connection, without a call of the handler. */
void peer_free(struct peer *peer);

/*
 * Ends a peer that broke the protocol in what its handler judges; the loop then calls ended(). What
 * it sent besides is ignored. why: a phrase for the log, which must stay.
 */
void peer_break(struct peer *peer, const char *why);

/*
 * Return: who connected: pid and user as of then. pid 0: a process outside of vgpud's pid namespace; uid
 * UINT32_MAX: the host does not know.
 */
const struct ucred *peer_who(const struct peer *peer);

/* Return: the link version that was agreed on, 0 before the greeting. */
uint32_t peer_version(const struct peer *peer);

/* Return: whether it has said hello. */
bool peer_greeted(const struct peer *peer);

/* If the device has hung up, takes what it had sent and then ends the peer: calls the handler. */
void peer_look(struct peer *peer);

/* Tells it what pool and priority the VM has. */
void peer_send_config(struct peer *peer);

/* msg: a response message. */
void peer_send_response(struct peer *peer, uint64_t sequence, uint32_t request_id,
			const uint8_t *msg, uint32_t len_bytes);

/* To a peer that gave its window: whether it may open channels. */
void peer_send_window_status(struct peer *peer, bool ready, enum vgpu_end error);

/* And what became of one. */
void peer_send_channel_status(struct peer *peer, uint32_t channel, enum vgpu_channel_state state,
			      enum vgpu_end error);

#endif
