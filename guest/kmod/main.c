/* SPDX-License-Identifier: GPL-2.0-only */
/* main.c - vgpu.ko: the driver of vgpu-stub devices that have a window */

#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/module.h>

#include "guest/kmod/kmod_compat.h"
#include "guest/kmod/vdev.h"
#include "guest/kmod/vfile.h"

static DEFINE_IDA(numbers);

/*
 * BAR0 is not reserved: Debian's kernels then refuse its mapping by sysfs, through which version 1's
 * tools reach the sixteen registers. The window is: it is nobody's but through /dev/vgpuN.
 */
#define WINDOW_BAR 2

/* Return: 0; or -ENODEV, and the reason is logged where an administrator can mend it. */
static int check_window(struct vdev *dev)
{
	struct pci_dev *pci = dev->pci;
	u32 magic = vdev_read(dev, VGPU_REG_WINDOW_MAGIC);
	u32 version = vdev_read(dev, VGPU_REG_WINDOW_VERSION);

	if (magic != VGPU_WINDOW_MAGIC || version != VGPU_WINDOW_LAYOUT) {
		pci_err(pci,
			"window %#x of version %#x, this module knows %#x of version %#x: install the one that belongs to the host's QEMU\n",
			magic, version, VGPU_WINDOW_MAGIC, VGPU_WINDOW_LAYOUT);
		return -ENODEV;
	}
	dev->window_bytes = (u64)vdev_read(dev, VGPU_REG_WINDOW_SIZE_HI) << 32 |
			    vdev_read(dev, VGPU_REG_WINDOW_SIZE_LO);
	dev->channel_num = vdev_read(dev, VGPU_REG_CHANNELS);
	if (!is_power_of_2(dev->window_bytes) || dev->window_bytes < VGPU_WINDOW_LEAST ||
	    dev->window_bytes > VGPU_WINDOW_MOST || dev->channel_num == 0 ||
	    dev->channel_num > VGPU_CHANNELS) {
		pci_err(pci, "a window of %llu bytes with %u channels makes no sense\n",
			dev->window_bytes, dev->channel_num);
		return -ENODEV;
	}
	if (pci_resource_len(pci, WINDOW_BAR) != dev->window_bytes ||
	    pci_resource_start(pci, WINDOW_BAR) == 0) {
		pci_err(pci,
			"BAR2 has no address for its %llu MiB: the firmware or the root port left no room (pref64-reserve=), or give the device a smaller window\n",
			dev->window_bytes >> 20);
		return -ENODEV;
	}
	dev->window_pfn = pci_resource_start(pci, WINDOW_BAR) >> PAGE_SHIFT;
	return 0;
}

/* Maps registers and window. Return: 0; or -errno, and nothing is mapped. */
static int map_bars(struct vdev *dev)
{
	struct pci_dev *pci = dev->pci;
	void *window;
	int err = -ENODEV;

	dev->regs = pci_iomap(pci, 0, VGPU_BAR0_LEN);
	if (!dev->regs)
		return -ENOMEM;
	/* Without a window it is version 1's: nothing to say. */
	if (pci_resource_len(pci, 0) >= VGPU_BAR0_LEN &&
	    (vdev_read(dev, VGPU_REG_CAPABILITIES) & VGPU_CAP_WINDOW))
		err = check_window(dev);
	if (err)
		goto unmap;
	err = pci_request_region(pci, WINDOW_BAR, "vgpu");
	if (err)
		goto unmap;
	/* This also has programs' mappings cached: the kernel keeps one memory type per address. */
	window = memremap(pci_resource_start(pci, WINDOW_BAR), dev->window_bytes, MEMREMAP_WB);
	if (!window) {
		err = -ENOMEM;
		goto release;
	}
	vdev_start(dev, window);
	return 0;
release:
	pci_release_region(pci, WINDOW_BAR);
unmap:
	pci_iounmap(pci, dev->regs);
	return err;
}

static void unmap_bars(struct vdev *dev)
{
	cancel_delayed_work_sync(&dev->reap);
	memunmap(dev->pieces.window);
	pci_release_region(dev->pci, WINDOW_BAR);
	pci_iounmap(dev->pci, dev->regs);
}

static int start_interrupt(struct vdev *dev)
{
	struct pci_dev *pci = dev->pci;
	int err;

	pci_set_master(pci); /* a message is a write to memory */
	err = pci_alloc_irq_vectors(pci, 1, 1, PCI_IRQ_MSI | PCI_IRQ_INTX);
	if (err < 0)
		return err;
	err = request_irq(pci_irq_vector(pci, 0), vdev_interrupt, IRQF_SHARED, dev->name, dev);
	if (err) {
		pci_free_irq_vectors(pci);
		return err;
	}
	down_write(&dev->lock);
	WRITE_ONCE(dev->irq_mask, VGPU_IRQ_CHANNEL);
	vdev_enable_interrupts(dev);
	up_write(&dev->lock);
	return 0;
}

/* Nobody else uses the registers any more, but the handler. */
static void stop_interrupt(struct vdev *dev)
{
	WRITE_ONCE(dev->irq_mask, 0);
	vdev_enable_interrupts(dev);
	free_irq(pci_irq_vector(dev->pci, 0), dev);
	pci_free_irq_vectors(dev->pci);
	pci_clear_master(dev->pci);
}

static int start_file(struct vdev *dev)
{
	dev->misc = (struct miscdevice){ .minor = MISC_DYNAMIC_MINOR,
					 .name = dev->name,
					 .fops = &vfile_operations,
					 .parent = &dev->pci->dev,
					 .groups = vdev_groups,
					 .mode = 0660 };
	return misc_register(&dev->misc);
}

static int start(struct vdev *dev)
{
	int err = map_bars(dev);

	if (err)
		return err;
	err = start_interrupt(dev);
	if (err)
		goto unmap;
	err = start_file(dev);
	if (err)
		goto stop;
	return 0;
stop:
	stop_interrupt(dev);
unmap:
	unmap_bars(dev);
	return err;
}

static int vgpu_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	int number = ida_alloc(&numbers, GFP_KERNEL), err;
	struct vdev *dev;

	if (number < 0)
		return number;
	dev = vdev_new(pci, number);
	if (!dev) {
		err = -ENOMEM;
		goto free_number;
	}
	err = pci_enable_device(pci);
	if (err)
		goto put;
	err = start(dev);
	if (err)
		goto disable;
	pci_set_drvdata(pci, dev);
	pci_info(pci, "/dev/%s: a window of %llu MiB, %u channels\n", dev->name,
		 dev->window_bytes >> 20, dev->channel_num);
	return 0;
disable:
	pci_disable_device(pci);
put:
	vdev_put(dev);
free_number:
	ida_free(&numbers, number);
	return err;
}

/* Unplugged, or unbound: programs may have the file open and mapped; nothing here waits for them. */
static void vgpu_remove(struct pci_dev *pci)
{
	struct vdev *dev = pci_get_drvdata(pci);

	misc_deregister(&dev->misc);
	down_write(&dev->lock);
	vdev_stop(dev);
	vfile_zap_all(dev);
	up_write(&dev->lock);
	vdev_wake_all(dev);
	stop_interrupt(dev);
	unmap_bars(dev);
	pci_disable_device(pci);
	ida_free(&numbers, dev->number);
	vdev_put(dev);
}

/* A reset, or the VM's sleep, has closed the channels and disabled the interrupt. */
static void come_back(struct vdev *dev)
{
	down_write(&dev->lock);
	vdev_enable_interrupts(dev);
	up_write(&dev->lock);
	mod_delayed_work(system_wq, &dev->reap, 0);
	vdev_wake_all(dev);
}

static void vgpu_reset_done(struct pci_dev *pci)
{
	come_back(pci_get_drvdata(pci));
}

static int __maybe_unused vgpu_resume(struct device *device)
{
	come_back(dev_get_drvdata(device));
	return 0;
}

static SIMPLE_DEV_PM_OPS(power, NULL, vgpu_resume);

static const struct pci_error_handlers vgpu_errors = { .reset_done = vgpu_reset_done };

static const struct pci_device_id vgpu_ids[] = {
	{ PCI_DEVICE(VGPU_PCI_VENDOR_ID, VGPU_PCI_DEVICE_ID) }, {}
};
MODULE_DEVICE_TABLE(pci, vgpu_ids);

static struct pci_driver vgpu_driver = {
	.name = "vgpu",
	.id_table = vgpu_ids,
	.probe = vgpu_probe,
	.remove = vgpu_remove,
	.err_handler = &vgpu_errors,
	.driver.pm = &power,
};
module_pci_driver(vgpu_driver);

MODULE_DESCRIPTION("vgpu-stub: programs of this VM on the host's GPU");
MODULE_LICENSE("GPL");
