/* SPDX-License-Identifier: GPL-2.0-only */
/* vdev.c - one vgpu-stub with a window: its registers, channels and interrupt */

#include "guest/kmod/vdev.h"

#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#define REAP_JIFFIES HZ /* how often to look without an interrupt */

/* --- life --- */

static void free_vdev(struct kref *refs)
{
	kfree(container_of(refs, struct vdev, refs));
}

void vdev_put(struct vdev *dev)
{
	kref_put(&dev->refs, free_vdev);
}

/* Gives what has no worker any more back. Return: whether some is left. */
static bool reap_ended(struct vdev *dev)
{
	u32 n;

	for (n = 0; n < dev->channel_num; n++) {
		struct vchannel *channel = &dev->channels[n];

		if (channel->state != VCHANNEL_ENDING ||
		    vdev_read(dev, VGPU_CHANNEL_STATUS(n)) != VGPU_CHANNEL_CLOSED)
			continue;
		pieces_free(&dev->pieces, n);
		channel->state = VCHANNEL_FREE;
		WRITE_ONCE(dev->ending, dev->ending & ~BIT_ULL(n));
	}
	return dev->ending != 0;
}

static void reap(struct work_struct *work)
{
	struct vdev *dev = container_of(to_delayed_work(work), struct vdev, reap);
	bool again;

	down_write(&dev->lock);
	again = !dev->gone && reap_ended(dev);
	up_write(&dev->lock);
	if (again)
		schedule_delayed_work(&dev->reap, REAP_JIFFIES);
}

struct vdev *vdev_new(struct pci_dev *pci, int number)
{
	struct vdev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	u32 n;

	if (!dev)
		return NULL;
	kref_init(&dev->refs);
	dev->pci = pci;
	dev->number = number;
	snprintf(dev->name, sizeof(dev->name), "vgpu%d", number);
	init_rwsem(&dev->lock);
	INIT_LIST_HEAD(&dev->files);
	init_waitqueue_head(&dev->v1_done);
	INIT_DELAYED_WORK(&dev->reap, reap);
	for (n = 0; n < VGPU_CHANNELS; n++)
		init_waitqueue_head(&dev->channels[n].woken);
	return dev;
}

static void start_ending(struct vdev *dev, u32 n)
{
	dev->channels[n].state = VCHANNEL_ENDING;
	WRITE_ONCE(dev->ending, dev->ending | BIT_ULL(n));
	vdev_write(dev, VGPU_CHANNEL_CTRL(n), VGPU_CHANNEL_CTRL_CLOSE);
}

void vdev_start(struct vdev *dev, void *window)
{
	u32 n;

	down_write(&dev->lock);
	for (n = 0; n < dev->channel_num; n++) {
		if (vdev_read(dev, VGPU_CHANNEL_STATUS(n)) != VGPU_CHANNEL_CLOSED)
			start_ending(dev, n);
	}
	pieces_start(&dev->pieces, window, dev->window_bytes, dev->ending);
	if (reap_ended(dev))
		schedule_delayed_work(&dev->reap, REAP_JIFFIES);
	up_write(&dev->lock);
}

void vdev_stop(struct vdev *dev)
{
	u32 n;

	for (n = 0; n < dev->channel_num; n++) {
		if (dev->channels[n].state == VCHANNEL_HELD ||
		    dev->channels[n].state == VCHANNEL_STARTED)
			vdev_end(dev, n);
	}
	dev->gone = true;
}

/* --- interrupt --- */

static void wake_channels(struct vdev *dev, u64 events)
{
	u32 n;

	if (events & READ_ONCE(dev->ending))
		mod_delayed_work(system_wq, &dev->reap, 0);
	for (n = 0; n < dev->channel_num; n++) {
		if (!(events >> n & 1))
			continue;
		atomic_inc(&dev->channels[n].events);
		wake_up_interruptible(&dev->channels[n].woken);
	}
}

irqreturn_t vdev_interrupt(int irq, void *data)
{
	struct vdev *dev = data;
	u32 pending = vdev_read(dev, VGPU_REG_INTERRUPT_STATUS);
	u32 low, high;

	/* All ones: the device was pulled out. The line may be shared. */
	if (pending == ~0u || !(pending & READ_ONCE(dev->irq_mask)))
		return IRQ_NONE;
	/* First the cause, then what it tells of: what comes in between raises another interrupt. */
	vdev_write(dev, VGPU_REG_INTERRUPT_STATUS, pending & READ_ONCE(dev->irq_mask));
	if (pending & VGPU_IRQ_CHANNEL) {
		low = vdev_read(dev, VGPU_REG_CHANNEL_EVENTS_LO);
		high = vdev_read(dev, VGPU_REG_CHANNEL_EVENTS_HI);
		vdev_write(dev, VGPU_REG_CHANNEL_EVENTS_LO, low);
		vdev_write(dev, VGPU_REG_CHANNEL_EVENTS_HI, high);
		wake_channels(dev, (u64)high << 32 | low);
	}
	if (pending & READ_ONCE(dev->irq_mask) & VGPU_IRQ_COMPLETION) {
		WRITE_ONCE(dev->v1_count, dev->v1_count + 1);
		wake_up_interruptible(&dev->v1_done);
	}
	return IRQ_HANDLED;
}

void vdev_enable_interrupts(struct vdev *dev)
{
	vdev_write(dev, VGPU_REG_INTERRUPT_CTRL, dev->irq_mask);
}

void vdev_wake_all(struct vdev *dev)
{
	u32 n;

	for (n = 0; n < VGPU_CHANNELS; n++) {
		atomic_inc(&dev->channels[n].events);
		wake_up_interruptible(&dev->channels[n].woken);
	}
	wake_up_interruptible(&dev->v1_done);
}

/* --- channels --- */

int vdev_hold(struct vdev *dev, u32 *piece)
{
	int first;
	u32 n;

	for (n = 0; n < dev->channel_num; n++) {
		/* The host may still hold a free one: the VM's state was loaded. */
		if (dev->channels[n].state == VCHANNEL_FREE &&
		    vdev_read(dev, VGPU_CHANNEL_STATUS(n)) == VGPU_CHANNEL_CLOSED)
			break;
	}
	if (n == dev->channel_num)
		return -EBUSY;
	first = pieces_take(&dev->pieces, n, 1);
	if (first < 0)
		return first;
	*piece = first;
	dev->channels[n].state = VCHANNEL_HELD;
	dev->channels[n].holder = get_pid(task_tgid(current));
	atomic_set(&dev->channels[n].events, 0);
	return n;
}

int vdev_open(struct vdev *dev, u32 n, u32 control_piece)
{
	struct vchannel *channel = &dev->channels[n];

	if (channel->state == VCHANNEL_STARTED &&
	    vdev_read(dev, VGPU_CHANNEL_STATUS(n)) != VGPU_CHANNEL_CLOSED)
		return -EBUSY;
	channel->state = VCHANNEL_STARTED;
	vdev_write(dev, VGPU_CHANNEL_BASE(n), control_piece * (VGPU_PIECE / VGPU_PAGE));
	vdev_write(dev, VGPU_CHANNEL_CTRL(n), VGPU_CHANNEL_CTRL_OPEN);
	return 0;
}

void vdev_end(struct vdev *dev, u32 n)
{
	struct vchannel *channel = &dev->channels[n];

	put_pid(channel->holder);
	channel->holder = NULL;
	if (channel->state == VCHANNEL_HELD) { /* the host never knew of it */
		pieces_free(&dev->pieces, n);
		channel->state = VCHANNEL_FREE;
		return;
	}
	start_ending(dev, n);
	mod_delayed_work(system_wq, &dev->reap, 0);
}

/* --- sysfs --- */

/* A line for each channel in use: its number, state, the holder's pid (0: ending), its pieces. */
static ssize_t channels_show(struct device *device, struct device_attribute *attr, char *text)
{
	static const char *const names[] = { "free", "held", "started", "ending" };
	struct miscdevice *misc = dev_get_drvdata(device);
	struct vdev *dev = container_of(misc, struct vdev, misc);
	int len = 0;
	u32 n;

	down_read(&dev->lock);
	for (n = 0; n < dev->channel_num; n++) {
		struct vchannel *channel = &dev->channels[n];

		if (channel->state != VCHANNEL_FREE)
			len += sysfs_emit_at(text, len, "%u %s %d %u\n", n, names[channel->state],
					     pid_vnr(channel->holder),
					     pieces_count_of(&dev->pieces, n));
	}
	up_read(&dev->lock);
	return len;
}
static DEVICE_ATTR_RO(channels);

static struct attribute *attributes[] = { &dev_attr_channels.attr, NULL };
static const struct attribute_group group = { .attrs = attributes };
const struct attribute_group *vdev_groups[] = { &group, NULL };
