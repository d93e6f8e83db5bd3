/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - what kernels print */

#include "guest/libcuda/text.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "common/wire/vgpu_cmds.h"
#include "guest/libcuda/core.h"
#include "guest/libcuda/staging.h"
#include "guest/libvgpu/cancel.h"

static void write_all(int fd, const uint8_t *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(fd, text, bytes);

		if (n <= 0)
			return; /* the program has closed it: as natively, the text is lost */
		text += n;
		bytes -= (size_t)n;
	}
}

/* Return: bytes that still wait; 0 also when the channel is lost. */
static uint64_t take_some(struct vgpu *vgpu, const struct staging *staging)
{
	struct vgpu_cmd_text_take args = { .at = staging->at, .bytes = staging->bytes };
	struct vgpu_order order = { .op = VGPU_CMD_TEXT_TAKE,
				    .args = &args,
				    .args_bytes = sizeof(args) };
	struct vgpu_reply reply;

	if (vgpu_call(vgpu, &order, &reply) != VGPU_END_NONE || reply.result != 0 ||
	    reply.value[0] == 0 || reply.value[0] > staging->bytes)
		return 0;
	/* What the program has printed itself comes first. */
	if (reply.value[1] == 1)
		fflush(stdout);
	write_all(reply.value[1] == 2 ? STDERR_FILENO : STDOUT_FILENO,
		  vgpu_window_address(vgpu, staging->at), reply.value[0]);
	return reply.value[2];
}

void text_drain(struct vgpu *vgpu)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct staging staging;

	if (!vgpu_text_waits(vgpu))
		return;
	CANCEL_OFF();
	if (staging_take_small(vgpu, &staging) != VGPU_END_NONE)
		return;
	pthread_mutex_lock(&lock);
	while (take_some(vgpu, &staging) > 0)
		;
	pthread_mutex_unlock(&lock);
	staging_give(vgpu, &staging);
}

/* A program may end at its first error, without a wait: what the worker says about it comes out all the same. */
static __attribute__((destructor)) void drain_at_exit(void)
{
	if (core_has_started() && vgpu_sticky(core_vgpu()) != 0)
		text_drain(core_vgpu());
}
