/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bundle.c - images that a program wants linked to one module */

#include "worker/bundle.h"

#include <errno.h>
#include <string.h>

#include "common/wire/vgpu_cmds.h"

#define TYPE_PTX 1u
#define TYPE_MOST 4u

/* Text ends in its only NUL: a compiler reads it as a C string. */
static bool is_good(const struct gpu_part *part)
{
	if (part->bytes == 0 || part->type > TYPE_MOST)
		return false;
	return part->type != TYPE_PTX || strnlen(part->data, part->bytes) == part->bytes - 1;
}

int bundle_read(const uint8_t *data, uint64_t bytes, struct gpu_part *parts, uint32_t *num)
{
	struct vgpu_bundle head;
	uint64_t at;

	*num = 0;
	if (bytes < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	if (head.magic != VGPU_BUNDLE_MAGIC)
		return 0;
	if (head.part_num == 0 || head.part_num > VGPU_BUNDLE_PARTS_MOST)
		return -EINVAL;
	at = sizeof(head) + head.part_num * sizeof(struct vgpu_bundle_part);
	if (at > bytes)
		return -EINVAL;
	for (uint32_t i = 0; i < head.part_num; i++) {
		struct vgpu_bundle_part part;

		memcpy(&part, data + sizeof(head) + i * sizeof(part), sizeof(part));
		if (part.bytes > bytes - at)
			return -EINVAL;
		parts[i] = (struct gpu_part){ .data = data + at,
					      .bytes = part.bytes,
					      .type = part.type };
		if (!is_good(&parts[i]))
			return -EINVAL;
		at += (part.bytes + 7) & ~UINT64_C(7);
		if (at > bytes)
			return -EINVAL;
	}
	*num = head.part_num;
	return 0;
}
