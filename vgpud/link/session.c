/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - one device's conversation: what each frame means, and when it may come */

#include "vgpud/link/session.h"

void session_init(struct session *session, uint32_t vm_id, bool local)
{
	*session = (struct session){ .state = SESSION_GREETING, .vm_id = vm_id, .local = local };
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

/* Return: the highest version that both sides speak, 0: there is none. */
static uint32_t agree(uint32_t theirs_min, uint32_t theirs_max)
{
	const uint32_t ours_max = VGPU_LINK_VERSION_PROGRAMS;
	uint32_t version = theirs_max < ours_max ? theirs_max : ours_max;

	return version >= VGPU_LINK_VERSION && theirs_min <= version ? version : 0;
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
	session->version = agree(vgpu_get_le32(payload), vgpu_get_le32(payload + 4));
	if (session->version == 0)
		return end(session, SESSION_REFUSE, VGPU_ERR_BAD_VERSION,
			   "it does not speak this version of the link");
	session->state = SESSION_OPEN;
	return (struct session_step){ .act = SESSION_GREET };
}

static struct session_step window(struct session *session, const uint8_t *payload)
{
	struct session_step step = {
		.act = SESSION_WINDOW,
		.window = { .size_bytes = vgpu_get_le64(payload),
			    .generation = vgpu_get_le32(payload + 8),
			    .flags = vgpu_get_le32(payload + 12) },
	};

	if (session->state == SESSION_WINDOWED && session->local)
		return broken(session, "it gave a second window");
	if ((step.window.flags & ~VGPU_WINDOW_OF_PROGRAM) != 0)
		return broken(session, "its window has a flag that is not known");
	if (session->local && step.window.flags == 0)
		return broken(session,
			      "this socket is for programs, each with a window of its own");
	session->state = SESSION_WINDOWED;
	return step;
}

static struct session_step channel(struct session *session, enum session_act act,
				   const uint8_t *payload)
{
	struct session_step step = {
		.act = act,
		.channel = { .channel = vgpu_get_le32(payload),
			     .control_page = vgpu_get_le32(payload + 4) },
	};

	if (session->state != SESSION_WINDOWED)
		return broken(session, "it named a channel before it had a window");
	return step;
}

static struct session_step runstate(struct session *session, const uint8_t *payload)
{
	uint32_t running = vgpu_get_le32(payload);

	if (running > 1)
		return broken(session, "it neither runs nor is stopped");
	return (struct session_step){ .act = SESSION_RUNSTATE, .running = running == 1 };
}

/* Frames of link version 2. */
static struct session_step program_frame(struct session *session, const struct vgpu_frame_header *h,
					 const uint8_t *payload)
{
	if (session->version < VGPU_LINK_VERSION_PROGRAMS)
		return broken(session, "a frame came that a device does not send now");
	switch (h->type) {
	case VGPU_FRAME_WINDOW:
		return window(session, payload);
	case VGPU_FRAME_CHANNEL_OPEN:
		return channel(session, SESSION_OPEN_ONE, payload);
	case VGPU_FRAME_CHANNEL_CLOSE:
		return channel(session, SESSION_CLOSE_ONE, payload);
	case VGPU_FRAME_RUNSTATE:
		return runstate(session, payload);
	default:
		return broken(session, "a frame came that a device does not send now");
	}
}

static struct session_step open_session(struct session *session, const struct vgpu_frame_header *h,
					const uint8_t *payload)
{
	if (h->vm_id != session->vm_id)
		return broken(session, "a frame names another VM");
	if (session->local && (h->type == VGPU_FRAME_REQUEST || h->type == VGPU_FRAME_CANCEL))
		return broken(session, "this socket is for programs, not for requests");
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
		return program_frame(session, h, payload);
	}
}

struct session_step session_frame(struct session *session, const struct vgpu_frame_header *h,
				  const uint8_t *payload)
{
	switch (session->state) {
	case SESSION_GREETING:
		return greeting(session, h, payload);
	case SESSION_OPEN:
	case SESSION_WINDOWED:
		return open_session(session, h, payload);
	case SESSION_CLOSED:
		break;
	}
	return (struct session_step){ .act = SESSION_IGNORE };
}
