/* SPDX-License-Identifier: GPL-2.0-only */
/* vdev.h - one vgpu-stub with a window: its registers, channels and interrupt */

#ifndef VGPU_KMOD_VDEV_H
#define VGPU_KMOD_VDEV_H

#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "guest/kmod/pieces.h"

/*
 * Theory of operation. A channel goes FREE -> HELD (a program has it and prepares its control page) ->
 * STARTED (the host was told) -> ENDING (the program is gone) -> FREE. It is ENDING until the register
 * CHANNEL_STATUS says closed: until then its worker may write to its pieces, so that those are nobody
 * else's. The device's interrupt tells when to look, and a timer looks as well.
 */
enum vchannel_state { VCHANNEL_FREE, VCHANNEL_HELD, VCHANNEL_STARTED, VCHANNEL_ENDING };

struct vchannel {
	enum vchannel_state state;
	struct pid *holder; /* while HELD or STARTED: who opened it */
	wait_queue_head_t woken;
	atomic_t events; /* interrupts that its program has not read */
};

struct vdev {
	struct kref refs; /* the driver's and each open file's */
	struct pci_dev *pci;
	struct miscdevice misc;
	int number; /* N of /dev/vgpuN */
	char name[16];
	void __iomem *regs;
	u64 window_bytes;
	unsigned long window_pfn;
	u32 channel_num;

	/*
	 * For writing: whose channels and pieces are, `gone`, `files`, `v1_users`. For reading: these,
	 * any register, and to put a page of the window into a mapping: nothing of that happens once
	 * `gone` is set. It is taken inside of mmap_lock, so no user memory may be touched under it, and
	 * held for no longer than it takes to clear one piece.
	 */
	struct rw_semaphore lock;
	bool gone;
	struct vchannel channels[VGPU_CHANNELS];
	struct pieces pieces;
	struct list_head files; /* struct vfile */
	u32 v1_users;		/* files that wait for completions */

	/* Written under the lock; the interrupt handler reads them. */
	u64 ending;   /* a bit for each channel in that state */
	u32 irq_mask; /* INTERRUPT_CTRL as it shall be */

	u32 v1_count; /* completion interrupts; the handler alone writes it */
	wait_queue_head_t v1_done;
	struct delayed_work reap;
};

static inline u32 vdev_read(const struct vdev *dev, u32 offset)
{
	return readl(dev->regs + offset);
}

static inline void vdev_write(const struct vdev *dev, u32 offset, u32 value)
{
	writel(value, dev->regs + offset);
}

/*
 * Fills in all that needs no register; number: N of /dev/vgpuN. Return: NULL without memory. Dropped by
 * vdev_put().
 */
struct vdev *vdev_new(struct pci_dev *pci, int number);
void vdev_put(struct vdev *dev);

/* Takes over from an earlier driver or kernel: closes what it left open. Before the interrupt. */
void vdev_start(struct vdev *dev, void *window);

/*
 * Closes all channels and sets `gone`. With the lock for writing, under which the caller zaps all
 * mappings, too: a program that was told that the device is gone sees nothing of the window any more.
 * Then vdev_wake_all().
 */
void vdev_stop(struct vdev *dev);

/* Handles MSI and INTx; data is the struct vdev. */
irqreturn_t vdev_interrupt(int irq, void *data);

/* Writes INTERRUPT_CTRL. With the lock. */
void vdev_enable_interrupts(struct vdev *dev);

/* Wakes all that wait for anything: the device was reset, or is gone. */
void vdev_wake_all(struct vdev *dev);

/*
 * Takes a free channel and its first piece, which is not cleared yet. With the lock for writing.
 * Return: the channel, with the piece in *piece; -EBUSY, -ENOSPC.
 */
int vdev_hold(struct vdev *dev, u32 *piece);

/* Opens a HELD channel on the host, or one that is closed there. With the lock for writing. */
int vdev_open(struct vdev *dev, u32 channel, u32 control_piece);

/* Ends a HELD or STARTED channel, whatever its program does. With the lock for writing. */
void vdev_end(struct vdev *dev, u32 channel);

/* What `channels` in sysfs shows. */
extern const struct attribute_group *vdev_groups[];

#endif
