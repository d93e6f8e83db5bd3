/* SPDX-License-Identifier: GPL-2.0-or-later */
/* role_describe.c - the process that tells windows of programs what GPU they have */

#include <stdio.h>
#include <string.h>

#include "proc/confine.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"
#include "worker/gpu.h"
#include "worker/orders.h"
#include "worker/window.h"

/* vgpud itself never maps a window, whose memory belongs to a tenant: this process does. */

static void describe(const struct vgpu_device_page *page, const struct orders *orders,
		     struct program_state *state)
{
	struct vgpu_device_page shown = *page;
	uint64_t quota_bytes = orders->order.memory_bytes;
	int err = -1;

	/* A program sees no more memory than its VM may have. */
	if (quota_bytes != 0 && quota_bytes < shown.memory_bytes)
		shown.memory_bytes = quota_bytes;
	*state = (struct program_state){ .what = PROGRAM_DESCRIBED, .end = VGPU_END_NONE };
	if (orders->order.what == PROGRAM_DESCRIBE && orders->fd_num == 1)
		err = window_describe(orders->fds[0], &orders->order, &shown);
	if (err == 0)
		return;
	state->end = VGPU_END_WINDOW_BAD;
	snprintf(state->why, sizeof(state->why), "the window's first pages cannot be written: %s",
		 strerror(-err));
}

int role_describe(const char *spec)
{
	struct worker_hello hello = { .error = 0 };
	struct vgpu_device_page page;
	struct program_state state;
	struct orders orders;
	int fd = orders_begin(spawn_name[SPAWN_DESCRIBE]);
	int more;

	hello.error = gpu_describe(spec, &page, &hello.info, hello.why, sizeof(hello.why));
	if (hello.error == 0) {
		confine_no_changes();
		orders_confine(gpu_is_soft(spec), &hello);
	}
	if (!orders_greet(fd, &hello) || hello.error != 0)
		return hello.error != 0;
	while ((more = orders_receive(fd, &orders)) == 1) {
		describe(&page, &orders, &state);
		orders_close_fds(&orders);
		if (!orders_answer(fd, &state))
			return 0;
	}
	return more < 0 ? 1 : 0;
}
