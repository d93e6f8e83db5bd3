/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bar.h - counted accesses to the device's BAR0, mapped */

#ifndef VGPU_GUEST_LIBVGPU_BAR_H
#define VGPU_GUEST_LIBVGPU_BAR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Each access to the real device leaves the guest: it costs a microsecond or more, and its number
 * does not depend on the host. Hence the counter.
 */
struct bar {
	volatile uint8_t *base;
	uint64_t accesses; /* since the mapping */
	bool is_file;	   /* a device file: see bar_write() */
};

/* Reads one register, 4 bytes. */
uint32_t bar_read(struct bar *bar, uint32_t offset);

/*
 * Writes one register, 4 bytes. A device file is plain memory, where no device acts on the write.
 * So for a submission this waits until the process that plays the device has answered by clearing
 * DOORBELL, at most BAR_FILE_WAIT_S; without such a process DOORBELL stays 1.
 */
void bar_write(struct bar *bar, uint32_t offset, uint32_t value);
#define BAR_FILE_WAIT_S 2

/* A part of the buffers, in 8-byte accesses; offset is a multiple of 8. Reads no byte past
 * len_bytes rounded up to 8; a write fills up to there with zeroes. */
void bar_read_bytes(struct bar *bar, uint32_t offset, void *to, uint32_t len_bytes);
void bar_write_bytes(struct bar *bar, uint32_t offset, const void *from, uint32_t len_bytes);

#endif
