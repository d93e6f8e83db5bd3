/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.c - what the environment says */

#include "guest/libcuda/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libcuda/say.h"

#define STANDARD_DEVICE "/dev/vgpu0"
#define STANDARD_BYTES (UINT64_C(1) << 30)

/* "64M", "1G", or bytes. Return: 0 when no window can be of that size. */
static uint64_t read_size(const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);
	unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (end == text || number > UINT64_MAX >> 30 || (shift != 0 ? end[1] : end[0]) != '\0')
		return 0;
	number <<= shift;
	return number >= VGPU_WINDOW_LEAST && number <= VGPU_WINDOW_MOST &&
			       (number & (number - 1)) == 0
		       ? number
		       : 0;
}

void settings_read(struct settings *settings)
{
	const char *size = secure_getenv("VGPU_WINDOW_SIZE");
	const char *blocking = getenv("CUDA_LAUNCH_BLOCKING");

	*settings = (struct settings){ .socket = secure_getenv("VGPU_SOCKET"),
				       .device = secure_getenv("VGPU_DEVICE"),
				       .visible = getenv("CUDA_VISIBLE_DEVICES"),
				       .window_bytes = STANDARD_BYTES,
				       .blocking = blocking && strcmp(blocking, "1") == 0 };
	if (settings->socket && *settings->socket == '\0')
		settings->socket = NULL;
	if (!settings->device || *settings->device == '\0')
		settings->device = STANDARD_DEVICE;
	if (size && *size != '\0')
		settings->window_bytes = read_size(size);
	if (settings->socket && settings->window_bytes == 0)
		say("VGPU_WINDOW_SIZE=%s: a window has a power of two bytes, from 16M to 4G", size);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether hexadecimal digits, dashes between them, begin the UUID. */
static bool begins_uuid(const char *text, size_t length, const uint8_t uuid[16])
{
	size_t digit = 0;

	for (size_t i = 0; i < length; i++) {
		int value = hex_value(text[i]);

		if (text[i] == '-')
			continue;
		if (value < 0 || digit == 32)
			return false;
		if (value != (digit % 2 == 0 ? uuid[digit / 2] >> 4 : uuid[digit / 2] & 15))
			return false;
		digit++;
	}
	return digit > 0;
}

bool settings_show_device(const struct settings *settings, const uint8_t uuid[16])
{
	const char *first = settings->visible;
	size_t length;
	char *end;

	if (!first)
		return true;
	first += strspn(first, " \t");
	length = strcspn(first, ", \t");
	if (length > 4 && strncmp(first, "GPU-", 4) == 0)
		return begins_uuid(first + 4, length - 4, uuid);
	return length > 0 && *first >= '0' && *first <= '9' && strtoul(first, &end, 10) == 0 &&
	       end == first + length;
}
