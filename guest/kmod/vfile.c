/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile.c - the device file /dev/vgpuN: what each open descriptor of it may do */

#include "guest/kmod/vfile.h"

#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "guest/kmod/kmod_compat.h"
#include "guest/kmod/vfile_ioctl.h"
#include "guest/kmod/vfile_state.h"

#define PIECE_PAGES (VGPU_PIECE >> PAGE_SHIFT)
#define HEAD_PAGES 2 /* what programs may read: the window's head, and what GPU there is */

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

int vfile_claim(struct vfile *file)
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

void vfile_set_waits_v1(struct vfile *file, bool waits)
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
	vfile_set_waits_v1(file, false);
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
	channel = vfile_channel(file);
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

void vfile_zap_all(struct vdev *dev)
{
	const struct vfile *file;

	list_for_each_entry(file, &dev->files, entry)
		unmap_mapping_range(file->mapping, 0, dev->window_bytes, 1);
}

/* --- waiting --- */

/* Return: vfile_channel(), taken and given back under the lock. The channel's queue outlives it. */
static int look_at_channel(struct vfile *file)
{
	int channel;

	down_read(&file->dev->lock);
	channel = vfile_channel(file);
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
