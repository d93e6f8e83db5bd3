/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait.c - waits until the device is no longer busy */

#include "guest/libvgpu/wait.h"

#include <errno.h>
#include <time.h>

#include "common/util.h"
#include "common/wire/vgpu_regs.h"

/*
 * Each read of STATUS takes QEMU's big lock, which the answer needs too, so that constant polling
 * delays the answer. So the next read comes after an eighth of the time that has passed: that adds
 * at most an eighth to the latency, and the number of reads grows only with its logarithm. Short
 * gaps are spent spinning in the guest, since a sleep would last longer.
 */
#define GAP_SHARE 8
#define GAP_MIN_NS 5000u
#define GAP_MAX_NS 1000000u
#define SPIN_UP_TO_NS 200000u

/* The longest time until a stop or a lost interrupt is noticed. */
#define IRQ_SLICE_MS 1000u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void pause_for(uint64_t elapsed_ns, uint64_t rest_ns)
{
	uint64_t gap_ns = elapsed_ns / GAP_SHARE;

	if (gap_ns < GAP_MIN_NS)
		gap_ns = GAP_MIN_NS;
	gap_ns = min_u64(min_u64(gap_ns, GAP_MAX_NS), rest_ns);
	if (elapsed_ns < SPIN_UP_TO_NS) {
		const uint64_t until_ns = util_now_ns() + gap_ns;

		while (util_now_ns() < until_ns)
			;
		return;
	}
	nanosleep(&(struct timespec){ .tv_nsec = (long)gap_ns }, NULL);
}

static int wait_once(const struct wait *wait, uint64_t elapsed_ns, uint64_t rest_ns)
{
	switch (wait->mode) {
	case WAIT_POLL:
		pause_for(elapsed_ns, rest_ns);
		return 0;
	case WAIT_SPIN:
		return 0;
	case WAIT_IRQ:
		return irq_wait(wait->irq,
				(int)min_u64(rest_ns / UTIL_NS_PER_MS + 1, IRQ_SLICE_MS));
	}
	return -EINVAL;
}

int wait_ended(struct vgpu_device *device, const struct wait *wait, uint32_t *status)
{
	const uint64_t start_ns = util_now_ns();

	for (;;) {
		uint64_t elapsed_ns, rest_ns;
		int err;

		*status = bar_read(&device->bar, VGPU_REG_STATUS);
		if (*status != VGPU_STATUS_BUSY)
			return 0;
		if (wait->stop && *wait->stop)
			return -EINTR;
		elapsed_ns = util_now_ns() - start_ns;
		if (wait->timeout_ns && elapsed_ns >= wait->timeout_ns)
			return -ETIMEDOUT;
		rest_ns = wait->timeout_ns ? wait->timeout_ns - elapsed_ns : UINT64_MAX;
		err = wait_once(wait, elapsed_ns, rest_ns);
		if (err < 0)
			return err;
	}
}
