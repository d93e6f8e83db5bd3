/* SPDX-License-Identifier: GPL-2.0-only */
/* kmod_compat.h - what differs between the kernels from 5.10 on */

#ifndef VGPU_KMOD_COMPAT_H
#define VGPU_KMOD_COMPAT_H

#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/version.h>

#ifndef CONFIG_MMU_NOTIFIER
#error "vgpu.ko takes a kernel with CONFIG_MMU_NOTIFIER, as each has that can run VMs itself (CONFIG_KVM)"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void kmod_vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				     unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
#define kmod_vm_flags_mod vm_flags_mod
#endif

#ifndef PCI_IRQ_INTX /* before 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

#endif
