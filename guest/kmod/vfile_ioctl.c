/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile_ioctl.c - the calls of /dev/vgpuN, as common/wire/vgpu_ioctl.h has them */

#include "guest/kmod/vfile_ioctl.h"

#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "common/wire/vgpu_ioctl.h"
#include "guest/kmod/vfile_state.h"

static long call_info(struct vfile *file, void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_info info = { .channels = dev->channel_num,
					.window_bytes = dev->window_bytes };

	down_read(&dev->lock);
	if (dev->gone) {
		up_read(&dev->lock);
		return -ENODEV;
	}
	info.generation = vdev_read(dev, VGPU_REG_GENERATION);
	info.window_status = vdev_read(dev, VGPU_REG_WINDOW_STATUS);
	info.pieces_free = pieces_count_free(&dev->pieces);
	info.pci_domain = pci_domain_nr(dev->pci->bus);
	info.pci_function = pci_dev_id(dev->pci);
	up_read(&dev->lock);
	return copy_to_user(argument, &info, sizeof(info)) ? -EFAULT : 0;
}

/*
 * Clears pieces that were taken, one at a time so that others get the lock, and makes them usable.
 * What is not cleared stays the channel's, as if it were given back.
 */
static int clear_pieces(struct vfile *file, u32 first, u32 count)
{
	struct vdev *dev = file->dev;
	u32 piece;
	int err = 0;

	for (piece = first; err == 0 && piece < first + count; piece++) {
		down_read(&dev->lock);
		err = min(vfile_channel(file), 0);
		if (err == 0)
			pieces_clear(&dev->pieces, piece);
		up_read(&dev->lock);
		cond_resched();
		if (err == 0 && fatal_signal_pending(current))
			err = -EINTR;
	}
	down_write(&dev->lock);
	if (vfile_channel(file) >= 0)
		pieces_set(&dev->pieces, first, count, err == 0 ? PIECE_USABLE : PIECE_GIVEN);
	up_write(&dev->lock);
	return err;
}

/*
 * Until its first piece is cleared, a channel is in no file: a thread beside could use it before
 * OPEN returns, and keep what it mapped if OPEN then gave the channel back. Return: the channel, or
 * -errno.
 */
static int hold_cleared(struct vdev *dev, u32 *piece)
{
	int channel;

	down_write(&dev->lock);
	channel = dev->gone ? -ENODEV : vdev_hold(dev, piece);
	up_write(&dev->lock);
	if (channel < 0)
		return channel;
	down_read(&dev->lock);
	if (!dev->gone)
		pieces_clear(&dev->pieces, *piece);
	up_read(&dev->lock);
	return channel;
}

/* One at a time for each file. */
static int open_channel(struct vfile *file, struct vgpu_ioctl_open *opened)
{
	struct vdev *dev = file->dev;
	int channel, err = vfile_claim(file);

	if (err)
		return err;
	/* Only OPEN sets it, and the end of this address space takes it away. */
	if (READ_ONCE(file->channel) >= 0)
		return READ_ONCE(dev->gone) ? -ENODEV : -EBUSY;
	channel = hold_cleared(dev, &opened->piece);
	if (channel < 0)
		return channel;
	opened->channel = channel;
	down_write(&dev->lock);
	if (dev->gone) { /* vdev_stop() has ended the channel */
		err = -ENODEV;
	} else {
		pieces_set(&dev->pieces, opened->piece, 1, PIECE_USABLE);
		file->channel = channel;
		file->control_piece = opened->piece;
	}
	up_write(&dev->lock);
	return err;
}

static long call_open(struct vfile *file, void __user *argument)
{
	struct vgpu_ioctl_open opened = {};
	int err;

	mutex_lock(&file->claiming);
	err = open_channel(file, &opened);
	mutex_unlock(&file->claiming);
	if (err)
		return err;
	return copy_to_user(argument, &opened, sizeof(opened)) ? -EFAULT : 0;
}

static long call_start(struct vfile *file)
{
	struct vdev *dev = file->dev;
	int channel;

	down_write(&dev->lock);
	channel = vfile_channel(file);
	if (channel >= 0)
		channel = vdev_open(dev, channel, file->control_piece);
	up_write(&dev->lock);
	return min(channel, 0);
}

static long call_kick(struct vfile *file)
{
	struct vdev *dev = file->dev;
	int channel;

	down_read(&dev->lock);
	channel = vfile_channel(file);
	if (channel >= 0 && dev->channels[channel].state != VCHANNEL_STARTED)
		channel = -EBADF;
	if (channel >= 0)
		vdev_write(dev, VGPU_KICK(channel), 1);
	up_read(&dev->lock);
	return min(channel, 0);
}

static long call_state(struct vfile *file, void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_state state = {};
	int channel;

	down_read(&dev->lock);
	channel = vfile_channel(file);
	if (channel >= 0) {
		state.status = vdev_read(dev, VGPU_CHANNEL_STATUS(channel));
		state.error = vdev_read(dev, VGPU_CHANNEL_ERROR(channel));
		state.generation = vdev_read(dev, VGPU_REG_GENERATION);
		state.window_status = vdev_read(dev, VGPU_REG_WINDOW_STATUS);
	}
	up_read(&dev->lock);
	if (channel < 0)
		return channel;
	return copy_to_user(argument, &state, sizeof(state)) ? -EFAULT : 0;
}

static long call_take(struct vfile *file, void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_pieces pieces;
	int channel, first, err;

	if (copy_from_user(&pieces, argument, sizeof(pieces)))
		return -EFAULT;
	down_write(&dev->lock);
	channel = vfile_channel(file);
	first = channel < 0 ? channel : pieces_take(&dev->pieces, channel, pieces.count);
	up_write(&dev->lock);
	if (first < 0)
		return first;
	pieces.first = first;
	err = clear_pieces(file, pieces.first, pieces.count);
	if (err)
		return err;
	return copy_to_user(argument, &pieces, sizeof(pieces)) ? -EFAULT : 0;
}

static void zap(const struct vfile *file, u32 first, u32 count)
{
	unmap_mapping_range(file->mapping, first * VGPU_PIECE, count * VGPU_PIECE, 1);
}

static long call_give(struct vfile *file, const void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_pieces pieces;
	int err;

	if (copy_from_user(&pieces, argument, sizeof(pieces)))
		return -EFAULT;
	down_write(&dev->lock);
	err = vfile_channel(file);
	if (err >= 0)
		err = pieces_check(&dev->pieces, err, pieces.first, pieces.count, PIECE_USABLE);
	if (err == 0 && file->control_piece - pieces.first < pieces.count)
		err = -EINVAL; /* the channel's life is the control page's */
	if (err == 0)
		pieces_set(&dev->pieces, pieces.first, pieces.count, PIECE_GIVEN);
	up_write(&dev->lock);
	if (err == 0)
		zap(file, pieces.first, pieces.count);
	return err;
}

static long call_wait_v1(struct vfile *file, void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_wait wait;
	long left;

	if (copy_from_user(&wait, argument, sizeof(wait)))
		return -EFAULT;
	down_write(&dev->lock);
	if (!dev->gone)
		vfile_set_waits_v1(file, true);
	up_write(&dev->lock);
	left = wait_event_interruptible_timeout(
		dev->v1_done, READ_ONCE(dev->gone) || READ_ONCE(dev->v1_count) != wait.count,
		msecs_to_jiffies(min_t(u32, wait.timeout_ms, VGPU_WAIT_MOST_MS)));
	if (left < 0)
		return -EINTR; /* not again by itself: the time-out would start anew */
	if (READ_ONCE(dev->gone))
		return -ENODEV;
	wait.count = READ_ONCE(dev->v1_count);
	return copy_to_user(argument, &wait, sizeof(wait)) ? -EFAULT : 0;
}

long vfile_ioctl(struct file *filp, unsigned int call, unsigned long value)
{
	struct vfile *file = filp->private_data;
	void __user *argument = (void __user *)value;

	switch (call) {
	case VGPU_IOCTL_INFO:
		return call_info(file, argument);
	case VGPU_IOCTL_OPEN:
		return call_open(file, argument);
	case VGPU_IOCTL_START:
		return call_start(file);
	case VGPU_IOCTL_KICK:
		return call_kick(file);
	case VGPU_IOCTL_STATE:
		return call_state(file, argument);
	case VGPU_IOCTL_TAKE:
		return call_take(file, argument);
	case VGPU_IOCTL_GIVE:
		return call_give(file, argument);
	case VGPU_IOCTL_WAIT_V1:
		return call_wait_v1(file, argument);
	default:
		return -ENOTTY;
	}
}
