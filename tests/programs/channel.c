/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - a program that speaks commands by libvgpu, as one outside of this tree is written */

#include <stdio.h>
#include <stdlib.h>
#include <vgpu/vgpu.h>
#include <vgpu/vgpu_cmds.h>

static int failed(const char *step, enum vgpu_end end, const char *why)
{
	fprintf(stderr, "%s: end %d %s\n", step, (int)end, why);
	return 1;
}

int main(void)
{
	struct vgpu_options options = { .socket = getenv("VGPU_SOCKET"),
					.name = "channel",
					.window_bytes = 64u << 20,
					.spin_us = 30 };
	struct vgpu_order info = { .op = VGPU_CMD_MEMORY_INFO };
	struct vgpu_device_page page;
	char why[VGPU_WHY] = "";
	struct vgpu_reply reply;
	struct vgpu *vgpu;
	enum vgpu_end end = vgpu_open(&options, &vgpu, why);

	if (end != VGPU_END_NONE)
		return failed("open", end, why);
	vgpu_device(vgpu, &page);
	printf("%s\n", page.name);
	end = vgpu_start(vgpu);
	if (end == VGPU_END_NONE)
		end = vgpu_call(vgpu, &info, &reply);
	if (end != VGPU_END_NONE)
		return failed("memory", end, "");
	printf("%s\n", reply.value[0] > 0 && reply.value[0] <= reply.value[1] ? "memory" : "none");
	vgpu_close(vgpu);
	return 0;
}
