/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - one device's conversation: what each frame means, and when it may come */

#include "vgpud/link/session.h"

void session_init(struct session *session, uint32_t vm_id)
{
	*session = (struct session){ .state = SESSION_GREETING, .vm_id = vm_id };
}

static struct session_step end(struct session *session, enum session_act act,
			       enum vgpu_error status, const char *why)
{
	session->state = SESSION_CLOSED;
	return (struct session_step){ .act = act, .status = status, .why = why };
}

static struct session_step broken(struct session *session, const char *why)
{
	return end(session, SESSION_CLOSE, VGPU_ERR_OK, why);
}

static struct session_step greeting(struct session *session, const struct vgpu_frame_header *h,
				    const uint8_t *payload)
{
	if (h->type != VGPU_FRAME_HELLO)
		return broken(session, "it did not say hello first");
	/* A device whose vm_id was not set on QEMU's command line says 0: it takes the socket's. */
	if (h->vm_id != 0 && h->vm_id != session->vm_id)
		return end(session, SESSION_REFUSE, VGPU_ERR_DENIED,
			   "its vm_id is not that of this socket's VM");
	if (vgpu_get_le32(payload) > VGPU_LINK_VERSION ||
	    vgpu_get_le32(payload + 4) < VGPU_LINK_VERSION)
		return end(session, SESSION_REFUSE, VGPU_ERR_BAD_VERSION,
			   "it does not speak this version of the link");
	session->state = SESSION_OPEN;
	return (struct session_step){ .act = SESSION_GREET };
}

static struct session_step open_session(struct session *session, const struct vgpu_frame_header *h)
{
	if (h->vm_id != session->vm_id)
		return broken(session, "a frame names another VM");
	switch (h->type) {
	case VGPU_FRAME_REQUEST:
		if (h->sequence <= session->sequence)
			return broken(session, "a request repeats a sequence number");
		session->sequence = h->sequence;
		return (struct session_step){ .act = SESSION_SUBMIT };
	case VGPU_FRAME_CANCEL:
		if (h->sequence > session->sequence)
			return broken(session, "it cancels a request that it never sent");
		return (struct session_step){ .act = SESSION_CANCEL };
	default:
		return broken(session, "a frame came that a device does not send now");
	}
}

struct session_step session_frame(struct session *session, const struct vgpu_frame_header *h,
				  const uint8_t *payload)
{
	switch (session->state) {
	case SESSION_GREETING:
		return greeting(session, h, payload);
	case SESSION_OPEN:
		return open_session(session, h);
	case SESSION_CLOSED:
		break;
	}
	return (struct session_step){ .act = SESSION_IGNORE };
}
