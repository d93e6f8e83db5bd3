/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slot.h - where a PCI device sits, as lspci writes it */

#ifndef VGPU_GUEST_LIBVGPU_SLOT_H
#define VGPU_GUEST_LIBVGPU_SLOT_H

#define SLOT_TEXT_LEN 20 /* "0000:00:04.0", with room for long domains */

struct slot {
	unsigned int domain, bus, device, function;
};

/*
 * Takes "0000:00:04.0" or "00:04.0", hexadecimal.
 * Return: 0, or -EINVAL when text is no slot.
 */
int slot_parse(const char *text, struct slot *slot);

/* The long form, as sysfs names directories; text has SLOT_TEXT_LEN bytes. */
void slot_format(const struct slot *slot, char *text);

/* Return: less than, equal to or more than 0, as in strcmp. */
int slot_compare(const struct slot *a, const struct slot *b);

#endif
