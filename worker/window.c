/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.c - the memory that a program shares with its worker, mapped */

#include "worker/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/wire/vgpu_channel.h"

/* Return: whether the file is a window of the size that the broker says. */
static bool is_window(int fd, uint64_t bytes)
{
	struct stat about;

	return bytes >= VGPU_WINDOW_LEAST && bytes <= VGPU_WINDOW_MOST &&
	       (bytes & (bytes - 1)) == 0 && fstat(fd, &about) == 0 && about.st_size >= 0 &&
	       (uint64_t)about.st_size >= bytes;
}

static bool is_in_band(uint64_t address, uint64_t bytes)
{
	return address % bytes == 0 && address >= VGPU_WINDOW_BAND_FIRST &&
	       address < VGPU_WINDOW_BAND_END && bytes <= VGPU_WINDOW_BAND_END - address;
}

/* Return: whether the channel's first piece is the program's. Nothing in it may be read before. */
static bool has_channel(const struct window *window, int fd)
{
	struct window head = *window;
	bool is_own;

	if (window->of_program)
		return true;
	head.base = mmap(NULL, VGPU_PIECE, PROT_READ, MAP_SHARED, fd, 0);
	if (head.base == MAP_FAILED)
		return false;
	is_own = window_is_own(&head, window->control_at, VGPU_PIECE);
	munmap(head.base, VGPU_PIECE);
	return is_own;
}

/* What the program wrote into its control page before it opened the channel, read once. */
static int read_control(int fd, uint64_t control_at, uint32_t *layout, uint64_t *address)
{
	volatile struct vgpu_channel_control *control = mmap(NULL, VGPU_PAGE, PROT_READ, MAP_SHARED,
							     fd, (off_t)control_at);

	if (control == MAP_FAILED)
		return -errno;
	*layout = control->layout;
	*address = control->window_address;
	munmap((void *)control, VGPU_PAGE);
	return 0;
}

enum vgpu_end window_map(struct window *window, int fd, const struct program_order *order,
			 char *why, size_t why_size)
{
	uint64_t address = 0, bytes = order->window_bytes;
	uint32_t layout = 0;
	void *base;

	*window = (struct window){
		.bytes = bytes,
		.control_at = order->control_at,
		.channel = order->channel,
		.of_program = order->flags & VGPU_WINDOW_OF_PROGRAM,
	};
	if (!is_window(fd, bytes)) {
		snprintf(why, why_size, "the window's size is wrong");
		return VGPU_END_WINDOW_BAD;
	}
	if (order->control_at % VGPU_PIECE != 0 || order->control_at < VGPU_PIECE ||
	    order->control_at > bytes - VGPU_PIECE || !has_channel(window, fd)) {
		snprintf(why, why_size, "the channel lies in a piece that is not the program's");
		return VGPU_END_BAD_COMMAND;
	}
	if (read_control(fd, order->control_at, &layout, &address) != 0) {
		snprintf(why, why_size, "the window cannot be mapped: %s", strerror(errno));
		return VGPU_END_WINDOW_BAD;
	}
	if (layout != VGPU_WINDOW_LAYOUT) {
		snprintf(why, why_size, "the program has window layout 0x%x, this vgpud 0x%x",
			 layout, VGPU_WINDOW_LAYOUT);
		return VGPU_END_LAYOUT;
	}
	if (!is_in_band(address, bytes)) {
		snprintf(why, why_size, "the program has its window at 0x%llx, where none may be",
			 (unsigned long long)address);
		return VGPU_END_BAD_COMMAND;
	}
	base = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
	if (base != (void *)(uintptr_t)address) {
		snprintf(why, why_size, "the window cannot be mapped at 0x%llx: %s",
			 (unsigned long long)address, strerror(errno));
		if (base != MAP_FAILED)
			munmap(base, bytes);
		return VGPU_END_NO_ADDRESSES;
	}
	window->base = base;
	return VGPU_END_NONE;
}

void window_unmap(struct window *window)
{
	if (window->base != NULL)
		munmap(window->base, window->bytes);
	window->base = NULL;
}

bool window_is_own(const struct window *window, uint64_t at, uint64_t bytes)
{
	const volatile uint8_t *owners = window->base + VGPU_WINDOW_OWNERS;

	if (bytes == 0)
		return true;
	if (at < VGPU_PIECE || at >= window->bytes || bytes > window->bytes - at)
		return false;
	if (window->of_program)
		return true;
	for (uint64_t i = at / VGPU_PIECE; i <= (at + bytes - 1) / VGPU_PIECE; i++)
		if (owners[i] != window->channel + 1)
			return false;
	return true;
}

/* Copies a page's bytes; who reads them looks at the sequence before and afterwards. */
static void write_page(uint8_t *to, const struct vgpu_device_page *page)
{
	struct vgpu_device_page *shown = (struct vgpu_device_page *)to;
	size_t head = sizeof(page->sequence);
	uint32_t sequence = vgpu_ring_load(&shown->sequence) & ~1u;

	vgpu_ring_publish(&shown->sequence, sequence + 1);
	vgpu_ring_fence();
	memcpy(to + head, (const uint8_t *)page + head, sizeof(*page) - head);
	vgpu_ring_publish(&shown->sequence, sequence + 2);
}

int window_describe(int fd, const struct program_order *order, const struct vgpu_device_page *page)
{
	const struct vgpu_window_head head = {
		.magic = VGPU_WINDOW_MAGIC,
		.layout = VGPU_WINDOW_LAYOUT,
		.generation = order->generation,
		.piece_len = (uint32_t)VGPU_PIECE,
		.size_bytes = order->window_bytes,
	};
	uint8_t *pages;

	if (!is_window(fd, order->window_bytes))
		return -EINVAL;
	pages = mmap(NULL, VGPU_PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	write_page(pages + VGPU_WINDOW_DEVICE, page);
	memcpy(pages, &head, sizeof(head));
	munmap(pages, VGPU_PIECE);
	return 0;
}
