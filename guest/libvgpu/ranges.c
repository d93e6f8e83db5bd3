/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.c - device addresses that the program keeps free */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest/libvgpu/vgpu.h"
#include "guest/libvgpu/vgpu_private.h"

/* Return: the index of the first range that lies above the address; the one before may hold it. */
static size_t range_above(const struct vgpu *vgpu, uint64_t address)
{
	size_t low = 0, high = vgpu->range_num;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vgpu->ranges[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)(VGPU_PAGE - 1);
}

/*
 * The pages of a range that no neighbour touches, index being where the range stands, or would
 * stand, and above the index of the next one.
 */
static void own_pages(const struct vgpu *vgpu, const struct vgpu_range *range, size_t index,
		      size_t above, uint64_t *first, uint64_t *end)
{
	*first = page_down(range->address);
	*end = page_down(range->address + range->bytes + VGPU_PAGE - 1);
	if (index > 0) {
		const struct vgpu_range *below = &vgpu->ranges[index - 1];
		uint64_t taken = page_down(below->address + below->bytes + VGPU_PAGE - 1);

		if (taken > *first)
			*first = taken;
	}
	if (above < vgpu->range_num && page_down(vgpu->ranges[above].address) < *end)
		*end = page_down(vgpu->ranges[above].address);
}

static int map_nothing(uint64_t first, uint64_t end)
{
	void *wanted = (void *)(uintptr_t)first; /* NOLINT(performance-no-int-to-ptr) */
	void *got;

	if (first >= end)
		return 0;
	got = mmap(wanted, end - first, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == wanted)
		return 0;
	if (got != MAP_FAILED) {
		munmap(got, end - first);
		return -EEXIST;
	}
	return -errno;
}

static int grow_ranges(struct vgpu *vgpu)
{
	size_t room = vgpu->range_room == 0 ? 64 : vgpu->range_room * 2;
	struct vgpu_range *ranges;

	if (vgpu->range_num < vgpu->range_room)
		return 0;
	ranges = realloc(vgpu->ranges, room * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	vgpu->ranges = ranges;
	vgpu->range_room = room;
	return 0;
}

static int reserve_locked(struct vgpu *vgpu, const struct vgpu_range *range)
{
	size_t index = range_above(vgpu, range->address);
	uint64_t first, end;
	int err = grow_ranges(vgpu);

	if (err < 0)
		return err;
	if (index > 0 &&
	    vgpu->ranges[index - 1].address + vgpu->ranges[index - 1].bytes > range->address)
		return -EINVAL;
	if (index < vgpu->range_num && range->address + range->bytes > vgpu->ranges[index].address)
		return -EINVAL;
	own_pages(vgpu, range, index, index, &first, &end);
	err = map_nothing(first, end);
	if (err < 0)
		return err;
	memmove(&vgpu->ranges[index + 1], &vgpu->ranges[index],
		(vgpu->range_num - index) * sizeof(*vgpu->ranges));
	vgpu->ranges[index] = *range;
	vgpu->range_num++;
	return 0;
}

int vgpu_reserve(struct vgpu *vgpu, const struct vgpu_range *range)
{
	int err;

	if (vgpu_ended(vgpu) == VGPU_END_FORKED || range->bytes == 0 ||
	    range->address + range->bytes < range->address ||
	    range->address + range->bytes > UINT64_MAX - VGPU_PAGE)
		return -EINVAL;
	pthread_mutex_lock(&vgpu->memory_lock);
	err = reserve_locked(vgpu, range);
	pthread_mutex_unlock(&vgpu->memory_lock);
	return err;
}

int vgpu_release(struct vgpu *vgpu, uint64_t address)
{
	uint64_t first, end;
	size_t index;

	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return -ENOENT;
	pthread_mutex_lock(&vgpu->memory_lock);
	index = range_above(vgpu, address);
	if (index == 0 || vgpu->ranges[index - 1].address != address) {
		pthread_mutex_unlock(&vgpu->memory_lock);
		return -ENOENT;
	}
	index--;
	own_pages(vgpu, &vgpu->ranges[index], index, index + 1, &first, &end);
	if (first < end)
		munmap((void *)(uintptr_t)first,
		       end - first); /* NOLINT(performance-no-int-to-ptr) */
	vgpu->range_num--;
	memmove(&vgpu->ranges[index], &vgpu->ranges[index + 1],
		(vgpu->range_num - index) * sizeof(*vgpu->ranges));
	pthread_mutex_unlock(&vgpu->memory_lock);
	return 0;
}

bool vgpu_reserved(struct vgpu *vgpu, uint64_t address, struct vgpu_range *out)
{
	bool found = false;
	size_t index;

	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return false;
	pthread_mutex_lock(&vgpu->memory_lock);
	index = range_above(vgpu, address);
	if (index > 0) {
		*out = vgpu->ranges[index - 1];
		found = address - out->address < out->bytes;
	}
	pthread_mutex_unlock(&vgpu->memory_lock);
	return found;
}

bool vgpu_reserved_from(struct vgpu *vgpu, uint64_t address, struct vgpu_range *out)
{
	size_t index;
	bool found;

	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return false;
	pthread_mutex_lock(&vgpu->memory_lock);
	index = address == 0 ? 0 : range_above(vgpu, address - 1);
	found = index < vgpu->range_num;
	if (found)
		*out = vgpu->ranges[index];
	pthread_mutex_unlock(&vgpu->memory_lock);
	return found;
}
