/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slot.c - where a PCI device sits, as lspci writes it */

#include "guest/libvgpu/slot.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One hexadecimal field up to its delimiter. Return: the rest, or NULL. */
static const char *field(const char *text, char delimiter, unsigned long max, unsigned int *value)
{
	unsigned long number;
	char *end;

	if (!isxdigit((unsigned char)*text))
		return NULL;
	errno = 0;
	number = strtoul(text, &end, 16);
	if (errno != 0 || number > max || *end != delimiter)
		return NULL;
	*value = (unsigned int)number;
	return delimiter ? end + 1 : end;
}

int slot_parse(const char *text, struct slot *slot)
{
	const char *rest = field(text, ':', 0xffffffff, &slot->domain);
	const char *bus = rest ? field(rest, ':', 0xff, &slot->bus) : NULL;

	if (!bus) {
		slot->domain = 0;
		bus = field(text, ':', 0xff, &slot->bus);
	}
	rest = bus ? field(bus, '.', 0x1f, &slot->device) : NULL;
	rest = rest ? field(rest, '\0', 7, &slot->function) : NULL;
	return rest ? 0 : -EINVAL;
}

void slot_format(const struct slot *slot, char *text)
{
	snprintf(text, SLOT_TEXT_LEN, "%04x:%02x:%02x.%x", slot->domain, slot->bus & 0xff,
		 slot->device & 0x1f, slot->function & 7);
}

int slot_compare(const struct slot *a, const struct slot *b)
{
	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus < b->bus ? -1 : 1;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return (int)a->function - (int)b->function;
}
