/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile.c - the device file /dev/vgpuN: what each open descriptor of it may do */

#include "guest/kmod/vfile.h"

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "common/wire/vgpu_ioctl.h"
#include "guest/kmod/kmod_compat.h"

#define PIECE_PAGES (VGPU_PIECE >> PAGE_SHIFT)
#define HEAD_PAGES 2 /* what programs may read: the window's head, and what GPU there is */

/*
 * Theory of operation. A channel belongs to the address space that opened it, not to the descriptor:
 * a child of fork() holds the descriptor for as long as it likes. So the channel ends with the address
 * space (the notifier), or with the descriptor's last user, whichever comes first.
 *
 * The window's pages are put into a mapping when they are touched, after a look at whose they are:
 * that is the one place that decides it. Once the device is gone each file's mappings get one page of
 * zeros of its own, so that a program that is in the middle of its ring gets an error, not a signal.
 *
 * Locks: claiming, then mmap_lock, then the device's, then what the kernel takes to change mappings.
 */
struct vfile {
	struct vdev *dev;
	struct list_head entry; /* dev->files */
	struct address_space *mapping;
	struct page *blank; /* what all pages are once the device is gone */

	struct mutex claiming;	   /* one OPEN at a time */
	struct mmu_notifier space; /* of the address space that called OPEN */
	bool claimed;		   /* space is registered; it stays so until the release */

	/* Under the device's lock. */
	int channel; /* -1: none */
	u32 control_piece;
	bool waits_v1;
};

/* Return: the caller's channel, or -errno. With the device's lock. */
static int own_channel(const struct vfile *file)
{
	if (file->dev->gone)
		return -ENODEV;
	if (!smp_load_acquire(&file->claimed))
		return -EBADF;
	if (file->space.mm != current->mm)
		return -EPERM;
	return file->channel >= 0 ? file->channel : -EBADF;
}

/* --- open and end --- */

static void end_channel(struct vfile *file)
{
	struct vdev *dev = file->dev;

	down_write(&dev->lock);
	if (!dev->gone && file->channel >= 0)
		vdev_end(dev, file->channel);
	file->channel = -1;
	up_write(&dev->lock);
}

/* exit, exec, a signal that kills: the mappings are on their way out, too. */
static void space_gone(struct mmu_notifier *space, struct mm_struct *mm)
{
	end_channel(container_of(space, struct vfile, space));
}

static const struct mmu_notifier_ops space_operations = { .release = space_gone };

static int vfile_open(struct inode *inode, struct file *filp)
{
	struct vdev *dev = container_of(filp->private_data, struct vdev, misc);
	struct vfile *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return -ENOMEM;
	file->blank = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!file->blank) {
		kfree(file);
		return -ENOMEM;
	}
	file->dev = dev;
	file->mapping = filp->f_mapping;
	file->channel = -1;
	mutex_init(&file->claiming);
	kref_get(&dev->refs); /* the driver holds one: misc_open() runs before misc_deregister() */
	down_write(&dev->lock);
	list_add(&file->entry, &dev->files);
	up_write(&dev->lock);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

/* Counts those who wait for completions; the interrupt is enabled while there are some. */
static void set_waits_v1(struct vfile *file, bool waits)
{
	struct vdev *dev = file->dev;

	if (file->waits_v1 == waits)
		return;
	file->waits_v1 = waits;
	dev->v1_users += waits ? 1 : -1;
	WRITE_ONCE(dev->irq_mask, VGPU_IRQ_CHANNEL | (dev->v1_users ? VGPU_IRQ_COMPLETION : 0));
	if (!dev->gone)
		vdev_enable_interrupts(dev);
}

static int vfile_release(struct inode *inode, struct file *filp)
{
	struct vfile *file = filp->private_data;
	struct vdev *dev = file->dev;

	if (file->claimed) /* calls space_gone(), if it was not called */
		mmu_notifier_unregister(&file->space, file->space.mm);
	down_write(&dev->lock);
	set_waits_v1(file, false);
	list_del(&file->entry);
	up_write(&dev->lock);
	__free_page(file->blank);
	kfree(file);
	vdev_put(dev);
	return 0;
}

/* --- mappings --- */

/* Return: whether the page may be in a mapping of this file, of this address space. */
static bool may_map(const struct vfile *file, const struct mm_struct *mm, pgoff_t page)
{
	if (page < HEAD_PAGES)
		return true;
	return smp_load_acquire(&file->claimed) && file->space.mm == mm && file->channel >= 0 &&
	       pieces_check(&file->dev->pieces, file->channel, page / PIECE_PAGES, 1,
			    PIECE_USABLE) == 0;
}

/* The page that was touched, then the rest of its piece, as far as the mapping goes. */
static vm_fault_t map_piece(const struct vfile *file, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	const pgoff_t end = min_t(pgoff_t, vma->vm_pgoff + vma_pages(vma),
				  round_down(vmf->pgoff, PIECE_PAGES) + PIECE_PAGES);
	pgoff_t page = max_t(pgoff_t, vma->vm_pgoff, round_down(vmf->pgoff, PIECE_PAGES));
	vm_fault_t result = vmf_insert_pfn(vma, vmf->address, file->dev->window_pfn + vmf->pgoff);

	for (; result == VM_FAULT_NOPAGE && page < end; page++) {
		unsigned long address = vma->vm_start + ((page - vma->vm_pgoff) << PAGE_SHIFT);

		if (vmf_insert_pfn(vma, address, file->dev->window_pfn + page) != VM_FAULT_NOPAGE)
			break; /* the next touch tries again */
	}
	return result;
}

static vm_fault_t vfile_fault(struct vm_fault *vmf)
{
	const struct vfile *file = vmf->vma->vm_private_data;
	struct vdev *dev = file->dev;
	vm_fault_t result = VM_FAULT_SIGBUS;

	down_read(&dev->lock);
	if (dev->gone)
		result = vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(file->blank));
	else if (!may_map(file, vmf->vma->vm_mm, vmf->pgoff))
		result = VM_FAULT_SIGBUS;
	else if (vmf->pgoff < HEAD_PAGES)
		result = vmf_insert_pfn(vmf->vma, vmf->address, dev->window_pfn + vmf->pgoff);
	else
		result = map_piece(file, vmf);
	up_read(&dev->lock);
	return result;
}

static const struct vm_operations_struct mapping_operations = { .fault = vfile_fault };

static int vfile_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct vfile *file = filp->private_data;
	struct vdev *dev = file->dev;
	const unsigned long first = vma->vm_pgoff, pages = vma_pages(vma);
	const unsigned long all = dev->window_bytes >> PAGE_SHIFT;
	int channel;

	if (!(vma->vm_flags & VM_SHARED) || first > all || pages > all - first)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	down_read(&dev->lock);
	channel = own_channel(file);
	up_read(&dev->lock);
	if (channel == -ENODEV)
		return channel;
	if (first + pages <= HEAD_PAGES) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		kmod_vm_flags_mod(vma, 0, VM_MAYWRITE);
	} else if (first < PIECE_PAGES) {
		return -EINVAL;
	} else if (channel < 0) {
		return channel;
	}
	/* VM_IO: madvise() cannot take VM_DONTCOPY back. */
	kmod_vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
			  VM_MAYEXEC);
	vma->vm_private_data = file;
	vma->vm_ops = &mapping_operations;
	return 0;
}

static void zap(const struct vfile *file, u32 first, u32 count)
{
	unmap_mapping_range(file->mapping, first * VGPU_PIECE, count * VGPU_PIECE, 1);
}

void vfile_zap_all(struct vdev *dev)
{
	const struct vfile *file;

	list_for_each_entry(file, &dev->files, entry)
		unmap_mapping_range(file->mapping, 0, dev->window_bytes, 1);
}

/* --- calls --- */

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
		err = min(own_channel(file), 0);
		if (err == 0)
			pieces_clear(&dev->pieces, piece);
		up_read(&dev->lock);
		cond_resched();
		if (err == 0 && fatal_signal_pending(current))
			err = -EINTR;
	}
	down_write(&dev->lock);
	if (own_channel(file) >= 0)
		pieces_set(&dev->pieces, first, count, err == 0 ? PIECE_USABLE : PIECE_GIVEN);
	up_write(&dev->lock);
	return err;
}

/* Ties the file to the caller's address space. Return: 0, -EBUSY, -EPERM, -ENOMEM. */
static int claim(struct vfile *file)
{
	int err;

	if (file->claimed)
		return file->space.mm == current->mm ? 0 : -EPERM;
	file->space.ops = &space_operations;
	err = mmu_notifier_register(&file->space, current->mm);
	if (err == 0)
		smp_store_release(&file->claimed, true);
	return err;
}

/*
 * Until its first piece is cleared, a channel is in no file: a thread beside could use it before OPEN returns, and keep
 * what it mapped if OPEN then gave the channel back. Return: the channel, or -errno.
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
	int channel, err = claim(file);

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
	channel = own_channel(file);
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
	channel = own_channel(file);
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
	channel = own_channel(file);
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
	channel = own_channel(file);
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

static long call_give(struct vfile *file, const void __user *argument)
{
	struct vdev *dev = file->dev;
	struct vgpu_ioctl_pieces pieces;
	int err;

	if (copy_from_user(&pieces, argument, sizeof(pieces)))
		return -EFAULT;
	down_write(&dev->lock);
	err = own_channel(file);
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
		set_waits_v1(file, true);
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

static long vfile_ioctl(struct file *filp, unsigned int call, unsigned long value)
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

/* --- waiting --- */

/* Return: own_channel(), taken and given back under the lock. The channel's queue outlives it. */
static int look_at_channel(struct vfile *file)
{
	int channel;

	down_read(&file->dev->lock);
	channel = own_channel(file);
	up_read(&file->dev->lock);
	return channel;
}

static __poll_t vfile_poll(struct file *filp, poll_table *table)
{
	struct vfile *file = filp->private_data;
	struct vdev *dev = file->dev;
	int channel = look_at_channel(file);

	if (channel == -ENODEV)
		return EPOLLHUP | EPOLLERR;
	if (channel < 0)
		return EPOLLERR;
	poll_wait(filp, &dev->channels[channel].woken, table);
	if (READ_ONCE(dev->gone))
		return EPOLLHUP | EPOLLERR;
	return atomic_read(&dev->channels[channel].events) ? EPOLLIN | EPOLLRDNORM : 0;
}

static ssize_t vfile_read(struct file *filp, char __user *to, size_t size, loff_t *at)
{
	struct vfile *file = filp->private_data;
	struct vdev *dev = file->dev;
	struct vchannel *channel;
	int index = look_at_channel(file), err;
	u64 count;

	if (index < 0)
		return index;
	if (size < sizeof(count))
		return -EINVAL;
	channel = &dev->channels[index];
	count = atomic_xchg(&channel->events, 0);
	while (count == 0) {
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(channel->woken, atomic_read(&channel->events) ||
								       READ_ONCE(dev->gone));
		if (err)
			return err;
		index = look_at_channel(file);
		if (index < 0)
			return index;
		count = atomic_xchg(&channel->events, 0);
	}
	return copy_to_user(to, &count, sizeof(count)) ? -EFAULT : (ssize_t)sizeof(count);
}

const struct file_operations vfile_operations = {
	.owner = THIS_MODULE,
	.open = vfile_open,
	.release = vfile_release,
	.mmap = vfile_mmap,
	.unlocked_ioctl = vfile_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = vfile_poll,
	.read = vfile_read,
	.llseek = noop_llseek,
};
