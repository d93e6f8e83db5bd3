/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - one device's conversation: what each frame means, and when it may come */

#ifndef VGPUD_LINK_SESSION_H
#define VGPUD_LINK_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_proto.h"

/*
 * Pure: says what to do, does nothing itself. Which frames may come:
 *
 *   state    HELLO     REQUEST    CANCEL     WINDOW   CHANNEL_*   RUNSTATE   anything else
 *   GREETING greet     close      close      close    close       close      close
 *   OPEN     close     submit     cancel     window   close       runstate   close
 *   WINDOWED close     submit     cancel     window   channel     runstate   close
 *   CLOSED   ignore    ignore     ignore     ignore   ignore      ignore     ignore
 *
 * WINDOW and what stands right of it need link version 2, on which HELLO has agreed; from a peer of
 * version 1 they close the connection. On the port of a local tenant, whose peers are programs and
 * no devices, REQUEST, CANCEL and a second WINDOW close it. A device gives its window again, with
 * another generation, after a reset.
 */
enum session_state { SESSION_GREETING, SESSION_OPEN, SESSION_WINDOWED, SESSION_CLOSED };

struct session {
	enum session_state state;
	uint32_t vm_id;	   /* of the VM whose socket this is: the identity */
	bool local;	   /* the socket is a local tenant's */
	uint32_t version;  /* of the link, as agreed; 0 before */
	uint64_t sequence; /* of the latest request; the next request's must be higher */
};

enum session_act {
	SESSION_IGNORE,
	SESSION_GREET,	  /* answer HELLO, then CONFIG */
	SESSION_SUBMIT,	  /* the payload is a request */
	SESSION_CANCEL,	  /* the device does not wait for the request with this sequence any more */
	SESSION_WINDOW,	  /* the peer has a window; its descriptor came along */
	SESSION_OPEN_ONE, /* open a channel; its descriptors came along */
	SESSION_CLOSE_ONE, /* close a channel */
	SESSION_RUNSTATE,  /* the VM runs, or is stopped */
	SESSION_REFUSE,	   /* answer HELLO with the status, then close */
	SESSION_CLOSE	   /* the frame is not allowed here: close the connection */
};

struct session_step {
	enum session_act act;
	enum vgpu_error status; /* with REFUSE */
	const char *why;	/* with REFUSE and CLOSE: a phrase for the log */
	union {
		struct vgpu_window_frame window;  /* with WINDOW; size and memory are not judged */
		struct vgpu_channel_open channel; /* with OPEN_ONE and CLOSE_ONE; nor are these */
		bool running;			  /* with RUNSTATE */
	};
};

/* local: the socket is a local tenant's. */
void session_init(struct session *session, uint32_t vm_id, bool local);

/* h and payload: a frame that vgpu_frame_header_ok() accepted. */
struct session_step session_frame(struct session *session, const struct vgpu_frame_header *h,
				  const uint8_t *payload);

#endif
