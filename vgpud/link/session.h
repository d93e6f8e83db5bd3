/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - one device's conversation: what each frame means, and when it may come */

#ifndef VGPUD_LINK_SESSION_H
#define VGPUD_LINK_SESSION_H

#include <stdint.h>

#include "common/wire/vgpu_proto.h"

/*
 * Pure: says what to do, does nothing itself. Which frames may come:
 *
 *   state    HELLO     REQUEST    CANCEL     anything else
 *   GREETING greet     close      close      close
 *   OPEN     close     submit     cancel     close
 *   CLOSED   ignore    ignore     ignore     ignore
 */
enum session_state { SESSION_GREETING, SESSION_OPEN, SESSION_CLOSED };

struct session {
	enum session_state state;
	uint32_t vm_id;	   /* of the VM whose socket this is: the identity */
	uint64_t sequence; /* of the latest request; the next request's must be higher */
};

enum session_act {
	SESSION_IGNORE,
	SESSION_GREET,	/* answer HELLO, then CONFIG */
	SESSION_SUBMIT, /* the payload is a request */
	SESSION_CANCEL, /* the device does not wait for the request with this sequence any more */
	SESSION_REFUSE, /* answer HELLO with the status, then close */
	SESSION_CLOSE	/* the frame is not allowed here: close the connection */
};

struct session_step {
	enum session_act act;
	enum vgpu_error status; /* with REFUSE */
	const char *why;	/* with REFUSE and CLOSE: a phrase for the log */
};

void session_init(struct session *session, uint32_t vm_id);

/* h and payload: a frame that vgpu_frame_header_ok() accepted. */
struct session_step session_frame(struct session *session, const struct vgpu_frame_header *h,
				  const uint8_t *payload);

#endif
