/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bar.c - counted accesses to the device's BAR0, mapped */

#include "guest/libvgpu/bar.h"

#include <endian.h>
#include <string.h>
#include <time.h>

#include "common/wire/vgpu_regs.h"

/*
 * The mapping of a PCI resource is uncached, so the processor keeps the order of volatile accesses
 * by itself. The fences hold the compiler, and order a device file, which is plain memory.
 */

uint32_t bar_read(struct bar *bar, uint32_t offset)
{
	uint32_t value = *(volatile uint32_t *)(bar->base + offset);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	bar->accesses++;
	return le32toh(value);
}

static void wait_until_taken(const volatile uint32_t *doorbell)
{
	const struct timespec nap = { .tv_nsec = 50000 };
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (*doorbell == 0)
			break;
		nanosleep(&nap, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < BAR_FILE_WAIT_S);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

void bar_write(struct bar *bar, uint32_t offset, uint32_t value)
{
	volatile uint32_t *at = (volatile uint32_t *)(bar->base + offset);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	*at = htole32(value);
	bar->accesses++;
	if (bar->is_file && offset == VGPU_REG_DOORBELL && value == VGPU_DOORBELL_SUBMIT)
		wait_until_taken(at);
}

void bar_read_bytes(struct bar *bar, uint32_t offset, void *to, uint32_t len_bytes)
{
	uint8_t *bytes = to;

	for (uint32_t at = 0; at < len_bytes; at += 8) {
		uint64_t word = *(volatile uint64_t *)(bar->base + offset + at);
		uint32_t rest = len_bytes - at;

		memcpy(bytes + at, &word, rest < 8 ? rest : 8);
		bar->accesses++;
	}
}

void bar_write_bytes(struct bar *bar, uint32_t offset, const void *from, uint32_t len_bytes)
{
	const uint8_t *bytes = from;

	for (uint32_t at = 0; at < len_bytes; at += 8) {
		uint64_t word = 0;
		uint32_t rest = len_bytes - at;

		memcpy(&word, bytes + at, rest < 8 ? rest : 8);
		*(volatile uint64_t *)(bar->base + offset + at) = word;
		bar->accesses++;
	}
}
