/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm_name.h - what a VM may be called, and which number its name gives it */

#ifndef VGPU_VM_NAME_H
#define VGPU_VM_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define VM_NAME_SIZE 64 /* 63 bytes and the end */
#define VM_NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define VM_NAME_FORM "1 to 63 letters, digits, '.', '_' and '-', the first one a letter or digit"

/*
 * VM_NAME_FORM: "vm3", "100" (a VMID as Proxmox has them), a UUID, a label of a host name. It
 * becomes a file's name.
 */
bool vm_name_ok(const char *name);

/*
 * Finds the number at the end of a name ("vm3": 3, "100": 100), the VM's id unless --id gives one.
 * Return: 0: the name ends in no number, or in one too large; the digits of a UUID do not count.
 */
uint32_t vm_name_id(const char *name);

#endif
